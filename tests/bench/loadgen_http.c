/* SPDX-License-Identifier: Apache-2.0
 * OTLP over HTTP/1.1: one request in flight on each connection, kept alive; a closed one is opened again.
 */
#include "bench/loadgen.h"
#include "core/pb.h"
#include "core/str.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES 512

typedef struct http_slot {
    load_slot slot; /* first */
    jg_watch watch; /* fd -1: closed */
    size_t head_len, sent, answer_len;
    char answer[4096];
} http_slot;

static struct {
    jg_loop *loop;
    const load_options *options;
    http_slot **slots;
    size_t count;
} all;

static void close_slot(http_slot *s)
{
    jg_loop_unwatch(all.loop, &s->watch);
    if (s->watch.fd >= 0)
        (void)close(s->watch.fd);
    s->watch.fd = -1;
}

static void fail(http_slot *s, const char *error)
{
    close_slot(s);
    load_answered(&s->slot, false, 0, error);
}

/** Value of a header in the NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

/** @return length of the whole answer, 0: not complete */
static size_t complete(http_slot *s, const char **ret_body)
{
    s->answer[s->answer_len] = 0;
    char *end = strstr(s->answer, "\r\n\r\n");
    if (!end)
        return 0;
    size_t head = (size_t)(end - s->answer) + 4, body = 0;
    *ret_body = end + 4;
    const char *length = header(s->answer, "\r\ncontent-length:");
    if (!length) { /* chunked */
        const char *last = strstr(*ret_body, "0\r\n\r\n");
        return last ? (size_t)(last - s->answer) + 5 : 0;
    }
    for (length += strspn(length, " "); isdigit((unsigned char)*length); length++)
        body = body * 10 + (size_t)(*length - '0');
    return s->answer_len >= head + body ? head + body : 0;
}

static uint64_t rejected_json(const char *body)
{
    uint64_t count = 0;
    const char *at = strstr(body, "\"rejectedSpans\":");
    if (!at)
        return 0;
    for (at += strcspn(at, "0123456789"); isdigit((unsigned char)*at); at++)
        count = count * 10 + (uint64_t)(*at - '0');
    return count;
}

static void answered(http_slot *s, const char *body, size_t len)
{
    bool ok = strncmp(s->answer, "HTTP/1.1 200", 12) == 0;
    const char *connection = header(s->answer, "\r\nconnection:");
    size_t body_len = len - (size_t)(body - s->answer);
    uint64_t rejected =
        all.options->json ? rejected_json(body) : load_rejected_pb((const uint8_t *)body, body_len);
    if (connection && strncasecmp(connection + strspn(connection, " "), "close", 5) == 0)
        close_slot(s);
    s->answer[12] = 0;
    load_answered(&s->slot, ok, ok ? rejected : 0, s->answer);
}

static void read_answer(http_slot *s)
{
    ssize_t n = recv(s->watch.fd, s->answer + s->answer_len, sizeof s->answer - 1 - s->answer_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        if (s->slot.len)
            fail(s, "the connection was lost");
        else
            close_slot(s);
        return;
    }
    s->answer_len += (size_t)n;
    const char *body = NULL;
    size_t len = complete(s, &body);
    if (len)
        answered(s, body, len);
    else if (s->answer_len == sizeof s->answer - 1)
        fail(s, "answer too long");
}

/** @return false: failed, and reported */
static bool write_request(http_slot *s)
{
    size_t total = s->head_len + s->slot.len;
    const uint8_t *from = s->slot.bytes + HEAD_BYTES - s->head_len;
    while (s->sent < total) {
        ssize_t n = send(s->watch.fd, from + s->sent, total - s->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            fail(s, "the connection was lost");
            return false;
        }
        s->sent += (size_t)n;
    }
    if (jg_loop_watch(all.loop, &s->watch, EPOLLIN | (s->sent < total ? EPOLLOUT : 0)))
        return true;
    fail(s, "epoll");
    return false;
}

static void ready(jg_watch *watch, uint32_t events)
{
    http_slot *s = JG_CONTAINER(watch, http_slot, watch);
    if ((events & EPOLLOUT) && s->slot.len && !write_request(s))
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_answer(s);
}

static void http_send(load_slot *base)
{
    http_slot *s = (http_slot *)base;
    char head[HEAD_BYTES];
    if (s->watch.fd < 0)
        s->watch.fd = load_connect(all.options);
    s->head_len = (size_t)snprintf(
        head, sizeof head,
        "POST /v1/traces HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
        all.options->host, all.options->port,
        all.options->json ? "application/json" : "application/x-protobuf", base->len);
    memcpy(base->bytes + HEAD_BYTES - s->head_len, head, s->head_len); /* ends where the body begins */
    s->sent = s->answer_len = 0;
    if (s->watch.fd < 0)
        fail(s, "cannot connect");
    else
        (void)write_request(s);
}

static const char *http_start(jg_loop *loop, const load_options *options, load_slot **slots, size_t count)
{
    all.loop = loop;
    all.options = options;
    all.slots = (http_slot **)slots;
    all.count = count;
    for (size_t i = 0; i < count; i++) {
        all.slots[i]->watch = (jg_watch){.ready = ready, .fd = load_connect(options)};
        if (all.slots[i]->watch.fd < 0)
            return "cannot connect";
    }
    return NULL;
}

static void http_stop(void)
{
    for (size_t i = 0; i < all.count; i++)
        close_slot(all.slots[i]);
}

const load_transport load_http = {HEAD_BYTES, sizeof(http_slot), http_start, http_send, http_stop};
