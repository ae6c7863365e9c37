/* SPDX-License-Identifier: Apache-2.0
 * Endpoints to listening sockets. Messages are worded as Go's net package words them.
 */
#include "core/err.h"
#include "core/str.h"
#include "net/net.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

/** What is being listened on, for messages. */
typedef struct listen_name {
    jaeger_str transport, endpoint;
    int type; /* SOCK_STREAM, SOCK_DGRAM */
} listen_name;

static jaeger_status fail_errno(jaeger_error *err, listen_name name, const char *step)
{
    char text[128];
    const char *reason = strerror_r(errno, text, sizeof text);
    return jg_fail(err, JAEGER_UNAVAILABLE, "listen %.*s %.*s: %s: %c%s", JAEGER_STR_ARGS(name.transport),
                   JAEGER_STR_ARGS(name.endpoint), step, tolower((unsigned char)reason[0]), reason + 1);
}

/** Bind, listen, hand out; closes `fd` on failure. */
static jaeger_status finish(int fd, const struct sockaddr *address, socklen_t len, listen_name name,
                            int *ret_fd, jaeger_error *err)
{
    const char *step = bind(fd, address, len) ? "bind" : NULL;
    if (!step && name.type == SOCK_STREAM && listen(fd, BACKLOG))
        step = "listen";
    if (!step) {
        *ret_fd = fd;
        return JAEGER_OK;
    }
    jaeger_status status = fail_errno(err, name, step);
    (void)close(fd);
    return status;
}

/* ---- unix -------------------------------------------------------------------------------------------------
 */

/** A socket file whose server is gone (killed): a connect is refused. */
static void remove_stale(const struct sockaddr_un *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, len) && errno == ECONNREFUSED)
        (void)unlink(address->sun_path);
    (void)close(fd);
}

static jaeger_status listen_unix(jaeger_str path, int *ret_fd, jaeger_error *err)
{
    listen_name name = {JAEGER_STR("unix"), path, SOCK_STREAM};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path.len || path.len >= sizeof address.sun_path)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "listen unix %.*s: bind: invalid argument",
                       JAEGER_STR_ARGS(path));
    memcpy(address.sun_path, path.ptr, path.len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_errno(err, name, "socket");
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    remove_stale(&address, len);
    return finish(fd, (struct sockaddr *)&address, len, name, ret_fd, err);
}

/* ---- tcp --------------------------------------------------------------------------------------------------
 */

/** "host:port" with optional brackets. @return false: not such text, or a port that is no number up to 65535
 */
static bool split_endpoint(jaeger_str endpoint, char host[256], char port[8])
{
    size_t colon = endpoint.len;
    while (colon > 0 && endpoint.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    jaeger_str h = {endpoint.ptr, colon - 1}, p = jg_str_skip(endpoint, colon);
    uint64_t number;
    if (!jg_str_to_u64(p, &number) || number > 65535)
        return false;
    if (h.len >= 2 && h.ptr[0] == '[' && h.ptr[h.len - 1] == ']')
        h = (jaeger_str){h.ptr + 1, h.len - 2};
    else if (memchr(h.len ? h.ptr : "", ':', h.len))
        return false;
    if (h.len >= 256)
        return false;
    (void)snprintf(host, 256, "%.*s", JAEGER_STR_ARGS(h));
    (void)snprintf(port, 8, "%u", (unsigned)number);
    return true;
}

static int inet_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd >= 0 && type == SOCK_STREAM)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

/** All interfaces: one IPv6 socket that takes IPv4 too; where there is no IPv6, an IPv4 socket. */
static jaeger_status listen_any(const char *port, int family, listen_name name, int *ret_fd,
                                jaeger_error *err)
{
    uint64_t number = 0;
    (void)jg_str_to_u64(jg_str(port), &number);
    int fd = family == AF_INET ? -1 : inet_socket(AF_INET6, name.type), only6 = family == AF_INET6;
    if (fd >= 0) {
        struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)};
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof only6);
        return finish(fd, (struct sockaddr *)&any, sizeof any, name, ret_fd, err);
    }
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    fd = family == AF_INET6 ? -1 : inet_socket(AF_INET, name.type);
    if (fd < 0)
        return fail_errno(err, name, "socket");
    return finish(fd, (struct sockaddr *)&any, sizeof any, name, ret_fd, err);
}

