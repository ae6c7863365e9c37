/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/metrics.h"
#include "support/file.h"
#include "wire/otlp_json.h"

static jg_buf to_json(const jaeger_batch *batch)
{
    jg_buf buf = JG_BUF_INIT(1 << 20);
    jg_json_out json = JG_JSON_OUT_INIT(&buf);
    jg_otlp_json_write(&json, batch);
    assert_true(jg_buf_ok(&buf));
    return buf;
}

static void assert_same(jaeger_str got, jaeger_str want)
{
    if (jg_str_eq(got, want))
        return;
    size_t at = 0;
    while (at < got.len && at < want.len && got.ptr[at] == want.ptr[at])
        at++;
    size_t from = at > 60 ? at - 60 : 0;
    fail_msg("differ at %zu:\n got %.*s\nwant %.*s", at, (int)JG_MIN(got.len - from, 160u), got.ptr + from,
             (int)JG_MIN(want.len - from, 160u), want.ptr + from);
}

static void otlp_json_gives_the_bytes_of_googles_protobuf(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str json = read_data("wire/otlp_python.json"),
                            want = read_data("wire/otlp_python.pb");
    JG_AUTO_BUF jg_buf got = JG_BUF_INIT(1 << 20);
    jaeger_error err;
    if (jg_otlp_json_read(json, &got, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.ptr, want.len);
}

static void otlp_json_is_written_as_the_collector_writes_it(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str bytes = read_data("wire/otlp_python.pb"),
                            want = read_data("wire/otlp_pdata.json");
    JG_AUTO_BATCH jaeger_batch *batch = NULL, *again = NULL;
    assert_ok(jaeger_batch_from_otlp((void *)bytes.ptr, bytes.len, NULL, NULL, &batch, NULL));
    JG_AUTO_BUF jg_buf got = to_json(batch);
    assert_same(jg_buf_view(&got), want);
    assert_ok(jg_otlp_json_to_batch(want, &again, NULL));
    JG_AUTO_BUF jg_buf twice = to_json(again);
    assert_same(jg_buf_view(&twice), want);
}

#define SPAN(fields)                                                                                         \
    "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{" fields "}]}]}]}"

static void otlp_json_takes_what_the_collector_takes(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; /* NULL: refused */
    } rows[] = {
        {"{}", "{}"},
        {"{\"resourceSpans\":null}", "{}"},
        {"{\"other\":[{\"deep\":[1,2,{}]}]}", "{}"},
        {"{\"resource_spans\":[{\"scope_spans\":[{\"spans\":[{\"start_time_unix_nano\":\"5\",\"trace_state\":"
         "\"a=b\","
         "\"dropped_links_count\":\"7\"}]}]}]}",
         SPAN("\"traceState\":\"a=b\",\"startTimeUnixNano\":\"5\",\"droppedLinksCount\":7,\"status\":{}")},
        {SPAN("\"kind\":\"SPAN_KIND_CLIENT\",\"status\":{\"code\":\"STATUS_CODE_ERROR\"}"),
         SPAN("\"kind\":3,\"status\":{\"code\":2}")},
        {SPAN("\"startTimeUnixNano\":1700000000000000001,\"flags\":\"3\",\"status\":null"),
         SPAN("\"flags\":3,\"startTimeUnixNano\":\"1700000000000000001\",\"status\":{}")},
        {SPAN("\"traceId\":\"0102030405060708090A0B0C0D0E0F10\",\"spanId\":\"\",\"status\":{}"),
         SPAN("\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"status\":{}")},
        {SPAN("\"traceId\":\"00000000000000000000000000000000\",\"status\":{}"), SPAN("\"status\":{}")},
        {SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":-1}},{\"key\":\"b\",\"value\":{"
              "\"doubleValue\":"
              "\"2.5\"}},{\"key\":\"c\",\"value\":null},{\"key\":\"d\"}]"),
         SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"-1\"}},{\"key\":\"b\",\"value\":{"
              "\"doubleValue\":"
              "2.5}},{\"key\":\"c\",\"value\":{}},{\"key\":\"d\",\"value\":{}}],\"status\":{}")},
        {SPAN("\"n\\u0061me\":\"\\u003ca\\u003e\\ud83d\\ude00\",\"status\":{}"),
         SPAN("\"name\":\"<a>\xf0\x9f\x98\x80\",\"status\":{}")},
        {SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AAH\\/\"}}],\"status\":{}"),
         SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"AAH/\"}}],\"status\":{}")},
        {"", NULL},
        {"[]", NULL},
        {"{\"resourceSpans\":{}}", NULL},
        {"{\"resourceSpans\":[]} x", NULL},
        {SPAN("\"traceId\":\"0102\""), NULL},
        {SPAN("\"spanId\":\"010203040506070g\""), NULL},
        {SPAN("\"name\":1"), NULL},
        {SPAN("\"kind\":\"SPAN_KIND_OTHER\""), NULL},
        {SPAN("\"kind\":1.5"), NULL},
        {SPAN("\"startTimeUnixNano\":-1"), NULL},
        {SPAN("\"startTimeUnixNano\":\"18446744073709551616\""), NULL},
        {SPAN("\"droppedLinksCount\":4294967296"), NULL},
        {SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"bytesValue\":\"?\"}}]"), NULL},
        {SPAN("\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":\"true\"}}]"), NULL},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        jaeger_error err;
        jaeger_status status = jg_otlp_json_to_batch(jg_str(rows[i].json), &batch, &err);
        if (!rows[i].want) {
            if (status != JAEGER_INVALID_ARGUMENT)
                fail_msg("%s was accepted", rows[i].json);
            continue;
        }
        if (status != JAEGER_OK)
            fail_msg("%s: %s", rows[i].json, err.message);
        JG_AUTO_BUF jg_buf got = to_json(batch);
        assert_same(jg_buf_view(&got), jg_str(rows[i].want));
    }
}

