/* SPDX-License-Identifier: Apache-2.0
 * Refusals and limits; what a valid batch becomes is compared with the Collector in golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/jaeger_thrift.h"

static void jaeger_thrift_refuses_what_is_not_a_batch(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
        const char *want;
    } rows[] = {
        {"nothing", "", 0, "cut off"},
        {"empty struct", "\x00", 1, "required field of a Batch"},
        {"no spans", "\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x01s\x00\x00", 13, "required field of a Batch"},
        {"process without a name", "\x0c\x00\x01\x00\x0f\x00\x02\x0c\x00\x00\x00\x00\x00", 13,
         "of a Process"},
        {"empty span",
         "\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x01s\x00\x0f\x00\x02\x0c\x00\x00\x00\x01\x00\x00", 22,
         "of a Span"},
        {"spans that are numbers", "\x0f\x00\x02\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00", 13,
         "list of something else"},
        {"more spans than bytes", "\x0f\x00\x02\x0c\x7f\xff\xff\xff\x00", 9, "list longer"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_batch *batch = NULL;
        jaeger_error err;
        if (jg_jaeger_thrift_to_batch(JG_THRIFT_BINARY, (jaeger_str){rows[i].bytes, rows[i].len}, &batch,
                                      &err) != JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", rows[i].name);
        if (!strstr(err.message, rows[i].want))
            fail_msg("%s: %s", rows[i].name, err.message);
    }
}

static void jaeger_thrift_reads_packets_and_nothing_but_emit_batch(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str packet = read_data("wire/jaeger_thrift_0.packet_compact");
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jaeger_error err;
    assert_ok(jg_jaeger_thrift_packet(JG_THRIFT_COMPACT, packet, &batch, &err));
    assert_int_equal(jaeger_batch_span_count(batch), 16);
    jaeger_batch *none = NULL;
    assert_int_equal(jg_jaeger_thrift_packet(JG_THRIFT_BINARY, packet, &none, &err), JAEGER_INVALID_ARGUMENT);
    jaeger_str zipkin = {"\x82\x81\x01\x0f"
                         "emitZipkinBatch"
                         "\x19\x0c\x00",
                         22};
    assert_int_equal(jg_jaeger_thrift_packet(JG_THRIFT_COMPACT, zipkin, &none, &err), JAEGER_UNIMPLEMENTED);
    jaeger_str empty = {"\x82\x81\x01\x09"
                        "emitBatch"
                        "\x00",
                        14};
    assert_int_equal(jg_jaeger_thrift_packet(JG_THRIFT_COMPACT, empty, &none, &err), JAEGER_INVALID_ARGUMENT);
}

static void jaeger_thrift_survives_each_failing_allocation(void **state)
{
    (void)state;
    JG_AUTO_DATA jaeger_str bytes = read_data("wire/jaeger_thrift_1.binary");
    jaeger_status status = JAEGER_UNKNOWN;
    for (long n = 0; status != JAEGER_OK && n < 200; n++) {
        jaeger_batch *batch = NULL;
        jg_alloc_fail_after(n);
        status = jg_jaeger_thrift_to_batch(JG_THRIFT_BINARY, bytes, &batch, NULL);
        jg_alloc_fail_after(-1);
        jaeger_batch_unref(batch);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
    }
    assert_ok(status);
}

/** 100,000 tags of one key in one span must not take quadratic time. */
static void jaeger_thrift_unites_many_tags_fast(void **state)
{
    (void)state;
    enum { TAGS = 100000 };
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(16 << 20);
    jg_thrift_out out = {&buf, JG_THRIFT_BINARY};
    int16_t last = 0;
    jg_thrift_put_field(&out, &last, 1, JG_THRIFT_STRUCT);
    jg_thrift_put_field(&out, &last, 1, JG_THRIFT_STRING);
    jg_thrift_put_str(&out, JAEGER_STR("s"));
    jg_thrift_put_stop(&out);
    jg_thrift_put_field(&out, &last, 2, JG_THRIFT_LIST);
    jg_thrift_put_list(&out, JG_THRIFT_STRUCT, 1);
    static const int16_t numbers[] = {1, 2, 3, 4, 8, 9};
    for (size_t i = 0; i < JG_COUNT(numbers); i++) {
        jg_thrift_put_field(&out, &last, numbers[i], JG_THRIFT_I64);
        jg_thrift_put_i64(&out, 1);
    }
    jg_thrift_put_field(&out, &last, 5, JG_THRIFT_STRING);
    jg_thrift_put_str(&out, JAEGER_STR("op"));
    jg_thrift_put_field(&out, &last, 7, JG_THRIFT_I32);
    jg_thrift_put_i32(&out, 0);
    jg_thrift_put_field(&out, &last, 10, JG_THRIFT_LIST);
    jg_thrift_put_list(&out, JG_THRIFT_STRUCT, TAGS);
    for (int i = 0; i < TAGS; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "k%d", i % (TAGS / 2));
        jg_thrift_put_field(&out, &last, 1, JG_THRIFT_STRING);
        jg_thrift_put_str(&out, (jaeger_str){key, (size_t)len});
        jg_thrift_put_field(&out, &last, 2, JG_THRIFT_I32);
        jg_thrift_put_i32(&out, 3);
        jg_thrift_put_field(&out, &last, 6, JG_THRIFT_I64);
        jg_thrift_put_i64(&out, i);
        jg_thrift_put_stop(&out);
    }
    jg_thrift_put_stop(&out);
    jg_thrift_put_stop(&out);
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    assert_ok(jg_jaeger_thrift_to_batch(JG_THRIFT_BINARY, jg_buf_view(&buf), &batch, NULL));
    jaeger_iter attrs = jaeger_span_attrs(jaeger_batch_spans(batch));
    jaeger_attr attr;
    size_t count = 0;
    while (jaeger_next_attr(&attrs, &attr)) {
        if (count == 0)
            assert_int_equal(attr.value.u.i, TAGS / 2); /* the later value, at the first place */
        count++;
    }
    assert_int_equal(count, TAGS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaeger_thrift_refuses_what_is_not_a_batch),
        cmocka_unit_test(jaeger_thrift_reads_packets_and_nothing_but_emit_batch),
        cmocka_unit_test(jaeger_thrift_survives_each_failing_allocation),
        cmocka_unit_test(jaeger_thrift_unites_many_tags_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
