/* SPDX-License-Identifier: Apache-2.0 */
#include "support/grpc_fixture.h"
#include <pthread.h>

static void server_echoes_messages_of_all_sizes(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    static const size_t sizes[] = {0, 1, 4, 5, 16384, 65535, 65536, 65537, 1 << 20, 4 << 20};
    JG_AUTO_FREE char *bytes = jg_alloc(4 << 20);
    memset(bytes, 'x', 4 << 20);
    f.client_recv_max = 0;
    for (size_t i = 0; i < JG_COUNT(sizes); i++) {
        JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(8 << 20);
        assert_ok(fixture_call(&f, "/test.Echo/Unary", (jaeger_str){bytes, sizes[i]}, 5000, &answer, NULL));
        assert_int_equal(answer.len, sizes[i]);
        JG_AUTO_BUF jg_buf taken = JG_BUF_INIT(8 << 20);
        if (sizes[i]) {
            assert_ok(fixture_call(&f, "/test.Echo/Take", (jaeger_str){bytes, sizes[i]}, 5000, &taken, NULL));
            assert_int_equal(taken.len, sizes[i]);
        }
    }
    fixture_stop(&f);
}

static void server_reads_and_writes_compressed_messages(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "zstd", "snappy"};
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        grpc_fixture f = {.client_settings.compression = jg_str(codings[i])};
        fixture_start(&f);
        JG_AUTO_FREE char *bytes = jg_alloc(300000);
        for (size_t k = 0; k < 300000; k++)
            bytes[k] = (char)(k * k >> 7);
        JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1 << 20);
        assert_ok(fixture_call(&f, "/test.Echo/Take", (jaeger_str){bytes, 300000}, 5000, &answer, NULL));
        assert_int_equal(answer.len, 300000);
        assert_memory_equal(answer.data, bytes, 300000);
        fixture_stop(&f);
    }
}

typedef struct counted {
    size_t count, bytes;
    unsigned pause_ms;
    size_t stop_at;
} counted;

static jaeger_status count_message(void *user, jaeger_str message, jaeger_call *call)
{
    counted *c = user;
    assert_int_equal(message.ptr[0], (char)c->count);
    c->count++;
    c->bytes += message.len;
    if (c->pause_ms)
        (void)poll(NULL, 0, (int)c->pause_ms);
    return c->stop_at && c->count == c->stop_at ? jg_fail(&call->error, JAEGER_ABORTED, "enough") : JAEGER_OK;
}

static void server_streams_in_order_to_fast_and_slow_readers(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t count, bytes;
        unsigned pause_ms;
    } cases[] = {{"1000 100", 1000, 100000, 0},
                 {"100 300000", 100, 30000000, 0},
                 {"60 100000", 60, 6000000, 5},
                 {"0 0", 0, 0, 0}};
    grpc_fixture f = {0};
    fixture_start(&f);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        counted c = {.pause_ms = cases[i].pause_ms};
        jaeger_call call = JAEGER_CALL_INIT;
        jg_grpc_request request = {.path = "/test.Echo/Stream",
                                   .message = jg_str(cases[i].what),
                                   .on_message = count_message,
                                   .user = &c};
        assert_ok(jg_grpc_call(f.client, &request, &call));
        assert_int_equal(c.count, cases[i].count);
        assert_int_equal(c.bytes, cases[i].bytes);
    }
    counted c = {.stop_at = 3};
    jaeger_call call = JAEGER_CALL_INIT;
    jg_grpc_request request = {.path = "/test.Echo/Stream",
                               .message = JAEGER_STR("100000 10000"),
                               .on_message = count_message,
                               .user = &c};
    assert_int_equal(jg_grpc_call(f.client, &request, &call), JAEGER_ABORTED);
    assert_string_equal(call.error.message, "enough");
    fixture_stop(&f);
}

