/* SPDX-License-Identifier: Apache-2.0
 * See rfc3339.h. Days are counted in 400-year eras that begin in March, so that leap days come last.
 */
#include "wire/rfc3339.h"

#include <stdio.h>

/** Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, day_of_era = days - era * 146097;
    int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100),
            month = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

/** Exactly `n` digits. @return false: something else */
static bool digits(jaeger_str *text, size_t n, int64_t *ret)
{
    *ret = 0;
    if (text->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(text->ptr[i] - '0');
        if (digit > 9)
            return false;
        *ret = *ret * 10 + digit;
    }
    text->ptr += n;
    text->len -= n;
    return true;
}

static bool one_of(jaeger_str *text, const char *set, char *ret)
{
    if (text->len == 0)
        return false;
    for (; *set; set++)
        if (*set == text->ptr[0]) {
            *ret = *set;
            text->ptr++;
            text->len--;
            return true;
        }
    return false;
}

static void fraction(jaeger_str *text, uint32_t *ret_ns)
{
    uint32_t scale = 100000000;
    while (text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
        *ret_ns += (uint32_t)(text->ptr[0] - '0') * scale;
        scale /= 10;
        text->ptr++;
        text->len--;
    }
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 ? 28 + leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool jg_rfc3339_parse(jaeger_str text, int64_t *ret_s, uint32_t *ret_ns)
{
    int64_t year, month, day, hour, minute, second, zone_hour = 0, zone_minute = 0;
    uint32_t ns = 0;
    char c;
    if (!digits(&text, 4, &year) || !one_of(&text, "-", &c) || !digits(&text, 2, &month) ||
        !one_of(&text, "-", &c) || !digits(&text, 2, &day) || !one_of(&text, "Tt", &c) ||
        !digits(&text, 2, &hour) || !one_of(&text, ":", &c) || !digits(&text, 2, &minute) ||
        !one_of(&text, ":", &c) || !digits(&text, 2, &second))
        return false;
    if (one_of(&text, ".", &c)) {
        if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] > '9')
            return false;
        fraction(&text, &ns);
    }
    if (!one_of(&text, "Zz+-", &c))
        return false;
    char sign = c;
    if ((sign == '+' || sign == '-') &&
        (!digits(&text, 2, &zone_hour) || !one_of(&text, ":", &c) || !digits(&text, 2, &zone_minute)))
        return false;
    if (text.len || year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 59 || zone_hour > 23 || zone_minute > 59)
        return false;
    int64_t zone = (zone_hour * 60 + zone_minute) * 60;
    *ret_s =
        ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - (sign == '-' ? -zone : zone);
    *ret_ns = ns;
    return true;
}

/** ".5" as ".500": 3, 6 or 9 digits; nothing for 0. @return length */
static size_t fraction_format(uint32_t ns, char *out)
{
    if (ns == 0)
        return 0;
    if (ns % 1000000 == 0)
        return (size_t)snprintf(out, 11, ".%03u", ns / 1000000);
    if (ns % 1000 == 0)
        return (size_t)snprintf(out, 11, ".%06u", ns / 1000);
    return (size_t)snprintf(out, 11, ".%09u", ns);
}

size_t jg_rfc3339_format(int64_t s, uint32_t ns, char *out)
{
    int64_t days = s / 86400, rest = s % 86400;
    int year, month, day;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    date_of(days, &year, &month, &day);
    size_t n = (size_t)snprintf(out, 29, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                                (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    n += fraction_format(ns, out + n);
    out[n++] = 'Z';
    return n;
}

size_t jg_duration_format(int64_t ns, char *out)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    size_t n =
        (size_t)snprintf(out, 24, "%s%llu", ns < 0 ? "-" : "", (unsigned long long)(magnitude / 1000000000u));
    n += fraction_format((uint32_t)(magnitude % 1000000000u), out + n);
    out[n++] = 's';
    return n;
}
