/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/str.h"
#include "model/value_text.h"
#include "core/regex.h"
#include "support/test.h"
#include <jaeger/component.h>
#include <stdio.h>
#include <stdlib.h>

extern const jaeger_component_type jg_processor_attributes;

static char seen[4096];

static const char letters[] = "esbidamy";

/* Attributes of the last span as "key=type:text;". */
static jaeger_status record(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    (void)call;
    jg_buf out = JG_BUF_INIT(sizeof seen);
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++) {
        jaeger_iter it = jaeger_span_attrs(&jaeger_batch_spans(take)[i]);
        for (jaeger_attr attr; jaeger_next_attr(&it, &attr);) {
            jg_buf_printf(&out, "%.*s=%c:", JAEGER_STR_ARGS(attr.key), letters[attr.value.type]);
            jg_value_text(&out, &attr.value);
            jg_buf_byte(&out, ';');
        }
        jg_buf_byte(&out, '|');
    }
    (void)snprintf(seen, sizeof seen, "%.*s", JAEGER_STR_ARGS(jg_buf_view(&out)));
    jg_buf_done(&out);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_batch *make_batch(void)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_batch *batch;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_attr_int(b, JAEGER_STR("pid"), 7);
    jaeger_builder_scope(b, JAEGER_STR("lib"), JAEGER_STR("1.0"), JAEGER_STR(""));
    jaeger_span_start span = {.trace_id = {1}, .span_id = {1}, .name = JAEGER_STR("GET /a"), .kind = 2};
    jaeger_builder_span(b, &span);
    jaeger_builder_attr_str(b, JAEGER_STR("url"), JAEGER_STR("http://h/p?q=1"));
    jaeger_builder_attr_int(b, JAEGER_STR("code"), 200);
    jaeger_builder_attr_bool(b, JAEGER_STR("ok"), true);
    span.span_id[0] = 2;
    span.name = JAEGER_STR("child");
    span.kind = 3;
    jaeger_builder_span(b, &span);
    jaeger_builder_attr_double(b, JAEGER_STR("d"), 1.5);
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static jaeger_status open(const char *yaml, void **config, jaeger_config **root, jaeger_error *err)
{
    *config = calloc(1, jg_processor_attributes.config_size);
    assert_ok(jaeger_config_parse(jg_str(yaml), "attributes.yaml", root, err));
    jaeger_status status = jaeger_config_bind(*root, jg_processor_attributes.fields, *config, err);
    return status == JAEGER_OK ? jg_processor_attributes.validate(*config, *root, err) : status;
}

static void run(const char *yaml)
{
    static const jaeger_pair metadata[] = {{{"team", 4}, {"a", 1}}, {{"team", 4}, {"b", 1}}};
    void *config, *self = calloc(1, jg_processor_attributes.state_size);
    jaeger_config *root;
    jaeger_error err = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    call.metadata = metadata;
    call.metadata_count = JG_COUNT(metadata);
    if (open(yaml, &config, &root, &err) != JAEGER_OK)
        fail_msg("%s: %s", yaml, err.message);
    jaeger_component_create in = {
        .size = sizeof in, .id = "attributes", .config = config, .next = {record, NULL}};
    assert_ok(jg_processor_attributes.create(self, &in, &err));
    jaeger_batch *batch = make_batch(), *shared = jaeger_batch_ref(batch);
    assert_ok(jg_processor_attributes.consume(self, batch, &call));
    jaeger_attr attr; /* the shared batch is as it was */
    assert_true(
        jaeger_find_attr(jaeger_span_attrs(&jaeger_batch_spans(shared)[0]), JAEGER_STR("code"), &attr));
    assert_int_equal(attr.value.u.i, 200);
    jaeger_batch_unref(shared);
    jg_processor_attributes.destroy(self);
    jaeger_config_free(root);
    free(config);
    free(self);
}

#define FIRST  "url=s:http://h/p?q=1;code=i:200;ok=b:true;"
#define SECOND "|d=d:1.5;"

