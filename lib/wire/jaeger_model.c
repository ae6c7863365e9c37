/* SPDX-License-Identifier: Apache-2.0
 * See jaeger_model.h.
 */
#include "wire/jaeger_model.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "wire/otlp_out.h"
#include "wire/scratch.h"

enum { FEW_TAGS = 24 }; /* up to here, comparing all with all is cheaper than a table */

void jg_jaeger_in_init(jg_jaeger_in *in, size_t input_bytes, bool lifts_scope)
{
    *in = (jg_jaeger_in){.lifts_scope = lifts_scope,
                         .http_code = JAEGER_STR("http.status_code"),
                         .arena = jaeger_arena_new(JG_TRANSLATED_BYTES_MAX)};
    jg_span_groups_init(&in->groups, JG_MIN(JG_TRANSLATED_BYTES_MAX, 16 * input_bytes + 4096));
    in->groups.failed = !in->arena;
}

void jg_jaeger_in_done(jg_jaeger_in *in)
{
    jg_span_groups_done(&in->groups);
    jg_free(in->tags.items);
    jg_free(in->fields.items);
    jg_free(in->refs);
    jaeger_arena_free(in->arena);
    *in = (jg_jaeger_in){0};
}

jg_jaeger_tag *jg_jaeger_add(jg_jaeger_in *in, jg_jaeger_tags *tags)
{
    if (!jg_scratch_grow(&tags->items, &tags->cap, tags->count)) {
        in->groups.failed = true;
        return NULL;
    }
    jg_jaeger_tag *tag = &tags->items[tags->count++];
    *tag = (jg_jaeger_tag){0};
    return tag;
}

void jg_jaeger_set_unknown(jg_jaeger_in *in, jg_jaeger_tag *tag, int32_t number)
{
    tag->type = JG_JAEGER_STRING;
    tag->u.s = jg_arena_printf(in->arena, "<Unknown Jaeger TagType \"%d\">", number);
    in->groups.failed |= !tag->u.s.ptr;
}

jg_jaeger_ref *jg_jaeger_add_ref(jg_jaeger_in *in)
{
    if (!jg_scratch_grow(&in->refs, &in->ref_cap, in->ref_count)) {
        in->groups.failed = true;
        return NULL;
    }
    jg_jaeger_ref *ref = &in->refs[in->ref_count++];
    *ref = (jg_jaeger_ref){0};
    return ref;
}

jg_jaeger_tag *jg_jaeger_find(jg_jaeger_tags *tags, jaeger_str key)
{
    for (size_t i = 0; i < tags->count; i++)
        if (!tags->items[i].gone && jg_str_eq(tags->items[i].key, key))
            return &tags->items[i];
    return NULL;
}

/* ---- tags to attributes
 * -------------------------------------------------------------------------------------------- */

/** The earlier of two tags with one key takes the value of the later. */
static void replace(jg_jaeger_tag *first, jg_jaeger_tag *later)
{
    first->type = later->type;
    first->u = later->u;
    later->gone = true;
}

static bool unite_many(jg_jaeger_tags *tags)
{
    jg_map seen = {0};
    bool ok = true;
    for (size_t i = 0; i < tags->count && ok; i++) {
        bool is_new = false;
        jg_map_entry *entry = tags->items[i].gone ? NULL : jg_map_put(&seen, tags->items[i].key, &is_new);
        ok = entry || tags->items[i].gone;
        if (entry && is_new)
            entry->value = &tags->items[i];
        else if (entry)
            replace(entry->value, &tags->items[i]);
    }
    jg_map_done(&seen);
    return ok;
}

/** Keys are unique in pdata's maps: the last value wins, at the place of the first. */
static void unite(jg_jaeger_in *in, jg_jaeger_tags *tags)
{
    if (tags->count > FEW_TAGS) {
        if (!unite_many(tags))
            in->groups.failed = true;
        return;
    }
    for (size_t i = 1; i < tags->count; i++)
        for (size_t k = 0; k < i && !tags->items[i].gone; k++)
            if (!tags->items[k].gone && jg_str_eq(tags->items[k].key, tags->items[i].key))
                replace(&tags->items[k], &tags->items[i]);
}

static void write_tag(jg_buf *buf, uint32_t field, const jg_jaeger_tag *tag)
{
    switch (tag->type) {
    case JG_JAEGER_STRING:
        jg_otlp_attr_str(buf, field, tag->key, tag->u.s);
        break;
    case JG_JAEGER_BOOL:
        jg_otlp_attr_bool(buf, field, tag->key, tag->u.b);
        break;
    case JG_JAEGER_INT64:
        jg_otlp_attr_int(buf, field, tag->key, tag->u.i);
        break;
    case JG_JAEGER_FLOAT64:
        jg_otlp_attr_double(buf, field, tag->key, tag->u.d);
        break;
    case JG_JAEGER_BINARY:
        jg_otlp_attr_bytes(buf, field, tag->key, tag->u.s);
        break;
    }
}

