/* SPDX-License-Identifier: Apache-2.0
 * Format: texts made as Go's fmt.Sprintf makes them, with the verbs that fit our values, flags, width and
 * precision; what does not fit is told in the text, as there. Spec: https://pkg.go.dev/fmt#hdr-Printing
 */
#include "core/json_out.h"
#include "core/str.h"
#include "ottl/lex.h"
#include "ottl/node.h"
#include <math.h>
#include <stdio.h>

#define WIDTH_MAX     65536 /* of width and precision; Go's own limit is a million */
#define PRECISION_MAX 300   /* of a double: more digits mean nothing */

typedef struct verb {
    bool plus, minus, sharp, space, zero, has_precision;
    size_t width, precision;
    char c;
} verb;

static size_t runes(jaeger_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((uint8_t)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* With zeros between sign and digits, or spaces on one side. */
static void put_padded(jg_buf *out, const verb *v, jaeger_str sign, jaeger_str body, bool zeros)
{
    size_t len = sign.len + runes(body), pad = v->width > len ? v->width - len : 0;
    bool fill = zeros && v->zero && !v->minus;
    for (size_t i = 0; i < pad && !v->minus && !fill; i++)
        jg_buf_byte(out, ' ');
    jg_buf_str(out, sign);
    for (size_t i = 0; i < pad && fill; i++)
        jg_buf_byte(out, '0');
    jg_buf_str(out, body);
    for (size_t i = 0; i < pad && v->minus; i++)
        jg_buf_byte(out, ' ');
}

static jaeger_str sign_of(const verb *v, bool negative)
{
    return negative   ? JAEGER_STR("-")
           : v->plus  ? JAEGER_STR("+")
           : v->space ? JAEGER_STR(" ")
                      : JAEGER_STR("");
}

static bool put_int(jg_buf *out, const verb *v, int64_t i)
{
    static const struct {
        char verb;
        unsigned base;
        const char *prefix;
    } bases[] = {{'d', 10, ""},   {'v', 10, ""}, {'x', 16, "0x"},
                 {'X', 16, "0X"}, {'o', 8, "0"}, {'b', 2, "0b"}};
    size_t k = 0;
    while (k < JG_COUNT(bases) && bases[k].verb != v->c)
        k++;
    if (k == JG_COUNT(bases))
        return false;
    const char *digits = v->c == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[64 + 2 + 1], *at = text + sizeof text, sign[4];
    uint64_t n = i < 0 ? -(uint64_t)i : (uint64_t)i;
    do
        *--at = digits[n % bases[k].base];
    while (n /= bases[k].base);
    while (v->has_precision && (size_t)(text + sizeof text - at) < JG_MIN(v->precision, 64))
        *--at = '0';
    jaeger_str body = {at, (size_t)(text + sizeof text - at)};
    (void)snprintf(sign, sizeof sign, "%.*s%s", JAEGER_STR_ARGS(sign_of(v, i < 0)),
                   v->sharp ? bases[k].prefix : "");
    put_padded(out, v, jg_str(sign), body, !v->has_precision);
    return true;
}

/* %c; what is no character is U+FFFD. */
static void put_character(jg_buf *out, const verb *v, int64_t i)
{
    uint32_t c = i < 0 || i > 0x10ffff || (i >= 0xd800 && i < 0xe000) ? 0xfffd : (uint32_t)i;
    char text[4];
    size_t len = jg_ottl_put_rune(text, c);
    put_padded(out, v, JAEGER_STR(""), (jaeger_str){text, len}, false);
}

static bool put_double(jg_ottl_eval *e, jg_buf *out, const verb *v, const jg_ottl_value *value)
{
    char text[PRECISION_MAX + 330];
    double d = fabs(value->u.d);
    int precision = v->has_precision ? (int)JG_MIN(v->precision, PRECISION_MAX) : 6;
    jaeger_str body = {text, 0};
    if (isnan(d) || isinf(d)) {
        verb plain = *v;
        plain.zero = false;
        put_padded(out, &plain,
                   isnan(d)         ? JAEGER_STR("")
                   : value->u.d < 0 ? JAEGER_STR("-")
                                    : JAEGER_STR("+"),
                   isnan(d) ? JAEGER_STR("NaN") : JAEGER_STR("Inf"), false);
        return true;
    }
    switch (v->c) {
    case 'f':
    case 'F':
        body.len = (size_t)snprintf(text, sizeof text, "%.*f", precision, d);
        break;
    case 'e':
    case 'E':
        body.len = v->c == 'e' ? (size_t)snprintf(text, sizeof text, "%.*e", precision, d)
                               : (size_t)snprintf(text, sizeof text, "%.*E", precision, d);
        break;
    case 'v':
    case 'g':
    case 'G':
        if (v->has_precision) {
            body.len = (size_t)snprintf(text, sizeof text, "%.*g", precision, d);
        } else {
            jg_ottl_value positive = jg_ottl_of_double(d);
            if (!jg_ottl_text(e, &positive, &body))
                return true; /* the buffer is full, too */
        }
        break;
    default:
        return false;
    }
    put_padded(out, v, sign_of(v, signbit(value->u.d)), body, true);
    return true;
}

static void put_hex(jg_buf *out, const verb *v, jaeger_str s)
{
    JG_AUTO_BUF jg_buf hex = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (size_t i = 0; i < s.len && (!v->has_precision || i < v->precision); i++)
        jg_buf_printf(&hex, v->c == 'X' ? "%02X" : "%02x", (uint8_t)s.ptr[i]);
    out->failed |= hex.failed;
    put_padded(out, v, JAEGER_STR(""), jg_buf_view(&hex), true);
}

static void put_quoted(jg_buf *out, const verb *v, jaeger_str s)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    jg_json_out json = JG_JSON_OUT_INIT(&text);
    jg_json_str(&json, s);
    out->failed |= text.failed;
    put_padded(out, v, JAEGER_STR(""), jg_buf_view(&text), false);
}

static bool put_str(jg_buf *out, const verb *v, jaeger_str s)
{
    if (v->has_precision && v->c != 'x' && v->c != 'X') {
        size_t n = 0, len = 0;
        while (len < s.len && (n += ((uint8_t)s.ptr[len] & 0xc0) != 0x80) <= v->precision)
            len++;
        s.len = len;
    }
    if (v->c == 'x' || v->c == 'X')
        put_hex(out, v, s);
    else if (v->c == 'q')
        put_quoted(out, v, s);
    else if (v->c == 's' || v->c == 'v')
        put_padded(out, v, JAEGER_STR(""), s, false);
    else
        return false;
    return true;
}

/* Go's names of the types. */
static const char *type_of(const jg_ottl_value *value)
{
    static const char *const names[] = {"<nil>",     "string",        "bool",        "int64",
                                        "float64",   "pcommon.Slice", "pcommon.Map", "[]uint8",
                                        "time.Time", "time.Duration", "int64"};
    return names[value->type];
}

static bool put_by_type(jg_ottl_eval *e, jg_buf *out, const verb *v, const jg_ottl_value *value)
{
    jaeger_str text;
    switch (value->type) {
    case JG_OTTL_NIL:
        if (v->c == 'v')
            put_padded(out, v, JAEGER_STR(""), JAEGER_STR("<nil>"), false);
        return v->c == 'v';
    case JG_OTTL_INT:
    case JG_OTTL_COUNTED:
        if (v->c == 'c')
            put_character(out, v, value->u.i);
        return v->c == 'c' || put_int(out, v, value->u.i);
    case JG_OTTL_DOUBLE:
        return put_double(e, out, v, value);
    case JG_OTTL_BOOL:
        if (v->c != 't' && v->c != 'v')
            return false;
        put_padded(out, v, JAEGER_STR(""), value->u.b ? JAEGER_STR("true") : JAEGER_STR("false"), false);
        return true;
    case JG_OTTL_DURATION:
        if (v->c == 'd')
            return put_int(out, v, value->u.i);
        break;
    default:
        break;
    }
    if (!jg_ottl_text(e, value, &text)) {
        out->failed = true;
        return true;
    }
    return put_str(out, v, text);
}

static void put_value(jg_ottl_eval *e, jg_buf *out, const verb *v, const jg_ottl_value *value)
{
    static const verb plain = {.c = 'v'};
    if (put_by_type(e, out, v, value))
        return;
    jg_buf_printf(out, "%%!%c(%s", v->c, type_of(value));
    if (value->type != JG_OTTL_NIL) {
        jg_buf_byte(out, '=');
        (void)put_by_type(e, out, &plain, value);
    }
    jg_buf_byte(out, ')');
}

/* @return false: too large */
static bool read_number(jaeger_str text, size_t *at, size_t *ret)
{
    for (*ret = 0; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; (*at)++)
        *ret = JG_MIN(*ret * 10 + (size_t)(text.ptr[*at] - '0'), WIDTH_MAX + 1);
    return *ret <= WIDTH_MAX;
}

/* What stands behind '%'. @return NULL, or what Go writes */
static const char *read_verb(jaeger_str text, size_t *at, verb *v)
{
    *v = (verb){0};
    for (bool more = true; more && *at < text.len; *at += more) {
        char c = text.ptr[*at];
        bool *flag = c == '+'   ? &v->plus
                     : c == '-' ? &v->minus
                     : c == '#' ? &v->sharp
                     : c == ' ' ? &v->space
                     : c == '0' ? &v->zero
                                : NULL;
        more = flag != NULL;
        if (flag)
            *flag = true;
    }
    if (!read_number(text, at, &v->width))
        return "%!(NOVERB)";
    if (*at < text.len && text.ptr[*at] == '.') {
        ++*at;
        v->has_precision = true;
        if (!read_number(text, at, &v->precision))
            return "%!(NOVERB)";
    }
    if (*at == text.len)
        return "%!(NOVERB)";
    v->c = text.ptr[(*at)++];
    return NULL;
}

static bool put_rest(jg_ottl_eval *e, jg_buf *out, const jg_ottl_node *list, size_t next)
{
    static const verb plain = {.c = 'v'};
    for (size_t first = next; next < list->arg_count; next++) {
        jg_ottl_value value;
        if (!jg_ottl_eval_node(e, list->args[next], &value))
            return false;
        jg_buf_lit(out, "%!(EXTRA ");
        if (next > first) {
            out->len -= sizeof "%!(EXTRA " - 1;
            jg_buf_lit(out, ", ");
        }
        jg_buf_str(out, jg_str(type_of(&value)));
        if (value.type != JG_OTTL_NIL) {
            jg_buf_byte(out, '=');
            (void)put_by_type(e, out, &plain, &value);
        }
    }
    return true;
}

static bool put_all(jg_ottl_eval *e, jg_buf *out, jaeger_str text, const jg_ottl_node *list)
{
    size_t next = 0;
    for (size_t at = 0; at < text.len;) {
        jaeger_str rest = jg_str_skip(text, at), plain = {rest.ptr, jg_str_find(rest, '%')};
        jg_buf_str(out, plain);
        at += plain.len;
        if (at++ >= text.len)
            break;
        verb v;
        jg_ottl_value value;
        const char *fault = read_verb(text, &at, &v);
        if (fault) {
            jg_buf_str(out, jg_str(fault));
            break;
        }
        if (v.c == '%') {
            jg_buf_byte(out, '%');
        } else if (next == list->arg_count) {
            jg_buf_printf(out, "%%!%c(MISSING)", v.c);
        } else {
            if (!jg_ottl_eval_node(e, list->args[next++], &value))
                return false;
            put_value(e, out, &v, &value);
        }
    }
    if (next == list->arg_count)
        return true;
    bool ok = put_rest(e, out, list, next);
    jg_buf_byte(out, ')');
    return ok;
}

static bool format(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    const jg_ottl_node *list = call->args[1];
    if (list->op != JG_OTTL_OP_LIST)
        return jg_ottl_fail(e, "Format: the second argument must be a list such as [name, kind]");
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    if (!put_all(e, &out, text, list)) {
        jg_buf_done(&out);
        return false;
    }
    return jg_ottl_finish(e, &out, JG_OTTL_STRING, ret);
}

const jg_ottl_fn jg_ottl_format_fns[] = {{"Format", "format,vals", format, 0}, {0}};
