/* SPDX-License-Identifier: Apache-2.0
 * Our own spans (service::telemetry::traces): around requests, exports and questions to storage. A call
 * carries the tracer and the span it belongs to; while no tracer is set, all this is one comparison.
 *
 * New traces begin at servers only. A parent that is not sampled is passed on as such, also over the wire:
 * what we send to report our own spans is marked so, and nobody on its way traces it.
 */
#ifndef JG_CORE_SELF_SPAN_H
#define JG_CORE_SELF_SPAN_H

#include "core/attr.h"
#include <jaeger/tracer.h>

/** On the stack of who does the work. */
typedef struct jg_self_span {
    jaeger_live_span *live; /* NULL: nothing is recorded */
    jaeger_call *call;      /* NULL: nothing was changed in it */
    const jaeger_context *outer;
    jaeger_context context;
} jg_self_span;

void jg_self_span_begin_child(jg_self_span *span, jaeger_call *call, const char *name, uint32_t kind);
/** A child of call->trace; call->trace is the new span until the end. */
JG_INLINE void jg_self_span_begin(jg_self_span *span, jaeger_call *call, const char *name, uint32_t kind)
{
    span->live = NULL;
    span->call = NULL;
    if (JG_UNLIKELY(call->tracer && call->trace && call->trace->sampled))
        jg_self_span_begin_child(span, call, name, kind);
}

/** The span of a request that came in: continues the trace that its headers name, or begins one.
 *  @param tracer NULL: nothing is done */
void jg_self_span_serve(jg_self_span *span, jaeger_tracer *tracer, jaeger_call *call, const char *name,
                        const jaeger_pair *headers, size_t header_count);
/** Is this (lower-case) header read by jg_self_span_serve? */
bool jg_self_span_is_header(jaeger_str name);
/** Headers for what is sent on behalf of `call`, in the arena.
 *  @param ret room for JG_SELF_SPAN_HEADERS_MAX @return how many */
#define JG_SELF_SPAN_HEADERS_MAX 8
size_t jg_self_span_headers(const jaeger_call *call, jaeger_arena *arena, jaeger_pair *ret);

/** @param err may be NULL; its text is the span's status if `failed` */
void jg_self_span_end_recorded(jg_self_span *span, bool failed, const jaeger_error *err);
JG_INLINE void jg_self_span_end(jg_self_span *span, bool failed, const jaeger_error *err)
{
    if (JG_UNLIKELY(span->call))
        jg_self_span_end_recorded(span, failed, err);
}

#endif
