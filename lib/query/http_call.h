/* SPDX-License-Identifier: Apache-2.0
 * One HTTP request while it is answered: its parameters, and a response that begins as late as it can.
 *
 * Pieces are gathered up to JG_RESPONSE_BYTES; only then does the status leave. So an error met before that
 * is still answered as one, and small answers go out in one piece.
 */
#ifndef JG_QUERY_HTTP_CALL_H
#define JG_QUERY_HTTP_CALL_H

#include "core/json_out.h"
#include "query/http.h"
#include "query/http_params.h"

typedef struct jg_http_call {
    const jg_query_http *http;
    jg_http_request *request;
    const jg_query_reply *reply;
    jaeger_call *call;
    jaeger_str variable; /* the part of the path that a route names, decoded; the rest of it for /static/ */
    const char *content_type; /* of the answer being written */
    jg_buf body;
    jg_json_out json; /* writes into body */
    bool begun;
    int status; /* that was answered; 0: not yet */
} jg_http_call;

typedef void (*jg_http_route_fn)(jg_http_call *c);

/* http_call.c */

/** First value of a query parameter; empty: none. */
jaeger_str jg_http_param(const jg_http_call *c, const char *name);
/** Walk all values of `name`: start with *at = 0. */
bool jg_http_param_next(const jg_http_call *c, const char *name, size_t *at, jaeger_str *ret);
/** A header of the request, its name in lower case; ptr NULL: absent. */
jaeger_str jg_http_call_header(const jg_http_call *c, const char *name);
/** Prepare c->json for an answer. */
void jg_http_json_begin(jg_http_call *c, bool pretty);
/** Where streaming writers flush. */
jg_json_flush jg_http_flush(jg_http_call *c);
/** The answer is complete. */
void jg_http_json_end(jg_http_call *c);
/** It cannot be completed and has begun: cut the connection. */
void jg_http_cut(jg_http_call *c);
/** One piece. */
void jg_http_answer(jg_http_call *c, int status, const char *content_type, jaeger_str body);
/** Go's http.Error: text/plain, nosniff, and a newline after the text. */
void jg_http_error(jg_http_call *c, int status, jaeger_str text);
void jg_http_not_found(jg_http_call *c);
/** Is a search one page, with a filter, an order or a cursor of its own? Reads `filter`, `order`, `cursor`,
 *  each behind `prefix`, and lets the search tell in `page` that it stopped early, page or not. @return
 * INVALID_ARGUMENT "filter: column 3: ..." */
jaeger_status jg_http_page_params(const jg_http_call *c, const char *prefix, jaeger_trace_query *find,
                                  jaeger_page *page, bool *ret_paged, jaeger_error *err) JG_MUST_CHECK;
/** The keys nextCursor and stoppedEarly. */
void jg_http_page_result(jg_json_out *json, const jaeger_page *page);
#define JG_STOPPED_EARLY                                                                                     \
    "the search stopped early, at its budget of traces or time: narrow the time range or the filter"
/** The HTTP status of a failed query; 500 unless the request or a ceiling is to blame. */
int jg_http_status_of(jaeger_status status, const jaeger_error *err);

/* http_api.c, http_v3.c: the routes */
void jg_api_trace(jg_http_call *c);
void jg_api_search(jg_http_call *c);
void jg_api_archive(jg_http_call *c);
void jg_api_services(jg_http_call *c);
void jg_api_operations(jg_http_call *c);
void jg_api_service_operations(jg_http_call *c);
void jg_api_dependencies(jg_http_call *c);
void jg_api_transform(jg_http_call *c);
void jg_api_latencies(jg_http_call *c);
void jg_api_calls(jg_http_call *c);
void jg_api_errors(jg_http_call *c);
void jg_api_deep_dependencies(jg_http_call *c);
void jg_api_attributes(jg_http_call *c);
void jg_api_attribute_values(jg_http_call *c);
/* http_quality.c */
void jg_api_quality_metrics(jg_http_call *c);
/* http_tempo.c */
void jg_tempo_echo(jg_http_call *c);
void jg_tempo_trace(jg_http_call *c);
void jg_tempo_trace_v2(jg_http_call *c);
void jg_tempo_search(jg_http_call *c);
void jg_tempo_tags(jg_http_call *c);
void jg_tempo_tags_v2(jg_http_call *c);
void jg_tempo_values(jg_http_call *c);
void jg_v3_services(jg_http_call *c);
void jg_v3_operations(jg_http_call *c);
void jg_v3_trace(jg_http_call *c);
void jg_v3_traces(jg_http_call *c);
void jg_v3_summaries(jg_http_call *c);
/* http_ui.c */
void jg_ui_api_session(jg_http_call *c);
void jg_ui_api_trace(jg_http_call *c);
void jg_ui_api_spans(jg_http_call *c);
void jg_ui_api_find(jg_http_call *c);
/* http_ui_attrs.c */
void jg_ui_api_keys(jg_http_call *c);
void jg_ui_api_values(jg_http_call *c);
void jg_ui_api_links(jg_http_call *c);
/* http_ui_watch.c */
void jg_ui_api_watch(jg_http_call *c);
/* http_edges.c, http_system.c */
void jg_ui_api_edges(jg_http_call *c);
void jg_ui_api_telemetry(jg_http_call *c);
void jg_ui_api_sampling(jg_http_call *c);

#endif
