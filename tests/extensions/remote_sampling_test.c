/* SPDX-License-Identifier: Apache-2.0
 * remote_sampling in a service: what its two ports answer, reloading, refusals, providers of an embedder.
 */
#include "core/json_in.h"
#include "net/grpc_client.h"
#include "sampling/strategy.h"
#include "support/file.h"
#include "support/sampling.h"

/* ---- an embedder's provider ---- */

static jaeger_status own_strategy(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    (void)self;
    jaeger_strategy strategy = {.has_rate = true, .rate = (double)service.len / 8};
    if (jg_str_is(service, "down"))
        return jaeger_fail(&call->error, JAEGER_UNAVAILABLE, "not now");
    return out.strategy(out.self, &strategy, call);
}

static jaeger_status own_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self, (void)in, (void)err;
    return JAEGER_OK;
}

static const void *own_interface(void *self, const char *name)
{
    static const jaeger_sampling_provider table = {.size = sizeof table, .strategy = own_strategy};
    (void)self;
    return strcmp(name, JAEGER_SAMPLING_INTERFACE) == 0 ? &table : NULL;
}

static const jaeger_field no_fields[] = {{0}};
static const jaeger_component_type own_type = {.size = sizeof own_type,
                                               .name = "own",
                                               .doc = "strategies of an embedder",
                                               .kind = JAEGER_EXTENSION,
                                               .fields = no_fields,
                                               .config_size = 1,
                                               .state_size = 1,
                                               .create = own_create,
                                               .interface = own_interface};
static const jaeger_component_type *const types[] = {&own_type};

/* ---- services ---- */

/** @param keys of remote_sampling, one a line, four spaces in front */
static jaeger_status service_of(const char *keys, uint16_t port, jaeger_service **ret, jaeger_error *err)
{
    char yaml[2048];
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\nexporters: {nop: }\n"
        "extensions:\n  jaeger_storage: {backends: {main: {memory: {max_traces: 10}}}}\n  own:\n"
        "  remote_sampling:\n    http: {endpoint: '127.0.0.1:%u'}\n    grpc: {endpoint: '127.0.0.1:%u'}\n%s"
        "service:\n  extensions: [jaeger_storage, own, remote_sampling]\n"
        "  telemetry: {metrics: {level: none}}\n"
        "  pipelines: {traces: {receivers: [nop], exporters: [nop]}}\n",
        port, port + 1, keys);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.components = types;
    options.component_count = 1;
    return start_logged(&options, ret, err);
}

