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

static void logins_are_held_to_their_tenants(void **state)
{
    (void)state;
    jaeger_str known[] = {JAEGER_STR("a"), JAEGER_STR("b")};
    const jaeger_str mine[] = {JAEGER_STR("b"), JAEGER_STR("c"), JAEGER_STR("")}, any[] = {JAEGER_STR("*")};
    const jg_tenancy off = {0}, two = {.enabled = true, .tenants = {known, 2}};
    const struct {
        const char *name;
        const jg_tenancy *tenancy;
        const jaeger_str *tenants;
        size_t tenant_count, header_count;
        jaeger_str header;
        jaeger_status want;
        const char *tenant;
    } rows[] = {
        {"the first", &off, mine, 3, 0, {0}, JAEGER_OK, "b"},
        {"another", &off, mine, 3, 1, JAEGER_STR("c"), JAEGER_OK, "c"},
        {"the one without a name", &off, mine, 3, 1, JAEGER_STR(""), JAEGER_OK, ""},
        {"somebody else's", &off, mine, 3, 1, JAEGER_STR("a"), JAEGER_PERMISSION_DENIED, ""},
        {"not among those of the server", &two, mine, 3, 1, JAEGER_STR("c"), JAEGER_PERMISSION_DENIED, ""},
        {"two headers", &off, mine, 3, 2, JAEGER_STR("c"), JAEGER_PERMISSION_DENIED, ""},
        {"none at all", &off, mine, 0, 0, {0}, JAEGER_PERMISSION_DENIED, ""},
        {"any", &off, any, 1, 1, JAEGER_STR("z"), JAEGER_OK, "z"},
        {"any, not named", &off, any, 1, 0, {0}, JAEGER_OK, ""},
        {"any of two, not named", &two, any, 1, 0, {0}, JAEGER_OK, "a"},
        {"any of two", &two, any, 1, 1, JAEGER_STR("z"), JAEGER_PERMISSION_DENIED, ""},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        const jaeger_pair header = {JAEGER_STR("X-Tenant"), rows[i].header}, headers[] = {header, header};
        call.user_tenants = rows[i].tenants;
        call.user_tenant_count = rows[i].tenant_count;
        if (jg_tenancy_check(rows[i].tenancy, headers, rows[i].header_count, &call) != rows[i].want ||
            !jg_str_is(call.tenant, rows[i].tenant))
            fail_msg("%s", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tenancy_takes_one_known_header),
                                       cmocka_unit_test(logins_are_held_to_their_tenants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
