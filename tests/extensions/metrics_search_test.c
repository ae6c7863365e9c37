/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/jaeger_query/metrics_search.h"

#include "core/arena.h"
#include "core/str.h"
#include "support/test.h"
#include <math.h>

#define MINUTE 60000u

static jg_metrics_query query_of(jg_metrics_what what)
{
    return (jg_metrics_query){.what = what,
                              .kinds = 1u << 2,
                              .quantile = 0.95,
                              .end_ms = 1577934245000ull,
                              .lookback_ms = 60 * MINUTE,
                              .step_ms = MINUTE,
                              .rate_ms = 10 * MINUTE};
}

static void questions_are_jaegers(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1u << 16);
    jg_metrics_query q = query_of(JG_METRICS_LATENCIES);
    jg_metrics_search_put(&out, &q, JAEGER_STR("a\"b"), false, JAEGER_STR("@"));
    assert_str(
        jg_buf_view(&out),
        "{\"size\":0,\"query\":{\"bool\":{\"filter\":[{\"terms\":{\"process.serviceName\":[\"a\\\"b\"]}},"
        "{\"terms\":{\"tag.span@kind\":[\"server\"]}},{\"range\":{\"startTimeMillis\":{\"gte\":1577930045000,"
        "\"lte\":1577934245000,\"format\":\"epoch_millis\"}}}]}},\"aggregations\":{\"results_buckets\":{"
        "\"date_histogram\":{\"field\":\"startTimeMillis\",\"fixed_interval\":\"60000ms\",\"min_doc_count\":"
        "0,"
        "\"extended_bounds\":{\"min\":1577930045000,\"max\":1577934245000}},\"aggregations\":{"
        "\"percentiles_of_bucket\":{\"percentiles\":{\"field\":\"duration\",\"percents\":[95]}}}}}}");
    q = query_of(JG_METRICS_ERRORS);
    q.by_operation = true;
    jg_buf_clear(&out);
    jg_metrics_search_put(&out, &q, JAEGER_STR("a"), true, JAEGER_STR("_"));
    jg_buf_byte(&out, 0);
    assert_non_null(strstr((char *)out.data, "{\"term\":{\"tag.error\":true}}"));
    assert_non_null(strstr((char *)out.data, "tag.span_kind"));
    assert_non_null(strstr((char *)out.data,
                           "\"results_buckets\":{\"terms\":{\"field\":\"operationName\",\"size\":10},"
                           "\"aggregations\":{\"date_histogram\":{\"date_histogram\":{"));
}

static void answers_become_series(void **state)
{
    (void)state;
    jaeger_call call = JAEGER_CALL_INIT;
    jg_search_counts counts;
    call.arena = jaeger_arena_new(1u << 20);
    assert_ok(jg_metrics_search_read(
        JAEGER_STR("{\"took\":5,\"aggregations\":{\"results_buckets\":{\"buckets\":[{\"key_as_string\":\"1\","
                   "\"key\":1,"
                   "\"doc_count\":50,\"percentiles_of_bucket\":{\"values\":{\"95.0\":200.0}}},"
                   "{\"key\":2,\"doc_count\":0,\"percentiles_of_bucket\":{\"values\":{\"95.0\":null}}}]}}}"),
        false, &counts, &call));
    assert_int_equal(counts.count, 1);
    assert_int_equal(counts.items[0].count, 2);
    assert_true(counts.items[0].items[0].count == 50 && counts.items[0].items[0].value == 200);
    assert_true(isnan(counts.items[0].items[1].value));
    assert_ok(jg_metrics_search_read(
        JAEGER_STR("{\"aggregations\":{\"results_buckets\":{\"buckets\":[{\"key\":\"/a\",\"doc_count\":3,"
                   "\"date_histogram\":{\"buckets\":[{\"key\":7,\"doc_count\":3,\"cumulative_requests\":{"
                   "\"value\":3}}]}}"
                   "]}}}"),
        true, &counts, &call));
    assert_str(counts.items[0].operation, "/a");
    assert_true(counts.items[0].items[0].time_ms == 7);
    assert_ok(jg_metrics_search_read(JAEGER_STR("{\"hits\":{}}"), false, &counts, &call));
    assert_int_equal(counts.count, 0);
    assert_int_equal(
        jg_metrics_search_read(JAEGER_STR("{\"aggregations\":{\"results_buckets\":{\"buckets\":{}}}}"), false,
                               &counts, &call),
        JAEGER_INTERNAL);
    jaeger_arena_free(call.arena);
}

/** Steps of a minute from time 0, rates over three minutes, shown from the fourth minute on. */
static void rates_look_back(void **state)
{
    (void)state;
    jg_search_bucket calls[] = {{0, 6, NAN},           {MINUTE, 6, NAN},     {2 * MINUTE, 0, NAN},
                                {3 * MINUTE, 12, NAN}, {4 * MINUTE, 0, NAN}, {5 * MINUTE, 6, 1500}};
    jg_search_bucket failed[] = {{3 * MINUTE, 3, NAN}, {4 * MINUTE, 0, NAN}, {5 * MINUTE, 0, NAN}};
    jg_search_series all = {JAEGER_STR(""), calls, 6, 6}, errors = {JAEGER_STR(""), failed, 3, 3};
    jg_metrics_point points[6];
    jg_metrics_query q = {.what = JG_METRICS_CALLS,
                          .end_ms = 5 * MINUTE,
                          .lookback_ms = 3 * MINUTE,
                          .step_ms = MINUTE,
                          .rate_ms = 3 * MINUTE};
    assert_int_equal(jg_metrics_search_points(&q, &all, NULL, points), 4);
    assert_true(points[0].time_ms == 2 * MINUTE && isnan(points[0].value)); /* an empty bucket */
    assert_true(points[1].value == 0.07);                                   /* 12 in 180 s */
    assert_true(isnan(points[2].value));
    assert_true(points[3].value == 0.03);
    q.what = JG_METRICS_ERRORS;
    assert_int_equal(jg_metrics_search_points(&q, &all, &errors, points), 4);
    assert_true(points[1].value == 0.25 && points[3].value == 0);
    assert_int_equal(jg_metrics_search_points(&q, &all, NULL, points), 4);
    assert_true(points[1].value == 0 && isnan(points[2].value));
    q.what = JG_METRICS_LATENCIES;
    assert_int_equal(jg_metrics_search_points(&q, &all, NULL, points), 4);
    assert_true(isnan(points[0].value) && points[3].value == 1.5);
    q.what = JG_METRICS_CALLS;
    q.rate_ms = MINUTE; /* the bucket alone */
    assert_int_equal(jg_metrics_search_points(&q, &all, NULL, points), 4);
    assert_true(points[1].value == 0.2);
    q.rate_ms = 10 * MINUTE; /* never full */
    assert_int_equal(jg_metrics_search_points(&q, &all, NULL, points), 4);
    assert_true(isnan(points[1].value) && isnan(points[3].value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_jaegers),
        cmocka_unit_test(answers_become_series),
        cmocka_unit_test(rates_look_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
