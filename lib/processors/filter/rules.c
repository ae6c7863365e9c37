/* SPDX-License-Identifier: Apache-2.0
 * From the keys of the filter processor to conditions. Three styles exclude each other, for each signal:
 * trace_conditions (contexts are inferred or named), traces (one list a context), spans (match blocks).
 */
#include "processors/filter/rules.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/str.h"

static jaeger_status add(jg_ottl_set *sets, jaeger_str text, jg_ottl_context context, bool bare,
                         jaeger_error *err)
{
    jg_ottl *condition;
    JG_TRY(jg_ottl_parse(text, context, bare, &condition, err));
    return jg_ottl_set_add(&sets[jg_ottl_context_of(condition)], condition, err);
}

static void set_mode(jg_filter_pass *pass, int mode)
{
    for (size_t i = 0; i < JG_COUNT(pass->sets); i++)
        pass->sets[i].error_mode = (jg_ottl_error_mode)mode;
}

static jaeger_status make_passes(jg_filter_rules *rules, size_t n, int mode, jaeger_error *err)
{
    rules->passes = jg_calloc(n ? n : 1, sizeof *rules->passes);
    if (!rules->passes)
        return jg_fail_oom(err);
    rules->pass_count = n;
    for (size_t i = 0; i < n; i++)
        set_mode(&rules->passes[i], mode);
    return JAEGER_OK;
}

/* ---- trace_conditions ---- */

static jaeger_status add_text(jg_filter_pass *pass, const jaeger_config *node, jg_ottl_context context,
                              jaeger_error *err)
{
    if (jaeger_config_kind(node) != JAEGER_CONFIG_SCALAR)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: condition cannot be empty",
                       jaeger_config_path(node));
    jaeger_status status = add(pass->sets, jaeger_config_text(node), context, false, err);
    return status == JAEGER_OK || !err ? status : jg_fail_prefix(err, "%s", jaeger_config_path(node));
}

typedef struct group_config {
    jaeger_str context;
    int error_mode;
    const jaeger_config *conditions;
} group_config;

enum { GROUP_MODE_UNSET }; /* then ignore, silent, propagate */

static const jaeger_field group_fields[] = {{.name = "context",
                                             .kind = JAEGER_FIELD_STR,
                                             .offset = offsetof(group_config, context),
                                             .doc = "context"},
                                            {.name = "error_mode",
                                             .kind = JAEGER_FIELD_ENUM,
                                             .offset = offsetof(group_config, error_mode),
                                             .choices = "|" JG_OTTL_ERROR_MODES,
                                             .doc = "of these conditions"},
                                            {.name = "conditions",
                                             .kind = JAEGER_FIELD_NODE,
                                             .offset = offsetof(group_config, conditions),
                                             .doc = "conditions"},
                                            {0}};

/* @param infer JG_OTTL_INFER or JG_OTTL_INFER_METRIC: of which signal */
static bool is_context_of(jg_ottl_context infer, jg_ottl_context context)
{
    return context <= JG_OTTL_SCOPE || (context >= JG_OTTL_METRIC) == (infer == JG_OTTL_INFER_METRIC);
}

static jaeger_status add_group(jg_filter_pass *pass, const jaeger_config *node, jg_ottl_context infer,
                               jaeger_error *err)
{
    group_config group;
    jg_ottl_context context = infer;
    JG_TRY(jaeger_config_bind(node, group_fields, &group, err));
    if (group.context.len &&
        (!jg_ottl_context_from_text(group.context, &context) || !is_context_of(infer, context)))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: unknown context \"%.*s\", valid: resource, scope, %s", jaeger_config_path(node),
                       JAEGER_STR_ARGS(group.context),
                       infer == JG_OTTL_INFER ? "span, spanevent" : "metric, datapoint");
    if (jaeger_config_kind(group.conditions) != JAEGER_CONFIG_LIST)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: conditions must be a list",
                       jaeger_config_path(node));
    if (group.error_mode != GROUP_MODE_UNSET)
        set_mode(pass, group.error_mode - 1);
    for (size_t i = 0; i < jaeger_config_count(group.conditions); i++)
        JG_TRY(add_text(pass, jaeger_config_at(group.conditions, i, NULL), context, err));
    return JAEGER_OK;
}

