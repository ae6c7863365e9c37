/* SPDX-License-Identifier: Apache-2.0
 * Samplers of traced programs, alone, in a tracer, and polling a server.
 */
#include "core/clock.h"
#include "core/hash.h"
#include "core/str.h"
#include "support/http.h"
#include <jaeger/sampling.h>
#include <math.h>

static jaeger_sampler *sampler_of(jaeger_sampler_kind kind, double param)
{
    jaeger_sampler_options options = JAEGER_SAMPLER_OPTIONS_INIT;
    jaeger_sampler *sampler;
    options.kind = kind;
    options.param = param;
    assert_ok(jaeger_sampler_new(&options, &sampler, NULL));
    return sampler;
}

/** @return how many of `n` traces; `ret` as of the last sampled one */
static unsigned count(jaeger_sampler *sampler, const char *operation, unsigned n, jaeger_sample *ret)
{
    static uint64_t ids;
    jaeger_trace_sampler hook = jaeger_sampler_hook(sampler);
    unsigned sampled = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t id[2];
        jaeger_sample how = {0};
        ids++;
        id[0] = jg_hash(&ids, sizeof ids, 1);
        id[1] = jg_hash(&ids, sizeof ids, 2);
        if (!hook.sample_as(hook.self, (const uint8_t *)id, jg_str(operation), &how))
            continue;
        sampled++;
        *ret = how;
    }
    return sampled;
}

static void const_samplers_take_all_or_nothing(void **state)
{
    (void)state;
    jaeger_sample how = {0};
    jaeger_sampler *all = sampler_of(JAEGER_SAMPLER_CONST, 1), *none = sampler_of(JAEGER_SAMPLER_CONST, 0);
    assert_int_equal(count(all, "x", 1000, &how), 1000);
    assert_string_equal(how.type, "const");
    assert_int_equal(count(none, "x", 1000, &how), 0);
    jaeger_sampler_free(all);
    jaeger_sampler_free(none);
}

static void probabilistic_samplers_take_their_share(void **state)
{
    (void)state;
    static const double rates[] = {0, 0.001, 0.1, 0.5, 0.9, 1};
    for (size_t i = 0; i < JG_COUNT(rates); i++) {
        jaeger_sample how = {.param = rates[i]};
        jaeger_sampler *sampler = sampler_of(JAEGER_SAMPLER_PROBABILISTIC, rates[i]);
        double got = count(sampler, "x", 200000, &how) / 200000.0;
        if (fabs(got - rates[i]) > 4 * sqrt(rates[i] * (1 - rates[i]) / 200000) + 1e-9)
            fail_msg("%g of traces, want %g", got, rates[i]);
        assert_true(how.param == rates[i]);
        jaeger_sampler_free(sampler);
    }
}

static void the_same_trace_is_decided_alike_everywhere(void **state)
{
    (void)state;
    static const uint8_t low[16] = {[7] = 0xff, [8] = 0x00, [9] = 0x10}, high[16] = {[8] = 0x7f, [9] = 0xff};
    static const uint8_t sign_bit[16] = {[8] = 0x80, [9] = 0x10}; /* 63 bits count */
    jaeger_sampler *sampler = sampler_of(JAEGER_SAMPLER_PROBABILISTIC, 0.25);
    jaeger_trace_sampler hook = jaeger_sampler_hook(sampler);
    assert_true(hook.sample(hook.self, low, JAEGER_STR("x")));
    assert_true(hook.sample(hook.self, sign_bit, JAEGER_STR("x")));
    assert_false(hook.sample(hook.self, high, JAEGER_STR("x")));
    jaeger_sampler_free(sampler);
}

static void rate_limiting_samplers_keep_to_their_rate(void **state)
{
    (void)state;
    jaeger_sample how = {0};
    jaeger_sampler *sampler = sampler_of(JAEGER_SAMPLER_RATE_LIMITING, 5);
    assert_int_equal(count(sampler, "x", 1000, &how), 5);
    assert_string_equal(how.type, "ratelimiting");
    assert_true(how.param == 5);
    jg_clock_advance(400 * JG_NS_PER_MS);
    assert_int_equal(count(sampler, "x", 1000, &how), 2);
    jg_clock_advance(3600 * JG_NS_PER_S);
    assert_int_equal(count(sampler, "x", 1000, &how), 5); /* no more than a second's worth */
    jaeger_sampler_free(sampler);
    sampler = sampler_of(JAEGER_SAMPLER_RATE_LIMITING, 0);
    assert_int_equal(count(sampler, "x", 10, &how), 0);
    jaeger_sampler_free(sampler);
    sampler = sampler_of(JAEGER_SAMPLER_RATE_LIMITING, 0.1);
    assert_int_equal(count(sampler, "x", 10, &how), 1);
    jg_clock_advance(5 * JG_NS_PER_S);
    assert_int_equal(count(sampler, "x", 10, &how), 0);
    jg_clock_advance(6 * JG_NS_PER_S);
    assert_int_equal(count(sampler, "x", 10, &how), 1);
    jaeger_sampler_free(sampler);
}