static jaeger_service *running(const char *keys)
{
    jaeger_service *service = NULL;
    jaeger_error err = {0};
    if (service_of(keys, base_port(), &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

static const char *http(const char *method, jaeger_str target)
{
    return http_ask(base_port(), method, target);
}

static jaeger_status grpc(jaeger_str service, jg_buf *answer, jaeger_call *call)
{
    char endpoint[32];
    jg_net *net;
    jg_grpc_client *client;
    JG_AUTO_BUF jg_buf request = JG_BUF_INIT(4096);
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", base_port() + 1);
    jg_grpc_client_settings settings = {.endpoint = jg_str(endpoint), .tls.insecure = true};
    jg_strategy_write_request(&request, service);
    assert_ok(jg_net_new(&(jg_net_options){.loop_threads = 1}, &net, &call->error));
    assert_ok(jg_grpc_client_new(net, &settings, 0, &client, &call->error));
    jaeger_status status = jg_grpc_unary(client, "/jaeger.api_v2.SamplingManager/GetSamplingStrategy",
                                         jg_buf_view(&request), answer, call);
    jg_grpc_client_free(client);
    jg_net_free(net);
    return status;
}

/* ---- tests ---- */

/** A line of a .replies file: target, status, body as JSON string, ... */
static void check_line(jaeger_str line)
{
    size_t end = jg_str_find(line, ' ');
    jaeger_str rest = jg_str_skip(line, end + 5);
    const char *got = http("GET", (jaeger_str){line.ptr, end});
    char status[32];
    jg_json_in in = jg_json_in_of(rest);
    jg_json_text body;
    JG_AUTO_BUF jg_buf want = JG_BUF_INIT(1 << 20);
    assert_true(jg_json_in_str(&in, &body));
    jg_json_in_append(&want, body);
    jg_buf_byte(&want, 0);
    (void)snprintf(status, sizeof status, "HTTP/1.1 %.3s ", line.ptr + end + 1);
    assert_text_has(got, status);
    const char *got_body = strstr(got, "\r\n\r\n");
    assert_non_null(got_body);
    assert_string_equal(got_body + 4, (const char *)want.data);
}

static void both_ports_answer_as_go_jaeger_does(void **state)
{
    (void)state;
    jaeger_service *service = running("    file: {path: '" JG_TEST_DATA "/sampling/basic.json',"
                                      " default_sampling_probability: 0.25}\n");
    JG_AUTO_DATA jaeger_str replies = read_data("sampling/basic.replies");
    for (jaeger_str rest = replies; rest.len;) {
        jaeger_str line = {rest.ptr, jg_str_find(rest, '\n')};
        check_line(line);
        rest = jg_str_skip(rest, line.len + 1);
    }
    const char *got = http("GET", JAEGER_STR("/sampling?service=bar"));
    assert_text_has(got, "Connection: close\r\n");
    assert_text_has(got, "Content-Type: application/json\r\n");
    got = http("POST", JAEGER_STR("/any/path?service=bar"));
    assert_text_has(got, "{\"strategyType\":\"RATE_LIMITING\"");
    got = http("GET", JAEGER_STR("/sampling"));
    assert_text_has(got, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_text_has(got, "X-Content-Type-Options: nosniff\r\n");
    jaeger_call call = JAEGER_CALL_INIT;
    jg_buf answer = JG_BUF_INIT(4096);
    call.arena = jaeger_arena_new(1 << 20);
    assert_ok(grpc(JAEGER_STR("plain"), &answer, &call));
    assert_memory_equal(answer.data, "\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f", 11);
    assert_int_equal(grpc(JAEGER_STR("\xff"), &answer, &call), JAEGER_INTERNAL);
    jaeger_service_free(service);
    jaeger_arena_free(call.arena);
    jg_buf_done(&answer);
}

static void write_file(const char *path, const char *text)
{
    char other[512];
    (void)snprintf(other, sizeof other, "%s.new", path);
    FILE *file = fopen(other, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, path), 0);
}

/** Until the reply has it; at most ten seconds. */
static void wait_for_rate(const char *want)
{
    for (int i = 0; i < 500; i++) {
        if (strstr(http("GET", JAEGER_STR("/sampling?service=a")), want))
            return;
        (void)usleep(20000);
    }
    fail_msg("%s did not come", want);
}

static void a_changed_file_is_served_and_a_bad_one_is_not(void **state)
{
    (void)state;
    char path[128], keys[256];
    (void)snprintf(path, sizeof path, "/tmp/jaeger-sampling-%d.json", getpid());
    write_file(path, "{\"default_strategy\":{\"type\":\"probabilistic\",\"param\":0.5}}");
    (void)snprintf(keys, sizeof keys, "    file: {path: '%s', reload_interval: 20ms}\n", path);
    jaeger_service *service = running(keys);
    wait_for_rate("0.5");
    write_file(path, "{\"default_strategy\":{\"type\":\"probabilistic\",\"param\":0.75}}");
    wait_for_rate("0.75");
    write_file(path, "{\"default_strategy\":\n {\"type\":true}}");
    wait_for_log(".json:2:10: ");
    wait_for_rate("0.75");
    assert_int_equal(unlink(path), 0);
    wait_for_log("failed to read strategies file");
    wait_for_rate("0.75");
    write_file(path, "{\"default_strategy\":{\"type\":\"probabilistic\",\"param\":0.125}}");
    wait_for_rate("0.125");
    jaeger_service_free(service);
    assert_int_equal(unlink(path), 0);
}

static void strategies_come_by_http(void **state)
{
    (void)state;
    char keys[256];
    jaeger_service *first = running("    file: {path: '" JG_TEST_DATA "/sampling/basic.json'}\n");
    jaeger_service *second;
    jaeger_error err = {0};
    /* any answer with status 200 that is JSON is a file: a reply has no known keys, so the defaults count */
    (void)snprintf(keys, sizeof keys, "    file: {path: 'http://127.0.0.1:%u/?service=x'}\n", base_port());
    assert_ok(service_of(keys, base_port() + 2, &second, &err));
    jaeger_service_free(second);
    (void)snprintf(keys, sizeof keys, "    file: {path: 'http://127.0.0.1:%u/'}\n", base_port());
    assert_int_equal(service_of(keys, base_port() + 2, &second, &err), JAEGER_UNAVAILABLE);
    assert_text_has(err.message, "receiving 400 while downloading strategies file: 'service' parameter must");
    jaeger_service_free(first);
}

static void an_embedder_provides_strategies(void **state)
{
    (void)state;
    jaeger_service *service = running("    provider: own\n");
    assert_text_has(http("GET", JAEGER_STR("/?service=four")), "{\"samplingRate\":0.5}}");
    const char *got = http("GET", JAEGER_STR("/?service=down"));
    assert_text_has(got, "HTTP/1.1 500 ");
    assert_text_has(got, "\r\n\r\ncollector error: not now\n");
    jaeger_call call = JAEGER_CALL_INIT;
    jg_buf answer = JG_BUF_INIT(4096);
    call.arena = jaeger_arena_new(1 << 20);
    assert_int_equal(grpc(JAEGER_STR("down"), &answer, &call), JAEGER_UNAVAILABLE);
    assert_string_equal(call.error.message, "not now");
    jaeger_service_free(service);
    jaeger_arena_free(call.arena);
    jg_buf_done(&answer);
}

static void what_cannot_work_is_refused_at_start(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *want;
    } rows[] = {
        {"", "no sampling strategy provider specified, expecting 'adaptive' or 'file'"},
        {"    file: \n    provider: own\n", "only one sampling strategy provider can be specified"},
        {"    file: {default_sampling_probability: 1.5}\n", "does not validate as range(0|1)"},
        {"    file: {reload_interval: -1s}\n", "reload_interval"},
        {"    file: {path: /nowhere.json}\n",
         "failed to create the local file strategy store: failed to read "
         "strategies file /nowhere.json: No such file or directory"},
        {"    file: {path: 'http://127.0.0.1:1/x'}\n",
         "failed to download sampling strategies: http://127.0.0.1:1/x"},
        {"    provider: jaeger_storage\n", "extension 'jaeger_storage' is not there or provides no sampling"},
        {"    file: {unknown: 1}\n", "unknown"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        assert_int_not_equal(service_of(rows[i].keys, base_port(), &service, &err), JAEGER_OK);
        assert_text_has(err.message, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ports_answer_as_go_jaeger_does),
        cmocka_unit_test(a_changed_file_is_served_and_a_bad_one_is_not),
        cmocka_unit_test(strategies_come_by_http),
        cmocka_unit_test(an_embedder_provides_strategies),
        cmocka_unit_test(what_cannot_work_is_refused_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
