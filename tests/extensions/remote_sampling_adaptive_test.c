/* SPDX-License-Identifier: Apache-2.0
 * remote_sampling with adaptive sampling: two services over one store, what is counted, what is refused.
 */
#include "storage/open.h"
#include "support/sampling.h"
#include "support/traces.h"

extern const jaeger_storage_driver jg_storage_memory;

static const jaeger_field no_fields[] = {{0}};

/* ---- one store of two services ---- */

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
    return start_logged(&options, ret, err);
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
        cmocka_unit_test(two_services_share_a_store_and_one_takes_over),
        cmocka_unit_test(only_roots_with_a_sampler_are_counted),
        cmocka_unit_test(adaptive_sampling_needs_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
