/* SPDX-License-Identifier: Apache-2.0
 * See config.h.
 */
#include "connectors/span_metrics/config.h"

#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"

/* ---- checking ---- */

static const struct {
    const char *name;
    unsigned bit;
} reserved[] = {{"service.name", JG_SM_SKIP_SERVICE},
                {"span.name", JG_SM_SKIP_SPAN},
                {"span.kind", JG_SM_SKIP_KIND},
                {"status.code", JG_SM_SKIP_STATUS},
                {"collector.instance.id", JG_SM_SKIP_INSTANCE}};

unsigned jg_sm_skipped(const jaeger_str_list *names)
{
    unsigned bits = 0;
    for (size_t i = 0; i < names->count; i++)
        for (size_t k = 0; k < JG_COUNT(reserved); k++)
            if (jg_str_is(names->items[i], reserved[k].name))
                bits |= reserved[k].bit;
    return bits;
}

static jaeger_status check_dimensions(const char *path, const jaeger_block_list *list,
                                      const jaeger_block_list *more, jaeger_error *err)
{
    for (size_t i = 0; i < list->count + more->count; i++) {
        const jg_sm_dimension *d = i < list->count ? (const jg_sm_dimension *)list->items + i
                                                   : (const jg_sm_dimension *)more->items + (i - list->count);
        bool taken = false;
        if (!d->name.len == !d->glob.len)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: a dimension needs a name or a glob", path);
        for (size_t k = 0; k + 1 < JG_COUNT(reserved); k++)
            taken |= jg_str_is(d->name, reserved[k].name);
        for (size_t k = 0; k < i && d->name.len; k++) {
            const jg_sm_dimension *other = k < list->count
                                               ? (const jg_sm_dimension *)list->items + k
                                               : (const jg_sm_dimension *)more->items + (k - list->count);
            taken |= jg_str_eq(d->name, other->name);
        }
        if (taken)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: duplicate dimension name %.*s", path,
                           JAEGER_STR_ARGS(d->name));
    }
    return JAEGER_OK;
}

/** An explicit bound in ns. */
bool jg_sm_read_bound(jaeger_str text, int64_t *ret)
{
    return jg_str_to_duration(text, ret) || jg_str_to_i64(text, ret);
}

