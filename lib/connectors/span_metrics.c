/* SPDX-License-Identifier: Apache-2.0
 * Counts spans: calls, durations and events by service, operation, kind, status and chosen attributes.
 * Batches of traces come in, and every metrics_flush_interval one batch of metrics goes out. Names:
 * span_metrics, and the old spanmetrics. Keys: opentelemetry-collector-contrib
 * connector/spanmetricsconnector.
 */
#include "connectors/span_metrics/config.h"
#include "connectors/span_metrics/series.h"
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "core/uuid.h"
#include "model/otlp_fields.h"
#include "pipeline/host.h"
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <time.h>

#define ATTRS_BYTES_MAX (4u << 20) /* of one series; longer ones are not counted */
typedef struct span_metrics {
    const char *id;
    const jg_sm_config *config;
    const jaeger_logger *log;
    jaeger_consumer next;
    jaeger_arena *arena; /* names, bounds */
    unsigned skip;
    bool with_resource;
    double unit_ns;
    char instance[JG_UUID_CHARS + 1];
    pthread_mutex_t store_mutex; /* guards all below */
    pthread_cond_t wake;
    jg_sm_store store;
    jg_buf attrs, key; /* scratch */
    uint64_t dropped_logged;
    bool ready, running, stopping;
    pthread_t flusher;
} span_metrics;

/* ---- making ---- */

static jaeger_status make_bounds(span_metrics *m, jaeger_error *err)
{
    static const int64_t usual_ms[] = {2,   4,   6,    8,    10,   50,   100,   200,
                                       400, 800, 1000, 1400, 2000, 5000, 10000, 15000};
    const jaeger_str_list *given = &m->config->histogram.explicit.buckets;
    jg_sm_shape *shape = &m->store.options.shape;
    shape->bound_count = given->count ? given->count : JG_COUNT(usual_ms);
    double *bounds = jaeger_arena_alloc(m->arena, shape->bound_count * sizeof *bounds);
    if (!bounds)
        return jg_fail_oom(err);
    for (size_t i = 0; i < shape->bound_count; i++) {
        int64_t ns = given->count ? 0 : usual_ms[i] * (int64_t)JG_NS_PER_MS;
        if (given->count && !jg_sm_read_bound(given->items[i], &ns))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "bad bucket");
        bounds[i] = (double)ns / m->unit_ns;
    }
    shape->bounds = bounds;
    if (m->config->histogram.exponential.enabled) {
        uint32_t size = (uint32_t)m->config->histogram.exponential.max_size;
        shape->max_size = size > 1 ? size : size ? 2 : 160;
    }
    return JAEGER_OK;
}

static bool gate(jaeger_host *host, const char *id)
{
    return host && jg_host_gate(host, id);
}

static jaeger_status make_names(span_metrics *m, jaeger_host *host, jaeger_error *err)
{
    static const char *const names[] = {"calls", "duration", "events"};
    jaeger_str space = m->config->namespace;
    if (gate(host, "connector.spanmetrics.legacyMetricNames"))
        space = JAEGER_STR("");
    for (size_t i = 0; i < JG_SM_METRICS; i++) {
        jaeger_str name =
            jg_arena_printf(m->arena, "%.*s%s%s", JAEGER_STR_ARGS(space), space.len ? "." : "", names[i]);
        if (!name.ptr)
            return jg_fail_oom(err);
        m->store.options.names[i] = name.ptr;
    }
    return JAEGER_OK;
}

static void span_metrics_destroy(void *self)
{
    span_metrics *m = self;
    if (!m->ready)
        return;
    jg_sm_store_done(&m->store);
    jg_buf_done(&m->attrs);
    jg_buf_done(&m->key);
    (void)pthread_cond_destroy(&m->wake);
    (void)pthread_mutex_destroy(&m->store_mutex);
    jaeger_arena_free(m->arena);
    m->ready = false;
}

