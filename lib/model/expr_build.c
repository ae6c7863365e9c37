/* SPDX-License-Identifier: Apache-2.0
 * See expr_build.h: the vocabulary, and literals fitted to what they are compared with.
 */
#include "model/expr_build.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/value_text.h"
#include <math.h>

/* ---- vocabulary ---- */

static const struct {
    const char *level;
    const char *name;
    jg_expr_field field;
    jg_expr_kind kind;
} fields[] = {
    {"span", "traceID", JG_FIELD_TRACE_ID, JG_HOLDS_ID},
    {"span", "spanID", JG_FIELD_SPAN_ID, JG_HOLDS_ID},
    {"span", "parentSpanID", JG_FIELD_PARENT_ID, JG_HOLDS_ID},
    {"span", "traceState", JG_FIELD_TRACE_STATE, JG_HOLDS_TEXT},
    {"span", "name", JG_FIELD_NAME, JG_HOLDS_TEXT},
    {"span", "kind", JG_FIELD_KIND, JG_HOLDS_WORD},
    {"span", "startTime", JG_FIELD_START, JG_HOLDS_TIME},
    {"span", "endTime", JG_FIELD_END, JG_HOLDS_TIME},
    {"span", "duration", JG_FIELD_DURATION, JG_HOLDS_DURATION},
    {"span", "status", JG_FIELD_STATUS, JG_HOLDS_WORD},
    {"span", "statusMessage", JG_FIELD_STATUS_MESSAGE, JG_HOLDS_TEXT},
    {"resource", "service", JG_FIELD_SERVICE, JG_HOLDS_TEXT},
    {"resource", "schemaURL", JG_FIELD_SCHEMA_URL, JG_HOLDS_TEXT},
    {"scope", "name", JG_FIELD_NAME, JG_HOLDS_TEXT},
    {"scope", "version", JG_FIELD_VERSION, JG_HOLDS_TEXT},
    {"scope", "schemaURL", JG_FIELD_SCHEMA_URL, JG_HOLDS_TEXT},
    {"event", "name", JG_FIELD_NAME, JG_HOLDS_TEXT},
    {"event", "time", JG_FIELD_TIME, JG_HOLDS_TIME},
    {"event", "timeSinceStart", JG_FIELD_SINCE_START, JG_HOLDS_DURATION},
    {"link", "traceID", JG_FIELD_TRACE_ID, JG_HOLDS_ID},
    {"link", "spanID", JG_FIELD_SPAN_ID, JG_HOLDS_ID},
    {"link", "traceState", JG_FIELD_TRACE_STATE, JG_HOLDS_TEXT},
    {"trace", "rootService", JG_FIELD_ROOT_SERVICE, JG_HOLDS_TEXT},
    {"trace", "rootName", JG_FIELD_ROOT_NAME, JG_HOLDS_TEXT},
    {"trace", "duration", JG_FIELD_TRACE_DURATION, JG_HOLDS_DURATION},
    {"trace", "spanCount", JG_FIELD_SPAN_COUNT, JG_HOLDS_COUNT},
    {"trace", "hasError", JG_FIELD_HAS_ERROR, JG_HOLDS_BOOL},
};

static const char *const levels[] = {
    [JG_LEVEL_SPAN] = "span",   [JG_LEVEL_RESOURCE] = "resource", [JG_LEVEL_SCOPE] = "scope",
    [JG_LEVEL_EVENT] = "event", [JG_LEVEL_LINK] = "link",         [JG_LEVEL_TRACE] = "trace"};

bool jg_expr_level_of(jaeger_str name, jg_expr_level *ret)
{
    for (size_t i = JG_LEVEL_SPAN; i < JG_COUNT(levels); i++) {
        if (jg_str_is(name, levels[i])) {
            *ret = (jg_expr_level)i;
            return true;
        }
    }
    return false;
}

