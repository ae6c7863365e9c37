/* SPDX-License-Identifier: Apache-2.0
 * Against a running server, with raw sockets. */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/limits.h"
#include "net/encoding.h"
#include "support/http.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/un.h>

typedef struct fixture {
    jg_net *net;
    jg_http_server *server;
    jg_http_server_settings settings;
    jg_net_options net_options;
    uint16_t port;
    sem_t entered, go_on;   /* of /wait and /stream */
    int handled, cancelled; /* atomic */
    int write_status;       /* atomic; last of /stream, +100 */
    bool auth, recover;
} fixture;

static void answer_text(jg_http_request *request, jg_http_reply *reply)
{
    jaeger_arena *arena = request->call->arena;
    jaeger_error error = {0};
    if (jg_http_request_error(request, &error) != JAEGER_OK) {
        jg_http_send(reply, 422, "text/plain", jg_str(error.message));
        return;
    }
    jaeger_str text = jg_arena_printf(arena, "%.*s %.*s ?%.*s %zu bytes, metadata %zu, type %.*s\n",
                                      JAEGER_STR_ARGS(request->method), JAEGER_STR_ARGS(request->path),
                                      JAEGER_STR_ARGS(request->query), request->body.len,
                                      request->call->metadata_count, JAEGER_STR_ARGS(request->content_type));
    jg_http_send(reply, 200, "text/plain", text);
}

/** 64 MiB in pieces, much more than sockets hold. */
static void stream_much(fixture *f, jg_http_reply *reply)
{
    static char piece[100000];
    jaeger_status status = JAEGER_OK;
    memset(piece, 'x', sizeof piece);
    jg_http_begin(reply, 200, "text/plain");
    sem_post(&f->entered);
    for (int i = 0; i < 671 && status == JAEGER_OK; i++)
        status = jg_http_write(reply, (jaeger_str){piece, sizeof piece});
    __atomic_store_n(&f->write_status, 100 + (int)status, __ATOMIC_RELAXED);
    jg_http_end(reply, status == JAEGER_OK);
    sem_post(&f->go_on);
}

static void handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    fixture *f = self;
    (void)__atomic_add_fetch(&f->handled, 1, __ATOMIC_RELAXED);
    if (jg_str_is(request->path, "/wait")) {
        sem_post(&f->entered);
        sem_wait(&f->go_on);
    } else if (jg_str_is(request->path, "/cancel")) {
        sem_post(&f->entered);
        while (jaeger_call_check(request->call) == JAEGER_OK)
            usleep(1000);
        __atomic_store_n(&f->cancelled, (int)request->call->error.status, __ATOMIC_RELAXED);
        sem_post(&f->go_on);
    } else if (jg_str_is(request->path, "/stream")) {
        stream_much(f, reply);
        return;
    } else if (jg_str_is(request->path, "/small")) {
        jg_http_begin(reply, 200, "text/plain");
        (void)!jg_http_write(reply, JAEGER_STR("hello "));
        (void)!jg_http_write(reply, JAEGER_STR("world"));
        jg_http_end(reply, true);
        return;
    } else if (jg_str_is(request->path, "/cut")) {
        jg_http_begin(reply, 200, "text/plain");
        (void)!jg_http_write(reply, JAEGER_STR("half"));
        jg_http_end(reply, false);
        return;
    } else if (jg_str_is(request->path, "/silent")) {
        return;
    } else if (jg_str_is(request->path, "/split")) {
        jg_http_add_header(reply, "X-Evil", JAEGER_STR("a\r\nX-Injected: b"));
    } else if (jg_str_is(request->path, "/big")) {
        jg_buf big JG_AUTO_BUF = JG_BUF_INIT(10u << 20);
        assert_true(jg_buf_reserve(&big, 8u << 20));
        memset(big.data, 'b', 8u << 20);
        big.len = 8u << 20;
        jg_http_send(reply, 200, "text/plain", jg_buf_view(&big));
        return;
    }
    answer_text(request, reply);
}

static jaeger_status check_auth(void *self, const jg_http_request *request, jaeger_call *call)
{
    (void)self;
    if (jg_str_is(jg_http_header(request, "authorization"), "Basic ok"))
        return JAEGER_OK;
    return jaeger_fail(&call->error, JAEGER_UNAUTHENTICATED, "no basic auth provided");
}

