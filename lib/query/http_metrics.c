/* SPDX-License-Identifier: Apache-2.0
 * /api/metrics/{latencies,calls,errors}: a MetricFamily as JSON, without the legacy envelope.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "query/http_api.h"
#include "query/metrics.h"
#include "wire/rfc3339.h"

#define LOOKBACK_DEFAULT_MS 3600000
#define STEP_DEFAULT_MS     5000
#define RATE_DEFAULT_MS     600000
#define SPAN_MS_MAX         (3660ll * 86400000) /* ten years: keeps sums of times far from overflow */
#define SERVICES_MAX        1000

/* ---- parameters ---- */

static jaeger_status read_services(const jg_http_call *c, jg_metrics_query *q, jaeger_error *err)
{
    jaeger_str value, *services = NULL;
    size_t cap = 0;
    for (size_t at = 0; q->service_count < SERVICES_MAX && jg_http_param_next(c, "service", &at, &value);) {
        services = jg_arena_grow(c->call->arena, services, q->service_count, &cap, sizeof *services);
        if (!services)
            return jg_fail_oom(err);
        services[q->service_count++] = value;
    }
    q->services = services;
    return q->service_count
               ? JAEGER_OK
               : jg_fail(err, JAEGER_INVALID_ARGUMENT,
                         "unable to parse param 'service': please provide at least one service name");
}

static jaeger_status read_kinds(const jg_http_call *c, jg_metrics_query *q, jaeger_error *err)
{
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    jaeger_str value;
    for (size_t at = 0; jg_http_param_next(c, "spanKind", &at, &value);) {
        uint32_t bit = 0;
        for (size_t i = 0; i < JG_COUNT(kinds); i++)
            if (jg_str_eq_nocase(value, jg_str(kinds[i])))
                bit = 1u << i;
        if (!bit)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "unable to parse param 'spanKind': unsupported span kind: '%.*s'",
                           JAEGER_STR_ARGS(value));
        q->kinds |= bit;
    }
    if (!q->kinds)
        q->kinds = 1u << JAEGER_KIND_SERVER;
    return JAEGER_OK;
}

static jaeger_status read_params(const jg_http_call *c, jg_metrics_query *q, jaeger_error *err)
{
    int64_t end = (int64_t)(jg_clock_unix_ns() / JG_NS_PER_MS), lookback = LOOKBACK_DEFAULT_MS,
            step = STEP_DEFAULT_MS, rate = RATE_DEFAULT_MS;
    JG_TRY(read_services(c, q, err));
    JG_TRY(jg_api_bool_param(c, "groupByOperation", &q->by_operation, err));
    JG_TRY(read_kinds(c, q, err));
    JG_TRY(jg_api_int_param(c, "endTs", &end, err));
    JG_TRY(jg_api_int_param(c, "lookback", &lookback, err));
    JG_TRY(jg_api_int_param(c, "step", &step, err));
    JG_TRY(jg_api_int_param(c, "ratePer", &rate, err));
    if (end < 0 || end > INT64_MAX / (int64_t)JG_NS_PER_MS || lookback < 0 || lookback > SPAN_MS_MAX ||
        lookback > end || step <= 0 || step > SPAN_MS_MAX || rate <= 0 || rate > SPAN_MS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "endTs, lookback, step or ratePer is out of range");
    if (lookback / step >= JG_METRICS_POINTS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "exceeded maximum resolution of %d points per timeseries", JG_METRICS_POINTS_MAX);
    q->end_ms = (uint64_t)end;
    q->lookback_ms = (uint64_t)lookback;
    q->step_ms = (uint64_t)step;
    q->rate_ms = (uint64_t)rate;
    return JAEGER_OK;
}

/* ---- the answer ---- */

static void write_label(jg_json_out *json, const jaeger_pair *label)
{
    jg_json_object(json);
    jg_json_key_lit(json, "name");
    jg_json_str(json, jg_str_is(label->key, "span_name") ? JAEGER_STR("operation") : label->key);
    jg_json_key_lit(json, "value");
    jg_json_str(json, label->value);
    jg_json_end(json);
}

