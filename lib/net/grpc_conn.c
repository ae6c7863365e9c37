/* SPDX-License-Identifier: Apache-2.0
 * The nghttp2 side of a server connection: its settings, its streams, their headers.
 */
#include "net/grpc_conn.h"

#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/self_span.h"
#include "core/str.h"

#define STREAM_WINDOW     (1 << 20)  /* 64 KiB costs 1.3 to 1.9 times the CPU */
#define CONNECTION_WINDOW (16 << 20) /* credited at once: the admission of messages is what bounds memory */

/* ---- streams ----------------------------------------------------------------------------------------------
 */

static void deadline_fired(jg_timer *timer)
{
    jg_grpc_stream *stream = JG_CONTAINER(timer, jg_grpc_stream, deadline);
    __atomic_store_n(&stream->cancelled, 1, __ATOMIC_RELAXED);
    jg_grpc_reply_status(stream, 0, JAEGER_DEADLINE_EXCEEDED, "context deadline exceeded", 0);
}

static jg_grpc_stream *stream_new(jg_grpc_conn *conn, int32_t id)
{
    jg_grpc_stream *stream = jg_calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->refs = 1;
    stream->server = conn->server;
    stream->loop = conn->h2.loop;
    stream->conn = conn;
    stream->id = id;
    stream->deadline.fire = deadline_fired;
    stream->post.run = jg_grpc_reply_posted;
    stream->job.run = jg_grpc_call_run;
    stream->queue = JG_BUF_INIT(JG_GRPC_BACKLOG_BYTES_MAX + JG_GRPC_SEND_BYTES_MAX + JG_GRPC_PREFIX_BYTES);
    stream->sending = stream->queue;
    memcpy(stream->peer, conn->peer, sizeof stream->peer);
    (void)pthread_mutex_init(&stream->reply_mutex, NULL);
    jg_cond_init(&stream->reply_cond);
    stream->next = conn->streams;
    if (stream->next)
        stream->next->prev = stream;
    conn->streams = stream;
    conn->stream_count++;
    return stream;
}

void jg_grpc_stream_unref(jg_grpc_stream *stream)
{
    if (__atomic_sub_fetch(&stream->refs, 1, __ATOMIC_ACQ_REL))
        return;
    jg_grpc_body_drop(stream);
    jg_buf_done(&stream->queue);
    jg_buf_done(&stream->sending);
    jg_free(stream->message);
    jaeger_arena_free(stream->arena);
    (void)pthread_cond_destroy(&stream->reply_cond);
    (void)pthread_mutex_destroy(&stream->reply_mutex);
    jg_free(stream);
}

/** The stream is over, for whatever reason: tell the worker, forget it. */
static void stream_closed(jg_grpc_stream *stream)
{
    jg_grpc_conn *conn = stream->conn;
    jg_loop_timer_clear(stream->loop, &stream->deadline);
    if (stream->next)
        stream->next->prev = stream->prev;
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        conn->streams = stream->next;
    conn->partial_bytes -= stream->partial_bytes;
    conn->stream_count--;
    stream->conn = NULL;
    (void)pthread_mutex_lock(&stream->reply_mutex);
    stream->closed = true;
    if (!stream->finished)
        __atomic_store_n(&stream->cancelled, 1, __ATOMIC_RELAXED);
    (void)pthread_cond_signal(&stream->reply_cond);
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    jg_grpc_stream_unref(stream);
    if (!conn->stream_count)
        jg_grpc_keepalive_idle(conn);
}

void jg_grpc_conn_closed(jg_h2 *h2)
{
    jg_grpc_conn *conn = (jg_grpc_conn *)h2;
    jg_grpc_server *server = conn->server;
    while (conn->streams)
        stream_closed(conn->streams);
    jg_loop_timer_clear(h2->loop, &conn->timer);
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->loops[jg_loop_index(h2->loop)].conns = conn->next;
    (void)jg_loop_load(h2->loop, -1);
    (void)__atomic_sub_fetch(&server->conn_count, 1, __ATOMIC_RELAXED);
    jg_free(conn);
    jg_grpc_live_drop(server);
}

/* ---- headers ----------------------------------------------------------------------------------------------
 */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    jg_grpc_conn *conn = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    jg_grpc_stream *stream = stream_new(conn, frame->hd.stream_id);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the stream is reset */
    (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    return 0;
}

static bool need_arena(jg_grpc_stream *stream)
{
    if (!stream->arena)
        stream->arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    return stream->arena != NULL;
}