static void attributes_do_what_the_actions_say(void **state)
{
    (void)state;
    static const struct {
        const char *actions, *want;
    } cases[] = {
        {"{key: new, action: insert, value: 5}", FIRST "new=i:5;" SECOND "new=i:5;|"},
        {"{key: code, action: insert, value: x}", FIRST SECOND "code=s:x;|"},
        {"{key: code, action: update, value: '5'}", "url=s:http://h/p?q=1;code=s:5;ok=b:true;" SECOND "|"},
        {"{key: code, action: UPSERT, value: 1.5}",
         "url=s:http://h/p?q=1;code=d:1.5;ok=b:true;" SECOND "code=d:1.5;|"},
        {"{key: copy, action: upsert, from_attribute: ok}", FIRST "copy=b:true;" SECOND "|"},
        {"{key: copy, action: upsert, from_attribute: ok, default_value: none}",
         FIRST "copy=b:true;" SECOND "copy=s:none;|"},
        {"{key: t, action: insert, from_context: metadata.Team}", FIRST "t=s:a;b;" SECOND "t=s:a;b;|"},
        {"{key: t, action: insert, from_context: nope}", FIRST SECOND "|"},
        {"{key: code, action: delete}", "url=s:http://h/p?q=1;ok=b:true;" SECOND "|"},
        {"{pattern: '^(u|o)', action: delete}", "code=i:200;" SECOND "|"},
        {"{key: d, pattern: '^.{2}$', action: delete}", "url=s:http://h/p?q=1;code=i:200;||"},
        {"{key: ok, action: hash}",
         "url=s:http://h/p?q=1;code=i:200;"
         "ok=s:4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a;" SECOND "|"},
        {"{key: code, action: hash}",
         "url=s:http://h/"
         "p?q=1;code=s:ca8923d6c4447d6fa6d0540cafff01f647f2bbfe8f19939686ce6fa7b0daee28;ok=b:true;" SECOND
         "|"},
        {"{key: url, action: extract, pattern: '^(?P<scheme>\\w+)://(?:x|(?P<host>[^/]+))/(?P<none>z)?'}",
         FIRST "scheme=s:http;host=s:h;none=s:;" SECOND "|"},
        {"{key: code, action: convert, converted_type: string}",
         "url=s:http://h/p?q=1;code=s:200;ok=b:true;" SECOND "|"},
        {"{key: d, action: convert, converted_type: int}", FIRST "|d=i:1;|"},
        {"{key: url, action: convert, converted_type: double}", FIRST SECOND "|"},
        {"{key: a, action: insert, value: 1}, {key: b, action: insert, from_attribute: a}, {key: a, action: "
         "delete}",
         FIRST "b=i:1;" SECOND "b=i:1;|"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml, "{actions: [%s]}", cases[i].actions);
        run(yaml);
        if (strcmp(seen, cases[i].want) != 0)
            fail_msg("%s\ngot:  %s\nwant: %s", yaml, seen, cases[i].want);
    }
}

static void attributes_choose_spans_by_include_and_exclude(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        bool first, second;
    } cases[] = {
        {"include: {match_type: strict, services: [x, shop]}", true, true},
        {"include: {match_type: strict, services: [x]}", false, false},
        {"include: {match_type: strict, span_names: [child]}", false, true},
        {"include: {match_type: regexp, span_names: ['^GET']}", true, false},
        {"include: {match_type: strict, span_kinds: [SPAN_KIND_CLIENT]}", false, true},
        {"include: {match_type: strict, attributes: [{key: code, value: 200}]}", true, false},
        {"include: {match_type: strict, attributes: [{key: code, value: '200'}]}", false, false},
        {"include: {match_type: strict, attributes: [{key: code}, {key: ok, value: true}]}", true, false},
        {"include: {match_type: strict, attributes: [{key: code}, {key: d}]}", false, false},
        {"include: {match_type: regexp, attributes: [{key: code, value: '^2\\d\\d$'}]}", true, false},
        {"include: {match_type: strict, resources: [{key: pid, value: 7}]}", true, true},
        {"include: {match_type: strict, libraries: [{name: lib, version: '1.0'}]}", true, true},
        {"include: {match_type: strict, libraries: [{name: lib, version: '2.0'}]}", false, false},
        {"include: {match_type: strict, services: [shop], span_names: [child]}", false, true},
        {"exclude: {match_type: strict, span_names: [child]}", true, false},
        {"include: {match_type: strict, services: [shop]}, exclude: {match_type: regexp, span_names: [a]}",
         false, true},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        char yaml[512], want[512];
        (void)snprintf(yaml, sizeof yaml, "{actions: [{key: n, action: insert, value: 1}], %s}",
                       cases[i].block);
        (void)snprintf(want, sizeof want, FIRST "%s" SECOND "%s|", cases[i].first ? "n=i:1;" : "",
                       cases[i].second ? "n=i:1;" : "");
        run(yaml);
        if (strcmp(seen, want) != 0)
            fail_msg("%s\ngot:  %s\nwant: %s", yaml, seen, want);
    }
}

