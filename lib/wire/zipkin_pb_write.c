/* SPDX-License-Identifier: Apache-2.0
 * Writes zipkin.proto3.ListOfSpans as zipkin-go does; the reader is in zipkin_pb.c.
 */
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "wire/zipkin.h"
#include "wire/zipkin_fields.h"
#include "wire/zipkin_out.h"

/** IPv4 addresses have 16 bytes, too: Go's parsed form. */
static void write_ip(jg_buf *buf, const jg_zipkin_out_endpoint *e)
{
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    memcpy(mapped + 12, e->ip, 4);
    if (e->ip_len == 4)
        jg_pb_write_bytes(buf, JG_ZIPKIN_ENDPOINT_IPV4, mapped, 16);
    else if (e->ip_len)
        jg_pb_write_bytes(buf, JG_ZIPKIN_ENDPOINT_IPV6, e->ip, 16);
}

static void write_endpoint(jg_buf *buf, uint32_t field, const jg_zipkin_out_endpoint *e)
{
    if (!e->set)
        return;
    size_t mark = jg_pb_begin(buf, field, 1);
    if (e->service.len)
        jg_pb_write_str(buf, JG_ZIPKIN_ENDPOINT_SERVICE, e->service);
    write_ip(buf, e);
    if (e->port)
        jg_pb_write_varint(buf, JG_ZIPKIN_ENDPOINT_PORT, e->port);
    jg_pb_end(buf, mark, 1);
}

static void write_notes(jg_zipkin_out *out, jg_buf *buf)
{
    jaeger_iter events = jaeger_span_events(out->span);
    jaeger_event event;
    while (jaeger_next_event(&events, &event)) {
        jaeger_str value = jg_zipkin_out_note(out, &event);
        size_t mark = jg_pb_begin(buf, JG_ZIPKIN_SPAN_NOTES, 1);
        if (event.time_unix_ns / 1000)
            jg_pb_write_fixed64(buf, JG_ZIPKIN_NOTE_TIME, event.time_unix_ns / 1000);
        if (value.len)
            jg_pb_write_str(buf, JG_ZIPKIN_NOTE_VALUE, value);
        jg_pb_end(buf, mark, 1);
    }
}

static void write_tags(const jg_zipkin_out *out, jg_buf *buf)
{
    for (size_t i = 0; i < out->tag_count; i++) {
        size_t mark = jg_pb_begin(buf, JG_ZIPKIN_SPAN_TAGS, 1);
        jg_pb_write_str(buf, 1, out->tags[i].key);
        jg_pb_write_str(buf, 2, out->tags[i].value);
        jg_pb_end(buf, mark, 1);
    }
}

static void write_span(jg_zipkin_out *out, jg_buf *buf)
{
    static const uint8_t kinds[] = {[JAEGER_KIND_SERVER] = 2,
                                    [JAEGER_KIND_CLIENT] = 1,
                                    [JAEGER_KIND_PRODUCER] = 3,
                                    [JAEGER_KIND_CONSUMER] = 4};
    const jaeger_span *span = out->span;
    jg_pb_write_bytes(buf, JG_ZIPKIN_SPAN_TRACE_ID, span->trace_id, 16);
    jg_pb_write_bytes(buf, JG_ZIPKIN_SPAN_PARENT_ID, span->parent_span_id, 8); /* zero for a root */
    jg_pb_write_bytes(buf, JG_ZIPKIN_SPAN_ID, span->span_id, 8);
    if (span->kind < JG_COUNT(kinds) && kinds[span->kind])
        jg_pb_write_varint(buf, JG_ZIPKIN_SPAN_KIND, kinds[span->kind]);
    if (span->name.len)
        jg_pb_write_str(buf, JG_ZIPKIN_SPAN_NAME, span->name);
    if (out->has_start)
        jg_pb_write_fixed64(buf, JG_ZIPKIN_SPAN_TIME, (span->start_unix_ns + 500) / 1000);
    if (out->duration_ns / 1000)
        jg_pb_write_varint(buf, JG_ZIPKIN_SPAN_DURATION, (uint64_t)(out->duration_ns / 1000));
    write_endpoint(buf, JG_ZIPKIN_SPAN_LOCAL, &out->local);
    write_endpoint(buf, JG_ZIPKIN_SPAN_REMOTE, &out->remote);
    write_notes(out, buf);
    write_tags(out, buf);
}

jaeger_status jg_zipkin_pb_write(jg_buf *buf, const jaeger_batch *batch, jaeger_error *err)
{
    jg_zipkin_out out;
    const char *fault = NULL;
    if (!jg_zipkin_out_init(&out))
        return jg_fail_oom(err);
    for (size_t i = 0; i < jaeger_batch_span_count(batch) && !fault; i++) {
        fault = jg_zipkin_out_span(&out, &jaeger_batch_spans(batch)[i]);
        if (fault)
            break;
        size_t mark = jg_pb_begin(buf, JG_ZIPKIN_LIST_SPANS, 2);
        write_span(&out, buf);
        jg_pb_end(buf, mark, 2);
    }
    buf->failed |= out.failed;
    jg_zipkin_out_done(&out);
    return fault ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "Zipkin protobuf: %s", fault) : JAEGER_OK;
}
