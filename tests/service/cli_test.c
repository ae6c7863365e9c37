/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cli.h"
#include "support/test.h"

static jaeger_status parse(jg_cli *cli, jaeger_error *err, const char *const *words)
{
    char *argv[16] = {"jaeger"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    *cli = (jg_cli){.program = "jaeger"};
    return jg_cli_parse(cli, argc, argv, err);
}

static void flags_and_command_come_in_any_order(void **state)
{
    (void)state;
    jg_cli cli;
    jaeger_error err = {0};
    const char *const words[] = {
        "--config=a.yaml", "validate", "--config",          "yaml:x: 1", "--set=a.b=c=d",
        "--feature-gates", "x,-y",     "--feature-gates=z", "-h",        NULL};
    assert_ok(parse(&cli, &err, words));
    assert_string_equal(cli.command, "validate");
    assert_int_equal(cli.uri_count, 2);
    assert_string_equal(cli.uris[0], "a.yaml");
    assert_string_equal(cli.uris[1], "yaml:x: 1");
    assert_string_equal(cli.sets[0], "a.b=c=d");
    assert_string_equal(cli.gates, "x,-y,z");
    assert_true(cli.help);
    assert_false(cli.version);
}

static void bad_command_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words[4], *want;
    } cases[] = {
        {{"--foo"}, "unknown flag: --foo"},     {{"-x"}, "unknown shorthand flag"},
        {{"-"}, "unknown shorthand flag"},      {{"--config"}, "flag needs an argument: --config"},
        {{"--set", "a"}, "missing equal sign"}, {{"a", "b", "c"}, "unexpected argument \"c\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        jg_cli cli;
        jaeger_error err = {0};
        assert_int_equal(parse(&cli, &err, cases[i].words), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("want %s, got %s", cases[i].want, err.message);
    }
}

static void more_flags_than_fit_are_refused(void **state)
{
    (void)state;
    static char *argv[2 * JG_CLI_ITEMS_MAX + 3];
    jg_cli cli = {0};
    jaeger_error err = {0};
    int argc = 1;
    argv[0] = "jaeger";
    while (argc < JG_CLI_ITEMS_MAX + 2)
        argv[argc++] = "--config=x";
    assert_int_equal(jg_cli_parse(&cli, argc, argv, &err), JAEGER_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_and_command_come_in_any_order),
        cmocka_unit_test(bad_command_lines_are_refused),
        cmocka_unit_test(more_flags_than_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