/** Each point as text: name, type, and what it holds. */
static bool tell_point(void *self, const jg_metric_point *p)
{
    jg_buf *out = self;
    jaeger_iter attrs = jg_point_attrs(p);
    jaeger_attr attr;
    jg_exemplar e;
    jg_pb exemplars = jg_pb_of_str(p->body);
    jg_buf_printf(out, "%.*s %d %llu-%llu", JAEGER_STR_ARGS(p->name), (int)p->type,
                  (unsigned long long)p->start_unix_ns, (unsigned long long)p->time_unix_ns);
    while (jaeger_next_attr(&attrs, &attr))
        jg_buf_printf(out, " %.*s", JAEGER_STR_ARGS(attr.key));
    if (p->type == JG_METRIC_GAUGE || p->type == JG_METRIC_SUM)
        jg_buf_printf(out, " =%g", p->value);
    else
        jg_buf_printf(out, " n=%llu sum=%g", (unsigned long long)p->count, p->sum);
    if (p->type != JG_METRIC_GAUGE)
        jg_buf_printf(out, " t=%u m=%d", p->temporality, p->monotonic);
    for (size_t i = 0; i < p->counts.len / 8; i++)
        jg_buf_printf(out, " c%llu", (unsigned long long)jg_packed_u64(p->counts, i));
    for (size_t i = 0; i < p->bounds.len / 8; i++)
        jg_buf_printf(out, " b%g", jg_packed_double(p->bounds, i));
    if (p->type == JG_METRIC_EXPONENTIAL)
        jg_buf_printf(out, " scale=%d zero=%llu offset=%d counts=%zu", p->scale,
                      (unsigned long long)p->zero_count, p->offset, p->positive.len);
    while (jg_point_next_exemplar(p, &exemplars, &e))
        jg_buf_printf(out, " e%g@%llu/%02x%02x", e.value, (unsigned long long)e.time_unix_ns, e.trace_id[15],
                      e.span_id[7]);
    jg_buf_printf(out, ";");
    return true;
}

