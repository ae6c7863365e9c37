/* SPDX-License-Identifier: Apache-2.0
 * Documents, names and templates: what we write is what Go Jaeger writes, what it wrote is read.
 */
#include "storage/opensearch/span_read.h"
#include "storage/opensearch/span_write.h"
#include "storage/opensearch/templates.h"

#include "core/str.h"
#include "model/batch.h"
#include "support/test.h"
#include <jaeger/storage.h>
#include <stdio.h>

#define START 1795384530000000000ull

static jg_os_tag_choice choice_of(bool all, const char *include)
{
    jg_os_tag_choice choice;
    const jg_os_tags_config config = {
        .all = all, .dot_replacement = JAEGER_STR("@"), .include = jg_str(include)};
    assert_ok(jg_os_tag_choice_init(&choice, &config, NULL));
    return choice;
}

/** The document of the first span. */
static jg_buf document_of(const jaeger_batch *batch, const jg_os_tag_choice *choice, bool nested_only)
{
    jg_buf out = JG_BUF_INIT(1u << 20);
    jg_os_span_writer *w = jg_os_span_writer_new(choice);
    assert_non_null(w);
    w->nested_only = nested_only;
    jg_os_put_span(w, &out, jaeger_batch_spans(batch));
    jg_os_span_writer_free(w);
    assert_true(jg_buf_ok(&out));
    return out;
}

static jaeger_batch *batch_of(jaeger_builder *b)
{
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static jaeger_builder *begin_span(const char *service, bool has_parent)
{
    jaeger_builder *b = jaeger_builder_new(1u << 20);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), jg_str(service));
    jaeger_builder_attr_str(b, JAEGER_STR("host.name"), JAEGER_STR("h"));
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1"), (jaeger_str){0});
    jaeger_span_start start = {.trace_id = {0x5b, 0x8e, [15] = 0x0c},
                               .span_id = {0xee, [7] = 0x74},
                               .name = JAEGER_STR("op<A>"),
                               .kind = JAEGER_KIND_SERVER,
                               .flags = 1,
                               .start_unix_ns = START,
                               .end_unix_ns = START + 500000999};
    if (has_parent)
        start.parent_span_id[7] = 9;
    jaeger_builder_span(b, &start);
    return b;
}

static jaeger_batch *rich(void)
{
    jaeger_builder *b = begin_span("svcA", true);
    jaeger_builder_attr_int(b, JAEGER_STR("n"), 42);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 1.5);
    jaeger_builder_attr_bool(b, JAEGER_STR("b"), false);
    jaeger_builder_attr_bytes(b, JAEGER_STR("raw"), JAEGER_STR("\x01\xff"));
    jaeger_builder_attr_str(b, JAEGER_STR("http.url"), JAEGER_STR("/\"x\""));
    jaeger_builder_event(b, START + 1000, JAEGER_STR("ev"));
    jaeger_builder_attr_int(b, JAEGER_STR("k"), -1);
    jaeger_builder_event(b, START, (jaeger_str){0});
    jaeger_builder_link(b, (const uint8_t[16]){1}, (const uint8_t[8]){2}, (jaeger_str){0}, 0);
    jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR("bad"));
    return batch_of(b);
}