static void server_answers_errors_as_grpc_go_does(void **state)
{
    (void)state;
    grpc_fixture f = {.settings.max_recv_msg_size_mib = 1};
    fixture_start(&f);
    JG_AUTO_FREE char *big = jg_calloc(1, 2 << 20);
    const struct {
        const char *path;
        jaeger_str message;
        jaeger_status status;
        const char *text;
        uint32_t retry_after_ms;
    } cases[] = {
        {"/test.Echo/Fail", JAEGER_STR("x"), JAEGER_UNAVAILABLE, "100%\nx\xc3\xbc", 2500},
        {"/test.Echo/Nope", JAEGER_STR(""), JAEGER_UNIMPLEMENTED, "unknown method Nope for service test.Echo",
         0},
        {"/nope.Nope/Nope", JAEGER_STR(""), JAEGER_UNIMPLEMENTED, "unknown service nope.Nope", 0},
        {"/nope", JAEGER_STR(""), JAEGER_UNIMPLEMENTED, "malformed method name: \"/nope\"", 0},
        {"/test.Echo/Stream", JAEGER_STR("x"), JAEGER_INVALID_ARGUMENT, "want <count> <size>", 0},
        {"/test.Echo/Unary",
         {big, (1 << 20) + 1},
         JAEGER_RESOURCE_EXHAUSTED,
         "grpc: received message larger than max (1048577 vs. 1048576)",
         0},
        {"/grpc.health.v1.Health/Check", JAEGER_STR("\x0a\x01?"), JAEGER_NOT_FOUND, "unknown service", 0},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(4 << 20);
        jaeger_error err = {0};
        assert_int_equal(fixture_call(&f, cases[i].path, cases[i].message, 5000, &answer, &err),
                         cases[i].status);
        assert_string_equal(err.message, cases[i].text);
        assert_int_equal(err.retry_after_ms, cases[i].retry_after_ms);
    }
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    assert_ok(fixture_call(&f, "/grpc.health.v1.Health/Check", JAEGER_STR(""), 5000, &answer, NULL));
    assert_memory_equal(answer.data, "\x08\x01", 2);
    fixture_stop(&f);
}

static void server_bounds_decompressed_messages(void **state)
{
    (void)state;
    grpc_fixture f = {.client_settings.compression = JAEGER_STR("gzip")};
    fixture_start(&f);
    JG_AUTO_FREE char *zeros = jg_calloc(1, 64 << 20);
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    assert_int_equal(
        fixture_call(&f, "/test.Echo/Unary", (jaeger_str){zeros, 64 << 20}, 20000, &answer, &err),
        JAEGER_RESOURCE_EXHAUSTED);
    assert_string_equal(err.message, "grpc: received message after decompression larger than max 4194304");
    fixture_stop(&f);
}

static void assert_nobody_sleeps(grpc_fixture *f)
{
    for (int i = 0; i < 400 && __atomic_load_n(&f->sleeping, __ATOMIC_RELAXED); i++)
        (void)poll(NULL, 0, 5);
    assert_int_equal(__atomic_load_n(&f->sleeping, __ATOMIC_RELAXED), 0);
}

static void server_keeps_deadlines_and_tells_handlers(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    jaeger_error err = {0};
    uint64_t begin = jg_clock_mono_ns();
    assert_int_equal(fixture_call(&f, "/test.Echo/Sleep", JAEGER_STR("20000"), 100, &answer, &err),
                     JAEGER_DEADLINE_EXCEEDED);
    assert_true(jg_clock_mono_ns() - begin < 2 * JG_NS_PER_S);
    assert_nobody_sleeps(&f);
    fixture_stop(&f);
}

static void *set_later(void *arg)
{
    (void)poll(NULL, 0, 100);
    __atomic_store_n((int *)arg, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void server_hears_of_cancelled_calls(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    int cancelled = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, set_later, &cancelled), 0);
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    jaeger_call call = JAEGER_CALL_INIT;
    call.cancelled = &cancelled;
    assert_int_equal(jg_grpc_unary(f.client, "/test.Echo/Sleep", JAEGER_STR("20000"), &answer, &call),
                     JAEGER_CANCELLED);
    (void)pthread_join(thread, NULL);
    assert_nobody_sleeps(&f);
    fixture_stop(&f);
}

