/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "net/encoding.h"
#include "query/http.h"
#include "support/traces.h"
#include <stdio.h>

/** A server without sockets: one request in, the whole answer out. */
typedef struct fixture {
    fake_store traces;
    jaeger_query *query;
    jg_ui *ui;
    jg_query_http http;
    jg_metrics *metrics;
    /* the answer */
    int status;
    char content_type[64], headers[1024];
    jg_buf body;
    bool begun, ended, cut;
    size_t largest_write, writes;
} fixture;

static void add_header(void *self, const char *name, jaeger_str value)
{
    fixture *f = self;
    size_t n = strlen(f->headers);
    (void)snprintf(f->headers + n, sizeof f->headers - n, "%s: %.*s\n", name, JAEGER_STR_ARGS(value));
}

static void send(void *self, int status, const char *content_type, jaeger_str body)
{
    fixture *f = self;
    assert_false(f->begun || f->ended);
    f->status = status;
    (void)snprintf(f->content_type, sizeof f->content_type, "%s", content_type ? content_type : "");
    jg_buf_str(&f->body, body);
    f->ended = true;
}

static void begin_stream(void *self, int status, const char *content_type)
{
    fixture *f = self;
    assert_false(f->begun || f->ended);
    f->status = status;
    (void)snprintf(f->content_type, sizeof f->content_type, "%s", content_type);
    f->begun = true;
}

static jaeger_status write_piece(void *self, jaeger_str bytes)
{
    fixture *f = self;
    assert_true(f->begun && !f->ended);
    f->writes++;
    f->largest_write = JG_MAX(f->largest_write, bytes.len);
    jg_buf_str(&f->body, bytes);
    return JAEGER_OK;
}

static void end_stream(void *self, bool ok)
{
    fixture *f = self;
    assert_true(f->begun && !f->ended);
    f->ended = true;
    f->cut = !ok;
}

static void begin_with(fixture *f, bool structured)
{
    *f = (fixture){.body = JG_BUF_INIT(256 << 20)};
    f->traces.caps = (jaeger_storage_caps){.size = sizeof(jaeger_storage_caps),
                                           .without_service_name = true,
                                           .same_span_conjunction = true,
                                           .durable = true};
    f->metrics = jg_metrics_new();
    jaeger_query_options options = {.size = sizeof options,
                                    .traces = {&fake_driver, &f->traces},
                                    .scan_time_ns = 10 * JG_NS_PER_S,
                                    .structured_filters = structured};
    assert_ok(jaeger_query_new(&options, &f->query, NULL));
    assert_ok(jg_ui_new(&(jg_ui_options){0}, &f->ui, NULL));
    f->http = (jg_query_http){.query = f->query, .ui = f->ui, .metrics = f->metrics};
}

static void begin(fixture *f)
{
    begin_with(f, true);
}

static void end(fixture *f)
{
    jg_ui_free(f->ui);
    jaeger_query_free(f->query);
    jg_metrics_free(f->metrics);
    fake_store_done(&f->traces);
    jg_buf_done(&f->body);
}

/** "GET /path?query"; the body is NUL-terminated. */
static const char *ask_with(fixture *f, const char *line, const char *request_body,
                            const jaeger_pair *headers, size_t header_count)
{
    jaeger_call call = JAEGER_CALL_INIT;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(64 << 20);
    call.arena = arena;
    jaeger_str all = jg_str(line), rest = jg_str_skip(all, jg_str_find(all, ' ') + 1);
    size_t mark = jg_str_find(rest, '?');
    jg_http_request request = {.method = {all.ptr, jg_str_find(all, ' ')},
                               .path = {rest.ptr, mark},
                               .body = jg_str(request_body),
                               .headers = headers,
                               .header_count = header_count,
                               .call = &call};
    if (mark < rest.len)
        request.query = jg_str_skip(rest, mark + 1);
    f->status = 0;
    f->headers[0] = f->content_type[0] = 0;
    f->begun = f->ended = f->cut = false;
    f->largest_write = f->writes = 0;
    jg_buf_clear(&f->body);
    jg_query_reply reply = {add_header, send, begin_stream, write_piece, end_stream, f};
    jg_query_http_handle(&f->http, &request, &reply);
    assert_true(f->ended);
    jg_buf_byte(&f->body, 0);
    return (const char *)f->body.data;
}

static const char *ask(fixture *f, const char *line)
{
    return ask_with(f, line, "", NULL, 0);
}

#define IDS(trace, span)                                                                                     \
    "\"traceId\":\"000000000000000000000000000000" trace "\",\"spanId\":\"00000000000000" span "\""
#define SERVICE(name)                                                                                        \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"" name "\"}}]}"
#define TRACE(id, service, rest)                                                                             \
    "{\"resourceSpans\":[{" SERVICE(service) ",\"scopeSpans\":[{\"scope\":{},\"spans\":[{" IDS(id, "01")     \
        rest "}]}]}]}"

static void add(fixture *f, const char *otlp)
{
    f->traces.chunks[f->traces.count++] = batch_of_json(otlp);
}

#define LEGACY_ERROR(code, msg)                                                                              \
    "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":" #code ",\"msg\":\"" msg     \
    "\"}]}\n"
#define SPAN_A                                                                                               \
    "{\"traceID\":\"000000000000000a\",\"spans\":[{\"traceID\":\"000000000000000a\",\"spanID\":"             \
    "\"0000000000000001\","                                                                                  \
    "\"operationName\":\"op\",\"references\":[],\"startTime\":1,\"duration\":1,\"tags\":[],\"logs\":[],"     \
    "\"processID\":\"p1\",\"warnings\":null}],\"processes\":{\"p1\":{\"serviceName\":\"a\",\"tags\":[]}},"   \
    "\"warnings\":null}"
