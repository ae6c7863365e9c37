/* SPDX-License-Identifier: Apache-2.0
 * Trees and bound structs as YAML or JSON. One walk over either calls an emitter that knows both notations.
 */
#include "config/load.h"

#include "config/tree.h"
#include "core/json_out.h"
#include "core/str.h"
#include <math.h>

typedef struct emitter {
    jg_buf *out;
    jg_json_out *json; /* NULL: YAML */
    unsigned indent;   /* YAML: spaces before the next line */
    bool inline_next;  /* YAML: the next key continues the line of a "- " */
    bool redact;
} emitter;

/* ---- emitting ---- */

static void emit_indent(emitter *e)
{
    for (unsigned i = 0; i < e->indent && !e->inline_next; i++)
        jg_buf_byte(e->out, ' ');
    e->inline_next = false;
}

/* May `text` stand without quotes and still be read as the same string? */
static bool is_plain(jaeger_str text)
{
    if (jg_scalar_is_null(text) || jg_scalar_read(text).type != JG_SCALAR_STRING || jg_str_is(text, "<<"))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '/';
        bool inner = i && (c == '-' || c == '.' || c == '@' ||
                           ((c == ':' || (c == ' ' && text.ptr[i - 1] != ':')) && i + 1 < text.len));
        if (!word && !inner)
            return false;
    }
    return true;
}

static void emit_yaml_string(emitter *e, jaeger_str text)
{
    if (is_plain(text)) {
        jg_buf_str(e->out, text);
        return;
    }
    jg_buf_byte(e->out, '"');
    jg_json_escape(e->out, text, false);
    jg_buf_byte(e->out, '"');
}

static void emit_key(emitter *e, jaeger_str key)
{
    if (e->json) {
        jg_json_key(e->json, key);
        return;
    }
    emit_indent(e);
    emit_yaml_string(e, key);
    jg_buf_byte(e->out, ':');
}

/* Numbers, bools, null: what is the same in both. */
static void emit_raw(emitter *e, jaeger_str text)
{
    if (e->json) {
        jg_json_raw(e->json, text);
        return;
    }
    jg_buf_byte(e->out, ' ');
    jg_buf_str(e->out, text);
    jg_buf_byte(e->out, '\n');
    e->inline_next = false;
}

static void emit_string(emitter *e, jaeger_str text)
{
    if (e->json) {
        jg_json_str(e->json, text);
        return;
    }
    jg_buf_byte(e->out, ' ');
    emit_yaml_string(e, text);
    jg_buf_byte(e->out, '\n');
    e->inline_next = false;
}

static void emit_u64(emitter *e, uint64_t value, bool minus)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(32);
    jg_buf_printf(&text, "%s%llu", minus ? "-" : "", (unsigned long long)value);
    emit_raw(e, jg_buf_view(&text));
}

static void emit_double(emitter *e, double value)
{
    char text[32];
    if (isfinite(value))
        emit_raw(e, (jaeger_str){text, jg_double_to_text(value, 1, text)});
    else if (e->json)
        emit_string(e, isnan(value) ? JAEGER_STR("NaN")
                       : value > 0  ? JAEGER_STR("+Inf")
                                    : JAEGER_STR("-Inf"));
    else
        emit_raw(e, isnan(value) ? JAEGER_STR(".nan") : value > 0 ? JAEGER_STR(".inf") : JAEGER_STR("-.inf"));
}

/* Begin a map or list of `count` entries; its lines stand `deeper` spaces further in. An empty one is
 * complete. */
static void emit_begin(emitter *e, bool is_list, size_t count, unsigned deeper)
{
    if (e->json) {
        if (is_list)
            jg_json_array(e->json);
        else
            jg_json_object(e->json);
        return;
    }
    if (count == 0)
        emit_raw(e, is_list ? JAEGER_STR("[]") : JAEGER_STR("{}"));
    else if (e->inline_next)
        jg_buf_byte(e->out, ' ');
    else
        jg_buf_byte(e->out, '\n');
    e->indent += deeper;
}

static void emit_end(emitter *e, unsigned deeper)
{
    if (e->json)
        jg_json_end(e->json);
    e->indent -= deeper;
}

