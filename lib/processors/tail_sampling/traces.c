/* SPDX-License-Identifier: Apache-2.0
 * The traces that wait: a hash table, a list by age for evictions, and lists by the tick of their decision.
 * A decided trace stays until it is evicted, or until a decision cache remembers it.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "core/sysmem.h"
#include "model/batch.h"
#include "processors/tail_sampling/tail.h"
#include <time.h>

/* ---- loads ---- */

jg_tail_load *jg_tail_load_new(jaeger_batch *batch, const jg_trace_groups *groups, jaeger_str tenant)
{
    size_t n = jaeger_batch_span_count(batch);
    jg_tail_load *load = jg_calloc(1, sizeof *load + tenant.len + 1);
    uint32_t *next = load ? jg_alloc(n * sizeof *next) : NULL;
    if (!next) {
        jg_free(load);
        return NULL;
    }
    memcpy(next, groups->next, n * sizeof *next);
    if (tenant.len)
        memcpy(load->tenant, tenant.ptr, tenant.len);
    load->batch = batch;
    load->next = next;
    load->refs = 1;
    load->bytes = jaeger_batch_bytes(batch) + sizeof *load + n * sizeof *next;
    return load;
}

void jg_tail_load_free(jg_tail_load *load)
{
    jaeger_batch_unref(load->batch);
    jg_free(load->next);
    jg_free(load->picks);
    jg_free(load);
}

void jg_tail_load_unref(jg_tail *t, jg_tail_load *load)
{
    if (--load->refs)
        return;
    t->held_bytes -= load->bytes;
    load->next_load = t->dead;
    t->dead = load;
    (void)pthread_cond_broadcast(&t->space);
}

void jg_tail_unlock(jg_tail *t)
{
    jg_tail_load *dead = t->dead;
    t->dead = NULL;
    (void)pthread_mutex_unlock(&t->state_mutex);
    for (jg_tail_load *next; dead; dead = next) {
        next = dead->next_load;
        jg_tail_load_free(dead);
    }
}

void jg_tail_free_pieces(jg_tail *t, jg_tail_piece *pieces)
{
    for (jg_tail_piece *next; pieces; pieces = next) {
        next = pieces->next;
        jg_tail_load_unref(t, pieces->load);
        jg_free(pieces);
    }
}

uint64_t jg_tail_size(const jg_tail_load *load, uint32_t first)
{
    const jaeger_span *spans = jaeger_batch_spans(load->batch);
    const jaeger_span_group *group = NULL;
    uint64_t size = 0;
    for (uint32_t i = first; i != JG_NO_SPAN; i = load->next[i]) {
        size += jg_pb_len_size(2, spans[i].len);
        if (spans[i].group == group)
            continue;
        group = spans[i].group;
        size += 8 + group->resource.len + group->scope.len + group->resource_schema_url.len +
                group->scope_schema_url.len; /* 8: tags and lengths of the groups around */
    }
    return size;
}

/* ---- the table ---- */

jaeger_status jg_tail_traces_init(jg_tail *t, jaeger_error *err)
{
    const jg_tail_config *c = t->config;
    size_t seconds = (size_t)(c->decision_wait_ns / JG_NS_PER_S);
    t->due_count = JG_MAX(seconds, 1) + 1;
    t->slot_count = 1024;
    while (t->slot_count < JG_MIN(c->num_traces, 1u << 20))
        t->slot_count *= 2;
    t->slots = jg_calloc(t->slot_count, sizeof *t->slots);
    t->due = jg_calloc(t->due_count, sizeof *t->due);
    t->out_end = &t->out;
    t->bytes_max = c->max_memory_mib ? (size_t)c->max_memory_mib << 20 : (size_t)(jg_sysmem_bytes() / 4);
    if (!t->slots || !t->due || !jg_lru_init(&t->sampled, c->decision_cache.sampled_cache_size) ||
        !jg_lru_init(&t->not_sampled, c->decision_cache.non_sampled_cache_size))
        return jg_fail_oom(err);
    return JAEGER_OK;
}

static jg_tail_trace *find(const jg_tail *t, const jg_tail_key *key, uint64_t hash)
{
    jg_tail_trace *trace = t->slots[hash & (t->slot_count - 1)];
    while (trace && (trace->hash != hash || memcmp(&trace->key, key, sizeof *key) != 0))
        trace = trace->next;
    return trace;
}

static void leave_due(jg_tail *t, jg_tail_trace *trace)
{
    if (!trace->waits)
        return;
    *(trace->before ? &trace->before->after : &t->due[trace->due_tick % t->due_count]) = trace->after;
    if (trace->after)
        trace->after->before = trace->before;
    trace->waits = false;
}

static void join_due(jg_tail *t, jg_tail_trace *trace, uint64_t tick)
{
    jg_tail_trace **first = &t->due[tick % t->due_count];
    trace->due_tick = tick;
    trace->before = NULL;
    trace->after = *first;
    if (*first)
        (*first)->before = trace;
    *first = trace;
    trace->waits = true;
}

