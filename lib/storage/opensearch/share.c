/* SPDX-License-Identifier: Apache-2.0
 * See share.h. A ticket that has been taken is waited for beyond its deadline, until its flight ends: the
 * flight's own deadline is the latest of its tickets.
 */
#include "storage/opensearch/share.h"

#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/str.h"

#define LOOK_NS (200 * JG_NS_PER_MS) /* how long a caller that is cancelled may still wait */

void jg_os_share_init(jg_os_share *s)
{
    s->first = NULL;
    s->last = &s->first;
    s->flights = 0;
    (void)pthread_mutex_init(&s->queue_mutex, NULL);
}

void jg_os_share_done(jg_os_share *s)
{
    (void)pthread_mutex_destroy(&s->queue_mutex);
}

/* ---- the queue; with queue_mutex held ---- */

static void unlink_at(jg_os_share *s, jg_os_ticket **at)
{
    jg_os_ticket *t = *at;
    *at = t->next;
    if (s->last == &t->next)
        s->last = at;
    t->next = NULL;
}

/** The first, and those behind it that the same token writes, as far as they fit. */
static jg_os_ticket *take(jg_os_share *s)
{
    jg_os_ticket *list = s->first, **end = &list->next;
    uint64_t bytes = list->bytes;
    size_t count = 1;
    unlink_at(s, &s->first);
    list->taken = true;
    for (jg_os_ticket **at = &s->first; *at && count < JG_OS_FLIGHT_TICKETS;) {
        jg_os_ticket *t = *at;
        if (bytes + t->bytes > s->bytes_max || !jg_str_eq(t->call->bearer_token, list->call->bearer_token)) {
            at = &t->next;
            continue;
        }
        bytes += t->bytes;
        count++;
        unlink_at(s, at);
        t->taken = true;
        *end = t;
        end = &t->next;
    }
    return list;
}

static void wake_next(jg_os_share *s)
{
    if (s->first && s->flights < s->flights_max)
        (void)pthread_cond_signal(&s->first->wake);
}

/** Gives the mutex up while it flies. */
static void lead(jg_os_share *s, const jg_os_ticket *own)
{
    jg_os_ticket *list = take(s), *next;
    s->flights++;
    wake_next(s);
    (void)pthread_mutex_unlock(&s->queue_mutex);
    s->fly(s->self, list);
    (void)pthread_mutex_lock(&s->queue_mutex);
    s->flights--;
    for (; list; list = next) { /* none returns before the mutex is free */
        next = list->next;
        list->done = true;
        if (list != own)
            (void)pthread_cond_signal(&list->wake);
    }
    wake_next(s);
}

/** @return OK: look again */
static jaeger_status wait_turn(jg_os_share *s, jg_os_ticket *own)
{
    if (own->taken) {
        (void)pthread_cond_wait(&own->wake, &s->queue_mutex);
        return JAEGER_OK;
    }
    struct timespec until = jg_cond_after(LOOK_NS);
    (void)pthread_cond_timedwait(&own->wake, &s->queue_mutex, &until);
    jaeger_call call = *own->call;
    jaeger_status status = own->taken ? JAEGER_OK : jaeger_call_check(&call);
    if (status != JAEGER_OK) {
        jg_os_ticket **at = &s->first;
        while (*at != own)
            at = &(*at)->next;
        unlink_at(s, at);
        own->error = call.error;
        wake_next(s); /* the place may have been offered to this one */
    }
    return status;
}

jaeger_status jg_os_share_write(jg_os_share *s, jg_os_ticket *own)
{
    jaeger_status status = JAEGER_OK;
    jg_cond_init(&own->wake);
    (void)pthread_mutex_lock(&s->queue_mutex);
    *s->last = own;
    s->last = &own->next;
    while (status == JAEGER_OK && !own->done) {
        if (!own->taken && s->flights < s->flights_max)
            lead(s, own);
        else
            status = wait_turn(s, own);
    }
    (void)pthread_mutex_unlock(&s->queue_mutex);
    (void)pthread_cond_destroy(&own->wake);
    return own->done ? own->status : status;
}
