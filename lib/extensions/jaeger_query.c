/* SPDX-License-Identifier: Apache-2.0
 * The extension jaeger_query: Jaeger's query APIs and user interface on 16686 (HTTP) and 16685 (gRPC). It
 * opens its stores by name through the extension jaeger_storage. Keys: Jaeger v2,
 * cmd/jaeger/internal/extension/jaegerquery; contract of the answers: docs/compatibility.md.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "extensions/jaeger_query/metrics_search.h"
#include "net/auth.h"
#include "pipeline/host.h"
#include "query/grpc.h"
#include "query/http.h"
#include "query/metrics.h"
#include "query/service.h"
#include "query/watch.h"
#include "wire/descriptors.h"
#include <jaeger/component.h>

typedef struct forwarded_header {
    jaeger_str http_name, grpc_name, header_role, grpc_outbound_name, http_outbound_name;
} forwarded_header;

typedef struct ai_config {
    bool enabled;
    jaeger_str agent_url;
    struct {
        bool enabled;
        jaeger_str base_url, skills_dir;
    } mcp;
    bool enable_mcp;
    uint64_t max_request_body_size, health_check_interval_ns, health_check_timeout_ns;
} ai_config;

typedef struct otlp_proxy_config {
    bool enabled;
    jaeger_str target;
} otlp_proxy_config;

typedef struct search_config {
    uint64_t scan_time_ns, deadline_ns;
    uint32_t scan_traces;
} search_config;

typedef struct query_config {
    struct {
        jaeger_str traces, traces_archive, metrics;
    } storage;
    jaeger_str base_path;
    struct {
        jaeger_str config_file, assets_path;
        bool log_access;
    } ui;
    bool bearer_token_propagation, enable_tracing, compress_answers;
    jaeger_block_list header_forwarding;
    jg_tenancy tenancy;
    uint64_t max_clock_skew_adjust_ns, max_trace_size;
    search_config search;
    struct {
        jg_http_server_settings server;
    } http;
    struct {
        jg_grpc_server_settings server;
    } grpc;
    ai_config ai;
    otlp_proxy_config otlp_proxy;
    jaeger_str_list query_interceptors;
} query_config;

typedef struct query {
    const char *id;
    const query_config *config;
    const jaeger_logger *log;
    jaeger_host *host;
    jaeger_arena *arena; /* names of forwarded headers, from start to stop */
    jaeger_query *service;
    jg_query_http http;
    jg_watch watch;        /* while http.watch points at it */
    jg_metrics_source spm; /* query NULL: none */
    jg_auth http_auth, grpc_auth;
    jg_http_server *http_server;
    jg_grpc_server *grpc_server;
} query;

static jaeger_status query_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const query_config *c = config;
    jaeger_str base;
    if (jg_query_base_path(c->base_path, &base, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s::base_path", node ? jaeger_config_path(node) : "jaeger_query");
    if ((c->http.server.tls.enabled || c->grpc.server.tls.enabled) &&
        jg_str_eq(c->http.server.endpoint, c->grpc.server.endpoint))
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "%s: server with TLS enabled can not use same host ports for gRPC and HTTP; use dedicated HTTP "
            "and gRPC host ports instead",
            node ? jaeger_config_path(node) : "jaeger_query");
    return JAEGER_OK;
}

static jaeger_status query_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(query *)self = (query){.id = in->id, .config = in->config, .log = in->log, .host = in->host};
    return JAEGER_OK;
}

/* ---- starting ---- */

static jaeger_status open_storage(query *q, jaeger_str name, jaeger_storage *ret, jaeger_error *err)
{
    void *self;
    const jaeger_storage_interface *storage =
        jaeger_host_extension(q->host, "jaeger_storage", JAEGER_STORAGE_INTERFACE, &self);
    if (!storage)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "cannot find extension 'jaeger_storage'");
    return storage->open(self, name.ptr, ret, err); /* configured strings end with a NUL */
}

