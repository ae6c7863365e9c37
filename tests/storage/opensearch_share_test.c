/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/opensearch/share.h"

#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/str.h"
#include "support/test.h"

#define WRITES 12

typedef struct fixture {
    jg_os_share share;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t flights, sizes[WRITES]; /* tickets of each */
    bool held;                     /* the first flight stays in the air */
} fixture;

typedef struct job {
    fixture *f;
    jaeger_call call;
    jg_os_ticket ticket;
    jaeger_status status;
    pthread_t thread;
} job;

static void fly(void *self, jg_os_ticket *list)
{
    fixture *f = self;
    (void)pthread_mutex_lock(&f->mutex);
    size_t at = f->flights++, n = 0;
    (void)pthread_cond_broadcast(&f->changed);
    while (at == 0 && f->held)
        (void)pthread_cond_wait(&f->changed, &f->mutex);
    for (jg_os_ticket *t = list; t; t = t->next, n++) {
        assert_true(jg_str_eq(t->call->bearer_token, list->call->bearer_token));
        t->status = t->bytes == 7 ? jg_fail(&t->error, JAEGER_INVALID_ARGUMENT, "seven") : JAEGER_OK;
    }
    f->sizes[at] = n;
    (void)pthread_mutex_unlock(&f->mutex);
}

static void *run(void *user)
{
    job *j = user;
    j->status = jg_os_share_write(&j->f->share, &j->ticket);
    return NULL;
}

static void begin(fixture *f, job *j, uint64_t bytes, const char *token)
{
    *j = (job){.f = f, .call = JAEGER_CALL_INIT, .ticket = {.bytes = bytes}};
    j->call.bearer_token = jg_str(token);
    j->ticket.call = &j->call;
    assert_int_equal(pthread_create(&j->thread, NULL, run, j), 0);
}

static size_t waiting(fixture *f)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&f->share.queue_mutex);
    for (const jg_os_ticket *t = f->share.first; t; t = t->next)
        n++;
    (void)pthread_mutex_unlock(&f->share.queue_mutex);
    return n;
}

static void until_waiting(fixture *f, size_t n)
{
    while (waiting(f) != n)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/** One is in the air, and stays there. */
static void start(fixture *f, job *first, size_t flights_max, uint64_t bytes_max)
{
    *f = (fixture){.held = true,
                   .share = {.fly = fly, .self = f, .flights_max = flights_max, .bytes_max = bytes_max}};
    (void)pthread_mutex_init(&f->mutex, NULL);
    jg_cond_init(&f->changed);
    jg_os_share_init(&f->share);
    begin(f, first, 1, "");
    (void)pthread_mutex_lock(&f->mutex);
    while (!f->flights)
        (void)pthread_cond_wait(&f->changed, &f->mutex);
    (void)pthread_mutex_unlock(&f->mutex);
}

static void release(fixture *f)
{
    (void)pthread_mutex_lock(&f->mutex);
    f->held = false;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->mutex);
}

static void stop(fixture *f)
{
    jg_os_share_done(&f->share);
    (void)pthread_cond_destroy(&f->changed);
    (void)pthread_mutex_destroy(&f->mutex);
}

static void what_gathers_flies_together_each_with_its_own_result(void **state)
{
    (void)state;
    fixture f;
    job jobs[WRITES];
    start(&f, &jobs[0], 1, 100);
    for (size_t i = 1; i < WRITES; i++)
        begin(&f, &jobs[i], i == 5 ? 7 : 1, "");
    until_waiting(&f, WRITES - 1);
    release(&f);
    for (size_t i = 0; i < WRITES; i++) {
        (void)pthread_join(jobs[i].thread, NULL);
        assert_int_equal(jobs[i].status, i == 5 ? JAEGER_INVALID_ARGUMENT : JAEGER_OK);
    }
    assert_string_equal(jobs[5].ticket.error.message, "seven");
    assert_int_equal(f.flights, 2);
    assert_int_equal(f.sizes[1], WRITES - 1);
    stop(&f);
}

static void flights_are_bounded_and_of_one_token(void **state)
{
    (void)state;
    fixture f;
    job jobs[7];
    start(&f, &jobs[0], 1, 10);
    for (size_t i = 1; i < 7; i++) { /* in this order, so that what flies together is known */
        begin(&f, &jobs[i], 4, i % 3 ? "a" : "b");
        until_waiting(&f, i);
    }
    release(&f);
    for (size_t i = 0; i < 7; i++) {
        (void)pthread_join(jobs[i].thread, NULL);
        assert_ok(jobs[i].status);
    }
    assert_int_equal(f.flights, 4); /* alone; a a; b b; a a */
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(f.sizes[i], 2);
    stop(&f);
}

static void as_many_fly_as_are_allowed(void **state)
{
    (void)state;
    fixture f;
    job jobs[4];
    start(&f, &jobs[0], 2, 100);
    for (size_t i = 1; i < 4; i++) { /* while the first is in the air */
        begin(&f, &jobs[i], 1, "");
        (void)pthread_join(jobs[i].thread, NULL);
        assert_ok(jobs[i].status);
    }
    assert_int_equal(f.flights, 4);
    release(&f);
    (void)pthread_join(jobs[0].thread, NULL);
    stop(&f);
}

static void who_waits_too_long_or_is_cancelled_leaves(void **state)
{
    (void)state;
    fixture f;
    job jobs[2], late, gone;
    int cancelled = 1;
    start(&f, &jobs[0], 1, 100);
    late = (job){.call = JAEGER_CALL_INIT, .ticket = {.bytes = 1, .call = &late.call}};
    late.call.deadline_ns = jg_clock_mono_ns() + 1;
    gone = (job){.call = JAEGER_CALL_INIT, .ticket = {.bytes = 1, .call = &gone.call}};
    gone.call.cancelled = &cancelled;
    assert_int_equal(jg_os_share_write(&f.share, &late.ticket), JAEGER_DEADLINE_EXCEEDED);
    assert_int_equal(jg_os_share_write(&f.share, &gone.ticket), JAEGER_CANCELLED);
    begin(&f, &jobs[1], 1, "");
    until_waiting(&f, 1);
    release(&f);
    for (size_t i = 0; i < 2; i++) {
        (void)pthread_join(jobs[i].thread, NULL);
        assert_ok(jobs[i].status);
    }
    assert_int_equal(f.flights, 2);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_gathers_flies_together_each_with_its_own_result),
        cmocka_unit_test(flights_are_bounded_and_of_one_token),
        cmocka_unit_test(as_many_fly_as_are_allowed),
        cmocka_unit_test(who_waits_too_long_or_is_cancelled_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
