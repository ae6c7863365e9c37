/* SPDX-License-Identifier: Apache-2.0
 * A small tracer for C programs: spans are written as OTLP bytes while they run and handed to a consumer,
 * such as the pipeline of a service in the same process (jaeger_service_consume) or anything that takes
 * batches.
 *
 * Starting and ending spans takes no lock: span objects come from a fixed set, and a thread of the tracer
 * gathers those that ended. When all are in use, or the set is full of spans not yet handed over, a new span
 * is not recorded (and counted); the program is never slowed down.
 */
#ifndef JAEGER_TRACER_H
#define JAEGER_TRACER_H

#include <jaeger/batch.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct jaeger_tracer jaeger_tracer;
/** A span that runs. NULL is a valid span that records nothing: all functions accept it. */
typedef struct jaeger_live_span jaeger_live_span;

#define JAEGER_TRACE_STATE_MAX 512 /* W3C: at least 512 characters are propagated */

/** What is passed on between processes. All-zero ids: no context. */
typedef struct jaeger_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    bool sampled;
    bool remote; /**< came from another process */
    uint16_t trace_state_len;
    char trace_state[JAEGER_TRACE_STATE_MAX];
} jaeger_context;

/** Why a trace is sampled: the root span's attributes sampler.type and sampler.param, from which Jaeger's
 * adaptive sampling learns. */
typedef struct jaeger_sample {
    const char
        *type; /**< static; "probabilistic", "lowerbound", "ratelimiting", "const"; NULL: no attributes */
    double param;
} jaeger_sample;

/** Decides whether a new trace is recorded. Children follow their parent's `sampled`. Any thread; must not
 * block. jaeger_sampler_hook() of jaeger/sampling.h makes one. */
typedef struct jaeger_trace_sampler {
    bool (*sample)(void *self, const uint8_t trace_id[16], jaeger_str operation);
    void *self;
    /** If set, asked instead of `sample`. @param ret zeroed before */
    bool (*sample_as)(void *self, const uint8_t trace_id[16], jaeger_str operation, jaeger_sample *ret);
} jaeger_trace_sampler;

typedef struct jaeger_tracer_options {
    size_t size;
    jaeger_str service;          /**< service.name */
    const jaeger_pair *resource; /**< more resource attributes */
    size_t resource_count;
    jaeger_str scope_name, scope_version;
    jaeger_consumer out; /**< gets batches, on the tracer's thread; a retryable failure is tried again */
    jaeger_trace_sampler sampler; /**< sample NULL: every trace */
    uint32_t spans_max;           /**< running and waiting spans; 0: 2048 */
    uint32_t span_bytes_max;      /**< one span; what does not fit is cut and counted; 0: 64 KiB */
    uint64_t flush_interval_ns;   /**< 0: 200 ms */
    uint32_t batch_spans_max;     /**< in one batch; 0: 512 */
    unsigned propagators;         /**< JAEGER_W3C | ...; what jaeger_tracer_propagators answers; 0: W3C */
} jaeger_tracer_options;

typedef struct jaeger_tracer_stats {
    uint64_t ended;   /**< spans that were recorded */
    uint64_t sent;    /**< spans the consumer took */
    uint64_t dropped; /**< not recorded: no free span object */
    uint64_t failed;  /**< the consumer refused them for good */
} jaeger_tracer_stats;

JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_tracer_new(const jaeger_tracer_options *options,
                                                             jaeger_tracer **ret, jaeger_error *err);
/** Hand over all that ended (up to 5 s), then free. Running spans must be ended before. Accepts NULL. */
JAEGER_API void jaeger_tracer_free(jaeger_tracer *tracer);
/** Wait until all spans that ended before the call were handed over. @return DEADLINE_EXCEEDED */
JAEGER_API jaeger_status jaeger_tracer_flush(jaeger_tracer *tracer, uint64_t timeout_ns);
/** The formats in which the context of its spans travels. */
JAEGER_API unsigned jaeger_tracer_propagators(const jaeger_tracer *tracer);
JAEGER_API void jaeger_tracer_get_stats(const jaeger_tracer *tracer, jaeger_tracer_stats *ret);

/** Start a span now. @param parent NULL or zero ids: a new trace  @param kind JAEGER_KIND_*
 *  @return NULL: not sampled, or no span object is free. The context of such a span is its parent's: see
 *  jaeger_live_span_context. Any thread; one thread at a time uses a span. */
JAEGER_API jaeger_live_span *jaeger_span_begin(jaeger_tracer *tracer, const jaeger_context *parent,
                                               jaeger_str name, uint32_t kind);
/** The same with a start time [Unix ns]. */
JAEGER_API jaeger_live_span *jaeger_span_begin_at(jaeger_tracer *tracer, const jaeger_context *parent,
                                                  jaeger_str name, uint32_t kind, uint64_t start_unix_ns);
JAEGER_API void jaeger_span_set_str(jaeger_live_span *span, jaeger_str key, jaeger_str value);
JAEGER_API void jaeger_span_set_int(jaeger_live_span *span, jaeger_str key, int64_t value);
JAEGER_API void jaeger_span_set_double(jaeger_live_span *span, jaeger_str key, double value);
JAEGER_API void jaeger_span_set_bool(jaeger_live_span *span, jaeger_str key, bool value);
/** An event now, with text attributes. */
JAEGER_API void jaeger_span_add_event(jaeger_live_span *span, jaeger_str name, const jaeger_pair *attrs,
                                      size_t count);
JAEGER_API void jaeger_span_add_link(jaeger_live_span *span, const jaeger_context *to);
/** @param code JAEGER_STATUS_* */
JAEGER_API void jaeger_span_set_status(jaeger_live_span *span, uint32_t code, jaeger_str message);
/** The span is complete; the pointer is invalid afterwards. */
JAEGER_API void jaeger_span_end(jaeger_live_span *span);
JAEGER_API void jaeger_span_end_at(jaeger_live_span *span, uint64_t end_unix_ns);
/** What children and other processes get. @return false: a NULL span, `ret` is zeroed (not sampled) */
JAEGER_API bool jaeger_live_span_context(const jaeger_live_span *span, jaeger_context *ret);

/* ---- propagation
 * ----------------------------------------------------------------------------------------------- */

/** Headers of a request. `get` answers ptr NULL for a header that is not there; names are lower case. */
typedef struct jaeger_carrier {
    jaeger_str (*get)(void *self, const char *name);
    void (*set)(void *self, const char *name, jaeger_str value);
    void *self;
} jaeger_carrier;

typedef enum jaeger_propagator {
    JAEGER_W3C = 1,       /**< traceparent, tracestate: https://www.w3.org/TR/trace-context/ */
    JAEGER_B3_SINGLE = 2, /**< b3 */
    JAEGER_B3_MULTI = 4,  /**< x-b3-traceid, x-b3-spanid, x-b3-sampled, x-b3-flags */
    JAEGER_UBER = 8,      /**< uber-trace-id */
    JAEGER_PROPAGATE_ALL = 15
} jaeger_propagator;

/** Write the headers of all formats in `formats` (JAEGER_W3C | ...). */
JAEGER_API void jaeger_inject(const jaeger_context *context, unsigned formats, jaeger_carrier carrier);
/** Read the first valid one, in the order W3C, B3 single, B3 multi, uber. @return false: none; `ret` is
 * zeroed */
JAEGER_API bool jaeger_extract(unsigned formats, jaeger_carrier carrier, jaeger_context *ret);

#ifdef __cplusplus
}
#endif
#endif
