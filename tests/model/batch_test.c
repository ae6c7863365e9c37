/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/buf.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "support/test.h"

static jaeger_batch *two_spans(void)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_builder_resource(b, JAEGER_STR("res-url"));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1.0"), JAEGER_STR("scope-url"));
    jaeger_builder_attr_bool(b, JAEGER_STR("scoped"), true);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1},
                                                .span_id = {2},
                                                .name = JAEGER_STR("GET /"),
                                                .kind = JAEGER_KIND_SERVER,
                                                .start_unix_ns = 100,
                                                .end_unix_ns = 200,
                                                .flags = 0x101,
                                                .trace_state = JAEGER_STR("a=b")});
    jaeger_builder_attr_int(b, JAEGER_STR("n"), -5);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 0.5);
    jaeger_builder_attr_bytes(b, JAEGER_STR("raw"), JAEGER_STR("\x01\x02"));
    jaeger_builder_event(b, 150, JAEGER_STR("hit"));
    jaeger_builder_attr_str(b, JAEGER_STR("in"), JAEGER_STR("event"));
    jaeger_builder_link(b, (const uint8_t[16]){9}, (const uint8_t[8]){8}, JAEGER_STR("x=y"), 1);
    jaeger_builder_attr_str(b, JAEGER_STR("in"), JAEGER_STR("link"));
    jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR("boom"));
    jaeger_builder_span(
        b, &(jaeger_span_start){
               .trace_id = {1}, .span_id = {3}, .parent_span_id = {2}, .name = JAEGER_STR("SELECT")});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void batch_has_all_that_was_built(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = two_spans();
    assert_int_equal(jaeger_batch_span_count(batch), 2);
    const jaeger_span *span = jaeger_batch_spans(batch);
    assert_str(span->name, "GET /");
    assert_str(span->group->service, "shop");
    assert_str(span->group->resource_schema_url, "res-url");
    assert_str(span->group->scope_schema_url, "scope-url");
    assert_int_equal(span->kind, JAEGER_KIND_SERVER);
    assert_int_equal(span->status_code, JAEGER_STATUS_ERROR);
    assert_int_equal(span->flags, 0x101);
    assert_int_equal(span->end_unix_ns - span->start_unix_ns, 100);
    jaeger_attr attr;
    jaeger_iter it = jaeger_span_attrs(span);
    assert_true(jaeger_next_attr(&it, &attr) && attr.value.u.i == -5);
    assert_true(jaeger_next_attr(&it, &attr) && attr.value.u.d == 0.5);
    assert_true(jaeger_next_attr(&it, &attr) && attr.value.type == JAEGER_VALUE_BYTES);
    assert_false(jaeger_next_attr(&it, &attr));
    jaeger_event event;
    it = jaeger_span_events(span);
    assert_true(jaeger_next_event(&it, &event));
    assert_str(event.name, "hit");
    assert_true(jaeger_find_attr(jaeger_event_attrs(&event), JAEGER_STR("in"), &attr));
    assert_str(attr.value.u.s, "event");
    jaeger_link link;
    it = jaeger_span_links(span);
    assert_true(jaeger_next_link(&it, &link));
    assert_int_equal(link.trace_id[0], 9);
    assert_str(link.trace_state, "x=y");
    assert_true(jaeger_find_attr(jaeger_link_attrs(&link), JAEGER_STR("in"), &attr));
    jaeger_span_rest rest;
    jaeger_span_read_rest(span, &rest);
    assert_str(rest.status_message, "boom");
    assert_str(rest.trace_state, "a=b");
    jaeger_scope scope;
    jaeger_scope_read(span->group, &scope);
    assert_str(scope.name, "lib");
    assert_true(jaeger_find_attr(jaeger_scope_attrs(span->group), JAEGER_STR("scoped"), &attr));
    assert_int_equal(span[1].parent_span_id[0], 2);
}

static void batch_writes_the_bytes_it_read(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = two_spans(), *again = NULL;
    size_t len = jaeger_batch_otlp_size(batch);
    uint8_t *bytes = jg_alloc(len), *twice = jg_alloc(len);
    jaeger_batch_write_otlp(batch, bytes);
    assert_ok(jaeger_batch_from_otlp(bytes, len, NULL, NULL, &again, NULL));
    assert_int_equal(jaeger_batch_otlp_size(again), len);
    jaeger_batch_write_otlp(again, twice);
    assert_memory_equal(bytes, twice, len);
    jg_free(bytes);
    jg_free(twice);
}

static bool is_select(void *user, const jaeger_span *span)
{
    (void)user;
    return jg_str_is(span->name, "SELECT");
}

static void batch_that_is_shared_is_copied_before_a_change(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = two_spans();
    JG_AUTO_BATCH jaeger_batch *mine = jaeger_batch_ref(batch);
    assert_ok(jaeger_batch_own(&mine, NULL));
    assert_ptr_not_equal(mine, batch);
    jaeger_batch_filter(mine, is_select, NULL);
    assert_int_equal(jaeger_batch_span_count(mine), 1);
    assert_int_equal(jaeger_batch_span_count(batch), 2);
    JG_AUTO_BUF jg_buf span = JG_BUF_INIT(100);
    jg_pb_write_str(&span, JG_OTLP_SPAN_NAME, JAEGER_STR("renamed"));
    assert_ok(jaeger_batch_replace_span(mine, 0, span.data, span.len, NULL));
    assert_str(jaeger_batch_spans(mine)[0].name, "renamed");
    assert_str(jaeger_batch_spans(mine)[0].group->service, "shop");
    assert_str(jaeger_batch_spans(batch)[1].name, "SELECT");
    assert_int_equal(jaeger_batch_replace_span(mine, 0, "\x0a\x01x", 3, NULL), JAEGER_INVALID_ARGUMENT);
}

