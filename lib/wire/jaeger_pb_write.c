/* SPDX-License-Identifier: Apache-2.0
 * Writes jaeger.api_v2 in the way gogoproto does: fields in order, zero scalars left out, times and ids
 * always there. The reader is in jaeger_pb.c.
 */
#include "core/pb.h"
#include "core/str.h"
#include "model/value_text.h"
#include "wire/jaeger_fields.h"
#include "wire/jaeger_model.h"
#include "wire/jaeger_pb.h"
#include "wire/v1_tags.h"

static void write_seconds(jg_buf *out, uint32_t number, int64_t s, int32_t ns)
{
    size_t mark = jg_pb_begin(out, number, 1);
    if (s)
        jg_pb_write_varint(out, 1, (uint64_t)s);
    if (ns)
        jg_pb_write_varint(out, 2, (uint64_t)(int64_t)ns);
    jg_pb_end(out, mark, 1);
}

/** Times before 1970 (top bit set) round down, so that nanoseconds are never negative. */
static void write_time(jg_buf *out, uint32_t number, uint64_t unix_ns)
{
    int64_t time = (int64_t)unix_ns, s = time / 1000000000, ns = time % 1000000000;
    if (ns < 0) {
        s--;
        ns += 1000000000;
    }
    write_seconds(out, number, s, (int32_t)ns);
}

/** The text of an array or map, written behind the key. */
static void write_rendered(jg_buf *out, const jaeger_value *value)
{
    size_t mark = jg_pb_begin(out, JG_JAEGER_KEY_VALUE_STR, 1);
    jg_value_text(out, value);
    jg_pb_end(out, mark, 1);
}

static void write_tag(jg_buf *out, uint32_t number, const jaeger_attr *attr)
{
    size_t mark = jg_pb_begin(out, number, 1);
    const jaeger_value *value = &attr->value;
    if (attr->key.len)
        jg_pb_write_str(out, JG_JAEGER_KEY_VALUE_KEY, attr->key);
    switch (value->type) {
    case JAEGER_VALUE_BOOL:
        jg_pb_write_varint(out, JG_JAEGER_KEY_VALUE_TYPE, JG_JAEGER_BOOL);
        if (value->u.b)
            jg_pb_write_varint(out, JG_JAEGER_KEY_VALUE_BOOL, 1);
        break;
    case JAEGER_VALUE_INT:
        jg_pb_write_varint(out, JG_JAEGER_KEY_VALUE_TYPE, JG_JAEGER_INT64);
        if (value->u.i)
            jg_pb_write_varint(out, JG_JAEGER_KEY_VALUE_INT64, (uint64_t)value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        jg_pb_write_varint(out, JG_JAEGER_KEY_VALUE_TYPE, JG_JAEGER_FLOAT64);
        if (value->u.d != 0)
            jg_pb_write_double(out, JG_JAEGER_KEY_VALUE_FLOAT64, value->u.d);
        break;
    case JAEGER_VALUE_BYTES:
        jg_pb_write_varint(out, JG_JAEGER_KEY_VALUE_TYPE, JG_JAEGER_BINARY);
        if (value->u.s.len)
            jg_pb_write_str(out, JG_JAEGER_KEY_VALUE_BINARY, value->u.s);
        break;
    case JAEGER_VALUE_ARRAY:
    case JAEGER_VALUE_MAP:
        write_rendered(out, value);
        break;
    default:
        if (value->u.s.len)
            jg_pb_write_str(out, JG_JAEGER_KEY_VALUE_STR, value->u.s);
        break;
    }
    jg_pb_end(out, mark, 1);
}

static void write_tags(jg_buf *out, uint32_t number, jg_v1_tags tags)
{
    jaeger_attr attr;
    while (jg_v1_next(&tags, &attr))
        write_tag(out, number, &attr);
}

static void write_refs(jg_buf *out, const jaeger_span *span)
{
    jg_v1_refs refs = jg_v1_span_refs(span);
    jg_v1_ref ref;
    while (jg_v1_next_ref(&refs, &ref)) {
        size_t mark = jg_pb_begin(out, JG_JAEGER_SPAN_REFERENCES, 1);
        jg_pb_write_bytes(out, JG_JAEGER_REF_TRACE_ID, ref.trace_id, 16);
        jg_pb_write_bytes(out, JG_JAEGER_REF_SPAN_ID, ref.span_id, 8);
        if (ref.follows_from)
            jg_pb_write_varint(out, JG_JAEGER_REF_TYPE, 1);
        jg_pb_end(out, mark, 1);
    }
}

static void write_logs(jg_buf *out, const jaeger_span *span)
{
    jaeger_iter events = jaeger_span_events(span);
    jaeger_event event;
    while (jaeger_next_event(&events, &event)) {
        size_t mark = jg_pb_begin(out, JG_JAEGER_SPAN_LOGS, 1);
        write_time(out, JG_JAEGER_LOG_TIMESTAMP, event.time_unix_ns);
        write_tags(out, JG_JAEGER_LOG_FIELDS, jg_v1_log_fields(&event));
        jg_pb_end(out, mark, 1);
    }
}

void jg_jaeger_pb_write_process(jg_buf *out, const jaeger_span_group *group)
{
    jaeger_str service = jg_v1_service(group);
    if (service.len)
        jg_pb_write_str(out, JG_JAEGER_PROCESS_SERVICE, service);
    write_tags(out, JG_JAEGER_PROCESS_TAGS, jg_v1_process_tags(group));
}

static void write_process_field(jg_buf *out, uint32_t number, const jaeger_span_group *group)
{
    size_t mark = jg_pb_begin(out, number, 2);
    jg_jaeger_pb_write_process(out, group);
    jg_pb_end(out, mark, 2);
}

void jg_jaeger_pb_write_span(jg_buf *out, const jaeger_span *span, bool with_process)
{
    int64_t duration = jg_v1_duration_ns(span);
    jg_pb_write_bytes(out, JG_JAEGER_SPAN_TRACE_ID, span->trace_id, 16);
    jg_pb_write_bytes(out, JG_JAEGER_SPAN_SPAN_ID, span->span_id, 8);
    if (span->name.len)
        jg_pb_write_str(out, JG_JAEGER_SPAN_NAME, span->name);
    write_refs(out, span);
    write_time(out, JG_JAEGER_SPAN_START, span->start_unix_ns);
    write_seconds(out, JG_JAEGER_SPAN_DURATION, duration / 1000000000, (int32_t)(duration % 1000000000));
    write_tags(out, JG_JAEGER_SPAN_TAGS, jg_v1_span_tags(span, JG_V1_TRANSLATOR));
    write_logs(out, span);
    if (with_process)
        write_process_field(out, JG_JAEGER_SPAN_PROCESS, span->group);
}

size_t jg_jaeger_pb_write_post(jg_buf *out, const jaeger_batch *batch, size_t from)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t count = jaeger_batch_span_count(batch), i = from;
    size_t post = jg_pb_begin(out, JG_JAEGER_POST_BATCH, 3);
    for (; i < count && spans[i].group->resource_index == spans[from].group->resource_index; i++) {
        size_t mark = jg_pb_begin(out, JG_JAEGER_BATCH_SPANS, 2);
        jg_jaeger_pb_write_span(out, &spans[i], false);
        jg_pb_end(out, mark, 2);
    }
    if (from < count)
        write_process_field(out, JG_JAEGER_BATCH_PROCESS, spans[from].group);
    jg_pb_end(out, post, 3);
    return i;
}
