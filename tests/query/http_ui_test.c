/* SPDX-License-Identifier: Apache-2.0 */
#include "query/http.h"
#include "query/watch.h"
#include "support/traces.h"

typedef struct fixture {
    fake_store traces;
    jaeger_query *query;
    jg_metrics *metrics;
    jg_query_http http;
    int status;
    char content_type[64], etag[64];
    const char *if_none_match;
    jg_buf body;
    void (*on_piece)(struct fixture *f, jaeger_str piece); /* while an answer is written; NULL: nothing */
    jg_watch watch;
    int documents;
} fixture;

static void add_header(void *self, const char *name, jaeger_str value)
{
    fixture *f = self;
    if (strcmp(name, "ETag") == 0)
        (void)snprintf(f->etag, sizeof f->etag, "%.*s", JAEGER_STR_ARGS(value));
}

static void begin_reply(void *self, int status, const char *content_type)
{
    fixture *f = self;
    f->status = status;
    (void)snprintf(f->content_type, sizeof f->content_type, "%s", content_type ? content_type : "");
}

static jaeger_status write_piece(void *self, jaeger_str bytes)
{
    fixture *f = self;
    jg_buf_str(&f->body, bytes);
    if (f->on_piece)
        f->on_piece(f, bytes);
    return JAEGER_OK;
}

static void send(void *self, int status, const char *content_type, jaeger_str body)
{
    begin_reply(self, status, content_type);
    (void)write_piece(self, body);
}

static void end_reply(void *self, bool ok)
{
    (void)self;
    assert_true(ok);
}

