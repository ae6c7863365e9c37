/* SPDX-License-Identifier: Apache-2.0
 * The receiver inside a service, before an exporter that says what the test tells it to. Ports 22000-22899.
 */
#include "core/arena.h"
#include "model/batch.h"
#include "net/encoding.h"
#include "net/grpc_client.h"
#include "pipeline/host.h"
#include "support/http.h"
#include <jaeger/service.h>

/* ---- an exporter that answers
 * ----------------------------------------------------------------------------------- */

static jaeger_error next_answer; /* what consume returns */
static size_t next_spans;        /* seen, or data points; SIZE_MAX: not called */
static uint32_t next_signal;

static jaeger_status answering_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self;
    (void)in;
    (void)err;
    return JAEGER_OK;
}

static jaeger_status answering_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    next_spans = jg_batch_items(take);
    next_signal = jaeger_batch_signal(take);
    jaeger_batch_unref(take);
    call->error = next_answer;
    return next_answer.status;
}

static const jaeger_component_type answering = {.size = sizeof(jaeger_component_type),
                                                .name = "answering",
                                                .doc = "answers",
                                                .kind = JAEGER_EXPORTER,
                                                .takes = JAEGER_TRACES | JAEGER_METRICS,
                                                .state_size = 1,
                                                .create = answering_create,
                                                .consume = answering_consume};
static const jaeger_field no_fields[] = {{0}};

/** An authenticator that knows one header. */
static jaeger_status check(void *self, jaeger_str authorization, jaeger_call *call)
{
    (void)self;
    if (jg_str_is(authorization, "Basic ok"))
        return JAEGER_OK;
    return jaeger_fail(&call->error, JAEGER_UNAUTHENTICATED, "no basic auth provided");
}

static const void *keeper_interface(void *self, const char *name)
{
    static const jg_auth_interface interface = {.check = check};
    (void)self;
    return strcmp(name, JG_AUTH_INTERFACE) == 0 ? &interface : NULL;
}

static const jaeger_component_type keeper = {.size = sizeof(jaeger_component_type),
                                             .name = "keeper",
                                             .doc = "asks",
                                             .kind = JAEGER_EXTENSION,
                                             .state_size = 1,
                                             .create = answering_create,
                                             .interface = keeper_interface};

static uint16_t port;
static char grpc_protocol[128]; /* YAML after the protocol http */
static const char *pipelines = "traces: {receivers: [otlp], exporters: [answering]}";

