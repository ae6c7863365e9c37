/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"
#include "core/clock.h"
#include "core/str.h"
#include "processors/batch/batch.h"
#include "support/test.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const jaeger_component_type jg_processor_batch;

#define CALLS_MAX 4096

/* What follows the processor: answers by the first letter of each span's name, and can be held. */
typedef struct sink {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool held;
    unsigned inside, calls;
    size_t spans;
    size_t sizes[CALLS_MAX];
    char tenant[32], metadata[128];
    useconds_t takes_us;
} sink;

static bool has_name(const jaeger_batch *batch, char first)
{
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++)
        if (jaeger_batch_spans(batch)[i].name.ptr[0] == first)
            return true;
    return false;
}

static jaeger_status sink_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    sink *s = self;
    (void)pthread_mutex_lock(&s->mutex);
    if (s->calls < CALLS_MAX)
        s->sizes[s->calls] = jaeger_batch_span_count(take);
    s->calls++;
    s->spans += jaeger_batch_span_count(take);
    s->inside++;
    (void)snprintf(s->tenant, sizeof s->tenant, "%.*s", JAEGER_STR_ARGS(call->tenant));
    s->metadata[0] = 0;
    for (size_t i = 0; i < call->metadata_count; i++) {
        size_t len = strlen(s->metadata);
        (void)snprintf(s->metadata + len, sizeof s->metadata - len, "%.*s=%.*s;",
                       JAEGER_STR_ARGS(call->metadata[i].key), JAEGER_STR_ARGS(call->metadata[i].value));
    }
    (void)pthread_cond_broadcast(&s->changed);
    while (s->held)
        (void)pthread_cond_wait(&s->changed, &s->mutex);
    useconds_t takes_us = s->takes_us;
    (void)pthread_mutex_unlock(&s->mutex);
    if (takes_us)
        (void)usleep(takes_us);
    bool bad = has_name(take, 'b'), down = has_name(take, 'd');
    jaeger_batch_unref(take);
    (void)pthread_mutex_lock(&s->mutex);
    s->inside--;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
    if (bad)
        return jaeger_fail(&call->error, JAEGER_INVALID_ARGUMENT, "a bad span");
    return down ? jaeger_fail(&call->error, JAEGER_UNAVAILABLE, "down") : JAEGER_OK;
}

typedef struct bench {
    sink sink;
    jaeger_config *root;
    void *config, *self;
    jaeger_logger log;
} bench;

