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

/** Metrics are not split. */
static bool is_too_large(const jg_load_run *run, const jaeger_batch *batch)
{
    const jg_lane_rules *rules = &run->sender->rules;
    return rules->max && jaeger_batch_span_count(batch) > 1 && jg_lanes_units(rules, batch) > rules->max;
}

/** The next spans of a part that is too large. NULL, with the text: out of memory */
static jaeger_batch *select_piece(jg_load_run *run, jaeger_batch *whole, jaeger_error *err)
{
    jaeger_batch *piece = NULL;
    run->piece = piece_of(run->sender, whole, run->sent);
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(run->piece * sizeof *indexes);
    for (size_t i = 0; indexes && i < run->piece; i++)
        indexes[i] = (uint32_t)(run->sent + i);
    if (!indexes)
        (void)jg_fail_oom(err);
    else if (jg_batch_select(whole, indexes, run->piece, &piece, err) != JAEGER_OK)
        piece = NULL;
    return piece;
}

/** The sending of `batch`, or of what could not be made, is over. */
static void end_batch(jg_load_run *run, jaeger_status status)
{
    jg_load_part *part = &run->parts[run->at];
    jaeger_batch_unref(run->batch);
    run->batch = NULL;
    if (run->merged) {
        run->merged = false;
        for (size_t i = 0; i < run->count; i++) {
            run->parts[i].status = status;
            run->parts[i].call->error = run->parts[0].call->error;
        }
        run->at = parts_may_differ(status) ? 0 : run->count;
        return;
    }
    if (status != JAEGER_OK) {
        run->failure = part->call->error;
        run->failure.status = status;
    }
    run->sent += run->piece;
    if (run->piece && run->sent < jaeger_batch_span_count(part->batch))
        return; /* pieces after one that failed are sent nevertheless */
    part->status = run->failure.status;
    part->call->error = run->failure;
    run->failure = (jaeger_error){0};
    run->sent = run->piece = 0;
    run->at++;
}

void jg_load_begin(jg_load_run *run, const jg_load_sender *sender, jg_load_part *parts, size_t count)
{
    *run = (jg_load_run){.sender = sender, .parts = parts, .count = count};
    run->batch = count > 1 ? merge(parts, count) : NULL;
    run->merged = run->batch != NULL;
    jg_retry_begin(&sender->retry, &run->retry);
}

jaeger_batch *jg_load_next(jg_load_run *run, jaeger_call **ret_call)
{
    while (!run->batch && run->at < run->count) {
        const jg_load_part *part = &run->parts[run->at];
        bool in_pieces = is_too_large(run, part->batch);
        run->batch =
            in_pieces ? select_piece(run, part->batch, &part->call->error) : jaeger_batch_ref(part->batch);
        jg_retry_begin(&run->sender->retry, &run->retry);
        if (!run->batch)
            end_batch(run, JAEGER_RESOURCE_EXHAUSTED);
    }
    if (!run->batch)
        return NULL;
    *ret_call = run->parts[run->at].call;
    (*ret_call)->error = (jaeger_error){0};
    return jaeger_batch_ref(run->batch);
}

uint64_t jg_load_answer(jg_load_run *run, jaeger_status status)
{
    const jaeger_call *call = run->parts[run->at].call;
    uint64_t ns = jg_retry_wait_ns(&run->sender->retry, &run->retry, status, call);
    if (!ns)
        end_batch(run, status);
    return ns;
}

void jg_load_give_up(jg_load_run *run, jaeger_status status)
{
    end_batch(run, status);
}

void jg_load_send(jg_load_sender *s, jg_load_part *parts, size_t count)
{
    jg_load_run run;
    jaeger_call *call;
    jg_load_begin(&run, s, parts, count);
    for (jaeger_batch *batch; (batch = jg_load_next(&run, &call));) {
        jaeger_status status = s->send(s->user, batch, call);
        uint64_t ns = jg_load_answer(&run, status);
        if (ns && !jg_retry_sleep(&s->stop, ns))
            jg_load_give_up(&run, status);
    }
}
