/* SPDX-License-Identifier: Apache-2.0
 * The OTLP receiver, for traces and metrics: gRPC Export on 4317, POST /v1/traces and /v1/metrics on 4318 in
 * protobuf or JSON. A signal that no pipeline takes is not served. A protobuf request becomes a batch where
 * it lies. The answer waits for the pipeline. Spec: https://opentelemetry.io/docs/specs/otlp/; texts and
 * statuses of the Collector's otlpreceiver.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/metrics.h"
#include "core/str.h"
#include "model/batch.h"
#include "net/auth.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/settings.h"
#include "net/status.h"
#include "pipeline/host.h"
#include "wire/otlp_json.h"
#include <jaeger/component.h>
#include <stdio.h>

#define STATUS_BYTES_MAX 4096 /* a google.rpc.Status: its message is bounded by jaeger_error */

typedef struct otlp_grpc_config {
    bool enabled;
    jg_grpc_server_settings server;
} otlp_grpc_config;

typedef struct otlp_http_config {
    bool enabled;
    jg_http_server_settings server;
    jaeger_str traces_url_path, metrics_url_path, logs_url_path;
} otlp_http_config;

typedef struct otlp_config {
    struct {
        otlp_grpc_config grpc;
        otlp_http_config http;
    } protocols;
} otlp_config;

typedef struct otlp_port otlp_port;

/** A signal over one protocol. */
typedef struct otlp_stream {
    otlp_port *port;
    jaeger_status (*from_otlp)(void *bytes, size_t len, jaeger_release_fn release, void *user,
                               jaeger_batch **ret, jaeger_error *err);
    jaeger_status (*from_json)(jaeger_str json, jaeger_batch **ret, jaeger_error *err);
    jg_metric *accepted, *refused;
} otlp_stream;

/** A protocol. */
struct otlp_port {
    struct otlp *receiver;
    jg_auth auth;
    otlp_stream traces, metrics; /* port NULL: not served */
};

typedef struct otlp {
    const char *id;
    const otlp_config *config;
    jaeger_consumer next;
    bool (*next_defers)(void *self);
    uint32_t signals;
    jaeger_host *host;
    otlp_port grpc, http;
    jg_grpc_server *grpc_server;
    jg_http_server *http_server;
} otlp;

/* ---- both protocols
 * --------------------------------------------------------------------------------------------- */

/** An Export…ServiceResponse with an empty partial_success, as the Collector writes it. */
static const char export_response[] = "\x0a\x00";

static void count(const otlp_stream *stream, size_t items, jaeger_status status)
{
    jg_metric_add(status == JAEGER_OK ? stream->accepted : stream->refused, (double)items);
}

/** A request whose pipeline answers later; in its arena. */
typedef struct otlp_pending {
    const otlp_stream *stream;
    void (*answer)(struct otlp_pending *pending, jaeger_status status);
    void *reply; /* jg_grpc_stream, or jg_http_reply */
    jaeger_call *call;
    size_t items;
    const jaeger_later *outer;
    jaeger_later later;
} otlp_pending;

static void ended(void *user, jaeger_status status)
{
    otlp_pending *pending = user;
    count(pending->stream, pending->items, status);
    pending->answer(pending, status);
}

/** Takes the batch. An empty one is a success that nobody hears of.
 *  @param pending a copy of it is told the end if that comes later; `answer` and `reply` are set */
static jaeger_status deliver(const otlp_stream *stream, jaeger_batch *batch, jaeger_call *call,
                             otlp_pending pending)
{
    const jaeger_consumer *next = &stream->port->receiver->next;
    size_t items = jg_batch_items(batch);
    if (!items) {
        jaeger_batch_unref(batch);
        return JAEGER_OK;
    }
    if (call->later) {
        otlp_pending *own = jaeger_arena_alloc(call->arena, sizeof *own);
        if (!own) {
            jaeger_batch_unref(batch);
            return jg_fail_oom(&call->error);
        }
        *own = pending;
        own->stream = stream;
        own->call = call;
        own->items = items;
        own->outer = call->later;
        own->later = (jaeger_later){ended, own};
        call->later = &own->later;
    }
    jaeger_status status = next->consume(next->self, batch, call);
    if (status != JAEGER_PENDING)
        count(stream, items, status);
    return status;
}

