/* SPDX-License-Identifier: Apache-2.0
 * The best traces of a search by some order, and the place where the next page begins. A cursor is the key
 * and the id of a page's last trace; ids break ties, so pages neither repeat nor lose a trace.
 */
#ifndef JG_QUERY_RANKING_H
#define JG_QUERY_RANKING_H

#include "model/match.h"
#include <jaeger/query.h>

typedef struct jg_ranked {
    uint64_t key; /* larger is better */
    jaeger_trace_ref ref;
} jg_ranked;

typedef struct jg_ranking {
    jaeger_order order;
    const jg_match *match; /* which spans count for "newest" */
    jg_ranked *items;      /* a heap, its worst on top, until finished; then best first */
    size_t count, limit;
    bool has_cursor, more; /* more: some did not fit */
    jg_ranked after;       /* only what comes after it */
    bool has_enough;
} jg_ranking;

/** @return INVALID_ARGUMENT: page->cursor is none of this order */
jaeger_status jg_ranking_init(jg_ranking *ranking, const jaeger_page *page, size_t limit,
                              const jg_match *match, jaeger_call *call) JG_MUST_CHECK;
/** Forget what was taken. */
void jg_ranking_restart(jg_ranking *ranking);
/** Takes whole traces. */
jaeger_consumer jg_ranking_consumer(jg_ranking *ranking);
/** Sort, and write page->next. */
jaeger_status jg_ranking_finish(jg_ranking *ranking, jaeger_page *page, jaeger_call *call) JG_MUST_CHECK;
/** Is page->cursor empty or one of page->order? @return INVALID_ARGUMENT */
jaeger_status jg_page_check(const jaeger_page *page, jaeger_error *err) JG_MUST_CHECK;
/** "newest", "longest", "spans", "errors". @return false: none of them */
bool jg_order_of(jaeger_str text, jaeger_order *ret);

#endif