static jaeger_status start_service(query *q, jaeger_error *err)
{
    const query_config *c = q->config;
    jaeger_query_options options = {.size = sizeof options,
                                    .max_clock_skew_adjust_ns = c->max_clock_skew_adjust_ns,
                                    .max_trace_spans = c->max_trace_size,
                                    .scan_time_ns = c->search.scan_time_ns,
                                    .scan_traces = c->search.scan_traces,
                                    .structured_filters =
                                        jg_host_gate(q->host, "jaeger.query.structuredFilters")};
    jaeger_error archive_err = {0};
    JG_TRY(open_storage(q, c->storage.traces, &options.traces, err));
    if (c->storage.traces_archive.len &&
        open_storage(q, c->storage.traces_archive, &options.archive, &archive_err) != JAEGER_OK) {
        jaeger_log(q->log, JAEGER_ERROR,
                   "cannot open the archive storage, going on without it name=%s error=\"%s\"",
                   c->storage.traces_archive.ptr, archive_err.message);
        options.archive = (jaeger_storage){0};
    }
    JG_TRY(jaeger_query_new(&options, &q->service, err));
    jg_query_measure(q->service, jaeger_host_metrics(q->host), c->storage.traces, c->storage.traces_archive);
    return JAEGER_OK;
}

typedef struct traces_config {
    jaeger_str trace_storage;
    uint32_t max_traces;
} traces_config;

static const jaeger_field traces_fields[] = {{.name = "trace_storage",
                                              .kind = JAEGER_FIELD_STR,
                                              .offset = offsetof(traces_config, trace_storage),
                                              .required = true,
                                              .doc = "a backend of jaeger_storage whose traces are counted"},
                                             {.name = "max_traces",
                                              .kind = JAEGER_FIELD_U32,
                                              .offset = offsetof(traces_config, max_traces),
                                              .fallback = "10000",
                                              .doc = "newest traces of a service that one query reads"},
                                             {0}};

/** Where /api/metrics is answered from. Kinds that are not supported leave it at 501. */
static jaeger_status open_metrics(query *q, jaeger_error *err)
{
    const char *name = q->config->storage.metrics.ptr;
    const jaeger_config *node;
    jaeger_str kind;
    jaeger_storage traces;
    traces_config config = {0};
    void *self;
    if (!q->config->storage.metrics.len)
        return JAEGER_OK;
    const jg_metric_backends_interface *backends =
        jaeger_host_extension(q->host, "jaeger_storage", JG_METRIC_BACKENDS_INTERFACE, &self);
    if (!backends)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "cannot find extension 'jaeger_storage'");
    JG_TRY(backends->find(self, name, &kind, &node, err));
    if (jg_str_is(kind, "prometheus"))
        return jg_prometheus_open(node, &q->spm, err);
    if (jg_str_is(kind, "opensearch") || jg_str_is(kind, "elasticsearch"))
        return jg_metrics_search_open(node, q->log, jaeger_host_metrics(q->host), &q->spm, err);
    if (!jg_str_is(kind, "traces")) {
        jaeger_log(q->log, JAEGER_WARN, "not supported, metrics answer 501 metric_backend=%s kind=%.*s", name,
                   JAEGER_STR_ARGS(kind));
        return JAEGER_OK;
    }
    JG_TRY(jaeger_config_bind(node, traces_fields, &config, err));
    JG_TRY(open_storage(q, config.trace_storage, &traces, err));
    return jg_metrics_from_traces(traces, config.max_traces, &q->spm, err);
}

