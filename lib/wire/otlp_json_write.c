/* SPDX-License-Identifier: Apache-2.0
 * OTLP wire bytes to OTLP-JSON, in the Collector's pdata dialect: keys in its order, zero values left out,
 * ids in hex, 64-bit numbers as strings; `resource`, `scope`, `status` and `value` are always there. The
 * reader is in otlp_json.c.
 */
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/span_scan.h"
#include "wire/otlp_json.h"

static void write_value(jg_json_out *json, const jaeger_value *value, unsigned depth);

static void write_attr(jg_json_out *json, const jaeger_attr *attr, unsigned depth)
{
    jg_json_object(json);
    if (attr->key.len) {
        jg_json_key_lit(json, "key");
        jg_json_str(json, attr->key);
    }
    jg_json_key_lit(json, "value");
    write_value(json, &attr->value, depth);
    jg_json_end(json);
}

static void write_list(jg_json_out *json, const jaeger_value *list, unsigned depth)
{
    bool is_array = list->type == JAEGER_VALUE_ARRAY, any = false;
    jaeger_iter iter = is_array ? jaeger_array_values(*list) : jaeger_map_attrs(*list);
    jaeger_value item;
    jaeger_attr attr;
    jg_json_object(json);
    while (is_array ? jaeger_next_value(&iter, &item) : jaeger_next_attr(&iter, &attr)) {
        if (!any) {
            jg_json_key_lit(json, "values");
            jg_json_array(json);
            any = true;
        }
        if (is_array)
            write_value(json, &item, depth + 1);
        else
            write_attr(json, &attr, depth + 1);
    }
    if (any)
        jg_json_end(json);
    jg_json_end(json);
}

/** Values deeper than JG_PB_DEPTH_MAX (a batch has none) become {}. */
static void write_value(jg_json_out *json, const jaeger_value *value, unsigned depth)
{
    jg_json_object(json);
    switch (depth < JG_PB_DEPTH_MAX ? value->type : JAEGER_VALUE_EMPTY) {
    case JAEGER_VALUE_STRING:
        jg_json_key_lit(json, "stringValue");
        jg_json_str(json, value->u.s);
        break;
    case JAEGER_VALUE_BOOL:
        jg_json_key_lit(json, "boolValue");
        jg_json_bool(json, value->u.b);
        break;
    case JAEGER_VALUE_INT:
        jg_json_key_lit(json, "intValue");
        jg_json_i64_str(json, value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        jg_json_key_lit(json, "doubleValue");
        jg_json_double(json, value->u.d, 2);
        break;
    case JAEGER_VALUE_ARRAY:
        jg_json_key_lit(json, "arrayValue");
        write_list(json, value, depth);
        break;
    case JAEGER_VALUE_MAP:
        jg_json_key_lit(json, "kvlistValue");
        write_list(json, value, depth);
        break;
    case JAEGER_VALUE_BYTES:
        jg_json_key_lit(json, "bytesValue");
        jg_json_base64(json, value->u.s);
        break;
    default:
        break;
    }
    jg_json_end(json);
}

static void write_attrs(jg_json_out *json, jaeger_iter iter, uint32_t dropped)
{
    jaeger_attr attr;
    bool any = false;
    while (jg_attr_next(&iter, &attr)) {
        if (!any) {
            jg_json_key_lit(json, "attributes");
            jg_json_array(json);
            any = true;
        }
        write_attr(json, &attr, 0);
    }
    if (any)
        jg_json_end(json);
    if (dropped) {
        jg_json_key_lit(json, "droppedAttributesCount");
        jg_json_u64(json, dropped);
    }
}

static void write_id(jg_json_out *json, jaeger_str key, const uint8_t *id, size_t n)
{
    if (jg_id_is_zero(id, n))
        return;
    jg_json_key(json, key);
    jg_json_hex(json, id, n);
}

static void write_text(jg_json_out *json, jaeger_str key, jaeger_str text)
{
    if (text.len == 0)
        return;
    jg_json_key(json, key);
    jg_json_str(json, text);
}

static void write_u32(jg_json_out *json, jaeger_str key, uint32_t value)
{
    if (value == 0)
        return;
    jg_json_key(json, key);
    jg_json_u64(json, value);
}

static void write_time(jg_json_out *json, jaeger_str key, uint64_t unix_ns)
{
    if (unix_ns == 0)
        return;
    jg_json_key(json, key);
    jg_json_u64_str(json, unix_ns);
}

static void write_events(jg_json_out *json, jaeger_iter iter)
{
    jaeger_event event;
    bool any = false;
    while (jaeger_next_event(&iter, &event)) {
        if (!any) {
            jg_json_key_lit(json, "events");
            jg_json_array(json);
            any = true;
        }
        jg_json_object(json);
        write_time(json, JAEGER_STR("timeUnixNano"), event.time_unix_ns);
        write_text(json, JAEGER_STR("name"), event.name);
        write_attrs(json, jaeger_event_attrs(&event), event.dropped_attributes_count);
        jg_json_end(json);
    }
    if (any)
        jg_json_end(json);
}

static void write_links(jg_json_out *json, jaeger_iter iter)
{
    jaeger_link link;
    bool any = false;
    while (jaeger_next_link(&iter, &link)) {
        if (!any) {
            jg_json_key_lit(json, "links");
            jg_json_array(json);
            any = true;
        }
        jg_json_object(json);
        write_id(json, JAEGER_STR("traceId"), link.trace_id, 16);
        write_id(json, JAEGER_STR("spanId"), link.span_id, 8);
        write_text(json, JAEGER_STR("traceState"), link.trace_state);
        write_attrs(json, jaeger_link_attrs(&link), link.dropped_attributes_count);
        write_u32(json, JAEGER_STR("flags"), link.flags);
        jg_json_end(json);
    }
    if (any)
        jg_json_end(json);
}

static void write_span(jg_json_out *json, const jaeger_span *span)
{
    jg_span_scan scan;
    jg_span_scan_of(span, &scan);
    const jaeger_span_rest *rest = &scan.rest;
    jg_json_object(json);
    write_id(json, JAEGER_STR("traceId"), span->trace_id, 16);
    write_id(json, JAEGER_STR("spanId"), span->span_id, 8);
    write_text(json, JAEGER_STR("traceState"), rest->trace_state);
    write_id(json, JAEGER_STR("parentSpanId"), span->parent_span_id, 8);
    write_u32(json, JAEGER_STR("flags"), span->flags);
    write_text(json, JAEGER_STR("name"), span->name);
    write_u32(json, JAEGER_STR("kind"), span->kind);
    write_time(json, JAEGER_STR("startTimeUnixNano"), span->start_unix_ns);
    write_time(json, JAEGER_STR("endTimeUnixNano"), span->end_unix_ns);
    write_attrs(json, scan.attrs, rest->dropped_attributes_count);
    write_events(json, scan.events);
    write_u32(json, JAEGER_STR("droppedEventsCount"), rest->dropped_events_count);
    write_links(json, scan.links);
    write_u32(json, JAEGER_STR("droppedLinksCount"), rest->dropped_links_count);
    jg_json_key_lit(json, "status");
    jg_json_object(json);
    write_text(json, JAEGER_STR("message"), rest->status_message);
    write_u32(json, JAEGER_STR("code"), span->status_code);
    jg_json_end(json);
    jg_json_end(json);
}

static uint32_t resource_dropped(const jaeger_span_group *group)
{
    jg_pb pb = jg_pb_of_str(group->resource);
    jg_pb_field f;
    uint32_t dropped = 0;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_RESOURCE_DROPPED && f.wire == JG_PB_VARINT)
            dropped = (uint32_t)f.varint;
    return dropped;
}

