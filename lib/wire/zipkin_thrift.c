/* SPDX-License-Identifier: Apache-2.0
 * Reads a list of zipkincore.Span in TBinary. See zipkin_v1.h.
 * Spec: https://github.com/openzipkin/zipkin-api/blob/master/thrift/zipkinCore.thrift.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "wire/thrift.h"
#include "wire/zipkin.h"
#include "wire/zipkin_model.h"
#include "wire/zipkin_v1.h"

/* AnnotationType. */
enum { T_BOOL, T_BYTES, T_I16, T_I32, T_I64, T_DOUBLE, T_STRING };

static void put_id(uint8_t out[8], int64_t id)
{
    for (int i = 7; i >= 0; i--, id = (int64_t)((uint64_t)id >> 8))
        out[i] = (uint8_t)id;
}

static bool read_endpoint(jg_thrift *in, jg_jaeger_in *model, jg_zipkin_v1_endpoint *ret)
{
    int16_t last = 0, port = 0;
    int32_t ipv4 = 0;
    jaeger_str ipv6 = {0};
    jg_thrift_field f;
    *ret = (jg_zipkin_v1_endpoint){0};
    while (jg_thrift_next(in, &last, &f)) {
        bool ok = f.id == 1 && f.type == JG_THRIFT_I32      ? jg_thrift_i32(in, &ipv4)
                  : f.id == 2 && f.type == JG_THRIFT_I16    ? jg_thrift_i16(in, &port)
                  : f.id == 3 && f.type == JG_THRIFT_STRING ? jg_thrift_str(in, &ret->service)
                  : f.id == 4 && f.type == JG_THRIFT_STRING ? jg_thrift_str(in, &ipv6)
                                                            : jg_thrift_skip(in, &f);
        if (!ok)
            return false;
    }
    uint8_t bytes[4] = {(uint8_t)((uint32_t)ipv4 >> 24), (uint8_t)((uint32_t)ipv4 >> 16),
                        (uint8_t)((uint32_t)ipv4 >> 8), (uint8_t)ipv4};
    if (ipv4)
        ret->ipv4 = jg_zipkin_ip_text(model->arena, (jaeger_str){(const char *)bytes, 4});
    if (ipv6.len)
        ret->ipv6 = jg_zipkin_ip_text(model->arena, ipv6);
    ret->port = port;
    return !in->fault;
}

static bool read_note(jg_thrift *in, jg_jaeger_in *model, jg_zipkin_v1_span *span)
{
    int16_t last = 0;
    int64_t time = 0;
    jaeger_str value = JAEGER_STR("");
    jg_zipkin_v1_endpoint endpoint;
    bool has_endpoint = false;
    jg_thrift_field f;
    while (jg_thrift_next(in, &last, &f)) {
        bool is_endpoint = f.id == 3 && f.type == JG_THRIFT_STRUCT;
        bool ok = is_endpoint                               ? read_endpoint(in, model, &endpoint)
                  : f.id == 1 && f.type == JG_THRIFT_I64    ? jg_thrift_i64(in, &time)
                  : f.id == 2 && f.type == JG_THRIFT_STRING ? jg_thrift_str(in, &value)
                                                            : jg_thrift_skip(in, &f);
        if (!ok)
            return false;
        has_endpoint |= is_endpoint;
    }
    jg_zipkin_v1_note(model, span, time, value, has_endpoint ? &endpoint : NULL);
    return !in->fault;
}

/** The first `n` bytes, most significant first; whole numbers are read as unsigned, as the Collector does. */
static bool number(jaeger_str bytes, size_t n, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < n && bytes.len >= n; i++)
        *ret = *ret << 8 | (uint8_t)bytes.ptr[i];
    return bytes.len >= n;
}

static jaeger_str base64(jg_jaeger_in *model, jaeger_str bytes)
{
    size_t len = jg_base64_size(bytes.len);
    char *text = jaeger_arena_alloc(model->arena, len ? len : 1);
    if (!text) {
        model->groups.failed = true;
        return (jaeger_str){0};
    }
    jg_base64_encode((const uint8_t *)bytes.ptr, bytes.len, text);
    return (jaeger_str){text, len};
}

static void set_value(jg_jaeger_in *model, jg_jaeger_tag *tag, int32_t type, jaeger_str value)
{
    static const uint8_t sizes[] = {[T_I16] = 2, [T_I32] = 4, [T_I64] = 8, [T_DOUBLE] = 8};
    uint64_t bits;
    tag->type = JG_JAEGER_STRING;
    switch (type) {
    case T_BOOL:
        tag->type = JG_JAEGER_BOOL;
        tag->u.b = value.len == 1 && value.ptr[0] == 1;
        break;
    case T_BYTES:
        tag->u.s = base64(model, value);
        break;
    case T_I16:
    case T_I32:
    case T_I64:
    case T_DOUBLE:
        if (!number(value, sizes[type], &bits)) {
            tag->u.s = JAEGER_STR("<not enough bytes representing the number>");
        } else if (type == T_DOUBLE) {
            tag->type = JG_JAEGER_FLOAT64;
            memcpy(&tag->u.d, &bits, 8);
        } else {
            tag->type = JG_JAEGER_INT64;
            tag->u.i = (int64_t)bits;
        }
        break;
    case T_STRING:
        tag->u.s = value;
        break;
    default:
        tag->u.s = jg_arena_printf(model->arena, "<unknown zipkin v1 binary annotation type (%d)>", type);
        model->groups.failed |= !tag->u.s.ptr;
        break;
    }
}

