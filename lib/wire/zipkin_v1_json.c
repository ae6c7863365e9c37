/* SPDX-License-Identifier: Apache-2.0
 * Reads Zipkin v1 JSON. See zipkin_v1.h.
 * Spec: https://zipkin.io/zipkin-api/zipkin-api.yaml.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "wire/zipkin.h"
#include "wire/zipkin_json.h"
#include "wire/zipkin_model.h"
#include "wire/zipkin_v1.h"

typedef struct reader {
    jg_jaeger_in model;
    bool parse_string_tags;
    uint64_t now;
} reader;

static bool read_text(reader *r, jg_json_in *in, jaeger_str *ret)
{
    return jg_zipkin_json_text(in, r->model.arena, ret);
}

static bool read_endpoint(reader *r, jg_json_in *in, jg_zipkin_v1_endpoint *ret)
{
    jg_json_text key;
    int64_t port;
    *ret = (jg_zipkin_v1_endpoint){0};
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_member(in, &key)) {
        bool ok;
        if (jg_zipkin_json_is(&key, "serviceName")) {
            ok = read_text(r, in, &ret->service);
        } else if (jg_zipkin_json_is(&key, "ipv4")) {
            ok = read_text(r, in, &ret->ipv4);
        } else if (jg_zipkin_json_is(&key, "ipv6")) {
            ok = read_text(r, in, &ret->ipv6);
        } else if (jg_zipkin_json_is(&key, "port")) {
            ok = jg_json_in_i64(in, false, &port) &&
                 (port >= INT32_MIN && port <= INT32_MAX ? true : jg_json_in_fail(in, "port out of range"));
            ret->port = ok ? (int32_t)port : 0;
        } else {
            ok = jg_json_in_skip(in);
        }
        if (!ok)
            return false;
    }
    return !in->fault;
}

static bool read_note(reader *r, jg_json_in *in, jg_zipkin_v1_span *span)
{
    jg_zipkin_v1_endpoint endpoint;
    jg_json_text key;
    int64_t time = 0;
    jaeger_str value = JAEGER_STR("");
    bool has_endpoint = false;
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_member(in, &key)) {
        bool is_endpoint = jg_zipkin_json_is(&key, "endpoint");
        bool ok = is_endpoint                            ? read_endpoint(r, in, &endpoint)
                  : jg_zipkin_json_is(&key, "timestamp") ? jg_json_in_i64(in, false, &time)
                  : jg_zipkin_json_is(&key, "value")     ? read_text(r, in, &value)
                                                         : jg_json_in_skip(in);
        if (!ok)
            return false;
        has_endpoint |= is_endpoint;
    }
    jg_zipkin_v1_note(&r->model, span, time, value, has_endpoint ? &endpoint : NULL);
    return !in->fault;
}

static void set_value(reader *r, jg_jaeger_tag *tag, jaeger_str text)
{
    jaeger_value value = r->parse_string_tags ? jg_zipkin_parse_value(text)
                                              : (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = text};
    tag->type = value.type == JAEGER_VALUE_INT      ? JG_JAEGER_INT64
                : value.type == JAEGER_VALUE_DOUBLE ? JG_JAEGER_FLOAT64
                : value.type == JAEGER_VALUE_BOOL   ? JG_JAEGER_BOOL
                                                    : JG_JAEGER_STRING;
    if (tag->type == JG_JAEGER_INT64)
        tag->u.i = value.u.i;
    else if (tag->type == JG_JAEGER_FLOAT64)
        tag->u.d = value.u.d;
    else if (tag->type == JG_JAEGER_BOOL)
        tag->u.b = value.u.b;
    else
        tag->u.s = value.u.s;
}

static bool read_binary(reader *r, jg_json_in *in, jg_zipkin_v1_span *span)
{
    jg_zipkin_v1_endpoint endpoint = {0};
    jg_json_text key;
    jaeger_str value = JAEGER_STR("");
    jg_jaeger_tag *tag = jg_jaeger_add(&r->model, &r->model.tags);
    if (!tag)
        return jg_json_in_fail(in, jg_zipkin_no_memory);
    if (!jg_json_in_object(in))
        return false;
    tag->key = JAEGER_STR("");
    while (jg_json_in_member(in, &key)) {
        bool ok = jg_zipkin_json_is(&key, "endpoint") ? read_endpoint(r, in, &endpoint)
                  : jg_zipkin_json_is(&key, "key")    ? read_text(r, in, &tag->key)
                  : jg_zipkin_json_is(&key, "value")  ? read_text(r, in, &value)
                                                      : jg_json_in_skip(in);
        if (!ok)
            return false;
    }
    if (endpoint.service.len)
        span->fallback = endpoint.service;
    set_value(r, tag, value);
    jg_zipkin_v1_binary(&r->model, span, value);
    return !in->fault;
}

static bool read_items(reader *r, jg_json_in *in, jg_zipkin_v1_span *span,
                       bool (*read)(reader *r, jg_json_in *in, jg_zipkin_v1_span *span))
{
    if (!jg_json_in_array(in))
        return false;
    while (jg_json_in_item(in))
        if (jg_json_in_peek(in) == JG_JSON_NULL ? !jg_json_in_null(in) : !read(r, in, span))
            return false;
    return !in->fault;
}

/** The texts of the three ids; they are decoded when the span is complete. */
typedef struct id_texts {
    jaeger_str trace, span, parent;
} id_texts;

