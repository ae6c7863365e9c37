/* SPDX-License-Identifier: Apache-2.0
 * The policies of tail_sampling: the input is the YAML list; what is accepted judges a trace of two spans.
 */
#include "core/arena.h"
#include "core/str.h"
#include "processors/tail_sampling/tail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jg_tail_load *make_load(jg_trace_groups *groups)
{
    jaeger_builder *b = jaeger_builder_new(1 << 16);
    jaeger_batch *batch = NULL;
    jg_tail_load *load = NULL;
    if (!b)
        return NULL;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_span_start span = {.trace_id = {1}, .span_id = {1}, .trace_state = JAEGER_STR("a=1")};
    for (int i = 0; i < 2; i++) {
        jaeger_builder_span(b, &span);
        jaeger_builder_attr_int(b, JAEGER_STR("code"), i);
        jaeger_builder_event(b, 1, JAEGER_STR("e"));
    }
    if (jaeger_builder_finish(b, &batch, NULL) == JAEGER_OK &&
        jg_trace_groups_make(batch, 1, groups, NULL) == JAEGER_OK)
        load = jg_tail_load_new(batch, groups, JAEGER_STR(""));
    jaeger_builder_free(b);
    return load;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static jg_tail_load *load; /* kept: made once */
    static jg_trace_groups groups;
    jaeger_config *root;
    jaeger_error err;
    jg_policy *policies = NULL;
    size_t n = 0;
    if (memmem(data, size, "regex", 5)) /* large repeats cost regcomp memory, see regex_fuzz.c */
        return 0;
    if (!load && !(load = make_load(&groups)))
        return 0;
    if (jaeger_config_parse((jaeger_str){(const char *)data, size}, "fuzz", &root, &err) != JAEGER_OK)
        return 0;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    JG_AUTO_ARENA jaeger_arena *scratch = jaeger_arena_new(16 << 20);
    jg_tail_piece piece = {load, groups.traces[0].first, 2, NULL};
    jg_tail_view view = {.trace_id = jaeger_batch_spans(load->batch)->trace_id,
                         .pieces = &piece,
                         .span_count = 2,
                         .size_bytes = 100,
                         .now_ns = 1,
                         .scratch = scratch};
    if (arena && scratch && jg_policies_make(root, arena, &policies, &n, &err) == JAEGER_OK)
        for (size_t i = 0; i < n; i++)
            if (policies[i].type->evaluate(&policies[i], &view, &err) >= JG_DECISION_COUNT)
                __builtin_trap();
    jg_policies_done(policies, n);
    jaeger_config_free(root);
    return 0;
}
