/* SPDX-License-Identifier: Apache-2.0
 * What Kafka's producer and consumer share: the client keys of the configuration, and librdkafka's
 * configuration made of them. Only net/kafka_*.c know librdkafka.
 * Keys and defaults: opentelemetry-collector-contrib internal/kafka/configkafka.
 */
#ifndef JG_NET_KAFKA_CLIENT_H
#define JG_NET_KAFKA_CLIENT_H

#include "core/attr.h"
#include "net/settings.h"

typedef struct jg_kafka_sasl_settings {
    bool enabled;
    jaeger_str mechanism, username, password;
    int64_t version;
    struct {
        jaeger_str region;
    } aws_msk;
    jaeger_str oauthbearer_token_source;
} jg_kafka_sasl_settings;

typedef struct jg_kafka_plain_settings {
    bool enabled;
    jaeger_str username, password;
} jg_kafka_plain_settings;

typedef struct jg_kafka_kerberos_settings {
    bool enabled;
    jaeger_str service_name, realm, username, password, config_file, keytab_file;
    bool use_keytab, disable_fast_negotiation;
} jg_kafka_kerberos_settings;

typedef struct jg_kafka_client_settings {
    jaeger_str_list brokers;
    jaeger_str protocol_version, client_id, rack_id;
    bool resolve_canonical_bootstrap_servers_only, use_leader_epoch;
    uint64_t conn_idle_timeout_ns;
    struct {
        bool full;
        uint64_t refresh_interval_ns;
        struct {
            int64_t max;
            uint64_t backoff_ns;
        } retry;
    } metadata;
    jg_tls_settings tls;
    struct {
        jg_kafka_sasl_settings sasl;
        jg_kafka_plain_settings plain_text;
        jg_kafka_kerberos_settings kerberos;
        jg_tls_settings tls;
    } auth;
    jaeger_pair_list librdkafka; /* given to librdkafka as they are, after all others */
} jg_kafka_client_settings;

extern const jaeger_field jg_kafka_client_fields[];

/** Refuse what cannot work. The text begins with the key. */
jaeger_status jg_kafka_client_check(const jg_kafka_client_settings *settings,
                                    jaeger_error *err) JG_MUST_CHECK;

/** Warn of what this librdkafka does not do with some brokers. */
void jg_kafka_client_warn(const jg_kafka_client_settings *settings, const jaeger_logger *log);

struct rd_kafka_conf_s;
/** librdkafka's configuration of the client keys, without `librdkafka`.
 *  @param log first member of the opaque that is set later: librdkafka's log lines go there
 *  @return NULL with the text: a file or a value that librdkafka refuses */
struct rd_kafka_conf_s *jg_kafka_conf_new(const jg_kafka_client_settings *settings, jaeger_error *err);
/** Set one property; sticky: does nothing once `err` is set. */
void jg_kafka_conf_set(struct rd_kafka_conf_s *conf, const char *name, const char *value, jaeger_error *err);
void jg_kafka_conf_num(struct rd_kafka_conf_s *conf, const char *name, int64_t value, jaeger_error *err);
/** The time in ms, rounded up. */
void jg_kafka_conf_ms(struct rd_kafka_conf_s *conf, const char *name, uint64_t ns, jaeger_error *err);
/** The pairs of `librdkafka`: last, so that they win. */
void jg_kafka_conf_more(struct rd_kafka_conf_s *conf, const jg_kafka_client_settings *settings,
                        jaeger_error *err);
/** What a code of librdkafka means to our callers. */
jaeger_status jg_kafka_status(int code);

#endif