static jaeger_status listen_inet(jaeger_str endpoint, int family, listen_name name, int *ret_fd,
                                 jaeger_error *err)
{
    char host[256], port[8];
    if (!split_endpoint(endpoint, host, port))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "listen %.*s: address %.*s: missing or invalid port in address",
                       JAEGER_STR_ARGS(name.transport), JAEGER_STR_ARGS(endpoint));
    if (!host[0])
        return listen_any(port, family, name, ret_fd, err);
    struct addrinfo hints = {.ai_family = family, .ai_socktype = name.type, .ai_flags = AI_PASSIVE},
                    *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) || !found)
        return jg_fail(err, JAEGER_UNAVAILABLE, "listen %.*s: lookup %s: no such host",
                       JAEGER_STR_ARGS(name.transport), host);
    const struct addrinfo *best = found; /* as Go: IPv4 first where a name has both */
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        if (a->ai_family == AF_INET) {
            best = a;
            break;
        }
    int fd = inet_socket(best->ai_family, name.type);
    jaeger_status status = fd < 0 ? fail_errno(err, name, "socket")
                                  : finish(fd, best->ai_addr, best->ai_addrlen, name, ret_fd, err);
    freeaddrinfo(found);
    return status;
}

jaeger_status jg_net_listen_as(jaeger_str transport, jaeger_str endpoint, int *ret_fd, jaeger_error *err)
{
    if (!transport.len)
        transport = JAEGER_STR("tcp");
    jaeger_str prefix = JAEGER_STR("unix:");
    bool has_prefix = jg_str_starts(endpoint, prefix);
    if (has_prefix || jg_str_is(transport, "unix"))
        return listen_unix(has_prefix ? jg_str_skip(endpoint, prefix.len) : endpoint, ret_fd, err);
    int family = jg_str_is(transport, "tcp")    ? AF_UNSPEC
                 : jg_str_is(transport, "tcp4") ? AF_INET
                 : jg_str_is(transport, "tcp6") ? AF_INET6
                                                : -1;
    if (family < 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid transport type \"%.*s\"",
                       JAEGER_STR_ARGS(transport));
    return listen_inet(endpoint, family, (listen_name){transport, endpoint, SOCK_STREAM}, ret_fd, err);
}

jaeger_status jg_net_listen(jaeger_str endpoint, int *ret_fd, jaeger_error *err)
{
    return jg_net_listen_as(JAEGER_STR("tcp"), endpoint, ret_fd, err);
}

jaeger_status jg_net_bind_udp(jaeger_str endpoint, int *ret_fd, jaeger_error *err)
{
    return listen_inet(endpoint, AF_UNSPEC, (listen_name){JAEGER_STR("udp"), endpoint, SOCK_DGRAM}, ret_fd,
                       err);
}

void jg_net_unlisten(int fd)
{
    if (fd < 0)
        return;
    struct sockaddr_un address;
    socklen_t len = sizeof address;
    if (!getsockname(fd, (struct sockaddr *)&address, &len) && address.sun_family == AF_UNIX &&
        address.sun_path[0])
        (void)unlink(address.sun_path);
    (void)close(fd);
}

uint16_t jg_net_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len))
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port) : 0;
}

void jg_net_peer_text(const struct sockaddr *address, char out[JG_PEER_BYTES])
{
    char ip[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
        (void)snprintf(out, JG_PEER_BYTES, "%s:%u", ip, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        (void)inet_ntop(mapped ? AF_INET : AF_INET6, &v6->sin6_addr.s6_addr[mapped ? 12 : 0], ip, sizeof ip);
        (void)snprintf(out, JG_PEER_BYTES, mapped ? "%s:%u" : "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        (void)snprintf(out, JG_PEER_BYTES, "@");
    }
}
