/* SPDX-License-Identifier: Apache-2.0
 * See status.h. The tables of the OTLP receiver of the Collector, and reason phrases of RFC 9110.
 */
#include "net/status.h"

#include "core/json_out.h"
#include "core/pb.h"

int jg_status_to_http(jaeger_status status)
{
    switch (status) {
    case JAEGER_OK:
        return 200;
    case JAEGER_INVALID_ARGUMENT:
        return 400;
    case JAEGER_UNAUTHENTICATED:
        return 401;
    case JAEGER_PERMISSION_DENIED:
        return 403;
    case JAEGER_UNIMPLEMENTED:
        return 404;
    case JAEGER_RESOURCE_EXHAUSTED:
        return 429;
    case JAEGER_CANCELLED:
    case JAEGER_DEADLINE_EXCEEDED:
    case JAEGER_ABORTED:
    case JAEGER_OUT_OF_RANGE:
    case JAEGER_UNAVAILABLE:
    case JAEGER_DATA_LOSS:
        return 503;
    default:
        return 500;
    }
}

jaeger_status jg_status_from_http(int http_status)
{
    if (http_status >= 200 && http_status < 300)
        return JAEGER_OK;
    switch (http_status) {
    case 400:
        return JAEGER_INVALID_ARGUMENT;
    case 401:
        return JAEGER_UNAUTHENTICATED;
    case 403:
        return JAEGER_PERMISSION_DENIED;
    case 404:
        return JAEGER_UNIMPLEMENTED;
    case 429:
        return JAEGER_RESOURCE_EXHAUSTED;
    case 502:
    case 503:
    case 504:
        return JAEGER_UNAVAILABLE;
    default:
        return http_status >= 400 && http_status < 500 ? JAEGER_INVALID_ARGUMENT : JAEGER_UNKNOWN;
    }
}

/** google.rpc.RetryInfo{retry_delay: Duration{seconds, nanos}} in a google.protobuf.Any. */
static void write_retry_info(jg_buf *out, uint32_t retry_after_ms)
{
    size_t any = jg_pb_begin(out, 3, 1);
    jg_pb_write_str(out, 1, JAEGER_STR("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = jg_pb_begin(out, 2, 1);
    size_t delay = jg_pb_begin(out, 1, 1);
    if (retry_after_ms / 1000)
        jg_pb_write_varint(out, 1, retry_after_ms / 1000);
    if (retry_after_ms % 1000)
        jg_pb_write_varint(out, 2, retry_after_ms % 1000 * 1000000ull);
    jg_pb_end(out, delay, 1);
    jg_pb_end(out, info, 1);
    jg_pb_end(out, any, 1);
}

void jg_status_write_pb(jg_buf *out, jaeger_status status, jaeger_str message, uint32_t retry_after_ms)
{
    if (status)
        jg_pb_write_varint(out, 1, (uint64_t)status);
    if (message.len)
        jg_pb_write_str(out, 2, message);
    if (retry_after_ms)
        write_retry_info(out, retry_after_ms);
}

void jg_status_write_json(jg_buf *out, jaeger_status status, jaeger_str message)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    jg_json_object(&json);
    if (status) {
        jg_json_key_lit(&json, "code");
        jg_json_i64(&json, status);
    }
    if (message.len) {
        jg_json_key_lit(&json, "message");
        jg_json_str(&json, message);
    }
    jg_json_end(&json);
}

const char *jg_http_reason(int http_status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Request Entity Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < JG_COUNT(reasons); i++)
        if (reasons[i].status == http_status)
            return reasons[i].reason;
    return "Unknown";
}
