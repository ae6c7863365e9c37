/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_in.h"
#include "core/limits.h"
#include "core/str.h"
#include "support/test.h"
#include <math.h>

static bool is_json(jaeger_str text)
{
    jg_json_in in = jg_json_in_of(text);
    return jg_json_in_skip(&in) && jg_json_in_end(&in);
}

static void json_in_takes_json_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"{}", true},
        {" [ ] ", true},
        {"0", true},
        {"-0.5e+10", true},
        {"\"\"", true},
        {"true", true},
        {"null", true},
        {"{\"a\":[1,{\"b\":[]},false],\"c\":\"d\"}", true},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", true},
        {"[[],[[]],{}]", true},
        {"", false},
        {"{", false},
        {"[", false},
        {"[1", false},
        {"[1,", false},
        {"[1,]", false},
        {"[,1]", false},
        {"[1 2]", false},
        {"{\"a\"}", false},
        {"{\"a\":}", false},
        {"{\"a\":1,}", false},
        {"{a:1}", false},
        {"{1:1}", false},
        {"[}", false},
        {"{]", false},
        {"{} {}", false},
        {"01", false},
        {"+1", false},
        {".5", false},
        {"1.", false},
        {"1e", false},
        {"-", false},
        {"tru", false},
        {"nul", false},
        {"NaN", false},
        {"'a'", false},
        {"\"a", false},
        {"\"\\", false},
        {"\"\\x41\"", false},
        {"\"\\u12g4\"", false},
        {"\"\\u12\"", false},
        {"\"a\nb\"", false},
        {"\"0123456789abcdef\x1f\"", false},
        {"// no\n1", false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        if (is_json(jg_str(rows[i].text)) != rows[i].want)
            fail_msg("%s: want %d", rows[i].text, rows[i].want);
    assert_false(is_json((jaeger_str){"\"a\0b\"", 5}));
    assert_false(is_json((jaeger_str){0}));
}

static void json_in_limits_the_nesting(void **state)
{
    (void)state;
    char text[2 * JG_JSON_DEPTH_MAX + 2];
    size_t n = JG_JSON_DEPTH_MAX;
    memset(text, '[', n);
    memset(text + n, ']', n);
    assert_true(is_json((jaeger_str){text, 2 * n}));
    memset(text, '[', n + 1);
    memset(text + n + 1, ']', n + 1);
    assert_false(is_json((jaeger_str){text, 2 * n + 2}));
    char open[100000];
    memset(open, '[', sizeof open);
    assert_false(is_json((jaeger_str){open, sizeof open}));
}

static void json_in_walks_objects_and_arrays(void **state)
{
    (void)state;
    jg_json_in in =
        jg_json_in_of(JAEGER_STR("{\"n\" : -12, \"list\":[true,null],\"t\\u0065xt\":\"a\\nb\",\"d\":1.5}"));
    jg_json_text key, text;
    int64_t n;
    bool b;
    double d;
    assert_true(jg_json_in_object(&in) && jg_json_in_key(&in, &key) && jg_json_in_is(key, JAEGER_STR("n")));
    assert_true(jg_json_in_i64(&in, false, &n) && n == -12);
    assert_true(jg_json_in_key(&in, &key) && jg_json_in_array(&in) && jg_json_in_item(&in));
    assert_true(jg_json_in_bool(&in, &b) && b);
    assert_true(jg_json_in_item(&in));
    assert_int_equal(jg_json_in_peek(&in), JG_JSON_NULL);
    assert_true(jg_json_in_null(&in));
    assert_false(jg_json_in_item(&in));
    assert_true(jg_json_in_key(&in, &key) && key.escaped && jg_json_in_is(key, JAEGER_STR("text")));
    assert_true(jg_json_in_str(&in, &text) && jg_json_in_is(text, JAEGER_STR("a\nb")));
    assert_true(jg_json_in_key(&in, &key) && jg_json_in_double(&in, false, &d) && d == 1.5);
    assert_false(jg_json_in_key(&in, &key));
    assert_true(jg_json_in_end(&in));
}

static void json_in_resolves_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want;
    } rows[] = {
        {"\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\\ud83d", "\xef\xbf\xbd"},
        {"\\ud83dx", "\xef\xbf\xbdx"},
        {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\ud83d\\u0041", "\xef\xbf\xbd"
                           "A"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char out[64];
        size_t n = jg_json_in_unescape(jg_str(rows[i].raw), out);
        assert_str(((jaeger_str){out, n}), rows[i].want);
    }
}

static void json_in_reads_numbers_in_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool quoted, ok;
        int64_t want;
    } rows[] = {
        {"0", false, true, 0},
        {"-9223372036854775808", false, true, INT64_MIN},
        {"9223372036854775807", false, true, INT64_MAX},
        {"9223372036854775808", false, false, 0},
        {"\"17\"", true, true, 17},
        {"\"17\"", false, false, 0},
        {"\"\"", true, false, 0},
        {"\"x\"", true, false, 0},
        {"1e3", false, true, 1000},
        {"2.0", false, true, 2},
        {"2.5", false, false, 0},
        {"1e19", false, false, 0},
        {"true", false, false, 0},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_json_in in = jg_json_in_of(jg_str(rows[i].text));
        int64_t got = 0;
        bool ok = jg_json_in_i64(&in, rows[i].quoted, &got);
        if (ok != rows[i].ok || (ok && got != rows[i].want))
            fail_msg("%s: %d %lld", rows[i].text, ok, (long long)got);
    }
    static const struct {
        const char *text;
        double want;
    } doubles[] = {
        {"0.1", 0.1},
        {"-123456789012345", -123456789012345.0},
        {"1234567890123456789", 1234567890123456789.0},
        {"0.30000000000000004", 0.30000000000000004},
        {"1e-7", 1e-7},
        {"5e-324", 5e-324},
        {"\"-Infinity\"", -(double)INFINITY},
        {"\"1.5\"", 1.5},
        {"-0", -0.0},
    };
    for (size_t i = 0; i < JG_COUNT(doubles); i++) {
        jg_json_in in = jg_json_in_of(jg_str(doubles[i].text));
        double got;
        if (!jg_json_in_double(&in, true, &got) || memcmp(&got, &doubles[i].want, 8) != 0)
            fail_msg("%s", doubles[i].text);
    }
    double got;
    jg_json_in nan_in = jg_json_in_of(JAEGER_STR("\"NaN\"")), too_large = jg_json_in_of(JAEGER_STR("1e999"));
    assert_true(jg_json_in_double(&nan_in, true, &got) && isnan(got));
    assert_false(jg_json_in_double(&too_large, true, &got));
}

static void json_in_says_where_it_failed(void **state)
{
    (void)state;
    jg_json_in in = jg_json_in_of(JAEGER_STR("[1, 2, x]"));
    assert_false(jg_json_in_skip(&in));
    assert_string_equal(in.fault, "not a JSON value");
    assert_int_equal(jg_json_in_offset(&in), 7);
    assert_false(jg_json_in_end(&in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_in_takes_json_and_nothing_else), cmocka_unit_test(json_in_limits_the_nesting),
        cmocka_unit_test(json_in_walks_objects_and_arrays),    cmocka_unit_test(json_in_resolves_escapes),
        cmocka_unit_test(json_in_reads_numbers_in_range),      cmocka_unit_test(json_in_says_where_it_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
