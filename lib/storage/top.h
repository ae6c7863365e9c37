/* SPDX-License-Identifier: Apache-2.0
 * The best of many traces by some key, in bounded memory: a driver offers every trace it has, and if the ones
 * kept are used up, it offers them all again and gets the next ones.
 */
#ifndef JG_STORAGE_TOP_H
#define JG_STORAGE_TOP_H

#include "core/attr.h"
#include <jaeger/storage.h>

typedef struct jg_top_item {
    jaeger_rank rank;
    uint64_t where; /* the driver's */
    bool exact;     /* rank.key is exact, and the trace is known to match; else it may be too large */
} jg_top_item;

typedef struct jg_top {
    jg_top_item *items; /* best first after jg_top_sort */
    size_t count, cap, keep;
    bool has_after, dropped; /* dropped: some were not kept; they come behind `floor` */
    jaeger_rank after, floor;
} jg_top;

/** How many to keep when `limit` are wanted: not all of them match. At most 5 MB. */
#define JG_TOP_KEEP(limit) JG_MIN(JG_MAX((size_t)(limit) * 4, (size_t)4096), (size_t)65536)

/** @param keep so many at least. @return false: out of memory */
bool jg_top_init(jg_top *top, size_t keep, const jaeger_rank *after) JG_MUST_CHECK;
void jg_top_done(jg_top *top);
bool jg_rank_is_before(const jaeger_rank *a, const jaeger_rank *b);

/** Could a trace with this key be kept? */
JG_INLINE bool jg_top_wants(const jg_top *top, uint64_t key)
{
    return (!top->has_after || key <= top->after.key) && (!top->dropped || key >= top->floor.key);
}

void jg_top_offer(jg_top *top, const jg_top_item *item);
void jg_top_sort(jg_top *top);
/** Item `at` turned out to be worth less: put it to its place among those behind it. */
void jg_top_sink(jg_top *top, size_t at, uint64_t key);
/** Does this item come behind something that was dropped, so that it must wait? */
bool jg_top_must_wait(const jg_top *top, const jg_top_item *item);
/** Begin the next round, behind what was kept; exact items from `at` on stay. @return false: there is none */
bool jg_top_next_round(jg_top *top, size_t at);

#endif
