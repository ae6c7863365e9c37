/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/str.h"
#include "support/probe.h"
#include "support/test.h"
#include <jaeger/service.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static const char yaml[] = "receivers: {in: }\n"
                           "exporters: {out: }\n"
                           "extensions: {base: }\n"
                           "service:\n"
                           "  extensions: [base]\n"
                           "  telemetry: {metrics: {level: none}}\n"
                           "  pipelines: {traces: {receivers: [in], exporters: [out]}}\n";

static char log_text[16384];
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user;
    (void)level;
    (void)pthread_mutex_lock(&log_mutex);
    size_t len = strlen(log_text);
    (void)snprintf(log_text + len, sizeof log_text - len, "%.*s\n", JAEGER_STR_ARGS(line));
    (void)pthread_mutex_unlock(&log_mutex);
}

static jaeger_service_options with_probes(const char *text)
{
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = text;
    options.components = probes;
    options.component_count = sizeof probes / sizeof probes[0];
    options.log = (jaeger_log_sink){.write = keep_line};
    journal_clear();
    log_text[0] = 0;
    return options;
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

static void a_service_starts_takes_spans_and_stops(void **state)
{
    (void)state;
    jaeger_service_options options = with_probes(yaml);
    jaeger_service *service;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jaeger_service_new(&options, &service, &err));
    assert_int_equal(jaeger_service_consume(service, "traces", batch_of_one(), &call),
                     JAEGER_FAILED_PRECONDITION);
    assert_ok(jaeger_service_start(service, &err));
    assert_non_null(strstr(log_text, "Everything is ready. Begin running and processing data."));
    assert_ok(jaeger_service_consume(service, "traces", batch_of_one(), &call));
    assert_int_equal(jaeger_service_consume(service, "traces/2", batch_of_one(), &call), JAEGER_NOT_FOUND);
    assert_int_equal(jaeger_service_start(service, &err), JAEGER_FAILED_PRECONDITION);
    assert_null(jaeger_service_query(service));
    jaeger_storage storage;
    assert_int_equal(jaeger_service_storage(service, "x", &storage, &err), JAEGER_NOT_FOUND);
    jaeger_service_stop(service, 1000000000);
    jaeger_service_stop(service, 1000000000);
    assert_int_equal(jaeger_service_consume(service, "traces", batch_of_one(), &call),
                     JAEGER_FAILED_PRECONDITION);
    jaeger_service_free(service);
    assert_string_equal(
        journal, "create base;create out;create in;start base;start out;start in;consume out;stop in;stop "
                 "out;stop base;destroy in;destroy out;destroy base;");
}

static void two_services_live_in_one_process(void **state)
{
    (void)state;
    jaeger_service_options options = with_probes(yaml);
    jaeger_service *a, *b;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jaeger_service_new(&options, &a, &err));
    assert_ok(jaeger_service_new(&options, &b, &err));
    assert_ok(jaeger_service_start(a, &err));
    assert_ok(jaeger_service_start(b, &err));
    assert_ok(jaeger_service_consume(a, "traces", batch_of_one(), &call));
    jaeger_service_free(a);
    assert_ok(jaeger_service_consume(b, "traces", batch_of_one(), &call));
    jaeger_service_free(b);
}

static const char *lookup(void *user, const char *name)
{
    return strcmp(name, "WORD") == 0 ? user : NULL;
}

static void references_to_the_environment_use_the_callback_only(void **state)
{
    (void)state;
    jaeger_service_options options =
        with_probes("receivers: {in: }\nexporters: {out: {answer: \"${env:WORD}\"}}\nservice: {telemetry: "
                    "{metrics: {level: none}}, "
                    "pipelines: {traces: {receivers: [in], exporters: [out]}}}\n");
    jaeger_service *service;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    char word[] = "INTERNAL";
    assert_int_equal(setenv("WORD", "UNAVAILABLE", 1), 0);
    for (int with = 0; with < 2; with++) {
        options.getenv = with ? lookup : NULL;
        options.user = word;
        assert_ok(jaeger_service_new(&options, &service, &err));
        assert_ok(jaeger_service_start(service, &err));
        assert_int_equal(jaeger_service_consume(service, "traces", batch_of_one(), &call),
                         with ? JAEGER_INTERNAL : JAEGER_OK);
        jaeger_service_free(service);
    }
}