static jaeger_status want_key(void *self, jaeger_call *call)
{
    (void)self;
    for (size_t i = 0; i < call->metadata_count; i++)
        if (jg_str_is(call->metadata[i].key, "authorization") && jg_str_is(call->metadata[i].value, "key"))
            return JAEGER_OK;
    return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "no key");
}

static void server_asks_its_authenticator_and_keeps_metadata(void **state)
{
    (void)state;
    jaeger_pair headers[] = {{JAEGER_STR("X-Static"), JAEGER_STR("s")}};
    grpc_fixture f = {.auth = {want_key, NULL},
                      .settings.include_metadata = true,
                      .client_settings = {.headers = {headers, 1}, .user_agent = JAEGER_STR("t")}};
    fixture_start(&f);
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    jaeger_error err = {0};
    assert_int_equal(fixture_call(&f, "/test.Echo/Show", JAEGER_STR(""), 5000, &answer, &err),
                     JAEGER_UNAUTHENTICATED);
    assert_string_equal(err.message, "no key");
    jaeger_pair metadata[] = {{JAEGER_STR("authorization"), JAEGER_STR("key")},
                              {JAEGER_STR("raw-bin"), JAEGER_STR("\x01\xff")}};
    fixture_stop(&f);
    f = (grpc_fixture){.auth = {want_key, NULL},
                       .settings.include_metadata = true,
                       .client_settings = {.headers = {metadata, 2}, .user_agent = JAEGER_STR("t")}};
    fixture_start(&f);
    assert_ok(fixture_call(&f, "/test.Echo/Show", JAEGER_STR(""), 5000, &answer, NULL));
    assert_str(jg_buf_view(&answer), " user-agent=t authorization=key raw-bin=\x01\xff");
    fixture_stop(&f);
}

typedef struct busy_call {
    grpc_fixture *f;
    const char *ms;
    pthread_t thread;
    jaeger_status status;
    jaeger_error err;
} busy_call;

static void *sleep_call(void *arg)
{
    busy_call *b = arg;
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    b->status = fixture_call(b->f, "/test.Echo/Sleep", jg_str(b->ms), 10000, &answer, &b->err);
    return NULL;
}

static void run_sleepers(grpc_fixture *f, busy_call *calls, size_t count, const char *ms)
{
    for (size_t i = 0; i < count; i++) {
        calls[i] = (busy_call){.f = f, .ms = ms};
        assert_int_equal(pthread_create(&calls[i].thread, NULL, sleep_call, &calls[i]), 0);
    }
}

static void server_refuses_when_its_queue_is_full_and_says_when_to_come_back(void **state)
{
    (void)state;
    grpc_fixture f = {.net_options = {.workers_max = 1, .jobs_max = 2}};
    fixture_start(&f);
    busy_call calls[20];
    run_sleepers(&f, calls, JG_COUNT(calls), "200");
    size_t served = 0, refused = 0;
    for (size_t i = 0; i < JG_COUNT(calls); i++) {
        (void)pthread_join(calls[i].thread, NULL);
        served += calls[i].status == JAEGER_OK;
        if (calls[i].status == JAEGER_UNAVAILABLE) {
            refused++;
            assert_int_equal(calls[i].err.retry_after_ms, 1000);
        }
    }
    assert_true(served >= 2 && refused >= 10);
    assert_int_equal(served + refused, JG_COUNT(calls));
    fixture_stop(&f);
}

static void server_refuses_what_its_budget_does_not_hold(void **state)
{
    (void)state;
    grpc_fixture f = {.net_options = {.in_flight_bytes_max = 200000}};
    fixture_start(&f);
    JG_AUTO_FREE char *bytes = jg_calloc(1, 300000);
    for (int i = 0; i < 20; i++) {
        JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1 << 20);
        jaeger_error err = {0};
        assert_int_equal(
            fixture_call(&f, "/test.Echo/Unary", (jaeger_str){bytes, 300000}, 5000, &answer, &err),
            JAEGER_RESOURCE_EXHAUSTED);
        assert_int_equal(err.retry_after_ms, 1000);
        assert_ok(fixture_call(&f, "/test.Echo/Unary", (jaeger_str){bytes, 190000}, 5000, &answer, NULL));
    }
    fixture_stop(&f);
}

