/* SPDX-License-Identifier: Apache-2.0
 * See waiter.h.
 */
#include "core/waiter.h"
#include "core/cond.h"

#include "core/clock.h"
#include "core/err.h"
#include <time.h>

#define SLEEP_NS_MAX (24 * 3600 * JG_NS_PER_S) /* keeps the sum of times in range; longer sleeps go on */

jaeger_status jg_waiter_start(jg_waiter *waiter, void *(*work)(void *arg), void *arg, jaeger_error *err)
{
    *waiter = (jg_waiter){0};
    (void)pthread_mutex_init(&waiter->mutex, NULL);
    jg_cond_init(&waiter->wake);
    waiter->running = pthread_create(&waiter->thread, NULL, work, arg) == 0;
    if (waiter->running)
        return JAEGER_OK;
    (void)pthread_cond_destroy(&waiter->wake);
    (void)pthread_mutex_destroy(&waiter->mutex);
    return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start a thread");
}

static bool sleep_once(jg_waiter *waiter, uint64_t ns)
{
    struct timespec until = jg_cond_after(ns);
    (void)pthread_mutex_lock(&waiter->mutex);
    while (!waiter->stopping && pthread_cond_timedwait(&waiter->wake, &waiter->mutex, &until) == 0)
        ;
    bool stopping = waiter->stopping;
    (void)pthread_mutex_unlock(&waiter->mutex);
    return stopping;
}

bool jg_waiter_sleep(jg_waiter *waiter, uint64_t ns)
{
    for (; ns > SLEEP_NS_MAX; ns -= SLEEP_NS_MAX)
        if (sleep_once(waiter, SLEEP_NS_MAX))
            return true;
    return sleep_once(waiter, ns);
}

void jg_waiter_stop(jg_waiter *waiter)
{
    if (!waiter->running)
        return;
    (void)pthread_mutex_lock(&waiter->mutex);
    waiter->stopping = true;
    (void)pthread_cond_signal(&waiter->wake);
    (void)pthread_mutex_unlock(&waiter->mutex);
    (void)pthread_join(waiter->thread, NULL);
    (void)pthread_cond_destroy(&waiter->wake);
    (void)pthread_mutex_destroy(&waiter->mutex);
    waiter->running = false;
}
