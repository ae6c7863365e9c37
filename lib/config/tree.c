/* SPDX-License-Identifier: Apache-2.0
 * libyaml events to nodes: one recursive walk with a depth limit. Duplicate keys are an error, an alias
 * copies its anchor (counted, so that alias bombs end), "<<" lays maps under the explicit keys. JSON is YAML.
 * Spec: https://yaml.org/spec/1.2.2/, https://yaml.org/type/merge.html
 */
#include "config/tree.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include <stdlib.h>
#include <yaml.h>

typedef struct reader {
    yaml_parser_t yaml;
    jg_tree *tree;
    const char *name;
    jg_map anchors; /* name -> finished node */
    jaeger_error *err;
} reader;

static jaeger_status read_node(reader *r, const yaml_event_t *event, unsigned depth, jaeger_config **ret);

jg_tree *jg_tree_new(void)
{
    jaeger_arena *arena = jaeger_arena_new(JG_YAML_ARENA_BYTES_MAX);
    jg_tree *tree = arena ? jg_arena_zalloc(arena, sizeof *tree) : NULL;
    if (!tree) {
        jaeger_arena_free(arena);
        return NULL;
    }
    tree->arena = arena;
    return tree;
}

void jg_tree_free(jg_tree *tree)
{
    if (tree)
        jaeger_arena_free(tree->arena);
}

jaeger_config *jg_tree_node(jg_tree *tree, jaeger_config_type type, const jaeger_config *like)
{
    if (tree->nodes >= JG_YAML_NODES_MAX)
        return NULL;
    jaeger_config *node = jg_arena_zalloc(tree->arena, sizeof *node);
    if (!node)
        return NULL;
    tree->nodes++;
    node->type = type;
    node->tree = tree;
    node->file = like ? like->file : "";
    node->line = like ? like->line : 0;
    node->column = like ? like->column : 0;
    return node;
}

jaeger_status jg_tree_fail_full(const jg_tree *tree, jaeger_error *err)
{
    if (tree->nodes >= JG_YAML_NODES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "the configuration has more than %d values (aliases count each time)",
                       JG_YAML_NODES_MAX);
    return jg_fail_oom(err);
}

bool jg_tree_add(jaeger_config *parent, jaeger_str key, jaeger_config *child)
{
    void *items = jg_arena_grow(parent->tree->arena, parent->items, parent->count, &parent->cap,
                                sizeof(jaeger_config *));
    if (!items)
        return false;
    parent->items = items;
    child->key = key;
    parent->items[parent->count++] = child;
    return true;
}

static jaeger_status fail_at(const reader *r, yaml_mark_t mark, const char *text)
{
    return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "%s:%zu:%zu: yaml: %s", r->name, mark.line + 1,
                   mark.column + 1, text);
}

static jaeger_status fail_full(const reader *r)
{
    return jg_tree_fail_full(r->tree, r->err);
}

static jaeger_status next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->yaml, event))
        return JAEGER_OK;
    if (r->yaml.error == YAML_MEMORY_ERROR)
        return jg_fail_oom(r->err);
    return fail_at(r, r->yaml.problem ? r->yaml.problem_mark : r->yaml.mark,
                   r->yaml.problem ? r->yaml.problem : "cannot be read");
}

static jaeger_config *make_node(reader *r, jaeger_config_type type, const yaml_event_t *event)
{
    jaeger_config *node = jg_tree_node(r->tree, type, NULL);
    if (!node)
        return NULL;
    node->file = r->name;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    return node;
}

static jaeger_status copy_node(reader *r, const jaeger_config *from, unsigned depth, jaeger_config **ret)
{
    if (depth > JG_YAML_DEPTH_MAX)
        return jg_fail(r->err, JAEGER_INVALID_ARGUMENT, "%s:%u:%u: yaml: nested deeper than %d levels",
                       from->file, from->line, from->column, JG_YAML_DEPTH_MAX);
    jaeger_config *node = jg_tree_node(r->tree, from->type, from);
    if (!node)
        return fail_full(r);
    node->is_text = from->is_text;
    node->text = from->text;
    for (size_t i = 0; i < from->count; i++) {
        jaeger_config *child = NULL;
        JG_TRY(copy_node(r, from->items[i], depth + 1, &child));
        if (!jg_tree_add(node, from->items[i]->key, child))
            return fail_full(r);
    }
    *ret = node;
    return JAEGER_OK;
}

