/* SPDX-License-Identifier: Apache-2.0
 * See metrics.h: rates and latencies counted from the stored traces, so that the Monitor page works without
 * Prometheus and without a pipeline of metrics. A query reads the newest traces_max traces of each service;
 * what is older than those does not count. Quantiles are exact.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/map.h"
#include "core/str.h"
#include "query/metrics.h"
#include <math.h>
#include <stdlib.h>

#define SPANS_MAX  2000000u /* one query holds; 24 bytes each */
#define GROUPS_MAX 5000u    /* operations of one answer */

typedef struct traces_source {
    jaeger_storage traces;
    uint32_t traces_max;
} traces_source;

typedef struct sample {
    uint64_t end_ns, duration_ns;
    uint32_t group;
    bool error;
} sample;

typedef struct group {
    jaeger_str service, operation;
} group;

typedef struct counting {
    const jg_metrics_query *query;
    jaeger_str service;
    uint64_t from_ns, to_ns;
    sample *samples;
    size_t count, cap;
    group *groups;
    size_t group_count, group_cap;
    jg_map group_at; /* service, a zero byte, operation -> index + 1 */
    jg_buf key;
    jaeger_arena *arena;
} counting;

static bool find_group(counting *c, const jaeger_span *span, uint32_t *ret)
{
    jaeger_str operation = c->query->by_operation ? span->name : JAEGER_STR("");
    bool is_new;
    jg_buf_clear(&c->key);
    jg_buf_str(&c->key, c->service);
    jg_buf_byte(&c->key, 0);
    jg_buf_str(&c->key, operation);
    void *at = jg_map_get(&c->group_at, jg_buf_view(&c->key));
    if (at) {
        *ret = (uint32_t)((uintptr_t)at - 1);
        return true;
    }
    jaeger_str key = jg_buf_ok(&c->key) ? jaeger_arena_str(c->arena, jg_buf_view(&c->key)) : (jaeger_str){0};
    group *grown = key.ptr && c->group_count < GROUPS_MAX
                       ? jg_arena_grow(c->arena, c->groups, c->group_count, &c->group_cap, sizeof *grown)
                       : NULL;
    jg_map_entry *e = grown ? jg_map_put(&c->group_at, key, &is_new) : NULL;
    if (!e)
        return false;
    c->groups = grown;
    c->groups[c->group_count] = (group){c->service, jg_str_skip(key, c->service.len + 1)};
    *ret = (uint32_t)c->group_count++;
    e->value = (void *)(uintptr_t)c->group_count;
    return true;
}

static jaeger_status count_span(counting *c, const jaeger_span *span, jaeger_call *call)
{
    uint64_t end = JG_MAX(span->end_unix_ns, span->start_unix_ns);
    if (!span->group->service.ptr || !jg_str_eq(span->group->service, c->service) || span->kind > 31 ||
        !(c->query->kinds & 1u << span->kind) || end <= c->from_ns || end > c->to_ns)
        return JAEGER_OK;
    sample s = {.end_ns = end,
                .duration_ns = end - span->start_unix_ns,
                .error = span->status_code == JAEGER_STATUS_ERROR};
    if (c->count >= SPANS_MAX || !find_group(c, span, &s.group))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "too many spans or operations to count");
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 4096;
        sample *grown = jg_realloc(c->samples, cap * sizeof *grown);
        if (!grown)
            return jg_fail_oom(&call->error);
        c->samples = grown;
        c->cap = cap;
    }
    c->samples[c->count++] = s;
    return JAEGER_OK;
}

static jaeger_status count_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    const jaeger_span *spans = jaeger_batch_spans(take);
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0, n = jaeger_batch_span_count(take); i < n && status == JAEGER_OK; i++)
        status = count_span(self, &spans[i], call);
    jaeger_batch_unref(take);
    return status;
}

