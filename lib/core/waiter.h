/* SPDX-License-Identifier: Apache-2.0
 * A thread that works now and then: it sleeps between its rounds and wakes at once when it shall stop.
 */
#ifndef JG_CORE_WAITER_H
#define JG_CORE_WAITER_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <pthread.h>

typedef struct jg_waiter {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping, running;
    pthread_t thread;
} jg_waiter;

/** Run `work` on a thread. Zeroed before. @return RESOURCE_EXHAUSTED */
jaeger_status jg_waiter_start(jg_waiter *waiter, void *(*work)(void *arg), void *arg,
                              jaeger_error *err) JG_MUST_CHECK;
/** On that thread. @return true: stop */
bool jg_waiter_sleep(jg_waiter *waiter, uint64_t ns) JG_MUST_CHECK;
/** Wake it, join it. Fine when it was not started. */
void jg_waiter_stop(jg_waiter *waiter);

#endif
