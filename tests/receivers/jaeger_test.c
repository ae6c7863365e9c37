/* SPDX-License-Identifier: Apache-2.0
 * The receiver inside a service, over real sockets. Ports 25000-25239.
 */
#include "net/grpc_client.h"
#include "support/file.h"
#include "support/pipeline.h"

static uint16_t port;
#define THRIFT "Content-Type: application/x-thrift\r\n"

/** A port of its own for each test process. */
static uint16_t pick_port(void)
{
    return (uint16_t)(25000 + getpid() % 240);
}

static jaeger_service *start(const char *protocol, const char *more)
{
    char yaml[512];
    port = pick_port();
    (void)snprintf(yaml, sizeof yaml, "jaeger: {protocols: {%s: {endpoint: '127.0.0.1:%u'%s}}}", protocol,
                   port, more);
    return pipeline_start(yaml, "jaeger");
}

static void send_datagrams(jaeger_str bytes, int count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(sendto(fd, bytes.ptr, bytes.len, 0, (struct sockaddr *)&address, sizeof address),
                         bytes.len);
    (void)close(fd);
}

static void thrift_over_http_is_accepted(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str batch = read_data("wire/jaeger_thrift_1.binary");
    jaeger_service *service = start("thrift_http", "");
    static const char *const types[] = {THRIFT,
                                        "Content-Type: application/vnd.apache.thrift.binary; charset=x\r\n"};
    for (size_t i = 0; i < JG_COUNT(types); i++) {
        jg_buf answer JG_AUTO_BUF =
            pipeline_ask(port, "POST", "/api/traces?format=jaeger.thrift", types[i], batch);
        assert_has(&answer, "HTTP/1.1 202 ");
        assert_has(&answer, "Connection: close\r\n");
        assert_int_equal(pipeline_body(&answer).len, 0);
    }
    assert_int_equal(sink.spans, 32);
    jaeger_service_free(service);
}

static void thrift_over_http_is_refused_as_by_the_collector(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str batch = read_data("wire/jaeger_thrift_1.binary");
    static const struct {
        const char *method, *path, *headers;
        int want;
        const char *body;
    } rows[] = {
        {"POST", "/api/traces", "", 400, "Cannot parse content type: mime: no media type\n"},
        {"POST", "/api/traces", "Content-Type: application/json\r\n", 400,
         "Unsupported content type: application/json\n"},
        {"POST", "/api/traces", "Content-Type: a/<b>\r\n", 400, "Unsupported content type: a/&lt;b&gt;\n"},
        {"GET", "/api/traces", THRIFT, 405, ""},
        {"POST", "/", THRIFT, 404, "404 page not found\n"},
        {"POST", "/api/sampling", THRIFT, 404, "404 page not found\n"},
    };
    jaeger_service *service = start("thrift_http", "");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "HTTP/1.1 %d ", rows[i].want);
        jg_buf answer JG_AUTO_BUF = pipeline_ask(port, rows[i].method, rows[i].path, rows[i].headers, batch);
        assert_has(&answer, want);
        assert_str(pipeline_body(&answer), rows[i].body);
    }
    jg_buf bad JG_AUTO_BUF = pipeline_ask(port, "POST", "/api/traces", THRIFT, JAEGER_STR("{}"));
    assert_has(&bad, "HTTP/1.1 400 ");
    assert_has(&bad, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_has(&bad, "Unable to process request body: ");
    assert_int_equal(sink.calls, 0);
    sink.answer = (jaeger_error){.status = JAEGER_UNAVAILABLE, .message = "no <room>"};
    jg_buf full JG_AUTO_BUF = pipeline_ask(port, "POST", "/api/traces", THRIFT, batch);
    assert_has(&full, "HTTP/1.1 500 ");
    assert_str(pipeline_body(&full), "Cannot submit Jaeger batch: no &lt;room&gt;\n");
    jaeger_service_free(service);
}

static void datagrams_of_both_protocols_are_taken(void **state)
{
    (void)state;
    static const char *const protocols[] = {"thrift_compact", "thrift_binary"};
    static const char *const files[] = {"wire/jaeger_thrift_1.packet_compact",
                                        "wire/jaeger_thrift_1.packet_binary"};
    for (size_t i = 0; i < 2; i++) {
        JG_AUTO_DATA jaeger_str packet = read_data(files[i]);
        jaeger_service *service = start(protocols[i], ", socket_buffer_size: 1000000");
        send_datagrams(packet, 10);
        assert_true(sink_wait(160));
        jaeger_service_free(service);
        assert_int_equal(sink.spans, 160);
    }
}

static void bad_datagrams_are_dropped_and_good_ones_still_come(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str packet = read_data("wire/jaeger_thrift_1.packet_compact");
    jaeger_service *service = start("thrift_compact", ", max_packet_size: 20000");
    static const char zipkin[] = "\x82\x81\x01\x0f"
                                 "emitZipkinBatch"
                                 "\x19\x1c\x16\x02\x00\x00";
    char *large = jg_calloc(1, 30000);
    send_datagrams(JAEGER_STR(""), 1);
    send_datagrams(JAEGER_STR("hello"), 1);
    send_datagrams((jaeger_str){zipkin, sizeof zipkin - 1}, 3);
    send_datagrams((jaeger_str){packet.ptr, packet.len / 2}, 1);
    send_datagrams((jaeger_str){large, 30000}, 1);
    send_datagrams(packet, 1);
    assert_true(sink_wait(16));
    jg_free(large);
    jaeger_service_free(service);
    assert_int_equal(sink.spans, 16);
}

