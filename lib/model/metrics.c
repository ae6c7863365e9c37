/* SPDX-License-Identifier: Apache-2.0
 * See metrics.h. One walk serves both: the check that a message is valid, and reading it.
 */
#include "model/metrics.h"

#include "model/span_check.h"

typedef struct walk {
    bool check; /* look into attributes and exemplars too */
    size_t points;
    jg_metric_sink sink; /* point NULL: only check */
} walk;

JG_INLINE double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

JG_INLINE int32_t zigzag(uint64_t n)
{
    return (int32_t)((uint32_t)n >> 1 ^ -((uint32_t)n & 1));
}

static bool read_exemplar(jg_pb pb, jg_exemplar *ret)
{
    jg_pb_field f;
    *ret = (jg_exemplar){0};
    while (jg_pb_next(&pb, &f)) {
        if (f.wire == JG_PB_FIXED64 && f.number == JG_OTLP_EXEMPLAR_TIME)
            ret->time_unix_ns = f.varint;
        else if (f.wire == JG_PB_FIXED64 && f.number == JG_OTLP_EXEMPLAR_DOUBLE)
            ret->value = as_double(f.varint);
        else if (f.wire == JG_PB_FIXED64 && f.number == JG_OTLP_EXEMPLAR_INT)
            ret->value = (double)(int64_t)f.varint;
        else if (f.number == JG_OTLP_EXEMPLAR_SPAN_ID && f.wire == JG_PB_LEN && f.len == 8)
            memcpy(ret->span_id, f.ptr, 8);
        else if (f.number == JG_OTLP_EXEMPLAR_TRACE_ID && f.wire == JG_PB_LEN && f.len == 16) {
            memcpy(ret->trace_id, f.ptr, 16);
            ret->has_trace = true;
        }
    }
    return !pb.bad;
}

/** Bucket counts of one side. */
static bool read_buckets(const jg_pb_field *buckets, jg_metric_point *p)
{
    jg_pb pb = jg_pb_of(buckets->ptr, buckets->len);
    jg_pb_field f;
    uint64_t count;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_EXP_BUCKETS_OFFSET && f.wire == JG_PB_VARINT)
            p->offset = zigzag(f.varint);
        else if (f.number == JG_OTLP_EXP_BUCKETS_COUNTS && f.wire == JG_PB_LEN)
            p->positive = jg_pb_str(&f);
    }
    jg_pb counts = jg_pb_of_str(p->positive);
    while (counts.pos < counts.end)
        if (!jg_pb_varint(&counts, &count))
            return false;
    return !pb.bad;
}

static void read_number(jg_metric_point *p, const jg_pb_field *f)
{
    if (f->number == JG_OTLP_NUMBER_DOUBLE && f->wire == JG_PB_FIXED64)
        p->value = as_double(f->varint);
    else if (f->number == JG_OTLP_NUMBER_INT && f->wire == JG_PB_FIXED64)
        p->value = (double)(int64_t)f->varint;
    else if (f->number == JG_OTLP_NUMBER_FLAGS && f->wire == JG_PB_VARINT)
        p->no_value = f->varint & 1;
}

/** Packed arrays as one field: senders that split them are refused, as none do. */
static bool read_histogram(jg_metric_point *p, const jg_pb_field *f)
{
    if (f->number == JG_OTLP_HISTOGRAM_COUNTS || f->number == JG_OTLP_HISTOGRAM_BOUNDS) {
        jaeger_str *to = f->number == JG_OTLP_HISTOGRAM_COUNTS ? &p->counts : &p->bounds;
        if (f->wire != JG_PB_LEN || f->len % 8 || to->len)
            return false;
        *to = jg_pb_str(f);
    }
    return true;
}

static bool read_exponential(jg_metric_point *p, const jg_pb_field *f)
{
    if (f->number == JG_OTLP_EXP_SCALE && f->wire == JG_PB_VARINT)
        p->scale = zigzag(f->varint);
    else if (f->number == JG_OTLP_EXP_ZERO_COUNT && f->wire == JG_PB_FIXED64)
        p->zero_count = f->varint;
    else if (f->number == JG_OTLP_EXP_POSITIVE)
        return f->wire == JG_PB_LEN && read_buckets(f, p);
    return true;
}

