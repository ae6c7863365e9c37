/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/queue.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "support/spans.h"
#include <pthread.h>
#include <stdio.h>

/** What requests are sent to: counts, may block, may fail so many times. */
typedef struct target {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned calls, spans, fail_first;
    jaeger_status failure;
    bool closed; /* senders wait until it opens */
    unsigned waiting;
    char tenant[16], header[16];
} target;

#define TARGET_INIT                                                                                          \
    {                                                                                                        \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER                                 \
    }

static jaeger_status send_to(void *user, jaeger_batch *take, jaeger_call *call)
{
    target *t = user;
    pthread_mutex_lock(&t->mutex);
    t->waiting++;
    pthread_cond_broadcast(&t->cond);
    while (t->closed)
        pthread_cond_wait(&t->cond, &t->mutex);
    t->waiting--;
    bool ok = ++t->calls > t->fail_first;
    if (ok)
        t->spans += (unsigned)jaeger_batch_span_count(take);
    (void)snprintf(t->tenant, sizeof t->tenant, "%.*s", JAEGER_STR_ARGS(call->tenant));
    if (call->metadata_count)
        (void)snprintf(t->header, sizeof t->header, "%.*s", JAEGER_STR_ARGS(call->metadata[0].value));
    pthread_mutex_unlock(&t->mutex);
    jaeger_batch_unref(take);
    return ok ? JAEGER_OK : jg_fail(&call->error, t->failure, "no");
}

static void wait_until_sending(target *t, unsigned n)
{
    pthread_mutex_lock(&t->mutex);
    while (t->waiting < n)
        pthread_cond_wait(&t->cond, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

static void set_closed(target *t, bool closed)
{
    pthread_mutex_lock(&t->mutex);
    t->closed = closed;
    pthread_cond_broadcast(&t->cond);
    pthread_mutex_unlock(&t->mutex);
}

static jaeger_logger silent;
static jg_retry_config no_retry;

static jg_queue *start(target *t, const jg_queue_config *config, const jg_retry_config *retry,
                       jg_metrics *metrics)
{
    jg_queue *q = jg_queue_new(&(jg_queue_options){.id = "out",
                                                   .config = config,
                                                   .retry = retry ? retry : &no_retry,
                                                   .send = send_to,
                                                   .user = t,
                                                   .metrics = metrics,
                                                   .log = &silent});
    assert_non_null(q);
    assert_ok(jg_queue_start(q, NULL));
    return q;
}

static double counted(jg_metrics *metrics, const char *name)
{
    const jaeger_pair label = {JAEGER_STR("exporter"), JAEGER_STR("out")};
    return jg_metric_value(jg_metrics_counter(metrics, name, "", &label, 1));
}

static void without_a_queue_the_caller_gets_the_result(void **state)
{
    (void)state;
    target t = TARGET_INIT;
    t.fail_first = 1;
    t.failure = JAEGER_UNAVAILABLE;
    jg_metrics *metrics = jg_metrics_new();
    jg_queue *q = start(&t, NULL, NULL, metrics);
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(jg_queue_send(q, spans(3), &call), JAEGER_UNAVAILABLE);
    assert_string_equal(call.error.message, "no");
    assert_ok(jg_queue_send(q, spans(2), &call));
    assert_true(counted(metrics, "otelcol_exporter_sent_spans") == 2);
    assert_true(counted(metrics, "otelcol_exporter_send_failed_spans") == 3);
    jg_queue_free(q);
    jg_metrics_free(metrics);
}

static void retries_go_on_while_they_may_help(void **state)
{
    (void)state;
    static const struct {
        jaeger_status failure;
        unsigned want_calls;
    } cases[] = {{JAEGER_UNAVAILABLE, 4}, {JAEGER_INVALID_ARGUMENT, 1}, {JAEGER_RESOURCE_EXHAUSTED, 1}};
    const jg_retry_config retry = {.enabled = true,
                                   .initial_interval_ns = 1000,
                                   .max_interval_ns = 100000,
                                   .randomization_factor = 0.5,
                                   .multiplier = 2};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        target t = TARGET_INIT;
        t.fail_first = 3;
        t.failure = cases[i].failure;
        jg_queue *q = start(&t, NULL, &retry, NULL);
        jaeger_call call = JAEGER_CALL_INIT;
        jaeger_status status = jg_queue_send(q, spans(1), &call);
        assert_int_equal(status, cases[i].want_calls == 4 ? JAEGER_OK : cases[i].failure);
        assert_int_equal(t.calls, cases[i].want_calls);
        jg_queue_free(q);
    }
}

static void retries_end_with_their_time_and_with_the_deadline(void **state)
{
    (void)state;
    jg_retry_config retry = {.enabled = true,
                             .initial_interval_ns = 20 * JG_NS_PER_MS,
                             .max_interval_ns = 20 * JG_NS_PER_MS,
                             .multiplier = 1,
                             .max_elapsed_time_ns = 50 * JG_NS_PER_MS};
    target t = TARGET_INIT;
    t.fail_first = 1000000;
    t.failure = JAEGER_UNAVAILABLE;
    jg_queue *q = start(&t, NULL, &retry, NULL);
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_UNAVAILABLE);
    assert_in_range(t.calls, 1, 3);
    retry.max_elapsed_time_ns = 0;
    call.deadline_ns = jg_clock_mono_ns() + 30 * JG_NS_PER_MS;
    t.calls = 0;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_UNAVAILABLE);
    assert_in_range(t.calls, 1, 2);
    jg_queue_free(q);
}

