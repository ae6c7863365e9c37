/* SPDX-License-Identifier: Apache-2.0
 * remote_sampling with a proxy: the answers are those of the server behind it, and outlive it.
 */
#include "support/file.h"
#include "support/sampling.h"

/** @param keys of remote_sampling, one a line, four spaces in front */
static jaeger_status service_of(const char *keys, uint16_t port, jaeger_service **ret, jaeger_error *err)
{
    char yaml[2048];
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\nexporters: {nop: }\n"
        "extensions:\n  jaeger_storage: {backends: {main: {memory: {max_traces: 10}}}}\n"
        "  remote_sampling:\n    http: {endpoint: '127.0.0.1:%u'}\n    grpc: {endpoint: '127.0.0.1:%u'}\n%s"
        "service:\n  extensions: [jaeger_storage, remote_sampling]\n"
        "  telemetry: {metrics: {level: none}}\n"
        "  pipelines: {traces: {receivers: [nop], exporters: [nop]}}\n",
        port, port + 1, keys);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_asks_by_grpc_and_keeps_the_answers),
        cmocka_unit_test(a_proxy_asks_by_http_and_keeps_the_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