static bool keep_metadata(jg_grpc_stream *stream, jaeger_str name, jaeger_str value)
{
    if (!need_arena(stream))
        return false;
    jaeger_pair *pairs = jg_arena_grow(stream->arena, stream->metadata, stream->metadata_count,
                                       &stream->metadata_cap, sizeof *pairs);
    if (!pairs)
        return false;
    stream->metadata = pairs;
    bool binary = name.len > 4 && memcmp(name.ptr + name.len - 4, "-bin", 4) == 0;
    jaeger_pair pair = {jaeger_arena_str(stream->arena, name), binary
                                                                   ? jg_grpc_binary_read(stream->arena, value)
                                                                   : jaeger_arena_str(stream->arena, value)};
    if (pair.key.ptr && pair.value.ptr)
        pairs[stream->metadata_count++] = pair;
    return pair.key.ptr != NULL;
}

static bool keeps(const jg_grpc_server *server, jaeger_str name)
{
    return server->keeps_metadata ? !jg_grpc_header_is_reserved(name)
                                  : jg_net_tracer(server->net) && jg_self_span_is_header(name);
}

static void take_path(jg_grpc_stream *stream, jaeger_str path)
{
    stream->method = jg_map_get(&stream->server->by_path, path);
    if (stream->method)
        return;
    stream->builtin = jg_grpc_health_method(stream->server, path);
    if (!stream->builtin)
        stream->builtin = jg_grpc_reflection_method(stream->server, path);
    if (!stream->builtin && need_arena(stream))
        stream->path = jaeger_arena_str(stream->arena, path);
}

static void take_timeout(jg_grpc_stream *stream, jaeger_str value)
{
    uint64_t ns;
    if (jg_grpc_timeout_read(value, &ns))
        stream->deadline_ns = jg_clock_mono_ns() + JG_MIN(ns, JG_GRPC_TIMEOUT_MAX_NS);
    else
        stream->timeout_bad = true;
}

static void take_encoding(jg_grpc_stream *stream, jaeger_str value)
{
    static const char *const known[] = {"gzip", "zstd", "snappy"};
    stream->encoding_unknown = !jg_str_is(value, "identity") && value.len;
    for (size_t i = 0; i < JG_COUNT(known); i++)
        if (jg_str_is(value, known[i]))
            stream->encoding_unknown = false;
    if (!jg_str_is(value, "identity")) /* unknown ones, cut, for the message */
        (void)snprintf(stream->encoding, sizeof stream->encoding, "%.*s", JAEGER_STR_ARGS(value));
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *user)
{
    (void)flags;
    jg_grpc_conn *conn = user;
    jg_grpc_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream || stream->end_of_headers) /* trailers of a request mean nothing */
        return 0;
    jaeger_str name = {(const char *)name_bytes, name_len}, value = {(const char *)value_bytes, value_len};
    stream->header_bytes += name_len + value_len + 32; /* as RFC 9113 counts them */
    if (stream->header_bytes > JG_HEADER_LIST_BYTES_MAX)
        return 0;
    if (jg_str_is(name, ":path"))
        take_path(stream, value);
    else if (jg_str_is(name, ":method"))
        stream->is_post = jg_str_is(value, "POST");
    else if (jg_str_is(name, "content-type"))
        stream->content_type_ok = jg_grpc_content_type_ok(value);
    else if (jg_str_is(name, "grpc-timeout"))
        take_timeout(stream, value);
    else if (jg_str_is(name, "grpc-encoding"))
        take_encoding(stream, value);
    else if (jg_str_is(name, "grpc-accept-encoding"))
        stream->accepts_gzip |= jg_grpc_list_has(value, "gzip");
    else if (keeps(conn->server, name) && !keep_metadata(stream, name, value))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

static void refuse_unknown(jg_grpc_stream *stream)
{
    jaeger_str service, method;
    jaeger_error err;
    if (!jg_grpc_path_split(stream->path, &service, &method)) {
        (void)jg_fail(&err, JAEGER_UNIMPLEMENTED, "malformed method name: \"%.*s\"",
                      JAEGER_STR_ARGS(stream->path));
    } else {
        bool known = false;
        jg_map_entry entry;
        for (size_t at = 0; jg_map_next(&stream->server->by_path, &at, &entry);)
            known |= entry.key.len > service.len + 1 && entry.key.ptr[service.len + 1] == '/' &&
                     memcmp(entry.key.ptr + 1, service.ptr, service.len) == 0;
        if (known)
            (void)jg_fail(&err, JAEGER_UNIMPLEMENTED, "unknown method %.*s for service %.*s",
                          JAEGER_STR_ARGS(method), JAEGER_STR_ARGS(service));
        else
            (void)jg_fail(&err, JAEGER_UNIMPLEMENTED, "unknown service %.*s", JAEGER_STR_ARGS(service));
    }
    jg_grpc_reply_status(stream, 0, JAEGER_UNIMPLEMENTED, err.message, 0);
}