static void faults_name_their_stage(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"a: [", "failed to get config"},
        {"foo: 1", "failed to get config: cannot unmarshal the configuration: decoding failed due to the "
                   "following error(s):\n\n"
                   "'otelcol.configSettings' has invalid keys: foo"},
        {"receivers: {in: }", "invalid configuration: no exporter configuration specified in config"},
        {"receivers: {in: {fail: create}}\nexporters: {out: }\nservice: {pipelines: {traces: {receivers: "
         "[in], exporters: "
         "[out]}}}",
         "failed to build pipelines: failed to create"},
        {"service: {telemetry: {metrics: {level: loud}}}", "service::telemetry::metrics::level"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        jaeger_service_options options = with_probes(cases[i].yaml);
        jaeger_service *service;
        jaeger_error err = {0};
        assert_int_equal(jaeger_service_new(&options, &service, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("want: %s\ngot: %s", cases[i].want, err.message);
    }
}

static void a_failed_start_stops_what_was_started(void **state)
{
    (void)state;
    jaeger_service_options options =
        with_probes("receivers: {in: {fail: start}}\nexporters: {out: }\nservice: {telemetry: {metrics: "
                    "{level: none}}, pipelines: "
                    "{traces: {receivers: [in], exporters: [out]}}}\n");
    jaeger_service *service;
    jaeger_error err = {0};
    assert_ok(jaeger_service_new(&options, &service, &err));
    assert_int_equal(jaeger_service_start(service, &err), JAEGER_UNAVAILABLE);
    assert_string_equal(journal, "create out;create in;start out;start in;stop in;stop out;");
    jaeger_service_free(service);
}

static jaeger_error told;

static void remember(void *user, const jaeger_error *error)
{
    (void)user;
    told = *error;
}

static void the_embedder_is_told_that_a_component_failed(void **state)
{
    (void)state;
    jaeger_service_options options = with_probes(yaml);
    jaeger_service *service;
    jaeger_error err = {0}, failure = {.status = JAEGER_DATA_LOSS, .message = "disk gone"};
    options.failed = remember;
    assert_ok(jaeger_service_new(&options, &service, &err));
    assert_ok(jaeger_service_start(service, &err));
    jaeger_host_fail(probe_last_host, "out", &failure);
    assert_string_equal(told.message, "out: disk gone");
    assert_non_null(strstr(log_text, "disk gone"));
    jaeger_service_free(service);
}

static jaeger_service *shared;

static void *push(void *arg)
{
    size_t *taken = arg;
    jaeger_status status;
    do {
        jaeger_call call = JAEGER_CALL_INIT;
        status = jaeger_service_consume(shared, "traces", batch_of_one(), &call);
        __atomic_add_fetch(taken, status == JAEGER_OK, __ATOMIC_RELAXED);
    } while (status == JAEGER_OK);
    assert_int_equal(status, JAEGER_FAILED_PRECONDITION);
    return NULL;
}

static void stop_waits_for_those_inside(void **state)
{
    (void)state;
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml =
        "receivers: {nop: }\nexporters: {nop: }\nservice: {telemetry: {metrics: {level: none}}, pipelines: "
        "{traces: {receivers: [nop], exporters: [nop]}}}\n";
    jaeger_error err = {0};
    pthread_t threads[2];
    size_t taken[2] = {0};
    assert_ok(jaeger_service_new(&options, &shared, &err));
    assert_ok(jaeger_service_start(shared, &err));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push, &taken[i]), 0);
    for (int i = 0; i < 20000 && !__atomic_load_n(&taken[i % 2], __ATOMIC_RELAXED); i++)
        (void)usleep(1000);
    jaeger_service_stop(shared, 5000000000);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(taken[0] + taken[1] > 0);
    jaeger_service_free(shared);
}

static void a_start_without_memory_is_an_error(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        jaeger_service_options options = with_probes(yaml);
        jaeger_service *service = NULL;
        jaeger_error err = {0};
        assert_ok(jaeger_service_new(&options, &service, &err));
        jg_alloc_fail_after(n);
        jaeger_status status = jaeger_service_start(service, &err);
        jaeger_service_stop(service, 1000000000);
        jg_alloc_fail_after(-1);
        jaeger_service_free(service);
        if (status == JAEGER_OK)
            return; /* log lines that cannot be made are lost, no more */
        assert_true(err.message[0]);
    }
}

static void a_service_without_memory_is_an_error(void **state)
{
    (void)state;
    jaeger_service_options options = with_probes(yaml);
    for (long n = 0;; n++) {
        jaeger_service *service = NULL;
        jaeger_error err = {0};
        journal_clear();
        jg_alloc_fail_after(n);
        jaeger_status status = jaeger_service_new(&options, &service, &err);
        jg_alloc_fail_after(-1);
        if (status == JAEGER_OK) {
            jaeger_service_free(service);
            assert_true(n > 10);
            return;
        }
        assert_true(err.message[0]);
        assert_null(service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_starts_takes_spans_and_stops),
        cmocka_unit_test(two_services_live_in_one_process),
        cmocka_unit_test(references_to_the_environment_use_the_callback_only),
        cmocka_unit_test(faults_name_their_stage),
        cmocka_unit_test(a_failed_start_stops_what_was_started),
        cmocka_unit_test(the_embedder_is_told_that_a_component_failed),
        cmocka_unit_test(stop_waits_for_those_inside),
        cmocka_unit_test(a_service_without_memory_is_an_error),
        cmocka_unit_test(a_start_without_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
