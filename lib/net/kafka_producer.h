/* SPDX-License-Identifier: Apache-2.0
 * Producing to Kafka. Records are gathered in a flight, sent together, and answered together, after the
 * brokers' delivery reports. Records point into the flight's buffer: librdkafka copies nothing.
 */
#ifndef JG_NET_KAFKA_PRODUCER_H
#define JG_NET_KAFKA_PRODUCER_H

#include "core/buf.h"
#include "core/metrics.h"
#include "net/kafka_client.h"

typedef struct jg_kafka_producer_settings {
    uint64_t max_message_bytes, max_broker_write_bytes;
    const jaeger_config *required_acks; /* 0, 1, -1, all; absent: all */
    int compression;
    struct {
        int64_t level;
    } compression_params;
    int64_t flush_max_messages;
    bool allow_auto_topic_creation;
    uint64_t linger_ns;
} jg_kafka_producer_settings;
extern const jaeger_field jg_kafka_producer_fields[];

/** Which partition a record without one of its own gets. */
typedef enum jg_kafka_partitioner {
    JG_KAFKA_SARAMA,  /**< FNV-1a of the key, as Sarama places it; without a key: any, for a while the same */
    JG_KAFKA_MURMUR2, /**< as the Java client places it */
    JG_KAFKA_ROUND_ROBIN /**< one after the other, keys do not count */
} jg_kafka_partitioner;

typedef struct jg_kafka_producer jg_kafka_producer;

typedef struct jg_kafka_producer_options {
    const jg_kafka_client_settings *client;
    const jg_kafka_producer_settings *settings;
    jg_kafka_partitioner partitioner;
    uint64_t timeout_ns; /* of a record, until it is delivered; 0: none */
    const jaeger_logger *log;
    void (*fatal)(void *user, const jaeger_error *err); /* the producer can send no more; any thread */
    void *user;
} jg_kafka_producer_options;

/** Refuse what cannot work. The text begins with the key. */
jaeger_status jg_kafka_producer_check(const jg_kafka_producer_settings *settings, uint64_t timeout_ns,
                                      jaeger_error *err) JG_MUST_CHECK;
/** Connects in the background. @return INVALID_ARGUMENT: what librdkafka refuses */
jaeger_status jg_kafka_producer_new(const jg_kafka_producer_options *options, jg_kafka_producer **ret,
                                    jaeger_error *err) JG_MUST_CHECK;
/** Wait for what is under way until `deadline_ns`, drop the rest. Accepts NULL. */
void jg_kafka_producer_free(jg_kafka_producer *producer, uint64_t deadline_ns);

/** Give up what is under way: its flights land, with an error, soon after. */
void jg_kafka_producer_abandon(jg_kafka_producer *producer);

/** Records that are answered together. One thread at a time. */
typedef struct jg_kafka_flight jg_kafka_flight;

/** @return NULL when out of memory */
jg_kafka_flight *jg_kafka_flight_new(jg_kafka_producer *producer);
/** Accepts NULL. After a send too: records under way keep what they need. */
void jg_kafka_flight_free(jg_kafka_flight *flight);
/** Values, keys are written here, at its end; ceiling JG_KAFKA_FLIGHT_BYTES_MAX. */
jg_buf *jg_kafka_flight_buf(jg_kafka_flight *flight);
/** Add a record whose key and value were just written: `key_at` <= `value_at` <= the buffer's end. Equal: no
 * key.
 *  @param topic borrowed until the send */
void jg_kafka_flight_add(jg_kafka_flight *flight, jaeger_str topic, size_t key_at, size_t value_at);
/** The headers of every record that has none of its own; borrowed until the send returns. */
void jg_kafka_flight_headers(jg_kafka_flight *flight, const jaeger_pair *headers, size_t count);
size_t jg_kafka_flight_count(const jg_kafka_flight *flight);
/** Send all, wait for the brokers. Once a flight.
 *  @return OK: all are delivered; else the first failure: UNAVAILABLE, DEADLINE_EXCEEDED (retry: some may be
 * sent twice), INVALID_ARGUMENT (a topic or a size that the brokers refuse), RESOURCE_EXHAUSTED. Blocks up to
 * call->deadline_ns. */
jaeger_status jg_kafka_flight_send(jg_kafka_flight *flight, jaeger_call *call) JG_MUST_CHECK;
/** The same without waiting. PENDING: `landed` will be called once, by the producer's thread, perhaps before
 * this returns, with what jg_kafka_flight_send would return and the text in call->error; at the latest when
 * librdkafka gives the records up (timeout_ns). `call` and the flight stay until then. */
jaeger_status jg_kafka_flight_start(jg_kafka_flight *flight, jaeger_call *call,
                                    void (*landed)(void *user, jaeger_status status),
                                    void *user) JG_MUST_CHECK;

#endif
