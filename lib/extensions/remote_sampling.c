/* SPDX-License-Identifier: Apache-2.0
 * The extension remote_sampling: tells clients how to sample, on 5778 (HTTP) and 5779 (gRPC): from a file or
 * URL, by adaptive sampling, by asking another server, or from another extension.
 * Keys: Jaeger v2, cmd/jaeger/internal/extension/remotesampling; `provider` and `proxy` are ours.
 */
#include "config/load.h"
#include "core/err.h"
#include "core/str.h"
#include "extensions/remote_sampling/adaptive.h"
#include "extensions/remote_sampling/proxy.h"
#include "extensions/remote_sampling/serve.h"
#include "sampling/file.h"
#include <jaeger/component.h>

typedef struct file_config {
    bool enabled;
    jaeger_str path;
    uint64_t reload_interval_ns;
    double default_rate;
} file_config;

typedef struct sampling_config {
    file_config file;
    jg_adaptive_config adaptive;
    jg_proxy_config proxy;
    jaeger_str provider;
    jg_sampling_http http;
    jg_sampling_grpc grpc;
} sampling_config;

typedef struct sampling {
    const char *id;
    const sampling_config *config;
    const jaeger_logger *log;
    jaeger_host *host;
    jg_file_provider *file;
    jg_adaptive *adaptive;
    jg_sampling_proxy *proxy;
    jg_sampling_server server;
} sampling;

static jaeger_status validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const sampling_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "remote_sampling";
    int providers = c->file.enabled + c->adaptive.enabled + c->proxy.enabled + (c->provider.len > 0);
    if (!providers)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: no sampling strategy provider specified, expecting 'adaptive' or 'file'", path);
    if (providers > 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: only one sampling strategy provider can be specified, 'adaptive' or 'file'",
                       path);
    if (c->file.enabled && !(c->file.default_rate >= 0 && c->file.default_rate <= 1))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: DefaultSamplingProbability: %g does not validate as range(0|1)", path,
                       c->file.default_rate);
    return c->proxy.enabled ? jg_proxy_check(&c->proxy, path, err) : JAEGER_OK;
}

static jaeger_status create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(sampling *)self = (sampling){.id = in->id, .config = in->config, .log = in->log, .host = in->host};
    return JAEGER_OK;
}

static jaeger_status start_file(sampling *s, jaeger_error *err)
{
    const file_config *c = &s->config->file;
    jg_file_provider_options options = {.path = c->path.len ? c->path.ptr : "",
                                        .reload_interval_ns = c->reload_interval_ns,
                                        .default_rate = c->default_rate,
                                        .log = s->log};
    if (jg_file_provider_new(&options, &s->file, err) != JAEGER_OK)
        return jg_fail_prefix(err, "failed to create the local file strategy store");
    s->server.provider = &jg_file_provider_table;
    s->server.provider_self = s->file;
    return JAEGER_OK;
}

static jaeger_status start_adaptive(sampling *s, jaeger_error *err)
{
    JG_TRY(jg_adaptive_config_start(&s->config->adaptive, s->host, s->log, &s->adaptive, err));
    s->server.provider = &jg_adaptive_provider;
    s->server.provider_self = s->adaptive;
    return JAEGER_OK;
}

static jaeger_status start_proxy(sampling *s, jaeger_error *err)
{
    JG_TRY(jg_sampling_proxy_new(&s->config->proxy, s->host, &s->proxy, err));
    s->server.provider = &jg_strategy_cache_provider;
    s->server.provider_self = jg_sampling_proxy_cache(s->proxy);
    return JAEGER_OK;
}

static jaeger_status find_provider(sampling *s, jaeger_error *err)
{
    const char *id = s->config->provider.ptr;
    s->server.provider =
        jaeger_host_extension(s->host, id, JAEGER_SAMPLING_INTERFACE, &s->server.provider_self);
    if (s->server.provider)
        return JAEGER_OK;
    return jg_fail(err, JAEGER_FAILED_PRECONDITION,
                   "extension '%s' is not there or provides no sampling strategies", id);
}

