/* SPDX-License-Identifier: Apache-2.0
 * Rates, errors and latencies over time: what the Monitor page asks. Sources answer: Prometheus, or the
 * traces themselves. Contract: docs/compatibility.md, "/api/metrics".
 */
#ifndef JG_QUERY_METRICS_H
#define JG_QUERY_METRICS_H

#include "core/buf.h"
#include "net/settings.h"
#include <jaeger/storage.h>

typedef enum jg_metrics_what { JG_METRICS_LATENCIES, JG_METRICS_CALLS, JG_METRICS_ERRORS } jg_metrics_what;

#define JG_METRICS_POINTS_MAX 11000 /* of one series; Prometheus' own limit */

typedef struct jg_metrics_query {
    jg_metrics_what what;
    const jaeger_str *services;
    size_t service_count;
    uint32_t kinds; /* bit 1 << JAEGER_KIND_… */
    bool by_operation;
    double quantile;                                /* latencies */
    uint64_t end_ms, lookback_ms, step_ms, rate_ms; /* end: since 1970 */
} jg_metrics_query;

typedef struct jg_metrics_point {
    uint64_t time_ms;
    double value;
} jg_metrics_point;

typedef struct jg_metrics_series {
    jaeger_pair *labels;
    size_t label_count;
    jg_metrics_point *points;
    size_t point_count;
} jg_metrics_series;

typedef struct jg_metrics_result {
    jg_metrics_series *items; /* in the call's arena */
    size_t count;
} jg_metrics_result;

typedef struct jg_metrics_source {
    jaeger_status (*query)(void *self, const jg_metrics_query *query, jg_metrics_result *ret,
                           jaeger_call *call);
    void (*close)(void *self);
    void *self;
    bool knows_tenants; /* answers for call->tenant alone */
} jg_metrics_source;

/* ---- Prometheus (metrics_prometheus.c) ---- */

typedef struct jg_prometheus_config {
    jaeger_str endpoint, token_file_path, metric_namespace;
    uint64_t connect_timeout_ns;
    jg_tls_settings tls;
    bool token_override_from_context, normalize_calls, normalize_duration;
    int latency_unit;
    jaeger_pair_list extra_query_parameters;
    const jaeger_config *auth;
} jg_prometheus_config;
extern const jaeger_field jg_prometheus_fields[];

/** @param node the section; lives as long as the source. @return INVALID_ARGUMENT */
jaeger_status jg_prometheus_open(const jaeger_config *node, jg_metrics_source *ret,
                                 jaeger_error *err) JAEGER_MUST_CHECK;
/** Write the PromQL of `query`. */
void jg_prometheus_write_query(jg_buf *out, const jg_prometheus_config *config,
                               const jg_metrics_query *query);
/** Read an answer of /api/v1/query_range. @return INTERNAL: not such an answer; UNAVAILABLE: it reports an
 * error */
jaeger_status jg_prometheus_read(jaeger_str json, jg_metrics_result *ret,
                                 jaeger_call *call) JAEGER_MUST_CHECK;

/* ---- the traces store (metrics_traces.c) ---- */

/** @param traces_max newest traces of a service that one query reads */
jaeger_status jg_metrics_from_traces(jaeger_storage traces, uint32_t traces_max, jg_metrics_source *ret,
                                     jaeger_error *err) JAEGER_MUST_CHECK;

#endif
