/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/span_metrics/attrs.h"
#include "connectors/span_metrics/series.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/metrics.h"
#include "support/test.h"
#include <jaeger/component.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

extern const jaeger_component_type jg_connector_span_metrics;

/* ---- histogram maths ---- */

static void explicit_bounds_are_inclusive(void **state)
{
    (void)state;
    static const double bounds[] = {2, 4, 10};
    const jg_sm_shape shape = {.bounds = bounds, .bound_count = 3};
    static const struct {
        double value;
        size_t bucket;
    } cases[] = {{0, 0}, {2, 0}, {2.0001, 1}, {4, 1}, {9, 2}, {10, 2}, {11, 3}, {1e30, 3}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        uint64_t counts[4] = {0};
        jg_sm_buckets b = {.counts = counts};
        jg_sm_buckets_add(&b, &shape, cases[i].value, 3);
        assert_int_equal(counts[cases[i].bucket], 3);
    }
}

static void exponential_buckets_hold_their_values(void **state)
{
    (void)state;
    static const double values[] = {1e-9, 0.3, 0.5, 0.75, 1,    1.0001,     1.5,
                                    2,    3,   4,   1000, 1024, 123456.789, 1e12};
    for (int32_t scale = -4; scale <= 20; scale++)
        for (size_t i = 0; i < JG_COUNT(values); i++) {
            int32_t index = jg_sm_exponential_index(values[i], scale);
            double low = exp2(ldexp(index, -scale)), high = exp2(ldexp(index + 1.0, -scale));
            assert_true(values[i] > low * (1 - 1e-12) && values[i] <= high * (1 + 1e-12));
        }
    assert_int_equal(jg_sm_exponential_index(4, 0), 1);  /* (2, 4] */
    assert_int_equal(jg_sm_exponential_index(4, -1), 0); /* (1, 4] */
    assert_int_equal(jg_sm_exponential_index(2, 1), 1);
}

static void exponential_histograms_keep_their_size_and_count(void **state)
{
    (void)state;
    enum { SIZE = 20 };
    const jg_sm_shape shape = {.max_size = SIZE};
    uint64_t counts[SIZE] = {0}, total = 0;
    jg_sm_buckets b = {.counts = counts, .scale = JG_SM_SCALE_MAX};
    static const double values[] = {5, 5, 7, 0.001, 100000, 0, 3, 1e9, 1e-6};
    for (size_t i = 0; i < JG_COUNT(values); i++) {
        jg_sm_buckets_add(&b, &shape, values[i], 1);
        assert_true(b.size <= SIZE);
    }
    for (uint32_t i = 0; i < b.size; i++)
        total += counts[i];
    assert_int_equal(total, JG_COUNT(values) - 1);
    assert_int_equal(b.zero_count, 1);
    assert_true(b.scale < JG_SM_SCALE_MAX);
    assert_true(counts[jg_sm_exponential_index(5, b.scale) - b.offset] >= 2);
}

static void globs_match_like_files(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *text;
        bool match;
    } cases[] = {{"*", "", true},           {"http.*", "http.method", true}, {"http.*", "rpc.method", false},
                 {"*.id", "user.id", true}, {"*.id", "user.ids", false},     {"a?c", "abc", true},
                 {"a?c", "ac", false},      {"*a*b*", "xxaxxbxx", true},     {"", "a", false}};
    for (size_t i = 0; i < JG_COUNT(cases); i++)
        assert_int_equal(jg_sm_glob(jg_str(cases[i].glob), jg_str(cases[i].text)), cases[i].match);
}

/* ---- the connector ---- */

typedef struct run {
    void *config, *self;
    jaeger_config *root;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    jaeger_batch *batches[64]; /* what came out */
    size_t count;
} run;

static jaeger_status gather(void *self, jaeger_batch *take, jaeger_call *call)
{
    run *r = self;
    (void)call;
    pthread_mutex_lock(&r->mutex);
    if (r->count < JG_COUNT(r->batches))
        r->batches[r->count++] = take;
    else
        jaeger_batch_unref(take);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    return JAEGER_OK;
}

