/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the gRPC client share: grpc_client.c runs on callers' threads, grpc_client_conn.c on the
 * loop, grpc_client_later.c has the calls that nobody waits for.
 */
#ifndef JG_NET_GRPC_CLIENT_CONN_H
#define JG_NET_GRPC_CLIENT_CONN_H

#include "core/alloc.h"
#include "core/arena.h"
#include "core/limits.h"
#include "net/dial.h"
#include "net/grpc_client.h"
#include "net/grpc_wire.h"
#include "net/h2.h"
#include <pthread.h>

typedef struct jg_grpc_client_conn jg_grpc_client_conn;

struct jg_grpc_client {
    jg_net *net;
    const jg_grpc_client_settings *settings;
    size_t recv_bytes_max;
    jg_loop *loop; /* NULL until the first call */
    jg_dial_target target;
    bool uses_tls;
    jg_tls *tls;
    char authority[280];
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    /* the loop's */
    jg_grpc_client_conn *conns;             /* all; the first one is used if it is `usable` */
    struct jg_grpc_later *laters, *waiting; /* those that wait for a connection are not in `laters` */
    jg_job dial;                            /* for them, on a worker */
    jg_post dialed;
    uint64_t dial_until_ns;
    jaeger_error later_error; /* of that; status OK: there is a connection */

    pthread_mutex_t state_mutex;      /* guards what follows */
    pthread_cond_t state_cond;        /* any of it changed */
    bool ready, dialing, later_dials; /* later_dials: `dial` or `dialed` are under way */
    unsigned conn_count;
    uint64_t retry_at_ns, backoff_ns;
    jaeger_error dial_error;
};

/** A message of the answer. */
typedef struct jg_grpc_answer {
    struct jg_grpc_answer *next;
    size_t len;
    bool compressed;
    uint8_t bytes[];
} jg_grpc_answer;

/** One call, on its caller's stack. The loop does not touch it once `done` is set and `credit` is not posted.
 */
typedef struct jg_grpc_client_call {
    jg_grpc_client *client;
    nghttp2_nv *nv;
    size_t nv_count;
    struct jg_grpc_later *later; /* NULL: a caller waits */
    jaeger_str framed;           /* the message, or its beginning */
    bool own_body;               /* `framed` is all of it, not the caller's own before its parts */
    jaeger_str body;             /* what is left of it */
    const jaeger_str *parts;
    size_t part_count, body_len; /* what follows the body; the bytes of all */
    uint64_t deadline_ns;

    /* the loop's */
    jg_post begin, credit;
    jg_grpc_client_conn *conn; /* NULL: not on a connection */
    struct jg_grpc_client_call *next, *prev;
    int32_t id;
    size_t body_at, part_at, held; /* held: bytes of the stream's window not yet given back */
    uint8_t prefix[JG_GRPC_PREFIX_BYTES];
    unsigned prefix_len;
    jg_grpc_answer *filling; /* being received */
    size_t filled;
    int http_status, grpc_status; /* grpc_status -1: none came */
    char encoding[16];

    /* between the two */
    pthread_mutex_t answer_mutex;
    pthread_cond_t answer_cond;
    jg_grpc_answer *answers, **last;
    bool done, credit_posted;
    bool unsent; /* done, and the server never saw the call: try again */
    jaeger_error end;
} jg_grpc_client_call;

struct jg_grpc_client_conn {
    jg_h2 h2; /* first */
    jg_grpc_client *client;
    jg_grpc_client_conn *next, *prev;
    jg_grpc_client_call *calls;
    jg_timer keepalive;
    uint64_t ping_sent_ns;
    bool usable;
};

/* grpc_client.c */
/** Its loop; NULL: it could not be started. */
jg_loop *jg_grpc_client_loop(jg_grpc_client *client);
/** Have a connection, or say why not. Blocks. */
jaeger_status jg_grpc_client_ready(jg_grpc_client *client, uint64_t deadline_ns, const jaeger_call *call,
                                   jaeger_error *err) JG_MUST_CHECK;
/** Make the message of a call, in `room` if the request's own will not do. */
jaeger_status jg_grpc_client_body(jg_grpc_client_call *call, const jg_grpc_request *request, jg_buf *room,
                                  jaeger_error *err) JG_MUST_CHECK;
/** All of the message is to be sent. */
void jg_grpc_client_load(jg_grpc_client_call *call, const jg_grpc_request *request);
/** @return false: out of memory */
bool jg_grpc_client_headers(jg_grpc_client_call *c, jaeger_arena *arena, const jg_grpc_request *request,
                            const jaeger_call *call) JG_MUST_CHECK;
/** A message of the answer; in `plain` if it came compressed. */
jaeger_status jg_grpc_client_unpack(const jg_grpc_client_call *call, const jg_grpc_answer *answer,
                                    jg_buf *plain, jaeger_str *ret, jaeger_error *err) JG_MUST_CHECK;

/* grpc_client_later.c */
void jg_grpc_later_init(jg_grpc_client *client);
/** On the loop: the call is over, and off its connection. */
void jg_grpc_later_ended(struct jg_grpc_later *later);

/* grpc_client_conn.c */
bool jg_grpc_client_callbacks_init(jg_grpc_client *client);
/** On the loop: use a connected socket. @return false: nothing was taken over */
bool jg_grpc_client_attach(jg_grpc_client *client, int fd, SSL *ssl);
/** jg_post.run of `begin` and `credit`. */
void jg_grpc_client_begin(jg_post *post);
void jg_grpc_client_credit(jg_post *post);
/** jg_loop_sync: take the call off its connection, with RST_STREAM(CANCEL) if it still runs. */
void jg_grpc_client_detach(void *call);
/** jg_loop_sync: close all connections. */
void jg_grpc_client_close(void *client);

#endif
