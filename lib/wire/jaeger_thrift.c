/* SPDX-License-Identifier: Apache-2.0
 * See jaeger_thrift.h. Required fields of the IDL are demanded, as the generated Go code demands them.
 */
#include "wire/jaeger_thrift.h"

#include "core/err.h"
#include "core/str.h"
#include "wire/jaeger_model.h"

static void put_id(uint8_t out[8], int64_t id)
{
    for (int i = 7; i >= 0; i--, id = (int64_t)((uint64_t)id >> 8))
        out[i] = (uint8_t)id;
}

/** Note that field `id` was there. */
JG_INLINE void saw(uint32_t *seen, int16_t id)
{
    if (id > 0 && id < 32)
        *seen |= 1u << id;
}

static bool demand(jg_thrift *in, uint32_t seen, uint32_t want, const char *fault)
{
    return in->fault || (seen & want) != want ? jg_thrift_fail(in, fault) : true;
}

/** vType numbers of jaeger.thrift. */
static const uint8_t types[] = {JG_JAEGER_STRING, JG_JAEGER_FLOAT64, JG_JAEGER_BOOL, JG_JAEGER_INT64,
                                JG_JAEGER_BINARY};

typedef struct tag_values {
    jaeger_str text, binary;
    double number;
    int64_t integer;
    bool flag;
    int32_t type;
} tag_values;

static void set_value(jg_jaeger_tag *tag, const tag_values *v)
{
    if (v->type < 0 || (size_t)v->type >= JG_COUNT(types)) {
        tag->type = JG_JAEGER_STRING;
        tag->u.s = JAEGER_STR("<Unknown Jaeger TagType \"<UNSET>\">");
        return;
    }
    tag->type = types[v->type];
    if (tag->type == JG_JAEGER_STRING)
        tag->u.s = v->text;
    else if (tag->type == JG_JAEGER_BINARY)
        tag->u.s = v->binary;
    else if (tag->type == JG_JAEGER_BOOL)
        tag->u.b = v->flag;
    else if (tag->type == JG_JAEGER_INT64)
        tag->u.i = v->integer;
    else
        tag->u.d = v->number;
}

static bool read_tag(jg_thrift *in, jg_jaeger_tag *tag)
{
    int16_t last = 0;
    jg_thrift_field f;
    uint32_t seen = 0;
    tag_values v = {.text = JAEGER_STR(""), .binary = JAEGER_STR("")};
    tag->key = JAEGER_STR("");
    while (jg_thrift_next(in, &last, &f)) {
        bool ok = false;
        saw(&seen, f.id);
        if (f.id == 1 && f.type == JG_THRIFT_STRING)
            ok = jg_thrift_str(in, &tag->key);
        else if (f.id == 2 && f.type == JG_THRIFT_I32)
            ok = jg_thrift_i32(in, &v.type);
        else if (f.id == 3 && f.type == JG_THRIFT_STRING)
            ok = jg_thrift_str(in, &v.text);
        else if (f.id == 4 && f.type == JG_THRIFT_DOUBLE)
            ok = jg_thrift_double(in, &v.number);
        else if (f.id == 5 && f.type == JG_THRIFT_BOOL)
            ok = jg_thrift_bool(in, &f, &v.flag);
        else if (f.id == 6 && f.type == JG_THRIFT_I64)
            ok = jg_thrift_i64(in, &v.integer);
        else if (f.id == 7 && f.type == JG_THRIFT_STRING)
            ok = jg_thrift_str(in, &v.binary);
        else
            ok = jg_thrift_skip(in, &f);
        if (!ok)
            return false;
    }
    set_value(tag, &v);
    return demand(in, seen, 1 << 1 | 1 << 2, "required field of a Tag is not set");
}

/** A list whose elements must be structs. */
static bool struct_list(jg_thrift *in, uint32_t *ret_count)
{
    uint8_t type;
    if (!jg_thrift_list(in, &type, ret_count))
        return false;
    return type == JG_THRIFT_STRUCT || *ret_count == 0
               ? true
               : jg_thrift_fail(in, "list of something else than structs");
}