/** The headers are complete: may the call go on? Words as grpc-go's. */
static void check_headers(jg_grpc_stream *stream)
{
    jaeger_error err;
    if (stream->header_bytes > JG_HEADER_LIST_BYTES_MAX)
        jg_grpc_reply_status(stream, 431, JAEGER_RESOURCE_EXHAUSTED, "header list size exceeded", 0);
    else if (!stream->is_post)
        jg_grpc_reply_status(stream, 405, JAEGER_INTERNAL, "the :method of a gRPC call should be POST", 0);
    else if (!stream->content_type_ok)
        jg_grpc_reply_status(stream, 415, JAEGER_INVALID_ARGUMENT, "invalid gRPC request content-type", 0);
    else if (stream->timeout_bad)
        jg_grpc_reply_status(stream, 400, JAEGER_INTERNAL, "malformed grpc-timeout", 0);
    else if (!stream->method && !stream->builtin)
        refuse_unknown(stream);
    else if (stream->encoding_unknown) {
        (void)jg_fail(&err, JAEGER_UNIMPLEMENTED,
                      "grpc: Decompressor is not installed for grpc-encoding \"%s\"", stream->encoding);
        jg_grpc_reply_status(stream, 0, JAEGER_UNIMPLEMENTED, err.message, 0);
    }
}

static void headers_done(jg_grpc_stream *stream)
{
    stream->end_of_headers = true;
    stream->accepts_gzip = stream->accepts_gzip && strcmp(stream->encoding, "gzip") == 0;
    if (!stream->deadline_ns)
        stream->deadline_ns = jg_clock_mono_ns() + stream->server->timeout_ns;
    check_headers(stream);
    if (!stream->ignoring && stream->builtin != JG_GRPC_HEALTH_WATCH && stream->builtin != JG_GRPC_REFLECTION)
        jg_loop_timer_set(stream->loop, &stream->deadline, stream->deadline_ns);
}

/* ---- frames -----------------------------------------------------------------------------------------------
 */

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    jg_grpc_conn *conn = user;
    jg_h2_schedule(&conn->h2);
    if (frame->hd.type == NGHTTP2_PING) {
        jg_grpc_keepalive_ping(conn, frame);
    } else if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        jg_grpc_keepalive_settled(conn);
    } else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
        jg_grpc_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (!stream)
            return 0;
        if (frame->hd.type == NGHTTP2_HEADERS && !stream->end_of_headers)
            headers_done(stream);
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !stream->ignoring)
            jg_grpc_receive_end(stream);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                         void *user)
{
    (void)flags, (void)user;
    jg_grpc_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream && !stream->ignoring)
        jg_grpc_receive(stream, data, len);
    /* What was refused is thrown away, what was admitted has its memory: either way there is room for more.
     */
    return nghttp2_session_consume(session, id, len) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    jg_grpc_conn *conn = user;
    jg_grpc_keepalive_sent(conn, frame);
    if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    /* Answered before the request was complete: ask the client to stop. Only now, as a reset throws away what
     * is queued. */
    if (!nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id))
        (void)nghttp2_submit_rst_stream(session, 0, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)code, (void)user;
    jg_grpc_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream)
        stream_closed(stream);
    return 0;
}

bool jg_grpc_callbacks_init(jg_grpc_server *server, unsigned resets_burst, unsigned resets_per_s)
{
    if (nghttp2_session_callbacks_new(&server->callbacks) || nghttp2_option_new(&server->option))
        return false;
    nghttp2_session_callbacks *c = server->callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_option_set_no_auto_window_update(server->option, 1);
    nghttp2_option_set_no_closed_streams(server->option, 1);
    nghttp2_option_set_stream_reset_rate_limit(server->option,
                                               resets_burst ? resets_burst : JG_GRPC_RESETS_BURST,
                                               resets_per_s ? resets_per_s : JG_GRPC_RESETS_PER_S);
    return true;
}

bool jg_grpc_conn_open(jg_grpc_conn *conn)
{
    jg_grpc_server *server = conn->server;
    if (nghttp2_session_server_new2(&conn->h2.session, server->callbacks, conn, server->option))
        return false;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, JG_HEADER_LIST_BYTES_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (nghttp2_submit_settings(conn->h2.session, 0, settings, JG_COUNT(settings)) == 0 &&
        nghttp2_session_set_local_window_size(conn->h2.session, 0, 0, CONNECTION_WINDOW) == 0)
        return true;
    nghttp2_session_del(conn->h2.session);
    return false;
}
