/* SPDX-License-Identifier: Apache-2.0
 * Conformance: names, dependencies, tenants, purge, sampling, threads, allocation faults.
 */
#include "conform/fixture.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/str.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- names
 * ------------------------------------------------------------------------------------------------------ */

static void assert_services(fixture *f, jaeger_call *call, const char *want)
{
    jaeger_strs got = {0};
    char text[256] = "";
    assert_ok(f->storage.driver->services(f->storage.self, &got, call));
    for (const char *name = "abcd"; *name; name++) /* any order is allowed */
        for (size_t i = 0; i < got.count; i++)
            if (got.items[i].len == 1 && got.items[i].ptr[0] == *name)
                (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%c ", *name);
    assert_string_equal(text, want);
    assert_int_equal(got.count, strlen(want) / 2);
}

static size_t operations(fixture *f, const char *service, const char *kind, const char *name,
                         const char *name_kind)
{
    jaeger_operations got = {0};
    assert_ok(f->storage.driver->operations(f->storage.self, jg_str(service), jg_str(kind), &got, &f->call));
    size_t hits = 0;
    for (size_t i = 0; i < got.count; i++)
        hits += jg_str_is(got.items[i].name, name) && jg_str_is(got.items[i].span_kind, name_kind);
    assert_true(hits <= 1); /* each once */
    return hits * 100 + got.count;
}

static void store_lists_services_and_operations(void **state)
{
    fixture *f = *state;
    const span_spec specs[] = {
        {.trace = 1, .id = 1, .service = "a", .name = "get", .kind = JAEGER_KIND_SERVER},
        {.trace = 1, .id = 2, .service = "a", .name = "get", .kind = JAEGER_KIND_CLIENT},
        {.trace = 2, .id = 3, .service = "a", .name = "get", .kind = JAEGER_KIND_SERVER},
        {.trace = 2, .id = 4, .service = "a", .name = "put"},
        {.trace = 3, .id = 5, .service = "b", .name = "list", .kind = JAEGER_KIND_CONSUMER},
        {.trace = 3, .id = 6, .name = "of nobody"},
    };
    write_specs(f, specs, JG_COUNT(specs));
    write_specs(f, specs, JG_COUNT(specs));
    assert_services(f, &f->call, "a b ");
    SKIP_IF(f, JG_SKIP_OPERATION_KIND);
    assert_int_equal(operations(f, "a", "", "get", "server"), 103);
    assert_int_equal(operations(f, "a", "", "get", "client"), 103);
    assert_int_equal(operations(f, "a", "", "put", ""), 103);
    assert_int_equal(operations(f, "a", "server", "get", "server"), 101);
    assert_int_equal(operations(f, "a", "consumer", "", ""), 0);
    assert_int_equal(operations(f, "b", "consumer", "list", "consumer"), 101);
    assert_int_equal(operations(f, "nobody", "", "", ""), 0);
}

static uint64_t calls(const jaeger_dependencies *list, const char *parent, const char *child)
{
    for (size_t i = 0; i < list->count; i++)
        if (jg_str_is(list->items[i].parent, parent) && jg_str_is(list->items[i].child, child))
            return list->items[i].call_count;
    return 0;
}

static void store_counts_dependencies(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_DEPENDENCIES);
    const span_spec first[] = {
        {.trace = 1, .id = 1, .service = "a", .start = 10 * SEC},
        {.trace = 1, .id = 2, .parent = 1, .service = "b", .start = 11 * SEC},
        {.trace = 1, .id = 3, .parent = 1, .service = "b", .start = 12 * SEC},
        {.trace = 1, .id = 4, .parent = 99, .service = "c", .start = 13 * SEC}, /* unknown parent: none */
    };
    const span_spec second[] = {
        {.trace = 1, .id = 5, .parent = 2, .service = "b", .start = 14 * SEC}, /* within one service */
        {.trace = 2, .id = 1, .parent = 2, .service = "c", .start = 20 * SEC}, /* the parent comes later */
        {.trace = 2, .id = 2, .service = "a", .start = 19 * SEC},
    };
    write_specs(f, first, JG_COUNT(first));
    write_specs(f, second, JG_COUNT(second));
    jaeger_dependencies got = {0};
    assert_ok(f->storage.driver->dependencies(f->storage.self, BASE, BASE + 100 * SEC, &got, &f->call));
    assert_int_equal(got.count, 3);
    assert_int_equal(calls(&got, "a", "b"), 2);
    assert_int_equal(calls(&got, "b", "b"), 1);
    assert_int_equal(calls(&got, "a", "c"), 1);
    got = (jaeger_dependencies){0};
    assert_ok(f->storage.driver->dependencies(f->storage.self, BASE + 3600 * SEC, BASE + 7200 * SEC, &got,
                                              &f->call));
    assert_int_equal(got.count, 0);
}

