/* SPDX-License-Identifier: Apache-2.0
 * Acknowledge early, the Collector's way: a request is answered when its spans are in memory; one thread
 * sends what has reached send_batch_size or is older than timeout. Failures are logged, the spans are lost.
 * Stop sends the rest. Spec: opentelemetry-collector processor/batchprocessor/README.md.
 */
#include "processors/batch/batch.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "model/batch.h"
#include <string.h>

#define FAILURE_LOG_INTERVAL_NS JG_NS_PER_S /* of "Sender failed" lines */

static bool is_full(const jg_batcher *b, const jg_batch_shard *shard)
{
    return shard->pending_spans &&
           (b->config->timeout_ns == 0 || shard->pending_spans >= b->config->send_batch_size);
}

static bool push(jg_batch_shard *shard, jaeger_batch *batch)
{
    if (shard->pending_count == shard->pending_cap) {
        size_t cap = shard->pending_cap ? shard->pending_cap * 2 : 64;
        jaeger_batch **grown = jg_realloc(shard->pending, cap * sizeof *grown);
        if (!grown)
            return false;
        shard->pending = grown;
        shard->pending_cap = cap;
    }
    shard->pending[shard->pending_count++] = batch;
    shard->pending_spans += jg_batch_items(batch);
    return true;
}

jaeger_status jg_batch_early(jg_batcher *b, jg_batch_shard *shard, jaeger_batch *take, jaeger_call *call)
{
    size_t bytes = jaeger_batch_bytes(take);
    jaeger_status status = JAEGER_OK;
    (void)pthread_mutex_lock(&b->state_mutex);
    if (b->stopping || bytes > JG_BATCH_WAITING_BYTES_MAX - b->waiting_bytes) {
        status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "batch: %s",
                         b->stopping ? "shutting down" : "too much waits already");
        call->error.retry_after_ms = JG_RETRY_AFTER_MS;
    } else if (!push(shard, take)) {
        status = jg_fail_oom(&call->error);
    } else {
        b->waiting_bytes += bytes;
        bool is_first = shard->due_ns == 0;
        if (is_first)
            shard->due_ns = jg_clock_mono_ns() + b->config->timeout_ns;
        if (is_first || is_full(b, shard))
            (void)pthread_cond_signal(&b->work);
    }
    (void)pthread_mutex_unlock(&b->state_mutex);
    if (status != JAEGER_OK)
        jaeger_batch_unref(take);
    return status;
}

/* ---- the sender ---- */

/* A shard that must be sent now; else NULL, and when to look again. */
static jg_batch_shard *next_ready(const jg_batcher *b, bool *ret_full, uint64_t *ret_look_ns)
{
    uint64_t now = jg_clock_mono_ns();
    *ret_look_ns = now + JG_TIMEOUT_DEFAULT_NS;
    for (jg_batch_shard *shard = b->shards; shard; shard = shard->next) {
        if (shard->pending_count == 0)
            continue;
        *ret_full = is_full(b, shard);
        if (*ret_full || b->stopping || shard->due_ns <= now)
            return shard;
        *ret_look_ns = JG_MIN(*ret_look_ns, shard->due_ns);
    }
    return NULL;
}

static void log_failure(jg_batcher *b, const jaeger_error *err, size_t spans)
{
    uint64_t now = jg_clock_mono_ns();
    if (b->failure_logged_ns && now - b->failure_logged_ns < FAILURE_LOG_INTERVAL_NS) {
        b->failures_hidden++;
        return;
    }
    jaeger_log(b->log, JAEGER_WARN,
               "Sender failed, dropping spans: error=\"%s\" spans=%zu failures_not_logged=%llu", err->message,
               spans, (unsigned long long)b->failures_hidden);
    b->failure_logged_ns = now;
    b->failures_hidden = 0;
}

static void send_one(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *take)
{
    size_t spans = jg_batch_items(take);
    jaeger_error err = {0};
    uint64_t deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    uint64_t stop_ns = __atomic_load_n(&b->stop_deadline_ns, __ATOMIC_RELAXED);
    if (stop_ns)
        deadline_ns = JG_MIN(deadline_ns, stop_ns);
    if (jg_batch_send(b, shard, take, deadline_ns, b->sender_arena, &err) != JAEGER_OK)
        log_failure(b, &err, spans);
    jaeger_arena_reset(b->sender_arena);
}

/* The first `n` spans of *whole; the others stay in *whole. */
static jaeger_batch *split_off(jaeger_batch **whole, size_t n)
{
    size_t count = jaeger_batch_span_count(*whole);
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(count * sizeof *indexes);
    jaeger_batch *head = NULL, *rest = NULL;
    if (!indexes)
        return NULL;
    for (size_t i = 0; i < count; i++)
        indexes[i] = (uint32_t)i;
    if (jg_batch_select(*whole, indexes, n, &head, NULL) != JAEGER_OK ||
        jg_batch_select(*whole, indexes + n, count - n, &rest, NULL) != JAEGER_OK) {
        jaeger_batch_unref(head);
        return NULL;
    }
    jaeger_batch_unref(*whole);
    *whole = rest;
    return head;
}

