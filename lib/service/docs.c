/* SPDX-License-Identifier: Apache-2.0
 * docs/components.md: what the field tables say, as one page. Nested blocks become keys with dots, so that
 * each key is one line that can be searched for.
 */
#include "core/str.h"
#include "pipeline/ids.h"
#include "service/cli.h"

#define DEPTH_MAX 12 /* blocks in blocks; a table that contains itself (and_sub_policy) ends here */

static const char *type_name(const jaeger_field *f)
{
    switch (f->kind) {
    case JAEGER_FIELD_BOOL:
        return "bool";
    case JAEGER_FIELD_I64:
    case JAEGER_FIELD_U64:
    case JAEGER_FIELD_U32:
        return "int";
    case JAEGER_FIELD_DOUBLE:
        return "number";
    case JAEGER_FIELD_DURATION:
        return "duration";
    case JAEGER_FIELD_STR:
        return "string";
    case JAEGER_FIELD_ENUM:
        return "choice";
    case JAEGER_FIELD_STRS:
        return "list";
    case JAEGER_FIELD_PAIRS:
        return "map";
    case JAEGER_FIELD_LIST:
        return "list of blocks";
    case JAEGER_FIELD_OPTIONAL_D:
        return "block; on if present";
    case JAEGER_FIELD_OPTIONAL_N:
        return "block; on if present and not null";
    case JAEGER_FIELD_OPTIONAL_S:
        return "block; on unless `enabled: false`";
    case JAEGER_FIELD_NODE:
        return "map or list";
    default:
        return "block";
    }
}

/* In a table cell, '|' ends the cell. */
static void write_cell(jg_buf *out, const char *text)
{
    for (const char *c = text; c && *c; c++) {
        if (*c == '|')
            jg_buf_byte(out, '\\');
        jg_buf_byte(out, (uint8_t)*c);
    }
}

static void write_row(jg_buf *out, const jaeger_field *f, const char *prefix)
{
    jg_buf_printf(out, "| `%s%s` | %s", prefix, f->name, type_name(f));
    if (f->choices) {
        jg_buf_lit(out, ": ");
        write_cell(out, f->choices);
    }
    jg_buf_lit(out, " | ");
    if (f->required) {
        jg_buf_lit(out, "*required*");
    } else if (f->fallback && *f->fallback) {
        jg_buf_byte(out, '`');
        write_cell(out, f->fallback);
        jg_buf_byte(out, '`');
    }
    jg_buf_lit(out, " | ");
    write_cell(out, f->doc);
    jg_buf_lit(out, " |\n");
}

/* Recursion: DEPTH_MAX levels. */
static void write_rows(jg_buf *out, const jaeger_field *fields, const char *prefix, unsigned depth)
{
    for (const jaeger_field *f = fields; f && f->kind != JAEGER_FIELD_END; f++) {
        if (f->kind == JAEGER_FIELD_SQUASH) {
            write_rows(out, f->sub, prefix, depth + 1);
            continue;
        }
        write_row(out, f, prefix);
        if (f->sub && depth < DEPTH_MAX) {
            JG_AUTO_BUF jg_buf longer = JG_BUF_INIT(1024);
            jg_buf_printf(&longer, "%s%s%s.", prefix, f->name, f->kind == JAEGER_FIELD_LIST ? "[]" : "");
            jg_buf_byte(&longer, 0);
            if (jg_buf_ok(&longer))
                write_rows(out, f->sub, (const char *)longer.data, depth + 1);
        }
    }
}

static void write_fields(jg_buf *out, const jaeger_field *fields)
{
    if (!fields || fields->kind == JAEGER_FIELD_END) {
        jg_buf_lit(out, "No keys.\n\n");
        return;
    }
    jg_buf_lit(out, "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n");
    write_rows(out, fields, "", 0);
    jg_buf_byte(out, '\n');
}

static void write_sentence(jg_buf *out, const char *doc)
{
    if (!doc || !*doc)
        return;
    jg_buf_byte(out, (uint8_t)(*doc >= 'a' && *doc <= 'z' ? *doc - 'a' + 'A' : *doc));
    jg_buf_printf(out, "%s%s\n\n", doc + 1, doc[strlen(doc) - 1] == '.' ? "" : ".");
}

void jg_docs_write(const jg_types *types, const jaeger_storage_driver *const *drivers, jg_buf *out)
{
    static const char *const titles[] = {"Receivers", "Processors", "Exporters", "Connectors", "Extensions"};
    const jaeger_component_type *type;
    jg_buf_lit(out, "# Components\n\nWritten by `jaeger-all-in-one docs` from the field tables in the code; "
                    "do not edit.\n\n");
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++) {
        jg_buf_printf(out, "## %s\n\n", titles[kind]);
        for (size_t i = 0; (type = jg_types_at(types, i)); i++) {
            if (type->kind != kind)
                continue;
            jg_buf_printf(out, "### %s\n\n", type->name);
            write_sentence(out, type->doc);
            write_fields(out, type->fields);
        }
    }
    jg_buf_lit(out, "## Storage\n\nKinds of `jaeger_storage.backends`.\n\n");
    for (; drivers && *drivers; drivers++) {
        jg_buf_printf(out, "### %s\n\n", (*drivers)->name);
        write_sentence(out, (*drivers)->doc);
        write_fields(out, (*drivers)->fields);
    }
    jg_buf_lit(out, "## service::telemetry\n\n");
    write_fields(out, jg_telemetry_fields);
}
