/* SPDX-License-Identifier: Apache-2.0
 * What an OTLP server answers: ExportTraceServiceResponse with its partial success, and google.rpc.Status, as
 * protobuf or JSON. Spec: https://opentelemetry.io/docs/specs/otlp/#partial-success-1, #failures-1.
 */
#ifndef JG_WIRE_OTLP_ANSWER_H
#define JG_WIRE_OTLP_ANSWER_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_otlp_answer {
    int64_t rejected_spans;
    char message[256]; /* cut at a character; may be empty */
} jg_otlp_answer;

/** An ExportTraceServiceResponse. @return false: it is none (`ret` is zeroes) */
bool jg_otlp_answer_read(jaeger_str body, bool json, jg_otlp_answer *ret) JG_MUST_CHECK;
/** Only the message of a google.rpc.Status. @return false: it is none, or has no message */
bool jg_otlp_answer_read_status(jaeger_str body, bool json, jg_otlp_answer *ret) JG_MUST_CHECK;

#endif
