/* SPDX-License-Identifier: Apache-2.0
 * See calls.h.
 */
#include "storage/embedded/calls.h"

#include "core/alloc.h"
#include "core/hash.h"

static jg_seg_call *find(jg_seg_call *slots, uint32_t cap, uint32_t minute, uint32_t parent, uint32_t child)
{
    uint32_t key[3] = {minute, parent, child};
    for (uint32_t i = (uint32_t)jg_hash(key, sizeof key, 0) & (cap - 1);; i = (i + 1) & (cap - 1)) {
        jg_seg_call *slot = &slots[i];
        if (slot->count == 0 || (slot->minute == minute && slot->parent == parent && slot->child == child))
            return slot;
    }
}

static bool grow(jg_calls *calls)
{
    uint32_t cap = calls->cap ? calls->cap * 2 : 256;
    jg_seg_call *slots = jg_calloc(cap, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < calls->cap; i++) {
        const jg_seg_call *from = &calls->slots[i];
        if (from->count)
            *find(slots, cap, from->minute, from->parent, from->child) = *from;
    }
    jg_free(calls->slots);
    calls->slots = slots;
    calls->cap = cap;
    return true;
}

bool jg_calls_add(jg_calls *calls, uint32_t minute, uint32_t parent, uint32_t child, uint32_t count)
{
    if (calls->used >= calls->cap / 2 && !grow(calls))
        return false;
    jg_seg_call *slot = find(calls->slots, calls->cap, minute, parent, child);
    if (slot->count == 0) {
        *slot = (jg_seg_call){minute, parent, child, 0};
        calls->used++;
    }
    slot->count += count;
    return true;
}

void jg_calls_done(jg_calls *calls)
{
    jg_free(calls->slots);
    *calls = (jg_calls){0};
}
