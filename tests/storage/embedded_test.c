/* SPDX-License-Identifier: Apache-2.0
 * What the embedded store promises beyond the conformance suite: bytes come back as they came, searches agree
 * with a scan, data survives a crash, old data goes, files that are damaged are named and others served.
 */
#include "conform/fixture.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/match.h"
#include "model/otlp_fields.h"
#include "storage/embedded/driver.h"
#include "storage/open.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const jaeger_storage_driver jg_storage_embedded, jg_storage_badger;

/** An open store in a fresh directory. */
typedef struct opened {
    char dir[64];
    jaeger_config *config;
    jaeger_storage storage;
    jaeger_arena *arena;
    jaeger_call call;
    char log[8192]; /* what it said */
    jaeger_log_sink sink;
    jaeger_logger logger;
    pthread_mutex_t lock;
} opened;

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    opened *o = user;
    (void)level;
    (void)pthread_mutex_lock(&o->lock);
    size_t at = strlen(o->log);
    if (at + line.len + 2 < sizeof o->log)
        (void)snprintf(o->log + at, sizeof o->log - at, "%.*s\n", JAEGER_STR_ARGS(line));
    (void)pthread_mutex_unlock(&o->lock);
}

static jaeger_status try_open(opened *o, const jaeger_storage_driver *driver, const char *more,
                              jaeger_error *err)
{
    char yaml[512];
    (void)snprintf(yaml, sizeof yaml, "{directory: '%s'%s}", o->dir, more);
    o->sink = (jaeger_log_sink){keep_line, o, JAEGER_INFO, false};
    o->logger = (jaeger_logger){&o->sink, "test"};
    jaeger_config_free(o->config);
    o->config = NULL;
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &o->config, err));
    return jg_storage_open(driver, o->config, &o->logger, NULL, &o->storage, err);
}

