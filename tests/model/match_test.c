/* SPDX-License-Identifier: Apache-2.0 */
#include "model/match.h"

#include "core/arena.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/value_text.h"
#include "support/test.h"
#include <math.h>

static jaeger_batch *one_span(void)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_attr_str(b, JAEGER_STR("host"), JAEGER_STR("h1"));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1.0"), (jaeger_str){0});
    jaeger_builder_attr_bool(b, JAEGER_STR("scoped"), true);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1},
                                                .span_id = {2},
                                                .name = JAEGER_STR("GET /"),
                                                .kind = JAEGER_KIND_SERVER,
                                                .start_unix_ns = 1000,
                                                .end_unix_ns = 1500});
    jaeger_builder_attr_int(b, JAEGER_STR("n"), -5);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 0.5);
    jaeger_builder_attr_double(b, JAEGER_STR("whole"), 3);
    jaeger_builder_attr_double(b, JAEGER_STR("nan"), NAN);
    jaeger_builder_attr_double(b, JAEGER_STR("inf"), -INFINITY);
    jaeger_builder_attr_bytes(b, JAEGER_STR("raw"), JAEGER_STR("\x01\x02"));
    jaeger_builder_attr_str(b, JAEGER_STR("twice"), JAEGER_STR("first"));
    jaeger_builder_attr_str(b, JAEGER_STR("twice"), JAEGER_STR("second"));
    jaeger_builder_attr_str(b, JAEGER_STR("error"), JAEGER_STR("false"));
    jaeger_builder_attr_str(b, JAEGER_STR("empty"), JAEGER_STR(""));
    static const uint8_t list[] = "\x0a\x04list\x12\x08*\x06\x0a\x04\x0a\x02"
                                  "a\""; /* KeyValue list=["a\""] */
    jaeger_builder_attr_copy(b, &(jaeger_attr){.raw = {(const char *)list, sizeof list - 1}});
    jaeger_builder_event(b, 1100, JAEGER_STR("hit"));
    jaeger_builder_attr_str(b, JAEGER_STR("in"), JAEGER_STR("event"));
    jaeger_builder_event(b, 1200, JAEGER_STR("hit"));
    jaeger_builder_attr_str(b, JAEGER_STR("in"), JAEGER_STR("event 2"));
    jaeger_builder_link(b, (const uint8_t[16]){9}, (const uint8_t[8]){8}, (jaeger_str){0}, 0);
    jaeger_builder_attr_int(b, JAEGER_STR("in.link"), 7);
    jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR("boom"));
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static bool holds(const jaeger_span *span, const jaeger_trace_query *query)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jg_match match;
    assert_ok(jg_match_compile(&match, query, arena, NULL));
    return jg_match_span(&match, span);
}

static void match_compares_text_in_five_places(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
        bool want;
    } cases[] = {
        {"n", "-5", true},
        {"n", "-05", false},
        {"n", "5", false},
        {"n", "-", false},
        {"n", "", false},
        {"d", "0.5", true},
        {"d", "0.50", false},
        {"d", ".5", false},
        {"whole", "3", true},
        {"whole", "3.0", false},
        {"nan", "json: unsupported value: NaN", true},
        {"inf", "json: unsupported value: -Inf", true},
        {"inf", "json: unsupported value: +Inf", false},
        {"nan", "NaN", false},
        {"raw", "AQI=", true},
        {"raw", "AQI", false},
        {"scoped", "true", true},
        {"scoped", "1", false},
        {"host", "h1", true},
        {"host", "h", false},
        {"host", "h.*", false},
        {"in", "event", true},
        {"in", "event 2", true},
        {"in.link", "7", true},
        {"twice", "first", true},
        {"twice", "second", false},
        {"empty", "", true},
        {"missing", "", false},
        {"list", "[\"a\\\"\"]", true},
        {"list", "[]", false},
        {"resource.host", "h1", true},
        {"resource.n", "-5", false},
        {"resource.", "", false},
        {"scope.name", "lib", true},
        {"scope.version", "1.0", true},
        {"scope.name", "Lib", false},
        {"span.kind", "server", true},
        {"span.kind", "SERVER", true},
        {"span.kind", "client", false},
        {"span.status", "error", true},
        {"span.status", "OK", false},
        {"span.status", "UNSET", false},
        {"error", "true", true},
        {"error", "T", true},
        {"error", "false", false},
        {"error", "maybe", false},
        {"service.name", "shop", true},
    };
    JG_AUTO_BATCH jaeger_batch *batch = one_span();
    const jaeger_span *span = jaeger_batch_spans(batch);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_attr attr = {.key = jg_str(cases[i].key),
                            .value = {JAEGER_VALUE_STRING, .u.s = jg_str(cases[i].text)}};
        jaeger_trace_query query = {.size = sizeof query, .attrs = &attr, .attr_count = 1};
        if (holds(span, &query) != cases[i].want)
            fail_msg("%s=%s: want %d", cases[i].key, cases[i].text, cases[i].want);
    }
}

