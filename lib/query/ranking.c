/* SPDX-License-Identifier: Apache-2.0
 * See ranking.h.
 */
#include "query/ranking.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include <stdlib.h>

#define CURSOR_BYTES 25 /* order, key, trace id */
#define LIMIT_MAX    20000u

static bool is_better(const jg_ranked *a, const jg_ranked *b)
{
    if (a->key != b->key)
        return a->key > b->key;
    return memcmp(a->ref.trace_id, b->ref.trace_id, 16) < 0;
}

static void sift_down(jg_ranking *r, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < r->count; i = child) {
        if (child + 1 < r->count && is_better(&r->items[child], &r->items[child + 1]))
            child++;
        if (is_better(&r->items[child], &r->items[i]))
            return;
        jg_ranked worse = r->items[child];
        r->items[child] = r->items[i];
        r->items[i] = worse;
    }
}

static void sift_up(jg_ranking *r, size_t i)
{
    for (size_t parent; i > 0 && is_better(&r->items[parent = (i - 1) / 2], &r->items[i]); i = parent) {
        jg_ranked worse = r->items[i];
        r->items[i] = r->items[parent];
        r->items[parent] = worse;
    }
}

static void offer(jg_ranking *r, const jg_ranked *item)
{
    if (r->has_cursor && !is_better(&r->after, item))
        return;
    if (r->count < r->limit) {
        r->items[r->count++] = *item;
        sift_up(r, r->count - 1);
        return;
    }
    r->more = true;
    if (is_better(item, &r->items[0])) {
        r->items[0] = *item;
        sift_down(r, 0);
    }
}

/** Key and time range. */
static void measure(const jg_ranking *r, const jaeger_batch *trace, jg_ranked *ret)
{
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace), errors = 0;
    uint64_t latest = 0, start = UINT64_MAX, end = 0;
    for (size_t i = 0; i < n; i++) {
        start = JG_MIN(start, spans[i].start_unix_ns);
        end = JG_MAX(end, JG_MAX(spans[i].start_unix_ns, spans[i].end_unix_ns));
        errors += spans[i].status_code == JAEGER_STATUS_ERROR;
        if (r->order == JAEGER_ORDER_NEWEST && spans[i].start_unix_ns >= latest &&
            jg_match_span(r->match, &spans[i]))
            latest = spans[i].start_unix_ns;
    }
    *ret = (jg_ranked){.ref = {.start_unix_ns = start, .end_unix_ns = end}};
    memcpy(ret->ref.trace_id, spans[0].trace_id, 16);
    ret->key = r->order == JAEGER_ORDER_NEWEST       ? latest
               : r->order == JAEGER_ORDER_LONGEST    ? end - start
               : r->order == JAEGER_ORDER_MOST_SPANS ? n
                                                     : errors;
}

static jaeger_status consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_ranking *r = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    jg_ranked item;
    JG_TRY(jaeger_call_check(call));
    if (jaeger_batch_span_count(trace) == 0)
        return JAEGER_OK;
    measure(r, trace, &item);
    /* the driver's order is newest first: once a full page is newer than this one, it is complete */
    if (r->order == JAEGER_ORDER_NEWEST && r->count == r->limit && item.key < r->items[0].key) {
        r->more = r->has_enough = true;
        return JAEGER_CANCELLED;
    }
    offer(r, &item);
    return JAEGER_OK;
}

void jg_ranking_restart(jg_ranking *ranking)
{
    ranking->count = 0;
    ranking->more = ranking->has_enough = false;
}

jaeger_consumer jg_ranking_consumer(jg_ranking *ranking)
{
    return (jaeger_consumer){consume, ranking};
}

static bool read_cursor(jg_ranking *r, jaeger_str text)
{
    uint8_t bytes[CURSOR_BYTES];
    if (!jg_hex_decode(text, bytes, CURSOR_BYTES) || bytes[0] != (uint8_t)r->order)
        return false;
    memcpy(&r->after.key, bytes + 1, 8);
    memcpy(r->after.ref.trace_id, bytes + 9, 16);
    r->has_cursor = true;
    return true;
}

jaeger_status jg_page_check(const jaeger_page *page, jaeger_error *err)
{
    jg_ranking r = {.order = page->order};
    if (page->cursor.len == 0 || read_cursor(&r, page->cursor))
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "not the nextCursor of a search in this order");
}

jaeger_status jg_ranking_init(jg_ranking *r, const jaeger_page *page, size_t limit, const jg_match *match,
                              jaeger_call *call)
{
    *r = (jg_ranking){.order = page->order, .match = match, .limit = JG_MIN(limit, LIMIT_MAX)};
    JG_TRY(jg_page_check(page, &call->error));
    if (page->cursor.len)
        (void)read_cursor(r, page->cursor);
    r->items = jaeger_arena_alloc(call->arena, r->limit * sizeof *r->items);
    return r->items ? JAEGER_OK : jg_fail_oom(&call->error);
}

static int best_first(const void *a, const void *b)
{
    return is_better(a, b) ? -1 : is_better(b, a);
}

jaeger_status jg_ranking_finish(jg_ranking *r, jaeger_page *page, jaeger_call *call)
{
    uint8_t bytes[CURSOR_BYTES];
    page->next = JAEGER_STR("");
    if (r->count)
        qsort(r->items, r->count, sizeof *r->items, best_first);
    if (!r->more || r->count == 0)
        return JAEGER_OK;
    const jg_ranked *last = &r->items[r->count - 1];
    char *text = jaeger_arena_alloc(call->arena, 2 * CURSOR_BYTES);
    if (!text)
        return jg_fail_oom(&call->error);
    bytes[0] = (uint8_t)r->order;
    memcpy(bytes + 1, &last->key, 8);
    memcpy(bytes + 9, last->ref.trace_id, 16);
    jg_hex_encode(bytes, CURSOR_BYTES, text);
    page->next = (jaeger_str){text, 2 * CURSOR_BYTES};
    return JAEGER_OK;
}

bool jg_order_of(jaeger_str text, jaeger_order *ret)
{
    static const char *const names[] = {"newest", "longest", "spans", "errors"};
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        if (jg_str_is(text, names[i])) {
            *ret = (jaeger_order)i;
            return true;
        }
    }
    return false;
}
