/* SPDX-License-Identifier: Apache-2.0
 * Extension remote_storage: serves jaeger.storage.v2 over one of our backends, so that any Jaeger can use it
 * as its `grpc` storage. Writes come as OTLP TraceService/Export; OK is answered after the backend's own OK.
 *
 * A client takes 4 MiB a message unless told otherwise, so a chunk above 3 MiB is split between spans; chunks
 * of one trace stay consecutive, as the protocol demands. A query without its `query` message crashes Go's
 * server; ours answers INVALID_ARGUMENT. Spec: proto/jaeger/storage/v2; jaeger v2 internal/storage/v2/grpc.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr.h"
#include "net/auth.h"
#include "pipeline/host.h"
#include "wire/descriptors.h"
#include "wire/rpc.h"
#include <stddef.h>

#define CHUNK_BYTES_MAX (3u << 20) /* under gRPC's 4 MiB, with room for what a proxy may add */

typedef struct remote_storage_config {
    jg_grpc_server_settings server;
    jaeger_str storage;
    jg_tenancy multi_tenancy;
} remote_storage_config;

typedef struct remote_storage {
    const remote_storage_config *config;
    jaeger_host *host;
    jaeger_storage backend;
    jg_auth auth;
    jg_grpc_server *server;
} remote_storage;

static const jaeger_field fields[] = {
    JG_GRPC_SERVER_FIELDS(remote_storage_config, server, ":17271"),
    {.name = "storage",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(remote_storage_config, storage),
     .doc = "backend of jaeger_storage to serve",
     .required = true},
    JG_TENANCY_FIELD(remote_storage_config, multi_tenancy),
    {.kind = JAEGER_FIELD_END},
};

static jaeger_status read_caps(remote_storage *remote, jaeger_storage_caps *ret, jaeger_call *call)
{
    *ret = (jaeger_storage_caps){.size = sizeof *ret};
    return remote->backend.driver->caps ? remote->backend.driver->caps(remote->backend.self, ret, call)
                                        : JAEGER_OK;
}

static jaeger_status unimplemented(jaeger_call *call, const char *what)
{
    return jg_fail(&call->error, JAEGER_UNIMPLEMENTED, "this storage does not support %s", what);
}

/* ---- reading
 * --------------------------------------------------------------------------------------------------- */

typedef struct sender {
    jg_grpc_stream *stream;
    jg_buf buf;
} sender;

static sender sender_of(jg_grpc_stream *stream)
{
    return (sender){stream, JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
}

static jaeger_status send_chunk(sender *to, const jaeger_batch *batch, jaeger_call *call)
{
    size_t len = jaeger_batch_otlp_size(batch);
    jg_buf_clear(&to->buf);
    if (jg_buf_reserve(&to->buf, len)) {
        jaeger_batch_write_otlp(batch, to->buf.data);
        to->buf.len = len;
    }
    return jg_grpc_send_buf(to->stream, &to->buf, call);
}

/** Spans from `from` on that fit into one message, at least one. */
static size_t fitting_spans(const jaeger_batch *batch, size_t from)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t n = jaeger_batch_span_count(batch), bytes = 0, i = from;
    for (; i < n; i++) {
        bytes += spans[i].len + 16;
        if (i == from || spans[i].group != spans[i - 1].group)
            bytes += spans[i].group->resource.len + spans[i].group->scope.len + 64;
        if (bytes > CHUNK_BYTES_MAX && i > from)
            break;
    }
    return i - from;
}

static jaeger_status send_split(sender *to, jaeger_batch *batch, jaeger_call *call)
{
    size_t n = jaeger_batch_span_count(batch);
    uint32_t *indexes = jaeger_arena_alloc(call->arena, n * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(&call->error);
    for (size_t i = 0; i < n; i++)
        indexes[i] = (uint32_t)i;
    for (size_t from = 0; from < n;) {
        JG_AUTO_BATCH jaeger_batch *part = NULL;
        size_t count = fitting_spans(batch, from);
        JG_TRY(jg_batch_select(batch, indexes + from, count, &part, &call->error));
        JG_TRY(send_chunk(to, part, call));
        from += count;
    }
    return JAEGER_OK;
}

static jaeger_status send_traces(void *self, jaeger_batch *take, jaeger_call *call)
{
    JG_AUTO_BATCH jaeger_batch *batch = take;
    if (jaeger_batch_span_count(batch) == 0)
        return JAEGER_OK; /* the protocol knows no empty chunk */
    return jaeger_batch_otlp_size(batch) <= CHUNK_BYTES_MAX ? send_chunk(self, batch, call)
                                                            : send_split(self, batch, call);
}

static jaeger_status get_traces(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    remote_storage *remote = self;
    jaeger_trace_ref *refs;
    size_t n;
    JG_TRY(jg_rpc_read_get_traces(request, call->arena, &refs, &n, &call->error));
    sender to = sender_of(stream);
    jaeger_status status = remote->backend.driver->get_traces(remote->backend.self, refs, n,
                                                              (jaeger_consumer){send_traces, &to}, call);
    jg_buf_done(&to.buf);
    return status;
}

/** Jaeger's structured filter stands alone; one of our own goes with the other conditions, and what of it
 * depends on whole traces is taken as met: the client tests that. */
static jaeger_status read_filter(remote_storage *remote, jg_rpc_find *find, jaeger_call *call)
{
    jaeger_trace_query *query = &find->query;
    jaeger_storage_caps caps;
    JG_TRY(read_caps(remote, &caps, call));
    if (!caps.filter)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "this storage does not support query.filter");
    if (find->has_source)
        return jg_filter_from_source(find->source_form, find->source, call->arena, &query->filter,
                                     &call->error);
    if (query->service.len || query->operation.len || query->attr_count || query->duration_min_ns ||
        query->duration_max_ns)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "query.filter cannot be combined with service_name, operation_name, attributes, "
                       "duration_min or duration_max");
    return jg_filter_from_pb(find->filter, call->arena, &query->filter, &call->error);
}

