/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "exporters/prometheus/series.h"
#include "model/otlp_fields.h"
#include "support/test.h"
#include <math.h>

static void names_are_translated(void **state)
{
    (void)state;
    static const struct {
        jg_prom_name name;
        jg_prom_strategy strategy;
        const char *want;
    } cases[] = {
        {{{0}, {"traces.span.metrics.calls", 25}, {0}, true, false}, 0, "traces_span_metrics_calls_total"},
        {{{0}, {"a.duration", 10}, {"ms", 2}, false, false}, 0, "a_duration_milliseconds"},
        {{{"my-ns", 5}, {"a", 1}, {"By/s", 4}, false, true}, 0, "my_ns_a_bytes_per_second"},
        {{{0}, {"io.bytes", 8}, {"By", 2}, true, false}, 0, "io_bytes_total"},
        {{{0}, {"total.requests", 14}, {"{req}", 5}, true, false}, 0, "requests_total"},
        {{{0}, {"usage", 5}, {"1", 1}, false, true}, 0, "usage_ratio"},
        {{{0}, {"usage", 5}, {"%", 1}, false, true}, 0, "usage_percent"},
        {{{0}, {"2xx", 3}, {0}, true, false}, 0, "_2xx_total"},
        {{{0}, {"a..b__c", 7}, {0}, false, true}, 0, "a_b_c"},
        {{{0}, {"a.b", 3}, {"ms", 2}, true, false}, JG_PROM_UNDERSCORES, "a_b"},
        {{{0}, {"a..b", 4}, {"ms", 2}, true, false}, JG_PROM_UTF8_SUFFIXES, "a__b_milliseconds_total"},
        {{{"n", 1}, {"a..b", 4}, {"ms", 2}, true, false}, JG_PROM_UTF8, "n_a__b"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1024);
        jg_prom_write_name(&out, &cases[i].name, cases[i].strategy);
        assert_str(jg_buf_view(&out), cases[i].want);
    }
}

static void labels_are_cleaned(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"http.method", "http_method"},
                                           {"a--b", "a__b"},
                                           {"0x", "key_0x"},
                                           {"_x", "key_x"},
                                           {"__x", "__x"},
                                           {"\xc3\xa4"
                                            "b",
                                            "key_b"}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1024);
        jg_prom_write_label(&out, jg_str(cases[i][0]), false);
        assert_str(jg_buf_view(&out), cases[i][1]);
    }
}

static void numbers_look_like_go_prints_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text, *open_metrics;
    } cases[] = {{0, "0", "0.0"},
                 {4, "4", "4.0"},
                 {80000, "80000", "80000.0"},
                 {1000000, "1e+06", "1e+06"},
                 {123456789, "1.23456789e+08", "1.23456789e+08"},
                 {1795558960.933, "1.795558960933e+09", "1.795558960933e+09"},
                 {0.1, "0.1", "0.1"},
                 {0.0001, "0.0001", "0.0001"},
                 {0.00001, "1e-05", "1e-05"},
                 {80.004, "80.004", "80.004"},
                 {-2.5, "-2.5", "-2.5"},
                 {1e21, "1e+21", "1e+21"},
                 {INFINITY, "+Inf", "+Inf"},
                 {NAN, "NaN", "NaN"}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1024);
        jg_prom_write_number(&out, cases[i].value, false);
        assert_str(jg_buf_view(&out), cases[i].text);
        jg_buf_clear(&out);
        jg_prom_write_number(&out, cases[i].value, true);
        assert_str(jg_buf_view(&out), cases[i].open_metrics);
    }
}

/* ---- pages ---- */

static void put_attr(jg_buf *out, uint32_t number, const char *key, const char *value)
{
    size_t kv = jg_pb_begin(out, number, 1);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, jg_str(key));
    size_t any = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_pb_write_str(out, JG_OTLP_ANY_STRING, jg_str(value));
    jg_pb_end(out, any, 1);
    jg_pb_end(out, kv, 1);
}

typedef struct sample {
    uint32_t type; /* jg_metric_type */
    const char *name, *unit;
    const char *key, *value; /* of an attribute */
    double number;
    uint64_t start, time;
    uint32_t temporality;
    bool exemplar;
} sample;

static void put_histogram(jg_buf *out, const sample *s)
{
    uint64_t counts[] = {1, 2, (uint64_t)s->number};
    double bounds[] = {0.5, 10};
    jg_pb_write_fixed64(out, JG_OTLP_HISTOGRAM_COUNT, 3 + counts[2]);
    jg_pb_write_double(out, JG_OTLP_HISTOGRAM_SUM, 7.25);
    jg_pb_write_bytes(out, JG_OTLP_HISTOGRAM_COUNTS, counts, sizeof counts);
    jg_pb_write_bytes(out, JG_OTLP_HISTOGRAM_BOUNDS, bounds, sizeof bounds);
    if (s->exemplar) {
        size_t mark = jg_pb_begin(out, JG_OTLP_HISTOGRAM_EXEMPLARS, 1);
        jg_pb_write_double(out, JG_OTLP_EXEMPLAR_DOUBLE, 2);
        jg_pb_write_bytes(out, JG_OTLP_EXEMPLAR_SPAN_ID, "\1\2\3\4\5\6\7\10", 8);
        jg_pb_write_bytes(out, JG_OTLP_EXEMPLAR_TRACE_ID, "\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10", 16);
        jg_pb_end(out, mark, 1);
    }
}