static jaeger_status make_new(jg_filter_rules *rules, const jaeger_config *list, int mode,
                              jg_ottl_context infer, jaeger_error *err)
{
    size_t n = jaeger_config_count(list), groups = 0;
    if (jaeger_config_kind(list) != JAEGER_CONFIG_LIST)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: invalid type, expected: array",
                       jaeger_config_path(list));
    for (size_t i = 0; i < n; i++)
        groups += jaeger_config_kind(jaeger_config_at(list, i, NULL)) == JAEGER_CONFIG_MAP;
    if (groups && groups != n)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "%s: configuring multiple configuration styles is not supported, please use only Basic "
            "configuration or only Advanced configuration",
            jaeger_config_path(list));
    JG_TRY(make_passes(rules, groups ? groups : 1, mode, err));
    for (size_t i = 0; i < n; i++) {
        const jaeger_config *node = jaeger_config_at(list, i, NULL);
        JG_TRY(groups ? add_group(&rules->passes[i], node, infer, err)
                      : add_text(&rules->passes[0], node, infer, err));
    }
    return JAEGER_OK;
}

/* ---- traces, spans ---- */

static jaeger_status add_list(jg_filter_pass *pass, const jaeger_str_list *list, jg_ottl_context context,
                              const char *path, jaeger_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        jaeger_status status = add(pass->sets, list->items[i], context, true, err);
        if (status != JAEGER_OK)
            return err ? jg_fail_prefix(err, "%s[%zu]", path, i) : status;
    }
    return JAEGER_OK;
}

static jaeger_status make_old(jg_filter_rules *rules, const jg_filter_config *c, jaeger_error *err)
{
    JG_TRY(make_passes(rules, 1, c->error_mode, err));
    jg_filter_pass *pass = &rules->passes[0];
    JG_TRY(add_list(pass, &c->traces.resource, JG_OTTL_RESOURCE, "traces::resource", err));
    JG_TRY(add_list(pass, &c->traces.span, JG_OTTL_SPAN, "traces::span", err));
    return add_list(pass, &c->traces.spanevent, JG_OTTL_SPANEVENT, "traces::spanevent", err);
}

jaeger_status jg_filter_rules_init(jg_filter_rules *rules, const jg_filter_config *c, jaeger_error *err)
{
    bool traces = c->traces.resource.count || c->traces.span.count || c->traces.spanevent.count;
    bool spans = c->spans.include.enabled || c->spans.exclude.enabled;
    *rules = (jg_filter_rules){0};
    if (traces && spans)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "cannot use \"traces.resource\", \"traces.span\", \"traces.spanevent\" and the span settings "
            "\"spans.include\", \"spans.exclude\" at the same time");
    if (jaeger_config_count(c->trace_conditions) && (traces || spans))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "cannot use context inferred trace conditions \"trace_conditions\" and the settings "
                       "\"traces.resource\", \"traces.span\", \"traces.spanevent\" at the same time");
    if (jaeger_config_kind(c->trace_conditions) != JAEGER_CONFIG_NULL)
        return make_new(rules, c->trace_conditions, c->error_mode, JG_OTTL_INFER, err);
    if (traces)
        return make_old(rules, c, err);
    JG_TRY(jg_choice_new(&c->spans.include, "spans::include", &rules->include, err));
    return jg_choice_new(&c->spans.exclude, "spans::exclude", &rules->exclude, err);
}

jaeger_status jg_filter_metric_rules_init(jg_filter_rules *rules, const jg_filter_config *c,
                                          jaeger_error *err)
{
    const struct jg_filter_metrics *m = &c->metrics;
    bool lists = m->resource.count || m->metric.count || m->datapoint.count;
    bool blocks = m->include.enabled || m->exclude.enabled;
    *rules = (jg_filter_rules){0};
    if (lists && blocks)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "cannot use \"metrics.resource\", \"metrics.metric\", \"metrics.datapoint\" and the settings "
            "\"metrics.include\", \"metrics.exclude\" at the same time");
    if (jaeger_config_count(c->metric_conditions) && (lists || blocks))
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "cannot use context inferred metric conditions \"metric_conditions\" and the settings of "
            "\"metrics\" at the same time");
    if (jaeger_config_kind(c->metric_conditions) != JAEGER_CONFIG_NULL)
        return make_new(rules, c->metric_conditions, c->error_mode, JG_OTTL_INFER_METRIC, err);
    if (lists) {
        JG_TRY(make_passes(rules, 1, c->error_mode, err));
        jg_filter_pass *pass = &rules->passes[0];
        JG_TRY(add_list(pass, &m->resource, JG_OTTL_RESOURCE, "metrics::resource", err));
        JG_TRY(add_list(pass, &m->metric, JG_OTTL_METRIC, "metrics::metric", err));
        return add_list(pass, &m->datapoint, JG_OTTL_DATAPOINT, "metrics::datapoint", err);
    }
    JG_TRY(jg_choice_new(&m->include, "metrics::include", &rules->include, err));
    return jg_choice_new(&m->exclude, "metrics::exclude", &rules->exclude, err);
}

