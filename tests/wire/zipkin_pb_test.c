/* SPDX-License-Identifier: Apache-2.0
 * Refusals and a round trip; whole requests are compared with the Collector in golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/zipkin.h"

static void zipkin_pb_checks_lengths_of_ids(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
        bool want;
    } rows[] = {
        {"nothing", "", 0, true},
        {"both ids",
         "\x0a\x1c\x0a\x10"
         "0123456789abcdef"
         "\x1a\x08"
         "01234567",
         30, true},
        {"no ids", "\x0a\x00", 2, false},
        {"trace id of 64 bits",
         "\x0a\x14\x0a\x08"
         "01234567"
         "\x1a\x08"
         "01234567",
         22, true},
        {"short trace id",
         "\x0a\x0f\x0a\x03"
         "012"
         "\x1a\x08"
         "01234567",
         17, false},
        {"no span id",
         "\x0a\x12\x0a\x10"
         "0123456789abcdef",
         20, false},
        {"kind as a text",
         "\x0a\x1f\x0a\x10"
         "0123456789abcdef"
         "\x1a\x08"
         "01234567"
         "\x22\x01x",
         33, false},
        {"span as a number", "\x08\x01", 2, false},
        {"cut off", "\x0a\x20\x0a", 3, false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        if ((jg_zipkin_pb_to_batch((jaeger_str){rows[i].bytes, rows[i].len}, false, &batch, NULL) ==
             JAEGER_OK) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

static void zipkin_pb_round_trips_a_request(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str otlp = read_data("wire/zipkin_source.pb");
    JG_AUTO_BATCH jaeger_batch *batch = NULL, *again = NULL;
    JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 20);
    assert_ok(jaeger_batch_from_otlp((void *)otlp.ptr, otlp.len, NULL, NULL, &batch, NULL));
    assert_ok(jg_zipkin_pb_write(&first, batch, NULL));
    assert_ok(jg_zipkin_pb_to_batch(jg_buf_view(&first), true, &again, NULL));
    assert_int_equal(jaeger_batch_span_count(again), jaeger_batch_span_count(batch));
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++) {
        const jaeger_span *a = &jaeger_batch_spans(batch)[i], *b = &jaeger_batch_spans(again)[i];
        assert_memory_equal(a->trace_id, b->trace_id, 16);
        assert_memory_equal(a->span_id, b->span_id, 8);
        assert_memory_equal(a->parent_span_id, b->parent_span_id, 8);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->status_code, b->status_code);
        assert_true(jg_str_eq(a->name, b->name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zipkin_pb_checks_lengths_of_ids),
                                       cmocka_unit_test(zipkin_pb_round_trips_a_request)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