bool jg_expr_field_of(jg_expr_level level, jaeger_str name, jg_expr_ref *ret)
{
    for (size_t i = 0; i < JG_COUNT(fields); i++) {
        if (level != JG_LEVEL_ANY && jg_str_is(name, fields[i].name) &&
            strcmp(fields[i].level, levels[level]) == 0) {
            *ret = (jg_expr_ref){.level = level, .field = fields[i].field, .kind = fields[i].kind};
            return true;
        }
    }
    return false;
}

/* ---- nodes ---- */

jaeger_status jg_expr_build_init(jg_expr_build *build, jaeger_arena *arena, jaeger_error *err)
{
    *build = (jg_expr_build){.arena = arena, .err = err};
    build->filter = jg_arena_zalloc(arena, sizeof *build->filter);
    return build->filter ? JAEGER_OK : jg_fail_oom(err);
}

jaeger_status jg_expr_node(jg_expr_build *build, jg_expr_op op, jg_expr **ret)
{
    if (++build->node_count > JG_EXPR_NODES_MAX)
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "more than %u operators and conditions",
                       JG_EXPR_NODES_MAX);
    jg_expr *node = jg_arena_zalloc(build->arena, sizeof *node);
    if (!node)
        return jg_fail_oom(build->err);
    node->op = op;
    *ret = node;
    return JAEGER_OK;
}

jaeger_status jg_expr_add_set(jg_expr_build *build, jg_expr *node)
{
    jaeger_filter *filter = build->filter;
    if (filter->set_count == JG_EXPR_SETS_MAX)
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "more than %u groups in braces",
                       JG_EXPR_SETS_MAX);
    node->set = (uint8_t)filter->set_count;
    filter->sets[filter->set_count++] = node;
    return JAEGER_OK;
}

/* ---- literals ---- */

static bool bool_of(jaeger_str text, bool *ret)
{
    *ret = jg_str_is(text, "true");
    return *ret || jg_str_is(text, "false");
}

jaeger_status jg_literal_of(jg_expr_build *build, jg_literal_type type, jaeger_str text, jg_literal *ret)
{
    if (++build->literal_count > JG_EXPR_LITERALS_MAX)
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "more than %u values", JG_EXPR_LITERALS_MAX);
    *ret = (jg_literal){.type = type};
    if (!text.ptr)
        text = JAEGER_STR("");
    JG_TRY(jg_match_text_compile(&ret->text, text, build->arena, build->err));
    if (type == JG_LITERAL_STRING)
        return JAEGER_OK;
    ret->is_bool = bool_of(text, &ret->b);
    ret->is_int = jg_str_to_i64(text, &ret->i);
    if (ret->is_int)
        ret->d = (double)ret->i;
    ret->is_number = ret->is_int || jg_str_to_double(text, &ret->d);
    if (!ret->is_number && jg_str_to_duration(text, &ret->i)) {
        ret->is_number = ret->is_int = true;
        ret->d = (double)ret->i;
    }
    if ((type == JG_LITERAL_INT && !ret->is_int) || (type == JG_LITERAL_DOUBLE && !ret->is_number) ||
        (type == JG_LITERAL_BOOL && !ret->is_bool))
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "\"%.*s\" is not of the type it is said to be",
                       (int)JG_MIN(text.len, 64u), text.ptr);
    return JAEGER_OK;
}

static jaeger_status unfit(const jg_expr_build *build, const jg_literal *l, const char *wanted)
{
    return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "\"%.*s\" is not %s",
                   (int)JG_MIN(l->text.text.len, 64u), l->text.text.ptr, wanted);
}

/** Two or more digits of a number. */
static bool digits(jaeger_str *s, size_t n, int *ret)
{
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= s->len || s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        *ret = *ret * 10 + (s->ptr[i] - '0');
    }
    *s = jg_str_skip(*s, n);
    return true;
}

static bool skip(jaeger_str *s, char c)
{
    if (s->len == 0 || *s->ptr != c)
        return false;
    *s = jg_str_skip(*s, 1);
    return true;
}