static bool read_field(jg_metric_point *p, const jg_pb_field *f)
{
    if (p->type == JG_METRIC_GAUGE || p->type == JG_METRIC_SUM) {
        read_number(p, f);
        return true;
    }
    if (f->number == JG_OTLP_HISTOGRAM_COUNT && f->wire == JG_PB_FIXED64)
        p->count = f->varint;
    else if (f->number == JG_OTLP_HISTOGRAM_SUM && f->wire == JG_PB_FIXED64)
        p->sum = as_double(f->varint);
    else if (f->number == JG_OTLP_HISTOGRAM_FLAGS && f->wire == JG_PB_VARINT)
        p->no_value = f->varint & 1;
    return p->type == JG_METRIC_HISTOGRAM     ? read_histogram(p, f)
           : p->type == JG_METRIC_EXPONENTIAL ? read_exponential(p, f)
                                              : true;
}

JG_INLINE bool read_point(const jg_metric_point *metric, jaeger_str body, bool check, jg_metric_point *p)
{
    jg_pb pb = jg_pb_of_str(body);
    jg_pb_field f;
    jg_exemplar exemplar;
    *p = *metric;
    p->body = body;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == p->attrs_field && (f.wire != JG_PB_LEN || (check && !jg_attr_valid(f.ptr, f.len))))
            return false;
        if (f.number == p->exemplars_field &&
            (f.wire != JG_PB_LEN || (check && !read_exemplar(jg_pb_of(f.ptr, f.len), &exemplar))))
            return false;
        if (f.number == JG_OTLP_POINT_START && f.wire == JG_PB_FIXED64)
            p->start_unix_ns = f.varint;
        else if (f.number == JG_OTLP_POINT_TIME && f.wire == JG_PB_FIXED64)
            p->time_unix_ns = f.varint;
        else if (!read_field(p, &f))
            return false;
    }
    return !pb.bad;
}

bool jg_metric_point_read(const jg_metric_point *metric, jaeger_str body, jg_metric_point *ret)
{
    return read_point(metric, body, false, ret);
}

static bool walk_point(walk *w, const jg_metric_point *metric, const jg_pb_field *point)
{
    jg_metric_point p;
    if (!read_point(metric, jg_pb_str(point), w->check, &p))
        return false;
    w->points++;
    return !w->sink.point || w->sink.point(w->sink.self, &p);
}

static bool set_type(jg_metric_point *metric, uint32_t number)
{
    static const struct {
        uint8_t attrs, exemplars;
    } fields[] = {[JG_METRIC_GAUGE] = {JG_OTLP_NUMBER_ATTRIBUTES, JG_OTLP_NUMBER_EXEMPLARS},
                  [JG_METRIC_SUM] = {JG_OTLP_NUMBER_ATTRIBUTES, JG_OTLP_NUMBER_EXEMPLARS},
                  [JG_METRIC_HISTOGRAM] = {JG_OTLP_HISTOGRAM_ATTRIBUTES, JG_OTLP_HISTOGRAM_EXEMPLARS},
                  [JG_METRIC_EXPONENTIAL] = {JG_OTLP_EXP_ATTRIBUTES, JG_OTLP_EXP_EXEMPLARS},
                  [JG_METRIC_SUMMARY] = {JG_OTLP_SUMMARY_ATTRIBUTES, 0}};
    if (number >= JG_COUNT(fields) || !fields[number].attrs)
        return false;
    metric->type = (jg_metric_type)number;
    metric->attrs_field = fields[number].attrs;
    metric->exemplars_field = fields[number].exemplars;
    return true;
}

/** The kind of a sum may follow its points: it is read first. */
static bool read_kind(jg_metric_point *metric, jaeger_str data)
{
    jg_pb pb = jg_pb_of_str(data);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_DATA_TEMPORALITY && f.wire == JG_PB_VARINT)
            metric->temporality = (uint32_t)f.varint;
        else if (f.number == JG_OTLP_DATA_MONOTONIC && f.wire == JG_PB_VARINT)
            metric->monotonic = f.varint != 0;
    }
    return !pb.bad;
}