#define OK_REST ",\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}"
#define TRACE_A                                                                                              \
    TRACE("0a", "a", ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\"")
#define WINDOW              "query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2020-01-02T00:00:00.5%2B01:00"
#define V3_ERROR(code, msg) "{\"error\":{\"httpCode\":" #code ",\"message\":\"" msg "\"}}\n"

static void http_answers_each_request_with_its_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
        const char *want;
    } rows[] = {
        /* one trace; ids in every spelling */
        {"GET /api/traces/a", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"GET /api/traces/0000000000000000000000000000000A", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"GET /api/traces/AAAAAAAAAAAAAAAAAAAACg==", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"GET /api/traces/AAAAAAAAAAAAAAAAAAAACg%3D%3D?raw=t", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"HEAD /api/traces/a", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"GET /api/traces/b", 404, LEGACY_ERROR(404, "trace not found")},
        {"GET /api/traces/0", 404, LEGACY_ERROR(404, "trace not found")},
        {"GET /api/traces/xyz!", 400,
         LEGACY_ERROR(400, "strconv.ParseUint: parsing \\\"xyz!\\\": invalid syntax")},
        {"GET /api/traces/123456789012345678901234567890123", 400,
         LEGACY_ERROR(400,
                      "TraceID cannot be longer than 32 hex characters: 123456789012345678901234567890123")},
        {"GET /api/traces/zzzz", 400, LEGACY_ERROR(400, "invalid length for TraceID")},
        {"GET /api/traces/a?start=abc", 400,
         LEGACY_ERROR(
             400, "unable to parse param 'start': strconv.ParseInt: parsing \\\"abc\\\": invalid syntax")},
        {"GET /api/traces/a?end=99999999999999999999", 400,
         LEGACY_ERROR(400, "unable to parse param 'end': strconv.ParseInt: parsing "
                           "\\\"99999999999999999999\\\": value out of range")},
        {"GET /api/traces/a?raw=yes", 400,
         LEGACY_ERROR(400,
                      "unable to parse param 'raw': strconv.ParseBool: parsing \\\"yes\\\": invalid syntax")},
        /* wrong methods and unknown paths */
        {"POST /api/traces/a", 404, "404 page not found\n"},
        {"GET /api/archive/a", 404, "404 page not found\n"},
        {"GET /api/nothing", 404, "404 page not found\n"},
        {"GET /api/", 404, "404 page not found\n"},
        {"GET /api", 307, "<a href=\"/api/\">Temporary Redirect</a>.\n\n"},
        {"GET /api/traces/%zz", 400, "400 Bad Request"},
        {"GET /api/metrics/minstep", 404, "404 page not found\n"},
        {"GET /api/traces/", 404, "404 page not found\n"},
        {"GET /static/x.js", 404, "404 page not found\n"},
        {"POST /api/v3/services", 404, "404 page not found\n"},
        {"GET /api/v3/dependencies", 404, "404 page not found\n"},
        {"POST /api/archive/a", 500, LEGACY_ERROR(500, "archive span storage was not configured")},
        /* search */
        {"GET /api/traces?service=a", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"GET /api/traces?service=a&raw=true&lookback=1h", 200, "{\"data\":[" SPAN_A "]" OK_REST},
        {"GET /api/traces", 400, LEGACY_ERROR(400, "parameter 'service' is required")},
        {"GET /api/traces?service=a&limit=0", 500,
         LEGACY_ERROR(500, "search depth must be greater than 0 and less than max traces")},
        {"GET /api/traces?service=a&limit=x", 400,
         LEGACY_ERROR(400, "strconv.ParseInt: parsing \\\"x\\\": invalid syntax")},
        {"GET /api/traces?service=a&limit=2147483648", 400,
         LEGACY_ERROR(400, "strconv.ParseInt: parsing \\\"2147483648\\\": value out of range")},
        {"GET /api/traces?service=a&minDuration=5", 400,
         LEGACY_ERROR(400, "unable to parse param 'minDuration': time: missing unit in duration \\\"5\\\"")},
        {"GET /api/traces?service=a&maxDuration=1d", 400,
         LEGACY_ERROR(
             400,
             "unable to parse param 'maxDuration': time: unknown unit \\\"d\\\" in duration \\\"1d\\\"")},
        {"GET /api/traces?service=a&minDuration=s", 400,
         LEGACY_ERROR(400, "unable to parse param 'minDuration': time: invalid duration \\\"s\\\"")},
        {"GET /api/traces?service=a&minDuration=2s&maxDuration=1s", 400,
         LEGACY_ERROR(400, "'maxDuration' should be greater than 'minDuration'")},
        {"GET /api/traces?service=a&tag=x", 400,
         LEGACY_ERROR(400, "malformed 'tag' parameter, expecting key:value, received: x")},
        {"GET /api/traces?service=a&tags={\"a\":1}", 400,
         LEGACY_ERROR(400, "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal number "
                           "into Go value of type string")},
        {"GET /api/traces?service=a&tags={", 400,
         LEGACY_ERROR(400,
                      "malformed 'tags' parameter, cannot unmarshal JSON: unexpected end of JSON input")},
        {"GET /api/traces?traceID=a&traceID=123&traceID=a", 200,
         "{\"data\":[" SPAN_A
         "],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"msg\":\"trace not found\","
         "\"traceID\":\"0000000000000123\"}]}"},
        {"GET /api/traces?traceID=q", 400,
         LEGACY_ERROR(400,
                      "cannot parse traceID param: strconv.ParseUint: parsing \\\"q\\\": invalid syntax")},
        /* names */
        {"GET /api/services", 200, "{\"data\":[\"a\"],\"total\":1,\"limit\":0,\"offset\":0,\"errors\":null}"},
        {"GET /api/operations", 400, LEGACY_ERROR(400, "parameter 'service' is required")},
        {"GET /api/operations?service=a", 200,
         "{\"data\":[{\"name\":\"GET /\",\"spanKind\":\"server\"},{\"name\":\"GET "
         "/\",\"spanKind\":\"client\"},"
         "{\"name\":\"job\",\"spanKind\":\"\"}],\"total\":3,\"limit\":0,\"offset\":0,\"errors\":null}"},
        {"GET /api/services/a/operations", 200,
         "{\"data\":[\"GET /\",\"job\"],\"total\":2,\"limit\":0,\"offset\":0,\"errors\":null}"},
        {"GET /api/dependencies?endTs=1", 200,
         "{\"data\":[{\"parent\":\"a\",\"child\":\"b\",\"callCount\":5},{\"parent\":\"b\",\"child\":\"c\","
         "\"callCount\":1}]" OK_REST},
        {"GET /api/dependencies?service=c", 200,
         "{\"data\":[{\"parent\":\"b\",\"child\":\"c\",\"callCount\":1}]" OK_REST},
        {"GET /api/dependencies?lookback=1h", 400,
         LEGACY_ERROR(
             400, "unable to parse param 'lookback': strconv.ParseInt: parsing \\\"1h\\\": invalid syntax")},
        /* metrics without a backend: parameters are checked first */
        {"GET /api/metrics/calls?service=a", 501,
         LEGACY_ERROR(501, "trace metrics are currently disabled - no metrics backend configured")},
        {"GET /api/metrics/latencies?service=a", 400,
         LEGACY_ERROR(
             400, "unable to parse param 'quantile': strconv.ParseFloat: parsing \\\"\\\": invalid syntax")},
        {"GET /api/metrics/latencies?service=a&quantile=0.95", 501,
         LEGACY_ERROR(501, "trace metrics are currently disabled - no metrics backend configured")},
        {"GET /api/metrics/errors", 400,
         LEGACY_ERROR(400, "unable to parse param 'service': please provide at least one service name")},
        {"GET /api/metrics/errors?service=a&spanKind=SERVER&spanKind=odd", 400,
         LEGACY_ERROR(400, "unable to parse param 'spanKind': unsupported span kind: 'odd'")},
        /* v3 */
        {"GET /api/v3/services", 200, "{\"services\":[\"a\"]}"},
        {"GET /api/v3/operations?service=a", 200,
         "{\"operations\":[{\"name\":\"GET /\",\"spanKind\":\"server\"},{\"name\":\"GET "
         "/\",\"spanKind\":\"client\"},"
         "{\"name\":\"job\",\"spanKind\":\"internal\"}]}"},
        {"GET /api/v3/traces/a", 200,
         "{\"result\":{\"resourceSpans\":[{" SERVICE("a") ",\"scopeSpans\":[{\"scope\":{},\"spans\":[{" IDS(
             "0a", "01") ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\","
                         "\"status\":{}}]}]}]}}"},
        {"GET /api/v3/traces/b", 404, V3_ERROR(404, "No traces found")},
        {"GET /api/v3/traces/q-", 400,
         V3_ERROR(400, "malformed parameter trace_id: invalid length for TraceID")},
        {"GET /api/v3/traces/a?startTime=soon", 400,
         V3_ERROR(400,
                  "malformed parameter startTime: parsing time \\\"soon\\\" as "
                  "\\\"2006-01-02T15:04:05.999999999Z07:00\\\": cannot parse \\\"soon\\\" as \\\"2006\\\"")},
        {"GET /api/v3/traces/a?raw_traces=maybe", 400,
         V3_ERROR(
             400,
             "malformed parameter raw_traces: strconv.ParseBool: parsing \\\"maybe\\\": invalid syntax")},
        {"GET /api/v3/traces", 400, V3_ERROR(400, "query.startTimeMin and query.startTimeMax are required")},
        {"GET /api/v3/traces?query.startTimeMin=2020-01-02T00:00:00Z&query.startTimeMax=2020-01-02T00:00:00Z",
         400, V3_ERROR(400, "query.startTimeMin must be before query.startTimeMax")},
        {"GET /api/v3/trace-summaries?" WINDOW "&query.searchDepth=1x", 400,
         V3_ERROR(400,
                  "malformed parameter query.searchDepth: strconv.Atoi: parsing \\\"1x\\\": invalid syntax")},
        {"GET /api/v3/trace-summaries?" WINDOW "&query.attributes=x", 400,
         V3_ERROR(
             400,
             "malformed parameter query.attributes: invalid character 'x' looking for beginning of value")},
        {"GET /api/v3/trace-summaries?" WINDOW "&query.attributes=[]", 400,
         V3_ERROR(400, "malformed parameter query.attributes: json: cannot unmarshal array into Go value of "
                       "type map[string]string")},
        {"GET /api/v3/trace-summaries?" WINDOW "&query.durationMax=1", 400,
         V3_ERROR(400, "malformed parameter query.durationMax: time: missing unit in duration \\\"1\\\"")},
        {"GET /api/v3/trace-summaries?" WINDOW, 200,
         "{\"summaries\":[{\"traceId\":\"0000000000000000000000000000000a\",\"rootServiceName\":\"a\","
         "\"rootOperationName\":\"op\","
         "\"minStartTimeUnixNano\":\"1000\",\"maxEndTimeUnixNano\":\"2000\",\"spanCount\":1,"
         "\"services\":[{\"name\":\"a\",\"spanCount\":1}]}]}"},
    };
    fixture f;
    begin(&f);
    add(&f, TRACE_A);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        const char *got = ask(&f, rows[i].line);
        if (f.status != rows[i].status || strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %d\n%s\nwant %d\n%s", rows[i].line, f.status, got, rows[i].status, rows[i].want);
        if (f.status >= 400 && strcmp(f.content_type, "text/plain; charset=utf-8") != 0)
            fail_msg("%s: errors are text/plain, not %s", rows[i].line, f.content_type);
        if (f.status >= 400 && !strstr(rows[i].line, "%zz") &&
            !strstr(f.headers, "X-Content-Type-Options: nosniff\n"))
            fail_msg("%s: no nosniff", rows[i].line);
        if (f.status == 200 && strcmp(f.content_type, "application/json") != 0)
            fail_msg("%s: %s", rows[i].line, f.content_type);
    }
    end(&f);
}

