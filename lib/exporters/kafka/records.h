/* SPDX-License-Identifier: Apache-2.0
 * Turns a batch into Kafka records: which spans go into one, with which topic and key, in which encoding.
 * Rules: opentelemetry-collector-contrib exporter/kafkaexporter.
 */
#ifndef JG_EXPORTERS_KAFKA_RECORDS_H
#define JG_EXPORTERS_KAFKA_RECORDS_H

#include "net/kafka_producer.h"
#include <jaeger/batch.h>

typedef enum jg_kafka_encoding {
    JG_KAFKA_OTLP_PROTO,
    JG_KAFKA_OTLP_JSON,
    JG_KAFKA_JAEGER_PROTO, /* one span a record */
    JG_KAFKA_JAEGER_JSON,  /* one span a record */
    JG_KAFKA_ZIPKIN_PROTO,
    JG_KAFKA_ZIPKIN_JSON
} jg_kafka_encoding;
#define JG_KAFKA_ENCODINGS "otlp_proto|otlp_json|jaeger_proto|jaeger_json|zipkin_proto|zipkin_json"

typedef struct jg_kafka_plan {
    jg_kafka_encoding encoding;
    jaeger_str topic;
    jaeger_str topic_attribute; /* of the resource: its text is the topic of its spans; empty: none */
    bool by_trace;              /* a record has spans of one trace, whose id is its key */
    jaeger_str key;             /* of all records, if they have none of their own; empty: none */
    size_t bytes_max;           /* of a record with its headers */
} jg_kafka_plan;

/** Add the records of a batch to a flight. Records that would be larger than bytes_max are split.
 *  @param ret_too_large spans that are larger than a record may be: they are in no record
 *  @return INVALID_ARGUMENT: spans that the encoding cannot carry; RESOURCE_EXHAUSTED */
jaeger_status jg_kafka_records_add(const jg_kafka_plan *plan, jaeger_batch *batch, jg_kafka_flight *flight,
                                   size_t *ret_too_large, jaeger_error *err) JG_MUST_CHECK;

#endif
