/* SPDX-License-Identifier: Apache-2.0
 * See trace.h.
 */
#include "pipeline/trace.h"

#include "core/arena.h"
#include "core/str.h"
#include "model/batch.h"
#include <stdio.h>

#define NAME_BYTES 160

static jaeger_status mark(void *self, jaeger_batch *take, jaeger_call *call)
{
    const jaeger_consumer *next = &((const jg_sink *)self)->to;
    if (call->trace && call->tracer)
        jg_batch_set_origin(take, call->trace);
    return next->consume(next->self, take, call);
}

static bool mark_prompt(void *self)
{
    return jaeger_consumer_is_prompt(&((const jg_sink *)self)->to);
}

static bool mark_defers(void *self)
{
    const jg_sink *next = self;
    return next->defers && next->defers(next->to.self);
}

jg_sink jg_trace_origins(jaeger_arena *arena, jg_sink next)
{
    jg_sink *copy = jaeger_arena_alloc(arena, sizeof *copy);
    if (!copy)
        return (jg_sink){0};
    *copy = next;
    return (jg_sink){{mark, copy, mark_prompt}, mark_defers};
}

void jg_export_span_begin(jg_export_span *s, jaeger_host *host, const char *id, jg_metric *in_flight,
                          const jaeger_batch *batch, jaeger_call *call)
{
    char name[NAME_BYTES];
    jaeger_tracer *tracer = jg_host_tracer(host);
    s->span.live = NULL;
    s->span.call = NULL;
    s->tracer = call->tracer;
    s->trace = call->trace;
    s->in_flight = in_flight;
    jg_metric_add(in_flight, 1);
    if (!tracer)
        return;
    call->tracer = tracer;
    if (!call->trace && jg_batch_origin(batch, &s->origin)) /* it waited in a queue, or was merged */
        call->trace = &s->origin;
    s->items = jg_batch_items(batch);
    (void)snprintf(name, sizeof name, "exporter/%s/%s", id,
                   jaeger_batch_signal(batch) == JAEGER_METRICS ? "metrics" : "traces");
    jg_self_span_begin(&s->span, call, name, JAEGER_KIND_INTERNAL);
}

void jg_export_span_end(jg_export_span *s, jaeger_call *call, jaeger_status status)
{
    jg_metric_add(s->in_flight, -1);
    if (s->span.live) {
        bool ok = status == JAEGER_OK;
        jaeger_span_set_int(s->span.live, JAEGER_STR("items.sent"), ok ? (int64_t)s->items : 0);
        jaeger_span_set_int(s->span.live, JAEGER_STR("items.failed"), ok ? 0 : (int64_t)s->items);
    }
    jg_self_span_end(&s->span, status != JAEGER_OK, &call->error);
    call->tracer = s->tracer;
    call->trace = s->trace;
}
