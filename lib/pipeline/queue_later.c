/* SPDX-License-Identifier: Apache-2.0
 * The sending queue of exporters that defer: no thread waits for a sending. Who puts a request, or hears of
 * the end of a sending, begins the next load, as long as fewer than sendings_max are under way. One thread,
 * the keeper, looks after time: loads and retries that are due, callers that wait no longer.
 *
 * A sending counts in queue->sending from its load on, and until its requests have heard of the end: the
 * keeper, and so the stop, waits for that. Nobody touches the queue after giving up the last of them.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "model/batch.h"
#include "pipeline/queue_impl.h"
#include "pipeline/trace.h"

#define LOOK_NS (50 * JG_NS_PER_MS) /* how often callers who wait are looked at: who gave up, who is late */

typedef jg_queue_item item;

/** A load that is being sent. */
typedef struct jg_sending {
    struct jg_sending *next; /* among the retries */
    jg_queue *queue;
    item *load;
    jg_load_run run;
    jg_export_span span;  /* of the attempt */
    jaeger_later later;   /* of its attempts */
    uint64_t due_ns;      /* of the retry */
    jaeger_status status; /* of the last attempt */
    jg_load_part parts[];
} sending;

/* ---- callers who are owed an answer ---- */

/** With the mutex held. The keeper shall wake in time. */
static void wake_keeper(jg_queue *q, uint64_t due_ns)
{
    if (due_ns < q->keeper_due_ns)
        (void)pthread_cond_signal(&q->filled_cond);
}

void jg_queue_later_owe(jg_queue *q, item *it, jaeger_call *call)
{
    it->owed = call;
    it->owed_prev = NULL;
    it->owed_next = q->owed;
    if (q->owed)
        q->owed->owed_prev = it;
    bool is_first = !q->owed;
    q->owed = it;
    if (!is_first)
        return;
    q->owed_look_ns = jg_clock_mono_ns() + LOOK_NS;
    wake_keeper(q, q->owed_look_ns);
}

jaeger_call *jg_queue_later_settle(jg_queue *q, item *it)
{
    jaeger_call *call = it->owed;
    if (!call)
        return NULL;
    it->owed = NULL;
    if (it->owed_next)
        it->owed_next->owed_prev = it->owed_prev;
    if (it->owed_prev)
        it->owed_prev->owed_next = it->owed_next;
    else
        q->owed = it->owed_next;
    return call;
}

/** With the mutex held: a caller that waits no longer, with its error; NULL: none. */
static jaeger_call *take_late(jg_queue *q, uint64_t now)
{
    if (now < q->owed_look_ns)
        return NULL;
    for (item *it = q->owed; it; it = it->owed_next) {
        jaeger_call *call = it->owed;
        if (call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED))
            (void)jg_fail(&call->error, JAEGER_CANCELLED, "context canceled");
        else if (call->deadline_ns && call->deadline_ns <= now)
            (void)jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "sending takes longer than the deadline");
        else
            continue;
        return jg_queue_later_settle(q, it);
    }
    q->owed_look_ns = now + LOOK_NS;
    return NULL;
}

static void tell(jaeger_call *call, jaeger_status status)
{
    call->later->done(call->later->user, status);
}

/* ---- sending ---- */

static void sent(void *user, jaeger_status status);

/** NULL: out of memory. */
static sending *sending_new(jg_queue *q, item *load)
{
    size_t count = 0;
    for (const item *it = load; it; it = it->next)
        count++;
    sending *s = jg_alloc(sizeof *s + count * sizeof *s->parts);
    if (!s)
        return NULL;
    *s = (sending){.queue = q, .load = load, .later = {sent, s}};
    size_t i = 0;
    uint64_t deadline_ns = load->call.deadline_ns;
    for (item *it = load; it; it = it->next) {
        s->parts[i++] = (jg_load_part){.batch = it->batch, .call = &it->call};
        it->call.later = &s->later;
        bool ends = deadline_ns && it->call.deadline_ns;
        deadline_ns = ends ? JG_MAX(deadline_ns, it->call.deadline_ns) : 0;
    }
    load->call.deadline_ns = deadline_ns; /* what is sent for all, is sent by the call of the first */
    jg_load_begin(&s->run, &q->sender, s->parts, count);
    return s;
}

