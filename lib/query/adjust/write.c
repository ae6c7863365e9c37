/* SPDX-License-Identifier: Apache-2.0
 * Writing adjusted spans. Fields leave in the order of their numbers, so that equal spans have equal bytes;
 * fields we do not know follow as they came.
 */
#include "core/arena.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "query/adjust/work.h"
#include <stdio.h>
#include <stdlib.h>

#define INSERTION_SORT_MAX 16

/** A repeated field: its sort key and its body. */
typedef struct item {
    jaeger_str key, raw;
} item;

typedef struct items {
    item *list;
    size_t count, cap;
} items;

/** A message taken apart. */
typedef struct parts {
    items attrs, events, links, unknown;
    jaeger_str trace_state, name, status;
    bool has_status;
    uint64_t kind, dropped_attrs, dropped_events, dropped_links;
    bool failed;
} parts;

static void add(parts *p, jaeger_arena *arena, items *to, jaeger_str key, jaeger_str raw)
{
    item *grown = jg_arena_grow(arena, to->list, to->count, &to->cap, sizeof *grown);
    if (!grown) {
        p->failed = true;
        return;
    }
    to->list = grown;
    grown[to->count++] = (item){key, raw};
}

/** First string field `number` of a message: the key of a KeyValue, the name of an event. The last one
 * counts. */
static jaeger_str string_field(const jg_pb_field *message, uint32_t number)
{
    jg_pb pb = jg_pb_of(message->ptr, message->len);
    jg_pb_field f;
    jaeger_str found = {"", 0};
    while (jg_pb_next(&pb, &f))
        if (f.number == number && f.wire == JG_PB_LEN)
            found = jg_pb_str(&f);
    return found;
}

/** Bytewise by key; equal keys keep their order, which is that of their addresses. */
static int item_order(const void *a, const void *b)
{
    const item *x = a, *y = b;
    int order = jg_str_cmp(x->key, y->key);
    return order ? order : (x->raw.ptr > y->raw.ptr) - (x->raw.ptr < y->raw.ptr);
}

static void sort(items *to)
{
    if (to->count > INSERTION_SORT_MAX) {
        qsort(to->list, to->count, sizeof *to->list, item_order);
        return;
    }
    for (size_t i = 1; i < to->count; i++) {
        item moved = to->list[i];
        size_t at = i;
        for (; at > 0 && item_order(&to->list[at - 1], &moved) > 0; at--)
            to->list[at] = to->list[at - 1];
        to->list[at] = moved;
    }
}

static void sort_attrs(items *attrs)
{
    sort(attrs);
    size_t kept = 0;
    for (size_t i = 0; i < attrs->count; i++)
        if (i + 1 == attrs->count || !jg_str_eq(attrs->list[i].key, attrs->list[i + 1].key))
            attrs->list[kept++] = attrs->list[i];
    attrs->count = kept;
}

static jaeger_str field_bytes(const jg_pb_field *f, const jg_pb *pb)
{
    return (jaeger_str){(const char *)f->start, (size_t)(pb->pos - f->start)};
}

static void take_apart(parts *p, jaeger_arena *arena, const jaeger_span *span)
{
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        switch (f.number) {
        case JG_OTLP_SPAN_TRACE_ID:
        case JG_OTLP_SPAN_SPAN_ID:
        case JG_OTLP_SPAN_PARENT_SPAN_ID:
        case JG_OTLP_SPAN_START:
        case JG_OTLP_SPAN_END:
        case JG_OTLP_SPAN_FLAGS:
            break; /* from the index entry */
        case JG_OTLP_SPAN_TRACE_STATE:
            p->trace_state = jg_pb_str(&f);
            break;
        case JG_OTLP_SPAN_NAME:
            p->name = jg_pb_str(&f);
            break;
        case JG_OTLP_SPAN_KIND:
            p->kind = f.varint;
            break;
        case JG_OTLP_SPAN_ATTRIBUTES:
            add(p, arena, &p->attrs, string_field(&f, JG_OTLP_KEY_VALUE_KEY), jg_pb_str(&f));
            break;
        case JG_OTLP_SPAN_DROPPED_ATTRIBUTES:
            p->dropped_attrs = f.varint;
            break;
        case JG_OTLP_SPAN_EVENTS:
            add(p, arena, &p->events, string_field(&f, JG_OTLP_EVENT_NAME), jg_pb_str(&f));
            break;
        case JG_OTLP_SPAN_DROPPED_EVENTS:
            p->dropped_events = f.varint;
            break;
        case JG_OTLP_SPAN_LINKS:
            add(p, arena, &p->links, (jaeger_str){0}, jg_pb_str(&f));
            break;
        case JG_OTLP_SPAN_DROPPED_LINKS:
            p->dropped_links = f.varint;
            break;
        case JG_OTLP_SPAN_STATUS:
            p->status = jg_pb_str(&f);
            p->has_status = true;
            break;
        default:
            add(p, arena, &p->unknown, (jaeger_str){0}, field_bytes(&f, &pb));
        }
    }
}

