/* SPDX-License-Identifier: Apache-2.0
 * The sending queue of exporters: requests wait in memory, consumers send them, with retries. Without a queue
 * a request is sent, with retries, on the caller's thread. Exporters whose sending need not wait for its end
 * have no consumers: as many sendings are under way at a time, begun by who puts a request or ends one
 * (queue_later.c). Keys and rules: opentelemetry-collector exporter/exporterhelper.
 */
#ifndef JG_PIPELINE_QUEUE_H
#define JG_PIPELINE_QUEUE_H

#include "core/metrics.h"
#include "pipeline/host.h"
#include "pipeline/lanes.h"
#include "pipeline/retry.h"

typedef enum jg_queue_sizer { JG_SIZER_REQUESTS, JG_SIZER_ITEMS, JG_SIZER_BYTES } jg_queue_sizer;

/** Keep requests on disk (pipeline/spool.h). Ours: the Collector has it behind a storage extension. */
typedef struct jg_queue_persistent {
    bool enabled;
    jaeger_str directory;
    uint64_t bytes_max; /* 0: 1 GiB */
} jg_queue_persistent;

/** Merge what waits. */
typedef struct jg_queue_batch {
    bool enabled;
    uint64_t flush_timeout_ns;
    int64_t size_min, size_max;
    int sizer; /* jg_batch_sizer */
    jaeger_str_list metadata_keys;
} jg_queue_batch;
typedef enum jg_batch_sizer {
    JG_BATCH_SIZER_UNSET,
    JG_BATCH_SIZER_ITEMS,
    JG_BATCH_SIZER_BYTES
} jg_batch_sizer;

typedef struct jg_queue_config {
    bool enabled;
    int64_t num_consumers, queue_size;
    int sizer; /* jg_queue_sizer */
    bool block_on_overflow, wait_for_result;
    jaeger_str storage; /* refused: there is no storage extension; see persistent */
    jg_queue_batch batch;
    jg_queue_persistent persistent;
} jg_queue_config;

extern const jaeger_field jg_queue_fields[]; /* for OPTIONAL fields, which read the key `enabled` */

/** Refuse what cannot work. */
jaeger_status jg_queue_check(const jg_queue_config *config, jaeger_error *err) JG_MUST_CHECK;
/** How requests are merged. @param merges also without `batch`, while others are being sent */
jg_lane_rules jg_queue_rules(const jg_queue_config *config, bool merges);

typedef struct jg_queue jg_queue;

typedef struct jg_queue_options {
    const char *id;                /* of the exporter: for metrics, thread names, log lines */
    const jg_queue_config *config; /* NULL or not enabled: no queue */
    const jg_retry_config *retry;
    jg_send_fn
        send; /* one try; any thread; deadline_ns of its call is the caller's without a queue, else 0 */
    void *user;
    bool defers;                 /* `send` waits for nothing if its call offers `later`: no threads, then */
    void (*abandon)(void *user); /* with `defers`: the time to stop is over, let what is under way end */
    bool takes_metrics;          /* count data points too */
    bool merges;                 /* what waits while others are being sent may be sent as one */
    jg_metrics *metrics;
    const jaeger_logger *log;
    jaeger_host *host; /* hears how attempts go; may be NULL */
} jg_queue_options;

/** @return NULL when out of memory */
jg_queue *jg_queue_new(const jg_queue_options *options);
/** Open the persistent queue, start the consumers. @return RESOURCE_EXHAUSTED: no threads; as jg_spool_open
 */
jaeger_status jg_queue_start(jg_queue *queue, jaeger_error *err) JG_MUST_CHECK;
/** Hand over a request; takes one reference, even on failure.
 *  @return with a queue: OK once it waits there, with a persistent one: on disk (wait_for_result: what its
 * sending returned); UNAVAILABLE, RESOURCE_EXHAUSTED: full or stopping. Without: what sending returned.
 * Blocks: sending, block_on_overflow, wait_for_result; up to call->deadline_ns. */
jaeger_status jg_queue_send(jg_queue *queue, jaeger_batch *take, jaeger_call *call) JG_MUST_CHECK;
/** jaeger_consumer.prompt of the exporter: a queue in memory that refuses when it is full waits for nothing.
 */
bool jg_queue_is_prompt(const jg_queue *queue);
/** jaeger_component_type.defers of the exporter: sending, wait_for_result wait for nothing if `send` does
 * not. */
bool jg_queue_defers(const jg_queue *queue);
/** Refuse new requests, send what waits (once, no retries), join. At `deadline_ns` the rest is dropped. A
 * persistent queue ends what is being sent and leaves the rest on disk.
 * Idempotent; accepts NULL. */
void jg_queue_stop(jg_queue *queue, uint64_t deadline_ns);
/** Stops first. Accepts NULL. */
void jg_queue_free(jg_queue *queue);

#endif
