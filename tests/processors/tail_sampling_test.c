/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"
#include "model/batch.h"
#include "support/test.h"
#include <jaeger/component.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const jaeger_component_type jg_processor_tail_sampling;

static const jaeger_component_type *const type = &jg_processor_tail_sampling;

/* Spans that came out, by the first byte of the trace id. */
static pthread_mutex_t out_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned out[256], out_spans, out_batches;
static char out_tenant[32];

static jaeger_status record(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    (void)pthread_mutex_lock(&out_mutex);
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++)
        out[jaeger_batch_spans(take)[i].trace_id[0]]++;
    out_spans += (unsigned)jaeger_batch_span_count(take);
    out_batches++;
    (void)snprintf(out_tenant, sizeof out_tenant, "%.*s", JAEGER_STR_ARGS(call->tenant));
    (void)pthread_mutex_unlock(&out_mutex);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static unsigned seen(unsigned trace)
{
    (void)pthread_mutex_lock(&out_mutex);
    unsigned n = out[trace];
    (void)pthread_mutex_unlock(&out_mutex);
    return n;
}

typedef struct tail {
    void *config, *self;
    jaeger_config *root;
} tail;

static jaeger_status bind(tail *t, const char *yaml, jaeger_error *err)
{
    *t = (tail){.config = calloc(1, type->config_size), .self = calloc(1, type->state_size)};
    assert_ok(jaeger_config_parse(jg_str(yaml), "tail.yaml", &t->root, err));
    jaeger_status status = jaeger_config_bind(t->root, type->fields, t->config, err);
    return status == JAEGER_OK ? type->validate(t->config, t->root, err) : status;
}

static void done(tail *t)
{
    type->destroy(t->self);
    jaeger_config_free(t->root);
    free(t->config);
    free(t->self);
}

static void start(tail *t, const char *yaml)
{
    jaeger_error err = {0};
    memset(out, 0, sizeof out);
    out_spans = out_batches = 0;
    if (bind(t, yaml, &err) != JAEGER_OK)
        fail_msg("%s: %s", yaml, err.message);
    jaeger_component_create in = {
        .size = sizeof in, .id = "tail_sampling", .config = t->config, .next = {record, NULL}};
    assert_ok(type->create(t->self, &in, &err));
    assert_ok(type->start(t->self, &err));
}

static void stop(tail *t)
{
    type->stop(t->self, jg_clock_mono_ns() + 30 * JG_NS_PER_S);
    done(t);
}

/* Spans of the traces from `first` to `last`, `spans` of each, mixed; the first span of each is the root if
 * `root`. Status Error in odd traces. */
static jaeger_batch *make_batch(unsigned first, unsigned last, unsigned spans, bool root)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    for (unsigned k = 0; k < spans; k++) {
        for (unsigned i = first; i <= last; i++) {
            jaeger_span_start span = {.trace_id = {(uint8_t)i, (uint8_t)(i >> 8)},
                                      .span_id = {(uint8_t)(k + 1)},
                                      .parent_span_id = {k || !root},
                                      .name = JAEGER_STR("op")};
            jaeger_builder_span(b, &span);
            if (i % 2)
                jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR(""));
        }
    }
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void send(tail *t, unsigned first, unsigned last, unsigned spans, bool root)
{
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(type->consume(t->self, make_batch(first, last, spans, root), &call));
}

/* Turn the clock and wait until `spans` came out in all, or for at most five seconds. */
static void turn(unsigned seconds, unsigned spans)
{
    jg_clock_advance((int64_t)(seconds * JG_NS_PER_S));
    for (int i = 0; i < 500; i++) {
        (void)pthread_mutex_lock(&out_mutex);
        bool there = out_spans >= spans;
        (void)pthread_mutex_unlock(&out_mutex);
        if (there)
            return;
        (void)usleep(10000);
    }
}

#define ERRORS "policies: [{name: e, type: status_code, status_code: {status_codes: [ERROR]}}]"
#define ALL    "policies: [{name: a, type: always_sample}]"

