/* SPDX-License-Identifier: Apache-2.0
 * Sends traces and metrics as OTLP over HTTP, in protobuf or JSON. Names: otlp_http, and the old otlphttp.
 * Keys and defaults: opentelemetry-collector exporter/otlphttpexporter. Spec:
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "exporters/otlp/base.h"
#include "model/batch.h"
#include "net/http_client.h"
#include "net/status.h"
#include "wire/otlp_json.h"
#include <jaeger/component.h>

#define ANSWER_BYTES_MAX (64u << 10) /* the Collector reads no more either */

enum { ENCODING_PROTO, ENCODING_JSON };

typedef struct otlp_http_config {
    jg_http_client_settings client;
    jaeger_str traces_endpoint, metrics_endpoint, logs_endpoint, profiles_endpoint;
    int encoding;
    jg_queue_config queue;
    jg_retry_config retry;
} otlp_http_config;

typedef struct otlp_http {
    jg_otlp_exporter base; /* first */
    const otlp_http_config *config;
    jg_http_client *client;
} otlp_http;

static bool is_url(jaeger_str s)
{
    return jg_str_starts(s, JAEGER_STR("http://")) || jg_str_starts(s, JAEGER_STR("https://"));
}

static jaeger_status otlp_http_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const otlp_http_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "exporters::otlp_http";
    const jaeger_str urls[] = {c->client.endpoint, c->traces_endpoint, c->metrics_endpoint, c->logs_endpoint,
                               c->profiles_endpoint};
    size_t given = 0;
    for (size_t i = 0; i < JG_COUNT(urls); i++) {
        given += urls[i].len != 0;
        if (urls[i].len && !is_url(urls[i]))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "%s: endpoint must be an http:// or https:// URL, not \"%.*s\"", path,
                           JAEGER_STR_ARGS(urls[i]));
    }
    if (!given)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: at least one endpoint must be specified", path);
    if (jg_http_client_check(&c->client, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s", path);
    return jg_otlp_exporter_check(path, &c->queue, &c->retry, err);
}

static bool is_json(const jg_http_answer *answer)
{
    return jg_str_starts(jg_str(answer->content_type), JAEGER_STR("application/json"));
}

/** An answer that is not 2xx. Too many requests and a gateway's troubles pass, the rest does not. */
static jaeger_status fail_answer(const jg_http_answer *answer, jaeger_error *err)
{
    jg_otlp_answer text = {0};
    jaeger_status status = jg_status_from_http(answer->status);
    if (status == JAEGER_RESOURCE_EXHAUSTED && !answer->retry_after_ms)
        status = JAEGER_UNAVAILABLE; /* 429 is always worth another try */
    bool has_text = jg_otlp_answer_read_status(jg_buf_view(&answer->body), is_json(answer), &text);
    (void)jg_fail(err, status, "responded with HTTP Status Code %d%s%s", answer->status,
                  has_text ? ", Message=" : "", text.message);
    err->retry_after_ms = answer->retry_after_ms;
    return status;
}

static jaeger_status post(otlp_http *e, bool metrics, jaeger_str body, jaeger_call *call)
{
    const otlp_http_config *c = e->config;
    bool json = c->encoding == ENCODING_JSON;
    jaeger_str url = metrics ? c->metrics_endpoint : c->traces_endpoint;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_HEADER_LIST_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(&call->error);
    jaeger_pair header;
    jg_http_client_request request = {.url = url.len ? url.ptr : NULL,
                                      .path = metrics ? "/v1/metrics" : "/v1/traces",
                                      .body = body,
                                      .content_type = json ? "application/json" : "application/x-protobuf",
                                      .headers = &header};
    JG_TRY(jg_otlp_exporter_header(&e->base, arena, &header, &request.header_count, &call->error));
    jg_http_answer answer = {.body = JG_BUF_INIT(ANSWER_BYTES_MAX)};
    jaeger_status status = jg_http_client_send(e->client, &request, &answer, call);
    if (status == JAEGER_OK && (answer.status < 200 || answer.status > 299))
        status = fail_answer(&answer, &call->error);
    else if (status == JAEGER_OK)
        jg_otlp_exporter_note(&e->base, jg_buf_view(&answer.body), is_json(&answer));
    jg_buf_done(&answer.body);
    return status;
}

static bool encode(const otlp_http *e, const jaeger_batch *batch, jg_buf *out)
{
    size_t size = jaeger_batch_otlp_size(batch);
    if (e->config->encoding == ENCODING_JSON) {
        jg_json_out json = JG_JSON_OUT_INIT(out);
        if (jaeger_batch_signal(batch) == JAEGER_METRICS)
            jg_otlp_json_write_metrics(&json, batch);
        else
            jg_otlp_json_write(&json, batch);
    } else if (jg_buf_reserve(out, size)) {
        jaeger_batch_write_otlp(batch, out->data);
        out->len = size;
    }
    return jg_buf_ok(out);
}

/** One attempt. */
static jaeger_status send_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    otlp_http *e = self;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(JG_GRPC_SEND_BYTES_MAX);
    bool metrics = jaeger_batch_signal(batch) == JAEGER_METRICS;
    if (!encode(e, batch, &body))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "batch is too large to encode");
    return post(e, metrics, jg_buf_view(&body), call);
}

