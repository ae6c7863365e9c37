/* SPDX-License-Identifier: Apache-2.0
 * Policies that look at the spans of a trace: their keys, how they are made, what they answer.
 */
#include "config/tree.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include "processors/tail_sampling/policy.h"
#include <math.h>

static jg_decision sampled_if(bool yes)
{
    return yes ? JG_SAMPLED : JG_NOT_SAMPLED;
}

static jg_decision always(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)p, (void)view, (void)err;
    return JG_SAMPLED;
}

/* ---- latency ---- */

typedef struct latency_config {
    int64_t threshold_ms, upper_threshold_ms;
} latency_config;

static const jaeger_field latency_fields[] = {{.name = "threshold_ms",
                                               .kind = JAEGER_FIELD_I64,
                                               .offset = offsetof(latency_config, threshold_ms),
                                               .doc = "shortest duration of a trace"},
                                              {.name = "upper_threshold_ms",
                                               .kind = JAEGER_FIELD_I64,
                                               .offset = offsetof(latency_config, upper_threshold_ms),
                                               .doc = "longest; 0: no limit"},
                                              {0}};

/* From the earliest start to the latest end of the spans seen so far; one moment inside the range is enough.
 */
static jg_decision latency(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const latency_config *c = p->config;
    uint64_t start = 0, end = 0;
    jg_tail_spans spans = jg_tail_spans_of(view);
    for (const jaeger_span *span; (span = jg_tail_next(&spans));) {
        if (start == 0 || span->start_unix_ns < start)
            start = span->start_unix_ns;
        if (end == 0 || span->end_unix_ns > end)
            end = span->end_unix_ns;
        int64_t ms = (int64_t)(end - start) / 1000000;
        if (c->upper_threshold_ms == 0 ? ms >= c->threshold_ms
                                       : ms > c->threshold_ms && ms <= c->upper_threshold_ms)
            return JG_SAMPLED;
    }
    return JG_NOT_SAMPLED;
}

static bool latency_is_stateful(const jg_policy *p)
{
    return ((const latency_config *)p->config)->upper_threshold_ms > 0;
}

/* ---- attributes ---- */

/* Does the attribute `key` of any resource or span satisfy `matches`? Resources are looked at once a run. */
static bool any_attr(const jg_policy *p, const jg_tail_view *view, jaeger_str key,
                     bool (*matches)(const jg_policy *p, const jaeger_value *value, bool of_span))
{
    const jaeger_span_group *seen = NULL;
    jaeger_attr attr;
    jg_tail_spans spans = jg_tail_spans_of(view);
    for (const jaeger_span *span; (span = jg_tail_next(&spans));) {
        if (span->group != seen && jaeger_find_attr(jaeger_resource_attrs(span->group), key, &attr) &&
            matches(p, &attr.value, false))
            return true;
        seen = span->group;
        if (jaeger_find_attr(jaeger_span_attrs(span), key, &attr) && matches(p, &attr.value, true))
            return true;
    }
    return false;
}

typedef struct numeric_config {
    jaeger_str key;
    int64_t min_value, max_value;
    bool invert_match;
} numeric_config;

static const jaeger_field numeric_fields[] = {
    {.name = "key", .kind = JAEGER_FIELD_STR, .offset = offsetof(numeric_config, key), .doc = "attribute"},
    {.name = "min_value",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(numeric_config, min_value),
     .doc = "least; 0: no limit"},
    {.name = "max_value",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(numeric_config, max_value),
     .doc = "greatest; 0: no limit"},
    {.name = "invert_match",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(numeric_config, invert_match),
     .doc = "sample what does not match"},
    {0}};

/* An attribute of another type counts as 0, as in the Collector; so do false and "" below. */
static bool numeric_matches(const jg_policy *p, const jaeger_value *value, bool of_span)
{
    (void)of_span;
    const numeric_config *c = p->config;
    int64_t i = value->type == JAEGER_VALUE_INT ? value->u.i : 0;
    return (c->min_value == 0 || i >= c->min_value) && (c->max_value == 0 || i <= c->max_value);
}

static jg_decision numeric(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const numeric_config *c = p->config;
    return sampled_if(any_attr(p, view, c->key, numeric_matches) != c->invert_match);
}

typedef struct boolean_config {
    jaeger_str key;
    bool value, invert_match;
} boolean_config;

static const jaeger_field boolean_fields[] = {
    {.name = "key", .kind = JAEGER_FIELD_STR, .offset = offsetof(boolean_config, key), .doc = "attribute"},
    {.name = "value",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(boolean_config, value),
     .doc = "its value"},
    {.name = "invert_match",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(boolean_config, invert_match),
     .doc = "sample what does not match"},
    {0}};

