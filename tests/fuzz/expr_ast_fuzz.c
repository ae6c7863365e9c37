/* SPDX-License-Identifier: Apache-2.0
 * Structured filters: protobuf, or JSON if the first byte is odd.
 */
#include "core/arena.h"
#include "model/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const jaeger_filter *filter;
    if (size == 0)
        return 0;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16 << 20);
    jaeger_str text = {(const char *)data + 1, size - 1};
    jaeger_span_group group = {0};
    jaeger_span span = {.group = &group};
    jaeger_status status = data[0] & 1 ? jg_filter_from_json(text, arena, &filter, NULL)
                                       : jg_filter_from_pb(text, arena, &filter, NULL);
    if (status == JAEGER_OK)
        (void)jg_filter_test(filter, &span, NULL);
    return status == JAEGER_UNKNOWN;
}
