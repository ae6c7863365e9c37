/* SPDX-License-Identifier: Apache-2.0
 * The graph: the components of a configuration, created and connected.
 *
 * Receivers, exporters and connectors have one instance for each id, processors one for each pipeline.
 * Everything is created from the ends to the beginnings, so that each component is born with what follows it.
 * Rules: opentelemetry-collector service/internal/graph.
 */
#ifndef JG_PIPELINE_GRAPH_H
#define JG_PIPELINE_GRAPH_H

#include "core/attr.h"
#include "pipeline/fanout.h"
#include "pipeline/sections.h"

/** A component at work. */
typedef struct jg_component {
    const jg_def *def;
    const char *pipeline; /* processors: where it works; NULL for others */
    void *self;
    jaeger_logger log;
    bool made, started;
    jaeger_consumer next; /* kept: receivers and connectors get it at birth */
} jg_component;

/** A pipeline at work. */
typedef struct jg_pipeline {
    const jg_pipeline_def *def;
    jg_sink head; /* what receivers push into */
} jg_pipeline;

typedef struct jg_graph {
    const jg_sections *sections;
    jaeger_host *host;
    const jaeger_log_sink *sink;
    jaeger_arena *arena;
    jg_pipeline *pipelines;
    jg_component *components; /* in order of creation: ends first, receivers after, extensions in front */
    size_t component_count, component_max, extension_count;
} jg_graph;

typedef struct jg_graph_options {
    const jg_sections *sections; /* validated; must outlive the graph, as must all below */
    jaeger_host *host;
    const jaeger_log_sink *sink;
} jg_graph_options;

/** Connect and create. `graph` is usable by jg_graph_done even after a failure. @return false: faults were
 * added */
bool jg_graph_init(jg_graph *graph, const jg_graph_options *options, jg_report *report);
/** Destroy all components. Accepts a zeroed graph. */
void jg_graph_done(jg_graph *graph);
/** Extensions, exporters, processors and connectors, receivers. On failure nothing is undone: call stop. */
jaeger_status jg_graph_start(jg_graph *graph, jaeger_error *err) JG_MUST_CHECK;
/** Against the order of start; components that were not started are left alone. Idempotent. */
void jg_graph_stop(jg_graph *graph, uint64_t deadline_ns);

/** NULL: no such pipeline. */
const jg_pipeline *jg_graph_pipeline(const jg_graph *graph, const char *name);
/** The extension `id`; NULL: it is not in service.extensions. */
jg_component *jg_graph_extension(const jg_graph *graph, const char *id);

/* pipeline/cycle.c */
/** Does connector `def` carry from a pipeline of signal `from` to one of signal `to`? */
bool jg_connector_carries(const jg_def *def, uint32_t from, uint32_t to);
/** Connectors must be used on both sides, and no data may run in a circle. @return false: faults were added
 */
bool jg_graph_check(const jg_sections *sections, jg_report *report);

#endif
