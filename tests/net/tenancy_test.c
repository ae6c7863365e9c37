/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "net/tenancy.h"
#include "support/test.h"

static void tenancy_takes_one_known_header(void **state)
{
    (void)state;
    jaeger_str known[] = {JAEGER_STR("a"), JAEGER_STR("b")};
    const jg_tenancy off = {0}, any = {.enabled = true}, two = {.enabled = true, .tenants = {known, 2}},
                     own = {.enabled = true, .header = JAEGER_STR("X-Org")};
    static const struct {
        const char *name;
        int tenancy;
        jaeger_pair headers[2];
        size_t count;
        jaeger_status want;
        const char *tenant;
    } rows[] = {
        {"off: the default tenant", 0, {{{"x-tenant", 8}, {"z", 1}}}, 1, JAEGER_OK, ""},
        {"any", 1, {{{"x-tenant", 8}, {"z", 1}}}, 1, JAEGER_OK, "z"},
        {"missing", 1, {{{"other", 5}, {"z", 1}}}, 1, JAEGER_UNAUTHENTICATED, ""},
        {"empty", 1, {{{"x-tenant", 8}, {"", 0}}}, 1, JAEGER_UNAUTHENTICATED, ""},
        {"twice",
         1,
         {{{"x-tenant", 8}, {"a", 1}}, {{"x-tenant", 8}, {"a", 1}}},
         2,
         JAEGER_PERMISSION_DENIED,
         ""},
        {"known", 2, {{{"x-tenant", 8}, {"b", 1}}}, 1, JAEGER_OK, "b"},
        {"unknown", 2, {{{"x-tenant", 8}, {"c", 1}}}, 1, JAEGER_PERMISSION_DENIED, ""},
        {"own header", 3, {{{"x-org", 5}, {"q", 1}}}, 1, JAEGER_OK, "q"},
    };
    const jg_tenancy *tenancies[] = {&off, &any, &two, &own};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        if (jg_tenancy_check(tenancies[rows[i].tenancy], rows[i].headers, rows[i].count, &call) !=
                rows[i].want ||
            !jg_str_is(call.tenant, rows[i].tenant))
            fail_msg("%s", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tenancy_takes_one_known_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
