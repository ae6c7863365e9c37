/* SPDX-License-Identifier: Apache-2.0
 * Inside the HTTP server: the server, its connections (on loops), and the exchange of one request and its
 * reply (shared by a loop and a worker).
 */
#ifndef JG_NET_HTTP_IMPL_H
#define JG_NET_HTTP_IMPL_H

#include "core/pool.h"
#include "net/http_head.h"
#include "net/http_loop.h"
#include "net/http_server.h"
#include "net/tls.h"

typedef struct jg_http_conn jg_http_conn;

/** The listening socket, on one loop. */
typedef struct jg_http_listener {
    h2o_socket_t *sock; /* NULL: closed */
    struct jg_http_listener *next;
    bool paused; /* no descriptors, or too many connections: goes on at the next tick */
} jg_http_listener;

struct jg_http_server {
    jg_net *net;
    jg_http_server_options options;
    jg_http_loops *loops;
    jg_http_loop *accept_loop;
    jg_http_listener listener;
    jg_tls *tls;
    size_t body_bytes_max;
    uint16_t port;
    int stopping;               /* atomic: every answer closes its connection */
    int crowded;                /* atomic: at the limit of connections; idle ones are closed */
    pthread_mutex_t live_mutex; /* guards the counts */
    pthread_cond_t live_cond;
    unsigned conn_count, exchange_count;
};

typedef enum jg_http_conn_state {
    JG_CONN_HANDSHAKE,
    JG_CONN_HEAD, /* also between requests */
    JG_CONN_BODY,
    JG_CONN_BUSY,     /* a worker has the request, or the reply is being written */
    JG_CONN_REFUSING, /* writes an answer of its own */
    JG_CONN_LINGER,   /* the answer is out; reads on so that a reset does not overtake it */
    JG_CONN_CLOSING   /* TLS says goodbye */
} jg_http_conn_state;

struct jg_http_conn {
    h2o_socket_t *sock;
    jg_http_server *server;
    jg_http_loop *loop;
    jg_http_conn *next, **prev;
    SSL_CTX *ssl_ctx;
    jg_http_conn_state state;
    uint64_t deadline_ns, idle_since_ns;
    jg_http_reply *exchange;
    size_t head_seen;  /* bytes the head parser saw at its last call */
    size_t body_left;  /* of a Content-Length */
    uint64_t body_raw; /* received with chunk heads */
    uint64_t body_start_ns;
    jg_http_chunks chunks;
    size_t lingered;
    bool unread; /* a body was not read to its end: linger */
    bool ended;  /* the client sends no more */
    char refusal[512];
    char peer[JG_PEER_BYTES];
};

/** One request and its reply. `refs`: the connection, the worker, and mail under way have one each. */
struct jg_http_reply {
    jg_job job;
    jg_http_mail mail;
    int refs; /* atomic */
    jg_http_server *server;
    jg_http_loop *loop;

    /* the request; from the job's start the worker's */
    jg_http_request request;
    jaeger_call call;
    int cancelled; /* atomic; call.cancelled */
    jg_http_head head;
    uint8_t *body;
    size_t body_len, body_cap; /* body_cap is admitted in jg_net */
    jaeger_error request_error;

    /* the loop's */
    jg_http_conn *conn; /* NULL: closed */
    jg_buf sending;
    size_t sent; /* of `sending`, and given to the socket */
    bool writing;

    /* the worker's */
    bool begun, ended, chunked, head_only;
    bool framed; /* headers are out */
    int status;  /* once begun */
    jg_buf headers;

    pthread_mutex_t out_mutex; /* guards all below */
    pthread_cond_t out_room;
    jg_buf waiting;       /* bytes for the loop */
    size_t sending_bytes; /* taken by the loop, not yet with the kernel */
    bool mailed, gone;    /* gone: the connection is closed */
    bool complete, cut;   /* no more bytes; cut: the connection must show it */
    bool close;           /* the reply said "Connection: close" */
};

/* http_conn.c */
/** On the loop: take over an accepted, counted descriptor. */
void jg_http_conn_open(jg_http_server *server, jg_http_loop *loop, int fd, const char *peer);
/** On the loop: close idle connections of the server; with `all`, every one. */
void jg_http_conns_close(jg_http_loop *loop, const jg_http_server *server, bool all);
void jg_http_server_conn_gone(jg_http_server *server);

/* http_exchange.c */
/** On the loop. Reads `head_len` bytes of head. NULL: out of memory. @param ret_refuse 0, or an HTTP status
 * with text */
jg_http_reply *jg_http_exchange_new(jg_http_conn *conn, const char *head, size_t head_len, int *ret_refuse,
                                    const char **ret_why);
void jg_http_exchange_unref(jg_http_reply *ex);
typedef enum jg_http_body_result { JG_BODY_OK, JG_BODY_TOO_LARGE, JG_BODY_OVER_BUDGET } jg_http_body_result;
/** On the loop: add body bytes. */
jg_http_body_result jg_http_exchange_body(jg_http_reply *ex, const void *bytes, size_t len);
/** On the loop: forget the body; its memory goes. */
void jg_http_exchange_drop_body(jg_http_reply *ex);
/** The job: auth, decoding, the handler. */
void jg_http_exchange_run(jg_job *job);

/* http_reply.c */
void jg_http_reply_pump(jg_http_mail *mail); /* on the loop: see http_conn.c */
/** Text of http.Error: text/plain with a newline. */
void jg_http_send_error(jg_http_reply *reply, int status, jaeger_str text);

/* http_cors.c */
/** Add the headers of rs/cors. @return true: it was a preflight, answered */
bool jg_http_cors(const jg_cors_settings *cors, const jg_http_request *request, jg_http_reply *reply);

#endif
