/* SPDX-License-Identifier: Apache-2.0
 * Filter expressions as text and as TraceQL (first byte odd), and the test of a span by what was read.
 */
#include "core/arena.h"
#include "core/str.h"
#include "model/expr.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_batch *sample(void)
{
    jaeger_batch *batch;
    jaeger_builder *b = jaeger_builder_new(1 << 16);
    jaeger_span_start span = {
        .trace_id = {1}, .span_id = {2}, .name = JAEGER_STR("GET /a"), .kind = 2, .end_unix_ns = 5000};
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_span(b, &span);
    jaeger_builder_attr_int(b, JAEGER_STR("n"), 5);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 1.5);
    jaeger_builder_attr_str(b, JAEGER_STR("s"), JAEGER_STR("\xc3\xa4-text"));
    jaeger_builder_event(b, 1000, JAEGER_STR("exception"));
    jaeger_builder_attr_bool(b, JAEGER_STR("b"), true);
    if (jaeger_builder_finish(b, &batch, NULL) != JAEGER_OK)
        abort();
    jaeger_builder_free(b);
    return batch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static jaeger_batch *batch;
    const jaeger_filter *filter;
    if (size == 0)
        return 0;
    if (!batch)
        batch = sample();
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16 << 20);
    jaeger_str text = {(const char *)data + 1, size - 1};
    if (jg_filter_parse(data[0] & 1 ? JG_EXPR_TRACEQL : JG_EXPR_TEXT, text, arena, &filter, NULL) !=
        JAEGER_OK)
        return 0;
    jaeger_trace_query query = {.size = sizeof query};
    bool whole = jg_filter_test_trace(filter, batch);
    if (whole && !jaeger_filter_test(filter, jaeger_batch_spans(batch)))
        abort(); /* a driver would have lost it */
    return jg_filter_narrow(filter, &query, arena, NULL) == JAEGER_UNKNOWN;
}
