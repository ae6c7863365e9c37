/* SPDX-License-Identifier: Apache-2.0
 * The shared configuration blocks of servers and clients: confighttp, configgrpc, configtls of the Collector. A
 * component puts the macro into its field table, with its own default endpoint.
 * Keys: reference in docs/components.md; rules: opentelemetry-collector config/confighttp, configgrpc, configtls.
 */
#ifndef JG_NET_SETTINGS_H
#define JG_NET_SETTINGS_H

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

typedef struct jg_auth_settings {
    bool enabled;
    jaeger_str authenticator;
    jaeger_str_list request_params;
} jg_auth_settings;

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

extern const jaeger_field jg_grpc_client_fields[];
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

#endif
