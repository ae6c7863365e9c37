/* SPDX-License-Identifier: Apache-2.0
 * Life of a server connection: who is silent is pinged, who pings too often is cut off, who is idle or old is
 * asked to go. One timer a connection; each round of it looks at all rules and sets the next. Spec:
 * https://github.com/grpc/grpc/blob/master/doc/keepalive.md, gRFC A8, A9.
 */
#include "core/clock.h"
#include "net/grpc_conn.h"
#include <string.h>

#define TIME_DEFAULT_NS     (2 * 3600 * JG_NS_PER_S)
#define TIMEOUT_DEFAULT_NS  (20 * JG_NS_PER_S)
#define MIN_TIME_DEFAULT_NS (300 * JG_NS_PER_S)
#define PING_STRIKES_MAX    2
#define DRAIN_ACK_NS                                                                                         \
    (5 * JG_NS_PER_S) /* a client that does not answer the ping gets the final GOAWAY then                   \
                       */
#define IDLE_PING_MIN_NS (2 * 3600 * JG_NS_PER_S) /* between pings without a call, unless permitted */

static const uint8_t drain_ping[8] = "jg-drain";

typedef __typeof__(((jg_grpc_server_settings *)0)->keepalive) keepalive;

static uint64_t or_default(uint64_t ns, uint64_t fallback)
{
    return ns ? ns : fallback;
}

void jg_grpc_drain(jg_grpc_conn *conn)
{
    if (conn->draining)
        return;
    conn->draining = true;
    conn->drain_ns = jg_loop_now_ns(conn->h2.loop);
    if (conn->h2.handshaking) {
        jg_h2_abort(&conn->h2);
        return;
    }
    for (jg_grpc_stream *s = conn->streams, *next; s; s = next) {
        next = s->next;
        if (s->builtin == JG_GRPC_HEALTH_WATCH || s->builtin == JG_GRPC_REFLECTION)
            jg_grpc_reply_status(s, 0, JAEGER_UNAVAILABLE, "the server is stopping", 0);
    }
    (void)nghttp2_submit_shutdown_notice(conn->h2.session);
    jg_h2_schedule(&conn->h2);
    jg_loop_timer_set(conn->h2.loop, &conn->timer, conn->drain_ns + DRAIN_ACK_NS);
}

/** Streams the client began before it saw the notice are counted in; none is taken after this. */
static void final_goaway(jg_grpc_conn *conn)
{
    if (conn->final_goaway)
        return;
    conn->final_goaway = true;
    nghttp2_session *session = conn->h2.session;
    (void)nghttp2_submit_goaway(session, 0, nghttp2_session_get_last_proc_stream_id(session),
                                NGHTTP2_NO_ERROR, NULL, 0);
    jg_h2_schedule(&conn->h2);
}

/** A frame went out. A ping would overtake the GOAWAY in the queue, so it is submitted here. */
void jg_grpc_keepalive_sent(jg_grpc_conn *conn, const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
        conn->pings_forgiven = true;
    if (frame->hd.type == NGHTTP2_GOAWAY && conn->draining && !conn->final_goaway)
        (void)nghttp2_submit_ping(conn->h2.session, 0, drain_ping);
}

/* ---- pings of the client ----------------------------------------------------------------------------------
 */

static void strike(jg_grpc_conn *conn)
{
    if (++conn->ping_strikes <= PING_STRIKES_MAX)
        return;
    nghttp2_session *session = conn->h2.session;
    conn->draining = conn->final_goaway = true;
    (void)nghttp2_submit_goaway(session, 0, nghttp2_session_get_last_proc_stream_id(session),
                                NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)"too_many_pings", 14);
    (void)nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

void jg_grpc_keepalive_ping(jg_grpc_conn *conn, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
        if (memcmp(frame->ping.opaque_data, drain_ping, sizeof drain_ping) == 0 && conn->draining)
            final_goaway(conn);
        return;
    }
    const keepalive *k = &conn->server->settings->keepalive;
    uint64_t now = jg_loop_now_ns(conn->h2.loop), before = conn->last_ping_ns;
    uint64_t min = or_default(k->enforcement_policy.min_time_ns, MIN_TIME_DEFAULT_NS);
    if (!conn->stream_count && !k->enforcement_policy.permit_without_stream)
        min = IDLE_PING_MIN_NS;
    conn->last_ping_ns = now;
    if (conn->pings_forgiven) { /* we sent something since: pings around calls are measurements, not keepalive
                                 */
        conn->pings_forgiven = false;
        conn->ping_strikes = 0;
        conn->last_ping_ns = 0;
    } else if (before && now - before < min) {
        strike(conn);
    }
}

