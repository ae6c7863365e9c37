/* SPDX-License-Identifier: Apache-2.0
 * See lex.h. Escapes are those of a Go string.
 */
#include "ottl/lex.h"

#include "core/str.h"

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int at_of(jaeger_str in, size_t at)
{
    return at < in.len ? (uint8_t)in.ptr[at] : -1;
}

static jg_ottl_token token(jaeger_str in, jg_ottl_token_kind kind, size_t from, size_t to)
{
    return (jg_ottl_token){.kind = kind, .text = {in.ptr + from, to - from}, .column = (uint32_t)from + 1};
}

static jg_ottl_token bad(size_t at, const char *why)
{
    return (jg_ottl_token){.kind = JG_OTTL_BAD, .text = jg_str(why), .column = (uint32_t)at + 1};
}

static jg_ottl_token lex_text(jaeger_str in, size_t *at)
{
    size_t from = *at, end = from + 1;
    while (end < in.len && in.ptr[end] != '"')
        end += in.ptr[end] == '\\' ? 2 : 1;
    if (end >= in.len)
        return bad(from, "the string has no end");
    *at = end + 1;
    jg_ottl_token t = token(in, JG_OTTL_TEXT, from + 1, end);
    t.column = (uint32_t)from + 1;
    return t;
}

static jg_ottl_token lex_number(jaeger_str in, size_t *at)
{
    size_t from = *at, end = from;
    if (at_of(in, from) == '0' && at_of(in, from + 1) == 'x') {
        for (end = from + 2; is_hex(at_of(in, end)); end++)
            ;
        *at = end;
        if ((end - from) % 2 || end == from + 2)
            return bad(from, "bytes need an even number of hexadecimal digits");
        return token(in, JG_OTTL_HEX, from + 2, end);
    }
    while (is_digit(at_of(in, end)))
        end++;
    bool is_float = at_of(in, end) == '.' && is_digit(at_of(in, end + 1));
    if (is_float) {
        for (end++; is_digit(at_of(in, end)); end++)
            ;
        size_t e = end + 1;
        if (at_of(in, end) == 'e' || at_of(in, end) == 'E') {
            e += at_of(in, e) == '+' || at_of(in, e) == '-';
            if (is_digit(at_of(in, e)))
                for (end = e; is_digit(at_of(in, end)); end++)
                    ;
        }
    }
    *at = end;
    jg_ottl_token t = token(in, JG_OTTL_NUMBER, from, end);
    t.is_float = is_float;
    return t;
}

jg_ottl_token jg_ottl_lex(jaeger_str in, size_t *at)
{
    while (*at < in.len && strchr(" \t\r\n", in.ptr[*at]) && in.ptr[*at])
        (*at)++;
    size_t from = *at, end = from;
    int c = at_of(in, from);
    if (c < 0)
        return token(in, JG_OTTL_END, from, from);
    if (c == '"')
        return lex_text(in, at);
    if (is_digit(c) || (c == '.' && is_digit(at_of(in, from + 1))))
        return lex_number(in, at);
    if (is_letter(c)) {
        while (is_letter(at_of(in, end)) || is_digit(at_of(in, end)) || at_of(in, end) == '_')
            end++;
        *at = end;
        return token(in, JG_OTTL_WORD, from, end);
    }
    if (c == 0 || !strchr("=!<>+-*/()[]{},.:", c))
        return bad(from, "unexpected character");
    end = from + (strchr("=!<>", c) && at_of(in, from + 1) == '=' ? 2 : 1);
    *at = end;
    return token(in, JG_OTTL_SIGN, from, end);
}

size_t jg_ottl_put_rune(char *out, uint32_t rune)
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xc0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3f));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xe0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
        out[2] = (char)(0x80 | (rune & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
    out[3] = (char)(0x80 | (rune & 0x3f));
    return 4;
}

/* \xHH, \uHHHH, \UHHHHHHHH: the digits from `at`. @return false: not a character */
static bool read_code(jaeger_str raw, size_t at, size_t digits, uint32_t *ret)
{
    uint8_t bytes[4];
    if (raw.len - at < digits || !jg_hex_decode((jaeger_str){raw.ptr + at, digits}, bytes, digits / 2))
        return false;
    *ret = 0;
    for (size_t i = 0; i < digits / 2; i++)
        *ret = *ret << 8 | bytes[i];
    return digits == 2 || (*ret <= 0x10ffff && (*ret < 0xd800 || *ret > 0xdfff));
}

bool jg_ottl_unescape(jaeger_str raw, char *out, size_t *ret_len)
{
    static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] != '\\') {
            out[n++] = raw.ptr[i];
            continue;
        }
        char c = ++i < raw.len ? raw.ptr[i] : 0;
        const char *found = c ? strchr(from, c) : NULL;
        size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        uint32_t code;
        if (found) {
            out[n++] = to[found - from];
        } else if (digits && read_code(raw, i + 1, digits, &code)) {
            if (digits == 2)
                out[n++] = (char)code;
            else
                n += jg_ottl_put_rune(out + n, code);
            i += digits;
        } else {
            return false;
        }
    }
    *ret_len = n;
    return true;
}
