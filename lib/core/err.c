/* SPDX-License-Identifier: Apache-2.0
 * Errors and the call object's checks.
 * Retry rule: https://opentelemetry.io/docs/specs/otlp/#failures
 */
#include "core/err.h"

#include "core/clock.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *jaeger_status_name(jaeger_status status)
{
    static const char *const names[] = {
        "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"};
    return (size_t)status < JG_COUNT(names) ? names[status] : "UNKNOWN";
}

jaeger_status jaeger_fail(jaeger_error *err, jaeger_status status, const char *format, ...)
{
    if (!err)
        return status;
    va_list args;
    va_start(args, format);
    err->status = status;
    err->retry_after_ms = 0;
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

jaeger_status jg_fail_prefix(jaeger_error *err, const char *format, ...)
{
    if (!err)
        return JAEGER_INTERNAL;
    char prefixed[sizeof err->message];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(prefixed, sizeof prefixed, format, args);
    va_end(args);
    size_t at = n < 0 ? 0 : JG_MIN((size_t)n, sizeof prefixed - 3), left = sizeof prefixed - at - 3;
    size_t len = JG_MIN(strlen(err->message), left);
    memcpy(prefixed + at, ": ", 2);
    memcpy(prefixed + at + 2, err->message, len);
    prefixed[at + 2 + len] = 0;
    memcpy(err->message, prefixed, at + 2 + len + 1);
    return err->status;
}

bool jg_status_is_retryable(jaeger_status status)
{
    switch (status) {
    case JAEGER_CANCELLED:
    case JAEGER_DEADLINE_EXCEEDED:
    case JAEGER_ABORTED:
    case JAEGER_OUT_OF_RANGE:
    case JAEGER_UNAVAILABLE:
    case JAEGER_DATA_LOSS:
    case JAEGER_RESOURCE_EXHAUSTED: /* only with a retry time, which the caller looks at */
        return true;
    default:
        return false;
    }
}

jaeger_status jaeger_call_check(jaeger_call *call)
{
    if (call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED))
        return jg_fail(&call->error, JAEGER_CANCELLED, "the caller went away");
    if (call->deadline_ns && jg_clock_mono_ns() >= call->deadline_ns)
        return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "deadline exceeded");
    return JAEGER_OK;
}
