/* SPDX-License-Identifier: Apache-2.0
 * A hash map from byte strings to pointers, open addressing. Keys are borrowed: they must outlive their
 * entry. Not thread-safe. A zeroed map is empty and ready.
 */
#ifndef JG_CORE_MAP_H
#define JG_CORE_MAP_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_map_entry {
    jaeger_str key;
    uint64_t hash;
    void *value;
} jg_map_entry;

typedef struct jg_map {
    jg_map_entry *slots; /* key.ptr NULL: free */
    size_t count, cap;   /* cap: power of two */
} jg_map;

void jg_map_done(jg_map *map);
/** NULL: not there. */
void *jg_map_get(const jg_map *map, jaeger_str key);
/** The entry of `key`, made with value NULL if it is new (*ret_new says so). NULL when out of memory. The
 * pointer is valid until the next put or remove. */
jg_map_entry *jg_map_put(jg_map *map, jaeger_str key, bool *ret_new);
/** @return the value that was there, or NULL */
void *jg_map_remove(jg_map *map, jaeger_str key);
/** Walk: start with *at = 0; false at the end. The map must not change meanwhile. */
bool jg_map_next(const jg_map *map, size_t *at, jg_map_entry *ret);

#endif
