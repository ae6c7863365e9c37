/* SPDX-License-Identifier: Apache-2.0
 * The client's side of HTTP/2, on the loop. The window of a stream is given back when the caller has taken
 * what came, so that an answer holds one message and one window at most.
 */
#include "net/grpc_client_conn.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include <stdio.h>

#define STREAM_WINDOW        (1 << 20)
#define CONNECTION_WINDOW    (16 << 20)
#define DETAILS_BYTES_MAX    4096
#define PING_TIMEOUT_DEFAULT (20 * JG_NS_PER_S)

/* ---- the end of a call ------------------------------------------------------------------------------------
 */

static void unlink_call(jg_grpc_client_call *call)
{
    if (!call->conn)
        return;
    if (call->next)
        call->next->prev = call->prev;
    if (call->prev)
        call->prev->next = call->next;
    else
        call->conn->calls = call->next;
    if (call->conn->h2.session)
        (void)nghttp2_session_set_stream_user_data(call->conn->h2.session, call->id, NULL);
    call->conn = NULL;
}

/** The call is over for the loop: it does not touch it after this. */
static void end_call(jg_grpc_client_call *call, bool unsent)
{
    unlink_call(call);
    jg_free(call->filling);
    call->filling = NULL;
    (void)pthread_mutex_lock(&call->answer_mutex);
    call->done = true;
    call->unsent = unsent;
    (void)pthread_cond_signal(&call->answer_cond);
    struct jg_grpc_later *later = call->later;
    (void)pthread_mutex_unlock(&call->answer_mutex);
    if (later)
        jg_grpc_later_ended(later);
}

static void fail_call(jg_grpc_client_call *call, jaeger_status status, const char *text, bool unsent)
{
    (void)jg_fail(&call->end, status, "%s", text);
    end_call(call, unsent);
}

static jaeger_status status_of_http(int http_status)
{
    switch (http_status) {
    case 400:
    case 200: /* no grpc-status */
        return JAEGER_INTERNAL;
    case 401:
        return JAEGER_UNAUTHENTICATED;
    case 403:
        return JAEGER_PERMISSION_DENIED;
    case 404:
        return JAEGER_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return JAEGER_UNAVAILABLE;
    default:
        return JAEGER_UNKNOWN;
    }
}

static void close_call(jg_grpc_client_call *call, uint32_t code)
{
    if (code == NGHTTP2_REFUSED_STREAM) {
        fail_call(call, JAEGER_UNAVAILABLE, "the server refused the stream", true);
    } else if (call->grpc_status >= 0) {
        bool cut = call->grpc_status == JAEGER_OK && (call->filling || call->prefix_len);
        if (cut)
            (void)jg_fail(&call->end, JAEGER_INTERNAL, "unexpected EOF");
        else
            call->end.status = call->grpc_status > JAEGER_UNAUTHENTICATED ? JAEGER_UNKNOWN
                                                                          : (jaeger_status)call->grpc_status;
        end_call(call, false);
    } else if (code == NGHTTP2_NO_ERROR && call->http_status) {
        (void)jg_fail(&call->end, status_of_http(call->http_status),
                      "the server answered with HTTP status %d and no gRPC status", call->http_status);
        end_call(call, false);
    } else {
        jaeger_status status = code == NGHTTP2_CANCEL              ? JAEGER_CANCELLED
                               : code == NGHTTP2_ENHANCE_YOUR_CALM ? JAEGER_RESOURCE_EXHAUSTED
                                                                   : JAEGER_INTERNAL;
        (void)jg_fail(&call->end, status, "stream terminated by RST_STREAM with error code: %s",
                      nghttp2_http2_strerror(code));
        end_call(call, false);
    }
}

/* ---- headers ----------------------------------------------------------------------------------------------
 */

/** google.rpc.RetryInfo in google.rpc.Status, as far as it is there. */
static uint32_t retry_of(const uint8_t *status, size_t len)
{
    uint64_t ms = 0;
    jg_pb_field any, part, delay, number;
    for (jg_pb pb = jg_pb_of(status, len); jg_pb_next(&pb, &any);) {
        bool is_retry = false;
        if (any.number != 3 || any.wire != JG_PB_LEN)
            continue;
        for (jg_pb in = jg_pb_of(any.ptr, any.len); jg_pb_next(&in, &part);) {
            if (part.number == 1 && part.wire == JG_PB_LEN)
                is_retry = jg_str_is(jg_pb_str(&part), "type.googleapis.com/google.rpc.RetryInfo");
            if (part.number != 2 || part.wire != JG_PB_LEN || !is_retry)
                continue;
            for (jg_pb info = jg_pb_of(part.ptr, part.len); jg_pb_next(&info, &delay);)
                if (delay.number == 1 && delay.wire == JG_PB_LEN)
                    for (jg_pb d = jg_pb_of(delay.ptr, delay.len); jg_pb_next(&d, &number);)
                        if (number.wire == JG_PB_VARINT)
                            ms += number.number == 1 ? JG_MIN(number.varint, 86400u) * 1000
                                                     : JG_MIN(number.varint, 999999999u) / 1000000;
        }
    }
    return (uint32_t)JG_MIN(ms, 86400000u);
}

