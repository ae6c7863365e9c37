/* SPDX-License-Identifier: Apache-2.0
 * jaeger.expression.v1 as it was sent, before it is checked: read by expr_pb.c and expr_json.c, made into a
 * filter by expr_ast.c. Everything lives in the arena.
 */
#ifndef JG_MODEL_EXPR_AST_H
#define JG_MODEL_EXPR_AST_H

#include "model/expr_build.h"

typedef enum jg_ast_type {
    JG_AST_NONE,
    JG_AST_ATTR,
    JG_AST_FIELD,
    JG_AST_NESTED,
    JG_AST_SCALAR,
    JG_AST_LIST,
    JG_AST_CALL
} jg_ast_type;

typedef struct jg_ast_term {
    jg_ast_type type;
    jaeger_str name;  /* key, name, value or op */
    jaeger_str level; /* or the type hint of a constant */
    jaeger_str *values;
    size_t value_count, value_cap;
    struct jg_ast_term *args, *last_arg, *next;
    size_t arg_count;
} jg_ast_term;

/** @return NULL when out of memory */
jg_ast_term *jg_ast_add_arg(jg_ast_term *call, jaeger_arena *arena);
bool jg_ast_add_value(jg_ast_term *list, jaeger_str value, jaeger_arena *arena);
/** Check the whole and make the filter. @param source what `call` was read from */
jaeger_status jg_ast_to_filter(const jg_ast_term *call, jg_filter_form form, jaeger_str source,
                               jaeger_arena *arena, const jaeger_filter **ret,
                               jaeger_error *err) JG_MUST_CHECK;

#endif
