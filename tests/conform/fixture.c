/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/fixture.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/pb.h"
#include "core/str.h"
#include "registry.h"
#include "storage/open.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static fixture chosen; /* driver, yaml, skips */

/* ---- the store
 * -------------------------------------------------------------------------------------------------- */

static const jaeger_storage_driver *driver_named(const char *name)
{
    for (size_t i = 0; jg_registry_drivers[i]; i++)
        if (strcmp(jg_registry_drivers[i]->name, name) == 0)
            return jg_registry_drivers[i];
    fail_msg("no driver '%s'", name);
    return NULL;
}

static const jaeger_logger silent;

void fixture_open(fixture *f)
{
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf yaml = JG_BUF_INIT(1 << 20);
    for (const char *at = f->yaml; *at;) {
        if (strncmp(at, "@TMP@", 5) == 0) {
            jg_buf_str(&yaml, jg_str(f->dir));
            at += 5;
        } else {
            jg_buf_byte(&yaml, (uint8_t)*at++);
        }
    }
    assert_true(jg_buf_ok(&yaml));
    if (jaeger_config_parse(jg_buf_view(&yaml), "conform", &f->config, &err) != JAEGER_OK ||
        jg_storage_open(driver_named(f->driver), f->config, &silent, NULL, &f->storage, &err) != JAEGER_OK)
        fail_msg("open: %s", err.message);
}

void fixture_close(fixture *f)
{
    jg_storage_close(&f->storage);
    jaeger_config_free(f->config);
    f->config = NULL;
}

int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *f = chosen;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/jg-conform-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = jaeger_arena_new(0);
    f->call = fixture_call(f, "");
    fixture_open(f);
    if (f->skips & JG_SHARED_STORE)
        assert_ok(f->storage.driver->purge(f->storage.self, &f->call));
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat, (void)flag, (void)walk;
    return remove(path);
}

int fixture_teardown(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    jaeger_arena_free(f->arena);
    (void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

jaeger_call fixture_call(fixture *f, const char *tenant)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.tenant = jg_str(tenant);
    call.arena = f->arena;
    return call;
}

/* ---- making spans
 * ----------------------------------------------------------------------------------------------- */

void trace_id_of(uint64_t high, uint64_t low, uint8_t ret[16])
{
    for (int i = 0; i < 8; i++) {
        ret[i] = (uint8_t)(high >> (56 - 8 * i));
        ret[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}

uint64_t trace_low(const uint8_t id[16])
{
    uint64_t low = 0;
    for (int i = 8; i < 16; i++)
        low = low << 8 | id[i];
    return low;
}

static void span_id_of(uint64_t number, uint8_t ret[8])
{
    uint8_t id[16];
    trace_id_of(0, number, id);
    memcpy(ret, id + 8, 8);
}

void make_span(jaeger_builder *b, const span_spec *s)
{
    jaeger_builder_resource(b, (jaeger_str){0});
    if (s->service)
        jaeger_builder_attr_str(b, JAEGER_STR("service.name"), jg_str(s->service));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1"), (jaeger_str){0});
    jaeger_span_start start = {.name = jg_str(s->name ? s->name : "op"),
                               .kind = s->kind,
                               .start_unix_ns = BASE + s->start,
                               .end_unix_ns = BASE + s->start + (s->duration ? s->duration : 1000000)};
    trace_id_of(s->trace_high, s->trace, start.trace_id);
    span_id_of(s->id, start.span_id);
    span_id_of(s->parent, start.parent_span_id);
    jaeger_builder_span(b, &start);
    if (s->tag_key)
        jaeger_builder_attr_str(b, jg_str(s->tag_key), jg_str(s->tag_value));
    if (s->status)
        jaeger_builder_status(b, s->status, (jaeger_str){0});
}

jaeger_batch *make_batch(const span_spec *specs, size_t n)
{
    jaeger_batch *batch = NULL;
    jaeger_builder *b = jaeger_builder_new(64u << 20);
    for (size_t i = 0; i < n; i++)
        make_span(b, &specs[i]);
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

void write_batch(fixture *f, jaeger_batch *take)
{
    if (f->storage.driver->write(f->storage.self, take, &f->call) != JAEGER_OK)
        fail_msg("write: %s", f->call.error.message);
}

void write_specs(fixture *f, const span_spec *specs, size_t n)
{
    write_batch(f, make_batch(specs, n));
}

/* ---- gathering
 * -------------------------------------------------------------------------------------------------- */

static jaeger_status gather(void *self, jaeger_batch *take, jaeger_call *call)
{
    gathered *g = self;
    (void)call;
    const jaeger_span *spans = jaeger_batch_spans(take);
    size_t n = jaeger_batch_span_count(take);
    assert_true(n > 0);
    for (size_t i = 1; i < n; i++)
        assert_memory_equal(spans[i].trace_id, spans[0].trace_id, 16);
    uint64_t trace = trace_low(spans[0].trace_id);
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 64;
        g->batches = realloc(g->batches, g->cap * sizeof *g->batches);
        g->traces = realloc(g->traces, g->cap * sizeof *g->traces);
    }
    g->batches[g->count++] = take;
    if (!g->trace_count || g->traces[g->trace_count - 1] != trace) {
        for (size_t i = 0; i < g->trace_count && g->trace_count < 1000; i++)
            assert_int_not_equal(g->traces[i], trace); /* its chunks were not consecutive */
        g->traces[g->trace_count++] = trace;
    }
    return g->stop_after && g->count >= g->stop_after ? JAEGER_CANCELLED : JAEGER_OK;
}

jaeger_consumer gather_into(gathered *g)
{
    return (jaeger_consumer){gather, g};
}

void gathered_done(gathered *g)
{
    for (size_t i = 0; i < g->count; i++)
        jaeger_batch_unref(g->batches[i]);
    free(g->batches);
    free(g->traces);
    *g = (gathered){0};
}

size_t gathered_spans(const gathered *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++)
        n += jaeger_batch_span_count(g->batches[i]);
    return n;
}

const jaeger_span *gathered_span(const gathered *g, uint64_t span_id)
{
    uint8_t id[8];
    span_id_of(span_id, id);
    for (size_t i = 0; i < g->count; i++)
        for (size_t k = 0; k < jaeger_batch_span_count(g->batches[i]); k++)
            if (memcmp(jaeger_batch_spans(g->batches[i])[k].span_id, id, 8) == 0)
                return &jaeger_batch_spans(g->batches[i])[k];
    return NULL;
}

/* ---- equality
 * --------------------------------------------------------------------------------------------------- */

/** A message with its fields in order of their numbers: stores may reorder fields, not the items of a list.
 */
static void canonical(jg_buf *out, const void *bytes, size_t len)
{
    jg_buf_printf(out, "%zu:", len);
    for (uint32_t number = 1, next; number != UINT32_MAX; number = next) {
        next = UINT32_MAX;
        jg_pb pb = jg_pb_of(bytes, len);
        jg_pb_field field;
        while (jg_pb_next(&pb, &field)) {
            if (field.number == number)
                jg_buf_append(out, field.start, (size_t)(pb.pos - field.start));
            else if (field.number > number)
                next = JG_MIN(next, field.number);
        }
    }
}

static jaeger_str canonical_span(const jaeger_span *span)
{
    jg_buf out = JG_BUF_INIT(64u << 20);
    canonical(&out, span->bytes, span->len);
    jg_buf_lit(&out, "|resource ");
    canonical(&out, span->group->resource.ptr, span->group->resource.len);
    jg_buf_lit(&out, "|scope ");
    canonical(&out, span->group->scope.ptr, span->group->scope.len);
    jg_buf_lit(&out, "|urls ");
    jg_buf_str(&out, span->group->resource_schema_url);
    jg_buf_byte(&out, ' ');
    jg_buf_str(&out, span->group->scope_schema_url);
    assert_true(jg_buf_ok(&out));
    return (jaeger_str){(const char *)out.data, out.len};
}

static int str_order(const void *a, const void *b)
{
    return jg_str_cmp(*(const jaeger_str *)a, *(const jaeger_str *)b);
}

static jaeger_str *canonical_all(jaeger_batch *const *batches, size_t n, size_t *ret_count)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        total += jaeger_batch_span_count(batches[i]);
    jaeger_str *all = calloc(total + 1, sizeof *all);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < jaeger_batch_span_count(batches[i]); k++)
            all[at++] = canonical_span(&jaeger_batch_spans(batches[i])[k]);
    qsort(all, total, sizeof *all, str_order);
    *ret_count = total;
    return all;
}

