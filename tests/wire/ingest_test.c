/* SPDX-License-Identifier: Apache-2.0 */
#include "support/file.h"
#include <jaeger/ingest.h>

static void ingest_takes_each_encoding(void **state)
{
    (void)state;
    static const struct {
        jaeger_encoding encoding;
        const char *file;
        size_t spans;
    } rows[] = {
        {JAEGER_ENCODING_OTLP_JSON, "wire/otlp_pdata.json", 3},
        {JAEGER_ENCODING_JAEGER_THRIFT_BINARY, "wire/jaeger_thrift_1.binary", 16},
        {JAEGER_ENCODING_JAEGER_THRIFT_COMPACT, "wire/jaeger_thrift_1.compact", 16},
        {JAEGER_ENCODING_JAEGER_PACKET_BINARY, "wire/jaeger_thrift_1.packet_binary", 16},
        {JAEGER_ENCODING_JAEGER_PACKET_COMPACT, "wire/jaeger_thrift_1.packet_compact", 16},
        {JAEGER_ENCODING_JAEGER_POST_SPANS, "wire/jaeger_proto_1.post", 16},
        {JAEGER_ENCODING_JAEGER_PROTO, "wire/jaeger_span_0.jaeger_proto", 1},
        {JAEGER_ENCODING_JAEGER_JSON, "wire/jaeger_span_0.jaeger_json", 1},
        {JAEGER_ENCODING_ZIPKIN_V1_JSON, "wire/zipkin_v1_0.zipkin_v1", 20},
        {JAEGER_ENCODING_ZIPKIN_V1_THRIFT, "wire/zipkin_thrift_0.zipkin_thrift", 20},
        {JAEGER_ENCODING_ZIPKIN_V2_JSON, "wire/zipkin_v2_0.zipkin_v2", 20},
        {JAEGER_ENCODING_ZIPKIN_V2_PROTO, "wire/zipkin_proto_0.zipkin_proto", 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        JG_AUTO_DATA jaeger_str bytes = read_data(rows[i].file);
        jaeger_batch *batch = NULL;
        jaeger_error err;
        if (jaeger_ingest(rows[i].encoding, bytes.ptr, bytes.len, NULL, &batch, &err) != JAEGER_OK)
            fail_msg("%s: %s", rows[i].file, err.message);
        assert_int_equal(jaeger_batch_span_count(batch), rows[i].spans);
        jaeger_batch_unref(batch);
        assert_int_equal(jaeger_ingest(rows[i].encoding, "\x0b?", 2, NULL, &batch, &err),
                         JAEGER_INVALID_ARGUMENT);
    }
}

static void ingest_has_options(void **state)
{
    (void)state;
    static const char json[] = "[{\"traceId\":\"1\",\"id\":\"1\",\"tags\":{\"n\":\"5\"}}]";
    jaeger_ingest_options options = JAEGER_INGEST_OPTIONS_INIT;
    jaeger_batch *batch;
    jaeger_attr attr;
    options.parse_string_tags = true;
    assert_ok(jaeger_ingest(JAEGER_ENCODING_ZIPKIN_V2_JSON, json, sizeof json - 1, &options, &batch, NULL));
    assert_true(jaeger_find_attr(jaeger_span_attrs(jaeger_batch_spans(batch)), JAEGER_STR("n"), &attr));
    assert_int_equal(attr.value.type, JAEGER_VALUE_INT);
    jaeger_batch_unref(batch);
    assert_ok(jaeger_ingest_zipkin_v2_json(json, sizeof json - 1, &batch, NULL));
    assert_true(jaeger_find_attr(jaeger_span_attrs(jaeger_batch_spans(batch)), JAEGER_STR("n"), &attr));
    assert_int_equal(attr.value.type, JAEGER_VALUE_STRING);
    jaeger_batch_unref(batch);
    assert_int_equal(jaeger_ingest((jaeger_encoding)99, "", 0, NULL, &batch, NULL), JAEGER_UNIMPLEMENTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ingest_takes_each_encoding),
        cmocka_unit_test(ingest_has_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
