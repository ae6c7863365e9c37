/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/opensearch/client.h"

#include "core/err.h"
#include "support/opensearch.h"

static const jaeger_logger quiet;

typedef struct fixture {
    fake_node nodes[2];
    jg_os_client_config config;
    jaeger_str urls[3];
    jg_os_client *client;
    jaeger_call call;
} fixture;

static void start(fixture *f, size_t nodes)
{
    for (size_t i = 0; i < nodes; i++) {
        fake_start(&f->nodes[i]);
        f->urls[i] = jg_str(f->nodes[i].url);
    }
    f->config.server_urls = (jaeger_str_list){f->urls, nodes};
    f->call = JAEGER_CALL_INIT;
}

static void open_client(fixture *f)
{
    if (jg_os_client_new(&f->config, &quiet, &f->client, &f->call.error) != JAEGER_OK)
        fail_msg("%s", f->call.error.message);
}

static void stop(fixture *f, size_t nodes)
{
    jg_os_client_free(f->client);
    for (size_t i = 0; i < nodes; i++)
        fake_stop(&f->nodes[i]);
}

static jaeger_status ask(fixture *f, const char *body)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    return jg_os_ask(f->client, &(jg_os_request){.path = "/x", .body = jg_str(body)}, &answer, &f->call);
}

static void answer_503(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    (void)node, (void)request;
    jg_http_send(reply, 503, "application/json", JAEGER_STR("{\"error\":\"no master\",\"status\":503}"));
}

static void a_node_that_is_busy_or_gone_is_passed_over(void **state)
{
    (void)state;
    fixture f = {0};
    start(&f, 2);
    f.urls[2] = JAEGER_STR("http://127.0.0.1:1"); /* nobody listens */
    f.config.server_urls.count = 3;
    f.nodes[0].answer = answer_503;
    open_client(&f);
    for (int i = 0; i < 9; i++)
        assert_ok(ask(&f, "{}"));
    assert_int_equal(fake_count(&f.nodes[1]), 9);
    jg_os_client_free(f.client);
    f.config.server_urls.count = 2;
    f.nodes[1].answer = answer_503;
    open_client(&f);
    assert_int_equal(ask(&f, "{}"), JAEGER_UNAVAILABLE);
    assert_non_null(strstr(f.call.error.message, "no master"));
    assert_true(f.call.error.retry_after_ms > 0);
    stop(&f, 2);
}

static void no_node_at_all_is_unavailable(void **state)
{
    (void)state;
    fixture f = {0};
    start(&f, 0);
    f.urls[0] = JAEGER_STR("http://127.0.0.1:1");
    f.config.server_urls.count = 1;
    open_client(&f);
    for (int i = 0; i < 3; i++) /* also while it is left alone */
        assert_int_equal(ask(&f, "{}"), JAEGER_UNAVAILABLE);
    stop(&f, 0);
}

static void answer_slowly(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    (void)node;
    uint64_t until = jg_clock_mono_ns() + 20 * JG_NS_PER_S;
    while (jg_clock_mono_ns() < until && !__atomic_load_n(request->call->cancelled, __ATOMIC_RELAXED))
        (void)poll(NULL, 0, 10);
    jg_http_send(reply, 200, NULL, JAEGER_STR("{}"));
}

static void a_slow_node_ends_at_the_deadline(void **state)
{
    (void)state;
    fixture f = {0};
    start(&f, 1);
    f.nodes[0].answer = answer_slowly;
    open_client(&f);
    f.call.deadline_ns = jg_clock_mono_ns() + 100 * JG_NS_PER_MS;
    assert_int_equal(ask(&f, "{}"), JAEGER_DEADLINE_EXCEEDED);
    stop(&f, 1);
}

static void answer_reason(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    (void)request;
    jg_http_send(
        reply, *(int *)node->user, "application/json",
        JAEGER_STR("{\"error\":{\"root_cause\":[{\"type\":\"a\",\"reason\":\"b\"}],\"type\":\"outer\","
                   "\"reason\":\"all\",\"caused_by\":{\"type\":\"inner\",\"reason\":\"x\\ny\"}}}"));
}

