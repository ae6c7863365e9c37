/* SPDX-License-Identifier: Apache-2.0
 * Reads jaeger.api_v2; the writer is in jaeger_pb_write.c. See jaeger_pb.h.
 */
#include "wire/jaeger_pb.h"

#include "core/err.h"
#include "core/str.h"
#include "wire/jaeger_fields.h"
#include "wire/jaeger_model.h"
#include "wire/rfc3339.h"

/* Limits that gogoproto enforces on well-known types [s]. */
#define TIME_END_S     INT64_C(253402300800)
#define DURATION_MAX_S INT64_C(315576000000)

typedef struct seconds {
    int64_t s;
    int32_t ns;
} seconds;

/** Timestamp and Duration have the same fields. */
static bool read_seconds(const jg_pb_field *field, seconds *ret)
{
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    *ret = (seconds){0};
    if (field->wire != JG_PB_LEN)
        return false;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 1)
            ret->s = (int64_t)f.varint;
        else if (f.number == 2)
            ret->ns = (int32_t)f.varint;
        if (f.number <= 2 && f.wire != JG_PB_VARINT)
            return false;
    }
    return !pb.bad;
}

static bool read_time(const jg_pb_field *field, uint64_t *ret_unix_ns)
{
    seconds t;
    if (!read_seconds(field, &t) || t.s < JG_GO_ZERO_TIME_S || t.s >= TIME_END_S || t.ns < 0 ||
        t.ns > 999999999)
        return false;
    *ret_unix_ns = (uint64_t)t.s * 1000000000u + (uint64_t)t.ns;
    return true;
}

static bool read_duration(const jg_pb_field *field, int64_t *ret_ns)
{
    seconds d;
    if (!read_seconds(field, &d) || d.s < -DURATION_MAX_S || d.s > DURATION_MAX_S || d.ns < -999999999 ||
        d.ns > 999999999 || (d.s < 0 && d.ns > 0) || (d.s > 0 && d.ns < 0))
        return false;
    return !__builtin_mul_overflow(d.s, INT64_C(1000000000), ret_ns) &&
           !__builtin_add_overflow(*ret_ns, (int64_t)d.ns, ret_ns);
}

static bool read_trace_id(const jg_pb_field *f, uint8_t ret[16])
{
    if (f->wire != JG_PB_LEN || (f->len != 16 && f->len != 8))
        return false;
    memset(ret, 0, 16);
    memcpy(ret + 16 - f->len, f->ptr, f->len);
    return true;
}

static bool read_span_id(const jg_pb_field *f, uint8_t ret[8])
{
    if (f->wire != JG_PB_LEN || f->len != 8)
        return false;
    memcpy(ret, f->ptr, 8);
    return true;
}

typedef struct tag_values {
    jaeger_str text, binary;
    uint64_t integer, number;
    bool flag;
    int32_t type;
} tag_values;

static bool read_tag_field(const jg_pb_field *f, jg_jaeger_tag *tag, tag_values *v)
{
    switch (f->number) {
    case JG_JAEGER_KEY_VALUE_KEY:
        tag->key = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_JAEGER_KEY_VALUE_TYPE:
        v->type = (int32_t)f->varint;
        return f->wire == JG_PB_VARINT;
    case JG_JAEGER_KEY_VALUE_STR:
        v->text = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_JAEGER_KEY_VALUE_BOOL:
        v->flag = f->varint != 0;
        return f->wire == JG_PB_VARINT;
    case JG_JAEGER_KEY_VALUE_INT64:
        v->integer = f->varint;
        return f->wire == JG_PB_VARINT;
    case JG_JAEGER_KEY_VALUE_FLOAT64:
        v->number = f->varint;
        return f->wire == JG_PB_FIXED64;
    case JG_JAEGER_KEY_VALUE_BINARY:
        v->binary = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    default:
        return true;
    }
}

