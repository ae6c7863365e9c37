/* SPDX-License-Identifier: Apache-2.0
 * Conformance: what was written comes back, whole and unchanged.
 */
#include "conform/fixture.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"

/** All OTLP fields, and an unknown one on each level that has bytes of its own. */
static jaeger_batch *rich_batch(void)
{
    static const char attr[] = "\x0a\x01k\x12\x03\x0a\x01v";
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    size_t rs = jg_pb_begin(&out, JG_OTLP_REQUEST_RESOURCE_SPANS, 3);
    size_t resource = jg_pb_begin(&out, JG_OTLP_RESOURCE_SPANS_RESOURCE, 2);
    jg_pb_write_bytes(&out, JG_OTLP_RESOURCE_ATTRIBUTES, "\x0a\x0cservice.name\x12\x06\x0a\x04rich", 22);
    jg_pb_write_varint(&out, JG_OTLP_RESOURCE_DROPPED, 3);
    jg_pb_write_str(&out, 99, JAEGER_STR("unknown of resource"));
    jg_pb_end(&out, resource, 2);
    size_t ss = jg_pb_begin(&out, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 3);
    size_t scope = jg_pb_begin(&out, JG_OTLP_SCOPE_SPANS_SCOPE, 2);
    jg_pb_write_str(&out, JG_OTLP_SCOPE_NAME, JAEGER_STR("lib"));
    jg_pb_write_str(&out, JG_OTLP_SCOPE_VERSION, JAEGER_STR("9"));
    jg_pb_write_bytes(&out, JG_OTLP_SCOPE_ATTRIBUTES, attr, sizeof attr - 1);
    jg_pb_write_varint(&out, JG_OTLP_SCOPE_DROPPED, 4);
    jg_pb_write_fixed32(&out, 98, 7);
    jg_pb_end(&out, scope, 2);
    size_t span = jg_pb_begin(&out, JG_OTLP_SCOPE_SPANS_SPANS, 3);
    jg_pb_write_bytes(&out, JG_OTLP_SPAN_TRACE_ID, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7", 16);
    jg_pb_write_bytes(&out, JG_OTLP_SPAN_SPAN_ID, "\0\0\0\0\0\0\0\1", 8);
    jg_pb_write_str(&out, JG_OTLP_SPAN_TRACE_STATE, JAEGER_STR("a=b"));
    jg_pb_write_bytes(&out, JG_OTLP_SPAN_PARENT_SPAN_ID, "\0\0\0\0\0\0\0\2", 8);
    jg_pb_write_str(&out, JG_OTLP_SPAN_NAME, JAEGER_STR("rich op"));
    jg_pb_write_varint(&out, JG_OTLP_SPAN_KIND, JAEGER_KIND_PRODUCER);
    jg_pb_write_fixed64(&out, JG_OTLP_SPAN_START, BASE + 123456789);
    jg_pb_write_fixed64(&out, JG_OTLP_SPAN_END, BASE + 223456789);
    jg_pb_write_bytes(&out, JG_OTLP_SPAN_ATTRIBUTES, attr, sizeof attr - 1);
    jg_pb_write_bytes(&out, JG_OTLP_SPAN_ATTRIBUTES, attr, sizeof attr - 1); /* a repeated key */
    jg_pb_write_bytes(&out, JG_OTLP_SPAN_ATTRIBUTES,
                      "\x0a\x05"
                      "empty",
                      7);
    jg_pb_write_varint(&out, JG_OTLP_SPAN_DROPPED_ATTRIBUTES, 5);
    for (int i = 0; i < 2; i++) {
        size_t event = jg_pb_begin(&out, JG_OTLP_SPAN_EVENTS, 1);
        jg_pb_write_fixed64(&out, JG_OTLP_EVENT_TIME, BASE + 150000000 - (uint64_t)i);
        jg_pb_write_str(&out, JG_OTLP_EVENT_NAME, JAEGER_STR("hit"));
        jg_pb_write_bytes(&out, JG_OTLP_EVENT_ATTRIBUTES, attr, sizeof attr - 1);
        jg_pb_write_varint(&out, JG_OTLP_EVENT_DROPPED, 6);
        jg_pb_write_varint(&out, 97, 1);
        jg_pb_end(&out, event, 1);
    }
    jg_pb_write_varint(&out, JG_OTLP_SPAN_DROPPED_EVENTS, 7);
    size_t link = jg_pb_begin(&out, JG_OTLP_SPAN_LINKS, 1);
    jg_pb_write_bytes(&out, JG_OTLP_LINK_TRACE_ID, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5", 16);
    jg_pb_write_bytes(&out, JG_OTLP_LINK_SPAN_ID, "\0\0\0\0\0\0\0\5", 8);
    jg_pb_write_str(&out, JG_OTLP_LINK_TRACE_STATE, JAEGER_STR("c=d"));
    jg_pb_write_bytes(&out, JG_OTLP_LINK_ATTRIBUTES, attr, sizeof attr - 1);
    jg_pb_write_varint(&out, JG_OTLP_LINK_DROPPED, 8);
    jg_pb_write_fixed32(&out, JG_OTLP_LINK_FLAGS, 0x101);
    jg_pb_end(&out, link, 1);
    jg_pb_write_varint(&out, JG_OTLP_SPAN_DROPPED_LINKS, 9);
    size_t status = jg_pb_begin(&out, JG_OTLP_SPAN_STATUS, 1);
    jg_pb_write_str(&out, JG_OTLP_STATUS_MESSAGE, JAEGER_STR("boom"));
    jg_pb_write_varint(&out, JG_OTLP_STATUS_CODE, JAEGER_STATUS_ERROR);
    jg_pb_end(&out, status, 1);
    jg_pb_write_fixed32(&out, JG_OTLP_SPAN_FLAGS, 0x301);
    jg_pb_write_str(&out, 1000, JAEGER_STR("unknown of span"));
    jg_pb_end(&out, span, 3);
    jg_pb_write_str(&out, JG_OTLP_SCOPE_SPANS_SCHEMA_URL, JAEGER_STR("scope url"));
    jg_pb_end(&out, ss, 3);
    jg_pb_write_str(&out, JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, JAEGER_STR("resource url"));
    jg_pb_end(&out, rs, 3);
    assert_true(jg_buf_ok(&out));
    jaeger_batch *batch = NULL;
    jaeger_error err = {0};
    if (jaeger_batch_from_otlp(out.data, out.len, NULL, NULL, &batch, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return batch;
}

static void store_returns_every_field(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_OTLP);
    JG_AUTO_BATCH jaeger_batch *batch = rich_batch();
    write_batch(f, jaeger_batch_ref(batch));
    gathered got;
    get_one(f, 7, &got);
    assert_same_spans(&batch, 1, &got);
    gathered_done(&got);
}

static void store_keeps_resources_and_scopes_apart(void **state)
{
    fixture *f = *state;
    const span_spec specs[] = {
        {.trace = 1, .id = 1, .service = "a"}, {.trace = 1, .id = 2, .service = "b"},
        {.trace = 2, .id = 3, .service = "a"}, {.trace = 1, .id = 4},
        {.trace = 1, .id = 5, .service = "a"},
    };
    JG_AUTO_BATCH jaeger_batch *batch = make_batch(specs, JG_COUNT(specs));
    write_batch(f, jaeger_batch_ref(batch));
    jaeger_trace_ref refs[2] = {0};
    trace_id_of(0, 1, refs[0].trace_id);
    trace_id_of(0, 2, refs[1].trace_id);
    gathered got = {0};
    assert_ok(f->storage.driver->get_traces(f->storage.self, refs, 2, gather_into(&got), &f->call));
    assert_same_spans(&batch, 1, &got);
    assert_int_equal(got.trace_count, 2);
    gathered_done(&got);
}

static void store_gathers_a_trace_from_many_writes(void **state)
{
    fixture *f = *state;
    jaeger_batch *batches[50];
    for (uint64_t i = 0; i < JG_COUNT(batches); i++) {
        span_spec specs[] = {{.trace = 1, .id = i + 1, .service = i % 3 ? "a" : "b", .start = i * SEC},
                             {.trace = 100 + i, .id = i + 1, .service = "c"}};
        JG_AUTO_BATCH jaeger_batch *both = make_batch(specs, 2);
        write_batch(f, jaeger_batch_ref(both));
        batches[i] = make_batch(specs, 1);
    }
    gathered got;
    get_one(f, 1, &got);
    assert_same_spans(batches, JG_COUNT(batches), &got);
    gathered_done(&got);
    for (size_t i = 0; i < JG_COUNT(batches); i++)
        jaeger_batch_unref(batches[i]);
}

static void store_leaves_unknown_ids_out(void **state)
{
    fixture *f = *state;
    write_specs(f, &(span_spec){.trace = 5, .id = 1, .service = "a"}, 1);
    jaeger_trace_ref refs[3] = {0};
    trace_id_of(0, 4, refs[0].trace_id);
    trace_id_of(0, 5, refs[1].trace_id);
    trace_id_of(5, 0, refs[2].trace_id);
    gathered got = {0};
    assert_ok(f->storage.driver->get_traces(f->storage.self, refs, 3, gather_into(&got), &f->call));
    assert_int_equal(gathered_spans(&got), 1);
    gathered_done(&got);
    assert_ok(f->storage.driver->get_traces(f->storage.self, refs, 1, gather_into(&got), &f->call));
    assert_ok(f->storage.driver->get_traces(f->storage.self, refs, 0, gather_into(&got), &f->call));
    assert_int_equal(got.count, 0);
}

static void store_finds_a_trace_within_its_time_hints(void **state)
{
    fixture *f = *state;
    write_specs(f, &(span_spec){.trace = 5, .id = 1, .service = "a"}, 1);
    jaeger_trace_ref ref = {.start_unix_ns = BASE - SEC, .end_unix_ns = BASE + SEC};
    trace_id_of(0, 5, ref.trace_id);
    gathered got = {0};
    assert_ok(f->storage.driver->get_traces(f->storage.self, &ref, 1, gather_into(&got), &f->call));
    assert_int_equal(gathered_spans(&got), 1);
    gathered_done(&got);
}

static void store_keeps_spans_that_share_an_id(void **state)
{
    fixture *f = *state;
    span_spec specs[200];
    for (uint64_t i = 0; i < JG_COUNT(specs); i++)
        specs[i] = (span_spec){.trace = 9, .id = i % 20 == 19 ? 1 : i + 1, .service = "a", .start = i * 1000};
    JG_AUTO_BATCH jaeger_batch *batch = make_batch(specs, JG_COUNT(specs));
    write_batch(f, jaeger_batch_ref(batch));
    gathered got;
    get_one(f, 9, &got);
    assert_same_spans(&batch, 1, &got);
    gathered_done(&got);
}

static void store_survives_the_same_batch_twice(void **state)
{
    fixture *f = *state;
    JG_AUTO_BATCH jaeger_batch *batch = rich_batch();
    write_batch(f, jaeger_batch_ref(batch));
    write_batch(f, jaeger_batch_ref(batch));
    gathered got;
    get_one(f, 7, &got);
    assert_in_range(gathered_spans(&got), 1, 2); /* the query service collapses identical copies */
    gathered_done(&got);
}

static void store_takes_a_big_trace(void **state)
{
    fixture *f = *state;
    enum { SPANS = 10008, BATCH = 500 };
    static span_spec specs[SPANS];
    for (uint64_t i = 0; i < SPANS; i++)
        specs[i] = (span_spec){.trace = 3, .id = i + 1, .parent = i, .service = "big", .start = i * 1000};
    for (size_t at = 0; at < SPANS; at += BATCH)
        write_specs(f, specs + at, JG_MIN(BATCH, SPANS - at));
    JG_AUTO_BATCH jaeger_batch *all = make_batch(specs, SPANS);
    gathered got;
    get_one(f, 3, &got);
    assert_same_spans(&all, 1, &got);
    gathered_done(&got);
    jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("big")};
    find(f, &query, &got);
    assert_int_equal(gathered_spans(&got), SPANS);
    assert_int_equal(got.trace_count, 1);
    gathered_done(&got);
}

static void store_takes_large_values_and_odd_bytes(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_OTLP);
    static char large[1 << 20];
    memset(large, 'x', sizeof large);
    jaeger_builder *b = jaeger_builder_new(64u << 20);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), (jaeger_str){"nul\0inside", 10});
    jaeger_builder_scope(b, (jaeger_str){0}, (jaeger_str){0}, (jaeger_str){0});
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {[15] = 2}, .span_id = {1}, .name = {"n\0m", 3}});
    jaeger_builder_attr_str(b, JAEGER_STR("large"), (jaeger_str){large, sizeof large});
    jaeger_builder_span(
        b, &(jaeger_span_start){
               .trace_id = {[15] = 2}, .span_id = {2}, .start_unix_ns = UINT64_MAX, .end_unix_ns = 1});
    for (int i = 0; i < 2000; i++)
        jaeger_builder_event(b, (uint64_t)i, JAEGER_STR("e"));
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    write_batch(f, jaeger_batch_ref(batch));
    gathered got;
    get_one(f, 2, &got);
    assert_same_spans(&batch, 1, &got);
    gathered_done(&got);
}

