/* SPDX-License-Identifier: Apache-2.0
 * Calls that nobody waits for: handlers that answer later, and clients' calls that are told their end.
 */
#include "core/cond.h"
#include "support/grpc_fixture.h"
#include <pthread.h>

#define PATIENCE_NS (20 * JG_NS_PER_S)

/** A server whose handler leaves each call to the test. */
typedef struct held {
    grpc_fixture f;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    jg_grpc_stream *streams[16];
    jaeger_call *calls[16];
    size_t count;
    bool on_loop;
} held;

static jaeger_status hold(void *self, jaeger_str request, jg_grpc_stream *stream, jaeger_call *call)
{
    held *h = self;
    char name[16];
    assert_non_null(call->later);
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    if (jg_str_is(request, "refuse"))
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "refused at once");
    pthread_mutex_lock(&h->mutex);
    h->on_loop = strncmp(name, "jg-loop", 7) == 0;
    h->streams[h->count] = stream;
    h->calls[h->count++] = call;
    pthread_cond_broadcast(&h->cond);
    pthread_mutex_unlock(&h->mutex);
    return JAEGER_PENDING;
}

static void wait_held(held *h, size_t count)
{
    struct timespec until = jg_cond_after(PATIENCE_NS);
    pthread_mutex_lock(&h->mutex);
    while (h->count < count)
        assert_int_equal(pthread_cond_timedwait(&h->cond, &h->mutex, &until), 0);
    pthread_mutex_unlock(&h->mutex);
}

static void let_go(held *h, size_t i, jaeger_status status)
{
    jaeger_call *call = h->calls[i];
    if (status == JAEGER_OK)
        status = jg_grpc_send(h->streams[i], "late", 4, call);
    else
        (void)jg_fail(&call->error, status, "told later");
    call->later->done(call->later->user, status);
}

static void held_start(held *h)
{
    const jg_grpc_method method = {"/test.Held/Call", hold, h};
    *h = (held){.mutex = PTHREAD_MUTEX_INITIALIZER,
                .f = {.settings = {.endpoint = JAEGER_STR("127.0.0.1:0")}}};
    jg_cond_init(&h->cond);
    assert_ok(jg_net_new(NULL, &h->f.net, NULL));
    jg_grpc_server_options options = {
        .settings = &h->f.settings, .methods = &method, .method_count = 1, .defers = true};
    assert_ok(jg_grpc_server_start(h->f.net, &options, &h->f.server, NULL));
    (void)snprintf(h->f.endpoint, sizeof h->f.endpoint, "127.0.0.1:%u", jg_grpc_server_port(h->f.server));
    h->f.client_settings = (jg_grpc_client_settings){.endpoint = jg_str(h->f.endpoint), .tls.insecure = true};
    assert_ok(jg_grpc_client_new(h->f.net, &h->f.client_settings, 0, &h->f.client, NULL));
}

/** A call of the client that is told its end. */
typedef struct told {
    jaeger_call call;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned times;
    jaeger_status status;
    char answer[16];
} told;

static void hear(void *user, jaeger_status status, jaeger_str answer)
{
    told *t = user;
    pthread_mutex_lock(&t->mutex);
    t->times++;
    t->status = status;
    (void)snprintf(t->answer, sizeof t->answer, "%.*s", JAEGER_STR_ARGS(answer));
    pthread_cond_broadcast(&t->cond);
    pthread_mutex_unlock(&t->mutex);
}

static const jg_grpc_request request = {.path = "/test.Held/Call", .message = {"hello", 5}};

static void begin(held *h, told *t, uint64_t timeout_ns)
{
    *t = (told){.call = JAEGER_CALL_INIT, .mutex = PTHREAD_MUTEX_INITIALIZER};
    jg_cond_init(&t->cond);
    t->call.deadline_ns = jg_clock_mono_ns() + timeout_ns;
    assert_int_equal(jg_grpc_unary_later(h->f.client, &request, &t->call, hear, t), JAEGER_PENDING);
}

static jaeger_status end_of(told *t)
{
    struct timespec until = jg_cond_after(PATIENCE_NS);
    pthread_mutex_lock(&t->mutex);
    while (!t->times)
        assert_int_equal(pthread_cond_timedwait(&t->cond, &t->mutex, &until), 0);
    assert_int_equal(t->times, 1);
    pthread_mutex_unlock(&t->mutex);
    return t->status;
}

