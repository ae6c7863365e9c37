/* SPDX-License-Identifier: Apache-2.0 */
#include "query/adjust.h"
#include "support/traces.h"
#include "wire/jaeger_json.h"

typedef struct sink {
    jg_buf all;
    size_t flushes, largest;
} sink;

static jaeger_status take(void *self, jg_buf *buf)
{
    sink *s = self;
    s->flushes++;
    s->largest = JG_MAX(s->largest, buf->len);
    jg_buf_str(&s->all, jg_buf_view(buf));
    jg_buf_clear(buf);
    return JAEGER_OK;
}

/** One whole trace, whose spans get their id_marks. */
static jaeger_status write_trace(jg_json_out *json, jaeger_batch *trace, jg_json_flush flush,
                                 jaeger_error *err)
{
    assert_ok(jg_mark_ids(&trace, NULL));
    jg_jaeger_json *writer = jg_jaeger_json_new(json, flush);
    assert_non_null(writer);
    jaeger_status status = jg_jaeger_json_add(writer, trace, err);
    if (status == JAEGER_OK)
        status = jg_jaeger_json_end(writer, err);
    jg_jaeger_json_free(writer);
    return status;
}

/** The trace of an OTLP-JSON text as legacy JSON. @return freed by jg_buf_done */
static jg_buf legacy(const char *otlp, uint8_t indent)
{
    jaeger_batch *batch = batch_of_json(otlp);
    sink s = {.all = JG_BUF_INIT(1 << 20)};
    jg_buf buf = JG_BUF_INIT(1 << 20);
    jg_json_out json = {.buf = &buf, .html = true, .indent = indent};
    jaeger_error err = {0};
    if (write_trace(&json, batch, (jg_json_flush){take, &s, 1}, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    (void)take(&s, &buf);
    jg_buf_done(&buf);
    jaeger_batch_unref(batch);
    return s.all;
}

#define SPANS(resource, scope, spans)                                                                        \
    "{\"resourceSpans\":[{\"resource\":{" resource "},\"scopeSpans\":[{\"scope\":{" scope                    \
    "},\"spans\":[" spans "]}]}]}"
#define SERVICE "\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"s\"}}]"
#define IDS     "\"traceId\":\"00000000000000000000000000000abc\",\"spanId\":\"0000000000000001\""

static void jaeger_json_writes_every_part_of_a_trace(void **state)
{
    (void)state;
    jg_buf got = legacy(
        SPANS(
            "\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
            "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h<1>\"}}]",
            "\"name\":\"lib\",\"version\":\"1.0\"",
            "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"00000000000000AA\","
            "\"parentSpanId\":\"0000000000000009\",\"name\":\"GET /\",\"kind\":2,\"traceState\":\"k=v\","
            "\"startTimeUnixNano\":\"1700000000000001999\",\"endTimeUnixNano\":\"1700000000000004000\","
            "\"attributes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"9007199254740992\"}},"
            "{\"key\":\"j\",\"value\":{\"intValue\":\"-9007199254740991\"}},"
            "{\"key\":\"d\",\"value\":{\"doubleValue\":1e-9}},{\"key\":\"b\",\"value\":{\"boolValue\":true}},"
            "{\"key\":\"n\",\"value\":{\"bytesValue\":\"AQI=\"}},"
            "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"<\"},{\"intValue\":"
            "\"1\"}]}}},"
            "{\"key\":\"e\",\"value\":{}}],"
            "\"events\":[{\"timeUnixNano\":\"1700000000000002000\",\"name\":\"ev\","
            "\"attributes\":[{\"key\":\"x\",\"value\":{\"stringValue\":\"y\"}}]},"
            "{\"timeUnixNano\":\"1700000000000003000\",\"name\":\"hidden\","
            "\"attributes\":[{\"key\":\"event\",\"value\":{\"stringValue\":\"own\"}}]}],"
            "\"links\":[{\"traceId\":\"00000000000000000000000000000abc\",\"spanId\":\"0000000000000002\"},"
            "{\"traceId\":\"00000000000000000000000000000abd\",\"spanId\":\"0000000000000003\","
            "\"attributes\":[{\"key\":\"opentracing.ref_type\",\"value\":{\"stringValue\":\"child_of\"}}]}],"
            "\"status\":{\"code\":2,\"message\":\"bad\"}}"),
        0);
    assert_str(
        jg_buf_view(&got),
        "{\"traceID\":\"0102030405060708090a0b0c0d0e0f10\",\"spans\":[{"
        "\"traceID\":\"0102030405060708090a0b0c0d0e0f10\",\"spanID\":\"00000000000000aa\","
        "\"operationName\":\"GET /\",\"references\":["
        "{\"refType\":\"CHILD_OF\",\"traceID\":\"0102030405060708090a0b0c0d0e0f10\",\"spanID\":"
        "\"0000000000000009\"},"
        "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"0000000000000abc\",\"spanID\":\"0000000000000002\"},"
        "{\"refType\":\"CHILD_OF\",\"traceID\":\"0000000000000abd\",\"spanID\":\"0000000000000003\"}],"
        "\"startTime\":1700000000000001,\"duration\":2,\"tags\":["
        "{\"key\":\"otel.scope.name\",\"type\":\"string\",\"value\":\"lib\"},"
        "{\"key\":\"otel.scope.version\",\"type\":\"string\",\"value\":\"1.0\"},"
        "{\"key\":\"i\",\"type\":\"int64\",\"value\":\"9007199254740992\"},"
        "{\"key\":\"j\",\"type\":\"int64\",\"value\":-9007199254740991},"
        "{\"key\":\"d\",\"type\":\"float64\",\"value\":1e-9},"
        "{\"key\":\"b\",\"type\":\"bool\",\"value\":true},"
        "{\"key\":\"n\",\"type\":\"binary\",\"value\":\"AQI=\"},"
        "{\"key\":\"l\",\"type\":\"string\",\"value\":\"[\\\"\\u003c\\\",1]\"},"
        "{\"key\":\"e\",\"type\":\"string\",\"value\":\"\"},"
        "{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"server\"},"
        "{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"ERROR\"},"
        "{\"key\":\"error\",\"type\":\"bool\",\"value\":true},"
        "{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":\"bad\"},"
        "{\"key\":\"w3c.tracestate\",\"type\":\"string\",\"value\":\"k=v\"}],"
        "\"logs\":[{\"timestamp\":1700000000000002,\"fields\":["
        "{\"key\":\"event\",\"type\":\"string\",\"value\":\"ev\"},{\"key\":\"x\",\"type\":\"string\","
        "\"value\":\"y\"}]},"
        "{\"timestamp\":1700000000000003,\"fields\":[{\"key\":\"event\",\"type\":\"string\",\"value\":"
        "\"own\"}]}],"
        "\"processID\":\"p1\",\"warnings\":null}],"
        "\"processes\":{\"p1\":{\"serviceName\":\"shop\",\"tags\":["
        "{\"key\":\"host.name\",\"type\":\"string\",\"value\":\"h\\u003c1\\u003e\"}]}},\"warnings\":null}");
    jg_buf_done(&got);
}

static void assert_part(const char *otlp, const char *want)
{
    jg_buf got = legacy(otlp, 0);
    jg_buf_byte(&got, 0);
    if (!strstr((const char *)got.data, want))
        fail_msg("%s\nis not in\n%s", want, (const char *)got.data);
    jg_buf_done(&got);
}

static void jaeger_json_parts(void **state)
{
    (void)state;
    static const struct {
        const char *otlp, *want;
    } rows[] = {
        /* short trace ids have 16 digits; empty lists are lists, no warnings are null */
        {SPANS(SERVICE, "", "{" IDS "}"),
         "\"traceID\":\"0000000000000abc\",\"spanID\":\"0000000000000001\",\"operationName\":\"\","
         "\"references\":[],"
         "\"startTime\":0,\"duration\":0,\"tags\":[],\"logs\":[],\"processID\":\"p1\",\"warnings\":null"},
        /* a negative duration wraps */
        {SPANS(SERVICE, "", "{" IDS ",\"startTimeUnixNano\":\"5000\",\"endTimeUnixNano\":\"1000\"}"),
         "\"duration\":18446744073709551612"},
        /* a link to the parent only changes its type */
        {SPANS(SERVICE, "",
               "{" IDS ",\"parentSpanId\":\"0000000000000009\",\"links\":["
               "{\"traceId\":\"00000000000000000000000000000abc\",\"spanId\":\"0000000000000009\"}]}"),
         "\"references\":[{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"0000000000000abc\",\"spanID\":"
         "\"0000000000000009\"}]"},
        {SPANS("", "", "{" IDS "}"), "{\"serviceName\":\"OTLPResourceNoServiceName\",\"tags\":[]}"},
        {SPANS("\"attributes\":[{\"key\":\"x\",\"value\":{\"intValue\":\"1\"}}]", "", "{" IDS "}"),
         "{\"serviceName\":\"\",\"tags\":[{\"key\":\"x\",\"type\":\"int64\",\"value\":1}]}"},
        {SPANS(SERVICE, "", "{" IDS ",\"status\":{\"code\":1}}"),
         "\"tags\":[{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"OK\"}]"},
        /* as encoding/json prints them: nil bytes, the last of equal keys, U+2028 also inside lists */
        {SPANS(SERVICE, "", "{" IDS ",\"attributes\":[{\"key\":\"b\",\"value\":{\"bytesValue\":\"\"}}]}"),
         "\"type\":\"binary\",\"value\":null}"},
        {SPANS(SERVICE, "",
               "{" IDS ",\"attributes\":[{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":["
               "{\"key\":\"k\",\"value\":{\"intValue\":1}},{\"key\":\"k\",\"value\":{\"intValue\":2}}]}}}]}"),
         "\"value\":\"{\\\"k\\\":2}\"}"},
        {SPANS(SERVICE, "",
               "{" IDS ",\"attributes\":[{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":["
               "{\"bytesValue\":\"\"},{\"stringValue\":\"\\u2028<\\u2029\"}]}}}]}"),
         "\"value\":\"[null,\\\"\\\\u2028\\u003c\\\\u2029\\\"]\"}"},
        /* an event without a name has no field for it */
        {SPANS(SERVICE, "", "{" IDS ",\"events\":[{\"timeUnixNano\":\"1000\"}]}"),
         "\"logs\":[{\"timestamp\":1,\"fields\":[]}]"},
        {SPANS(SERVICE, "", "{" IDS ",\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":1e22}}]}"),
         "\"value\":1e+22}"},
        {SPANS(SERVICE, "", "{" IDS ",\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":3}}]}"),
         "\"value\":3}"},
        {SPANS(SERVICE, "",
               "{" IDS ",\"attributes\":[{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":["
               "{\"key\":\"z\",\"value\":{}},{\"key\":\"a\",\"value\":{\"boolValue\":false}}]}}}]}"),
         "\"type\":\"string\",\"value\":\"{\\\"a\\\":false,\\\"z\\\":null}\""},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        assert_part(rows[i].otlp, rows[i].want);
}

