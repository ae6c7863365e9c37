/* SPDX-License-Identifier: Apache-2.0
 * Reads zipkin.proto3.ListOfSpans; the writer is in zipkin_pb_write.c.
 * Spec: zipkin-api zipkin.proto; what zipkin-go's decoder accepts.
 */
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "wire/zipkin.h"
#include "wire/zipkin_fields.h"
#include "wire/zipkin_model.h"

static const char not_zipkin[] = "not a message of zipkin.proto3";

static bool read_endpoint(const jg_pb_field *field, jg_zipkin_in *model, jg_zipkin_endpoint *ret)
{
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    if (field->wire != JG_PB_LEN)
        return false;
    while (jg_pb_next(&pb, &f)) {
        if (f.number <= JG_ZIPKIN_ENDPOINT_PORT &&
            f.wire != (f.number == JG_ZIPKIN_ENDPOINT_PORT ? JG_PB_VARINT : JG_PB_LEN))
            return false;
        if (f.number == JG_ZIPKIN_ENDPOINT_SERVICE)
            ret->service = jg_pb_str(&f);
        else if (f.number == JG_ZIPKIN_ENDPOINT_IPV4)
            ret->ipv4 = jg_zipkin_ip_text(model->arena, jg_pb_str(&f));
        else if (f.number == JG_ZIPKIN_ENDPOINT_IPV6)
            ret->ipv6 = jg_zipkin_ip_text(model->arena, jg_pb_str(&f));
        else if (f.number == JG_ZIPKIN_ENDPOINT_PORT)
            ret->port = (uint16_t)f.varint;
    }
    return !pb.bad;
}

static bool read_note(const jg_pb_field *field, jg_zipkin_in *model)
{
    jg_zipkin_note *note = jg_zipkin_add_note(model);
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    if (!note || field->wire != JG_PB_LEN)
        return false;
    note->value = JAEGER_STR("");
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_ZIPKIN_NOTE_TIME)
            note->time_us = f.varint;
        else if (f.number == JG_ZIPKIN_NOTE_VALUE)
            note->value = jg_pb_str(&f);
        if ((f.number == JG_ZIPKIN_NOTE_TIME && f.wire != JG_PB_FIXED64) ||
            (f.number == JG_ZIPKIN_NOTE_VALUE && f.wire != JG_PB_LEN))
            return false;
    }
    return !pb.bad;
}

/** An entry of map<string, string>. */
static bool read_tag(const jg_pb_field *field, jg_zipkin_in *model)
{
    jg_zipkin_tag *tag = jg_zipkin_add_tag(model);
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    if (!tag || field->wire != JG_PB_LEN)
        return false;
    tag->key = tag->value = JAEGER_STR("");
    while (jg_pb_next(&pb, &f)) {
        if (f.number <= 2 && f.wire != JG_PB_LEN)
            return false;
        if (f.number == 1)
            tag->key = jg_pb_str(&f);
        else if (f.number == 2)
            tag->value = jg_pb_str(&f);
    }
    return !pb.bad;
}

static uint32_t kind_of(uint64_t number)
{
    static const uint8_t kinds[] = {JAEGER_KIND_UNSPECIFIED, JAEGER_KIND_CLIENT, JAEGER_KIND_SERVER,
                                    JAEGER_KIND_PRODUCER, JAEGER_KIND_CONSUMER};
    return number < JG_COUNT(kinds) ? kinds[number] : JAEGER_KIND_UNSPECIFIED;
}

/** Ids keep where they stand: their lengths are checked at the end. */
typedef struct id_texts {
    jaeger_str trace, parent, span;
} id_texts;

static bool read_field(const jg_pb_field *f, jg_zipkin_in *model, jg_zipkin_span *span, id_texts *ids)
{
    switch (f->number) {
    case JG_ZIPKIN_SPAN_TRACE_ID:
        ids->trace = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_ZIPKIN_SPAN_PARENT_ID:
        ids->parent = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_ZIPKIN_SPAN_ID:
        ids->span = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_ZIPKIN_SPAN_KIND:
        span->kind = kind_of(f->varint);
        return f->wire == JG_PB_VARINT;
    case JG_ZIPKIN_SPAN_NAME:
        span->name = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_ZIPKIN_SPAN_TIME:
        span->time_us = f->varint;
        return f->wire == JG_PB_FIXED64;
    case JG_ZIPKIN_SPAN_DURATION:
        span->duration_us = f->varint;
        return f->wire == JG_PB_VARINT;
    case JG_ZIPKIN_SPAN_LOCAL:
        return read_endpoint(f, model, &span->local);
    case JG_ZIPKIN_SPAN_REMOTE:
        return read_endpoint(f, model, &span->remote);
    case JG_ZIPKIN_SPAN_NOTES:
        return read_note(f, model);
    case JG_ZIPKIN_SPAN_TAGS:
        return read_tag(f, model);
    case JG_ZIPKIN_SPAN_DEBUG:
    case JG_ZIPKIN_SPAN_SHARED:
        return f->wire == JG_PB_VARINT;
    default:
        return true;
    }
}

/** A span without a timestamp starts in 1970: only JSON can say that it has none. */
static const char *read_span(jaeger_str bytes, jg_zipkin_in *model)
{
    jg_zipkin_span span = {.name = JAEGER_STR(""), .has_time = true};
    id_texts ids = {0};
    jg_pb pb = jg_pb_of_str(bytes);
    jg_pb_field f;
    model->tag_count = model->note_count = 0;
    while (jg_pb_next(&pb, &f))
        if (!read_field(&f, model, &span, &ids))
            return not_zipkin;
    if (pb.bad)
        return not_zipkin;
    if (ids.trace.len != 16 && ids.trace.len != 8) /* the Collector wants 16, zipkin.proto and its clients know 8 */
        return "invalid TraceID: wanted length 16";
    if (ids.parent.len != 0 && ids.parent.len != 8)
        return "invalid ParentID: wanted length 8";
    if (ids.span.len != 8)
        return ids.span.len ? "invalid SpanID: wanted length 8" : "expected a non-nil SpanID";
    memcpy(span.trace_id + 16 - ids.trace.len, ids.trace.ptr, ids.trace.len);
    memcpy(span.id, ids.span.ptr, 8);
    if (ids.parent.len)
        memcpy(span.parent_id, ids.parent.ptr, 8);
    return jg_zipkin_write_span(model, &span);
}

static const char *read_list(jaeger_str bytes, jg_zipkin_in *model)
{
    const char *fault = NULL;
    jg_pb pb = jg_pb_of_str(bytes);
    jg_pb_field f;
    while (!fault && jg_pb_next(&pb, &f))
        if (f.number == JG_ZIPKIN_LIST_SPANS)
            fault = f.wire == JG_PB_LEN ? read_span(jg_pb_str(&f), model) : not_zipkin;
    return pb.bad ? not_zipkin : fault;
}

jaeger_status jg_zipkin_pb_to_batch(jaeger_str bytes, bool parse_string_tags, jaeger_batch **ret,
                                    jaeger_error *err)
{
    jg_zipkin_in model;
    jaeger_status status;
    jg_zipkin_in_init(&model, bytes.len, parse_string_tags);
    const char *fault = model.groups.failed ? NULL : read_list(bytes, &model);
    if (fault && !model.groups.failed)
        status = jg_fail(err, JAEGER_INVALID_ARGUMENT, "Zipkin protobuf: %s", fault);
    else
        status = jg_span_groups_finish(&model.groups, ret, err);
    jg_zipkin_in_done(&model);
    return status;
}