static void http_answers_an_empty_store(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
        const char *want;
    } rows[] = {
        {"GET /api/services", 200, "{\"data\":[]" OK_REST},
        {"GET /api/operations?service=a", 200, "{\"data\":[]" OK_REST},
        {"GET /api/services/a/operations", 200, "{\"data\":null" OK_REST},
        {"GET /api/traces?service=a", 200, "{\"data\":[]" OK_REST},
        {"GET /api/v3/services", 200, "{\"services\":[]}"},
        {"GET /api/v3/operations?service=a", 200, "{\"operations\":[]}"},
        {"GET /api/v3/traces?" WINDOW, 404, V3_ERROR(404, "No traces found")},
        {"GET /api/v3/trace-summaries?" WINDOW, 200, "{\"summaries\":[]}"},
    };
    fixture f;
    begin(&f);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        const char *got = ask(&f, rows[i].line);
        if (f.status != rows[i].status || strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %d\n%s", rows[i].line, f.status, got);
    }
    end(&f);
}

static void http_passes_search_parameters_on(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    (void)ask(
        &f,
        "GET "
        "/api/traces?service=s+x&operation=o%2F1&start=1000&end=2000&limit=7&minDuration=1.5ms&maxDuration=1m"
        "&tag=k:v:w&tags=%7B%22k%22:%22late%22,%22e%22:%22%5Cu00e4%22%7D");
    const jaeger_trace_query *q = &f.traces.asked;
    assert_int_equal(q->start_min_unix_ns, 1000000);
    assert_int_equal(q->start_max_unix_ns, 2000000);
    assert_int_equal(q->limit, 7);
    assert_int_equal(q->duration_min_ns, 1500000);
    assert_int_equal(q->duration_max_ns, 60000000000);
    assert_int_equal(q->attr_count, 2); /* the later value of k wins */
    (void)ask(&f, "GET "
                  "/api/v3/"
                  "traces?query.service_name=old&query.serviceName=new&query.start_time_min=1970-01-01T00:00:"
                  "00.000000001Z&"
                  "query.startTimeMax=1970-01-01T01:00:01%2B01:00&query.num_traces=3&query.durationMin=2us");
    assert_int_equal(q->start_min_unix_ns, 1);
    assert_int_equal(q->start_max_unix_ns, 1000000000);
    assert_int_equal(q->limit, 3);
    assert_int_equal(q->duration_min_ns, 2000);
    uint64_t now = jg_clock_unix_ns();
    (void)ask(&f, "GET /api/traces?service=a");
    assert_int_equal(q->limit, 100);
    assert_true(q->start_max_unix_ns >= now - 1000 && q->start_max_unix_ns < now + 60 * JG_NS_PER_S);
    assert_int_equal(q->start_max_unix_ns - q->start_min_unix_ns, 48 * 3600 * JG_NS_PER_S);
    (void)ask(&f, "GET /api/services/a%252Fb/operations"); /* unescaped twice */
    assert_string_equal(f.traces.asked_operation, "a/b|");
    (void)ask(&f, "GET /api/v3/operations?service=a&span_kind=server");
    assert_string_equal(f.traces.asked_operation, "a|server");
    end(&f);
}