static void jaeger_json_numbers_equal_processes_once_and_sorts_their_keys(void **state)
{
    (void)state;
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    for (int i = 0; i < 12; i++) { /* the last one is the first again */
        char name[2] = {(char)('a' + i % 11), 0};
        jaeger_builder_resource(b, JAEGER_STR(""));
        jaeger_builder_attr_str(b, JAEGER_STR("service.name"), jg_str(name));
        jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {(uint8_t)(i + 1)}});
    }
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    sink s = {.all = JG_BUF_INIT(1 << 20)};
    jg_buf buf = JG_BUF_INIT(1 << 20);
    jg_json_out json = {.buf = &buf, .html = true};
    assert_ok(write_trace(&json, batch, (jg_json_flush){take, &s, 64}, NULL));
    (void)take(&s, &buf);
    jg_buf_byte(&s.all, 0);
    const char *processes = strstr((const char *)s.all.data, "\"processes\":");
    assert_non_null(processes);
    static const char *const order[] = {"\"p1\":", "\"p10\":", "\"p11\":", "\"p2\":", "\"p9\":"};
    for (size_t i = 0; i < JG_COUNT(order); i++)
        assert_non_null(processes = strstr(processes, order[i]));
    assert_null(strstr((const char *)s.all.data, "p12"));
    assert_true(s.flushes > 12);
    assert_true(s.largest < 1024); /* pieces, however long the trace */
    jg_buf_done(&s.all);
    jg_buf_done(&buf);
    jaeger_batch_unref(batch);
}

