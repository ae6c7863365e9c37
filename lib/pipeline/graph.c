/* SPDX-License-Identifier: Apache-2.0
 * See graph.h. The walk is recursive over connectors; pipeline/cycle.c has made sure that it ends.
 */
#include "pipeline/graph.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "pipeline/fanout.h"
#include "pipeline/host_state.h"
#include "pipeline/ids.h"
#include "pipeline/trace.h"

static bool build_pipeline(jg_graph *g, size_t index, jg_report *report);

static jg_component *find_component(const jg_graph *g, jaeger_kind kind, const char *id)
{
    for (size_t i = 0; i < g->component_count; i++) {
        jg_component *c = &g->components[i];
        if (c->def->type->kind == kind && !c->pipeline && strcmp(c->def->id, id) == 0)
            return c;
    }
    return NULL;
}

jg_component *jg_graph_extension(const jg_graph *g, const char *id)
{
    return find_component(g, JAEGER_EXTENSION, id);
}

const jg_pipeline *jg_graph_pipeline(const jg_graph *g, const char *name)
{
    for (size_t i = 0; g->pipelines && i < g->sections->pipeline_count; i++)
        if (strcmp(g->pipelines[i].def->name, name) == 0)
            return &g->pipelines[i];
    return NULL;
}

static bool supports(const jg_def *def, const char *pipeline, uint32_t signal, jg_report *report)
{
    const jaeger_component_type *type = def->type;
    uint32_t able = type->kind == JAEGER_RECEIVER ? type->gives : type->takes;
    if (able & signal)
        return true;
    jg_report_add(
        report,
        "failed to create \"%s\" %s for data type \"%s\": telemetry type is not supported (pipeline %s)",
        def->id, jg_kind_name(type->kind), jg_signal_name(signal), pipeline);
    return false;
}

/* Make one component. `next.to.consume` NULL: nothing follows. */
static jg_component *make_for(jg_graph *g, const jg_def *def, const char *pipeline, jg_sink next,
                              uint32_t signals, jg_report *report)
{
    jg_component *c = &g->components[g->component_count];
    bool is_end = def->type->kind == JAEGER_RECEIVER || def->type->kind == JAEGER_EXTENSION;
    if (!def->type->create || (!is_end && !def->type->consume)) {
        jg_report_add(report, "failed to create \"%s\" %s: its type lacks create or consume", def->id,
                      jg_kind_name(def->type->kind));
        return NULL;
    }
    size_t bytes = def->type->state_size ? def->type->state_size : 1;
    *c = (jg_component){.def = def, .pipeline = pipeline, .next = next.to, .log = {g->sink, def->id}};
    c->self = jg_calloc(1, bytes);
    if (!c->self) {
        jg_report_add(report, "out of memory");
        return NULL;
    }
    g->component_count++;
    jaeger_error err = {0};
    jaeger_component_create in = {.size = sizeof in,
                                  .id = def->id,
                                  .config = def->config,
                                  .node = def->node,
                                  .next = next.to,
                                  .log = &c->log,
                                  .host = g->host,
                                  .signals = signals,
                                  .next_defers = next.defers};
    if (def->type->create(c->self, &in, &err) != JAEGER_OK) {
        jg_report_add(report, "failed to create \"%s\" %s: %s", def->id, jg_kind_name(def->type->kind),
                      err.message);
        return NULL;
    }
    c->made = true;
    return c;
}

static jg_component *make(jg_graph *g, const jg_def *def, const char *pipeline, jg_sink next,
                          jg_report *report)
{
    return make_for(g, def, pipeline, next, 0, report);
}

static jg_sink sink_of(const jg_component *c)
{
    const jaeger_component_type *type = c->def->type;
    bool knows = type->size >= offsetof(jaeger_component_type, defers) + sizeof type->defers;
    return (jg_sink){{type->consume, c->self, type->prompt}, knows ? type->defers : NULL};
}

static bool is_receiver_of(const jg_pipeline_def *p, const char *id)
{
    for (size_t i = 0; i < p->receiver_count; i++)
        if (strcmp(p->receivers[i], id) == 0)
            return true;
    return false;
}

/* What follows a receiver or connector of one signal: the heads of the pipelines that name it. */
static bool pipelines_of(jg_graph *g, const char *id, uint32_t signal, jg_sink *ret, jg_report *report)
{
    size_t count = 0, all = g->sections->pipeline_count;
    jg_sink *heads = jaeger_arena_alloc(g->arena, all * sizeof *heads);
    for (size_t i = 0; heads && i < all; i++) {
        const jg_pipeline_def *p = &g->sections->pipelines[i];
        if (p->signal != signal || !is_receiver_of(p, id))
            continue;
        if (!build_pipeline(g, i, report))
            return false;
        heads[count++] = g->pipelines[i].head;
    }
    *ret = heads && count ? jg_fanout_new(g->arena, heads, count) : (jg_sink){0};
    if (!ret->to.consume)
        jg_report_add(report, "out of memory");
    return ret->to.consume;
}

