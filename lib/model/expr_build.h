/* SPDX-License-Identifier: Apache-2.0
 * Making the tree of expr.h: what the three readers share. Faults name no place; the readers do.
 */
#ifndef JG_MODEL_EXPR_BUILD_H
#define JG_MODEL_EXPR_BUILD_H

#include "model/expr.h"

typedef struct jg_expr_build {
    jaeger_arena *arena;
    jaeger_error *err;
    jaeger_filter *filter;
    size_t node_count, literal_count, regex_count;
    bool whole_regex; /* a pattern must match the whole value */
    size_t regex_at;  /* where a pattern is at fault */
} jg_expr_build;

jaeger_status jg_expr_build_init(jg_expr_build *build, jaeger_arena *arena, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_expr_node(jg_expr_build *build, jg_expr_op op, jg_expr **ret) JG_MUST_CHECK;
/** A literal as it was written, not yet fitted to what it is compared with. Go durations count as numbers. */
jaeger_status jg_literal_of(jg_expr_build *build, jg_literal_type type, jaeger_str text,
                            jg_literal *ret) JG_MUST_CHECK;
/** node->literals are set: check and convert them for node->ref and node->op; compile a pattern. */
jaeger_status jg_expr_fit(jg_expr_build *build, jg_expr *node) JG_MUST_CHECK;
/** node->right is set: may the two be compared? */
jaeger_status jg_expr_fit_refs(jg_expr_build *build, const jg_expr *node) JG_MUST_CHECK;
/** Give an ANY_SPAN node its number. */
jaeger_status jg_expr_add_set(jg_expr_build *build, jg_expr *node) JG_MUST_CHECK;
/** A field by its level and name, as Jaeger's vocabulary spells them. @return false: there is none */
bool jg_expr_field_of(jg_expr_level level, jaeger_str name, jg_expr_ref *ret);
/** "span", "resource", "scope", "event", "link", "trace". */
bool jg_expr_level_of(jaeger_str name, jg_expr_level *ret);

#endif