static void queue_answers_early_and_keeps_the_call(void **state)
{
    (void)state;
    target t = TARGET_INIT;
    const jg_queue_config config = {.enabled = true, .num_consumers = 1, .queue_size = 2};
    jg_queue *q = start(&t, &config, NULL, NULL);
    set_closed(&t, true);
    jaeger_pair header = {JAEGER_STR("x"), JAEGER_STR("y")};
    char tenant[] = "acme";
    jaeger_call call = JAEGER_CALL_INIT;
    call.tenant = (jaeger_str){tenant, 4};
    call.metadata = &header;
    call.metadata_count = 1;
    assert_ok(jg_queue_send(q, spans(1), &call));
    memset(tenant, '?', 4);
    wait_until_sending(&t, 1);
    set_closed(&t, false);
    jg_queue_stop(q, UINT64_MAX);
    assert_int_equal(t.spans, 1);
    assert_string_equal(t.tenant, "acme");
    assert_string_equal(t.header, "y");
    jg_queue_free(q);
}

static void full_queue_refuses_by_each_sizer(void **state)
{
    (void)state;
    static const struct {
        int sizer;
        int64_t size;
    } cases[] = {{JG_SIZER_REQUESTS, 2}, {JG_SIZER_ITEMS, 6}, {JG_SIZER_BYTES, 280}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        target t = TARGET_INIT;
        jg_metrics *metrics = jg_metrics_new();
        const jg_queue_config config = {
            .enabled = true, .num_consumers = 1, .queue_size = cases[i].size, .sizer = cases[i].sizer};
        jg_queue *q = start(&t, &config, NULL, metrics);
        set_closed(&t, true);
        jaeger_call call = JAEGER_CALL_INIT;
        assert_ok(jg_queue_send(q, spans(3), &call)); /* with the consumer */
        wait_until_sending(&t, 1);
        assert_ok(jg_queue_send(q, spans(3), &call));
        assert_ok(jg_queue_send(q, spans(3), &call));
        assert_int_equal(jg_queue_send(q, spans(3), &call), JAEGER_UNAVAILABLE);
        assert_string_equal(call.error.message, "sending queue is full");
        assert_true(call.error.retry_after_ms > 0);
        assert_true(counted(metrics, "otelcol_exporter_enqueue_failed_spans") == 3);
        set_closed(&t, false);
        jg_queue_stop(q, UINT64_MAX);
        assert_int_equal(t.spans, 9);
        assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_UNAVAILABLE); /* stopped */
        jg_queue_free(q);
        jg_metrics_free(metrics);
    }
}

static void queue_may_wait_for_results_and_for_room(void **state)
{
    (void)state;
    target t = TARGET_INIT;
    t.fail_first = 1;
    t.failure = JAEGER_DATA_LOSS;
    const jg_queue_config config = {.enabled = true,
                                    .num_consumers = 1,
                                    .queue_size = 1,
                                    .block_on_overflow = true,
                                    .wait_for_result = true};
    jg_queue *q = start(&t, &config, NULL, NULL);
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_DATA_LOSS);
    assert_string_equal(call.error.message, "no");
    assert_ok(jg_queue_send(q, spans(1), &call));
    set_closed(&t, true);
    call.deadline_ns = jg_clock_mono_ns() + 20 * JG_NS_PER_MS;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_DEADLINE_EXCEEDED); /* being sent */
    call.deadline_ns = jg_clock_mono_ns() + 20 * JG_NS_PER_MS;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_DEADLINE_EXCEEDED); /* waits in the queue */
    call.deadline_ns = jg_clock_mono_ns() + 20 * JG_NS_PER_MS;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_DEADLINE_EXCEEDED); /* no room */
    set_closed(&t, false);
    jg_queue_free(q);
}

