/* SPDX-License-Identifier: Apache-2.0
 * The endpoints of remote_sampling over any provider of strategies.
 */
#ifndef JG_EXTENSIONS_REMOTE_SAMPLING_SERVE_H
#define JG_EXTENSIONS_REMOTE_SAMPLING_SERVE_H

#include "net/auth.h"
#include "pipeline/host.h"
#include <jaeger/sampling.h>

typedef struct jg_sampling_http {
    bool enabled; /* of the configuration block */
    jg_http_server_settings server;
} jg_sampling_http;

typedef struct jg_sampling_grpc {
    bool enabled;
    jg_grpc_server_settings server;
} jg_sampling_grpc;

typedef struct jg_sampling_server {
    const jaeger_sampling_provider *provider;
    void *provider_self;
    jg_auth http_auth, grpc_auth;
    jg_http_server *http;
    jg_grpc_server *grpc;
    jg_metric *served, *bad_requests, *provider_failures, *encode_failures;
} jg_sampling_server;

/** Serve what is enabled. The provider is set before. Settings must outlive the server.
 *  @return as jg_http_server_start; stop also after a failure */
jaeger_status jg_sampling_server_start(jg_sampling_server *server, const char *id, jaeger_host *host,
                                       const jg_sampling_http *http, const jg_sampling_grpc *grpc,
                                       jaeger_error *err) JG_MUST_CHECK;
void jg_sampling_server_stop(jg_sampling_server *server, uint64_t deadline_ns);

#endif
