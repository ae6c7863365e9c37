/* SPDX-License-Identifier: Apache-2.0
 * Conformance: what a search finds, in which order.
 */
#include "conform/fixture.h"

#include "core/str.h"
#include <stdio.h>

#define FOUND(f, query, ...)                                                                                 \
    do {                                                                                                     \
        const uint64_t want_[] = {0, ##__VA_ARGS__};                                                         \
        assert_found((f), (query), want_ + 1, JG_COUNT(want_) - 1);                                          \
    } while (0)

static jaeger_trace_query query_of(const char *service)
{
    return (jaeger_trace_query){.size = sizeof(jaeger_trace_query), .service = jg_str(service)};
}

static void search_puts_the_newest_first_and_limits_after(void **state)
{
    fixture *f = *state;
    for (uint64_t i = 1; i <= 20; i++) { /* written in an order that is not the one of time */
        uint64_t n = i * 7 % 20 + 1;
        write_specs(f, &(span_spec){.trace = n, .id = 1, .service = "a", .start = n * SEC}, 1);
    }
    jaeger_trace_query query = query_of("a");
    query.limit = 4;
    FOUND(f, &query, 20, 19, 18, 17);
    query.start_max_unix_ns = BASE + 10 * SEC;
    query.limit = 2;
    FOUND(f, &query, 10, 9);
    query.limit = 1;
    FOUND(f, &query, 10);
}

static void search_orders_by_the_latest_matching_span(void **state)
{
    fixture *f = *state;
    const span_spec specs[] = {
        {.trace = 1, .id = 1, .service = "a", .name = "x", .start = 10 * SEC},
        {.trace = 1, .id = 2, .service = "a", .name = "y", .start = 90 * SEC}, /* late, but does not match */
        {.trace = 2, .id = 3, .service = "a", .name = "x", .start = 20 * SEC},
        {.trace = 3, .id = 4, .service = "a", .name = "x", .start = 5 * SEC},
        {.trace = 3, .id = 5, .service = "a", .name = "x", .start = 30 * SEC},
    };
    write_specs(f, specs, JG_COUNT(specs));
    jaeger_trace_query query = query_of("a");
    query.operation = JAEGER_STR("x");
    FOUND(f, &query, 3, 2, 1);
    query.limit = 2;
    FOUND(f, &query, 3, 2);
    query.limit = 0;
    query.start_max_unix_ns = BASE + 25 * SEC; /* then trace 3 matches with its first span only */
    FOUND(f, &query, 2, 1, 3);
}

static void search_without_limit_finds_a_hundred(void **state)
{
    fixture *f = *state;
    static span_spec specs[150];
    for (uint64_t i = 0; i < JG_COUNT(specs); i++)
        specs[i] = (span_spec){.trace = i + 1, .id = 1, .service = "a", .start = i * SEC};
    write_specs(f, specs, JG_COUNT(specs));
    jaeger_trace_query query = query_of("a");
    gathered got;
    find(f, &query, &got);
    assert_int_equal(got.trace_count, 100);
    assert_int_equal(got.traces[0], 150);
    assert_int_equal(got.traces[99], 51);
    gathered_done(&got);
    query.limit = 1000;
    find(f, &query, &got);
    assert_int_equal(got.trace_count, 150);
    gathered_done(&got);
}

/** Four traces with attributes in all places. */
static void write_tagged(fixture *f)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    make_span(b, &(span_spec){.trace = 1,
                              .id = 1,
                              .service = "shop",
                              .name = "get",
                              .kind = JAEGER_KIND_SERVER,
                              .status = JAEGER_STATUS_ERROR,
                              .start = 1 * SEC,
                              .duration = 5 * SEC});
    jaeger_builder_attr_str(b, JAEGER_STR("color"), JAEGER_STR("red"));
    jaeger_builder_attr_int(b, JAEGER_STR("n"), 42);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 1.5);
    jaeger_builder_attr_double(b, JAEGER_STR("whole"), 7);
    jaeger_builder_attr_bool(b, JAEGER_STR("flag"), true);
    jaeger_builder_attr_bytes(b, JAEGER_STR("raw"), JAEGER_STR("\x01\x02"));
    jaeger_builder_attr_str(b, JAEGER_STR("any"), JAEGER_STR("span"));
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_attr_str(b, JAEGER_STR("host"), JAEGER_STR("h2"));
    jaeger_builder_attr_str(b, JAEGER_STR("any"), JAEGER_STR("resource"));
    jaeger_builder_scope(b, JAEGER_STR("lib2"), JAEGER_STR("2.0"), (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("any"), JAEGER_STR("scope"));
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {[15] = 2},
                                                .span_id = {2},
                                                .name = JAEGER_STR("put"),
                                                .kind = JAEGER_KIND_CLIENT,
                                                .start_unix_ns = BASE + 2 * SEC,
                                                .end_unix_ns = BASE + 3 * SEC});
    jaeger_builder_event(b, BASE + 2 * SEC, JAEGER_STR("ev"));
    jaeger_builder_attr_str(b, JAEGER_STR("any"), JAEGER_STR("event"));
    jaeger_builder_event(b, BASE + 2 * SEC, JAEGER_STR("ev2"));
    jaeger_builder_attr_int(b, JAEGER_STR("any"), 2);
    jaeger_builder_link(b, (const uint8_t[16]){9}, (const uint8_t[8]){9}, (jaeger_str){0}, 0);
    jaeger_builder_attr_str(b, JAEGER_STR("any"), JAEGER_STR("link"));
    make_span(b, &(span_spec){.trace = 3,
                              .id = 3,
                              .service = "cart",
                              .name = "get",
                              .status = JAEGER_STATUS_OK,
                              .start = 3 * SEC,
                              .duration = 10});
    jaeger_builder_attr_str(b, JAEGER_STR("color"), JAEGER_STR("red.*"));
    jaeger_builder_attr_str(b, JAEGER_STR("error"), JAEGER_STR("true"));
    make_span(b, &(span_spec){.trace = 4, .id = 4, .service = "cart", .name = "list", .start = 4 * SEC});
    jaeger_builder_attr_str(b, JAEGER_STR("color"), JAEGER_STR("Red"));
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    write_batch(f, batch);
}

