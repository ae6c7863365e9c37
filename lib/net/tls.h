/* SPDX-License-Identifier: Apache-2.0
 * TLS by OpenSSL 3: contexts from the settings of net/settings.h, and their reload. Loops and workers use the
 * SSL objects directly.
 */
#ifndef JG_NET_TLS_H
#define JG_NET_TLS_H

#include "core/attr.h"
#include "net/settings.h"
#include <openssl/ssl.h>

/** A server's context: certificate and key required; client_ca_file means mTLS. `settings` is read now only.
 *  @param alpn protocols offered, best first, comma-separated: "h2", "http/1.1", "h2,http/1.1"; a client that
 * offers others only is refused. NULL: no ALPN
 *  @return INVALID_ARGUMENT: files, versions, cipher suites. Owns: free with SSL_CTX_free */
jaeger_status jg_tls_server_ctx(const jg_tls_settings *settings, const char *alpn, SSL_CTX **ret,
                                jaeger_error *err) JG_MUST_CHECK;
/** What can be told without reading files: none named twice, a certificate with its key.
 *  @return INVALID_ARGUMENT */
jaeger_status jg_tls_check(const jg_tls_settings *settings, bool server, jaeger_error *err) JG_MUST_CHECK;
/** A client's context: verifies the server (system authorities, or ca_file) unless insecure_skip_verify. */
jaeger_status jg_tls_client_ctx(const jg_tls_settings *settings, const char *alpn, SSL_CTX **ret,
                                jaeger_error *err) JG_MUST_CHECK;
/** A client's connection state: SNI and the name to verify (server_name_override, else `host`: name or
 * address). Owns: free with SSL_free */
jaeger_status jg_tls_client_ssl(SSL_CTX *ctx, const jg_tls_settings *settings, const char *host, SSL **ret,
                                jaeger_error *err) JG_MUST_CHECK;

/** Make another library's client context one of ours (libcurl's): all of the above, except ALPN and the name
 * to verify, which is set only for server_name_override. */
jaeger_status jg_tls_client_apply(SSL_CTX *ctx, const jg_tls_settings *settings,
                                  jaeger_error *err) JG_MUST_CHECK;

/** A context that is made again from its files: after reload_interval, and when client_ca_file changes with
 *  client_ca_file_reload. If that fails, the old one stays. Session tickets stay valid across reloads. */
typedef struct jg_tls jg_tls;
/** @param settings must outlive the object */
jaeger_status jg_tls_new(const jg_tls_settings *settings, bool server, const char *alpn,
                         const jaeger_logger *log, jg_tls **ret, jaeger_error *err) JG_MUST_CHECK;
/** Accepts NULL. */
void jg_tls_free(jg_tls *tls);
/** The context for one new connection; reloads first if it is due. Threads: any. Owns: SSL_CTX_free */
SSL_CTX *jg_tls_get(jg_tls *tls);

/** Text of the first queued OpenSSL error, and empty the queue. */
const char *jg_tls_error_text(char *out, size_t size);

#endif
