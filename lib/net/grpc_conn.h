/* SPDX-License-Identifier: Apache-2.0
 * What the files of the gRPC server share: server, connection, stream. Who runs where is written at each
 * struct.
 *
 * - grpc_server.c: start, accept, stop
 * - grpc_conn.c: nghttp2 callbacks, headers
 * - grpc_receive.c: messages in, dispatch
 * - grpc_call.c: a call on its worker; replies of handlers
 * - grpc_reply.c: replies out, on the loop
 * - grpc_keepalive.c: pings, ages, GOAWAY
 * - grpc_health.c, grpc_reflection.c: services that the server answers itself, on the loop
 */
#ifndef JG_NET_GRPC_CONN_H
#define JG_NET_GRPC_CONN_H

#include "core/alloc.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/self_span.h"
#include "net/acceptor.h"
#include "net/grpc_server.h"
#include "net/grpc_wire.h"
#include "net/h2.h"
#include "net/requests.h"
#include "net/tls.h"
#include <pthread.h>

#define JG_GRPC_LOOPS_MAX 64

typedef struct jg_grpc_conn jg_grpc_conn;

/** Methods that the server answers itself, on the loop. */
typedef enum jg_grpc_builtin {
    JG_GRPC_BUILTIN_NONE,
    JG_GRPC_HEALTH_CHECK,
    JG_GRPC_HEALTH_WATCH,
    JG_GRPC_REFLECTION
} jg_grpc_builtin;

struct jg_grpc_server {
    jg_net *net;
    const char *name; /* id of the component; NULL: none */
    const jg_grpc_server_settings *settings;
    jg_grpc_auth auth;
    bool prompt, defers, questions;
    uint64_t timeout_ns; /* of calls without one of their own */
    jg_grpc_method *methods;
    size_t method_count;
    struct jg_metric **durations; /* of the calls of each method that succeeded */
    jaeger_str descriptors;
    jg_map by_path;      /* of jg_grpc_method; constant after the start */
    jaeger_arena *arena; /* copies of names */
    const char *const *health_services;
    size_t health_service_count;
    bool (*healthy)(void *user, jaeger_str service);
    void *healthy_user;
    jg_tls *tls;
    int listen_fd;
    uint16_t port;
    jg_acceptor acceptor;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    size_t message_bytes_max;
    uint32_t streams_max;
    bool keeps_metadata; /* include_metadata or an authenticator */
    struct {
        jg_grpc_conn *conns; /* on this loop; touched there only */
    } loops[JG_GRPC_LOOPS_MAX];
    unsigned conn_count; /* atomic */
    unsigned live;       /* atomic: connections, streams that workers hold, and the server itself */
    pthread_mutex_t live_mutex;
    pthread_cond_t live_cond; /* `gone` was set */
    bool gone;                /* live fell to zero */
};

/** One connection; everything on its loop. */
struct jg_grpc_conn {
    jg_h2 h2; /* first */
    jg_grpc_server *server;
    jg_grpc_conn *next, *prev;
    jg_grpc_stream *streams;
    unsigned stream_count;
    size_t partial_bytes; /* of requests that are not complete */
    jg_post arrive;
    jg_timer timer; /* grpc_keepalive.c */
    uint64_t created_ns, idle_since_ns, ping_sent_ns, last_ping_ns, drain_ns, age_ns;
    unsigned ping_strikes;
    bool settled; /* the client's SETTINGS came */
    bool pings_forgiven, draining, final_goaway;
    char peer[JG_PEER_BYTES];
};

/** One call. Freed with its last reference: the connection has one, the worker has one. */
struct jg_grpc_stream {
    unsigned refs; /* atomic */
    jg_grpc_server *server;
    jg_loop *loop;
    const jg_grpc_method *method; /* NULL: unknown or built in */
    jaeger_arena *arena;          /* NULL until needed; of the loop, then of the worker */
    jaeger_pair *metadata;
    size_t metadata_count, metadata_cap;
    uint64_t deadline_ns;
    char peer[JG_PEER_BYTES];
    char encoding[16]; /* of the request; "" is identity */
    bool accepts_gzip; /* and sent gzip: so may we */
    /* the request's bytes: filled by the loop, then the worker's */
    uint8_t *body;
    size_t body_len, admitted;
    bool compressed;