static void operations_have_their_own_rates_and_a_minimum(void **state)
{
    (void)state;
    const jaeger_operation_rate rates[] = {{JAEGER_STR("often"), 1}, {JAEGER_STR("never"), 0}};
    jaeger_strategy strategy = {
        .has_operations = true, .lower_bound = 0.5, .operations = rates, .operation_count = 2};
    jaeger_sample how = {0};
    jaeger_sampler *sampler = sampler_of(JAEGER_SAMPLER_CONST, 1);
    assert_ok(jaeger_sampler_apply(sampler, &strategy));
    assert_int_equal(count(sampler, "often", 100, &how), 100);
    assert_string_equal(how.type, "probabilistic");
    assert_int_equal(count(sampler, "never", 100, &how), 1);
    assert_string_equal(how.type, "lowerbound");
    assert_true(how.param == 0);
    assert_int_equal(count(sampler, "unlisted", 100, &how), 1);
    jg_clock_advance(2100 * JG_NS_PER_MS);
    assert_int_equal(count(sampler, "never", 100, &how), 1);
    strategy.operation_count = 1; /* "never" is forgotten: the default, with its saved minimum */
    strategy.default_rate = 1;
    assert_ok(jaeger_sampler_apply(sampler, &strategy));
    assert_int_equal(count(sampler, "never", 100, &how), 100);
    strategy = (jaeger_strategy){
        .kind = JAEGER_STRATEGY_RATE_LIMITING, .has_limit = true, .traces_per_second_max = 3};
    assert_ok(jaeger_sampler_apply(sampler, &strategy));
    assert_int_equal(count(sampler, "often", 100, &how), 3);
    assert_ok(jaeger_sampler_apply(sampler, &strategy)); /* the same again is no new allowance */
    assert_int_equal(count(sampler, "often", 100, &how), 0);
    jaeger_sampler_free(sampler);
}

static void operations_without_end_share_the_default(void **state)
{
    (void)state;
    jaeger_strategy strategy = {.has_operations = true, .lower_bound = 1};
    jaeger_sampler_options options = JAEGER_SAMPLER_OPTIONS_INIT;
    jaeger_sampler *sampler;
    jaeger_sample how = {0};
    options.operations_max = 10;
    assert_ok(jaeger_sampler_new(&options, &sampler, NULL));
    assert_ok(jaeger_sampler_apply(sampler, &strategy));
    unsigned sampled = 0;
    for (int i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "op-%d", i);
        sampled += count(sampler, name, 10, &how);
    }
    assert_int_equal(sampled, 10); /* the minimum of those that are known */
    jaeger_sampler_free(sampler);
}

static void bad_parameters_are_refused(void **state)
{
    (void)state;
    static const struct {
        jaeger_sampler_kind kind;
        double param;
    } rows[] = {{JAEGER_SAMPLER_PROBABILISTIC, 1.5},
                {JAEGER_SAMPLER_PROBABILISTIC, -0.1},
                {JAEGER_SAMPLER_REMOTE, 2},
                {JAEGER_SAMPLER_RATE_LIMITING, -1},
                {(jaeger_sampler_kind)9, 0}};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_sampler_options options = JAEGER_SAMPLER_OPTIONS_INIT;
        jaeger_sampler *sampler;
        options.kind = rows[i].kind;
        options.param = rows[i].param;
        assert_int_equal(jaeger_sampler_new(&options, &sampler, NULL), JAEGER_INVALID_ARGUMENT);
    }
}

/* ---- in a tracer ---- */

typedef struct seen {
    unsigned roots, children, described;
} seen;

static jaeger_status look(void *self, jaeger_batch *take, jaeger_call *call)
{
    seen *s = self;
    (void)call;
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++) {
        const jaeger_span *span = &jaeger_batch_spans(take)[i];
        jaeger_attr type, param;
        bool described = jaeger_find_attr(jaeger_span_attrs(span), JAEGER_STR("sampler.type"), &type) &&
                         jaeger_find_attr(jaeger_span_attrs(span), JAEGER_STR("sampler.param"), &param);
        bool root = jg_id_is_zero(span->parent_span_id, 8);
        s->roots += root;
        s->children += !root;
        s->described += described;
        if (described) {
            assert_str(type.value.u.s, "probabilistic");
            assert_true(param.value.type == JAEGER_VALUE_DOUBLE && param.value.u.d == 0.5);
        }
    }
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void a_tracer_tells_in_its_roots_how_they_were_sampled(void **state)
{
    (void)state;
    seen s = {0};
    jaeger_sampler *sampler = sampler_of(JAEGER_SAMPLER_PROBABILISTIC, 0.5);
    jaeger_tracer_options options = {.size = sizeof options,
                                     .service = JAEGER_STR("s"),
                                     .out = {look, &s},
                                     .sampler = jaeger_sampler_hook(sampler)};
    jaeger_tracer *tracer;
    assert_ok(jaeger_tracer_new(&options, &tracer, NULL));
    for (int i = 0; i < 200; i++) {
        jaeger_context context;
        jaeger_live_span *root = jaeger_span_begin(tracer, NULL, JAEGER_STR("root"), 0);
        if (jaeger_live_span_context(root, &context))
            jaeger_span_end(jaeger_span_begin(tracer, &context, JAEGER_STR("child"), 0));
        jaeger_span_end(root);
    }
    jaeger_tracer_free(tracer);
    jaeger_sampler_free(sampler);
    assert_true(s.roots > 50 && s.roots < 150);
    assert_int_equal(s.children, s.roots);
    assert_int_equal(s.described, s.roots);
}

