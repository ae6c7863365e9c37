/* SPDX-License-Identifier: Apache-2.0
 * Messages in: the prefix says how long a message is, so that memory is admitted and allocated once. A sender
 * that announces much and sends little holds little of the budget: the rest is admitted when the first part
 * is there.
 */
#include "core/err.h"
#include "net/grpc_conn.h"

#define FIRST_ADMISSION (64u << 10)

void jg_grpc_body_drop(jg_grpc_stream *stream)
{
    jg_free(stream->body);
    stream->body = NULL;
    if (stream->admitted)
        jg_net_release(stream->server->net, stream->admitted);
    stream->admitted = 0;
}

/** The request will not be used; what still comes is ignored, and the answer's reset ends the stream. */
static void refuse(jg_grpc_stream *stream, jaeger_status status, const char *message, uint32_t retry_after_ms)
{
    jg_grpc_reply_status(stream, 0, status, message, retry_after_ms);
}

/** @return false: refused */
static bool admit(jg_grpc_stream *stream, size_t up_to)
{
    size_t more = up_to - stream->admitted;
    if (!jg_net_admit(stream->server->net, more)) {
        refuse(stream, JAEGER_RESOURCE_EXHAUSTED, "too many request bytes in flight", JG_RETRY_AFTER_MS);
        return false;
    }
    stream->admitted = up_to;
    return true;
}

/** @return false: refused */
static bool begin_message(jg_grpc_stream *stream)
{
    jg_grpc_server *server = stream->server;
    uint32_t len;
    jaeger_error err;
    if (!jg_grpc_prefix_read(stream->prefix, &stream->compressed, &len)) {
        (void)jg_fail(&err, JAEGER_INTERNAL, "grpc: received unexpected payload format %d",
                      stream->prefix[0]);
        refuse(stream, JAEGER_INTERNAL, err.message, 0);
        return false;
    }
    if (stream->compressed && !stream->encoding[0]) {
        refuse(stream, JAEGER_INTERNAL, "grpc: compressed flag set with identity or empty encoding", 0);
        return false;
    }
    if (len > server->message_bytes_max) {
        (void)jg_fail(&err, JAEGER_RESOURCE_EXHAUSTED, "grpc: received message larger than max (%u vs. %zu)",
                      len, server->message_bytes_max);
        refuse(stream, JAEGER_RESOURCE_EXHAUSTED, err.message, 0);
        return false;
    }
    size_t partial_max = JG_MAX(JG_GRPC_PARTIAL_BYTES_MAX, server->message_bytes_max);
    if (len > partial_max - JG_MIN(stream->conn->partial_bytes, partial_max)) {
        refuse(stream, JAEGER_RESOURCE_EXHAUSTED, "too many incomplete requests on this connection",
               JG_RETRY_AFTER_MS);
        return false;
    }
    if (!len)
        return true;
    if (!admit(stream, JG_MIN(len, FIRST_ADMISSION)))
        return false;
    stream->body = jg_alloc(len);
    if (!stream->body) {
        refuse(stream, JAEGER_RESOURCE_EXHAUSTED, "out of memory", JG_RETRY_AFTER_MS);
        return false;
    }
    stream->body_len = len;
    stream->partial_bytes = len;
    stream->conn->partial_bytes += len;
    return true;
}

static void take_body(jg_grpc_stream *stream, const uint8_t *data, size_t len)
{
    if (stream->body_at + len > stream->admitted && !admit(stream, stream->body_len))
        return;
    memcpy(stream->body + stream->body_at, data, len);
    stream->body_at += len;
    if (stream->body_at == stream->body_len) {
        stream->conn->partial_bytes -= stream->partial_bytes;
        stream->partial_bytes = 0;
    }
}

/** Take bytes of the message at hand. @return how many; the rest belongs to what follows it */
static size_t receive_some(jg_grpc_stream *stream, const uint8_t *data, size_t len)
{
    size_t used = 0;
    if (stream->prefix_len < JG_GRPC_PREFIX_BYTES) {
        used = JG_MIN(len, (size_t)(JG_GRPC_PREFIX_BYTES - stream->prefix_len));
        memcpy(stream->prefix + stream->prefix_len, data, used);
        stream->prefix_len = (uint8_t)(stream->prefix_len + used);
        if (stream->prefix_len < JG_GRPC_PREFIX_BYTES || !begin_message(stream))
            return used;
    }
    size_t n = JG_MIN(len - used, stream->body_len - stream->body_at);
    if (n)
        take_body(stream, data + used, n);
    return used + n;
}

/** Reflection answers every message as it comes; then the next one may begin. */
static void next_message(jg_grpc_stream *stream)
{
    jg_grpc_reflection_answer(stream);
    jg_grpc_body_drop(stream);
    stream->body_len = stream->body_at = 0;
    stream->prefix_len = 0;
}

void jg_grpc_receive(jg_grpc_stream *stream, const uint8_t *data, size_t len)
{
    while (len && !stream->ignoring) {
        bool complete = stream->prefix_len == JG_GRPC_PREFIX_BYTES && stream->body_at == stream->body_len;
        if (complete) {
            refuse(stream, JAEGER_INTERNAL,
                   "cardinality violation: more than one message for a call that takes one", 0);
            return;
        }
        size_t used = receive_some(stream, data, len);
        data += used;
        len -= used;
        if (stream->builtin == JG_GRPC_REFLECTION && !stream->ignoring &&
            stream->prefix_len == JG_GRPC_PREFIX_BYTES && stream->body_at == stream->body_len)
            next_message(stream);
    }
}

/** Handing a request over to a worker and its answer back costs more than a small request does. */
static bool fits_on_loop(const jg_grpc_stream *stream)
{
    return (stream->server->prompt || stream->server->defers) && !stream->compressed &&
           stream->body_len <= JG_LOOP_REQUEST_BYTES_MAX && !stream->server->auth.check;
}

static void dispatch(jg_grpc_stream *stream)
{
    jg_grpc_server *server = stream->server;
    (void)__atomic_add_fetch(&stream->refs, 1, __ATOMIC_RELAXED);
    jg_grpc_live_add(server);
    if (fits_on_loop(stream)) {
        stream->job.run(&stream->job);
        return;
    }
    bool question = server->questions || stream->method->question;
    jg_pool *pool = question ? jg_net_query_pool(server->net) : jg_net_pool(server->net);
    if (jg_pool_submit(pool, &stream->job) == JAEGER_OK)
        return;
    (void)__atomic_sub_fetch(&stream->refs, 1, __ATOMIC_RELAXED);
    jg_grpc_live_drop(server);
    refuse(stream, JAEGER_UNAVAILABLE, "the server is busy: too many requests wait", JG_RETRY_AFTER_MS);
}

void jg_grpc_receive_end(jg_grpc_stream *stream)
{
    if (stream->builtin == JG_GRPC_REFLECTION && stream->prefix_len == 0)
        jg_grpc_reflection_end(stream);
    else if (stream->prefix_len == 0)
        refuse(stream, JAEGER_INTERNAL, "cardinality violation: received no request message", 0);
    else if (stream->prefix_len < JG_GRPC_PREFIX_BYTES || stream->body_at < stream->body_len)
        refuse(stream, JAEGER_INTERNAL, "unexpected EOF", 0);
    else if (stream->builtin)
        jg_grpc_health_answer(stream);
    else
        dispatch(stream);
}
