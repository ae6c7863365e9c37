/* SPDX-License-Identifier: Apache-2.0
 * Log lines: "<ISO time>\t<level>\t<component>\t<text>", or one JSON object. The sink belongs to the
 * embedder.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/json_out.h"
#include "core/str.h"
#include <jaeger/base.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define LINE_MAX_BYTES 8192u /* longer lines are cut: a log is for reading */

static const char *level_name(jaeger_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level <= JAEGER_ERROR ? level : JAEGER_ERROR];
}

void jaeger_log(const jaeger_logger *log, jaeger_level level, const char *format, ...)
{
    if (!log || !log->sink || !log->sink->write || level < log->sink->level)
        return;
    char text[LINE_MAX_BYTES / 2], stamp[64];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    jaeger_str message = {text, n < 0 ? 0 : JG_MIN((size_t)n, sizeof text - 1)};

    uint64_t now = jg_clock_unix_ns();
    time_t seconds = (time_t)(now / JG_NS_PER_S);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    size_t at = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp + at, sizeof stamp - at, ".%03uZ", (unsigned)(now / JG_NS_PER_MS % 1000));

    JG_AUTO_BUF jg_buf line = JG_BUF_INIT(4 * LINE_MAX_BYTES);
    if (log->sink->json) {
        jg_json_out json = JG_JSON_OUT_INIT(&line);
        jg_json_object(&json);
        jg_json_key(&json, JAEGER_STR("level"));
        jg_json_str(&json, jg_str(level_name(level)));
        jg_json_key(&json, JAEGER_STR("ts"));
        jg_json_str(&json, jg_str(stamp));
        if (log->component) {
            jg_json_key(&json, JAEGER_STR("otelcol.component.id"));
            jg_json_str(&json, jg_str(log->component));
        }
        jg_json_key(&json, JAEGER_STR("msg"));
        jg_json_str(&json, message);
        jg_json_end(&json);
    } else {
        jg_buf_printf(&line, "%s\t%s\t%s\t%.*s", stamp, level_name(level),
                      log->component ? log->component : "-", JAEGER_STR_ARGS(message));
    }
    if (jg_buf_ok(&line))
        log->sink->write(log->sink->user, level, jg_buf_view(&line));
}
