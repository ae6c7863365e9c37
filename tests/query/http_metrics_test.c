/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/str.h"
#include "query/metrics.h"
#include "support/test.h"
#include <math.h>

#define MS  1000000ull
#define MIN 60000ull

static const jaeger_str services[] = {{"shop", 4}, {"a\"b", 3}};

static void promql_is_that_of_jaeger(void **state)
{
    (void)state;
    static const struct {
        jg_metrics_query q;
        bool normalize;
        int unit;
        const char *want;
    } cases[] = {
        {{.what = JG_METRICS_CALLS, .service_count = 1, .kinds = 4, .rate_ms = 10 * MIN},
         true,
         0,
         "sum(rate(traces_span_metrics_calls_total{service_name =~ \"shop\", span_kind =~ "
         "\"SPAN_KIND_SERVER\"}[10m])) by (service_name)"},
        {{.what = JG_METRICS_LATENCIES,
          .service_count = 1,
          .kinds = 12,
          .rate_ms = 90000,
          .by_operation = true,
          .quantile = 0.95},
         true,
         1,
         "histogram_quantile(0.95, sum(rate(traces_span_metrics_duration_seconds_bucket{service_name =~ "
         "\"shop\", "
         "span_kind =~ \"SPAN_KIND_SERVER|SPAN_KIND_CLIENT\"}[1m])) by (service_name,span_name,le))"},
        {{.what = JG_METRICS_ERRORS, .service_count = 2, .kinds = 4, .rate_ms = 5000},
         false,
         0,
         "sum(rate(traces_span_metrics_calls{service_name =~ \"shop|a\\\"b\", status_code = "
         "\"STATUS_CODE_ERROR\", span_kind =~ \"SPAN_KIND_SERVER\"}[5s])) by (service_name) / "
         "sum(rate(traces_span_metrics_calls{service_name =~ \"shop|a\\\"b\", span_kind =~ "
         "\"SPAN_KIND_SERVER\"}[5s])) by (service_name)"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(4096);
        jg_metrics_query q = cases[i].q;
        jg_prometheus_config c = {.metric_namespace = JAEGER_STR("traces_span_metrics"),
                                  .normalize_calls = cases[i].normalize,
                                  .normalize_duration = cases[i].normalize,
                                  .latency_unit = cases[i].unit};
        q.services = services;
        jg_prometheus_write_query(&out, &c, &q);
        assert_str(jg_buf_view(&out), cases[i].want);
    }
}

static void answers_of_prometheus_are_read(void **state)
{
    (void)state;
    static const char good[] =
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"service_"
        "name\":"
        "\"shop\"},\"values\":[[1700000000.5,\"0.25\"],[1700000060,\"NaN\"],[1700000120,\"+Inf\"]]}]}}";
    jaeger_call call = JAEGER_CALL_INIT;
    jg_metrics_result r;
    call.arena = jaeger_arena_new(0);
    assert_ok(jg_prometheus_read(jg_str(good), &r, &call));
    assert_int_equal(r.count, 1);
    assert_str(r.items[0].labels[0].value, "shop");
    assert_int_equal(r.items[0].point_count, 3);
    assert_int_equal(r.items[0].points[0].time_ms, 1700000000500);
    assert_true(r.items[0].points[0].value == 0.25);
    assert_true(isnan(r.items[0].points[1].value) && isinf(r.items[0].points[2].value));
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
        "{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"values\":[[1]]}]}}",
        "{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"values\":[[-1,\"1\"]]}]}}"};
    for (size_t i = 0; i < JG_COUNT(bad); i++)
        assert_int_equal(jg_prometheus_read(jg_str(bad[i]), &r, &call), JAEGER_INTERNAL);
    jaeger_arena_free(call.arena);
}

/* ---- counting traces ---- */

/* Spans end at minutes 1 to 10: durations 10 to 100 ms; each fifth is an error; "slow" is not a server. */
static jaeger_status find(void *self, const jaeger_trace_query *query, jaeger_consumer out, jaeger_call *call)
{
    (void)self;
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    assert_str(query->service, "shop");
    assert_int_equal(query->limit, 7);
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_scope(b, JAEGER_STR(""), JAEGER_STR(""), JAEGER_STR(""));
    for (uint64_t i = 1; i <= 10; i++) {
        uint64_t end = i * MIN * MS;
        jaeger_span_start span = {.trace_id = {1},
                                  .span_id = {(uint8_t)i},
                                  .name = i % 2 ? JAEGER_STR("odd") : JAEGER_STR("even"),
                                  .kind = JAEGER_KIND_SERVER,
                                  .start_unix_ns = end - i * 10 * MS,
                                  .end_unix_ns = end};
        jaeger_builder_span(b, &span);
        jaeger_builder_status(b, i % 5 ? 0 : JAEGER_STATUS_ERROR, JAEGER_STR(""));
        span.kind = JAEGER_KIND_CLIENT;
        span.name = JAEGER_STR("slow");
        jaeger_builder_span(b, &span);
    }
    jaeger_builder_resource(b, JAEGER_STR("")); /* another service of the same traces */
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("other"));
    jaeger_builder_scope(b, JAEGER_STR(""), JAEGER_STR(""), JAEGER_STR(""));
    jaeger_span_start span = {.kind = JAEGER_KIND_SERVER, .start_unix_ns = MIN * MS, .end_unix_ns = MIN * MS};
    jaeger_builder_span(b, &span);
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return out.consume(out.self, batch, call);
}

static const jaeger_storage_driver fake = {.size = sizeof fake, .name = "fake", .find_traces = find};

static void traces_are_counted_in_windows(void **state)
{
    (void)state;
    jg_metrics_source source;
    jaeger_call call = JAEGER_CALL_INIT;
    jg_metrics_result r;
    jg_metrics_query q = {.services = services,
                          .service_count = 1,
                          .kinds = 1u << JAEGER_KIND_SERVER,
                          .end_ms = 10 * MIN,
                          .lookback_ms = 5 * MIN,
                          .step_ms = MIN,
                          .rate_ms = 5 * MIN,
                          .quantile = 0.5};
    call.arena = jaeger_arena_new(0);
    assert_ok(jg_metrics_from_traces((jaeger_storage){&fake, NULL}, 7, &source, NULL));
    q.what = JG_METRICS_CALLS;
    assert_ok(source.query(source.self, &q, &r, &call));
    assert_int_equal(r.count, 1);
    assert_int_equal(r.items[0].label_count, 1);
    assert_int_equal(r.items[0].point_count, 6);
    assert_true(fabs(r.items[0].points[5].value - 5 / 300.0) < 1e-12);
    q.what = JG_METRICS_ERRORS;
    assert_ok(source.query(source.self, &q, &r, &call));
    assert_true(fabs(r.items[0].points[5].value - 0.2) < 1e-12);
    q.what = JG_METRICS_LATENCIES;
    assert_ok(source.query(source.self, &q, &r, &call));
    assert_true(r.items[0].points[5].value == 80); /* of 60 70 80 90 100 */
    assert_int_equal(r.items[0].points[5].time_ms, 10 * MIN);
    q.by_operation = true;
    assert_ok(source.query(source.self, &q, &r, &call));
    assert_int_equal(r.count, 2);
    assert_str(r.items[0].labels[1].key, "span_name");
    source.close(source.self);
    jaeger_arena_free(call.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promql_is_that_of_jaeger),
        cmocka_unit_test(answers_of_prometheus_are_read),
        cmocka_unit_test(traces_are_counted_in_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
