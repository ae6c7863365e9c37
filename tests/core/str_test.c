/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "support/test.h"

static void str_durations_as_go_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"1s", true, 1000000000},
        {"1.5s", true, 1500000000},
        {"1h2m3s4ms5us6ns", true, 3723004005006},
        {"200ms", true, 200000000},
        {"\xc2\xb5s", false, 0},
        {"3\xc2\xb5s", true, 3000},
        {"-1m", true, -60000000000},
        {".5s", true, 500000000},
        {"", false, 0},
        {"5", false, 0},
        {"1d", false, 0},
        {"s", false, 0},
        {"1.2.3s", false, 0},
        {"99999999999h", false, 0},
        {"1s ", false, 0},
        {".s", false, 0},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        int64_t ns = 0;
        bool ok = jg_str_to_duration(jg_str(rows[i].in), &ns);
        if (ok != rows[i].ok || ns != rows[i].want)
            fail_msg("%s: %d %ld", rows[i].in, ok, (long)ns);
    }
}

static void str_durations_print_as_in_go(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *want;
    } rows[] = {
        {0, "0s"},
        {1, "1ns"},
        {-1500, "-1.5\xc2\xb5s"},
        {1100000, "1.1ms"},
        {999999999, "999.999999ms"},
        {1000000000, "1s"},
        {60000000000, "1m0s"},
        {3600000000000, "1h0m0s"},
        {3723500000000, "1h2m3.5s"},
        {1700000000000749999, "472222h13m20.000749999s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char text[JG_DURATION_TEXT_MAX];
        size_t len = jg_duration_to_text(rows[i].ns, text);
        assert_str(((jaeger_str){text, len}), rows[i].want);
    }
}

static void str_numbers_are_whole_and_in_range(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    double d;
    assert_true(jg_str_to_i64(jg_str("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(jg_str_to_i64(jg_str("9223372036854775808"), &i));
    assert_false(jg_str_to_i64(jg_str("1x"), &i));
    assert_false(jg_str_to_i64(jg_str("-"), &i));
    assert_true(jg_str_to_u64(jg_str("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(jg_str_to_u64(jg_str("18446744073709551616"), &u));
    assert_true(jg_str_to_double(jg_str("-1.5e3"), &d) && d == -1500);
    assert_false(jg_str_to_double(jg_str("0x10"), &d));
    assert_false(jg_str_to_double(jg_str("1e999"), &d));
    assert_false(jg_str_to_double(jg_str("nan"), &d));
}

static void str_base64_round_trip_and_bad_text(void **state)
{
    (void)state;
    uint8_t bytes[20], back[40];
    char text[32];
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        size_t len = jg_base64_size(n), got;
        jg_base64_encode(bytes, n, text);
        assert_true(jg_base64_decode((jaeger_str){text, len}, back, &got));
        assert_int_equal(got, n);
        assert_memory_equal(back, bytes, n);
    }
    size_t got;
    assert_false(jg_base64_decode(jg_str("abcde"), back, &got));
    assert_false(jg_base64_decode(jg_str("ab*d"), back, &got));
    assert_true(jg_base64_decode(jg_str("_-8"), back, &got) && got == 2);
}

static void str_utf8(void **state)
{
    (void)state;
    assert_true(jg_utf8_valid(jg_str("plain ascii text, long enough for words")));
    assert_true(jg_utf8_valid(jg_str("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80")));
    assert_false(jg_utf8_valid(jg_str("\xc0\x80")));
    assert_false(jg_utf8_valid(jg_str("\xed\xa0\x80")));
    assert_false(jg_utf8_valid(jg_str("\xf4\x90\x80\x80")));
    assert_false(jg_utf8_valid(jg_str("12345678\xe2\x82")));
}

static void str_hex(void **state)
{
    (void)state;
    uint8_t id[4];
    assert_true(jg_hex_decode(jg_str("00aBcDfF"), id, 4));
    assert_memory_equal(id, "\x00\xab\xcd\xff", 4);
    assert_false(jg_hex_decode(jg_str("00abcdf"), id, 4));
    assert_false(jg_hex_decode(jg_str("00abcdfg"), id, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_durations_as_go_reads_them),
        cmocka_unit_test(str_durations_print_as_in_go),
        cmocka_unit_test(str_numbers_are_whole_and_in_range),
        cmocka_unit_test(str_base64_round_trip_and_bad_text),
        cmocka_unit_test(str_utf8),
        cmocka_unit_test(str_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
