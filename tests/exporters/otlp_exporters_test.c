/* SPDX-License-Identifier: Apache-2.0
 * otlp_grpc and otlp_http, each in a service of its own, against servers that answer from a script.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "support/test.h"
#include "wire/otlp_json.h"
#include <fcntl.h>
#include <jaeger/service.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/** One answer of the script; the last one stays. */
typedef struct answer {
    int status; /* gRPC or HTTP; 0: an answer that never comes */
    uint32_t retry_after_s;
    jaeger_str body;
} answer;

typedef struct peer {
    jg_net *net;
    jg_grpc_server *grpc;
    jg_http_server *http;
    jg_grpc_server_settings grpc_settings;
    jg_http_server_settings http_settings;
    const answer *script;
    size_t script_count;
    pthread_mutex_t mutex;
    size_t calls, spans;
    char name[64], header[64], type[64], encoding[64];
    char port[8];
} peer;

static answer next_answer(peer *p)
{
    size_t at = JG_MIN(p->calls, p->script_count - 1);
    p->calls++;
    return p->script[at];
}

static void keep(peer *p, jaeger_batch *batch)
{
    p->spans += jaeger_batch_span_count(batch);
    (void)snprintf(p->name, sizeof p->name, "%.*s", JAEGER_STR_ARGS(jaeger_batch_spans(batch)[0].name));
}

static void copy_text(char out[64], jaeger_str s)
{
    (void)snprintf(out, 64, "%.*s", JAEGER_STR_ARGS(s));
}

static void hang(jaeger_call *call)
{
    while (jaeger_call_check(call) == JAEGER_OK)
        (void)poll(NULL, 0, 5);
}

static jaeger_status grpc_export(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    peer *p = self;
    jaeger_batch *batch;
    assert_ok(jaeger_batch_from_otlp((void *)(uintptr_t)request.ptr, request.len, NULL, NULL, &batch, NULL));
    pthread_mutex_lock(&p->mutex);
    answer a = next_answer(p);
    if (a.status == JAEGER_OK)
        keep(p, batch);
    for (size_t i = 0; i < call->metadata_count; i++) {
        if (jg_str_is(call->metadata[i].key, "x-test"))
            copy_text(p->header, call->metadata[i].value);
    }
    pthread_mutex_unlock(&p->mutex);
    jaeger_batch_unref(batch);
    if (a.status == -1) {
        hang(call);
        a.status = JAEGER_CANCELLED;
    }
    if (a.status == JAEGER_OK)
        return jg_grpc_send(stream, a.body.ptr, a.body.len, call);
    (void)jg_fail(&call->error, (jaeger_status)a.status, "scripted");
    call->error.retry_after_ms = a.retry_after_s * 1000;
    return (jaeger_status)a.status;
}

static void http_export(void *self, jg_http_request *request, jg_http_reply *reply)
{
    peer *p = self;
    jaeger_batch *batch = NULL;
    bool json = jg_str_is(request->content_type, "application/json");
    pthread_mutex_lock(&p->mutex);
    answer a = next_answer(p);
    copy_text(p->type, request->content_type);
    copy_text(p->header, jg_http_header(request, "x-test"));
    copy_text(p->encoding, jg_http_header(request, "content-encoding"));
    if (json)
        assert_ok(jg_otlp_json_to_batch(request->body, &batch, NULL));
    else
        assert_ok(jaeger_batch_from_otlp((void *)(uintptr_t)request->body.ptr, request->body.len, NULL, NULL,
                                         &batch, NULL));
    if (a.status == 200)
        keep(p, batch);
    pthread_mutex_unlock(&p->mutex);
    jaeger_batch_unref(batch);
    if (a.status == -1) {
        hang(request->call);
        a.status = 500;
    }
    char seconds[16];
    (void)snprintf(seconds, sizeof seconds, "%u", a.retry_after_s);
    if (a.retry_after_s)
        jg_http_add_header(reply, "Retry-After", jg_str(seconds));
    if (!jg_str_is(request->path, "/v1/traces"))
        a.status = 404;
    jg_http_send(reply, a.status, json ? "application/json" : "application/x-protobuf", a.body);
}

