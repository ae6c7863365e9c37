/* SPDX-License-Identifier: Apache-2.0
 * Addresses of endpoints, as Go's net.IP reads and prints them (RFC 5952).
 */
#include "core/arena.h"
#include "core/str.h"
#include "wire/zipkin_model.h"
#include <arpa/inet.h>
#include <stdio.h>

static jaeger_str dotted(jaeger_arena *arena, const uint8_t *b)
{
    return jg_arena_printf(arena, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

/** The longest run of two or more zero groups becomes "::". */
static jaeger_str groups(jaeger_arena *arena, const uint8_t *b)
{
    char text[48];
    size_t n = 0;
    int best = -1, best_len = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && b[2 * end] == 0 && b[2 * end + 1] == 0)
            end++;
        if (end - i > best_len) {
            best = i;
            best_len = end - i;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            n += (size_t)snprintf(text + n, sizeof text - n, "::");
            i += best_len - 1;
            continue;
        }
        const char *colon = i > 0 && text[n - 1] != ':' ? ":" : "";
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%x", colon, b[2 * i] << 8 | b[2 * i + 1]);
    }
    return jaeger_arena_str(arena, (jaeger_str){text, n});
}

jaeger_str jg_zipkin_ip_text(jaeger_arena *arena, jaeger_str bytes)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const uint8_t *b = (const uint8_t *)bytes.ptr;
    if (bytes.len == 0)
        return (jaeger_str){0};
    if (bytes.len == 4)
        return dotted(arena, b);
    if (bytes.len == 16)
        return memcmp(b, mapped, 12) == 0 ? dotted(arena, b + 12) : groups(arena, b);
    char *text = jaeger_arena_alloc(arena, 1 + 2 * bytes.len);
    if (!text)
        return (jaeger_str){0};
    text[0] = '?';
    jg_hex_encode(b, bytes.len, text + 1);
    return (jaeger_str){text, 1 + 2 * bytes.len};
}

bool jg_zipkin_ip_parse(jaeger_str text, uint8_t ret[16], size_t *ret_len)
{
    char z[48];
    if (text.len == 0 || text.len >= sizeof z || memchr(text.ptr, 0, text.len))
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = 0;
    *ret_len = strchr(z, ':') ? 16 : 4;
    return inet_pton(*ret_len == 16 ? AF_INET6 : AF_INET, z, ret) == 1;
}
