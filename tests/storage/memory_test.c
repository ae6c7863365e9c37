/* SPDX-License-Identifier: Apache-2.0
 * What the memory store promises beyond the conformance suite: ceilings, oldest out first, bounded names.
 */
#include "conform/fixture.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "storage/memory/store.h"
#include "storage/open.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

extern const jaeger_storage_driver jg_storage_memory;

static const jaeger_logger silent;

typedef struct opened {
    jaeger_storage storage;
    jg_mem_store *store;
    jaeger_config *config;
    jaeger_arena *arena;
    jaeger_call call;
} opened;

static jaeger_status open_with(const char *yaml, opened *ret, jaeger_error *err)
{
    *ret = (opened){.arena = jaeger_arena_new(0), .call = JAEGER_CALL_INIT};
    ret->call.arena = ret->arena;
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &ret->config, err));
    jaeger_status status =
        jg_storage_open(&jg_storage_memory, ret->config, &silent, NULL, &ret->storage, err);
    ret->store = ret->storage.self;
    return status;
}

static void close_it(opened *o)
{
    jg_storage_close(&o->storage);
    jaeger_config_free(o->config);
    jaeger_arena_free(o->arena);
}

static jaeger_status write_one(opened *o, const span_spec *spec)
{
    return jg_mem_write(o->store, make_batch(spec, 1), &o->call);
}

static size_t spans_of(opened *o, uint64_t trace)
{
    gathered got = {0};
    jaeger_trace_ref ref = {0};
    trace_id_of(0, trace, ref.trace_id);
    assert_ok(jg_mem_get_traces(o->store, &ref, 1, gather_into(&got), &o->call));
    size_t n = gathered_spans(&got);
    gathered_done(&got);
    return n;
}

static void memory_refuses_a_ceiling_of_no_traces(void **state)
{
    (void)state;
    static const char *const yamls[] = {"max_traces: 0", "max_traces: -1"};
    for (size_t i = 0; i < JG_COUNT(yamls); i++) {
        opened o;
        jaeger_error err = {0};
        assert_int_equal(open_with(yamls[i], &o, &err), JAEGER_INVALID_ARGUMENT);
        assert_string_equal(err.message, "max traces must be greater than zero");
        close_it(&o);
    }
}

static void memory_drops_the_oldest_trace_above_max_traces(void **state)
{
    (void)state;
    opened o;
    assert_ok(open_with("max_traces: 100", &o, NULL));
    for (uint64_t t = 1; t <= 1000; t++) {
        assert_ok(write_one(&o, &(span_spec){.trace = t, .id = 1, .service = "a", .start = 1000 - t}));
        /* a later span does not make a trace younger */
        assert_ok(write_one(&o, &(span_spec){.trace = t > 50 ? t - 50 : t, .id = 2, .service = "a"}));
        assert_true(o.store->all->traces <= 100);
    }
    for (uint64_t t = 1; t <= 1000; t++)
        assert_int_equal(spans_of(&o, t) > 0, t > 900);
    close_it(&o);
}

static void memory_stays_under_max_bytes(void **state)
{
    (void)state;
    opened o;
    assert_ok(open_with("max_bytes: 2000000", &o, NULL));
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    for (uint64_t t = 1; t <= 5000; t++) {
        span_spec specs[3] = {{.trace = t, .id = 1, .service = "a", .tag_key = "k", .tag_value = value},
                              {.trace = t, .id = 2, .service = "b"},
                              {.trace = t * 7 % 5000, .id = 3, .service = "c"}};
        assert_ok(jg_mem_write(o.store, make_batch(specs, 3), &o.call));
        assert_true(o.store->bytes <= 2000000);
    }
    assert_true(o.store->bytes > 1500000);
    assert_int_equal(spans_of(&o, 1), 0);
    assert_true(spans_of(&o, 5000) >= 2);
    assert_ok(o.storage.driver->purge(o.store, &o.call));
    assert_true(o.store->bytes < 400000); /* tables stay */
    close_it(&o);
}

