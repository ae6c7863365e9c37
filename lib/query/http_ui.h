/* SPDX-License-Identifier: Apache-2.0
 * What the answers for the built-in user interface about one trace share: http_ui*.c.
 */
#ifndef JG_QUERY_HTTP_UI_H
#define JG_QUERY_HTTP_UI_H

#include "core/map.h"
#include "query/http_call.h"

/** Read the trace that the path names and let `write` answer from it; NOT_FOUND and failures are answered
 * here.
 *  @param write gets the whole trace, once; what it writes to c->json or c->body is the answer */
void jg_ui_answer_from_trace(jg_http_call *c, jaeger_status (*write)(jg_http_call *c, jaeger_batch *trace));

#define JG_UI_COLUMNS_TYPE "application/x-trace-columns"

/** Changes when spans come or change their time. ptr NULL: out of memory */
jaeger_str jg_ui_etag(jg_http_call *c, const jaeger_span *spans, size_t n);
/** Append a trace as columns; pieces may leave meanwhile. @param n one at least */
jaeger_status jg_ui_put_columns(jg_http_call *c, const jaeger_span *spans, size_t n, jaeger_str etag);

/** Texts in the order of their first use. */
typedef struct jg_ui_strings {
    jg_map numbers; /* text -> index + 1 */
    jaeger_str *items;
    size_t count, cap;
} jg_ui_strings;

void jg_ui_strings_done(jg_ui_strings *list);
/** @param text is not copied. @return false: out of memory */
bool jg_ui_strings_put(jg_ui_strings *list, jaeger_arena *arena, jaeger_str text, uint32_t *ret);
/** As an array of strings. */
void jg_ui_strings_write(jg_json_out *json, const jg_ui_strings *list);

#endif
