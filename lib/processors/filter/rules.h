/* SPDX-License-Identifier: Apache-2.0
 * What the filter processor drops: its keys, and the compiled conditions by context.
 */
#ifndef JG_PROCESSORS_FILTER_RULES_H
#define JG_PROCESSORS_FILTER_RULES_H

#include "ottl/ottl.h"
#include "processors/attributes/choice.h"

typedef struct jg_filter_config {
    int error_mode;
    const jaeger_config *trace_conditions, *metric_conditions;
    const jaeger_config *log_conditions, *profile_conditions, *logs, *profiles; /* other signals: ignored */
    struct jg_filter_traces {
        jaeger_str_list resource, span, spanevent;
    } traces;
    struct jg_filter_spans {
        jg_choice_config include, exclude;
    } spans;
    struct jg_filter_metrics {
        jaeger_str_list resource, metric, datapoint;
        jg_choice_config include, exclude;
    } metrics;
} jg_filter_config;

extern const jaeger_field jg_filter_fields[];

/** Conditions that are tested together, one set a context. */
typedef struct jg_filter_pass {
    jg_ottl_set sets[JG_OTTL_CONTEXTS]; /* by jg_ottl_context */
} jg_filter_pass;

/** Of one signal. Zeroed: drops nothing. */
typedef struct jg_filter_rules {
    jg_filter_pass *passes; /* run one after the other */
    size_t pass_count;
    jg_choice *include, *exclude; /* the old blocks */
} jg_filter_rules;

/** @return INVALID_ARGUMENT. Free with done, also after a failure. */
jaeger_status jg_filter_rules_init(jg_filter_rules *rules, const jg_filter_config *config, jaeger_error *err);
/** The same for metrics. */
jaeger_status jg_filter_metric_rules_init(jg_filter_rules *rules, const jg_filter_config *config,
                                          jaeger_error *err);
void jg_filter_rules_done(jg_filter_rules *rules);

#endif
