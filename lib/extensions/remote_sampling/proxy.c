/* SPDX-License-Identifier: Apache-2.0
 * See proxy.h. Asks jaeger.api_v2.SamplingManager by gRPC, or a sampling endpoint by HTTP; answers go through
 * a cache.
 */
#include "extensions/remote_sampling/proxy.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "net/grpc_client.h"
#include "sampling/fetch.h"
#include "sampling/strategy.h"

#define URL_BYTES_MAX 16384u /* base and an escaped service name */

struct jg_sampling_proxy {
    const jg_proxy_config *config;
    jg_grpc_client *client; /* NULL: by HTTP */
    jg_strategy_cache *cache;
};

/** The answer, in the arena: what is read from it points into it. */
static jaeger_status keep_text(jg_buf *answer, jaeger_arena *arena, jaeger_str *ret, jaeger_call *call)
{
    *ret = jaeger_arena_str(arena, jg_buf_view(answer));
    return ret->ptr ? JAEGER_OK : jg_fail_oom(&call->error);
}

static jaeger_status ask_grpc(jg_sampling_proxy *p, jaeger_str service, jaeger_arena *arena,
                              jaeger_strategy *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf request = JG_BUF_INIT(JG_HTTP_HEAD_BYTES_MAX);
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    jaeger_str text;
    jg_strategy_write_request(&request, service);
    if (!jg_buf_ok(&request))
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "service name of %zu bytes", service.len);
    JG_TRY(jg_grpc_unary(p->client, "/jaeger.api_v2.SamplingManager/GetSamplingStrategy",
                         jg_buf_view(&request), &answer, call));
    JG_TRY(keep_text(&answer, arena, &text, call));
    return jg_strategy_read_pb(text, arena, ret, &call->error);
}

static jaeger_status ask_http(jg_sampling_proxy *p, jaeger_str service, jaeger_arena *arena,
                              jaeger_strategy *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf url = JG_BUF_INIT(URL_BYTES_MAX);
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    jaeger_str text;
    long status;
    if (!jg_fetch_url_of(&url, p->config->http.endpoint, service))
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "service name of %zu bytes", service.len);
    JG_TRY(jg_fetch((const char *)url.data, p->config->timeout_ns, &answer, &status, &call->error));
    if (status != 200)
        return jg_fail(&call->error, JAEGER_UNAVAILABLE, "%.*s answered %ld",
                       JAEGER_STR_ARGS(p->config->http.endpoint), status);
    JG_TRY(keep_text(&answer, arena, &text, call));
    return jg_strategy_read_json(text, arena, ret, &call->error);
}

static jaeger_status ask(void *user, jaeger_str service, jaeger_arena *arena, jaeger_strategy *ret,
                         jaeger_call *call)
{
    jg_sampling_proxy *p = user;
    uint64_t asked_for = call->deadline_ns, until = jg_clock_mono_ns() + p->config->timeout_ns;
    call->deadline_ns = asked_for && asked_for < until ? asked_for : until;
    jaeger_status status =
        p->client ? ask_grpc(p, service, arena, ret, call) : ask_http(p, service, arena, ret, call);
    call->deadline_ns = asked_for;
    return status;
}

jaeger_status jg_proxy_check(const jg_proxy_config *config, const char *path, jaeger_error *err)
{
    if (config->grpc.enabled == config->http.enabled)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s::proxy: exactly one of 'grpc' and 'http' is needed",
                       path);
    if (config->http.enabled && !jg_str_starts(config->http.endpoint, JAEGER_STR("http://")) &&
        !jg_str_starts(config->http.endpoint, JAEGER_STR("https://")))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s::proxy::http::endpoint: must be a URL such as http://collector:5778/sampling",
                       path);
    return JAEGER_OK;
}

jaeger_status jg_sampling_proxy_new(const jg_proxy_config *config, jaeger_host *host, jg_sampling_proxy **ret,
                                    jaeger_error *err)
{
    jg_sampling_proxy *p = jg_calloc(1, sizeof *p);
    if (!p)
        return jg_fail_oom(err);
    jg_strategy_cache_options options = {
        .fetch = ask, .user = p, .fresh_ns = config->cache_ttl_ns, .stale_ns = config->stale_ttl_ns};
    p->config = config;
    p->cache = jg_strategy_cache_new(&options);
    jaeger_status status = p->cache ? JAEGER_OK : jg_fail_oom(err);
    if (status == JAEGER_OK && config->grpc.enabled)
        status = jg_grpc_client_new(jg_host_net(host), &config->grpc.client, 0, &p->client, err);
    if (status != JAEGER_OK) {
        jg_sampling_proxy_free(p);
        return status;
    }
    *ret = p;
    return JAEGER_OK;
}

void jg_sampling_proxy_free(jg_sampling_proxy *p)
{
    if (!p)
        return;
    jg_strategy_cache_free(p->cache);
    jg_grpc_client_free(p->client);
    jg_free(p);
}

jg_strategy_cache *jg_sampling_proxy_cache(jg_sampling_proxy *p)
{
    return p->cache;
}

#define GRPC_OFFSET(member) (offsetof(jg_proxy_config, member) - offsetof(jg_proxy_config, grpc))
#define HTTP_OFFSET(member) (offsetof(jg_proxy_config, member) - offsetof(jg_proxy_config, http))

static const jaeger_field grpc_fields[] = {
    {.name = "client",
     .kind = JAEGER_FIELD_SQUASH,
     .offset = GRPC_OFFSET(grpc.client),
     .sub = jg_grpc_client_fields,
     .sub_size = sizeof(jg_grpc_client_settings),
     .doc = "the server to ask"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field http_fields[] = {
    {.name = "endpoint",
     .kind = JAEGER_FIELD_STR,
     .offset = HTTP_OFFSET(http.endpoint),
     .doc = "URL, to which ?service= is added"},
    {.kind = JAEGER_FIELD_END},
};

const jaeger_field jg_proxy_fields[] = {
    {.name = "grpc",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(jg_proxy_config, grpc),
     .sub = grpc_fields,
     .sub_size = sizeof(((jg_proxy_config *)0)->grpc),
     .doc = "ask a SamplingManager (port 5779)"},
    {.name = "http",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     .offset = offsetof(jg_proxy_config, http),
     .sub = http_fields,
     .sub_size = sizeof(((jg_proxy_config *)0)->http),
     .doc = "ask an HTTP endpoint (port 5778)"},
    {.name = "timeout",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(jg_proxy_config, timeout_ns),
     .fallback = "5s",
     .doc = "of one question"},
    {.name = "cache_ttl",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(jg_proxy_config, cache_ttl_ns),
     .fallback = "15s",
     .doc = "how long an answer is served before it is asked for again"},
    {.name = "stale_ttl",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(jg_proxy_config, stale_ttl_ns),
     .fallback = "1h",
     .doc = "and how much longer while the server does not answer"},
    {.kind = JAEGER_FIELD_END},
};
