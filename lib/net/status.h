/* SPDX-License-Identifier: Apache-2.0
 * Statuses at the HTTP edge.
 * Spec: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response, google.rpc.Status.
 */
#ifndef JG_NET_STATUS_H
#define JG_NET_STATUS_H

#include "core/buf.h"
#include <jaeger/base.h>

/** The status of an OTLP/HTTP answer: 400, 401, 403, 404, 429, 500, 503. */
int jg_status_to_http(jaeger_status status);
/** Reverse, for clients: 429, 502, 503, 504 are retryable. */
jaeger_status jg_status_from_http(int http_status);
/** google.rpc.Status as protobuf or as {"code":3,"message":"…"}. */
void jg_status_write_pb(jg_buf *out, jaeger_status status, jaeger_str message, uint32_t retry_after_ms);
void jg_status_write_json(jg_buf *out, jaeger_status status, jaeger_str message);
const char *jg_http_reason(int http_status);

#endif
