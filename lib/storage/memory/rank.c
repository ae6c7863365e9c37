/* SPDX-License-Identifier: Apache-2.0
 * Traces in order of their duration, spans or errors. Rows have all three, so all rows are offered to a list
 * of the best ones; those that may match are looked into from the best on.
 */
#include "storage/memory/store.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "storage/top.h"

#define SCAN_ROWS 256u /* under one lock */

typedef struct ranking {
    jg_mem_tenant *tenant;
    jaeger_order order;
    jg_match match;
    jg_mem_filter filter;
    jaeger_str needle;
    jg_top top;
    jaeger_rank_sink out;
} ranking;

static uint64_t key_of(jaeger_order order, const jg_mem_row *row)
{
    const jg_mem_facts *f = &row->facts;
    return order == JAEGER_ORDER_LONGEST      ? JG_MAX(f->end_max, f->start_max) - f->start_min
           : order == JAEGER_ORDER_MOST_SPANS ? row->trace->span_count
                                              : row->trace->error_count;
}

/** @return the position behind those offered */
static uint64_t offer_some(ranking *r, size_t number, uint64_t pos, uint64_t *ret_end)
{
    jg_mem_shard *shard = &r->tenant->shards[number];
    pthread_mutex_lock(&shard->lock);
    uint64_t at = JG_MAX(pos, shard->tail), end = JG_MIN(at + SCAN_ROWS, shard->head);
    for (; (at = jg_mem_row_of_services(shard, at, end, r->filter.services)) < end; at++) {
        const jg_mem_row *row = jg_mem_row_at(shard, at);
        uint64_t key = key_of(r->order, row);
        if (!row->trace->span_count || !jg_top_wants(&r->top, key) ||
            !jg_mem_filter_may_match(&r->filter, &row->facts))
            continue;
        jg_top_item item = {.rank.key = key, .where = at * JG_MEM_SHARDS + number};
        memcpy(item.rank.trace_id, row->trace->id, 16);
        jg_top_offer(&r->top, &item);
    }
    *ret_end = shard->head;
    pthread_mutex_unlock(&shard->lock);
    return at;
}

static jaeger_status offer_all(ranking *r, jaeger_call *call)
{
    for (size_t i = 0; i < JG_MEM_SHARDS; i++)
        for (uint64_t pos = 0, end = 1; pos < end;) {
            pos = offer_some(r, i, pos, &end);
            JG_TRY(jaeger_call_check(call));
        }
    jg_top_sort(&r->top);
    return JAEGER_OK;
}

static jaeger_status examine(ranking *r, const jg_top_item *item, jaeger_call *call)
{
    jg_mem_pin pinned;
    uint64_t start = 0;
    jg_mem_shard *shard = &r->tenant->shards[item->where % JG_MEM_SHARDS];
    if (!jg_mem_pin_row(shard, item->where / JG_MEM_SHARDS, &pinned))
        return JAEGER_OK; /* evicted meanwhile */
    bool matches = jg_mem_latest_match(&r->match, r->needle, &pinned, &start);
    jg_mem_unpin(&pinned);
    if (!matches)
        return JAEGER_OK;
    jaeger_trace_ref ref = {0};
    memcpy(ref.trace_id, item->rank.trace_id, 16);
    return r->out.ranked(r->out.self, &ref, &item->rank, call);
}

static jaeger_status hand_out(ranking *r, jaeger_call *call)
{
    do {
        JG_TRY(offer_all(r, call));
        for (size_t i = 0; i < r->top.count; i++) {
            JG_TRY(examine(r, &r->top.items[i], call));
            if (i % 32 == 0)
                JG_TRY(jaeger_call_check(call));
        }
    } while (jg_top_next_round(&r->top, r->top.count));
    return JAEGER_OK;
}

jaeger_status jg_mem_rank_traces(void *self, const jaeger_trace_query *query, jaeger_order order,
                                 const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call)
{
    ranking r = {.order = order, .out = out};
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &r.tenant, &call->error));
    if (!r.tenant)
        return JAEGER_OK;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(&call->error);
    JG_TRY(jg_match_compile(&r.match, query, arena, &call->error));
    JG_TRY(jg_mem_filter_make(&r.filter, &r.match, arena, &call->error));
    r.needle = jg_mem_needle_of(&r.match);
    jaeger_status status = jg_top_init(&r.top, JG_TOP_KEEP(r.match.limit), after) ? hand_out(&r, call)
                                                                                  : jg_fail_oom(&call->error);
    jg_top_done(&r.top);
    return status;
}
