/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "support/certs.h"
#include "support/http.h"
#include <pthread.h>

static char dir[64], ca[96], other_ca[96], cert[96], key[96];

static int make_files(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/jg_http_client_XXXXXX");
    assert_non_null(mkdtemp(dir));
    char *const paths[] = {ca, other_ca, cert, key};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)snprintf(paths[i], 96, "%s/%zu.pem", dir, i);
    jg_test_cert authority = jg_test_cert_new("authority", NULL), other = jg_test_cert_new("other", NULL);
    jg_test_cert server = jg_test_cert_new("server", &authority);
    jg_test_cert_write(&authority, ca, NULL);
    jg_test_cert_write(&other, other_ca, NULL);
    jg_test_cert_write(&server, cert, key);
    jg_test_cert_free(&authority);
    jg_test_cert_free(&other);
    jg_test_cert_free(&server);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char *const paths[] = {ca, other_ca, cert, key};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)unlink(paths[i]);
    return rmdir(dir);
}

typedef struct fixture {
    jg_net *net;
    jg_http_server *server;
    jg_http_server_settings server_settings;
    jg_http_client_settings settings;
    jg_http_client *client;
    char endpoint[64];
} fixture;

/** Tells what came: method, path, peer, headers that start with x-, length and first bytes of the body. */
static void handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    (void)self;
    if (jg_str_is(request->path, "/slow"))
        (void)poll(NULL, 0, 700);
    if (jg_str_is(request->path, "/busy")) {
        jg_http_add_header(reply, "Retry-After", JAEGER_STR("7"));
        jg_http_send(reply, 503, "text/plain", JAEGER_STR("later"));
        return;
    }
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1 << 20);
    jg_buf_printf(&text, "%.*s %.*s %zu %.*s", JAEGER_STR_ARGS(request->method),
                  JAEGER_STR_ARGS(request->path), request->body.len, JAEGER_STR_ARGS(request->peer));
    for (size_t i = 0; i < request->header_count; i++)
        jg_buf_printf(&text, "\n%.*s=%.*s", JAEGER_STR_ARGS(request->headers[i].key),
                      JAEGER_STR_ARGS(request->headers[i].value));
    if (jg_str_is(request->path, "/long"))
        for (size_t i = 0; i < 10000; i++)
            jg_buf_lit(&text, "0123456789");
    jg_http_send(reply, 200, "text/plain", jg_buf_view(&text));
}

