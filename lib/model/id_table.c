/* SPDX-License-Identifier: Apache-2.0
 * See id_table.h. Open addressing, at most half full.
 */
#include "model/id_table.h"

#include "core/clock.h"
#include "core/hash.h"

bool jg_id_table_init(jg_id_table *table, jaeger_arena *arena, size_t n)
{
    size_t count = 16;
    while (count < 2 * n)
        count *= 2;
    table->slots = jaeger_arena_alloc(arena, count * sizeof *table->slots);
    if (!table->slots)
        return false;
    for (size_t i = 0; i < count; i++)
        table->slots[i] = (jg_id_slot){0, JG_NO_INDEX};
    table->mask = count - 1;
    table->seed = jg_clock_mono_ns() ^ (uintptr_t)table->slots;
    return true;
}

jg_id_slot *jg_id_table_slot(const jg_id_table *table, uint64_t id)
{
    size_t at = jg_hash(&id, sizeof id, table->seed) & table->mask;
    while (table->slots[at].index != JG_NO_INDEX && table->slots[at].id != id)
        at = (at + 1) & table->mask;
    table->slots[at].id = id;
    return &table->slots[at];
}

bool jg_id_table_of_spans(jg_id_table *table, jaeger_arena *arena, const jaeger_span *spans, size_t n)
{
    if (!jg_id_table_init(table, arena, 2 * n)) /* their own ids and their parents' */
        return false;
    for (uint32_t i = 0; i < n; i++) {
        jg_id_slot *slot = jg_id_table_slot(table, jg_span_id_number(spans[i].span_id));
        if (slot->index == JG_NO_INDEX)
            slot->index = i;
    }
    return true;
}
