/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"
#include "processors/tail_sampling/tail.h"
#include "support/test.h"
#include "support/traces.h"

#define ID "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\""
/* Starts and ends in ms. */
#define SPAN(span_id, start, end, more)                                                                      \
    "{" ID ",\"spanId\":\"" span_id "\",\"name\":\"op\",\"startTimeUnixNano\":\"17000000000" start           \
    "00000000\",\"endTimeUnixNano\":\"17000000000" end "00000000\"" more "}"
#define ATTR(key, value) "{\"key\":\"" key "\",\"value\":{" value "}}"

/* From 0.0 s to 0.5 s, an error, int, string, bool, double attributes, a tracestate, sampled, an event. */
static const char trace[] = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" ATTR("service.name", "\"str"
                                                                                                       "ingVa"
                                                                                                       "lue\""
                                                                                                       ":\"sh"
                                                                                                       "op\"") "," ATTR("shard", "\"intValue\":\"7\"") "," ATTR(
    "canary",
    "\"boolValue\":true") "]},\"scopeSpans\":[{\"spans\":[" SPAN("0000000000000001", "0", "5",
                                                                 ",\"traceState\":\"a=1,b=x\",\"attributes\":"
                                                                 "[" ATTR("code", "\"intValue\":\"503\"") "," ATTR("path", "\"stringValue\":\"/cart/7\"") "," ATTR(
                                                                     "ok",
                                                                     "\"boolValue\":false") "]") "," SPAN("00"
                                                                                                          "00"
                                                                                                          "00"
                                                                                                          "00"
                                                                                                          "00"
                                                                                                          "00"
                                                                                                          "00"
                                                                                                          "0"
                                                                                                          "2",
                                                                                                          "1",
                                                                                                          "2",
                                                                                                          ","
                                                                                                          "\""
                                                                                                          "fl"
                                                                                                          "ag"
                                                                                                          "s"
                                                                                                          "\""
                                                                                                          ":2"
                                                                                                          "57"
                                                                                                          ","
                                                                                                          "\""
                                                                                                          "st"
                                                                                                          "at"
                                                                                                          "us"
                                                                                                          "\""
                                                                                                          ":{"
                                                                                                          "\""
                                                                                                          "co"
                                                                                                          "de"
                                                                                                          "\""
                                                                                                          ":2"
                                                                                                          "},"
                                                                                                          "\""
                                                                                                          "ev"
                                                                                                          "en"
                                                                                                          "ts"
                                                                                                          "\""
                                                                                                          ":["
                                                                                                          "{"
                                                                                                          "\""
                                                                                                          "na"
                                                                                                          "me"
                                                                                                          "\""
                                                                                                          ":"
                                                                                                          "\""
                                                                                                          "ex"
                                                                                                          "ce"
                                                                                                          "pt"
                                                                                                          "io"
                                                                                                          "n"
                                                                                                          "\""
                                                                                                          "}"
                                                                                                          "]") "]}]}]}";

typedef struct fixture {
    jaeger_arena *arena, *scratch;
    jg_tail_load *load;
    jg_tail_piece piece;
    jg_tail_view view;
} fixture;

static void open(fixture *f)
{
    jg_trace_groups groups;
    jaeger_batch *batch = batch_of_json(trace);
    *f = (fixture){.arena = jaeger_arena_new(0), .scratch = jaeger_arena_new(0)};
    assert_ok(jg_trace_groups_make(batch, 1, &groups, NULL));
    assert_int_equal(groups.count, 1);
    f->load = jg_tail_load_new(batch, &groups, JAEGER_STR(""));
    f->piece = (jg_tail_piece){f->load, groups.traces[0].first, 2, NULL};
    f->view = (jg_tail_view){.trace_id = jaeger_batch_spans(batch)->trace_id,
                             .pieces = &f->piece,
                             .span_count = 2,
                             .size_bytes = 400,
                             .now_ns = 1000 * JG_NS_PER_S,
                             .unix_s = 1700000000,
                             .scratch = f->scratch};
    jg_trace_groups_done(&groups);
}

static void close(fixture *f)
{
    jg_tail_load_free(f->load);
    jaeger_arena_free(f->arena);
    jaeger_arena_free(f->scratch);
}

static const char *const decisions[] = {"undecided", "sampled", "not sampled", "dropped"};

