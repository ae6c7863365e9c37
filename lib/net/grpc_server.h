/* SPDX-License-Identifier: Apache-2.0
 * gRPC servers on nghttp2. Unary and server-streaming methods; handlers run on workers,
 * or on a loop if they are prompt.
 * Spec: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
#ifndef JG_NET_GRPC_SERVER_H
#define JG_NET_GRPC_SERVER_H

#include "core/attr.h"
#include "core/buf.h"
#include "net/net.h"
#include "net/settings.h"
#include <jaeger/batch.h>

typedef struct jg_grpc_server jg_grpc_server;
typedef struct jg_grpc_stream jg_grpc_stream;

/** One call, on a worker. `call` has the deadline (grpc-timeout, else JG_TIMEOUT_DEFAULT_NS), an arena, the
 * cancelled flag (RST_STREAM or a closed connection) and, with include_metadata, the request's metadata. */
typedef struct jg_grpc_method {
    const char *path; /* "/jaeger.api_v3.QueryService/GetTrace" */
    /** Send any number of messages with jg_grpc_send (unary: one), then return the status; its text is
     *  call->error.message, its retry time goes out as google.rpc.RetryInfo. If the server defers, the
     * handler may return JAEGER_PENDING instead and do both later, then call->later->done; see
     * jaeger_consumer. */
    jaeger_status (*handle)(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call);
    void *self;
    bool question; /* run by jg_net_query_pool, as all are if the options say `questions` */
} jg_grpc_method;

/** As jg_http_auth, for gRPC: OK, UNAUTHENTICATED or PERMISSION_DENIED. `call` has all metadata. */
typedef struct jg_grpc_auth {
    jaeger_status (*check)(void *self, jaeger_call *call);
    void *self;
} jg_grpc_auth;

typedef struct jg_grpc_server_options {
    const jg_grpc_server_settings *settings; /* must outlive the server */
    const jg_grpc_method *methods;           /* copied; unknown paths answer UNIMPLEMENTED */
    size_t method_count;
    jg_grpc_auth auth;
    bool prompt; /* no handler ever waits: small requests are handled on the loop they came in on */
    bool defers; /* the same, as calls offer `later` */
    const char *const
        *health_services; /* NULL: no grpc.health.v1; else names that answer SERVING, "" included */
    size_t health_service_count;
    bool (*healthy)(void *user, jaeger_str service); /* asked by Check; on a loop; NULL: always */
    void *healthy_user;
    jaeger_str descriptors; /* a FileDescriptorSet for server reflection; empty: no reflection. Static */
    const char *name;
    bool questions;                      /* calls are run by jg_net_query_pool */
    uint64_t timeout_ns;                 /* of calls without one of their own; 0: JG_TIMEOUT_DEFAULT_NS */
    unsigned resets_burst, resets_per_s; /* RST_STREAMs a connection may send; 0: core/limits.h */
} jg_grpc_server_options;

/** Bind and serve. @return as jg_net_listen; INVALID_ARGUMENT: TLS files */
jaeger_status jg_grpc_server_start(jg_net *net, const jg_grpc_server_options *options, jg_grpc_server **ret,
                                   jaeger_error *err) JG_MUST_CHECK;
/** Two-step GOAWAY, let calls end up to deadline_ns, close, free. Accepts NULL. */
void jg_grpc_server_stop(jg_grpc_server *server, uint64_t deadline_ns);
uint16_t jg_grpc_server_port(const jg_grpc_server *server);

/** Queue one message (copied; framed by us; gzip if the request came in gzip and it is large). Blocks while
 * more than 256 KiB wait for the client. @return CANCELLED; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED */
jaeger_status jg_grpc_send(jg_grpc_stream *stream, const void *message, size_t len,
                           jaeger_call *call) JG_MUST_CHECK;
/** The same of a buffer. @return RESOURCE_EXHAUSTED also if the buffer overflowed */
jaeger_status jg_grpc_send_buf(jg_grpc_stream *stream, const jg_buf *buf, jaeger_call *call) JG_MUST_CHECK;
/** The request's memory, to keep beyond the handler's return; see jg_http_take_body. */
bool jg_grpc_take_request(jg_grpc_stream *stream, void **ret_bytes, size_t *ret_len,
                          jaeger_release_fn *ret_release, void **ret_user);
/** Send metadata behind the answer. `name`: static, lower case; of `value` JG_GRPC_TRAILER_BYTES - 1 bytes
 *  of printable ASCII are kept. At most JG_GRPC_TRAILERS_MAX in a call; more are left out. */
void jg_grpc_add_trailer(jg_grpc_stream *stream, const char *name, jaeger_str value);
/** Metadata of the request, if the server keeps it (include_metadata, or an authenticator); ptr NULL: none.
 */
jaeger_str jg_grpc_metadata(const jg_grpc_stream *stream, const char *name);
/** "127.0.0.1:53412". */
jaeger_str jg_grpc_peer(const jg_grpc_stream *stream);

#endif
