/* SPDX-License-Identifier: Apache-2.0
 * See span_write.h. The process of a resource is written once and copied into each of its spans.
 *
 * Keys of fields come from clients. Those that the clusters would refuse stay nested: empty or blank ones,
 * control characters, very long ones; of two with one name the last counts, as in Go's maps.
 */
#include "storage/opensearch/span_write.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include "model/value_text.h"
#include "wire/v1_tags.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#define SPAN_BYTES_MAX (256u << 20) /* one document; a batch is smaller */

/* ---- which tags become fields ---- */

static jaeger_status add_key(jg_os_tag_choice *choice, jaeger_str key, jaeger_error *err)
{
    bool is_new;
    key = jg_str_trim(key);
    if (!key.len)
        return JAEGER_OK;
    key = jaeger_arena_str(choice->arena, key);
    jg_map_entry *entry = key.ptr ? jg_map_put(&choice->keys, key, &is_new) : NULL;
    if (!entry)
        return jg_fail_oom(err);
    entry->value = choice;
    return JAEGER_OK;
}

static jaeger_status add_keys(jg_os_tag_choice *choice, jaeger_str text, char separator, jaeger_error *err)
{
    while (text.len) {
        size_t n = jg_str_find(text, separator);
        JG_TRY(add_key(choice, (jaeger_str){text.ptr, n}, err));
        text = jg_str_skip(text, n + 1);
    }
    return JAEGER_OK;
}

static jaeger_status read_key_file(jg_os_tag_choice *choice, const char *path, jaeger_error *err)
{
    JG_AUTO_FREE char *bytes = jg_alloc(JG_OS_TAG_FILE_BYTES);
    FILE *file = bytes ? fopen(path, "re") : NULL;
    if (!bytes)
        return jg_fail_oom(err);
    if (!file) {
        char text[128];
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "tags_as_fields.config_file: %s: %s", path,
                       strerror_r(errno, text, sizeof text));
    }
    size_t len = fread(bytes, 1, JG_OS_TAG_FILE_BYTES, file);
    (void)fclose(file);
    if (len == JG_OS_TAG_FILE_BYTES)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "tags_as_fields.config_file: %s is larger than %u bytes",
                       path, JG_OS_TAG_FILE_BYTES);
    return add_keys(choice, (jaeger_str){bytes, len}, '\n', err);
}

jaeger_status jg_os_tag_choice_init(jg_os_tag_choice *ret, const jg_os_tags_config *config, jaeger_error *err)
{
    *ret =
        (jg_os_tag_choice){.all = config->all, .dot = config->dot_replacement, .arena = jaeger_arena_new(0)};
    jaeger_status status = ret->arena ? JAEGER_OK : jg_fail_oom(err);
    if (status == JAEGER_OK && config->config_file.len)
        status = read_key_file(ret, config->config_file.ptr, err);
    if (status == JAEGER_OK)
        status = add_keys(ret, config->include, ',', err);
    if (status == JAEGER_OK)
        status = add_keys(ret, JAEGER_STR("span.kind,error"), ',', err);
    if (status != JAEGER_OK)
        jg_os_tag_choice_done(ret);
    return status;
}

void jg_os_tag_choice_done(jg_os_tag_choice *choice)
{
    jg_map_done(&choice->keys);
    jaeger_arena_free(choice->arena);
    *choice = (jg_os_tag_choice){0};
}

static bool may_be_name(jaeger_str key)
{
    bool is_blank = true;
    if (key.len > JG_OS_FIELD_KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (c < ' ' || c == 0x7f)
            return false;
        is_blank &= c == ' ';
    }
    return !is_blank && jg_utf8_valid(key);
}

static jaeger_str replace_dots(jg_os_span_writer *w, jaeger_str key)
{
    if (jg_str_find(key, '.') == key.len)
        return key;
    jg_buf_clear(&w->text);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] == '.')
            jg_buf_str(&w->text, w->choice->dot);
        else
            jg_buf_byte(&w->text, (uint8_t)key.ptr[i]);
    return jg_buf_ok(&w->text) ? jaeger_arena_str(w->arena, jg_buf_view(&w->text)) : (jaeger_str){0};
}