static void start(fixture *f, bool tls)
{
    jaeger_error err = {0};
    f->server_settings.endpoint = JAEGER_STR("127.0.0.1:0");
    f->server_settings.keep_alives_enabled = true;
    if (tls)
        f->server_settings.tls =
            (jg_tls_settings){.enabled = true, .cert_file = jg_str(cert), .key_file = jg_str(key)};
    assert_ok(jg_net_new(&(jg_net_options){.http_threads = 1}, &f->net, &err));
    jg_http_server_options options = {.settings = &f->server_settings, .handler = {handle, f}, .name = "t"};
    assert_ok(jg_http_server_start(f->net, &options, &f->server, &err));
    (void)snprintf(f->endpoint, sizeof f->endpoint, "%s://127.0.0.1:%u/", tls ? "https" : "http",
                   jg_http_server_port(f->server));
    f->settings.endpoint = jg_str(f->endpoint);
    if (jg_http_client_new(&f->settings, &f->client, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
}

static void stop(fixture *f)
{
    jg_http_client_free(f->client);
    jg_http_server_stop(f->server, jg_clock_mono_ns() + 2 * JG_NS_PER_S);
    jg_net_free(f->net);
}

static jaeger_status ask(fixture *f, const char *path, jaeger_str body, jg_http_answer *ret,
                         jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jg_http_client_request request = {.path = path, .body = body, .content_type = "text/x"};
    jaeger_status status = jg_http_client_send(f->client, &request, ret, &call);
    jg_buf_byte(&ret->body, 0); /* for strstr */
    if (err)
        *err = call.error;
    return status;
}

#define ANSWER(bytes) ((jg_http_answer){.body = JG_BUF_INIT(bytes)})

static void a_request_arrives_with_its_headers_and_the_answer_comes_back(void **state)
{
    (void)state;
    fixture f = {0};
    jaeger_pair own[] = {{JAEGER_STR("X-Own"), JAEGER_STR("1")},
                         {JAEGER_STR("X-Both"), JAEGER_STR("own")},
                         {JAEGER_STR("Host"), JAEGER_STR("elsewhere")},
                         {JAEGER_STR("X-Empty"), JAEGER_STR("")}};
    f.settings.headers = (jaeger_pair_list){own, 4};
    start(&f, false);
    jg_http_answer answer = ANSWER(1 << 20);
    jaeger_pair more[] = {{JAEGER_STR("x-both"), JAEGER_STR("call")},
                          {JAEGER_STR("x-bad"), JAEGER_STR("a\r\nx-injected: 1")}};
    jaeger_call call = JAEGER_CALL_INIT;
    jg_http_client_request request = {.path = "v1/traces",
                                      .body = JAEGER_STR("hello"),
                                      .content_type = "text/x",
                                      .headers = more,
                                      .header_count = 2};
    assert_ok(jg_http_client_send(f.client, &request, &answer, &call));
    jg_buf_byte(&answer.body, 0);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "text/plain");
    assert_has(&answer.body, "POST /v1/traces 5 ");
    assert_has(&answer.body, "x-own=1");
    assert_has(&answer.body, "x-both=call");
    assert_has(&answer.body, "x-empty=");
    assert_has(&answer.body, "content-type=text/x");
    assert_has(&answer.body, "host=elsewhere");
    assert_has(&answer.body, "user-agent=libjaeger/");
    assert_has_not(&answer.body, "x-both=own");
    assert_has_not(&answer.body, "injected");
    assert_has_not(&answer.body, "expect");
    jg_buf_done(&answer.body);
    stop(&f);
}

static void bodies_are_encoded_as_the_settings_say(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed",
                                          "lz4",  "none", ""};
    static char zeroes[20000];
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        fixture f = {.settings.compression = jg_str(codings[i])};
        start(&f, false);
        jg_http_answer answer = ANSWER(1 << 20);
        assert_ok(ask(&f, "/", (jaeger_str){zeroes, sizeof zeroes}, &answer, NULL));
        assert_has(&answer.body, "POST / 20000 "); /* the server has decoded it */
        char header[64];
        (void)snprintf(header, sizeof header, "content-encoding=%s", codings[i]);
        if (i < 7)
            assert_has(&answer.body, header);
        else
            assert_has_not(&answer.body, "content-encoding");
        jg_buf_done(&answer.body);
        stop(&f);
    }
}

static void connections_are_kept(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        fixture f = {.settings.disable_keep_alives = once};
        start(&f, false);
        jg_http_answer a = ANSWER(1 << 20), b = ANSWER(1 << 20);
        assert_ok(ask(&f, "/", JAEGER_STR("x"), &a, NULL));
        assert_ok(ask(&f, "/", JAEGER_STR("x"), &b, NULL));
        a.body.data[jg_str_find(jg_buf_view(&a.body), '\n')] = 0;
        b.body.data[jg_str_find(jg_buf_view(&b.body), '\n')] = 0;
        if (once)
            assert_string_not_equal(a.body.data, b.body.data);
        else
            assert_string_equal(a.body.data, b.body.data); /* the same port */
        jg_buf_done(&a.body);
        jg_buf_done(&b.body);
        stop(&f);
    }
}

static void answers_are_capped_and_say_when_to_come_back(void **state)
{
    (void)state;
    fixture f = {0};
    start(&f, false);
    jg_http_answer answer = ANSWER(1000);
    jaeger_call call = JAEGER_CALL_INIT;
    assert_ok(jg_http_client_send(f.client, &(jg_http_client_request){.path = "/long"}, &answer, &call));
    assert_int_equal(answer.status, 200);
    assert_true(answer.cut);
    assert_int_equal(answer.body.len, 1000);
    jg_buf_done(&answer.body);
    answer = ANSWER(1000);
    assert_ok(ask(&f, "/busy", JAEGER_STR(""), &answer, NULL));
    assert_int_equal(answer.status, 503);
    assert_int_equal(answer.retry_after_ms, 7000);
    assert_string_equal(answer.body.data, "later");
    jg_buf_done(&answer.body);
    stop(&f);
}

