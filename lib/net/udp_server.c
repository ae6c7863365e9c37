/* SPDX-License-Identifier: Apache-2.0
 * See udp_server.h. recvmmsg takes up to 32 datagrams a call; the kernel counts what it had to drop
 * (SO_RXQ_OVFL).
 */
#include "net/udp_server.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/limits.h"
#include "net/loop.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH       32
#define BATCHES_MAX 8 /* of one round, then others have their turn */

struct jg_udp_server {
    jg_loop *loop;
    jg_watch watch;
    jg_udp_server_options options;
    size_t slot_bytes, buffer_bytes;
    uint8_t *slots; /* BATCH of slot_bytes */
    struct mmsghdr headers[BATCH];
    struct iovec pieces[BATCH];
    _Alignas(struct cmsghdr) char controls[BATCH][CMSG_SPACE(sizeof(uint32_t))];
    jg_udp_server_stats stats; /* atomic */
    bool watched;
};

static void count(uint64_t *counter)
{
    (void)__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void take_drops(jg_udp_server *server, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops;
            memcpy(&drops, CMSG_DATA(c), sizeof drops);
            __atomic_store_n(&server->stats.dropped_by_kernel, drops, __ATOMIC_RELAXED);
        }
}

static void take_one(jg_udp_server *server, int i)
{
    struct msghdr *header = &server->headers[i].msg_hdr;
    take_drops(server, header);
    if (header->msg_flags & MSG_TRUNC) {
        count(&server->stats.too_long);
        return;
    }
    count(&server->stats.received);
    server->options.receive(server->options.self,
                            (jaeger_str){server->pieces[i].iov_base, server->headers[i].msg_len});
}

/** @return true: there may be more */
static bool take_batch(jg_udp_server *server)
{
    for (int i = 0; i < BATCH; i++) {
        struct msghdr *header = &server->headers[i].msg_hdr;
        header->msg_control = server->controls[i];
        header->msg_controllen = sizeof server->controls[i];
        header->msg_flags = 0;
    }
    int n = recvmmsg(server->watch.fd, server->headers, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        take_one(server, i);
    return n == BATCH;
}

static void ready(jg_watch *watch, uint32_t events)
{
    (void)events;
    jg_udp_server *server = JG_CONTAINER(watch, jg_udp_server, watch);
    for (int i = 0; i < BATCHES_MAX && take_batch(server); i++)
        ;
}

static void begin(void *arg)
{
    jg_udp_server *server = arg;
    server->watched = jg_loop_watch(server->loop, &server->watch, EPOLLIN);
}

static void end(void *arg)
{
    jg_udp_server *server = arg;
    if (server->watched)
        ready(&server->watch, 0);
    jg_loop_unwatch(server->loop, &server->watch);
}

static void set_buffer(jg_udp_server *server)
{
    int fd = server->watch.fd, on = 1, granted = 0;
    size_t asked =
        server->options.receive_buffer_bytes ? server->options.receive_buffer_bytes : JG_UDP_BUFFER_BYTES;
    int bytes = (int)JG_MIN(asked, 1u << 30);
    socklen_t size = sizeof granted;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes)) /* beyond rmem_max, if we may */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (!getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size))
        server->buffer_bytes = (size_t)granted / 2; /* the kernel doubles it for its own needs */
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

static void server_free(jg_udp_server *server)
{
    if (server->watch.fd >= 0)
        (void)close(server->watch.fd);
    jg_free(server->slots);
    jg_free(server);
}

static jaeger_status server_open(jg_udp_server *server, jg_net *net, jaeger_error *err)
{
    server->slots = jg_alloc(BATCH * server->slot_bytes);
    if (!server->slots)
        return jg_fail_oom(err);
    for (int i = 0; i < BATCH; i++) {
        server->pieces[i] =
            (struct iovec){server->slots + (size_t)i * server->slot_bytes, server->slot_bytes};
        server->headers[i].msg_hdr.msg_iov = &server->pieces[i];
        server->headers[i].msg_hdr.msg_iovlen = 1;
    }
    JG_TRY(jg_net_bind_udp(server->options.endpoint, &server->watch.fd, err));
    set_buffer(server);
    server->loop = jg_net_loop(net);
    if (server->loop)
        jg_loop_sync(server->loop, begin, server);
    if (!server->watched)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "I/O threads could not be started");
    (void)jg_loop_load(server->loop, 1);
    return JAEGER_OK;
}

jaeger_status jg_udp_server_start(jg_net *net, const jg_udp_server_options *options, jg_udp_server **ret,
                                  jaeger_error *err)
{
    jg_udp_server *server = jg_calloc(1, sizeof *server);
    if (!server)
        return jg_fail_oom(err);
    server->options = *options;
    server->slot_bytes =
        options->datagram_bytes_max ? options->datagram_bytes_max : JG_UDP_DATAGRAM_BYTES_MAX;
    server->watch = (jg_watch){.ready = ready, .fd = -1};
    jaeger_status status = server_open(server, net, err);
    if (status == JAEGER_OK)
        *ret = server;
    else
        server_free(server);
    return status;
}

void jg_udp_server_stop(jg_udp_server *server)
{
    if (!server)
        return;
    jg_loop_sync(server->loop, end, server);
    (void)jg_loop_load(server->loop, -1);
    server_free(server);
}

uint16_t jg_udp_server_port(const jg_udp_server *server)
{
    return jg_net_port(server->watch.fd);
}

size_t jg_udp_server_buffer_bytes(const jg_udp_server *server)
{
    return server->buffer_bytes;
}

jg_udp_server_stats jg_udp_server_stats_of(const jg_udp_server *server)
{
    return (jg_udp_server_stats){__atomic_load_n(&server->stats.received, __ATOMIC_RELAXED),
                                 __atomic_load_n(&server->stats.too_long, __ATOMIC_RELAXED),
                                 __atomic_load_n(&server->stats.dropped_by_kernel, __ATOMIC_RELAXED)};
}