bool jg_metric_read(const jg_metric_point *scope, jaeger_str body, jg_metric_point *metric,
                    jaeger_str *ret_data)
{
    jg_pb pb = jg_pb_of_str(body);
    jg_pb_field f;
    *metric = *scope;
    *ret_data = (jaeger_str){0};
    while (jg_pb_next(&pb, &f)) {
        if (f.wire != JG_PB_LEN)
            continue;
        if (f.number == JG_OTLP_METRIC_NAME)
            metric->name = jg_pb_str(&f);
        else if (f.number == JG_OTLP_METRIC_DESCRIPTION)
            metric->description = jg_pb_str(&f);
        else if (f.number == JG_OTLP_METRIC_UNIT)
            metric->unit = jg_pb_str(&f);
        else if (set_type(metric, f.number))
            *ret_data = jg_pb_str(&f);
    }
    return !pb.bad && (!ret_data->ptr || read_kind(metric, *ret_data));
}

static bool walk_metric(walk *w, const jg_metric_point *scope, const jg_pb_field *field)
{
    jg_metric_point metric;
    jaeger_str data;
    jg_pb_field f;
    if (!jg_metric_read(scope, jg_pb_str(field), &metric, &data))
        return false;
    jg_pb pb = jg_pb_of_str(data);
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_DATA_POINTS && (f.wire != JG_PB_LEN || !walk_point(w, &metric, &f)))
            return false;
    return !pb.bad;
}

void jg_metrics_group_read(jaeger_str body, bool is_scope, jg_metric_point *ret)
{
    jg_pb pb = jg_pb_of_str(body);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.wire == JG_PB_LEN && f.number == JG_OTLP_METRICS_SCHEMA_URL)
            *(is_scope ? &ret->scope_schema_url : &ret->resource_schema_url) = jg_pb_str(&f);
        else if (f.wire == JG_PB_LEN && f.number == JG_OTLP_METRICS_OWNER)
            *(is_scope ? &ret->scope : &ret->resource) = jg_pb_str(&f);
    }
}

/** ScopeMetrics (is_scope) or ResourceMetrics: an owner, a schema URL, items. The owner may follow. */
static bool walk_group(walk *w, const jg_metric_point *above, const jg_pb_field *field, bool is_scope)
{
    jg_metric_point here = *above;
    jg_pb head = jg_pb_of(field->ptr, field->len), pb = head;
    jg_pb_field f;
    while (jg_pb_next(&head, &f)) {
        if (f.number > JG_OTLP_METRICS_SCHEMA_URL)
            continue;
        if (f.wire != JG_PB_LEN || (f.number == JG_OTLP_METRICS_OWNER && w->check &&
                                    !(is_scope ? jg_scope_valid : jg_resource_valid)(f.ptr, f.len)))
            return false;
    }
    jg_metrics_group_read(jg_pb_str(field), is_scope, &here);
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_METRICS_ITEMS &&
            !(is_scope ? walk_metric(w, &here, &f) : walk_group(w, &here, &f, true)))
            return false;
    return !head.bad;
}

static bool walk_message(walk *w, jaeger_str message)
{
    jg_metric_point none = {0};
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_RESOURCE_METRICS && (f.wire != JG_PB_LEN || !walk_group(w, &none, &f, false)))
            return false;
    return !pb.bad;
}

bool jg_metrics_valid(jaeger_str message, size_t *ret_points)
{
    walk w = {.check = true};
    bool ok = walk_message(&w, message);
    *ret_points = w.points;
    return ok;
}

bool jg_metrics_walk(jaeger_str message, jg_metric_sink sink)
{
    walk w = {.sink = sink};
    return walk_message(&w, message);
}

jaeger_iter jg_point_attrs(const jg_metric_point *point)
{
    const uint8_t *begin = (const uint8_t *)point->body.ptr;
    return (jaeger_iter){begin, begin + point->body.len, point->attrs_field};
}

bool jg_point_next_exemplar(const jg_metric_point *point, jg_pb *iter, jg_exemplar *ret)
{
    jg_pb_field f;
    while (point->exemplars_field && jg_pb_next(iter, &f))
        if (f.number == point->exemplars_field && f.wire == JG_PB_LEN)
            return read_exemplar(jg_pb_of(f.ptr, f.len), ret);
    return false;
}
