/* SPDX-License-Identifier: Apache-2.0
 * Field tables of the blocks that servers and clients share. Keys and defaults: opentelemetry-collector
 * config/configtls, confighttp, configgrpc, configauth.
 */
#include "net/settings.h"

#define FIELD(type, member, key, field_kind, ...)                                                            \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }

#define TLS(member, key, kind, text) FIELD(jg_tls_settings, member, key, kind, .doc = (text))
#define TLS_COMMON                                                                                           \
    TLS(ca_file, "ca_file", JAEGER_FIELD_STR, "PEM file of authorities; default: the system's"),             \
        TLS(ca_pem, "ca_pem", JAEGER_FIELD_STR, "the same as text"),                                         \
        TLS(include_system_ca_certs_pool, "include_system_ca_certs_pool", JAEGER_FIELD_BOOL,                 \
            "trust the system's authorities too"),                                                           \
        TLS(cert_file, "cert_file", JAEGER_FIELD_STR, "PEM file of the certificate chain"),                  \
        TLS(cert_pem, "cert_pem", JAEGER_FIELD_STR, "the same as text"),                                     \
        TLS(key_file, "key_file", JAEGER_FIELD_STR, "PEM file of the private key"),                          \
        TLS(key_pem, "key_pem", JAEGER_FIELD_STR, "the same as text"),                                       \
        FIELD(jg_tls_settings, min_version, "min_version", JAEGER_FIELD_STR, .fallback = "1.2",              \
              .doc = "1.0, 1.1, 1.2 or 1.3"),                                                                \
        TLS(max_version, "max_version", JAEGER_FIELD_STR, "default: the highest there is"),                  \
        TLS(cipher_suites, "cipher_suites", JAEGER_FIELD_STRS, "IANA names; default: the library's"),        \
        TLS(include_insecure_cipher_suites, "include_insecure_cipher_suites", JAEGER_FIELD_BOOL,             \
            "cipher_suites may name weak suites"),                                                           \
        TLS(curve_preferences, "curve_preferences", JAEGER_FIELD_STRS,                                       \
            "X25519, P256, P384, P521, X25519MLKEM768"),                                                     \
        TLS(reload_interval_ns, "reload_interval", JAEGER_FIELD_DURATION,                                    \
            "read certificate and key again when they are older; 0: never")

const jaeger_field jg_tls_server_fields[] = {
    TLS_COMMON,
    TLS(client_ca_file, "client_ca_file", JAEGER_FIELD_STR,
        "PEM file; clients must show a certificate of it"),
    TLS(client_ca_file_reload, "client_ca_file_reload", JAEGER_FIELD_BOOL,
        "read client_ca_file again when it changes"),
    {.kind = JAEGER_FIELD_END},
};

const jaeger_field jg_tls_client_fields[] = {
    TLS_COMMON,
    TLS(insecure, "insecure", JAEGER_FIELD_BOOL, "no TLS"),
    TLS(insecure_skip_verify, "insecure_skip_verify", JAEGER_FIELD_BOOL,
        "do not verify the server's certificate"),
    TLS(server_name_override, "server_name_override", JAEGER_FIELD_STR,
        "name to verify instead of the endpoint's host"),
    {.kind = JAEGER_FIELD_END},
};

const jaeger_field jg_cors_fields[] = {
    FIELD(jg_cors_settings, allowed_origins, "allowed_origins", JAEGER_FIELD_STRS,
          .doc = "origins, with * as wildcard; the block does nothing without them"),
    FIELD(jg_cors_settings, allowed_headers, "allowed_headers", JAEGER_FIELD_STRS,
          .doc = "request headers beyond the simple ones"),
    FIELD(jg_cors_settings, exposed_headers, "exposed_headers", JAEGER_FIELD_STRS,
          .doc = "response headers that scripts may read"),
    FIELD(jg_cors_settings, max_age_s, "max_age", JAEGER_FIELD_U64,
          .doc = "how long a preflight answer is kept [s]"),
    {.kind = JAEGER_FIELD_END},
};

const jaeger_field jg_auth_fields[] = {
    FIELD(jg_auth_settings, authenticator, "authenticator", JAEGER_FIELD_STR,
          .doc = "id of the extension that decides"),
    FIELD(jg_auth_settings, request_params, "request_params", JAEGER_FIELD_STRS,
          .doc = "query parameters that it sees as metadata"),
    {.kind = JAEGER_FIELD_END},
};

/* ---- keepalive --------------------------------------------------------------------------------------------
 */

typedef __typeof__(((jg_grpc_server_settings *)0)->keepalive) keepalive;
typedef __typeof__(((keepalive *)0)->server_parameters) server_parameters;
typedef __typeof__(((keepalive *)0)->enforcement_policy) enforcement_policy;

