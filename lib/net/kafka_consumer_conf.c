/* SPDX-License-Identifier: Apache-2.0
 * The keys of Kafka's consumer, and librdkafka's configuration made of them.
 * Settings: opentelemetry-collector-contrib receiver/kafkareceiver; librdkafka's CONFIGURATION.md.
 */
#include "net/kafka_consumer.h"

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include <librdkafka/rdkafka.h>

#define KEY(type, member, key, field_kind, ...)                                                              \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }
typedef __typeof__(((jg_kafka_consumer_settings *)0)->autocommit) autocommit;
static const jaeger_field autocommit_fields[] = {
    KEY(autocommit, enable, "enable", JAEGER_FIELD_BOOL, .fallback = "true",
        .doc = "false: commit after each run of messages"),
    KEY(autocommit, interval_ns, "interval", JAEGER_FIELD_DURATION, .fallback = "200ms",
        .doc = "between commits (Jaeger: 1s)"),
    {0}};

#define CONSUMER(member, key, kind, ...) KEY(jg_kafka_consumer_settings, member, key, kind, __VA_ARGS__)
const jaeger_field jg_kafka_consumer_fields[] = {
    CONSUMER(group_id, "group_id", JAEGER_FIELD_STR, .fallback = "otel-collector",
             .doc = "members of one group share the partitions"),
    CONSUMER(group_instance_id, "group_instance_id", JAEGER_FIELD_STR,
             .doc = "static membership: keep the partitions across a restart"),
    CONSUMER(initial_offset, "initial_offset", JAEGER_FIELD_ENUM, .fallback = "latest",
             .choices = "latest|earliest", .doc = "where a new group begins"),
    CONSUMER(session_timeout_ns, "session_timeout", JAEGER_FIELD_DURATION, .fallback = "10s",
             .doc = "a member that is silent for this long is gone"),
    CONSUMER(heartbeat_interval_ns, "heartbeat_interval", JAEGER_FIELD_DURATION, .fallback = "3s",
             .doc = "how often a member says that it is there"),
    CONSUMER(autocommit, "autocommit", JAEGER_FIELD_BLOCK, .sub = autocommit_fields,
             .sub_size = sizeof(autocommit), .doc = "offsets"),
    CONSUMER(min_fetch_size, "min_fetch_size", JAEGER_FIELD_I64, .fallback = "1", .doc = "bytes"),
    CONSUMER(max_fetch_size, "max_fetch_size", JAEGER_FIELD_I64, .fallback = "1048576",
             .doc = "bytes of one answer"),
    CONSUMER(max_fetch_wait_ns, "max_fetch_wait", JAEGER_FIELD_DURATION, .fallback = "250ms",
             .doc = "how long brokers gather min_fetch_size"),
    CONSUMER(max_partition_fetch_size, "max_partition_fetch_size", JAEGER_FIELD_I64, .fallback = "1048576",
             .doc = "bytes of one partition in one answer"),
    CONSUMER(group_rebalance_strategies, "group_rebalance_strategies", JAEGER_FIELD_STRS,
             .doc = "range, roundrobin, cooperative-sticky; default: the last"),
    CONSUMER(group_rebalance_strategy, "group_rebalance_strategy", JAEGER_FIELD_STR,
             .doc = "old key for a single one"),
    CONSUMER(in_flight_bytes, "in_flight_bytes", JAEGER_FIELD_U64, .fallback = "0",
             .doc = "fetched and not yet stored; above it partitions pause; 0: 64 MiB. Not in Jaeger"),
    {0}};

static jaeger_status check_strategy(jaeger_str name, jaeger_error *err)
{
    static const char *const known[] = {"range", "roundrobin", "cooperative-sticky"};
    for (size_t i = 0; i < JG_COUNT(known); i++)
        if (jg_str_is(name, known[i]))
            return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                   "group_rebalance_strategies: '%.*s' is not supported: use range, roundrobin or "
                   "cooperative-sticky",
                   JAEGER_STR_ARGS(name));
}

