/* SPDX-License-Identifier: Apache-2.0
 * Traces by duration, spans or errors, over the whole store. Segments tell all three of a trace without
 * decoding it (errors: from the index, perhaps too many), so every trace that may match is offered to a list
 * of the best ones, and only what comes to the front is decoded and tested. Traces that lie in more than one
 * part of the store are added up first ("wholes"): those of memtables, and those of splits.h.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/map.h"
#include "core/str.h"
#include "storage/embedded/memtable_search.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/splits.h"
#include "storage/top.h"
#include <stdlib.h>

#define WHOLE    UINT32_MAX /* instead of a segment, in jg_top_item.where */
#define SECTIONS (JG_SEC_FOR_SEARCH | JG_SEC_FOR_SPANS)

typedef struct whole {
    uint8_t id[16];
    uint64_t min_start, last; /* last: latest start or end */
    uint64_t spans, errors;
    bool candidate;
} whole;

typedef struct ranking {
    jg_store *store;
    const jg_snapshot *snapshot;
    jg_seg_reader *reader;
    jaeger_order order;
    jg_match match, errors; /* errors: rows with status Error */
    jg_match_attr error_attr;
    bool any;                  /* no condition but the time range */
    const jaeger_rank *cursor; /* errors: checked once a key is exact */
    jg_top top;
    jaeger_arena *arena; /* of what follows */
    jg_map by_id;
    whole **wholes;
    size_t whole_count, whole_cap;
    uint8_t **skip; /* by segment: a bit for each trace that is a whole; NULL: none */
    jaeger_rank_sink out;
} ranking;

/* ---- wholes
 * ------------------------------------------------------------------------------------------------- */

static whole *find_whole(ranking *r, const uint8_t id[16], bool make)
{
    bool is_new;
    jaeger_str key = {(const char *)id, 16};
    whole *w = jg_map_get(&r->by_id, key);
    if (w || !make)
        return w;
    w = jg_arena_zalloc(r->arena, sizeof *w);
    whole **grown =
        w ? jg_arena_grow(r->arena, r->wholes, r->whole_count, &r->whole_cap, sizeof *grown) : NULL;
    if (!grown)
        return NULL;
    r->wholes = grown;
    memcpy(w->id, id, 16);
    w->min_start = UINT64_MAX;
    jg_map_entry *entry = jg_map_put(&r->by_id, (jaeger_str){(const char *)w->id, 16}, &is_new);
    if (!entry)
        return NULL;
    entry->value = w;
    return r->wholes[r->whole_count++] = w;
}

static void widen(whole *w, uint64_t start, uint64_t last)
{
    w->min_start = JG_MIN(w->min_start, start);
    w->last = JG_MAX(w->last, last);
}

static jaeger_status add_memtable(ranking *r, const jg_mt *mem, jaeger_call *call)
{
    uint32_t count = jg_mt_count(mem);
    JG_AUTO_FREE whole **by_trace = jg_calloc((size_t)count + 1, sizeof(whole *));
    JG_AUTO_FREE uint8_t *may_match = jg_calloc((size_t)count + 1, 1);
    if (!by_trace || !may_match)
        return jg_fail_oom(&call->error);
    JG_TRY(jg_mt_candidates(mem, &r->match, count, may_match, call));
    for (uint32_t i = 0; i < count; i++) {
        const jg_row *row = jg_mt_row(mem, i);
        whole *w = by_trace[row->trace];
        if (!w && !(w = by_trace[row->trace] = find_whole(r, row->trace_id, true)))
            return jg_fail_oom(&call->error);
        widen(w, row->start, JG_MAX(row->start, row->end));
        w->spans++;
        w->errors += row->status == JAEGER_STATUS_ERROR;
        w->candidate |= may_match[row->trace];
    }
    return jaeger_call_check(call);
}

/** A part of a whole in a segment. The error bits of the segment are set, if they are needed. */
static bool add_part(ranking *r, uint32_t seg, const jg_seg_view *view, uint32_t number, bool has_errors)
{
    const jg_seg_trace *trace = &jg_seg_traces(view)[number];
    if (!r->skip[seg])
        r->skip[seg] = jg_arena_zalloc(r->arena, view->header.trace_count / 8 + 1);
    if (!r->skip[seg])
        return false;
    if (r->skip[seg][number / 8] >> number % 8 & 1)
        return true;
    whole *w = find_whole(r, trace->trace_id, true);
    if (!w)
        return false;
    r->skip[seg][number / 8] |= (uint8_t)(1u << number % 8);
    widen(w, trace->min_start, JG_MAX(trace->max_start, trace->max_end));
    w->spans += trace->row_count;
    w->errors += has_errors ? jg_seg_bits_of_trace(r->reader, trace) : 0;
    w->candidate = true;
    return true;
}

