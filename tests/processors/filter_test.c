/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/str.h"
#include "support/test.h"
#include "support/traces.h"
#include <jaeger/component.h>
#include <stdlib.h>

extern const jaeger_component_type jg_processor_filter;

static char seen[1024]; /* "service:span(event event) ..." of what came out; "nothing" */

static jaeger_status record(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    (void)call;
    jg_buf out = JG_BUF_INIT(sizeof seen);
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++) {
        const jaeger_span *span = &jaeger_batch_spans(take)[i];
        jg_buf_printf(&out, "%s%.*s:%.*s", i ? " " : "", JAEGER_STR_ARGS(span->group->service),
                      JAEGER_STR_ARGS(span->name));
        jaeger_iter it = jaeger_span_events(span);
        for (jaeger_event event; jaeger_next_event(&it, &event);)
            jg_buf_printf(&out, "(%.*s)", JAEGER_STR_ARGS(event.name));
    }
    (void)snprintf(seen, sizeof seen, "%.*s", JAEGER_STR_ARGS(jg_buf_view(&out)));
    jg_buf_done(&out);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

#define SPAN(name, kind, n)                                                                                  \
    "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\",\"name\":\"" name     \
    "\",\"kind\":" kind ",\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"" n "\"}}],"              \
    "\"events\":[{\"name\":\"e1\"},{\"name\":\"e2\"}]}"
#define RESOURCE(service, scope, spans)                                                                      \
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"" service         \
    "\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"" scope "\",\"version\":\"1\"},\"spans\":[" spans "]}]}"

static const char traces[] =
    "{\"resourceSpans\":[" RESOURCE("a", "x", SPAN("s1", "2", "1") "," SPAN("s2", "3", "2")) "," RESOURCE(
        "b", "y", SPAN("s3", "2", "3")) "]}";

#define ALL "a:s1(e1)(e2) a:s2(e1)(e2) b:s3(e1)(e2)"

static jaeger_status open(const char *yaml, void **config, jaeger_config **root, jaeger_error *err)
{
    *config = calloc(1, jg_processor_filter.config_size);
    assert_ok(jaeger_config_parse(jg_str(yaml), "filter.yaml", root, err));
    jaeger_status status = jaeger_config_bind(*root, jg_processor_filter.fields, *config, err);
    return status == JAEGER_OK ? jg_processor_filter.validate(*config, *root, err) : status;
}

static jaeger_status run(const char *yaml, jaeger_call *call)
{
    void *config, *self = calloc(1, jg_processor_filter.state_size);
    jaeger_config *root;
    jaeger_error err = {0};
    (void)snprintf(seen, sizeof seen, "nothing");
    if (open(yaml, &config, &root, &err) != JAEGER_OK)
        fail_msg("%s: %s", yaml, err.message);
    jaeger_component_create in = {
        .size = sizeof in, .id = "filter", .config = config, .next = {record, NULL}};
    assert_ok(jg_processor_filter.create(self, &in, &err));
    jaeger_batch *batch = batch_of_json(traces), *shared = jaeger_batch_ref(batch);
    jaeger_status status = jg_processor_filter.consume(self, batch, call);
    char out[sizeof seen];
    memcpy(out, seen, sizeof out);
    (void)record(NULL, shared, call); /* the shared batch is as it was */
    assert_string_equal(seen, ALL);
    memcpy(seen, out, sizeof out);
    jg_processor_filter.destroy(self);
    jaeger_config_free(root);
    free(config);
    free(self);
    return status;
}

