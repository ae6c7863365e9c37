/* SPDX-License-Identifier: Apache-2.0
 * Linear probing, at most 3/4 full, removal by backward shift (no tombstones).
 */
#include "core/map.h"

#include "core/alloc.h"
#include "core/hash.h"
#include "core/str.h"

void jg_map_done(jg_map *map)
{
    jg_free(map->slots);
    *map = (jg_map){0};
}

static jg_map_entry *find(const jg_map *map, jaeger_str key, uint64_t hash)
{
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        jg_map_entry *e = &map->slots[i];
        if (!e->key.ptr || (e->hash == hash && jg_str_eq(e->key, key)))
            return e;
    }
}

void *jg_map_get(const jg_map *map, jaeger_str key)
{
    return map->cap ? find(map, key, jg_hash_str(key))->value : NULL;
}

static bool grow(jg_map *map)
{
    size_t cap = map->cap ? map->cap * 2 : 16;
    jg_map bigger = {jg_calloc(cap, sizeof(jg_map_entry)), map->count, cap};
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].key.ptr)
            *find(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    jg_free(map->slots);
    *map = bigger;
    return true;
}

jg_map_entry *jg_map_put(jg_map *map, jaeger_str key, bool *ret_new)
{
    if (map->count + 1 > map->cap / 4 * 3 && !grow(map))
        return NULL;
    if (!key.ptr)
        key.ptr = ""; /* NULL marks a free slot */
    uint64_t hash = jg_hash_str(key);
    jg_map_entry *e = find(map, key, hash);
    *ret_new = e->key.ptr == NULL;
    if (*ret_new) {
        *e = (jg_map_entry){key, hash, NULL};
        map->count++;
    }
    return e;
}

void *jg_map_remove(jg_map *map, jaeger_str key)
{
    if (!map->cap)
        return NULL;
    jg_map_entry *e = find(map, key, jg_hash_str(key));
    if (!e->key.ptr)
        return NULL;
    void *value = e->value;
    size_t mask = map->cap - 1, hole = (size_t)(e - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].key.ptr; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (jg_map_entry){0};
    map->count--;
    return value;
}

bool jg_map_next(const jg_map *map, size_t *at, jg_map_entry *ret)
{
    while (*at < map->cap) {
        jg_map_entry *e = &map->slots[(*at)++];
        if (e->key.ptr) {
            *ret = *e;
            return true;
        }
    }
    return false;
}