/** Request headers that storage may see, in lower case as requests have them. */
static jaeger_status forwarded_names(query *q, jaeger_str_list *ret, jaeger_error *err)
{
    const forwarded_header *headers = q->config->header_forwarding.items;
    size_t n = q->config->header_forwarding.count;
    ret->items = n ? jaeger_arena_alloc(q->arena, n * sizeof *ret->items) : NULL;
    if (n && !ret->items)
        return jg_fail_oom(err);
    for (ret->count = 0; ret->count < n; ret->count++) {
        jaeger_str name = headers[ret->count].http_name;
        char *lower = jaeger_arena_alloc(q->arena, name.len + 1);
        if (!lower)
            return jg_fail_oom(err);
        for (size_t i = 0; i < name.len; i++)
            lower[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
        lower[name.len] = 0;
        ret->items[ret->count] = (jaeger_str){lower, name.len};
    }
    return JAEGER_OK;
}

static const char *running_component(void *self, size_t index, const char **ret_kind,
                                     const char **ret_pipeline)
{
    static const char *const kinds[] = {[JAEGER_RECEIVER] = "receiver",
                                        [JAEGER_PROCESSOR] = "processor",
                                        [JAEGER_EXPORTER] = "exporter",
                                        [JAEGER_CONNECTOR] = "connector",
                                        [JAEGER_EXTENSION] = "extension"};
    jaeger_kind kind;
    const char *id = jg_host_component(((query *)self)->host, index, &kind, ret_pipeline);
    *ret_kind = id ? kinds[kind] : NULL;
    return id;
}

/** remote_sampling is asked, if it runs here: it starts before and stops after us. */
static jaeger_status sampling_of(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    void *provider;
    const jaeger_sampling_provider *table =
        jaeger_host_extension(((query *)self)->host, "remote_sampling", JAEGER_SAMPLING_INTERFACE, &provider);
    if (!table)
        return jg_fail(&call->error, JAEGER_UNIMPLEMENTED, "the extension remote_sampling does not run here");
    return table->strategy(provider, service, out, call);
}

static jaeger_status start_ui(query *q, jaeger_error *err)
{
    const query_config *c = q->config;
    jg_ui_options ui = {.assets_path = c->ui.assets_path,
                        .config_file = c->ui.config_file,
                        .log_access = c->ui.log_access,
                        .metrics_storage = q->spm.query != NULL,
                        .log = q->log};
    q->http = (jg_query_http){.query = q->service,
                              .spm = q->spm.query ? &q->spm : NULL,
                              .tenancy = c->tenancy,
                              .bearer_token_propagation = c->bearer_token_propagation,
                              .compresses = c->compress_answers,
                              .system = {running_component, sampling_of, q},
                              .metrics = jaeger_host_metrics(q->host),
                              .log = q->log};
    jg_watch_init(&q->watch, JG_UI_WATCHERS_MAX);
    q->http.watch = &q->watch;
    JG_TRY(jg_query_base_path(c->base_path, &q->http.base_path, err));
    JG_TRY(forwarded_names(q, &q->http.forwarded_headers, err));
    return jg_ui_new(&ui, &q->http.ui, err);
}

static void reply_add_header(void *self, const char *name, jaeger_str value)
{
    jg_http_add_header(self, name, value);
}

static void reply_send(void *self, int status, const char *content_type, jaeger_str body)
{
    jg_http_send(self, status, content_type, body);
}

static void reply_begin(void *self, int status, const char *content_type)
{
    jg_http_begin(self, status, content_type);
}

static jaeger_status reply_write(void *self, jaeger_str bytes)
{
    return jg_http_write(self, bytes);
}

static void reply_end(void *self, bool ok)
{
    jg_http_end(self, ok);
}

static void handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    query *q = self;
    jg_query_reply to = {reply_add_header, reply_send, reply_begin, reply_write, reply_end, reply};
    uint64_t configured = q->config->search.deadline_ns;
    if (!configured)
        configured = q->config->http.server.write_timeout_ns;
    request->call->deadline_ns = jg_clock_mono_ns() + (configured ? configured : JG_QUERY_TIMEOUT_NS);
    jg_query_http_handle(&q->http, request, &to);
}

static const char *route(void *self, jaeger_str method, jaeger_str path)
{
    return jg_query_http_route(&((const query *)self)->http, method, path);
}

static jaeger_str metadata(const jaeger_call *call, const char *name)
{
    for (size_t i = 0; i < call->metadata_count; i++)
        if (jg_str_is(call->metadata[i].key, name))
            return call->metadata[i].value;
    return (jaeger_str){0};
}

