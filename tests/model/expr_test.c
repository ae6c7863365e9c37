/* SPDX-License-Identifier: Apache-2.0 */
#include "model/expr.h"

#include "core/arena.h"
#include "core/buf.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "support/test.h"

#define START 1700000000000000000ull

/** A root of "shop" (server, 250 ms, ok) with an event and a link, and an error span of "db" (client, 20 ms).
 */
static jaeger_batch *sample(void)
{
    jaeger_batch *batch;
    jaeger_builder *b = jaeger_builder_new(1 << 16);
    uint8_t linked[16] = {0xab, [15] = 1}, linked_span[8] = {[7] = 9};
    jaeger_span_start root = {.trace_id = {[15] = 0x1f},
                              .span_id = {[7] = 1},
                              .name = JAEGER_STR("GET /cart"),
                              .kind = JAEGER_KIND_SERVER,
                              .start_unix_ns = START,
                              .end_unix_ns = START + 250000000};
    jaeger_span_start child = {.trace_id = {[15] = 0x1f},
                               .span_id = {[7] = 2},
                               .parent_span_id = {[7] = 1},
                               .name = JAEGER_STR("SELECT"),
                               .kind = JAEGER_KIND_CLIENT,
                               .start_unix_ns = START + 1000,
                               .end_unix_ns = START + 20001000};
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_attr_str(b, JAEGER_STR("k8s.pod"), JAEGER_STR("pod-1"));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1.2"), JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("lang"), JAEGER_STR("c"));
    jaeger_builder_span(b, &root);
    jaeger_builder_attr_int(b, JAEGER_STR("http.status_code"), 503);
    jaeger_builder_attr_str(b, JAEGER_STR("http.method"), JAEGER_STR("GET"));
    jaeger_builder_attr_str(b, JAEGER_STR("size"), JAEGER_STR("9"));
    jaeger_builder_attr_double(b, JAEGER_STR("ratio"), 0.5);
    jaeger_builder_attr_bool(b, JAEGER_STR("cached"), true);
    jaeger_builder_attr_str(b, JAEGER_STR("a b"), JAEGER_STR("q\"uote"));
    jaeger_builder_attr_str(b, JAEGER_STR("kind"), JAEGER_STR("own"));
    jaeger_builder_attr_str(b, JAEGER_STR("pod"), JAEGER_STR("pod-1"));
    jaeger_builder_event(b, START + 60000, JAEGER_STR("exception"));
    jaeger_builder_attr_str(b, JAEGER_STR("type"), JAEGER_STR("Timeout"));
    jaeger_builder_event(b, START + 10000, JAEGER_STR("retry"));
    jaeger_builder_attr_int(b, JAEGER_STR("attempt"), 2);
    jaeger_builder_link(b, linked, linked_span, JAEGER_STR("a=b"), 0);
    jaeger_builder_attr_str(b, JAEGER_STR("why"), JAEGER_STR("batch"));
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("db"));
    jaeger_builder_span(b, &child);
    jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR("deadlock"));
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static void check(jg_expr_dialect dialect, const char *text, bool want)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    JG_AUTO_BATCH jaeger_batch *batch = sample();
    const jaeger_filter *filter;
    jaeger_error err = {0};
    if (jg_filter_parse(dialect, jg_str(text), arena, &filter, &err) != JAEGER_OK)
        fail_msg("%s: %s", text, err.message);
    if (jg_filter_test_trace(filter, batch) != want)
        fail_msg("%s is %d", text, !want);
    bool some = false; /* what drivers see: at least as much */
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++)
        some |= jaeger_filter_test(filter, &jaeger_batch_spans(batch)[i]);
    if (want && !some)
        fail_msg("%s: lost by a driver", text);
}