static void put_sample(jg_buf *out, const sample *s)
{
    bool histogram = s->type == JG_METRIC_HISTOGRAM;
    size_t metric = jg_pb_begin(out, JG_OTLP_METRICS_ITEMS, 2);
    jg_pb_write_str(out, JG_OTLP_METRIC_NAME, jg_str(s->name));
    jg_pb_write_str(out, JG_OTLP_METRIC_UNIT, jg_str(s->unit));
    size_t data = jg_pb_begin(out, s->type, 2), point = jg_pb_begin(out, JG_OTLP_DATA_POINTS, 2);
    jg_pb_write_fixed64(out, JG_OTLP_POINT_START, s->start);
    jg_pb_write_fixed64(out, JG_OTLP_POINT_TIME, s->time);
    if (histogram)
        put_histogram(out, s);
    else
        jg_pb_write_double(out, JG_OTLP_NUMBER_DOUBLE, s->number);
    if (s->key)
        put_attr(out, histogram ? JG_OTLP_HISTOGRAM_ATTRIBUTES : JG_OTLP_NUMBER_ATTRIBUTES, s->key, s->value);
    jg_pb_end(out, point, 2);
    jg_pb_write_varint(out, JG_OTLP_DATA_TEMPORALITY, s->temporality);
    if (s->type == JG_METRIC_SUM)
        jg_pb_write_varint(out, JG_OTLP_DATA_MONOTONIC, 1);
    jg_pb_end(out, data, 2);
    jg_pb_end(out, metric, 2);
}

static void take(jg_prom_store *store, const sample *samples, size_t n, uint64_t now_ns)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(65536);
    size_t points, resource_metrics = jg_pb_begin(&out, JG_OTLP_RESOURCE_METRICS, 3);
    size_t resource = jg_pb_begin(&out, JG_OTLP_METRICS_OWNER, 2);
    put_attr(&out, JG_OTLP_RESOURCE_ATTRIBUTES, "service.name", "shop");
    put_attr(&out, JG_OTLP_RESOURCE_ATTRIBUTES, "service.instance.id", "i");
    put_attr(&out, JG_OTLP_RESOURCE_ATTRIBUTES, "zone", "e\"u");
    jg_pb_end(&out, resource, 2);
    size_t scope = jg_pb_begin(&out, JG_OTLP_METRICS_ITEMS, 3);
    for (size_t i = 0; i < n; i++)
        put_sample(&out, &samples[i]);
    jg_pb_end(&out, scope, 3);
    jg_pb_end(&out, resource_metrics, 3);
    assert_true(jg_metrics_valid(jg_buf_view(&out), &points));
    assert_int_equal(points, n);
    jg_prom_store_take(store, jg_buf_view(&out), now_ns);
}

static void expect_page(const jg_prom_store *store, bool open_metrics, const char *want)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(65536);
    jg_prom_page page = {.open_metrics = open_metrics};
    jg_prom_write_page(store, &page, &out);
    jg_buf_byte(&out, 0);
    assert_string_equal((const char *)out.data, want);
}

static const jg_prom_options plain = {.without_scope = true, .expiry_ns = 100};

static void pages_hold_families_in_order(void **state)
{
    (void)state;
    jg_prom_store store;
    assert_true(jg_prom_store_init(&store, &plain));
    const sample samples[] = {{JG_METRIC_SUM, "calls", "", "a.b", "x\ny", 5, 1, 2, 2, false},
                              {JG_METRIC_HISTOGRAM, "d", "ms", NULL, NULL, 4, 1, 2, 2, true}};
    take(&store, samples, 2, 1);
    expect_page(&store, false,
                "# HELP calls_total \n# TYPE calls_total counter\n"
                "calls_total{a_b=\"x\\ny\",instance=\"i\",job=\"shop\"} 5\n"
                "# HELP d_milliseconds \n# TYPE d_milliseconds histogram\n"
                "d_milliseconds_bucket{instance=\"i\",job=\"shop\",le=\"0.5\"} 1\n"
                "d_milliseconds_bucket{instance=\"i\",job=\"shop\",le=\"10\"} 3\n"
                "d_milliseconds_bucket{instance=\"i\",job=\"shop\",le=\"+Inf\"} 7\n"
                "d_milliseconds_sum{instance=\"i\",job=\"shop\"} 7.25\n"
                "d_milliseconds_count{instance=\"i\",job=\"shop\"} 7\n"
                "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
                "target_info{instance=\"i\",job=\"shop\",zone=\"e\\\"u\"} 1\n");
    expect_page(&store, true,
                "# HELP calls \n# TYPE calls counter\n"
                "calls_total{a_b=\"x\\ny\",instance=\"i\",job=\"shop\"} 5.0\n"
                "# HELP d_milliseconds \n# TYPE d_milliseconds histogram\n"
                "d_milliseconds_bucket{instance=\"i\",job=\"shop\",le=\"0.5\"} 1\n"
                "d_milliseconds_bucket{instance=\"i\",job=\"shop\",le=\"10.0\"} 3 # "
                "{trace_id=\"01020304050607080102030405060708\",span_id=\"0102030405060708\"} 2.0\n"
                "d_milliseconds_bucket{instance=\"i\",job=\"shop\",le=\"+Inf\"} 7\n"
                "d_milliseconds_sum{instance=\"i\",job=\"shop\"} 7.25\n"
                "d_milliseconds_count{instance=\"i\",job=\"shop\"} 7\n"
                "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
                "target_info{instance=\"i\",job=\"shop\",zone=\"e\\\"u\"} 1.0\n# EOF\n");
    jg_prom_store_done(&store);
}

