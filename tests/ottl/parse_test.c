/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/str.h"
#include "ottl/ottl.h"
#include "support/test.h"
#include "support/traces.h"

static jaeger_batch *batch;
static jaeger_arena *arena;
static jg_ottl_view view;
static jaeger_event event;

static const char trace[] =
    "{\"resourceSpans\":[{\"resource\":{\"droppedAttributesCount\":3,\"attributes\":["
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
    "{\"key\":\"host.ip\",\"value\":{\"stringValue\":\"10.1.2.3\"}}]},\"schemaUrl\":\"http://schema/1\","
    "\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1.2\",\"attributes\":["
    "{\"key\":\"s\",\"value\":{\"boolValue\":true}}]},\"spans\":[{"
    "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\",\"traceState\":\"a=1,b="
    "two\","
    "\"name\":\"GET /cart\",\"kind\":2,\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":"
    "\"1700000001500000000\",\"flags\":257,\"droppedLinksCount\":4,\"status\":{\"code\":2,\"message\":"
    "\"boom\"},"
    "\"attributes\":[{\"key\":\"http.status\",\"value\":{\"intValue\":\"503\"}},"
    "{\"key\":\"ratio\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"ok\",\"value\":{\"boolValue\":false}},"
    "{\"key\":\"url\",\"value\":{\"stringValue\":\"https://u:p@example.com:8443/a/b.html?q=1#top\"}},"
    "{\"key\":\"json\",\"value\":{\"stringValue\":\"{\\\"a\\\":{\\\"b\\\":[1,\\\"x\\\"]},\\\"n\\\":null}\"}},"
    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"x\"},{\"intValue\":\"7\"}]}}"
    "},"
    "{\"key\":\"map\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"intValue\":\"1\"}}]"
    "}}},"
    "{\"key\":\"bytes\",\"value\":{\"bytesValue\":\"AQI=\"}},"
    "{\"key\":\"num\",\"value\":{\"stringValue\":\"42\"}}],"
    "\"events\":[{\"name\":\"exception\",\"timeUnixNano\":\"1700000000000000001\",\"attributes\":["
    "{\"key\":\"type\",\"value\":{\"stringValue\":\"IOError\"}}]},{\"name\":\"log\"}]}]}]}]}";

static int setup(void **state)
{
    (void)state;
    arena = jaeger_arena_new(1 << 20);
    batch = batch_of_json(trace);
    view.span = jaeger_batch_spans(batch);
    view.group = view.span->group;
    jaeger_iter it = jaeger_span_events(view.span);
    (void)jaeger_next_event(&it, &event);
    view.event = &event;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    jaeger_batch_unref(batch);
    jaeger_arena_free(arena);
    return 0;
}

/* 't', 'f', 'e': cannot be told, 'p': does not parse. */
static char answer(const char *text, jg_ottl_context context, bool bare, jaeger_error *err)
{
    jg_ottl *condition;
    bool is_true;
    *err = (jaeger_error){0};
    jaeger_arena_reset(arena);
    if (jg_ottl_parse(jg_str(text), context, bare, &condition, err) != JAEGER_OK)
        return 'p';
    jaeger_status status = jg_ottl_test(condition, &view, arena, &is_true, err);
    jg_ottl_free(condition);
    return status != JAEGER_OK ? 'e' : is_true ? 't' : 'f';
}

static void check(const char *const *texts, char want)
{
    for (; *texts; texts++) {
        jaeger_error err;
        char got = answer(*texts, JG_OTTL_SPAN, true, &err);
        if (got != want)
            fail_msg("%s: %c, not %c %s", *texts, got, want, err.message);
    }
}