/** "Z" or "+01:00", the rest of the text. */
static bool zone_of(jaeger_str s, int *ret_seconds)
{
    int hours, minutes;
    bool minus = s.len && *s.ptr == '-';
    *ret_seconds = 0;
    if (jg_str_is(s, "Z"))
        return true;
    if (!(skip(&s, '+') || skip(&s, '-')) || !digits(&s, 2, &hours) || !skip(&s, ':') ||
        !digits(&s, 2, &minutes) || s.len)
        return false;
    *ret_seconds = (hours * 60 + minutes) * (minus ? -60 : 60);
    return true;
}

/** RFC 3339, from 1970 to 2262. */
static bool time_of(jaeger_str s, int64_t *ret_ns)
{
    int year, month, day, hour, minute, second, digit, zone;
    int64_t ns = 0, unit = 100000000;
    if (!digits(&s, 4, &year) || !skip(&s, '-') || !digits(&s, 2, &month) || !skip(&s, '-') ||
        !digits(&s, 2, &day) || !(skip(&s, 'T') || skip(&s, 't') || skip(&s, ' ')) || !digits(&s, 2, &hour) ||
        !skip(&s, ':') || !digits(&s, 2, &minute) || !skip(&s, ':') || !digits(&s, 2, &second))
        return false;
    if (skip(&s, '.'))
        for (; digits(&s, 1, &digit); unit /= 10)
            ns += digit * unit;
    if (!zone_of(s, &zone) || year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    /* days since 1970-03-01 in a calendar whose year begins in March */
    int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
    *ret_ns = (((days * 24 + hour) * 60 + minute) * 60 + second - zone) * 1000000000 + ns;
    return *ret_ns >= 0;
}

static bool is_word_of(const jg_expr_ref *ref, jaeger_str text)
{
    uint32_t kind;
    if (text.len == 0)
        return false;
    if (ref->field == JG_FIELD_KIND)
        return jg_str_is(text, "unspecified") || jg_kind_from_text(text, &kind);
    return jg_str_is(text, "unset") || jg_str_is(text, "ok") || jg_str_is(text, "error");
}

static jaeger_status lower(jg_expr_build *build, jg_literal *l)
{
    jaeger_str text = l->text.text;
    char *copy = jaeger_arena_alloc(build->arena, text.len + 1);
    if (!copy)
        return jg_fail_oom(build->err);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] + 32) : text.ptr[i];
    l->text.text = (jaeger_str){copy, text.len};
    return JAEGER_OK;
}

/** Hex of up to the id's length, padded with zeros in front. */
static jaeger_status fit_id(jg_expr_build *build, const jg_expr_ref *ref, jg_literal *l)
{
    size_t want = ref->field == JG_FIELD_TRACE_ID ? 32 : 16;
    jaeger_str text = l->text.text;
    uint8_t bytes[16];
    if (text.len == 0 || text.len > want)
        return unfit(build, l, "an id in hex");
    char *padded = jaeger_arena_alloc(build->arena, want);
    if (!padded)
        return jg_fail_oom(build->err);
    memset(padded, '0', want);
    memcpy(padded + want - text.len, text.ptr, text.len);
    if (!jg_hex_decode((jaeger_str){padded, want}, bytes, want / 2))
        return unfit(build, l, "an id in hex");
    jg_hex_encode(bytes, want / 2, padded);
    l->text.text = (jaeger_str){padded, want};
    return JAEGER_OK;
}

static jaeger_status fit_duration(jg_expr_build *build, jg_literal *l)
{
    bool bare = l->is_int && jg_str_to_i64(l->text.text, &l->i) && l->i != 0;
    if (bare && l->type != JG_LITERAL_INT)
        return unfit(build, l, "a duration: give it a unit, such as 100ms");
    if (!bare && !jg_str_to_duration(l->text.text, &l->i) && !(l->is_int && l->i == 0))
        return unfit(build, l, "a duration, such as 100ms or 1.5s");
    l->is_number = l->is_int = true;
    return JAEGER_OK;
}

