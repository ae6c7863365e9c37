/* SPDX-License-Identifier: Apache-2.0
 * Deciding and forwarding, on a thread of its own: once a second the traces whose wait is over are judged
 * without the lock, then settled under it; their spans leave in batches, of one tenant each. Failures of what
 * follows are logged, the spans are lost, as in the Collector.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "processors/tail_sampling/tail.h"
#include <stdlib.h>
#include <time.h>

#define FORWARD_SPANS 8192 /* batches are joined up to here: as the batch processor's send_batch_size */
#define FORWARD_LOADS 1024 /* ... and of so many loads at most */
#define LOG_EVERY_NS  JG_NS_PER_S

/* ---- judging ---- */

static jg_decision run_policy(jg_tail *t, jg_policy *policy, const jg_tail_view *view)
{
    jaeger_error why;
    uint64_t start = jg_clock_mono_ns();
    jg_decision decision = policy->type->evaluate(policy, view, &why);
    jg_metric_add(policy->runs, 1);
    jg_metric_add(policy->run_us, (double)(jg_clock_mono_ns() - start) / 1000);
    if (decision == JG_UNDECIDED)
        jg_metric_add(t->metrics.errors, 1);
    else
        jg_metric_add(policy->decided[decision], 1);
    return decision;
}

jg_decision jg_tail_judge(jg_tail *t, const jg_tail_view *view)
{
    jg_decision final = JG_NOT_SAMPLED;
    for (size_t i = 0; i < t->policy_count; i++) {
        jg_decision decision = run_policy(t, &t->policies[i], view);
        if (decision == JG_DROPPED)
            return JG_DROPPED;
        if (decision == JG_SAMPLED)
            final = JG_SAMPLED;
        if (decision == JG_SAMPLED && t->config->sample_on_first_match)
            break;
    }
    return final;
}

/* What is not sampled may still be; what a drop policy does not match, too: then nothing is sampled yet. */
jg_decision jg_tail_judge_early(jg_tail *t, const jg_tail_view *view)
{
    bool may_drop = false;
    for (size_t i = 0; i < t->policy_count; i++) {
        bool drops = jg_policy_is_drop(&t->policies[i]);
        if (!drops && may_drop)
            break;
        jg_decision decision = run_policy(t, &t->policies[i], view);
        if (decision == JG_DROPPED || (decision == JG_SAMPLED && !drops))
            return decision;
        may_drop |= drops && decision != JG_UNDECIDED;
    }
    return JG_UNDECIDED;
}

/* ---- forwarding ---- */

/* Batches that go out together. */
typedef struct parcel {
    jaeger_batch *batches[FORWARD_LOADS];
    size_t count, spans;
    const char *tenant;
} parcel;

static void log_failure(jg_tail *t, const jaeger_error *err, size_t spans)
{
    uint64_t now = jg_clock_mono_ns();
    if (t->failure_logged_ns && now - t->failure_logged_ns < LOG_EVERY_NS)
        return;
    t->failure_logged_ns = now;
    jaeger_log(t->log, JAEGER_WARN, "Error sending spans to destination: error=\"%s\" spans=%zu",
               err->message, spans);
}

static void send_batch(jg_tail *t, jaeger_batch *take, const char *tenant)
{
    size_t spans = jaeger_batch_span_count(take);
    uint64_t stop_ns = __atomic_load_n(&t->stop_deadline_ns, __ATOMIC_RELAXED);
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    if (stop_ns)
        call.deadline_ns = JG_MIN(call.deadline_ns, stop_ns);
    call.tenant = jg_str(tenant);
    JG_AUTO_ARENA jaeger_arena *arena = call.arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena) {
        jaeger_batch_unref(take);
        (void)jg_fail_oom(&call.error);
        log_failure(t, &call.error, spans);
    } else if (t->next.consume(t->next.self, take, &call) != JAEGER_OK) {
        log_failure(t, &call.error, spans);
    }
}