/* What the policy says, `runs` times; the last answer. */
static const char *judge(const char *policy, unsigned runs, fixture *f, jaeger_error *err)
{
    char yaml[2048];
    jaeger_config *root;
    jg_policy *policies = NULL;
    size_t n = 0;
    jg_decision decision = JG_UNDECIDED;
    (void)snprintf(yaml, sizeof yaml, "[{name: p, %s}]", policy);
    *err = (jaeger_error){0};
    assert_ok(jaeger_config_parse(jg_str(yaml), "p.yaml", &root, err));
    const char *answer = "refused";
    if (jg_policies_make(root, f->arena, &policies, &n, err) == JAEGER_OK) {
        for (unsigned i = 0; i < runs; i++)
            decision = policies[0].type->evaluate(&policies[0], &f->view, err);
        answer = decisions[decision];
    }
    jg_policies_done(policies, n);
    jaeger_config_free(root);
    return answer;
}

#define SUB(name, more)    "{name: " name ", " more "}"
#define ALWAYS             "type: always_sample"
#define NEVER              "type: numeric_attribute, numeric_attribute: {key: none, min_value: 1}"
#define COMPOSITE(n, more) "type: composite, composite: {max_total_spans_per_second: " n ", " more "}"

static void policies_decide(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *want;
        unsigned runs; /* 0: one */
    } cases[] = {
        {ALWAYS, "sampled", 0},
        {"type: latency, latency: {threshold_ms: 500}", "sampled", 0},
        {"type: latency, latency: {threshold_ms: 501}", "not sampled", 0},
        {"type: latency, latency: {threshold_ms: 500, upper_threshold_ms: 600}", "not sampled", 0},
        {"type: latency, latency: {threshold_ms: 400, upper_threshold_ms: 500}", "sampled", 0},
        {"type: latency, latency: {threshold_ms: 100, upper_threshold_ms: 499}", "not sampled", 0},
        {"type: numeric_attribute, numeric_attribute: {key: code, min_value: 500, max_value: 503}", "sampled",
         0},
        {"type: numeric_attribute, numeric_attribute: {key: code, min_value: 504}", "not sampled", 0},
        {"type: numeric_attribute, numeric_attribute: {key: code, max_value: 502}", "not sampled", 0},
        {"type: numeric_attribute, numeric_attribute: {key: code, min_value: 500, invert_match: true}",
         "not sampled", 0},
        {"type: numeric_attribute, numeric_attribute: {key: shard, min_value: 7}", "sampled", 0},
        {"type: numeric_attribute, numeric_attribute: {key: none, min_value: 1, invert_match: true}",
         "sampled", 0},
        {"type: numeric_attribute, numeric_attribute: {key: path, max_value: 5}", "sampled",
         0}, /* counts as 0 */
        {"type: string_attribute, string_attribute: {key: path, values: [x, /cart/7]}", "sampled", 0},
        {"type: string_attribute, string_attribute: {key: path, values: [/cart]}", "not sampled", 0},
        {"type: string_attribute, string_attribute: {key: path, values: ['^/cart/[0-9]+$'], "
         "enabled_regex_matching: true, cache_max_size: 10}",
         "sampled", 0},
        {"type: string_attribute, string_attribute: {key: service.name, values: [shop]}", "sampled", 0},
        {"type: string_attribute, string_attribute: {key: service.name, values: [shop], invert_match: true}",
         "not sampled", 0},
        {"type: string_attribute, string_attribute: {key: service.name, values: [bank], invert_match: true}",
         "sampled", 0},
        {"type: string_attribute, string_attribute: {key: code, values: ['503']}", "not sampled", 0},
        {"type: boolean_attribute, boolean_attribute: {key: ok, value: false}", "sampled", 0},
        {"type: boolean_attribute, boolean_attribute: {key: ok, value: true}", "not sampled", 0},
        {"type: boolean_attribute, boolean_attribute: {key: canary, value: true}", "sampled", 0},
        {"type: boolean_attribute, boolean_attribute: {key: canary, value: true, invert_match: true}",
         "not sampled", 0},
        {"type: boolean_attribute, boolean_attribute: {key: none, value: false}", "not sampled", 0},
        {"type: status_code, status_code: {status_codes: [ERROR]}", "sampled", 0},
        {"type: status_code, status_code: {status_codes: [OK]}", "not sampled", 0},
        {"type: status_code, status_code: {status_codes: [OK, UNSET]}", "sampled", 0},
        {"type: trace_state, trace_state: {key: b, values: [y, x]}", "sampled", 0},
        {"type: trace_state, trace_state: {key: a, values: [x]}", "not sampled", 0},
        {"type: trace_flags", "sampled", 0},
        {"type: span_count, span_count: {min_spans: 2}", "sampled", 0},
        {"type: span_count, span_count: {min_spans: 3}", "not sampled", 0},
        {"type: span_count, span_count: {min_spans: 1, max_spans: 1}", "not sampled", 0},
        {"type: probabilistic, probabilistic: {sampling_percentage: 100}", "sampled", 0},
        {"type: probabilistic, probabilistic: {sampling_percentage: 0}", "not sampled", 0},
        {"type: rate_limiting, rate_limiting: {spans_per_second: 2}", "sampled", 2},
        {"type: rate_limiting, rate_limiting: {spans_per_second: 2}", "not sampled", 3},
        {"type: rate_limiting, rate_limiting: {spans_per_second: 2, burst_capacity: 6}", "sampled", 3},
        {"type: rate_limiting, rate_limiting: {spans_per_second: 0}", "not sampled", 0},
        {"type: bytes_limiting, bytes_limiting: {bytes_per_second: 400}", "sampled", 2},
        {"type: bytes_limiting, bytes_limiting: {bytes_per_second: 400}", "not sampled", 3},
        {"type: bytes_limiting, bytes_limiting: {bytes_per_second: 400, burst_capacity: 399}", "not sampled",
         0},
        {"type: ottl_condition, ottl_condition: {span: ['attributes[\"code\"] > 500']}", "sampled", 0},
        {"type: ottl_condition, ottl_condition: {span: ['name == \"none\"', 'kind == 9']}", "not sampled", 0},
        {"type: ottl_condition, ottl_condition: {spanevent: ['name == \"exception\"']}", "sampled", 0},
        {"type: ottl_condition, ottl_condition: {span: ['Len(flags) == 1', 'status.code == 2']}", "sampled",
         0},
        {"type: ottl_condition, ottl_condition: {error_mode: propagate, span: ['Len(flags) == 1']}",
         "undecided", 0},
        {"type: and, and: {and_sub_policy: [" SUB("a", ALWAYS) ", " SUB("b", "type: trace_flags") "]}",
         "sampled", 0},
        {"type: and, and: {and_sub_policy: [" SUB("a", ALWAYS) ", " SUB("b", NEVER) "]}", "not sampled", 0},
        {"type: and, and: {and_sub_policy: [" SUB(
             "a", "type: not, not: {not_sub_policy: " SUB("b", NEVER) "}") "]}",
         "sampled", 0},
        {"type: not, not: {not_sub_policy: " SUB("a", ALWAYS) "}", "not sampled", 0},
        {"type: not, not: {not_sub_policy: " SUB("a", NEVER) "}", "sampled", 0},
        {"type: drop, drop: {drop_sub_policy: [" SUB("a", ALWAYS) "]}", "dropped", 0},
        {"type: drop, drop: {drop_sub_policy: [" SUB("a", ALWAYS) ", " SUB("b", NEVER) "]}", "not sampled",
         0},
        {COMPOSITE("4", "composite_sub_policy: [" SUB(
                            "a", ALWAYS) "], rate_allocation: [{policy: a, percent: 50}]"),
         "sampled", 0},
        {COMPOSITE("4", "composite_sub_policy: [" SUB(
                            "a", ALWAYS) "], rate_allocation: [{policy: a, percent: 50}]"),
         "not sampled", 2},
        {COMPOSITE("8", "composite_sub_policy: [" SUB("a", NEVER) ", " SUB("b", ALWAYS) "]"), "sampled", 2},
        {COMPOSITE("8", "composite_sub_policy: [" SUB("a", NEVER) ", " SUB("b", ALWAYS) "]"), "not sampled",
         3},
        {COMPOSITE(
             "8", "composite_sub_policy: [" SUB("a", ALWAYS) "], rate_allocation: [{policy: z, percent: 9}]"),
         "not sampled", 0},
        {COMPOSITE("9", "policy_order: [a], composite_sub_policy: [" SUB(
                            "a", "type: and, and: {and_sub_policy: [" SUB("b", ALWAYS) "]}") "]"),
         "sampled", 0},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        fixture f;
        jaeger_error err;
        open(&f);
        const char *got = judge(cases[i].policy, cases[i].runs ? cases[i].runs : 1, &f, &err);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: %s %s", cases[i].policy, got, err.message);
        close(&f);
    }
}

