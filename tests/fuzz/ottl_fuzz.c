/* SPDX-License-Identifier: Apache-2.0
 * OTTL: the input is a condition, tested on a span with one attribute of each type.
 */
#include "core/arena.h"
#include "core/str.h"
#include "ottl/ottl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_batch *make_batch(void)
{
    jaeger_builder *b = jaeger_builder_new(1 << 16);
    jaeger_batch *batch = NULL;
    if (!b)
        return NULL;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1"), JAEGER_STR(""));
    jaeger_span_start span = {.trace_id = {1}, .span_id = {1}, .name = JAEGER_STR("GET /a"), .kind = 2};
    jaeger_builder_span(b, &span);
    jaeger_builder_attr_str(b, JAEGER_STR("s"), JAEGER_STR("http://h/p?q=1"));
    jaeger_builder_attr_int(b, JAEGER_STR("i"), 200);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 1e300);
    jaeger_builder_attr_bytes(b, JAEGER_STR("b"), JAEGER_STR("\1\2"));
    jaeger_builder_event(b, 7, JAEGER_STR("e"));
    if (jaeger_builder_finish(b, &batch, NULL) != JAEGER_OK)
        batch = NULL;
    jaeger_builder_free(b);
    return batch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static jaeger_batch *batch; /* kept: made once */
    jaeger_str text = {(const char *)data, size};
    jg_ottl *condition;
    jaeger_error err;
    bool answer;
    if (memchr(data, '{', size) && memmem(data, size, "IsMatch", 7))
        return 0; /* large repeats cost regcomp memory, see regex_fuzz.c */
    if (!batch && !(batch = make_batch()))
        return 0;
    jaeger_event event;
    jg_ottl_view view = {.span = jaeger_batch_spans(batch), .group = jaeger_batch_spans(batch)->group};
    jaeger_iter it = jaeger_span_events(view.span);
    view.event = jaeger_next_event(&it, &event) ? &event : NULL;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16 << 20);
    if (!arena || jg_ottl_parse(text, JG_OTTL_SPANEVENT, true, &condition, &err) != JAEGER_OK)
        return 0;
    if (jg_ottl_test(condition, &view, arena, &answer, &err) != JAEGER_OK && err.status == JAEGER_OK)
        __builtin_trap();
    jg_ottl_free(condition);
    return 0;
}