static void bench_open(bench *b, const char *yaml)
{
    const jaeger_component_type *type = &jg_processor_batch;
    jaeger_error err = {0};
    memset(b, 0, sizeof *b);
    assert_int_equal(pthread_mutex_init(&b->sink.mutex, NULL), 0);
    assert_int_equal(pthread_cond_init(&b->sink.changed, NULL), 0);
    b->config = calloc(1, type->config_size);
    b->self = calloc(1, type->state_size);
    assert_ok(jaeger_config_parse(jg_str(yaml), "batch.yaml", &b->root, &err));
    if (jaeger_config_bind(b->root, type->fields, b->config, &err) != JAEGER_OK ||
        type->validate(b->config, b->root, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    jaeger_component_create in = {.size = sizeof in,
                                  .id = "batch",
                                  .config = b->config,
                                  .node = b->root,
                                  .next = {sink_consume, &b->sink},
                                  .log = &b->log};
    assert_ok(type->create(b->self, &in, &err));
    assert_ok(type->start(b->self, &err));
}

static void bench_close(bench *b)
{
    jg_processor_batch.stop(b->self, jg_clock_mono_ns() + 10 * JG_NS_PER_S);
    jg_processor_batch.stop(b->self, jg_clock_mono_ns());
    jg_processor_batch.destroy(b->self);
    free(b->self);
    free(b->config);
    jaeger_config_free(b->root);
    (void)pthread_cond_destroy(&b->sink.changed);
    (void)pthread_mutex_destroy(&b->sink.mutex);
}

static jaeger_batch *make_batch(const char *name, size_t spans)
{
    jaeger_builder *builder = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    jaeger_builder_resource(builder, JAEGER_STR(""));
    jaeger_builder_scope(builder, JAEGER_STR(""), JAEGER_STR(""), JAEGER_STR(""));
    for (size_t i = 0; i < spans; i++) {
        jaeger_span_start span = {.trace_id = {1}, .span_id = {2}, .name = jg_str(name)};
        jaeger_builder_span(builder, &span);
    }
    assert_ok(jaeger_builder_finish(builder, &batch, NULL));
    jaeger_builder_free(builder);
    return batch;
}

/* One request on its own thread. */
typedef struct request {
    bench *bench;
    const char *name;
    size_t spans;
    uint64_t timeout_ns;
    pthread_t thread;
    jaeger_status status;
    char message[sizeof(((jaeger_error *)0)->message)];
} request;

static void *run_request(void *arg)
{
    request *r = arg;
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = r->timeout_ns ? jg_clock_mono_ns() + r->timeout_ns : 0;
    r->status = jg_processor_batch.consume(r->bench->self, make_batch(r->name, r->spans), &call);
    (void)snprintf(r->message, sizeof r->message, "%s", r->status ? call.error.message : "");
    return NULL;
}

static void send(request *r, bench *b, const char *name, size_t spans)
{
    r->bench = b;
    r->name = name;
    r->spans = spans;
    assert_int_equal(pthread_create(&r->thread, NULL, run_request, r), 0);
}

static void join(request *r, jaeger_status want)
{
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    if (r->status != want)
        fail_msg("%s: %s %s, want %s", r->name, jaeger_status_name(r->status), r->message,
                 jaeger_status_name(want));
}

static void hold(bench *b, bool held)
{
    (void)pthread_mutex_lock(&b->sink.mutex);
    b->sink.held = held;
    (void)pthread_cond_broadcast(&b->sink.changed);
    (void)pthread_mutex_unlock(&b->sink.mutex);
}

static void await_calls(bench *b, unsigned calls)
{
    (void)pthread_mutex_lock(&b->sink.mutex);
    while (b->sink.calls < calls)
        (void)pthread_cond_wait(&b->sink.changed, &b->sink.mutex);
    (void)pthread_mutex_unlock(&b->sink.mutex);
}

static size_t await_spans(bench *b, size_t spans)
{
    (void)pthread_mutex_lock(&b->sink.mutex);
    while (b->sink.spans < spans)
        (void)pthread_cond_wait(&b->sink.changed, &b->sink.mutex);
    size_t calls = b->sink.calls;
    (void)pthread_mutex_unlock(&b->sink.mutex);
    return calls;
}

/* ---- through ---- */

static size_t batch_bytes(const char *name, size_t spans)
{
    jaeger_batch *batch = make_batch(name, spans);
    size_t bytes = jaeger_batch_bytes(batch);
    jaeger_batch_unref(batch);
    return bytes;
}

/* Until so much is in the processor. */
static void await_waiting(bench *b, size_t bytes)
{
    jg_batcher *batcher = b->self;
    for (size_t now = 0; now < bytes;) {
        (void)usleep(200);
        (void)pthread_mutex_lock(&batcher->state_mutex);
        now = batcher->waiting_bytes;
        (void)pthread_mutex_unlock(&batcher->state_mutex);
    }
}

static void batch_through_sends_at_once_while_idle(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, "{}");
    jaeger_call call = JAEGER_CALL_INIT;
    for (int i = 0; i < 3; i++)
        assert_ok(jg_processor_batch.consume(b.self, make_batch("ok", 2), &call));
    assert_int_equal(b.sink.calls, 3);
    assert_int_equal(b.sink.spans, 6);
    assert_int_equal(jg_processor_batch.consume(b.self, make_batch("bad", 1), &call),
                     JAEGER_INVALID_ARGUMENT);
    assert_string_equal(call.error.message, "a bad span");
    assert_ok(jg_processor_batch.consume(b.self, make_batch("none", 0), &call));
    assert_int_equal(b.sink.calls, 4);
    bench_close(&b);
}

/* Four flights are held; what comes meanwhile waits in the queue. */
static void fill_flights(bench *b, request first[4])
{
    hold(b, true);
    for (int i = 0; i < 4; i++)
        send(&first[i], b, "ok", 1);
    await_calls(b, 4);
}

static void batch_through_gathers_while_busy_and_answers_each(void **state)
{
    (void)state;
    bench b;
    request first[4] = {0}, later[16] = {0};
    bench_open(&b, "{}");
    fill_flights(&b, first);
    for (size_t i = 0; i < JG_COUNT(later); i++)
        send(&later[i], &b, "ok", 10);
    await_waiting(&b, 4 * batch_bytes("ok", 1) + 16 * batch_bytes("ok", 10));
    assert_int_equal(b.sink.calls, 4);
    hold(&b, false);
    for (size_t i = 0; i < 4; i++)
        join(&first[i], JAEGER_OK);
    for (size_t i = 0; i < JG_COUNT(later); i++)
        join(&later[i], JAEGER_OK);
    assert_int_equal(b.sink.spans, 4 + 160);
    assert_in_range(b.sink.calls, 4 + 1, 4 + 4); /* at most one for each place */
    bench_close(&b);
}

static void batch_through_does_not_fail_the_good_with_the_bad(void **state)
{
    (void)state;
    bench b;
    request first[4] = {0}, later[8] = {0};
    bench_open(&b, "{}");
    fill_flights(&b, first);
    for (size_t i = 0; i < JG_COUNT(later); i++)
        send(&later[i], &b, i == 3 ? "bad" : "ok", 1);
    await_waiting(&b, 11 * batch_bytes("ok", 1) + batch_bytes("bad", 1));
    hold(&b, false);
    for (size_t i = 0; i < 4; i++)
        join(&first[i], JAEGER_OK);
    for (size_t i = 0; i < JG_COUNT(later); i++)
        join(&later[i], i == 3 ? JAEGER_INVALID_ARGUMENT : JAEGER_OK);
    bench_close(&b);
}

static void batch_through_passes_unavailable_to_all_of_a_flight(void **state)
{
    (void)state;
    bench b;
    request first[4] = {0}, later = {0};
    bench_open(&b, "{}");
    fill_flights(&b, first);
    send(&later, &b, "down", 1);
    await_waiting(&b, 4 * batch_bytes("ok", 1) + batch_bytes("down", 1));
    hold(&b, false);
    for (size_t i = 0; i < 4; i++)
        join(&first[i], JAEGER_OK);
    join(&later, JAEGER_UNAVAILABLE);
    assert_string_equal(later.message, "down");
    bench_close(&b);
}

static void batch_through_keeps_spans_whose_request_gave_up(void **state)
{
    (void)state;
    bench b;
    request first[4] = {0}, late = {.timeout_ns = 30 * JG_NS_PER_MS};
    bench_open(&b, "{}");
    fill_flights(&b, first);
    send(&late, &b, "ok", 7);
    join(&late, JAEGER_DEADLINE_EXCEEDED);
    assert_int_equal(b.sink.spans, 4);
    hold(&b, false);
    for (size_t i = 0; i < 4; i++)
        join(&first[i], JAEGER_OK);
    (void)await_spans(&b, 11);
    bench_close(&b);
}

static void batch_through_splits_at_the_maximum(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, "{send_batch_size: 5, send_batch_max_size: 10}");
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jg_processor_batch.consume(b.self, make_batch("ok", 25), &call));
    assert_int_equal(b.sink.calls, 3);
    assert_int_equal(b.sink.sizes[0], 10);
    assert_int_equal(b.sink.sizes[2], 5);
    bench_close(&b);
}