static bool read_binary(jg_thrift *in, jg_jaeger_in *model, jg_zipkin_v1_span *span)
{
    int16_t last = 0;
    int32_t type = 0;
    jaeger_str value = JAEGER_STR("");
    jg_zipkin_v1_endpoint endpoint;
    jg_thrift_field f;
    jg_jaeger_tag *tag = jg_jaeger_add(model, &model->tags);
    if (!tag)
        return jg_thrift_fail(in, "out of memory");
    tag->key = JAEGER_STR("");
    while (jg_thrift_next(in, &last, &f)) {
        bool is_endpoint = f.id == 4 && f.type == JG_THRIFT_STRUCT;
        bool ok = is_endpoint                               ? read_endpoint(in, model, &endpoint)
                  : f.id == 1 && f.type == JG_THRIFT_STRING ? jg_thrift_str(in, &tag->key)
                  : f.id == 2 && f.type == JG_THRIFT_STRING ? jg_thrift_str(in, &value)
                  : f.id == 3 && f.type == JG_THRIFT_I32    ? jg_thrift_i32(in, &type)
                                                            : jg_thrift_skip(in, &f);
        if (!ok)
            return false;
        if (is_endpoint)
            span->fallback = endpoint.service; /* even if it has no name */
    }
    set_value(model, tag, type, value);
    jg_zipkin_v1_binary(model, span, value);
    return !in->fault;
}

static bool read_items(jg_thrift *in, jg_jaeger_in *model, jg_zipkin_v1_span *span,
                       bool (*read)(jg_thrift *in, jg_jaeger_in *model, jg_zipkin_v1_span *span))
{
    uint8_t type;
    uint32_t count;
    if (!jg_thrift_list(in, &type, &count))
        return false;
    if (count && type != JG_THRIFT_STRUCT)
        return jg_thrift_fail(in, "list of something else than structs");
    for (uint32_t i = 0; i < count; i++)
        if (!read(in, model, span))
            return false;
    return true;
}

static bool read_span(jg_thrift *in, jg_jaeger_in *model)
{
    int16_t last = 0;
    int64_t trace_low = 0, trace_high = 0, id = 0, parent = 0;
    jg_zipkin_v1_span span;
    jg_thrift_field f;
    jg_zipkin_v1_begin(model, &span);
    while (jg_thrift_next(in, &last, &f)) {
        bool is_i64 = f.type == JG_THRIFT_I64, is_list = f.type == JG_THRIFT_LIST;
        bool ok = f.id == 1 && is_i64                       ? jg_thrift_i64(in, &trace_low)
                  : f.id == 3 && f.type == JG_THRIFT_STRING ? jg_thrift_str(in, &span.name)
                  : f.id == 4 && is_i64                     ? jg_thrift_i64(in, &id)
                  : f.id == 5 && is_i64                     ? jg_thrift_i64(in, &parent)
                  : f.id == 6 && is_list                    ? read_items(in, model, &span, read_note)
                  : f.id == 8 && is_list                    ? read_items(in, model, &span, read_binary)
                  : f.id == 10 && is_i64                    ? jg_thrift_i64(in, &span.time_us)
                  : f.id == 11 && is_i64                    ? jg_thrift_i64(in, &span.duration_us)
                  : f.id == 12 && is_i64                    ? jg_thrift_i64(in, &trace_high)
                                                            : jg_thrift_skip(in, &f);
        if (!ok)
            return false;
        span.has_time |= f.id == 10 && is_i64;
    }
    put_id(span.trace_id, trace_high);
    put_id(span.trace_id + 8, trace_low);
    put_id(span.id, id);
    put_id(span.parent_id, parent);
    jg_zipkin_v1_end(model, &span, 0);
    return !in->fault;
}

/** The element type of the list is not looked at. */
static bool read_list(jg_thrift *in, jg_jaeger_in *model)
{
    uint8_t type;
    uint32_t count;
    if (!jg_thrift_list(in, &type, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!read_span(in, model))
            return false;
    return true;
}

jaeger_status jg_zipkin_v1_thrift_to_batch(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    jg_thrift in = jg_thrift_of(JG_THRIFT_BINARY, bytes.ptr, bytes.len);
    JG_AUTO_JAEGER_IN jg_jaeger_in model;
    jg_jaeger_in_init(&model, bytes.len, false);
    if (!model.groups.failed && !read_list(&in, &model) && !model.groups.failed)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "Zipkin Thrift: %s at byte %zu", in.fault,
                       (size_t)(in.pos - in.begin));
    return jg_span_groups_finish(&model.groups, ret, err);
}
