/* SPDX-License-Identifier: Apache-2.0
 * service::telemetry::traces at work: a tracer (jaeger/tracer.h) whose batches go to an OTLP endpoint, to the
 * log, or into a pipeline of the service itself.
 *
 * Nothing that carries them is traced: each batch goes with a context that is not sampled, in process and in
 * the headers, and whoever gets it, be it our own receiver, begins no span.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/self_span.h"
#include "core/str.h"
#include "model/batch.h"
#include "net/net.h"
#include "service/otlp_push.h"
#include "service/telemetry.h"
#include "wire/otlp_json.h"
#include <sys/random.h>

#define LAST_NS        (1 * JG_NS_PER_S) /* for what is sent at the stop */
#define JSON_BYTES_MAX (16u << 20)

struct jg_self_tracing {
    const jg_telemetry *telemetry;
    const jaeger_logger *log;
    jg_metrics *metrics;
    jg_self_sink sink;
    jg_otlp_push to;
    jaeger_tracer *tracer;
    jaeger_context unsampled;
    bool failing; /* told */
    int stopping; /* atomic */
    jg_metric *sent, *failed, *dropped;
    jaeger_tracer_stats shown;
};

/* ---- sending ---- */

static jaeger_status write_json(jg_self_tracing *s, const jaeger_batch *batch, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JSON_BYTES_MAX);
    jg_json_out json = JG_JSON_OUT_INIT(&text);
    jg_otlp_json_write(&json, batch);
    if (!jg_buf_ok(&text))
        return jg_fail_oom(&call->error);
    jg_telemetry_console(s->log, jg_buf_view(&text));
    return JAEGER_OK;
}

static jaeger_status send_otlp(jg_self_tracing *s, const jaeger_batch *batch, jaeger_call *call)
{
    jaeger_str whole, more;
    if (jg_batch_payload(batch, 0, &whole) && !jg_batch_payload(batch, 1, &more))
        return jg_otlp_push_send(&s->to, whole, call);
    size_t len = jaeger_batch_otlp_size(batch);
    JG_AUTO_FREE char *bytes = jg_alloc(len + 1);
    if (!bytes)
        return jg_fail_oom(&call->error);
    jaeger_batch_write_otlp(batch, bytes);
    return jg_otlp_push_send(&s->to, (jaeger_str){bytes, len}, call);
}

static void tell(jg_self_tracing *s, jaeger_status status, const jaeger_call *call)
{
    if (status != JAEGER_OK && !s->failing)
        jaeger_log(s->log, JAEGER_WARN, "service::telemetry::traces: cannot send own spans error=\"%s\"",
                   call->error.message);
    s->failing = status != JAEGER_OK;
}

static jaeger_status consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_self_tracing *s = self;
    const jg_self_traces *t = &s->telemetry->traces;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    bool stopping = __atomic_load_n(&s->stopping, __ATOMIC_RELAXED);
    call->deadline_ns = jg_clock_mono_ns() + (stopping ? LAST_NS : t->export_timeout_ms * JG_NS_PER_MS);
    call->tracer = s->tracer;
    call->trace = &s->unsampled;
    jaeger_status status;
    if (t->pipeline.len) {
        jg_batch_set_origin(batch, &s->unsampled);
        status = s->sink.consume(s->sink.self, t->pipeline.ptr, jaeger_batch_ref(batch), call);
    } else {
        status = t->console ? write_json(s, batch, call) : send_otlp(s, batch, call);
    }
    tell(s, status, call);
    return status;
}

/** As OpenTelemetry's TraceIdRatioBased: 63 random bits of the id below the ratio. */
static bool sample(void *self, const uint8_t trace_id[16], jaeger_str operation)
{
    const jg_self_tracing *s = self;
    uint64_t bits = 0;
    (void)operation;
    for (size_t i = 8; i < 16; i++)
        bits = bits << 8 | trace_id[i];
    return (double)(bits >> 1) < s->telemetry->traces.ratio * 9223372036854775808.0;
}

/* ---- life ---- */

static void show_stats(void *user)
{
    jg_self_tracing *s = user;
    jaeger_tracer_stats now;
    jaeger_tracer_get_stats(s->tracer, &now);
    jg_metric_add(s->sent, (double)(now.sent - s->shown.sent));
    jg_metric_add(s->failed, (double)(now.failed - s->shown.failed));
    jg_metric_add(s->dropped, (double)(now.dropped - s->shown.dropped));
    s->shown = now;
}

