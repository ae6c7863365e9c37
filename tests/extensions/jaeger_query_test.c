/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "net/grpc_client.h"
#include "storage/open.h"
#include "support/traces.h"
#include <arpa/inet.h>
#include <jaeger/service.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

extern const jaeger_storage_driver jg_storage_memory;

/* ---- an extension jaeger_storage with one backend, "main" ---- */

static jaeger_storage backend;

static jaeger_status storage_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self;
    return jg_storage_open(&jg_storage_memory, NULL, in->log, NULL, &backend, err);
}

static void storage_destroy(void *self)
{
    (void)self;
    jg_storage_close(&backend);
}

static jaeger_status storage_backend(void *self, const char *name, jaeger_storage *ret, jaeger_error *err)
{
    (void)self;
    if (strcmp(name, "main") != 0)
        return jaeger_fail(err, JAEGER_NOT_FOUND,
                           "storage '%s' not declared in 'jaeger_storage' extension configuration", name);
    *ret = backend;
    return JAEGER_OK;
}

static const void *storage_interface(void *self, const char *name)
{
    static const jaeger_storage_interface table = {storage_backend};
    (void)self;
    return strcmp(name, JAEGER_STORAGE_INTERFACE) == 0 ? &table : NULL;
}

static const jaeger_field no_fields[] = {{0}};
static const jaeger_component_type storage_type = {.size = sizeof storage_type,
                                                   .name = "jaeger_storage",
                                                   .doc = "one memory store",
                                                   .kind = JAEGER_EXTENSION,
                                                   .fields = no_fields,
                                                   .config_size = 1,
                                                   .state_size = 1,
                                                   .create = storage_create,
                                                   .destroy = storage_destroy,
                                                   .interface = storage_interface};
static const jaeger_component_type *const types[] = {&storage_type};

/* ---- services ---- */

static char log_text[8192];

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user, (void)level;
    size_t n = strlen(log_text);
    (void)snprintf(log_text + n, sizeof log_text - n, "%.*s\n", JAEGER_STR_ARGS(line));
}

static uint16_t http_port(void)
{
    return (uint16_t)(25500 + getpid() % 240 * 2);
}

