/* SPDX-License-Identifier: Apache-2.0 */
#include "net/requests.h"

#include "core/clock.h"
#include "core/str.h"
#include "support/test.h"
#include <stdio.h>

static void request(jg_requests *r, const char *path, int code, const char *error)
{
    jg_request_mark mark;
    jg_requests_begin(r, &mark, "in", JAEGER_STR("GET"), jg_str(path));
    jg_requests_end(&mark, code, code >= 400, code == 404, error);
}

static void requests_are_counted_by_name_and_duration(void **state)
{
    (void)state;
    jg_requests *r = jg_requests_new();
    jg_request_row row;
    jg_request_mark mark;
    request(r, "/api/traces/1", 200, "");
    request(r, "/api/traces/2", 503, "no room");
    request(r, "/nowhere", 404, "");
    assert_true(jg_requests_row(r, 1, &row));
    assert_string_equal(row.name, "in GET /api/traces");
    uint64_t took = 0;
    for (size_t i = 0; i < JG_REQUEST_BUCKETS; i++)
        took += row.took[i];
    assert_true(took == 2 && row.failed == 1 && row.running == 0);
    assert_int_equal(row.last_failed.code, 503);
    assert_string_equal(row.last_failed.error, "no room");
    jg_requests_begin(r, &mark, "in", JAEGER_STR("GET"), JAEGER_STR("/api/traces"));
    mark.start_ns -= 2 * JG_NS_PER_S;
    assert_true(jg_requests_row(r, 1, &row) && row.running == 1);
    jg_requests_end(&mark, 200, false, false, NULL);
    assert_true(jg_requests_row(r, 1, &row) && row.running == 0);
    assert_true(row.took[6] == 1 && row.last[6].duration_ns >= 2 * JG_NS_PER_S); /* below 10 s */
    assert_true(jg_requests_row(r, 0, &row) && row.failed == 1);
    assert_false(jg_requests_row(r, 2, &row));
    jg_requests_free(r);
}

static void names_without_end_share_a_row(void **state)
{
    (void)state;
    jg_requests *r = jg_requests_new();
    jg_request_row row;
    size_t rows = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char path[200];
        (void)snprintf(path, sizeof path, "/%u%0150u", i, 0u);
        request(r, path, 200, "");
    }
    while (jg_requests_row(r, rows, &row))
        rows++;
    assert_int_equal(rows, JG_REQUEST_NAMES_MAX + 1);
    jg_requests_free(r);
}

static void nobody_asks(void **state)
{
    (void)state;
    request(NULL, "/", 200, "");
    jg_requests_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_name_and_duration),
        cmocka_unit_test(names_without_end_share_a_row),
        cmocka_unit_test(nobody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
