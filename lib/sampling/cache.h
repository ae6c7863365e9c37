/* SPDX-License-Identifier: Apache-2.0
 * A provider in front of another one that is far away: keeps its answers for a while, and longer when it
 * fails.
 */
#ifndef JG_SAMPLING_CACHE_H
#define JG_SAMPLING_CACHE_H

#include "core/attr.h"
#include <jaeger/sampling.h>

typedef struct jg_strategy_cache jg_strategy_cache;

typedef struct jg_strategy_cache_options {
    /** Ask for one strategy; strings live in the arena. Any thread; blocks up to call->deadline_ns. */
    jaeger_status (*fetch)(void *user, jaeger_str service, jaeger_arena *arena, jaeger_strategy *ret,
                           jaeger_call *call);
    void *user;
    uint64_t fresh_ns;   /* answers are asked for again after so long; 0: always */
    uint64_t stale_ns;   /* and served for so long when that fails */
    size_t services_max; /* 0: JG_SAMPLING_CACHE_MAX */
} jg_strategy_cache_options;

/** @return NULL: out of memory */
jg_strategy_cache *jg_strategy_cache_new(const jg_strategy_cache_options *options);
void jg_strategy_cache_free(jg_strategy_cache *cache);
size_t jg_strategy_cache_count(jg_strategy_cache *cache);
/** `self` is the cache. @return what fetch returned, if there is no answer at all; after a failure that is
 * retryable the next ones fail at once for a second. */
extern const jaeger_sampling_provider jg_strategy_cache_provider;

#endif
