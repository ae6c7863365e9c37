/* SPDX-License-Identifier: Apache-2.0
 * See kafka_client.h. Names of librdkafka's properties: its CONFIGURATION.md.
 */
#include "net/kafka_client.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#define SCRAM_VERSION     0x020601ff  /* the first librdkafka whose SCRAM Kafka 4 takes: its issue 4895 */
#define BROKERS_BYTES_MAX (64u << 10) /* a list of host:port; librdkafka has no limit of its own */

/* ---- keys ---- */

#define KEY(type, member, key, field_kind, ...)                                                              \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }

#define SASL(member, key, kind, text) KEY(jg_kafka_sasl_settings, member, key, kind, .doc = (text))
static const jaeger_field aws_fields[] = {
    {.name = "region", .kind = JAEGER_FIELD_STR, .doc = "not supported"}, {0}};
static const jaeger_field sasl_fields[] = {
    SASL(mechanism, "mechanism", JAEGER_FIELD_STR, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
    SASL(username, "username", JAEGER_FIELD_STR, "for PLAIN and SCRAM"),
    SASL(password, "password", JAEGER_FIELD_STR, "for PLAIN and SCRAM"),
    SASL(version, "version", JAEGER_FIELD_I64, "accepted for compatibility"),
    KEY(jg_kafka_sasl_settings, aws_msk, "aws_msk", JAEGER_FIELD_BLOCK, .sub = aws_fields,
        .sub_size = sizeof(((jg_kafka_sasl_settings *)0)->aws_msk), .doc = "not supported"),
    SASL(oauthbearer_token_source, "oauthbearer_token_source", JAEGER_FIELD_STR,
         "not supported: configure OAUTHBEARER in librdkafka"),
    {0}};

#define PLAIN(member, key, text) KEY(jg_kafka_plain_settings, member, key, JAEGER_FIELD_STR, .doc = (text))
static const jaeger_field plain_fields[] = {
    PLAIN(username, "username", "user"), PLAIN(password, "password", "password"), {0}};

#define KERBEROS(member, key, kind, text) KEY(jg_kafka_kerberos_settings, member, key, kind, .doc = (text))
static const jaeger_field kerberos_fields[] = {
    KERBEROS(service_name, "service_name", JAEGER_FIELD_STR, "of the brokers"),
    KERBEROS(realm, "realm", JAEGER_FIELD_STR, "of the principal"),
    KERBEROS(username, "username", JAEGER_FIELD_STR, "name of the principal"),
    KERBEROS(password, "password", JAEGER_FIELD_STR, "not supported: use a keytab"),
    KERBEROS(config_file, "config_file", JAEGER_FIELD_STR, "not supported: set KRB5_CONFIG"),
    KERBEROS(keytab_file, "keytab_file", JAEGER_FIELD_STR, "file with the principal's key"),
    KERBEROS(use_keytab, "use_keytab", JAEGER_FIELD_BOOL, "read keytab_file"),
    KERBEROS(disable_fast_negotiation, "disable_fast_negotiation", JAEGER_FIELD_BOOL,
             "accepted for compatibility"),
    {0}};

typedef __typeof__(((jg_kafka_client_settings *)0)->auth) auth_settings;
static const jaeger_field auth_fields[] = {
    KEY(auth_settings, sasl, "sasl", JAEGER_FIELD_OPTIONAL_N, .sub = sasl_fields,
        .sub_size = sizeof(jg_kafka_sasl_settings), .doc = "authenticate with SASL"),
    KEY(auth_settings, plain_text, "plain_text", JAEGER_FIELD_OPTIONAL_N, .sub = plain_fields,
        .sub_size = sizeof(jg_kafka_plain_settings), .doc = "old name of sasl with mechanism PLAIN"),
    KEY(auth_settings, kerberos, "kerberos", JAEGER_FIELD_OPTIONAL_N, .sub = kerberos_fields,
        .sub_size = sizeof(jg_kafka_kerberos_settings), .doc = "authenticate with Kerberos"),
    KEY(auth_settings, tls, "tls", JAEGER_FIELD_OPTIONAL_N, .sub = jg_tls_client_fields,
        .sub_size = sizeof(jg_tls_settings), .doc = "old place of tls"),
    {0}};

typedef __typeof__(((jg_kafka_client_settings *)0)->metadata) metadata_settings;
typedef __typeof__(((metadata_settings *)0)->retry) metadata_retry;
static const jaeger_field metadata_retry_fields[] = {
    KEY(metadata_retry, max, "max", JAEGER_FIELD_I64, .fallback = "3", .doc = "accepted for compatibility"),
    KEY(metadata_retry, backoff_ns, "backoff", JAEGER_FIELD_DURATION, .fallback = "250ms",
        .doc = "accepted for compatibility"),
    {0}};
static const jaeger_field metadata_fields[] = {
    KEY(metadata_settings, full, "full", JAEGER_FIELD_BOOL, .fallback = "true",
        .doc = "accepted for compatibility"),
    KEY(metadata_settings, refresh_interval_ns, "refresh_interval", JAEGER_FIELD_DURATION, .fallback = "10m",
        .doc = "how often topics and leaders are asked for"),
    KEY(metadata_settings, retry, "retry", JAEGER_FIELD_BLOCK, .sub = metadata_retry_fields,
        .sub_size = sizeof(metadata_retry), .doc = "accepted for compatibility"),
    {0}};

#define CLIENT(member, key, kind, ...) KEY(jg_kafka_client_settings, member, key, kind, __VA_ARGS__)
const jaeger_field jg_kafka_client_fields[] = {
    CLIENT(brokers, "brokers", JAEGER_FIELD_STRS, .fallback = "[\"localhost:9092\"]",
           .doc = "host:port of some brokers; they name the others"),
    CLIENT(protocol_version, "protocol_version", JAEGER_FIELD_STR,
           .doc = "for brokers that cannot be asked for theirs"),
    CLIENT(client_id, "client_id", JAEGER_FIELD_STR, .fallback = "otel-collector",
           .doc = "how the brokers' logs and quotas call us"),
    CLIENT(rack_id, "rack_id", JAEGER_FIELD_STR, .doc = "consume from the nearest replica"),
    CLIENT(resolve_canonical_bootstrap_servers_only, "resolve_canonical_bootstrap_servers_only",
           JAEGER_FIELD_BOOL, .doc = "accepted for compatibility"),
    CLIENT(use_leader_epoch, "use_leader_epoch", JAEGER_FIELD_BOOL, .fallback = "true",
           .doc = "accepted for compatibility"),
    CLIENT(conn_idle_timeout_ns, "conn_idle_timeout", JAEGER_FIELD_DURATION, .fallback = "9m",
           .doc = "close connections that were idle for this long"),
    CLIENT(metadata, "metadata", JAEGER_FIELD_BLOCK, .sub = metadata_fields,
           .sub_size = sizeof(metadata_settings), .doc = "of the cluster"),
    CLIENT(tls, "tls", JAEGER_FIELD_OPTIONAL_N, .sub = jg_tls_client_fields,
           .sub_size = sizeof(jg_tls_settings), .doc = "connect over TLS"),
    CLIENT(auth, "auth", JAEGER_FIELD_BLOCK, .sub = auth_fields, .sub_size = sizeof(auth_settings),
           .doc = "who we are"),
    CLIENT(librdkafka, "librdkafka", JAEGER_FIELD_PAIRS,
           .doc = "properties of librdkafka, given to it as they are; they win over the other keys"),
    {0}};

/* ---- checks ---- */

static bool is_plaintext(const jg_tls_settings *tls)
{
    return !tls->enabled || (tls->insecure && !tls->ca_file.len && !tls->ca_pem.len);
}

static const jg_tls_settings *tls_of(const jg_kafka_client_settings *s)
{
    return s->tls.enabled ? &s->tls : &s->auth.tls;
}

static bool has_more(const jg_kafka_client_settings *s, const char *name)
{
    for (size_t i = 0; i < s->librdkafka.count; i++)
        if (jg_str_is(s->librdkafka.items[i].key, name))
            return true;
    return false;
}

static jaeger_status check_sasl(const jg_kafka_client_settings *s, jaeger_error *err)
{
    const jg_kafka_sasl_settings *sasl = &s->auth.sasl;
    static const char *const passwords[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    for (size_t i = 0; i < JG_COUNT(passwords); i++) {
        if (!jg_str_is(sasl->mechanism, passwords[i]))
            continue;
        if (!sasl->username.len)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "auth::sasl: username is required");
        if (!sasl->password.len)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "auth::sasl: password is required");
        return JAEGER_OK;
    }
    if (!jg_str_is(sasl->mechanism, "OAUTHBEARER"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "auth::sasl: mechanism should be one of 'PLAIN', 'OAUTHBEARER', 'SCRAM-SHA-256' or "
                       "'SCRAM-SHA-512'. configured value %.*s",
                       JAEGER_STR_ARGS(sasl->mechanism));
    if (!has_more(s, "sasl.oauthbearer.method") && !has_more(s, "enable.sasl.oauthbearer.unsecure.jwt"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "auth::sasl: OAUTHBEARER needs its properties in the block `librdkafka`: "
                       "sasl.oauthbearer.method (oidc, where librdkafka is built with it) or "
                       "enable.sasl.oauthbearer.unsecure.jwt");
    return JAEGER_OK;
}

static jaeger_status check_kerberos(const jg_kafka_kerberos_settings *k, jaeger_error *err)
{
    if (!k->use_keytab || !k->keytab_file.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "auth::kerberos: only use_keytab with a keytab_file is supported");
    return JAEGER_OK;
}

static jaeger_status check_tls(const jg_tls_settings *tls, jaeger_error *err)
{
    const char *key = tls->server_name_override.len  ? "server_name_override"
                      : tls->cipher_suites.count     ? "cipher_suites"
                      : tls->curve_preferences.count ? "curve_preferences"
                      : tls->max_version.len         ? "max_version"
                                                     : NULL;
    if (key)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "tls: %s is not supported here; see the ssl.* properties of `librdkafka`", key);
    if ((tls->ca_file.len && tls->ca_pem.len) || (tls->cert_file.len && tls->cert_pem.len) ||
        (tls->key_file.len && tls->key_pem.len))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "tls: a file and its text are both given");
    if ((tls->cert_file.len || tls->cert_pem.len) != (tls->key_file.len || tls->key_pem.len))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "tls: certificate and key belong together");
    return JAEGER_OK;
}