#define ID(n) "\"spanId\":\"00000000000000" n "\""
static const char document[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"shop\"}}]},\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"0000000000000000000000000000000a\"," ID(
        "01") ",\"name\":\"root\",\"kind\":2,"
              "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"9000\",\"status\":{\"code\":2},"
              "\"attributes\":[{\"key\":\"color\",\"value\":{\"stringValue\":\"blue\"}}]},"
              "{\"traceId\":\"0000000000000000000000000000000a\"," ID(
                  "02") ",\"parentSpanId\":\"0000000000000001\","
                        "\"name\":\"child\",\"kind\":3,\"startTimeUnixNano\":\"3000\",\"endTimeUnixNano\":"
                        "\"2000\","
                        "\"events\":[{\"name\":\"e\"}]},"
                        "{\"traceId\":\"0000000000000000000000000000000a\"," ID(
                            "03") ",\"parentSpanId\":\"00000000000000ff\","
                                  "\"name\":\"child\",\"startTimeUnixNano\":\"4000\",\"endTimeUnixNano\":"
                                  "\"5000\"}]}]}]}";

static void begin(fixture *f)
{
    *f = (fixture){.body = JG_BUF_INIT(1 << 20)};
    f->traces.caps = (jaeger_storage_caps){.size = sizeof(jaeger_storage_caps),
                                           .without_service_name = true,
                                           .same_span_conjunction = true,
                                           .durable = true};
    f->metrics = jg_metrics_new();
    jaeger_query_options options = {.size = sizeof options, .traces = {&fake_driver, &f->traces}};
    assert_ok(jaeger_query_new(&options, &f->query, NULL));
    f->http = (jg_query_http){.query = f->query, .metrics = f->metrics};
    f->traces.chunks[f->traces.count++] = batch_of_json(document);
}

static void end(fixture *f)
{
    jaeger_query_free(f->query);
    jg_metrics_free(f->metrics);
    fake_store_done(&f->traces);
    jg_buf_done(&f->body);
}

static const char *ask(fixture *f, const char *path, const char *query)
{
    jaeger_call call = JAEGER_CALL_INIT;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(64 << 20);
    call.arena = arena;
    jaeger_pair header = {JAEGER_STR("if-none-match"),
                          f->if_none_match ? jg_str(f->if_none_match) : JAEGER_STR("")};
    jg_http_request request = {.method = JAEGER_STR("GET"),
                               .path = jg_str(path),
                               .query = jg_str(query),
                               .headers = &header,
                               .header_count = f->if_none_match ? 1 : 0,
                               .call = &call};
    jg_query_reply reply = {add_header, send, begin_reply, write_piece, end_reply, f};
    jg_buf_clear(&f->body);
    jg_query_http_handle(&f->http, &request, &reply);
    jg_buf_byte(&f->body, 0);
    return (const char *)f->body.data;
}

#define TRACE "/api/ui/v1/trace/a"

static double double_at(const char *bytes, size_t index)
{
    double value;
    memcpy(&value, bytes + 8 * index, sizeof value);
    return value;
}

static int32_t int_at(const char *bytes, size_t index)
{
    int32_t value;
    memcpy(&value, bytes + 4 * index, sizeof value);
    return value;
}

static void ui_trace_is_columns(void **state)
{
    (void)state;
    static const char head[] = "{\"n\":3,\"traceId\":\"0000000000000000000000000000000a\",\"t0\":\"1000\","
                               "\"services\":[\"shop\"],\"names\":[\"root\",\"child\"],\"etag\":\"\\\"3-";
    fixture f;
    begin(&f);
    const char *got = ask(&f, TRACE, "");
    assert_int_equal(f.status, 200);
    assert_string_equal(f.content_type, "application/x-trace-columns");
    assert_memory_equal(got, "JTC1", 4);
    size_t head_bytes = (size_t)int_at(got, 1);
    assert_int_equal(head_bytes % 8, 0);
    assert_memory_equal(got + 8, head, sizeof head - 1);
    const char *start = got + 8 + head_bytes, *duration = start + 24, *ids = duration + 24,
               *parent = ids + 24;
    const char *service = parent + 16, *name = service + 16, *kind = name + 16, *flags = kind + 8;
    assert_int_equal(f.body.len - 1, flags + 8 - got);
    static const struct {
        double start, duration;
        int32_t parent, name;
        uint8_t kind, flags; /* error, events, orphan */
    } want[] = {{0, 8000, -1, 0, 2, 1}, {2000, 0, 0, 1, 3, 4}, {3000, 1000, -1, 1, 0, 2}};
    for (size_t i = 0; i < JG_COUNT(want); i++) {
        assert_true(double_at(start, i) == want[i].start && double_at(duration, i) == want[i].duration);
        assert_int_equal(int_at(parent, i), want[i].parent);
        assert_int_equal(int_at(service, i), 0);
        assert_int_equal(int_at(name, i), want[i].name);
        assert_int_equal(kind[i], want[i].kind);
        assert_int_equal(flags[i] & 7, want[i].flags);
        assert_int_equal(ids[8 * i + 7], (char)(i + 1));
    }
    end(&f);
}

static void ui_spans_are_full_and_only_those_asked_for(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    const char *got = ask(&f, TRACE "/spans", "ids=0000000000000001,bad,00000000000000aa,");
    assert_int_equal(f.status, 200);
    assert_non_null(strstr(got, "\"name\":\"root\""));
    assert_non_null(strstr(got, "\"color\""));
    assert_null(strstr(got, "\"child\""));
    assert_string_equal(ask(&f, TRACE "/spans", ""), "{\"resourceSpans\":[]}");
    end(&f);
}

static void ui_find_answers_indexes(void **state)
{
    (void)state;
    static const struct {
        const char *query, *want;
    } rows[] = {{"q=CHILD", "{\"n\":3,\"matches\":[1,2]}"},
                {"q=color%3Dblue", "{\"n\":3,\"matches\":[0]}"},
                {"q=shop+child", "{\"n\":3,\"matches\":[1,2]}"},
                {"q=nothing", "{\"n\":3,\"matches\":[]}"},
                {"", "{\"n\":3,\"matches\":[]}"}};
    fixture f;
    begin(&f);
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        assert_string_equal(ask(&f, TRACE "/find", rows[i].query), rows[i].want);
    end(&f);
}

static const char linked[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":\"h\"}},"
    "{\"key\":\"zone\",\"value\":{\"intValue\":\"7\"}}]},\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"0000000000000000000000000000000c\"," ID(
        "01") ",\"startTimeUnixNano\":\"1\",\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":"
              "\"own\"}}],"
              "\"links\":[{\"traceId\":\"0000000000000000000000000000000c\"," ID(
                  "02") "},"
                        "{\"traceId\":\"0000000000000000000000000000000d\"," ID(
                            "02") "},"
                                  "{\"traceId\":\"0000000000000000000000000000000c\"," ID(
                                      "99") "}]},"
                                            "{\"traceId\":\"0000000000000000000000000000000c\"," ID(
                                                "02") ",\"startTimeUnixNano\":\"2\"}]}]}]}";

static void ui_attributes_are_keys_and_numbered_values(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query, *want;
    } rows[] = {
        {"/keys", "", "{\"keys\":[{\"key\":\"host\",\"spans\":2},{\"key\":\"zone\",\"spans\":2}]}"},
        {"/values", "key=host", "{\"n\":2,\"of\":[0,1],\"values\":[\"own\",\"h\"]}"},
        {"/values", "key=zone", "{\"n\":2,\"of\":[0,0],\"values\":[\"7\"]}"},
        {"/values", "key=none", "{\"n\":2,\"of\":[-1,-1],\"values\":[]}"},
        {"/values", "", "{\"n\":2,\"of\":[-1,-1],\"values\":[]}"},
        {"/links", "", "{\"n\":2,\"links\":[0,1]}"},
    };
    fixture f;
    begin(&f);
    f.traces.chunks[f.traces.count++] = batch_of_json(linked);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/api/ui/v1/trace/c%s", rows[i].path);
        assert_string_equal(ask(&f, path, rows[i].query), rows[i].want);
    }
    end(&f);
}

