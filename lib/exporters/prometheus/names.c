/* SPDX-License-Identifier: Apache-2.0
 * See names.h.
 */
#include "exporters/prometheus/names.h"

#include "core/str.h"
#include <math.h>
#include <stdio.h>

static const struct unit {
    const char *unit, *word;
} units[] = {{"d", "days"},
             {"h", "hours"},
             {"min", "minutes"},
             {"s", "seconds"},
             {"ms", "milliseconds"},
             {"us", "microseconds"},
             {"ns", "nanoseconds"},
             {"By", "bytes"},
             {"KiBy", "kibibytes"},
             {"MiBy", "mebibytes"},
             {"GiBy", "gibibytes"},
             {"TiBy", "tibibytes"},
             {"KBy", "kilobytes"},
             {"MBy", "megabytes"},
             {"GBy", "gigabytes"},
             {"TBy", "terabytes"},
             {"m", "meters"},
             {"V", "volts"},
             {"A", "amperes"},
             {"J", "joules"},
             {"W", "watts"},
             {"g", "grams"},
             {"Cel", "celsius"},
             {"Hz", "hertz"},
             {"1", ""},
             {"%", "percent"}},
  rates[] = {{"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"},
             {"w", "week"},   {"mo", "month"}, {"y", "year"}};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Next run of letters, digits and colons. */
static bool next_token(jaeger_str *rest, jaeger_str *ret)
{
    size_t from = 0;
    while (from < rest->len && !is_alnum(rest->ptr[from]) && rest->ptr[from] != ':')
        from++;
    size_t to = from;
    while (to < rest->len && (is_alnum(rest->ptr[to]) || rest->ptr[to] == ':'))
        to++;
    *ret = (jaeger_str){rest->ptr + from, to - from};
    *rest = jg_str_skip(*rest, to);
    return ret->len > 0;
}

static bool has_token(jaeger_str name, jaeger_str token)
{
    for (jaeger_str rest = name, one; next_token(&rest, &one);)
        if (jg_str_eq(one, token))
            return true;
    return false;
}

static void put_token(jg_buf *out, size_t begin, jaeger_str token)
{
    if (out->len > begin)
        jg_buf_byte(out, '_');
    jg_buf_str(out, token);
}

static void put_tokens(jg_buf *out, size_t begin, jaeger_str text, const char *but)
{
    for (jaeger_str rest = text, one; next_token(&rest, &one);)
        if (!but || !jg_str_is(one, but))
            put_token(out, begin, one);
}

static jaeger_str word_of(const struct unit *table, size_t n, jaeger_str unit)
{
    for (size_t i = 0; i < n; i++)
        if (jg_str_is(unit, table[i].unit))
            return jg_str(table[i].word);
    return unit;
}

static bool is_annotation(jaeger_str unit)
{
    return jg_str_find(unit, '{') < unit.len || jg_str_find(unit, '}') < unit.len;
}

/** "ms" -> "milliseconds", "By/s" -> "bytes_per_second"; words that the name has are not repeated. */
static void put_unit(jg_buf *out, size_t begin, jaeger_str name, jaeger_str unit)
{
    size_t slash = jg_str_find(unit, '/');
    jaeger_str main = jg_str_trim((jaeger_str){unit.ptr, slash});
    jaeger_str per = slash < unit.len ? jg_str_trim(jg_str_skip(unit, slash + 1)) : (jaeger_str){0};
    if (main.len && !is_annotation(main)) {
        jaeger_str word = word_of(units, JG_COUNT(units), main);
        if (word.len && !has_token(name, word))
            put_tokens(out, begin, word, NULL);
    }
    if (per.len && !is_annotation(per)) {
        jaeger_str word = word_of(rates, JG_COUNT(rates), per);
        if (word.len && !has_token(name, word)) {
            put_token(out, begin, JAEGER_STR("per"));
            put_tokens(out, begin, word, NULL);
        }
    }
}

static void put_suffixed(jg_buf *out, const jg_prom_name *n)
{
    size_t begin = out->len;
    bool ratio = n->gauge && jg_str_is(n->unit, "1");
    put_tokens(out, begin, n->space, NULL);
    put_tokens(out, begin, n->name, n->counter ? "total" : ratio ? "ratio" : NULL);
    put_unit(out, begin, n->name, n->unit);
    if (n->counter)
        put_token(out, begin, JAEGER_STR("total"));
    else if (ratio)
        put_token(out, begin, JAEGER_STR("ratio"));
}

