/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/opensearch/admin.h"

#include "core/arena.h"
#include "support/opensearch.h"

#define DAY_MS 86400000ull
#define NOW_MS 1628259381326ull /* 2021-08-06T14:16:21Z */

static jaeger_call new_call(void)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.arena = jaeger_arena_new(1u << 20);
    return call;
}

static const char list_json[] =
    "{\"jaeger-span-000001\":{\"aliases\":{\"jaeger-span-read\":{},\"jaeger-span-write\":{\"is_write_index\":"
    "true}},"
    "\"settings\":{\"index.creation_date\":\"1628259381326\",\"index.number_of_shards\":\"5\"}},"
    "\"jaeger-service-2021-08-06\":{\"aliases\":{},\"settings\":{\"index.creation_date\":\"1628259381266\"}}"
    "}";

static void a_list_of_indices_is_read_and_sorted(void **state)
{
    (void)state;
    jaeger_call call = new_call();
    jg_os_index_infos list;
    assert_ok(jg_os_read_index_list(jg_str(list_json), &list, &call));
    assert_int_equal(list.count, 2);
    assert_str(list.items[0].name, "jaeger-service-2021-08-06");
    assert_int_equal(list.items[0].aliases.count, 0);
    assert_true(list.items[1].created_unix_ms == 1628259381326ull);
    assert_true(jg_os_has_alias(&list.items[1], JAEGER_STR("jaeger-span-write")));
    assert_false(jg_os_has_alias(&list.items[1], JAEGER_STR("jaeger-span")));
    assert_ok(jg_os_read_index_list(JAEGER_STR("{}"), &list, &call));
    assert_int_equal(list.count, 0);
    static const char *const bad[] = {
        "",          "[]",
        "{\"a\":1}", "{\"a\":{\"aliases\":[]}}",
        "{} {}",     "{\"a\":{\"settings\":{\"index.creation_date\":\"soon\"}}}"};
    for (size_t i = 0; i < JG_COUNT(bad); i++)
        assert_int_equal(jg_os_read_index_list(jg_str(bad[i]), &list, &call), JAEGER_INTERNAL);
    jaeger_arena_free(call.arena);
}

static void the_cleaner_takes_only_old_indices_of_ours(void **state)
{
    (void)state;
    static const struct {
        const char *name, *prefix, *separator;
        bool archive, rollover, wanted;
    } cases[] = {
        {"jaeger-span-2021-08-01", "", "-", false, false, true},
        {"jaeger-service-2021-08-01", "", "-", false, false, true},
        {"jaeger-dependencies-2021-08-01", "", "-", false, false, true},
        {"jaeger-sampling-2021-08-01", "", "-", false, false, true},
        {"jaeger-span-2021-08-01-15", "", "-", false, false, true}, /* by the hour */
        {"jaeger-span-2021.08.01", "", "-", false, false, false},
        {"jaeger-span-2021.08.01", "", ".", false, false, true},
        {"jaeger-span-20210801", "", "", false, false, true},
        {"jaeger-span-000001", "", "", false, false, false},
        {"jaeger-span-000001", "", "-", false, false, false},
        {"jaeger-span-000001", "", "-", false, true, true},
        {"jaeger-span-2021-08-01", "", "-", false, true, false},
        {"jaeger-span-archive-000001", "", "-", false, true, false},
        {"jaeger-span-archive-000001", "", "-", true, false, true},
        {"jaeger-span-000001", "", "-", true, false, false},
        {"jaeger-service-archive-000001", "", "-", true, false, false},
        {"p-jaeger-span-2021-08-01", "", "-", false, false, false},
        {"p-jaeger-span-2021-08-01", "p-", "-", false, false, true},
        {"jaeger-span-2021-08-01", "p-", "-", false, false, false},
        {"jaeger-spans-2021-08-01", "", "-", false, false, false},
        {"jaeger-span-2021-8-1", "", "-", false, false, false},
        {"jaeger-span-", "", "-", false, false, false},
        {"jaeger-lease", "", "-", false, false, false},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jg_os_clean_rule rule = {.prefix = jg_str(cases[i].prefix),
                                 .separator = jg_str(cases[i].separator),
                                 .archive = cases[i].archive,
                                 .rollover = cases[i].rollover,
                                 .before_unix_ms = NOW_MS};
        jg_os_index_info index = {.name = jg_str(cases[i].name), .created_unix_ms = NOW_MS - 1};
        if (jg_os_is_to_clean(&rule, &index) != cases[i].wanted)
            fail_msg("%s: expected %d", cases[i].name, cases[i].wanted);
        index.created_unix_ms = NOW_MS; /* not before */
        assert_false(jg_os_is_to_clean(&rule, &index));
    }
}