/** A service whose jaeger_query has these keys more. */
static jaeger_status service_of(const char *keys, jaeger_service **ret, jaeger_error *err)
{
    char yaml[1024];
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\nexporters: {nop: }\n"
        "extensions:\n  jaeger_storage:\n  jaeger_query:\n    http: {endpoint: '127.0.0.1:%u'}\n"
        "    grpc: {endpoint: '127.0.0.1:%u'}\n%s"
        "service:\n  extensions: [jaeger_storage, jaeger_query]\n  telemetry: {metrics: {level: none}}\n"
        "  pipelines: {traces: {receivers: [nop], exporters: [nop]}}\n",
        http_port(), http_port() + 1, keys);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    options.components = types;
    options.component_count = 1;
    options.log = (jaeger_log_sink){.write = keep_line, .level = JAEGER_INFO};
    log_text[0] = 0;
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
    if (service_of(keys, &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

/** Send a request, read to the end. */
static const char *http(const char *line, const char *headers)
{
    static char answer[65536];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(http_port()), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[512];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int len = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers);
    assert_int_equal(write(fd, request, (size_t)len), len);
    size_t n = 0;
    for (ssize_t got; n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0;)
        n += (size_t)got;
    answer[n] = 0;
    (void)close(fd);
    return answer;
}

static void store(const char *otlp)
{
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(backend.driver->write(backend.self, batch_of_json(otlp), &call));
}

#define TRACE                                                                                                \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"               \
    "\"stringValue\":\"shop\"}}]},"                                                                          \
    "\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0000000000000000000000000000000a\",\"spanId\":"              \
    "\"0000000000000001\","                                                                                  \
    "\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\"}]}]}]}"

static void assert_has(const char *text, const char *want)
{
    if (!strstr(text, want))
        fail_msg("%s\nis not in\n%s", want, text);
}

static void jaeger_query_serves_http_and_closes_each_connection(void **state)
{
    (void)state;
    jaeger_service *service = running("    storage: {traces: main}\n");
    store(TRACE);
    const char *got = http("GET /api/services", "");
    assert_has(got, "HTTP/1.1 200 OK\r\n");
    assert_has(got, "\r\n\r\n{\"data\":[\"shop\"],\"total\":1,\"limit\":0,\"offset\":0,\"errors\":null}");
    got = http("GET /api/traces/a", "");
    assert_has(got, "{\"data\":[{\"traceID\":\"000000000000000a\",\"spans\":[{");
    got = http("GET /api/traces/b", "");
    assert_has(got, "HTTP/1.1 404 Not Found\r\n");
    got = http("HEAD /api/services", "");
    assert_has(got, "HTTP/1.1 200 OK\r\n");
    assert_null(strstr(got, "shop"));
    assert_has(http("GET /search", ""), "<!DOCTYPE html>");
    assert_non_null(jaeger_service_query(service)); /* in process too */
    jaeger_service_free(service);
}

static void jaeger_query_keeps_to_its_base_path_and_tenants(void **state)
{
    (void)state;
    jaeger_service *service = running("    storage: {traces: main}\n    base_path: /jaeger/\n"
                                      "    multi_tenancy: {enabled: true, header: X-Team, tenants: [red]}\n");
    assert_has(http("GET /jaeger/api/services", ""), "HTTP/1.1 401 ");
    assert_has(http("GET /jaeger/api/services", "x-team: blue\r\n"), "unknown tenant\n");
    assert_has(http("GET /jaeger/api/services", "x-team: red\r\n"), "{\"data\":[]");
    assert_has(http("GET /api/services", "x-team: red\r\n"), "404 page not found\n");
    jaeger_service_free(service);
}

static jaeger_status keep_message(void *user, jaeger_str message, jaeger_call *call)
{
    (void)call;
    jg_buf_str(user, message);
    return JAEGER_OK;
}

/** A unary call of GetServices. */
static jaeger_status grpc_services(const jaeger_pair *metadata, size_t metadata_count, jg_buf *answer,
                                   jaeger_call *call)
{
    char endpoint[32];
    jg_net *net;
    jg_grpc_client *client;
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", http_port() + 1);
    jg_grpc_client_settings settings = {.endpoint = jg_str(endpoint), .tls.insecure = true};
    assert_ok(jg_net_new(&(jg_net_options){.loop_threads = 1}, &net, &call->error));
    assert_ok(jg_grpc_client_new(net, &settings, 0, &client, &call->error));
    jg_grpc_request request = {.path = "/jaeger.api_v3.QueryService/GetServices",
                               .metadata = metadata,
                               .metadata_count = metadata_count,
                               .on_message = keep_message,
                               .user = answer};
    jaeger_status status = jg_grpc_call(client, &request, call);
    jg_grpc_client_free(client);
    jg_net_free(net);
    return status;
}

static void jaeger_query_serves_grpc_to_tenants(void **state)
{
    (void)state;
    jaeger_service *service =
        running("    storage: {traces: main}\n    multi_tenancy: {enabled: true, tenants: ['']}\n");
    jaeger_call call = JAEGER_CALL_INIT;
    jg_buf answer = JG_BUF_INIT(4096);
    call.arena = jaeger_arena_new(1 << 20);
    assert_int_equal(grpc_services(NULL, 0, &answer, &call), JAEGER_UNAUTHENTICATED);
    assert_string_equal(call.error.message, "missing tenant header");
    jaeger_pair blue = {JAEGER_STR("x-tenant"), JAEGER_STR("blue")};
    assert_int_equal(grpc_services(&blue, 1, &answer, &call), JAEGER_PERMISSION_DENIED);
    assert_string_equal(call.error.message, "unknown tenant");
    jaeger_service_free(service);
    service = running("    storage: {traces: main}\n");
    store(TRACE);
    assert_ok(grpc_services(NULL, 0, &answer, &call));
    assert_str(jg_buf_view(&answer), "\x0a\x04shop");
    jaeger_service_free(service);
    jaeger_arena_free(call.arena);
    jg_buf_done(&answer);
}

static void jaeger_query_does_not_start_without_its_storage(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *want;
    } rows[] = {
        {"    storage: {traces: other}\n",
         "storage 'other' not declared in 'jaeger_storage' extension configuration"},
        {"    storage: {}\n", "non zero value required"},
        {"    storage: {traces: main}\n    base_path: jaeger\n", "invalid base path 'jaeger'"},
        {"    storage: {traces: main}\n    ui: {config_file: /nowhere.json}\n",
         "cannot read UI config file /nowhere.json"},
        {"    storage: {traces: main}\n    unknown: 1\n", "unknown"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        assert_int_not_equal(service_of(rows[i].keys, &service, &err), JAEGER_OK);
        assert_has(err.message, rows[i].want);
    }
}

static void jaeger_query_goes_on_without_an_archive_that_does_not_open(void **state)
{
    (void)state;
    jaeger_service *service = running("    storage: {traces: main, traces_archive: other}\n    ai: {}\n");
    assert_has(log_text, "cannot open the archive storage, going on without it name=other");
    assert_has(log_text, "not supported, going on without it key=ai");
    assert_has(http("POST /api/archive/a", "Content-Length: 0\r\n"),
               "archive span storage was not configured");
    jaeger_service_free(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaeger_query_serves_http_and_closes_each_connection),
        cmocka_unit_test(jaeger_query_keeps_to_its_base_path_and_tenants),
        cmocka_unit_test(jaeger_query_serves_grpc_to_tenants),
        cmocka_unit_test(jaeger_query_does_not_start_without_its_storage),
        cmocka_unit_test(jaeger_query_goes_on_without_an_archive_that_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
