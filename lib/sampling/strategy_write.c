/* SPDX-License-Identifier: Apache-2.0
 * See strategy.h. JSON as gogo's jsonpb writes it with EmitDefaults, less the null members.
 */
#include "core/json_out.h"
#include "core/pb.h"
#include "sampling/strategy.h"

enum { F_KIND = 1, F_PROBABILISTIC, F_RATE_LIMITING, F_OPERATIONS };
enum { F_DEFAULT_RATE = 1, F_LOWER_BOUND, F_PER_OPERATION, F_UPPER_BOUND };

static void json_number(jg_json_out *json, jaeger_str key, double value)
{
    jg_json_key(json, key);
    jg_json_double(json, value, 1);
}

static void json_rate(jg_json_out *json, double rate)
{
    jg_json_key_lit(json, "probabilisticSampling");
    jg_json_object(json);
    json_number(json, JAEGER_STR("samplingRate"), rate);
    jg_json_end(json);
}

static void json_operations(jg_json_out *json, const jaeger_strategy *s)
{
    jg_json_key_lit(json, "operationSampling");
    jg_json_object(json);
    json_number(json, JAEGER_STR("defaultSamplingProbability"), s->default_rate);
    json_number(json, JAEGER_STR("defaultLowerBoundTracesPerSecond"), s->lower_bound);
    jg_json_key_lit(json, "perOperationStrategies");
    jg_json_array(json);
    for (size_t i = 0; i < s->operation_count; i++) {
        jg_json_object(json);
        jg_json_key_lit(json, "operation");
        jg_json_str(json, s->operations[i].operation);
        json_rate(json, s->operations[i].rate);
        jg_json_end(json);
    }
    jg_json_end(json);
    json_number(json, JAEGER_STR("defaultUpperBoundTracesPerSecond"), s->upper_bound);
    jg_json_end(json);
}

void jg_strategy_write_json(jg_buf *out, const jaeger_strategy *s)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    bool limiting = s->kind == JAEGER_STRATEGY_RATE_LIMITING;
    json.html = true;
    jg_json_object(&json);
    jg_json_key_lit(&json, "strategyType");
    jg_json_str(&json, limiting ? JAEGER_STR("RATE_LIMITING") : JAEGER_STR("PROBABILISTIC"));
    if (s->has_rate)
        json_rate(&json, s->rate);
    if (s->has_limit) {
        jg_json_key_lit(&json, "rateLimitingSampling");
        jg_json_object(&json);
        jg_json_key_lit(&json, "maxTracesPerSecond");
        jg_json_i64(&json, s->traces_per_second_max);
        jg_json_end(&json);
    }
    if (s->has_operations)
        json_operations(&json, s);
    jg_json_end(&json);
}

static void pb_number(jg_buf *out, uint32_t field, double value)
{
    if (value != 0)
        jg_pb_write_double(out, field, value);
}

static void pb_rate(jg_buf *out, uint32_t field, double rate)
{
    size_t mark = jg_pb_begin(out, field, 1);
    pb_number(out, 1, rate);
    jg_pb_end(out, mark, 1);
}

static void pb_operations(jg_buf *out, const jaeger_strategy *s)
{
    size_t all = jg_pb_begin(out, F_OPERATIONS, 2);
    pb_number(out, F_DEFAULT_RATE, s->default_rate);
    pb_number(out, F_LOWER_BOUND, s->lower_bound);
    for (size_t i = 0; i < s->operation_count; i++) {
        size_t one = jg_pb_begin(out, F_PER_OPERATION, 1);
        if (s->operations[i].operation.len)
            jg_pb_write_str(out, 1, s->operations[i].operation);
        pb_rate(out, 2, s->operations[i].rate);
        jg_pb_end(out, one, 1);
    }
    pb_number(out, F_UPPER_BOUND, s->upper_bound);
    jg_pb_end(out, all, 2);
}

void jg_strategy_write_pb(jg_buf *out, const jaeger_strategy *s)
{
    if (s->kind)
        jg_pb_write_varint(out, F_KIND, (uint64_t)s->kind);
    if (s->has_rate)
        pb_rate(out, F_PROBABILISTIC, s->rate);
    if (s->has_limit) {
        size_t mark = jg_pb_begin(out, F_RATE_LIMITING, 1);
        if (s->traces_per_second_max)
            jg_pb_write_varint(out, 1, (uint64_t)(int64_t)s->traces_per_second_max);
        jg_pb_end(out, mark, 1);
    }
    if (s->has_operations)
        pb_operations(out, s);
}

void jg_strategy_write_request(jg_buf *out, jaeger_str service)
{
    if (service.len)
        jg_pb_write_str(out, 1, service);
}
