/* SPDX-License-Identifier: Apache-2.0 */
#include "query/service.h"
#include "support/traces.h"

typedef struct fixture {
    fake_store traces, archive;
    jaeger_query *query;
    jaeger_call call;
    size_t batches, spans;
    char summaries[1024];
} fixture;

/** Spans 1..n; the second has an error, the third names a parent that is not there. Span i has n=i. */
static jaeger_batch *trace_of(uint8_t id, const char *service, size_t spans)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), jg_str(service));
    for (size_t i = 0; i < spans; i++) {
        jaeger_span_start span = {.trace_id = {id},
                                  .span_id = {(uint8_t)(i + 1)},
                                  .name = jg_str(i ? "child" : "root"),
                                  .start_unix_ns = 1000 + i,
                                  .end_unix_ns = 2000 + i};
        if (i)
            span.parent_span_id[0] = i == 2 ? 77 : 1;
        jaeger_builder_span(b, &span);
        jaeger_builder_attr_int(b, JAEGER_STR("n"), (int64_t)i);
        if (i == 1)
            jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR(""));
    }
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void add(fake_store *store, uint8_t id, const char *service, size_t spans)
{
    store->chunks[store->count++] = trace_of(id, service, spans);
}

static void begin(fixture *f, jaeger_query_options options)
{
    *f = (fixture){.call = JAEGER_CALL_INIT};
    f->traces.caps = (jaeger_storage_caps){.size = sizeof(jaeger_storage_caps),
                                           .without_service_name = true,
                                           .same_span_conjunction = true,
                                           .durable = true};
    f->call.arena = jaeger_arena_new(1 << 20);
    options.size = sizeof options;
    options.traces = (jaeger_storage){&fake_driver, &f->traces};
    if (options.archive.driver)
        options.archive.self = &f->archive;
    assert_ok(jaeger_query_new(&options, &f->query, NULL));
}

static void end(fixture *f)
{
    jaeger_query_free(f->query);
    jaeger_arena_free(f->call.arena);
    fake_store_done(&f->traces);
    fake_store_done(&f->archive);
}

static jaeger_status count_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    fixture *f = self;
    (void)call;
    f->batches++;
    f->spans += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_status get(fixture *f, uint8_t id, bool raw)
{
    f->batches = f->spans = 0;
    return jaeger_query_get_trace(f->query, (jaeger_trace_ref){.trace_id = {id}},
                                  (jaeger_read_options){.raw = raw}, (jaeger_consumer){count_batch, f},
                                  &f->call);
}

static jaeger_status find(fixture *f, jaeger_trace_query query, bool raw)
{
    f->batches = f->spans = 0;
    query.size = sizeof query;
    return jaeger_query_find_traces(f->query, &query, (jaeger_read_options){.raw = raw},
                                    (jaeger_consumer){count_batch, f}, &f->call);
}

static void query_gathers_chunks_of_a_trace_unless_raw(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){0});
    add(&f.traces, 1, "a", 2);
    add(&f.traces, 1, "b", 3);
    add(&f.traces, 2, "c", 1);
    assert_ok(get(&f, 1, false));
    assert_int_equal(f.batches, 1);
    assert_int_equal(f.spans, 5);
    assert_ok(get(&f, 1, true));
    assert_int_equal(f.batches, 2);
    assert_int_equal(f.spans, 5);
    assert_ok(find(&f, (jaeger_trace_query){.limit = 10}, false));
    assert_int_equal(f.batches, 2);
    assert_ok(find(&f, (jaeger_trace_query){.limit = 1},
                   false)); /* held by the service, whatever the driver does */
    assert_int_equal(f.batches, 1);
    end(&f);
}

static void query_asks_the_archive_for_what_the_primary_has_not(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){.archive.driver = &fake_driver});
    add(&f.archive, 1, "a", 2);
    add(&f.traces, 2, "a", 2);
    assert_ok(get(&f, 1, false));
    assert_int_equal(f.spans, 2);
    assert_int_equal(get(&f, 9, false), JAEGER_NOT_FOUND);
    assert_string_equal(f.call.error.message, "trace not found");
    assert_ok(jaeger_query_archive(f.query, (jaeger_trace_ref){.trace_id = {2}}, &f.call));
    assert_int_equal(f.archive.writes, 1);
    assert_int_equal(jaeger_query_archive(f.query, (jaeger_trace_ref){.trace_id = {9}}, &f.call),
                     JAEGER_NOT_FOUND);
    end(&f);
}

