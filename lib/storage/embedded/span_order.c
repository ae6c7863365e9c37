/* SPDX-License-Identifier: Apache-2.0
 * See span_order.h.
 */
#include "storage/embedded/span_order.h"

#include "core/alloc.h"
#include <stdlib.h>

#define SCANNED_MAX 256u /* rows that are looked through one by one */

static int order_of(const jg_seg_view *view, uint32_t row, const uint8_t span_id[8], uint32_t than)
{
    int order = memcmp(jg_seg_span_id(view, row), span_id, 8);
    return order ? order : (row > than) - (row < than);
}

static int compare(const void *a, const void *b, void *view)
{
    uint32_t than = *(const uint32_t *)b;
    return order_of(view, *(const uint32_t *)a, jg_seg_span_id(view, than), than);
}

static void done(struct jg_span_order *order)
{
    jg_free(order->rows);
    *order = (struct jg_span_order){0};
}

/** @return NULL: out of memory */
static const struct jg_span_order *order_for(jg_span_orders *orders, uint64_t gen, const jg_seg_view *view)
{
    struct jg_span_order *oldest = &orders->items[0];
    for (uint32_t i = 0; i < JG_SPAN_ORDERS; i++) {
        struct jg_span_order *order = &orders->items[i];
        if (order->rows && order->gen == gen)
            return order;
        if (!order->rows || order->gen < oldest->gen)
            oldest = order;
    }
    done(oldest);
    uint32_t count = view->header.span_count, *rows = jg_alloc(count * sizeof *rows);
    if (!rows)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        rows[i] = i;
    qsort_r(rows, count, sizeof *rows, compare, (void *)(uintptr_t)view);
    *oldest = (struct jg_span_order){gen, rows, count};
    return oldest;
}

uint32_t jg_span_orders_find(jg_span_orders *orders, uint64_t gen, const jg_seg_view *view, uint32_t row,
                             uint32_t end, const uint8_t span_id[8])
{
    const struct jg_span_order *order = end - row > SCANNED_MAX ? order_for(orders, gen, view) : NULL;
    if (!order) {
        while (row < end && memcmp(jg_seg_span_id(view, row), span_id, 8) != 0)
            row++;
        return row;
    }
    uint32_t low = 0, high = order->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (order_of(view, order->rows[middle], span_id, row) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < order->count && order->rows[low] < end &&
                 memcmp(jg_seg_span_id(view, order->rows[low]), span_id, 8) == 0;
    return found ? order->rows[low] : end;
}

void jg_span_orders_done(jg_span_orders *orders)
{
    for (uint32_t i = 0; i < JG_SPAN_ORDERS; i++)
        done(&orders->items[i]);
}
