/* SPDX-License-Identifier: Apache-2.0 */
#include "query/http.h"
#include "support/traces.h"

typedef struct fixture {
    fake_store traces;
    jaeger_query *query;
    jg_metrics *metrics;
    jg_query_http http;
    int status;
    char content_type[64];
    jg_buf body;
} fixture;

static void add_header(void *self, const char *name, jaeger_str value)
{
    (void)self, (void)name, (void)value;
}

static void begin_reply(void *self, int status, const char *content_type)
{
    fixture *f = self;
    f->status = status;
    (void)snprintf(f->content_type, sizeof f->content_type, "%s", content_type);
}

static jaeger_status write_piece(void *self, jaeger_str bytes)
{
    jg_buf_str(&((fixture *)self)->body, bytes);
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
    f->traces.caps = (jaeger_storage_caps){sizeof(jaeger_storage_caps), true, true, true, false};
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
    jg_http_request request = {
        .method = JAEGER_STR("GET"), .path = jg_str(path), .query = jg_str(query), .call = &call};
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
                               "\"services\":[\"shop\"],\"names\":[\"root\",\"child\"]}";
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

static void ui_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/api/ui/v1/trace/b", 404},       {"/api/ui/v1/trace/xyz", 400},
                {"/api/ui/v1/trace/b/spans", 404}, {"/api/ui/v1/trace/b/find", 404},
                {"/api/ui/v1/trace/", 404},        {"/api/ui/v1/other", 404}};
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
        cmocka_unit_test(ui_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