static double value_of(const jg_prom_store *store, const char *family)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&store->series, &at, &e);) {
        const jg_prom_series *s = e.value;
        if (jg_str_is(s->family->name, family))
            return s->value;
    }
    return -1;
}

static void deltas_accumulate_if_they_follow_each_other(void **state)
{
    (void)state;
    jg_prom_store store;
    assert_true(jg_prom_store_init(&store, &plain));
    static const struct {
        uint64_t start, time;
        double delta, want;
    } steps[] = {
        {1, 2, 5, 5}, {2, 3, 4, 9}, {3, 4, 1, 10}, {2, 3, 7, 10} /* late */, {6, 7, 2, 2} /* a gap */};
    for (size_t i = 0; i < JG_COUNT(steps); i++) {
        const sample s = {
            JG_METRIC_SUM,        "calls", "", NULL, NULL, steps[i].delta, steps[i].start, steps[i].time,
            JG_TEMPORALITY_DELTA, false};
        take(&store, &s, 1, 1);
        assert_true(value_of(&store, "calls_total") == steps[i].want);
    }
    jg_prom_store_done(&store);
}

static void series_without_news_disappear(void **state)
{
    (void)state;
    jg_prom_store store;
    assert_true(jg_prom_store_init(&store, &plain));
    for (unsigned i = 0; i < 40; i++) {
        char name[] = "metric_a0";
        name[7] = (char)('a' + i % 26);
        name[8] = (char)('0' + i / 26);
        const sample s = {JG_METRIC_GAUGE, name, "", NULL, NULL, 1, 1, 2, 0, false};
        take(&store, &s, 1, i < 20 ? 1 : 50);
    }
    jg_prom_store_expire(&store, 120);
    jg_prom_store_expire(&store, 120);
    assert_int_equal(store.series.count, 21); /* and target_info */
    jg_prom_store_expire(&store, 1000);
    jg_prom_store_expire(&store, 1000);
    assert_int_equal(store.series.count, 0);
    assert_int_equal(store.families.count, 0);
    assert_int_equal(store.bytes, 0);
    jg_prom_store_done(&store);
}

static void conflicts_are_dropped(void **state)
{
    (void)state;
    jg_prom_store store;
    assert_true(jg_prom_store_init(&store, &plain));
    const sample first = {JG_METRIC_GAUGE, "m_total", "", NULL, NULL, 1, 1, 2, 0, false},
                 other_type = {JG_METRIC_SUM, "m", "", NULL, NULL, 2, 1, 2, 2, false},
                 same_label = {JG_METRIC_GAUGE, "n", "", "job", "x", 2, 1, 2, 0, false};
    take(&store, &first, 1, 1);
    take(&store, &other_type, 1, 1);
    assert_int_equal(store.dropped, 1);
    take(&store, &same_label, 1, 1);
    assert_int_equal(store.dropped, 2);
    assert_true(value_of(&store, "m_total") == 1);
    jg_prom_store_done(&store);
}

static void resource_attributes_become_labels_when_asked(void **state)
{
    (void)state;
    jg_prom_store store;
    const jaeger_pair env = {JAEGER_STR("env"), JAEGER_STR("prod")};
    jg_prom_options options = plain;
    options.resource_labels = options.exclude_service_labels = true;
    options.const_labels = &env;
    options.const_label_count = 1;
    assert_true(jg_prom_store_init(&store, &options));
    const sample s = {JG_METRIC_GAUGE, "g", "", "zone", "point", 1, 1, 2, 0, false};
    take(&store, &s, 1, 1);
    expect_page(&store, false,
                "# HELP g \n# TYPE g gauge\n"
                "g{env=\"prod\",instance=\"i\",job=\"shop\",zone=\"e\\\"u\"} 1\n"
                "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
                "target_info{instance=\"i\",job=\"shop\",zone=\"e\\\"u\"} 1\n");
    jg_prom_store_done(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_translated),
        cmocka_unit_test(labels_are_cleaned),
        cmocka_unit_test(numbers_look_like_go_prints_them),
        cmocka_unit_test(pages_hold_families_in_order),
        cmocka_unit_test(deltas_accumulate_if_they_follow_each_other),
        cmocka_unit_test(series_without_news_disappear),
        cmocka_unit_test(conflicts_are_dropped),
        cmocka_unit_test(resource_attributes_become_labels_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