static jaeger_status span_metrics_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    span_metrics *m = self;
    const jg_sm_config *c = in->config;
    bool in_seconds = c->histogram.unit == JG_SM_UNIT_S;
    *m = (span_metrics){.id = in->id, .config = c, .log = in->log, .next = in->next};
    m->arena = jaeger_arena_new(0);
    if (!m->arena)
        return jg_fail_oom(err);
    (void)pthread_mutex_init(&m->store_mutex, NULL);
    jg_cond_init(&m->wake);
    m->ready = true;
    if (gate(in->host, "connector.spanmetrics.useSecondAsDefaultMetricsUnit") &&
        !(in->node && jaeger_config_get(jaeger_config_get(in->node, "histogram"), "unit")))
        in_seconds = true;
    m->unit_ns = in_seconds ? (double)JG_NS_PER_S : (double)JG_NS_PER_MS;
    m->attrs = m->key = JG_BUF_INIT(ATTRS_BYTES_MAX);
    m->skip = jg_sm_skipped(&c->exclude_dimensions);
    if (in->host && !gate(in->host, "connector.spanmetrics.includeCollectorInstanceID"))
        m->skip |= JG_SM_SKIP_INSTANCE;
    m->with_resource =
        c->add_resource_attributes || !gate(in->host, "connector.spanmetrics.excludeResourceMetrics");
    m->store.options = (jg_sm_options){
        .unit = in_seconds ? "s" : "ms",
        .delta = jg_str_is(c->temporality, "AGGREGATION_TEMPORALITY_DELTA"),
        .exemplars_max = c->exemplars.enabled ? (uint32_t)JG_MIN(c->exemplars.max_per_data_point, 1000u) : 0,
        .cardinality_max = (uint64_t)c->cardinality_limit,
        .resources_max = (uint64_t)c->resource_cache_size,
        .resource_expiry_ns = c->metrics_expiration_ns,
        .series_expiry_ns = c->series_expiration_ns};
    jg_uuid_make(m->instance);
    jaeger_status status = make_bounds(m, err);
    if (status == JAEGER_OK)
        status = make_names(m, in->host, err);
    if (status != JAEGER_OK)
        span_metrics_destroy(m);
    return status;
}

/* ---- counting ---- */

static void put_scope(span_metrics *m, const jaeger_span *span)
{
    const jaeger_str_list *wanted = &m->config->include_instrumentation_scope;
    jaeger_scope scope;
    if (!wanted->count)
        return;
    jaeger_scope_read(span->group, &scope);
    for (size_t i = 0; i < wanted->count; i++) {
        if (!scope.name.len || !jg_str_eq(wanted->items[i], scope.name))
            continue;
        jg_sm_attr_str(&m->attrs, JAEGER_STR("span.instrumentation.scope.name"), scope.name);
        if (scope.version.len)
            jg_sm_attr_str(&m->attrs, JAEGER_STR("span.instrumentation.scope.version"), scope.version);
        return;
    }
}

/** The attributes of all metrics into m->attrs. */
static void put_attrs(span_metrics *m, const jaeger_span *span, bool adjusted)
{
    jg_buf *out = &m->attrs;
    jg_buf_clear(out);
    if (!(m->skip & JG_SM_SKIP_SERVICE))
        jg_sm_attr_str(out, JAEGER_STR("service.name"), span->group->service);
    if (!(m->skip & JG_SM_SKIP_SPAN))
        jg_sm_attr_str(out, JAEGER_STR("span.name"), span->name);
    if (!(m->skip & JG_SM_SKIP_KIND))
        jg_sm_attr_str(out, JAEGER_STR("span.kind"), jg_sm_kind(span->kind));
    if (!(m->skip & JG_SM_SKIP_STATUS))
        jg_sm_attr_str(out, JAEGER_STR("status.code"), jg_sm_status(span->status_code));
    if (!(m->skip & JG_SM_SKIP_INSTANCE))
        jg_sm_attr_str(out, JAEGER_STR("collector.instance.id"), jg_str(m->instance));
    put_scope(m, span);
    if (m->config->sampling_method)
        jg_sm_attr_str(out, JAEGER_STR("sampling.method"),
                       adjusted ? JAEGER_STR("extrapolated") : JAEGER_STR("counted"));
    jg_sm_attr_dimensions(out, &m->config->dimensions, span, NULL);
}

