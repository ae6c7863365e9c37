/* SPDX-License-Identifier: Apache-2.0
 * The zipkin receiver on 9411: v1 in JSON and Thrift, v2 in JSON and protobuf. Paths with api/v1/spans are
 * v1, all others v2. Answers wait for the pipeline. Spec: https://zipkin.io/zipkin-api/; texts and statuses
 * of contrib's zipkinreceiver.
 */
#include "wire/zipkin.h"
#include "core/err.h"
#include "core/metrics.h"
#include "core/str.h"
#include "net/auth.h"
#include "net/http_server.h"
#include "net/settings.h"
#include "pipeline/host.h"
#include <jaeger/component.h>

typedef enum zipkin_format { V1_JSON, V1_THRIFT, V2_JSON, V2_PROTO, FORMATS } zipkin_format;

typedef struct zipkin_config {
    jg_http_server_settings server;
    bool parse_string_tags;
} zipkin_config;

typedef struct zipkin {
    const char *id;
    const zipkin_config *config;
    jaeger_consumer next;
    jaeger_host *host;
    jg_auth auth;
    struct {
        jg_metric *accepted, *refused;
    } counts[FORMATS];
    jg_http_server *server;
} zipkin;

/** Content types are compared as they are, without regard to parameters or case: so does the Collector. */
static zipkin_format format_of(const jg_http_request *request)
{
    bool is_v1 = memmem(request->path.ptr, request->path.len, "api/v1/spans", 12) != NULL;
    if (is_v1)
        return jg_str_is(request->content_type, "application/x-thrift") ? V1_THRIFT : V1_JSON;
    return jg_str_is(request->content_type, "application/x-protobuf") ? V2_PROTO : V2_JSON;
}

static jaeger_status read_batch(const zipkin *z, zipkin_format format, jg_http_request *request,
                                jaeger_batch **ret)
{
    jaeger_error *err = &request->call->error;
    bool parse = z->config->parse_string_tags;
    switch (format) {
    case V1_JSON:
        return jg_zipkin_v1_json_to_batch(request->body, parse, ret, err);
    case V1_THRIFT:
        return jg_zipkin_v1_thrift_to_batch(request->body, ret, err);
    case V2_PROTO:
        return jg_zipkin_pb_to_batch(request->body, parse, ret, err);
    default:
        return jg_zipkin_v2_json_to_batch(request->body, parse, ret, err);
    }
}

static jaeger_status deliver(zipkin *z, zipkin_format format, jaeger_batch *batch, jaeger_call *call)
{
    size_t spans = jaeger_batch_span_count(batch);
    if (!spans) {
        jaeger_batch_unref(batch);
        return JAEGER_OK;
    }
    jaeger_status status = z->next.consume(z->next.self, batch, call);
    jg_metric_add(status == JAEGER_OK ? z->counts[format].accepted : z->counts[format].refused,
                  (double)spans);
    return status;
}

static void refuse(jg_http_reply *reply, const jaeger_error *err)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(1024);
    jg_buf_printf(&body, "%s\n", err->message);
    jg_http_add_header(reply, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_send(reply, 400, "text/plain; charset=utf-8", jg_buf_view(&body));
}

static void handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    static const char text[] = "text/plain; charset=utf-8";
    zipkin *z = self;
    zipkin_format format = format_of(request);
    jaeger_batch *batch;
    jaeger_status status = read_batch(z, format, request, &batch);
    if (status == JAEGER_INVALID_ARGUMENT) {
        refuse(reply, &request->call->error);
        return;
    }
    if (status == JAEGER_OK)
        status = deliver(z, format, batch, request->call);
    if (status == JAEGER_OK)
        jg_http_send(reply, 202, NULL, JAEGER_STR(""));
    else if (jg_status_is_retryable(status))
        jg_http_send(reply, 500, text, JAEGER_STR("\"Internal Server Error\""));
    else
        jg_http_send(reply, 400, text, JAEGER_STR("\"Bad Request\""));
}

static jaeger_status create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    zipkin *z = self;
    *z = (zipkin){.id = in->id, .config = in->config, .next = in->next, .host = in->host};
    return JAEGER_OK;
}

static void init_counts(zipkin *z)
{
    static const char *const transports[FORMATS] = {[V1_JSON] = "http_v1_json",
                                                    [V1_THRIFT] = "http_v1_thrift",
                                                    [V2_JSON] = "http_v2_json",
                                                    [V2_PROTO] = "http_v2_proto"};
    jg_metrics *metrics = jaeger_host_metrics(z->host);
    for (int i = 0; i < FORMATS; i++) {
        const jaeger_pair labels[] = {{JAEGER_STR("receiver"), jg_str(z->id)},
                                      {JAEGER_STR("transport"), jg_str(transports[i])}};
        z->counts[i].accepted =
            jg_metrics_counter(metrics, "otelcol_receiver_accepted_spans",
                               "Number of spans successfully pushed into the pipeline.", labels, 2);
        z->counts[i].refused =
            jg_metrics_counter(metrics, "otelcol_receiver_refused_spans",
                               "Number of spans that could not be pushed into the pipeline.", labels, 2);
    }
}

static jaeger_status start(void *self, jaeger_error *err)
{
    zipkin *z = self;
    const jg_http_server_settings *settings = &z->config->server;
    init_counts(z);
    JG_TRY(jg_host_auth(z->host, &settings->auth, &z->auth.who, err));
    jg_http_server_options options = {.settings = settings,
                                      .handler = {handle, z},
                                      .prompt = jaeger_consumer_is_prompt(&z->next),
                                      .auth = jg_auth_for_http(&z->auth),
                                      .name = z->id};
    return jg_http_server_start(jg_host_net(z->host), &options, &z->server, err);
}

static void stop(void *self, uint64_t deadline_ns)
{
    zipkin *z = self;
    jg_http_server_stop(z->server, deadline_ns);
    z->server = NULL;
}

static const jaeger_field fields[] = {
    JG_HTTP_SERVER_FIELDS(zipkin_config, server, "localhost:9411", "false"),
    {.name = "parse_string_tags",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(zipkin_config, parse_string_tags),
     .fallback = "false",
     .doc = "tags that look like numbers or booleans become such"},
    {.kind = JAEGER_FIELD_END},
};

const jaeger_component_type jg_receiver_zipkin = {
    .size = sizeof(jaeger_component_type),
    .name = "zipkin",
    .doc = "receives spans in Zipkin's formats, v1 and v2",
    .kind = JAEGER_RECEIVER,
    .gives = JAEGER_TRACES,
    .fields = fields,
    .config_size = sizeof(zipkin_config),
    .state_size = sizeof(zipkin),
    .create = create,
    .start = start,
    .stop = stop,
};
