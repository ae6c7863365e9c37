/* SPDX-License-Identifier: Apache-2.0
 * Iterators over the wire bytes of a span that was checked when its batch was made.
 */
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/span_scan.h"
#include <jaeger/batch.h>

static jaeger_iter iter_of(const void *bytes, size_t len, uint32_t field)
{
    const uint8_t *p = bytes;
    return (jaeger_iter){p, p ? p + len : p, field};
}

jaeger_iter jaeger_span_attrs(const jaeger_span *span)
{
    return iter_of(span->bytes, span->len, JG_OTLP_SPAN_ATTRIBUTES);
}

jaeger_iter jaeger_span_events(const jaeger_span *span)
{
    return iter_of(span->bytes, span->len, JG_OTLP_SPAN_EVENTS);
}

jaeger_iter jaeger_span_links(const jaeger_span *span)
{
    return iter_of(span->bytes, span->len, JG_OTLP_SPAN_LINKS);
}

jaeger_iter jaeger_event_attrs(const jaeger_event *event)
{
    return iter_of(event->raw.ptr, event->raw.len, JG_OTLP_EVENT_ATTRIBUTES);
}

jaeger_iter jaeger_link_attrs(const jaeger_link *link)
{
    return iter_of(link->raw.ptr, link->raw.len, JG_OTLP_LINK_ATTRIBUTES);
}

jaeger_iter jaeger_resource_attrs(const jaeger_span_group *group)
{
    return iter_of(group->resource.ptr, group->resource.len, JG_OTLP_RESOURCE_ATTRIBUTES);
}

jaeger_iter jaeger_scope_attrs(const jaeger_span_group *group)
{
    return iter_of(group->scope.ptr, group->scope.len, JG_OTLP_SCOPE_ATTRIBUTES);
}

jaeger_iter jaeger_map_attrs(jaeger_value map)
{
    bool ok = map.type == JAEGER_VALUE_MAP;
    return iter_of(ok ? map.u.s.ptr : NULL, ok ? map.u.s.len : 0, JG_OTLP_LIST_VALUES);
}

jaeger_iter jaeger_array_values(jaeger_value array)
{
    bool ok = array.type == JAEGER_VALUE_ARRAY;
    return iter_of(ok ? array.u.s.ptr : NULL, ok ? array.u.s.len : 0, JG_OTLP_LIST_VALUES);
}

static bool next_field(jaeger_iter *iter, jg_pb_field *ret)
{
    jg_pb pb = {iter->pos, iter->end, false};
    bool found = false;
    while (!found && jg_pb_next(&pb, ret))
        found = ret->number == iter->field && ret->wire == JG_PB_LEN;
    iter->pos = pb.bad ? iter->end : pb.pos;
    return found;
}

static jaeger_value value_read(const uint8_t *bytes, size_t len)
{
    jaeger_value value = {.type = JAEGER_VALUE_EMPTY};
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) { /* a oneof: the last one wins */
        switch (f.number) {
        case JG_OTLP_ANY_STRING:
            value.type = JAEGER_VALUE_STRING;
            value.u.s = jg_pb_str(&f);
            break;
        case JG_OTLP_ANY_BOOL:
            value.type = JAEGER_VALUE_BOOL;
            value.u.b = f.varint != 0;
            break;
        case JG_OTLP_ANY_INT:
            value.type = JAEGER_VALUE_INT;
            value.u.i = (int64_t)f.varint;
            break;
        case JG_OTLP_ANY_DOUBLE:
            value.type = JAEGER_VALUE_DOUBLE;
            memcpy(&value.u.d, &f.varint, 8);
            break;
        case JG_OTLP_ANY_ARRAY:
        case JG_OTLP_ANY_MAP:
        case JG_OTLP_ANY_BYTES:
            value.type = f.number == JG_OTLP_ANY_ARRAY ? JAEGER_VALUE_ARRAY
                         : f.number == JG_OTLP_ANY_MAP ? JAEGER_VALUE_MAP
                                                       : JAEGER_VALUE_BYTES;
            value.u.s = jg_pb_str(&f);
            break;
        }
    }
    return value;
}

jaeger_attr jg_attr_read(jaeger_str key_value)
{
    jaeger_attr attr = {.key = {"", 0}, .raw = key_value};
    if (JG_LIKELY(
            jg_attr_read_plain((const uint8_t *)key_value.ptr, key_value.len, &attr.key, &attr.value.u.s))) {
        attr.value.type = JAEGER_VALUE_STRING;
        return attr;
    }
    jg_pb pb = jg_pb_of_str(key_value);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_KEY_VALUE_KEY)
            attr.key = jg_pb_str(&f);
        else if (f.number == JG_OTLP_KEY_VALUE_VALUE)
            attr.value = value_read(f.ptr, f.len);
    }
    return attr;
}

bool jaeger_next_attr(jaeger_iter *iter, jaeger_attr *ret)
{
    jg_pb_field field;
    if (!next_field(iter, &field))
        return false;
    *ret = jg_attr_read(jg_pb_str(&field));
    return true;
}

bool jaeger_next_value(jaeger_iter *iter, jaeger_value *ret)
{
    jg_pb_field field;
    if (!next_field(iter, &field))
        return false;
    *ret = value_read(field.ptr, field.len);
    return true;
}

