/* SPDX-License-Identifier: Apache-2.0
 * Traces read in pieces must look as those that are held.
 */
#include "core/alloc.h"
#include "query/large.h"
#include "query/service.h"
#include "support/traces.h"
#include "wire/jaeger_json.h"

/** The first readings `twist` the order of chunks from the reading with this number on; 0: never. */
static int twist;

static jaeger_status fake_reread(void *self, const jaeger_trace_ref *ref, jaeger_rereader reader,
                                 jaeger_call *call)
{
    fake_store *store = self;
    (void)ref;
    bool more = true;
    for (int reading = 0; more; reading++) {
        for (size_t i = 0; i < store->count; i++) {
            size_t at = twist && reading >= twist ? store->count - 1 - i : i;
            JG_TRY(reader.out.consume(reader.out.self, jaeger_batch_ref(store->chunks[at]), call));
        }
        JG_TRY(reader.again(reader.out.self, &more, call));
    }
    return JAEGER_OK;
}

static jaeger_storage_driver driver;

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static const char *pick(const char *const *words, uint32_t n)
{
    return words[draw(n)];
}

static void add_attrs(jaeger_builder *b, uint32_t most)
{
    static const char *const keys[] = {"z",
                                       "b",
                                       "a",
                                       "telemetry.sdk.name",
                                       "telemetry.sdk.language",
                                       "ip",
                                       "peer.ipv4",
                                       "a.longer.key",
                                       "a.longer.kez"};
    for (uint32_t n = draw(most + 1); n > 0; n--) {
        jaeger_str key = jg_str(pick(keys, JG_COUNT(keys)));
        if (draw(3))
            jaeger_builder_attr_str(b, key, draw(2) ? JAEGER_STR("x") : JAEGER_STR("y"));
        else
            jaeger_builder_attr_int(b, key, 16909060);
    }
}

static void add_resource(jaeger_builder *b)
{
    static const char *const hosts[] = {"h1", "h2", "h3"};
    jaeger_builder_resource(b, JAEGER_STR(""));
    add_attrs(b, 3);
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), draw(2) ? JAEGER_STR("shop") : JAEGER_STR("cart"));
    if (draw(4))
        jaeger_builder_attr_str(b, JAEGER_STR("host.name"), jg_str(pick(hosts, JG_COUNT(hosts))));
    if (draw(2))
        jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1"), JAEGER_STR(""));
}

/** @param ids so many are in use: fewer than spans means that some share one */
static void add_span(jaeger_builder *b, uint32_t ids)
{
    uint64_t start = 1700000000000000000ull + draw(1000000);
    jaeger_span_start span = {.trace_id = {1},
                              .span_id = {0, 0, 0, 0, 0, 0, 0, (uint8_t)(1 + draw(ids))},
                              .parent_span_id = {0, 0, 0, 0, 0, 0, 0, (uint8_t)draw(ids + 2)},
                              .name = JAEGER_STR("op"),
                              .kind = draw(6),
                              .start_unix_ns = start,
                              .end_unix_ns = start + draw(1000000)};
    jaeger_builder_span(b, &span);
    add_attrs(b, 4);
    for (uint32_t n = draw(4); n > 2; n--) {
        jaeger_builder_event(b, start, n % 2 ? JAEGER_STR("e2") : JAEGER_STR("e1"));
        add_attrs(b, 2);
    }
    if (draw(3) == 0)
        jaeger_builder_link(b, (uint8_t[16]){(uint8_t)draw(2)}, span.span_id, JAEGER_STR(""), 0);
    if (draw(3) == 0)
        jaeger_builder_status(b, draw(3), JAEGER_STR("m"));
}

