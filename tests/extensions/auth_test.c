/* SPDX-License-Identifier: Apache-2.0
 * basicauth and bearertokenauth: their parts, and between services that send OTLP to each other.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/secret.h"
#include "core/str.h"
#include "extensions/auth/htpasswd.h"
#include "support/certs.h"
#include "support/http.h"
#include "support/test.h"
#include <jaeger/service.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BCRYPT "$2y$04$./bZ2wMDxmIK2TaUC/hTJ.3F5x0DA42ieYgsccGvKHJDP4J./OfzK"

static void passwords_match_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *password;
    } cases[] = {
        {"$2b$04$./bZ2wMDxmIK2TaUC/hTJ.3F5x0DA42ieYgsccGvKHJDP4J./OfzK", "secret"},
        {BCRYPT, "secret"},
        {"$5$tWRyPFPFF/X80jFv$zwrONzj.T1sM.yKsRambLsB5emIKvMy7nImh1q9qWd/", "secret"},
        {"$6$aWAQGFoWKBhuPMq.$k1yXSHTo2X4mLW7UgBwPSSf7dJ/"
         "BFBzLodw5xOT2AkUAt3mG.Gfn5Ck0.C0x2grTXTYwEZ3E4yBP8NIEbA"
         "P3L1",
         "secret"},
        {"$1$/2TK/Uou$OW2x.kJlMRNTlIuIkQFbN0", "secret"},
        {"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret"},
        {"$apr1$xy$IAoav9jLpxZmHK9X26CJR1", "a much longer password than sixteen"},
        {"$apr1$xy$43..WIhbfuznGvwoCyUek/", ""},
        {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
        {"{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret"},
        {"secret", "secret"},
        {"{SHA", "{SHA"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_str stored = jg_str(cases[i].stored);
        if (!jg_password_match(stored, jg_str(cases[i].password)))
            fail_msg("%s", cases[i].stored);
        assert_false(jg_password_match(stored, JAEGER_STR("wrong")));
        assert_false(jg_password_match(stored, JAEGER_STR("secret\0x")));
        stored.len -= stored.ptr[0] == '{' ? 2 : 1; /* padding is not asked for */
        assert_false(jg_password_match(stored, jg_str(cases[i].password)));
    }
    static const char *const broken[] = {"$apr1$", "$apr1$salt", "$2y$",     "$5$",
                                         "{SHA}",  "{SSHA}!!!!", "{SHA}AAAA"};
    for (size_t i = 0; i < JG_COUNT(broken); i++)
        assert_false(jg_password_match(jg_str(broken[i]), JAEGER_STR("secret")));
}

static void later_lines_win_and_odd_ones_are_skipped(void **state)
{
    (void)state;
    jg_htpasswd users;
    jaeger_error err;
    assert_ok(jg_htpasswd_init(&users, &err));
    assert_ok(jg_htpasswd_add(&users, JAEGER_STR("ann:old\n\n# bob:x\nnonsense\r\n  cid:a:b  \r\n"), &err));
    assert_ok(jg_htpasswd_add(&users, JAEGER_STR("ann:new"), &err));
    assert_int_equal(users.users.count, 2);
    assert_true(jg_htpasswd_match(&users, JAEGER_STR("ann"), JAEGER_STR("new")));
    assert_false(jg_htpasswd_match(&users, JAEGER_STR("ann"), JAEGER_STR("old")));
    assert_true(jg_htpasswd_match(&users, JAEGER_STR("cid"), JAEGER_STR("a:b")));
    assert_false(jg_htpasswd_match(&users, JAEGER_STR("bob"), JAEGER_STR("x")));
    assert_false(jg_htpasswd_match(&users, JAEGER_STR("nobody"), JAEGER_STR("")));
    jg_htpasswd_done(&users);
}

/* ---- services ---- */

static char dir[64], ca[96], cert[96], key[96], secret_file[96];

