/* SPDX-License-Identifier: Apache-2.0
 * See write.h.
 */
#include "query/adjust/write.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include <stdio.h>
#include <stdlib.h>

#define INSERTION_SORT_MAX 16
#define SPAN_BYTES_MAX     ((size_t)UINT32_MAX)

bool jg_span_writer_init(jg_span_writer *writer)
{
    *writer = (jg_span_writer){.out = JG_BUF_INIT(SPAN_BYTES_MAX)};
    writer->scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    return writer->scratch != NULL;
}

void jg_span_writer_done(jg_span_writer *writer)
{
    jg_buf_done(&writer->out);
    jaeger_arena_free(writer->scratch);
    jg_free(writer->attrs.list);
    jg_free(writer->events.list);
    jg_free(writer->links.list);
    jg_free(writer->unknown.list);
    jg_free(writer->nested.list);
}

bool jg_span_writer_ok(const jg_span_writer *writer)
{
    return !writer->failed && jg_buf_ok(&writer->out);
}

/* ---- taking apart ---- */

/** The first eight bytes as a number that sorts as they do. */
static uint64_t prefix_of(jaeger_str key)
{
    uint64_t word = 0;
    if (key.len >= sizeof word) {
        memcpy(&word, key.ptr, sizeof word);
        return __builtin_bswap64(word);
    }
    for (size_t i = 0; i < key.len; i++)
        word |= (uint64_t)(uint8_t)key.ptr[i] << (56 - 8 * i);
    return word;
}

static void add(jg_span_writer *w, jg_span_items *to, jaeger_str key, jaeger_str raw)
{
    if (JG_UNLIKELY(to->count == to->cap)) {
        size_t cap = to->cap ? 2 * to->cap : 16;
        jg_span_item *grown = jg_realloc(to->list, cap * sizeof *grown);
        if (!grown) {
            w->failed = true;
            return;
        }
        to->list = grown;
        to->cap = cap;
    }
    to->list[to->count++] = (jg_span_item){prefix_of(key), key, raw};
}

/** The last string field `number` of a message: the key of a KeyValue, the name of an event. */
static jaeger_str string_field(jaeger_str message, uint32_t number)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    jaeger_str found = {"", 0};
    while (jg_pb_next(&pb, &f))
        if (f.number == number && f.wire == JG_PB_LEN)
            found = jg_pb_str(&f);
    return found;
}

/** Most are a short key and a short value, and nothing else. */
static jaeger_str key_of(jaeger_str key_value)
{
    const uint8_t *at = (const uint8_t *)key_value.ptr;
    size_t len = key_value.len;
    enum { KEY = JG_OTLP_KEY_VALUE_KEY << 3 | JG_PB_LEN, VALUE = JG_OTLP_KEY_VALUE_VALUE << 3 | JG_PB_LEN };
    if (JG_LIKELY(len >= 4 && at[0] == KEY && at[1] < 0x80 && at[1] <= len - 4 && at[2 + at[1]] == VALUE &&
                  at[3 + at[1]] < 0x80 && at[3 + at[1]] == len - 4 - at[1]))
        return (jaeger_str){key_value.ptr + 2, at[1]};
    return string_field(key_value, JG_OTLP_KEY_VALUE_KEY);
}

/** Bytewise by key; equal keys keep their order, which is that of their addresses. */
static int item_order(const void *a, const void *b)
{
    const jg_span_item *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix > y->prefix ? 1 : -1;
    int order = jg_str_cmp(x->key, y->key);
    return order ? order : (x->raw.ptr > y->raw.ptr) - (x->raw.ptr < y->raw.ptr);
}

static void sort(jg_span_items *to)
{
    if (to->count > INSERTION_SORT_MAX) {
        qsort(to->list, to->count, sizeof *to->list, item_order);
        return;
    }
    for (size_t i = 1; i < to->count; i++) {
        if (item_order(&to->list[i - 1], &to->list[i]) <= 0)
            continue;
        jg_span_item moved = to->list[i];
        size_t at = i;
        for (; at > 0 && item_order(&to->list[at - 1], &moved) > 0; at--)
            to->list[at] = to->list[at - 1];
        to->list[at] = moved;
    }
}

