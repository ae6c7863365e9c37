/* SPDX-License-Identifier: Apache-2.0
 * Counting calls between services by minute.
 */
#ifndef JG_EMBEDDED_CALLS_H
#define JG_EMBEDDED_CALLS_H

#include "core/clock.h"
#include "storage/embedded/segment.h"

/** A hash table of counts; zero-initialise. */
typedef struct jg_calls {
    jg_seg_call *slots; /* count 0: free */
    uint32_t used, cap;
} jg_calls;

/** @return false: out of memory */
bool jg_calls_add(jg_calls *calls, uint32_t minute, uint32_t parent, uint32_t child, uint32_t count);
void jg_calls_done(jg_calls *calls);

JG_INLINE uint32_t jg_minute_of(uint64_t unix_ns)
{
    return (uint32_t)(unix_ns / (60 * JG_NS_PER_S)); /* at most 3.1e8 */
}

#endif