/** What Jaeger's older model cannot tell or does not keep. */
static bool needs_otlp(const char *key, const char *text)
{
    static const char *const pairs[][2] = {{"color", "red.*"}, {"raw", "AQI="},   {"any", "scope"},
                                           {"any", "link"},    {"error", "true"}, {"span.status", "ERROR"},
                                           {"error", "false"}};
    for (size_t i = 0; i < JG_COUNT(pairs); i++)
        if (strcmp(key, pairs[i][0]) == 0 && strcmp(text, pairs[i][1]) == 0)
            return true;
    return false;
}

static void search_matches_attributes_as_text_in_five_places(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *key, *text;
        uint64_t want[5]; /* newest first, ends with 0 */
    } cases[] = {
        {"color", "red", {1}},
        {"color", "red.*", {3}},
        {"color", "RED", {0}},
        {"n", "42", {1}},
        {"n", "042", {0}},
        {"d", "1.5", {1}},
        {"whole", "7", {1}},
        {"whole", "7.0", {0}},
        {"flag", "true", {1}},
        {"raw", "AQI=", {1}},
        {"any", "span", {1}},
        {"any", "resource", {2}},
        {"any", "scope", {2}},
        {"any", "event", {2}},
        {"any", "2", {2}},
        {"any", "link", {2}},
        {"any", "nowhere", {0}},
        {"host", "h2", {2}},
        {"resource.host", "h2", {2}},
        {"resource.any", "resource", {2}},
        {"resource.any", "span", {0}},
        {"resource.color", "red", {0}},
        {"scope.name", "lib2", {2}},
        {"scope.name", "lib", {4, 3, 1}},
        {"scope.version", "2.0", {2}},
        {"span.kind", "server", {1}},
        {"span.kind", "client", {2}},
        {"span.kind", "consumer", {0}},
        {"span.status", "ERROR", {1}},
        {"span.status", "OK", {3}},
        {"span.status", "UNSET", {4, 2}},
        {"error", "true", {1}},
        {"error", "false", {4, 3, 2}},
        {"error", "perhaps", {0}},
        {"service.name", "cart", {4, 3}},
    };
    write_tagged(f);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        if (f->skips & JG_SKIP_OTLP && needs_otlp(cases[i].key, cases[i].text))
            continue;
        jaeger_attr attr = {.key = jg_str(cases[i].key),
                            .value = {JAEGER_VALUE_STRING, .u.s = jg_str(cases[i].text)}};
        jaeger_trace_query query = {.size = sizeof query, .attrs = &attr, .attr_count = 1};
        size_t n = 0;
        while (cases[i].want[n])
            n++;
        gathered got;
        find(f, &query, &got);
        if (got.trace_count != n || (n && memcmp(got.traces, cases[i].want, n * sizeof *got.traces) != 0))
            fail_msg("%s=%s: found %zu traces, wanted %zu", cases[i].key, cases[i].text, got.trace_count, n);
        gathered_done(&got);
    }
}

