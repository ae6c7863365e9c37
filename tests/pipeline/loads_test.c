/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/loads.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "support/test.h"
#include <stdio.h>

/** Notes the spans of each request; refuses those with more than `spans_max`, or the `bad` span. */
typedef struct target {
    char seen[64];
    size_t spans_max;
    jaeger_status refusal;
} target;

static jaeger_status send_to(void *user, jaeger_batch *take, jaeger_call *call)
{
    target *t = user;
    size_t n = jg_batch_items(take), len = strlen(t->seen);
    (void)snprintf(t->seen + len, sizeof t->seen - len, "%zu ", n);
    jaeger_batch_unref(take);
    return t->spans_max && n > t->spans_max ? jg_fail(&call->error, t->refusal, "too many") : JAEGER_OK;
}

static jaeger_batch *spans(size_t n)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_builder_resource(b, JAEGER_STR(""));
    for (size_t i = 0; i < n; i++)
        jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {(uint8_t)(i + 1)}});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void loads_are_merged_split_and_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t parts[4];
        jg_lane_rules rules;
        target target;
        const char *want_seen;
        jaeger_status want[4];
    } cases[] = {
        {"one", {3}, {0}, {.seen = ""}, "3 ", {JAEGER_OK}},
        {"several are one request", {1, 2, 3}, {0}, {.seen = ""}, "6 ", {JAEGER_OK, JAEGER_OK, JAEGER_OK}},
        {"what failed for all is not sent again",
         {1, 2},
         {0},
         {"", 1, JAEGER_UNAVAILABLE},
         "3 ",
         {JAEGER_UNAVAILABLE, JAEGER_UNAVAILABLE}},
        {"a refusal may be the fault of one",
         {1, 3, 1},
         {0},
         {"", 2, JAEGER_INVALID_ARGUMENT},
         "5 1 3 1 ",
         {JAEGER_OK, JAEGER_INVALID_ARGUMENT, JAEGER_OK}},
        {"or of the size", {2, 2}, {0}, {"", 2, JAEGER_RESOURCE_EXHAUSTED}, "4 2 2 ", {JAEGER_OK, JAEGER_OK}},
        {"in pieces by items", {7}, {.max = 3}, {.seen = ""}, "3 3 1 ", {JAEGER_OK}},
        {"in pieces by bytes", {4}, {.max = 80, .by_bytes = true}, {.seen = ""}, "2 2 ", {JAEGER_OK}},
        {"a piece holds a span at least",
         {2},
         {.max = 1, .by_bytes = true},
         {.seen = ""},
         "1 1 ",
         {JAEGER_OK}},
        {"the other pieces go on",
         {7},
         {.max = 3},
         {"", 2, JAEGER_INVALID_ARGUMENT},
         "3 3 1 ",
         {JAEGER_INVALID_ARGUMENT}},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        target t = cases[i].target;
        jg_load_sender sender = {.send = send_to, .user = &t, .rules = cases[i].rules};
        jg_load_part parts[4];
        jaeger_call calls[4];
        size_t n = 0;
        print_message("%s\n", cases[i].name);
        for (; n < 4 && cases[i].parts[n]; n++) {
            calls[n] = (jaeger_call){.size = sizeof(jaeger_call)};
            parts[n] = (jg_load_part){.batch = spans(cases[i].parts[n]), .call = &calls[n]};
        }
        jg_retry_stop_init(&sender.stop);
        jg_load_send(&sender, parts, n);
        jg_retry_stop_done(&sender.stop);
        assert_string_equal(t.seen, cases[i].want_seen);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(parts[k].status, cases[i].want[k]);
            assert_string_equal(calls[k].error.message, parts[k].status ? "too many" : "");
            jaeger_batch_unref(parts[k].batch);
        }
    }
}

static void requests_are_counted_by_signal(void **state)
{
    (void)state;
    jg_metrics *metrics = jg_metrics_new();
    jg_load_sender s = {
        .spans = {.sent = jg_metrics_counter(metrics, "a", "", NULL, 0),
                  .failed = jg_metrics_counter(metrics, "b", "", NULL, 0),
                  .refused = jg_metrics_counter(metrics, "c", "", NULL, 0)},
        .points = {.sent = jg_metrics_counter(metrics, "d", "", NULL, 0)},
    };
    static const uint8_t gauge[] = {0x0a, 10, 0x12, 8, 0x12, 6, 0x2a, 4, 0x0a, 2, 0x40, 1}; /* one point */
    jaeger_batch *traces = spans(3), *points = NULL;
    assert_ok(
        jaeger_batch_from_otlp_metrics((void *)(uintptr_t)gauge, sizeof gauge, NULL, NULL, &points, NULL));
    jg_load_count(&s, traces, JAEGER_OK);
    jg_load_count(&s, traces, JAEGER_UNAVAILABLE);
    jg_load_count_refused(&s, traces);
    jg_load_count(&s, points, JAEGER_OK);
    assert_true(jg_metric_value(s.spans.sent) == 3 && jg_metric_value(s.spans.failed) == 3);
    assert_true(jg_metric_value(s.spans.refused) == 3 && jg_metric_value(s.points.sent) == 1);
    jaeger_batch_unref(traces);
    jaeger_batch_unref(points);
    jg_metrics_free(metrics);
}

static void without_memory_parts_are_sent_one_by_one(void **state)
{
    (void)state;
    target t = {0};
    jg_load_sender sender = {.send = send_to, .user = &t};
    jaeger_call one = JAEGER_CALL_INIT, two = JAEGER_CALL_INIT;
    jg_load_part parts[] = {{.batch = spans(1), .call = &one}, {.batch = spans(2), .call = &two}};
    jg_retry_stop_init(&sender.stop);
    jg_alloc_fail_after(0);
    jg_load_send(&sender, parts, 2);
    jg_alloc_fail_after(-1);
    jg_retry_stop_done(&sender.stop);
    assert_string_equal(t.seen, "1 2 ");
    jaeger_batch_unref(parts[0].batch);
    jaeger_batch_unref(parts[1].batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_are_merged_split_and_taken_apart),
        cmocka_unit_test(requests_are_counted_by_signal),
        cmocka_unit_test(without_memory_parts_are_sent_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
