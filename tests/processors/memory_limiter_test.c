/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "core/str.h"
#include "core/sysmem.h"
#include "support/test.h"
#include <jaeger/component.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

extern const jaeger_component_type jg_processor_memory_limiter;

static unsigned passed;

static jaeger_status pass(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    (void)call;
    passed++;
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_batch *make_batch(void)
{
    jaeger_builder *builder = jaeger_builder_new(1 << 16);
    jaeger_batch *batch;
    assert_ok(jaeger_builder_finish(builder, &batch, NULL));
    jaeger_builder_free(builder);
    return batch;
}

static jaeger_status bind(const char *yaml, void *config, jaeger_config **root, jaeger_error *err)
{
    assert_ok(jaeger_config_parse(jg_str(yaml), "limiter.yaml", root, err));
    jaeger_status status = jaeger_config_bind(*root, jg_processor_memory_limiter.fields, config, err);
    return status == JAEGER_OK ? jg_processor_memory_limiter.validate(config, *root, err) : status;
}

static void limiter_refuses_above_the_soft_limit_until_below(void **state)
{
    (void)state;
    enum { HELD = 256 << 20 };
    char yaml[128];
    void *config = calloc(1, jg_processor_memory_limiter.config_size);
    void *self = calloc(1, jg_processor_memory_limiter.state_size);
    jaeger_config *root;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    (void)snprintf(yaml, sizeof yaml, "{check_interval: 1h, limit_mib: %llu, spike_limit_mib: 1}",
                   (unsigned long long)(jg_sysmem_resident_bytes() >> 20) + 129);
    assert_ok(bind(yaml, config, &root, &err));
    jaeger_component_create in = {
        .size = sizeof in, .id = "memory_limiter", .config = config, .next = {pass, NULL}};
    assert_ok(jg_processor_memory_limiter.create(self, &in, &err));
    assert_ok(jg_processor_memory_limiter.start(self, &err));
    assert_ok(jg_processor_memory_limiter.consume(self, make_batch(), &call));

    void *held = mmap(NULL, HELD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_ptr_not_equal(held, MAP_FAILED);
    memset(held, 1, HELD);
    assert_ok(jg_processor_memory_limiter.consume(self, make_batch(), &call)); /* not looked at again yet */
    jg_clock_advance(7200 * (int64_t)JG_NS_PER_S);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(jg_processor_memory_limiter.consume(self, make_batch(), &call), JAEGER_UNAVAILABLE);
        assert_string_equal(call.error.message, "data refused due to high memory usage");
        assert_true(call.error.retry_after_ms > 0);
    }
    assert_int_equal(munmap(held, HELD), 0);
    jg_clock_advance(7200 * (int64_t)JG_NS_PER_S);
    assert_ok(jg_processor_memory_limiter.consume(self, make_batch(), &call));
    assert_int_equal(passed, 3);
    jaeger_config_free(root);
    free(self);
    free(config);
}

static void limiter_refuses_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{limit_mib: 100}", "'check_interval' must be greater than zero"},
        {"{check_interval: 1s}", "'limit_mib' or 'limit_percentage' must be greater than zero"},
        {"{check_interval: 1s, limit_mib: 10, spike_limit_mib: 10}",
         "'spike_limit_mib' must be smaller than"},
        {"{check_interval: 1s, limit_percentage: 10, spike_limit_percentage: 20}",
         "'spike_limit_percentage' must be"},
        {"{check_interval: 1s, limit_percentage: 101}", "less than or equal to hundred"},
        {"{check_interval: 1s, limit_mib: 9, min_gc_interval_when_hard_limited: 20s}",
         "should be larger than"},
        {"{check_interval: 1s, limit_mib: -1}", "overflows uint"},
        {"{check_interval: 1s, limit_mib: 9, max_gc_interval_when_soft_limited: 1s}",
         "has invalid keys: max_gc_interval_when_soft_limited"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_config *root;
        jaeger_error err = {0};
        void *config = calloc(1, jg_processor_memory_limiter.config_size);
        assert_int_equal(bind(cases[i].yaml, config, &root, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("got: %s\nwant: %s", err.message, cases[i].want);
        jaeger_config_free(root);
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limiter_refuses_above_the_soft_limit_until_below),
        cmocka_unit_test(limiter_refuses_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
