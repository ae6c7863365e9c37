/* SPDX-License-Identifier: Apache-2.0
 * Consuming from Kafka as a member of a group, at least once. One thread talks to librdkafka; runs of
 * messages of one partition go to workers, one run of a partition at a time, in order. An offset is committed
 * after the worker said that all before it is dealt with. What was fetched and waits is bounded in bytes:
 * above it, partitions pause.
 */
#ifndef JG_NET_KAFKA_CONSUMER_H
#define JG_NET_KAFKA_CONSUMER_H

#include "core/metrics.h"
#include "net/kafka_client.h"

typedef struct jg_kafka_consumer_settings {
    jaeger_str group_id, group_instance_id;
    int initial_offset;
    uint64_t session_timeout_ns, heartbeat_interval_ns;
    struct {
        bool enable;
        uint64_t interval_ns;
    } autocommit;
    int64_t min_fetch_size, max_fetch_size, max_partition_fetch_size;
    uint64_t max_fetch_wait_ns;
    jaeger_str_list group_rebalance_strategies;
    jaeger_str group_rebalance_strategy;
    uint64_t in_flight_bytes;
} jg_kafka_consumer_settings;
extern const jaeger_field jg_kafka_consumer_fields[];

/** Refuse what cannot work. The text begins with the key. */
jaeger_status jg_kafka_consumer_check(const jg_kafka_consumer_settings *settings,
                                      jaeger_error *err) JG_MUST_CHECK;

/** Set librdkafka's properties; sticky, see jg_kafka_conf_set. */
void jg_kafka_consumer_conf(struct rd_kafka_conf_s *conf, const jg_kafka_consumer_settings *settings,
                            const jaeger_str_list *exclude_topics, jaeger_error *err);

/** One message; all strings live until the handler returns. */
typedef struct jg_kafka_message {
    const char *topic;
    int32_t partition;
    int64_t offset;
    jaeger_str key, value;
    struct rd_kafka_message_s *raw;
} jg_kafka_message;

/** Header `index` of a message. @return false: it has no more */
bool jg_kafka_message_header(const jg_kafka_message *message, size_t index, jaeger_pair *ret);

typedef struct jg_kafka_handler {
    /** A run of messages of one partition. On a worker; may block.
     *  @param given_up non-zero once the partition goes away or the consumer stops: return soon
     *  @return how many, from the first, are dealt with. Fewer than `n`: the partition rests until it is
     * assigned anew */
    size_t (*handle)(void *user, const jg_kafka_message *messages, size_t n, const int *given_up);
    /** The consumer can go on no more. Any thread. */
    void (*fatal)(void *user, const jaeger_error *err);
    void *user;
    bool before; /* commit a run before it is handled: at most once */
} jg_kafka_handler;

typedef struct jg_kafka_consumer_options {
    const char *id; /* of the receiver, for metrics */
    const jg_kafka_client_settings *client;
    const jg_kafka_consumer_settings *settings;
    jaeger_str_list topics, exclude_topics;
    jg_kafka_handler handler;
    jg_metrics *metrics;
    const jaeger_logger *log;
} jg_kafka_consumer_options;

typedef struct jg_kafka_consumer jg_kafka_consumer;

/** Join the group and consume. @return INVALID_ARGUMENT: what librdkafka refuses; RESOURCE_EXHAUSTED */
jaeger_status jg_kafka_consumer_start(const jg_kafka_consumer_options *options, jg_kafka_consumer **ret,
                                      jaeger_error *err) JG_MUST_CHECK;
/** Let runs under way end until `deadline_ns`, commit, leave the group, free. Accepts NULL. */
void jg_kafka_consumer_stop(jg_kafka_consumer *consumer, uint64_t deadline_ns);

#endif
