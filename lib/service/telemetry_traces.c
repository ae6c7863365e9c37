/* SPDX-License-Identifier: Apache-2.0
 * Reads service::telemetry::traces: one processor with its exporter, the sampler of new traces, propagators.
 * Keys: go.opentelemetry.io/contrib/otelconf, TracerProvider. `exporter::pipeline` is ours: it hands our
 * spans to a pipeline of the service itself, without a socket.
 */
#include "core/str.h"
#include "service/telemetry_decode.h"
#include <jaeger/tracer.h>

#define SAMPLER_DEPTH_MAX 8
#define QUEUE_MAX         16384 /* span objects, each with a buffer of its own */

typedef jg_telemetry_decoder decoder;

typedef struct traces_config {
    int level;
    const jaeger_config *processors, *sampler, *limits;
    jaeger_str_list propagators;
} traces_config;
#define TRACES(member) .offset = offsetof(traces_config, member)
static const jaeger_field traces_fields[] = {
    {.name = "level",
     .kind = JAEGER_FIELD_ENUM,
     TRACES(level),
     .fallback = "basic",
     .choices = "none|basic|normal|detailed"},
    {.name = "propagators", .kind = JAEGER_FIELD_STRS, TRACES(propagators)},
    {.name = "processors", .kind = JAEGER_FIELD_NODE, TRACES(processors)},
    {.name = "sampler", .kind = JAEGER_FIELD_NODE, TRACES(sampler)},
    {.name = "limits", .kind = JAEGER_FIELD_NODE, TRACES(limits)},
    {0}};

typedef struct batch_config {
    uint64_t schedule_delay_ms, export_timeout_ms, max_queue_size, max_export_batch_size;
    const jaeger_config *exporter;
} batch_config;
#define BATCH(member) .offset = offsetof(batch_config, member)
static const jaeger_field batch_fields[] = {
    {.name = "schedule_delay", .kind = JAEGER_FIELD_U64, BATCH(schedule_delay_ms), .fallback = "5000"},
    {.name = "export_timeout", .kind = JAEGER_FIELD_U64, BATCH(export_timeout_ms), .fallback = "30000"},
    {.name = "max_queue_size", .kind = JAEGER_FIELD_U64, BATCH(max_queue_size), .fallback = "2048"},
    {.name = "max_export_batch_size",
     .kind = JAEGER_FIELD_U64,
     BATCH(max_export_batch_size),
     .fallback = "512"},
    {.name = "exporter", .kind = JAEGER_FIELD_NODE, BATCH(exporter)},
    {0}};

static void decode_exporter(decoder *d, const jaeger_config *owner, const jaeger_config *node)
{
    static const char *const keys[] = {"otlp", "console", "pipeline", NULL};
    jg_self_traces *t = &d->t->traces;
    const jaeger_config *otlp = jaeger_config_get(node, "otlp"),
                        *pipeline = jaeger_config_get(node, "pipeline");
    if (!jg_telemetry_only_keys(d, node, keys))
        return;
    t->console = jaeger_config_get(node, "console") != NULL;
    t->pipeline = pipeline ? jaeger_config_text(pipeline) : (jaeger_str){0};
    if (!otlp + !t->console + !pipeline != 2)
        jg_telemetry_fault(
            d, node ? node : owner,
            "must have one exporter: otlp, console, or pipeline: <name in service::pipelines>");
    else if (pipeline && !t->pipeline.len)
        jg_telemetry_fault(d, pipeline, "must be the name of a pipeline of traces");
    else if (otlp)
        t->enabled = jg_telemetry_bind(d, otlp, jg_telemetry_otlp_fields, &t->otlp);
    else
        t->enabled = true;
}

static void decode_processor(decoder *d, const jaeger_config *node)
{
    static const char *const keys[] = {"batch", "simple", NULL};
    const jaeger_config *batch = jaeger_config_get(node, "batch"),
                        *simple = jaeger_config_get(node, "simple");
    jg_self_traces *t = &d->t->traces;
    batch_config c;
    if (!jg_telemetry_only_keys(d, node, keys))
        return;
    if (!batch == !simple) {
        jg_telemetry_fault(d, node, "must have batch or simple");
        return;
    }
    if (!jg_telemetry_bind(d, batch ? batch : simple, batch_fields, &c))
        return;
    if (!c.max_queue_size || c.max_queue_size > QUEUE_MAX)
        jg_telemetry_fault(d, batch, "max_queue_size must be from 1 to 16384");
    else if (!c.max_export_batch_size || c.max_export_batch_size > c.max_queue_size)
        jg_telemetry_fault(d, batch, "max_export_batch_size must be from 1 to max_queue_size");
    else if (!c.schedule_delay_ms || c.schedule_delay_ms > 3600000)
        jg_telemetry_fault(d, batch, "schedule_delay must be from 1 to 3600000 (ms)");
    t->schedule_delay_ms = batch ? c.schedule_delay_ms : 1;
    t->export_timeout_ms = c.export_timeout_ms ? JG_MIN(c.export_timeout_ms, 3600000) : 30000;
    t->max_queue_size = c.max_queue_size;
    t->max_export_batch_size = c.max_export_batch_size;
    decode_exporter(d, batch ? batch : simple, c.exporter);
}

