/* SPDX-License-Identifier: Apache-2.0
 * See zipkin_v1.h.
 */
#include "wire/zipkin_v1.h"

#include "core/arena.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "wire/otlp_out.h"

#define UNKNOWN_SERVICE JAEGER_STR("unknown-service")

void jg_zipkin_v1_begin(jg_jaeger_in *in, jg_zipkin_v1_span *span)
{
    *span = (jg_zipkin_v1_span){.name = JAEGER_STR(""), .first_us = INT64_MAX, .last_us = INT64_MIN};
    in->tags.count = 0;
    span->mark = jg_span_groups_begin_span(&in->groups);
}

/** Times before 1970 are none. */
static uint64_t ns_of(int64_t us)
{
    return us <= 0 ? 0 : (uint64_t)us * 1000;
}

/** The kind that a core annotation stands for. @return false: it is none */
static bool core_kind(jaeger_str value, uint32_t *ret)
{
    static const struct {
        char name[3];
        uint32_t kind;
    } kinds[] = {{"cs", JAEGER_KIND_CLIENT}, {"cr", JAEGER_KIND_CLIENT},   {"ss", JAEGER_KIND_SERVER},
                 {"sr", JAEGER_KIND_SERVER}, {"ms", JAEGER_KIND_PRODUCER}, {"mr", JAEGER_KIND_CONSUMER}};
    for (size_t i = 0; i < JG_COUNT(kinds) && value.len == 2; i++)
        if (memcmp(value.ptr, kinds[i].name, 2) == 0) {
            *ret = kinds[i].kind;
            return true;
        }
    return false;
}

void jg_zipkin_v1_note(jg_jaeger_in *in, jg_zipkin_v1_span *span, int64_t time_us, jaeger_str value,
                       const jg_zipkin_v1_endpoint *endpoint)
{
    jg_buf *buf = &in->groups.spans;
    uint32_t kind = JAEGER_KIND_UNSPECIFIED;
    if (value.len == 0)
        return;
    bool is_core = core_kind(value, &kind);
    if (is_core && !span->has_endpoint && endpoint && endpoint->service.len &&
        !jg_str_eq(endpoint->service, UNKNOWN_SERVICE)) {
        span->has_endpoint = true;
        span->endpoint = *endpoint;
    }
    if (is_core && !span->has_kind) {
        span->has_kind = true;
        span->kind = kind;
    }
    span->has_note = true;
    span->first_us = JG_MIN(span->first_us, time_us);
    span->last_us = JG_MAX(span->last_us, time_us);
    if (is_core)
        return;
    size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_EVENTS, 1);
    jg_otlp_time(buf, JG_OTLP_EVENT_TIME, ns_of(time_us));
    jg_otlp_text(buf, JG_OTLP_EVENT_NAME, value);
    jg_pb_end(buf, mark, 1);
}

/** A whole number of 32 bits, also as text. @return false: not one */
static bool code_of(const jg_jaeger_tag *tag, int32_t *ret)
{
    int64_t code;
    if (tag->type == JG_JAEGER_INT64)
        code = tag->u.i;
    else if (tag->type != JG_JAEGER_STRING || !jg_str_to_i64(tag->u.s, &code))
        return false;
    if (code < INT32_MIN || code > INT32_MAX)
        return false;
    *ret = (int32_t)code;
    return true;
}

static void set_code(jg_zipkin_v1_status *status, int32_t code)
{
    status->set = true;
    status->code = code;
}

/** Note what it says of the status. @return true: the tag is dropped */
static bool status_tag(jg_zipkin_v1_span *span, const jg_jaeger_tag *tag)
{
    jaeger_str text = tag->type == JG_JAEGER_STRING ? tag->u.s : JAEGER_STR("");
    int32_t code;
    if (jg_str_is(tag->key, "census.status_code")) {
        if (code_of(tag, &code))
            set_code(&span->census, code == 0 ? JAEGER_STATUS_OK : JAEGER_STATUS_ERROR);
        return true;
    }
    if (jg_str_is(tag->key, "census.status_description") ||
        jg_str_is(tag->key, "opencensus.status_description")) {
        span->census.message = text;
        return true;
    }
    if (jg_str_is(tag->key, "otel.status_code")) {
        if (code_of(tag, &code))
            set_code(&span->status, code);
        return true;
    }
    if (jg_str_is(tag->key, "otel.status_description")) {
        span->status.message = text;
        return true;
    }
    if (jg_str_is(tag->key, "error")) {
        set_code(&span->error, JAEGER_STATUS_ERROR);
        return true;
    }
    if (jg_str_is(tag->key, "http.status_code") || jg_str_is(tag->key, "http.response.status_code")) {
        if (code_of(tag, &code))
            set_code(&span->http, code >= 100 && code < 400 ? JAEGER_STATUS_UNSET : JAEGER_STATUS_ERROR);
    } else if (jg_str_is(tag->key, "http.status_message")) {
        span->http.message = text;
    }
    return false;
}