#define METRIC(json) "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\"," json "}]}]}]}"

static void otlp_json_writes_metrics(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":"
        "\"shop\"}}]},\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1\"},\"metrics\":[{"
        "\"name\":\"a\","
        "\"description\":\"An "
        "a.\",\"unit\":\"s\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"k\",\"value\":"
        "{\"boolValue\":false}},{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"-3\"},{"
        "\"kvlistValue\":{\"values\":[{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}}]}}]}}}],"
        "\"startTimeUnixNano\":"
        "\"1\",\"timeUnixNano\":\"18446744073709551615\",\"asInt\":\"-7\",\"flags\":1}]}},{\"name\":\"b\","
        "\"sum\":{"
        "\"dataPoints\":[{\"asDouble\":0,\"exemplars\":[{\"timeUnixNano\":\"5\",\"asDouble\":1.5,\"spanId\":"
        "\"0102030405060708\",\"traceId\":\"0102030405060708090a0b0c0d0e0f10\"}]}],"
        "\"aggregationTemporality\":2,"
        "\"isMonotonic\":true}}],\"schemaUrl\":\"http://scope\"}],\"schemaUrl\":\"http://resource\"}]}",
        METRIC("\"histogram\":{\"dataPoints\":[{\"count\":\"3\",\"sum\":4.5,\"bucketCounts\":[\"1\",\"0\","
               "\"2\"],"
               "\"explicitBounds\":[0.5,10],\"min\":0,\"max\":9}],\"aggregationTemporality\":1}"),
        METRIC("\"exponentialHistogram\":{\"dataPoints\":[{\"count\":\"3\",\"scale\":-2,\"zeroCount\":\"1\","
               "\"positive\":{\"offset\":-5,\"bucketCounts\":[\"300\",\"0\"]},\"negative\":{}}]}"),
        METRIC("\"summary\":{\"dataPoints\":[{\"count\":\"2\",\"sum\":3,\"quantileValues\":[{\"quantile\":0."
               "5,\"value\":"
               "1.25}]}]}"),
    };
    for (size_t i = 0; i < JG_COUNT(texts); i++) {
        jaeger_batch *batch;
        jaeger_error err = {0};
        if (jg_otlp_json_to_metrics(jg_str(texts[i]), &batch, &err) != JAEGER_OK)
            fail_msg("%s: %s", texts[i], err.message);
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
        jg_json_out json = JG_JSON_OUT_INIT(&out);
        jg_otlp_json_write_metrics(&json, batch);
        assert_str(jg_buf_view(&out), texts[i]);
        jaeger_batch_unref(batch);
    }
}

