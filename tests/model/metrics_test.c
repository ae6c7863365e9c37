/* SPDX-License-Identifier: Apache-2.0 */
#include "model/metrics.h"

#include "model/batch.h"
#include "support/test.h"
#include <jaeger/component.h>

/* One sum "m" with unit "s": {value 7, attribute k = v}. */
static const char sum[] =
    "\x0a\x1f\x12\x1d\x12\x1b\x0a\x01m\x1a\x01s\x3a\x13\x0a\x0d\x31\x07\0\0\0\0\0\0\0\x3a\x02\x0a\0"
    "\x10\x02\x18";
#define SUM_LEN (sizeof sum) /* the closing zero is is_monotonic = false */

static bool keep(void *self, const jg_metric_point *p)
{
    *(jg_metric_point *)self = *p;
    return true;
}

static jaeger_batch *batch_of(const void *bytes, size_t len)
{
    jaeger_batch *batch;
    assert_ok(jaeger_batch_from_otlp_metrics((void *)(uintptr_t)bytes, len, NULL, NULL, &batch, NULL));
    return batch;
}

static void a_batch_of_metrics_has_points_and_no_spans(void **state)
{
    (void)state;
    jaeger_batch *batch = batch_of(sum, SUM_LEN);
    jg_metric_point p = {0};
    jaeger_str part;
    assert_int_equal(jaeger_batch_signal(batch), JAEGER_METRICS);
    assert_int_equal(jaeger_batch_span_count(batch), 0);
    assert_int_equal(jg_batch_items(batch), 1);
    assert_true(jg_batch_payload(batch, 0, &part));
    assert_true(jg_metrics_walk(part, (jg_metric_sink){keep, &p}));
    assert_str(p.name, "m");
    assert_str(p.unit, "s");
    assert_true(p.value == 7);
    assert_int_equal(p.temporality, JG_TEMPORALITY_CUMULATIVE);
    jaeger_batch_unref(batch);
}

static void merged_metrics_are_written_one_after_the_other(void **state)
{
    (void)state;
    char out[2 * SUM_LEN];
    jaeger_batch *one = batch_of(sum, SUM_LEN), *both;
    jaeger_batch *twice[] = {one, one};
    assert_ok(jg_batch_merge(twice, 2, &both, NULL));
    assert_int_equal(jaeger_batch_signal(both), JAEGER_METRICS);
    assert_int_equal(jg_batch_items(both), 2);
    assert_int_equal(jaeger_batch_otlp_size(both), sizeof out);
    jaeger_batch_write_otlp(both, out);
    assert_memory_equal(out, sum, SUM_LEN);
    assert_memory_equal(out + SUM_LEN, sum, SUM_LEN);
    jaeger_batch_unref(one);
    jaeger_batch_unref(both);
}

static void cut_messages_are_refused(void **state)
{
    (void)state;
    for (size_t len = 1; len < SUM_LEN; len++) {
        jaeger_batch *batch = NULL;
        jaeger_error err = {0};
        assert_int_equal(
            jaeger_batch_from_otlp_metrics((void *)(uintptr_t)sum, len, NULL, NULL, &batch, &err),
            JAEGER_INVALID_ARGUMENT);
        assert_null(batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_metrics_has_points_and_no_spans),
        cmocka_unit_test(merged_metrics_are_written_one_after_the_other),
        cmocka_unit_test(cut_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