static void add_late_span(fixture *f)
{
    f->traces.chunks[f->traces.count++] = batch_of_json(
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0000000000000000000000000000000a\","
        "\"spanId\":\"0000000000000009\",\"name\":\"late\"}]}]}]}");
}

static void ui_trace_that_did_not_change_is_not_sent_again(void **state)
{
    (void)state;
    char known[64];
    fixture f;
    begin(&f);
    (void)ask(&f, TRACE, "");
    (void)snprintf(known, sizeof known, "%s", f.etag);
    f.if_none_match = known;
    (void)ask(&f, TRACE, "");
    assert_int_equal(f.status, 304);
    assert_int_equal(f.body.len, 1);
    add_late_span(&f);
    (void)ask(&f, TRACE, "");
    assert_int_equal(f.status, 200);
    assert_string_not_equal(f.etag, known);
    end(&f);
}

/** A late span after the first document; the server stops after the second. */
static void grow_then_stop(fixture *f, jaeger_str piece)
{
    if (!jg_str_starts(piece, JAEGER_STR("JTC1")))
        return;
    if (f->documents++ == 0)
        add_late_span(f);
    else
        jg_watch_stop(&f->watch);
}

static void stop_at_once(fixture *f, jaeger_str piece)
{
    (void)piece;
    jg_watch_stop(&f->watch);
}

static void ui_trace_is_pushed_when_it_grows(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.http.watch = &f.watch;
    jg_watch_init(&f.watch, 1);
    f.on_piece = grow_then_stop;
    const char *got = ask(&f, TRACE "/watch", "");
    assert_int_equal(f.status, 200);
    assert_int_equal(f.documents, 2);
    assert_memory_equal(got, "JTB1\0\0\0\0JTC1", 12);
    assert_non_null(memmem(got, f.body.len, "\"late\"", 6));
    assert_int_equal(f.watch.running, 0);
    jg_watch_done(&f.watch);
    end(&f);
}

