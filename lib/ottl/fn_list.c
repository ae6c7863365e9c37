/* SPDX-License-Identifier: Apache-2.0
 * Functions on lists and maps. Spec: opentelemetry-collector-contrib pkg/ottl/ottlfuncs/README.md.
 */
#include "core/arena.h"
#include "core/str.h"
#include "ottl/node.h"
#include <stdlib.h>

static int64_t count_fields(const jg_ottl_value *value)
{
    jg_ottl_value item;
    jaeger_attr attr;
    int64_t n = 0;
    for (jaeger_iter it = value->u.it;
         value->type == JG_OTTL_MAP ? jaeger_next_attr(&it, &attr) : jg_ottl_next(&it, &item);)
        n++;
    return n;
}

static bool len(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    switch (value.type) {
    case JG_OTTL_STRING:
    case JG_OTTL_BYTES:
        *ret = jg_ottl_of_int((int64_t)value.u.s.len);
        return true;
    case JG_OTTL_LIST:
    case JG_OTTL_MAP:
        *ret = jg_ottl_of_int(count_fields(&value));
        return true;
    case JG_OTTL_COUNTED:
        *ret = jg_ottl_of_int(value.u.i);
        return true;
    default:
        return jg_ottl_fail(e, "Len: unsupported target type %s", jg_ottl_type_name(value.type));
    }
}

/* Position of `item`, or -1. */
static int64_t find(jg_ottl_eval *e, const jg_ottl_value *list, const jg_ottl_value *item)
{
    jg_ottl_value value;
    jaeger_iter it = list->u.it;
    for (int64_t i = 0; jg_ottl_next(&it, &value); i++)
        if (jg_ottl_compare(e, &value, item, JG_OTTL_EQ))
            return i;
    return -1;
}

static bool contains_value(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value list, item;
    if (!jg_ottl_arg_of(e, call, 0, JG_OTTL_LIST, &list) || !jg_ottl_arg(e, call, 1, &item))
        return false;
    *ret = jg_ottl_of_bool(find(e, &list, &item) >= 0);
    return true;
}

static bool index_of(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value target, value;
    if (!jg_ottl_arg(e, call, 0, &target) || !jg_ottl_arg(e, call, 1, &value))
        return false;
    if (target.type == JG_OTTL_LIST) {
        *ret = jg_ottl_of_int(find(e, &target, &value));
        return true;
    }
    if (target.type != JG_OTTL_STRING || value.type != JG_OTTL_STRING)
        return jg_ottl_fail(e, "Index: expected two strings, or a list, not %s and %s",
                            jg_ottl_type_name(target.type), jg_ottl_type_name(value.type));
    const char *at =
        value.u.s.len ? memmem(target.u.s.ptr, target.u.s.len, value.u.s.ptr, value.u.s.len) : target.u.s.ptr;
    *ret = jg_ottl_of_int(at ? at - target.u.s.ptr : -1);
    return true;
}

static bool append(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value target, value, values;
    if (!jg_ottl_arg(e, call, 0, &target) || !jg_ottl_arg(e, call, 1, &value) ||
        !jg_ottl_arg(e, call, 2, &values))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    jg_ottl_value item;
    jaeger_iter it = target.u.it;
    while (target.type == JG_OTTL_LIST && jg_ottl_next(&it, &item))
        jg_ottl_put_item(&out, &item);
    if (target.type != JG_OTTL_LIST && target.type != JG_OTTL_NIL)
        jg_ottl_put_item(&out, &target);
    if (!jg_ottl_arg_is_absent(call, 1))
        jg_ottl_put_item(&out, &value);
    it = values.u.it;
    while (values.type == JG_OTTL_LIST && jg_ottl_next(&it, &item))
        jg_ottl_put_item(&out, &item);
    return jg_ottl_finish(e, &out, JG_OTTL_LIST, ret);
}

static bool keys_or_values(jg_ottl_eval *e, const jg_ottl_node *call, bool keys, jg_ottl_value *ret)
{
    jg_ottl_value map;
    if (!jg_ottl_arg_of(e, call, 0, JG_OTTL_MAP, &map))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    jaeger_iter it = map.u.it;
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr);) {
        jg_ottl_value item = keys ? jg_ottl_of_str(attr.key) : jg_ottl_of(&attr.value);
        jg_ottl_put_item(&out, &item);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_LIST, ret);
}

static bool keys(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return keys_or_values(e, call, true, ret);
}

static bool values(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return keys_or_values(e, call, false, ret);
}

static int by_number(const void *a, const void *b)
{
    const jg_ottl_value *x = a, *y = b;
    double p = x->type == JG_OTTL_INT ? (double)x->u.i : x->u.d;
    double q = y->type == JG_OTTL_INT ? (double)y->u.i : y->u.d;
    if (x->type == JG_OTTL_INT && y->type == JG_OTTL_INT)
        return (x->u.i > y->u.i) - (x->u.i < y->u.i);
    return (p > q) - (p < q);
}

static int by_text(const void *a, const void *b)
{
    return jg_str_cmp(((const jg_ottl_value *)a)->u.s, ((const jg_ottl_value *)b)->u.s);
}

/* Numbers by value; all else by its text. */
static bool sort(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value list;
    jaeger_str order = JAEGER_STR("asc");
    if (!jg_ottl_arg_of(e, call, 0, JG_OTTL_LIST, &list) ||
        (!jg_ottl_arg_is_absent(call, 1) && !jg_ottl_arg_str(e, call, 1, &order)))
        return false;
    if (!jg_str_is(order, "asc") && !jg_str_is(order, "desc"))
        return jg_ottl_fail(e, "Sort: the order must be asc or desc");
    size_t n = (size_t)count_fields(&list), i = 0;
    jg_ottl_value *items = jaeger_arena_alloc(e->arena, (n + 1) * sizeof *items);
    bool numbers = true;
    if (!items)
        return jg_ottl_fail(e, "out of memory");
    for (jaeger_iter it = list.u.it; jg_ottl_next(&it, &items[i]); i++)
        numbers &= items[i].type == JG_OTTL_INT || items[i].type == JG_OTTL_DOUBLE;
    for (i = 0; i < n && !numbers; i++) {
        jaeger_str text;
        if (!jg_ottl_text(e, &items[i], &text))
            return false;
        items[i] = jg_ottl_of_str(text.ptr ? text : JAEGER_STR(""));
    }
    qsort(items, n, sizeof *items, numbers ? by_number : by_text);
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (i = 0; i < n; i++)
        jg_ottl_put_item(&out, &items[jg_str_is(order, "asc") ? i : n - 1 - i]);
    return jg_ottl_finish(e, &out, JG_OTTL_LIST, ret);
}

const jg_ottl_fn jg_ottl_list_fns[] = {{"Len", "target", len, 0},
                                       {"ContainsValue", "target,item", contains_value, 0},
                                       {"Index", "target,value", index_of, 0},
                                       {"Append", "target,value?,values?", append, 0},
                                       {"Keys", "target", keys, 0},
                                       {"Values", "target", values, 0},
                                       {"Sort", "target,order?", sort, 0},
                                       {0}};