static void start(opened *o, const char *more)
{
    jaeger_error err = {0};
    if (try_open(o, &jg_storage_embedded, more, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
}

static void init(opened *o)
{
    *o = (opened){.dir = "/tmp/jg-embedded-XXXXXX", .arena = jaeger_arena_new(0), .call = JAEGER_CALL_INIT};
    (void)pthread_mutex_init(&o->lock, NULL);
    assert_non_null(mkdtemp(o->dir));
    o->call.arena = o->arena;
}

static void stop(opened *o)
{
    jg_storage_close(&o->storage);
}

static void done(opened *o)
{
    stop(o);
    jaeger_config_free(o->config);
    jaeger_arena_free(o->arena);
    assert_int_equal(jg_io_remove_tree(o->dir), 0);
    (void)pthread_mutex_destroy(&o->lock);
}

static jg_store *store_of(opened *o)
{
    jg_store *store = NULL;
    assert_ok(jg_engine_store(o->storage.self, (jaeger_str){0}, true, &store, NULL));
    return store;
}

static void flush(opened *o)
{
    bool more = true;
    jaeger_error err;
    (void)jg_store_freeze(store_of(o));
    while (more)
        assert_ok(jg_store_flush_one(store_of(o), &more, &err));
}

static void write_take(opened *o, jaeger_batch *take)
{
    jaeger_status status = o->storage.driver->write(o->storage.self, take, &o->call);
    if (status != JAEGER_OK)
        fail_msg("write: %s", o->call.error.message);
}

/* ---- spans in all shapes
 * ----------------------------------------------------------------------------------- */

static uint64_t rng_state = 88172645463325252ull;

static uint64_t rnd(uint64_t below)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % below;
}

static void put_value(jg_buf *b, unsigned kind, uint64_t n)
{
    char text[32];
    size_t mark = jg_pb_begin(b, JG_OTLP_KEY_VALUE_VALUE, 1);
    double d = (double)n / 4;
    switch (kind) {
    case 0:
        (void)snprintf(text, sizeof text, "v%llu", (unsigned long long)n);
        jg_pb_write_str(b, JG_OTLP_ANY_STRING, jg_str(text));
        break;
    case 1:
        jg_pb_write_varint(b, JG_OTLP_ANY_INT, n);
        break;
    case 2:
        jg_pb_write_double(b, JG_OTLP_ANY_DOUBLE, d);
        break;
    case 3:
        jg_pb_write_varint(b, JG_OTLP_ANY_BOOL, n & 1);
        break;
    case 4: { /* ["a", n] */
        size_t array = jg_pb_begin(b, JG_OTLP_ANY_ARRAY, 1);
        size_t item = jg_pb_begin(b, JG_OTLP_LIST_VALUES, 1);
        jg_pb_write_str(b, JG_OTLP_ANY_STRING, JAEGER_STR("a"));
        jg_pb_end(b, item, 1);
        item = jg_pb_begin(b, JG_OTLP_LIST_VALUES, 1);
        jg_pb_write_varint(b, JG_OTLP_ANY_INT, n);
        jg_pb_end(b, item, 1);
        jg_pb_end(b, array, 1);
        break;
    }
    case 5:
        jg_pb_write_bytes(b, JG_OTLP_ANY_BYTES, &n, 3);
        break;
    default: /* no value at all */
        break;
    }
    jg_pb_end(b, mark, 1);
}

static void put_attr(jg_buf *b, uint32_t field, uint64_t keys, uint64_t values)
{
    char key[16];
    size_t mark = jg_pb_begin(b, field, 1);
    (void)snprintf(key, sizeof key, "k%llu", (unsigned long long)rnd(keys));
    if (rnd(40) == 0)
        put_value(b, 1, rnd(values)); /* the value before the key */
    jg_pb_write_str(b, JG_OTLP_KEY_VALUE_KEY, jg_str(key));
    put_value(b, (unsigned)rnd(7), rnd(values));
    jg_pb_end(b, mark, 1);
}

static void put_event(jg_buf *b)
{
    size_t mark = jg_pb_begin(b, JG_OTLP_SPAN_EVENTS, 1);
    if (rnd(8))
        jg_pb_write_fixed64(b, JG_OTLP_EVENT_TIME, BASE + rnd(1000));
    if (rnd(8))
        jg_pb_write_str(b, JG_OTLP_EVENT_NAME, rnd(2) ? JAEGER_STR("hit") : JAEGER_STR("miss"));
    for (uint64_t n = rnd(3); n > 0; n--)
        put_attr(b, JG_OTLP_EVENT_ATTRIBUTES, 4, 20);
    if (rnd(8) == 0)
        jg_pb_write_varint(b, JG_OTLP_EVENT_DROPPED, 3);
    jg_pb_end(b, mark, 1);
}

static void put_link(jg_buf *b)
{
    uint8_t id[16] = {(uint8_t)rnd(256), 1};
    size_t mark = jg_pb_begin(b, JG_OTLP_SPAN_LINKS, 1);
    jg_pb_write_bytes(b, JG_OTLP_LINK_TRACE_ID, id, 16);
    jg_pb_write_bytes(b, JG_OTLP_LINK_SPAN_ID, id, 8);
    put_attr(b, JG_OTLP_LINK_ATTRIBUTES, 4, 20);
    jg_pb_end(b, mark, 1);
}

/** A span with any mix of fields; one in ten in an order that no encoder uses. */
static void put_span(jg_buf *b, uint64_t traces)
{
    uint8_t trace_id[16] = {0}, id[8] = {0};
    static const char *const names[] = {"GET /", "GET /cart", "SELECT", "publish", ""};
    uint64_t start = BASE + rnd(100000) * 1000000, odd = rnd(10);
    trace_id[0] = 7;
    trace_id[15] = (uint8_t)(1 + rnd(traces));
    id[7] = (uint8_t)(1 + rnd(50));
    size_t mark = jg_pb_begin(b, JG_OTLP_SCOPE_SPANS_SPANS, 2);
    if (odd == 0)
        put_attr(b, JG_OTLP_SPAN_ATTRIBUTES, 4, 20);
    jg_pb_write_bytes(b, JG_OTLP_SPAN_TRACE_ID, trace_id, 16);
    jg_pb_write_bytes(b, JG_OTLP_SPAN_SPAN_ID, id, 8);
    if (rnd(4) == 0)
        jg_pb_write_str(b, JG_OTLP_SPAN_TRACE_STATE, JAEGER_STR("a=b"));
    id[7] = (uint8_t)(1 + rnd(50));
    if (rnd(4))
        jg_pb_write_bytes(b, JG_OTLP_SPAN_PARENT_SPAN_ID, id, rnd(5) ? 8 : 0);
    jg_pb_write_str(b, JG_OTLP_SPAN_NAME, jg_str(names[rnd(JG_COUNT(names))]));
    if (rnd(5))
        jg_pb_write_varint(b, JG_OTLP_SPAN_KIND, rnd(6));
    jg_pb_write_fixed64(b, JG_OTLP_SPAN_START, start);
    if (rnd(20))
        jg_pb_write_fixed64(b, JG_OTLP_SPAN_END, start + rnd(50) * rnd(1000000) - rnd(10));
    if (rnd(3) == 0)
        jg_pb_write_fixed32(b, JG_OTLP_SPAN_FLAGS, 257);
    for (uint64_t n = rnd(6); n > 0; n--)
        put_attr(b, JG_OTLP_SPAN_ATTRIBUTES, 8, 30);
    if (rnd(10) == 0)
        jg_pb_write_varint(b, JG_OTLP_SPAN_DROPPED_ATTRIBUTES, 2);
    for (uint64_t n = rnd(4); n > 2; n--)
        put_event(b);
    if (rnd(6) == 0)
        put_link(b);
    if (rnd(3) == 0) {
        size_t status = jg_pb_begin(b, JG_OTLP_SPAN_STATUS, 1);
        jg_pb_write_varint(b, JG_OTLP_STATUS_CODE, rnd(3));
        jg_pb_end(b, status, 1);
    }
    if (rnd(10) == 0)
        jg_pb_write_str(b, 99, JAEGER_STR("of a later version"));
    jg_pb_end(b, mark, 2);
}

static jaeger_batch *random_batch(size_t spans, uint64_t traces)
{
    static const char *const services[] = {"web", "cart", "db", NULL};
    jg_buf b = JG_BUF_INIT(8 << 20);
    while (spans > 0) {
        const char *service = services[rnd(JG_COUNT(services))];
        size_t rs = jg_pb_begin(&b, JG_OTLP_REQUEST_RESOURCE_SPANS, 3);
        size_t resource = jg_pb_begin(&b, JG_OTLP_RESOURCE_SPANS_RESOURCE, 1);
        if (service) {
            size_t kv = jg_pb_begin(&b, JG_OTLP_RESOURCE_ATTRIBUTES, 1);
            jg_pb_write_str(&b, JG_OTLP_KEY_VALUE_KEY, JAEGER_STR("service.name"));
            size_t any = jg_pb_begin(&b, JG_OTLP_KEY_VALUE_VALUE, 1);
            jg_pb_write_str(&b, JG_OTLP_ANY_STRING, jg_str(service));
            jg_pb_end(&b, any, 1);
            jg_pb_end(&b, kv, 1);
        }
        put_attr(&b, JG_OTLP_RESOURCE_ATTRIBUTES, 4, 6);
        jg_pb_end(&b, resource, 1);
        size_t ss = jg_pb_begin(&b, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 3);
        size_t scope = jg_pb_begin(&b, JG_OTLP_SCOPE_SPANS_SCOPE, 1);
        jg_pb_write_str(&b, JG_OTLP_SCOPE_NAME, rnd(2) ? JAEGER_STR("lib") : JAEGER_STR("other"));
        if (rnd(2))
            put_attr(&b, JG_OTLP_SCOPE_ATTRIBUTES, 4, 6);
        jg_pb_end(&b, scope, 1);
        uint64_t run = 1 + rnd(9);
        for (uint64_t n = JG_MIN(spans, run); n > 0; n--, spans--)
            put_span(&b, traces);
        if (rnd(3) == 0)
            jg_pb_write_str(&b, JG_OTLP_SCOPE_SPANS_SCHEMA_URL, JAEGER_STR("scope-url"));
        jg_pb_end(&b, ss, 3);
        if (rnd(3) == 0)
            jg_pb_write_str(&b, JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, JAEGER_STR("res-url"));
        jg_pb_end(&b, rs, 3);
    }
    jaeger_batch *batch = NULL;
    assert_true(jg_buf_ok(&b));
    assert_ok(jaeger_batch_from_otlp(b.data, b.len, NULL, NULL, &batch, NULL));
    jg_buf_done(&b);
    return batch;
}

/** Everything that was written, for comparing. */
typedef struct written {
    jaeger_batch *batches[64];
    size_t count;
} written;

static void write_random(opened *o, written *w, size_t spans, uint64_t traces)
{
    w->batches[w->count] = random_batch(spans, traces);
    write_take(o, jaeger_batch_ref(w->batches[w->count++]));
}

static void written_done(written *w)
{
    while (w->count > 0)
        jaeger_batch_unref(w->batches[--w->count]);
}

/** All spans of all traces, as bytes, are what was written. */
static void assert_all_come_back(opened *o, const written *w, uint64_t traces)
{
    gathered got = {0};
    jaeger_trace_ref refs[256] = {0};
    for (uint64_t t = 0; t < traces; t++) {
        refs[t].trace_id[0] = 7;
        refs[t].trace_id[15] = (uint8_t)(t + 1);
    }
    assert_ok(o->storage.driver->get_traces(o->storage.self, refs, traces, gather_into(&got), &o->call));
    assert_same_spans(w->batches, w->count, &got);
    size_t spans = 0, bytes_same = 0;
    for (size_t i = 0; i < got.count; i++) { /* not only the same fields: the same bytes */
        for (size_t k = 0; k < jaeger_batch_span_count(got.batches[i]); k++, spans++) {
            const jaeger_span *span = &jaeger_batch_spans(got.batches[i])[k];
            bool same = false;
            for (size_t b = 0; b < w->count && !same; b++) {
                const jaeger_span *all = jaeger_batch_spans(w->batches[b]);
                for (size_t n = 0; n < jaeger_batch_span_count(w->batches[b]) && !same; n++)
                    same = all[n].len == span->len && memcmp(all[n].bytes, span->bytes, span->len) == 0;
            }
            bytes_same += same;
        }
    }
    assert_int_equal(bytes_same, spans);
    gathered_done(&got);
}

static void embedded_returns_the_bytes_it_was_given(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    init(&o);
    start(&o, "");
    for (int i = 0; i < 4; i++) {
        write_random(&o, &w, 200, 20);
        assert_all_come_back(&o, &w, 20); /* from memory, from segments, and from both */
        if (i % 2 == 0)
            flush(&o);
        assert_all_come_back(&o, &w, 20);
    }
    flush(&o);
    stop(&o);
    start(&o, "");
    assert_all_come_back(&o, &w, 20);
    written_done(&w);
    done(&o);
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

static void random_query(jaeger_trace_query *query, jaeger_attr *attrs, char (*texts)[64])
{
    static const char *const services[] = {"", "", "web", "cart", "db", "nobody"};
    static const char *const names[] = {"", "", "", "GET /", "SELECT", "nothing"};
    static const char *const special[][2] = {
        {"error", "true"},     {"error", "false"},    {"span.kind", "server"},   {"span.status", "ERROR"},
        {"span.status", "OK"}, {"scope.name", "lib"}, {"scope.name", "missing"}, {"span.status", "UNSET"}};
    *query = (jaeger_trace_query){.size = sizeof *query,
                                  .service = jg_str(services[rnd(JG_COUNT(services))]),
                                  .operation = jg_str(names[rnd(JG_COUNT(names))]),
                                  .attrs = attrs,
                                  .attr_count = rnd(4),
                                  .limit = rnd(3) ? (uint32_t)rnd(12) : 0};
    if (rnd(4) == 0)
        query->start_min_unix_ns = BASE + rnd(100000) * 1000000;
    if (rnd(4) == 0)
        query->start_max_unix_ns = BASE + rnd(100000) * 1000000;
    if (rnd(4) == 0)
        query->duration_min_ns = rnd(20000000);
    if (rnd(4) == 0)
        query->duration_max_ns = rnd(20000000);
    for (size_t i = 0; i < query->attr_count; i++) {
        char *key = texts[2 * i], *value = texts[2 * i + 1];
        static const char *const values[] = {"v%llu", "%llu", "%llu.5", "true", "[\"a\",%llu]", "", "AAAA"};
        (void)snprintf(key, 64, "%sk%llu", rnd(5) ? "" : "resource.", (unsigned long long)rnd(6));
        unsigned long long number = rnd(12);
        switch (rnd(5)) {
        case 0:
            (void)snprintf(value, 64, "v%llu", number);
            break;
        case 1:
            (void)snprintf(value, 64, "%llu", number);
            break;
        case 2:
            (void)snprintf(value, 64, "%llu.5", number);
            break;
        case 3:
            (void)snprintf(value, 64, "[\"a\",%llu]", number);
            break;
        default:
            (void)snprintf(value, 64, "%s", values[3 + 2 * rnd(2)]);
        }
        if (rnd(4) == 0) {
            size_t which = rnd(JG_COUNT(special));
            (void)snprintf(key, 64, "%s", special[which][0]);
            (void)snprintf(value, 64, "%s", special[which][1]);
        }
        attrs[i] =
            (jaeger_attr){.key = jg_str(key), .value = {.type = JAEGER_VALUE_STRING, .u.s = jg_str(value)}};
    }
}

/** @return hits */
static size_t compare_search(opened *o, const written *w)
{
    jaeger_trace_query query;
    jaeger_attr attrs[4];
    char texts[8][64];
    oracle_hit want[256];
    jaeger_trace_refs got = {0};
    random_query(&query, attrs, texts);
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
    init(&o);
    start(&o, "");
    for (int round = 0; round < 8; round++) {
        write_random(&o, &w, 300, 60);
        for (int i = 0; i < 400; i++)
            hits += compare_search(&o, &w);
        if (round % 3 != 2)
            flush(&o);
    }
    assert_true(hits > 5000);
    written_done(&w);
    done(&o);
}

/* ---- crashes, damage
 * ------------------------------------------------------------------------------------------- */

/** Close without a flush: what a killed process leaves. The lock file goes with the engine. */
static void crash(opened *o)
{
    jg_engine *engine = o->storage.self;
    (void)pthread_mutex_lock(&engine->lock);
    engine->stop = true;
    (void)pthread_cond_signal(&engine->cond);
    (void)pthread_mutex_unlock(&engine->lock);
    (void)pthread_join(engine->thread, NULL);
    engine->thread_runs = false;
    for (jg_tenant *t = engine->tenants, *next; t; t = next) {
        next = t->next;
        jg_store_abandon(t->store);
        jg_free(t);
    }
    engine->tenants = NULL;
    stop(o);
}

static void embedded_replays_its_log(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    init(&o);
    for (int i = 0; i < 6; i++) {
        start(&o, "");
        assert_all_come_back(&o, &w, 20);
        write_random(&o, &w, 100, 20);
        if (i % 2)
            flush(&o);
        write_random(&o, &w, 100, 20);
        crash(&o);
    }
    start(&o, "");
    assert_all_come_back(&o, &w, 20);
    written_done(&w);
    done(&o);
}

static void each_file(const char *dir, void (*fn)(const char *path, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.')
            fn(path, arg);
    }
    (void)closedir(d);
}

static void cut_in_half(const char *path, void *arg)
{
    uint64_t bytes;
    assert_int_equal(jg_io_size(path, &bytes), 0);
    if ((*(int *)arg)++ == 0)
        assert_int_equal(truncate(path, (off_t)(bytes / 2)), 0);
}

static void embedded_names_a_cut_segment_and_serves_the_others(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    char dir[128];
    int n = 0;
    init(&o);
    start(&o, "");
    for (int i = 0; i < 3; i++) {
        write_random(&o, &w, 50, 20);
        flush(&o);
    }
    stop(&o);
    (void)snprintf(dir, sizeof dir, "%s/t/default/seg", o.dir);
    each_file(dir, cut_in_half, &n);
    assert_int_equal(n, 3);
    start(&o, "");
    assert_non_null(strstr(o.log, "segment refused"));
    assert_non_null(strstr(o.log, ".jsg"));
    jaeger_trace_query query = {.size = sizeof query, .limit = 1000};
    jaeger_trace_refs got = {0};
    assert_ok(o.storage.driver->find_trace_ids(o.storage.self, &query, &got, &o.call));
    assert_in_range(got.count, 1, 20);
    written_done(&w);
    done(&o);
}

static void flip_bits(const char *path, void *arg)
{
    uint64_t bytes;
    uint8_t byte;
    (void)arg;
    assert_int_equal(jg_io_size(path, &bytes), 0);
    int fd = open(path, O_RDWR);
    off_t at = (off_t)rnd(bytes);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (uint8_t)(1u << rnd(8));
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void embedded_survives_flipped_bits(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    char dir[128];
    init(&o);
    start(&o, "");
    for (int i = 0; i < 2; i++) {
        write_random(&o, &w, 100, 20);
        flush(&o);
    }
    stop(&o);
    (void)snprintf(dir, sizeof dir, "%s/t/default/seg", o.dir);
    for (int round = 0; round < 40; round++) {
        each_file(dir, flip_bits, NULL);
        start(&o, "");
        jaeger_trace_query query;
        jaeger_attr attrs[4];
        char texts[8][64];
        for (int i = 0; i < 5; i++) {
            gathered got = {0};
            random_query(&query, attrs, texts);
            assert_ok(o.storage.driver->find_traces(o.storage.self, &query, gather_into(&got), &o.call));
            gathered_done(&got);
            jaeger_arena_reset(o.arena);
        }
        o.log[0] = 0;
        stop(&o);
    }
    written_done(&w);
    done(&o);
}

/* ---- the directory
 * --------------------------------------------------------------------------------------------- */

static void embedded_refuses_a_second_process(void **state)
{
    (void)state;
    opened o, second;
    jaeger_error err = {0};
    char pid[32];
    init(&o);
    start(&o, "");
    init(&second);
    assert_int_equal(rmdir(second.dir), 0);
    memcpy(second.dir, o.dir, sizeof o.dir);
    assert_int_equal(try_open(&second, &jg_storage_embedded, "", &err), JAEGER_FAILED_PRECONDITION);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    jaeger_config_free(second.config);
    jaeger_arena_free(second.arena);
    done(&o);
}

static void embedded_refuses_a_later_format(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    char path[128];
    init(&o);
    start(&o, "");
    stop(&o);
    (void)snprintf(path, sizeof path, "%s/FORMAT", o.dir);
    FILE *f = fopen(path, "w");
    (void)fputs("jaeger-c-store 9\n", f);
    (void)fclose(f);
    assert_int_equal(try_open(&o, &jg_storage_embedded, "", &err), JAEGER_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "jaeger-c-store 9"));
    done(&o);
}

static void embedded_needs_a_directory(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    init(&o);
    assert_int_equal(rmdir(o.dir), 0);
    char dir[64];
    memcpy(dir, o.dir, sizeof dir);
    o.dir[0] = 0;
    assert_int_equal(try_open(&o, &jg_storage_embedded, "", &err), JAEGER_INVALID_ARGUMENT);
    assert_ok(try_open(&o, &jg_storage_embedded, ", ephemeral: true", &err));
    jg_engine *engine = o.storage.self;
    char root[128];
    (void)snprintf(root, sizeof root, "%s", engine->root);
    assert_int_equal(access(root, F_OK), 0);
    stop(&o);
    assert_int_not_equal(access(root, F_OK), 0); /* gone */
    memcpy(o.dir, dir, sizeof dir);
    done(&o);
}

static void badger_keys_open_the_embedded_store(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    char yaml[256];
    init(&o);
    (void)snprintf(
        yaml, sizeof yaml,
        "{directories: {keys: /k, values: '%s'}, ephemeral: false, ttl: {spans: 48h}, consistency: true, "
        "maintenance_interval: 5m, metrics_update_interval: 10s, read_only: false}",
        o.dir);
    o.sink = (jaeger_log_sink){keep_line, &o, JAEGER_INFO, false};
    o.logger = (jaeger_logger){&o.sink, "test"};
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &o.config, &err));
    assert_ok(jg_storage_open(&jg_storage_badger, o.config, &o.logger, NULL, &o.storage, &err));
    assert_non_null(strstr(o.log, "served by the embedded store"));
    const jg_engine *engine = o.storage.self;
    assert_int_equal(engine->config.store.ttl_ns, 48 * 3600 * SEC);
    done(&o);
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
    (void)jg_store_retain(store_of(o), jg_store_now(store_of(o)));
    return JAEGER_OK;
}

