/* SPDX-License-Identifier: Apache-2.0
 * Evaluating the tree: comparing, arithmetic, indexing. Values of different types are never equal and have no
 * order; int and double compare as numbers. Spec: opentelemetry-collector-contrib pkg/ottl/LANGUAGE.md.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "ottl/node.h"
#include <stdarg.h>
#include <stdio.h>

bool jg_ottl_fail(jg_ottl_eval *e, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)jg_fail(e->err, JAEGER_INVALID_ARGUMENT, "%s", text);
    return false;
}

/* ---- comparing ---- */

static bool by_order(int order, int sign)
{
    switch (sign) {
    case JG_OTTL_EQ:
        return order == 0;
    case JG_OTTL_NE:
        return order != 0;
    case JG_OTTL_LT:
        return order < 0;
    case JG_OTTL_LE:
        return order <= 0;
    case JG_OTTL_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* NaN is unlike everything. */
static bool by_double(double a, double b, int sign)
{
    if (a != a || b != b)
        return sign == JG_OTTL_NE;
    return by_order((a > b) - (a < b), sign);
}

static bool lists_equal(jg_ottl_eval *e, jaeger_iter a, jaeger_iter b)
{
    jg_ottl_value x, y;
    while (jg_ottl_next(&a, &x))
        if (!jg_ottl_next(&b, &y) || !jg_ottl_compare(e, &x, &y, JG_OTTL_EQ))
            return false;
    return !jg_ottl_next(&b, &y);
}

static size_t count_attrs(jaeger_iter it)
{
    size_t n = 0;
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr);)
        n++;
    return n;
}

static bool maps_equal(jg_ottl_eval *e, jaeger_iter a, jaeger_iter b)
{
    if (count_attrs(a) != count_attrs(b))
        return false;
    for (jaeger_attr x, y; jaeger_next_attr(&a, &x);) {
        if (!jaeger_find_attr(b, x.key, &y))
            return false;
        jg_ottl_value v = jg_ottl_of(&x.value), w = jg_ottl_of(&y.value);
        if (!jg_ottl_compare(e, &v, &w, JG_OTTL_EQ))
            return false;
    }
    return true;
}

static bool same_type(jg_ottl_eval *e, const jg_ottl_value *a, const jg_ottl_value *b, int sign)
{
    bool equal = sign == JG_OTTL_EQ, only_equality = equal || sign == JG_OTTL_NE;
    switch (a->type) {
    case JG_OTTL_NIL:
        return equal;
    case JG_OTTL_STRING:
    case JG_OTTL_BYTES:
        return by_order(jg_str_cmp(a->u.s, b->u.s), sign);
    case JG_OTTL_BOOL:
        return by_order((int)a->u.b - (int)b->u.b, sign);
    case JG_OTTL_LIST:
        return only_equality && lists_equal(e, a->u.it, b->u.it) == equal;
    case JG_OTTL_MAP:
        return only_equality && maps_equal(e, a->u.it, b->u.it) == equal;
    case JG_OTTL_DOUBLE:
        return by_double(a->u.d, b->u.d, sign);
    default:
        return by_order((a->u.i > b->u.i) - (a->u.i < b->u.i), sign);
    }
}

bool jg_ottl_compare(jg_ottl_eval *e, const jg_ottl_value *a, const jg_ottl_value *b, int sign)
{
    if (a->type == b->type)
        return same_type(e, a, b, sign);
    if (a->type == JG_OTTL_INT && b->type == JG_OTTL_DOUBLE)
        return by_double((double)a->u.i, b->u.d, sign);
    if (a->type == JG_OTTL_DOUBLE && b->type == JG_OTTL_INT)
        return by_double(a->u.d, (double)b->u.i, sign);
    return sign == JG_OTTL_NE;
}

/* ---- arithmetic ---- */

/* Two's complement, as Go's int64. */
static bool int_math(jg_ottl_eval *e, int sign, int64_t a, int64_t b, int64_t *ret)
{
    switch (sign) {
    case '+':
        *ret = (int64_t)((uint64_t)a + (uint64_t)b);
        return true;
    case '-':
        *ret = (int64_t)((uint64_t)a - (uint64_t)b);
        return true;
    case '*':
        *ret = (int64_t)((uint64_t)a * (uint64_t)b);
        return true;
    default:
        if (b == 0)
            return jg_ottl_fail(e, "attempted to divide by 0");
        *ret = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
        return true;
    }
}

