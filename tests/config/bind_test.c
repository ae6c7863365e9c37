/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/str.h"
#include "support/test.h"
#include <jaeger/config.h>
#include <stdio.h>

typedef struct inner {
    bool enabled;
    uint64_t size;
    jaeger_str name;
} inner;

typedef struct item {
    jaeger_str key;
    int64_t value;
} item;

typedef struct sample {
    bool flag;
    int64_t i64;
    uint64_t u64;
    uint32_t u32;
    double ratio;
    uint64_t wait_ns;
    jaeger_str endpoint;
    int mode;
    jaeger_str_list hosts;
    jaeger_pair_list headers;
    struct {
        uint64_t size;
        jaeger_str name;
    } block, squash;
    inner d, n, s;
    jaeger_block_list items;
    const jaeger_config *node;
} sample;

static const jaeger_field inner_fields[] = {
    {.name = "size", .kind = JAEGER_FIELD_U64, .offset = offsetof(inner, size), .fallback = "7"},
    {.name = "name", .kind = JAEGER_FIELD_STR, .offset = offsetof(inner, name), .fallback = "inner"},
    {0}};
static const jaeger_field block_fields[] = {
    {.name = "block_size", .kind = JAEGER_FIELD_U64, .offset = 0, .fallback = "9"},
    {.name = "block_name",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(sample, block.name) - offsetof(sample, block)},
    {0}};
static const jaeger_field item_fields[] = {
    {.name = "key", .kind = JAEGER_FIELD_STR, .offset = offsetof(item, key), .required = true},
    {.name = "value", .kind = JAEGER_FIELD_I64, .offset = offsetof(item, value), .fallback = "-1"},
    {0}};

#define AT(member) .offset = offsetof(sample, member)
static const jaeger_field fields[] = {
    {.name = "flag", .kind = JAEGER_FIELD_BOOL, AT(flag), .fallback = "true"},
    {.name = "i64", .kind = JAEGER_FIELD_I64, AT(i64), .fallback = "-5"},
    {.name = "u64", .kind = JAEGER_FIELD_U64, AT(u64), .fallback = "8192"},
    {.name = "u32", .kind = JAEGER_FIELD_U32, AT(u32), .fallback = "3"},
    {.name = "ratio", .kind = JAEGER_FIELD_DOUBLE, AT(ratio), .fallback = "0.5"},
    {.name = "wait", .kind = JAEGER_FIELD_DURATION, AT(wait_ns), .fallback = "200ms"},
    {.name = "endpoint", .kind = JAEGER_FIELD_STR, AT(endpoint), .fallback = "localhost:4317"},
    {.name = "mode",
     .kind = JAEGER_FIELD_ENUM,
     AT(mode),
     .fallback = "normal",
     .choices = "basic|normal|detailed|-1"},
    {.name = "hosts", .kind = JAEGER_FIELD_STRS, AT(hosts), .fallback = "[localhost:9092]"},
    {.name = "headers", .kind = JAEGER_FIELD_PAIRS, AT(headers)},
    {.name = "block",
     .kind = JAEGER_FIELD_BLOCK,
     AT(block),
     .sub = block_fields,
     .sub_size = sizeof(((sample *)0)->block)},
    {.kind = JAEGER_FIELD_SQUASH, AT(squash), .sub = block_fields, .sub_size = sizeof(((sample *)0)->squash)},
    {.name = "d", .kind = JAEGER_FIELD_OPTIONAL_D, AT(d), .sub = inner_fields, .sub_size = sizeof(inner)},
    {.name = "n", .kind = JAEGER_FIELD_OPTIONAL_N, AT(n), .sub = inner_fields, .sub_size = sizeof(inner)},
    {.name = "s", .kind = JAEGER_FIELD_OPTIONAL_S, AT(s), .sub = inner_fields, .sub_size = sizeof(inner)},
    {.name = "items", .kind = JAEGER_FIELD_LIST, AT(items), .sub = item_fields, .sub_size = sizeof(item)},
    {.name = "node", .kind = JAEGER_FIELD_NODE, AT(node)},
    {0}};

static jaeger_status bind(const char *yaml, sample *ret, jaeger_config **root, jaeger_error *err)
{
    memset(ret, 0xa5, sizeof *ret); /* bind must set every field */
    *root = NULL;
    jaeger_status status = jaeger_config_parse(jg_str(yaml), "c.yaml", root, err);
    return status == JAEGER_OK ? jaeger_config_bind(*root, fields, ret, err) : status;
}