static jaeger_service *start(const char *http_settings)
{
    static const jaeger_component_type *types[2];
    static jaeger_component_type exporter, extension;
    static char yaml[2048];
    exporter = answering;
    extension = keeper;
    exporter.fields = extension.fields = no_fields;
    types[0] = &exporter;
    types[1] = &extension;
    next_answer = (jaeger_error){0};
    next_spans = SIZE_MAX;
    port = (uint16_t)(22000 + getpid() % 900);
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:%u'%s}%s}}}\n"
                   "exporters: {answering: }\nextensions: {keeper: }\n"
                   "service: {telemetry: {metrics: {level: none}}, extensions: [keeper],\n"
                   "  pipelines: {%s}}\n",
                   port, http_settings, grpc_protocol, pipelines);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.components = types;
    options.component_count = 2;
    jaeger_service *service;
    jaeger_error err = {0};
    if (jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

static jg_buf ask(const char *method, const char *path, const char *headers, jaeger_str body)
{
    jg_buf request JG_AUTO_BUF = JG_BUF_INIT(32u << 20);
    jg_buf_printf(&request, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", method, path,
                  body.len, headers);
    jg_buf_str(&request, body);
    return http_exchange(port, (char *)request.data, request.len);
}

/** The answer after its head. */
static jaeger_str body_of(const jg_buf *answer)
{
    const char *body = strstr((const char *)answer->data, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    return (jaeger_str){body, (size_t)((const char *)answer->data + answer->len - 1 - body)};
}

#define PROTOBUF "Content-Type: application/x-protobuf\r\n"
#define JSON     "Content-Type: application/json; charset=utf-8\r\n"

/** One span with ids and a name. */
static const char one_span[] = "\x0a\x29\x0a\x00\x12\x25\x0a\x00\x12\x21\x0a\x10"
                               "0123456789abcdef"
                               "\x12\x08"
                               "01234567"
                               "\x2a\x03"
                               "abc";
#define ONE_SPAN ((jaeger_str){one_span, sizeof one_span - 1})
static const char one_span_json[] =
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"30313233343536373839616263646566\","
    "\"spanId\":\"3031323334353637\",\"name\":\"abc\"}]}]}]}";

/* ---- tests
 * ------------------------------------------------------------------------------------------------------ */

static void spans_arrive_in_both_encodings(void **state)
{
    (void)state;
    jaeger_service *service = start("");
    jg_buf pb JG_AUTO_BUF = ask("POST", "/v1/traces", PROTOBUF, ONE_SPAN);
    assert_has(&pb, "HTTP/1.1 200 OK\r\n");
    assert_has(&pb, "Content-Type: application/x-protobuf\r\n");
    assert_int_equal(body_of(&pb).len, 2);
    assert_memory_equal(body_of(&pb).ptr, "\x0a\x00", 2);
    assert_int_equal(next_spans, 1);
    next_spans = SIZE_MAX;
    jg_buf json JG_AUTO_BUF = ask("POST", "/v1/traces", JSON, jg_str(one_span_json));
    assert_has(&json, "HTTP/1.1 200 OK\r\n");
    assert_has(&json, "Content-Type: application/json\r\n");
    assert_str(body_of(&json), "{\"partialSuccess\":{}}");
    assert_int_equal(next_spans, 1);
    jaeger_service_free(service);
}

static void an_empty_request_is_a_success_of_its_own(void **state)
{
    (void)state;
    jaeger_service *service = start("");
    jg_buf pb JG_AUTO_BUF = ask("POST", "/v1/traces", PROTOBUF, JAEGER_STR(""));
    jg_buf json JG_AUTO_BUF = ask("POST", "/v1/traces", JSON, JAEGER_STR("{}"));
    jg_buf no_spans JG_AUTO_BUF = ask("POST", "/v1/traces", PROTOBUF, JAEGER_STR("\x0a\x00"));
    assert_has(&pb, "HTTP/1.1 200 OK\r\n");
    assert_has(&json, "HTTP/1.1 200 OK\r\n");
    assert_has(&no_spans, "HTTP/1.1 200 OK\r\n");
    assert_int_equal(next_spans, SIZE_MAX);
    jaeger_service_free(service);
}

static void other_methods_types_and_paths_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *headers;
        int want;
        const char *body;
    } rows[] = {
        {"GET", "/v1/traces", PROTOBUF, 405, "405 method not allowed, supported: [POST]"},
        {"OPTIONS", "/v1/traces", "", 405, "405 method not allowed, supported: [POST]"},
        {"POST", "/v1/traces", "", 415,
         "415 unsupported media type, supported: [application/json, application/x-protobuf]"},
        {"POST", "/v1/traces", "Content-Type: text/plain\r\n", 415,
         "415 unsupported media type, supported: [application/json, application/x-protobuf]"},
        {"POST", "/v1/logs", PROTOBUF, 404, "404 page not found\n"},
        {"POST", "/v1/metrics", PROTOBUF, 404, "404 page not found\n"},
        {"POST", "/v1/traces/", PROTOBUF, 404, "404 page not found\n"},
        {"GET", "/", "", 404, "404 page not found\n"},
    };
    jaeger_service *service = start("");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "HTTP/1.1 %d ", rows[i].want);
        jg_buf answer JG_AUTO_BUF = ask(rows[i].method, rows[i].path, rows[i].headers, ONE_SPAN);
        assert_has(&answer, want);
        assert_has(&answer, "Content-Type: text/plain");
        assert_str(body_of(&answer), rows[i].body);
    }
    assert_int_equal(next_spans, SIZE_MAX);
    jaeger_service_free(service);
}

