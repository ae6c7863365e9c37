/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/buf.h"
#include "support/test.h"

static void buf_keeps_its_ceiling_and_says_so_once(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(300);
    for (int i = 0; i < 100; i++)
        jg_buf_lit(&buf, "12345");
    assert_false(jg_buf_ok(&buf));
    assert_true(buf.len <= 300);
}

static void buf_grows_and_is_taken(void **state)
{
    (void)state;
    jg_buf buf = JG_BUF_INIT(1 << 20);
    for (int i = 0; i < 1000; i++)
        jg_buf_printf(&buf, "%d,", i);
    assert_true(jg_buf_ok(&buf));
    size_t len;
    uint8_t *bytes = jg_buf_take(&buf, &len);
    assert_int_equal(len, 3890);
    assert_memory_equal(bytes, "0,1,2,", 6);
    assert_null(buf.data);
    jg_free(bytes);
}

static void buf_survives_out_of_memory(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(1 << 20);
    jg_buf_lit(&buf, "kept");
    jg_alloc_fail_after(0);
    assert_false(jg_buf_reserve(&buf, 100000));
    jg_alloc_fail_after(-1);
    assert_false(jg_buf_ok(&buf));
    assert_int_equal(buf.len, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_keeps_its_ceiling_and_says_so_once),
        cmocka_unit_test(buf_grows_and_is_taken),
        cmocka_unit_test(buf_survives_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
