/* SPDX-License-Identifier: Apache-2.0
 * The network of one service: its I/O threads, its workers, and the budget of request bytes. All listeners
 * and clients of the service share it.
 *
 * I/O loops move bytes and never block; handlers run on workers and may block up to their deadline.
 */
#ifndef JG_NET_NET_H
#define JG_NET_NET_H

#include "core/metrics.h"
#include "core/pool.h"
#include <jaeger/base.h>

typedef struct jg_net jg_net;
struct jg_loop;       /* net/loop.h */
struct jg_http_loops; /* net/http_loop.h */
struct jg_requests;   /* net/requests.h */
struct jaeger_tracer;

/** Zeroes mean the defaults in core/limits.h; threads default to the number of cores (at most 8). */
typedef struct jg_net_options {
    unsigned loop_threads; /* epoll loops: gRPC, UDP, timers */
    unsigned http_threads; /* h2o event loops: HTTP/1.1 */
    unsigned workers_max, jobs_max;
    size_t in_flight_bytes_max; /* request bytes admitted at once */
    jg_metrics *metrics;        /* may be NULL */
    const jaeger_logger *log;   /* may be NULL */
} jg_net_options;

/** Threads start with the first listener or client. @return RESOURCE_EXHAUSTED */
jaeger_status jg_net_new(const jg_net_options *options, jg_net **ret, jaeger_error *err) JG_MUST_CHECK;
/** All servers and clients must be freed before. Joins the threads. Accepts NULL. */
void jg_net_free(jg_net *net);

jg_pool *jg_net_pool(jg_net *net);
/** Workers for questions, which may take long: they do not stand in the way of what comes in. */
jg_pool *jg_net_query_pool(jg_net *net);
/** The least loaded loop; starts the loop threads if need be. NULL: they could not be started. */
struct jg_loop *jg_net_loop(jg_net *net);
/** All loops; the count is 0 until the first one was started. */
unsigned jg_net_loop_count(jg_net *net);
struct jg_loop *jg_net_loop_at(jg_net *net, unsigned index);
unsigned jg_net_http_threads(const jg_net *net);
/** The HTTP threads; starts them if need be. @return RESOURCE_EXHAUSTED */
jaeger_status jg_net_http_loops(jg_net *net, struct jg_http_loops **ret, jaeger_error *err) JG_MUST_CHECK;
jg_metrics *jg_net_metrics(const jg_net *net);
const jaeger_logger *jg_net_log(const jg_net *net);
/** What our servers answer (net/requests.h). @param start begin to keep it. NULL: nobody began, or out of
 * memory */
struct jg_requests *jg_net_requests(jg_net *net, bool start);
/** Who records our servers' requests; NULL: nobody. Set before servers start, and NULL after they stopped. */
void jg_net_set_tracer(jg_net *net, struct jaeger_tracer *tracer);
struct jaeger_tracer *jg_net_tracer(const jg_net *net);

/** Admit request bytes before memory is filled. @return false: over the budget, refuse with
 * RESOURCE_EXHAUSTED or 503. Threads: any. */
bool jg_net_admit(jg_net *net, size_t bytes) JG_MUST_CHECK;
void jg_net_release(jg_net *net, size_t bytes);

/** "host:port", ":port", "[::1]:4317", "unix:/path" as a listening, non-blocking socket (SO_REUSEADDR,
 * backlog 1024). Host names are resolved; an empty host means all interfaces (dual stack).
 *  @return INVALID_ARGUMENT: not an endpoint; UNAVAILABLE: "listen tcp 127.0.0.1:4317: bind: address already
 * in use" */
jaeger_status jg_net_listen(jaeger_str endpoint, int *ret_fd, jaeger_error *err) JG_MUST_CHECK;
/** The same with the transport of the settings: "tcp", "tcp4", "tcp6", "unix" (the endpoint is then a path);
 * "" is tcp. A socket file that nobody listens on any more is replaced. */
jaeger_status jg_net_listen_as(jaeger_str transport, jaeger_str endpoint, int *ret_fd,
                               jaeger_error *err) JG_MUST_CHECK;
/** The same for datagrams: a bound, non-blocking socket. */
jaeger_status jg_net_bind_udp(jaeger_str endpoint, int *ret_fd, jaeger_error *err) JG_MUST_CHECK;
/** Close a listening socket; removes the file of a unix socket. */
void jg_net_unlisten(int fd);
/** "127.0.0.1:53412", "[::1]:53412", "@" for unix sockets; NUL-terminated. */
#define JG_PEER_BYTES 64
struct sockaddr;
void jg_net_peer_text(const struct sockaddr *address, char out[JG_PEER_BYTES]);
/** The port a socket is bound to (tests listen on port 0). */
uint16_t jg_net_port(int fd);

#endif
