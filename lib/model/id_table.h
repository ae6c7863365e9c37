/* SPDX-License-Identifier: Apache-2.0
 * A table from span ids to numbers (mostly the index of a span), for the work on one trace.
 */
#ifndef JG_MODEL_ID_TABLE_H
#define JG_MODEL_ID_TABLE_H

#include "core/attr.h"
#include <jaeger/batch.h>

#define JG_NO_INDEX UINT32_MAX

typedef struct jg_id_slot {
    uint64_t id;
    uint32_t index; /* JG_NO_INDEX: free */
} jg_id_slot;

typedef struct jg_id_table {
    jg_id_slot *slots;
    size_t mask;
    uint64_t seed; /* ids are chosen by clients: they must not know which ones collide */
} jg_id_table;

/** Room for `n` ids; lives in the arena. @return false: out of memory */
bool jg_id_table_init(jg_id_table *table, jaeger_arena *arena, size_t n);
/** The slot of `id`. New ids get one with index JG_NO_INDEX, which the caller sets or leaves; never more than
 * `n`. */
jg_id_slot *jg_id_table_slot(const jg_id_table *table, uint64_t id);

/** The ids of spans, each with its first span, and room to look for the ids of their parents.
 *  @return false: out of memory */
bool jg_id_table_of_spans(jg_id_table *table, jaeger_arena *arena, const jaeger_span *spans, size_t n);
/** The eight bytes as a number, most significant first. */
static inline uint64_t jg_span_id_number(const uint8_t span_id[8])
{
    uint64_t id = 0;
    for (int i = 0; i < 8; i++)
        id = id << 8 | span_id[i];
    return id;
}

static inline void jg_span_id_from_number(uint64_t id, uint8_t ret[8])
{
    for (int i = 7; i >= 0; i--, id >>= 8)
        ret[i] = (uint8_t)id;
}

#endif