static void bind_sets_defaults(const char *yaml)
{
    sample s;
    jaeger_config *root;
    jaeger_error err = {0};
    assert_ok(bind(yaml, &s, &root, &err));
    assert_true(s.flag);
    assert_int_equal(s.i64, -5);
    assert_int_equal(s.u64, 8192);
    assert_int_equal(s.u32, 3);
    assert_true(s.ratio == 0.5);
    assert_int_equal(s.wait_ns, 200000000);
    assert_str(s.endpoint, "localhost:4317");
    assert_int_equal(s.mode, 1);
    assert_int_equal(s.hosts.count, 1);
    assert_str(s.hosts.items[0], "localhost:9092");
    assert_int_equal(s.headers.count, 0);
    assert_int_equal(s.block.size, 9);
    assert_int_equal(s.block.name.len, 0);
    assert_int_equal(s.squash.size, 9);
    assert_false(s.d.enabled);
    assert_false(s.n.enabled);
    assert_true(s.s.enabled);
    assert_int_equal(s.s.size, 7);
    assert_int_equal(s.items.count, 0);
    jaeger_config_free(root);
}

static void bind_gives_defaults_for_absent_and_null_values(void **state)
{
    (void)state;
    bind_sets_defaults("");
    bind_sets_defaults("{}");
    bind_sets_defaults(
        "flag:\ni64: null\nu64: ~\nu32:\nratio:\nwait:\nendpoint:\nmode:\nhosts:\nheaders:\nblock:\n"
        "block_size:\nn: ~\ns: ~\nitems:\n");
    sample s;
    memset(&s, 0xa5, sizeof s);
    assert_ok(jaeger_config_bind(NULL, fields, &s, NULL));
    assert_str(s.endpoint, "localhost:4317");
    assert_int_equal(s.hosts.count, 0); /* lists need the memory of a tree */
    assert_null(s.node);
}

static void bind_reads_every_kind(void **state)
{
    (void)state;
    sample s;
    jaeger_config *root;
    jaeger_error err = {0};
    jaeger_status status =
        bind("flag: false\ni64: -0x10\nu64: 1_000\nu32: 4294967295\nratio: 1e-3\nwait: 1h2m3.5s\n"
             "endpoint: '1234'\nmode: -1\nhosts: a:1, b:2\nheaders: {x: y, z: ''}\n"
             "block: {block_size: 1, block_name: n}\nblock_name: yes\nd:\nn: {}\ns: {enabled: false}\n"
             "items: [{key: a}, {key: b, value: 012}]\nnode: {free: [form]}\n",
             &s, &root, &err);
    if (status != JAEGER_OK)
        fail_msg("%s", err.message);
    assert_false(s.flag);
    assert_int_equal(s.i64, -16);
    assert_int_equal(s.u64, 1000);
    assert_int_equal(s.u32, UINT32_MAX);
    assert_true(s.ratio == 1e-3);
    assert_int_equal(s.wait_ns, 3723500000000);
    assert_str(s.endpoint, "1234");
    assert_int_equal(s.mode, 3);
    assert_int_equal(s.hosts.count, 2);
    assert_str(s.hosts.items[1], "b:2");
    assert_int_equal(s.headers.count, 2);
    assert_str(s.headers.items[0].key, "x");
    assert_str(s.headers.items[0].value, "y");
    assert_int_equal(s.block.size, 1);
    assert_str(s.block.name, "n");
    assert_int_equal(s.squash.size, 9);
    assert_str(s.squash.name, "yes"); /* YAML 1.2: not a bool */
    assert_true(s.d.enabled);
    assert_int_equal(s.d.size, 7);
    assert_true(s.n.enabled);
    assert_int_equal(s.n.size, 0); /* zero values, not the defaults */
    assert_int_equal(s.n.name.len, 0);
    assert_false(s.s.enabled);
    assert_int_equal(s.items.count, 2);
    assert_str(((item *)s.items.items)[1].key, "b");
    assert_int_equal(((item *)s.items.items)[0].value, -1);
    assert_int_equal(((item *)s.items.items)[1].value, 10);
    assert_string_equal(jaeger_config_path(s.node), "node");
    assert_string_equal(jaeger_config_where(s.node), "c.yaml:17");
    jaeger_config_free(root);
}

static void bind_reads_lenient_forms(void **state)
{
    (void)state;
    sample s;
    jaeger_config *root;
    jaeger_error err = {0};
    assert_ok(bind("wait: 1000\nu64: 7.9\ni64: -1.5\nratio: 3\nhosts: []\nheaders: [{name: h, value: v}]\n"
                   "n: {enabled: true}\nd: {enabled: false, size: 3}",
                   &s, &root, &err));
    assert_int_equal(s.wait_ns, 1000);
    assert_int_equal(s.u64, 7);
    assert_int_equal(s.i64, -1);
    assert_true(s.ratio == 3);
    assert_int_equal(s.hosts.count, 0);
    assert_str(s.headers.items[0].key, "h");
    assert_str(s.headers.items[0].value, "v");
    assert_true(s.n.enabled);
    assert_false(s.d.enabled);
    assert_int_equal(s.d.size, 3);
    jaeger_config_free(root);
}

