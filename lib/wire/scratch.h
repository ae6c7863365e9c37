/* SPDX-License-Identifier: Apache-2.0
 * Growing arrays that are reused from span to span, so that translators allocate a few times per request, not
 * per span.
 */
#ifndef JG_WIRE_SCRATCH_H
#define JG_WIRE_SCRATCH_H

#include "core/alloc.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** Room for one more item at `count`; `array` is the address of the pointer. @return false: out of memory
 * (the array is unchanged) */
#define jg_scratch_grow(array, cap, count)                                                                   \
    ((count) < *(cap) || jg_scratch_grow_bytes((void *)(array), (cap), sizeof **(array)))

static inline bool jg_scratch_grow_bytes(void *array, size_t *cap, size_t item_bytes)
{
    void *items;
    memcpy(&items, array, sizeof items);
    size_t more = *cap ? *cap * 2 : 16;
    if (!(items = jg_realloc(items, more * item_bytes)))
        return false;
    memcpy(array, &items, sizeof items);
    *cap = more;
    return true;
}

#endif
