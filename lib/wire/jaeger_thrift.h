/* SPDX-License-Identifier: Apache-2.0
 * jaeger.thrift and agent.thrift to OTLP, as the Collector's translator does it, and back.
 * Spec: jaeger-idl thrift/jaeger.thrift, thrift/agent.thrift; contrib pkg/translator/jaeger.
 */
#ifndef JG_WIRE_JAEGER_THRIFT_H
#define JG_WIRE_JAEGER_THRIFT_H

#include "wire/thrift.h"
#include <jaeger/batch.h>

/** A bare Batch struct (HTTP bodies). @return INVALID_ARGUMENT with position and reason; RESOURCE_EXHAUSTED
 */
jaeger_status jg_jaeger_thrift_to_batch(jg_thrift_protocol protocol, jaeger_str bytes, jaeger_batch **ret,
                                        jaeger_error *err) JG_MUST_CHECK;
/** A datagram to the agent: a message emitBatch. @return also UNIMPLEMENTED: another method (emitZipkinBatch)
 */
jaeger_status jg_jaeger_thrift_packet(jg_thrift_protocol protocol, jaeger_str bytes, jaeger_batch **ret,
                                      jaeger_error *err) JG_MUST_CHECK;

/** A bare Batch struct of the spans from index `from` on that share one resource. @return index of the first
 * span that is not in it */
size_t jg_jaeger_thrift_write(jg_thrift_out *out, const jaeger_batch *batch, size_t from);

#endif