static jaeger_status read_find(remote_storage *remote, jaeger_str request, jg_rpc_find *ret,
                               jaeger_call *call)
{
    JG_TRY(jg_rpc_read_find(JG_RPC_STORAGE, request, call->arena, ret, &call->error));
    if (!ret->has_query)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "missing query");
    return ret->has_filter || ret->has_source ? read_filter(remote, ret, call) : JAEGER_OK;
}

static jaeger_status find_traces(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    remote_storage *remote = self;
    jg_rpc_find in;
    JG_TRY(read_find(remote, request, &in, call));
    if (!remote->backend.driver->find_traces)
        return unimplemented(call, "FindTraces");
    sender to = sender_of(stream);
    jaeger_status status = remote->backend.driver->find_traces(remote->backend.self, &in.query,
                                                               (jaeger_consumer){send_traces, &to}, call);
    jg_buf_done(&to.buf);
    return status;
}

static jaeger_status find_trace_ids(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    remote_storage *remote = self;
    jg_rpc_find in;
    jaeger_trace_refs refs = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    JG_TRY(read_find(remote, request, &in, call));
    if (!remote->backend.driver->find_trace_ids)
        return unimplemented(call, "FindTraceIDs");
    JG_TRY(remote->backend.driver->find_trace_ids(remote->backend.self, &in.query, &refs, call));
    jg_rpc_write_trace_ids(&buf, &refs);
    return jg_grpc_send_buf(stream, &buf, call);
}

static jaeger_status send_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    sender *to = self;
    jg_buf_clear(&to->buf);
    jg_rpc_write_summary(JG_RPC_STORAGE, &to->buf, summary);
    return jg_grpc_send_buf(to->stream, &to->buf, call);
}

static jaeger_status find_summaries(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    remote_storage *remote = self;
    jg_rpc_find in;
    JG_TRY(read_find(remote, request, &in, call));
    if (!remote->backend.driver->find_summaries)
        return unimplemented(call, "FindTraceSummaries");
    sender to = sender_of(stream);
    jaeger_status status = remote->backend.driver->find_summaries(
        remote->backend.self, &in.query, (jaeger_summary_sink){send_summary, &to}, call);
    jg_buf_done(&to.buf);
    return status;
}

static jaeger_status get_services(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)request;
    remote_storage *remote = self;
    jaeger_strs services = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    if (!remote->backend.driver->services)
        return unimplemented(call, "GetServices");
    JG_TRY(remote->backend.driver->services(remote->backend.self, &services, call));
    jg_rpc_write_services(&buf, &services);
    return jg_grpc_send_buf(stream, &buf, call);
}

static jaeger_status get_operations(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    remote_storage *remote = self;
    jg_rpc_operations in;
    jaeger_operations operations = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    JG_TRY(jg_rpc_read_operations(request, &in, &call->error));
    if (!remote->backend.driver->operations)
        return unimplemented(call, "GetOperations");
    JG_TRY(remote->backend.driver->operations(remote->backend.self, in.service, in.span_kind, &operations,
                                              call));
    jg_rpc_write_operations(JG_RPC_STORAGE, &buf, &operations);
    return jg_grpc_send_buf(stream, &buf, call);
}

static jaeger_status get_dependencies(void *self, jaeger_str request, jg_grpc_stream *stream,
                                      jaeger_call *call)
{
    remote_storage *remote = self;
    jg_rpc_range in;
    jaeger_dependencies links = {0};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    JG_TRY(jg_rpc_read_range(request, &in, &call->error));
    if (!remote->backend.driver->dependencies)
        return unimplemented(call, "GetDependencies");
    JG_TRY(remote->backend.driver->dependencies(remote->backend.self, in.start.unix_ns,
                                                in.end.set ? in.end.unix_ns : UINT64_MAX, &links, call));
    jg_rpc_write_dependencies(JG_RPC_STORAGE, &buf, &links);
    return jg_grpc_send_buf(stream, &buf, call);
}

