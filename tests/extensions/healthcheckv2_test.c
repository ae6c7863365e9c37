/* SPDX-License-Identifier: Apache-2.0
 * The extension inside a service. Ports 22000-22899. */
#include "net/grpc_client.h"
#include "support/diag.h"
#include <netinet/in.h>
#include <pthread.h>

static void status_is_json_and_has_components_when_verbose(void **state)
{
    (void)state;
    jaeger_service *service = diag_start("healthcheckv2: {use_v2: true, http: {endpoint: '127.0.0.1:%u'}}");
    jg_buf plain JG_AUTO_BUF = diag_get("/status");
    assert_has(&plain, "HTTP/1.1 200 OK\r\n");
    assert_has(&plain, "Content-Type: application/json\r\n");
    assert_has(&plain, "\r\n\r\n{\"start_time\":\"20");
    assert_has(&plain, "\"healthy\":true,\"status\":\"StatusOK\",\"status_time\":\"20");
    assert_has(&plain, "Z\",\"attributes\":{}}");
    assert_has_not(&plain, "components");
    jg_buf verbose JG_AUTO_BUF = diag_get("/status?verbose");
    assert_has(&verbose, "\"components\":{\"extensions\":{\"healthy\":true,");
    assert_has(&verbose, "\"extension:healthcheckv2\":{\"healthy\":true,\"status\":\"StatusOK\"");
    assert_has(&verbose, "\"pipeline:traces\":{\"healthy\":true,");
    assert_has(&verbose, "\"receiver:nop\":{");
    assert_has(&verbose, "\"exporter:nop\":{");
    jg_buf scoped JG_AUTO_BUF = diag_get("/status?pipeline=traces&verbose=true");
    assert_has(&scoped, "\"components\":{\"receiver:nop\":");
    jg_buf extensions JG_AUTO_BUF = diag_get("/status?pipeline=extensions");
    assert_has(&extensions, "HTTP/1.1 200 OK");
    jg_buf unknown JG_AUTO_BUF = diag_get("/status?pipeline=ghost");
    assert_has(&unknown, "HTTP/1.1 404 ");
    assert_has(&unknown, "Content-Length: 0\r\n");
    jg_buf root JG_AUTO_BUF = diag_get("/");
    assert_has(&root, "404 page not found\n");
    jg_buf config JG_AUTO_BUF = diag_get("/config");
    assert_has(&config, "HTTP/1.1 404 ");
    jaeger_service_free(service);
}

static jaeger_batch *one_span(void)
{
    jaeger_error err;
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {1}});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, &err));
    jaeger_builder_free(b);
    return batch;
}