jaeger_status jg_kafka_consumer_check(const jg_kafka_consumer_settings *s, jaeger_error *err)
{
    if (!s->group_id.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "group_id: must not be empty");
    if (s->group_rebalance_strategy.len && s->group_rebalance_strategies.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "group_rebalance_strategy and group_rebalance_strategies exclude each other");
    if (s->group_rebalance_strategy.len)
        JG_TRY(check_strategy(s->group_rebalance_strategy, err));
    for (size_t i = 0; i < s->group_rebalance_strategies.count; i++)
        JG_TRY(check_strategy(s->group_rebalance_strategies.items[i], err));
    if (s->heartbeat_interval_ns >= s->session_timeout_ns)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "heartbeat_interval: must be less than session_timeout");
    if (s->min_fetch_size < 1 || s->max_fetch_size < s->min_fetch_size || s->max_partition_fetch_size < 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "max_fetch_size: must not be less than min_fetch_size, and both positive");
    return JAEGER_OK;
}

/** "a,b". */
static void set_list(rd_kafka_conf_t *conf, const char *name, const jaeger_str_list *list, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(64u << 10);
    for (size_t i = 0; i < list->count; i++)
        jg_buf_printf(&text, "%s%.*s", i ? "," : "", JAEGER_STR_ARGS(list->items[i]));
    jg_buf_byte(&text, 0);
    if (list->count && jg_buf_ok(&text))
        jg_kafka_conf_set(conf, name, (const char *)text.data, err);
}

static void set_group(rd_kafka_conf_t *conf, const jg_kafka_consumer_settings *s, jaeger_error *err)
{
    jaeger_str strategy =
        s->group_rebalance_strategy.len ? s->group_rebalance_strategy : JAEGER_STR("cooperative-sticky");
    const jaeger_str_list one = {&strategy, 1};
    jg_kafka_conf_set(conf, "group.id", s->group_id.ptr, err);
    if (s->group_instance_id.len)
        jg_kafka_conf_set(conf, "group.instance.id", s->group_instance_id.ptr, err);
    jg_kafka_conf_ms(conf, "session.timeout.ms", s->session_timeout_ns, err);
    jg_kafka_conf_ms(conf, "heartbeat.interval.ms", s->heartbeat_interval_ns, err);
    set_list(conf, "partition.assignment.strategy",
             s->group_rebalance_strategies.count ? &s->group_rebalance_strategies : &one, err);
    jg_kafka_conf_set(conf, "enable.auto.commit", "false", err);
    jg_kafka_conf_set(conf, "enable.auto.offset.store", "false", err);
    jg_kafka_conf_set(conf, "auto.offset.reset", s->initial_offset ? "earliest" : "latest", err);
    jg_kafka_conf_set(conf, "allow.auto.create.topics", "true", err);
}

static void set_fetch(rd_kafka_conf_t *conf, const jg_kafka_consumer_settings *s, jaeger_error *err)
{
    jg_kafka_conf_num(conf, "fetch.min.bytes", s->min_fetch_size, err);
    jg_kafka_conf_num(conf, "fetch.max.bytes", s->max_fetch_size, err);
    jg_kafka_conf_num(conf, "max.partition.fetch.bytes", s->max_partition_fetch_size, err);
    jg_kafka_conf_num(conf, "message.max.bytes", JG_MIN(s->max_fetch_size, 1000000), err);
    jg_kafka_conf_ms(conf, "fetch.wait.max.ms", s->max_fetch_wait_ns, err);
    jg_kafka_conf_num(conf, "queued.max.messages.kbytes",
                      JG_MAX((int64_t)JG_KAFKA_FETCHED_BYTES_MAX, s->max_fetch_size) / 1024 + 1, err);
}

void jg_kafka_consumer_conf(struct rd_kafka_conf_s *conf, const jg_kafka_consumer_settings *s,
                            const jaeger_str_list *exclude_topics, jaeger_error *err)
{
    set_group(conf, s, err);
    set_fetch(conf, s, err);
    set_list(conf, "topic.blacklist", exclude_topics, err);
}