static void memory_gives_every_byte_back(void **state)
{
    (void)state;
    opened o;
    assert_ok(open_with("max_bytes: 10000000", &o, NULL));
    for (uint64_t t = 1; t <= 3000; t++)
        assert_ok(write_one(&o, &(span_spec){.trace = t, .id = 1, .service = t % 3 ? "a" : "b"}));
    jaeger_throughput item = {JAEGER_STR("s"), JAEGER_STR("o"), 1, NULL, 0};
    assert_ok(jg_mem_sampling_store.insert_throughput(o.store, 1, &item, 1, &o.call));
    jg_mem_tenant *tenant = o.store->all;
    o.store->all = NULL; /* by hand, so that the count can be read afterwards */
    jg_mem_tenant_free(tenant);
    assert_int_equal(o.store->bytes, 0);
    close_it(&o);
}

/** Twice as much as there is room for, so that all of it goes through extents that were emptied. */
static void memory_fills_emptied_extents_again(void **state)
{
    (void)state;
    enum { CEILING = 64 << 20, TRACES = 40000 };
    opened o;
    size_t most_spare = 0;
    char yaml[64];
    (void)snprintf(yaml, sizeof yaml, "max_bytes: %d", CEILING);
    assert_ok(open_with(yaml, &o, NULL));
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    for (uint64_t t = 1; t <= TRACES; t++) {
        span_spec spec = {.trace = t, .id = 1, .service = "a", .tag_key = "k", .tag_value = value};
        assert_ok(write_one(&o, &spec));
        assert_true(o.store->bytes <= CEILING);
        most_spare = JG_MAX(most_spare, o.store->spares.bytes);
    }
    assert_in_range(most_spare, 1, CEILING / 32);
    assert_true(o.store->bytes > CEILING / 10 * 9);
    uint64_t kept = o.store->all->traces;
    assert_in_range(kept, CEILING / 4096, CEILING / sizeof value); /* a chunk is little more than its span */
    for (uint64_t t = 1; t <= TRACES; t++)
        assert_int_equal(spans_of(&o, t), t > TRACES - kept ? 1 : 0);
    close_it(&o);
}

static void memory_refuses_a_trace_larger_than_its_ceiling(void **state)
{
    (void)state;
    opened o;
    assert_ok(open_with("max_bytes: 500000", &o, NULL));
    static char value[1000000];
    memset(value, 'v', sizeof value - 1);
    span_spec big = {.trace = 1, .id = 1, .service = "a", .tag_key = "k", .tag_value = value};
    assert_int_equal(write_one(&o, &big), JAEGER_RESOURCE_EXHAUSTED);
    assert_true(o.store->bytes <= 500000);
    assert_ok(write_one(&o, &(span_spec){.trace = 2, .id = 1, .service = "a"}));
    assert_int_equal(spans_of(&o, 2), 1);
    close_it(&o);
}

static void memory_makes_the_biggest_tenant_pay(void **state)
{
    (void)state;
    opened o;
    assert_ok(open_with("max_bytes: 2000000", &o, NULL));
    o.call.tenant = JAEGER_STR("quiet");
    assert_ok(write_one(&o, &(span_spec){.trace = 1, .id = 1, .service = "a"}));
    o.call.tenant = JAEGER_STR("loud");
    for (uint64_t t = 1; t <= 5000; t++)
        assert_ok(write_one(&o, &(span_spec){.trace = t, .id = 1, .service = "a"}));
    assert_int_equal(spans_of(&o, 1), 0);
    o.call.tenant = JAEGER_STR("quiet");
    assert_int_equal(spans_of(&o, 1), 1);
    close_it(&o);
}