/** A service whose only exporter sends to a port that nobody has, after it tried once. */
static jaeger_service *start_failing(const char *component_health)
{
    static char yaml[2048];
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\nexporters: {otlp_grpc: {endpoint: '127.0.0.1:1', tls: {insecure: true},\n"
        "  sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}, nop: }\n"
        "extensions: {healthcheckv2: {use_v2: true, http: {endpoint: '127.0.0.1:%u'},\n"
        "  component_health: {%s}}}\n"
        "service: {telemetry: {metrics: {level: none}}, extensions: [healthcheckv2], pipelines:\n"
        "  {traces: {receivers: [nop], exporters: [otlp_grpc]},\n"
        "   traces/2: {receivers: [nop], exporters: [nop]}}}\n",
        diag_port(), component_health);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    jaeger_service *service;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    if (jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    assert_int_equal(jaeger_service_consume(service, "traces", one_span(), &call), JAEGER_UNAVAILABLE);
    return service;
}

static void an_exporter_that_fails_counts_if_it_shall(void **state)
{
    (void)state;
    static const struct {
        const char *component_health, *all, *pipeline, *healthy;
    } rows[] = {
        {"", "HTTP/1.1 200 ", "HTTP/1.1 200 ", "\"healthy\":true,\"status\":\"StatusRecoverableError\""},
        {"include_recoverable_errors: true", "HTTP/1.1 500 ", "HTTP/1.1 500 ",
         "\"healthy\":false,\"status\":\"StatusRecoverableError\""},
        {"include_recoverable_errors: true, recovery_duration: 1h", "HTTP/1.1 200 ", "HTTP/1.1 200 ",
         "\"healthy\":true,\"status\":\"StatusRecoverableError\""},
        {"include_permanent_errors: true", "HTTP/1.1 200 ", "HTTP/1.1 200 ",
         "\"healthy\":true,\"status\":\"StatusRecoverableError\""},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service = start_failing(rows[i].component_health);
        jg_buf all JG_AUTO_BUF = diag_get("/status?verbose");
        assert_has(&all, rows[i].all);
        assert_has(&all, rows[i].healthy);
        assert_has(&all, "\"pipeline:traces/2\":{\"healthy\":true,\"status\":\"StatusOK\"");
        assert_has(&all, "\"error\":\"");
        jg_buf one JG_AUTO_BUF = diag_get("/status?pipeline=traces");
        assert_has(&one, rows[i].pipeline);
        jg_buf other JG_AUTO_BUF = diag_get("/status?pipeline=traces/2");
        assert_has(&other, "HTTP/1.1 200 ");
        assert_has(&other, "\"status\":\"StatusOK\"");
        jaeger_service_free(service);
    }
}

/* ---- a watcher, and a destination that changes its mind ---- */

typedef struct destination {
    int fd, status; /* atomic: of the answers */
    uint16_t port;
} destination;

static void *answer_posts(void *arg)
{
    destination *d = arg;
    for (int fd; (fd = accept(d->fd, NULL, NULL)) >= 0; (void)close(fd)) {
        char in[4096], out[128];
        (void)!recv(fd, in, sizeof in, 0);
        int len = snprintf(out, sizeof out, "HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                           __atomic_load_n(&d->status, __ATOMIC_RELAXED));
        (void)http_put(fd, out, (size_t)len);
        (void)shutdown(fd, SHUT_WR);
        (void)!recv(fd, in, sizeof in, 0);
    }
    return NULL;
}

typedef struct watcher {
    jg_grpc_client *client;
    const char *service;
    char told[32]; /* "+-+": serving or not */
    int count;     /* atomic */
} watcher;

static jaeger_status note_state(void *user, jaeger_str message, jaeger_call *call)
{
    watcher *w = user;
    (void)call;
    assert_int_equal(message.len, 2);
    w->told[w->count] = message.ptr[1] == 1 ? '+' : message.ptr[1] == 2 ? '-' : '?';
    __atomic_add_fetch(&w->count, 1, __ATOMIC_RELEASE);
    return w->count == 3 ? JAEGER_CANCELLED : JAEGER_OK;
}

static void *watch(void *arg)
{
    watcher *w = arg;
    char request[64];
    int len = snprintf(request, sizeof request, "\x0a%c%s", (int)strlen(w->service), w->service);
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + 60 * JG_NS_PER_S;
    call.arena = jaeger_arena_new(1 << 20);
    jg_grpc_request watching = {.path = "/grpc.health.v1.Health/Watch",
                                .message = {request, (size_t)len},
                                .on_message = note_state,
                                .user = w};
    assert_int_equal(jg_grpc_call(w->client, &watching, &call), JAEGER_CANCELLED);
    jaeger_arena_free(call.arena);
    return NULL;
}

static void wait_for(watcher *w, int count)
{
    for (int i = 0; i < 6000 && __atomic_load_n(&w->count, __ATOMIC_ACQUIRE) < count; i++)
        usleep(10000);
    if (__atomic_load_n(&w->count, __ATOMIC_ACQUIRE) < count)
        fail_msg("told only \"%s\"", w->told);
}

static void permanent_errors_are_told_and_watched(void **state)
{
    (void)state;
    static char yaml[2048];
    destination d = {.status = 401, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    assert_int_equal(bind(d.fd, (struct sockaddr *)&at, sizeof at) | listen(d.fd, 8), 0);
    assert_int_equal(getsockname(d.fd, (struct sockaddr *)&at, &at_len), 0);
    pthread_t answers, watches[2];
    assert_int_equal(pthread_create(&answers, NULL, answer_posts, &d), 0);
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\nexporters: {otlp_http: {endpoint: 'http://127.0.0.1:%u', timeout: 20s,\n"
        "  sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}, nop: }\n"
        "extensions: {healthcheckv2: {use_v2: true, http: {endpoint: '127.0.0.1:%u'},\n"
        "  grpc: {endpoint: '127.0.0.1:%u'}, component_health: {include_permanent_errors: true}}}\n"
        "service: {telemetry: {metrics: {level: none}}, extensions: [healthcheckv2], pipelines:\n"
        "  {traces: {receivers: [nop], exporters: [otlp_http]}}}\n",
        ntohs(at.sin_port), diag_port(), diag_port() + 900);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    jaeger_service *service;
    jaeger_error err = {0};
    if (jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", diag_port() + 900);
    jg_grpc_client_settings settings = {.endpoint = jg_str(endpoint), .tls = {.insecure = true}};
    jg_net *net;
    watcher watchers[2] = {{.service = ""}, {.service = "traces"}};
    assert_ok(jg_net_new(&(jg_net_options){0}, &net, &err));
    for (int i = 0; i < 2; i++) {
        assert_ok(jg_grpc_client_new(net, &settings, 0, &watchers[i].client, &err));
        assert_int_equal(pthread_create(&watches[i], NULL, watch, &watchers[i]), 0);
        wait_for(&watchers[i], 1);
    }
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_not_equal(jaeger_service_consume(service, "traces", one_span(), &call), JAEGER_OK);
    jg_buf all JG_AUTO_BUF = diag_get("/status?verbose");
    assert_has(&all, "HTTP/1.1 500 ");
    assert_has(&all,
               "\"exporter:otlp_http\":{\"healthy\":false,\"status\":\"StatusPermanentError\",\"error\":");
    for (int i = 0; i < 2; i++)
        wait_for(&watchers[i], 2);
    __atomic_store_n(&d.status, 400, __ATOMIC_RELAXED); /* of one batch: says nothing about the exporter */
    assert_int_not_equal(jaeger_service_consume(service, "traces", one_span(), &call), JAEGER_OK);
    __atomic_store_n(&d.status, 200, __ATOMIC_RELAXED);
    assert_ok(jaeger_service_consume(service, "traces", one_span(), &call));
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(watches[i], NULL);
        assert_string_equal(watchers[i].told, "+-+");
        jg_grpc_client_free(watchers[i].client);
    }
    jg_net_free(net);
    jaeger_service_free(service);
    (void)shutdown(d.fd, SHUT_RDWR);
    (void)pthread_join(answers, NULL);
    (void)close(d.fd);
}

static void the_legacy_answer_is_on_every_path(void **state)
{
    (void)state;
    jaeger_service *service = diag_start("healthcheckv2: {endpoint: '127.0.0.1:%u'}");
    jg_buf root JG_AUTO_BUF = diag_get("/");
    assert_has(&root, "HTTP/1.1 200 OK\r\n");
    assert_has(&root, "\r\n\r\n{\"status\":\"Server available\",\"upSince\":\"20");
    assert_has(&root, "\"uptime\":\"");
    jg_buf other JG_AUTO_BUF = diag_get("/other");
    assert_has(&other, "Server available");
    jaeger_service_free(service);
}

static void the_legacy_answer_can_be_worded(void **state)
{
    (void)state;
    jaeger_service *service = diag_start(
        "healthcheckv2: {endpoint: '127.0.0.1:%u', path: /health, response_body: {healthy: fine}}");
    jg_buf health JG_AUTO_BUF = diag_get("/health");
    assert_has(&health, "\r\n\r\nfine");
    jg_buf other JG_AUTO_BUF = diag_get("/healthy");
    assert_has(&other, "HTTP/1.1 404 ");
    jaeger_service_free(service);
}

static void faults_of_the_configuration_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *section, *want;
    } rows[] = {
        {"healthcheckv2: {use_v2: true}", "extensions::healthcheckv2: must specify at least one protocol"},
        {"healthcheckv2: {endpoint: ''}", "extensions::healthcheckv2: http endpoint required"},
        {"healthcheckv2: {path: x}", "extensions::healthcheckv2: path must start with /"},
        {"healthcheckv2: {use_v2: true, http: {status: {path: x}}}", "path must start with /"},
        {"healthcheckv2: {use_v2: true, grpc: {endpoint: ''}}", "grpc endpoint required"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_error err = {0};
        jaeger_service *service;
        assert_int_equal(diag_new(rows[i].section, &service, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, rows[i].want))
            fail_msg("%s: %s", rows[i].section, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_json_and_has_components_when_verbose),
        cmocka_unit_test(an_exporter_that_fails_counts_if_it_shall),
        cmocka_unit_test(permanent_errors_are_told_and_watched),
        cmocka_unit_test(the_legacy_answer_is_on_every_path),
        cmocka_unit_test(the_legacy_answer_can_be_worded),
        cmocka_unit_test(faults_of_the_configuration_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