static jaeger_status get_capabilities(void *self, jaeger_str request, jg_grpc_stream *stream,
                                      jaeger_call *call)
{
    (void)request;
    remote_storage *remote = self;
    jaeger_storage_caps caps;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(512);
    JG_TRY(read_caps(remote, &caps, call));
    jg_rpc_write_caps(&buf, &caps);
    return jg_grpc_send_buf(stream, &buf, call);
}

/* ---- writing
 * --------------------------------------------------------------------------------------------------- */

static jaeger_status export_traces(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)request;
    remote_storage *remote = self;
    jaeger_batch *batch;
    void *bytes, *user;
    size_t len;
    jaeger_release_fn release;
    if (jg_grpc_take_request(stream, &bytes, &len, &release, &user)) {
        JG_TRY(jaeger_batch_from_otlp(bytes, len, release, user, &batch, &call->error));
        JG_TRY(remote->backend.driver->write(remote->backend.self, batch, call));
    }
    return jg_grpc_send(stream, "\x0a\x00", 2, call); /* an empty partial_success, as Go's server answers */
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------ */

static jaeger_status create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    remote_storage *remote = self;
    remote->config = in->config;
    remote->host = in->host;
    return JAEGER_OK;
}

/** Who calls, and for which tenant. */
static jaeger_status identify(void *self, jaeger_call *call)
{
    remote_storage *remote = self;
    jg_grpc_auth login = jg_auth_for_grpc(&remote->auth);
    if (login.check)
        JG_TRY(login.check(login.self, call));
    return jg_tenancy_check(&remote->config->multi_tenancy, call->metadata, call->metadata_count, call);
}

static const char *const health_services[] = {
    "", "jaeger.storage.v2.TraceReader", "jaeger.storage.v2.DependencyReader",
    "jaeger.storage.v2.TraceWriter", "jaeger.storage.v2.Capabilities"};

static jaeger_status start(void *self, jaeger_error *err)
{
    remote_storage *remote = self;
    void *storage_self;
    const jaeger_storage_interface *storage =
        jaeger_host_extension(remote->host, "jaeger_storage", JAEGER_STORAGE_INTERFACE, &storage_self);
    if (!storage)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "remote_storage needs the extension jaeger_storage");
    JG_TRY(storage->open(storage_self, remote->config->storage.ptr, &remote->backend, err));
    remote->auth.tenancy = &remote->config->multi_tenancy;
    JG_TRY(jg_host_auth(remote->host, &remote->config->server.auth, &remote->auth.who, err));
    const jg_grpc_method methods[] = {
        /* reads do not stand before writes */
        {"/jaeger.storage.v2.TraceReader/GetTraces", get_traces, remote, true},
        {"/jaeger.storage.v2.TraceReader/GetServices", get_services, remote, true},
        {"/jaeger.storage.v2.TraceReader/GetOperations", get_operations, remote, true},
        {"/jaeger.storage.v2.TraceReader/FindTraces", find_traces, remote, true},
        {"/jaeger.storage.v2.TraceReader/FindTraceIDs", find_trace_ids, remote, true},
        {"/jaeger.storage.v2.TraceReader/FindTraceSummaries", find_summaries, remote, true},
        {"/jaeger.storage.v2.DependencyReader/GetDependencies", get_dependencies, remote, true},
        {"/jaeger.storage.v2.Capabilities/GetCapabilities", get_capabilities, remote, true},
        {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", export_traces, remote, false},
    };
    const jg_grpc_server_options options = {
        .settings = &remote->config->server,
        .methods = methods,
        .method_count = JG_COUNT(methods),
        .auth = {identify, remote},
        .health_services = health_services,
        .health_service_count = JG_COUNT(health_services),
        .descriptors = {(const char *)jg_descriptors, jg_descriptors_len},
        .name = "remote_storage",
    };
    return jg_grpc_server_start(jg_host_net(remote->host), &options, &remote->server, err);
}

static void stop(void *self, uint64_t deadline_ns)
{
    remote_storage *remote = self;
    jg_grpc_server_stop(remote->server, deadline_ns);
    remote->server = NULL;
}

static const char *const depends[] = {"jaeger_storage", NULL};

const jaeger_component_type jg_extension_remote_storage = {
    .size = sizeof(jaeger_component_type),
    .name = "remote_storage",
    .doc = "serves a storage backend to other Jaegers (jaeger.storage.v2)",
    .kind = JAEGER_EXTENSION,
    .fields = fields,
    .config_size = sizeof(remote_storage_config),
    .state_size = sizeof(remote_storage),
    .create = create,
    .start = start,
    .stop = stop,
    .depends = depends,
};
