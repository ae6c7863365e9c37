/* SPDX-License-Identifier: Apache-2.0
 * See series.h. A series is one allocation: the struct, its buckets, its exemplars, its attributes.
 */
#include "connectors/span_metrics/series.h"

#include "core/alloc.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/metrics.h"
#include "model/otlp_fields.h"

/* The body of a KeyValueList with otel.metric.overflow = true. */
static const char overflow_attrs[] = "\x0a\x1a\x0a\x14"
                                     "otel.metric.overflow"
                                     "\x12\x02\x10\x01";

/* ---- making and dropping ---- */

static size_t bucket_count(const jg_sm_shape *shape)
{
    return shape->max_size ? shape->max_size : shape->bound_count + 1;
}

static size_t series_bytes(const jg_sm_store *store, jg_sm_metric metric, size_t attrs_len)
{
    size_t buckets = metric == JG_SM_DURATION ? bucket_count(&store->options.shape) : 0;
    return sizeof(jg_sm_series) + buckets * sizeof(uint64_t) +
           store->options.exemplars_max * sizeof(jg_sm_exemplar) + attrs_len;
}

static jg_sm_series *series_new(jg_sm_store *store, jg_sm_metric metric, jaeger_str attrs, uint64_t now)
{
    size_t bytes = series_bytes(store, metric, attrs.len);
    jg_sm_series *s = jg_calloc(1, bytes);
    if (!s)
        return NULL;
    char *at = (char *)(s + 1);
    if (metric == JG_SM_DURATION) {
        s->buckets.counts = (uint64_t *)(void *)at;
        s->buckets.scale = JG_SM_SCALE_MAX;
        at += bucket_count(&store->options.shape) * sizeof(uint64_t);
    }
    s->exemplars = (jg_sm_exemplar *)(void *)at;
    at += store->options.exemplars_max * sizeof(jg_sm_exemplar);
    memcpy(at, attrs.ptr, attrs.len);
    s->attrs = (jaeger_str){at, attrs.len};
    s->start_unix_ns = now;
    store->series_count++;
    store->bytes += bytes;
    return s;
}

static void series_free(jg_sm_store *store, jg_sm_metric metric, jg_sm_series *s)
{
    store->series_count--;
    store->bytes -= series_bytes(store, metric, s->attrs.len);
    jg_free(s);
}

static void clear_metric(jg_sm_store *store, jg_sm_resource *r, jg_sm_metric metric)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&r->series[metric], &at, &e);)
        series_free(store, metric, e.value);
    jg_map_done(&r->series[metric]);
}

static void resource_free(jg_sm_store *store, jg_sm_resource *r)
{
    for (jg_sm_metric m = 0; m < JG_SM_METRICS; m++)
        clear_metric(store, r, m);
    store->bytes -= sizeof *r + r->key.len + r->body.len;
    jg_free(r);
}

static void drop_oldest(jg_sm_store *store)
{
    jg_sm_resource *oldest = NULL;
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&store->resources, &at, &e);) {
        jg_sm_resource *r = e.value;
        if (!oldest || r->seen_unix_ns < oldest->seen_unix_ns)
            oldest = r;
    }
    if (!oldest)
        return;
    (void)jg_map_remove(&store->resources, oldest->key);
    resource_free(store, oldest);
}

jg_sm_resource *jg_sm_store_resource(jg_sm_store *store, jaeger_str key, jaeger_str body, uint64_t now)
{
    jg_sm_resource *r = jg_map_get(&store->resources, key);
    if (r) {
        r->seen_unix_ns = now;
        return r;
    }
    if (store->resources.count >= store->options.resources_max)
        drop_oldest(store);
    bool is_new;
    r = jg_calloc(1, sizeof *r + key.len + body.len);
    if (!r)
        return NULL;
    char *at = (char *)(r + 1);
    if (key.len)
        memcpy(at, key.ptr, key.len);
    if (body.len)
        memcpy(at + key.len, body.ptr, body.len);
    r->key = (jaeger_str){at, key.len};
    r->body = (jaeger_str){at + key.len, body.len};
    r->seen_unix_ns = now;
    jg_map_entry *e = jg_map_put(&store->resources, r->key, &is_new);
    if (!e) {
        jg_free(r);
        return NULL;
    }
    e->value = r;
    store->bytes += sizeof *r + key.len + body.len;
    return r;
}

