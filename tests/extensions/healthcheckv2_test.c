/* SPDX-License-Identifier: Apache-2.0
 * The extension inside a service. Ports 22000-22899. */
#include "support/diag.h"

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
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {1}});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    assert_int_equal(jaeger_service_consume(service, "traces", batch, &call), JAEGER_UNAVAILABLE);
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
        cmocka_unit_test(the_legacy_answer_is_on_every_path),
        cmocka_unit_test(the_legacy_answer_can_be_worded),
        cmocka_unit_test(faults_of_the_configuration_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
