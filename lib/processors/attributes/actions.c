/* SPDX-License-Identifier: Apache-2.0
 * See actions.h.
 */
#include "processors/attributes/actions.h"

#include "config/tree.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/regex.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
/* SHA256() of OpenSSL 3 looks its algorithm up each time, under locks: that takes longer than the digest */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define JOINED_BYTES_MAX (16u << 10) /* metadata values of one key; header lists are no larger */

typedef enum action_kind {
    ACTION_INSERT,
    ACTION_UPDATE,
    ACTION_UPSERT,
    ACTION_DELETE,
    ACTION_HASH,
    ACTION_EXTRACT,
    ACTION_CONVERT,
    ACTION_UNKNOWN
} action_kind;

typedef struct action {
    const jg_action_config *config;
    action_kind kind;
    bool has_value, has_default, has_pattern;
    jaeger_value value, fallback;
    jaeger_str raw; /* key and value, if has_value */
    jg_regex regex;
} action;

struct jg_actions {
    jaeger_arena *arena;
    action *items;
    size_t count;
};

/* ---- making ---- */

void jg_attr_value_write(jg_buf *out, const jaeger_value *value)
{
    size_t mark = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_value_write(out, value);
    jg_pb_end(out, mark, 1);
}

static action_kind kind_of(jaeger_str name)
{
    static const char *const names[] = {"insert", "update", "upsert", "delete", "hash", "extract", "convert"};
    int kind = 0;
    while ((size_t)kind < JG_COUNT(names) && !jg_str_eq_nocase(name, jg_str(names[kind])))
        kind++;
    return (action_kind)kind;
}

/* @return false: not a scalar */
static bool value_of(const jaeger_config *node, jaeger_value *ret)
{
    if (jaeger_config_kind(node) != JAEGER_CONFIG_SCALAR)
        return false;
    jg_scalar scalar = jg_scalar_of(node);
    switch (scalar.type) {
    case JG_SCALAR_BOOL:
        *ret = (jaeger_value){.type = JAEGER_VALUE_BOOL, .u.b = scalar.b};
        break;
    case JG_SCALAR_INT:
        *ret = (jaeger_value){.type = JAEGER_VALUE_INT};
        ret->u.i = (int64_t)(scalar.negative ? 0 - scalar.magnitude : scalar.magnitude);
        break;
    case JG_SCALAR_FLOAT:
        *ret = (jaeger_value){.type = JAEGER_VALUE_DOUBLE, .u.d = scalar.d};
        break;
    default:
        *ret = (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = node->text};
    }
    return true;
}

static const char *find_source_fault(const action *a)
{
    const jg_action_config *c = a->config;
    int sources = a->has_value + (c->from_attribute.len > 0) + (c->from_context.len > 0);
    if (sources == 0)
        return "either field \"value\", \"from_attribute\" or \"from_context\" setting must be specified";
    if (sources > 1)
        return "only one of \"value\", \"from_attribute\" and \"from_context\" may be specified";
    if (a->has_pattern || c->converted_type.len)
        return "this action does not use the \"pattern\" and \"converted_type\" fields";
    return NULL;
}

static bool is_type(jaeger_str name)
{
    return jg_str_is(name, "string") || jg_str_is(name, "int") || jg_str_is(name, "double");
}

static const char *find_fault(const action *a)
{
    const jg_action_config *c = a->config;
    bool sourced = a->has_value || c->from_attribute.len || c->from_context.len;
    if (c->action.len == 0)
        return "missing required field \"action\"";
    if (a->kind == ACTION_UNKNOWN)
        return "unsupported action";
    if (c->key.len == 0 && !(a->has_pattern && (a->kind == ACTION_DELETE || a->kind == ACTION_HASH)))
        return "missing required field \"key\"";
    if (a->kind <= ACTION_UPSERT)
        return find_source_fault(a);
    if (sourced || a->has_default)
        return "this action does not use \"value\", \"default_value\", \"from_attribute\" or "
               "\"from_context\"";
    if (a->kind == ACTION_EXTRACT && !a->has_pattern)
        return "missing required field \"pattern\"";
    if (a->kind == ACTION_CONVERT && (c->converted_type.len == 0 || a->has_pattern))
        return a->has_pattern ? "this action does not use the \"pattern\" field"
                              : "missing required field \"converted_type\"";
    if (a->kind == ACTION_CONVERT && !is_type(c->converted_type))
        return "invalid value in field \"converted_type\"";
    if (a->kind != ACTION_CONVERT && c->converted_type.len)
        return "this action does not use the \"converted_type\" field";
    return NULL;
}

