/* SPDX-License-Identifier: Apache-2.0
 * See expr_ast.h. What an operator takes, and what a constant means, is Jaeger's structured filter:
 * a pattern matches anywhere in the value; an attribute without a level is looked for in span and resource.
 */
#include "model/expr_ast.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

jg_ast_term *jg_ast_add_arg(jg_ast_term *call, jaeger_arena *arena)
{
    jg_ast_term *arg = jg_arena_zalloc(arena, sizeof *arg);
    if (!arg)
        return NULL;
    if (call->last_arg)
        call->last_arg->next = arg;
    else
        call->args = arg;
    call->last_arg = arg;
    call->arg_count++;
    return arg;
}

bool jg_ast_add_value(jg_ast_term *list, jaeger_str value, jaeger_arena *arena)
{
    jaeger_str *grown =
        jg_arena_grow(arena, list->values, list->value_count, &list->value_cap, sizeof *grown);
    if (!grown)
        return false;
    list->values = grown;
    grown[list->value_count++] = value;
    return true;
}

static jaeger_status refuse(jg_expr_build *b, const jg_ast_term *call, const char *why)
{
    return jg_fail(b->err, JAEGER_INVALID_ARGUMENT, "operator '%.*s': %s", (int)JG_MIN(call->name.len, 32u),
                   call->name.len ? call->name.ptr : "", why);
}

static jaeger_status reference(jg_expr_build *b, const jg_ast_term *term, jg_expr_ref *ret)
{
    jg_expr_level level = JG_LEVEL_ANY;
    if ((term->level.len || term->type == JG_AST_FIELD) &&
        (!jg_expr_level_of(term->level, &level) || level == JG_LEVEL_TRACE))
        return jg_fail(b->err, JAEGER_INVALID_ARGUMENT,
                       "unknown level '%.*s': span, resource, scope, event or link",
                       (int)JG_MIN(term->level.len, 32u), term->level.len ? term->level.ptr : "");
    if (term->type == JG_AST_ATTR) {
        if (term->name.len == 0)
            return jg_fail(b->err, JAEGER_INVALID_ARGUMENT, "an attribute's key is missing");
        *ret = (jg_expr_ref){level, JG_FIELD_ATTR, JG_HOLDS_ANYTHING, term->name};
        return JAEGER_OK;
    }
    if (jg_expr_field_of(level, term->name, ret))
        return JAEGER_OK;
    return jg_fail(b->err, JAEGER_INVALID_ARGUMENT, "level '%.*s' has no field '%.*s'",
                   JAEGER_STR_ARGS(term->level), (int)JG_MIN(term->name.len, 64u),
                   term->name.len ? term->name.ptr : "");
}

static bool is_ref(const jg_ast_term *term)
{
    return term->type == JG_AST_ATTR || term->type == JG_AST_FIELD;
}

static jaeger_status hint_of(jg_expr_build *b, const jg_ast_term *term, jg_literal_type *ret)
{
    static const char *const names[] = {[JG_LITERAL_ANY] = "", "string", "int", "double", "bool"};
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        if (jg_str_is(term->level, names[i])) {
            *ret = (jg_literal_type)i;
            return JAEGER_OK;
        }
    }
    return jg_fail(b->err, JAEGER_INVALID_ARGUMENT, "unknown type '%.*s': string, int, double or bool",
                   (int)JG_MIN(term->level.len, 32u), term->level.ptr);
}

static jaeger_status literals(jg_expr_build *b, const jg_ast_term *term, jg_expr *node)
{
    jg_literal_type type = JG_LITERAL_ANY;
    const jaeger_str *values = term->type == JG_AST_LIST ? term->values : &term->name;
    size_t count = term->type == JG_AST_LIST ? term->value_count : 1;
    JG_TRY(hint_of(b, term, &type));
    if (count > JG_EXPR_LITERALS_MAX)
        return jg_fail(b->err, JAEGER_INVALID_ARGUMENT, "more than %u values", JG_EXPR_LITERALS_MAX);
    jg_literal *items = jaeger_arena_alloc(b->arena, count * sizeof *items);
    if (!items)
        return jg_fail_oom(b->err);
    for (size_t i = 0; i < count; i++)
        JG_TRY(jg_literal_of(b, type, values[i], &items[i]));
    node->literals = items;
    node->literal_count = count;
    return jg_expr_fit(b, node);
}

static jg_expr_op reversed(jg_expr_op op)
{
    switch (op) {
    case JG_EXPR_LT:
        return JG_EXPR_GT;
    case JG_EXPR_LE:
        return JG_EXPR_GE;
    case JG_EXPR_GT:
        return JG_EXPR_LT;
    case JG_EXPR_GE:
        return JG_EXPR_LE;
    default:
        return op;
    }
}

static jaeger_status comparison(jg_expr_build *b, const jg_ast_term *call, jg_expr *node)
{
    const jg_ast_term *left = call->args, *right = left->next;
    if (!is_ref(left) && is_ref(right) && node->op != JG_EXPR_REGEX) {
        left = right;
        right = call->args;
        node->op = reversed(node->op);
    }
    if (!is_ref(left))
        return refuse(b, call, "one side must be an attribute or a field");
    JG_TRY(reference(b, left, &node->ref));
    if (right->type == JG_AST_SCALAR)
        return literals(b, right, node);
    if (!is_ref(right) || node->op == JG_EXPR_REGEX)
        return refuse(b, call, "the other side must be a constant");
    node->against_ref = true;
    JG_TRY(reference(b, right, &node->right));
    return jg_expr_fit_refs(b, node);
}

