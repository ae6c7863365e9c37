/* SPDX-License-Identifier: Apache-2.0
 * What the embedded store promises beyond the conformance suite: bytes come back as they came, searches agree
 * with a scan, old data goes, calls are counted over segment borders, the directory is guarded.
 */
#include "storage/embedded_fixture.h"

#include "core/clock.h"
#include "core/str.h"
#include "model/match.h"
#include "storage/open.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void embedded_returns_the_bytes_it_was_given(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    eb_init(&o);
    eb_start(&o, "");
    for (int i = 0; i < 4; i++) {
        eb_write_random(&o, &w, 200, 20);
        eb_assert_all_come_back(&o, &w, 20); /* from memory, from segments, and from both */
        if (i % 2 == 0)
            eb_flush(&o);
        eb_assert_all_come_back(&o, &w, 20);
    }
    eb_flush(&o);
    eb_stop(&o);
    eb_start(&o, "");
    eb_assert_all_come_back(&o, &w, 20);
    eb_written_done(&w);
    eb_done(&o);
}

/* ---- searches
 * ------------------------------------------------------------------------------------------------ */

typedef struct oracle_hit {
    uint8_t id;
    uint64_t start;
} oracle_hit;

static int oracle_order(const void *a, const void *b)
{
    const oracle_hit *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start ? -1 : 1) : 0;
}

/** The same search by looking at every span. @return hits, newest first */
static size_t oracle(const written *w, const jaeger_trace_query *query, oracle_hit *hits, jaeger_arena *arena)
{
    jg_match match;
    uint64_t best[256] = {0};
    bool found[256] = {false};
    size_t n = 0;
    assert_ok(jg_match_compile(&match, query, arena, NULL));
    for (size_t b = 0; b < w->count; b++) {
        for (size_t i = 0; i < jaeger_batch_span_count(w->batches[b]); i++) {
            const jaeger_span *span = &jaeger_batch_spans(w->batches[b])[i];
            uint8_t id = span->trace_id[15];
            if (!jg_match_span(&match, span))
                continue;
            best[id] = JG_MAX(best[id], span->start_unix_ns);
            found[id] = true;
        }
    }
    for (size_t id = 0; id < 256; id++)
        if (found[id])
            hits[n++] = (oracle_hit){(uint8_t)id, best[id]};
    qsort(hits, n, sizeof *hits, oracle_order);
    return JG_MIN(n, match.limit);
}

/** @return hits */
static size_t compare_search(opened *o, const written *w)
{
    jaeger_trace_query query;
    jaeger_attr attrs[4];
    char texts[8][64];
    oracle_hit want[256];
    jaeger_trace_refs got = {0};
    eb_random_query(&query, attrs, texts);
    size_t n = oracle(w, &query, want, o->arena);
    assert_ok(o->storage.driver->find_trace_ids(o->storage.self, &query, &got, &o->call));
    if (got.count != n)
        fail_msg("%zu traces instead of %zu: service %.*s operation %.*s attrs %zu (%s=%s) limit %u",
                 got.count, n, JAEGER_STR_ARGS(query.service), JAEGER_STR_ARGS(query.operation),
                 query.attr_count, texts[0], texts[1], query.limit);
    for (size_t i = 0; i < n; i++) {
        bool same = got.items[i].trace_id[15] == want[i].id;
        for (size_t k = 0; k < n && !same; k++) /* equal starts may come in any order */
            same = want[k].start == want[i].start && got.items[i].trace_id[15] == want[k].id;
        if (!same && i + 1 == n && n == query.limit)
            same = true; /* a tie at the limit */
        assert_true(same);
    }
    jaeger_arena_reset(o->arena);
    return n;
}

static void embedded_finds_what_a_scan_finds(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    size_t hits = 0;
    eb_init(&o);
    eb_start(&o, "");
    for (int round = 0; round < 8; round++) {
        eb_write_random(&o, &w, 300, 60);
        for (int i = 0; i < 400; i++)
            hits += compare_search(&o, &w);
        if (round % 3 != 2)
            eb_flush(&o);
    }
    assert_true(hits > 5000);
    eb_written_done(&w);
    eb_done(&o);
}

/* ---- the directory
 * --------------------------------------------------------------------------------------------- */

static void embedded_refuses_a_second_process(void **state)
{
    (void)state;
    opened o, second;
    jaeger_error err = {0};
    char pid[32];
    eb_init(&o);
    eb_start(&o, "");
    eb_init(&second);
    assert_int_equal(rmdir(second.dir), 0);
    memcpy(second.dir, o.dir, sizeof o.dir);
    assert_int_equal(eb_try_open(&second, &jg_storage_embedded, "", &err), JAEGER_FAILED_PRECONDITION);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    jaeger_config_free(second.config);
    jaeger_arena_free(second.arena);
    eb_done(&o);
}