static void write_tags(jg_buf *buf, uint32_t field, jg_jaeger_tags *tags)
{
    for (size_t i = 0; i < tags->count; i++)
        if (!tags->items[i].gone)
            write_tag(buf, field, &tags->items[i]);
    tags->count = 0;
}

void jg_jaeger_write_tags(jg_jaeger_in *in, jg_buf *buf, uint32_t field, jg_jaeger_tags *tags)
{
    unite(in, tags);
    write_tags(buf, field, tags);
}

/** Its text; "" for tags of other types, as pdata's Str(). */
static jaeger_str text_of(const jg_jaeger_tag *tag)
{
    return tag->type == JG_JAEGER_STRING ? tag->u.s : JAEGER_STR("");
}

/** Take a tag's text away. @return false: no such tag */
static bool take_text(jg_jaeger_tags *tags, jaeger_str key, jaeger_str *ret)
{
    jg_jaeger_tag *tag = jg_jaeger_find(tags, key);
    if (!tag)
        return false;
    *ret = text_of(tag);
    tag->gone = true;
    return true;
}

void jg_jaeger_write_process(jg_jaeger_in *in, jaeger_str service, jg_jaeger_tags *tags)
{
    const jaeger_str service_key = JAEGER_STR("service.name"),
                     exporter_key = JAEGER_STR("opencensus.exporterversion");
    jg_buf *heads = &in->groups.heads;
    unite(in, tags);
    jg_jaeger_tag *tag = jg_jaeger_find(tags, service_key);
    if (service.len && !tag)
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, service_key, service);
    tag = jg_jaeger_find(tags, JAEGER_STR("hostname"));
    if (tag && !jg_jaeger_find(tags, JAEGER_STR("host.name")))
        tag->key = JAEGER_STR("host.name");
    tag = jg_jaeger_find(tags, JAEGER_STR("jaeger.version"));
    if (tag && !jg_jaeger_find(tags, exporter_key)) {
        jg_buf *text = &in->groups.key;
        jg_buf_clear(text);
        jg_buf_lit(text, "Jaeger-");
        jg_buf_str(text, text_of(tag));
        in->groups.failed |= !jg_buf_ok(text);
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, exporter_key, jg_buf_view(text));
        tag->gone = true;
    }
    write_tags(heads, JG_OTLP_RESOURCE_ATTRIBUTES, tags);
}

void jg_jaeger_write_log(jg_jaeger_in *in, uint64_t time_unix_ns)
{
    jg_buf *buf = &in->groups.spans;
    jaeger_str name = {0};
    unite(in, &in->fields);
    size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_EVENTS, 1);
    jg_otlp_time(buf, JG_OTLP_EVENT_TIME, time_unix_ns);
    if (take_text(&in->fields, JAEGER_STR("event"), &name))
        jg_otlp_text(buf, JG_OTLP_EVENT_NAME, name);
    write_tags(buf, JG_OTLP_EVENT_ATTRIBUTES, &in->fields);
    jg_pb_end(buf, mark, 1);
}

/* ---- the span
 * ------------------------------------------------------------------------------------------------------ */

/** Thrift's own field, else the first CHILD_OF of this trace, else its first FOLLOWS_FROM. */
static void find_parent(const jg_jaeger_in *in, const jg_jaeger_head *head, uint8_t ret[8])
{
    const jg_jaeger_ref *found = NULL;
    memcpy(ret, head->parent_span_id, 8);
    if (!jg_id_is_zero(ret, 8))
        return;
    for (size_t i = 0; i < in->ref_count; i++) {
        const jg_jaeger_ref *ref = &in->refs[i];
        if (memcmp(ref->trace_id, head->trace_id, 16) != 0)
            continue;
        if (ref->type == 0) {
            found = ref;
            break;
        }
        if (!found && ref->type == 1)
            found = ref;
    }
    if (found)
        memcpy(ret, found->span_id, 8);
}

static void write_links(jg_jaeger_in *in, const uint8_t parent[8])
{
    jg_buf *buf = &in->groups.spans;
    for (size_t i = 0; i < in->ref_count; i++) {
        const jg_jaeger_ref *ref = &in->refs[i];
        if (ref->type == 0 && memcmp(ref->span_id, parent, 8) == 0)
            continue;
        size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_LINKS, 1);
        jg_otlp_id(buf, JG_OTLP_LINK_TRACE_ID, ref->trace_id, 16);
        jg_otlp_id(buf, JG_OTLP_LINK_SPAN_ID, ref->span_id, 8);
        jg_otlp_attr_str(buf, JG_OTLP_LINK_ATTRIBUTES, JAEGER_STR("opentracing.ref_type"),
                         ref->type == 0 ? JAEGER_STR("child_of") : JAEGER_STR("follows_from"));
        jg_pb_end(buf, mark, 1);
    }
    in->ref_count = 0;
}