typedef struct storm {
    bench *bench;
    unsigned rounds, failed;
} storm;

static void *run_storm(void *arg)
{
    storm *s = arg;
    for (unsigned i = 0; i < s->rounds; i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        call.deadline_ns = jg_clock_mono_ns() + (i % 7 == 3 ? 50000 : 20 * JG_NS_PER_S);
        jaeger_status status = jg_processor_batch.consume(s->bench->self, make_batch("ok", 3), &call);
        if (status != JAEGER_OK && !(status == JAEGER_DEADLINE_EXCEEDED && i % 7 == 3))
            s->failed++;
    }
    return NULL;
}

static void batch_through_loses_nothing_under_many_threads(void **state)
{
    (void)state;
    enum { THREADS = 64, ROUNDS = 40 };
    bench b;
    storm storms[THREADS];
    pthread_t threads[THREADS];
    bench_open(&b, "{}");
    b.sink.takes_us = 200;
    for (int i = 0; i < THREADS; i++) {
        storms[i] = (storm){&b, ROUNDS, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_storm, &storms[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(storms[i].failed, 0);
    }
    assert_int_equal(await_spans(&b, 3 * THREADS * ROUNDS) < THREADS * ROUNDS, 1);
    bench_close(&b);
    assert_int_equal(b.sink.spans, 3 * THREADS * ROUNDS);
}

static void batch_through_refuses_after_stop(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, "{}");
    jg_processor_batch.stop(b.self, jg_clock_mono_ns() + JG_NS_PER_S);
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(jg_processor_batch.consume(b.self, make_batch("ok", 1), &call), JAEGER_UNAVAILABLE);
    assert_true(call.error.retry_after_ms > 0);
    bench_close(&b);
}

/* ---- shards ---- */

static jaeger_status consume_as(bench *b, const char *tenant, const jaeger_pair *metadata, size_t count)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.tenant = jg_str(tenant);
    call.metadata = metadata;
    call.metadata_count = count;
    return jg_processor_batch.consume(b->self, make_batch("ok", 1), &call);
}