static void bind_refuses_wrong_values_with_path_and_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"flag: \"true\"", "'flag' expected type 'bool', got unconvertible type 'string' (c.yaml:1)"},
        {"flag: yes", "got unconvertible type 'string'"},
        {"flag: 1", "'flag' expected type 'bool', got unconvertible type 'int'"},
        {"i64: \"10\"", "'i64' expected type 'int', got unconvertible type 'string'"},
        {"i64: 9223372036854775808", "'i64' cannot parse, 9223372036854775808 overflows int"},
        {"u64: -1", "'u64' cannot parse, -1 overflows uint (c.yaml:1)"},
        {"u32: 4294967296", "overflows uint"},
        {"u64: true", "'u64' expected type 'uint', got unconvertible type 'bool'"},
        {"u64: .nan", "overflows uint"},
        {"ratio: '0.1'", "'ratio' expected type 'float64', got unconvertible type 'string'"},
        {"wait: 1d", "'wait' time: invalid duration \"1d\""},
        {"wait: '10'", "'wait' time: invalid duration \"10\""},
        {"wait: -1s", "wait: must be non-negative (c.yaml:1)"},
        {"wait: [1]", "'wait' expected type 'time.Duration', got unconvertible type '[]interface {}'"},
        {"endpoint: 4317", "'endpoint' expected type 'string', got unconvertible type 'int'"},
        {"endpoint: {}",
         "'endpoint' expected type 'string', got unconvertible type 'map[string]interface {}'"},
        {"mode: loud", "mode: unknown value \"loud\"; valid values: basic|normal|detailed"},
        {"hosts: [a, 1]", "'hosts::1' expected type 'string', got unconvertible type 'int'"},
        {"hosts: 1", "'hosts' expected type '[]string'"},
        {"headers: {a: 1}", "'headers::a' expected type 'string'"},
        {"headers: [{nam: a}]", "'headers::0' has invalid keys: nam (c.yaml:1); did you mean \"name\"?"},
        {"block: x", "'block' expected a map or struct, got \"string\""},
        {"block: {block_siz: 1}",
         "'block' has invalid keys: block_siz (c.yaml:1); did you mean \"block_size\"?"},
        {"block: {enabled: true}", "'block' has invalid keys: enabled"},
        {"\nd:\n  foo: 1", "'d' has invalid keys: foo (c.yaml:3)"},
        {"d: {enabled: 1}", "'d::enabled' expected type 'bool'"},
        {"foo: 1\nbar: 2", "'' has invalid keys: foo, bar"},
        {"items: {}", "'items' source data must be an array or slice, got map"},
        {"items: [{value: 1}]", "items::0: key: non zero value required"},
        {"items: [{key: a, k2: b}]", "'items::0' has invalid keys: k2"},
        {"flag: 1\nu64: x\n", "'uint'"},
        {"[1]", "'' expected a map or struct, got \"[]interface {}\""},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        sample s;
        jaeger_config *root;
        jaeger_error err = {0};
        assert_int_equal(bind(cases[i].yaml, &s, &root, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("%s\ngot:  %s\nwant: %s", cases[i].yaml, err.message, cases[i].want);
        jaeger_config_free(root);
    }
}

static void bind_gathers_faults_and_counts_those_that_do_not_fit(void **state)
{
    (void)state;
    sample s;
    jaeger_config *root;
    jaeger_error err = {0};
    assert_int_equal(bind("flag: 1\nu64: x\nfoo: 2", &s, &root, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "'bool', got unconvertible type 'int' (c.yaml:1)\n'u64' "));
    assert_non_null(strstr(err.message, "\n'' has invalid keys: foo (c.yaml:3)"));
    jaeger_config_free(root);
    assert_int_equal(
        bind("flag: x\ni64: x\nu64: x\nu32: x\nratio: x\nendpoint: 1\nwait: x\nhosts: 1\nblock: 1\nd: 1\n",
             &s, &root, &err),
        JAEGER_INVALID_ARGUMENT);
    size_t shown = 0, more = 0;
    for (const char *at = err.message; (at = strchr(at, '\n')); at++)
        shown++;
    assert_int_equal(sscanf(strrchr(err.message, '\n'), "\nand %zu more", &more), 1);
    assert_int_equal(shown + more, 10);
    assert_in_range(shown, 4, 9);
    jaeger_config_free(root);
}

static void bind_survives_every_failing_allocation(void **state)
{
    (void)state;
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    for (long n = 0; status != JAEGER_OK; n++) {
        sample s;
        jaeger_config *root = NULL;
        jaeger_error err = {0};
        assert_ok(jaeger_config_parse(jg_str("hosts: a,b\nitems: [{key: b}]\nheaders: {k: v}"), "oom", &root,
                                      &err));
        jg_alloc_fail_after(n);
        status = jaeger_config_bind(root, fields, &s, &err);
        jg_alloc_fail_after(-1);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
        jaeger_config_free(root);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_gives_defaults_for_absent_and_null_values),
        cmocka_unit_test(bind_reads_every_kind),
        cmocka_unit_test(bind_reads_lenient_forms),
        cmocka_unit_test(bind_refuses_wrong_values_with_path_and_place),
        cmocka_unit_test(bind_gathers_faults_and_counts_those_that_do_not_fit),
        cmocka_unit_test(bind_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
