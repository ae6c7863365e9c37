/* SPDX-License-Identifier: Apache-2.0
 * OTLP in JSON, both ways, without a tree between: JSON text straight to wire bytes, wire bytes straight to
 * JSON text. Spec: opentelemetry-proto docs/specification.md#otlphttp (JSON Protobuf Encoding); tolerances of
 * the Collector's pdata.
 */
#ifndef JG_WIRE_OTLP_JSON_H
#define JG_WIRE_OTLP_JSON_H

#include "core/json_out.h"
#include <jaeger/batch.h>

/** {"resourceSpans":[…]} to OTLP protobuf bytes at the end of `out`. Unknown keys are skipped; snake_case
 * keys, enum names, numbers as strings are taken as pdata takes them.
 *  @return INVALID_ARGUMENT with position and reason; RESOURCE_EXHAUSTED */
jaeger_status jg_otlp_json_read(jaeger_str json, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
/** The same, as a batch. */
jaeger_status jg_otlp_json_to_batch(jaeger_str json, jaeger_batch **ret, jaeger_error *err) JG_MUST_CHECK;

/** {"resourceMetrics":[…]} as a batch of metrics. */
jaeger_status jg_otlp_json_to_metrics(jaeger_str json, jaeger_batch **ret, jaeger_error *err) JG_MUST_CHECK;

/** {"resourceSpans":[…]} of a batch, in the Collector's pdata dialect (ids in hex, zero values omitted). */
void jg_otlp_json_write(jg_json_out *json, const jaeger_batch *batch);
/** {"resourceMetrics":[…]} of a batch of metrics, in the same dialect. */
void jg_otlp_json_write_metrics(jg_json_out *json, const jaeger_batch *batch);
/** Only the elements of the array, for streams of several batches: the caller opened it. */
void jg_otlp_json_write_resource_spans(jg_json_out *json, const jaeger_batch *batch);
/** The same in pieces: the buffer is flushed after each span that filled it.
 *  @return what flush returned; RESOURCE_EXHAUSTED: the buffer failed */
jaeger_status jg_otlp_json_stream_resource_spans(jg_json_out *json, const jaeger_batch *batch,
                                                 jg_json_flush flush) JG_MUST_CHECK;

#endif