static void statuses_say_what_to_do_and_why(void **state)
{
    (void)state;
    static const struct {
        int http;
        jaeger_status want;
    } cases[] = {{200, JAEGER_OK},
                 {201, JAEGER_OK},
                 {400, JAEGER_INVALID_ARGUMENT},
                 {401, JAEGER_UNAUTHENTICATED},
                 {403, JAEGER_PERMISSION_DENIED},
                 {404, JAEGER_NOT_FOUND},
                 {409, JAEGER_ALREADY_EXISTS},
                 {429, JAEGER_UNAVAILABLE},
                 {500, JAEGER_INTERNAL},
                 {503, JAEGER_UNAVAILABLE}};
    fixture f = {0};
    int http;
    start(&f, 1);
    f.nodes[0].answer = answer_reason;
    f.nodes[0].user = &http;
    open_client(&f);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        http = cases[i].http;
        assert_int_equal(ask(&f, "{}"), cases[i].want);
        if (cases[i].want != JAEGER_OK)
            assert_non_null(strstr(f.call.error.message, "outer: all: inner: x\ny"));
    }
    stop(&f, 1);
}

static void authorization_comes_from_where_it_was_configured(void **state)
{
    (void)state;
    char path[] = "/tmp/jg_os_token_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "first\n", 6), 6);
    fixture f = {0};
    start(&f, 1);
    f.config.http_compression = true;
    f.config.auth.api_key =
        (jg_os_token_config){.enabled = true, .file_path = jg_str(path), .from_context = true};
    open_client(&f);
    assert_ok(ask(&f, "{}"));
    assert_string_equal(f.nodes[0].authorization, "ApiKey first");
    assert_string_equal(f.nodes[0].encoding, "gzip");
    assert_string_equal(f.nodes[0].type, "application/json");
    assert_int_equal(pwrite(fd, "22", 2, 5), 2); /* another size: it has changed */
    assert_ok(ask(&f, "{}"));
    assert_string_equal(f.nodes[0].authorization, "ApiKey first22");
    f.call.bearer_token = JAEGER_STR("theirs");
    assert_ok(ask(&f, "{}"));
    assert_string_equal(f.nodes[0].authorization, "ApiKey theirs");
    jg_os_client_free(f.client);
    f.config.auth.api_key.enabled = false;
    f.config.auth.basic =
        (jg_os_basic_config){.enabled = true, .username = JAEGER_STR("u"), .password = JAEGER_STR("pass")};
    open_client(&f);
    assert_ok(ask(&f, "{}"));
    assert_string_equal(f.nodes[0].authorization, "Basic dTpwYXNz");
    (void)close(fd);
    (void)unlink(path);
    stop(&f, 1);
}

static jaeger_status give_header(void *self, jaeger_arena *arena, jaeger_pair *ret, jaeger_error *err)
{
    int *count = self;
    if (++*count > 1)
        return jg_fail(err, JAEGER_UNAUTHENTICATED, "no token");
    *ret = (jaeger_pair){JAEGER_STR("Authorization"),
                         jaeger_arena_str(arena, JAEGER_STR("Bearer of-extension"))};
    return JAEGER_OK;
}

static void an_extension_gives_the_header_of_each_request(void **state)
{
    (void)state;
    static const jg_client_auth_interface by = {give_header};
    fixture f = {0};
    int count = 0;
    start(&f, 1);
    f.config.auth.authenticator = JAEGER_STR("bearertokenauth");
    open_client(&f);
    jg_os_client_authenticate(f.client, &by, &count);
    assert_ok(ask(&f, "{}"));
    assert_string_equal(f.nodes[0].authorization, "Bearer of-extension");
    assert_int_equal(ask(&f, "{}"), JAEGER_UNAUTHENTICATED);
    assert_int_equal(fake_count(&f.nodes[0]), 1);
    stop(&f, 1);
}