static jg_sm_series *find_series(jg_sm_store *store, jg_sm_resource *r, jg_sm_metric metric, jaeger_str attrs,
                                 uint64_t now)
{
    jg_map *map = &r->series[metric];
    jg_sm_series *s = jg_map_get(map, attrs);
    uint64_t limit = store->options.cardinality_max;
    if (!s && ((limit && map->count >= limit) || store->series_count >= JG_SPAN_METRICS_SERIES_MAX ||
               store->bytes >= JG_SPAN_METRICS_BYTES_MAX)) {
        attrs = (jaeger_str){overflow_attrs, sizeof overflow_attrs - 1};
        s = jg_map_get(map, attrs);
    }
    if (s)
        return s;
    bool is_new;
    s = series_new(store, metric, attrs, now);
    jg_map_entry *e = s ? jg_map_put(map, s->attrs, &is_new) : NULL;
    if (e)
        e->value = s;
    else if (s)
        series_free(store, metric, s);
    return e ? s : NULL;
}

static bool is_overflow(const jg_sm_series *s)
{
    return s->attrs.len == sizeof overflow_attrs - 1 &&
           memcmp(s->attrs.ptr, overflow_attrs, s->attrs.len) == 0;
}

void jg_sm_store_add(jg_sm_store *store, jg_sm_resource *r, jg_sm_metric metric, jaeger_str attrs,
                     const jg_sm_observation *seen)
{
    jg_sm_series *s = find_series(store, r, metric, attrs, seen->now_unix_ns);
    if (!s) {
        store->dropped++;
        return;
    }
    s->seen_unix_ns = seen->now_unix_ns;
    s->count += seen->n;
    if (metric == JG_SM_DURATION) {
        s->sum += seen->value * (double)seen->n;
        jg_sm_buckets_add(&s->buckets, &store->options.shape, seen->value, seen->n);
    }
    if (s->exemplar_count < store->options.exemplars_max && !is_overflow(s) &&
        !jg_id_is_zero(seen->span->trace_id, 16)) {
        jg_sm_exemplar *x = &s->exemplars[s->exemplar_count++];
        *x = (jg_sm_exemplar){.value = seen->value, .time_unix_ns = seen->now_unix_ns};
        memcpy(x->trace_id, seen->span->trace_id, 16);
        memcpy(x->span_id, seen->span->span_id, 8);
    }
}

/* ---- writing ---- */

static void write_attrs(jg_buf *out, uint32_t number, jaeger_str attrs)
{
    jg_pb pb = jg_pb_of_str(attrs);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        jg_pb_write_bytes(out, number, f.ptr, f.len);
}

static void write_exemplars(jg_buf *out, uint32_t number, const jg_sm_series *s)
{
    for (uint32_t i = 0; i < s->exemplar_count; i++) {
        const jg_sm_exemplar *x = &s->exemplars[i];
        size_t mark = jg_pb_begin(out, number, 1);
        jg_pb_write_fixed64(out, JG_OTLP_EXEMPLAR_TIME, x->time_unix_ns);
        jg_pb_write_double(out, JG_OTLP_EXEMPLAR_DOUBLE, x->value);
        jg_pb_write_bytes(out, JG_OTLP_EXEMPLAR_SPAN_ID, x->span_id, 8);
        jg_pb_write_bytes(out, JG_OTLP_EXEMPLAR_TRACE_ID, x->trace_id, 16);
        jg_pb_end(out, mark, 1);
    }
}

static uint64_t zigzag(int32_t n)
{
    return (uint32_t)n << 1 ^ (uint32_t)(n >> 31);
}