static void http_indents_if_asked(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    const char *pretty = "{\n    \"data\": [],\n    \"total\": 0,\n    \"limit\": 0,\n    \"offset\": 0,\n   "
                         " \"errors\": null\n}";
    assert_string_equal(ask(&f, "GET /api/services?prettyPrint=true"), pretty);
    assert_string_equal(ask(&f, "GET /api/services?prettyPrint=0"), pretty);
    assert_string_equal(ask(&f, "GET /api/services?prettyPrint=false"), "{\"data\":[]" OK_REST);
    assert_string_equal(ask(&f, "GET /api/services?prettyPrint="), "{\"data\":[]" OK_REST);
    end(&f);
}

static void http_turns_storage_failures_into_500(void **state)
{
    (void)state;
    static const char *const legacy[] = {"GET /api/traces/a", "GET /api/traces?service=a",
                                         "GET /api/services", "GET /api/operations?service=a",
                                         "GET /api/dependencies"};
    static const char *const v3[] = {"GET /api/v3/traces/a", "GET /api/v3/services",
                                     "GET /api/v3/trace-summaries?" WINDOW};
    fixture f;
    begin(&f);
    f.traces.fails = JAEGER_UNAVAILABLE;
    for (size_t i = 0; i < JG_COUNT(legacy); i++) {
        assert_string_equal(ask(&f, legacy[i]), LEGACY_ERROR(500, "the disk is on fire"));
        assert_int_equal(f.status, 500);
    }
    f.traces.caps.without_service_name = true;
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(ask(&f, v3[i]), V3_ERROR(500, "the disk is on fire"));
    f.traces.fails = JAEGER_OK;
    f.traces.caps.without_service_name = false;
    assert_string_equal(ask(&f, v3[2]),
                        V3_ERROR(400, "this storage backend requires a service name to search; "
                                      "searching all services is not supported"));
    assert_int_equal(f.status, 400);
    end(&f);
}