/* ---- attributes ---- */

int jg_library_key(jaeger_str key)
{
    static const char *const keys[JG_LIBRARY_KEY_COUNT] = {
        "telemetry.distro.name", "telemetry.distro.version", "telemetry.sdk.language", "telemetry.sdk.name",
        "telemetry.sdk.version"};
    if (!jg_str_starts(key, JAEGER_STR("telemetry.")))
        return -1;
    for (int i = 0; i < JG_LIBRARY_KEY_COUNT; i++)
        if (jg_str_is(key, keys[i]))
            return i;
    return -1;
}

/** Jaeger's oldest clients packed IPv4 addresses into numbers. @return false: not such an attribute */
static bool numeric_ip(jaeger_str key, jaeger_str key_value, uint32_t *ret)
{
    if (!jg_str_is(key, "ip") && !jg_str_is(key, "peer.ipv4"))
        return false;
    jaeger_value value = jg_attr_read(key_value).value;
    if (value.type == JAEGER_VALUE_INT)
        *ret = (uint32_t)value.u.i;
    else if (value.type == JAEGER_VALUE_DOUBLE)
        *ret = value.u.d > -9.2e18 && value.u.d < 9.2e18 ? (uint32_t)(int64_t)value.u.d : 0;
    else
        return false;
    return true;
}

static void write_ip(jg_buf *out, uint32_t field, jaeger_str key, uint32_t ip)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    size_t attr = jg_pb_begin(out, field, 1);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, key);
    size_t value = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_pb_write_bytes(out, JG_OTLP_ANY_STRING, text, (size_t)len);
    jg_pb_end(out, value, 1);
    jg_pb_end(out, attr, 1);
}

static void write_warning(jg_buf *out, jaeger_str text)
{
    size_t value = jg_pb_begin(out, JG_OTLP_LIST_VALUES, 1);
    jg_pb_write_str(out, JG_OTLP_ANY_STRING, text);
    jg_pb_end(out, value, 1);
}

/** The warnings attribute: what was there, then the new ones. */
static void write_warnings(jg_buf *out, const jaeger_value *old, const jg_warning *warnings)
{
    size_t attr = jg_pb_begin(out, JG_OTLP_SPAN_ATTRIBUTES, 2);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, JG_WARNINGS_KEY);
    size_t value = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 2);
    size_t array = jg_pb_begin(out, JG_OTLP_ANY_ARRAY, 2);
    if (old && old->type == JAEGER_VALUE_ARRAY) {
        jg_buf_str(out, old->u.s);
    } else if (old) { /* a store without lists made a text of them */
        JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_SPAN_BYTES_MAX);
        jg_value_text(&text, old);
        out->failed |= text.failed;
        write_warning(out, jg_buf_view(&text));
    }
    for (; warnings; warnings = warnings->next)
        write_warning(out, warnings->text);
    jg_pb_end(out, array, 2);
    jg_pb_end(out, value, 2);
    jg_pb_end(out, attr, 2);
}

/** Stands for the warnings attribute where a span has none yet. */
static const item new_warnings = {.key = {"@jaeger@warnings", 16}};

static size_t warnings_at(const items *attrs)
{
    size_t i = 0;
    while (i < attrs->count && !jg_str_eq(attrs->list[i].key, JG_WARNINGS_KEY))
        i++;
    return i;
}

static void append_warnings(parts *p, jaeger_arena *arena)
{
    if (warnings_at(&p->attrs) == p->attrs.count)
        add(p, arena, &p->attrs, new_warnings.key, new_warnings.raw);
}

