/* SPDX-License-Identifier: Apache-2.0
 * The jaeger receiver: what Jaeger's own clients and agents send. PostSpans over gRPC on 14250, Thrift
 * batches over HTTP on 14268 and in datagrams on 6831 (compact) and 6832 (binary). Answers over gRPC and HTTP
 * wait for the pipeline. Spec: jaeger-idl proto/api_v2/collector.proto, thrift/agent.thrift; texts and
 * statuses of contrib's jaegerreceiver.
 */
#include "core/err.h"
#include "core/metrics.h"
#include "core/str.h"
#include "net/auth.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/settings.h"
#include "pipeline/host.h"
#include "receivers/jaeger/agent.h"
#include "wire/jaeger_pb.h"
#include "wire/jaeger_thrift.h"
#include <jaeger/component.h>

typedef struct jaeger_grpc_config {
    bool enabled;
    jg_grpc_server_settings server;
} jaeger_grpc_config;

typedef struct jaeger_http_config {
    bool enabled;
    jg_http_server_settings server;
} jaeger_http_config;

typedef struct jaeger_udp_config {
    bool enabled;
    jaeger_str endpoint;
    uint64_t queue_size, max_packet_size, workers, socket_buffer_size;
} jaeger_udp_config;

typedef struct protocols_config {
    jaeger_grpc_config grpc;
    jaeger_http_config thrift_http;
    jaeger_udp_config thrift_binary, thrift_compact;
} protocols_config;

typedef struct receiver_config {
    protocols_config protocols;
    const jaeger_config *remote_sampling;
} receiver_config;

/** What gRPC and HTTP count and ask. */
typedef struct port {
    struct receiver *receiver;
    jg_auth auth;
    jg_metric *accepted, *refused, *failed;
} port;

typedef struct receiver {
    const char *id;
    const receiver_config *config;
    jaeger_consumer next;
    jaeger_host *host;
    const jaeger_logger *log;
    port grpc, http;
    jg_grpc_server *grpc_server;
    jg_http_server *http_server;
    jg_jaeger_agent *compact, *binary;
} receiver;

/** Takes the batch. An empty one is a success that nobody hears of. */
static jaeger_status deliver(port *p, jaeger_batch *batch, jaeger_call *call)
{
    size_t spans = jaeger_batch_span_count(batch);
    if (!spans) {
        jaeger_batch_unref(batch);
        return JAEGER_OK;
    }
    jaeger_status status = p->receiver->next.consume(p->receiver->next.self, batch, call);
    jg_metric_add(status == JAEGER_OK ? p->accepted : p->refused, (double)spans);
    return status;
}

static jaeger_status init_port(receiver *r, port *p, const char *transport, const jg_auth_settings *auth,
                               jaeger_error *err)
{
    jg_metrics *metrics = jaeger_host_metrics(r->host);
    const jaeger_pair labels[] = {{JAEGER_STR("receiver"), jg_str(r->id)},
                                  {JAEGER_STR("transport"), jg_str(transport)}};
    p->receiver = r;
    p->accepted = jg_metrics_counter(metrics, "otelcol_receiver_accepted_spans",
                                     "Number of spans successfully pushed into the pipeline.", labels, 2);
    p->refused = jg_metrics_counter(metrics, "otelcol_receiver_refused_spans",
                                    "Number of spans that could not be pushed into the pipeline.", labels, 2);
    p->failed = jg_metrics_counter(
        metrics, "otelcol_receiver_failed_spans",
        "The number of spans that failed to be processed by the receiver due to internal errors.", labels, 2);
    return jg_host_auth(r->host, auth, &p->auth.who, err);
}

/* ---- gRPC
 * ----------------------------------------------------------------------------------------------------------
 */

static jaeger_status post_spans(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jaeger_batch *batch;
    jaeger_status status = jg_jaeger_pb_post_to_batch(request, &batch, &call->error);
    if (status == JAEGER_INVALID_ARGUMENT) { /* the words and the code of grpc-go's codec */
        call->error.status = JAEGER_INTERNAL;
        return jg_fail_prefix(&call->error, "grpc: failed to unmarshal the received message");
    }
    JG_TRY(status);
    JG_TRY(deliver(self, batch, call));
    return jg_grpc_send(stream, "", 0, call);
}

