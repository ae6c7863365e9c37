/* SPDX-License-Identifier: Apache-2.0
 * Metrics and spans around storage calls: jaeger_storage_requests, _responses, _latency, as Jaeger names
 * them.
 */
#ifndef JG_QUERY_MEASURE_H
#define JG_QUERY_MEASURE_H

#include "core/metrics.h"
#include "core/self_span.h"

typedef enum jg_storage_op {
    JG_OP_FIND_TRACES,
    JG_OP_FIND_TRACE_IDS,
    JG_OP_FIND_SUMMARIES,
    JG_OP_GET_TRACE,
    JG_OP_GET_SERVICES,
    JG_OP_GET_OPERATIONS,
    JG_OP_COUNT
} jg_storage_op;

/** The series of one backend; the zero value measures nothing. */
typedef struct jg_measure {
    struct {
        jg_metric *ok, *err, *responses, *ok_latency, *err_latency;
    } ops[JG_OP_COUNT];
} jg_measure;

/** @param name the backend's name in the configuration */
void jg_measure_init(jg_measure *measure, jg_metrics *metrics, jaeger_str name);
/** One call to storage, which also is a span of ours. */
typedef struct jg_measuring {
    jg_storage_op op;
    uint64_t begin_ns;
    jg_self_span span;
} jg_measuring;
void jg_measure_begin(jg_measuring *m, jg_storage_op op, jaeger_call *call);
/** It is over; CANCELLED, a reader that had enough, counts as ok. */
void jg_measure_end(const jg_measure *measure, jg_measuring *m, jaeger_status status, uint64_t responses);

#endif
