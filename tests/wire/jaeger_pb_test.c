/* SPDX-License-Identifier: Apache-2.0
 * Refusals, times and round trips; the translation is compared with the Collector in golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/jaeger_pb.h"

static void jaeger_pb_refuses_what_gogo_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } rows[] = {
        {"trace id of 3 bytes",
         "\x0a\x03"
         "abc",
         5},
        {"empty span id", "\x12\x00", 2},
        {"span id of 16 bytes",
         "\x12\x10"
         "0123456789abcdef",
         18},
        {"name as a number", "\x18\x01", 2},
        {"flags as a text",
         "\x2a\x01"
         "a",
         3},
        {"time with a billion nanoseconds", "\x32\x06\x10\x80\x94\xeb\xdc\x03", 8},
        {"time after the year 9999", "\x32\x07\x08\x80\xf8\xc8\xa3\xb0\x07", 9},
        {"duration with two signs", "\x3a\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15},
        {"tag value of a wrong type",
         "\x42\x02\x28\x01\x42\x03\x2a\x01"
         "a",
         9},
        {"cut off",
         "\x0a\x10"
         "abc",
         5},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_batch *batch = NULL;
        jaeger_error err;
        if (jg_jaeger_pb_span_to_batch((jaeger_str){rows[i].bytes, rows[i].len}, &batch, &err) !=
            JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", rows[i].name);
    }
}

static void jaeger_pb_knows_set_and_unset_times(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, spans;
        uint64_t start;
    } rows[] = {
        {"", 0, 0, 0}, /* a blank span is skipped */
        {"\x32\x0b\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01", 13, 0, 0},
        {"\x1a\x01x", 3, 1, 11651379494838206464u}, /* Go's zero time, wrapped */
        {"\x32\x00", 2, 1, 0},
        {"\x32\x04\x08\x01\x10\x02", 6, 1, 1000000002},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        assert_ok(jg_jaeger_pb_span_to_batch((jaeger_str){rows[i].bytes, rows[i].len}, &batch, NULL));
        assert_int_equal(jaeger_batch_span_count(batch), rows[i].spans);
        if (rows[i].spans)
            assert_int_equal(jaeger_batch_spans(batch)[0].start_unix_ns, rows[i].start);
    }
}

static void jaeger_pb_round_trips_requests(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str otlp = read_data("wire/otlp_python.pb");
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    assert_ok(jaeger_batch_from_otlp((void *)otlp.ptr, otlp.len, NULL, NULL, &batch, NULL));
    size_t from = 0, posts = 0;
    while (from < jaeger_batch_span_count(batch)) {
        JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 20), second = JG_BUF_INIT(1 << 20);
        JG_AUTO_BATCH jaeger_batch *again = NULL;
        from = jg_jaeger_pb_write_post(&first, batch, from);
        assert_ok(jg_jaeger_pb_post_to_batch(jg_buf_view(&first), &again, NULL));
        if (posts == 0)
            assert_str(jaeger_batch_spans(again)[0].name, "GET /");
        assert_int_equal(jg_jaeger_pb_write_post(&second, again, 0), jaeger_batch_span_count(again));
        assert_true(jg_str_eq(jg_buf_view(&first), jg_buf_view(&second)));
        posts++;
    }
    assert_int_equal(posts, 2);
}

static void jaeger_pb_survives_each_failing_allocation(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str bytes = read_data("wire/jaeger_proto_2.post");
    jaeger_status status = JAEGER_UNKNOWN;
    for (long n = 0; status != JAEGER_OK && n < 300; n++) {
        jaeger_batch *batch = NULL;
        jg_alloc_fail_after(n);
        status = jg_jaeger_pb_post_to_batch(bytes, &batch, NULL);
        jg_alloc_fail_after(-1);
        jaeger_batch_unref(batch);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaeger_pb_refuses_what_gogo_refuses),
        cmocka_unit_test(jaeger_pb_knows_set_and_unset_times),
        cmocka_unit_test(jaeger_pb_round_trips_requests),
        cmocka_unit_test(jaeger_pb_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
