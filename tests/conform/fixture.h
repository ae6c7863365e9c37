/* SPDX-License-Identifier: Apache-2.0
 * What the storage conformance tests share: an open store, short ways to make spans, and a consumer that
 * gathers what a store hands out and checks the rules of chunks.
 */
#ifndef JG_CONFORM_FIXTURE_H
#define JG_CONFORM_FIXTURE_H

#include "conform/storage_conform.h"
#include "core/arena.h"
#include "core/attr.h"
#include "model/batch.h"
#include "support/test.h"
#include <jaeger/storage.h>

#define SEC  1000000000ull
#define BASE (1700000000ull * SEC) /* a whole second in 2023 */

typedef struct fixture {
    const char *driver, *yaml;
    unsigned skips;
    char dir[64];
    jaeger_config *config;
    jaeger_storage storage;
    jaeger_arena *arena;
    jaeger_call call; /* of the default tenant; no deadline */
} fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_open(fixture *f); /* on the same directory */
void fixture_close(fixture *f);
/** A call with its own tenant, on the fixture's arena. */
jaeger_call fixture_call(fixture *f, const char *tenant);

/** A span for tests; zero values are defaults. Attributes are added by the maker. */
typedef struct span_spec {
    uint64_t trace; /* last 8 bytes of the trace id; the first are `trace_high` */
    uint64_t trace_high;
    uint64_t id, parent;
    const char *service, *name;
    uint32_t kind, status;
    uint64_t start, duration;        /* ns after BASE; 0: 1 ms */
    const char *tag_key, *tag_value; /* a string attribute of the span */
} span_spec;

void make_span(jaeger_builder *b, const span_spec *spec); /* resource, scope, span */
jaeger_batch *make_batch(const span_spec *specs, size_t n);
void write_batch(fixture *f, jaeger_batch *take);
void write_specs(fixture *f, const span_spec *specs, size_t n);
void trace_id_of(uint64_t high, uint64_t low, uint8_t ret[16]);
uint64_t trace_low(const uint8_t id[16]);

/** What a store handed out. */
typedef struct gathered {
    jaeger_batch **batches;
    size_t count, cap;
    uint64_t *traces; /* low halves of the ids, in order of arrival */
    size_t trace_count;
    size_t stop_after; /* answer CANCELLED after so many chunks; 0: never */
} gathered;

jaeger_consumer gather_into(gathered *g); /* checks: one trace a chunk, a trace's chunks consecutive */
void gathered_done(gathered *g);
size_t gathered_spans(const gathered *g);
const jaeger_span *gathered_span(const gathered *g, uint64_t span_id); /* NULL: none */

/** The spans of all batches are the same multiset: every field of span, resource and scope. */
void assert_same_spans(jaeger_batch *const *want, size_t want_count, const gathered *got);

void get_one(fixture *f, uint64_t trace, gathered *ret);
/** Find; asserts OK. */
void find(fixture *f, const jaeger_trace_query *query, gathered *ret);
/** The traces found are exactly these, in this order. */
void assert_found(fixture *f, const jaeger_trace_query *query, const uint64_t *want, size_t n);

/* the tests, by file */
extern const struct CMUnitTest write_tests[], search_tests[], rank_tests[], rest_tests[];
extern const size_t write_test_count, search_test_count, rank_test_count, rest_test_count;

#define SKIP_IF(f, what)                                                                                     \
    do {                                                                                                     \
        if ((f)->skips & (what))                                                                             \
            skip();                                                                                          \
    } while (0)
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

#endif
