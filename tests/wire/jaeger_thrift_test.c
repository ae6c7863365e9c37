/* SPDX-License-Identifier: Apache-2.0
 * Refusals and limits; what a valid batch becomes is compared with the Collector in golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/jaeger_thrift.h"
#include "wire/otlp_json.h"

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

/** All batches of `batch`, one after the other. */
static void write_all(jg_buf *buf, jg_thrift_protocol protocol, const jaeger_batch *batch)
{
    jg_thrift_out out = {buf, protocol};
    for (size_t at = 0; at < jaeger_batch_span_count(batch);)
        at = jg_jaeger_thrift_write(&out, batch, at);
    assert_true(jg_buf_ok(buf));
}

/** Read `bytes` and write what was read to `ret`. @return number of spans */
static size_t pass(jg_thrift_protocol from, jaeger_str bytes, jg_thrift_protocol to, jg_buf *ret)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jaeger_error err;
    assert_ok(jg_jaeger_thrift_to_batch(from, bytes, &batch, &err));
    write_all(ret, to, batch);
    return jaeger_batch_span_count(batch);
}

/** A status that comes from one tag may be told by two afterwards, so the second pass counts. */
static void jaeger_thrift_reads_what_it_writes(void **state)
{
    (void)state;
    static const char *const files[] = {"wire/jaeger_thrift_0.binary", "wire/jaeger_thrift_1.binary",
                                        "wire/jaeger_thrift_2.binary", "wire/jaeger_thrift_3.binary"};
    for (size_t i = 0; i < JG_COUNT(files); i++) {
        JG_AUTO_DATA jaeger_str bytes = read_data(files[i]);
        JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 20);
        JG_AUTO_BUF jg_buf second = JG_BUF_INIT(1 << 20);
        JG_AUTO_BUF jg_buf third = JG_BUF_INIT(1 << 20);
        size_t spans = pass(JG_THRIFT_BINARY, bytes, JG_THRIFT_COMPACT, &first);
        assert_int_equal(pass(JG_THRIFT_COMPACT, jg_buf_view(&first), JG_THRIFT_BINARY, &second), spans);
        jg_buf_clear(&first);
        assert_int_equal(pass(JG_THRIFT_BINARY, jg_buf_view(&second), JG_THRIFT_COMPACT, &first), spans);
        assert_int_equal(pass(JG_THRIFT_COMPACT, jg_buf_view(&first), JG_THRIFT_BINARY, &third), spans);
        assert_int_equal(second.len, third.len);
        assert_memory_equal(second.data, third.data, third.len);
    }
}

/** A span of everything, from OTLP; what a Go client reads is in the comment of each part. */
static void jaeger_thrift_is_written_field_by_field(void **state)
{
    (void)state;
    static const char json[] =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":"
        "\"s\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"000000000000000700000000000000ff\",\"spanId\":"
        "\"0000000000000003\",\"parentSpanId\":\"0000000000000002\",\"name\":\"op\",\"startTimeUnixNano\":"
        "\"5001\",\"endTimeUnixNano\":\"8999\",\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"-2\"}"
        "},{"
        "\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"boolValue\":true}]}}}]}]}]}]}";
    static const uint8_t want[] = {
        0x1c, 0x18, 1,    's',  0x19, 0x0c, 0,           /* process: name, no tags */
        0x19, 0x1c,                                      /* one span */
        0x16, 0xfe, 3,    0x16, 14,   0x16, 6,  0x16, 4, /* low, high, id, parent */
        0x18, 2,    'o',  'p',                           /* name */
        0x19, 0x1c,                                      /* one reference: CHILD_OF, low, high, id */
        0x15, 0,    0x16, 0xfe, 3,    0x16, 14, 0x16, 4,   0,   0x15, 0,   0x16, 10,
        0x16, 6,                                   /* flags, start, duration [us] */
        0x19, 0x2c,                                /* two tags */
        0x18, 1,    'n',  0x15, 6,    0x46, 3,  0, /* LONG */
        0x18, 1,    'l',  0x15, 0,    0x18, 6,  '[',  't', 'r', 'u',  'e', ']',  0, /* STRING */
        0,    0};
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(1 << 16);
    assert_ok(jg_otlp_json_to_batch(JAEGER_STR(json), &batch, NULL));
    write_all(&buf, JG_THRIFT_COMPACT, batch);
    assert_int_equal(buf.len, sizeof want);
    assert_memory_equal(buf.data, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaeger_thrift_refuses_what_is_not_a_batch),
        cmocka_unit_test(jaeger_thrift_reads_packets_and_nothing_but_emit_batch),
        cmocka_unit_test(jaeger_thrift_survives_each_failing_allocation),
        cmocka_unit_test(jaeger_thrift_unites_many_tags_fast),
        cmocka_unit_test(jaeger_thrift_reads_what_it_writes),
        cmocka_unit_test(jaeger_thrift_is_written_field_by_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