static void embedded_refuses_a_later_format(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    char path[128];
    eb_init(&o);
    eb_start(&o, "");
    eb_stop(&o);
    (void)snprintf(path, sizeof path, "%s/FORMAT", o.dir);
    FILE *f = fopen(path, "w");
    (void)fputs("jaeger-c-store 9\n", f);
    (void)fclose(f);
    assert_int_equal(eb_try_open(&o, &jg_storage_embedded, "", &err), JAEGER_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "jaeger-c-store 9"));
    eb_done(&o);
}

static void embedded_needs_a_directory(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    eb_init(&o);
    assert_int_equal(rmdir(o.dir), 0);
    char dir[64];
    memcpy(dir, o.dir, sizeof dir);
    o.dir[0] = 0;
    assert_int_equal(eb_try_open(&o, &jg_storage_embedded, "", &err), JAEGER_INVALID_ARGUMENT);
    assert_ok(eb_try_open(&o, &jg_storage_embedded, ", ephemeral: true", &err));
    jg_engine *engine = o.storage.self;
    char root[128];
    (void)snprintf(root, sizeof root, "%s", engine->root);
    assert_int_equal(access(root, F_OK), 0);
    eb_stop(&o);
    assert_int_not_equal(access(root, F_OK), 0); /* gone */
    memcpy(o.dir, dir, sizeof dir);
    eb_done(&o);
}

static void badger_keys_open_the_embedded_store(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    char yaml[256];
    eb_init(&o);
    (void)snprintf(
        yaml, sizeof yaml,
        "{directories: {keys: /k, values: '%s'}, ephemeral: false, ttl: {spans: 48h}, consistency: true, "
        "maintenance_interval: 5m, metrics_update_interval: 10s, read_only: false}",
        o.dir);
    eb_keep_log(&o);
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &o.config, &err));
    assert_ok(jg_storage_open(&jg_storage_badger, o.config, &o.logger, NULL, &o.storage, &err));
    assert_non_null(strstr(o.log, "served by the embedded store"));
    const jg_engine *engine = o.storage.self;
    assert_int_equal(engine->config.store.ttl_ns, 48 * 3600 * SEC);
    eb_done(&o);
}

/* ---- retention
 * ------------------------------------------------------------------------------------------------- */

static size_t count_files(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    struct dirent *entry;
    while (d && (entry = readdir(d)) != NULL)
        n += entry->d_name[0] != '.';
    if (d)
        (void)closedir(d);
    return n;
}

static jaeger_status consume_and_retain(void *self, jaeger_batch *take, jaeger_call *call)
{
    opened *o = self;
    (void)call;
    jaeger_batch_unref(take);
    jg_clock_advance(100 * 3600 * (int64_t)SEC);
    (void)jg_store_retain(eb_store_of(o), jg_store_now(eb_store_of(o)));
    return JAEGER_OK;
}

static void embedded_drops_what_is_old_and_lets_readers_finish(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    char dir[128];
    eb_init(&o);
    eb_start(&o, ", ttl: {spans: 72h}");
    (void)snprintf(dir, sizeof dir, "%s/t/default/seg", o.dir);
    for (int i = 0; i < 3; i++) { /* spans of 2023: what they say of their age does not matter */
        eb_write_random(&o, &w, 100, 20);
        eb_flush(&o);
    }
    assert_int_equal(count_files(dir), 3);
    assert_int_equal(jg_store_retain(eb_store_of(&o), jg_store_now(eb_store_of(&o))), 0);
    jaeger_trace_ref refs[20] = {0};
    for (size_t t = 0; t < 20; t++) {
        refs[t].trace_id[0] = 7;
        refs[t].trace_id[15] = (uint8_t)(t + 1);
    }
    jaeger_consumer out = {consume_and_retain, &o}; /* everything is dropped after the first trace */
    assert_ok(o.storage.driver->get_traces(o.storage.self, refs, 20, out, &o.call));
    assert_int_equal(count_files(dir), 0);
    jaeger_strs services = {0};
    assert_ok(o.storage.driver->services(o.storage.self, &services, &o.call));
    assert_int_equal(services.count, 0);
    eb_stop(&o);
    eb_start(&o, "");
    written none = {0};
    eb_assert_all_come_back(&o, &none, 20);
    eb_written_done(&w);
    eb_done(&o);
}

static void embedded_keeps_its_disk_budget(void **state)
{
    (void)state;
    opened o;
    eb_init(&o);
    eb_start(&o, ", max_disk: 3000000");
    for (int i = 0; i < 60; i++) {
        jaeger_batch *batch = eb_random_batch(2000, 200);
        eb_write_take(&o, batch);
        eb_flush(&o);
        (void)jg_store_retain(eb_store_of(&o), jg_store_now(eb_store_of(&o)));
        assert_true(jg_store_disk_bytes(eb_store_of(&o)) <=
                    3000000 + 1500000); /* the log that is being filled */
    }
    jg_snapshot *snapshot = jg_snapshot_take(eb_store_of(&o));
    assert_in_range(snapshot->seg_count, 2, 59);
    jg_snapshot_unref(snapshot);
    eb_done(&o);
}

