/* SPDX-License-Identifier: Apache-2.0
 * Answers of Prometheus' query API.
 */
#include "core/arena.h"
#include "query/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jg_metrics_result result;
    call.arena = jaeger_arena_new(64u << 20);
    if (call.arena)
        (void)!jg_prometheus_read((jaeger_str){(const char *)data, size}, &result, &call);
    jaeger_arena_free(call.arena);
    return 0;
}
