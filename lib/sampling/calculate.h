/* SPDX-License-Identifier: Apache-2.0
 * The arithmetic of adaptive sampling: from what was seen to the probabilities that shall bring each
 * operation to the target rate. No clock, no store, no thread. Rules: Jaeger,
 * internal/sampling/samplingstrategy/adaptive/README.md.
 */
#ifndef JG_SAMPLING_CALCULATE_H
#define JG_SAMPLING_CALCULATE_H

#include "core/attr.h"
#include <jaeger/sampling.h>

typedef struct jg_calculation_options {
    double target_samples_per_second, delta_tolerance;
    int64_t aggregation_buckets, calculation_buckets;
    double initial_sampling_probability, min_sampling_probability;
} jg_calculation_options;

typedef struct jg_calculation jg_calculation;

/** @return NULL: out of memory */
jg_calculation *jg_calculation_new(const jg_calculation_options *options);
void jg_calculation_free(jg_calculation *calculation);

/** Add what was seen in one interval as the newest bucket (`oldest`: as the oldest). Above
 * aggregation_buckets the oldest is dropped. */
jaeger_status jg_calculation_add(jg_calculation *calculation, const jaeger_throughputs *seen,
                                 uint64_t interval_ns, bool oldest, jaeger_error *err) JG_MUST_CHECK;
/** Go on from the probabilities of another host. */
jaeger_status jg_calculation_seed(jg_calculation *calculation, const jaeger_probabilities *from,
                                  jaeger_error *err) JG_MUST_CHECK;
/** New probabilities of every operation in the buckets; those of operations that left them are forgotten. The
 * list lives in the arena, its strings in the calculation until the next call. */
jaeger_status jg_calculation_run(jg_calculation *calculation, jaeger_arena *arena, jaeger_probabilities *ret,
                                 jaeger_error *err) JG_MUST_CHECK;

#endif