static void a_span_is_written_in_jaegers_layout(void **state)
{
    (void)state;
    static const char want[] =
        "{\"traceID\":\"5b8e000000000000000000000000000c\",\"spanID\":\"ee00000000000074\",\"parentSpanID\":"
        "\"0000000000000009\",\"flags\":1,\"operationName\":\"op\\u003cA\\u003e\",\"references\":[{"
        "\"refType\":"
        "\"CHILD_OF\",\"traceID\":\"5b8e000000000000000000000000000c\",\"spanID\":\"0000000000000009\"},{"
        "\"refType\":"
        "\"FOLLOWS_FROM\",\"traceID\":\"01000000000000000000000000000000\",\"spanID\":\"0200000000000000\"}],"
        "\"startTime\":1795384530000000,\"startTimeMillis\":1795384530000,\"duration\":500000,\"tags\":[{"
        "\"key\":"
        "\"otel.scope.name\",\"type\":\"string\",\"value\":\"lib\"},{\"key\":\"otel.scope.version\",\"type\":"
        "\"string\",\"value\":\"1\"},{\"key\":\"n\",\"type\":\"int64\",\"value\":42},{\"key\":\"d\",\"type\":"
        "\"float64\",\"value\":1.5},{\"key\":\"b\",\"type\":\"bool\",\"value\":false},{\"key\":\"raw\","
        "\"type\":"
        "\"binary\",\"value\":\"01ff\"},{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":"
        "\"bad\"}],"
        "\"tag\":{\"error\":true,\"http@url\":\"/"
        "\\\"x\\\"\",\"span@kind\":\"server\"},\"logs\":[{\"timestamp\":"
        "1795384530000001,\"fields\":[{\"key\":\"event\",\"type\":\"string\",\"value\":\"ev\"},{\"key\":"
        "\"k\",\"type\":"
        "\"int64\",\"value\":-1}]},{\"timestamp\":1795384530000000,\"fields\":[]}],\"process\":{"
        "\"serviceName\":"
        "\"svcA\",\"tags\":[{\"key\":\"host.name\",\"type\":\"string\",\"value\":\"h\"}]}}";
    jg_os_tag_choice choice = choice_of(false, "http.url, no.such");
    JG_AUTO_BATCH jaeger_batch *batch = rich();
    jg_buf out JG_CLEANUP(jg_buf_done) = document_of(batch, &choice, false);
    char id[JG_OS_ID_BYTES];
    jg_buf_byte(&out, 0);
    assert_string_equal((const char *)out.data, want);
    assert_str(jg_os_span_id(id, jaeger_batch_spans(batch)),
               "5b8e000000000000000000000000000c_ee00000000000074_");
    jg_os_tag_choice_done(&choice);
}

/** Ids and documents from Go Jaeger's golden files. */
static void a_service_has_the_id_that_jaeger_gives_it(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1024);
    assert_true(jg_os_service_hash(JAEGER_STR("test-service"), JAEGER_STR("test-operation")) ==
                0xcb42af354c445afbull);
    jg_os_put_service(&out, JAEGER_STR("test-service"), JAEGER_STR("test-operation"));
    assert_str(jg_buf_view(&out), "{\"serviceName\":\"test-service\",\"operationName\":\"test-operation\"}");
}

static bool has(const jg_buf *document, const char *text)
{
    return memmem(document->data, document->len, text, strlen(text)) != NULL;
}

static void names_that_a_cluster_refuses_stay_nested(void **state)
{
    (void)state;
    static char longest[300];
    memset(longest, 'k', sizeof longest);
    jg_os_tag_choice choice = choice_of(true, "");
    jaeger_builder *b = begin_span("svc", false);
    jaeger_builder_attr_str(b, JAEGER_STR(""), JAEGER_STR("v"));
    jaeger_builder_attr_str(b, JAEGER_STR("  "), JAEGER_STR("v"));
    jaeger_builder_attr_str(b, JAEGER_STR("a\nb"), JAEGER_STR("v"));
    jaeger_builder_attr_str(b, (jaeger_str){longest, sizeof longest}, JAEGER_STR("v"));
    jaeger_builder_attr_str(b, JAEGER_STR("a.b"), JAEGER_STR("first"));
    jaeger_builder_attr_str(b, JAEGER_STR("a@b"), JAEGER_STR("last"));
    JG_AUTO_BATCH jaeger_batch *batch = batch_of(b);
    jg_buf out JG_CLEANUP(jg_buf_done) = document_of(batch, &choice, false);
    assert_true(has(&out, "{\"key\":\"\",") && has(&out, "{\"key\":\"  \",") &&
                has(&out, "{\"key\":\"a\\nb\","));
    assert_true(has(&out, "{\"key\":\"kkk"));
    assert_true(has(&out, "\"a@b\":\"last\"") && !has(&out, "first"));
    jg_buf nested JG_CLEANUP(jg_buf_done) = document_of(batch, &choice, true);
    assert_true(!has(&nested, "\"tag\":{") && has(&nested, "\"first\"") && has(&nested, "\"last\""));
    jg_os_tag_choice_done(&choice);
}

static void fields_are_bounded(void **state)
{
    (void)state;
    jg_os_tag_choice choice = choice_of(true, "");
    jaeger_builder *b = begin_span("svc", false);
    for (int i = 0; i < 1000; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        jaeger_builder_attr_int(b, jg_str(key), i);
    }
    JG_AUTO_BATCH jaeger_batch *batch = batch_of(b);
    jg_buf out JG_CLEANUP(jg_buf_done) = document_of(batch, &choice, false);
    assert_true(has(&out, "\"key1\":1") &&
                has(&out, "{\"key\":\"key999\",\"type\":\"int64\",\"value\":999}"));
    jg_os_tag_choice_done(&choice);
}

