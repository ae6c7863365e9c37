/* SPDX-License-Identifier: Apache-2.0
 * See metrics.h: questions in PromQL, answered by Prometheus' HTTP API.
 * Spec: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/str.h"
#include "net/http_client.h"
#include "query/metrics.h"
#include <math.h>
#include <stdio.h>

#define ANSWER_BYTES_MAX (64u << 20)
#define TOKEN_BYTES_MAX  (64u << 10)

typedef struct prometheus {
    jg_prometheus_config config;
    jg_http_client_settings settings;
    jg_http_client *client;
    jaeger_arena *arena;
} prometheus;

/* ---- asking ---- */

static void put_kinds(jg_buf *out, uint32_t kinds)
{
    static const char *const names[] = {"UNSPECIFIED", "INTERNAL", "SERVER",
                                        "CLIENT",      "PRODUCER", "CONSUMER"};
    bool any = false;
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        if (!(kinds & 1u << i))
            continue;
        jg_buf_printf(out, "%sSPAN_KIND_%s", any ? "|" : "", names[i]);
        any = true;
    }
}

/** Go's duration, cut after its first unit: 90 s is "1m". */
static void put_range(jg_buf *out, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    for (size_t i = 0; i < JG_COUNT(units); i++)
        if (ms >= units[i].ms || i + 1 == JG_COUNT(units)) {
            jg_buf_printf(out, "[%llu%s]", (unsigned long long)(ms / units[i].ms), units[i].unit);
            return;
        }
}

/** sum(rate(name{…}[10m])) by (…). Service names are not escaped for regular expressions, as in Jaeger;
 * quotes and backslashes are, so that a name cannot leave its string. */
static void put_rate(jg_buf *out, const jg_prometheus_config *c, const jg_metrics_query *q, bool errors)
{
    bool latency = q->what == JG_METRICS_LATENCIES;
    jg_buf_printf(out, "sum(rate(%.*s_", JAEGER_STR_ARGS(c->metric_namespace));
    if (latency)
        jg_buf_printf(out, "duration%s_bucket",
                      !c->normalize_duration ? ""
                      : c->latency_unit      ? "_seconds"
                                             : "_milliseconds");
    else
        jg_buf_printf(out, "calls%s", c->normalize_calls ? "_total" : "");
    jg_buf_lit(out, "{service_name =~ \"");
    for (size_t i = 0; i < q->service_count; i++) {
        if (i)
            jg_buf_byte(out, '|');
        for (size_t k = 0; k < q->services[i].len; k++) {
            char one = q->services[i].ptr[k];
            if (one == '"' || one == '\\')
                jg_buf_byte(out, '\\');
            if (one == '\n')
                jg_buf_lit(out, "\\n");
            else
                jg_buf_byte(out, (uint8_t)one);
        }
    }
    jg_buf_lit(out, "\", ");
    if (errors)
        jg_buf_lit(out, "status_code = \"STATUS_CODE_ERROR\", ");
    jg_buf_lit(out, "span_kind =~ \"");
    put_kinds(out, q->kinds);
    jg_buf_lit(out, "\"}");
    put_range(out, q->rate_ms);
    jg_buf_printf(out, ")) by (service_name%s%s)", q->by_operation ? ",span_name" : "", latency ? ",le" : "");
}

void jg_prometheus_write_query(jg_buf *out, const jg_prometheus_config *c, const jg_metrics_query *q)
{
    switch (q->what) {
    case JG_METRICS_LATENCIES:
        jg_buf_printf(out, "histogram_quantile(%.2f, ", q->quantile);
        put_rate(out, c, q, false);
        jg_buf_byte(out, ')');
        break;
    case JG_METRICS_CALLS:
        put_rate(out, c, q, false);
        break;
    case JG_METRICS_ERRORS:
        put_rate(out, c, q, true);
        jg_buf_lit(out, " / ");
        put_rate(out, c, q, false);
        break;
    }
}

static void put_form(jg_buf *out, jaeger_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c);
        if (plain && c)
            jg_buf_byte(out, c);
        else
            jg_buf_printf(out, "%%%02X", c);
    }
}