static void filter_drops_what_is_true(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{}", ALL},
        {"{traces: {span: ['name == \"s1\"']}}", "a:s2(e1)(e2) b:s3(e1)(e2)"},
        {"{traces: {span: ['attributes[\"n\"] > 1', 'kind == SPAN_KIND_SERVER']}}", "nothing"},
        {"{traces: {span: ['resource.attributes[\"service.name\"] == \"a\" and IsMatch(name, \"2$\")']}}",
         "a:s1(e1)(e2) b:s3(e1)(e2)"},
        {"{traces: {resource: ['attributes[\"service.name\"] == \"a\"']}}", "b:s3(e1)(e2)"},
        {"{traces: {spanevent: ['name == \"e1\" and span.name == \"s2\"']}}",
         "a:s1(e1)(e2) a:s2(e2) b:s3(e1)(e2)"},
        {"{traces: {spanevent: ['event_index == 0']}}", "a:s1(e2) a:s2(e2) b:s3(e2)"},
        {"{traces: {span: ['Len(attributes[\"n\"]) == 1']}}", ALL},
        {"{error_mode: silent, traces: {span: ['Len(attributes[\"n\"]) == 1', 'name == \"s1\"']}}",
         "a:s2(e1)(e2) b:s3(e1)(e2)"},
        {"{trace_conditions: ['span.name == \"s1\"', 'resource.attributes[\"service.name\"] == \"b\"']}",
         "a:s2(e1)(e2)"},
        {"{trace_conditions: ['scope.name == \"x\"']}", "b:s3(e1)(e2)"},
        {"{trace_conditions: ['spanevent.name == \"e2\"']}", "a:s1(e1) a:s2(e1) b:s3(e1)"},
        {"{trace_conditions: [{context: span, conditions: ['span.name == \"s1\"']}, {conditions: "
         "['instrumentation_scope.name == \"y\"'], error_mode: propagate}]}",
         "a:s2(e1)(e2)"},
        {"{trace_conditions: [{conditions: ['span.kind == 99']}]}", ALL},
        {"{spans: {include: {match_type: strict, services: [a]}}}", "a:s1(e1)(e2) a:s2(e1)(e2)"},
        {"{spans: {exclude: {match_type: regexp, span_names: ['^s[12]$']}}}", "b:s3(e1)(e2)"},
        {"{spans: {include: {match_type: strict, services: [a]}, exclude: {match_type: strict, span_names: "
         "[s1]}}}",
         "a:s2(e1)(e2)"},
        {"{metrics: {metric: ['name == \"x\"']}, log_conditions: ['log.body == \"\"']}", ALL},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        assert_ok(run(cases[i].yaml, &call));
        if (strcmp(seen, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].yaml, seen);
    }
}

static void filter_propagates_failures_if_asked(void **state)
{
    (void)state;
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(run("{error_mode: propagate, traces: {span: ['Len(attributes[\"n\"]) == 1']}}", &call),
                     JAEGER_INVALID_ARGUMENT);
    assert_string_equal(call.error.message, "failed to eval condition: Len: unsupported target type int");
    assert_string_equal(seen, "nothing");
    assert_int_equal(run("{trace_conditions: [{conditions: ['Len(spanevent.event_index) == 1'], error_mode: "
                         "propagate}]}",
                         &call),
                     JAEGER_INVALID_ARGUMENT);
}

static void filter_refuses_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{traces: {span: ['name ==']}}", "traces::span[0]: condition \"name ==\": 1:8: unexpected token"},
        {"{traces: {span: ['Foo(name)']}}", "undefined function \"Foo\""},
        {"{trace_conditions: ['name == \"a\"']}", "missing context name for path \"name\""},
        {"{trace_conditions: ['span.name == \"a\"', {conditions: []}]}", "multiple configuration styles"},
        {"{trace_conditions: [[]]}", "condition cannot be empty"},
        {"{trace_conditions: [{context: log, conditions: []}]}", "unknown context \"log\""},
        {"{trace_conditions: [{context: resource, conditions: ['span.name == \"\"']}]}",
         "does not see the path"},
        {"{trace_conditions: x}", "expected: array"},
        {"{trace_conditions: ['span.name == \"\"'], traces: {span: ['name == \"\"']}}", "at the same time"},
        {"{traces: {span: ['name == \"\"']}, spans: {include: {match_type: strict, services: [a]}}}",
         "at the same time"},
        {"{spans: {include: {services: [a]}}}", "match_type"},
        {"{error_mode: loud}", "error_mode"},
        {"{nope: 1}", "nope"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        void *config;
        jaeger_config *root;
        jaeger_error err = {0};
        if (open(cases[i].yaml, &config, &root, &err) == JAEGER_OK || !strstr(err.message, cases[i].want))
            fail_msg("%s: %s", cases[i].yaml, err.message);
        jaeger_config_free(root);
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_drops_what_is_true),
        cmocka_unit_test(filter_propagates_failures_if_asked),
        cmocka_unit_test(filter_refuses_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
