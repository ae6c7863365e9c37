/* SPDX-License-Identifier: Apache-2.0
 * Hashes: xxh3 for tables and checksums, FNV-1a where Jaeger's formats ask for it.
 */
#ifndef JG_CORE_HASH_H
#define JG_CORE_HASH_H

#include "core/attr.h"
#include <jaeger/base.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

JG_INLINE uint64_t jg_hash(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

JG_INLINE uint64_t jg_hash_str(jaeger_str s)
{
    return XXH3_64bits(s.ptr, s.len);
}

#define JG_FNV1A_64_START 0xcbf29ce484222325ull

JG_INLINE uint64_t jg_fnv1a_64(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3ull;
    return hash;
}

/** FNV-1a of each text by itself, some at a time. */
void jg_fnv1a_64_each(const jaeger_str *texts, uint64_t *ret_hashes, size_t count);

#endif