static void memory_bounds_names(void **state)
{
    (void)state;
    opened o;
    assert_ok(open_with("max_bytes: 4000000", &o, NULL));
    for (unsigned i = 0; i < 4000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "op-%u", i);
        assert_ok(write_one(&o, &(span_spec){.trace = i + 1, .id = 1, .service = "a", .name = name}));
    }
    jaeger_operations operations = {0};
    assert_ok(jg_mem_operations(o.store, JAEGER_STR("a"), (jaeger_str){0}, &operations, &o.call));
    assert_in_range(operations.count, 500, 3000); /* an eighth of the budget */
    assert_true(o.store->all->names.bytes <= 500000);
    assert_true(o.store->bytes <= 4000000);
    close_it(&o);
}

/** Reads and evicts at once: a pinned trace stays readable. */
typedef struct reader {
    opened *o;
    int *stop;
    size_t found;
} reader;

static jaeger_status look(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(size_t *)self += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void *read_all(void *arg)
{
    reader *r = arg;
    while (!__atomic_load_n(r->stop, __ATOMIC_RELAXED)) {
        jaeger_call call = JAEGER_CALL_INIT;
        jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("a"), .limit = 20};
        (void)jg_mem_find_traces(r->o->store, &query, (jaeger_consumer){look, &r->found}, &call);
    }
    return NULL;
}

static void memory_evicts_beside_readers(void **state)
{
    (void)state;
    opened o;
    int stop = 0;
    assert_ok(open_with("{max_traces: 200, max_bytes: 3000000}", &o, NULL));
    pthread_t threads[2];
    reader readers[2] = {{&o, &stop, 0}, {&o, &stop, 0}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    for (uint64_t t = 1; t <= 4000; t++)
        assert_ok(write_one(&o, &(span_spec){.trace = t, .id = 1, .service = "a", .start = t}));
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    close_it(&o);
}

/** More candidates than one round keeps, few of which match: the search goes on below them. */
static void memory_searches_on_below_its_candidates(void **state)
{
    (void)state;
    enum { TRACES = 90000, BATCH = 3000 };
    opened o;
    assert_ok(open_with("max_bytes: 400000000", &o, NULL));
    static span_spec specs[BATCH];
    for (uint64_t t = 1; t <= TRACES;) {
        size_t n = 0;
        for (; n < BATCH; n++, t++)
            specs[n] = (span_spec){
                .trace = t, .id = 1, .service = "a", .name = "x", .start = t, .duration = t <= 3 ? 50 : 100};
        assert_ok(jg_mem_write(o.store, make_batch(specs, BATCH), &o.call));
    }
    gathered got = {0};
    jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("a"), .duration_max_ns = 50};
    assert_ok(jg_mem_find_traces(o.store, &query, gather_into(&got), &o.call));
    assert_int_equal(got.trace_count, 3);
    assert_int_equal(got.traces[0], 3);
    assert_int_equal(got.traces[2], 1);
    gathered_done(&got);
    query.duration_max_ns = 0;
    query.limit = 50000;
    jaeger_trace_refs refs = {0};
    assert_ok(jg_mem_find_trace_ids(o.store, &query, &refs, &o.call));
    assert_int_equal(refs.count, 50000);
    for (uint64_t i = 0; i < refs.count; i++)
        assert_int_equal(trace_low(refs.items[i].trace_id), TRACES - i);
    close_it(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_refuses_a_ceiling_of_no_traces),
        cmocka_unit_test(memory_drops_the_oldest_trace_above_max_traces),
        cmocka_unit_test(memory_stays_under_max_bytes),
        cmocka_unit_test(memory_gives_every_byte_back),
        cmocka_unit_test(memory_fills_emptied_extents_again),
        cmocka_unit_test(memory_refuses_a_trace_larger_than_its_ceiling),
        cmocka_unit_test(memory_makes_the_biggest_tenant_pay),
        cmocka_unit_test(memory_bounds_names),
        cmocka_unit_test(memory_evicts_beside_readers),
        cmocka_unit_test(memory_searches_on_below_its_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
