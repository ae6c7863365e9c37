/* SPDX-License-Identifier: Apache-2.0
 * See http_params.h. Texts of Go 1.26: strconv, time, encoding/json.
 */
#include "query/http_params.h"

#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/str.h"
#include <math.h>

#define QUOTED_BYTES_MAX 2048u /* a message holds less */
#define TRACE_ID_BASE64  24u   /* 16 bytes, padded */

/** strconv.Quote, ASCII controls and bad UTF-8 escaped. NUL-terminated. */
static const char *quote(jg_buf *out, jaeger_str text)
{
    jg_buf_byte(out, '"');
    for (size_t i = 0; i < text.len;) {
        uint8_t c = (uint8_t)text.ptr[i];
        size_t step = jg_utf8_step((const uint8_t *)text.ptr + i, text.len - i);
        static const char named[] = "abtnvfr"; /* \a is 7, \r is 13 */
        if (c == '"' || c == '\\')
            jg_buf_printf(out, "\\%c", c);
        else if (c >= 7 && c <= 13)
            jg_buf_printf(out, "\\%c", named[c - 7]);
        else if (c < 0x20 || c == 0x7f || step == 0)
            jg_buf_printf(out, "\\x%02x", c);
        else
            jg_buf_append(out, text.ptr + i, step);
        i += step ? step : 1;
    }
    jg_buf_lit(out, "\"\0");
    return jg_buf_ok(out) ? (const char *)out->data : "\"…\"";
}

static jaeger_status number_error(jaeger_error *err, const char *function, jaeger_str text, const char *why)
{
    JG_AUTO_BUF jg_buf quoted = JG_BUF_INIT(QUOTED_BYTES_MAX);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "strconv.%s: parsing %s: %s", function, quote(&quoted, text),
                   why);
}

static bool all_digits(jaeger_str text)
{
    size_t i = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+');
    bool ok = i < text.len;
    for (; i < text.len; i++)
        ok = ok && text.ptr[i] >= '0' && text.ptr[i] <= '9';
    return ok;
}

jaeger_status jg_go_int(jaeger_str text, const char *function, unsigned bits, int64_t *ret, jaeger_error *err)
{
    int64_t value, max = bits == 32 ? INT32_MAX : INT64_MAX;
    if (!all_digits(text))
        return number_error(err, function, text, "invalid syntax");
    jaeger_str digits = text.ptr[0] == '+' ? jg_str_skip(text, 1) : text;
    if (!jg_str_to_i64(digits, &value) || value > max || value < -max - 1)
        return number_error(err, function, text, "value out of range");
    *ret = value;
    return JAEGER_OK;
}

jaeger_status jg_go_double(jaeger_str text, double *ret, jaeger_error *err)
{
    static const struct {
        const char *text;
        double value;
    } names[] = {
        {"nan", NAN}, {"inf", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY}, {"infinity", INFINITY}};
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        if (jg_str_eq_nocase(text, jg_str(names[i].text))) {
            *ret = names[i].value;
            return JAEGER_OK;
        }
    }
    return jg_str_to_double(text, ret) ? JAEGER_OK : number_error(err, "ParseFloat", text, "invalid syntax");
}

jaeger_status jg_go_bool(jaeger_str text, bool *ret, jaeger_error *err)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < JG_COUNT(yes); i++) {
        if (jg_str_is(text, yes[i]) || jg_str_is(text, no[i])) {
            *ret = jg_str_is(text, yes[i]);
            return JAEGER_OK;
        }
    }
    return number_error(err, "ParseBool", text, "invalid syntax");
}

/* ---- durations ---- */

/** Which of ParseDuration's three complaints it is: the first number without a unit, the first unknown unit.
 */
