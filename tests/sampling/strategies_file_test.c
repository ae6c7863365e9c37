/* SPDX-License-Identifier: Apache-2.0
 * Replies to strategies files, compared with those of Go Jaeger (tests/data/sampling/record.py), and
 * refusals.
 */
#include "sampling/strategies_file.h"

#include "core/alloc.h"
#include "core/json_in.h"
#include "core/limits.h"
#include "core/str.h"
#include "net/http_server.h"
#include "sampling/strategy.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>

static jg_strategy_set *set_of(const char *text)
{
    jg_strategies_options options = {.default_rate = 0.25, .name = "test.json"};
    jg_strategy_set *set;
    jaeger_error err = {0};
    if (jg_strategies_read(jg_str(text), &options, &set, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return set;
}

static char *file_text(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/sampling/%s", JG_TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    assert_true(len > 0 && len < (1 << 20) - 1);
    (void)fclose(file);
    return text;
}

static void assert_same_pb(const jaeger_strategy *strategy, jaeger_str hex)
{
    static uint8_t want[65536];
    JG_AUTO_BUF jg_buf got = JG_BUF_INIT(1 << 20);
    jg_strategy_write_pb(&got, strategy);
    assert_int_equal(got.len, hex.len / 2);
    assert_true(jg_hex_decode(hex, want, hex.len / 2));
    assert_memory_equal(got.data, want, got.len);
}

/** What was written is read back to the same. */
static void assert_round_trip(const jaeger_strategy *strategy)
{
    jaeger_arena *arena = jaeger_arena_new(1 << 20);
    JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 20);
    JG_AUTO_BUF jg_buf second = JG_BUF_INIT(1 << 20);
    jaeger_strategy again;
    jg_strategy_write_pb(&first, strategy);
    assert_ok(jg_strategy_read_pb(jg_buf_view(&first), arena, &again, NULL));
    jg_strategy_write_pb(&second, &again);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    if (strategy->traces_per_second_max >= 0) { /* a client takes a negative limit for none */
        jg_buf_clear(&first);
        jg_buf_clear(&second);
        jg_strategy_write_json(&first, strategy);
        assert_ok(jg_strategy_read_json(jg_buf_view(&first), arena, &again, NULL));
        jg_strategy_write_json(&second, &again);
        assert_int_equal(first.len, second.len);
        assert_memory_equal(first.data, second.data, first.len);
    }
    jaeger_arena_free(arena);
}

/** One line of a .replies file: target, status, body as JSON string, hex. */
static bool check_line(const jg_strategy_set *set, jaeger_str line)
{
    const jaeger_str prefix = JAEGER_STR("/sampling?service=");
    if (!jg_str_starts(line, prefix))
        return false;
    jaeger_arena *arena = jaeger_arena_new(1 << 20);
    jaeger_str service, rest = jg_str_skip(line, prefix.len);
    size_t end = jg_str_find(rest, ' ');
    assert_true(jg_url_decode(arena, (jaeger_str){rest.ptr, end}, true, &service));
    rest = jg_str_skip(rest, end + 5); /* " 200 " */
    jg_json_in in = jg_json_in_of(rest);
    jg_json_text body;
    assert_true(jg_json_in_str(&in, &body));
    JG_AUTO_BUF jg_buf want = JG_BUF_INIT(1 << 20);
    JG_AUTO_BUF jg_buf got = JG_BUF_INIT(1 << 20);
    jg_json_in_append(&want, body);
    const jaeger_strategy *strategy = jg_strategy_set_get(set, service);
    jg_strategy_write_json(&got, strategy);
    if (!jg_str_eq(jg_buf_view(&got), jg_buf_view(&want)))
        fail_msg("%.*s:\n%.*s\nwant\n%.*s", JAEGER_STR_ARGS(line), JAEGER_STR_ARGS(jg_buf_view(&got)),
                 JAEGER_STR_ARGS(jg_buf_view(&want)));
    assert_same_pb(strategy, jg_str_skip(rest, jg_json_in_offset(&in) + 1));
    assert_round_trip(strategy);
    jaeger_arena_free(arena);
    return true;
}

static void replies_are_those_of_go_jaeger(void **state)
{
    (void)state;
    static const char *const names[] = {"basic",      "default_only", "unknown_type", "edge",
                                        "no_default", "keys",         "empty",        "null"};
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s.json", names[i]);
        char *text = file_text(name);
        (void)snprintf(name, sizeof name, "%s.replies", names[i]);
        char *replies = file_text(name);
        jg_strategy_set *set = set_of(text);
        size_t lines = 0;
        for (char *line = replies, *end; (end = strchr(line, '\n')); line = end + 1)
            lines += check_line(set, (jaeger_str){line, (size_t)(end - line)});
        assert_int_equal(lines, 18);
        jg_strategy_set_unref(set);
        free(text);
        free(replies);
    }
}

