/* SPDX-License-Identifier: Apache-2.0
 * Counts spans: calls, durations and events by service, operation, kind, status and chosen attributes.
 * Batches of traces come in, and every metrics_flush_interval one batch of metrics goes out. Names:
 * span_metrics, and the old spanmetrics. Keys: opentelemetry-collector-contrib
 * connector/spanmetricsconnector.
 */
#include "connectors/span_metrics/attrs.h"
#include "connectors/span_metrics/series.h"
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "pipeline/host.h"
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>

#define ATTRS_BYTES_MAX (4u << 20) /* of one series; longer ones are not counted */
#define BOUNDS_MAX      1000

enum { UNIT_MS, UNIT_S };
enum { SKIP_SERVICE = 1, SKIP_SPAN = 2, SKIP_KIND = 4, SKIP_STATUS = 8, SKIP_INSTANCE = 16 };

typedef struct span_metrics_config {
    jaeger_block_list dimensions, calls_dimensions;
    jaeger_str_list exclude_dimensions, include_instrumentation_scope, resource_key;
    struct {
        bool disable;
        int unit;
        jaeger_block_list dimensions;
        struct {
            bool enabled;
            jaeger_str_list buckets;
        } explicit;
        struct {
            bool enabled;
            int64_t max_size;
        } exponential;
    } histogram;
    uint64_t flush_interval_ns, metrics_expiration_ns, series_expiration_ns;
    jaeger_str temporality, namespace;
    struct {
        bool enabled;
        uint64_t max_per_data_point;
    } exemplars;
    struct {
        bool enabled;
        jaeger_block_list dimensions;
    } events;
    int64_t timestamp_cache_size, resource_cache_size, cardinality_limit, dimensions_cache_size;
    bool add_resource_attributes, sampling_method;
} span_metrics_config;

typedef struct span_metrics {
    const char *id;
    const span_metrics_config *config;
    const jaeger_logger *log;
    jaeger_consumer next;
    jaeger_arena *arena; /* names, bounds */
    unsigned skip;
    bool with_resource;
    double unit_ns;
    char instance[37];
    pthread_mutex_t store_mutex; /* guards all below */
    pthread_cond_t wake;
    jg_sm_store store;
    jg_buf attrs, key; /* scratch */
    uint64_t dropped_logged;
    bool ready, running, stopping;
    pthread_t flusher;
} span_metrics;

/* ---- checking ---- */

static const struct {
    const char *name;
    unsigned bit;
} reserved[] = {{"service.name", SKIP_SERVICE},
                {"span.name", SKIP_SPAN},
                {"span.kind", SKIP_KIND},
                {"status.code", SKIP_STATUS},
                {"collector.instance.id", SKIP_INSTANCE}};

static unsigned skipped(const jaeger_str_list *names)
{
    unsigned bits = 0;
    for (size_t i = 0; i < names->count; i++)
        for (size_t k = 0; k < JG_COUNT(reserved); k++)
            if (jg_str_is(names->items[i], reserved[k].name))
                bits |= reserved[k].bit;
    return bits;
}

static jaeger_status check_dimensions(const char *path, const jaeger_block_list *list,
                                      const jaeger_block_list *more, jaeger_error *err)
{
    for (size_t i = 0; i < list->count + more->count; i++) {
        const jg_sm_dimension *d = i < list->count ? (const jg_sm_dimension *)list->items + i
                                                   : (const jg_sm_dimension *)more->items + (i - list->count);
        bool taken = false;
        if (!d->name.len == !d->glob.len)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: a dimension needs a name or a glob", path);
        for (size_t k = 0; k + 1 < JG_COUNT(reserved); k++)
            taken |= jg_str_is(d->name, reserved[k].name);
        for (size_t k = 0; k < i && d->name.len; k++) {
            const jg_sm_dimension *other = k < list->count
                                               ? (const jg_sm_dimension *)list->items + k
                                               : (const jg_sm_dimension *)more->items + (k - list->count);
            taken |= jg_str_eq(d->name, other->name);
        }
        if (taken)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: duplicate dimension name %.*s", path,
                           JAEGER_STR_ARGS(d->name));
    }
    return JAEGER_OK;
}