/* Before each item of a list. */
static void emit_item(emitter *e)
{
    if (e->json)
        return;
    emit_indent(e);
    jg_buf_byte(e->out, '-');
    e->inline_next = true;
}

/* ---- secrets ---- */

/* The keys whose type is configopaque.String in the Collector, or that hold credentials in Jaeger's
 * extensions. */
static bool is_secret(jaeger_str name)
{
    static const char *const secrets[] = {
        "access_key", "ca_pem",  "cert_pem", "custom_headers", "headers",
        "inline",     "key_pem", "password", "record_headers", "response_headers",
        "secret",     "token",   "tokens",   "secret_key",     "bearer",
    };
    for (size_t i = 0; i < JG_COUNT(secrets); i++)
        if (jg_str_is(name, secrets[i]))
            return true;
    return false;
}

static void emit_maybe_hidden(emitter *e, bool is_hidden, jaeger_str text)
{
    emit_string(e, is_hidden && text.len ? JAEGER_STR("[REDACTED]") : text);
}

/* ---- trees ---- */

static void write_scalar(emitter *e, const jaeger_config *node)
{
    jg_scalar scalar = jg_scalar_of(node);
    switch (scalar.type) {
    case JG_SCALAR_BOOL:
        emit_raw(e, scalar.b ? JAEGER_STR("true") : JAEGER_STR("false"));
        break;
    case JG_SCALAR_INT:
        emit_u64(e, scalar.magnitude, scalar.negative);
        break;
    case JG_SCALAR_FLOAT:
        emit_double(e, scalar.d);
        break;
    default:
        emit_string(e, node->text);
    }
}

/* Depth is bounded: trees are at most JG_YAML_DEPTH_MAX deep. */
static void write_node(emitter *e, const jaeger_config *node, bool is_hidden);

static void write_entries(emitter *e, const jaeger_config *map, bool is_hidden)
{
    for (size_t i = 0; i < map->count; i++) {
        const jaeger_config *entry = map->items[i];
        emit_key(e, entry->key);
        write_node(e, entry, is_hidden || (e->redact && is_secret(entry->key)));
    }
}

static void write_node(emitter *e, const jaeger_config *node, bool is_hidden)
{
    switch (jaeger_config_kind(node)) {
    case JAEGER_CONFIG_NULL:
        emit_raw(e, JAEGER_STR("null"));
        break;
    case JAEGER_CONFIG_SCALAR:
        if (is_hidden)
            emit_maybe_hidden(e, true, node->text);
        else
            write_scalar(e, node);
        break;
    case JAEGER_CONFIG_LIST:
        emit_begin(e, true, node->count, 2);
        for (size_t i = 0; i < node->count; i++) {
            emit_item(e);
            write_node(e, node->items[i], is_hidden);
        }
        emit_end(e, 2);
        break;
    default:
        emit_begin(e, false, node->count, 2);
        write_entries(e, node, is_hidden);
        emit_end(e, 2);
    }
}

void jg_config_write_yaml(jg_buf *out, const jaeger_config *node, unsigned indent)
{
    emitter e = {.out = out, .indent = indent};
    if (jaeger_config_kind(node) == JAEGER_CONFIG_MAP && node->count)
        write_entries(&e, node, false);
    else
        write_node(&e, node, false);
}

/* ---- bound structs ---- */

static void write_fields(emitter *e, const jaeger_field *fields, const void *bound);

static size_t count_fields(const jaeger_field *fields)
{
    size_t n = 0;
    for (; fields[n].kind != JAEGER_FIELD_END; n++)
        ;
    return n;
}

static void write_block(emitter *e, const jaeger_field *field, const void *bound)
{
    emit_begin(e, false, count_fields(field->sub), 2);
    write_fields(e, field->sub, bound);
    emit_end(e, 2);
}

static void write_strs(emitter *e, bool is_hidden, const jaeger_str_list *list)
{
    emit_begin(e, true, list->count, 2);
    for (size_t i = 0; i < list->count; i++) {
        emit_item(e);
        emit_maybe_hidden(e, is_hidden, list->items[i]);
    }
    emit_end(e, 2);
}

