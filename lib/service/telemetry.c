/* SPDX-License-Identifier: Apache-2.0
 * See telemetry.h. This file reads the section; exposition.c serves the metrics.
 */
#include "service/telemetry_decode.h"

#include "config/load.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include "core/uuid.h"

typedef struct logs_config {
    jaeger_str level;
    bool development, disable_caller, disable_stacktrace, disable_zap_resource;
    int encoding;
    struct {
        bool enabled;
        uint64_t tick_ns, initial, thereafter;
    } sampling;
    jaeger_str_list output_paths, error_output_paths;
    const jaeger_config *initial_fields, *processors;
} logs_config;

typedef struct metrics_config {
    int level;
    const jaeger_config *readers, *views;
} metrics_config;

typedef struct telemetry_config {
    logs_config logs;
    metrics_config metrics;
    const jaeger_config *traces, *resource;
} telemetry_config;

#define SAMPLING(member) offsetof(logs_config, sampling.member) - offsetof(logs_config, sampling)

static const jaeger_field sampling_fields[] = {{.name = "enabled",
                                                .kind = JAEGER_FIELD_BOOL,
                                                .offset = SAMPLING(enabled),
                                                .fallback = "true",
                                                .doc = "drop repeats of a line"},
                                               {.name = "tick",
                                                .kind = JAEGER_FIELD_DURATION,
                                                .offset = SAMPLING(tick_ns),
                                                .fallback = "10s",
                                                .doc = "window in which lines are counted"},
                                               {.name = "initial",
                                                .kind = JAEGER_FIELD_U64,
                                                .offset = SAMPLING(initial),
                                                .fallback = "10",
                                                .doc = "lines of one kind that are kept in each window"},
                                               {.name = "thereafter",
                                                .kind = JAEGER_FIELD_U64,
                                                .offset = SAMPLING(thereafter),
                                                .fallback = "100",
                                                .doc = "then every n-th"},
                                               {0}};

static const jaeger_field logs_fields[] = {
    {.name = "level",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(logs_config, level),
     .fallback = "info",
     .doc = "debug, info, warn, error (dpanic, panic, fatal: as error)"},
    {.name = "development",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(logs_config, development),
     .doc = "accepted for compatibility"},
    {.name = "encoding",
     .kind = JAEGER_FIELD_ENUM,
     .offset = offsetof(logs_config, encoding),
     .fallback = "console",
     .choices = "console|json",
     .doc = "form of a line"},
    {.name = "disable_caller",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(logs_config, disable_caller),
     .doc = "accepted for compatibility"},
    {.name = "disable_stacktrace",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(logs_config, disable_stacktrace),
     .doc = "accepted for compatibility"},
    {.name = "sampling",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(logs_config, sampling),
     .sub = sampling_fields,
     .sub_size = sizeof(((logs_config *)0)->sampling),
     .doc = "how repeats are dropped"},
    {.name = "output_paths",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(logs_config, output_paths),
     .fallback = "stderr",
     .doc = "stderr, stdout, files"},
    {.name = "error_output_paths",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(logs_config, error_output_paths),
     .fallback = "stderr",
     .doc = "accepted for compatibility"},
    {.name = "initial_fields",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(logs_config, initial_fields),
     .doc = "members added to every line"},
    {.name = "processors",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(logs_config, processors),
     .doc = "accepted for compatibility: logs are not exported"},
    {.name = "disable_zap_resource",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(logs_config, disable_zap_resource),
     .doc = "leave the resource out of JSON lines"},
    {0}};

static const jaeger_field metrics_fields[] = {
    {.name = "level",
     .kind = JAEGER_FIELD_ENUM,
     .offset = offsetof(metrics_config, level),
     .fallback = "normal",
     .choices = "none|basic|normal|detailed",
     .doc = "how much is measured"},
    {.name = "readers",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(metrics_config, readers),
     .doc = "who reads the metrics; default: Prometheus on localhost:8888"},
    {.name = "views",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(metrics_config, views),
     .doc = "accepted for compatibility"},
    {0}};

