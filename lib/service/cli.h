/* SPDX-License-Identifier: Apache-2.0
 * The command line of a binary: what was asked, and the commands that answer without running a service.
 */
#ifndef JG_SERVICE_CLI_H
#define JG_SERVICE_CLI_H

#include "core/buf.h"
#include "service/build.h"

#define JG_CLI_ITEMS_MAX 256 /* --config and --set, each */
#define JG_CLI_TEXT_MAX  4096

typedef struct jg_cli {
    const char *program, *yaml; /* of jaeger_main */
    const char *command;        /* NULL: run */
    const char *argument;       /* after the command; NULL: none */
    const char *uris[JG_CLI_ITEMS_MAX], *sets[JG_CLI_ITEMS_MAX];
    size_t uri_count, set_count;
    char gates[JG_CLI_TEXT_MAX];
    const char *mode, *format, *dir; /* NULL: not given */
    bool skip_validation, help, version;
} jg_cli;

/** @return INVALID_ARGUMENT: "unknown flag: --x" */
jaeger_status jg_cli_parse(jg_cli *cli, int argc, char **argv, jaeger_error *err) JG_MUST_CHECK;
/** Options of the service that the command line describes; the pointers in it live as long as `cli`. */
jaeger_service_options jg_cli_options(const jg_cli *cli);

/* service/commands.c: each writes its answer */
void jg_command_help(const jg_cli *cli, jg_buf *out);
void jg_command_version(jg_buf *out);
void jg_command_components(const jg_types *types, const jaeger_storage_driver *const *drivers,
                           const char *program, jg_buf *out);
jaeger_status jg_command_featuregate(const jg_cli *cli, jg_buf *out, jaeger_error *err);
jaeger_status jg_command_print_config(const jg_cli *cli, const jg_sections *sections, jg_buf *out,
                                      jaeger_error *err);

/* service/docs.c */
/** Reference of all components and their keys, as Markdown. */
void jg_docs_write(const jg_types *types, const jaeger_storage_driver *const *drivers, jg_buf *out);

#endif
