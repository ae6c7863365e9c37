/* SPDX-License-Identifier: Apache-2.0
 * See choice.h. strict compares typed values; regexp works on the text of strings, numbers and bools.
 */
#include "processors/attributes/choice.h"

#include "config/tree.h"
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/regex.h"
#include "core/str.h"
#include "model/value_text.h"

enum { MATCH_UNSET, MATCH_STRICT, MATCH_REGEXP };

typedef struct match_pair {
    jaeger_str key;
    const jaeger_config *value;
} match_pair;

typedef struct match_library {
    jaeger_str name;
    const jaeger_config *version;
} match_library;

/* One text to compare with, or its pattern. */
typedef struct text_test {
    jaeger_str text;
    jg_regex regex;
} text_test;

typedef struct tests {
    text_test *items;
    size_t count;
} tests;

typedef struct pair_test {
    jaeger_str key;
    bool any_value;
    jg_scalar scalar; /* strict, not a string */
    text_test text;
} pair_test;

typedef struct pair_tests {
    pair_test *items;
    size_t count;
} pair_tests;

struct jg_choice {
    bool is_regexp;
    tests services, span_names, span_kinds, metric_names;
    pair_tests attributes, resources;
    struct library_test {
        text_test name, version;
        bool any_version;
    } * libraries;
    size_t library_count;
    jaeger_arena *arena;
};

/* ---- making ---- */

static jaeger_status make_text(jg_choice *m, jaeger_str text, text_test *ret, jaeger_error *err)
{
    ret->text = text;
    return m->is_regexp ? jg_regex_compile(&ret->regex, text, m->arena, err) : JAEGER_OK;
}

static jaeger_status make_tests(jg_choice *m, const jaeger_str_list *list, tests *ret, jaeger_error *err)
{
    ret->items = jg_arena_zalloc(m->arena, list->count * sizeof *ret->items);
    if (!ret->items)
        return jg_fail_oom(err);
    for (; ret->count < list->count; ret->count++)
        JG_TRY(make_text(m, list->items[ret->count], &ret->items[ret->count], err));
    return JAEGER_OK;
}

static jaeger_status make_pairs(jg_choice *m, const jaeger_block_list *list, pair_tests *ret,
                                jaeger_error *err)
{
    const match_pair *pairs = list->items;
    ret->items = jg_arena_zalloc(m->arena, list->count * sizeof *ret->items);
    if (!ret->items)
        return jg_fail_oom(err);
    for (; ret->count < list->count; ret->count++) {
        const jaeger_config *value = pairs[ret->count].value;
        pair_test *test = &ret->items[ret->count];
        test->key = pairs[ret->count].key;
        test->any_value = jaeger_config_kind(value) == JAEGER_CONFIG_NULL;
        if (test->any_value)
            continue;
        if (jaeger_config_kind(value) != JAEGER_CONFIG_SCALAR)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: must be a scalar", jaeger_config_path(value));
        test->scalar = jg_scalar_of(value);
        if (m->is_regexp && test->scalar.type != JG_SCALAR_STRING)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: must be a string with match_type regexp",
                           jaeger_config_path(value));
        JG_TRY(make_text(m, value->text, &test->text, err));
    }
    return JAEGER_OK;
}

static jaeger_status make_libraries(jg_choice *m, const jaeger_block_list *list, jaeger_error *err)
{
    const match_library *libraries = list->items;
    m->libraries = jg_arena_zalloc(m->arena, list->count * sizeof *m->libraries);
    if (!m->libraries)
        return jg_fail_oom(err);
    for (; m->library_count < list->count; m->library_count++) {
        struct library_test *test = &m->libraries[m->library_count];
        const jaeger_config *version = libraries[m->library_count].version;
        test->any_version = jaeger_config_kind(version) == JAEGER_CONFIG_NULL;
        JG_TRY(make_text(m, libraries[m->library_count].name, &test->name, err));
        if (!test->any_version)
            JG_TRY(make_text(m, jaeger_config_text(version), &test->version, err));
    }
    return JAEGER_OK;
}

static jaeger_status make(jg_choice *m, const jg_choice_config *config, jaeger_error *err)
{
    JG_TRY(make_tests(m, &config->services, &m->services, err));
    JG_TRY(make_tests(m, &config->span_names, &m->span_names, err));
    JG_TRY(make_tests(m, &config->span_kinds, &m->span_kinds, err));
    JG_TRY(make_tests(m, &config->metric_names, &m->metric_names, err));
    JG_TRY(make_pairs(m, &config->attributes, &m->attributes, err));
    JG_TRY(make_pairs(m, &config->resources, &m->resources, err));
    return make_libraries(m, &config->libraries, err);
}