static bool read_tag(const jg_pb_field *field, jg_jaeger_in *model, jg_jaeger_tags *tags)
{
    jg_jaeger_tag *tag = jg_jaeger_add(model, tags);
    tag_values v = {.text = JAEGER_STR(""), .binary = JAEGER_STR("")};
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    if (!tag || field->wire != JG_PB_LEN)
        return false;
    tag->key = JAEGER_STR("");
    while (jg_pb_next(&pb, &f))
        if (!read_tag_field(&f, tag, &v))
            return false;
    tag->type = (jg_jaeger_type)v.type;
    tag->text = v.text;
    if (v.type == JG_JAEGER_STRING)
        tag->u.s = v.text;
    else if (v.type == JG_JAEGER_BINARY)
        tag->u.s = v.binary;
    else if (v.type == JG_JAEGER_BOOL)
        tag->u.b = v.flag;
    else if (v.type == JG_JAEGER_INT64)
        tag->u.i = (int64_t)v.integer;
    else if (v.type == JG_JAEGER_FLOAT64)
        memcpy(&tag->u.d, &v.number, 8);
    else
        jg_jaeger_set_unknown(model, tag, v.type);
    return !pb.bad;
}

static bool read_ref(const jg_pb_field *field, jg_jaeger_in *model)
{
    jg_jaeger_ref *ref = jg_jaeger_add_ref(model);
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    if (!ref || field->wire != JG_PB_LEN)
        return false;
    while (jg_pb_next(&pb, &f)) {
        if ((f.number == JG_JAEGER_REF_TRACE_ID && !read_trace_id(&f, ref->trace_id)) ||
            (f.number == JG_JAEGER_REF_SPAN_ID && !read_span_id(&f, ref->span_id)) ||
            (f.number == JG_JAEGER_REF_TYPE && f.wire != JG_PB_VARINT))
            return false;
        if (f.number == JG_JAEGER_REF_TYPE)
            ref->type = (int32_t)f.varint;
    }
    return !pb.bad;
}

static bool read_log(const jg_pb_field *field, jg_jaeger_in *model)
{
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    uint64_t time = JG_GO_ZERO_TIME_NS;
    if (field->wire != JG_PB_LEN)
        return false;
    model->fields.count = 0;
    while (jg_pb_next(&pb, &f))
        if ((f.number == JG_JAEGER_LOG_TIMESTAMP && !read_time(&f, &time)) ||
            (f.number == JG_JAEGER_LOG_FIELDS && !read_tag(&f, model, &model->fields)))
            return false;
    jg_jaeger_write_log(model, time);
    return !pb.bad;
}

/** Its resource; written when the process was not seen before. `process` with ptr NULL: none. */
static bool resource_of(jg_jaeger_in *model, jaeger_str process, uint32_t *ret)
{
    bool is_new;
    jaeger_str service = {0};
    jg_pb pb = jg_pb_of_str(process);
    jg_pb_field f;
    *ret = jg_span_groups_resource(&model->groups, process, &is_new);
    if (!is_new)
        return true;
    model->fields.count = 0;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_JAEGER_PROCESS_SERVICE)
            service = jg_pb_str(&f);
        if ((f.number == JG_JAEGER_PROCESS_SERVICE && f.wire != JG_PB_LEN) ||
            (f.number == JG_JAEGER_PROCESS_TAGS && !read_tag(&f, model, &model->fields)))
            return false;
    }
    size_t mark = jg_span_groups_begin_resource(&model->groups);
    if (!jg_str_is(service, "OTLPResourceNoServiceName"))
        jg_jaeger_write_process(model, service, &model->fields);
    jg_span_groups_end_resource(&model->groups, *ret, mark);
    return !pb.bad;
}

typedef struct span_values {
    jg_jaeger_head head;
    int64_t duration_ns;
    uint32_t flags;
    bool has_more; /* something that a blank span does not have */
    jaeger_str process;
} span_values;