static void bad_bodies_are_statuses_in_the_requests_encoding(void **state)
{
    (void)state;
    jaeger_service *service = start(", max_request_body_size: 1000");
    jg_buf pb JG_AUTO_BUF = ask("POST", "/v1/traces", PROTOBUF, JAEGER_STR("\x0a\xff"));
    assert_has(&pb, "HTTP/1.1 400 ");
    assert_has(&pb, "Content-Type: application/x-protobuf\r\n");
    assert_memory_equal(body_of(&pb).ptr, "\x08\x03\x12", 3);
    jg_buf json JG_AUTO_BUF = ask("POST", "/v1/traces", JSON, JAEGER_STR("{\"resourceSpans\":"));
    assert_has(&json, "HTTP/1.1 400 ");
    assert_has(&json, "Content-Type: application/json\r\n");
    assert_has(&json, "\r\n\r\n{\"code\":3,\"message\":\"");
    jg_buf coding JG_AUTO_BUF = ask("POST", "/v1/traces", JSON "Content-Encoding: foo\r\n", JAEGER_STR("{}"));
    assert_has(&coding, "HTTP/1.1 400 ");
    assert_str(body_of(&coding), "{\"code\":3,\"message\":\"unsupported Content-Encoding: foo\"}");
    jg_buf gzip JG_AUTO_BUF = ask("POST", "/v1/traces", JSON "Content-Encoding: gzip\r\n", JAEGER_STR("{}"));
    assert_has(&gzip, "HTTP/1.1 400 ");
    assert_has(&gzip, "{\"code\":3,");
    jg_buf type JG_AUTO_BUF =
        ask("POST", "/v1/traces", "Content-Type: a/b\r\nContent-Encoding: foo\r\n", JAEGER_STR("{}"));
    assert_has(&type, "HTTP/1.1 500 ");
    assert_str(body_of(&type), "{\"code\": 13, \"message\": \"failed to marshal error message\"}");
    char big[1001] = {0};
    jg_buf large JG_AUTO_BUF = ask("POST", "/v1/traces", JSON, (jaeger_str){big, sizeof big});
    assert_has(&large, "HTTP/1.1 400 ");
    assert_str(body_of(&large), "{\"code\":3,\"message\":\"http: request body too large\"}");
    assert_int_equal(next_spans, SIZE_MAX);
    jaeger_service_free(service);
}

static void every_coding_is_taken(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed",
                                          "lz4"};
    jaeger_service *service = start("");
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(4096);
        jaeger_error err = {0};
        char headers[128];
        assert_ok(jg_encode(jg_str(codings[i]), 0, ONE_SPAN, &packed, &err));
        (void)snprintf(headers, sizeof headers, PROTOBUF "Content-Encoding: %s\r\n", codings[i]);
        next_spans = SIZE_MAX;
        jg_buf answer JG_AUTO_BUF = ask("POST", "/v1/traces", headers, jg_buf_view(&packed));
        assert_has(&answer, "HTTP/1.1 200 OK\r\n");
        assert_int_equal(next_spans, 1);
    }
    jaeger_service_free(service);
}

static void failures_of_the_pipeline_are_mapped(void **state)
{
    (void)state;
    static const struct {
        jaeger_status status;
        uint32_t retry_after_ms;
        int want;
        const char *retry;
    } rows[] = {
        {JAEGER_UNAVAILABLE, 0, 503, NULL},
        {JAEGER_UNAVAILABLE, 3000, 503, "Retry-After: 3\r\n"},
        {JAEGER_RESOURCE_EXHAUSTED, 1000, 429, "Retry-After: 1\r\n"},
        {JAEGER_INVALID_ARGUMENT, 0, 400, NULL},
        {JAEGER_INTERNAL, 0, 500, NULL},
        {JAEGER_DEADLINE_EXCEEDED, 0, 503, NULL},
        {JAEGER_UNAUTHENTICATED, 0, 401, NULL},
        {JAEGER_PERMISSION_DENIED, 0, 403, NULL},
        {JAEGER_UNIMPLEMENTED, 0, 404, NULL},
        {JAEGER_DATA_LOSS, 0, 503, NULL},
    };
    jaeger_service *service = start("");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char status[32], body[64];
        (void)snprintf(status, sizeof status, "HTTP/1.1 %d ", rows[i].want);
        (void)snprintf(body, sizeof body, "{\"code\":%d,\"message\":\"no <room>\"}", rows[i].status);
        next_answer = (jaeger_error){rows[i].status, rows[i].retry_after_ms, "no <room>"};
        jg_buf answer JG_AUTO_BUF = ask("POST", "/v1/traces", JSON, jg_str(one_span_json));
        assert_has(&answer, status);
        assert_str(body_of(&answer), body);
        if (rows[i].retry)
            assert_has(&answer, rows[i].retry);
        else
            assert_has_not(&answer, "Retry-After");
    }
    jaeger_service_free(service);
}

