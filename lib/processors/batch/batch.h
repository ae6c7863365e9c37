/* SPDX-License-Identifier: Apache-2.0
 * Between the files of the batch processor: its configuration, its shards (one for each tenant and set of
 * metadata_keys values), and the two ways to acknowledge.
 */
#ifndef JG_PROCESSORS_BATCH_BATCH_H
#define JG_PROCESSORS_BATCH_BATCH_H

#include "core/map.h"
#include "core/metrics.h"
#include <jaeger/component.h>
#include <pthread.h>

typedef struct jg_batch_config {
    uint64_t timeout_ns;
    uint32_t send_batch_size, send_batch_max_size; /* spans; 0: send at once, no split */
    uint32_t metadata_cardinality_limit;
    jaeger_str_list metadata_keys;
    int acknowledge; /* JG_BATCH_THROUGH, JG_BATCH_EARLY */
} jg_batch_config;

enum { JG_BATCH_THROUGH, JG_BATCH_EARLY };

struct jg_batch_ticket;

/** What may be sent together. Lives until the processor ends. All but the first part: under state_mutex. */
typedef struct jg_batch_shard {
    struct jg_batch_shard *next;
    jaeger_arena *arena; /* holds the shard and its strings; NULL: the default shard */
    jaeger_str key, tenant;
    jaeger_pair *metadata;
    size_t metadata_count;

    struct jg_batch_ticket *first, **last; /* through: requests that wait for a flight */
    unsigned flights;                      /* through: in progress, a hand-over included */

    jaeger_batch **pending; /* early */
    size_t pending_count, pending_cap, pending_spans;
    uint64_t due_ns; /* early: when the oldest must go; 0: nothing waits */
} jg_batch_shard;

typedef struct jg_batcher {
    const jg_batch_config *config;
    jaeger_consumer next;
    bool (*next_defers)(void *self);
    const jaeger_logger *log;
    jg_metric *send_size, *send_bytes, *timeout_sends, *size_sends, *cardinality;
    bool has_metrics;

    pthread_mutex_t state_mutex; /* guards the shards and what follows */
    pthread_cond_t work; /* early: the sender has something to do; through: a flight ended while stopping */
    jg_batch_shard single, *shards;
    jg_map shards_by_key;
    size_t shard_count;
    size_t waiting_bytes; /* taken in, not yet answered for */
    bool ready, stopping, next_is_prompt;
    uint64_t stop_deadline_ns;

    pthread_t sender; /* early */
    bool has_sender;
    jaeger_arena *sender_arena;
    uint64_t failures_hidden, failure_logged_ns; /* sender only */
} jg_batcher;

/** Send to what follows, in pieces of send_batch_max_size. Takes the reference.
 *  @param arena  for the call; may be NULL */
jaeger_status jg_batch_send(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *take,
                            uint64_t deadline_ns, jaeger_arena *arena, jaeger_error *err);
/** Count what is sent as one. */
void jg_batch_note(const jg_batcher *b, const jaeger_batch *batch);
/** The call that is made for requests of a shard. */
jaeger_call jg_batch_call(const jg_batch_shard *shard, uint64_t deadline_ns, jaeger_arena *arena);
/** Wait on `cond` (CLOCK_MONOTONIC) with state_mutex held. @return false: the time has come */
bool jg_batch_wait(jg_batcher *b, pthread_cond_t *cond, uint64_t deadline_ns);

jaeger_status jg_batch_through(jg_batcher *b, jg_batch_shard *shard, jaeger_batch *take, jaeger_call *call);
/** Wait until nothing is in flight. */
void jg_batch_through_stop(jg_batcher *b, uint64_t deadline_ns);

/** through, for a call that offers `later` to what follows: send at once, in pieces of send_batch_max_size.
 */
jaeger_status jg_batch_pass(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *take,
                            jaeger_call *call);

jaeger_status jg_batch_early(jg_batcher *b, jg_batch_shard *shard, jaeger_batch *take, jaeger_call *call);
jaeger_status jg_batch_early_start(jg_batcher *b, jaeger_error *err);
void jg_batch_early_stop(jg_batcher *b, uint64_t deadline_ns);

#endif