/* The same for several signals, one in turn. */
static bool pipelines_after(jg_graph *g, const char *id, uint32_t signals, jg_sink *ret, jg_report *report)
{
    jg_sink to[3] = {{{0}}};
    for (unsigned i = 0; i < 3; i++)
        if ((signals & 1u << i) && !pipelines_of(g, id, 1u << i, &to[i], report))
            return false;
    *ret = jg_signals_split(g->arena, to);
    if (!ret->to.consume)
        jg_report_add(report, "out of memory");
    return ret->to.consume;
}

static uint32_t connector_targets(const jg_graph *g, const jg_def *def)
{
    uint32_t targets = 0;
    for (size_t i = 0; i < g->sections->pipeline_count; i++) {
        const jg_pipeline_def *p = &g->sections->pipelines[i];
        for (size_t k = 0; k < p->exporter_count; k++)
            for (uint32_t to = JAEGER_TRACES; to <= JAEGER_LOGS; to <<= 1)
                if (strcmp(p->exporters[k], def->id) == 0 && jg_connector_carries(def, p->signal, to))
                    targets |= to;
    }
    return targets;
}

/* The exporter or connector `id` at the end of pipeline `p`, made if it is not there yet. */
static jg_component *end_of(jg_graph *g, const jg_pipeline_def *p, const char *id, jg_report *report)
{
    const jg_def *def = jg_sections_find(g->sections, JAEGER_EXPORTER, id);
    jaeger_kind kind = def ? JAEGER_EXPORTER : JAEGER_CONNECTOR;
    jg_sink next = {{0}};
    if (!def)
        def = jg_sections_find(g->sections, JAEGER_CONNECTOR, id);
    if (!supports(def, p->name, p->signal, report))
        return NULL;
    jg_component *c = find_component(g, kind, id);
    if (c)
        return c;
    if (kind == JAEGER_CONNECTOR && !pipelines_after(g, id, connector_targets(g, def), &next, report))
        return NULL;
    return make(g, def, NULL, next, report);
}

/* From the exporters up: ends, their fan-out, the processors last to first. */
static bool build_pipeline(jg_graph *g, size_t index, jg_report *report)
{
    jg_pipeline *pipeline = &g->pipelines[index];
    const jg_pipeline_def *p = pipeline->def;
    if (pipeline->head.to.consume)
        return true;
    jg_sink *ends = jaeger_arena_alloc(g->arena, p->exporter_count * sizeof *ends), at = {{0}};
    for (size_t i = 0; ends && i < p->exporter_count; i++) {
        const jg_component *c = end_of(g, p, p->exporters[i], report);
        if (!c)
            return false;
        ends[i] = sink_of(c);
    }
    if (ends)
        at = jg_fanout_new(g->arena, ends, p->exporter_count);
    if (!at.to.consume) {
        jg_report_add(report, "out of memory");
        return false;
    }
    for (size_t i = p->processor_count; i-- > 0;) {
        const jg_def *def = jg_sections_find(g->sections, JAEGER_PROCESSOR, p->processors[i]);
        const jg_component *c =
            supports(def, p->name, p->signal, report) ? make(g, def, p->name, at, report) : NULL;
        if (!c)
            return false;
        at = sink_of(c);
    }
    pipeline->head = at;
    return true;
}

/* One instance for all pipelines that name it, of whatever signal. */
static bool build_receiver(jg_graph *g, const jg_def *def, jg_report *report)
{
    uint32_t used = 0;
    jg_sink next;
    for (size_t i = 0; i < g->sections->pipeline_count; i++) {
        const jg_pipeline_def *p = &g->sections->pipelines[i];
        if (!is_receiver_of(p, def->id))
            continue;
        if (!supports(def, p->name, p->signal, report))
            return false;
        used |= p->signal;
    }
    if (!used)
        return true; /* defined, but in no pipeline */
    if (!pipelines_after(g, def->id, used, &next, report))
        return false;
    if (g->host && g->host->traced)
        next = jg_trace_origins(g->arena, next);
    if (!next.to.consume)
        jg_report_add(report, "out of memory");
    return next.to.consume && make_for(g, def, NULL, next, used, report);
}

static bool is_listed(const jg_sections *s, const char *id)
{
    for (size_t i = 0; i < s->extension_count; i++)
        if (strcmp(s->extensions[i], id) == 0)
            return true;
    return false;
}