static void write_text(const char *path, const char *text)
{
    char next[128];
    (void)snprintf(next, sizeof next, "%s.new", path);
    FILE *f = fopen(next, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
    assert_int_equal(rename(next, path), 0);
}

static int make_files(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/jg_auth_XXXXXX");
    assert_non_null(mkdtemp(dir));
    char *const paths[] = {ca, cert, key, secret_file};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)snprintf(paths[i], 96, "%s/%zu", dir, i);
    jg_test_cert authority = jg_test_cert_new("authority", NULL),
                 server = jg_test_cert_new("server", &authority);
    jg_test_cert_write(&authority, ca, NULL);
    jg_test_cert_write(&server, cert, key);
    jg_test_cert_free(&authority);
    jg_test_cert_free(&server);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char *const paths[] = {ca, cert, key, secret_file};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)unlink(paths[i]);
    return rmdir(dir);
}

static jaeger_status service_of(const char *yaml, jaeger_service **ret, jaeger_error *err)
{
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    *ret = NULL;
    jaeger_status status = jaeger_service_new(&options, ret, err);
    if (status == JAEGER_OK)
        status = jaeger_service_start(*ret, err);
    if (status != JAEGER_OK) {
        jaeger_service_free(*ret);
        *ret = NULL;
    }
    return status;
}

#define PORT_GRPC "26101"
#define PORT_HTTP "26102"

