/* SPDX-License-Identifier: Apache-2.0
 * See layout.h.
 */
#include "storage/embedded/layout.h"

#include "core/alloc.h"
#include "core/pb.h"
#include "model/otlp_fields.h"

/** Places in the usual order. */
enum {
    AT_START,
    AT_TRACE_ID,
    AT_SPAN_ID,
    AT_A,
    AT_PARENT,
    AT_OP,
    AT_BEGIN,
    AT_END,
    AT_M,
    AT_ATTRS,
    AT_B,
    AT_EVENTS,
    AT_C
};

static void *grow(void *items, size_t count, size_t *cap, size_t bytes)
{
    if (count < *cap)
        return items;
    size_t wanted = *cap ? *cap * 2 : 64;
    void *grown = jg_realloc(items, wanted * bytes);
    if (grown)
        *cap = wanted;
    return grown;
}

static bool add_piece(jg_layout *l, const uint8_t *ptr, size_t len, bool is_name)
{
    jg_piece *pieces = grow(l->pieces, l->piece_count, &l->piece_cap, sizeof *pieces);
    if (!pieces)
        return false;
    l->pieces = pieces;
    pieces[l->piece_count++] = (jg_piece){ptr, (uint32_t)len, is_name};
    return true;
}

/** The tag is one byte and the length has no needless bytes. */
static bool is_short(const jg_pb_field *f)
{
    return (size_t)(f->ptr - f->start) == 1 + jg_pb_varint_size(f->len);
}

static bool add_event(jg_layout *l, const jg_pb_field *event)
{
    jg_event_head head = {0};
    jg_pb pb = jg_pb_of(event->ptr, event->len);
    jg_pb_field f;
    unsigned at = 0;
    bool usual = is_short(event);
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_EVENT_TIME && at == 0 && pb.pos - f.start == 9) {
            head.time_unix_ns = f.varint;
            at = 1;
        } else if (f.number == JG_OTLP_EVENT_NAME && at == 1 && is_short(&f)) {
            head.has_name = true;
            at = 2;
            if (!add_piece(l, f.start, (size_t)(pb.pos - f.start), true))
                return false;
        } else if (f.number == JG_OTLP_EVENT_ATTRIBUTES && f.wire == JG_PB_LEN) {
            usual = usual && at >= 1 && is_short(&f);
            at = 3;
            head.attr_count++;
            if (!add_piece(l, f.ptr, f.len, false))
                return false;
        } else {
            usual = false;
        }
    }
    l->whole = l->whole || !usual || at == 0;
    jg_event_head *events = grow(l->events, l->event_count, &l->event_cap, sizeof *events);
    if (!events)
        return false;
    l->events = events;
    events[l->event_count++] = head;
    return true;
}

static void extend(jg_slice *slice, const jg_pb_field *f, const uint8_t *end)
{
    if (!slice->ptr)
        slice->ptr = f->start;
    slice->len = (uint32_t)(end - slice->ptr);
}

/** A field that is not an anchor belongs to the run it stands in. @return the new place, or -1 */
static int other_field(jg_layout *l, int at, const jg_pb_field *f, const uint8_t *end)
{
    static const int8_t next[] = {
        [AT_START] = -1, [AT_TRACE_ID] = -1, [AT_SPAN_ID] = AT_A, [AT_A] = AT_A, [AT_PARENT] = -1,
        [AT_OP] = -1,    [AT_BEGIN] = -1,    [AT_END] = AT_M,     [AT_M] = AT_M, [AT_ATTRS] = AT_B,
        [AT_B] = AT_B,   [AT_EVENTS] = AT_C, [AT_C] = AT_C};
    int to = next[at];
    if (to == AT_A)
        extend(&l->a, f, end);
    else if (to == AT_M)
        extend(&l->m, f, end);
    else if (to == AT_B)
        extend(&l->b, f, end);
    else if (to == AT_C)
        extend(&l->c, f, end);
    return to;
}

/** @return the place after this field, or -1: not in the usual order */
static int place(jg_layout *l, int at, const jg_pb_field *f, const uint8_t *end)
{
    size_t bytes = (size_t)(end - f->start);
    switch (f->number) {
    case JG_OTLP_SPAN_TRACE_ID:
        return at == AT_START && bytes == 18 ? AT_TRACE_ID : -1;
    case JG_OTLP_SPAN_SPAN_ID:
        return at == AT_TRACE_ID && bytes == 10 ? AT_SPAN_ID : -1;
    case JG_OTLP_SPAN_PARENT_SPAN_ID:
        if ((at != AT_SPAN_ID && at != AT_A) || (bytes != 10 && bytes != 2))
            return -1;
        l->parent = bytes == 10 ? JG_PARENT_BYTES : JG_PARENT_EMPTY;
        return AT_PARENT;
    case JG_OTLP_SPAN_NAME:
    case JG_OTLP_SPAN_KIND:
        if (at < AT_SPAN_ID || at > AT_OP)
            return -1;
        extend(&l->op, f, end);
        return AT_OP;
    case JG_OTLP_SPAN_START:
        return at >= AT_SPAN_ID && at <= AT_OP && bytes == 9 ? AT_BEGIN : -1;
    case JG_OTLP_SPAN_END:
        return at == AT_BEGIN && bytes == 9 ? AT_END : -1;
    case JG_OTLP_SPAN_ATTRIBUTES:
        return at >= AT_END && at <= AT_ATTRS && is_short(f) ? AT_ATTRS : -1;
    case JG_OTLP_SPAN_EVENTS:
        return at >= AT_END && at <= AT_EVENTS ? AT_EVENTS : -1;
    default:
        return other_field(l, at, f, end);
    }
}

bool jg_layout_span(jg_layout *l, const uint8_t *bytes, size_t len)
{
    *l = (jg_layout){
        .pieces = l->pieces, .piece_cap = l->piece_cap, .events = l->events, .event_cap = l->event_cap};
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    int at = AT_START;
    while (jg_pb_next(&pb, &f)) {
        if (at >= 0)
            at = place(l, at, &f, pb.pos);
        if (f.number == JG_OTLP_SPAN_ATTRIBUTES) {
            l->attr_count++;
            if (!add_piece(l, f.ptr, f.len, false))
                return false;
        } else if (f.number == JG_OTLP_SPAN_EVENTS) {
            if (!add_event(l, &f))
                return false;
        } else if (f.number == JG_OTLP_SPAN_LINKS) {
            l->has_links = true;
        }
    }
    l->whole = l->whole || at < AT_END;
    return true;
}

void jg_layout_done(jg_layout *l)
{
    jg_free(l->pieces);
    jg_free(l->events);
    *l = (jg_layout){0};
}
