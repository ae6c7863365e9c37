/* SPDX-License-Identifier: Apache-2.0
 * See metrics_search.h. The cluster counts spans by steps of time; rates over rate_ms are made of those
 * counts here. One question a service, so that each service is a series, as from Prometheus. Spec: jaeger
 * internal/storage/metricstore/elasticsearch.
 */
#include "extensions/jaeger_query/metrics_search.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include "storage/opensearch/read.h"
#include <jaeger/config.h>
#include <math.h>

#define BODY_BYTES_MAX (64u << 10)
#define EXTENSION_MS   600000u /* asked for before the start: rates look back */
#define OPERATIONS_MAX 10u     /* the busiest ones, as in Jaeger */
#define BUCKETS_MAX    65536u  /* of one series: search.max_buckets of the clusters */

typedef struct search_source {
    jg_os_config config;
    jg_os_store store;
} search_source;

/* ---- asking ---- */

static void put_u64(jg_json_out *j, const char *key, uint64_t value)
{
    jg_json_key(j, jg_str(key));
    jg_json_u64(j, value);
}

static uint64_t start_ms(const jg_metrics_query *q)
{
    return q->end_ms > q->lookback_ms ? q->end_ms - q->lookback_ms : 0;
}

static uint64_t extended_start_ms(const jg_metrics_query *q)
{
    uint64_t start = start_ms(q), more = JG_MAX(q->rate_ms, EXTENSION_MS);
    return start > more ? start - more : 0;
}

static void put_kinds(jg_json_out *j, uint32_t kinds, jaeger_str dot)
{
    static const char *const names[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    JG_AUTO_BUF jg_buf field = JG_BUF_INIT(1024);
    jg_buf_printf(&field, "tag.span%.*skind", JAEGER_STR_ARGS(dot));
    j->buf->failed |= field.failed;
    jg_json_object(j);
    jg_json_key_object(j, "terms");
    jg_json_key(j, jg_buf_view(&field));
    jg_json_array(j);
    for (size_t i = 0; i < JG_COUNT(names); i++)
        if (kinds & 1u << i)
            jg_json_str(j, jg_str(names[i]));
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_filter(jg_json_out *j, const jg_metrics_query *q, jaeger_str service, bool errors,
                       jaeger_str dot)
{
    jg_json_key_object(j, "query");
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "filter");
    jg_json_array(j);
    jg_json_object(j);
    jg_json_key_object(j, "terms");
    jg_json_key_lit(j, "process.serviceName");
    jg_json_array(j);
    jg_json_str(j, service);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
    put_kinds(j, q->kinds, dot);
    if (errors)
        jg_json_raw(j, JAEGER_STR("{\"term\":{\"tag.error\":true}}"));
    jg_json_object(j);
    jg_json_key_object(j, "range");
    jg_json_key_object(j, "startTimeMillis");
    put_u64(j, "gte", extended_start_ms(q));
    put_u64(j, "lte", q->end_ms);
    jg_json_key_lit(j, "format");
    jg_json_str(j, JAEGER_STR("epoch_millis"));
    for (int i = 0; i < 3; i++)
        jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_histogram(jg_json_out *j, const jg_metrics_query *q)
{
    char step[32];
    jg_buf text = {.data = (uint8_t *)step, .cap = sizeof step, .max = sizeof step};
    jg_buf_printf(&text, "%llums", (unsigned long long)q->step_ms);
    jg_json_key_object(j, "date_histogram");
    jg_json_key_lit(j, "field");
    jg_json_str(j, JAEGER_STR("startTimeMillis"));
    jg_json_key_lit(j, "fixed_interval");
    jg_json_str(j, jg_buf_view(&text));
    put_u64(j, "min_doc_count", 0);
    jg_json_key_object(j, "extended_bounds");
    put_u64(j, "min", extended_start_ms(q));
    put_u64(j, "max", q->end_ms);
    jg_json_end(j);
    jg_json_end(j);
    if (q->what != JG_METRICS_LATENCIES)
        return;
    jg_json_key_object(j, "aggregations");
    jg_json_key_object(j, "percentiles_of_bucket");
    jg_json_key_object(j, "percentiles");
    jg_json_key_lit(j, "field");
    jg_json_str(j, JAEGER_STR("duration"));
    jg_json_key_lit(j, "percents");
    jg_json_array(j);
    jg_json_double(j, q->quantile * 100, 1);
    for (int i = 0; i < 4; i++)
        jg_json_end(j);
}

void jg_metrics_search_put(jg_buf *out, const jg_metrics_query *q, jaeger_str service, bool errors,
                           jaeger_str dot)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    jg_json_object(j);
    put_u64(j, "size", 0);
    put_filter(j, q, service, errors, dot);
    jg_json_key_object(j, "aggregations");
    jg_json_key_object(j, "results_buckets");
    if (q->by_operation) {
        jg_json_key_object(j, "terms");
        jg_json_key_lit(j, "field");
        jg_json_str(j, JAEGER_STR("operationName"));
        put_u64(j, "size", OPERATIONS_MAX);
        jg_json_end(j);
        jg_json_key_object(j, "aggregations");
        jg_json_key_object(j, "date_histogram");
    }
    put_histogram(j, q);
    for (int i = 0; i < (q->by_operation ? 5 : 3); i++)
        jg_json_end(j);
}

/* ---- reading ---- */

/** {"values":{"95.0":1234.5}} */
static bool read_percentile(jg_json_in *in, double *ret)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("values")) || jg_json_in_peek(in) != JG_JSON_OBJECT) {
            ok = jg_json_in_skip(in);
            continue;
        }
        ok = jg_json_in_object(in);
        while (ok && jg_json_in_key(in, &key))
            ok = jg_json_in_peek(in) == JG_JSON_NUMBER ? jg_json_in_double(in, false, ret)
                                                       : jg_json_in_skip(in);
    }
    return ok;
}

