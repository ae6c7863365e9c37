/* SPDX-License-Identifier: Apache-2.0
 * One HTTP/1.1 connection on its loop: head, body, a job for a worker, the reply, and again.
 *
 * libh2o 2.2.5 brings the event loop, sockets with TLS, and the request parser. Its own HTTP/1 layer is not
 * used: it accepts requests that can smuggle another one (and hides their framing headers), reads a whole
 * body before anyone may refuse it, does not notice that a client left, and has no timeout for slow readers.
 * Those are the rules written here. Memory: bodies are admitted in jg_net as they grow; what h2o buffers is
 * drained at each callback. Spec: RFC 9112.
 */
#include "net/http_impl.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/limits.h"
#include "core/str.h"
#include "net/status.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLICE_BYTES      (256u << 10) /* given to the socket at once; each must go out within the stall time */
#define AHEAD_BYTES_MAX  (64u << 10)  /* pipelined bytes read while a request runs */
#define LINGER_NS        (JG_NS_PER_S)
#define LINGER_BYTES_MAX (1u << 20)
#define CLOSING_NS       (5 * JG_NS_PER_S)
#define CHUNK_WASTE_MIN  (256u << 10) /* chunk heads, extensions and trailers ... */
#define CHUNK_WASTE      8            /* ... and so many bytes of them for one of the body */

static void on_read(h2o_socket_t *sock, const char *err);
static void read_input(jg_http_conn *conn);

/* ---- closing
 * ---------------------------------------------------------------------------------------------------- */

static void on_closed(void *data)
{
    jg_http_conn *conn = data;
    *conn->prev = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    (void)__atomic_sub_fetch(&conn->loop->load, 1, __ATOMIC_RELAXED);
    SSL_CTX_free(conn->ssl_ctx);
    jg_http_server_conn_gone(conn->server);
    jg_free(conn);
}

