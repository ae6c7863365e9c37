/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "query/adjust.h"
#include "support/traces.h"

/** The adjusted trace as OTLP-JSON, NUL-terminated. */
static jg_buf adjusted(const char *otlp, uint64_t max_skew_ns)
{
    jaeger_batch *batch = batch_of_json(otlp);
    jaeger_error err = {0};
    if (jg_adjust(&batch, max_skew_ns, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    jg_buf buf = JG_BUF_INIT(1 << 20);
    jg_json_out json = JG_JSON_OUT_INIT(&buf);
    jg_otlp_json_write(&json, batch);
    jg_buf_byte(&buf, 0);
    jaeger_batch_unref(batch);
    return buf;
}

static void assert_adjusted(const char *otlp, uint64_t max_skew_ns, const char *want, const char *unwanted)
{
    jg_buf got = adjusted(otlp, max_skew_ns);
    if (want && !strstr((const char *)got.data, want))
        fail_msg("%s\nis not in\n%s", want, (const char *)got.data);
    if (unwanted && strstr((const char *)got.data, unwanted))
        fail_msg("%s\nis in\n%s", unwanted, (const char *)got.data);
    jg_buf_done(&got);
}

/* clang-format off */
#define TRACE(resources)       "{\"resourceSpans\":[" resources "]}"
#define RESOURCE(attrs, spans) "{\"resource\":{\"attributes\":[" attrs "]},\"scopeSpans\":[{\"scope\":{},\"spans\":[" spans "]}]}"
#define STR(key, value)        "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INT(key, value)        "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define SPAN(id, rest)         "{\"traceId\":\"0000000000000000000000000000000a\",\"spanId\":\"00000000000000" id "\"" rest "}"
#define PARENT(id)             ",\"parentSpanId\":\"00000000000000" id "\""
#define TIMES(start, end)      ",\"startTimeUnixNano\":\"" start "\",\"endTimeUnixNano\":\"" end "\""
#define ATTRS(list)            "\"attributes\":[" list "]"
#define WARNINGS(list)         "{\"key\":\"@jaeger@warnings\",\"value\":{\"arrayValue\":{\"values\":[" list "]}}}"
#define TEXT(text)             "{\"stringValue\":\"" text "\"}"
#define LINK                   "\"traceId\":\"0000000000000000000000000000000b\""

static void adjust_gives_server_spans_with_shared_ids_their_own(void **state)
{
    (void)state;
    const char *trace = TRACE(RESOURCE("",
        SPAN("01", ",\"name\":\"free\"") ","
        SPAN("05", PARENT("01") ",\"name\":\"client\",\"kind\":3") ","
        SPAN("05", PARENT("01") ",\"name\":\"server\",\"kind\":2") ","
        SPAN("07", PARENT("05") ",\"name\":\"child\"")));
    assert_adjusted(trace, 0, "\"spanId\":\"0000000000000002\"" PARENT("05") ",\"name\":\"server\"", NULL);
    assert_adjusted(trace, 0, "\"spanId\":\"0000000000000005\"" PARENT("01") ",\"name\":\"client\"", NULL);
    assert_adjusted(trace, 0, PARENT("02") ",\"name\":\"child\"", NULL);
    /* spans of other kinds may share an id: only a warning */
    assert_adjusted(TRACE(RESOURCE("", SPAN("05", ",\"name\":\"a\"") "," SPAN("05", ",\"name\":\"b\""))), 0,
                    "\"name\":\"b\"," ATTRS(WARNINGS(TEXT("duplicate span IDs; skipping clock skew adjustment"))), NULL);
}

static void adjust_sorts_attributes_and_names_of_events(void **state)
{
    (void)state;
    assert_adjusted(
        TRACE(RESOURCE(STR("z", "1") "," STR("a", "2"),
            SPAN("01", "," ATTRS(STR("b", "1") "," STR("a", "1") "," STR("b", "2")) ","
                "\"events\":[{\"name\":\"y\",\"timeUnixNano\":\"1\"},{\"name\":\"x\",\"timeUnixNano\":\"2\","
                ATTRS(STR("k", "1") "," STR("j", "1")) "}],"
                "\"links\":[{" LINK "," ATTRS(STR("q", "1") "," STR("p", "1")) "}]"))), 0,
        ATTRS(STR("a", "2") "," STR("z", "1")) "},\"scopeSpans\":[{\"scope\":{},\"spans\":[{"
        "\"traceId\":\"0000000000000000000000000000000a\",\"spanId\":\"0000000000000001\","
        ATTRS(STR("a", "1") "," STR("b", "2")) ",\"events\":[{\"timeUnixNano\":\"2\",\"name\":\"x\","
        ATTRS(STR("j", "1") "," STR("k", "1")) "},{\"timeUnixNano\":\"1\",\"name\":\"y\"}],"
        "\"links\":[{" LINK "," ATTRS(STR("p", "1") "," STR("q", "1")) "}]", NULL);
}

static size_t spans_after(const char *otlp)
{
    jaeger_batch *batch = batch_of_json(otlp);
    assert_ok(jg_adjust(&batch, 0, NULL));
    size_t n = jaeger_batch_span_count(batch);
    jaeger_batch_unref(batch);
    return n;
}

static void adjust_drops_copies_and_keeps_what_differs(void **state)
{
    (void)state;
#define ONE(attrs) SPAN("01", ",\"name\":\"n\"," ATTRS(attrs))
    static const struct {
        const char *name, *otlp;
        size_t want;
    } rows[] = {
        {"copies", TRACE(RESOURCE(STR("r", "1"), ONE(STR("a", "1")) "," ONE(STR("a", "1")))), 1},
        {"another order", TRACE(RESOURCE("", ONE(STR("a", "1") "," STR("b", "1")) "," ONE(STR("b", "1") "," STR("a", "1")))), 1},
        {"resources of their own", TRACE(RESOURCE(STR("r", "1"), ONE("")) "," RESOURCE(STR("r", "1"), ONE(""))), 1},
        {"resources differ", TRACE(RESOURCE(STR("r", "1"), ONE("")) "," RESOURCE(STR("r", "2"), ONE(""))), 2},
        {"one id, two contents", TRACE(RESOURCE("", ONE(STR("a", "1")) "," ONE(STR("a", "2")))), 2},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++)
        if (spans_after(rows[i].otlp) != rows[i].want)
            fail_msg("%s: %zu", rows[i].name, spans_after(rows[i].otlp));
}

static void adjust_moves_clocks_of_other_hosts(void **state)
{
    (void)state;
    const char *early = TRACE(
        RESOURCE(STR("host.name", "a"), SPAN("01", TIMES("1000", "2000"))) ","
        RESOURCE(STR("host.name", "b"),
            SPAN("02", PARENT("01") TIMES("100", "300") ",\"events\":[{\"timeUnixNano\":\"150\"}]") ","
            SPAN("03", PARENT("02") TIMES("150", "200"))));
    /* 1000 + (1000 - 200) / 2 - 100 = 1300 */
    assert_adjusted(early, 10000, TIMES("1400", "1600") ","
                    ATTRS(WARNINGS(TEXT("This span's timestamps were adjusted by 1.3µs")))
                    ",\"events\":[{\"timeUnixNano\":\"1450\"}]", NULL);
    assert_adjusted(early, 10000, TIMES("1450", "1500"), NULL); /* the same host */
    assert_adjusted(early, 1000, TEXT("max clock skew adjustment delta of 1µs exceeded; "
                                      "not applying calculated delta of 1.3µs"), "adjusted by");
    assert_adjusted(early, 0, TEXT("clock skew adjustment disabled; not applying calculated delta of 1.3µs"), "1400");
    /* a longer child must not start earlier, that is all */
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", TIMES("1000", "2000")) "," SPAN("02", PARENT("01") TIMES("900", "5000")))),
                    10000, TIMES("1000", "5100"), NULL);
    /* inside: nothing to do, even between hosts without a name */
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", TIMES("1000", "2000")) "," SPAN("02", PARENT("01") TIMES("1000", "2000")))),
                    10000, NULL, "warnings");
    /* one host is never moved */
    assert_adjusted(TRACE(RESOURCE(STR("host.id", "h"),
                                   SPAN("01", TIMES("1000", "2000")) "," SPAN("02", PARENT("01") TIMES("1", "2")))),
                    10000, NULL, "warnings");
    assert_adjusted(TRACE(RESOURCE("", SPAN("02", PARENT("01")))), 0,
                    TEXT("parent span ID=0000000000000001 is not in the trace; skipping clock skew adjustment"), NULL);
}

