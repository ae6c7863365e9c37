/* SPDX-License-Identifier: Apache-2.0
 * See jaeger/ingest.h.
 */
#include <jaeger/ingest.h>

#include "core/err.h"
#include "wire/jaeger_model_json.h"
#include "wire/jaeger_pb.h"
#include "wire/jaeger_thrift.h"
#include "wire/otlp_json.h"
#include "wire/zipkin.h"

jaeger_status jaeger_ingest(jaeger_encoding encoding, const void *bytes, size_t len,
                            const jaeger_ingest_options *options, jaeger_batch **ret, jaeger_error *err)
{
    jaeger_str text = {bytes, len};
    bool parse = options && options->size >= sizeof *options && options->parse_string_tags;
    switch (encoding) {
    case JAEGER_ENCODING_OTLP_JSON:
        return jg_otlp_json_to_batch(text, ret, err);
    case JAEGER_ENCODING_JAEGER_THRIFT_BINARY:
        return jg_jaeger_thrift_to_batch(JG_THRIFT_BINARY, text, ret, err);
    case JAEGER_ENCODING_JAEGER_THRIFT_COMPACT:
        return jg_jaeger_thrift_to_batch(JG_THRIFT_COMPACT, text, ret, err);
    case JAEGER_ENCODING_JAEGER_PACKET_BINARY:
        return jg_jaeger_thrift_packet(JG_THRIFT_BINARY, text, ret, err);
    case JAEGER_ENCODING_JAEGER_PACKET_COMPACT:
        return jg_jaeger_thrift_packet(JG_THRIFT_COMPACT, text, ret, err);
    case JAEGER_ENCODING_JAEGER_POST_SPANS:
        return jg_jaeger_pb_post_to_batch(text, ret, err);
    case JAEGER_ENCODING_JAEGER_PROTO:
        return jg_jaeger_pb_span_to_batch(text, ret, err);
    case JAEGER_ENCODING_JAEGER_JSON:
        return jg_jaeger_model_json_to_batch(text, ret, err);
    case JAEGER_ENCODING_ZIPKIN_V1_JSON:
        return jg_zipkin_v1_json_to_batch(text, parse, ret, err);
    case JAEGER_ENCODING_ZIPKIN_V1_THRIFT:
        return jg_zipkin_v1_thrift_to_batch(text, ret, err);
    case JAEGER_ENCODING_ZIPKIN_V2_JSON:
        return jg_zipkin_v2_json_to_batch(text, parse, ret, err);
    case JAEGER_ENCODING_ZIPKIN_V2_PROTO:
        return jg_zipkin_pb_to_batch(text, parse, ret, err);
    }
    return jg_fail(err, JAEGER_UNIMPLEMENTED, "unknown encoding %d", (int)encoding);
}

#define INGEST(name, encoding)                                                                               \
    jaeger_status jaeger_ingest_##name(const void *bytes, size_t len, jaeger_batch **ret, jaeger_error *err) \
    {                                                                                                        \
        return jaeger_ingest(encoding, bytes, len, NULL, ret, err);                                          \
    }

INGEST(otlp_json, JAEGER_ENCODING_OTLP_JSON)
INGEST(jaeger_thrift_binary, JAEGER_ENCODING_JAEGER_THRIFT_BINARY)
INGEST(jaeger_thrift_compact, JAEGER_ENCODING_JAEGER_THRIFT_COMPACT)
INGEST(jaeger_proto, JAEGER_ENCODING_JAEGER_POST_SPANS)
INGEST(zipkin_v1_json, JAEGER_ENCODING_ZIPKIN_V1_JSON)
INGEST(zipkin_v1_thrift, JAEGER_ENCODING_ZIPKIN_V1_THRIFT)
INGEST(zipkin_v2_json, JAEGER_ENCODING_ZIPKIN_V2_JSON)
INGEST(zipkin_v2_proto, JAEGER_ENCODING_ZIPKIN_V2_PROTO)
