/* SPDX-License-Identifier: Apache-2.0
 * Drops what its conditions are true for: resources, scopes, spans, events of spans, metrics, data points. A
 * batch that becomes empty goes no further and is a success. Spec: opentelemetry-collector-contrib
 * processor/filterprocessor/README.md.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/metrics.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "processors/filter/metrics.h"
#include <jaeger/component.h>

typedef struct filter {
    jaeger_consumer next;
    bool (*next_defers)(void *self);
    jg_filter_rules rules, metric_rules;
    const jaeger_logger *log;
    jg_metric *filtered, *filtered_points;
} filter;

/* One batch on its way. Answers about groups are kept while the spans of a group follow each other. */
typedef struct walk {
    filter *f;
    jg_filter_pass *pass;
    jaeger_arena *arena;
    jg_buf out;
    const jaeger_span_group *group;
    bool drop_resource, drop_scope;
    uint32_t resource_index;
    jaeger_status status;
    jaeger_error *err;
} walk;

/* Tests the set of one context; a failure (propagate only) keeps the thing and fails the batch. */
static bool test(walk *w, jg_ottl_context context, const jg_ottl_view *view)
{
    bool drop = false;
    jg_ottl_set *set = &w->pass->sets[context];
    if (set->count == 0)
        return false;
    jaeger_status status = jg_ottl_set_test(set, view, w->arena, w->f->log, &drop, w->err);
    if (status != JAEGER_OK)
        w->status = status;
    return drop && status == JAEGER_OK;
}

static bool drops_group(walk *w, const jaeger_span_group *group)
{
    jg_ottl_view view = {.group = group};
    if (w->group == group)
        return w->drop_resource || w->drop_scope;
    if (!w->group || w->resource_index != group->resource_index)
        w->drop_resource = test(w, JG_OTTL_RESOURCE, &view);
    w->drop_scope = !w->drop_resource && test(w, JG_OTTL_SCOPE, &view);
    w->group = group;
    w->resource_index = group->resource_index;
    return w->drop_resource || w->drop_scope;
}

static bool keeps_span(void *user, const jaeger_span *span)
{
    walk *w = user;
    jg_ottl_view view = {.group = span->group, .span = span};
    return !drops_group(w, span->group) && !test(w, JG_OTTL_SPAN, &view);
}

static bool keeps_chosen(void *user, const jaeger_span *span)
{
    const jg_filter_rules *rules = user;
    return (!rules->include || jg_choice_takes(rules->include, span)) &&
           (!rules->exclude || !jg_choice_takes(rules->exclude, span));
}

/* ---- events ---- */

/* The span without the events that a condition is true for, in w->out. @return false: none was dropped */
static bool drop_events(walk *w, const jaeger_span *span)
{
    jg_ottl_view view = {.group = span->group, .span = span};
    jaeger_iter it = jaeger_span_events(span);
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    bool dropped = false;
    jg_buf_clear(&w->out);
    for (jg_pb_field field; jg_pb_next(&pb, &field);) {
        jaeger_event event;
        if (field.number == JG_OTLP_SPAN_EVENTS && field.wire == JG_PB_LEN &&
            jaeger_next_event(&it, &event)) {
            view.event = &event;
            bool drop = test(w, JG_OTTL_SPANEVENT, &view);
            view.event_index++;
            dropped |= drop;
            if (drop)
                continue;
        }
        jg_buf_append(&w->out, field.start, (size_t)(pb.pos - field.start));
    }
    return dropped;
}

static jaeger_status filter_events(walk *w, jaeger_batch **batch)
{
    for (size_t i = 0; i < jaeger_batch_span_count(*batch); i++) {
        if (!drop_events(w, &jaeger_batch_spans(*batch)[i]))
            continue;
        if (!jg_buf_ok(&w->out))
            return jg_fail_oom(w->err);
        JG_TRY(jaeger_batch_own(batch, w->err));
        JG_TRY(jaeger_batch_replace_span(*batch, i, w->out.data, w->out.len, w->err));
    }
    return JAEGER_OK;
}

/* ---- batches ---- */

