/* SPDX-License-Identifier: Apache-2.0
 * Writes Zipkin v2 JSON as zipkin-go does: keys in its order, names in lower case (ASCII), tags sorted.
 */
#include "core/err.h"
#include "core/str.h"
#include "wire/zipkin.h"
#include "wire/zipkin_model.h"
#include "wire/zipkin_out.h"

static jaeger_str lower(jg_zipkin_out *out, jaeger_str text)
{
    jaeger_str copy = jaeger_arena_str(out->arena, text);
    out->failed |= !copy.ptr;
    for (size_t i = 0; i < copy.len; i++)
        if (copy.ptr[i] >= 'A' && copy.ptr[i] <= 'Z')
            ((char *)copy.ptr)[i] = (char)(copy.ptr[i] + 32);
    return copy;
}

static void write_endpoint(jg_zipkin_out *out, jg_json_out *json, jaeger_str key,
                           const jg_zipkin_out_endpoint *e)
{
    if (!e->set)
        return;
    jg_json_key(json, key);
    jg_json_object(json);
    if (e->service.len) {
        jg_json_key_lit(json, "serviceName");
        jg_json_str(json, lower(out, e->service));
    }
    if (e->ip_len) {
        jg_json_key(json, e->ip_len == 4 ? JAEGER_STR("ipv4") : JAEGER_STR("ipv6"));
        jg_json_str(json, jg_zipkin_ip_text(out->arena, (jaeger_str){(const char *)e->ip, e->ip_len}));
    }
    if (e->port) {
        jg_json_key_lit(json, "port");
        jg_json_u64(json, e->port);
    }
    jg_json_end(json);
}

static void write_notes(jg_zipkin_out *out, jg_json_out *json)
{
    jaeger_iter events = jaeger_span_events(out->span);
    jaeger_event event;
    bool any = false;
    while (jaeger_next_event(&events, &event)) {
        if (!any) {
            jg_json_key_lit(json, "annotations");
            jg_json_array(json);
            any = true;
        }
        jg_json_object(json);
        jg_json_key_lit(json, "timestamp");
        jg_json_i64(json, (int64_t)(event.time_unix_ns + 500) / 1000);
        jg_json_key_lit(json, "value");
        jg_json_str(json, jg_zipkin_out_note(out, &event));
        jg_json_end(json);
    }
    if (any)
        jg_json_end(json);
}

/** Zipkin has whole microseconds: shorter is one, the rest is rounded. */
static int64_t duration_us(int64_t ns)
{
    return ns == 0 ? 0 : ns < 1000 ? 1 : ns / 1000 + (ns % 1000 >= 500);
}

static void write_ids(jg_zipkin_out *out, jg_json_out *json)
{
    const jaeger_span *span = out->span;
    bool is_short = jg_id_is_zero(span->trace_id, 8);
    jg_json_key_lit(json, "traceId");
    jg_json_hex(json, span->trace_id + (is_short ? 8 : 0), is_short ? 8 : 16);
    jg_json_key_lit(json, "id");
    jg_json_hex(json, span->span_id, 8);
    if (!jg_id_is_zero(span->parent_span_id, 8)) {
        jg_json_key_lit(json, "parentId");
        jg_json_hex(json, span->parent_span_id, 8);
    }
}

static void write_tags(const jg_zipkin_out *out, jg_json_out *json)
{
    if (out->tag_count == 0)
        return;
    jg_json_key_lit(json, "tags");
    jg_json_object(json);
    for (size_t i = 0; i < out->tag_count; i++) {
        jg_json_key(json, out->tags[i].key);
        jg_json_str(json, out->tags[i].value);
    }
    jg_json_end(json);
}

static void write_span(jg_zipkin_out *out, jg_json_out *json)
{
    static const char *const kinds[] = {[JAEGER_KIND_SERVER] = "SERVER",
                                        [JAEGER_KIND_CLIENT] = "CLIENT",
                                        [JAEGER_KIND_PRODUCER] = "PRODUCER",
                                        [JAEGER_KIND_CONSUMER] = "CONSUMER"};
    const jaeger_span *span = out->span;
    jg_json_object(json);
    if (out->has_start) {
        jg_json_key_lit(json, "timestamp");
        jg_json_u64(json, (span->start_unix_ns + 500) / 1000);
    }
    if (out->duration_ns) {
        jg_json_key_lit(json, "duration");
        jg_json_i64(json, duration_us(out->duration_ns));
    }
    write_ids(out, json);
    if (span->name.len) {
        jg_json_key_lit(json, "name");
        jg_json_str(json, lower(out, span->name));
    }
    if (span->kind < JG_COUNT(kinds) && kinds[span->kind]) {
        jg_json_key_lit(json, "kind");
        jg_json_str(json, jg_str(kinds[span->kind]));
    }
    write_endpoint(out, json, JAEGER_STR("localEndpoint"), &out->local);
    write_endpoint(out, json, JAEGER_STR("remoteEndpoint"), &out->remote);
    write_notes(out, json);
    write_tags(out, json);
    jg_json_end(json);
}

jaeger_status jg_zipkin_json_write(jg_buf *buf, const jaeger_batch *batch, jaeger_error *err)
{
    jg_json_out json = JG_JSON_OUT_INIT(buf);
    jg_zipkin_out out;
    const char *fault = NULL;
    if (!jg_zipkin_out_init(&out))
        return jg_fail_oom(err);
    json.html = true;
    jg_json_array(&json);
    for (size_t i = 0; i < jaeger_batch_span_count(batch) && !fault; i++) {
        fault = jg_zipkin_out_span(&out, &jaeger_batch_spans(batch)[i]);
        if (!fault && (int64_t)out.span->start_unix_ns < 0)
            fault = "valid annotation timestamp required";
        if (!fault && out.duration_ns < 0)
            fault = "valid duration required";
        if (!fault)
            write_span(&out, &json);
    }
    jg_json_end(&json);
    buf->failed |= out.failed;
    jg_zipkin_out_done(&out);
    return fault ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "Zipkin JSON: %s", fault) : JAEGER_OK;
}