static void start(fixture *f)
{
    jaeger_error err = {0};
    assert_int_equal(sem_init(&f->entered, 0, 0), 0);
    assert_int_equal(sem_init(&f->go_on, 0, 0), 0);
    if (!f->settings.endpoint.ptr)
        f->settings.endpoint = JAEGER_STR("127.0.0.1:0");
    f->net_options.http_threads = 2;
    assert_ok(jg_net_new(&f->net_options, &f->net, &err));
    jg_http_server_options options = {.settings = &f->settings, .handler = {handle, f}, .name = "test"};
    options.recovers_errors = f->recover;
    if (f->auth)
        options.auth.check = check_auth;
    if (jg_http_server_start(f->net, &options, &f->server, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    f->port = jg_http_server_port(f->server);
}

static void stop(fixture *f)
{
    jg_http_server_stop(f->server, jg_clock_mono_ns() + 10 * JG_NS_PER_S);
    /* all request bytes were given back */
    assert_true(jg_net_admit(f->net, f->net_options.in_flight_bytes_max ? f->net_options.in_flight_bytes_max
                                                                        : JG_IN_FLIGHT_BYTES_MAX));
    jg_net_free(f->net);
    sem_destroy(&f->entered);
    sem_destroy(&f->go_on);
}

#define KEEP_ALIVE .settings = {.keep_alives_enabled = true}

static jg_buf ask(const fixture *f, const char *text)
{
    return http_exchange(f->port, text, strlen(text));
}

/* ---- requests
 * --------------------------------------------------------------------------------------------------- */

static void requests_are_read_and_answered(void **state)
{
    (void)state;
    static const struct {
        const char *request, *want;
    } rows[] = {
        {"GET /a/b%20c?q=1&r HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/b%20c ?q=1&r 0 bytes"},
        {"GET / HTTP/1.0\r\n\r\n", "GET / ? 0 bytes"},
        {"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / ? 0 bytes"},
        {"GET http://host:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n", "GET /p ?q 0 bytes"},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * ? 0 bytes"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: a/b; c=d\r\n\r\nabc", "3 bytes"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: a/b; c=d\r\n\r\nabc",
         "type a/b; c=d"},
        {"POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\nCONTENT-LENGTH: 3\r\n\r\nabc", "3 bytes"},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
         "Chunked\r\n\r\n5;ext=1\r\nhello\r\n3\r\nabc\r\n0\r\nT: r\r\n\r\n",
         "8 bytes"},
        {"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
         "POST / ? 0 bytes"},
    };
    fixture f = {KEEP_ALIVE};
    start(&f);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_buf answer JG_AUTO_BUF = ask(&f, rows[i].request);
        assert_has(&answer, "HTTP/1.1 200 OK\r\n");
        assert_has(&answer, rows[i].want);
        assert_has(&answer, "\r\nDate: ");
        assert_has_not(&answer, "Server:");
    }
    stop(&f);
}