/** The exchange outlives its connection if a worker has it. */
static void leave_exchange(jg_http_conn *conn)
{
    jg_http_reply *ex = conn->exchange;
    if (!ex)
        return;
    conn->exchange = NULL;
    ex->conn = NULL;
    __atomic_store_n(&ex->cancelled, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_lock(&ex->out_mutex);
    ex->gone = true;
    (void)pthread_cond_broadcast(&ex->out_room);
    (void)pthread_mutex_unlock(&ex->out_mutex);
    jg_http_exchange_unref(ex);
}

/** The connection may be freed when this returns. */
static void close_conn(jg_http_conn *conn)
{
    leave_exchange(conn);
    conn->state = JG_CONN_CLOSING;
    conn->deadline_ns = jg_clock_mono_ns() + CLOSING_NS;
    h2o_socket_close(conn->sock);
}

/** Close for reading only after the peer had time to read: unread bytes would make the kernel send a reset.
 */
static void linger(jg_http_conn *conn)
{
    leave_exchange(conn);
    if (conn->sock->ssl || shutdown(h2o_socket_get_fd(conn->sock), SHUT_WR)) {
        close_conn(conn);
        return;
    }
    conn->state = JG_CONN_LINGER;
    conn->deadline_ns = jg_clock_mono_ns() + LINGER_NS;
    h2o_buffer_consume(&conn->sock->input, conn->sock->input->size);
    h2o_socket_read_start(conn->sock, on_read);
}

/** A cut that even a client without chunked coding sees: a reset. */
static void reset_conn(jg_http_conn *conn)
{
    struct linger hard = {.l_onoff = 1};
    (void)setsockopt(h2o_socket_get_fd(conn->sock), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close_conn(conn);
}

/* ---- refusing
 * --------------------------------------------------------------------------------------------------- */

static void on_refused(h2o_socket_t *sock, const char *err)
{
    jg_http_conn *conn = sock->data;
    if (err)
        close_conn(conn);
    else
        linger(conn);
}

/** Answer without a handler, and close. */
static void refuse(jg_http_conn *conn, int status, const char *why)
{
    leave_exchange(conn);
    conn->state = JG_CONN_REFUSING;
    conn->deadline_ns = jg_clock_mono_ns() + JG_HTTP_STALL_NS;
    h2o_socket_read_stop(conn->sock);
    const char *retry = status == 503 ? "Retry-After: 1\r\n" : "";
    char body[160];
    int body_len =
        snprintf(body, sizeof body, "%d %s%s%s", status, jg_http_reason(status), why[0] ? ": " : "", why);
    int len = snprintf(conn->refusal, sizeof conn->refusal,
                       "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n%s"
                       "Content-Length: %d\r\n\r\n%s",
                       status, jg_http_reason(status), retry, body_len, body);
    h2o_iovec_t out = {conn->refusal, (size_t)len};
    h2o_socket_write(conn->sock, &out, 1, on_refused);
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

static uint64_t first_set(uint64_t a, uint64_t b, uint64_t fallback)
{
    return a ? a : b ? b : fallback;
}

static void await_request(jg_http_conn *conn)
{
    const jg_http_server_settings *s = conn->server->options.settings;
    conn->state = JG_CONN_HEAD;
    conn->head_seen = 0;
    conn->idle_since_ns = jg_clock_mono_ns();
    conn->deadline_ns =
        conn->idle_since_ns + first_set(s->idle_timeout_ns, s->read_timeout_ns, JG_HTTP_IDLE_NS);
    h2o_socket_read_start(conn->sock, on_read);
}

/** Handing a request over to a worker and its answer back costs more than a small request does. */
static bool fits_on_loop(const jg_http_reply *ex)
{
    const jg_http_server_options *o = &ex->server->options;
    return o->prompt && !o->auth.check && ex->body_len <= JG_LOOP_REQUEST_BYTES_MAX &&
           !jg_http_head_get(&ex->head, "content-encoding").len;
}

static void submit(jg_http_conn *conn)
{
    jg_http_reply *ex = conn->exchange;
    conn->state = JG_CONN_BUSY;
    conn->deadline_ns = 0;
    ex->job.run = jg_http_exchange_run;
    (void)__atomic_add_fetch(&ex->refs, 1, __ATOMIC_RELAXED); /* the worker's */
    if (fits_on_loop(ex)) {
        jg_http_exchange_run(&ex->job);
        return;
    }
    jg_net *net = conn->server->net;
    jg_pool *pool = conn->server->options.questions ? jg_net_query_pool(net) : jg_net_pool(net);
    if (jg_pool_submit(pool, &ex->job) == JAEGER_OK)
        return;
    jg_http_exchange_unref(ex);
    refuse(conn, 503, "too many requests are waiting");
}

/** The body is larger than allowed: the handler may word the answer, so it runs, without the body. */
static void submit_too_large(jg_http_conn *conn)
{
    jg_http_reply *ex = conn->exchange;
    jg_http_exchange_drop_body(ex);
    (void)jaeger_fail(&ex->request_error, JAEGER_RESOURCE_EXHAUSTED, "http: request body too large");
    ex->head.keep_alive = false;
    conn->unread = true;
    h2o_socket_read_stop(conn->sock);
    submit(conn);
}

/** After the time for the head, a body must come at JG_HTTP_BODY_RATE_MIN on average. */
static void set_body_deadline(jg_http_conn *conn)
{
    const jg_http_server_settings *s = conn->server->options.settings;
    uint64_t earned_ns = conn->exchange->body_len / JG_HTTP_BODY_RATE_MIN * JG_NS_PER_S;
    conn->deadline_ns = conn->body_start_ns + first_set(s->read_timeout_ns, 0, JG_HTTP_STALL_NS + earned_ns);
}

/** @return false: the connection is refused */
static bool add_body(jg_http_conn *conn, const char *bytes, size_t len)
{
    switch (jg_http_exchange_body(conn->exchange, bytes, len)) {
    case JG_BODY_OK:
        return true;
    case JG_BODY_TOO_LARGE:
        submit_too_large(conn);
        return false;
    case JG_BODY_OVER_BUDGET:
        break;
    }
    conn->unread = true;
    refuse(conn, 503, "too many request bytes in flight");
    return false;
}

static void read_sized_body(jg_http_conn *conn)
{
    size_t len = JG_MIN(conn->body_left, conn->sock->input->size);
    if (!add_body(conn, conn->sock->input->bytes, len))
        return;
    h2o_buffer_consume(&conn->sock->input, len);
    conn->body_left -= len;
    if (conn->body_left)
        set_body_deadline(conn);
    else
        submit(conn);
}

static void read_chunked_body(jg_http_conn *conn)
{
    h2o_buffer_t *input = conn->sock->input;
    size_t len = input->size;
    if (!len)
        return;
    long after = jg_http_chunks_decode(&conn->chunks, input->bytes, &len);
    if (after == -1) {
        conn->unread = true;
        refuse(conn, 400, "broken chunked coding");
        return;
    }
    conn->body_raw += input->size - (after > 0 ? (size_t)after : 0);
    if (!add_body(conn, input->bytes, len))
        return;
    if (after >= 0) {
        input->size = len + (size_t)after; /* the bytes after the end were moved down */
        h2o_buffer_consume(&conn->sock->input, len);
        submit(conn);
        return;
    }
    h2o_buffer_consume(&conn->sock->input, input->size);
    if (conn->body_raw - conn->exchange->body_len >
        CHUNK_WASTE_MIN + CHUNK_WASTE * conn->exchange->body_len) {
        conn->unread = true;
        refuse(conn, 400, "chunks too small");
        return;
    }
    set_body_deadline(conn);
}

static void on_continue_sent(h2o_socket_t *sock, const char *err)
{
    jg_http_conn *conn = sock->data;
    if (err)
        close_conn(conn);
    else if (conn->state == JG_CONN_BODY)
        h2o_socket_read_start(conn->sock, on_read);
}

static void begin_body(jg_http_conn *conn)
{
    jg_http_head *head = &conn->exchange->head;
    if (!head->chunked && !head->content_length) {
        submit(conn);
        return;
    }
    if (head->content_length > conn->server->body_bytes_max) {
        submit_too_large(conn);
        return;
    }
    conn->state = JG_CONN_BODY;
    conn->body_left = head->content_length;
    conn->body_raw = 0;
    conn->body_start_ns = jg_clock_mono_ns();
    memset(&conn->chunks, 0, sizeof conn->chunks);
    set_body_deadline(conn);
    if (conn->sock->input->size) {
        read_input(conn);
    } else if (head->expects_continue) {
        static char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        h2o_iovec_t out = {go_on, sizeof go_on - 1};
        h2o_socket_read_stop(conn->sock); /* a write may not end in a state that has its own write */
        h2o_socket_write(conn->sock, &out, 1, on_continue_sent);
    }
}

static void read_head(jg_http_conn *conn)
{
    h2o_buffer_t *input = conn->sock->input;
    if (!input->size)
        return;
    if (conn->head_seen == 0) {
        const jg_http_server_settings *s = conn->server->options.settings;
        conn->deadline_ns =
            jg_clock_mono_ns() + first_set(s->read_header_timeout_ns, s->read_timeout_ns, JG_HTTP_STALL_NS);
    }
    long len = jg_http_head_length(input->bytes, input->size, conn->head_seen);
    if ((!len && input->size > JG_HTTP_HEAD_BYTES_MAX) || len > (long)JG_HTTP_HEAD_BYTES_MAX) {
        refuse(conn, 431, "");
        return;
    }
    conn->head_seen = input->size;
    if (!len)
        return;
    int status = 400;
    const char *why = "";
    if (len > 0)
        conn->exchange = jg_http_exchange_new(conn, input->bytes, (size_t)len, &status, &why);
    if (!conn->exchange) {
        refuse(conn, status, why);
        return;
    }
    h2o_buffer_consume(&conn->sock->input, (size_t)len);
    begin_body(conn);
}

/** The request runs: what comes now is the next one, or the end of the connection. */
static void read_ahead(jg_http_conn *conn)
{
    if (conn->sock->input->size > AHEAD_BYTES_MAX)
        h2o_socket_read_stop(conn->sock);
}

static void read_discard(jg_http_conn *conn)
{
    size_t len = conn->sock->input->size;
    conn->lingered += len;
    h2o_buffer_consume(&conn->sock->input, len);
    if (conn->lingered > LINGER_BYTES_MAX)
        close_conn(conn);
}

static void read_input(jg_http_conn *conn)
{
    switch (conn->state) {
    case JG_CONN_HEAD:
        read_head(conn);
        break;
    case JG_CONN_BODY:
        if (conn->exchange->head.chunked)
            read_chunked_body(conn);
        else
            read_sized_body(conn);
        break;
    case JG_CONN_BUSY:
        read_ahead(conn);
        break;
    case JG_CONN_LINGER:
        read_discard(conn);
        break;
    case JG_CONN_HANDSHAKE:
    case JG_CONN_REFUSING:
    case JG_CONN_CLOSING:
        break;
    }
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    jg_http_conn *conn = sock->data;
    if (!err) {
        read_input(conn);
        return;
    }
    if (conn->state != JG_CONN_BUSY) {
        close_conn(conn);
        return;
    }
    /* the client sends no more, and most likely has gone; the reply is still tried: writing finds out */
    h2o_socket_read_stop(sock);
    __atomic_store_n(&conn->exchange->cancelled, 1, __ATOMIC_RELAXED);
    conn->ended = true;
    if (sock->ssl) /* h2o cannot write after a failed TLS read */
        close_conn(conn);
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------------- */

static void end_exchange(jg_http_conn *conn)
{
    jg_http_reply *ex = conn->exchange;
    bool cut = ex->cut, chunked = ex->chunked;
    bool keep = !ex->close && !cut && !conn->ended;
    conn->exchange = NULL;
    ex->conn = NULL;
    jg_http_exchange_unref(ex);
    if (cut && !chunked) {
        reset_conn(conn);
    } else if (!keep && (conn->unread || conn->sock->input->size)) {
        linger(conn);
    } else if (!keep) {
        close_conn(conn);
    } else {
        await_request(conn);
        read_input(conn);
    }
}

static void on_written(h2o_socket_t *sock, const char *err);

/** Give the next slice to the socket, or take what the worker made since, or end. */
static void write_on(jg_http_conn *conn)
{
    jg_http_reply *ex = conn->exchange;
    bool complete = false;
    if (ex->sent == ex->sending.len) {
        jg_buf_clear(&ex->sending);
        ex->sent = 0;
        (void)pthread_mutex_lock(&ex->out_mutex);
        jg_buf empty = ex->sending;
        ex->sending = ex->waiting;
        ex->waiting = empty;
        ex->sending_bytes = ex->sending.len;
        complete = ex->complete;
        (void)pthread_cond_broadcast(&ex->out_room);
        (void)pthread_mutex_unlock(&ex->out_mutex);
    }
    size_t len = JG_MIN(ex->sending.len - ex->sent, SLICE_BYTES);
    if (len) {
        uint64_t limit = conn->server->options.settings->write_timeout_ns;
        h2o_iovec_t slice = {(char *)ex->sending.data + ex->sent, len};
        ex->sent += len;
        ex->writing = true;
        conn->deadline_ns = jg_clock_mono_ns() + first_set(limit, 0, JG_HTTP_STALL_NS);
        h2o_socket_write(conn->sock, &slice, 1, on_written);
    } else {
        conn->deadline_ns = 0;
        if (complete)
            end_exchange(conn);
    }
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    jg_http_conn *conn = sock->data;
    conn->exchange->writing = false;
    if (err)
        close_conn(conn);
    else
        write_on(conn);
}

void jg_http_reply_pump(jg_http_mail *mail)
{
    jg_http_reply *ex = JG_CONTAINER(mail, jg_http_reply, mail);
    (void)pthread_mutex_lock(&ex->out_mutex);
    ex->mailed = false;
    (void)pthread_mutex_unlock(&ex->out_mutex);
    if (ex->conn && !ex->writing)
        write_on(ex->conn);
    jg_http_exchange_unref(ex);
}

/* ---- opening, time
 * ---------------------------------------------------------------------------------------------- */

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    jg_http_conn *conn = sock->data;
    if (err) {
        close_conn(conn);
        return;
    }
    await_request(conn);
    read_input(conn);
}

void jg_http_conn_open(jg_http_server *server, jg_http_loop *loop, int fd, const char *peer)
{
    jg_http_conn *conn = jg_calloc(1, sizeof *conn);
    SSL_CTX *ssl_ctx = conn && server->tls ? jg_tls_get(server->tls) : NULL;
    if (!conn || (server->tls && !ssl_ctx)) {
        (void)close(fd);
        jg_free(conn);
        jg_http_server_conn_gone(server);
        return;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on unix sockets, harmless */
    conn->server = server;
    conn->loop = loop;
    conn->ssl_ctx = ssl_ctx;
    (void)snprintf(conn->peer, sizeof conn->peer, "%s", peer);
    conn->next = loop->conns;
    conn->prev = &loop->conns;
    if (conn->next)
        conn->next->prev = &conn->next;
    loop->conns = conn;
    (void)__atomic_add_fetch(&loop->load, 1, __ATOMIC_RELAXED);
    conn->sock = h2o_evloop_socket_create(loop->events, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    conn->sock->data = conn;
    conn->sock->on_close.cb = on_closed;
    conn->sock->on_close.data = conn;
    if (ssl_ctx) {
        conn->deadline_ns = jg_clock_mono_ns() + JG_HTTP_STALL_NS;
        h2o_socket_ssl_handshake(conn->sock, ssl_ctx, NULL, on_handshake);
    } else {
        await_request(conn);
    }
}

static bool is_idle(const jg_http_conn *conn)
{
    return conn->state == JG_CONN_HEAD && conn->sock->input->size == 0;
}

void jg_http_conns_close(jg_http_loop *loop, const jg_http_server *server, bool all)
{
    for (jg_http_conn *conn = loop->conns, *next; conn; conn = next) {
        next = conn->next;
        if (conn->server != server)
            continue;
        if (conn->state == JG_CONN_CLOSING)
            (void)shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR);
        else if (all || is_idle(conn) || conn->state == JG_CONN_HANDSHAKE)
            close_conn(conn);
    }
}

void jg_http_conns_tick(jg_http_loop *loop, uint64_t now_ns)
{
    for (jg_http_conn *conn = loop->conns, *next; conn; conn = next) {
        next = conn->next;
        bool evict = is_idle(conn) && now_ns - conn->idle_since_ns > JG_NS_PER_S &&
                     __atomic_load_n(&conn->server->crowded, __ATOMIC_RELAXED);
        if (!evict && (!conn->deadline_ns || now_ns < conn->deadline_ns))
            continue;
        if (conn->state == JG_CONN_CLOSING)
            (void)shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR);
        else
            close_conn(conn);
    }
}
