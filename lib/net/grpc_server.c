/* SPDX-License-Identifier: Apache-2.0
 * Start, accept, stop. A server is freed when nothing refers to it any more: connections, and calls on
 * workers, which end at their deadline at the latest.
 */
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/str.h"
#include "net/grpc_conn.h"
#include <time.h>
#include <unistd.h>

#define NAMES_BYTES_MAX (1u << 20) /* paths and services of one server */

/* ---- references -------------------------------------------------------------------------------------------
 */

void jg_grpc_live_add(jg_grpc_server *server)
{
    (void)__atomic_add_fetch(&server->live, 1, __ATOMIC_RELAXED);
}

void jg_grpc_live_drop(jg_grpc_server *server)
{
    if (__atomic_sub_fetch(&server->live, 1, __ATOMIC_ACQ_REL))
        return;
    (void)pthread_mutex_lock(&server->live_mutex);
    server->gone = true;
    (void)pthread_cond_signal(&server->live_cond);
    (void)pthread_mutex_unlock(&server->live_mutex);
}

/** @return false: not gone at `deadline_ns` (0: wait without limit) */
static bool wait_gone(jg_grpc_server *server, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / JG_NS_PER_S),
                             .tv_nsec = (long)(deadline_ns % JG_NS_PER_S)};
    int late = 0;
    (void)pthread_mutex_lock(&server->live_mutex);
    while (!server->gone && !late)
        late = deadline_ns ? pthread_cond_timedwait(&server->live_cond, &server->live_mutex, &until)
                           : pthread_cond_wait(&server->live_cond, &server->live_mutex);
    bool gone = server->gone;
    (void)pthread_mutex_unlock(&server->live_mutex);
    return gone;
}

/* ---- connections ------------------------------------------------------------------------------------------
 */

static void conn_drop(jg_grpc_conn *conn, int fd)
{
    jg_grpc_server *server = conn->server;
    SSL_free(conn->h2.ssl);
    (void)close(fd);
    (void)jg_loop_load(conn->h2.loop, -1);
    (void)__atomic_sub_fetch(&server->conn_count, 1, __ATOMIC_RELAXED);
    jg_free(conn);
    jg_grpc_live_drop(server);
}

/** On the connection's loop. */
static void conn_arrived(jg_post *post)
{
    jg_grpc_conn *conn = JG_CONTAINER(post, jg_grpc_conn, arrive);
    jg_grpc_server *server = conn->server;
    int fd = conn->h2.watch.fd;
    if (server->tls) {
        SSL_CTX *ctx = jg_tls_get(server->tls);
        conn->h2.ssl = SSL_new(ctx);
        SSL_CTX_free(ctx);
        if (conn->h2.ssl)
            SSL_set_accept_state(conn->h2.ssl);
    }
    if ((server->tls && !conn->h2.ssl) || !jg_grpc_conn_open(conn)) {
        conn_drop(conn, fd);
        return;
    }
    if (!jg_h2_start(&conn->h2, fd, server->tls != NULL)) {
        nghttp2_session_del(conn->h2.session);
        conn_drop(conn, fd);
        return;
    }
    jg_grpc_conn **head = &server->loops[jg_loop_index(conn->h2.loop)].conns;
    conn->next = *head;
    if (conn->next)
        conn->next->prev = conn;
    *head = conn;
    jg_grpc_keepalive_start(conn);
}

/** On the acceptor's loop. */
static void accepted(jg_acceptor *acceptor, int fd, const char *peer)
{
    jg_grpc_server *server = JG_CONTAINER(acceptor, jg_grpc_server, acceptor);
    bool room = __atomic_add_fetch(&server->conn_count, 1, __ATOMIC_RELAXED) <= JG_GRPC_CONNECTIONS_MAX;
    jg_grpc_conn *conn = room ? jg_calloc(1, sizeof *conn) : NULL;
    if (!conn) {
        (void)__atomic_sub_fetch(&server->conn_count, 1, __ATOMIC_RELAXED);
        (void)close(fd);
        return;
    }
    conn->server = server;
    conn->h2.loop = jg_net_loop(server->net);
    conn->h2.closed = jg_grpc_conn_closed;
    conn->h2.watch.fd = fd;
    (void)snprintf(conn->peer, sizeof conn->peer, "%s", peer);
    conn->arrive.run = conn_arrived;
    jg_grpc_live_add(server);
    (void)jg_loop_load(conn->h2.loop, 1);
    jg_loop_post(conn->h2.loop, &conn->arrive);
}

/* ---- start ------------------------------------------------------------------------------------------------
 */

static void server_free(jg_grpc_server *server)
{
    jg_net_unlisten(server->listen_fd);
    nghttp2_session_callbacks_del(server->callbacks);
    nghttp2_option_del(server->option);
    jg_tls_free(server->tls);
    jg_map_done(&server->by_path);
    jaeger_arena_free(server->arena);
    (void)pthread_cond_destroy(&server->live_cond);
    (void)pthread_mutex_destroy(&server->live_mutex);
    jg_free(server);
}

