/* SPDX-License-Identifier: Apache-2.0
 * The Prometheus endpoints of service::telemetry: GET /metrics.
 * Naming rules: opentelemetry-go exporters/prometheus; format:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#include "core/alloc.h"
#include "core/err.h"
#include "core/str.h"
#include "net/http_server.h"
#include "service/telemetry.h"
#include <stdio.h>

#define METRICS_BYTES_MAX (16u << 20) /* one scrape: SERIES_MAX long series */

typedef struct endpoint {
    jg_metrics *metrics;
    const jg_telemetry *telemetry;
    const jg_pull_reader *reader;
    jg_http_server_settings settings;
    char address[300];
    char *labels; /* of every series */
    jg_http_server *server;
} endpoint;

struct jg_exposition {
    size_t count;
    endpoint endpoints[JG_PULL_READERS_MAX];
};

/* Units of our metrics that their names do not tell. */
static const char *unit_of(const char *name)
{
    static const struct {
        const char *name, *unit;
    } units[] = {
        {"otelcol_process_uptime", "seconds"},
        {"otelcol_process_memory_rss", "bytes"},
        {"http_server_request_duration", "seconds"},
        {"jaeger_storage_latency", "seconds"},
        {"http_server_request_body_size", "bytes"},
        {"http_server_response_body_size", "bytes"},
        {"rpc_server_call_duration", "seconds"},
        {"otelcol_processor_batch_batch_send_size_bytes", "bytes"},
    };
    for (size_t i = 0; i < JG_COUNT(units); i++)
        if (strcmp(name, units[i].name) == 0)
            return units[i].unit;
    return NULL;
}

static bool starts_with_any(const char *name, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

/* Only with level detailed: instrumentation of servers and clients, sizes in bytes. */
static bool is_detailed(const char *name)
{
    static const char *const prefixes[] = {"http_server_",
                                           "http_client_",
                                           "rpc_server_",
                                           "rpc_client_",
                                           "otelcol_processor_batch_batch_send_size_bytes",
                                           "otelcol_processor_batch_metadata_cardinality",
                                           NULL};
    return starts_with_any(name, prefixes);
}

/* Only with level normal and above. */
static bool is_above_basic(const char *name)
{
    static const char *const prefixes[] = {"otelcol_processor_batch_", NULL};
    return is_detailed(name) || starts_with_any(name, prefixes);
}

/* "service.name" -> service_name="…" */
static void write_label(jg_buf *out, jaeger_str key, jaeger_str value)
{
    if (out->len)
        jg_buf_byte(out, ',');
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool valid =
            c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i && c >= '0' && c <= '9');
        jg_buf_byte(out, valid ? (uint8_t)c : '_');
    }
    jg_buf_lit(out, "=\"");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\\' || value.ptr[i] == '"')
            jg_buf_byte(out, '\\');
        jg_buf_byte(out, value.ptr[i] == '\n' ? ' ' : (uint8_t)value.ptr[i]);
    }
    jg_buf_byte(out, '"');
}

static bool matches(const jaeger_str_list *patterns, jaeger_str key)
{
    for (size_t i = 0; i < patterns->count; i++) {
        jaeger_str pattern = patterns->items[i];
        bool open = pattern.len && pattern.ptr[pattern.len - 1] == '*';
        if (open ? jg_str_starts(key, (jaeger_str){pattern.ptr, pattern.len - 1}) : jg_str_eq(key, pattern))
            return true;
    }
    return false;
}

static bool make_labels(endpoint *e)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(8192);
    const jg_pull_reader *r = e->reader;
    for (size_t i = 0; i < e->telemetry->resource_count; i++) {
        const jaeger_pair *a = &e->telemetry->resource[i];
        if (matches(&r->with_resource_constant_labels.included, a->key) &&
            !matches(&r->with_resource_constant_labels.excluded, a->key))
            write_label(&text, a->key, a->value);
    }
    if (!r->without_scope_info) {
        write_label(&text, JAEGER_STR("otel_scope_name"), JAEGER_STR("libjaeger"));
        write_label(&text, JAEGER_STR("otel_scope_version"), JAEGER_STR(JAEGER_VERSION));
    }
    e->labels = jg_strndup((const char *)text.data, text.len);
    return e->labels && jg_buf_ok(&text);
}

