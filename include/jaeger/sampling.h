/* SPDX-License-Identifier: Apache-2.0
 * Remote sampling: strategies and who provides them, what a sampling store keeps for adaptive sampling, and
 * samplers for programs that are traced.
 */
#ifndef JAEGER_SAMPLING_H
#define JAEGER_SAMPLING_H

#include <jaeger/base.h>
#include <jaeger/tracer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- strategies ---- */

typedef enum jaeger_strategy_kind {
    JAEGER_STRATEGY_PROBABILISTIC = 0,
    JAEGER_STRATEGY_RATE_LIMITING = 1
} jaeger_strategy_kind;

/** The probability of one operation's traces. */
typedef struct jaeger_operation_rate {
    jaeger_str operation;
    double rate;
} jaeger_operation_rate;

/** How the traces of one service are sampled: jaeger.api_v2.SamplingStrategyResponse. What a `has_` flag
 * denies is absent from the message. */
typedef struct jaeger_strategy {
    jaeger_strategy_kind kind;
    bool has_rate;
    double rate; /**< probability of a trace, 0..1 */
    bool has_limit;
    int32_t traces_per_second_max;
    bool has_operations;
    double default_rate;             /**< of operations that are not listed */
    double lower_bound, upper_bound; /**< traces per second and operation; 0: none */
    const jaeger_operation_rate *operations;
    size_t operation_count;
} jaeger_strategy;

/** Takes one strategy; it lives until the return. */
typedef struct jaeger_strategy_sink {
    jaeger_status (*strategy)(void *self, const jaeger_strategy *strategy, jaeger_call *call);
    void *self;
} jaeger_strategy_sink;

/** Who knows strategies. An extension that offers this table as interface JAEGER_SAMPLING_INTERFACE can be
 * named by `provider` of remote_sampling; remote_sampling itself offers it too, for programs in the same
 * process. */
#define JAEGER_SAMPLING_INTERFACE "sampling.provider"
typedef struct jaeger_sampling_provider {
    size_t size;
    /** Hand the strategy of `service` (any text, also empty or unknown) to `out`, once, on this thread, and
     * return what it returned. Any thread; may block up to call->deadline_ns; holds no lock while it calls
     * `out`. */
    jaeger_status (*strategy)(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call);
} jaeger_sampling_provider;

/* ---- the store of adaptive sampling ---- */

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

/* ---- samplers for programs that are traced ---- */

typedef struct jaeger_sampler jaeger_sampler;

typedef enum jaeger_sampler_kind {
    JAEGER_SAMPLER_CONST,         /**< param 0: no trace, else: every one */
    JAEGER_SAMPLER_PROBABILISTIC, /**< param: probability, 0..1 */
    JAEGER_SAMPLER_RATE_LIMITING, /**< param: traces per second */
    JAEGER_SAMPLER_REMOTE         /**< as the endpoint says; param: probability until it has answered */
} jaeger_sampler_kind;

typedef struct jaeger_sampler_options {
    size_t size;
    jaeger_sampler_kind kind;
    double param;
    jaeger_str service;        /**< REMOTE: whose strategy */
    const char *endpoint;      /**< REMOTE: NULL: http://localhost:5778/sampling */
    uint64_t poll_interval_ns; /**< REMOTE: 0: 60 s */
    uint32_t operations_max; /**< operations with a rule of their own; 0: 2000. Others share the default's */
    jaeger_log_sink log;     /**< REMOTE: failed polls; write NULL: silent */
} jaeger_sampler_options;

#ifdef __cplusplus
#define JAEGER_SAMPLER_OPTIONS_INIT (jaeger_sampler_options{sizeof(jaeger_sampler_options)})
#else
#define JAEGER_SAMPLER_OPTIONS_INIT ((jaeger_sampler_options){.size = sizeof(jaeger_sampler_options)})
#endif

/** REMOTE polls on a thread of its own, at once and then at each interval; what it last heard stays in force.
 *  @return INVALID_ARGUMENT: a parameter out of range; RESOURCE_EXHAUSTED */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_sampler_new(const jaeger_sampler_options *options,
                                                              jaeger_sampler **ret, jaeger_error *err);
/** The tracers that use it must be freed before. Accepts NULL. */
JAEGER_API void jaeger_sampler_free(jaeger_sampler *sampler);
/** For jaeger_tracer_options. Any thread; a short lock, no I/O. */
JAEGER_API jaeger_trace_sampler jaeger_sampler_hook(jaeger_sampler *sampler);
/** Follow this strategy from now on, whatever the kind: for strategies that come another way. Any thread.
 *  @return RESOURCE_EXHAUSTED: the rules before stay */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_sampler_apply(jaeger_sampler *sampler,
                                                                const jaeger_strategy *strategy);

#ifdef __cplusplus
}
#endif
#endif