static jaeger_status bind(const char *yaml, jaeger_config **root, void *config, jaeger_error *err)
{
    const jaeger_component_type *type = &jg_connector_span_metrics;
    assert_ok(jaeger_config_parse(jg_str(yaml), "test.yaml", root, err));
    jaeger_status status = jaeger_config_bind(*root, type->fields, config, err);
    return status == JAEGER_OK ? type->validate(config, *root, err) : status;
}

static void begin(run *r, const char *yaml)
{
    const jaeger_component_type *type = &jg_connector_span_metrics;
    jaeger_error err = {0};
    *r = (run){.config = calloc(1, type->config_size), .self = calloc(1, type->state_size)};
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->wake, NULL);
    assert_ok(bind(yaml, &r->root, r->config, &err));
    jaeger_component_create in = {
        .size = sizeof in, .id = "span_metrics", .config = r->config, .node = r->root, .next = {gather, r}};
    assert_ok(type->create(r->self, &in, &err));
}

/** Count `times` copies of a batch, then start flushing and wait for `flushes`. */
static void finish(run *r, unsigned times, size_t flushes)
{
    static const uint64_t base = 1700000000000000000;
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_error err = {0};
    for (unsigned i = 0; i < times; i++) {
        jaeger_builder *b = jaeger_builder_new(1 << 20);
        jaeger_batch *batch;
        jaeger_span_start span = {
            .trace_id = {1}, .span_id = {(uint8_t)(i + 1)}, .kind = 2, .start_unix_ns = base};
        jaeger_builder_resource(b, JAEGER_STR(""));
        jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
        jaeger_builder_attr_str(b, JAEGER_STR("zone"), JAEGER_STR("eu"));
        jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1"), JAEGER_STR(""));
        span.name = JAEGER_STR("GET");
        span.end_unix_ns = base + 3500000;
        jaeger_builder_span(b, &span);
        jaeger_builder_attr_str(b, JAEGER_STR("http.method"), JAEGER_STR("POST"));
        jaeger_builder_event(b, base, JAEGER_STR("exception"));
        jaeger_builder_attr_str(b, JAEGER_STR("exception.type"), JAEGER_STR("E"));
        span.name = JAEGER_STR("PUT");
        span.trace_state = JAEGER_STR("x=y,ot=th:8;rv:1");
        jaeger_builder_span(b, &span);
        jaeger_builder_status(b, 2, JAEGER_STR(""));
        jaeger_builder_resource(b, JAEGER_STR("")); /* without a name: not counted */
        jaeger_builder_span(b, &span);
        assert_ok(jaeger_builder_finish(b, &batch, &err));
        jaeger_builder_free(b);
        assert_ok(jg_connector_span_metrics.consume(r->self, batch, &call));
    }
    assert_ok(jg_connector_span_metrics.start(r->self, &err));
    pthread_mutex_lock(&r->mutex);
    while (r->count < flushes)
        pthread_cond_wait(&r->wake, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
    jg_connector_span_metrics.stop(r->self, 0);
}

static void end(run *r)
{
    jg_connector_span_metrics.destroy(r->self);
    for (size_t i = 0; i < r->count; i++)
        jaeger_batch_unref(r->batches[i]);
    jaeger_config_free(r->root);
    free(r->config);
    free(r->self);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mutex);
}

/* The point of flush `index` with this metric name and this attribute; false: none. */
typedef struct search {
    const char *metric, *key, *value;
    jg_metric_point found;
    size_t matches, points;
} search;

static bool match(void *self, const jg_metric_point *p)
{
    search *s = self;
    jaeger_attr attr;
    if (!jg_str_is(p->name, s->metric))
        return true;
    s->points++;
    if (jaeger_find_attr(jg_point_attrs(p), jg_str(s->key), &attr) &&
        (!s->value || (attr.value.type == JAEGER_VALUE_STRING && jg_str_is(attr.value.u.s, s->value)))) {
        s->found = *p;
        s->matches++;
    }
    return true;
}

