/* SPDX-License-Identifier: Apache-2.0
 * Refusals; the translation is compared with the Collector in golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/jaeger_model_json.h"

static void jaeger_model_json_refuses_bad_values(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "[]",
        "{\"traceId\":\"AAAA\"}",
        "{\"spanId\":\"?\"}",
        "{\"spanId\":5}",
        "{\"startTime\":\"yesterday\"}",
        "{\"duration\":\"1\"}",
        "{\"tags\":{}}",
        "{\"tags\":[{\"vType\":\"NUMBER\"}]}",
        "{\"tags\":[{\"vInt64\":\"1.5\"}]}",
        "{\"tags\":[{\"vBool\":\"true\"}]}",
        "{\"references\":[{\"refType\":\"SIBLING\"}]}",
        "{} {}",
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_batch *batch = NULL;
        jaeger_error err;
        if (jg_jaeger_model_json_to_batch(jg_str(rows[i]), &batch, &err) != JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", rows[i]);
        assert_non_null(strstr(err.message, "at byte"));
    }
}

static void jaeger_model_json_takes_other_spellings(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jaeger_error err;
    jaeger_status status = jg_jaeger_model_json_to_batch(
        JAEGER_STR("{\"trace_id\":\"AAAAAAAAAAE=\",\"operation_name\":\"a\\u0062\",\"tags\":[{\"key\":\"n\","
                   "\"v_type\":2,"
                   "\"v_int64\":7,\"unknown\":[1]}],\"logs\":null,\"process\":{\"service_name\":\"shop\"}}"),
        &batch, &err);
    if (status != JAEGER_OK)
        fail_msg("%s", err.message);
    const jaeger_span *span = jaeger_batch_spans(batch);
    jaeger_attr attr;
    assert_str(span->name, "ab");
    assert_str(span->group->service, "shop");
    assert_int_equal(span->trace_id[15], 1);
    assert_true(jaeger_find_attr(jaeger_span_attrs(span), JAEGER_STR("n"), &attr) && attr.value.u.i == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaeger_model_json_refuses_bad_values),
        cmocka_unit_test(jaeger_model_json_takes_other_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
