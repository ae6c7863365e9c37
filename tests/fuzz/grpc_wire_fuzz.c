/* SPDX-License-Identifier: Apache-2.0
 * Everything gRPC reads from headers and prefixes: stays in bounds, and what is written reads back the same.
 */
#include "core/str.h"
#include "net/grpc_wire.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_timeout(jaeger_str in)
{
    uint64_t ns, back;
    char text[JG_GRPC_TIMEOUT_BYTES];
    if (!jg_grpc_timeout_read(in, &ns) || ns == 0)
        return;
    jg_grpc_timeout_write(ns, text);
    require(jg_grpc_timeout_read(jg_str(text), &back) && back >= ns);
}

static void check_message(jaeger_str in)
{
    JG_AUTO_BUF jg_buf encoded = JG_BUF_INIT(3 * in.len + 1), decoded = JG_BUF_INIT(in.len + 1);
    jg_grpc_message_write(&encoded, in);
    for (size_t i = 0; i < encoded.len; i++)
        require(encoded.data[i] >= 0x20 && encoded.data[i] < 0x7f);
    jg_grpc_message_read(&decoded, jg_buf_view(&encoded));
    require(jg_str_eq(jg_buf_view(&decoded), in));
    jg_buf_clear(&decoded);
    jg_grpc_message_read(&decoded, in);
    require(decoded.len <= in.len && jg_buf_ok(&decoded));
}

static void check_path(jaeger_str in)
{
    jaeger_str service, method;
    if (jg_grpc_path_split(in, &service, &method))
        require(service.len + method.len + 2 == in.len &&
                !memchr(method.len ? method.ptr : "", '/', method.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jaeger_str in = {(const char *)data, size};
    check_timeout(in);
    check_message(in);
    check_path(in);
    (void)jg_grpc_content_type_ok(in);
    (void)jg_grpc_list_has(in, "gzip");
    (void)jg_grpc_header_is_reserved(in);
    (void)jg_grpc_binary_read(arena, in);
    if (size >= JG_GRPC_PREFIX_BYTES) {
        bool compressed;
        uint32_t len;
        uint8_t prefix[JG_GRPC_PREFIX_BYTES];
        if (jg_grpc_prefix_read(data, &compressed, &len)) {
            jg_grpc_prefix_write(prefix, compressed, len);
            require(memcmp(prefix, data, sizeof prefix) == 0);
        }
    }
    return 0;
}