static void attributes_refuse_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"{}", "missing required field \"actions\""},
        {"{actions: [{key: a}]}", "missing required field \"action\""},
        {"{actions: [{key: a, action: insert, value: 1}, {key: a, action: burn}]}",
         "unsupported action for action \"burn\" at the 1-th action"},
        {"{actions: [{action: delete}]}", "missing required field \"key\""},
        {"{actions: [{key: a, action: insert}]}", "either field \"value\""},
        {"{actions: [{key: a, action: insert, value: 1, from_attribute: b}]}", "only one of"},
        {"{actions: [{key: a, action: delete, value: 1}]}", "does not use \"value\""},
        {"{actions: [{key: a, action: extract}]}", "missing required field \"pattern\""},
        {"{actions: [{key: a, action: extract, pattern: '(x)'}]}", "at least one unnamed matcher group"},
        {"{actions: [{key: a, action: extract, pattern: 'x'}]}", "no named matcher groups"},
        {"{actions: [{key: a, action: delete, pattern: '('}]}", "invalid pattern"},
        {"{actions: [{key: a, action: convert}]}", "missing required field \"converted_type\""},
        {"{actions: [{key: a, action: convert, converted_type: float}]}",
         "invalid value in field \"converted_type\""},
        {"{actions: [{key: a, action: delete}], include: {services: [a]}}",
         "include: error unrecognized match_type"},
        {"{actions: [{key: a, action: delete}], include: {match_type: strict}}", "must be specified"},
        {"{actions: [{key: a, action: delete}], exclude: {match_type: regexp, services: ['[']}}",
         "exclude: invalid pattern \"[\""},
        {"{actions: [{key: a, acton: delete}]}", "has invalid keys: acton"},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        void *config;
        jaeger_config *root;
        jaeger_error err = {0};
        assert_int_equal(open(cases[i].yaml, &config, &root, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].want))
            fail_msg("%s\ngot:  %s\nwant: %s", cases[i].yaml, err.message, cases[i].want);
        jaeger_config_free(root);
        free(config);
    }
}

static void regex_reads_re2(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool want;
    } cases[] = {
        {"^\\d+$", "123", true},
        {"^\\d+$", "12a", false},
        {"\\bfoo\\b", "a foo b", true},
        {"\\bfoo\\b", "afoo", false},
        {"^[\\w.-]+$", "a.b-c_1", true},
        {"^[\\w.-]+$", "a b", false},
        {"^[^\\s]+$", "a b", false},
        {"\\D", "123", false},
        {"(?i)HELLO", "hello", true},
        {"HELLO", "hello", false},
        {"a.c", "a\nc", false},
        {"(?s)a.c", "a\nc", true},
        {"^(?:a|b)+$", "abab", true},
        {"\\Aab\\z", "ab", true},
        {"\\Aab\\z", "abc", false},
        {"^[\\]^-]+$", "]^-", true},
        {"[\\^]", "^", true},
        {"[\\^]", "a", false},
        {"^[-^]$", "^", true},
        {"\\x41\\t", "A\t", true},
        {"a{2,3}", "aa", true},
        {"a{2,3}", "a", false},
        {"\\.", "a", false},
        {"[[:alpha:]]", "1", false},
        {"[a-c]x", "bx", true},
        {"", "anything", true},
        {"^$", "", true},
        {"\\/api\\/v[0-9]+", "/api/v2", true},
    };
    static const char *const bad[] = {"(",    "[",    "a**?",  "a+?",   "a++", "a{2}{3}", "a{2}?",
                                      "\\pL", "\\Qa", "(?=a)", "(?P<a", "\\",  "[\\D]",   "[z-a]"};
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jg_regex regex;
        jaeger_error err = {0};
        if (jg_regex_compile(&regex, jg_str(cases[i].pattern), arena, &err) != JAEGER_OK)
            fail_msg("%s", err.message);
        if (jg_regex_match(&regex, jg_str(cases[i].text), NULL) != cases[i].want)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
        jg_regex_done(&regex);
    }
    for (size_t i = 0; i < JG_COUNT(bad); i++) {
        jg_regex regex;
        jaeger_error err = {0};
        if (jg_regex_compile(&regex, jg_str(bad[i]), arena, &err) != JAEGER_INVALID_ARGUMENT)
            fail_msg("%s was accepted", bad[i]);
        jg_regex_done(&regex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_do_what_the_actions_say),
        cmocka_unit_test(attributes_choose_spans_by_include_and_exclude),
        cmocka_unit_test(attributes_refuse_bad_settings),
        cmocka_unit_test(regex_reads_re2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