static jaeger_status check_histogram(const char *path, const jg_sm_config *c, jaeger_error *err)
{
    int64_t bound, last = INT64_MIN;
    const jaeger_str_list *buckets = &c->histogram.explicit.buckets;
    if (c->histogram.explicit.enabled && c->histogram.exponential.enabled)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: use either `explicit` or `exponential` buckets histogram", path);
    if (c->histogram.exponential.max_size < 0 ||
        c->histogram.exponential.max_size > JG_EXPONENTIAL_BUCKETS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s::histogram::exponential::max_size is not in 0..%d",
                       path, JG_EXPONENTIAL_BUCKETS_MAX);
    if (buckets->count > BOUNDS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: more than %d buckets", path, BOUNDS_MAX);
    for (size_t i = 0; i < buckets->count; i++, last = bound)
        if (!jg_sm_read_bound(buckets->items[i], &bound) || bound <= last)
            return jg_fail(
                err, JAEGER_INVALID_ARGUMENT,
                "%s::histogram::explicit::buckets: \"%.*s\" is not a duration, or not above the last", path,
                JAEGER_STR_ARGS(buckets->items[i]));
    return JAEGER_OK;
}

jaeger_status jg_sm_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const jg_sm_config *c = config;
    const char *path =
        node && jaeger_config_path(node)[0] ? jaeger_config_path(node) : "connectors::span_metrics";
    static const jaeger_block_list none = {0};
    JG_TRY(check_dimensions(path, &c->dimensions, &none, err));
    JG_TRY(check_dimensions(path, &c->dimensions, &c->calls_dimensions, err));
    JG_TRY(check_dimensions(path, &c->dimensions, &c->histogram.dimensions, err));
    JG_TRY(check_dimensions(path, &c->dimensions, &c->events.dimensions, err));
    JG_TRY(check_histogram(path, c, err));
    if (c->events.enabled && !c->events.dimensions.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: no dimensions configured for events", path);
    if (c->flush_interval_ns == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: metrics_flush_interval must be positive", path);
    if (c->resource_cache_size <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: resource_metrics_cache_size must be positive",
                       path);
    if (c->cardinality_limit < 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: invalid aggregation_cardinality_limit: %lld, the limit should be positive", path,
                       (long long)c->cardinality_limit);
    if (jg_str_is(c->temporality, "AGGREGATION_TEMPORALITY_DELTA") && c->timestamp_cache_size <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: invalid delta timestamp cache size: %lld, the maximum number of the items in the "
                       "cache should be positive",
                       path, (long long)c->timestamp_cache_size);
    return JAEGER_OK;
}

/* ---- keys ---- */

#define CONFIG                     jg_sm_config
#define MEMBER(m)                  (((CONFIG *)0)->m)
#define AT(m)                      .offset = offsetof(CONFIG, m)
#define IN(block, m)               .offset = offsetof(CONFIG, block.m) - offsetof(CONFIG, block)
#define DIMENSIONS                 .kind = JAEGER_FIELD_LIST, .sub = dimension_fields, .sub_size = sizeof(jg_sm_dimension)
#define BLOCK(m, the_kind, fields) .kind = the_kind, AT(m), .sub = fields, .sub_size = sizeof(MEMBER(m))

static const jaeger_field dimension_fields[] = {
    {.name = "name",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_sm_dimension, name),
     .doc = "attribute of the span, else of the resource"},
    {.name = "default",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(jg_sm_dimension, fallback),
     .doc = "value where neither has it; absent: no attribute"},
    {.name = "glob",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_sm_dimension, glob),
     .doc = "instead of name: all attributes that match, with * and ?"},
    {0}};

static const jaeger_field explicit_fields[] = {{.name = "buckets",
                                                .kind = JAEGER_FIELD_STRS,
                                                IN(histogram.explicit, buckets),
                                                .doc = "upper bounds, as durations"},
                                               {0}};

static const jaeger_field exponential_fields[] = {{.name = "max_size",
                                                   .kind = JAEGER_FIELD_I64,
                                                   IN(histogram.exponential, max_size),
                                                   .doc = "buckets of a histogram; 0: 160"},
                                                  {0}};

static const jaeger_field histogram_fields[] = {
    {.name = "disable", .kind = JAEGER_FIELD_BOOL, IN(histogram, disable), .doc = "no durations"},
    {.name = "unit",
     .kind = JAEGER_FIELD_ENUM,
     IN(histogram, unit),
     .fallback = "ms",
     .choices = "ms|s",
     .doc = "of durations"},
    {.name = "dimensions", DIMENSIONS, IN(histogram, dimensions), .doc = "more dimensions of durations"},
    {.name = "explicit",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     IN(histogram, explicit),
     .sub = explicit_fields,
     .sub_size = sizeof(MEMBER(histogram.explicit)),
     .doc = "histograms with fixed bounds (default)"},
    {.name = "exponential",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     IN(histogram, exponential),
     .sub = exponential_fields,
     .sub_size = sizeof(MEMBER(histogram.exponential)),
     .doc = "exponential histograms"},
    {0}};

static const jaeger_field exemplar_fields[] = {
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, IN(exemplars, enabled), .doc = "keep exemplars"},
    {.name = "max_per_data_point",
     .kind = JAEGER_FIELD_U64,
     IN(exemplars, max_per_data_point),
     .fallback = "5",
     .doc = "exemplars of a series between two flushes"},
    {0}};

