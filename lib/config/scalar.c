/* SPDX-License-Identifier: Apache-2.0
 * Which type a plain scalar has: the core schema of YAML 1.2, with the integer forms of Go's yaml.v3 (0x, 0o,
 * 0b, a leading zero is octal, "_" between digits). yes, no, on and off are strings. Spec:
 * https://yaml.org/spec/1.2.2/#103-core-schema
 */
#include "config/tree.h"

#include "core/str.h"
#include <math.h>

#define NUMBER_LEN_MAX 400 /* the longest double in full decimal form has 309 digits */

bool jg_scalar_is_null(jaeger_str text)
{
    return text.len == 0 || jg_str_is(text, "~") || jg_str_is(text, "null") || jg_str_is(text, "Null") ||
           jg_str_is(text, "NULL");
}

static bool is_any(jaeger_str text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (jg_str_is(text, names[i]))
            return true;
    return false;
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 99;
}

static bool read_digits(jaeger_str s, unsigned base, uint64_t *ret)
{
    uint64_t value = 0;
    bool any = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_')
            continue;
        unsigned digit = digit_value(s.ptr[i]);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
        any = true;
    }
    *ret = value;
    return any;
}

static bool read_int(jaeger_str s, jg_scalar *ret)
{
    bool signed_ = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
    ret->negative = s.len && s.ptr[0] == '-';
    s = jg_str_skip(s, signed_);
    unsigned base = 10;
    if (s.len == 0 || digit_value(s.ptr[0]) > 9)
        return false;
    if (s.len > 1 && s.ptr[0] == '0') {
        char mark = s.ptr[1];
        base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
        s = jg_str_skip(s, base == 8 && mark != 'o' && mark != 'O' ? 1 : 2);
    }
    if (!read_digits(s, base, &ret->magnitude))
        return false;
    if (ret->negative && ret->magnitude > (uint64_t)INT64_MAX + 1)
        return false;
    ret->d = ret->negative ? -(double)ret->magnitude : (double)ret->magnitude;
    return true;
}

static bool read_float(jaeger_str s, double *ret)
{
    static const char *const nans[] = {".nan", ".NaN", ".NAN"};
    static const char *const infs[] = {".inf", ".Inf", ".INF"};
    bool signed_ = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
    jaeger_str bare = jg_str_skip(s, signed_);
    if (!signed_ && is_any(s, nans, JG_COUNT(nans))) {
        *ret = NAN;
        return true;
    }
    if (is_any(bare, infs, JG_COUNT(infs))) {
        *ret = s.ptr[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    bool starts = bare.len && (digit_value(bare.ptr[0]) <= 9 ||
                               (bare.ptr[0] == '.' && bare.len > 1 && digit_value(bare.ptr[1]) <= 9));
    return starts && s.len <= NUMBER_LEN_MAX && jg_str_to_double(s, ret);
}

jg_scalar jg_scalar_read(jaeger_str text)
{
    static const char *const yes[] = {"true", "True", "TRUE"};
    static const char *const no[] = {"false", "False", "FALSE"};
    jg_scalar scalar = {.type = JG_SCALAR_STRING};
    if (text.len == 0)
        return scalar;
    scalar.b = is_any(text, yes, JG_COUNT(yes));
    if (scalar.b || is_any(text, no, JG_COUNT(no)))
        scalar.type = JG_SCALAR_BOOL;
    else if (read_int(text, &scalar))
        scalar.type = JG_SCALAR_INT;
    else if (read_float(text, &scalar.d))
        scalar.type = JG_SCALAR_FLOAT;
    return scalar;
}

jg_scalar jg_scalar_of(const jaeger_config *node)
{
    return node->is_text ? (jg_scalar){.type = JG_SCALAR_STRING} : jg_scalar_read(node->text);
}
