/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/expr.h"
#include "support/test.h"
#include "wire/rpc.h"

static jaeger_str find_message(jg_buf *buf)
{
    static const jaeger_attr attrs[] = {
        {.key = {"http.method", 11}, .value = {JAEGER_VALUE_STRING, {.s = {"GET", 3}}}},
        {.key = {"n", 1}, .value = {JAEGER_VALUE_INT, {.i = -3}}},
        {.key = {"d", 1}, .value = {JAEGER_VALUE_DOUBLE, {.d = 0.5}}},
        {.key = {"b", 1}, .value = {JAEGER_VALUE_BOOL, {.b = true}}},
    };
    jg_rpc_write_find(buf, &(jaeger_trace_query){.service = JAEGER_STR("shop"),
                                                 .operation = JAEGER_STR("GET /"),
                                                 .attrs = attrs,
                                                 .attr_count = JG_COUNT(attrs),
                                                 .start_min_unix_ns = 1500000000123456789,
                                                 .duration_max_ns = 2500000000,
                                                 .limit = 7});
    return jg_buf_view(buf);
}

static void rpc_find_round_trip(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jg_rpc_find find;
    assert_ok(jg_rpc_read_find(JG_RPC_STORAGE, find_message(&buf), arena, &find, NULL));
    assert_true(find.has_query);
    assert_str(find.query.service, "shop");
    assert_str(find.query.operation, "GET /");
    assert_true(find.start_min.set && find.query.start_min_unix_ns == 1500000000123456789);
    assert_false(find.start_max.set);
    assert_int_equal(find.query.duration_min_ns, 0);
    assert_int_equal(find.query.duration_max_ns, 2500000000);
    assert_int_equal(find.query.limit, 7);
    assert_int_equal(find.query.attr_count, 4);
    assert_str(find.query.attrs[0].value.u.s, "GET");
    assert_int_equal(find.query.attrs[1].value.u.i, -3);
    assert_true(find.query.attrs[2].value.u.d == 0.5);
    assert_true(find.query.attrs[3].value.u.b);
}

#define TEXT(s)                                                                                              \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }
/** eq(span.name, "x") */
#define CALL_PB                                                                                              \
    "\x0a\x02"                                                                                               \
    "eq\x12\x0e\x12\x0c\x0a\x04name\x12\x04span\x12\x05\x22\x03\x0a\x01x"

static void rpc_find_carries_a_filter_in_the_form_it_had(void **state)
{
    (void)state;
    static const struct {
        jg_filter_form form;
        jaeger_str source;
    } cases[] = {
        {JG_FILTER_TEXT, TEXT("name = x or spanCount > 3")},
        {JG_FILTER_TRACEQL, TEXT("{ name = `x` }")},
        {JG_FILTER_JSON, TEXT("{\"op\":\"exists\",\"args\":[{\"attr\":{\"key\":\"x\"}}]}")},
        {JG_FILTER_PB, TEXT(CALL_PB)},
    };
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    const jaeger_filter *filter;
    jg_rpc_find find;
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
        assert_ok(jg_filter_from_source(cases[i].form, cases[i].source, arena, &filter, NULL));
        assert_int_equal(filter->form, cases[i].form);
        jg_rpc_write_find(&buf, &(jaeger_trace_query){.limit = 3, .filter = filter});
        assert_ok(jg_rpc_read_find(JG_RPC_STORAGE, jg_buf_view(&buf), arena, &find, NULL));
        assert_true(find.has_source && !find.has_filter);
        assert_int_equal(find.source_form, cases[i].form);
        assert_true(jg_str_eq(find.source, cases[i].source));
        assert_ok(jg_rpc_read_find(JG_RPC_V3, jg_buf_view(&buf), arena, &find, NULL));
        assert_false(find.has_source); /* the field is storage's */
    }
    assert_int_equal(jg_filter_from_source(9, JAEGER_STR(""), arena, &filter, NULL), JAEGER_INVALID_ARGUMENT);
}

static void rpc_find_reads_the_map_of_v2_and_v3(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    size_t query = jg_pb_begin(&buf, 1, 1), entry = jg_pb_begin(&buf, 3, 1);
    jg_pb_write_str(&buf, 1, JAEGER_STR("error"));
    jg_pb_write_str(&buf, 2, JAEGER_STR("true"));
    jg_pb_end(&buf, entry, 1);
    jg_pb_write_varint(&buf, 9, 1);
    jg_pb_end(&buf, query, 1);
    jg_rpc_find find;
    assert_ok(jg_rpc_read_find(JG_RPC_V3, jg_buf_view(&buf), arena, &find, NULL));
    assert_true(find.raw_traces);
    assert_int_equal(find.query.attr_count, 1);
    assert_str(find.query.attrs[0].key, "error");
    assert_str(find.query.attrs[0].value.u.s, "true");
}