/* What the Collector's converters answered (contrib v0.155.0). */
static void ottl_functions_answer_as_the_collectors(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "Murmur3Hash(\"\") == \"00000000\"",
        "Murmur3Hash(\"Hello, world!\") == \"433e36c0\"",
        "Murmur3Hash(\"abc\") == \"fa93ddb3\"",
        "Murmur3Hash128(\"\") == \"00000000000000000000000000000000\"",
        "Murmur3Hash128(\"Hello, world!\") == \"df65d6d2d12d51f164c5f3a85066322c\"",
        "Murmur3Hash128(\"The quick brown fox jumps over the lazy dog\") == "
        "\"6c1b07bc7bbc4be347939ac4a93c437a\"",
        "CommunityID(\"192.168.1.1\", 54321, \"10.0.0.1\", 90, \"UDP\", 2) == "
        "\"1:sAf4Y22Cz0Pq28qyrJYFQGhlvp4=\"",
        "CommunityID(\"10.0.0.1\", 90, \"192.168.1.1\", 54321, \"UDP\", 2) == "
        "\"1:sAf4Y22Cz0Pq28qyrJYFQGhlvp4=\"",
        "CommunityID(\"fe80::1\", 1, \"10.0.0.1\", 2) == \"1:Z39mG/YGZQ5KVS4yVvEshxEA38U=\"",
        "CommunityID(\"::ffff:1.2.3.4\", 1, \"1.2.3.4\", 2, \"TCP\") == \"1:lTF60GdMXukd0DUsbdSFjrHI1ic=\"",
        "Format(\"%02d\", [7]) == \"07\"",
        "Format(\"%d|%5d|%-5d|%+d|% d|%05d|%x|%X|%#x|%o|%#o|%b|%.3d\", [1, 2, 3, 4, 5, -6, 255, 255, -255, "
        "8, 8, 5, 7]) "
        "== \"1|    2|3    |+4| 5|-0006|ff|FF|-0xff|10|010|101|007\"",
        "Format(\"%s|%5s|%-5s|%.2s|%q|%x|%v\", [\"a\", \"b\", \"c\", \"d\xc3\xa9"
        "f\", \"g\\\"h\", \"hi\", name]) == "
        "\"a|    b|c    |d\xc3\xa9|\\\"g\\\\\\\"h\\\"|6869|GET /cart\"",
        "Format(\"%f|%.1f|%e|%g|%.3g|%v|%8.2f|%+.1f|%06.1f\", [1.5, 2.25, 1234.5, 0.5, 1234.5678, 0.5, "
        "3.14159, "
        "1.0, -2.5]) == \"1.500000|2.2|1.234500e+03|0.5|1.23e+03|0.5|    3.14|+1.0|-002.5\"",
        "Format(\"%v %v %v\", [nil, true, attributes[\"none\"]]) == \"<nil> true <nil>\"",
        "Format(\"%d %s %t\", [\"x\", 5, 1]) == \"%!d(string=x) %!s(int64=5) %!t(int64=1)\"",
        "Format(\"%d\", []) == \"%!d(MISSING)\"",
        "Format(\"a\", [1, \"b\", nil]) == \"a%!(EXTRA int64=1, string=b, <nil>)\"",
        "Format(\"%\", []) == \"%!(NOVERB)\"",
        "Format(\"100%%|%c\", [65]) == \"100%|A\"",
        "Format(\"%t|%6t\", [true, false]) == \"true| false\"",
        "Format(\"%v|%d|%s\", [Duration(\"1.5s\"), Duration(\"1us\"), Duration(\"2m\")]) == "
        "\"1.5s|1000|2m0s\"",
        "Format(\"%!|%z\", [1, 2]) == \"%!!(int64=1)|%!z(int64=2)\"",
        "Format(\"%s %s\", [\"a\"]) == \"a %!s(MISSING)\"",
        "Format(\"%5%|%-5d|\", [1]) == \"%|1    |\"",
        "Format(\"%99999999d\", [1]) == \"%!(NOVERB)%!(EXTRA int64=1)\"",
        "ParseCSV(\"999-999-9999,Joe Smith,j@example.com\", \"phone,name,email\") == {\"phone\": "
        "\"999-999-9999\", \"name\": \"Joe Smith\", \"email\": \"j@example.com\"}",
        "ParseCSV(\"a|b\", \"x,y\", \"|\", \",\") == {\"x\": \"a\", \"y\": \"b\"}",
        "ParseCSV(\"\\\"a,b\\\",\\\"c\\\"\\\"d\\\"\", \"x,y\") == {\"x\": \"a,b\", \"y\": \"c\\\"d\"}",
        "ParseCSV(\"\\\"555,Joe\\\",joe\", \"phone,name,email\", mode=\"ignoreQuotes\") == {\"phone\": "
        "\"\\\"555\", \"name\": \"Joe\\\"\", \"email\": \"joe\"}",
        "ParseCSV(\"a \\\"b\\\",c\", \"x,y\", mode=\"lazyQuotes\") == {\"x\": \"a \\\"b\\\"\", \"y\": \"c\"}",
        "ParseCSV(\"a\\nb,c\\n\", \"x,y\") == {\"x\": \"a\\nb\", \"y\": \"c\"}",
        "ParseCSV(\"\\na,\\n\\n,c\", \"x,y,z\") == {\"x\": \"a\", \"y\": \"\\n\", \"z\": \"c\"}",
        "ParseCSV(\"\\\"a\\nb\\\",\", \"x,y\") == {\"x\": \"a\\nb\", \"y\": \"\"}",
        "ParseCSV(\"a,b\", \"x,y\", headerDelimiter=\",\")[\"y\"] == \"b\"",
        "ParseSeverity(\"inf\", {\"info\":[{\"equals\": [\"inf\"]}, {\"range\":{\"min\":200, "
        "\"max\":299}}]}) == \"info\"",
        "ParseSeverity(250, {\"info\":[{\"equals\": [\"inf\"]}, {\"range\":{\"min\":200, \"max\":299}}]}) == "
        "\"info\"",
        "ParseSeverity(attributes[\"http.status\"], {\"error\":[{\"range\":\"5xx\"}], "
        "\"info\":[{\"range\":\"2xx\"}]}) == \"error\"",
        "SliceToMap([{\"name\": \"foo\", \"value\": 2}, {\"name\": \"bar\", \"value\": 5}], [\"name\"], "
        "[\"value\"]) == {\"foo\": 2, \"bar\": 5}",
        "SliceToMap([{\"name\": \"foo\", \"value\": 2}], [\"name\"])[\"foo\"][\"value\"] == 2",
        "SliceToMap([{\"a\": {\"b\": 2}}], valuePath=[\"a\", \"b\"]) == {\"0\": 2}",
        "SliceToMap([\"a\", \"b\"]) == {\"0\": \"a\", \"1\": \"b\"}",
        "Base64Encode(\"a?>~\", \"base64-url\") == \"YT8-fg==\"",
        "Base64Encode(\"a?>~\", \"base64-raw-url\") == \"YT8-fg\"",
        "Base64Encode(\"a?>~\", \"base64-raw\") == \"YT8+fg\"",
        "Base64Encode(\"a?>~\") == \"YT8+fg==\"",
        "Decode(\"YT8-fg\", \"base64-raw-url\") == \"a?>~\"",
        "Decode(\"YT8+fg==\", \"base64\") == \"a?>~\"",
        "IsMatch(UUID(), \"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\")",
        "IsMatch(UUIDv7(), \"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\")",
        "UUID() != UUID()",
        "Substring(UUIDv7(), 0, 2) <= Substring(UUIDv7(), 0, 2)",
        NULL};
    check(texts, 't');
    static const char *const failing[] = {"CommunityID(\"x\", 1, \"1.2.3.4\", 2) == \"\"",
                                          "CommunityID(\"1.2.3.4\", 65536, \"1.2.3.4\", 2) == \"\"",
                                          "CommunityID(\"1.2.3.4\", 1, \"1.2.3.4\", 2, \"IPX\") == \"\"",
                                          "CommunityID(\"1.2.3.4\", 1, \"1.2.3.4\", 2, \"TCP\", -1) == \"\"",
                                          "Format(1, [2]) == \"\"",
                                          "Format(\"%s\", attributes[\"list\"]) == \"\"",
                                          "ParseCSV(\"a \\\"b\\\",c\", \"x,y\") == nil",
                                          "ParseCSV(\"a,b,c\", \"x,y\") == nil",
                                          "ParseCSV(\"a\", \"x,y\") == nil",
                                          "ParseCSV(\"\", \"x\") == nil",
                                          "ParseCSV(\"\\\"a\", \"x\") == nil",
                                          "ParseCSV(\"a\", \"\") == nil",
                                          "ParseCSV(\"\\\"a\\\"b\", \"x\") == nil",
                                          "ParseCSV(\"a,b\", \"x,y\", \",,\") == nil",
                                          "ParseCSV(\"a,b\", \"x,y\", mode=\"loud\") == nil",
                                          "ParseSeverity(300, {\"error\":[{\"range\":\"5xx\"}]}) == nil",
                                          "ParseSeverity(1, {\"error\":[{\"range\":\"7xx\"}]}) == nil",
                                          "ParseSeverity(1.5, {\"error\":[{\"range\":\"5xx\"}]}) == nil",
                                          "ParseSeverity(1, {\"error\": 1}) == nil",
                                          "SliceToMap([\"a\", \"b\"], [\"x\"]) == nil",
                                          "SliceToMap([{\"a\": 1}], [\"a\"]) == nil",
                                          "SliceToMap([{\"a\": 1}], [\"b\"]) == nil",
                                          "SliceToMap([{\"a\": 1}], []) == nil",
                                          "Base64Encode(\"a\", \"x\") == nil",
                                          "Murmur3Hash(1) == nil",
                                          NULL};
    check(failing, 'e');
}

