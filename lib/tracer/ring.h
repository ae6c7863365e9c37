/* SPDX-License-Identifier: Apache-2.0
 * A bounded lock-free queue of pointers, many producers and many consumers. Each cell carries the number of
 * the turn in which it may be filled or emptied (the scheme of D. Vyukov's bounded MPMC queue).
 */
#ifndef JG_TRACER_RING_H
#define JG_TRACER_RING_H

#include "core/attr.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct jg_ring_cell {
    size_t turn;
    void *item;
} jg_ring_cell;

typedef struct jg_ring {
    jg_ring_cell *cells;
    size_t mask;
    char apart0[64]; /* head and tail on cache lines of their own */
    size_t head;     /* next to fill */
    char apart1[64];
    size_t tail; /* next to empty */
    char apart2[64];
} jg_ring;

/** @param capacity rounded up to a power of two  @return false: out of memory */
bool jg_ring_init(jg_ring *ring, size_t capacity);
void jg_ring_done(jg_ring *ring);
/** @return false: full */
bool jg_ring_push(jg_ring *ring, void *item);
/** NULL: empty. */
void *jg_ring_pop(jg_ring *ring);

#endif