static void tail_keeps_whole_traces(void **state)
{
    (void)state;
    tail t;
    start(&t, "{decision_wait: 5s, " ERRORS "}");
    send(&t, 1, 4, 3, true);
    send(&t, 3, 6, 2, false);
    assert_int_equal(seen(1), 0);
    turn(8, 3 + 5 + 2);
    assert_int_equal(seen(1), 3);
    assert_int_equal(seen(3), 5);
    assert_int_equal(seen(5), 2);
    assert_int_equal(seen(2) + seen(4) + seen(6), 0);
    send(&t, 1, 2, 1, false); /* late */
    turn(0, 11);
    assert_int_equal(seen(1), 4);
    assert_int_equal(seen(2), 0);
    stop(&t);
    assert_int_equal(out_spans, 11);
}

static void tail_decides_at_stop_or_drops(void **state)
{
    (void)state;
    tail t;
    start(&t, "{" ERRORS "}");
    send(&t, 1, 2, 2, true);
    stop(&t);
    assert_int_equal(seen(1), 2);
    assert_int_equal(seen(2), 0);
    start(&t, "{drop_pending_traces_on_shutdown: true, " ALL "}");
    send(&t, 1, 2, 2, true);
    stop(&t);
    assert_int_equal(out_spans, 0);
    start(&t, "{}"); /* no policies: nothing is sampled */
    send(&t, 1, 2, 2, true);
    stop(&t);
    assert_int_equal(out_spans, 0);
}

static void tail_lets_drops_win(void **state)
{
    (void)state;
    tail t;
    start(&t, "{policies: [{name: a, type: always_sample}, {name: d, type: drop, drop: {drop_sub_policy: "
              "[{name: s, "
              "type: status_code, status_code: {status_codes: [ERROR]}}]}}]}");
    send(&t, 1, 2, 2, true);
    stop(&t);
    assert_int_equal(seen(1), 0);
    assert_int_equal(seen(2), 2);
}

static void tail_decides_earlier_after_the_root(void **state)
{
    (void)state;
    tail t;
    start(&t, "{decision_wait: 60s, decision_wait_after_root_received: 2s, " ALL "}");
    send(&t, 1, 1, 2, true);
    send(&t, 2, 2, 2, false);
    turn(5, 2);
    assert_int_equal(seen(1), 2);
    assert_int_equal(seen(2), 0);
    send(&t, 2, 2, 1, true);
    turn(5, 5);
    assert_int_equal(seen(2), 3);
    stop(&t);
}

static void tail_remembers_decisions(void **state)
{
    (void)state;
    tail t;
    start(
        &t,
        "{decision_wait: 1s, num_traces: 2, decision_cache: {sampled_cache_size: 10, non_sampled_cache_size: "
        "10}, " ERRORS "}");
    send(&t, 1, 2, 1, true);
    turn(4, 1);
    assert_int_equal(seen(1), 1);
    send(&t, 3, 4, 1, true); /* num_traces is 2, but decided ones are in the caches */
    send(&t, 1, 2, 1, false);
    turn(4, 3);
    assert_int_equal(seen(1), 2);
    assert_int_equal(seen(2), 0);
    assert_int_equal(seen(3), 1);
    stop(&t);
    assert_int_equal(out_spans, 3);
}

static void tail_evicts_the_oldest(void **state)
{
    (void)state;
    tail t;
    start(&t, "{num_traces: 10, " ALL "}");
    send(&t, 1, 30, 2, true);
    stop(&t);
    for (unsigned i = 1; i <= 30; i++)
        assert_int_equal(seen(i), i > 20 ? 2 : 0);
}

static void tail_is_bounded_in_bytes(void **state)
{
    (void)state;
    tail t;
    start(&t, "{max_memory_mib: 1, " ALL "}");
    for (unsigned i = 0; i < 200; i++)
        send(&t, i + 1, i + 1, 200, true); /* about 45 KB each */
    stop(&t);
    assert_int_equal(seen(1), 0);
    assert_int_equal(seen(200), 200);
    assert_in_range(out_spans, 200, 200 * 40);
}