jaeger_status jg_choice_new(const jg_choice_config *c, const char *path, jg_choice **ret, jaeger_error *err)
{
    *ret = NULL;
    if (!c->enabled)
        return JAEGER_OK;
    if (c->match_type == MATCH_UNSET)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: error unrecognized match_type: '', valid types are: [regexp strict]", path);
    if (!c->services.count && !c->span_names.count && !c->span_kinds.count && !c->attributes.count &&
        !c->resources.count && !c->libraries.count && !c->metric_names.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: at least one of \"services\", \"span_names\", \"attributes\", \"libraries\", "
                       "\"resources\", \"span_kinds\" or \"metric_names\" must be specified",
                       path);
    jaeger_arena *arena = jaeger_arena_new(JG_YAML_ARENA_BYTES_MAX);
    jg_choice *m = arena ? jg_arena_zalloc(arena, sizeof *m) : NULL;
    if (!m) {
        jaeger_arena_free(arena);
        return jg_fail_oom(err);
    }
    m->arena = arena;
    m->is_regexp = c->match_type == MATCH_REGEXP;
    jaeger_status status = make(m, c, err);
    if (status != JAEGER_OK) {
        jg_choice_free(m);
        return err ? jg_fail_prefix(err, "%s", path) : status;
    }
    *ret = m;
    return JAEGER_OK;
}

static void tests_done(tests *list)
{
    for (size_t i = 0; i < list->count; i++)
        jg_regex_done(&list->items[i].regex);
}

static void pairs_done(pair_tests *list)
{
    for (size_t i = 0; i < list->count; i++)
        jg_regex_done(&list->items[i].text.regex);
}

void jg_choice_free(jg_choice *m)
{
    if (!m)
        return;
    tests_done(&m->services);
    tests_done(&m->span_names);
    tests_done(&m->span_kinds);
    tests_done(&m->metric_names);
    pairs_done(&m->attributes);
    pairs_done(&m->resources);
    for (size_t i = 0; i < m->library_count; i++) {
        jg_regex_done(&m->libraries[i].name.regex);
        jg_regex_done(&m->libraries[i].version.regex);
    }
    jaeger_arena_free(m->arena);
}

/* ---- matching ---- */

static bool text_matches(const jg_choice *m, const text_test *test, jaeger_str text)
{
    return m->is_regexp ? jg_regex_match(&test->regex, text, NULL) : jg_str_eq(test->text, text);
}

/* No tests: the property does not matter. */
static bool any_matches(const jg_choice *m, const tests *list, jaeger_str text)
{
    for (size_t i = 0; i < list->count; i++)
        if (text_matches(m, &list->items[i], text))
            return true;
    return list->count == 0;
}

static bool value_is(const pair_test *test, const jaeger_value *value)
{
    switch (test->scalar.type) {
    case JG_SCALAR_BOOL:
        return value->type == JAEGER_VALUE_BOOL && value->u.b == test->scalar.b;
    case JG_SCALAR_INT: {
        uint64_t bits = test->scalar.negative ? 0 - test->scalar.magnitude : test->scalar.magnitude;
        return value->type == JAEGER_VALUE_INT && (uint64_t)value->u.i == bits;
    }
    case JG_SCALAR_FLOAT:
        return value->type == JAEGER_VALUE_DOUBLE && value->u.d == test->scalar.d;
    default:
        return value->type == JAEGER_VALUE_STRING && jg_str_eq(value->u.s, test->text.text);
    }
}

static bool value_matches(const jg_choice *m, const pair_test *test, const jaeger_value *value)
{
    if (test->any_value)
        return true;
    if (!m->is_regexp)
        return value_is(test, value);
    if (value->type == JAEGER_VALUE_STRING)
        return jg_regex_match(&test->text.regex, value->u.s, NULL);
    if (value->type != JAEGER_VALUE_BOOL && value->type != JAEGER_VALUE_INT &&
        value->type != JAEGER_VALUE_DOUBLE)
        return false;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(64);
    jg_value_text(&text, value);
    return jg_buf_ok(&text) && jg_regex_match(&test->text.regex, jg_buf_view(&text), NULL);
}

static bool all_match(const jg_choice *m, const pair_tests *list, jaeger_iter attrs)
{
    for (size_t i = 0; i < list->count; i++) {
        jaeger_attr attr;
        if (!jaeger_find_attr(attrs, list->items[i].key, &attr) ||
            !value_matches(m, &list->items[i], &attr.value))
            return false;
    }
    return true;
}

static bool library_matches(const jg_choice *m, const jaeger_span_group *group)
{
    jaeger_scope scope;
    jaeger_scope_read(group, &scope);
    for (size_t i = 0; i < m->library_count; i++) {
        const struct library_test *test = &m->libraries[i];
        if (text_matches(m, &test->name, scope.name) &&
            (test->any_version || text_matches(m, &test->version, scope.version)))
            return true;
    }
    return m->library_count == 0;
}

