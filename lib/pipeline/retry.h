/* SPDX-License-Identifier: Apache-2.0
 * The block `retry_on_failure` of exporters, and the rules behind it.
 * Keys and defaults: opentelemetry-collector config/configretry.
 */
#ifndef JG_PIPELINE_RETRY_H
#define JG_PIPELINE_RETRY_H

#include "core/attr.h"
#include <jaeger/batch.h>
#include <jaeger/config.h>
#include <pthread.h>

typedef struct jg_retry_config {
    bool enabled;
    uint64_t initial_interval_ns, max_interval_ns, max_elapsed_time_ns; /* max_elapsed_time 0: for ever */
    double randomization_factor, multiplier;
} jg_retry_config;

extern const jaeger_field jg_retry_fields[];     /* on by default */
extern const jaeger_field jg_retry_off_fields[]; /* off by default */

/** Refuse what cannot work. The text begins with the key. */
jaeger_status jg_retry_check(const jg_retry_config *config, jaeger_error *err) JG_MUST_CHECK;

/** One try. Takes one reference, even on failure; the text goes to call->error. May return JAEGER_PENDING if
 * call->later is set. */
typedef jaeger_status (*jg_send_fn)(void *user, jaeger_batch *take, jaeger_call *call);

/** Interrupts waiting: after it, what fails is not tried again. */
typedef struct jg_retry_stop {
    pthread_mutex_t mutex;
    pthread_cond_t stopped_cond;
    bool stopped;
} jg_retry_stop;
void jg_retry_stop_init(jg_retry_stop *stop);
void jg_retry_stop_now(jg_retry_stop *stop);
void jg_retry_stop_done(jg_retry_stop *stop);

/** The tries of one request. */
typedef struct jg_retry {
    uint64_t begin_ns;
    double interval_ns;
} jg_retry;
void jg_retry_begin(const jg_retry_config *config, jg_retry *retry);
/** After a try that returned `status`: how long to wait before the next [ns]; 0: that was the last. The wait
 *  grows and is jittered; one that the other side asked for (retry_after_ms) is the least. The last ends at
 *  call->deadline_ns. */
uint64_t jg_retry_wait_ns(const jg_retry_config *config, jg_retry *retry, jaeger_status status,
                          const jaeger_call *call);
/** @return false: stopped meanwhile, or before */
bool jg_retry_sleep(jg_retry_stop *stop, uint64_t ns) JG_MUST_CHECK;
/** Is this outcome of all tries one that another try may change? */
bool jg_retry_may_help(const jg_retry_config *config, jaeger_status status, const jaeger_call *call);

#endif
