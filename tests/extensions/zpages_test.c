/* SPDX-License-Identifier: Apache-2.0 */
#include "support/diag.h"

static void pages_show_what_runs(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"/debug/servicez", "<td>State</td><td>running</td>"},
        {"/debug/pipelinez", "<td>traces</td>"},
        {"/debug/pipelinez", "<td>receiver</td><td>nop</td>"},
        {"/debug/extensionz", "<td>extension</td><td>zpages/2</td>"},
        {"/debug/featurez", "<td>enabled</td>"},
        {"/debug/vars", "\"cmdline\""},
        {"/", "404 page not found\n"},
        {"/debug/a<b", "404 page not found\n"},
        {"/debug/tracez", "<td>zpages/2 GET /debug/servicez</td><td>0</td><td></td>"},
        {"/debug/tracez", "<td>zpages/2 GET /debug/tracez</td><td>1</td>"},
        {"/debug/tracez", "<td>(others)</td><td>0</td><td>2 <small>20"}, /* what nobody knows */
    };
    jaeger_service *service = diag_start("zpages/2: {endpoint: '127.0.0.1:%u', expvar: {enabled: true}}");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_buf answer JG_AUTO_BUF = diag_get(rows[i].path);
        assert_has(&answer, rows[i].want);
    }
    jaeger_service_free(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_show_what_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