static void ottl_conditions_that_are_true(void **state)
{
    (void)state;
    static const char *const texts[] = {
        /* operators */
        "true", "not false", "true and not false", "false or true", "(false or true) and true", "1 == 1.0",
        "1 < 2", "2 >= 2", "2 > 1.5", "\"a\" < \"b\"", "\"a\" != 1", "nil == nil",
        "attributes[\"none\"] == nil", "attributes[\"url\"] != nil", "attributes[\"none\"] != \"x\"",
        "0x0102 == 0x0102", "0x01 < 0x02", "true != false", "false < true", "[1, \"a\"] == [1, \"a\"]",
        "[1] != [2]", "{\"a\": 1} == {\"a\": 1}", "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "7 / 2 == 3",
        "7.0 / 2 == 3.5", "10 - 2 - 3 == 5", "-1 < 0", ".5 == 0.5", "1.5e2 == 150",
        "\"tab\\t\\u00e9\" == \"tab\t\xc3\xa9\"", "not (1 == 2)",
        /* paths */
        "name == \"GET /cart\"", "span.name == \"GET /cart\"", "kind == SPAN_KIND_SERVER",
        "kind.string == \"Server\"", "kind.deprecated_string == \"SPAN_KIND_SERVER\"",
        "status.code == STATUS_CODE_ERROR", "status.message == \"boom\"",
        "trace_id == TraceID(0x0102030405060708090a0b0c0d0e0f10)",
        "trace_id == TraceID(\"0102030405060708090a0b0c0d0e0f10\")", "span_id == SpanID(0x0102030405060708)",
        "trace_id.string == \"0102030405060708090a0b0c0d0e0f10\"",
        "parent_span_id.string == \"0000000000000000\"", "span_id.string == \"0102030405060708\"",
        "parent_span_id == SpanID(0x0000000000000000)", "trace_state == \"a=1,b=two\"",
        "trace_state[\"b\"] == \"two\"", "trace_state[\"c\"] == \"\"",
        "end_time_unix_nano - start_time_unix_nano > 1000000000",
        "end_time - start_time == Duration(\"1.5s\")", "start_time < end_time",
        "start_time + Duration(\"1.5s\") == end_time", "Len(events) == 2", "Len(links) == 0", "flags == 257",
        "dropped_links_count == 4", "dropped_events_count == 0", "dropped_attributes_count == 0",
        "attributes[\"http.status\"] >= 500", "attributes[\"ratio\"] == 0.5", "attributes[\"list\"][1] == 7",
        "attributes[\"map\"][\"k\"] == 1", "attributes[\"map\"][\"none\"] == nil",
        "attributes[\"bytes\"] == 0x0102", "attributes[Concat([\"http\", \"status\"], \".\")] == 503",
        "resource.attributes[\"service.name\"] == \"shop\"", "resource.dropped_attributes_count == 3",
        "resource.schema_url == \"http://schema/1\"", "instrumentation_scope.name == \"lib\"",
        "scope.version == \"1.2\"", "scope.attributes[\"s\"] == true", "scope.dropped_attributes_count == 0",
        "scope.schema_url == \"\"", "cache[\"x\"] == nil", "otelcol.client.addr == nil",
        "attributes == attributes", "attributes != resource.attributes",
        /* functions: text */
        "IsMatch(name, \"^GET /c.*$\")", "IsMatch(attributes[\"http.status\"], \"^5\")",
        "not IsMatch(attributes[\"none\"], \".*\")", "IsMatch(name, Concat([\"^G\", \"T\"], \"E\"))",
        "HasPrefix(name, \"GET\")", "HasSuffix(name, \"cart\")", "not HasSuffix(\"a\", \"aa\")",
        "IsMatch(target=name, pattern=\"cart\")",
        "Concat([\"a\", 1, true, nil, 1.5], \"-\") == \"a-1-true-<nil>-1.5\"",
        "Split(\"a,b,\", \",\") == [\"a\", \"b\", \"\"]", "Split(\"a,b\", \",\")[1] == \"b\"",
        "Split(\"ab\", \"\") == [\"a\", \"b\"]", "Substring(name, 0, 3) == \"GET\"",
        "Substring(\"\xc3\xa9"
        "x\", 1, 2, true) == \"x\"",
        "ConvertCase(\"someName\", \"snake\") == \"some_name\"",
        "ConvertCase(\"some_name\", \"camel\") == \"SomeName\"", "ToLowerCase(\"AbC\") == \"abc\"",
        "ToUpperCase(\"AbC\") == \"ABC\"", "ToSnakeCase(\"HTTPServer\") == \"http_server\"",
        "ToCamelCase(\"a-b\") == \"AB\"", "Trim(\"  a \") == \"a\"", "Trim(\"xax\", \"x\") == \"a\"",
        "TrimPrefix(\"abc\", \"a\") == \"bc\"", "TrimSuffix(\"abc\", \"bc\") == \"a\"",
        "ExtractPatterns(name, \"^(?P<verb>[A-Z]+)\")[\"verb\"] == \"GET\"", "IsValidLuhn(\"17893729974\")",
        "not IsValidLuhn(17893729975)",
        /* types */
        "IsString(name)", "IsInt(attributes[\"http.status\"])", "IsBool(attributes[\"ok\"])",
        "IsDouble(attributes[\"ratio\"])", "IsMap(attributes[\"map\"])", "IsList(attributes[\"list\"])",
        "not IsString(nil)", "IsRootSpan()", "Int(\"42\") == 42", "Int(2.9) == 2", "Int(true) == 1",
        "Int(\"x\") == nil", "Double(\"1.5\") == 1.5", "Double(1) == 1.0", "Bool(\"true\") == true",
        "Bool(0) == false", "Bool(\"x\") == nil", "String(503) == \"503\"", "String(nil) == nil",
        "String(0x01ff) == \"01ff\"", "String(attributes[\"list\"]) == \"[\\\"x\\\",7]\"",
        "String(Duration(\"90s\")) == \"1m30s\"", "Coalesce([attributes[\"none\"], nil, \"x\"]) == \"x\"",
        "Coalesce([nil]) == nil", "Log(1) == 0",
        /* lists and maps */
        "ContainsValue(attributes[\"list\"], 7)", "not ContainsValue(attributes[\"list\"], \"7\")",
        "Index(name, \"/\") == 4", "Index(name, \"z\") == -1", "Index([1, 2], 2) == 1", "Len(name) == 9",
        "Len(attributes) == 9", "Len([1, 2]) == 2", "Append([1], 2) == [1, 2]",
        "Append([1], values=[2, 3]) == [1, 2, 3]", "Keys({\"a\": 1}) == [\"a\"]", "Values({\"a\": 1}) == [1]",
        "Sort([3, 1, 2]) == [1, 2, 3]", "Sort([\"b\", \"a\"], \"desc\") == [\"b\", \"a\"]",
        /* hashes */
        "MD5(\"a\") == \"0cc175b9c0f1b6a831c399e269772661\"",
        "SHA1(\"a\") == \"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8\"",
        "SHA256(\"a\") == \"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\"",
        "Len(SHA512(\"a\")) == 128", "FNV(\"a\") == -5808556873153909620", "Len(XXH3(\"a\")) == 16",
        "Len(XXH128(\"a\")) == 32", "Hex(255) == \"00000000000000ff\"", "Hex(\"a\") == \"61\"",
        "Base64Encode(\"hi\") == \"aGk=\"", "Base64Decode(\"aGk=\") == \"hi\"",
        "Decode(\"aGk=\", \"base64\") == \"hi\"",
        /* times */
        "Now() > Unix(1700000000)", "UnixSeconds(start_time) == 1700000000",
        "UnixMilli(end_time) == 1700000001500", "UnixMicro(Unix(1, 5000)) == 1000005",
        "UnixNano(Unix(1, 5)) == 1000000005", "UnixSeconds(Unix(0, -1)) == -1",
        "Hours(Duration(\"90m\")) == 1.5", "Minutes(Duration(\"90s\")) == 1.5",
        "Seconds(Duration(\"1500ms\")) == 1.5", "Milliseconds(Duration(\"1.5s\")) == 1500",
        "Microseconds(Duration(\"1ms\")) == 1000", "Nanoseconds(Duration(\"1us\")) == 1000",
        "Time(\"2023-11-14T22:13:20Z\", \"%Y-%m-%dT%H:%M:%SZ\") == Unix(1700000000)",
        "Time(\"2023-11-15 00:13:20.25 +0200\", \"%Y-%m-%d %H:%M:%S.%f %z\") == Unix(1700000000, 250000000)",
        "FormatTime(start_time, \"%Y-%m-%d %H:%M:%S.%L\") == \"2023-11-14 22:13:20.000\"",
        "Year(start_time) == 2023", "Month(start_time) == 11", "Day(start_time) == 14",
        "Weekday(start_time) == 2", "Hour(start_time) == 22", "Minute(start_time) == 13",
        "Second(start_time) == 20", "Nanosecond(Unix(1, 7)) == 7",
        "TruncateTime(end_time, Duration(\"1s\")) == Unix(1700000001)",
        /* formats */
        "ParseJSON(attributes[\"json\"])[\"a\"][\"b\"][1] == \"x\"",
        "ParseJSON(attributes[\"json\"])[\"a\"][\"b\"][0] == 1",
        "ParseJSON(attributes[\"json\"])[\"n\"] == nil", "ParseJSON(\"[1]\")[0] == 1.0",
        "URL(attributes[\"url\"])[\"url.domain\"] == \"example.com\"",
        "URL(attributes[\"url\"])[\"url.port\"] == 8443",
        "URL(attributes[\"url\"])[\"url.path\"] == \"/a/b.html\"",
        "URL(attributes[\"url\"])[\"url.query\"] == \"q=1\"",
        "URL(attributes[\"url\"])[\"url.fragment\"] == \"top\"",
        "URL(attributes[\"url\"])[\"url.username\"] == \"u\"",
        "URL(attributes[\"url\"])[\"url.extension\"] == \"html\"",
        "URL(\"http://[::1]:80/\")[\"url.domain\"] == \"::1\"",
        "IsInCIDR(resource.attributes[\"host.ip\"], [\"192.168.0.0/16\", \"10.0.0.0/8\"])",
        "not IsInCIDR(\"11.0.0.1\", [\"10.0.0.0/8\"])", "IsInCIDR(\"2001:db8::1\", [\"2001:db8::/32\"])",
        "not IsInCIDR(\"x\", [\"10.0.0.0/8\"])", "not IsInCIDR(\"10.0.0.129\", [\"10.0.0.0/25\"])",
        "ParseInt(\"-ff\", 16) == -255", "ParseInt(\"-9223372036854775808\", 10) < 0",
        "ParseKeyValue(\"a=1 b=2\")[\"b\"] == \"2\"",
        "ParseKeyValue(\"a:1;b:2\", \":\", \";\") == {\"a\": \"1\", \"b\": \"2\"}",
        "ToKeyValueString({\"a\": 1, \"b\": \"x\"}) == \"a=1 b=x\"", NULL};
    check(texts, 't');
}