/* Does nothing to a batch whose spans all stay, so that it need not be copied. */
static jaeger_status keep_only(jaeger_batch **batch, bool (*keep)(void *user, const jaeger_span *span),
                               void *user, jaeger_error *err)
{
    const jaeger_span *spans = jaeger_batch_spans(*batch);
    size_t n = jaeger_batch_span_count(*batch), kept = 0;
    JG_AUTO_FREE uint32_t *indexes = jg_alloc((n + 1) * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(err);
    for (size_t i = 0; i < n; i++)
        if (keep(user, &spans[i]))
            indexes[kept++] = (uint32_t)i;
    if (kept == n)
        return JAEGER_OK;
    jaeger_batch *rest;
    JG_TRY(jg_batch_select(*batch, indexes, kept, &rest, err));
    jaeger_batch_unref(*batch);
    *batch = rest;
    return JAEGER_OK;
}

static bool has_span_rules(const jg_filter_pass *pass)
{
    return pass->sets[JG_OTTL_RESOURCE].count || pass->sets[JG_OTTL_SCOPE].count ||
           pass->sets[JG_OTTL_SPAN].count;
}

static jaeger_status run_pass(filter *f, jg_filter_pass *pass, jaeger_arena *arena, jaeger_batch **batch,
                              jaeger_error *err)
{
    walk w = {
        .f = f, .pass = pass, .arena = arena, .out = JG_BUF_INIT(2 * JG_HTTP_BODY_BYTES_MAX), .err = err};
    jaeger_status status = has_span_rules(pass) ? keep_only(batch, keeps_span, &w, err) : JAEGER_OK;
    if (status == JAEGER_OK && pass->sets[JG_OTTL_SPANEVENT].count)
        status = filter_events(&w, batch);
    jg_buf_done(&w.out);
    return status != JAEGER_OK ? status : w.status;
}

static jaeger_status filter_batch(filter *f, jaeger_batch **batch, jaeger_error *err)
{
    jg_filter_rules *rules = &f->rules;
    if (rules->include || rules->exclude)
        return keep_only(batch, keeps_chosen, rules, err);
    if (!rules->pass_count)
        return JAEGER_OK;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(err);
    for (size_t i = 0; i < rules->pass_count; i++)
        JG_TRY(run_pass(f, &rules->passes[i], arena, batch, err));
    return JAEGER_OK;
}

static jaeger_status consume_metrics(filter *f, jaeger_batch *batch, jaeger_call *call)
{
    size_t before = jg_batch_items(batch);
    jaeger_status status = jg_filter_metrics(&f->metric_rules, &batch, f->log, &call->error);
    size_t after = batch ? jg_batch_items(batch) : 0;
    if (after < before)
        jg_metric_add(f->filtered_points, (double)(before - after));
    if (status == JAEGER_OK && batch)
        return f->next.consume(f->next.self, batch, call);
    jaeger_batch_unref(batch);
    return status;
}

static jaeger_status filter_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    filter *f = self;
    if (jaeger_batch_signal(take) == JAEGER_METRICS)
        return consume_metrics(f, take, call);
    size_t before = jaeger_batch_span_count(take);
    jaeger_status status = filter_batch(f, &take, &call->error);
    size_t after = jaeger_batch_span_count(take);
    if (after < before)
        jg_metric_add(f->filtered, (double)(before - after));
    if (status != JAEGER_OK || (before && !after)) {
        jaeger_batch_unref(take);
        return status;
    }
    return f->next.consume(f->next.self, take, call);
}

static bool filter_prompt(void *self)
{
    return jaeger_consumer_is_prompt(&((filter *)self)->next);
}

static bool filter_defers(void *self)
{
    const filter *s = self;
    return s->next_defers && s->next_defers(s->next.self);
}

/* ---- component ---- */

static jaeger_status filter_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    jg_filter_rules trial;
    jaeger_error fault = {0};
    jaeger_status status = jg_filter_rules_init(&trial, config, &fault);
    jg_filter_rules_done(&trial);
    if (status == JAEGER_OK) {
        status = jg_filter_metric_rules_init(&trial, config, &fault);
        jg_filter_rules_done(&trial);
    }
    const char *path = jaeger_config_path(node);
    if (status == JAEGER_OK)
        return JAEGER_OK;
    return jg_fail(err, status, "%s%s%s", path, path[0] ? ": " : "", fault.message);
}

static jaeger_status filter_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    filter *f = self;
    f->next = in->next;
    f->next_defers = in->next_defers;
    f->log = in->log;
    const jaeger_pair label = {JAEGER_STR("filter"), jg_str(in->id)};
    f->filtered = jg_metrics_counter(jaeger_host_metrics(in->host), "otelcol_processor_filter_spans_filtered",
                                     "Number of spans dropped by the filter processor", &label, 1);
    f->filtered_points =
        jg_metrics_counter(jaeger_host_metrics(in->host), "otelcol_processor_filter_datapoints_filtered",
                           "Number of metric data points dropped by the filter processor", &label, 1);
    JG_TRY(jg_filter_rules_init(&f->rules, in->config, err));
    return jg_filter_metric_rules_init(&f->metric_rules, in->config, err);
}

static void filter_destroy(void *self)
{
    jg_filter_rules_done(&((filter *)self)->rules);
    jg_filter_rules_done(&((filter *)self)->metric_rules);
}

const jaeger_component_type jg_processor_filter = {
    .size = sizeof(jaeger_component_type),
    .name = "filter",
    .doc = "drops resources, scopes, spans, span events, metrics and data points by conditions",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES | JAEGER_METRICS,
    .gives = JAEGER_TRACES | JAEGER_METRICS,
    .fields = jg_filter_fields,
    .config_size = sizeof(jg_filter_config),
    .state_size = sizeof(filter),
    .validate = filter_validate,
    .create = filter_create,
    .consume = filter_consume,
    .prompt = filter_prompt,
    .defers = filter_defers,
    .destroy = filter_destroy,
};