/* ---- dependencies over segment borders
 * ------------------------------------------------------------------------- */

static void write_one(opened *o, uint64_t trace, uint64_t id, uint64_t parent, const char *service)
{
    const span_spec spec = {
        .trace = trace, .id = id, .parent = parent, .service = service, .start = id * SEC};
    eb_write_take(o, make_batch(&spec, 1));
}

static void assert_calls(opened *o, uint64_t ab, uint64_t bc)
{
    jaeger_dependencies got = {0};
    uint64_t have[2] = {0};
    assert_ok(o->storage.driver->dependencies(o->storage.self, BASE, BASE + 3600 * SEC, &got, &o->call));
    for (size_t i = 0; i < got.count; i++) {
        if (jg_str_is(got.items[i].parent, "a") && jg_str_is(got.items[i].child, "b"))
            have[0] = got.items[i].call_count;
        if (jg_str_is(got.items[i].parent, "b") && jg_str_is(got.items[i].child, "c"))
            have[1] = got.items[i].call_count;
    }
    assert_int_equal(have[0], ab);
    assert_int_equal(have[1], bc);
}

static void embedded_counts_calls_over_segment_borders(void **state)
{
    (void)state;
    opened o;
    eb_init(&o);
    eb_start(&o, "");
    write_one(&o, 1, 1, 0, "a");
    eb_flush(&o);
    write_one(&o, 1, 2, 1, "b"); /* the parent is in an older segment */
    assert_calls(&o, 1, 0);
    eb_flush(&o);
    assert_calls(&o, 1, 0);
    write_one(&o, 2, 2, 1, "b"); /* the parent comes later */
    eb_flush(&o);
    assert_calls(&o, 1, 0);
    write_one(&o, 2, 1, 0, "a");
    assert_calls(&o, 2, 0);
    eb_flush(&o);
    assert_calls(&o, 2, 0);
    write_one(&o, 3, 3, 2, "c"); /* waits over a restart */
    eb_flush(&o);
    eb_stop(&o);
    eb_start(&o, "");
    write_one(&o, 3, 2, 0, "b");
    eb_flush(&o);
    assert_calls(&o, 2, 1);
    eb_stop(&o);
    eb_start(&o, "");
    assert_calls(&o, 2, 1);
    eb_done(&o);
}

/** Parents in a segment are looked up by their id there; the ids of a small trace stand among them. */
static void embedded_counts_calls_of_large_traces_over_segment_borders(void **state)
{
    (void)state;
    enum { SPANS = 3000, SMALL = 3 };
    static span_spec specs[SPANS + SMALL];
    opened o;
    eb_init(&o);
    eb_start(&o, "");
    for (int child = 0; child < 2; child++) {
        for (uint64_t i = 0; i < SPANS + SMALL; i++) {
            uint64_t id = 1 + (i * 2654435761u & 0xffffffff); /* in no order */
            specs[i] = (span_spec){.trace = i < SPANS ? 7 : 8,
                                   .id = child ? id + (1ull << 40) : id,
                                   .parent = child ? id : 0,
                                   .service = child ? "b" : "a",
                                   .start = SEC};
        }
        eb_write_take(&o, make_batch(specs, SPANS + SMALL));
        assert_calls(&o, child ? SPANS + SMALL : 0, 0); /* in memory */
        eb_flush(&o);
    }
    assert_calls(&o, SPANS + SMALL, 0);
    write_one(&o, 7, 9, 1ull << 50, "b"); /* a parent that nobody has */
    write_one(&o, 8, 10, 1, "b");         /* one that only the other trace has */
    eb_flush(&o);
    assert_calls(&o, SPANS + SMALL, 0);
    eb_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded_returns_the_bytes_it_was_given),
        cmocka_unit_test(embedded_finds_what_a_scan_finds),
        cmocka_unit_test(embedded_refuses_a_second_process),
        cmocka_unit_test(embedded_refuses_a_later_format),
        cmocka_unit_test(embedded_needs_a_directory),
        cmocka_unit_test(badger_keys_open_the_embedded_store),
        cmocka_unit_test(embedded_drops_what_is_old_and_lets_readers_finish),
        cmocka_unit_test(embedded_keeps_its_disk_budget),
        cmocka_unit_test(embedded_counts_calls_over_segment_borders),
        cmocka_unit_test(embedded_counts_calls_of_large_traces_over_segment_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
