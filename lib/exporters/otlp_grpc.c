/* SPDX-License-Identifier: Apache-2.0
 * Sends traces and metrics as OTLP over gRPC. Names: otlp_grpc, and the old otlp.
 * Keys and defaults: opentelemetry-collector exporter/otlpexporter. Spec:
 * https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "exporters/otlp/base.h"
#include "model/batch.h"
#include "net/grpc_client.h"
#include "net/grpc_wire.h"
#include <jaeger/component.h>

#define ANSWER_BYTES_MAX (64u << 10) /* two numbers and a text */
#define TRACES_METHOD    "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define METRICS_METHOD   "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

typedef struct otlp_grpc_config {
    jg_grpc_client_settings client;
    uint64_t timeout_ns;
    jg_queue_config queue;
    jg_retry_config retry;
} otlp_grpc_config;

typedef struct otlp_grpc {
    jg_otlp_exporter base; /* first */
    const otlp_grpc_config *config;
    jg_grpc_client *client;
} otlp_grpc;

static jaeger_status check_client(const jg_grpc_client_settings *s, jaeger_error *err)
{
    if (!s->endpoint.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "requires a non-empty \"endpoint\"");
    JG_TRY(jg_grpc_client_check(s, err));
    if (!jg_str_is(s->balancer_name, "round_robin") && !jg_str_is(s->balancer_name, "pick_first"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid balancer_name: %.*s",
                       JAEGER_STR_ARGS(s->balancer_name));
    return JAEGER_OK;
}

static jaeger_status otlp_grpc_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const otlp_grpc_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "exporters::otlp_grpc";
    if (check_client(&c->client, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s", path);
    return jg_otlp_exporter_check(path, &c->queue, &c->retry, err);
}

/** A batch as it came is sent from where it lies. */
static size_t count_parts(const jaeger_batch *batch)
{
    size_t count = 0;
    for (jaeger_str part; jg_batch_payload(batch, count, &part);)
        count++;
    return count;
}

/** One attempt. */
typedef struct attempt {
    otlp_grpc *exporter;
    jaeger_batch *batch;
    jaeger_arena *arena;
    jaeger_str *parts;
    uint8_t *message;
    jaeger_pair header;
    jg_grpc_request request;
    jaeger_call call, *outer;
} attempt;

static void attempt_done(attempt *a)
{
    jaeger_batch_unref(a->batch);
    jaeger_arena_free(a->arena);
    jg_free(a->parts);
    jg_free(a->message);
}

/** Takes the batch. Done is the caller's, even on failure. */
static jaeger_status attempt_init(attempt *a, otlp_grpc *e, jaeger_batch *batch, jaeger_call *call)
{
    *a = (attempt){.exporter = e, .batch = batch, .outer = call};
    size_t len = jaeger_batch_otlp_size(batch), part_count = count_parts(batch);
    size_t copied = part_count ? 0 : len;
    a->arena = jaeger_arena_new(JG_HEADER_LIST_BYTES_MAX);
    a->message = len <= UINT32_MAX ? jg_alloc(JG_GRPC_PREFIX_BYTES + copied) : NULL;
    a->parts = jg_alloc((part_count + 1) * sizeof *a->parts);
    if (!a->arena || !a->message || !a->parts)
        return jg_fail_oom(&call->error);
    jg_grpc_prefix_write(a->message, false, (uint32_t)len);
    for (size_t i = 0; i < part_count; i++)
        (void)jg_batch_payload(batch, i, &a->parts[i]);
    if (!part_count)
        jaeger_batch_write_otlp(batch, a->message + JG_GRPC_PREFIX_BYTES);
    a->request = (jg_grpc_request){.path = jaeger_batch_signal(batch) == JAEGER_METRICS ? METRICS_METHOD
                                                                                        : TRACES_METHOD,
                                   .message = {(const char *)a->message, JG_GRPC_PREFIX_BYTES + copied},
                                   .framed = true,
                                   .parts = a->parts,
                                   .part_count = part_count,
                                   .metadata = &a->header};
    a->call = jg_otlp_exporter_attempt(call, e->config->timeout_ns);
    return jg_otlp_exporter_header(&e->base, a->arena, &a->header, &a->request.metadata_count, &call->error);
}

static void attempt_ended(void *user, jaeger_status status, jaeger_str answer)
{
    attempt *a = user;
    jaeger_call *outer = a->outer;
    outer->error = a->call.error;
    if (status == JAEGER_OK)
        jg_otlp_exporter_note(&a->exporter->base, answer, false);
    attempt_done(a);
    jg_free(a);
    outer->later->done(outer->later->user, status);
}

/** An attempt that nobody waits for. Takes the batch. */
static jaeger_status start_attempt(otlp_grpc *e, jaeger_batch *take, jaeger_call *call)
{
    attempt *a = jg_alloc(sizeof *a);
    if (!a) {
        jaeger_batch_unref(take);
        return jg_fail_oom(&call->error);
    }
    jaeger_status status = attempt_init(a, e, take, call);
    if (status == JAEGER_OK) {
        status = jg_grpc_unary_later(e->client, &a->request, &a->call, attempt_ended, a);
        if (status == JAEGER_PENDING)
            return status;
        call->error = a->call.error;
    }
    attempt_done(a);
    jg_free(a);
    return status;
}

static jaeger_status send_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    otlp_grpc *e = self;
    if (jaeger_call_later(call))
        return start_attempt(e, take, call);
    attempt a;
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(ANSWER_BYTES_MAX);
    jaeger_status status = attempt_init(&a, e, take, call);
    if (status == JAEGER_OK) {
        status = jg_grpc_unary_with(e->client, &a.request, &answer, &a.call);
        call->error = a.call.error;
    }
    if (status == JAEGER_OK)
        jg_otlp_exporter_note(&e->base, jg_buf_view(&answer), false);
    attempt_done(&a);
    return status;
}

static void abandon(void *self)
{
    jg_grpc_client_cancel(((otlp_grpc *)self)->client);
}

/** Compressing takes its time: that is for consumers, not for who puts requests. */
static bool sends_as_it_is(const otlp_grpc_config *c)
{
    return !c->client.compression.len || jg_str_is(c->client.compression, "none");
}

static jaeger_status otlp_grpc_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    otlp_grpc *e = self;
    e->config = in->config;
    const jg_otlp_sending sending = {
        .send = send_batch, .defers = sends_as_it_is(e->config), .abandon = abandon, .self = e};
    return jg_otlp_exporter_init(&e->base, in, &e->config->queue, &e->config->retry, &sending, err);
}