static void ottl_conditions_that_are_false(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "false", "not true", "true and false", "1 == \"1\"", "\"1\" < 2", "nil < 1", "nil != nil",
        "name == nil", "attributes[\"none\"] > 1", "[1] < [2]", "{\"a\": 1} == {\"a\": 2}",
        "{\"a\": 1} == {\"b\": 1}", "[1] == [1, 2]", "attributes[\"ok\"] == true",
        "trace_id == SpanID(0x0102030405060708)", "start_time == start_time_unix_nano", "Double(\"x\") == 1",
        "IsRootSpan() and name == \"x\"",
        /* and, or stop early: what follows would fail */
        "false and Len(1) == 1", "not (true or Len(1) == 1)", NULL};
    check(texts, 'f');
}

static void ottl_conditions_that_cannot_be_told(void **state)
{
    (void)state;
    static const char *const texts[] = {"Len(1) == 1",
                                        "HasPrefix(attributes[\"none\"], \"x\")",
                                        "Int(1)",
                                        "1 / 0 == 1",
                                        "1.0 / 0 == 1",
                                        "\"a\" + 1 == 2",
                                        "attributes[\"list\"][2] == 1",
                                        "attributes[\"list\"][-1] == 1",
                                        "attributes[\"url\"][\"x\"] == 1",
                                        "attributes[1] == 1",
                                        "Substring(name, 5, 9) == \"\"",
                                        "Duration(\"x\") == nil",
                                        "ParseJSON(\"{\") == nil",
                                        "ParseJSON(\"1\") == nil",
                                        "URL(\"\") == nil",
                                        "URL(\"http://a:b/\") == nil",
                                        "IsInCIDR(\"1.1.1.1\", [\"x\"])",
                                        "ParseInt(\"9223372036854775808\", 10) == 1",
                                        "ParseInt(\"8\", 8) == 1",
                                        "IsMatch(name, Concat([\"(\"], \"\"))",
                                        "Log(0) == 1",
                                        "Base64Decode(\"!\") == 1",
                                        "Time(\"x\", \"%Y\") == nil",
                                        "ConvertCase(\"a\", \"b\") == \"a\"",
                                        "Unix(9223372036854775807) == nil",
                                        "TraceID(\"01\") == nil",
                                        NULL};
    check(texts, 'e');
}

