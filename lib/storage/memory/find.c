/* SPDX-License-Identifier: Apache-2.0
 * Searching, in three steps. Scan: the rows of all shards are tested by their facts, 256 under one lock; what
 * may match becomes a candidate with the latest start it could have. Verify: candidates are looked into from
 * the newest on; the best `limit` stay in a heap, and once no candidate can beat its last one, the search
 * ends. Hand out: newest first.
 *
 * Candidates are bounded: above CANDIDATES_MAX the older half is forgotten, and if the search runs out of
 * candidates, the next round scans for those below the last one seen.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/trace.h"
#include <stdlib.h>

#define SCAN_ROWS      256u
#define CANDIDATES_MAX 32768u /* 1 MB; twice that while a scan runs */

typedef struct candidate {
    uint64_t start, seq; /* order: newest start first, then the trace made last */
    uint64_t pos;
    jg_mem_shard *shard;
} candidate;

typedef struct candidates {
    candidate *items;
    size_t count, cap;
} candidates;

typedef struct search {
    jg_mem_tenant *tenant;
    jg_match match;
    jg_mem_filter filter;
    jaeger_str needle; /* see jg_mem_needle_of() */
    candidates found;  /* scanned, not verified */
    candidates hits;   /* verified; a heap, its worst on top */
    candidate below;   /* this round looks only for candidates below it */
    bool truncated;    /* there are more than the ones in `found` */
    jaeger_arena *arena;
} search;

static bool is_newer(const candidate *a, const candidate *b)
{
    return a->start != b->start ? a->start > b->start : a->seq > b->seq;
}

static void swap(candidate *a, candidate *b)
{
    candidate c = *a;
    *a = *b;
    *b = c;
}

/** @param newest_on_top which way the heap runs */
static void sift_down(candidate *heap, size_t n, size_t i, bool newest_on_top)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_newer(&heap[child + 1], &heap[child]) == newest_on_top)
            child++;
        if (is_newer(&heap[i], &heap[child]) == newest_on_top)
            return;
        swap(&heap[i], &heap[child]);
    }
}