static bool boolean_matches(const jg_policy *p, const jaeger_value *value, bool of_span)
{
    (void)of_span;
    return (value->type == JAEGER_VALUE_BOOL && value->u.b) == ((const boolean_config *)p->config)->value;
}

static jg_decision boolean(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const boolean_config *c = p->config;
    return sampled_if(any_attr(p, view, c->key, boolean_matches) != c->invert_match);
}

typedef struct string_config {
    jaeger_str key;
    jaeger_str_list values;
    bool enabled_regex_matching, invert_match;
    int64_t cache_max_size;
} string_config;

static const jaeger_field string_fields[] = {
    {.name = "key", .kind = JAEGER_FIELD_STR, .offset = offsetof(string_config, key), .doc = "attribute"},
    {.name = "values",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(string_config, values),
     .doc = "values, one of which it has"},
    {.name = "enabled_regex_matching",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(string_config, enabled_regex_matching),
     .doc = "values are regular expressions"},
    {.name = "cache_max_size",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(string_config, cache_max_size),
     .doc = "accepted for compatibility"},
    {.name = "invert_match",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(string_config, invert_match),
     .doc = "sample what does not match"},
    {0}};

static jaeger_status string_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    const string_config *c = p->config;
    if (!c->enabled_regex_matching)
        return JAEGER_OK;
    p->regexes = jg_arena_zalloc(arena, (c->values.count + 1) * sizeof *p->regexes);
    if (!p->regexes)
        return jg_fail_oom(err);
    for (; p->regex_count < c->values.count; p->regex_count++)
        JG_TRY(jg_regex_compile(&p->regexes[p->regex_count], c->values.items[p->regex_count], arena, err));
    return JAEGER_OK;
}

static bool string_matches(const jg_policy *p, const jaeger_value *value, bool of_span)
{
    const string_config *c = p->config;
    jaeger_str text = value->type == JAEGER_VALUE_STRING ? value->u.s : JAEGER_STR("");
    if (of_span && text.len == 0)
        return false;
    for (size_t i = 0; i < c->values.count; i++) {
        if (c->values.items[i].len == 0) /* the Collector leaves empty values out */
            continue;
        if (c->enabled_regex_matching ? jg_regex_match(&p->regexes[i], text, NULL)
                                      : jg_str_eq(c->values.items[i], text))
            return true;
    }
    return false;
}

static jg_decision string(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const string_config *c = p->config;
    return sampled_if(any_attr(p, view, c->key, string_matches) != c->invert_match);
}

/* ---- probabilistic ---- */

typedef struct probabilistic_config {
    jaeger_str hash_salt;
    double sampling_percentage;
} probabilistic_config;

static const jaeger_field probabilistic_fields[] = {
    {.name = "hash_salt",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(probabilistic_config, hash_salt),
     .doc = "salt; empty: \"default-hash-seed\""},
    {.name = "sampling_percentage",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = offsetof(probabilistic_config, sampling_percentage),
     .doc = "percent of the traces"},
    {0}};

static jaeger_status probabilistic_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    (void)arena, (void)err;
    probabilistic_config *c = p->config;
    if (c->hash_salt.len == 0)
        c->hash_salt = JAEGER_STR("default-hash-seed");
    /* A product with 2^64 - 1 in 64 bits, as the Collector's; a double would round it. */
    long double ratio = (long double)(c->sampling_percentage / 100),
                product = ratio * 18446744073709551615.0L;
    p->threshold = !(ratio > 0) ? 0 : ratio >= 1 ? UINT64_MAX : (uint64_t)product;
    return JAEGER_OK;
}

static jg_decision probabilistic(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const probabilistic_config *c = p->config;
    uint64_t hash = jg_fnv1a_64(JG_FNV1A_64_START, c->hash_salt.ptr, c->hash_salt.len);
    return sampled_if(jg_fnv1a_64(hash, view->trace_id, 16) <= p->threshold);
}

/* ---- status, state, flags, count ---- */

typedef struct status_config {
    jaeger_str_list status_codes;
} status_config;

static const jaeger_field status_fields[] = {{.name = "status_codes",
                                              .kind = JAEGER_FIELD_STRS,
                                              .offset = offsetof(status_config, status_codes),
                                              .doc = "OK, ERROR, UNSET"},
                                             {0}};

static jaeger_status status_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    static const char *const codes[] = {"UNSET", "OK", "ERROR"};
    (void)arena;
    const status_config *c = p->config;
    if (c->status_codes.count == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "expected at least one status code to filter on");
    for (size_t i = 0; i < c->status_codes.count; i++) {
        uint64_t bit = 0;
        for (unsigned k = 0; k < JG_COUNT(codes); k++)
            if (jg_str_is(c->status_codes.items[i], codes[k]))
                bit = 1u << k;
        if (!bit)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "unknown status code \"%.*s\", supported: OK, ERROR, UNSET",
                           JAEGER_STR_ARGS(c->status_codes.items[i]));
        p->threshold |= bit;
    }
    return JAEGER_OK;
}