jg_tail_trace *jg_tail_take_due(jg_tail *t)
{
    jg_tail_trace *list = t->due[t->tick % t->due_count];
    t->due[t->tick++ % t->due_count] = NULL;
    for (jg_tail_trace *trace = list; trace; trace = trace->after) {
        trace->waits = false;
        trace->judged = trace->pieces;
        trace->pieces = trace->last = NULL;
    }
    return list;
}

/* Forget a trace; not one that is being decided. */
static void remove_trace(jg_tail *t, jg_tail_trace *trace)
{
    jg_tail_trace **at = &t->slots[trace->hash & (t->slot_count - 1)];
    while (*at != trace)
        at = &(*at)->next;
    *at = trace->next;
    *(trace->older ? &trace->older->newer : &t->oldest) = trace->newer;
    *(trace->newer ? &trace->newer->older : &t->newest) = trace->older;
    leave_due(t, trace);
    jg_tail_free_pieces(t, trace->pieces);
    jg_metric_observe(t->metrics.removal_s, (double)((jg_clock_mono_ns() - trace->arrived_ns) / JG_NS_PER_S));
    t->trace_count--;
    jg_free(trace);
    (void)pthread_cond_broadcast(&t->space);
}

void jg_tail_traces_done(jg_tail *t)
{
    while (t->oldest)
        remove_trace(t, t->oldest);
    jg_tail_free_pieces(t, t->out);
    t->out = NULL;
    (void)pthread_mutex_lock(&t->state_mutex);
    jg_tail_unlock(t);
    jg_free(t->slots);
    jg_free(t->due);
    jg_lru_done(&t->sampled);
    jg_lru_done(&t->not_sampled);
}

static jg_tail_trace *trace_new(jg_tail *t, const jg_tail_key *key, uint64_t hash)
{
    jg_tail_trace *trace = jg_calloc(1, sizeof *trace);
    if (!trace)
        return NULL;
    jg_tail_trace **slot = &t->slots[hash & (t->slot_count - 1)];
    trace->key = *key;
    trace->hash = hash;
    trace->arrived_ns = jg_clock_mono_ns();
    trace->next = *slot;
    *slot = trace;
    trace->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = trace;
    t->newest = trace;
    t->trace_count++;
    join_due(t, trace, t->tick + t->due_count - 1);
    jg_metric_add(t->metrics.new_traces, 1);
    return trace;
}

/* ---- room ---- */

static bool is_full(const jg_tail *t)
{
    return t->trace_count >= t->config->num_traces || t->held_bytes > t->bytes_max;
}

static bool is_being_decided(const jg_tail_trace *trace)
{
    return trace->decision == JG_UNDECIDED && !trace->waits;
}

/* The oldest trace; with block_on_overflow only one that was decided. NULL: none may go. */
static jg_tail_trace *next_victim(const jg_tail *t)
{
    jg_tail_trace *trace = t->oldest;
    while (trace &&
           (is_being_decided(trace) || (t->config->block_on_overflow && trace->decision == JG_UNDECIDED)))
        trace = trace->newer;
    return trace;
}

static bool wait_for_space(jg_tail *t, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns();
    if (now >= deadline_ns || t->stopping)
        return false;
    struct timespec at = jg_cond_after(JG_MIN(deadline_ns - now, JG_NS_PER_S));
    (void)pthread_cond_timedwait(&t->space, &t->state_mutex, &at);
    return true;
}

/* Spans of other traces that share a load hold its bytes, so an eviction may free none: then the next one
 * goes. */
static jaeger_status make_room(jg_tail *t, jaeger_call *call)
{
    uint64_t deadline_ns = call->deadline_ns ? call->deadline_ns : jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    while (is_full(t)) {
        jg_tail_trace *victim = next_victim(t);
        if (victim) {
            if (victim->decision == JG_UNDECIDED)
                jg_metric_add(t->metrics.too_early, 1);
            remove_trace(t, victim);
        } else if (t->trace_count == 0 && !t->out) {
            return JAEGER_OK; /* one batch larger than all that may be held */
        } else if (!wait_for_space(t, deadline_ns)) {
            jaeger_status status = jg_fail(&call->error, JAEGER_UNAVAILABLE,
                                           "tail_sampling: too many traces wait for a decision");
            call->error.retry_after_ms = JG_RETRY_AFTER_MS;
            return status;
        }
    }
    return JAEGER_OK;
}

/* ---- adding ---- */

static jg_tail_piece *piece_new(jg_tail_load *load, const jg_trace_group *group)
{
    jg_tail_piece *piece = jg_alloc(sizeof *piece);
    if (!piece)
        return NULL;
    *piece = (jg_tail_piece){load, group->first, group->span_count, NULL};
    load->refs++;
    return piece;
}

