/* SPDX-License-Identifier: Apache-2.0
 * Reads Zipkin v2 JSON; v1 is in zipkin_v1_json.c, the writer in zipkin_json_write.c.
 * Spec: https://zipkin.io/zipkin-api/zipkin2-api.yaml; what zipkin-go's model accepts.
 */
#include "wire/zipkin_json.h"

#include "core/err.h"
#include "core/str.h"
#include "wire/zipkin.h"
#include "wire/zipkin_model.h"

const char jg_zipkin_no_memory[] = "out of memory";

bool jg_zipkin_json_text(jg_json_in *in, jaeger_arena *arena, jaeger_str *ret)
{
    jg_json_text text;
    *ret = JAEGER_STR("");
    if (jg_json_in_peek(in) == JG_JSON_NULL)
        return jg_json_in_null(in);
    if (!jg_json_in_str(in, &text))
        return false;
    *ret = text.raw;
    if (!text.escaped)
        return true;
    char *plain = jaeger_arena_alloc(arena, text.raw.len);
    if (!plain)
        return jg_json_in_fail(in, jg_zipkin_no_memory);
    *ret = (jaeger_str){plain, jg_json_in_unescape(text.raw, plain)};
    return true;
}

bool jg_zipkin_hex_id(jaeger_str text, uint8_t *ret, size_t n)
{
    char padded[32];
    if (text.len == 0 || text.len > 2 * n)
        return false;
    memset(padded, '0', 2 * n - text.len);
    memcpy(padded + 2 * n - text.len, text.ptr, text.len);
    return jg_hex_decode((jaeger_str){padded, 2 * n}, ret, n);
}

bool jg_zipkin_json_is(const jg_json_text *key, const char *name)
{
    return jg_json_in_is(*key, jg_str(name));
}

bool jg_zipkin_json_list(jg_json_in *in, bool (*read)(void *self, jg_json_in *in), void *self)
{
    if (!jg_json_in_array(in))
        return false;
    while (jg_json_in_item(in))
        if (jg_json_in_peek(in) == JG_JSON_NULL ? !jg_json_in_null(in) : !read(self, in))
            return false;
    return jg_json_in_end(in);
}

/** An id that is written in hex. */
static bool read_id(jg_json_in *in, uint8_t *ret, size_t n, const char *fault)
{
    jg_json_text text;
    if (!jg_json_in_str(in, &text))
        return false;
    return jg_zipkin_hex_id(text.raw, ret, n) ? true : jg_json_in_fail(in, fault);
}

/** Span ids may be empty: zero. */
static bool read_span_id(jg_json_in *in, uint8_t ret[8])
{
    jg_json_text text;
    memset(ret, 0, 8);
    if (!jg_json_in_str(in, &text))
        return false;
    return text.raw.len == 0 || jg_zipkin_hex_id(text.raw, ret, 8) ? true
                                                                   : jg_json_in_fail(in, "invalid span id");
}

/** An address, printed as Go would print it. */
static bool read_address(jg_zipkin_in *model, jg_json_in *in, jaeger_str *ret)
{
    jaeger_str text;
    uint8_t bytes[16];
    size_t len;
    *ret = (jaeger_str){0};
    if (!jg_zipkin_json_text(in, model->arena, &text))
        return false;
    if (text.len == 0)
        return true;
    if (!jg_zipkin_ip_parse(text, bytes, &len))
        return jg_json_in_fail(in, "invalid IP address");
    *ret = jg_zipkin_ip_text(model->arena, (jaeger_str){(const char *)bytes, len});
    return ret->ptr ? true : jg_json_in_fail(in, jg_zipkin_no_memory);
}

static bool read_endpoint(jg_zipkin_in *model, jg_json_in *in, jg_zipkin_endpoint *ret)
{
    jg_json_text key;
    uint64_t port;
    *ret = (jg_zipkin_endpoint){0};
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_member(in, &key)) {
        bool ok;
        if (jg_zipkin_json_is(&key, "serviceName")) {
            ok = jg_zipkin_json_text(in, model->arena, &ret->service);
        } else if (jg_zipkin_json_is(&key, "ipv4")) {
            ok = read_address(model, in, &ret->ipv4);
        } else if (jg_zipkin_json_is(&key, "ipv6")) {
            ok = read_address(model, in, &ret->ipv6);
        } else if (jg_zipkin_json_is(&key, "port")) {
            ok = jg_json_in_u64(in, false, &port) &&
                 (port <= UINT16_MAX ? true : jg_json_in_fail(in, "port out of range"));
            ret->port = ok ? (uint16_t)port : 0;
        } else {
            ok = jg_json_in_skip(in);
        }
        if (!ok)
            return false;
    }
    return !in->fault;
}