static search look(const run *r, size_t flush, const char *metric, const char *key, const char *value)
{
    search s = {.metric = metric, .key = key, .value = value};
    jaeger_str part;
    assert_true(flush < r->count && jg_batch_payload(r->batches[flush], 0, &part));
    assert_true(jg_metrics_walk(part, (jg_metric_sink){match, &s}));
    return s;
}

static void cumulative_calls_begin_at_zero(void **state)
{
    (void)state;
    run r;
    begin(&r, "metrics_flush_interval: 5ms");
    finish(&r, 3, 2);
    search first = look(&r, 0, "traces.span.metrics.calls", "span.name", "GET");
    search second = look(&r, 1, "traces.span.metrics.calls", "span.name", "GET");
    assert_int_equal(first.matches, 1);
    assert_int_equal(first.points, 2);
    assert_true(first.found.value == 0);
    assert_true(second.found.value == 3);
    assert_true(second.found.monotonic);
    assert_int_equal(second.found.temporality, JG_TEMPORALITY_CUMULATIVE);
    search d = look(&r, 0, "traces.span.metrics.duration", "span.name", "GET");
    assert_int_equal(d.found.count, 3);
    assert_true(d.found.sum == 10.5);
    assert_int_equal(d.found.bounds.len, 16 * 8);
    assert_int_equal(jg_packed_u64(d.found.counts, 1), 3); /* (2, 4] ms */
    assert_str(d.found.unit, "ms");
    end(&r);
}

static void spans_count_for_those_that_sampling_dropped(void **state)
{
    (void)state;
    run r;
    begin(&r, "{metrics_flush_interval: 5ms, enable_metrics_sampling_method: true}");
    finish(&r, 2, 2);
    search put = look(&r, 1, "traces.span.metrics.calls", "span.name", "PUT"); /* th:8 is one half */
    assert_true(put.found.value == 4);
    assert_int_equal(look(&r, 1, "traces.span.metrics.calls", "sampling.method", "extrapolated").matches, 1);
    end(&r);
}

static void deltas_hold_what_is_new_and_then_nothing(void **state)
{
    (void)state;
    run r;
    begin(&r, "{metrics_flush_interval: 5ms, aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA}");
    finish(&r, 3, 1);
    search s = look(&r, 0, "traces.span.metrics.calls", "span.name", "GET");
    assert_true(s.found.value == 3);
    assert_int_equal(s.found.temporality, JG_TEMPORALITY_DELTA);
    assert_int_equal(r.count, 1); /* nothing new, no batch */
    end(&r);
}

static void dimensions_come_from_span_then_resource_then_default(void **state)
{
    (void)state;
    static const char yaml[] =
        "{metrics_flush_interval: 5ms, namespace: '', exclude_dimensions: [status.code],"
        " dimensions: [{name: http.method, default: NONE}, {name: zone}, {name: absent}],"
        " events: {enabled: true, dimensions: [{name: exception.type}]},"
        " include_instrumentation_scope: [lib]}";
    run r;
    begin(&r, yaml);
    finish(&r, 1, 2);
    assert_int_equal(look(&r, 1, "calls", "http.method", "POST").matches, 1);
    assert_int_equal(look(&r, 1, "calls", "http.method", "NONE").matches, 1);
    assert_int_equal(look(&r, 1, "calls", "zone", "eu").matches, 2);
    assert_int_equal(look(&r, 1, "calls", "absent", NULL).matches, 0);
    assert_int_equal(look(&r, 1, "calls", "status.code", NULL).matches, 0);
    assert_int_equal(look(&r, 1, "calls", "span.instrumentation.scope.version", "1").matches, 2);
    assert_int_equal(look(&r, 1, "events", "exception.type", "E").matches, 1);
    assert_true(look(&r, 1, "events", "exception.type", "E").found.value == 1);
    end(&r);
}

