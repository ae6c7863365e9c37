/* SPDX-License-Identifier: Apache-2.0
 * Scalars, enums, lists of strings and pairs from nodes. A quoted "10" is no number, a plain 10 is no string;
 * what a whole ${...} brought serves both: typed targets take YAML's reading, strings the original text.
 */
#include "config/bind.h"

#include "core/arena.h"
#include "core/str.h"
#include <assert.h>
#include <math.h>

const char *jg_bind_type_name(const jaeger_config *node)
{
    static const char *const scalars[] = {"string", "bool", "int", "float64"};
    switch (node->type) {
    case JAEGER_CONFIG_MAP:
        return "map[string]interface {}";
    case JAEGER_CONFIG_LIST:
        return "[]interface {}";
    case JAEGER_CONFIG_SCALAR:
        return scalars[jg_scalar_of(node).type];
    default:
        return "nil";
    }
}

static void refuse_type(jg_binder *b, const jaeger_config *node, const char *expected)
{
    jg_faults_add(b->faults, NULL, "'%s' expected type '%s', got unconvertible type '%s' (%s)",
                  jaeger_config_path(node), expected, jg_bind_type_name(node), jaeger_config_where(node));
}

static void refuse_range(jg_binder *b, const jaeger_config *node, const char *type)
{
    jg_faults_add(b->faults, NULL, "'%s' cannot parse, %.*s overflows %s (%s)", jaeger_config_path(node),
                  JAEGER_STR_ARGS(node->text), type, jaeger_config_where(node));
}

void jg_bind_bool(jg_binder *b, const jaeger_config *node, bool *ret)
{
    if (node->type == JAEGER_CONFIG_SCALAR) {
        jg_scalar scalar = jg_scalar_of(node);
        if (scalar.type == JG_SCALAR_BOOL) {
            *ret = scalar.b;
            return;
        }
    }
    refuse_type(b, node, "bool");
}

/* @return false: a fault was added */
static bool number_of(jg_binder *b, const jaeger_config *node, const char *type, jg_scalar *ret)
{
    if (node->type == JAEGER_CONFIG_SCALAR) {
        *ret = jg_scalar_of(node);
        if (ret->type == JG_SCALAR_INT || ret->type == JG_SCALAR_FLOAT)
            return true;
    }
    refuse_type(b, node, type);
    return false;
}

static bool scalar_to_i64(const jg_scalar *scalar, int64_t *ret)
{
    if (scalar->type == JG_SCALAR_FLOAT) {
        if (!(scalar->d > -9.2e18 && scalar->d < 9.2e18))
            return false;
        *ret = (int64_t)scalar->d;
        return true;
    }
    if (scalar->magnitude > (uint64_t)INT64_MAX + scalar->negative)
        return false;
    *ret = scalar->negative ? (int64_t)(0 - scalar->magnitude) : (int64_t)scalar->magnitude;
    return true;
}

static bool scalar_to_u64(const jg_scalar *scalar, uint64_t max, uint64_t *ret)
{
    if (scalar->type == JG_SCALAR_FLOAT) {
        if (!(scalar->d > -1 && scalar->d < 1.8e19))
            return false;
        *ret = (uint64_t)scalar->d;
    } else {
        if (scalar->negative && scalar->magnitude)
            return false;
        *ret = scalar->magnitude;
    }
    return *ret <= max;
}

static void bind_i64(jg_binder *b, const jaeger_config *node, int64_t *ret)
{
    jg_scalar scalar;
    if (number_of(b, node, "int", &scalar) && !scalar_to_i64(&scalar, ret))
        refuse_range(b, node, "int");
}

static void bind_unsigned(jg_binder *b, const jaeger_config *node, uint64_t max, void *ret)
{
    jg_scalar scalar;
    uint64_t value;
    if (!number_of(b, node, "uint", &scalar))
        return;
    if (!scalar_to_u64(&scalar, max, &value))
        refuse_range(b, node, "uint");
    else if (max == UINT32_MAX)
        *(uint32_t *)ret = (uint32_t)value;
    else
        *(uint64_t *)ret = value;
}

static void bind_double(jg_binder *b, const jaeger_config *node, double *ret)
{
    jg_scalar scalar;
    if (number_of(b, node, "float64", &scalar))
        *ret = scalar.d;
}

static void bind_duration(jg_binder *b, const jaeger_config *node, uint64_t *ret)
{
    jg_scalar scalar = {.type = JG_SCALAR_BOOL};
    int64_t ns = 0;
    if (node->type == JAEGER_CONFIG_SCALAR)
        scalar = jg_scalar_of(node);
    if (scalar.type == JG_SCALAR_BOOL) {
        refuse_type(b, node, "time.Duration");
    } else if (scalar.type == JG_SCALAR_STRING && !jg_str_to_duration(node->text, &ns)) {
        jg_faults_add(b->faults, NULL, "'%s' time: invalid duration \"%.*s\" (%s)", jaeger_config_path(node),
                      JAEGER_STR_ARGS(node->text), jaeger_config_where(node));
    } else if (scalar.type != JG_SCALAR_STRING && !scalar_to_i64(&scalar, &ns)) {
        refuse_range(b, node, "int64");
    } else if (ns < 0) {
        jg_faults_add(b->faults, node, "must be non-negative");
    } else {
        *ret = (uint64_t)ns;
    }
}

