/* SPDX-License-Identifier: Apache-2.0
 * See match.h. Where Jaeger's stores differ, its memory store's rules hold, with `error=false` as "not
 * Error".
 */
#include "model/match.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/expr.h"
#include "model/value_text.h"
#include <math.h>

#define TEXT_BYTES_MAX (1u << 20) /* a wanted value comes from one request line or message */
#define LIMIT_DEFAULT  100u       /* distinct traces, as all of Jaeger's stores but one */

/* ---- compiling
 * ------------------------------------------------------------------------------------------------- */

static bool double_of_text(jaeger_str text, double *ret)
{
    char canonical[32];
    double d;
    if (text.len > 30 || !jg_str_to_double(text, &d) || isnan(d) || isinf(d))
        return false;
    size_t n = jg_double_to_text(d, 1, canonical);
    if (!jg_str_eq(text, (jaeger_str){canonical, n}))
        return false;
    *ret = d;
    return true;
}

static bool int_of_text(jaeger_str text, int64_t *ret)
{
    /* only the canonical form: no plus sign, no leading zeros */
    return jg_str_to_i64(text, ret) && text.ptr[0] != '+' &&
           (text.ptr[text.ptr[0] == '-'] != '0' || text.len == 1);
}

/** Canonical, padded base64 of something. @return OK also if it is not; then ret->is_bytes is false */
static jaeger_status bytes_of_text(jg_match_text *ret, jaeger_arena *arena, jaeger_error *err)
{
    size_t len;
    if (ret->text.len % 4)
        return JAEGER_OK;
    uint8_t *bytes = jaeger_arena_alloc(arena, 3 * (ret->text.len / 4 + 1));
    char *again = jaeger_arena_alloc(arena, ret->text.len + 4);
    if (!bytes || !again)
        return jg_fail_oom(err);
    if (!jg_base64_decode(ret->text, bytes, &len) || jg_base64_size(len) != ret->text.len)
        return JAEGER_OK;
    jg_base64_encode(bytes, len, again);
    ret->is_bytes = memcmp(again, ret->text.ptr ? ret->text.ptr : "", ret->text.len) == 0;
    ret->bytes = (jaeger_str){(const char *)bytes, len};
    return JAEGER_OK;
}

jaeger_status jg_match_text_compile(jg_match_text *ret, jaeger_str text, jaeger_arena *arena,
                                    jaeger_error *err)
{
    double d;
    *ret = (jg_match_text){.text = text};
    ret->is_int = int_of_text(text, &ret->i);
    ret->is_double = double_of_text(text, &d);
    if (ret->is_double)
        memcpy(&ret->double_bits, &d, 8);
    if (!ret->is_double && jg_str_starts(text, JAEGER_STR("json: unsupported value: "))) {
        jaeger_str name = jg_str_skip(text, sizeof "json: unsupported value: " - 1);
        ret->is_nan = jg_str_is(name, "NaN");
        ret->is_double = jg_str_is(name, "+Inf") || jg_str_is(name, "-Inf");
        d = jg_str_is(name, "-Inf") ? -INFINITY : INFINITY;
        memcpy(&ret->double_bits, &d, 8);
    }
    ret->is_json = text.len >= 2 && (text.ptr[0] == '[' || text.ptr[0] == '{');
    return bytes_of_text(ret, arena, err);
}

/** Text of a typed query value, in the arena. */
static jaeger_status value_to_text(const jaeger_value *value, jaeger_arena *arena, jaeger_str *ret,
                                   jaeger_error *err)
{
    if (value->type == JAEGER_VALUE_STRING) {
        *ret = value->u.s;
        return JAEGER_OK;
    }
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(TEXT_BYTES_MAX);
    jg_value_text(&buf, value);
    *ret = jg_buf_ok(&buf) ? jaeger_arena_str(arena, jg_buf_view(&buf)) : (jaeger_str){0};
    return ret->ptr ? JAEGER_OK : jg_fail_oom(err);
}

