/* SPDX-License-Identifier: Apache-2.0
 * See strategy.h: strategies as clients and proxies get them from a server that may send anything.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "sampling/strategy.h"

typedef struct reader {
    jaeger_arena *arena;
    jaeger_strategy *ret;
    jaeger_operation_rate *operations;
    size_t count, cap;
    bool too_many;
} reader;

/** Room for one more operation; NULL: too many, or out of memory. */
static jaeger_operation_rate *add_operation(reader *r)
{
    jaeger_operation_rate *grown = NULL;
    if (r->count < JG_SAMPLING_OPERATIONS_MAX)
        grown = jg_arena_grow(r->arena, r->operations, r->count, &r->cap, sizeof *grown);
    if (!grown) {
        r->too_many = true;
        return NULL;
    }
    r->operations = grown;
    grown[r->count] = (jaeger_operation_rate){.operation = JAEGER_STR("")};
    return &grown[r->count++];
}

static jaeger_status finish(reader *r, bool ok, const char *fault, jaeger_error *err)
{
    if (r->too_many)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED,
                       "sampling strategy: more than %u operations, or out of memory",
                       JG_SAMPLING_OPERATIONS_MAX);
    if (!ok)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "sampling strategy: %s", fault);
    r->ret->operations = r->operations;
    r->ret->operation_count = r->count;
    return JAEGER_OK;
}

/* ---- JSON ---- */

static jaeger_str text_of(reader *r, jg_json_in *in, jg_json_text text)
{
    if (!text.escaped)
        return text.raw;
    char *out = jaeger_arena_alloc(r->arena, text.raw.len + 1);
    if (!out) {
        (void)jg_json_in_fail(in, "out of memory");
        return JAEGER_STR("");
    }
    return (jaeger_str){out, jg_json_in_unescape(text.raw, out)};
}

static bool is_null(jg_json_in *in)
{
    return jg_json_in_peek(in) == JG_JSON_NULL && jg_json_in_null(in);
}

static void json_number(jg_json_in *in, double *ret)
{
    if (!is_null(in))
        (void)jg_json_in_double(in, true, ret);
}

/** An object with one number of interest. @return false: null */
static bool json_number_in(jg_json_in *in, const char *name, double *ret)
{
    jg_json_text key;
    if (is_null(in) || !jg_json_in_object(in))
        return false;
    while (jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, jg_str(name)))
            json_number(in, ret);
        else
            (void)jg_json_in_skip(in);
    }
    return true;
}

static void json_operation(reader *r, jg_json_in *in)
{
    jg_json_text key, text;
    jaeger_operation_rate *o = add_operation(r);
    if (!o || !jg_json_in_object(in))
        return;
    while (jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("operation"))) {
            if (jg_json_in_str(in, &text))
                o->operation = text_of(r, in, text);
        } else if (jg_json_in_is(key, JAEGER_STR("probabilisticSampling"))) {
            (void)json_number_in(in, "samplingRate", &o->rate);
        } else {
            (void)jg_json_in_skip(in);
        }
    }
}

static void json_operations(reader *r, jg_json_in *in)
{
    jg_json_text key;
    if (is_null(in) || !jg_json_in_object(in))
        return;
    r->ret->has_operations = true;
    while (!r->too_many && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("defaultSamplingProbability"))) {
            json_number(in, &r->ret->default_rate);
        } else if (jg_json_in_is(key, JAEGER_STR("defaultLowerBoundTracesPerSecond"))) {
            json_number(in, &r->ret->lower_bound);
        } else if (jg_json_in_is(key, JAEGER_STR("defaultUpperBoundTracesPerSecond"))) {
            json_number(in, &r->ret->upper_bound);
        } else if (jg_json_in_is(key, JAEGER_STR("perOperationStrategies"))) {
            if (!is_null(in) && jg_json_in_array(in))
                while (!r->too_many && jg_json_in_item(in))
                    json_operation(r, in);
        } else {
            (void)jg_json_in_skip(in);
        }
    }
}

static void json_kind(reader *r, jg_json_in *in)
{
    jg_json_text text;
    int64_t number = 0;
    bool limiting = false;
    if (jg_json_in_peek(in) == JG_JSON_STRING)
        limiting = jg_json_in_str(in, &text) && jg_json_in_is(text, JAEGER_STR("RATE_LIMITING"));
    else
        limiting = jg_json_in_i64(in, false, &number) && number == JAEGER_STRATEGY_RATE_LIMITING;
    r->ret->kind = limiting ? JAEGER_STRATEGY_RATE_LIMITING : JAEGER_STRATEGY_PROBABILISTIC;
}

