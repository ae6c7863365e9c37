/* SPDX-License-Identifier: Apache-2.0
 * Contexts. Rules and wording: opentelemetry-collector config/configtls.
 * Defaults are OpenSSL's, with TLS 1.2 as the lowest version; renegotiation and compression are off.
 */
#include "net/tls.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/stat.h>

#define LIST_BYTES_MAX   4096 /* cipher and curve lists as OpenSSL takes them */
#define TICKET_KEY_BYTES 80   /* name, HMAC and AES keys: what SSL_CTX_set_tlsext_ticket_keys takes */

const char *jg_tls_error_text(char *out, size_t size)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    (void)snprintf(out, size, "%s", reason ? reason : "unknown TLS error");
    ERR_clear_error();
    return out;
}

static jaeger_status fail_ssl(jaeger_error *err, const char *what, jaeger_str name)
{
    char text[160];
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "failed to load TLS config: %s%s%.*s: %s", what,
                   name.len ? " " : "", JAEGER_STR_ARGS(name), jg_tls_error_text(text, sizeof text));
}

/* ---- versions, suites, curves -----------------------------------------------------------------------------
 */

static bool version_number(jaeger_str text, int fallback, int *ret)
{
    static const struct {
        const char *name;
        int number;
    } versions[] = {
        {"1.0", TLS1_VERSION}, {"1.1", TLS1_1_VERSION}, {"1.2", TLS1_2_VERSION}, {"1.3", TLS1_3_VERSION}};
    *ret = fallback;
    if (!text.len)
        return true;
    for (size_t i = 0; i < JG_COUNT(versions); i++)
        if (jg_str_is(text, versions[i].name)) {
            *ret = versions[i].number;
            return true;
        }
    return false;
}

static jaeger_status set_versions(SSL_CTX *ctx, const jg_tls_settings *s, jaeger_error *err)
{
    int min, max;
    if (!version_number(s->min_version, TLS1_2_VERSION, &min))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "invalid TLS min_version: unsupported TLS version: \"%.*s\"",
                       JAEGER_STR_ARGS(s->min_version));
    if (!version_number(s->max_version, TLS1_3_VERSION, &max))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "invalid TLS max_version: unsupported TLS version: \"%.*s\"",
                       JAEGER_STR_ARGS(s->max_version));
    if (min > max)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "invalid TLS configuration: min_version cannot be greater than max_version");
    if (!SSL_CTX_set_min_proto_version(ctx, min) || !SSL_CTX_set_max_proto_version(ctx, max))
        return fail_ssl(err, "versions", (jaeger_str){0});
    if (min < TLS1_2_VERSION)
        SSL_CTX_set_security_level(ctx, 0); /* their MAC is below every other level */
    return JAEGER_OK;
}

/** The suites that Go counts as secure; TLS 1.3's are always on. */
static bool suite_is_secure(jaeger_str name)
{
    return (jg_str_starts(name, JAEGER_STR("TLS_ECDHE_")) &&
            (memmem(name.ptr, name.len, "_GCM_", 5) || memmem(name.ptr, name.len, "CHACHA20_POLY1305", 17) ||
             (memmem(name.ptr, name.len, "AES_", 4) && name.len > 8 &&
              memcmp(name.ptr + name.len - 8, "_CBC_SHA", 8) == 0)));
}

static bool suite_is_13(jaeger_str name)
{
    return jg_str_is(name, "TLS_AES_128_GCM_SHA256") || jg_str_is(name, "TLS_AES_256_GCM_SHA384") ||
           jg_str_is(name, "TLS_CHACHA20_POLY1305_SHA256");
}

static jaeger_status set_suites(SSL_CTX *ctx, const jg_tls_settings *s, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf list = JG_BUF_INIT(LIST_BYTES_MAX);
    for (size_t i = 0; i < s->cipher_suites.count; i++) {
        jaeger_str name = s->cipher_suites.items[i];
        if (suite_is_13(name))
            continue;
        const char *ours = OPENSSL_cipher_name(name.ptr); /* field strings are NUL-terminated */
        if (!ours || strcmp(ours, "(NONE)") == 0 ||
            !(suite_is_secure(name) || s->include_insecure_cipher_suites))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid TLS cipher suite: \"%.*s\"",
                           JAEGER_STR_ARGS(name));
        jg_buf_printf(&list, "%s%s", list.len ? ":" : "", ours);
    }
    if (!list.len)
        return jg_buf_ok(&list) ? JAEGER_OK : jg_fail_oom(err);
    jg_buf_byte(&list, 0);
    if (!jg_buf_ok(&list))
        return jg_fail_oom(err);
    return SSL_CTX_set_cipher_list(ctx, (const char *)list.data)
               ? JAEGER_OK
               : fail_ssl(err, "cipher_suites", (jaeger_str){0});
}