static void the_cleaner_leaves_what_is_written_to(void **state)
{
    (void)state;
    jg_os_clean_rule rule = {.separator = JAEGER_STR("-"), .rollover = true, .before_unix_ms = NOW_MS};
    jaeger_str aliases[] = {JAEGER_STR("jaeger-span-read"), JAEGER_STR("jaeger-span-write")};
    jg_os_index_info index = {.name = JAEGER_STR("jaeger-span-000001"), .aliases = {aliases, 1, 1}};
    assert_true(jg_os_is_to_clean(&rule, &index));
    index.aliases.count = 2;
    assert_false(jg_os_is_to_clean(&rule, &index));
}

static void ages_are_counted_as_jaeger_counts_them(void **state)
{
    (void)state;
    const uint64_t midnight = 1628208000000ull; /* 2021-08-06T00:00:00Z */
    static const struct {
        const char *unit;
        uint64_t count, ms;
    } cases[] = {
        {"seconds", 5, 1628259376000ull}, {"minutes", 1, 1628259300000ull},  {"hours", 2, 1628251200000ull},
        {"days", 1, 1628208000000ull},    {"weeks", 1, 1627689600000ull},    {"months", 1, 1625529600000ull},
        {"months", 14, 1591401600000ull}, {"years", 1, 1596672000000ull},    {"years", 100, 0},
        {"days", UINT64_MAX, 0},          {"anything", 0, 1628259381000ull}, {"minutes", UINT64_MAX, 0},
        {"months", UINT64_MAX, 0},        {"years", UINT64_MAX, 0},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        uint64_t ms = jg_os_lookback_ms(NOW_MS, jg_str(cases[i].unit), cases[i].count);
        if (ms != cases[i].ms)
            fail_msg("%s: %llu, expected %llu", cases[i].unit, (unsigned long long)ms,
                     (unsigned long long)cases[i].ms);
    }
    assert_true(jg_os_clean_before_ms(NOW_MS, 7, false) == NOW_MS - 7 * DAY_MS);
    assert_true(jg_os_clean_before_ms(NOW_MS, 7, true) == midnight - 6 * DAY_MS);
    assert_true(jg_os_clean_before_ms(NOW_MS, 0, false) == NOW_MS);
    assert_true(jg_os_clean_before_ms(NOW_MS, UINT64_MAX, true) == 0);
}

static void no_path_is_longer_than_the_cluster_takes(void **state)
{
    (void)state;
    char text[200];
    jaeger_str names[100];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < JG_COUNT(names); i++)
        names[i] = (jaeger_str){text, sizeof text};
    size_t done = 0, requests = 0;
    for (; done < JG_COUNT(names); requests++) {
        JG_AUTO_BUF jg_buf path = JG_BUF_INIT(10000);
        done += jg_os_put_some_names(&path, names + done, JG_COUNT(names) - done);
        assert_true(path.len < 3500);
    }
    assert_true(requests >= 6 && requests <= 10);
}

/* ---- against a node that answers from a script ---- */

typedef struct fixture {
    fake_node node;
    jg_os_client_config config;
    jaeger_str url;
    jg_os_client *client;
    jaeger_call call;
    const char *body;
    int status;
} fixture;

static void answer(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    const fixture *f = node->user;
    (void)request;
    jg_http_send(reply, f->status, "application/json", jg_str(f->body));
}

static void begin(fixture *f)
{
    static const jaeger_logger quiet;
    fake_start(&f->node);
    f->node.answer = answer;
    f->node.user = f;
    f->url = jg_str(f->node.url);
    f->config.server_urls = (jaeger_str_list){&f->url, 1};
    f->call = new_call();
    f->status = 200;
    assert_ok(jg_os_client_new(&f->config, &quiet, &f->client, &f->call.error));
}