static void send(jg_tail *t, jg_tail_piece *pieces)
{
    if (!pieces)
        return;
    *t->out_end = pieces;
    while (*t->out_end)
        t->out_end = &(*t->out_end)->next;
    (void)pthread_cond_signal(&t->work);
}

void jg_tail_settle(jg_tail *t, jg_tail_trace *trace, jg_decision decision)
{
    jg_lru *cache = decision == JG_SAMPLED ? &t->sampled : &t->not_sampled;
    leave_due(t, trace);
    trace->decision = (uint8_t)decision;
    trace->decided_ns = jg_clock_mono_ns();
    if (decision == JG_SAMPLED) {
        send(t, trace->judged);
        send(t, trace->pieces);
    } else {
        jg_tail_free_pieces(t, trace->judged);
        jg_tail_free_pieces(t, trace->pieces);
    }
    trace->judged = trace->pieces = trace->last = NULL;
    jg_lru_put(cache, &trace->key, trace->hash);
    if (cache->cap)
        remove_trace(t, trace);
    else
        (void)pthread_cond_broadcast(&t->space); /* block_on_overflow: it may go now */
}

/* A decision that is remembered; false: none. */
static bool from_cache(jg_tail *t, const jg_tail_key *key, uint64_t hash, jg_tail_piece *piece)
{
    bool sampled = jg_lru_get(&t->sampled, key, hash);
    if (!sampled && !jg_lru_get(&t->not_sampled, key, hash))
        return false;
    jg_metric_add(t->metrics.released[sampled], piece->span_count);
    if (sampled)
        send(t, piece);
    else
        jg_tail_free_pieces(t, piece);
    return true;
}

static void add_late(jg_tail *t, jg_tail_trace *trace, jg_tail_piece *piece)
{
    jg_metric_observe(t->metrics.late_s, (double)((jg_clock_mono_ns() - trace->decided_ns) / JG_NS_PER_S));
    if (trace->decision == JG_SAMPLED)
        send(t, piece);
    else
        jg_tail_free_pieces(t, piece);
}

static bool has_root(const jg_tail_piece *piece)
{
    const jaeger_span *spans = jaeger_batch_spans(piece->load->batch);
    for (uint32_t i = piece->first; i != JG_NO_SPAN; i = piece->load->next[i])
        if (jg_id_is_zero(spans[i].parent_span_id, 8))
            return true;
    return false;
}

static void decide_earlier(jg_tail *t, jg_tail_trace *trace)
{
    uint64_t tick = t->tick + t->config->decision_wait_after_root_received_ns / JG_NS_PER_S;
    if (!trace->waits || tick >= trace->due_tick)
        return;
    leave_due(t, trace);
    join_due(t, trace, tick);
}

static void add_piece(jg_tail *t, jg_tail_trace *trace, jg_tail_piece *piece, jg_decision decision)
{
    *(trace->last ? &trace->last->next : &trace->pieces) = piece;
    trace->last = piece;
    if (t->config->decision_wait_after_root_received_ns && has_root(piece))
        decide_earlier(t, trace);
    if (!trace->waits) /* it is being decided, and this piece goes the way of the others */
        return;
    if (t->config->maximum_trace_size_bytes && trace->size_bytes > t->config->maximum_trace_size_bytes) {
        jg_metric_add(t->metrics.too_large, 1);
        jg_tail_settle(t, trace, JG_NOT_SAMPLED);
    } else if (decision != JG_UNDECIDED) {
        jg_metric_add(t->metrics.decided[decision], 1);
        jg_tail_settle(t, trace, decision);
    }
}

jaeger_status jg_tail_add(jg_tail *t, jg_tail_load *load, const jg_trace_group *group, uint64_t tenant_hash,
                          jg_decision decision, jaeger_call *call)
{
    jg_tail_key key = {.tenant_hash = tenant_hash};
    memcpy(key.trace_id, jaeger_batch_spans(load->batch)[group->first].trace_id, 16);
    uint64_t hash = jg_hash(&key, sizeof key, t->seed);
    jg_tail_piece *piece = piece_new(load, group);
    if (!piece)
        return jg_fail_oom(&call->error);
    if (from_cache(t, &key, hash, piece))
        return JAEGER_OK;
    jg_tail_trace *trace = find(t, &key, hash);
    if (t->held_bytes > t->bytes_max || (!trace && is_full(t))) {
        jaeger_status status = make_room(t, call);
        if (status != JAEGER_OK) {
            jg_tail_free_pieces(t, piece);
            return status;
        }
        trace = find(t, &key, hash); /* the lock may have been given up */
    }
    if (!trace && !(trace = trace_new(t, &key, hash))) {
        jg_tail_free_pieces(t, piece);
        return jg_fail_oom(&call->error);
    }
    if (trace->decision != JG_UNDECIDED) {
        add_late(t, trace, piece);
        return JAEGER_OK;
    }
    trace->span_count += group->span_count;
    trace->size_bytes += jg_tail_size(load, group->first);
    add_piece(t, trace, piece, decision);
    return JAEGER_OK;
}
