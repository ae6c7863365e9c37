/* SPDX-License-Identifier: Apache-2.0
 * One pass over a Span: fills its index entry and checks all that lies in it, so that iterators need not
 * report errors, and notes text that is not UTF-8, so that nobody need look again. Known fields must have
 * their wire type, ids their length (or none at all); unknown fields are skipped and kept.
 */
#include "model/span_check.h"

#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"

/** @param bad_text  of all that follow: set to true if some text is not UTF-8 */
static bool attr_valid(const uint8_t *bytes, size_t len, unsigned depth, bool *bad_text);

/** ArrayValue (values) or KeyValueList (attributes). */
static bool list_valid(const jg_pb_field *list, bool is_map, unsigned depth, bool *bad_text);

static void check_text(const jg_pb_field *f, bool *bad_text)
{
    *bad_text |= !jg_utf8_valid(jg_pb_str(f));
}

static bool value_valid(const uint8_t *bytes, size_t len, unsigned depth, bool *bad_text)
{
    static const uint8_t wires[] = {[JG_OTLP_ANY_STRING] = JG_PB_LEN, [JG_OTLP_ANY_BOOL] = JG_PB_VARINT,
                                    [JG_OTLP_ANY_INT] = JG_PB_VARINT, [JG_OTLP_ANY_DOUBLE] = JG_PB_FIXED64,
                                    [JG_OTLP_ANY_ARRAY] = JG_PB_LEN,  [JG_OTLP_ANY_MAP] = JG_PB_LEN,
                                    [JG_OTLP_ANY_BYTES] = JG_PB_LEN};
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number >= JG_COUNT(wires))
            continue;
        if (JG_UNLIKELY(f.wire != wires[f.number]))
            return false;
        if (f.number == JG_OTLP_ANY_STRING)
            check_text(&f, bad_text);
        else if (JG_UNLIKELY(f.number == JG_OTLP_ANY_ARRAY || f.number == JG_OTLP_ANY_MAP) &&
                 !list_valid(&f, f.number == JG_OTLP_ANY_MAP, depth, bad_text))
            return false;
    }
    return !pb.bad;
}

static bool list_valid(const jg_pb_field *list, bool is_map, unsigned depth, bool *bad_text)
{
    if (depth >= JG_PB_DEPTH_MAX)
        return false;
    jg_pb pb = jg_pb_of(list->ptr, list->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number != JG_OTLP_LIST_VALUES)
            continue;
        if (f.wire != JG_PB_LEN || !(is_map ? attr_valid(f.ptr, f.len, depth + 1, bad_text)
                                            : value_valid(f.ptr, f.len, depth + 1, bad_text)))
            return false;
    }
    return !pb.bad;
}

static bool attr_valid(const uint8_t *bytes, size_t len, unsigned depth, bool *bad_text)
{
    jaeger_str key, value;
    if (JG_LIKELY(jg_attr_read_plain(bytes, len, &key, &value) && jg_is_ascii(bytes, len)))
        return true;
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number > JG_OTLP_KEY_VALUE_VALUE)
            continue;
        if (JG_UNLIKELY(f.wire != JG_PB_LEN))
            return false;
        if (f.number == JG_OTLP_KEY_VALUE_KEY)
            check_text(&f, bad_text);
        else if (f.number == JG_OTLP_KEY_VALUE_VALUE && !value_valid(f.ptr, f.len, depth, bad_text))
            return false;
    }
    return !pb.bad;
}

bool jg_attr_valid(const uint8_t *bytes, size_t len)
{
    bool bad_text = false;
    return attr_valid(bytes, len, 0, &bad_text);
}

/** What a field of a message must be. */
typedef enum { ANY = 0, STRING, NUMBER, TIME, FIXED32, ATTR, TRACE_ID, SPAN_ID } rule;

static bool field_valid(const jg_pb_field *f, rule want, bool *bad_text)
{
    switch (want) {
    case ANY:
        return true;
    case STRING:
        if (f->wire != JG_PB_LEN)
            return false;
        check_text(f, bad_text);
        return true;
    case NUMBER:
        return f->wire == JG_PB_VARINT;
    case TIME:
        return f->wire == JG_PB_FIXED64;
    case FIXED32:
        return f->wire == JG_PB_FIXED32;
    case ATTR:
        return f->wire == JG_PB_LEN && attr_valid(f->ptr, f->len, 0, bad_text);
    case TRACE_ID:
        return f->wire == JG_PB_LEN && (f->len == 16 || f->len == 0);
    case SPAN_ID:
        return f->wire == JG_PB_LEN && (f->len == 8 || f->len == 0);
    }
    return false;
}

static bool message_valid(const uint8_t *bytes, size_t len, const uint8_t *rules, size_t rule_count,
                          bool *bad_text)
{
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number < rule_count && !field_valid(&f, (rule)rules[f.number], bad_text))
            return false;
    return !pb.bad;
}

bool jg_resource_valid(const uint8_t *bytes, size_t len)
{
    bool bad_text = false;
    static const uint8_t rules[] = {
        [JG_OTLP_RESOURCE_ATTRIBUTES] = ATTR, [JG_OTLP_RESOURCE_DROPPED] = NUMBER};
    return message_valid(bytes, len, rules, JG_COUNT(rules), &bad_text);
}