static void query_without_an_archive_says_so(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){0});
    assert_false(jaeger_query_has_archive(f.query));
    assert_int_equal(jaeger_query_archive(f.query, (jaeger_trace_ref){.trace_id = {1}}, &f.call),
                     JAEGER_FAILED_PRECONDITION);
    assert_string_equal(f.call.error.message, "archive span storage was not configured");
    end(&f);
}

static jaeger_status keep_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(jaeger_batch **)self = take;
    return JAEGER_OK;
}

static void query_cuts_long_traces_with_a_warning(void **state)
{
    (void)state;
    fixture f;
    jaeger_batch *got = NULL;
    jaeger_attr attr;
    jaeger_value item;
    begin(&f, (jaeger_query_options){.max_trace_spans = 3});
    add(&f.traces, 1, "a", 2);
    add(&f.traces, 1, "b", 2);
    add(&f.traces, 1, "c", 2);
    assert_ok(jaeger_query_get_trace(f.query, (jaeger_trace_ref){.trace_id = {1}}, (jaeger_read_options){0},
                                     (jaeger_consumer){keep_batch, &got}, &f.call));
    assert_int_equal(jaeger_batch_span_count(got), 3);
    assert_true(
        jaeger_find_attr(jaeger_span_attrs(jaeger_batch_spans(got)), JAEGER_STR("@jaeger@warnings"), &attr));
    jaeger_iter it = jaeger_array_values(attr.value);
    assert_true(jaeger_next_value(&it, &item));
    assert_str(item.u.s, "trace has more than 3 spans, showing first 3 spans only");
    jaeger_batch_unref(got);
    end(&f);
}

static void query_requires_a_service_where_the_driver_does(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){0});
    f.traces.caps.without_service_name = false;
    assert_int_equal(find(&f, (jaeger_trace_query){0}, false), JAEGER_INVALID_ARGUMENT);
    assert_string_equal(f.call.error.message, JG_SERVICE_NAME_REQUIRED);
    assert_ok(find(&f, (jaeger_trace_query){.service = JAEGER_STR("a")}, false));
    end(&f);
}

static void query_filters_what_the_driver_cannot(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){0});
    f.traces.caps.same_span_conjunction = false;
    add(&f.traces, 1, "a", 3);
    add(&f.traces, 2, "b", 3);
    jaeger_attr attr = {.key = {"n", 1}, .value = {.type = JAEGER_VALUE_STRING, .u.s = {"2", 1}}};
    jaeger_trace_query query = {
        .service = JAEGER_STR("b"), .operation = JAEGER_STR("child"), .attrs = &attr, .attr_count = 1};
    assert_ok(find(&f, query, false));
    assert_int_equal(f.batches, 1);
    query.operation = JAEGER_STR("root"); /* which has n=0: the conditions hold on different spans */
    assert_ok(find(&f, query, true));
    assert_int_equal(f.batches, 0);
    end(&f);
}

static jaeger_status note_summary(void *self, const jaeger_trace_summary *s, jaeger_call *call)
{
    fixture *f = self;
    (void)call;
    size_t n = strlen(f->summaries);
    (void)snprintf(f->summaries + n, sizeof f->summaries - n, "%.*s/%.*s %u/%u/%u %zu:%.*s=%u,%u %lu-%lu;",
                   JAEGER_STR_ARGS(s->root_service), JAEGER_STR_ARGS(s->root_operation), s->span_count,
                   s->error_span_count, s->orphan_span_count, s->service_count,
                   JAEGER_STR_ARGS(s->services[0].name), s->services[0].span_count,
                   s->services[0].error_span_count, (unsigned long)s->min_start_unix_ns,
                   (unsigned long)s->max_end_unix_ns);
    return JAEGER_OK;
}