/** All requests of the load have their status: tell who is owed, free them. */
static void settle(jg_queue *q, item *load)
{
    jaeger_call *owed = NULL;
    for (item *it = load, *next; it; it = next) {
        next = it->next;
        jg_load_count(&q->sender, it->batch, it->status);
        (void)pthread_mutex_lock(&q->queue_mutex);
        owed = jg_queue_later_settle(q, it);
        bool awaited = it->awaited;
        it->done = true;
        if (!q->options.config)
            q->owed_bytes -= it->size;
        if (awaited)
            (void)pthread_cond_broadcast(&q->changed_cond);
        (void)pthread_mutex_unlock(&q->queue_mutex);
        if (awaited)
            continue; /* the waiter frees it */
        if (owed) {
            owed->error = it->call.error;
            tell(owed, it->status);
        } else if (it->status != JAEGER_OK) {
            jg_queue_log_lost(q, jg_batch_items(it->batch), &it->call);
        }
        jg_queue_item_free(it);
    }
}

/** An attempt ended. @return false: the sending waits for its next try, and is not ours any more */
static bool attempted(sending *s, jaeger_call *call, jaeger_status status)
{
    jg_queue *q = s->queue;
    jg_export_span_end(&s->span, call, status);
    jg_queue_note(q, status, &call->error);
    uint64_t ns = jg_load_answer(&s->run, status);
    if (!ns)
        return true;
    (void)pthread_mutex_lock(&q->queue_mutex);
    bool stopping = q->stopping;
    if (!stopping) {
        s->status = status;
        s->due_ns = jg_clock_mono_ns() + ns;
        s->next = q->retries;
        q->retries = s;
        wake_keeper(q, s->due_ns);
    }
    (void)pthread_mutex_unlock(&q->queue_mutex);
    if (stopping)
        jg_load_give_up(&s->run, status);
    return stopping;
}

/** Send until it is over. @return false: it goes on later, and is not ours any more */
static bool go_on(sending *s)
{
    const jg_queue *q = s->queue;
    jaeger_call *call;
    for (jaeger_batch *batch; (batch = jg_load_next(&s->run, &call));) {
        jg_export_span_begin(&s->span, q->options.host, q->options.id, jg_queue_in_flight(q, batch), batch,
                             call);
        jaeger_status status = q->options.send(q->options.user, batch, call);
        if (status == JAEGER_PENDING || !attempted(s, call, status))
            return false;
    }
    size_t i = 0;
    for (item *it = s->load; it; it = it->next)
        it->status = s->parts[i++].status;
    return true;
}

/** With the mutex held: a load that may begin now. */
static item *take_ready(jg_queue *q)
{
    return q->sending < q->sendings_max ? jg_queue_take(q, jg_clock_mono_ns()) : NULL;
}

static void fail_load(item *load)
{
    for (item *it = load; it; it = it->next)
        it->status = jg_fail_oom(&it->call.error);
}

/** Send what was taken, then what is ready, until all of it goes on by itself. Without the mutex. */
static void send_loads(jg_queue *q, sending *s, item *load)
{
    while (s || load) {
        if (!s)
            s = sending_new(q, load);
        if (s && !go_on(s))
            return;
        if (s)
            load = s->load;
        else
            fail_load(load);
        settle(q, load);
        jg_free(s);
        s = NULL;
        (void)pthread_mutex_lock(&q->queue_mutex);
        q->sending--;
        load = take_ready(q);
        if (!load && q->stopping)
            (void)pthread_cond_signal(&q->filled_cond); /* the keeper may end */
        (void)pthread_mutex_unlock(&q->queue_mutex);
    }
}

/** jaeger_later.done of attempts. */
static void sent(void *user, jaeger_status status)
{
    sending *s = user;
    jg_queue *q = s->queue;
    if (attempted(s, s->parts[s->run.at].call, status))
        send_loads(q, s, NULL);
}