static void store_takes_hostile_ids(void **state)
{
    fixture *f = *state;
    static const uint64_t halves[] = {0, 1, UINT64_MAX, 0x8000000000000000ull, 0xff};
    uint64_t written = 0;
    for (size_t i = 0; i < JG_COUNT(halves); i++) {
        for (size_t k = 0; k < JG_COUNT(halves); k++) {
            span_spec specs[] = {
                {.trace_high = halves[i],
                 .trace = halves[k],
                 .id = halves[k],
                 .parent = halves[k],
                 .service = "x"},
                {.trace_high = halves[i], .trace = halves[k], .id = halves[i], .parent = 1, .service = "x"}};
            write_specs(f, specs, 2);
            written += 2;
        }
    }
    uint64_t read = 0;
    for (size_t i = 0; i < JG_COUNT(halves); i++) {
        for (size_t k = 0; k < JG_COUNT(halves); k++) {
            jaeger_trace_ref ref = {0};
            trace_id_of(halves[i], halves[k], ref.trace_id);
            gathered got = {0};
            assert_ok(f->storage.driver->get_traces(f->storage.self, &ref, 1, gather_into(&got), &f->call));
            bool is_pair = halves[i] != 1 || halves[k] != 1; /* else both are one and the same */
            if (halves[i] || halves[k])                      /* a store may drop the id of all zeros */
                assert_in_range(gathered_spans(&got), is_pair ? 2 : 1, 2);
            read += gathered_spans(&got);
            gathered_done(&got);
        }
    }
    assert_in_range(read, written - 3, written);
}

