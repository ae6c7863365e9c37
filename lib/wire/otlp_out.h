/* SPDX-License-Identifier: Apache-2.0
 * Attributes written as OTLP bytes, for the translators that make batches of other formats. Sizes are known
 * before the first byte, so nothing is moved afterwards. Spec: opentelemetry-proto common/v1/common.proto.
 */
#ifndef JG_WIRE_OTLP_OUT_H
#define JG_WIRE_OTLP_OUT_H

#include "core/pb.h"

/** A KeyValue as field `field` of the message that is open in `buf`. */
void jg_otlp_attr_str(jg_buf *buf, uint32_t field, jaeger_str key, jaeger_str value);
void jg_otlp_attr_bytes(jg_buf *buf, uint32_t field, jaeger_str key, jaeger_str value);
void jg_otlp_attr_int(jg_buf *buf, uint32_t field, jaeger_str key, int64_t value);
void jg_otlp_attr_double(jg_buf *buf, uint32_t field, jaeger_str key, double value);
void jg_otlp_attr_bool(jg_buf *buf, uint32_t field, jaeger_str key, bool value);
/** Nothing for an id of zeroes. */
void jg_otlp_id(jg_buf *buf, uint32_t field, const uint8_t *id, size_t n);
/** Nothing for an empty text. */
void jg_otlp_text(jg_buf *buf, uint32_t field, jaeger_str text);
/** Nothing for zero. */
void jg_otlp_time(jg_buf *buf, uint32_t field, uint64_t unix_ns);
/** A Status; nothing if code and message are empty. */
void jg_otlp_status(jg_buf *buf, uint32_t code, jaeger_str message);

#endif
