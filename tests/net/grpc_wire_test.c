/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "core/str.h"
#include "net/grpc_wire.h"
#include "support/test.h"

static void wire_reads_timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t ns;
    } cases[] = {
        {"1n", true, 1},
        {"100m", true, 100 * JG_NS_PER_MS},
        {"99999999S", true, 99999999 * JG_NS_PER_S},
        {"2H", true, 7200 * JG_NS_PER_S},
        {"3M", true, 180 * JG_NS_PER_S},
        {"5u", true, 5000},
        {"99999999H", true, UINT64_MAX},
        {"0S", true, 0},
        {"", false, 0},
        {"m", false, 0},
        {"1", false, 0},
        {"1s", false, 0},
        {"-1S", false, 0},
        {"123456789S", false, 0},
        {"1 S", false, 0},
        {"1.5S", false, 0},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        uint64_t ns = 0;
        assert_int_equal(jg_grpc_timeout_read(jg_str(cases[i].text), &ns), cases[i].ok);
        assert_int_equal(ns, cases[i].ns);
    }
}

static void wire_writes_timeouts_that_are_not_shorter(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{1, "1n"},
                 {99999999, "99999999n"},
                 {100000000, "100000u"},
                 {100000001, "100001u"},
                 {30 * JG_NS_PER_S, "30000000u"},
                 {3600 * JG_NS_PER_S, "3600000m"},
                 {UINT64_MAX, "5124096H"}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        char text[JG_GRPC_TIMEOUT_BYTES];
        uint64_t back = 0;
        jg_grpc_timeout_write(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
        assert_true(jg_grpc_timeout_read(jg_str(text), &back) && back >= cases[i].ns);
    }
}

static void wire_splits_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool ok;
        const char *service, *method;
    } cases[] = {
        {"/a.B/C", true, "a.B", "C"}, {"/a/b/C", true, "a/b", "C"}, {"/a.B/", true, "a.B", ""},
        {"//C", true, "", "C"},       {"", false, "", ""},          {"/", false, "", ""},
        {"/a", false, "", ""},        {"a/b", false, "", ""},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_str service = {0}, method = {0};
        assert_int_equal(jg_grpc_path_split(jg_str(cases[i].path), &service, &method), cases[i].ok);
        if (cases[i].ok) {
            assert_str(service, cases[i].service);
            assert_str(method, cases[i].method);
        }
    }
}

static void wire_escapes_messages(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"plain", "plain"},
                                           {"100%", "100%25"},
                                           {"a\nb", "a%0Ab"},
                                           {"tr\xc3\xbc"
                                            "b",
                                            "tr%C3%BCb"},
                                           {"~ \x7f", "~ %7F"}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(100), back = JG_BUF_INIT(100);
        jg_grpc_message_write(&out, jg_str(cases[i][0]));
        assert_str(jg_buf_view(&out), cases[i][1]);
        jg_grpc_message_read(&back, jg_buf_view(&out));
        assert_str(jg_buf_view(&back), cases[i][0]);
        jg_buf_done(&back);
    }
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(100);
    jg_grpc_message_read(&out, JAEGER_STR("%zz%4%41%"));
    assert_str(jg_buf_view(&out), "%zz%4A%");
}

static void wire_knows_grpc_content_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {{"application/grpc", true},      {"application/grpc+proto", true},
                 {"application/grpc;x=y", true},  {"APPLICATION/grpc", true},
                 {"application/grpc-web", false}, {"application/json", false},
                 {"application/grp", false},      {"", false}};
    for (size_t i = 0; i < JG_COUNT(cases); i++)
        assert_int_equal(jg_grpc_content_type_ok(jg_str(cases[i].text)), cases[i].ok);
}

static void wire_reads_prefixes_and_lists(void **state)
{
    (void)state;
    bool compressed;
    uint32_t len;
    uint8_t prefix[JG_GRPC_PREFIX_BYTES];
    jg_grpc_prefix_write(prefix, true, 0x01020304);
    assert_true(jg_grpc_prefix_read(prefix, &compressed, &len) && compressed && len == 0x01020304);
    prefix[0] = 2;
    assert_false(jg_grpc_prefix_read(prefix, &compressed, &len));
    assert_true(jg_grpc_list_has(JAEGER_STR("identity, deflate,gzip"), "gzip"));
    assert_false(jg_grpc_list_has(JAEGER_STR("identity,gzipped,"), "gzip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_reads_timeouts),
        cmocka_unit_test(wire_writes_timeouts_that_are_not_shorter),
        cmocka_unit_test(wire_splits_paths),
        cmocka_unit_test(wire_escapes_messages),
        cmocka_unit_test(wire_knows_grpc_content_types),
        cmocka_unit_test(wire_reads_prefixes_and_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
