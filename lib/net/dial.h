/* SPDX-License-Identifier: Apache-2.0
 * Connecting, on a thread that may block: resolve, connect, TLS handshake, all up to a deadline.
 */
#ifndef JG_NET_DIAL_H
#define JG_NET_DIAL_H

#include "net/tls.h"

/** Where to: `path` for unix sockets, else host and port. */
typedef struct jg_dial_target {
    char host[256], port[8], path[108];
    bool forces_plain, forces_tls; /* http:// and https:// */
} jg_dial_target;

/** "host:port", "[::1]:4317", with http://, https://, dns:///, passthrough:/// before it; "unix:path",
 * "unix:///path".
 *  @return INVALID_ARGUMENT */
jaeger_status jg_dial_parse(jaeger_str endpoint, jg_dial_target *ret, jaeger_error *err) JG_MUST_CHECK;
/** A connected, non-blocking socket without Nagle's delay. @return UNAVAILABLE, DEADLINE_EXCEEDED */
jaeger_status jg_dial(const jg_dial_target *target, uint64_t deadline_ns, int *ret_fd,
                      jaeger_error *err) JG_MUST_CHECK;
/** Shake hands over `fd`; `ssl` comes from jg_tls_client_ssl. @return UNAVAILABLE, DEADLINE_EXCEEDED */
jaeger_status jg_dial_tls(SSL *ssl, int fd, uint64_t deadline_ns, jaeger_error *err) JG_MUST_CHECK;

#endif
