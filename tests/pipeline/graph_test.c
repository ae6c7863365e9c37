/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/str.h"
#include "pipeline/host_state.h"
#include "support/probe.h"
#include "support/test.h"

typedef struct rig {
    jaeger_config *root;
    jaeger_arena *arena;
    jg_sections sections;
    jaeger_host host;
    jg_graph graph;
    jg_report report;
} rig;

/* As the service does it: decode, validate, build; stops at the first stage with faults. */
static bool rig_build(rig *r, const char *yaml)
{
    jaeger_error err;
    jg_types types = {.more = probes, .more_count = sizeof probes / sizeof probes[0]};
    *r = (rig){.report = JG_REPORT_INIT, .arena = jaeger_arena_new(0)};
    journal_clear();
    jg_host_init(&r->host);
    r->host.graph = &r->graph;
    assert_ok(jaeger_config_parse(jg_str(yaml), "test.yaml", &r->root, &err));
    if (!jg_sections_decode(r->root, &types, r->arena, &r->sections, &r->report))
        return false;
    jg_sections_validate(&r->sections, false, &r->report);
    return !r->report.count &&
           jg_graph_init(&r->graph, &(jg_graph_options){.sections = &r->sections, .host = &r->host},
                         &r->report);
}

static void rig_done(rig *r)
{
    jg_graph_done(&r->graph);
    jg_host_done(&r->host);
    jaeger_config_free(r->root);
    jaeger_arena_free(r->arena);
    jg_report_done(&r->report);
}

static jaeger_batch *batch_of_one(void)
{
    jaeger_error err;
    jaeger_batch *batch;
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_scope(b, (jaeger_str){0}, (jaeger_str){0}, (jaeger_str){0});
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {2}, .name = JAEGER_STR("s")});
    assert_ok(jaeger_builder_finish(b, &batch, &err));
    jaeger_builder_free(b);
    return batch;
}

#define HEAD "receivers: {in: }\nexporters: {out: }\n"