static jg_decision status(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    jg_tail_spans spans = jg_tail_spans_of(view);
    for (const jaeger_span *span; (span = jg_tail_next(&spans));)
        if (span->status_code <= JAEGER_STATUS_ERROR && p->threshold >> span->status_code & 1)
            return JG_SAMPLED;
    return JG_NOT_SAMPLED;
}

typedef struct state_config {
    jaeger_str key;
    jaeger_str_list values;
} state_config;

static const jaeger_field state_fields[] = {
    {.name = "key", .kind = JAEGER_FIELD_STR, .offset = offsetof(state_config, key), .doc = "key"},
    {.name = "values", .kind = JAEGER_FIELD_STRS, .offset = offsetof(state_config, values), .doc = "values"},
    {0}};

/* The value of `key` in a W3C tracestate; empty: none. */
static jaeger_str state_of(jaeger_str state, jaeger_str key)
{
    while (state.len) {
        jaeger_str entry = {state.ptr, jg_str_find(state, ',')};
        state = jg_str_skip(state, entry.len + 1);
        entry = jg_str_trim(entry);
        size_t at = jg_str_find(entry, '=');
        if (at < entry.len && jg_str_eq((jaeger_str){entry.ptr, at}, key))
            return jg_str_skip(entry, at + 1);
    }
    return JAEGER_STR("");
}

static jg_decision trace_state(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const state_config *c = p->config;
    jg_tail_spans spans = jg_tail_spans_of(view);
    for (const jaeger_span *span; (span = jg_tail_next(&spans));) {
        jaeger_span_rest rest;
        jaeger_span_read_rest(span, &rest);
        jaeger_str value = state_of(rest.trace_state, c->key);
        for (size_t i = 0; i < c->values.count; i++)
            if (value.len && jg_str_eq(value, c->values.items[i]))
                return JG_SAMPLED;
    }
    return JG_NOT_SAMPLED;
}

static jg_decision trace_flags(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)p, (void)err;
    jg_tail_spans spans = jg_tail_spans_of(view);
    for (const jaeger_span *span; (span = jg_tail_next(&spans));)
        if (span->flags & 1)
            return JG_SAMPLED;
    return JG_NOT_SAMPLED;
}

typedef struct count_config {
    int64_t min_spans, max_spans;
} count_config;

static const jaeger_field count_fields[] = {{.name = "min_spans",
                                             .kind = JAEGER_FIELD_I64,
                                             .offset = offsetof(count_config, min_spans),
                                             .doc = "at least"},
                                            {.name = "max_spans",
                                             .kind = JAEGER_FIELD_I64,
                                             .offset = offsetof(count_config, max_spans),
                                             .doc = "at most; 0: no limit"},
                                            {0}};

static jg_decision span_count(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    const count_config *c = p->config;
    int64_t n = (int64_t)view->span_count;
    return sampled_if(n >= c->min_spans && (c->max_spans == 0 || n <= c->max_spans));
}

static bool span_count_is_stateful(const jg_policy *p)
{
    return ((const count_config *)p->config)->max_spans > 0;
}

/* ---- rates ---- */

typedef struct rate_config {
    int64_t per_second, burst_capacity;
} rate_config;

#define RATE_FIELDS(key, what)                                                                               \
    {                                                                                                        \
        {.name = key,                                                                                        \
         .kind = JAEGER_FIELD_I64,                                                                           \
         .offset = offsetof(rate_config, per_second),                                                        \
         .doc = what " a second"},                                                                           \
            {.name = "burst_capacity",                                                                       \
             .kind = JAEGER_FIELD_I64,                                                                       \
             .offset = offsetof(rate_config, burst_capacity),                                                \
             .doc = what " at once; 0: twice as much as in a second"},                                       \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }
static const jaeger_field spans_rate_fields[] = RATE_FIELDS("spans_per_second", "spans");
static const jaeger_field bytes_rate_fields[] = RATE_FIELDS("bytes_per_second", "bytes");

static jaeger_status rate_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    (void)arena, (void)err;
    const rate_config *c = p->config;
    double rate = (double)JG_MAX(c->per_second, 0);
    p->bucket = (jg_tail_bucket){rate, c->burst_capacity > 0 ? (double)c->burst_capacity : 2 * rate, 0, 0};
    return JAEGER_OK;
}

static jg_decision rate_limiting(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    return sampled_if(jg_tail_bucket_take(&p->bucket, view->span_count, view->now_ns));
}