/** Put it among the fields, which are in the order of their keys. @return false: it stays nested */
static bool take_field(jg_os_span_writer *w, const jaeger_attr *attr)
{
    if (w->nested_only || attr->value.type == JAEGER_VALUE_BYTES ||
        (!w->choice->all && !jg_map_get(&w->choice->keys, attr->key)) || !may_be_name(attr->key))
        return false;
    jaeger_str key = replace_dots(w, attr->key);
    if (!key.ptr || !may_be_name(key))
        return false;
    size_t at = w->field_count;
    int order = 1;
    while (at && (order = jg_str_cmp(key, w->fields[at - 1].key)) < 0)
        at--;
    if (at && order == 0) {
        w->fields[at - 1].value = attr->value;
        return true;
    }
    if (w->field_count == JG_OS_FIELDS_MAX)
        return false;
    memmove(&w->fields[at + 1], &w->fields[at], (w->field_count - at) * sizeof *w->fields);
    w->fields[at] = (jg_os_field){key, attr->value};
    w->field_count++;
    return true;
}

/* ---- values ---- */

static void put_text(jg_buf *out, jaeger_str text)
{
    jg_buf_byte(out, '"');
    jg_json_escape(out, text, true);
    jg_buf_byte(out, '"');
}

static void put_hex(jg_buf *out, const void *bytes, size_t n)
{
    if (jg_buf_reserve(out, 2 * n)) {
        jg_hex_encode(bytes, n, (char *)out->data + out->len);
        out->len += 2 * n;
    }
}