static void adjust_survives_circles_and_long_chains(void **state)
{
    (void)state;
    assert_int_equal(spans_after(TRACE(RESOURCE("", SPAN("01", PARENT("02")) "," SPAN("02", PARENT("01")) ","
                                                    SPAN("03", PARENT("03"))))), 3);
    jaeger_builder *b = jaeger_builder_new(32 << 20);
    jaeger_batch *batch;
    for (uint32_t i = 1; i <= 50000; i++) {
        jaeger_span_start span = {.trace_id = {1}, .start_unix_ns = i, .end_unix_ns = i + 1};
        memcpy(span.span_id, &i, 4);
        if (i > 1)
            memcpy(span.parent_span_id, &(uint32_t){i - 1}, 4);
        jaeger_builder_span(b, &span);
    }
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    assert_ok(jg_adjust(&batch, JG_NS_PER_S, NULL));
    assert_int_equal(jaeger_batch_span_count(batch), 50000);
    assert_int_equal(jaeger_batch_spans(batch)[49999].start_unix_ns, 1); /* each moved into the one before */
    jaeger_batch_unref(batch);
}

static void adjust_prints_numeric_ip_addresses(void **state)
{
    (void)state;
    const char *trace = TRACE(RESOURCE(INT("ip", "16909060"),
        SPAN("01", "," ATTRS(INT("ip", "-1") ",{\"key\":\"peer.ipv4\",\"value\":{\"doubleValue\":134744072}}," INT("port", "1")))));
    assert_adjusted(trace, 0, "{" ATTRS(STR("ip", "1.2.3.4")) "}", NULL);
    assert_adjusted(trace, 0, ATTRS(STR("ip", "255.255.255.255") "," STR("peer.ipv4", "8.8.8.8") "," INT("port", "1")), NULL);
}