static jaeger_status read_alias(reader *r, const yaml_event_t *event, unsigned depth, jaeger_config **ret)
{
    const jaeger_config *anchor = jg_map_get(&r->anchors, jg_str((const char *)event->data.alias.anchor));
    if (!anchor)
        return fail_at(r, event->start_mark, "unknown anchor");
    return copy_node(r, anchor, depth, ret);
}

static jaeger_status keep_anchor(reader *r, const yaml_char_t *anchor, jaeger_config *node)
{
    if (!anchor)
        return JAEGER_OK;
    bool is_new;
    jaeger_str name = jaeger_arena_str(r->tree->arena, jg_str((const char *)anchor));
    jg_map_entry *entry = name.ptr ? jg_map_put(&r->anchors, name, &is_new) : NULL;
    if (!entry)
        return jg_fail_oom(r->err);
    entry->value = node;
    return JAEGER_OK;
}

static jaeger_status read_scalar(reader *r, const yaml_event_t *event, jaeger_config **ret)
{
    jaeger_config *node = make_node(r, JAEGER_CONFIG_SCALAR, event);
    if (!node)
        return fail_full(r);
    const char *tag = (const char *)event->data.scalar.tag;
    node->text = jaeger_arena_str(
        r->tree->arena, (jaeger_str){(const char *)event->data.scalar.value, event->data.scalar.length});
    if (!node->text.ptr)
        return fail_full(r);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag && strcmp(tag, YAML_STR_TAG) == 0)
        plain = false;
    else if (tag && (strcmp(tag, YAML_INT_TAG) == 0 || strcmp(tag, YAML_BOOL_TAG) == 0 ||
                     strcmp(tag, YAML_FLOAT_TAG) == 0 || strcmp(tag, YAML_NULL_TAG) == 0))
        plain = true;
    node->is_text = !plain;
    if (plain && jg_scalar_is_null(node->text))
        node->type = JAEGER_CONFIG_NULL;
    *ret = node;
    return keep_anchor(r, event->data.scalar.anchor, node);
}

static jaeger_status read_list(reader *r, const yaml_event_t *start, unsigned depth, jaeger_config **ret)
{
    jaeger_config *list = make_node(r, JAEGER_CONFIG_LIST, start);
    if (!list)
        return fail_full(r);
    for (;;) {
        yaml_event_t event;
        JG_TRY(next_event(r, &event));
        jaeger_config *item = NULL;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        jaeger_status status = end ? JAEGER_OK : read_node(r, &event, depth + 1, &item);
        yaml_event_delete(&event);
        JG_TRY(status);
        if (end)
            break;
        if (!jg_tree_add(list, (jaeger_str){0}, item))
            return fail_full(r);
    }
    *ret = list;
    return keep_anchor(r, start->data.sequence_start.anchor, list);
}

static int by_key(const void *a, const void *b)
{
    const jaeger_config *x = *(jaeger_config *const *)a, *y = *(jaeger_config *const *)b;
    int order = jg_str_cmp(x->key, y->key);
    if (order)
        return order;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
                              : (x->column > y->column) - (x->column < y->column);
}

static jaeger_status refuse_duplicates(reader *r, const jaeger_config *map)
{
    if (map->count < 2)
        return JAEGER_OK;
    JG_AUTO_FREE jaeger_config **sorted = jg_alloc(map->count * sizeof(jaeger_config *));
    if (!sorted)
        return jg_fail_oom(r->err);
    memcpy(sorted, map->items, map->count * sizeof *sorted);
    qsort(sorted, map->count, sizeof *sorted, by_key);
    for (size_t i = 1; i < map->count; i++)
        if (jg_str_eq(sorted[i - 1]->key, sorted[i]->key))
            return jg_fail(r->err, JAEGER_INVALID_ARGUMENT,
                           "%s:%u:%u: yaml: mapping key \"%.*s\" already defined at line %u", sorted[i]->file,
                           sorted[i]->line, sorted[i]->column, JAEGER_STR_ARGS(sorted[i]->key),
                           sorted[i - 1]->line);
    return JAEGER_OK;
}

