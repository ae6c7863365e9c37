/* SPDX-License-Identifier: Apache-2.0
 * Functions on times and durations. Times are UTC; formats have the directives %Y %y %m %d %e %H %I %p %M %S
 * %f %L %b %B %h %a %A %j %z %Z %s %F %T %D %R %n %t %%. Spec: opentelemetry-collector-contrib
 * pkg/ottl/ottlfuncs/README.md.
 */
#include "core/clock.h"
#include "core/str.h"
#include "ottl/node.h"
#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000ll

static jg_ottl_value time_of(int64_t ns)
{
    return (jg_ottl_value){JG_OTTL_TIME, {.i = ns}};
}

static bool arg_ns(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_type type, int64_t *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_arg_of(e, call, 0, type, &value))
        return false;
    *ret = value.u.i;
    return true;
}

static bool now(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    (void)e;
    (void)call;
    *ret = time_of((int64_t)jg_clock_unix_ns());
    return true;
}

static bool duration(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    ret->type = JG_OTTL_DURATION;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    return jg_str_to_duration(text, &ret->u.i) ||
           jg_ottl_fail(e, "Duration: invalid duration \"%.*s\"", (int)JG_MIN(text.len, 64), text.ptr);
}

static bool from_unix(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    int64_t seconds, ns = 0;
    if (!jg_ottl_arg_int(e, call, 0, &seconds) ||
        (!jg_ottl_arg_is_absent(call, 1) && !jg_ottl_arg_int(e, call, 1, &ns)))
        return false;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &seconds) || __builtin_add_overflow(seconds, ns, &ns))
        return jg_ottl_fail(e, "Unix: the time is out of range");
    *ret = time_of(ns);
    return true;
}

/* Rounds down, also before 1970. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool unix_in(jg_ottl_eval *e, const jg_ottl_node *call, int64_t unit, jg_ottl_value *ret)
{
    int64_t ns;
    if (!arg_ns(e, call, JG_OTTL_TIME, &ns))
        return false;
    *ret = jg_ottl_of_int(floor_div(ns, unit));
    return true;
}

static bool unix_seconds(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return unix_in(e, call, NS_PER_S, ret);
}

static bool unix_milli(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return unix_in(e, call, 1000000, ret);
}

static bool unix_micro(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return unix_in(e, call, 1000, ret);
}

static bool unix_nano(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return unix_in(e, call, 1, ret);
}

/* ---- durations as numbers ---- */

static bool long_units(jg_ottl_eval *e, const jg_ottl_node *call, double unit, jg_ottl_value *ret)
{
    int64_t ns;
    if (!arg_ns(e, call, JG_OTTL_DURATION, &ns))
        return false;
    *ret = jg_ottl_of_double((double)ns / unit);
    return true;
}

static bool short_units(jg_ottl_eval *e, const jg_ottl_node *call, int64_t unit, jg_ottl_value *ret)
{
    int64_t ns;
    if (!arg_ns(e, call, JG_OTTL_DURATION, &ns))
        return false;
    *ret = jg_ottl_of_int(ns / unit);
    return true;
}

static bool hours(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return long_units(e, call, 3600e9, ret);
}

static bool minutes(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return long_units(e, call, 60e9, ret);
}

static bool seconds(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return long_units(e, call, 1e9, ret);
}

static bool milliseconds(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return short_units(e, call, 1000000, ret);
}

static bool microseconds(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return short_units(e, call, 1000, ret);
}

static bool nanoseconds(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return short_units(e, call, 1, ret);
}

/* ---- parts of a time ---- */

static bool part(jg_ottl_eval *e, const jg_ottl_node *call, char which, jg_ottl_value *ret)
{
    int64_t ns;
    struct tm tm;
    if (!arg_ns(e, call, JG_OTTL_TIME, &ns))
        return false;
    time_t at = (time_t)floor_div(ns, NS_PER_S);
    if (!gmtime_r(&at, &tm))
        return jg_ottl_fail(e, "the time is out of range");
    *ret = jg_ottl_of_int(which == 'Y'   ? tm.tm_year + 1900
                          : which == 'm' ? tm.tm_mon + 1
                          : which == 'd' ? tm.tm_mday
                          : which == 'w' ? tm.tm_wday
                          : which == 'H' ? tm.tm_hour
                          : which == 'M' ? tm.tm_min
                          : which == 'S' ? tm.tm_sec
                                         : ns - (int64_t)at * NS_PER_S);
    return true;
}

#define PART(name, which)                                                                                    \
    static bool name(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)                          \
    {                                                                                                        \
        return part(e, call, which, ret);                                                                    \
    }
PART(year, 'Y')
PART(month, 'm')
PART(day, 'd')
PART(weekday, 'w')
PART(hour, 'H')
PART(minute, 'M')
PART(second, 'S')
PART(nanosecond, 'n')

static bool truncate_time(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value step;
    int64_t ns;
    if (!arg_ns(e, call, JG_OTTL_TIME, &ns) || !jg_ottl_arg_of(e, call, 1, JG_OTTL_DURATION, &step))
        return false;
    *ret = time_of(step.u.i > 0 ? floor_div(ns, step.u.i) * step.u.i : ns);
    return true;
}

/* ---- formats ---- */

/* UTC, or a zone without an offset; others are not known here. */
static bool check_zone(jg_ottl_eval *e, const jg_ottl_node *call, size_t i)
{
    jaeger_str zone;
    if (jg_ottl_arg_is_absent(call, i))
        return true;
    if (!jg_ottl_arg_str(e, call, i, &zone))
        return false;
    return zone.len == 0 || jg_str_is(zone, "UTC") || jg_str_is(zone, "GMT") ||
           jg_ottl_fail(e, "%s: only the location UTC is supported", call->fn->name);
}

