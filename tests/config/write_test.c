/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"
#include "core/str.h"
#include "support/test.h"

typedef struct sub {
    bool enabled;
    jaeger_str password;
    uint64_t wait_ns;
} sub;

typedef struct sample {
    int mode;
    double ratio;
    jaeger_str_list hosts;
    jaeger_pair_list headers;
    sub on, off, block;
    jaeger_block_list items;
    const jaeger_config *node;
    int64_t i64;
    uint32_t u32;
} sample;

static const jaeger_field sub_fields[] = {
    {.name = "password", .kind = JAEGER_FIELD_STR, .offset = offsetof(sub, password)},
    {.name = "wait", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(sub, wait_ns), .fallback = "90s"},
    {0}};

#define AT(member) .offset = offsetof(sample, member)
#define SUB        .sub = sub_fields, .sub_size = sizeof(sub)
static const jaeger_field fields[] = {
    {.name = "mode", .kind = JAEGER_FIELD_ENUM, AT(mode), .choices = "a|b|c", .fallback = "b"},
    {.name = "ratio", .kind = JAEGER_FIELD_DOUBLE, AT(ratio), .fallback = "0.25"},
    {.name = "hosts", .kind = JAEGER_FIELD_STRS, AT(hosts), .fallback = "localhost:9092"},
    {.name = "headers", .kind = JAEGER_FIELD_PAIRS, AT(headers)},
    {.name = "on", .kind = JAEGER_FIELD_OPTIONAL_D, AT(on), SUB},
    {.name = "off", .kind = JAEGER_FIELD_OPTIONAL_D, AT(off), SUB},
    {.kind = JAEGER_FIELD_SQUASH, AT(block), SUB},
    {.name = "items", .kind = JAEGER_FIELD_LIST, AT(items), SUB},
    {.name = "node", .kind = JAEGER_FIELD_NODE, AT(node)},
    {.name = "i64", .kind = JAEGER_FIELD_I64, AT(i64), .fallback = "-3"},
    {.name = "u32", .kind = JAEGER_FIELD_U32, AT(u32)},
    {0}};

static const char yaml[] =
    "headers: {k: v}\non: {password: p w}\npassword: x\n"
    "items: [{password: q}, {wait: 1ms}]\nnode: {password: s, l: [[1, 'yes: no']], e: {}}\n";

static void expect(bool redact, bool json, const char *want)
{
    jaeger_config *root;
    sample s;
    jaeger_error err = {0};
    assert_ok(jaeger_config_parse(jg_str(yaml), "w", &root, &err));
    assert_ok(jaeger_config_bind(root, fields, &s, &err));
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 16);
    if (json)
        jg_config_write_bound_json(&out, fields, &s, redact);
    else
        jg_config_write_bound_yaml(&out, fields, &s, 2, redact);
    jg_buf_byte(&out, 0);
    assert_string_equal((const char *)out.data, want);
    jaeger_config_free(root);
}

static void write_prints_bound_structs(void **state)
{
    (void)state;
    expect(false, false,
           "  mode: b\n  ratio: 0.25\n  hosts:\n    - localhost:9092\n  headers:\n    k: v\n"
           "  on:\n    password: p w\n    wait: 1m30s\n  off: null\n  password: x\n  wait: 1m30s\n"
           "  items:\n    - password: q\n      wait: 1m30s\n    - password: \"\"\n      wait: 1ms\n"
           "  node:\n    password: s\n    l:\n      - - 1\n        - \"yes: no\"\n    e: {}\n  i64: -3\n  "
           "u32: 0\n");
    expect(
        false, true,
        "{\"mode\":\"b\",\"ratio\":0.25,\"hosts\":[\"localhost:9092\"],\"headers\":{\"k\":\"v\"},"
        "\"on\":{\"password\":\"p w\",\"wait\":\"1m30s\"},\"off\":null,\"password\":\"x\",\"wait\":\"1m30s\","
        "\"items\":[{\"password\":\"q\",\"wait\":\"1m30s\"},{\"password\":\"\",\"wait\":\"1ms\"}],"
        "\"node\":{\"password\":\"s\",\"l\":[[1,\"yes: no\"]],\"e\":{}},\"i64\":-3,\"u32\":0}");
}

static void write_redacts_secrets(void **state)
{
    (void)state;
    expect(
        true, true,
        "{\"mode\":\"b\",\"ratio\":0.25,\"hosts\":[\"localhost:9092\"],\"headers\":{\"k\":\"[REDACTED]\"},"
        "\"on\":{\"password\":\"[REDACTED]\",\"wait\":\"1m30s\"},\"off\":null,\"password\":\"[REDACTED]\","
        "\"wait\":\"1m30s\",\"items\":[{\"password\":\"[REDACTED]\",\"wait\":\"1m30s\"},{\"password\":\"\","
        "\"wait\":\"1ms\"}],\"node\":{\"password\":\"[REDACTED]\",\"l\":[[1,\"yes: no\"]],\"e\":{}},"
        "\"i64\":-3,\"u32\":0}");
}

static void write_then_parse_gives_the_same_tree(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: 'true'\nb: true\nc: \"1\"\nd: 1\ne: '~'\nf: null\ng: ''\nh: '- x'\ni: 'a: b'\nj: 'x#y'\nk: "
        "\"\\n\\t\"\n"
        "l: [a, [b, {c: d, e: [{}]}], []]\nm: .inf\n'n o': '<<'\np: 0x10\nq: 1e3\nr: 'x:'\ns: '{'\n",
        "[[], {}, '', null]", "plain", "{}"};
    for (size_t i = 0; i < JG_COUNT(texts); i++) {
        jaeger_config *root, *again;
        jaeger_error err = {0};
        JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 16), second = JG_BUF_INIT(1 << 16);
        assert_ok(jaeger_config_parse(jg_str(texts[i]), "t", &root, &err));
        jg_config_write_yaml(&first, root, 0);
        if (jaeger_config_parse(jg_buf_view(&first), "t2", &again, &err) != JAEGER_OK)
            fail_msg("%s\n%.*s", err.message, JAEGER_STR_ARGS(jg_buf_view(&first)));
        jg_config_write_yaml(&second, again, 0);
        assert_true(jg_str_eq(jg_buf_view(&first), jg_buf_view(&second)));
        assert_int_equal(jaeger_config_count(root), jaeger_config_count(again));
        for (size_t k = 0; k < jaeger_config_count(root); k++) {
            const jaeger_config *x = jaeger_config_at(root, k, NULL), *y = jaeger_config_at(again, k, NULL);
            assert_int_equal(jaeger_config_kind(x), jaeger_config_kind(y));
        }
        jaeger_config_free(root);
        jaeger_config_free(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_prints_bound_structs),
        cmocka_unit_test(write_redacts_secrets),
        cmocka_unit_test(write_then_parse_gives_the_same_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