static bool double_math(jg_ottl_eval *e, int sign, double a, double b, double *ret)
{
    if (sign == '/' && b == 0)
        return jg_ottl_fail(e, "attempted to divide by 0");
    *ret = sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b;
    return true;
}

static bool is_number(jg_ottl_type type)
{
    return type == JG_OTTL_INT || type == JG_OTTL_DOUBLE;
}

static double as_double(const jg_ottl_value *v)
{
    return v->type == JG_OTTL_INT ? (double)v->u.i : v->u.d;
}

/* Times and durations: only + and -. @return the type of the result; NIL: there is none */
static jg_ottl_type time_result(jg_ottl_type a, jg_ottl_type b, int sign)
{
    if (sign != '+' && sign != '-')
        return JG_OTTL_NIL;
    if (b == JG_OTTL_DURATION && (a == JG_OTTL_TIME || a == JG_OTTL_DURATION))
        return a;
    if (a == JG_OTTL_TIME && b == JG_OTTL_TIME && sign == '-')
        return JG_OTTL_DURATION;
    return a == JG_OTTL_DURATION && b == JG_OTTL_TIME && sign == '+' ? JG_OTTL_TIME : JG_OTTL_NIL;
}

static bool eval_math(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *ret)
{
    jg_ottl_value a, b;
    if (!jg_ottl_eval_node(e, node->args[0], &a) || !jg_ottl_eval_node(e, node->args[1], &b))
        return false;
    if (is_number(a.type) && is_number(b.type)) {
        if (a.type == JG_OTTL_INT && b.type == JG_OTTL_INT) {
            ret->type = JG_OTTL_INT;
            return int_math(e, node->sign, a.u.i, b.u.i, &ret->u.i);
        }
        ret->type = JG_OTTL_DOUBLE;
        return double_math(e, node->sign, as_double(&a), as_double(&b), &ret->u.d);
    }
    ret->type = time_result(a.type, b.type, node->sign);
    if (ret->type == JG_OTTL_NIL)
        return jg_ottl_fail(e, "unsupported operand types %s and %s for %c", jg_ottl_type_name(a.type),
                            jg_ottl_type_name(b.type), node->sign);
    return int_math(e, node->sign, a.u.i, b.u.i, &ret->u.i);
}

/* ---- indexing ---- */

static bool index_list(jg_ottl_eval *e, const jg_ottl_value *key, jg_ottl_value *value)
{
    jaeger_iter it = value->u.it;
    if (key->type != JG_OTTL_INT)
        return jg_ottl_fail(e, "a list is indexed by int, not %s", jg_ottl_type_name(key->type));
    for (int64_t i = 0; jg_ottl_next(&it, value); i++)
        if (i == key->u.i)
            return true;
    return jg_ottl_fail(e, "index %lld out of bounds", (long long)key->u.i);
}

bool jg_ottl_index(jg_ottl_eval *e, const jg_ottl_node *node, size_t first_key, jg_ottl_value *value)
{
    for (size_t i = first_key; i < node->key_count; i++) {
        jg_ottl_value key;
        jaeger_attr attr;
        if (!jg_ottl_eval_node(e, node->keys[i], &key))
            return false;
        if (value->type == JG_OTTL_LIST) {
            if (!index_list(e, &key, value))
                return false;
        } else if (value->type != JG_OTTL_MAP || key.type != JG_OTTL_STRING) {
            return jg_ottl_fail(e, "type %s does not support %s indexing", jg_ottl_type_name(value->type),
                                jg_ottl_type_name(key.type));
        } else if (!jaeger_find_attr(value->u.it, key.u.s, &attr)) {
            *value = (jg_ottl_value){0};
            return true;
        } else {
            *value = jg_ottl_of(&attr.value);
        }
    }
    return true;
}

/* ---- the tree ---- */

static bool eval_condition(jg_ottl_eval *e, const jg_ottl_node *node, bool *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_eval_node(e, node, &value))
        return false;
    if (value.type != JG_OTTL_BOOL)
        return jg_ottl_fail(e, "function returned %s, not a bool", jg_ottl_type_name(value.type));
    *ret = value.u.b;
    return true;
}