static void search_takes_typed_values(void **state)
{
    fixture *f = *state;
    write_tagged(f);
    const struct {
        const char *key;
        jaeger_value value;
        uint64_t want;
    } cases[] = {
        {"n", {JAEGER_VALUE_INT, .u.i = 42}, 1},        {"n", {JAEGER_VALUE_DOUBLE, .u.d = 42}, 1},
        {"n", {JAEGER_VALUE_INT, .u.i = 43}, 0},        {"d", {JAEGER_VALUE_DOUBLE, .u.d = 1.5}, 1},
        {"whole", {JAEGER_VALUE_INT, .u.i = 7}, 1},     {"flag", {JAEGER_VALUE_BOOL, .u.b = true}, 1},
        {"error", {JAEGER_VALUE_BOOL, .u.b = true}, 1}, {"any", {JAEGER_VALUE_INT, .u.i = 2}, 2},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        if (f->skips & JG_SKIP_OTLP && strcmp(cases[i].key, "error") == 0)
            continue; /* a text "true" is the same there */
        jaeger_attr attr = {.key = jg_str(cases[i].key), .value = cases[i].value};
        jaeger_trace_query query = {.size = sizeof query, .attrs = &attr, .attr_count = 1};
        assert_found(f, &query, &cases[i].want, cases[i].want != 0);
    }
}

static void search_bounds_are_inclusive_to_the_nanosecond(void **state)
{
    fixture *f = *state;
    write_tagged(f); /* starts 1, 2, 3, 4 s; durations 5 s, 1 s, 10 ns, 1 ms */
    static const struct {
        uint64_t start_min, start_max, duration_min, duration_max;
        uint64_t want[5];
    } cases[] = {
        {BASE + 2 * SEC, BASE + 3 * SEC, 0, 0, {3, 2}},
        {BASE + 2 * SEC + 1, BASE + 3 * SEC - 1, 0, 0, {0}},
        {BASE + 4 * SEC, 0, 0, 0, {4}},
        {0, BASE + 1 * SEC, 0, 0, {1}},
        {0, 0, 5 * SEC, 0, {1}},
        {0, 0, 5 * SEC + 1, 0, {0}},
        {0, 0, 0, 10, {3}},
        {0, 0, 0, 9, {0}},
        {0, 0, 10, 1000000, {4, 3}},
        {0, 0, 1 * SEC, 1 * SEC, {2}},
        {BASE + 3 * SEC, BASE + 9 * SEC, 11, 0, {4}},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_trace_query query = {.size = sizeof query,
                                    .start_min_unix_ns = cases[i].start_min,
                                    .start_max_unix_ns = cases[i].start_max,
                                    .duration_min_ns = cases[i].duration_min,
                                    .duration_max_ns = cases[i].duration_max};
        bool is_fine = cases[i].duration_min % 1000 || cases[i].duration_max % 1000;
        if (is_fine && f->skips & JG_SKIP_OTLP)
            continue;
        size_t n = 0;
        while (cases[i].want[n])
            n++;
        assert_found(f, &query, cases[i].want, n);
    }
}

