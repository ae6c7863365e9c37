/* SPDX-License-Identifier: Apache-2.0
 * remote_sampling in a service: what its two ports answer, reloading, refusals, providers of an embedder.
 */
#include "core/clock.h"
#include "core/json_in.h"
#include "net/grpc_client.h"
#include "sampling/strategy.h"
#include "storage/open.h"
#include "support/file.h"
#include "support/http.h"
#include "support/traces.h"
#include <jaeger/service.h>
#include <pthread.h>

extern const jaeger_storage_driver jg_storage_memory;

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static char log_text[65536];

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user, (void)level;
    pthread_mutex_lock(&log_mutex);
    size_t n = strlen(log_text);
    (void)snprintf(log_text + n, sizeof log_text - n, "%.*s\n", JAEGER_STR_ARGS(line));
    pthread_mutex_unlock(&log_mutex);
}

static bool log_has(const char *want)
{
    pthread_mutex_lock(&log_mutex);
    bool has = strstr(log_text, want);
    pthread_mutex_unlock(&log_mutex);
    return has;
}

static void clear_log(void)
{
    pthread_mutex_lock(&log_mutex);
    log_text[0] = 0;
    pthread_mutex_unlock(&log_mutex);
}

static uint16_t base_port(void)
{
    return (uint16_t)(26500 + getpid() % 120 * 4);
}

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
    options.log = (jaeger_log_sink){.write = keep_line, .level = JAEGER_INFO};
    clear_log();
    jaeger_status status = jaeger_service_new(&options, ret, err);
    if (status != JAEGER_OK)
        return status;
    status = jaeger_service_start(*ret, err);
    if (status != JAEGER_OK)
        jaeger_service_free(*ret);
    return status;
}

