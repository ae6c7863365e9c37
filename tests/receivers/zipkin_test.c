/* SPDX-License-Identifier: Apache-2.0
 * The receiver inside a service, over real sockets. Ports 25250-25489.
 */
#include "net/encoding.h"
#include "support/file.h"
#include "support/pipeline.h"

static uint16_t port;
#define JSON "Content-Type: application/json\r\n"

static jaeger_service *start(const char *more)
{
    char yaml[256];
    port = (uint16_t)(25250 + getpid() % 240);
    (void)snprintf(yaml, sizeof yaml, "zipkin: {endpoint: '127.0.0.1:%u'%s}", port, more);
    return pipeline_start(yaml, "zipkin");
}

static void each_format_is_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *path, *headers, *file;
    } rows[] = {
        {"/api/v2/spans", JSON, "wire/zipkin_v2_0.zipkin_v2"},
        {"/any/path?x=y", "", "wire/zipkin_v2_0.zipkin_v2"},
        {"/api/v2/spans", "Content-Type: application/x-protobuf\r\n", "wire/zipkin_proto_0.zipkin_proto"},
        {"/api/v1/spans", JSON, "wire/zipkin_v1_0.zipkin_v1"},
        {"/prefix/api/v1/spans/", "Content-Type: application/x-thrift\r\n",
         "wire/zipkin_thrift_0.zipkin_thrift"},
    };
    jaeger_service *service = start("");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_DATA jaeger_str body = read_data(rows[i].file);
        sink.spans = 0;
        jg_buf answer JG_AUTO_BUF = pipeline_ask(port, "POST", rows[i].path, rows[i].headers, body);
        assert_has(&answer, "HTTP/1.1 202 ");
        assert_has(&answer, "Connection: close\r\n");
        assert_int_equal(pipeline_body(&answer).len, 0);
        assert_int_equal(sink.spans, 20);
    }
    jaeger_service_free(service);
}

static void other_bodies_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *headers;
        jaeger_str body;
    } rows[] = {
        {"GET", "/api/v2/spans", "", {"", 0}},
        {"POST", "/api/v2/spans", JSON, {"{}", 2}},
        {"POST", "/api/v2/spans", "Content-Type: application/x-protobuf; charset=x\r\n", {"\x0a\x00", 2}},
        {"POST", "/api/v1/spans", JSON, {"\x0c\x00\x00\x00\x00", 5}},
        {"POST", "/api/v1/spans", "Content-Type: application/x-thrift\r\n", {"[]", 2}},
    };
    jaeger_service *service = start("");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_buf answer JG_AUTO_BUF =
            pipeline_ask(port, rows[i].method, rows[i].path, rows[i].headers, rows[i].body);
        assert_has(&answer, "HTTP/1.1 400 ");
        assert_has(&answer, "Content-Type: text/plain; charset=utf-8\r\n");
        assert_true(pipeline_body(&answer).len > 10);
    }
    assert_int_equal(sink.calls, 0);
    jaeger_service_free(service);
}

static void failures_of_the_pipeline_are_two_texts(void **state)
{
    (void)state;
    static const struct {
        jaeger_status status;
        const char *want, *body;
    } rows[] = {
        {JAEGER_UNAVAILABLE, "HTTP/1.1 500 ", "\"Internal Server Error\""},
        {JAEGER_RESOURCE_EXHAUSTED, "HTTP/1.1 500 ", "\"Internal Server Error\""},
        {JAEGER_INVALID_ARGUMENT, "HTTP/1.1 400 ", "\"Bad Request\""},
        {JAEGER_INTERNAL, "HTTP/1.1 400 ", "\"Bad Request\""},
    };
    JG_AUTO_DATA jaeger_str body = read_data("wire/zipkin_v2_0.zipkin_v2");
    jaeger_service *service = start("");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        sink.answer = (jaeger_error){.status = rows[i].status, .retry_after_ms = 1000, .message = "no"};
        jg_buf answer JG_AUTO_BUF = pipeline_ask(port, "POST", "/api/v2/spans", JSON, body);
        assert_has(&answer, rows[i].want);
        assert_str(pipeline_body(&answer), rows[i].body);
    }
    jaeger_service_free(service);
}

static void codings_are_undone(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "deflate", "zlib"};
    JG_AUTO_DATA jaeger_str body = read_data("wire/zipkin_v2_1.zipkin_v2_parsed");
    jaeger_service *service = start(", parse_string_tags: true");
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1 << 20);
        jaeger_error err = {0};
        char headers[128];
        assert_ok(jg_encode(jg_str(codings[i]), 0, body, &packed, &err));
        (void)snprintf(headers, sizeof headers, JSON "Content-Encoding: %s\r\n", codings[i]);
        sink.spans = 0;
        jg_buf answer JG_AUTO_BUF =
            pipeline_ask(port, "POST", "/api/v2/spans", headers, jg_buf_view(&packed));
        assert_has(&answer, "HTTP/1.1 202 ");
        assert_int_equal(sink.spans, 20);
    }
    jaeger_service_free(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_is_accepted),
        cmocka_unit_test(other_bodies_are_refused_with_a_reason),
        cmocka_unit_test(failures_of_the_pipeline_are_two_texts),
        cmocka_unit_test(codings_are_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
