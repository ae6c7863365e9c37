/* SPDX-License-Identifier: Apache-2.0
 * See strategies_file.h. The default strategy may stand after the services, so services are read first and
 * merged at the end. A service without operations shares the default's array; one with its own gets an array
 * of both, and the sum of these arrays is bounded.
 */
#include "sampling/strategies_file.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/limits.h"
#include "core/str.h"

/** One strategy as it stands in the file. */
typedef struct entry {
    jaeger_str service, type;
    double param;
    jaeger_operation_rate *operations; /* probabilistic ones */
    size_t operation_count, operation_cap;
    bool has_operations; /* some were listed, even if all were left out */
} entry;

typedef struct operation_entry {
    jaeger_str operation, type;
    double param;
} operation_entry;

typedef struct reader {
    const jg_strategies_options *options;
    jg_strategy_set *set;
    jg_json_in in;
    entry fallback;
    bool has_fallback;
    entry *services;
    size_t service_count, service_cap;
    size_t operations; /* all that is kept, merged ones included */
    const char *over;  /* which limit; NULL: none */
} reader;

static bool is_null(reader *r)
{
    return jg_json_in_peek(&r->in) == JG_JSON_NULL && jg_json_in_null(&r->in);
}

static bool key_is(jg_json_text key, const char *name)
{
    char text[64];
    if (key.raw.len > sizeof text)
        return false;
    jaeger_str plain = {text, jg_json_in_unescape(key.raw, text)};
    return jg_str_eq_nocase(plain, jg_str(name));
}

static bool is_over(reader *r, const char *limit)
{
    if (!r->over)
        r->over = limit;
    (void)jg_json_in_fail(&r->in, limit);
    return true;
}

/** Bytes that are not UTF-8 become U+FFFD, as in Go: the reply must be valid. */
static size_t repair(const char *text, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t step = jg_utf8_step((const uint8_t *)text + i, len - i);
        memcpy(out + n, step ? text + i : "\xef\xbf\xbd", step ? step : 3);
        n += step ? step : 3;
        i += step ? step : 1;
    }
    return n;
}

static void read_text(reader *r, jaeger_str *ret)
{
    jg_json_text text;
    if (is_null(r) || !jg_json_in_str(&r->in, &text))
        return;
    char *out = jaeger_arena_alloc(r->set->arena, text.raw.len + 1);
    size_t len = out ? jg_json_in_unescape(text.raw, out) : 0;
    if (out && !jg_utf8_valid((jaeger_str){out, len})) {
        char *valid = jaeger_arena_alloc(r->set->arena, 3 * len);
        len = valid ? repair(out, len, valid) : 0;
        out = valid;
    }
    if (out)
        *ret = (jaeger_str){out, len};
    else
        (void)is_over(r, "too large");
}

static void read_number(reader *r, double *ret)
{
    if (!is_null(r))
        (void)jg_json_in_double(&r->in, false, ret);
}

static bool is_limiting(jaeger_str type)
{
    return jg_str_is(type, "ratelimiting");
}

static bool is_probabilistic(jaeger_str type)
{
    return jg_str_is(type, "probabilistic");
}

static void warn_of_type(const reader *r, jaeger_str what, jaeger_str type)
{
    if (r->options->log)
        jaeger_log(
            r->options->log, JAEGER_WARN,
            "unknown type of sampling strategy, using the default probability name=\"%.*s\" type=\"%.*s\"",
            JAEGER_STR_ARGS(what), JAEGER_STR_ARGS(type));
}

/** @return false: not one that is served */
static bool operation_rate(const reader *r, const operation_entry *o, double *ret)
{
    if (is_limiting(o->type)) {
        if (r->options->log)
            jaeger_log(r->options->log, JAEGER_WARN,
                       "operations can only be sampled by probability, leaving out operation=\"%.*s\"",
                       JAEGER_STR_ARGS(o->operation));
        return false;
    }
    if (!is_probabilistic(o->type))
        warn_of_type(r, o->operation, o->type);
    *ret = is_probabilistic(o->type) ? o->param : r->options->default_rate;
    return true;
}