static void adjust_moves_library_attributes_to_the_resource(void **state)
{
    (void)state;
    const char *trace = TRACE(RESOURCE(STR("service.name", "s") "," STR("telemetry.sdk.version", "1"),
        SPAN("01", "," ATTRS(STR("telemetry.sdk.language", "c") "," STR("telemetry.sdk.version", "1") "," STR("x", "y"))) ","
        SPAN("02", "," ATTRS(STR("telemetry.sdk.version", "2")))));
    assert_adjusted(trace, 0, "{" ATTRS(STR("service.name", "s") "," STR("telemetry.sdk.version", "1") ","
                                        STR("telemetry.sdk.language", "c")) "}", NULL);
    assert_adjusted(trace, 0, "\"spanId\":\"0000000000000001\"," ATTRS(STR("x", "y")), NULL);
    assert_adjusted(trace, 0, ATTRS(STR("telemetry.sdk.version", "2") ","
        WARNINGS(TEXT("conflicting values between Span and Resource for attribute telemetry.sdk.version"))), NULL);
}

static void adjust_leaves_attributes_in_the_order_of_jaeger(void **state)
{
    (void)state;
    /* a removed attribute gives its place to the last one, which may be the warnings */
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", "," ATTRS(STR("a", "1") "," STR("telemetry.sdk.name", "x") ","
                                                         STR("y", "2") "," STR("z", "3"))))), 0,
                    "\"spanId\":\"0000000000000001\"," ATTRS(STR("a", "1") "," STR("z", "3") "," STR("y", "2")), NULL);
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", PARENT("09") "," ATTRS(STR("telemetry.sdk.name", "x") "," STR("z", "3"))))), 0,
                    ATTRS(WARNINGS(TEXT("parent span ID=0000000000000009 is not in the trace; skipping clock skew adjustment"))
                          "," STR("z", "3")), NULL);
}

static void adjust_removes_links_without_a_trace(void **state)
{
    (void)state;
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", ",\"links\":[{\"spanId\":\"0000000000000001\"},{" LINK "},{}]"))), 0,
                    ATTRS(WARNINGS(TEXT("Invalid span link removed") "," TEXT("Invalid span link removed")))
                    ",\"links\":[{" LINK "}]", NULL);
}

static void adjust_appends_to_warnings_that_are_there(void **state)
{
    (void)state;
    const char *want = ATTRS(WARNINGS(TEXT("old") "," TEXT("Invalid span link removed")) "," STR("a", "b"));
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", "," ATTRS(STR("a", "b") "," WARNINGS(TEXT("old"))) ",\"links\":[{}]"))), 0,
                    want, NULL);
    assert_adjusted(TRACE(RESOURCE("", SPAN("01", "," ATTRS(STR("@jaeger@warnings", "old") "," STR("a", "b"))
                                            ",\"links\":[{}]"))), 0, want, NULL);
}
/* clang-format on */

static void adjust_leaves_a_shared_batch_alone(void **state)
{
    (void)state;
    jaeger_batch *batch =
        batch_of_json(TRACE(RESOURCE("", SPAN("01", "," ATTRS(STR("b", "1") "," STR("a", "1"))))));
    jaeger_batch *mine = jaeger_batch_ref(batch);
    const jaeger_span before = jaeger_batch_spans(batch)[0];
    assert_ok(jg_adjust(&mine, 0, NULL));
    assert_ptr_not_equal(mine, batch);
    assert_memory_equal(&before, &jaeger_batch_spans(batch)[0], sizeof before);
    jaeger_batch_unref(mine);
    jaeger_batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adjust_gives_server_spans_with_shared_ids_their_own),
        cmocka_unit_test(adjust_sorts_attributes_and_names_of_events),
        cmocka_unit_test(adjust_drops_copies_and_keeps_what_differs),
        cmocka_unit_test(adjust_moves_clocks_of_other_hosts),
        cmocka_unit_test(adjust_survives_circles_and_long_chains),
        cmocka_unit_test(adjust_prints_numeric_ip_addresses),
        cmocka_unit_test(adjust_moves_library_attributes_to_the_resource),
        cmocka_unit_test(adjust_leaves_attributes_in_the_order_of_jaeger),
        cmocka_unit_test(adjust_removes_links_without_a_trace),
        cmocka_unit_test(adjust_appends_to_warnings_that_are_there),
        cmocka_unit_test(adjust_leaves_a_shared_batch_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