static void search_by_service_and_operation(void **state)
{
    fixture *f = *state;
    write_tagged(f);
    jaeger_trace_query query = query_of("shop");
    FOUND(f, &query, 2, 1);
    query.operation = JAEGER_STR("get");
    FOUND(f, &query, 1);
    query.service = JAEGER_STR("cart");
    FOUND(f, &query, 3);
    query.service = (jaeger_str){0};
    FOUND(f, &query, 3, 1);
    query.operation = JAEGER_STR("ge");
    FOUND(f, &query);
    query = query_of("nobody");
    FOUND(f, &query);
}

static void search_needs_all_conditions_on_one_span(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_ONE_SPAN);
    const span_spec specs[] = {
        {.trace = 1, .id = 1, .service = "a", .tag_key = "k", .tag_value = "1"},
        {.trace = 1, .id = 2, .service = "b", .tag_key = "m", .tag_value = "1"},
        {.trace = 2,
         .id = 3,
         .service = "b",
         .name = "slow",
         .duration = SEC,
         .tag_key = "k",
         .tag_value = "1"},
        {.trace = 2, .id = 4, .service = "b", .start = 9 * SEC},
    };
    write_specs(f, specs, JG_COUNT(specs));
    jaeger_attr attrs[] = {{.key = JAEGER_STR("k"), .value = {JAEGER_VALUE_STRING, .u.s = {"1", 1}}},
                           {.key = JAEGER_STR("m"), .value = {JAEGER_VALUE_STRING, .u.s = {"1", 1}}}};
    jaeger_trace_query query = query_of("b");
    query.attrs = attrs;
    query.attr_count = 1;
    FOUND(f, &query, 2);
    query.attr_count = 2;
    FOUND(f, &query);
    query.service = (jaeger_str){0};
    FOUND(f, &query);
    query.attr_count = 1;
    query.operation = JAEGER_STR("slow");
    query.duration_min_ns = SEC;
    FOUND(f, &query, 2);
    query.start_min_unix_ns = BASE + 5 * SEC; /* the other span of trace 2 starts then */
    FOUND(f, &query);
}

static void search_returns_whole_traces(void **state)
{
    fixture *f = *state;
    span_spec specs[30];
    for (uint64_t i = 0; i < JG_COUNT(specs); i++)
        specs[i] =
            (span_spec){.trace = 1 + i % 2, .id = i + 1, .service = i == 7 ? "rare" : "a", .start = i * SEC};
    write_specs(f, specs, 20);
    write_specs(f, specs + 20, 10);
    jaeger_trace_query query = query_of("rare");
    query.start_min_unix_ns = BASE + 7 * SEC;
    query.start_max_unix_ns = BASE + 7 * SEC;
    gathered got;
    find(f, &query, &got);
    assert_int_equal(got.trace_count, 1);
    assert_int_equal(gathered_spans(&got), 15);
    gathered_done(&got);
}

static void search_finds_among_many(void **state)
{
    fixture *f = *state;
    enum { TRACES = 3000 };
    static span_spec specs[TRACES];
    static char values[TRACES][16];
    for (uint64_t i = 0; i < TRACES; i++) {
        (void)snprintf(values[i], sizeof values[i], "u%u", (unsigned)i);
        specs[i] = (span_spec){.trace = i + 1,
                               .id = 1,
                               .service = i % 50 ? "a" : "b",
                               .start = i * 1000,
                               .tag_key = "user",
                               .tag_value = values[i]};
    }
    for (size_t at = 0; at < TRACES; at += 300)
        write_specs(f, specs + at, 300);
    for (uint64_t i = 0; i < TRACES; i += 321) {
        jaeger_attr attr = {.key = JAEGER_STR("user"),
                            .value = {JAEGER_VALUE_STRING, .u.s = jg_str(values[i])}};
        jaeger_trace_query query = {.size = sizeof query, .attrs = &attr, .attr_count = 1};
        FOUND(f, &query, i + 1);
    }
    jaeger_trace_query query = query_of("b");
    gathered got;
    find(f, &query, &got);
    assert_int_equal(got.trace_count, TRACES / 50);
    for (uint64_t i = 0; i < got.trace_count; i++)
        assert_int_equal(got.traces[i], TRACES - 50 - i * 50 + 1);
    gathered_done(&got);
}

