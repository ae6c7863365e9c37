/* SPDX-License-Identifier: Apache-2.0
 * A source of query/metrics.h: rates and latencies that OpenSearch or Elasticsearch counts over the stored
 * spans.
 */
#ifndef JG_EXTENSIONS_JAEGER_QUERY_METRICS_SEARCH_H
#define JG_EXTENSIONS_JAEGER_QUERY_METRICS_SEARCH_H

#include "core/metrics.h"
#include "query/metrics.h"

/** @param node section of a backend; lives as long as the source. Does not connect. @return INVALID_ARGUMENT
 */
jaeger_status jg_metrics_search_open(const jaeger_config *node, const jaeger_logger *log, jg_metrics *metrics,
                                     jg_metrics_source *ret, jaeger_error *err) JAEGER_MUST_CHECK;

/** One bucket of time. */
typedef struct jg_search_bucket {
    uint64_t time_ms, count;
    double value; /* the percentile, in microseconds */
} jg_search_bucket;

typedef struct jg_search_series {
    jaeger_str operation; /* "": of the service */
    jg_search_bucket *items;
    size_t count, cap;
} jg_search_series;

typedef struct jg_search_counts {
    jg_search_series *items;
    size_t count, cap;
} jg_search_counts;

/** Append the body that asks about one service. @param errors only spans with an error
 *  @param dot stands for '.' in names of fields */
void jg_metrics_search_put(jg_buf *out, const jg_metrics_query *query, jaeger_str service, bool errors,
                           jaeger_str dot);
/** Read the answer into call->arena. No aggregation in it, for want of indices: none. @return INTERNAL */
jaeger_status jg_metrics_search_read(jaeger_str json, bool by_operation, jg_search_counts *ret,
                                     jaeger_call *call) JAEGER_MUST_CHECK;
/** The points of one series from `calls`; `errors` NULL, or the same time's errors. @param points room for
 * calls->count @return how many */
size_t jg_metrics_search_points(const jg_metrics_query *query, const jg_search_series *calls,
                                const jg_search_series *errors, jg_metrics_point *points);

#endif