static void ui_trace_that_the_page_has_is_not_pushed(void **state)
{
    (void)state;
    char query[128] = "after=";
    fixture f;
    begin(&f);
    (void)ask(&f, TRACE, "");
    for (size_t i = 0, at = 6; f.etag[i]; i++) /* its quotes escaped */
        at += (size_t)snprintf(query + at, sizeof query - at, f.etag[i] == '"' ? "%%22" : "%c", f.etag[i]);
    f.http.watch = &f.watch;
    jg_watch_init(&f.watch, 1);
    f.on_piece = stop_at_once;
    (void)ask(&f, TRACE "/watch", query);
    assert_int_equal(f.body.len - 1, 8); /* a beat */
    jg_watch_done(&f.watch);
    end(&f);
}

static void ui_watchers_are_few(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    (void)ask(&f, TRACE "/watch", "");
    assert_int_equal(f.status, 501);
    f.http.watch = &f.watch;
    jg_watch_init(&f.watch, 1);
    assert_ok(jg_watch_enter(&f.watch, NULL));
    (void)ask(&f, TRACE "/watch", "");
    assert_int_equal(f.status, 503);
    jg_watch_leave(&f.watch);
    jg_watch_stop(&f.watch);
    (void)ask(&f, TRACE "/watch", "");
    assert_int_equal(f.status, 503);
    (void)ask(&f, "/api/ui/v1/trace/xyz/watch", "");
    assert_int_equal(f.status, 400);
    jg_watch_done(&f.watch);
    end(&f);
}

static const char shop_calls_bank[] =
    "{\"resourceSpans\":["
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},"
    "\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0000000000000000000000000000000b\"," ID(
        "01") "},"
              "{\"traceId\":\"0000000000000000000000000000000b\"," ID(
                  "02") ",\"parentSpanId\":\"0000000000000001\"}]}]},"
                        "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
                        "\"bank\"}}]},"
                        "\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0000000000000000000000000000000b\"," ID(
                            "03") ",\"parentSpanId\":\"0000000000000002\",\"startTimeUnixNano\":\"1000\","
                                  "\"endTimeUnixNano\":\"3000\",\"status\":{\"code\":2}},"
                                  "{\"traceId\":\"0000000000000000000000000000000b\"," ID(
                                      "04") ",\"parentSpanId\":\"0000000000000002\",\"startTimeUnixNano\":"
                                            "\"1000\",\"endTimeUnixNano\":\"2000\"}]}]}]}";

static void ui_edges_have_errors_and_times(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.traces.chunks[f.traces.count++] = batch_of_json(shop_calls_bank);
    assert_string_equal(ask(&f, "/api/ui/v1/edges", "endTs=1&lookback=1"),
                        "{\"traces\":2,\"more\":false,\"edges\":[{\"parent\":\"shop\",\"child\":\"bank\","
                        "\"calls\":2,\"errors\":1,"
                        "\"meanNs\":1500}]}");
    assert_non_null(strstr(ask(&f, "/api/ui/v1/edges", "endTs=1&lookback=1&limit=2"), "\"more\":true"));
    (void)ask(&f, "/api/ui/v1/edges", "endTs=soon");
    assert_int_equal(f.status, 400);
    end(&f);
}

static void ui_quality_judges_the_spans_of_a_service(void **state)
{
    (void)state;
    static const char *const want[] = {
        "\"bannerText\":\"2 spans of the newest 2 traces\"",
        "{\"key\":\"completeness\",\"label\":\"Completeness\",\"max\":100,\"value\":",
        "\"name\":\"HasRoot\",\"category\":\"completeness\"",
        /* the bank's two spans have no version and no client above them */
        "\"failureCount\":2,\"failureExamples\":[{\"traceID\":\"0000000000000000000000000000000b\","
        "\"spanIDs\":[\"0000000000000003\"]}]",
        "\"clients\":[]",
    };
    fixture f;
    begin(&f);
    f.traces.chunks[f.traces.count++] = batch_of_json(shop_calls_bank);
    const char *got = ask(&f, "/api/quality-metrics", "hours=48&service=bank");
    assert_int_equal(f.status, 200);
    for (size_t i = 0; i < JG_COUNT(want); i++)
        if (!strstr(got, want[i]))
            fail_msg("%s is not in %s", want[i], got);
    got = ask(&f, "/api/quality-metrics", "service=nobody");
    assert_non_null(strstr(got, "\"scores\":[],\"metrics\":[],\"clients\":[]"));
    (void)ask(&f, "/api/quality-metrics", "hours=two");
    assert_int_equal(f.status, 400);
    end(&f);
}

