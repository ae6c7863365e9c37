/* SPDX-License-Identifier: Apache-2.0
 * jaeger.api_v3.QueryService: traces go out as OTLP TracesData, one message a trace, large ones in several;
 * raw reads as the chunks come. Filter, order and cursor of docs/search.md come and go as metadata, which
 * Jaeger's clients neither send nor look at. Spec: proto/jaeger/api_v3/query_service.proto; status codes and
 * texts as Jaeger v2.
 */
#include "query/grpc.h"

#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/expr.h"
#include "query/ranking.h"
#include "query/service.h"
#include "wire/rpc.h"

#define SEARCH_DEPTH_DEFAULT 100

jaeger_status jg_query_grpc_unmarshal_failed(jaeger_call *call)
{
    call->error.status = JAEGER_INTERNAL;
    return jg_fail_prefix(&call->error, "grpc: failed to unmarshal the received message");
}

jaeger_read_options jg_query_grpc_read(bool raw)
{
    return (jaeger_read_options){.raw = raw, .streamed = !raw};
}

/** What Jaeger answers when a store fails: UNKNOWN with the store's text. Statuses with a meaning of their
 * own pass. */
static jaeger_status store_status(jaeger_status status, jaeger_call *call)
{
    switch (status) {
    case JAEGER_OK:
    case JAEGER_NOT_FOUND:
    case JAEGER_CANCELLED:
    case JAEGER_DEADLINE_EXCEEDED:
    case JAEGER_RESOURCE_EXHAUSTED:
    case JAEGER_UNAVAILABLE:
    case JAEGER_INVALID_ARGUMENT:
        return status;
    default:
        call->error.status = JAEGER_UNKNOWN;
        return JAEGER_UNKNOWN;
    }
}

void jg_query_grpc_stopped(jg_grpc_stream *stream, bool stopped_early)
{
    if (stopped_early)
        jg_grpc_add_trailer(stream, "jaeger-stopped-early", JAEGER_STR("true"));
}

/** Sends each batch as one TracesData, each summary as one response. */
typedef struct sender {
    jg_grpc_stream *stream;
    jg_buf buf;
} sender;

static sender sender_of(jg_grpc_stream *stream)
{
    return (sender){stream, JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
}

static jaeger_status send_traces(void *self, jaeger_batch *take, jaeger_call *call)
{
    sender *to = self;
    size_t len = jaeger_batch_otlp_size(take);
    jaeger_status status = JAEGER_OK;
    jg_buf_clear(&to->buf);
    if (jg_buf_reserve(&to->buf, len)) {
        jaeger_batch_write_otlp(take, to->buf.data);
        to->buf.len = len;
    }
    if (len)
        status = jg_grpc_send_buf(to->stream, &to->buf, call);
    jaeger_batch_unref(take);
    return status;
}

/** Hex of 1 to 32 digits, as strconv.ParseUint takes it. */
static jaeger_status read_trace_id(jaeger_str text, uint8_t ret[16], jaeger_call *call)
{
    char padded[32];
    if (text.len > sizeof padded)
        return jg_fail(&call->error, JAEGER_UNKNOWN,
                       "malform trace ID: TraceID cannot be longer than 32 hex characters: %.*s",
                       JAEGER_STR_ARGS(text));
    memset(padded, '0', sizeof padded);
    if (text.len) {
        memcpy(padded + sizeof padded - text.len, text.ptr, text.len);
        if (jg_hex_decode((jaeger_str){padded, sizeof padded}, ret, 16))
            return JAEGER_OK;
    }
    return jg_fail(&call->error, JAEGER_UNKNOWN,
                   "malform trace ID: strconv.ParseUint: parsing \"%.*s\": invalid syntax",
                   JAEGER_STR_ARGS(text));
}

static jaeger_status get_trace(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jg_rpc_get_trace in;
    jaeger_trace_ref ref = {0};
    if (jg_rpc_read_get_trace(request, &in, &call->error) != JAEGER_OK)
        return jg_query_grpc_unmarshal_failed(call);
    JG_TRY(read_trace_id(in.trace_id, ref.trace_id, call));
    ref.start_unix_ns = in.start.unix_ns;
    ref.end_unix_ns = in.end.unix_ns;
    sender to = sender_of(stream);
    jaeger_status status = jaeger_query_get_trace(self, ref, jg_query_grpc_read(in.raw_traces),
                                                  (jaeger_consumer){send_traces, &to}, call);
    jg_buf_done(&to.buf);
    return store_status(status, call);
}

/** The structured filter; it takes the place of the older conditions. */
static jaeger_status read_filter(const jaeger_query *service, jg_rpc_find *find, jaeger_call *call)
{
    jaeger_trace_query *query = &find->query;
    if (!jg_query_takes_structured(service))
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "%s", JG_STRUCTURED_DISABLED);
    if (query->service.len || query->operation.len || query->attr_count || query->duration_min_ns ||
        query->duration_max_ns)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "query.filter cannot be combined with service_name, operation_name, attributes, "
                       "duration_min or duration_max");
    if (jg_filter_from_pb(find->filter, call->arena, &query->filter, &call->error) == JAEGER_OK)
        return JAEGER_OK;
    return jg_fail_prefix(&call->error, "query.filter");
}

/** A search, and the page of it that metadata asks for. */
typedef struct v3_search {
    jg_rpc_find in;
    bool paged;
    jaeger_page page;
} v3_search;

