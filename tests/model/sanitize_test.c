/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sanitize.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "support/test.h"

#define BAD                                                                                                  \
    JAEGER_STR("b\xff"                                                                                       \
               "d")

static jaeger_builder *begin(const char *service)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_builder_resource(b, (jaeger_str){0});
    if (service)
        jaeger_builder_attr_str(b, JAEGER_STR("service.name"), jg_str(service));
    return b;
}

static void add_span(jaeger_builder *b, jaeger_str name, uint64_t start, uint64_t end)
{
    jaeger_builder_span(
        b, &(jaeger_span_start){
               .trace_id = {1}, .span_id = {2}, .name = name, .start_unix_ns = start, .end_unix_ns = end});
}

static jaeger_batch *finish(jaeger_builder *b)
{
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static jaeger_value value_of(jaeger_iter iter, const char *key)
{
    jaeger_attr attr;
    if (!jaeger_find_attr(iter, jg_str(key), &attr))
        fail_msg("no attribute '%s'", key);
    return attr.value;
}

static void assert_bytes(jaeger_value value, jaeger_str want)
{
    assert_int_equal(value.type, JAEGER_VALUE_BYTES);
    assert_true(jg_str_eq(value.u.s, want));
}

static void sanitize_leaves_a_clean_batch_alone(void **state)
{
    (void)state;
    jaeger_builder *b = begin("s");
    add_span(b, JAEGER_STR("n\xc3\xa9"), 1, 2);
    jaeger_builder_attr_str(b, JAEGER_STR("k"), JAEGER_STR("\xe2\x82\xac"));
    jaeger_builder_attr_bytes(b, JAEGER_STR("raw"), BAD);
    JG_AUTO_BATCH jaeger_batch *batch = finish(b);
    JG_AUTO_BATCH jaeger_batch *shared = jaeger_batch_ref(batch);
    jg_alloc_fail_after(0);
    jaeger_status status = jg_sanitize(&batch, NULL);
    jg_alloc_fail_after(-1);
    assert_ok(status);
    assert_ptr_equal(batch, shared);
}

static void sanitize_names_the_service(void **state)
{
    (void)state;
    static const struct {
        const char *service, *want;
    } cases[] = {{NULL, "missing-service-name"}, {"", "empty-service-name"}, {"x", "x"}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_builder *b = begin(cases[i].service);
        jaeger_builder_attr_str(b, JAEGER_STR("other"), JAEGER_STR("stays"));
        jaeger_builder_scope(b, JAEGER_STR("one"), (jaeger_str){0}, (jaeger_str){0});
        add_span(b, JAEGER_STR("n"), 1, 2);
        jaeger_builder_scope(b, JAEGER_STR("two"), (jaeger_str){0}, (jaeger_str){0});
        add_span(b, JAEGER_STR("n"), 1, 2);
        JG_AUTO_BATCH jaeger_batch *batch = finish(b);
        assert_ok(jg_sanitize(&batch, NULL));
        for (size_t k = 0; k < 2; k++) {
            const jaeger_span_group *group = jaeger_batch_spans(batch)[k].group;
            assert_str(group->service, cases[i].want);
            assert_str(value_of(jaeger_resource_attrs(group), "other").u.s, "stays");
        }
    }
    jaeger_builder *b = begin(NULL);
    jaeger_builder_attr_int(b, JAEGER_STR("service.name"), 7);
    add_span(b, JAEGER_STR("n"), 1, 2);
    JG_AUTO_BATCH jaeger_batch *batch = finish(b);
    assert_ok(jg_sanitize(&batch, NULL));
    assert_str(jaeger_batch_spans(batch)->group->service, "service-name-wrong-type");
}

static void sanitize_names_the_span(void **state)
{
    (void)state;
    jaeger_builder *b = begin("s");
    add_span(b, (jaeger_str){0}, 1, 2);
    add_span(b, BAD, 1, 2);
    JG_AUTO_BATCH jaeger_batch *batch = finish(b);
    assert_ok(jg_sanitize(&batch, NULL));
    const jaeger_span *spans = jaeger_batch_spans(batch);
    assert_str(spans[0].name, "empty-span-name");
    assert_str(spans[1].name, "invalid-span-name");
    assert_bytes(value_of(jaeger_span_attrs(&spans[1]), "invalid-span-name"), BAD);
}

static void sanitize_keeps_bad_texts_as_bytes(void **state)
{
    (void)state;
    jaeger_builder *b = begin("s");
    jaeger_builder_attr_str(b, JAEGER_STR("r"), BAD);
    jaeger_builder_scope(b, BAD, BAD, BAD);
    jaeger_builder_attr_str(b, BAD, JAEGER_STR("v"));
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1},
                                                .span_id = {2},
                                                .name = JAEGER_STR("n"),
                                                .trace_state = BAD,
                                                .start_unix_ns = 1,
                                                .end_unix_ns = 2});
    jaeger_builder_attr_str(b, JAEGER_STR("good"), JAEGER_STR("v"));
    jaeger_builder_attr_str(b, JAEGER_STR("k"), BAD);
    jaeger_builder_attr_int(b, BAD, 42);
    jaeger_builder_attr_bytes(b, BAD, JAEGER_STR("\x01"));
    static const uint8_t list[] = "\x0a\x04list\x12\x09*\x07\x0a\x05\x0a\x03"
                                  "b\xff"
                                  "d";
    jaeger_builder_attr_copy(b, &(jaeger_attr){.raw = {(const char *)list, sizeof list - 1}});
    jaeger_builder_event(b, 1, BAD);
    jaeger_builder_attr_str(b, JAEGER_STR("e"), BAD);
    jaeger_builder_link(b, (const uint8_t[16]){3}, (const uint8_t[8]){4}, BAD, 5);
    jaeger_builder_status(b, JAEGER_STATUS_ERROR, BAD);
    JG_AUTO_BATCH jaeger_batch *batch = finish(b);
    JG_AUTO_BATCH jaeger_batch *before = jaeger_batch_ref(batch);
    assert_ok(jg_sanitize(&batch, NULL));
    assert_ptr_not_equal(batch, before); /* it was shared */
    const jaeger_span *span = jaeger_batch_spans(batch);
    assert_bytes(value_of(jaeger_resource_attrs(span->group), "r"), BAD);
    jaeger_scope scope;
    jaeger_scope_read(span->group, &scope);
    assert_str(scope.name, "invalid-scope-name");
    assert_str(scope.version, "invalid-scope-version");
    assert_int_equal(span->group->scope_schema_url.len, 0);
    assert_bytes(value_of(jaeger_scope_attrs(span->group), "invalid-schema-url"), BAD);
    assert_bytes(value_of(jaeger_scope_attrs(span->group), "invalid-tag-key-1"), JAEGER_STR("b\xff"
                                                                                            "d:v"));
    jaeger_iter attrs = jaeger_span_attrs(span);
    assert_str(value_of(attrs, "good").u.s, "v");
    assert_bytes(value_of(attrs, "k"), BAD);
    assert_bytes(value_of(attrs, "invalid-tag-key-1"), JAEGER_STR("b\xff"
                                                                  "d:42"));
    assert_bytes(value_of(attrs, "invalid-tag-key-2"), JAEGER_STR("b\xff"
                                                                  "d:\x01"));
    assert_bytes(value_of(attrs, "invalid-trace-state"), BAD);
    assert_bytes(value_of(attrs, "invalid-status-message"), BAD);
    jaeger_value item;
    jaeger_iter items = jaeger_array_values(value_of(attrs, "list"));
    assert_true(jaeger_next_value(&items, &item));
    assert_bytes(item, BAD);
    jaeger_event event;
    jaeger_iter events = jaeger_span_events(span);
    assert_true(jaeger_next_event(&events, &event));
    assert_str(event.name, "invalid-event-name");
    assert_bytes(value_of(jaeger_event_attrs(&event), "e"), BAD);
    jaeger_link link;
    jaeger_iter links = jaeger_span_links(span);
    assert_true(jaeger_next_link(&links, &link));
    assert_int_equal(link.trace_state.len, 0);
    assert_int_equal(link.flags, 5);
    assert_bytes(value_of(jaeger_link_attrs(&link), "invalid-trace-state"), BAD);
    jaeger_span_rest rest;
    jaeger_span_read_rest(span, &rest);
    assert_str(rest.status_message, "invalid-status-message");
    assert_int_equal(span->status_code, JAEGER_STATUS_ERROR);
    JG_AUTO_BATCH jaeger_batch *again = jaeger_batch_ref(batch);
    assert_ok(jg_sanitize(&batch, NULL));
    assert_ptr_equal(batch, again); /* nothing is left to repair */
}