static void read_operation(reader *r, entry *e)
{
    operation_entry o = {JAEGER_STR(""), JAEGER_STR(""), 0};
    jg_json_text key;
    if (!jg_json_in_object(&r->in))
        return;
    while (jg_json_in_key(&r->in, &key)) {
        if (key_is(key, "operation"))
            read_text(r, &o.operation);
        else if (key_is(key, "type"))
            read_text(r, &o.type);
        else if (key_is(key, "param"))
            read_number(r, &o.param);
        else
            (void)jg_json_in_skip(&r->in);
    }
    double rate;
    e->has_operations = true;
    if (r->in.fault || !operation_rate(r, &o, &rate))
        return;
    if (r->operations++ >= JG_SAMPLING_OPERATIONS_MAX && is_over(r, "too many operations"))
        return;
    jaeger_operation_rate *grown =
        jg_arena_grow(r->set->arena, e->operations, e->operation_count, &e->operation_cap, sizeof *grown);
    if (!grown && is_over(r, "too large"))
        return;
    e->operations = grown;
    grown[e->operation_count++] = (jaeger_operation_rate){o.operation, rate};
}

static void read_operations(reader *r, entry *e)
{
    e->operations = NULL;
    e->operation_count = e->operation_cap = 0;
    e->has_operations = false;
    if (!is_null(r) && jg_json_in_array(&r->in))
        while (jg_json_in_item(&r->in))
            read_operation(r, e);
}

static void read_entry(reader *r, entry *e)
{
    jg_json_text key;
    *e = (entry){.service = JAEGER_STR(""), .type = JAEGER_STR("")};
    if (!jg_json_in_object(&r->in))
        return;
    while (jg_json_in_key(&r->in, &key)) {
        if (key_is(key, "service"))
            read_text(r, &e->service);
        else if (key_is(key, "type"))
            read_text(r, &e->type);
        else if (key_is(key, "param"))
            read_number(r, &e->param);
        else if (key_is(key, "operation_strategies"))
            read_operations(r, e);
        else
            (void)jg_json_in_skip(&r->in);
    }
}

static void read_services(reader *r)
{
    r->service_count = 0;
    if (is_null(r) || !jg_json_in_array(&r->in))
        return;
    while (jg_json_in_item(&r->in)) {
        entry *grown = NULL;
        if (r->service_count < JG_SAMPLING_SERVICES_MAX)
            grown =
                jg_arena_grow(r->set->arena, r->services, r->service_count, &r->service_cap, sizeof *grown);
        if (!grown && is_over(r, "too many services"))
            return;
        r->services = grown;
        read_entry(r, &grown[r->service_count++]);
    }
}

static void read_file(reader *r)
{
    jg_json_text key;
    if (is_null(r) || !jg_json_in_object(&r->in))
        return;
    while (jg_json_in_key(&r->in, &key)) {
        if (key_is(key, "default_strategy")) {
            r->has_fallback = !is_null(r);
            if (r->has_fallback)
                read_entry(r, &r->fallback);
        } else if (key_is(key, "service_strategies")) {
            read_services(r);
        } else {
            (void)jg_json_in_skip(&r->in);
        }
    }
}

/* ---- merging ---- */

/** As CVTTSD2SI does, and so Go on amd64: what does not fit is the smallest number. */
static int32_t truncated(double value)
{
    return value > -2147483649.0 && value < 2147483648.0 ? (int32_t)value : INT32_MIN;
}

static jaeger_strategy strategy_of(const reader *r, const entry *e)
{
    jaeger_strategy s = {.operations = e->operations, .operation_count = e->operation_count};
    if (is_limiting(e->type)) {
        s.kind = JAEGER_STRATEGY_RATE_LIMITING;
        s.has_limit = true;
        s.traces_per_second_max = truncated(e->param);
    } else {
        if (!is_probabilistic(e->type))
            warn_of_type(r, e->service, e->type);
        s.has_rate = true;
        s.rate = is_probabilistic(e->type) ? e->param : r->options->default_rate;
    }
    s.has_operations = e->has_operations;
    s.default_rate = !s.has_operations ? 0 : s.has_rate ? s.rate : r->options->default_rate;
    return s;
}

