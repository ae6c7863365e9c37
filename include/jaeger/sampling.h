/* SPDX-License-Identifier: Apache-2.0
 * Remote sampling: what a sampling store keeps for adaptive sampling.
 */
#ifndef JAEGER_SAMPLING_H
#define JAEGER_SAMPLING_H

#include <jaeger/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Root spans of one operation seen in one interval. `probabilities`: the distinct sampler parameters,
 * "%.6f". */
typedef struct jaeger_throughput {
    jaeger_str service, operation;
    int64_t count;
    const jaeger_str *probabilities;
    size_t probability_count;
} jaeger_throughput;

typedef struct jaeger_probability {
    jaeger_str service, operation;
    double probability, qps;
} jaeger_probability;

typedef struct jaeger_throughputs {
    jaeger_throughput *items;
    size_t count, cap;
} jaeger_throughputs;

typedef struct jaeger_probabilities {
    jaeger_probability *items;
    size_t count, cap;
} jaeger_probabilities;

/** Slots of a storage driver; `self` is the driver's state; any thread. Results live in call->arena. */
typedef struct jaeger_sampling_store {
    size_t size;
    jaeger_status (*insert_throughput)(void *self, uint64_t time_unix_ns, const jaeger_throughput *items,
                                       size_t n, jaeger_call *call);
    /** Entries with start < time <= end. */
    jaeger_status (*get_throughput)(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                    jaeger_throughputs *ret, jaeger_call *call);
    jaeger_status (*insert_probabilities)(void *self, jaeger_str host, const jaeger_probability *items,
                                          size_t n, jaeger_call *call);
    jaeger_status (*get_probabilities)(void *self, jaeger_probabilities *ret, jaeger_call *call);
    /** Take or renew the lease of `resource` for `owner`. @param ret true: held by `owner` until now + ttl */
    jaeger_status (*acquire)(void *self, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns, bool *ret,
                             jaeger_call *call);
    jaeger_status (*forfeit)(void *self, jaeger_str resource, jaeger_str owner, jaeger_call *call);
} jaeger_sampling_store;

#ifdef __cplusplus
}
#endif
#endif
