/* SPDX-License-Identifier: Apache-2.0
 * See sections.h. Decoding: sections, their components, the service section.
 */
#include "pipeline/sections.h"

#include "config/load.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "pipeline/ids.h"

#define COMPONENTS_MAX 4096 /* entries of one section; a larger file is a mistake */

/* Two names for one type; the first is the old one. */
static const struct alias {
    jaeger_kind kind;
    const char *old, *name;
} aliases[] = {
    {JAEGER_EXPORTER, "otlp", "otlp_grpc"},
    {JAEGER_EXPORTER, "otlphttp", "otlp_http"},
    {JAEGER_CONNECTOR, "spanmetrics", "span_metrics"},
};

typedef struct decoder {
    const jg_types *types;
    jaeger_arena *arena;
    jg_sections *sections;
    jg_report *report;
} decoder;

const jaeger_component_type *jg_types_at(const jg_types *types, size_t index)
{
    if (index < types->more_count)
        return types->more[index];
    index -= types->more_count;
    for (size_t i = 0; types->builtin && types->builtin[i]; i++)
        if (i == index)
            return types->builtin[i];
    return NULL;
}

static const jaeger_component_type *find_exact(const jg_types *types, jaeger_kind kind, jaeger_str name)
{
    const jaeger_component_type *type;
    for (size_t i = 0; (type = jg_types_at(types, i)); i++)
        if (type->kind == kind && jg_str_is(name, type->name))
            return type;
    return NULL;
}

const jaeger_component_type *jg_types_find(const jg_types *types, jaeger_kind kind, jaeger_str name,
                                           const char **ret_advice)
{
    const jaeger_component_type *type = find_exact(types, kind, name);
    const char *advice = NULL;
    for (size_t i = 0; i < JG_COUNT(aliases); i++) {
        const struct alias *a = &aliases[i];
        if (a->kind != kind)
            continue;
        if (jg_str_is(name, a->old)) {
            type = type ? type : find_exact(types, kind, jg_str(a->name));
            advice = a->name;
        } else if (jg_str_is(name, a->name) && !type) {
            type = find_exact(types, kind, jg_str(a->old));
        }
    }
    if (ret_advice)
        *ret_advice = advice;
    return type;
}

const jg_def *jg_sections_find(const jg_sections *sections, jaeger_kind kind, const char *id)
{
    const jg_defs *defs = &sections->defs[kind];
    for (size_t i = 0; i < defs->count; i++)
        if (strcmp(defs->items[i].id, id) == 0)
            return &defs->items[i];
    return NULL;
}

static void oom(decoder *d)
{
    jg_report_add(d->report, "out of memory");
}

static void fault_unknown_type(decoder *d, jaeger_kind kind, const jg_id *id, const char *where)
{
    JG_AUTO_BUF jg_buf names = JG_BUF_INIT(4096);
    const jaeger_component_type *type;
    for (size_t i = 0; (type = jg_types_at(d->types, i)); i++)
        if (type->kind == kind)
            jg_buf_printf(&names, "%s%s", names.len ? " " : "", type->name);
    jg_report_add(d->report, "'%s' unknown type: \"%.*s\" for id: \"%.*s\" (valid values: [%.*s]) (%s)",
                  jg_kind_section(kind), JAEGER_STR_ARGS(id->type), JAEGER_STR_ARGS(id->text),
                  JAEGER_STR_ARGS(jg_buf_view(&names)), where);
}

/* Entry `key: node` of a section: find the type, bind the body. */
static void decode_component(decoder *d, jaeger_kind kind, jaeger_str key, const jaeger_config *node)
{
    jaeger_error err = {0};
    jg_id id;
    const char *advice = NULL;
    jg_defs *defs = &d->sections->defs[kind];
    if (jg_id_parse(key, &id, &err) != JAEGER_OK) {
        jg_report_add(d->report, "'%s' %s (%s)", jg_kind_section(kind), err.message,
                      jaeger_config_where(node));
        return;
    }
    const jaeger_component_type *type = jg_types_find(d->types, kind, id.type, &advice);
    if (!type) {
        fault_unknown_type(d, kind, &id, jaeger_config_where(node));
        return;
    }
    const char *text = jg_str_z(d->arena, id.text);
    void *config = jg_arena_zalloc(d->arena, type->config_size ? type->config_size : 1);
    jg_def *grown = jg_arena_grow(d->arena, defs->items, defs->count, &defs->cap, sizeof *defs->items);
    if (!text || !config || !grown) {
        oom(d);
        return;
    }
    defs->items = grown;
    if (jg_sections_find(d->sections, kind, text)) {
        jg_report_add(d->report, "'%s' duplicate name \"%s\" after trimming spaces (%s)",
                      jg_kind_section(kind), text, jaeger_config_where(node));
        return;
    }
    static const jaeger_field no_fields[] = {{0}};
    if (jaeger_config_bind(node, type->fields ? type->fields : no_fields, config, &err) != JAEGER_OK)
        jg_report_add(d->report, "'%s' error reading configuration for \"%s\": %s", jg_kind_section(kind),
                      text, err.message);
    defs->items[defs->count++] =
        (jg_def){.id = text, .type = type, .node = node, .config = config, .use_instead = advice};
}