/** The token of this call: the caller's, or the file's. @return false: none */
static bool bearer(const prometheus *p, jaeger_call *call, jaeger_pair *ret)
{
    jaeger_str token = p->config.token_override_from_context ? call->bearer_token : (jaeger_str){0};
    if (!token.len && p->config.token_file_path.len) {
        FILE *file = fopen(p->config.token_file_path.ptr, "re");
        char *bytes = file ? jaeger_arena_alloc(call->arena, TOKEN_BYTES_MAX) : NULL;
        if (bytes)
            token = jg_str_trim((jaeger_str){bytes, fread(bytes, 1, TOKEN_BYTES_MAX, file)});
        if (file)
            (void)fclose(file);
    }
    *ret = (jaeger_pair){JAEGER_STR("Authorization"),
                         jg_arena_printf(call->arena, "Bearer %.*s", JAEGER_STR_ARGS(token))};
    return token.len && ret->value.ptr;
}

static void put_path(const prometheus *p, jg_buf *out)
{
    const jaeger_pair_list *extra = &p->config.extra_query_parameters;
    jg_buf_lit(out, "/api/v1/query_range");
    for (size_t i = 0; i < extra->count; i++) {
        jg_buf_byte(out, i ? '&' : '?');
        put_form(out, extra->items[i].key);
        jg_buf_byte(out, '=');
        put_form(out, extra->items[i].value);
    }
    jg_buf_byte(out, 0);
}

static void put_body(const prometheus *p, const jg_metrics_query *q, jg_buf *out)
{
    JG_AUTO_BUF jg_buf promql = JG_BUF_INIT(1u << 20);
    uint64_t start = q->end_ms > q->lookback_ms ? q->end_ms - q->lookback_ms : 0;
    jg_prometheus_write_query(&promql, &p->config, q);
    out->failed |= promql.failed;
    jg_buf_lit(out, "query=");
    put_form(out, jg_buf_view(&promql));
    jg_buf_printf(out, "&start=%.3f&end=%.3f&step=%.3f", (double)start / 1e3, (double)q->end_ms / 1e3,
                  (double)q->step_ms / 1e3);
}

static jaeger_status ask(prometheus *p, const jg_metrics_query *q, jg_metrics_result *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(1u << 20), body = JG_BUF_INIT(4u << 20);
    jaeger_pair header;
    put_path(p, &path);
    put_body(p, q, &body);
    if (!jg_buf_ok(&path) || !jg_buf_ok(&body))
        return jg_fail_oom(&call->error);
    jg_http_client_request request = {.path = (const char *)path.data,
                                      .body = jg_buf_view(&body),
                                      .content_type = "application/x-www-form-urlencoded",
                                      .headers = &header,
                                      .header_count = bearer(p, call, &header)};
    jg_http_answer answer = {.body = JG_BUF_INIT(ANSWER_BYTES_MAX)};
    jaeger_status status = jg_http_client_send(p->client, &request, &answer, call);
    if (status == JAEGER_OK && answer.cut)
        status = jg_fail(&call->error, JAEGER_INTERNAL, "the answer of Prometheus is too large");
    else if (status == JAEGER_OK && (answer.status != 200 || !answer.body.len))
        status =
            jg_fail(&call->error, JAEGER_INTERNAL, "failed executing metrics query: HTTP status %d: %.*s",
                    answer.status, (int)JG_MIN(answer.body.len, 300u), (const char *)answer.body.data);
    else if (status == JAEGER_OK)
        status = jg_prometheus_read(jg_buf_view(&answer.body), ret, call);
    jg_buf_done(&answer.body);
    return status;
}

/** No errors at all are no series in Prometheus: then those of the calls are shown, all zero. */
static jaeger_status prometheus_query(void *self, const jg_metrics_query *q, jg_metrics_result *ret,
                                      jaeger_call *call)
{
    JG_TRY(ask(self, q, ret, call));
    if (q->what != JG_METRICS_ERRORS || ret->count)
        return JAEGER_OK;
    jg_metrics_query calls = *q;
    calls.what = JG_METRICS_CALLS;
    JG_TRY(ask(self, &calls, ret, call));
    for (size_t i = 0; i < ret->count; i++)
        for (size_t k = 0; k < ret->items[i].point_count; k++)
            ret->items[i].points[k].value = 0;
    return JAEGER_OK;
}

