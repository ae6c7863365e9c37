/* SPDX-License-Identifier: Apache-2.0
 * Traces too large to be held: read twice from their store, which keeps them as they are meanwhile, and
 * handed out adjusted in pieces. What is kept between is a row a span (adjust.h).
 */
#ifndef JG_QUERY_LARGE_H
#define JG_QUERY_LARGE_H

#include "core/attr.h"
#include <jaeger/storage.h>

typedef struct jg_large {
    jaeger_consumer out;
    bool adjusts;         /* false: spans only get their id_marks */
    uint64_t max_skew_ns; /* as of jg_adjust */
    uint64_t max_spans;   /* then it is cut, and its first span gets a warning; 0: all */
    struct jg_plan *plan; /* from here on: of jg_large_read */
    int reading;
    uint64_t seen; /* spans in this reading */
    bool is_cut;
} jg_large;

/** Read one trace. A store without it: OK, and nothing is handed out.
 *  @return what `out` returned; DATA_LOSS: two readings differed; RESOURCE_EXHAUSTED */
jaeger_status jg_large_read(jg_large *large, const jaeger_storage *storage, const jaeger_trace_ref *ref,
                            jaeger_call *call) JG_MUST_CHECK;

/** Keep the first `n` spans. */
jaeger_status jg_large_cut(jaeger_batch **chunk, size_t n, jaeger_error *err) JG_MUST_CHECK;
/** The warning on the first span of a trace that was cut. */
jaeger_status jg_large_warn_cut(uint64_t max_spans, jaeger_batch **first, jaeger_error *err) JG_MUST_CHECK;

#endif