/* Sends in pieces of send_batch_max_size. A full shard keeps a rest that is below send_batch_size.
 * @return the rest, or NULL */
static jaeger_batch *send_merged(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *whole,
                                 bool keep_rest)
{
    size_t max = b->config->send_batch_max_size;
    while (max && jaeger_batch_span_count(whole) > max) {
        jaeger_batch *head = split_off(&whole, max);
        if (!head) /* out of memory: too large is better than lost */
            break;
        send_one(b, shard, head);
        if (keep_rest && jaeger_batch_span_count(whole) < b->config->send_batch_size)
            return whole;
    }
    send_one(b, shard, whole);
    return NULL;
}

/* What was taken from a shard. */
typedef struct load {
    jaeger_batch **batches;
    size_t count, bytes;
} load;

/* The oldest, up to send_batch_max_size: what came with it beyond that is split off, which costs. */
static load take_pending(const jg_batcher *b, jg_batch_shard *shard)
{
    size_t max = b->config->send_batch_max_size, spans = 0, left;
    load l = {.batches = shard->pending};
    while (l.count < shard->pending_count && (!max || spans < max)) {
        spans += jg_batch_items(l.batches[l.count]);
        l.bytes += jaeger_batch_bytes(l.batches[l.count++]);
    }
    left = shard->pending_count - l.count;
    jaeger_batch **others = left ? jg_alloc(left * sizeof *others) : NULL;
    if (left && !others) { /* no memory to part them: all go */
        for (; l.count < shard->pending_count; l.count++)
            l.bytes += jaeger_batch_bytes(l.batches[l.count]);
        left = 0;
    }
    if (left)
        memcpy(others, l.batches + l.count, left * sizeof *others);
    shard->pending = others;
    shard->pending_count = shard->pending_cap = left;
    shard->pending_spans = left ? shard->pending_spans - spans : 0;
    shard->due_ns = left ? shard->due_ns : 0;
    return l;
}

static jaeger_batch *send_load(jg_batcher *b, const jg_batch_shard *shard, load *l, bool keep_rest)
{
    jaeger_batch *whole = NULL, *rest = NULL;
    bool merged = l->count > 1 && jg_batch_merge(l->batches, l->count, &whole, NULL) == JAEGER_OK;
    for (size_t i = 0; i < l->count; i++) {
        if (merged)
            jaeger_batch_unref(l->batches[i]);
        else /* one, or no memory to merge them */
            rest = send_merged(b, shard, l->batches[i], keep_rest && l->count == 1);
    }
    if (merged)
        rest = send_merged(b, shard, whole, keep_rest);
    jg_free(l->batches);
    return rest;
}

/* With state_mutex held, which is given up while sending. */
static void send_shard(jg_batcher *b, jg_batch_shard *shard, bool full)
{
    bool keep_rest = full && !b->stopping && b->config->timeout_ns != 0;
    load l = take_pending(b, shard);
    jg_metric_add(full ? b->size_sends : b->timeout_sends, 1);
    (void)pthread_mutex_unlock(&b->state_mutex);
    jaeger_batch *rest = send_load(b, shard, &l, keep_rest);
    size_t rest_bytes = rest ? jaeger_batch_bytes(rest) : 0;
    (void)pthread_mutex_lock(&b->state_mutex);
    b->waiting_bytes -= l.bytes;
    if (!rest)
        return;
    if (push(shard, rest)) {
        b->waiting_bytes += rest_bytes;
        if (!shard->due_ns)
            shard->due_ns = jg_clock_mono_ns() + b->config->timeout_ns;
    } else {
        (void)pthread_mutex_unlock(&b->state_mutex);
        send_one(b, shard, rest);
        (void)pthread_mutex_lock(&b->state_mutex);
    }
}

static void *run_sender(void *arg)
{
    jg_batcher *b = arg;
    (void)pthread_mutex_lock(&b->state_mutex);
    for (;;) {
        bool full = false;
        uint64_t look_ns;
        jg_batch_shard *shard = next_ready(b, &full, &look_ns);
        if (shard)
            send_shard(b, shard, full);
        else if (b->stopping)
            break;
        else
            (void)jg_batch_wait(b, &b->work, look_ns);
    }
    (void)pthread_mutex_unlock(&b->state_mutex);
    return NULL;
}

jaeger_status jg_batch_early_start(jg_batcher *b, jaeger_error *err)
{
    b->sender_arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!b->sender_arena)
        return jg_fail_oom(err);
    int fault = pthread_create(&b->sender, NULL, run_sender, b);
    if (fault)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start the sender: %s", strerror(fault));
    (void)pthread_setname_np(b->sender, "jg-batch");
    b->has_sender = true;
    return JAEGER_OK;
}

void jg_batch_early_stop(jg_batcher *b, uint64_t deadline_ns)
{
    __atomic_store_n(&b->stop_deadline_ns, deadline_ns, __ATOMIC_RELAXED);
    (void)pthread_cond_signal(&b->work);
    (void)pthread_mutex_unlock(&b->state_mutex);
    (void)pthread_join(b->sender, NULL);
    (void)pthread_mutex_lock(&b->state_mutex);
    b->has_sender = false;
}