static void sort_attrs(jg_span_items *attrs)
{
    sort(attrs);
    size_t kept = 0;
    for (size_t i = 0; i < attrs->count; i++)
        if (i + 1 == attrs->count || attrs->list[i].prefix != attrs->list[i + 1].prefix ||
            !jg_str_eq(attrs->list[i].key, attrs->list[i + 1].key))
            attrs->list[kept++] = attrs->list[i];
    attrs->count = kept;
}

static jaeger_str field_bytes(const jg_pb_field *f, const jg_pb *pb)
{
    return (jaeger_str){(const char *)f->start, (size_t)(pb->pos - f->start)};
}

static void begin(jg_span_writer *w)
{
    w->attrs.count = w->events.count = w->links.count = w->unknown.count = 0;
    w->trace_state = w->name = w->status = (jaeger_str){0};
    w->kind = w->dropped_attrs = w->dropped_events = w->dropped_links = 0;
    w->has_status = false;
    w->failed |= w->out.failed;
    jaeger_arena_reset(w->scratch);
}

void jg_span_take_apart(jg_span_writer *w, const jaeger_span *span)
{
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    jg_pb_field f;
    begin(w);
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
            w->trace_state = jg_pb_str(&f);
            break;
        case JG_OTLP_SPAN_NAME:
            w->name = jg_pb_str(&f);
            break;
        case JG_OTLP_SPAN_KIND:
            w->kind = f.varint;
            break;
        case JG_OTLP_SPAN_ATTRIBUTES:
            add(w, &w->attrs, key_of(jg_pb_str(&f)), jg_pb_str(&f));
            break;
        case JG_OTLP_SPAN_DROPPED_ATTRIBUTES:
            w->dropped_attrs = f.varint;
            break;
        case JG_OTLP_SPAN_EVENTS:
            add(w, &w->events, string_field(jg_pb_str(&f), JG_OTLP_EVENT_NAME), jg_pb_str(&f));
            break;
        case JG_OTLP_SPAN_DROPPED_EVENTS:
            w->dropped_events = f.varint;
            break;
        case JG_OTLP_SPAN_LINKS:
            add(w, &w->links, (jaeger_str){0}, jg_pb_str(&f));
            break;
        case JG_OTLP_SPAN_DROPPED_LINKS:
            w->dropped_links = f.varint;
            break;
        case JG_OTLP_SPAN_STATUS:
            w->status = jg_pb_str(&f);
            w->has_status = true;
            break;
        default:
            add(w, &w->unknown, (jaeger_str){0}, field_bytes(&f, &pb));
        }
    }
    sort_attrs(&w->attrs);
    sort(&w->events);
}

/* ---- attributes ---- */

int jg_library_key(const jg_span_item *attr)
{
    static const char *const keys[JG_LIBRARY_KEY_COUNT] = {
        "telemetry.distro.name", "telemetry.distro.version", "telemetry.sdk.language", "telemetry.sdk.name",
        "telemetry.sdk.version"};
    if (JG_LIKELY(attr->prefix != 0x74656c656d657472)) /* "telemetr" */
        return -1;
    for (int i = 0; i < JG_LIBRARY_KEY_COUNT; i++)
        if (jg_str_is(attr->key, keys[i]))
            return i;
    return -1;
}

