/* SPDX-License-Identifier: Apache-2.0
 * See lru.h. Chains by index, so that an entry is 40 bytes.
 */
#include "processors/tail_sampling/lru.h"

#include "core/alloc.h"
#include <string.h>

bool jg_lru_init(jg_lru *lru, uint32_t cap)
{
    uint32_t slots = 16;
    *lru = (jg_lru){.cap = cap};
    if (cap == 0)
        return true;
    while (slots < cap && slots < 1u << 31)
        slots *= 2;
    lru->entries = jg_calloc(cap, sizeof *lru->entries);
    lru->slots = jg_calloc(slots, sizeof *lru->slots);
    lru->mask = slots - 1;
    if (lru->entries && lru->slots)
        return true;
    jg_lru_done(lru);
    return false;
}

void jg_lru_done(jg_lru *lru)
{
    jg_free(lru->entries);
    jg_free(lru->slots);
    *lru = (jg_lru){0};
}

static jg_lru_entry *at(const jg_lru *lru, uint32_t index)
{
    return &lru->entries[index - 1];
}

static void unlink_age(jg_lru *lru, uint32_t index)
{
    jg_lru_entry *e = at(lru, index);
    *(e->newer ? &at(lru, e->newer)->older : &lru->newest) = e->older;
    *(e->older ? &at(lru, e->older)->newer : &lru->oldest) = e->newer;
}

static void link_newest(jg_lru *lru, uint32_t index)
{
    jg_lru_entry *e = at(lru, index);
    e->newer = 0;
    e->older = lru->newest;
    *(lru->newest ? &at(lru, lru->newest)->newer : &lru->oldest) = index;
    lru->newest = index;
}

static uint32_t find(const jg_lru *lru, const jg_tail_key *key, uint64_t hash)
{
    uint32_t index = lru->cap ? lru->slots[hash & lru->mask] : 0;
    while (index && memcmp(&at(lru, index)->key, key, sizeof *key) != 0)
        index = at(lru, index)->next;
    return index;
}

bool jg_lru_get(jg_lru *lru, const jg_tail_key *key, uint64_t hash)
{
    uint32_t index = find(lru, key, hash);
    if (index && index != lru->newest) {
        unlink_age(lru, index);
        link_newest(lru, index);
    }
    return index != 0;
}

static uint32_t take_oldest(jg_lru *lru)
{
    uint32_t index = lru->oldest, *from = &lru->slots[at(lru, index)->slot];
    unlink_age(lru, index);
    while (*from != index)
        from = &at(lru, *from)->next;
    *from = at(lru, index)->next;
    return index;
}

void jg_lru_put(jg_lru *lru, const jg_tail_key *key, uint64_t hash)
{
    if (lru->cap == 0 || jg_lru_get(lru, key, hash))
        return;
    uint32_t index = lru->count < lru->cap ? ++lru->count : take_oldest(lru);
    jg_lru_entry *e = at(lru, index);
    e->key = *key;
    e->slot = (uint32_t)hash & lru->mask;
    e->next = lru->slots[e->slot];
    lru->slots[e->slot] = index;
    link_newest(lru, index);
}
