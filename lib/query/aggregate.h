/* SPDX-License-Identifier: Apache-2.0
 * From chunks, as drivers stream them, to whole traces: gathered, checked against the search if the driver
 * could not, cut, adjusted. Holds one trace at a time; a large one not even that, if it may come in pieces
 * (large.h).
 */
#ifndef JG_QUERY_AGGREGATE_H
#define JG_QUERY_AGGREGATE_H

#include "core/attr.h"
#include "model/match.h"

typedef struct jg_aggregate_options {
    jaeger_consumer out; /* gets one batch for each trace */
    bool adjusts;
    bool marks_ids;               /* fills jaeger_span.id_marks; adjusting does it anyway */
    const jaeger_storage *reread; /* large traces are read twice from there and come in pieces; NULL: held */
    bool single;                  /* the driver reads one trace only: it may stop once that is large */
    uint64_t max_skew_ns;
    uint64_t max_spans;          /* of a trace; 0: all */
    uint64_t max_traces;         /* then the driver is told to stop; 0: all */
    const jg_match *match;       /* only traces with a span that matches; NULL: all */
    const jaeger_filter *filter; /* the same, knowing the whole trace; NULL: all */
} jg_aggregate_options;

typedef struct jg_aggregate {
    jg_aggregate_options options;
    uint8_t trace_id[16];
    jaeger_batch **chunks;
    size_t count, cap;
    size_t span_count, bytes;
    bool cut;             /* spans above max_spans were left out */
    bool is_large;        /* not held: read again at its end */
    bool has_enough;      /* the CANCELLED that ends the driver's work is ours */
    uint64_t trace_count; /* handed out */
    uint64_t seen_count;  /* gathered, whether they match or not */
} jg_aggregate;

jg_aggregate jg_aggregate_of(const jg_aggregate_options *options);
/** Give it to a driver; call jg_aggregate_finish with the driver's status afterwards. */
jaeger_consumer jg_aggregate_consumer(jg_aggregate *aggregate);
/** Hand the last trace out, free. @return the status of the whole read */
jaeger_status jg_aggregate_finish(jg_aggregate *aggregate, jaeger_status driver_status,
                                  jaeger_call *call) JG_MUST_CHECK;

#endif
