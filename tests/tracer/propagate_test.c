/* SPDX-License-Identifier: Apache-2.0 */
#include "core/attr.h"
#include "core/str.h"
#include "support/test.h"
#include <jaeger/tracer.h>

typedef struct headers {
    const char *names[8];
    char values[8][128];
    size_t count;
} headers;

static jaeger_str get(void *self, const char *name)
{
    headers *h = self;
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->names[i], name) == 0)
            return jg_str(h->values[i]);
    return (jaeger_str){0};
}

static void set(void *self, const char *name, jaeger_str value)
{
    headers *h = self;
    h->names[h->count] = name;
    memcpy(h->values[h->count], value.ptr, value.len);
    h->values[h->count++][value.len] = 0;
}

#define T "4bf92f3577b34da6a3ce929d0e0e4736"
#define S "00f067aa0ba902b7"

static void propagate_reads_each_format(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool ok, sampled;
    } rows[] = {
        {"traceparent", "00-" T "-" S "-01", true, true},
        {"traceparent", "00-" T "-" S "-00", true, false},
        {"traceparent", "00-" T "-" S "-01-extra", false, false},
        {"traceparent", "cc-" T "-" S "-01-extra", true, true},
        {"traceparent", "cc-" T "-" S "-01.extra", false, false},
        {"traceparent", "ff-" T "-" S "-01", false, false},
        {"traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" S "-01", false, false},
        {"traceparent", "00-00000000000000000000000000000000-" S "-01", false, false},
        {"traceparent", "00-" T "-0000000000000000-01", false, false},
        {"traceparent", "00-" T "-" S, false, false},
        {"traceparent", "", false, false},
        {"b3", T "-" S "-1", true, true},
        {"b3", T "-" S "-d", true, true},
        {"b3", T "-" S "-0", true, false},
        {"b3", T "-" S "-1-05e3ac9a4f6e3b90", true, true},
        {"b3", "a3ce929d0e0e4736-" S "-1", true, true},
        {"b3", "0", false, false},
        {"b3", "xyz-" S "-1", false, false},
        {"uber-trace-id", T ":" S ":0:1", true, true},
        {"uber-trace-id", T "%3A" S "%3A0%3a1", true, true},
        {"uber-trace-id", "abc:1:0:0", true, false},
        {"uber-trace-id", "abc:1:0:3", true, true},
        {"uber-trace-id", "abc:0:0:1", false, false},
        {"uber-trace-id", "abc:1", false, false},
        {"uber-trace-id", ":::", false, false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        headers h = {0};
        jaeger_context context;
        set(&h, rows[i].name, jg_str(rows[i].value));
        if (jaeger_extract(JAEGER_PROPAGATE_ALL, (jaeger_carrier){get, set, &h}, &context) != rows[i].ok ||
            context.sampled != rows[i].sampled || context.remote != rows[i].ok)
            fail_msg("%s: %s", rows[i].name, rows[i].value);
    }
}

static void propagate_reads_back_what_it_wrote(void **state)
{
    (void)state;
    jaeger_context context = {.trace_id = {1, 2, 3, 0xff},
                              .span_id = {9, 8},
                              .sampled = true,
                              .trace_state_len = 7,
                              .trace_state = "a=1,b=2"};
    static const unsigned formats[] = {JAEGER_W3C, JAEGER_B3_SINGLE, JAEGER_B3_MULTI, JAEGER_UBER};
    for (size_t i = 0; i < JG_COUNT(formats); i++) {
        headers h = {0};
        jaeger_context back;
        jaeger_inject(&context, formats[i], (jaeger_carrier){get, set, &h});
        assert_true(jaeger_extract(JAEGER_PROPAGATE_ALL, (jaeger_carrier){get, set, &h}, &back));
        assert_memory_equal(back.trace_id, context.trace_id, 16);
        assert_memory_equal(back.span_id, context.span_id, 8);
        assert_true(back.sampled);
        assert_int_equal(back.trace_state_len, formats[i] == JAEGER_W3C ? 7 : 0);
    }
}

static void propagate_writes_nothing_for_no_context(void **state)
{
    (void)state;
    headers h = {0};
    jaeger_inject(&(jaeger_context){0}, JAEGER_PROPAGATE_ALL, (jaeger_carrier){get, set, &h});
    assert_int_equal(h.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(propagate_reads_each_format),
        cmocka_unit_test(propagate_reads_back_what_it_wrote),
        cmocka_unit_test(propagate_writes_nothing_for_no_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
