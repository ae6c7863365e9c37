/* SPDX-License-Identifier: Apache-2.0
 * See str.h.
 */
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int jg_str_cmp(jaeger_str a, jaeger_str b)
{
    size_t n = JG_MIN(a.len, b.len);
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool jg_str_eq_nocase(jaeger_str a, jaeger_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

jaeger_str jg_str_trim(jaeger_str s)
{
    while (s.len && is_space(s.ptr[0]))
        s.ptr++, s.len--;
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

size_t jg_str_find(jaeger_str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

bool jg_str_to_u64(jaeger_str s, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;
    if (s.len == 0)
        return false;
    for (; i < s.len && i < 19; i++) { /* 19 digits always fit */
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    for (; i < s.len; i++) {
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

bool jg_str_to_i64(jaeger_str s, int64_t *ret)
{
    bool minus = s.len && s.ptr[0] == '-';
    if (s.len && (minus || s.ptr[0] == '+'))
        s = jg_str_skip(s, 1);
    uint64_t value;
    if (!jg_str_to_u64(s, &value) || value > (uint64_t)INT64_MAX + minus)
        return false;
    *ret = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool jg_str_to_double(jaeger_str s, double *ret)
{
    char text[512], *end;
    if (s.len == 0 || s.len >= sizeof text)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789+-.eE", s.ptr[i]))
            return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    double value = strtod(text, &end);
    if (end != text + s.len || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

bool jg_str_to_duration(jaeger_str s, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                 {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};
    bool minus = s.len && s.ptr[0] == '-';
    if (s.len && (minus || s.ptr[0] == '+'))
        s = jg_str_skip(s, 1);
    if (jg_str_is(s, "0")) {
        *ret_ns = 0;
        return true;
    }
    if (s.len == 0)
        return false;
    long double total = 0;
    while (s.len) {
        size_t n = 0;
        while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') || s.ptr[n] == '.'))
            n++;
        size_t dot = jg_str_find((jaeger_str){s.ptr, n}, '.');
        uint64_t whole = 0;
        double fraction = 0, scale = 1;
        if (n == 0 || (n == 1 && dot == 0) || (dot && !jg_str_to_u64((jaeger_str){s.ptr, dot}, &whole)))
            return false;
        for (size_t i = dot + 1; i < n; i++) {
            if (s.ptr[i] == '.')
                return false;
            fraction = fraction * 10 + (s.ptr[i] - '0');
            scale *= 10;
        }
        s = jg_str_skip(s, n);
        size_t u = 0, unit_len = 0;
        while (unit_len < s.len && s.ptr[unit_len] != '.' &&
               !(s.ptr[unit_len] >= '0' && s.ptr[unit_len] <= '9'))
            unit_len++;
        while (u < JG_COUNT(units) && !jg_str_is((jaeger_str){s.ptr, unit_len}, units[u].name))
            u++;
        if (u == JG_COUNT(units))
            return false;
        total += (long double)whole * units[u].ns + (long double)fraction / scale * units[u].ns;
        s = jg_str_skip(s, unit_len);
    }
    if (total > (long double)INT64_MAX)
        return false;
    *ret_ns = minus ? -(int64_t)total : (int64_t)total;
    return true;
}

/** "1.5" of 1500 thousandths: `value` / 10^places without trailing zeros. */
static size_t put_fraction(uint64_t value, unsigned places, char *out, size_t room)
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < places; i++)
        scale *= 10;
    uint64_t fraction = value % scale;
    size_t n = (size_t)snprintf(out, room, "%llu", (unsigned long long)(value / scale));
    if (fraction) {
        n += (size_t)snprintf(out + n, room - n, ".%0*llu", (int)places, (unsigned long long)fraction);
        while (out[n - 1] == '0')
            n--;
    }
    return n;
}

size_t jg_duration_to_text(int64_t ns, char out[JG_DURATION_TEXT_MAX])
{
    static const struct {
        uint64_t below;
        unsigned places;
        const char *unit;
    } small[] = {{1000, 0, "ns"}, {1000000, 3, "\xc2\xb5s"}, {1000000000, 6, "ms"}};
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, minutes = u / 60000000000ull;
    size_t n = 0;
    const char *unit = "s";
    if (ns < 0)
        out[n++] = '-';
    unsigned places = 9;
    for (size_t i = 0; i < JG_COUNT(small) && u && unit[1] == 0; i++) {
        if (u < small[i].below) {
            places = small[i].places;
            unit = small[i].unit;
        }
    }
    if (minutes >= 60)
        n += (size_t)snprintf(out + n, JG_DURATION_TEXT_MAX - n, "%lluh", (unsigned long long)(minutes / 60));
    if (minutes)
        n += (size_t)snprintf(out + n, JG_DURATION_TEXT_MAX - n, "%llum", (unsigned long long)(minutes % 60));
    n += put_fraction(u - minutes * 60000000000ull, places, out + n, JG_DURATION_TEXT_MAX - n);
    n += (size_t)snprintf(out + n, JG_DURATION_TEXT_MAX - n, "%s", unit);
    return n;
}

void jg_hex_encode(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint64_t ones = 0x0101010101010101u;
    for (; n >= 4; n -= 4, bytes += 4, out += 8) { /* eight digits in the bytes of a word */
        uint64_t word =
            bytes[0] | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 32 | (uint64_t)bytes[3] << 48;
        word = (word >> 4 | word << 8) & 15 * ones;
        word += '0' * ones + ((word + 6 * ones) >> 4 & ones) * ('a' - '0' - 10);
        memcpy(out, &word, 8);
    }
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* value + 1 of a hex digit; 0: none */
static const uint8_t hex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

bool jg_hex_decode(jaeger_str hex, uint8_t *out, size_t n)
{
    if (hex.len != 2 * n)
        return false;
    const uint8_t *in = (const uint8_t *)hex.ptr;
    for (size_t i = 0; i < n; i++) {
        unsigned high = hex_digits[in[2 * i]], low = hex_digits[in[2 * i + 1]];
        if (!high || !low)
            return false;
        out[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return true;
}

size_t jg_base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}

void jg_base64_encode(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[v & 63] : '=';
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool jg_base64_decode(jaeger_str text, uint8_t *out, size_t *ret_len)
{
    size_t len = text.len, n = 0;
    if (len % 4 == 0)
        for (int pad = 0; pad < 2 && len && text.ptr[len - 1] == '='; pad++)
            len--;
    if (len % 4 == 1)
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        v = v << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            out[n++] = (uint8_t)(v >> 16);
            out[n++] = (uint8_t)(v >> 8);
            out[n++] = (uint8_t)v;
            v = 0;
        }
    }
    if (len % 4 >= 2)
        out[n++] = (uint8_t)(v >> (len % 4 == 2 ? 4 : 10));
    if (len % 4 == 3)
        out[n++] = (uint8_t)(v >> 2);
    *ret_len = n;
    return true;
}

size_t jg_utf8_step(const uint8_t *s, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t c = s[0];
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, above U+10FFFF */
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

bool jg_utf8_valid(jaeger_str s)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    if (JG_LIKELY(jg_is_ascii(p, s.len)))
        return true;
    for (size_t i = 0; i < s.len;) {
        if (s.len - i >= 8 && jg_is_ascii(p + i, 8)) {
            i += 8;
            continue;
        }
        size_t step = jg_utf8_step(p + i, s.len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t jg_double_to_text(double value, int exponent_digits_min, char *out)
{
    double magnitude = fabs(value);
    char text[40];
    int precision = 0;
    if (magnitude < 9007199254740992.0 && value == floor(value) && !(value == 0 && signbit(value)))
        return (size_t)snprintf(out, 32, "%.0f", value);
    /* the fewest significant digits that read back as the same number */
    for (precision = 1; precision < 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (strtod(text, NULL) == value)
            break;
    }
    (void)snprintf(text, sizeof text, "%.*e", precision - 1, value);
    char *mark = strchr(text, 'e');
    int exponent = mark[1] == '-' ? -(int)strtoul(mark + 2, NULL, 10) : (int)strtoul(mark + 2, NULL, 10);
    if (magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21)) {
        size_t n = (size_t)(mark - text);
        memcpy(out, text, n);
        return n + (size_t)snprintf(out + n, 32 - n, "e%c%0*d", exponent < 0 ? '-' : '+', exponent_digits_min,
                                    abs(exponent));
    }
    if (exponent < precision)
        return (size_t)snprintf(out, 32, "%.*f", precision - 1 - exponent, value);
    /* more places than digits: zeros, where %f would show the digits of the binary value */
    size_t n = 0;
    for (const char *c = text; c < mark; c++)
        if (*c != '.')
            out[n++] = *c;
    for (; precision <= exponent; precision++)
        out[n++] = '0';
    return n;
}

bool jg_id_is_zero(const uint8_t *id, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= id[i];
    return any == 0;
}