static void rpc_unset_times_are_told_from_1970(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
        bool set;
        uint64_t ns;
    } rows[] = {
        {"absent", "", 0, false, 0},
        {"Go's zero time", "\x0a\x0b\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01", 13, false, 0},
        {"empty message", "\x0a\x00", 2, true, 0},
        {"one second", "\x0a\x04\x08\x01\x10\x05", 6, true, 1000000005},
        {"before 1970", "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, true, 0},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_rpc_range range;
        assert_ok(jg_rpc_read_range((jaeger_str){rows[i].bytes, rows[i].len}, &range, NULL));
        if (range.start.set != rows[i].set || range.start.unix_ns != rows[i].ns)
            fail_msg("%s", rows[i].name);
    }
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(100);
    jg_rpc_write_time(&buf, 1, (jg_rpc_time){0});
    assert_memory_equal(buf.data, rows[1].bytes, rows[1].len);
}

static jaeger_status keep_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    (void)call;
    *(jaeger_trace_summary *)self = *summary;
    return JAEGER_OK;
}

static void rpc_answers_round_trip(void **state)
{
    (void)state;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jaeger_call call = JAEGER_CALL_INIT;
    call.arena = arena;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);

    jaeger_dependencies links = {0}, links_back = {0};
    assert_ok(
        jaeger_dependencies_add(&links, (jaeger_dependency){JAEGER_STR("a"), JAEGER_STR("b"), 300}, &call));
    jg_rpc_write_dependencies(JG_RPC_STORAGE, &buf, &links);
    assert_ok(jg_rpc_read_dependencies(jg_buf_view(&buf), &links_back, &call));
    assert_int_equal(links_back.items[0].call_count, 300);
    assert_str(links_back.items[0].child, "b");

    jaeger_operations operations = {0}, operations_back = {0};
    assert_ok(jaeger_operations_add(&operations, (jaeger_operation){JAEGER_STR("op"), JAEGER_STR("server")},
                                    &call));
    jg_buf_clear(&buf);
    jg_rpc_write_operations(JG_RPC_STORAGE, &buf, &operations);
    assert_ok(jg_rpc_read_operation_list(jg_buf_view(&buf), &operations_back, &call));
    assert_str(operations_back.items[0].span_kind, "server");

    jaeger_trace_refs refs = {0}, refs_back = {0};
    assert_ok(jaeger_trace_refs_add(&refs, (jaeger_trace_ref){{1, 2, 3}, 5, 0}, &call));
    jg_buf_clear(&buf);
    jg_rpc_write_trace_ids(&buf, &refs);
    assert_ok(jg_rpc_read_trace_ids(jg_buf_view(&buf), &refs_back, &call));
    assert_memory_equal(&refs_back.items[0], &refs.items[0], sizeof refs.items[0]);

    static const jaeger_service_count counts[] = {{{"shop", 4}, 9, 1}};
    jaeger_trace_summary summary = {.trace_id = {7},
                                    .root_service = JAEGER_STR("shop"),
                                    .min_start_unix_ns = 1,
                                    .max_end_unix_ns = 2,
                                    .span_count = 9,
                                    .error_span_count = 1,
                                    .services = counts,
                                    .service_count = 1},
                         back;
    jg_buf_clear(&buf);
    jg_rpc_write_summary(JG_RPC_STORAGE, &buf, &summary);
    assert_ok(jg_rpc_read_summaries(jg_buf_view(&buf), (jaeger_summary_sink){keep_summary, &back}, &call));
    assert_int_equal(back.span_count, 9);
    assert_int_equal(back.trace_id[0], 7);
    assert_int_equal(back.services[0].error_span_count, 1);

    jaeger_storage_caps caps = {.same_span_conjunction = true}, caps_back;
    jg_buf_clear(&buf);
    jg_rpc_write_caps(&buf, &caps);
    assert_ok(jg_rpc_read_caps(jg_buf_view(&buf), &caps_back, NULL));
    assert_true(caps_back.same_span_conjunction && !caps_back.without_service_name && !caps_back.filter);
    caps.filter = true;
    jg_buf_clear(&buf);
    jg_rpc_write_caps(&buf, &caps);
    assert_ok(jg_rpc_read_caps(jg_buf_view(&buf), &caps_back, NULL));
    assert_true(caps_back.filter);
    /* what a server of Jaeger says of its filter is not that it takes ours */
    jaeger_str jaeger = JAEGER_STR("\x0a\x12\x08\x01\x10\x01\x1a\x0c\x0a\x04span\x12\x02"
                                   "eq\x12\x00");
    assert_ok(jg_rpc_read_caps(jaeger, &caps_back, NULL));
    assert_true(caps_back.without_service_name && !caps_back.filter);
}

static void rpc_every_truncation_is_an_error_or_a_message(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jaeger_str whole = find_message(&buf);
    size_t refused = 0;
    for (size_t len = 1; len < whole.len; len++) {
        jg_rpc_find find;
        refused += jg_rpc_read_find(JG_RPC_STORAGE, (jaeger_str){whole.ptr, len}, arena, &find, NULL) ==
                   JAEGER_INVALID_ARGUMENT;
    }
    assert_int_equal(refused, whole.len - 1); /* the outer length no longer fits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rpc_find_round_trip),
        cmocka_unit_test(rpc_find_carries_a_filter_in_the_form_it_had),
        cmocka_unit_test(rpc_find_reads_the_map_of_v2_and_v3),
        cmocka_unit_test(rpc_unset_times_are_told_from_1970),
        cmocka_unit_test(rpc_answers_round_trip),
        cmocka_unit_test(rpc_every_truncation_is_an_error_or_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
