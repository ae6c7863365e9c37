/* SPDX-License-Identifier: Apache-2.0
 * The command `storage`: look at the directory of the embedded store, check it, merge its small segments,
 * take data out of it. Answers on stdout, faults on stderr; exit code 1: it failed or found damage, 2: usage.
 */
#include "service/storage_cmd.h"

#include "core/str.h"
#include "storage/embedded/tools.h"
#include <stdio.h>
#include <string.h>

#define OUTPUT_BYTES_MAX (64u << 20)

static const char usage[] =
    "usage: storage stats   --directory DIR\n"
    "       storage verify  --directory DIR\n"
    "       storage compact --directory DIR\n"
    "       storage export  --directory DIR --output FILE [--tenant NAME] [--trace HEX]\n"
    "                       [--from UNIX_NS] [--to UNIX_NS]\n"
    "stats and verify may run beside a server; compact and export may not. export writes OTLP\n"
    "(opentelemetry.proto.trace.v1.TracesData).\n";

typedef struct options {
    const char *command, *output;
    jg_tool_export_options export;
    jaeger_trace_ref trace;
} options;

static int usage_error(const char *what)
{
    (void)fprintf(stderr, "storage: %s\n%s", what, usage);
    return 2;
}

/** @return false: unknown option, or no value */
static bool read_option(options *o, const char *name, const char *value)
{
    if (!value)
        return false;
    if (strcmp(name, "--directory") == 0)
        o->export.directory = value;
    else if (strcmp(name, "--output") == 0)
        o->output = value;
    else if (strcmp(name, "--tenant") == 0)
        o->export.tenant = jg_str(value);
    else if (strcmp(name, "--from") == 0)
        return jg_str_to_u64(jg_str(value), &o->export.start_unix_ns);
    else if (strcmp(name, "--to") == 0)
        return jg_str_to_u64(jg_str(value), &o->export.end_unix_ns);
    else if (strcmp(name, "--trace") == 0) {
        o->export.trace = &o->trace;
        return jg_hex_decode(jg_str(value), o->trace.trace_id, 16);
    } else
        return false;
    return true;
}

static bool write_file(void *user, const void *bytes, size_t len)
{
    return fwrite(bytes, 1, len, user) == len;
}

static jaeger_status run_export(const options *o, jaeger_error *err)
{
    FILE *file = fopen(o->output, "wb");
    if (!file)
        return jaeger_fail(err, JAEGER_FAILED_PRECONDITION, "cannot write %s", o->output);
    jaeger_status status = jg_tool_export(&o->export, write_file, file, err);
    if (fclose(file) != 0 && status == JAEGER_OK)
        status = jaeger_fail(err, JAEGER_UNAVAILABLE, "cannot write %s", o->output);
    return status;
}

int jg_storage_command(int argc, char **argv)
{
    static const struct {
        const char *name;
        jaeger_status (*run)(const char *directory, jg_buf *out, jaeger_error *err);
    } commands[] = {{"stats", jg_tool_stats}, {"verify", jg_tool_verify}, {"compact", jg_tool_compact}};
    options o = {0};
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    jaeger_status status = JAEGER_UNKNOWN;
    if (argc < 2 || strcmp(argv[1], "--help") == 0)
        return usage_error("a command is needed");
    for (int i = 2; i < argc; i += 2)
        if (!read_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            return usage_error(argv[i]);
    if (!o.export.directory)
        return usage_error("--directory is needed");
    bool is_export = strcmp(argv[1], "export") == 0, known = is_export;
    if (is_export && !o.output)
        return usage_error("--output is needed");
    if (is_export)
        status = run_export(&o, &err);
    for (size_t i = 0; i < JG_COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        known = true;
        status = commands[i].run(o.export.directory, &out, &err);
    }
    if (!known)
        return usage_error(argv[1]);
    (void)fwrite(out.data ? (const char *)out.data : "", 1, out.len, stdout);
    if (status != JAEGER_OK)
        (void)fprintf(stderr, "storage %s: %s\n", argv[1], err.message);
    return status == JAEGER_OK ? 0 : 1;
}