    /* the loop's */
    jg_grpc_conn *conn; /* NULL: closed */
    jg_grpc_stream *next, *prev;
    int32_t id;
    jg_grpc_builtin builtin;
    size_t header_bytes, body_at;
    size_t partial_bytes; /* counted in the connection's; 0 once the message is complete */
    jaeger_str path;      /* in the arena, for unknown ones only */
    jg_timer deadline;    /* of HEALTH_WATCH: the next look */
    const char *watched;  /* HEALTH_WATCH: the service; NULL: unknown */
    uint8_t watch_told;   /* the state its client knows */
    uint8_t prefix[JG_GRPC_PREFIX_BYTES];
    uint8_t prefix_len;
    bool has_content_type, content_type_ok, is_post, timeout_bad, encoding_unknown, end_of_headers;
    bool ignoring; /* answered before the request was complete */
    bool replied, deferred;
    jg_buf sending; /* taken from `queue` */
    size_t sending_at;

    /* the worker's */
    jg_job job;
    jaeger_call call;
    jaeger_later later; /* of the call */
    jg_request_mark mark;
    uint64_t begin_ns;
    jg_self_span span;
    bool sent_first; /* the first message of a reply waits for the second or the end: unary ones leave in one
                        piece */

    /* between the two */
    jg_post post;
    int cancelled; /* atomic */
    pthread_mutex_t reply_mutex;
    pthread_cond_t reply_cond; /* room in the queue, or closed */
    jg_buf queue;              /* framed messages */
    bool posted, closed;
    bool finished;    /* what follows is set */
    bool worker_done; /* its reference goes with the next post */
    int http_status;  /* 0: 200 */
    jaeger_status status;
    uint32_t retry_after_ms;
    char *message; /* jg_alloc, may be NULL */
    struct {
        const char *name; /* NULL: none */
        char value[JG_GRPC_TRAILER_BYTES];
    } extra[JG_GRPC_TRAILERS_MAX];
    bool extra_counts; /* `finished` by the worker: `extra` may be read */
};

/* grpc_server.c */
void jg_grpc_live_add(jg_grpc_server *server);
void jg_grpc_live_drop(jg_grpc_server *server);

/* grpc_conn.c */
bool jg_grpc_callbacks_init(jg_grpc_server *server, unsigned resets_burst, unsigned resets_per_s);
/** The session with its SETTINGS. @return false: out of memory */
bool jg_grpc_conn_open(jg_grpc_conn *conn);
void jg_grpc_conn_closed(jg_h2 *h2);
void jg_grpc_stream_unref(jg_grpc_stream *stream);

/* grpc_receive.c */
void jg_grpc_receive(jg_grpc_stream *stream, const uint8_t *data, size_t len);
/** The client has sent all. */
void jg_grpc_receive_end(jg_grpc_stream *stream);
/** Give the request's memory back. */
void jg_grpc_body_drop(jg_grpc_stream *stream);

/* grpc_call.c */
void jg_grpc_call_run(jg_job *job);

/* grpc_reply.c; on the loop */
/** End the call with a status, unless it has one already; the rest of the request is ignored. */
void jg_grpc_reply_status(jg_grpc_stream *stream, int http_status, jaeger_status status, const char *message,
                          uint32_t retry_after_ms);
/** Hand what is queued and the end, if it is known, to the session. */
void jg_grpc_reply_update(jg_grpc_stream *stream);
/** stream->post.run */
void jg_grpc_reply_posted(jg_post *post);

/* grpc_keepalive.c */
void jg_grpc_keepalive_start(jg_grpc_conn *conn);
/** The client's SETTINGS came. */
void jg_grpc_keepalive_settled(jg_grpc_conn *conn);
void jg_grpc_keepalive_ping(jg_grpc_conn *conn, const nghttp2_frame *frame);
void jg_grpc_keepalive_sent(jg_grpc_conn *conn, const nghttp2_frame *frame);
void jg_grpc_keepalive_idle(jg_grpc_conn *conn);
/** Two-step GOAWAY; the connection ends with its last call. */
void jg_grpc_drain(jg_grpc_conn *conn);

/* grpc_health.c */
/** Series of rpc_server_call_duration. */
struct jg_metric *jg_grpc_duration(jg_net *net, const char *path, jaeger_status status);
jg_grpc_builtin jg_grpc_health_method(const jg_grpc_server *server, jaeger_str path);
void jg_grpc_health_answer(jg_grpc_stream *stream);

/* grpc_reflection.c */
jg_grpc_builtin jg_grpc_reflection_method(const jg_grpc_server *server, jaeger_str path);
/** One request of the stream is complete. */
void jg_grpc_reflection_answer(jg_grpc_stream *stream);
/** The client has no more. */
void jg_grpc_reflection_end(jg_grpc_stream *stream);

#endif
