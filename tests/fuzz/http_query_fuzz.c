/* SPDX-License-Identifier: Apache-2.0
 * URL decoding and query walking: they end, stay in bounds, and never make more than they read.
 */
#include "core/arena.h"
#include "net/http_server.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_arena *arena JG_AUTO_ARENA = jaeger_arena_new(0);
    jaeger_str in = {(const char *)data, size}, out;
    if (jg_url_decode(arena, in, false, &out) && out.len > size)
        abort();
    size_t at = 0, total = 0;
    jaeger_pair pair;
    while (jg_query_next(arena, in, &at, &pair))
        total += pair.key.len + pair.value.len;
    if (total > size)
        abort();
    return 0;
}