static void a_flood_of_datagrams_fills_the_queue_and_nothing_else(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str packet = read_data("wire/jaeger_thrift_1.packet_compact");
    jaeger_service *service = start("thrift_compact", ", queue_size: 5, workers: 2");
    sink_hold(true);
    send_datagrams(packet, 200);
    assert_true(sink_wait(32)); /* both workers hold one */
    send_datagrams(packet, 200);
    sink_hold(false);
    jaeger_service_free(service);
    assert_true(sink.spans >= 7 * 16);
    assert_true(sink.spans < 400 * 16);
}

static void stop_works_off_what_waits(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str packet = read_data("wire/jaeger_thrift_1.packet_binary");
    jaeger_service *service = start("thrift_binary", ", workers: 1");
    send_datagrams(packet, 20);
    jaeger_service_free(service);
    assert_int_equal(sink.spans, 320);
}

static void post_spans_answers_over_grpc(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str post = read_data("wire/jaeger_proto_1.post");
    const struct {
        jaeger_str message;
        jaeger_status answer, want;
        size_t spans;
        const char *text;
    } rows[] = {
        {post, JAEGER_OK, JAEGER_OK, 16, ""},
        {JAEGER_STR(""), JAEGER_OK, JAEGER_OK, 0, ""},
        {post, JAEGER_UNAVAILABLE, JAEGER_UNAVAILABLE, 16, "no room"},
        {JAEGER_STR("\x0a\x06\x0a\x04\x0a\x02xx"), JAEGER_OK, JAEGER_INTERNAL, 0,
         "grpc: failed to unmarshal the received message"},
    };
    jaeger_service *service = start("grpc", "");
    char endpoint[32];
    jg_net *net;
    jg_grpc_client *client;
    jaeger_error err = {0};
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", port);
    jg_net_options options = {.loop_threads = 1};
    jg_grpc_client_settings settings = {.endpoint = jg_str(endpoint), .tls.insecure = true};
    assert_ok(jg_net_new(&options, &net, &err));
    assert_ok(jg_grpc_client_new(net, &settings, 0, &client, &err));
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        jg_buf answer JG_AUTO_BUF = JG_BUF_INIT(1000);
        sink.spans = 0;
        sink.answer = (jaeger_error){.status = rows[i].answer, .message = "no room"};
        assert_int_equal(jg_grpc_unary(client, "/jaeger.api_v2.CollectorService/PostSpans", rows[i].message,
                                       &answer, &call),
                         rows[i].want);
        assert_int_equal(sink.spans, rows[i].spans);
        assert_int_equal(answer.len, 0);
        assert_non_null(strstr(call.error.message, rows[i].text));
    }
    jaeger_call call = JAEGER_CALL_INIT;
    jg_buf answer JG_AUTO_BUF = JG_BUF_INIT(1000);
    assert_int_equal(jg_grpc_unary(client, "/jaeger.api_v2.SamplingManager/GetSamplingStrategy",
                                   JAEGER_STR(""), &answer, &call),
                     JAEGER_UNIMPLEMENTED);
    jg_grpc_client_free(client);
    jg_net_free(net);
    jaeger_service_free(service);
}

static void bad_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"jaeger: ", "receivers::jaeger: must specify at least one protocol when using the Jaeger receiver"},
        {"jaeger: {protocols: {}}", "must specify at least one protocol"},
        {"jaeger: {protocols: {grpc: {endpoint: 'localhost:0'}}}",
         "invalid port number for the gRPC endpoint: port number must be between 1 and 65535"},
        {"jaeger: {protocols: {thrift_http: {endpoint: 'localhost'}}}",
         "invalid port number for the Thrift HTTP endpoint: endpoint is not formatted correctly"},
        {"jaeger: {protocols: {thrift_compact: {endpoint: 'localhost:x'}}}",
         "invalid port number for the Thrift UDP Compact endpoint: endpoint port is not a number"},
        {"jaeger: {protocols: {thrift_binary: {endpoint: 'localhost:65536'}}}",
         "invalid port number for the Thrift UDP Binary endpoint"},
        {"jaeger: {protocols: {grpc: }, remote_sampling: {strategy_file: x}}", "remote_sampling"},
        {"jaeger: {protocols: {thrift_binary: {queue: 5}}}", "queue"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        if (pipeline_new(rows[i].yaml, "jaeger", &service, &err) != JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", rows[i].yaml);
        if (!strstr(err.message, rows[i].want))
            fail_msg("%s: %s", rows[i].yaml, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thrift_over_http_is_accepted),
        cmocka_unit_test(thrift_over_http_is_refused_as_by_the_collector),
        cmocka_unit_test(datagrams_of_both_protocols_are_taken),
        cmocka_unit_test(bad_datagrams_are_dropped_and_good_ones_still_come),
        cmocka_unit_test(a_flood_of_datagrams_fills_the_queue_and_nothing_else),
        cmocka_unit_test(stop_works_off_what_waits),
        cmocka_unit_test(post_spans_answers_over_grpc),
        cmocka_unit_test(bad_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