static jaeger_status duration_error(jaeger_error *err, jaeger_str text)
{
    JG_AUTO_BUF jg_buf whole = JG_BUF_INIT(QUOTED_BYTES_MAX);
    JG_AUTO_BUF jg_buf part = JG_BUF_INIT(QUOTED_BYTES_MAX);
    static const char *const units[] = {"ns", "us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", "m", "h"};
    size_t i = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+');
    const char *quoted = quote(&whole, text);
    while (i < text.len) {
        size_t number = i, dots = 0;
        while (i < text.len &&
               ((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] == '.' && dots == 0)))
            dots += text.ptr[i++] == '.';
        if (i == number || (i - number == 1 && dots))
            break;
        jaeger_str unit = {text.ptr + i, 0};
        while (i < text.len && text.ptr[i] != '.' && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            i++, unit.len++;
        if (unit.len == 0)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "time: missing unit in duration %s", quoted);
        bool known = false;
        for (size_t u = 0; u < JG_COUNT(units); u++)
            known |= jg_str_is(unit, units[u]);
        if (!known)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "time: unknown unit %s in duration %s",
                           quote(&part, unit), quoted);
    }
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "time: invalid duration %s", quoted);
}

jaeger_status jg_go_duration(jaeger_str text, int64_t *ret_ns, jaeger_error *err)
{
    return jg_str_to_duration(text, ret_ns) ? JAEGER_OK : duration_error(err, text);
}

/* ---- times ---- */

#define LAYOUT "2006-01-02T15:04:05.999999999Z07:00"

/** What is left of the text, and the layout's element that must come next. */
typedef struct time_reader {
    jaeger_str whole, rest;
    jaeger_error *err;
} time_reader;

static jaeger_status time_mismatch(const time_reader *t, const char *element)
{
    JG_AUTO_BUF jg_buf whole = JG_BUF_INIT(QUOTED_BYTES_MAX);
    JG_AUTO_BUF jg_buf rest = JG_BUF_INIT(QUOTED_BYTES_MAX);
    return jg_fail(t->err, JAEGER_INVALID_ARGUMENT,
                   "parsing time %s as \"" LAYOUT "\": cannot parse %s as \"%s\"", quote(&whole, t->whole),
                   quote(&rest, t->rest), element);
}

static jaeger_status time_fault(const time_reader *t, const char *why)
{
    JG_AUTO_BUF jg_buf whole = JG_BUF_INIT(QUOTED_BYTES_MAX);
    return jg_fail(t->err, JAEGER_INVALID_ARGUMENT, "parsing time %s%s", quote(&whole, t->whole), why);
}

