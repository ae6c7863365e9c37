/* SPDX-License-Identifier: Apache-2.0
 * A service that traces itself, asked over sockets; what its pipeline gets of "jaeger" is written down.
 */
#include "core/str.h"
#include "support/http.h"
#include <jaeger/service.h>
#include <jaeger/tracer.h>
#include <pthread.h>

#define ID   "0102030405060708090a0b0c0d0e0f10"
#define SPAN "a1a2a3a4a5a6a7a8"

static pthread_mutex_t seen_mutex = PTHREAD_MUTEX_INITIALIZER;
static char seen[16384]; /* "name trace-id-or-root parent;" */
static unsigned seen_count;

/* "POST /v1/traces continued child;": continued: of the trace ID, child: has a parent. */
static jaeger_status note(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self, (void)call;
    uint8_t id[16];
    assert_true(jg_hex_decode(JAEGER_STR(ID), id, sizeof id));
    (void)pthread_mutex_lock(&seen_mutex);
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++) {
        const jaeger_span *s = &jaeger_batch_spans(take)[i];
        if (!jg_str_is(s->group->service, "gate"))
            continue;
        size_t len = strlen(seen);
        (void)snprintf(seen + len, sizeof seen - len, "%.*s%s%s;", JAEGER_STR_ARGS(s->name),
                       memcmp(s->trace_id, id, sizeof id) ? "" : " continued",
                       jg_id_is_zero(s->parent_span_id, 8) ? "" : " child");
        seen_count++;
    }
    (void)pthread_mutex_unlock(&seen_mutex);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_status create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self, (void)in, (void)err;
    return JAEGER_OK;
}

static const jaeger_component_type notes = {.size = sizeof(jaeger_component_type),
                                            .name = "notes",
                                            .doc = "writes spans down",
                                            .kind = JAEGER_EXPORTER,
                                            .takes = JAEGER_TRACES,
                                            .state_size = 1,
                                            .create = create,
                                            .consume = note};

static unsigned port(unsigned which)
{
    return 24000u + ((unsigned)getpid() % 300u) * 4 + which;
}

static jaeger_service *start(const char *traces)
{
    static const jaeger_component_type *const types[] = {&notes};
    static char yaml[4096];
    jaeger_service *service;
    jaeger_error err = {0};
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:%u'}, grpc: {endpoint: "
        "'127.0.0.1:%u'}}}}\n"
        "processors: {batch: {timeout: 1ms}}\n"
        "exporters: {notes: , jaeger_storage_exporter: {trace_storage: m, queue: {num_consumers: 1, "
        "queue_size: 100}}}\n"
        "extensions:\n"
        "  jaeger_storage: {backends: {m: {memory: {max_traces: 1000}}}}\n"
        "  jaeger_query: {storage: {traces: m}, http: {endpoint: '127.0.0.1:%u'}, grpc: {endpoint: "
        "'127.0.0.1:0'}}\n"
        "service:\n"
        "  extensions: [jaeger_storage, jaeger_query]\n"
        "  telemetry: {metrics: {level: none}, resource: {service.name: gate}, traces: {%s}}\n"
        "  pipelines:\n"
        "    traces: {receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}\n"
        "    traces/own: {receivers: [otlp], exporters: [notes]}\n",
        port(0), port(1), port(2), traces);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.components = types;
    options.component_count = 1;
    seen[0] = 0;
    seen_count = 0;
    if (jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

static const char one_span[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"shop\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":"
    "\"eee19b7ec3c1b174\",\"name\":\"pay\",\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\"}]}]}]}";

/** @param header "" or "name: value\r\n" */
static void ask(unsigned to, const char *line, const char *header, const char *body)
{
    char request[2048];
    int len = snprintf(request, sizeof request,
                       "%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: "
                       "%zu\r\n\r\n%s",
                       line, header, strlen(body), body);
    jg_buf answer = http_exchange((uint16_t)to, request, (size_t)len);
    if (answer.len < 12 || memcmp(answer.data + 9, "200", 3) != 0)
        fail_msg("%.*s", (int)answer.len, (const char *)answer.data);
    jg_buf_done(&answer);
}

static bool is_seen(const char *text, unsigned count)
{
    (void)pthread_mutex_lock(&seen_mutex);
    bool found = strstr(seen, text) && seen_count >= count;
    (void)pthread_mutex_unlock(&seen_mutex);
    return found;
}

static void wait_for(const char *text, unsigned count)
{
    for (int i = 0; i < 2000 && !is_seen(text, count); i++)
        usleep(5000);
    if (!is_seen(text, count))
        fail_msg("%s (%u) is not in: %s", text, count, seen);
}

static void requests_become_traces(void **state, const char *traces)
{
    (void)state;
    jaeger_service *service = start(traces);
    ask(port(0), "POST /v1/traces", "traceparent: 00-" ID "-" SPAN "-01\r\n", one_span);
    wait_for("POST /v1/traces continued child;", 1);
    wait_for("exporter/jaeger_storage_exporter/traces continued child;", 2);
    ask(port(0), "POST /v1/traces", "traceparent: 00-" ID "-" SPAN "-00\r\n", one_span);
    ask(port(2), "GET /api/services", "", "");
    wait_for("GET /api/services;", 4);
    wait_for("storage/get_services child;", 4);
    ask(port(2), "GET /api/traces/5b8efff798038103d269b633813fc60c", "", "");
    wait_for("GET /api/traces/{traceID};", 6);
    wait_for("storage/get_trace child;", 6);
    ask(port(0), "POST /v1/traces", "", one_span);
    wait_for("exporter/jaeger_storage_exporter/traces child;", 8);
    jaeger_service_free(service);
    assert_int_equal(seen_count, 8); /* neither the one that was not sampled, nor our own reports */
}

static void into_a_pipeline_of_the_service(void **state)
{
    requests_become_traces(state,
                           "processors: [{batch: {schedule_delay: 2, exporter: {pipeline: traces/own}}}]");
}

static void over_http_to_our_own_receiver(void **state)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "processors: [{batch: {schedule_delay: 2, exporter: {otlp: {protocol: http/protobuf, "
                   "endpoint: 'http://127.0.0.1:%u'}}}}]",
                   port(0));
    requests_become_traces(state, text);
}