static void sift_up(candidate *heap, size_t i, bool newest_on_top)
{
    for (; i && is_newer(&heap[i], &heap[(i - 1) / 2]) == newest_on_top; i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static bool push(candidates *list, const candidate *item)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 256;
        candidate *items = jg_realloc(list->items, cap * sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = *item;
    return true;
}

/* ---- scan
 * ------------------------------------------------------------------------------------------------------ */

/** Move the items newer than a pivot to the front of [low, high). @return where the pivot came to lie */
static size_t partition(candidate *a, size_t low, size_t high)
{
    size_t at = low;
    swap(&a[low + (high - low) / 2], &a[high - 1]);
    for (size_t i = low; i + 1 < high; i++)
        if (is_newer(&a[i], &a[high - 1]))
            swap(&a[i], &a[at++]);
    swap(&a[at], &a[high - 1]);
    return at;
}

/** Keep the newest CANDIDATES_MAX, in any order (quickselect; no two are equal). */
static void truncate_found(search *s)
{
    for (size_t low = 0, high = s->found.count; high - low > 1;) {
        size_t at = partition(s->found.items, low, high);
        if (at == CANDIDATES_MAX)
            break;
        if (at > CANDIDATES_MAX)
            high = at;
        else
            low = at + 1;
    }
    s->found.count = CANDIDATES_MAX;
    s->truncated = true;
}

/** Test up to SCAN_ROWS rows from *pos on. @return how many went to `ret` */
static size_t scan_some(const search *s, jg_mem_shard *shard, uint64_t *pos, uint64_t *ret_end,
                        candidate ret[SCAN_ROWS])
{
    size_t n = 0;
    pthread_mutex_lock(&shard->lock);
    uint64_t at = JG_MAX(*pos, shard->tail), end = JG_MIN(at + SCAN_ROWS, shard->head);
    for (; (at = jg_mem_row_of_services(shard, at, end, s->filter.services)) < end; at++) {
        const jg_mem_row *row = jg_mem_row_at(shard, at);
        if (jg_mem_filter_may_match(&s->filter, &row->facts))
            ret[n++] =
                (candidate){JG_MIN(row->facts.start_max, s->match.start_max_unix_ns), row->seq, at, shard};
    }
    *pos = at;
    *ret_end = shard->head;
    pthread_mutex_unlock(&shard->lock);
    return n;
}

static jaeger_status scan_shard(search *s, jg_mem_shard *shard, jaeger_call *call)
{
    candidate some[SCAN_ROWS];
    for (uint64_t pos = 0, end = 1; pos < end;) {
        size_t n = scan_some(s, shard, &pos, &end, some);
        for (size_t i = 0; i < n; i++) {
            if (!is_newer(&s->below, &some[i]))
                continue;
            if (!push(&s->found, &some[i]))
                return jg_fail_oom(&call->error);
            if (s->found.count == 2 * CANDIDATES_MAX)
                truncate_found(s);
        }
        JG_TRY(jaeger_call_check(call));
    }
    return JAEGER_OK;
}

static jaeger_status scan(search *s, jaeger_call *call)
{
    s->found.count = 0;
    s->truncated = false;
    for (size_t i = 0; i < JG_MEM_SHARDS; i++)
        JG_TRY(scan_shard(s, &s->tenant->shards[i], call));
    if (s->found.count > CANDIDATES_MAX)
        truncate_found(s);
    for (size_t i = s->found.count / 2; i-- > 0;)
        sift_down(s->found.items, s->found.count, i, true);
    return JAEGER_OK;
}

/* ---- verify
 * ---------------------------------------------------------------------------------------------------- */

/** Only texts that no number or list prints as. */
jaeger_str jg_mem_needle_of(const jg_match *match)
{
    jaeger_str best = {"", 0};
    for (size_t i = 0; i < match->attr_count; i++) {
        const jg_match_attr *a = &match->attrs[i];
        const jg_match_text *w = &a->want;
        bool plain = a->where == JG_MATCH_ANYWHERE && !w->is_int && !w->is_double && !w->is_nan &&
                     !w->is_bytes && !w->is_json && !jg_str_is(w->text, "true") &&
                     !jg_str_is(w->text, "false");
        if (plain && w->text.len > best.len)
            best = w->text;
    }
    return best;
}

static bool holds(const void *bytes, size_t len, jaeger_str needle)
{
    return len >= needle.len && memmem(bytes, len, needle.ptr, needle.len) != NULL;
}

bool jg_mem_latest_match(const jg_match *match, jaeger_str needle, const jg_mem_pin *pinned,
                         uint64_t *ret_start)
{
    jaeger_span span = {0};
    const char *why;
    bool found = false, in_group = false;
    const jaeger_span_group *last = NULL;
    jg_mem_walk walk = jg_mem_walk_of(pinned);
    while (jg_mem_walk_next(&walk, &span)) {
        const jaeger_span_group *group = span.group;
        if (match->service.len && !jg_str_eq(match->service, group->service))
            continue;
        if (needle.len && group != last) {
            in_group = holds(group->resource.ptr, group->resource.len, needle) ||
                       holds(group->scope.ptr, group->scope.len, needle);
            last = group;
        }
        if ((needle.len && !in_group && !holds(span.bytes, span.len, needle)) ||
            !jg_span_index(span.bytes, span.len, &span, &why))
            continue;
        span.group = group;
        if ((!found || span.start_unix_ns > *ret_start) && jg_match_span(match, &span)) {
            *ret_start = span.start_unix_ns;
            found = true;
        }
    }
    return found;
}

static jaeger_status verify(search *s, candidate c, jaeger_call *call)
{
    jg_mem_pin pinned;
    if (!jg_mem_pin_row(c.shard, c.pos, &pinned))
        return JAEGER_OK;
    bool matches = jg_mem_latest_match(&s->match, s->needle, &pinned, &c.start);
    jg_mem_unpin(&pinned);
    if (!matches)
        return JAEGER_OK;
    candidates *hits = &s->hits;
    if (hits->count < s->match.limit) {
        if (!push(hits, &c))
            return jg_fail_oom(&call->error);
        sift_up(hits->items, hits->count - 1, false);
    } else if (is_newer(&c, &hits->items[0])) {
        hits->items[0] = c;
        sift_down(hits->items, hits->count, 0, false);
    }
    return JAEGER_OK;
}

/** Look into the candidates from the newest on. @param ret_done no later one can be better */
static jaeger_status verify_found(search *s, bool *ret_done, jaeger_call *call)
{
    candidates *found = &s->found;
    *ret_done = !s->truncated;
    for (uint32_t n = 0; found->count; n++) {
        candidate c = found->items[0];
        if (s->hits.count >= s->match.limit && !is_newer(&c, &s->hits.items[0])) {
            *ret_done = true;
            return JAEGER_OK;
        }
        found->items[0] = found->items[--found->count];
        sift_down(found->items, found->count, 0, true);
        s->below = c;
        JG_TRY(verify(s, c, call));
        if (n % 32 == 0)
            JG_TRY(jaeger_call_check(call));
    }
    return JAEGER_OK;
}

static int newest_first(const void *a, const void *b)
{
    return is_newer(a, b) ? -1 : is_newer(b, a);
}

static jaeger_status search_run(search *s, const jaeger_trace_query *query, jaeger_call *call)
{
    s->below = (candidate){.start = UINT64_MAX, .seq = UINT64_MAX};
    s->arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!s->arena)
        return jg_fail_oom(&call->error);
    JG_TRY(jg_match_compile(&s->match, query, s->arena, &call->error));
    JG_TRY(jg_mem_filter_make(&s->filter, &s->match, s->arena, &call->error));
    s->needle = jg_mem_needle_of(&s->match);
    for (bool done = false; !done;) {
        JG_TRY(scan(s, call));
        JG_TRY(verify_found(s, &done, call));
    }
    if (s->hits.count)
        qsort(s->hits.items, s->hits.count, sizeof *s->hits.items, newest_first);
    return JAEGER_OK;
}

static void search_done(search *s)
{
    jaeger_arena_free(s->arena);
    jg_free(s->found.items);
    jg_free(s->hits.items);
}

/* ---- hand out
 * -------------------------------------------------------------------------------------------------- */

/** Called for each hit, newest first. */
typedef jaeger_status (*hit_fn)(void *user, const search *s, const jg_mem_pin *pinned, jaeger_call *call);

static jaeger_status find(void *self, const jaeger_trace_query *query, hit_fn hit, void *user,
                          jaeger_call *call)
{
    search s = {0};
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &s.tenant, &call->error));
    if (!s.tenant)
        return JAEGER_OK;
    jaeger_status status = search_run(&s, query, call);
    for (size_t i = 0; status == JAEGER_OK && i < s.hits.count; i++) {
        jg_mem_pin pinned;
        if (!jg_mem_pin_row(s.hits.items[i].shard, s.hits.items[i].pos, &pinned))
            continue; /* evicted meanwhile */
        status = hit(user, &s, &pinned, call);
        jg_mem_unpin(&pinned);
    }
    search_done(&s);
    return status;
}

