/* SPDX-License-Identifier: Apache-2.0
 * Functions that look into maps: SliceToMap, ParseSeverity. Spec: opentelemetry-collector-contrib
 * pkg/ottl/ottlfuncs/README.md.
 */
#include "core/str.h"
#include "ottl/node.h"
#include <stdio.h>

/* @return false: no such entry */
static bool find(const jg_ottl_value *map, jaeger_str key, jg_ottl_value *ret)
{
    jaeger_attr attr;
    if (map->type != JG_OTTL_MAP)
        return false;
    for (jaeger_iter it = map->u.it; jaeger_next_attr(&it, &attr);)
        if (jg_str_eq(attr.key, key)) {
            *ret = jg_ottl_of(&attr.value);
            return true;
        }
    return false;
}

static bool find_named(const jg_ottl_value *map, const char *key, jg_ottl_value *ret)
{
    return find(map, jg_str(key), ret);
}

/* ---- SliceToMap ---- */

/* Follow the names of `path` into `item`. */
static bool follow(const jg_ottl_value *path, jg_ottl_value item, jg_ottl_value *ret)
{
    jg_ottl_value name;
    size_t steps = 0;
    for (jaeger_iter it = path->u.it; jg_ottl_next(&it, &name); steps++)
        if (name.type != JG_OTTL_STRING || !find(&item, name.u.s, &item))
            return false;
    *ret = item;
    return steps > 0;
}

static const char *put_entry(jg_buf *out, const jg_ottl_value *item, const jg_ottl_value *key_path,
                             const jg_ottl_value *value_path, size_t at)
{
    char number[24];
    jg_ottl_value key = jg_ottl_of_str((jaeger_str){number, 0}), value = *item;
    key.u.s.len = (size_t)snprintf(number, sizeof number, "%zu", at);
    if ((key_path || value_path) && item->type != JG_OTTL_MAP)
        return "an item is not a map";
    if (key_path && (!follow(key_path, *item, &key) || key.type != JG_OTTL_STRING))
        return "an item has no text at the key's path";
    if (value_path && !follow(value_path, *item, &value))
        return "an item has nothing at the value's path";
    jg_ottl_put_entry(out, key.u.s, &value);
    return NULL;
}

static bool slice_to_map(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value list, key_path, value_path, item;
    bool has_key = !jg_ottl_arg_is_absent(call, 1), has_value = !jg_ottl_arg_is_absent(call, 2);
    if (!jg_ottl_arg_of(e, call, 0, JG_OTTL_LIST, &list) ||
        (has_key && !jg_ottl_arg_of(e, call, 1, JG_OTTL_LIST, &key_path)) ||
        (has_value && !jg_ottl_arg_of(e, call, 2, JG_OTTL_LIST, &value_path)))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    const char *fault = NULL;
    size_t at = 0;
    for (jaeger_iter it = list.u.it; !fault && jg_ottl_next(&it, &item); at++)
        fault = put_entry(&out, &item, has_key ? &key_path : NULL, has_value ? &value_path : NULL, at);
    if (!fault)
        return jg_ottl_finish(e, &out, JG_OTTL_MAP, ret);
    jg_buf_done(&out);
    return jg_ottl_fail(e, "SliceToMap: %s", fault);
}

/* ---- ParseSeverity ---- */

static bool in_list(const jg_ottl_value *list, jaeger_str text)
{
    jg_ottl_value item;
    if (list->type != JG_OTTL_LIST)
        return false;
    for (jaeger_iter it = list->u.it; jg_ottl_next(&it, &item);)
        if (item.type == JG_OTTL_STRING && jg_str_eq(item.u.s, text))
            return true;
    return false;
}

/* "2xx" to "5xx", or {"min": , "max": }. @return 1: inside, 0: outside, -1: not a range */
static int in_range(const jg_ottl_value *range, int64_t i)
{
    jg_ottl_value min, max;
    if (range->type == JG_OTTL_STRING) {
        jaeger_str s = range->u.s;
        if (s.len != 3 || s.ptr[0] < '2' || s.ptr[0] > '5' || memcmp(s.ptr + 1, "xx", 2) != 0)
            return -1;
        return i / 100 == s.ptr[0] - '0';
    }
    if (!find_named(range, "min", &min) || !find_named(range, "max", &max) || min.type != JG_OTTL_INT ||
        max.type != JG_OTTL_INT)
        return -1;
    return i >= min.u.i && i <= max.u.i;
}

/* @return 1, 0, or -1: not a criterion */
static int meets(const jg_ottl_value *criterion, const jg_ottl_value *target)
{
    jg_ottl_value found;
    if (criterion->type != JG_OTTL_MAP)
        return -1;
    if (target->type == JG_OTTL_STRING)
        return find_named(criterion, "equals", &found) && in_list(&found, target->u.s);
    return find_named(criterion, "range", &found) ? in_range(&found, target->u.i) : 0;
}

static bool parse_severity(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value target, mapping, item;
    jaeger_attr level;
    if (!jg_ottl_arg(e, call, 0, &target) || !jg_ottl_arg_of(e, call, 1, JG_OTTL_MAP, &mapping))
        return false;
    if (target.type != JG_OTTL_STRING && target.type != JG_OTTL_INT)
        return jg_ottl_fail(e, "ParseSeverity: unsupported value type: %s", jg_ottl_type_name(target.type));
    for (jaeger_iter it = mapping.u.it; jaeger_next_attr(&it, &level);) {
        jg_ottl_value list = jg_ottl_of(&level.value);
        if (list.type != JG_OTTL_LIST)
            return jg_ottl_fail(e, "ParseSeverity: severity mapping criteria must be a list");
        for (jaeger_iter criteria = list.u.it; jg_ottl_next(&criteria, &item);) {
            int met = meets(&item, &target);
            if (met < 0)
                return jg_ottl_fail(e, "ParseSeverity: invalid severity mapping criteria");
            if (met) {
                *ret = jg_ottl_of_str(level.key);
                return true;
            }
        }
    }
    return jg_ottl_fail(e, "ParseSeverity: no matching log level found");
}

const jg_ottl_fn jg_ottl_map_fns[] = {{"SliceToMap", "target,key_path?,value_path?", slice_to_map, 0},
                                      {"ParseSeverity", "target,severity_mapping", parse_severity, 0},
                                      {0}};