static void tail_blocks_if_asked(void **state)
{
    (void)state;
    tail t;
    start(&t, "{num_traces: 2, block_on_overflow: true, " ALL "}");
    send(&t, 1, 2, 1, true);
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + JG_NS_PER_S / 20;
    assert_int_equal(type->consume(t.self, make_batch(3, 3, 1, true), &call), JAEGER_UNAVAILABLE);
    assert_true(call.error.retry_after_ms > 0);
    jg_clock_advance(40 * (int64_t)JG_NS_PER_S); /* the two are decided while it waits */
    send(&t, 3, 3, 1, true);
    stop(&t);
    assert_int_equal(out_spans, 3);
}

static void tail_drops_large_traces(void **state)
{
    (void)state;
    tail t;
    start(&t, "{maximum_trace_size_bytes: 500, " ALL "}");
    send(&t, 1, 1, 100, true);
    send(&t, 2, 2, 2, true);
    send(&t, 1, 1, 1, false);
    stop(&t);
    assert_int_equal(seen(1), 0);
    assert_int_equal(seen(2), 2);
}

static void tail_decides_as_spans_come(void **state)
{
    (void)state;
    tail t;
    start(&t, "{sampling_strategy: span-ingest, " ERRORS "}");
    send(&t, 2, 3, 2, true);
    turn(0, 2);
    assert_int_equal(seen(3), 2);
    send(&t, 3, 3, 1, false);
    turn(0, 3);
    stop(&t); /* what is pending is not sampled */
    assert_int_equal(out_spans, 3);
    jaeger_error err = {0};
    assert_int_equal(
        bind(&t, "{sampling_strategy: span-ingest, policies: [{name: r, type: rate_limiting}]}", &err),
        JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "policy \"r\" is stateful"));
    done(&t);
}

static void tail_keeps_tenants_apart(void **state)
{
    (void)state;
    tail t;
    start(&t, "{decision_cache: {sampled_cache_size: 10}, decision_wait: 1s, " ALL "}");
    jaeger_call call = JAEGER_CALL_INIT;
    call.tenant = JAEGER_STR("acme");
    assert_ok(type->consume(t.self, make_batch(1, 1, 1, true), &call));
    turn(4, 1);
    assert_string_equal(out_tenant, "acme");
    call.tenant = JAEGER_STR("other");
    assert_ok(type->consume(t.self, make_batch(1, 1, 1, true), &call)); /* no late span of acme's trace */
    (void)usleep(50000);
    assert_int_equal(seen(1), 1);
    turn(4, 2);
    assert_string_equal(out_tenant, "other");
    stop(&t);
}

static void mark_released(void *user, void *bytes, size_t len)
{
    (void)len;
    free(bytes);
    *(bool *)user = true;
}

/* A receiver counts them as in flight, and refuses requests above a limit. */
static void tail_lets_request_bytes_go(void **state)
{
    (void)state;
    tail t;
    bool released = false;
    jaeger_batch *built = make_batch(1, 3, 2, true), *batch;
    size_t len = jaeger_batch_otlp_size(built);
    void *bytes = malloc(len);
    jaeger_batch_write_otlp(built, bytes);
    jaeger_batch_unref(built);
    assert_ok(jaeger_batch_from_otlp(bytes, len, mark_released, &released, &batch, NULL));
    start(&t, "{" ALL "}");
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(type->consume(t.self, batch, &call));
    assert_true(released);
    stop(&t);
    assert_int_equal(out_spans, 6);
}