static void stop_drains_without_retries_or_drops_at_the_deadline(void **state)
{
    (void)state;
    const jg_queue_config config = {.enabled = true, .num_consumers = 1, .queue_size = 100};
    const jg_retry_config retry = {.enabled = true,
                                   .initial_interval_ns = 3600 * JG_NS_PER_S,
                                   .max_interval_ns = 3600 * JG_NS_PER_S,
                                   .multiplier = 1};
    target t = TARGET_INIT;
    t.fail_first = 3;
    t.failure = JAEGER_UNAVAILABLE;
    jg_queue *q = start(&t, &config, &retry, NULL);
    jaeger_call call = JAEGER_CALL_INIT;
    for (int i = 0; i < 5; i++)
        assert_ok(jg_queue_send(q, spans(1), &call));
    jg_queue_stop(q, UINT64_MAX); /* the first waits an hour; stop wakes it */
    assert_int_equal(t.calls, 5);
    assert_int_equal(t.spans, 2);
    jg_queue_free(q);
    jg_metrics *metrics = jg_metrics_new();
    t = (target)TARGET_INIT;
    q = start(&t, &config, NULL, metrics);
    set_closed(&t, true);
    for (int i = 0; i < 5; i++)
        assert_ok(jg_queue_send(q, spans(1), &call));
    wait_until_sending(&t, 1);
    set_closed(&t, false);
    jg_queue_stop(q, jg_clock_mono_ns() - 1);
    assert_true(counted(metrics, "otelcol_exporter_sent_spans") +
                    counted(metrics, "otelcol_exporter_send_failed_spans") ==
                5);
    jg_queue_free(q);
    jg_metrics_free(metrics);
}

/** Sent, and the number of requests they were sent in. */
static void send_and_count(const jg_queue_config *config, bool merges, unsigned blocked_first,
                           unsigned requests, unsigned want_calls)
{
    target t = TARGET_INIT;
    jg_queue *q = jg_queue_new(&(jg_queue_options){.id = "out",
                                                   .config = config,
                                                   .retry = &no_retry,
                                                   .send = send_to,
                                                   .user = &t,
                                                   .merges = merges,
                                                   .log = &silent});
    assert_non_null(q);
    assert_ok(jg_queue_start(q, NULL));
    jaeger_call call = JAEGER_CALL_INIT;
    set_closed(&t, blocked_first > 0);
    for (unsigned i = 0; i < blocked_first; i++) {
        assert_ok(jg_queue_send(q, spans(1), &call));
        wait_until_sending(&t, i + 1);
    }
    for (unsigned i = 0; i < requests; i++)
        assert_ok(jg_queue_send(q, spans(1), &call));
    set_closed(&t, false);
    jg_queue_stop(q, UINT64_MAX);
    assert_int_equal(t.spans, blocked_first + requests);
    assert_int_equal(t.calls, want_calls);
    jg_queue_free(q);
}

static void requests_that_wait_are_merged(void **state)
{
    (void)state;
    jg_queue_config config = {.enabled = true, .num_consumers = 1, .queue_size = 1000};
    send_and_count(&config, true, 1, 20, 2); /* what waits while another is sent */
    send_and_count(&config, false, 1, 20, 21);
    config.batch = (jg_queue_batch){.enabled = true,
                                    .flush_timeout_ns = 3600 * JG_NS_PER_S,
                                    .size_min = 10,
                                    .size_max = 10,
                                    .sizer = JG_BATCH_SIZER_ITEMS};
    send_and_count(&config, true, 0, 25, 3); /* the stop sends the last five */
    config.num_consumers = 10;
    send_and_count(&config, true, 0, 100, 10);
}

static void a_request_waits_for_others_not_for_ever(void **state)
{
    (void)state;
    target t = TARGET_INIT;
    const jg_queue_config config = {
        .enabled = true,
        .num_consumers = 2,
        .queue_size = 10,
        .wait_for_result = true,
        .batch = {.enabled = true, .flush_timeout_ns = JG_NS_PER_MS, .size_min = 8192}};
    jg_queue *q = start(&t, &config, NULL, NULL);
    jaeger_call call = JAEGER_CALL_INIT;
    for (unsigned i = 1; i <= 3; i++) {
        assert_ok(jg_queue_send(q, spans(1), &call)); /* answered once it was sent */
        assert_int_equal(t.spans, i);
    }
    jg_queue_free(q);
}

