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

void jg_measure_call(const jg_measure *measure, jg_storage_op op, uint64_t begin_ns, jaeger_status status,
                     uint64_t responses)
{
    if (!measure->ops[op].ok)
        return;
    bool ok = status == JAEGER_OK || status == JAEGER_CANCELLED || status == JAEGER_NOT_FOUND;
    double seconds = (double)(jg_clock_mono_ns() - begin_ns) / 1e9;
    jg_metric_add(ok ? measure->ops[op].ok : measure->ops[op].err, 1);
    jg_metric_observe(ok ? measure->ops[op].ok_latency : measure->ops[op].err_latency, seconds);
    jg_metric_add(measure->ops[op].responses, (double)responses);
}
