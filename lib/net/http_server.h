/* SPDX-License-Identifier: Apache-2.0
 * HTTP/1.1 servers. Nothing outside net/http_*.c knows which library does it.
 *
 * Bodies arrive whole and decoded (Content-Encoding), bounded before they are read. Handlers run on workers;
 * a response is one piece, or a stream whose writes block while the client is slow. A request with both
 * Content-Length and Transfer-Encoding, or with two lengths, is refused.
 */
#ifndef JG_NET_HTTP_SERVER_H
#define JG_NET_HTTP_SERVER_H

#include "core/attr.h"
#include "net/net.h"
#include "net/settings.h"
#include <jaeger/batch.h>

typedef struct jg_http_server jg_http_server;
typedef struct jg_http_reply jg_http_reply;

/** A complete request; everything lives until the handler returns. */
typedef struct jg_http_request {
    jaeger_str method, path; /* path as sent, without the query, still percent-encoded */
    jaeger_str query;        /* after '?', still encoded; ptr NULL: none */
    jaeger_str body;
    jaeger_str content_type;    /* as sent, with parameters */
    jaeger_str peer;            /* "127.0.0.1:53412" */
    const jaeger_pair *headers; /* lower-case names, in order */
    size_t header_count;
    jaeger_call *call; /* arena, deadline, cancelled (the client closed); metadata if include_metadata */
} jg_http_request;

typedef struct jg_http_handler {
    /** On a worker. Must answer exactly once: jg_http_send, or begin ... end. */
    void (*handle)(void *self, jg_http_request *request, jg_http_reply *reply);
    void *self;
} jg_http_handler;

/** Decides on a request before its handler runs; set by components for `auth`.
 *  @return OK; UNAUTHENTICATED with the text for the 401 answer; PERMISSION_DENIED: for 403 */
typedef struct jg_http_auth {
    jaeger_status (*check)(void *self, const jg_http_request *request, jaeger_call *call);
    void *self;
    const char *challenge; /* WWW-Authenticate of the 401 answer; NULL: none */
} jg_http_auth;

typedef struct jg_http_server_options {
    const jg_http_server_settings *settings; /* must outlive the server */
    jg_http_handler handler;
    bool prompt;       /* the handler never waits: small requests are handled on the loop they came in on */
    bool questions;    /* requests are run by jg_net_query_pool */
    jg_http_auth auth; /* check NULL: none */
    const char *name;  /* for metrics and logs: the component id */
    bool untraced;     /* no spans of ours: it is asked by watchers, over and over */
    /** The pattern of a path, such as "/api/traces/{traceID}", for the name of its span; "": unknown. NULL:
     * the path itself, which then is one of few. `self` is the handler's. */
    const char *(*route)(void *self, jaeger_str method, jaeger_str path);
    bool recovers_errors; /* the handler words the answers to a bad Content-Encoding, a body that is too
                             large, and failed auth: see jg_http_request_error */
} jg_http_server_options;

/** Bind and serve. @return as jg_net_listen; INVALID_ARGUMENT: TLS files */
jaeger_status jg_http_server_start(jg_net *net, const jg_http_server_options *options, jg_http_server **ret,
                                   jaeger_error *err) JG_MUST_CHECK;
/** Stop accepting, let running requests end (up to deadline_ns, CLOCK_MONOTONIC), close, free. Accepts NULL.
 */
void jg_http_server_stop(jg_http_server *server, uint64_t deadline_ns);
uint16_t jg_http_server_port(const jg_http_server *server);

/** With recovers_errors: why the handler must refuse the request; `body` is then empty.
 *  @return OK: nothing; INVALID_ARGUMENT: unknown or bad Content-Encoding; RESOURCE_EXHAUSTED: too large;
 * UNAUTHENTICATED; PERMISSION_DENIED. Without the flag the server answers itself: 400, 401 or 403,
 * text/plain. */
jaeger_status jg_http_request_error(const jg_http_request *request, jaeger_error *ret);

/** First header `name` (lower case); ptr NULL: none. */
jaeger_str jg_http_header(const jg_http_request *request, const char *name);
/** Take the body's memory over (the handler keeps it beyond its return); give it to jaeger_batch_from_otlp
 * with this release function. The budget of jg_net is given back at release. @return false: empty body
 * (nothing to take) */
bool jg_http_take_body(jg_http_request *request, void **ret_bytes, size_t *ret_len,
                       jaeger_release_fn *ret_release, void **ret_user);

/** Add a header; before send or begin. Strings are copied. */
void jg_http_add_header(jg_http_reply *reply, const char *name, jaeger_str value);
/** Answer in one piece (copied). `content_type` NULL: no such header. */
void jg_http_send(jg_http_reply *reply, int status, const char *content_type, jaeger_str body);
/** Answer as a stream (chunked). */
void jg_http_begin(jg_http_reply *reply, int status, const char *content_type);
/** Copy bytes into the stream; blocks while more than 256 KiB wait for the client.
 *  @return CANCELLED: the client went away; DEADLINE_EXCEEDED: it reads too slowly */
jaeger_status jg_http_write(jg_http_reply *reply, jaeger_str bytes) JG_MUST_CHECK;
/** The stream is complete; with `ok` false the connection is cut so that the client sees an error. */
void jg_http_end(jg_http_reply *reply, bool ok);

/* ---- parsing helpers (net/http_query.c)
 * ------------------------------------------------------------------------ */

/** Decode %XX and, with `plus`, '+'. @return false: a bad escape. The result lives in the arena. */
bool jg_url_decode(jaeger_arena *arena, jaeger_str in, bool plus, jaeger_str *ret);
/** Walk a query string: "a=1&b=2". Start with *at = 0. @return false at the end. Pairs are decoded; bad ones
 * skipped. */
bool jg_query_next(jaeger_arena *arena, jaeger_str query, size_t *at, jaeger_pair *ret);
/** First value of `name`; ptr NULL: none. */
jaeger_str jg_query_get(jaeger_arena *arena, jaeger_str query, const char *name);

#endif
