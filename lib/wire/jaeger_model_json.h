/* SPDX-License-Identifier: Apache-2.0
 * One jaeger.api_v2 Span in gogoproto's JSON (Kafka's jaeger_json): ids and bytes in base64, 64-bit numbers
 * as strings, enums as names, times in RFC 3339, durations as "1.5s". Spec:
 * https://protobuf.dev/programming-guides/json/; gogo jsonpb.
 */
#ifndef JG_WIRE_JAEGER_MODEL_JSON_H
#define JG_WIRE_JAEGER_MODEL_JSON_H

#include "core/json_out.h"
#include <jaeger/batch.h>

/** @return INVALID_ARGUMENT with position and reason; RESOURCE_EXHAUSTED */
jaeger_status jg_jaeger_model_json_to_batch(jaeger_str json, jaeger_batch **ret,
                                            jaeger_error *err) JG_MUST_CHECK;
/** The span with its process. Set json->html: gogo escapes as encoding/json does. */
void jg_jaeger_model_json_write(jg_json_out *json, const jaeger_span *span);

#endif
