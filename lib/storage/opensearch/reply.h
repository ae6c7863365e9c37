/* SPDX-License-Identifier: Apache-2.0
 * Answers of _search and _msearch, read without building anything: hits go to a sink one by one.
 */
#ifndef JG_STORAGE_OPENSEARCH_REPLY_H
#define JG_STORAGE_OPENSEARCH_REPLY_H

#include "core/json_in.h"
#include <jaeger/storage.h>

/** Takes the hits of one search after the other. */
typedef struct jg_os_hits {
    /** A document: the scanner stands on it; read or skip it. @return false: the scanner has a fault, or stop
     */
    bool (*hit)(void *self, jg_json_in *in);
    /** A search is complete. Not OK: stop, and return it */
    jaeger_status (*end)(void *self, size_t index, size_t hits, jaeger_call *call);
    void *self;
} jg_os_hits;

/** What was not answered. */
typedef struct jg_os_partial {
    uint64_t failed_shards;
    bool timed_out;
} jg_os_partial;

/** An answer of _msearch. @return INTERNAL: not such an answer; the status of a search that failed */
jaeger_status jg_os_read_msearch(jaeger_str json, jg_os_hits hits, jg_os_partial *ret_partial,
                                 jaeger_call *call) JG_MUST_CHECK;
/** An answer of _search. */
jaeger_status jg_os_read_search(jaeger_str json, jg_os_hits hits, jg_os_partial *ret_partial,
                                jaeger_call *call) JG_MUST_CHECK;

/** A bucket of a `terms` aggregation: its key, and `value` of the metric in it (0: none). */
typedef struct jg_os_bucket {
    jaeger_str key;
    double value;
} jg_os_bucket;
/** The buckets of the first aggregation named `name`; keys are kept in call->arena only if `bucket` does so.
 *  No such aggregation: no bucket (no index was there). */
jaeger_status jg_os_read_buckets(jaeger_str json, const char *name,
                                 jaeger_status (*bucket)(void *self, const jg_os_bucket *bucket,
                                                         jaeger_call *call),
                                 void *self, jg_os_partial *ret_partial, jaeger_call *call) JG_MUST_CHECK;

/** Copy a text into the arena. @return false: out of memory, which is the scanner's fault then */
bool jg_os_keep(jg_json_in *in, jg_json_text text, jaeger_str *ret, jaeger_arena *arena);
/** Read a string; over any other value, leaving `ret`. */
bool jg_os_read_text(jg_json_in *in, jaeger_str *ret, jaeger_arena *arena);

/** Add the links of one document of dependencies, which the scanner stands on; same pairs are summed later.
 */
bool jg_os_read_dependencies(jg_json_in *in, jaeger_dependencies *ret, jaeger_call *call);

#endif
