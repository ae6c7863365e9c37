/* SPDX-License-Identifier: Apache-2.0
 * See cli.h. Flags may stand before and after the command, as "--flag value" or "--flag=value".
 */
#include "service/cli.h"

#include "core/err.h"
#include "core/str.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct args {
    int argc, at;
    char **argv;
} args;

/* Value of a flag: after '=', or the next word. NULL: there is none. */
static const char *value_of(args *a, const char *equals)
{
    if (equals)
        return equals + 1;
    return a->at + 1 < a->argc ? a->argv[++a->at] : NULL;
}

static jaeger_status add(const char **items, size_t *count, const char *value, const char *flag,
                         jaeger_error *err)
{
    if (*count == JG_CLI_ITEMS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "more than %d flags --%s", JG_CLI_ITEMS_MAX, flag);
    items[(*count)++] = value;
    return JAEGER_OK;
}

static jaeger_status add_gates(jg_cli *cli, const char *value, jaeger_error *err)
{
    size_t len = strlen(cli->gates), more = strlen(value);
    if (len + more + 2 > sizeof cli->gates)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "--feature-gates: too long");
    if (len)
        cli->gates[len++] = ',';
    memcpy(cli->gates + len, value, more + 1);
    return JAEGER_OK;
}

static bool is_true(const char *value)
{
    return strcmp(value, "false") != 0 && strcmp(value, "0") != 0;
}

/* Flags without a value: true if it was one of them. */
static bool parse_switch(jg_cli *cli, jaeger_str name, const char *equals)
{
    bool on = !equals || is_true(equals + 1);
    if (jg_str_is(name, "help"))
        cli->help = on;
    else if (jg_str_is(name, "version"))
        cli->version = on;
    else if (jg_str_is(name, "validate"))
        cli->skip_validation = !on;
    else
        return false;
    return true;
}

static jaeger_status parse_flag(jg_cli *cli, args *a, const char *text, jaeger_error *err)
{
    const char *equals = strchr(text, '=');
    jaeger_str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    static const char *const with_value[] = {"config", "set", "feature-gates", "mode", "format", "dir"};
    size_t which = 0;
    while (which < JG_COUNT(with_value) && !jg_str_is(name, with_value[which]))
        which++;
    if (which == JG_COUNT(with_value))
        return parse_switch(cli, name, equals)
                   ? JAEGER_OK
                   : jg_fail(err, JAEGER_INVALID_ARGUMENT, "unknown flag: --%.*s", JAEGER_STR_ARGS(name));
    const char *value = value_of(a, equals);
    if (!value)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "flag needs an argument: --%s", with_value[which]);
    switch (which) {
    case 0:
        return add(cli->uris, &cli->uri_count, value, "config", err);
    case 1:
        if (!strchr(value, '='))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "invalid argument \"%s\" for \"--set\" flag: missing equal sign", value);
        return add(cli->sets, &cli->set_count, value, "set", err);
    case 2:
        return add_gates(cli, value, err);
    case 3:
        cli->mode = value;
        return JAEGER_OK;
    case 4:
        cli->format = value;
        return JAEGER_OK;
    default:
        cli->dir = value;
        return JAEGER_OK;
    }
}

jaeger_status jg_cli_parse(jg_cli *cli, int argc, char **argv, jaeger_error *err)
{
    args a = {argc, 1, argv};
    for (; a.at < argc; a.at++) {
        const char *arg = argv[a.at];
        if (strcmp(arg, "-h") == 0)
            cli->help = true;
        else if (strcmp(arg, "-v") == 0)
            cli->version = true;
        else if (arg[0] == '-' && arg[1] == '-' && arg[2])
            JG_TRY(parse_flag(cli, &a, arg + 2, err));
        else if (arg[0] == '-')
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unknown shorthand flag: '%c' in %s",
                           arg[1] ? arg[1] : '-', arg);
        else if (!cli->command)
            cli->command = arg;
        else if (!cli->argument)
            cli->argument = arg;
        else
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unexpected argument \"%s\"", arg);
    }
    return JAEGER_OK;
}

static const char *read_environment(void *user, const char *name)
{
    (void)user;
    return getenv(name);
}

jaeger_service_options jg_cli_options(const jg_cli *cli)
{
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = cli->yaml;
    options.sources = cli->uris;
    options.source_count = cli->uri_count;
    options.sets = cli->sets;
    options.set_count = cli->set_count;
    options.getenv = read_environment;
    options.feature_gates = cli->gates;
    return options;
}