/* Up to `digits` digits of a fraction of a second, as ns. */
static size_t read_fraction(jaeger_str text, int64_t *ret)
{
    size_t n = 0;
    int64_t unit = NS_PER_S / 10;
    for (*ret = 0; n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9'; n++, unit /= 10)
        *ret += unit * (text.ptr[n] - '0');
    return n;
}

/* One directive that strptime has not, or has otherwise; the others go to strptime. @return NULL: no match */
static const char *read_directive(const char *text, char directive, struct tm *tm, int64_t *ns)
{
    char format[3] = {'%', directive, 0};
    if (directive == 'f' || directive == 'L') {
        size_t n = read_fraction(jg_str(text), ns);
        return n ? text + n : NULL;
    }
    if (directive == 'Z' && (strncmp(text, "UTC", 3) == 0 || strncmp(text, "GMT", 3) == 0))
        return text + 3;
    if (directive == 'z' && *text == 'Z')
        return text + 1;
    return strchr("YymdeHIpMSbBhaAjzsFTDRnt%", directive) ? strptime(text, format, tm) : NULL;
}

static bool parse_time(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, format;
    char z[128];
    struct tm tm = {.tm_mday = 1, .tm_year = 70};
    int64_t fraction = 0;
    if (!jg_ottl_arg_str(e, call, 0, &text) || !jg_ottl_arg_str(e, call, 1, &format) ||
        !check_zone(e, call, 2))
        return false;
    if (text.len == 0 || text.len >= sizeof z || memchr(text.ptr, 0, text.len))
        return jg_ottl_fail(e, "time cannot be empty, or longer than %zu bytes", sizeof z - 1);
    memcpy(z, text.ptr, text.len);
    z[text.len] = 0;
    const char *at = z;
    for (size_t i = 0; i < format.len && at; i++) {
        if (format.ptr[i] == '%' && i + 1 < format.len && format.ptr[i + 1])
            at = read_directive(at, format.ptr[++i], &tm, &fraction);
        else
            at = *at == format.ptr[i] && *at ? at + 1 : NULL;
    }
    if (!at || *at)
        return jg_ottl_fail(e, "Time: \"%s\" does not match the format", z);
    int64_t offset = tm.tm_gmtoff, ns;
    tm.tm_gmtoff = 0;
    int64_t unix_s = (int64_t)timegm(&tm) - offset;
    if (__builtin_mul_overflow(unix_s, NS_PER_S, &ns) || __builtin_add_overflow(ns, fraction, &ns))
        return jg_ottl_fail(e, "Time: out of range");
    *ret = time_of(ns);
    return true;
}

static bool format_time(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    int64_t ns;
    jaeger_str format;
    struct tm tm;
    char piece[64];
    if (!arg_ns(e, call, JG_OTTL_TIME, &ns) || !jg_ottl_arg_str(e, call, 1, &format))
        return false;
    time_t at = (time_t)floor_div(ns, NS_PER_S);
    long fraction = (long)(ns - (int64_t)at * NS_PER_S);
    if (!gmtime_r(&at, &tm))
        return jg_ottl_fail(e, "the time is out of range");
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (size_t i = 0; i < format.len; i++) {
        char spec[3] = {'%', i + 1 < format.len ? format.ptr[i + 1] : 0, 0};
        if (format.ptr[i] != '%' || !spec[1])
            jg_buf_byte(&out, (uint8_t)format.ptr[i]);
        else if (spec[1] == 'f' || spec[1] == 'L')
            jg_buf_printf(&out, spec[1] == 'f' ? "%06ld" : "%03ld",
                          fraction / (spec[1] == 'f' ? 1000 : 1000000));
        else
            jg_buf_append(&out, piece, strftime(piece, sizeof piece, spec, &tm));
        i += format.ptr[i] == '%' && spec[1];
    }
    return jg_ottl_finish(e, &out, JG_OTTL_STRING, ret);
}

const jg_ottl_fn jg_ottl_time_fns[] = {{"Now", "", now, 0},
                                       {"Duration", "duration", duration, 0},
                                       {"Time", "time,format,location?,locale?", parse_time, 0},
                                       {"FormatTime", "time,format", format_time, 0},
                                       {"TruncateTime", "time,duration", truncate_time, 0},
                                       {"Unix", "seconds,nanoseconds?", from_unix, 0},
                                       {"UnixSeconds", "time", unix_seconds, 0},
                                       {"UnixMilli", "time", unix_milli, 0},
                                       {"UnixMicro", "time", unix_micro, 0},
                                       {"UnixNano", "time", unix_nano, 0},
                                       {"Hours", "duration", hours, 0},
                                       {"Minutes", "duration", minutes, 0},
                                       {"Seconds", "duration", seconds, 0},
                                       {"Milliseconds", "duration", milliseconds, 0},
                                       {"Microseconds", "duration", microseconds, 0},
                                       {"Nanoseconds", "duration", nanoseconds, 0},
                                       {"Year", "time", year, 0},
                                       {"Month", "time", month, 0},
                                       {"Day", "time", day, 0},
                                       {"Weekday", "time", weekday, 0},
                                       {"Hour", "time", hour, 0},
                                       {"Minute", "time", minute, 0},
                                       {"Second", "time", second, 0},
                                       {"Nanosecond", "time", nanosecond, 0},
                                       {0}};
