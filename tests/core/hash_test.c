/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hash.h"

#include "core/attr.h"
#include "support/test.h"

static void hashes_of_several_texts_are_those_of_each(void **state)
{
    (void)state;
    enum { TEXTS = 23 };
    uint8_t bytes[400];
    jaeger_str texts[TEXTS];
    uint64_t hashes[TEXTS];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + (i >> 3));
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = (jaeger_str){(const char *)bytes + i, i * 131 % 313 * (i % 5 != 2)}; /* some are empty */
    for (size_t count = 0; count <= TEXTS; count++) {
        jg_fnv1a_64_each(texts, hashes, count);
        for (size_t i = 0; i < count; i++)
            assert_true(hashes[i] == jg_fnv1a_64(JG_FNV1A_64_START, texts[i].ptr, texts[i].len));
    }
    assert_true(jg_fnv1a_64(JG_FNV1A_64_START, "foobar", 6) ==
                0x85944171f73967e8u); /* of the specification */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes_of_several_texts_are_those_of_each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