static void ottl_errors_name_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"name ==", "1:8: unexpected token \"<EOF>\""},
        {"name", "1:1: expected a comparison, a function or a bool"},
        {"name == \"x", "1:9: the string has no end"},
        {"name == \"\\q\"", "1:9: invalid escape in \"\\q\""},
        {"nme == \"x\"", "1:1: invalid path expression \"nme\""},
        {"span.nme == \"x\"", "1:1: invalid path expression \"span.nme\""},
        {"spanevent.name == \"x\"", "1:1: the context of the condition does not see the path"},
        {"true and Foo(1)", "1:10: undefined function \"Foo\" (with F there are: "},
        {"IsMatch(name)", "1:1: an argument is missing for \"IsMatch\""},
        {"IsMatch(name, \"a\", 1)", "1:20: too many arguments for \"IsMatch\""},
        {"IsMatch(name, nope=\"a\")", "1:15: too many arguments for \"IsMatch\""},
        {"IsMatch(name, target=\"a\")", "1:15: an argument is given twice to \"IsMatch\""},
        {"IsMatch(name, \"(\")", "1:15: invalid pattern"},
        {"kind == SPAN_KIND_NOPE", "1:9: enum symbol not found: \"SPAN_KIND_NOPE\""},
        {"name = \"a\"", "1:1: expected a comparison"},
        {"name == \"a\" name", "1:13: unexpected token \"name\""},
        {"(name == \"a\"", "1:13: expected ), not \"<EOF>\""},
        {"name == \"a\" == true", "1:13: unexpected token \"==\""},
        {"(1 == 1) + 1 == 2", "1:4: a condition cannot be an operand"},
        {"0x1 == 1", "1:1: bytes need an even number"},
        {"99999999999999999999 == 1", "1:1: the number is out of range"},
        {"name == #", "1:9: unexpected character"},
        {"true and", "1:9: unexpected token \"<EOF>\""},
        {"", "1:1: unexpected token \"<EOF>\""},
        {"{1: 2} == 1", "1:2: expected a key in quotes"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_error err;
        if (answer(cases[i].text, JG_OTTL_SPAN, true, &err) != 'p' || !strstr(err.message, cases[i].want))
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

static void ottl_infers_the_context(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        jg_ottl_context want;
    } cases[] = {{"resource.attributes[\"a\"] == 1", JG_OTTL_RESOURCE},
                 {"scope.name == \"a\" or resource.schema_url == \"\"", JG_OTTL_SCOPE},
                 {"resource.schema_url == \"\" and span.name == \"\"", JG_OTTL_SPAN},
                 {"IsRootSpan()", JG_OTTL_SPAN},
                 {"IsMatch(spanevent.name, \"a\") and span.kind == 1", JG_OTTL_SPANEVENT}};
    jg_ottl *condition;
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        assert_ok(jg_ottl_parse(jg_str(cases[i].text), JG_OTTL_INFER, false, &condition, NULL));
        assert_int_equal(jg_ottl_context_of(condition), cases[i].want);
        jg_ottl_free(condition);
    }
    assert_int_equal(jg_ottl_parse(JAEGER_STR("name == \"\""), JG_OTTL_INFER, false, &condition, NULL),
                     JAEGER_INVALID_ARGUMENT);
    assert_int_equal(jg_ottl_parse(JAEGER_STR("true"), JG_OTTL_INFER, false, &condition, NULL),
                     JAEGER_INVALID_ARGUMENT);
    assert_int_equal(jg_ottl_parse(JAEGER_STR("IsRootSpan()"), JG_OTTL_RESOURCE, true, &condition, NULL),
                     JAEGER_INVALID_ARGUMENT);
}