static void end(fixture *f)
{
    jg_os_client_free(f->client);
    fake_stop(&f->node);
    jaeger_arena_free(f->call.arena);
}

static void aliases_change_in_one_request(void **state)
{
    (void)state;
    fixture f = {.body = "{\"acknowledged\":true}"};
    begin(&f);
    jg_os_alias_change changes[] = {
        {.index = JAEGER_STR("i-1"), .alias = JAEGER_STR("r"), .remove = true},
        {.index = JAEGER_STR("i-2"), .alias = JAEGER_STR("w"), .is_write_index = true}};
    assert_ok(jg_os_change_aliases(f.client, changes, 2, &f.call));
    assert_string_equal(f.node.path, "/_aliases");
    assert_str(jg_buf_view(&f.node.body),
               "{\"actions\":[{\"remove\":{\"index\":\"i-1\",\"alias\":\"r\"}},"
               "{\"add\":{\"index\":\"i-2\",\"alias\":\"w\",\"is_write_index\":true}}]}");
    assert_ok(jg_os_change_aliases(f.client, changes, 0, &f.call));
    assert_int_equal(fake_count(&f.node), 1);
    f.status = 404;
    assert_int_equal(jg_os_change_aliases(f.client, changes, 1, &f.call), JAEGER_NOT_FOUND);
    end(&f);
}

static void a_rollover_says_what_it_did(void **state)
{
    (void)state;
    fixture f = {.body = "{\"acknowledged\":true,\"old_index\":\"a-000001\",\"new_index\":\"a-000002\","
                         "\"rolled_over\":true,\"dry_run\":false,\"conditions\":{\"[max_age: 2d]\":true}}"};
    jg_os_rollover_result result;
    begin(&f);
    assert_ok(jg_os_roll_over(f.client, JAEGER_STR("a-write"), JAEGER_STR("{\"max_age\":\"2d\"}"), false,
                              &result, &f.call));
    assert_true(result.rolled_over);
    assert_str(result.new_index, "a-000002");
    assert_str(jg_buf_view(&f.node.body), "{\"conditions\":{\"max_age\":\"2d\"}}");
    f.body =
        "{\"old_index\":\"a\",\"new_index\":\"b\",\"rolled_over\":false,\"dry_run\":true,\"conditions\":{"
        "\"[max_age: 2d]\":false}}";
    assert_ok(jg_os_roll_over(f.client, JAEGER_STR("a-write"), (jaeger_str){0}, true, &result, &f.call));
    assert_false(result.rolled_over);
    f.body = "{\"rolled_over\":false,\"dry_run\":true,\"conditions\":{}}";
    assert_ok(jg_os_roll_over(f.client, JAEGER_STR("a-write"), (jaeger_str){0}, true, &result, &f.call));
    assert_true(result.rolled_over); /* it would be */
    f.body = "{\"rolled_over\":1}";
    assert_int_equal(
        jg_os_roll_over(f.client, JAEGER_STR("a-write"), (jaeger_str){0}, true, &result, &f.call),
        JAEGER_INTERNAL);
    end(&f);
}

static void what_is_not_there_is_no_fault(void **state)
{
    (void)state;
    fixture f = {.body = "{}"};
    bool there = false;
    begin(&f);
    assert_ok(jg_os_name_exists(f.client, JAEGER_STR("a"), &there, &f.call));
    assert_true(there);
    f.status = 404;
    assert_ok(jg_os_name_exists(f.client, JAEGER_STR("a"), &there, &f.call));
    assert_false(there);
    f.status = 403;
    assert_int_equal(jg_os_name_exists(f.client, JAEGER_STR("a"), &there, &f.call), JAEGER_PERMISSION_DENIED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_indices_is_read_and_sorted),
        cmocka_unit_test(the_cleaner_takes_only_old_indices_of_ours),
        cmocka_unit_test(the_cleaner_leaves_what_is_written_to),
        cmocka_unit_test(ages_are_counted_as_jaeger_counts_them),
        cmocka_unit_test(no_path_is_longer_than_the_cluster_takes),
        cmocka_unit_test(aliases_change_in_one_request),
        cmocka_unit_test(a_rollover_says_what_it_did),
        cmocka_unit_test(what_is_not_there_is_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