static void init_traces(otlp_port *port, jg_metrics *metrics, const jaeger_pair labels[2])
{
    port->traces = (otlp_stream){
        .port = port,
        .from_otlp = jaeger_batch_from_otlp,
        .from_json = jg_otlp_json_to_batch,
        .accepted = jg_metrics_counter(metrics, "otelcol_receiver_accepted_spans",
                                       "Number of spans successfully pushed into the pipeline.", labels, 2),
        .refused =
            jg_metrics_counter(metrics, "otelcol_receiver_refused_spans",
                               "Number of spans that could not be pushed into the pipeline.", labels, 2)};
    (void)jg_metrics_counter(
        metrics, "otelcol_receiver_failed_spans",
        "The number of spans that failed to be processed by the receiver due to internal errors.", labels, 2);
}

static void init_metrics(otlp_port *port, jg_metrics *metrics, const jaeger_pair labels[2])
{
    port->metrics = (otlp_stream){
        .port = port,
        .from_otlp = jaeger_batch_from_otlp_metrics,
        .from_json = jg_otlp_json_to_metrics,
        .accepted =
            jg_metrics_counter(metrics, "otelcol_receiver_accepted_metric_points",
                               "Number of metric points successfully pushed into the pipeline.", labels, 2),
        .refused = jg_metrics_counter(metrics, "otelcol_receiver_refused_metric_points",
                                      "Number of metric points that could not be pushed into the pipeline.",
                                      labels, 2)};
    (void)jg_metrics_counter(
        metrics, "otelcol_receiver_failed_metric_points",
        "The number of metric points that failed to be processed by the receiver due to internal errors.",
        labels, 2);
}

static void init_port(otlp *self, otlp_port *port, const char *transport)
{
    jg_metrics *metrics = jaeger_host_metrics(self->host);
    const jaeger_pair labels[] = {{JAEGER_STR("receiver"), jg_str(self->id)},
                                  {JAEGER_STR("transport"), jg_str(transport)}};
    port->receiver = self;
    if (self->signals & JAEGER_TRACES)
        init_traces(port, metrics, labels);
    if (self->signals & JAEGER_METRICS)
        init_metrics(port, metrics, labels);
}

/* ---- gRPC
 * ------------------------------------------------------------------------------------------------------- */

static void grpc_answer(otlp_pending *pending, jaeger_status status)
{
    const jaeger_later *outer = pending->outer; /* the arena goes with the call */
    if (status == JAEGER_OK)
        status = jg_grpc_send(pending->reply, export_response, sizeof export_response - 1, pending->call);
    outer->done(outer->user, status);
}

static jaeger_status grpc_export(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    void *bytes = NULL, *user = NULL;
    size_t len = 0;
    jaeger_release_fn release = NULL;
    jaeger_batch *batch;
    if (request.len && jg_grpc_take_request(stream, &bytes, &len, &release, &user)) {
        const otlp_stream *to = self;
        JG_TRY(to->from_otlp(bytes, len, release, user, &batch, &call->error));
        JG_TRY(deliver(to, batch, call, (otlp_pending){.answer = grpc_answer, .reply = stream}));
    } else if (request.len) {
        return jg_fail_oom(&call->error);
    }
    return jg_grpc_send(stream, export_response, sizeof export_response - 1, call);
}

/* ---- HTTP
 * ------------------------------------------------------------------------------------------------------- */

typedef enum otlp_encoding { ENCODING_NONE, ENCODING_PROTOBUF, ENCODING_JSON } otlp_encoding;

static const char *const content_types[] = {NULL, "application/x-protobuf", "application/json"};

static otlp_encoding encoding_of(jaeger_str content_type)
{
    jaeger_str type = jg_str_trim((jaeger_str){content_type.ptr, jg_str_find(content_type, ';')});
    for (int i = ENCODING_PROTOBUF; i <= ENCODING_JSON; i++)
        if (jg_str_eq_nocase(type, jg_str(content_types[i])))
            return (otlp_encoding)i;
    return ENCODING_NONE;
}

/** A google.rpc.Status in the encoding of the request. */
static void send_status(jg_http_reply *reply, otlp_encoding encoding, int http_status,
                        const jaeger_error *error)
{
    jg_buf body JG_AUTO_BUF = JG_BUF_INIT(STATUS_BYTES_MAX);
    bool retryable = http_status == 429 || http_status == 503;
    if (retryable && error->retry_after_ms) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%u", error->retry_after_ms / 1000);
        jg_http_add_header(reply, "Retry-After", jg_str(seconds));
    }
    if (encoding == ENCODING_JSON)
        jg_status_write_json(&body, error->status, jg_str(error->message));
    else
        jg_status_write_pb(&body, error->status, jg_str(error->message), error->retry_after_ms);
    jg_http_send(reply, http_status, content_types[encoding], jg_buf_view(&body));
}

