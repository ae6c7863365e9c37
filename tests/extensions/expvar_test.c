/* SPDX-License-Identifier: Apache-2.0 */
#include "support/diag.h"

static void any_path_shows_the_variables(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/debug/vars", "/x"};
    jaeger_service *service = diag_start("expvar: {endpoint: '127.0.0.1:%u'}");
    for (size_t i = 0; i < JG_COUNT(paths); i++) {
        jg_buf answer JG_AUTO_BUF = diag_get(paths[i]);
        assert_has(&answer, "HTTP/1.1 200 OK\r\n");
        assert_has(&answer, "Content-Type: application/json; charset=utf-8\r\n");
        assert_has(&answer, "Connection: close\r\n");
        assert_has(&answer, "\r\n\r\n{\"cmdline\":[\"");
        assert_has(&answer, "expvar_test\"");
        assert_has(&answer, "\"memstats\":{\"Alloc\":");
        assert_has_not(&answer, "\"Sys\":0,");
    }
    jaeger_service_free(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_path_shows_the_variables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
