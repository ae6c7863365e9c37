/* SPDX-License-Identifier: Apache-2.0
 * Query strings and percent escapes, as Go's net/url reads them: pairs split at '&'; '+' is a space in
 * queries; a pair with a bad escape or a ';' is left out.
 */
#include "core/str.h"
#include "net/http_server.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool jg_url_decode(jaeger_arena *arena, jaeger_str in, bool plus, jaeger_str *ret)
{
    char *out = jaeger_arena_alloc(arena, in.len + 1);
    if (!out)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '%') {
            int high = i + 2 < in.len ? hex_digit(in.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = 0;
    *ret = (jaeger_str){out, len};
    return true;
}

bool jg_query_next(jaeger_arena *arena, jaeger_str query, size_t *at, jaeger_pair *ret)
{
    while (*at < query.len) {
        jaeger_str rest = jg_str_skip(query, *at);
        jaeger_str part = {rest.ptr, jg_str_find(rest, '&')};
        *at += part.len + 1;
        if (!part.len || jg_str_find(part, ';') < part.len)
            continue;
        size_t equals = jg_str_find(part, '=');
        jaeger_str key = {part.ptr, equals}, value = jg_str_skip(part, equals + 1);
        if (jg_url_decode(arena, key, true, &ret->key) && jg_url_decode(arena, value, true, &ret->value))
            return true;
    }
    return false;
}

jaeger_str jg_query_get(jaeger_arena *arena, jaeger_str query, const char *name)
{
    size_t at = 0;
    jaeger_pair pair;
    while (jg_query_next(arena, query, &at, &pair))
        if (jg_str_is(pair.key, name))
            return pair.value;
    return (jaeger_str){NULL, 0};
}
