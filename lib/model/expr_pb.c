/* SPDX-License-Identifier: Apache-2.0
 * jaeger.expression.v1.Call in protobuf. See expr_ast.h.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/pb.h"
#include "model/expr_ast.h"

typedef struct reader {
    jaeger_arena *arena;
    jaeger_error *err;
    size_t term_count;
} reader;

static jaeger_status bad(reader *r)
{
    return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "not a valid jaeger.expression.v1 message");
}

static jaeger_status read_call(reader *r, jaeger_str message, unsigned depth, jg_ast_term *ret);

/** {1 text, 2 text} of attr, field and scalar; {1 level} of nested; {1 repeated values, 2 type} of list. */
static jaeger_status read_leaf(reader *r, jaeger_str message, jg_ast_term *ret)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number > 2)
            continue;
        if (f.wire != JG_PB_LEN)
            return bad(r);
        if (f.number == 2 || ret->type == JG_AST_NESTED)
            ret->level = jg_pb_str(&f);
        else if (ret->type != JG_AST_LIST)
            ret->name = jg_pb_str(&f);
        else if (ret->value_count >= JG_EXPR_LITERALS_MAX)
            return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "more than %u values", JG_EXPR_LITERALS_MAX);
        else if (!jg_ast_add_value(ret, jg_pb_str(&f), r->arena))
            return jg_fail_oom(r->err);
    }
    return pb.bad ? bad(r) : JAEGER_OK;
}

static jaeger_status read_expression(reader *r, jaeger_str message, unsigned depth, jg_ast_term *ret)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number < 1 || f.number > 6)
            continue;
        if (f.wire != JG_PB_LEN)
            return bad(r);
        jg_ast_term *next = ret->next; /* of a oneof the last one counts */
        *ret = (jg_ast_term){.type = (jg_ast_type)f.number, .next = next};
        if (f.number == 6)
            JG_TRY(read_call(r, jg_pb_str(&f), depth + 1, ret));
        else
            JG_TRY(read_leaf(r, jg_pb_str(&f), ret));
    }
    return pb.bad ? bad(r) : JAEGER_OK;
}

static jaeger_status read_call(reader *r, jaeger_str message, unsigned depth, jg_ast_term *ret)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    if (depth > JG_EXPR_DEPTH_MAX)
        return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "filter: nested too deeply");
    while (jg_pb_next(&pb, &f)) {
        if (f.number > 2)
            continue;
        if (f.wire != JG_PB_LEN)
            return bad(r);
        if (f.number == 1) {
            ret->name = jg_pb_str(&f);
            continue;
        }
        if (++r->term_count > 4 * JG_EXPR_NODES_MAX)
            return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "filter: too large");
        jg_ast_term *arg = jg_ast_add_arg(ret, r->arena);
        if (!arg)
            return jg_fail_oom(r->err);
        JG_TRY(read_expression(r, jg_pb_str(&f), depth, arg));
    }
    return pb.bad ? bad(r) : JAEGER_OK;
}

jaeger_status jg_filter_from_pb(jaeger_str message, jaeger_arena *arena, const jaeger_filter **ret,
                                jaeger_error *err)
{
    reader r = {.arena = arena, .err = err};
    jg_ast_term call = {.type = JG_AST_CALL};
    JG_TRY(read_call(&r, message, 1, &call));
    return jg_ast_to_filter(&call, JG_FILTER_PB, message, arena, ret, err);
}
