/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "pipeline/fanout.h"
#include "support/test.h"

typedef struct end {
    jaeger_status status;
    const char *text;
    uint32_t retry_after_ms;
    bool mutates;
    size_t spans, calls;
    jaeger_batch *kept;
} end;

static bool keep_none(void *user, const jaeger_span *span)
{
    (void)user;
    (void)span;
    return false;
}

static jaeger_status end_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    end *e = self;
    e->calls++;
    e->spans = jaeger_batch_span_count(take);
    assert_int_equal(call->error.status, JAEGER_OK);
    if (e->mutates) {
        assert_ok(jaeger_batch_own(&take, &call->error));
        jaeger_batch_filter(take, keep_none, NULL);
    }
    jaeger_batch_unref(take);
    if (e->status == JAEGER_OK)
        return JAEGER_OK;
    call->error.retry_after_ms = e->retry_after_ms;
    jaeger_error err;
    jaeger_status status = jaeger_fail(&err, e->status, "%s", e->text);
    err.retry_after_ms = e->retry_after_ms;
    call->error = err;
    return status;
}

static jaeger_batch *batch_of_one(void)
{
    jaeger_error err;
    jaeger_batch *batch;
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_scope(b, (jaeger_str){0}, (jaeger_str){0}, (jaeger_str){0});
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {2}, .name = JAEGER_STR("s")});
    assert_ok(jaeger_builder_finish(b, &batch, &err));
    jaeger_builder_free(b);
    return batch;
}

static void each_signal_goes_its_way(void **state)
{
    (void)state;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    end traces = {0}, metrics = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    jg_sink to[3] = {{{end_consume, &traces}}};
    jaeger_batch *points;
    assert_ptr_equal(jg_signals_split(arena, to).to.self, &traces); /* one needs no split */
    to[1] = (jg_sink){{end_consume, &metrics}};
    jaeger_consumer split = jg_signals_split(arena, to).to;
    assert_ok(jaeger_batch_from_otlp_metrics((void *)"", 0, NULL, NULL, &points, NULL));
    assert_ok(split.consume(split.self, batch_of_one(), &call));
    assert_ok(split.consume(split.self, jaeger_batch_ref(points), &call));
    assert_ok(split.consume(split.self, points, &call));
    assert_int_equal(traces.calls, 1);
    assert_int_equal(metrics.calls, 2);
}

static jaeger_status run(end *ends, size_t count, jaeger_call *call)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jg_sink to[8];
    for (size_t i = 0; i < count; i++)
        to[i] = (jg_sink){{end_consume, &ends[i]}};
    jaeger_consumer all = jg_fanout_new(arena, to, count).to;
    return all.consume(all.self, batch_of_one(), call);
}

static void every_consumer_is_called_though_one_fails(void **state)
{
    (void)state;
    end ends[] = {{0}, {.status = JAEGER_UNAVAILABLE, .text = "full"}, {0}};
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(run(ends, 3, &call), JAEGER_UNAVAILABLE);
    assert_string_equal(call.error.message, "full");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ends[i].calls, 1);
        assert_int_equal(ends[i].spans, 1);
    }
}

static void errors_are_combined(void **state)
{
    (void)state;
    end ends[] = {{.status = JAEGER_UNAVAILABLE, .text = "full", .retry_after_ms = 500},
                  {.status = JAEGER_INVALID_ARGUMENT, .text = "bad"},
                  {.status = JAEGER_UNAVAILABLE, .text = "away", .retry_after_ms = 2000},
                  {0}};
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(run(ends, 4, &call), JAEGER_INVALID_ARGUMENT);
    assert_string_equal(call.error.message, "full; bad; away");
    assert_int_equal(call.error.retry_after_ms, 2000);
}

static void a_consumer_that_changes_its_batch_does_not_disturb_the_others(void **state)
{
    (void)state;
    end ends[] = {{.mutates = true}, {.mutates = true}, {0}};
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(run(ends, 3, &call));
    for (int i = 0; i < 3; i++)
        assert_int_equal(ends[i].spans, 1);
}

static void long_errors_are_cut(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    end ends[] = {{.status = JAEGER_INTERNAL, .text = text},
                  {.status = JAEGER_INTERNAL, .text = "a"},
                  {.status = JAEGER_INTERNAL, .text = text + 1},
                  {.status = JAEGER_INTERNAL, .text = text + 2}};
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(run(ends, 4, &call), JAEGER_INTERNAL);
    assert_int_equal(strlen(call.error.message), sizeof call.error.message - 1);
}

static bool yes(void *self)
{
    (void)self;
    return true;
}

static bool no(void *self)
{
    (void)self;
    return false;
}

static void all_must_be_prompt(void **state)
{
    (void)state;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    static const struct {
        bool (*prompt[2])(void *self);
        bool all;
    } cases[] = {{{yes, yes}, true}, {{yes, no}, false}, {{no, yes}, false}, {{yes, NULL}, false}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        const jg_sink to[] = {{{end_consume, NULL, cases[i].prompt[0]}, yes},
                              {{end_consume, NULL, cases[i].prompt[1]}, yes}};
        jg_sink both = jg_fanout_new(arena, to, 2);
        assert_int_equal(jaeger_consumer_is_prompt(&both.to), cases[i].all);
        assert_null(both.defers); /* errors are combined when all have ended */
        assert_ptr_equal(jg_fanout_new(arena, to, 1).defers, yes);
    }
}

/** Remembers whether it was offered `later`. */
static jaeger_status see_offer(void *self, jaeger_batch *take, jaeger_call *call)
{
    *(bool *)self = call->later;
    jaeger_batch_unref(take);
    return call->later ? JAEGER_PENDING : JAEGER_OK;
}

static void only_who_defers_is_offered_later(void **state)
{
    (void)state;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    static const struct {
        bool (*prompt)(void *self), (*defers)(void *self);
        bool all, offered;
    } cases[] = {{NULL, NULL, false, false},
                 {no, no, false, false},
                 {yes, NULL, true, false},
                 {yes, no, true, false},
                 {NULL, yes, true, true}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        bool seen[2] = {false};
        const jg_sink to[3] = {{{see_offer, &seen[0], NULL}, yes},
                               {{see_offer, &seen[1], cases[i].prompt}, cases[i].defers}};
        jg_sink split = jg_signals_split(arena, to);
        jaeger_later later = {0};
        jaeger_call call = JAEGER_CALL_INIT;
        jaeger_batch *points;
        assert_int_equal(split.defers(split.to.self), cases[i].all);
        assert_ok(jaeger_batch_from_otlp_metrics((void *)"", 0, NULL, NULL, &points, NULL));
        call.later = &later;
        assert_int_equal(split.to.consume(split.to.self, batch_of_one(), &call), JAEGER_PENDING);
        assert_int_equal(split.to.consume(split.to.self, points, &call),
                         cases[i].offered ? JAEGER_PENDING : JAEGER_OK);
        assert_true(seen[0]);
        assert_int_equal(seen[1], cases[i].offered);
        assert_ptr_equal(call.later, &later);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_goes_its_way),
        cmocka_unit_test(every_consumer_is_called_though_one_fails),
        cmocka_unit_test(errors_are_combined),
        cmocka_unit_test(a_consumer_that_changes_its_batch_does_not_disturb_the_others),
        cmocka_unit_test(long_errors_are_cut),
        cmocka_unit_test(all_must_be_prompt),
        cmocka_unit_test(only_who_defers_is_offered_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
