/* SPDX-License-Identifier: Apache-2.0
 * Writing query and storage messages: see rpc.h.
 */
#include "wire/rpc.h"

#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr.h"
#include "model/otlp_fields.h"

#define GO_ZERO_TIME_SECONDS (-62135596800ll)

void jg_rpc_write_time(jg_buf *out, uint32_t number, jg_rpc_time time)
{
    size_t mark = jg_pb_begin(out, number, 1);
    int64_t seconds = time.set ? (int64_t)(time.unix_ns / JG_NS_PER_S) : GO_ZERO_TIME_SECONDS;
    uint64_t nanos = time.set ? time.unix_ns % JG_NS_PER_S : 0;
    if (seconds)
        jg_pb_write_varint(out, 1, (uint64_t)seconds);
    if (nanos)
        jg_pb_write_varint(out, 2, nanos);
    jg_pb_end(out, mark, 1);
}

void jg_rpc_write_duration(jg_buf *out, uint32_t number, uint64_t ns)
{
    size_t mark = jg_pb_begin(out, number, 1);
    if (ns >= JG_NS_PER_S)
        jg_pb_write_varint(out, 1, ns / JG_NS_PER_S);
    if (ns % JG_NS_PER_S)
        jg_pb_write_varint(out, 2, ns % JG_NS_PER_S);
    jg_pb_end(out, mark, 1);
}

static jg_rpc_time time_of(uint64_t unix_ns)
{
    return (jg_rpc_time){unix_ns != 0, unix_ns};
}

static void write_text(jg_buf *out, uint32_t number, jaeger_str s)
{
    if (s.len)
        jg_pb_write_str(out, number, s);
}

static void write_number(jg_buf *out, uint32_t number, uint64_t value)
{
    if (value)
        jg_pb_write_varint(out, number, value);
}

static void write_ref(jg_buf *out, uint32_t number, const jaeger_trace_ref *ref)
{
    size_t mark = jg_pb_begin(out, number, 1);
    jg_pb_write_bytes(out, 1, ref->trace_id, 16);
    jg_rpc_write_time(out, 2, time_of(ref->start_unix_ns));
    jg_rpc_write_time(out, 3, time_of(ref->end_unix_ns));
    jg_pb_end(out, mark, 1);
}

void jg_rpc_write_get_traces(jg_buf *out, const jaeger_trace_ref *refs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        write_ref(out, 1, &refs[i]);
}

void jg_rpc_write_trace_ids(jg_buf *out, const jaeger_trace_refs *refs)
{
    jg_rpc_write_get_traces(out, refs->items, refs->count);
}

static void write_attr(jg_buf *out, uint32_t number, const jaeger_attr *attr)
{
    size_t mark = jg_pb_begin(out, number, 1);
    write_text(out, JG_OTLP_KEY_VALUE_KEY, attr->key);
    size_t value_mark = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_value_write(out, &attr->value);
    jg_pb_end(out, value_mark, 1);
    jg_pb_end(out, mark, 1);
}

static void write_filter(jg_buf *out, const jaeger_filter *filter)
{
    size_t mark = jg_pb_begin(out, JG_RPC_FILTER_SOURCE, 2);
    write_number(out, 1, filter->form);
    write_text(out, 2, filter->source);
    jg_pb_end(out, mark, 2);
}

void jg_rpc_write_find(jg_buf *out, const jaeger_trace_query *query)
{
    size_t mark = jg_pb_begin(out, 1, 1);
    write_text(out, 1, query->service);
    write_text(out, 2, query->operation);
    for (size_t i = 0; i < query->attr_count; i++)
        write_attr(out, 3, &query->attrs[i]);
    jg_rpc_write_time(out, 4, time_of(query->start_min_unix_ns));
    jg_rpc_write_time(out, 5, time_of(query->start_max_unix_ns));
    jg_rpc_write_duration(out, 6, query->duration_min_ns);
    jg_rpc_write_duration(out, 7, query->duration_max_ns);
    write_number(out, 8, query->limit ? query->limit : 100);
    if (query->filter)
        write_filter(out, query->filter);
    jg_pb_end(out, mark, 1);
}

void jg_rpc_write_operations_request(jg_buf *out, jaeger_str service, jaeger_str kind)
{
    write_text(out, 1, service);
    write_text(out, 2, kind);
}