static void otlp_json_reads_metrics(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; /* NULL: refused */
    } rows[] = {
        {"{}", ""},
        {METRIC("\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"7\",\"asInt\":\"-3\"},{\"asDouble\":0.5,"
                "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}}]}]}"),
         "m 5 0-7 =-3;m 5 0-0 a =0.5;"},
        {METRIC("\"sum\":{\"aggregationTemporality\":\"AGGREGATION_TEMPORALITY_DELTA\",\"isMonotonic\":true,"
                "\"dataPoints\":[{\"startTimeUnixNano\":\"1\",\"timeUnixNano\":2,\"asInt\":4,\"exemplars\":[{"
                "\"timeUnixNano\":\"3\",\"asDouble\":1.5,\"spanId\":\"00000000000000ab\","
                "\"traceId\":\"000000000000000000000000000000cd\"}]}]}"),
         "m 7 1-2 =4 t=1 m=1 e1.5@3/cdab;"},
        {METRIC("\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"count\":\"3\",\"sum\":4.5,"
                "\"bucketCounts\":[\"1\",2,\"0\"],\"explicitBounds\":[1,2.5],\"min\":0,\"max\":9}]}"),
         "m 9 0-0 n=3 sum=4.5 t=2 m=0 c1 c2 c0 b1 b2.5;"},
        {METRIC("\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"count\":\"5\","
                "\"sum\":1,\"scale\":-2,\"zeroCount\":\"1\",\"positive\":{\"offset\":-3,\"bucketCounts\":"
                "[\"1\",\"300\"]}}]}"),
         "m 10 0-0 n=5 sum=1 t=1 m=0 scale=-2 zero=1 offset=-3 counts=3;"},
        {METRIC(
             "\"summary\":{\"dataPoints\":[{\"count\":\"2\",\"sum\":3,\"quantileValues\":[{\"quantile\":0.5,"
             "\"value\":1}]}]}"),
         "m 11 0-0 n=2 sum=3 t=0 m=0;"},
        {METRIC("\"gauge\":{\"dataPoints\":[{\"asInt\":\"x\"}]}"), NULL},
        {METRIC("\"exponentialHistogram\":{\"dataPoints\":[{\"scale\":2147483648}]}"), NULL},
        {METRIC("\"histogram\":{\"dataPoints\":[{\"bucketCounts\":[-1]}]}"), NULL},
        {METRIC("\"sum\":{\"aggregationTemporality\":\"DELTA\"}"), NULL},
        {"{\"resourceMetrics\":7}", NULL},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        JG_AUTO_BUF jg_buf told = JG_BUF_INIT(4096);
        jaeger_error err = {0};
        jaeger_str message;
        jaeger_status status = jg_otlp_json_to_metrics(jg_str(rows[i].json), &batch, &err);
        if (!rows[i].want) {
            if (status != JAEGER_INVALID_ARGUMENT)
                fail_msg("%s was accepted", rows[i].json);
            continue;
        }
        if (status != JAEGER_OK)
            fail_msg("%s: %s", rows[i].json, err.message);
        if (jg_batch_payload(batch, 0, &message))
            assert_true(jg_metrics_walk(message, (jg_metric_sink){tell_point, &told}));
        assert_same(jg_buf_view(&told), jg_str(rows[i].want));
    }
}

static jaeger_status read_nested(size_t depth)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1 << 20);
    jg_buf_printf(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"attributes\":[{\"value\":");
    for (size_t i = 0; i < depth; i++)
        jg_buf_printf(&text, "{\"arrayValue\":{\"values\":[");
    jg_buf_printf(&text, "{}");
    for (size_t i = 0; i < depth; i++)
        jg_buf_printf(&text, "]}}");
    jg_buf_printf(&text, "}]}]}]}]}");
    jaeger_batch *batch = NULL;
    jaeger_status status = jg_otlp_json_to_batch(jg_buf_view(&text), &batch, NULL);
    jaeger_batch_unref(batch);
    return status;
}

static void otlp_json_limits_the_nesting_of_values(void **state)
{
    (void)state;
    assert_int_equal(read_nested(30), JAEGER_OK);
    assert_int_equal(read_nested(60), JAEGER_INVALID_ARGUMENT);
    assert_int_equal(read_nested(10000), JAEGER_INVALID_ARGUMENT);
}

static void otlp_json_survives_each_failing_allocation(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str json = read_data("wire/otlp_python.json");
    jaeger_status status = JAEGER_UNKNOWN;
    for (long n = 0; status != JAEGER_OK && n < 100; n++) {
        jaeger_batch *batch = NULL;
        jg_alloc_fail_after(n);
        status = jg_otlp_json_to_batch(json, &batch, NULL);
        jg_alloc_fail_after(-1);
        jaeger_batch_unref(batch);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(otlp_json_gives_the_bytes_of_googles_protobuf),
        cmocka_unit_test(otlp_json_is_written_as_the_collector_writes_it),
        cmocka_unit_test(otlp_json_takes_what_the_collector_takes),
        cmocka_unit_test(otlp_json_reads_metrics),
        cmocka_unit_test(otlp_json_writes_metrics),
        cmocka_unit_test(otlp_json_limits_the_nesting_of_values),
        cmocka_unit_test(otlp_json_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
