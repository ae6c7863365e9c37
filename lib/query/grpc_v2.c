/* SPDX-License-Identifier: Apache-2.0
 * jaeger.api_v2.QueryService: traces go out as Jaeger spans, each with its process, at most ten a message; a
 * new trace begins a new message. Spec: proto/jaeger/api_v2/query.proto; status codes and texts as Jaeger v2.
 */
#include "query/grpc.h"

#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "wire/jaeger_pb.h"
#include "wire/rpc.h"

#define SPANS_PER_CHUNK 10
#define CHUNK_SPANS     1 /* field number of SpansResponseChunk.spans */

/** What Jaeger answers when a store fails: INTERNAL with a text in front. Statuses with a meaning of their
 * own pass. */
static jaeger_status store_status(jaeger_status status, const char *prefix, jaeger_call *call)
{
    switch (status) {
    case JAEGER_OK:
    case JAEGER_NOT_FOUND:
    case JAEGER_CANCELLED:
    case JAEGER_DEADLINE_EXCEEDED:
    case JAEGER_RESOURCE_EXHAUSTED:
    case JAEGER_INVALID_ARGUMENT:
        return status;
    default:
        call->error.status = JAEGER_INTERNAL;
        return jg_fail_prefix(&call->error, "%s", prefix);
    }
}

typedef struct chunk_sender {
    jg_grpc_stream *stream;
    jg_buf buf;
    size_t spans;         /* in buf */
    uint8_t trace_id[16]; /* of the spans in buf */
} chunk_sender;

static jaeger_status flush(chunk_sender *to, jaeger_call *call)
{
    if (to->spans == 0)
        return JAEGER_OK;
    jaeger_status status = jg_grpc_send_buf(to->stream, &to->buf, call);
    jg_buf_clear(&to->buf);
    to->spans = 0;
    return status;
}

static jaeger_status send_spans(void *self, jaeger_batch *take, jaeger_call *call)
{
    chunk_sender *to = self;
    const jaeger_span *spans = jaeger_batch_spans(take);
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0, n = jaeger_batch_span_count(take); i < n && status == JAEGER_OK; i++) {
        if (to->spans == SPANS_PER_CHUNK || memcmp(to->trace_id, spans[i].trace_id, 16) != 0)
            status = flush(to, call);
        memcpy(to->trace_id, spans[i].trace_id, 16);
        size_t mark = jg_pb_begin(&to->buf, CHUNK_SPANS, 2);
        jg_jaeger_pb_write_span(&to->buf, &spans[i], true);
        jg_pb_end(&to->buf, mark, 2);
        to->spans++;
    }
    jaeger_batch_unref(take);
    return status;
}

/** Finish a stream of spans: the last chunk, then the status. */
static jaeger_status end_spans(chunk_sender *to, jaeger_status status, const char *prefix, jaeger_call *call)
{
    status = status == JAEGER_OK ? flush(to, call) : store_status(status, prefix, call);
    jg_buf_done(&to->buf);
    return status;
}

/** 16 bytes, or 8 from old clients; absent is zero. */
static jaeger_status read_ref(jaeger_str request, jg_rpc_get_trace *ret, jaeger_trace_ref *ret_ref,
                              jaeger_call *call)
{
    if (jg_rpc_read_get_trace(request, ret, &call->error) != JAEGER_OK)
        return jg_query_grpc_unmarshal_failed(call);
    jaeger_str id = ret->trace_id;
    *ret_ref = (jaeger_trace_ref){.start_unix_ns = ret->start.unix_ns, .end_unix_ns = ret->end.unix_ns};
    if (id.len == 16 || id.len == 8) {
        memcpy(ret_ref->trace_id + 16 - id.len, id.ptr, id.len);
    } else if (id.len) {
        (void)jg_fail(&call->error, JAEGER_INTERNAL, "invalid length for TraceID");
        return jg_query_grpc_unmarshal_failed(call);
    }
    if (jg_id_is_zero(ret_ref->trace_id, 16))
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "uninitialized TraceID is not allowed");
    return JAEGER_OK;
}

