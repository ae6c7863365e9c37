/* SPDX-License-Identifier: Apache-2.0
 * Our own spans in the pipelines: what a receiver hands over remembers the request it came with, so that an
 * export is told as part of that request, whatever queues and merges lie between.
 */
#ifndef JG_PIPELINE_TRACE_H
#define JG_PIPELINE_TRACE_H

#include "core/metrics.h"
#include "core/self_span.h"
#include "pipeline/fanout.h"
#include "pipeline/host.h"

/** A consumer before `next` that marks batches with the span of their call. @return to.consume NULL: out of
 *  memory */
jg_sink jg_trace_origins(jaeger_arena *arena, jg_sink next);

/** Around one attempt of exporter `id` to send a batch: a span "exporter/<id>/<signal>", and one more in
 * flight.
 */
typedef struct jg_export_span {
    jg_metric *in_flight;
    jg_self_span span;
    jaeger_context origin;
    jaeger_tracer *tracer; /* what the call had */
    const jaeger_context *trace;
    size_t items;
} jg_export_span;
void jg_export_span_begin(jg_export_span *span, jaeger_host *host, const char *id, jg_metric *in_flight,
                          const jaeger_batch *batch, jaeger_call *call);
void jg_export_span_end(jg_export_span *span, jaeger_call *call, jaeger_status status);

#endif
