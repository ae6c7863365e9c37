/* SPDX-License-Identifier: Apache-2.0
 * See sigpipe.h.
 */
#include "net/sigpipe.h"

#include <pthread.h>
#include <time.h>

void jg_sigpipe_hold(jg_sigpipe *ret)
{
    sigset_t pipe_only, pending;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    ret->was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &ret->before);
}

void jg_sigpipe_release(const jg_sigpipe *held)
{
    sigset_t pipe_only;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    if (!held->was_pending)
        (void)sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
    (void)pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
