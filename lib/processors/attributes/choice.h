/* SPDX-License-Identifier: Apache-2.0
 * The include / exclude block that the attributes and filter processors share.
 * Spec: opentelemetry-collector-contrib internal/filter/filterconfig.
 */
#ifndef JG_PROCESSORS_ATTRIBUTES_CHOICE_H
#define JG_PROCESSORS_ATTRIBUTES_CHOICE_H

#include "model/metrics.h"
#include <jaeger/config.h>

typedef struct jg_choice_config {
    bool enabled;
    int match_type;
    const jaeger_config *regexp, *log_bodies, *log_severity_texts, *log_severity_number;
    jaeger_str_list services, span_names, span_kinds, metric_names;
    jaeger_block_list attributes, resources, libraries;
} jg_choice_config;

extern const jaeger_field jg_choice_fields[]; /* for an OPTIONAL_N block with jg_choice_config */
/** The same for filter::metrics, which has other names for less. */
extern const jaeger_field jg_metric_choice_fields[];

/** Compiled patterns and values. */
typedef struct jg_choice jg_choice;

/** @param config  lives as long as the result @param path  of the block, for messages
 *  @return INVALID_ARGUMENT. *ret is NULL if the block is off. */
jaeger_status jg_choice_new(const jg_choice_config *config, const char *path, jg_choice **ret,
                            jaeger_error *err);
void jg_choice_free(jg_choice *match);
/** All given properties match, each by one of its values (attributes, resources: by all). */
bool jg_choice_takes(const jg_choice *match, const jaeger_span *span);
/** The same for a metric: its name and its resource are looked at. */
bool jg_choice_takes_metric(const jg_choice *match, const jg_metric_point *metric);

#endif
