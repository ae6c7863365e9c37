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
#include <stdio.h>

jg_aggregate jg_aggregate_of(const jg_aggregate_options *options)
{
    return (jg_aggregate){.options = *options};
}

static void drop_chunks(jg_aggregate *a)
{
    for (size_t i = 0; i < a->count; i++)
        jaeger_batch_unref(a->chunks[i]);
    a->count = a->span_count = a->bytes = 0;
    a->cut = false;
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

static jaeger_status warn_cut(jg_aggregate *a, jaeger_batch **trace, jaeger_error *err)
{
    char text[96];
    int len = snprintf(text, sizeof text, "trace has more than %llu spans, showing first %llu spans only",
                       (unsigned long long)a->options.max_spans, (unsigned long long)a->options.max_spans);
    JG_TRY(jaeger_batch_own(trace, err));
    return jg_adjust_warn(*trace, 0, (jaeger_str){text, (size_t)len}, err);
}

static jaeger_status hand_out(jg_aggregate *a, jaeger_call *call)
{
    if (a->count == 0)
        return JAEGER_OK;
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
        JG_TRY(warn_cut(a, &trace, &call->error));
    if (a->options.adjusts)
        JG_TRY(jg_adjust(&trace, a->options.max_skew_ns, &call->error));
    a->trace_count++;
    jaeger_batch *given = trace;
    trace = NULL;
    return a->options.out.consume(a->options.out.self, given, call);
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
        JG_AUTO_FREE uint32_t *indexes = jg_alloc(n * sizeof *indexes);
        if (!indexes)
            return jg_fail_oom(&call->error);
        for (uint32_t i = 0; i < n; i++)
            indexes[i] = i;
        jaeger_batch *part;
        JG_TRY(jg_batch_select(chunk, indexes, n, &part, &call->error));
        jaeger_batch_unref(chunk);
        chunk = part;
    }
    a->bytes += jaeger_batch_bytes(chunk);
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
    if (a->count && memcmp(a->trace_id, trace_id, 16) != 0) {
        JG_TRY(hand_out(a, call));
        if (a->options.max_traces && a->trace_count >= a->options.max_traces) {
            a->has_enough = true;
            return JAEGER_CANCELLED;
        }
    }
    memcpy(a->trace_id, trace_id, 16);
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