static void put_int(jg_buf *out, int64_t value)
{
    if (value < 0)
        jg_buf_byte(out, '-');
    jg_json_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_value(jg_os_span_writer *w, jg_buf *out, const jaeger_value *value)
{
    jg_json_out json = {.buf = out};
    switch (value->type) {
    case JAEGER_VALUE_BOOL:
        jg_buf_str(out, value->u.b ? JAEGER_STR("true") : JAEGER_STR("false"));
        break;
    case JAEGER_VALUE_INT:
        put_int(out, value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        jg_json_double(&json, value->u.d, 1);
        break;
    case JAEGER_VALUE_BYTES:
        jg_buf_byte(out, '"');
        put_hex(out, value->u.s.ptr, value->u.s.len);
        jg_buf_byte(out, '"');
        break;
    case JAEGER_VALUE_ARRAY:
    case JAEGER_VALUE_MAP:
        jg_buf_clear(&w->text);
        jg_value_text(&w->text, value);
        out->failed |= w->text.failed;
        put_text(out, jg_buf_view(&w->text));
        break;
    default:
        put_text(out, value->type == JAEGER_VALUE_STRING ? value->u.s : JAEGER_STR(""));
        break;
    }
}

static jaeger_str type_name(jaeger_value_type type)
{
    switch (type) {
    case JAEGER_VALUE_BOOL:
        return JAEGER_STR("bool");
    case JAEGER_VALUE_INT:
        return JAEGER_STR("int64");
    case JAEGER_VALUE_DOUBLE:
        return JAEGER_STR("float64");
    case JAEGER_VALUE_BYTES:
        return JAEGER_STR("binary");
    default:
        return JAEGER_STR("string");
    }
}

static void put_tag(jg_os_span_writer *w, jg_buf *out, const jaeger_attr *attr)
{
    jg_buf_lit(out, "{\"key\":\"");
    jg_json_escape(out, attr->key, true);
    if (JG_LIKELY(attr->value.type == JAEGER_VALUE_STRING)) {
        jg_buf_lit(out, "\",\"type\":\"string\",\"value\":\"");
        jg_json_escape(out, attr->value.u.s, true);
        jg_buf_lit(out, "\"}");
        return;
    }
    jg_buf_lit(out, "\",\"type\":\"");
    jg_buf_str(out, type_name(attr->value.type));
    jg_buf_lit(out, "\",\"value\":");
    put_value(w, out, &attr->value);
    jg_buf_byte(out, '}');
}

static void put_fields(jg_os_span_writer *w, jg_buf *out)
{
    jg_buf_lit(out, ",\"tag\":");
    for (size_t i = 0; i < w->field_count; i++) {
        jg_buf_byte(out, i ? ',' : '{');
        put_text(out, w->fields[i].key);
        jg_buf_byte(out, ':');
        put_value(w, out, &w->fields[i].value);
    }
    jg_buf_byte(out, '}');
}

/** "tags": [...], and "tag": {...} if there are fields. */
static void put_tags(jg_os_span_writer *w, jg_buf *out, jg_v1_tags tags)
{
    jaeger_attr attr;
    bool any = false;
    w->field_count = 0;
    jg_buf_lit(out, "\"tags\":[");
    while (jg_v1_next(&tags, &attr)) {
        if (take_field(w, &attr))
            continue;
        if (any)
            jg_buf_byte(out, ',');
        any = true;
        put_tag(w, out, &attr);
    }
    jg_buf_byte(out, ']');
    if (w->field_count)
        put_fields(w, out);
}

/* ---- parts of a span ---- */

static void put_process(jg_os_span_writer *w, jg_buf *out, const jaeger_span_group *group)
{
    if (w->group != group) {
        jg_buf_clear(&w->process);
        jg_buf_lit(&w->process, "{\"serviceName\":");
        put_text(&w->process, jg_v1_service(group));
        jg_buf_byte(&w->process, ',');
        put_tags(w, &w->process, jg_v1_process_tags(group));
        jg_buf_byte(&w->process, '}');
        w->group = jg_buf_ok(&w->process) ? group : NULL;
        out->failed |= w->process.failed;
    }
    jg_buf_lit(out, ",\"process\":");
    jg_buf_str(out, jg_buf_view(&w->process));
}

static void put_references(jg_buf *out, const jaeger_span *span)
{
    jg_v1_refs refs = jg_v1_span_refs(span);
    jg_v1_ref ref;
    bool any = false;
    jg_buf_lit(out, ",\"references\":");
    while (jg_v1_next_ref(&refs, &ref)) {
        jg_buf_byte(out, any ? ',' : '[');
        any = true;
        jg_buf_lit(out, "{\"refType\":\"");
        jg_buf_str(out, ref.follows_from ? JAEGER_STR("FOLLOWS_FROM") : JAEGER_STR("CHILD_OF"));
        jg_buf_lit(out, "\",\"traceID\":\"");
        put_hex(out, ref.trace_id, 16);
        jg_buf_lit(out, "\",\"spanID\":\"");
        put_hex(out, ref.span_id, 8);
        jg_buf_lit(out, "\"}");
    }
    jg_buf_str(out, any ? JAEGER_STR("]") : JAEGER_STR("null"));
}

static void put_log(jg_os_span_writer *w, jg_buf *out, const jaeger_event *event)
{
    jg_v1_tags fields = jg_v1_log_fields(event);
    jaeger_attr attr;
    bool any = false;
    jg_buf_lit(out, "{\"timestamp\":");
    jg_json_number(out, event->time_unix_ns / JG_NS_PER_US);
    jg_buf_lit(out, ",\"fields\":[");
    while (jg_v1_next(&fields, &attr)) {
        if (any)
            jg_buf_byte(out, ',');
        any = true;
        put_tag(w, out, &attr);
    }
    jg_buf_lit(out, "]}");
}

static void put_logs(jg_os_span_writer *w, jg_buf *out, const jaeger_span *span)
{
    jaeger_iter events = jaeger_span_events(span);
    jaeger_event event;
    bool any = false;
    jg_buf_lit(out, ",\"logs\":");
    while (jaeger_next_event(&events, &event)) {
        jg_buf_byte(out, any ? ',' : '[');
        any = true;
        put_log(w, out, &event);
    }
    jg_buf_str(out, any ? JAEGER_STR("]") : JAEGER_STR("null"));
}

static void put_head(jg_buf *out, const jaeger_span *span)
{
    int64_t duration_ns = jg_v1_duration_ns(span);
    jg_buf_lit(out, "{\"traceID\":\"");
    put_hex(out, span->trace_id, 16);
    jg_buf_lit(out, "\",\"spanID\":\"");
    put_hex(out, span->span_id, 8);
    if (!jg_id_is_zero(span->parent_span_id, 8)) {
        jg_buf_lit(out, "\",\"parentSpanID\":\"");
        put_hex(out, span->parent_span_id, 8);
    }
    jg_buf_lit(out, "\",");
    if (span->flags) {
        jg_buf_lit(out, "\"flags\":");
        jg_json_number(out, span->flags);
        jg_buf_byte(out, ',');
    }
    jg_buf_lit(out, "\"operationName\":");
    put_text(out, span->name);
    put_references(out, span);
    jg_buf_lit(out, ",\"startTime\":");
    jg_json_number(out, span->start_unix_ns / JG_NS_PER_US);
    jg_buf_lit(out, ",\"startTimeMillis\":");
    jg_json_number(out, span->start_unix_ns / JG_NS_PER_MS);
    jg_buf_lit(out, ",\"duration\":");
    jg_json_number(out, duration_ns > 0 ? (uint64_t)duration_ns / JG_NS_PER_US : 0);
    jg_buf_byte(out, ',');
}

void jg_os_put_span(jg_os_span_writer *w, jg_buf *out, const jaeger_span *span)
{
    jaeger_arena_reset(w->arena);
    put_head(out, span);
    put_tags(w, out, jg_v1_span_tags(span, JG_V1_STORAGE));
    put_logs(w, out, span);
    put_process(w, out, span->group);
    jg_buf_byte(out, '}');
}

jaeger_str jg_os_span_id(char out[JG_OS_ID_BYTES], const jaeger_span *span)
{
    jg_hex_encode(span->trace_id, 16, out);
    out[32] = '_';
    jg_hex_encode(span->span_id, 8, out + 33);
    out[49] = '_';
    return (jaeger_str){out, JG_OS_ID_BYTES};
}

/* ---- services ---- */

uint64_t jg_os_service_hash(jaeger_str service, jaeger_str operation)
{
    uint64_t hash = jg_fnv1a_64(JG_FNV1A_64_START, service.ptr, service.len);
    return jg_fnv1a_64(hash, operation.ptr, operation.len);
}

void jg_os_put_service(jg_buf *out, jaeger_str service, jaeger_str operation)
{
    jg_json_out j = {.buf = out, .html = true};
    jg_json_object(&j);
    jg_json_key_lit(&j, "serviceName");
    jg_json_str(&j, service);
    jg_json_key_lit(&j, "operationName");
    jg_json_str(&j, operation);
    jg_json_end(&j);
}

/* ---- opening ---- */

jg_os_span_writer *jg_os_span_writer_new(const jg_os_tag_choice *choice)
{
    jg_os_span_writer *w = jg_alloc(sizeof *w);
    if (!w)
        return NULL;
    w->choice = choice;
    w->nested_only = false;
    w->group = NULL;
    w->field_count = 0;
    w->process = w->text = JG_BUF_INIT(SPAN_BYTES_MAX);
    if (!(w->arena = jaeger_arena_new(0))) {
        jg_free(w);
        return NULL;
    }
    return w;
}

void jg_os_span_writer_free(jg_os_span_writer *w)
{
    if (!w)
        return;
    jg_buf_done(&w->process);
    jg_buf_done(&w->text);
    jaeger_arena_free(w->arena);
    jg_free(w);
}

#define FIELD(member, key, field_kind, ...)                                                                  \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(jg_os_tags_config, member), __VA_ARGS__      \
    }

const jaeger_field jg_os_tags_fields[] = {
    FIELD(all, "all", JAEGER_FIELD_BOOL, .doc = "every tag"),
    FIELD(dot_replacement, "dot_replacement", JAEGER_FIELD_STR, .fallback = "@",
          .doc = "what stands for \".\" in names of fields"),
    FIELD(config_file, "config_file", JAEGER_FIELD_STR, .doc = "file with a key a line"),
    FIELD(include, "include", JAEGER_FIELD_STR,
          .doc = "keys, separated by commas; span.kind and error are always fields"),
    {.kind = JAEGER_FIELD_END},
};
