/* SPDX-License-Identifier: Apache-2.0
 * See intern.h. A slot is one word, so a reader sees an entry whole or not at all.
 */
#include "storage/embedded/intern.h"

#include "core/alloc.h"

#define SLOTS_MIN 1024u

static jg_slots *slots_new(uint64_t count, jg_slots *older)
{
    jg_slots *slots = jg_calloc(1, sizeof *slots + count * sizeof slots->slots[0]);
    if (slots) {
        slots->mask = count - 1;
        slots->older = older;
    }
    return slots;
}

bool jg_intern_init(jg_intern *table, size_t entries_max)
{
    *table = (jg_intern){0};
    if (!jg_vmem_init(&table->entries, entries_max * sizeof(jg_entry)))
        return false;
    table->slots = slots_new(SLOTS_MIN, NULL);
    return table->slots != NULL;
}

void jg_intern_done(jg_intern *table)
{
    jg_vmem_done(&table->entries);
    for (jg_slots *slots = table->slots, *older; slots; slots = older) {
        older = slots->older;
        jg_free(slots);
    }
    *table = (jg_intern){0};
}

static bool same(jg_hash128 a, jg_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static uint64_t slot_of(jg_hash128 hash, uint32_t number)
{
    return (hash.lo & 0xffffffff00000000ull) | (number + 1);
}

uint32_t jg_intern_find(const jg_intern *table, jg_hash128 hash)
{
    const jg_slots *s = __atomic_load_n(&table->slots, __ATOMIC_ACQUIRE);
    if (!s)
        return JG_NONE;
    for (uint64_t i = hash.lo & s->mask;; i = (i + 1) & s->mask) {
        uint64_t slot = __atomic_load_n(&s->slots[i], __ATOMIC_ACQUIRE);
        if (slot == 0)
            return JG_NONE;
        uint32_t number = (uint32_t)slot - 1;
        if (slot >> 32 == hash.lo >> 32 && same(jg_intern_at(table, number)->hash, hash))
            return number;
    }
}

static void place(jg_slots *s, jg_hash128 hash, uint32_t number)
{
    uint64_t i = hash.lo & s->mask;
    while (s->slots[i])
        i = (i + 1) & s->mask;
    __atomic_store_n(&s->slots[i], slot_of(hash, number), __ATOMIC_RELEASE);
}

static bool grow(jg_intern *table)
{
    jg_slots *bigger = slots_new((table->slots->mask + 1) * 2, table->slots);
    if (!bigger)
        return false;
    for (uint32_t n = 0; n < table->count; n++)
        place(bigger, jg_intern_at(table, n)->hash, n);
    __atomic_store_n(&table->slots, bigger, __ATOMIC_RELEASE);
    return true;
}

uint32_t jg_intern_put(jg_intern *table, jg_hash128 hash, bool *ret_new)
{
    uint32_t number = jg_intern_find(table, hash);
    *ret_new = number == JG_NONE;
    if (!*ret_new)
        return number;
    if (table->count + table->count / 2 >= table->slots->mask && !grow(table))
        return JG_NONE;
    jg_entry *entry = jg_vmem_room(&table->entries, sizeof *entry);
    if (!entry)
        return JG_NONE;
    table->entries.used += sizeof *entry;
    *entry = (jg_entry){.hash = hash, .key = JG_NONE, .alt = JG_NONE};
    return table->count++;
}

void jg_intern_undo(jg_intern *table)
{
    table->count--;
    table->entries.used -= sizeof(jg_entry);
}

void jg_intern_publish(jg_intern *table, uint32_t number)
{
    place(table->slots, jg_intern_at(table, number)->hash, number);
}

size_t jg_intern_bytes(const jg_intern *table)
{
    return table->entries.used + (table->slots ? (table->slots->mask + 1) * 8 : 0);
}