/** Own operations, then those of the default that have no rule of their own. @return false: over a limit */
static bool append_default(reader *r, jaeger_strategy *s)
{
    const jaeger_strategy *more = &r->set->fallback;
    size_t count = s->operation_count, all = count + more->operation_count;
    if (!more->operation_count)
        return true;
    r->operations += all;
    jaeger_operation_rate *merged = NULL;
    if (r->operations <= JG_SAMPLING_OPERATIONS_MAX)
        merged = jaeger_arena_alloc(r->set->arena, all * sizeof *merged);
    jg_map own = {0};
    bool ok = merged;
    if (ok && count)
        memcpy(merged, s->operations, count * sizeof *merged);
    for (size_t i = 0; ok && i < s->operation_count; i++) {
        jg_map_entry *e = jg_map_put(&own, s->operations[i].operation, &(bool){false});
        ok = e;
        if (e)
            e->value = &own;
    }
    for (size_t i = 0; ok && i < more->operation_count; i++)
        if (!jg_map_get(&own, more->operations[i].operation))
            merged[count++] = more->operations[i];
    jg_map_done(&own);
    s->operations = merged;
    s->operation_count = count;
    return ok;
}

static bool merge_service(reader *r, const entry *e)
{
    const jaeger_strategy *fallback = &r->set->fallback;
    jaeger_strategy *s = jaeger_arena_alloc(r->set->arena, sizeof *s);
    if (!s)
        return false;
    *s = strategy_of(r, e);
    if (fallback->has_operations && !s->has_operations) {
        s->has_operations = true;
        s->operations = fallback->operations;
        s->operation_count = fallback->operation_count;
        s->default_rate = s->has_rate ? s->rate : fallback->default_rate;
    } else if (fallback->has_operations && !append_default(r, s)) {
        return false;
    }
    bool is_new;
    jg_map_entry *slot = jg_map_put(&r->set->services, e->service, &is_new);
    if (slot)
        slot->value = s;
    return slot;
}

static bool merge(reader *r)
{
    r->set->fallback = (jaeger_strategy){.has_rate = true, .rate = r->options->default_rate};
    if (r->has_fallback)
        r->set->fallback = strategy_of(r, &r->fallback);
    for (size_t i = 0; i < r->service_count; i++)
        if (!merge_service(r, &r->services[i]))
            return false;
    return true;
}

/* ---- the whole ---- */

static jaeger_status fault_at(const reader *r, jaeger_str text, jaeger_error *err)
{
    size_t line = 1, line_start = 0, at = JG_MIN(jg_json_in_offset(&r->in), text.len);
    for (size_t i = 0; i < at; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    return jg_fail(err, r->over ? JAEGER_RESOURCE_EXHAUSTED : JAEGER_INVALID_ARGUMENT, "%s:%zu:%zu: %s",
                   r->options->name, line, at - line_start + 1, r->in.fault ? r->in.fault : "not JSON");
}

jaeger_status jg_strategies_read(jaeger_str text, const jg_strategies_options *options, jg_strategy_set **ret,
                                 jaeger_error *err)
{
    reader r = {.options = options, .in = jg_json_in_of(text)};
    if (text.len > JG_SAMPLING_FILE_BYTES_MAX)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%s: larger than %u bytes", options->name,
                       JG_SAMPLING_FILE_BYTES_MAX);
    r.set = jg_strategy_set_new(JG_SAMPLING_SET_BYTES_MAX);
    if (!r.set)
        return jg_fail_oom(err);
    read_file(&r);
    jaeger_status status = JAEGER_OK;
    if (!jg_json_in_end(&r.in))
        status = fault_at(&r, text, err);
    else if (!merge(&r))
        status = jg_fail(err, JAEGER_RESOURCE_EXHAUSTED,
                         "%s: more than %u operations after merging the default's, or out of memory",
                         options->name, JG_SAMPLING_OPERATIONS_MAX);
    if (status == JAEGER_OK)
        *ret = r.set;
    else
        jg_strategy_set_unref(r.set);
    return status;
}

jg_strategy_set *jg_strategies_default(double default_rate)
{
    jg_strategy_set *set = jg_strategy_set_new(JG_SAMPLING_SET_BYTES_MAX);
    if (set)
        set->fallback = (jaeger_strategy){.has_rate = true, .rate = default_rate};
    return set;
}
