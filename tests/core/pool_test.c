/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pool.h"
#include "support/test.h"
#include <pthread.h>

static int done;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void count(jg_job *job)
{
    (void)job;
    __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
}

static void wait_at_gate(jg_job *job)
{
    (void)job;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
}

static void pool_runs_all_that_it_took(void **state)
{
    (void)state;
    static jg_job jobs[1000];
    done = 0;
    jg_pool *pool = jg_pool_new("test", 4, 1000, 1);
    for (int i = 0; i < 1000; i++) {
        jobs[i].run = count;
        assert_ok(jg_pool_submit(pool, &jobs[i]));
    }
    jg_pool_free(pool);
    assert_int_equal(done, 1000);
}

static void pool_refuses_when_full(void **state)
{
    (void)state;
    jg_job jobs[4] = {{wait_at_gate, NULL}, {wait_at_gate, NULL}, {wait_at_gate, NULL}, {wait_at_gate, NULL}};
    jg_pool *pool = jg_pool_new("test", 1, 2, 0);
    (void)pthread_mutex_lock(&gate);
    int taken = 0;
    for (int i = 0; i < 4; i++)
        taken += jg_pool_submit(pool, &jobs[i]) == JAEGER_OK;
    (void)pthread_mutex_unlock(&gate);
    assert_true(taken == 2 || taken == 3); /* the first may have left the queue already */
    jg_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_runs_all_that_it_took),
        cmocka_unit_test(pool_refuses_when_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
