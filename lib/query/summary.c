/* SPDX-License-Identifier: Apache-2.0
 * See summary.h. The root is the earliest span without a parent; an orphan names a parent that is not there.
 */
#include "query/summary.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/map.h"
#include "core/str.h"
#include "model/id_table.h"
#include <stdlib.h>

typedef struct counts {
    jaeger_service_count *items;
    size_t count, cap;
    jg_map by_name; /* name -> position + 1 */
} counts;

static int count_order(const void *a, const void *b)
{
    return jg_str_cmp(((const jaeger_service_count *)a)->name, ((const jaeger_service_count *)b)->name);
}

static jaeger_service_count *count_of(counts *c, jaeger_arena *arena, jaeger_str name)
{
    bool is_new;
    if (!name.ptr)
        name = JAEGER_STR("");
    jg_map_entry *entry = jg_map_put(&c->by_name, name, &is_new);
    if (!entry)
        return NULL;
    if (is_new) {
        jaeger_service_count *grown = jg_arena_grow(arena, c->items, c->count, &c->cap, sizeof *grown);
        if (!grown)
            return NULL;
        c->items = grown;
        grown[c->count++] = (jaeger_service_count){.name = name};
        entry->value = (void *)(uintptr_t)c->count;
    }
    return &c->items[(uintptr_t)entry->value - 1];
}

static bool count_span(counts *c, jaeger_arena *arena, const jaeger_span *span, jaeger_trace_summary *ret)
{
    jaeger_service_count *service = count_of(c, arena, span->group->service);
    if (!service)
        return false;
    bool is_error = span->status_code == JAEGER_STATUS_ERROR;
    service->span_count++;
    service->error_span_count += is_error;
    ret->span_count++;
    ret->error_span_count += is_error;
    ret->min_start_unix_ns = JG_MIN(ret->min_start_unix_ns, span->start_unix_ns);
    ret->max_end_unix_ns = JG_MAX(ret->max_end_unix_ns, span->end_unix_ns);
    return true;
}

static jaeger_status summarize(const jaeger_batch *trace, jaeger_arena *arena, counts *c,
                               jaeger_trace_summary *ret)
{
    const jaeger_span *spans = jaeger_batch_spans(trace), *root = NULL;
    size_t n = jaeger_batch_span_count(trace);
    jg_id_table table;
    if (!jg_id_table_init(&table, arena, n))
        return JAEGER_RESOURCE_EXHAUSTED;
    for (uint32_t i = 0; i < n; i++)
        jg_id_table_slot(&table, jg_span_id_number(spans[i].span_id))->index = i;
    for (size_t i = 0; i < n; i++) {
        const jaeger_span *span = &spans[i];
        if (!count_span(c, arena, span, ret))
            return JAEGER_RESOURCE_EXHAUSTED;
        if (jg_id_is_zero(span->parent_span_id, 8)) {
            if (!root || span->start_unix_ns < root->start_unix_ns)
                root = span;
        } else if (jg_id_table_slot(&table, jg_span_id_number(span->parent_span_id))->index == JG_NO_INDEX) {
            ret->orphan_span_count++;
        }
    }
    if (root) {
        ret->root_service = root->group->service;
        ret->root_operation = root->name;
    }
    return JAEGER_OK;
}

jaeger_status jg_summarize(const jaeger_batch *trace, jaeger_arena *arena, jaeger_trace_summary *ret,
                           jaeger_error *err)
{
    counts c = {0};
    *ret = (jaeger_trace_summary){.min_start_unix_ns = UINT64_MAX};
    if (jaeger_batch_span_count(trace))
        memcpy(ret->trace_id, jaeger_batch_spans(trace)[0].trace_id, 16);
    jaeger_status status = summarize(trace, arena, &c, ret);
    jg_map_done(&c.by_name);
    if (status != JAEGER_OK)
        return jg_fail_oom(err);
    if (c.count)
        qsort(c.items, c.count, sizeof *c.items, count_order);
    ret->services = c.items;
    ret->service_count = c.count;
    return JAEGER_OK;
}