static void policies_refuse_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *want;
    } cases[] = {
        {"type: nope", "unknown sampling policy type nope"},
        {"x: y", "unknown sampling policy type"},
        {"type: status_code, status_code: {status_codes: []}", "at least one status code"},
        {"type: status_code, status_code: {status_codes: [BAD]}", "unknown status code \"BAD\""},
        {"type: latency, latency: {nope: 1}", "nope"},
        {"type: latency, latency: {threshold_ms: fast}", "threshold_ms"},
        {"type: string_attribute, string_attribute: {key: k, values: ['('], enabled_regex_matching: true}",
         "invalid pattern"},
        {"type: ottl_condition, ottl_condition: {}", "at least one OTTL condition"},
        {"type: ottl_condition, ottl_condition: {span: ['name ==']}", "1:8: unexpected token"},
        {"type: and, and: {and_sub_policy: [" SUB("a", "type: and") "]}", "unknown sampling policy type and"},
        {"type: and, and: {and_sub_policy: x}", "must be a list"},
        {"type: not, not: {}", "a policy must be a map"},
        {"type: drop, drop: {drop_sub_policy: [" SUB("a", "type: composite") "]}", "type composite"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        fixture f;
        jaeger_error err;
        open(&f);
        const char *got = judge(cases[i].policy, 0, &f, &err);
        if (strcmp(got, "refused") != 0 || !strstr(err.message, cases[i].want))
            fail_msg("%s: %s %s", cases[i].policy, got, err.message);
        close(&f);
    }
}

