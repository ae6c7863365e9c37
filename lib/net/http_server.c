/* SPDX-License-Identifier: Apache-2.0
 * See http_server.h. Starting, accepting, stopping; the rest is in http_conn.c (loops), http_exchange.c and
 * http_reply.c (workers). One loop accepts and hands each connection to the loop with the fewest.
 * A stopped server takes no more connections, closes idle ones, and waits for running requests.
 */
#include "net/http_server.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "net/http_impl.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_MAX 64 /* in one round: others want to run too */

/* ---- accepting
 * -------------------------------------------------------------------------------------------------- */

typedef struct accepted {
    jg_http_mail mail;
    jg_http_server *server;
    jg_http_loop *loop;
    int fd;
    char peer[JG_PEER_BYTES];
} accepted;

static void on_handed_over(jg_http_mail *mail)
{
    accepted *a = JG_CONTAINER(mail, accepted, mail);
    jg_http_conn_open(a->server, a->loop, a->fd, a->peer);
    jg_free(a);
}

void jg_http_server_conn_gone(jg_http_server *server)
{
    (void)pthread_mutex_lock(&server->live_mutex);
    if (--server->conn_count == 0)
        (void)pthread_cond_broadcast(&server->live_cond);
    (void)pthread_mutex_unlock(&server->live_mutex);
}

/** @return false: at the limit */
static bool count_conn(jg_http_server *server)
{
    (void)pthread_mutex_lock(&server->live_mutex);
    bool room = server->conn_count < JG_HTTP_CONNS_MAX;
    if (room)
        server->conn_count++;
    (void)pthread_mutex_unlock(&server->live_mutex);
    __atomic_store_n(&server->crowded, !room, __ATOMIC_RELAXED);
    return room;
}

static void hand_over(jg_http_server *server, int fd, const struct sockaddr *address)
{
    jg_http_loop *loop = jg_http_loops_least(server->loops);
    char peer[JG_PEER_BYTES];
    jg_net_peer_text(address, peer);
    if (loop == server->accept_loop) {
        jg_http_conn_open(server, loop, fd, peer);
        return;
    }
    accepted *a = jg_calloc(1, sizeof *a);
    if (!a) {
        (void)close(fd);
        jg_http_server_conn_gone(server);
        return;
    }
    a->mail.run = on_handed_over;
    a->server = server;
    a->loop = loop;
    a->fd = fd;
    memcpy(a->peer, peer, sizeof a->peer);
    jg_http_post(loop, &a->mail);
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    jg_http_server *server = sock->data;
    (void)err;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        bool room = count_conn(server);
        int fd = room ? accept4(h2o_socket_get_fd(sock), (struct sockaddr *)&address, &len,
                                SOCK_NONBLOCK | SOCK_CLOEXEC)
                      : -1;
        if (fd >= 0) {
            hand_over(server, fd, (struct sockaddr *)&address);
            continue;
        }
        int why = errno;
        if (room)
            jg_http_server_conn_gone(server);
        if (!room || (why != EAGAIN && why != EINTR && why != ECONNABORTED)) {
            server->listener.paused = true;
            h2o_socket_read_stop(sock);
        }
        return;
    }
}

void jg_http_listeners_tick(jg_http_loop *loop)
{
    for (jg_http_listener *listener = loop->listeners; listener; listener = listener->next)
        if (listener->paused) {
            listener->paused = false;
            h2o_socket_read_start(listener->sock, on_accept);
        }
}

/* ---- starting
 * --------------------------------------------------------------------------------------------------- */

typedef struct listen_args {
    jg_http_server *server;
    int fd;
} listen_args;