/* @return false: not a string (no fault added yet) */
static bool string_of(const jaeger_config *node, jaeger_str *ret)
{
    if (node->original.ptr)
        *ret = node->original;
    else if (node->type == JAEGER_CONFIG_NULL)
        *ret = JAEGER_STR("");
    else if (node->type == JAEGER_CONFIG_SCALAR && jg_scalar_of(node).type == JG_SCALAR_STRING)
        *ret = node->text;
    else
        return false;
    return true;
}

static void bind_str(jg_binder *b, const jaeger_config *node, jaeger_str *ret)
{
    if (!string_of(node, ret))
        refuse_type(b, node, "string");
}

/* ---- enums ---- */

/* @return -1: not among the choices */
static int find_choice(const char *choices, jaeger_str text)
{
    jaeger_str rest = jg_str(choices);
    for (int i = 0;; i++) {
        size_t len = jg_str_find(rest, '|');
        if (jg_str_eq((jaeger_str){rest.ptr, len}, text))
            return i;
        if (len == rest.len)
            return -1;
        rest = jg_str_skip(rest, len + 1);
    }
}

static void bind_enum(jg_binder *b, const jaeger_config *node, const jaeger_field *field, int *ret)
{
    /* a plain number may be a choice, such as "-1" */
    jaeger_str text = node->text;
    if (node->type != JAEGER_CONFIG_SCALAR && !string_of(node, &text)) {
        refuse_type(b, node, "string");
        return;
    }
    int choice = find_choice(field->choices, text);
    if (choice < 0)
        jg_faults_add(b->faults, node, "unknown value \"%.*s\"; valid values: %s", JAEGER_STR_ARGS(text),
                      field->choices);
    else
        *ret = choice;
}

/* ---- lists ---- */

static void *list_memory(jg_binder *b, size_t count, size_t item_bytes)
{
    void *items = b->arena ? jg_arena_zalloc(b->arena, count * item_bytes) : NULL;
    *b->oom |= b->arena && !items;
    return items;
}

/* "a,b" or, as a default, "[a, b]". */
static void split_commas(jg_binder *b, jaeger_str text, jaeger_str_list *ret)
{
    text = jg_str_trim(text);
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = jg_str_trim((jaeger_str){text.ptr + 1, text.len - 2});
    if (text.len == 0)
        return;
    size_t count = 1, i = 0;
    for (size_t at = 0; at < text.len; at++)
        count += text.ptr[at] == ',';
    jaeger_str *items = list_memory(b, count, sizeof *items);
    if (!items)
        return;
    for (; i < count; i++) {
        size_t len = jg_str_find(text, ',');
        items[i] = jaeger_arena_str(b->arena, jg_str_trim((jaeger_str){text.ptr, len}));
        *b->oom |= !items[i].ptr;
        text = jg_str_skip(text, len + 1);
    }
    *ret = (jaeger_str_list){items, count};
}

static void bind_strs(jg_binder *b, const jaeger_config *node, jaeger_str_list *ret)
{
    jaeger_str text;
    if (node->type != JAEGER_CONFIG_LIST) {
        if (string_of(node, &text))
            split_commas(b, text, ret);
        else
            refuse_type(b, node, "[]string");
        return;
    }
    jaeger_str *items = list_memory(b, node->count, sizeof *items);
    if (!items)
        return;
    for (size_t i = 0; i < node->count; i++)
        bind_str(b, node->items[i], &items[i]);
    *ret = (jaeger_str_list){items, node->count};
}

static void bind_named_pair(jg_binder *b, const jaeger_config *node, jaeger_pair *ret)
{
    static const jaeger_field fields[] = {
        {.name = "name", .kind = JAEGER_FIELD_STR}, {.name = "value", .kind = JAEGER_FIELD_STR}, {0}};
    const jaeger_config *name = jaeger_config_get(node, "name"), *value = jaeger_config_get(node, "value");
    if (node->type != JAEGER_CONFIG_MAP) {
        refuse_type(b, node, "map[string]string");
        return;
    }
    *ret = (jaeger_pair){JAEGER_STR(""), JAEGER_STR("")};
    jg_bind_refuse_unknown(b, node, fields, false);
    if (name)
        bind_str(b, name, &ret->key);
    if (value)
        bind_str(b, value, &ret->value);
}

static void bind_pairs(jg_binder *b, const jaeger_config *node, jaeger_pair_list *ret)
{
    if (node->type != JAEGER_CONFIG_MAP && node->type != JAEGER_CONFIG_LIST) {
        refuse_type(b, node, "map[string]string");
        return;
    }
    jaeger_pair *items = list_memory(b, node->count, sizeof *items);
    if (!items)
        return;
    for (size_t i = 0; i < node->count; i++) {
        if (node->type == JAEGER_CONFIG_LIST) {
            bind_named_pair(b, node->items[i], &items[i]);
            continue;
        }
        items[i].key = jaeger_arena_str(b->arena, node->items[i]->key);
        *b->oom |= !items[i].key.ptr;
        bind_str(b, node->items[i], &items[i].value);
    }
    *ret = (jaeger_pair_list){items, node->count};
}

