/* SPDX-License-Identifier: Apache-2.0
 * Functions about types and ids: questions, conversions. Spec: opentelemetry-collector-contrib
 * pkg/ottl/ottlfuncs/README.md.
 */
#include "core/arena.h"
#include "core/str.h"
#include "ottl/node.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const jg_ottl_fn *const tables[] = {
    jg_ottl_text_fns,  jg_ottl_type_fns,   jg_ottl_time_fns, jg_ottl_list_fns, jg_ottl_hash_fns,
    jg_ottl_parse_fns, jg_ottl_format_fns, jg_ottl_csv_fns,  jg_ottl_map_fns,  jg_ottl_metric_fns};

const jg_ottl_fn *jg_ottl_fn_find(jaeger_str name)
{
    for (size_t i = 0; i < JG_COUNT(tables); i++)
        for (const jg_ottl_fn *fn = tables[i]; fn->name; fn++)
            if (jg_str_is(name, fn->name))
                return fn;
    return NULL;
}

void jg_ottl_fn_list(jaeger_str name, char *out, size_t size)
{
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < JG_COUNT(tables); i++)
        for (const jg_ottl_fn *fn = tables[i]; fn->name && name.len; fn++) {
            size_t more = strlen(fn->name) + 2;
            if (fn->name[0] != name.ptr[0] || len + more >= size)
                continue;
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "", fn->name);
        }
}

static bool is_type(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_type type, jg_ottl_value *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    *ret = jg_ottl_of_bool(value.type == type);
    return true;
}

static bool is_string(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return is_type(e, call, JG_OTTL_STRING, ret);
}

static bool is_int(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return is_type(e, call, JG_OTTL_INT, ret);
}

static bool is_bool(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return is_type(e, call, JG_OTTL_BOOL, ret);
}

static bool is_double(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return is_type(e, call, JG_OTTL_DOUBLE, ret);
}

static bool is_map(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return is_type(e, call, JG_OTTL_MAP, ret);
}

static bool is_list(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return is_type(e, call, JG_OTTL_LIST, ret);
}

static bool is_root_span(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    (void)call;
    *ret = jg_ottl_of_bool(jg_id_is_zero(e->view->span->parent_span_id, 8));
    return true;
}

static bool to_int(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value value;
    int64_t i;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    *ret = (jg_ottl_value){0}; /* nil: cannot be converted */
    if (value.type == JG_OTTL_INT)
        *ret = value;
    else if (value.type == JG_OTTL_BOOL)
        *ret = jg_ottl_of_int(value.u.b);
    else if (value.type == JG_OTTL_STRING && jg_str_to_i64(value.u.s, &i))
        *ret = jg_ottl_of_int(i);
    else if (value.type == JG_OTTL_DOUBLE && value.u.d > -9.3e18 && value.u.d < 9.3e18)
        *ret = jg_ottl_of_int(value.u.d >= 0x1p63   ? INT64_MAX
                              : value.u.d < -0x1p63 ? INT64_MIN
                                                    : (int64_t)value.u.d);
    return true;
}

static bool to_double(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value value;
    double d;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    *ret = (jg_ottl_value){0};
    if (value.type == JG_OTTL_DOUBLE)
        *ret = value;
    else if (value.type == JG_OTTL_INT)
        *ret = jg_ottl_of_double((double)value.u.i);
    else if (value.type == JG_OTTL_BOOL)
        *ret = jg_ottl_of_double(value.u.b);
    else if (value.type == JG_OTTL_STRING && jg_str_to_double(value.u.s, &d))
        *ret = jg_ottl_of_double(d);
    return true;
}

static bool to_bool(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    jg_ottl_value value;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    *ret = (jg_ottl_value){0};
    if (value.type == JG_OTTL_BOOL)
        *ret = value;
    else if (value.type == JG_OTTL_INT)
        *ret = jg_ottl_of_bool(value.u.i != 0);
    else if (value.type == JG_OTTL_DOUBLE)
        *ret = jg_ottl_of_bool(value.u.d != 0);
    for (size_t i = 0; value.type == JG_OTTL_STRING && i < JG_COUNT(yes); i++)
        if (jg_str_is(value.u.s, yes[i]) || jg_str_is(value.u.s, no[i]))
            *ret = jg_ottl_of_bool(jg_str_is(value.u.s, yes[i]));
    return true;
}

static bool to_string(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    if (!jg_ottl_arg_text(e, call, 0, &text))
        return false;
    *ret = text.ptr ? jg_ottl_of_str(text) : (jg_ottl_value){0};
    return true;
}

static bool coalesce(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    const jg_ottl_node *list = call->args[0];
    jg_ottl_value value;
    if (list->op == JG_OTTL_OP_LIST) { /* no more than needed, and the types are kept */
        *ret = (jg_ottl_value){0};
        for (size_t i = 0; i < list->arg_count && ret->type == JG_OTTL_NIL; i++)
            if (!jg_ottl_eval_node(e, list->args[i], ret))
                return false;
        return true;
    }
    if (!jg_ottl_arg_of(e, call, 0, JG_OTTL_LIST, &value))
        return false;
    *ret = (jg_ottl_value){0};
    for (jaeger_iter it = value.u.it; ret->type == JG_OTTL_NIL && jg_ottl_next(&it, ret);)
        ;
    return true;
}

/* An id of n bytes, from bytes or from hex. */
static bool to_id(jg_ottl_eval *e, const jg_ottl_node *call, size_t n, jg_ottl_value *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    *ret = value;
    if (value.type == JG_OTTL_BYTES && value.u.s.len == n)
        return true;
    uint8_t *id = jaeger_arena_alloc(e->arena, n);
    if (value.type != JG_OTTL_STRING || !id || !jg_hex_decode(value.u.s, id, n))
        return jg_ottl_fail(e, "%s: expected %zu bytes or %zu hexadecimal digits", call->fn->name, n, 2 * n);
    *ret = (jg_ottl_value){JG_OTTL_BYTES, {.s = {(char *)id, n}}};
    return true;
}

static bool to_trace_id(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return to_id(e, call, 16, ret);
}

static bool to_span_id(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return to_id(e, call, 8, ret);
}

static bool to_log(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value value;
    if (!to_double(e, call, &value))
        return false;
    if (value.type == JG_OTTL_NIL || value.u.d <= 0)
        return jg_ottl_fail(e, "Log: expected a number above zero");
    *ret = jg_ottl_of_double(log(value.u.d));
    return true;
}

const jg_ottl_fn jg_ottl_type_fns[] = {{"IsString", "value", is_string, 0},
                                       {"IsInt", "value", is_int, 0},
                                       {"IsBool", "value", is_bool, 0},
                                       {"IsDouble", "value", is_double, 0},
                                       {"IsMap", "value", is_map, 0},
                                       {"IsList", "value", is_list, 0},
                                       {"IsRootSpan", "", is_root_span, 0},
                                       {"Int", "value", to_int, 0},
                                       {"Double", "value", to_double, 0},
                                       {"Bool", "value", to_bool, 0},
                                       {"String", "value", to_string, 0},
                                       {"Coalesce", "values", coalesce, 0},
                                       {"TraceID", "value", to_trace_id, 0},
                                       {"ProfileID", "value", to_trace_id, 0},
                                       {"SpanID", "value", to_span_id, 0},
                                       {"Log", "value", to_log, 0},
                                       {0}};
