/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trace.h"

#include "core/arena.h"
#include "core/str.h"
#include "model/batch.h"
#include "support/test.h"

/** One span a character of `traces`, whose trace id it is. */
static jaeger_batch *batch_of(const char *traces)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("s"));
    for (size_t i = 0; traces[i]; i++)
        jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {(uint8_t)traces[i]},
                                                    .span_id = {(uint8_t)(i + 1)},
                                                    .name = JAEGER_STR("op"),
                                                    .start_unix_ns = i + 1});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void trace_groups_chain_spans_in_wire_order(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "a", "aaaa", "abab", "abcabcddda", "aabbccbbaa"};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = batch_of(cases[i]);
        jg_trace_groups groups;
        assert_ok(jg_trace_groups_make(batch, i, &groups, NULL));
        size_t seen = 0;
        for (uint32_t t = 0; t < groups.count; t++) {
            uint32_t n = 0, before = 0;
            for (uint32_t s = groups.traces[t].first; s != JG_NO_SPAN; s = groups.next[s]) {
                assert_int_equal(cases[i][s], cases[i][groups.traces[t].first]);
                assert_true(n == 0 || s > before);
                before = s;
                n++;
            }
            assert_int_equal(n, groups.traces[t].span_count);
            assert_int_equal(before, groups.traces[t].last);
            assert_true(t == 0 || groups.traces[t].first > groups.traces[t - 1].first);
            for (uint32_t other = 0; other < t; other++)
                assert_int_not_equal(cases[i][groups.traces[other].first], cases[i][groups.traces[t].first]);
            seen += n;
        }
        assert_int_equal(seen, strlen(cases[i]));
        jg_trace_groups_done(&groups);
    }
}

static void copied_spans_share_neighbouring_groups(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *a = batch_of("aa"), *b = batch_of("b"), *copy = NULL;
    jaeger_span spans[] = {jaeger_batch_spans(a)[0], jaeger_batch_spans(b)[0], jaeger_batch_spans(a)[1],
                           jaeger_batch_spans(a)[0]};
    assert_ok(jg_batch_copy_spans(spans, JG_COUNT(spans), &copy, NULL));
    assert_int_equal(jaeger_batch_span_count(copy), 4);
    assert_int_equal(jg_batch_group_count(copy), 3);
    for (size_t i = 0; i < 4; i++) {
        const jaeger_span *span = &jaeger_batch_spans(copy)[i];
        assert_int_equal(span->len, spans[i].len);
        assert_memory_equal(span->bytes, spans[i].bytes, span->len);
        assert_ptr_not_equal(span->bytes, spans[i].bytes);
        assert_str(span->group->service, "s");
        assert_int_equal(span->group->resource_index, 0); /* all resources are equal */
    }
    assert_ptr_equal(jaeger_batch_spans(copy)[2].group, jaeger_batch_spans(copy)[3].group);
}

static void summary_of_no_span_is_empty(void **state)
{
    (void)state;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jg_summary summary;
    jg_summary_init(&summary, arena);
    const jaeger_trace_summary *sum = jg_summary_result(&summary);
    assert_int_equal(sum->span_count, 0);
    assert_int_equal(sum->min_start_unix_ns, 0);
    assert_int_equal(sum->service_count, 0);
    jg_summary_done(&summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_groups_chain_spans_in_wire_order),
        cmocka_unit_test(copied_spans_share_neighbouring_groups),
        cmocka_unit_test(summary_of_no_span_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