static void search_ids_carry_the_time_of_the_trace(void **state)
{
    fixture *f = *state;
    const span_spec specs[] = {{.trace = 1, .id = 1, .service = "a", .start = 5 * SEC, .duration = SEC},
                               {.trace = 1, .id = 2, .service = "a", .start = 7 * SEC, .duration = SEC}};
    write_specs(f, specs, 2);
    jaeger_trace_query query = query_of("a");
    jaeger_trace_refs refs = {0};
    assert_ok(f->storage.driver->find_trace_ids(f->storage.self, &query, &refs, &f->call));
    assert_int_equal(refs.count, 1);
    if (refs.items[0].start_unix_ns || refs.items[0].end_unix_ns) { /* zeroes: not known */
        assert_true(refs.items[0].start_unix_ns <= BASE + 5 * SEC);
        assert_true(refs.items[0].end_unix_ns >= BASE + 8 * SEC);
    }
}

typedef struct summaries {
    size_t count;
    jaeger_trace_summary first;
    char root_service[16], root_operation[16];
    jaeger_service_count services[4];
    char names[4][16];
    uint64_t traces[8];
} summaries;

static void copy_text(char to[16], jaeger_str from)
{
    assert_true(from.len < 16);
    (void)snprintf(to, 16, "%.*s", JAEGER_STR_ARGS(from));
}

static jaeger_status take_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    summaries *s = self;
    (void)call;
    if (s->count == 0) {
        s->first = *summary;
        copy_text(s->root_service, summary->root_service);
        copy_text(s->root_operation, summary->root_operation);
        for (size_t i = 0; i < summary->service_count && i < 4; i++) {
            s->services[i] = summary->services[i];
            copy_text(s->names[i], summary->services[i].name);
        }
    }
    if (s->count < 8)
        s->traces[s->count] = trace_low(summary->trace_id);
    s->count++;
    return JAEGER_OK;
}

static void search_summarizes_traces(void **state)
{
    fixture *f = *state;
    SKIP_IF(f, JG_SKIP_SUMMARIES);
    const span_spec specs[] = {
        {.trace = 1,
         .id = 2,
         .parent = 1,
         .service = "web",
         .name = "child",
         .start = 2 * SEC,
         .duration = 9 * SEC},
        {.trace = 1, .id = 9, .service = "db", .name = "later root", .start = 3 * SEC},
        {.trace = 1,
         .id = 1,
         .service = "web",
         .name = "root",
         .start = 1 * SEC,
         .status = JAEGER_STATUS_ERROR},
        {.trace = 1,
         .id = 3,
         .parent = 77,
         .service = "api",
         .name = "orphan",
         .start = 4 * SEC,
         .status = JAEGER_STATUS_ERROR},
        {.trace = 2, .id = 4, .parent = 5, .service = "web", .start = 9 * SEC},
    };
    write_specs(f, specs, JG_COUNT(specs));
    jaeger_trace_query query = query_of("web");
    summaries got = {0};
    jaeger_summary_sink sink = {take_summary, &got};
    assert_ok(f->storage.driver->find_summaries(f->storage.self, &query, sink, &f->call));
    assert_int_equal(got.count, 2);
    assert_int_equal(got.traces[0], 2);
    assert_int_equal(got.traces[1], 1);
    assert_int_equal(got.first.orphan_span_count, 1);
    assert_string_equal(got.root_operation, "");
    got = (summaries){0};
    query.start_max_unix_ns = BASE + 8 * SEC;
    assert_ok(f->storage.driver->find_summaries(f->storage.self, &query, sink, &f->call));
    assert_int_equal(got.count, 1);
    assert_string_equal(got.root_service, "web");
    assert_string_equal(got.root_operation, "root");
    assert_int_equal(got.first.min_start_unix_ns, BASE + 1 * SEC);
    assert_int_equal(got.first.max_end_unix_ns, BASE + 11 * SEC);
    assert_int_equal(got.first.span_count, 4);
    assert_int_equal(got.first.error_span_count, 2);
    assert_int_equal(got.first.orphan_span_count, 1);
    assert_int_equal(got.first.service_count, 3);
    assert_string_equal(got.names[0], "api");
    assert_string_equal(got.names[1], "db");
    assert_string_equal(got.names[2], "web");
    assert_int_equal(got.services[0].error_span_count, 1);
    assert_int_equal(got.services[2].span_count, 2);
}

