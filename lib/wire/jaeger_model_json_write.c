/* SPDX-License-Identifier: Apache-2.0
 * Writes Kafka's jaeger_json; the reader is in jaeger_model_json.c.
 */
#include "core/str.h"
#include "model/value_text.h"
#include "wire/jaeger_model_json.h"
#include "wire/rfc3339.h"
#include "wire/v1_tags.h"

static void write_id(jg_json_out *json, const uint8_t *id, size_t n)
{
    jg_json_base64(json, (jaeger_str){(const char *)id, n});
}

/** A number to gogo, so that zero is left out; a trace id is a struct and always there. */
static void write_span_id(jg_json_out *json, const uint8_t *id)
{
    if (jg_id_is_zero(id, 8))
        return;
    jg_json_key_lit(json, "spanId");
    write_id(json, id, 8);
}

static void write_time(jg_json_out *json, uint64_t unix_ns)
{
    char text[40];
    int64_t time = (int64_t)unix_ns, s = time / 1000000000, ns = time % 1000000000;
    if (ns < 0) {
        s--;
        ns += 1000000000;
    }
    jg_json_str(json, (jaeger_str){text, jg_rfc3339_format(s, (uint32_t)ns, text)});
}

static void write_typed(jg_json_out *json, const char *type, const char *key)
{
    jg_json_key_lit(json, "vType");
    jg_json_str(json, jg_str(type));
    if (key)
        jg_json_key(json, jg_str(key));
}

/** Zero values are left out. */
static void write_value(jg_json_out *json, const jaeger_value *value)
{
    switch (value->type) {
    case JAEGER_VALUE_BOOL:
        write_typed(json, "BOOL", value->u.b ? "vBool" : NULL);
        if (value->u.b)
            jg_json_bool(json, true);
        break;
    case JAEGER_VALUE_INT:
        write_typed(json, "INT64", value->u.i ? "vInt64" : NULL);
        if (value->u.i)
            jg_json_i64_str(json, value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        write_typed(json, "FLOAT64", value->u.d != 0 ? "vFloat64" : NULL);
        if (value->u.d != 0)
            jg_json_double(json, value->u.d, 1);
        break;
    case JAEGER_VALUE_BYTES:
        write_typed(json, "BINARY", value->u.s.len ? "vBinary" : NULL);
        if (value->u.s.len)
            jg_json_base64(json, value->u.s);
        break;
    default:
        if (value->u.s.len) {
            jg_json_key_lit(json, "vStr");
            jg_json_str(json, value->u.s);
        }
        break;
    }
}

static void write_tag(jg_json_out *json, const jaeger_attr *attr)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(json->buf->max);
    jaeger_value value = attr->value;
    jg_json_object(json);
    if (attr->key.len) {
        jg_json_key_lit(json, "key");
        jg_json_str(json, attr->key);
    }
    if (value.type == JAEGER_VALUE_ARRAY || value.type == JAEGER_VALUE_MAP) {
        jg_value_text(&text, &value);
        json->buf->failed |= text.failed;
        value = (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = jg_buf_view(&text)};
    }
    write_value(json, &value);
    jg_json_end(json);
}

/** @param always print an empty list, too */
static void write_tags(jg_json_out *json, jaeger_str key, jg_v1_tags tags, bool always)
{
    jaeger_attr attr;
    bool more = jg_v1_next(&tags, &attr);
    if (!more && !always)
        return;
    jg_json_key(json, key);
    jg_json_array(json);
    for (; more; more = jg_v1_next(&tags, &attr))
        write_tag(json, &attr);
    jg_json_end(json);
}

static void write_refs(jg_json_out *json, const jaeger_span *span)
{
    jg_v1_refs refs = jg_v1_span_refs(span);
    jg_v1_ref ref;
    bool more = jg_v1_next_ref(&refs, &ref);
    if (!more)
        return;
    jg_json_key_lit(json, "references");
    jg_json_array(json);
    for (; more; more = jg_v1_next_ref(&refs, &ref)) {
        jg_json_object(json);
        jg_json_key_lit(json, "traceId");
        write_id(json, ref.trace_id, 16);
        write_span_id(json, ref.span_id);
        if (ref.follows_from) {
            jg_json_key_lit(json, "refType");
            jg_json_str(json, JAEGER_STR("FOLLOWS_FROM"));
        }
        jg_json_end(json);
    }
    jg_json_end(json);
}

static void write_logs(jg_json_out *json, const jaeger_span *span)
{
    jaeger_iter events = jaeger_span_events(span);
    jaeger_event event;
    bool more = jaeger_next_event(&events, &event);
    if (!more)
        return;
    jg_json_key_lit(json, "logs");
    jg_json_array(json);
    for (; more; more = jaeger_next_event(&events, &event)) {
        jg_json_object(json);
        jg_json_key_lit(json, "timestamp");
        write_time(json, event.time_unix_ns);
        write_tags(json, JAEGER_STR("fields"), jg_v1_log_fields(&event), true);
        jg_json_end(json);
    }
    jg_json_end(json);
}

void jg_jaeger_model_json_write(jg_json_out *json, const jaeger_span *span)
{
    char text[40];
    jaeger_str service = jg_v1_service(span->group);
    jg_json_object(json);
    jg_json_key_lit(json, "traceId");
    write_id(json, span->trace_id, 16);
    write_span_id(json, span->span_id);
    if (span->name.len) {
        jg_json_key_lit(json, "operationName");
        jg_json_str(json, span->name);
    }
    write_refs(json, span);
    jg_json_key_lit(json, "startTime");
    write_time(json, span->start_unix_ns);
    if (jg_v1_duration_ns(span)) {
        jg_json_key_lit(json, "duration");
        jg_json_str(json, (jaeger_str){text, jg_duration_format(jg_v1_duration_ns(span), text)});
    }
    write_tags(json, JAEGER_STR("tags"), jg_v1_span_tags(span, JG_V1_TRANSLATOR), false);
    write_logs(json, span);
    jg_json_key_lit(json, "process");
    jg_json_object(json);
    if (service.len) {
        jg_json_key_lit(json, "serviceName");
        jg_json_str(json, service);
    }
    write_tags(json, JAEGER_STR("tags"), jg_v1_process_tags(span->group), false);
    jg_json_end(json);
    jg_json_end(json);
}
