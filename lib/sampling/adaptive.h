/* SPDX-License-Identifier: Apache-2.0
 * Adaptive sampling: counts root spans, shares the counts through a store, and, on the host that holds the
 * lease, calculates probabilities from those of all hosts. Every host serves the latest ones: the leader what
 * it has just calculated, the others what they read from the store.
 */
#ifndef JG_SAMPLING_ADAPTIVE_H
#define JG_SAMPLING_ADAPTIVE_H

#include "core/metrics.h"
#include "sampling/calculate.h"

typedef struct jg_adaptive jg_adaptive;

/** remote_sampling offers its engine to the processor under this name; the table is the jg_adaptive itself.
 */
#define JG_ADAPTIVE_INTERFACE "sampling.adaptive"

typedef struct jg_adaptive_options {
    jg_calculation_options calculation;
    uint64_t calculation_interval_ns, calculation_delay_ns;
    double min_samples_per_second;
    uint64_t leader_lease_refresh_interval_ns, follower_lease_refresh_interval_ns;
} jg_adaptive_options;

typedef struct jg_adaptive_init {
    jg_adaptive_options options;
    const jaeger_sampling_store *store; /* must outlive the engine, with its self */
    void *store_self;
    const jaeger_logger *log;
    jg_metrics *metrics; /* may be NULL */
} jg_adaptive_init;

/** Reads the store, starts no thread. @return INVALID_ARGUMENT: options; RESOURCE_EXHAUSTED. A store that
 * fails is logged: its probabilities come later. */
jaeger_status jg_adaptive_new(const jg_adaptive_init *init, jg_adaptive **ret,
                              jaeger_error *err) JG_MUST_CHECK;
/** Work on a thread from now on. */
jaeger_status jg_adaptive_start(jg_adaptive *adaptive, jaeger_error *err) JG_MUST_CHECK;
/** Store what was counted, give the lease back, free. Accepts NULL. */
void jg_adaptive_free(jg_adaptive *adaptive);

/** Do what is due: renew the lease, share and calculate, read what the leader wrote. For the thread, and for
 * tests, which turn the clock instead. @return time to the next step */
uint64_t jg_adaptive_step(jg_adaptive *adaptive);
bool jg_adaptive_is_leader(jg_adaptive *adaptive);

/** Count a root span. Any thread. @param counts sampled by probability, not by a lower bound or another rule
 */
void jg_adaptive_record(jg_adaptive *adaptive, jaeger_str service, jaeger_str operation, bool counts,
                        double param);

/** `self` is the jg_adaptive. */
extern const jaeger_sampling_provider jg_adaptive_provider;

#endif
