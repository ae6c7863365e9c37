/* SPDX-License-Identifier: Apache-2.0
 * Sending what was taken from a sending queue: several requests as one, one that is too large in pieces.
 */
#ifndef JG_PIPELINE_LOADS_H
#define JG_PIPELINE_LOADS_H

#include "core/metrics.h"
#include "pipeline/lanes.h"
#include "pipeline/retry.h"

typedef struct jg_load_sender {
    jg_retry_config retry;
    jg_retry_stop stop;
    jg_send_fn send;
    void *user;
    jg_lane_rules rules;
    struct {
        jg_metric *sent, *failed, *refused;
    } spans, points; /* data points of metrics */
} jg_load_sender;

/** One request of a load. */
typedef struct jg_load_part {
    jaeger_batch *batch; /* borrowed */
    jaeger_call *call;
    jaeger_status status; /* of its sending; the text is in call->error */
} jg_load_part;

/** Send parts that may share a request (see lanes.h), with retries. If the destination refuses them together
 * for what one of them may have caused, each is sent by itself. Blocks. */
void jg_load_send(jg_load_sender *sender, jg_load_part *parts, size_t count);

/** The same step by step, for who does not wait: next, send, answer, next, ... */
typedef struct jg_load_run {
    const jg_load_sender *sender;
    jg_load_part *parts;
    size_t count, at; /* at: the part that is being sent */
    jaeger_batch *batch;
    bool merged; /* `batch` holds all parts */
    jg_retry retry;
    size_t sent, piece;   /* spans of a part that is too large: sent, and in `batch` */
    jaeger_error failure; /* of its pieces, the last one; status OK: none */
} jg_load_run;

/** @param parts stay until the run is over */
void jg_load_begin(jg_load_run *run, const jg_load_sender *sender, jg_load_part *parts, size_t count);
/** What to send now, with a reference for the sending. @return NULL: all parts have their status */
jaeger_batch *jg_load_next(jg_load_run *run, jaeger_call **ret_call) JG_MUST_CHECK;
/** What sending it returned. @return 0: go on; else wait so long [ns], then go on: it will be sent again */
uint64_t jg_load_answer(jg_load_run *run, jaeger_status status) JG_MUST_CHECK;
/** Instead of waiting: that was the last try. */
void jg_load_give_up(jg_load_run *run, jaeger_status status);

/** Count one request as sent or failed. */
void jg_load_count(const jg_load_sender *sender, const jaeger_batch *batch, jaeger_status status);
/** Count one request that was not taken in. */
void jg_load_count_refused(const jg_load_sender *sender, const jaeger_batch *batch);

#endif
