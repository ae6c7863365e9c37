/* SPDX-License-Identifier: Apache-2.0
 * Answers of a cluster to the Monitor page's questions: read, never crash.
 */
#include "core/arena.h"
#include "extensions/jaeger_query/metrics_search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16u << 20);
    jaeger_call call = JAEGER_CALL_INIT;
    jg_search_counts counts;
    call.arena = arena;
    for (int by_operation = 0; by_operation < 2; by_operation++)
        (void)!jg_metrics_search_read((jaeger_str){(const char *)data, size}, by_operation, &counts, &call);
    return 0;
}