static const jaeger_field event_fields[] = {
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, IN(events, enabled), .doc = "count events"},
    {.name = "dimensions",
     DIMENSIONS,
     IN(events, dimensions),
     .doc = "attributes of the span, the event or the resource"},
    {0}};

const jaeger_field jg_sm_fields[] = {
    {.name = "dimensions", DIMENSIONS, AT(dimensions), .doc = "more attributes of all metrics"},
    {.name = "calls_dimensions", DIMENSIONS, AT(calls_dimensions), .doc = "more attributes of calls"},
    {.name = "exclude_dimensions",
     .kind = JAEGER_FIELD_STRS,
     AT(exclude_dimensions),
     .doc = "of service.name, span.name, span.kind, status.code, collector.instance.id: those to leave out"},
    {.name = "dimensions_cache_size",
     .kind = JAEGER_FIELD_I64,
     AT(dimensions_cache_size),
     .doc = "accepted for compatibility"},
    {.name = "resource_metrics_cache_size",
     .kind = JAEGER_FIELD_I64,
     AT(resource_cache_size),
     .fallback = "1000",
     .doc = "resources counted at a time; the one not seen longest gives way"},
    {.name = "resource_metrics_key_attributes",
     .kind = JAEGER_FIELD_STRS,
     AT(resource_key),
     .doc = "attributes that tell resources apart; empty: all"},
    {.name = "aggregation_temporality",
     .kind = JAEGER_FIELD_STR,
     AT(temporality),
     .fallback = "AGGREGATION_TEMPORALITY_CUMULATIVE",
     .doc = "AGGREGATION_TEMPORALITY_DELTA, else cumulative"},
    {.name = "histogram", BLOCK(histogram, JAEGER_FIELD_BLOCK, histogram_fields), .doc = "durations"},
    {.name = "metrics_flush_interval",
     .kind = JAEGER_FIELD_DURATION,
     AT(flush_interval_ns),
     .fallback = "60s",
     .doc = "between two batches of metrics"},
    {.name = "metrics_expiration",
     .kind = JAEGER_FIELD_DURATION,
     AT(metrics_expiration_ns),
     .doc = "forget a resource that is not seen for so long; 0: never"},
    {.name = "series_expiration",
     .kind = JAEGER_FIELD_DURATION,
     AT(series_expiration_ns),
     .doc = "the same for one series"},
    {.name = "metric_timestamp_cache_size",
     .kind = JAEGER_FIELD_I64,
     AT(timestamp_cache_size),
     .fallback = "1000",
     .doc = "accepted for compatibility: a delta begins where the last flush ended"},
    {.name = "namespace",
     .kind = JAEGER_FIELD_STR,
     AT(namespace),
     .fallback = "traces.span.metrics",
     .doc = "before the names of metrics"},
    {.name = "exemplars",
     BLOCK(exemplars, JAEGER_FIELD_BLOCK, exemplar_fields),
     .doc = "trace ids beside the numbers"},
    {.name = "events", BLOCK(events, JAEGER_FIELD_BLOCK, event_fields), .doc = "count events of spans too"},
    {.name = "aggregation_cardinality_limit",
     .kind = JAEGER_FIELD_I64,
     AT(cardinality_limit),
     .doc = "series of one metric of a resource; more go to otel.metric.overflow; 0: no limit of its own"},
    {.name = "include_instrumentation_scope",
     .kind = JAEGER_FIELD_STRS,
     AT(include_instrumentation_scope),
     .doc = "scopes whose name and version become attributes"},
    {.name = "add_resource_attributes",
     .kind = JAEGER_FIELD_BOOL,
     AT(add_resource_attributes),
     .doc = "keep resource attributes even with the gate connector.spanmetrics.excludeResourceMetrics"},
    {.name = "enable_metrics_sampling_method",
     .kind = JAEGER_FIELD_BOOL,
     AT(sampling_method),
     .doc = "add sampling.method: counted or extrapolated"},
    {0}};