static void make_trace(fake_store *store, uint32_t seed)
{
    random_state = seed;
    *store = (fake_store){0};
    uint32_t ids = 1 + draw(250), chunks = 1 + draw(8);
    for (uint32_t c = 0; c < chunks; c++) {
        if (c && draw(4) == 0) { /* what was written twice comes twice */
            store->chunks[store->count] = jaeger_batch_ref(store->chunks[draw((uint32_t)store->count)]);
            store->count++;
            continue;
        }
        jaeger_builder *b = jaeger_builder_new(1 << 20);
        for (uint32_t r = 1 + draw(3); r > 0; r--) {
            add_resource(b);
            for (uint32_t s = 1 + draw(8); s > 0; s--)
                add_span(b, ids);
        }
        assert_ok(jaeger_builder_finish(b, &store->chunks[store->count++], NULL));
        jaeger_builder_free(b);
    }
}

/** All that was handed out as legacy JSON, and again as OTLP-JSON. */
typedef struct output {
    jg_buf text, otlp;
    jg_json_out json, otlp_json;
    jg_jaeger_json *writer;
    size_t batches;
} output;

static jaeger_status keep(void *self, jg_buf *buf)
{
    (void)self, (void)buf;
    return JAEGER_OK;
}

static void begin(output *out)
{
    *out = (output){.text = JG_BUF_INIT(64 << 20), .otlp = JG_BUF_INIT(64 << 20)};
    out->json = JG_JSON_OUT_INIT(&out->text);
    out->otlp_json = JG_JSON_OUT_INIT(&out->otlp);
    out->writer = jg_jaeger_json_new(&out->json, (jg_json_flush){keep, NULL, SIZE_MAX});
    assert_non_null(out->writer);
    jg_json_array(&out->otlp_json);
}

static jaeger_status write(void *self, jaeger_batch *take, jaeger_call *call)
{
    output *out = self;
    out->batches++;
    jaeger_status status = jg_jaeger_json_add(out->writer, take, &call->error);
    jg_otlp_json_write_resource_spans(&out->otlp_json, take);
    jaeger_batch_unref(take);
    return status;
}

static void finish(output *out)
{
    assert_ok(jg_jaeger_json_end(out->writer, NULL));
    jg_jaeger_json_free(out->writer);
    jg_json_end(&out->otlp_json);
    assert_true(jg_buf_ok(&out->text) && jg_buf_ok(&out->otlp));
}

static void done(output *out)
{
    jg_buf_done(&out->text);
    jg_buf_done(&out->otlp);
}

static void read_held(fake_store *store, uint64_t max_skew_ns, uint64_t max_spans, bool raw, output *ret)
{
    jaeger_query *query;
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_query_options options = {.size = sizeof options,
                                    .traces = {&fake_driver, store},
                                    .max_clock_skew_adjust_ns = max_skew_ns,
                                    .max_trace_spans = max_spans};
    begin(ret);
    assert_ok(jaeger_query_new(&options, &query, NULL));
    assert_ok(jaeger_query_get_trace(query, (jaeger_trace_ref){.trace_id = {1}},
                                     (jaeger_read_options){.raw = raw, .streamed = raw},
                                     (jaeger_consumer){write, ret}, &call));
    jaeger_query_free(query);
    assert_int_equal(ret->batches, 1);
    finish(ret);
}

static jaeger_status read_pieces(fake_store *store, uint64_t max_skew_ns, uint64_t max_spans, bool raw,
                                 jaeger_consumer out)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jg_large large = {.out = out, .adjusts = !raw, .max_skew_ns = max_skew_ns, .max_spans = max_spans};
    return jg_large_read(&large, &(jaeger_storage){&driver, store}, &(jaeger_trace_ref){.trace_id = {1}},
                         &call);
}

static void large_traces_look_as_held_ones(void **state)
{
    (void)state;
    size_t pieces = 0;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        fake_store store;
        output want, got;
        make_trace(&store, seed);
        bool raw = draw(5) == 0;
        uint64_t max_skew_ns = draw(3) * 300000ull, max_spans = !raw && draw(4) == 0 ? 1 + draw(20) : 0;
        read_held(&store, max_skew_ns, max_spans, raw, &want);
        begin(&got);
        assert_ok(read_pieces(&store, max_skew_ns, max_spans, raw, (jaeger_consumer){write, &got}));
        finish(&got);
        pieces += got.batches;
        if (!jg_str_eq(jg_buf_view(&want.text), jg_buf_view(&got.text)) ||
            !jg_str_eq(jg_buf_view(&want.otlp), jg_buf_view(&got.otlp)))
            fail_msg("seed %u:\n%.*s\nis not\n%.*s", seed, JAEGER_STR_ARGS(jg_buf_view(&got.otlp)),
                     JAEGER_STR_ARGS(jg_buf_view(&want.otlp)));
        done(&want);
        done(&got);
        fake_store_done(&store);
    }
    assert_true(pieces > 800);
}

