/* SPDX-License-Identifier: Apache-2.0
 * See cli.h: help, version, components, featuregate, print-config.
 */
#include "config/load.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include "pipeline/ids.h"
#include "service/cli.h"
#include "service/gates.h"

void jg_command_help(const jg_cli *cli, jg_buf *out)
{
    jg_buf_printf(out,
                  "%s %s: a tracing backend, configured like Jaeger v2.\n\n"
                  "Usage:\n"
                  "  %s [flags]              run; without --config, with the configuration built in\n"
                  "  %s <command> [flags]\n\n"
                  "Commands:\n"
                  "  storage               stats, verify, compact or export the embedded store's directory\n"
                  "  es-index-cleaner      delete old indices of OpenSearch or Elasticsearch\n"
                  "  es-dependencies       count the service graph from their spans\n"
                  "  es-rollover           init, rollover, lookback: keep their read and write aliases\n"
                  "  esmapping-generator   print one of their index templates\n"
                  "  validate              check a configuration, start nothing\n"
                  "  print-config          print the configuration with all defaults\n"
                  "  components            list the components and their stability\n"
                  "  featuregate [id]      list the feature gates\n"
                  "  docs                  print the reference of all components and their keys\n"
                  "  version               print the version as JSON\n"
                  "  help                  this text\n\n"
                  "Flags:\n"
                  "  --config URI          file:path, path, env:VAR, yaml:text, http(s)://...; may be "
                  "repeated, later ones win\n"
                  "  --set key=value       set one key (a.b.c=value); may be repeated, merged last\n"
                  "  --feature-gates LIST  gates to switch: a,+b,-c\n"
                  "  --mode MODE           print-config: redacted (default) or unredacted\n"
                  "  --format FORMAT       print-config: yaml (default) or json; docs: md\n"
                  "  --dir DIR             docs: write DIR/components.md instead of printing\n"
                  "  --validate=false      print-config: do not check the configuration\n"
                  "  -v, --version         print the version\n"
                  "  -h, --help            this text\n",
                  cli->program, JAEGER_VERSION, cli->program, cli->program);
}

void jg_command_version(jg_buf *out)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    jg_json_object(&json);
    jg_json_key_lit(&json, "gitCommit");
    jg_json_str(&json, JAEGER_STR(""));
    jg_json_key_lit(&json, "gitVersion");
    jg_json_str(&json, JAEGER_STR("v" JAEGER_VERSION));
    jg_json_key_lit(&json, "buildDate");
    jg_json_str(&json, JAEGER_STR(""));
    jg_json_end(&json);
}

static void write_kind(const jg_types *types, jaeger_kind kind, jg_buf *out)
{
    const jaeger_component_type *type;
    size_t count = 0;
    for (size_t i = 0; (type = jg_types_at(types, i)); i++) {
        if (type->kind != kind)
            continue;
        if (!count++)
            jg_buf_printf(out, "%s:\n", jg_kind_section(kind));
        jg_buf_printf(out, "    - name: %s\n      module: libjaeger %s\n      stability:\n", type->name,
                      JAEGER_VERSION);
        uint32_t signals = type->takes | type->gives;
        for (uint32_t s = JAEGER_TRACES; s <= JAEGER_LOGS; s <<= 1)
            if (signals & s)
                jg_buf_printf(out, "        %s: Beta\n", jg_signal_name(s));
        if (kind == JAEGER_EXTENSION)
            jg_buf_lit(out, "        extension: Beta\n");
    }
    if (!count)
        jg_buf_printf(out, "%s: []\n", jg_kind_section(kind));
}

void jg_command_components(const jg_types *types, const jaeger_storage_driver *const *drivers,
                           const char *program, jg_buf *out)
{
    jg_buf_printf(out, "buildinfo:\n    command: %s\n    description: libjaeger\n    version: v%s\n", program,
                  JAEGER_VERSION);
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++)
        write_kind(types, kind, out);
    jg_buf_printf(out, "storage:%s\n", drivers && drivers[0] ? "" : " []");
    for (; drivers && *drivers; drivers++)
        jg_buf_printf(out, "    - name: %s\n", (*drivers)->name);
}

