/* SPDX-License-Identifier: Apache-2.0
 * Workers: threads that run jobs which may block. Bounded twice: threads, and jobs that wait. Threads are
 * started as they are needed and stay.
 */
#ifndef JG_CORE_POOL_H
#define JG_CORE_POOL_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_pool jg_pool;

/** A job is embedded in the object it works on; it must stay until `run` was called. */
typedef struct jg_job {
    void (*run)(struct jg_job *job); /* on a worker */
    struct jg_job *next;
} jg_job;

/** @param nice added to the process' niceness for its threads: others go first when processors are short
 *  @return NULL when out of memory */
jg_pool *jg_pool_new(const char *thread_name, unsigned threads_max, unsigned jobs_max, int nice);
/** Queue a job. Never blocks. @return UNAVAILABLE: the queue is full or the pool stops (the job is not taken)
 */
jaeger_status jg_pool_submit(jg_pool *pool, jg_job *job) JG_MUST_CHECK;
/** Run all that was taken, join the threads, free. Accepts NULL. Not from a worker. */
void jg_pool_free(jg_pool *pool);

#endif