static jaeger_status set_curves(SSL_CTX *ctx, const jg_tls_settings *s, jaeger_error *err)
{
    static const char *const known[][2] = {{"X25519", "X25519"},
                                           {"P256", "P-256"},
                                           {"P384", "P-384"},
                                           {"P521", "P-521"},
                                           {"X25519MLKEM768", NULL}};
    JG_AUTO_BUF jg_buf list = JG_BUF_INIT(LIST_BYTES_MAX);
    for (size_t i = 0; i < s->curve_preferences.count; i++) {
        size_t k = 0;
        while (k < JG_COUNT(known) && !jg_str_is(s->curve_preferences.items[i], known[k][0]))
            k++;
        if (k == JG_COUNT(known))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid curve type: %.*s",
                           JAEGER_STR_ARGS(s->curve_preferences.items[i]));
        if (known[k][1]) /* OpenSSL 3.0 has no ML-KEM: the peer falls back to the next one */
            jg_buf_printf(&list, "%s%s", list.len ? ":" : "", known[k][1]);
    }
    if (!list.len)
        return jg_buf_ok(&list) ? JAEGER_OK : jg_fail_oom(err);
    jg_buf_byte(&list, 0);
    if (!jg_buf_ok(&list))
        return jg_fail_oom(err);
    return SSL_CTX_set1_groups_list(ctx, (const char *)list.data)
               ? JAEGER_OK
               : fail_ssl(err, "curve_preferences", (jaeger_str){0});
}

/* ---- certificates -----------------------------------------------------------------------------------------
 */

static int no_password(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing, (void)user;
    return 0; /* never ask on the terminal */
}

static BIO *open_pem(jaeger_str file, jaeger_str pem)
{
    return file.len ? BIO_new_file(file.ptr, "r") : BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

static bool use_chain(SSL_CTX *ctx, BIO *bio)
{
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
    bool ok = leaf && SSL_CTX_use_certificate(ctx, leaf) == 1;
    X509_free(leaf);
    X509 *more;
    while (ok && (more = PEM_read_bio_X509(bio, NULL, no_password, NULL)))
        if (!SSL_CTX_add0_chain_cert(ctx, more)) {
            X509_free(more);
            ok = false;
        }
    if (ok)
        ERR_clear_error(); /* the end of the file */
    return ok;
}

static jaeger_status set_pair(SSL_CTX *ctx, const jg_tls_settings *s, jaeger_error *err)
{
    BIO *bio = open_pem(s->cert_file, s->cert_pem);
    bool ok = bio && use_chain(ctx, bio);
    BIO_free(bio);
    if (!ok)
        return fail_ssl(err, "failed to load TLS cert and key: certificate", s->cert_file);
    bio = open_pem(s->key_file, s->key_pem);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok ? JAEGER_OK : fail_ssl(err, "failed to load TLS cert and key: key", s->key_file);
}

static bool add_authorities(SSL_CTX *ctx, BIO *bio)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t count = 0;
    X509 *cert;
    while ((cert = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        bool ok = X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
        if (!ok)
            return false;
        count++;
    }
    if (count)
        ERR_clear_error();
    return count > 0;
}

static jaeger_status set_authorities(SSL_CTX *ctx, jaeger_str file, jaeger_str pem, bool and_system,
                                     jaeger_error *err)
{
    if ((and_system || (!file.len && !pem.len)) && !SSL_CTX_set_default_verify_paths(ctx))
        return fail_ssl(err, "system authorities", (jaeger_str){0});
    if (!file.len && !pem.len)
        return JAEGER_OK;
    BIO *bio = open_pem(file, pem);
    bool ok = bio && add_authorities(ctx, bio);
    BIO_free(bio);
    return ok ? JAEGER_OK : fail_ssl(err, "failed to load CA CertPool: failed to load cert", file);
}

jaeger_status jg_tls_check(const jg_tls_settings *s, bool server, jaeger_error *err)
{
    if (s->ca_file.len && s->ca_pem.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "provide either a CA file or the PEM-encoded string, but not both");
    if ((s->cert_file.len && s->cert_pem.len) || (s->key_file.len && s->key_pem.len))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "failed to load TLS config: for auth via TLS, provide either a "
                       "file or the PEM-encoded string for certificate and key");
    bool cert = s->cert_file.len || s->cert_pem.len, key = s->key_file.len || s->key_pem.len;
    if (cert != key)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "failed to load TLS config: for auth via TLS, provide both certificate and key, or neither");
    if (server && !cert)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "TLS configuration must include both certificate and key for server");
    return JAEGER_OK;
}

/* ---- ALPN -------------------------------------------------------------------------------------------------
 */

