/* SPDX-License-Identifier: Apache-2.0
 * What the prometheus exporter shows: families, and the last value of each of their series. Not thread-safe.
 */
#ifndef JG_EXPORTERS_PROMETHEUS_SERIES_H
#define JG_EXPORTERS_PROMETHEUS_SERIES_H

#include "core/map.h"
#include "exporters/prometheus/names.h"
#include "model/metrics.h"

typedef enum jg_prom_type { JG_PROM_COUNTER, JG_PROM_GAUGE, JG_PROM_HISTOGRAM, JG_PROM_SUMMARY } jg_prom_type;

typedef struct jg_prom_family {
    jaeger_str name, help;
    jg_prom_type type;
    size_t series_count;
} jg_prom_family;

#define JG_PROM_EXEMPLARS_MAX 20

/** One allocation with its texts and buckets. */
typedef struct jg_prom_series {
    jaeger_str key;    /* family, a zero byte, labels */
    jaeger_str labels; /* a="b",c="d": sorted */
    jg_prom_family *family;
    uint64_t time_unix_ns, updated_ns;
    double value, sum;
    uint64_t count;
    size_t bound_count; /* histogram: bounds; summary: quantiles */
    double *bounds, *quantiles;
    uint64_t *counts; /* bound_count + 1 */
    jg_exemplar *exemplars;
    size_t exemplar_count;
    size_t bytes;
} jg_prom_series;

typedef struct jg_prom_options {
    jaeger_str space;
    const jaeger_pair *const_labels;
    size_t const_label_count;
    jg_prom_strategy strategy;
    bool resource_labels, exclude_service_labels, without_scope, keep_underscore;
    uint64_t expiry_ns;
} jg_prom_options;

typedef struct jg_prom_store {
    jg_prom_options options;
    jg_map families, series;
    size_t bytes;
    jg_buf labels, key; /* scratch */
    jaeger_arena *arena;
    uint64_t dropped;
    const char *dropped_why; /* the last reason */
} jg_prom_store;

/** @return false: out of memory */
bool jg_prom_store_init(jg_prom_store *store, const jg_prom_options *options);
void jg_prom_store_done(jg_prom_store *store);
/** Take one message that was checked. What cannot be shown counts as dropped. */
void jg_prom_store_take(jg_prom_store *store, jaeger_str message, uint64_t now_ns);
/** Forget series that were not refreshed. */
void jg_prom_store_expire(jg_prom_store *store, uint64_t now_ns);

/** Write the page. */
typedef struct jg_prom_page {
    bool open_metrics, timestamps;
} jg_prom_page;
void jg_prom_write_page(const jg_prom_store *store, const jg_prom_page *page, jg_buf *out);

#endif