static const char *one_component(void *self, size_t index, const char **ret_kind, const char **ret_pipeline)
{
    *ret_kind = "receiver";
    *ret_pipeline = self;
    return index == 0 ? "otlp" : NULL;
}

static jaeger_status one_strategy(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    (void)self;
    const jaeger_operation_rate operation = {service, 0.5};
    const jaeger_strategy strategy = {.has_rate = true,
                                      .rate = 0.25,
                                      .has_operations = true,
                                      .default_rate = 1,
                                      .operations = &operation,
                                      .operation_count = 1};
    return out.strategy(out.self, &strategy, call);
}

static void ui_sees_the_pipeline_and_the_sampling(void **state)
{
    (void)state;
    static char pipeline[] = "traces";
    fixture f;
    begin(&f);
    (void)ask(&f, "/api/ui/v1/sampling", "service=shop");
    assert_int_equal(f.status, 501);
    assert_non_null(strstr(ask(&f, "/api/ui/v1/telemetry", ""), "{\"components\":[],\"metrics\":\""));
    f.http.system = (jg_query_system){one_component, one_strategy, pipeline};
    assert_string_equal(ask(&f, "/api/ui/v1/sampling", "service=shop"),
                        "{\"rate\":0.25,\"defaultRate\":1,\"lowerBound\":0,\"operations\":[{\"operation\":"
                        "\"shop\",\"rate\":0.5}]}");
    const char *got = ask(&f, "/api/ui/v1/telemetry", "");
    assert_non_null(strstr(got, "[{\"id\":\"otlp\",\"kind\":\"receiver\",\"pipeline\":\"traces\"}]"));
    assert_non_null(strstr(got, "http_server_request_duration"));
    end(&f);
}

static void ui_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/api/ui/v1/trace/b", 404},       {"/api/ui/v1/trace/xyz", 400},
                {"/api/ui/v1/trace/b/spans", 404}, {"/api/ui/v1/trace/b/find", 404},
                {"/api/ui/v1/trace/b/keys", 404},  {"/api/ui/v1/trace/b/values", 404},
                {"/api/ui/v1/trace/b/links", 404}, {"/api/ui/v1/trace/", 404},
                {"/api/ui/v1/other", 404}};
    fixture f;
    begin(&f);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        (void)ask(&f, rows[i].path, "ids=0000000000000001&q=a");
        if (f.status != rows[i].status)
            fail_msg("%s: %d", rows[i].path, f.status);
    }
    f.traces.fails = JAEGER_UNAVAILABLE;
    (void)ask(&f, TRACE, "");
    assert_int_equal(f.status, 500);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ui_trace_is_columns),
        cmocka_unit_test(ui_spans_are_full_and_only_those_asked_for),
        cmocka_unit_test(ui_find_answers_indexes),
        cmocka_unit_test(ui_attributes_are_keys_and_numbered_values),
        cmocka_unit_test(ui_trace_that_did_not_change_is_not_sent_again),
        cmocka_unit_test(ui_trace_is_pushed_when_it_grows),
        cmocka_unit_test(ui_trace_that_the_page_has_is_not_pushed),
        cmocka_unit_test(ui_watchers_are_few),
        cmocka_unit_test(ui_edges_have_errors_and_times),
        cmocka_unit_test(ui_quality_judges_the_spans_of_a_service),
        cmocka_unit_test(ui_sees_the_pipeline_and_the_sampling),
        cmocka_unit_test(ui_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