static void open_listener(jg_http_loop *loop, void *arg)
{
    const listen_args *args = arg;
    jg_http_listener *listener = &args->server->listener;
    listener->sock = h2o_evloop_socket_create(loop->events, args->fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->sock->data = args->server;
    listener->next = loop->listeners;
    loop->listeners = listener;
    h2o_socket_read_start(listener->sock, on_accept);
}

static void close_listener(jg_http_loop *loop, void *arg)
{
    jg_http_server *server = arg;
    jg_http_listener **at = &loop->listeners;
    while (*at && *at != &server->listener)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = server->listener.next;
    jg_net_unlisten(dup(h2o_socket_get_fd(server->listener.sock))); /* h2o closes the descriptor itself */
    h2o_socket_close(server->listener.sock);
    server->listener.sock = NULL;
}

static void free_server(jg_http_server *server)
{
    if (!server)
        return;
    jg_tls_free(server->tls);
    (void)pthread_cond_destroy(&server->live_cond);
    (void)pthread_mutex_destroy(&server->live_mutex);
    jg_free(server);
}

static jg_http_server *new_server(jg_net *net, const jg_http_server_options *options)
{
    jg_http_server *server = jg_calloc(1, sizeof *server);
    if (!server)
        return NULL;
    jg_cond_init(&server->live_cond);
    (void)pthread_mutex_init(&server->live_mutex, NULL);
    server->net = net;
    server->options = *options;
    uint64_t max = options->settings->max_request_body_bytes;
    server->body_bytes_max = max ? (size_t)max : JG_HTTP_BODY_BYTES_MAX;
    return server;
}

jaeger_status jg_http_server_start(jg_net *net, const jg_http_server_options *options, jg_http_server **ret,
                                   jaeger_error *err)
{
    const jg_http_server_settings *settings = options->settings;
    jg_http_server *server = new_server(net, options);
    if (!server)
        return jg_fail_oom(err);
    jaeger_status status = JAEGER_OK;
    listen_args args = {server, -1};
    if (settings->tls.enabled)
        status = jg_tls_new(&settings->tls, true, "http/1.1", jg_net_log(net), &server->tls, err);
    if (status == JAEGER_OK)
        status = jg_net_http_loops(net, &server->loops, err);
    if (status == JAEGER_OK)
        status = jg_net_listen_as(settings->transport, settings->endpoint, &args.fd, err);
    if (status != JAEGER_OK) {
        free_server(server);
        return status;
    }
    server->port = jg_net_port(args.fd);
    server->accept_loop = jg_http_loops_least(server->loops);
    jg_http_call(server->accept_loop, open_listener, &args);
    *ret = server;
    return JAEGER_OK;
}

uint16_t jg_http_server_port(const jg_http_server *server)
{
    return server->port;
}

/* ---- stopping
 * --------------------------------------------------------------------------------------------------- */

static void close_idle(jg_http_loop *loop, void *arg)
{
    jg_http_conns_close(loop, arg, false);
}

static void close_all(jg_http_loop *loop, void *arg)
{
    jg_http_conns_close(loop, arg, true);
}

static void on_all_loops(jg_http_server *server, void (*fn)(jg_http_loop *loop, void *arg))
{
    for (unsigned i = 0; i < server->loops->count; i++)
        jg_http_call(&server->loops->loops[i], fn, server);
}

/** @return false: connections are left at the deadline */
static bool wait_for_conns(jg_http_server *server, uint64_t deadline_ns)
{
    struct timespec until = {(time_t)(deadline_ns / JG_NS_PER_S), (long)(deadline_ns % JG_NS_PER_S)};
    int late = 0;
    (void)pthread_mutex_lock(&server->live_mutex);
    while (server->conn_count && !late)
        late = pthread_cond_timedwait(&server->live_cond, &server->live_mutex, &until);
    bool gone = server->conn_count == 0;
    (void)pthread_mutex_unlock(&server->live_mutex);
    return gone;
}

void jg_http_server_stop(jg_http_server *server, uint64_t deadline_ns)
{
    if (!server)
        return;
    __atomic_store_n(&server->stopping, 1, __ATOMIC_RELAXED);
    jg_http_call(server->accept_loop, close_listener, server);
    on_all_loops(server, close_idle);
    bool gone = wait_for_conns(server, deadline_ns);
    while (!gone) {
        on_all_loops(server, close_all);
        gone = wait_for_conns(server, jg_clock_mono_ns() + 100 * JG_NS_PER_MS);
    }
    /* handlers see the cancelled flag and their deadline; they use this server's memory until they return */
    (void)pthread_mutex_lock(&server->live_mutex);
    while (server->exchange_count)
        (void)pthread_cond_wait(&server->live_cond, &server->live_mutex);
    (void)pthread_mutex_unlock(&server->live_mutex);
    free_server(server);
}