jaeger_status jg_kafka_client_check(const jg_kafka_client_settings *s, jaeger_error *err)
{
    if (!s->brokers.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "brokers: must not be empty");
    if (!s->conn_idle_timeout_ns)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "conn_idle_timeout: must be positive");
    if (s->auth.sasl.enabled + s->auth.plain_text.enabled + s->auth.kerberos.enabled > 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "auth: only one of sasl, plain_text and kerberos can be used");
    if (s->auth.sasl.enabled)
        JG_TRY(check_sasl(s, err));
    if (s->auth.kerberos.enabled)
        JG_TRY(check_kerberos(&s->auth.kerberos, err));
    return check_tls(tls_of(s), err);
}

void jg_kafka_client_warn(const jg_kafka_client_settings *s, const jaeger_logger *log)
{
    if (s->auth.sasl.enabled && jg_str_starts(s->auth.sasl.mechanism, JAEGER_STR("SCRAM")) &&
        rd_kafka_version() < SCRAM_VERSION)
        jaeger_log(
            log, JAEGER_WARN,
            "librdkafka %s repeats its nonce in SCRAM: Kafka 4 refuses that as invalid credentials; use "
            "librdkafka 2.6.1, older brokers or PLAIN over TLS",
            rd_kafka_version_str());
}