/** strconv.ParseBool; 2: neither. */
static uint32_t error_answer(const jaeger_value *value)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    if (value->type == JAEGER_VALUE_BOOL)
        return value->u.b;
    if (value->type != JAEGER_VALUE_STRING)
        return 2;
    for (size_t i = 0; i < JG_COUNT(yes); i++) {
        if (jg_str_is(value->u.s, yes[i]))
            return 1;
        if (jg_str_is(value->u.s, no[i]))
            return 0;
    }
    return 2;
}

static uint32_t status_of_text(jaeger_str text)
{
    return jg_str_eq_nocase(text, JAEGER_STR("ok"))      ? JAEGER_STATUS_OK
           : jg_str_eq_nocase(text, JAEGER_STR("error")) ? JAEGER_STATUS_ERROR
                                                         : JAEGER_STATUS_UNSET;
}

static uint32_t kind_of_text(jaeger_str text)
{
    for (uint32_t kind = JAEGER_KIND_INTERNAL; kind <= JAEGER_KIND_CONSUMER; kind++)
        if (jg_str_eq_nocase(text, jg_kind_text(kind)))
            return kind;
    return JAEGER_KIND_UNSPECIFIED;
}

static jaeger_status attr_compile(jg_match_attr *ret, const jaeger_attr *attr, jaeger_arena *arena,
                                  jaeger_error *err)
{
    static const struct {
        const char *key;
        jg_match_where where;
    } special[] = {{"error", JG_MATCH_ERROR},
                   {"span.status", JG_MATCH_STATUS},
                   {"span.kind", JG_MATCH_KIND},
                   {"scope.name", JG_MATCH_SCOPE_NAME},
                   {"scope.version", JG_MATCH_SCOPE_VERSION}};
    jaeger_str text, prefix = JAEGER_STR("resource.");
    *ret = (jg_match_attr){.where = JG_MATCH_ANYWHERE, .key = attr->key};
    for (size_t i = 0; i < JG_COUNT(special); i++)
        if (jg_str_is(attr->key, special[i].key))
            ret->where = special[i].where;
    if (ret->where == JG_MATCH_ANYWHERE && jg_str_starts(attr->key, prefix)) {
        ret->where = JG_MATCH_RESOURCE;
        ret->key = jg_str_skip(attr->key, prefix.len);
    }
    JG_TRY(value_to_text(&attr->value, arena, &text, err));
    if (ret->where == JG_MATCH_ERROR)
        ret->number = error_answer(&attr->value);
    else if (ret->where == JG_MATCH_STATUS)
        ret->number = status_of_text(text);
    else if (ret->where == JG_MATCH_KIND)
        ret->number = kind_of_text(text);
    return jg_match_text_compile(&ret->want, text, arena, err);
}

jaeger_status jg_match_compile(jg_match *ret, const jaeger_trace_query *query, jaeger_arena *arena,
                               jaeger_error *err)
{
    *ret = (jg_match){.service = query->service,
                      .operation = query->operation,
                      .start_min_unix_ns = query->start_min_unix_ns,
                      .start_max_unix_ns = query->start_max_unix_ns ? query->start_max_unix_ns : UINT64_MAX,
                      .duration_min_ns = query->duration_min_ns,
                      .duration_max_ns = query->duration_max_ns ? query->duration_max_ns : UINT64_MAX,
                      .limit = query->limit ? query->limit : LIMIT_DEFAULT,
                      .attr_count = query->attr_count};
    if (query->size >= offsetof(jaeger_trace_query, filter) + sizeof query->filter)
        ret->filter = query->filter;
    if (query->attr_count > SIZE_MAX / sizeof *ret->attrs)
        return jg_fail_oom(err);
    ret->attrs = jaeger_arena_alloc(arena, query->attr_count * sizeof *ret->attrs);
    if (!ret->attrs)
        return jg_fail_oom(err);
    for (size_t i = 0; i < query->attr_count; i++)
        JG_TRY(attr_compile(&ret->attrs[i], &query->attrs[i], arena, err));
    return JAEGER_OK;
}

