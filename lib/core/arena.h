/* SPDX-License-Identifier: Apache-2.0
 * Arena: bump allocation in growing blocks, freed at once. The public part is in jaeger/base.h.
 */
#ifndef JG_CORE_ARENA_H
#define JG_CORE_ARENA_H

#include "core/attr.h"
#include <jaeger/base.h>

/** NUL-terminated copy. NULL when out of memory. */
const char *jg_str_z(jaeger_arena *arena, jaeger_str s);
/** Zeroed. */
void *jg_arena_zalloc(jaeger_arena *arena, size_t bytes);
/** Formatted, NUL-terminated. ptr NULL when out of memory. */
jaeger_str jg_arena_printf(jaeger_arena *arena, const char *format, ...) JG_PRINTF(2, 3);
/** Room for one more item in a growing list of `count` used and `*cap` allocated items. The old array stays
 * in the arena. NULL when out of memory; the old list is unchanged. */
void *jg_arena_grow(jaeger_arena *arena, void *items, size_t count, size_t *cap, size_t item_bytes);
/** Memory taken from the system [bytes]. */
size_t jg_arena_bytes(const jaeger_arena *arena);

static inline void jg_arena_free_ptr(jaeger_arena **arena)
{
    jaeger_arena_free(*arena);
}
#define JG_AUTO_ARENA JG_CLEANUP(jg_arena_free_ptr)

#endif