static bool read_span_field(const jg_pb_field *f, jg_jaeger_in *model, span_values *v)
{
    switch (f->number) {
    case JG_JAEGER_SPAN_TRACE_ID:
        return read_trace_id(f, v->head.trace_id);
    case JG_JAEGER_SPAN_SPAN_ID:
        return read_span_id(f, v->head.span_id);
    case JG_JAEGER_SPAN_NAME:
        v->head.name = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_JAEGER_SPAN_START:
        return read_time(f, &v->head.start_unix_ns);
    case JG_JAEGER_SPAN_DURATION:
        return read_duration(f, &v->duration_ns);
    case JG_JAEGER_SPAN_FLAGS:
        v->flags = (uint32_t)f->varint;
        return f->wire == JG_PB_VARINT;
    case JG_JAEGER_SPAN_PROCESS:
        v->process = (jaeger_str){f->len ? (const char *)f->ptr : "", f->len};
        return f->wire == JG_PB_LEN;
    case JG_JAEGER_SPAN_REFERENCES:
        v->has_more = true;
        return read_ref(f, model);
    case JG_JAEGER_SPAN_TAGS:
        v->has_more = true;
        return read_tag(f, model, &model->tags);
    case JG_JAEGER_SPAN_LOGS:
        v->has_more = true;
        return read_log(f, model);
    case JG_JAEGER_SPAN_PROCESS_ID:
    case JG_JAEGER_SPAN_WARNINGS:
        v->has_more |= f->len > 0 || f->number == JG_JAEGER_SPAN_WARNINGS;
        return f->wire == JG_PB_LEN;
    default:
        return true;
    }
}

static bool is_blank(const span_values *v)
{
    return !v->has_more && !v->process.ptr && !v->flags && !v->duration_ns && !v->head.name.len &&
           v->head.start_unix_ns == JG_GO_ZERO_TIME_NS && jg_id_is_zero(v->head.trace_id, 16) &&
           jg_id_is_zero(v->head.span_id, 8);
}

static bool read_span(jaeger_str bytes, jg_jaeger_in *model, jaeger_str batch_process)
{
    span_values v = {.head.start_unix_ns = JG_GO_ZERO_TIME_NS};
    jg_pb pb = jg_pb_of_str(bytes);
    jg_pb_field f;
    uint32_t resource;
    model->tags.count = model->ref_count = 0;
    size_t mark = jg_span_groups_begin_span(&model->groups);
    while (jg_pb_next(&pb, &f))
        if (!read_span_field(&f, model, &v))
            return false;
    if (pb.bad)
        return false;
    if (is_blank(&v)) {
        jg_span_groups_drop_span(&model->groups, mark);
        return true;
    }
    v.head.end_unix_ns = v.head.start_unix_ns + (uint64_t)v.duration_ns;
    if (!resource_of(model, v.process.ptr ? v.process : batch_process, &resource))
        return false;
    uint32_t scope = jg_jaeger_write_span(model, &v.head, resource);
    jg_span_groups_end_span(&model->groups, scope, mark);
    return true;
}

/** The process comes after the spans, so look for it first. */
static bool read_batch(jaeger_str bytes, jg_jaeger_in *model)
{
    jaeger_str process = {0};
    jg_pb pb = jg_pb_of_str(bytes), spans = pb;
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_JAEGER_BATCH_PROCESS)
            process = jg_pb_str(&f);
        if (f.number <= JG_JAEGER_BATCH_PROCESS && f.wire != JG_PB_LEN)
            return false;
    }
    if (pb.bad)
        return false;
    while (jg_pb_next(&spans, &f))
        if (f.number == JG_JAEGER_BATCH_SPANS && !read_span(jg_pb_str(&f), model, process))
            return false;
    return true;
}

static bool read_post(jaeger_str bytes, jg_jaeger_in *model)
{
    jg_pb pb = jg_pb_of_str(bytes);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_JAEGER_POST_BATCH && (f.wire != JG_PB_LEN || !read_batch(jg_pb_str(&f), model)))
            return false;
    return !pb.bad;
}

static bool read_one(jaeger_str bytes, jg_jaeger_in *model)
{
    return read_span(bytes, model, (jaeger_str){0});
}

static jaeger_status to_batch(jaeger_str bytes, bool (*read)(jaeger_str, jg_jaeger_in *), jaeger_batch **ret,
                              jaeger_error *err)
{
    JG_AUTO_JAEGER_IN jg_jaeger_in model;
    jg_jaeger_in_init(&model, bytes.len, true);
    if (!read(bytes, &model) && !model.groups.failed)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "not a message of jaeger.api_v2");
    return jg_span_groups_finish(&model.groups, ret, err);
}

jaeger_status jg_jaeger_pb_post_to_batch(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return to_batch(bytes, read_post, ret, err);
}

jaeger_status jg_jaeger_pb_to_batch(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return to_batch(bytes, read_batch, ret, err);
}

jaeger_status jg_jaeger_pb_span_to_batch(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return to_batch(bytes, read_one, ret, err);
}