/** A filter in text, an order, a cursor. A text beyond ASCII comes as jaeger-filter-bin. */
static jaeger_status read_page(const jg_grpc_stream *stream, v3_search *ret, jaeger_call *call)
{
    jaeger_str filter = jg_grpc_metadata(stream, "jaeger-filter"),
               order = jg_grpc_metadata(stream, "jaeger-order");
    if (!filter.len)
        filter = jg_grpc_metadata(stream, "jaeger-filter-bin");
    ret->page = (jaeger_page){.size = sizeof ret->page, .cursor = jg_grpc_metadata(stream, "jaeger-cursor")};
    ret->paged = filter.len || order.len || ret->page.cursor.len || ret->in.has_filter;
    ret->in.query.stopped_early = &ret->page.stopped_early;
    if (filter.len && ret->in.has_filter)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "jaeger-filter cannot be combined with query.filter");
    if (filter.len &&
        jg_filter_parse(JG_EXPR_TEXT, filter, call->arena, &ret->in.query.filter, &call->error) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "jaeger-filter");
    if (order.len && !jg_order_of(order, &ret->page.order))
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "jaeger-order: expected newest, longest, spans or errors");
    if (jg_page_check(&ret->page, &call->error) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "jaeger-cursor");
    return JAEGER_OK;
}

static void send_page(jg_grpc_stream *stream, const v3_search *s)
{
    jg_query_grpc_stopped(stream, s->page.stopped_early);
    if (s->page.next.len)
        jg_grpc_add_trailer(stream, "jaeger-next-cursor", s->page.next);
}

static jaeger_status read_find(const jaeger_query *service, jaeger_str request, const jg_grpc_stream *stream,
                               v3_search *search, jaeger_call *call)
{
    jg_rpc_find *ret = &search->in;
    *search = (v3_search){0};
    if (jg_rpc_read_find(JG_RPC_V3, request, call->arena, ret, &call->error) != JAEGER_OK)
        return jg_query_grpc_unmarshal_failed(call);
    if (!ret->has_query)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "missing query");
    if (ret->has_filter)
        JG_TRY(read_filter(service, ret, call));
    JG_TRY(read_page(stream, search, call));
    if (!ret->start_min.set || !ret->start_max.set)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "start time min and max are required parameters");
    if (ret->search_depth <= 0)
        ret->query.limit = SEARCH_DEPTH_DEFAULT;
    return JAEGER_OK;
}

static jaeger_status find_traces(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    v3_search s;
    JG_TRY(read_find(self, request, stream, &s, call));
    sender to = sender_of(stream);
    jaeger_consumer out = {send_traces, &to};
    jaeger_read_options read = jg_query_grpc_read(s.in.raw_traces);
    jaeger_status status = s.paged ? jaeger_query_find_page(self, &s.in.query, &s.page, read, out, call)
                                   : jaeger_query_find_traces(self, &s.in.query, read, out, call);
    jg_buf_done(&to.buf);
    send_page(stream, &s);
    return store_status(status, call);
}

static jaeger_status send_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    sender *to = self;
    jg_buf_clear(&to->buf);
    jg_rpc_write_summary(JG_RPC_V3, &to->buf, summary);
    return jg_grpc_send_buf(to->stream, &to->buf, call);
}

static jaeger_status find_summaries(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    v3_search s;
    JG_TRY(read_find(self, request, stream, &s, call));
    sender to = sender_of(stream);
    jaeger_summary_sink out = {send_summary, &to};
    jaeger_status status = s.paged ? jg_query_find_summary_page(self, &s.in.query, &s.page, out, call)
                                   : jaeger_query_find_summaries(self, &s.in.query, out, call);
    jg_buf_done(&to.buf);
    send_page(stream, &s);
    return store_status(status, call);
}

static jaeger_status get_services(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)request;
    jaeger_strs services = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jaeger_status status = jaeger_query_services(self, &services, call);
    if (status != JAEGER_OK)
        return store_status(status, call);
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
        return store_status(status, call);
    jg_rpc_write_operations(JG_RPC_V3, &buf, &operations);
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
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "%s is required",
                       in.start.set ? "end_time" : "start_time");
    if (in.end.unix_ns <= in.start.unix_ns)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "end_time must be after start_time");
    jaeger_status status =
        jaeger_query_dependencies(self, in.start.unix_ns, in.end.unix_ns, &dependencies, call);
    if (status != JAEGER_OK)
        return store_status(status, call);
    jg_rpc_write_dependencies(JG_RPC_V3, &buf, &dependencies);
    return jg_grpc_send_buf(stream, &buf, call);
}

size_t jg_query_grpc_v3(jaeger_query *query, jg_grpc_method *ret)
{
    const jg_grpc_method methods[] = {
        {"/jaeger.api_v3.QueryService/GetTrace", get_trace, query},
        {"/jaeger.api_v3.QueryService/FindTraces", find_traces, query},
        {"/jaeger.api_v3.QueryService/FindTraceSummaries", find_summaries, query},
        {"/jaeger.api_v3.QueryService/GetServices", get_services, query},
        {"/jaeger.api_v3.QueryService/GetOperations", get_operations, query},
        {"/jaeger.api_v3.QueryService/GetDependencies", get_dependencies, query},
    };
    memcpy(ret, methods, sizeof methods);
    return JG_COUNT(methods);
}

const char *const jg_query_grpc_health[] = {"", "jaeger.api_v2.QueryService", "jaeger.api_v3.QueryService",
                                            "jaeger.api_v2.metrics.MetricsQueryService"};
const size_t jg_query_grpc_health_count = JG_COUNT(jg_query_grpc_health);
