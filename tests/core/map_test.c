/* SPDX-License-Identifier: Apache-2.0 */
#include "core/map.h"
#include "support/test.h"
#include <stdio.h>

static void map_finds_what_was_put_and_not_what_was_removed(void **state)
{
    (void)state;
    static char keys[2000][8];
    jg_map map = {0};
    for (int i = 0; i < 2000; i++) {
        bool is_new;
        (void)snprintf(keys[i], sizeof keys[i], "k%d", i);
        jg_map_put(&map, (jaeger_str){keys[i], strlen(keys[i])}, &is_new)->value = keys[i];
        assert_true(is_new);
    }
    for (int i = 0; i < 2000; i += 3)
        assert_ptr_equal(jg_map_remove(&map, (jaeger_str){keys[i], strlen(keys[i])}), keys[i]);
    for (int i = 0; i < 2000; i++)
        assert_ptr_equal(jg_map_get(&map, (jaeger_str){keys[i], strlen(keys[i])}), i % 3 ? keys[i] : NULL);
    size_t at = 0, seen = 0;
    jg_map_entry entry;
    while (jg_map_next(&map, &at, &entry))
        seen++;
    assert_int_equal(seen, map.count);
    assert_int_equal(seen, 2000 - 667);
    jg_map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(map_finds_what_was_put_and_not_what_was_removed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