static void write_explicit(const jg_sm_store *store, const jg_sm_series *s, jg_buf *out)
{
    const jg_sm_shape *shape = &store->options.shape;
    jg_pb_write_bytes(out, JG_OTLP_HISTOGRAM_COUNTS, s->buckets.counts,
                      (shape->bound_count + 1) * sizeof *s->buckets.counts);
    jg_pb_write_bytes(out, JG_OTLP_HISTOGRAM_BOUNDS, shape->bounds,
                      shape->bound_count * sizeof *shape->bounds);
    write_exemplars(out, JG_OTLP_HISTOGRAM_EXEMPLARS, s);
    write_attrs(out, JG_OTLP_HISTOGRAM_ATTRIBUTES, s->attrs);
}

static void write_exponential(const jg_sm_series *s, jg_buf *out)
{
    const jg_sm_buckets *b = &s->buckets;
    write_attrs(out, JG_OTLP_EXP_ATTRIBUTES, s->attrs);
    jg_pb_write_varint(out, JG_OTLP_EXP_SCALE, zigzag(b->scale));
    jg_pb_write_fixed64(out, JG_OTLP_EXP_ZERO_COUNT, b->zero_count);
    size_t side = jg_pb_begin(out, JG_OTLP_EXP_POSITIVE, 2);
    jg_pb_write_varint(out, JG_OTLP_EXP_BUCKETS_OFFSET, zigzag(b->offset));
    size_t counts = jg_pb_begin(out, JG_OTLP_EXP_BUCKETS_COUNTS, 2);
    for (uint32_t i = 0; i < b->size; i++)
        jg_pb_write_varint_raw(out, b->counts[i]);
    jg_pb_end(out, counts, 2);
    jg_pb_end(out, side, 2);
    write_exemplars(out, JG_OTLP_EXP_EXEMPLARS, s);
}

/* A new cumulative series shows zero first, so that rates see its first step. */
static void write_sum(const jg_sm_store *store, const jg_sm_series *s, jg_buf *out)
{
    bool is_first = !store->options.delta && !s->reported;
    jg_pb_write_fixed64(out, JG_OTLP_NUMBER_INT, is_first ? 0 : s->count);
    write_exemplars(out, JG_OTLP_NUMBER_EXEMPLARS, s);
    write_attrs(out, JG_OTLP_NUMBER_ATTRIBUTES, s->attrs);
}

static void write_point(const jg_sm_store *store, jg_sm_metric metric, const jg_sm_series *s, uint64_t now,
                        jg_buf *out)
{
    uint64_t start = s->start_unix_ns;
    if (store->options.delta && store->flushed_unix_ns)
        start = store->flushed_unix_ns;
    size_t mark = jg_pb_begin(out, JG_OTLP_DATA_POINTS, 2);
    jg_pb_write_fixed64(out, JG_OTLP_POINT_START, start);
    jg_pb_write_fixed64(out, JG_OTLP_POINT_TIME, now);
    if (metric != JG_SM_DURATION) {
        write_sum(store, s, out);
    } else {
        jg_pb_write_fixed64(out, JG_OTLP_HISTOGRAM_COUNT, s->count);
        jg_pb_write_double(out, JG_OTLP_HISTOGRAM_SUM, s->sum);
        if (store->options.shape.max_size)
            write_exponential(s, out);
        else
            write_explicit(store, s, out);
    }
    jg_pb_end(out, mark, 2);
}

