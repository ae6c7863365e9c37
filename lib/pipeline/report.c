/* SPDX-License-Identifier: Apache-2.0
 * See report.h.
 */
#include "pipeline/report.h"

#include "core/err.h"
#include <stdarg.h>
#include <stdio.h>

void jg_report_done(jg_report *report)
{
    jg_buf_done(&report->text);
}

void jg_report_add(jg_report *report, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (report->count++)
        jg_buf_byte(&report->text, '\n');
    jg_buf_append(&report->text, line, n < 0 ? 0 : JG_MIN((size_t)n, sizeof line - 1));
}

jaeger_status jg_report_status(const jg_report *report, jaeger_error *err)
{
    if (!report->count)
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%.*s", JAEGER_STR_ARGS(jg_buf_view(&report->text)));
}