static void batch_merge_keeps_resources_apart(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *a = two_spans(), *b = two_spans(), *both = NULL, *picked = NULL;
    assert_ok(jg_batch_merge((jaeger_batch *[]){a, b}, 2, &both, NULL));
    assert_int_equal(jaeger_batch_span_count(both), 4);
    assert_int_not_equal(jaeger_batch_spans(both)[0].group->resource_index,
                         jaeger_batch_spans(both)[2].group->resource_index);
    assert_int_equal(jaeger_batch_otlp_size(both), 2 * jaeger_batch_otlp_size(a));
    assert_ok(jg_batch_select(both, (const uint32_t[]){3, 0}, 2, &picked, NULL));
    assert_str(jaeger_batch_spans(picked)[0].name, "SELECT");
    assert_str(jaeger_batch_spans(picked)[1].name, "GET /");
}

static void batch_refuses_what_is_not_otlp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } rows[] = {
        {"resource spans as a number", "\x08\x01", 2},
        {"truncated", "\x0a\x10", 2},
        {"trace id of 3 bytes",
         "\x0a\x09\x12\x07\x12\x05\x0a\x03"
         "abc",
         11},
        {"parent id of 3 bytes",
         "\x0a\x09\x12\x07\x12\x05\x22\x03"
         "abc",
         11},
        {"name as a number", "\x0a\x06\x12\x04\x12\x02\x28\x01", 8},
        {"start as a varint", "\x0a\x06\x12\x04\x12\x02\x38\x01", 8},
        {"attribute cut off", "\x0a\x08\x12\x06\x12\x04\x4a\x02\x0a\x05", 10},
        {"string value as a number", "\x0a\x0a\x12\x08\x12\x06\x4a\x04\x12\x02\x08\x01", 12},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_batch *batch = NULL;
        jaeger_error err;
        if (jaeger_batch_from_otlp((void *)rows[i].bytes, rows[i].len, NULL, NULL, &batch, &err) !=
            JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", rows[i].name);
    }
}

/** A span whose attribute nests arrays so deep. */
static jaeger_status parse_nested(unsigned depth)
{
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(1 << 20);
    size_t marks[1000], n = 0;
    marks[n++] = jg_pb_begin(&buf, JG_OTLP_REQUEST_RESOURCE_SPANS, 3);
    marks[n++] = jg_pb_begin(&buf, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 3);
    marks[n++] = jg_pb_begin(&buf, JG_OTLP_SCOPE_SPANS_SPANS, 3);
    marks[n++] = jg_pb_begin(&buf, JG_OTLP_SPAN_ATTRIBUTES, 3);
    marks[n++] = jg_pb_begin(&buf, JG_OTLP_KEY_VALUE_VALUE, 3);
    for (unsigned i = 0; i < depth; i++) {
        marks[n++] = jg_pb_begin(&buf, JG_OTLP_ANY_ARRAY, 3);
        marks[n++] = jg_pb_begin(&buf, JG_OTLP_LIST_VALUES, 3);
    }
    while (n)
        jg_pb_end(&buf, marks[--n], 3);
    jaeger_batch *batch = NULL;
    jaeger_status status = jaeger_batch_from_otlp(buf.data, buf.len, NULL, NULL, &batch, NULL);
    jaeger_batch_unref(batch);
    return status;
}

static void batch_limits_the_nesting_of_values(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(60), JAEGER_OK);
    assert_int_equal(parse_nested(66), JAEGER_INVALID_ARGUMENT);
    assert_int_equal(parse_nested(400), JAEGER_INVALID_ARGUMENT);
}

static void batch_survives_each_failing_allocation(void **state)
{
    (void)state;
    JG_AUTO_BATCH jaeger_batch *batch = two_spans();
    size_t len = jaeger_batch_otlp_size(batch);
    uint8_t *bytes = jg_alloc(len);
    jaeger_batch_write_otlp(batch, bytes);
    jaeger_status status = JAEGER_UNKNOWN;
    for (long n = 0; status != JAEGER_OK && n < 100; n++) {
        jaeger_batch *again = NULL;
        jg_alloc_fail_after(n);
        status = jaeger_batch_from_otlp(bytes, len, NULL, NULL, &again, NULL);
        jg_alloc_fail_after(-1);
        jaeger_batch_unref(again);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
    }
    assert_ok(status);
    jg_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_has_all_that_was_built),
        cmocka_unit_test(batch_writes_the_bytes_it_read),
        cmocka_unit_test(batch_that_is_shared_is_copied_before_a_change),
        cmocka_unit_test(batch_merge_keeps_resources_apart),
        cmocka_unit_test(batch_refuses_what_is_not_otlp),
        cmocka_unit_test(batch_limits_the_nesting_of_values),
        cmocka_unit_test(batch_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
