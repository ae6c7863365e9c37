/* SPDX-License-Identifier: Apache-2.0
 * Zipkin's formats to OTLP, as the Collector's translators do it, and v2 back.
 * Spec: https://zipkin.io/zipkin-api/ (v1, v2), zipkin-api zipkin.proto, zipkinCore.thrift; contrib
 * pkg/translator/zipkin. Spans of one service make one resource, in the order in which services first appear.
 */
#ifndef JG_WIRE_ZIPKIN_H
#define JG_WIRE_ZIPKIN_H

#include "core/json_out.h"
#include <jaeger/batch.h>

/** Readers: a whole request. @param parse_string_tags tags that look like numbers and booleans become such
 *  @return INVALID_ARGUMENT with the reason; RESOURCE_EXHAUSTED */
jaeger_status jg_zipkin_v2_json_to_batch(jaeger_str bytes, bool parse_string_tags, jaeger_batch **ret,
                                         jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_zipkin_v1_json_to_batch(jaeger_str bytes, bool parse_string_tags, jaeger_batch **ret,
                                         jaeger_error *err) JG_MUST_CHECK;
/** A list of zipkincore.Span in TBinary, without an envelope. */
jaeger_status jg_zipkin_v1_thrift_to_batch(jaeger_str bytes, jaeger_batch **ret,
                                           jaeger_error *err) JG_MUST_CHECK;
/** zipkin.proto3.ListOfSpans. */
jaeger_status jg_zipkin_pb_to_batch(jaeger_str bytes, bool parse_string_tags, jaeger_batch **ret,
                                    jaeger_error *err) JG_MUST_CHECK;

/** Writers: all spans as one list. Errors of the buffer stay there.
 *  @return INVALID_ARGUMENT: a span that Zipkin cannot carry (no ids; in JSON also a negative duration or a
 * start before 1970) */
jaeger_status jg_zipkin_json_write(jg_buf *out, const jaeger_batch *batch, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_zipkin_pb_write(jg_buf *out, const jaeger_batch *batch, jaeger_error *err) JG_MUST_CHECK;

#endif