/* ---- HTTP
 * ----------------------------------------------------------------------------------------------------------
 */

/** As Go's http.Error: the text is escaped for HTML and ends with a line feed. */
static void refuse(jg_http_reply *reply, int status, const char *what, jaeger_str why)
{
    static const char *const escapes[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&#34;", ['\''] = "&#39;"};
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(8192);
    jg_buf_str(&body, jg_str(what));
    for (size_t i = 0; i < why.len; i++) {
        uint8_t c = (uint8_t)why.ptr[i];
        if (c < 128 && escapes[c])
            jg_buf_str(&body, jg_str(escapes[c]));
        else
            jg_buf_byte(&body, c);
    }
    jg_buf_byte(&body, '\n');
    jg_http_add_header(reply, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_send(reply, status, "text/plain; charset=utf-8", jg_buf_view(&body));
}

static void take_thrift(port *p, jg_http_request *request, jg_http_reply *reply)
{
    jaeger_batch *batch;
    jaeger_error *err = &request->call->error;
    jaeger_status status = jg_jaeger_thrift_to_batch(JG_THRIFT_BINARY, request->body, &batch, err);
    if (status == JAEGER_INVALID_ARGUMENT) {
        refuse(reply, 400, "Unable to process request body: ", jg_str(err->message));
        return;
    }
    if (status == JAEGER_OK)
        status = deliver(p, batch, request->call);
    if (status == JAEGER_OK)
        jg_http_send(reply, 202, NULL, JAEGER_STR(""));
    else
        refuse(reply, 500, "Cannot submit Jaeger batch: ", jg_str(err->message));
}

static void handle_http(void *self, jg_http_request *request, jg_http_reply *reply)
{
    jaeger_str type =
        jg_str_trim((jaeger_str){request->content_type.ptr, jg_str_find(request->content_type, ';')});
    if (!jg_str_is(request->path, "/api/traces"))
        refuse(reply, 404, "404 page not found", JAEGER_STR(""));
    else if (!jg_str_is(request->method, "POST"))
        jg_http_send(reply, 405, NULL, JAEGER_STR(""));
    else if (type.len == 0)
        refuse(reply, 400, "Cannot parse content type: ", JAEGER_STR("mime: no media type"));
    else if (!jg_str_eq_nocase(type, JAEGER_STR("application/x-thrift")) &&
             !jg_str_eq_nocase(type, JAEGER_STR("application/vnd.apache.thrift.binary")))
        refuse(reply, 400, "Unsupported content type: ", request->content_type);
    else
        take_thrift(self, request, reply);
}

/* ---- the component
 * ------------------------------------------------------------------------------------------------- */

/** The port behind the last colon. */
static jaeger_status check_port(jaeger_str endpoint, const char *path, const char *name, jaeger_error *err)
{
    uint64_t number;
    size_t at = endpoint.len;
    while (at && endpoint.ptr[at - 1] != ':')
        at--;
    if (at == 0)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "%s: invalid port number for the %s endpoint: endpoint is not formatted correctly: address "
            "%.*s: missing port in address",
            path, name, JAEGER_STR_ARGS(endpoint));
    if (!jg_str_to_u64(jg_str_skip(endpoint, at), &number))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: invalid port number for the %s endpoint: endpoint port is not a number: '%.*s'",
                       path, name, JAEGER_STR_ARGS(endpoint));
    if (number < 1 || number > 65535)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: invalid port number for the %s endpoint: port number must be between 1 and 65535",
                       path, name);
    return JAEGER_OK;
}