static void http_answers_nan_with_500_in_the_legacy_api_only(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    add(&f, TRACE("0a", "a", ",\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":\"NaN\"}}]"));
    assert_string_equal(
        ask(&f, "GET /api/traces/a"),
        LEGACY_ERROR(500, "failed writing HTTP response: failed marshalling HTTP response to JSON: "
                          "json: unsupported value: NaN"));
    assert_non_null(strstr(ask(&f, "GET /api/v3/traces/a"), "{\"doubleValue\":\"NaN\"}"));
    assert_int_equal(f.status, 200);
    end(&f);
}

static void http_transforms_otlp_without_adjusting(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    assert_string_equal(ask_with(&f, "POST /api/transform", TRACE_A, NULL, 0),
                        "{\"data\":[" SPAN_A "]" OK_REST);
    assert_string_equal(ask_with(&f, "POST /api/transform", "{}", NULL, 0), "{\"data\":[]" OK_REST);
    const char *got = ask_with(&f, "POST /api/transform", "nonsense", NULL, 0);
    assert_int_equal(f.status, 400);
    assert_non_null(strstr(got, "\"msg\":\"cannot unmarshal OTLP : "));
    /* two traces mixed: one entry each, in the order of their first spans; copies stay */
    got = ask_with(&f, "POST /api/transform",
                   "{\"resourceSpans\":[{" SERVICE("a") ",\"scopeSpans\":[{\"spans\":[{" IDS(
                       "0b", "01") "},{" IDS("0a", "01") "},{" IDS("0b", "01") "}]}]}]}",
                   NULL, 0);
    const char *first = strstr(got, "{\"traceID\":\"000000000000000b\",\"spans\"");
    const char *second = strstr(got, "{\"traceID\":\"000000000000000a\",\"spans\"");
    assert_true(first && second && first < second);
    size_t spans = 0;
    for (const char *at = got; (at = strstr(at, "\"spanID\"")); at++)
        spans++;
    assert_int_equal(spans, 3);
    end(&f);
}

static void http_streams_long_traces_in_pieces(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    jaeger_builder *b = jaeger_builder_new(64 << 20);
    char text[400];
    memset(text, 'x', sizeof text);
    for (uint32_t i = 1; i <= 20000; i++) {
        jaeger_span_start span = {.trace_id = {[15] = 10}, .name = JAEGER_STR("op"), .start_unix_ns = i};
        memcpy(span.span_id, &i, 4);
        jaeger_builder_span(b, &span);
        jaeger_builder_attr_str(b, JAEGER_STR("text"), (jaeger_str){text, sizeof text});
    }
    assert_ok(jaeger_builder_finish(b, &f.traces.chunks[f.traces.count++], NULL));
    jaeger_builder_free(b);
    (void)ask(&f, "GET /api/traces/a");
    assert_true(f.begun && !f.cut && f.status == 200);
    assert_true(f.body.len > (12u << 20) && f.writes > 100);
    assert_true(f.largest_write < 80000);
    (void)ask(&f, "GET /api/v3/traces/a");
    assert_true(f.begun && !f.cut && f.status == 200);
    assert_true(f.largest_write < 80000);
    end(&f);
}

static void http_serves_under_a_base_path_only(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.http.base_path = JAEGER_STR("/jaeger");
    (void)ask(&f, "GET /jaeger?x=1");
    assert_int_equal(f.status, 307);
    assert_non_null(strstr(f.headers, "Location: /jaeger/?x=1\n"));
    assert_string_equal(ask(&f, "GET /jaeger/api/services"), "{\"data\":[]" OK_REST);
    assert_string_equal(ask(&f, "GET /api/services"), "404 page not found\n");
    assert_string_equal(ask(&f, "GET /jaegers/api/services"), "404 page not found\n");
    assert_string_equal(ask(&f, "GET /jaeger/api/none"), "404 page not found\n");
    (void)ask(&f, "GET /jaeger/search");
    assert_int_equal(f.status, 200);
    assert_string_equal(f.content_type, "text/html; charset=utf-8");
    end(&f);
}

static void http_base_paths_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool ok;
        const char *want;
    } rows[] = {{"", true, ""},         {"/", true, ""},      {"/a", true, "/a"},     {"/a/b/", true, "/a/b"},
                {"a", false, NULL},     {"//", false, NULL},  {"/a//b", false, NULL}, {"/a//", false, NULL},
                {"/../a", false, NULL}, {"/a/.", false, NULL}};
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_str got = {0};
        bool ok = jg_query_base_path(jg_str(rows[i].in), &got, NULL) == JAEGER_OK;
        if (ok != rows[i].ok || (ok && !jg_str_is(got, rows[i].want)))
            fail_msg("%s", rows[i].in);
    }
}

static void http_answers_other_paths_with_the_page(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET /", "GET /search", "GET /trace/abc", "GET /favicon.ico",
                                        "POST /unknown.js"};
    fixture f;
    begin(&f);
    for (size_t i = 0; i < JG_COUNT(lines); i++) {
        const char *got = ask(&f, lines[i]);
        assert_int_equal(f.status, 200);
        assert_string_equal(f.content_type, "text/html; charset=utf-8");
        assert_non_null(
            strstr(got, "JAEGER_BACKEND_CAPABILITIES = {\"archiveStorage\":false,\"metricsStorage\":false,"
                        "\"searchWithoutServiceName\":true,\"aiAssistant\":false};"));
    }
    end(&f);
}