static void add(span_metrics *m, jg_sm_resource *r, jg_sm_metric metric, const jaeger_block_list *more,
                const jaeger_event *event, const jg_sm_observation *seen)
{
    size_t mark = m->attrs.len;
    jg_sm_attr_dimensions(&m->attrs, more, seen->span, event);
    if (jg_buf_ok(&m->attrs))
        jg_sm_store_add(&m->store, r, metric, jg_buf_view(&m->attrs), seen);
    else
        m->store.dropped++;
    m->attrs.len = JG_MIN(mark, m->attrs.len);
}

/** A span that stands for 2.5 spans counts 2 or 3; which one, its trace decides. */
static uint64_t whole_count(double count, const jaeger_span *span)
{
    double whole = floor(count), rest = count - whole;
    uint64_t chance = rest > 0 ? jg_hash(span->span_id, 8, 0) >> 11 : 0;
    return (uint64_t)whole + (rest > 0 && (double)chance < ldexp(rest, 53));
}

static void count_span(span_metrics *m, jg_sm_resource *r, const jaeger_span *span, uint64_t now)
{
    const jg_sm_config *c = m->config;
    double adjusted = jg_sm_adjusted_count(span);
    jg_sm_observation seen = {.n = whole_count(adjusted, span), .now_unix_ns = now, .span = span};
    if (span->end_unix_ns > span->start_unix_ns)
        seen.value = (double)(span->end_unix_ns - span->start_unix_ns) / m->unit_ns;
    put_attrs(m, span, adjusted != 1);
    add(m, r, JG_SM_CALLS, &c->calls_dimensions, NULL, &seen);
    if (!c->histogram.disable)
        add(m, r, JG_SM_DURATION, &c->histogram.dimensions, NULL, &seen);
    if (!c->events.enabled)
        return;
    jaeger_iter it = jaeger_span_events(span);
    for (jaeger_event event; jaeger_next_event(&it, &event);)
        add(m, r, JG_SM_EVENTS, &c->events.dimensions, &event, &seen);
}

static jg_sm_resource *resource_of(span_metrics *m, const jaeger_span_group *group, uint64_t now)
{
    jaeger_str body = m->with_resource ? group->resource : (jaeger_str){0}, key = body;
    const jaeger_str_list *names = &m->config->resource_key;
    jaeger_attr attr;
    if (m->with_resource && names->count) {
        jg_buf_clear(&m->key);
        for (size_t i = 0; i < names->count; i++)
            if (jaeger_find_attr(jaeger_resource_attrs(group), names->items[i], &attr))
                jg_pb_write_str(&m->key, JG_OTLP_LIST_VALUES, attr.raw);
        key = jg_buf_view(&m->key);
    }
    return jg_sm_store_resource(&m->store, key, body, now);
}

static jaeger_status span_metrics_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    span_metrics *m = self;
    const jaeger_span *spans = jaeger_batch_spans(take);
    uint64_t now = jg_clock_unix_ns();
    uint32_t resource_index = UINT32_MAX;
    jg_sm_resource *resource = NULL;
    (void)call;
    (void)pthread_mutex_lock(&m->store_mutex);
    for (size_t i = 0, n = jaeger_batch_span_count(take); i < n; i++) {
        const jaeger_span_group *group = spans[i].group;
        if (!group->service.ptr)
            continue;
        if (!resource || group->resource_index != resource_index)
            resource = resource_of(m, group, now);
        resource_index = group->resource_index;
        if (resource)
            count_span(m, resource, &spans[i], now);
        else
            m->store.dropped++;
    }
    (void)pthread_mutex_unlock(&m->store_mutex);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

