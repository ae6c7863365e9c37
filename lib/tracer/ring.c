/* SPDX-License-Identifier: Apache-2.0
 * See ring.h.
 */
#include "tracer/ring.h"

#include "core/alloc.h"

bool jg_ring_init(jg_ring *ring, size_t capacity)
{
    size_t cap = 2;
    while (cap < capacity)
        cap *= 2;
    *ring = (jg_ring){.cells = jg_alloc(cap * sizeof(jg_ring_cell)), .mask = cap - 1};
    if (!ring->cells)
        return false;
    for (size_t i = 0; i < cap; i++)
        ring->cells[i] = (jg_ring_cell){i, NULL};
    return true;
}

void jg_ring_done(jg_ring *ring)
{
    jg_free(ring->cells);
    ring->cells = NULL;
}

bool jg_ring_push(jg_ring *ring, void *item)
{
    size_t at = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    for (;;) {
        jg_ring_cell *cell = &ring->cells[at & ring->mask];
        ptrdiff_t ahead = (ptrdiff_t)(__atomic_load_n(&cell->turn, __ATOMIC_ACQUIRE) - at);
        if (ahead < 0)
            return false;
        if (ahead > 0) {
            at = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        } else if (__atomic_compare_exchange_n(&ring->head, &at, at + 1, true, __ATOMIC_RELAXED,
                                               __ATOMIC_RELAXED)) {
            cell->item = item;
            __atomic_store_n(&cell->turn, at + 1, __ATOMIC_RELEASE);
            return true;
        }
    }
}

void *jg_ring_pop(jg_ring *ring)
{
    size_t at = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
    for (;;) {
        jg_ring_cell *cell = &ring->cells[at & ring->mask];
        ptrdiff_t ahead = (ptrdiff_t)(__atomic_load_n(&cell->turn, __ATOMIC_ACQUIRE) - (at + 1));
        if (ahead < 0)
            return NULL;
        if (ahead > 0) {
            at = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
        } else if (__atomic_compare_exchange_n(&ring->tail, &at, at + 1, true, __ATOMIC_RELAXED,
                                               __ATOMIC_RELAXED)) {
            void *item = cell->item;
            __atomic_store_n(&cell->turn, at + ring->mask + 1, __ATOMIC_RELEASE);
            return item;
        }
    }
}