static bool take_digits(time_reader *t, size_t n, unsigned *ret)
{
    unsigned value = 0;
    if (t->rest.len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (t->rest.ptr[i] < '0' || t->rest.ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(t->rest.ptr[i] - '0');
    }
    t->rest = jg_str_skip(t->rest, n);
    *ret = value;
    return true;
}

static bool take_char(time_reader *t, char c)
{
    if (t->rest.len == 0 || t->rest.ptr[0] != c)
        return false;
    t->rest = jg_str_skip(t->rest, 1);
    return true;
}

typedef struct civil {
    unsigned year, month, day, hour, minute, second, ns;
    int offset_s;
} civil;

/** '.' or ',' and digits: nanoseconds, further digits are cut. */
static void take_fraction(time_reader *t, unsigned *ret_ns)
{
    size_t i = 1;
    unsigned ns = 0, scale = 100000000;
    if (t->rest.len < 2 || (t->rest.ptr[0] != '.' && t->rest.ptr[0] != ',') || t->rest.ptr[1] < '0' ||
        t->rest.ptr[1] > '9')
        return;
    for (; i < t->rest.len && t->rest.ptr[i] >= '0' && t->rest.ptr[i] <= '9'; i++, scale /= 10)
        ns += (unsigned)(t->rest.ptr[i] - '0') * scale;
    t->rest = jg_str_skip(t->rest, i);
    *ret_ns = ns;
}

/** "Z", "+01:00" */
static bool take_zone(time_reader *t, int *ret_offset_s)
{
    time_reader start = *t;
    unsigned hours, minutes;
    *ret_offset_s = 0;
    if (take_char(t, 'Z'))
        return true;
    bool minus = t->rest.len && t->rest.ptr[0] == '-';
    if (!(take_char(t, '-') || take_char(t, '+')) || !take_digits(t, 2, &hours) || !take_char(t, ':') ||
        !take_digits(t, 2, &minutes) || hours > 24 || minutes > 60) {
        *t = start;
        return false;
    }
    int offset = (int)(hours * 3600 + minutes * 60);
    *ret_offset_s = minus ? -offset : offset;
    return true;
}

static jaeger_status take_civil(time_reader *t, civil *c)
{
    const struct {
        size_t digits;
        const char *element;
        unsigned *to, max;
        const char *range;
        char after;
        const char *after_text;
    } parts[] = {
        {4, "2006", &c->year, 9999, "", '-', "-"},
        {2, "01", &c->month, 12, ": month out of range", '-', "-"},
        {2, "02", &c->day, 31, ": day out of range", 'T', "T"},
        {2, "15", &c->hour, 23, ": hour out of range", ':', ":"},
        {2, "04", &c->minute, 59, ": minute out of range", ':', ":"},
        {2, "05", &c->second, 59, ": second out of range", 0, NULL},
    };
    for (size_t i = 0; i < JG_COUNT(parts); i++) {
        if (!take_digits(t, parts[i].digits, parts[i].to))
            return time_mismatch(t, parts[i].element);
        if (*parts[i].to > parts[i].max)
            return time_fault(t, parts[i].range);
        if (i == 1 && c->month == 0)
            return time_fault(t, ": month out of range");
        if (parts[i].after && !take_char(t, parts[i].after))
            return time_mismatch(t, parts[i].after_text);
    }
    take_fraction(t, &c->ns);
    return take_zone(t, &c->offset_s) ? JAEGER_OK : time_mismatch(t, "Z07:00");
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/** Days since 1970 (the Gregorian calendar, also before its time). */
static int64_t days_since_epoch(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400,
            of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

jaeger_status jg_go_time(jaeger_str text, uint64_t *ret_unix_ns, jaeger_error *err)
{
    time_reader t = {text, text, err};
    civil c = {0};
    JG_TRY(take_civil(&t, &c));
    if (t.rest.len) {
        JG_AUTO_BUF jg_buf whole = JG_BUF_INIT(QUOTED_BYTES_MAX);
        JG_AUTO_BUF jg_buf rest = JG_BUF_INIT(QUOTED_BYTES_MAX);
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "parsing time %s: extra text: %s", quote(&whole, text),
                       quote(&rest, t.rest));
    }
    if (c.day < 1 || c.day > days_of_month(c.year, c.month))
        return time_fault(&t, ": day out of range");
    int64_t s = days_since_epoch(c.year, c.month, c.day) * 86400 + c.hour * 3600 + c.minute * 60 + c.second -
                c.offset_s;
    if (s < 0)
        *ret_unix_ns = 0;
    else if (s > (int64_t)(UINT64_MAX / JG_NS_PER_S) - 1)
        *ret_unix_ns = UINT64_MAX;
    else
        *ret_unix_ns = (uint64_t)s * JG_NS_PER_S + c.ns;
    return JAEGER_OK;
}

/* ---- attributes ---- */

jaeger_status jg_attr_list_set(jg_attr_list *list, jaeger_arena *arena, jaeger_str key, jaeger_str value,
                               jaeger_error *err)
{
    jaeger_attr attr = {.key = key, .value = {.type = JAEGER_VALUE_STRING, .u.s = value}};
    for (size_t i = 0; i < list->count; i++) {
        if (jg_str_eq(list->items[i].key, key)) {
            list->items[i] = attr;
            return JAEGER_OK;
        }
    }
    jaeger_attr *grown = jg_arena_grow(arena, list->items, list->count, &list->cap, sizeof *grown);
    if (!grown)
        return jg_fail_oom(err);
    list->items = grown;
    grown[list->count++] = attr;
    return JAEGER_OK;
}

static bool content_of(jg_json_text text, jaeger_arena *arena, jaeger_str *ret)
{
    *ret = text.raw;
    if (!text.escaped)
        return true;
    char *out = jaeger_arena_alloc(arena, text.raw.len + 1);
    if (!out)
        return false;
    *ret = (jaeger_str){out, jg_json_in_unescape(text.raw, out)};
    return true;
}

static jaeger_status type_error(jaeger_error *err, jg_json_type type, const char *wanted)
{
    static const char *const names[] = {
        [JG_JSON_OBJECT] = "object", [JG_JSON_ARRAY] = "array", [JG_JSON_STRING] = "string",
        [JG_JSON_NUMBER] = "number", [JG_JSON_TRUE] = "bool",   [JG_JSON_FALSE] = "bool"};
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "json: cannot unmarshal %s into Go value of type %s",
                   names[type], wanted);
}

static jaeger_status read_entries(jg_json_in *in, jaeger_arena *arena, jg_attr_list *list, jaeger_error *err)
{
    jg_json_text key, text;
    jaeger_str name, value;
    while (jg_json_in_key(in, &key)) {
        jg_json_type type = jg_json_in_peek(in);
        if (type == JG_JSON_NULL) {
            (void)jg_json_in_null(in);
            text = (jg_json_text){.raw = JAEGER_STR("")};
        } else if (type != JG_JSON_STRING && type != JG_JSON_NONE) {
            return jg_json_in_skip(in) ? type_error(err, type, "string") : JAEGER_OK;
        } else if (!jg_json_in_str(in, &text)) {
            break;
        }
        if (!content_of(key, arena, &name) || !content_of(text, arena, &value))
            return jg_fail_oom(err);
        JG_TRY(jg_attr_list_set(list, arena, name, value, err));
    }
    return JAEGER_OK;
}

jaeger_status jg_go_string_map(jaeger_str json, jaeger_arena *arena, jg_attr_list *list, jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(json);
    jg_json_type type = jg_json_in_peek(&in);
    if (type == JG_JSON_NULL)
        (void)jg_json_in_null(&in);
    else if (type == JG_JSON_OBJECT && jg_json_in_object(&in))
        JG_TRY(read_entries(&in, arena, list, err));
    else if (type != JG_JSON_NONE && jg_json_in_skip(&in) && jg_json_in_end(&in))
        return type_error(err, type, "map[string]string");
    if (jg_json_in_end(&in))
        return JAEGER_OK;
    if (in.pos >= in.end)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unexpected end of JSON input");
    if (type == JG_JSON_NONE)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid character '%c' looking for beginning of value",
                       *in.pos);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s at offset %zu", in.fault, jg_json_in_offset(&in));
}