static void answer_version(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    if (jg_str_is(request->path, "/"))
        jg_http_send(reply, 200, "application/json", jg_str(node->user));
    else
        jg_http_send(reply, 200, "application/json",
                     JAEGER_STR("{\"nodes\":{\"a\":{\"http\":{\"publish_address\":\"n/127.0.0.1:1\"}}}}"));
}

static void the_cluster_says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        jaeger_status want;
        bool is_opensearch;
        uint32_t major;
    } cases[] = {
        {"{\"version\":{\"number\":\"7.17.29\"},\"tagline\":\"You Know, for Search\"}", JAEGER_OK, false, 7},
        {"{\"version\":{\"number\":\"9.0.1\"},\"tagline\":\"You Know, for Search\"}", JAEGER_OK, false, 9},
        {"{\"tagline\":\"The OpenSearch Project: x\",\"version\":{\"number\":\"3.1.0\"}}", JAEGER_OK, true,
         3},
        {"{\"tagline\":\"The OpenSearch Project: x\",\"version\":{\"number\":\"7.10.2\"}}", JAEGER_OK, true,
         1},
        {"{\"version\":{\"number\":\"6.8.0\"},\"tagline\":\"\"}", JAEGER_FAILED_PRECONDITION, false, 0},
        {"{\"version\":{\"number\":\"10.0.0\"}}", JAEGER_FAILED_PRECONDITION, false, 0},
        {"<html>", JAEGER_FAILED_PRECONDITION, false, 0},
        {"{\"version\":7}", JAEGER_FAILED_PRECONDITION, false, 0},
    };
    fixture f = {0};
    start(&f, 1);
    f.nodes[0].answer = answer_version;
    f.config.sniffing.enabled = true;
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jg_os_version version = {0};
        f.nodes[0].user = (void *)cases[i].answer;
        open_client(&f);
        assert_int_equal(jg_os_client_version(f.client, &version, &f.call), cases[i].want);
        if (cases[i].want == JAEGER_OK) {
            assert_int_equal(version.is_opensearch, cases[i].is_opensearch);
            assert_int_equal(version.major, cases[i].major);
            for (int k = 0; k < 4; k++) /* the found node does not answer */
                assert_ok(ask(&f, "{}"));
        }
        jg_os_client_free(f.client);
    }
    f.client = NULL;
    stop(&f, 1);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    jaeger_str url = JAEGER_STR("http://127.0.0.1:9200"), bad = JAEGER_STR("ftp://x");
    const char *const texts[] = {"server_urls: at least one", "server_urls: endpoint must be", "version: 6",
                                 "only one of", "only one of"};
    jg_os_client_config configs[JG_COUNT(texts)];
    memset(configs, 0, sizeof configs);
    for (size_t i = 1; i < JG_COUNT(configs); i++)
        configs[i].server_urls = (jaeger_str_list){i == 1 ? &bad : &url, 1};
    configs[2].version = 6;
    configs[3].auth.basic.enabled = configs[3].auth.api_key.enabled = true;
    configs[4].auth.authenticator = JAEGER_STR("sigv4auth");
    configs[4].auth.bearer_token.enabled = true;
    for (size_t i = 0; i < JG_COUNT(texts); i++) {
        jg_os_client *client;
        jaeger_error err = {0};
        assert_int_equal(jg_os_client_new(&configs[i], &quiet, &client, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, texts[i]))
            fail_msg("%s", err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_is_busy_or_gone_is_passed_over),
        cmocka_unit_test(no_node_at_all_is_unavailable),
        cmocka_unit_test(a_slow_node_ends_at_the_deadline),
        cmocka_unit_test(statuses_say_what_to_do_and_why),
        cmocka_unit_test(authorization_comes_from_where_it_was_configured),
        cmocka_unit_test(an_extension_gives_the_header_of_each_request),
        cmocka_unit_test(the_cluster_says_what_it_is),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
