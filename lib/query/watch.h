/* SPDX-License-Identifier: Apache-2.0
 * Who waits for a trace to grow. Each holds a worker for as long as it waits, so there are few of them, and
 * all end at once when the server stops.
 */
#ifndef JG_QUERY_WATCH_H
#define JG_QUERY_WATCH_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <pthread.h>

typedef struct jg_watch {
    pthread_mutex_t watch_mutex; /* guards what follows */
    pthread_cond_t stop;
    unsigned running, max;
    bool stopping;
} jg_watch;

void jg_watch_init(jg_watch *watch, unsigned max);
/** Nobody is in it. */
void jg_watch_done(jg_watch *watch);
/** @return RESOURCE_EXHAUSTED: so many wait already, or it stops */
jaeger_status jg_watch_enter(jg_watch *watch, jaeger_error *err) JG_MUST_CHECK;
void jg_watch_leave(jg_watch *watch);
/** Sleep. @return false: do not go on, as it stops, the client went away or the call's deadline has come */
bool jg_watch_sleep(jg_watch *watch, uint64_t ns, jaeger_call *call) JG_MUST_CHECK;
/** Wake everybody, let nobody in. */
void jg_watch_stop(jg_watch *watch);

#endif
