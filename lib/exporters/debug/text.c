/* SPDX-License-Identifier: Apache-2.0
 * See text.h. Formats: opentelemetry-collector exporter/debugexporter/README.md (normal, detailed).
 */
#include "exporters/debug/text.h"

#include "core/clock.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/value_text.h"
#include <time.h>

static void write_hex(jg_buf *out, const uint8_t *id, size_t n)
{
    char text[32];
    if (jg_id_is_zero(id, n))
        return;
    jg_hex_encode(id, n, text);
    jg_buf_append(out, text, 2 * n);
}

static void write_typed_value(jg_buf *out, const jaeger_value *value)
{
    static const char *const types[] = {"Empty", "Str", "Bool", "Int", "Double", "Slice", "Map", "Bytes"};
    jg_buf_str(out, jg_str(types[value->type]));
    jg_buf_byte(out, '(');
    jg_value_text(out, value);
    jg_buf_byte(out, ')');
}

/* "key=value" after a space each. */
static void write_pairs(jg_buf *out, jaeger_iter it)
{
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr);) {
        jg_buf_byte(out, ' ');
        jg_buf_str(out, attr.key);
        jg_buf_byte(out, '=');
        jg_value_text(out, &attr.value);
    }
}

static void write_attrs(jg_buf *out, jaeger_iter it, const char *title, const char *indent)
{
    bool any = false;
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr); any = true) {
        if (!any)
            jg_buf_printf(out, "%s\n", title);
        jg_buf_printf(out, "%s-> %.*s: ", indent, JAEGER_STR_ARGS(attr.key));
        write_typed_value(out, &attr.value);
        jg_buf_byte(out, '\n');
    }
}

static void write_time(jg_buf *out, uint64_t unix_ns)
{
    char text[32];
    time_t seconds = (time_t)(unix_ns / JG_NS_PER_S);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    jg_buf_str(out, jg_str(text));
    unsigned long ns = (unsigned long)(unix_ns % JG_NS_PER_S);
    if (ns) {
        int digits = 9;
        for (; ns % 10 == 0; ns /= 10)
            digits--;
        jg_buf_printf(out, ".%0*lu", digits, ns);
    }
    jg_buf_lit(out, " +0000 UTC");
}

size_t jg_debug_resource_count(const jaeger_batch *batch)
{
    size_t count = 0;
    uint32_t last = 0;
    for (size_t i = 0; i < jg_batch_group_count(batch); i++) {
        uint32_t index = jg_batch_groups(batch)[i].resource_index;
        count += i == 0 || index != last;
        last = index;
    }
    return count;
}

/* ---- normal ---- */

static void write_line(jg_buf *out, const jaeger_span *span)
{
    jg_buf_str(out, span->name);
    jg_buf_byte(out, ' ');
    write_hex(out, span->trace_id, sizeof span->trace_id);
    jg_buf_byte(out, ' ');
    write_hex(out, span->span_id, sizeof span->span_id);
    write_pairs(out, jaeger_span_attrs(span));
    jg_buf_byte(out, '\n');
}

/* Where a span begins a new resource or scope: their numbers, counted from 0. */
typedef struct place {
    const jaeger_span_group *group;
    size_t resource, scope, span;
    bool new_resource, new_scope;
} place;

static void advance(place *at, const jaeger_span_group *group)
{
    at->new_resource = !at->group || at->group->resource_index != group->resource_index;
    at->new_scope = at->group != group;
    at->resource += at->group && at->new_resource;
    at->scope = at->new_resource ? 0 : at->scope + at->new_scope;
    at->span = at->new_scope ? 0 : at->span + 1;
    at->group = group;
}

static void write_schema(jg_buf *out, jaeger_str url)
{
    if (url.len)
        jg_buf_printf(out, " [%.*s]", JAEGER_STR_ARGS(url));
}

void jg_debug_text_normal(jg_buf *out, const jaeger_batch *batch)
{
    place at = {0};
    for (size_t i = 0; i < jaeger_batch_span_count(batch) && jg_buf_ok(out); i++) {
        const jaeger_span *span = &jaeger_batch_spans(batch)[i];
        advance(&at, span->group);
        if (at.new_resource) {
            jg_buf_printf(out, "ResourceTraces #%zu", at.resource);
            write_schema(out, span->group->resource_schema_url);
            write_pairs(out, jaeger_resource_attrs(span->group));
            jg_buf_byte(out, '\n');
        }
        if (at.new_scope) {
            jaeger_scope scope;
            jaeger_scope_read(span->group, &scope);
            jg_buf_printf(out, "ScopeTraces #%zu", at.scope);
            if (scope.name.len)
                jg_buf_printf(out, " %.*s", JAEGER_STR_ARGS(scope.name));
            if (scope.version.len)
                jg_buf_printf(out, "@%.*s", JAEGER_STR_ARGS(scope.version));
            write_schema(out, span->group->scope_schema_url);
            write_pairs(out, jaeger_scope_attrs(span->group));
            jg_buf_byte(out, '\n');
        }
        write_line(out, span);
    }
}

/* ---- detailed ---- */

