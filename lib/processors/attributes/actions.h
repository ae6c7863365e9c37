/* SPDX-License-Identifier: Apache-2.0
 * The actions of the attributes processor, on a list of attributes.
 * Spec: opentelemetry-collector-contrib processor/attributesprocessor/README.md.
 */
#ifndef JG_PROCESSORS_ATTRIBUTES_ACTIONS_H
#define JG_PROCESSORS_ATTRIBUTES_ACTIONS_H

#include "core/buf.h"
#include <jaeger/batch.h>
#include <jaeger/config.h>

typedef struct jg_action_config {
    jaeger_str action, key, from_attribute, from_context, pattern, converted_type;
    const jaeger_config *value, *default_value;
} jg_action_config;

extern const jaeger_field jg_action_fields[];

/** Write the value of a KeyValue. */
void jg_attr_value_write(jg_buf *out, const jaeger_value *value);

/** Compiled actions. */
typedef struct jg_actions jg_actions;

/** @param list  of jg_action_config; lives as long as the result @return INVALID_ARGUMENT */
jaeger_status jg_actions_new(const jaeger_block_list *list, jg_actions **ret, jaeger_error *err);
void jg_actions_free(jg_actions *actions);

/** The attributes of one span while they change. Where there is `raw`, `value` is not filled: most are never
 * looked at. */
typedef struct jg_attr_list {
    jaeger_arena *arena; /* of the list and of new texts */
    jaeger_attr *items;
    size_t count, cap;
    bool changed, failed; /* failed: out of memory */
    bool bad_text;        /* new text is not UTF-8 */
} jg_attr_list;

void jg_actions_run(const jg_actions *actions, jg_attr_list *attrs, const jaeger_call *call);

#endif
