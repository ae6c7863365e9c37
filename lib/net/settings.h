/* SPDX-License-Identifier: Apache-2.0
 * The shared configuration blocks of servers and clients: confighttp, configgrpc, configtls of the Collector. A
 * component puts the macro into its field table, with its own default endpoint.
 * Keys: reference in docs/components.md; rules: opentelemetry-collector config/confighttp, configgrpc, configtls.
 */
#ifndef JG_NET_SETTINGS_H
#define JG_NET_SETTINGS_H

#include "core/auth.h"
#include <jaeger/config.h>

typedef struct jg_tls_settings { /* TLSs and TLSc of the reference */
    bool enabled;                /* set by the optional block */
    bool insecure, insecure_skip_verify, include_system_ca_certs_pool, include_insecure_cipher_suites;
    jaeger_str ca_file, ca_pem, cert_file, cert_pem, key_file, key_pem, client_ca_file, server_name_override;
    jaeger_str min_version, max_version;
    jaeger_str_list cipher_suites, curve_preferences;
    uint64_t reload_interval_ns;
    bool client_ca_file_reload;
} jg_tls_settings;

typedef struct jg_cors_settings {
    bool enabled;
    jaeger_str_list allowed_origins, allowed_headers, exposed_headers;
    uint64_t max_age_s;
} jg_cors_settings;

typedef struct jg_http_server_settings {
    jaeger_str endpoint, transport;
    jg_tls_settings tls;
    jg_cors_settings cors;
    jg_auth_settings auth;
    uint64_t max_request_body_bytes; /* 0: JG_HTTP_BODY_BYTES_MAX */
    bool include_metadata;
    jaeger_pair_list response_headers;
    jaeger_str_list compression_algorithms;
    uint64_t read_timeout_ns, read_header_timeout_ns, write_timeout_ns, idle_timeout_ns; /* 0: none configured */
    bool keep_alives_enabled;
    jaeger_str_list middlewares;
} jg_http_server_settings;

typedef struct jg_grpc_server_settings {
    jaeger_str endpoint, transport;
    jg_tls_settings tls;
    jg_auth_settings auth;
    uint64_t max_recv_msg_size_mib; /* 0: 4 */
    uint32_t max_concurrent_streams;
    uint64_t read_buffer_size, write_buffer_size;
    struct {
        struct {
            uint64_t max_connection_idle_ns, max_connection_age_ns, max_connection_age_grace_ns, time_ns, timeout_ns;
        } server_parameters;
        struct {
            uint64_t min_time_ns;
            bool permit_without_stream;
        } enforcement_policy;
    } keepalive; /* zeroes: gRPC's defaults */
    bool include_metadata;
    jaeger_str_list middlewares;
} jg_grpc_server_settings;

typedef struct jg_keepalive_client_settings {
    bool enabled;
    uint64_t time_ns, timeout_ns;
    bool permit_without_stream;
} jg_keepalive_client_settings;

/** A gRPC client; a component squashes jg_grpc_client_fields into its table (JAEGER_FIELD_SQUASH). */
typedef struct jg_grpc_client_settings {
    jaeger_str endpoint, compression;
    jg_tls_settings tls; /* on unless tls.insecure */
    jg_keepalive_client_settings keepalive;
    uint64_t read_buffer_size, write_buffer_size;
    bool wait_for_ready;
    jaeger_pair_list headers;
    jaeger_str user_agent, balancer_name, authority;
    jg_auth_settings auth;
    jaeger_str_list middlewares;
} jg_grpc_client_settings;

/** An HTTP client; a component puts JG_HTTP_CLIENT_FIELDS into its table, with its own default timeout. */
typedef struct jg_http_client_settings {
    jaeger_str endpoint, proxy_url;
    jg_tls_settings tls;
    uint64_t read_buffer_size, write_buffer_size, timeout_ns;
    jaeger_pair_list headers;
    jg_auth_settings auth;
    jaeger_str compression;
    struct {
        int64_t level;
    } compression_params;
    uint64_t max_idle_conns, max_idle_conns_per_host, max_conns_per_host; /* 0: no limit of their own */
    uint64_t idle_conn_timeout_ns;
    bool disable_keep_alives, force_attempt_http2;
    uint64_t http2_read_idle_timeout_ns, http2_ping_timeout_ns;
    const jaeger_config *cookies;
    jaeger_str_list middlewares;
} jg_http_client_settings;

extern const jaeger_field jg_grpc_client_fields[], jg_grpc_client_gzip_fields[]; /* the latter compress */
extern const jaeger_field jg_http_compression_fields[];
extern const jaeger_field jg_tls_server_fields[], jg_tls_client_fields[], jg_cors_fields[], jg_auth_fields[],
    jg_grpc_keepalive_server_fields[];