static void expressions_hold_for_some_span(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"service = shop", true},
        {"service = \"shop\" and name = \"SELECT\"", false},
        {"service = db and name = SELECT", true},
        {"name =~ \"^GET\"", true},
        {"name =~ 'cart$' AND kind = server", true},
        {"name !~ \"GET|SELECT\"", false},
        {"kind = Client and status = ERROR", true},
        {"kind = server and status = error", false},
        {"status != unset", true},
        {"duration > 249ms && duration <= 0.25s", true},
        {"duration < 20ms", false},
        {"duration = 20ms", true},
        {"http.status_code = 503", true},
        {"http.status_code = \"503\"", true},
        {"http.status_code >= 500 and http.status_code < 600", true},
        {"http.status_code > 503.5", false},
        {"http.status_code != 200", true},
        {"http.status_code =~ \"5..\"", true},
        {"missing != 200", false},
        {"NOT missing = 200", true},
        {"NOT (service = shop OR service = db)", false},
        {"not service = shop and not service = db", false},
        {"size > 10", false},
        {"size < 10", true},
        {"http.method > \"G\"", true},
        {"http.method < \"G\"", false},
        {"ratio = 0.5 and ratio < 1", true},
        {"cached = true", true},
        {"cached = false", false},
        {"exists(ratio)", true},
        {"ratio exists", true},
        {"exists span.lang", false},
        {"scope.lang = c and scope.name = lib and scope.version = '1.2'", true},
        {"lang = c", false},
        {"k8s.pod = pod-1", true},
        {"resource.k8s.pod = pod-1", true},
        {"span.k8s.pod exists", false},
        {"span.pod = resource.k8s.pod", true},
        {"span.pod != resource.k8s.pod", false},
        {"span:startTime < span:endTime", true},
        {"span.\"a b\" = \"q\\\"uote\"", true},
        {"\"a b\" = `q\"uote`", true},
        {".kind = own", true},
        {"span.\"kind\" = own", true},
        {"span.kind = server", true},
        {"event.type = Timeout", true},
        {"event.name = retry", true},
        {"event:timeSinceStart > 50us", true},
        {"event:timeSinceStart > 100us", false},
        {"event.type = Timeout and event.attempt = 2", true},
        {"some(event, event.type = Timeout and event.attempt = 2)", false},
        {"some(event, event.name = retry and event.attempt >= 2)", true},
        {"some(link, link.why = batch and link:traceID = ab000000000000000000000000000001)", true},
        {"link:spanID = 9", true},
        {"traceID = 1f", true},
        {"traceID = 000000000000000000000000000000AF", false},
        {"startTime >= \"2023-11-14T22:13:20Z\" and startTime < \"2023-11-15T00:13:21+02:00\"", true},
        {"startTime > \"2023-11-14T22:13:20.0001Z\"", false},
        {"http.method in (POST, GET)", true},
        {"http.method not in (POST, GET)", false},
        {"http.status_code in (500, 503)", true},
        {"rootService = shop and name = SELECT", true},
        {"rootName = SELECT", false},
        {"traceDuration >= 250ms and traceDuration < 251ms", true},
        {"spanCount = 2", true},
        {"spanCount > 2 or hasError", true},
        {"hasError = false", false},
        {"not hasError", false},
        {"statusMessage = deadlock", true},
        {"{ service = shop } and { service = db and status = error }", true},
        {"{ service = shop and status = error }", false},
        {"{ service = shop } and not { service = web }", true},
        {"(service = shop)or(service = web)", true},
        {"service != shop", true},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        check(JG_EXPR_TEXT, rows[i].text, rows[i].want);
}

static void traceql_selectors_hold(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"{}", true},
        {"{ true }", true},
        {"{ false }", false},
        {"{ resource.service.name = \"shop\" && duration > 100ms }", true},
        {"{resource.service.name=\"shop\"&&duration>1s}", false},
        {"{ .http.status_code = 503 }", true},
        {"{ .http.status_code = \"503\" }", false},
        {"{ name =~ \"GET\" }", false},
        {"{ name =~ \"GET.*\" }", true},
        {"{ status = error } && { kind = server }", true},
        {"{ status = error && kind = server }", false},
        {"{ status = error } || { name = \"x\" }", true},
        {"{ span.kind = \"own\" }", true},
        {"{ rootServiceName = \"shop\" && traceDuration > 200ms }", true},
        {"{ span.missing = nil && name = \"SELECT\" }", true},
        {"{ span.http.method != nil }", true},
        {"{ event:name = \"retry\" }", true},
        {"{ instrumentation:name = \"lib\" }", true},
        {"{ resource.service.name = \"shop\" } | select(span.http.method, status)", true},
        {"{ !(kind = server) }", true},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        check(JG_EXPR_TRACEQL, rows[i].text, rows[i].want);
}