/* ---- reading ---- */

static jaeger_batch *read_one(const char *json, jaeger_error *err)
{
    jg_os_span_reader r;
    jaeger_batch *batch = NULL;
    jg_json_in in = jg_json_in_of(jg_str(json));
    jg_os_span_reader_init(&r, JAEGER_STR("@"));
    bool ok = jg_os_read_span(&r, &in);
    if (!ok)
        (void)jaeger_fail(err, JAEGER_INTERNAL, "%s", in.fault ? in.fault : "");
    else
        assert_ok(jg_os_span_reader_take(&r, &batch, NULL));
    jg_os_span_reader_done(&r);
    return batch;
}

static void assert_attr(jaeger_iter attrs, const char *key, const char *text)
{
    jaeger_attr attr;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(4096);
    if (!jaeger_find_attr(attrs, jg_str(key), &attr))
        fail_msg("no attribute %s", key);
    if (attr.value.type == JAEGER_VALUE_STRING)
        jg_buf_str(&out, attr.value.u.s);
    else if (attr.value.type == JAEGER_VALUE_INT)
        jg_buf_printf(&out, "int %lld", (long long)attr.value.u.i);
    else if (attr.value.type == JAEGER_VALUE_DOUBLE)
        jg_buf_printf(&out, "double %g", attr.value.u.d);
    else if (attr.value.type == JAEGER_VALUE_BOOL)
        jg_buf_printf(&out, "bool %d", attr.value.u.b);
    else if (attr.value.type == JAEGER_VALUE_BYTES)
        jg_buf_printf(&out, "bytes %zu", attr.value.u.s.len);
    assert_str(jg_buf_view(&out), text);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    jg_os_tag_choice choice = choice_of(true, "");
    JG_AUTO_BATCH jaeger_batch *batch = rich();
    jg_buf out JG_CLEANUP(jg_buf_done) = document_of(batch, &choice, false);
    jg_buf_byte(&out, 0);
    JG_AUTO_BATCH jaeger_batch *again = read_one((const char *)out.data, NULL);
    assert_non_null(again);
    const jaeger_span *s = jaeger_batch_spans(again), *want = jaeger_batch_spans(batch);
    jaeger_span_rest rest;
    jaeger_scope scope;
    jaeger_span_read_rest(s, &rest);
    jaeger_scope_read(s->group, &scope);
    assert_memory_equal(s->trace_id, want->trace_id, 16);
    assert_memory_equal(s->parent_span_id, want->parent_span_id, 8);
    assert_int_equal(s->flags, 1);
    assert_int_equal(s->kind, JAEGER_KIND_SERVER);
    assert_int_equal(s->status_code, JAEGER_STATUS_ERROR);
    assert_str(rest.status_message, "bad");
    assert_str(scope.name, "lib");
    assert_str(s->group->service, "svcA");
    assert_true(s->start_unix_ns == START && s->end_unix_ns == START + 500000000);
    assert_attr(jaeger_span_attrs(s), "n", "int 42");
    assert_attr(jaeger_span_attrs(s), "d", "double 1.5");
    assert_attr(jaeger_span_attrs(s), "raw", "bytes 2");
    assert_attr(jaeger_span_attrs(s), "http.url", "/\"x\"");
    assert_attr(jaeger_resource_attrs(s->group), "host.name", "h");
    jg_os_tag_choice_done(&choice);
}