/* ---- tenants, purge
 * -------------------------------------------------------------------------------------------- */

static size_t found_by(fixture *f, jaeger_call *call)
{
    jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("a")};
    gathered got = {0};
    jaeger_trace_ref ref = {0};
    trace_id_of(0, 1, ref.trace_id);
    assert_ok(f->storage.driver->find_traces(f->storage.self, &query, gather_into(&got), call));
    size_t found = got.trace_count;
    gathered_done(&got);
    assert_ok(f->storage.driver->get_traces(f->storage.self, &ref, 1, gather_into(&got), call));
    assert_int_equal(got.trace_count, found);
    gathered_done(&got);
    return found;
}

static void store_keeps_tenants_apart(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_TENANTS);
    jaeger_call acme = fixture_call(f, "acme"), other = fixture_call(f, "other"),
                odd = fixture_call(f, "../../acme\n");
    const span_spec spec = {.trace = 1, .id = 1, .service = "a"};
    assert_ok(f->storage.driver->write(f->storage.self, make_batch(&spec, 1), &acme));
    assert_int_equal(found_by(f, &acme), 1);
    assert_int_equal(found_by(f, &other), 0);
    assert_int_equal(found_by(f, &odd), 0);
    assert_int_equal(found_by(f, &f->call), 0);
    assert_services(f, &acme, "a ");
    assert_services(f, &other, "");
    assert_services(f, &f->call, "");
    assert_ok(f->storage.driver->write(f->storage.self, make_batch(&spec, 1), &odd));
    assert_int_equal(found_by(f, &odd), 1);
    assert_ok(f->storage.driver->purge(f->storage.self, &odd));
    assert_int_equal(found_by(f, &odd), 0);
    assert_int_equal(found_by(f, &acme), 1);
}

static void store_forgets_all_when_purged(void **state)
{
    fixture *f = *state;
    write_specs(f, &(span_spec){.trace = 1, .id = 1, .service = "a"}, 1);
    assert_int_equal(found_by(f, &f->call), 1);
    assert_ok(f->storage.driver->purge(f->storage.self, &f->call));
    assert_int_equal(found_by(f, &f->call), 0);
    assert_services(f, &f->call, "");
    assert_int_equal(operations(f, "a", "", "", ""), 0);
    jaeger_dependencies deps = {0};
    if (f->storage.driver->dependencies)
        assert_ok(f->storage.driver->dependencies(f->storage.self, BASE, BASE + SEC, &deps, &f->call));
    assert_int_equal(deps.count, 0);
    write_specs(f, &(span_spec){.trace = 1, .id = 1, .service = "a"}, 1);
    assert_int_equal(found_by(f, &f->call), 1);
    assert_services(f, &f->call, "a ");
}

/* ---- sampling
 * --------------------------------------------------------------------------------------------------- */

static void store_keeps_throughput(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_SAMPLING);
    const jaeger_sampling_store *store = f->storage.driver->sampling;
    const jaeger_str probabilities[] = {JAEGER_STR("0.100000"), JAEGER_STR("0.500000")};
    for (uint64_t i = 1; i <= 3; i++) {
        jaeger_throughput items[] = {{JAEGER_STR("svc"), JAEGER_STR("op"), (int64_t)i, probabilities, 2},
                                     {JAEGER_STR("svc"), JAEGER_STR("op2"), 7, NULL, 0}};
        assert_ok(store->insert_throughput(f->storage.self, BASE + i * SEC, items, 2, &f->call));
    }
    jaeger_throughputs got = {0};
    assert_ok(store->get_throughput(f->storage.self, BASE + 1 * SEC, BASE + 2 * SEC, &got, &f->call));
    assert_int_equal(got.count, 2); /* start is exclusive, end inclusive */
    for (size_t i = 0; i < 2; i++) {
        bool with = jg_str_is(got.items[i].operation, "op");
        assert_str(got.items[i].service, "svc");
        assert_int_equal(got.items[i].count, with ? 2 : 7);
        assert_int_equal(got.items[i].probability_count, with ? 2 : 0);
    }
    got = (jaeger_throughputs){0};
    assert_ok(store->get_throughput(f->storage.self, 0, BASE + 9 * SEC, &got, &f->call));
    assert_int_equal(got.count, 6);
}

