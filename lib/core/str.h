/* SPDX-License-Identifier: Apache-2.0
 * Slices: comparing, parsing numbers, hex, base64, UTF-8. Nothing here allocates.
 */
#ifndef JG_CORE_STR_H
#define JG_CORE_STR_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <string.h>

JG_INLINE jaeger_str jg_str(const char *z)
{
    return (jaeger_str){z, z ? strlen(z) : 0};
}

JG_INLINE bool jg_str_eq(jaeger_str a, jaeger_str b)
{
    if (a.len != b.len || a.len == 0)
        return a.len == b.len;
    /* most keys that differ do so at an end: spare the call */
    return a.ptr[0] == b.ptr[0] && a.ptr[a.len - 1] == b.ptr[a.len - 1] && memcmp(a.ptr, b.ptr, a.len) == 0;
}

JG_INLINE bool jg_str_is(jaeger_str a, const char *z)
{
    return jg_str_eq(a, jg_str(z));
}

JG_INLINE bool jg_str_starts(jaeger_str s, jaeger_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

JG_INLINE jaeger_str jg_str_skip(jaeger_str s, size_t n)
{
    return n >= s.len ? (jaeger_str){s.ptr + s.len, 0} : (jaeger_str){s.ptr + n, s.len - n};
}

/** Bytewise order, as memcmp with the shorter one first. */
int jg_str_cmp(jaeger_str a, jaeger_str b);
bool jg_str_eq_nocase(jaeger_str a, jaeger_str b); /* ASCII */
jaeger_str jg_str_trim(jaeger_str s);              /* ASCII white space on both ends */
/** Position of `c`, or s.len. */
size_t jg_str_find(jaeger_str s, char c);

/** The whole text is one decimal number. @return false: it is not, or out of range (`ret` untouched) */
bool jg_str_to_i64(jaeger_str s, int64_t *ret);
bool jg_str_to_u64(jaeger_str s, uint64_t *ret);
/** Decimal or exponent form, "NaN", "Infinity", "-Infinity" not included. */
bool jg_str_to_double(jaeger_str s, double *ret);
/** Go duration: "1h2m3.5s", units ns us µs ms s m h. Sign allowed. */
bool jg_str_to_duration(jaeger_str s, int64_t *ret_ns);
/** The reverse, as Go prints it: "0s", "1.5ms", "1h0m3.000000001s". @return length, without the NUL */
#define JG_DURATION_TEXT_MAX 40
size_t jg_duration_to_text(int64_t ns, char out[JG_DURATION_TEXT_MAX]);

/** Lower-case hex; `out` has room for 2 * n characters (no NUL). */
void jg_hex_encode(const uint8_t *bytes, size_t n, char *out);
/** Exactly 2 * n hex digits of any case. @return false: wrong length or digit */
bool jg_hex_decode(jaeger_str hex, uint8_t *out, size_t n);

/** Room for jg_base64_size(n) characters (padded, standard alphabet, no NUL). */
size_t jg_base64_size(size_t n);
void jg_base64_encode(const uint8_t *bytes, size_t n, char *out);
/** Standard or URL alphabet, padded or not. `out` has room for 3 * (len / 4 + 1) bytes. @return false: not
 * base64 */
bool jg_base64_decode(jaeger_str text, uint8_t *out, size_t *ret_len);

JG_INLINE bool jg_is_ascii(const void *bytes, size_t len)
{
    const char *at = bytes;
    uint64_t word = 0, any = 0;
    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&word, at, 8);
        any |= word;
    }
    word = 0;
    if (len)
        memcpy(&word, at, len);
    return !((any | word) & 0x8080808080808080ull);
}
bool jg_utf8_valid(jaeger_str s);
/** Length of the valid code point at `s` (1-4), or 0 if the bytes there are not valid UTF-8. */
size_t jg_utf8_step(const uint8_t *s, size_t len);

/** Shortest text that reads back as the same double, in the style of Go's strconv 'g' with exponent bounds of
 *  encoding/json (exponent when abs < 1e-6 or >= 1e21). @param exponent_digits_min 1: "1e-9", 2: "1e-09"
 *  @return length; `out` has room for 32. Not for NaN and infinities */
size_t jg_double_to_text(double value, int exponent_digits_min, char *out);

bool jg_id_is_zero(const uint8_t *id, size_t n);

#endif