/** Each character that Prometheus does not know becomes one '_'. */
static void put_plain(jg_buf *out, jaeger_str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t step = jg_utf8_step((const uint8_t *)text.ptr + i, text.len - i);
        bool good = step == 1 && (is_alnum(text.ptr[i]) || text.ptr[i] == ':' || text.ptr[i] == '_');
        jg_buf_byte(out, (uint8_t)(good ? text.ptr[i] : '_'));
        i += step ? step : 1;
    }
}

static void put_utf8(jg_buf *out, const jg_prom_name *n, bool suffixes)
{
    if (n->space.len) {
        put_plain(out, n->space);
        jg_buf_byte(out, '_');
    }
    size_t begin = out->len;
    put_plain(out, n->name);
    if (!suffixes)
        return;
    put_unit(out, begin, n->name, n->unit);
    if (n->counter && !has_token(n->name, JAEGER_STR("total")))
        jg_buf_lit(out, "_total");
    else if (n->gauge && jg_str_is(n->unit, "1") && !has_token(n->name, JAEGER_STR("ratio")))
        jg_buf_lit(out, "_ratio");
}

void jg_prom_write_name(jg_buf *out, const jg_prom_name *n, jg_prom_strategy strategy)
{
    jaeger_str rest = n->space.len ? n->space : n->name, first = {0};
    if (strategy >= JG_PROM_UTF8_SUFFIXES)
        first = rest;
    else
        (void)next_token(&rest, &first);
    if (!first.len || is_digit(first.ptr[0]))
        jg_buf_byte(out, '_');
    size_t begin = out->len;
    switch (strategy) {
    case JG_PROM_UNDERSCORES_SUFFIXES:
        put_suffixed(out, n);
        break;
    case JG_PROM_UNDERSCORES:
        put_tokens(out, begin, n->space, NULL);
        put_tokens(out, begin, n->name, NULL);
        break;
    default:
        put_utf8(out, n, strategy == JG_PROM_UTF8_SUFFIXES);
    }
}

void jg_prom_write_label(jg_buf *out, jaeger_str key, bool keep_underscore)
{
    if (!key.len || is_digit(key.ptr[0]))
        jg_buf_lit(out, "key_");
    else if (!keep_underscore && !jg_str_starts(key, JAEGER_STR("__")) && !is_alnum(key.ptr[0]))
        jg_buf_lit(out, "key");
    for (size_t i = 0; i < key.len;) {
        size_t step = jg_utf8_step((const uint8_t *)key.ptr + i, key.len - i);
        bool good = step == 1 && is_alnum(key.ptr[i]);
        jg_buf_byte(out, (uint8_t)(good ? key.ptr[i] : '_'));
        i += step ? step : 1;
    }
}

/** The shortest text that reads back. */
static void put_general(jg_buf *out, double value, bool *ret_plain)
{
    char text[40];
    int precision = 1;
    for (; precision < 17; precision++) {
        double back;
        int len = snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (jg_str_to_double((jaeger_str){text, (size_t)len}, &back) && back == value)
            break;
    }
    (void)snprintf(text, sizeof text, "%.*e", precision - 1, value);
    const char *e = strchr(text, 'e');
    int64_t exponent = 0;
    if (e)
        (void)jg_str_to_i64(jg_str(e[1] == '+' ? e + 2 : e + 1), &exponent);
    *ret_plain = exponent >= -4 && exponent < 6; /* strconv 'g' with the shortest precision */
    if (*ret_plain)
        (void)snprintf(text, sizeof text, "%.*f", JG_MAX(precision - 1 - (int)exponent, 0), value);
    jg_buf_str(out, jg_str(text));
}

void jg_prom_write_number(jg_buf *out, double value, bool whole_point)
{
    bool plain;
    if (isnan(value)) {
        jg_buf_lit(out, "NaN");
        return;
    }
    if (isinf(value)) {
        jg_buf_str(out, jg_str(value > 0 ? "+Inf" : "-Inf"));
        return;
    }
    size_t begin = out->len;
    if (value == floor(value) && fabs(value) < 1e6) {
        jg_buf_printf(out, "%.0f", value);
        plain = true;
    } else {
        put_general(out, value, &plain);
    }
    if (whole_point && plain && jg_buf_ok(out) && !memchr(out->data + begin, '.', out->len - begin))
        jg_buf_lit(out, ".0");
}

void jg_prom_write_escaped(jg_buf *out, jaeger_str text, bool quotes)
{
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i];
        size_t step = jg_utf8_step((const uint8_t *)text.ptr + i, text.len - i);
        if (!step)
            jg_buf_lit(out, "\xef\xbf\xbd");
        else if (c == '\n')
            jg_buf_lit(out, "\\n");
        else if (c == '\\' || (quotes && c == '"'))
            jg_buf_printf(out, "\\%c", c);
        else
            jg_buf_append(out, text.ptr + i, step);
        i += step ? step : 1;
    }
}