static void deadlines_and_cancelling_end_a_request(void **state)
{
    (void)state;
    fixture f = {.settings.timeout_ns = 100 * JG_NS_PER_MS};
    start(&f, false);
    jaeger_error err;
    jg_http_answer answer = ANSWER(1000);
    uint64_t begin = jg_clock_mono_ns();
    assert_int_equal(ask(&f, "/slow", JAEGER_STR("x"), &answer, &err), JAEGER_DEADLINE_EXCEEDED);
    assert_true(jg_clock_mono_ns() - begin < 600 * JG_NS_PER_MS);
    jg_buf_done(&answer.body);
    int cancelled = 1;
    jaeger_call call = JAEGER_CALL_INIT;
    call.cancelled = &cancelled;
    answer = ANSWER(1000);
    assert_int_equal(
        jg_http_client_send(f.client, &(jg_http_client_request){.path = "/slow"}, &answer, &call),
        JAEGER_CANCELLED);
    jg_buf_done(&answer.body);
    stop(&f);
}

static void *ask_slowly(void *arg)
{
    jg_http_answer answer = ANSWER(1000);
    jaeger_status status = ask(arg, "/slow", JAEGER_STR("x"), &answer, NULL);
    jg_buf_done(&answer.body);
    return status == JAEGER_OK ? arg : NULL;
}

static void one_connection_at_a_time_makes_the_second_wait(void **state)
{
    (void)state;
    for (unsigned max = 1; max <= 2; max++) {
        fixture f = {.settings = {.max_conns_per_host = max, .timeout_ns = 5 * JG_NS_PER_S}};
        start(&f, false);
        uint64_t begin = jg_clock_mono_ns();
        pthread_t thread;
        void *ok;
        assert_int_equal(pthread_create(&thread, NULL, ask_slowly, &f), 0);
        assert_non_null(ask_slowly(&f));
        assert_int_equal(pthread_join(thread, &ok), 0);
        assert_non_null(ok);
        assert_true((jg_clock_mono_ns() - begin > 1390 * JG_NS_PER_MS) == (max == 1));
        stop(&f);
    }
}

static void a_closed_port_is_unavailable(void **state)
{
    (void)state;
    fixture f = {0};
    start(&f, false);
    jg_http_server_stop(f.server, 0);
    f.server = NULL;
    jaeger_error err;
    jg_http_answer answer = ANSWER(1000);
    assert_int_equal(ask(&f, "/", JAEGER_STR("x"), &answer, &err), JAEGER_UNAVAILABLE);
    assert_non_null(strstr(err.message, "connect"));
    jg_buf_done(&answer.body);
    stop(&f);
}

typedef struct raw_server {
    int fd;
    const char *answer;
} raw_server;

/** Sends the answer to each request and closes. */
static void *answer_and_close(void *arg)
{
    raw_server *s = arg;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; (void)close(fd)) {
        char in[4096];
        (void)!recv(fd, in, sizeof in, 0);
        (void)http_puts(fd, s->answer);
        (void)shutdown(fd, SHUT_WR);
        (void)!recv(fd, in, sizeof in, 0);
    }
    return NULL;
}

static void answers_that_are_cut_off_are_unavailable(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        jaeger_status want;
    } rows[] = {
        {"", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 20", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\n", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nContent-Ty", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", JAEGER_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\n\r\nabc", JAEGER_OK},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", JAEGER_OK},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n", JAEGER_OK},
    };
    raw_server s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .answer = ""};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    assert_int_equal(bind(s.fd, (struct sockaddr *)&at, sizeof at) | listen(s.fd, 8), 0);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&at, &at_len), 0);
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", ntohs(at.sin_port));
    jg_http_client_settings settings = {.endpoint = jg_str(endpoint)};
    jg_http_client *client;
    jaeger_error err = {0};
    pthread_t thread;
    assert_ok(jg_http_client_new(&settings, &client, &err));
    assert_int_equal(pthread_create(&thread, NULL, answer_and_close, &s), 0);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        jg_http_client_request request = {.path = "/x", .body = JAEGER_STR("body")};
        jg_http_answer answer = {.body = JG_BUF_INIT(1024)};
        call.deadline_ns = jg_clock_mono_ns() + 20 * JG_NS_PER_S;
        s.answer = rows[i].answer;
        jaeger_status status = jg_http_client_send(client, &request, &answer, &call);
        if (status != rows[i].want)
            fail_msg("%zu: %s %s", i, jaeger_status_name(status), call.error.message);
        if (status == JAEGER_OK)
            assert_str(jg_buf_view(&answer.body), "abc");
        jg_buf_done(&answer.body);
    }
    jg_http_client_free(client);
    (void)shutdown(s.fd, SHUT_RDWR);
    (void)pthread_join(thread, NULL);
    (void)close(s.fd);
}