static void begin_resource(jg_json_out *json, const jaeger_span_group *group)
{
    jg_json_object(json);
    jg_json_key_lit(json, "resource");
    jg_json_object(json);
    write_attrs(json, jaeger_resource_attrs(group), resource_dropped(group));
    jg_json_end(json);
    jg_json_key_lit(json, "scopeSpans");
    jg_json_array(json);
}

static void begin_scope(jg_json_out *json, const jaeger_span_group *group)
{
    jaeger_scope scope;
    jaeger_scope_read(group, &scope);
    jg_json_object(json);
    jg_json_key_lit(json, "scope");
    jg_json_object(json);
    write_text(json, JAEGER_STR("name"), scope.name);
    write_text(json, JAEGER_STR("version"), scope.version);
    write_attrs(json, jaeger_scope_attrs(group), scope.dropped_attributes_count);
    jg_json_end(json);
    jg_json_key_lit(json, "spans");
    jg_json_array(json);
}

static void end_scope(jg_json_out *json, const jaeger_span_group *group)
{
    jg_json_end(json);
    write_text(json, JAEGER_STR("schemaUrl"), group->scope_schema_url);
    jg_json_end(json);
}

static void end_resource(jg_json_out *json, const jaeger_span_group *group)
{
    jg_json_end(json);
    write_text(json, JAEGER_STR("schemaUrl"), group->resource_schema_url);
    jg_json_end(json);
}

jaeger_status jg_otlp_json_stream_resource_spans(jg_json_out *json, const jaeger_batch *batch,
                                                 jg_json_flush flush)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    const jaeger_span_group *open = NULL;
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++) {
        const jaeger_span_group *group = spans[i].group;
        if (group != open) {
            bool same_resource = open && open->resource_index == group->resource_index;
            if (open)
                end_scope(json, open);
            if (open && !same_resource)
                end_resource(json, open);
            if (!same_resource)
                begin_resource(json, group);
            begin_scope(json, group);
            open = group;
        }
        write_span(json, &spans[i]);
        if (json->buf->len >= flush.at_bytes) {
            jaeger_status status =
                json->buf->failed ? JAEGER_RESOURCE_EXHAUSTED : flush.flush(flush.self, json->buf);
            if (status != JAEGER_OK)
                return status;
        }
    }
    if (open) {
        end_scope(json, open);
        end_resource(json, open);
    }
    return json->buf->failed ? JAEGER_RESOURCE_EXHAUSTED : JAEGER_OK;
}

void jg_otlp_json_write_resource_spans(jg_json_out *json, const jaeger_batch *batch)
{
    /* never flushed; what fails stays visible in the buffer */
    (void)!jg_otlp_json_stream_resource_spans(json, batch, (jg_json_flush){.at_bytes = SIZE_MAX});
}

void jg_otlp_json_write(jg_json_out *json, const jaeger_batch *batch)
{
    jg_json_object(json);
    if (jaeger_batch_span_count(batch)) {
        jg_json_key_lit(json, "resourceSpans");
        jg_json_array(json);
        jg_otlp_json_write_resource_spans(json, batch);
        jg_json_end(json);
    }
    jg_json_end(json);
}
