/* SPDX-License-Identifier: Apache-2.0
 * The query service in process: what Jaeger's query APIs offer, without sockets.
 */
#ifndef JAEGER_QUERY_H
#define JAEGER_QUERY_H

#include <jaeger/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct jaeger_query jaeger_query;

/** @param archive driver NULL: no archive. Both must outlive the query service. */
typedef struct jaeger_query_options {
    size_t size;
    jaeger_storage traces, archive;
    uint64_t max_clock_skew_adjust_ns; /**< 0: no adjustment, warnings only */
    uint64_t max_trace_spans;          /**< 0: off; else a trace is cut to its first N spans with a warning */
    uint64_t scan_time_ns;   /**< a search may scan for, at most half of its call's time; 0: 15 s for a page,
                                else that half */
    uint32_t scan_traces;    /**< a search may read that its store cannot do alone; 0: 20,000 */
    bool structured_filters; /**< the v3 APIs take Jaeger's structured filter (jaeger.expression.v1) */
} jaeger_query_options;

/** How a trace is shown. */
typedef struct jaeger_read_options {
    bool raw; /**< no adjusters */
    /** A large trace comes in several batches, in order, and is not held: it is read twice from a store that
     *  can do that. Spans have their id_marks, raw ones too. */
    bool streamed;
} jaeger_read_options;

JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_new(const jaeger_query_options *options,
                                                            jaeger_query **ret, jaeger_error *err);
JAEGER_API void jaeger_query_free(jaeger_query *query);

/** Stream one trace: primary, then archive. Adjusted traces come as one batch, unless options.streamed; raw
 *  ones chunk by chunk.
 *  @return NOT_FOUND "trace not found"; what `out` returned. Threads: any. Blocks: up to call->deadline_ns */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_get_trace(jaeger_query *query, jaeger_trace_ref ref,
                                                                  jaeger_read_options options,
                                                                  jaeger_consumer out, jaeger_call *call);
/** Newest first; chunks of one trace are consecutive. No match: OK. If find->stopped_early is set, a search
 *  that reaches its budget (scan_time_ns, scan_traces) ends with what it found and says so there. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_find_traces(jaeger_query *query,
                                                                    const jaeger_trace_query *find,
                                                                    jaeger_read_options options,
                                                                    jaeger_consumer out, jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_find_trace_ids(jaeger_query *query,
                                                                       const jaeger_trace_query *find,
                                                                       jaeger_trace_refs *ret,
                                                                       jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_find_summaries(jaeger_query *query,
                                                                       const jaeger_trace_query *find,
                                                                       jaeger_summary_sink out,
                                                                       jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_services(jaeger_query *query, jaeger_strs *ret,
                                                                 jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_operations(jaeger_query *query, jaeger_str service,
                                                                   jaeger_str kind, jaeger_operations *ret,
                                                                   jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_dependencies(jaeger_query *query,
                                                                     uint64_t start_unix_ns,
                                                                     uint64_t end_unix_ns,
                                                                     jaeger_dependencies *ret,
                                                                     jaeger_call *call);
/** One page of a search. Give `next` of one page as `cursor` of the next. */
typedef struct jaeger_page {
    size_t size;
    jaeger_order order;
    jaeger_str cursor;  /**< empty: the first page */
    jaeger_str next;    /**< out: of the page after this one; empty: this is the last. In the call's arena */
    bool stopped_early; /**< out: the search reached its budget; there may be traces that were not seen */
} jaeger_page;

/** Find one page: at most find->limit traces. The page's traces are chosen first, within half of the call's
 *  time, then read in their order. A store that ranks chooses from its whole time range; of others up to
 * `scan_traces` that match are looked at.
 *  @return INVALID_ARGUMENT: not a cursor of this order; else as jaeger_query_find_traces() */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_find_page(jaeger_query *query,
                                                                  const jaeger_trace_query *find,
                                                                  jaeger_page *page,
                                                                  jaeger_read_options options,
                                                                  jaeger_consumer out, jaeger_call *call);
/** Copy a trace from the primary to the archive store. @return NOT_FOUND; FAILED_PRECONDITION: no archive */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_query_archive(jaeger_query *query, jaeger_trace_ref ref,
                                                                jaeger_call *call);
JAEGER_API bool jaeger_query_has_archive(const jaeger_query *query);
JAEGER_API void jaeger_query_caps(jaeger_query *query, jaeger_storage_caps *ret);

#ifdef __cplusplus
}
#endif
#endif
