/* SPDX-License-Identifier: Apache-2.0
 * See sections.h. Validation: what must be there, and that every name means something.
 */
#include "config/load.h"
#include "core/err.h"
#include "core/str.h"
#include "pipeline/ids.h"
#include "pipeline/sections.h"
#include <string.h>

static void fault_at(jg_report *report, const jaeger_config *node, const char *path, const char *text)
{
    if (node)
        jg_report_add(report, "%s: %s (%s)", jaeger_config_path(node), text, jaeger_config_where(node));
    else
        jg_report_add(report, "%s: %s", path, text);
}

static bool defined(const jg_sections *s, jaeger_kind kind, const char *id)
{
    return jg_sections_find(s, kind, id) || ((kind == JAEGER_RECEIVER || kind == JAEGER_EXPORTER) &&
                                             jg_sections_find(s, JAEGER_CONNECTOR, id));
}

static void check_references(const jg_sections *s, const jg_pipeline_def *p, jaeger_kind kind,
                             const char *const *ids, size_t count, jg_report *report)
{
    jaeger_error err;
    for (size_t i = 0; i < count; i++) {
        if (!defined(s, kind, ids[i])) {
            (void)jg_fail(&err, JAEGER_INVALID_ARGUMENT, "references %s \"%s\" which is not configured",
                          jg_kind_name(kind), ids[i]);
            fault_at(report, p->node, p->name, err.message);
        }
        for (size_t k = 0; kind == JAEGER_PROCESSOR && k < i; k++)
            if (strcmp(ids[i], ids[k]) == 0) {
                (void)jg_fail(&err, JAEGER_INVALID_ARGUMENT, "references processor \"%s\" multiple times",
                              ids[i]);
                fault_at(report, p->node, p->name, err.message);
                break;
            }
    }
}

static void check_pipeline(const jg_sections *s, const jg_pipeline_def *p, jg_report *report)
{
    if (!p->receiver_count)
        fault_at(report, p->node, p->name, "must have at least one receiver");
    if (!p->exporter_count)
        fault_at(report, p->node, p->name, "must have at least one exporter");
    check_references(s, p, JAEGER_RECEIVER, p->receivers, p->receiver_count, report);
    check_references(s, p, JAEGER_PROCESSOR, p->processors, p->processor_count, report);
    check_references(s, p, JAEGER_EXPORTER, p->exporters, p->exporter_count, report);
}

static void check_connector_ids(const jg_sections *s, jg_report *report)
{
    static const jaeger_kind others[] = {JAEGER_EXPORTER, JAEGER_RECEIVER};
    const jg_defs *connectors = &s->defs[JAEGER_CONNECTOR];
    for (size_t i = 0; i < connectors->count; i++)
        for (size_t k = 0; k < JG_COUNT(others); k++) {
            const char *id = connectors->items[i].id, *kind = jg_kind_name(others[k]);
            if (jg_sections_find(s, others[k], id))
                jg_report_add(
                    report,
                    "connectors::%s: ambiguous ID: Found both \"%s\" %s and \"%s\" connector. Change one of "
                    "the ids, e.g. to \"%s/connector\" (%s)",
                    id, id, kind, id, id, jaeger_config_where(connectors->items[i].node));
        }
}

/* Does the text name a line of the node's file, or has the node none? */
static bool tells_where(const char *text, const jaeger_config *node)
{
    const char *where = node ? jaeger_config_where(node) : "", *colon = strrchr(where, ':');
    return !colon || memmem(text, strlen(text), where, (size_t)(colon + 1 - where));
}

static void check_components(const jg_sections *s, jg_report *report)
{
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++)
        for (size_t i = 0; i < s->defs[kind].count; i++) {
            const jg_def *def = &s->defs[kind].items[i];
            jaeger_error err = {0};
            if (!def->type->validate || def->type->validate(def->config, def->node, &err) == JAEGER_OK)
                continue;
            if (tells_where(err.message, def->node))
                jg_report_add(report, "%s", err.message);
            else
                jg_report_add(report, "%s (%s)", err.message, jaeger_config_where(def->node));
        }
}

/* ---- what components need of extensions ---- */

