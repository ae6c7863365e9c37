/* SPDX-License-Identifier: Apache-2.0
 * See json_out.h.
 */
#include "core/json_out.h"

#include "core/str.h"
#include <math.h>

void jg_json_newline(jg_json_out *json)
{
    jg_buf_byte(json->buf, '\n');
    for (size_t i = 0; i < (size_t)json->depth * json->indent; i++)
        jg_buf_byte(json->buf, ' ');
}

static void before_value(jg_json_out *json)
{
    (void)jg_json_next(json, 0);
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

static void write_number(jg_json_out *json, uint64_t magnitude, bool minus, bool quoted)
{
    before_value(json);
    if (quoted)
        jg_buf_byte(json->buf, '"');
    if (minus)
        jg_buf_byte(json->buf, '-');
    jg_json_number(json->buf, magnitude);
    if (quoted)
        jg_buf_byte(json->buf, '"');
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

/** Bytes at the top bits of the result may have to be escaped: those of `word` that are below 0x20, above
 * 0x7f, \ or ", and with `html` < > &. A borrow may mark the neighbour of such a byte, too. */
JG_INLINE uint64_t escaped_bytes(uint64_t word, bool html)
{
    const uint64_t ones = 0x0101010101010101u, quote = '"' * ones, angle = '<' * ones, slash = '\\' * ones;
    uint64_t marks = word | (word - 0x20 * ones) | ((word ^ slash) - ones);
    if (html) /* & differs from " in one bit, > from < in another */
        marks |= (((word & ~(4 * ones)) ^ quote) - ones) | (((word & ~(2 * ones)) ^ angle) - ones);
    else
        marks |= (word ^ quote) - ones;
    return marks & 0x80 * ones;
}

/** Copy while looking. @return false: something has to be escaped, the copy is of no use */
static bool copy_plain(uint8_t *to, const uint8_t *from, size_t len, bool html)
{
    uint64_t word, marks = 0;
    if (len >= 8) {
        for (size_t i = 0; i < len; i += 8) {
            size_t at = JG_MIN(i, len - 8); /* the last word overlaps the one before */
            memcpy(&word, from + at, 8);
            memcpy(to + at, &word, 8);
            marks |= escaped_bytes(word, html);
        }
        return !marks;
    }
    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
        return !escaped_bytes((uint64_t)last << 32 | first, html);
    }
    word = 0x2020202020202020u;
    for (size_t i = 0; i < len; i++) {
        to[i] = from[i];
        word = word << 8 | from[i];
    }
    return !escaped_bytes(word, html);
}

static void escape(jg_buf *buf, jaeger_str text, bool html)
{
    const uint8_t *s = (const uint8_t *)text.ptr;
    size_t from = 0, i = 0;
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

void jg_json_escape(jg_buf *buf, jaeger_str text, bool html)
{
    if (!text.len || !jg_buf_reserve(buf, text.len))
        return; /* ptr may be NULL */
    if (copy_plain(buf->data + buf->len, (const uint8_t *)text.ptr, text.len, html))
        buf->len += text.len;
    else
        escape(buf, text, html);
}

JG_INLINE void write_string(jg_json_out *json, jaeger_str s)
{
    jg_buf *buf = json->buf;
    if (!jg_json_next(json, s.len + 2))
        return;
    buf->data[buf->len++] = '"';
    if (JG_LIKELY(copy_plain(buf->data + buf->len, (const uint8_t *)s.ptr, s.len, json->html)))
        buf->len += s.len;
    else
        escape(buf, s, json->html);
    jg_buf_byte(buf, '"');
}

void jg_json_key(jg_json_out *json, jaeger_str key)
{
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
    write_string(json, value);
}

void jg_json_number(jg_buf *buf, uint64_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char text[20];
    size_t at = sizeof text;
    for (; value >= 100; value /= 100)
        memcpy(text + (at -= 2), pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(text + (at -= 2), pairs + value * 2, 2);
    else
        text[--at] = (char)('0' + value);
    jg_buf_append(buf, text + at, sizeof text - at);
}