static void write_target_info(const endpoint *e, jg_buf *out)
{
    JG_AUTO_BUF jg_buf labels = JG_BUF_INIT(8192);
    for (size_t i = 0; i < e->telemetry->resource_count; i++)
        write_label(&labels, e->telemetry->resource[i].key, e->telemetry->resource[i].value);
    jg_buf_printf(out, "# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{%.*s} 1\n",
                  JAEGER_STR_ARGS(jg_buf_view(&labels)));
}

static void serve(void *self, jg_http_request *request, jg_http_reply *reply)
{
    endpoint *e = self;
    if (!jg_str_is(request->path, "/metrics")) {
        jg_http_send(reply, 404, "text/plain; charset=utf-8", JAEGER_STR("404 page not found\n"));
        return;
    }
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(METRICS_BYTES_MAX);
    jg_metrics_level level = e->telemetry->metrics_level;
    jg_metrics_style style = {.total = !e->reader->without_type_suffix,
                              .unit_of = e->reader->without_units ? NULL : unit_of,
                              .skip = level == JG_METRICS_DETAILED ? NULL
                                      : level == JG_METRICS_NORMAL ? is_detailed
                                                                   : is_above_basic,
                              .labels = e->labels};
    jg_metrics_write_styled(e->metrics, &style, &text);
    write_target_info(e, &text);
    if (jg_buf_ok(&text))
        jg_http_send(reply, 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
                     jg_buf_view(&text));
    else
        jg_http_send(reply, 503, "text/plain; charset=utf-8", JAEGER_STR("out of memory\n"));
}

static jaeger_status start_endpoint(endpoint *e, struct jg_net *net, jaeger_error *err)
{
    const jg_pull_reader *r = e->reader;
    bool is_v6 = jg_str_find(r->host, ':') < r->host.len && r->host.ptr[0] != '[';
    (void)snprintf(e->address, sizeof e->address, is_v6 ? "[%.*s]:%u" : "%.*s:%u", JAEGER_STR_ARGS(r->host),
                   (unsigned)r->port);
    if (!make_labels(e))
        return jg_fail_oom(err);
    e->settings = (jg_http_server_settings){.endpoint = jg_str(e->address),
                                            .transport = JAEGER_STR("tcp"),
                                            .read_header_timeout_ns = 10 * 1000000000ull,
                                            .keep_alives_enabled = true};
    jg_http_server_options options = {.settings = &e->settings,
                                      .handler = {serve, e},
                                      .name = "service::telemetry::metrics",
                                      .untraced = true};
    return jg_http_server_start(net, &options, &e->server, err);
}

jaeger_status jg_exposition_start(const jg_telemetry *telemetry, struct jg_net *net, jg_metrics *metrics,
                                  jg_exposition **ret, jaeger_error *err)
{
    if (!telemetry->reader_count) {
        *ret = NULL;
        return JAEGER_OK;
    }
    jg_exposition *x = jg_calloc(1, sizeof *x);
    if (!x)
        return jg_fail_oom(err);
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < telemetry->reader_count && status == JAEGER_OK; i++) {
        endpoint *e = &x->endpoints[x->count++];
        *e = (endpoint){.metrics = metrics, .telemetry = telemetry, .reader = &telemetry->readers[i]};
        status = start_endpoint(e, net, err);
    }
    if (status != JAEGER_OK)
        jg_exposition_stop(x, 0);
    else
        *ret = x;
    return status;
}

void jg_exposition_stop(jg_exposition *x, uint64_t deadline_ns)
{
    for (size_t i = 0; x && i < x->count; i++) {
        jg_http_server_stop(x->endpoints[i].server, deadline_ns);
        jg_free(x->endpoints[i].labels);
    }
    jg_free(x);
}