static void requests_that_could_smuggle_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int want;
    } rows[] = {
        {"Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400},
        {"Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n", 400},
        {"Host: x\r\nContent-Length: 3, 3\r\n", 400},
        {"Host: x\r\nContent-Length: +3\r\n", 400},
        {"Host: x\r\nContent-Length: -1\r\n", 400},
        {"Host: x\r\nContent-Length: 0x3\r\n", 400},
        {"Host: x\r\nContent-Length: 99999999999999999999999\r\n", 400},
        {"Host: x\r\nContent-Length:\r\n", 400},
        {"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Host: x\r\nTransfer-Encoding: identity\r\n", 501},
        {"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501},
        {"Host: x\r\nTransfer-Encoding: xchunked\r\n", 501},
        {"Host: x\r\nTransfer-Encoding : chunked\r\n", 400},
        {"Host: x\r\nTransfer-Encoding\t: chunked\r\n", 400},
        {"Host: x\r\n Transfer-Encoding: chunked\r\n", 400},
        {"Host: x\r\nA: b\r\n c: d\r\n", 400},
        {"Host: x\r\nHost: y\r\n", 400},
        {"X: y\r\n", 400},
        {"Host: x\r\n: y\r\n", 400},
        {"Host: x\r\nbad header\r\n", 400},
        {"Host: x\r\nA: b\x01\r\n", 400},
        {"Host: x\r\nExpect: magic\r\n", 417},
    };
    fixture f = {KEEP_ALIVE};
    start(&f);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char request[512], want[32];
        (void)snprintf(request, sizeof request,
                       "POST / HTTP/1.1\r\n%s\r\nabcGET /second HTTP/1.1\r\nHost: x\r\n\r\n",
                       rows[i].headers);
        (void)snprintf(want, sizeof want, "HTTP/1.1 %d ", rows[i].want);
        jg_buf answer JG_AUTO_BUF = ask(&f, request);
        if (!http_has(&answer, want))
            fail_msg("%s: %s", rows[i].headers, (char *)answer.data);
        assert_has(&answer, "Connection: close");
        assert_has_not(&answer, "second");
    }
    assert_int_equal(__atomic_load_n(&f.handled, __ATOMIC_RELAXED), 0);
    stop(&f);
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    static const char *const rows[] = {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                                       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                       "GET\r\n\r\n",
                                       "GET / HTTP/2.0\r\n\r\n",
                                       "GET / HTTP/1.1 \r\n\r\n",
                                       "\r\n\r\n\r\n",
                                       "GET noslash HTTP/1.1\r\nHost: x\r\n\r\n",
                                       "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_buf answer JG_AUTO_BUF = ask(&f, rows[i]);
        if (answer.len > 1)
            assert_has(&answer, "HTTP/1.1 400 Bad Request");
    }
    srand(7);
    for (int i = 0; i < 200; i++) {
        char bytes[300];
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (char)rand();
        if (i % 2)
            memcpy(bytes, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 55);
        int fd = http_connect(f.port);
        (void)http_put(fd, bytes, sizeof bytes);
        (void)close(fd);
    }
    jg_buf answer JG_AUTO_BUF = ask(&f, "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(&answer, "GET /alive");
    stop(&f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(HTTP_REPLY_MAX);
    assert_true(http_puts(
        fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
            "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /5 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(http_read(fd, &out, HTTP_REPLY_MAX), 0);
    jg_buf_byte(&out, 0);
    const char *at = (const char *)out.data;
    static const char *const wants[] = {"GET /1 ? 0", "POST /2 ? 2", "POST /3 ? 1", "GET /4 ? 0"};
    for (size_t i = 0; i < JG_COUNT(wants); i++) {
        at = strstr(at, wants[i]);
        assert_non_null(at);
    }
    assert_null(strstr(at, "/5"));
    (void)close(fd);
    stop(&f);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    static const char request[] =
        "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    int fd = http_connect(f.port);
    for (size_t i = 0; i < sizeof request - 1; i++) {
        assert_true(http_put(fd, request + i, 1));
        usleep(500);
    }
    jg_buf answer JG_AUTO_BUF = JG_BUF_INIT(HTTP_REPLY_MAX);
    http_read_answer(fd, &answer);
    jg_buf_byte(&answer, 0);
    assert_has(&answer, "POST /slow ? 3 bytes");
    (void)close(fd);
    stop(&f);
}

static void the_body_is_asked_for_when_the_client_expects_it(void **state)
{
    (void)state;
    fixture f = {.settings = {.keep_alives_enabled = true, .max_request_body_bytes = 100}};
    start(&f);
    int fd = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(1000);
    assert_true(
        http_puts(fd, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    assert_int_equal(http_read(fd, &out, 25), 1);
    assert_memory_equal(out.data, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    assert_true(http_puts(fd, "abc"));
    jg_buf_clear(&out);
    http_read_answer(fd, &out);
    jg_buf_byte(&out, 0);
    assert_has(&out, "3 bytes");
    (void)close(fd);
    /* too large: refused before a byte of the body */
    jg_buf refused JG_AUTO_BUF =
        ask(&f, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
    assert_has(&refused, "HTTP/1.1 400 Bad Request");
    assert_has_not(&refused, "100 Continue");
    stop(&f);
}

static void heads_have_a_ceiling(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    jg_buf request JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
    jg_buf_lit(&request, "GET /long?");
    for (int i = 0; i < 60000; i++)
        jg_buf_byte(&request, 'a');
    jg_buf_lit(&request, " HTTP/1.1\r\nHost: x\r\n\r\n");
    jg_buf fits JG_AUTO_BUF = http_exchange(f.port, (char *)request.data, request.len);
    assert_has(&fits, "HTTP/1.1 200 OK");
    jg_buf_clear(&request);
    jg_buf_lit(&request, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    for (int i = 0; i < 900000; i++)
        jg_buf_byte(&request, 'a');
    jg_buf answer JG_AUTO_BUF = http_exchange(f.port, (char *)request.data, request.len);
    assert_has(&answer, "HTTP/1.1 431 ");
    jg_buf_clear(&request);
    jg_buf_lit(&request, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 101; i++)
        jg_buf_printf(&request, "H%d: v\r\n", i);
    jg_buf_lit(&request, "\r\n");
    jg_buf many JG_AUTO_BUF = http_exchange(f.port, (char *)request.data, request.len);
    assert_has(&many, "HTTP/1.1 400 ");
    stop(&f);
}

/* ---- bodies
 * ----------------------------------------------------------------------------------------------------- */

static void post(const fixture *f, const char *headers, const jg_buf *body, jg_buf *ret)
{
    jg_buf request JG_AUTO_BUF = JG_BUF_INIT(64u << 20);
    jg_buf_printf(&request, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", body->len,
                  headers);
    jg_buf_str(&request, jg_buf_view(body));
    *ret = http_exchange(f->port, (char *)request.data, request.len);
}

static void encoded_bodies_arrive_decoded_and_bounded(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed",
                                          "lz4"};
    for (int recover = 0; recover < 2; recover++) {
        fixture f = {.settings = {.keep_alives_enabled = true, .max_request_body_bytes = 1000000},
                     .recover = recover};
        start(&f);
        for (size_t i = 0; i < JG_COUNT(codings); i++)
            for (size_t size = 1000000; size <= 1000001; size++) {
                jg_buf zeros JG_AUTO_BUF = JG_BUF_INIT(2u << 20), packed JG_AUTO_BUF = JG_BUF_INIT(4u << 20);
                char header[64];
                jaeger_error err = {0};
                assert_true(jg_buf_reserve(&zeros, size));
                memset(zeros.data, 0, size);
                zeros.len = size;
                assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&zeros), &packed, &err));
                (void)snprintf(header, sizeof header, "Content-Encoding: %s\r\n", codings[i]);
                jg_buf answer JG_AUTO_BUF = {0};
                post(&f, header, &packed, &answer);
                if (size == 1000000)
                    assert_has(&answer, "1000000 bytes");
                else
                    assert_has(&answer, recover ? "HTTP/1.1 422" : "HTTP/1.1 400");
            }
        jg_buf text JG_AUTO_BUF = JG_BUF_INIT(100), answer JG_AUTO_BUF = {0}, unknown JG_AUTO_BUF = {0};
        jg_buf_lit(&text, "this is not gzip");
        post(&f, "Content-Encoding: gzip\r\n", &text, &answer);
        assert_has(&answer, recover ? "HTTP/1.1 422" : "HTTP/1.1 400");
        post(&f, "Content-Encoding: foo\r\n", &text, &unknown);
        assert_has(&unknown, recover ? "\r\n\r\nunsupported Content-Encoding: foo"
                                     : "\r\n\r\nunsupported Content-Encoding: foo\n");
        stop(&f);
    }
}

static void compression_algorithms_limit_the_codings(void **state)
{
    (void)state;
    jaeger_str only[] = {JAEGER_STR(""), JAEGER_STR("zstd")};
    fixture f = {.settings = {.keep_alives_enabled = true, .compression_algorithms = {only, 2}}};
    start(&f);
    jg_buf text JG_AUTO_BUF = JG_BUF_INIT(100), packed JG_AUTO_BUF = JG_BUF_INIT(1000);
    jg_buf gzip JG_AUTO_BUF = {0}, zstd JG_AUTO_BUF = {0};
    jaeger_error err = {0};
    jg_buf_lit(&text, "hello");
    assert_ok(jg_encode(JAEGER_STR("gzip"), 0, jg_buf_view(&text), &packed, &err));
    post(&f, "Content-Encoding: gzip\r\n", &packed, &gzip);
    assert_has(&gzip, "unsupported Content-Encoding: gzip");
    jg_buf_clear(&packed);
    assert_ok(jg_encode(JAEGER_STR("zstd"), 0, jg_buf_view(&text), &packed, &err));
    post(&f, "Content-Encoding: zstd\r\n", &packed, &zstd);
    assert_has(&zstd, "5 bytes");
    stop(&f);
}

static void plain_and_chunked_bodies_above_the_cap_are_refused(void **state)
{
    (void)state;
    fixture f = {.settings = {.keep_alives_enabled = true, .max_request_body_bytes = 1000}};
    start(&f);
    jg_buf body JG_AUTO_BUF = JG_BUF_INIT(1u << 20), answer JG_AUTO_BUF = {0};
    for (int i = 0; i < 900000; i++)
        jg_buf_byte(&body, 'x');
    post(&f, "", &body, &answer);
    assert_has(&answer, "HTTP/1.1 400 ");
    assert_has(&answer, "http: request body too large");
    assert_has(&answer, "Connection: close");
    jg_buf request JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
    jg_buf_lit(&request, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1001; i++)
        jg_buf_lit(&request, "1\r\nx\r\n");
    jg_buf_lit(&request, "0\r\n\r\n");
    jg_buf chunked JG_AUTO_BUF = http_exchange(f.port, (char *)request.data, request.len);
    assert_has(&chunked, "http: request body too large");
    stop(&f);
}

static void endless_trailers_and_extensions_are_refused(void **state)
{
    (void)state;
    static const char *const starts[] = {"1;", "0\r\nX: "};
    fixture f = {KEEP_ALIVE};
    start(&f);
    for (size_t i = 0; i < JG_COUNT(starts); i++) {
        jg_buf request JG_AUTO_BUF = JG_BUF_INIT(4u << 20);
        jg_buf_lit(&request, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        jg_buf_str(&request, jg_str(starts[i]));
        for (int j = 0; j < 1000000; j++)
            jg_buf_byte(&request, 'e');
        jg_buf answer JG_AUTO_BUF = http_exchange(f.port, (char *)request.data, request.len);
        assert_has(&answer, "HTTP/1.1 400 ");
    }
    stop(&f);
}

static void bytes_in_flight_over_the_budget_are_refused(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE, .net_options = {.in_flight_bytes_max = 200000}};
    start(&f);
    jg_buf body JG_AUTO_BUF = JG_BUF_INIT(1u << 20), answer JG_AUTO_BUF = {0}, bomb JG_AUTO_BUF = {0};
    for (int i = 0; i < 300000; i++)
        jg_buf_byte(&body, 'x');
    post(&f, "", &body, &answer);
    assert_has(&answer, "HTTP/1.1 503 ");
    assert_has(&answer, "Retry-After: 1");
    jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
    jaeger_error err = {0};
    assert_ok(jg_encode(JAEGER_STR("gzip"), 0, jg_buf_view(&body), &packed, &err));
    post(&f, "Content-Encoding: gzip\r\n", &packed, &bomb);
    assert_has(&bomb, "HTTP/1.1 503 ");
    assert_has(&bomb, "Retry-After: 1");
    stop(&f);
}

/* ---- replies
 * ---------------------------------------------------------------------------------------------------- */

static void streams_are_chunked_and_bare_for_old_clients(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(HTTP_REPLY_MAX);
    assert_true(http_puts(
        fd, "GET /small HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_int_equal(http_read(fd, &out, HTTP_REPLY_MAX), 0);
    jg_buf_byte(&out, 0);
    assert_has(&out, "Transfer-Encoding: chunked\r\n");
    assert_has(&out, "\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\nHTTP/1.1 200 OK");
    (void)close(fd);
    jg_buf old JG_AUTO_BUF = ask(&f, "GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_has(&old, "\r\n\r\nhello world");
    assert_has(&old, "Connection: close");
    assert_has_not(&old, "chunked");
    stop(&f);
}

static void a_cut_stream_shows(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    jg_buf out JG_AUTO_BUF = ask(&f, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(&out, "4\r\nhalf\r\n");
    assert_has_not(&out, "\r\n0\r\n");
    int fd = http_connect(f.port);
    jg_buf old JG_AUTO_BUF = JG_BUF_INIT(1000);
    assert_true(http_puts(fd, "GET /cut HTTP/1.0\r\n\r\n"));
    assert_int_equal(http_read(fd, &old, 1000), -1); /* a reset */
    (void)close(fd);
    stop(&f);
}

static void head_has_headers_only(void **state)
{
    (void)state;
    static const char *const paths[] = {"/x", "/small", "/big"};
    fixture f = {KEEP_ALIVE};
    start(&f);
    for (size_t i = 0; i < JG_COUNT(paths); i++) {
        char request[200];
        int fd = http_connect(f.port);
        jg_buf out JG_AUTO_BUF = JG_BUF_INIT(HTTP_REPLY_MAX);
        (void)snprintf(
            request, sizeof request,
            "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            paths[i]);
        assert_true(http_puts(fd, request));
        assert_int_equal(http_read(fd, &out, HTTP_REPLY_MAX), 0);
        jg_buf_byte(&out, 0);
        assert_has(&out, "\r\n\r\nHTTP/1.1 200 OK");
        assert_has(&out, i == 1   ? "Transfer-Encoding: chunked"
                         : i == 2 ? "Content-Length: 8388608"
                                  : "Content-Length: ");
        (void)close(fd);
    }
    stop(&f);
}

static void a_handler_that_says_nothing_is_a_500(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    jg_buf out JG_AUTO_BUF = ask(&f, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(&out, "HTTP/1.1 500 Internal Server Error");
    jg_buf split JG_AUTO_BUF = ask(&f, "GET /split HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(&split, "X-Evil: a  X-Injected: b\r\n");
    stop(&f);
}

static void without_keep_alive_every_answer_closes(void **state)
{
    (void)state;
    fixture f = {0};
    start(&f);
    int fd = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(10000);
    assert_true(http_puts(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(http_read(fd, &out, 10000), 0);
    jg_buf_byte(&out, 0);
    assert_has(&out, "Connection: close\r\n");
    (void)close(fd);
    stop(&f);
}

static void a_slow_reader_blocks_the_writer_and_gets_all(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(128u << 20);
    assert_true(http_puts(fd, "GET /stream HTTP/1.0\r\n\r\n"));
    sem_wait(&f.entered);
    usleep(300000);
    assert_int_equal(__atomic_load_n(&f.write_status, __ATOMIC_RELAXED), 0); /* still writing */
    assert_int_equal(http_read(fd, &out, 128u << 20), 0);
    const char *body = strstr((char *)out.data, "\r\n\r\n");
    assert_int_equal((char *)out.data + out.len - (body + 4), 67100000);
    assert_int_equal(__atomic_load_n(&f.write_status, __ATOMIC_RELAXED), 100);
    (void)close(fd);
    stop(&f);
}

static void a_client_that_leaves_ends_the_stream(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    assert_true(http_puts(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    sem_wait(&f.entered);
    (void)close(fd);
    sem_wait(&f.go_on);
    assert_int_equal(__atomic_load_n(&f.write_status, __ATOMIC_RELAXED), 100 + JAEGER_CANCELLED);
    stop(&f);
}

static void a_reader_slower_than_the_deadline_is_given_up(void **state)
{
    (void)state;
    fixture f = {.settings = {.keep_alives_enabled = true, .write_timeout_ns = 300 * JG_NS_PER_MS}};
    start(&f);
    int fd = http_connect(f.port);
    assert_true(http_puts(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    sem_wait(&f.go_on);
    int status = __atomic_load_n(&f.write_status, __ATOMIC_RELAXED);
    assert_true(status == 100 + JAEGER_DEADLINE_EXCEEDED || status == 100 + JAEGER_CANCELLED);
    (void)close(fd);
    stop(&f);
}

static void a_large_answer_in_one_piece_arrives_whole(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    jg_buf out JG_AUTO_BUF = ask(&f, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(out.len > 8u << 20);
    stop(&f);
}

/* ---- time, cancelling, queues
 * ----------------------------------------------------------------------------------- */

static void the_handler_learns_that_the_client_left(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    assert_true(http_puts(fd, "GET /cancel HTTP/1.1\r\nHost: x\r\n\r\n"));
    sem_wait(&f.entered);
    (void)close(fd);
    sem_wait(&f.go_on);
    assert_int_equal(__atomic_load_n(&f.cancelled, __ATOMIC_RELAXED), JAEGER_CANCELLED);
    stop(&f);
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(10000);
    assert_true(http_puts(fd, "GET /half HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(http_read(fd, &out, 10000), 0);
    jg_buf_byte(&out, 0);
    assert_has(&out, "GET /half");
    (void)close(fd);
    stop(&f);
}

static void slow_senders_are_closed(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "", "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};
    fixture f = {.settings = {.keep_alives_enabled = true,
                              .read_timeout_ns = 400 * JG_NS_PER_MS,
                              .read_header_timeout_ns = 300 * JG_NS_PER_MS,
                              .idle_timeout_ns = 300 * JG_NS_PER_MS}};
    start(&f);
    for (size_t i = 0; i < JG_COUNT(parts); i++) {
        int fd = http_connect(f.port);
        jg_buf out JG_AUTO_BUF = JG_BUF_INIT(1000);
        assert_true(http_puts(fd, parts[i]));
        uint64_t begin = jg_clock_mono_ns();
        int how = http_read(fd, &out, 1000);
        assert_true(how == 0 || how == -1);
        assert_true(jg_clock_mono_ns() - begin < 2 * JG_NS_PER_S);
        (void)close(fd);
    }
    stop(&f);
}

static void a_full_queue_of_workers_is_a_503(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE, .net_options = {.workers_max = 1, .jobs_max = 1}};
    start(&f);
    int first = http_connect(f.port), second = http_connect(f.port);
    assert_true(http_puts(first, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
    sem_wait(&f.entered);
    assert_true(http_puts(second, "GET /queued HTTP/1.1\r\nHost: x\r\n\r\n"));
    usleep(200000);
    jg_buf full JG_AUTO_BUF = ask(&f, "GET /full HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(&full, "HTTP/1.1 503 Service Unavailable");
    assert_has(&full, "Retry-After: 1");
    sem_post(&f.go_on);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(10000);
    http_read_answer(second, &out);
    jg_buf_byte(&out, 0);
    assert_has(&out, "/queued");
    (void)close(first);
    (void)close(second);
    stop(&f);
}

static void stopping_waits_for_running_requests(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int idle = http_connect(f.port), busy = http_connect(f.port);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(10000);
    assert_true(http_puts(idle, "GET /first HTTP/1.1\r\nHost: x\r\n\r\n"));
    http_read_answer(idle, &out);
    assert_true(http_puts(busy, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
    sem_wait(&f.entered);
    sem_post(&f.go_on);
    stop(&f);
    jg_buf_clear(&out);
    assert_int_equal(http_read(busy, &out, 10000), 0);
    jg_buf_byte(&out, 0);
    assert_has(&out, "GET /wait");
    jg_buf_clear(&out);
    assert_int_equal(http_read(idle, &out, 10000), 0);
    (void)close(idle);
    (void)close(busy);
}

static void stopping_ends_what_does_not_end(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    int fd = http_connect(f.port);
    assert_true(http_puts(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    sem_wait(&f.entered);
    uint64_t begin = jg_clock_mono_ns();
    jg_http_server_stop(f.server, begin + 200 * JG_NS_PER_MS);
    assert_true(jg_clock_mono_ns() - begin < 3 * JG_NS_PER_S);
    assert_int_equal(__atomic_load_n(&f.write_status, __ATOMIC_RELAXED), 100 + JAEGER_CANCELLED);
    jg_net_free(f.net);
    (void)close(fd);
}

static void *hammer(void *arg)
{
    const fixture *f = arg;
    for (int i = 0; i < 100; i++) {
        int fd = http_connect(f->port);
        jg_buf out JG_AUTO_BUF = JG_BUF_INIT(HTTP_REPLY_MAX);
        for (int j = 0; j < 3; j++) {
            jg_buf_clear(&out);
            (void)http_puts(fd, "POST /h HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
            http_read_answer(fd, &out);
            jg_buf_byte(&out, 0);
            if (!strstr((char *)out.data, "5 bytes"))
                return (void *)1;
        }
        if (i % 3)
            (void)http_puts(fd, "GET /small HTTP/1.1\r\nHost: x\r\n\r\nGET /sm");
        (void)close(fd);
    }
    return NULL;
}

static void many_clients_at_once(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    pthread_t threads[8];
    start(&f);
    for (size_t i = 0; i < JG_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &f), 0);
    for (size_t i = 0; i < JG_COUNT(threads); i++) {
        void *bad;
        (void)pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    stop(&f);
}

/* ---- settings
 * --------------------------------------------------------------------------------------------------- */

static void cors_answers_as_rs_cors(void **state)
{
    (void)state;
    jaeger_str origins[] = {JAEGER_STR("https://*.example.com"), JAEGER_STR("http://ui")};
    jaeger_str headers[] = {JAEGER_STR("X-Tenant")}, exposed[] = {JAEGER_STR("x-trace-id")};
    fixture f = {.settings = {.keep_alives_enabled = true,
                              .cors = {true, {origins, 2}, {headers, 1}, {exposed, 1}, 600}},
                 .auth = true};
    start(&f);
    jg_buf ok JG_AUTO_BUF =
        ask(&f, "OPTIONS /v1/traces HTTP/1.1\r\nHost: x\r\nOrigin: https://A.example.com\r\n"
                "Access-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Headers: x-tenant\r\n\r\n");
    assert_has(&ok, "HTTP/1.1 204 No Content\r\n");
    assert_has(&ok, "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n");
    assert_has(&ok, "Access-Control-Allow-Origin: https://A.example.com\r\n");
    assert_has(&ok, "Access-Control-Allow-Methods: POST\r\n");
    assert_has(&ok, "Access-Control-Allow-Headers: x-tenant\r\n");
    assert_has(&ok, "Access-Control-Allow-Credentials: true\r\n");
    assert_has(&ok, "Access-Control-Max-Age: 600\r\n");
    static const char *const refused[] = {
        "Origin: https://example.org\r\nAccess-Control-Request-Method: POST\r\n",
        "Origin: http://ui\r\nAccess-Control-Request-Method: DELETE\r\n",
        "Origin: http://ui\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: "
        "x-other\r\n",
        "Access-Control-Request-Method: POST\r\n",
    };
    for (size_t i = 0; i < JG_COUNT(refused); i++) {
        char request[400];
        (void)snprintf(request, sizeof request, "OPTIONS / HTTP/1.1\r\nHost: x\r\n%s\r\n", refused[i]);
        jg_buf answer JG_AUTO_BUF = ask(&f, request);
        assert_has(&answer, "HTTP/1.1 204 ");
        assert_has_not(&answer, "Access-Control-Allow-");
    }
    jg_buf actual JG_AUTO_BUF =
        ask(&f, "POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://ui\r\nAuthorization: Basic ok\r\n\r\n");
    assert_has(&actual, "HTTP/1.1 200 OK");
    assert_has(&actual, "Vary: Origin\r\n");
    assert_has(&actual, "Access-Control-Allow-Origin: http://ui\r\n");
    assert_has(&actual, "Access-Control-Expose-Headers: X-Trace-Id\r\n");
    jg_buf denied JG_AUTO_BUF = ask(&f, "POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://ui\r\n\r\n");
    assert_has(&denied, "HTTP/1.1 401 Unauthorized");
    assert_has(&denied, "\r\n\r\nno basic auth provided\n");
    assert_has(&denied, "Access-Control-Allow-Origin: http://ui\r\n");
    stop(&f);
}

static void any_origin_is_a_star(void **state)
{
    (void)state;
    jaeger_str origins[] = {JAEGER_STR("*")};
    fixture f = {.settings = {.keep_alives_enabled = true, .cors = {true, {origins, 1}, {0}, {0}, 0}}};
    start(&f);
    jg_buf answer JG_AUTO_BUF = ask(&f, "GET / HTTP/1.1\r\nHost: x\r\nOrigin: http://any\r\n\r\n");
    assert_has(&answer, "Access-Control-Allow-Origin: *\r\n");
    stop(&f);
}

static void configured_headers_and_metadata(void **state)
{
    (void)state;
    jaeger_pair extra[] = {{JAEGER_STR("X-Frame"), JAEGER_STR("deny")}};
    fixture f = {
        .settings = {.keep_alives_enabled = true, .response_headers = {extra, 1}, .include_metadata = true}};
    start(&f);
    jg_buf answer JG_AUTO_BUF = ask(&f, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n");
    assert_has(&answer, "X-Frame: deny\r\n");
    assert_has(&answer, "metadata 2");
    stop(&f);
}

static void unix_sockets_serve(void **state)
{
    (void)state;
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/jg-http-%d.sock", (int)getpid());
    fixture f = {
        .settings = {.keep_alives_enabled = true, .transport = JAEGER_STR("unix"), .endpoint = jg_str(path)}};
    start(&f);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(10000);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(http_puts(fd, "GET /unix HTTP/1.1\r\nHost: x\r\n\r\n"));
    http_read_answer(fd, &out);
    jg_buf_byte(&out, 0);
    assert_has(&out, "GET /unix");
    (void)close(fd);
    stop(&f);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    fixture f = {KEEP_ALIVE};
    start(&f);
    char endpoint[32];
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", f.port);
    jg_http_server_settings settings = {.endpoint = jg_str(endpoint)};
    jg_http_server_options options = {.settings = &settings, .handler = {handle, &f}, .name = "second"};
    jg_http_server *second;
    jaeger_error err = {0};
    assert_int_equal(jg_http_server_start(f.net, &options, &second, &err), JAEGER_UNAVAILABLE);
    assert_non_null(strstr(err.message, "address already in use"));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_and_answered),
        cmocka_unit_test(requests_that_could_smuggle_are_refused),
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(the_body_is_asked_for_when_the_client_expects_it),
        cmocka_unit_test(heads_have_a_ceiling),
        cmocka_unit_test(encoded_bodies_arrive_decoded_and_bounded),
        cmocka_unit_test(compression_algorithms_limit_the_codings),
        cmocka_unit_test(plain_and_chunked_bodies_above_the_cap_are_refused),
        cmocka_unit_test(endless_trailers_and_extensions_are_refused),
        cmocka_unit_test(bytes_in_flight_over_the_budget_are_refused),
        cmocka_unit_test(streams_are_chunked_and_bare_for_old_clients),
        cmocka_unit_test(a_cut_stream_shows),
        cmocka_unit_test(head_has_headers_only),
        cmocka_unit_test(a_handler_that_says_nothing_is_a_500),
        cmocka_unit_test(without_keep_alive_every_answer_closes),
        cmocka_unit_test(a_slow_reader_blocks_the_writer_and_gets_all),
        cmocka_unit_test(a_client_that_leaves_ends_the_stream),
        cmocka_unit_test(a_reader_slower_than_the_deadline_is_given_up),
        cmocka_unit_test(a_large_answer_in_one_piece_arrives_whole),
        cmocka_unit_test(the_handler_learns_that_the_client_left),
        cmocka_unit_test(a_half_closed_client_still_gets_its_answer),
        cmocka_unit_test(slow_senders_are_closed),
        cmocka_unit_test(a_full_queue_of_workers_is_a_503),
        cmocka_unit_test(stopping_waits_for_running_requests),
        cmocka_unit_test(stopping_ends_what_does_not_end),
        cmocka_unit_test(many_clients_at_once),
        cmocka_unit_test(cors_answers_as_rs_cors),
        cmocka_unit_test(any_origin_is_a_star),
        cmocka_unit_test(configured_headers_and_metadata),
        cmocka_unit_test(unix_sockets_serve),
        cmocka_unit_test(a_port_in_use_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