/* Adds what `map` does not have; explicit keys and earlier merges win. */
static jaeger_status lay_under(reader *r, jaeger_config *map, jg_map *have, const jaeger_config *from)
{
    for (size_t i = 0; i < from->count; i++) {
        bool is_new;
        jg_map_entry *entry = jg_map_put(have, from->items[i]->key, &is_new);
        if (!entry)
            return jg_fail_oom(r->err);
        if (is_new && !jg_tree_add(map, from->items[i]->key, from->items[i]))
            return fail_full(r);
    }
    return JAEGER_OK;
}

static jaeger_status merge_under(reader *r, jaeger_config *map, const jaeger_config *source)
{
    jg_map have = {0};
    jaeger_status status = JAEGER_OK;
    bool is_new, is_list = source->type == JAEGER_CONFIG_LIST;
    for (size_t i = 0; i < map->count && status == JAEGER_OK; i++)
        if (!jg_map_put(&have, map->items[i]->key, &is_new))
            status = jg_fail_oom(r->err);
    for (size_t i = 0; i < (is_list ? source->count : 1) && status == JAEGER_OK; i++) {
        const jaeger_config *from = is_list ? source->items[i] : source;
        if (from->type != JAEGER_CONFIG_MAP)
            status = jg_fail(r->err, JAEGER_INVALID_ARGUMENT,
                             "%s:%u:%u: yaml: map merge requires map or sequence of maps as the value",
                             from->file, from->line, from->column);
        else
            status = lay_under(r, map, &have, from);
    }
    jg_map_done(&have);
    return status;
}

static jaeger_status read_key(reader *r, const yaml_event_t *event, jaeger_str *ret, bool *ret_is_merge)
{
    *ret_is_merge = false;
    if (event->type == YAML_ALIAS_EVENT) {
        const jaeger_config *anchor = jg_map_get(&r->anchors, jg_str((const char *)event->data.alias.anchor));
        if (!anchor || anchor->type != JAEGER_CONFIG_SCALAR)
            return fail_at(r, event->start_mark, "a key must be a scalar");
        *ret = anchor->text;
        return JAEGER_OK;
    }
    if (event->type != YAML_SCALAR_EVENT)
        return fail_at(r, event->start_mark, "a key must be a scalar");
    *ret = jaeger_arena_str(r->tree->arena,
                            (jaeger_str){(const char *)event->data.scalar.value, event->data.scalar.length});
    *ret_is_merge = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && jg_str_is(*ret, "<<");
    return ret->ptr ? JAEGER_OK : jg_fail_oom(r->err);
}

/* One "key: value". @return with *ret_value NULL at the end of the map */
static jaeger_status read_entry(reader *r, unsigned depth, jaeger_str *ret_key, bool *ret_is_merge,
                                jaeger_config **ret_value)
{
    yaml_event_t event;
    *ret_value = NULL;
    JG_TRY(next_event(r, &event));
    bool end = event.type == YAML_MAPPING_END_EVENT;
    jaeger_status status = end ? JAEGER_OK : read_key(r, &event, ret_key, ret_is_merge);
    yaml_mark_t mark = event.start_mark;
    yaml_event_delete(&event);
    if (status != JAEGER_OK || end)
        return status;
    JG_TRY(next_event(r, &event));
    status = read_node(r, &event, depth + 1, ret_value);
    yaml_event_delete(&event);
    JG_TRY(status);
    (*ret_value)->line = (uint32_t)mark.line + 1; /* faults are found by their key */
    (*ret_value)->column = (uint32_t)mark.column + 1;
    (*ret_value)->file = r->name;
    return JAEGER_OK;
}

