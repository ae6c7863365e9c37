/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "support/test.h"
#include <jaeger/component.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const jaeger_component_type jg_exporter_debug;

static char logged[65536];

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user;
    (void)level;
    size_t len = strlen(logged);
    (void)snprintf(logged + len, sizeof logged - len, "%.*s\n", JAEGER_STR_ARGS(line));
}

static jaeger_batch *make_batch(void)
{
    static const uint8_t trace_id[16] = {0xab, 1}, other[8] = {9};
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    jaeger_builder_resource(b, JAEGER_STR("http://schema"));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1.0"), JAEGER_STR(""));
    jaeger_span_start span = {.trace_id = {0xab, 1},
                              .span_id = {1},
                              .name = JAEGER_STR("GET /"),
                              .kind = 2,
                              .start_unix_ns = 1581452772000000321,
                              .end_unix_ns = 1581452773000000000,
                              .trace_state = JAEGER_STR("a=b")};
    jaeger_builder_span(b, &span);
    jaeger_builder_attr_int(b, JAEGER_STR("code"), 200);
    jaeger_builder_attr_bool(b, JAEGER_STR("ok"), true);
    jaeger_builder_event(b, 1581452772500000000, JAEGER_STR("ev"));
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 0.5);
    jaeger_builder_link(b, trace_id, other, JAEGER_STR(""), 0);
    jaeger_builder_status(b, 2, JAEGER_STR("broken"));
    span = (jaeger_span_start){
        .trace_id = {0xab, 1}, .span_id = {2}, .parent_span_id = {1}, .name = JAEGER_STR("child")};
    jaeger_builder_span(b, &span);
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_scope(b, JAEGER_STR(""), JAEGER_STR(""), JAEGER_STR(""));
    span.span_id[0] = 3;
    jaeger_builder_span(b, &span);
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void run(const char *yaml, bool json, unsigned batches)
{
    const jaeger_component_type *type = &jg_exporter_debug;
    jaeger_config *root;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_log_sink sink = {.write = keep_line, .level = JAEGER_INFO, .json = json};
    jaeger_logger log = {&sink, "debug"};
    void *config = calloc(1, type->config_size), *self = calloc(1, type->state_size);
    logged[0] = 0;
    assert_ok(jaeger_config_parse(jg_str(yaml), "debug.yaml", &root, &err));
    assert_ok(jaeger_config_bind(root, type->fields, config, &err));
    assert_ok(type->validate(config, root, &err));
    jaeger_component_create in = {
        .size = sizeof in, .id = "debug", .config = config, .node = root, .log = &log};
    assert_ok(type->create(self, &in, &err));
    assert_ok(type->start(self, &err));
    for (unsigned i = 0; i < batches; i++)
        assert_ok(type->consume(self, make_batch(), &call));
    type->destroy(self);
    jaeger_config_free(root);
    free(config);
    free(self);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void debug_logs_counts(void **state)
{
    (void)state;
    run("{}", false, 1);
    assert_non_null(strstr(logged, "\tinfo\tdebug\tTraces {\"resource spans\": 2, \"spans\": 3}\n"));
    assert_null(strstr(logged, "GET /"));
}

static void debug_samples_the_log(void **state)
{
    (void)state;
    run("{sampling_initial: 3, sampling_thereafter: 0}", false, 50);
    assert_in_range(count(logged, "Traces {"), 3, 6); /* a second may pass */
    run("{sampling_initial: 2, sampling_thereafter: 1}", false, 50);
    assert_int_equal(count(logged, "Traces {"), 50);
    run("{sampling_initial: 2, sampling_thereafter: 10}", false, 42);
    assert_in_range(count(logged, "Traces {"), 6, 9);
}

static void debug_writes_a_line_per_span(void **state)
{
    (void)state;
    run("{verbosity: normal}", false, 1);
    assert_non_null(strstr(logged,
                           "\nResourceTraces #0 [http://schema] service.name=shop\nScopeTraces #0 lib@1.0\n"
                           "GET / ab010000000000000000000000000000 0100000000000000 code=200 ok=true\n"
                           "child ab010000000000000000000000000000 0200000000000000\n"
                           "ResourceTraces #1\nScopeTraces #0\nchild "));
}

static void debug_writes_everything(void **state)
{
    (void)state;
    run("{verbosity: detailed}", false, 1);
    static const char want[] =
        "ResourceSpans #0\nResource SchemaURL: http://schema\nResource attributes:\n"
        "     -> service.name: Str(shop)\nScopeSpans #0\nScopeSpans SchemaURL: \n"
        "InstrumentationScope lib 1.0\nSpan #0\n"
        "    Trace ID       : ab010000000000000000000000000000\n    Parent ID      : \n"
        "    ID             : 0100000000000000\n    Name           : GET /\n"
        "    Kind           : Server\n    TraceState     : a=b\n"
        "    Start time     : 2020-02-11 20:26:12.000000321 +0000 UTC\n"
        "    End time       : 2020-02-11 20:26:13 +0000 UTC\n"
        "    Status code    : Error\n    Status message : broken\nAttributes:\n"
        "     -> code: Int(200)\n     -> ok: Bool(true)\nEvents:\nSpanEvent #0\n"
        "     -> Name: ev\n     -> Timestamp: 2020-02-11 20:26:12.5 +0000 UTC\n"
        "     -> DroppedAttributesCount: 0\n     -> Attributes::\n"
        "          -> d: Double(0.5)\nLinks:\nSpanLink #0\n"
        "     -> Trace ID: ab010000000000000000000000000000\n     -> ID: 0900000000000000\n"
        "     -> TraceState: \n     -> DroppedAttributesCount: 0\nSpan #1\n";
    if (!strstr(logged, want))
        fail_msg("got:\n%s\nwant:\n%s", logged, want);
    run("{verbosity: detailed}", true, 1);
    assert_non_null(strstr(logged, "{\"level\":\"info\",\"msg\":\"ResourceSpans #0\\nResource SchemaURL"));
}

static void debug_writes_to_files(void **state)
{
    (void)state;
    char path[] = "/tmp/jg_debug_XXXXXX", yaml[128], text[4096];
    int fd = mkstemp(path);
    (void)snprintf(yaml, sizeof yaml, "{verbosity: normal, use_internal_logger: false, output_paths: [%s]}",
                   path);
    run(yaml, false, 2);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = 0;
    assert_int_equal(count(text, "Traces {\"resource spans\": 2, \"spans\": 3}\nResourceTraces #0"), 2);
    assert_int_equal(logged[0], 0);
    (void)close(fd);
    (void)unlink(path);
}

static void debug_refuses_output_paths_beside_the_log(void **state)
{
    (void)state;
    jaeger_config *root;
    jaeger_error err = {0};
    void *config = calloc(1, jg_exporter_debug.config_size);
    assert_ok(jaeger_config_parse(JAEGER_STR("output_paths: [stderr]"), "c", &root, &err));
    assert_ok(jaeger_config_bind(root, jg_exporter_debug.fields, config, &err));
    assert_int_equal(jg_exporter_debug.validate(config, root, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "output_paths requires use_internal_logger to be false"));
    jaeger_config_free(root);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(debug_logs_counts),
        cmocka_unit_test(debug_samples_the_log),
        cmocka_unit_test(debug_writes_a_line_per_span),
        cmocka_unit_test(debug_writes_everything),
        cmocka_unit_test(debug_writes_to_files),
        cmocka_unit_test(debug_refuses_output_paths_beside_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
