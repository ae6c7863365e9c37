/* SPDX-License-Identifier: Apache-2.0
 * Between the files of the tail sampler: its configuration, the traces that wait, the thread that decides.
 */
#ifndef JG_PROCESSORS_TAIL_SAMPLING_TAIL_H
#define JG_PROCESSORS_TAIL_SAMPLING_TAIL_H

#include "processors/tail_sampling/lru.h"
#include "processors/tail_sampling/policy.h"
#include <jaeger/component.h>
#include <pthread.h>

enum { JG_TAIL_TRACE_COMPLETE, JG_TAIL_SPAN_INGEST };

typedef struct jg_tail_config {
    uint64_t decision_wait_ns, decision_wait_after_root_received_ns;
    uint64_t num_traces, expected_new_traces_per_sec, maximum_trace_size_bytes, max_memory_mib;
    bool block_on_overflow, sample_on_first_match, drop_pending_traces_on_shutdown;
    int sampling_strategy;
    struct jg_tail_cache_config {
        uint32_t sampled_cache_size, non_sampled_cache_size;
    } decision_cache;
    const jaeger_config *policies, *tail_storage;
} jg_tail_config;

typedef struct jg_tail_trace {
    struct jg_tail_trace *next;           /* in its slot */
    struct jg_tail_trace *older, *newer;  /* by arrival */
    struct jg_tail_trace *before, *after; /* due at the same tick; `after` also links those being decided */
    jg_tail_key key;
    uint64_t hash, arrived_ns, decided_ns, due_tick;
    uint64_t span_count, size_bytes;
    jg_tail_piece *pieces, *last;
    jg_tail_piece *judged; /* pieces that are being evaluated: the decision thread's */
    uint8_t decision;      /* jg_decision */
    uint8_t verdict;       /* the decision thread's, until it is the decision */
    bool waits;            /* in a list of due traces */
} jg_tail_trace;

typedef struct jg_tail_metrics {
    jg_metric *decided[JG_DECISION_COUNT], *released[2], *new_traces, *tick_ms, *late_s, *errors, *too_early,
        *removal_s, *on_memory, *too_large;
} jg_tail_metrics;

typedef struct jg_tail {
    const jg_tail_config *config;
    jaeger_consumer next;
    const jaeger_logger *log;
    jaeger_arena *arena; /* policies */
    jg_policy *policies;
    size_t policy_count;
    jg_tail_metrics metrics;
    uint64_t seed;
    size_t bytes_max;
    bool ready, has_thread;
    pthread_t thread;
    uint64_t stop_deadline_ns;    /* atomic */
    pthread_mutex_t policy_mutex; /* span-ingest: one evaluation at a time */
    pthread_mutex_t state_mutex;  /* guards what follows */
    pthread_cond_t work, space;   /* for the thread; for consumers that wait for an eviction */
    jg_tail_trace **slots;
    size_t slot_count, trace_count; /* slot_count: a power of two */
    jg_tail_trace *oldest, *newest;
    jg_tail_trace **due; /* by tick % due_count */
    size_t due_count;
    uint64_t tick, next_tick_ns;
    size_t held_bytes;
    jg_lru sampled, not_sampled;
    jg_tail_piece *out, **out_end; /* late spans of sampled traces, to be forwarded */
    jg_tail_load *dead;            /* without references; freed after the lock was given up */
    bool stopping;
    uint64_t failure_logged_ns; /* the thread's */
} jg_tail;

/* ---- traces.c: all with state_mutex held ---- */

jaeger_status jg_tail_traces_init(jg_tail *t, jaeger_error *err);
void jg_tail_traces_done(jg_tail *t);
/** Give up the lock, then free what died under it. */
void jg_tail_unlock(jg_tail *t);
/** Take the spans of one group of a batch. @param decision of span-ingest; JG_UNDECIDED: none yet
 *  @return UNAVAILABLE: no room */
jaeger_status jg_tail_add(jg_tail *t, jg_tail_load *load, const jg_trace_group *group, uint64_t tenant_hash,
                          jg_decision decision, jaeger_call *call);
/** The end of a trace's wait: release or forget its spans, remember the decision. */
void jg_tail_settle(jg_tail *t, jg_tail_trace *trace, jg_decision decision);
/** All that are due at this tick, as a list by `after`. The tick moves on. */
jg_tail_trace *jg_tail_take_due(jg_tail *t);
void jg_tail_load_unref(jg_tail *t, jg_tail_load *load);
void jg_tail_free_pieces(jg_tail *t, jg_tail_piece *pieces);

/** NULL when out of memory. Takes the batch then not. Without the lock. */
jg_tail_load *jg_tail_load_new(jaeger_batch *batch, const jg_trace_groups *groups, jaeger_str tenant);
void jg_tail_load_free(jg_tail_load *load);
/** Size of the spans of a group as OTLP, about [bytes]. */
uint64_t jg_tail_size(const jg_tail_load *load, uint32_t first);

/* ---- decide.c ---- */

jaeger_status jg_tail_start(jg_tail *t, jaeger_error *err);
void jg_tail_stop(jg_tail *t, uint64_t deadline_ns);
/** What the policies say. */
jg_decision jg_tail_judge(jg_tail *t, const jg_tail_view *view);
/** The same on the spans of one batch: JG_UNDECIDED unless it is final. */
jg_decision jg_tail_judge_early(jg_tail *t, const jg_tail_view *view);

#endif
