/* SPDX-License-Identifier: Apache-2.0
 * A service with one receiver before an exporter that answers what the test tells it to, and remembers what
 * it got.
 */
#ifndef JG_TEST_PIPELINE_H
#define JG_TEST_PIPELINE_H

#include "support/http.h"
#include <jaeger/service.h>
#include <pthread.h>

/** Behind `lock`: consume runs on workers. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t came;
    jaeger_error answer; /* what consume returns */
    size_t calls, spans;
    char service[64], name[64]; /* of the last batch's first span */
    bool hold;                  /* consume waits while it is set */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static inline jaeger_status sink_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self, (void)in, (void)err;
    return JAEGER_OK;
}

static inline void sink_copy(char *out, size_t size, jaeger_str text)
{
    (void)snprintf(out, size, "%.*s", JAEGER_STR_ARGS(text));
}

static inline jaeger_status sink_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    pthread_mutex_lock(&sink.lock);
    sink.calls++;
    sink.spans += jaeger_batch_span_count(take);
    sink_copy(sink.service, sizeof sink.service, jaeger_batch_spans(take)->group->service);
    sink_copy(sink.name, sizeof sink.name, jaeger_batch_spans(take)->name);
    pthread_cond_broadcast(&sink.came);
    while (sink.hold)
        pthread_cond_wait(&sink.came, &sink.lock);
    call->error = sink.answer;
    jaeger_status status = sink.answer.status;
    pthread_mutex_unlock(&sink.lock);
    jaeger_batch_unref(take);
    return status;
}

/** Wait until that many spans came, 5 s at most. */
static inline bool sink_wait(size_t spans)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&sink.lock);
    while (sink.spans < spans && pthread_cond_timedwait(&sink.came, &sink.lock, &until) == 0) {
    }
    bool came = sink.spans >= spans;
    pthread_mutex_unlock(&sink.lock);
    return came;
}

static inline void sink_hold(bool hold)
{
    pthread_mutex_lock(&sink.lock);
    sink.hold = hold;
    pthread_cond_broadcast(&sink.came);
    pthread_mutex_unlock(&sink.lock);
}

/** @param receiver YAML of the one receiver, e.g. "zipkin: {endpoint: …}"; `name` its id */
static inline jaeger_status pipeline_new(const char *receiver, const char *name, jaeger_service **ret,
                                         jaeger_error *err)
{
    static const jaeger_field no_fields[] = {{0}};
    static jaeger_component_type exporter = {.size = sizeof exporter,
                                             .name = "answering",
                                             .doc = "answers",
                                             .kind = JAEGER_EXPORTER,
                                             .takes = JAEGER_TRACES,
                                             .state_size = 1,
                                             .create = sink_create,
                                             .consume = sink_consume};
    static const jaeger_component_type *types[] = {&exporter};
    static char yaml[4096];
    exporter.fields = no_fields;
    pthread_mutex_lock(&sink.lock); /* another service may still run */
    sink.answer = (jaeger_error){0};
    sink.calls = sink.spans = 0;
    sink.service[0] = sink.name[0] = 0;
    pthread_mutex_unlock(&sink.lock);
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {%s}\nexporters: {answering: }\n"
                   "service: {telemetry: {metrics: {level: none}},\n"
                   "  pipelines: {traces: {receivers: [%s], exporters: [answering]}}}\n",
                   receiver, name);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.components = types;
    options.component_count = 1;
    return jaeger_service_new(&options, ret, err);
}

static inline jaeger_service *pipeline_start(const char *receiver, const char *name)
{
    jaeger_service *service;
    jaeger_error err = {0};
    if (pipeline_new(receiver, name, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

/** One request to a server of the test, with `headers` ("Name: value\r\n…"). */
static inline jg_buf pipeline_ask(uint16_t port, const char *method, const char *path, const char *headers,
                                  jaeger_str body)
{
    jg_buf request JG_AUTO_BUF = JG_BUF_INIT(32u << 20);
    jg_buf_printf(&request, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", method, path,
                  body.len, headers);
    jg_buf_str(&request, body);
    return http_exchange(port, (char *)request.data, request.len);
}

/** The answer after its head. */
static inline jaeger_str pipeline_body(const jg_buf *answer)
{
    const char *body = strstr((const char *)answer->data, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    return (jaeger_str){body, (size_t)((const char *)answer->data + answer->len - 1 - body)};
}

#endif