/* ---- librdkafka's configuration ---- */

void jg_kafka_conf_set(struct rd_kafka_conf_s *conf, const char *name, const char *value, jaeger_error *err)
{
    char why[256];
    if (err->status == JAEGER_OK && rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        (void)jg_fail(err, JAEGER_INVALID_ARGUMENT, "librdkafka: %s", why);
}

void jg_kafka_conf_num(struct rd_kafka_conf_s *conf, const char *name, int64_t value, jaeger_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    jg_kafka_conf_set(conf, name, text, err);
}

void jg_kafka_conf_ms(struct rd_kafka_conf_s *conf, const char *name, uint64_t ns, jaeger_error *err)
{
    jg_kafka_conf_num(conf, name, (int64_t)(ns / JG_NS_PER_MS + (ns % JG_NS_PER_MS != 0)), err);
}

/** Nothing for an empty text. Strings of the configuration end with NUL. */
static void set_text(rd_kafka_conf_t *conf, const char *name, jaeger_str value, jaeger_error *err)
{
    if (value.len)
        jg_kafka_conf_set(conf, name, value.ptr, err);
}

static void set_brokers(rd_kafka_conf_t *conf, const jaeger_str_list *brokers, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf list = JG_BUF_INIT(BROKERS_BYTES_MAX);
    for (size_t i = 0; i < brokers->count; i++)
        jg_buf_printf(&list, "%s%.*s", i ? "," : "", JAEGER_STR_ARGS(brokers->items[i]));
    jg_buf_byte(&list, 0);
    if (jg_buf_ok(&list))
        jg_kafka_conf_set(conf, "bootstrap.servers", (const char *)list.data, err);
    else
        (void)jg_fail(err, JAEGER_INVALID_ARGUMENT, "brokers: the list is too long");
}

static void set_tls(rd_kafka_conf_t *conf, const jg_tls_settings *tls, jaeger_error *err)
{
    set_text(conf, "ssl.ca.location", tls->ca_file, err);
    set_text(conf, "ssl.ca.pem", tls->ca_pem, err);
    set_text(conf, "ssl.certificate.location", tls->cert_file, err);
    set_text(conf, "ssl.certificate.pem", tls->cert_pem, err);
    set_text(conf, "ssl.key.location", tls->key_file, err);
    set_text(conf, "ssl.key.pem", tls->key_pem, err);
    if (tls->insecure_skip_verify)
        jg_kafka_conf_set(conf, "enable.ssl.certificate.verification", "false", err);
}

static void set_kerberos(rd_kafka_conf_t *conf, const jg_kafka_kerberos_settings *k, jaeger_error *err)
{
    char principal[256];
    (void)snprintf(principal, sizeof principal, "%.*s%s%.*s", JAEGER_STR_ARGS(k->username),
                   k->realm.len ? "@" : "", JAEGER_STR_ARGS(k->realm));
    jg_kafka_conf_set(conf, "sasl.mechanisms", "GSSAPI", err);
    set_text(conf, "sasl.kerberos.service.name", k->service_name, err);
    jg_kafka_conf_set(conf, "sasl.kerberos.principal", principal, err);
    set_text(conf, "sasl.kerberos.keytab", k->keytab_file, err);
}

/** @return true: there is SASL */
static bool set_auth(rd_kafka_conf_t *conf, const auth_settings *auth, jaeger_error *err)
{
    if (auth->sasl.enabled) {
        set_text(conf, "sasl.mechanisms", auth->sasl.mechanism, err);
        set_text(conf, "sasl.username", auth->sasl.username, err);
        set_text(conf, "sasl.password", auth->sasl.password, err);
    } else if (auth->plain_text.enabled) {
        jg_kafka_conf_set(conf, "sasl.mechanisms", "PLAIN", err);
        set_text(conf, "sasl.username", auth->plain_text.username, err);
        set_text(conf, "sasl.password", auth->plain_text.password, err);
    } else if (auth->kerberos.enabled) {
        set_kerberos(conf, &auth->kerberos, err);
    } else {
        return false;
    }
    return true;
}

/** librdkafka's threads call it; its levels are syslog's. */
static void log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const jaeger_logger *const *log = rd_kafka_opaque(rk);
    if (!log || !*log)
        return;
    jaeger_level ours = level <= 3
                            ? JAEGER_WARN /* it goes on trying: what fails for good reaches our callers */
                        : level <= 4 ? JAEGER_WARN
                        : level <= 6 ? JAEGER_INFO
                                     : JAEGER_DEBUG;
    jaeger_log(*log, ours, "librdkafka facility=%s message=\"%s\"", facility, text);
}

