/* SPDX-License-Identifier: Apache-2.0
 * Traces in order of duration, spans and errors, compared with a sort of all of them.
 */
#include "conform/fixture.h"
#include "core/str.h"
#include <stdlib.h>

#define TRACES 300u
#define SPANS  1200u

static span_spec specs[SPANS];

/** Spans of all traces in a mixed order, so that traces lie in many writes. */
static void make_specs(void)
{
    uint32_t x = 12345;
    for (uint32_t i = 0; i < SPANS; i++) {
        x = x * 1664525u + 1013904223u;
        uint32_t random = x >> 8;
        specs[i] = (span_spec){.trace = 1 + random % TRACES,
                               .trace_high = random % 3,
                               .id = i + 1,
                               .service = random % 7 ? "a" : "b",
                               .name = random % 11 ? "often" : "seldom",
                               .status = random % 5 ? 0 : JAEGER_STATUS_ERROR,
                               .start = random % 1000 * SEC,
                               .duration = random % 13 * SEC + 1,
                               .tag_key = "tag",
                               .tag_value = random % 17 ? "x" : "y"};
        specs[i].trace_high = specs[i].trace % 3; /* a trace has one id */
    }
}

typedef struct fact {
    jaeger_rank rank;
    uint64_t start, last;
    bool there, matches;
} fact;

static bool matches(const jaeger_trace_query *query, const span_spec *spec)
{
    uint64_t start = BASE + spec->start;
    const jaeger_attr *tag = query->attr_count ? query->attrs : NULL;
    return (!query->service.len || jg_str_is(query->service, spec->service)) &&
           (!query->operation.len || jg_str_is(query->operation, spec->name)) &&
           (!tag || jg_str_is(tag->value.u.s, spec->tag_value)) && start >= query->start_min_unix_ns &&
           (!query->start_max_unix_ns || start <= query->start_max_unix_ns) &&
           spec->duration >= query->duration_min_ns &&
           (!query->duration_max_ns || spec->duration <= query->duration_max_ns);
}

static int best_first(const void *a, const void *b)
{
    const fact *x = a, *y = b;
    if (x->rank.key != y->rank.key)
        return x->rank.key > y->rank.key ? -1 : 1;
    return memcmp(x->rank.trace_id, y->rank.trace_id, 16);
}

/** @return how many match; they come first */
static size_t expect(const jaeger_trace_query *query, jaeger_order order, fact all[TRACES])
{
    size_t n = 0;
    memset(all, 0, TRACES * sizeof *all);
    for (uint32_t i = 0; i < SPANS; i++) {
        fact *f = &all[specs[i].trace - 1];
        uint64_t start = BASE + specs[i].start, last = start + specs[i].duration;
        trace_id_of(specs[i].trace_high, specs[i].trace, f->rank.trace_id);
        f->start = f->there ? JG_MIN(f->start, start) : start;
        f->last = JG_MAX(f->last, last);
        f->there = true;
        f->matches = f->matches || matches(query, &specs[i]);
        if (order == JAEGER_ORDER_MOST_SPANS)
            f->rank.key++;
        else if (order == JAEGER_ORDER_MOST_ERRORS)
            f->rank.key += specs[i].status == JAEGER_STATUS_ERROR;
    }
    for (uint32_t t = 0; t < TRACES; t++) {
        if (order == JAEGER_ORDER_LONGEST)
            all[t].rank.key = all[t].last - all[t].start;
        if (all[t].matches)
            all[n++] = all[t];
    }
    qsort(all, n, sizeof *all, best_first);
    return n;
}

typedef struct taken {
    const fact *want;
    size_t count, max;
} taken;

static jaeger_status take(void *self, const jaeger_trace_ref *ref, const jaeger_rank *rank, jaeger_call *call)
{
    taken *t = self;
    (void)call;
    if (t->count == t->max)
        return JAEGER_CANCELLED;
    assert_memory_equal(rank->trace_id, t->want[t->count].rank.trace_id, 16);
    assert_int_equal(rank->key, t->want[t->count].rank.key);
    assert_memory_equal(ref->trace_id, rank->trace_id, 16);
    t->count++;
    return JAEGER_OK;
}

static void assert_ranked(fixture *f, const jaeger_trace_query *query, jaeger_order order)
{
    static fact want[TRACES];
    size_t n = expect(query, order, want), half = n / 2;
    const jaeger_storage_driver *driver = f->storage.driver;
    taken all = {want, 0, TRACES + 1};
    assert_ok(
        driver->rank_traces(f->storage.self, query, order, NULL, (jaeger_rank_sink){take, &all}, &f->call));
    assert_int_equal(all.count, n);
    if (n == 0)
        return;
    taken rest = {want + half + 1, 0, TRACES};
    assert_ok(driver->rank_traces(f->storage.self, query, order, &want[half].rank,
                                  (jaeger_rank_sink){take, &rest}, &f->call));
    assert_int_equal(rest.count, n - half - 1);
    taken few = {want, 0, half};
    assert_int_equal(
        driver->rank_traces(f->storage.self, query, order, NULL, (jaeger_rank_sink){take, &few}, &f->call),
        JAEGER_CANCELLED);
    assert_int_equal(few.count, half);
}

static void store_ranks_whole_traces(void **state)
{
    fixture *f = *state;
    const jaeger_attr tag = {.key = JAEGER_STR("tag"),
                             .value = {JAEGER_VALUE_STRING, .u.s = JAEGER_STR("y")}};
    const jaeger_trace_query base = {.size = sizeof base, .limit = 20};
    jaeger_trace_query queries[] = {base, base, base, base, base, base, base};
    queries[1].service = JAEGER_STR("b");
    queries[2].service = JAEGER_STR("a");
    queries[2].operation = JAEGER_STR("seldom");
    queries[3].attrs = &tag;
    queries[3].attr_count = 1;
    queries[4].start_min_unix_ns = BASE + 200 * SEC;
    queries[4].start_max_unix_ns = BASE + 230 * SEC;
    queries[5].duration_min_ns = 12 * SEC;
    queries[6].service = JAEGER_STR("nobody");
    if (!f->storage.driver->rank_traces)
        skip();
    make_specs();
    for (size_t at = 0; at < SPANS; at += 40)
        write_specs(f, specs + at, 40);
    for (size_t i = 0; i < JG_COUNT(queries); i++)
        for (int order = JAEGER_ORDER_LONGEST; order <= JAEGER_ORDER_MOST_ERRORS; order++)
            assert_ranked(f, &queries[i], (jaeger_order)order);
}

const struct CMUnitTest rank_tests[] = {TEST(store_ranks_whole_traces)};
const size_t rank_test_count = JG_COUNT(rank_tests);