static void faults_name_the_column(void **state)
{
    (void)state;
    static const struct {
        jg_expr_dialect dialect;
        const char *text, *message;
    } rows[] = {
        {JG_EXPR_TEXT, "", "column 1: the expression ends too early"},
        {JG_EXPR_TEXT, "cached", "column 7: an operator is expected here: = != < <= > >= =~ !~ exists in"},
        {JG_EXPR_TEXT,
         "a = ", "column 5: a value is expected here: a \"text\", a number, a duration, true or false"},
        {JG_EXPR_TEXT, "a = 1 b", "column 7: 'and', 'or' or the end is expected here"},
        {JG_EXPR_TEXT, "(a = 1", "column 7: ')' or an operator is expected here"},
        {JG_EXPR_TEXT, "a = \"x", "column 5: this text does not end"},
        {JG_EXPR_TEXT, "a = 1 # b", "column 7: unexpected character"},
        {JG_EXPR_TEXT, "duration > 5", "column 12: \"5\" is not a duration: give it a unit, such as 100ms"},
        {JG_EXPR_TEXT, "a = 5 and duration > soon",
         "column 22: \"soon\" is not a duration, such as 100ms or 1.5s"},
        {JG_EXPR_TEXT, "kind = big",
         "column 8: \"big\" is not a span kind: unspecified, internal, server, client, producer, consumer"},
        {JG_EXPR_TEXT, "kind > server", "column 8: its values have no order"},
        {JG_EXPR_TEXT, "a =~ \"x(\"", "column 9: invalid regular expression: missing )"},
        {JG_EXPR_TEXT, "a =~ b", "column 6: a regular expression in quotes is expected here"},
        {JG_EXPR_TEXT, "duration = 1ms and duration = name",
         "column 31: \"name\" is not a duration, such as 100ms or 1.5s"},
        {JG_EXPR_TEXT, "duration = span:name", "column 12: these two hold different kinds of values"},
        {JG_EXPR_TEXT, "a = 1x", "column 5: neither a number nor a duration such as 100ms"},
        {JG_EXPR_TEXT, "traceID = xyz", "column 11: \"xyz\" is not an id in hex"},
        {JG_EXPR_TEXT, "startTime > \"noon\"",
         "column 13: \"noon\" is not a time, such as \"2024-05-01T12:00:00Z\""},
        {JG_EXPR_TEXT, "{ { a = 1 } }", "column 3: braces inside braces"},
        {JG_EXPR_TEXT, "((((((((((((((((((((a = 1))))))))))))))))))))", "column 21: nested too deeply"},
        {JG_EXPR_TRACEQL, "name = \"a\"", "column 1: '{' is expected here"},
        {JG_EXPR_TRACEQL, "{ foo = 1 }",
         "column 3: unknown name; attributes are written .key, span.key or resource.key"},
        {JG_EXPR_TRACEQL, "{ .a = 1 } | count() > 2",
         "column 14: of TraceQL's pipeline stages only select() is supported"},
        {JG_EXPR_TRACEQL, "{ .a = 1 } >> { .b = 1 }", "column 12: 'and', 'or' or the end is expected here"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        const jaeger_filter *filter;
        jaeger_error err = {0};
        if (jg_filter_parse(rows[i].dialect, jg_str(rows[i].text), arena, &filter, &err) !=
            JAEGER_INVALID_ARGUMENT)
            fail_msg("%s: taken", rows[i].text);
        assert_string_equal(err.message, rows[i].message);
    }
}

#define ATTR(key, level)   "{\"attr\":{\"key\":\"" key "\",\"level\":\"" level "\"}}"
#define FIELD(name, level) "{\"field\":{\"name\":\"" name "\",\"level\":\"" level "\"}}"
#define SCALAR(value)      "{\"scalar\":{\"value\":\"" value "\"}}"
#define CALL(op, args)     "{\"op\":\"" op "\",\"args\":[" args "]}"

static void json_filters_hold(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int want; /* -1: refused */
    } rows[] = {
        {CALL("eq", FIELD("service", "resource") "," SCALAR("shop")), 1},
        {CALL("eq", SCALAR("shop") "," FIELD("service", "resource")), 1},
        {CALL("gt", SCALAR("300ms") "," FIELD("duration", "span")), 1},
        {CALL("lt", SCALAR("300ms") "," FIELD("duration", "span")), 0},
        {CALL("eq", "{\"attr\":{\"key\":\"http.status_code\"}}," SCALAR("503")), 1},
        {CALL("eq", ATTR("http.status_code", "span") ",{\"scalar\":{\"value\":\"503\",\"type\":\"int\"}}"),
         1},
        {CALL("eq", ATTR("http.status_code", "span") ",{\"scalar\":{\"type\":\"string\",\"value\":\"503\"}}"),
         0},
        {CALL("in",
              ATTR("http.status_code", "") ",{\"list\":{\"values\":[\"500\",\"503\"],\"type\":\"int\"}}"),
         1},
        {CALL("not_in", ATTR("http.status_code", "") ",{\"list\":{\"values\":[\"500\",\"503\"]}}"), 0},
        {CALL("regex", FIELD("name", "span") "," SCALAR("cart")), 1},
        {CALL("exists", ATTR("lang", "scope")), 1},
        {CALL("exists", FIELD("traceState", "link")), 1},
        {CALL("and", "{\"call\":" CALL("exists", ATTR("ratio", "")) "},{\"call\":{\"args\":[{\"call\":" CALL(
                         "exists", ATTR("nope", "")) "}],\"op\":\"not\"}}"),
         1},
        {CALL("some", "{\"nested\":{\"level\":\"event\"}},{\"call\":" CALL(
                          "eq", FIELD("name", "event") "," SCALAR("retry")) "}"),
         1},
        {CALL("lt", FIELD("startTime", "span") "," FIELD("endTime", "span")), 1},
        {CALL("xor", SCALAR("1")), -1},
        {CALL("eq", SCALAR("1") "," SCALAR("1")), -1},
        {CALL("eq", FIELD("nope", "span") "," SCALAR("1")), -1},
        {CALL("eq", FIELD("name", "") "," SCALAR("1")), -1},
        {CALL("eq", ATTR("a", "trace") "," SCALAR("1")), -1},
        {CALL("gt", FIELD("kind", "span") "," SCALAR("server")), -1},
        {CALL("gt", FIELD("duration", "span") "," SCALAR("5")), -1},
        {CALL("in", ATTR("a", "") ",{\"list\":{\"values\":[]}}"), -1},
        {CALL("in", ATTR("a", "") "," SCALAR("1")), -1},
        {CALL("not", ATTR("a", "")), -1},
        {CALL("and", ""), -1},
        {CALL("eq", ATTR("a", "") ",{\"scalar\":{\"value\":\"x\",\"type\":\"int\"}}"), -1},
        {"{\"op\":\"eq\",\"arg\":[]}", -1},
        {"{\"op\":\"exists\",\"args\":[{\"attr\":{\"key\":\"a\"},\"field\":{}}]}", -1},
        {"{\"op\":\"eq\",", -1},
        {"[]", -1},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        JG_AUTO_BATCH jaeger_batch *batch = sample();
        const jaeger_filter *filter;
        jaeger_error err = {0};
        jaeger_status status = jg_filter_from_json(jg_str(rows[i].json), arena, &filter, &err);
        if (status != (rows[i].want < 0 ? JAEGER_INVALID_ARGUMENT : JAEGER_OK))
            fail_msg("%s: %s", rows[i].json, err.message);
        if (rows[i].want >= 0 && jg_filter_test_trace(filter, batch) != rows[i].want)
            fail_msg("%s", rows[i].json);
        if (rows[i].json[0] == '{')
            assert_true(jg_filter_is_json(jg_str(rows[i].json)));
    }
    assert_false(jg_filter_is_json(JAEGER_STR("{ a = 1 }")));
    assert_false(jg_filter_is_json(JAEGER_STR("{ \"a b\" = 1 }")));
}

