/* SPDX-License-Identifier: Apache-2.0
 * The exporter and the extension jaeger_storage together, in a service.
 */
#include "core/arena.h"
#include "core/str.h"
#include "model/batch.h"
#include "support/test.h"
#include <jaeger/service.h>
#include <stdio.h>
#include <stdlib.h>

static jaeger_status service_of(const char *storage, const char *exporter, jaeger_service **ret,
                                jaeger_error *err)
{
    static char yaml[4096];
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {nop: }\n"
                   "exporters: {jaeger_storage_exporter: %s}\n"
                   "extensions: {jaeger_storage: %s}\n"
                   "service:\n"
                   "  extensions: [jaeger_storage]\n"
                   "  telemetry: {metrics: {level: none}}\n"
                   "  pipelines: {traces: {receivers: [nop], exporters: [jaeger_storage_exporter]}}\n",
                   exporter, storage);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    *ret = NULL;
    jaeger_status status = jaeger_service_new(&options, ret, err);
    if (status == JAEGER_OK)
        status = jaeger_service_start(*ret, err);
    return status;
}

static jaeger_batch *nameless(void)
{
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {[15] = 1}, .span_id = {2}, .start_unix_ns = 5});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static jaeger_status look(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    (*(size_t *)self)++;
    assert_str(jaeger_batch_spans(take)[0].name, "empty-span-name");
    assert_str(jaeger_batch_spans(take)[0].group->service, "missing-service-name");
    assert_int_equal(jaeger_batch_spans(take)[0].end_unix_ns, 6);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static size_t stored(jaeger_service *service, const char *name)
{
    jaeger_storage storage;
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_trace_ref ref = {.trace_id = {[15] = 1}};
    size_t n = 0;
    assert_ok(jaeger_service_storage(service, name, &storage, &call.error));
    assert_ok(storage.driver->get_traces(storage.self, &ref, 1, (jaeger_consumer){look, &n}, &call));
    return n;
}

static void spans_are_repaired_and_stored_before_the_answer(void **state)
{
    (void)state;
    jaeger_service *service;
    jaeger_error err = {0};
    if (service_of("{backends: {some: {memory: {max_traces: 10}}, other: {memory: }}}",
                   "{trace_storage: some}", &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jaeger_service_consume(service, "traces", nameless(), &call));
    assert_int_equal(stored(service, "some"), 1);
    assert_int_equal(stored(service, "other"), 0);
    jaeger_storage storage;
    assert_int_equal(jaeger_service_storage(service, "third", &storage, &err), JAEGER_NOT_FOUND);
    jaeger_service_free(service);
}

static void a_queue_is_drained_at_stop(void **state)
{
    (void)state;
    jaeger_service *service;
    jaeger_error err = {0};
    if (service_of(
            "{backends: {some: {memory: }}}",
            "{trace_storage: some, queue: {num_consumers: 2, queue_size: 1000, wait_for_result: true}, "
            "retry_on_failure: {enabled: true}}",
            &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    jaeger_call call = JAEGER_CALL_INIT;
    for (int i = 0; i < 100; i++)
        assert_ok(jaeger_service_consume(service, "traces", nameless(), &call));
    assert_int_equal(stored(service, "some"), 1);
    jaeger_service_free(service);
}

static void a_broken_backend_harms_only_those_who_use_it(void **state)
{
    (void)state;
    jaeger_service *service;
    jaeger_error err = {0};
    static const char backends[] = "{backends: {good: {memory: }, bad: {memory: {max_traces: 0}}}}";
    assert_ok(service_of(backends, "{trace_storage: good}", &service, &err));
    jaeger_service_free(service);
    assert_int_not_equal(service_of(backends, "{trace_storage: bad}", &service, &err), JAEGER_OK);
    assert_non_null(strstr(err.message, "max traces must be greater than zero"));
    jaeger_service_free(service);
}

static void faults_of_the_configuration_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *storage, *exporter, *want;
    } cases[] = {
        {"{backends: {a: {memory: }}}", "", "non zero value required"},
        {"{backends: {a: {memory: }}}", "{trace_storage: b}",
         "storage 'b' not declared in 'jaeger_storage' extension configuration"},
        {"{backends: {a: }}", "{trace_storage: a}", "empty configuration"},
        {"{backends: {a: {}}}", "{trace_storage: a}", "empty configuration"},
        {"{backends: {a: {memory: , badger: }}}", "{trace_storage: a}",
         "multiple backend types found for trace storage: [memory badger]"},
        {"", "{trace_storage: a}", "at least one storage backend is required"},
        {"{backends: {}}", "{trace_storage: a}", "at least one storage backend is required"},
        {"{backends: {a: {floppy: }}}", "{trace_storage: a}", "unknown kind of storage 'floppy' (allowed: "},
        {"{backends: {a: {memory: {max_traces: many}}}}", "{trace_storage: a}", "max_traces"},
        {"{backends: {a: {memory: }, b: {memory: {foo: 1}}}}", "{trace_storage: a}", "foo"},
        {"{backends: {a: {memory: }}, metric_backends: {m: {memory: }}}", "{trace_storage: a}",
         "unknown kind of metric storage 'memory'"},
        {"{backends: {a: {memory: }}, metric_backends: {m: }}", "{trace_storage: a}", "empty configuration"},
        {"{backends: {a: {memory: }}}", "{trace_storage: a, queue: {}}", "`num_consumers` must be positive"},
        {"{backends: {a: {memory: }}}",
         "{trace_storage: a, retry_on_failure: {enabled: true, multiplier: -1}}",
         "'multiplier' must be non-negative"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        assert_int_not_equal(service_of(cases[i].storage, cases[i].exporter, &service, &err), JAEGER_OK);
        if (!strstr(err.message, cases[i].want))
            fail_msg("%s %s: %s", cases[i].storage, cases[i].exporter, err.message);
        jaeger_service_free(service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_repaired_and_stored_before_the_answer),
        cmocka_unit_test(a_queue_is_drained_at_stop),
        cmocka_unit_test(a_broken_backend_harms_only_those_who_use_it),
        cmocka_unit_test(faults_of_the_configuration_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
