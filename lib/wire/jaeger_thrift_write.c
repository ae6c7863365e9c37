/* SPDX-License-Identifier: Apache-2.0
 * Writes jaeger.thrift; the reader is in jaeger_thrift.c. Tags, references and logs are those of api_v2
 * (v1_tags.h). What the format cannot carry is lost: less than a microsecond, flags, the tracestate.
 */
#include "core/str.h"
#include "model/value_text.h"
#include "wire/jaeger_thrift.h"
#include "wire/v1_tags.h"
#include <endian.h>

/* vType numbers of jaeger.thrift */
enum { V_STRING, V_DOUBLE, V_BOOL, V_LONG, V_BINARY };

static void put_str(jg_thrift_out *out, int16_t *last, int16_t id, jaeger_str value)
{
    jg_thrift_put_field(out, last, id, JG_THRIFT_STRING);
    jg_thrift_put_str(out, value);
}

static void put_i32(jg_thrift_out *out, int16_t *last, int16_t id, int32_t value)
{
    jg_thrift_put_field(out, last, id, JG_THRIFT_I32);
    jg_thrift_put_i32(out, value);
}

static void put_i64(jg_thrift_out *out, int16_t *last, int16_t id, int64_t value)
{
    jg_thrift_put_field(out, last, id, JG_THRIFT_I64);
    jg_thrift_put_i64(out, value);
}

static void put_list(jg_thrift_out *out, int16_t *last, int16_t id, uint32_t count)
{
    jg_thrift_put_field(out, last, id, JG_THRIFT_LIST);
    jg_thrift_put_list(out, JG_THRIFT_STRUCT, count);
}

static int64_t number_of(const uint8_t id[8])
{
    uint64_t raw;
    memcpy(&raw, id, 8);
    return (int64_t)be64toh(raw);
}

/** Arrays and maps are texts, as in api_v2. */
static void put_rendered(jg_thrift_out *out, int16_t *last, const jaeger_value *value)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(out->buf->max);
    jg_value_text(&text, value);
    out->buf->failed |= text.failed;
    put_str(out, last, 3, jg_buf_view(&text));
}

static void put_value(jg_thrift_out *out, int16_t *last, const jaeger_value *value)
{
    switch (value->type) {
    case JAEGER_VALUE_BOOL:
        put_i32(out, last, 2, V_BOOL);
        jg_thrift_put_bool(out, last, 5, value->u.b);
        break;
    case JAEGER_VALUE_INT:
        put_i32(out, last, 2, V_LONG);
        put_i64(out, last, 6, value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        put_i32(out, last, 2, V_DOUBLE);
        jg_thrift_put_field(out, last, 4, JG_THRIFT_DOUBLE);
        jg_thrift_put_double(out, value->u.d);
        break;
    case JAEGER_VALUE_BYTES:
        put_i32(out, last, 2, V_BINARY);
        put_str(out, last, 7, value->u.s);
        break;
    case JAEGER_VALUE_ARRAY:
    case JAEGER_VALUE_MAP:
        put_i32(out, last, 2, V_STRING);
        put_rendered(out, last, value);
        break;
    default:
        put_i32(out, last, 2, V_STRING);
        put_str(out, last, 3, value->u.s);
        break;
    }
}

static void put_tags(jg_thrift_out *out, int16_t *last, int16_t id, jg_v1_tags tags)
{
    jg_v1_tags counted = tags;
    jaeger_attr attr;
    uint32_t count = 0;
    while (jg_v1_next(&counted, &attr))
        count++;
    put_list(out, last, id, count);
    while (jg_v1_next(&tags, &attr)) {
        int16_t inner = 0;
        put_str(out, &inner, 1, attr.key);
        put_value(out, &inner, &attr.value);
        jg_thrift_put_stop(out);
    }
}

static void put_refs(jg_thrift_out *out, int16_t *last, const jaeger_span *span)
{
    jg_v1_refs refs = jg_v1_span_refs(span), counted = refs;
    jg_v1_ref ref;
    uint32_t count = 0;
    while (jg_v1_next_ref(&counted, &ref))
        count++;
    if (!count)
        return;
    put_list(out, last, 6, count);
    while (jg_v1_next_ref(&refs, &ref)) {
        int16_t inner = 0;
        put_i32(out, &inner, 1, ref.follows_from);
        put_i64(out, &inner, 2, number_of(ref.trace_id + 8));
        put_i64(out, &inner, 3, number_of(ref.trace_id));
        put_i64(out, &inner, 4, number_of(ref.span_id));
        jg_thrift_put_stop(out);
    }
}

static void put_logs(jg_thrift_out *out, int16_t *last, const jaeger_span *span)
{
    jaeger_iter events = jaeger_span_events(span), counted = events;
    jaeger_event event;
    uint32_t count = 0;
    while (jaeger_next_event(&counted, &event))
        count++;
    if (!count)
        return;
    put_list(out, last, 11, count);
    while (jaeger_next_event(&events, &event)) {
        int16_t inner = 0;
        put_i64(out, &inner, 1, (int64_t)event.time_unix_ns / 1000);
        put_tags(out, &inner, 2, jg_v1_log_fields(&event));
        jg_thrift_put_stop(out);
    }
}

static void put_span(jg_thrift_out *out, const jaeger_span *span)
{
    int16_t last = 0;
    put_i64(out, &last, 1, number_of(span->trace_id + 8));
    put_i64(out, &last, 2, number_of(span->trace_id));
    put_i64(out, &last, 3, number_of(span->span_id));
    put_i64(out, &last, 4, number_of(span->parent_span_id));
    put_str(out, &last, 5, span->name);
    put_refs(out, &last, span);
    put_i32(out, &last, 7, 0);
    put_i64(out, &last, 8, (int64_t)span->start_unix_ns / 1000);
    put_i64(out, &last, 9, jg_v1_duration_ns(span) / 1000);
    put_tags(out, &last, 10, jg_v1_span_tags(span, JG_V1_TRANSLATOR));
    put_logs(out, &last, span);
    jg_thrift_put_stop(out);
}

static void put_process(jg_thrift_out *out, const jaeger_span_group *group)
{
    int16_t last = 0;
    put_str(out, &last, 1, jg_v1_service(group));
    put_tags(out, &last, 2, jg_v1_process_tags(group));
    jg_thrift_put_stop(out);
}

size_t jg_jaeger_thrift_write(jg_thrift_out *out, const jaeger_batch *batch, size_t from)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t count = jaeger_batch_span_count(batch), end = from;
    int16_t last = 0;
    if (from >= count)
        return count;
    while (end < count && spans[end].group->resource_index == spans[from].group->resource_index)
        end++;
    jg_thrift_put_field(out, &last, 1, JG_THRIFT_STRUCT);
    put_process(out, spans[from].group);
    put_list(out, &last, 2, (uint32_t)(end - from));
    for (size_t i = from; i < end; i++)
        put_span(out, &spans[i]);
    jg_thrift_put_stop(out);
    return end;
}
