/* SPDX-License-Identifier: Apache-2.0
 * See otlp_push.h. Keys: go.opentelemetry.io/contrib/otelconf, OTLPHttpExporter and OTLPGrpcExporter.
 */
#include "service/otlp_push.h"

#include "core/err.h"
#include "core/str.h"
#include "net/status.h"
#include <stdio.h>

#define ANSWER_BYTES_MAX (64u << 10)
#define TRACES_METHOD    "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define METRICS_METHOD   "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

/** headers, then "name=value,…" of headers_list. */
static size_t gather_headers(jg_otlp_push *p, const jg_push_reader *r)
{
    size_t count = 0;
    for (; count < r->headers.count && count < JG_OTLP_PUSH_HEADERS_MAX; count++)
        p->headers[count] = r->headers.items[count];
    for (jaeger_str rest = r->headers_list; rest.len && count < JG_OTLP_PUSH_HEADERS_MAX;) {
        size_t len = jg_str_find(rest, ',');
        jaeger_str one = {rest.ptr, len};
        size_t name = jg_str_find(one, '=');
        if (name < one.len)
            p->headers[count++] = (jaeger_pair){jg_str_trim((jaeger_str){one.ptr, name}),
                                                jg_str_trim(jg_str_skip(one, name + 1))};
        rest = len < rest.len ? jg_str_skip(rest, len + 1) : JAEGER_STR("");
    }
    return count;
}

jaeger_status jg_otlp_push_open(jg_otlp_push *p, const jg_push_reader *r, uint32_t signal, struct jg_net *net,
                                jaeger_error *err)
{
    bool traces = signal == JAEGER_TRACES;
    const char *path = traces ? "/v1/traces" : "/v1/metrics";
    jaeger_str rest = r->endpoint, scheme = JAEGER_STR("http://");
    bool secure = jg_str_starts(rest, JAEGER_STR("https://"));
    if (secure || jg_str_starts(rest, scheme))
        rest = jg_str_skip(rest, scheme.len + secure);
    jg_tls_settings tls = {.insecure = !secure,
                           .ca_file = r->certificate,
                           .cert_file = r->client_certificate,
                           .key_file = r->client_key};
    jaeger_pair_list headers = {p->headers, gather_headers(p, r)};
    jaeger_str compression = r->compression ? JAEGER_STR("gzip") : JAEGER_STR("");
    size_t host_len = jg_str_find(rest, '/');
    p->method = traces ? TRACES_METHOD : METRICS_METHOD;
    if (r->protocol == JG_PUSH_GRPC) {
        p->grpc_settings = (jg_grpc_client_settings){
            .endpoint = r->endpoint, .tls = tls, .headers = headers, .compression = compression};
        return jg_grpc_client_new(net, &p->grpc_settings, ANSWER_BYTES_MAX, &p->grpc, err);
    }
    (void)snprintf(p->url, sizeof p->url, "http%s://%.*s%s", secure ? "s" : "", JAEGER_STR_ARGS(rest),
                   host_len + 1 >= rest.len ? path + (host_len < rest.len) : "");
    p->http_settings = (jg_http_client_settings){
        .endpoint = jg_str(p->url), .tls = tls, .headers = headers, .compression = compression};
    return jg_http_client_new(&p->http_settings, &p->http, err);
}

static jaeger_status post(jg_otlp_push *p, jaeger_str body, jaeger_call *call)
{
    jg_http_client_request request = {.url = p->url, .body = body, .content_type = "application/x-protobuf"};
    jg_http_answer answer = {.body = JG_BUF_INIT(ANSWER_BYTES_MAX)};
    jaeger_status status = jg_http_client_send(p->http, &request, &answer, call);
    if (status == JAEGER_OK && (answer.status < 200 || answer.status > 299))
        status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "HTTP status %d", answer.status);
    jg_buf_done(&answer.body);
    return status;
}

jaeger_status jg_otlp_push_send(jg_otlp_push *p, jaeger_str message, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(ANSWER_BYTES_MAX);
    return p->http ? post(p, message, call) : jg_grpc_unary(p->grpc, p->method, message, &answer, call);
}

void jg_otlp_push_close(jg_otlp_push *p)
{
    jg_http_client_free(p->http);
    jg_grpc_client_free(p->grpc);
    p->http = NULL;
    p->grpc = NULL;
}
