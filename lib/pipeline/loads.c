/* SPDX-License-Identifier: Apache-2.0
 * See loads.h. Merging joins the indexes of batches and shares their bytes; nothing is copied before the
 * exporter writes the message.
 */
#include "pipeline/loads.h"

#include "core/alloc.h"
#include "core/err.h"
#include "model/batch.h"

#define SPAN_BYTES 6u /* around a span's bytes: its tag and length */

void jg_load_count(const jg_load_sender *s, const jaeger_batch *batch, jaeger_status status)
{
    if (jaeger_batch_signal(batch) == JAEGER_TRACES)
        jg_metric_add(status == JAEGER_OK ? s->spans.sent : s->spans.failed,
                      (double)jaeger_batch_span_count(batch));
    else
        jg_metric_add(status == JAEGER_OK ? s->points.sent : s->points.failed, (double)jg_batch_items(batch));
}

void jg_load_count_refused(const jg_load_sender *s, const jaeger_batch *batch)
{
    bool is_traces = jaeger_batch_signal(batch) == JAEGER_TRACES;
    jg_metric_add(is_traces ? s->spans.refused : s->points.refused, (double)jg_batch_items(batch));
}

/** Takes the reference. */
static jaeger_status send_piece(jg_load_sender *s, jaeger_batch *take, jaeger_call *call)
{
    return jg_retry_send(&s->retry, &s->stop, s->send, s->user, take, call);
}

/** How many spans from `from` on make a piece: one at least. */
static size_t piece_of(const jg_load_sender *s, const jaeger_batch *batch, size_t from)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t count = jaeger_batch_span_count(batch), n = 0;
    for (uint64_t units = 0; from + n < count; n++) {
        const jaeger_span *span = &spans[from + n];
        units += s->rules.by_bytes ? span->len + SPAN_BYTES : 1;
        if (n == 0 || span->group != span[-1].group)
            units += s->rules.by_bytes ? span->group->resource.len + span->group->scope.len : 0;
        if (n && units > s->rules.max)
            break;
    }
    return n;
}

/** In pieces of `max`; those after one that failed are sent nevertheless. @return the last failure */
static jaeger_status send_in_pieces(jg_load_sender *s, jaeger_batch *batch, jaeger_call *call)
{
    size_t count = jaeger_batch_span_count(batch);
    jaeger_status result = JAEGER_OK;
    jaeger_error err = {0};
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(count * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(&call->error);
    for (size_t from = 0, n; from < count; from += n) {
        jaeger_batch *piece;
        n = piece_of(s, batch, from);
        for (size_t i = 0; i < n; i++)
            indexes[i] = (uint32_t)(from + i);
        jaeger_status status = jg_batch_select(batch, indexes, n, &piece, &call->error);
        if (status == JAEGER_OK)
            status = send_piece(s, piece, call);
        if (status != JAEGER_OK) {
            err = call->error;
            result = status;
        }
    }
    call->error = err;
    return result;
}

/** Metrics are not split. */
static jaeger_status send_whole(jg_load_sender *s, jaeger_batch *batch, jaeger_call *call)
{
    if (s->rules.max && jaeger_batch_span_count(batch) > 1 && jg_lanes_units(&s->rules, batch) > s->rules.max)
        return send_in_pieces(s, batch, call);
    return send_piece(s, jaeger_batch_ref(batch), call);
}

static jaeger_batch *merge(const jg_load_part *parts, size_t count)
{
    jaeger_batch *merged = NULL;
    JG_AUTO_FREE jaeger_batch **batches = jg_alloc(count * sizeof(jaeger_batch *));
    for (size_t i = 0; i < count && batches; i++)
        batches[i] = parts[i].batch;
    return batches && jg_batch_merge(batches, count, &merged, NULL) == JAEGER_OK ? merged : NULL;
}

/** May it be the fault of one part, or of the size? */
static bool parts_may_differ(jaeger_status status)
{
    return status == JAEGER_INVALID_ARGUMENT || status == JAEGER_RESOURCE_EXHAUSTED;
}

void jg_load_send(jg_load_sender *s, jg_load_part *parts, size_t count)
{
    jaeger_batch *merged = count > 1 ? merge(parts, count) : NULL;
    if (merged) {
        jaeger_status status = send_piece(s, merged, parts[0].call);
        for (size_t i = 0; i < count; i++) {
            parts[i].status = status;
            parts[i].call->error = parts[0].call->error;
        }
        if (!parts_may_differ(status))
            return;
    }
    for (size_t i = 0; i < count; i++)
        parts[i].status = send_whole(s, parts[i].batch, parts[i].call);
}
