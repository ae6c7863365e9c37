/* SPDX-License-Identifier: Apache-2.0
 * The processors filter and attributes on metrics. */
#include "core/str.h"
#include "model/batch.h"
#include "model/metrics.h"
#include "support/test.h"
#include "wire/otlp_json.h"
#include <jaeger/component.h>
#include <stdio.h>
#include <stdlib.h>

extern const jaeger_component_type jg_processor_filter, jg_processor_attributes;

static char seen[2048]; /* "service/metric{k=v,...} ..." of the points that came out; "nothing" */

static bool note(void *self, const jg_metric_point *p)
{
    jg_buf *out = self;
    const jaeger_span_group group = {.resource = p->resource};
    jaeger_iter it = jaeger_resource_attrs(&group);
    jaeger_attr attr;
    bool any = false;
    if (out->len)
        jg_buf_byte(out, ' ');
    if (jaeger_next_attr(&it, &attr))
        jg_buf_printf(out, "%.*s/", JAEGER_STR_ARGS(attr.value.u.s));
    jg_buf_printf(out, "%.*s{", JAEGER_STR_ARGS(p->name));
    for (it = jg_point_attrs(p); jaeger_next_attr(&it, &attr); any = true)
        jg_buf_printf(out, "%s%.*s=%.*s", any ? "," : "", JAEGER_STR_ARGS(attr.key),
                      JAEGER_STR_ARGS(attr.value.u.s));
    jg_buf_byte(out, '}');
    return true;
}

