/* SPDX-License-Identifier: Apache-2.0
 * See grpc_wire.h.
 */
#include "net/grpc_wire.h"

#include "core/clock.h"
#include "core/str.h"
#include <stdio.h>

bool jg_grpc_prefix_read(const uint8_t prefix[JG_GRPC_PREFIX_BYTES], bool *ret_compressed, uint32_t *ret_len)
{
    *ret_compressed = prefix[0] == 1;
    *ret_len = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
    return prefix[0] <= 1;
}

void jg_grpc_prefix_write(uint8_t prefix[JG_GRPC_PREFIX_BYTES], bool compressed, uint32_t len)
{
    prefix[0] = compressed;
    for (int i = 0; i < 4; i++)
        prefix[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

static const struct {
    char unit;
    uint64_t ns;
} units[] = {{'n', 1},           {'u', JG_NS_PER_US},     {'m', JG_NS_PER_MS},
             {'S', JG_NS_PER_S}, {'M', 60 * JG_NS_PER_S}, {'H', 3600 * JG_NS_PER_S}};

bool jg_grpc_timeout_read(jaeger_str text, uint64_t *ret_ns)
{
    uint64_t number;
    if (text.len < 2 || text.len > 9 || !jg_str_to_u64((jaeger_str){text.ptr, text.len - 1}, &number))
        return false;
    for (size_t i = 0; i < JG_COUNT(units); i++)
        if (units[i].unit == text.ptr[text.len - 1]) {
            *ret_ns = number > UINT64_MAX / units[i].ns ? UINT64_MAX : number * units[i].ns;
            return true;
        }
    return false;
}

void jg_grpc_timeout_write(uint64_t ns, char out[JG_GRPC_TIMEOUT_BYTES])
{
    size_t i = 0;
    uint64_t number = ns;
    while (i + 1 < JG_COUNT(units) && number > 99999999)
        number = (ns - 1) / units[++i].ns + 1;
    (void)snprintf(out, JG_GRPC_TIMEOUT_BYTES, "%u%c", (unsigned)JG_MIN(number, 99999999u), units[i].unit);
}

bool jg_grpc_path_split(jaeger_str path, jaeger_str *ret_service, jaeger_str *ret_method)
{
    if (!path.len || path.ptr[0] != '/')
        return false;
    size_t at = path.len;
    while (at > 1 && path.ptr[at - 1] != '/')
        at--;
    if (at <= 1)
        return false;
    *ret_service = (jaeger_str){path.ptr + 1, at - 2};
    *ret_method = jg_str_skip(path, at);
    return true;
}

bool jg_grpc_content_type_ok(jaeger_str content_type)
{
    jaeger_str base = JAEGER_STR("application/grpc");
    if (content_type.len < base.len || !jg_str_eq_nocase((jaeger_str){content_type.ptr, base.len}, base))
        return false;
    return content_type.len == base.len || content_type.ptr[base.len] == '+' ||
           content_type.ptr[base.len] == ';';
}

void jg_grpc_message_write(jg_buf *out, jaeger_str message)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < message.len; i++) {
        uint8_t c = (uint8_t)message.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '%') {
            jg_buf_byte(out, c);
        } else {
            char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
            jg_buf_append(out, escaped, 3);
        }
    }
}

void jg_grpc_message_read(jg_buf *out, jaeger_str encoded)
{
    for (size_t i = 0; i < encoded.len; i++) {
        uint8_t c = (uint8_t)encoded.ptr[i];
        if (c == '%' && encoded.len - i >= 3 && jg_hex_decode((jaeger_str){encoded.ptr + i + 1, 2}, &c, 1))
            i += 2;
        jg_buf_byte(out, c);
    }
}

jaeger_str jg_grpc_binary_read(jaeger_arena *arena, jaeger_str value)
{
    size_t len = 0;
    char *bytes = jaeger_arena_alloc(arena, 3 * (value.len / 4 + 1));
    if (!bytes || !jg_base64_decode(value, (uint8_t *)bytes, &len))
        return (jaeger_str){0};
    return (jaeger_str){bytes, len};
}

bool jg_grpc_list_has(jaeger_str list, const char *coding)
{
    while (list.len) {
        size_t n = jg_str_find(list, ',');
        if (jg_str_is(jg_str_trim((jaeger_str){list.ptr, n}), coding))
            return true;
        list = jg_str_skip(list, n + 1);
    }
    return false;
}

bool jg_grpc_header_is_reserved(jaeger_str name)
{
    static const char *const names[] = {
        "content-type",         "te",           "grpc-timeout", "grpc-encoding",
        "grpc-accept-encoding", "grpc-message", "grpc-status",  "grpc-status-details-bin",
        "grpc-message-type"};
    if (!name.len || name.ptr[0] == ':')
        return true;
    for (size_t i = 0; i < JG_COUNT(names); i++)
        if (jg_str_is(name, names[i]))
            return true;
    return false;
}
