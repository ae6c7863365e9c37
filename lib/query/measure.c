/* SPDX-License-Identifier: Apache-2.0
 * See measure.h.
 */
#include "query/measure.h"

#include "core/clock.h"
#include "core/str.h"

static const double bounds[] = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
static const char *const names[JG_OP_COUNT] = {"find_traces", "find_trace_ids", "find_trace_summaries",
                                               "get_trace",   "get_services",   "get_operations"};

void jg_measure_init(jg_measure *measure, jg_metrics *metrics, jaeger_str name)
{
    for (size_t op = 0; op < JG_OP_COUNT; op++) {
        jaeger_pair labels[] = {{JAEGER_STR("name"), name},
                                {JAEGER_STR("operation"), jg_str(names[op])},
                                {JAEGER_STR("result"), JAEGER_STR("ok")},
                                {JAEGER_STR("role"), JAEGER_STR("tracestore")}};
        jaeger_pair no_result[] = {labels[0], labels[1], labels[3]};
        measure->ops[op].ok =
            jg_metrics_counter(metrics, "jaeger_storage_requests", "storage calls", labels, 4);
        measure->ops[op].ok_latency =
            jg_metrics_histogram(metrics, "jaeger_storage_latency", "duration of storage calls in seconds",
                                 labels, 4, bounds, JG_COUNT(bounds));
        measure->ops[op].responses =
            jg_metrics_counter(metrics, "jaeger_storage_responses", "results of storage calls", no_result, 3);
        labels[2].value = JAEGER_STR("err");
        measure->ops[op].err =
            jg_metrics_counter(metrics, "jaeger_storage_requests", "storage calls", labels, 4);
        measure->ops[op].err_latency =
            jg_metrics_histogram(metrics, "jaeger_storage_latency", "duration of storage calls in seconds",
                                 labels, 4, bounds, JG_COUNT(bounds));
    }
}

void jg_measure_begin(jg_measuring *m, jg_storage_op op, jaeger_call *call)
{
    static const char *const span_names[JG_OP_COUNT] = {
        "storage/find_traces", "storage/find_trace_ids", "storage/find_trace_summaries",
        "storage/get_trace",   "storage/get_services",   "storage/get_operations"};
    m->op = op;
    m->begin_ns = jg_clock_mono_ns();
    jg_self_span_begin(&m->span, call, span_names[op], JAEGER_KIND_INTERNAL);
}

void jg_measure_end(const jg_measure *measure, jg_measuring *m, jaeger_status status, uint64_t responses)
{
    bool ok = status == JAEGER_OK || status == JAEGER_CANCELLED || status == JAEGER_NOT_FOUND;
    if (m->span.live)
        jaeger_span_set_int(m->span.live, JAEGER_STR("responses"), (int64_t)responses);
    jg_self_span_end(&m->span, !ok, m->span.call ? &m->span.call->error : NULL);
    if (!measure->ops[m->op].ok)
        return;
    double seconds = (double)(jg_clock_mono_ns() - m->begin_ns) / 1e9;
    jg_metric_add(ok ? measure->ops[m->op].ok : measure->ops[m->op].err, 1);
    jg_metric_observe(ok ? measure->ops[m->op].ok_latency : measure->ops[m->op].err_latency, seconds);
    jg_metric_add(measure->ops[m->op].responses, (double)responses);
}