void jg_zipkin_v1_binary(jg_jaeger_in *in, jg_zipkin_v1_span *span, jaeger_str raw_value)
{
    jg_jaeger_tag *tag = &in->tags.items[in->tags.count - 1];
    if (jg_str_is(tag->key, "lc")) {
        tag->key = JAEGER_STR("component");
        span->component = raw_value;
    }
    if (status_tag(span, tag))
        in->tags.count--;
}

static void write_status(jg_jaeger_in *in, const jg_zipkin_v1_span *span)
{
    jg_zipkin_v1_status s = {0};
    if (span->census.set) {
        s = span->census;
    } else if (span->status.set) {
        s = span->status;
    } else if (span->error.set) {
        s = span->error;
        s.message = span->census.message.len ? span->census.message : span->status.message;
    } else if (span->http.set) {
        s = span->http;
    } else {
        return;
    }
    jg_otlp_status(&in->groups.spans, (uint32_t)s.code, s.message);
}

/** One resource for each endpoint, told apart by all of it. */
static uint32_t resource_of(jg_jaeger_in *in, const jg_zipkin_v1_endpoint *e)
{
    jg_buf *heads = &in->groups.heads;
    bool is_new;
    jaeger_str key = jg_arena_printf(in->arena, "%.*s-%.*s-%.*s-%d", JAEGER_STR_ARGS(e->service),
                                     JAEGER_STR_ARGS(e->ipv4), JAEGER_STR_ARGS(e->ipv6), e->port);
    in->groups.failed |= !key.ptr;
    uint32_t resource = jg_span_groups_resource(&in->groups, key, &is_new);
    if (!is_new)
        return resource;
    size_t mark = jg_span_groups_begin_resource(&in->groups);
    jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, JAEGER_STR("service.name"), e->service);
    if (e->ipv4.len)
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, JAEGER_STR("ipv4"), e->ipv4);
    if (e->ipv6.len)
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, JAEGER_STR("ipv6"), e->ipv6);
    if (e->port) {
        jaeger_str port = jg_arena_printf(in->arena, "%d", e->port);
        in->groups.failed |= !port.ptr;
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, JAEGER_STR("port"), port);
    }
    jg_span_groups_end_resource(&in->groups, resource, mark);
    return resource;
}

static void write_times(jg_jaeger_in *in, const jg_zipkin_v1_span *span, uint64_t now)
{
    uint64_t start = span->has_note ? ns_of(span->first_us) : 0,
             end = span->has_note ? ns_of(span->last_us) : 0;
    if (span->has_time) {
        start = ns_of(span->time_us);
        end = ns_of((int64_t)((uint64_t)span->time_us + (uint64_t)span->duration_us));
    }
    if (start == 0 && now) {
        start = end = now;
        jg_jaeger_tag *tag = jg_jaeger_add(in, &in->tags);
        if (tag) {
            tag->key = JAEGER_STR("otel.zipkin.absentField.startTime");
            tag->type = JG_JAEGER_BOOL;
            tag->u.b = true;
        }
    }
    jg_otlp_time(&in->groups.spans, JG_OTLP_SPAN_START, start);
    jg_otlp_time(&in->groups.spans, JG_OTLP_SPAN_END, end);
}

void jg_zipkin_v1_end(jg_jaeger_in *in, jg_zipkin_v1_span *span, uint64_t now)
{
    jg_buf *buf = &in->groups.spans;
    if (!span->has_endpoint) {
        jaeger_str service = span->fallback.len ? span->fallback : span->component;
        span->endpoint = (jg_zipkin_v1_endpoint){.service = service.len ? service : UNKNOWN_SERVICE};
    }
    jg_otlp_id(buf, JG_OTLP_SPAN_TRACE_ID, span->trace_id, 16);
    jg_otlp_id(buf, JG_OTLP_SPAN_SPAN_ID, span->id, 8);
    jg_otlp_id(buf, JG_OTLP_SPAN_PARENT_SPAN_ID, span->parent_id, 8);
    jg_otlp_text(buf, JG_OTLP_SPAN_NAME, span->name);
    if (span->kind)
        jg_pb_write_varint(buf, JG_OTLP_SPAN_KIND, span->kind);
    write_times(in, span, now);
    write_status(in, span);
    jg_jaeger_write_tags(in, buf, JG_OTLP_SPAN_ATTRIBUTES, &in->tags);
    uint32_t resource = resource_of(in, &span->endpoint);
    uint32_t scope = jg_span_groups_scope(&in->groups, resource, (jaeger_str){0}, (jaeger_str){0});
    jg_span_groups_end_span(&in->groups, scope, span->mark);
}