/** An OTLP receiver with TLS that asks `extension`. */
static jaeger_service *server_with(const char *type, const char *extension)
{
    char yaml[4096];
    jaeger_service *service;
    jaeger_error err = {0};
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {otlp: {protocols: {\n"
                   "  grpc: {endpoint: \"127.0.0.1:" PORT_GRPC
                   "\", auth: {authenticator: %s}, tls: {cert_file: %s, "
                   "key_file: %s}},\n"
                   "  http: {endpoint: \"127.0.0.1:" PORT_HTTP "\", auth: {authenticator: %s}}}}}\n"
                   "exporters: {nop: }\n"
                   "extensions: {%s: %s}\n"
                   "service:\n"
                   "  extensions: [%s]\n"
                   "  telemetry: {metrics: {level: none}}\n"
                   "  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}\n",
                   type, cert, key, type, type, extension, type);
    if (service_of(yaml, &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

static jaeger_batch *one_span(void)
{
    jaeger_builder *b = jaeger_builder_new(4096);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {[15] = 1}, .span_id = {2}});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

/** Send one span through an exporter that uses `extension`. */
static jaeger_status send_with(bool http, const char *type, const char *extension, jaeger_error *err)
{
    char yaml[4096];
    jaeger_service *service;
    (void)snprintf(
        yaml, sizeof yaml,
        "receivers: {nop: }\n"
        "exporters:\n"
        "  otlp: {endpoint: \"127.0.0.1:" PORT_GRPC "\", tls: {ca_file: %s}, sending_queue: {enabled: "
        "false}, retry_on_failure: {enabled: false}, auth: {authenticator: %s}}\n"
        "  otlphttp: {endpoint: \"http://127.0.0.1:" PORT_HTTP "\", sending_queue: {enabled: false}, "
        "retry_on_failure: {enabled: false}, auth: {authenticator: %s}}\n"
        "extensions: {%s: %s}\n"
        "service:\n"
        "  extensions: [%s]\n"
        "  telemetry: {metrics: {level: none}}\n"
        "  pipelines: {traces: {receivers: [nop], exporters: [%s]}}\n",
        ca, type, type, type, extension, type, http ? "otlphttp" : "otlp");
    jaeger_status status = service_of(yaml, &service, err);
    if (status != JAEGER_OK)
        return status;
    jaeger_call call = JAEGER_CALL_INIT;
    status = jaeger_service_consume(service, "traces", one_span(), &call);
    *err = call.error;
    jaeger_service_free(service);
    return status;
}

static void clients_with_the_right_password_come_in(void **state)
{
    (void)state;
    jaeger_service *server =
        server_with("basicauth", "{htpasswd: {inline: \"ann:" BCRYPT "\\nbob:secret\"}}");
    static const struct {
        const char *client;
        bool ok;
    } cases[] = {{"{client_auth: {username: ann, password: secret}}", true},
                 {"{client_auth: {username: ann, password: secret}}", true}, /* remembered */
                 {"{client_auth: {username: ann, password: wrong}}", false},
                 {"{client_auth: {username: bob, password: secret}}", true},
                 {"{client_auth: {username: eve, password: secret}}", false}};
    for (size_t i = 0; i < JG_COUNT(cases); i++)
        for (int http = 0; http < 2; http++) {
            jaeger_error err = {0};
            jaeger_status status = send_with(http, "basicauth", cases[i].client, &err);
            if (status != (cases[i].ok ? JAEGER_OK : JAEGER_UNAUTHENTICATED))
                fail_msg("case %zu http %d: %d %s", i, http, status, err.message);
            if (!cases[i].ok)
                assert_non_null(strstr(err.message, "invalid credentials"));
        }
    jaeger_service_free(server);
}

static void assert_answer(const char *authorization, const char *status, const char *text)
{
    char request[512];
    int len = snprintf(request, sizeof request,
                       "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                       "Content-Length: 2\r\n%s\r\n\r\n{}",
                       authorization);
    jg_buf answer = http_exchange((uint16_t)atol(PORT_HTTP), request, (size_t)len);
    assert_has(&answer, status);
    assert_has(&answer, text);
    jg_buf_done(&answer);
}

static void wrong_headers_get_a_401_that_says_why(void **state)
{
    (void)state;
    jaeger_service *server = server_with("basicauth", "{htpasswd: {inline: \"ann:secret\"}}");
    assert_answer("X: y", "401", "no basic auth provided");
    assert_answer("Authorization: Bearer x", "401", "invalid authorization scheme prefix");
    assert_answer("Authorization: Basic !!!", "401", "invalid authorization format");
    assert_answer("Authorization: Basic YW5u", "401", "invalid authorization format");
    assert_answer("Authorization: Basic YW5uOndyb25n", "401", "invalid credentials");
    assert_answer("Authorization: basic YW5uOnNlY3JldA==", "200", "partialSuccess");
    jaeger_service_free(server);
}

static void a_changed_htpasswd_file_counts_at_once(void **state)
{
    (void)state;
    char config[256];
    write_text(secret_file, "ann:secret\nbob:old\n");
    (void)snprintf(config, sizeof config, "{htpasswd: {file: %s, inline: 'eve:inline'}}", secret_file);
    jaeger_service *server = server_with("basicauth", config);
    assert_answer("Authorization: Basic YW5uOnNlY3JldA==", "200", "partialSuccess");  /* ann:secret */
    assert_answer("Authorization: Basic YW5uOm5ldw==", "401", "invalid credentials"); /* ann:new */
    write_text(secret_file, "ann:new\n");
    assert_answer("Authorization: Basic YW5uOnNlY3JldA==", "401",
                  "invalid credentials"); /* though it was right */
    assert_answer("Authorization: Basic YW5uOm5ldw==", "200", "partialSuccess");
    assert_answer("Authorization: Basic Ym9iOm9sZA==", "401", "invalid credentials"); /* bob:old */
    assert_answer("Authorization: Basic ZXZlOmlubGluZQ==", "200", "partialSuccess");  /* eve:inline */
    assert_int_equal(unlink(secret_file), 0); /* the last content stays */
    assert_answer("Authorization: Basic YW5uOm5ldw==", "200", "partialSuccess");
    jaeger_service_free(server);
}

static void tokens_are_checked_and_files_read_again(void **state)
{
    (void)state;
    char config[256];
    jaeger_error err = {0};
    write_text(secret_file, "first\nsecond\n");
    (void)snprintf(config, sizeof config, "{filename: %s}", secret_file);
    jaeger_service *server = server_with("bearertokenauth", config);
    for (int http = 0; http < 2; http++) {
        assert_ok(send_with(http, "bearertokenauth", "{token: first}", &err));
        assert_ok(send_with(http, "bearertokenauth", "{tokens: [second, third]}", &err));
        assert_ok(send_with(http, "bearertokenauth", config, &err));
        assert_int_equal(send_with(http, "bearertokenauth", "{token: third}", &err), JAEGER_UNAUTHENTICATED);
        assert_non_null(strstr(err.message, "scheme or token does not match"));
        assert_int_equal(send_with(http, "bearertokenauth", "{scheme: Basic, token: first}", &err),
                         JAEGER_UNAUTHENTICATED);
    }
    write_text(secret_file, "third\n");
    assert_ok(send_with(true, "bearertokenauth", "{token: third}", &err));
    assert_int_equal(send_with(true, "bearertokenauth", "{token: first}", &err), JAEGER_UNAUTHENTICATED);
    assert_int_equal(unlink(secret_file), 0); /* the last content stays */
    assert_ok(send_with(true, "bearertokenauth", "{token: third}", &err));
    assert_answer("X: y", "401", "missing or empty authorization header: Authorization");
    assert_answer("Authorization: Bearer ", "401", "scheme or token does not match");
    jaeger_service_free(server);
}

static void client_files_hold_name_and_password(void **state)
{
    (void)state;
    char config[256];
    jaeger_error err = {0};
    jaeger_service *server = server_with("basicauth", "{htpasswd: {inline: \"ann:secret\"}}");
    write_text(secret_file, "secret\n");
    (void)snprintf(config, sizeof config, "{client_auth: {username: ann, password_file: %s}}", secret_file);
    assert_ok(send_with(true, "basicauth", config, &err));
    jaeger_service_free(server);
    assert_int_equal(unlink(secret_file), 0);
    assert_int_equal(send_with(true, "basicauth", config, &err), JAEGER_UNAVAILABLE);
    assert_non_null(strstr(err.message, "No such file"));
}

static void what_cannot_work_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *config, *text;
    } cases[] = {
        {"basicauth", "{}", "extensions::basicauth: no credential source provided"},
        {"basicauth", "{htpasswd: {}}", "no credential source provided"},
        {"basicauth", "{htpasswd: {inline: \"a:b\"}, client_auth: {username: a}}", "only one of"},
        {"basicauth", "{client_auth: {username: \"a:b\"}}", "colon"},
        {"basicauth", "{htpasswd: {inline: \"a:b\"}}", "authenticator not found"}, /* not for clients */
        {"basicauth", "{htpasswd: {file: /nowhere}}", "open htpasswd file: /nowhere: No such file"},
        {"bearertokenauth", "{}", "extensions::bearertokenauth: no bearer token provided"},
        {"bearertokenauth", "{token: a, tokens: [b]}", "either tokens or token"},
        {"bearertokenauth", "{filename: /nowhere}", "/nowhere: No such file"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_error err = {0};
        jaeger_status status = send_with(true, cases[i].type, cases[i].config, &err);
        if (status == JAEGER_OK || !strstr(err.message, cases[i].text))
            fail_msg("case %zu: %d %s", i, status, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_match_in_every_form),
        cmocka_unit_test(later_lines_win_and_odd_ones_are_skipped),
        cmocka_unit_test(clients_with_the_right_password_come_in),
        cmocka_unit_test(wrong_headers_get_a_401_that_says_why),
        cmocka_unit_test(a_changed_htpasswd_file_counts_at_once),
        cmocka_unit_test(tokens_are_checked_and_files_read_again),
        cmocka_unit_test(client_files_hold_name_and_password),
        cmocka_unit_test(what_cannot_work_is_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