static jaeger_status hit_stream(void *user, const search *s, const jg_mem_pin *pinned, jaeger_call *call)
{
    (void)s;
    return jg_mem_stream(pinned, *(jaeger_consumer *)user, call);
}

jaeger_status jg_mem_find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                 jaeger_call *call)
{
    return find(self, query, hit_stream, &out, call);
}

static jaeger_status summarize(const jg_mem_pin *pinned, jg_summary *summary, jaeger_call *call)
{
    jaeger_span span = {0};
    const char *why;
    jg_mem_walk walk = jg_mem_walk_of(pinned);
    while (jg_mem_walk_next(&walk, &span)) {
        const jaeger_span_group *group = span.group;
        if (!jg_span_index(span.bytes, span.len, &span, &why))
            return jg_fail(&call->error, JAEGER_DATA_LOSS, "stored span is damaged: %s", why);
        span.group = group;
        if (jg_summary_add(summary, &span) != JAEGER_OK)
            return jg_fail_oom(&call->error);
    }
    return JAEGER_OK;
}

static jaeger_status hit_summary(void *user, const search *s, const jg_mem_pin *pinned, jaeger_call *call)
{
    (void)s;
    jaeger_summary_sink *out = user;
    jg_summary summary;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(&call->error);
    jg_summary_init(&summary, arena);
    jaeger_status status = summarize(pinned, &summary, call);
    if (status == JAEGER_OK)
        status = out->summary(out->self, jg_summary_result(&summary), call);
    jg_summary_done(&summary);
    return status;
}

jaeger_status jg_mem_find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                    jaeger_call *call)
{
    return find(self, query, hit_summary, &out, call);
}

static jaeger_status hit_id(void *user, const search *s, const jg_mem_pin *pinned, jaeger_call *call)
{
    (void)s;
    jaeger_trace_ref ref = {.start_unix_ns = UINT64_MAX};
    jaeger_span span = {0};
    const char *why;
    memcpy(ref.trace_id, pinned->trace->id, 16);
    jg_mem_walk walk = jg_mem_walk_of(pinned);
    while (jg_mem_walk_next(&walk, &span)) {
        if (!jg_span_index(span.bytes, span.len, &span, &why))
            continue;
        ref.start_unix_ns = JG_MIN(ref.start_unix_ns, span.start_unix_ns);
        ref.end_unix_ns = JG_MAX(ref.end_unix_ns, span.end_unix_ns);
    }
    return jaeger_trace_refs_add(user, ref, call);
}

jaeger_status jg_mem_find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                    jaeger_call *call)
{
    return find(self, query, hit_id, ret, call);
}