static void ottl_reads_events(void **state)
{
    (void)state;
    static const char *const texts[] = {"name == \"exception\"",
                                        "attributes[\"type\"] == \"IOError\"",
                                        "time_unix_nano == 1700000000000000001",
                                        "time > span.start_time",
                                        "event_index == 0",
                                        "dropped_attributes_count == 0",
                                        "span.name == \"GET /cart\"",
                                        "spanevent.name == \"exception\"",
                                        NULL};
    for (const char *const *text = texts; *text; text++) {
        jaeger_error err;
        if (answer(*text, JG_OTTL_SPANEVENT, true, &err) != 't')
            fail_msg("%s: %s", *text, err.message);
    }
}

static void ottl_bounds_depth_and_size(void **state)
{
    (void)state;
    static char text[40000];
    jg_ottl *condition;
    size_t n = 0;
    memset(text, '(', 200);
    memcpy(text + 200, "true", 5);
    assert_int_equal(jg_ottl_parse(jg_str(text), JG_OTTL_SPAN, true, &condition, NULL),
                     JAEGER_INVALID_ARGUMENT);
    n = (size_t)snprintf(text, sizeof text, "1 == 1");
    for (int i = 0; i < 200; i++) /* a long sum is deep */
        n += (size_t)snprintf(text + n, sizeof text - n, "+1");
    assert_int_equal(jg_ottl_parse(jg_str(text), JG_OTTL_SPAN, true, &condition, NULL),
                     JAEGER_INVALID_ARGUMENT);
    n = (size_t)snprintf(text, sizeof text, "true");
    for (int i = 0; i < 1500; i++) /* a long chain is not */
        n += (size_t)snprintf(text + n, sizeof text - n, " and true");
    assert_ok(jg_ottl_parse(jg_str(text), JG_OTTL_SPAN, true, &condition, NULL));
    jg_ottl_free(condition);
    memset(text, ' ', sizeof text - 1);
    assert_int_equal(jg_ottl_parse(jg_str(text), JG_OTTL_SPAN, true, &condition, NULL),
                     JAEGER_INVALID_ARGUMENT);
}

