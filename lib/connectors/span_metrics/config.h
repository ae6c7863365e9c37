/* SPDX-License-Identifier: Apache-2.0
 * The keys of span_metrics, bound to a struct, and what cannot work among them.
 */
#ifndef JG_CONNECTORS_SPAN_METRICS_CONFIG_H
#define JG_CONNECTORS_SPAN_METRICS_CONFIG_H

#include "connectors/span_metrics/attrs.h"
#include <jaeger/config.h>

#define BOUNDS_MAX 1000

enum { JG_SM_UNIT_MS, JG_SM_UNIT_S };
enum {
    JG_SM_SKIP_SERVICE = 1,
    JG_SM_SKIP_SPAN = 2,
    JG_SM_SKIP_KIND = 4,
    JG_SM_SKIP_STATUS = 8,
    JG_SM_SKIP_INSTANCE = 16
};

typedef struct jg_sm_config {
    jaeger_block_list dimensions, calls_dimensions;
    jaeger_str_list exclude_dimensions, include_instrumentation_scope, resource_key;
    struct {
        bool disable;
        int unit;
        jaeger_block_list dimensions;
        struct {
            bool enabled;
            jaeger_str_list buckets;
        } explicit;
        struct {
            bool enabled;
            int64_t max_size;
        } exponential;
    } histogram;
    uint64_t flush_interval_ns, metrics_expiration_ns, series_expiration_ns;
    jaeger_str temporality, namespace;
    struct {
        bool enabled;
        uint64_t max_per_data_point;
    } exemplars;
    struct {
        bool enabled;
        jaeger_block_list dimensions;
    } events;
    int64_t timestamp_cache_size, resource_cache_size, cardinality_limit, dimensions_cache_size;
    bool add_resource_attributes, sampling_method;
} jg_sm_config;

extern const jaeger_field jg_sm_fields[];
/** Slot of the component type. */
jaeger_status jg_sm_validate(const void *config, const jaeger_config *node, jaeger_error *err);
/** JG_SM_SKIP_* of names in exclude_dimensions. */
unsigned jg_sm_skipped(const jaeger_str_list *names);
/** A bucket's bound: a duration, or a number of ns. */
bool jg_sm_read_bound(jaeger_str text, int64_t *ret);

#endif