/* Hash and threshold of the Collector, by its own numbers: FNV-1a of salt and id. */
static void probabilistic_takes_its_part(void **state)
{
    (void)state;
    jaeger_config *root;
    jaeger_error err;
    jaeger_arena *arena = jaeger_arena_new(0);
    jg_policy *policies;
    size_t n, sampled = 0;
    assert_ok(
        jaeger_config_parse(JAEGER_STR("[{name: p, type: probabilistic, probabilistic: {sampling_percentage: "
                                       "12.5}}]"),
                            "p.yaml", &root, &err));
    assert_ok(jg_policies_make(root, arena, &policies, &n, &err));
    assert_true(policies[0].threshold == UINT64_MAX / 8);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t id[16] = {(uint8_t)i, (uint8_t)(i >> 8), 3, [15] = (uint8_t)(i * 7)};
        jg_tail_view view = {.trace_id = id};
        sampled += policies[0].type->evaluate(&policies[0], &view, &err) == JG_SAMPLED;
    }
    assert_in_range(sampled, 2200, 2800);
    jg_policies_done(policies, n);
    jaeger_config_free(root);
    jaeger_arena_free(arena);
}

static void buckets_fill_with_time(void **state)
{
    (void)state;
    jg_tail_bucket bucket = {.rate = 10, .burst = 20};
    uint64_t now = JG_NS_PER_S;
    assert_true(jg_tail_bucket_take(&bucket, 20, now));
    assert_false(jg_tail_bucket_take(&bucket, 1, now));
    assert_false(jg_tail_bucket_take(&bucket, 6, now + JG_NS_PER_S / 2));
    assert_true(jg_tail_bucket_take(&bucket, 5, now + JG_NS_PER_S / 2));
    assert_false(jg_tail_bucket_take(&bucket, 21, now + 100 * JG_NS_PER_S));
    assert_true(jg_tail_bucket_take(&bucket, 20, now + 100 * JG_NS_PER_S));
}

static void lru_forgets_what_was_not_asked_for(void **state)
{
    (void)state;
    jg_lru lru;
    assert_true(jg_lru_init(&lru, 3));
    for (uint8_t i = 0; i < 100; i++) {
        jg_tail_key key = {.trace_id = {i}}, first = {.trace_id = {0}};
        jg_lru_put(&lru, &key, i % 5); /* hashes collide */
        assert_true(jg_lru_get(&lru, &key, i % 5));
        assert_true(jg_lru_get(&lru, &first, 0)); /* kept young */
        jg_tail_key old = {.trace_id = {(uint8_t)(i - 2)}};
        assert_int_equal(jg_lru_get(&lru, &old, (uint64_t)(i - 2) % 5), i == 2);
    }
    jg_tail_key other = {.trace_id = {0}, .tenant_hash = 1};
    assert_false(jg_lru_get(&lru, &other, 0));
    jg_lru_done(&lru);
    assert_true(jg_lru_init(&lru, 0));
    jg_lru_put(&lru, &other, 0);
    assert_false(jg_lru_get(&lru, &other, 0));
    jg_lru_done(&lru);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_decide),
        cmocka_unit_test(policies_refuse_bad_settings),
        cmocka_unit_test(probabilistic_takes_its_part),
        cmocka_unit_test(buckets_fill_with_time),
        cmocka_unit_test(lru_forgets_what_was_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