static void store_takes_an_empty_batch(void **state)
{
    fixture *f = *state;
    write_batch(f, make_batch(NULL, 0));
    jaeger_strs services = {0};
    assert_ok(f->storage.driver->services(f->storage.self, &services, &f->call));
    assert_int_equal(services.count, 0);
}

static bool keep_none(void *user, const jaeger_span *span)
{
    (void)user, (void)span;
    return false;
}

static void store_hands_out_copies(void **state)
{
    fixture *f = *state;
    write_specs(f, &(span_spec){.trace = 1, .id = 1, .service = "a", .name = "before"}, 1);
    gathered first, second;
    get_one(f, 1, &first);
    assert_ok(jaeger_batch_own(&first.batches[0], NULL));
    jaeger_batch_filter(first.batches[0], keep_none, NULL);
    get_one(f, 1, &second);
    assert_int_equal(gathered_spans(&second), 1);
    gathered_done(&first);
    assert_str(jaeger_batch_spans(second.batches[0])[0].name, "before");
    gathered_done(&second);
}

static void store_stops_when_the_consumer_had_enough(void **state)
{
    fixture *f = *state;
    span_spec specs[20];
    jaeger_trace_ref refs[20] = {0};
    for (uint64_t i = 0; i < 20; i++) {
        specs[i] = (span_spec){.trace = i + 1, .id = 1, .service = "a", .start = i};
        trace_id_of(0, i + 1, refs[i].trace_id);
    }
    write_specs(f, specs, 20);
    gathered got = {.stop_after = 3};
    assert_int_equal(f->storage.driver->get_traces(f->storage.self, refs, 20, gather_into(&got), &f->call),
                     JAEGER_CANCELLED);
    assert_int_equal(got.count, 3);
    gathered_done(&got);
    got.stop_after = 2;
    jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("a")};
    assert_int_equal(f->storage.driver->find_traces(f->storage.self, &query, gather_into(&got), &f->call),
                     JAEGER_CANCELLED);
    assert_int_equal(got.count, 2);
    gathered_done(&got);
}