static jaeger_status record(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self, (void)call;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(sizeof seen);
    jaeger_str part;
    for (size_t i = 0; jg_batch_payload(take, i, &part); i++)
        assert_true(jg_metrics_walk(part, (jg_metric_sink){note, &out}));
    (void)snprintf(seen, sizeof seen, "%.*s", JAEGER_STR_ARGS(jg_buf_view(&out)));
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

#define ATTR(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define POINTS                                                                                               \
    "{\"dataPoints\":[{\"attributes\":[" ATTR("k", "1") "],\"asInt\":\"5\",\"timeUnixNano\":\"1000\"},"      \
                                                        "{\"attributes\":[" ATTR("k", "2") "],\"asDouble\":" \
                                                                                           "2.5}]"
#define RESOURCE(service, metrics)                                                                           \
    "{\"resource\":{\"attributes\":[" ATTR("service.name",                                                   \
                                           service) "]},\"scopeMetrics\":[{\"scope\":{"                      \
                                                    "\"name\":\"lib\"},\"metrics\":[" metrics "]}]}"
static const char input[] = "{\"resourceMetrics\":[" RESOURCE(
    "a",
    "{\"name\":\"calls\",\"unit\":\"1\",\"metadata\":[" ATTR(
        "m",
        "x") "],\"sum\":" POINTS ",\"aggregationTemporality\":2,\"isMonotonic\":true}},"
             "{\"name\":\"size\",\"gauge\":" POINTS
             "}}") "," RESOURCE("b",
                                "{\"name\":\"took\",\"histogram\":{\"dataPoints\":[{\"attributes\":[" ATTR(
                                    "k", "3") "],\"count\":\"3\",\"sum\":4.5,\"bucketCounts\":[\"1\",\"2\"],"
                                              "\"explicitBounds\":[1.5]}],"
                                              "\"aggregationTemporality\":1}}") "]}";

#define ALL "a/calls{k=1} a/calls{k=2} a/size{k=1} a/size{k=2} b/took{k=3}"

static jaeger_status run(const jaeger_component_type *type, const char *yaml, jaeger_call *call)
{
    void *config = calloc(1, type->config_size), *self = calloc(1, type->state_size);
    jaeger_config *root;
    jaeger_error err = {0};
    jaeger_batch *batch;
    (void)snprintf(seen, sizeof seen, "nothing");
    assert_ok(jaeger_config_parse(jg_str(yaml), "x.yaml", &root, &err));
    if (jaeger_config_bind(root, type->fields, config, &err) != JAEGER_OK ||
        type->validate(config, root, &err) != JAEGER_OK)
        fail_msg("%s: %s", yaml, err.message);
    jaeger_component_create in = {.size = sizeof in, .id = "x", .config = config, .next = {record, NULL}};
    assert_ok(type->create(self, &in, &err));
    assert_ok(jg_otlp_json_to_metrics(jg_str(input), &batch, &err));
    jaeger_batch *shared = jaeger_batch_ref(batch);
    jaeger_status status = type->consume(self, batch, call);
    char out[sizeof seen];
    memcpy(out, seen, sizeof out);
    (void)record(NULL, shared, call); /* the shared batch is as it was */
    assert_string_equal(seen, ALL);
    memcpy(seen, out, sizeof out);
    type->destroy(self);
    jaeger_config_free(root);
    free(config);
    free(self);
    return status;
}

static void filter_drops_metrics_and_points(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{}", ALL},
        {"{traces: {span: ['name == \"calls\"']}}", ALL},
        {"{metrics: {metric: ['name == \"calls\"']}}", "a/size{k=1} a/size{k=2} b/took{k=3}"},
        {"{metrics: {metric: ['type == METRIC_DATA_TYPE_GAUGE', 'type == METRIC_DATA_TYPE_HISTOGRAM']}}",
         "a/calls{k=1} a/calls{k=2}"},
        {"{metrics: {resource: ['attributes[\"service.name\"] == \"a\"']}}", "b/took{k=3}"},
        {"{metrics: {metric: ['true']}}", "nothing"},
        {"{metrics: {datapoint: ['attributes[\"k\"] == \"1\"']}}", "a/calls{k=2} a/size{k=2} b/took{k=3}"},
        {"{metrics: {datapoint: ['metric.name == \"size\" and value_int == 5', 'value_double > 2']}}",
         "a/calls{k=1} b/took{k=3}"},
        {"{metrics: {datapoint: ['count == 3 and sum == 4.5 and bucket_counts[1] == 2 and explicit_bounds == "
         "[1.5]']}}",
         "a/calls{k=1} a/calls{k=2} a/size{k=1} a/size{k=2}"},
        {"{metrics: {datapoint: ['time_unix_nano == 1000 and time == Unix(0, 1000) and flags == "
         "FLAG_NONE']}}",
         "a/calls{k=2} a/size{k=2} b/took{k=3}"},
        {"{metrics: {metric: ['aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE and "
         "is_monotonic "
         "== true and unit == \"1\" and Len(data_points) == 2 and metadata[\"m\"] == \"x\"']}}",
         "a/size{k=1} a/size{k=2} b/took{k=3}"},
        {"{metrics: {metric: ['HasAttrOnDatapoint(\"k\", \"3\")']}}",
         "a/calls{k=1} a/calls{k=2} a/size{k=1} a/size{k=2}"},
        {"{metrics: {metric: ['HasAttrKeyOnDatapoint(\"k\")']}}", "nothing"},
        {"{metrics: {metric: ['HasAttrKeyOnDatapoint(\"l\")', 'is_monotonic == nil and description == "
         "\"\"']}}",
         "a/calls{k=1} a/calls{k=2}"},
        {"{metric_conditions: ['metric.name == \"calls\"', 'datapoint.attributes[\"k\"] == \"2\"']}",
         "a/size{k=1} b/took{k=3}"},
        {"{metric_conditions: ['scope.name == \"lib\"']}", "nothing"},
        {"{metric_conditions: [{context: datapoint, conditions: ['datapoint.value_int == 5']}, {context: "
         "metric, "
         "conditions: ['metric.name == \"took\"']}]}",
         "a/calls{k=2} a/size{k=2}"},
        {"{metrics: {include: {match_type: strict, metric_names: [size, took]}}}",
         "a/size{k=1} a/size{k=2} b/took{k=3}"},
        {"{metrics: {exclude: {match_type: regexp, metric_names: ['^[cs]']}}}", "b/took{k=3}"},
        {"{metrics: {include: {match_type: strict, resource_attributes: [{key: service.name, value: a}]}, "
         "exclude: "
         "{match_type: strict, metric_names: [size]}}}",
         "a/calls{k=1} a/calls{k=2}"},
        {"{error_mode: silent, metrics: {metric: ['Len(name) == \"x\"', 'name == \"took\"']}}",
         "a/calls{k=1} a/calls{k=2} a/size{k=1} a/size{k=2}"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        assert_ok(run(&jg_processor_filter, cases[i].yaml, &call));
        if (strcmp(seen, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].yaml, seen);
    }
    jaeger_call call = JAEGER_CALL_INIT;
    assert_int_equal(run(&jg_processor_filter,
                         "{error_mode: propagate, metrics: {datapoint: ['Len(value_int) == 1']}}", &call),
                     JAEGER_INVALID_ARGUMENT);
}

static void filter_refuses_what_is_of_another_signal(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{metrics: {metric: ['span.name == \"\"']}}", "does not see the path"},
        {"{metrics: {metric: ['datapoint.count == 1']}}", "does not see the path"},
        {"{metrics: {metric: ['IsRootSpan()']}}", "undefined function \"IsRootSpan\""},
        {"{metrics: {datapoint: ['HasAttrKeyOnDatapoint(\"k\")']}}", "undefined function"},
        {"{traces: {span: ['HasAttrKeyOnDatapoint(\"k\")']}}", "undefined function"},
        {"{trace_conditions: ['metric.name == \"\"']}", "does not see the path"},
        {"{metric_conditions: ['span.name == \"\"']}", "does not see the path"},
        {"{trace_conditions: [{context: metric, conditions: []}]}",
         "valid: resource, scope, span, spanevent"},
        {"{metric_conditions: [{context: span, conditions: []}]}",
         "valid: resource, scope, metric, datapoint"},
        {"{metrics: {metric: ['name == \"\"'], include: {match_type: strict, metric_names: [a]}}}",
         "at the same time"},
        {"{metric_conditions: ['metric.name == \"\"'], metrics: {metric: ['name == \"\"']}}",
         "at the same time"},
        {"{metrics: {include: {match_type: expr, metric_names: [a]}}}", "match_type"},
        {"{metrics: {include: {match_type: strict}}}", "must be specified"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        void *config = calloc(1, jg_processor_filter.config_size);
        jaeger_config *root;
        jaeger_error err = {0};
        assert_ok(jaeger_config_parse(jg_str(cases[i].yaml), "x.yaml", &root, &err));
        jaeger_status status = jaeger_config_bind(root, jg_processor_filter.fields, config, &err);
        if (status == JAEGER_OK)
            status = jg_processor_filter.validate(config, root, &err);
        if (status == JAEGER_OK || !strstr(err.message, cases[i].want))
            fail_msg("%s: %s", cases[i].yaml, err.message);
        jaeger_config_free(root);
        free(config);
    }
}

static void attributes_change_those_of_points(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{actions: [{key: none, action: delete}]}", ALL},
        {"{actions: [{key: z, value: new, action: insert}]}",
         "a/calls{k=1,z=new} a/calls{k=2,z=new} a/size{k=1,z=new} a/size{k=2,z=new} b/took{k=3,z=new}"},
        {"{actions: [{key: k, action: delete}]}", "a/calls{} a/calls{} a/size{} a/size{} b/took{}"},
        {"{include: {match_type: strict, metric_names: [took]}, actions: [{key: k, value: x, action: "
         "update}]}",
         "a/calls{k=1} a/calls{k=2} a/size{k=1} a/size{k=2} b/took{k=x}"},
        {"{exclude: {match_type: regexp, metric_names: ['^s']}, actions: [{key: k, value: x, action: "
         "upsert}]}",
         "a/calls{k=x} a/calls{k=x} a/size{k=1} a/size{k=2} b/took{k=x}"},
        {"{include: {match_type: strict, resources: [{key: service.name, value: b}]}, actions: [{key: n, "
         "from_attribute: k, action: insert}]}",
         "a/calls{k=1} a/calls{k=2} a/size{k=1} a/size{k=2} b/took{k=3,n=3}"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        assert_ok(run(&jg_processor_attributes, cases[i].yaml, &call));
        if (strcmp(seen, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].yaml, seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_drops_metrics_and_points),
        cmocka_unit_test(filter_refuses_what_is_of_another_signal),
        cmocka_unit_test(attributes_change_those_of_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
