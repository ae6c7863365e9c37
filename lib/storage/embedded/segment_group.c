/* SPDX-License-Identifier: Apache-2.0
 * Building a segment, first step: rows grouped by trace, traces by earliest start, parents found, calls
 * between services counted.
 */
#include "storage/embedded/segment_build.h"

#include "core/alloc.h"
#include "core/str.h"
#include <stdlib.h>

typedef struct sort_key {
    uint64_t start;
    uint32_t number;
} sort_key;

static int by_start(const void *a, const void *b)
{
    const sort_key *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/** The traces in order of arrival: the memtable has numbered them. */
static void find_traces(jg_seg_build *b)
{
    for (uint32_t i = 0; i < b->row_count; i++) {
        const jg_row *row = jg_mt_row(b->mem, i);
        jg_seg_trace *trace = &b->traces[row->trace];
        if (row->previous == JG_NONE) {
            *trace = (jg_seg_trace){.min_start = UINT64_MAX};
            memcpy(trace->trace_id, row->trace_id, 16);
        }
        trace->row_count++;
        trace->min_start = JG_MIN(trace->min_start, row->start);
        trace->max_start = JG_MAX(trace->max_start, row->start);
        trace->max_end = JG_MAX(trace->max_end, row->end);
    }
}

/** Sort traces by earliest start; new_of: old number -> new number. */
static bool order_traces(jg_seg_build *b, uint32_t *new_of)
{
    uint32_t count = b->mem->traces.count; /* some may have no rows: those of a write that failed */
    JG_AUTO_FREE sort_key *keys = jg_alloc(count * sizeof *keys);
    JG_AUTO_FREE jg_seg_trace *sorted = jg_alloc(count * sizeof *sorted);
    if (!keys || !sorted)
        return false;
    for (uint32_t t = 0; t < count; t++)
        if (b->traces[t].row_count)
            keys[b->trace_count++] = (sort_key){b->traces[t].min_start, t};
    qsort(keys, b->trace_count, sizeof *keys, by_start);
    uint32_t row = 0;
    for (uint32_t t = 0; t < b->trace_count; t++) {
        sorted[t] = b->traces[keys[t].number];
        sorted[t].row0 = row;
        row += sorted[t].row_count;
        new_of[keys[t].number] = t;
    }
    memcpy(b->traces, sorted, b->trace_count * sizeof *sorted);
    return true;
}

static void sort_rows(sort_key *keys, uint32_t n)
{
    if (n > 48) {
        qsort(keys, n, sizeof *keys, by_start);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        sort_key key = keys[i];
        uint32_t j = i;
        for (; j > 0 && by_start(&keys[j - 1], &key) > 0; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static bool order_rows(jg_seg_build *b, const uint32_t *new_of)
{
    JG_AUTO_FREE uint32_t *next = jg_alloc(b->trace_count * sizeof *next);
    JG_AUTO_FREE sort_key *keys = jg_alloc(b->row_count * sizeof *keys);
    if (!next || !keys)
        return false;
    for (uint32_t t = 0; t < b->trace_count; t++)
        next[t] = b->traces[t].row0;
    for (uint32_t i = 0; i < b->row_count; i++)
        keys[next[new_of[jg_mt_row(b->mem, i)->trace]]++] = (sort_key){jg_mt_row(b->mem, i)->start, i};
    for (uint32_t t = 0; t < b->trace_count; t++)
        sort_rows(keys + b->traces[t].row0, b->traces[t].row_count);
    for (uint32_t i = 0; i < b->row_count; i++)
        b->order[i] = keys[i].number;
    return true;
}

/* ---- parents
 * ------------------------------------------------------------------------------------------------ */

#define LINEAR_MAX 24u /* traces up to here are searched without a table */

typedef struct parent_table {
    uint32_t *slots; /* segment row + 1 */
    uint64_t mask;
} parent_table;

static uint64_t id_hash(const uint8_t id[8])
{
    uint64_t x;
    memcpy(&x, id, 8);
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ x >> 32;
}

static void fill_table(const jg_seg_build *b, const jg_seg_trace *trace, parent_table *table)
{
    table->mask = 63;
    while (table->mask < (uint64_t)trace->row_count * 2)
        table->mask = table->mask * 2 + 1;
    memset(table->slots, 0, (table->mask + 1) * sizeof *table->slots);
    for (uint32_t i = trace->row0; i < trace->row0 + trace->row_count; i++) {
        const uint8_t *id = jg_mt_row(b->mem, b->order[i])->span_id;
        uint64_t at = id_hash(id) & table->mask;
        while (table->slots[at] &&
               memcmp(jg_mt_row(b->mem, b->order[table->slots[at] - 1])->span_id, id, 8) != 0)
            at = (at + 1) & table->mask;
        if (!table->slots[at])
            table->slots[at] = i + 1;
    }
}

static uint32_t look_up(const jg_seg_build *b, const jg_seg_trace *trace, const parent_table *table,
                        const uint8_t id[8])
{
    if (trace->row_count <= LINEAR_MAX) {
        for (uint32_t i = trace->row0; i < trace->row0 + trace->row_count; i++)
            if (memcmp(jg_mt_row(b->mem, b->order[i])->span_id, id, 8) == 0)
                return i;
        return JG_NONE;
    }
    for (uint64_t at = id_hash(id) & table->mask; table->slots[at]; at = (at + 1) & table->mask)
        if (memcmp(jg_mt_row(b->mem, b->order[table->slots[at] - 1])->span_id, id, 8) == 0)
            return table->slots[at] - 1;
    return JG_NONE;
}

static uint32_t service_of(const jg_seg_build *b, const jg_row *row)
{
    return jg_mt_origin(b->mem, row->origin)->service;
}

static bool note_parent(jg_seg_build *b, const jg_row *row, uint32_t parent)
{
    uint32_t minute = jg_minute_of(row->start), service = service_of(b, row);
    if (parent != JG_NONE)
        return jg_calls_add(&b->calls, minute, service_of(b, jg_mt_row(b->mem, b->order[parent])), service,
                            1);
    jg_seg_pending pending = {.service = service, .minute = minute};
    memcpy(pending.trace_id, row->trace_id, 16);
    memcpy(pending.parent_id, row->parent_id, 8);
    jg_buf_append(&b->sections[JG_SEC_PENDING], &pending, sizeof pending);
    return true;
}

static bool find_parents(jg_seg_build *b)
{
    uint32_t longest = 0;
    for (uint32_t t = 0; t < b->trace_count; t++)
        longest = JG_MAX(longest, b->traces[t].row_count);
    JG_AUTO_FREE uint32_t *slots = jg_alloc(((size_t)longest * 4 + 64) * sizeof *slots);
    if (!slots)
        return false;
    parent_table table = {slots, 0};
    for (uint32_t t = 0; t < b->trace_count; t++) {
        const jg_seg_trace *trace = &b->traces[t];
        if (trace->row_count > LINEAR_MAX)
            fill_table(b, trace, &table);
        for (uint32_t i = trace->row0; i < trace->row0 + trace->row_count; i++) {
            const jg_row *row = jg_mt_row(b->mem, b->order[i]);
            b->parents[i] = JG_NONE;
            if (jg_id_is_zero(row->parent_id, 8))
                continue;
            b->parents[i] = look_up(b, trace, &table, row->parent_id);
            if (!note_parent(b, row, b->parents[i]))
                return false;
        }
    }
    for (uint32_t i = 0; i < b->calls.cap && !b->mem->calls_elsewhere; i++)
        if (b->calls.slots[i].count)
            jg_buf_append(&b->sections[JG_SEC_CALLS], &b->calls.slots[i], sizeof(jg_seg_call));
    return true;
}

bool jg_seg_group(jg_seg_build *b)
{
    size_t n = b->row_count, traces = b->mem->traces.count;
    JG_AUTO_FREE uint32_t *new_of = jg_alloc(traces * sizeof *new_of);
    b->traces = jg_calloc(traces, sizeof *b->traces);
    b->order = jg_alloc(n * sizeof *b->order);
    b->parents = jg_alloc(n * sizeof *b->parents);
    if (!new_of || !b->traces || !b->order || !b->parents)
        return false;
    find_traces(b);
    return order_traces(b, new_of) && order_rows(b, new_of) && find_parents(b);
}
