/* SPDX-License-Identifier: Apache-2.0
 * See watch.h.
 */
#include "query/watch.h"

#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"

#define LOOK_NS (200 * JG_NS_PER_MS) /* whether the client is still there */

void jg_watch_init(jg_watch *watch, unsigned max)
{
    *watch = (jg_watch){.max = max};
    (void)pthread_mutex_init(&watch->watch_mutex, NULL);
    jg_cond_init(&watch->stop);
}

void jg_watch_done(jg_watch *watch)
{
    (void)pthread_cond_destroy(&watch->stop);
    (void)pthread_mutex_destroy(&watch->watch_mutex);
}

jaeger_status jg_watch_enter(jg_watch *watch, jaeger_error *err)
{
    (void)pthread_mutex_lock(&watch->watch_mutex);
    bool ok = !watch->stopping && watch->running < watch->max;
    watch->running += ok;
    (void)pthread_mutex_unlock(&watch->watch_mutex);
    return ok ? JAEGER_OK
              : jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%u pages wait for traces already: ask again",
                        watch->max);
}

void jg_watch_leave(jg_watch *watch)
{
    (void)pthread_mutex_lock(&watch->watch_mutex);
    watch->running--;
    (void)pthread_mutex_unlock(&watch->watch_mutex);
}

bool jg_watch_sleep(jg_watch *watch, uint64_t ns, jaeger_call *call)
{
    bool go_on = jaeger_call_check(call) == JAEGER_OK;
    uint64_t end = jg_clock_mono_ns() + ns;
    (void)pthread_mutex_lock(&watch->watch_mutex);
    for (uint64_t now = jg_clock_mono_ns(); go_on && !watch->stopping && now < end;
         now = jg_clock_mono_ns()) {
        struct timespec until = jg_cond_after(JG_MIN(end - now, LOOK_NS));
        (void)pthread_cond_timedwait(&watch->stop, &watch->watch_mutex, &until);
        go_on = jaeger_call_check(call) == JAEGER_OK;
    }
    go_on = go_on && !watch->stopping;
    (void)pthread_mutex_unlock(&watch->watch_mutex);
    return go_on;
}

void jg_watch_stop(jg_watch *watch)
{
    (void)pthread_mutex_lock(&watch->watch_mutex);
    watch->stopping = true;
    (void)pthread_cond_broadcast(&watch->stop);
    (void)pthread_mutex_unlock(&watch->watch_mutex);
}
