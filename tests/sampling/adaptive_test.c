/* SPDX-License-Identifier: Apache-2.0
 * Adaptive sampling against simulated services: each has traffic, polls its probability once a minute as
 * clients do, and samples by it. Time is turned a second at a time, so an hour takes a moment.
 */
#include "sampling/adaptive.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"
#include "storage/open.h"
#include "support/test.h"
#include <math.h>
#include <stdio.h>

extern const jaeger_storage_driver jg_storage_memory;

static jaeger_storage storage;
static const jaeger_log_sink silent = {0};
static const jaeger_logger logger = {&silent, "test"};

static int open_store(void **state)
{
    (void)state;
    return jg_storage_open(&jg_storage_memory, NULL, &logger, NULL, &storage, NULL) == JAEGER_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    jg_storage_close(&storage);
    return 0;
}

static jg_adaptive_options defaults(void)
{
    return (jg_adaptive_options){.calculation = {.target_samples_per_second = 1,
                                                 .delta_tolerance = 0.3,
                                                 .aggregation_buckets = 10,
                                                 .calculation_buckets = 1,
                                                 .initial_sampling_probability = 0.001,
                                                 .min_sampling_probability = 1e-5},
                                 .calculation_interval_ns = 60 * JG_NS_PER_S,
                                 .calculation_delay_ns = 120 * JG_NS_PER_S,
                                 .min_samples_per_second = 1.0 / 60,
                                 .leader_lease_refresh_interval_ns = 5 * JG_NS_PER_S,
                                 .follower_lease_refresh_interval_ns = 60 * JG_NS_PER_S};
}