/* ---- the timer --------------------------------------------------------------------------------------------
 */

typedef struct round {
    jg_grpc_conn *conn;
    uint64_t now, next; /* next: when to look again */
    bool abort;
} round;

/** Has `ns` passed since `since`? If not, look again then. ns 0: the rule is off. */
static bool passed(round *r, uint64_t since, uint64_t ns)
{
    if (!ns)
        return false;
    uint64_t due = since + ns;
    if (r->now >= due)
        return true;
    r->next = JG_MIN(r->next, due);
    return false;
}

static void check_silence(round *r, const keepalive *k)
{
    jg_grpc_conn *conn = r->conn;
    uint64_t time = or_default(k->server_parameters.time_ns, TIME_DEFAULT_NS);
    uint64_t timeout = or_default(k->server_parameters.timeout_ns, TIMEOUT_DEFAULT_NS);
    if (conn->ping_sent_ns && conn->h2.last_read_ns > conn->ping_sent_ns)
        conn->ping_sent_ns = 0;
    if (conn->ping_sent_ns) {
        r->abort |= passed(r, conn->ping_sent_ns, timeout);
    } else if (passed(r, conn->h2.last_read_ns, time)) {
        conn->ping_sent_ns = r->now;
        (void)nghttp2_submit_ping(conn->h2.session, 0, NULL);
        jg_h2_schedule(&conn->h2);
        (void)passed(r, r->now, timeout);
    }
}

static void check_age(round *r, const keepalive *k)
{
    jg_grpc_conn *conn = r->conn;
    if (!conn->draining) {
        bool idle = !conn->stream_count &&
                    passed(r, conn->idle_since_ns, k->server_parameters.max_connection_idle_ns);
        if (idle || passed(r, conn->created_ns, conn->age_ns))
            jg_grpc_drain(conn);
    }
    if (conn->draining) {
        if (passed(r, conn->drain_ns, DRAIN_ACK_NS))
            final_goaway(conn);
        r->abort |= passed(r, conn->drain_ns, k->server_parameters.max_connection_age_grace_ns);
    }
}

static void look(jg_timer *timer)
{
    jg_grpc_conn *conn = JG_CONTAINER(timer, jg_grpc_conn, timer);
    const keepalive *k = &conn->server->settings->keepalive;
    round r = {.conn = conn, .now = jg_loop_now_ns(conn->h2.loop), .next = UINT64_MAX};
    if (!conn->settled)
        r.abort = passed(&r, conn->created_ns, JG_HANDSHAKE_NS);
    else
        check_silence(&r, k);
    check_age(&r, k);
    if (r.abort)
        jg_h2_abort(&conn->h2);
    else
        jg_loop_timer_set(conn->h2.loop, &conn->timer, r.next);
}

void jg_grpc_keepalive_settled(jg_grpc_conn *conn)
{
    if (conn->settled)
        return;
    conn->settled = true;
    look(&conn->timer);
}

void jg_grpc_keepalive_idle(jg_grpc_conn *conn)
{
    uint64_t idle = conn->server->settings->keepalive.server_parameters.max_connection_idle_ns;
    conn->idle_since_ns = jg_loop_now_ns(conn->h2.loop);
    if (idle && conn->timer.due_ns > conn->idle_since_ns + idle)
        jg_loop_timer_set(conn->h2.loop, &conn->timer, conn->idle_since_ns + idle);
}

void jg_grpc_keepalive_start(jg_grpc_conn *conn)
{
    uint64_t age = conn->server->settings->keepalive.server_parameters.max_connection_age_ns;
    conn->created_ns = conn->idle_since_ns = jg_loop_now_ns(conn->h2.loop);
    if (age) /* give or take a tenth, so that clients do not all come back at once */
        conn->age_ns = age - age / 10 + (uint64_t)((uintptr_t)conn >> 6) % (age / 5 + 1);
    conn->timer.fire = look;
    look(&conn->timer);
}