/** "h2,http/1.1" to length-prefixed names. @return length, 0: too long */
static size_t alpn_wire(const char *alpn, unsigned char out[64])
{
    size_t len = 0;
    for (jaeger_str rest = jg_str(alpn); rest.len;) {
        size_t n = jg_str_find(rest, ',');
        if (!n || n > 32 || len + 1 + n > 64)
            return 0;
        out[len++] = (unsigned char)n;
        memcpy(out + len, rest.ptr, n);
        len += n;
        rest = jg_str_skip(rest, n + 1);
    }
    return len;
}

/** `user` is the list, of static lifetime. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *user)
{
    (void)ssl;
    unsigned char ours[64];
    size_t len = alpn_wire(user, ours);
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, ours, (unsigned)len, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    for (size_t i = 0; i + *out_len <= offered_len; i += offered[i] + 1u) /* `chosen` is on our stack */
        if (offered[i] == *out_len && memcmp(offered + i + 1, chosen, *out_len) == 0)
            *out = offered + i + 1;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- contexts ---------------------------------------------------------------------------------------------
 */

static jaeger_status set_common(SSL_CTX *ctx, const jg_tls_settings *s, jaeger_error *err)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    JG_TRY(set_versions(ctx, s, err));
    JG_TRY(set_suites(ctx, s, err));
    JG_TRY(set_curves(ctx, s, err));
    return s->cert_file.len || s->cert_pem.len ? set_pair(ctx, s, err) : JAEGER_OK;
}

static jaeger_status set_server(SSL_CTX *ctx, const jg_tls_settings *s, const char *alpn, jaeger_error *err)
{
    JG_TRY(set_common(ctx, s, err));
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"jaeger", 6);
    if (alpn)
        SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)(uintptr_t)alpn);
    if (!s->client_ca_file.len)
        return JAEGER_OK;
    JG_TRY(set_authorities(ctx, s->client_ca_file, (jaeger_str){0}, false, err));
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(s->client_ca_file.ptr);
    if (!names)
        return fail_ssl(err, "failed to load client CA CertPool", s->client_ca_file);
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return JAEGER_OK;
}

static jaeger_status set_client(SSL_CTX *ctx, const jg_tls_settings *s, const char *alpn, jaeger_error *err)
{
    JG_TRY(set_common(ctx, s, err));
    unsigned char wire[64];
    size_t len = alpn ? alpn_wire(alpn, wire) : 0;
    if (len && SSL_CTX_set_alpn_protos(ctx, wire, (unsigned)len)) /* 0 is success here */
        return fail_ssl(err, "ALPN", (jaeger_str){0});
    SSL_CTX_set_verify(ctx, s->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return set_authorities(ctx, s->ca_file, s->ca_pem, s->include_system_ca_certs_pool, err);
}

static jaeger_status make_ctx(const jg_tls_settings *settings, bool server, const char *alpn, SSL_CTX **ret,
                              jaeger_error *err)
{
    JG_TRY(jg_tls_check(settings, server, err));
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!ctx)
        return jg_fail_oom(err);
    jaeger_status status =
        server ? set_server(ctx, settings, alpn, err) : set_client(ctx, settings, alpn, err);
    if (status == JAEGER_OK)
        *ret = ctx;
    else
        SSL_CTX_free(ctx);
    return status;
}

jaeger_status jg_tls_server_ctx(const jg_tls_settings *settings, const char *alpn, SSL_CTX **ret,
                                jaeger_error *err)
{
    return make_ctx(settings, true, alpn, ret, err);
}

jaeger_status jg_tls_client_ctx(const jg_tls_settings *settings, const char *alpn, SSL_CTX **ret,
                                jaeger_error *err)
{
    return make_ctx(settings, false, alpn, ret, err);
}

jaeger_status jg_tls_client_ssl(SSL_CTX *ctx, const jg_tls_settings *settings, const char *host, SSL **ret,
                                jaeger_error *err)
{
    const char *name = settings->server_name_override.len ? settings->server_name_override.ptr : host;
    SSL *ssl = SSL_new(ctx);
    if (!ssl)
        return jg_fail_oom(err);
    unsigned char address[16];
    bool is_address = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    bool ok = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
                         : SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
    if (!ok) {
        SSL_free(ssl);
        return fail_ssl(err, "server name", jg_str(name));
    }
    SSL_set_connect_state(ssl);
    *ret = ssl;
    return JAEGER_OK;
}

/** Against `name`, when the library that owns the context verifies nothing itself. */
static jaeger_status set_verify_name(SSL_CTX *ctx, const char *name, jaeger_error *err)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    bool ok =
        X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 || X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
    return ok ? JAEGER_OK : fail_ssl(err, "server name", jg_str(name));
}

