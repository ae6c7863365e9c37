/* SPDX-License-Identifier: Apache-2.0 */
#include "model/nfa.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"
#include "support/test.h"

typedef struct row {
    const char *pattern, *text;
    bool part, whole;
} row;

static void patterns_match_as_re2_does(void **state)
{
    (void)state;
    static const row rows[] = {
        {"", "", true, true},
        {"", "a", true, false},
        {"b", "abc", true, false},
        {"abc", "abc", true, true},
        {"a.c", "a\nc", false, false},
        {"(?s)a.c", "a\nc", true, true},
        {"^b", "ab", false, false},
        {"(?m)^b$", "a\nb\nc", true, false},
        {"GET|POST", "POST /a", true, false},
        {"(GET|POST) /.*", "POST /a", true, true},
        {"a*", "aaaa", true, true},
        {"a+?", "aaaa", true, true},
        {"a{2,3}", "a", false, false},
        {"a{2,3}", "aaa", true, true},
        {"a{2,3}", "aaaa", true, false},
        {"a{2,}b", "aaaaab", true, true},
        {"a{,3}", "a{,3}", true, true},
        {"[a-c]+", "abcabc", true, true},
        {"[^a-c]", "abc", false, false},
        {"[]x]+", "]x]", true, true},
        {"[a\\]]", "]", true, true},
        {"[\\d_]+", "12_3", true, true},
        {"[[:alpha:]]+\\s\\w+", "ab c1", true, true},
        {"[[:^alpha:]]", "ab", false, false},
        {"\\D\\S\\W", "a9-", true, true},
        {"(?i)Get", "gEt", true, true},
        {"(?i:a)b", "Ab", true, true},
        {"(?i:a)b", "AB", false, false},
        {"(?i)[a-c]+", "ABC", true, true},
        {"\\bfoo\\b", "a foo b", true, false},
        {"\\bfoo\\b", "afoo", false, false},
        {"\\Bfoo", "afoo", true, false},
        {"\\Aab\\z", "ab", true, true},
        {"\\x41\\x{263a}", "A\xe2\x98\xba", true, true},
        {".", "\xe2\x98\xba", true, true},
        {"^.$", "\xe2\x98\xba", true, true},
        {"[\xc3\xa4-\xc3\xbc]", "\xc3\xb6", true, true},
        {"\\Qa.b\\E", "a.b", true, true},
        {"(?P<name>x)(?<other>y)", "xy", true, true},
        {"(a*)*b", "aaab", true, true},
        {"(a|ab)(c|bcd)", "abcd", true, true},
        {"x|", "", true, true},
        {"$", "abc", true, false},
        {"\xff", "\xff", true, true},
        {"timeout|refused|5\\d\\d", "status 503", true, false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        const jg_nfa *nfa;
        size_t at;
        assert_ok(jg_nfa_compile(jg_str(rows[i].pattern), false, arena, &nfa, &at, NULL));
        if (jg_nfa_match(nfa, jg_str(rows[i].text)) != rows[i].part)
            fail_msg("%s in %s", rows[i].pattern, rows[i].text);
        assert_ok(jg_nfa_compile(jg_str(rows[i].pattern), true, arena, &nfa, &at, NULL));
        if (jg_nfa_match(nfa, jg_str(rows[i].text)) != rows[i].whole)
            fail_msg("%s whole %s", rows[i].pattern, rows[i].text);
    }
}

static void bad_patterns_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t at;
    } rows[] = {{"a(", 2},     {"a)", 1},        {"*a", 0},     {"[a", 2},      {"a\\", 2},
                {"\\p{L}", 1}, {"(?=a)", 2},     {"(?<=a)", 2}, {"a{1001}", 7}, {"[b-a]", 4},
                {"\\8", 1},    {"[[:foo:]]", 6}, {"a{3,2}", 6}};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        const jg_nfa *nfa;
        size_t at;
        jaeger_error err = {0};
        assert_int_equal(jg_nfa_compile(jg_str(rows[i].pattern), false, arena, &nfa, &at, &err),
                         JAEGER_INVALID_ARGUMENT);
        if (at != rows[i].at)
            fail_msg("%s: at %zu, %s", rows[i].pattern, at, err.message);
    }
}

static void large_programs_are_refused_and_hostile_ones_end(void **state)
{
    (void)state;
    static const char *const rows[] = {"(a{100}){100}", "(((){1000}){1000}){1000}", "((((a?){9}){9}){9}){9}"};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        const jg_nfa *nfa;
        size_t at;
        assert_int_equal(jg_nfa_compile(jg_str(rows[i]), false, arena, &nfa, &at, NULL),
                         JAEGER_INVALID_ARGUMENT);
    }
}

static void time_is_linear_in_the_text(void **state)
{
    (void)state;
    static char text[60001];
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    const jg_nfa *nfa;
    size_t at;
    memset(text, 'a', 60000);
    assert_ok(jg_nfa_compile(JAEGER_STR("(a*)*(a|aa)*c"), false, arena, &nfa, &at, NULL));
    uint64_t begin = jg_clock_mono_ns();
    assert_false(jg_nfa_match(nfa, (jaeger_str){text, 60000}));
    assert_true(jg_clock_mono_ns() - begin < 2000000000ull); /* backtracking would take for ever */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_re2_does),
        cmocka_unit_test(bad_patterns_are_refused_with_their_place),
        cmocka_unit_test(large_programs_are_refused_and_hostile_ones_end),
        cmocka_unit_test(time_is_linear_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