static bool eval_chain(jg_ottl_eval *e, const jg_ottl_node *node, bool until, jg_ottl_value *ret)
{
    bool answer = !until;
    for (size_t i = 0; i < node->arg_count && answer != until; i++)
        if (!eval_condition(e, node->args[i], &answer))
            return false;
    *ret = jg_ottl_of_bool(answer);
    return true;
}

static bool eval_list(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *ret)
{
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (size_t i = 0; i < node->arg_count; i++) {
        jg_ottl_value value;
        if (!jg_ottl_eval_node(e, node->args[i], &value)) {
            jg_buf_done(&out);
            return false;
        }
        if (node->op == JG_OTTL_OP_MAP)
            jg_ottl_put_entry(&out, node->names[i], &value);
        else
            jg_ottl_put_item(&out, &value);
    }
    return jg_ottl_finish(e, &out, node->op == JG_OTTL_OP_MAP ? JG_OTTL_MAP : JG_OTTL_LIST, ret);
}

bool jg_ottl_eval_node(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *ret)
{
    jg_ottl_value a, b;
    bool answer = false;
    switch (node->op) {
    case JG_OTTL_OP_LITERAL:
        *ret = node->value;
        return true;
    case JG_OTTL_OP_PATH:
        return jg_ottl_path_eval(e, node, ret);
    case JG_OTTL_OP_CALL:
        return node->fn->call(e, node, ret) && (node->key_count == 0 || jg_ottl_index(e, node, 0, ret));
    case JG_OTTL_OP_LIST:
    case JG_OTTL_OP_MAP:
        return eval_list(e, node, ret);
    case JG_OTTL_OP_MATH:
        return eval_math(e, node, ret);
    case JG_OTTL_OP_COMPARE:
        if (!jg_ottl_eval_node(e, node->args[0], &a) || !jg_ottl_eval_node(e, node->args[1], &b))
            return false;
        *ret = jg_ottl_of_bool(jg_ottl_compare(e, &a, &b, node->sign));
        return true;
    case JG_OTTL_OP_NOT:
        if (!eval_condition(e, node->args[0], &answer))
            return false;
        *ret = jg_ottl_of_bool(!answer);
        return true;
    default:
        return eval_chain(e, node, node->op == JG_OTTL_OP_OR, ret);
    }
}

/* ---- sets ---- */

jaeger_status jg_ottl_set_add(jg_ottl_set *set, jg_ottl *take, jaeger_error *err)
{
    if (set->count == set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 8;
        jg_ottl **grown = jg_realloc(set->items, cap * sizeof *grown);
        if (!grown) {
            jg_ottl_free(take);
            return jg_fail_oom(err);
        }
        set->items = grown;
        set->cap = cap;
    }
    set->items[set->count++] = take;
    return JAEGER_OK;
}

void jg_ottl_set_done(jg_ottl_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        jg_ottl_free(set->items[i]);
    jg_free(set->items);
    *set = (jg_ottl_set){0};
}

/* One bad attribute would write a line for each span. */
static void log_failure(jg_ottl_set *set, const jaeger_logger *log, const jaeger_error *err)
{
    uint64_t now = jg_clock_mono_ns(), before = __atomic_load_n(&set->logged_ns, __ATOMIC_RELAXED);
    if (before && now - before < JG_NS_PER_S)
        return;
    if (__atomic_compare_exchange_n(&set->logged_ns, &before, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        jaeger_log(log, JAEGER_WARN, "error evaluating condition: error=\"%s\"", err->message);
}

jaeger_status jg_ottl_set_test(jg_ottl_set *set, const jg_ottl_view *view, jaeger_arena *scratch,
                               const jaeger_logger *log, bool *ret, jaeger_error *err)
{
    *ret = false;
    for (size_t i = 0; i < set->count && !*ret; i++) {
        jaeger_error why;
        bool answer = false;
        jaeger_arena_reset(scratch);
        if (jg_ottl_test(set->items[i], view, scratch, &answer, &why) == JAEGER_OK)
            *ret = answer;
        else if (set->error_mode == JG_OTTL_PROPAGATE)
            return jg_fail(err, why.status, "failed to eval condition: %s", why.message);
        else if (set->error_mode == JG_OTTL_IGNORE && log)
            log_failure(set, log, &why);
    }
    return JAEGER_OK;
}