static void batch_keeps_tenants_and_metadata_apart(void **state)
{
    (void)state;
    bench b;
    static const jaeger_pair one[] = {{{"team", 4}, {"a", 1}}, {{"other", 5}, {"x", 1}}};
    static const jaeger_pair two[] = {{{"team", 4}, {"b", 1}}, {{"team", 4}, {"c", 1}}};
    bench_open(&b, "{metadata_keys: [Team], metadata_cardinality_limit: 3}");
    assert_ok(consume_as(&b, "", one, 2));
    assert_string_equal(b.sink.metadata, "team=a;");
    assert_ok(consume_as(&b, "", two, 2));
    assert_string_equal(b.sink.metadata, "team=b;team=c;");
    assert_ok(consume_as(&b, "t1", one, 2));
    assert_string_equal(b.sink.tenant, "t1");
    assert_ok(consume_as(&b, "", one, 1)); /* known already */
    assert_int_equal(consume_as(&b, "", NULL, 0), JAEGER_RESOURCE_EXHAUSTED);
    bench_close(&b);
}

/* ---- early ---- */

static void batch_early_sends_by_size_by_time_and_at_stop(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        size_t each, count;       /* requests */
        size_t before_stop;       /* spans that must come without a stop */
        size_t first_size, calls; /* of what comes; 0: any */
    } cases[] = {
        {"{acknowledge: early, timeout: 1h, send_batch_size: 100}", 10, 10, 100, 100, 1},
        {"{acknowledge: early, timeout: 1h, send_batch_size: 100}", 10, 9, 0, 90, 1},
        {"{acknowledge: early, timeout: 10ms, send_batch_size: 1000}", 10, 3, 30, 0, 0},
        {"{acknowledge: early, timeout: 0s, send_batch_size: 1000}", 10, 3, 30, 0, 0},
        {"{acknowledge: early, timeout: 1h, send_batch_size: 0}", 10, 3, 30, 0, 0},
        {"{acknowledge: early, timeout: 1h, send_batch_size: 20, send_batch_max_size: 20}", 50, 1, 40, 20, 3},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        bench b;
        bench_open(&b, cases[i].yaml);
        jaeger_call call = JAEGER_CALL_INIT;
        for (size_t n = 0; n < cases[i].count; n++)
            assert_ok(jg_processor_batch.consume(b.self, make_batch("ok", cases[i].each), &call));
        (void)await_spans(&b, cases[i].before_stop);
        bench_close(&b);
        assert_int_equal(b.sink.spans, cases[i].each * cases[i].count);
        if (cases[i].first_size)
            assert_int_equal(b.sink.sizes[0], cases[i].first_size);
        if (cases[i].calls)
            assert_int_equal(b.sink.calls, cases[i].calls);
    }
}