static void http_keeps_tenants_apart_and_passes_tokens_on(void **state)
{
    (void)state;
    static jaeger_str tenants[] = {{"red", 3}};
    fixture f;
    begin(&f);
    f.http.tenancy = (jg_tenancy){.enabled = true, .tenants = {tenants, 1}};
    assert_string_equal(ask(&f, "GET /api/services"), "missing tenant header\n");
    assert_int_equal(f.status, 401);
    (void)ask(&f, "GET /"); /* the page too */
    assert_int_equal(f.status, 401);
    jaeger_pair blue = {{"x-tenant", 8}, {"blue", 4}};
    assert_string_equal(ask_with(&f, "GET /api/services", "", &blue, 1), "unknown tenant\n");
    assert_int_equal(f.status, 401);
    jaeger_pair red[] = {{{"x-tenant", 8}, {"red", 3}}, {{"authorization", 13}, {"Bearer secret", 13}}};
    (void)ask_with(&f, "GET /api/services", "", red, 2);
    assert_string_equal(f.traces.asked_tenant, "red");
    assert_string_equal(f.traces.asked_token, ""); /* only if asked to */
    f.http.bearer_token_propagation = true;
    (void)ask_with(&f, "GET /api/services", "", red, 2);
    assert_string_equal(f.traces.asked_token, "secret");
    red[1].value = JAEGER_STR("Basic c2VjcmV0");
    (void)ask_with(&f, "GET /api/services", "", red, 2);
    assert_string_equal(f.traces.asked_token, "");
    red[1] = (jaeger_pair){JAEGER_STR("x-forwarded-access-token"), JAEGER_STR("token")};
    (void)ask_with(&f, "GET /api/services", "", red, 2);
    assert_string_equal(f.traces.asked_token, "token");
    end(&f);
}