static void jaeger_json_gives_warnings_to_the_last_span_with_the_id(void **state)
{
    (void)state;
#define WARNED(name, list)                                                                                   \
    "{" IDS ",\"name\":\"" name                                                                              \
    "\",\"attributes\":[{\"key\":\"@jaeger@warnings\",\"value\":{\"arrayValue\":{\"values\":[" list "]}}}]}"
    assert_part(SPANS(SERVICE, "", WARNED("one", "{\"stringValue\":\"w1\"},{\"stringValue\":\"w2\"}")),
                "\"tags\":[],\"logs\":[],\"processID\":\"p1\",\"warnings\":[\"w1\",\"w2\"]");
    assert_part(
        SPANS(SERVICE, "",
              WARNED("one", "{\"stringValue\":\"w1\"}") "," WARNED("two", "{\"stringValue\":\"w2\"}")),
        "\"tags\":[{\"key\":\"@jaeger@warnings\",\"type\":\"string\",\"value\":\"[\\\"w1\\\"]\"}],\"logs\":[]"
        ","
        "\"processID\":\"p1\",\"warnings\":null}");
    assert_part(
        SPANS(SERVICE, "",
              WARNED("one", "{\"stringValue\":\"w1\"}") "," WARNED("two", "{\"stringValue\":\"w2\"}")),
        "\"warnings\":[\"w1\",\"w2\"]");
    assert_part(SPANS(SERVICE, "", WARNED("one", "")),
                "\"value\":\"[]\"}],\"logs\":[],\"processID\":\"p1\",\"warnings\":null");
    assert_part(
        SPANS(SERVICE, "",
              "{" IDS
              ",\"attributes\":[{\"key\":\"@jaeger@warnings\",\"value\":{\"stringValue\":\"text\"}}]}"),
        "\"tags\":[],\"logs\":[],\"processID\":\"p1\",\"warnings\":[\"text\"]");
}