static void batch_early_answers_ok_though_what_follows_fails(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, "{acknowledge: early, timeout: 0s}");
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jg_processor_batch.consume(b.self, make_batch("down", 1), &call));
    (void)await_spans(&b, 1);
    bench_close(&b);
}

static void batch_early_loses_nothing_under_many_threads(void **state)
{
    (void)state;
    enum { THREADS = 16, ROUNDS = 100 };
    bench b;
    storm storms[THREADS];
    pthread_t threads[THREADS];
    bench_open(&b, "{acknowledge: early, timeout: 1ms, send_batch_size: 50, send_batch_max_size: 70}");
    for (int i = 0; i < THREADS; i++) {
        storms[i] = (storm){&b, ROUNDS, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_storm, &storms[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    bench_close(&b);
    assert_int_equal(b.sink.spans, 3 * THREADS * ROUNDS);
    for (unsigned i = 0; i < JG_MIN(b.sink.calls, CALLS_MAX); i++)
        assert_in_range(b.sink.sizes[i], 1, 70);
}

/* ---- configuration ---- */

/* What follows and defers: ends pieces before it returns, or when the test does. */
typedef struct deferring {
    bool at_once;
    unsigned pieces, told;
    size_t sizes[8];
    jaeger_call *call;
    jaeger_status status; /* as told */
    char tenant[16];
} deferring;

static jaeger_status defer(void *self, jaeger_batch *take, jaeger_call *call)
{
    deferring *d = self;
    assert_non_null(call->later);
    bool bad = has_name(take, 'b');
    d->sizes[d->pieces++] = jaeger_batch_span_count(take);
    d->call = call;
    (void)snprintf(d->tenant, sizeof d->tenant, "%.*s", JAEGER_STR_ARGS(call->tenant));
    jaeger_batch_unref(take);
    if (bad)
        return jaeger_fail(&call->error, JAEGER_INVALID_ARGUMENT, "a bad span");
    if (d->at_once)
        call->later->done(call->later->user, JAEGER_OK);
    return JAEGER_PENDING;
}

static bool yes(void *self)
{
    (void)self;
    return true;
}

static void hear(void *user, jaeger_status status)
{
    deferring *d = user;
    d->told++;
    d->status = status;
}

static jaeger_status pass(bench *b, deferring *d, bool at_once, const char *name, size_t spans,
                          jaeger_call *call)
{
    static jaeger_later later;
    later = (jaeger_later){hear, d};
    *d = (deferring){.at_once = at_once};
    call->later = &later;
    call->tenant = JAEGER_STR("acme");
    call->error = (jaeger_error){0};
    return jg_processor_batch.consume(b->self, make_batch(name, spans), call);
}

static void batch_through_passes_on_to_who_defers(void **state)
{
    (void)state;
    bench b;
    deferring d;
    bench_open(&b, "{send_batch_size: 2, send_batch_max_size: 2}");
    jg_batcher *batcher = b.self;
    batcher->next = (jaeger_consumer){defer, &d, NULL};
    batcher->next_defers = yes;
    assert_true(jg_processor_batch.defers(b.self));
    jaeger_call call = JAEGER_CALL_INIT;
    call.arena = jaeger_arena_new(0);
    for (int at_once = 0; at_once < 2; at_once++) {
        assert_int_equal(pass(&b, &d, at_once, "a", 5, &call), at_once ? JAEGER_OK : JAEGER_PENDING);
        assert_string_equal(d.tenant, "acme");
        for (unsigned piece = 1; piece <= 3 && !at_once; piece++) {
            assert_int_equal(d.pieces, piece); /* one after the other */
            assert_int_equal(d.told, 0);
            d.call->later->done(d.call->later->user, JAEGER_OK);
        }
        assert_int_equal(d.pieces, 3);
        assert_true(d.sizes[0] == 2 && d.sizes[1] == 2 && d.sizes[2] == 1);
        assert_int_equal(d.told, at_once ? 0 : 1);
        assert_int_equal(d.status, JAEGER_OK);
    }
    assert_int_equal(pass(&b, &d, false, "bad", 5, &call), JAEGER_INVALID_ARGUMENT);
    assert_string_equal(call.error.message, "a bad span");
    assert_true(d.pieces == 1 && d.told == 0);
    assert_int_equal(pass(&b, &d, false, "a", 5, &call), JAEGER_PENDING);
    (void)jaeger_fail(&d.call->error, JAEGER_UNAVAILABLE, "down");
    d.call->later->done(d.call->later->user, JAEGER_UNAVAILABLE);
    assert_true(d.pieces == 1 && d.told == 1 && d.status == JAEGER_UNAVAILABLE);
    assert_string_equal(call.error.message, "down");
    jaeger_arena_free(call.arena);
    bench_close(&b);
}

static void batch_refuses_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{send_batch_size: 100, send_batch_max_size: 50}",
         "send_batch_max_size must be greater or equal to send_batch_size"},
        {"{metadata_keys: [a, B, b]}", "duplicate entry in metadata_keys: \"b\" (case-insensitive)"},
        {"{acknowledge: never}", "acknowledge: unknown value \"never\"; valid values: through|early"},
        {"{timeout: -1s}", "timeout: must be non-negative"},
        {"{send_batch_sise: 1}", "has invalid keys: send_batch_sise"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_config *root;
        jaeger_error err = {0};
        void *config = calloc(1, jg_processor_batch.config_size);
        assert_ok(jaeger_config_parse(jg_str(cases[i].yaml), "c", &root, &err));
        jaeger_status status = jaeger_config_bind(root, jg_processor_batch.fields, config, &err);
        if (status == JAEGER_OK)
            status = jg_processor_batch.validate(config, root, &err);
        assert_int_equal(status, JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("got: %s\nwant: %s", err.message, cases[i].want);
        jaeger_config_free(root);
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_through_sends_at_once_while_idle),
        cmocka_unit_test(batch_through_gathers_while_busy_and_answers_each),
        cmocka_unit_test(batch_through_does_not_fail_the_good_with_the_bad),
        cmocka_unit_test(batch_through_passes_unavailable_to_all_of_a_flight),
        cmocka_unit_test(batch_through_keeps_spans_whose_request_gave_up),
        cmocka_unit_test(batch_through_splits_at_the_maximum),
        cmocka_unit_test(batch_through_loses_nothing_under_many_threads),
        cmocka_unit_test(batch_through_refuses_after_stop),
        cmocka_unit_test(batch_keeps_tenants_and_metadata_apart),
        cmocka_unit_test(batch_early_sends_by_size_by_time_and_at_stop),
        cmocka_unit_test(batch_early_answers_ok_though_what_follows_fails),
        cmocka_unit_test(batch_early_loses_nothing_under_many_threads),
        cmocka_unit_test(batch_through_passes_on_to_who_defers),
        cmocka_unit_test(batch_refuses_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
