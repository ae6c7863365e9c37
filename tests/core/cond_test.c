/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cond.h"

#include "core/attr.h"
#include "core/clock.h"
#include "support/test.h"
#include <errno.h>

static uint64_t ns_of(struct timespec at)
{
    return (uint64_t)at.tv_sec * JG_NS_PER_S + (uint64_t)at.tv_nsec;
}

static void moments_lie_so_far_ahead_and_carry_into_seconds(void **state)
{
    (void)state;
    static const uint64_t cases[] = {0, 1, JG_NS_PER_S - 1, JG_NS_PER_S, 86400 * JG_NS_PER_S + 999999999};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        struct timespec before, after, at;
        (void)clock_gettime(CLOCK_MONOTONIC, &before);
        at = jg_cond_after(cases[i]);
        (void)clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(at.tv_nsec, 0, 999999999);
        assert_in_range(ns_of(at) - cases[i], ns_of(before), ns_of(after));
    }
}

static void waits_end_by_that_clock(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    jg_cond_init(&cond);
    struct timespec at = jg_cond_after(20 * JG_NS_PER_MS), now;
    int code = 0;
    (void)pthread_mutex_lock(&mutex);
    while (code == 0) /* a condition may wake for no reason */
        code = pthread_cond_timedwait(&cond, &mutex, &at);
    (void)pthread_mutex_unlock(&mutex);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    assert_int_equal(code, ETIMEDOUT);
    assert_true(ns_of(now) >= ns_of(at));
    (void)pthread_cond_destroy(&cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_lie_so_far_ahead_and_carry_into_seconds),
        cmocka_unit_test(waits_end_by_that_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
