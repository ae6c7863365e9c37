/* SPDX-License-Identifier: Apache-2.0
 * Reading query and storage messages: see rpc.h.
 */
#include "wire/rpc.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/pb.h"
#include "model/otlp_fields.h"
#include "model/span_check.h"

static jaeger_status bad(jaeger_error *err, const char *what)
{
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid protobuf: %s", what);
}

static jaeger_status too_large(jaeger_error *err)
{
    return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "message too large or out of memory");
}

/** Seconds and nanoseconds of a Timestamp or Duration. */
static bool read_seconds(const jg_pb_field *field, int64_t *ret_seconds, int64_t *ret_nanos)
{
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    *ret_seconds = *ret_nanos = 0;
    if (field->wire != JG_PB_LEN)
        return false;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 1 && f.wire == JG_PB_VARINT)
            *ret_seconds = (int64_t)f.varint;
        else if (f.number == 2 && f.wire == JG_PB_VARINT)
            *ret_nanos = (int32_t)f.varint;
    }
    return !pb.bad;
}

#define GO_ZERO_TIME_SECONDS (-62135596800ll)
#define SECONDS_MAX          ((int64_t)(UINT64_MAX / JG_NS_PER_S) - 1)

static bool read_time(const jg_pb_field *field, jg_rpc_time *ret)
{
    int64_t seconds, nanos;
    if (!read_seconds(field, &seconds, &nanos))
        return false;
    if (seconds == GO_ZERO_TIME_SECONDS && nanos == 0) {
        *ret = (jg_rpc_time){0};
        return true;
    }
    ret->set = true;
    if (seconds < 0)
        ret->unix_ns = 0;
    else if (seconds > SECONDS_MAX)
        ret->unix_ns = UINT64_MAX;
    else
        ret->unix_ns = (uint64_t)seconds * JG_NS_PER_S + (nanos > 0 ? (uint64_t)nanos : 0);
    return true;
}

static bool read_duration(const jg_pb_field *field, uint64_t *ret)
{
    int64_t seconds, nanos;
    if (!read_seconds(field, &seconds, &nanos))
        return false;
    *ret = seconds < 0 || nanos < 0 ? 0
           : seconds > SECONDS_MAX  ? UINT64_MAX
                                    : (uint64_t)seconds * JG_NS_PER_S + (uint64_t)nanos;
    return true;
}

jaeger_status jg_rpc_read_get_trace(jaeger_str message, jg_rpc_get_trace *ret, jaeger_error *err)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    *ret = (jg_rpc_get_trace){0};
    while (jg_pb_next(&pb, &f)) {
        bool ok = true;
        if (f.number == 1 && (ok = f.wire == JG_PB_LEN))
            ret->trace_id = jg_pb_str(&f);
        else if (f.number == 2)
            ok = read_time(&f, &ret->start);
        else if (f.number == 3)
            ok = read_time(&f, &ret->end);
        else if (f.number == 4 && (ok = f.wire == JG_PB_VARINT))
            ret->raw_traces = f.varint != 0;
        if (!ok)
            return bad(err, "GetTraceRequest");
    }
    return pb.bad ? bad(err, "GetTraceRequest") : JAEGER_OK;
}

/** An entry of map<string,string>, or a KeyValue. */
static bool read_attr(const jg_pb_field *entry, bool typed, jaeger_attr *ret)
{
    if (entry->wire != JG_PB_LEN)
        return false;
    if (typed) { /* the shape of an OTLP KeyValue */
        jaeger_iter iter = {entry->start, entry->ptr + entry->len, entry->number};
        return jg_attr_valid(entry->ptr, entry->len) && jaeger_next_attr(&iter, ret);
    }
    jg_pb pb = jg_pb_of(entry->ptr, entry->len);
    jg_pb_field f;
    *ret = (jaeger_attr){.key = {"", 0}, .value = {.type = JAEGER_VALUE_STRING, .u.s = {"", 0}}};
    while (jg_pb_next(&pb, &f)) {
        if (f.number <= 2 && f.wire != JG_PB_LEN)
            return false;
        if (f.number == 1)
            ret->key = jg_pb_str(&f);
        else if (f.number == 2)
            ret->value.u.s = jg_pb_str(&f);
    }
    return !pb.bad;
}