static void write_pairs(emitter *e, bool is_hidden, const jaeger_pair_list *list)
{
    emit_begin(e, false, list->count, 2);
    for (size_t i = 0; i < list->count; i++) {
        emit_key(e, list->items[i].key);
        emit_maybe_hidden(e, is_hidden, list->items[i].value);
    }
    emit_end(e, 2);
}

static void write_list(emitter *e, const jaeger_field *field, const jaeger_block_list *list)
{
    emit_begin(e, true, list->count, 2);
    for (size_t i = 0; i < list->count; i++) {
        emit_item(e);
        write_block(e, field, (const char *)list->items + i * field->sub_size);
    }
    emit_end(e, 2);
}

static void write_choice(emitter *e, const char *choices, int index)
{
    jaeger_str rest = jg_str(choices);
    for (; index > 0; index--)
        rest = jg_str_skip(rest, jg_str_find(rest, '|') + 1);
    emit_string(e, (jaeger_str){rest.ptr, jg_str_find(rest, '|')});
}

static void write_duration(emitter *e, uint64_t ns)
{
    char text[JG_DURATION_TEXT_MAX];
    emit_string(e, (jaeger_str){text, jg_duration_to_text((int64_t)ns, text)});
}

static void write_value(emitter *e, const jaeger_field *field, const void *value)
{
    bool is_hidden = e->redact && is_secret(jg_str(field->name));
    int64_t i;
    switch (field->kind) {
    case JAEGER_FIELD_BOOL:
        emit_raw(e, *(const bool *)value ? JAEGER_STR("true") : JAEGER_STR("false"));
        break;
    case JAEGER_FIELD_I64:
        i = *(const int64_t *)value;
        emit_u64(e, i < 0 ? 0 - (uint64_t)i : (uint64_t)i, i < 0);
        break;
    case JAEGER_FIELD_U64:
        emit_u64(e, *(const uint64_t *)value, false);
        break;
    case JAEGER_FIELD_U32:
        emit_u64(e, *(const uint32_t *)value, false);
        break;
    case JAEGER_FIELD_DOUBLE:
        emit_double(e, *(const double *)value);
        break;
    case JAEGER_FIELD_DURATION:
        write_duration(e, *(const uint64_t *)value);
        break;
    case JAEGER_FIELD_STR:
        emit_maybe_hidden(e, is_hidden, *(const jaeger_str *)value);
        break;
    case JAEGER_FIELD_ENUM:
        write_choice(e, field->choices, *(const int *)value);
        break;
    case JAEGER_FIELD_STRS:
        write_strs(e, is_hidden, value);
        break;
    case JAEGER_FIELD_PAIRS:
        write_pairs(e, is_hidden, value);
        break;
    case JAEGER_FIELD_LIST:
        write_list(e, field, value);
        break;
    case JAEGER_FIELD_NODE:
        write_node(e, *(const jaeger_config *const *)value, is_hidden);
        break;
    case JAEGER_FIELD_OPTIONAL_D:
    case JAEGER_FIELD_OPTIONAL_N:
    case JAEGER_FIELD_OPTIONAL_S:
        if (!*(const bool *)value) {
            emit_raw(e, JAEGER_STR("null"));
            break;
        }
        write_block(e, field, value);
        break;
    default:
        write_block(e, field, value);
    }
}

static void write_fields(emitter *e, const jaeger_field *fields, const void *bound)
{
    for (const jaeger_field *f = fields; f->kind != JAEGER_FIELD_END; f++) {
        const void *value = (const char *)bound + f->offset;
        if (f->kind == JAEGER_FIELD_SQUASH) {
            write_fields(e, f->sub, value);
            continue;
        }
        emit_key(e, jg_str(f->name));
        write_value(e, f, value);
    }
}

void jg_config_write_bound_yaml(jg_buf *out, const jaeger_field *fields, const void *bound, unsigned indent,
                                bool redact)
{
    emitter e = {.out = out, .indent = indent, .redact = redact};
    write_fields(&e, fields, bound);
}

void jg_config_write_bound_json(jg_buf *out, const jaeger_field *fields, const void *bound, bool redact)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    emitter e = {.out = out, .json = &json, .redact = redact};
    jg_json_object(&json);
    write_fields(&e, fields, bound);
    jg_json_end(&json);
}
