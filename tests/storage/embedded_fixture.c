/* SPDX-License-Identifier: Apache-2.0
 * See embedded_fixture.h.
 */
#include "storage/embedded_fixture.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "storage/open.h"
#include <stdio.h>
#include <stdlib.h>

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

void eb_keep_log(opened *o)
{
    o->sink = (jaeger_log_sink){keep_line, o, JAEGER_INFO, false};
    o->logger = (jaeger_logger){&o->sink, "test"};
}

jaeger_status eb_try_open(opened *o, const jaeger_storage_driver *driver, const char *more, jaeger_error *err)
{
    char yaml[512];
    (void)snprintf(yaml, sizeof yaml, "{directory: '%s'%s}", o->dir, more);
    eb_keep_log(o);
    jaeger_config_free(o->config);
    o->config = NULL;
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &o->config, err));
    return jg_storage_open(driver, o->config, &o->logger, NULL, &o->storage, err);
}

void eb_start(opened *o, const char *more)
{
    jaeger_error err = {0};
    if (eb_try_open(o, &jg_storage_embedded, more, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
}

void eb_init(opened *o)
{
    *o = (opened){.dir = "/tmp/jg-embedded-XXXXXX", .arena = jaeger_arena_new(0), .call = JAEGER_CALL_INIT};
    (void)pthread_mutex_init(&o->lock, NULL);
    assert_non_null(mkdtemp(o->dir));
    o->call.arena = o->arena;
}

void eb_stop(opened *o)
{
    jg_storage_close(&o->storage);
}

void eb_done(opened *o)
{
    eb_stop(o);
    jaeger_config_free(o->config);
    jaeger_arena_free(o->arena);
    assert_int_equal(jg_io_remove_tree(o->dir), 0);
    (void)pthread_mutex_destroy(&o->lock);
}

jg_store *eb_store_of(opened *o)
{
    jg_store *store = NULL;
    assert_ok(jg_engine_store(o->storage.self, (jaeger_str){0}, true, &store, NULL));
    return store;
}

void eb_flush(opened *o)
{
    bool more = true;
    jaeger_error err;
    (void)jg_store_freeze(eb_store_of(o));
    while (more)
        assert_ok(jg_store_flush_one(eb_store_of(o), &more, &err));
}

void eb_write_take(opened *o, jaeger_batch *take)
{
    jaeger_status status = o->storage.driver->write(o->storage.self, take, &o->call);
    if (status != JAEGER_OK)
        fail_msg("write: %s", o->call.error.message);
}

/* ---- spans in all shapes
 * ----------------------------------------------------------------------------------- */

static uint64_t rng_state = 88172645463325252ull;

uint64_t eb_rnd(uint64_t below)
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
    (void)snprintf(key, sizeof key, "k%llu", (unsigned long long)eb_rnd(keys));
    if (eb_rnd(40) == 0)
        put_value(b, 1, eb_rnd(values)); /* the value before the key */
    jg_pb_write_str(b, JG_OTLP_KEY_VALUE_KEY, jg_str(key));
    put_value(b, (unsigned)eb_rnd(7), eb_rnd(values));
    jg_pb_end(b, mark, 1);
}

static void put_event(jg_buf *b)
{
    size_t mark = jg_pb_begin(b, JG_OTLP_SPAN_EVENTS, 1);
    if (eb_rnd(8))
        jg_pb_write_fixed64(b, JG_OTLP_EVENT_TIME, BASE + eb_rnd(1000));
    if (eb_rnd(8))
        jg_pb_write_str(b, JG_OTLP_EVENT_NAME, eb_rnd(2) ? JAEGER_STR("hit") : JAEGER_STR("miss"));
    for (uint64_t n = eb_rnd(3); n > 0; n--)
        put_attr(b, JG_OTLP_EVENT_ATTRIBUTES, 4, 20);
    if (eb_rnd(8) == 0)
        jg_pb_write_varint(b, JG_OTLP_EVENT_DROPPED, 3);
    jg_pb_end(b, mark, 1);
}

static void put_link(jg_buf *b)
{
    uint8_t id[16] = {(uint8_t)eb_rnd(256), 1};
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
    uint64_t start = BASE + eb_rnd(100000) * 1000000, odd = eb_rnd(10);
    trace_id[0] = 7;
    trace_id[15] = (uint8_t)(1 + eb_rnd(traces));
    id[7] = (uint8_t)(1 + eb_rnd(50));
    size_t mark = jg_pb_begin(b, JG_OTLP_SCOPE_SPANS_SPANS, 2);
    if (odd == 0)
        put_attr(b, JG_OTLP_SPAN_ATTRIBUTES, 4, 20);
    jg_pb_write_bytes(b, JG_OTLP_SPAN_TRACE_ID, trace_id, 16);
    jg_pb_write_bytes(b, JG_OTLP_SPAN_SPAN_ID, id, 8);
    if (eb_rnd(4) == 0)
        jg_pb_write_str(b, JG_OTLP_SPAN_TRACE_STATE, JAEGER_STR("a=b"));
    id[7] = (uint8_t)(1 + eb_rnd(50));
    if (eb_rnd(4))
        jg_pb_write_bytes(b, JG_OTLP_SPAN_PARENT_SPAN_ID, id, eb_rnd(5) ? 8 : 0);
    jg_pb_write_str(b, JG_OTLP_SPAN_NAME, jg_str(names[eb_rnd(JG_COUNT(names))]));
    if (eb_rnd(5))
        jg_pb_write_varint(b, JG_OTLP_SPAN_KIND, eb_rnd(6));
    jg_pb_write_fixed64(b, JG_OTLP_SPAN_START, start);
    if (eb_rnd(20))
        jg_pb_write_fixed64(b, JG_OTLP_SPAN_END, start + eb_rnd(50) * eb_rnd(1000000) - eb_rnd(10));
    if (eb_rnd(3) == 0)
        jg_pb_write_fixed32(b, JG_OTLP_SPAN_FLAGS, 257);
    for (uint64_t n = eb_rnd(6); n > 0; n--)
        put_attr(b, JG_OTLP_SPAN_ATTRIBUTES, 8, 30);
    if (eb_rnd(10) == 0)
        jg_pb_write_varint(b, JG_OTLP_SPAN_DROPPED_ATTRIBUTES, 2);
    for (uint64_t n = eb_rnd(4); n > 2; n--)
        put_event(b);
    if (eb_rnd(6) == 0)
        put_link(b);
    if (eb_rnd(3) == 0) {
        size_t status = jg_pb_begin(b, JG_OTLP_SPAN_STATUS, 1);
        jg_pb_write_varint(b, JG_OTLP_STATUS_CODE, eb_rnd(3));
        jg_pb_end(b, status, 1);
    }
    if (eb_rnd(10) == 0)
        jg_pb_write_str(b, 99, JAEGER_STR("of a later version"));
    jg_pb_end(b, mark, 2);
}

jaeger_batch *eb_random_batch(size_t spans, uint64_t traces)
{
    static const char *const services[] = {"web", "cart", "db", NULL};
    jg_buf b = JG_BUF_INIT(8 << 20);
    while (spans > 0) {
        const char *service = services[eb_rnd(JG_COUNT(services))];
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
        jg_pb_write_str(&b, JG_OTLP_SCOPE_NAME, eb_rnd(2) ? JAEGER_STR("lib") : JAEGER_STR("other"));
        if (eb_rnd(2))
            put_attr(&b, JG_OTLP_SCOPE_ATTRIBUTES, 4, 6);
        jg_pb_end(&b, scope, 1);
        uint64_t run = 1 + eb_rnd(9);
        for (uint64_t n = JG_MIN(spans, run); n > 0; n--, spans--)
            put_span(&b, traces);
        if (eb_rnd(3) == 0)
            jg_pb_write_str(&b, JG_OTLP_SCOPE_SPANS_SCHEMA_URL, JAEGER_STR("scope-url"));
        jg_pb_end(&b, ss, 3);
        if (eb_rnd(3) == 0)
            jg_pb_write_str(&b, JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, JAEGER_STR("res-url"));
        jg_pb_end(&b, rs, 3);
    }
    jaeger_batch *batch = NULL;
    assert_true(jg_buf_ok(&b));
    assert_ok(jaeger_batch_from_otlp(b.data, b.len, NULL, NULL, &batch, NULL));
    jg_buf_done(&b);
    return batch;
}

void eb_write_random(opened *o, written *w, size_t spans, uint64_t traces)
{
    w->batches[w->count] = eb_random_batch(spans, traces);
    eb_write_take(o, jaeger_batch_ref(w->batches[w->count++]));
}

void eb_written_done(written *w)
{
    while (w->count > 0)
        jaeger_batch_unref(w->batches[--w->count]);
}

/** All spans of all traces, as bytes, are what was written. */
void eb_assert_all_come_back(opened *o, const written *w, uint64_t traces)
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

/** Close without a flush: what a killed process leaves. The lock file goes with the engine. */
void eb_crash(opened *o)
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
    eb_stop(o);
}