/** Status of an HTTP code. @return false: the tag holds no number */
static bool http_status(const jg_jaeger_tag *tag, uint32_t kind, uint32_t *ret)
{
    int64_t code;
    if (tag->type == JG_JAEGER_INT64)
        code = tag->u.i;
    else if (tag->type != JG_JAEGER_STRING || !jg_str_to_i64(tag->u.s, &code))
        return false;
    if (code >= 400 && code < 500 && kind == JAEGER_KIND_SERVER)
        *ret = JAEGER_STATUS_UNSET;
    else
        *ret = code >= 100 && code < 399 ? JAEGER_STATUS_UNSET : JAEGER_STATUS_ERROR;
    return true;
}

/** The tag `error` decides, then otel.status_code, then http.status_code. */
static void write_status(jg_jaeger_in *in, uint32_t kind)
{
    jg_jaeger_tags *tags = &in->tags;
    const jaeger_str description = JAEGER_STR("otel.status_description");
    uint32_t code = JAEGER_STATUS_UNSET;
    jaeger_str message = {0};
    jg_jaeger_tag *error = jg_jaeger_find(tags, JAEGER_STR("error")), *tag;
    bool is_error = error && error->type == JG_JAEGER_BOOL && error->u.b;
    if (is_error) {
        error->gone = true;
        code = JAEGER_STATUS_ERROR;
        if (!take_text(tags, description, &message) &&
            (tag = jg_jaeger_find(tags, JAEGER_STR("http.status_message"))))
            message = text_of(tag);
    }
    if ((tag = jg_jaeger_find(tags, JAEGER_STR("otel.status_code")))) {
        if (!is_error) {
            jaeger_str name = text_of(tag);
            code = jg_str_eq_nocase(name, JAEGER_STR("ok"))      ? JAEGER_STATUS_OK
                   : jg_str_eq_nocase(name, JAEGER_STR("error")) ? JAEGER_STATUS_ERROR
                                                                 : JAEGER_STATUS_UNSET;
            (void)take_text(tags, description, &message);
        }
        tag->gone = true;
    } else if (!is_error && (tag = jg_jaeger_find(tags, in->http_code))) {
        if (http_status(tag, kind, &code) && code &&
            (tag = jg_jaeger_find(tags, JAEGER_STR("http.status_message"))))
            message = text_of(tag);
    }
    jg_otlp_status(&in->groups.spans, code, message);
}

/** Scope name and version leave the tags before keys are united: only the first of each counts, whatever its
 * type. */
static void take_scope(jg_jaeger_in *in, jaeger_str *ret_name, jaeger_str *ret_version)
{
    jg_jaeger_tag *tag = in->lifts_scope ? jg_jaeger_find(&in->tags, JAEGER_STR("otel.scope.name")) : NULL;
    if (!tag)
        return;
    tag->gone = true;
    *ret_name = tag->text;
    if ((tag = jg_jaeger_find(&in->tags, JAEGER_STR("otel.scope.version")))) {
        tag->gone = true;
        *ret_version = tag->text;
    }
}

uint32_t jg_jaeger_write_span(jg_jaeger_in *in, const jg_jaeger_head *head, uint32_t resource)
{
    jg_buf *buf = &in->groups.spans;
    jaeger_str scope_name = {0}, scope_version = {0}, kind_name = {0}, trace_state = {0};
    uint8_t parent[8];
    uint32_t kind = JAEGER_KIND_UNSPECIFIED;
    take_scope(in, &scope_name, &scope_version);
    unite(in, &in->tags);
    find_parent(in, head, parent);
    if (take_text(&in->tags, JAEGER_STR("span.kind"), &kind_name) && kind_name.len)
        (void)jg_kind_from_text(kind_name, &kind);
    jg_otlp_id(buf, JG_OTLP_SPAN_TRACE_ID, head->trace_id, 16);
    jg_otlp_id(buf, JG_OTLP_SPAN_SPAN_ID, head->span_id, 8);
    jg_otlp_id(buf, JG_OTLP_SPAN_PARENT_SPAN_ID, parent, 8);
    jg_otlp_text(buf, JG_OTLP_SPAN_NAME, head->name);
    if (kind)
        jg_pb_write_varint(buf, JG_OTLP_SPAN_KIND, kind);
    jg_otlp_time(buf, JG_OTLP_SPAN_START, head->start_unix_ns);
    jg_otlp_time(buf, JG_OTLP_SPAN_END, head->end_unix_ns);
    write_status(in, kind);
    if (in->lifts_scope && take_text(&in->tags, JAEGER_STR("w3c.tracestate"), &trace_state))
        jg_otlp_text(buf, JG_OTLP_SPAN_TRACE_STATE, trace_state);
    write_tags(buf, JG_OTLP_SPAN_ATTRIBUTES, &in->tags);
    write_links(in, parent);
    return jg_span_groups_scope(&in->groups, resource, scope_name, scope_version);
}