/** What the server found before us: coding, size, auth. On any path and method. */
static void refuse_request(jg_http_request *request, jg_http_reply *reply, jaeger_error *error)
{
    otlp_encoding encoding = encoding_of(request->content_type);
    if (error->status == JAEGER_RESOURCE_EXHAUSTED)
        error->status = JAEGER_INVALID_ARGUMENT;
    if (encoding == ENCODING_NONE)
        jg_http_send(reply, 500, "application/json",
                     JAEGER_STR("{\"code\": 13, \"message\": \"failed to marshal error message\"}"));
    else
        send_status(reply, encoding, jg_status_to_http(error->status), error);
}

/** @return OK with *ret NULL for an empty request */
static jaeger_status read_batch(const otlp_stream *stream, jg_http_request *request, otlp_encoding encoding,
                                jaeger_batch **ret)
{
    jaeger_error *err = &request->call->error;
    void *bytes, *user;
    size_t len;
    jaeger_release_fn release;
    *ret = NULL;
    if (encoding == ENCODING_JSON)
        return stream->from_json(request->body, ret, err);
    if (!request->body.len)
        return JAEGER_OK;
    if (!jg_http_take_body(request, &bytes, &len, &release, &user))
        return jg_fail_oom(err);
    return stream->from_otlp(bytes, len, release, user, ret, err);
}

static void http_export(const otlp_stream *stream, jg_http_request *request, otlp_encoding encoding,
                        jg_http_reply *reply)
{
    jaeger_batch *batch;
    jaeger_status status = read_batch(stream, request, encoding, &batch);
    if (status == JAEGER_OK && batch)
        status = deliver(stream, batch, request->call, (otlp_pending){0});
    if (status != JAEGER_OK) {
        request->call->error.status = status;
        send_status(reply, encoding, jg_status_to_http(status), &request->call->error);
    } else if (encoding == ENCODING_JSON) {
        jg_http_send(reply, 200, "application/json", JAEGER_STR("{\"partialSuccess\":{}}"));
    } else {
        jg_http_send(reply, 200, content_types[encoding],
                     (jaeger_str){export_response, sizeof export_response - 1});
    }
}

/** A path of the configuration may lack its slash. */
static bool path_is(jaeger_str path, jaeger_str configured)
{
    if (configured.len && configured.ptr[0] != '/' && path.len)
        path = jg_str_skip(path, 1);
    return jg_str_eq(path, configured);
}

/** NULL: no signal has that path. */
static const otlp_stream *stream_at(const otlp_port *port, jaeger_str path)
{
    const otlp_http_config *c = &port->receiver->config->protocols.http;
    if (port->traces.port && path_is(path, c->traces_url_path))
        return &port->traces;
    return port->metrics.port && path_is(path, c->metrics_url_path) ? &port->metrics : NULL;
}

static void http_handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    const otlp_port *port = self;
    const otlp_stream *stream = stream_at(port, request->path);
    otlp_encoding encoding = encoding_of(request->content_type);
    jaeger_error error = {0};
    if (jg_http_request_error(request, &error) != JAEGER_OK)
        refuse_request(request, reply, &error);
    else if (!stream)
        jg_http_send(reply, 404, "text/plain; charset=utf-8", JAEGER_STR("404 page not found\n"));
    else if (!jg_str_is(request->method, "POST"))
        jg_http_send(reply, 405, "text/plain", JAEGER_STR("405 method not allowed, supported: [POST]"));
    else if (encoding == ENCODING_NONE)
        jg_http_send(
            reply, 415, "text/plain",
            JAEGER_STR("415 unsupported media type, supported: [application/json, application/x-protobuf]"));
    else
        http_export(stream, request, encoding, reply);
}

/* ---- the component
 * ---------------------------------------------------------------------------------------------- */

static jaeger_status otlp_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const otlp_config *c = config;
    if (c->protocols.grpc.enabled || c->protocols.http.enabled)
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                   "%s: must specify at least one protocol when using the OTLP receiver",
                   node ? jaeger_config_path(node) : "receivers::otlp");
}

static jaeger_status otlp_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    otlp *o = self;
    *o = (otlp){.id = in->id,
                .config = in->config,
                .next = in->next,
                .next_defers = in->next_defers,
                .signals = in->signals ? in->signals : JAEGER_TRACES,
                .host = in->host};
    return JAEGER_OK;
}

