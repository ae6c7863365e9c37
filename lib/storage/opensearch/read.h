/* SPDX-License-Identifier: Apache-2.0
 * What the reading slots share: searches sent, traces read page by page.
 */
#ifndef JG_STORAGE_OPENSEARCH_READ_H
#define JG_STORAGE_OPENSEARCH_READ_H

#include "storage/opensearch/query_body.h"
#include "storage/opensearch/reply.h"
#include "storage/opensearch/store.h"

/** An index that was just made, at midnight, cannot be searched for a moment: so often is asked again. */
#define JG_OS_READ_TRIES   6u
#define JG_OS_READ_WAIT_NS (50ull * 1000000u) /* doubled after each try */

/** POST /<indices>/_search. @param window which indices of the kind */
jaeger_status jg_os_search(jg_os_store *store, jg_os_kind kind, jg_os_window window, const jg_buf *body,
                           jg_http_answer *ret, jaeger_call *call) JG_MUST_CHECK;
/** Say, now and then, that an answer was not whole. */
void jg_os_note_partial(jg_os_store *store, const jg_os_partial *partial);
/** [now - max_span_age, open]; any time behind aliases. */
jg_os_window jg_os_default_window(const jg_os_store *store);

/** A trace to be read, and when its spans start. */
typedef struct jg_os_trace {
    uint8_t id[16];
    jg_os_window window;
} jg_os_trace;

/** Hand out the traces in their order, chunk by chunk. @param brief without what a summary does not need */
jaeger_status jg_os_read_traces(jg_os_store *store, const jg_os_trace *traces, size_t n, bool brief,
                                jaeger_consumer out, jaeger_call *call) JG_MUST_CHECK;

typedef struct jg_os_traces {
    jg_os_trace *items;
    size_t count, cap;
} jg_os_traces;
/** Ids that meet the query; with a filter perhaps more: see query_filter.c. They live in call->arena. */
jaeger_status jg_os_find_ids(jg_os_store *store, const jaeger_trace_query *query, uint64_t limit,
                             jg_os_traces *ret, jaeger_call *call) JG_MUST_CHECK;

#endif