static void tail_refuses_after_stop_and_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {{"{num_traces: 0}", "num_traces"},
                 {"{decision_wait: 48h}", "decision_wait"},
                 {"{sampling_strategy: maybe}", "sampling_strategy"},
                 {"{policies: [{name: a, type: always_sample}, {name: a, type: always_sample}]}",
                  "duplicate policy name \"a\""},
                 {"{policies: [{type: always_sample}]}", "policy name cannot be empty"},
                 {"{policies: x}", "must be a list"},
                 {"{nope: 1}", "nope"}};
    tail t;
    jaeger_error err;
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        err = (jaeger_error){0};
        if (bind(&t, cases[i].yaml, &err) == JAEGER_OK || !strstr(err.message, cases[i].want))
            fail_msg("%s: %s", cases[i].yaml, err.message);
        done(&t);
    }
    jaeger_call call = JAEGER_CALL_INIT;
    start(&t, "{" ALL "}");
    type->stop(t.self, jg_clock_mono_ns() + JG_NS_PER_S);
    assert_int_equal(type->consume(t.self, make_batch(1, 1, 1, true), &call), JAEGER_UNAVAILABLE);
    done(&t);
}

enum { SENDERS = 4, ROUNDS = 200 };

static void *send_many(void *arg)
{
    tail *t = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        assert_ok(type->consume(t->self, make_batch(i % 7 * 30, i % 7 * 30 + 29, 2, i % 2), &call));
        if (i % 50 == 0)
            jg_clock_advance((int64_t)JG_NS_PER_S);
    }
    return NULL;
}

static void tail_takes_spans_from_many_threads(void **state)
{
    (void)state;
    static const char *const yamls[] = {
        "{decision_wait: 1s, num_traces: 50, decision_cache: {non_sampled_cache_size: 20}, " ERRORS "}",
        "{decision_wait: 1s, sampling_strategy: span-ingest, decision_wait_after_root_received: 1s, " ERRORS
        "}",
        "{decision_wait: 1s, decision_wait_after_root_received: 1s, maximum_trace_size_bytes: 100000, " ALL
        "}"};
    for (size_t y = 0; y < JG_COUNT(yamls); y++) {
        pthread_t threads[SENDERS];
        tail t;
        start(&t, yamls[y]);
        for (int i = 0; i < SENDERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, send_many, &t), 0);
        for (int i = 0; i < SENDERS; i++)
            (void)pthread_join(threads[i], NULL);
        stop(&t);
        assert_in_range(out_spans, 1, SENDERS * ROUNDS * 60);
        for (unsigned i = 0; i < 210 && y != 2; i += 2)
            assert_int_equal(seen(i), 0);
    }
}

static void tail_survives_lack_of_memory(void **state)
{
    (void)state;
    for (long n = 0; n < 40; n++) {
        tail t;
        start(&t, "{drop_pending_traces_on_shutdown: true, " ALL "}");
        jaeger_call call = JAEGER_CALL_INIT;
        jaeger_batch *batch = make_batch(1, 5, 2, true);
        jg_alloc_fail_after(n);
        jaeger_status status = type->consume(t.self, batch, &call);
        jg_alloc_fail_after(-1);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
        assert_true(n < 30 || status == JAEGER_OK);
        stop(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tail_keeps_whole_traces),
        cmocka_unit_test(tail_decides_at_stop_or_drops),
        cmocka_unit_test(tail_lets_drops_win),
        cmocka_unit_test(tail_decides_earlier_after_the_root),
        cmocka_unit_test(tail_remembers_decisions),
        cmocka_unit_test(tail_evicts_the_oldest),
        cmocka_unit_test(tail_is_bounded_in_bytes),
        cmocka_unit_test(tail_blocks_if_asked),
        cmocka_unit_test(tail_drops_large_traces),
        cmocka_unit_test(tail_decides_as_spans_come),
        cmocka_unit_test(tail_keeps_tenants_apart),
        cmocka_unit_test(tail_lets_request_bytes_go),
        cmocka_unit_test(tail_refuses_after_stop_and_bad_settings),
        cmocka_unit_test(tail_takes_spans_from_many_threads),
        cmocka_unit_test(tail_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
