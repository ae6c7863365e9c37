/* SPDX-License-Identifier: Apache-2.0 */
#include "query/span_find.h"
#include "support/traces.h"

static const char document[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"Shop\"}},{\"key\":\"host\",\"value\":{\"stringValue\":\"node-7\"}}]},\"scopeSpans\":[{\"spans\":[{"
    "\"traceId\":\"0000000000000000000000000000000a\",\"spanId\":\"00000000000000fe\",\"name\":\"GET /cart\","
    "\"attributes\":[{\"key\":\"http.status\",\"value\":{\"intValue\":\"503\"}},{\"key\":\"list\",\"value\":{"
    "\"arrayValue\":{\"values\":[{\"stringValue\":\"blue\"}]}}}],\"events\":[{\"name\":\"retry\","
    "\"attributes\":[{\"key\":\"attempt\",\"value\":{\"intValue\":\"2\"}}]}]}]}]}]}";

static void span_find_looks_everywhere_and_wants_all_words(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool want;
    } rows[] = {
        {"shop", true},
        {"CART", true},
        {"\"GET /cart\"", true},
        {"\"cart GET\"", false},
        {"cart get", true},
        {"cart nothing", false},
        {"00fe", true},
        {"http.status", true},
        {"503", true},
        {"http.status=50", true},
        {"HTTP.STATUS=503", true},
        {"http.status=4", false},
        {"host=node", true},
        {"blue", true},
        {"retry", true},
        {"attempt=2", true},
        {"attempt=3", false},
        {"", false},
        {"  ", false},
        {"\"\"", false},
        {"=", false},
        {"\"unclosed", false},
        {"\"get", true},
        {"503 -http", false},
        {"503 -STATUS", false},
        {"503 -attempt", true},
        {"node-7 -host", false},
        {"-attempt", false},
        {"cart -attempt=2", false},
        {"cart -attempt=3", true},
        {"-attempt=3", true},
        {"-host=node", false},
        {"cart -\"host=node\"", false},
        {"\"-attempt\"", false},
        {"-", true}, /* in node-7 */
        {"cart -\"\"", true},
    };
    JG_AUTO_BATCH jaeger_batch *batch = batch_of_json(document);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_span_find find;
        jg_span_find_init(&find, jg_str(rows[i].query));
        if (jg_span_find_matches(&find, jaeger_batch_spans(batch)) != rows[i].want)
            fail_msg("%s", rows[i].query);
        jg_span_find_done(&find);
    }
}

static void span_find_takes_so_many_words_and_no_more(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf query = JG_BUF_INIT(4096);
    jg_span_find find;
    for (int i = 0; i < JG_SPAN_FIND_WORDS_MAX + 5; i++)
        jg_buf_lit(&query, "cart ");
    jg_span_find_init(&find, jg_buf_view(&query));
    assert_int_equal(find.count, JG_SPAN_FIND_WORDS_MAX);
    jg_span_find_done(&find);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span_find_looks_everywhere_and_wants_all_words),
        cmocka_unit_test(span_find_takes_so_many_words_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