static const char *find_group_fault(const jg_regex *regex)
{
    bool any = false;
    for (size_t i = 0; i < regex->groups; i++) {
        if (regex->counts[i] && regex->names[i].len == 0)
            return "field \"pattern\" contains at least one unnamed matcher group";
        any |= regex->counts[i];
    }
    return any ? NULL : "field \"pattern\" contains no named matcher groups";
}

/** A whole KeyValue, for a value that never changes. */
static bool make_raw(jg_actions *actions, action *a)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(JG_YAML_BYTES_MAX);
    jg_pb_write_str(&out, JG_OTLP_KEY_VALUE_KEY, a->config->key);
    jg_attr_value_write(&out, &a->value);
    if (!jg_buf_ok(&out))
        return false;
    a->raw = jaeger_arena_str(actions->arena, jg_buf_view(&out));
    return a->raw.ptr;
}

static jaeger_status make_action(jg_actions *actions, action *a, size_t index, jaeger_error *err)
{
    const jg_action_config *c = a->config;
    a->kind = kind_of(c->action);
    a->has_pattern = c->pattern.len > 0;
    a->has_value = value_of(c->value, &a->value);
    a->has_default = value_of(c->default_value, &a->fallback);
    const char *fault = find_fault(a);
    if (!fault && a->has_pattern)
        JG_TRY(jg_regex_compile(&a->regex, c->pattern, actions->arena, err));
    if (!fault && a->kind == ACTION_EXTRACT)
        fault = find_group_fault(&a->regex);
    if (!fault && a->has_value && !make_raw(actions, a))
        return jg_fail_oom(err);
    if (fault)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "error creating AttrProc: %s for action \"%.*s\" at the %zu-th action", fault,
                       JAEGER_STR_ARGS(c->action), index);
    return JAEGER_OK;
}

jaeger_status jg_actions_new(const jaeger_block_list *list, jg_actions **ret, jaeger_error *err)
{
    if (list->count == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "missing required field \"actions\"");
    jaeger_arena *arena = jaeger_arena_new(JG_YAML_ARENA_BYTES_MAX);
    jg_actions *actions = arena ? jg_arena_zalloc(arena, sizeof *actions) : NULL;
    action *items = actions ? jg_arena_zalloc(arena, list->count * sizeof *items) : NULL;
    if (!items) {
        jaeger_arena_free(arena);
        return jg_fail_oom(err);
    }
    *actions = (jg_actions){arena, items, list->count};
    for (size_t i = 0; i < list->count; i++) {
        items[i].config = &((const jg_action_config *)list->items)[i];
        jaeger_status status = make_action(actions, &items[i], i, err);
        if (status != JAEGER_OK) {
            jg_actions_free(actions);
            return status;
        }
    }
    *ret = actions;
    return JAEGER_OK;
}

void jg_actions_free(jg_actions *actions)
{
    if (!actions)
        return;
    for (size_t i = 0; i < actions->count; i++)
        jg_regex_done(&actions->items[i].regex);
    jaeger_arena_free(actions->arena);
}

/* ---- the list ---- */

static jaeger_attr *find(const jg_attr_list *attrs, jaeger_str key)
{
    for (size_t i = 0; i < attrs->count; i++)
        if (jg_str_eq(attrs->items[i].key, key))
            return &attrs->items[i];
    return NULL;
}

static jaeger_value value_in(const jaeger_attr *attr)
{
    return attr->raw.ptr ? jg_attr_read(attr->raw).value : attr->value;
}

static void set(jg_attr_list *attrs, jaeger_attr *attr, jaeger_value value)
{
    attr->value = value;
    attr->raw = (jaeger_str){0};
    attrs->changed = true;
}

/** The attribute of that key, at the end if it is new. NULL: out of memory */
static jaeger_attr *place(jg_attr_list *attrs, jaeger_str key)
{
    jaeger_attr *attr = find(attrs, key);
    if (!attr) {
        void *items =
            jg_arena_grow(attrs->arena, attrs->items, attrs->count, &attrs->cap, sizeof *attrs->items);
        if (!items) {
            attrs->failed = true;
            return NULL;
        }
        attrs->items = items;
        attr = &attrs->items[attrs->count++];
        attr->key = key;
    }
    return attr;
}

static void put(jg_attr_list *attrs, jaeger_str key, jaeger_value value)
{
    jaeger_attr *attr = place(attrs, key);
    if (attr)
        set(attrs, attr, value);
}

