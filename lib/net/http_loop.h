/* SPDX-License-Identifier: Apache-2.0
 * The HTTP threads of one jg_net: h2o event loops with a mailbox and a clock. Shared by all HTTP servers of
 * the net.
 */
#ifndef JG_NET_HTTP_LOOP_H
#define JG_NET_HTTP_LOOP_H

#include "core/attr.h"
#include <h2o/socket.h>
#include <jaeger/base.h>
#include <pthread.h>

struct jg_http_conn;
struct jg_http_listener;

/** A message to a loop; it must stay until `run` was called there. */
typedef struct jg_http_mail {
    void (*run)(struct jg_http_mail *mail);
    struct jg_http_mail *next;
} jg_http_mail;

/** One thread. Without a note, members belong to it. */
typedef struct jg_http_loop {
    h2o_loop_t *events;
    h2o_socket_t *bell; /* eventfd: there is mail */
    pthread_t thread;
    pthread_mutex_t mail_mutex; /* guards the list of mail */
    jg_http_mail *first, **last;
    struct jg_http_conn *conns;
    struct jg_http_listener *listeners;
    uint64_t next_tick_ns;
    unsigned load; /* atomic: connections */
    bool stop;
} jg_http_loop;

typedef struct jg_http_loops {
    unsigned count;
    jg_http_loop loops[];
} jg_http_loops;

/** Start `count` threads. @return RESOURCE_EXHAUSTED */
jaeger_status jg_http_loops_new(unsigned count, jg_http_loops **ret, jaeger_error *err) JG_MUST_CHECK;
/** All servers must be stopped. Joins the threads. Accepts NULL. */
void jg_http_loops_free(jg_http_loops *loops);
/** The one with the fewest connections. Threads: any. */
jg_http_loop *jg_http_loops_least(jg_http_loops *loops);
/** Threads: any. Never blocks. */
void jg_http_post(jg_http_loop *loop, jg_http_mail *mail);
/** Run `fn` on the loop and wait for it. Threads: not the loop's own. */
void jg_http_call(jg_http_loop *loop, void (*fn)(jg_http_loop *loop, void *arg), void *arg);

/** About four times a second while there is something to watch (http_conn.c, http_server.c). */
void jg_http_conns_tick(jg_http_loop *loop, uint64_t now_ns);
void jg_http_listeners_tick(jg_http_loop *loop);

#endif