/* ---- polling ---- */

static const char *answer_text;

static void answer(void *self, jg_http_request *request, jg_http_reply *reply)
{
    (void)self;
    jaeger_str service = jg_query_get(request->call->arena, request->query, "service");
    const char *text = __atomic_load_n(&answer_text, __ATOMIC_SEQ_CST);
    if (!jg_str_is(service, "my shop"))
        jg_http_send(reply, 400, NULL, JAEGER_STR("no"));
    else
        jg_http_send(reply, *text ? 200 : 500, "application/json", jg_str(text));
}

static void wait_for_share(jaeger_sampler *sampler, const char *operation, unsigned low, unsigned high)
{
    jaeger_sample how = {0};
    unsigned got = 0;
    for (int i = 0; i < 500; i++) {
        got = count(sampler, operation, 1000, &how);
        if (got >= low && got <= high)
            return;
        (void)usleep(20000);
    }
    fail_msg("%u of 1000 traces of %s, want %u to %u", got, operation, low, high);
}

static void a_remote_sampler_polls_and_keeps_what_it_heard(void **state)
{
    (void)state;
    jg_http_server_settings settings = {.endpoint = JAEGER_STR("127.0.0.1:0"), .keep_alives_enabled = true};
    jg_http_server_options server_options = {
        .settings = &settings, .handler = {answer, NULL}, .name = "test"};
    jg_net *net;
    jg_http_server *server;
    answer_text = "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0}}";
    assert_ok(jg_net_new(&(jg_net_options){.loop_threads = 1, .http_threads = 1}, &net, NULL));
    assert_ok(jg_http_server_start(net, &server_options, &server, NULL));
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u/sampling", jg_http_server_port(server));
    jaeger_sampler_options options = JAEGER_SAMPLER_OPTIONS_INIT;
    options.kind = JAEGER_SAMPLER_REMOTE;
    options.param = 1;
    options.service = JAEGER_STR("my shop");
    options.endpoint = endpoint;
    options.poll_interval_ns = 20 * JG_NS_PER_MS;
    jaeger_sampler *sampler;
    assert_ok(jaeger_sampler_new(&options, &sampler, NULL));
    wait_for_share(sampler, "x", 0, 0);
    __atomic_store_n(
        &answer_text,
        "{\"strategyType\":\"PROBABILISTIC\",\"operationSampling\":{\"defaultSamplingProbability\":0,"
        "\"perOperationStrategies\":[{\"operation\":\"half\",\"probabilisticSampling\":{"
        "\"samplingRate\":0.5}}]}}",
        __ATOMIC_SEQ_CST);
    wait_for_share(sampler, "half", 400, 600);
    wait_for_share(sampler, "x", 0, 0);
    __atomic_store_n(&answer_text, "", __ATOMIC_SEQ_CST);
    (void)usleep(100000);
    wait_for_share(sampler, "half", 400, 600);
    __atomic_store_n(&answer_text, "{\"strategyType\":[", __ATOMIC_SEQ_CST);
    (void)usleep(100000);
    wait_for_share(sampler, "half", 400, 600);
    jaeger_sampler_free(sampler);
    jg_http_server_stop(server, 0);
    jg_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(const_samplers_take_all_or_nothing),
        cmocka_unit_test(probabilistic_samplers_take_their_share),
        cmocka_unit_test(the_same_trace_is_decided_alike_everywhere),
        cmocka_unit_test(rate_limiting_samplers_keep_to_their_rate),
        cmocka_unit_test(operations_have_their_own_rates_and_a_minimum),
        cmocka_unit_test(operations_without_end_share_the_default),
        cmocka_unit_test(bad_parameters_are_refused),
        cmocka_unit_test(a_tracer_tells_in_its_roots_how_they_were_sampled),
        cmocka_unit_test(a_remote_sampler_polls_and_keeps_what_it_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
