/* SPDX-License-Identifier: Apache-2.0
 * See plan.h. Rows lie in blocks, so that they never move while a trace of unknown size is read.
 */
#include "query/adjust/plan.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "model/id_table.h"

jg_plan *jg_plan_new(bool adjusts, uint64_t max_skew_ns)
{
    jg_plan *plan = jg_calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->adjusts = adjusts;
    plan->max_skew_ns = max_skew_ns;
    plan->seed = jg_clock_mono_ns() ^ (uintptr_t)plan;
    plan->names = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!jg_span_writer_init(&plan->writer) || !plan->names) {
        jg_plan_free(plan);
        return NULL;
    }
    return plan;
}

void jg_plan_free(jg_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->block_count; i++)
        jg_free(plan->blocks[i]);
    jg_free(plan->blocks);
    jg_row_table_done(&plan->ids);
    jg_map_done(&plan->hosts);
    jaeger_arena_free(plan->names);
    jg_span_writer_done(&plan->writer);
    jg_free(plan);
}

/* ---- first reading ---- */

static jg_plan_row *add_row(jg_plan *plan)
{
    if (plan->count == plan->block_count * JG_PLAN_BLOCK_ROWS) {
        if (plan->block_count == plan->block_cap) {
            size_t cap = plan->block_cap ? 2 * plan->block_cap : 16;
            jg_plan_row **grown = jg_realloc(plan->blocks, cap * sizeof *grown);
            if (!grown)
                return NULL;
            plan->blocks = grown;
            plan->block_cap = cap;
        }
        jg_plan_row *block = jg_alloc(JG_PLAN_BLOCK_ROWS * sizeof *block);
        if (!block)
            return NULL;
        plan->blocks[plan->block_count++] = block;
    }
    return jg_plan_row_at(plan, plan->count++);
}

jaeger_status jg_plan_add(jg_plan *plan, const jaeger_batch *chunk, jaeger_error *err)
{
    const jaeger_span *spans = jaeger_batch_spans(chunk);
    size_t n = jaeger_batch_span_count(chunk);
    const jaeger_span_group *group = NULL;
    if ((plan->count + n) * sizeof(jg_plan_row) > JG_PLAN_BYTES_MAX)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "trace too large to show (limit %zu spans)",
                       JG_PLAN_BYTES_MAX / sizeof(jg_plan_row));
    for (size_t i = 0; i < n; i++) {
        const jaeger_span *span = &spans[i];
        if (plan->adjusts && span->group != group && !jg_plan_host_of(plan, span->group, &plan->last_host))
            return jg_fail_oom(err);
        group = span->group;
        jg_plan_row *row = add_row(plan);
        if (!row)
            return jg_fail_oom(err);
        *row = (jg_plan_row){.id = jg_span_id_number(span->span_id),
                             .parent = jg_span_id_number(span->parent_span_id),
                             .start_unix_ns = span->start_unix_ns,
                             .end_unix_ns = span->end_unix_ns,
                             .host = plan->last_host,
                             .bits = JG_MIN(span->kind, JG_ROW_KIND)};
        plan->has_client |= span->kind == JAEGER_KIND_CLIENT;
        plan->has_server |= span->kind == JAEGER_KIND_SERVER;
    }
    return JAEGER_OK;
}

/* ---- the table of ids ---- */

bool jg_row_table_init(jg_row_table *table, size_t n)
{
    size_t count = 16;
    while (count < 2 * n)
        count *= 2;
    table->slots = jg_calloc(count, sizeof *table->slots);
    table->mask = count - 1;
    return table->slots != NULL;
}

void jg_row_table_done(jg_row_table *table)
{
    jg_free(table->slots);
    table->slots = NULL;
}

static uint32_t *slot_of(const jg_plan *plan, uint64_t id)
{
    size_t at = jg_hash(&id, sizeof id, plan->seed) & plan->ids.mask;
    while (plan->ids.slots[at] && jg_plan_row_at(plan, plan->ids.slots[at] - 1)->id != id)
        at = (at + 1) & plan->ids.mask;
    return &plan->ids.slots[at];
}

uint32_t jg_plan_find(const jg_plan *plan, uint64_t id)
{
    return *slot_of(plan, id) - 1;
}

jaeger_status jg_plan_index_ids(jg_plan *plan, jaeger_error *err)
{
    jg_row_table_done(&plan->ids);
    if (!jg_row_table_init(&plan->ids, plan->count))
        return jg_fail_oom(err);
    plan->shares_ids = false;
    for (uint32_t i = 0; i < plan->count; i++) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        uint32_t *slot = slot_of(plan, row->id);
        row->bits &= ~(uint32_t)JG_ROW_SHARES;
        if (*slot) {
            row->bits |= JG_ROW_SHARES;
            jg_plan_row_at(plan, *slot - 1)->bits |= JG_ROW_SHARES;
            plan->shares_ids = true;
        } else {
            *slot = i + 1;
        }
    }
    return JAEGER_OK;
}

/* ---- between the readings ---- */

jaeger_status jg_plan_settle(jg_plan *plan, bool *ret_compares, jaeger_error *err)
{
    JG_TRY(jg_plan_index_ids(plan, err));
    if (plan->adjusts && plan->has_client && plan->has_server && plan->shares_ids)
        JG_TRY(jg_plan_ids(plan, err));
    *ret_compares = plan->adjusts && plan->shares_ids;
    plan->at = 0;
    return JAEGER_OK;
}

jaeger_status jg_plan_finish(jg_plan *plan, jaeger_error *err)
{
    plan->at = 0;
    if (plan->adjusts && plan->shares_ids)
        JG_TRY(jg_plan_note_copies(plan, err));
    if (plan->shares_ids)
        jg_plan_mark_ids(plan);
    if (plan->adjusts)
        jg_plan_skew(plan);
    jg_row_table_done(&plan->ids);
    return JAEGER_OK;
}

bool jg_plan_is_next(const jg_plan *plan, const jg_plan_row *row, const jaeger_span *span)
{
    uint64_t moved = row->bits & JG_ROW_MOVED ? (uint64_t)row->delta_ns : 0;
    uint64_t id = row->bits & JG_ROW_NEW_ID ? jg_span_id_number(span->span_id) : row->id;
    return plan->at < plan->count && row->start_unix_ns - moved == span->start_unix_ns &&
           row->end_unix_ns - moved == span->end_unix_ns && id == jg_span_id_number(span->span_id);
}

jaeger_status jg_plan_changed(jaeger_error *err)
{
    return jg_fail(err, JAEGER_DATA_LOSS, "the trace changed while it was read; ask again");
}

bool jg_plan_is_complete(const jg_plan *plan)
{
    return plan->at == plan->count;
}
