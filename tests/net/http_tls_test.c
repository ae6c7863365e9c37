/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "support/certs.h"
#include "support/http.h"
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

static char dir[64], ca[96], cert[96], key[96], client_cert[96], client_key[96];

static int make_files(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/jg_http_tls_XXXXXX");
    assert_non_null(mkdtemp(dir));
    char *const paths[] = {ca, cert, key, client_cert, client_key};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)snprintf(paths[i], 96, "%s/%zu.pem", dir, i);
    jg_test_cert authority = jg_test_cert_new("authority", NULL);
    jg_test_cert server = jg_test_cert_new("server", &authority),
                 client = jg_test_cert_new("client", &authority);
    jg_test_cert_write(&authority, ca, NULL);
    jg_test_cert_write(&server, cert, key);
    jg_test_cert_write(&client, client_cert, client_key);
    jg_test_cert_free(&authority);
    jg_test_cert_free(&server);
    jg_test_cert_free(&client);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char *const paths[] = {ca, cert, key, client_cert, client_key};
    for (size_t i = 0; i < JG_COUNT(paths); i++)
        (void)unlink(paths[i]);
    return rmdir(dir);
}

#define BIG_BYTES (8u << 20)

/** Sends back the number of bytes, or 8 MiB as a stream. */
static void handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    (void)self;
    if (jg_str_is(request->path, "/big")) {
        static char piece[65536];
        jaeger_status status = JAEGER_OK;
        jg_http_begin(reply, 200, "text/plain");
        for (size_t i = 0; i < BIG_BYTES / sizeof piece && status == JAEGER_OK; i++)
            status = jg_http_write(reply, (jaeger_str){piece, sizeof piece});
        jg_http_end(reply, status == JAEGER_OK);
        return;
    }
    char text[64];
    int len = snprintf(text, sizeof text, "%zu bytes", request->body.len);
    jg_http_send(reply, 200, "text/plain", (jaeger_str){text, (size_t)len});
}

typedef struct fixture {
    jg_net *net;
    jg_http_server *server;
    jg_http_server_settings settings;
    SSL_CTX *client;
} fixture;

static void start(fixture *f, bool mtls)
{
    jaeger_error err = {0};
    jg_net_options net_options = {.http_threads = 2};
    f->settings = (jg_http_server_settings){
        .endpoint = JAEGER_STR("127.0.0.1:0"),
        .keep_alives_enabled = true,
        .tls = {.enabled = true, .cert_file = jg_str(cert), .key_file = jg_str(key)}};
    if (mtls)
        f->settings.tls.client_ca_file = jg_str(ca);
    assert_ok(jg_net_new(&net_options, &f->net, &err));
    jg_http_server_options options = {.settings = &f->settings, .handler = {handle, f}, .name = "tls"};
    if (jg_http_server_start(f->net, &options, &f->server, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    f->client = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(f->client, ca, NULL), 1);
    SSL_CTX_set_verify(f->client, SSL_VERIFY_PEER, NULL);
}

static void stop(fixture *f)
{
    jg_http_server_stop(f->server, jg_clock_mono_ns() + 2 * JG_NS_PER_S);
    jg_net_free(f->net);
    SSL_CTX_free(f->client);
}

/** NULL: no handshake. */
static SSL *dial(fixture *f, const char *alpn, size_t alpn_len)
{
    SSL *ssl = SSL_new(f->client);
    assert_int_equal(SSL_set_fd(ssl, http_connect(jg_http_server_port(f->server))), 1);
    (void)SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)alpn_len);
    if (SSL_connect(ssl) == 1)
        return ssl;
    (void)close(SSL_get_fd(ssl));
    SSL_free(ssl);
    return NULL;
}

