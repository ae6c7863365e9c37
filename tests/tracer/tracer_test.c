/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "core/str.h"
#include "support/test.h"
#include <jaeger/tracer.h>
#include <pthread.h>

typedef struct catcher {
    pthread_mutex_t mutex;
    jaeger_batch *batches[64];
    size_t count, spans;
    int refuse; /* so many times UNAVAILABLE first */
} catcher;

static jaeger_status take_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    catcher *c = self;
    (void)call;
    (void)pthread_mutex_lock(&c->mutex);
    jaeger_status status = c->refuse-- > 0 ? JAEGER_UNAVAILABLE : JAEGER_OK;
    if (status == JAEGER_OK) {
        c->spans += jaeger_batch_span_count(take);
        if (c->count < 64)
            c->batches[c->count++] = jaeger_batch_ref(take);
    }
    (void)pthread_mutex_unlock(&c->mutex);
    jaeger_batch_unref(take);
    return status;
}

static void catcher_done(catcher *c)
{
    for (size_t i = 0; i < c->count; i++)
        jaeger_batch_unref(c->batches[i]);
}

static jaeger_tracer *tracer_to(catcher *c, uint32_t spans_max, uint32_t span_bytes_max)
{
    static const jaeger_pair resource[] = {{{"zone", 4}, {"a", 1}}};
    jaeger_tracer_options options = {.size = sizeof options,
                                     .service = JAEGER_STR("prog"),
                                     .resource = resource,
                                     .resource_count = 1,
                                     .scope_name = JAEGER_STR("lib"),
                                     .out = {take_batch, c},
                                     .spans_max = spans_max,
                                     .span_bytes_max = span_bytes_max};
    jaeger_tracer *tracer = NULL;
    assert_ok(jaeger_tracer_new(&options, &tracer, NULL));
    return tracer;
}

static void tracer_writes_what_was_set(void **state)
{
    (void)state;
    catcher c = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    jaeger_tracer *tracer = tracer_to(&c, 0, 0);
    jaeger_context remote = {.trace_id = {9},
                             .span_id = {8},
                             .sampled = true,
                             .remote = true,
                             .trace_state_len = 3,
                             .trace_state = "a=b"},
                   context;
    jaeger_live_span *root =
        jaeger_span_begin_at(tracer, &remote, JAEGER_STR("GET"), JAEGER_KIND_SERVER, 1000);
    jaeger_span_set_str(root, JAEGER_STR("s"), JAEGER_STR("text"));
    jaeger_span_set_int(root, JAEGER_STR("i"), -1);
    jaeger_span_set_double(root, JAEGER_STR("d"), 1.5);
    jaeger_span_set_bool(root, JAEGER_STR("b"), true);
    jaeger_span_add_event(root, JAEGER_STR("hit"), (const jaeger_pair[]){{{"k", 1}, {"v", 1}}}, 1);
    jaeger_span_add_link(root, &remote);
    jaeger_span_set_status(root, JAEGER_STATUS_ERROR, JAEGER_STR("boom"));
    assert_true(jaeger_live_span_context(root, &context));
    jaeger_live_span *child = jaeger_span_begin(tracer, &context, JAEGER_STR("child"), JAEGER_KIND_INTERNAL);
    jaeger_span_end(child);
    jaeger_span_end_at(root, 5000);
    assert_ok(jaeger_tracer_flush(tracer, 5 * JG_NS_PER_S));
    assert_int_equal(c.spans, 2);
    const jaeger_span *spans = jaeger_batch_spans(c.batches[0]);
    assert_str(spans[0].name, "child");
    assert_memory_equal(spans[0].parent_span_id, spans[1].span_id, 8);
    assert_int_equal(spans[1].trace_id[0], 9);
    assert_int_equal(spans[1].parent_span_id[0], 8);
    assert_int_equal(spans[1].start_unix_ns, 1000);
    assert_int_equal(spans[1].end_unix_ns, 5000);
    assert_int_equal(spans[1].status_code, JAEGER_STATUS_ERROR);
    assert_int_equal(spans[1].flags, 0x301);
    assert_str(spans[1].group->service, "prog");
    jaeger_attr attr;
    assert_true(jaeger_find_attr(jaeger_span_attrs(&spans[1]), JAEGER_STR("d"), &attr) &&
                attr.value.u.d == 1.5);
    assert_true(jaeger_find_attr(jaeger_resource_attrs(spans[1].group), JAEGER_STR("zone"), &attr));
    jaeger_span_rest rest;
    jaeger_span_read_rest(&spans[1], &rest);
    assert_str(rest.trace_state, "a=b");
    assert_str(rest.status_message, "boom");
    jaeger_tracer_free(tracer);
    catcher_done(&c);
}

