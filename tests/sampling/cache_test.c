/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/cache.h"

#include "core/clock.h"
#include "core/str.h"
#include "support/test.h"
#include <pthread.h>
#include <stdio.h>

typedef struct far_server {
    unsigned asked;
    jaeger_status status;
    double rate;
} far_server;

static jaeger_status fetch(void *user, jaeger_str service, jaeger_arena *arena, jaeger_strategy *ret,
                           jaeger_call *call)
{
    far_server *server = user;
    (void)service, (void)arena;
    __atomic_add_fetch(&server->asked, 1, __ATOMIC_RELAXED);
    if (server->status != JAEGER_OK)
        return jaeger_fail(&call->error, server->status, "far away");
    *ret = (jaeger_strategy){.has_rate = true, .rate = server->rate};
    return JAEGER_OK;
}

static jaeger_status keep_rate(void *self, const jaeger_strategy *strategy, jaeger_call *call)
{
    (void)call;
    *(double *)self = strategy->rate;
    return JAEGER_OK;
}

/** @return the rate, or minus the status */
static double ask(jg_strategy_cache *cache, const char *service)
{
    double rate = 0;
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_strategy_sink sink = {keep_rate, &rate};
    jaeger_status status = jg_strategy_cache_provider.strategy(cache, jg_str(service), sink, &call);
    if (status != JAEGER_OK)
        assert_string_equal(call.error.message, "far away");
    return status == JAEGER_OK ? rate : -(double)status;
}

static jg_strategy_cache *cache_of(far_server *server, size_t max)
{
    jg_strategy_cache_options options = {.fetch = fetch,
                                         .user = server,
                                         .fresh_ns = 10 * JG_NS_PER_S,
                                         .stale_ns = 60 * JG_NS_PER_S,
                                         .services_max = max};
    jg_strategy_cache *cache = jg_strategy_cache_new(&options);
    assert_non_null(cache);
    return cache;
}

static void answers_are_kept_while_fresh_and_longer_when_the_server_is_down(void **state)
{
    (void)state;
    far_server server = {.rate = 0.5};
    jg_strategy_cache *cache = cache_of(&server, 0);
    assert_true(ask(cache, "a") == 0.5);
    server.rate = 0.25;
    assert_true(ask(cache, "a") == 0.5);
    assert_int_equal(server.asked, 1);
    jg_clock_advance(11 * JG_NS_PER_S);
    assert_true(ask(cache, "a") == 0.25);
    assert_int_equal(server.asked, 2);
    server.status = JAEGER_UNAVAILABLE;
    jg_clock_advance(11 * JG_NS_PER_S);
    assert_true(ask(cache, "a") == 0.25);
    assert_true(ask(cache, "new") == -JAEGER_UNAVAILABLE);
    assert_int_equal(server.asked, 3); /* it rests after a failure */
    jg_clock_advance(2 * JG_NS_PER_S);
    assert_true(ask(cache, "new") == -JAEGER_UNAVAILABLE);
    assert_int_equal(server.asked, 4);
    jg_clock_advance(60 * JG_NS_PER_S);
    assert_true(ask(cache, "a") == -JAEGER_UNAVAILABLE); /* too old */
    server.status = JAEGER_OK;
    jg_clock_advance(2 * JG_NS_PER_S);
    assert_true(ask(cache, "a") == 0.25);
    jg_strategy_cache_free(cache);
}

static void refusals_are_not_kept(void **state)
{
    (void)state;
    far_server server = {.status = JAEGER_INVALID_ARGUMENT};
    jg_strategy_cache *cache = cache_of(&server, 0);
    assert_true(ask(cache, "a") == -JAEGER_INVALID_ARGUMENT);
    server.status = JAEGER_OK;
    server.rate = 1;
    assert_true(ask(cache, "a") == 1);
    jg_strategy_cache_free(cache);
}

static void the_oldest_answers_go_first(void **state)
{
    (void)state;
    far_server server = {.rate = 0.5};
    jg_strategy_cache *cache = cache_of(&server, 100);
    char name[32];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "service-%d", i);
        assert_true(ask(cache, name) == 0.5);
    }
    assert_int_equal(jg_strategy_cache_count(cache), 100);
    assert_true(ask(cache, "service-999") == 0.5 && ask(cache, "service-900") == 0.5);
    assert_int_equal(server.asked, 1000);
    assert_true(ask(cache, "service-899") == 0.5);
    assert_int_equal(server.asked, 1001);
    jg_strategy_cache_free(cache);
}

static void *ask_often(void *arg)
{
    char name[32];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof name, "service-%d", i % 70);
        assert_true(ask(arg, name) == 0.5);
    }
    return NULL;
}

static void many_threads_may_ask(void **state)
{
    (void)state;
    far_server server = {.rate = 0.5};
    jg_strategy_cache *cache = cache_of(&server, 50);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, cache), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(jg_strategy_cache_count(cache), 50);
    jg_strategy_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_kept_while_fresh_and_longer_when_the_server_is_down),
        cmocka_unit_test(refusals_are_not_kept),
        cmocka_unit_test(the_oldest_answers_go_first),
        cmocka_unit_test(many_threads_may_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
