/* SPDX-License-Identifier: Apache-2.0
 * From Kafka messages to the pipeline: decoding, joining messages to one batch, retrying, and what becomes of
 * messages that nobody can take (poison).
 */
#ifndef JG_RECEIVERS_KAFKA_DELIVER_H
#define JG_RECEIVERS_KAFKA_DELIVER_H

#include "net/kafka_consumer.h"
#include "net/kafka_producer.h"
#include <jaeger/batch.h>

typedef enum jg_kafka_decoding {
    JG_KAFKA_READ_OTLP_PROTO,
    JG_KAFKA_READ_OTLP_JSON,
    JG_KAFKA_READ_JAEGER_PROTO,
    JG_KAFKA_READ_JAEGER_JSON,
    JG_KAFKA_READ_ZIPKIN_PROTO,
    JG_KAFKA_READ_ZIPKIN_JSON,
    JG_KAFKA_READ_ZIPKIN_THRIFT
} jg_kafka_decoding;
#define JG_KAFKA_DECODINGS                                                                                   \
    "otlp_proto|otlp_json|jaeger_proto|jaeger_json|zipkin_proto|zipkin_json|zipkin_thrift"

typedef struct jg_kafka_deliver {
    jg_kafka_decoding decoding;
    jaeger_consumer next;
    const jaeger_str_list *extract_headers; /* become resource attributes; NULL: none */
    bool skip_failed;                       /* go on after a failure that may pass, instead of trying again */
    bool rest_on_poison; /* the partition rests at a message that nobody can take, instead of going on */
    uint64_t initial_wait_ns, max_wait_ns;
    double multiplier;
    jg_kafka_producer *dead_letters; /* NULL: poison is only counted and logged */
    jaeger_str dead_letter_topic;
    const jaeger_logger *log;
    jg_metric *accepted, *refused, *messages, *poison;
    uint64_t logged_second; /* atomic: the second of the last poison that was logged ... */
    unsigned logged;        /* atomic: ... and how many were logged in it */
} jg_kafka_deliver;

/** The `handle` of jg_kafka_handler. */
size_t jg_kafka_deliver_run(void *deliver, const jg_kafka_message *messages, size_t n, const int *given_up);

#endif
