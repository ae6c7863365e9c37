/* SPDX-License-Identifier: Apache-2.0
 * See json_out.h.
 */
#include "core/json_out.h"

#include "core/str.h"
#include <math.h>

static void newline(jg_json_out *json)
{
    if (!json->indent)
        return;
    jg_buf_byte(json->buf, '\n');
    for (size_t i = 0; i < (size_t)json->depth * json->indent; i++)
        jg_buf_byte(json->buf, ' ');
}

static void before_value(jg_json_out *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->depth == 0)
        return;
    bool *has_items = &json->has_items[json->depth - 1];
    if (*has_items)
        jg_buf_byte(json->buf, ',');
    *has_items = true;
    newline(json);
}

static void open_level(jg_json_out *json, bool is_array)
{
    before_value(json);
    if (json->depth == JG_JSON_OUT_DEPTH_MAX) {
        json->buf->failed = true;
        return;
    }
    jg_buf_byte(json->buf, is_array ? '[' : '{');
    json->has_items[json->depth] = false;
    json->is_array[json->depth] = is_array;
    json->depth++;
}

void jg_json_object(jg_json_out *json)
{
    open_level(json, false);
}

void jg_json_array(jg_json_out *json)
{
    open_level(json, true);
}

void jg_json_end(jg_json_out *json)
{
    if (json->depth == 0)
        return;
    json->depth--;
    if (json->has_items[json->depth])
        newline(json);
    jg_buf_byte(json->buf, json->is_array[json->depth] ? ']' : '}');
}

static void write_string(jg_json_out *json, jaeger_str s)
{
    jg_buf_byte(json->buf, '"');
    jg_json_escape(json->buf, s, json->html);
    jg_buf_byte(json->buf, '"');
}

void jg_json_key(jg_json_out *json, jaeger_str key)
{
    before_value(json);
    write_string(json, key);
    jg_buf_byte(json->buf, ':');
    if (json->indent)
        jg_buf_byte(json->buf, ' ');
    json->after_key = true;
}

void jg_json_key_object(jg_json_out *json, const char *key)
{
    jg_json_key(json, jg_str(key));
    jg_json_object(json);
}

void jg_json_str(jg_json_out *json, jaeger_str value)
{
    before_value(json);
    write_string(json, value);
}

void jg_json_bool(jg_json_out *json, bool value)
{
    before_value(json);
    jg_buf_str(json->buf, value ? JAEGER_STR("true") : JAEGER_STR("false"));
}

void jg_json_null(jg_json_out *json)
{
    before_value(json);
    jg_buf_lit(json->buf, "null");
}

static size_t u64_text(uint64_t value, char out[20])
{
    char reversed[20];
    size_t n = 0;
    do
        reversed[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

static void write_number(jg_json_out *json, uint64_t magnitude, bool minus, bool quoted)
{
    char text[24];
    size_t n = 0;
    if (quoted)
        text[n++] = '"';
    if (minus)
        text[n++] = '-';
    n += u64_text(magnitude, text + n);
    if (quoted)
        text[n++] = '"';
    before_value(json);
    jg_buf_append(json->buf, text, n);
}

void jg_json_i64(jg_json_out *json, int64_t value)
{
    write_number(json, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0, false);
}

void jg_json_u64(jg_json_out *json, uint64_t value)
{
    write_number(json, value, false, false);
}

void jg_json_i64_str(jg_json_out *json, int64_t value)
{
    write_number(json, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0, true);
}

void jg_json_u64_str(jg_json_out *json, uint64_t value)
{
    write_number(json, value, false, true);
}

void jg_json_double(jg_json_out *json, double value, int exponent_digits_min)
{
    char text[32];
    before_value(json);
    if (isnan(value))
        jg_buf_lit(json->buf, "\"NaN\"");
    else if (isinf(value))
        jg_buf_str(json->buf, value > 0 ? JAEGER_STR("\"Infinity\"") : JAEGER_STR("\"-Infinity\""));
    else
        jg_buf_append(json->buf, text, jg_double_to_text(value, exponent_digits_min, text));
}

void jg_json_hex(jg_json_out *json, const uint8_t *bytes, size_t n)
{
    before_value(json);
    jg_buf_byte(json->buf, '"');
    if (jg_buf_reserve(json->buf, 2 * n)) {
        jg_hex_encode(bytes, n, (char *)json->buf->data + json->buf->len);
        json->buf->len += 2 * n;
    }
    jg_buf_byte(json->buf, '"');
}

void jg_json_base64(jg_json_out *json, jaeger_str bytes)
{
    before_value(json);
    jg_buf_byte(json->buf, '"');
    size_t n = jg_base64_size(bytes.len);
    if (jg_buf_reserve(json->buf, n)) {
        jg_base64_encode((const uint8_t *)bytes.ptr, bytes.len, (char *)json->buf->data + json->buf->len);
        json->buf->len += n;
    }
    jg_buf_byte(json->buf, '"');
}

void jg_json_raw(jg_json_out *json, jaeger_str text)
{
    before_value(json);
    jg_buf_str(json->buf, text);
}

static void escape_ascii(jg_buf *buf, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    char shorthand = c == '"'    ? '"'
                     : c == '\\' ? '\\'
                     : c == '\n' ? 'n'
                     : c == '\r' ? 'r'
                     : c == '\t' ? 't'
                     : c == '\b' ? 'b'
                     : c == '\f' ? 'f'
                                 : 0;
    if (shorthand) {
        char two[2] = {'\\', shorthand};
        jg_buf_append(buf, two, 2);
    } else {
        char six[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        jg_buf_append(buf, six, 6);
    }
}

void jg_json_escape(jg_buf *buf, jaeger_str text, bool html)
{
    const uint8_t *s = (const uint8_t *)text.ptr;
    size_t from = 0, i = 0;
    if (text.len == 0)
        return; /* ptr may be NULL */
    while (i < text.len) {
        uint8_t c = s[i];
        if (JG_LIKELY(c >= 0x20 && c < 0x80 && c != '"' && c != '\\' &&
                      !(html && (c == '<' || c == '>' || c == '&')))) {
            i++;
            continue;
        }
        size_t step = c < 0x80 ? 0 : jg_utf8_step(s + i, text.len - i);
        if (step && !(html && step == 3 && c == 0xe2 && s[i + 1] == 0x80 && (s[i + 2] & 0xfe) == 0xa8)) {
            i += step;
            continue;
        }
        jg_buf_append(buf, s + from, i - from);
        if (c < 0x80) {
            escape_ascii(buf, c);
            i++;
        } else if (step) {
            jg_buf_str(buf, s[i + 2] & 1 ? JAEGER_STR("\\u2029") : JAEGER_STR("\\u2028"));
            i += step;
        } else {
            jg_buf_lit(buf, "\\ufffd");
            i++;
        }
        from = i;
    }
    jg_buf_append(buf, s + from, text.len - from);
}
