/* SPDX-License-Identifier: Apache-2.0
 * See dial.h. The resolver of the C library knows no deadline: a dead name server may take its own few
 * seconds more.
 */
#include "net/dial.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "net/sigpipe.h"
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UNACKNOWLEDGED_MS                                                                                    \
    20000 /* a peer that acknowledges nothing for so long is gone: gRPC's keepalive timeout */

/* ---- targets ----------------------------------------------------------------------------------------------
 */

static bool strip(jaeger_str *text, const char *prefix)
{
    if (!jg_str_starts(*text, jg_str(prefix)))
        return false;
    *text = jg_str_skip(*text, strlen(prefix));
    return true;
}

static jaeger_status parse_unix(jaeger_str path, jg_dial_target *ret, jaeger_error *err)
{
    (void)strip(&path, "//");
    if (!path.len || path.len >= sizeof ret->path)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid unix socket path \"%.*s\"",
                       JAEGER_STR_ARGS(path));
    memcpy(ret->path, path.ptr, path.len);
    return JAEGER_OK;
}

jaeger_status jg_dial_parse(jaeger_str endpoint, jg_dial_target *ret, jaeger_error *err)
{
    *ret = (jg_dial_target){0};
    jaeger_str rest = endpoint;
    if (strip(&rest, "unix:"))
        return parse_unix(rest, ret, err);
    ret->forces_plain = strip(&rest, "http://");
    ret->forces_tls = !ret->forces_plain && strip(&rest, "https://");
    (void)(strip(&rest, "dns:///") || strip(&rest, "passthrough:///"));
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "address %.*s: missing port in address",
                       JAEGER_STR_ARGS(rest));
    jaeger_str host = {rest.ptr, colon - 1}, port = jg_str_skip(rest, colon);
    uint64_t number;
    if (!jg_str_to_u64(port, &number) || number > 65535)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid port \"%.*s\"", JAEGER_STR_ARGS(port));
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (jaeger_str){host.ptr + 1, host.len - 2};
    if (host.len >= sizeof ret->host)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "host name too long");
    (void)snprintf(ret->host, sizeof ret->host, "%.*s", JAEGER_STR_ARGS(host));
    if (!host.len)
        (void)snprintf(ret->host, sizeof ret->host, "localhost");
    (void)snprintf(ret->port, sizeof ret->port, "%u", (unsigned)number);
    return JAEGER_OK;
}

/* ---- connecting -------------------------------------------------------------------------------------------
 */

/** @return false: not in time (errno ETIMEDOUT) */
static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now = jg_clock_mono_ns();
        if (now >= deadline_ns) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd p = {.fd = fd, .events = events};
        if (poll(&p, 1, (int)JG_MIN((deadline_ns - now) / JG_NS_PER_MS + 1, INT_MAX)) > 0)
            return true;
    }
}

/** @return the socket, or -1 with errno */
static int connect_one(const struct sockaddr *address, socklen_t len, uint64_t deadline_ns)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, failed = 0;
    unsigned patience = UNACKNOWLEDGED_MS;
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* both fail for unix sockets */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    if (connect(fd, address, len)) {
        socklen_t size = sizeof failed;
        failed = errno;
        if (failed == EINPROGRESS)
            failed = !wait_for(fd, POLLOUT, deadline_ns)                    ? errno
                     : getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) ? errno
                                                                            : failed;
    }
    if (!failed)
        return fd;
    (void)close(fd);
    errno = failed;
    return -1;
}

static jaeger_status fail_dial(jaeger_error *err, const char *where, const char *port)
{
    char text[128];
    bool late = errno == ETIMEDOUT;
    const char *reason = strerror_r(errno, text, sizeof text);
    return jg_fail(err, late ? JAEGER_DEADLINE_EXCEEDED : JAEGER_UNAVAILABLE,
                   "connection error: dial %s%s%s: %s", where, port[0] ? ":" : "", port, reason);
}

jaeger_status jg_dial(const jg_dial_target *target, uint64_t deadline_ns, int *ret_fd, jaeger_error *err)
{
    if (target->path[0]) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        memcpy(address.sun_path, target->path, sizeof address.sun_path);
        *ret_fd = connect_one((struct sockaddr *)&address, sizeof address, deadline_ns);
        return *ret_fd < 0 ? fail_dial(err, target->path, "") : JAEGER_OK;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(target->host, target->port, &hints, &found);
    if (failed || !found)
        return jg_fail(err, JAEGER_UNAVAILABLE, "connection error: lookup %s: %s", target->host,
                       gai_strerror(failed));
    int fd = -1;
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = connect_one(a->ai_addr, a->ai_addrlen, deadline_ns);
    jaeger_status status = fd < 0 ? fail_dial(err, target->host, target->port) : JAEGER_OK;
    freeaddrinfo(found);
    if (status == JAEGER_OK)
        *ret_fd = fd;
    return status;
}

/* ---- TLS --------------------------------------------------------------------------------------------------
 */

static jaeger_status fail_handshake(SSL *ssl, jaeger_error *err)
{
    char text[160];
    long verify = SSL_get_verify_result(ssl);
    const char *reason =
        verify != X509_V_OK ? X509_verify_cert_error_string(verify) : jg_tls_error_text(text, sizeof text);
    ERR_clear_error();
    return jg_fail(err, JAEGER_UNAVAILABLE, "connection error: authentication handshake failed: %s", reason);
}

jaeger_status jg_dial_tls(SSL *ssl, int fd, uint64_t deadline_ns, jaeger_error *err)
{
    jg_sigpipe sigpipe;
    jg_sigpipe_hold(&sigpipe);
    jaeger_status status = SSL_set_fd(ssl, fd) ? JAEGER_OK : jg_fail_oom(err);
    while (status == JAEGER_OK) {
        ERR_clear_error();
        int n = SSL_do_handshake(ssl);
        if (n == 1)
            break;
        int want = SSL_get_error(ssl, n);
        if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE)
            status = fail_handshake(ssl, err);
        else if (!wait_for(fd, want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ns))
            status = jg_fail(err, JAEGER_DEADLINE_EXCEEDED, "connection error: TLS handshake took too long");
    }
    jg_sigpipe_release(&sigpipe);
    return status;
}
