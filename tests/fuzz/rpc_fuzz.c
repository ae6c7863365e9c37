/* SPDX-License-Identifier: Apache-2.0
 * Readers of query and storage messages. The first byte chooses the reader.
 */
#include "core/arena.h"
#include "wire/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_status ignore_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    (void)self, (void)summary, (void)call;
    return JAEGER_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16u << 20);
    jaeger_call call = JAEGER_CALL_INIT;
    call.arena = arena;
    jaeger_str message = {(const char *)data + 1, size - 1};
    jg_rpc_get_trace get_trace;
    jg_rpc_find find;
    jg_rpc_operations operations;
    jg_rpc_range range;
    jaeger_trace_ref *refs;
    jaeger_trace_refs ref_list = {0};
    jaeger_strs services = {0};
    jaeger_operations operation_list = {0};
    jaeger_dependencies dependencies = {0};
    jaeger_storage_caps caps;
    size_t n;
    jaeger_status status = JAEGER_OK;
    switch (data[0] % 12) {
    case 0:
        status = jg_rpc_read_get_trace(message, &get_trace, NULL);
        break;
    case 1:
    case 2:
    case 3:
        status = jg_rpc_read_find((jg_rpc_dialect)(data[0] % 12 - 1), message, arena, &find, NULL);
        break;
    case 4:
        status = jg_rpc_read_operations(message, &operations, NULL);
        break;
    case 5:
        status = jg_rpc_read_range(message, &range, NULL);
        break;
    case 6:
        status = jg_rpc_read_get_traces(message, arena, &refs, &n, NULL);
        break;
    case 7:
        status = jg_rpc_read_services(message, &services, &call);
        break;
    case 8:
        status = jg_rpc_read_operation_list(message, &operation_list, &call);
        break;
    case 9:
        status = jg_rpc_read_dependencies(message, &dependencies, &call);
        break;
    case 10:
        status = jg_rpc_read_trace_ids(message, &ref_list, &call);
        break;
    default:
        status = jg_rpc_read_summaries(message, (jaeger_summary_sink){ignore_summary, NULL}, &call);
        if (status == JAEGER_OK)
            status = jg_rpc_read_caps(message, &caps, NULL);
    }
    return status == JAEGER_UNKNOWN; /* never: readers answer OK, INVALID_ARGUMENT or RESOURCE_EXHAUSTED */
}
