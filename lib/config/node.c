/* SPDX-License-Identifier: Apache-2.0
 * Reading a tree: types, children, and the path and place of a node as text (made at first use, on the thread
 * that reads the configuration).
 */
#include "config/tree.h"

#include "config/load.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX sizeof(((jaeger_error *)0)->message)

void jaeger_config_free(jaeger_config *root)
{
    if (root)
        jg_tree_free(root->tree);
}

jaeger_config_type jaeger_config_kind(const jaeger_config *node)
{
    return node ? node->type : JAEGER_CONFIG_NULL;
}

jaeger_str jaeger_config_text(const jaeger_config *node)
{
    return node && node->type == JAEGER_CONFIG_SCALAR ? node->text : JAEGER_STR("");
}

size_t jaeger_config_count(const jaeger_config *node)
{
    return node ? node->count : 0;
}

const jaeger_config *jaeger_config_at(const jaeger_config *node, size_t index, jaeger_str *ret_key)
{
    if (!node || index >= node->count)
        return NULL;
    if (ret_key)
        *ret_key = node->items[index]->key;
    return node->items[index];
}

const jaeger_config *jaeger_config_get(const jaeger_config *node, const char *key)
{
    if (!node || node->type != JAEGER_CONFIG_MAP)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (jg_str_is(node->items[i]->key, key))
            return node->items[i];
    return NULL;
}

/* The path of `node` is written from its end: parents are at most JG_YAML_DEPTH_MAX away. */
static const char *make_path(const jaeger_config *node)
{
    const jaeger_config *parent = node->parent;
    if (!parent)
        return "";
    const char *before = jaeger_config_path(parent), *joint = before[0] ? "::" : "";
    jaeger_str path =
        node->in_list
            ? jg_arena_printf(node->tree->arena, "%s%s%zu", before, joint, node->index)
            : jg_arena_printf(node->tree->arena, "%s%s%.*s", before, joint, JAEGER_STR_ARGS(node->key));
    return path.ptr ? path.ptr : "";
}

const char *jaeger_config_path(const jaeger_config *node)
{
    if (!node)
        return "";
    if (!node->path)
        ((jaeger_config *)node)->path = make_path(node);
    return node->path;
}

const char *jaeger_config_where(const jaeger_config *node)
{
    if (!node)
        return "";
    if (!node->where) {
        jaeger_str where = node->line ? jg_arena_printf(node->tree->arena, "%s:%u", node->file, node->line)
                                      : jg_arena_printf(node->tree->arena, "%s", node->file);
        ((jaeger_config *)node)->where = where.ptr ? where.ptr : "";
    }
    return node->where;
}

jaeger_status jg_config_fail(jaeger_error *err, const jaeger_config *node, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *path = jaeger_config_path(node), *where = jaeger_config_where(node);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s%s%s%s%s%s", path, path[0] ? ": " : "", text,
                   where[0] ? " (" : "", where, where[0] ? ")" : "");
}

static jaeger_status adopt(jaeger_config *node, unsigned depth, jaeger_error *err)
{
    if (depth > JG_YAML_DEPTH_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s:%u: nested deeper than %d levels", node->file,
                       node->line, JG_YAML_DEPTH_MAX);
    node->path = NULL;
    for (size_t i = 0; i < node->count; i++) {
        jaeger_config *child = node->items[i];
        child->parent = node;
        child->index = i;
        child->in_list = node->type == JAEGER_CONFIG_LIST;
        JG_TRY(adopt(child, depth + 1, err));
    }
    return JAEGER_OK;
}

jaeger_status jg_tree_adopt(jaeger_config *root, jaeger_error *err)
{
    root->parent = NULL;
    return adopt(root, 1, err);
}
