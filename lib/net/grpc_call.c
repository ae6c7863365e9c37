/* SPDX-License-Identifier: Apache-2.0
 * A call on its worker, or its loop: authenticate, decompress within the budget, run the handler, report its
 * end, which may come later and from another thread.
 */
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/self_span.h"
#include "core/str.h"
#include "net/encoding.h"
#include "net/grpc_conn.h"
#include "net/requests.h"
#include <time.h>

#define GZIP_BYTES_MIN 1024        /* smaller replies are not worth it */
#define FIRST_BYTES    (16u << 10) /* of a reply: leaves at once if larger */

/* ---- the request ------------------------------------------------------------------------------------------
 */

static bool admit(void *user, size_t bytes)
{
    return jg_net_admit(user, bytes);
}

static jaeger_status decode_failed(jg_grpc_stream *stream, jaeger_status status, jaeger_call *call)
{
    if (status == JAEGER_RESOURCE_EXHAUSTED)
        return jg_fail(&call->error, status, "grpc: received message after decompression larger than max %zu",
                       stream->server->message_bytes_max);
    if (status == JAEGER_UNAVAILABLE) {
        (void)jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "too many request bytes in flight");
        call->error.retry_after_ms = JG_RETRY_AFTER_MS;
        return JAEGER_RESOURCE_EXHAUSTED;
    }
    (void)jg_fail_prefix(&call->error, "grpc: failed to decompress the received message");
    return call->error.status = JAEGER_INTERNAL;
}

static jaeger_status decode(jg_grpc_stream *stream, jaeger_call *call)
{
    jg_net *net = stream->server->net;
    jg_decode_budget budget = {.admit = admit, .user = net};
    jg_buf out = JG_BUF_INIT(stream->server->message_bytes_max);
    jaeger_status status =
        jg_decode_within(jg_str(stream->encoding), (jaeger_str){(const char *)stream->body, stream->body_len},
                         &out, &budget, &call->error);
    if (status != JAEGER_OK) {
        jg_buf_done(&out);
        jg_net_release(net, budget.admitted);
        return decode_failed(stream, status, call);
    }
    jg_grpc_body_drop(stream);
    stream->admitted = budget.admitted;
    stream->body = jg_buf_take(&out, &stream->body_len);
    return JAEGER_OK;
}

static void release_request(void *user, void *bytes, size_t len)
{
    jg_free(bytes);
    jg_net_release(user, len);
}

bool jg_grpc_take_request(jg_grpc_stream *stream, void **ret_bytes, size_t *ret_len,
                          jaeger_release_fn *ret_release, void **ret_user)
{
    if (!stream->body || !stream->body_len)
        return false;
    *ret_bytes = stream->body;
    *ret_len = stream->body_len;
    *ret_release = release_request;
    *ret_user = stream->server->net;
    if (stream->admitted > stream->body_len)
        jg_net_release(stream->server->net, stream->admitted - stream->body_len);
    stream->body = NULL;
    stream->admitted = 0;
    return true;
}

void jg_grpc_add_trailer(jg_grpc_stream *stream, const char *name, jaeger_str value)
{
    size_t i = 0, len = 0;
    while (i < JG_GRPC_TRAILERS_MAX && stream->extra[i].name)
        i++;
    if (i == JG_GRPC_TRAILERS_MAX)
        return;
    for (; len < value.len && len < JG_GRPC_TRAILER_BYTES - 1; len++)
        stream->extra[i].value[len] = value.ptr[len] >= ' ' && value.ptr[len] <= '~' ? value.ptr[len] : ' ';
    stream->extra[i].value[len] = 0;
    stream->extra[i].name = name;
}

jaeger_str jg_grpc_metadata(const jg_grpc_stream *stream, const char *name)
{
    for (size_t i = 0; i < stream->metadata_count; i++)
        if (jg_str_is(stream->metadata[i].key, name))
            return stream->metadata[i].value;
    return (jaeger_str){0};
}

jaeger_str jg_grpc_peer(const jg_grpc_stream *stream)
{
    return jg_str(stream->peer);
}

/* ---- replies ----------------------------------------------------------------------------------------------
 */

/** With the mutex held. @return true: post after unlocking */
static bool mark_posted(jg_grpc_stream *stream)
{
    bool post = !stream->posted;
    stream->posted = true;
    return post;
}