static bool read_time_bucket(jg_json_in *in, jg_search_bucket *ret)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    *ret = (jg_search_bucket){.value = NAN};
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("key")))
            ok = jg_json_in_u64(in, false, &ret->time_ms);
        else if (jg_json_in_is(key, JAEGER_STR("doc_count")))
            ok = jg_json_in_u64(in, false, &ret->count);
        else if (jg_json_in_is(key, JAEGER_STR("percentiles_of_bucket")))
            ok = read_percentile(in, &ret->value);
        else
            ok = jg_json_in_skip(in);
    }
    return ok && !in->fault;
}

static bool read_time_buckets(jg_json_in *in, jg_search_series *s, jaeger_arena *arena)
{
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in)) {
        jg_search_bucket *grown =
            s->count < BUCKETS_MAX ? jg_arena_grow(arena, s->items, s->count, &s->cap, sizeof *grown) : NULL;
        ok = grown ? read_time_bucket(in, &grown[s->count]) : jg_json_in_fail(in, "too many buckets");
        if (ok) {
            s->items = grown;
            s->count++;
        }
    }
    return ok && !in->fault;
}

static bool read_histogram(jg_json_in *in, jg_search_series *s, jaeger_arena *arena)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key))
        ok =
            jg_json_in_is(key, JAEGER_STR("buckets")) ? read_time_buckets(in, s, arena) : jg_json_in_skip(in);
    return ok && !in->fault;
}

static jg_search_series *add_series(jg_json_in *in, jg_search_counts *ret, jaeger_arena *arena)
{
    jg_search_series *grown = jg_arena_grow(arena, ret->items, ret->count, &ret->cap, sizeof *grown);
    if (!grown) {
        (void)jg_json_in_fail(in, "out of memory");
        return NULL;
    }
    ret->items = grown;
    ret->items[ret->count] = (jg_search_series){.operation = JAEGER_STR("")};
    return &ret->items[ret->count++];
}

