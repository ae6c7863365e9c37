/* SPDX-License-Identifier: Apache-2.0
 * A gRPC server for tests with foreign clients: grpc_echo [host:port] [key=value...], methods of test.Echo:
 * Unary answers the request, Stream "<count> <size>" many messages, Sleep "<ms>", Fail with a status. OTLP
 * traces are indexed and dropped.
 * Keys: idle_ms, age_ms, grace_ms, time_ms, timeout_ms, min_ms, permit, mib, workers, jobs, budget, cert,
 * key, ca. SIGTERM: graceful stop of up to 20 s. It prints its port.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "net/grpc_server.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static jaeger_status unary(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self;
    return jg_grpc_send(stream, request.ptr, request.len, call);
}

static jaeger_status many(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self;
    unsigned count = 0, size = 0;
    const char *text = jg_str_z(call->arena, request);
    if (!text || sscanf(text, "%u %u", &count, &size) != 2)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "want <count> <size>");
    JG_AUTO_FREE void *message = jg_calloc(1, size + 1u);
    if (!message)
        return jg_fail_oom(&call->error);
    for (unsigned i = 0; i < count; i++)
        JG_TRY(jg_grpc_send(stream, message, size, call));
    return JAEGER_OK;
}

static jaeger_status sleep_ms(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self;
    uint64_t ms = 0;
    (void)jg_str_to_u64(request, &ms);
    for (uint64_t end = jg_clock_mono_ns() + ms * JG_NS_PER_MS; jg_clock_mono_ns() < end;) {
        JG_TRY(jaeger_call_check(call));
        (void)poll(NULL, 0, 5);
    }
    return jg_grpc_send(stream, request.ptr, request.len, call);
}

static jaeger_status fail(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self, (void)stream;
    (void)jg_fail(&call->error, JAEGER_UNAVAILABLE,
                  "tr\xc3\xbc"
                  "b 100%%\n%.*s",
                  JAEGER_STR_ARGS(request));
    call->error.retry_after_ms = 2500;
    return JAEGER_UNAVAILABLE;
}

/** "peer name=value name=value": what the call carries. */
static jaeger_status show(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self, (void)request;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    jg_buf_str(&out, jg_grpc_peer(stream));
    for (size_t i = 0; i < call->metadata_count; i++)
        jg_buf_printf(&out, " %.*s=%.*s", JAEGER_STR_ARGS(call->metadata[i].key),
                      JAEGER_STR_ARGS(call->metadata[i].value));
    return jg_grpc_send(stream, out.data, out.len, call);
}

/** OTLP into nothing: the transport and the index alone. */
static jaeger_status export_spans(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self, (void)request;
    void *bytes, *user;
    size_t len;
    jaeger_release_fn release;
    jaeger_batch *batch = NULL;
    if (!jg_grpc_take_request(stream, &bytes, &len, &release, &user))
        return jg_grpc_send(stream, "", 0, call);
    JG_TRY(jaeger_batch_from_otlp(bytes, len, release, user, &batch, &call->error));
    jaeger_batch_unref(batch);
    return jg_grpc_send(stream, "", 0, call);
}

static uint64_t number_of(int argc, char **argv, const char *key)
{
    uint64_t number = 0;
    for (int i = 1; i < argc; i++) {
        jaeger_str arg = jg_str(argv[i]), name = jg_str(key);
        if (arg.len > name.len && jg_str_starts(arg, name) && arg.ptr[name.len] == '=')
            (void)jg_str_to_u64(jg_str_skip(arg, name.len + 1), &number);
    }
    return number;
}

static jaeger_str text_of(int argc, char **argv, const char *key)
{
    for (int i = 1; i < argc; i++) {
        jaeger_str arg = jg_str(argv[i]), name = jg_str(key);
        if (arg.len > name.len && jg_str_starts(arg, name) && arg.ptr[name.len] == '=')
            return jg_str_skip(arg, name.len + 1);
    }
    return (jaeger_str){0};
}

static void read_settings(int argc, char **argv, jg_grpc_server_settings *s)
{
    s->endpoint = argc > 1 ? jg_str(argv[1]) : JAEGER_STR("127.0.0.1:0");
    s->include_metadata = true;
    s->max_recv_msg_size_mib = number_of(argc, argv, "mib");
    s->keepalive.server_parameters.max_connection_idle_ns = number_of(argc, argv, "idle_ms") * JG_NS_PER_MS;
    s->keepalive.server_parameters.max_connection_age_ns = number_of(argc, argv, "age_ms") * JG_NS_PER_MS;
    s->keepalive.server_parameters.max_connection_age_grace_ns =
        number_of(argc, argv, "grace_ms") * JG_NS_PER_MS;
    s->keepalive.server_parameters.time_ns = number_of(argc, argv, "time_ms") * JG_NS_PER_MS;
    s->keepalive.server_parameters.timeout_ns = number_of(argc, argv, "timeout_ms") * JG_NS_PER_MS;
    s->keepalive.enforcement_policy.min_time_ns = number_of(argc, argv, "min_ms") * JG_NS_PER_MS;
    s->keepalive.enforcement_policy.permit_without_stream = number_of(argc, argv, "permit");
    s->tls.cert_file = text_of(argc, argv, "cert");
    s->tls.key_file = text_of(argc, argv, "key");
    s->tls.client_ca_file = text_of(argc, argv, "ca");
    s->tls.enabled = s->tls.cert_file.len;
}

int main(int argc, char **argv)
{
    static const jg_grpc_method methods[] = {
        {"/test.Echo/Unary", unary, NULL},
        {"/test.Echo/Stream", many, NULL},
        {"/test.Echo/Sleep", sleep_ms, NULL},
        {"/test.Echo/Fail", fail, NULL},
        {"/test.Echo/Show", show, NULL},
        {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", export_spans, NULL}};
    static const char *const health[] = {"", "test.Echo"};
    sigset_t stop;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    jg_grpc_server_settings settings = {0};
    read_settings(argc, argv, &settings);
    jg_grpc_server_options options = {.settings = &settings,
                                      .methods = methods,
                                      .method_count = JG_COUNT(methods),
                                      .health_services = health,
                                      .health_service_count = JG_COUNT(health)};
    jg_net *net = NULL;
    jg_grpc_server *server = NULL;
    jaeger_error err = {0};
    if (jg_net_new(&(jg_net_options){.workers_max = (unsigned)number_of(argc, argv, "workers"),
                                     .jobs_max = (unsigned)number_of(argc, argv, "jobs"),
                                     .in_flight_bytes_max = number_of(argc, argv, "budget")},
                   &net, &err) != JAEGER_OK ||
        jg_grpc_server_start(net, &options, &server, &err) != JAEGER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    (void)printf("%u\n", jg_grpc_server_port(server));
    (void)fflush(stdout);
    int signal_number;
    (void)sigwait(&stop, &signal_number);
    jg_grpc_server_stop(server, jg_clock_mono_ns() + 20 * JG_NS_PER_S);
    jg_net_free(net);
    return 0;
}