/** An explicit bound in ns. */
static bool read_bound(jaeger_str text, int64_t *ret)
{
    return jg_str_to_duration(text, ret) || jg_str_to_i64(text, ret);
}

static jaeger_status check_histogram(const char *path, const span_metrics_config *c, jaeger_error *err)
{
    int64_t bound, last = INT64_MIN;
    const jaeger_str_list *buckets = &c->histogram.explicit.buckets;
    if (c->histogram.explicit.enabled && c->histogram.exponential.enabled)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: use either `explicit` or `exponential` buckets histogram", path);
    if (c->histogram.exponential.max_size < 0 ||
        c->histogram.exponential.max_size > JG_EXPONENTIAL_BUCKETS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s::histogram::exponential::max_size is not in 0..%d",
                       path, JG_EXPONENTIAL_BUCKETS_MAX);
    if (buckets->count > BOUNDS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: more than %d buckets", path, BOUNDS_MAX);
    for (size_t i = 0; i < buckets->count; i++, last = bound)
        if (!read_bound(buckets->items[i], &bound) || bound <= last)
            return jg_fail(
                err, JAEGER_INVALID_ARGUMENT,
                "%s::histogram::explicit::buckets: \"%.*s\" is not a duration, or not above the last", path,
                JAEGER_STR_ARGS(buckets->items[i]));
    return JAEGER_OK;
}

static jaeger_status span_metrics_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const span_metrics_config *c = config;
    const char *path =
        node && jaeger_config_path(node)[0] ? jaeger_config_path(node) : "connectors::span_metrics";
    static const jaeger_block_list none = {0};
    JG_TRY(check_dimensions(path, &c->dimensions, &none, err));
    JG_TRY(check_dimensions(path, &c->dimensions, &c->calls_dimensions, err));
    JG_TRY(check_dimensions(path, &c->dimensions, &c->histogram.dimensions, err));
    JG_TRY(check_dimensions(path, &c->dimensions, &c->events.dimensions, err));
    JG_TRY(check_histogram(path, c, err));
    if (c->events.enabled && !c->events.dimensions.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: no dimensions configured for events", path);
    if (c->flush_interval_ns == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: metrics_flush_interval must be positive", path);
    if (c->resource_cache_size <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: resource_metrics_cache_size must be positive",
                       path);
    if (c->cardinality_limit < 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: invalid aggregation_cardinality_limit: %lld, the limit should be positive", path,
                       (long long)c->cardinality_limit);
    if (jg_str_is(c->temporality, "AGGREGATION_TEMPORALITY_DELTA") && c->timestamp_cache_size <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s: invalid delta timestamp cache size: %lld, the maximum number of the items in the "
                       "cache should be positive",
                       path, (long long)c->timestamp_cache_size);
    return JAEGER_OK;
}

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
        if (given->count && !read_bound(given->items[i], &ns))
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

static void make_instance(span_metrics *m)
{
    uint8_t b[16] = {0};
    char hex[32];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        memset(b, 0, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    jg_hex_encode(b, sizeof b, hex);
    for (size_t i = 0, at = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            m->instance[at++] = '-';
        m->instance[at++] = hex[i];
    }
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
    const span_metrics_config *c = in->config;
    bool in_seconds = c->histogram.unit == UNIT_S;
    pthread_condattr_t clock;
    *m = (span_metrics){.id = in->id, .config = c, .log = in->log, .next = in->next};
    m->arena = jaeger_arena_new(0);
    if (!m->arena)
        return jg_fail_oom(err);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&m->store_mutex, NULL);
    (void)pthread_cond_init(&m->wake, &clock);
    (void)pthread_condattr_destroy(&clock);
    m->ready = true;
    if (gate(in->host, "connector.spanmetrics.useSecondAsDefaultMetricsUnit") &&
        !(in->node && jaeger_config_get(jaeger_config_get(in->node, "histogram"), "unit")))
        in_seconds = true;
    m->unit_ns = in_seconds ? (double)JG_NS_PER_S : (double)JG_NS_PER_MS;
    m->attrs = m->key = JG_BUF_INIT(ATTRS_BYTES_MAX);
    m->skip = skipped(&c->exclude_dimensions);
    if (in->host && !gate(in->host, "connector.spanmetrics.includeCollectorInstanceID"))
        m->skip |= SKIP_INSTANCE;
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
    make_instance(m);
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
    if (!(m->skip & SKIP_SERVICE))
        jg_sm_attr_str(out, JAEGER_STR("service.name"), span->group->service);
    if (!(m->skip & SKIP_SPAN))
        jg_sm_attr_str(out, JAEGER_STR("span.name"), span->name);
    if (!(m->skip & SKIP_KIND))
        jg_sm_attr_str(out, JAEGER_STR("span.kind"), jg_sm_kind(span->kind));
    if (!(m->skip & SKIP_STATUS))
        jg_sm_attr_str(out, JAEGER_STR("status.code"), jg_sm_status(span->status_code));
    if (!(m->skip & SKIP_INSTANCE))
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
    const span_metrics_config *c = m->config;
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

/* ---- keys ---- */

#define CONFIG                     span_metrics_config
#define MEMBER(m)                  (((CONFIG *)0)->m)
#define AT(m)                      .offset = offsetof(CONFIG, m)
#define IN(block, m)               .offset = offsetof(CONFIG, block.m) - offsetof(CONFIG, block)
#define DIMENSIONS                 .kind = JAEGER_FIELD_LIST, .sub = dimension_fields, .sub_size = sizeof(jg_sm_dimension)
#define BLOCK(m, the_kind, fields) .kind = the_kind, AT(m), .sub = fields, .sub_size = sizeof(MEMBER(m))

static const jaeger_field dimension_fields[] = {
    {.name = "name",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_sm_dimension, name),
     .doc = "attribute of the span, else of the resource"},
    {.name = "default",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(jg_sm_dimension, fallback),
     .doc = "value where neither has it; absent: no attribute"},
    {.name = "glob",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_sm_dimension, glob),
     .doc = "instead of name: all attributes that match, with * and ?"},
    {0}};

static const jaeger_field explicit_fields[] = {{.name = "buckets",
                                                .kind = JAEGER_FIELD_STRS,
                                                IN(histogram.explicit, buckets),
                                                .doc = "upper bounds, as durations"},
                                               {0}};

static const jaeger_field exponential_fields[] = {{.name = "max_size",
                                                   .kind = JAEGER_FIELD_I64,
                                                   IN(histogram.exponential, max_size),
                                                   .doc = "buckets of a histogram; 0: 160"},
                                                  {0}};

static const jaeger_field histogram_fields[] = {
    {.name = "disable", .kind = JAEGER_FIELD_BOOL, IN(histogram, disable), .doc = "no durations"},
    {.name = "unit",
     .kind = JAEGER_FIELD_ENUM,
     IN(histogram, unit),
     .fallback = "ms",
     .choices = "ms|s",
     .doc = "of durations"},
    {.name = "dimensions", DIMENSIONS, IN(histogram, dimensions), .doc = "more dimensions of durations"},
    {.name = "explicit",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     IN(histogram, explicit),
     .sub = explicit_fields,
     .sub_size = sizeof(MEMBER(histogram.explicit)),
     .doc = "histograms with fixed bounds (default)"},
    {.name = "exponential",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     IN(histogram, exponential),
     .sub = exponential_fields,
     .sub_size = sizeof(MEMBER(histogram.exponential)),
     .doc = "exponential histograms"},
    {0}};

static const jaeger_field exemplar_fields[] = {
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, IN(exemplars, enabled), .doc = "keep exemplars"},
    {.name = "max_per_data_point",
     .kind = JAEGER_FIELD_U64,
     IN(exemplars, max_per_data_point),
     .fallback = "5",
     .doc = "exemplars of a series between two flushes"},
    {0}};