static void sanitize_gives_every_span_a_duration(void **state)
{
    (void)state;
    static const struct {
        uint64_t start, end, want_end;
        const char *want;
    } cases[] = {
        {1700000000200000000, 1700000000100000000, 1700000000200000001,
         "Negative duration detected, sanitizing end timestamp. Original end timestamp: 2023-11-14 "
         "22:13:20.1 "
         "+0000 UTC, adjusted to: 2023-11-14 22:13:20.200000001 +0000 UTC"},
        {1700000000000000000, 1700000000000000000, 1700000000000000001,
         "Negative duration detected, sanitizing end timestamp. Original end timestamp: 2023-11-14 22:13:20 "
         "+0000 UTC, adjusted to: 2023-11-14 22:13:20.000000001 +0000 UTC"},
        {5, 0, 6,
         "Negative duration detected, sanitizing end timestamp. Original end timestamp: 1970-01-01 00:00:00 "
         "+0000 UTC, adjusted to: 1970-01-01 00:00:00.000000006 +0000 UTC"},
        {5, 6, 6, NULL},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_builder *b = begin("s");
        add_span(b, JAEGER_STR("n"), cases[i].start, cases[i].end);
        JG_AUTO_BATCH jaeger_batch *batch = finish(b);
        assert_ok(jg_sanitize(&batch, NULL));
        const jaeger_span *span = jaeger_batch_spans(batch);
        assert_int_equal(span->end_unix_ns, cases[i].want_end);
        jaeger_attr attr;
        assert_int_equal(jaeger_find_attr(jaeger_span_attrs(span), JAEGER_STR("@jaeger@warnings"), &attr),
                         cases[i].want != NULL);
        if (!cases[i].want)
            continue;
        jaeger_value text;
        jaeger_iter items = jaeger_array_values(attr.value);
        assert_true(jaeger_next_value(&items, &text));
        assert_str(text.u.s, cases[i].want);
        assert_false(jaeger_next_value(&items, &text));
    }
}