/* ---- defaults ---- */

static const size_t sizes[] = {
    [JAEGER_FIELD_BOOL] = sizeof(bool),
    [JAEGER_FIELD_I64] = sizeof(int64_t),
    [JAEGER_FIELD_U64] = sizeof(uint64_t),
    [JAEGER_FIELD_U32] = sizeof(uint32_t),
    [JAEGER_FIELD_DOUBLE] = sizeof(double),
    [JAEGER_FIELD_DURATION] = sizeof(uint64_t),
    [JAEGER_FIELD_STR] = sizeof(jaeger_str),
    [JAEGER_FIELD_ENUM] = sizeof(int),
    [JAEGER_FIELD_STRS] = sizeof(jaeger_str_list),
    [JAEGER_FIELD_PAIRS] = sizeof(jaeger_pair_list),
};

static void set_zero(const jaeger_field *field, void *ret)
{
    assert((size_t)field->kind < JG_COUNT(sizes));
    memset(ret, 0, sizes[field->kind]);
    if (field->kind == JAEGER_FIELD_STR)
        *(jaeger_str *)ret = JAEGER_STR("");
    if (field->kind == JAEGER_FIELD_ENUM) {
        int empty = find_choice(field->choices, JAEGER_STR(""));
        *(int *)ret = empty < 0 ? 0 : empty;
    }
}

static void set_default(jg_binder *b, const jaeger_field *field, void *ret)
{
    set_zero(field, ret);
    if (!field->fallback || b->zero)
        return;
    jaeger_str text = jg_str(field->fallback);
    jg_scalar scalar = jg_scalar_read(text);
    uint64_t u = 0;
    int64_t i = 0;
    bool sound = true;
    switch (field->kind) {
    case JAEGER_FIELD_BOOL:
        *(bool *)ret = scalar.b;
        break;
    case JAEGER_FIELD_I64:
        sound = scalar_to_i64(&scalar, ret);
        break;
    case JAEGER_FIELD_U64:
        sound = scalar_to_u64(&scalar, UINT64_MAX, ret);
        break;
    case JAEGER_FIELD_U32:
        sound = scalar_to_u64(&scalar, UINT32_MAX, &u);
        *(uint32_t *)ret = (uint32_t)u;
        break;
    case JAEGER_FIELD_DOUBLE:
        *(double *)ret = scalar.d;
        break;
    case JAEGER_FIELD_DURATION:
        sound = scalar.type == JG_SCALAR_INT ? scalar_to_i64(&scalar, &i) : jg_str_to_duration(text, &i);
        *(uint64_t *)ret = (uint64_t)i;
        break;
    case JAEGER_FIELD_STR:
        *(jaeger_str *)ret = text;
        break;
    case JAEGER_FIELD_ENUM:
        *(int *)ret = find_choice(field->choices, text);
        sound = *(int *)ret >= 0;
        break;
    case JAEGER_FIELD_STRS:
        split_commas(b, text, ret);
        break;
    default:
        break;
    }
    assert(sound);
    (void)sound;
}

void jg_bind_value(jg_binder *b, const jaeger_config *node, const jaeger_field *field, void *ret)
{
    set_default(b, field, ret);
    if (!node)
        return;
    if (node->type == JAEGER_CONFIG_NULL) {
        if (field->kind == JAEGER_FIELD_STR && node->original.ptr)
            *(jaeger_str *)ret = node->original;
        else if (node->original.ptr) /* an unset ${env:X} is a zero value, not the default (confmap #10949) */
            set_zero(field, ret);
        return;
    }
    switch (field->kind) {
    case JAEGER_FIELD_BOOL:
        jg_bind_bool(b, node, ret);
        break;
    case JAEGER_FIELD_I64:
        bind_i64(b, node, ret);
        break;
    case JAEGER_FIELD_U64:
        bind_unsigned(b, node, UINT64_MAX, ret);
        break;
    case JAEGER_FIELD_U32:
        bind_unsigned(b, node, UINT32_MAX, ret);
        break;
    case JAEGER_FIELD_DOUBLE:
        bind_double(b, node, ret);
        break;
    case JAEGER_FIELD_DURATION:
        bind_duration(b, node, ret);
        break;
    case JAEGER_FIELD_STR:
        bind_str(b, node, ret);
        break;
    case JAEGER_FIELD_ENUM:
        bind_enum(b, node, field, ret);
        break;
    case JAEGER_FIELD_STRS:
        bind_strs(b, node, memset(ret, 0, sizeof(jaeger_str_list)));
        break;
    case JAEGER_FIELD_PAIRS:
        bind_pairs(b, node, memset(ret, 0, sizeof(jaeger_pair_list)));
        break;
    default:
        break;
    }
}