static int by_group_and_time(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/** The value of the samples of one window; in milliseconds for latencies. `scratch` has room for n numbers.
 */
static double value_of(const jg_metrics_query *q, const sample *samples, size_t n, double *scratch)
{
    size_t errors = 0;
    if (q->what == JG_METRICS_CALLS)
        return (double)n / ((double)q->rate_ms / 1e3);
    if (q->what == JG_METRICS_ERRORS) {
        for (size_t i = 0; i < n; i++)
            errors += samples[i].error;
        return n ? (double)errors / (double)n : NAN;
    }
    if (!n)
        return NAN;
    for (size_t i = 0; i < n; i++)
        scratch[i] = (double)samples[i].duration_ns / 1e6;
    qsort(scratch, n, sizeof *scratch, by_number);
    double rank = ceil(q->quantile * (double)n);
    return scratch[rank < 1 ? 0 : (size_t)JG_MIN(rank, (double)n) - 1];
}

/** One point a step; each looks back over rate_ms. Before the group's first span there are no points. */
static void write_points(const jg_metrics_query *q, const sample *samples, size_t n, double *scratch,
                         jg_metrics_series *s)
{
    size_t from = 0, to = 0;
    for (uint64_t at = q->end_ms - q->lookback_ms; at <= q->end_ms; at += q->step_ms) {
        uint64_t end = at * 1000000u, begin = at > q->rate_ms ? (at - q->rate_ms) * 1000000u : 0;
        while (to < n && samples[to].end_ns <= end)
            to++;
        while (from < to && samples[from].end_ns <= begin)
            from++;
        if (to)
            s->points[s->point_count++] =
                (jg_metrics_point){at, value_of(q, samples + from, to - from, scratch)};
    }
}

static bool make_labels(const counting *c, const group *g, jg_metrics_series *s)
{
    s->labels = jaeger_arena_alloc(c->arena, 2 * sizeof *s->labels);
    if (!s->labels)
        return false;
    s->labels[s->label_count++] = (jaeger_pair){JAEGER_STR("service_name"), g->service};
    if (c->query->by_operation)
        s->labels[s->label_count++] = (jaeger_pair){JAEGER_STR("span_name"), g->operation};
    return true;
}

static jaeger_status make_result(counting *c, jg_metrics_result *ret, jaeger_call *call)
{
    const jg_metrics_query *q = c->query;
    size_t points = (size_t)(q->lookback_ms / q->step_ms) + 1;
    JG_AUTO_FREE double *scratch = jg_alloc((c->count + 1) * sizeof *scratch);
    ret->items = jg_arena_zalloc(c->arena, (c->group_count + 1) * sizeof *ret->items);
    if (!scratch || !ret->items)
        return jg_fail_oom(&call->error);
    qsort(c->samples, c->count, sizeof *c->samples, by_group_and_time);
    for (size_t from = 0, to = 0; from < c->count; from = to) {
        jg_metrics_series *s = &ret->items[ret->count];
        while (to < c->count && c->samples[to].group == c->samples[from].group)
            to++;
        JG_TRY(jaeger_call_check(call));
        s->points = jaeger_arena_alloc(c->arena, points * sizeof *s->points);
        if (!s->points || !make_labels(c, &c->groups[c->samples[from].group], s))
            return jg_fail_oom(&call->error);
        write_points(q, c->samples + from, to - from, scratch, s);
        ret->count++;
    }
    return JAEGER_OK;
}

static jaeger_status count_service(traces_source *t, counting *c, jaeger_call *call)
{
    jaeger_trace_query find = {.size = sizeof find,
                               .service = c->service,
                               .start_min_unix_ns = c->from_ns,
                               .start_max_unix_ns = c->to_ns,
                               .limit = t->traces_max};
    return t->traces.driver->find_traces(t->traces.self, &find, (jaeger_consumer){count_batch, c}, call);
}

static jaeger_status traces_query(void *self, const jg_metrics_query *q, jg_metrics_result *ret,
                                  jaeger_call *call)
{
    uint64_t back = q->lookback_ms + q->rate_ms;
    counting c = {.query = q,
                  .from_ns = (q->end_ms > back ? q->end_ms - back : 0) * 1000000u,
                  .to_ns = q->end_ms * 1000000u,
                  .key = JG_BUF_INIT(1u << 20),
                  .arena = call->arena};
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < q->service_count && status == JAEGER_OK; i++) {
        c.service = q->services[i];
        status = count_service(self, &c, call);
    }
    *ret = (jg_metrics_result){0};
    if (status == JAEGER_OK)
        status = make_result(&c, ret, call);
    jg_free(c.samples);
    jg_map_done(&c.group_at);
    jg_buf_done(&c.key);
    return status;
}

jaeger_status jg_metrics_from_traces(jaeger_storage traces, uint32_t traces_max, jg_metrics_source *ret,
                                     jaeger_error *err)
{
    traces_source *t = jg_alloc(sizeof *t);
    if (!t)
        return jg_fail_oom(err);
    *t = (traces_source){traces, traces_max};
    *ret = (jg_metrics_source){traces_query, jg_free, t, true};
    return JAEGER_OK;
}
