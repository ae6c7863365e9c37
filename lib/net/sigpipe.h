/* SPDX-License-Identifier: Apache-2.0
 * Hold SIGPIPE back while OpenSSL writes (it does not use MSG_NOSIGNAL): the thread may be the embedder's,
 * and a library installs no signal handlers.
 */
#ifndef JG_NET_SIGPIPE_H
#define JG_NET_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct jg_sigpipe {
    sigset_t before;
    bool was_pending;
} jg_sigpipe;

/** Of the calling thread. */
void jg_sigpipe_hold(jg_sigpipe *ret);
/** Forget one that came meanwhile. */
void jg_sigpipe_release(const jg_sigpipe *held);

#endif