static void server_lets_calls_end_when_it_stops_and_client_connects_again(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    busy_call calls[8];
    run_sleepers(&f, calls, JG_COUNT(calls), "300");
    while (__atomic_load_n(&f.sleeping, __ATOMIC_RELAXED) < (int)JG_COUNT(calls))
        (void)poll(NULL, 0, 2);
    jg_grpc_server_stop(f.server, jg_clock_mono_ns() + 5 * JG_NS_PER_S);
    for (size_t i = 0; i < JG_COUNT(calls); i++) {
        (void)pthread_join(calls[i].thread, NULL);
        assert_int_equal(calls[i].status, JAEGER_OK);
    }
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1024);
    assert_int_equal(fixture_call(&f, "/test.Echo/Unary", JAEGER_STR("x"), 3000, &answer, NULL),
                     JAEGER_UNAVAILABLE);
    f.settings.endpoint = jg_str(f.endpoint);
    fixture_serve(&f);
    jaeger_status status = JAEGER_UNAVAILABLE;
    for (int i = 0; i < 300 && status == JAEGER_UNAVAILABLE; i++) {
        (void)poll(NULL, 0, 10);
        jg_buf_clear(&answer);
        status = fixture_call(&f, "/test.Echo/Unary", JAEGER_STR("x"), 3000, &answer, NULL);
    }
    assert_ok(status);
    fixture_stop(&f);
}

static void server_cuts_calls_at_the_deadline_of_its_stop(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    busy_call call;
    run_sleepers(&f, &call, 1, "9000");
    while (!__atomic_load_n(&f.sleeping, __ATOMIC_RELAXED))
        (void)poll(NULL, 0, 2);
    uint64_t begin = jg_clock_mono_ns();
    jg_grpc_server_stop(f.server, begin + 200 * JG_NS_PER_MS);
    assert_true(jg_clock_mono_ns() - begin < 3 * JG_NS_PER_S);
    f.server = NULL;
    (void)pthread_join(call.thread, NULL);
    assert_int_equal(call.status, JAEGER_UNAVAILABLE);
    fixture_stop(&f);
}

static void *hammer(void *arg)
{
    grpc_fixture *f = arg;
    size_t good = 0;
    for (int i = 0; i < 200; i++) {
        JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1 << 20);
        char text[16];
        int n = snprintf(text, sizeof text, "%d", i);
        if (fixture_call(f, "/test.Echo/Unary", (jaeger_str){text, (size_t)n}, 10000, &answer, NULL) ==
                JAEGER_OK &&
            answer.len == (size_t)n && memcmp(answer.data, text, (size_t)n) == 0)
            good++;
    }
    return (void *)good;
}

static void server_serves_many_threads_at_once(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    pthread_t threads[16];
    for (size_t i = 0; i < JG_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &f), 0);
    for (size_t i = 0; i < JG_COUNT(threads); i++) {
        void *good = NULL;
        (void)pthread_join(threads[i], &good);
        assert_int_equal((size_t)good, 200);
    }
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_echoes_messages_of_all_sizes),
        cmocka_unit_test(server_reads_and_writes_compressed_messages),
        cmocka_unit_test(server_streams_in_order_to_fast_and_slow_readers),
        cmocka_unit_test(server_answers_errors_as_grpc_go_does),
        cmocka_unit_test(server_bounds_decompressed_messages),
        cmocka_unit_test(server_keeps_deadlines_and_tells_handlers),
        cmocka_unit_test(server_hears_of_cancelled_calls),
        cmocka_unit_test(server_asks_its_authenticator_and_keeps_metadata),
        cmocka_unit_test(server_refuses_when_its_queue_is_full_and_says_when_to_come_back),
        cmocka_unit_test(server_refuses_what_its_budget_does_not_hold),
        cmocka_unit_test(server_lets_calls_end_when_it_stops_and_client_connects_again),
        cmocka_unit_test(server_cuts_calls_at_the_deadline_of_its_stop),
        cmocka_unit_test(server_serves_many_threads_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