/* ---- reading ---- */

static jaeger_str kept(jaeger_arena *arena, jg_json_text text, bool *ok)
{
    char *copy = jaeger_arena_alloc(arena, text.raw.len + 1);
    *ok &= copy != NULL;
    return copy ? (jaeger_str){copy, jg_json_in_unescape(text.raw, copy)} : (jaeger_str){0};
}

static bool read_labels(jg_json_in *in, jg_metrics_series *s, jaeger_arena *arena)
{
    size_t cap = 0;
    jg_json_text key, value;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        jaeger_pair *grown = jg_arena_grow(arena, s->labels, s->label_count, &cap, sizeof *grown);
        ok = grown && jg_json_in_str(in, &value);
        if (!ok)
            break;
        s->labels = grown;
        s->labels[s->label_count++] = (jaeger_pair){kept(arena, key, &ok), kept(arena, value, &ok)};
    }
    return ok;
}

/** [1700000000.5, "0.25"]; values may be NaN and +Inf. */
static bool read_value(jg_json_in *in, jg_metrics_point *ret)
{
    double seconds;
    jg_json_text text;
    if (!jg_json_in_array(in) || !jg_json_in_item(in) || !jg_json_in_double(in, false, &seconds) ||
        !jg_json_in_item(in) || !jg_json_in_str(in, &text) || jg_json_in_item(in))
        return false;
    if (!(seconds >= 0 && seconds < 1e12))
        return false;
    ret->time_ms = (uint64_t)llround(seconds * 1e3);
    if (jg_str_to_double(text.raw, &ret->value))
        return true;
    ret->value = jg_str_is(text.raw, "+Inf") ? INFINITY : jg_str_is(text.raw, "-Inf") ? -INFINITY : NAN;
    return true;
}

static bool read_values(jg_json_in *in, jg_metrics_series *s, jaeger_arena *arena)
{
    size_t cap = 0;
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in)) {
        jg_metrics_point *grown = jg_arena_grow(arena, s->points, s->point_count, &cap, sizeof *grown);
        ok = grown && read_value(in, &grown[s->point_count]);
        if (ok) {
            s->points = grown;
            s->point_count++;
        }
    }
    return ok;
}

static bool read_series(jg_json_in *in, jg_metrics_series *s, jaeger_arena *arena)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("metric")))
            ok = read_labels(in, s, arena);
        else if (jg_json_in_is(key, JAEGER_STR("values")))
            ok = read_values(in, s, arena);
        else
            ok = jg_json_in_skip(in);
    }
    return ok;
}

static bool read_result(jg_json_in *in, jg_metrics_result *ret, jaeger_arena *arena)
{
    size_t cap = 0;
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in)) {
        jg_metrics_series *grown = jg_arena_grow(arena, ret->items, ret->count, &cap, sizeof *grown);
        ok = grown != NULL;
        if (!ok)
            break;
        ret->items = grown;
        ret->items[ret->count] = (jg_metrics_series){0};
        ok = read_series(in, &ret->items[ret->count++], arena);
    }
    return ok;
}

static bool read_data(jg_json_in *in, jg_metrics_result *ret, bool *matrix, jaeger_arena *arena)
{
    jg_json_text key, type;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("resultType"))) {
            ok = jg_json_in_str(in, &type);
            *matrix = ok && jg_json_in_is(type, JAEGER_STR("matrix"));
        } else if (jg_json_in_is(key, JAEGER_STR("result"))) {
            ok = read_result(in, ret, arena);
        } else {
            ok = jg_json_in_skip(in);
        }
    }
    return ok;
}

