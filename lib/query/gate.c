/* SPDX-License-Identifier: Apache-2.0
 * See gate.h.
 */
#include "query/gate.h"

#include "core/clock.h"
#include "core/cond.h"
#include <time.h>
#include <unistd.h>

#define LOOK_NS (50 * JG_NS_PER_MS) /* whether the client is still there */

void jg_gate_init(jg_gate *gate, unsigned max)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *gate = (jg_gate){.max = max ? max : (unsigned)JG_MAX(2, cores)};
    (void)pthread_mutex_init(&gate->gate_mutex, NULL);
    jg_cond_init(&gate->next);
}

void jg_gate_done(jg_gate *gate)
{
    (void)pthread_cond_destroy(&gate->next);
    (void)pthread_mutex_destroy(&gate->gate_mutex);
}

jaeger_status jg_gate_enter(jg_gate *gate, jg_gate_pass *ret, jaeger_call *call)
{
    jaeger_status status = jaeger_call_check(call);
    ret->gate = NULL;
    (void)pthread_mutex_lock(&gate->gate_mutex);
    while (status == JAEGER_OK && gate->running >= gate->max) {
        struct timespec until = jg_cond_after(LOOK_NS);
        (void)pthread_cond_timedwait(&gate->next, &gate->gate_mutex, &until);
        status = jaeger_call_check(call);
    }
    if (status == JAEGER_OK) {
        gate->running++;
        ret->gate = gate;
    }
    (void)pthread_mutex_unlock(&gate->gate_mutex);
    return status;
}

void jg_gate_leave(jg_gate_pass *pass)
{
    jg_gate *gate = pass->gate;
    if (!gate)
        return;
    pass->gate = NULL;
    (void)pthread_mutex_lock(&gate->gate_mutex);
    gate->running--;
    (void)pthread_cond_signal(&gate->next);
    (void)pthread_mutex_unlock(&gate->gate_mutex);
}