void assert_same_spans(jaeger_batch *const *want, size_t want_count, const gathered *got)
{
    size_t n, m;
    jaeger_str *a = canonical_all(want, want_count, &n), *b = canonical_all(got->batches, got->count, &m);
    assert_int_equal(m, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(b[i].len, a[i].len);
        assert_memory_equal(b[i].ptr, a[i].ptr, a[i].len);
        jg_free((void *)(uintptr_t)a[i].ptr);
        jg_free((void *)(uintptr_t)b[i].ptr);
    }
    free(a);
    free(b);
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

void get_one(fixture *f, uint64_t trace, gathered *ret)
{
    jaeger_trace_ref ref = {0};
    trace_id_of(0, trace, ref.trace_id);
    *ret = (gathered){0};
    assert_ok(f->storage.driver->get_traces(f->storage.self, &ref, 1, gather_into(ret), &f->call));
}

void find(fixture *f, const jaeger_trace_query *query, gathered *ret)
{
    *ret = (gathered){0};
    if (f->storage.driver->find_traces(f->storage.self, query, gather_into(ret), &f->call) != JAEGER_OK)
        fail_msg("find_traces: %s", f->call.error.message);
}

void assert_found(fixture *f, const jaeger_trace_query *query, const uint64_t *want, size_t n)
{
    gathered got;
    find(f, query, &got);
    assert_int_equal(got.trace_count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got.traces[i], want[i]);
    gathered_done(&got);
    jaeger_trace_refs refs = {0};
    assert_ok(f->storage.driver->find_trace_ids(f->storage.self, query, &refs, &f->call));
    assert_int_equal(refs.count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(trace_low(refs.items[i].trace_id), want[i]);
}

int jg_storage_conform(const char *driver, const char *yaml, unsigned skips)
{
    chosen = (fixture){.driver = driver, .yaml = yaml, .skips = skips};
    size_t n = 0;
    struct CMUnitTest all[64];
    const struct {
        const struct CMUnitTest *tests;
        size_t count;
    } lists[] = {{write_tests, write_test_count},
                 {search_tests, search_test_count},
                 {rank_tests, rank_test_count},
                 {rest_tests, rest_test_count}};
    for (size_t i = 0; i < JG_COUNT(lists); i++)
        for (size_t k = 0; k < lists[i].count && n < JG_COUNT(all); k++)
            all[n++] = lists[i].tests[k];
    return _cmocka_run_group_tests(driver, all, n, NULL, NULL);
}