/** Who calls: authenticator, tenant, and the token that storage may need; and for how long at most. */
static jaeger_status identify(void *self, jaeger_call *call)
{
    const query *q = self;
    if (q->config->search.deadline_ns)
        call->deadline_ns = JG_MIN(call->deadline_ns, jg_clock_mono_ns() + q->config->search.deadline_ns);
    const jg_authenticator *who = &q->grpc_auth.who;
    if (who->by)
        JG_TRY(who->by->check(who->self, metadata(call, "authorization"), call));
    if (q->config->bearer_token_propagation)
        call->bearer_token = metadata(call, "bearer.token");
    return jg_tenancy_check(&q->config->tenancy, call->metadata, call->metadata_count, call);
}

static jaeger_status start_grpc(query *q, jaeger_error *err)
{
    const jg_grpc_server_settings *settings = &q->config->grpc.server;
    jg_grpc_method methods[2 * JG_QUERY_GRPC_METHODS_MAX];
    size_t n = jg_query_grpc_v2(q->service, methods);
    n += jg_query_grpc_v3(q->service, methods + n);
    JG_TRY(jg_host_auth(q->host, &settings->auth, &q->grpc_auth.who, err));
    jg_grpc_server_options options = {.settings = settings,
                                      .methods = methods,
                                      .method_count = n,
                                      .auth = {identify, q},
                                      .questions = true,
                                      .timeout_ns = q->config->search.deadline_ns,
                                      .health_services = jg_query_grpc_health,
                                      .health_service_count = jg_query_grpc_health_count,
                                      .descriptors = {(const char *)jg_descriptors, jg_descriptors_len},
                                      .name = q->id};
    return jg_grpc_server_start(jg_host_net(q->host), &options, &q->grpc_server, err);
}

static jaeger_status start_servers(query *q, jaeger_error *err)
{
    const jg_http_server_settings *settings = &q->config->http.server;
    JG_TRY(start_grpc(q, err));
    JG_TRY(jg_host_auth(q->host, &settings->auth, &q->http_auth.who, err));
    q->http_auth.tenancy = &q->config->tenancy;
    jg_http_server_options options = {.settings = settings,
                                      .handler = {handle, q},
                                      .auth = jg_auth_for_http(&q->http_auth),
                                      .questions = true,
                                      .name = q->id,
                                      .route = route};
    return jg_http_server_start(jg_host_net(q->host), &options, &q->http_server, err);
}

static void warn_about_keys(const query *q)
{
    const query_config *c = q->config;
    const struct {
        bool used;
        const char *key;
    } keys[] = {{c->ai.enabled, "ai"},
                {c->otlp_proxy.enabled, "otlp_proxy"},
                {c->query_interceptors.count > 0, "query_interceptors"}};
    for (size_t i = 0; i < JG_COUNT(keys); i++)
        if (keys[i].used)
            jaeger_log(q->log, JAEGER_WARN, "not supported, going on without it key=%s", keys[i].key);
}

static void query_stop(void *self, uint64_t deadline_ns)
{
    query *q = self;
    if (q->http.watch)
        jg_watch_stop(&q->watch);
    jg_http_server_stop(q->http_server, deadline_ns);
    jg_grpc_server_stop(q->grpc_server, deadline_ns);
    if (q->http.watch)
        jg_watch_done(&q->watch);
    jg_ui_free(q->http.ui);
    if (q->spm.close)
        q->spm.close(q->spm.self);
    q->spm = (jg_metrics_source){0};
    jaeger_query_free(q->service);
    jaeger_arena_free(q->arena);
    q->http_server = NULL;
    q->grpc_server = NULL;
    q->http = (jg_query_http){0};
    q->service = NULL;
    q->arena = NULL;
}

static jaeger_status query_start(void *self, jaeger_error *err)
{
    query *q = self;
    q->arena = jaeger_arena_new(1u << 20);
    jaeger_status status = q->arena ? start_service(q, err) : jg_fail_oom(err);
    if (status == JAEGER_OK)
        status = open_metrics(q, err);
    if (status == JAEGER_OK)
        status = start_ui(q, err);
    if (status == JAEGER_OK)
        status = start_servers(q, err);
    if (status != JAEGER_OK) {
        query_stop(q, 0);
        return status;
    }
    warn_about_keys(q);
    return JAEGER_OK;
}