static void take_details(jg_grpc_client_call *call, jaeger_str value)
{
    uint8_t status[3 * (DETAILS_BYTES_MAX / 4 + 1)];
    size_t len;
    if (value.len <= DETAILS_BYTES_MAX && jg_base64_decode(value, status, &len))
        call->end.retry_after_ms = retry_of(status, len);
}

static void take_message(jg_grpc_client_call *call, jaeger_str value)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_HEADER_LIST_BYTES_MAX);
    jg_grpc_message_read(&text, value);
    (void)snprintf(call->end.message, sizeof call->end.message, "%.*s", JAEGER_STR_ARGS(jg_buf_view(&text)));
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *user)
{
    (void)flags, (void)user;
    jg_grpc_client_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call)
        return 0;
    jaeger_str name = {(const char *)name_bytes, name_len}, value = {(const char *)value_bytes, value_len};
    uint64_t number;
    if (jg_str_is(name, ":status") && jg_str_to_u64(value, &number))
        call->http_status = (int)JG_MIN(number, 999u);
    else if (jg_str_is(name, "grpc-status"))
        call->grpc_status = jg_str_to_u64(value, &number) ? (int)JG_MIN(number, 99u) : JAEGER_UNKNOWN;
    else if (jg_str_is(name, "grpc-message"))
        take_message(call, value);
    else if (jg_str_is(name, "grpc-status-details-bin"))
        take_details(call, value);
    else if (jg_str_is(name, "grpc-encoding") && !jg_str_is(value, "identity"))
        (void)snprintf(call->encoding, sizeof call->encoding, "%.*s", JAEGER_STR_ARGS(value));
    return 0;
}

/* ---- messages ---------------------------------------------------------------------------------------------
 */

static void push_answer(jg_grpc_client_call *call)
{
    (void)pthread_mutex_lock(&call->answer_mutex);
    *call->last = call->filling;
    call->last = &call->filling->next;
    (void)pthread_cond_signal(&call->answer_cond);
    (void)pthread_mutex_unlock(&call->answer_mutex);
    call->filling = NULL;
    call->prefix_len = 0;
}

/** @return false: the call failed */
static bool begin_answer(jg_grpc_client_call *call)
{
    uint32_t len;
    bool compressed;
    jaeger_error err = {0};
    size_t max = call->client->recv_bytes_max;
    if (!jg_grpc_prefix_read(call->prefix, &compressed, &len))
        (void)jg_fail(&err, JAEGER_INTERNAL, "grpc: received unexpected payload format %d", call->prefix[0]);
    else if (len > max)
        (void)jg_fail(&err, JAEGER_RESOURCE_EXHAUSTED, "grpc: received message larger than max (%u vs. %zu)",
                      len, max);
    else if (!(call->filling = jg_alloc(sizeof *call->filling + len)))
        (void)jg_fail_oom(&err);
    if (err.status) {
        (void)nghttp2_submit_rst_stream(call->conn->h2.session, 0, call->id, NGHTTP2_CANCEL);
        fail_call(call, err.status, err.message, false);
        return false;
    }
    *call->filling = (jg_grpc_answer){.len = len, .compressed = compressed};
    call->filled = 0;
    return true;
}