/** An operation: its key is a text, and inside is the histogram. */
static bool read_operation(jg_json_in *in, jg_search_counts *ret, jaeger_arena *arena)
{
    jg_json_text key;
    jg_search_series *s = add_series(in, ret, arena);
    bool ok = s && jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("key")))
            ok = jg_os_read_text(in, &s->operation, arena);
        else if (jg_json_in_is(key, JAEGER_STR("date_histogram")))
            ok = read_histogram(in, s, arena);
        else
            ok = jg_json_in_skip(in);
    }
    return ok && !in->fault;
}

static bool read_buckets(jg_json_in *in, bool by_operation, jg_search_counts *ret, jaeger_arena *arena)
{
    jg_search_series *s = by_operation ? NULL : add_series(in, ret, arena);
    if (!by_operation)
        return s && read_time_buckets(in, s, arena);
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in))
        ok = read_operation(in, ret, arena);
    return ok && !in->fault;
}

static bool read_result(jg_json_in *in, bool by_operation, jg_search_counts *ret, jaeger_arena *arena)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("buckets")) ? read_buckets(in, by_operation, ret, arena)
                                                       : jg_json_in_skip(in);
    return ok && !in->fault;
}

jaeger_status jg_metrics_search_read(jaeger_str json, bool by_operation, jg_search_counts *ret,
                                     jaeger_call *call)
{
    jg_json_in in = jg_json_in_of(json);
    jg_search_counts counts = {0};
    jg_json_text key;
    bool ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("aggregations"))) {
            ok = jg_json_in_skip(&in);
            continue;
        }
        ok = jg_json_in_object(&in);
        while (ok && jg_json_in_key(&in, &key))
            ok = jg_json_in_is(key, JAEGER_STR("results_buckets"))
                     ? read_result(&in, by_operation, &counts, call->arena)
                     : jg_json_in_skip(&in);
    }
    if (!ok || !jg_json_in_end(&in))
        return jg_fail(&call->error, JAEGER_INTERNAL, "unexpected answer of the metrics query: %s",
                       in.fault ? in.fault : "something is missing");
    *ret = counts;
    return JAEGER_OK;
}

/* ---- points ---- */

static double round_2(double value)
{
    return round(value * 100) / 100;
}

/** Spans in the last `window` buckets up to `at`. Jaeger takes the difference of their running sums, so the
 * first of them does not count; we do the same, unless it is the only one. */
static uint64_t sum_window(const jg_search_series *s, size_t at, size_t window)
{
    uint64_t sum = 0;
    size_t others = window > 1 ? window - 2 : 0;
    for (size_t i = at > others ? at - others : 0; i <= at; i++)
        sum += s->items[i].count;
    return sum;
}

/** The bucket of that time; s->count: none. */
static size_t bucket_at(const jg_search_series *s, uint64_t time_ms)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->items[middle].time_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->items[low].time_ms == time_ms ? low : s->count;
}

static double error_share(const jg_search_series *errors, uint64_t time_ms, size_t window, uint64_t calls)
{
    size_t at = errors ? bucket_at(errors, time_ms) : 0;
    if (!errors || at == errors->count || !calls)
        return 0;
    return (double)sum_window(errors, at, window) / (double)calls;
}

size_t jg_metrics_search_points(const jg_metrics_query *q, const jg_search_series *calls,
                                const jg_search_series *errors, jg_metrics_point *points)
{
    size_t window = (size_t)((q->rate_ms + q->step_ms - 1) / q->step_ms), count = 0;
    double seconds = (double)window * (double)q->step_ms / 1e3;
    for (size_t i = 0; i < calls->count; i++) {
        const jg_search_bucket *bucket = &calls->items[i];
        double value = NAN; /* nothing there, or the window is not full */
        if (bucket->time_ms < start_ms(q))
            continue;
        if (bucket->count && q->what == JG_METRICS_LATENCIES) {
            value = round_2(bucket->value / 1e3);
        } else if (bucket->count && i + 1 >= window) {
            uint64_t n = sum_window(calls, i, window);
            value = q->what == JG_METRICS_ERRORS ? error_share(errors, bucket->time_ms, window, n)
                                                 : round_2((double)n / seconds);
        }
        points[count++] = (jg_metrics_point){bucket->time_ms, value};
    }
    return count;
}

