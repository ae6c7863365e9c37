/* SPDX-License-Identifier: Apache-2.0
 * See trace.h.
 */
#include "model/trace.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include <stdlib.h>

/* ---- grouping
 * -------------------------------------------------------------------------------------------------- */

jaeger_status jg_trace_groups_make(const jaeger_batch *batch, uint64_t seed, jg_trace_groups *ret,
                                   jaeger_error *err)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t n = jaeger_batch_span_count(batch), cap = 16;
    while (cap < n * 2)
        cap *= 2;
    jg_trace_groups groups = {
        .traces = jg_alloc(n * (sizeof(jg_trace_group) + sizeof(uint32_t)) + cap * sizeof(uint32_t))};
    if (!groups.traces)
        return jg_fail_oom(err);
    groups.next = (uint32_t *)(groups.traces + n);
    uint32_t *table = groups.next + n; /* trace index + 1 */
    memset(table, 0, cap * sizeof *table);
    jg_trace_group *trace = NULL;
    for (uint32_t i = 0; i < n; i++) {
        groups.next[i] = JG_NO_SPAN;
        if (!trace || memcmp(spans[i].trace_id, spans[trace->first].trace_id, 16) != 0) {
            uint64_t hash = jg_hash(spans[i].trace_id, 16, seed);
            size_t at = hash & (cap - 1);
            while (table[at] &&
                   memcmp(spans[i].trace_id, spans[groups.traces[table[at] - 1].first].trace_id, 16) != 0)
                at = (at + 1) & (cap - 1);
            if (!table[at]) {
                trace = &groups.traces[groups.count++];
                *trace = (jg_trace_group){hash, i, i, 1};
                table[at] = groups.count;
                continue;
            }
            trace = &groups.traces[table[at] - 1];
        }
        groups.next[trace->last] = i;
        trace->last = i;
        trace->span_count++;
    }
    *ret = groups;
    return JAEGER_OK;
}

void jg_trace_groups_done(jg_trace_groups *groups)
{
    jg_free(groups->traces);
    *groups = (jg_trace_groups){0};
}

/* ---- summary
 * --------------------------------------------------------------------------------------------------- */

void jg_summary_init(jg_summary *s, jaeger_arena *arena)
{
    *s = (jg_summary){.arena = arena, .sum.min_start_unix_ns = UINT64_MAX};
}

void jg_summary_done(jg_summary *s)
{
    jg_map_done(&s->service_at);
}

static jaeger_status count_service(jg_summary *s, jaeger_str name, bool is_error)
{
    bool is_new;
    jg_map_entry *entry = jg_map_put(&s->service_at, name, &is_new);
    if (!entry)
        return JAEGER_RESOURCE_EXHAUSTED;
    if (is_new) {
        void *grown =
            jg_arena_grow(s->arena, s->services, s->sum.service_count, &s->service_cap, sizeof *s->services);
        if (!grown) {
            (void)jg_map_remove(&s->service_at, name);
            return JAEGER_RESOURCE_EXHAUSTED;
        }
        s->services = grown;
        s->services[s->sum.service_count++] = (jaeger_service_count){.name = name};
        entry->value = (void *)(uintptr_t)s->sum.service_count;
    }
    jaeger_service_count *count = &s->services[(uintptr_t)entry->value - 1];
    count->span_count++;
    count->error_span_count += is_error;
    return JAEGER_OK;
}

jaeger_status jg_summary_add(jg_summary *s, const jaeger_span *span)
{
    jaeger_trace_summary *sum = &s->sum;
    bool is_error = span->status_code == JAEGER_STATUS_ERROR;
    void *grown = jg_arena_grow(s->arena, s->ids, sum->span_count, &s->id_cap, sizeof *s->ids);
    if (!grown)
        return JAEGER_RESOURCE_EXHAUSTED;
    s->ids = grown;
    memcpy(s->ids[sum->span_count].id, span->span_id, 8);
    memcpy(s->ids[sum->span_count].parent, span->parent_span_id, 8);
    JG_TRY(count_service(s, span->group->service, is_error));
    if (sum->span_count++ == 0)
        memcpy(sum->trace_id, span->trace_id, 16);
    sum->error_span_count += is_error;
    sum->min_start_unix_ns = JG_MIN(sum->min_start_unix_ns, span->start_unix_ns);
    sum->max_end_unix_ns = JG_MAX(sum->max_end_unix_ns, span->end_unix_ns);
    if (jg_id_is_zero(span->parent_span_id, 8) &&
        (!sum->root_operation.ptr || span->start_unix_ns < s->root_start_unix_ns)) {
        s->root_start_unix_ns = span->start_unix_ns;
        sum->root_service = span->group->service;
        sum->root_operation = span->name.ptr ? span->name : (jaeger_str){"", 0};
    }
    return JAEGER_OK;
}

static int id_order(const void *a, const void *b)
{
    return memcmp(((const struct jg_summary_ids *)a)->id, ((const struct jg_summary_ids *)b)->id, 8);
}

static int service_order(const void *a, const void *b)
{
    return jg_str_cmp(((const jaeger_service_count *)a)->name, ((const jaeger_service_count *)b)->name);
}

const jaeger_trace_summary *jg_summary_result(jg_summary *s)
{
    jaeger_trace_summary *sum = &s->sum;
    if (sum->span_count)
        qsort(s->ids, sum->span_count, sizeof *s->ids, id_order);
    sum->orphan_span_count = 0;
    for (uint32_t i = 0; i < sum->span_count; i++) {
        struct jg_summary_ids wanted;
        memcpy(wanted.id, s->ids[i].parent, 8);
        sum->orphan_span_count += !jg_id_is_zero(wanted.id, 8) &&
                                  !bsearch(&wanted, s->ids, sum->span_count, sizeof *s->ids, id_order);
    }
    if (sum->service_count)
        qsort(s->services, sum->service_count, sizeof *s->services, service_order);
    sum->services = s->services;
    if (!sum->span_count)
        sum->min_start_unix_ns = 0;
    return sum;
}