static void stop(void *self, uint64_t deadline_ns)
{
    sampling *s = self;
    jg_sampling_server_stop(&s->server, deadline_ns);
    jg_file_provider_free(s->file);
    jg_adaptive_free(s->adaptive);
    jg_sampling_proxy_free(s->proxy);
    s->file = NULL;
    s->adaptive = NULL;
    s->proxy = NULL;
    s->server.provider = NULL;
}

static jaeger_status start(void *self, jaeger_error *err)
{
    sampling *s = self;
    const sampling_config *c = s->config;
    jaeger_status status = c->file.enabled       ? start_file(s, err)
                           : c->adaptive.enabled ? start_adaptive(s, err)
                           : c->proxy.enabled    ? start_proxy(s, err)
                                                 : find_provider(s, err);
    if (status == JAEGER_OK)
        status = jg_sampling_server_start(&s->server, s->id, s->host, &c->http, &c->grpc, err);
    if (status != JAEGER_OK)
        stop(s, 0);
    return status;
}

/* ---- for programs in the same process ---- */

static jaeger_status strategy_of(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    sampling *s = self;
    if (!s->server.provider)
        return jg_fail(&call->error, JAEGER_UNAVAILABLE, "remote_sampling does not run");
    return s->server.provider->strategy(s->server.provider_self, service, out, call);
}

static const void *interface(void *self, const char *name)
{
    static const jaeger_sampling_provider table = {.size = sizeof table, .strategy = strategy_of};
    const sampling *s = self;
    if (jg_str_is(JAEGER_STR(JG_ADAPTIVE_INTERFACE), name))
        return s->adaptive;
    return jg_str_is(JAEGER_STR(JAEGER_SAMPLING_INTERFACE), name) ? &table : NULL;
}

/* ---- keys ---- */

static const jaeger_field file_fields[] = {
    {.name = "path",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(file_config, path),
     .doc = "strategies file, or its URL; empty: the default probability for all"},
    {.name = "reload_interval",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(file_config, reload_interval_ns),
     .doc = "how often it is read again; 0: never"},
    {.name = "default_sampling_probability",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = offsetof(file_config, default_rate),
     .fallback = "0.001",
     .doc = "where the file says nothing; 0 to 1"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field http_fields[] = {
    JG_HTTP_SERVER_FIELDS(jg_sampling_http, server, ":5778", "false"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field grpc_fields[] = {
    JG_GRPC_SERVER_FIELDS(jg_sampling_grpc, server, ":5779"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field fields[] = {
    {.name = "file",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(sampling_config, file),
     .sub = file_fields,
     .sub_size = sizeof(file_config),
     .doc = "strategies from a file"},
    {.name = "adaptive",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(sampling_config, adaptive),
     .sub = jg_adaptive_fields,
     .sub_size = sizeof(jg_adaptive_config),
     .doc = "probabilities that follow the traffic; needs the processor adaptive_sampling"},
    {.name = "proxy",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(sampling_config, proxy),
     .sub = jg_proxy_fields,
     .sub_size = sizeof(jg_proxy_config),
     .doc = "strategies of another server (ours; Jaeger has no such key)"},
    {.name = "provider",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(sampling_config, provider),
     .doc = "an extension that provides strategies (for embedders)"},
    {.name = "http",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(sampling_config, http),
     .sub = http_fields,
     .sub_size = sizeof(jg_sampling_http),
     .doc = "serve over HTTP"},
    {.name = "grpc",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(sampling_config, grpc),
     .sub = grpc_fields,
     .sub_size = sizeof(jg_sampling_grpc),
     .doc = "serve over gRPC"},
    {.kind = JAEGER_FIELD_END},
};

static const char *const depends[] = {"?jaeger_storage",
                                      NULL}; /* adaptive sampling needs it, others do not */

const jaeger_component_type jg_extension_remote_sampling = {
    .size = sizeof(jaeger_component_type),
    .name = "remote_sampling",
    .doc = "tells clients how to sample",
    .kind = JAEGER_EXTENSION,
    .fields = fields,
    .config_size = sizeof(sampling_config),
    .state_size = sizeof(sampling),
    .validate = validate,
    .create = create,
    .start = start,
    .stop = stop,
    .interface = interface,
    .depends = depends,
};