static void peer_start(peer *p, const answer *script, size_t count)
{
    jaeger_error err = {0};
    *p = (peer){.script = script, .script_count = count};
    (void)pthread_mutex_init(&p->mutex, NULL);
    p->grpc_settings.endpoint = p->http_settings.endpoint = JAEGER_STR("127.0.0.1:0");
    p->grpc_settings.include_metadata = true;
    p->http_settings.keep_alives_enabled = true;
    assert_ok(jg_net_new(&(jg_net_options){0}, &p->net, &err));
    const jg_grpc_method method = {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", grpc_export,
                                   p};
    jg_grpc_server_options grpc = {
        .settings = &p->grpc_settings, .methods = &method, .method_count = 1, .name = "peer"};
    assert_ok(jg_grpc_server_start(p->net, &grpc, &p->grpc, &err));
    jg_http_server_options http = {
        .settings = &p->http_settings, .handler = {http_export, p}, .name = "peer"};
    assert_ok(jg_http_server_start(p->net, &http, &p->http, &err));
}

static void peer_stop(peer *p)
{
    jg_grpc_server_stop(p->grpc, jg_clock_mono_ns() + JG_NS_PER_S);
    jg_http_server_stop(p->http, jg_clock_mono_ns() + JG_NS_PER_S);
    jg_net_free(p->net);
    (void)pthread_mutex_destroy(&p->mutex);
}

static char log_text[8192];
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user, (void)level;
    pthread_mutex_lock(&log_mutex);
    size_t len = strlen(log_text);
    (void)snprintf(log_text + len, sizeof log_text - len, "%.*s\n", JAEGER_STR_ARGS(line));
    pthread_mutex_unlock(&log_mutex);
}

static bool logged(const char *text)
{
    pthread_mutex_lock(&log_mutex);
    bool found = strstr(log_text, text) != NULL;
    pthread_mutex_unlock(&log_mutex);
    return found;
}

/** @param more of the exporter's section, behind its endpoint */
static jaeger_status service_of(bool http, const char *endpoint, const char *more, jaeger_service **ret,
                                jaeger_error *err)
{
    char yaml[4096];
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {nop: }\n"
                   "exporters: {%s: {%s%s%s%s}}\n"
                   "service:\n"
                   "  telemetry: {metrics: {level: none}}\n"
                   "  pipelines: {traces: {receivers: [nop], exporters: [%s]}}\n",
                   http ? "otlphttp" : "otlp", endpoint[0] ? "endpoint: " : "", endpoint,
                   endpoint[0] ? ", " : "", more, http ? "otlphttp" : "otlp");
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.log = (jaeger_log_sink){.write = keep_line};
    *ret = NULL;
    log_text[0] = 0;
    jaeger_status status = jaeger_service_new(&options, ret, err);
    if (status == JAEGER_OK)
        status = jaeger_service_start(*ret, err);
    if (status != JAEGER_OK) {
        jaeger_service_free(*ret);
        *ret = NULL;
    }
    return status;
}

static jaeger_batch *one_span(void)
{
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_span(
        b, &(jaeger_span_start){.trace_id = {[15] = 1}, .span_id = {2}, .name = JAEGER_STR("op")});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

/** Without a queue, so that the answer of consume is the peer's. */
#define DIRECT "tls: {insecure: true}, sending_queue: {enabled: false}, headers: {x-test: hi}"
#define QUICK  ", retry_on_failure: {initial_interval: 1ms, max_interval: 2ms, max_elapsed_time: 10s}"

static jaeger_status export_one(peer *p, bool http, const char *more, jaeger_error *ret)
{
    jaeger_service *service;
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "\"http://127.0.0.1:%u\"",
                   http ? jg_http_server_port(p->http) : jg_grpc_server_port(p->grpc));
    if (service_of(http, endpoint, more, &service, ret) != JAEGER_OK)
        fail_msg("%s", ret->message);
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_status status = jaeger_service_consume(service, "traces", one_span(), &call);
    *ret = call.error;
    jaeger_service_stop(service, 2 * JG_NS_PER_S);
    jaeger_service_free(service);
    return status;
}