typedef struct ratio_config {
    double ratio;
} ratio_config;
static const jaeger_field ratio_fields[] = {
    {.name = "ratio", .kind = JAEGER_FIELD_DOUBLE, .offset = offsetof(ratio_config, ratio), .fallback = "1"},
    {0}};

/** The parent's decision always counts: otherwise we would trace the reports of our own spans. */
static void check_parents(decoder *d, const jaeger_config *node)
{
    static const struct {
        const char *key, *only;
    } rules[] = {{"remote_parent_sampled", "always_on"},
                 {"remote_parent_not_sampled", "always_off"},
                 {"local_parent_sampled", "always_on"},
                 {"local_parent_not_sampled", "always_off"}};
    for (size_t i = 0; i < JG_COUNT(rules); i++) {
        const jaeger_config *rule = jaeger_config_get(node, rules[i].key);
        if (rule && !jaeger_config_get(rule, rules[i].only))
            jg_telemetry_fault(d, rule, "only the default is supported: what the parent decided");
    }
}

static double decode_sampler(decoder *d, const jaeger_config *node, int depth)
{
    static const char *const keys[] = {"always_on", "always_off", "trace_id_ratio_based", "parent_based",
                                       NULL};
    static const char *const parent_keys[] = {"root",
                                              "remote_parent_sampled",
                                              "remote_parent_not_sampled",
                                              "local_parent_sampled",
                                              "local_parent_not_sampled",
                                              NULL};
    const jaeger_config *parent = jaeger_config_get(node, "parent_based"),
                        *ratio = jaeger_config_get(node, "trace_id_ratio_based");
    ratio_config c = {1};
    if (!node || !jg_telemetry_only_keys(d, node, keys))
        return 1;
    if (jaeger_config_count(node) != 1 || depth == SAMPLER_DEPTH_MAX) {
        jg_telemetry_fault(d, node,
                           "must be one of always_on, always_off, trace_id_ratio_based and parent_based");
    } else if (parent) {
        if (!jg_telemetry_only_keys(d, parent, parent_keys))
            return 1;
        check_parents(d, parent);
        return decode_sampler(d, jaeger_config_get(parent, "root"), depth + 1);
    } else if (ratio) {
        if (jg_telemetry_bind(d, ratio, ratio_fields, &c) && !(c.ratio >= 0 && c.ratio <= 1))
            jg_telemetry_fault(d, ratio, "ratio must be from 0 to 1");
    }
    return jaeger_config_get(node, "always_off") ? 0 : c.ratio;
}

static unsigned decode_propagators(decoder *d, const jaeger_config *node, const jaeger_str_list *names)
{
    static const struct {
        const char *name;
        unsigned format;
    } known[] = {{"tracecontext", JAEGER_W3C},
                 {"b3", JAEGER_B3_SINGLE},
                 {"b3multi", JAEGER_B3_MULTI},
                 {"jaeger", JAEGER_UBER},
                 {"baggage", 0}};
    unsigned formats = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t k = 0;
        while (k < JG_COUNT(known) && !jg_str_is(names->items[i], known[k].name))
            k++;
        if (k < JG_COUNT(known))
            formats |= known[k].format;
        else
            jg_telemetry_fault(d, jaeger_config_get(node, "propagators"),
                               "unknown propagator: must be tracecontext, baggage, b3, b3multi or jaeger");
    }
    return formats ? formats : JAEGER_W3C;
}

void jg_telemetry_decode_traces(decoder *d, const jaeger_config *node)
{
    traces_config c;
    if (!node || !jg_telemetry_bind(d, node, traces_fields, &c))
        return;
    d->t->traces.propagators = decode_propagators(d, node, &c.propagators);
    d->t->traces.ratio = decode_sampler(d, c.sampler, 0);
    if (jaeger_config_count(c.processors) > 1)
        jg_telemetry_fault(d, c.processors, "only one processor is supported");
    else if (jaeger_config_count(c.processors))
        decode_processor(d, jaeger_config_at(c.processors, 0, NULL));
    if (c.level == 0)
        d->t->traces.enabled = false;
}
