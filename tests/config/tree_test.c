/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/str.h"
#include "support/test.h"
#include <jaeger/config.h>
#include <stdio.h>

static jaeger_config *parse(const char *yaml)
{
    jaeger_config *root = NULL;
    jaeger_error err = {0};
    if (jaeger_config_parse(jg_str(yaml), "t.yaml", &root, &err) != JAEGER_OK)
        fail_msg("%s\n%s", yaml, err.message);
    return root;
}

static const jaeger_config *dig(const jaeger_config *node, const char *path)
{
    char part[128];
    while (node && *path) {
        size_t len = strcspn(path, "/");
        (void)snprintf(part, sizeof part, "%.*s", (int)len, path);
        node = jaeger_config_kind(node) == JAEGER_CONFIG_LIST
                   ? jaeger_config_at(node, (size_t)(part[0] - '0'), NULL)
                   : jaeger_config_get(node, part);
        path += len + (path[len] == '/');
    }
    return node;
}

static void tree_reads_yaml_and_json_with_positions(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *path, *text, *want_path, *want_where;
    } cases[] = {
        {"a:\n  b: 1\n", "a/b", "1", "a::b", "t.yaml:2"},
        {"a: [x, {k: v}]", "a/1/k", "v", "a::1::k", "t.yaml:1"},
        {"{\"a\": {\"b\": \"c\\n\"}}", "a/b", "c\n", "a::b", "t.yaml:1"},
        {"a: |\n  l1\n  l2\n", "a", "l1\nl2\n", "a", "t.yaml:1"},
        {"x: &x {k: v}\ny: *x\n", "y/k", "v", "y::k", "t.yaml:1"},
        {"b: &b {k: 1, l: 2}\nm:\n  <<: *b\n  k: 3\n", "m/k", "3", "m::k", "t.yaml:4"},
        {"b: &b {k: 1, l: 2}\nm:\n  k: 3\n  <<: *b\n", "m/l", "2", "m::l", "t.yaml:1"},
        {"m:\n  <<: [{k: 1}, {k: 2, l: 5}]\n", "m/k", "1", "m::k", "t.yaml:2"},
        {"m:\n  <<: [{k: 1}, {k: 2, l: 5}]\n", "m/l", "5", "m::l", "t.yaml:2"},
        {"m: {'<<': 7}", "m/<<", "7", "m::<<", "t.yaml:1"},
        {"a: 1\n---\na: 2\n", "a", "1", "a", "t.yaml:1"},
        {"12: x", "12", "x", "12", "t.yaml:1"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_config *root = parse(cases[i].yaml);
        const jaeger_config *node = dig(root, cases[i].path);
        if (!node)
            fail_msg("%s: no %s", cases[i].yaml, cases[i].path);
        assert_str(jaeger_config_text(node), cases[i].text);
        assert_string_equal(jaeger_config_path(node), cases[i].want_path);
        assert_string_equal(jaeger_config_where(node), cases[i].want_where);
        jaeger_config_free(root);
    }
}

static void tree_tells_null_from_empty_text(void **state)
{
    (void)state;
    jaeger_config *root = parse("a:\nb: ~\nc: null\nd: ''\ne: {}\nf: []\ng: \"null\"\nh: !!str null\n");
    static const jaeger_config_type want[] = {JAEGER_CONFIG_NULL,   JAEGER_CONFIG_NULL,  JAEGER_CONFIG_NULL,
                                              JAEGER_CONFIG_SCALAR, JAEGER_CONFIG_MAP,   JAEGER_CONFIG_LIST,
                                              JAEGER_CONFIG_SCALAR, JAEGER_CONFIG_SCALAR};
    assert_int_equal(jaeger_config_count(root), JG_COUNT(want));
    for (size_t i = 0; i < JG_COUNT(want); i++) {
        jaeger_str key;
        assert_int_equal(jaeger_config_kind(jaeger_config_at(root, i, &key)), want[i]);
        assert_int_equal(key.ptr[0], "abcdefgh"[i]);
    }
    jaeger_config_free(root);
    root = parse("# nothing\n");
    assert_int_equal(jaeger_config_kind(root), JAEGER_CONFIG_NULL);
    jaeger_config_free(root);
    jaeger_config_free(NULL);
}

static void tree_refuses_bad_yaml_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3:1: yaml: mapping key \"a\" already defined at line 1"},
        {"a: [1, 2\n", "t.yaml:2:1: yaml: "},
        {"a: *nowhere", "t.yaml:1:4: yaml: unknown anchor"},
        {"a: &a [*a]", "unknown anchor"},
        {"a: {<<: 3}", "map merge requires map or sequence of maps"},
        {"? [a]\n: b\n", "a key must be a scalar"},
        {"a: \"\xff\"", "yaml: "},
        {"a: b: c", "t.yaml:1:5: yaml: mapping values are not allowed"},
        {"\t- x", "t.yaml:1:1: yaml: found character that cannot start any token"},
        {"%FOO", "yaml: "},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_config *root = NULL;
        jaeger_error err = {0};
        assert_int_equal(jaeger_config_parse(jg_str(cases[i].yaml), "t.yaml", &root, &err),
                         JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("%s\ngot:  %s\nwant: %s", cases[i].yaml, err.message, cases[i].want);
        assert_null(root);
    }
}

static void tree_ends_alias_bombs_and_deep_nesting(void **state)
{
    (void)state;
    char bomb[1024], deep[400];
    size_t n = (size_t)snprintf(bomb, sizeof bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++)
        n += (size_t)snprintf(bomb + n, sizeof bomb - n,
                              "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
                              i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    jaeger_config *root = NULL;
    jaeger_error err = {0};
    assert_int_equal(jaeger_config_parse(jg_str(bomb), "bomb", &root, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "more than 200000 values"));
    assert_int_equal(jaeger_config_parse(jg_str(deep), "deep", &root, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "nested too deeply"));
}

static void tree_survives_every_failing_allocation(void **state)
{
    (void)state;
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    for (long n = 0; status != JAEGER_OK; n++) {
        jaeger_config *root = NULL;
        jaeger_error err = {0};
        jg_alloc_fail_after(n);
        status =
            jaeger_config_parse(jg_str("a: &a {b: [1, 2, 3], c: 4}\nd:\n  <<: *a\n"), "oom", &root, &err);
        jg_alloc_fail_after(-1);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
        jaeger_config_free(root);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_reads_yaml_and_json_with_positions),
        cmocka_unit_test(tree_tells_null_from_empty_text),
        cmocka_unit_test(tree_refuses_bad_yaml_with_its_place),
        cmocka_unit_test(tree_ends_alias_bombs_and_deep_nesting),
        cmocka_unit_test(tree_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