static jaeger_str kind_name(uint32_t kind)
{
    static const char *const names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                        "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    return jg_str(names[kind < JG_COUNT(names) ? kind : 0]);
}

bool jg_choice_takes(const jg_choice *m, const jaeger_span *span)
{
    jaeger_str service = span->group->service;
    return any_matches(m, &m->services, service.ptr ? service : JAEGER_STR("<nil-service-name>")) &&
           any_matches(m, &m->span_names, span->name) &&
           any_matches(m, &m->span_kinds, kind_name(span->kind)) && library_matches(m, span->group) &&
           all_match(m, &m->resources, jaeger_resource_attrs(span->group)) &&
           all_match(m, &m->attributes, jaeger_span_attrs(span));
}

bool jg_choice_takes_metric(const jg_choice *m, const jg_metric_point *metric)
{
    const jaeger_span_group group = {.resource = metric->resource};
    return any_matches(m, &m->metric_names, metric->name) &&
           all_match(m, &m->resources, jaeger_resource_attrs(&group));
}

/* ---- keys ---- */

static const jaeger_field pair_fields[] = {{.name = "key",
                                            .kind = JAEGER_FIELD_STR,
                                            .offset = offsetof(match_pair, key),
                                            .required = true,
                                            .doc = "attribute"},
                                           {.name = "value",
                                            .kind = JAEGER_FIELD_NODE,
                                            .offset = offsetof(match_pair, value),
                                            .doc = "its value; absent: any"},
                                           {0}};

static const jaeger_field library_fields[] = {
    {.name = "name", .kind = JAEGER_FIELD_STR, .offset = offsetof(match_library, name), .doc = "scope name"},
    {.name = "version",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(match_library, version),
     .doc = "scope version; absent: any"},
    {0}};

#define AT(member) .offset = offsetof(jg_choice_config, member)
const jaeger_field jg_choice_fields[] = {
    {.name = "match_type",
     .kind = JAEGER_FIELD_ENUM,
     AT(match_type),
     .choices = "|strict|regexp",
     .doc = "how texts are compared"},
    {.name = "regexp", .kind = JAEGER_FIELD_NODE, AT(regexp), .doc = "accepted for compatibility"},
    {.name = "services", .kind = JAEGER_FIELD_STRS, AT(services), .doc = "service.name is one of these"},
    {.name = "span_names",
     .kind = JAEGER_FIELD_STRS,
     AT(span_names),
     .doc = "the span's name is one of these"},
    {.name = "span_kinds", .kind = JAEGER_FIELD_STRS, AT(span_kinds), .doc = "SPAN_KIND_SERVER and so on"},
    {.name = "attributes",
     .kind = JAEGER_FIELD_LIST,
     AT(attributes),
     .sub = pair_fields,
     .sub_size = sizeof(match_pair),
     .doc = "span attributes that must all be there"},
    {.name = "resources",
     .kind = JAEGER_FIELD_LIST,
     AT(resources),
     .sub = pair_fields,
     .sub_size = sizeof(match_pair),
     .doc = "resource attributes that must all be there"},
    {.name = "libraries",
     .kind = JAEGER_FIELD_LIST,
     AT(libraries),
     .sub = library_fields,
     .sub_size = sizeof(match_library),
     .doc = "instrumentation scopes"},
    {.name = "log_bodies", .kind = JAEGER_FIELD_NODE, AT(log_bodies), .doc = "accepted; for logs"},
    {.name = "log_severity_texts",
     .kind = JAEGER_FIELD_NODE,
     AT(log_severity_texts),
     .doc = "accepted; for logs"},
    {.name = "log_severity_number",
     .kind = JAEGER_FIELD_NODE,
     AT(log_severity_number),
     .doc = "accepted; for logs"},
    {.name = "metric_names",
     .kind = JAEGER_FIELD_STRS,
     AT(metric_names),
     .doc = "of metrics: the name is one of these"},
    {0}};

const jaeger_field jg_metric_choice_fields[] = {
    {.name = "match_type",
     .kind = JAEGER_FIELD_ENUM,
     AT(match_type),
     .choices = "|strict|regexp",
     .doc = "how texts are compared"},
    {.name = "regexp", .kind = JAEGER_FIELD_NODE, AT(regexp), .doc = "accepted for compatibility"},
    {.name = "metric_names", .kind = JAEGER_FIELD_STRS, AT(metric_names), .doc = "the name is one of these"},
    {.name = "resource_attributes",
     .kind = JAEGER_FIELD_LIST,
     AT(resources),
     .sub = pair_fields,
     .sub_size = sizeof(match_pair),
     .doc = "resource attributes that must all be there"},
    {0}};