/** Jaeger's oldest clients packed IPv4 addresses into numbers. @return false: not such an attribute */
static bool numeric_ip(const jg_span_item *attr, uint32_t *ret)
{
    jaeger_str key = attr->key;
    if (key.len != 2 && key.len != 9)
        return false;
    if (!jg_str_is(key, "ip") && !jg_str_is(key, "peer.ipv4"))
        return false;
    jaeger_value value = jg_attr_read(attr->raw).value;
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
        JG_AUTO_BUF jg_buf text = JG_BUF_INIT(SPAN_BYTES_MAX);
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

bool jg_span_warn(jg_span_writer *w, jg_span_edit *edit, jaeger_str text)
{
    jg_warning *warning = jaeger_arena_alloc(w->scratch, sizeof *warning);
    if (!warning) {
        w->failed = true;
        return false;
    }
    *warning = (jg_warning){NULL, text};
    if (edit->warnings_last)
        edit->warnings_last->next = warning;
    else
        edit->warnings = warning;
    edit->warnings_last = warning;
    return true;
}

static size_t warnings_at(const jg_span_items *attrs)
{
    size_t i = 0;
    while (i < attrs->count && !jg_str_eq(attrs->list[i].key, JG_WARNINGS_KEY))
        i++;
    return i;
}

/** Where a span has no warnings attribute yet, an item without a body stands for it. */
static void append_warnings(jg_span_writer *w)
{
    if (warnings_at(&w->attrs) == w->attrs.count)
        add(w, &w->attrs, JG_WARNINGS_KEY, (jaeger_str){0});
}

/** Attributes in the order that Jaeger's adjusters leave: a removed one gives its place to the last, and
 * warnings come to the end when there is a first one. */
static void edit_attrs(jg_span_writer *w, const jg_span_edit *edit)
{
    jg_span_items *attrs = &w->attrs;
    if (edit->warned_early)
        append_warnings(w);
    for (int key = 0; key < JG_LIBRARY_KEY_COUNT; key++) {
        size_t i = 0;
        while (i < attrs->count && jg_library_key(&attrs->list[i]) != key)
            i++;
        if (i == attrs->count)
            continue;
        if (edit->moved_keys >> key & 1)
            attrs->list[i] = attrs->list[--attrs->count];
        else if (edit->warnings)
            append_warnings(w);
    }
    if (edit->warnings)
        append_warnings(w);
}

static void write_attrs(jg_buf *out, uint32_t field, const jg_span_items *attrs, const jg_span_edit *edit)
{
    uint32_t ip;
    for (size_t i = 0; i < attrs->count; i++) {
        const jg_span_item *attr = &attrs->list[i];
        if (edit && edit->warnings && jg_str_eq(attr->key, JG_WARNINGS_KEY)) {
            jaeger_value old = jg_attr_read(attr->raw).value;
            write_warnings(out, attr->raw.ptr ? &old : NULL, edit->warnings);
        } else if (numeric_ip(attr, &ip)) {
            write_ip(out, field, attr->key, ip);
        } else {
            jg_pb_write_str(out, field, attr->raw);
        }
    }
}

/** Gather and write the attributes `field` of a message that has nothing else repeated. */
static void write_nested_attrs(jg_span_writer *w, jaeger_str message, uint32_t field)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    w->nested.count = 0;
    while (jg_pb_next(&pb, &f))
        if (f.number == field && f.wire == JG_PB_LEN)
            add(w, &w->nested, key_of(jg_pb_str(&f)), jg_pb_str(&f));
    sort_attrs(&w->nested);
    for (size_t i = 0; i < w->nested.count; i++)
        jg_pb_write_str(&w->out, field, w->nested.list[i].raw);
}

/** Everything of a message but its fields `field` and `other` (0: none), as it came. */
static void write_other_fields(jg_buf *out, jaeger_str message, uint32_t field, uint32_t other)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number != field && f.number != other)
            jg_buf_str(out, field_bytes(&f, &pb));
}

static void write_event(jg_span_writer *w, jaeger_str event, int64_t shift_ns)
{
    jg_buf *out = &w->out;
    jg_pb pb = jg_pb_of_str(event);
    jg_pb_field f;
    uint64_t time = 0;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_EVENT_TIME)
            time = f.varint;
    time += (uint64_t)shift_ns;
    size_t mark = jg_pb_begin(out, JG_OTLP_SPAN_EVENTS, 2);
    if (time)
        jg_pb_write_fixed64(out, JG_OTLP_EVENT_TIME, time);
    write_other_fields(out, event, JG_OTLP_EVENT_TIME, JG_OTLP_EVENT_ATTRIBUTES);
    write_nested_attrs(w, event, JG_OTLP_EVENT_ATTRIBUTES);
    jg_pb_end(out, mark, 2);
}

