/* SPDX-License-Identifier: Apache-2.0
 * Spans in other encodings, as bytes, to a batch: for embedders with a transport of their own. The
 * translations are those of the receivers; OTLP in protobuf is jaeger_batch_from_otlp().
 */
#ifndef JAEGER_INGEST_H
#define JAEGER_INGEST_H

#include <jaeger/batch.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum jaeger_encoding {
    JAEGER_ENCODING_OTLP_JSON,             /**< {"resourceSpans":[…]} */
    JAEGER_ENCODING_JAEGER_THRIFT_BINARY,  /**< a jaeger.thrift Batch, as POST /api/traces takes it */
    JAEGER_ENCODING_JAEGER_THRIFT_COMPACT, /**< the same in the compact protocol */
    JAEGER_ENCODING_JAEGER_PACKET_BINARY,  /**< a datagram to an agent: message emitBatch */
    JAEGER_ENCODING_JAEGER_PACKET_COMPACT,
    JAEGER_ENCODING_JAEGER_POST_SPANS, /**< jaeger.api_v2.PostSpansRequest */
    JAEGER_ENCODING_JAEGER_PROTO,      /**< one jaeger.api_v2.Span with its process (Kafka) */
    JAEGER_ENCODING_JAEGER_JSON,       /**< the same in protobuf's JSON (Kafka) */
    JAEGER_ENCODING_ZIPKIN_V1_JSON,
    JAEGER_ENCODING_ZIPKIN_V1_THRIFT, /**< a list of zipkincore.Span, binary protocol */
    JAEGER_ENCODING_ZIPKIN_V2_JSON,
    JAEGER_ENCODING_ZIPKIN_V2_PROTO /**< zipkin.proto3.ListOfSpans */
} jaeger_encoding;

/** Zeroes mean defaults. */
typedef struct jaeger_ingest_options {
    size_t size;            /**< sizeof(jaeger_ingest_options); JAEGER_INGEST_OPTIONS_INIT sets it */
    bool parse_string_tags; /**< Zipkin: tags that look like numbers or booleans become such */
} jaeger_ingest_options;

#ifdef __cplusplus
#define JAEGER_INGEST_OPTIONS_INIT (jaeger_ingest_options{sizeof(jaeger_ingest_options)})
#else
#define JAEGER_INGEST_OPTIONS_INIT ((jaeger_ingest_options){.size = sizeof(jaeger_ingest_options)})
#endif

/** Translate one message.
 *  @param bytes   may go away after the return: all is copied
 *  @param options NULL: defaults
 *  @param ret     a batch with one reference; it may have no spans
 *  @return INVALID_ARGUMENT: not such a message, the text says why and mostly where; UNIMPLEMENTED: a
 * datagram with another method, or an unknown encoding; RESOURCE_EXHAUSTED: out of memory, or more than 64
 * MiB of OTLP Threads: any. Blocks: no. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest(jaeger_encoding encoding, const void *bytes,
                                                         size_t len, const jaeger_ingest_options *options,
                                                         jaeger_batch **ret, jaeger_error *err);

/** One function for each, with default options. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_otlp_json(const void *bytes, size_t len,
                                                                   jaeger_batch **ret, jaeger_error *err);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_jaeger_thrift_binary(const void *bytes, size_t len,
                                                                              jaeger_batch **ret,
                                                                              jaeger_error *err);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_jaeger_thrift_compact(const void *bytes, size_t len,
                                                                               jaeger_batch **ret,
                                                                               jaeger_error *err);
/** A PostSpansRequest. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_jaeger_proto(const void *bytes, size_t len,
                                                                      jaeger_batch **ret, jaeger_error *err);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_zipkin_v1_json(const void *bytes, size_t len,
                                                                        jaeger_batch **ret,
                                                                        jaeger_error *err);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_zipkin_v1_thrift(const void *bytes, size_t len,
                                                                          jaeger_batch **ret,
                                                                          jaeger_error *err);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_zipkin_v2_json(const void *bytes, size_t len,
                                                                        jaeger_batch **ret,
                                                                        jaeger_error *err);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_ingest_zipkin_v2_proto(const void *bytes, size_t len,
                                                                         jaeger_batch **ret,
                                                                         jaeger_error *err);

#ifdef __cplusplus
}
#endif
#endif