static jg_decision bytes_limiting(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    (void)err;
    return sampled_if(jg_tail_bucket_take(&p->bucket, view->size_bytes, view->now_ns));
}

static bool yes(const jg_policy *p)
{
    (void)p;
    return true;
}

/* ---- ottl_condition ---- */

typedef struct ottl_config {
    int error_mode;
    jaeger_str_list span, spanevent;
} ottl_config;

static const jaeger_field ottl_fields[] = {{.name = "error_mode",
                                            .kind = JAEGER_FIELD_ENUM,
                                            .offset = offsetof(ottl_config, error_mode),
                                            .fallback = "ignore",
                                            .choices = JG_OTTL_ERROR_MODES,
                                            .doc = "a condition that cannot be told"},
                                           {.name = "span",
                                            .kind = JAEGER_FIELD_STRS,
                                            .offset = offsetof(ottl_config, span),
                                            .doc = "OTTL conditions"},
                                           {.name = "spanevent",
                                            .kind = JAEGER_FIELD_STRS,
                                            .offset = offsetof(ottl_config, spanevent),
                                            .doc = "OTTL conditions"},
                                           {0}};

static jaeger_status ottl_add(jg_ottl_set *set, const jaeger_str_list *list, jg_ottl_context context,
                              int mode, jaeger_error *err)
{
    set->error_mode = (jg_ottl_error_mode)mode;
    for (size_t i = 0; i < list->count; i++) {
        jg_ottl *condition;
        JG_TRY(jg_ottl_parse(list->items[i], context, true, &condition, err));
        JG_TRY(jg_ottl_set_add(set, condition, err));
    }
    return JAEGER_OK;
}

static jaeger_status ottl_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    (void)arena;
    const ottl_config *c = p->config;
    if (!c->span.count && !c->spanevent.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "expected at least one OTTL condition to filter on");
    JG_TRY(ottl_add(&p->span, &c->span, JG_OTTL_SPAN, c->error_mode, err));
    return ottl_add(&p->spanevent, &c->spanevent, JG_OTTL_SPANEVENT, c->error_mode, err);
}

static jaeger_status ottl_test(jg_policy *p, const jg_tail_view *view, const jaeger_span *span, bool *ret,
                               jaeger_error *err)
{
    jg_ottl_view at = {.group = span->group, .span = span};
    *ret = false;
    if (p->span.count)
        JG_TRY(jg_ottl_set_test(&p->span, &at, view->scratch, view->log, ret, err));
    if (!p->spanevent.count)
        return JAEGER_OK;
    jaeger_iter it = jaeger_span_events(span);
    for (jaeger_event event; !*ret && jaeger_next_event(&it, &event); at.event_index++) {
        at.event = &event;
        JG_TRY(jg_ottl_set_test(&p->spanevent, &at, view->scratch, view->log, ret, err));
    }
    return JAEGER_OK;
}

static jg_decision ottl(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    jg_tail_spans spans = jg_tail_spans_of(view);
    for (const jaeger_span *span; (span = jg_tail_next(&spans));) {
        bool matches;
        if (ottl_test(p, view, span, &matches, err) != JAEGER_OK)
            return JG_UNDECIDED;
        if (matches)
            return JG_SAMPLED;
    }
    return JG_NOT_SAMPLED;
}

const jg_policy_type jg_policy_span_types[] = {
    {.name = "always_sample", .evaluate = always},
    {"latency", latency_fields, sizeof(latency_config), NULL, latency, latency_is_stateful, false},
    {"numeric_attribute", numeric_fields, sizeof(numeric_config), NULL, numeric, NULL, false},
    {"probabilistic", probabilistic_fields, sizeof(probabilistic_config), probabilistic_make, probabilistic,
     NULL, false},
    {"status_code", status_fields, sizeof(status_config), status_make, status, NULL, false},
    {"string_attribute", string_fields, sizeof(string_config), string_make, string, NULL, false},
    {"boolean_attribute", boolean_fields, sizeof(boolean_config), NULL, boolean, NULL, false},
    {"trace_state", state_fields, sizeof(state_config), NULL, trace_state, NULL, false},
    {"span_count", count_fields, sizeof(count_config), NULL, span_count, span_count_is_stateful, false},
    {"rate_limiting", spans_rate_fields, sizeof(rate_config), rate_make, rate_limiting, yes, false},
    {"bytes_limiting", bytes_rate_fields, sizeof(rate_config), rate_make, bytes_limiting, yes, false},
    {.name = "trace_flags", .evaluate = trace_flags},
    {"ottl_condition", ottl_fields, sizeof(ottl_config), ottl_make, ottl, NULL, false},
    {0}};