static bool read_member(reader *r, jg_json_in *in, const jg_json_text *key, jg_zipkin_v1_span *span,
                        id_texts *ids)
{
    if (jg_zipkin_json_is(key, "traceId"))
        return read_text(r, in, &ids->trace);
    if (jg_zipkin_json_is(key, "id"))
        return read_text(r, in, &ids->span);
    if (jg_zipkin_json_is(key, "parentId"))
        return read_text(r, in, &ids->parent);
    if (jg_zipkin_json_is(key, "name"))
        return read_text(r, in, &span->name);
    if (jg_zipkin_json_is(key, "timestamp"))
        return jg_json_in_i64(in, false, &span->time_us);
    if (jg_zipkin_json_is(key, "duration"))
        return jg_json_in_i64(in, false, &span->duration_us);
    if (jg_zipkin_json_is(key, "annotations"))
        return read_items(r, in, span, read_note);
    if (jg_zipkin_json_is(key, "binaryAnnotations"))
        return read_items(r, in, span, read_binary);
    return jg_json_in_skip(in);
}

static const char *set_ids(jg_zipkin_v1_span *span, const id_texts *ids)
{
    if (ids->trace.len != 16 && ids->trace.len != 32)
        return "zipkinV1 span traceId: hex traceId span has wrong length (expected 16 or 32)";
    if (!jg_zipkin_hex_id(ids->trace, span->trace_id, 16) || jg_id_is_zero(span->trace_id, 16))
        return "zipkinV1 span traceId: not hex, or zero";
    if (ids->span.len != 16)
        return "zipkinV1 span id: hex Id has wrong length (expected 16)";
    if (!jg_zipkin_hex_id(ids->span, span->id, 8) || jg_id_is_zero(span->id, 8))
        return "zipkinV1 span id: not hex, or zero";
    if (ids->parent.len == 0)
        return NULL;
    if (ids->parent.len != 16)
        return "zipkinV1 span parentId: hex Id has wrong length (expected 16)";
    if (!jg_zipkin_hex_id(ids->parent, span->parent_id, 8) || jg_id_is_zero(span->parent_id, 8))
        return "zipkinV1 span parentId: not hex, or zero";
    return NULL;
}

static bool read_span(void *self, jg_json_in *in)
{
    reader *r = self;
    jg_zipkin_v1_span span;
    id_texts ids = {0};
    jg_json_text key;
    if (!jg_json_in_object(in))
        return false;
    jg_zipkin_v1_begin(&r->model, &span);
    while (jg_json_in_member(in, &key))
        if (!read_member(r, in, &key, &span, &ids))
            return false;
    if (in->fault)
        return false;
    const char *fault = set_ids(&span, &ids);
    if (fault)
        return jg_json_in_fail(in, fault);
    span.has_time = span.time_us != 0;
    jg_zipkin_v1_end(&r->model, &span, r->now);
    return true;
}

jaeger_status jg_zipkin_v1_json_to_batch(jaeger_str bytes, bool parse_string_tags, jaeger_batch **ret,
                                         jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(bytes);
    reader r = {.parse_string_tags = parse_string_tags, .now = jg_clock_unix_ns()};
    jaeger_status status;
    jg_jaeger_in_init(&r.model, bytes.len, false);
    bool ok = !r.model.groups.failed && jg_zipkin_json_list(&in, read_span, &r);
    r.model.groups.failed |= in.fault == jg_zipkin_no_memory;
    if (!ok && !r.model.groups.failed)
        status = jg_fail(err, JAEGER_INVALID_ARGUMENT, "zipkinv1: %s at byte %zu", in.fault,
                         jg_json_in_offset(&in));
    else
        status = jg_span_groups_finish(&r.model.groups, ret, err);
    jg_jaeger_in_done(&r.model);
    return status;
}