static void hang_up(SSL *ssl, bool politely)
{
    int fd = SSL_get_fd(ssl);
    if (politely)
        (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

static bool put(SSL *ssl, const void *bytes, size_t len)
{
    size_t done;
    return SSL_write_ex(ssl, bytes, len, &done) == 1 && done == len;
}

static void requests_go_through_tls(void **state)
{
    (void)state;
    fixture f;
    start(&f, false);
    SSL *ssl = dial(&f, "\x02h2\x08http/1.1", 12);
    assert_non_null(ssl);
    const unsigned char *chosen;
    unsigned chosen_len;
    SSL_get0_alpn_selected(ssl, &chosen, &chosen_len);
    assert_int_equal(chosen_len, 8); /* never h2 */
    assert_memory_equal(chosen, "http/1.1", 8);
    char *body = jg_calloc(1, 1u << 20);
    for (int i = 0; i < 3; i++) {
        static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n";
        char answer[1000] = {0};
        assert_true(put(ssl, head, sizeof head - 1));
        assert_true(put(ssl, body, 1u << 20));
        for (int got = 0; !strstr(answer, "1048576 bytes");) {
            int n = SSL_read(ssl, answer + got, (int)sizeof answer - 1 - got);
            assert_true(n > 0);
            got += n;
        }
    }
    jg_free(body);
    hang_up(ssl, true);
    stop(&f);
}

static void large_answers_arrive_whole(void **state)
{
    (void)state;
    fixture f;
    start(&f, false);
    SSL *ssl = dial(&f, "\x08http/1.1", 9);
    static const char request[] = "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static char bytes[65536];
    size_t total = 0;
    assert_true(put(ssl, request, sizeof request - 1));
    for (int n; (n = SSL_read(ssl, bytes, sizeof bytes)) > 0;)
        total += (size_t)n;
    assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN); /* the server said goodbye */
    assert_true(total > BIG_BYTES);
    hang_up(ssl, true);
    stop(&f);
}

static void clients_without_a_certificate_are_refused(void **state)
{
    (void)state;
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[1000];
    fixture f;
    start(&f, true);
    SSL *bare = dial(&f, "\x08http/1.1", 9);
    if (bare) { /* in TLS 1.3 the client learns it at its first read */
        (void)put(bare, request, sizeof request - 1);
        assert_true(SSL_read(bare, answer, sizeof answer) <= 0);
        hang_up(bare, false);
    }
    assert_int_equal(SSL_CTX_use_certificate_file(f.client, client_cert, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(f.client, client_key, SSL_FILETYPE_PEM), 1);
    SSL *known = dial(&f, "\x08http/1.1", 9);
    assert_non_null(known);
    assert_true(put(known, request, sizeof request - 1));
    assert_true(SSL_read(known, answer, sizeof answer) > 12);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    hang_up(known, true);
    stop(&f);
}

static void bad_handshakes_and_readers_do_not_hold_the_stop(void **state)
{
    (void)state;
    fixture f;
    start(&f, false);
    uint16_t port = jg_http_server_port(f.server);
    static const char request[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    int silent = http_connect(port), plain = http_connect(port), half = http_connect(port);
    assert_true(http_puts(plain, request));
    assert_true(http_put(half, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9));
    SSL *stuck = dial(&f, "\x08http/1.1", 9), *gone = dial(&f, "\x08http/1.1", 9);
    assert_true(put(stuck, request, sizeof request - 1)); /* and reads nothing */
    assert_true(put(gone, request, sizeof request - 1));
    hang_up(gone, false);
    usleep(100000);
    uint64_t begin = jg_clock_mono_ns();
    stop(&f);
    assert_true(jg_clock_mono_ns() - begin < 5 * JG_NS_PER_S);
    hang_up(stuck, false);
    (void)close(silent);
    (void)close(plain);
    (void)close(half);
}

static void bad_files_are_named_at_the_start(void **state)
{
    (void)state;
    jg_net *net;
    jg_http_server *server;
    jaeger_error err = {0};
    jg_net_options net_options = {0};
    jg_http_server_settings settings = {
        .endpoint = JAEGER_STR("127.0.0.1:0"),
        .tls = {.enabled = true, .cert_file = JAEGER_STR("/none"), .key_file = jg_str(key)}};
    jg_http_server_options options = {.settings = &settings, .handler = {handle, NULL}, .name = "tls"};
    assert_ok(jg_net_new(&net_options, &net, &err));
    assert_int_equal(jg_http_server_start(net, &options, &server, &err), JAEGER_INVALID_ARGUMENT);
    jg_net_free(net);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* the client of OpenSSL writes into closed connections */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_through_tls),
        cmocka_unit_test(large_answers_arrive_whole),
        cmocka_unit_test(clients_without_a_certificate_are_refused),
        cmocka_unit_test(bad_handshakes_and_readers_do_not_hold_the_stop),
        cmocka_unit_test(bad_files_are_named_at_the_start),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