static bool read_source(const jg_pb_field *source, jg_rpc_find *ret)
{
    jg_pb pb = jg_pb_of(source->ptr, source->len);
    jg_pb_field f;
    if (source->wire != JG_PB_LEN)
        return false;
    ret->has_source = true;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 1 && f.wire == JG_PB_VARINT)
            ret->source_form = f.varint;
        else if (f.number == 2 && f.wire == JG_PB_LEN)
            ret->source = jg_pb_str(&f);
    }
    return !pb.bad;
}

static bool read_query_field(jg_rpc_dialect dialect, const jg_pb_field *f, jg_rpc_find *ret)
{
    switch (f->number) {
    case 1:
        ret->query.service = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case 2:
        ret->query.operation = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case 4:
        return read_time(f, &ret->start_min);
    case 5:
        return read_time(f, &ret->start_max);
    case 6:
        return read_duration(f, &ret->query.duration_min_ns);
    case 7:
        return read_duration(f, &ret->query.duration_max_ns);
    case 8:
        ret->search_depth = (int32_t)f->varint;
        return f->wire == JG_PB_VARINT;
    case 9:
        if (dialect == JG_RPC_STORAGE) {
            ret->has_filter = true;
            ret->filter = jg_pb_str(f);
            return f->wire == JG_PB_LEN;
        }
        ret->raw_traces = f->varint != 0;
        return f->wire == JG_PB_VARINT;
    case 10:
        if (dialect != JG_RPC_V3)
            return true;
        ret->has_filter = true;
        ret->filter = jg_pb_str(f);
        return f->wire == JG_PB_LEN;
    case JG_RPC_FILTER_SOURCE:
        return dialect != JG_RPC_STORAGE || read_source(f, ret);
    }
    return true;
}

static jaeger_status read_query(jg_rpc_dialect dialect, const jg_pb_field *query, jaeger_arena *arena,
                                jg_rpc_find *ret, jaeger_error *err)
{
    jg_pb pb = jg_pb_of(query->ptr, query->len);
    jg_pb_field f;
    jaeger_attr *attrs = NULL;
    size_t count = 0, cap = 0;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 3) {
            attrs = jg_arena_grow(arena, attrs, count, &cap, sizeof *attrs);
            if (!attrs)
                return too_large(err);
            if (!read_attr(&f, dialect == JG_RPC_STORAGE, &attrs[count++]))
                return bad(err, "TraceQueryParameters.attributes");
        } else if (!read_query_field(dialect, &f, ret)) {
            return bad(err, "TraceQueryParameters");
        }
    }
    ret->query.attrs = attrs;
    ret->query.attr_count = count;
    return pb.bad ? bad(err, "TraceQueryParameters") : JAEGER_OK;
}

jaeger_status jg_rpc_read_find(jg_rpc_dialect dialect, jaeger_str message, jaeger_arena *arena,
                               jg_rpc_find *ret, jaeger_error *err)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    *ret = (jg_rpc_find){.query.size = sizeof ret->query};
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire != JG_PB_LEN)
            return bad(err, "FindTracesRequest");
        ret->has_query = true;
        JG_TRY(read_query(dialect, &f, arena, ret, err));
    }
    ret->query.start_min_unix_ns = ret->start_min.unix_ns;
    ret->query.start_max_unix_ns = ret->start_max.unix_ns;
    ret->query.limit = ret->search_depth > 0 ? (uint32_t)ret->search_depth : 0;
    return pb.bad ? bad(err, "FindTracesRequest") : JAEGER_OK;
}

jaeger_status jg_rpc_read_operations(jaeger_str message, jg_rpc_operations *ret, jaeger_error *err)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    *ret = (jg_rpc_operations){0};
    while (jg_pb_next(&pb, &f)) {
        if (f.number <= 2 && f.wire != JG_PB_LEN)
            return bad(err, "GetOperationsRequest");
        if (f.number == 1)
            ret->service = jg_pb_str(&f);
        else if (f.number == 2)
            ret->span_kind = jg_pb_str(&f);
    }
    return pb.bad ? bad(err, "GetOperationsRequest") : JAEGER_OK;
}