void jg_queue_later_put(jg_queue *q)
{
    item *load = take_ready(q);
    if (!load && q->sending < q->sendings_max)
        wake_keeper(q, jg_lanes_due_ns(&q->lanes));
    (void)pthread_mutex_unlock(&q->queue_mutex);
    if (load)
        send_loads(q, NULL, load);
}

jaeger_status jg_queue_later_send(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    item *it = jg_queue_item_new(q, take, call);
    if (!it) {
        jaeger_batch_unref(take);
        return jg_fail_oom(&call->error);
    }
    it->call.deadline_ns = call->deadline_ns;
    jaeger_status status = JAEGER_PENDING;
    (void)pthread_mutex_lock(&q->queue_mutex);
    if (q->stopping) {
        status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "exporter is stopping");
    } else if (it->size > JG_OWED_BYTES_MAX - JG_MIN(q->owed_bytes, JG_OWED_BYTES_MAX)) {
        status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "too much waits already");
        call->error.retry_after_ms = JG_RETRY_AFTER_MS;
    } else if (!jg_lanes_put(&q->lanes, it)) {
        status = jg_fail_oom(&call->error);
    }
    if (status != JAEGER_PENDING) {
        (void)pthread_mutex_unlock(&q->queue_mutex);
        jg_queue_item_free(it);
        return status;
    }
    q->owed_bytes += it->size;
    q->size += it->size;
    jg_queue_later_owe(q, it, call);
    jg_queue_later_put(q);
    return JAEGER_PENDING;
}

/* ---- the keeper ---- */

/** With the mutex held: a retry whose time has come; when stopping, any. */
static sending *take_retry(jg_queue *q, uint64_t now)
{
    for (sending **at = &q->retries; *at; at = &(*at)->next)
        if (q->stopping || (*at)->due_ns <= now) {
            sending *s = *at;
            *at = s->next;
            return s;
        }
    return NULL;
}

static uint64_t next_due(const jg_queue *q, uint64_t now)
{
    uint64_t due = q->owed ? q->owed_look_ns : UINT64_MAX;
    for (const sending *s = q->retries; s; s = s->next)
        due = JG_MIN(due, s->due_ns);
    if (q->sending < q->sendings_max)
        due = JG_MIN(due, jg_lanes_due_ns(&q->lanes));
    /* while loads are under way others gather: look now and then instead of being woken for each */
    if (q->sending && q->lanes.rules.wait_ns)
        due = JG_MIN(due, now + q->lanes.rules.wait_ns);
    return due;
}

/** With the mutex held. */
static void keeper_sleep(jg_queue *q, uint64_t now)
{
    q->keeper_due_ns = next_due(q, now);
    if (q->keeper_due_ns == UINT64_MAX) {
        (void)pthread_cond_wait(&q->filled_cond, &q->queue_mutex);
    } else if (q->keeper_due_ns > now) {
        struct timespec until = jg_cond_after(JG_MIN(q->keeper_due_ns - now, 3600 * JG_NS_PER_S));
        (void)pthread_cond_timedwait(&q->filled_cond, &q->queue_mutex, &until);
    }
    q->keeper_due_ns = 0;
}

/** With the mutex held, which is given up meanwhile. @return false: nothing was to be done */
static bool keeper_work(jg_queue *q, uint64_t now)
{
    jaeger_call *late = take_late(q, now);
    sending *s = late ? NULL : take_retry(q, now);
    item *load = late || s ? NULL : take_ready(q);
    if (!late && !s && !load)
        return false;
    bool stopping = q->stopping;
    (void)pthread_mutex_unlock(&q->queue_mutex);
    if (late)
        tell(late, late->error.status);
    if (s && stopping)
        jg_load_give_up(&s->run, s->status);
    send_loads(q, s, load);
    (void)pthread_mutex_lock(&q->queue_mutex);
    return true;
}

void jg_queue_later_keep(jg_queue *q)
{
    (void)pthread_mutex_lock(&q->queue_mutex);
    while (!q->stopping || q->sending || q->lanes.count) {
        uint64_t now = jg_clock_mono_ns();
        if (!keeper_work(q, now))
            keeper_sleep(q, now);
    }
    q->running--;
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
}
