/* SPDX-License-Identifier: Apache-2.0
 * Refusals and odd values of both JSON versions; whole requests are compared with the Collector in
 * golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/zipkin.h"
#include "wire/zipkin_model.h"

static void zipkin_v2_json_refuses_what_zipkin_go_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"id\":\"0\"}]",
        "[{\"id\":\"\"}]",
        "[{\"id\":\"xyz\"}]",
        "[{\"id\":\"00000000000000001\"}]",
        "[{\"id\":\"1\",\"traceId\":\"\"}]",
        "[{\"id\":\"1\",\"traceId\":\"000000000000000000000000000000001\"}]",
        "[{\"id\":\"1\",\"timestamp\":-1}]",
        "[{\"id\":\"1\",\"duration\":\"5\"}]",
        "[{\"id\":\"1\",\"tags\":{\"a\":1}}]",
        "[{\"id\":\"1\",\"tags\":[]}]",
        "[{\"id\":\"1\",\"localEndpoint\":{\"ipv4\":\"1.2.3\"}}]",
        "[{\"id\":\"1\",\"localEndpoint\":{\"port\":65536}}]",
        "[{\"id\":\"1\",\"annotations\":[{\"value\":\"a\"}]}]",
        "[{\"id\":\"1\",\"annotations\":[{\"timestamp\":1,\"value\":\"a|b|c\"}]}]",
        "[{\"id\":\"1\",\"annotations\":[{\"timestamp\":1,\"value\":\"a|{}|-1\"}]}]",
        "[{\"id\":\"1\",\"tags\":{\"otlp.link.0\":\"12|||{}|0\"}}]",
        "[{\"id\":\"1\"}] x",
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_batch *batch = NULL;
        jaeger_error err;
        if (jg_zipkin_v2_json_to_batch(jg_str(rows[i]), false, &batch, &err) != JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", rows[i]);
    }
}

static void zipkin_v2_json_keeps_one_resource_a_service(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    assert_ok(jg_zipkin_v2_json_to_batch(
        JAEGER_STR("[null,{\"id\":\"1\",\"traceId\":\"1\",\"localEndpoint\":{\"serviceName\":\"a\"}},"
                   "{\"id\":\"2\",\"traceId\":\"1\",\"localEndpoint\":{\"serviceName\":\"b\"},\"tags\":{"
                   "\"k\":null}},"
                   "{\"id\":\"3\",\"traceId\":\"1\",\"tags\":{\"x\\u0041\":\"y\\n\"},\"localEndpoint\":{"
                   "\"serviceName\":\"a\"}}]"),
        false, &batch, NULL));
    const jaeger_span *spans = jaeger_batch_spans(batch);
    jaeger_attr attr;
    assert_int_equal(jaeger_batch_span_count(batch), 3);
    assert_str(spans[1].group->service, "a");
    assert_int_equal(spans[1].span_id[7], 3);
    assert_int_equal(spans[0].group->resource_index, spans[1].group->resource_index);
    assert_str(spans[2].group->service, "b");
    assert_true(jaeger_find_attr(jaeger_span_attrs(&spans[1]), JAEGER_STR("xA"), &attr));
    assert_str(attr.value.u.s, "y\n");
    assert_true(jaeger_find_attr(jaeger_span_attrs(&spans[0]),
                                 JAEGER_STR("otel.zipkin.absentField.startTime"), &attr));
}

static void zipkin_v1_json_checks_ids(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool want;
    } rows[] = {
        {"[]", true},
        {"[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000001\"}]", true},
        {"[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000001\",\"parentId\":\"\"}]", true},
        {"[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000001\",\"parentId\":\"01\"}]", false},
        {"[{\"traceId\":\"1\",\"id\":\"0000000000000001\"}]", false},
        {"[{\"traceId\":\"0000000000000000\",\"id\":\"0000000000000001\"}]", false},
        {"[{\"traceId\":\"000000000000000g\",\"id\":\"0000000000000001\"}]", false},
        {"[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000000\"}]", false},
        {"[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000001\",\"binaryAnnotations\":[{\"key\":"
         "\"a\","
         "\"value\":true}]}]",
         false},
        {"{}", false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        jaeger_status status = jg_zipkin_v1_json_to_batch(jg_str(rows[i].json), false, &batch, NULL);
        if ((status == JAEGER_OK) != rows[i].want)
            fail_msg("%s: %d", rows[i].json, status);
    }
}

static void zipkin_addresses_are_printed_as_go_prints_them(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* NULL: not an address */
    } rows[] = {
        {"1.2.3.4", "1.2.3.4"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:db8::c001", "2001:db8::c001"},
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
        {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
        {"FE80::A", "fe80::a"},
        {"01.2.3.4", NULL},
        {"1.2.3.4.5", NULL},
        {":::", NULL},
        {"", NULL},
    };
    jaeger_arena *arena = jaeger_arena_new(0);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        uint8_t bytes[16];
        size_t len;
        bool ok = jg_zipkin_ip_parse(jg_str(rows[i].in), bytes, &len);
        if (ok != (rows[i].want != NULL))
            fail_msg("%s: %d", rows[i].in, ok);
        if (ok)
            assert_str(jg_zipkin_ip_text(arena, (jaeger_str){(const char *)bytes, len}), rows[i].want);
    }
    assert_str(jg_zipkin_ip_text(arena, JAEGER_STR("\x01\x02\xff")), "?0102ff");
    assert_null(jg_zipkin_ip_text(arena, JAEGER_STR("")).ptr);
    jaeger_arena_free(arena);
}

