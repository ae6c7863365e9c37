/* SPDX-License-Identifier: Apache-2.0
 * Where requests are handled: on their loop if the handler is prompt and they are small, plain and free of
 * authentication; else on a worker.
 */
#include "core/limits.h"
#include "net/http_server.h"
#include "support/grpc_fixture.h"
#include "support/http.h"
#include <pthread.h>

/** "jg-worker", "jg-loop-0", "jg-http-1". */
static jaeger_str thread_name(char out[16])
{
    assert_int_equal(pthread_getname_np(pthread_self(), out, 16), 0);
    return jg_str(out);
}

static jaeger_status say_where(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    (void)self, (void)request;
    char name[16];
    jaeger_str where = thread_name(name);
    return jg_grpc_send(stream, where.ptr, where.len, call);
}

static jaeger_status let_in(void *self, jaeger_call *call)
{
    (void)self, (void)call;
    return JAEGER_OK;
}

static void assert_grpc(jg_net *net, bool prompt, bool auth, const char *coding, size_t bytes,
                        const char *where)
{
    static const jg_grpc_method method = {"/test.Where/Ask", say_where, NULL};
    static uint8_t request[JG_LOOP_REQUEST_BYTES_MAX + 1];
    jg_grpc_server_settings settings = {.endpoint = JAEGER_STR("127.0.0.1:0")};
    jg_grpc_server_options options = {.settings = &settings,
                                      .methods = &method,
                                      .method_count = 1,
                                      .auth = {auth ? let_in : NULL, NULL},
                                      .prompt = prompt};
    grpc_fixture f = {.net = net};
    assert_ok(jg_grpc_server_start(net, &options, &f.server, NULL));
    (void)snprintf(f.endpoint, sizeof f.endpoint, "127.0.0.1:%u", jg_grpc_server_port(f.server));
    f.client_settings = (jg_grpc_client_settings){
        .endpoint = jg_str(f.endpoint), .compression = jg_str(coding), .tls.insecure = true};
    assert_ok(jg_grpc_client_new(net, &f.client_settings, 0, &f.client, NULL));
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(100);
    assert_ok(fixture_call(&f, method.path, (jaeger_str){(char *)request, bytes}, 20000, &answer, NULL));
    assert_true(jg_str_starts(jg_buf_view(&answer), jg_str(where)));
    jg_grpc_client_free(f.client);
    jg_grpc_server_stop(f.server, jg_clock_mono_ns() + 5 * JG_NS_PER_S);
}

static void grpc_requests_stay_on_their_loop_if_nothing_in_them_waits(void **state)
{
    (void)state;
    jg_net *net;
    assert_ok(jg_net_new(NULL, &net, NULL));
    assert_grpc(net, false, false, "none", 100, "jg-worker");
    assert_grpc(net, true, false, "none", 100, "jg-loop");
    assert_grpc(net, true, false, "none", JG_LOOP_REQUEST_BYTES_MAX, "jg-loop");
    assert_grpc(net, true, false, "none", JG_LOOP_REQUEST_BYTES_MAX + 1, "jg-worker");
    assert_grpc(net, true, true, "none", 100, "jg-worker");
    assert_grpc(net, true, false, "gzip", 5000, "jg-worker");
    jg_net_free(net);
}

static void answer_where(void *self, jg_http_request *request, jg_http_reply *reply)
{
    (void)self, (void)request;
    char name[16];
    jg_http_send(reply, 200, "text/plain", thread_name(name));
}

static jaeger_status let_http_in(void *self, const jg_http_request *request, jaeger_call *call)
{
    (void)self, (void)request, (void)call;
    return JAEGER_OK;
}

static void assert_http(jg_net *net, bool prompt, bool auth, const char *header, size_t bytes,
                        const char *where)
{
    jg_http_server_settings settings = {.endpoint = JAEGER_STR("127.0.0.1:0")};
    jg_http_server_options options = {.settings = &settings,
                                      .handler = {answer_where, NULL},
                                      .prompt = prompt,
                                      .auth = {auth ? let_http_in : NULL, NULL},
                                      .name = "where"};
    jg_http_server *server;
    assert_ok(jg_http_server_start(net, &options, &server, NULL));
    JG_AUTO_BUF jg_buf request = JG_BUF_INIT(1u << 20);
    jg_buf_printf(&request, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", bytes, header);
    assert_true(jg_buf_reserve(&request, bytes));
    memset(request.data + request.len, 'x', bytes);
    request.len += bytes;
    jg_buf reply = http_exchange(jg_http_server_port(server), (char *)request.data, request.len);
    jg_buf_byte(&reply, 0);
    assert_non_null(strstr((char *)reply.data, where));
    jg_buf_done(&reply);
    jg_http_server_stop(server, jg_clock_mono_ns() + 5 * JG_NS_PER_S);
}

static void http_requests_stay_on_their_loop_if_nothing_in_them_waits(void **state)
{
    (void)state;
    jg_net *net;
    assert_ok(jg_net_new(NULL, &net, NULL));
    assert_http(net, false, false, "", 100, "\r\n\r\njg-worker");
    assert_http(net, true, false, "", 100, "\r\n\r\njg-http");
    assert_http(net, true, false, "", JG_LOOP_REQUEST_BYTES_MAX, "\r\n\r\njg-http");
    assert_http(net, true, false, "", JG_LOOP_REQUEST_BYTES_MAX + 1, "\r\n\r\njg-worker");
    assert_http(net, true, true, "", 100, "\r\n\r\njg-worker");
    jg_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpc_requests_stay_on_their_loop_if_nothing_in_them_waits),
        cmocka_unit_test(http_requests_stay_on_their_loop_if_nothing_in_them_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