/* ---- trace ids ---- */

/** strconv.ParseUint(text, 16, 64) of at most 16 digits. */
static jaeger_status half_from_hex(jaeger_str text, uint8_t ret[8], jaeger_error *err)
{
    char padded[16];
    memset(padded, '0', sizeof padded);
    if (text.len)
        memcpy(padded + sizeof padded - text.len, text.ptr, text.len);
    if (text.len == 0 || !jg_hex_decode((jaeger_str){padded, sizeof padded}, ret, 8))
        return number_error(err, "ParseUint", text, "invalid syntax");
    return JAEGER_OK;
}

jaeger_status jg_trace_id_from_hex(jaeger_str text, uint8_t ret[16], jaeger_error *err)
{
    memset(ret, 0, 16);
    if (text.len > 32)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "TraceID cannot be longer than 32 hex characters: %.*s",
                       JAEGER_STR_ARGS(text));
    size_t high = text.len > 16 ? text.len - 16 : 0;
    if (high)
        JG_TRY(half_from_hex((jaeger_str){text.ptr, high}, ret, err));
    return half_from_hex(jg_str_skip(text, high), ret + 8, err);
}

jaeger_status jg_trace_id_from_text(jaeger_str text, uint8_t ret[16], jaeger_error *err)
{
    uint8_t bytes[3 * (TRACE_ID_BASE64 / 4 + 1)];
    size_t len = 0;
    jaeger_status status = jg_trace_id_from_hex(text, ret, err);
    if (status == JAEGER_OK || text.len > TRACE_ID_BASE64 || !jg_base64_decode(text, bytes, &len))
        return status;
    if (len != 8 && len != 16)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid length for TraceID");
    memset(ret, 0, 16);
    memcpy(ret + 16 - len, bytes, len);
    if (err)
        *err = (jaeger_error){0};
    return JAEGER_OK;
}
