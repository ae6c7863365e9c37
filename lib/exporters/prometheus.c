/* SPDX-License-Identifier: Apache-2.0
 * Shows metrics on a page for Prometheus to scrape: the last value of each series, at /metrics. Native
 * histograms need Prometheus' protobuf format, which is not offered: exponential ones show their count and
 * sum. Keys: opentelemetry-collector-contrib exporter/prometheusexporter.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "exporters/prometheus/series.h"
#include "model/batch.h"
#include "net/auth.h"
#include "net/http_server.h"
#include "pipeline/host.h"
#include <pthread.h>

#define DROP_LOG_INTERVAL_NS (10 * JG_NS_PER_S)

typedef struct prometheus_config {
    jg_http_server_settings server;
    const jaeger_config *sending_queue;
    jaeger_str namespace, strategy;
    jaeger_pair_list const_labels;
    bool send_timestamps, enable_open_metrics, without_scope_info, add_metric_suffixes;
    uint64_t metric_expiration_ns;
    struct {
        bool enabled, exclude_service_attributes;
    } resource;
} prometheus_config;

typedef struct prometheus {
    const char *id;
    const prometheus_config *config;
    const jaeger_logger *log;
    jaeger_host *host;
    pthread_mutex_t store_mutex; /* guards all below but the server */
    jg_prom_store store;
    uint64_t logged_ns, dropped_logged;
    bool ready;
    jg_auth auth;
    jg_http_server *server;
} prometheus;

static const char *const strategies[] = {"UnderscoreEscapingWithSuffixes",
                                         "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes",
                                         "NoTranslation"};

static jaeger_status prometheus_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const prometheus_config *c = config;
    const char *path =
        node && jaeger_config_path(node)[0] ? jaeger_config_path(node) : "exporters::prometheus";
    bool known = c->strategy.len == 0;
    for (size_t i = 0; i < JG_COUNT(strategies); i++)
        known |= jg_str_is(c->strategy, strategies[i]);
    if (!known)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: invalid translation_strategy \"%.*s\"", path,
                       JAEGER_STR_ARGS(c->strategy));
    if (!c->server.endpoint.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: requires a non-empty \"endpoint\"", path);
    return JAEGER_OK;
}

static jg_prom_strategy strategy_of(const prometheus_config *c, jaeger_host *host)
{
    for (size_t i = 0; i < JG_COUNT(strategies); i++)
        if (jg_str_is(c->strategy, strategies[i]))
            return (jg_prom_strategy)i;
    bool ignored = !host || jg_host_gate(host, "exporter.prometheusexporter.DisableAddMetricSuffixes");
    return c->add_metric_suffixes || ignored ? JG_PROM_UNDERSCORES_SUFFIXES : JG_PROM_UNDERSCORES;
}

static jaeger_status prometheus_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    prometheus *p = self;
    const prometheus_config *c = in->config;
    *p = (prometheus){.id = in->id, .config = c, .log = in->log, .host = in->host};
    jg_prom_options options = {
        .space = c->namespace,
        .const_labels = c->const_labels.items,
        .const_label_count = c->const_labels.count,
        .strategy = strategy_of(c, in->host),
        .resource_labels = c->resource.enabled,
        .exclude_service_labels = c->resource.exclude_service_attributes,
        .without_scope = c->without_scope_info,
        .keep_underscore =
            in->host && jg_host_gate(in->host, "pkg.translator.prometheus.PermissiveLabelSanitization"),
        .expiry_ns = c->metric_expiration_ns};
    if (!jg_prom_store_init(&p->store, &options))
        return jg_fail_oom(err);
    (void)pthread_mutex_init(&p->store_mutex, NULL);
    p->ready = true;
    return JAEGER_OK;
}

static jaeger_status prometheus_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    prometheus *p = self;
    jaeger_str part;
    uint64_t now = jg_clock_mono_ns(), dropped = 0;
    const char *why = "";
    (void)call;
    (void)pthread_mutex_lock(&p->store_mutex);
    for (size_t i = 0; jg_batch_payload(take, i, &part); i++)
        jg_prom_store_take(&p->store, part, now);
    if (p->store.dropped > p->dropped_logged &&
        (!p->logged_ns || now - p->logged_ns > DROP_LOG_INTERVAL_NS)) {
        dropped = p->store.dropped - p->dropped_logged;
        why = p->store.dropped_why;
        p->dropped_logged = p->store.dropped;
        p->logged_ns = now;
    }
    (void)pthread_mutex_unlock(&p->store_mutex);
    jaeger_batch_unref(take);
    if (dropped)
        jaeger_log(p->log, JAEGER_WARN, "failed to convert metrics, dropping data points: %llu reason=\"%s\"",
                   (unsigned long long)dropped, why);
    return JAEGER_OK;
}

static bool contains(jaeger_str text, const char *part)
{
    for (; text.len >= strlen(part); text = jg_str_skip(text, 1))
        if (jg_str_starts(text, jg_str(part)))
            return true;
    return false;
}