static void make_metrics(jg_self_tracing *s)
{
    static const char name[] = "jaeger_own_spans", help[] = "Spans of the service itself.";
    const jaeger_pair sent = {JAEGER_STR("result"), JAEGER_STR("sent")},
                      failed = {JAEGER_STR("result"), JAEGER_STR("failed")},
                      dropped = {JAEGER_STR("result"), JAEGER_STR("dropped")};
    s->sent = jg_metrics_counter(s->metrics, name, help, &sent, 1);
    s->failed = jg_metrics_counter(s->metrics, name, help, &failed, 1);
    s->dropped = jg_metrics_counter(s->metrics, name, help, &dropped, 1);
    jg_metrics_on_scrape(s->metrics, show_stats, s);
}

static void make_unsampled(jaeger_context *ret)
{
    *ret = (jaeger_context){.trace_id = {1}, .span_id = {1}};
    (void)!getrandom(ret->trace_id + 1, sizeof ret->trace_id - 1, 0);
    (void)!getrandom(ret->span_id + 1, sizeof ret->span_id - 1, 0);
}

static jaeger_status start_tracer(jg_self_tracing *s, jaeger_error *err)
{
    const jg_telemetry *t = s->telemetry;
    jaeger_pair resource[JG_RESOURCE_ATTRIBUTES_MAX];
    jaeger_tracer_options options = {.size = sizeof options,
                                     .service = JAEGER_STR("jaeger"),
                                     .resource = resource,
                                     .scope_name = JAEGER_STR("libjaeger"),
                                     .scope_version = JAEGER_STR(JAEGER_VERSION),
                                     .out = {.consume = consume, .self = s},
                                     .sampler = {.sample = sample, .self = s},
                                     .spans_max = (uint32_t)t->traces.max_queue_size,
                                     .batch_spans_max = (uint32_t)t->traces.max_export_batch_size,
                                     .flush_interval_ns = t->traces.schedule_delay_ms * JG_NS_PER_MS,
                                     .propagators = t->traces.propagators};
    for (size_t i = 0; i < t->resource_count; i++)
        if (jg_str_is(t->resource[i].key, "service.name"))
            options.service = t->resource[i].value;
        else
            resource[options.resource_count++] = t->resource[i];
    return jaeger_tracer_new(&options, &s->tracer, err);
}

jaeger_status jg_self_tracing_start(const jg_telemetry *telemetry, struct jg_net *net, jg_metrics *metrics,
                                    const jaeger_logger *log, jg_self_sink sink, jg_self_tracing **ret,
                                    jaeger_error *err)
{
    const jg_self_traces *t = &telemetry->traces;
    if (!t->enabled)
        return JAEGER_OK;
    jg_self_tracing *s = jg_calloc(1, sizeof *s);
    if (!s)
        return jg_fail_oom(err);
    *s = (jg_self_tracing){.telemetry = telemetry, .log = log, .metrics = metrics, .sink = sink};
    make_unsampled(&s->unsampled);
    jaeger_status status =
        t->otlp.endpoint.len ? jg_otlp_push_open(&s->to, &t->otlp, JAEGER_TRACES, net, err) : JAEGER_OK;
    if (status == JAEGER_OK)
        status = start_tracer(s, err);
    if (status == JAEGER_OK) {
        make_metrics(s);
        *ret = s;
        return JAEGER_OK;
    }
    jg_otlp_push_close(&s->to);
    jg_free(s);
    return jg_fail_prefix(err, "service::telemetry::traces");
}

jaeger_tracer *jg_self_tracing_tracer(const jg_self_tracing *s)
{
    return s ? s->tracer : NULL;
}

void jg_self_tracing_flush(jg_self_tracing *s, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns();
    if (!s)
        return;
    __atomic_store_n(&s->stopping, 1, __ATOMIC_RELAXED);
    (void)jaeger_tracer_flush(s->tracer, deadline_ns > now ? JG_MIN(deadline_ns - now, LAST_NS) : 1);
}

void jg_self_tracing_stop(jg_self_tracing *s)
{
    if (!s)
        return;
    jg_metrics_off_scrape(s->metrics, s);
    jaeger_tracer_free(s->tracer);
    jg_otlp_push_close(&s->to);
    jg_free(s);
}