static void embedded_drops_what_is_old_and_lets_readers_finish(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    char dir[128];
    init(&o);
    start(&o, ", ttl: {spans: 72h}");
    (void)snprintf(dir, sizeof dir, "%s/t/default/seg", o.dir);
    for (int i = 0; i < 3; i++) { /* spans of 2023: what they say of their age does not matter */
        write_random(&o, &w, 100, 20);
        flush(&o);
    }
    assert_int_equal(count_files(dir), 3);
    assert_int_equal(jg_store_retain(store_of(&o), jg_store_now(store_of(&o))), 0);
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
    stop(&o);
    start(&o, "");
    written none = {0};
    assert_all_come_back(&o, &none, 20);
    written_done(&w);
    done(&o);
}

static void embedded_keeps_its_disk_budget(void **state)
{
    (void)state;
    opened o;
    init(&o);
    start(&o, ", max_disk: 3000000");
    for (int i = 0; i < 60; i++) {
        jaeger_batch *batch = random_batch(2000, 200);
        write_take(&o, batch);
        flush(&o);
        (void)jg_store_retain(store_of(&o), jg_store_now(store_of(&o)));
        assert_true(jg_store_disk_bytes(store_of(&o)) <=
                    3000000 + 1500000); /* the log that is being filled */
    }
    jg_snapshot *snapshot = jg_snapshot_take(store_of(&o));
    assert_in_range(snapshot->seg_count, 2, 59);
    jg_snapshot_unref(snapshot);
    done(&o);
}

