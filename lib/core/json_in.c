/* SPDX-License-Identifier: Apache-2.0
 * See json_in.h. Strings are scanned 16 bytes at a time where SSE2 is (every amd64), else eight.
 */
#include "core/json_in.h"

#include "core/limits.h"
#include "core/str.h"
#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

bool jg_json_in_fail(jg_json_in *in, const char *fault)
{
    if (!in->fault)
        in->fault = fault;
    return false;
}

JG_INLINE void skip_space(jg_json_in *in)
{
    const char *p = in->pos;
    while (p < in->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    in->pos = p;
}

/** The next character that is not white space; 0 at the end or after a fault. */
JG_INLINE char next_char(jg_json_in *in)
{
    if (JG_LIKELY(in->pos < in->end && (uint8_t)*in->pos > ' ' && !in->fault))
        return *in->pos;
    skip_space(in);
    return in->pos < in->end && !in->fault ? *in->pos : 0;
}

jg_json_type jg_json_in_peek(jg_json_in *in)
{
    char c = next_char(in);
    switch (c) {
    case '{':
        return JG_JSON_OBJECT;
    case '[':
        return JG_JSON_ARRAY;
    case '"':
        return JG_JSON_STRING;
    case 't':
        return JG_JSON_TRUE;
    case 'f':
        return JG_JSON_FALSE;
    case 'n':
        return JG_JSON_NULL;
    default:
        return c == '-' || (c >= '0' && c <= '9') ? JG_JSON_NUMBER : JG_JSON_NONE;
    }
}

static bool enter(jg_json_in *in, char bracket, const char *fault)
{
    if (next_char(in) != bracket)
        return jg_json_in_fail(in, fault);
    if (in->depth == JG_JSON_DEPTH_MAX)
        return jg_json_in_fail(in, "nested too deeply");
    in->pos++;
    in->depth++;
    in->first = true;
    return true;
}

bool jg_json_in_object(jg_json_in *in)
{
    return enter(in, '{', "expected an object");
}

bool jg_json_in_array(jg_json_in *in)
{
    return enter(in, '[', "expected an array");
}

/** At the place of a comma or a closing bracket. @return false: closed, or a fault */
JG_INLINE bool next_in(jg_json_in *in, char bracket)
{
    char c = next_char(in);
    bool first = in->first;
    in->first = false;
    if (c == bracket) {
        in->pos++;
        in->depth--;
        return false;
    }
    if (first)
        return c ? true : jg_json_in_fail(in, "cut off");
    if (c != ',')
        return jg_json_in_fail(in, c ? "expected a comma or the end of the container" : "cut off");
    in->pos++;
    return true;
}

bool jg_json_in_item(jg_json_in *in)
{
    return next_in(in, ']');
}

/** First byte at or after `p` that a string may not hold as it is: a quote, a backslash, a control character.
 */
JG_INLINE const char *plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i w = _mm_loadu_si128((const __m128i *)p);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(w, _mm_set1_epi8(0x1f)), w);
        __m128i special =
            _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('"')), _mm_cmpeq_epi8(w, _mm_set1_epi8('\\')));
        int hits = _mm_movemask_epi8(_mm_or_si128(control, special));
        if (hits)
            return p + __builtin_ctz((unsigned)hits);
    }