static bool copy_methods(jg_grpc_server *server, const jg_grpc_server_options *options)
{
    server->methods = jg_arena_zalloc(server->arena, (options->method_count + 1) * sizeof *server->methods);
    if (!server->methods)
        return false;
    server->durations =
        jg_arena_zalloc(server->arena, (options->method_count + 1) * sizeof *server->durations);
    if (!server->durations)
        return false;
    for (size_t i = 0; i < options->method_count; i++) {
        jg_grpc_method *method = &server->methods[i];
        *method = options->methods[i];
        jaeger_str path = jaeger_arena_str(server->arena, jg_str(method->path));
        bool fresh;
        jg_map_entry *entry = path.ptr ? jg_map_put(&server->by_path, path, &fresh) : NULL;
        if (!entry)
            return false;
        method->path = path.ptr;
        entry->value = method;
        server->durations[i] = jg_grpc_duration(server->net, method->path, JAEGER_OK);
    }
    return true;
}

static bool copy_health(jg_grpc_server *server, const jg_grpc_server_options *options)
{
    if (!options->health_services)
        return true;
    const char **names =
        jaeger_arena_alloc(server->arena, (options->health_service_count + 1) * sizeof *names);
    for (size_t i = 0; names && i < options->health_service_count; i++)
        if (!(names[i] = jg_str_z(server->arena, jg_str(options->health_services[i]))))
            return false;
    server->health_services = names;
    server->health_service_count = options->health_service_count;
    server->healthy = options->healthy;
    server->healthy_user = options->healthy_user;
    return names != NULL;
}

static jg_grpc_server *server_new(jg_net *net, const jg_grpc_server_options *options)
{
    jg_grpc_server *server = jg_calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->net = net;
    server->settings = options->settings;
    server->auth = options->auth;
    server->questions = options->questions;
    server->prompt = options->prompt;
    server->timeout_ns = options->timeout_ns ? options->timeout_ns : JG_TIMEOUT_DEFAULT_NS;
    server->defers = options->defers;
    server->name = options->name;
    server->method_count = options->method_count;
    server->descriptors = options->descriptors;
    server->keeps_metadata = options->settings->include_metadata || options->auth.check;
    uint64_t mib = options->settings->max_recv_msg_size_mib;
    server->message_bytes_max = mib ? (size_t)JG_MIN(mib, 4095u) << 20 : JG_GRPC_MESSAGE_BYTES_MAX;
    uint32_t streams = options->settings->max_concurrent_streams;
    server->streams_max = streams ? streams : JG_GRPC_STREAMS_MAX;
    server->listen_fd = -1;
    server->live = 1;
    (void)pthread_mutex_init(&server->live_mutex, NULL);
    jg_cond_init(&server->live_cond);
    server->arena = jaeger_arena_new(NAMES_BYTES_MAX);
    if (server->arena && copy_methods(server, options) && copy_health(server, options) &&
        jg_grpc_callbacks_init(server, options->resets_burst, options->resets_per_s))
        return server;
    server_free(server);
    return NULL;
}

static jaeger_status server_open(jg_grpc_server *server, jaeger_error *err)
{
    const jg_grpc_server_settings *settings = server->settings;
    if (settings->tls.enabled)
        JG_TRY(jg_tls_new(&settings->tls, true, "h2", jg_net_log(server->net), &server->tls, err));
    JG_TRY(jg_net_listen_as(settings->transport, settings->endpoint, &server->listen_fd, err));
    server->port = jg_net_port(server->listen_fd);
    server->acceptor.loop = jg_net_loop(server->net);
    server->acceptor.accepted = accepted;
    if (!server->acceptor.loop || !jg_acceptor_start(&server->acceptor, server->listen_fd))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "I/O threads could not be started");
    return JAEGER_OK;
}

jaeger_status jg_grpc_server_start(jg_net *net, const jg_grpc_server_options *options, jg_grpc_server **ret,
                                   jaeger_error *err)
{
    jg_grpc_server *server = server_new(net, options);
    if (!server)
        return jg_fail_oom(err);
    jaeger_status status = server_open(server, err);
    if (status == JAEGER_OK)
        *ret = server;
    else
        server_free(server);
    return status;
}

uint16_t jg_grpc_server_port(const jg_grpc_server *server)
{
    return server->port;
}

/* ---- stop -------------------------------------------------------------------------------------------------
 */

typedef struct sweep {
    jg_grpc_server *server;
    unsigned loop;
    bool abort;
} sweep;

static void sweep_loop(void *arg)
{
    sweep *s = arg;
    for (jg_grpc_conn *conn = s->server->loops[s->loop].conns; conn; conn = conn->next)
        if (s->abort)
            jg_h2_abort(&conn->h2);
        else
            jg_grpc_drain(conn);
}

static void sweep_all(jg_grpc_server *server, bool abort)
{
    for (unsigned i = 0; i < jg_net_loop_count(server->net); i++) {
        sweep s = {server, i, abort};
        jg_loop_sync(jg_net_loop_at(server->net, i), sweep_loop, &s);
    }
}

void jg_grpc_server_stop(jg_grpc_server *server, uint64_t deadline_ns)
{
    if (!server)
        return;
    jg_acceptor_stop(&server->acceptor);
    jg_net_unlisten(server->listen_fd); /* others may listen there while we drain */
    server->listen_fd = -1;
    sweep_all(server, false);
    jg_grpc_live_drop(server);
    if (!wait_gone(server, JG_MAX(deadline_ns, 1))) {
        sweep_all(server, true);
        (void)wait_gone(server, 0);
    }
    server_free(server);
}