static const char *stage_name(jg_gate_stage stage)
{
    return stage == JG_GATE_ALPHA ? "Alpha" : stage == JG_GATE_BETA ? "Beta" : "Stable";
}

jaeger_status jg_command_featuregate(const jg_cli *cli, jg_buf *out, jaeger_error *err)
{
    bool on[JG_GATES_MAX];
    size_t shown = 0;
    JG_TRY(jg_gates_parse(cli->gates, on, err));
    jg_buf_printf(out, "%-66s %-8s %-7s %s\n", "ID", "Enabled", "Stage", "Description");
    for (size_t i = 0; i < jg_gate_count; i++) {
        const jg_gate *gate = &jg_gates[i];
        if (cli->argument && strcmp(cli->argument, gate->id) != 0)
            continue;
        jg_buf_printf(out, "%-66s %-8s %-7s %s\n", gate->id, on[i] ? "true" : "false",
                      stage_name(gate->stage), gate->doc);
        shown++;
    }
    return shown ? JAEGER_OK : jg_fail(err, JAEGER_NOT_FOUND, "feature \"%s\" not found", cli->argument);
}

/* ---- print-config
 * ------------------------------------------------------------------------------------------------- */

static const jaeger_field no_fields[] = {{0}};

static const jaeger_field *fields_of(const jg_def *def)
{
    return def->type->fields ? def->type->fields : no_fields;
}

/* The service section as it stands: a table with one key that is a tree. */
static const jaeger_field service_field[] = {
    {.name = "service", .kind = JAEGER_FIELD_NODE, .doc = "the service section"}, {0}};

static void print_yaml(const jg_sections *sections, bool redact, jg_buf *out)
{
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++) {
        const jg_defs *defs = &sections->defs[kind];
        jg_buf_printf(out, "%s:%s\n", jg_kind_section(kind), defs->count ? "" : " {}");
        for (size_t i = 0; i < defs->count; i++) {
            bool empty = fields_of(&defs->items[i])->kind == JAEGER_FIELD_END;
            jg_buf_printf(out, "    %s:%s\n", defs->items[i].id, empty ? " {}" : "");
            jg_config_write_bound_yaml(out, fields_of(&defs->items[i]), defs->items[i].config, 8, redact);
        }
    }
    const jaeger_config *service = jaeger_config_get(sections->root, "service");
    jg_config_write_bound_yaml(out, service_field, &service, 0, redact);
}

static void print_json(const jg_sections *sections, bool redact, jg_buf *out)
{
    jg_buf_byte(out, '{');
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++) {
        const jg_defs *defs = &sections->defs[kind];
        jg_buf_printf(out, "\"%s\":{", jg_kind_section(kind));
        for (size_t i = 0; i < defs->count; i++) {
            jg_buf_printf(out, "%s\"%s\":", i ? "," : "", defs->items[i].id);
            jg_config_write_bound_json(out, fields_of(&defs->items[i]), defs->items[i].config, redact);
        }
        jg_buf_lit(out, "},");
    }
    const jaeger_config *service = jaeger_config_get(sections->root, "service");
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(out->max);
    jg_config_write_bound_json(&text, service_field, &service, redact);
    jg_buf_str(
        out, jg_str_skip(jg_buf_view(&text), 1)); /* {"service":...} without the brace: it ends our object */
    jg_buf_byte(out, '\n');
}

jaeger_status jg_command_print_config(const jg_cli *cli, const jg_sections *sections, jg_buf *out,
                                      jaeger_error *err)
{
    const char *mode = cli->mode ? cli->mode : "redacted", *format = cli->format ? cli->format : "yaml";
    bool redact = strcmp(mode, "unredacted") != 0;
    if (redact && strcmp(mode, "redacted") != 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "invalid mode \"%s\": must be one of redacted, unredacted", mode);
    if (strcmp(format, "json") == 0)
        print_json(sections, redact, out);
    else if (strcmp(format, "yaml") == 0)
        print_yaml(sections, redact, out);
    else
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unrecognized format: %s", format);
    return JAEGER_OK;
}
