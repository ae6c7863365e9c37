/* SPDX-License-Identifier: Apache-2.0
 * gRPC clients on nghttp2: unary and server-streaming calls that block the calling thread up to their
 * deadline, and unary calls that nobody waits for.
 *
 * One connection, made by the first call that needs it and again after it was lost, with a growing pause
 * after failures. Calls share it. Spec: see net/grpc_server.h, and gRPC's connection-backoff.md.
 */
#ifndef JG_NET_GRPC_CLIENT_H
#define JG_NET_GRPC_CLIENT_H

#include "core/attr.h"
#include "core/buf.h"
#include "net/net.h"
#include "net/settings.h"

typedef struct jg_grpc_client jg_grpc_client;

/** Check settings without reading files or opening anything. @return INVALID_ARGUMENT */
jaeger_status jg_grpc_client_check(const jg_grpc_client_settings *settings, jaeger_error *err) JG_MUST_CHECK;
/** @param settings must outlive the client
 *  @param recv_bytes_max largest message taken; 0: 4 MiB
 *  @return INVALID_ARGUMENT: endpoint, compression, TLS files. Does not connect. */
jaeger_status jg_grpc_client_new(jg_net *net, const jg_grpc_client_settings *settings, size_t recv_bytes_max,
                                 jg_grpc_client **ret, jaeger_error *err) JG_MUST_CHECK;
/** Calls must have returned, those without waiting must be done. Accepts NULL. */
void jg_grpc_client_free(jg_grpc_client *client);

/** One call. Zeroes where nothing is to be said. */
typedef struct jg_grpc_request {
    const char *path; /* "/package.Service/Method" */
    jaeger_str message;
    const jaeger_pair
        *metadata; /* lower-case keys; "-bin" values are sent as base64. settings->headers go too */
    size_t metadata_count;
    /** Each message of the answer, on the calling thread; not OK: the call is cancelled and returns that. */
    jaeger_status (*on_message)(void *user, jaeger_str message, jaeger_call *call);
    void *user;
    const jaeger_str *parts; /* more of the message, behind `message`, which is framed; NULL: none */
    size_t part_count;
    bool framed; /* message begins with its prefix (net/grpc_wire.h), as one that is not compressed */
} jg_grpc_request;

/** Make a call. Blocks up to call->deadline_ns (0: JG_TIMEOUT_DEFAULT_NS), or until call->cancelled.
 *  @return the server's status with its text and retry time in call->error; UNAVAILABLE: no connection;
 *          DEADLINE_EXCEEDED; CANCELLED; RESOURCE_EXHAUSTED: answer too large. Threads: any but loops. */
jaeger_status jg_grpc_call(jg_grpc_client *client, const jg_grpc_request *request,
                           jaeger_call *call) JG_MUST_CHECK;
/** A unary call: the one answer is appended to `answer`. */
jaeger_status jg_grpc_unary(jg_grpc_client *client, const char *path, jaeger_str message, jg_buf *answer,
                            jaeger_call *call) JG_MUST_CHECK;
/** The same with metadata; on_message and user of the request are not used. */
jaeger_status jg_grpc_unary_with(jg_grpc_client *client, const jg_grpc_request *request, jg_buf *answer,
                                 jaeger_call *call) JG_MUST_CHECK;
/** The same without waiting. PENDING: `done` will be called once, on the client's loop, with what
 * jg_grpc_unary_with would return and the text in call->error, at call->deadline_ns at the latest; it must
 * not block. What the request points to and `call` stay until then; call->cancelled is looked at once.
 * `answer` is empty unless OK. Threads: any. Blocks: no.
 * @return RESOURCE_EXHAUSTED: too large, or no memory */
typedef void (*jg_grpc_done_fn)(void *user, jaeger_status status, jaeger_str answer);
jaeger_status jg_grpc_unary_later(jg_grpc_client *client, const jg_grpc_request *request, jaeger_call *call,
                                  jg_grpc_done_fn done, void *user) JG_MUST_CHECK;
/** End all of those, with CANCELLED. Threads: any. */
void jg_grpc_client_cancel(jg_grpc_client *client);
/** Whether its connections are encrypted: what endpoint and tls say together. */
bool jg_grpc_client_uses_tls(const jg_grpc_client *client);

#endif