static void store_heeds_deadline_and_cancellation(void **state)
{
    fixture *f = *state;
    write_specs(f, &(span_spec){.trace = 1, .id = 1, .service = "a"}, 1);
    jaeger_trace_query query = {.size = sizeof query, .service = JAEGER_STR("a")};
    jaeger_call call = fixture_call(f, "");
    call.deadline_ns = jg_clock_mono_ns() - 1;
    gathered got = {0};
    assert_int_equal(f->storage.driver->find_traces(f->storage.self, &query, gather_into(&got), &call),
                     JAEGER_DEADLINE_EXCEEDED);
    int gone = 1;
    call = fixture_call(f, "");
    call.cancelled = &gone;
    assert_int_equal(f->storage.driver->find_traces(f->storage.self, &query, gather_into(&got), &call),
                     JAEGER_CANCELLED);
    assert_int_equal(got.count, 0);
}

/** A trace that is read several times while more of it is written. */
typedef struct rereading {
    fixture *f;
    uint64_t hash[3]; /* of the chunks of a reading */
    size_t spans[3], reading;
} rereading;

static jaeger_status hash_chunk(void *self, jaeger_batch *take, jaeger_call *call)
{
    rereading *r = self;
    uint64_t *hash = &r->hash[r->reading];
    size_t n = jaeger_batch_span_count(take);
    (void)call;
    for (size_t i = 0; i < n; i++) {
        const jaeger_span *span = &jaeger_batch_spans(take)[i];
        *hash = jg_hash(span->bytes, span->len, *hash);
    }
    *hash = jg_hash(&n, sizeof n, *hash); /* where chunks end */
    r->spans[r->reading] += n;
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void write_part(fixture *f, uint64_t first)
{
    span_spec specs[3000];
    for (uint64_t i = 0; i < JG_COUNT(specs); i++)
        specs[i] = (span_spec){.trace = 3, .id = first + i, .service = i % 100 ? "a" : "b", .start = i};
    write_specs(f, specs, JG_COUNT(specs));
}

static jaeger_status read_again(void *self, bool *ret, jaeger_call *call)
{
    rereading *r = self;
    (void)call;
    write_part(r->f, 100000 * (r->reading + 1));
    *ret = ++r->reading < JG_COUNT(r->hash);
    return JAEGER_OK;
}

static void store_rereads_a_trace_as_it_was(void **state)
{
    fixture *f = *state;
    rereading r = {.f = f};
    jaeger_trace_ref ref = {0};
    jaeger_rereader reader = {.out = {hash_chunk, &r}, .again = read_again};
    if (!f->storage.driver->reread_trace)
        return;
    write_part(f, 1);
    write_part(f, 10000);
    trace_id_of(0, 3, ref.trace_id);
    assert_ok(f->storage.driver->reread_trace(f->storage.self, &ref, reader, &f->call));
    assert_int_equal(r.reading, JG_COUNT(r.hash));
    for (size_t i = 0; i < JG_COUNT(r.hash); i++) {
        assert_int_equal(r.spans[i], 6000);
        assert_int_equal(r.hash[i], r.hash[0]);
    }
    gathered all;
    get_one(f, 3, &all);
    assert_int_equal(gathered_spans(&all), 6000 + 3 * 3000);
    gathered_done(&all);
}

static void store_rereads_nothing_that_is_not_there(void **state)
{
    fixture *f = *state;
    rereading r = {.f = f, .reading = JG_COUNT(r.hash) - 1};
    jaeger_trace_ref ref = {0};
    if (!f->storage.driver->reread_trace)
        return;
    trace_id_of(0, 4, ref.trace_id);
    assert_ok(f->storage.driver->reread_trace(
        f->storage.self, &ref, (jaeger_rereader){{hash_chunk, &r, NULL}, read_again}, &f->call));
    assert_int_equal(r.spans[JG_COUNT(r.hash) - 1], 0);
}

static void store_keeps_data_over_a_restart(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_REOPEN);
    JG_AUTO_BATCH jaeger_batch *batch = rich_batch();
    write_batch(f, jaeger_batch_ref(batch));
    fixture_close(f);
    fixture_open(f);
    gathered got;
    get_one(f, 7, &got);
    if (f->skips & JG_SKIP_OTLP)
        assert_int_equal(gathered_spans(&got), jaeger_batch_span_count(batch));
    else
        assert_same_spans(&batch, 1, &got);
    gathered_done(&got);
    jaeger_strs services = {0};
    assert_ok(f->storage.driver->services(f->storage.self, &services, &f->call));
    assert_int_equal(services.count, 1);
    assert_str(services.items[0], "rich");
}

const struct CMUnitTest write_tests[] = {
    TEST(store_returns_every_field),
    TEST(store_keeps_resources_and_scopes_apart),
    TEST(store_gathers_a_trace_from_many_writes),
    TEST(store_leaves_unknown_ids_out),
    TEST(store_finds_a_trace_within_its_time_hints),
    TEST(store_keeps_spans_that_share_an_id),
    TEST(store_survives_the_same_batch_twice),
    TEST(store_takes_a_big_trace),
    TEST(store_takes_large_values_and_odd_bytes),
    TEST(store_takes_hostile_ids),
    TEST(store_takes_an_empty_batch),
    TEST(store_hands_out_copies),
    TEST(store_stops_when_the_consumer_had_enough),
    TEST(store_heeds_deadline_and_cancellation),
    TEST(store_rereads_a_trace_as_it_was),
    TEST(store_rereads_nothing_that_is_not_there),
    TEST(store_keeps_data_over_a_restart),
};
const size_t write_test_count = JG_COUNT(write_tests);