void jg_filter_rules_done(jg_filter_rules *rules)
{
    for (size_t i = 0; i < rules->pass_count; i++)
        for (size_t k = 0; k < JG_COUNT(rules->passes[i].sets); k++)
            jg_ottl_set_done(&rules->passes[i].sets[k]);
    jg_free(rules->passes);
    jg_choice_free(rules->include);
    jg_choice_free(rules->exclude);
    *rules = (jg_filter_rules){0};
}

/* ---- keys ---- */

static const jaeger_field traces_fields[] = {{.name = "resource",
                                              .kind = JAEGER_FIELD_STRS,
                                              .offset = offsetof(struct jg_filter_traces, resource),
                                              .doc = "conditions that drop a resource with its spans"},
                                             {.name = "span",
                                              .kind = JAEGER_FIELD_STRS,
                                              .offset = offsetof(struct jg_filter_traces, span),
                                              .doc = "conditions that drop a span"},
                                             {.name = "spanevent",
                                              .kind = JAEGER_FIELD_STRS,
                                              .offset = offsetof(struct jg_filter_traces, spanevent),
                                              .doc = "conditions that drop an event of a span"},
                                             {0}};

static const jaeger_field spans_fields[] = {{.name = "include",
                                             .kind = JAEGER_FIELD_OPTIONAL_N,
                                             .offset = offsetof(struct jg_filter_spans, include),
                                             .sub = jg_choice_fields,
                                             .sub_size = sizeof(jg_choice_config),
                                             .doc = "keep only these spans"},
                                            {.name = "exclude",
                                             .kind = JAEGER_FIELD_OPTIONAL_N,
                                             .offset = offsetof(struct jg_filter_spans, exclude),
                                             .sub = jg_choice_fields,
                                             .sub_size = sizeof(jg_choice_config),
                                             .doc = "drop these spans"},
                                            {0}};

#define METRICS(member) .offset = offsetof(struct jg_filter_metrics, member)
static const jaeger_field metrics_fields[] = {
    {.name = "resource",
     .kind = JAEGER_FIELD_STRS,
     METRICS(resource),
     .doc = "conditions that drop a resource with its metrics"},
    {.name = "metric", .kind = JAEGER_FIELD_STRS, METRICS(metric), .doc = "conditions that drop a metric"},
    {.name = "datapoint",
     .kind = JAEGER_FIELD_STRS,
     METRICS(datapoint),
     .doc = "conditions that drop a data point"},
    {.name = "include",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     METRICS(include),
     .sub = jg_metric_choice_fields,
     .sub_size = sizeof(jg_choice_config),
     .doc = "keep only these metrics"},
    {.name = "exclude",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     METRICS(exclude),
     .sub = jg_metric_choice_fields,
     .sub_size = sizeof(jg_choice_config),
     .doc = "drop these metrics"},
    {0}};

#define AT(member) .offset = offsetof(jg_filter_config, member)
#define OTHER(key, the_doc)                                                                                  \
    {                                                                                                        \
        .name = #key, .kind = JAEGER_FIELD_NODE, AT(key), .doc = the_doc                                     \
    }
const jaeger_field jg_filter_fields[] = {
    {.name = "error_mode",
     .kind = JAEGER_FIELD_ENUM,
     AT(error_mode),
     .fallback = "ignore",
     .choices = JG_OTTL_ERROR_MODES,
     .doc =
         "a condition that cannot be told: ignore (log, false), silent (false), propagate (fail the batch)"},
    {.name = "trace_conditions",
     .kind = JAEGER_FIELD_NODE,
     AT(trace_conditions),
     .doc = "OTTL conditions, or groups {context, conditions, error_mode}; true drops (docs/ottl.md)"},
    {.name = "traces",
     .kind = JAEGER_FIELD_BLOCK,
     AT(traces),
     .sub = traces_fields,
     .sub_size = sizeof(struct jg_filter_traces),
     .doc = "OTTL conditions by context"},
    {.name = "spans",
     .kind = JAEGER_FIELD_BLOCK,
     AT(spans),
     .sub = spans_fields,
     .sub_size = sizeof(struct jg_filter_spans),
     .doc = "match blocks"},
    OTHER(metric_conditions, "the same for metrics, with the contexts metric and datapoint"),
    {.name = "metrics",
     .kind = JAEGER_FIELD_BLOCK,
     AT(metrics),
     .sub = metrics_fields,
     .sub_size = sizeof(struct jg_filter_metrics),
     .doc = "OTTL conditions by context, or match blocks"},
    OTHER(log_conditions, "accepted; for logs, which no pipeline carries"),
    OTHER(profile_conditions, "accepted; for profiles, which no pipeline carries"),
    OTHER(logs, "accepted; for logs, which no pipeline carries"),
    OTHER(profiles, "accepted; for profiles, which no pipeline carries"),
    {0}};