static bool dependencies_are_made(const jg_graph *g, const jg_def *def, size_t done)
{
    for (const char *const *need = def->type->depends; need && *need; need++) {
        const char *id = *need + (**need == '?');
        bool found = **need == '?' && !is_listed(g->sections, id);
        for (size_t i = 0; i < done && !found; i++)
            found = strcmp(g->components[i].def->id, id) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* In rounds: each takes those whose needs earlier rounds have made, so that the ones without needs come
 * first. */
static bool build_extensions(jg_graph *g, jg_report *report)
{
    const jg_sections *s = g->sections;
    size_t before;
    do {
        before = g->component_count;
        for (size_t i = 0; i < s->extension_count; i++) {
            const jg_def *def = jg_sections_find(s, JAEGER_EXTENSION, s->extensions[i]);
            if (jg_graph_extension(g, def->id) || !dependencies_are_made(g, def, before))
                continue;
            if (!make(g, def, NULL, (jg_sink){{0}}, report))
                return false;
        }
    } while (g->component_count > before);
    g->extension_count = g->component_count;
    for (size_t i = 0; i < s->extension_count; i++)
        if (!jg_graph_extension(g, s->extensions[i])) {
            jg_report_add(report,
                          "failed to build extensions: unable to order extensions: %s depends on itself",
                          s->extensions[i]);
            return false;
        }
    return true;
}

static bool build_pipelines(jg_graph *g, jg_report *report)
{
    const jg_sections *s = g->sections;
    for (size_t i = 0; i < s->pipeline_count; i++)
        if (!build_pipeline(g, i, report))
            return false;
    for (size_t i = 0; i < s->defs[JAEGER_RECEIVER].count; i++)
        if (!build_receiver(g, &s->defs[JAEGER_RECEIVER].items[i], report))
            return false;
    return true;
}

static size_t components_max(const jg_sections *s)
{
    size_t max = s->extension_count;
    for (size_t i = 0; i < s->pipeline_count; i++)
        max +=
            s->pipelines[i].receiver_count + s->pipelines[i].processor_count + s->pipelines[i].exporter_count;
    return max;
}

/* "failed to build pipelines: " before what the builders said. */
static void name_the_stage(jg_report *report)
{
    static const char prefix[] = "failed to build pipelines: ";
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(report->text.max);
    jg_buf_str(&text, jg_buf_view(&report->text));
    jg_buf_clear(&report->text);
    jg_buf_lit(&report->text, prefix);
    jg_buf_str(&report->text, jg_buf_view(&text));
}

bool jg_graph_init(jg_graph *g, const jg_graph_options *options, jg_report *report)
{
    const jg_sections *s = options->sections;
    *g = (jg_graph){.sections = s, .host = options->host, .sink = options->sink};
    report->stage = JG_FAULT_BUILD;
    g->arena = jaeger_arena_new(0);
    g->component_max = components_max(s);
    g->components =
        g->arena ? jg_arena_zalloc(g->arena, (g->component_max + 1) * sizeof *g->components) : NULL;
    g->pipelines =
        g->arena ? jg_arena_zalloc(g->arena, (s->pipeline_count + 1) * sizeof *g->pipelines) : NULL;
    if (!g->components || !g->pipelines) {
        jg_report_add(report, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->pipeline_count; i++)
        g->pipelines[i].def = &s->pipelines[i];
    if (!build_extensions(g, report))
        return false;
    if (jg_graph_check(s, report) && build_pipelines(g, report))
        return true;
    name_the_stage(report);
    return false;
}

void jg_graph_done(jg_graph *g)
{
    while (g->component_count) {
        jg_component *c = &g->components[--g->component_count];
        if (c->made && c->def->type->destroy)
            c->def->type->destroy(c->self);
        jg_free(c->self);
    }
    jaeger_arena_free(g->arena);
    *g = (jg_graph){0};
}

typedef enum { PHASE_EXTENSIONS, PHASE_EXPORTERS, PHASE_PROCESSORS, PHASE_RECEIVERS, PHASES } phase;

static phase phase_of(const jg_component *c)
{
    switch (c->def->type->kind) {
    case JAEGER_EXTENSION:
        return PHASE_EXTENSIONS;
    case JAEGER_EXPORTER:
        return PHASE_EXPORTERS;
    case JAEGER_RECEIVER:
        return PHASE_RECEIVERS;
    default:
        return PHASE_PROCESSORS;
    }
}

jaeger_status jg_graph_start(jg_graph *g, jaeger_error *err)
{
    for (phase at = PHASE_EXTENSIONS; at < PHASES; at++)
        for (size_t i = 0; i < g->component_count; i++) {
            jg_component *c = &g->components[i];
            if (phase_of(c) != at || c->started)
                continue;
            c->started = true; /* stop is fine after a start that failed */
            if (c->def->type->start && c->def->type->start(c->self, err) != JAEGER_OK)
                return jg_fail_prefix(err,
                                      at == PHASE_EXTENSIONS
                                          ? "failed to start extensions: failed to start \"%s\" %s"
                                          : "cannot start pipelines: failed to start \"%s\" %s",
                                      c->def->id, jg_kind_name(c->def->type->kind));
        }
    return JAEGER_OK;
}

void jg_graph_stop(jg_graph *g, uint64_t deadline_ns)
{
    for (int at = PHASES - 1; at >= 0; at--)
        for (size_t i = g->component_count; i-- > 0;) {
            jg_component *c = &g->components[i];
            if ((int)phase_of(c) != at || !c->started)
                continue;
            c->started = false;
            if (c->def->type->stop)
                c->def->type->stop(c->self, deadline_ns);
        }
}