/** @return false: the call is over, do not touch it */
static bool receive(jg_grpc_client_call *call, const uint8_t *data, size_t len)
{
    while (len) {
        if (!call->filling) {
            size_t n = JG_MIN(len, (size_t)(JG_GRPC_PREFIX_BYTES - call->prefix_len));
            memcpy(call->prefix + call->prefix_len, data, n);
            call->prefix_len += (unsigned)n;
            data += n;
            len -= n;
            if (call->prefix_len < JG_GRPC_PREFIX_BYTES)
                return true;
            if (!begin_answer(call))
                return false;
        }
        size_t n = JG_MIN(len, call->filling->len - call->filled);
        if (n)
            memcpy(call->filling->bytes + call->filled, data, n);
        call->filled += n;
        data += n;
        len -= n;
        if (call->filled == call->filling->len)
            push_answer(call);
    }
    return true;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                         void *user)
{
    (void)flags, (void)user;
    if (nghttp2_session_consume_connection(session, len))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    jg_grpc_client_call *call = nghttp2_session_get_stream_user_data(session, id);
    if (!call)
        return nghttp2_session_consume_stream(session, id, len) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    if (!receive(call, data, len))
        return 0;
    (void)pthread_mutex_lock(&call->answer_mutex);
    bool waiting = call->answers != NULL;
    (void)pthread_mutex_unlock(&call->answer_mutex);
    call->held += len;
    if (waiting)
        return 0;
    size_t held = call->held;
    call->held = 0;
    return nghttp2_session_consume_stream(session, id, held) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

void jg_grpc_client_credit(jg_post *post)
{
    jg_grpc_client_call *call = JG_CONTAINER(post, jg_grpc_client_call, credit);
    if (call->conn && call->held) {
        (void)nghttp2_session_consume_stream(call->conn->h2.session, call->id, call->held);
        call->held = 0;
        jg_h2_schedule(&call->conn->h2);
    }
    (void)pthread_mutex_lock(&call->answer_mutex);
    call->credit_posted = false;
    (void)pthread_cond_signal(&call->answer_cond);
    (void)pthread_mutex_unlock(&call->answer_mutex);
}

/* ---- sending ----------------------------------------------------------------------------------------------
 */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)source, (void)user, (void)out;
    jg_grpc_client_call *call = nghttp2_session_get_stream_user_data(session, id);
    if (!call) /* it went away; its reset follows */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = JG_MIN(size, call->body_len - call->body_at);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (call->body_at + n == call->body_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/** The frame that read_body announced. */
static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t len,
                     nghttp2_data_source *source, void *user)
{
    (void)source;
    jg_grpc_client_conn *conn = user;
    jg_grpc_client_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    uint8_t *out = jg_h2_put_data(&conn->h2, head, len);
    if (!out)
        return NGHTTP2_ERR_WOULDBLOCK;
    call->body_at += len;
    while (len) {
        if (!call->body.len) { /* on to the next part */
            call->body = call->parts[call->part_at++];
            continue;
        }
        size_t n = JG_MIN(len, call->body.len);
        memcpy(out, call->body.ptr, n);
        call->body = jg_str_skip(call->body, n);
        out += n;
        len -= n;
    }
    return 0;
}

void jg_grpc_client_begin(jg_post *post)
{
    jg_grpc_client_call *call = JG_CONTAINER(post, jg_grpc_client_call, begin);
    jg_grpc_client_conn *conn = call->client->conns;
    if (!conn || !conn->usable) {
        fail_call(call, JAEGER_UNAVAILABLE, "the connection was lost", true);
        return;
    }
    nghttp2_data_provider body = {.read_callback = read_body};
    int32_t id = nghttp2_submit_request(conn->h2.session, NULL, call->nv, call->nv_count, &body, call);
    if (id < 0) {
        fail_call(call, JAEGER_UNAVAILABLE, nghttp2_strerror(id), true);
        jg_h2_abort(&conn->h2); /* out of stream ids, or of memory */
        return;
    }
    call->id = id;
    call->conn = conn;
    call->next = conn->calls;
    if (call->next)
        call->next->prev = call;
    conn->calls = call;
    jg_h2_schedule(&conn->h2);
}

void jg_grpc_client_detach(void *arg)
{
    jg_grpc_client_call *call = arg;
    jg_grpc_client_conn *conn = call->conn;
    if (!conn)
        return;
    unlink_call(call);
    jg_free(call->filling);
    call->filling = NULL;
    (void)nghttp2_submit_rst_stream(conn->h2.session, 0, call->id, NGHTTP2_CANCEL);
    jg_h2_schedule(&conn->h2);
}

/* ---- connections ------------------------------------------------------------------------------------------
 */

/** No new calls on this connection. */
static void retire(jg_grpc_client_conn *conn)
{
    jg_grpc_client *client = conn->client;
    if (!conn->usable)
        return;
    conn->usable = false;
    (void)pthread_mutex_lock(&client->state_mutex);
    client->ready = false;
    (void)pthread_cond_broadcast(&client->state_cond);
    (void)pthread_mutex_unlock(&client->state_mutex);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    jg_grpc_client_conn *conn = user;
    jg_h2_schedule(&conn->h2);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        retire(conn);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)user;
    jg_grpc_client_call *call = nghttp2_session_get_stream_user_data(session, id);
    if (call)
        close_call(call, code);
    return 0;
}