/** A KeyValue that is whole already. */
static void put_raw(jg_attr_list *attrs, jaeger_str key, jaeger_str raw)
{
    jaeger_attr *attr = place(attrs, key);
    if (attr)
        attr->raw = raw;
    attrs->changed = true;
}

static void drop(jg_attr_list *attrs, size_t index)
{
    memmove(&attrs->items[index], &attrs->items[index + 1],
            (attrs->count - index - 1) * sizeof *attrs->items);
    attrs->count--;
    attrs->changed = true;
}

static jaeger_value text_value(jg_attr_list *attrs, jaeger_str text)
{
    jaeger_str copy = jaeger_arena_str(attrs->arena, text);
    attrs->failed |= !copy.ptr;
    attrs->bad_text |= !jg_utf8_valid(text);
    return (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = copy};
}

/* ---- sources ---- */

/* "metadata.x" or "x": the values of a request header, joined by ";". What else there is (auth.*,
 * client.address) does not reach this stage. */
static bool from_context(const action *a, jg_attr_list *attrs, const jaeger_call *call, jaeger_value *ret)
{
    jaeger_str name = a->config->from_context, prefix = JAEGER_STR("metadata.");
    if (jg_str_starts(name, prefix))
        name = jg_str_skip(name, prefix.len);
    else if (jg_str_starts(name, JAEGER_STR("auth.")) || jg_str_is(name, "client.address"))
        return false;
    JG_AUTO_BUF jg_buf joined = JG_BUF_INIT(JOINED_BYTES_MAX);
    bool any = false;
    for (size_t i = 0; i < call->metadata_count; i++) {
        if (!jg_str_eq_nocase(call->metadata[i].key, name))
            continue;
        if (any)
            jg_buf_byte(&joined, ';');
        jg_buf_str(&joined, call->metadata[i].value);
        any = true;
    }
    if (any)
        *ret = text_value(attrs, jg_buf_view(&joined));
    return any;
}

/* @return false: the source is missing and there is no default */
static bool read_source(const action *a, jg_attr_list *attrs, const jaeger_call *call, jaeger_value *ret)
{
    if (a->has_value) {
        *ret = a->value;
        return true;
    }
    const jaeger_attr *source = a->config->from_attribute.len ? find(attrs, a->config->from_attribute) : NULL;
    if (source) {
        *ret = value_in(source);
        return true;
    }
    if (a->config->from_context.len && from_context(a, attrs, call, ret))
        return true;
    *ret = a->fallback;
    return a->has_default;
}

/* ---- actions ---- */

static void write_source(const action *a, jg_attr_list *attrs, const jaeger_call *call)
{
    jaeger_value value;
    bool there = find(attrs, a->config->key) != NULL;
    bool wanted = a->kind == ACTION_UPSERT || (a->kind == ACTION_INSERT) != there;
    if (wanted && a->has_value)
        put_raw(attrs, a->config->key, a->raw);
    else if (wanted && read_source(a, attrs, call, &value))
        put(attrs, a->config->key, value);
}

static void hash_attr(jg_attr_list *attrs, jaeger_attr *attr)
{
    uint8_t digest[SHA256_DIGEST_LENGTH], flag = 0;
    char hex[2 * SHA256_DIGEST_LENGTH];
    const void *bytes = NULL;
    size_t len = 8;
    jaeger_value value = value_in(attr);
    switch (value.type) {
    case JAEGER_VALUE_STRING:
        bytes = value.u.s.ptr ? value.u.s.ptr : "";
        len = value.u.s.len;
        break;
    case JAEGER_VALUE_BOOL:
        flag = value.u.b;
        bytes = &flag;
        len = 1;
        break;
    case JAEGER_VALUE_INT:
        bytes = &value.u.i;
        break;
    case JAEGER_VALUE_DOUBLE:
        bytes = &value.u.d;
        break;
    default:
        set(attrs, attr, text_value(attrs, JAEGER_STR("")));
        return;
    }
    SHA256_CTX sha;
    (void)SHA256_Init(&sha);
    (void)SHA256_Update(&sha, bytes, len);
    (void)SHA256_Final(digest, &sha);
    jg_hex_encode(digest, sizeof digest, hex);
    set(attrs, attr, text_value(attrs, (jaeger_str){hex, sizeof hex}));
}

