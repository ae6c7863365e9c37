/* SPDX-License-Identifier: Apache-2.0
 * Strategies from another server: for an agent, or a collector in front of others.
 */
#ifndef JG_EXTENSIONS_REMOTE_SAMPLING_PROXY_H
#define JG_EXTENSIONS_REMOTE_SAMPLING_PROXY_H

#include "net/settings.h"
#include "pipeline/host.h"
#include "sampling/cache.h"

typedef struct jg_proxy_config {
    bool enabled;
    struct {
        bool enabled;
        jg_grpc_client_settings client;
    } grpc;
    struct {
        bool enabled;
        jaeger_str endpoint;
    } http;
    uint64_t timeout_ns, cache_ttl_ns, stale_ttl_ns;
} jg_proxy_config;

extern const jaeger_field jg_proxy_fields[];

typedef struct jg_sampling_proxy jg_sampling_proxy;

/** @return INVALID_ARGUMENT: not exactly one of grpc and http, or no endpoint */
jaeger_status jg_proxy_check(const jg_proxy_config *config, const char *path,
                             jaeger_error *err) JG_MUST_CHECK;
/** Does not connect. `config` must outlive it. */
jaeger_status jg_sampling_proxy_new(const jg_proxy_config *config, jaeger_host *host, jg_sampling_proxy **ret,
                                    jaeger_error *err) JG_MUST_CHECK;
void jg_sampling_proxy_free(jg_sampling_proxy *proxy);
jg_strategy_cache *jg_sampling_proxy_cache(jg_sampling_proxy *proxy);

#endif