/** With the mutex held. */
static jaeger_status wait_for_room(jg_grpc_stream *stream, jaeger_call *call)
{
    while (!stream->closed && !stream->finished && stream->queue.len > JG_GRPC_BACKLOG_BYTES_MAX) {
        uint64_t now = jg_clock_mono_ns();
        if (now >= stream->deadline_ns)
            return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "context deadline exceeded");
        struct timespec until = jg_cond_after(stream->deadline_ns - now);
        (void)pthread_cond_timedwait(&stream->reply_cond, &stream->reply_mutex, &until);
    }
    if (stream->finished && stream->status == JAEGER_DEADLINE_EXCEEDED)
        return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "context deadline exceeded");
    if (stream->closed || stream->finished)
        return jg_fail(&call->error, JAEGER_CANCELLED, "context canceled");
    return JAEGER_OK;
}

/** As grpc-go: a client that compresses gets compressed answers. */
static bool compress(const jg_grpc_stream *stream, jaeger_str message, jg_buf *out)
{
    if (message.len < GZIP_BYTES_MIN || !stream->accepts_gzip)
        return false;
    *out = JG_BUF_INIT(message.len);
    if (jg_encode(JAEGER_STR("gzip"), 1, message, out, NULL) == JAEGER_OK)
        return true;
    jg_buf_done(out); /* larger than before */
    return false;
}

jaeger_status jg_grpc_send(jg_grpc_stream *stream, const void *message, size_t len, jaeger_call *call)
{
    if (len > JG_GRPC_SEND_BYTES_MAX)
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED,
                       "trying to send message larger than max (%zu vs. %u)", len, JG_GRPC_SEND_BYTES_MAX);
    JG_AUTO_BUF jg_buf packed = {0};
    jaeger_str body = {message, len};
    bool gzip = compress(stream, body, &packed);
    if (gzip)
        body = jg_buf_view(&packed);
    uint8_t prefix[JG_GRPC_PREFIX_BYTES];
    jg_grpc_prefix_write(prefix, gzip, (uint32_t)body.len);
    bool post = false;
    (void)pthread_mutex_lock(&stream->reply_mutex);
    jaeger_status status = wait_for_room(stream, call);
    if (status == JAEGER_OK) {
        size_t before = stream->queue.len;
        jg_buf_append(&stream->queue, prefix, sizeof prefix);
        jg_buf_str(&stream->queue, body);
        if (jg_buf_ok(&stream->queue)) {
            if (stream->sent_first || stream->queue.len > FIRST_BYTES)
                post = mark_posted(stream);
        } else {
            stream->queue.len = before;
            stream->queue.failed = false;
            status = jg_fail_oom(&call->error);
        }
    }
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    stream->sent_first = true;
    if (post)
        jg_loop_post(stream->loop, &stream->post);
    return status;
}

jaeger_status jg_grpc_send_buf(jg_grpc_stream *stream, const jg_buf *buf, jaeger_call *call)
{
    if (!jg_buf_ok(buf))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "answer too large or out of memory");
    return jg_grpc_send(stream, buf->data, buf->len, call);
}

/** The worker does not touch the stream after this. */
static void finish(jg_grpc_stream *stream, jaeger_status status, const jaeger_error *error)
{
    jg_loop *loop = stream->loop;
    const char *text = error->status == status ? error->message : "";
    char *message = status == JAEGER_OK ? NULL : jg_strndup(text, strlen(text));
    (void)pthread_mutex_lock(&stream->reply_mutex);
    if (!stream->finished) {
        stream->finished = true;
        stream->extra_counts = true;
        stream->status = status;
        stream->message = message;
        stream->retry_after_ms = error->status == status && status != JAEGER_OK ? error->retry_after_ms : 0;
        message = NULL;
    }
    stream->worker_done = true;
    bool post = mark_posted(stream);
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    if (post)
        jg_loop_post(loop, &stream->post);
    jg_free(message);
}

static jaeger_status run_handler(jg_grpc_stream *stream, jaeger_call *call)
{
    const jg_grpc_server *server = stream->server;
    JG_TRY(jaeger_call_check(call)); /* it may have waited long for its worker */
    call->metadata = stream->metadata;
    call->metadata_count = stream->metadata_count;
    if (server->auth.check)
        JG_TRY(server->auth.check(server->auth.self, call));
    if (!server->settings->include_metadata) {
        call->metadata = NULL;
        call->metadata_count = 0;
    }
    if (stream->compressed)
        JG_TRY(decode(stream, call));
    jaeger_str request = {stream->body ? (const char *)stream->body : "",
                          stream->body ? stream->body_len : 0};
    return stream->method->handle(stream->method->self, request, stream, call);
}