static void query_computes_summaries_for_drivers_without(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){0});
    add(&f.traces, 1, "a", 2);
    add(&f.traces, 1, "b", 1);
    add(&f.traces, 2, "c", 3);
    jaeger_trace_query query = {.size = sizeof query};
    assert_ok(jaeger_query_find_summaries(f.query, &query, (jaeger_summary_sink){note_summary, &f}, &f.call));
    assert_string_equal(f.summaries, "a/root 3/1/0 2:a=2,1 1000-2001;c/root 3/1/1 1:c=3,1 1000-2002;");
    end(&f);
}

static void query_stops_at_the_deadline_and_when_nobody_waits(void **state)
{
    (void)state;
    fixture f;
    int cancelled = 1;
    begin(&f, (jaeger_query_options){0});
    add(&f.traces, 1, "a", 2);
    f.call.deadline_ns = 1;
    assert_int_equal(get(&f, 1, false), JAEGER_DEADLINE_EXCEEDED);
    f.call.deadline_ns = 0;
    f.call.cancelled = &cancelled;
    assert_int_equal(get(&f, 1, true), JAEGER_CANCELLED);
    assert_int_equal(f.batches, 0);
    end(&f);
}

static void query_measures_storage_calls(void **state)
{
    (void)state;
    fixture f;
    jaeger_strs names = {0};
    jg_metrics *metrics = jg_metrics_new();
    jg_buf text = JG_BUF_INIT(1 << 20);
    begin(&f, (jaeger_query_options){0});
    jg_query_measure(f.query, metrics, JAEGER_STR("main"), JAEGER_STR(""));
    assert_ok(jaeger_query_services(f.query, &names, &f.call));
    f.traces.fails = JAEGER_UNAVAILABLE;
    assert_int_equal(jaeger_query_services(f.query, &names, &f.call), JAEGER_UNAVAILABLE);
    jg_metrics_write(metrics, &text);
    jg_buf_byte(&text, 0);
#define SERIES(result)                                                                                       \
    "jaeger_storage_requests{name=\"main\",operation=\"get_services\",result=\"" result                      \
    "\",role=\"tracestore\"} 1\n"
    assert_non_null(strstr((char *)text.data, SERIES("ok")));
    assert_non_null(strstr((char *)text.data, SERIES("err")));
    end(&f);
    jg_metrics_free(metrics);
    jg_buf_done(&text);
}

/** A client that takes its time. */
static jaeger_status count_slowly(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_clock_advance((int64_t)(60 * JG_NS_PER_S));
    return count_batch(self, take, call);
}

static jaeger_status find_within(fixture *f, bool raw, bool *ret_stopped, jaeger_consumer out)
{
    jaeger_trace_query query = {.size = sizeof query, .limit = 10, .stopped_early = ret_stopped};
    f->batches = f->spans = 0;
    return jaeger_query_find_traces(f->query, &query, (jaeger_read_options){.raw = raw}, out, &f->call);
}

static void search_ends_at_its_budget_and_says_so(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){.scan_time_ns = 10 * JG_NS_PER_S});
    for (uint8_t i = 1; i <= 5; i++)
        add(&f.traces, i, "a", 1);
    static const struct {
        uint64_t find_ns, deadline_ns; /* for one trace; of the call, from now */
        bool raw, slow;
        size_t want;
        bool want_stopped;
    } cases[] = {
        {0, 0, false, false, 5, false},
        {1 * JG_NS_PER_S, 0, true, false, 5, false},
        {1 * JG_NS_PER_S, 0, true, true, 5, false}, /* what a slow client takes is no scanning */
        {4 * JG_NS_PER_S, 0, true, false, 2, true},
        {4 * JG_NS_PER_S, 0, true, true, 2, true},
        {4 * JG_NS_PER_S, 0, false, false, 1, true},              /* the second may not be complete */
        {1 * JG_NS_PER_S, 8 * JG_NS_PER_S, true, false, 3, true}, /* half of the call's time */
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        bool stopped = false;
        f.traces.find_ns = cases[i].find_ns;
        f.call.deadline_ns = cases[i].deadline_ns ? jg_clock_mono_ns() + cases[i].deadline_ns : 0;
        uint64_t deadline = f.call.deadline_ns;
        jaeger_consumer out = {cases[i].slow ? count_slowly : count_batch, &f};
        assert_ok(find_within(&f, cases[i].raw, &stopped, out));
        assert_int_equal(f.batches, cases[i].want);
        assert_int_equal(stopped, cases[i].want_stopped);
        assert_int_equal(f.call.deadline_ns, deadline);
    }
    end(&f);
}

