/* SPDX-License-Identifier: Apache-2.0
 * See aggregate.h. Chunks of a trace are consecutive, so a new trace id ends the trace before it.
 */
#include "query/aggregate.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr.h"
#include "query/adjust.h"
#include "query/large.h"

jg_aggregate jg_aggregate_of(const jg_aggregate_options *options)
{
    return (jg_aggregate){.options = *options};
}

static void drop_chunks(jg_aggregate *a)
{
    for (size_t i = 0; i < a->count; i++)
        jaeger_batch_unref(a->chunks[i]);
    a->count = a->span_count = a->bytes = 0;
    a->cut = a->is_large = false;
}

/** One batch of all chunks; they are given up. */
static jaeger_status merge(jg_aggregate *a, jaeger_batch **ret, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    if (a->count == 1)
        *ret = jaeger_batch_ref(a->chunks[0]);
    else
        status = jg_batch_merge(a->chunks, a->count, ret, err);
    return status;
}

/** One span must meet both, the conditions and the filter. */
static bool matches(const jg_match *match, const jaeger_filter *filter, const jaeger_batch *trace)
{
    jg_trace_facts facts;
    size_t n = jaeger_batch_span_count(trace);
    if (filter)
        jg_trace_facts_of(trace, filter, &facts);
    for (size_t i = 0; i < n; i++) {
        const jaeger_span *span = &jaeger_batch_spans(trace)[i];
        if ((!match || jg_match_span(match, span)) &&
            (!filter || jg_filter_test(filter, span, &facts) == JG_EXPR_YES))
            return true;
    }
    return false;
}

static bool has_trace(const jg_aggregate *a)
{
    return a->count || a->is_large;
}

static jaeger_status hand_out_large(jg_aggregate *a, jaeger_call *call)
{
    jg_large large = {.out = a->options.out,
                      .adjusts = a->options.adjusts,
                      .max_skew_ns = a->options.max_skew_ns,
                      .max_spans = a->options.max_spans};
    jaeger_trace_ref ref = {0};
    memcpy(ref.trace_id, a->trace_id, 16);
    drop_chunks(a);
    a->trace_count++;
    return jg_large_read(&large, a->options.reread, &ref, call);
}

static jaeger_status hand_out(jg_aggregate *a, jaeger_call *call)
{
    if (!has_trace(a))
        return JAEGER_OK;
    if (a->is_large)
        return hand_out_large(a, call);
    JG_AUTO_BATCH jaeger_batch *trace = NULL;
    bool cut = a->cut;
    a->seen_count++;
    jaeger_status status = merge(a, &trace, &call->error);
    drop_chunks(a);
    if (status != JAEGER_OK)
        return status;
    if ((a->options.match || a->options.filter) && !matches(a->options.match, a->options.filter, trace))
        return JAEGER_OK;
    if (cut)
        JG_TRY(jg_large_warn_cut(a->options.max_spans, &trace, &call->error));
    if (a->options.adjusts)
        JG_TRY(jg_adjust(&trace, a->options.max_skew_ns, &call->error));
    else if (a->options.marks_ids)
        JG_TRY(jg_mark_ids(&trace, &call->error));
    a->trace_count++;
    jaeger_batch *given = trace;
    trace = NULL;
    return a->options.out.consume(a->options.out.self, given, call);
}

/** To be tested, a trace must be there as a whole. */
static bool may_reread(const jg_aggregate *a)
{
    return a->options.reread && a->options.reread->driver->reread_trace && !a->options.match &&
           !a->options.filter;
}

/** Keep `chunk`, or as many of its spans as the trace may have. Takes it. */
static jaeger_status add(jg_aggregate *a, jaeger_batch *take, jaeger_call *call)
{
    JG_AUTO_BATCH jaeger_batch *chunk = take;
    size_t n = jaeger_batch_span_count(chunk);
    uint64_t max = a->options.max_spans;
    if (max && n > max - a->span_count) {
        a->cut = true;
        n = (size_t)(max - a->span_count);
        if (n == 0)
            return JAEGER_OK;
        JG_TRY(jg_large_cut(&chunk, n, &call->error));
    }
    a->bytes += jaeger_batch_bytes(chunk);
    if (may_reread(a) && a->bytes > JG_TRACE_HELD_BYTES) {
        drop_chunks(a);
        a->is_large = true;
        a->has_enough = a->options.single;
        return a->has_enough ? JAEGER_CANCELLED : JAEGER_OK;
    }
    if (a->bytes > JG_TRACE_BYTES_MAX)
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "trace too large to show (limit %u MiB)",
                       (unsigned)(JG_TRACE_BYTES_MAX >> 20));
    if (a->count == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 16;
        jaeger_batch **grown = jg_realloc(a->chunks, cap * sizeof(*grown));
        if (!grown)
            return jg_fail_oom(&call->error);
        a->chunks = grown;
        a->cap = cap;
    }
    a->chunks[a->count++] = chunk;
    chunk = NULL;
    a->span_count += n;
    return JAEGER_OK;
}

static jaeger_status consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_aggregate *a = self;
    JG_AUTO_BATCH jaeger_batch *chunk = take;
    JG_TRY(jaeger_call_check(call));
    if (jaeger_batch_span_count(chunk) == 0)
        return JAEGER_OK;
    const uint8_t *trace_id = jaeger_batch_spans(chunk)[0].trace_id;
    if (has_trace(a) && memcmp(a->trace_id, trace_id, 16) != 0) {
        JG_TRY(hand_out(a, call));
        if (a->options.max_traces && a->trace_count >= a->options.max_traces) {
            a->has_enough = true;
            return JAEGER_CANCELLED;
        }
    }
    memcpy(a->trace_id, trace_id, 16);
    if (a->is_large)
        return JAEGER_OK;
    jaeger_batch *given = chunk;
    chunk = NULL;
    return add(a, given, call);
}

jaeger_consumer jg_aggregate_consumer(jg_aggregate *aggregate)
{
    return (jaeger_consumer){consume, aggregate};
}

jaeger_status jg_aggregate_finish(jg_aggregate *a, jaeger_status driver_status, jaeger_call *call)
{
    jaeger_status status = driver_status;
    if (a->has_enough && status == JAEGER_CANCELLED)
        status = JAEGER_OK;
    if (status == JAEGER_OK)
        status = hand_out(a, call);
    drop_chunks(a);
    jg_free(a->chunks);
    a->chunks = NULL;
    return status;
}
