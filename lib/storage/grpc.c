/* SPDX-License-Identifier: Apache-2.0
 * Driver `grpc`: a client of any jaeger.storage.v2 server, Go Jaeger's remote-storage and our own included.
 * Writes are OTLP TraceService/Export on the same address or on `writer.endpoint`; OK is the server's OK.
 *
 * A server that does not know Capabilities is the least capable one; without native summaries the slot
 * answers UNIMPLEMENTED and the query service computes them. Spec: proto/jaeger/storage/v2; jaeger v2
 * internal/storage/v2/grpc.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "net/grpc_client.h"
#include "net/tenancy.h"
#include "wire/rpc.h"
#include <jaeger/storage.h>
#include <stddef.h>

typedef struct writer_config {
    jg_grpc_client_settings client;
} writer_config;

typedef struct grpc_config {
    jg_grpc_client_settings client;
    writer_config writer;
    uint64_t timeout_ns;
    uint64_t max_recv_msg_size_mib;
    jg_tenancy multi_tenancy;
    const jaeger_config *header_forwarding;
} grpc_config;

typedef struct grpc_storage {
    const grpc_config *config;
    jg_net *net;
    jg_grpc_client *reader, *writer; /* the same one, if the writer has no endpoint of its own */
} grpc_storage;

static const jaeger_field writer_fields[] = {
    {.kind = JAEGER_FIELD_SQUASH,
     .offset = offsetof(writer_config, client),
     .sub = jg_grpc_client_fields,
     .sub_size = sizeof(jg_grpc_client_settings)},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field fields[] = {
    {.kind = JAEGER_FIELD_SQUASH,
     .offset = offsetof(grpc_config, client),
     .sub = jg_grpc_client_fields,
     .sub_size = sizeof(jg_grpc_client_settings)},
    {.name = "writer",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(grpc_config, writer),
     .sub = writer_fields,
     .sub_size = sizeof(writer_config),
     .doc = "another address for writes; default: the same"},
    {.name = "timeout",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(grpc_config, timeout_ns),
     .fallback = "5s",
     .doc = "for one call"},
    {.name = "max_recv_msg_size_mib",
     .kind = JAEGER_FIELD_U64,
     .offset = offsetof(grpc_config, max_recv_msg_size_mib),
     .doc = "largest answer [MiB]; 0: 4"},
    JG_TENANCY_FIELD(grpc_config, multi_tenancy),
    {.name = "header_forwarding",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(grpc_config, header_forwarding),
     .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

static void close_storage(void *self)
{
    grpc_storage *storage = self;
    if (storage->writer != storage->reader)
        jg_grpc_client_free(storage->writer);
    jg_grpc_client_free(storage->reader);
    jg_net_free(storage->net);
}

static jaeger_status open_clients(grpc_storage *storage, jaeger_error *err)
{
    const grpc_config *config = storage->config;
    size_t recv_bytes_max = config->max_recv_msg_size_mib << 20;
    JG_TRY(jg_grpc_client_new(storage->net, &config->client, recv_bytes_max, &storage->reader, err));
    storage->writer = storage->reader;
    if (!config->writer.client.endpoint.len)
        return JAEGER_OK;
    storage->writer = NULL;
    return jg_grpc_client_new(storage->net, &config->writer.client, recv_bytes_max, &storage->writer, err);
}

static jaeger_status open_storage(void *self, const void *config, const jaeger_logger *log,
                                  struct jg_metrics *metrics, jaeger_error *err)
{
    grpc_storage *storage = self;
    const jg_net_options options = {.loop_threads = 1, .log = log, .metrics = metrics};
    storage->config = config;
    JG_TRY(jg_net_new(&options, &storage->net, err));
    jaeger_status status = open_clients(storage, err);
    if (status != JAEGER_OK)
        close_storage(storage);
    return status;
}

/** One call: the caller's deadline or the configured timeout, whichever is sooner; tenant and token as
 * metadata. */
static jaeger_status do_call(grpc_storage *storage, jg_grpc_client *client, jg_grpc_request *request,
                             jaeger_call *call)
{
    jaeger_pair metadata[2];
    jaeger_call own = *call;
    request->metadata = metadata;
    if (storage->config->multi_tenancy.enabled && call->tenant.len)
        metadata[request->metadata_count++] =
            (jaeger_pair){jg_tenancy_header(&storage->config->multi_tenancy), call->tenant};
    if (call->bearer_token.len)
        metadata[request->metadata_count++] = (jaeger_pair){JAEGER_STR("bearer.token"), call->bearer_token};
    if (storage->config->timeout_ns) {
        uint64_t latest = jg_clock_mono_ns() + storage->config->timeout_ns;
        own.deadline_ns = own.deadline_ns ? JG_MIN(own.deadline_ns, latest) : latest;
    }
    jaeger_status status = jg_grpc_call(client, request, &own);
    call->error = own.error;
    return status;
}

static jaeger_status keep_answer(void *user, jaeger_str message, jaeger_call *call)
{
    jg_buf *answer = user;
    jg_buf_str(answer, message);
    return jg_buf_ok(answer) ? JAEGER_OK
                             : jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "answer too large");
}

/** A unary call whose one answer goes to `answer`. */
static jaeger_status unary(grpc_storage *storage, const char *path, const jg_buf *message, jg_buf *answer,
                           jaeger_call *call)
{
    if (!jg_buf_ok(message))
        return jg_fail_oom(&call->error);
    jg_grpc_request request = {
        .path = path, .message = jg_buf_view(message), .on_message = keep_answer, .user = answer};
    return do_call(storage, storage->reader, &request, call);
}

static jaeger_status ignore_answer(void *user, jaeger_str message, jaeger_call *call)
{
    (void)user, (void)message, (void)call;
    return JAEGER_OK;
}

static jaeger_status write_spans(void *self, jaeger_batch *take, jaeger_call *call)
{
    grpc_storage *storage = self;
    size_t len = jaeger_batch_otlp_size(take);
    JG_AUTO_FREE void *bytes = jg_alloc(len);
    if (bytes)
        jaeger_batch_write_otlp(take, bytes);
    jaeger_batch_unref(take);
    if (!bytes)
        return jg_fail_oom(&call->error);
    jg_grpc_request request = {.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                               .message = {bytes, len},
                               .on_message = ignore_answer};
    return do_call(storage, storage->writer, &request, call);
}

/* ---- reading
 * --------------------------------------------------------------------------------------------------- */

static jaeger_status take_traces(void *user, jaeger_str message, jaeger_call *call)
{
    const jaeger_consumer *out = user;
    jaeger_batch *batch;
    JG_TRY(jaeger_batch_from_otlp((void *)message.ptr, message.len, NULL, NULL, &batch, &call->error));
    return out->consume(out->self, batch, call);
}

/** A streaming call; CANCELLED by the consumer ("enough") is passed on as it is. */
static jaeger_status stream_traces(grpc_storage *storage, const char *path, const jg_buf *message,
                                   jaeger_consumer out, jaeger_call *call)
{
    if (!jg_buf_ok(message))
        return jg_fail_oom(&call->error);
    jg_grpc_request request = {
        .path = path, .message = jg_buf_view(message), .on_message = take_traces, .user = &out};
    return do_call(storage, storage->reader, &request, call);
}

static jaeger_status get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    jg_rpc_write_get_traces(&message, refs, n);
    return stream_traces(self, "/jaeger.storage.v2.TraceReader/GetTraces", &message, out, call);
}

static jaeger_status find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                 jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    jg_rpc_write_find(&message, query);
    return stream_traces(self, "/jaeger.storage.v2.TraceReader/FindTraces", &message, out, call);
}