static void answer(prometheus *p, const jg_http_request *request, jg_http_reply *reply)
{
    jaeger_str accept = jg_http_header(request, "accept");
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(JG_PROMETHEUS_PAGE_MAX);
    jg_prom_page page = {.open_metrics = p->config->enable_open_metrics &&
                                         contains(accept, "application/openmetrics-text"),
                         .timestamps = p->config->send_timestamps};
    const char *type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    if (page.open_metrics)
        type = contains(accept, "version=1.0.0")
                   ? "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
                   : "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores";
    (void)pthread_mutex_lock(&p->store_mutex);
    jg_prom_store_expire(&p->store, jg_clock_mono_ns());
    jg_prom_write_page(&p->store, &page, &out);
    (void)pthread_mutex_unlock(&p->store_mutex);
    if (jg_buf_ok(&out))
        jg_http_send(reply, 200, type, jg_buf_view(&out));
    else
        jg_http_send(reply, 500, "text/plain; charset=utf-8", JAEGER_STR("out of memory\n"));
}

static void prometheus_handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    if (jg_str_is(request->path, "/metrics")) {
        answer(self, request, reply);
        return;
    }
    jg_http_add_header(reply, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_send(reply, 404, "text/plain; charset=utf-8", JAEGER_STR("404 page not found\n"));
}

static jaeger_status prometheus_start(void *self, jaeger_error *err)
{
    prometheus *p = self;
    const jg_http_server_settings *settings = &p->config->server;
    JG_TRY(jg_host_auth(p->host, &settings->auth, &p->auth.who, err));
    jg_http_server_options options = {.settings = settings,
                                      .handler = {prometheus_handle, p},
                                      .auth = jg_auth_for_http(&p->auth),
                                      .name = p->id,
                                      .untraced = true};
    return jg_http_server_start(jg_host_net(p->host), &options, &p->server, err);
}

static void prometheus_stop(void *self, uint64_t deadline_ns)
{
    prometheus *p = self;
    jg_http_server_stop(p->server, deadline_ns);
    p->server = NULL;
}

static void prometheus_destroy(void *self)
{
    prometheus *p = self;
    if (!p->ready)
        return;
    prometheus_stop(p, 0);
    jg_prom_store_done(&p->store);
    (void)pthread_mutex_destroy(&p->store_mutex);
    p->ready = false;
}

#define AT(member) .offset = offsetof(prometheus_config, member)
static const jaeger_field resource_fields[] = {
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, .doc = "resource attributes become labels"},
    {.name = "exclude_service_attributes",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(prometheus_config, resource.exclude_service_attributes) -
               offsetof(prometheus_config, resource),
     .doc = "but service.name, service.namespace and service.instance.id do not"},
    {0}};

static const jaeger_field prometheus_fields[] = {
    JG_HTTP_SERVER_FIELDS(prometheus_config, server, NULL, "true"),
    {.name = "sending_queue",
     .kind = JAEGER_FIELD_NODE,
     AT(sending_queue),
     .doc = "accepted for compatibility: values are taken at once"},
    {.name = "namespace", .kind = JAEGER_FIELD_STR, AT(namespace), .doc = "before the names of metrics"},
    {.name = "const_labels", .kind = JAEGER_FIELD_PAIRS, AT(const_labels), .doc = "labels of every series"},
    {.name = "send_timestamps",
     .kind = JAEGER_FIELD_BOOL,
     AT(send_timestamps),
     .doc = "show the times of data points"},
    {.name = "metric_expiration",
     .kind = JAEGER_FIELD_DURATION,
     AT(metric_expiration_ns),
     .fallback = "5m",
     .doc = "how long a series is shown without news"},
    {.name = "resource_to_telemetry_conversion",
     .kind = JAEGER_FIELD_BLOCK,
     AT(resource),
     .sub = resource_fields,
     .sub_size = sizeof(((prometheus_config *)0)->resource),
     .doc = "labels from resource attributes"},
    {.name = "enable_open_metrics",
     .kind = JAEGER_FIELD_BOOL,
     AT(enable_open_metrics),
     .doc = "offer the OpenMetrics format, with exemplars"},
    {.name = "without_scope_info",
     .kind = JAEGER_FIELD_BOOL,
     AT(without_scope_info),
     .doc = "no otel_scope_… labels"},
    {.name = "add_metric_suffixes",
     .kind = JAEGER_FIELD_BOOL,
     AT(add_metric_suffixes),
     .fallback = "true",
     .doc = "ignored while the gate exporter.prometheusexporter.DisableAddMetricSuffixes is on"},
    {.name = "translation_strategy",
     .kind = JAEGER_FIELD_STR,
     AT(strategy),
     .doc = "UnderscoreEscapingWithSuffixes (default), UnderscoreEscapingWithoutSuffixes, "
            "NoUTF8EscapingWithSuffixes, NoTranslation"},
    {0}};

const jaeger_component_type jg_exporter_prometheus = {
    .size = sizeof(jaeger_component_type),
    .name = "prometheus",
    .doc = "shows metrics for Prometheus to scrape",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_METRICS,
    .fields = prometheus_fields,
    .config_size = sizeof(prometheus_config),
    .state_size = sizeof(prometheus),
    .validate = prometheus_validate,
    .create = prometheus_create,
    .start = prometheus_start,
    .consume = prometheus_consume,
    .stop = prometheus_stop,
    .destroy = prometheus_destroy,
};
