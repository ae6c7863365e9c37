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

/** Count one request as sent or failed. */
void jg_load_count(const jg_load_sender *sender, const jaeger_batch *batch, jaeger_status status);
/** Count one request that was not taken in. */
void jg_load_count_refused(const jg_load_sender *sender, const jaeger_batch *batch);

#endif