static void tracer_follows_the_parents_decision(void **state)
{
    (void)state;
    catcher c = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    jaeger_tracer *tracer = tracer_to(&c, 0, 0);
    jaeger_context unsampled = {.trace_id = {1}, .span_id = {1}};
    jaeger_live_span *span = jaeger_span_begin(tracer, &unsampled, JAEGER_STR("x"), 0);
    assert_null(span);
    jaeger_span_set_int(span, JAEGER_STR("accepted"), 1);
    jaeger_span_end(span);
    jaeger_tracer_free(tracer);
    assert_int_equal(c.spans, 0);
}

static void tracer_counts_what_it_does_not_record(void **state)
{
    (void)state;
    catcher c = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    jaeger_tracer *tracer = tracer_to(&c, 4, 0);
    jaeger_live_span *spans[4];
    for (int i = 0; i < 4; i++)
        assert_non_null(spans[i] = jaeger_span_begin(tracer, NULL, JAEGER_STR("x"), 0));
    assert_null(jaeger_span_begin(tracer, NULL, JAEGER_STR("y"), 0));
    for (int i = 0; i < 4; i++)
        jaeger_span_end(spans[i]);
    assert_ok(jaeger_tracer_flush(tracer, 5 * JG_NS_PER_S));
    jaeger_tracer_stats stats;
    jaeger_tracer_get_stats(tracer, &stats);
    assert_int_equal(stats.ended, 4);
    assert_int_equal(stats.sent, 4);
    assert_int_equal(stats.dropped, 1);
    jaeger_tracer_free(tracer);
    catcher_done(&c);
}

static void tracer_cuts_a_span_that_is_too_large_and_says_so(void **state)
{
    (void)state;
    static char big[2000];
    catcher c = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    jaeger_tracer *tracer = tracer_to(&c, 0, 1000);
    jaeger_live_span *span = jaeger_span_begin(tracer, NULL, JAEGER_STR("x"), 0);
    jaeger_span_set_str(span, JAEGER_STR("big"), (jaeger_str){big, sizeof big});
    jaeger_span_set_str(span, JAEGER_STR("small"), JAEGER_STR("kept"));
    jaeger_span_end(span);
    assert_ok(jaeger_tracer_flush(tracer, 5 * JG_NS_PER_S));
    const jaeger_span *got = jaeger_batch_spans(c.batches[0]);
    jaeger_attr attr;
    jaeger_span_rest rest;
    assert_true(jaeger_find_attr(jaeger_span_attrs(got), JAEGER_STR("small"), &attr));
    assert_false(jaeger_find_attr(jaeger_span_attrs(got), JAEGER_STR("big"), &attr));
    jaeger_span_read_rest(got, &rest);
    assert_int_equal(rest.dropped_attributes_count, 1);
    assert_true(got->end_unix_ns >= got->start_unix_ns);
    jaeger_tracer_free(tracer);
    catcher_done(&c);
}

static void tracer_tries_again_when_the_consumer_is_busy(void **state)
{
    (void)state;
    catcher c = {.mutex = PTHREAD_MUTEX_INITIALIZER, .refuse = 2};
    jaeger_tracer *tracer = tracer_to(&c, 0, 0);
    jaeger_span_end(jaeger_span_begin(tracer, NULL, JAEGER_STR("x"), 0));
    assert_ok(jaeger_tracer_flush(tracer, 5 * JG_NS_PER_S));
    assert_int_equal(c.spans, 1);
    jaeger_tracer_free(tracer);
    catcher_done(&c);
}

static void *make_spans(void *tracer)
{
    for (int i = 0; i < 5000; i++) {
        jaeger_live_span *span = jaeger_span_begin(tracer, NULL, JAEGER_STR("loop"), 0);
        jaeger_span_set_int(span, JAEGER_STR("i"), i);
        jaeger_span_end(span);
    }
    return NULL;
}

static void tracer_takes_spans_from_many_threads(void **state)
{
    (void)state;
    catcher c = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    jaeger_tracer *tracer = tracer_to(&c, 256, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_spans, tracer), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_ok(jaeger_tracer_flush(tracer, 10 * JG_NS_PER_S));
    jaeger_tracer_stats stats;
    jaeger_tracer_get_stats(tracer, &stats);
    assert_int_equal(stats.ended + stats.dropped, 20000);
    assert_int_equal(stats.sent, stats.ended);
    assert_int_equal(c.spans, stats.ended);
    jaeger_tracer_free(tracer);
    catcher_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracer_writes_what_was_set),
        cmocka_unit_test(tracer_follows_the_parents_decision),
        cmocka_unit_test(tracer_counts_what_it_does_not_record),
        cmocka_unit_test(tracer_cuts_a_span_that_is_too_large_and_says_so),
        cmocka_unit_test(tracer_tries_again_when_the_consumer_is_busy),
        cmocka_unit_test(tracer_takes_spans_from_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
