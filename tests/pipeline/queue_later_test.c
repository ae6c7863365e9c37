/* SPDX-License-Identifier: Apache-2.0
 * Sending queues of exporters that defer: the test is the destination and ends each sending itself.
 */
#include "pipeline/queue.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "model/batch.h"
#include "support/spans.h"
#include <pthread.h>

#define SENDINGS_MAX 64
#define PATIENCE_NS  (20 * JG_NS_PER_S)

/** Keeps the sendings that are under way. */
typedef struct target {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    jaeger_call *calls[SENDINGS_MAX];
    size_t spans[SENDINGS_MAX], begun, ended;
    jaeger_status at_once; /* returned instead; PENDING: not */
    bool abandoned;
} target;

static void target_init(target *t)
{
    *t = (target){.mutex = PTHREAD_MUTEX_INITIALIZER, .at_once = JAEGER_PENDING};
    jg_cond_init(&t->cond);
}

static jaeger_status send_to(void *user, jaeger_batch *take, jaeger_call *call)
{
    target *t = user;
    assert_non_null(call->later);
    pthread_mutex_lock(&t->mutex);
    jaeger_status status = t->at_once;
    if (status == JAEGER_PENDING && t->abandoned)
        status = JAEGER_CANCELLED;
    if (status == JAEGER_PENDING) {
        assert_true(t->begun < SENDINGS_MAX);
        t->spans[t->begun] = jg_batch_items(take);
        t->calls[t->begun++] = call;
        pthread_cond_broadcast(&t->cond);
    }
    pthread_mutex_unlock(&t->mutex);
    jaeger_batch_unref(take);
    return status == JAEGER_PENDING || status == JAEGER_OK ? status : jg_fail(&call->error, status, "no");
}

static void wait_begun(target *t, size_t n)
{
    struct timespec until = jg_cond_after(PATIENCE_NS);
    pthread_mutex_lock(&t->mutex);
    while (t->begun < n)
        assert_int_equal(pthread_cond_timedwait(&t->cond, &t->mutex, &until), 0);
    pthread_mutex_unlock(&t->mutex);
}

/** End the oldest sending. */
static void end_next(target *t, jaeger_status status)
{
    wait_begun(t, t->ended + 1);
    jaeger_call *call = t->calls[t->ended++];
    if (status != JAEGER_OK)
        (void)jg_fail(&call->error, status, "ended");
    call->later->done(call->later->user, status);
}

static void abandon(void *user)
{
    target *t = user;
    pthread_mutex_lock(&t->mutex);
    t->abandoned = true;
    pthread_mutex_unlock(&t->mutex);
    while (t->ended < t->begun)
        end_next(t, JAEGER_CANCELLED);
}

/** A caller that offers `later`. */
typedef struct caller {
    jaeger_call call;
    jaeger_later later;
    jaeger_arena *arena;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned told;
    jaeger_status status;
} caller;

static void heard(void *user, jaeger_status status)
{
    caller *c = user;
    pthread_mutex_lock(&c->mutex);
    c->told++;
    c->status = status;
    pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->mutex);
}

static void caller_init(caller *c)
{
    *c = (caller){.mutex = PTHREAD_MUTEX_INITIALIZER, .call = JAEGER_CALL_INIT, .later = {heard, c}};
    jg_cond_init(&c->cond);
    c->call.later = &c->later;
}

static jaeger_status told(caller *c)
{
    struct timespec until = jg_cond_after(PATIENCE_NS);
    pthread_mutex_lock(&c->mutex);
    while (!c->told)
        assert_int_equal(pthread_cond_timedwait(&c->cond, &c->mutex, &until), 0);
    assert_int_equal(c->told, 1);
    pthread_mutex_unlock(&c->mutex);
    return c->status;
}

static bool was_told(caller *c)
{
    pthread_mutex_lock(&c->mutex);
    bool yes = c->told;
    pthread_mutex_unlock(&c->mutex);
    return yes;
}