static void store_keeps_the_latest_probabilities(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_SAMPLING);
    const jaeger_sampling_store *store = f->storage.driver->sampling;
    jaeger_probabilities got = {0};
    assert_ok(store->get_probabilities(f->storage.self, &got, &f->call));
    assert_int_equal(got.count, 0);
    jaeger_probability items[] = {{JAEGER_STR("svc"), JAEGER_STR("op"), 0.25, 3},
                                  {JAEGER_STR("svc"), JAEGER_STR("op2"), 0.5, 4}};
    assert_ok(store->insert_probabilities(f->storage.self, JAEGER_STR("host"), items, 2, &f->call));
    assert_ok(store->insert_probabilities(f->storage.self, JAEGER_STR("host"), items, 1, &f->call));
    assert_ok(store->get_probabilities(f->storage.self, &got, &f->call));
    assert_int_equal(got.count, 1);
    assert_str(got.items[0].operation, "op");
    assert_true(got.items[0].probability == 0.25 && got.items[0].qps == 3);
}

static bool lease(fixture *f, const char *owner, uint64_t ttl_ns)
{
    bool held = false;
    assert_ok(f->storage.driver->sampling->acquire(f->storage.self, JAEGER_STR("leader"), jg_str(owner),
                                                   ttl_ns, &held, &f->call));
    return held;
}

static void store_leases_to_one_owner(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_SAMPLING);
    assert_true(lease(f, "one", 60 * SEC));
    assert_true(lease(f, "one", 60 * SEC)); /* renewed */
    assert_false(lease(f, "two", 60 * SEC));
    assert_ok(f->storage.driver->sampling->forfeit(f->storage.self, JAEGER_STR("leader"), JAEGER_STR("two"),
                                                   &f->call));
    assert_false(lease(f, "two", 60 * SEC));
    assert_ok(f->storage.driver->sampling->forfeit(f->storage.self, JAEGER_STR("leader"), JAEGER_STR("one"),
                                                   &f->call));
    assert_true(lease(f, "two", 60 * SEC));
    jg_clock_advance(61 * (int64_t)SEC);
    assert_true(lease(f, "one", 60 * SEC)); /* the other one's has run out */
}

/* ---- threads
 * ---------------------------------------------------------------------------------------------------- */

enum { WRITERS = 3, READERS = 2, ROUNDS = 60, SPANS = 20 };

typedef struct worker {
    fixture *f;
    uint64_t number;
    int *stop;
    jaeger_status failed;
} worker;

static void *write_many(void *arg)
{
    worker *w = arg;
    jaeger_call call = JAEGER_CALL_INIT;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        span_spec specs[SPANS];
        for (uint64_t i = 0; i < SPANS; i++) /* traces 1-10 get spans from all writers */
            specs[i] = (span_spec){.trace = i % 10 + 1,
                                   .id = w->number << 32 | round << 16 | (i + 1),
                                   .service = i % 2 ? "a" : "b",
                                   .start = round * SEC + i};
        jaeger_status status =
            w->f->storage.driver->write(w->f->storage.self, make_batch(specs, SPANS), &call);
        if (status != JAEGER_OK)
            w->failed = status;
    }
    return NULL;
}

static jaeger_status count_spans(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(size_t *)self += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void *read_many(void *arg)
{
    worker *w = arg;
    const jaeger_storage_driver *d = w->f->storage.driver;
    size_t before = 0;
    while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        jaeger_call call = JAEGER_CALL_INIT;
        call.arena = arena;
        jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("a"), .limit = 5};
        jaeger_trace_ref ref = {0};
        trace_id_of(0, 3, ref.trace_id);
        size_t n = 0, found = 0;
        jaeger_strs services = {0};
        jaeger_status status =
            d->get_traces(w->f->storage.self, &ref, 1, (jaeger_consumer){count_spans, &n}, &call);
        if (status == JAEGER_OK && n < before)
            status = JAEGER_DATA_LOSS; /* spans never go away here */
        before = n;
        if (status == JAEGER_OK)
            status =
                d->find_traces(w->f->storage.self, &query, (jaeger_consumer){count_spans, &found}, &call);
        if (status == JAEGER_OK)
            status = d->services(w->f->storage.self, &services, &call);
        if (status != JAEGER_OK)
            w->failed = status;
    }
    return NULL;
}