static void search_tests_a_filter_on_each_span(void **state)
{
    fixture *f = *state;
    const span_spec specs[] = {
        {.trace = 1,
         .id = 1,
         .service = "a",
         .name = "GET /x",
         .kind = JAEGER_KIND_SERVER,
         .start = 1 * SEC,
         .duration = 50000000,
         .tag_key = "code",
         .tag_value = "500"},
        {.trace = 2,
         .id = 2,
         .service = "b",
         .name = "PUT /x",
         .start = 2 * SEC,
         .status = JAEGER_STATUS_ERROR},
        {.trace = 3,
         .id = 3,
         .service = "a",
         .name = "GET /y",
         .start = 3 * SEC,
         .duration = 5000000,
         .tag_key = "code",
         .tag_value = "200"},
        {.trace = 4, .id = 4, .service = "b", .name = "GET /z", .start = 4 * SEC},
        {.trace = 4, .id = 5, .service = "a", .name = "SELECT", .start = 5 * SEC},
    };
    static const struct {
        const char *filter;
        size_t count;
        uint64_t want[4];
    } rows[] = {
        {"service = a", 3, {4, 3, 1}},
        {"service = b or code = 500", 3, {4, 2, 1}},
        {"name =~ \"^GET\" and not service = b", 2, {3, 1}},
        {"service = b and name = SELECT", 0, {0}},
        {"code >= 300", 1, {1}},
        {"code exists and duration < 10ms", 1, {3}},
        {"status = error", 1, {2}},
        {"kind = server and duration = 50ms", 1, {1}},
        {"spanCount > 100 and service = b", 2, {4, 2}}, /* of the trace: not for a driver to say */
        {"resource.service.name in (a, c) and name !~ \"/y$\"", 2, {4, 1}},
    };
    jaeger_storage_caps caps = {.size = sizeof caps};
    if (f->storage.driver->caps)
        assert_ok(f->storage.driver->caps(f->storage.self, &caps, &f->call));
    if (!caps.filter)
        skip();
    write_specs(f, specs, JG_COUNT(specs));
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_trace_query query = query_of("");
        assert_ok(jaeger_filter_parse(jg_str(rows[i].filter), f->arena, &query.filter, NULL));
        assert_found(f, &query, rows[i].want, rows[i].count);
        query.limit = 1; /* counts after the filter */
        assert_found(f, &query, rows[i].want, JG_MIN(rows[i].count, 1u));
    }
}

const struct CMUnitTest search_tests[] = {
    TEST(search_tests_a_filter_on_each_span),
    TEST(search_puts_the_newest_first_and_limits_after),
    TEST(search_orders_by_the_latest_matching_span),
    TEST(search_without_limit_finds_a_hundred),
    TEST(search_matches_attributes_as_text_in_five_places),
    TEST(search_takes_typed_values),
    TEST(search_bounds_are_inclusive_to_the_nanosecond),
    TEST(search_by_service_and_operation),
    TEST(search_needs_all_conditions_on_one_span),
    TEST(search_returns_whole_traces),
    TEST(search_finds_among_many),
    TEST(search_ids_carry_the_time_of_the_trace),
    TEST(search_summarizes_traces),
};
const size_t search_test_count = JG_COUNT(search_tests);