jaeger_status jg_rpc_read_range(jaeger_str message, jg_rpc_range *ret, jaeger_error *err)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    *ret = (jg_rpc_range){0};
    while (jg_pb_next(&pb, &f))
        if ((f.number == 1 && !read_time(&f, &ret->start)) || (f.number == 2 && !read_time(&f, &ret->end)))
            return bad(err, "GetDependenciesRequest");
    return pb.bad ? bad(err, "GetDependenciesRequest") : JAEGER_OK;
}

/** {1 trace_id bytes16, 2 start, 3 end}. */
static bool read_ref(const jg_pb_field *field, jaeger_trace_ref *ret)
{
    jg_rpc_get_trace one;
    if (field->wire != JG_PB_LEN || jg_rpc_read_get_trace(jg_pb_str(field), &one, NULL) != JAEGER_OK ||
        one.trace_id.len != 16)
        return false;
    *ret = (jaeger_trace_ref){.start_unix_ns = one.start.unix_ns, .end_unix_ns = one.end.unix_ns};
    memcpy(ret->trace_id, one.trace_id.ptr, 16);
    return true;
}

jaeger_status jg_rpc_read_get_traces(jaeger_str message, jaeger_arena *arena, jaeger_trace_ref **ret,
                                     size_t *ret_count, jaeger_error *err)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    jaeger_trace_ref *refs = NULL;
    size_t count = 0, cap = 0;
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1)
            continue;
        refs = jg_arena_grow(arena, refs, count, &cap, sizeof *refs);
        if (!refs)
            return too_large(err);
        if (!read_ref(&f, &refs[count++]))
            return bad(err, "GetTracesRequest: a trace id has 16 bytes");
    }
    *ret = refs;
    *ret_count = count;
    return pb.bad ? bad(err, "GetTracesRequest") : JAEGER_OK;
}

jaeger_status jg_rpc_read_services(jaeger_str message, jaeger_strs *ret, jaeger_call *call)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 1 && f.wire != JG_PB_LEN)
            return bad(&call->error, "GetServicesResponse");
        if (f.number == 1)
            JG_TRY(jaeger_strs_add(ret, jg_pb_str(&f), call));
    }
    return pb.bad ? bad(&call->error, "GetServicesResponse") : JAEGER_OK;
}

jaeger_status jg_rpc_read_operation_list(jaeger_str message, jaeger_operations *ret, jaeger_call *call)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    jg_rpc_operations one; /* {1 name, 2 span_kind}: the shape of the request */
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire != JG_PB_LEN)
            return bad(&call->error, "GetOperationsResponse");
        JG_TRY(jg_rpc_read_operations(jg_pb_str(&f), &one, &call->error));
        JG_TRY(jaeger_operations_add(ret, (jaeger_operation){one.service, one.span_kind}, call));
    }
    return pb.bad ? bad(&call->error, "GetOperationsResponse") : JAEGER_OK;
}

static bool read_dependency(const jg_pb_field *field, jaeger_dependency *ret)
{
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    *ret = (jaeger_dependency){.parent = {"", 0}, .child = {"", 0}};
    while (jg_pb_next(&pb, &f)) {
        if (f.number <= 2 && f.wire != JG_PB_LEN)
            return false;
        if (f.number == 1)
            ret->parent = jg_pb_str(&f);
        else if (f.number == 2)
            ret->child = jg_pb_str(&f);
        else if (f.number == 3)
            ret->call_count = f.varint;
    }
    return !pb.bad;
}

jaeger_status jg_rpc_read_dependencies(jaeger_str message, jaeger_dependencies *ret, jaeger_call *call)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    jaeger_dependency link;
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire != JG_PB_LEN || !read_dependency(&f, &link))
            return bad(&call->error, "GetDependenciesResponse");
        JG_TRY(jaeger_dependencies_add(ret, link, call));
    }
    return pb.bad ? bad(&call->error, "GetDependenciesResponse") : JAEGER_OK;
}

jaeger_status jg_rpc_read_trace_ids(jaeger_str message, jaeger_trace_refs *ret, jaeger_call *call)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    jaeger_trace_ref ref;
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1)
            continue;
        if (!read_ref(&f, &ref))
            return bad(&call->error, "FindTraceIDsResponse");
        JG_TRY(jaeger_trace_refs_add(ret, ref, call));
    }
    return pb.bad ? bad(&call->error, "FindTraceIDsResponse") : JAEGER_OK;
}

