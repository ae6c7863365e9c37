/* SPDX-License-Identifier: Apache-2.0
 * What the legacy API's handlers share: the envelope and parameters.
 */
#ifndef JG_QUERY_HTTP_API_H
#define JG_QUERY_HTTP_API_H

#include "query/http_call.h"

/** Write up to the value of `data`, indented if prettyPrint says so. */
void jg_api_begin(jg_http_call *c);
/** After the value of `data`: total, limit, offset and the key of `errors`; its value follows. */
void jg_api_rest(jg_json_out *json, size_t total);
/** The rest without errors; the answer is complete. */
void jg_api_end(jg_http_call *c, size_t total);
/** One of `errors`. @param code 0: none. @param trace_id NULL: none */
void jg_api_error_object(jg_json_out *json, int code, jaeger_str message, const uint8_t *trace_id);
/** Answer with an error; cut the connection if the answer has begun. */
void jg_api_fail(jg_http_call *c, int status, jaeger_str message);
void jg_api_fail_parse(jg_http_call *c, const jaeger_error *err);
void jg_api_fail_query(jg_http_call *c, jaeger_status status);

/** "unable to parse param 'x': …" */
jaeger_status jg_api_prefix_param(jaeger_error *err, const char *name);
/** An integer or boolean parameter; `ret` keeps its value if it is absent. */
jaeger_status jg_api_int_param(const jg_http_call *c, const char *name, int64_t *ret,
                               jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_api_bool_param(const jg_http_call *c, const char *name, bool *ret,
                                jaeger_error *err) JG_MUST_CHECK;
/** From a time in units since 1970 to ns; what does not fit is cut. */
uint64_t jg_api_unix_ns(int64_t value, uint64_t unit_ns);

#endif