static jaeger_logger silent;
static const jg_retry_config no_retry;
static const jg_retry_config quick_retry = {
    .enabled = true, .initial_interval_ns = 1000, .max_interval_ns = 1000000, .multiplier = 2};
static const jg_queue_config memory = {.enabled = true, .num_consumers = 2, .queue_size = 100};
static const jg_queue_config awaited = {
    .enabled = true, .num_consumers = 2, .queue_size = 100, .wait_for_result = true};

static jg_queue *start(target *t, const jg_queue_config *config, const jg_retry_config *retry, bool merges)
{
    target_init(t);
    jg_queue *q = jg_queue_new(&(jg_queue_options){.id = "out",
                                                   .config = config,
                                                   .retry = retry,
                                                   .send = send_to,
                                                   .user = t,
                                                   .defers = true,
                                                   .abandon = abandon,
                                                   .merges = merges,
                                                   .log = &silent});
    assert_non_null(q);
    assert_true(jg_queue_defers(q));
    assert_ok(jg_queue_start(q, NULL));
    return q;
}

static uint64_t soon(void)
{
    return jg_clock_mono_ns() + PATIENCE_NS;
}

static void the_end_is_told_to_who_offered(void **state)
{
    (void)state;
    static const jg_queue_config *const configs[] = {NULL, &awaited};
    static const jaeger_status ends[] = {JAEGER_OK, JAEGER_UNAVAILABLE, JAEGER_INVALID_ARGUMENT};
    for (size_t i = 0; i < JG_COUNT(configs); i++) {
        target t;
        jg_queue *q = start(&t, configs[i], &no_retry, false);
        for (size_t k = 0; k < JG_COUNT(ends); k++) {
            caller c;
            caller_init(&c);
            assert_int_equal(jg_queue_send(q, spans(3), &c.call), JAEGER_PENDING);
            wait_begun(&t, k + 1);
            assert_false(was_told(&c));
            end_next(&t, ends[k]);
            assert_int_equal(told(&c), ends[k]);
            assert_string_equal(c.call.error.message, ends[k] ? "ended" : "");
        }
        jg_queue_stop(q, soon());
        jg_queue_free(q);
    }
}

static void failures_that_may_pass_are_tried_again(void **state)
{
    (void)state;
    static const jg_queue_config *const configs[] = {NULL, &awaited};
    for (size_t i = 0; i < JG_COUNT(configs); i++) {
        target t;
        jg_queue *q = start(&t, configs[i], &quick_retry, true);
        caller c;
        caller_init(&c);
        assert_int_equal(jg_queue_send(q, spans(1), &c.call), JAEGER_PENDING);
        for (int tries = 0; tries < 3; tries++)
            end_next(&t, JAEGER_UNAVAILABLE);
        end_next(&t, JAEGER_OK);
        assert_ok(told(&c));
        assert_string_equal(c.call.error.message, "");
        assert_int_equal(t.begun, 4);
        jg_queue_free(q);
    }
}

static void a_failure_at_once_is_told_too(void **state)
{
    (void)state;
    target t;
    jg_queue *q = start(&t, NULL, &no_retry, false);
    caller c;
    caller_init(&c);
    t.at_once = JAEGER_INVALID_ARGUMENT;
    assert_int_equal(jg_queue_send(q, spans(1), &c.call), JAEGER_PENDING);
    assert_int_equal(told(&c), JAEGER_INVALID_ARGUMENT);
    assert_string_equal(c.call.error.message, "no");
    jg_queue_free(q);
}

static void no_more_than_num_consumers_are_under_way(void **state)
{
    (void)state;
    target t;
    jg_queue *q = start(&t, &memory, &no_retry, false);
    jaeger_call call = JAEGER_CALL_INIT;
    for (size_t i = 0; i < 7; i++)
        assert_ok(jg_queue_send(q, spans(1), &call));
    for (size_t i = 0; i < 7; i++) {
        wait_begun(&t, JG_MIN(i + 2, (size_t)7));
        assert_true(t.begun <= i + 2);
        end_next(&t, JAEGER_OK);
    }
    jg_queue_stop(q, soon());
    assert_int_equal(t.begun, 7);
    jg_queue_free(q);
}