static void jaeger_json_refuses_nan_and_infinity_before_it_writes(void **state)
{
    (void)state;
    static const struct {
        const char *otlp, *want;
    } rows[] = {
        {SPANS(SERVICE, "", "{" IDS ",\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":\"NaN\"}}]}"),
         "json: unsupported value: NaN"},
        {SPANS(SERVICE, "",
               "{" IDS
               ",\"events\":[{\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":\"Infinity\"}}]}]}"),
         "json: unsupported value: +Inf"},
        {SPANS("\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":\"-Infinity\"}}]", "", "{" IDS "}"),
         "json: unsupported value: -Inf"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_batch *batch = batch_of_json(rows[i].otlp);
        jaeger_error err = {0};
        assert_int_equal(jg_jaeger_json_check_trace(batch, &err), JAEGER_INTERNAL);
        assert_string_equal(err.message, rows[i].want);
        sink s = {.all = JG_BUF_INIT(1 << 20)};
        jg_buf buf = JG_BUF_INIT(1 << 20);
        jg_json_out json = {.buf = &buf, .html = true};
        assert_int_equal(write_trace(&json, batch, (jg_json_flush){take, &s, SIZE_MAX}, &err),
                         JAEGER_INTERNAL);
        jg_buf_done(&s.all);
        jg_buf_done(&buf);
        jaeger_batch_unref(batch);
    }
}

static void jaeger_json_indents_as_marshal_indent_does(void **state)
{
    (void)state;
    jg_buf got = legacy(SPANS(SERVICE, "", "{" IDS "}"), 4);
    jg_buf_byte(&got, 0);
    assert_non_null(strstr((const char *)got.data,
                           "    \"processes\": {\n        \"p1\": {\n            \"serviceName\": \"s\",\n"
                           "            \"tags\": []\n        }\n    },\n    \"warnings\": null\n}"));
    jg_buf_done(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaeger_json_writes_every_part_of_a_trace),
        cmocka_unit_test(jaeger_json_parts),
        cmocka_unit_test(jaeger_json_numbers_equal_processes_once_and_sorts_their_keys),
        cmocka_unit_test(jaeger_json_gives_warnings_to_the_last_span_with_the_id),
        cmocka_unit_test(jaeger_json_refuses_nan_and_infinity_before_it_writes),
        cmocka_unit_test(jaeger_json_indents_as_marshal_indent_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
