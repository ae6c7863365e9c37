/* SPDX-License-Identifier: Apache-2.0
 * Merging trees as confmap does: maps merge, scalars and lists replace, an explicit null replaces too. "::"
 * in a key separates levels. Spec: opentelemetry-collector confmap/README.md.
 */
#include "config/tree.h"

#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"

static jaeger_status merge(jaeger_config *into, jaeger_config *from, unsigned depth, jaeger_error *err);

static jaeger_status merge_entry(jaeger_config *into, jg_map *places, jaeger_config *entry, unsigned depth,
                                 jaeger_error *err)
{
    bool is_new;
    jg_map_entry *place = jg_map_put(places, entry->key, &is_new);
    if (!place)
        return jg_fail_oom(err);
    if (is_new) {
        if (!jg_tree_add(into, entry->key, entry))
            return jg_tree_fail_full(into->tree, err);
        place->value = (void *)(into->count); /* its position + 1 */
        return JAEGER_OK;
    }
    jaeger_config **old = &into->items[(size_t)place->value - 1];
    if ((*old)->type == JAEGER_CONFIG_MAP && entry->type == JAEGER_CONFIG_MAP)
        return merge(*old, entry, depth + 1, err);
    *old = entry;
    return JAEGER_OK;
}

static jaeger_status merge(jaeger_config *into, jaeger_config *from, unsigned depth, jaeger_error *err)
{
    if (depth > JG_YAML_DEPTH_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s:%u: nested deeper than %d levels", from->file,
                       from->line, JG_YAML_DEPTH_MAX);
    jg_map places = {0};
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < into->count && status == JAEGER_OK; i++) {
        bool is_new;
        jg_map_entry *place = jg_map_put(&places, into->items[i]->key, &is_new);
        if (place)
            place->value = (void *)(i + 1);
        else
            status = jg_fail_oom(err);
    }
    for (size_t i = 0; i < from->count && status == JAEGER_OK; i++)
        status = merge_entry(into, &places, from->items[i], depth, err);
    jg_map_done(&places);
    return status;
}

jaeger_status jg_tree_merge(jaeger_config *into, jaeger_config *from, jaeger_error *err)
{
    return merge(into, from, 1, err);
}

static bool find_separator(jaeger_str key, size_t *ret_at)
{
    for (size_t i = 0; i + 1 < key.len; i++) {
        if (key.ptr[i] == ':' && key.ptr[i + 1] == ':') {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

/* "a::b::c": value becomes a: {b: {c: value}}; *entry is then the node of a. */
static jaeger_status wrap(jaeger_config **entry, jaeger_error *err)
{
    jaeger_config *first = NULL, *inner = NULL, *value = *entry;
    jaeger_str rest = value->key;
    size_t at;
    for (unsigned depth = 1; find_separator(rest, &at); depth++) {
        if (depth > JG_YAML_DEPTH_MAX)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s:%u: a key nested deeper than %d levels",
                           value->file, value->line, JG_YAML_DEPTH_MAX);
        jaeger_config *map = jg_tree_node(value->tree, JAEGER_CONFIG_MAP, value);
        if (!map || (inner && !jg_tree_add(inner, (jaeger_str){rest.ptr, at}, map)))
            return jg_tree_fail_full(value->tree, err);
        map->key = (jaeger_str){rest.ptr, at};
        first = first ? first : map;
        inner = map;
        rest = jg_str_skip(rest, at + 2);
    }
    if (!inner)
        return JAEGER_OK;
    *entry = first;
    return jg_tree_add(inner, rest, value) ? JAEGER_OK : jg_tree_fail_full(value->tree, err);
}

static jaeger_status split(jaeger_config *node, unsigned depth, jaeger_error *err)
{
    if (depth > JG_YAML_DEPTH_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s:%u: nested deeper than %d levels", node->file,
                       node->line, JG_YAML_DEPTH_MAX);
    bool any = false;
    for (size_t i = 0; i < node->count; i++) {
        jaeger_config *before = node->items[i];
        if (node->type == JAEGER_CONFIG_MAP)
            JG_TRY(wrap(&node->items[i], err));
        any |= node->items[i] != before;
        JG_TRY(split(before, depth + 1, err));
    }
    if (!any)
        return JAEGER_OK;
    jaeger_config whole = *node; /* now two entries may have one key: merge them in order */
    node->items = NULL;
    node->count = node->cap = 0;
    return merge(node, &whole, depth, err);
}

jaeger_status jg_tree_split_keys(jaeger_config *node, jaeger_error *err)
{
    return split(node, 1, err);
}