static void store_serves_readers_beside_writers(void **state)
{
    fixture *f = *state;
    int stop = 0;
    pthread_t threads[WRITERS + READERS];
    worker workers[WRITERS + READERS];
    for (uint64_t i = 0; i < WRITERS + READERS; i++) {
        workers[i] = (worker){f, i + 1, &stop, JAEGER_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, i < WRITERS ? write_many : read_many, &workers[i]),
                         0);
    }
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = WRITERS; i < WRITERS + READERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < WRITERS + READERS; i++)
        assert_ok(workers[i].failed);
    size_t spans = 0;
    for (uint64_t t = 1; t <= 10; t++) {
        gathered got;
        get_one(f, t, &got);
        spans += gathered_spans(&got);
        gathered_done(&got);
    }
    assert_int_equal(spans, WRITERS * ROUNDS * SPANS);
}

/* ---- faults
 * ----------------------------------------------------------------------------------------------------- */

/** Fail the n-th allocation of `run` for n = 0, 1, … until it succeeds. */
static void sweep(fixture *f, jaeger_status (*run)(fixture *f, void *arg), void *arg)
{
    for (long n = 0;; n++) {
        assert_true(n < 100000);
        jg_alloc_fail_after(n);
        jaeger_status status = run(f, arg);
        jg_alloc_fail_after(-1);
        if (status == JAEGER_OK)
            return;
        assert_int_equal(status, JAEGER_RESOURCE_EXHAUSTED);
    }
}

static jaeger_status run_write(fixture *f, void *arg)
{
    jaeger_call call = fixture_call(f, "");
    return f->storage.driver->write(f->storage.self, jaeger_batch_ref(arg), &call);
}

static jaeger_status run_find(fixture *f, void *arg)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    if (!arena)
        return JAEGER_RESOURCE_EXHAUSTED;
    jaeger_call call = fixture_call(f, "");
    call.arena = arena;
    size_t n = 0;
    return f->storage.driver->find_traces(f->storage.self, arg, (jaeger_consumer){count_spans, &n}, &call);
}

static jaeger_status run_lists(fixture *f, void *arg)
{
    (void)arg;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    if (!arena)
        return JAEGER_RESOURCE_EXHAUSTED;
    jaeger_call call = fixture_call(f, "");
    call.arena = arena;
    jaeger_strs services = {0};
    jaeger_operations ops = {0};
    jaeger_dependencies deps = {0};
    const jaeger_storage_driver *d = f->storage.driver;
    jaeger_status status = d->services(f->storage.self, &services, &call);
    if (status == JAEGER_OK)
        status = d->operations(f->storage.self, JAEGER_STR("a"), (jaeger_str){0}, &ops, &call);
    if (status == JAEGER_OK && d->dependencies)
        status = d->dependencies(f->storage.self, BASE, BASE + 100 * SEC, &deps, &call);
    return status;
}

static void store_survives_failing_allocations(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_FAULTS);
    span_spec specs[40];
    for (uint64_t i = 0; i < JG_COUNT(specs); i++)
        specs[i] = (span_spec){.trace = i % 7 + 1,
                               .id = i + 1,
                               .parent = i,
                               .service = i % 2 ? "a" : "b",
                               .start = i * SEC,
                               .tag_key = "k",
                               .tag_value = "v"};
    JG_AUTO_BATCH jaeger_batch *batch = make_batch(specs, JG_COUNT(specs));
    sweep(f, run_write, batch);
    jaeger_attr attr = {.key = JAEGER_STR("k"), .value = {JAEGER_VALUE_STRING, .u.s = {"v", 1}}};
    jaeger_trace_query query = {
        .size = sizeof query, .service = JAEGER_STR("a"), .attrs = &attr, .attr_count = 1};
    sweep(f, run_find, &query);
    sweep(f, run_lists, NULL);
    gathered got;
    get_one(f, 1, &got);
    for (size_t i = 0; i < JG_COUNT(specs); i += 7)
        assert_non_null(gathered_span(&got, specs[i].id)); /* at least once each */
    gathered_done(&got);
}

const struct CMUnitTest rest_tests[] = {
    TEST(store_lists_services_and_operations),
    TEST(store_counts_dependencies),
    TEST(store_keeps_tenants_apart),
    TEST(store_forgets_all_when_purged),
    TEST(store_keeps_throughput),
    TEST(store_keeps_the_latest_probabilities),
    TEST(store_leases_to_one_owner),
    TEST(store_serves_readers_beside_writers),
    TEST(store_survives_failing_allocations),
};
const size_t rest_test_count = JG_COUNT(rest_tests);