static void ottl_survives_lack_of_memory(void **state)
{
    (void)state;
    const char *text = "IsMatch(Concat([name, \"x\"], \"-\"), \"zz\") or "
                       "ParseJSON(attributes[\"json\"])[\"a\"] == {\"b\": 1}";
    for (long n = 0;; n++) {
        jaeger_error err;
        jaeger_arena *fresh = jaeger_arena_new(1 << 20), *old = arena;
        arena = fresh;
        jg_alloc_fail_after(n);
        char got = answer(text, JG_OTTL_SPAN, true, &err);
        jg_alloc_fail_after(-1);
        arena = old;
        jaeger_arena_free(fresh);
        if (got == 'f')
            break;
        assert_true(n < 1000 && (got == 'p' || got == 'e'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ottl_functions_answer_as_the_collectors),
        cmocka_unit_test(ottl_conditions_that_are_true),
        cmocka_unit_test(ottl_conditions_that_are_false),
        cmocka_unit_test(ottl_conditions_that_cannot_be_told),
        cmocka_unit_test(ottl_errors_name_the_column),
        cmocka_unit_test(ottl_infers_the_context),
        cmocka_unit_test(ottl_reads_events),
        cmocka_unit_test(ottl_bounds_depth_and_size),
        cmocka_unit_test(ottl_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
