/* SPDX-License-Identifier: Apache-2.0
 * What span_metrics counts: resources, their metrics, the series of each. A series is known by the bytes of
 * its attributes (the body of a KeyValueList), which are also what is written. Not thread-safe.
 */
#ifndef JG_CONNECTORS_SPAN_METRICS_SERIES_H
#define JG_CONNECTORS_SPAN_METRICS_SERIES_H

#include "core/buf.h"
#include "core/map.h"
#include <jaeger/batch.h>

/** A histogram: explicit bounds (ascending), or exponential if max_size is not 0. */
typedef struct jg_sm_shape {
    const double *bounds;
    size_t bound_count;
    uint32_t max_size;
} jg_sm_shape;

/** Counts by bucket. Explicit: bound_count + 1 of them. Exponential: bucket i holds the values in
 *  (base^(offset + i), base^(offset + i + 1)] with base = 2^(2^-scale). */
typedef struct jg_sm_buckets {
    int32_t scale, offset;
    uint32_t size; /* exponential: used so far */
    uint64_t zero_count;
    uint64_t *counts;
} jg_sm_buckets;

#define JG_SM_SCALE_MAX 20

void jg_sm_buckets_add(jg_sm_buckets *b, const jg_sm_shape *shape, double value, uint64_t n);
/** Index of the exponential bucket of a positive value. */
int32_t jg_sm_exponential_index(double value, int32_t scale);

typedef struct jg_sm_exemplar {
    uint8_t trace_id[16], span_id[8];
    double value;
    uint64_t time_unix_ns;
} jg_sm_exemplar;

typedef struct jg_sm_series {
    jaeger_str attrs;
    uint64_t start_unix_ns, seen_unix_ns;
    uint64_t count;
    double sum;
    jg_sm_buckets buckets; /* counts NULL: a sum */
    jg_sm_exemplar *exemplars;
    uint32_t exemplar_count;
    bool reported; /* a flush has shown it */
} jg_sm_series;

typedef enum jg_sm_metric { JG_SM_CALLS, JG_SM_DURATION, JG_SM_EVENTS, JG_SM_METRICS } jg_sm_metric;

typedef struct jg_sm_resource {
    jaeger_str key;
    jaeger_str body; /* of the Resource message */
    uint64_t seen_unix_ns;
    jg_map series[JG_SM_METRICS]; /* attrs -> jg_sm_series */
} jg_sm_resource;

typedef struct jg_sm_options {
    const char *names[JG_SM_METRICS]; /* whole */
    const char *unit;
    jg_sm_shape shape;
    bool delta;
    uint32_t exemplars_max; /* of a point; 0: none */
    uint64_t cardinality_max, resources_max;
    uint64_t resource_expiry_ns, series_expiry_ns; /* 0: never */
} jg_sm_options;

typedef struct jg_sm_store {
    jg_sm_options options;
    jg_map resources;
    size_t series_count, bytes;
    uint64_t flushed_unix_ns; /* the flush before */
    uint64_t dropped;         /* for want of memory */
} jg_sm_store;

typedef struct jg_sm_observation {
    double value;
    uint64_t n; /* times */
    uint64_t now_unix_ns;
    const jaeger_span *span; /* for an exemplar */
} jg_sm_observation;

/** The resource with this key, made with `body`; the one not seen longest gives way. NULL: out of memory. */
jg_sm_resource *jg_sm_store_resource(jg_sm_store *store, jaeger_str key, jaeger_str body,
                                     uint64_t now_unix_ns);
/** Count; over a ceiling the series "otel.metric.overflow" takes it. */
void jg_sm_store_add(jg_sm_store *store, jg_sm_resource *resource, jg_sm_metric metric, jaeger_str attrs,
                     const jg_sm_observation *seen);
/** Write all as an ExportMetricsServiceRequest; forget what has expired, and for deltas what was written. */
void jg_sm_store_flush(jg_sm_store *store, uint64_t now_unix_ns, jg_buf *out);
void jg_sm_store_done(jg_sm_store *store);

#endif
