/* SPDX-License-Identifier: Apache-2.0
 * jaeger.expression.v1.Call in proto3 JSON. See expr_ast.h.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/str.h"
#include "model/expr_ast.h"

typedef struct reader {
    jg_json_in in;
    jaeger_arena *arena;
    jaeger_error *err;
    size_t term_count;
} reader;

bool jg_filter_is_json(jaeger_str text)
{
    jg_json_in in = jg_json_in_of(text);
    jg_json_text key;
    return jg_json_in_object(&in) && (jg_json_in_key(&in, &key) || !in.fault) && in.pos > in.begin + 1;
}

static jaeger_status bad(reader *r)
{
    const char *why = r->in.fault ? r->in.fault : "unexpected value";
    return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "column %zu: %s", jg_json_in_offset(&r->in) + 1, why);
}

static jaeger_status unknown_key(reader *r, jg_json_text key)
{
    return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "column %zu: unknown key \"%.*s\"",
                   jg_json_in_offset(&r->in) + 1, (int)JG_MIN(key.raw.len, 64u), key.raw.ptr);
}

static jaeger_status read_str(reader *r, jaeger_str *ret)
{
    jg_json_text text;
    if (!jg_json_in_str(&r->in, &text))
        return bad(r);
    *ret = text.raw;
    if (!text.escaped)
        return JAEGER_OK;
    char *out = jaeger_arena_alloc(r->arena, text.raw.len + 1);
    if (!out)
        return jg_fail_oom(r->err);
    *ret = (jaeger_str){out, jg_json_in_unescape(text.raw, out)};
    return JAEGER_OK;
}

static jaeger_status read_values(reader *r, jg_ast_term *ret)
{
    jaeger_str value;
    if (!jg_json_in_array(&r->in))
        return bad(r);
    while (jg_json_in_item(&r->in)) {
        JG_TRY(read_str(r, &value));
        if (ret->value_count >= JG_EXPR_LITERALS_MAX)
            return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "more than %u values", JG_EXPR_LITERALS_MAX);
        if (!jg_ast_add_value(ret, value, r->arena))
            return jg_fail_oom(r->err);
    }
    return r->in.fault ? bad(r) : JAEGER_OK;
}

static jaeger_status read_leaf(reader *r, jg_ast_term *ret)
{
    jg_json_text key;
    const char *first = ret->type == JG_AST_ATTR     ? "key"
                        : ret->type == JG_AST_FIELD  ? "name"
                        : ret->type == JG_AST_SCALAR ? "value"
                                                     : NULL;
    const char *second = ret->type == JG_AST_SCALAR || ret->type == JG_AST_LIST ? "type" : "level";
    if (!jg_json_in_object(&r->in))
        return bad(r);
    while (jg_json_in_key(&r->in, &key)) {
        if (first && jg_json_in_is(key, jg_str(first)))
            JG_TRY(read_str(r, &ret->name));
        else if (jg_json_in_is(key, jg_str(second)))
            JG_TRY(read_str(r, &ret->level));
        else if (ret->type == JG_AST_LIST && jg_json_in_is(key, JAEGER_STR("values")))
            JG_TRY(read_values(r, ret));
        else
            return unknown_key(r, key);
    }
    return r->in.fault ? bad(r) : JAEGER_OK;
}

static jaeger_status read_call(reader *r, unsigned depth, jg_ast_term *ret);

static jaeger_status read_expression(reader *r, unsigned depth, jg_ast_term *ret)
{
    static const char *const names[] = {
        [JG_AST_ATTR] = "attr",     [JG_AST_FIELD] = "field", [JG_AST_NESTED] = "nested",
        [JG_AST_SCALAR] = "scalar", [JG_AST_LIST] = "list",   [JG_AST_CALL] = "call"};
    jg_json_text key;
    if (!jg_json_in_object(&r->in))
        return bad(r);
    while (jg_json_in_key(&r->in, &key)) {
        size_t type = JG_AST_ATTR;
        while (type < JG_COUNT(names) && !jg_json_in_is(key, jg_str(names[type])))
            type++;
        if (type == JG_COUNT(names))
            return unknown_key(r, key);
        if (ret->type != JG_AST_NONE)
            return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "column %zu: more than one term",
                           jg_json_in_offset(&r->in) + 1);
        ret->type = (jg_ast_type)type;
        JG_TRY(type == JG_AST_CALL ? read_call(r, depth + 1, ret) : read_leaf(r, ret));
    }
    return r->in.fault ? bad(r) : JAEGER_OK;
}

static jaeger_status read_args(reader *r, unsigned depth, jg_ast_term *call)
{
    if (!jg_json_in_array(&r->in))
        return bad(r);
    while (jg_json_in_item(&r->in)) {
        if (++r->term_count > 4 * JG_EXPR_NODES_MAX)
            return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "filter: too large");
        jg_ast_term *arg = jg_ast_add_arg(call, r->arena);
        if (!arg)
            return jg_fail_oom(r->err);
        JG_TRY(read_expression(r, depth, arg));
    }
    return r->in.fault ? bad(r) : JAEGER_OK;
}

static jaeger_status read_call(reader *r, unsigned depth, jg_ast_term *ret)
{
    jg_json_text key;
    if (depth > JG_EXPR_DEPTH_MAX)
        return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "filter: nested too deeply");
    if (!jg_json_in_object(&r->in))
        return bad(r);
    while (jg_json_in_key(&r->in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("op")))
            JG_TRY(read_str(r, &ret->name));
        else if (jg_json_in_is(key, JAEGER_STR("args")))
            JG_TRY(read_args(r, depth, ret));
        else
            return unknown_key(r, key);
    }
    return r->in.fault ? bad(r) : JAEGER_OK;
}

jaeger_status jg_filter_from_json(jaeger_str json, jaeger_arena *arena, const jaeger_filter **ret,
                                  jaeger_error *err)
{
    reader r = {.in = jg_json_in_of(json), .arena = arena, .err = err};
    jg_ast_term call = {.type = JG_AST_CALL};
    if (json.len > JG_EXPR_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "longer than %u bytes", JG_EXPR_BYTES_MAX);
    JG_TRY(read_call(&r, 1, &call));
    if (!jg_json_in_end(&r.in))
        return bad(&r);
    return jg_ast_to_filter(&call, JG_FILTER_JSON, json, arena, ret, err);
}