/* ---- disk faults
 * ----------------------------------------------------------------------------------------------- */

typedef struct fault_plan {
    jg_io_op op;
    int error;
    long after; /* calls that succeed first */
    long seen;
} fault_plan;

static int plan_fault(void *user, jg_io_op op)
{
    fault_plan *plan = user;
    if (op != plan->op)
        return 0;
    return __atomic_fetch_add(&plan->seen, 1, __ATOMIC_RELAXED) >= plan->after ? plan->error : 0;
}

/** Let the n-th call of a kind and all later ones fail, write and flush; what was acknowledged must be there
 * afterwards, also after a crash. */
static void embedded_loses_nothing_acknowledged_when_the_disk_fails(void **state)
{
    (void)state;
    static const struct {
        jg_io_op op;
        int error;
    } rows[] = {{JG_IO_WRITE, EIO},     {JG_IO_WRITE, ENOSPC}, {JG_IO_SYNC, EIO},  {JG_IO_ALLOCATE, ENOSPC},
                {JG_IO_RENAME, ENOSPC}, {JG_IO_OPEN, EMFILE},  {JG_IO_MAP, ENOMEM}};
    for (size_t r = 0; r < JG_COUNT(rows); r++) {
        for (long after = 0; after < 12; after++) {
            opened o;
            written w = {0};
            init(&o);
            start(&o, ", flush: {spans: 60}");
            fault_plan plan = {rows[r].op, rows[r].error, after, 0};
            jg_io_set_fault(plan_fault, &plan);
            size_t refused = 0;
            for (int i = 0; i < 8; i++) {
                jaeger_batch *batch = random_batch(40, 20);
                jaeger_status status =
                    o.storage.driver->write(o.storage.self, jaeger_batch_ref(batch), &o.call);
                if (status == JAEGER_OK) {
                    w.batches[w.count++] = batch;
                    continue;
                }
                assert_true(status == JAEGER_UNAVAILABLE || status == JAEGER_RESOURCE_EXHAUSTED);
                assert_true(status != JAEGER_UNAVAILABLE || o.call.error.retry_after_ms > 0);
                jaeger_batch_unref(batch);
                refused++;
            }
            jg_io_set_fault(NULL, NULL);
            if (refused == 0) {
                assert_all_come_back(&o, &w, 20);
            } else { /* it recovers by itself once the disk works */
                jaeger_batch *batch = random_batch(40, 20);
                jaeger_status status = JAEGER_UNKNOWN;
                for (int i = 0; i < 100 && status != JAEGER_OK; i++) {
                    status = o.storage.driver->write(o.storage.self, jaeger_batch_ref(batch), &o.call);
                    if (status != JAEGER_OK)
                        (void)usleep(20000);
                }
                assert_ok(status);
                jaeger_batch_unref(batch);
            }
            crash(&o);
            start(&o, "");
            size_t found = 0, wanted = 0; /* refused spans may be there, acknowledged ones must */
            gathered got = {0};
            jaeger_trace_ref refs[20] = {0};
            for (size_t t = 0; t < 20; t++) {
                refs[t].trace_id[0] = 7;
                refs[t].trace_id[15] = (uint8_t)(t + 1);
            }
            assert_ok(o.storage.driver->get_traces(o.storage.self, refs, 20, gather_into(&got), &o.call));
            for (size_t b = 0; b < w.count; b++) {
                for (size_t i = 0; i < jaeger_batch_span_count(w.batches[b]); i++, wanted++) {
                    const jaeger_span *span = &jaeger_batch_spans(w.batches[b])[i];
                    bool same = false;
                    for (size_t g = 0; g < got.count && !same; g++)
                        for (size_t k = 0; k < jaeger_batch_span_count(got.batches[g]) && !same; k++) {
                            const jaeger_span *back = &jaeger_batch_spans(got.batches[g])[k];
                            same = back->len == span->len && memcmp(back->bytes, span->bytes, span->len) == 0;
                        }
                    found += same;
                }
            }
            assert_int_equal(found, wanted);
            gathered_done(&got);
            written_done(&w);
            done(&o);
        }
    }
}

