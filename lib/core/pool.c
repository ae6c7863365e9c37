/* SPDX-License-Identifier: Apache-2.0
 * One queue, one mutex. At most one worker is on its way up (woken or being started) at any time: when it
 * takes its job and finds more, it calls the next. So short jobs are run by the few workers that are awake,
 * without a wake-up for each, while jobs that block bring up as many workers as there are jobs.
 */
#include "core/pool.h"

#include "core/alloc.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES (512u << 10) /* virtual; straight-line handlers touch a few pages of it */

struct jg_pool {
    pthread_mutex_t queue_mutex;
    pthread_cond_t work;
    jg_job *first, **last;
    unsigned jobs, jobs_max;
    unsigned idle, count, threads_max;
    bool rising; /* a worker was called and has not taken a job yet */
    bool stopping;
    int nice;
    char name[16];
    pthread_t threads[];
};

static void call_worker(jg_pool *pool);

static void *worker(void *arg)
{
    jg_pool *pool = arg;
    if (pool->nice) { /* Linux has a niceness for each thread */
        id_t self = (id_t)syscall(SYS_gettid);
        (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + pool->nice);
    }
    (void)pthread_mutex_lock(&pool->queue_mutex);
    pool->rising = false;
    for (;;) {
        while (!pool->first && !pool->stopping) {
            pool->idle++;
            (void)pthread_cond_wait(&pool->work, &pool->queue_mutex);
            pool->idle--;
            pool->rising = false;
        }
        jg_job *job = pool->first;
        if (!job)
            break;
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->jobs--;
        if (pool->first)
            call_worker(pool);
        (void)pthread_mutex_unlock(&pool->queue_mutex);
        job->run(job);
        (void)pthread_mutex_lock(&pool->queue_mutex);
    }
    (void)pthread_mutex_unlock(&pool->queue_mutex);
    return NULL;
}

jg_pool *jg_pool_new(const char *thread_name, unsigned threads_max, unsigned jobs_max, int nice)
{
    jg_pool *pool = jg_calloc(1, sizeof *pool + threads_max * sizeof(pthread_t));
    if (!pool)
        return NULL;
    (void)pthread_mutex_init(&pool->queue_mutex, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    pool->last = &pool->first;
    pool->threads_max = threads_max;
    pool->jobs_max = jobs_max;
    pool->nice = nice;
    (void)snprintf(pool->name, sizeof pool->name, "%s", thread_name);
    return pool;
}

/** With the mutex held. @return false: no thread could be started */
static bool start_worker(jg_pool *pool)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr))
        return false;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool started = pthread_create(&pool->threads[pool->count], &attr, worker, pool) == 0;
    (void)pthread_attr_destroy(&attr);
    if (started)
        (void)pthread_setname_np(pool->threads[pool->count++], pool->name);
    return started;
}

/** With the mutex held: wake an idle worker or start one, unless one is on its way. */
static void call_worker(jg_pool *pool)
{
    if (pool->rising || pool->stopping)
        return;
    if (pool->idle) {
        pool->rising = true;
        (void)pthread_cond_signal(&pool->work);
    } else if (pool->count < pool->threads_max) {
        pool->rising = start_worker(pool);
    }
}

jaeger_status jg_pool_submit(jg_pool *pool, jg_job *job)
{
    jaeger_status status = JAEGER_UNAVAILABLE;
    (void)pthread_mutex_lock(&pool->queue_mutex);
    if (!pool->stopping && pool->jobs < pool->jobs_max) {
        call_worker(pool);
        if (pool->count) { /* else not one thread could be started */
            job->next = NULL;
            *pool->last = job;
            pool->last = &job->next;
            pool->jobs++;
            status = JAEGER_OK;
        }
    }
    (void)pthread_mutex_unlock(&pool->queue_mutex);
    return status;
}

void jg_pool_free(jg_pool *pool)
{
    if (!pool)
        return;
    (void)pthread_mutex_lock(&pool->queue_mutex);
    pool->stopping = true;
    (void)pthread_mutex_unlock(&pool->queue_mutex);
    (void)pthread_cond_broadcast(&pool->work);
    for (unsigned i = 0; i < pool->count; i++)
        (void)pthread_join(pool->threads[i], NULL);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->queue_mutex);
    jg_free(pool);
}
