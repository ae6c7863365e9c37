/* SPDX-License-Identifier: Apache-2.0
 * What the graph must be before it is built: connectors with two ends, and no circle. A depth-first walk over
 * the pipelines; the path of the walk is the message.
 */
#include "core/buf.h"
#include "core/str.h"
#include "pipeline/graph.h"
#include "pipeline/ids.h"

#define PIPELINES_MAX 1024 /* depth of the walk; a real configuration has under 20 */

bool jg_connector_carries(const jg_def *def, uint32_t from, uint32_t to)
{
    const jaeger_component_type *type = def->type;
    if (!(type->takes & from) || !(type->gives & to))
        return false;
    return type->takes != type->gives || from == to; /* one that takes what it gives keeps the signal */
}

static bool lists(const char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

/* Is the connector used on side `exporter` (or as receiver) by a pipeline that could be its other end? */
static bool has_other_end(const jg_sections *s, const jg_def *def, uint32_t signal, bool as_exporter)
{
    for (size_t i = 0; i < s->pipeline_count; i++) {
        const jg_pipeline_def *p = &s->pipelines[i];
        if (as_exporter ? lists(p->receivers, p->receiver_count, def->id) &&
                              jg_connector_carries(def, signal, p->signal)
                        : lists(p->exporters, p->exporter_count, def->id) &&
                              jg_connector_carries(def, p->signal, signal))
            return true;
    }
    return false;
}

static void check_ends(const jg_sections *s, const jg_def *def, jg_report *report)
{
    for (size_t i = 0; i < s->pipeline_count; i++) {
        const jg_pipeline_def *p = &s->pipelines[i];
        if (lists(p->exporters, p->exporter_count, def->id) && !has_other_end(s, def, p->signal, true))
            jg_report_add(report,
                          "connector \"%s\" used as exporter in [%s] pipeline but not used in any supported "
                          "receiver pipeline",
                          def->id, p->name);
        if (lists(p->receivers, p->receiver_count, def->id) && !has_other_end(s, def, p->signal, false))
            jg_report_add(report,
                          "connector \"%s\" used as receiver in [%s] pipeline but not used in any supported "
                          "exporter pipeline",
                          def->id, p->name);
    }
}

typedef enum { NEW, OPEN, DONE } mark;

typedef struct step {
    const jg_pipeline_def *pipeline;
    const jg_def *connector; /* through which the pipeline is left */
    const jg_pipeline_def *to;
} step;

typedef struct walk {
    const jg_sections *sections;
    jg_report *report;
    uint8_t marks[PIPELINES_MAX];
    step path[PIPELINES_MAX];
    size_t depth;
} walk;

static void fault_cycle(walk *w, const jg_pipeline_def *start)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1900);
    size_t i = 0;
    while (i < w->depth && w->path[i].pipeline != start)
        i++;
    const step *last = &w->path[w->depth - 1];
    jg_buf_printf(&text, "connector \"%s\" (%s to %s)", last->connector->id,
                  jg_signal_name(last->pipeline->signal), jg_signal_name(last->to->signal));
    for (; i < w->depth; i++) {
        const step *s = &w->path[i];
        for (size_t k = 0; k < s->pipeline->processor_count; k++)
            jg_buf_printf(&text, " -> processor \"%s\" in pipeline \"%s\"", s->pipeline->processors[k],
                          s->pipeline->name);
        jg_buf_printf(&text, " -> connector \"%s\" (%s to %s)", s->connector->id,
                      jg_signal_name(s->pipeline->signal), jg_signal_name(s->to->signal));
    }
    jg_report_add(w->report, "cycle detected: %.*s", JAEGER_STR_ARGS(jg_buf_view(&text)));
}

/* Recursion: as deep as pipelines are chained, PIPELINES_MAX at most. */
static void visit(walk *w, size_t index)
{
    const jg_sections *s = w->sections;
    const jg_pipeline_def *p = &s->pipelines[index];
    w->marks[index] = OPEN;
    for (size_t i = 0; i < p->exporter_count && !w->report->count; i++) {
        const jg_def *def = jg_sections_find(s, JAEGER_CONNECTOR, p->exporters[i]);
        for (size_t k = 0; def && k < s->pipeline_count && !w->report->count; k++) {
            const jg_pipeline_def *to = &s->pipelines[k];
            if (w->marks[k] == DONE || !lists(to->receivers, to->receiver_count, def->id) ||
                !jg_connector_carries(def, p->signal, to->signal))
                continue;
            w->path[w->depth++] = (step){p, def, to};
            if (w->marks[k] == OPEN)
                fault_cycle(w, to);
            else
                visit(w, k);
            w->depth--;
        }
    }
    w->marks[index] = DONE;
}

bool jg_graph_check(const jg_sections *sections, jg_report *report)
{
    const jg_defs *connectors = &sections->defs[JAEGER_CONNECTOR];
    for (size_t i = 0; i < connectors->count; i++)
        check_ends(sections, &connectors->items[i], report);
    if (report->count || !connectors->count)
        return !report->count;
    if (sections->pipeline_count > PIPELINES_MAX) {
        jg_report_add(report, "more than %d pipelines with connectors", PIPELINES_MAX);
        return false;
    }
    walk w = {.sections = sections, .report = report};
    for (size_t i = 0; i < sections->pipeline_count && !report->count; i++)
        if (w.marks[i] == NEW)
            visit(&w, i);
    return !report->count;
}
