/* SPDX-License-Identifier: Apache-2.0
 * Refusals of the binary formats; whole requests are compared with the Collector in golden_test.py.
 */
#include "core/str.h"
#include "model/batch.h"
#include "support/file.h"
#include "wire/zipkin.h"

static void zipkin_thrift_refuses_what_is_not_a_list_of_spans(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool want;
    } rows[] = {
        {"\x0c\x00\x00\x00\x00", 5, true},
        {"\x0c\x00\x00\x00\x01\x00", 6, true},
        {"", 0, false},
        {"\x0c\x7f\xff\xff\xff\x00", 6, false},
        {"\x0c\x00\x00\x00\x01\x0a\x00\x01\x00", 9, false},
        {"\x0c\x00\x00\x00\x01\x0f\x00\x06\x0b\x00\x00\x00\x01\x00\x00", 15, false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL;
        if ((jg_zipkin_v1_thrift_to_batch((jaeger_str){rows[i].bytes, rows[i].len}, &batch, NULL) ==
             JAEGER_OK) != rows[i].want)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zipkin_thrift_refuses_what_is_not_a_list_of_spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
