/* SPDX-License-Identifier: Apache-2.0 */
#include "core/uuid.h"

#include "support/test.h"
#include <string.h>

static void uuids_have_their_form_and_differ(void **state)
{
    (void)state;
    char text[JG_UUID_CHARS + 1], other[JG_UUID_CHARS + 1];
    for (int n = 0; n < 100; n++) {
        jg_uuid_make(text);
        jg_uuid_make(other);
        assert_string_not_equal(text, other);
        assert_int_equal(strlen(text), JG_UUID_CHARS);
        for (size_t i = 0; i < JG_UUID_CHARS; i++)
            assert_non_null(
                strchr(i == 8 || i == 13 || i == 18 || i == 23 ? "-" : "0123456789abcdef", text[i]));
        assert_int_equal(text[14], '4');           /* version */
        assert_non_null(strchr("89ab", text[19])); /* variant */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(uuids_have_their_form_and_differ)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
