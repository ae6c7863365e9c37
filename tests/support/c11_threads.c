/* SPDX-License-Identifier: Apache-2.0
 * C11 threads made of POSIX threads, for ThreadSanitizer builds: librdkafka uses the former, and gcc 12's
 * sanitizer knows only the latter. A thread that it did not see being made crashes in it, and what a mutex
 * that it does not see protects looks like a race.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <threads.h>

#pragma GCC visibility push(default) /* librdkafka shall find them here */

/** What the library hands over or frees by counts and read-write locks of its own, unseen, is no race. Our
 * callbacks still count. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so\n"
           "race:mtx_lock\n";
}

static int result(int fault)
{
    return fault == 0           ? thrd_success
           : fault == ETIMEDOUT ? thrd_timedout
           : fault == EBUSY     ? thrd_busy
           : fault == ENOMEM    ? thrd_nomem
                                : thrd_error;
}

/* glibc's types are those of POSIX threads in other words: the sizes are checked. */
_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t) &&
                   sizeof(thrd_t) == sizeof(pthread_t),
               "C11 threads are POSIX threads");

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    /* the result is an int instead of a pointer: both come back in the same register */
    return result(pthread_create(thread, NULL, (void *(*)(void *))(uintptr_t)run, arg));
}

int thrd_join(thrd_t thread, int *ret)
{
    void *value = NULL;
    int fault = pthread_join(thread, &value);
    if (ret)
        *ret = (int)(intptr_t)value;
    return result(fault);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attr;
    (void)pthread_mutexattr_init(&attr);
    if (type & mtx_recursive)
        (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    int fault = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    return result(fault);
}

void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int mtx_lock(mtx_t *mutex)
{
    return result(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
    return result(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *cond)
{
    return result(pthread_cond_init((pthread_cond_t *)cond, NULL));
}

void cnd_destroy(cnd_t *cond)
{
    (void)pthread_cond_destroy((pthread_cond_t *)cond);
}

int cnd_signal(cnd_t *cond)
{
    return result(pthread_cond_signal((pthread_cond_t *)cond));
}

int cnd_broadcast(cnd_t *cond)
{
    return result(pthread_cond_broadcast((pthread_cond_t *)cond));
}

int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return result(pthread_cond_wait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    return result(pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until));
}