/** Attributes in the order that Jaeger's adjusters leave: a removed one gives its place to the last, and
 * warnings come to the end when there is a first one. */
static void edit_attrs(parts *p, jaeger_arena *arena, const jg_span_edit *edit)
{
    if (edit->warned_early)
        append_warnings(p, arena);
    for (int key = 0; key < JG_LIBRARY_KEY_COUNT; key++) {
        size_t i = 0;
        while (i < p->attrs.count && jg_library_key(p->attrs.list[i].key) != key)
            i++;
        if (i == p->attrs.count)
            continue;
        if (edit->moved_keys >> key & 1)
            p->attrs.list[i] = p->attrs.list[--p->attrs.count];
        else if (edit->warnings)
            append_warnings(p, arena);
    }
    if (edit->warnings)
        append_warnings(p, arena);
}

static void write_span_attrs(jg_buf *out, const items *attrs, const jg_span_edit *edit)
{
    uint32_t ip;
    for (size_t i = 0; i < attrs->count; i++) {
        const item *attr = &attrs->list[i];
        if (edit && edit->warnings && jg_str_eq(attr->key, JG_WARNINGS_KEY)) {
            jaeger_value old = jg_attr_read(attr->raw).value;
            write_warnings(out, attr->raw.ptr ? &old : NULL, edit->warnings);
        } else if (numeric_ip(attr->key, attr->raw, &ip)) {
            write_ip(out, JG_OTLP_SPAN_ATTRIBUTES, attr->key, ip);
        } else {
            jg_pb_write_str(out, JG_OTLP_SPAN_ATTRIBUTES, attr->raw);
        }
    }
}

/** Gather and write the attributes `field` of a message that has nothing else repeated. */
static void write_nested_attrs(jg_buf *out, jaeger_arena *scratch, jaeger_str message, uint32_t field,
                               bool sorted)
{
    parts p = {0};
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number == field && f.wire == JG_PB_LEN)
            add(&p, scratch, &p.attrs, string_field(&f, JG_OTLP_KEY_VALUE_KEY), jg_pb_str(&f));
    if (sorted)
        sort_attrs(&p.attrs);
    for (size_t i = 0; i < p.attrs.count; i++)
        jg_pb_write_str(out, field, p.attrs.list[i].raw);
    out->failed |= p.failed;
}

/** Everything of a message but its attributes `field` and `other` (0: none), as it came. */
static void write_other_fields(jg_buf *out, jaeger_str message, uint32_t field, uint32_t other)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number != field && f.number != other)
            jg_buf_str(out, field_bytes(&f, &pb));
}

static void write_event(jg_buf *out, jaeger_arena *scratch, jaeger_str event, const jg_span_edit *edit)
{
    jg_pb pb = jg_pb_of_str(event);
    jg_pb_field f;
    uint64_t time = 0;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_EVENT_TIME)
            time = f.varint;
    time += edit ? (uint64_t)edit->event_shift_ns : 0;
    size_t mark = jg_pb_begin(out, JG_OTLP_SPAN_EVENTS, 2);
    if (time)
        jg_pb_write_fixed64(out, JG_OTLP_EVENT_TIME, time);
    write_other_fields(out, event, JG_OTLP_EVENT_TIME, JG_OTLP_EVENT_ATTRIBUTES);
    write_nested_attrs(out, scratch, event, JG_OTLP_EVENT_ATTRIBUTES, !edit);
    jg_pb_end(out, mark, 2);
}

static bool link_is_empty(jaeger_str link)
{
    jg_pb pb = jg_pb_of_str(link);
    jg_pb_field f;
    bool empty = true;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_LINK_TRACE_ID)
            empty = f.len != 16 || jg_id_is_zero(f.ptr, 16);
    return empty;
}

static void write_links(jg_buf *out, jaeger_arena *scratch, const items *links, const jg_span_edit *edit,
                        uint8_t *ret_notes)
{
    for (size_t i = 0; i < links->count; i++) {
        jaeger_str link = links->list[i].raw;
        if (link_is_empty(link)) {
            if (edit && edit->drops_links)
                continue;
            *ret_notes |= JG_NOTE_EMPTY_LINK;
        }
        size_t mark = jg_pb_begin(out, JG_OTLP_SPAN_LINKS, 1);
        write_other_fields(out, link, JG_OTLP_LINK_ATTRIBUTES, 0);
        write_nested_attrs(out, scratch, link, JG_OTLP_LINK_ATTRIBUTES, !edit);
        jg_pb_end(out, mark, 1);
    }
}

