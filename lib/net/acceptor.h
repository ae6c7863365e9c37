/* SPDX-License-Identifier: Apache-2.0
 * Accepts connections of one listening socket on one loop; its owner hands them to the least loaded loop.
 * (SO_REUSEPORT spreads few long-lived connections badly.)
 */
#ifndef JG_NET_ACCEPTOR_H
#define JG_NET_ACCEPTOR_H

#include "net/loop.h"
#include "net/net.h"

typedef struct jg_acceptor {
    jg_loop *loop;
    /** On the loop. `fd` is non-blocking, without Nagle's delay; `peer` is its text. Takes `fd` over. */
    void (*accepted)(struct jg_acceptor *acceptor, int fd, const char *peer);
    jg_watch watch;
    jg_timer pause; /* no descriptors left: wait a little */
} jg_acceptor;

/** @param fd listening; stays the caller's. @return false: the kernel refused */
bool jg_acceptor_start(jg_acceptor *acceptor, int fd) JG_MUST_CHECK;
/** No call of `accepted` begins after the return. Threads: any. Idempotent; accepts a zeroed one. */
void jg_acceptor_stop(jg_acceptor *acceptor);

#endif
