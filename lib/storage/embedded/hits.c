/* SPDX-License-Identifier: Apache-2.0
 * See hits.h. Hits gather in an array with a hash index; now and then it is sorted and cut.
 */
#include "storage/embedded/hits.h"

#include "core/arena.h"
#include "core/hash.h"
#include <stdlib.h>

static int newest_first(const void *a, const void *b)
{
    const jg_hit *x = a, *y = b;
    if (x->start != y->start)
        return x->start > y->start ? -1 : 1;
    return memcmp(x->trace_id, y->trace_id, 16);
}

static uint32_t *slot_of(const jg_hits *hits, const uint8_t trace_id[16])
{
    for (size_t i = jg_hash(trace_id, 16, 0);; i++) {
        uint32_t *slot = &hits->slots[i & (hits->slot_count - 1)];
        if (*slot == 0 || memcmp(hits->items[*slot - 1].trace_id, trace_id, 16) == 0)
            return slot;
    }
}

static void reindex(jg_hits *hits)
{
    memset(hits->slots, 0, hits->slot_count * sizeof *hits->slots);
    for (size_t i = 0; i < hits->count; i++)
        *slot_of(hits, hits->items[i].trace_id) = (uint32_t)i + 1;
}

static bool resize(jg_hits *hits, size_t cap)
{
    size_t slots = 64;
    while (slots < cap * 2)
        slots *= 2;
    jg_hit *items = jaeger_arena_alloc(hits->arena, cap * sizeof *items);
    uint32_t *index = jaeger_arena_alloc(hits->arena, slots * sizeof *index);
    if (!items || !index)
        return false;
    if (hits->count)
        memcpy(items, hits->items, hits->count * sizeof *items);
    hits->items = items;
    hits->cap = cap;
    hits->slots = index;
    hits->slot_count = slots;
    reindex(hits);
    return true;
}

bool jg_hits_init(jg_hits *hits, jaeger_arena *arena, size_t limit)
{
    *hits = (jg_hits){.arena = arena, .limit = limit};
    return resize(hits, 64);
}

static void cut(jg_hits *hits)
{
    qsort(hits->items, hits->count, sizeof *hits->items, newest_first);
    hits->count = JG_MIN(hits->count, hits->limit);
    hits->full = hits->count == hits->limit;
    hits->floor = hits->full ? hits->items[hits->count - 1].start : 0;
    reindex(hits);
}

bool jg_hits_add(jg_hits *hits, const uint8_t trace_id[16], uint64_t start)
{
    uint32_t *slot = slot_of(hits, trace_id);
    if (*slot) {
        jg_hit *hit = &hits->items[*slot - 1];
        hit->start = JG_MAX(hit->start, start);
        return true;
    }
    if (!jg_hits_wants(hits, start))
        return true;
    if (hits->count == hits->cap) {
        if (!resize(hits, hits->cap * 2))
            return false;
        slot = slot_of(hits, trace_id);
    }
    jg_hit *hit = &hits->items[hits->count++];
    memcpy(hit->trace_id, trace_id, 16);
    hit->start = start;
    *slot = (uint32_t)hits->count;
    if (hits->count == hits->limit || hits->count >= hits->limit + hits->limit / 4 + 4)
        cut(hits);
    return true;
}

void jg_hits_finish(jg_hits *hits)
{
    cut(hits);
}