static void what_waits_meanwhile_goes_as_one(void **state)
{
    (void)state;
    target t;
    jg_queue *q = start(&t, NULL, &no_retry, true);
    caller first, others[5];
    caller_init(&first);
    assert_int_equal(jg_queue_send(q, spans(1), &first.call), JAEGER_PENDING);
    wait_begun(&t, 1);
    for (size_t i = 0; i < JG_COUNT(others); i++) {
        caller_init(&others[i]);
        assert_int_equal(jg_queue_send(q, spans(i + 2), &others[i].call), JAEGER_PENDING);
    }
    for (size_t sent = 0, ended = 0; sent < 1 + 2 + 3 + 4 + 5 + 6; ended++) { /* in few loads, or one each */
        wait_begun(&t, ended + 1);
        sent += t.spans[ended];
        end_next(&t, JAEGER_OK);
    }
    assert_ok(told(&first));
    for (size_t i = 0; i < JG_COUNT(others); i++)
        assert_ok(told(&others[i]));
    jg_queue_free(q);
}

static void a_deadline_is_told_though_the_sending_goes_on(void **state)
{
    (void)state;
    static const jg_queue_config *const configs[] = {NULL, &awaited};
    for (size_t i = 0; i < JG_COUNT(configs); i++) {
        target t;
        jg_queue *q = start(&t, configs[i], &no_retry, false);
        caller c;
        caller_init(&c);
        c.call.deadline_ns = jg_clock_mono_ns() + JG_NS_PER_MS;
        assert_int_equal(jg_queue_send(q, spans(1), &c.call), JAEGER_PENDING);
        assert_int_equal(told(&c), JAEGER_DEADLINE_EXCEEDED);
        end_next(&t, JAEGER_OK);
        jg_queue_stop(q, soon());
        assert_int_equal(c.told, 1);
        jg_queue_free(q);
    }
}

static void who_gave_up_is_told_so(void **state)
{
    (void)state;
    target t;
    jg_queue *q = start(&t, NULL, &no_retry, false);
    caller c;
    int cancelled = 0;
    caller_init(&c);
    c.call.cancelled = &cancelled;
    assert_int_equal(jg_queue_send(q, spans(1), &c.call), JAEGER_PENDING);
    __atomic_store_n(&cancelled, 1, __ATOMIC_RELAXED);
    assert_int_equal(told(&c), JAEGER_CANCELLED);
    end_next(&t, JAEGER_OK);
    jg_queue_free(q);
}

static void a_caller_without_later_waits(void **state)
{
    (void)state;
    target t;
    jg_queue *q = start(&t, &awaited, &no_retry, false);
    t.at_once = JAEGER_OK;
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jg_queue_send(q, spans(1), &call));
    t.at_once = JAEGER_UNAVAILABLE;
    assert_int_equal(jg_queue_send(q, spans(1), &call), JAEGER_UNAVAILABLE);
    assert_string_equal(call.error.message, "no");
    jg_queue_free(q);
}

static void *stop_now(void *arg)
{
    jg_queue_stop(arg, jg_clock_mono_ns() + JG_NS_PER_MS);
    return NULL;
}

static void a_stop_that_is_late_abandons_and_tells(void **state)
{
    (void)state;
    static const jg_queue_config one = {
        .enabled = true, .num_consumers = 1, .queue_size = 100, .wait_for_result = true};
    target t;
    jg_queue *q = start(&t, &one, &quick_retry, false);
    caller c[3];
    for (size_t i = 0; i < JG_COUNT(c); i++) {
        caller_init(&c[i]);
        assert_int_equal(jg_queue_send(q, spans(1), &c[i].call), JAEGER_PENDING);
    }
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_now, q), 0);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_int_equal(told(&c[0]), JAEGER_CANCELLED);
    for (size_t i = 1; i < JG_COUNT(c); i++)
        assert_int_equal(told(&c[i]), JAEGER_UNAVAILABLE);
    caller late;
    caller_init(&late);
    assert_int_equal(jg_queue_send(q, spans(1), &late.call), JAEGER_UNAVAILABLE);
    assert_false(late.told);
    jg_queue_free(q);
}