static void unusual_types_are_read_as_what_they_say(void **state)
{
    (void)state;
    static const char json[] =
        "{\"traceID\":\"1f\",\"spanID\":\"2\",\"operationName\":7,\"startTime\":\"1000\",\"duration\":2.0,"
        "\"flags\":null,"
        "\"references\":[{\"refType\":\"CHILD_OF\",\"traceID\":\"1f\",\"spanID\":\"3\"},{\"traceID\":\"zz\"},"
        "5],\"x\":{},"
        "\"tags\":[{\"key\":\"a\",\"type\":\"int64\",\"value\":\"12\"},{\"key\":\"b\",\"type\":\"bool\","
        "\"value\":\"true\"},"
        "{\"key\":\"c\",\"type\":\"float64\",\"value\":3},{\"key\":\"d\",\"type\":\"string\",\"value\":5},"
        "{\"key\":\"e\",\"type\":\"binary\",\"value\":\"0\"},{\"key\":\"f\",\"type\":\"odd\",\"value\":[1]},"
        "7],"
        "\"tag\":{\"http@status\":404,\"ratio\":0.5,\"list\":[1,2],\"nul\":null},"
        "\"logs\":[{\"timestamp\":1000,\"fields\":[{\"key\":\"event\",\"type\":\"int64\",\"value\":1}]}],"
        "\"process\":{\"serviceName\":\"s\",\"tags\":null,\"tag\":{\"p@q\":true}}}";
    jaeger_error err = {0};
    JG_AUTO_BATCH jaeger_batch *batch = read_one(json, &err);
    if (!batch)
        fail_msg("%s", err.message);
    const jaeger_span *s = jaeger_batch_spans(batch);
    jaeger_event event;
    jaeger_iter attrs = jaeger_span_attrs(s), events = jaeger_span_events(s);
    assert_int_equal(s->trace_id[15], 0x1f);
    assert_int_equal(s->parent_span_id[7], 3);
    assert_str(s->name, "7");
    assert_true(s->start_unix_ns == 1000000 && s->end_unix_ns == 1002000);
    assert_attr(attrs, "a", "int 12");
    assert_attr(attrs, "b", "bool 1");
    assert_attr(attrs, "c", "double 3");
    assert_attr(attrs, "d", "invalid string type in 5");
    assert_attr(attrs, "e", "invalid binary type in 0");
    assert_attr(attrs, "f", "invalid odd type in [1]");
    assert_attr(attrs, "http.status", "int 404");
    assert_attr(attrs, "ratio", "double 0.5");
    assert_attr(attrs, "list", "[1,2]");
    assert_attr(jaeger_resource_attrs(s->group), "p.q", "bool 1");
    assert_true(jaeger_next_event(&events, &event));
    assert_int_equal(event.name.len, 0);
    assert_attr(jaeger_event_attrs(&event), "event", "int 1");
}

static void what_is_no_span_is_a_fault(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}",
                                        "{\"traceID\":\"x\",\"spanID\":\"1\"}",
                                        "{\"traceID\":\"1\"}",
                                        "{\"traceID\":1e5,\"spanID\":\"1\",",
                                        "[]",
                                        ""};
    for (size_t i = 0; i < JG_COUNT(texts); i++)
        assert_null(read_one(texts[i], NULL));
}

/* ---- names ---- */

static void set_defaults(jg_os_indices_config *config)
{
    memset(config, 0, sizeof *config);
    for (int kind = 0; kind < JG_OS_KINDS; kind++)
        config->kinds[kind].shards = 5, config->kinds[kind].replicas = 1;
}

#define DAY  (86400ull * 1000000000u)
#define JAN2 (1577923200ull * 1000000000u) /* 2020-01-02T00:00:00Z */

static void indices_are_named_by_their_period(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *layout, *frequency;
        uint64_t start, end;
        const char *write, *read, *json;
    } rows[] = {
        {"", "", "", JAN2, JAN2 + DAY, "jaeger-span-2020-01-02",
         "jaeger-span-2020-01-03,jaeger-span-2020-01-02",
         "[\"jaeger-span-2020-01-03\",\"jaeger-span-2020-01-02\"]"},
        {"p", "2006.01.02", "", JAN2, JAN2, "p-jaeger-span-2020.01.02", "p-jaeger-span-2020.01.02",
         "\"p-jaeger-span-2020.01.02\""},
        {"p-", "2006-01-02-15", "hour", JAN2, JAN2 + 3601 * 1000000000ull, "p-jaeger-span-2020-01-02-00",
         "p-jaeger-span-2020-01-02-01,p-jaeger-span-2020-01-02-00",
         "[\"p-jaeger-span-2020-01-02-01\",\"p-jaeger-span-2020-01-02-00\"]"},
        {"", "", "", 0, JAN2, "jaeger-span-1970-01-01", "jaeger-span-2*", "\"jaeger-span-2*\""},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_os_indices_config config;
        jg_os_index index;
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(65536), json = JG_BUF_INIT(65536);
        set_defaults(&config);
        config.index_prefix = jg_str(rows[i].prefix);
        config.kinds[0].date_layout = jg_str(rows[i].layout);
        config.kinds[0].rollover_frequency = jg_str(rows[i].frequency);
        assert_ok(jg_os_index_init(&index, &config, JG_OS_SPANS, NULL));
        jg_os_put_write_index(&out, &index, rows[i].start);
        assert_str(jg_buf_view(&out), rows[i].write);
        jg_buf_clear(&out);
        jg_os_put_read_indices(&out, &index, rows[i].start, rows[i].end, NULL, JG_OS_LIST_PATH);
        assert_str(jg_buf_view(&out), rows[i].read);
        jg_os_put_read_indices(&json, &index, rows[i].start, rows[i].end, NULL, JG_OS_LIST_JSON);
        assert_str(jg_buf_view(&json), rows[i].json);
    }
}