static jaeger_status otlp_http_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    otlp_http *e = self;
    e->config = in->config;
    const jg_otlp_sending sending = {.send = send_batch, .self = e};
    return jg_otlp_exporter_init(&e->base, in, &e->config->queue, &e->config->retry, &sending, err);
}

static void otlp_http_stop(void *self, uint64_t deadline_ns)
{
    otlp_http *e = self;
    jg_otlp_exporter_stop(&e->base, deadline_ns);
    jg_http_client_free(e->client);
    e->client = NULL;
}

static jaeger_status otlp_http_start(void *self, jaeger_error *err)
{
    otlp_http *e = self;
    if (!e->config->client.endpoint.len && !e->config->traces_endpoint.len &&
        !e->config->metrics_endpoint.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "either endpoint or traces_endpoint must be specified");
    JG_TRY(jg_otlp_exporter_find_auth(&e->base, &e->config->client.auth, err));
    JG_TRY(jg_http_client_new(&e->config->client, &e->client, err));
    jaeger_status status = jg_queue_start(e->base.queue, err);
    if (status != JAEGER_OK)
        otlp_http_stop(e, 0);
    return status;
}

static jaeger_status otlp_http_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    return jg_otlp_exporter_consume(self, take, call);
}

static void otlp_http_destroy(void *self)
{
    otlp_http *e = self;
    otlp_http_stop(e, 0);
    jg_otlp_exporter_done(&e->base);
}

#define AT(member) .offset = offsetof(otlp_http_config, member)
static const jaeger_field otlp_http_fields[] = {
    JG_HTTP_CLIENT_FIELDS(otlp_http_config, client, "30s", "gzip"),
    {.name = "traces_endpoint",
     .kind = JAEGER_FIELD_STR,
     AT(traces_endpoint),
     .doc = "whole URL for traces; default: endpoint + /v1/traces"},
    {.name = "metrics_endpoint",
     .kind = JAEGER_FIELD_STR,
     AT(metrics_endpoint),
     .doc = "whole URL for metrics; default: endpoint + /v1/metrics"},
    {.name = "logs_endpoint",
     .kind = JAEGER_FIELD_STR,
     AT(logs_endpoint),
     .doc = "accepted for compatibility: only traces and metrics are sent"},
    {.name = "profiles_endpoint",
     .kind = JAEGER_FIELD_STR,
     AT(profiles_endpoint),
     .doc = "accepted for compatibility: only traces and metrics are sent"},
    {.name = "encoding",
     .kind = JAEGER_FIELD_ENUM,
     AT(encoding),
     .fallback = "proto",
     .choices = "proto|json",
     .doc = "of the bodies"},
    {.name = "sending_queue",
     .kind = JAEGER_FIELD_OPTIONAL_S,
     AT(queue),
     .sub = jg_queue_fields,
     .sub_size = sizeof(jg_queue_config),
     .doc = "answer before sending"},
    {.name = "retry_on_failure",
     .kind = JAEGER_FIELD_BLOCK,
     AT(retry),
     .sub = jg_retry_fields,
     .sub_size = sizeof(jg_retry_config),
     .doc = "send again after failures that may pass"},
    {0}};

const jaeger_component_type jg_exporter_otlp_http = {
    .size = sizeof(jaeger_component_type),
    .name = "otlp_http",
    .doc = "sends traces and metrics as OTLP over HTTP; also known as otlphttp",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES | JAEGER_METRICS,
    .fields = otlp_http_fields,
    .config_size = sizeof(otlp_http_config),
    .state_size = sizeof(otlp_http),
    .validate = otlp_http_validate,
    .create = otlp_http_create,
    .start = otlp_http_start,
    .consume = otlp_http_consume,
    .stop = otlp_http_stop,
    .destroy = otlp_http_destroy,
    .prompt = jg_otlp_exporter_prompt,
};