static void answers_may_come_later_and_from_another_thread(void **state)
{
    (void)state;
    held h;
    held_start(&h);
    told calls[6];
    for (size_t i = 0; i < JG_COUNT(calls); i++) {
        begin(&h, &calls[i], PATIENCE_NS);
        wait_held(&h, i + 1);
        assert_true(h.on_loop);
    }
    for (size_t i = JG_COUNT(calls); i-- > 0;) /* the order is free */
        let_go(&h, i, i % 2 ? JAEGER_OK : JAEGER_UNAVAILABLE);
    for (size_t i = 0; i < JG_COUNT(calls); i++) {
        assert_int_equal(end_of(&calls[i]), i % 2 ? JAEGER_OK : JAEGER_UNAVAILABLE);
        assert_string_equal(calls[i].answer, i % 2 ? "late" : "");
        assert_string_equal(calls[i].call.error.message, i % 2 ? "" : "told later");
    }
    fixture_stop(&h.f);
}

static void a_handler_that_knows_answers_at_once(void **state)
{
    (void)state;
    held h;
    held_start(&h);
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(100);
    jaeger_error err;
    assert_int_equal(fixture_call(&h.f, request.path, JAEGER_STR("refuse"), 20000, &answer, &err),
                     JAEGER_INVALID_ARGUMENT);
    assert_string_equal(err.message, "refused at once");
    fixture_stop(&h.f);
}

static void deadlines_end_what_is_pending_on_both_sides(void **state)
{
    (void)state;
    held h;
    held_start(&h);
    told t;
    begin(&h, &t, 100 * JG_NS_PER_MS);
    assert_int_equal(end_of(&t), JAEGER_DEADLINE_EXCEEDED);
    wait_held(&h, 1);
    while (!__atomic_load_n(h.calls[0]->cancelled, __ATOMIC_RELAXED))
        (void)poll(NULL, 0, 2);
    let_go(&h, 0, JAEGER_OK); /* nobody hears it */
    fixture_stop(&h.f);
}

static void a_client_that_cancels_is_told_at_once(void **state)
{
    (void)state;
    held h;
    held_start(&h);
    told calls[3];
    for (size_t i = 0; i < JG_COUNT(calls); i++)
        begin(&h, &calls[i], PATIENCE_NS);
    wait_held(&h, JG_COUNT(calls));
    jg_grpc_client_cancel(h.f.client);
    for (size_t i = 0; i < JG_COUNT(calls); i++)
        assert_int_equal(end_of(&calls[i]), JAEGER_CANCELLED);
    for (size_t i = 0; i < JG_COUNT(calls); i++)
        let_go(&h, i, JAEGER_UNAVAILABLE);
    fixture_stop(&h.f);
}

static void *let_go_soon(void *arg)
{
    held *h = arg;
    (void)poll(NULL, 0, 50);
    let_go(h, 0, JAEGER_OK);
    return NULL;
}

static void a_stop_waits_for_what_is_pending(void **state)
{
    (void)state;
    held h;
    held_start(&h);
    told t;
    pthread_t thread;
    begin(&h, &t, PATIENCE_NS);
    wait_held(&h, 1);
    assert_int_equal(pthread_create(&thread, NULL, let_go_soon, &h), 0);
    jg_grpc_server_stop(h.f.server, jg_clock_mono_ns() + PATIENCE_NS);
    h.f.server = NULL;
    assert_ok(end_of(&t));
    assert_string_equal(t.answer, "late");
    (void)pthread_join(thread, NULL);
    fixture_stop(&h.f);
}

static void a_connection_that_is_lost_or_cannot_be_made_is_told(void **state)
{
    (void)state;
    held h;
    held_start(&h);
    told lost, refused[3];
    begin(&h, &lost, PATIENCE_NS);
    wait_held(&h, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, let_go_soon, &h), 0);
    jg_grpc_server_stop(h.f.server, jg_clock_mono_ns() + JG_NS_PER_MS); /* cut */
    h.f.server = NULL;
    assert_int_equal(end_of(&lost), JAEGER_UNAVAILABLE);
    (void)pthread_join(thread, NULL);
    for (size_t i = 0; i < JG_COUNT(refused); i++)
        begin(&h, &refused[i], PATIENCE_NS);
    for (size_t i = 0; i < JG_COUNT(refused); i++)
        assert_int_equal(end_of(&refused[i]), JAEGER_UNAVAILABLE);
    fixture_stop(&h.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_may_come_later_and_from_another_thread),
        cmocka_unit_test(a_handler_that_knows_answers_at_once),
        cmocka_unit_test(deadlines_end_what_is_pending_on_both_sides),
        cmocka_unit_test(a_client_that_cancels_is_told_at_once),
        cmocka_unit_test(a_stop_waits_for_what_is_pending),
        cmocka_unit_test(a_connection_that_is_lost_or_cannot_be_made_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