static void merged_requests_keep_what_tells_them_apart(void **state)
{
    (void)state;
    target t = TARGET_INIT;
    jaeger_str key = JAEGER_STR("X");
    const jg_queue_config config = {.enabled = true,
                                    .num_consumers = 1,
                                    .queue_size = 10,
                                    .batch = {.enabled = true,
                                              .flush_timeout_ns = 3600 * JG_NS_PER_S,
                                              .size_min = 100,
                                              .metadata_keys = {&key, 1}}};
    jg_queue *q = start(&t, &config, NULL, NULL);
    const jaeger_pair headers[] = {
        {JAEGER_STR("other"), JAEGER_STR("1")}, {JAEGER_STR("x"), JAEGER_STR("a")},
        {JAEGER_STR("other"), JAEGER_STR("2")}, {JAEGER_STR("x"), JAEGER_STR("a")},
        {JAEGER_STR("other"), JAEGER_STR("3")}, {JAEGER_STR("x"), JAEGER_STR("b")}};
    jaeger_call call = JAEGER_CALL_INIT;
    call.metadata_count = 2;
    for (size_t i = 0; i < JG_COUNT(headers); i += 2) {
        call.metadata = headers + i;
        assert_ok(jg_queue_send(q, spans(1), &call));
    }
    jg_queue_stop(q, UINT64_MAX);
    assert_int_equal(t.calls, 2);
    assert_int_equal(t.spans, 3);
    assert_string_equal(t.header, "b");
    jg_queue_free(q);
}

static void configuration_that_cannot_work_is_refused(void **state)
{
    (void)state;
    static const struct {
        jg_queue_config config;
        const char *want;
    } cases[] = {
        {{.enabled = true, .num_consumers = 0, .queue_size = 1}, "`num_consumers` must be positive"},
        {{.enabled = true, .num_consumers = 1, .queue_size = -1}, "`queue_size` must be positive"},
        {{.enabled = true, .num_consumers = 1, .queue_size = 1, .storage = {"x", 1}},
         "no storage client extension found"},
        {{.enabled = false, .num_consumers = -5}, NULL},
        {{.enabled = true, .num_consumers = 1, .queue_size = 1, .batch = {.enabled = true}},
         "batch: `flush_timeout` must be positive"},
        {{.enabled = true,
          .num_consumers = 1,
          .queue_size = 1,
          .batch = {.enabled = true, .flush_timeout_ns = 1, .size_min = 10, .size_max = 9}},
         "batch: `max_size` must be greater or equal to `min_size`"},
        {{.enabled = true,
          .num_consumers = 1,
          .queue_size = 1,
          .sizer = JG_SIZER_BYTES,
          .batch = {.enabled = true, .flush_timeout_ns = 1, .size_min = 10}},
         "`min_size` must be less than or equal to `queue_size`"},
        {{.enabled = true,
          .num_consumers = 1,
          .queue_size = 1,
          .batch = {.enabled = true, .flush_timeout_ns = 1, .size_min = 10}},
         NULL},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_error err = {0};
        assert_int_equal(jg_queue_check(&cases[i].config, &err) == JAEGER_OK, cases[i].want == NULL);
        assert_string_equal(err.message, cases[i].want ? cases[i].want : "");
    }
    const jg_retry_config good = {.enabled = true,
                                  .initial_interval_ns = 5,
                                  .max_interval_ns = 30,
                                  .max_elapsed_time_ns = 300,
                                  .randomization_factor = 0.5,
                                  .multiplier = 1.5};
    jg_retry_config bad = good;
    assert_ok(jg_retry_check(&good, NULL));
    bad.randomization_factor = 1.5;
    assert_int_equal(jg_retry_check(&bad, NULL), JAEGER_INVALID_ARGUMENT);
    bad = good;
    bad.max_elapsed_time_ns = 20;
    assert_int_equal(jg_retry_check(&bad, NULL), JAEGER_INVALID_ARGUMENT);
    bad.max_elapsed_time_ns = 0;
    assert_ok(jg_retry_check(&bad, NULL));
}

static void queue_survives_failing_allocations(void **state)
{
    (void)state;
    const jg_queue_config config = {.enabled = true, .num_consumers = 1, .queue_size = 9};
    target t = TARGET_INIT;
    jg_queue *q = start(&t, &config, NULL, NULL);
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_batch *batch = spans(1);
    jg_alloc_fail_after(0);
    jaeger_status status = jg_queue_send(q, batch, &call);
    jg_alloc_fail_after(-1);
    assert_int_equal(status, JAEGER_RESOURCE_EXHAUSTED);
    jg_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_queue_the_caller_gets_the_result),
        cmocka_unit_test(retries_go_on_while_they_may_help),
        cmocka_unit_test(retries_end_with_their_time_and_with_the_deadline),
        cmocka_unit_test(queue_answers_early_and_keeps_the_call),
        cmocka_unit_test(full_queue_refuses_by_each_sizer),
        cmocka_unit_test(queue_may_wait_for_results_and_for_room),
        cmocka_unit_test(stop_drains_without_retries_or_drops_at_the_deadline),
        cmocka_unit_test(requests_that_wait_are_merged),
        cmocka_unit_test(a_request_waits_for_others_not_for_ever),
        cmocka_unit_test(merged_requests_keep_what_tells_them_apart),
        cmocka_unit_test(configuration_that_cannot_work_is_refused),
        cmocka_unit_test(queue_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