static bool read_notes(jg_zipkin_in *model, jg_json_in *in)
{
    jg_json_text key;
    model->note_count = 0;
    if (!jg_json_in_array(in))
        return false;
    while (jg_json_in_item(in)) {
        jg_zipkin_note *note = jg_zipkin_add_note(model);
        if (!note)
            return jg_json_in_fail(in, jg_zipkin_no_memory);
        note->value = JAEGER_STR("");
        if (!jg_json_in_object(in))
            return false;
        while (jg_json_in_member(in, &key)) {
            bool ok = jg_zipkin_json_is(&key, "timestamp") ? jg_json_in_u64(in, false, &note->time_us)
                      : jg_zipkin_json_is(&key, "value") ? jg_zipkin_json_text(in, model->arena, &note->value)
                                                         : jg_json_in_skip(in);
            if (!ok)
                return false;
        }
        if (!in->fault && note->time_us == 0)
            return jg_json_in_fail(in, "valid annotation timestamp required");
    }
    return !in->fault;
}

static bool read_tags(jg_zipkin_in *model, jg_json_in *in)
{
    jg_json_text key;
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_key(in, &key)) {
        jg_zipkin_tag *tag = jg_zipkin_add_tag(model);
        if (!tag)
            return jg_json_in_fail(in, jg_zipkin_no_memory);
        tag->key = key.raw;
        if (key.escaped) {
            char *plain = jaeger_arena_alloc(model->arena, key.raw.len);
            if (!plain)
                return jg_json_in_fail(in, jg_zipkin_no_memory);
            tag->key = (jaeger_str){plain, jg_json_in_unescape(key.raw, plain)};
        }
        if (!jg_zipkin_json_text(in, model->arena, &tag->value))
            return false;
    }
    return !in->fault;
}

static bool read_kind(jg_zipkin_in *model, jg_json_in *in, uint32_t *ret)
{
    jaeger_str name;
    if (!jg_zipkin_json_text(in, model->arena, &name))
        return false;
    *ret = jg_str_is(name, "CLIENT")     ? JAEGER_KIND_CLIENT
           : jg_str_is(name, "SERVER")   ? JAEGER_KIND_SERVER
           : jg_str_is(name, "PRODUCER") ? JAEGER_KIND_PRODUCER
           : jg_str_is(name, "CONSUMER") ? JAEGER_KIND_CONSUMER
                                         : JAEGER_KIND_UNSPECIFIED;
    return true;
}

static bool read_member(jg_zipkin_in *model, jg_json_in *in, const jg_json_text *key, jg_zipkin_span *span)
{
    if (jg_zipkin_json_is(key, "traceId"))
        return read_id(in, span->trace_id, 16, "valid traceId required");
    if (jg_zipkin_json_is(key, "id"))
        return read_span_id(in, span->id);
    if (jg_zipkin_json_is(key, "parentId"))
        return read_span_id(in, span->parent_id);
    if (jg_zipkin_json_is(key, "name"))
        return jg_zipkin_json_text(in, model->arena, &span->name);
    if (jg_zipkin_json_is(key, "kind"))
        return read_kind(model, in, &span->kind);
    if (jg_zipkin_json_is(key, "timestamp"))
        return jg_json_in_u64(in, false, &span->time_us);
    if (jg_zipkin_json_is(key, "duration"))
        return jg_json_in_u64(in, false, &span->duration_us);
    if (jg_zipkin_json_is(key, "localEndpoint"))
        return read_endpoint(model, in, &span->local);
    if (jg_zipkin_json_is(key, "remoteEndpoint"))
        return read_endpoint(model, in, &span->remote);
    if (jg_zipkin_json_is(key, "annotations"))
        return read_notes(model, in);
    if (jg_zipkin_json_is(key, "tags"))
        return read_tags(model, in);
    return jg_json_in_skip(in); /* debug and shared have no place in OTLP */
}

static bool read_span(void *self, jg_json_in *in)
{
    jg_zipkin_in *model = self;
    jg_zipkin_span span = {.name = JAEGER_STR("")};
    jg_json_text key;
    model->tag_count = model->note_count = 0;
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_member(in, &key))
        if (!read_member(model, in, &key, &span))
            return false;
    if (in->fault)
        return false;
    if (jg_id_is_zero(span.id, 8))
        return jg_json_in_fail(in, "valid span id required");
    span.has_time = span.time_us > 0;
    const char *fault = jg_zipkin_write_span(model, &span);
    return fault ? jg_json_in_fail(in, fault) : true;
}

jaeger_status jg_zipkin_v2_json_to_batch(jaeger_str bytes, bool parse_string_tags, jaeger_batch **ret,
                                         jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(bytes);
    jg_zipkin_in model;
    jaeger_status status;
    jg_zipkin_in_init(&model, bytes.len, parse_string_tags);
    bool ok = !model.groups.failed && jg_zipkin_json_list(&in, read_span, &model);
    model.groups.failed |= in.fault == jg_zipkin_no_memory;
    if (!ok && !model.groups.failed)
        status = jg_fail(err, JAEGER_INVALID_ARGUMENT, "Zipkin JSON: %s at byte %zu", in.fault,
                         jg_json_in_offset(&in));
    else
        status = jg_span_groups_finish(&model.groups, ret, err);
    jg_zipkin_in_done(&model);
    return status;
}
