/* SPDX-License-Identifier: Apache-2.0
 * A UDP listener on a loop.
 */
#ifndef JG_NET_UDP_SERVER_H
#define JG_NET_UDP_SERVER_H

#include "core/attr.h"
#include "net/net.h"

typedef struct jg_udp_server jg_udp_server;

typedef struct jg_udp_server_options {
    jaeger_str endpoint;
    size_t datagram_bytes_max;   /* 0: JG_UDP_DATAGRAM_BYTES_MAX; longer ones are dropped and counted */
    size_t receive_buffer_bytes; /* SO_RCVBUF; 0: JG_UDP_BUFFER_BYTES */
    /** One datagram, on the loop: must not block; the bytes are gone after the return. Hand them to
     * jg_net_pool. */
    void (*receive)(void *self, jaeger_str datagram);
    void *self;
} jg_udp_server_options;

typedef struct jg_udp_server_stats {
    uint64_t received;
    uint64_t too_long;
    uint64_t dropped_by_kernel; /* the socket's buffer was full; known with the next datagram that comes */
} jg_udp_server_stats;

/** @return as jg_net_listen, with "listen udp ..." */
jaeger_status jg_udp_server_start(jg_net *net, const jg_udp_server_options *options, jg_udp_server **ret,
                                  jaeger_error *err) JG_MUST_CHECK;
/** Take what has arrived, close, free. No call of `receive` after the return. Accepts NULL. */
void jg_udp_server_stop(jg_udp_server *server);
uint16_t jg_udp_server_port(const jg_udp_server *server);
/** What the kernel granted (net.core.rmem_max may be less than was asked). */
size_t jg_udp_server_buffer_bytes(const jg_udp_server *server);
jg_udp_server_stats jg_udp_server_stats_of(const jg_udp_server *server);

#endif