const jaeger_field jg_telemetry_fields[] = {{.name = "logs",
                                             .kind = JAEGER_FIELD_BLOCK,
                                             .offset = offsetof(telemetry_config, logs),
                                             .sub = logs_fields,
                                             .sub_size = sizeof(logs_config),
                                             .doc = "log lines"},
                                            {.name = "metrics",
                                             .kind = JAEGER_FIELD_BLOCK,
                                             .offset = offsetof(telemetry_config, metrics),
                                             .sub = metrics_fields,
                                             .sub_size = sizeof(metrics_config),
                                             .doc = "metrics of the service itself"},
                                            {.name = "traces",
                                             .kind = JAEGER_FIELD_NODE,
                                             .offset = offsetof(telemetry_config, traces),
                                             .doc = "spans of the service itself: processors, sampler, "
                                                    "propagators; off without processors"},
                                            {.name = "resource",
                                             .kind = JAEGER_FIELD_NODE,
                                             .offset = offsetof(telemetry_config, resource),
                                             .doc = "attributes of the service; null removes a default"},
                                            {0}};

static const jaeger_field constant_label_fields[] = {
    {.name = "included",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(jg_pull_reader, with_resource_constant_labels.included) -
               offsetof(jg_pull_reader, with_resource_constant_labels),
     .doc = "resource attributes that become labels; * at the end matches the rest"},
    {.name = "excluded",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(jg_pull_reader, with_resource_constant_labels.excluded) -
               offsetof(jg_pull_reader, with_resource_constant_labels),
     .doc = "and those that do not"},
    {0}};

static const jaeger_field prometheus_fields[] = {
    {.name = "host",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_pull_reader, host),
     .fallback = "localhost",
     .doc = "address to listen on"},
    {.name = "port",
     .kind = JAEGER_FIELD_U64,
     .offset = offsetof(jg_pull_reader, port),
     .fallback = "8888",
     .doc = "port to listen on"},
    {.name = "with_resource_constant_labels",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(jg_pull_reader, with_resource_constant_labels),
     .sub = constant_label_fields,
     .sub_size = sizeof(((jg_pull_reader *)0)->with_resource_constant_labels),
     .doc = "labels of every series"},
    {.name = "without_scope_info",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(jg_pull_reader, without_scope_info),
     .fallback = "true",
     .doc = "false: label otel_scope_name"},
    {.name = "without_type_suffix",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(jg_pull_reader, without_type_suffix),
     .fallback = "true",
     .doc = "false: counters end in _total"},
    {.name = "without_units",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(jg_pull_reader, without_units),
     .fallback = "true",
     .doc = "false: names end in their unit"},
    {0}};

typedef jg_telemetry_decoder decoder;

void jg_telemetry_fault(decoder *d, const jaeger_config *node, const char *text)
{
    jg_report_add(d->report, "%s: %s (%s)", jaeger_config_path(node), text, jaeger_config_where(node));
}

bool jg_telemetry_bind(decoder *d, const jaeger_config *node, const jaeger_field *fields, void *ret)
{
    jaeger_error err;
    if (jaeger_config_bind(node, fields, ret, &err) == JAEGER_OK)
        return true;
    jg_report_add(d->report, "%s", err.message);
    return false;
}

static void decode_level(decoder *d, const jaeger_config *node, jaeger_str text)
{
    static const struct {
        const char *name;
        jaeger_level level;
    } levels[] = {{"debug", JAEGER_DEBUG},  {"info", JAEGER_INFO},   {"warn", JAEGER_WARN},
                  {"warning", JAEGER_WARN}, {"error", JAEGER_ERROR}, {"dpanic", JAEGER_ERROR},
                  {"panic", JAEGER_ERROR},  {"fatal", JAEGER_ERROR}};
    for (size_t i = 0; i < JG_COUNT(levels); i++)
        if (jg_str_eq_nocase(text, jg_str(levels[i].name))) {
            d->t->level = levels[i].level;
            return;
        }
    jg_report_add(d->report, "service::telemetry::logs::level: unrecognized level: \"%.*s\" (%s)",
                  JAEGER_STR_ARGS(text), jaeger_config_where(node));
}

/* ---- readers
 * ------------------------------------------------------------------------------------------------------ */

bool jg_telemetry_only_keys(decoder *d, const jaeger_config *node, const char *const *keys)
{
    for (size_t i = 0; i < jaeger_config_count(node); i++) {
        jaeger_str key;
        const jaeger_config *at = jaeger_config_at(node, i, &key);
        size_t k = 0;
        while (keys[k] && !jg_str_is(key, keys[k]))
            k++;
        if (!keys[k]) {
            jg_report_add(d->report, "'%s' has invalid keys: %.*s (%s)", jaeger_config_path(node),
                          JAEGER_STR_ARGS(key), jaeger_config_where(at));
            return false;
        }
    }
    return true;
}