static void over_grpc_to_our_own_receiver(void **state)
{
    char text[256];
    (void)snprintf(
        text, sizeof text,
        "processors: [{simple: {exporter: {otlp: {protocol: grpc, endpoint: 'http://127.0.0.1:%u'}}}}], "
        "sampler: {parent_based: {root: {always_on: {}}}}",
        port(1));
    requests_become_traces(state, text);
}

static void b3_is_taken_over_and_new_traces_are_left_out(void **state)
{
    (void)state;
    jaeger_service *service =
        start("processors: [{simple: {exporter: {pipeline: traces/own}}}], propagators: [b3], sampler: "
              "{trace_id_ratio_based: {ratio: 0}}");
    ask(port(0), "POST /v1/traces", "", one_span);
    ask(port(0), "POST /v1/traces", "b3: " ID "-" SPAN "-1\r\n", one_span);
    wait_for("exporter/jaeger_storage_exporter/traces continued child;", 2);
    jaeger_service_free(service);
    assert_int_equal(seen_count, 2);
}

static void without_processors_nothing_is_recorded(void **state)
{
    (void)state;
    jaeger_service *service = start("sampler: {always_on: {}}");
    ask(port(0), "POST /v1/traces", "traceparent: 00-" ID "-" SPAN "-01\r\n", one_span);
    jaeger_service_free(service);
    assert_int_equal(seen_count, 0);
}

static void bad_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *traces, *want;
    } cases[] = {
        {"processors: [{batch: {exporter: {pipeline: metrics}}}]", "no pipeline of traces \"metrics\""},
        {"processors: [{batch: {}}]", "must have one exporter: otlp, console, or pipeline"},
        {"processors: [{batch: {exporter: {otlp: {}}}}]", "endpoint"},
        {"processors: [{batch: {exporter: {otlp: {endpoint: x, protocol: pigeon}}}}]", "pigeon"},
        {"processors: [{batch: {exporter: {zipkin: {}}}}]", "invalid keys: zipkin"},
        {"processors: [{batch: {max_queue_size: 0, exporter: {console: }}}]",
         "max_queue_size must be from 1"},
        {"processors: [{batch: {max_export_batch_size: 4096, exporter: {console: }}}]",
         "max_export_batch_size must be from 1"},
        {"processors: [{batch: {schedule_delay: 0, exporter: {console: }}}]", "schedule_delay must be"},
        {"processors: [{simple: {exporter: {console: }}}, {simple: {exporter: {console: }}}]",
         "only one processor"},
        {"processors: [{}]", "must have batch or simple"},
        {"sampler: {trace_id_ratio_based: {ratio: 2}}", "ratio must be from 0 to 1"},
        {"sampler: {jaeger_remote: {}}", "invalid keys: jaeger_remote"},
        {"sampler: {always_on: {}, always_off: {}}", "must be one of always_on"},
        {"sampler: {parent_based: {remote_parent_not_sampled: {always_on: {}}}}", "what the parent decided"},
        {"propagators: [morse]", "unknown propagator"},
        {"level: much", "level"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[1024];
        jaeger_service *service;
        jaeger_error err = {0};
        (void)snprintf(
            yaml, sizeof yaml,
            "receivers: {nop: }\nexporters: {nop: }\n"
            "service:\n  telemetry: {traces: {%s}}\n"
            "  pipelines: {traces: {receivers: [nop], exporters: [nop]}, metrics: {receivers: [nop], "
            "exporters: [nop]}}\n",
            cases[i].traces);
        jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
        options.yaml = yaml;
        if (jaeger_service_new(&options, &service, &err) == JAEGER_OK)
            fail_msg("accepted: %s", cases[i].traces);
        if (!strstr(err.message, cases[i].want))
            fail_msg("%s: %s", cases[i].traces, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(into_a_pipeline_of_the_service),
        cmocka_unit_test(over_http_to_our_own_receiver),
        cmocka_unit_test(over_grpc_to_our_own_receiver),
        cmocka_unit_test(b3_is_taken_over_and_new_traces_are_left_out),
        cmocka_unit_test(without_processors_nothing_is_recorded),
        cmocka_unit_test(bad_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
