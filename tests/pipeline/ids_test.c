/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "pipeline/ids.h"
#include "support/test.h"

static void ids_are_split_and_trimmed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type, *name; /* type NULL: refused */
    } cases[] = {
        {"otlp", "otlp", NULL},
        {"otlp/2", "otlp", "2"},
        {" otlp / a.b ", "otlp", "a.b"},
        {"otlp/a/b", "otlp", "a/b"},
        {"otlp_grpc2", "otlp_grpc2", NULL},
        {"otlp/\xc3\xa9", "otlp", "\xc3\xa9"},
        {"", NULL, NULL},
        {"/x", NULL, NULL},
        {"otlp/", NULL, NULL},
        {"otlp/ ", NULL, NULL},
        {"2otlp", NULL, NULL},
        {"_otlp", NULL, NULL},
        {"ot-lp", NULL, NULL},
        {"otlp/a b", NULL, NULL},
        {"otlp/a$b", NULL, NULL},
        {"otlp/\xff", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        jg_id id;
        jaeger_error err = {0};
        jaeger_status status = jg_id_parse(jg_str(cases[i].text), &id, &err);
        if ((status == JAEGER_OK) != (cases[i].type != NULL))
            fail_msg("\"%s\": status %d", cases[i].text, status);
        if (status != JAEGER_OK) {
            assert_true(err.message[0]);
            continue;
        }
        assert_str(id.type, cases[i].type);
        assert_int_equal(id.name.ptr != NULL, cases[i].name != NULL);
        if (cases[i].name)
            assert_str(id.name, cases[i].name);
    }
}

static void long_ids_are_refused(void **state)
{
    (void)state;
    char text[1200];
    jg_id id;
    jaeger_error err;
    memset(text, 'a', sizeof text);
    assert_ok(jg_id_parse((jaeger_str){text, 63}, &id, &err));
    assert_int_equal(jg_id_parse((jaeger_str){text, 64}, &id, &err), JAEGER_INVALID_ARGUMENT);
    text[1] = '/';
    assert_ok(jg_id_parse((jaeger_str){text, 2 + 1024}, &id, &err));
    assert_int_equal(jg_id_parse((jaeger_str){text, 2 + 1025}, &id, &err), JAEGER_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_are_split_and_trimmed),
                                       cmocka_unit_test(long_ids_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