static void servers_are_verified(void **state)
{
    (void)state;
    const struct {
        const char *ca, *name;
        bool skip, ok;
    } cases[] = {{ca, "", false, true},          {other_ca, "", false, false},
                 {"", "", false, false},         {other_ca, "", true, true},
                 {ca, "localhost", false, true}, {ca, "wrong.test", false, false}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        fixture f = {.settings = {.tls = {.ca_file = jg_str(cases[i].ca),
                                          .server_name_override = jg_str(cases[i].name),
                                          .insecure_skip_verify = cases[i].skip},
                                  .force_attempt_http2 = true}};
        start(&f, true);
        jg_http_answer answer = ANSWER(10000);
        jaeger_error err;
        jaeger_status status = ask(&f, "/", JAEGER_STR("x"), &answer, &err);
        if ((status == JAEGER_OK) != cases[i].ok)
            fail_msg("case %zu: %d %s", i, status, err.message);
        if (!cases[i].ok)
            assert_int_equal(status, JAEGER_UNAVAILABLE);
        jg_buf_done(&answer.body);
        stop(&f);
    }
}

static void bad_settings_are_refused(void **state)
{
    (void)state;
    jaeger_pair header = {JAEGER_STR("x"), JAEGER_STR("a\nb")};
    const struct {
        jg_http_client_settings settings;
        const char *text;
    } cases[] = {
        {{.endpoint = JAEGER_STR("localhost:4318")}, "endpoint must be"},
        {{.endpoint = JAEGER_STR("file:///etc/passwd")}, "endpoint must be"},
        {{.endpoint = JAEGER_STR("http://a\n")}, "endpoint is not a URL"},
        {{.compression = JAEGER_STR("brotli")}, "unsupported compression type \"brotli\""},
        {{.headers = {&header, 1}}, "header \"x\" cannot be sent"},
        {{.tls = {.ca_file = JAEGER_STR("/nowhere")}}, "failed to load CA"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jg_http_client *client;
        jaeger_error err = {0};
        assert_int_equal(jg_http_client_new(&cases[i].settings, &client, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].text))
            fail_msg("case %zu: %s", i, err.message);
    }
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    const uint64_t now = 1445412480ull * JG_NS_PER_S; /* Wed, 21 Oct 2015 07:28:00 GMT */
    const struct {
        const char *text;
        uint32_t ms;
    } cases[] = {{"0", 0},
                 {"3", 3000},
                 {" 120 ", 120000},
                 {"18446744073709551616", 0},
                 {"99999999999", UINT32_MAX},
                 {"-1", 0},
                 {"", 0},
                 {"soon", 0},
                 {"Wed, 21 Oct 2015 07:28:30 GMT", 30000},
                 {"Wed, 21 Oct 2015 07:27:30 GMT", 0},
                 {"Wednesday, 21-Oct-15 07:28:02 GMT", 2000}};
    for (size_t i = 0; i < JG_COUNT(cases); i++)
        if (jg_retry_after_ms(jg_str(cases[i].text), now) != cases[i].ms)
            fail_msg("%s: %u", cases[i].text, jg_retry_after_ms(jg_str(cases[i].text), now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_with_its_headers_and_the_answer_comes_back),
        cmocka_unit_test(bodies_are_encoded_as_the_settings_say),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(answers_are_capped_and_say_when_to_come_back),
        cmocka_unit_test(deadlines_and_cancelling_end_a_request),
        cmocka_unit_test(one_connection_at_a_time_makes_the_second_wait),
        cmocka_unit_test(a_closed_port_is_unavailable),
        cmocka_unit_test(answers_that_are_cut_off_are_unavailable),
        cmocka_unit_test(servers_are_verified),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