void eb_random_query(jaeger_trace_query *query, jaeger_attr *attrs, char (*texts)[64])
{
    static const char *const services[] = {"", "", "web", "cart", "db", "nobody"};
    static const char *const names[] = {"", "", "", "GET /", "SELECT", "nothing"};
    static const char *const special[][2] = {
        {"error", "true"},     {"error", "false"},    {"span.kind", "server"},   {"span.status", "ERROR"},
        {"span.status", "OK"}, {"scope.name", "lib"}, {"scope.name", "missing"}, {"span.status", "UNSET"}};
    *query = (jaeger_trace_query){.size = sizeof *query,
                                  .service = jg_str(services[eb_rnd(JG_COUNT(services))]),
                                  .operation = jg_str(names[eb_rnd(JG_COUNT(names))]),
                                  .attrs = attrs,
                                  .attr_count = eb_rnd(4),
                                  .limit = eb_rnd(3) ? (uint32_t)eb_rnd(12) : 0};
    if (eb_rnd(4) == 0)
        query->start_min_unix_ns = BASE + eb_rnd(100000) * 1000000;
    if (eb_rnd(4) == 0)
        query->start_max_unix_ns = BASE + eb_rnd(100000) * 1000000;
    if (eb_rnd(4) == 0)
        query->duration_min_ns = eb_rnd(20000000);
    if (eb_rnd(4) == 0)
        query->duration_max_ns = eb_rnd(20000000);
    for (size_t i = 0; i < query->attr_count; i++) {
        char *key = texts[2 * i], *value = texts[2 * i + 1];
        static const char *const values[] = {"v%llu", "%llu", "%llu.5", "true", "[\"a\",%llu]", "", "AAAA"};
        (void)snprintf(key, 64, "%sk%llu", eb_rnd(5) ? "" : "resource.", (unsigned long long)eb_rnd(6));
        unsigned long long number = eb_rnd(12);
        switch (eb_rnd(5)) {
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
            (void)snprintf(value, 64, "%s", values[3 + 2 * eb_rnd(2)]);
        }
        if (eb_rnd(4) == 0) {
            size_t which = eb_rnd(JG_COUNT(special));
            (void)snprintf(key, 64, "%s", special[which][0]);
            (void)snprintf(value, 64, "%s", special[which][1]);
        }
        attrs[i] =
            (jaeger_attr){.key = jg_str(key), .value = {.type = JAEGER_VALUE_STRING, .u.s = jg_str(value)}};
    }
}