bool jg_link_is_empty(jaeger_str link)
{
    jg_pb pb = jg_pb_of_str(link);
    jg_pb_field f;
    bool empty = true;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_LINK_TRACE_ID)
            empty = f.len != 16 || jg_id_is_zero(f.ptr, 16);
    return empty;
}

static void write_links(jg_span_writer *w, bool drops_empty)
{
    for (size_t i = 0; i < w->links.count; i++) {
        jaeger_str link = w->links.list[i].raw;
        if (drops_empty && jg_link_is_empty(link))
            continue;
        size_t mark = jg_pb_begin(&w->out, JG_OTLP_SPAN_LINKS, 1);
        write_other_fields(&w->out, link, JG_OTLP_LINK_ATTRIBUTES, 0);
        write_nested_attrs(w, link, JG_OTLP_LINK_ATTRIBUTES);
        jg_pb_end(&w->out, mark, 1);
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

jaeger_str jg_span_put_together(jg_span_writer *w, const jaeger_span *span, const jg_span_edit *edit)
{
    jg_buf *out = &w->out;
    jg_buf_clear(out);
    if (edit)
        edit_attrs(w, edit);
    write_id(out, JG_OTLP_SPAN_TRACE_ID, span->trace_id, 16);
    write_id(out, JG_OTLP_SPAN_SPAN_ID, span->span_id, 8);
    if (w->trace_state.len)
        jg_pb_write_str(out, JG_OTLP_SPAN_TRACE_STATE, w->trace_state);
    write_id(out, JG_OTLP_SPAN_PARENT_SPAN_ID, span->parent_span_id, 8);
    if (w->name.len)
        jg_pb_write_str(out, JG_OTLP_SPAN_NAME, w->name);
    write_number(out, JG_OTLP_SPAN_KIND, w->kind);
    write_time(out, JG_OTLP_SPAN_START, span->start_unix_ns);
    write_time(out, JG_OTLP_SPAN_END, span->end_unix_ns);
    write_attrs(out, JG_OTLP_SPAN_ATTRIBUTES, &w->attrs, edit);
    write_number(out, JG_OTLP_SPAN_DROPPED_ATTRIBUTES, w->dropped_attrs);
    for (size_t i = 0; i < w->events.count; i++)
        write_event(w, w->events.list[i].raw, edit ? edit->event_shift_ns : 0);
    write_number(out, JG_OTLP_SPAN_DROPPED_EVENTS, w->dropped_events);
    write_links(w, edit && edit->drops_links);
    write_number(out, JG_OTLP_SPAN_DROPPED_LINKS, w->dropped_links);
    if (w->has_status)
        jg_pb_write_str(out, JG_OTLP_SPAN_STATUS, w->status);
    if (span->flags)
        jg_pb_write_fixed32(out, JG_OTLP_SPAN_FLAGS, span->flags);
    for (size_t i = 0; i < w->unknown.count; i++)
        jg_buf_str(out, w->unknown.list[i].raw);
    return jg_buf_view(out);
}

jaeger_str jg_span_write(jg_span_writer *w, const jaeger_span *span, const jg_span_edit *edit)
{
    jg_span_take_apart(w, span);
    return jg_span_put_together(w, span, edit);
}

jaeger_str jg_header_write(jg_span_writer *w, jaeger_str message, uint32_t attributes)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    begin(w);
    jg_buf_clear(&w->out);
    while (jg_pb_next(&pb, &f))
        if (f.number == attributes && f.wire == JG_PB_LEN)
            add(w, &w->attrs, key_of(jg_pb_str(&f)), jg_pb_str(&f));
    sort_attrs(&w->attrs);
    if (attributes == JG_OTLP_RESOURCE_ATTRIBUTES)
        write_attrs(&w->out, attributes, &w->attrs, NULL);
    for (size_t i = 0; attributes != JG_OTLP_RESOURCE_ATTRIBUTES && i < w->attrs.count; i++)
        jg_pb_write_str(&w->out, attributes, w->attrs.list[i].raw);
    write_other_fields(&w->out, message, attributes, 0);
    return jg_buf_view(&w->out);
}
