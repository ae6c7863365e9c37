/* SPDX-License-Identifier: Apache-2.0
 * jaeger.api_v2 in protobuf to OTLP, as the Collector's translator does it, and back.
 * Spec: jaeger-idl proto/api_v2/model.proto, collector.proto; gogoproto's wire effects are in
 * docs/compatibility.md.
 */
#ifndef JG_WIRE_JAEGER_PB_H
#define JG_WIRE_JAEGER_PB_H

#include "core/buf.h"
#include <jaeger/batch.h>

/** A PostSpansRequest. Spans with a process of their own go to its resource, the others to the batch's.
 *  @return INVALID_ARGUMENT (not such a message: wrong types, id lengths, times out of range);
 * RESOURCE_EXHAUSTED */
jaeger_status jg_jaeger_pb_post_to_batch(jaeger_str bytes, jaeger_batch **ret,
                                         jaeger_error *err) JG_MUST_CHECK;
/** A Batch. */
jaeger_status jg_jaeger_pb_to_batch(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err) JG_MUST_CHECK;
/** One Span with its process (Kafka's jaeger_proto). */
jaeger_status jg_jaeger_pb_span_to_batch(jaeger_str bytes, jaeger_batch **ret,
                                         jaeger_error *err) JG_MUST_CHECK;

/** The body of a Span. @param with_process add its process (field 10) */
void jg_jaeger_pb_write_span(jg_buf *out, const jaeger_span *span, bool with_process);
/** The body of a Process. */
void jg_jaeger_pb_write_process(jg_buf *out, const jaeger_span_group *group);
/** A PostSpansRequest of the spans from index `from` on that share one resource. @return index of the first
 * span that is not in it */
size_t jg_jaeger_pb_write_post(jg_buf *out, const jaeger_batch *batch, size_t from);

#endif