static void bad_graphs_are_refused_with_the_words_users_know(void **state)
{
    (void)state;
    static const struct {
        const char *name, *yaml, *want;
    } cases[] = {
        {"nothing", "", "empty configuration file"},
        {"only braces", "{}", "empty configuration file"},
        {"root key", HEAD "foo: 1\n", "'otelcol.configSettings' has invalid keys: foo"},
        {"no receivers", "exporters: {out: }\nservice: {pipelines: {traces: {exporters: [out]}}}",
         "no receiver configuration specified in config"},
        {"no exporters", "receivers: {in: }\nservice: {pipelines: {traces: {receivers: [in]}}}",
         "no exporter configuration specified in config"},
        {"no pipelines", HEAD, "service::pipelines: service must have at least one pipeline"},
        {"no receiver in pipeline", HEAD "service: {pipelines: {traces: {exporters: [out]}}}",
         "service::pipelines::traces: must have at least one receiver"},
        {"no exporter in pipeline", HEAD "service: {pipelines: {traces: {receivers: [in]}}}",
         "service::pipelines::traces: must have at least one exporter"},
        {"unknown processor",
         HEAD "service: {pipelines: {traces: {receivers: [in], processors: [x], exporters: [out]}}}",
         "service::pipelines::traces: references processor \"x\" which is not configured"},
        {"unknown receiver", HEAD "service: {pipelines: {traces: {receivers: [in/2], exporters: [out]}}}",
         "service::pipelines::traces: references receiver \"in/2\" which is not configured"},
        {"unknown extension",
         HEAD "service: {extensions: [x], pipelines: {traces: {receivers: [in], exporters: [out]}}}",
         "service::extensions: references extension \"x\" which is not configured"},
        {"processor twice",
         HEAD "processors: {step: }\nservice: {pipelines: {traces: {receivers: [in], processors: [step, "
              "step], exporters: "
              "[out]}}}",
         "references processor \"step\" multiple times"},
        {"unknown type", "receivers: {bogus: }\n",
         "unknown type: \"bogus\" for id: \"bogus\" (valid values: [in])"},
        {"bad id", "receivers: {in/: }\n", "the part after / should not be empty"},
        {"ids equal after trimming", "receivers: {\"in/a\": , \"in / a\": }\n", NULL},
        {"unknown signal", HEAD "service: {pipelines: {spans: {receivers: [in], exporters: [out]}}}",
         "unknown pipeline signal: \"spans\""},
        {"unknown key of a component", "receivers: {in: {foo: 1}}\n",
         "'receivers' error reading configuration for \"in\": 'receivers::in' has invalid keys: foo"},
        {"wrong type", "receivers: {in: {invalid: \"true\"}}\n",
         "expected type 'bool', got unconvertible type 'string'"},
        {"unknown key of service", HEAD "service: {foo: 1}", "'service' has invalid keys: foo"},
        {"unknown key of a pipeline", HEAD "service: {pipelines: {traces: {foo: []}}}",
         "has invalid keys: foo"},
        {"unused but invalid",
         HEAD "processors: {step: {invalid: true}}\nservice: {pipelines: {traces: {receivers: [in], "
              "exporters: [out]}}}",
         "processors::step: is invalid"},
        {"ambiguous", "receivers: {in: }\nexporters: {join: , out: }\nconnectors: {join: }\n", NULL},
        {"wrong signal", HEAD "service: {pipelines: {metrics: {receivers: [in], exporters: [out]}}}",
         "failed to build pipelines: failed to create \"out\" exporter for data type \"metrics\": telemetry "
         "type is not "
         "supported"},
        {"cannot be created",
         "receivers: {in: {fail: create}}\nexporters: {out: }\nservice: {pipelines: {traces: {receivers: "
         "[in], exporters: "
         "[out]}}}",
         "failed to build pipelines: failed to create \"in\" receiver: cannot be created"},
        {"connector without reader",
         HEAD "connectors: {join: }\nservice: {pipelines: {traces: {receivers: [in], exporters: [join]}}}",
         "failed to build pipelines: connector \"join\" used as exporter in [traces] pipeline but not used "
         "in any "
         "supported receiver pipeline"},
        {"connector without writer",
         HEAD "connectors: {join: }\nservice: {pipelines: {traces: {receivers: [join], exporters: [out]}}}",
         "connector \"join\" used as receiver in [traces] pipeline but not used in any supported exporter "
         "pipeline"},
        {"connector to itself",
         "receivers: {in: }\nconnectors: {join: }\nservice: {pipelines: {traces: {receivers: [in, join], "
         "exporters: "
         "[join]}}}",
         "cycle detected: connector \"join\" (traces to traces) -> connector \"join\" (traces to traces)"},
        {"circle of two",
         "receivers: {in: }\nprocessors: {step: }\nconnectors: {join: , join/2: }\nservice: {pipelines: "
         "{traces/a: "
         "{receivers: [in, join], processors: [step], exporters: [join/2]}, traces/b: {receivers: [join/2], "
         "exporters: "
         "[join]}}}",
         "cycle detected: connector \"join\" (traces to traces) -> processor \"step\" in pipeline "
         "\"traces/a\" -> "
         "connector \"join/2\" (traces to traces) -> connector \"join\" (traces to traces)"},
        {"extension needs another",
         HEAD "extensions: {upper: }\nservice: {extensions: [upper], pipelines: {traces: {receivers: [in], "
              "exporters: "
              "[out]}}}",
         "failed to build extensions: unable to find extension base on which extension upper depends"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig r;
        if (rig_build(&r, cases[i].yaml))
            fail_msg("%s: accepted", cases[i].name);
        jg_buf_byte(&r.report.text, 0);
        if (cases[i].want && !strstr((const char *)r.report.text.data, cases[i].want))
            fail_msg("%s: got: %s", cases[i].name, (const char *)r.report.text.data);
        rig_done(&r);
    }
}

static void faults_tell_file_and_line(void **state)
{
    (void)state;
    rig r;
    assert_false(rig_build(
        &r, HEAD "service:\n  pipelines:\n    traces:\n      receivers: [in]\n      exporters: [x]\n"));
    jg_buf_byte(&r.report.text, 0);
    assert_non_null(strstr((const char *)r.report.text.data, "(test.yaml:5)"));
    rig_done(&r);
}

static void all_faults_of_a_stage_are_told(void **state)
{
    (void)state;
    rig r;
    assert_false(rig_build(&r, "receivers: {in: {a: 1}, in/2: {b: 1}, zzz: }\nfoo: 1\n"));
    assert_int_equal(r.report.count, 4);
    assert_int_equal(r.report.stage, JG_FAULT_DECODE);
    rig_done(&r);
}

static const char two_pipelines[] =
    "receivers: {in: , in/unused: }\n"
    "processors: {step: , step/2: , step/unused: }\n"
    "exporters: {out: , out/2: , out/unused: }\n"
    "connectors: {join: }\n"
    "extensions: {upper: , base: , base/off: }\n"
    "service:\n"
    "  extensions: [upper, base]\n"
    "  pipelines:\n"
    "    traces: {receivers: [in], processors: [step, step/2], exporters: [out, join]}\n"
    "    traces/b: {receivers: [in, join], processors: [step], exporters: [out, out/2]}\n";

static void start_and_stop_follow_the_stream(void **state)
{
    (void)state;
    rig r;
    jaeger_error err = {0};
    assert_true(rig_build(&r, two_pipelines));
    assert_string_equal(journal, "create base;create upper;create out;create out/2;create step;create join;"
                                 "create step/2;create step;create in;");
    journal_clear();
    assert_ok(jg_graph_start(&r.graph, &err));
    assert_string_equal(journal,
                        "start base;start upper;start out;start out/2;start step;start join;start step/2;"
                        "start step;start in;");
    journal_clear();
    jg_graph_stop(&r.graph, 0);
    jg_graph_stop(&r.graph, 0);
    assert_string_equal(journal,
                        "stop in;stop step;stop step/2;stop join;stop step;stop out/2;stop out;stop upper;"
                        "stop base;");
    rig_done(&r);
}

static void a_dependency_that_may_be_absent_only_orders(void **state)
{
    (void)state;
    static const struct {
        const char *extensions, *want;
    } rows[] = {{"side, base", "create base;create side;create out;create in;"},
                {"side", "create side;create out;create in;"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char yaml[512];
        rig r;
        (void)snprintf(
            yaml, sizeof yaml,
            HEAD "extensions: {side: , base: }\nservice: {extensions: [%s], pipelines: {traces: {receivers: "
                 "[in], exporters: [out]}}}",
            rows[i].extensions);
        journal_clear();
        assert_true(rig_build(&r, yaml));
        assert_string_equal(journal, rows[i].want);
        rig_done(&r);
    }
}

static void a_batch_reaches_every_end_of_its_pipeline(void **state)
{
    (void)state;
    rig r;
    jaeger_call call = JAEGER_CALL_INIT;
    assert_true(rig_build(&r, two_pipelines));
    journal_clear();
    const jg_pipeline *p = jg_graph_pipeline(&r.graph, "traces");
    assert_ok(p->head.to.consume(p->head.to.self, batch_of_one(), &call));
    assert_string_equal(journal,
                        "consume step;consume step/2;consume out;consume join;consume step;consume out;"
                        "consume out/2;");
    assert_null(jg_graph_pipeline(&r.graph, "traces/c"));
    rig_done(&r);
}

static void a_component_that_fails_to_start_is_named(void **state)
{
    (void)state;
    rig r;
    jaeger_error err = {0};
    assert_true(rig_build(
        &r, "receivers: {in: }\nexporters: {out: , out/2: {fail: start}}\nservice: {pipelines: {traces: "
            "{receivers: [in], exporters: [out, out/2]}}}"));
    journal_clear();
    assert_int_equal(jg_graph_start(&r.graph, &err), JAEGER_UNAVAILABLE);
    assert_string_equal(err.message,
                        "cannot start pipelines: failed to start \"out/2\" exporter: cannot be started");
    jg_graph_stop(&r.graph, 0);
    assert_string_equal(journal, "start out;start out/2;stop out/2;stop out;");
    rig_done(&r);
}

static void old_type_names_find_the_new_types(void **state)
{
    (void)state;
    rig r;
    assert_true(rig_build(
        &r, "receivers: {in: }\nexporters: {otlp/x: }\nservice: {pipelines: {traces: {receivers: [in], "
            "exporters: [otlp/x]}}}"));
    assert_ptr_equal(r.sections.defs[JAEGER_EXPORTER].items[0].type, &probe_exporter_otlp);
    assert_string_equal(r.sections.defs[JAEGER_EXPORTER].items[0].use_instead, "otlp_grpc");
    rig_done(&r);
}

static void a_connector_may_change_the_signal(void **state)
{
    (void)state;
    rig r;
    jaeger_call call = JAEGER_CALL_INIT;
    assert_true(rig_build(
        &r, "receivers: {in: }\nexporters: {meter: }\nconnectors: {count: }\nservice: {pipelines: "
            "{traces: {receivers: [in], exporters: [count]}, metrics: {receivers: [count], exporters: "
            "[meter]}}}"));
    journal_clear();
    const jg_pipeline *p = jg_graph_pipeline(&r.graph, "traces");
    assert_ok(p->head.to.consume(p->head.to.self, batch_of_one(), &call));
    assert_string_equal(journal, "consume count;consume meter;");
    rig_done(&r);
}

static void the_host_finds_running_extensions_only(void **state)
{
    (void)state;
    rig r;
    void *self = NULL;
    assert_true(rig_build(&r, two_pipelines));
    assert_non_null(jaeger_host_extension(&r.host, "base", "probe", &self));
    assert_string_equal(((probe *)self)->id, "base");
    assert_null(jaeger_host_extension(&r.host, "base", "storage", &self));
    assert_null(jaeger_host_extension(&r.host, "base/off", "probe", &self));
    assert_null(jaeger_host_extension(&r.host, "in", "probe", &self));
    rig_done(&r);
}

static void the_host_lists_components_by_pipeline(void **state)
{
    (void)state;
    rig r;
    char text[512] = "";
    assert_true(rig_build(&r, two_pipelines));
    for (size_t i = 0; i < jg_host_component_count(&r.host); i++) {
        jaeger_kind kind;
        const char *pipeline, *id = jg_host_component(&r.host, i, &kind, &pipeline);
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%d %s %s;", kind, pipeline ? pipeline : "-", id);
    }
    assert_string_equal(
        text, "4 - upper;4 - base;0 traces in;1 traces step;1 traces step/2;2 traces out;3 traces join;"
              "0 traces/b in;3 traces/b join;1 traces/b step;2 traces/b out;2 traces/b out/2;");
    rig_done(&r);
}

static jaeger_error told;
static unsigned told_count;

static void remember(void *user, const jaeger_error *err)
{
    (void)user;
    told = *err;
    told_count++;
}

static void the_first_failure_is_told_once(void **state)
{
    (void)state;
    rig r;
    assert_true(rig_build(&r, two_pipelines));
    r.host.failed = remember;
    jaeger_error first = {.status = JAEGER_DATA_LOSS, .message = "disk gone"},
                 second = {.message = "and again"};
    jaeger_host_fail(&r.host, "out", &first);
    jaeger_host_fail(probe_last_host, "in", &second);
    assert_int_equal(told_count, 1);
    assert_string_equal(told.message, "out: disk gone");
    assert_int_equal(told.status, JAEGER_DATA_LOSS);
    jg_host_set_state(&r.host, JG_STATE_OK);
    assert_int_equal(jg_host_state(&r.host, NULL), JG_STATE_FATAL);
    jg_host_set_state(&r.host, JG_STATE_STOPPING);
    assert_int_equal(jg_host_state(&r.host, NULL), JG_STATE_STOPPING);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_graphs_are_refused_with_the_words_users_know),
        cmocka_unit_test(faults_tell_file_and_line),
        cmocka_unit_test(all_faults_of_a_stage_are_told),
        cmocka_unit_test(start_and_stop_follow_the_stream),
        cmocka_unit_test(a_dependency_that_may_be_absent_only_orders),
        cmocka_unit_test(a_batch_reaches_every_end_of_its_pipeline),
        cmocka_unit_test(a_component_that_fails_to_start_is_named),
        cmocka_unit_test(old_type_names_find_the_new_types),
        cmocka_unit_test(a_connector_may_change_the_signal),
        cmocka_unit_test(the_host_finds_running_extensions_only),
        cmocka_unit_test(the_host_lists_components_by_pipeline),
        cmocka_unit_test(the_first_failure_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