/** A request that could not be sent, after a GOAWAY for example: there is no stream to be closed then. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
    (void)session;
    jg_grpc_client_conn *conn = user;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    for (jg_grpc_client_call *call = conn->calls; call; call = call->next)
        if (call->id == frame->hd.stream_id) {
            fail_call(call, JAEGER_UNAVAILABLE, nghttp2_strerror(error), true);
            break;
        }
    return 0;
}

static void conn_closed(jg_h2 *h2)
{
    jg_grpc_client_conn *conn = (jg_grpc_client_conn *)h2;
    jg_grpc_client *client = conn->client;
    retire(conn);
    while (conn->calls)
        fail_call(conn->calls, JAEGER_UNAVAILABLE, "the connection was lost", false);
    jg_loop_timer_clear(h2->loop, &conn->keepalive);
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        client->conns = conn->next;
    (void)jg_loop_load(h2->loop, -1);
    jg_free(conn);
    (void)pthread_mutex_lock(&client->state_mutex);
    client->conn_count--;
    (void)pthread_cond_broadcast(&client->state_cond);
    (void)pthread_mutex_unlock(&client->state_mutex);
}

static void keepalive(jg_timer *timer)
{
    jg_grpc_client_conn *conn = JG_CONTAINER(timer, jg_grpc_client_conn, keepalive);
    const jg_keepalive_client_settings *k = &conn->client->settings->keepalive;
    uint64_t now = jg_loop_now_ns(conn->h2.loop), next = conn->h2.last_read_ns + k->time_ns;
    if (conn->ping_sent_ns && conn->h2.last_read_ns < conn->ping_sent_ns) {
        jg_h2_abort(&conn->h2);
        return;
    }
    conn->ping_sent_ns = 0;
    if (now >= next) {
        next = now + k->time_ns;
        if (conn->calls || k->permit_without_stream) {
            conn->ping_sent_ns = now;
            next = now + (k->timeout_ns ? k->timeout_ns : PING_TIMEOUT_DEFAULT);
            (void)nghttp2_submit_ping(conn->h2.session, 0, NULL);
            jg_h2_schedule(&conn->h2);
        }
    }
    jg_loop_timer_set(conn->h2.loop, timer, next);
}

static bool open_session(jg_grpc_client_conn *conn)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, JG_HEADER_LIST_BYTES_MAX},
    };
    if (nghttp2_session_client_new2(&conn->h2.session, conn->client->callbacks, conn, conn->client->option))
        return false;
    if (nghttp2_submit_settings(conn->h2.session, 0, settings, JG_COUNT(settings)) == 0 &&
        nghttp2_session_set_local_window_size(conn->h2.session, 0, 0, CONNECTION_WINDOW) == 0)
        return true;
    nghttp2_session_del(conn->h2.session);
    return false;
}

bool jg_grpc_client_attach(jg_grpc_client *client, int fd, SSL *ssl)
{
    jg_grpc_client_conn *conn = jg_calloc(1, sizeof *conn);
    if (!conn)
        return false;
    conn->client = client;
    conn->h2.loop = client->loop;
    conn->h2.closed = conn_closed;
    conn->h2.ssl = ssl;
    if (!open_session(conn)) {
        jg_free(conn);
        return false;
    }
    if (!jg_h2_start(&conn->h2, fd, false)) {
        nghttp2_session_del(conn->h2.session);
        jg_free(conn);
        return false;
    }
    conn->usable = true;
    conn->next = client->conns;
    if (conn->next)
        conn->next->prev = conn;
    client->conns = conn;
    (void)jg_loop_load(client->loop, 1);
    conn->keepalive.fire = keepalive;
    if (client->settings->keepalive.enabled && client->settings->keepalive.time_ns)
        jg_loop_timer_set(client->loop, &conn->keepalive,
                          jg_loop_now_ns(client->loop) + client->settings->keepalive.time_ns);
    return true;
}

void jg_grpc_client_close(void *arg)
{
    jg_grpc_client *client = arg;
    for (jg_grpc_client_conn *conn = client->conns; conn; conn = conn->next) {
        (void)nghttp2_session_terminate_session(conn->h2.session, NGHTTP2_NO_ERROR);
        jg_h2_schedule(&conn->h2);
    }
}

bool jg_grpc_client_callbacks_init(jg_grpc_client *client)
{
    if (nghttp2_session_callbacks_new(&client->callbacks) || nghttp2_option_new(&client->option))
        return false;
    nghttp2_session_callbacks *c = client->callbacks;
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_send_data_callback(c, send_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
    nghttp2_option_set_no_auto_window_update(client->option, 1);
    nghttp2_option_set_no_closed_streams(client->option, 1);
    return true;
}