/** not(eq(attr key, scalar value)) as Jaeger's client sends it. */
static void write_call(jg_buf *buf, const char *key, const char *value)
{
    jg_pb_write_str(buf, 1, JAEGER_STR("not"));
    size_t not_arg = jg_pb_begin(buf, 2, 1), call = jg_pb_begin(buf, 6, 1);
    jg_pb_write_str(buf, 1, JAEGER_STR("eq"));
    size_t arg = jg_pb_begin(buf, 2, 1), attr = jg_pb_begin(buf, 1, 1);
    jg_pb_write_str(buf, 1, jg_str(key));
    jg_pb_end(buf, attr, 1);
    jg_pb_end(buf, arg, 1);
    arg = jg_pb_begin(buf, 2, 1);
    size_t scalar = jg_pb_begin(buf, 4, 1);
    jg_pb_write_str(buf, 1, jg_str(value));
    jg_pb_end(buf, scalar, 1);
    jg_pb_end(buf, arg, 1);
    jg_pb_end(buf, call, 1);
    jg_pb_end(buf, not_arg, 1);
}

static void protobuf_filters_hold(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(1 << 16);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    JG_AUTO_BATCH jaeger_batch *batch = sample();
    const jaeger_span *spans = jaeger_batch_spans(batch);
    const jaeger_filter *filter;
    write_call(&buf, "http.method", "GET");
    assert_ok(jg_filter_from_pb(jg_buf_view(&buf), arena, &filter, NULL));
    assert_int_equal(jg_filter_test(filter, &spans[0], NULL), JG_EXPR_NO);
    assert_int_equal(jg_filter_test(filter, &spans[1], NULL), JG_EXPR_YES);
    for (size_t n = 1; n < buf.len; n++) /* cut anywhere: refused, never read beyond */
        assert_int_equal(jg_filter_from_pb((jaeger_str){(const char *)buf.data, n}, arena, &filter, NULL),
                         JAEGER_INVALID_ARGUMENT);
    JG_AUTO_BUF jg_buf deep = JG_BUF_INIT(1 << 16), outer = JG_BUF_INIT(1 << 16);
    for (int i = 0; i < 60; i++) {
        jg_buf_clear(&outer);
        jg_pb_write_str(&outer, 1, JAEGER_STR("not"));
        size_t arg = jg_pb_begin(&outer, 2, 2);
        jg_pb_write_str(&outer, 6, jg_buf_view(&deep));
        jg_pb_end(&outer, arg, 2);
        jg_buf_clear(&deep);
        jg_buf_str(&deep, jg_buf_view(&outer));
    }
    assert_int_equal(jg_filter_from_pb(jg_buf_view(&deep), arena, &filter, NULL), JAEGER_INVALID_ARGUMENT);
}