/* ---- testing
 * --------------------------------------------------------------------------------------------------- */

bool jg_match_value(const jg_match_text *want, const jaeger_value *value)
{
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        return want->text.len == 0;
    case JAEGER_VALUE_STRING:
        return jg_str_eq(value->u.s, want->text);
    case JAEGER_VALUE_BOOL:
        return jg_str_eq(want->text, value->u.b ? JAEGER_STR("true") : JAEGER_STR("false"));
    case JAEGER_VALUE_INT:
        return want->is_int && value->u.i == want->i;
    case JAEGER_VALUE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &value->u.d, 8);
        return (want->is_double && bits == want->double_bits) || (want->is_nan && isnan(value->u.d));
    }
    case JAEGER_VALUE_BYTES:
        return want->is_bytes && jg_str_eq(value->u.s, want->bytes);
    case JAEGER_VALUE_ARRAY:
    case JAEGER_VALUE_MAP:
        return want->is_json && jg_value_text_is(value, want->text);
    }
    return false;
}

/** The first attribute of that name decides, as in pdata's Map.Get. */
static bool list_has(jaeger_iter iter, const jg_match_attr *attr)
{
    jaeger_attr found;
    return jaeger_find_attr(iter, attr->key, &found) && jg_match_value(&attr->want, &found.value);
}

static bool span_has(const jaeger_span *span, const jg_match_attr *attr)
{
    jaeger_event event;
    jaeger_link link;
    if (list_has(jaeger_span_attrs(span), attr) || list_has(jaeger_scope_attrs(span->group), attr) ||
        list_has(jaeger_resource_attrs(span->group), attr))
        return true;
    for (jaeger_iter it = jaeger_span_events(span); jaeger_next_event(&it, &event);)
        if (list_has(jaeger_event_attrs(&event), attr))
            return true;
    for (jaeger_iter it = jaeger_span_links(span); jaeger_next_link(&it, &link);)
        if (list_has(jaeger_link_attrs(&link), attr))
            return true;
    return false;
}

static bool attr_holds(const jaeger_span *span, const jg_match_attr *attr)
{
    jaeger_scope scope;
    switch (attr->where) {
    case JG_MATCH_ANYWHERE:
        return span_has(span, attr);
    case JG_MATCH_RESOURCE:
        return list_has(jaeger_resource_attrs(span->group), attr);
    case JG_MATCH_ERROR:
        return attr->number < 2 && (span->status_code == JAEGER_STATUS_ERROR) == (attr->number == 1);
    case JG_MATCH_STATUS:
        return span->status_code == attr->number;
    case JG_MATCH_KIND:
        return span->kind == attr->number;
    case JG_MATCH_SCOPE_NAME:
    case JG_MATCH_SCOPE_VERSION:
        jaeger_scope_read(span->group, &scope);
        return jg_str_eq(attr->where == JG_MATCH_SCOPE_NAME ? scope.name : scope.version, attr->want.text);
    }
    return false;
}

bool jg_match_times(const jg_match *m, uint64_t start, uint64_t end)
{
    if (start < m->start_min_unix_ns || start > m->start_max_unix_ns)
        return false;
    uint64_t duration = end > start ? end - start : 0; /* a negative one is shorter than any bound */
    return duration >= m->duration_min_ns && duration <= m->duration_max_ns;
}

bool jg_match_span(const jg_match *m, const jaeger_span *span)
{
    if (!jg_match_times(m, span->start_unix_ns, span->end_unix_ns) ||
        (m->service.len && !jg_str_eq(m->service, span->group->service)) ||
        (m->operation.len && !jg_str_eq(m->operation, span->name)))
        return false;
    for (size_t i = 0; i < m->attr_count; i++)
        if (!attr_holds(span, &m->attrs[i]))
            return false;
    return !m->filter || jg_filter_test(m->filter, span, NULL) != JG_EXPR_NO;
}