/** Statuses that tell of a fault of ours: OpenTelemetry's semantic conventions for servers. */
static bool is_server_fault(jaeger_status status)
{
    const unsigned faults = 1u << JAEGER_UNKNOWN | 1u << JAEGER_DEADLINE_EXCEEDED |
                            1u << JAEGER_UNIMPLEMENTED | 1u << JAEGER_INTERNAL | 1u << JAEGER_UNAVAILABLE |
                            1u << JAEGER_DATA_LOSS;
    return faults >> status & 1;
}

jg_metric *jg_grpc_duration(jg_net *net, const char *path, jaeger_status status)
{
    static const double bounds_s[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                      0.5,   0.75, 1,     2.5,  5,     7.5, 10};
    const jaeger_pair labels[] = {
        {JAEGER_STR("rpc_method"), jg_str(path + 1)},
        {JAEGER_STR("rpc_response_status_code"), jg_str(jaeger_status_name(status))},
        {JAEGER_STR("rpc_system_name"), JAEGER_STR("grpc")}};
    return jg_metrics_histogram(jg_net_metrics(net), "rpc_server_call_duration",
                                "duration of gRPC calls in seconds", labels, JG_COUNT(labels), bounds_s,
                                JG_COUNT(bounds_s));
}

static void measure(const jg_grpc_stream *stream, jaeger_status status)
{
    const jg_grpc_server *server = stream->server;
    size_t i = (size_t)(stream->method - server->methods);
    jg_metric *histogram = status == JAEGER_OK ? server->durations[i]
                                               : jg_grpc_duration(server->net, stream->method->path, status);
    jg_metric_observe(histogram, (double)(jg_clock_mono_ns() - stream->begin_ns) / 1e9);
}

static void end_span(jg_grpc_stream *stream, jaeger_status status)
{
    const jg_grpc_server *server = stream->server;
    jaeger_live_span *live = stream->span.live;
    if (live) {
        jaeger_span_set_str(live, JAEGER_STR("rpc.system"), JAEGER_STR("grpc"));
        jaeger_span_set_str(live, JAEGER_STR("rpc.method"), jg_str(stream->method->path + 1));
        jaeger_span_set_int(live, JAEGER_STR("rpc.grpc.status_code"), (int64_t)status);
        jaeger_span_set_str(live, JAEGER_STR("component"), jg_str(server->name ? server->name : ""));
    }
    jg_self_span_end(&stream->span, is_server_fault(status), &stream->call.error);
}

/** The handler is done with the call. */
static void end_call(void *user, jaeger_status status)
{
    jg_grpc_stream *stream = user;
    end_span(stream, status);
    measure(stream, status);
    const jaeger_error error = stream->call.error;
    jg_requests_end(&stream->mark, (int)status, status != JAEGER_OK, false, error.message);
    jg_grpc_body_drop(stream);
    jaeger_arena_free(stream->arena);
    stream->arena = NULL;
    finish(stream, status, &error);
}

void jg_grpc_call_run(jg_job *job)
{
    jg_grpc_stream *stream = JG_CONTAINER(job, jg_grpc_stream, job);
    jaeger_call *call = &stream->call;
    *call = JAEGER_CALL_INIT;
    call->deadline_ns = stream->deadline_ns;
    call->cancelled = &stream->cancelled;
    if (!stream->arena)
        stream->arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    call->arena = stream->arena;
    if (stream->server->defers) {
        stream->later = (jaeger_later){end_call, stream};
        call->later = &stream->later;
    }
    stream->begin_ns = jg_clock_mono_ns();
    jg_requests_begin(jg_net_requests(stream->server->net, false), &stream->mark, stream->server->name,
                      JAEGER_STR(""), jg_str(stream->method->path));
    jg_self_span_serve(&stream->span, jg_net_tracer(stream->server->net), call, stream->method->path + 1,
                       stream->metadata, stream->metadata_count);
    jaeger_status status = stream->arena ? run_handler(stream, call) : jg_fail_oom(&call->error);
    if (status != JAEGER_PENDING)
        end_call(stream, status);
}