static const jaeger_field event_fields[] = {
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, IN(events, enabled), .doc = "count events"},
    {.name = "dimensions",
     DIMENSIONS,
     IN(events, dimensions),
     .doc = "attributes of the span, the event or the resource"},
    {0}};

static const jaeger_field span_metrics_fields[] = {
    {.name = "dimensions", DIMENSIONS, AT(dimensions), .doc = "more attributes of all metrics"},
    {.name = "calls_dimensions", DIMENSIONS, AT(calls_dimensions), .doc = "more attributes of calls"},
    {.name = "exclude_dimensions",
     .kind = JAEGER_FIELD_STRS,
     AT(exclude_dimensions),
     .doc = "of service.name, span.name, span.kind, status.code, collector.instance.id: those to leave out"},
    {.name = "dimensions_cache_size",
     .kind = JAEGER_FIELD_I64,
     AT(dimensions_cache_size),
     .doc = "accepted for compatibility"},
    {.name = "resource_metrics_cache_size",
     .kind = JAEGER_FIELD_I64,
     AT(resource_cache_size),
     .fallback = "1000",
     .doc = "resources counted at a time; the one not seen longest gives way"},
    {.name = "resource_metrics_key_attributes",
     .kind = JAEGER_FIELD_STRS,
     AT(resource_key),
     .doc = "attributes that tell resources apart; empty: all"},
    {.name = "aggregation_temporality",
     .kind = JAEGER_FIELD_STR,
     AT(temporality),
     .fallback = "AGGREGATION_TEMPORALITY_CUMULATIVE",
     .doc = "AGGREGATION_TEMPORALITY_DELTA, else cumulative"},
    {.name = "histogram", BLOCK(histogram, JAEGER_FIELD_BLOCK, histogram_fields), .doc = "durations"},
    {.name = "metrics_flush_interval",
     .kind = JAEGER_FIELD_DURATION,
     AT(flush_interval_ns),
     .fallback = "60s",
     .doc = "between two batches of metrics"},
    {.name = "metrics_expiration",
     .kind = JAEGER_FIELD_DURATION,
     AT(metrics_expiration_ns),
     .doc = "forget a resource that is not seen for so long; 0: never"},
    {.name = "series_expiration",
     .kind = JAEGER_FIELD_DURATION,
     AT(series_expiration_ns),
     .doc = "the same for one series"},
    {.name = "metric_timestamp_cache_size",
     .kind = JAEGER_FIELD_I64,
     AT(timestamp_cache_size),
     .fallback = "1000",
     .doc = "accepted for compatibility: a delta begins where the last flush ended"},
    {.name = "namespace",
     .kind = JAEGER_FIELD_STR,
     AT(namespace),
     .fallback = "traces.span.metrics",
     .doc = "before the names of metrics"},
    {.name = "exemplars",
     BLOCK(exemplars, JAEGER_FIELD_BLOCK, exemplar_fields),
     .doc = "trace ids beside the numbers"},
    {.name = "events", BLOCK(events, JAEGER_FIELD_BLOCK, event_fields), .doc = "count events of spans too"},
    {.name = "aggregation_cardinality_limit",
     .kind = JAEGER_FIELD_I64,
     AT(cardinality_limit),
     .doc = "series of one metric of a resource; more go to otel.metric.overflow; 0: no limit of its own"},
    {.name = "include_instrumentation_scope",
     .kind = JAEGER_FIELD_STRS,
     AT(include_instrumentation_scope),
     .doc = "scopes whose name and version become attributes"},
    {.name = "add_resource_attributes",
     .kind = JAEGER_FIELD_BOOL,
     AT(add_resource_attributes),
     .doc = "keep resource attributes even with the gate connector.spanmetrics.excludeResourceMetrics"},
    {.name = "enable_metrics_sampling_method",
     .kind = JAEGER_FIELD_BOOL,
     AT(sampling_method),
     .doc = "add sampling.method: counted or extrapolated"},
    {0}};

const jaeger_component_type jg_connector_span_metrics = {
    .size = sizeof(jaeger_component_type),
    .name = "span_metrics",
    .doc = "counts spans: calls, durations, events; also known as spanmetrics",
    .kind = JAEGER_CONNECTOR,
    .takes = JAEGER_TRACES,
    .gives = JAEGER_METRICS,
    .fields = span_metrics_fields,
    .config_size = sizeof(span_metrics_config),
    .state_size = sizeof(span_metrics),
    .validate = span_metrics_validate,
    .create = span_metrics_create,
    .start = span_metrics_start,
    .consume = span_metrics_consume,
    .stop = span_metrics_stop,
    .destroy = span_metrics_destroy,
};