static jaeger_status drop(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self, (void)call;
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void large_traces_that_change_are_refused(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 100; seed++) {
        fake_store store;
        make_trace(&store, seed);
        for (twist = 1; twist < 3; twist++) {
            jaeger_status status = read_pieces(&store, 0, 0, false, (jaeger_consumer){drop, NULL});
            bool symmetric = store.count == 1 || status == JAEGER_OK; /* or read only once after the change */
            assert_true(symmetric || status == JAEGER_DATA_LOSS);
            if (twist == 1 && store.count > 1 && store.chunks[0] != store.chunks[store.count - 1])
                assert_int_equal(status, JAEGER_DATA_LOSS);
        }
        twist = 0;
        fake_store_done(&store);
    }
}

static void large_traces_survive_a_lack_of_memory(void **state)
{
    (void)state;
    fake_store store;
    make_trace(&store, 3);
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    for (long n = 0; status != JAEGER_OK; n++) {
        jg_alloc_fail_after(n);
        status = read_pieces(&store, 300000, 0, false, (jaeger_consumer){drop, NULL});
        jg_alloc_fail_after(-1);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
    }
    fake_store_done(&store);
}

/** Above JG_TRACE_HELD_BYTES, and only if the reader asked for it. */
static void query_streams_large_traces(void **state)
{
    (void)state;
    fake_store store = {0};
    jaeger_query *query;
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_query_options options = {.size = sizeof options, .traces = {&driver, &store}};
    static char filler[100000];
    memset(filler, 'x', sizeof filler);
    for (uint32_t c = 0; c < 16; c++) {
        jaeger_builder *b = jaeger_builder_new(1 << 20);
        jaeger_span_start span = {.trace_id = {1}, .span_id = {(uint8_t)(1 + c)}, .name = JAEGER_STR("op")};
        jaeger_builder_span(b, &span);
        jaeger_builder_attr_str(b, JAEGER_STR("filler"), (jaeger_str){filler, sizeof filler});
        assert_ok(jaeger_builder_finish(b, &store.chunks[store.count++], NULL));
        jaeger_builder_free(b);
    }
    assert_ok(jaeger_query_new(&options, &query, NULL));
    jaeger_trace_query find = {.size = sizeof find, .limit = 10};
    call.arena = jaeger_arena_new(1 << 20);
    store.caps.without_service_name = true;
    for (int streamed = 0; streamed < 2; streamed++) {
        for (int finds = 0; finds < 2; finds++) {
            output out;
            jaeger_read_options read = {.streamed = streamed};
            begin(&out);
            assert_ok(
                finds ? jaeger_query_find_traces(query, &find, read, (jaeger_consumer){write, &out}, &call)
                      : jaeger_query_get_trace(query, (jaeger_trace_ref){.trace_id = {1}}, read,
                                               (jaeger_consumer){write, &out}, &call));
            finish(&out);
            assert_int_equal(out.batches, streamed ? 16 : 1);
            assert_true(out.text.len > 16 * sizeof filler);
            done(&out);
        }
    }
    jaeger_query_free(query);
    jaeger_arena_free(call.arena);
    fake_store_done(&store);
}

int main(void)
{
    driver = fake_driver;
    driver.reread_trace = fake_reread;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_traces_look_as_held_ones),
        cmocka_unit_test(large_traces_that_change_are_refused),
        cmocka_unit_test(large_traces_survive_a_lack_of_memory),
        cmocka_unit_test(query_streams_large_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