static void spans_arrive(void **state)
{
    (void)state;
    static const answer ok[] = {{JAEGER_OK, 0, {"", 0}}}, http_ok[] = {{200, 0, {"", 0}}};
    static const struct {
        bool http;
        const char *more, *type, *encoding;
    } cases[] = {
        {false, "", "", ""},
        {false, ", compression: none", "", ""},
        {false, ", compression: zstd", "", ""},
        {true, "", "application/x-protobuf", "gzip"},
        {true, ", compression: none", "application/x-protobuf", ""},
        {true, ", encoding: json", "application/json", "gzip"},
        {true, ", encoding: json, compression: zstd", "application/json", "zstd"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        peer p;
        jaeger_error err = {0};
        char more[256];
        peer_start(&p, cases[i].http ? http_ok : ok, 1);
        (void)snprintf(more, sizeof more, DIRECT "%s", cases[i].more);
        assert_ok(export_one(&p, cases[i].http, more, &err));
        assert_int_equal(p.spans, 1);
        assert_string_equal(p.name, "op");
        assert_string_equal(p.header, "hi");
        assert_string_equal(p.type, cases[i].type);
        assert_string_equal(p.encoding, cases[i].encoding);
        peer_stop(&p);
    }
}

static void failures_that_may_pass_are_tried_again_and_others_not(void **state)
{
    (void)state;
    static const struct {
        bool http;
        int status;
        uint32_t retry_after_s;
        size_t calls;
        jaeger_status result;
    } cases[] = {
        {false, JAEGER_UNAVAILABLE, 0, 2, JAEGER_OK},
        {false, JAEGER_ABORTED, 0, 2, JAEGER_OK},
        {false, JAEGER_OUT_OF_RANGE, 0, 2, JAEGER_OK},
        {false, JAEGER_DATA_LOSS, 0, 2, JAEGER_OK},
        {false, JAEGER_CANCELLED, 0, 2, JAEGER_OK},
        {false, JAEGER_DEADLINE_EXCEEDED, 0, 2, JAEGER_OK},
        {false, JAEGER_RESOURCE_EXHAUSTED, 1, 2, JAEGER_OK},
        {false, JAEGER_RESOURCE_EXHAUSTED, 0, 1, JAEGER_RESOURCE_EXHAUSTED},
        {false, JAEGER_INVALID_ARGUMENT, 0, 1, JAEGER_INVALID_ARGUMENT},
        {false, JAEGER_UNAUTHENTICATED, 0, 1, JAEGER_UNAUTHENTICATED},
        {false, JAEGER_INTERNAL, 0, 1, JAEGER_INTERNAL},
        {true, 429, 0, 2, JAEGER_OK},
        {true, 429, 1, 2, JAEGER_OK},
        {true, 502, 0, 2, JAEGER_OK},
        {true, 503, 0, 2, JAEGER_OK},
        {true, 504, 0, 2, JAEGER_OK},
        {true, 400, 0, 1, JAEGER_INVALID_ARGUMENT},
        {true, 401, 0, 1, JAEGER_UNAUTHENTICATED},
        {true, 404, 0, 1, JAEGER_UNIMPLEMENTED},
        {true, 500, 0, 1, JAEGER_UNKNOWN},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        peer p;
        jaeger_error err = {0};
        bool http = cases[i].http;
        const answer script[] = {{cases[i].status, cases[i].retry_after_s, {"", 0}},
                                 {http ? 200 : JAEGER_OK, 0, {"", 0}}};
        peer_start(&p, script, 2);
        uint64_t begin = jg_clock_mono_ns();
        jaeger_status status = export_one(&p, http, DIRECT QUICK, &err);
        if (status != cases[i].result || p.calls != cases[i].calls)
            fail_msg("case %zu: %d after %zu calls: %s", i, status, p.calls, err.message);
        if (cases[i].retry_after_s)
            assert_true(jg_clock_mono_ns() - begin >= cases[i].retry_after_s * JG_NS_PER_S);
        peer_stop(&p);
    }
}

static void an_http_error_says_what_the_server_said(void **state)
{
    (void)state;
    const answer proto[] = {{400, 0,
                             JAEGER_STR("\x08\x03\x12\x08"
                                        "bad span")}};
    peer p;
    jaeger_error err = {0};
    peer_start(&p, proto, 1);
    assert_int_equal(export_one(&p, true, DIRECT, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "responded with HTTP Status Code 400, Message=bad span"));
    peer_stop(&p);
    const answer json[] = {{403, 0, JAEGER_STR("{\"message\":\"go away\"}")}};
    peer_start(&p, json, 1);
    assert_int_equal(export_one(&p, true, DIRECT ", encoding: json", &err), JAEGER_PERMISSION_DENIED);
    assert_non_null(strstr(err.message, "Message=go away"));
    peer_stop(&p);
}

static void a_partial_success_is_logged(void **state)
{
    (void)state;
    const answer grpc[] = {{JAEGER_OK, 0,
                            JAEGER_STR("\x0a\x09\x08\x05\x12\x05"
                                       "hello")}};
    const answer http[] = {{200, 0,
                            JAEGER_STR("\x0a\x09\x08\x05\x12\x05"
                                       "hello")}};
    for (int h = 0; h < 2; h++) {
        peer p;
        jaeger_error err = {0};
        peer_start(&p, h ? http : grpc, 1);
        assert_ok(export_one(&p, h, DIRECT, &err));
        assert_true(logged("Partial success response message=\"hello\" dropped_spans=5"));
        peer_stop(&p);
    }
}

static void a_server_that_hangs_is_left_after_the_timeout(void **state)
{
    (void)state;
    for (int http = 0; http < 2; http++) {
        const answer script[] = {{-1, 0, {"", 0}}, {http ? 200 : JAEGER_OK, 0, {"", 0}}};
        peer p;
        jaeger_error err = {0};
        peer_start(&p, script, 2);
        assert_ok(export_one(&p, http, DIRECT QUICK ", timeout: 100ms", &err));
        assert_int_equal(p.calls, 2);
        peer_stop(&p);
    }
}

/** A socket that treats each connection the same bad way. */
typedef struct rude {
    int fd;
    bool reset;
    const char *says; /* before the end; NULL: nothing */
    size_t says_len;
    pthread_t thread;
} rude;

static void *run_rude(void *arg)
{
    rude *r = arg;
    for (int fd; (fd = accept(r->fd, NULL, NULL)) >= 0; (void)close(fd)) {
        char buffer[4096];
        const struct linger at_once = {.l_onoff = 1};
        struct pollfd some = {.fd = fd, .events = POLLIN};
        (void)poll(&some, 1, 2000);
        (void)!read(fd, buffer, sizeof buffer);
        if (r->says)
            (void)!write(fd, r->says, r->says_len);
        if (r->reset)
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    return NULL;
}

static void what_is_no_answer_is_unavailable_and_tried_again(void **state)
{
    (void)state;
    static const char settings_and_garbage[] = "\0\0\0\4\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    static const struct {
        bool http, reset;
        const char *says;
        size_t len;
    } cases[] = {
        {false, true, NULL, 0},
        {false, false, NULL, 0},
        {false, false, "HTTP/1.0 400 Bad Request\r\n\r\n", 28},
        {false, false, settings_and_garbage, sizeof settings_and_garbage - 1},
        {true, true, NULL, 0},
        {true, false, NULL, 0},
        {true, false, "\0\1\2 no HTTP at all\n", 19},
        {true, false, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", 44},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        char endpoint[64];
        jaeger_error err = {0};
        jaeger_service *service;
        jaeger_call call = JAEGER_CALL_INIT;
        rude r = {.reset = cases[i].reset, .says = cases[i].says, .says_len = cases[i].len};
        assert_ok(jg_net_listen(JAEGER_STR("127.0.0.1:0"), &r.fd, &err));
        assert_int_equal(fcntl(r.fd, F_SETFL, 0), 0); /* blocking */
        assert_int_equal(pthread_create(&r.thread, NULL, run_rude, &r), 0);
        (void)snprintf(endpoint, sizeof endpoint, "\"http://127.0.0.1:%u\"", jg_net_port(r.fd));
        assert_ok(service_of(cases[i].http, endpoint,
                             DIRECT
                             ", timeout: 20s, retry_on_failure: {initial_interval: 1ms, max_interval: 1ms, "
                             "max_elapsed_time: 20ms}",
                             &service, &err));
        jaeger_status status = jaeger_service_consume(service, "traces", one_span(), &call);
        if (!jg_status_is_retryable(status) || !call.error.message[0])
            fail_msg("case %zu: %d %s", i, status, call.error.message);
        jaeger_service_free(service);
        (void)shutdown(r.fd, SHUT_RDWR);
        (void)pthread_join(r.thread, NULL);
        (void)close(r.fd);
    }
}

static void a_queue_answers_first_and_a_stop_interrupts_what_hangs(void **state)
{
    (void)state;
    static const answer script[] = {{-1, 0, {"", 0}}};
    for (int http = 0; http < 2; http++) {
        peer p;
        jaeger_error err = {0};
        peer_start(&p, script, 1);
        uint64_t begin = jg_clock_mono_ns();
        assert_ok(export_one(&p, http, "tls: {insecure: true}, timeout: 20s", &err));
        assert_true(jg_clock_mono_ns() - begin < 5 * JG_NS_PER_S);
        peer_stop(&p);
    }
}

static void bad_configurations_are_refused(void **state)
{
    (void)state;
    static const struct {
        bool http;
        const char *endpoint, *more, *text;
    } cases[] = {
        {false, "", "timeout: 1s", "exporters::otlp: requires a non-empty \"endpoint\""},
        {false, "localhost", "timeout: 1s", "missing port in address"},
        {false, "\"localhost:99999\"", "timeout: 1s", "invalid port"},
        {false, "\"a:1\"", "balancer_name: foo", "invalid balancer_name: foo"},
        {false, "\"a:1\"", "compression: brotli, tls: {insecure: true}", "unsupported compression type"},
        {false, "\"a:1\"", "sending_queue: {num_consumers: 0}", "exporters::otlp::sending_queue"},
        {false, "\"a:1\"", "retry_on_failure: {multiplier: -1}", "exporters::otlp::retry_on_failure"},
        {false, "\"a:1\"", "auth: {authenticator: nobody}", "authenticator not found"},
        {false, "\"a:1\"", "timeout: -1s", "timeout"},
        {true, "", "timeout: 1s", "exporters::otlphttp: at least one endpoint must be specified"},
        {true, "\"localhost:4318\"", "timeout: 1s", "endpoint must be an http:// or https:// URL"},
        {true, "", "logs_endpoint: \"http://a\"", "either endpoint or traces_endpoint"},
        {true, "\"http://a\"", "encoding: xml", "encoding"},
        {true, "\"http://a\"", "compression: brotli", "unsupported compression type"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        jaeger_status status = service_of(cases[i].http, cases[i].endpoint, cases[i].more, &service, &err);
        if (status != JAEGER_INVALID_ARGUMENT || !strstr(err.message, cases[i].text))
            fail_msg("case %zu: %d %s", i, status, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_arrive),
        cmocka_unit_test(failures_that_may_pass_are_tried_again_and_others_not),
        cmocka_unit_test(an_http_error_says_what_the_server_said),
        cmocka_unit_test(a_partial_success_is_logged),
        cmocka_unit_test(a_server_that_hangs_is_left_after_the_timeout),
        cmocka_unit_test(what_is_no_answer_is_unavailable_and_tried_again),
        cmocka_unit_test(a_queue_answers_first_and_a_stop_interrupts_what_hangs),
        cmocka_unit_test(bad_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
