/* SPDX-License-Identifier: Apache-2.0
 * Acknowledge through: each request waits for the result of its own spans. While few enough sends are in
 * progress, a request sends at once, on its own thread; else it queues. Whoever ends a send hands its place
 * to the first that waits, and that one takes along all that has gathered. So an idle store sees single
 * requests without delay, a busy one sees large batches, and FLIGHTS_MAX of them side by side, which lets a
 * durable store share its commits.
 */
#include "processors/batch/batch.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "model/batch.h"

#define FLIGHTS_MAX          4u   /* enough to overlap with a commit; more would only make batches smaller */
#define FLIGHT_TICKETS_MAX   256u /* as many requests in one send; workers are fewer (JG_WORKERS_MAX) */
#define FLIGHT_BYTES_MAX     (8u << 20)        /* larger sends gain nothing and delay everyone in them */
#define ABANDONED_TIMEOUT_NS (5 * JG_NS_PER_S) /* for spans whose request has given up waiting */

/* One request. Owned by the queue or flight it is in; the waiter looks at it under state_mutex until it
 * leaves. */
typedef struct jg_batch_ticket {
    struct jg_batch_ticket *next;
    jaeger_batch *batch;
    size_t bytes, spans;
    uint64_t deadline_ns;
    pthread_cond_t wake;
    unsigned refs; /* atomic: who waits, and who will wake it */
    bool waiting;  /* false: the waiter is gone, whoever ends the ticket drops it */
    bool leads;    /* it was handed the place of a flight */
    bool taken;    /* it is in a flight, perhaps another's */
    bool done;
    jaeger_error error; /* status OK: sent */
} ticket;

typedef struct flight {
    ticket *tickets[FLIGHT_TICKETS_MAX];
    size_t count;
    uint64_t deadline_ns;
} flight;

static ticket *ticket_new(jaeger_batch *batch, uint64_t deadline_ns)
{
    ticket *t = jg_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->batch = batch;
    t->bytes = jaeger_batch_bytes(batch);
    t->spans = jg_batch_items(batch);
    t->deadline_ns = deadline_ns ? deadline_ns : jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    t->refs = 1;
    t->waiting = true;
    jg_cond_init(&t->wake);
    return t;
}

static void ticket_unref(ticket *t)
{
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
        return;
    (void)pthread_cond_destroy(&t->wake);
    jg_free(t);
}

static void take_flight(jg_batcher *b, jg_batch_shard *shard, flight *f)
{
    uint64_t now = jg_clock_mono_ns();
    size_t bytes = 0, spans = 0, spans_max = b->config->send_batch_max_size;
    f->count = 0;
    f->deadline_ns = 0;
    while (shard->first && f->count < FLIGHT_TICKETS_MAX) {
        ticket *t = shard->first;
        bool too_much = bytes + t->bytes > FLIGHT_BYTES_MAX || (spans_max && spans + t->spans > spans_max);
        if (f->count && too_much)
            break;
        shard->first = t->next;
        if (!shard->first)
            shard->last = &shard->first;
        bytes += t->bytes;
        spans += t->spans;
        f->tickets[f->count++] = t;
        t->taken = true;
        uint64_t deadline_ns = t->waiting ? t->deadline_ns : now + ABANDONED_TIMEOUT_NS;
        f->deadline_ns = JG_MAX(f->deadline_ns, deadline_ns);
    }
}

/* Each ticket by itself, each with its own result. */
static void send_singly(jg_batcher *b, jg_batch_shard *shard, flight *f, jaeger_arena *arena)
{
    for (size_t i = 0; i < f->count; i++) {
        ticket *t = f->tickets[i];
        t->error.status = jg_batch_send(b, shard, t->batch, f->deadline_ns, arena, &t->error);
        t->batch = NULL;
    }
}

static bool is_for_all(jaeger_status status)
{
    return status == JAEGER_OK || status == JAEGER_UNAVAILABLE || status == JAEGER_DEADLINE_EXCEEDED ||
           status == JAEGER_CANCELLED || status == JAEGER_ABORTED;
}

/* A refusal of the merged batch may be the fault of one member, or of its size: then each is tried alone. */
static void send_flight(jg_batcher *b, jg_batch_shard *shard, flight *f, jaeger_arena *arena)
{
    jaeger_batch *batches[FLIGHT_TICKETS_MAX], *merged;
    jaeger_error err = {0};
    for (size_t i = 0; i < f->count; i++)
        batches[i] = f->tickets[i]->batch;
    if (f->count == 1 || jg_batch_merge(batches, f->count, &merged, &err) != JAEGER_OK) {
        send_singly(b, shard, f, arena);
        return;
    }
    err.status = jg_batch_send(b, shard, merged, f->deadline_ns, arena, &err);
    if (!is_for_all(err.status)) {
        send_singly(b, shard, f, arena);
        return;
    }
    for (size_t i = 0; i < f->count; i++) {
        jaeger_batch_unref(f->tickets[i]->batch);
        f->tickets[i]->batch = NULL;
        f->tickets[i]->error = err;
    }
}

