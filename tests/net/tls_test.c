/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"
#include "support/certs.h"
#include "support/grpc_fixture.h"
#include <sys/stat.h>

static char dir[64], ca[96], other_ca[96], cert[96], key[96], client_cert[96], client_key[96];

static int make_files(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/jg_tls_test_XXXXXX");
    assert_non_null(mkdtemp(dir));
    char *const paths[] = {ca, other_ca, cert, key, client_cert, client_key};
    static const char *const names[] = {"ca", "other", "cert", "key", "ccert", "ckey"};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)snprintf(paths[i], 96, "%s/%s.pem", dir, names[i]);
    jg_test_cert authority = jg_test_cert_new("authority", NULL), other = jg_test_cert_new("other", NULL);
    jg_test_cert server = jg_test_cert_new("server", &authority),
                 client = jg_test_cert_new("client", &authority);
    jg_test_cert_write(&authority, ca, NULL);
    jg_test_cert_write(&other, other_ca, NULL);
    jg_test_cert_write(&server, cert, key);
    jg_test_cert_write(&client, client_cert, client_key);
    jg_test_cert_free(&authority);
    jg_test_cert_free(&other);
    jg_test_cert_free(&server);
    jg_test_cert_free(&client);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char *const paths[] = {ca, other_ca, cert, key, client_cert, client_key};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)unlink(paths[i]);
    return rmdir(dir);
}

static grpc_fixture tls_fixture(void)
{
    return (grpc_fixture){
        .settings.tls = {.enabled = true, .cert_file = jg_str(cert), .key_file = jg_str(key)},
        .client_settings.tls = {.ca_file = jg_str(ca)},
    };
}

static jaeger_status one_call(grpc_fixture *f, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(8 << 20);
    JG_AUTO_FREE char *bytes = jg_calloc(1, 1 << 20);
    jaeger_status status =
        fixture_call(f, "/test.Echo/Unary", (jaeger_str){bytes, 1 << 20}, 5000, &answer, err);
    if (status == JAEGER_OK)
        assert_int_equal(answer.len, 1 << 20);
    return status;
}

static void tls_carries_calls_and_verifies_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *ca, *name;
        bool skip;
        jaeger_status status;
        const char *text;
    } cases[] = {
        {ca, NULL, false, JAEGER_OK, NULL},
        {ca, "localhost", false, JAEGER_OK, NULL},
        {ca, "elsewhere", false, JAEGER_UNAVAILABLE, "hostname mismatch"},
        {other_ca, NULL, false, JAEGER_UNAVAILABLE, "unable to get local issuer certificate"},
        {other_ca, "elsewhere", true, JAEGER_OK, NULL},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        grpc_fixture f = tls_fixture();
        f.client_settings.tls.ca_file = jg_str(cases[i].ca);
        f.client_settings.tls.server_name_override = jg_str(cases[i].name);
        f.client_settings.tls.insecure_skip_verify = cases[i].skip;
        fixture_start(&f);
        jaeger_error err = {0};
        assert_int_equal(one_call(&f, &err), cases[i].status);
        if (cases[i].text)
            assert_non_null(strstr(err.message, cases[i].text));
        fixture_stop(&f);
    }
}

static void tls_server_wants_the_clients_certificate(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        grpc_fixture f = tls_fixture();
        f.settings.tls.client_ca_file = jg_str(ca);
        if (with) {
            f.client_settings.tls.cert_file = jg_str(client_cert);
            f.client_settings.tls.key_file = jg_str(client_key);
        }
        fixture_start(&f);
        assert_int_equal(one_call(&f, NULL), with ? JAEGER_OK : JAEGER_UNAVAILABLE);
        fixture_stop(&f);
    }
}