static bool read_tags(jg_thrift *in, jg_jaeger_in *model, jg_jaeger_tags *tags)
{
    uint32_t count;
    tags->count = 0; /* a repeated field replaces the first one */
    if (!struct_list(in, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        jg_jaeger_tag *tag = jg_jaeger_add(model, tags);
        if (!tag || !read_tag(in, tag))
            return jg_thrift_fail(in, "out of memory");
    }
    return true;
}

static bool read_ref(jg_thrift *in, jg_jaeger_ref *ref)
{
    int16_t last = 0;
    jg_thrift_field f;
    uint32_t seen = 0;
    int64_t low = 0, high = 0, span_id = 0;
    while (jg_thrift_next(in, &last, &f)) {
        bool ok = false;
        saw(&seen, f.id);
        if (f.id == 1 && f.type == JG_THRIFT_I32)
            ok = jg_thrift_i32(in, &ref->type);
        else if (f.id == 2 && f.type == JG_THRIFT_I64)
            ok = jg_thrift_i64(in, &low);
        else if (f.id == 3 && f.type == JG_THRIFT_I64)
            ok = jg_thrift_i64(in, &high);
        else if (f.id == 4 && f.type == JG_THRIFT_I64)
            ok = jg_thrift_i64(in, &span_id);
        else
            ok = jg_thrift_skip(in, &f);
        if (!ok)
            return false;
    }
    put_id(ref->trace_id, high);
    put_id(ref->trace_id + 8, low);
    put_id(ref->span_id, span_id);
    return demand(in, seen, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4, "required field of a SpanRef is not set");
}

static bool read_refs(jg_thrift *in, jg_jaeger_in *model)
{
    uint32_t count;
    model->ref_count = 0;
    if (!struct_list(in, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        jg_jaeger_ref *ref = jg_jaeger_add_ref(model);
        if (!ref || !read_ref(in, ref))
            return jg_thrift_fail(in, "out of memory");
    }
    return true;
}

static bool read_log(jg_thrift *in, jg_jaeger_in *model)
{
    int16_t last = 0;
    jg_thrift_field f;
    uint32_t seen = 0;
    int64_t time_us = 0;
    model->fields.count = 0;
    while (jg_thrift_next(in, &last, &f)) {
        bool ok = false;
        saw(&seen, f.id);
        if (f.id == 1 && f.type == JG_THRIFT_I64)
            ok = jg_thrift_i64(in, &time_us);
        else if (f.id == 2 && f.type == JG_THRIFT_LIST)
            ok = read_tags(in, model, &model->fields);
        else
            ok = jg_thrift_skip(in, &f);
        if (!ok)
            return false;
    }
    jg_jaeger_write_log(model, (uint64_t)time_us * 1000);
    return demand(in, seen, 1 << 1 | 1 << 2, "required field of a Log is not set");
}

static bool read_logs(jg_thrift *in, jg_jaeger_in *model)
{
    uint32_t count;
    if (!struct_list(in, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!read_log(in, model))
            return false;
    return true;
}

typedef struct span_values {
    int64_t low, high, id, parent, start_us, duration_us;
    int32_t flags;
    jaeger_str name;
    uint32_t seen;
} span_values;

static bool read_span_field(jg_thrift *in, jg_jaeger_in *model, const jg_thrift_field *f, span_values *v)
{
    int64_t *const numbers[] = {[1] = &v->low,    [2] = &v->high,     [3] = &v->id,
                                [4] = &v->parent, [8] = &v->start_us, [9] = &v->duration_us};
    if (f->type == JG_THRIFT_I64 && f->id > 0 && (size_t)f->id < JG_COUNT(numbers) && numbers[f->id])
        return jg_thrift_i64(in, numbers[f->id]);
    if (f->id == 5 && f->type == JG_THRIFT_STRING)
        return jg_thrift_str(in, &v->name);
    if (f->id == 7 && f->type == JG_THRIFT_I32)
        return jg_thrift_i32(in, &v->flags);
    if (f->id == 6 && f->type == JG_THRIFT_LIST)
        return read_refs(in, model);
    if (f->id == 10 && f->type == JG_THRIFT_LIST)
        return read_tags(in, model, &model->tags);
    if (f->id == 11 && f->type == JG_THRIFT_LIST)
        return read_logs(in, model);
    return jg_thrift_skip(in, f);
}

/** Flags are read and dropped. A span of nothing but zeroes is skipped. */
static bool read_span(jg_thrift *in, jg_jaeger_in *model, uint32_t resource)
{
    int16_t last = 0;
    jg_thrift_field f;
    span_values v = {.name = JAEGER_STR("")};
    jg_jaeger_head head;
    model->tags.count = model->ref_count = 0;
    size_t mark = jg_span_groups_begin_span(&model->groups);
    while (jg_thrift_next(in, &last, &f)) {
        saw(&v.seen, f.id);
        if (!read_span_field(in, model, &f, &v))
            return false;
    }
    if (!demand(in, v.seen, 0x3be, "required field of a Span is not set"))
        return false;
    if (!(v.low | v.high | v.id | v.parent | v.start_us | v.duration_us | v.flags) && v.name.len == 0 &&
        !(v.seen & (1 << 6 | 1 << 10 | 1 << 11))) {
        jg_span_groups_drop_span(&model->groups, mark);
        return true;
    }
    put_id(head.trace_id, v.high);
    put_id(head.trace_id + 8, v.low);
    put_id(head.span_id, v.id);
    put_id(head.parent_span_id, v.parent);
    head.name = v.name;
    head.start_unix_ns = (uint64_t)v.start_us * 1000;
    head.end_unix_ns = ((uint64_t)v.start_us + (uint64_t)v.duration_us) * 1000;
    uint32_t scope = jg_jaeger_write_span(model, &head, resource);
    jg_span_groups_end_span(&model->groups, scope, mark);
    return true;
}

static bool read_spans(jg_thrift *in, jg_jaeger_in *model, uint32_t resource)
{
    uint32_t count;
    if (!struct_list(in, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!read_span(in, model, resource))
            return false;
    return true;
}

static bool read_process(jg_thrift *in, jg_jaeger_in *model, uint32_t resource)
{
    int16_t last = 0;
    jg_thrift_field f;
    uint32_t seen = 0;
    jaeger_str service = {0};
    model->tags.count = 0;
    while (jg_thrift_next(in, &last, &f)) {
        saw(&seen, f.id);
        if (f.id == 1 && f.type == JG_THRIFT_STRING ? !jg_thrift_str(in, &service)
            : f.id == 2 && f.type == JG_THRIFT_LIST ? !read_tags(in, model, &model->tags)
                                                    : !jg_thrift_skip(in, &f))
            return false;
    }
    size_t mark = jg_span_groups_begin_resource(&model->groups);
    jg_jaeger_write_process(model, service, &model->tags);
    jg_span_groups_end_resource(&model->groups, resource, mark);
    return demand(in, seen, 1 << 1, "required field of a Process is not set");
}

static bool read_batch(jg_thrift *in, jg_jaeger_in *model)
{
    int16_t last = 0;
    jg_thrift_field f;
    uint32_t seen = 0;
    bool is_new;
    uint32_t resource = jg_span_groups_resource(&model->groups, JAEGER_STR(""), &is_new);
    while (jg_thrift_next(in, &last, &f)) {
        saw(&seen, f.id);
        if (f.id == 1 && f.type == JG_THRIFT_STRUCT ? !read_process(in, model, resource)
            : f.id == 2 && f.type == JG_THRIFT_LIST ? !read_spans(in, model, resource)
                                                    : !jg_thrift_skip(in, &f))
            return false;
    }
    return demand(in, seen, 1 << 1 | 1 << 2, "required field of a Batch is not set");
}

static jaeger_status finish(jg_thrift *in, jg_jaeger_in *model, bool ok, jaeger_batch **ret,
                            jaeger_error *err)
{
    if (!ok && !model->groups.failed)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "Jaeger Thrift: %s at byte %zu", in->fault,
                       (size_t)(in->pos - in->begin));
    return jg_span_groups_finish(&model->groups, ret, err);
}

jaeger_status jg_jaeger_thrift_to_batch(jg_thrift_protocol protocol, jaeger_str bytes, jaeger_batch **ret,
                                        jaeger_error *err)
{
    jg_thrift in = jg_thrift_of(protocol, bytes.ptr, bytes.len);
    JG_AUTO_JAEGER_IN jg_jaeger_in model;
    jg_jaeger_in_init(&model, bytes.len, false);
    return finish(&in, &model, read_batch(&in, &model), ret, err);
}

/** The arguments of emitBatch: a struct with the batch as field 1. */
static bool read_arguments(jg_thrift *in, jg_jaeger_in *model)
{
    int16_t last = 0;
    jg_thrift_field f;
    bool found = false;
    while (jg_thrift_next(in, &last, &f)) {
        bool is_batch = f.id == 1 && f.type == JG_THRIFT_STRUCT && !found;
        if (is_batch ? !read_batch(in, model) : !jg_thrift_skip(in, &f))
            return false;
        found |= is_batch;
    }
    return in->fault || !found ? jg_thrift_fail(in, "emitBatch without a batch") : true;
}

jaeger_status jg_jaeger_thrift_packet(jg_thrift_protocol protocol, jaeger_str bytes, jaeger_batch **ret,
                                      jaeger_error *err)
{
    jg_thrift in = jg_thrift_of(protocol, bytes.ptr, bytes.len);
    jaeger_str name;
    uint8_t type;
    JG_AUTO_JAEGER_IN jg_jaeger_in model = {0};
    if (!jg_thrift_message(&in, &name, &type))
        return finish(&in, &model, false, ret, err);
    if (!jg_str_is(name, "emitBatch"))
        return jg_fail(err, JAEGER_UNIMPLEMENTED, "Jaeger Thrift: unknown method '%.*s'",
                       (int)JG_MIN(name.len, 64u), name.ptr);
    jg_jaeger_in_init(&model, bytes.len, false);
    return finish(&in, &model, read_arguments(&in, &model), ret, err);
}
