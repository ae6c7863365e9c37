/* SPDX-License-Identifier: Apache-2.0
 * grpc.health.v1: a fixed list of services, SERVING while the server runs unless its owner says otherwise.
 * Answered on the loop, as Watch would hold a worker for ever; a watched state is looked at now and then,
 * since it also changes by time alone (recovery_duration of healthcheckv2).
 * Spec: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include "net/grpc_conn.h"

#define WATCH_NS (500 * JG_NS_PER_MS) /* between two looks at a state that is watched */

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };
enum { REQUEST_SERVICE = 1, RESPONSE_STATUS = 1 };

jg_grpc_builtin jg_grpc_health_method(const jg_grpc_server *server, jaeger_str path)
{
    if (!server->health_services)
        return JG_GRPC_BUILTIN_NONE;
    if (jg_str_is(path, "/grpc.health.v1.Health/Check"))
        return JG_GRPC_HEALTH_CHECK;
    return jg_str_is(path, "/grpc.health.v1.Health/Watch") ? JG_GRPC_HEALTH_WATCH : JG_GRPC_BUILTIN_NONE;
}

/** NULL: unknown. */
static const char *find_service(const jg_grpc_server *server, jaeger_str service)
{
    for (size_t i = 0; i < server->health_service_count; i++)
        if (jg_str_is(service, server->health_services[i]))
            return server->health_services[i];
    return NULL;
}

static uint8_t state_of(const jg_grpc_server *server, jaeger_str service)
{
    return !server->healthy || server->healthy(server->healthy_user, service) ? SERVING : NOT_SERVING;
}

static void queue_status(jg_grpc_stream *stream, uint8_t serving, bool end)
{
    const uint8_t message[] = {RESPONSE_STATUS << 3, serving};
    uint8_t prefix[JG_GRPC_PREFIX_BYTES];
    jg_grpc_prefix_write(prefix, false, sizeof message);
    (void)pthread_mutex_lock(&stream->reply_mutex);
    jg_buf_append(&stream->queue, prefix, sizeof prefix);
    jg_buf_append(&stream->queue, message, sizeof message);
    bool ok = jg_buf_ok(&stream->queue) && !stream->finished;
    stream->finished |= ok && end;
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    if (end)
        jg_loop_timer_clear(stream->loop, &stream->deadline);
    if (ok)
        jg_grpc_reply_update(stream);
    else
        jg_grpc_reply_status(stream, 0, JAEGER_RESOURCE_EXHAUSTED, "out of memory", 0);
}

static void look_again(jg_timer *timer)
{
    jg_grpc_stream *stream = JG_CONTAINER(timer, jg_grpc_stream, deadline);
    uint8_t state = state_of(stream->server, jg_str(stream->watched));
    jg_loop_timer_set(stream->loop, timer, jg_clock_mono_ns() + WATCH_NS);
    if (state == stream->watch_told)
        return;
    stream->watch_told = state;
    queue_status(stream, state, false);
}

/** An unknown service stays unknown: the list is fixed. */
static void watch(jg_grpc_stream *stream, const char *service)
{
    stream->watched = service;
    stream->watch_told = service ? state_of(stream->server, jg_str(service)) : SERVICE_UNKNOWN;
    if (service && stream->server->healthy) {
        stream->deadline.fire = look_again;
        jg_loop_timer_set(stream->loop, &stream->deadline, jg_clock_mono_ns() + WATCH_NS);
    }
    queue_status(stream, stream->watch_told, false);
}

void jg_grpc_health_answer(jg_grpc_stream *stream)
{
    jaeger_str service = JAEGER_STR("");
    jg_pb pb = jg_pb_of(stream->body, stream->body ? stream->body_len : 0);
    for (jg_pb_field field; jg_pb_next(&pb, &field);)
        if (field.number == REQUEST_SERVICE && field.wire == JG_PB_LEN)
            service = jg_pb_str(&field);
    const char *known = find_service(stream->server, service);
    if (stream->compressed)
        jg_grpc_reply_status(stream, 0, JAEGER_UNIMPLEMENTED, "compressed health checks are not read", 0);
    else if (pb.bad)
        jg_grpc_reply_status(stream, 0, JAEGER_INTERNAL, "grpc: failed to unmarshal the received message", 0);
    else if (stream->builtin == JG_GRPC_HEALTH_WATCH)
        watch(stream, known);
    else if (known)
        queue_status(stream, state_of(stream->server, service), true);
    else
        jg_grpc_reply_status(stream, 0, JAEGER_NOT_FOUND, "unknown service", 0);
    jg_grpc_body_drop(stream);
}
