/* SPDX-License-Identifier: Apache-2.0
 * A gRPC server with the methods of test.Echo and a client for it, in one process. Ports 21000 and up are not
 * needed: the kernel chooses.
 */
#ifndef JG_TEST_GRPC_FIXTURE_H
#define JG_TEST_GRPC_FIXTURE_H

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "net/grpc_client.h"
#include "net/grpc_server.h"
#include "support/test.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

typedef struct grpc_fixture {
    jg_net_options net_options;
    jg_grpc_server_settings settings;
    jg_grpc_client_settings client_settings;
    size_t client_recv_max;
    jg_grpc_auth auth;
    jg_net *net;
    jg_grpc_server *server;
    jg_grpc_client *client;
    char endpoint[64], target[64];
    int sleeping; /* handlers in Sleep now; atomic */
} grpc_fixture;

static inline jaeger_status echo_unary(void *self, jaeger_str request, jg_grpc_stream *stream,
                                       jaeger_call *call)
{
    (void)self;
    return jg_grpc_send(stream, request.ptr, request.len, call);
}

static inline jaeger_status echo_stream(void *self, jaeger_str request, jg_grpc_stream *stream,
                                        jaeger_call *call)
{
    (void)self;
    unsigned count = 0, size = 0;
    if (sscanf(jg_str_z(call->arena, request), "%u %u", &count, &size) != 2)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "want <count> <size>");
    JG_AUTO_FREE uint8_t *message = jg_calloc(1, size + 1u);
    for (unsigned i = 0; i < count; i++) {
        message[0] = (uint8_t)i;
        JG_TRY(jg_grpc_send(stream, message, size, call));
    }
    return JAEGER_OK;
}

static inline jaeger_status echo_sleep(void *self, jaeger_str request, jg_grpc_stream *stream,
                                       jaeger_call *call)
{
    grpc_fixture *f = self;
    uint64_t ms = 0;
    jaeger_status status = JAEGER_OK;
    (void)jg_str_to_u64(request, &ms);
    __atomic_add_fetch(&f->sleeping, 1, __ATOMIC_RELAXED);
    for (uint64_t end = jg_clock_mono_ns() + ms * JG_NS_PER_MS;
         status == JAEGER_OK && jg_clock_mono_ns() < end;) {
        (void)poll(NULL, 0, 2);
        status = jaeger_call_check(call);
    }
    __atomic_sub_fetch(&f->sleeping, 1, __ATOMIC_RELAXED);
    JG_TRY(status);
    return jg_grpc_send(stream, request.ptr, request.len, call);
}

static inline jaeger_status echo_fail(void *self, jaeger_str request, jg_grpc_stream *stream,
                                      jaeger_call *call)
{
    (void)self, (void)stream;
    (void)jg_fail(&call->error, JAEGER_UNAVAILABLE, "100%%\n%.*s\xc3\xbc", JAEGER_STR_ARGS(request));
    call->error.retry_after_ms = 2500;
    return JAEGER_UNAVAILABLE;
}

static inline jaeger_status echo_show(void *self, jaeger_str request, jg_grpc_stream *stream,
                                      jaeger_call *call)
{
    (void)self, (void)request;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    for (size_t i = 0; i < call->metadata_count; i++)
        jg_buf_printf(&out, " %.*s=%.*s", JAEGER_STR_ARGS(call->metadata[i].key),
                      JAEGER_STR_ARGS(call->metadata[i].value));
    return jg_grpc_send(stream, out.data, out.len, call);
}

/** Takes the request's memory over and releases it from here. */
static inline jaeger_status echo_take(void *self, jaeger_str request, jg_grpc_stream *stream,
                                      jaeger_call *call)
{
    (void)self;
    void *bytes, *user;
    size_t len;
    jaeger_release_fn release;
    bool same =
        jg_grpc_take_request(stream, &bytes, &len, &release, &user) && bytes == (const void *)request.ptr;
    if (!same)
        return jg_fail(&call->error, JAEGER_INTERNAL, "nothing to take");
    jaeger_status status = jg_grpc_send(stream, bytes, len, call);
    release(user, bytes, len);
    return status;
}

static inline void fixture_serve(grpc_fixture *f)
{
    const jg_grpc_method methods[] = {
        {"/test.Echo/Unary", echo_unary, f}, {"/test.Echo/Stream", echo_stream, f},
        {"/test.Echo/Sleep", echo_sleep, f}, {"/test.Echo/Fail", echo_fail, f},
        {"/test.Echo/Show", echo_show, f},   {"/test.Echo/Take", echo_take, f}};
    static const char *const health[] = {"", "test.Echo"};
    jaeger_error err = {0};
    jg_grpc_server_options options = {.settings = &f->settings,
                                      .methods = methods,
                                      .method_count = JG_COUNT(methods),
                                      .auth = f->auth,
                                      .health_services = health,
                                      .health_service_count = JG_COUNT(health)};
    if (jg_grpc_server_start(f->net, &options, &f->server, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
}

static inline void fixture_start(grpc_fixture *f)
{
    jaeger_error err = {0};
    assert_ok(jg_net_new(&f->net_options, &f->net, NULL));
    if (!f->settings.endpoint.len)
        f->settings.endpoint = JAEGER_STR("127.0.0.1:0");
    fixture_serve(f);
    (void)snprintf(f->endpoint, sizeof f->endpoint, "127.0.0.1:%u", jg_grpc_server_port(f->server));
    f->client_settings.endpoint = jg_str(f->endpoint);
    if (!f->settings.tls.enabled)
        f->client_settings.tls.insecure = true;
    if (jg_grpc_client_new(f->net, &f->client_settings, f->client_recv_max, &f->client, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
}

static inline void fixture_stop(grpc_fixture *f)
{
    jg_grpc_client_free(f->client);
    jg_grpc_server_stop(f->server, jg_clock_mono_ns() + 5 * JG_NS_PER_S);
    assert_true(jg_net_admit(f->net, f->net_options.in_flight_bytes_max ? f->net_options.in_flight_bytes_max
                                                                        : 256u << 20)); /* all came back */
    jg_net_release(f->net,
                   f->net_options.in_flight_bytes_max ? f->net_options.in_flight_bytes_max : 256u << 20);
    jg_net_free(f->net);
}

/** One unary call with its own deadline; the answer is appended to `answer`. */
static inline jaeger_status fixture_call(grpc_fixture *f, const char *path, jaeger_str message,
                                         uint64_t timeout_ms, jg_buf *answer, jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + timeout_ms * JG_NS_PER_MS;
    jaeger_status status = jg_grpc_unary(f->client, path, message, answer, &call);
    if (err)
        *err = call.error;
    return status;
}

#endif