static void send_parcel(jg_tail *t, parcel *p)
{
    jaeger_batch *whole;
    if (p->count > 1 && jg_batch_merge(p->batches, p->count, &whole, NULL) == JAEGER_OK) {
        for (size_t i = 0; i < p->count; i++)
            jaeger_batch_unref(p->batches[i]);
        send_batch(t, whole, p->tenant);
    } else { /* one, or no memory to join them */
        for (size_t i = 0; i < p->count; i++)
            send_batch(t, p->batches[i], p->tenant);
    }
    p->count = p->spans = 0;
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The picked spans of a load, in their old order; NULL when out of memory. */
static jaeger_batch *picked_batch(jg_tail_load *load)
{
    jaeger_batch *batch;
    if (load->picked == jaeger_batch_span_count(load->batch))
        return jaeger_batch_ref(load->batch);
    qsort(load->picks, load->picked, sizeof *load->picks, by_index);
    return jg_batch_select(load->batch, load->picks, load->picked, &batch, NULL) == JAEGER_OK ? batch : NULL;
}

static bool pick(jg_tail_load *load, uint32_t first)
{
    if (!load->picks)
        load->picks = jg_alloc(jaeger_batch_span_count(load->batch) * sizeof *load->picks);
    for (uint32_t i = first; load->picks && i != JG_NO_SPAN; i = load->next[i])
        load->picks[load->picked++] = i;
    return load->picks != NULL;
}

/* Loads with picks, each once. @return how many spans found no memory */
static size_t pick_all(jg_tail_piece *pieces, jg_tail_load **ret)
{
    size_t lost = 0;
    jg_tail_load **end = ret;
    *ret = NULL;
    for (; pieces; pieces = pieces->next) {
        jg_tail_load *load = pieces->load;
        bool is_new = load->picked == 0;
        if (!pick(load, pieces->first)) {
            lost += pieces->span_count;
        } else if (is_new) {
            *end = load;
            end = &load->next_load;
            load->next_load = NULL;
        }
    }
    return lost;
}

/* Without the lock; the pieces keep their loads. */
static void forward(jg_tail *t, jg_tail_piece *pieces)
{
    jg_tail_load *loads;
    JG_AUTO_FREE parcel *p = jg_calloc(1, sizeof *p);
    size_t lost = p ? pick_all(pieces, &loads) : 0;
    if (!p)
        loads = NULL;
    for (jg_tail_load *load = loads; load; load = load->next_load) {
        jaeger_batch *batch = picked_batch(load);
        if (p->count && (p->count == FORWARD_LOADS || p->spans + load->picked > FORWARD_SPANS ||
                         strcmp(p->tenant, load->tenant) != 0))
            send_parcel(t, p);
        p->tenant = load->tenant;
        lost += batch ? 0 : load->picked;
        if (batch) {
            p->spans += load->picked;
            p->batches[p->count++] = batch;
        }
        load->picked = 0; /* a later tick may pick others */
    }
    if (p && p->count)
        send_parcel(t, p);
    jaeger_error err;
    if (lost || !p) {
        (void)jg_fail_oom(&err);
        log_failure(t, &err, lost);
    }
}

/* With the lock, which is given up on the way. */
static void forward_out(jg_tail *t)
{
    jg_tail_piece *pieces = t->out;
    if (!pieces)
        return;
    t->out = NULL;
    t->out_end = &t->out;
    jg_tail_unlock(t);
    forward(t, pieces);
    (void)pthread_mutex_lock(&t->state_mutex);
    jg_tail_free_pieces(t, pieces);
    jg_tail_unlock(t);
    (void)pthread_mutex_lock(&t->state_mutex);
}

/* ---- ticks ---- */

/* Without the lock: span counts of a trace may grow meanwhile, those of `judged` do not. */
static void judge_all(jg_tail *t, jg_tail_trace *list)
{
    JG_AUTO_ARENA jaeger_arena *scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    for (jg_tail_trace *trace = list; trace; trace = trace->after) {
        jg_tail_view view = {.trace_id = trace->key.trace_id,
                             .pieces = trace->judged,
                             .now_ns = jg_clock_mono_ns(),
                             .unix_s = jg_clock_unix_ns() / JG_NS_PER_S,
                             .scratch = scratch,
                             .log = t->log};
        for (const jg_tail_piece *piece = trace->judged; piece; piece = piece->next) {
            view.span_count += piece->span_count;
            view.size_bytes += jg_tail_size(piece->load, piece->first);
        }
        bool implicit = t->config->sampling_strategy == JG_TAIL_SPAN_INGEST || !scratch;
        trace->verdict = (uint8_t)(implicit ? JG_NOT_SAMPLED : jg_tail_judge(t, &view));
    }
}

static void tick(jg_tail *t)
{
    uint64_t start = jg_clock_mono_ns();
    jg_tail_trace *list = jg_tail_take_due(t);
    if (list) {
        (void)pthread_mutex_unlock(&t->state_mutex);
        judge_all(t, list);
        (void)pthread_mutex_lock(&t->state_mutex);
    }
    for (jg_tail_trace *trace = list, *after; trace; trace = after) {
        after = trace->after;
        jg_metric_add(t->metrics.decided[trace->verdict], 1);
        jg_tail_settle(t, trace, (jg_decision)trace->verdict);
    }
    jg_metric_set(t->metrics.on_memory, (double)t->trace_count);
    jg_metric_observe(t->metrics.tick_ms, (double)((jg_clock_mono_ns() - start) / JG_NS_PER_MS));
    forward_out(t);
}

static void wait_for_work(jg_tail *t, uint64_t now)
{
    struct timespec at = jg_cond_after(JG_MIN(t->next_tick_ns - now, JG_NS_PER_S));
    (void)pthread_cond_timedwait(&t->work, &t->state_mutex, &at);
}

static void decide_the_rest(jg_tail *t)
{
    for (size_t i = 0; i < t->due_count && !t->config->drop_pending_traces_on_shutdown; i++)
        tick(t);
    forward_out(t);
}

static void *run(void *arg)
{
    jg_tail *t = arg;
    (void)pthread_mutex_lock(&t->state_mutex);
    while (!t->stopping) {
        uint64_t now = jg_clock_mono_ns();
        if (now >= t->next_tick_ns) {
            /* After a long pause (a suspended machine, a turned clock) one round is enough. */
            uint64_t late = (now - t->next_tick_ns) / JG_NS_PER_S;
            if (late > t->due_count)
                t->next_tick_ns += (late - t->due_count) * JG_NS_PER_S;
            t->next_tick_ns += JG_NS_PER_S;
            tick(t);
        } else if (t->out) {
            forward_out(t);
        } else {
            wait_for_work(t, now);
        }
    }
    decide_the_rest(t);
    jg_tail_unlock(t);
    return NULL;
}

jaeger_status jg_tail_start(jg_tail *t, jaeger_error *err)
{
    t->next_tick_ns = jg_clock_mono_ns() + JG_NS_PER_S;
    int fault = pthread_create(&t->thread, NULL, run, t);
    if (fault)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start the tail sampler: %s", strerror(fault));
    (void)pthread_setname_np(t->thread, "jg-tail");
    t->has_thread = true;
    return JAEGER_OK;
}

void jg_tail_stop(jg_tail *t, uint64_t deadline_ns)
{
    __atomic_store_n(&t->stop_deadline_ns, deadline_ns, __ATOMIC_RELAXED);
    (void)pthread_mutex_lock(&t->state_mutex);
    t->stopping = true;
    (void)pthread_cond_broadcast(&t->work);
    (void)pthread_cond_broadcast(&t->space);
    (void)pthread_mutex_unlock(&t->state_mutex);
    if (t->has_thread)
        (void)pthread_join(t->thread, NULL);
    t->has_thread = false;
}