static void bad_files_are_refused_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "test.json:1:1: "},
        {"{", "test.json:1:2: "},
        {"[]", "test.json:1:1: "},
        {"{\"default_strategy\": 5}", "test.json:1:22: "},
        {"{\n  \"service_strategies\": [\n    {\"service\": \"a\" \"type\"}]}", "test.json:3:21: "},
        {"{\"service_strategies\": {}}", "test.json:1:24: "},
        {"{\"service_strategies\": [null]}", "test.json:1:25: "},
        {"{\"service_strategies\": [{\"param\": \"0.5\"}]}", "test.json:1:35: "},
        {"{\"service_strategies\": [{\"param\": 1e999}]}", "test.json:1:40: "},
        {"{\"service_strategies\": [{\"service\": 7}]}", "test.json:1:37: "},
        {"{\"service_strategies\": [{\"operation_strategies\": [null]}]}", "test.json:1:51: "},
        {"{} x", "test.json:1:4: "},
        {"default_strategy: {type: probabilistic}", "test.json:1:1: "},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_strategies_options options = {.default_rate = 1, .name = "test.json"};
        jg_strategy_set *set;
        jaeger_error err = {0};
        assert_int_equal(jg_strategies_read(jg_str(rows[i].text), &options, &set, &err),
                         JAEGER_INVALID_ARGUMENT);
        if (strncmp(err.message, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s: %s, want %s", rows[i].text, err.message, rows[i].want);
    }
}

/** Services times operations of the default: small text, large result. */
static void merged_operations_are_bounded(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1 << 20);
    jg_buf_lit(&text, "{\"default_strategy\":{\"operation_strategies\":[{}");
    for (int i = 0; i < 4000; i++)
        jg_buf_lit(&text, ",{}");
    jg_buf_lit(&text, "]},\"service_strategies\":[{}");
    for (int i = 0; i < 1000; i++)
        jg_buf_printf(&text, ",{\"service\":\"s%d\",\"operation_strategies\":[{\"operation\":\"own\"}]}", i);
    jg_buf_lit(&text, "]}");
    jg_strategies_options options = {.default_rate = 1, .name = "test.json"};
    jg_strategy_set *set;
    jaeger_error err = {0};
    assert_true(jg_buf_ok(&text));
    assert_int_equal(jg_strategies_read(jg_buf_view(&text), &options, &set, &err), JAEGER_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "more than 1000000 operations"));
}

static void thousands_of_operations_are_served(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(16u << 20);
    jg_buf_lit(&text, "{\"service_strategies\":[{\"service\":\"s\",\"operation_strategies\":[{}");
    for (int i = 0; i < 50000; i++)
        jg_buf_printf(&text, ",{\"operation\":\"op-%d\",\"type\":\"probabilistic\",\"param\":0.5}", i);
    jg_buf_lit(&text, "]}]}");
    jg_buf_byte(&text, 0);
    jg_strategy_set *set = set_of((const char *)text.data);
    const jaeger_strategy *strategy = jg_strategy_set_get(set, JAEGER_STR("s"));
    assert_int_equal(strategy->operation_count, 50001);
    assert_str(strategy->operations[50000].operation, "op-49999");
    jg_strategy_set_unref(set);
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    jg_strategy_set *set = set_of("{\"service_strategies\":[{\"service\":\"a\xff"
                                  "b\",\"param\":1}]}");
    assert_ptr_not_equal(jg_strategy_set_get(set, JAEGER_STR("a\xef\xbf\xbd"
                                                             "b")),
                         &set->fallback);
    jg_strategy_set_unref(set);
}

static void reading_survives_every_failed_allocation(void **state)
{
    (void)state;
    char *text = file_text("edge.json");
    jg_strategies_options options = {.default_rate = 1, .name = "test.json"};
    jaeger_status status = JAEGER_INTERNAL;
    for (long n = 0; status != JAEGER_OK; n++) {
        jg_strategy_set *set = NULL;
        jg_alloc_fail_after(n);
        status = jg_strategies_read(jg_str(text), &options, &set, NULL);
        jg_alloc_fail_after(-1);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
        jg_strategy_set_unref(set);
        assert_true(n < 10000);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_those_of_go_jaeger),
        cmocka_unit_test(bad_files_are_refused_with_line_and_column),
        cmocka_unit_test(merged_operations_are_bounded),
        cmocka_unit_test(thousands_of_operations_are_served),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(reading_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
