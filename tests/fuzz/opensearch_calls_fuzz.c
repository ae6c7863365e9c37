/* SPDX-License-Identifier: Apache-2.0
 * Answers of a cluster to what the tools, leases and the job of the service graph ask: read, never crash.
 */
#include "core/arena.h"
#include "storage/opensearch/admin.h"
#include "storage/opensearch/graph_read.h"
#include "storage/opensearch/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str text = {(const char *)data, size};
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16u << 20);
    jaeger_call call = JAEGER_CALL_INIT;
    jg_os_index_infos list;
    jg_os_state state;
    jg_os_call_span span;
    call.arena = arena;
    (void)!jg_os_read_index_list(text, &list, &call);
    (void)!jg_os_state_read(text, &state, &call);
    jg_json_in in = jg_json_in_of(text);
    (void)jg_os_read_call_span(&in, JAEGER_STR("@"), &span, arena);
    return 0;
}
