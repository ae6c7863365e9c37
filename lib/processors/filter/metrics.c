/* SPDX-License-Identifier: Apache-2.0
 * See metrics.h. One walk over the messages for each pass; what has lost all its items goes, too.
 */
#include "processors/filter/metrics.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "model/metrics_edit.h"

typedef struct walk {
    jg_filter_rules *rules;
    jg_filter_pass *pass;
    const jaeger_logger *log;
    jaeger_arena *arena;
    jaeger_status status;
    jaeger_error *err;
} walk;

/* A failure (propagate only) keeps the thing and fails the batch. */
static jg_metric_verdict test(walk *w, jg_ottl_context context, const jg_metric_point *at, jaeger_str body,
                              jaeger_str data)
{
    jg_ottl_set *set = &w->pass->sets[context];
    const jaeger_span_group group = {.resource = at->resource,
                                     .resource_schema_url = at->resource_schema_url,
                                     .scope = at->scope,
                                     .scope_schema_url = at->scope_schema_url};
    jg_ottl_view view = {.group = &group, .point = at, .metric_body = body, .metric_data = data};
    bool drop = false;
    if (!set->count)
        return JG_METRIC_KEEP;
    jaeger_status status = jg_ottl_set_test(set, &view, w->arena, w->log, &drop, w->err);
    if (status != JAEGER_OK)
        w->status = status;
    return drop && status == JAEGER_OK ? JG_METRIC_LEAVE_OUT : JG_METRIC_KEEP;
}

static jg_metric_verdict test_resource(void *self, const jg_metric_point *at)
{
    return test(self, JG_OTTL_RESOURCE, at, (jaeger_str){0}, (jaeger_str){0});
}

static jg_metric_verdict test_scope(void *self, const jg_metric_point *at)
{
    return test(self, JG_OTTL_SCOPE, at, (jaeger_str){0}, (jaeger_str){0});
}

static jg_metric_verdict test_metric(void *self, const jg_metric_point *at, jaeger_str body, jaeger_str data)
{
    return test(self, JG_OTTL_METRIC, at, body, data);
}

static jg_metric_verdict test_point(void *self, const jg_metric_point *point, jaeger_str body, jg_buf *out)
{
    (void)out;
    return test(self, JG_OTTL_DATAPOINT, point, body, (jaeger_str){0});
}

static jg_metric_verdict choose_metric(void *self, const jg_metric_point *at, jaeger_str body,
                                       jaeger_str data)
{
    const jg_filter_rules *rules = ((const walk *)self)->rules;
    (void)body, (void)data;
    bool keep = (!rules->include || jg_choice_takes_metric(rules->include, at)) &&
                (!rules->exclude || !jg_choice_takes_metric(rules->exclude, at));
    return keep ? JG_METRIC_KEEP : JG_METRIC_LEAVE_OUT;
}

jaeger_status jg_filter_metrics(jg_filter_rules *rules, jaeger_batch **batch, const jaeger_logger *log,
                                jaeger_error *err)
{
    walk w = {.rules = rules, .log = log, .err = err};
    if (rules->include || rules->exclude)
        return jg_metrics_edit_batch(batch, &(jg_metric_editor){.metric = choose_metric, .self = &w}, err);
    if (!rules->pass_count)
        return JAEGER_OK;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(err);
    w.arena = arena;
    for (size_t i = 0; i < rules->pass_count && *batch; i++) {
        w.pass = &rules->passes[i];
        jg_metric_editor editor = {.resource = test_resource,
                                   .scope = test_scope,
                                   .metric = test_metric,
                                   .point = w.pass->sets[JG_OTTL_DATAPOINT].count ? test_point : NULL,
                                   .self = &w};
        JG_TRY(jg_metrics_edit_batch(batch, &editor, err));
        if (w.status != JAEGER_OK)
            return w.status;
    }
    return JAEGER_OK;
}