/** Hashes of the traces of memtables, sorted: what segments may have more of. */
static int by_hash(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static jaeger_status add_parts(ranking *r, uint32_t seg, const jg_splits *splits, const uint32_t *hashes,
                               size_t hash_count, jaeger_call *call)
{
    jg_seg_view *view = jg_seg_use(r->store, r->snapshot->segs[seg], SECTIONS);
    uint64_t errors = 0;
    bool ok = true;
    if (!view)
        return JAEGER_OK;
    if (r->order == JAEGER_ORDER_MOST_ERRORS)
        JG_TRY(jg_seg_candidates(r->reader, view, &r->errors, &errors, call));
    for (uint32_t i = splits->first[seg]; ok && i < splits->first[seg + 1]; i++)
        ok = add_part(r, seg, view, splits->numbers[i], errors > 0);
    const uint32_t *theirs = (const uint32_t *)view->sections[JG_SEC_TRACE_HASHES].ptr;
    const uint32_t *numbers = (const uint32_t *)view->sections[JG_SEC_TRACE_ORDINALS].ptr;
    uint32_t count = view->header.trace_count;
    for (uint32_t i = 0, k = 0; ok && i < hash_count && k < count;) {
        if (hashes[i] < theirs[k]) {
            i++;
        } else {
            if (hashes[i] == theirs[k] && numbers[k] < count &&
                find_whole(r, jg_seg_traces(view)[numbers[k]].trace_id, false))
                ok = add_part(r, seg, view, numbers[k], errors > 0);
            k++;
        }
    }
    return ok ? JAEGER_OK : jg_fail_oom(&call->error);
}

static jaeger_status gather_wholes(ranking *r, jaeger_call *call)
{
    jg_splits *splits;
    jaeger_status status = JAEGER_OK;
    for (uint32_t i = 0; i < r->snapshot->mem_count; i++)
        JG_TRY(add_memtable(r, r->snapshot->mems[i], call));
    size_t n = r->whole_count;
    JG_AUTO_FREE uint32_t *hashes = jg_alloc((n + 1) * sizeof *hashes);
    r->skip = jg_arena_zalloc(r->arena, (r->snapshot->seg_count + 1) * sizeof *r->skip);
    if (!hashes || !r->skip)
        return jg_fail_oom(&call->error);
    for (size_t i = 0; i < n; i++)
        hashes[i] = jg_trace_hash(r->wholes[i]->id);
    qsort(hashes, n, sizeof *hashes, by_hash);
    JG_TRY(jg_splits_get(r->store, r->snapshot, &splits, call));
    for (uint32_t i = 0; i < r->snapshot->seg_count && status == JAEGER_OK; i++) {
        jg_seg *seg = r->snapshot->segs[i];
        status = jg_seg_tolerate(r->store, seg, add_parts(r, i, splits, hashes, n, call), call);
        if (status == JAEGER_OK)
            status = jaeger_call_check(call);
    }
    jg_splits_unref(splits);
    return status;
}

/* ---- offering
 * ----------------------------------------------------------------------------------------------- */

static void offer(ranking *r, uint64_t key, const uint8_t id[16], uint32_t seg, uint32_t number)
{
    jg_top_item item = {.rank.key = key, .where = (uint64_t)seg << 32 | number};
    memcpy(item.rank.trace_id, id, 16);
    jg_top_offer(&r->top, &item);
}

static void offer_wholes(ranking *r)
{
    for (uint32_t i = 0; i < r->whole_count; i++) {
        const whole *w = r->wholes[i];
        uint64_t key = r->order == JAEGER_ORDER_LONGEST      ? w->last - w->min_start
                       : r->order == JAEGER_ORDER_MOST_SPANS ? w->spans
                                                             : w->errors;
        if (w->candidate && w->min_start <= r->match.start_max_unix_ns && jg_top_wants(&r->top, key))
            offer(r, key, w->id, WHOLE, i);
    }
}

/** Errors of each trace of a segment, from the index. @param ret jg_free; NULL: none has any */
static jaeger_status count_errors(ranking *r, const jg_seg_view *view, uint32_t **ret, jaeger_call *call)
{
    uint64_t rows;
    *ret = NULL;
    if (r->order != JAEGER_ORDER_MOST_ERRORS)
        return JAEGER_OK;
    JG_TRY(jg_seg_candidates(r->reader, view, &r->errors, &rows, call));
    if (rows == 0)
        return JAEGER_OK;
    uint32_t *counts = jg_alloc((view->header.trace_count + 1ull) * sizeof *counts);
    if (!counts)
        return jg_fail_oom(&call->error);
    for (uint32_t i = 0; i < view->header.trace_count; i++)
        counts[i] = jg_seg_bits_of_trace(r->reader, &jg_seg_traces(view)[i]);
    *ret = counts;
    return JAEGER_OK;
}

static void offer_traces(ranking *r, uint32_t seg, const jg_seg_view *view, const uint32_t *errors)
{
    const jg_seg_trace *traces = jg_seg_traces(view);
    const uint8_t *skip = r->skip[seg];
    const jg_match *match = &r->match;
    for (uint32_t i = 0; i < view->header.trace_count; i++) {
        const jg_seg_trace *t = &traces[i];
        uint64_t key = r->order == JAEGER_ORDER_LONGEST      ? JG_MAX(t->max_end, t->max_start) - t->min_start
                       : r->order == JAEGER_ORDER_MOST_SPANS ? t->row_count
                       : errors                              ? errors[i]
                                                             : 0;
        if (jg_top_wants(&r->top, key) && t->max_start >= match->start_min_unix_ns &&
            t->min_start <= match->start_max_unix_ns && !(skip && skip[i / 8] >> i % 8 & 1) &&
            (r->any || jg_seg_bits_of_trace(r->reader, t)))
            offer(r, key, t->trace_id, seg, i);
    }
}

static jaeger_status offer_segment(ranking *r, uint32_t number, jaeger_call *call)
{
    jg_seg *seg = r->snapshot->segs[number];
    uint64_t rows = 1;
    JG_AUTO_FREE uint32_t *errors = NULL;
    if (seg->meta.max_start < r->match.start_min_unix_ns ||
        seg->meta.min_start > r->match.start_max_unix_ns || seg->meta.max_duration < r->match.duration_min_ns)
        return JAEGER_OK;
    jg_seg_view *view = jg_seg_use(r->store, seg, SECTIONS);
    if (!view)
        return JAEGER_OK;
    JG_TRY(count_errors(r, view, &errors, call));
    if (!r->any)
        JG_TRY(jg_seg_candidates(r->reader, view, &r->match, &rows, call));
    if (rows)
        offer_traces(r, number, view, errors);
    return JAEGER_OK;
}

static jaeger_status offer_all(ranking *r, jaeger_call *call)
{
    for (uint32_t i = 0; i < r->snapshot->seg_count; i++) {
        JG_TRY(jg_seg_tolerate(r->store, r->snapshot->segs[i], offer_segment(r, i, call), call));
        JG_TRY(jaeger_call_check(call));
    }
    offer_wholes(r);
    jg_top_sort(&r->top);
    return JAEGER_OK;
}

/* ---- looking into traces
 * ------------------------------------------------------------------------------------ */

static jaeger_status examine_memtable(ranking *r, const jg_mt *mem, const uint8_t id[16], bool *matched,
                                      uint64_t *errors, jaeger_error *err)
{
    uint32_t count;
    JG_AUTO_FREE uint32_t *rows = NULL;
    JG_TRY(jg_mt_trace_rows(mem, id, &rows, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        jaeger_span span;
        const jg_row *row = jg_mt_row(mem, rows[i]);
        *errors += row->status == JAEGER_STATUS_ERROR;
        if (!*matched && jg_match_times(&r->match, row->start, row->end) && jg_mt_span(mem, row, &span))
            *matched = jg_match_span(&r->match, &span);
    }
    return JAEGER_OK;
}

static jaeger_status examine_segment(ranking *r, uint32_t seg, uint32_t number, bool *matched,
                                     uint64_t *errors, jaeger_call *call)
{
    jg_seg_view *view = jg_seg_use(r->store, r->snapshot->segs[seg], SECTIONS);
    if (!view)
        return JAEGER_OK;
    uint64_t *counted = r->order == JAEGER_ORDER_MOST_ERRORS ? errors : NULL;
    return jg_seg_tolerate(r->store, r->snapshot->segs[seg],
                           jg_seg_examine(r->reader, view, number, &r->match, matched, counted), call);
}

static jaeger_status examine_whole(ranking *r, const whole *w, bool *matched, uint64_t *errors,
                                   jaeger_call *call)
{
    uint32_t number;
    for (uint32_t i = 0; i < r->snapshot->seg_count; i++) {
        jg_seg *seg = r->snapshot->segs[i];
        if (!r->skip[i] || !jg_filter_has(seg->filter, seg->filter_bytes, w->id))
            continue;
        jg_seg_view *view = jg_seg_use(r->store, seg, SECTIONS);
        if (view && jg_seg_find_trace(view, w->id, &number))
            JG_TRY(examine_segment(r, i, number, matched, errors, call));
    }
    for (uint32_t i = 0; i < r->snapshot->mem_count; i++)
        JG_TRY(examine_memtable(r, r->snapshot->mems[i], w->id, matched, errors, &call->error));
    return JAEGER_OK;
}

static jaeger_trace_ref ref_of(const ranking *r, const jg_top_item *item)
{
    uint32_t seg = (uint32_t)(item->where >> 32), number = (uint32_t)item->where;
    jaeger_trace_ref ref = {0};
    memcpy(ref.trace_id, item->rank.trace_id, 16);
    if (seg == WHOLE) {
        ref.start_unix_ns = r->wholes[number]->min_start;
        ref.end_unix_ns = r->wholes[number]->last;
    } else {
        const jg_seg_trace *trace = &jg_seg_traces(&r->snapshot->segs[seg]->view)[number];
        ref.start_unix_ns = trace->min_start;
        ref.end_unix_ns = JG_MAX(trace->max_start, trace->max_end);
    }
    return ref;
}

/** Some span starts in the range, and that is all that is asked. */
static bool surely_matches(const ranking *r, const jaeger_trace_ref *ref)
{
    return r->any && ref->start_unix_ns >= r->match.start_min_unix_ns &&
           ref->start_unix_ns <= r->match.start_max_unix_ns;
}

/** Item `at` of the list: hand it out, or see that it is none or belongs further back (*ret_again). */
static jaeger_status take(ranking *r, size_t at, bool *ret_again, jaeger_call *call)
{
    jg_top_item *item = &r->top.items[at];
    jaeger_trace_ref ref = ref_of(r, item);
    bool counts = r->order == JAEGER_ORDER_MOST_ERRORS && item->rank.key > 0;
    *ret_again = false;
    if (!item->exact && (counts || !surely_matches(r, &ref))) {
        bool matched = surely_matches(r, &ref);
        uint64_t errors = 0;
        uint32_t seg = (uint32_t)(item->where >> 32), number = (uint32_t)item->where;
        JG_TRY(seg == WHOLE ? examine_whole(r, r->wholes[number], &matched, &errors, call)
                            : examine_segment(r, seg, number, &matched, &errors, call));
        if (!matched)
            return JAEGER_OK;
        if (counts && errors < item->rank.key) {
            jg_top_sink(&r->top, at, errors);
            *ret_again = true;
            return JAEGER_OK;
        }
    }
    if (r->cursor && !jg_rank_is_before(r->cursor, &item->rank))
        return JAEGER_OK;
    return r->out.ranked(r->out.self, &ref, &item->rank, call);
}

static jaeger_status hand_out(ranking *r, jaeger_call *call)
{
    size_t at;
    do {
        JG_TRY(offer_all(r, call));
        for (at = 0; at < r->top.count && !jg_top_must_wait(&r->top, &r->top.items[at]);) {
            bool again;
            JG_TRY(take(r, at, &again, call));
            at += !again;
            if (at % 16 == 0)
                JG_TRY(jaeger_call_check(call));
        }
    } while (jg_top_next_round(&r->top, at));
    return JAEGER_OK;
}

/* ---- the slot
 * ------------------------------------------------------------------------------------------------------ */

static jaeger_status prepare(ranking *r, const jaeger_trace_query *query, const jaeger_rank *after,
                             jaeger_call *call)
{
    JG_TRY(jg_match_compile(&r->match, query, call->arena, &call->error));
    const jg_match *m = &r->match;
    r->any = !m->service.len && !m->operation.len && !m->attr_count && !m->filter &&
             !query->duration_min_ns && !query->duration_max_ns;
    bool by_errors = r->order == JAEGER_ORDER_MOST_ERRORS;
    r->error_attr = (jg_match_attr){.where = JG_MATCH_ERROR, .number = 1};
    r->errors = (jg_match){.start_max_unix_ns = UINT64_MAX,
                           .duration_max_ns = UINT64_MAX,
                           .attrs = &r->error_attr,
                           .attr_count = 1};
    r->cursor = by_errors ? after : NULL;
    r->arena = jaeger_arena_new(0);
    r->reader = jg_reader_take(r->store);
    return r->arena && r->reader && jg_top_init(&r->top, JG_TOP_KEEP(m->limit), by_errors ? NULL : after)
               ? JAEGER_OK
               : jg_fail_oom(&call->error);
}

jaeger_status jg_store_rank(jg_store *store, const jaeger_trace_query *query, jaeger_order order,
                            const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call)
{
    ranking r = {.store = store, .order = order, .out = out};
    jg_snapshot *snapshot = jg_snapshot_take(store);
    r.snapshot = snapshot;
    jaeger_status status = prepare(&r, query, after, call);
    if (status == JAEGER_OK)
        status = gather_wholes(&r, call);
    if (status == JAEGER_OK)
        status = hand_out(&r, call);
    jg_top_done(&r.top);
    jg_map_done(&r.by_id);
    jaeger_arena_free(r.arena);
    jg_reader_give(store, r.reader);
    jg_snapshot_unref(snapshot);
    return status;
}