void jg_rpc_write_range(jg_buf *out, uint64_t start_unix_ns, uint64_t end_unix_ns)
{
    jg_rpc_write_time(out, 1, time_of(start_unix_ns));
    jg_rpc_write_time(out, 2, time_of(end_unix_ns));
}

void jg_rpc_write_services(jg_buf *out, const jaeger_strs *services)
{
    for (size_t i = 0; i < services->count; i++)
        jg_pb_write_str(out, 1, services->items[i]);
}

static void write_operation(jg_buf *out, uint32_t number, const jaeger_operation *operation)
{
    size_t mark = jg_pb_begin(out, number, 1);
    write_text(out, 1, operation->name);
    write_text(out, 2, operation->span_kind);
    jg_pb_end(out, mark, 1);
}

void jg_rpc_write_operations(jg_rpc_dialect dialect, jg_buf *out, const jaeger_operations *operations)
{
    for (size_t i = 0; i < operations->count; i++) {
        if (dialect ==
            JG_RPC_V2) { /* the deprecated list of unique names comes along; drivers sort by name */
            if (i == 0 || !jg_str_eq(operations->items[i].name, operations->items[i - 1].name))
                jg_pb_write_str(out, 1, operations->items[i].name);
        }
        write_operation(out, dialect == JG_RPC_V2 ? 2 : 1, &operations->items[i]);
    }
}

void jg_rpc_write_dependencies(jg_rpc_dialect dialect, jg_buf *out, const jaeger_dependencies *dependencies)
{
    (void)dialect; /* the source (v2, storage) is empty: we compute them ourselves */
    for (size_t i = 0; i < dependencies->count; i++) {
        const jaeger_dependency *link = &dependencies->items[i];
        size_t mark = jg_pb_begin(out, 1, 1);
        write_text(out, 1, link->parent);
        write_text(out, 2, link->child);
        write_number(out, 3, link->call_count);
        jg_pb_end(out, mark, 1);
    }
}

void jg_rpc_write_summary(jg_rpc_dialect dialect, jg_buf *out, const jaeger_trace_summary *summary)
{
    size_t mark = jg_pb_begin(out, 1, 2);
    char hex[32];
    jg_hex_encode(summary->trace_id, 16, hex);
    if (dialect == JG_RPC_STORAGE)
        jg_pb_write_bytes(out, 1, summary->trace_id, 16);
    else
        jg_pb_write_bytes(out, 1, hex, sizeof hex);
    write_text(out, 2, summary->root_service);
    write_text(out, 3, summary->root_operation);
    if (summary->min_start_unix_ns)
        jg_pb_write_fixed64(out, 4, summary->min_start_unix_ns);
    if (summary->max_end_unix_ns)
        jg_pb_write_fixed64(out, 5, summary->max_end_unix_ns);
    write_number(out, 6, summary->span_count);
    write_number(out, 7, summary->error_span_count);
    write_number(out, 8, summary->orphan_span_count);
    for (size_t i = 0; i < summary->service_count; i++) {
        size_t service_mark = jg_pb_begin(out, 9, 1);
        write_text(out, 1, summary->services[i].name);
        write_number(out, 2, summary->services[i].span_count);
        write_number(out, 3, summary->services[i].error_span_count);
        jg_pb_end(out, service_mark, 1);
    }
    jg_pb_end(out, mark, 2);
}

/** The structured filter is known whole. */
static void write_filter_caps(jg_buf *out)
{
    static const char *const levels[] = {"span", "resource", "scope", "event", "link"};
    static const char *const operators[] = {"and", "or",  "not",   "eq",     "ne", "gt",     "lt",
                                            "gte", "lte", "regex", "exists", "in", "not_in", "some"};
    size_t mark = jg_pb_begin(out, 3, 2);
    for (size_t i = 0; i < JG_COUNT(levels); i++)
        write_text(out, 1, jg_str(levels[i]));
    for (size_t i = 0; i < JG_COUNT(operators); i++)
        write_text(out, 2, jg_str(operators[i]));
    jg_pb_end(out, mark, 2);
}

void jg_rpc_write_caps(jg_buf *out, const jaeger_storage_caps *caps)
{
    size_t mark = jg_pb_begin(out, 1, 1);
    write_number(out, 1, caps->without_service_name);
    write_number(out, 2, caps->same_span_conjunction);
    if (caps->filter) {
        write_filter_caps(out);
        write_number(out, JG_RPC_FILTER_SOURCE, 1);
    }
    jg_pb_end(out, mark, 1);
}