static void match_takes_typed_values_by_their_text(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = one_span();
    const struct {
        const char *key;
        jaeger_value value;
        bool want;
    } cases[] = {
        {"n", {JAEGER_VALUE_INT, .u.i = -5}, true},
        {"n", {JAEGER_VALUE_DOUBLE, .u.d = -5}, true},
        {"whole", {JAEGER_VALUE_INT, .u.i = 3}, true},
        {"scoped", {JAEGER_VALUE_BOOL, .u.b = true}, true},
        {"raw", {JAEGER_VALUE_BYTES, .u.s = {"\x01\x02", 2}}, true},
        {"empty", {.type = JAEGER_VALUE_EMPTY}, true},
        {"error", {JAEGER_VALUE_BOOL, .u.b = true}, true},
        {"error", {JAEGER_VALUE_INT, .u.i = 1}, false},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_attr attr = {.key = jg_str(cases[i].key), .value = cases[i].value};
        jaeger_trace_query query = {.size = sizeof query, .attrs = &attr, .attr_count = 1};
        if (holds(jaeger_batch_spans(batch), &query) != cases[i].want)
            fail_msg("%s, value type %d: want %d", cases[i].key, (int)cases[i].value.type, cases[i].want);
    }
}

static void match_bounds_are_inclusive_and_zero_is_open(void **state)
{
    (void)state;
    static const struct {
        uint64_t start_min, start_max, duration_min, duration_max;
        bool want;
    } cases[] = {
        {0, 0, 0, 0, true},    {1000, 1000, 500, 500, true}, {1001, 0, 0, 0, false}, {0, 999, 0, 0, false},
        {0, 0, 501, 0, false}, {0, 0, 0, 499, false},        {0, 0, 0, 500, true},
    };
    JG_AUTO_BATCH jaeger_batch *batch = one_span();
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_trace_query query = {.size = sizeof query,
                                    .start_min_unix_ns = cases[i].start_min,
                                    .start_max_unix_ns = cases[i].start_max,
                                    .duration_min_ns = cases[i].duration_min,
                                    .duration_max_ns = cases[i].duration_max};
        assert_int_equal(holds(jaeger_batch_spans(batch), &query), cases[i].want);
    }
}

static void match_needs_every_condition(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = one_span();
    jaeger_attr attrs[] = {
        {.key = JAEGER_STR("n"), .value = {JAEGER_VALUE_STRING, .u.s = {"-5", 2}}},
        {.key = JAEGER_STR("in"), .value = {JAEGER_VALUE_STRING, .u.s = {"event", 5}}},
    };
    jaeger_trace_query query = {.size = sizeof query,
                                .service = JAEGER_STR("shop"),
                                .operation = JAEGER_STR("GET /"),
                                .attrs = attrs,
                                .attr_count = 2};
    assert_true(holds(jaeger_batch_spans(batch), &query));
    query.service = JAEGER_STR("shops");
    assert_false(holds(jaeger_batch_spans(batch), &query));
    query.service = JAEGER_STR("shop");
    query.operation = JAEGER_STR("GET");
    assert_false(holds(jaeger_batch_spans(batch), &query));
    query.operation = (jaeger_str){0};
    attrs[1].value.u.s = JAEGER_STR("other");
    assert_false(holds(jaeger_batch_spans(batch), &query));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_compares_text_in_five_places),
        cmocka_unit_test(match_takes_typed_values_by_their_text),
        cmocka_unit_test(match_bounds_are_inclusive_and_zero_is_open),
        cmocka_unit_test(match_needs_every_condition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