/* delete and hash: the key, and all keys that the pattern matches. */
static void each_chosen(const action *a, jg_attr_list *attrs)
{
    for (size_t i = attrs->count; i-- > 0;) {
        jaeger_str key = attrs->items[i].key;
        bool chosen = (a->config->key.len && jg_str_eq(key, a->config->key)) ||
                      (a->has_pattern && jg_regex_match(&a->regex, key, NULL));
        if (chosen && a->kind == ACTION_DELETE)
            drop(attrs, i);
        else if (chosen)
            hash_attr(attrs, &attrs->items[i]);
    }
}

static void extract(const action *a, jg_attr_list *attrs)
{
    jaeger_str groups[JG_REGEX_GROUPS_MAX];
    const jaeger_attr *source = find(attrs, a->config->key);
    jaeger_value value = source ? value_in(source) : (jaeger_value){0};
    if (value.type != JAEGER_VALUE_STRING || !jg_regex_match(&a->regex, value.u.s, groups))
        return;
    for (size_t i = 0; i < a->regex.groups; i++)
        if (a->regex.counts[i])
            put(attrs, a->regex.names[i], text_value(attrs, groups[i]));
}

/* @return false: it cannot be converted */
static bool to_number(const jaeger_value *from, bool whole, jaeger_value *ret)
{
    int64_t i = 0;
    double d = 0;
    switch (from->type) {
    case JAEGER_VALUE_INT:
        i = from->u.i;
        d = (double)i;
        break;
    case JAEGER_VALUE_DOUBLE:
        d = from->u.d;
        if (whole && !(d > -9.2e18 && d < 9.2e18))
            return false;
        i = whole ? (int64_t)d : 0;
        break;
    case JAEGER_VALUE_BOOL:
        i = from->u.b;
        d = (double)i;
        break;
    case JAEGER_VALUE_STRING:
        if (whole ? !jg_str_to_i64(from->u.s, &i) : !jg_str_to_double(from->u.s, &d))
            return false;
        break;
    default:
        return false;
    }
    *ret = whole ? (jaeger_value){.type = JAEGER_VALUE_INT, .u.i = i}
                 : (jaeger_value){.type = JAEGER_VALUE_DOUBLE, .u.d = d};
    return true;
}

static void convert(const action *a, jg_attr_list *attrs)
{
    jaeger_attr *attr = find(attrs, a->config->key);
    jaeger_value value;
    if (!attr)
        return;
    jaeger_value from = value_in(attr);
    if (!jg_str_is(a->config->converted_type, "string")) {
        if (to_number(&from, jg_str_is(a->config->converted_type, "int"), &value))
            set(attrs, attr, value);
        return;
    }
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_HTTP_BODY_BYTES_MAX);
    jg_value_text(&text, &from);
    if (jg_buf_ok(&text))
        set(attrs, attr, text_value(attrs, jg_buf_view(&text)));
}

void jg_actions_run(const jg_actions *actions, jg_attr_list *attrs, const jaeger_call *call)
{
    for (size_t i = 0; i < actions->count; i++) {
        const action *a = &actions->items[i];
        if (a->kind <= ACTION_UPSERT)
            write_source(a, attrs, call);
        else if (a->kind == ACTION_EXTRACT)
            extract(a, attrs);
        else if (a->kind == ACTION_CONVERT)
            convert(a, attrs);
        else
            each_chosen(a, attrs);
    }
}

#define AT(member) .offset = offsetof(jg_action_config, member)
const jaeger_field jg_action_fields[] = {
    {.name = "action",
     .kind = JAEGER_FIELD_STR,
     AT(action),
     .doc = "insert, update, upsert, delete, hash, extract or convert"},
    {.name = "key", .kind = JAEGER_FIELD_STR, AT(key), .doc = "attribute"},
    {.name = "value", .kind = JAEGER_FIELD_NODE, AT(value), .doc = "what to set: string, number or bool"},
    {.name = "from_attribute", .kind = JAEGER_FIELD_STR, AT(from_attribute), .doc = "attribute to copy"},
    {.name = "from_context", .kind = JAEGER_FIELD_STR, AT(from_context), .doc = "request metadata to copy"},
    {.name = "default_value",
     .kind = JAEGER_FIELD_NODE,
     AT(default_value),
     .doc = "used where the source is missing"},
    {.name = "pattern", .kind = JAEGER_FIELD_STR, AT(pattern), .doc = "regular expression"},
    {.name = "converted_type", .kind = JAEGER_FIELD_STR, AT(converted_type), .doc = "string, int or double"},
    {0}};
