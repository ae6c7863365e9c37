/* SPDX-License-Identifier: Apache-2.0
 * The newest N traces of a search. While it runs, parts of the store whose newest span is older than the N-th
 * best hit can be skipped.
 */
#ifndef JG_EMBEDDED_HITS_H
#define JG_EMBEDDED_HITS_H

#include "core/attr.h"
#include <jaeger/storage.h>

typedef struct jg_hit {
    uint8_t trace_id[16];
    uint64_t start; /* of its latest matching span, Unix ns */
} jg_hit;

typedef struct jg_hits {
    jaeger_arena *arena;
    size_t limit, count, cap;
    jg_hit *items;
    uint32_t *slots; /* index + 1 */
    size_t slot_count;
    uint64_t floor; /* start of the N-th best; what is not later cannot enter. 0: not yet N */
    bool full;
} jg_hits;

/** @return false: out of memory */
bool jg_hits_init(jg_hits *hits, jaeger_arena *arena, size_t limit);
bool jg_hits_add(jg_hits *hits, const uint8_t trace_id[16], uint64_t start);
/** Sort, newest first, and cut to the limit. */
void jg_hits_finish(jg_hits *hits);

/** Can a trace whose latest span starts then still enter? */
JG_INLINE bool jg_hits_wants(const jg_hits *hits, uint64_t start)
{
    return !hits->full || start > hits->floor;
}

#endif
