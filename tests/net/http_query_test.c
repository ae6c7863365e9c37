/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/str.h"
#include "net/http_server.h"
#include "support/test.h"

static void escapes_are_decoded_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool plus, ok;
        const char *want;
    } rows[] = {
        {"", true, true, ""},        {"abc", true, true, "abc"},  {"a%20b", false, true, "a b"},
        {"a+b", true, true, "a b"},  {"a+b", false, true, "a+b"}, {"%41%7a%7A", false, true, "Azz"},
        {"%", false, false, NULL},   {"%4", false, false, NULL},  {"%4g", false, false, NULL},
        {"%g4", false, false, NULL}, {"a%2", false, false, NULL}, {"%%41", false, false, NULL},
    };
    jaeger_arena *arena JG_AUTO_ARENA = jaeger_arena_new(0);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_str out;
        bool ok = jg_url_decode(arena, jg_str(rows[i].in), rows[i].plus, &out);
        if (ok != rows[i].ok)
            fail_msg("%s", rows[i].in);
        if (ok)
            assert_str(out, rows[i].want);
    }
}

static void queries_are_walked_as_net_url_does(void **state)
{
    (void)state;
    static const char query[] =
        "service=a%26b&&empty=&flag&tag=%7B%22k%22:1%7D&bad=%zz&semi=1;2&service=second&=v";
    static const char *const want[][2] = {{"service", "a&b"},   {"empty", ""},         {"flag", ""},
                                          {"tag", "{\"k\":1}"}, {"service", "second"}, {"", "v"}};
    jaeger_arena *arena JG_AUTO_ARENA = jaeger_arena_new(0);
    size_t at = 0, n = 0;
    jaeger_pair pair;
    for (; jg_query_next(arena, jg_str(query), &at, &pair); n++) {
        assert_true(n < JG_COUNT(want));
        assert_str(pair.key, want[n][0]);
        assert_str(pair.value, want[n][1]);
    }
    assert_int_equal(n, JG_COUNT(want));
    assert_str(jg_query_get(arena, jg_str(query), "service"), "a&b");
    assert_non_null(jg_query_get(arena, jg_str(query), "flag").ptr);
    assert_null(jg_query_get(arena, jg_str(query), "none").ptr);
    assert_null(jg_query_get(arena, (jaeger_str){NULL, 0}, "none").ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded_or_refused),
        cmocka_unit_test(queries_are_walked_as_net_url_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
