/* SPDX-License-Identifier: Apache-2.0
 * A Kafka cluster inside the test (librdkafka's mock), a service that writes to it, and a plain consumer that
 * looks at what was written.
 */
#ifndef JG_TEST_KAFKA_H
#define JG_TEST_KAFKA_H

#include "support/pipeline.h"
#include "support/traces.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

typedef struct kafka_fixture {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
} kafka_fixture;

static inline void kafka_start(kafka_fixture *k, const char *topic, int partitions)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    k->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(k->owner);
    k->cluster = rd_kafka_mock_cluster_new(k->owner, 1);
    assert_non_null(k->cluster);
    k->brokers = rd_kafka_mock_cluster_bootstraps(k->cluster);
    if (topic)
        assert_int_equal(rd_kafka_mock_topic_create(k->cluster, topic, partitions, 1), 0);
}

static inline void kafka_stop(kafka_fixture *k)
{
    rd_kafka_mock_cluster_destroy(k->cluster);
    rd_kafka_destroy(k->owner);
}

static inline rd_kafka_t *kafka_client(const kafka_fixture *k, rd_kafka_type_t type, const char *group)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", k->brokers, why, sizeof why);
    (void)rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
    (void)rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    if (group)
        (void)rd_kafka_conf_set(conf, "group.id", group, why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    assert_non_null(rk);
    return rk;
}

/** Read the partitions of a topic from their beginning until `n` messages came; 10 s at most. @return how
 * many came; the caller destroys them */
static inline size_t kafka_read(const kafka_fixture *k, const char *topic, int partitions,
                                rd_kafka_message_t **out, size_t n)
{
    rd_kafka_t *rk = kafka_client(k, RD_KAFKA_CONSUMER, "looker");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    size_t count = 0;
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(rk, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    for (int tries = 0; tries < 100 && count < n; tries++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (message && !message->err) {
            out[count++] = message;
        } else if (message) {
            rd_kafka_message_destroy(message);
        }
    }
    /* messages outlive the client only as copies: detach what the tests look at */
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_t *copy = jg_calloc(1, sizeof *copy);
        *copy = *out[i];
        copy->payload = jg_strndup(out[i]->payload, out[i]->len);
        copy->key = jg_strndup(out[i]->key ? out[i]->key : "", out[i]->key_len);
        rd_kafka_headers_t *headers;
        copy->_private = rd_kafka_message_headers(out[i], &headers) ? NULL : rd_kafka_headers_copy(headers);
        copy->rkt = NULL;
        rd_kafka_message_destroy(out[i]);
        out[i] = copy;
    }
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return count;
}

static inline void kafka_free(rd_kafka_message_t **messages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        jg_free(messages[i]->payload);
        jg_free(messages[i]->key);
        if (messages[i]->_private)
            rd_kafka_headers_destroy(messages[i]->_private);
        jg_free(messages[i]);
    }
}

/** Send one message and wait for its delivery. */
static inline void kafka_write(rd_kafka_t *rk, const char *topic, int partition, jaeger_str value)
{
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t)value.ptr, value.len),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(rk, 10000), 0);
}

/** The committed offset of a group; -1: none. */
static inline int64_t kafka_committed(const kafka_fixture *k, const char *group, const char *topic,
                                      int partition)
{
    rd_kafka_t *rk = kafka_client(k, RD_KAFKA_CONSUMER, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, topic, partition);
    assert_int_equal(rd_kafka_committed(rk, list, 5000), 0);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset < 0 ? -1 : offset;
}

/** A batch as OTLP bytes; free ptr with jg_free. */
static inline jaeger_str kafka_otlp(const char *json)
{
    jaeger_batch *batch = batch_of_json(json);
    size_t len = jaeger_batch_otlp_size(batch);
    char *bytes = jg_alloc(len + 1);
    jaeger_batch_write_otlp(batch, bytes);
    jaeger_batch_unref(batch);
    return (jaeger_str){bytes, len};
}

#endif
