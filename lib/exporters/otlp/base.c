/* SPDX-License-Identifier: Apache-2.0
 * See base.h.
 */
#include "exporters/otlp/base.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"

#define ATTEMPT_NS_MAX (24 * 3600 * JG_NS_PER_S) /* of an attempt without a timeout */

jaeger_status jg_otlp_exporter_check(const char *path, const jg_queue_config *queue,
                                     const jg_retry_config *retry, jaeger_error *err)
{
    if (jg_queue_check(queue, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s::sending_queue", path);
    if (jg_retry_check(retry, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s::retry_on_failure", path);
    return JAEGER_OK;
}

jaeger_status jg_otlp_exporter_init(jg_otlp_exporter *e, const jaeger_component_create *in,
                                    const jg_queue_config *queue, const jg_retry_config *retry,
                                    const jg_otlp_sending *sending, jaeger_error *err)
{
    jg_metrics *metrics = jaeger_host_metrics(in->host);
    const jaeger_pair label = {JAEGER_STR("exporter"), jg_str(in->id)};
    *e = (jg_otlp_exporter){.id = in->id, .host = in->host, .log = in->log};
    e->rejected =
        jg_metrics_counter(metrics, "jaeger_exporter_rejected_spans",
                           "Spans that the destination did not take of requests it accepted.", &label, 1);
    e->queue = jg_queue_new(&(jg_queue_options){.id = in->id,
                                                .config = queue,
                                                .retry = retry,
                                                .send = sending->send,
                                                .user = sending->self,
                                                .defers = sending->defers,
                                                .abandon = sending->abandon,
                                                .takes_metrics = true,
                                                .host = in->host,
                                                .merges = true,
                                                .metrics = metrics,
                                                .log = in->log});
    return e->queue ? JAEGER_OK : jg_fail_oom(err);
}

jaeger_status jg_otlp_exporter_find_auth(jg_otlp_exporter *e, const jg_auth_settings *settings,
                                         jaeger_error *err)
{
    if (!settings->enabled)
        return JAEGER_OK;
    return jg_host_client_auth(e->host, settings->authenticator, &e->auth, &e->auth_self, err);
}

jaeger_status jg_otlp_exporter_consume(jg_otlp_exporter *e, jaeger_batch *take, jaeger_call *call)
{
    return jg_queue_send(e->queue, take, call);
}

bool jg_otlp_exporter_prompt(void *e)
{
    return jg_queue_is_prompt(((const jg_otlp_exporter *)e)->queue);
}

bool jg_otlp_exporter_defers(void *e)
{
    return jg_queue_defers(((const jg_otlp_exporter *)e)->queue);
}

void jg_otlp_exporter_stop(jg_otlp_exporter *e, uint64_t deadline_ns)
{
    jg_queue_stop(e->queue, deadline_ns);
}

void jg_otlp_exporter_done(jg_otlp_exporter *e)
{
    jg_queue_free(e->queue);
    e->queue = NULL;
}

jaeger_call jg_otlp_exporter_attempt(const jaeger_call *call, uint64_t timeout_ns)
{
    jaeger_call attempt = *call;
    uint64_t latest = jg_clock_mono_ns() + (timeout_ns ? timeout_ns : ATTEMPT_NS_MAX);
    if (!attempt.deadline_ns || attempt.deadline_ns > latest)
        attempt.deadline_ns = latest;
    return attempt;
}

jaeger_status jg_otlp_exporter_header(jg_otlp_exporter *e, jaeger_arena *arena, jaeger_pair *ret,
                                      size_t *ret_count, jaeger_error *err)
{
    *ret_count = e->auth ? 1 : 0;
    return e->auth ? e->auth->header(e->auth_self, arena, ret, err) : JAEGER_OK;
}

void jg_otlp_exporter_note(jg_otlp_exporter *e, jaeger_str answer, bool json)
{
    jg_otlp_answer partial;
    if (!jg_otlp_answer_read(answer, json, &partial) || (!partial.rejected_spans && !partial.message[0]))
        return;
    if (partial.rejected_spans > 0)
        jg_metric_add(e->rejected, (double)partial.rejected_spans);
    jaeger_log(e->log, JAEGER_WARN, "Partial success response message=\"%s\" dropped_spans=%lld",
               partial.message, (long long)partial.rejected_spans);
}