static void http_tells_the_trace_of_the_request(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    (void)ask(&f, "GET /api/services");
    assert_non_null(strstr(f.headers, "Traceresponse: \n"));
    jaeger_pair parent = {JAEGER_STR("traceparent"),
                          JAEGER_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")};
    (void)ask_with(&f, "GET /api/services", "", &parent, 1);
    assert_non_null(
        strstr(f.headers, "Traceresponse: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"));
    parent.value = JAEGER_STR("00-00000000000000000000000000000000-b7ad6b7169203331-01");
    (void)ask_with(&f, "GET /api/services", "", &parent, 1);
    assert_non_null(strstr(f.headers, "Traceresponse: \n"));
    end(&f);
}

static void http_measures_requests_by_route(void **state)
{
    (void)state;
    fixture f;
    jg_buf text = JG_BUF_INIT(1 << 20);
    begin(&f);
    (void)ask(&f, "GET /api/traces/b");
    (void)ask(&f, "GET /api/traces/c");
    jg_metrics_write(f.metrics, &text);
    jg_buf_byte(&text, 0);
    assert_non_null(strstr(
        (char *)text.data,
        "http_server_request_duration_count{http_request_method=\"GET\",http_response_status_code=\"404\","
        "http_route=\"/api/traces/"
        "{traceID}\",network_protocol_name=\"http\",network_protocol_version=\"1.1\","
        "url_scheme=\"http\"} 2\n"));
    jg_buf_done(&text);
    end(&f);
}

static void a_search_takes_a_filter_an_order_and_a_cursor(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.traces.caps.filter = true; /* the fake store hands out all it has: the filter is the service's work */
    add(&f, TRACE("0a", "a", ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\""));
    add(&f, TRACE("0b", "b", ",\"name\":\"op\",\"startTimeUnixNano\":\"900\",\"endTimeUnixNano\":\"9000\""));
    const char *body = ask(&f, "GET /api/traces?start=0&limit=1&order=longest&filter=spanCount%3D1");
    assert_int_equal(f.status, 200);
    assert_non_null(strstr(body, "000000000000000b"));
    assert_null(strstr(body, "000000000000000a\""));
    assert_non_null(strstr(body, "\"stoppedEarly\":false"));
    const char *cursor = strstr(body, "\"nextCursor\":\"");
    assert_non_null(cursor);
    char line[256];
    assert_int_equal(strcspn(cursor + 14, "\""), 50);
    (void)snprintf(line, sizeof line,
                   "GET /api/traces?start=0&limit=1&order=longest&filter=spanCount%%3D1&cursor=%.50s",
                   cursor + 14);
    body = ask(&f, line);
    assert_non_null(strstr(body, "000000000000000a"));
    assert_non_null(strstr(body, "\"nextCursor\":\"\""));
    body = ask(&f, "GET /api/v3/trace-summaries?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax="
                   "1970-01-02T00:00:00Z&query.searchDepth=1&query.order=longest");
    assert_non_null(strstr(body, "{\"traceId\":\"0000000000000000000000000000000b\""));
    assert_null(strstr(body, "000000000000000a\""));
    assert_non_null(strstr(body, "],\"nextCursor\":\"01"));
    body = ask(&f, "GET /api/traces?filter=rootService%20%3D%20b&start=0");
    assert_non_null(strstr(body, "000000000000000b"));
    assert_null(strstr(body, "000000000000000a\""));
    assert_string_equal(ask(&f, "GET /api/traces?filter=a%20%3D"),
                        LEGACY_ERROR(400, "filter: column 4: a value is expected here: a \\\"text\\\", a "
                                          "number, a duration, true or false"));
    assert_int_equal(f.status, 400);
    (void)ask(&f, "GET /api/traces?order=best");
    assert_int_equal(f.status, 400);
    (void)ask(&f, "GET /api/traces?order=newest&cursor=00");
    assert_int_equal(f.status, 400);
    end(&f);
}

static void v3_takes_a_structured_filter(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    add(&f, TRACE("0a", "a", ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\""));
    add(&f, TRACE("0b", "b", ",\"name\":\"op\",\"startTimeUnixNano\":\"900\",\"endTimeUnixNano\":\"9000\""));
#define V3_SEARCH                                                                                            \
    "GET /api/v3/traces?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:00:00Z"
    const char *body =
        ask(&f, V3_SEARCH
            "&query.filter=%7B%22op%22:%22eq%22,%22args%22:%5B%7B%22field%22:%7B%22name%22:%22service%22,"
            "%22level%22:%22resource%22%7D%7D,%7B%22scalar%22:%7B%22value%22:%22b%22%7D%7D%5D%7D");
    assert_int_equal(f.status, 200);
    assert_non_null(strstr(body, "0000000b\""));
    assert_null(strstr(body, "0000000a\""));
    assert_non_null(strstr(body, "\"stoppedEarly\":false}"));
    (void)ask(&f, V3_SEARCH "&query.filter=service%20%3D%20zzz");
    assert_int_equal(f.status, 404);
    (void)ask(&f, V3_SEARCH "&query.filter=%7B%22op%22:%22no%22,%22args%22:%5B%5D%7D");
    assert_int_equal(f.status, 400);
    end(&f);
}

static void v3_refuses_a_structured_filter_without_its_gate(void **state)
{
    (void)state;
    fixture f;
    begin_with(&f, false);
    add(&f, TRACE("0a", "a", ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\""));
    const char *body =
        ask(&f, V3_SEARCH "&query.filter=%7B%22op%22:%22exists%22,%22args%22:%5B%7B%22field%22:"
                          "%7B%22name%22:%22name%22,%22level%22:%22span%22%7D%7D%5D%7D");
    assert_int_equal(f.status, 400);
    assert_non_null(strstr(body, "the structured query filter is disabled: enable the "
                                 "\\\"jaeger.query.structuredFilters\\\" feature gate to use it"));
    (void)ask(&f, V3_SEARCH "&query.filter=exists(name)"); /* the text is ours */
    assert_int_equal(f.status, 200);
    end(&f);
}

static void every_search_says_that_it_stopped_early(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    add(&f, TRACE("0a", "a", ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\""));
    add(&f, TRACE("0b", "b", ",\"name\":\"op\",\"startTimeUnixNano\":\"900\",\"endTimeUnixNano\":\"9000\""));
    static const struct {
        const char *line, *want, *never;
    } cases[] = {
        {"GET /api/traces?service=a&start=0", "\"errors\":[{\"msg\":\"the search stopped early",
         "nextCursor"},
        {"GET /api/traces?service=a&start=0&order=longest", "\"stoppedEarly\":true", NULL},
        {V3_SEARCH, "]},\"stoppedEarly\":true}", "nextCursor"},
        {V3_SEARCH "&query.order=longest", "\"stoppedEarly\":true}", NULL},
        {"GET "
         "/api/v3/trace-summaries?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:"
         "00:00Z",
         "],\"stoppedEarly\":true}", "nextCursor"},
        {"GET /tempo/api/search?q=%7B%7D", "\"status\":\"PARTIAL\"", NULL},
        {"GET /api/ui/v1/edges?endTs=2000000000000&lookback=2000000000000", "\"stoppedEarly\":true", NULL},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        f.traces.find_ns = 0;
        const char *body = ask(&f, cases[i].line);
        assert_int_equal(f.status, 200);
        assert_null(strstr(body, "true"));
        assert_null(strstr(body, "stopped early"));
        f.traces.find_ns = 30 * JG_NS_PER_S;
        body = ask(&f, cases[i].line);
        assert_int_equal(f.status, 200);
        if (!strstr(body, cases[i].want) || (cases[i].never && strstr(body, cases[i].never)))
            fail_msg("%s: %s", cases[i].line, body);
    }
    end(&f);
}

static void answers_are_packed_for_clients_that_take_gzip(void **state)
{
    (void)state;
    static const struct {
        const char *name, *line, *accept;
        bool vary, packed;
    } cases[] = {
        {"asked", "GET /api/traces/a", "gzip, deflate, br, zstd", true, true},
        {"weights", "GET /api/traces/a", "br;q=1.0, GZIP;q=0.5", true, true},
        {"v3", "GET /api/v3/traces/a", "gzip", true, true},
        {"not asked", "GET /api/traces/a", "", true, false},
        {"refused", "GET /api/traces/a", "gzip;q=0.0, br", true, false},
        {"others", "GET /api/traces/a", "br, deflate", true, false},
        {"small", "GET /api/services", "gzip", false, false},
    };
    fixture f;
    static char text[200001], json[210000];
    begin(&f);
    f.http.compresses = true;
    for (size_t spans = 1; spans <= 40000; spans += 39999) { /* one piece, and a stream */
        memset(text, 'x', sizeof text - 1);
        text[spans == 1 ? 3000 : 200000] = 0;
        for (size_t i = 0; text[i]; i++)
            text[i] = (char)('a' + i * i % 23);
        (void)snprintf(
            json, sizeof json,
            TRACE("0a", "a", ",\"name\":\"%s\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\""),
            text);
        fake_store_done(&f.traces);
        f.traces.count = 0;
        add(&f, json);
        for (size_t i = 0; i < JG_COUNT(cases); i++) {
            JG_AUTO_BUF jg_buf plain = JG_BUF_INIT(1 << 20), whole = JG_BUF_INIT(1 << 20);
            f.http.compresses = false;
            jg_buf_str(&whole, jg_str(ask(&f, cases[i].line)));
            f.http.compresses = true;
            jaeger_pair header = {JAEGER_STR("accept-encoding"), jg_str(cases[i].accept)};
            (void)ask_with(&f, cases[i].line, "", &header, 1);
            assert_int_equal(f.status, 200);
            if ((strstr(f.headers, "Content-Encoding: gzip\n") != NULL) != cases[i].packed ||
                (strstr(f.headers, "Vary: Accept-Encoding\n") != NULL) != cases[i].vary)
                fail_msg("%s: %s", cases[i].name, f.headers);
            jaeger_str body = {(const char *)f.body.data, f.body.len - 1};
            assert_true(!cases[i].packed || body.len < whole.len / 2);
            assert_ok(jg_decode(cases[i].packed ? JAEGER_STR("gzip") : JAEGER_STR(""), body, &plain, NULL));
            assert_true(jg_str_eq(jg_buf_view(&plain), jg_buf_view(&whole)));
        }
    }
    end(&f);
}

static void tempo_is_read_as_grafana_does(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    add(&f, TRACE("0a", "a",
                  ",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"5001000\","
                  "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"5\"}}]"));
    add(&f, TRACE("0b", "b", ",\"name\":\"ob\",\"startTimeUnixNano\":\"900\",\"endTimeUnixNano\":\"9000\""));
    assert_string_equal(ask(&f, "GET /tempo/api/echo"), "echo");
    const char *body = ask(&f, "GET /tempo/api/v2/search/tags?limit=50&scope=");
    assert_non_null(strstr(body, "{\"name\":\"span\",\"tags\":[\"n\"]}"));
    assert_non_null(strstr(body, "{\"name\":\"resource\",\"tags\":[\"service.name\"]}"));
    assert_string_equal(ask(&f, "GET /tempo/api/search/tags"), "{\"tagNames\":[\"n\",\"service.name\"]}");
    assert_string_equal(
        ask(&f, "GET /tempo/api/v2/search/tag/resource.service.name/values?q=%7B%7D"),
        "{\"tagValues\":[{\"type\":\"string\",\"value\":\"a\"},{\"type\":\"string\",\"value\":\"b\"}]}");
    assert_string_equal(ask(&f, "GET /tempo/api/v2/search/tag/span.n/values"),
                        "{\"tagValues\":[{\"type\":\"int\",\"value\":\"5\"}]}");
    body =
        ask(&f, "GET "
                "/tempo/api/"
                "search?q=%7Bresource.service.name%3D%22a%22%20%26%26%20duration%3E1ms%7D&limit=20&spss=3");
    assert_int_equal(f.status, 200);
    assert_string_equal(
        body,
        "{\"traces\":[{\"traceID\":\"0000000000000000000000000000000a\",\"rootServiceName\":\"a\","
        "\"rootTraceName\":\"op\",\"startTimeUnixNano\":\"1000\",\"durationMs\":5,\"spanSets\":[{\"spans\":["
        "{\"spanID\":\"0000000000000001\",\"name\":\"op\",\"startTimeUnixNano\":\"1000\",\"durationNanos\":"
        "\"5000000\",\"attributes\":[]}],\"matched\":1}]}],\"metrics\":{}}");
    (void)ask(&f, "GET /tempo/api/search?q=%7B%20foo%20%7D");
    assert_int_equal(f.status, 400);
    body = ask(&f, "GET /tempo/api/traces/a");
    assert_non_null(strstr(body, "{\"batches\":[{\"resource\""));
    const jaeger_pair accept = {JAEGER_STR("accept"), JAEGER_STR("application/protobuf")};
    (void)ask_with(&f, "GET /tempo/api/traces/a", "", &accept, 1);
    assert_string_equal(f.content_type, "application/protobuf");
    assert_int_equal(f.body.data[0], 0x0a); /* resource_spans, as `batches` of Tempo */
    (void)ask(&f, "GET /tempo/api/traces/xyz");
    assert_int_equal(f.status, 400);
    (void)ask(&f, "GET /tempo/api/unknown");
    assert_int_equal(f.status, 404);
    end(&f);
}

static void attributes_are_suggested(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    add(&f, TRACE("0a", "a",
                  ",\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"5\"}},{\"key\":\"host\","
                  "\"value\":{\"stringValue\":\"x1\"}}]"));
    add(&f, TRACE("0b", "b", ",\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":\"y1\"}}]"));
    assert_non_null(
        strstr(ask(&f, "GET /api/attributes"), "{\"data\":[\"host\",\"n\",\"service.name\"],\"total\":3"));
    assert_non_null(strstr(ask(&f, "GET /api/attributes?q=os"), "{\"data\":[\"host\"],"));
    assert_non_null(strstr(ask(&f, "GET /api/attributes/host/values"), "{\"data\":[\"x1\",\"y1\"],"));
    assert_non_null(strstr(ask(&f, "GET /api/attributes/span.host/values?service=b"), "{\"data\":[\"y1\"],"));
    assert_non_null(strstr(ask(&f, "GET /api/attributes/resource.host/values"), "{\"data\":[],"));
    (void)ask(&f, "GET /api/attributes?limit=x");
    assert_int_equal(f.status, 400);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_answers_each_request_with_its_bytes),
        cmocka_unit_test(http_answers_an_empty_store),
        cmocka_unit_test(http_passes_search_parameters_on),
        cmocka_unit_test(http_indents_if_asked),
        cmocka_unit_test(http_turns_storage_failures_into_500),
        cmocka_unit_test(http_answers_nan_with_500_in_the_legacy_api_only),
        cmocka_unit_test(http_transforms_otlp_without_adjusting),
        cmocka_unit_test(http_streams_long_traces_in_pieces),
        cmocka_unit_test(http_serves_under_a_base_path_only),
        cmocka_unit_test(http_base_paths_are_checked),
        cmocka_unit_test(http_answers_other_paths_with_the_page),
        cmocka_unit_test(http_keeps_tenants_apart_and_passes_tokens_on),
        cmocka_unit_test(http_tells_the_trace_of_the_request),
        cmocka_unit_test(http_measures_requests_by_route),
        cmocka_unit_test(a_search_takes_a_filter_an_order_and_a_cursor),
        cmocka_unit_test(v3_takes_a_structured_filter),
        cmocka_unit_test(answers_are_packed_for_clients_that_take_gzip),
        cmocka_unit_test(v3_refuses_a_structured_filter_without_its_gate),
        cmocka_unit_test(every_search_says_that_it_stopped_early),
        cmocka_unit_test(tempo_is_read_as_grafana_does),
        cmocka_unit_test(attributes_are_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