bool jg_scope_valid(const uint8_t *bytes, size_t len)
{
    bool bad_text = false;
    static const uint8_t rules[] = {[JG_OTLP_SCOPE_NAME] = STRING,
                                    [JG_OTLP_SCOPE_VERSION] = STRING,
                                    [JG_OTLP_SCOPE_ATTRIBUTES] = ATTR,
                                    [JG_OTLP_SCOPE_DROPPED] = NUMBER};
    return message_valid(bytes, len, rules, JG_COUNT(rules), &bad_text);
}

static bool event_valid(const jg_pb_field *f, bool *bad_text)
{
    static const uint8_t rules[] = {[JG_OTLP_EVENT_TIME] = TIME,
                                    [JG_OTLP_EVENT_NAME] = STRING,
                                    [JG_OTLP_EVENT_ATTRIBUTES] = ATTR,
                                    [JG_OTLP_EVENT_DROPPED] = NUMBER};
    return f->wire == JG_PB_LEN && message_valid(f->ptr, f->len, rules, JG_COUNT(rules), bad_text);
}

static bool link_valid(const jg_pb_field *f, bool *bad_text)
{
    static const uint8_t rules[] = {[JG_OTLP_LINK_TRACE_ID] = TRACE_ID,  [JG_OTLP_LINK_SPAN_ID] = SPAN_ID,
                                    [JG_OTLP_LINK_TRACE_STATE] = STRING, [JG_OTLP_LINK_ATTRIBUTES] = ATTR,
                                    [JG_OTLP_LINK_DROPPED] = NUMBER,     [JG_OTLP_LINK_FLAGS] = FIXED32};
    return f->wire == JG_PB_LEN && message_valid(f->ptr, f->len, rules, JG_COUNT(rules), bad_text);
}

static bool status_read(const jg_pb_field *status, jaeger_span *ret)
{
    if (status->wire != JG_PB_LEN)
        return false;
    jg_pb pb = jg_pb_of(status->ptr, status->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_STATUS_CODE && f.wire == JG_PB_VARINT)
            ret->status_code = (uint8_t)f.varint;
        else if (f.number == JG_OTLP_STATUS_MESSAGE && f.wire == JG_PB_LEN)
            check_text(&f, &ret->has_bad_text);
        else if (f.number == JG_OTLP_STATUS_CODE || f.number == JG_OTLP_STATUS_MESSAGE)
            return false;
    }
    return !pb.bad;
}

static bool id_read(const jg_pb_field *f, uint8_t *id, size_t n)
{
    if (f->wire != JG_PB_LEN || (f->len != n && f->len != 0))
        return false;
    if (f->len)
        memcpy(id, f->ptr, n);
    return true;
}

bool jg_span_index(const uint8_t *bytes, size_t len, jaeger_span *ret, const char **ret_why)
{
    *ret = (jaeger_span){.bytes = bytes, .len = (uint32_t)len};
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    const char *why = "wrong wire type in Span";
    while (jg_pb_next(&pb, &f)) {
        switch (f.number) {
        case JG_OTLP_SPAN_TRACE_ID:
            if (id_read(&f, ret->trace_id, 16))
                continue;
            why = "invalid length for TraceID";
            break;
        case JG_OTLP_SPAN_SPAN_ID:
            if (id_read(&f, ret->span_id, 8))
                continue;
            why = "invalid length for SpanID";
            break;
        case JG_OTLP_SPAN_PARENT_SPAN_ID:
            if (id_read(&f, ret->parent_span_id, 8))
                continue;
            why = "invalid length for SpanID";
            break;
        case JG_OTLP_SPAN_NAME:
            ret->name = jg_pb_str(&f);
            if (field_valid(&f, STRING, &ret->has_bad_text))
                continue;
            break;
        case JG_OTLP_SPAN_KIND:
            ret->kind = (uint8_t)f.varint;
            if (f.wire == JG_PB_VARINT)
                continue;
            break;
        case JG_OTLP_SPAN_START:
            ret->start_unix_ns = f.varint;
            if (f.wire == JG_PB_FIXED64)
                continue;
            break;
        case JG_OTLP_SPAN_END:
            ret->end_unix_ns = f.varint;
            if (f.wire == JG_PB_FIXED64)
                continue;
            break;
        case JG_OTLP_SPAN_ATTRIBUTES:
            if (field_valid(&f, ATTR, &ret->has_bad_text))
                continue;
            why = "invalid attribute";
            break;
        case JG_OTLP_SPAN_EVENTS:
            if (event_valid(&f, &ret->has_bad_text))
                continue;
            why = "invalid Span.Event";
            break;
        case JG_OTLP_SPAN_LINKS:
            if (link_valid(&f, &ret->has_bad_text))
                continue;
            why = "invalid Span.Link";
            break;
        case JG_OTLP_SPAN_STATUS:
            if (status_read(&f, ret))
                continue;
            why = "invalid Status";
            break;
        case JG_OTLP_SPAN_FLAGS:
            ret->flags = (uint32_t)f.varint;
            if (f.wire == JG_PB_FIXED32)
                continue;
            break;
        case JG_OTLP_SPAN_TRACE_STATE:
            if (field_valid(&f, STRING, &ret->has_bad_text))
                continue;
            break;
        case JG_OTLP_SPAN_DROPPED_ATTRIBUTES:
        case JG_OTLP_SPAN_DROPPED_EVENTS:
        case JG_OTLP_SPAN_DROPPED_LINKS:
            if (f.wire == JG_PB_VARINT)
                continue;
            break;
        default:
            continue;
        }
        *ret_why = why;
        return false;
    }
    *ret_why = "truncated Span";
    return !pb.bad;
}
