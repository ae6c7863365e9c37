/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_out.h"
#include "support/test.h"
#include <stdio.h>

static void json_places_commas(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
    jg_json_out json = JG_JSON_OUT_INIT(&buf);
    jg_json_object(&json);
    jg_json_key_lit(&json, "a");
    jg_json_array(&json);
    jg_json_i64(&json, INT64_MIN);
    jg_json_u64_str(&json, UINT64_MAX);
    jg_json_null(&json);
    jg_json_end(&json);
    jg_json_key_lit(&json, "b");
    jg_json_object(&json);
    jg_json_end(&json);
    jg_json_end(&json);
    assert_str(jg_buf_view(&buf), "{\"a\":[-9223372036854775808,\"18446744073709551615\",null],\"b\":{}}");
}

static void json_indents_like_encoding_json(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
    jg_json_out json = JG_JSON_OUT_INIT(&buf);
    json.indent = 4;
    jg_json_object(&json);
    jg_json_key_lit(&json, "data");
    jg_json_array(&json);
    jg_json_i64(&json, 1);
    jg_json_end(&json);
    jg_json_key_lit(&json, "e");
    jg_json_array(&json);
    jg_json_end(&json);
    jg_json_end(&json);
    assert_str(jg_buf_view(&buf), "{\n    \"data\": [\n        1\n    ],\n    \"e\": []\n}");
}

static void json_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool html;
        const char *want;
    } rows[] = {
        {"plain", true, "plain"},
        {"\"\\\n\r\t\b\f\x01", true, "\\\"\\\\\\n\\r\\t\\b\\f\\u0001"},
        {"<a&b>", true, "\\u003ca\\u0026b\\u003e"},
        {"<a&b>", false, "<a&b>"},
        {"\xe2\x80\xa8|\xe2\x80\xa9", true, "\\u2028|\\u2029"},
        {"\xe2\x80\xa8", false, "\xe2\x80\xa8"},
        {"\xc3\xa4\xf0\x9f\x98\x80", true, "\xc3\xa4\xf0\x9f\x98\x80"},
        {"x\xff\xc0y", true, "x\\ufffd\\ufffdy"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
        jg_json_escape(&buf, (jaeger_str){rows[i].in, strlen(rows[i].in)}, rows[i].html);
        assert_str(jg_buf_view(&buf), rows[i].want);
    }
}

/** Every byte at every place of texts shorter and longer than a machine word. */
static void json_escapes_wherever_they_stand(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 20; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 0x80; c++)
                for (int html = 0; html < 2; html++) {
                    char text[20], want[64], one[8];
                    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
                    memset(text, 'x', len);
                    text[at] = (char)c;
                    bool plain = c >= 0x20 && c != '"' && c != '\\' && !(html && strchr("<>&", (int)c));
                    static const char pairs[] = "\"\"\\\\\nn\rr\tt\bb\ff";
                    (void)snprintf(one, sizeof one, plain ? "%c" : "\\u%04x", c);
                    for (size_t i = 0; pairs[i]; i += 2)
                        if ((unsigned)pairs[i] == c)
                            (void)snprintf(one, sizeof one, "\\%c", pairs[i + 1]);
                    (void)snprintf(want, sizeof want, "%.*s%s%.*s", (int)at, text, one, (int)(len - at - 1),
                                   text + at + 1);
                    jg_json_escape(&buf, (jaeger_str){text, len}, html);
                    assert_str(jg_buf_view(&buf), want);
                }
}

static void json_whole_numbers(void **state)
{
    (void)state;
    for (uint64_t n = 1; n && n < UINT64_MAX / 7; n *= 7) {
        char want[24];
        JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(64);
        (void)snprintf(want, sizeof want, "%llu", (unsigned long long)n);
        jg_json_number(&buf, n);
        assert_str(jg_buf_view(&buf), want);
    }
    static const char want[] = "09109910018446744073709551615";
    static const uint64_t numbers[] = {0, 9, 10, 99, 100, UINT64_MAX};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(64);
    for (size_t i = 0; i < JG_COUNT(numbers); i++)
        jg_json_number(&buf, numbers[i]);
    assert_str(jg_buf_view(&buf), want);
}

static void json_numbers_have_the_shortest_form(void **state)
{
    (void)state;
    static const struct {
        double in;
        int digits;
        const char *want;
    } rows[] = {
        {0, 1, "0"},
        {1, 1, "1"},
        {-1.5, 1, "-1.5"},
        {0.1, 1, "0.1"},
        {1e21, 1, "1e+21"},
        {1e22, 1, "1e+22"},
        {1e-9, 1, "1e-9"},
        {1e-9, 2, "1e-09"},
        {1.5e-7, 2, "1.5e-07"},
        {123456789012345680000.0, 1, "123456789012345680000"},
        {0.000001, 1, "0.000001"},
        {5e-324, 1, "5e-324"},
        {1.7976931348623157e308, 1, "1.7976931348623157e+308"},
        {100, 1, "100"},
        {3.141592653589793, 1, "3.141592653589793"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
        jg_json_out json = JG_JSON_OUT_INIT(&buf);
        jg_json_double(&json, rows[i].in, rows[i].digits);
        assert_str(jg_buf_view(&buf), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_places_commas), cmocka_unit_test(json_indents_like_encoding_json),
        cmocka_unit_test(json_escapes),       cmocka_unit_test(json_escapes_wherever_they_stand),
        cmocka_unit_test(json_whole_numbers), cmocka_unit_test(json_numbers_have_the_shortest_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