/* ---- a query ---- */

static jaeger_status ask(search_source *s, const jg_metrics_query *q, jaeger_str service, bool errors,
                         jg_search_counts *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_metrics_search_put(&body, q, service, errors, s->config.tags_as_fields.dot_replacement);
    JG_TRY(jg_os_search(&s->store, JG_OS_SPANS,
                        (jg_os_window){extended_start_ms(q) * JG_NS_PER_MS, q->end_ms * JG_NS_PER_MS}, &body,
                        &answer, call));
    return jg_metrics_search_read(jg_buf_view(&answer.body), q->by_operation, ret, call);
}

static const jg_search_series *series_of(const jg_search_counts *counts, jaeger_str operation)
{
    for (size_t i = 0; i < counts->count; i++)
        if (jg_str_eq(counts->items[i].operation, operation))
            return &counts->items[i];
    return NULL;
}

static jaeger_status add_result(const jg_metrics_query *q, jaeger_str service, const jg_search_series *calls,
                                const jg_search_series *errors, jg_metrics_result *ret, size_t *cap,
                                jaeger_call *call)
{
    jg_metrics_series *grown = jg_arena_grow(call->arena, ret->items, ret->count, cap, sizeof *grown);
    jaeger_pair *labels = jaeger_arena_alloc(call->arena, 2 * sizeof *labels);
    jg_metrics_point *points = jaeger_arena_alloc(call->arena, (calls->count + 1) * sizeof *points);
    if (!grown || !labels || !points)
        return jg_fail_oom(&call->error);
    ret->items = grown;
    labels[0] = (jaeger_pair){JAEGER_STR("service_name"), service};
    labels[1] = (jaeger_pair){JAEGER_STR("operation"), calls->operation};
    grown[ret->count++] =
        (jg_metrics_series){.labels = labels,
                            .label_count = q->by_operation ? 2 : 1,
                            .points = points,
                            .point_count = jg_metrics_search_points(q, calls, errors, points)};
    return JAEGER_OK;
}

static jaeger_status search_query(void *self, const jg_metrics_query *q, jg_metrics_result *ret,
                                  jaeger_call *call)
{
    size_t cap = 0;
    *ret = (jg_metrics_result){0};
    for (size_t i = 0; i < q->service_count; i++) {
        jg_search_counts calls = {0}, errors = {0};
        JG_TRY(ask(self, q, q->services[i], false, &calls, call));
        if (q->what == JG_METRICS_ERRORS)
            JG_TRY(ask(self, q, q->services[i], true, &errors, call));
        for (size_t k = 0; k < calls.count; k++)
            JG_TRY(add_result(q, q->services[i], &calls.items[k],
                              series_of(&errors, calls.items[k].operation), ret, &cap, call));
    }
    return JAEGER_OK;
}

/* ---- opening ---- */

static void search_close(void *self)
{
    search_source *s = self;
    jg_os_store_close(&s->store);
    jg_free(s);
}

jaeger_status jg_metrics_search_open(const jaeger_config *node, const jaeger_logger *log, jg_metrics *metrics,
                                     jg_metrics_source *ret, jaeger_error *err)
{
    search_source *s = jg_calloc(1, sizeof *s);
    if (!s)
        return jg_fail_oom(err);
    jaeger_status status = jaeger_config_bind(node, jg_os_fields, &s->config, err);
    if (status == JAEGER_OK)
        status = jg_os_store_open(&s->store, &s->config, log, metrics, err);
    if (status != JAEGER_OK) {
        jg_free(s);
        return status;
    }
    *ret = (jg_metrics_source){search_query, search_close, s, false};
    return JAEGER_OK;
}