#endif
    const uint64_t ones = 0x0101010101010101ull;
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t hits = (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
                        (ones * 0x80);
        if (hits) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + (__builtin_ctzll(hits) >> 3); /* the lowest hit is exact, higher ones may be borrows */
#else
            break;
#endif
        }
        p += 8;
    }
    while (p < end && (uint8_t)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

static int hex4(const char *p)
{
    uint8_t two[2];
    return jg_hex_decode((jaeger_str){p, 4}, two, 2) ? two[0] << 8 | two[1] : -1;
}

/** `p` is at a backslash. @return behind the escape; NULL: not an escape */
static const char *escape_end(const char *p, const char *end)
{
    if (end - p < 2)
        return NULL;
    if (p[1] == 'u')
        return end - p >= 6 && hex4(p + 2) >= 0 ? p + 6 : NULL;
    return p[1] && strchr("\"\\/bfnrt", p[1]) ? p + 2 : NULL;
}

JG_INLINE bool read_str(jg_json_in *in, jg_json_text *ret)
{
    if (next_char(in) != '"')
        return jg_json_in_fail(in, "expected a string");
    const char *from = in->pos + 1, *p = from;
    bool escaped = false;
    for (;;) {
        p = plain_end(p, in->end);
        if (JG_LIKELY(p < in->end && *p == '"'))
            break;
        in->pos = p;
        if (p == in->end)
            return jg_json_in_fail(in, "string cut off");
        if (*p != '\\')
            return jg_json_in_fail(in, "control character in a string");
        if (!(p = escape_end(p, in->end)))
            return jg_json_in_fail(in, "bad escape in a string");
        escaped = true;
    }
    in->pos = p + 1;
    *ret = (jg_json_text){{from, (size_t)(p - from)}, escaped};
    return true;
}

bool jg_json_in_str(jg_json_in *in, jg_json_text *ret)
{
    return read_str(in, ret);
}

bool jg_json_in_key(jg_json_in *in, jg_json_text *ret)
{
    if (!next_in(in, '}'))
        return false;
    if (!read_str(in, ret))
        return false;
    if (next_char(in) != ':')
        return jg_json_in_fail(in, "expected a colon after a key");
    in->pos++;
    return true;
}

static bool literal(jg_json_in *in, const char *word, size_t len)
{
    if ((size_t)(in->end - in->pos) < len || memcmp(in->pos, word, len) != 0)
        return jg_json_in_fail(in, "not a JSON value");
    in->pos += len;
    return true;
}

bool jg_json_in_bool(jg_json_in *in, bool *ret)
{
    char c = next_char(in);
    if (c != 't' && c != 'f')
        return jg_json_in_fail(in, "expected true or false");
    *ret = c == 't';
    return c == 't' ? literal(in, "true", 4) : literal(in, "false", 5);
}

bool jg_json_in_null(jg_json_in *in)
{
    return next_char(in) == 'n' ? literal(in, "null", 4) : jg_json_in_fail(in, "expected null");
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/** RFC 8259 number at `p`. @return behind it; NULL: not a number */
static const char *number_end(const char *p, const char *end)
{
    if (p < end && *p == '-')
        p++;
    const char *whole = p;
    p = digits_end(p, end);
    if (p == whole || (*whole == '0' && p - whole > 1))
        return NULL;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        if ((p = digits_end(p, end)) == fraction)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        if ((p = digits_end(p, end)) == exponent)
            return NULL;
    }
    return p;
}

bool jg_json_in_number(jg_json_in *in, bool quoted, jaeger_str *ret)
{
    char c = next_char(in);
    if (quoted && c == '"') {
        jg_json_text text;
        if (!jg_json_in_str(in, &text))
            return false;
        *ret = text.raw;
        return true;
    }
    const char *end = c ? number_end(in->pos, in->end) : NULL;
    if (!end)
        return jg_json_in_fail(in, "expected a number");
    *ret = (jaeger_str){in->pos, (size_t)(end - in->pos)};
    in->pos = end;
    return true;
}

/** 1e3 and 2.0 as integers. */
static bool whole_double(jaeger_str text, double *ret)
{
    return text.len && number_end(text.ptr, text.ptr + text.len) == text.ptr + text.len &&
           jg_str_to_double(text, ret) && *ret == floor(*ret);
}

bool jg_json_in_i64(jg_json_in *in, bool quoted, int64_t *ret)
{
    jaeger_str text;
    double d;
    if (!jg_json_in_number(in, quoted, &text))
        return false;
    if (jg_str_to_i64(text, ret))
        return true;
    if (!whole_double(text, &d) || d < -0x1p63 || d >= 0x1p63)
        return jg_json_in_fail(in, "not a 64-bit integer");
    *ret = (int64_t)d;
    return true;
}

bool jg_json_in_u64(jg_json_in *in, bool quoted, uint64_t *ret)
{
    jaeger_str text;
    double d;
    if (!jg_json_in_number(in, quoted, &text))
        return false;
    if (jg_str_to_u64(text, ret))
        return true;
    if (!whole_double(text, &d) || d < 0 || d >= 0x1p64)
        return jg_json_in_fail(in, "not an unsigned 64-bit integer");
    *ret = (uint64_t)d;
    return true;
}

/** Up to 15 digits and a power of ten that is exact as a double need one rounding only. */
static bool short_double(jaeger_str text, double *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t digits = 0;
    size_t i = 0, places = 0, count = 0;
    bool minus = text.ptr[0] == '-', point = false;
    for (i = minus; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || ++count > 15)
            return false;
        digits = digits * 10 + (uint64_t)(c - '0');
        places += point;
    }
    *ret = (double)digits / powers[places];
    if (minus)
        *ret = -*ret;
    return count > 0;
}