static void tls_reload_takes_a_new_pair_and_keeps_the_old_one_if_it_is_bad(void **state)
{
    (void)state;
    jg_tls_settings settings = {
        .cert_file = jg_str(cert), .key_file = jg_str(key), .reload_interval_ns = JG_NS_PER_S};
    jg_tls *tls = NULL;
    assert_ok(jg_tls_new(&settings, true, "h2", NULL, &tls, NULL));
    SSL_CTX *first = jg_tls_get(tls), *second = jg_tls_get(tls);
    assert_ptr_equal(first, second);
    SSL_CTX_free(second);
    jg_clock_advance(2 * (int64_t)JG_NS_PER_S);
    second = jg_tls_get(tls);
    assert_ptr_not_equal(first, second);
    settings.key_file = jg_str(client_key); /* not the key of this certificate */
    jg_clock_advance(2 * (int64_t)JG_NS_PER_S);
    SSL_CTX *third = jg_tls_get(tls);
    assert_ptr_equal(second, third);
    SSL_CTX_free(first);
    SSL_CTX_free(second);
    SSL_CTX_free(third);
    jg_tls_free(tls);
}

static void tls_rejects_bad_settings(void **state)
{
    (void)state;
    jaeger_str suite = JAEGER_STR("TLS_NOPE"), weak = JAEGER_STR("TLS_RSA_WITH_AES_128_CBC_SHA"),
               curve = JAEGER_STR("P1");
    const struct {
        jg_tls_settings settings;
        const char *text;
    } cases[] = {
        {{.cert_file = jg_str(cert)}, "provide both certificate and key, or neither"},
        {{0}, "TLS configuration must include both certificate and key for server"},
        {{.ca_file = jg_str(ca), .ca_pem = JAEGER_STR("x")},
         "provide either a CA file or the PEM-encoded string"},
        {{.cert_file = jg_str(cert), .key_file = jg_str(client_key)}, "failed to load TLS cert and key"},
        {{.cert_file = JAEGER_STR("/nope"), .key_file = jg_str(key)}, "failed to load TLS cert and key"},
        {{.cert_file = jg_str(cert), .key_file = jg_str(key), .client_ca_file = jg_str(key)}, "CA CertPool"},
        {{.cert_file = jg_str(cert), .key_file = jg_str(key), .min_version = JAEGER_STR("0.9")},
         "invalid TLS min_version: unsupported TLS version: \"0.9\""},
        {{.cert_file = jg_str(cert), .key_file = jg_str(key), .max_version = JAEGER_STR("1.1")},
         "min_version cannot be greater than max_version"},
        {{.cert_file = jg_str(cert), .key_file = jg_str(key), .cipher_suites = {&suite, 1}}, "\"TLS_NOPE\""},
        {{.cert_file = jg_str(cert), .key_file = jg_str(key), .cipher_suites = {&weak, 1}},
         "invalid TLS cipher suite"},
        {{.cert_file = jg_str(cert), .key_file = jg_str(key), .curve_preferences = {&curve, 1}}, "P1"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        SSL_CTX *ctx = NULL;
        jaeger_error err = {0};
        assert_int_equal(jg_tls_server_ctx(&cases[i].settings, "h2", &ctx, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].text))
            fail_msg("%s", err.message);
    }
}

static void tls_takes_go_names_of_suites_and_curves(void **state)
{
    (void)state;
    jaeger_str suites[] = {JAEGER_STR("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
                           JAEGER_STR("TLS_AES_128_GCM_SHA256"),
                           JAEGER_STR("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")};
    jaeger_str curves[] = {JAEGER_STR("X25519MLKEM768"), JAEGER_STR("X25519"), JAEGER_STR("P256")};
    grpc_fixture f = tls_fixture();
    f.settings.tls.cipher_suites = (jaeger_str_list){suites, JG_COUNT(suites)};
    f.settings.tls.curve_preferences = (jaeger_str_list){curves, JG_COUNT(curves)};
    f.settings.tls.max_version = JAEGER_STR("1.2");
    fixture_start(&f);
    assert_ok(one_call(&f, NULL));
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_carries_calls_and_verifies_the_server),
        cmocka_unit_test(tls_server_wants_the_clients_certificate),
        cmocka_unit_test(tls_reload_takes_a_new_pair_and_keeps_the_old_one_if_it_is_bad),
        cmocka_unit_test(tls_rejects_bad_settings),
        cmocka_unit_test(tls_takes_go_names_of_suites_and_curves),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
