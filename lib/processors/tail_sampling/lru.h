/* SPDX-License-Identifier: Apache-2.0
 * The ids of traces that were decided, least recently used ones forgotten first. Fixed size, one allocation.
 */
#ifndef JG_PROCESSORS_TAIL_SAMPLING_LRU_H
#define JG_PROCESSORS_TAIL_SAMPLING_LRU_H

#include "core/attr.h"
#include <jaeger/base.h>

/** Traces of different tenants are different, whatever their ids. */
typedef struct jg_tail_key {
    uint8_t trace_id[16];
    uint64_t tenant_hash;
} jg_tail_key;

typedef struct jg_lru_entry {
    jg_tail_key key;
    uint32_t newer, older, next; /* index + 1; next: in the slot */
    uint32_t slot;
} jg_lru_entry;

typedef struct jg_lru {
    jg_lru_entry *entries;
    uint32_t *slots; /* index + 1 */
    uint32_t cap, count, mask, newest, oldest;
} jg_lru;

/** @param cap 0: off, holds nothing. @return false: out of memory */
bool jg_lru_init(jg_lru *lru, uint32_t cap) JG_MUST_CHECK;
void jg_lru_done(jg_lru *lru);
/** Is it there? Then it is the newest. `hash`: of the key, with a secret seed. */
bool jg_lru_get(jg_lru *lru, const jg_tail_key *key, uint64_t hash);
void jg_lru_put(jg_lru *lru, const jg_tail_key *key, uint64_t hash);

#endif