jaeger_status jg_tls_client_apply(SSL_CTX *ctx, const jg_tls_settings *s, jaeger_error *err)
{
    X509_STORE *store = X509_STORE_new(); /* the other library's may hold authorities of its own */
    if (!store)
        return jg_fail_oom(err);
    SSL_CTX_set_cert_store(ctx, store);
    ERR_clear_error();
    JG_TRY(jg_tls_check(s, false, err));
    JG_TRY(set_client(ctx, s, NULL, err));
    return s->server_name_override.len ? set_verify_name(ctx, s->server_name_override.ptr, err) : JAEGER_OK;
}

/* ---- reload -----------------------------------------------------------------------------------------------
 */

struct jg_tls {
    const jg_tls_settings *settings;
    const char *alpn;
    const jaeger_logger *log;
    bool server;
    pthread_mutex_t ctx_mutex; /* guards what follows */
    SSL_CTX *ctx;
    uint64_t loaded_ns;
    struct timespec client_ca_changed;
    bool loading; /* one thread reads the files, the others go on with the old context */
    unsigned char ticket_keys[TICKET_KEY_BYTES];
};

/** When client_ca_file changed; false: not watched, or not there now. */
static bool change_time(const jg_tls_settings *s, struct timespec *ret)
{
    struct stat st;
    if (!s->client_ca_file_reload || !s->client_ca_file.len || stat(s->client_ca_file.ptr, &st))
        return false;
    *ret = st.st_mtim;
    return true;
}

static jaeger_status load(jg_tls *tls, SSL_CTX **ret, jaeger_error *err)
{
    JG_TRY(make_ctx(tls->settings, tls->server, tls->alpn, ret, err));
    if (tls->server)
        (void)SSL_CTX_set_tlsext_ticket_keys(*ret, tls->ticket_keys, sizeof tls->ticket_keys);
    return JAEGER_OK;
}

jaeger_status jg_tls_new(const jg_tls_settings *settings, bool server, const char *alpn,
                         const jaeger_logger *log, jg_tls **ret, jaeger_error *err)
{
    jg_tls *tls = jg_calloc(1, sizeof *tls);
    if (!tls)
        return jg_fail_oom(err);
    tls->settings = settings;
    tls->server = server;
    tls->alpn = alpn;
    tls->log = log;
    (void)change_time(settings, &tls->client_ca_changed);
    tls->loaded_ns = jg_clock_mono_ns();
    jaeger_status status = RAND_bytes(tls->ticket_keys, sizeof tls->ticket_keys) == 1
                               ? load(tls, &tls->ctx, err)
                               : jg_fail(err, JAEGER_INTERNAL, "no random numbers");
    if (status != JAEGER_OK) {
        jg_free(tls);
        return status;
    }
    (void)pthread_mutex_init(&tls->ctx_mutex, NULL);
    *ret = tls;
    return JAEGER_OK;
}

void jg_tls_free(jg_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    (void)pthread_mutex_destroy(&tls->ctx_mutex);
    OPENSSL_cleanse(tls->ticket_keys, sizeof tls->ticket_keys);
    jg_free(tls);
}

/** With the mutex held: is it this thread's turn to read the files? */
static bool begin_reload(jg_tls *tls, const struct timespec *changed)
{
    uint64_t now = jg_clock_mono_ns(), interval = tls->settings->reload_interval_ns;
    bool old = interval && now - tls->loaded_ns >= interval;
    bool newer = changed && (changed->tv_sec != tls->client_ca_changed.tv_sec ||
                             changed->tv_nsec != tls->client_ca_changed.tv_nsec);
    if (tls->loading || !(old || newer))
        return false;
    tls->loading = true;
    tls->loaded_ns = now;
    if (newer)
        tls->client_ca_changed = *changed;
    return true;
}

static void reload(jg_tls *tls)
{
    SSL_CTX *fresh = NULL, *old = NULL;
    jaeger_error err = {0};
    if (load(tls, &fresh, &err) != JAEGER_OK)
        jaeger_log(tls->log, JAEGER_WARN, "TLS files could not be loaded, keeping the old ones: error=\"%s\"",
                   err.message);
    (void)pthread_mutex_lock(&tls->ctx_mutex);
    if (fresh) {
        old = tls->ctx;
        tls->ctx = fresh;
    }
    tls->loading = false;
    (void)pthread_mutex_unlock(&tls->ctx_mutex);
    SSL_CTX_free(old);
}

SSL_CTX *jg_tls_get(jg_tls *tls)
{
    struct timespec changed;
    bool watched = change_time(tls->settings, &changed);
    (void)pthread_mutex_lock(&tls->ctx_mutex);
    bool due = begin_reload(tls, watched ? &changed : NULL);
    (void)pthread_mutex_unlock(&tls->ctx_mutex);
    if (due)
        reload(tls);
    (void)pthread_mutex_lock(&tls->ctx_mutex);
    SSL_CTX *ctx = tls->ctx;
    (void)SSL_CTX_up_ref(ctx);
    (void)pthread_mutex_unlock(&tls->ctx_mutex);
    return ctx;
}