static jaeger_status validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const receiver_config *c = config;
    const protocols_config *p = &c->protocols;
    const char *path = node ? jaeger_config_path(node) : "receivers::jaeger";
    if (!p->grpc.enabled && !p->thrift_http.enabled && !p->thrift_binary.enabled &&
        !p->thrift_compact.enabled)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: must specify at least one protocol when using the Jaeger receiver", path);
    if (c->remote_sampling)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: remote_sampling is not part of this receiver, use the extension remote_sampling",
                       path);
    if (p->grpc.enabled && !jg_str_is(p->grpc.server.transport, "unix"))
        JG_TRY(check_port(p->grpc.server.endpoint, path, "gRPC", err));
    if (p->thrift_http.enabled && !jg_str_is(p->thrift_http.server.transport, "unix"))
        JG_TRY(check_port(p->thrift_http.server.endpoint, path, "Thrift HTTP", err));
    if (p->thrift_binary.enabled)
        JG_TRY(check_port(p->thrift_binary.endpoint, path, "Thrift UDP Binary", err));
    if (p->thrift_compact.enabled)
        JG_TRY(check_port(p->thrift_compact.endpoint, path, "Thrift UDP Compact", err));
    return JAEGER_OK;
}

static jaeger_status create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    receiver *r = self;
    *r = (receiver){.id = in->id, .config = in->config, .next = in->next, .host = in->host, .log = in->log};
    return JAEGER_OK;
}

static jaeger_status start_grpc(receiver *r, jaeger_error *err)
{
    const jg_grpc_server_settings *settings = &r->config->protocols.grpc.server;
    const jg_grpc_method methods[] = {{"/jaeger.api_v2.CollectorService/PostSpans", post_spans, &r->grpc}};
    JG_TRY(init_port(r, &r->grpc, "grpc", &settings->auth, err));
    jg_grpc_server_options options = {.settings = settings,
                                      .methods = methods,
                                      .method_count = JG_COUNT(methods),
                                      .auth = jg_auth_for_grpc(&r->grpc.auth),
                                      .prompt = jaeger_consumer_is_prompt(&r->next),
                                      .name = r->id};
    return jg_grpc_server_start(jg_host_net(r->host), &options, &r->grpc_server, err);
}

static jaeger_status start_http(receiver *r, jaeger_error *err)
{
    const jg_http_server_settings *settings = &r->config->protocols.thrift_http.server;
    JG_TRY(init_port(r, &r->http, "collector_http", &settings->auth, err));
    jg_http_server_options options = {.settings = settings,
                                      .handler = {handle_http, &r->http},
                                      .prompt = jaeger_consumer_is_prompt(&r->next),
                                      .auth = jg_auth_for_http(&r->http.auth),
                                      .name = r->id};
    return jg_http_server_start(jg_host_net(r->host), &options, &r->http_server, err);
}

static jaeger_status start_udp(receiver *r, const jaeger_udp_config *config, jg_thrift_protocol protocol,
                               jg_jaeger_agent **ret, jaeger_error *err)
{
    jg_jaeger_agent_options options = {.net = jg_host_net(r->host),
                                       .protocol = protocol,
                                       .endpoint = config->endpoint,
                                       .queue_size = config->queue_size,
                                       .max_packet_size = config->max_packet_size,
                                       .workers = config->workers,
                                       .socket_buffer_size = config->socket_buffer_size,
                                       .next = r->next,
                                       .log = r->log,
                                       .id = r->id};
    return jg_jaeger_agent_start(&options, ret, err);
}

static void stop(void *self, uint64_t deadline_ns)
{
    receiver *r = self;
    jg_jaeger_agent_stop(r->compact, deadline_ns);
    jg_jaeger_agent_stop(r->binary, deadline_ns);
    jg_grpc_server_stop(r->grpc_server, deadline_ns);
    jg_http_server_stop(r->http_server, deadline_ns);
    r->compact = r->binary = NULL;
    r->grpc_server = NULL;
    r->http_server = NULL;
}

