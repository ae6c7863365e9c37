/* SPDX-License-Identifier: Apache-2.0 */
#include "support/diag.h"

static void the_index_and_its_pages_are_served(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"/debug/pprof/", "<a href=\"heap\">heap</a>"}, {"/debug/pprof/cmdline", "pprof_test"},
        {"/debug/pprof/heap", "<malloc version="},      {"/debug/pprof/threads", " jg-http-0 ns="},
        {"/debug/pprof/profile", "HTTP/1.1 501 "},      {"/debug/pprof/goroutine", "perf record -g -p "},
        {"/debug/pprof/nothing", "404 page not found"}, {"/", "404 page not found"},
    };
    jaeger_service *service = diag_start("pprof: {endpoint: '127.0.0.1:%u', block_profile_fraction: 3}");
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_buf answer JG_AUTO_BUF = diag_get(rows[i].path);
        assert_has(&answer, rows[i].want);
    }
    jaeger_service_free(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_index_and_its_pages_are_served)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