static void write_point(jg_json_out *json, const jg_metrics_point *point)
{
    char text[40];
    size_t len = jg_rfc3339_format((int64_t)(point->time_ms / 1000),
                                   (uint32_t)(point->time_ms % 1000) * 1000000u, text);
    jg_json_object(json);
    jg_json_key_lit(json, "gaugeValue");
    jg_json_object(json);
    jg_json_key_lit(json, "doubleValue");
    jg_json_double(json, point->value, 1);
    jg_json_end(json);
    jg_json_key_lit(json, "timestamp");
    jg_json_str(json, (jaeger_str){text, len});
    jg_json_end(json);
}

static bool write_series(jg_http_call *c, const jg_metrics_series *s)
{
    jg_json_flush flush = jg_http_flush(c);
    jg_json_out *json = &c->json;
    jg_json_object(json);
    jg_json_key_lit(json, "labels");
    jg_json_array(json);
    for (size_t i = 0; i < s->label_count; i++)
        write_label(json, &s->labels[i]);
    jg_json_end(json);
    jg_json_key_lit(json, "metricPoints");
    jg_json_array(json);
    for (size_t i = 0; i < s->point_count; i++) {
        write_point(json, &s->points[i]);
        if (c->body.len >= flush.at_bytes && flush.flush(flush.self, &c->body) != JAEGER_OK)
            return false;
    }
    jg_json_end(json);
    jg_json_end(json);
    return true;
}

static void write_head(jg_http_call *c, const jg_metrics_query *q)
{
    static const char *const names[] = {"latencies", "call_rate", "error_rate"};
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(256);
    const char *grouped = q->by_operation ? "_operation" : "";
    jg_buf_printf(&text, "service%s_%s", grouped, names[q->what]);
    jg_json_key_lit(&c->json, "name");
    jg_json_str(&c->json, jg_buf_view(&text));
    jg_json_key_lit(&c->json, "type");
    jg_json_str(&c->json, JAEGER_STR("GAUGE"));
    jg_buf_clear(&text);
    if (q->what == JG_METRICS_LATENCIES)
        jg_buf_printf(&text, "%.2fth quantile latency", q->quantile);
    else if (q->what == JG_METRICS_CALLS)
        jg_buf_lit(&text, "calls/sec");
    else
        jg_buf_lit(&text, "error rate, computed as a fraction of errors/sec over calls/sec");
    jg_buf_printf(&text, ", grouped by service%s", q->by_operation ? " & operation" : "");
    jg_json_key_lit(&c->json, "help");
    jg_json_str(&c->json, jg_buf_view(&text));
}

static void write_family(jg_http_call *c, const jg_metrics_query *q, const jg_metrics_result *result)
{
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    write_head(c, q);
    jg_json_key_lit(&c->json, "metrics");
    jg_json_array(&c->json);
    for (size_t i = 0; i < result->count; i++)
        if (!write_series(c, &result->items[i])) {
            jg_http_cut(c);
            return;
        }
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

static void answer(jg_http_call *c, jg_metrics_query *q)
{
    jaeger_error err = {0};
    jg_metrics_result result = {0};
    if (read_params(c, q, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    if (!c->http->spm) {
        jg_api_fail(c, 501,
                    JAEGER_STR("trace metrics are currently disabled - no metrics backend configured"));
        return;
    }
    if (!c->http->spm->knows_tenants && c->call->user_tenants &&
        !jg_tenancy_allows(&(jg_tenancy){0}, JAEGER_STR("*"), c->call)) {
        jg_api_fail(
            c, 403,
            JAEGER_STR("this metrics backend does not keep tenants apart, so it answers only logins with "
                       "tenants: [\"*\"]"));
        return;
    }
    jaeger_status status = c->http->spm->query(c->http->spm->self, q, &result, c->call);
    if (status == JAEGER_OK)
        write_family(c, q, &result);
    else
        jg_api_fail_query(c, status);
}

void jg_api_calls(jg_http_call *c)
{
    jg_metrics_query q = {.what = JG_METRICS_CALLS};
    answer(c, &q);
}

void jg_api_errors(jg_http_call *c)
{
    jg_metrics_query q = {.what = JG_METRICS_ERRORS};
    answer(c, &q);
}

void jg_api_latencies(jg_http_call *c)
{
    jg_metrics_query q = {.what = JG_METRICS_LATENCIES};
    jaeger_error err = {0};
    if (jg_go_double(jg_http_param(c, "quantile"), &q.quantile, &err) != JAEGER_OK) {
        (void)jg_api_prefix_param(&err, "quantile");
        jg_api_fail_parse(c, &err);
        return;
    }
    answer(c, &q);
}
