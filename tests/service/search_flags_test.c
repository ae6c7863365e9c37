/* SPDX-License-Identifier: Apache-2.0 */
#include "service/search_flags.h"

#include "core/str.h"
#include "support/test.h"

static const char *environment(const char *name)
{
    return strcmp(name, "INDEX_PREFIX") == 0    ? "fromenv"
           : strcmp(name, "ES_TOKEN_FILE") == 0 ? "/token"
           : strcmp(name, "ROLLOVER") == 0      ? "true"
                                                : NULL;
}

static void flags_have_defaults_and_may_come_from_the_environment(void **state)
{
    (void)state;
    jg_tool_options o;
    jaeger_error err = {0};
    char *argv[] = {"7", "--timeout=30", "http://x:9200", "--dry-run", "--index-date-separator", "."};
    assert_ok(jg_tool_parse(&o, JG_TOOL_CLEANER, 6, argv, NULL, &err));
    assert_int_equal(o.word_count, 2);
    assert_string_equal(o.words[1], "http://x:9200");
    assert_int_equal(o.timeout_s, 30);
    assert_true(o.dry_run && !o.rollover && !o.archive);
    assert_string_equal(o.separator, ".");
    assert_string_equal(o.index_prefix, "");
    assert_ok(jg_tool_parse(&o, JG_TOOL_CLEANER, 0, argv, environment, &err));
    assert_string_equal(o.index_prefix, "fromenv");
    assert_string_equal(o.token_file, "/token");
    assert_true(o.rollover);
    char *wins[] = {"--index-prefix=flag", "--rollover=false"};
    assert_ok(jg_tool_parse(&o, JG_TOOL_CLEANER, 2, wins, environment, &err));
    assert_string_equal(o.index_prefix, "flag");
    assert_false(o.rollover);
}

static void wrong_flags_are_named(void **state)
{
    (void)state;
    static const struct {
        unsigned tool;
        char *words[3];
        const char *message;
    } cases[] = {{JG_TOOL_CLEANER, {"--unit-count=1"}, "unknown flag: --unit-count"},
                 {JG_TOOL_LOOKBACK, {"--unit-count=x"}, "--unit-count: expected a number from 0, not 'x'"},
                 {JG_TOOL_INIT, {"--es.use-ilm=maybe"}, "--es.use-ilm: expected true or false, not 'maybe'"},
                 {JG_TOOL_INIT, {"--shards"}, "flag needs an argument: --shards"},
                 {JG_TOOL_CLEANER, {"1", "2", "3"}, "unexpected argument '3'"}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jg_tool_options o;
        jaeger_error err = {0};
        char *argv[3];
        int argc = 0;
        while (argc < 3 && cases[i].words[argc]) {
            argv[argc] = cases[i].words[argc];
            argc++;
        }
        assert_int_equal(jg_tool_parse(&o, cases[i].tool, argc, argv, NULL, &err), JAEGER_INVALID_ARGUMENT);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void one_way_to_say_who_we_are(void **state)
{
    (void)state;
    jg_tool_options o;
    jg_os_client_config config;
    jaeger_error err = {0};
    jaeger_str url = JAEGER_STR("http://x:9200");
    char *two[] = {"--es.username=u", "--es.password=p", "--es.token-file=/t"};
    assert_ok(jg_tool_parse(&o, JG_TOOL_INIT, 3, two, NULL, &err));
    assert_int_equal(jg_tool_client_config(&o, &url, &config, &err), JAEGER_INVALID_ARGUMENT);
    assert_ok(jg_tool_parse(&o, JG_TOOL_INIT, 2, two, NULL, &err));
    assert_ok(jg_tool_client_config(&o, &url, &config, &err));
    assert_true(config.auth.basic.enabled && !config.auth.bearer_token.enabled);
    assert_true(config.query_timeout_ns == 120000000000ull);
    char *tls[] = {"--es.tls.ca=/ca", "--es.tls.enabled"};
    assert_ok(jg_tool_parse(&o, JG_TOOL_INIT, 1, tls, NULL, &err));
    assert_int_equal(jg_tool_client_config(&o, &url, &config, &err), JAEGER_INVALID_ARGUMENT);
    assert_ok(jg_tool_parse(&o, JG_TOOL_INIT, 2, tls, NULL, &err));
    assert_ok(jg_tool_client_config(&o, &url, &config, &err));
    assert_str(config.tls.ca_file, "/ca");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_have_defaults_and_may_come_from_the_environment),
        cmocka_unit_test(wrong_flags_are_named),
        cmocka_unit_test(one_way_to_say_who_we_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