static jaeger_status start_all(receiver *r, jaeger_error *err)
{
    const protocols_config *p = &r->config->protocols;
    if (p->grpc.enabled)
        JG_TRY(start_grpc(r, err));
    if (p->thrift_http.enabled)
        JG_TRY(start_http(r, err));
    if (p->thrift_binary.enabled)
        JG_TRY(start_udp(r, &p->thrift_binary, JG_THRIFT_BINARY, &r->binary, err));
    if (p->thrift_compact.enabled)
        JG_TRY(start_udp(r, &p->thrift_compact, JG_THRIFT_COMPACT, &r->compact, err));
    return JAEGER_OK;
}

static jaeger_status start(void *self, jaeger_error *err)
{
    jaeger_status status = start_all(self, err);
    if (status != JAEGER_OK)
        stop(self, 0);
    return status;
}

static const jaeger_field grpc_fields[] = {
    JG_GRPC_SERVER_FIELDS(jaeger_grpc_config, server, "localhost:14250"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field http_fields[] = {
    JG_HTTP_SERVER_FIELDS(jaeger_http_config, server, "localhost:14268", "false"),
    {.kind = JAEGER_FIELD_END},
};

#define UDP_FIELD(member, value, text)                                                                       \
    {                                                                                                        \
        .name = #member, .kind = JAEGER_FIELD_U64, .offset = offsetof(jaeger_udp_config, member),            \
        .fallback = value, .doc = text                                                                       \
    }
#define UDP_FIELDS(default_endpoint)                                                                         \
    {.name = "endpoint",                                                                                     \
     .kind = JAEGER_FIELD_STR,                                                                               \
     .offset = offsetof(jaeger_udp_config, endpoint),                                                        \
     .fallback = default_endpoint,                                                                           \
     .doc = "host:port to listen on"},                                                                       \
        UDP_FIELD(queue_size, "1000", "datagrams that wait for a worker; more are dropped"),                 \
        UDP_FIELD(max_packet_size, "65000", "longer datagrams are dropped [bytes]"),                         \
        UDP_FIELD(workers, "10", "datagrams that are worked on at once; at most 64"),                        \
        UDP_FIELD(socket_buffer_size, "0", "receive buffer of the socket [bytes]; 0: a large one"),          \
    {                                                                                                        \
        .kind = JAEGER_FIELD_END                                                                             \
    }

static const jaeger_field binary_fields[] = {UDP_FIELDS("localhost:6832")};
static const jaeger_field compact_fields[] = {UDP_FIELDS("localhost:6831")};

#define PROTOCOL(member, type, table, text)                                                                  \
    {                                                                                                        \
        .name = #member, .kind = JAEGER_FIELD_OPTIONAL_D, .offset = offsetof(protocols_config, member),      \
        .sub = table, .sub_size = sizeof(type), .doc = text                                                  \
    }

static const jaeger_field protocols_fields[] = {
    PROTOCOL(grpc, jaeger_grpc_config, grpc_fields, "api_v2 over gRPC"),
    PROTOCOL(thrift_http, jaeger_http_config, http_fields, "Thrift over HTTP: POST /api/traces"),
    PROTOCOL(thrift_binary, jaeger_udp_config, binary_fields, "Thrift in datagrams, binary protocol"),
    PROTOCOL(thrift_compact, jaeger_udp_config, compact_fields, "Thrift in datagrams, compact protocol"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field fields[] = {
    {.name = "protocols",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(receiver_config, protocols),
     .sub = protocols_fields,
     .sub_size = sizeof(protocols_config),
     .doc = "at least one of them"},
    {.name = "remote_sampling",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(receiver_config, remote_sampling),
     .doc = "refused: see the extension remote_sampling"},
    {.kind = JAEGER_FIELD_END},
};

const jaeger_component_type jg_receiver_jaeger = {
    .size = sizeof(jaeger_component_type),
    .name = "jaeger",
    .doc = "receives spans from Jaeger's clients and agents over gRPC, HTTP and UDP",
    .kind = JAEGER_RECEIVER,
    .gives = JAEGER_TRACES,
    .fields = fields,
    .config_size = sizeof(receiver_config),
    .state_size = sizeof(receiver),
    .validate = validate,
    .create = create,
    .start = start,
    .stop = stop,
};