/* ---- dependencies over segment borders
 * ------------------------------------------------------------------------- */

static void write_one(opened *o, uint64_t trace, uint64_t id, uint64_t parent, const char *service)
{
    const span_spec spec = {
        .trace = trace, .id = id, .parent = parent, .service = service, .start = id * SEC};
    write_take(o, make_batch(&spec, 1));
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
    init(&o);
    start(&o, "");
    write_one(&o, 1, 1, 0, "a");
    flush(&o);
    write_one(&o, 1, 2, 1, "b"); /* the parent is in an older segment */
    assert_calls(&o, 1, 0);
    flush(&o);
    assert_calls(&o, 1, 0);
    write_one(&o, 2, 2, 1, "b"); /* the parent comes later */
    flush(&o);
    assert_calls(&o, 1, 0);
    write_one(&o, 2, 1, 0, "a");
    assert_calls(&o, 2, 0);
    flush(&o);
    assert_calls(&o, 2, 0);
    write_one(&o, 3, 3, 2, "c"); /* waits over a restart */
    flush(&o);
    stop(&o);
    start(&o, "");
    write_one(&o, 3, 2, 0, "b");
    flush(&o);
    assert_calls(&o, 2, 1);
    stop(&o);
    start(&o, "");
    assert_calls(&o, 2, 1);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded_returns_the_bytes_it_was_given),
        cmocka_unit_test(embedded_finds_what_a_scan_finds),
        cmocka_unit_test(embedded_replays_its_log),
        cmocka_unit_test(embedded_names_a_cut_segment_and_serves_the_others),
        cmocka_unit_test(embedded_survives_flipped_bits),
        cmocka_unit_test(embedded_refuses_a_second_process),
        cmocka_unit_test(embedded_refuses_a_later_format),
        cmocka_unit_test(embedded_needs_a_directory),
        cmocka_unit_test(badger_keys_open_the_embedded_store),
        cmocka_unit_test(embedded_drops_what_is_old_and_lets_readers_finish),
        cmocka_unit_test(embedded_keeps_its_disk_budget),
        cmocka_unit_test(embedded_loses_nothing_acknowledged_when_the_disk_fails),
        cmocka_unit_test(embedded_counts_calls_over_segment_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
