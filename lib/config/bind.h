/* SPDX-License-Identifier: Apache-2.0
 * Between bind.c (blocks) and bind_value.c (scalars, lists of strings).
 */
#ifndef JG_CONFIG_BIND_H
#define JG_CONFIG_BIND_H

#include "config/faults.h"
#include "config/tree.h"
#include <stdio.h>

typedef struct jg_binder {
    jaeger_arena *arena; /* of the tree; NULL: there is none, lists stay absent */
    jg_faults *faults;
    bool zero;        /* inside an OPTIONAL_N block: zero values instead of the defaults */
    bool off;         /* inside an optional block that is off: nothing is required */
    bool in_optional; /* the map being read may say "enabled" */
    bool *oom;        /* shared by all of one bind */
} jg_binder;

/** Set one scalar, enum, string list or pair list from `node` (NULL or null: the default). */
void jg_bind_value(jg_binder *b, const jaeger_config *node, const jaeger_field *field, void *ret);
/** Set *ret from a bool; a fault leaves it. */
void jg_bind_bool(jg_binder *b, const jaeger_config *node, bool *ret);
/** One fault for all keys of `map` that are not in the table. */
void jg_bind_refuse_unknown(jg_binder *b, const jaeger_config *map, const jaeger_field *fields,
                            bool is_optional);
/** "string", "int", "map[string]any" ...: the words of the Collector's messages. */
const char *jg_bind_type_name(const jaeger_config *node);

#endif