#define JG_HTTP_SERVER_FIELDS(type, member, endpoint_default, keep_alive_default)                                      \
    {.name = "endpoint", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.endpoint),                          \
     .fallback = endpoint_default, .doc = "host:port to listen on"},                                                   \
    {.name = "transport", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.transport), .fallback = "tcp",     \
     .doc = "tcp, tcp4, tcp6 or unix"},                                                                                \
    {.name = "tls", .kind = JAEGER_FIELD_OPTIONAL_N, .offset = offsetof(type, member.tls), .sub = jg_tls_server_fields,\
     .sub_size = sizeof(jg_tls_settings), .doc = "serve over TLS"},                                                    \
    {.name = "cors", .kind = JAEGER_FIELD_OPTIONAL_N, .offset = offsetof(type, member.cors), .sub = jg_cors_fields,    \
     .sub_size = sizeof(jg_cors_settings), .doc = "answer cross-origin requests"},                                     \
    {.name = "auth", .kind = JAEGER_FIELD_OPTIONAL_N, .offset = offsetof(type, member.auth), .sub = jg_auth_fields,    \
     .sub_size = sizeof(jg_auth_settings), .doc = "authenticator extension"},                                          \
    {.name = "max_request_body_size", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.max_request_body_bytes),\
     .doc = "bytes, compressed and decompressed; 0: 20 MiB"},                                                          \
    {.name = "include_metadata", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(type, member.include_metadata),         \
     .doc = "keep request headers for the pipeline"},                                                                  \
    {.name = "response_headers", .kind = JAEGER_FIELD_PAIRS, .offset = offsetof(type, member.response_headers),        \
     .doc = "headers added to every response"},                                                                        \
    {.name = "compression_algorithms", .kind = JAEGER_FIELD_STRS,                                                      \
     .offset = offsetof(type, member.compression_algorithms), .doc = "accepted Content-Encodings; default: all"},      \
    {.name = "read_timeout", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(type, member.read_timeout_ns),          \
     .doc = "for a whole request; 0: none"},                                                                           \
    {.name = "read_header_timeout", .kind = JAEGER_FIELD_DURATION,                                                     \
     .offset = offsetof(type, member.read_header_timeout_ns), .doc = "for the headers; 0: none"},                      \
    {.name = "write_timeout", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(type, member.write_timeout_ns),        \
     .doc = "for a whole response; 0: none"},                                                                          \
    {.name = "idle_timeout", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(type, member.idle_timeout_ns),          \
     .doc = "between requests; 0: none"},                                                                              \
    {.name = "keep_alives_enabled", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(type, member.keep_alives_enabled),   \
     .fallback = keep_alive_default, .doc = "keep connections open between requests"},                                 \
    {.name = "middlewares", .kind = JAEGER_FIELD_STRS, .offset = offsetof(type, member.middlewares),                   \
     .doc = "accepted for compatibility"}

#define JG_GRPC_SERVER_FIELDS(type, member, endpoint_default)                                                          \
    {.name = "endpoint", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.endpoint),                          \
     .fallback = endpoint_default, .doc = "host:port to listen on"},                                                   \
    {.name = "transport", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.transport), .fallback = "tcp",     \
     .doc = "tcp, tcp4, tcp6 or unix"},                                                                                \
    {.name = "tls", .kind = JAEGER_FIELD_OPTIONAL_N, .offset = offsetof(type, member.tls), .sub = jg_tls_server_fields,\
     .sub_size = sizeof(jg_tls_settings), .doc = "serve over TLS"},                                                    \
    {.name = "auth", .kind = JAEGER_FIELD_OPTIONAL_N, .offset = offsetof(type, member.auth), .sub = jg_auth_fields,    \
     .sub_size = sizeof(jg_auth_settings), .doc = "authenticator extension"},                                          \
    {.name = "max_recv_msg_size_mib", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.max_recv_msg_size_mib),\
     .doc = "largest message [MiB]; 0: 4"},                                                                            \
    {.name = "max_concurrent_streams", .kind = JAEGER_FIELD_U32,                                                       \
     .offset = offsetof(type, member.max_concurrent_streams), .doc = "streams of one connection; 0: 256"},             \
    {.name = "read_buffer_size", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.read_buffer_size),          \
     .doc = "accepted for compatibility"},                                                                             \
    {.name = "write_buffer_size", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.write_buffer_size),        \
     .doc = "accepted for compatibility"},                                                                             \
    {.name = "keepalive", .kind = JAEGER_FIELD_BLOCK, .offset = offsetof(type, member.keepalive),                      \
     .sub = jg_grpc_keepalive_server_fields, .sub_size = sizeof(((type *)0)->member.keepalive),                        \
     .doc = "pings and ages of connections"},                                                                          \
    {.name = "include_metadata", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(type, member.include_metadata),         \
     .doc = "keep request metadata for the pipeline"},                                                                 \
    {.name = "middlewares", .kind = JAEGER_FIELD_STRS, .offset = offsetof(type, member.middlewares),                   \
     .doc = "accepted for compatibility"}