static bool is_listed(const jg_sections *s, jaeger_str id)
{
    for (size_t i = 0; i < s->extension_count; i++)
        if (jg_str_is(id, s->extensions[i]))
            return true;
    return false;
}

/* Every `auth: {authenticator: x}` below a node names an extension. */
static void check_authenticators(const jg_sections *s, const jaeger_config *node, jg_report *report)
{
    for (size_t i = 0; i < jaeger_config_count(node); i++) {
        jaeger_str key = {0};
        const jaeger_config *at = jaeger_config_at(node, i, &key);
        jaeger_str name = jaeger_config_text(jaeger_config_get(at, "authenticator"));
        if (jg_str_is(key, "auth") && name.len && !is_listed(s, name)) {
            jaeger_error err;
            (void)jg_fail(
                &err, JAEGER_INVALID_ARGUMENT,
                "failed to resolve authenticator \"%.*s\": authenticator not found in service::extensions",
                JAEGER_STR_ARGS(name));
            fault_at(report, at, "", err.message);
        }
        check_authenticators(s, at, report); /* as deep as the configuration, which has a bound */
    }
}

static void check_needs(const jg_sections *s, jaeger_kind kind, const char *id, jg_report *report)
{
    const jg_def *def = jg_sections_find(s, kind, id);
    if (!def)
        return;
    check_authenticators(s, def->node, report);
    for (const char *const *need = def->type->depends; need && *need; need++) {
        jaeger_error err;
        if (**need == '?' || is_listed(s, jg_str(*need)))
            continue;
        (void)jg_fail(&err, JAEGER_INVALID_ARGUMENT,
                      "failed to build %ss: unable to find extension %s on which %s %s depends",
                      jg_kind_name(kind), *need, jg_kind_name(kind), id);
        if (def->node)
            jg_report_add(report, "%s (%s)", err.message, jaeger_config_where(def->node));
        else
            jg_report_add(report, "%s", err.message);
    }
}

/* Of what runs: what is only defined may miss its extension. */
static void check_all_needs(const jg_sections *s, jg_report *report)
{
    for (size_t i = 0; i < s->extension_count; i++)
        check_needs(s, JAEGER_EXTENSION, s->extensions[i], report);
    for (size_t i = 0; i < s->pipeline_count; i++) {
        const jg_pipeline_def *p = &s->pipelines[i];
        for (size_t k = 0; k < p->receiver_count; k++)
            check_needs(s, JAEGER_RECEIVER, p->receivers[k], report);
        for (size_t k = 0; k < p->processor_count; k++)
            check_needs(s, JAEGER_PROCESSOR, p->processors[k], report);
        for (size_t k = 0; k < p->exporter_count; k++)
            check_needs(s, JAEGER_EXPORTER, p->exporters[k], report);
    }
}

static bool is_empty(const jg_sections *s)
{
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++)
        if (s->defs[kind].count)
            return false;
    return !s->pipeline_count && !s->extension_count && !s->telemetry;
}

void jg_sections_validate(const jg_sections *s, bool allow_no_pipelines, jg_report *report)
{
    report->stage = JG_FAULT_VALIDATE;
    if (is_empty(s)) {
        jg_report_add(report, "empty configuration file");
        return;
    }
    size_t connectors = s->defs[JAEGER_CONNECTOR].count;
    bool needed = !allow_no_pipelines || s->pipeline_count;
    if (needed && !s->defs[JAEGER_RECEIVER].count && !connectors)
        jg_report_add(report, "no receiver configuration specified in config");
    if (needed && !s->defs[JAEGER_EXPORTER].count && !connectors)
        jg_report_add(report, "no exporter configuration specified in config");
    check_components(s, report);
    check_connector_ids(s, report);
    for (size_t i = 0; i < s->extension_count; i++)
        if (!jg_sections_find(s, JAEGER_EXTENSION, s->extensions[i]))
            jg_report_add(report,
                          "service::extensions: references extension \"%s\" which is not configured (%s)",
                          s->extensions[i], jaeger_config_where(jaeger_config_get(s->root, "service")));
    if (needed && !s->pipeline_count)
        jg_report_add(report, "service::pipelines: service must have at least one pipeline");
    for (size_t i = 0; i < s->pipeline_count; i++)
        check_pipeline(s, &s->pipelines[i], report);
    check_all_needs(s, report);
}