static jaeger_status get_trace(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jg_rpc_get_trace in;
    jaeger_trace_ref ref;
    JG_TRY(read_ref(request, &in, &ref, call));
    chunk_sender to = {.stream = stream, .buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
    jaeger_status status = jaeger_query_get_trace(self, ref, jg_query_grpc_read(in.raw_traces),
                                                  (jaeger_consumer){send_spans, &to}, call);
    return end_spans(&to, status, "failed to fetch spans from the backend", call);
}

static jaeger_status archive_trace(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jg_rpc_get_trace in;
    jaeger_trace_ref ref;
    JG_TRY(read_ref(request, &in, &ref, call));
    jaeger_status status = jaeger_query_archive(self, ref, call);
    if (status == JAEGER_NOT_FOUND)
        return jg_fail(&call->error, JAEGER_NOT_FOUND, "trace not found: trace not found");
    if (status != JAEGER_OK)
        return store_status(status, "failed to archive trace", call);
    return jg_grpc_send(stream, "", 0, call);
}

static jaeger_status find_traces(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jg_rpc_find in;
    if (jg_rpc_read_find(JG_RPC_V2, request, call->arena, &in, &call->error) != JAEGER_OK)
        return jg_query_grpc_unmarshal_failed(call);
    if (!in.has_query)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "missing query");
    bool stopped = false;
    in.query.stopped_early = &stopped;
    chunk_sender to = {.stream = stream, .buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
    jaeger_status status = jaeger_query_find_traces(self, &in.query, jg_query_grpc_read(in.raw_traces),
                                                    (jaeger_consumer){send_spans, &to}, call);
    jg_query_grpc_stopped(stream, stopped);
    return end_spans(&to, status, "failed when searching for traces", call);
}

static jaeger_status get_services(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)request;
    jaeger_strs services = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jaeger_status status = jaeger_query_services(self, &services, call);
    if (status != JAEGER_OK)
        return store_status(status, "failed to fetch services", call);
    jg_rpc_write_services(&buf, &services);
    return jg_grpc_send_buf(stream, &buf, call);
}

static jaeger_status get_operations(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jg_rpc_operations in;
    jaeger_operations operations = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    if (jg_rpc_read_operations(request, &in, &call->error) != JAEGER_OK)
        return jg_query_grpc_unmarshal_failed(call);
    jaeger_status status = jaeger_query_operations(self, in.service, in.span_kind, &operations, call);
    if (status != JAEGER_OK)
        return store_status(status, "failed to fetch operations", call);
    jg_rpc_write_operations(JG_RPC_V2, &buf, &operations);
    return jg_grpc_send_buf(stream, &buf, call);
}

static jaeger_status get_dependencies(void *self, jaeger_str request, jg_grpc_stream *stream,
                                      jaeger_call *call)
{
    jg_rpc_range in;
    jaeger_dependencies dependencies = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    if (jg_rpc_read_range(request, &in, &call->error) != JAEGER_OK)
        return jg_query_grpc_unmarshal_failed(call);
    if (!in.start.set || !in.end.set)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "StartTime and EndTime must be initialized.");
    jaeger_status status =
        jaeger_query_dependencies(self, in.start.unix_ns, in.end.unix_ns, &dependencies, call);
    if (status != JAEGER_OK)
        return store_status(status, "failed to fetch dependencies", call);
    jg_rpc_write_dependencies(JG_RPC_V2, &buf, &dependencies);
    return jg_grpc_send_buf(stream, &buf, call);
}

size_t jg_query_grpc_v2(jaeger_query *query, jg_grpc_method *ret)
{
    const jg_grpc_method methods[] = {
        {"/jaeger.api_v2.QueryService/GetTrace", get_trace, query},
        {"/jaeger.api_v2.QueryService/ArchiveTrace", archive_trace, query},
        {"/jaeger.api_v2.QueryService/FindTraces", find_traces, query},
        {"/jaeger.api_v2.QueryService/GetServices", get_services, query},
        {"/jaeger.api_v2.QueryService/GetOperations", get_operations, query},
        {"/jaeger.api_v2.QueryService/GetDependencies", get_dependencies, query},
    };
    memcpy(ret, methods, sizeof methods);
    return JG_COUNT(methods);
}