/* ---- messages ---- */

static void write_id(jg_buf *out, uint32_t field, const uint8_t *id, size_t n)
{
    if (!jg_id_is_zero(id, n))
        jg_pb_write_bytes(out, field, id, n);
}

static void write_number(jg_buf *out, uint32_t field, uint64_t value)
{
    if (value)
        jg_pb_write_varint(out, field, value);
}

static void write_time(jg_buf *out, uint32_t field, uint64_t value)
{
    if (value)
        jg_pb_write_fixed64(out, field, value);
}

void jg_span_write(jg_buf *out, jaeger_arena *scratch, const jaeger_span *span, const jg_span_edit *edit,
                   uint8_t *ret_notes)
{
    parts p = {0};
    uint8_t notes = 0;
    take_apart(&p, scratch, span);
    if (edit) {
        edit_attrs(&p, scratch, edit);
    } else {
        sort_attrs(&p.attrs);
        sort(&p.events);
    }
    for (size_t i = 0; i < p.attrs.count; i++)
        if (jg_library_key(p.attrs.list[i].key) >= 0)
            notes |= JG_NOTE_LIBRARY_ATTR;
    write_id(out, JG_OTLP_SPAN_TRACE_ID, span->trace_id, 16);
    write_id(out, JG_OTLP_SPAN_SPAN_ID, span->span_id, 8);
    if (p.trace_state.len)
        jg_pb_write_str(out, JG_OTLP_SPAN_TRACE_STATE, p.trace_state);
    write_id(out, JG_OTLP_SPAN_PARENT_SPAN_ID, span->parent_span_id, 8);
    if (p.name.len)
        jg_pb_write_str(out, JG_OTLP_SPAN_NAME, p.name);
    write_number(out, JG_OTLP_SPAN_KIND, p.kind);
    write_time(out, JG_OTLP_SPAN_START, span->start_unix_ns);
    write_time(out, JG_OTLP_SPAN_END, span->end_unix_ns);
    write_span_attrs(out, &p.attrs, edit);
    write_number(out, JG_OTLP_SPAN_DROPPED_ATTRIBUTES, p.dropped_attrs);
    for (size_t i = 0; i < p.events.count; i++)
        write_event(out, scratch, p.events.list[i].raw, edit);
    write_number(out, JG_OTLP_SPAN_DROPPED_EVENTS, p.dropped_events);
    write_links(out, scratch, &p.links, edit, &notes);
    write_number(out, JG_OTLP_SPAN_DROPPED_LINKS, p.dropped_links);
    if (p.has_status)
        jg_pb_write_str(out, JG_OTLP_SPAN_STATUS, p.status);
    if (span->flags)
        jg_pb_write_fixed32(out, JG_OTLP_SPAN_FLAGS, span->flags);
    for (size_t i = 0; i < p.unknown.count; i++)
        jg_buf_str(out, p.unknown.list[i].raw);
    out->failed |= p.failed;
    if (ret_notes)
        *ret_notes = notes;
}

void jg_header_write(jg_buf *out, jaeger_arena *scratch, jaeger_str message, uint32_t attributes)
{
    parts p = {0};
    uint32_t ip;
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number == attributes && f.wire == JG_PB_LEN)
            add(&p, scratch, &p.attrs, string_field(&f, JG_OTLP_KEY_VALUE_KEY), jg_pb_str(&f));
    sort_attrs(&p.attrs);
    for (size_t i = 0; i < p.attrs.count; i++) {
        const item *attr = &p.attrs.list[i];
        if (attributes == JG_OTLP_RESOURCE_ATTRIBUTES && numeric_ip(attr->key, attr->raw, &ip))
            write_ip(out, attributes, attr->key, ip);
        else
            jg_pb_write_str(out, attributes, attr->raw);
    }
    write_other_fields(out, message, attributes, 0);
    out->failed |= p.failed;
}