/** Credentials do not travel in the clear. */
static jaeger_status check_auth(const otlp_grpc *e, jaeger_error *err)
{
    if (!e->base.auth || jg_grpc_client_uses_tls(e->client))
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                   "grpc: the credentials require transport level security (use tls)");
}

static void otlp_grpc_stop(void *self, uint64_t deadline_ns)
{
    otlp_grpc *e = self;
    jg_otlp_exporter_stop(&e->base, deadline_ns);
    jg_grpc_client_free(e->client);
    e->client = NULL;
}

static jaeger_status otlp_grpc_start(void *self, jaeger_error *err)
{
    otlp_grpc *e = self;
    const jg_grpc_client_settings *s = &e->config->client;
    JG_TRY(jg_otlp_exporter_find_auth(&e->base, &s->auth, err));
    JG_TRY(jg_grpc_client_new(jg_host_net(e->base.host), s, ANSWER_BYTES_MAX, &e->client, err));
    jaeger_status status = check_auth(e, err);
    if (status == JAEGER_OK)
        status = jg_queue_start(e->base.queue, err);
    if (status != JAEGER_OK)
        otlp_grpc_stop(e, 0);
    return status;
}

static jaeger_status otlp_grpc_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    return jg_otlp_exporter_consume(self, take, call);
}

static void otlp_grpc_destroy(void *self)
{
    otlp_grpc *e = self;
    otlp_grpc_stop(e, 0);
    jg_otlp_exporter_done(&e->base);
}

#define AT(member) .offset = offsetof(otlp_grpc_config, member)
static const jaeger_field otlp_grpc_fields[] = {{.kind = JAEGER_FIELD_SQUASH,
                                                 AT(client),
                                                 .sub = jg_grpc_client_gzip_fields,
                                                 .sub_size = sizeof(jg_grpc_client_settings)},
                                                {.name = "timeout",
                                                 .kind = JAEGER_FIELD_DURATION,
                                                 AT(timeout_ns),
                                                 .fallback = "5s",
                                                 .doc = "for one attempt; 0: none"},
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

const jaeger_component_type jg_exporter_otlp_grpc = {
    .size = sizeof(jaeger_component_type),
    .name = "otlp_grpc",
    .doc = "sends traces and metrics as OTLP over gRPC; also known as otlp",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES | JAEGER_METRICS,
    .fields = otlp_grpc_fields,
    .config_size = sizeof(otlp_grpc_config),
    .state_size = sizeof(otlp_grpc),
    .validate = otlp_grpc_validate,
    .create = otlp_grpc_create,
    .start = otlp_grpc_start,
    .consume = otlp_grpc_consume,
    .stop = otlp_grpc_stop,
    .destroy = otlp_grpc_destroy,
    .prompt = jg_otlp_exporter_prompt,
    .defers = jg_otlp_exporter_defers,
};
