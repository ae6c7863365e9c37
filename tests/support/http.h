/* SPDX-License-Identifier: Apache-2.0
 * A server on a free port, and a client that writes raw bytes.
 */
#ifndef JG_TEST_HTTP_H
#define JG_TEST_HTTP_H

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "net/http_server.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_REPLY_MAX (64u << 20)

static inline int http_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/** @return false: the peer closed */
static inline bool http_put(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool http_puts(int fd, const char *text)
{
    return http_put(fd, text, strlen(text));
}

/** Read until `want` bytes, the end, or 5 s. @return 0: end of stream; -1: reset; 1: `want` is there; 2: time
 * is up */
static inline int http_read(int fd, jg_buf *out, size_t want)
{
    while (out->len < want) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 5000) <= 0)
            return 2;
        assert_true(jg_buf_reserve(out, JG_MIN(want - out->len, 65536)));
        ssize_t n = recv(fd, out->data + out->len, JG_MIN(want - out->len, 65536), 0);
        if (n <= 0)
            return n ? -1 : 0;
        out->len += (size_t)n;
    }
    return 1;
}

/** Read one answer with Content-Length (or none: until the end). */
static inline void http_read_answer(int fd, jg_buf *out)
{
    size_t start = out->len, head = 0;
    while (!head) {
        if (http_read(fd, out, out->len + 1) != 1)
            return;
        if (out->len - start >= 4 && !memcmp(out->data + out->len - 4, "\r\n\r\n", 4))
            head = out->len;
    }
    jg_buf_byte(out, 0);
    out->len--;
    const char *length = strstr((char *)out->data + start, "Content-Length: ");
    if (strstr((char *)out->data + start, "HTTP/1.1 204"))
        return;
    size_t body = length ? strtoul(length + 16, NULL, 10) : HTTP_REPLY_MAX / 2;
    (void)http_read(fd, out, head + body);
}

/** Send bytes on a new connection, close the sending side not, read until the end of the stream. */
static inline jg_buf http_exchange(uint16_t port, const char *bytes, size_t len)
{
    jg_buf out = JG_BUF_INIT(HTTP_REPLY_MAX);
    int fd = http_connect(port);
    (void)http_put(fd, bytes, len);
    http_read_answer(fd, &out);
    (void)close(fd);
    jg_buf_byte(&out, 0); /* for strstr */
    assert_true(jg_buf_ok(&out));
    return out;
}

static inline bool http_has(const jg_buf *answer, const char *text)
{
    return answer->data && strstr((const char *)answer->data, text);
}

#define assert_has(answer, text)                                                                             \
    do {                                                                                                     \
        if (!http_has((answer), (text)))                                                                     \
            fail_msg("no \"%s\" in: %s", (text), (answer)->data ? (const char *)(answer)->data : "");        \
    } while (0)
#define assert_has_not(answer, text)                                                                         \
    do {                                                                                                     \
        if (http_has((answer), (text)))                                                                      \
            fail_msg("\"%s\" in: %s", (text), (const char *)(answer)->data);                                 \
    } while (0)

#endif