static void search_that_cannot_tell_has_the_calls_time(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (jaeger_query_options){.scan_time_ns = 10 * JG_NS_PER_S});
    for (uint8_t i = 1; i <= 5; i++)
        add(&f.traces, i, "a", 1);
    f.traces.find_ns = 4 * JG_NS_PER_S;
    f.call.deadline_ns = jg_clock_mono_ns() + 60 * JG_NS_PER_S;
    assert_ok(find_within(&f, true, NULL, (jaeger_consumer){count_batch, &f}));
    assert_int_equal(f.batches, 5);
    f.call.deadline_ns = jg_clock_mono_ns() + 10 * JG_NS_PER_S;
    assert_int_equal(find_within(&f, true, NULL, (jaeger_consumer){count_batch, &f}),
                     JAEGER_DEADLINE_EXCEEDED);
    f.call.deadline_ns = jg_clock_mono_ns() + 10 * JG_NS_PER_S; /* the client's slowness ends the call */
    bool stopped = false;
    f.traces.find_ns = 1;
    assert_int_equal(find_within(&f, true, &stopped, (jaeger_consumer){count_slowly, &f}),
                     JAEGER_DEADLINE_EXCEEDED);
    assert_false(stopped);
    end(&f);
}

static jaeger_status take_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    (void)summary, (void)call;
    ++*(size_t *)self;
    return JAEGER_OK;
}

static void search_reads_as_many_traces_as_it_may(void **state)
{
    (void)state;
    fixture f;
    const jaeger_filter *filter;
    size_t count = 0;
    bool stopped = false;
    begin(&f, (jaeger_query_options){.scan_traces = 3});
    for (uint8_t i = 1; i <= 3; i++)
        add(&f.traces, i, i == 2 ? "b" : "a", 1);
    assert_ok(jaeger_filter_parse(JAEGER_STR("service = b or spanCount > 9"), f.call.arena, &filter, NULL));
    jaeger_trace_query query = {
        .size = sizeof query, .limit = 2, .filter = filter, .stopped_early = &stopped};
    assert_ok(
        jaeger_query_find_summaries(f.query, &query, (jaeger_summary_sink){take_summary, &count}, &f.call));
    assert_int_equal(f.traces.asked.limit, 3);
    assert_int_equal(count, 1);
    assert_true(stopped);
    jaeger_page page = {.size = sizeof page, .order = JAEGER_ORDER_MOST_SPANS};
    f.batches = 0;
    assert_ok(jaeger_query_find_page(f.query, &query, &page, (jaeger_read_options){0},
                                     (jaeger_consumer){count_batch, &f}, &f.call));
    assert_int_equal(f.batches, 1);
    assert_true(page.stopped_early);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_ends_at_its_budget_and_says_so),
        cmocka_unit_test(search_that_cannot_tell_has_the_calls_time),
        cmocka_unit_test(search_reads_as_many_traces_as_it_may),
        cmocka_unit_test(query_gathers_chunks_of_a_trace_unless_raw),
        cmocka_unit_test(query_asks_the_archive_for_what_the_primary_has_not),
        cmocka_unit_test(query_without_an_archive_says_so),
        cmocka_unit_test(query_cuts_long_traces_with_a_warning),
        cmocka_unit_test(query_requires_a_service_where_the_driver_does),
        cmocka_unit_test(query_filters_what_the_driver_cannot),
        cmocka_unit_test(query_computes_summaries_for_drivers_without),
        cmocka_unit_test(query_stops_at_the_deadline_and_when_nobody_waits),
        cmocka_unit_test(query_measures_storage_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