static void write_metric(jg_sm_store *store, const jg_sm_resource *r, jg_sm_metric metric, uint64_t now,
                         jg_buf *out)
{
    bool histogram = metric == JG_SM_DURATION;
    uint32_t kind = !histogram                      ? JG_METRIC_SUM
                    : store->options.shape.max_size ? JG_METRIC_EXPONENTIAL
                                                    : JG_METRIC_HISTOGRAM;
    jg_map_entry e;
    size_t mark = jg_pb_begin(out, JG_OTLP_METRICS_ITEMS, 4);
    jg_pb_write_str(out, JG_OTLP_METRIC_NAME, jg_str(store->options.names[metric]));
    if (histogram)
        jg_pb_write_str(out, JG_OTLP_METRIC_UNIT, jg_str(store->options.unit));
    size_t data = jg_pb_begin(out, kind, 4);
    jg_pb_write_varint(out, JG_OTLP_DATA_TEMPORALITY,
                       store->options.delta ? JG_TEMPORALITY_DELTA : JG_TEMPORALITY_CUMULATIVE);
    if (!histogram)
        jg_pb_write_varint(out, JG_OTLP_DATA_MONOTONIC, 1);
    for (size_t at = 0; jg_map_next(&r->series[metric], &at, &e);) {
        jg_sm_series *s = e.value;
        write_point(store, metric, s, now, out);
        s->reported = true;
        s->exemplar_count = 0;
    }
    jg_pb_end(out, data, 4);
    jg_pb_end(out, mark, 4);
}

static void write_resource(jg_sm_store *store, const jg_sm_resource *r, uint64_t now, jg_buf *out)
{
    size_t mark = jg_pb_begin(out, JG_OTLP_RESOURCE_METRICS, 4);
    jg_pb_write_str(out, JG_OTLP_METRICS_OWNER, r->body);
    size_t scope_metrics = jg_pb_begin(out, JG_OTLP_METRICS_ITEMS, 4);
    size_t scope = jg_pb_begin(out, JG_OTLP_METRICS_OWNER, 1);
    jg_pb_write_str(out, JG_OTLP_SCOPE_NAME, JAEGER_STR("spanmetricsconnector"));
    jg_pb_end(out, scope, 1);
    for (jg_sm_metric m = 0; m < JG_SM_METRICS; m++)
        if (r->series[m].count)
            write_metric(store, r, m, now, out);
    jg_pb_end(out, scope_metrics, 4);
    jg_pb_end(out, mark, 4);
}

static bool is_expired(uint64_t seen, uint64_t now, uint64_t expiry_ns)
{
    return expiry_ns && now > seen && now - seen >= expiry_ns;
}

/* Removing moves a later entry into the hole: look there again. One that wraps around waits for the next
 * flush. */
static void expire_series(jg_sm_store *store, jg_sm_resource *r, jg_sm_metric metric, uint64_t now)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&r->series[metric], &at, &e);) {
        jg_sm_series *s = e.value;
        if (!is_expired(s->seen_unix_ns, now, store->options.series_expiry_ns))
            continue;
        (void)jg_map_remove(&r->series[metric], s->attrs);
        series_free(store, metric, s);
        at--;
    }
}

static void expire(jg_sm_store *store, uint64_t now)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&store->resources, &at, &e);) {
        jg_sm_resource *r = e.value;
        if (is_expired(r->seen_unix_ns, now, store->options.resource_expiry_ns)) {
            (void)jg_map_remove(&store->resources, r->key);
            resource_free(store, r);
            at--;
            continue;
        }
        for (jg_sm_metric m = 0; m < JG_SM_METRICS && store->options.series_expiry_ns; m++)
            expire_series(store, r, m, now);
    }
}

void jg_sm_store_flush(jg_sm_store *store, uint64_t now, jg_buf *out)
{
    jg_map_entry e;
    expire(store, now);
    for (size_t at = 0; jg_map_next(&store->resources, &at, &e);) {
        jg_sm_resource *r = e.value;
        if (r->series[JG_SM_CALLS].count || r->series[JG_SM_DURATION].count || r->series[JG_SM_EVENTS].count)
            write_resource(store, r, now, out);
        for (jg_sm_metric m = 0; m < JG_SM_METRICS && store->options.delta; m++)
            clear_metric(store, r, m);
    }
    store->flushed_unix_ns = now;
}

void jg_sm_store_done(jg_sm_store *store)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&store->resources, &at, &e);)
        resource_free(store, e.value);
    jg_map_done(&store->resources);
}
