/* SPDX-License-Identifier: Apache-2.0
 * A map node into a struct, by its field table. Strict like the Collector's decoder: each key must be in the
 * table, each value of its type; null keeps the default. All faults of a node are gathered before it fails.
 * Rules: opentelemetry-collector confmap (mapstructure), config/configoptional.
 */
#include "config/bind.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include <string.h>

static void bind_map(jg_binder *b, const jaeger_config *map, const jaeger_field *fields, void *ret);

/* ---- unknown keys ---- */

static const jaeger_field *find_field(const jaeger_field *fields, jaeger_str key)
{
    for (const jaeger_field *f = fields; f->kind != JAEGER_FIELD_END; f++) {
        const jaeger_field *found = NULL;
        if (f->kind == JAEGER_FIELD_SQUASH)
            found = find_field(f->sub, key);
        else if (jg_str_is(key, f->name))
            found = f;
        if (found)
            return found;
    }
    return NULL;
}

/* Edit distance, cut off: names longer than the row are not compared. */
static size_t distance(jaeger_str a, jaeger_str b)
{
    size_t row[64];
    if (b.len >= JG_COUNT(row) || a.len >= JG_COUNT(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            row[j] = JG_MIN(change, JG_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

static void find_closest(const jaeger_field *fields, jaeger_str key, const char **ret, size_t *best)
{
    for (const jaeger_field *f = fields; f->kind != JAEGER_FIELD_END; f++) {
        if (f->kind == JAEGER_FIELD_SQUASH) {
            find_closest(f->sub, key, ret, best);
            continue;
        }
        size_t d = distance(key, jg_str(f->name));
        if (d < *best) {
            *best = d;
            *ret = f->name;
        }
    }
}

static bool is_known(const jaeger_field *fields, jaeger_str key, bool is_optional)
{
    return find_field(fields, key) || (is_optional && jg_str_is(key, "enabled"));
}

void jg_bind_refuse_unknown(jg_binder *b, const jaeger_config *map, const jaeger_field *fields,
                            bool is_optional)
{
    char keys[256], hint[128] = "";
    size_t len = 0;
    const jaeger_config *first = NULL;
    for (size_t i = 0; i < map->count; i++) {
        const jaeger_config *entry = map->items[i];
        if (is_known(fields, entry->key, is_optional))
            continue;
        size_t best = JG_MIN(entry->key.len / 3 + 1, 4);
        const char *closest = NULL;
        find_closest(fields, entry->key, &closest, &best);
        int n =
            snprintf(keys + len, sizeof keys - len, "%s%.*s", len ? ", " : "", JAEGER_STR_ARGS(entry->key));
        len = n < 0 ? len : JG_MIN(len + (size_t)n, sizeof keys - 1);
        if (closest && !hint[0])
            (void)snprintf(hint, sizeof hint, "; did you mean \"%s\"?", closest);
        first = first ? first : entry;
    }
    if (first)
        jg_faults_add(b->faults, NULL, "'%s' has invalid keys: %s (%s)%s", jaeger_config_path(map), keys,
                      jaeger_config_where(first), hint);
}

/* ---- blocks ---- */

static void bind_block(jg_binder *b, const jaeger_config *node, const jaeger_field *field, void *ret)
{
    if (node && node->type != JAEGER_CONFIG_MAP && node->type != JAEGER_CONFIG_NULL) {
        jg_faults_add(b->faults, NULL, "'%s' expected a map or struct, got \"%s\" (%s)",
                      jaeger_config_path(node), jg_bind_type_name(node), jaeger_config_where(node));
        node = NULL;
    }
    bind_map(b, node, field->sub, ret);
}

/* The key "enabled" of an optional block, unless the block has a field of that name. */
static bool reads_enabled(jg_binder *b, const jaeger_config *node, const jaeger_field *field)
{
    const jaeger_config *enabled = jaeger_config_get(node, "enabled");
    bool on = true;
    if (enabled && enabled->type != JAEGER_CONFIG_NULL && !find_field(field->sub, JAEGER_STR("enabled")))
        jg_bind_bool(b, enabled, &on);
    return on;
}

static void bind_optional(jg_binder *b, const jaeger_config *node, const jaeger_field *field, void *ret)
{
    jaeger_field_kind kind = b->zero ? JAEGER_FIELD_OPTIONAL_N : field->kind;
    bool null = node && node->type == JAEGER_CONFIG_NULL;
    bool on = kind == JAEGER_FIELD_OPTIONAL_S || (node && !(null && kind == JAEGER_FIELD_OPTIONAL_N));
    on = on && reads_enabled(b, node, field);
    jg_binder inner = *b;
    inner.zero = kind == JAEGER_FIELD_OPTIONAL_N && on;
    inner.off = b->off || !on;
    inner.in_optional = true;
    bind_block(&inner, node, field, ret);
    *(bool *)ret = on;
}

static void bind_list(jg_binder *b, const jaeger_config *node, const jaeger_field *field,
                      jaeger_block_list *ret)
{
    *ret = (jaeger_block_list){0};
    if (!node || node->type == JAEGER_CONFIG_NULL)
        return;
    if (node->type != JAEGER_CONFIG_LIST) {
        jg_faults_add(b->faults, NULL, "'%s' source data must be an array or slice, got %s (%s)",
                      jaeger_config_path(node), jg_bind_type_name(node), jaeger_config_where(node));
        return;
    }
    if (node->count == 0)
        return;
    uint8_t *items = node->count > JG_YAML_ARENA_BYTES_MAX / (field->sub_size + 1)
                         ? NULL
                         : jg_arena_zalloc(b->arena, node->count * field->sub_size);
    if (!items) {
        *b->oom = true;
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        bind_block(b, node->items[i], field, items + i * field->sub_size);
    *ret = (jaeger_block_list){items, node->count};
}

/* ---- fields ---- */

static bool is_empty(const jaeger_field *field, const void *value)
{
    switch (field->kind) {
    case JAEGER_FIELD_I64:
    case JAEGER_FIELD_U64:
    case JAEGER_FIELD_DURATION:
        return *(const uint64_t *)value == 0;
    case JAEGER_FIELD_U32:
        return *(const uint32_t *)value == 0;
    case JAEGER_FIELD_DOUBLE:
        return *(const double *)value == 0;
    case JAEGER_FIELD_STR:
        return ((const jaeger_str *)value)->len == 0;
    case JAEGER_FIELD_STRS:
        return ((const jaeger_str_list *)value)->count == 0;
    case JAEGER_FIELD_PAIRS:
        return ((const jaeger_pair_list *)value)->count == 0;
    case JAEGER_FIELD_LIST:
        return ((const jaeger_block_list *)value)->count == 0;
    case JAEGER_FIELD_NODE:
        return jaeger_config_kind(*(const jaeger_config *const *)value) == JAEGER_CONFIG_NULL;
    default:
        return false;
    }
}

static void bind_field(jg_binder *b, const jaeger_config *node, const jaeger_field *field, void *value)
{
    switch (field->kind) {
    case JAEGER_FIELD_BLOCK: {
        jg_binder inner = *b;
        inner.in_optional = false;
        bind_block(&inner, node, field, value);
        break;
    }
    case JAEGER_FIELD_OPTIONAL_D:
    case JAEGER_FIELD_OPTIONAL_N:
    case JAEGER_FIELD_OPTIONAL_S:
        bind_optional(b, node, field, value);
        break;
    case JAEGER_FIELD_LIST: {
        jg_binder inner = *b;
        inner.in_optional = false;
        bind_list(&inner, node, field, value);
        break;
    }
    case JAEGER_FIELD_NODE:
        *(const jaeger_config **)value = node;
        break;
    default:
        jg_bind_value(b, node, field, value);
    }
}

static void bind_fields(jg_binder *b, const jaeger_config *map, const jaeger_field *fields, void *ret)
{
    for (const jaeger_field *f = fields; f->kind != JAEGER_FIELD_END; f++) {
        void *value = (char *)ret + f->offset;
        if (f->kind == JAEGER_FIELD_SQUASH) {
            bind_fields(b, map, f->sub, value);
            continue;
        }
        bind_field(b, jaeger_config_get(map, f->name), f, value);
        if (f->required && !b->off && is_empty(f, value))
            jg_faults_add(b->faults, map, "%s: non zero value required", f->name);
    }
}

static void bind_map(jg_binder *b, const jaeger_config *map, const jaeger_field *fields, void *ret)
{
    bind_fields(b, map, fields, ret);
    if (map && map->type == JAEGER_CONFIG_MAP)
        jg_bind_refuse_unknown(b, map, fields, b->in_optional);
}

jaeger_status jaeger_config_bind(const jaeger_config *node, const jaeger_field *fields, void *ret,
                                 jaeger_error *err)
{
    jg_faults faults = {0};
    bool oom = false;
    jg_binder b = {.arena = node ? node->tree->arena : NULL, .faults = &faults, .oom = &oom};
    const jaeger_field whole = {.kind = JAEGER_FIELD_BLOCK, .sub = fields};
    bind_block(&b, node, &whole, ret);
    if (oom)
        return jg_fail_oom(err);
    return jg_faults_end(&faults, err);
}