static void decode_pull(decoder *d, const jaeger_config *pull)
{
    static const char *const pull_keys[] = {"exporter", "producers", "cardinality_limits", NULL};
    static const char *const exporter_keys[] = {"prometheus", "prometheus/development", NULL};
    jaeger_error err;
    const jaeger_config *exporter = jaeger_config_get(pull, "exporter");
    if (!jg_telemetry_only_keys(d, pull, pull_keys) || !jg_telemetry_only_keys(d, exporter, exporter_keys))
        return;
    const jaeger_config *prometheus = jaeger_config_get(exporter, "prometheus");
    if (!prometheus)
        prometheus = jaeger_config_get(exporter, "prometheus/development");
    if (!prometheus) {
        jg_telemetry_fault(d, pull, "no valid exporter: a pull reader needs exporter::prometheus");
        return;
    }
    jg_pull_reader *reader = &d->t->readers[d->t->reader_count];
    if (jaeger_config_bind(prometheus, prometheus_fields, reader, &err) != JAEGER_OK)
        jg_report_add(d->report, "%s", err.message);
    else if (reader->port > 65535)
        jg_telemetry_fault(d, prometheus, "port must be at most 65535");
    else
        d->t->reader_count++;
}

#define PUSH(member) .offset = offsetof(jg_push_reader, member)
const jaeger_field jg_telemetry_otlp_fields[] = {
    {.name = "endpoint", .kind = JAEGER_FIELD_STR, PUSH(endpoint), .required = true},
    {.name = "protocol",
     .kind = JAEGER_FIELD_ENUM,
     PUSH(protocol),
     .fallback = "http/protobuf",
     .choices = "http/protobuf|grpc"},
    {.name = "certificate", .kind = JAEGER_FIELD_STR, PUSH(certificate)},
    {.name = "client_certificate", .kind = JAEGER_FIELD_STR, PUSH(client_certificate)},
    {.name = "client_key", .kind = JAEGER_FIELD_STR, PUSH(client_key)},
    {.name = "headers", .kind = JAEGER_FIELD_PAIRS, PUSH(headers)},
    {.name = "headers_list", .kind = JAEGER_FIELD_STR, PUSH(headers_list)},
    {.name = "compression",
     .kind = JAEGER_FIELD_ENUM,
     PUSH(compression),
     .fallback = "none",
     .choices = "none|gzip"},
    {.name = "temporality_preference",
     .kind = JAEGER_FIELD_ENUM,
     PUSH(temporality),
     .fallback = "cumulative",
     .choices = "cumulative|delta|lowmemory"},
    {.name = "default_histogram_aggregation",
     .kind = JAEGER_FIELD_ENUM,
     PUSH(aggregation),
     .fallback = "explicit_bucket_histogram",
     .choices = "explicit_bucket_histogram"},
    {.name = "insecure", .kind = JAEGER_FIELD_BOOL, PUSH(insecure)},
    {.name = "timeout", .kind = JAEGER_FIELD_U64, PUSH(timeout_ms), .fallback = "10000"},
    {0}};

static const jaeger_field console_fields[] = {{.name = "temporality_preference",
                                               .kind = JAEGER_FIELD_ENUM,
                                               PUSH(temporality),
                                               .fallback = "cumulative",
                                               .choices = "cumulative|delta|lowmemory"},
                                              {.name = "default_histogram_aggregation",
                                               .kind = JAEGER_FIELD_ENUM,
                                               PUSH(aggregation),
                                               .fallback = "explicit_bucket_histogram",
                                               .choices = "explicit_bucket_histogram"},
                                              {0}};

typedef struct periodic_config {
    uint64_t interval_ms, timeout_ms;
    const jaeger_config *exporter, *producers, *cardinality_limits;
} periodic_config;
#define PERIODIC(member) .offset = offsetof(periodic_config, member)
static const jaeger_field periodic_fields[] = {
    {.name = "interval", .kind = JAEGER_FIELD_U64, PERIODIC(interval_ms), .fallback = "60000"},
    {.name = "timeout", .kind = JAEGER_FIELD_U64, PERIODIC(timeout_ms), .fallback = "30000"},
    {.name = "exporter", .kind = JAEGER_FIELD_NODE, PERIODIC(exporter)},
    {.name = "producers", .kind = JAEGER_FIELD_NODE, PERIODIC(producers)},
    {.name = "cardinality_limits", .kind = JAEGER_FIELD_NODE, PERIODIC(cardinality_limits)},
    {0}};