static void an_authenticator_keeps_the_door(void **state)
{
    (void)state;
    jaeger_service *service = start(", auth: {authenticator: keeper}");
    jg_buf denied JG_AUTO_BUF = ask("POST", "/v1/traces", JSON, jg_str(one_span_json));
    assert_has(&denied, "HTTP/1.1 401 ");
    assert_str(body_of(&denied), "{\"code\":16,\"message\":\"no basic auth provided\"}");
    assert_int_equal(next_spans, SIZE_MAX);
    jg_buf allowed JG_AUTO_BUF =
        ask("POST", "/v1/traces", JSON "Authorization: Basic ok\r\n", jg_str(one_span_json));
    assert_has(&allowed, "HTTP/1.1 200 OK");
    jaeger_service_free(service);
}

static void grpc_export_answers_as_http_does(void **state)
{
    (void)state;
    char endpoint[32];
    jg_net *net;
    jg_grpc_client *client;
    jaeger_error err = {0};
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", 22900u + (unsigned)getpid() % 90u);
    (void)snprintf(grpc_protocol, sizeof grpc_protocol, ", grpc: {endpoint: '%s'}", endpoint);
    jaeger_service *service = start("");
    grpc_protocol[0] = 0;
    jg_net_options options = {.loop_threads = 1};
    jg_grpc_client_settings settings = {.endpoint = jg_str(endpoint), .tls.insecure = true};
    assert_ok(jg_net_new(&options, &net, &err));
    assert_ok(jg_grpc_client_new(net, &settings, 0, &client, &err));
    static const struct {
        jaeger_str message;
        jaeger_status answer, want;
        size_t spans;
    } rows[] = {
        {{one_span, sizeof one_span - 1}, JAEGER_OK, JAEGER_OK, 1},
        {{"", 0}, JAEGER_OK, JAEGER_OK, SIZE_MAX},
        {{one_span, sizeof one_span - 1}, JAEGER_UNAVAILABLE, JAEGER_UNAVAILABLE, 1},
        {{"\x0a\xff", 2}, JAEGER_OK, JAEGER_INVALID_ARGUMENT, SIZE_MAX},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        jg_buf answer JG_AUTO_BUF = JG_BUF_INIT(1000);
        next_spans = SIZE_MAX;
        next_answer = (jaeger_error){.status = rows[i].answer, .message = "no room"};
        assert_int_equal(jg_grpc_unary(client, "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                                       rows[i].message, &answer, &call),
                         rows[i].want);
        assert_int_equal(next_spans, rows[i].spans);
        if (rows[i].want == JAEGER_OK)
            assert_memory_equal(answer.data, "\x0a\x00", 2);
        else if (rows[i].answer != JAEGER_OK)
            assert_string_equal(call.error.message, "no room");
    }
    jg_grpc_client_free(client);
    jg_net_free(net);
    jaeger_service_free(service);
}

#define TRACES_METHOD  "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define METRICS_METHOD "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

/** A gauge "g" with two points. */
static const char two_points[] = "\x0a\x15\x12\x13\x12\x11\x0a\x01g\x2a\x0c\x0a\x04\x10\x01\x18\x02"
                                 "\x0a\x04\x10\x01\x18\x03";
static const char two_points_json[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{\"dataPoints\":["
    "{\"asInt\":\"1\"},{\"asDouble\":0}]}}]}]}]}";

static jaeger_status export_over_grpc(const char *endpoint, const char *method, jaeger_str message)
{
    jg_net *net;
    jg_grpc_client *client;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    jg_net_options options = {.loop_threads = 1};
    jg_grpc_client_settings settings = {.endpoint = jg_str(endpoint), .tls.insecure = true};
    jg_buf answer JG_AUTO_BUF = JG_BUF_INIT(1000);
    assert_ok(jg_net_new(&options, &net, &err));
    assert_ok(jg_grpc_client_new(net, &settings, 0, &client, &err));
    next_spans = SIZE_MAX;
    jaeger_status status = jg_grpc_unary(client, method, message, &answer, &call);
    jg_grpc_client_free(client);
    jg_net_free(net);
    return status;
}

static void each_signal_is_served_if_a_pipeline_takes_it(void **state)
{
    (void)state;
    static const struct {
        const char *pipelines;
        bool traces, metrics;
    } rows[] = {
        {"traces: {receivers: [otlp], exporters: [answering]}", true, false},
        {"metrics: {receivers: [otlp], exporters: [answering]}", false, true},
        {"traces: {receivers: [otlp], exporters: [answering]}, "
         "metrics: {receivers: [otlp], exporters: [answering]}",
         true, true},
    };
    const jaeger_str points = {two_points, sizeof two_points - 1};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char endpoint[32];
        (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", 22900u + (unsigned)getpid() % 90u);
        (void)snprintf(grpc_protocol, sizeof grpc_protocol, ", grpc: {endpoint: '%s'}", endpoint);
        pipelines = rows[i].pipelines;
        jaeger_service *service = start("");
        const char *traces = rows[i].traces ? " 200 OK" : " 404 ",
                   *metrics = rows[i].metrics ? " 200 OK" : " 404 ";
        jg_buf pb JG_AUTO_BUF = ask("POST", "/v1/traces", PROTOBUF, ONE_SPAN);
        assert_has(&pb, traces);
        next_spans = SIZE_MAX;
        jg_buf points_pb JG_AUTO_BUF = ask("POST", "/v1/metrics", PROTOBUF, points);
        assert_has(&points_pb, metrics);
        assert_int_equal(next_spans, rows[i].metrics ? 2 : SIZE_MAX);
        next_spans = SIZE_MAX;
        jg_buf points_json JG_AUTO_BUF = ask("POST", "/v1/metrics", JSON, jg_str(two_points_json));
        assert_has(&points_json, metrics);
        assert_int_equal(next_spans, rows[i].metrics ? 2 : SIZE_MAX);
        if (rows[i].metrics) {
            assert_int_equal(next_signal, JAEGER_METRICS);
            jg_buf bad JG_AUTO_BUF = ask("POST", "/v1/metrics", PROTOBUF, JAEGER_STR("\x0a\xff"));
            assert_has(&bad, " 400 ");
        }
        assert_int_equal(export_over_grpc(endpoint, TRACES_METHOD, ONE_SPAN),
                         rows[i].traces ? JAEGER_OK : JAEGER_UNIMPLEMENTED);
        assert_int_equal(export_over_grpc(endpoint, METRICS_METHOD, points),
                         rows[i].metrics ? JAEGER_OK : JAEGER_UNIMPLEMENTED);
        assert_int_equal(next_spans, rows[i].metrics ? 2 : SIZE_MAX);
        jaeger_service_free(service);
    }
    grpc_protocol[0] = 0;
    pipelines = rows[0].pipelines;
}

static void no_protocol_is_refused(void **state)
{
    (void)state;
    static const char *const yamls[] = {"receivers: {otlp: }\n", "receivers: {otlp: {protocols: }}\n",
                                        "receivers: {otlp: {protocols: {}}}\n"};
    for (size_t i = 0; i < JG_COUNT(yamls); i++) {
        char yaml[512];
        (void)snprintf(
            yaml, sizeof yaml,
            "%sexporters: {nop: }\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}\n",
            yamls[i]);
        jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
        options.yaml = yaml;
        jaeger_service *service;
        jaeger_error err = {0};
        assert_int_equal(jaeger_service_new(&options, &service, &err), JAEGER_INVALID_ARGUMENT);
        assert_non_null(strstr(
            err.message, "receivers::otlp: must specify at least one protocol when using the OTLP receiver"));
    }
}

static void a_missing_authenticator_is_named(void **state)
{
    (void)state;
    static const char yaml[] =
        "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0', auth: {authenticator: ghost}}}}}\n"
        "exporters: {nop: }\nservice: {telemetry: {metrics: {level: none}}, pipelines: {traces: {receivers: "
        "[otlp], "
        "exporters: [nop]}}}\n";
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    jaeger_service *service;
    jaeger_error err = {0};
    assert_int_equal(jaeger_service_new(&options, &service, &err), JAEGER_INVALID_ARGUMENT);
    if (!strstr(err.message, "failed to resolve authenticator \"ghost\": authenticator not found"))
        fail_msg("%s", err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_arrive_in_both_encodings),
        cmocka_unit_test(an_empty_request_is_a_success_of_its_own),
        cmocka_unit_test(other_methods_types_and_paths_are_named),
        cmocka_unit_test(bad_bodies_are_statuses_in_the_requests_encoding),
        cmocka_unit_test(every_coding_is_taken),
        cmocka_unit_test(failures_of_the_pipeline_are_mapped),
        cmocka_unit_test(an_authenticator_keeps_the_door),
        cmocka_unit_test(grpc_export_answers_as_http_does),
        cmocka_unit_test(each_signal_is_served_if_a_pipeline_takes_it),
        cmocka_unit_test(no_protocol_is_refused),
        cmocka_unit_test(a_missing_authenticator_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