static void answers_are_open_without_the_trace(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        jg_expr_answer want;
    } rows[] = {{"rootService = shop", JG_EXPR_MAYBE},
                {"not rootService = shop", JG_EXPR_MAYBE},
                {"rootService = shop and service = web", JG_EXPR_NO},
                {"rootService = shop or service = shop", JG_EXPR_YES},
                {"{ service = web } and { service = shop }", JG_EXPR_MAYBE},
                {"{ service = web }", JG_EXPR_NO}};
    JG_AUTO_BATCH jaeger_batch *batch = sample();
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        const jaeger_filter *filter;
        assert_ok(jg_filter_parse(JG_EXPR_TEXT, jg_str(rows[i].text), arena, &filter, NULL));
        assert_int_equal(jg_filter_test(filter, jaeger_batch_spans(batch), NULL), rows[i].want);
    }
}

static void conditions_for_a_driver_are_never_narrower(void **state)
{
    (void)state;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    const jaeger_filter *filter;
    jaeger_trace_query query = {.size = sizeof query};
    assert_ok(jg_filter_parse(JG_EXPR_TEXT,
                              JAEGER_STR("service = shop and name = \"GET /cart\" and duration > 1ms and "
                                         "duration <= 2s and http.method = GET and n = 5 and not a = b and "
                                         "(c = d or e = f)"),
                              arena, &filter, NULL));
    assert_ok(jg_filter_narrow(filter, &query, arena, NULL));
    assert_str(query.service, "shop");
    assert_str(query.operation, "GET /cart");
    assert_int_equal(query.duration_min_ns, 1000000);
    assert_int_equal(query.duration_max_ns, 2000000000);
    assert_int_equal(query.attr_count, 1); /* 5 may be 5.0, which prints otherwise */
    assert_str(query.attrs[0].key, "http.method");
    query = (jaeger_trace_query){.size = sizeof query};
    assert_ok(jg_filter_parse(JG_EXPR_TEXT, JAEGER_STR("{ service = a } and { service = b }"), arena, &filter,
                              NULL));
    assert_ok(jg_filter_narrow(filter, &query, arena, NULL));
    assert_str(query.service, "a");
    query = (jaeger_trace_query){.size = sizeof query};
    assert_ok(
        jg_filter_parse(JG_EXPR_TEXT, JAEGER_STR("service = a or duration > 1s"), arena, &filter, NULL));
    assert_ok(jg_filter_narrow(filter, &query, arena, NULL));
    assert_int_equal(query.service.len, 0);
    assert_int_equal(query.duration_min_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_hold_for_some_span),
        cmocka_unit_test(traceql_selectors_hold),
        cmocka_unit_test(faults_name_the_column),
        cmocka_unit_test(json_filters_hold),
        cmocka_unit_test(protobuf_filters_hold),
        cmocka_unit_test(answers_are_open_without_the_trace),
        cmocka_unit_test(conditions_for_a_driver_are_never_narrower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
