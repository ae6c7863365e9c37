/* SPDX-License-Identifier: Apache-2.0
 * Spans of a segment by their id, in traces that are too large to be looked through once for each span: made
 * when the first such trace is asked for, and kept until the work that asked is done.
 */
#ifndef JG_STORAGE_EMBEDDED_SPAN_ORDER_H
#define JG_STORAGE_EMBEDDED_SPAN_ORDER_H

#include "storage/embedded/store.h"

#define JG_SPAN_ORDERS 16u /* segments at once; the oldest goes */

typedef struct jg_span_orders {
    struct jg_span_order {
        uint64_t gen;
        uint32_t *rows; /* all of the segment, by span id and row */
        uint32_t count;
    } items[JG_SPAN_ORDERS];
} jg_span_orders;

/** The first row in [row, end) whose span has this id. @return `end`: none has */
uint32_t jg_span_orders_find(jg_span_orders *orders, uint64_t gen, const jg_seg_view *view, uint32_t row,
                             uint32_t end, const uint8_t span_id[8]);
void jg_span_orders_done(jg_span_orders *orders);

#endif