static void decode_periodic(decoder *d, const jaeger_config *node)
{
    static const char *const exporter_keys[] = {"otlp", "console", NULL};
    jaeger_error err;
    periodic_config c;
    if (jaeger_config_bind(node, periodic_fields, &c, &err) != JAEGER_OK) {
        jg_report_add(d->report, "%s", err.message);
        return;
    }
    const jaeger_config *otlp = jaeger_config_get(c.exporter, "otlp"),
                        *console = jaeger_config_get(c.exporter, "console");
    jg_push_reader *reader = &d->t->pushes[d->t->push_count];
    if (!jg_telemetry_only_keys(d, c.exporter, exporter_keys))
        return;
    if (!otlp == !console)
        jg_telemetry_fault(d, node,
                           "no valid exporter: a periodic reader needs exporter::otlp or exporter::console");
    else if (!c.interval_ms)
        jg_telemetry_fault(d, node, "interval must be positive");
    else if (d->t->push_count == JG_PUSH_READERS_MAX)
        jg_telemetry_fault(d, node, "too many periodic readers");
    else if (jg_telemetry_bind(d, otlp ? otlp : console, otlp ? jg_telemetry_otlp_fields : console_fields,
                               reader)) {
        reader->interval_ms = c.interval_ms;
        reader->console = console != NULL;
        d->t->push_count++;
    }
}

static void decode_readers(decoder *d, const jaeger_config *readers)
{
    static const char *const keys[] = {"pull", "periodic", NULL};
    size_t count = jaeger_config_count(readers);
    for (size_t i = 0; i < count; i++) {
        const jaeger_config *reader = jaeger_config_at(readers, i, NULL);
        if (!jg_telemetry_only_keys(d, reader, keys))
            continue;
        if (d->t->reader_count == JG_PULL_READERS_MAX)
            jg_telemetry_fault(d, reader, "too many pull readers");
        else if (jaeger_config_get(reader, "pull"))
            decode_pull(d, jaeger_config_get(reader, "pull"));
        else if (jaeger_config_get(reader, "periodic"))
            decode_periodic(d, jaeger_config_get(reader, "periodic"));
        else
            jg_telemetry_fault(d, reader, "must have pull or periodic");
    }
    if (!count && d->t->metrics_level != JG_METRICS_NONE)
        jg_telemetry_fault(d, readers,
                           "collector telemetry metrics reader should exist when metric level is not none");
}

static void decode_metrics(decoder *d, const metrics_config *config)
{
    d->t->metrics_level = (jg_metrics_level)config->level;
    if (config->readers && jaeger_config_kind(config->readers) != JAEGER_CONFIG_NULL) {
        decode_readers(d, config->readers);
    } else {
        jaeger_error err;
        if (jaeger_config_bind(NULL, prometheus_fields, &d->t->readers[0], &err) == JAEGER_OK)
            d->t->reader_count = 1;
        else
            jg_report_add(d->report, "%s", err.message);
    }
    if (d->t->metrics_level == JG_METRICS_NONE)
        d->t->reader_count = d->t->push_count = 0;
    if (config->views && d->t->metrics_level != JG_METRICS_DETAILED)
        jg_telemetry_fault(d, config->views, "views can only be set when level is detailed");
}

/* ---- resource
 * ----------------------------------------------------------------------------------------------------- */

static void set_attribute(decoder *d, const jaeger_config *node, jaeger_str key, jaeger_str value)
{
    jg_telemetry *t = d->t;
    size_t i = 0;
    while (i < t->resource_count && !jg_str_eq(t->resource[i].key, key))
        i++;
    if (i == JG_RESOURCE_ATTRIBUTES_MAX)
        jg_telemetry_fault(d, node, "too many attributes");
    else
        t->resource[i] = (jaeger_pair){key, value};
    if (i == t->resource_count && i < JG_RESOURCE_ATTRIBUTES_MAX)
        t->resource_count++;
}

static void remove_attribute(jg_telemetry *t, jaeger_str key)
{
    for (size_t i = 0; i < t->resource_count; i++)
        if (jg_str_eq(t->resource[i].key, key)) {
            memmove(t->resource + i, t->resource + i + 1, (--t->resource_count - i) * sizeof *t->resource);
            return;
        }
}

