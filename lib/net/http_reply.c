/* SPDX-License-Identifier: Apache-2.0
 * Replies, on workers: bytes go into `waiting`, from where the connection's loop takes them. A stream blocks
 * its worker while more than JG_HTTP_REPLY_WAITING_MAX wait for the client.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "net/http_impl.h"
#include "net/status.h"
#include <stdio.h>
#include <time.h>

#define PIECE_BYTES (64u << 10) /* of a stream: one chunk */

void jg_http_add_header(jg_http_reply *reply, const char *name, jaeger_str value)
{
    if (reply->begun || !name)
        return;
    jg_buf *out = &reply->headers;
    jg_buf_str(out, jg_str(name));
    jg_buf_lit(out, ": ");
    for (size_t i = 0; i < value.len; i++) /* a line break would let a value add headers of its own */
        jg_buf_byte(
            out, value.ptr[i] == '\r' || value.ptr[i] == '\n' || !value.ptr[i] ? ' ' : (uint8_t)value.ptr[i]);
    jg_buf_lit(out, "\r\n");
}

static void append_date(jg_buf *out)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(jg_clock_unix_ns() / JG_NS_PER_S);
    struct tm tm;
    if (!gmtime_r(&now, &tm))
        return;
    jg_buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
                  months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/** Status line and headers. @param length body bytes; SIZE_MAX: a stream */
static void write_head(jg_http_reply *reply, int status, const char *content_type, size_t length)
{
    jg_buf *out = &reply->waiting;
    const jg_http_server *server = reply->server;
    reply->begun = true;
    reply->status = status;
    reply->head_only = jg_str_is(reply->head.method, "HEAD") || has_no_body(status);
    reply->chunked = length == SIZE_MAX && reply->head.minor > 0 && !reply->head_only;
    reply->close = !reply->head.keep_alive || !server->options.settings->keep_alives_enabled ||
                   (length == SIZE_MAX && !reply->chunked && !reply->head_only) ||
                   __atomic_load_n(&server->stopping, __ATOMIC_RELAXED);
    jg_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, jg_http_reason(status));
    jg_buf_str(out, jg_buf_view(&reply->headers));
    if (content_type)
        jg_buf_printf(out, "Content-Type: %s\r\n", content_type);
    append_date(out);
    if (reply->chunked ||
        (length == SIZE_MAX && reply->head_only && reply->head.minor > 0 && !has_no_body(status)))
        jg_buf_lit(out, "Transfer-Encoding: chunked\r\n");
    else if (length != SIZE_MAX && !has_no_body(status))
        jg_buf_printf(out, "Content-Length: %zu\r\n", length);
    if (reply->close)
        jg_buf_lit(out, "Connection: close\r\n");
    else if (reply->head.minor == 0)
        jg_buf_lit(out, "Connection: keep-alive\r\n");
    jg_buf_lit(out, "\r\n");
}

/** With the mutex held: tell the loop. @return true: mail must be posted, which has a reference of its own */
static bool must_mail(jg_http_reply *reply)
{
    if (reply->mailed)
        return false;
    reply->mailed = true;
    reply->mail.run = jg_http_reply_pump;
    (void)__atomic_add_fetch(&reply->refs, 1, __ATOMIC_RELAXED);
    return true;
}

static void unlock_and_mail(jg_http_reply *reply, bool mail)
{
    mail = mail && must_mail(reply);
    (void)pthread_mutex_unlock(&reply->out_mutex);
    if (mail)
        jg_http_post(reply->loop, &reply->mail);
}

/** With the mutex held: nothing more comes. */
static void complete(jg_http_reply *reply, bool ok)
{
    reply->ended = true;
    reply->complete = true;
    reply->cut = !ok || reply->waiting.failed || reply->headers.failed;
}

void jg_http_send(jg_http_reply *reply, int status, const char *content_type, jaeger_str body)
{
    if (reply->begun)
        return;
    (void)pthread_mutex_lock(&reply->out_mutex);
    write_head(reply, status, content_type, body.len);
    if (!reply->head_only)
        jg_buf_str(&reply->waiting, body);
    complete(reply, true);
    unlock_and_mail(reply, true);
}

void jg_http_send_error(jg_http_reply *reply, int status, jaeger_str text)
{
    jg_buf line JG_AUTO_BUF = JG_BUF_INIT(sizeof(jaeger_error) + 1);
    jg_buf_str(&line, text);
    jg_buf_byte(&line, '\n');
    jg_http_add_header(reply, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_send(reply, status, "text/plain; charset=utf-8", jg_buf_view(&line));
}

void jg_http_begin(jg_http_reply *reply, int status, const char *content_type)
{
    if (reply->begun)
        return;
    (void)pthread_mutex_lock(&reply->out_mutex);
    write_head(reply, status, content_type, SIZE_MAX);
    unlock_and_mail(reply, true);
}

/** With the mutex held: until less than the limit waits. */
static jaeger_status wait_for_room(jg_http_reply *reply)
{
    const jaeger_call *call = &reply->call;
    struct timespec until = {(time_t)(call->deadline_ns / JG_NS_PER_S),
                             (long)(call->deadline_ns % JG_NS_PER_S)};
    jaeger_error *err = &reply->call.error;
    while (!reply->gone && reply->waiting.len + reply->sending_bytes > JG_HTTP_REPLY_WAITING_MAX)
        if (pthread_cond_timedwait(&reply->out_room, &reply->out_mutex, &until))
            return jg_fail(err, JAEGER_DEADLINE_EXCEEDED, "the client reads too slowly");
    if (reply->gone)
        return jg_fail(err, JAEGER_CANCELLED, "the client went away");
    if (reply->waiting.failed)
        return jg_fail_oom(err);
    return JAEGER_OK;
}

static jaeger_status write_piece(jg_http_reply *reply, jaeger_str piece)
{
    (void)pthread_mutex_lock(&reply->out_mutex);
    jaeger_status status = wait_for_room(reply);
    if (status == JAEGER_OK) {
        if (reply->chunked)
            jg_buf_printf(&reply->waiting, "%zx\r\n", piece.len);
        jg_buf_str(&reply->waiting, piece);
        if (reply->chunked)
            jg_buf_lit(&reply->waiting, "\r\n");
    }
    unlock_and_mail(reply, status == JAEGER_OK);
    return status;
}

jaeger_status jg_http_write(jg_http_reply *reply, jaeger_str bytes)
{
    if (reply->head_only)
        return JAEGER_OK;
    while (bytes.len) {
        jaeger_str piece = {bytes.ptr, JG_MIN(bytes.len, PIECE_BYTES)};
        JG_TRY(write_piece(reply, piece));
        bytes = jg_str_skip(bytes, piece.len);
    }
    return JAEGER_OK;
}

void jg_http_end(jg_http_reply *reply, bool ok)
{
    if (reply->ended)
        return;
    (void)pthread_mutex_lock(&reply->out_mutex);
    if (ok && reply->chunked)
        jg_buf_lit(&reply->waiting, "0\r\n\r\n");
    complete(reply, ok);
    unlock_and_mail(reply, true);
}