static jaeger_status start_grpc(otlp *o, jaeger_error *err)
{
    const jg_grpc_server_settings *settings = &o->config->protocols.grpc.server;
    jg_grpc_method methods[2];
    size_t count = 0;
    init_port(o, &o->grpc, "grpc");
    if (o->grpc.traces.port)
        methods[count++] = (jg_grpc_method){"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                                            grpc_export, &o->grpc.traces};
    if (o->grpc.metrics.port)
        methods[count++] = (jg_grpc_method){"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
                                            grpc_export, &o->grpc.metrics};
    JG_TRY(jg_host_auth(o->host, &settings->auth, &o->grpc.auth.who, err));
    jg_grpc_server_options options = {.settings = settings,
                                      .methods = methods,
                                      .method_count = count,
                                      .auth = jg_auth_for_grpc(&o->grpc.auth),
                                      .prompt = jaeger_consumer_is_prompt(&o->next),
                                      .defers = o->next_defers && o->next_defers(o->next.self),
                                      .name = o->id};
    return jg_grpc_server_start(jg_host_net(o->host), &options, &o->grpc_server, err);
}

static jaeger_status start_http(otlp *o, jaeger_error *err)
{
    const jg_http_server_settings *settings = &o->config->protocols.http.server;
    init_port(o, &o->http, "http");
    JG_TRY(jg_host_auth(o->host, &settings->auth, &o->http.auth.who, err));
    jg_http_server_options options = {.settings = settings,
                                      .handler = {http_handle, &o->http},
                                      .prompt = jaeger_consumer_is_prompt(&o->next),
                                      .auth = jg_auth_for_http(&o->http.auth),
                                      .name = o->id,
                                      .recovers_errors = true};
    return jg_http_server_start(jg_host_net(o->host), &options, &o->http_server, err);
}

static void otlp_stop(void *self, uint64_t deadline_ns)
{
    otlp *o = self;
    jg_grpc_server_stop(o->grpc_server, deadline_ns);
    jg_http_server_stop(o->http_server, deadline_ns);
    o->grpc_server = NULL;
    o->http_server = NULL;
}

static jaeger_status otlp_start(void *self, jaeger_error *err)
{
    otlp *o = self;
    if (o->config->protocols.grpc.enabled)
        JG_TRY(start_grpc(o, err));
    jaeger_status status = o->config->protocols.http.enabled ? start_http(o, err) : JAEGER_OK;
    if (status != JAEGER_OK)
        otlp_stop(o, 0);
    return status;
}

#define GRPC otlp_grpc_config
#define HTTP otlp_http_config

static const jaeger_field grpc_fields[] = {
    JG_GRPC_SERVER_FIELDS(GRPC, server, "localhost:4317"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field http_fields[] = {
    JG_HTTP_SERVER_FIELDS(HTTP, server, "localhost:4318", "true"),
    {.name = "traces_url_path",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(HTTP, traces_url_path),
     .fallback = "/v1/traces",
     .doc = "path that takes spans"},
    {.name = "metrics_url_path",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(HTTP, metrics_url_path),
     .fallback = "/v1/metrics",
     .doc = "path that takes metrics, if a pipeline does"},
    {.name = "logs_url_path",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(HTTP, logs_url_path),
     .fallback = "/v1/logs",
     .doc = "accepted for compatibility: answers 404"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field protocols_fields[] = {
    {.name = "grpc",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .sub = grpc_fields,
     .sub_size = sizeof(GRPC),
     .doc = "OTLP over gRPC"},
    {.name = "http",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(otlp_config, protocols.http) - offsetof(otlp_config, protocols),
     .sub = http_fields,
     .sub_size = sizeof(HTTP),
     .doc = "OTLP over HTTP, protobuf and JSON"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field otlp_fields[] = {
    {.name = "protocols",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(otlp_config, protocols),
     .sub = protocols_fields,
     .sub_size = sizeof(((otlp_config *)0)->protocols),
     .doc = "at least one of them"},
    {.kind = JAEGER_FIELD_END},
};

const jaeger_component_type jg_receiver_otlp = {
    .size = sizeof(jaeger_component_type),
    .name = "otlp",
    .doc = "receives traces and metrics as OTLP over gRPC and HTTP",
    .kind = JAEGER_RECEIVER,
    .gives = JAEGER_TRACES | JAEGER_METRICS,
    .fields = otlp_fields,
    .config_size = sizeof(otlp_config),
    .state_size = sizeof(otlp),
    .validate = otlp_validate,
    .create = otlp_create,
    .start = otlp_start,
    .stop = otlp_stop,
};