static jg_adaptive *engine(const jg_adaptive_options *options)
{
    jg_adaptive_init init = {
        .options = *options, .store = storage.driver->sampling, .store_self = storage.self, .log = &logger};
    jg_adaptive *adaptive;
    jaeger_error err = {0};
    if (jg_adaptive_new(&init, &adaptive, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return adaptive;
}

/* ---- simulated services ---- */

typedef struct client {
    const char *service, *operation;
    double (*traffic)(unsigned second); /* requests per second */
    double probability;                 /* as polled */
    double carry;                       /* of a trace that is not whole yet */
    unsigned sampled_in_window, polled_at, sampled_at;
    double window_rate; /* samples per second in the last five minutes */
} client;

typedef struct answer {
    const char *operation;
    double probability;
    bool listed;
} answer;

static jaeger_status find_operation(void *self, const jaeger_strategy *strategy, jaeger_call *call)
{
    answer *a = self;
    (void)call;
    assert_true(strategy->has_operations && !strategy->has_rate &&
                strategy->kind == JAEGER_STRATEGY_PROBABILISTIC);
    a->probability = strategy->default_rate;
    for (size_t i = 0; i < strategy->operation_count; i++) {
        if (jg_str_is(strategy->operations[i].operation, a->operation)) {
            a->probability = strategy->operations[i].rate;
            a->listed = true;
        }
    }
    return JAEGER_OK;
}

static answer served(jg_adaptive *adaptive, const char *service, const char *operation)
{
    jaeger_call call = JAEGER_CALL_INIT;
    answer a = {.operation = operation};
    jaeger_strategy_sink sink = {find_operation, &a};
    assert_ok(jg_adaptive_provider.strategy(adaptive, jg_str(service), sink, &call));
    return a;
}

/** One second of a client whose spans and polls go to `adaptive`. */
static void live(client *c, jg_adaptive *adaptive, unsigned second)
{
    if (second % 60 == c->polled_at % 60)
        c->probability = served(adaptive, c->service, c->operation).probability;
    double requests = c->traffic(second);
    c->carry += requests * c->probability;
    unsigned sampled = (unsigned)c->carry;
    c->carry -= sampled;
    for (unsigned i = 0; i < sampled; i++)
        jg_adaptive_record(adaptive, jg_str(c->service), jg_str(c->operation), true, c->probability);
    if (sampled) {
        c->sampled_at = second;
    } else if (requests > 0 && second - c->sampled_at >= 60) { /* the guaranteed one a minute */
        jg_adaptive_record(adaptive, jg_str(c->service), jg_str(c->operation), false, c->probability);
        c->sampled_at = second;
    }
    c->sampled_in_window += sampled;
    if (second % 300 == 299) {
        c->window_rate = c->sampled_in_window / 300.0;
        c->sampled_in_window = 0;
    }
}

static void run(jg_adaptive **engines, size_t n, client *clients, size_t client_count, unsigned from,
                unsigned to)
{
    for (unsigned second = from; second < to; second++) {
        jg_clock_advance(JG_NS_PER_S);
        for (size_t i = 0; i < client_count; i++)
            live(&clients[i], engines[i % n], second);
        for (size_t i = 0; i < n; i++)
            (void)jg_adaptive_step(engines[i]);
    }
}

static double steady_50(unsigned second)
{
    (void)second;
    return 50;
}

static double steady_7000(unsigned second)
{
    (void)second;
    return 7000;
}

static double rare(unsigned second)
{
    return second % 100 == 0;
}

static double bursty(unsigned second) /* ten seconds of each minute */
{
    return second % 60 < 10 ? 600 : 0;
}

static double grown(unsigned second) /* tenfold after an hour */
{
    return second < 3600 ? 20 : 200;
}

static double vanishing(unsigned second) /* there for half an hour, and again after another hour */
{
    return second < 1800 || second >= 5400 ? 100 : 0;
}

static void assert_near(double got, double want, double tolerance)
{
    if (fabs(got - want) > tolerance * want)
        fail_msg("%g is not within %g of %g", got, tolerance, want);
}

static void steady_and_bursty_services_converge_to_the_target(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *adaptive = engine(&options);
    client clients[] = {
        {.service = "shop", .operation = "steady", .traffic = steady_50, .polled_at = 7},
        {.service = "shop", .operation = "busy", .traffic = steady_7000, .polled_at = 31},
        {.service = "shop", .operation = "bursty", .traffic = bursty, .polled_at = 44},
        {.service = "other", .operation = "steady", .traffic = grown, .polled_at = 59},
        {.service = "other", .operation = "rare", .traffic = rare, .polled_at = 2},
    };
    run(&adaptive, 1, clients, JG_COUNT(clients), 0, 3600);
    for (size_t i = 0; i < 4; i++)
        assert_near(clients[i].window_rate, 1, 0.3);
    assert_true(clients[4].probability > 0.2); /* one request in 100 s: all of them, in the end */
    run(&adaptive, 1, clients, JG_COUNT(clients), 3600, 3900);
    assert_true(clients[3].window_rate > 5); /* ten times the traffic, and clients not told yet */
    run(&adaptive, 1, clients, JG_COUNT(clients), 3900, 7200);
    for (size_t i = 0; i < 4; i++)
        assert_near(clients[i].window_rate, 1, 0.3);
    assert_true(clients[4].probability == 1);
    jg_adaptive_free(adaptive);
}

static void other_targets_and_averages_converge_too(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    options.calculation.target_samples_per_second = 10;
    options.calculation.calculation_buckets = 3;
    options.calculation.delta_tolerance = 0.1;
    options.calculation.initial_sampling_probability = 0.5;
    options.calculation_interval_ns = 30 * JG_NS_PER_S;
    jg_adaptive *adaptive = engine(&options);
    client clients[] = {{.service = "a", .operation = "x", .traffic = steady_50},
                        {.service = "a", .operation = "y", .traffic = steady_7000}};
    run(&adaptive, 1, clients, JG_COUNT(clients), 0, 3600);
    assert_near(clients[0].window_rate, 10, 0.15);
    assert_near(clients[1].window_rate, 10, 0.15);
    jg_adaptive_free(adaptive);
}

static void operations_that_vanish_are_forgotten_and_start_anew(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *adaptive = engine(&options);
    client clients[] = {{.service = "shop", .operation = "gone", .traffic = vanishing}};
    run(&adaptive, 1, clients, 1, 0, 1800);
    assert_near(clients[0].window_rate, 1, 0.3);
    assert_true(served(adaptive, "shop", "gone").listed);
    run(&adaptive, 1, clients, 1, 1800, 1800 + 14 * 60);
    assert_false(served(adaptive, "shop", "gone").listed); /* ten buckets and the delay have passed */
    assert_true(served(adaptive, "shop", "gone").probability ==
                options.calculation.initial_sampling_probability);
    run(&adaptive, 1, clients, 1, 1800 + 14 * 60, 7800);
    assert_near(clients[0].window_rate, 1, 0.3);
    jg_adaptive_free(adaptive);
}

static void services_that_do_not_follow_are_left_alone(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *adaptive = engine(&options);
    for (unsigned second = 0; second < 1800; second++) {
        jg_clock_advance(JG_NS_PER_S);
        for (int i = 0; i < 20; i++) /* a client with a fixed probability of its own */
            jg_adaptive_record(adaptive, JAEGER_STR("fixed"), JAEGER_STR("op"), true, 0.5);
        (void)jg_adaptive_step(adaptive);
    }
    /* one adjustment, from the initial probability; then it is seen that nobody uses it */
    assert_near(served(adaptive, "fixed", "op").probability, 0.001 / 20, 0.05);
    jg_adaptive_free(adaptive);
}

/* ---- leaders ---- */

static void one_leads_and_all_serve_what_it_calculates(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *engines[] = {engine(&options), engine(&options), engine(&options)};
    client clients[] = {{.service = "s", .operation = "x", .traffic = steady_50},
                        {.service = "s", .operation = "x", .traffic = steady_50},
                        {.service = "s", .operation = "x", .traffic = steady_50}};
    run(engines, 3, clients, 3, 0, 3600);
    assert_int_equal(jg_adaptive_is_leader(engines[0]) + jg_adaptive_is_leader(engines[1]) +
                         jg_adaptive_is_leader(engines[2]),
                     1);
    /* 150 requests a second in all, each client a third of the one sample */
    assert_near(clients[0].window_rate + clients[1].window_rate + clients[2].window_rate, 1, 0.3);
    double leaders = served(engines[0], "s", "x").probability;
    assert_true(leaders > 0.001);
    run(engines, 3, clients, 3, 3600, 3620);
    for (int i = 0; i < 3; i++)
        assert_true(served(engines[i], "s", "x").probability == served(engines[0], "s", "x").probability);
    for (int i = 0; i < 3; i++)
        jg_adaptive_free(engines[i]);
}

static void a_follower_takes_over_from_a_leader_that_was_killed(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *first = engine(&options), *second = engine(&options);
    jg_adaptive *both[] = {first, second};
    client clients[] = {{.service = "s", .operation = "x", .traffic = steady_50}};
    run(both, 2, clients, 1, 0, 3600);
    assert_true(jg_adaptive_is_leader(first) && !jg_adaptive_is_leader(second));
    double before = clients[0].probability;
    run(&second, 1, clients, 1, 3600, 3600 + 125); /* nobody steps the first one */
    assert_true(jg_adaptive_is_leader(second));
    run(&second, 1, clients, 1, 3600 + 125, 7200);
    assert_near(clients[0].window_rate, 1, 0.3);
    assert_near(clients[0].probability, before, 0.5); /* it went on from there */
    (void)jg_adaptive_step(first);                    /* it was only asleep: sees that it leads no more */
    assert_false(jg_adaptive_is_leader(first));
    jg_adaptive_free(first);
    assert_true(jg_adaptive_is_leader(second));
    jg_adaptive_free(second);
}

static void a_leader_that_stops_gives_its_lease_back(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *first = engine(&options), *second = engine(&options);
    (void)jg_adaptive_step(first);
    (void)jg_adaptive_step(second);
    jg_adaptive_free(first);
    jg_clock_advance(1);
    for (int i = 0; i < 61; i++) {
        jg_clock_advance(JG_NS_PER_S);
        (void)jg_adaptive_step(second);
    }
    assert_true(jg_adaptive_is_leader(second));
    jg_adaptive_free(second);
}

static void a_new_host_starts_with_what_the_store_has(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *first = engine(&options);
    client clients[] = {{.service = "s", .operation = "x", .traffic = steady_50}};
    run(&first, 1, clients, 1, 0, 3600);
    double probability = served(first, "s", "x").probability;
    jg_adaptive *second = engine(&options);
    assert_true(served(second, "s", "x").probability == probability);
    jg_adaptive_free(first);
    jg_adaptive_free(second);
}

/* ---- trouble ---- */

static void a_clock_that_is_set_disturbs_nothing(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *adaptive = engine(&options);
    client clients[] = {{.service = "s", .operation = "x", .traffic = steady_50}};
    run(&adaptive, 1, clients, 1, 0, 3600);
    const int64_t steps[] = {-1000 * (int64_t)JG_NS_PER_S, 5000 * (int64_t)JG_NS_PER_S,
                             -3 * (int64_t)JG_NS_PER_S};
    unsigned second = 3600;
    for (size_t i = 0; i < JG_COUNT(steps); i++) {
        jg_clock_step_unix(steps[i]);
        for (int k = 0; k < 20; k++) {
            run(&adaptive, 1, clients, 1, second, second + 60);
            second += 60;
            double probability = served(adaptive, "s", "x").probability;
            if (probability < 0.009 || probability > 0.05)
                fail_msg("step %zu, minute %d: %g", i, k, probability);
        }
    }
    assert_near(clients[0].window_rate, 1, 0.3);
    jg_adaptive_free(adaptive);
}

static bool store_down;

static jaeger_status down(jaeger_call *call)
{
    return jaeger_fail(&call->error, JAEGER_UNAVAILABLE, "down");
}

static jaeger_status maybe_acquire(void *self, jaeger_str resource, jaeger_str owner, uint64_t ttl, bool *ret,
                                   jaeger_call *call)
{
    return store_down ? down(call) : storage.driver->sampling->acquire(self, resource, owner, ttl, ret, call);
}

static jaeger_status maybe_get(void *self, uint64_t start, uint64_t end, jaeger_throughputs *ret,
                               jaeger_call *call)
{
    return store_down ? down(call) : storage.driver->sampling->get_throughput(self, start, end, ret, call);
}

static void a_leader_without_its_store_steps_down_when_the_lease_is_over(void **state)
{
    (void)state;
    jaeger_sampling_store flaky = *storage.driver->sampling;
    flaky.acquire = maybe_acquire;
    flaky.get_throughput = maybe_get;
    jg_adaptive_init init = {
        .options = defaults(), .store = &flaky, .store_self = storage.self, .log = &logger};
    jg_adaptive *adaptive;
    assert_ok(jg_adaptive_new(&init, &adaptive, NULL));
    client clients[] = {{.service = "s", .operation = "x", .traffic = steady_50}};
    run(&adaptive, 1, clients, 1, 0, 3600);
    double before = served(adaptive, "s", "x").probability;
    store_down = true;
    run(&adaptive, 1, clients, 1, 3600, 3630);
    assert_true(jg_adaptive_is_leader(adaptive)); /* a failed question changes nothing yet */
    run(&adaptive, 1, clients, 1, 3630, 3720);
    assert_false(jg_adaptive_is_leader(adaptive));
    assert_true(served(adaptive, "s", "x").probability == before);
    store_down = false;
    run(&adaptive, 1, clients, 1, 3720, 7200);
    assert_true(jg_adaptive_is_leader(adaptive));
    assert_near(clients[0].window_rate, 1, 0.3);
    jg_adaptive_free(adaptive);
}

static void operations_without_end_are_bounded(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive *adaptive = engine(&options);
    char name[32];
    for (int i = 0; i < 150000; i++) {
        (void)snprintf(name, sizeof name, "operation-%d", i);
        jg_adaptive_record(adaptive, JAEGER_STR("hostile"), jg_str(name), true, i * 1e-6);
    }
    char *huge = jg_calloc(1, 1 << 20);
    memset(huge, 'x', (1 << 20) - 1);
    jg_adaptive_record(adaptive, JAEGER_STR("hostile"), jg_str(huge), true, 1);
    jg_free(huge);
    for (int i = 0; i < 100; i++)
        jg_adaptive_record(adaptive, JAEGER_STR("many"), JAEGER_STR("params"), true, i);
    for (unsigned i = 0; i < 240; i++) {
        jg_clock_advance(JG_NS_PER_S);
        (void)jg_adaptive_step(adaptive);
    }
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_probabilities list = {0};
    call.arena = jaeger_arena_new(64 << 20);
    assert_ok(storage.driver->sampling->get_probabilities(storage.self, &list, &call));
    assert_int_equal(list.count, 100000);
    jaeger_arena_free(call.arena);
    jg_adaptive_free(adaptive);
}

static void options_that_cannot_work_are_refused(void **state)
{
    (void)state;
    jg_adaptive_options rows[5];
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        rows[i] = defaults();
    rows[0].calculation_interval_ns = 0;
    rows[1].calculation.aggregation_buckets = 0;
    rows[2].calculation.calculation_buckets = 0;
    rows[3].calculation.aggregation_buckets = 101;
    rows[4].follower_lease_refresh_interval_ns = 0;
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_adaptive_init init = {.options = rows[i],
                                 .store = storage.driver->sampling,
                                 .store_self = storage.self,
                                 .log = &logger};
        jg_adaptive *adaptive;
        assert_int_equal(jg_adaptive_new(&init, &adaptive, NULL), JAEGER_INVALID_ARGUMENT);
    }
}

static void making_an_engine_survives_every_failed_allocation(void **state)
{
    (void)state;
    jg_adaptive_options options = defaults();
    jg_adaptive_init init = {
        .options = options, .store = storage.driver->sampling, .store_self = storage.self, .log = &logger};
    jaeger_status status = JAEGER_INTERNAL;
    for (long n = 0; status != JAEGER_OK && n < 1000; n++) {
        jg_adaptive *adaptive = NULL;
        jg_alloc_fail_after(n);
        status = jg_adaptive_new(&init, &adaptive, NULL);
        if (adaptive) {
            jg_adaptive_record(adaptive, JAEGER_STR("s"), JAEGER_STR("o"), true, 1);
            (void)jg_adaptive_step(adaptive);
        }
        jg_alloc_fail_after(-1);
        jg_adaptive_free(adaptive);
    }
    assert_ok(status);
}

static void rounds_are_measured(void **state)
{
    (void)state;
    jg_metrics *metrics = jg_metrics_new();
    jg_adaptive_init init = {.options = defaults(),
                             .store = storage.driver->sampling,
                             .store_self = storage.self,
                             .log = &logger,
                             .metrics = metrics};
    jg_adaptive *adaptive;
    assert_ok(jg_adaptive_new(&init, &adaptive, NULL));
    jg_adaptive_record(adaptive, JAEGER_STR("a"), JAEGER_STR("x"), true, 1);
    jg_adaptive_record(adaptive, JAEGER_STR("a"), JAEGER_STR("y"), true, 1);
    jg_adaptive_record(adaptive, JAEGER_STR("b"), JAEGER_STR("x"), true, 1);
    for (unsigned i = 0; i < 240; i++) {
        jg_clock_advance(JG_NS_PER_S);
        (void)jg_adaptive_step(adaptive);
    }
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1 << 20);
    jg_metrics_write(metrics, &text);
    jg_buf_byte(&text, 0);
    static const char *const want[] = {"\nsampling_operations 3\n", "\nsampling_services 2\n",
                                       "\nadaptive_sampling_processor_operations_calculated 3\n",
                                       "\nadaptive_sampling_processor_calculate_probabilities_count "};
    for (size_t i = 0; i < JG_COUNT(want); i++)
        if (!strstr((const char *)text.data, want[i]))
            fail_msg("no %s in %s", want[i], (const char *)text.data);
    jg_adaptive_free(adaptive);
    jg_metrics_free(metrics);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(steady_and_bursty_services_converge_to_the_target),
        TEST(other_targets_and_averages_converge_too),
        TEST(operations_that_vanish_are_forgotten_and_start_anew),
        TEST(services_that_do_not_follow_are_left_alone),
        TEST(one_leads_and_all_serve_what_it_calculates),
        TEST(a_follower_takes_over_from_a_leader_that_was_killed),
        TEST(a_leader_that_stops_gives_its_lease_back),
        TEST(a_new_host_starts_with_what_the_store_has),
        TEST(a_clock_that_is_set_disturbs_nothing),
        TEST(a_leader_without_its_store_steps_down_when_the_lease_is_over),
        TEST(operations_without_end_are_bounded),
        TEST(options_that_cannot_work_are_refused),
        TEST(rounds_are_measured),
        TEST(making_an_engine_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