/* ---- flushing ---- */

static void release_buffer(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

static void send(span_metrics *m, jg_buf *message)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_batch *batch;
    size_t len;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(1u << 20);
    if (!jg_buf_ok(message)) {
        jaeger_log(m->log, JAEGER_ERROR, "span metrics do not fit into memory, this flush is lost");
        return;
    }
    uint8_t *bytes = jg_buf_take(message, &len);
    if (!bytes)
        return;
    call.arena = arena;
    call.deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    jaeger_status status =
        jaeger_batch_from_otlp_metrics(bytes, len, release_buffer, NULL, &batch, &call.error);
    if (status == JAEGER_OK)
        status = m->next.consume(m->next.self, batch, &call);
    if (status != JAEGER_OK)
        jaeger_log(m->log, JAEGER_ERROR, "Failed ConsumeMetrics error=\"%s\"", call.error.message);
}

/* With store_mutex held; given up while what follows works. */
static void flush(span_metrics *m)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(JG_SPAN_METRICS_FLUSH_MAX);
    jg_sm_store_flush(&m->store, jg_clock_unix_ns(), &message);
    uint64_t dropped = m->store.dropped - m->dropped_logged;
    m->dropped_logged = m->store.dropped;
    (void)pthread_mutex_unlock(&m->store_mutex);
    if (dropped)
        jaeger_log(m->log, JAEGER_WARN, "out of memory, spans not counted: %llu",
                   (unsigned long long)dropped);
    send(m, &message);
    (void)pthread_mutex_lock(&m->store_mutex);
}

static void *run(void *user)
{
    span_metrics *m = user;
    struct timespec due;
    (void)clock_gettime(CLOCK_MONOTONIC, &due);
    (void)pthread_mutex_lock(&m->store_mutex);
    while (!m->stopping) {
        uint64_t next_ns =
            (uint64_t)due.tv_sec * JG_NS_PER_S + (uint64_t)due.tv_nsec + m->config->flush_interval_ns;
        due = (struct timespec){(time_t)(next_ns / JG_NS_PER_S), (long)(next_ns % JG_NS_PER_S)};
        int rc = 0;
        while (!m->stopping && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&m->wake, &m->store_mutex, &due);
        if (!m->stopping)
            flush(m);
    }
    (void)pthread_mutex_unlock(&m->store_mutex);
    return NULL;
}

static jaeger_status span_metrics_start(void *self, jaeger_error *err)
{
    span_metrics *m = self;
    m->stopping = false;
    if (pthread_create(&m->flusher, NULL, run, m) != 0)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start a thread");
    m->running = true;
    return JAEGER_OK;
}

static void span_metrics_stop(void *self, uint64_t deadline_ns)
{
    span_metrics *m = self;
    (void)deadline_ns;
    if (!m->running)
        return;
    (void)pthread_mutex_lock(&m->store_mutex);
    m->stopping = true;
    (void)pthread_cond_signal(&m->wake);
    (void)pthread_mutex_unlock(&m->store_mutex);
    (void)pthread_join(m->flusher, NULL);
    m->running = false;
}

const jaeger_component_type jg_connector_span_metrics = {
    .size = sizeof(jaeger_component_type),
    .name = "span_metrics",
    .doc = "counts spans: calls, durations, events; also known as spanmetrics",
    .kind = JAEGER_CONNECTOR,
    .takes = JAEGER_TRACES,
    .gives = JAEGER_METRICS,
    .fields = jg_sm_fields,
    .config_size = sizeof(jg_sm_config),
    .state_size = sizeof(span_metrics),
    .validate = jg_sm_validate,
    .create = span_metrics_create,
    .start = span_metrics_start,
    .consume = span_metrics_consume,
    .stop = span_metrics_stop,
    .destroy = span_metrics_destroy,
};