static jaeger_status find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                    jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX),
                       answer = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jg_rpc_write_find(&message, query);
    JG_TRY(unary(self, "/jaeger.storage.v2.TraceReader/FindTraceIDs", &message, &answer, call));
    return jg_rpc_read_trace_ids(jg_buf_view(&answer), ret, call);
}

static jaeger_status take_summaries(void *user, jaeger_str message, jaeger_call *call)
{
    return jg_rpc_read_summaries(message, *(const jaeger_summary_sink *)user, call);
}

static jaeger_status find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                    jaeger_call *call)
{
    grpc_storage *storage = self;
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    jg_rpc_write_find(&message, query);
    if (!jg_buf_ok(&message))
        return jg_fail_oom(&call->error);
    jg_grpc_request request = {.path = "/jaeger.storage.v2.TraceReader/FindTraceSummaries",
                               .message = jg_buf_view(&message),
                               .on_message = take_summaries,
                               .user = &out};
    return do_call(storage, storage->reader, &request, call);
}

static jaeger_status services(void *self, jaeger_strs *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(16), answer = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    JG_TRY(unary(self, "/jaeger.storage.v2.TraceReader/GetServices", &message, &answer, call));
    return jg_rpc_read_services(jg_buf_view(&answer), ret, call);
}

static jaeger_status operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                                jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX),
                       answer = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jg_rpc_write_operations_request(&message, service, kind);
    JG_TRY(unary(self, "/jaeger.storage.v2.TraceReader/GetOperations", &message, &answer, call));
    return jg_rpc_read_operation_list(jg_buf_view(&answer), ret, call);
}

static jaeger_status dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                  jaeger_dependencies *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(128), answer = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jg_rpc_write_range(&message, start_unix_ns, end_unix_ns);
    JG_TRY(unary(self, "/jaeger.storage.v2.DependencyReader/GetDependencies", &message, &answer, call));
    return jg_rpc_read_dependencies(jg_buf_view(&answer), ret, call);
}

static jaeger_status caps(void *self, jaeger_storage_caps *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(16), answer = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    *ret = (jaeger_storage_caps){.size = sizeof *ret};
    jaeger_status status =
        unary(self, "/jaeger.storage.v2.Capabilities/GetCapabilities", &message, &answer, call);
    if (status == JAEGER_UNIMPLEMENTED)
        return JAEGER_OK; /* an older server: the least capable one */
    return status == JAEGER_OK ? jg_rpc_read_caps(jg_buf_view(&answer), ret, &call->error) : status;
}

const jaeger_storage_driver jg_storage_grpc = {
    .size = sizeof(jaeger_storage_driver),
    .name = "grpc",
    .doc = "any server of jaeger.storage.v2",
    .fields = fields,
    .config_size = sizeof(grpc_config),
    .state_size = sizeof(grpc_storage),
    .open = open_storage,
    .close = close_storage,
    .caps = caps,
    .write = write_spans,
    .get_traces = get_traces,
    .find_traces = find_traces,
    .find_trace_ids = find_trace_ids,
    .find_summaries = find_summaries,
    .services = services,
    .operations = operations,
    .dependencies = dependencies,
};
