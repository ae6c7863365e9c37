/* SPDX-License-Identifier: Apache-2.0
 * See serve.h. HTTP answers on any path and method, as Jaeger does: "service" must be there once, and may be
 * empty. gRPC: jaeger.api_v2.SamplingManager, with health and reflection.
 */
#include "extensions/remote_sampling/serve.h"

#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "sampling/strategy.h"
#include "wire/descriptors.h"

#define SERVICE "jaeger.api_v2.SamplingManager"

typedef struct answer {
    jg_buf buf;
    void (*write)(jg_buf *out, const jaeger_strategy *strategy);
} answer;

static jaeger_status write_answer(void *self, const jaeger_strategy *strategy, jaeger_call *call)
{
    answer *a = self;
    a->write(&a->buf, strategy);
    return jg_buf_ok(&a->buf) ? JAEGER_OK : jg_fail_oom(&call->error);
}

static jaeger_status ask(const jg_sampling_server *s, jaeger_str service, answer *a, jaeger_call *call)
{
    return s->provider->strategy(s->provider_self, service, (jaeger_strategy_sink){write_answer, a}, call);
}

/* ---- HTTP ---- */

static void send_error(jg_http_reply *reply, int status, jaeger_arena *arena, jaeger_str text)
{
    jaeger_str line = {0};
    char *copy = jaeger_arena_alloc(arena, text.len + 1);
    if (copy) {
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\n';
        line = (jaeger_str){copy, text.len + 1};
    }
    jg_http_add_header(reply, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_send(reply, status, "text/plain; charset=utf-8", line);
}

/** @return false: not there exactly once */
static bool service_of(const jg_http_request *request, jaeger_str *ret)
{
    size_t at = 0, found = 0;
    jaeger_pair pair;
    while (jg_query_next(request->call->arena, request->query, &at, &pair)) {
        if (!jg_str_is(pair.key, "service"))
            continue;
        *ret = pair.value;
        found++;
    }
    return found == 1;
}

static void serve_http(void *self, jg_http_request *request, jg_http_reply *reply)
{
    jg_sampling_server *s = self;
    jaeger_call *call = request->call;
    jaeger_str service;
    if (!service_of(request, &service)) {
        jg_metric_add(s->bad_requests, 1);
        send_error(reply, 400, call->arena, JAEGER_STR("'service' parameter must be provided once"));
        return;
    }
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(sizeof call->error.message + 64);
    answer a = {JG_BUF_INIT(JG_SAMPLING_REPLY_BYTES_MAX), jg_strategy_write_json};
    if (ask(s, service, &a, call) == JAEGER_OK) {
        jg_metric_add(s->served, 1);
        jg_http_send(reply, 200, "application/json", jg_buf_view(&a.buf));
    } else if (!jg_buf_ok(&a.buf)) {
        jg_metric_add(s->encode_failures, 1);
        send_error(reply, 500, call->arena, JAEGER_STR("cannot marshall to JSON"));
    } else {
        jg_metric_add(s->provider_failures, 1);
        jg_buf_printf(&text, "collector error: %s", call->error.message);
        send_error(reply, 500, call->arena, jg_buf_view(&text));
    }
    jg_buf_done(&a.buf);
}

/* ---- gRPC ---- */

static jaeger_status serve_grpc(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    jg_sampling_server *s = self;
    jaeger_str service;
    if (!jg_strategy_read_request(request, &service))
        return jg_fail(&call->error, JAEGER_INTERNAL, "grpc: error unmarshalling request");
    answer a = {JG_BUF_INIT(JG_SAMPLING_REPLY_BYTES_MAX), jg_strategy_write_pb};
    jaeger_status status = ask(s, service, &a, call);
    if (status == JAEGER_OK)
        status = jg_grpc_send(stream, a.buf.data, a.buf.len, call);
    jg_buf_done(&a.buf);
    return status;
}

/* ---- both ---- */

static jg_metric *error_counter(jg_metrics *metrics, const char *source, const char *status)
{
    const jaeger_pair labels[] = {{JAEGER_STR("source"), jg_str(source)},
                                  {JAEGER_STR("status"), jg_str(status)}};
    return jg_metrics_counter(metrics, "jaeger_remote_sampling_http_server_errors",
                              "sampling requests that failed", labels, JG_COUNT(labels));
}

static void make_metrics(jg_sampling_server *s, jg_metrics *metrics)
{
    const jaeger_pair sampling = {JAEGER_STR("type"), JAEGER_STR("sampling")};
    s->served = jg_metrics_counter(metrics, "jaeger_remote_sampling_http_server_requests",
                                   "sampling requests that were answered", &sampling, 1);
    s->bad_requests = error_counter(metrics, "all", "4xx");
    s->provider_failures = error_counter(metrics, "collector-proxy", "5xx");
    s->encode_failures = error_counter(metrics, "proto", "5xx");
}

static jaeger_status start_http(jg_sampling_server *s, const char *id, jaeger_host *host,
                                const jg_http_server_settings *settings, jaeger_error *err)
{
    JG_TRY(jg_host_auth(host, &settings->auth, &s->http_auth.who, err));
    jg_http_server_options options = {.settings = settings,
                                      .handler = {serve_http, s},
                                      .auth = jg_auth_for_http(&s->http_auth),
                                      .name = id};
    return jg_http_server_start(jg_host_net(host), &options, &s->http, err);
}

static jaeger_status start_grpc(jg_sampling_server *s, const char *id, jaeger_host *host,
                                const jg_grpc_server_settings *settings, jaeger_error *err)
{
    static const char *const health[] = {"", SERVICE};
    const jg_grpc_method method = {"/" SERVICE "/GetSamplingStrategy", serve_grpc, s};
    JG_TRY(jg_host_auth(host, &settings->auth, &s->grpc_auth.who, err));
    jg_grpc_server_options options = {.settings = settings,
                                      .methods = &method,
                                      .method_count = 1,
                                      .auth = jg_auth_for_grpc(&s->grpc_auth),
                                      .health_services = health,
                                      .health_service_count = JG_COUNT(health),
                                      .descriptors = {(const char *)jg_descriptors, jg_descriptors_len},
                                      .name = id};
    return jg_grpc_server_start(jg_host_net(host), &options, &s->grpc, err);
}

jaeger_status jg_sampling_server_start(jg_sampling_server *s, const char *id, jaeger_host *host,
                                       const jg_sampling_http *http, const jg_sampling_grpc *grpc,
                                       jaeger_error *err)
{
    make_metrics(s, jaeger_host_metrics(host));
    if (http->enabled && start_http(s, id, host, &http->server, err) != JAEGER_OK)
        return jg_fail_prefix(err, "failed to start sampling http server");
    if (grpc->enabled && start_grpc(s, id, host, &grpc->server, err) != JAEGER_OK)
        return jg_fail_prefix(err, "failed to start sampling gRPC server");
    return JAEGER_OK;
}

void jg_sampling_server_stop(jg_sampling_server *s, uint64_t deadline_ns)
{
    jg_http_server_stop(s->http, deadline_ns);
    jg_grpc_server_stop(s->grpc, deadline_ns);
    s->http = NULL;
    s->grpc = NULL;
}