static void decode_attribute_list(decoder *d, const jaeger_config *list)
{
    for (size_t i = 0; i < jaeger_config_count(list); i++) {
        const jaeger_config *item = jaeger_config_at(list, i, NULL);
        jaeger_str name = jaeger_config_text(jaeger_config_get(item, "name"));
        if (name.len)
            set_attribute(d, item, name, jaeger_config_text(jaeger_config_get(item, "value")));
        else
            jg_telemetry_fault(d, item, "an attribute needs a name");
    }
}

static void decode_resource(decoder *d, const jaeger_config *node)
{
    const jaeger_config *list = jaeger_config_get(node, "attributes");
    if (jaeger_config_kind(list) == JAEGER_CONFIG_LIST) {
        static const char *const keys[] = {"attributes", "schema_url", "detectors", "attributes_list", NULL};
        if (jg_telemetry_only_keys(d, node, keys))
            decode_attribute_list(d, list);
        return;
    }
    for (size_t i = 0; i < jaeger_config_count(node); i++) {
        jaeger_str key;
        const jaeger_config *value = jaeger_config_at(node, i, &key);
        if (jg_str_is(key, "schema_url") || jg_str_is(key, "detectors"))
            continue;
        if (jaeger_config_kind(value) == JAEGER_CONFIG_NULL)
            remove_attribute(d->t, key);
        else if (jaeger_config_kind(value) == JAEGER_CONFIG_SCALAR)
            set_attribute(d, value, key, jaeger_config_text(value));
        else
            jg_telemetry_fault(d, value, "must be a string or null");
    }
}

static jaeger_str new_instance_id(jaeger_arena *arena)
{
    char text[JG_UUID_CHARS + 1];
    jg_uuid_make(text);
    return jaeger_arena_str(arena, (jaeger_str){text, JG_UUID_CHARS});
}

/* ---- log fields
 * --------------------------------------------------------------------------------------------------- */

static void write_member(jg_json_out *json, jaeger_str key, const jaeger_config *value)
{
    jg_json_key(json, key);
    jg_json_str(json, jaeger_config_text(value));
}

/* {"a":"b",...} without the braces. */
static jaeger_str log_fields(decoder *d, const logs_config *config)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(16u << 10);
    jg_json_out json = JG_JSON_OUT_INIT(&text);
    jg_json_object(&json);
    for (size_t i = 0; i < jaeger_config_count(config->initial_fields); i++) {
        jaeger_str key;
        const jaeger_config *value = jaeger_config_at(config->initial_fields, i, &key);
        write_member(&json, key, value);
    }
    if (d->t->json && !config->disable_zap_resource && d->t->resource_count) {
        jg_json_key_lit(&json, "resource");
        jg_json_object(&json);
        for (size_t i = 0; i < d->t->resource_count; i++) {
            jg_json_key(&json, d->t->resource[i].key);
            jg_json_str(&json, d->t->resource[i].value);
        }
        jg_json_end(&json);
    }
    jg_json_end(&json);
    jaeger_str all = jg_buf_view(&text);
    if (!jg_buf_ok(&text) || all.len <= 2)
        return (jaeger_str){0};
    return jaeger_arena_str(d->arena, (jaeger_str){all.ptr + 1, all.len - 2});
}

bool jg_telemetry_decode(const jaeger_config *node, jaeger_arena *arena, jg_telemetry *ret, jg_report *report)
{
    jaeger_error err = {0};
    telemetry_config config;
    size_t before = report->count;
    *ret = (jg_telemetry){.resource_count = 3};
    ret->resource[0] = (jaeger_pair){JAEGER_STR("service.instance.id"), new_instance_id(arena)};
    ret->resource[1] = (jaeger_pair){JAEGER_STR("service.name"), JAEGER_STR("jaeger")};
    ret->resource[2] = (jaeger_pair){JAEGER_STR("service.version"), JAEGER_STR(JAEGER_VERSION)};
    decoder d = {arena, ret, report};
    if (jaeger_config_bind(node, jg_telemetry_fields, &config, &err) != JAEGER_OK) {
        jg_report_add(report, "%s", err.message);
        return false;
    }
    decode_level(&d, node, config.logs.level);
    ret->json = config.logs.encoding == 1;
    ret->log_paths = config.logs.output_paths;
    ret->log_sampling = (jg_log_sampling){config.logs.sampling.enabled, config.logs.sampling.tick_ns,
                                          config.logs.sampling.initial, config.logs.sampling.thereafter};
    decode_resource(&d, config.resource);
    decode_metrics(&d, &config.metrics);
    jg_telemetry_decode_traces(&d, config.traces);
    ret->log_fields = log_fields(&d, &config.logs);
    return report->count == before;
}
