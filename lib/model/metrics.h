/* SPDX-License-Identifier: Apache-2.0
 * Reading OTLP metrics: a message is walked, nothing is built. What a batch of metrics holds was checked
 * once, so that walking it later cannot fail; counts of buckets may still disagree with their bounds. Spec:
 * opentelemetry-proto v1.3, metrics/v1/metrics.proto, collector/metrics/v1/metrics_service.proto.
 */
#ifndef JG_MODEL_METRICS_H
#define JG_MODEL_METRICS_H

#include "core/pb.h"
#include <jaeger/batch.h>

enum {
    JG_OTLP_RESOURCE_METRICS = 1, /* of the request; inside, and in ScopeMetrics, as with spans: */
    JG_OTLP_METRICS_OWNER = 1,    /* resource or scope */
    JG_OTLP_METRICS_ITEMS = 2,    /* scope_metrics or metrics */
    JG_OTLP_METRICS_SCHEMA_URL = 3,

    JG_OTLP_METRIC_NAME = 1,
    JG_OTLP_METRIC_DESCRIPTION = 2,
    JG_OTLP_METRIC_UNIT = 3,

    JG_OTLP_DATA_POINTS = 1, /* of each kind of data */
    JG_OTLP_DATA_TEMPORALITY = 2,
    JG_OTLP_DATA_MONOTONIC = 3,

    JG_OTLP_POINT_START = 2, /* of all points but */
    JG_OTLP_POINT_TIME = 3,
    JG_OTLP_NUMBER_DOUBLE = 4,
    JG_OTLP_NUMBER_EXEMPLARS = 5,
    JG_OTLP_NUMBER_INT = 6,
    JG_OTLP_NUMBER_ATTRIBUTES = 7,
    JG_OTLP_NUMBER_FLAGS = 8,

    JG_OTLP_HISTOGRAM_COUNT = 4, /* also of exponential ones and summaries */
    JG_OTLP_HISTOGRAM_SUM = 5,
    JG_OTLP_HISTOGRAM_COUNTS = 6,
    JG_OTLP_HISTOGRAM_BOUNDS = 7,
    JG_OTLP_HISTOGRAM_EXEMPLARS = 8,
    JG_OTLP_HISTOGRAM_ATTRIBUTES = 9,
    JG_OTLP_HISTOGRAM_FLAGS = 10, /* also of exponential ones */
    JG_OTLP_HISTOGRAM_MIN = 11,
    JG_OTLP_HISTOGRAM_MAX = 12,

    JG_OTLP_EXP_ATTRIBUTES = 1,
    JG_OTLP_EXP_SCALE = 6, /* sint32 */
    JG_OTLP_EXP_ZERO_COUNT = 7,
    JG_OTLP_EXP_POSITIVE = 8,
    JG_OTLP_EXP_EXEMPLARS = 11,
    JG_OTLP_EXP_MIN = 12,
    JG_OTLP_EXP_MAX = 13,
    JG_OTLP_EXP_BUCKETS_OFFSET = 1, /* sint32 */
    JG_OTLP_EXP_BUCKETS_COUNTS = 2, /* packed varints */

    JG_OTLP_SUMMARY_QUANTILES = 6,
    JG_OTLP_SUMMARY_ATTRIBUTES = 7,

    JG_OTLP_EXEMPLAR_TIME = 2,
    JG_OTLP_EXEMPLAR_DOUBLE = 3,
    JG_OTLP_EXEMPLAR_SPAN_ID = 4,
    JG_OTLP_EXEMPLAR_TRACE_ID = 5,
    JG_OTLP_EXEMPLAR_INT = 6,
};

/** The numbers of Metric.data. */
typedef enum jg_metric_type {
    JG_METRIC_NONE = 0,
    JG_METRIC_GAUGE = 5,
    JG_METRIC_SUM = 7,
    JG_METRIC_HISTOGRAM = 9,
    JG_METRIC_EXPONENTIAL = 10,
    JG_METRIC_SUMMARY = 11
} jg_metric_type;

enum { JG_TEMPORALITY_DELTA = 1, JG_TEMPORALITY_CUMULATIVE = 2 };

/** One data point with all that is above it. Strings point into the message. */
typedef struct jg_metric_point {
    jaeger_str resource, scope; /* bodies */
    jaeger_str resource_schema_url, scope_schema_url;
    jaeger_str name, description, unit;
    jg_metric_type type;
    uint32_t temporality;
    bool monotonic;
    jaeger_str body; /* of the data point */
    uint32_t attrs_field, exemplars_field;
    uint64_t start_unix_ns, time_unix_ns;
    double value; /* gauges and sums */
    bool no_value;
    uint64_t count; /* the others */
    double sum;
    jaeger_str counts, bounds; /* histogram: packed fixed64 and double */
    int32_t scale, offset;     /* exponential */
    uint64_t zero_count;
    jaeger_str positive; /* packed varints */
} jg_metric_point;

typedef struct jg_metric_sink {
    bool (*point)(void *self, const jg_metric_point *point); /* false: stop */
    void *self;
} jg_metric_sink;

typedef struct jg_exemplar {
    uint64_t time_unix_ns;
    double value;
    uint8_t trace_id[16], span_id[8];
    bool has_trace;
} jg_exemplar;

/** Is it protobuf of the right shape? */
bool jg_metrics_valid(jaeger_str message, size_t *ret_points) JG_MUST_CHECK;
/** Walk the points of a message that was checked. @return false: the sink stopped it */
bool jg_metrics_walk(jaeger_str message, jg_metric_sink sink);
/** One level at a time, of a message that was checked. What `ret` knows of the levels above stays. */
void jg_metrics_group_read(jaeger_str body, bool is_scope, jg_metric_point *ret);
/** @param ret_data body of its gauge, sum, ...; ptr NULL: it has none. @return false: not protobuf */
bool jg_metric_read(const jg_metric_point *scope, jaeger_str body, jg_metric_point *ret,
                    jaeger_str *ret_data);
bool jg_metric_point_read(const jg_metric_point *metric, jaeger_str body, jg_metric_point *ret);
/** Attributes of a point: for jaeger_next_attr. */
jaeger_iter jg_point_attrs(const jg_metric_point *point);
/** Walk exemplars: start with *iter = jg_pb_of_str(point->body). */
bool jg_point_next_exemplar(const jg_metric_point *point, jg_pb *iter, jg_exemplar *ret);
/** Item `i` of packed 8-byte numbers. */
JG_INLINE uint64_t jg_packed_u64(jaeger_str packed, size_t i)
{
    uint64_t value;
    memcpy(&value, packed.ptr + 8 * i, 8);
    return value;
}
JG_INLINE double jg_packed_double(jaeger_str packed, size_t i)
{
    double value;
    memcpy(&value, packed.ptr + 8 * i, 8);
    return value;
}

#endif