bool jg_json_in_double(jg_json_in *in, bool quoted, double *ret)
{
    jaeger_str text;
    bool is_text = quoted && next_char(in) == '"';
    if (!jg_json_in_number(in, quoted, &text))
        return false;
    if (text.len && (short_double(text, ret) || jg_str_to_double(text, ret)))
        return true;
    if (is_text && jg_str_is(text, "NaN"))
        *ret = (double)NAN;
    else if (is_text && jg_str_is(text, "Infinity"))
        *ret = (double)INFINITY;
    else if (is_text && jg_str_is(text, "-Infinity"))
        *ret = -(double)INFINITY;
    else
        return jg_json_in_fail(in, "not a number that a double can hold");
    return true;
}

static bool skip_scalar(jg_json_in *in, jg_json_type type)
{
    jg_json_text text;
    jaeger_str number;
    bool b;
    switch (type) {
    case JG_JSON_STRING:
        return jg_json_in_str(in, &text);
    case JG_JSON_NUMBER:
        return jg_json_in_number(in, false, &number);
    case JG_JSON_TRUE:
    case JG_JSON_FALSE:
        return jg_json_in_bool(in, &b);
    case JG_JSON_NULL:
        return jg_json_in_null(in);
    default:
        return jg_json_in_fail(in, "not a JSON value");
    }
}

/** Without recursion: a bit a level says whether it is an array. */
bool jg_json_in_skip(jg_json_in *in)
{
    uint64_t arrays[JG_JSON_DEPTH_MAX / 64 + 1] = {0};
    unsigned base = in->depth;
    jg_json_text key;
    do {
        if (in->depth > base) {
            bool is_array = arrays[in->depth / 64] >> in->depth % 64 & 1;
            if (is_array ? !jg_json_in_item(in) : !jg_json_in_key(in, &key))
                continue; /* closed, or a fault */
        }
        jg_json_type type = jg_json_in_peek(in);
        if (type == JG_JSON_OBJECT) {
            if (jg_json_in_object(in))
                arrays[in->depth / 64] &= ~(1ull << in->depth % 64);
        } else if (type == JG_JSON_ARRAY) {
            if (jg_json_in_array(in))
                arrays[in->depth / 64] |= 1ull << in->depth % 64;
        } else {
            (void)skip_scalar(in, type);
        }
    } while (!in->fault && in->depth > base);
    return !in->fault;
}

bool jg_json_in_end(jg_json_in *in)
{
    skip_space(in);
    if (in->pos != in->end)
        return jg_json_in_fail(in, "unexpected text after the value");
    return !in->fault;
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(0xf00 >> n | c);
    return n;
}

/** `p` is at a checked "\u". @return bytes read */
static size_t unescape_unicode(const char *p, const char *end, uint32_t *ret)
{
    uint32_t c = (uint32_t)hex4(p + 2);
    *ret = c;
    if (c < 0xd800 || c > 0xdfff)
        return 6;
    *ret = 0xfffd;
    if (c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = (uint32_t)hex4(p + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            return 12;
        }
    }
    return 6;
}

size_t jg_json_in_unescape(jaeger_str raw, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    char *o = out;
    while (p < end) {
        if (*p != '\\') {
            *o++ = *p++;
        } else if (p[1] == 'u') {
            uint32_t c;
            p += unescape_unicode(p, end, &c);
            o += put_utf8(c, o);
        } else {
            const char *at = strchr(from, p[1]);
            *o++ = at ? to[at - from] : p[1];
            p += 2;
        }
    }
    return (size_t)(o - out);
}

void jg_json_in_append(jg_buf *out, jg_json_text text)
{
    if (!text.escaped) {
        jg_buf_str(out, text.raw);
    } else if (jg_buf_reserve(out, text.raw.len)) {
        out->len += jg_json_in_unescape(text.raw, (char *)out->data + out->len);
    }
}

bool jg_json_in_is(jg_json_text text, jaeger_str want)
{
    char plain[256];
    if (!text.escaped)
        return jg_str_eq(text.raw, want);
    if (text.raw.len > sizeof plain)
        return false;
    return jg_str_eq((jaeger_str){plain, jg_json_in_unescape(text.raw, plain)}, want);
}

bool jg_json_in_member(jg_json_in *in, jg_json_text *key)
{
    while (jg_json_in_key(in, key))
        if (jg_json_in_peek(in) != JG_JSON_NULL)
            return true;
        else if (!jg_json_in_null(in))
            return false;
    return false;
}
