/* SPDX-License-Identifier: Apache-2.0
 * cmocka with the headers it needs, and small helpers that every test may use.
 */
#ifndef JG_TEST_H
#define JG_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <jaeger/base.h>

#define assert_ok(expression) assert_int_equal((expression), JAEGER_OK)
#define assert_str(actual, expected)                                                                         \
    do {                                                                                                     \
        jaeger_str jg_actual = (actual);                                                                     \
        assert_int_equal(jg_actual.len, strlen(expected));                                                   \
        assert_memory_equal(jg_actual.ptr, (expected), jg_actual.len);                                       \
    } while (0)

#endif
