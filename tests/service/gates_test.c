/* SPDX-License-Identifier: Apache-2.0 */
#include "service/gates.h"
#include "support/test.h"

static void lists_of_gates_are_applied_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool pipelines, otel, ok; /* service.AllowNoPipelines, ottl.contexts.enableOTelColContext */
    } cases[] = {
        {NULL, false, true, true},
        {"", false, true, true},
        {"service.AllowNoPipelines", true, true, true},
        {"+service.AllowNoPipelines,-ottl.contexts.enableOTelColContext", true, false, true},
        {" service.AllowNoPipelines , -service.AllowNoPipelines,", false, true, true},
        {"storage.clickhouse", false, true, true},
        {"-storage.clickhouse", false, true, false},
        {"service.allowNoPipelines", false, true, false},
        {"-", false, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool on[JG_GATES_MAX];
        jaeger_error err = {0};
        jaeger_status status = jg_gates_parse(cases[i].text, on, &err);
        if ((status == JAEGER_OK) != cases[i].ok)
            fail_msg("%s: %s", cases[i].text, err.message);
        if (!cases[i].ok)
            continue;
        assert_int_equal(jg_gates_get(on, "service.AllowNoPipelines"), cases[i].pipelines);
        assert_int_equal(jg_gates_get(on, "ottl.contexts.enableOTelColContext"), cases[i].otel);
        assert_false(jg_gates_get(on, "no.such.gate"));
    }
}

static void the_table_is_sorted_without_repeats(void **state)
{
    (void)state;
    for (size_t i = 1; i < jg_gate_count; i++)
        if (strcmp(jg_gates[i - 1].id, jg_gates[i].id) >= 0)
            fail_msg("%s before %s", jg_gates[i - 1].id, jg_gates[i].id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_of_gates_are_applied_in_order),
                                       cmocka_unit_test(the_table_is_sorted_without_repeats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