static void above_the_limit_one_series_takes_the_rest(void **state)
{
    (void)state;
    run r;
    begin(&r, "{metrics_flush_interval: 5ms, aggregation_cardinality_limit: 1, exemplars: {enabled: true}}");
    finish(&r, 2, 2);
    search over = look(&r, 1, "traces.span.metrics.calls", "otel.metric.overflow", NULL);
    assert_int_equal(over.matches, 1);
    assert_int_equal(over.points, 2);
    assert_true(over.found.value == 4);
    jg_exemplar x;
    search get = look(&r, 0, "traces.span.metrics.duration", "span.name", "GET");
    jg_pb iter = jg_pb_of_str(get.found.body);
    assert_true(jg_point_next_exemplar(&get.found, &iter, &x) &&
                jg_point_next_exemplar(&get.found, &iter, &x));
    assert_true(x.value == 3.5 && x.trace_id[0] == 1);
    assert_false(jg_point_next_exemplar(&get.found, &iter, &x));
    end(&r);
}

static void exponential_histograms_travel_whole(void **state)
{
    (void)state;
    run r;
    begin(&r, "{metrics_flush_interval: 5ms, histogram: {unit: s, exponential: {max_size: 20}}}");
    finish(&r, 2, 1);
    search s = look(&r, 0, "traces.span.metrics.duration", "span.name", "GET");
    assert_int_equal(s.found.type, JG_METRIC_EXPONENTIAL);
    assert_int_equal(s.found.count, 2);
    assert_int_equal(s.found.scale, JG_SM_SCALE_MAX);
    assert_int_equal(s.found.offset, jg_sm_exponential_index(0.0035, JG_SM_SCALE_MAX));
    assert_str(s.found.unit, "s");
    end(&r);
}

static void series_not_seen_expire(void **state)
{
    (void)state;
    run r;
    begin(&r, "{metrics_flush_interval: 5ms, series_expiration: 1ns}");
    finish(&r, 1, 0);
    struct timespec wait = {0, 30000000};
    assert_ok(jg_connector_span_metrics.start(r.self, NULL));
    nanosleep(&wait, NULL);
    jg_connector_span_metrics.stop(r.self, 0);
    assert_int_equal(r.count, 0);
    end(&r);
}

static void bad_keys_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "metrics_flush_interval: 0s",
        "dimensions: [{name: span.name}]",
        "dimensions: [{name: a}, {name: a}]",
        "{dimensions: [{name: a}], calls_dimensions: [{name: a}]}",
        "dimensions: [{default: x}]",
        "histogram: {explicit: {buckets: [1s]}, exponential: {max_size: 10}}",
        "histogram: {explicit: {buckets: [2s, 1s]}}",
        "histogram: {unit: h}",
        "events: {enabled: true}",
        "aggregation_cardinality_limit: -1",
        "resource_metrics_cache_size: 0",
        "{aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA, metric_timestamp_cache_size: 0}",
        "nonsense: 1"};
    void *config = calloc(1, jg_connector_span_metrics.config_size);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_config *root;
        jaeger_error err = {0};
        assert_int_equal(bind(cases[i], &root, config, &err), JAEGER_INVALID_ARGUMENT);
        jaeger_config_free(root);
    }
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explicit_bounds_are_inclusive),
        cmocka_unit_test(exponential_buckets_hold_their_values),
        cmocka_unit_test(exponential_histograms_keep_their_size_and_count),
        cmocka_unit_test(globs_match_like_files),
        cmocka_unit_test(cumulative_calls_begin_at_zero),
        cmocka_unit_test(spans_count_for_those_that_sampling_dropped),
        cmocka_unit_test(deltas_hold_what_is_new_and_then_nothing),
        cmocka_unit_test(dimensions_come_from_span_then_resource_then_default),
        cmocka_unit_test(above_the_limit_one_series_takes_the_rest),
        cmocka_unit_test(exponential_histograms_travel_whole),
        cmocka_unit_test(series_not_seen_expire),
        cmocka_unit_test(bad_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