/* With state_mutex held. Leaves the tickets of others who wait, to be woken. */
static void end_flight(jg_batcher *b, flight *f, const ticket *own)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        ticket *t = f->tickets[i];
        b->waiting_bytes -= t->bytes;
        t->done = true;
        if (!t->waiting) {
            ticket_unref(t);
        } else if (t != own) {
            __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
            f->tickets[kept++] = t;
        }
    }
    f->count = kept;
}

/* Without state_mutex: whoever wakes needs it at once, and would only wait again. */
static void wake_all(flight *f)
{
    for (size_t i = 0; i < f->count; i++) {
        (void)pthread_cond_signal(&f->tickets[i]->wake);
        ticket_unref(f->tickets[i]);
    }
}

/* Skips those that were woken to lead and have not run yet: a place is handed to one ticket only. */
static ticket *first_waiting(const jg_batch_shard *shard)
{
    ticket *t = shard->first;
    while (t && (!t->waiting || t->leads))
        t = t->next;
    return t;
}

static bool nobody_waits(const jg_batch_shard *shard)
{
    const ticket *t = shard->first;
    while (t && !t->waiting)
        t = t->next;
    return !t;
}

/* With state_mutex held, which is given up while sending. Sends until `own` is on its way (another may have
 * taken it along already), then hands the place over. What nobody waits for any more is sent here. */
static void lead(jg_batcher *b, jg_batch_shard *shard, const ticket *own, jaeger_arena *arena)
{
    while (!own->taken || (shard->first && nobody_waits(shard))) {
        flight f;
        take_flight(b, shard, &f);
        (void)pthread_mutex_unlock(&b->state_mutex);
        send_flight(b, shard, &f, arena);
        (void)pthread_mutex_lock(&b->state_mutex);
        end_flight(b, &f, own);
        (void)pthread_mutex_unlock(&b->state_mutex);
        wake_all(&f);
        (void)pthread_mutex_lock(&b->state_mutex);
    }
    ticket *heir = first_waiting(shard);
    if (heir) {
        heir->leads = true;
        (void)pthread_cond_signal(&heir->wake);
    } else {
        shard->flights--;
        (void)pthread_cond_broadcast(&b->work);
    }
}

static void enqueue(jg_batcher *b, jg_batch_shard *shard, ticket *t)
{
    b->waiting_bytes += t->bytes;
    *shard->last = t;
    shard->last = &t->next;
}

/* With state_mutex held. @return false: the deadline came first; the ticket is no longer the caller's */
static bool await(jg_batcher *b, jg_batch_shard *shard, ticket *t, jaeger_arena *arena)
{
    if (shard->flights < FLIGHTS_MAX) {
        shard->flights++;
        t->leads = true;
    }
    while (!t->done) {
        if (t->leads) {
            lead(b, shard, t, arena);
            t->leads = false;
        } else if (!jg_batch_wait(b, &t->wake, t->deadline_ns) && !t->done && !t->leads) {
            t->waiting = false;
            return false;
        }
    }
    if (t->leads) /* handed to it after its flight had ended */
        lead(b, shard, t, arena);
    return true;
}

static jaeger_status refuse(jaeger_batch *batch, jaeger_call *call, const char *why)
{
    jaeger_batch_unref(batch);
    (void)jg_fail(&call->error, JAEGER_UNAVAILABLE, "batch: %s", why);
    call->error.retry_after_ms = JG_RETRY_AFTER_MS;
    return JAEGER_UNAVAILABLE;
}

jaeger_status jg_batch_through(jg_batcher *b, jg_batch_shard *shard, jaeger_batch *take, jaeger_call *call)
{
    ticket *t = ticket_new(take, call->deadline_ns);
    if (!t) {
        jaeger_batch_unref(take);
        return jg_fail_oom(&call->error);
    }
    (void)pthread_mutex_lock(&b->state_mutex);
    const char *why = b->stopping                                                ? "shutting down"
                      : t->bytes > JG_BATCH_WAITING_BYTES_MAX - b->waiting_bytes ? "too much waits already"
                                                                                 : NULL;
    bool answered = false;
    if (!why) {
        enqueue(b, shard, t);
        answered = await(b, shard, t, call->arena);
    }
    (void)pthread_mutex_unlock(&b->state_mutex);
    if (!why && !answered)
        return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED,
                       "batch: deadline exceeded; the spans are still queued");
    jaeger_error result = t->error;
    ticket_unref(t);
    if (why)
        return refuse(take, call, why);
    if (result.status != JAEGER_OK)
        call->error = result;
    return result.status;
}

void jg_batch_through_stop(jg_batcher *b, uint64_t deadline_ns)
{
    for (jg_batch_shard *shard = b->shards; shard; shard = shard->next)
        while (shard->flights && jg_batch_wait(b, &b->work, deadline_ns))
            ;
}
