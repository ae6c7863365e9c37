/* SPDX-License-Identifier: Apache-2.0
 * How many searches run at once. The others wait, with their call's deadline, so that many clients slow
 * each other down and not the rest of the process, and memory is bounded by what a few searches need.
 */
#ifndef JG_QUERY_GATE_H
#define JG_QUERY_GATE_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <pthread.h>

typedef struct jg_gate {
    pthread_mutex_t gate_mutex; /* guards what follows */
    pthread_cond_t next;
    unsigned running, max;
} jg_gate;

/** A place in the gate, held from the search's start until its first result, or its end. */
typedef struct jg_gate_pass {
    jg_gate *gate; /* NULL: not held */
} jg_gate_pass;

/** @param max 0: one for each processor, two at least */
void jg_gate_init(jg_gate *gate, unsigned max);
void jg_gate_done(jg_gate *gate);
/** Wait for a place. @return DEADLINE_EXCEEDED; CANCELLED: the client went away */
jaeger_status jg_gate_enter(jg_gate *gate, jg_gate_pass *ret, jaeger_call *call) JG_MUST_CHECK;
/** Once or more. */
void jg_gate_leave(jg_gate_pass *pass);

#endif
