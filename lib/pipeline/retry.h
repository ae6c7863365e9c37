/* SPDX-License-Identifier: Apache-2.0
 * The block `retry_on_failure` of exporters, and the loop behind it.
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

/** One try. Takes one reference, even on failure; the text goes to call->error. */
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

/** Send, and again after a growing, jittered wait as long as the status says that this may help. A wait that
 *  the other side asked for (retry_after_ms) is the least. Ends at call->deadline_ns.
 *  @return what the last try returned. Blocks. */
jaeger_status jg_retry_send(const jg_retry_config *config, jg_retry_stop *stop, jg_send_fn send, void *user,
                            jaeger_batch *take, jaeger_call *call) JG_MUST_CHECK;
/** Is this outcome of jg_retry_send one that another try may change? */
bool jg_retry_may_help(const jg_retry_config *config, jaeger_status status, const jaeger_call *call);

#endif
