/* SPDX-License-Identifier: Apache-2.0
 * See acceptor.h.
 */
#include "net/acceptor.h"

#include "core/clock.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPTS_MAX 64 /* of one round */
#define PAUSE_NS    (50 * JG_NS_PER_MS)

static void ready(jg_watch *watch, uint32_t events)
{
    (void)events;
    jg_acceptor *acceptor = JG_CONTAINER(watch, jg_acceptor, watch);
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        int fd = accept4(watch->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;
        if (fd >= 0) {
            char peer[JG_PEER_BYTES];
            jg_net_peer_text((struct sockaddr *)&address, peer);
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails for unix sockets */
            acceptor->accepted(acceptor, fd, peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            jg_loop_unwatch(acceptor->loop, watch);
            jg_loop_timer_set(acceptor->loop, &acceptor->pause, jg_loop_now_ns(acceptor->loop) + PAUSE_NS);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void resume(jg_timer *timer)
{
    jg_acceptor *acceptor = JG_CONTAINER(timer, jg_acceptor, pause);
    if (!jg_loop_watch(acceptor->loop, &acceptor->watch, EPOLLIN))
        jg_loop_timer_set(acceptor->loop, timer, jg_loop_now_ns(acceptor->loop) + PAUSE_NS);
}

static void begin(void *arg)
{
    resume(&((jg_acceptor *)arg)->pause);
}

bool jg_acceptor_start(jg_acceptor *acceptor, int fd)
{
    acceptor->watch = (jg_watch){.ready = ready, .fd = fd};
    acceptor->pause.fire = resume;
    jg_loop_sync(acceptor->loop, begin, acceptor);
    if (acceptor->watch.events)
        return true;
    jg_acceptor_stop(acceptor);
    return false;
}

static void finish(void *arg)
{
    jg_acceptor *acceptor = arg;
    jg_loop_unwatch(acceptor->loop, &acceptor->watch);
    jg_loop_timer_clear(acceptor->loop, &acceptor->pause);
}

void jg_acceptor_stop(jg_acceptor *acceptor)
{
    if (acceptor->loop)
        jg_loop_sync(acceptor->loop, finish, acceptor);
}