static jaeger_status fit_literal(jg_expr_build *build, const jg_expr *node, jg_literal *l)
{
    switch (node->ref.kind) {
    case JG_HOLDS_ANYTHING:
    case JG_HOLDS_TEXT:
        return JAEGER_OK;
    case JG_HOLDS_WORD:
        JG_TRY(lower(build, l));
        if (!is_word_of(&node->ref, l->text.text))
            return unfit(build, l,
                         node->ref.field == JG_FIELD_KIND
                             ? "a span kind: unspecified, internal, server, client, producer, consumer"
                             : "a status: unset, ok, error");
        return JAEGER_OK;
    case JG_HOLDS_ID:
        return fit_id(build, &node->ref, l);
    case JG_HOLDS_DURATION:
        return fit_duration(build, l);
    case JG_HOLDS_TIME:
        if (!time_of(l->text.text, &l->i) && !jg_str_to_i64(l->text.text, &l->i))
            return unfit(build, l, "a time, such as \"2024-05-01T12:00:00Z\"");
        l->is_number = l->is_int = true;
        return JAEGER_OK;
    case JG_HOLDS_COUNT:
        if (!l->is_number && !jg_str_to_double(l->text.text, &l->d))
            return unfit(build, l, "a number");
        l->is_number = true;
        l->is_int = l->is_int || jg_str_to_i64(l->text.text, &l->i);
        return JAEGER_OK;
    case JG_HOLDS_BOOL:
        l->is_bool = bool_of(l->text.text, &l->b);
        return l->is_bool ? JAEGER_OK : unfit(build, l, "true or false");
    }
    return JAEGER_OK;
}

static bool is_ordered(jg_expr_op op)
{
    return op >= JG_EXPR_LT && op <= JG_EXPR_GE;
}

static jaeger_status fit_regex(jg_expr_build *build, jg_expr *node)
{
    jg_expr_kind kind = node->ref.kind;
    if (kind != JG_HOLDS_ANYTHING && kind != JG_HOLDS_TEXT && kind != JG_HOLDS_WORD)
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "a regular expression needs a text to match");
    if (++build->regex_count > JG_EXPR_REGEX_MAX)
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "more than %u regular expressions",
                       JG_EXPR_REGEX_MAX);
    return jg_nfa_compile(node->literals[0].text.text, build->whole_regex, build->arena, &node->regex,
                          &build->regex_at, build->err);
}

static void note_level(jg_expr_build *build, const jg_expr_ref *ref)
{
    build->filter->needs_trace = build->filter->needs_trace || ref->level == JG_LEVEL_TRACE;
}

jaeger_status jg_expr_fit(jg_expr_build *build, jg_expr *node)
{
    jg_literal *literals = (jg_literal *)node->literals; /* ours until the tree is handed out */
    note_level(build, &node->ref);
    if (node->op == JG_EXPR_REGEX || node->op == JG_EXPR_NOT_REGEX)
        return fit_regex(build, node);
    if (is_ordered(node->op) && (node->ref.kind == JG_HOLDS_WORD || node->ref.kind == JG_HOLDS_BOOL))
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "its values have no order");
    for (size_t i = 0; i < node->literal_count; i++) {
        JG_TRY(fit_literal(build, node, &literals[i]));
        if (is_ordered(node->op) && literals[i].is_bool)
            return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "true and false have no order");
    }
    return JAEGER_OK;
}

jaeger_status jg_expr_fit_refs(jg_expr_build *build, const jg_expr *node)
{
    jg_expr_kind a = node->ref.kind, b = node->right.kind;
    bool texts = (a == JG_HOLDS_TEXT || a == JG_HOLDS_WORD) && (b == JG_HOLDS_TEXT || b == JG_HOLDS_WORD);
    note_level(build, &node->ref);
    note_level(build, &node->right);
    if (a != b && a != JG_HOLDS_ANYTHING && b != JG_HOLDS_ANYTHING && !texts)
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "these two hold different kinds of values");
    if (is_ordered(node->op) &&
        (a == JG_HOLDS_WORD || a == JG_HOLDS_BOOL || b == JG_HOLDS_WORD || b == JG_HOLDS_BOOL))
        return jg_fail(build->err, JAEGER_INVALID_ARGUMENT, "its values have no order");
    return JAEGER_OK;
}
