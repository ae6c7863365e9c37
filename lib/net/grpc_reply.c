/* SPDX-License-Identifier: Apache-2.0
 * Replies out, on the loop: headers, messages from the queue, trailers; or trailers only.
 */
#include "core/str.h"
#include "net/grpc_conn.h"
#include "net/status.h"
#include <stdio.h>

#define MESSAGE_BYTES_MAX (3u * sizeof((jaeger_error){0}.message)) /* every byte escaped */
#define DETAILS_BYTES_MAX 1024
#define TRAILERS_MAX      (8 + JG_GRPC_TRAILERS_MAX)

/** grpc-status and what goes with it; the texts must outlive the nghttp2_submit call. */
typedef struct trailers {
    nghttp2_nv nv[TRAILERS_MAX];
    size_t count;
    char http[4], code[4];
    jg_buf message;
    char details[JG_MAX(4 * (DETAILS_BYTES_MAX / 3 + 1), 8)];
} trailers;

static void add(trailers *t, const char *name, const void *value, size_t len)
{
    t->nv[t->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                                     len, NGHTTP2_NV_FLAG_NONE};
}

static void add_details(trailers *t, const jg_grpc_stream *stream)
{
    JG_AUTO_BUF jg_buf status = JG_BUF_INIT(DETAILS_BYTES_MAX);
    jg_status_write_pb(&status, stream->status, jg_str(stream->message), stream->retry_after_ms);
    if (!jg_buf_ok(&status))
        return; /* advice only */
    jg_base64_encode(status.data, status.len, t->details);
    add(t, "grpc-status-details-bin", t->details, jg_base64_size(status.len));
}

static void add_status(trailers *t, const jg_grpc_stream *stream)
{
    int n = snprintf(t->code, sizeof t->code, "%d", (int)stream->status);
    add(t, "grpc-status", t->code, (size_t)n);
    for (size_t i = 0; stream->extra_counts && i < JG_GRPC_TRAILERS_MAX && stream->extra[i].name; i++)
        add(t, stream->extra[i].name, stream->extra[i].value, strlen(stream->extra[i].value));
    if (stream->status == JAEGER_OK)
        return;
    jg_grpc_message_write(&t->message, jg_str(stream->message));
    if (t->message.len)
        add(t, "grpc-message", t->message.data, t->message.len);
    if (stream->retry_after_ms)
        add_details(t, stream);
}

static void add_head(trailers *t, const jg_grpc_stream *stream)
{
    int n = snprintf(t->http, sizeof t->http, "%d", stream->http_status ? stream->http_status : 200);
    add(t, ":status", t->http, (size_t)n);
    add(t, "content-type", "application/grpc", 16);
    if (stream->encoding_unknown)
        add(t, "grpc-accept-encoding", "gzip,zstd,snappy", 16);
}

/** Move what handlers queued to the loop's side. @return true: nothing more will come */
static bool take_queue(jg_grpc_stream *stream)
{
    (void)pthread_mutex_lock(&stream->reply_mutex);
    if (stream->sending_at == stream->sending.len && stream->queue.len) {
        jg_buf empty = stream->sending;
        jg_buf_clear(&empty);
        stream->sending = stream->queue;
        stream->sending_at = 0;
        stream->queue = empty;
        (void)pthread_cond_signal(&stream->reply_cond);
    }
    bool end = stream->finished && !stream->queue.len;
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    return end;
}

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
                          nghttp2_data_source *source, void *user)
{
    (void)user;
    jg_grpc_stream *stream = source->ptr;
    bool end = take_queue(stream);
    size_t n = JG_MIN(size, stream->sending.len - stream->sending_at);
    if (n)
        memcpy(out, stream->sending.data + stream->sending_at, n);
    stream->sending_at += n;
    if (stream->sending_at < stream->sending.len)
        return (ssize_t)n;
    if (end) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        trailers t = {.message = JG_BUF_INIT(MESSAGE_BYTES_MAX)};
        add_status(&t, stream);
        int failed = nghttp2_submit_trailer(session, id, t.nv, t.count);
        jg_buf_done(&t.message);
        return failed ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : (ssize_t)n;
    }
    if (n)
        return (ssize_t)n;
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

/** Headers and a body to come, or all in one frame. */
static int begin_reply(jg_grpc_stream *stream, bool end)
{
    nghttp2_session *session = stream->conn->h2.session;
    trailers t = {.message = JG_BUF_INIT(MESSAGE_BYTES_MAX)};
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_reply};
    bool only = end && stream->sending_at == stream->sending.len && stream->status != JAEGER_OK;
    add_head(&t, stream);
    if (only)
        add_status(&t, stream);
    else if (stream->accepts_gzip) /* each message says whether it is */
        add(&t, "grpc-encoding", "gzip", 4);
    int failed = nghttp2_submit_response(session, stream->id, t.nv, t.count, only ? NULL : &provider);
    jg_buf_done(&t.message);
    return failed;
}

void jg_grpc_reply_update(jg_grpc_stream *stream)
{
    nghttp2_session *session = stream->conn->h2.session;
    int failed = 0;
    if (!stream->replied) {
        stream->replied = true;
        bool end = take_queue(stream);
        failed = begin_reply(stream, end);
    } else if (stream->deferred) {
        stream->deferred = false;
        failed = nghttp2_session_resume_data(session, stream->id);
    }
    if (failed)
        (void)nghttp2_submit_rst_stream(session, 0, stream->id, NGHTTP2_INTERNAL_ERROR);
    jg_h2_schedule(&stream->conn->h2);
}

void jg_grpc_reply_status(jg_grpc_stream *stream, int http_status, jaeger_status status, const char *message,
                          uint32_t retry_after_ms)
{
    stream->ignoring = true;
    jg_loop_timer_clear(stream->loop, &stream->deadline);
    (void)pthread_mutex_lock(&stream->reply_mutex);
    bool first = !stream->finished;
    if (first) {
        stream->finished = true;
        stream->http_status = http_status;
        stream->status = status;
        stream->retry_after_ms = retry_after_ms;
        stream->message = jg_strndup(message, strlen(message));
        jg_buf_clear(&stream->queue);
        (void)pthread_cond_signal(&stream->reply_cond);
    }
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    if (first)
        jg_grpc_reply_update(stream);
}

void jg_grpc_reply_posted(jg_post *post)
{
    jg_grpc_stream *stream = JG_CONTAINER(post, jg_grpc_stream, post);
    (void)pthread_mutex_lock(&stream->reply_mutex);
    stream->posted = false;
    bool worker_done = stream->worker_done;
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    if (stream->conn) {
        if (worker_done)
            jg_loop_timer_clear(stream->loop, &stream->deadline);
        jg_grpc_reply_update(stream);
    }
    if (worker_done) {
        jg_grpc_server *server = stream->server;
        jg_grpc_stream_unref(stream);
        jg_grpc_live_drop(server);
    }
}
