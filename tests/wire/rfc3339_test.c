/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "support/test.h"
#include "wire/rfc3339.h"

static void rfc3339_reads_and_writes_times(void **state)
{
    (void)state;
    static const struct {
        const char *text, *back; /* NULL: refused */
        int64_t s;
        uint32_t ns;
    } rows[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0, 0},
        {"2023-11-14T22:13:20.1Z", "2023-11-14T22:13:20.100Z", 1700000000, 100000000},
        {"2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456789Z", 1700000000, 123456789},
        {"2023-11-14t23:13:20.000001+01:00", "2023-11-14T22:13:20.000001Z", 1700000000, 1000},
        {"2023-11-14T21:43:20-00:30", "2023-11-14T22:13:20Z", 1700000000, 0},
        {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z", 951782400, 0},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", JG_GO_ZERO_TIME_S, 0},
        {"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z", 253402300799, 999999999},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z", -1, 500000000},
        {"1900-02-29T00:00:00Z", NULL, 0, 0},
        {"2023-13-01T00:00:00Z", NULL, 0, 0},
        {"2023-04-31T00:00:00Z", NULL, 0, 0},
        {"2023-04-30T24:00:00Z", NULL, 0, 0},
        {"2023-04-30T00:00:00", NULL, 0, 0},
        {"2023-04-30T00:00:00.Z", NULL, 0, 0},
        {"2023-04-30T00:00:00Zx", NULL, 0, 0},
        {"2023-04-30 00:00:00Z", NULL, 0, 0},
        {"0000-01-01T00:00:00Z", NULL, 0, 0},
        {"", NULL, 0, 0},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        int64_t s;
        uint32_t ns;
        char text[40];
        bool ok = jg_rfc3339_parse(jg_str(rows[i].text), &s, &ns);
        if (ok != (rows[i].back != NULL) || (ok && (s != rows[i].s || ns != rows[i].ns)))
            fail_msg("%s: %d", rows[i].text, ok);
        if (ok)
            assert_str(((jaeger_str){text, jg_rfc3339_format(s, ns, text)}), rows[i].back);
    }
}

static void durations_have_as_many_digits_as_they_need(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *want;
    } rows[] = {
        {0, "0s"},           {1000000000, "1s"},    {1500000000, "1.500s"},
        {1000, "0.000001s"}, {-1, "-0.000000001s"}, {INT64_MIN, "-9223372036.854775808s"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char text[40];
        assert_str(((jaeger_str){text, jg_duration_format(rows[i].ns, text)}), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_reads_and_writes_times),
        cmocka_unit_test(durations_have_as_many_digits_as_they_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
