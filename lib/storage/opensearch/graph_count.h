/* SPDX-License-Identifier: Apache-2.0
 * Counting who calls whom, over the spans that start in a window: page by page, in fixed memory.
 *
 * A call is counted once, in the window its child starts in. The parent is looked for among the last spans
 * seen (a table in which a new span overwrites another), else asked for by its id, wherever it lies within
 * max_trace_duration. Two spans with one id, one of them a server's (Zipkin), are a call, too. A span with
 * the tag peer.service and without children calls that peer. Calls within one service count, as in the
 * embedded store and in Jaeger's Spark job.
 */
#ifndef JG_STORAGE_OPENSEARCH_GRAPH_COUNT_H
#define JG_STORAGE_OPENSEARCH_GRAPH_COUNT_H

#include "storage/opensearch/store.h"

#define JG_OS_GRAPH_SERVICES_MAX 65536u /* names in one window's graph; others are left out */

/** Called after each page; not OK: stop, and return that. */
typedef struct jg_os_count_step {
    jaeger_status (*step)(void *self, uint64_t spans, jaeger_call *call);
    void *self;
} jg_os_count_step;

typedef struct jg_os_count {
    uint64_t start_unix_ns, end_unix_ns; /* of the children: [start, end); whole microseconds */
    bool peers;                          /* count peer.service */
    jg_os_count_step step;               /* step NULL: none */
    uint64_t spans;                      /* out: seen */
} jg_os_count;

/** Append each pair once, in no order. They live in call->arena. */
jaeger_status jg_os_count_calls(jg_os_store *store, jg_os_count *count, jaeger_dependencies *ret,
                                jaeger_call *call) JG_MUST_CHECK;

#endif