static bool is_map_or_null(decoder *d, const jaeger_config *node, const char *what)
{
    jaeger_config_type type = jaeger_config_kind(node);
    if (type == JAEGER_CONFIG_MAP || type == JAEGER_CONFIG_NULL)
        return true;
    jg_report_add(d->report, "'%s' expected a map, got '%s' (%s)", what,
                  type == JAEGER_CONFIG_LIST ? "slice" : "string", jaeger_config_where(node));
    return false;
}

static void decode_section(decoder *d, jaeger_kind kind, const jaeger_config *node)
{
    if (!is_map_or_null(d, node, jg_kind_section(kind)))
        return;
    size_t count = jaeger_config_count(node);
    if (count > COMPONENTS_MAX) {
        jg_report_add(d->report, "'%s' has more than %d entries", jg_kind_section(kind), COMPONENTS_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        jaeger_str key;
        const jaeger_config *entry = jaeger_config_at(node, i, &key);
        decode_component(d, kind, key, entry);
    }
}

/* Ids of a list, trimmed; they need not exist yet. */
static const char **decode_ids(decoder *d, const jaeger_str_list *list, const jaeger_config *node)
{
    const char **ids = jg_arena_zalloc(d->arena, (list->count + 1) * sizeof *ids);
    for (size_t i = 0; ids && i < list->count; i++) {
        jaeger_error err = {0};
        jg_id id;
        if (jg_id_parse(list->items[i], &id, &err) != JAEGER_OK)
            jg_report_add(d->report, "'%s' %s (%s)", jaeger_config_path(node), err.message,
                          jaeger_config_where(node));
        else if (!(ids[i] = jg_str_z(d->arena, id.text)))
            ids = NULL;
        else
            continue;
        if (ids)
            ids[i] = "";
    }
    if (!ids)
        oom(d);
    return ids;
}

typedef struct pipeline_config {
    jaeger_str_list receivers, processors, exporters;
} pipeline_config;

static const jaeger_field pipeline_fields[] = {{.name = "receivers",
                                                .kind = JAEGER_FIELD_STRS,
                                                .offset = offsetof(pipeline_config, receivers),
                                                .doc = "where data comes from"},
                                               {.name = "processors",
                                                .kind = JAEGER_FIELD_STRS,
                                                .offset = offsetof(pipeline_config, processors),
                                                .doc = "what happens to it, in this order"},
                                               {.name = "exporters",
                                                .kind = JAEGER_FIELD_STRS,
                                                .offset = offsetof(pipeline_config, exporters),
                                                .doc = "where it goes"},
                                               {0}};

static void decode_pipeline(decoder *d, jaeger_str key, const jaeger_config *node)
{
    jaeger_error err = {0};
    jg_id id;
    pipeline_config config;
    jg_sections *s = d->sections;
    if (jg_id_parse(key, &id, &err) != JAEGER_OK) {
        jg_report_add(d->report, "'service::pipelines' %s (%s)", err.message, jaeger_config_where(node));
        return;
    }
    uint32_t signal = jg_signal_parse(id.type);
    if (!signal) {
        jg_report_add(d->report, "'service::pipelines' unknown pipeline signal: \"%.*s\" (%s)",
                      JAEGER_STR_ARGS(id.type), jaeger_config_where(node));
        return;
    }
    if (jaeger_config_bind(node, pipeline_fields, &config, &err) != JAEGER_OK) {
        jg_report_add(d->report, "%s", err.message);
        return;
    }
    jg_pipeline_def *grown =
        jg_arena_grow(d->arena, s->pipelines, s->pipeline_count, &s->pipeline_cap, sizeof *s->pipelines);
    const char *name = jg_str_z(d->arena, id.text);
    if (!grown || !name) {
        oom(d);
        return;
    }
    s->pipelines = grown;
    for (size_t i = 0; i < s->pipeline_count; i++)
        if (strcmp(s->pipelines[i].name, name) == 0)
            jg_report_add(d->report, "'service::pipelines' duplicate name \"%s\" after trimming spaces (%s)",
                          name, jaeger_config_where(node));
    s->pipelines[s->pipeline_count++] = (jg_pipeline_def){
        .name = name,
        .signal = signal,
        .node = node,
        .receivers = decode_ids(d, &config.receivers, node),
        .processors = decode_ids(d, &config.processors, node),
        .exporters = decode_ids(d, &config.exporters, node),
        .receiver_count = config.receivers.count,
        .processor_count = config.processors.count,
        .exporter_count = config.exporters.count,
    };
}

typedef struct service_config {
    jaeger_str_list extensions;
    const jaeger_config *pipelines, *telemetry;
} service_config;

static const jaeger_field service_fields[] = {{.name = "extensions",
                                               .kind = JAEGER_FIELD_STRS,
                                               .offset = offsetof(service_config, extensions),
                                               .doc = "extensions to start"},
                                              {.name = "pipelines",
                                               .kind = JAEGER_FIELD_NODE,
                                               .offset = offsetof(service_config, pipelines),
                                               .doc = "pipelines by signal[/name]"},
                                              {.name = "telemetry",
                                               .kind = JAEGER_FIELD_NODE,
                                               .offset = offsetof(service_config, telemetry),
                                               .doc = "logs and metrics of the service itself"},
                                              {0}};

static void decode_service(decoder *d, const jaeger_config *node)
{
    jaeger_error err = {0};
    service_config config;
    if (!is_map_or_null(d, node, "service"))
        return;
    if (jaeger_config_bind(node, service_fields, &config, &err) != JAEGER_OK) {
        jg_report_add(d->report, "%s", err.message);
        return;
    }
    d->sections->telemetry = config.telemetry;
    d->sections->extensions = decode_ids(d, &config.extensions, node);
    d->sections->extension_count = config.extensions.count;
    if (!is_map_or_null(d, config.pipelines, "service::pipelines"))
        return;
    size_t count = jaeger_config_count(config.pipelines);
    for (size_t i = 0; i < count && i < COMPONENTS_MAX; i++) {
        jaeger_str key;
        const jaeger_config *entry = jaeger_config_at(config.pipelines, i, &key);
        decode_pipeline(d, key, entry);
    }
}

static void decode_root(decoder *d, const jaeger_config *root)
{
    JG_AUTO_BUF jg_buf unknown = JG_BUF_INIT(2048);
    const char *where = NULL;
    for (size_t i = 0; i < jaeger_config_count(root); i++) {
        jaeger_str key;
        const jaeger_config *node = jaeger_config_at(root, i, &key);
        jaeger_kind kind = JAEGER_RECEIVER;
        while (kind < JG_KINDS && !jg_str_is(key, jg_kind_section(kind)))
            kind++;
        if (kind < JG_KINDS) {
            decode_section(d, kind, node);
        } else if (jg_str_is(key, "service")) {
            decode_service(d, node);
        } else {
            jg_buf_printf(&unknown, "%s%.*s", unknown.len ? ", " : "", JAEGER_STR_ARGS(key));
            where = where ? where : jaeger_config_where(node);
        }
    }
    if (where)
        jg_report_add(d->report, "'otelcol.configSettings' has invalid keys: %.*s (%s)",
                      JAEGER_STR_ARGS(jg_buf_view(&unknown)), where);
}

void jg_sections_warn(const jg_sections *sections, const jaeger_logger *log)
{
    for (jaeger_kind kind = JAEGER_RECEIVER; kind < JG_KINDS; kind++)
        for (size_t i = 0; i < sections->defs[kind].count; i++) {
            const jg_def *def = &sections->defs[kind].items[i];
            if (def->use_instead)
                jaeger_log(log, JAEGER_WARN, "\"%.*s\" alias is deprecated; use \"%s\" instead component=%s",
                           (int)strcspn(def->id, "/"), def->id, def->use_instead, def->id);
        }
}

bool jg_sections_decode(const jaeger_config *root, const jg_types *types, jaeger_arena *arena,
                        jg_sections *ret, jg_report *report)
{
    *ret = (jg_sections){.root = root};
    decoder d = {types, arena, ret, report};
    if (root && is_map_or_null(&d, root, "configuration"))
        decode_root(&d, root);
    report->stage = JG_FAULT_DECODE;
    return !report->count;
}