static jaeger_service *running(const char *keys)
{
    jaeger_service *service = NULL;
    jaeger_error err = {0};
    if (service_of(keys, base_port(), &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

/** A request to the end of the connection. */
static const char *http(const char *method, jaeger_str target)
{
    static char answer[65536];
    char request[1024];
    int fd = http_connect(base_port());
    (void)snprintf(request, sizeof request, "%s %.*s HTTP/1.1\r\nHost: x\r\n\r\n", method,
                   JAEGER_STR_ARGS(target));
    assert_true(http_puts(fd, request));
    size_t n = 0;
    for (ssize_t got; n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0;)
        n += (size_t)got;
    answer[n] = 0;
    (void)close(fd);
    return answer;
}

static void assert_text_has(const char *text, const char *want)
{
    if (!strstr(text, want))
        fail_msg("%s\nis not in\n%s", want, text);
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

static void wait_for_log(const char *want)
{
    for (int i = 0; i < 500 && !log_has(want); i++)
        (void)usleep(20000);
    if (!log_has(want))
        fail_msg("%s was not logged", want);
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

/* ---- proxies ---- */

static const char *http_at(uint16_t port, const char *target)
{
    static char answer[65536];
    char request[1024];
    int fd = http_connect(port);
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    assert_true(http_puts(fd, request));
    size_t n = 0;
    for (ssize_t got; n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0;)
        n += (size_t)got;
    answer[n] = 0;
    (void)close(fd);
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : "";
}

static void check_proxy(const char *keys)
{
    jaeger_service *backend = running("    file: {path: '" JG_TEST_DATA "/sampling/edge.json'}\n");
    jaeger_service *front;
    jaeger_error err = {0};
    if (service_of(keys, base_port() + 2, &front, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    static const char *const targets[] = {"/?service=own", "/?service=", "/?service=caf%C3%A9%20%3Cx%3E",
                                          "/?service=twice", "/?service=never+heard+of"};
    char want[JG_COUNT(targets)][4096];
    for (size_t i = 0; i < JG_COUNT(targets); i++) {
        (void)snprintf(want[i], sizeof want[i], "%s", http_at(base_port(), targets[i]));
        assert_string_equal(http_at(base_port() + 2, targets[i]), want[i]);
    }
    jaeger_service_free(backend);
    for (size_t i = 0; i < JG_COUNT(targets); i++) /* what is cached outlives the backend */
        assert_string_equal(http_at(base_port() + 2, targets[i]), want[i]);
    assert_text_has(http_at(base_port() + 2, "/?service=new"), "collector error: ");
    jaeger_service_free(front);
}

static void a_proxy_asks_by_grpc_and_keeps_the_answers(void **state)
{
    (void)state;
    char keys[256];
    (void)snprintf(
        keys, sizeof keys,
        "    proxy: {timeout: 2s, cache_ttl: 0s, grpc: {endpoint: '127.0.0.1:%u', tls: {insecure: true}}}\n",
        base_port() + 1);
    check_proxy(keys);
}

static void a_proxy_asks_by_http_and_keeps_the_answers(void **state)
{
    (void)state;
    char keys[256];
    (void)snprintf(
        keys, sizeof keys,
        "    proxy: {timeout: 2s, cache_ttl: 1m, http: {endpoint: 'http://127.0.0.1:%u/sampling'}}\n",
        base_port());
    check_proxy(keys);
}

/* ---- adaptive sampling: two services over one store ---- */

static jaeger_storage shared_store;
static bool cut_off[2]; /* by the order of opening: its store does not answer */
static int opened;

static jaeger_status shared_open(void *self, const void *config, const jaeger_logger *log,
                                 struct jg_metrics *metrics, jaeger_error *err)
{
    (void)config, (void)log, (void)metrics, (void)err;
    *(int *)self = opened++;
    return JAEGER_OK;
}

static jaeger_status no_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self, (void)call;
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_status no_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                               jaeger_call *call)
{
    (void)self, (void)refs, (void)n, (void)out, (void)call;
    return JAEGER_OK;
}

static jaeger_status reachable(const void *self, jaeger_call *call)
{
    return __atomic_load_n(&cut_off[*(const int *)self], __ATOMIC_SEQ_CST)
               ? jaeger_fail(&call->error, JAEGER_UNAVAILABLE, "cut off")
               : JAEGER_OK;
}

#define REAL (shared_store.driver->sampling)
#define TRY_REACH                                                                                            \
    do {                                                                                                     \
        jaeger_status reached = reachable(self, call);                                                       \
        if (reached != JAEGER_OK)                                                                            \
            return reached;                                                                                  \
    } while (0)

static jaeger_status shared_insert(void *self, uint64_t at, const jaeger_throughput *items, size_t n,
                                   jaeger_call *call)
{
    TRY_REACH;
    return REAL->insert_throughput(shared_store.self, at, items, n, call);
}

static jaeger_status shared_get(void *self, uint64_t start, uint64_t end, jaeger_throughputs *ret,
                                jaeger_call *call)
{
    TRY_REACH;
    return REAL->get_throughput(shared_store.self, start, end, ret, call);
}

static jaeger_status shared_put(void *self, jaeger_str host, const jaeger_probability *items, size_t n,
                                jaeger_call *call)
{
    TRY_REACH;
    return REAL->insert_probabilities(shared_store.self, host, items, n, call);
}

static jaeger_status shared_probabilities(void *self, jaeger_probabilities *ret, jaeger_call *call)
{
    TRY_REACH;
    return REAL->get_probabilities(shared_store.self, ret, call);
}

static jaeger_status shared_acquire(void *self, jaeger_str resource, jaeger_str owner, uint64_t ttl,
                                    bool *ret, jaeger_call *call)
{
    TRY_REACH;
    return REAL->acquire(shared_store.self, resource, owner, ttl, ret, call);
}

static jaeger_status shared_forfeit(void *self, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    TRY_REACH;
    return REAL->forfeit(shared_store.self, resource, owner, call);
}

static const jaeger_sampling_store shared_sampling = {.size = sizeof shared_sampling,
                                                      .insert_throughput = shared_insert,
                                                      .get_throughput = shared_get,
                                                      .insert_probabilities = shared_put,
                                                      .get_probabilities = shared_probabilities,
                                                      .acquire = shared_acquire,
                                                      .forfeit = shared_forfeit};
static const jaeger_storage_driver shared_driver = {.size = sizeof shared_driver,
                                                    .name = "shared",
                                                    .doc = "one store of two services",
                                                    .fields = no_fields,
                                                    .config_size = 1,
                                                    .state_size = sizeof(int),
                                                    .open = shared_open,
                                                    .write = no_write,
                                                    .get_traces = no_traces,
                                                    .sampling = &shared_sampling};
static const jaeger_storage_driver *const drivers[] = {&shared_driver};

/** @param store section of the backend "main"; @param sampling of remote_sampling */
static jaeger_status adaptive_service(const char *store, const char *sampling, uint16_t port,
                                      jaeger_service **ret, jaeger_error *err)
{
    char yaml[2048];
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\nexporters: {nop: }\nprocessors: {adaptive_sampling: }\n"
        "extensions:\n  jaeger_storage: {backends: {main: {%s}}}\n  remote_sampling: {%s, http: {endpoint: "
        "'127.0.0.1:%u'}}\n"
        "service:\n  extensions: [jaeger_storage, remote_sampling]\n"
        "  telemetry: {metrics: {level: none}}\n"
        "  pipelines: {traces: {receivers: [nop], processors: [adaptive_sampling], exporters: [nop]}}\n",
        store, sampling, port);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.drivers = drivers;
    options.driver_count = 1;
    options.log = (jaeger_log_sink){.write = keep_line, .level = JAEGER_INFO};
    clear_log();
    jaeger_status status = jaeger_service_new(&options, ret, err);
    if (status == JAEGER_OK) {
        status = jaeger_service_start(*ret, err);
        if (status != JAEGER_OK)
            jaeger_service_free(*ret);
    }
    return status;
}

static void send_root(jaeger_service *service, const char *type, const char *param, const char *parent)
{
    char json[1024];
    jaeger_call call = JAEGER_CALL_INIT;
    (void)snprintf(
        json, sizeof json,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":"
        "\"0000000000000000000000000000000a\",\"spanId\":\"0000000000000001\",\"parentSpanId\":\"%s\","
        "\"name\":\"op\",\"attributes\":[{\"key\":\"sampler.type\",\"value\":{\"stringValue\":\"%s\"}},"
        "{\"key\":\"sampler.param\",\"value\":%s}]}]}]}]}",
        parent, type, param);
    call.arena = jaeger_arena_new(1 << 20);
    assert_ok(jaeger_service_consume(service, "traces", batch_of_json(json), &call));
    jaeger_arena_free(call.arena);
}

static void wait_for(uint16_t port, const char *want, bool there)
{
    for (int i = 0; i < 500; i++) {
        if ((strstr(http_at(port, "/?service=shop"), want) != NULL) == there)
            return;
        (void)usleep(20000);
    }
    fail_msg("%s %s in %s", want, there ? "is not" : "is still", http_at(port, "/?service=shop"));
}

#define QUICK                                                                                                \
    "adaptive: {sampling_store: main, calculation_interval: 100ms, calculation_delay: 100ms, "               \
    "aggregation_buckets: 3, "                                                                               \
    "initial_sampling_probability: 0.5, target_samples_per_second: 1000000, leader_lease_refresh_interval: " \
    "100ms, "                                                                                                \
    "follower_lease_refresh_interval: 400ms}"
#define LISTED "{\"operation\":\"op\",\"probabilisticSampling\":{\"samplingRate\":1}}"

static void two_services_share_a_store_and_one_takes_over(void **state)
{
    (void)state;
    jaeger_service *first, *second;
    jaeger_error err = {0};
    opened = 0;
    assert_ok(jg_storage_open(&jg_storage_memory, NULL, NULL, NULL, &shared_store, &err));
    assert_ok(adaptive_service("shared: ", QUICK, base_port(), &first, &err));
    wait_for_log("is now the leader of adaptive sampling");
    assert_ok(adaptive_service("shared: ", QUICK, base_port() + 2, &second, &err));
    assert_string_equal(
        http_at(base_port() + 2, "/?service=shop"),
        "{\"strategyType\":\"PROBABILISTIC\",\"operationSampling\":{\"defaultSamplingProbability\":0.5,"
        "\"defaultLowerBoundTracesPerSecond\":0.016666666666666666,\"perOperationStrategies\":[],"
        "\"defaultUpperBoundTracesPerSecond\":0}}");
    send_root(second, "probabilistic", "{\"doubleValue\":0.5}", ""); /* counted by the follower */
    wait_for(base_port(), LISTED, true);                             /* served by the leader ... */
    wait_for(base_port() + 2, LISTED, true);                         /* ... and by the follower */
    clear_log();
    __atomic_store_n(&cut_off[0], true, __ATOMIC_SEQ_CST);
    wait_for_log("is no more the leader of adaptive sampling");
    wait_for_log("is now the leader of adaptive sampling");
    wait_for(base_port() + 2, LISTED, false); /* out of the buckets: the new leader calculates */
    send_root(second, "lowerbound", "{\"stringValue\":\"0.5\"}", "");
    wait_for(base_port() + 2, LISTED, true);
    jaeger_service_free(first);
    jaeger_service_free(second);
    cut_off[0] = false;
    jg_storage_close(&shared_store);
}

static void only_roots_with_a_sampler_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *type, *param, *parent;
    } rows[] = {
        {"probabilistic", "{\"doubleValue\":0.5}", "0000000000000009"},
        {"remote", "{\"doubleValue\":0.5}", ""},
        {"probabilistic", "{\"stringValue\":\"half\"}", ""},
        {"probabilistic", "{\"boolValue\":true}", ""},
    };
    jaeger_service *service;
    jaeger_error err = {0};
    assert_ok(adaptive_service("memory: {max_traces: 1}", QUICK, base_port(), &service, &err));
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        send_root(service, rows[i].type, rows[i].param, rows[i].parent);
    (void)usleep(500000);
    wait_for(base_port(), "\"perOperationStrategies\":[]", true);
    send_root(service, "const", "{\"intValue\":\"1\"}", "");
    wait_for(base_port(), "\"operation\":\"op\"", true);
    jaeger_service_free(service);
}

static void adaptive_sampling_needs_its_parts(void **state)
{
    (void)state;
    static const struct {
        const char *store, *sampling, *want;
    } rows[] = {
        {"memory: {max_traces: 1}", "file: ", "not configured for adaptive sampling"},
        {"memory: {max_traces: 1}", "adaptive: {}", "non zero value required"},
        {"memory: {max_traces: 1}", "adaptive: {sampling_store: other}",
         "failed to obtain sampling store factory: storage 'other' not declared"},
        {"memory: {max_traces: 1}", "adaptive: {sampling_store: main, calculation_interval: 0s}",
         "CalculationInterval and AggregationBuckets must be greater than 0"},
        {"memory: {max_traces: 1}",
         "adaptive: {sampling_store: main}, file: ", "only one sampling strategy provider"},
        {"memory: {max_traces: 1}", "proxy: {}", "exactly one of 'grpc' and 'http' is needed"},
        {"memory: {max_traces: 1}", "proxy: {http: {endpoint: 'collector:5778'}}", "must be a URL"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        assert_int_not_equal(adaptive_service(rows[i].store, rows[i].sampling, base_port(), &service, &err),
                             JAEGER_OK);
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
        cmocka_unit_test(a_proxy_asks_by_grpc_and_keeps_the_answers),
        cmocka_unit_test(a_proxy_asks_by_http_and_keeps_the_answers),
        cmocka_unit_test(two_services_share_a_store_and_one_takes_over),
        cmocka_unit_test(only_roots_with_a_sampler_are_counted),
        cmocka_unit_test(adaptive_sampling_needs_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
