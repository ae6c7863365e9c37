/* SPDX-License-Identifier: Apache-2.0
 * See h2.h. A connection ends when the session wants neither to read nor to write: the socket is shut down
 * for writing and lingers until the peer closes, so that its last frames do not make the kernel throw ours
 * away.
 */
#include "net/h2.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/limits.h"
#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_MAX        4    /* slabs of one round, then other connections have their turn */
#define QUEUE_MAX        1000 /* frames that wait while the peer does not read: then we do not read either */
#define CHUNK_BYTES      (64u << 10) /* room the session may need for one piece of output */
#define FRAME_HEAD_BYTES 9u
#define BLOCKED          (-1)
#define FAILED           (-2)

/* ---- bytes ------------------------------------------------------------------------------------------------
 */

static ssize_t ssl_result(jg_h2 *h2, int n)
{
    if (n > 0)
        return n;
    switch (SSL_get_error(h2->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return FAILED;
    }
}

/** @return bytes; 0: the peer closed; BLOCKED; FAILED */
static ssize_t read_some(jg_h2 *h2, uint8_t *into, size_t size)
{
    if (h2->ssl) {
        ERR_clear_error();
        return ssl_result(h2, SSL_read(h2->ssl, into, (int)size));
    }
    ssize_t n = recv(h2->watch.fd, into, size, 0);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? BLOCKED : FAILED;
}

static ssize_t write_some(jg_h2 *h2, const uint8_t *from, size_t size)
{
    if (h2->ssl) {
        ERR_clear_error();
        ssize_t n = ssl_result(h2, SSL_write(h2->ssl, from, (int)size));
        return n ? n : FAILED;
    }
    ssize_t n = send(h2->watch.fd, from, size, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? BLOCKED : FAILED;
}

/** Fill the slab: TLS gives at most one record a call. */
static ssize_t read_slab(jg_h2 *h2, uint8_t *slab)
{
    size_t len = 0;
    while (len < JG_LOOP_SLAB_BYTES) {
        ssize_t n = read_some(h2, slab + len, JG_LOOP_SLAB_BYTES - len);
        if (n <= 0)
            return len ? (ssize_t)len : n;
        len += (size_t)n;
        if (!h2->ssl)
            break; /* the kernel gave all it had, or the slab is full */
    }
    return (ssize_t)len;
}

/** @return false: the connection is broken */
static bool read_all(jg_h2 *h2)
{
    uint8_t *slab = jg_loop_slab(h2->loop);
    for (int round = 0; round < READS_MAX; round++) {
        ssize_t n = read_slab(h2, slab);
        if (n == BLOCKED)
            return true;
        if (n <= 0)
            return false;
        h2->last_read_ns = jg_loop_now_ns(h2->loop);
        if (!h2->lingering && nghttp2_session_mem_recv(h2->session, slab, (size_t)n) < 0)
            return false;
        if (h2->broken)
            return false;
        if (!h2->ssl && (size_t)n < JG_LOOP_SLAB_BYTES)
            return true;
    }
    h2->read_again = h2->ssl && SSL_has_pending(h2->ssl); /* epoll does not see what OpenSSL holds */
    return true;
}

/* ---- output -----------------------------------------------------------------------------------------------
 */

/** Keep what the socket did not take. @return false: out of memory */
static bool keep_rest(jg_h2 *h2, const uint8_t *rest, size_t len)
{
    h2->out = jg_alloc(len);
    if (!h2->out)
        return false;
    memcpy(h2->out, rest, len);
    h2->out_len = len;
    h2->out_at = 0;
    return true;
}

/** Gather output of the session in the slab. @return length, or FAILED */
static ssize_t gather(jg_h2 *h2, uint8_t *slab)
{
    h2->gathered = 0;
    while (h2->gathered <= JG_LOOP_SLAB_BYTES - CHUNK_BYTES) {
        const uint8_t *piece;
        ssize_t n = nghttp2_session_mem_send(h2->session, &piece);
        if (n == 0)
            break;
        if (n < 0 || (size_t)n > JG_LOOP_SLAB_BYTES - h2->gathered)
            return FAILED;
        memcpy(slab + h2->gathered, piece, (size_t)n);
        h2->gathered += (size_t)n;
    }
    return (ssize_t)h2->gathered;
}

uint8_t *jg_h2_put_data(jg_h2 *h2, const uint8_t *head, size_t len)
{
    uint8_t *at = jg_loop_slab(h2->loop) + h2->gathered;
    if (h2->gathered + FRAME_HEAD_BYTES + len > JG_LOOP_SLAB_BYTES - CHUNK_BYTES)
        return NULL; /* after what is gathered was written */
    memcpy(at, head, FRAME_HEAD_BYTES);
    h2->gathered += FRAME_HEAD_BYTES + len;
    return at + FRAME_HEAD_BYTES;
}

/** Write as far as the socket takes it. @return bytes written, or FAILED */
static ssize_t write_all(jg_h2 *h2, const uint8_t *from, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = write_some(h2, from + at, len - at);
        if (n == BLOCKED)
            break;
        if (n < 0)
            return FAILED;
        at += (size_t)n;
    }
    return (ssize_t)at;
}

/** @return false: broken */
static bool write_rest(jg_h2 *h2)
{
    if (!h2->out)
        return true;
    ssize_t n = write_all(h2, h2->out + h2->out_at, h2->out_len - h2->out_at);
    if (n < 0)
        return false;
    h2->out_at += (size_t)n;
    if (n > 0)
        jg_loop_timer_clear(h2->loop, &h2->timer);
    if (h2->out_at < h2->out_len) {
        if (!h2->timer.due_ns)
            jg_loop_timer_set(h2->loop, &h2->timer, jg_loop_now_ns(h2->loop) + JG_WRITE_STALL_NS);
        return true;
    }
    jg_free(h2->out);
    h2->out = NULL;
    return true;
}

/** @return false: broken */
static bool flush(jg_h2 *h2)
{
    if (!write_rest(h2))
        return false;
    uint8_t *slab = jg_loop_slab(h2->loop);
    while (!h2->out && !h2->lingering) {
        ssize_t len = gather(h2, slab);
        if (len <= 0)
            return len == 0;
        ssize_t n = write_all(h2, slab, (size_t)len);
        if (n < 0)
            return false;
        if (n < len) {
            if (!keep_rest(h2, slab + n, (size_t)(len - n)))
                return false;
            jg_loop_timer_set(h2->loop, &h2->timer, jg_loop_now_ns(h2->loop) + JG_WRITE_STALL_NS);
        }
    }
    return true;
}

/* ---- life -------------------------------------------------------------------------------------------------
 */

static void end(jg_h2 *h2)
{
    jg_loop_unwatch(h2->loop, &h2->watch);
    jg_loop_timer_clear(h2->loop, &h2->timer);
    nghttp2_session_del(h2->session);
    h2->session = NULL;
    SSL_free(h2->ssl);
    h2->ssl = NULL;
    (void)close(h2->watch.fd);
    jg_free(h2->out);
    h2->out = NULL;
    h2->closed(h2);
}

static void linger(jg_h2 *h2)
{
    if (h2->ssl)
        (void)SSL_shutdown(h2->ssl);
    (void)shutdown(h2->watch.fd, SHUT_WR);
    h2->lingering = true;
    jg_loop_timer_set(h2->loop, &h2->timer, jg_loop_now_ns(h2->loop) + JG_LINGER_NS);
}

static bool update_watch(jg_h2 *h2)
{
    bool pause = h2->out && nghttp2_session_get_outbound_queue_size(h2->session) > QUEUE_MAX;
    uint32_t events = pause ? 0 : EPOLLIN;
    return jg_loop_watch(h2->loop, &h2->watch, events | (h2->out || h2->wants_write ? EPOLLOUT : 0));
}

static void at_end_of_round(jg_post *post)
{
    jg_h2 *h2 = JG_CONTAINER(post, jg_h2, after);
    h2->scheduled = false;
    if (h2->read_again && !h2->broken) {
        h2->read_again = false;
        h2->broken = !read_all(h2);
        if (h2->read_again)
            jg_h2_schedule(h2);
    }
    if (!h2->broken && !h2->handshaking) {
        h2->broken = !flush(h2);
        if (!h2->broken && !h2->lingering && !h2->out && !nghttp2_session_want_read(h2->session) &&
            !nghttp2_session_want_write(h2->session))
            linger(h2);
    }
    if (!h2->broken)
        h2->broken = !update_watch(h2);
    if (h2->broken && !h2->scheduled)
        end(h2);
}

void jg_h2_schedule(jg_h2 *h2)
{
    if (h2->scheduled)
        return;
    h2->scheduled = true;
    jg_loop_defer(h2->loop, &h2->after);
}

void jg_h2_abort(jg_h2 *h2)
{
    h2->broken = true;
    jg_h2_schedule(h2);
}

/** @return false: it failed */
static bool shake_hands(jg_h2 *h2)
{
    ERR_clear_error();
    int n = SSL_do_handshake(h2->ssl), want = SSL_get_error(h2->ssl, n);
    h2->wants_write = n != 1 && want == SSL_ERROR_WANT_WRITE;
    if (n == 1) {
        h2->handshaking = false;
        jg_loop_timer_clear(h2->loop, &h2->timer);
        return true;
    }
    return want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE;
}

static void ready(jg_watch *watch, uint32_t events)
{
    (void)events; /* errors show when reading */
    jg_h2 *h2 = JG_CONTAINER(watch, jg_h2, watch);
    bool ok = !h2->broken;
    if (ok && h2->handshaking)
        ok = shake_hands(h2);
    if (ok && !h2->handshaking)
        ok = read_all(h2);
    h2->broken |= !ok;
    jg_h2_schedule(h2);
}

static void too_late(jg_timer *timer)
{
    jg_h2_abort(JG_CONTAINER(timer, jg_h2, timer));
}

bool jg_h2_start(jg_h2 *h2, int fd, bool handshake)
{
    h2->watch = (jg_watch){.ready = ready, .fd = fd};
    h2->timer.fire = too_late;
    h2->after.run = at_end_of_round;
    h2->last_read_ns = jg_loop_now_ns(h2->loop);
    if (h2->ssl && !SSL_set_fd(h2->ssl, fd))
        return false;
    if (!jg_loop_watch(h2->loop, &h2->watch, EPOLLIN))
        return false;
    h2->handshaking = handshake;
    if (handshake)
        jg_loop_timer_set(h2->loop, &h2->timer, jg_loop_now_ns(h2->loop) + JG_HANDSHAKE_NS);
    else
        h2->read_again = h2->ssl && SSL_has_pending(h2->ssl);
    jg_h2_schedule(h2);
    return true;
}
