/* SPDX-License-Identifier: Apache-2.0
 * Copies of spans are dropped: a store may return a span twice, as writing one twice is harmless by design.
 * Two spans are copies if their bytes in canonical form and the attributes of their resources and scopes are
 * equal. Only spans that share an id can be; of these a second reading leaves a hash of the content.
 */
#include "core/err.h"
#include "core/hash.h"
#include "model/batch.h"
#include "model/id_table.h"
#include "query/adjust/plan.h"

static uint64_t hash_header(jg_plan *plan, jaeger_str message, uint32_t attributes, uint64_t hash)
{
    jg_pb pb = jg_pb_of_str(jg_header_write(&plan->writer, message, attributes));
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number == attributes && f.wire == JG_PB_LEN)
            hash = jg_hash(f.ptr, f.len, hash);
    return hash;
}

static uint64_t hash_group(jg_plan *plan, const jaeger_span_group *group)
{
    uint64_t hash = hash_header(plan, group->resource, JG_OTLP_RESOURCE_ATTRIBUTES, plan->seed);
    return hash_header(plan, group->scope, JG_OTLP_SCOPE_ATTRIBUTES, hash);
}

jaeger_status jg_plan_compare(jg_plan *plan, const jaeger_batch *chunk, jaeger_error *err)
{
    const jaeger_span_group *group = NULL;
    uint64_t group_hash = 0;
    for (size_t i = 0; i < jaeger_batch_span_count(chunk); i++) {
        jaeger_span span = jaeger_batch_spans(chunk)[i];
        if (plan->at == plan->count)
            return jg_plan_changed(err);
        jg_plan_row *row = jg_plan_row_at(plan, plan->at);
        if (!jg_plan_is_next(plan, row, &span))
            return jg_plan_changed(err);
        plan->at++;
        if (!(row->bits & JG_ROW_SHARES))
            continue;
        if (span.group != group)
            group_hash = hash_group(plan, span.group);
        group = span.group;
        jg_span_id_from_number(row->id, span.span_id);
        jg_span_id_from_number(row->parent, span.parent_span_id);
        jaeger_str bytes = jg_span_write(&plan->writer, &span, NULL);
        row->delta_ns = (int64_t)jg_hash(bytes.ptr, bytes.len, group_hash);
        if (!jg_span_writer_ok(&plan->writer))
            return jg_fail_oom(err);
    }
    return JAEGER_OK;
}

static bool is_copy(const jg_plan_row *a, const jg_plan_row *b)
{
    return a->delta_ns == b->delta_ns && a->id == b->id && a->parent == b->parent &&
           a->start_unix_ns == b->start_unix_ns && a->end_unix_ns == b->end_unix_ns;
}

jaeger_status jg_plan_note_copies(jg_plan *plan, jaeger_error *err)
{
    jg_row_table table;
    if (!jg_row_table_init(&table, plan->count))
        return jg_fail_oom(err);
    for (uint32_t i = 0; i < plan->count; i++) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        if (!(row->bits & JG_ROW_SHARES))
            continue;
        size_t at = (uint64_t)row->delta_ns & table.mask;
        while (table.slots[at] && !is_copy(row, jg_plan_row_at(plan, table.slots[at] - 1)))
            at = (at + 1) & table.mask;
        if (table.slots[at])
            row->bits |= JG_ROW_COPY;
        else
            table.slots[at] = i + 1;
    }
    jg_row_table_done(&table);
    return JAEGER_OK;
}

/** From the last to the first, which is never a copy. */
void jg_plan_mark_ids(jg_plan *plan)
{
    for (uint32_t i = plan->count; i-- > 0;) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        uint32_t first = row->bits & JG_ROW_SHARES ? jg_plan_find(plan, row->id) : i;
        if (first == i || row->bits & JG_ROW_COPY)
            continue;
        jg_plan_row *first_row = jg_plan_row_at(plan, first);
        row->bits |= JG_ROW_DUPLICATE | (first_row->bits & JG_ROW_AGAIN);
        first_row->bits |= JG_ROW_AGAIN;
    }
}