static void json_member(reader *r, jg_json_in *in, jg_json_text key)
{
    if (jg_json_in_is(key, JAEGER_STR("strategyType"))) {
        json_kind(r, in);
    } else if (jg_json_in_is(key, JAEGER_STR("probabilisticSampling"))) {
        r->ret->has_rate = json_number_in(in, "samplingRate", &r->ret->rate);
    } else if (jg_json_in_is(key, JAEGER_STR("rateLimitingSampling"))) {
        double limit = 0;
        r->ret->has_limit = json_number_in(in, "maxTracesPerSecond", &limit);
        r->ret->traces_per_second_max = limit >= INT32_MAX ? INT32_MAX : limit > 0 ? (int32_t)limit : 0;
    } else if (jg_json_in_is(key, JAEGER_STR("operationSampling"))) {
        json_operations(r, in);
    } else {
        (void)jg_json_in_skip(in);
    }
}

jaeger_status jg_strategy_read_json(jaeger_str text, jaeger_arena *arena, jaeger_strategy *ret,
                                    jaeger_error *err)
{
    jaeger_strategy strategy = {0};
    reader r = {.arena = arena, .ret = &strategy};
    jg_json_in in = jg_json_in_of(text);
    jg_json_text key;
    if (jg_json_in_object(&in))
        while (!r.too_many && jg_json_in_key(&in, &key))
            json_member(&r, &in, key);
    bool ok = jg_json_in_end(&in);
    JG_TRY(finish(&r, ok, in.fault ? in.fault : "not JSON", err));
    *ret = strategy;
    return JAEGER_OK;
}

/* ---- protobuf ---- */

static double number_of(const jg_pb_field *f)
{
    double value = 0;
    if (f->wire == JG_PB_FIXED64)
        memcpy(&value, &f->varint, sizeof value);
    return value == value ? value : 0;
}

/** Field 1 of a small message. @return false: not a message */
static bool pb_first(const jg_pb_field *message, jg_pb_field *ret)
{
    jg_pb pb = jg_pb_of(message->ptr, message->len);
    jg_pb_field f;
    *ret = (jg_pb_field){0};
    while (message->wire == JG_PB_LEN && jg_pb_next(&pb, &f))
        if (f.number == 1)
            *ret = f;
    return !pb.bad && message->wire == JG_PB_LEN;
}

static bool pb_operation(reader *r, const jg_pb_field *message)
{
    if (message->wire != JG_PB_LEN)
        return false;
    jg_pb pb = jg_pb_of(message->ptr, message->len);
    jg_pb_field f, rate;
    jaeger_operation_rate *o = add_operation(r);
    while (o && jg_pb_next(&pb, &f)) {
        if (f.number == 1 && f.wire == JG_PB_LEN) {
            o->operation = jg_pb_str(&f);
        } else if (f.number == 2) {
            if (!pb_first(&f, &rate))
                return false;
            o->rate = number_of(&rate);
        }
    }
    return o && !pb.bad;
}

static bool pb_operations(reader *r, const jg_pb_field *message)
{
    if (message->wire != JG_PB_LEN)
        return false;
    jg_pb pb = jg_pb_of(message->ptr, message->len);
    jg_pb_field f;
    bool ok = true;
    r->ret->has_operations = true;
    while (ok && jg_pb_next(&pb, &f)) {
        if (f.number == 1)
            r->ret->default_rate = number_of(&f);
        else if (f.number == 2)
            r->ret->lower_bound = number_of(&f);
        else if (f.number == 3)
            ok = pb_operation(r, &f);
        else if (f.number == 4)
            r->ret->upper_bound = number_of(&f);
    }
    return ok && !pb.bad;
}

jaeger_status jg_strategy_read_pb(jaeger_str message, jaeger_arena *arena, jaeger_strategy *ret,
                                  jaeger_error *err)
{
    jaeger_strategy strategy = {0};
    reader r = {.arena = arena, .ret = &strategy};
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f, inner;
    bool ok = true;
    while (ok && jg_pb_next(&pb, &f)) {
        if (f.number == 1) {
            strategy.kind = f.varint == 1 ? JAEGER_STRATEGY_RATE_LIMITING : JAEGER_STRATEGY_PROBABILISTIC;
        } else if (f.number == 2) {
            ok = strategy.has_rate = pb_first(&f, &inner);
            strategy.rate = number_of(&inner);
        } else if (f.number == 3) {
            ok = strategy.has_limit = pb_first(&f, &inner);
            strategy.traces_per_second_max = (int32_t)inner.varint;
        } else if (f.number == 4) {
            ok = pb_operations(&r, &f);
        }
    }
    JG_TRY(finish(&r, ok && !pb.bad, "not a SamplingStrategyResponse", err));
    *ret = strategy;
    return JAEGER_OK;
}

bool jg_strategy_read_request(jaeger_str message, jaeger_str *ret_service)
{
    jg_pb pb = jg_pb_of_str(message);
    jg_pb_field f;
    jaeger_str service = JAEGER_STR("");
    while (jg_pb_next(&pb, &f)) {
        if (f.number != 1)
            continue;
        if (f.wire != JG_PB_LEN)
            return false;
        service = jg_pb_str(&f);
    }
    *ret_service = service;
    return !pb.bad && jg_utf8_valid(service);
}