static void sanitize_adds_to_warnings_that_are_there(void **state)
{
    (void)state;
    jaeger_builder *b = begin("s");
    add_span(b, JAEGER_STR("n"), 5, 1);
    static const uint8_t list[] = "\x0a\x10@jaeger@warnings\x12\x09*\x07\x0a\x05\x0a\x03old";
    jaeger_builder_attr_copy(b, &(jaeger_attr){.raw = {(const char *)list, sizeof list - 1}});
    JG_AUTO_BATCH jaeger_batch *batch = finish(b);
    assert_ok(jg_sanitize(&batch, NULL));
    jaeger_value text;
    jaeger_iter items =
        jaeger_array_values(value_of(jaeger_span_attrs(jaeger_batch_spans(batch)), "@jaeger@warnings"));
    assert_true(jaeger_next_value(&items, &text));
    assert_str(text.u.s, "old");
    assert_true(jaeger_next_value(&items, &text));
    assert_false(jaeger_next_value(&items, &text));
}

static void sanitize_keeps_warnings_that_are_a_text(void **state)
{
    (void)state;
    jaeger_builder *b = begin("s");
    add_span(b, JAEGER_STR("n"), 5, 1);
    jaeger_builder_attr_str(b, JAEGER_STR("@jaeger@warnings"), JAEGER_STR("old"));
    JG_AUTO_BATCH jaeger_batch *batch = finish(b);
    assert_ok(jg_sanitize(&batch, NULL));
    jaeger_value text;
    jaeger_iter items =
        jaeger_array_values(value_of(jaeger_span_attrs(jaeger_batch_spans(batch)), "@jaeger@warnings"));
    assert_true(jaeger_next_value(&items, &text));
    assert_str(text.u.s, "old");
    assert_true(jaeger_next_value(&items, &text));
}

static void sanitize_survives_failing_allocations(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        jaeger_builder *b = begin(NULL);
        jaeger_builder_scope(b, BAD, (jaeger_str){0}, BAD);
        add_span(b, BAD, 5, 1);
        JG_AUTO_BATCH jaeger_batch *batch = finish(b);
        JG_AUTO_BATCH jaeger_batch *shared = jaeger_batch_ref(batch);
        jg_alloc_fail_after(n);
        jaeger_status status = jg_sanitize(&batch, NULL);
        jg_alloc_fail_after(-1);
        if (status == JAEGER_OK)
            return;
        assert_int_equal(status, JAEGER_RESOURCE_EXHAUSTED);
        assert_int_equal(jaeger_batch_span_count(batch), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sanitize_leaves_a_clean_batch_alone),
        cmocka_unit_test(sanitize_names_the_service),
        cmocka_unit_test(sanitize_names_the_span),
        cmocka_unit_test(sanitize_keeps_bad_texts_as_bytes),
        cmocka_unit_test(sanitize_gives_every_span_a_duration),
        cmocka_unit_test(sanitize_adds_to_warnings_that_are_there),
        cmocka_unit_test(sanitize_keeps_warnings_that_are_a_text),
        cmocka_unit_test(sanitize_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