static void zipkin_writers_refuse_what_zipkin_cannot_carry(void **state)
{
    (void)state;
    static const struct {
        jaeger_span_start span;
        bool json, pb;
    } rows[] = {
        {{.trace_id = {1}, .span_id = {1}, .start_unix_ns = 2000000000, .end_unix_ns = 3000000000},
         true,
         true},
        {{.span_id = {1}}, false, false},
        {{.trace_id = {1}}, false, false},
        {{.trace_id = {1}, .span_id = {1}, .start_unix_ns = 3000000000, .end_unix_ns = 2000000000},
         false,
         true},
        {{.trace_id = {1}, .span_id = {1}, .start_unix_ns = UINT64_MAX}, false, true},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        JG_AUTO_BUF jg_buf json = JG_BUF_INIT(4096), pb = JG_BUF_INIT(4096);
        jaeger_builder *builder = jaeger_builder_new(4096);
        jaeger_builder_span(builder, &rows[i].span);
        assert_ok(jaeger_builder_finish(builder, &batch, NULL));
        jaeger_builder_free(builder);
        if ((jg_zipkin_json_write(&json, batch, NULL) == JAEGER_OK) != rows[i].json ||
            (jg_zipkin_pb_write(&pb, batch, NULL) == JAEGER_OK) != rows[i].pb)
            fail_msg("row %zu", i);
    }
}

static void zipkin_survives_each_failing_allocation(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str v1 = read_data("wire/zipkin_v1_0.zipkin_v1"),
                            v2 = read_data("wire/zipkin_v2_0.zipkin_v2"),
                            otlp = read_data("wire/zipkin_source.pb");
    JG_AUTO_BATCH jaeger_batch *source = NULL;
    assert_ok(jaeger_batch_from_otlp((void *)otlp.ptr, otlp.len, NULL, NULL, &source, NULL));
    for (int kind = 0; kind < 3; kind++) {
        jaeger_status status = JAEGER_UNKNOWN;
        for (long n = 0; status != JAEGER_OK && n < 1000; n++) {
            jaeger_batch *batch = NULL;
            JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
            jg_alloc_fail_after(n);
            status = kind == 0   ? jg_zipkin_v1_json_to_batch(v1, false, &batch, NULL)
                     : kind == 1 ? jg_zipkin_v2_json_to_batch(v2, true, &batch, NULL)
                                 : jg_zipkin_json_write(&out, source, NULL);
            jg_alloc_fail_after(-1);
            jaeger_batch_unref(batch);
            if (status == JAEGER_OK && !jg_buf_ok(&out))
                status = JAEGER_RESOURCE_EXHAUSTED;
            assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
        }
        assert_ok(status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zipkin_v2_json_refuses_what_zipkin_go_refuses),
        cmocka_unit_test(zipkin_v2_json_keeps_one_resource_a_service),
        cmocka_unit_test(zipkin_v1_json_checks_ids),
        cmocka_unit_test(zipkin_addresses_are_printed_as_go_prints_them),
        cmocka_unit_test(zipkin_writers_refuse_what_zipkin_cannot_carry),
        cmocka_unit_test(zipkin_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