static void write_resource(jg_buf *out, const place *at)
{
    jg_buf_printf(out, "ResourceSpans #%zu\nResource SchemaURL: %.*s\n", at->resource,
                  JAEGER_STR_ARGS(at->group->resource_schema_url));
    write_attrs(out, jaeger_resource_attrs(at->group), "Resource attributes:", "     ");
}

static void write_scope(jg_buf *out, const place *at)
{
    jaeger_scope scope;
    jaeger_scope_read(at->group, &scope);
    jg_buf_printf(out, "ScopeSpans #%zu\nScopeSpans SchemaURL: %.*s\nInstrumentationScope %.*s %.*s\n",
                  at->scope, JAEGER_STR_ARGS(at->group->scope_schema_url), JAEGER_STR_ARGS(scope.name),
                  JAEGER_STR_ARGS(scope.version));
    write_attrs(out, jaeger_scope_attrs(at->group), "InstrumentationScope attributes:", "     ");
}

static void write_events(jg_buf *out, const jaeger_span *span)
{
    jaeger_iter it = jaeger_span_events(span);
    jaeger_event event;
    for (size_t n = 0; jaeger_next_event(&it, &event); n++) {
        if (n == 0)
            jg_buf_lit(out, "Events:\n");
        jg_buf_printf(out, "SpanEvent #%zu\n     -> Name: %.*s\n     -> Timestamp: ", n,
                      JAEGER_STR_ARGS(event.name));
        write_time(out, event.time_unix_ns);
        jg_buf_printf(out, "\n     -> DroppedAttributesCount: %u\n", event.dropped_attributes_count);
        write_attrs(out, jaeger_event_attrs(&event), "     -> Attributes::", "          ");
    }
}

static void write_links(jg_buf *out, const jaeger_span *span)
{
    jaeger_iter it = jaeger_span_links(span);
    jaeger_link link;
    for (size_t n = 0; jaeger_next_link(&it, &link); n++) {
        if (n == 0)
            jg_buf_lit(out, "Links:\n");
        jg_buf_printf(out, "SpanLink #%zu\n     -> Trace ID: ", n);
        write_hex(out, link.trace_id, sizeof link.trace_id);
        jg_buf_lit(out, "\n     -> ID: ");
        write_hex(out, link.span_id, sizeof link.span_id);
        jg_buf_printf(out, "\n     -> TraceState: %.*s\n     -> DroppedAttributesCount: %u\n",
                      JAEGER_STR_ARGS(link.trace_state), link.dropped_attributes_count);
        write_attrs(out, jaeger_link_attrs(&link), "     -> Attributes::", "          ");
    }
}

static const char *title(const char *const *names, size_t n, unsigned index)
{
    return index < n ? names[index] : "";
}

static void write_span(jg_buf *out, const jaeger_span *span, size_t number)
{
    static const char *const kinds[] = {"Unspecified", "Internal", "Server",
                                        "Client",      "Producer", "Consumer"};
    static const char *const codes[] = {"Unset", "Ok", "Error"};
    jaeger_span_rest rest;
    jaeger_span_read_rest(span, &rest);
    jg_buf_printf(out, "Span #%zu\n    Trace ID       : ", number);
    write_hex(out, span->trace_id, sizeof span->trace_id);
    jg_buf_lit(out, "\n    Parent ID      : ");
    write_hex(out, span->parent_span_id, sizeof span->parent_span_id);
    jg_buf_lit(out, "\n    ID             : ");
    write_hex(out, span->span_id, sizeof span->span_id);
    jg_buf_printf(out, "\n    Name           : %.*s\n    Kind           : %s\n", JAEGER_STR_ARGS(span->name),
                  title(kinds, JG_COUNT(kinds), span->kind));
    if (rest.trace_state.len)
        jg_buf_printf(out, "    TraceState     : %.*s\n", JAEGER_STR_ARGS(rest.trace_state));
    jg_buf_lit(out, "    Start time     : ");
    write_time(out, span->start_unix_ns);
    jg_buf_lit(out, "\n    End time       : ");
    write_time(out, span->end_unix_ns);
    jg_buf_printf(out, "\n    Status code    : %s\n    Status message : %.*s\n",
                  title(codes, JG_COUNT(codes), span->status_code), JAEGER_STR_ARGS(rest.status_message));
    if (rest.dropped_attributes_count || rest.dropped_events_count || rest.dropped_links_count)
        jg_buf_printf(
            out, "    DroppedAttributesCount: %u\n    DroppedEventsCount: %u\n    DroppedLinksCount: %u\n",
            rest.dropped_attributes_count, rest.dropped_events_count, rest.dropped_links_count);
    write_attrs(out, jaeger_span_attrs(span), "Attributes:", "     ");
    write_events(out, span);
    write_links(out, span);
}

void jg_debug_text_detailed(jg_buf *out, const jaeger_batch *batch)
{
    place at = {0};
    for (size_t i = 0; i < jaeger_batch_span_count(batch) && jg_buf_ok(out); i++) {
        const jaeger_span *span = &jaeger_batch_spans(batch)[i];
        advance(&at, span->group);
        if (at.new_resource)
            write_resource(out, &at);
        if (at.new_scope)
            write_scope(out, &at);
        write_span(out, span, at.span);
    }
}