jaeger_status jg_prometheus_read(jaeger_str json, jg_metrics_result *ret, jaeger_call *call)
{
    jg_json_in in = jg_json_in_of(json);
    jg_metrics_result result = {0};
    jg_json_text key;
    bool matrix = false, ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("data")) ? read_data(&in, &result, &matrix, call->arena)
                                                    : jg_json_in_skip(&in);
    if (!ok || !jg_json_in_end(&in) || !matrix)
        return jg_fail(&call->error, JAEGER_INTERNAL, "unexpected answer of Prometheus: %s",
                       in.fault ? in.fault : "not a matrix");
    *ret = result;
    return JAEGER_OK;
}

/* ---- opening ---- */

static void prometheus_free(void *self)
{
    prometheus *p = self;
    jg_http_client_free(p->client);
    jaeger_arena_free(p->arena);
    jg_free(p);
}

jaeger_status jg_prometheus_open(const jaeger_config *node, jg_metrics_source *ret, jaeger_error *err)
{
    prometheus *p = jg_calloc(1, sizeof *p);
    if (!p)
        return jg_fail_oom(err);
    jaeger_status status = jaeger_config_bind(node, jg_prometheus_fields, &p->config, err);
    if (status == JAEGER_OK) {
        p->settings = (jg_http_client_settings){.endpoint = p->config.endpoint,
                                                .tls = p->config.tls,
                                                .timeout_ns = p->config.connect_timeout_ns,
                                                .max_idle_conns = 100,
                                                .idle_conn_timeout_ns = 90ull * 1000000000u};
        status = jg_http_client_new(&p->settings, &p->client, err);
    }
    if (status != JAEGER_OK) {
        prometheus_free(p);
        return status;
    }
    *ret = (jg_metrics_source){prometheus_query, prometheus_free, p, false};
    return JAEGER_OK;
}

#define AT(member) .offset = offsetof(jg_prometheus_config, member)
const jaeger_field jg_prometheus_fields[] = {{.name = "endpoint",
                                              .kind = JAEGER_FIELD_STR,
                                              AT(endpoint),
                                              .fallback = "http://localhost:9090",
                                              .doc = "URL of Prometheus"},
                                             {.name = "connect_timeout",
                                              .kind = JAEGER_FIELD_DURATION,
                                              AT(connect_timeout_ns),
                                              .fallback = "30s",
                                              .doc = "for one query"},
                                             {.name = "tls",
                                              .kind = JAEGER_FIELD_BLOCK,
                                              AT(tls),
                                              .sub = jg_tls_client_fields,
                                              .sub_size = sizeof(jg_tls_settings),
                                              .doc = "TLS of https:// URLs"},
                                             {.name = "token_file_path",
                                              .kind = JAEGER_FIELD_STR,
                                              AT(token_file_path),
                                              .doc = "file with a bearer token"},
                                             {.name = "token_override_from_context",
                                              .kind = JAEGER_FIELD_BOOL,
                                              AT(token_override_from_context),
                                              .doc = "use the caller's bearer token, if there is one"},
                                             {.name = "metric_namespace",
                                              .kind = JAEGER_FIELD_STR,
                                              AT(metric_namespace),
                                              .fallback = "traces_span_metrics",
                                              .doc = "before the names of metrics"},
                                             {.name = "latency_unit",
                                              .kind = JAEGER_FIELD_ENUM,
                                              AT(latency_unit),
                                              .fallback = "ms",
                                              .choices = "ms|s",
                                              .doc = "of durations"},
                                             {.name = "normalize_calls",
                                              .kind = JAEGER_FIELD_BOOL,
                                              AT(normalize_calls),
                                              .doc = "names of counters end in _total"},
                                             {.name = "normalize_duration",
                                              .kind = JAEGER_FIELD_BOOL,
                                              AT(normalize_duration),
                                              .doc = "names of durations end in their unit"},
                                             {.name = "extra_query_parameters",
                                              .kind = JAEGER_FIELD_PAIRS,
                                              AT(extra_query_parameters),
                                              .doc = "added to the URL"},
                                             {.name = "auth",
                                              .kind = JAEGER_FIELD_NODE,
                                              AT(auth),
                                              .doc = "accepted for compatibility: use token_file_path"},
                                             {0}};