static jaeger_status read_map(reader *r, const yaml_event_t *start, unsigned depth, jaeger_config **ret)
{
    jaeger_config *map = make_node(r, JAEGER_CONFIG_MAP, start), *under = NULL, *value;
    if (!map)
        return fail_full(r);
    for (;;) {
        jaeger_str key;
        bool is_merge;
        JG_TRY(read_entry(r, depth, &key, &is_merge, &value));
        if (!value)
            break;
        if (is_merge && under)
            return fail_at(r, r->yaml.mark, "mapping key \"<<\" already defined");
        if (is_merge)
            under = value;
        else if (!jg_tree_add(map, key, value))
            return fail_full(r);
    }
    JG_TRY(refuse_duplicates(r, map));
    if (under)
        JG_TRY(merge_under(r, map, under));
    *ret = map;
    return keep_anchor(r, start->data.mapping_start.anchor, map);
}

static jaeger_status read_node(reader *r, const yaml_event_t *event, unsigned depth, jaeger_config **ret)
{
    if (depth > JG_YAML_DEPTH_MAX)
        return fail_at(r, event->start_mark, "nested too deeply");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event, ret);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, event, depth, ret);
    case YAML_MAPPING_START_EVENT:
        return read_map(r, event, depth, ret);
    case YAML_ALIAS_EVENT:
        return read_alias(r, event, depth, ret);
    default:
        return fail_at(r, event->start_mark, "unexpected end");
    }
}

/* Skips the stream and document start; an empty stream gives a NULL node. */
static jaeger_status read_document(reader *r, jaeger_config **ret)
{
    for (;;) {
        yaml_event_t event;
        JG_TRY(next_event(r, &event));
        jaeger_status status = JAEGER_OK;
        bool skip = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        if (event.type == YAML_STREAM_END_EVENT) {
            *ret = make_node(r, JAEGER_CONFIG_NULL, &event);
            status = *ret ? JAEGER_OK : fail_full(r);
        } else if (!skip) {
            status = read_node(r, &event, 1, ret);
        }
        yaml_event_delete(&event);
        if (!skip)
            return status;
    }
}

/* libyaml reads on after the root: what follows the first document must at least be sound up to its end. */
static jaeger_status read_end(reader *r)
{
    yaml_event_t event;
    JG_TRY(next_event(r, &event));
    yaml_event_delete(&event);
    return JAEGER_OK;
}

jaeger_status jg_tree_parse(jg_tree *tree, jaeger_str yaml, const char *name, jaeger_config **ret,
                            jaeger_error *err)
{
    if (yaml.len > JG_YAML_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: larger than %u bytes", name, JG_YAML_BYTES_MAX);
    reader r = {.tree = tree, .err = err, .name = jg_str_z(tree->arena, jg_str(name))};
    if (!r.name || !yaml_parser_initialize(&r.yaml))
        return jg_fail_oom(err);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)(yaml.ptr ? yaml.ptr : ""), yaml.len);
    jaeger_config *node = NULL;
    jaeger_status status = read_document(&r, &node);
    if (status == JAEGER_OK && node->type != JAEGER_CONFIG_NULL)
        status = read_end(&r);
    if (status == JAEGER_OK)
        *ret = node;
    jg_map_done(&r.anchors);
    yaml_parser_delete(&r.yaml);
    return status;
}

jaeger_status jaeger_config_parse(jaeger_str yaml, const char *name, jaeger_config **ret, jaeger_error *err)
{
    jg_tree *tree = jg_tree_new();
    if (!tree)
        return jg_fail_oom(err);
    jaeger_config *root = NULL;
    jaeger_status status = jg_tree_parse(tree, yaml, name ? name : "", &root, err);
    if (status == JAEGER_OK)
        status = jg_tree_adopt(root, err);
    if (status != JAEGER_OK) {
        jg_tree_free(tree);
        return status;
    }
    *ret = root;
    return JAEGER_OK;
}