static void *end_all(void *arg)
{
    target *t = arg;
    for (size_t i = 0; i < 20; i++)
        end_next(t, i % 3 ? JAEGER_OK : JAEGER_INVALID_ARGUMENT);
    return NULL;
}

static void a_stop_in_time_sends_what_waits(void **state)
{
    (void)state;
    target t;
    jg_queue *q = start(&t, &awaited, &no_retry, false);
    caller c[20];
    for (size_t i = 0; i < JG_COUNT(c); i++) {
        caller_init(&c[i]);
        assert_int_equal(jg_queue_send(q, spans(1), &c[i].call), JAEGER_PENDING);
    }
    pthread_t ender;
    assert_int_equal(pthread_create(&ender, NULL, end_all, &t), 0);
    jg_queue_stop(q, soon());
    jg_queue_free(q); /* whoever ended the last is out of it */
    assert_int_equal(pthread_join(ender, NULL), 0);
    for (size_t i = 0; i < JG_COUNT(c); i++)
        (void)told(&c[i]);
}

static void a_stop_does_not_wait_for_retries(void **state)
{
    (void)state;
    static const jg_retry_config slow = {.enabled = true,
                                         .initial_interval_ns = 3600 * JG_NS_PER_S,
                                         .max_interval_ns = 3600 * JG_NS_PER_S,
                                         .multiplier = 1};
    target t;
    jg_queue *q = start(&t, NULL, &slow, false);
    caller c;
    caller_init(&c);
    assert_int_equal(jg_queue_send(q, spans(1), &c.call), JAEGER_PENDING);
    end_next(&t, JAEGER_UNAVAILABLE);
    assert_false(was_told(&c));
    jg_queue_stop(q, soon());
    assert_int_equal(told(&c), JAEGER_UNAVAILABLE);
    assert_string_equal(c.call.error.message, "ended");
    jg_queue_free(q);
}

static void without_memory_nothing_is_taken_or_all_is_told(void **state)
{
    (void)state;
    for (long n = 0; n < 4; n++) {
        target t;
        jg_queue *q = start(&t, NULL, &no_retry, false);
        t.at_once = JAEGER_OK;
        caller c;
        caller_init(&c);
        jaeger_batch *batch = spans(1);
        jg_alloc_fail_after(n);
        jaeger_status status = jg_queue_send(q, batch, &c.call);
        jg_alloc_fail_after(-1);
        if (status == JAEGER_PENDING)
            status = told(&c);
        else
            assert_false(c.told);
        assert_int_equal(status, n < 3 ? JAEGER_RESOURCE_EXHAUSTED : JAEGER_OK);
        jg_queue_free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_told_to_who_offered),
        cmocka_unit_test(failures_that_may_pass_are_tried_again),
        cmocka_unit_test(a_failure_at_once_is_told_too),
        cmocka_unit_test(no_more_than_num_consumers_are_under_way),
        cmocka_unit_test(what_waits_meanwhile_goes_as_one),
        cmocka_unit_test(a_deadline_is_told_though_the_sending_goes_on),
        cmocka_unit_test(who_gave_up_is_told_so),
        cmocka_unit_test(a_caller_without_later_waits),
        cmocka_unit_test(a_stop_that_is_late_abandons_and_tells),
        cmocka_unit_test(a_stop_in_time_sends_what_waits),
        cmocka_unit_test(a_stop_does_not_wait_for_retries),
        cmocka_unit_test(without_memory_nothing_is_taken_or_all_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
