/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/str.h"
#include "service/telemetry.h"
#include "support/test.h"
#include <jaeger/config.h>
#include <stdio.h>

typedef struct rig {
    jaeger_config *root;
    jaeger_arena *arena;
    jg_report report;
    jg_telemetry t;
    bool ok;
} rig;

static rig decode(const char *yaml)
{
    jaeger_error err;
    rig r = {.report = JG_REPORT_INIT, .arena = jaeger_arena_new(0)};
    assert_ok(jaeger_config_parse(jg_str(yaml), "t.yaml", &r.root, &err));
    const jaeger_config *node = jaeger_config_kind(r.root) == JAEGER_CONFIG_NULL ? NULL : r.root;
    r.ok = jg_telemetry_decode(node, r.arena, &r.t, &r.report);
    jg_buf_byte(&r.report.text, 0);
    return r;
}

static void done(rig *r)
{
    jaeger_config_free(r->root);
    jaeger_arena_free(r->arena);
    jg_report_done(&r->report);
}

static void without_the_section_everything_has_its_default(void **state)
{
    (void)state;
    rig r = decode("");
    assert_true(r.ok);
    assert_int_equal(r.t.level, JAEGER_INFO);
    assert_false(r.t.json);
    assert_int_equal(r.t.metrics_level, JG_METRICS_NORMAL);
    assert_int_equal(r.t.reader_count, 1);
    assert_str(r.t.readers[0].host, "localhost");
    assert_int_equal(r.t.readers[0].port, 8888);
    assert_true(r.t.readers[0].without_type_suffix);
    assert_true(r.t.log_sampling.enabled);
    assert_int_equal(r.t.resource_count, 3);
    assert_int_equal(r.t.resource[0].value.len, 36);
    assert_str(r.t.resource[1].value, "jaeger");
    done(&r);
}

static void keys_are_read(void **state)
{
    (void)state;
    rig r = decode(
        "logs: {level: WARN, encoding: json, initial_fields: {zone: a}, output_paths: [stdout, /tmp/x]}\n"
        "metrics:\n"
        "  level: detailed\n"
        "  views: []\n"
        "  readers:\n"
        "    - pull: {exporter: {prometheus: {host: 0.0.0.0, port: 1234, without_type_suffix: false,\n"
        "        with_resource_constant_labels: {included: [service.*]}}}}\n"
        "    - periodic: {interval: 500, exporter: {otlp: {endpoint: x, protocol: grpc, timeout: 7}}}\n"
        "    - periodic: {exporter: {console: {temporality_preference: delta}}}\n"
        "resource: {service.name: shop, service.instance.id: null, team: blue}\n");
    assert_string_equal((const char *)r.report.text.data, "");
    assert_int_equal(r.t.level, JAEGER_WARN);
    assert_true(r.t.json);
    assert_int_equal(r.t.log_paths.count, 2);
    assert_str(r.t.log_fields,
               "\"zone\":\"a\",\"resource\":{\"service.name\":\"shop\",\"service.version\":\"" JAEGER_VERSION
               "\",\"team\":\"blue\"}");
    assert_int_equal(r.t.reader_count, 1);
    assert_int_equal(r.t.push_count, 2);
    assert_true(r.t.pushes[1].console);
    assert_int_equal(r.t.pushes[1].temporality, JG_PUSH_DELTA);
    assert_str(r.t.pushes[0].endpoint, "x");
    assert_int_equal(r.t.pushes[0].protocol, JG_PUSH_GRPC);
    assert_int_equal(r.t.pushes[0].interval_ms, 500);
    assert_int_equal(r.t.pushes[0].timeout_ms, 7);
    assert_int_equal(r.t.readers[0].port, 1234);
    assert_false(r.t.readers[0].without_type_suffix);
    assert_true(r.t.readers[0].without_units);
    assert_int_equal(r.t.readers[0].with_resource_constant_labels.included.count, 1);
    done(&r);
}

static void no_metrics_are_a_choice(void **state)
{
    (void)state;
    rig r = decode("metrics: {level: none, readers: []}\n");
    assert_true(r.ok);
    assert_int_equal(r.t.reader_count, 0);
    done(&r);
}

static void resource_attributes_may_be_a_list(void **state)
{
    (void)state;
    rig r = decode(
        "resource: {schema_url: x, attributes: [{name: service.name, value: shop}, {name: n, value: 1}]}\n");
    assert_true(r.ok);
    assert_str(r.t.resource[1].value, "shop");
    assert_str(r.t.resource[3].value, "1");
    done(&r);
}

static void bad_sections_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"logs: {level: loud}", "unrecognized level: \"loud\""},
        {"logs: {foo: 1}", "has invalid keys: foo"},
        {"metrics: {address: x}", "has invalid keys: address"},
        {"metrics: {readers: []}", "reader should exist when metric level is not none"},
        {"metrics: {readers: [{}]}", "must have pull or periodic"},
        {"metrics: {readers: [{periodic: {}}]}", "no valid exporter: a periodic reader needs exporter::otlp"},
        {"metrics: {readers: [{periodic: {exporter: {otlp: {}}}}]}", "endpoint: non zero value required"},
        {"metrics: {readers: [{periodic: {interval: 0, exporter: {otlp: {endpoint: x}}}}]}",
         "interval must be positive"},
        {"metrics: {readers: [{periodic: {exporter: {otlp: {endpoint: x, protocol: http/json}}}}]}",
         "protocol"},
        {"metrics: {readers: [{periodic: {exporter: {file: {}}}}]}", "invalid keys: file"},
        {"metrics: {readers: [{pull: {exporter: {}}}]}", "needs exporter::prometheus"},
        {"metrics: {readers: [{pull: {exporter: {prometheus: {prot: 1}}}}]}", "has invalid keys: prot"},
        {"metrics: {readers: [{pull: {exporter: {prometheus: {port: 70000}}}}]}", "at most 65535"},
        {"metrics: {readers: [{push: {}}]}", "has invalid keys: push"},
        {"metrics: {views: []}", "views can only be set when level is detailed"},
        {"resource: {a: [1]}", "must be a string or null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig r = decode(cases[i].yaml);
        if (r.ok || !strstr((const char *)r.report.text.data, cases[i].want))
            fail_msg("%s: got: %s", cases[i].yaml, (const char *)r.report.text.data);
        done(&r);
    }
}

static void too_many_attributes_or_readers_are_refused(void **state)
{
    (void)state;
    char yaml[4096] = "resource: {";
    for (int i = 0; i < 70; i++) {
        size_t len = strlen(yaml);
        (void)snprintf(yaml + len, sizeof yaml - len, "k%d: v, ", i);
    }
    (void)snprintf(yaml + strlen(yaml), 3, "}\n");
    rig r = decode(yaml);
    assert_false(r.ok);
    assert_non_null(strstr((const char *)r.report.text.data, "too many attributes"));
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_section_everything_has_its_default),
        cmocka_unit_test(keys_are_read),
        cmocka_unit_test(no_metrics_are_a_choice),
        cmocka_unit_test(resource_attributes_may_be_a_list),
        cmocka_unit_test(bad_sections_are_refused),
        cmocka_unit_test(too_many_attributes_or_readers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