static void aliases_and_remote_clusters_are_named(void **state)
{
    (void)state;
    jg_os_indices_config config;
    jg_os_index index;
    jaeger_str names[] = {JAEGER_STR("one"), JAEGER_STR("two")};
    const jaeger_str_list remotes = {names, 2};
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(65536);
    set_defaults(&config);
    config.index_prefix = JAEGER_STR("p");
    config.kinds[0].rotation.manual_rollover =
        (jg_os_alias_config){.enabled = true, .write_alias = JAEGER_STR("w")};
    assert_ok(jg_os_index_init(&index, &config, JG_OS_SPANS, NULL));
    jg_os_put_write_index(&out, &index, JAN2);
    jg_buf_byte(&out, ' ');
    jg_os_put_read_indices(&out, &index, 0, JAN2, &remotes, JG_OS_LIST_PATH);
    assert_str(jg_buf_view(&out), "w p-jaeger-span-read,one:p-jaeger-span-read,two:p-jaeger-span-read");
}

static void sections_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"cannot be the name",     "only one of",
                                        "rotation cannot be set", "shards must",
                                        "expected day or hour",   "date_layout"};
    for (size_t i = 0; i < JG_COUNT(texts); i++) {
        jg_os_indices_config config;
        jg_os_index index;
        jaeger_error err = {0};
        set_defaults(&config);
        jg_os_index_config *spans = &config.kinds[0];
        if (i == 0)
            config.index_prefix = JAEGER_STR("Upper");
        else if (i == 1)
            spans->rotation.manual_rollover.enabled = spans->rotation.auto_rollover.enabled = true;
        else if (i == 2)
            spans->rotation.periodic.enabled = true, spans->date_layout = JAEGER_STR("2006");
        else if (i == 3)
            spans->shards = 0;
        else if (i == 4)
            spans->rollover_frequency = JAEGER_STR("week");
        else
            spans->date_layout = JAEGER_STR("2006/01");
        assert_int_equal(jg_os_index_init(&index, &config, JG_OS_SPANS, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, texts[i]))
            fail_msg("%s", err.message);
    }
}

static void templates_have_the_form_of_the_version(void **state)
{
    (void)state;
    const jg_os_template legacy = {.kind = JG_OS_SPANS,
                                   .index_prefix = JAEGER_STR("p"),
                                   .shards = 3,
                                   .replicas = 2,
                                   .version = {true, 2}};
    jg_os_template composable = legacy;
    JG_AUTO_BUF jg_buf a = JG_BUF_INIT(65536), b = JG_BUF_INIT(65536);
    composable.version = (jg_os_version){false, 8};
    composable.use_ilm = true;
    composable.policy = JAEGER_STR("pol");
    composable.priority = 7;
    jg_os_put_template(&a, &legacy);
    jg_os_put_template(&b, &composable);
    assert_true(
        has(&a, "{\"index_patterns\":\"*p-jaeger-span-*\",\"settings\":{\"index.number_of_shards\":3"));
    assert_true(has(&b, "{\"index_patterns\":\"p-jaeger-span-*\",\"priority\":7,\"template\":{\"aliases\":"
                        "{\"p-jaeger-span-read\":{}}"));
    assert_true(has(&b, "\"lifecycle\":{\"name\":\"pol\",\"rollover_alias\":\"p-jaeger-span-write\"}"));
    for (int i = 0; i < 2; i++) {
        jg_json_in in = jg_json_in_of(jg_buf_view(i ? &b : &a));
        assert_true(jg_json_in_skip(&in) && jg_json_in_end(&in));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_written_in_jaegers_layout),
        cmocka_unit_test(a_service_has_the_id_that_jaeger_gives_it),
        cmocka_unit_test(names_that_a_cluster_refuses_stay_nested),
        cmocka_unit_test(fields_are_bounded),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(unusual_types_are_read_as_what_they_say),
        cmocka_unit_test(what_is_no_span_is_a_fault),
        cmocka_unit_test(indices_are_named_by_their_period),
        cmocka_unit_test(aliases_and_remote_clusters_are_named),
        cmocka_unit_test(sections_that_cannot_be_are_refused),
        cmocka_unit_test(templates_have_the_form_of_the_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