static const jaeger_field server_parameter_fields[] = {
    FIELD(server_parameters, max_connection_idle_ns, "max_connection_idle", JAEGER_FIELD_DURATION,
          .doc = "close connections without calls after this; 0: never"),
    FIELD(server_parameters, max_connection_age_ns, "max_connection_age", JAEGER_FIELD_DURATION,
          .doc = "ask connections to end after this, give or take a tenth; 0: never"),
    FIELD(server_parameters, max_connection_age_grace_ns, "max_connection_age_grace", JAEGER_FIELD_DURATION,
          .doc = "time for their calls to end; 0: no limit"),
    FIELD(server_parameters, time_ns, "time", JAEGER_FIELD_DURATION,
          .doc = "ping a connection that was silent for this long; 0: 2h"),
    FIELD(server_parameters, timeout_ns, "timeout", JAEGER_FIELD_DURATION,
          .doc = "close it if nothing comes back in this time; 0: 20s"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field enforcement_fields[] = {
    FIELD(enforcement_policy, min_time_ns, "min_time", JAEGER_FIELD_DURATION,
          .doc = "clients that ping more often are cut off; 0: 5m"),
    FIELD(enforcement_policy, permit_without_stream, "permit_without_stream", JAEGER_FIELD_BOOL,
          .doc = "clients may ping while they have no call"),
    {.kind = JAEGER_FIELD_END},
};

const jaeger_field jg_grpc_keepalive_server_fields[] = {
    FIELD(keepalive, server_parameters, "server_parameters", JAEGER_FIELD_BLOCK,
          .sub = server_parameter_fields, .sub_size = sizeof(server_parameters), .doc = "pings and ages"),
    FIELD(keepalive, enforcement_policy, "enforcement_policy", JAEGER_FIELD_BLOCK, .sub = enforcement_fields,
          .sub_size = sizeof(enforcement_policy), .doc = "what clients may do"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field keepalive_client_fields[] = {
    FIELD(jg_keepalive_client_settings, time_ns, "time", JAEGER_FIELD_DURATION,
          .doc = "ping a server that was silent for this long; 0: never"),
    FIELD(jg_keepalive_client_settings, timeout_ns, "timeout", JAEGER_FIELD_DURATION,
          .doc = "connect again if nothing comes back in this time; 0: 20s"),
    FIELD(jg_keepalive_client_settings, permit_without_stream, "permit_without_stream", JAEGER_FIELD_BOOL,
          .doc = "ping also while there is no call"),
    {.kind = JAEGER_FIELD_END},
};

#define CLIENT(member, key, kind, ...) FIELD(jg_grpc_client_settings, member, key, kind, __VA_ARGS__)
#define GRPC_CLIENT_FIELDS(compression_default)                                                              \
    CLIENT(endpoint, "endpoint", JAEGER_FIELD_STR,                                                           \
           .doc = "host:port; http:// means plain, https:// means TLS; or unix:path"),                       \
        CLIENT(compression, "compression", JAEGER_FIELD_STR, .fallback = (compression_default),              \
               .doc = "gzip, snappy, zstd, none or empty"),                                                  \
        CLIENT(tls, "tls", JAEGER_FIELD_BLOCK, .sub = jg_tls_client_fields,                                  \
               .sub_size = sizeof(jg_tls_settings), .doc = "TLS is on unless insecure: true"),               \
        CLIENT(keepalive, "keepalive", JAEGER_FIELD_OPTIONAL_N, .sub = keepalive_client_fields,              \
               .sub_size = sizeof(jg_keepalive_client_settings), .doc = "pings"),                            \
        CLIENT(read_buffer_size, "read_buffer_size", JAEGER_FIELD_U64, .doc = "accepted for compatibility"), \
        CLIENT(write_buffer_size, "write_buffer_size", JAEGER_FIELD_U64,                                     \
               .doc = "accepted for compatibility"),                                                         \
        CLIENT(wait_for_ready, "wait_for_ready", JAEGER_FIELD_BOOL,                                          \
               .doc = "calls wait for a connection up to their deadline"),                                   \
        CLIENT(headers, "headers", JAEGER_FIELD_PAIRS, .doc = "metadata of every call"),                     \
        CLIENT(user_agent, "user_agent", JAEGER_FIELD_STR, .doc = "instead of ours"),                        \
        CLIENT(balancer_name, "balancer_name", JAEGER_FIELD_STR, .fallback = "round_robin",                  \
               .doc = "round_robin or pick_first"),                                                          \
        CLIENT(authority, "authority", JAEGER_FIELD_STR, .doc = ":authority, instead of the endpoint"),      \
        CLIENT(auth, "auth", JAEGER_FIELD_OPTIONAL_N, .sub = jg_auth_fields,                                 \
               .sub_size = sizeof(jg_auth_settings), .doc = "authenticator extension"),                      \
        CLIENT(middlewares, "middlewares", JAEGER_FIELD_STRS, .doc = "accepted for compatibility")

const jaeger_field jg_grpc_client_fields[] = {GRPC_CLIENT_FIELDS(NULL), {.kind = JAEGER_FIELD_END}};
const jaeger_field jg_grpc_client_gzip_fields[] = {GRPC_CLIENT_FIELDS("gzip"), {.kind = JAEGER_FIELD_END}};

const jaeger_field jg_http_compression_fields[] = {
    {.name = "level", .kind = JAEGER_FIELD_I64, .doc = "of the coding; 0: its default"},
    {.kind = JAEGER_FIELD_END},
};
