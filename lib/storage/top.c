/* SPDX-License-Identifier: Apache-2.0
 * See top.h. Twice `keep` items are gathered, then the better half is selected; what the worst of it beats is
 * not even stored from then on.
 */
#include "storage/top.h"

#include "core/alloc.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

bool jg_rank_is_before(const jaeger_rank *a, const jaeger_rank *b)
{
    uint64_t x, y;
    if (a->key != b->key)
        return a->key > b->key;
    memcpy(&x, a->trace_id, 8); /* many traces have as many spans: no call for each */
    memcpy(&y, b->trace_id, 8);
    if (x != y)
        return be64toh(x) < be64toh(y);
    return memcmp(a->trace_id + 8, b->trace_id + 8, 8) < 0;
}

bool jg_top_init(jg_top *top, size_t keep, const jaeger_rank *after)
{
    *top = (jg_top){.keep = keep, .cap = 2 * keep, .has_after = after != NULL};
    if (after)
        top->after = *after;
    top->items = jg_alloc(top->cap * sizeof *top->items);
    return top->items != NULL;
}

void jg_top_done(jg_top *top)
{
    jg_free(top->items);
    top->items = NULL;
}

static void swap(jg_top_item *a, jg_top_item *b)
{
    jg_top_item c = *a;
    *a = *b;
    *b = c;
}

/** @return where the pivot came to lie; what is before it is better */
static size_t partition(jg_top_item *a, size_t low, size_t high)
{
    size_t at = low;
    swap(&a[low + (high - low) / 2], &a[high - 1]);
    for (size_t i = low; i + 1 < high; i++)
        if (jg_rank_is_before(&a[i].rank, &a[high - 1].rank))
            swap(&a[i], &a[at++]);
    swap(&a[at], &a[high - 1]);
    return at;
}

/** Keep the best half (quickselect). */
static void cut(jg_top *top)
{
    size_t last = top->keep - 1; /* what must come to lie where it belongs */
    for (size_t low = 0, high = top->count; high - low > 1;) {
        size_t at = partition(top->items, low, high);
        if (at == last)
            break;
        if (at > last)
            high = at;
        else
            low = at + 1;
    }
    size_t n = top->keep;
    for (size_t i = n; i < top->count && n + 1 < top->cap; i++)
        if (top->items[i].exact) /* the driver would offer it by its first key, before `after` */
            top->items[n++] = top->items[i];
    top->count = n;
    top->dropped = true;
    top->floor = top->items[last].rank;
}

void jg_top_offer(jg_top *top, const jg_top_item *item)
{
    if ((top->has_after && !jg_rank_is_before(&top->after, &item->rank)) ||
        (top->dropped && !jg_rank_is_before(&item->rank, &top->floor)))
        return;
    top->items[top->count++] = *item;
    if (top->count == top->cap)
        cut(top);
}

static int best_first(const void *a, const void *b)
{
    const jg_top_item *x = a, *y = b;
    return jg_rank_is_before(&x->rank, &y->rank) ? -1 : jg_rank_is_before(&y->rank, &x->rank);
}

void jg_top_sort(jg_top *top)
{
    if (top->count)
        qsort(top->items, top->count, sizeof *top->items, best_first);
}

void jg_top_sink(jg_top *top, size_t at, uint64_t key)
{
    jg_top_item item = top->items[at];
    item.rank.key = key;
    item.exact = true;
    size_t low = at + 1, high = top->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (jg_rank_is_before(&top->items[middle].rank, &item.rank))
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&top->items[at], &top->items[at + 1], (low - at - 1) * sizeof item);
    top->items[low - 1] = item;
}

bool jg_top_must_wait(const jg_top *top, const jg_top_item *item)
{
    return top->dropped && jg_rank_is_before(&top->floor, &item->rank);
}

bool jg_top_next_round(jg_top *top, size_t at)
{
    size_t n = 0;
    if (!top->dropped)
        return false;
    for (; at < top->count; at++)
        if (top->items[at].exact)
            top->items[n++] = top->items[at];
    top->count = n;
    top->dropped = false;
    top->has_after = true;
    top->after = top->floor;
    return true;
}