static const void *query_interface(void *self, const char *name)
{
    return jg_str_is(JAEGER_STR(JG_QUERY_INTERFACE), name) ? ((query *)self)->service : NULL;
}

/* ---- keys ---- */

#define CONFIG        query_config
#define MEMBER(block) (((CONFIG *)0)->block)

static const jaeger_field storage_fields[] = {
    {.name = "traces",
     .kind = JAEGER_FIELD_STR,
     .required = true,
     .doc = "a backend of jaeger_storage: where traces are read"},
    {.name = "traces_archive",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(CONFIG, storage.traces_archive) - offsetof(CONFIG, storage),
     .doc = "a backend for archived traces; empty: none"},
    {.name = "metrics",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(CONFIG, storage.metrics) - offsetof(CONFIG, storage),
     .doc = "a metric backend of jaeger_storage, for the Monitor page: prometheus, or traces (ours); empty: "
            "none"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field ui_fields[] = {
    {.name = "config_file",
     .kind = JAEGER_FIELD_STR,
     .doc = "UI configuration: .json, or .js with function UIConfig()"},
    {.name = "assets_path",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(CONFIG, ui.assets_path) - offsetof(CONFIG, ui),
     .doc = "folder of a jaeger-ui build; empty: the built-in page"},
    {.name = "log_access",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(CONFIG, ui.log_access) - offsetof(CONFIG, ui),
     .doc = "log each static file served"},
    {.kind = JAEGER_FIELD_END},
};

#define HEADER_FIELD(key, text)                                                                              \
    {                                                                                                        \
        .name = #key, .kind = JAEGER_FIELD_STR, .offset = offsetof(forwarded_header, key), .doc = text       \
    }
static const jaeger_field header_fields[] = {
    HEADER_FIELD(http_name, "name in HTTP requests"),
    HEADER_FIELD(grpc_name, "name in gRPC metadata"),
    HEADER_FIELD(header_role, "accepted for compatibility"),
    HEADER_FIELD(grpc_outbound_name, "accepted for compatibility"),
    HEADER_FIELD(http_outbound_name, "accepted for compatibility"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field mcp_fields[] = {
    {.name = "base_url",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(ai_config, mcp.base_url) - offsetof(ai_config, mcp),
     .doc = "accepted for compatibility"},
    {.name = "skills_dir",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(ai_config, mcp.skills_dir) - offsetof(ai_config, mcp),
     .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field ai_fields[] = {
    {.name = "agent_url",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(ai_config, agent_url),
     .fallback = "ws://localhost:16688",
     .doc = "accepted for compatibility"},
    {.name = "mcp",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     .offset = offsetof(ai_config, mcp),
     .sub = mcp_fields,
     .sub_size = sizeof(((ai_config *)0)->mcp),
     .doc = "accepted for compatibility"},
    {.name = "enable_mcp",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(ai_config, enable_mcp),
     .doc = "accepted for compatibility"},
    {.name = "max_request_body_size",
     .kind = JAEGER_FIELD_U64,
     .offset = offsetof(ai_config, max_request_body_size),
     .fallback = "1048576",
     .doc = "accepted for compatibility"},
    {.name = "health_check_interval",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(ai_config, health_check_interval_ns),
     .fallback = "30s",
     .doc = "accepted for compatibility"},
    {.name = "health_check_timeout",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(ai_config, health_check_timeout_ns),
     .fallback = "2s",
     .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field otlp_proxy_fields[] = {
    {.name = "target",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(otlp_proxy_config, target),
     .fallback = "http://127.0.0.1:4318",
     .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field http_fields[] = {
    JG_HTTP_SERVER_FIELDS(__typeof__(MEMBER(http)), server, ":16686", "false"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field grpc_fields[] = {
    JG_GRPC_SERVER_FIELDS(__typeof__(MEMBER(grpc)), server, ":16685"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field search_fields[] = {
    {.name = "scan_time",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(search_config, scan_time_ns),
     .doc =
         "time a search may scan for, at most half of its request's; then it answers with what it found and "
         "says that it stopped early; 0: 15s for searches with a filter, an order or a cursor, for others "
         "that "
         "half"},
    {.name = "scan_traces",
     .kind = JAEGER_FIELD_U32,
     .offset = offsetof(search_config, scan_traces),
     .fallback = "20000",
     .doc = "traces that are read for a search which the storage cannot do alone"},
    {.name = "deadline",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(search_config, deadline_ns),
     .doc = "for one request over HTTP or gRPC; 0: http.write_timeout, else 2m, and over gRPC the client's, "
            "else 30s"},
    {.kind = JAEGER_FIELD_END},
};

#define BLOCK(key, block_kind, member, fields, text)                                                         \
    {                                                                                                        \
        .name = key, .kind = block_kind, .offset = offsetof(CONFIG, member), .sub = fields,                  \
        .sub_size = sizeof(MEMBER(member)), .doc = text                                                      \
    }

static const jaeger_field query_fields[] = {
    BLOCK("storage", JAEGER_FIELD_BLOCK, storage, storage_fields, "names of backends"),
    {.name = "base_path",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(CONFIG, base_path),
     .doc = "prefix of all HTTP routes, such as /jaeger"},
    BLOCK("ui", JAEGER_FIELD_BLOCK, ui, ui_fields, "user interface"),
    {.name = "bearer_token_propagation",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(CONFIG, bearer_token_propagation),
     .doc = "hand the caller's bearer token to the storage"},
    {.name = "header_forwarding",
     .kind = JAEGER_FIELD_LIST,
     .offset = offsetof(CONFIG, header_forwarding),
     .sub = header_fields,
     .sub_size = sizeof(forwarded_header),
     .doc = "request headers that the storage may pass on"},
    JG_TENANCY_FIELD(CONFIG, tenancy),
    {.name = "max_clock_skew_adjust",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(CONFIG, max_clock_skew_adjust_ns),
     .doc = "largest correction of a host's clock; 0: warnings only"},
    {.name = "max_trace_size",
     .kind = JAEGER_FIELD_U64,
     .offset = offsetof(CONFIG, max_trace_size),
     .doc = "spans of a trace that are shown; 0: all"},
    {.name = "compress_answers",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(CONFIG, compress_answers),
     .fallback = "true",
     .doc = "HTTP answers of 2 KiB and more in gzip, if the client takes it (ours)"},
    BLOCK("search", JAEGER_FIELD_BLOCK, search, search_fields, "what one search may take (ours)"),
    {.name = "enable_tracing",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(CONFIG, enable_tracing),
     .fallback = "true",
     .doc = "accepted for compatibility"},
    BLOCK("http", JAEGER_FIELD_BLOCK, http, http_fields, "HTTP API and user interface"),
    BLOCK("grpc", JAEGER_FIELD_BLOCK, grpc, grpc_fields, "gRPC API"),
    BLOCK("ai", JAEGER_FIELD_OPTIONAL_D, ai, ai_fields, "accepted for compatibility"),
    BLOCK("otlp_proxy", JAEGER_FIELD_OPTIONAL_D, otlp_proxy, otlp_proxy_fields, "accepted for compatibility"),
    {.name = "query_interceptors",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(CONFIG, query_interceptors),
     .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

static const char *const query_depends[] = {"jaeger_storage", "?remote_sampling", NULL};

const jaeger_component_type jg_extension_jaeger_query = {
    .size = sizeof(jaeger_component_type),
    .name = "jaeger_query",
    .doc = "serves Jaeger's query APIs and user interface",
    .kind = JAEGER_EXTENSION,
    .fields = query_fields,
    .config_size = sizeof(query_config),
    .state_size = sizeof(query),
    .validate = query_validate,
    .create = query_create,
    .start = query_start,
    .stop = query_stop,
    .interface = query_interface,
    .depends = query_depends,
};