static jaeger_status membership(jg_expr_build *b, const jg_ast_term *call, jg_expr *node)
{
    const jg_ast_term *list = call->args->next;
    if (!is_ref(call->args) || list->type != JG_AST_LIST)
        return refuse(b, call, "takes an attribute or a field, and a list");
    if (list->value_count == 0)
        return refuse(b, call, "the list is empty");
    JG_TRY(reference(b, call->args, &node->ref));
    return literals(b, list, node);
}

static jaeger_status call_node(jg_expr_build *b, const jg_ast_term *call, unsigned depth, jg_expr **ret);

static jaeger_status children(jg_expr_build *b, const jg_ast_term *call, const jg_ast_term *from,
                              unsigned depth, jg_expr *node)
{
    jg_expr **at = &node->first;
    for (const jg_ast_term *arg = from; arg; arg = arg->next) {
        if (arg->type != JG_AST_CALL)
            return refuse(b, call, "takes calls of other operators");
        JG_TRY(call_node(b, arg, depth + 1, at));
        at = &(*at)->next;
    }
    return JAEGER_OK;
}

static jaeger_status some(jg_expr_build *b, const jg_ast_term *call, unsigned depth, jg_expr *node)
{
    const jg_ast_term *nested = call->args;
    if (nested->type != JG_AST_NESTED || !jg_expr_level_of(nested->level, &node->ref.level) ||
        (node->ref.level != JG_LEVEL_EVENT && node->ref.level != JG_LEVEL_LINK))
        return refuse(b, call, "takes the nested level event or link, and a call");
    return children(b, call, nested->next, depth, node);
}

static const struct {
    const char *name;
    jg_expr_op op;
    size_t args_min, args_max;
} operators[] = {
    {"and", JG_EXPR_AND, 1, JG_EXPR_NODES_MAX},
    {"or", JG_EXPR_OR, 1, JG_EXPR_NODES_MAX},
    {"not", JG_EXPR_NOT, 1, 1},
    {"eq", JG_EXPR_EQ, 2, 2},
    {"ne", JG_EXPR_NE, 2, 2},
    {"gt", JG_EXPR_GT, 2, 2},
    {"lt", JG_EXPR_LT, 2, 2},
    {"gte", JG_EXPR_GE, 2, 2},
    {"lte", JG_EXPR_LE, 2, 2},
    {"regex", JG_EXPR_REGEX, 2, 2},
    {"exists", JG_EXPR_EXISTS, 1, 1},
    {"in", JG_EXPR_EQ, 2, 2},
    {"not_in", JG_EXPR_NE, 2, 2},
    {"some", JG_EXPR_SOME, 2, 2},
};

static jaeger_status call_node(jg_expr_build *b, const jg_ast_term *call, unsigned depth, jg_expr **ret)
{
    size_t i = 0;
    while (i < JG_COUNT(operators) && !jg_str_is(call->name, operators[i].name))
        i++;
    if (i == JG_COUNT(operators))
        return refuse(b, call, "unknown");
    if (depth > JG_EXPR_DEPTH_MAX)
        return refuse(b, call, "nested too deeply");
    if (call->arg_count < operators[i].args_min || call->arg_count > operators[i].args_max)
        return refuse(b, call, "wrong number of arguments");
    JG_TRY(jg_expr_node(b, operators[i].op, ret));
    switch (operators[i].op) {
    case JG_EXPR_AND:
    case JG_EXPR_OR:
    case JG_EXPR_NOT:
        return children(b, call, call->args, depth, *ret);
    case JG_EXPR_SOME:
        return some(b, call, depth, *ret);
    case JG_EXPR_EXISTS:
        if (!is_ref(call->args))
            return refuse(b, call, "takes an attribute or a field");
        JG_TRY(reference(b, call->args, &(*ret)->ref));
        return jg_expr_fit(b, *ret);
    default:
        return jg_str_is(call->name, "in") || jg_str_is(call->name, "not_in") ? membership(b, call, *ret)
                                                                              : comparison(b, call, *ret);
    }
}

jaeger_status jg_ast_to_filter(const jg_ast_term *call, jg_filter_form form, jaeger_str source,
                               jaeger_arena *arena, const jaeger_filter **ret, jaeger_error *err)
{
    jg_expr_build b;
    jg_expr *root;
    JG_TRY(jg_expr_build_init(&b, arena, err));
    JG_TRY(call_node(&b, call, 1, &root));
    b.filter->root = root;
    b.filter->form = form;
    b.filter->source = source;
    *ret = b.filter;
    return JAEGER_OK;
}

jaeger_status jg_filter_from_source(uint64_t form, jaeger_str source, jaeger_arena *arena,
                                    const jaeger_filter **ret, jaeger_error *err)
{
    switch (form) {
    case JG_FILTER_TEXT:
        return jg_filter_parse(JG_EXPR_TEXT, source, arena, ret, err);
    case JG_FILTER_TRACEQL:
        return jg_filter_parse(JG_EXPR_TRACEQL, source, arena, ret, err);
    case JG_FILTER_PB:
        return jg_filter_from_pb(source, arena, ret, err);
    case JG_FILTER_JSON:
        return jg_filter_from_json(source, arena, ret, err);
    }
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "a filter of an unknown form");
}

jaeger_status jaeger_filter_parse(jaeger_str text, jaeger_arena *arena, const jaeger_filter **ret,
                                  jaeger_error *err)
{
    return jg_filter_is_json(text) ? jg_filter_from_json(text, arena, ret, err)
                                   : jg_filter_parse(JG_EXPR_TEXT, text, arena, ret, err);
}