static bool read_service_count(const jg_pb_field *field, jaeger_service_count *ret)
{
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    *ret = (jaeger_service_count){.name = {"", 0}};
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 1 && f.wire == JG_PB_LEN)
            ret->name = jg_pb_str(&f);
        else if (f.number == 2 && f.wire == JG_PB_VARINT)
            ret->span_count = (uint32_t)f.varint;
        else if (f.number == 3 && f.wire == JG_PB_VARINT)
            ret->error_span_count = (uint32_t)f.varint;
    }
    return !pb.bad;
}

static bool read_summary_field(const jg_pb_field *f, jaeger_trace_summary *ret)
{
    static const uint8_t wires[] = {
        [1] = JG_PB_LEN,     [2] = JG_PB_LEN,    [3] = JG_PB_LEN,    [4] = JG_PB_FIXED64,
        [5] = JG_PB_FIXED64, [6] = JG_PB_VARINT, [7] = JG_PB_VARINT, [8] = JG_PB_VARINT};
    if (f->number < JG_COUNT(wires) && f->wire != wires[f->number])
        return false;
    switch (f->number) {
    case 1:
        if (f->len != 16)
            return false;
        memcpy(ret->trace_id, f->ptr, 16);
        return true;
    case 2:
        ret->root_service = jg_pb_str(f);
        return true;
    case 3:
        ret->root_operation = jg_pb_str(f);
        return true;
    case 4:
        ret->min_start_unix_ns = f->varint;
        return true;
    case 5:
        ret->max_end_unix_ns = f->varint;
        return true;
    case 6:
        ret->span_count = (uint32_t)f->varint;
        return true;
    case 7:
        ret->error_span_count = (uint32_t)f->varint;
        return true;
    case 8:
        ret->orphan_span_count = (uint32_t)f->varint;
        return true;
    }
    return true;
}

static jaeger_status read_summary(const jg_pb_field *field, jaeger_summary_sink out, jaeger_call *call)
{
    jaeger_trace_summary summary = {.root_service = {"", 0}, .root_operation = {"", 0}};
    jaeger_service_count *services = NULL;
    size_t cap = 0;
    jg_pb pb = jg_pb_of(field->ptr, field->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (!read_summary_field(&f, &summary))
            return bad(&call->error, "TraceSummary");
        if (f.number != 9)
            continue;
        if (f.wire != JG_PB_LEN)
            return bad(&call->error, "TraceSummary.services");
        services = jg_arena_grow(call->arena, services, summary.service_count, &cap, sizeof *services);
        if (!services)
            return too_large(&call->error);
        if (!read_service_count(&f, &services[summary.service_count++]))
            return bad(&call->error, "TraceSummary.services");
    }
    if (pb.bad)
        return bad(&call->error, "TraceSummary");
    summary.services = services;
    return out.summary(out.self, &summary, call);
}

jaeger_status jg_rpc_read_summaries(jaeger_str message, jaeger_summary_sink out, jaeger_call *call)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == 1 && f.wire != JG_PB_LEN)
            return bad(&call->error, "FindTraceSummariesResponse");
        if (f.number == 1)
            JG_TRY(read_summary(&f, out, call));
    }
    return pb.bad ? bad(&call->error, "FindTraceSummariesResponse") : JAEGER_OK;
}

jaeger_status jg_rpc_read_caps(jaeger_str message, jaeger_storage_caps *ret, jaeger_error *err)
{
    jg_pb pb = jg_pb_of_str(message), search;
    jg_pb_field f, g;
    *ret = (jaeger_storage_caps){.size = sizeof *ret};
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1 || f.wire != JG_PB_LEN)
            continue;
        search = jg_pb_of(f.ptr, f.len);
        while (jg_pb_next(&search, &g)) {
            if (g.number == 1 && g.wire == JG_PB_VARINT)
                ret->without_service_name = g.varint != 0;
            else if (g.number == 2 && g.wire == JG_PB_VARINT)
                ret->same_span_conjunction = g.varint != 0;
            else if (g.number == JG_RPC_FILTER_SOURCE && g.wire == JG_PB_VARINT)
                ret->filter = g.varint == 1;
        }
        pb.bad = pb.bad || search.bad;
    }
    return pb.bad ? bad(err, "GetCapabilitiesResponse") : JAEGER_OK;
}