bool jaeger_next_event(jaeger_iter *iter, jaeger_event *ret)
{
    jg_pb_field field, f;
    if (!next_field(iter, &field))
        return false;
    *ret = (jaeger_event){.name = {"", 0}, .raw = jg_pb_str(&field)};
    jg_pb pb = jg_pb_of(field.ptr, field.len);
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_EVENT_TIME)
            ret->time_unix_ns = f.varint;
        else if (f.number == JG_OTLP_EVENT_NAME)
            ret->name = jg_pb_str(&f);
        else if (f.number == JG_OTLP_EVENT_DROPPED)
            ret->dropped_attributes_count = (uint32_t)f.varint;
    }
    return true;
}

bool jaeger_next_link(jaeger_iter *iter, jaeger_link *ret)
{
    jg_pb_field field, f;
    if (!next_field(iter, &field))
        return false;
    *ret = (jaeger_link){.trace_state = {"", 0}, .raw = jg_pb_str(&field)};
    jg_pb pb = jg_pb_of(field.ptr, field.len);
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_LINK_TRACE_ID && f.len == 16)
            memcpy(ret->trace_id, f.ptr, 16);
        else if (f.number == JG_OTLP_LINK_SPAN_ID && f.len == 8)
            memcpy(ret->span_id, f.ptr, 8);
        else if (f.number == JG_OTLP_LINK_TRACE_STATE)
            ret->trace_state = jg_pb_str(&f);
        else if (f.number == JG_OTLP_LINK_DROPPED)
            ret->dropped_attributes_count = (uint32_t)f.varint;
        else if (f.number == JG_OTLP_LINK_FLAGS)
            ret->flags = (uint32_t)f.varint;
    }
    return true;
}

static jaeger_str status_message(const jg_pb_field *status)
{
    jg_pb pb = jg_pb_of(status->ptr, status->len);
    jg_pb_field f;
    jaeger_str message = {"", 0};
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_STATUS_MESSAGE && f.wire == JG_PB_LEN)
            message = jg_pb_str(&f);
    return message;
}

static void widen(jaeger_iter *iter, const jg_pb_field *f, const jg_pb *pb)
{
    if (!iter->pos)
        iter->pos = f->start;
    iter->end = pb->pos;
}

void jg_span_scan_of(const jaeger_span *span, jg_span_scan *ret)
{
    *ret = (jg_span_scan){.attrs.field = JG_OTLP_SPAN_ATTRIBUTES,
                          .events.field = JG_OTLP_SPAN_EVENTS,
                          .links.field = JG_OTLP_SPAN_LINKS,
                          .rest = {.trace_state = {"", 0}, .status_message = {"", 0}}};
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        switch (f.number) {
        case JG_OTLP_SPAN_ATTRIBUTES:
            widen(&ret->attrs, &f, &pb);
            break;
        case JG_OTLP_SPAN_EVENTS:
            widen(&ret->events, &f, &pb);
            break;
        case JG_OTLP_SPAN_LINKS:
            widen(&ret->links, &f, &pb);
            break;
        case JG_OTLP_SPAN_TRACE_STATE:
            ret->rest.trace_state = jg_pb_str(&f);
            break;
        case JG_OTLP_SPAN_STATUS:
            ret->rest.status_message = status_message(&f);
            break;
        case JG_OTLP_SPAN_DROPPED_ATTRIBUTES:
            ret->rest.dropped_attributes_count = (uint32_t)f.varint;
            break;
        case JG_OTLP_SPAN_DROPPED_EVENTS:
            ret->rest.dropped_events_count = (uint32_t)f.varint;
            break;
        case JG_OTLP_SPAN_DROPPED_LINKS:
            ret->rest.dropped_links_count = (uint32_t)f.varint;
            break;
        }
    }
}

void jaeger_span_read_rest(const jaeger_span *span, jaeger_span_rest *ret)
{
    jg_span_scan scan;
    jg_span_scan_of(span, &scan);
    *ret = scan.rest;
}

void jg_value_write(jg_buf *out, const jaeger_value *value)
{
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        break;
    case JAEGER_VALUE_STRING:
        jg_pb_write_str(out, JG_OTLP_ANY_STRING, value->u.s);
        break;
    case JAEGER_VALUE_BOOL:
        jg_pb_write_varint(out, JG_OTLP_ANY_BOOL, value->u.b);
        break;
    case JAEGER_VALUE_INT:
        jg_pb_write_varint(out, JG_OTLP_ANY_INT, (uint64_t)value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        jg_pb_write_double(out, JG_OTLP_ANY_DOUBLE, value->u.d);
        break;
    case JAEGER_VALUE_ARRAY:
        jg_pb_write_str(out, JG_OTLP_ANY_ARRAY, value->u.s);
        break;
    case JAEGER_VALUE_MAP:
        jg_pb_write_str(out, JG_OTLP_ANY_MAP, value->u.s);
        break;
    case JAEGER_VALUE_BYTES:
        jg_pb_write_str(out, JG_OTLP_ANY_BYTES, value->u.s);
        break;
    }
}

void jaeger_scope_read(const jaeger_span_group *group, jaeger_scope *ret)
{
    *ret = (jaeger_scope){.name = {"", 0}, .version = {"", 0}};
    jg_pb pb = jg_pb_of_str(group->scope);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_SCOPE_NAME)
            ret->name = jg_pb_str(&f);
        else if (f.number == JG_OTLP_SCOPE_VERSION)
            ret->version = jg_pb_str(&f);
        else if (f.number == JG_OTLP_SCOPE_DROPPED)
            ret->dropped_attributes_count = (uint32_t)f.varint;
    }
}

bool jaeger_find_attr(jaeger_iter iter, jaeger_str key, jaeger_attr *ret)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&iter, &attr)) {
        if (jg_str_eq(attr.key, key)) {
            *ret = attr;
            return true;
        }
    }
    return false;
}
