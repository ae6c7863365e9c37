/* SPDX-License-Identifier: Apache-2.0
 * Jaeger's legacy JSON (/api/traces): one trace from a batch, written to a stream in pieces.
 * Rules: OTLP -> Jaeger translation of jaeger v2 (internal/uimodel, pkg/translator/jaeger), encoding/json
 * dialect.
 */
#ifndef JG_WIRE_JAEGER_JSON_H
#define JG_WIRE_JAEGER_JSON_H

#include "core/json_out.h"
#include <jaeger/batch.h>

/** The attribute that carries warnings of sanitizers and adjusters: an array of strings. */
#define JG_WARNINGS_ATTRIBUTE "@jaeger@warnings"

/** Writes traces one after the other, each as {"traceID":…,"spans":[…],"processes":{…},"warnings":null}. */
typedef struct jg_jaeger_json jg_jaeger_json;

/** @return NULL: out of memory */
jg_jaeger_json *jg_jaeger_json_new(jg_json_out *json, jg_json_flush flush);
void jg_jaeger_json_free(jg_jaeger_json *writer);
/** The next spans, all of one trace; if it is another than before, that one is ended. Spans that share an id
 * must have their id_marks.
 *  @return what flush returned; INTERNAL: a NaN or infinite value ("json: unsupported value: NaN");
 * RESOURCE_EXHAUSTED */
jaeger_status jg_jaeger_json_add(jg_jaeger_json *writer, const jaeger_batch *spans,
                                 jaeger_error *err) JG_MUST_CHECK;
/** End the last trace, if there is one. */
jaeger_status jg_jaeger_json_end(jg_jaeger_json *writer, jaeger_error *err) JG_MUST_CHECK;
/** Would writing it fail? Asked before the first byte leaves, so that the answer can still be an error.
 *  @return INTERNAL: a NaN or infinite value, with the text of encoding/json */
jaeger_status jg_jaeger_json_check_trace(const jaeger_batch *trace, jaeger_error *err) JG_MUST_CHECK;
/** Trace id as Jaeger prints it: 16 hex digits when the high half is zero, else 32. @return length */
size_t jg_jaeger_trace_id_text(const uint8_t trace_id[16], char out[32]);

#endif
