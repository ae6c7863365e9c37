/* SPDX-License-Identifier: Apache-2.0
 * A table that gives equal byte strings one number. Entries are compared by a seeded 128-bit xxh3: the seed
 * is secret and random, so nobody can make two strings meet. One writer; readers look up without locks.
 */
#ifndef JG_EMBEDDED_INTERN_H
#define JG_EMBEDDED_INTERN_H

#include "core/hash.h"
#include "storage/embedded/io.h"

#define JG_NONE UINT32_MAX

/** What the hash of a string is mixed with, so that strings of different kinds never meet. Part of the
 * format. */
enum { JG_SEED_ATTR = 1, JG_SEED_ORIGIN_ATTR, JG_SEED_EVENT_NAME, JG_SEED_STATUS, JG_SEED_OTHER };

typedef struct jg_hash128 {
    uint64_t lo, hi;
} jg_hash128;

JG_INLINE jg_hash128 jg_hash_piece(const void *bytes, size_t len, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes, len, seed);
    return (jg_hash128){h.low64, h.high64};
}

typedef struct jg_entry {
    jg_hash128 hash;
    uint32_t off, len; /* where its bytes are; see jg_mt_bytes */
    uint32_t key;      /* attributes: number of the key if the bytes are an ordinary KeyValue, else JG_NONE */
    uint32_t alt; /* attributes: token of the value as text, for values that are not plain; else JG_NONE */
} jg_entry;

typedef struct jg_slots {
    struct jg_slots *older; /* readers may still be in it; freed with the table */
    uint64_t mask;
    uint64_t slots[]; /* high half of hash.lo, number + 1; 0: free */
} jg_slots;

typedef struct jg_intern {
    jg_vmem entries;
    jg_slots *slots;
    uint32_t count;
} jg_intern;

bool jg_intern_init(jg_intern *table, size_t entries_max);
void jg_intern_done(jg_intern *table);
/** Any thread. @return JG_NONE: not there */
uint32_t jg_intern_find(const jg_intern *table, jg_hash128 hash);
/** The number of `hash`, made if new (*ret_new): the caller then fills off, len, key and alt and calls
 * jg_intern_publish. @return JG_NONE: out of memory */
uint32_t jg_intern_put(jg_intern *table, jg_hash128 hash, bool *ret_new);
/** Take the last, unpublished number back. */
void jg_intern_undo(jg_intern *table);
void jg_intern_publish(jg_intern *table, uint32_t number);
size_t jg_intern_bytes(const jg_intern *table);

JG_INLINE jg_entry *jg_intern_at(const jg_intern *table, uint32_t number)
{
    return (jg_entry *)table->entries.base + number;
}

JG_INLINE void jg_intern_prefetch(const jg_intern *table, jg_hash128 hash)
{
    __builtin_prefetch(&table->slots->slots[hash.lo & table->slots->mask]);
}

/** The slot has arrived: ask for the entry that is probably meant. */
JG_INLINE void jg_intern_prefetch_entry(const jg_intern *table, jg_hash128 hash)
{
    uint64_t slot = table->slots->slots[hash.lo & table->slots->mask];
    if (slot)
        __builtin_prefetch(jg_intern_at(table, (uint32_t)slot - 1));
}

#endif