#define JG_HTTP_CLIENT_FIELDS(type, member, timeout_default, compression_default)                                      \
    {.name = "endpoint", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.endpoint),                          \
     .doc = "http:// or https:// URL"},                                                                                \
    {.name = "proxy_url", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.proxy_url),                        \
     .doc = "proxy; the environment is not asked"},                                                                    \
    {.name = "tls", .kind = JAEGER_FIELD_BLOCK, .offset = offsetof(type, member.tls), .sub = jg_tls_client_fields,     \
     .sub_size = sizeof(jg_tls_settings), .doc = "TLS of https:// URLs"},                                              \
    {.name = "read_buffer_size", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.read_buffer_size),          \
     .doc = "accepted for compatibility"},                                                                             \
    {.name = "write_buffer_size", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.write_buffer_size),        \
     .doc = "accepted for compatibility"},                                                                             \
    {.name = "timeout", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(type, member.timeout_ns),                    \
     .fallback = timeout_default, .doc = "for one request; 0: none"},                                                  \
    {.name = "headers", .kind = JAEGER_FIELD_PAIRS, .offset = offsetof(type, member.headers),                          \
     .doc = "headers of every request; Host replaces the URL's"},                                                      \
    {.name = "auth", .kind = JAEGER_FIELD_OPTIONAL_N, .offset = offsetof(type, member.auth), .sub = jg_auth_fields,    \
     .sub_size = sizeof(jg_auth_settings), .doc = "authenticator extension"},                                          \
    {.name = "compression", .kind = JAEGER_FIELD_STR, .offset = offsetof(type, member.compression),                    \
     .fallback = compression_default,                                                                                  \
     .doc = "gzip, zlib, deflate, snappy, x-snappy-framed, zstd, lz4, none or empty"},                                 \
    {.name = "compression_params", .kind = JAEGER_FIELD_BLOCK, .offset = offsetof(type, member.compression_params),    \
     .sub = jg_http_compression_fields, .sub_size = sizeof(((type *)0)->member.compression_params),                    \
     .doc = "how hard to compress"},                                                                                   \
    {.name = "max_idle_conns", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.max_idle_conns),              \
     .fallback = "100", .doc = "connections kept open"},                                                               \
    {.name = "max_idle_conns_per_host", .kind = JAEGER_FIELD_U64,                                                      \
     .offset = offsetof(type, member.max_idle_conns_per_host), .doc = "the same; the smaller one counts; 0: no limit"},\
    {.name = "max_conns_per_host", .kind = JAEGER_FIELD_U64, .offset = offsetof(type, member.max_conns_per_host),      \
     .doc = "requests at once; 0: no limit"},                                                                          \
    {.name = "idle_conn_timeout", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(type, member.idle_conn_timeout_ns),\
     .fallback = "90s", .doc = "how long an idle connection is used again"},                                           \
    {.name = "disable_keep_alives", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(type, member.disable_keep_alives),   \
     .doc = "a connection for each request"},                                                                          \
    {.name = "http2_read_idle_timeout", .kind = JAEGER_FIELD_DURATION,                                                 \
     .offset = offsetof(type, member.http2_read_idle_timeout_ns), .doc = "accepted for compatibility"},                \
    {.name = "http2_ping_timeout", .kind = JAEGER_FIELD_DURATION,                                                      \
     .offset = offsetof(type, member.http2_ping_timeout_ns), .doc = "accepted for compatibility"},                     \
    {.name = "cookies", .kind = JAEGER_FIELD_NODE, .offset = offsetof(type, member.cookies),                           \
     .doc = "accepted for compatibility: cookies are not kept"},                                                       \
    {.name = "force_attempt_http2", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(type, member.force_attempt_http2),   \
     .fallback = "true", .doc = "offer HTTP/2 in TLS handshakes"},                                                     \
    {.name = "middlewares", .kind = JAEGER_FIELD_STRS, .offset = offsetof(type, member.middlewares),                   \
     .doc = "accepted for compatibility"}

#endif