struct rd_kafka_conf_s *jg_kafka_conf_new(const jg_kafka_client_settings *s, jaeger_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    *err = (jaeger_error){0};
    set_brokers(conf, &s->brokers, err);
    set_text(conf, "client.id", s->client_id, err);
    set_text(conf, "client.rack", s->rack_id, err);
    set_text(conf, "broker.version.fallback", s->protocol_version, err);
    jg_kafka_conf_ms(conf, "connections.max.idle.ms", s->conn_idle_timeout_ns, err);
    jg_kafka_conf_ms(conf, "topic.metadata.refresh.interval.ms", s->metadata.refresh_interval_ns, err);
    jg_kafka_conf_set(conf, "log.connection.close", "false", err);
    bool sasl = set_auth(conf, &s->auth, err), plain = is_plaintext(tls_of(s));
    if (!plain)
        set_tls(conf, tls_of(s), err);
    jg_kafka_conf_set(conf, "security.protocol",
                      sasl    ? plain ? "sasl_plaintext" : "sasl_ssl"
                      : plain ? "plaintext"
                              : "ssl",
                      err);
    rd_kafka_conf_set_log_cb(conf, log_line);
    if (err->status == JAEGER_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

void jg_kafka_conf_more(struct rd_kafka_conf_s *conf, const jg_kafka_client_settings *s, jaeger_error *err)
{
    char name[128];
    for (size_t i = 0; i < s->librdkafka.count; i++) {
        const jaeger_pair *pair = &s->librdkafka.items[i];
        char value[4096];
        (void)snprintf(name, sizeof name, "%.*s", JAEGER_STR_ARGS(pair->key));
        (void)snprintf(value, sizeof value, "%.*s", JAEGER_STR_ARGS(pair->value));
        jg_kafka_conf_set(conf, name, value, err);
    }
}

jaeger_status jg_kafka_status(int code)
{
    switch ((rd_kafka_resp_err_t)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return JAEGER_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return JAEGER_INVALID_ARGUMENT;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return JAEGER_PERMISSION_DENIED;
    default:
        return JAEGER_UNAVAILABLE;
    }
}
