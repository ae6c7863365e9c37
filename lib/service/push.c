/* SPDX-License-Identifier: Apache-2.0
 * Periodic readers of service::telemetry: the service's own metrics as OTLP, sent every interval by a thread
 * for each reader, and once more at the stop. Sums are cumulative, or what came since the last time. Keys:
 * go.opentelemetry.io/contrib/otelconf; spec: opentelemetry-proto metrics/v1/metrics.proto.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/str.h"
#include "model/metrics.h"
#include "model/otlp_fields.h"
#include "service/otlp_push.h"
#include "service/telemetry.h"
#include "wire/otlp_json.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define MESSAGE_BYTES_MAX (16u << 20)
#define LAST_NS           (1 * JG_NS_PER_S) /* for what is sent at the stop */

typedef struct pusher {
    const jg_telemetry *telemetry;
    const jg_push_reader *reader;
    jg_metrics *metrics;
    const jaeger_logger *log;
    jg_otlp_push to;
    uint64_t start_unix_ns;
    jg_push_memory memory; /* of a reader of deltas */
    bool failing;          /* told */
    pthread_t thread;
    bool has_thread;
    int cancelled;              /* atomic */
    pthread_mutex_t stop_mutex; /* guards what follows */
    pthread_cond_t stop_cond;
    bool stopping;
} pusher;

struct jg_push {
    size_t count;
    pusher pushers[JG_PUSH_READERS_MAX];
};

/* ---- the message ---- */

typedef struct writer {
    jg_buf *out;
    const char *name; /* of the open metric; NULL: none */
    size_t metric, data;
    uint64_t start_unix_ns, now_unix_ns;
    jg_push_memory *memory; /* NULL: cumulative */
} writer;

static void write_text_attr(jg_buf *out, uint32_t number, jaeger_str key, jaeger_str value)
{
    size_t pair = jg_pb_begin(out, number, 1);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, key);
    size_t any = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_pb_write_str(out, JG_OTLP_ANY_STRING, value);
    jg_pb_end(out, any, 1);
    jg_pb_end(out, pair, 1);
}

/** a="b",c="d" as attributes. */
static void write_labels(jg_buf *out, uint32_t number, const char *labels)
{
    for (const char *at = labels; at && *at;) {
        char value[512];
        size_t len = 0, key_len = strcspn(at, "=");
        const char *key = at;
        if (at[key_len] != '=' || at[key_len + 1] != '"')
            return;
        for (at += key_len + 2; *at && *at != '"'; at++) {
            if (*at == '\\' && at[1])
                at++;
            if (len < sizeof value)
                value[len++] = at[-1] == '\\' && *at == 'n' ? '\n' : *at;
        }
        at += *at == '"';
        at += *at == ',';
        write_text_attr(out, number, (jaeger_str){key, key_len}, (jaeger_str){value, len});
    }
}

/* ---- deltas ---- */

/** A series as it was. Its key: where the registry keeps its name and labels, for as long as it lives. */
typedef struct past {
    const void *key[2];
    double value;
    uint64_t buckets[JG_COUNT(((jg_metric_view *)0)->buckets)];
} past;

/** NULL: out of memory. */
static past *remember(jg_push_memory *memory, const jg_metric_view *view)
{
    const void *key[2] = {view->name, view->labels};
    bool is_new;
    past *p = jg_map_get(&memory->series, (jaeger_str){(const char *)key, sizeof key});
    if (p || !(p = jg_calloc(1, sizeof *p)))
        return p;
    memcpy(p->key, key, sizeof key);
    jg_map_entry *entry =
        jg_map_put(&memory->series, (jaeger_str){(const char *)p->key, sizeof p->key}, &is_new);
    if (entry) {
        entry->value = p;
        return p;
    }
    jg_free(p);
    return NULL;
}

/** What came since; remembers what is. Gauges stay. */
static void subtract(jg_push_memory *memory, jg_metric_view *view)
{
    past *before = view->kind == JG_METRIC_LEVEL ? NULL : remember(memory, view);
    if (!before)
        return;
    double value = view->value;
    view->value -= before->value;
    before->value = value;
    for (size_t i = 0; view->kind == JG_METRIC_DISTRIBUTION && i <= view->bound_count; i++) {
        uint64_t count = view->buckets[i];
        view->buckets[i] -= before->buckets[i];
        before->buckets[i] = count;
    }
}

void jg_push_memory_done(jg_push_memory *memory)
{
    jg_map_entry entry;
    for (size_t at = 0; jg_map_next(&memory->series, &at, &entry);)
        jg_free(entry.value);
    jg_map_done(&memory->series);
}

/* ---- writing ---- */

static void close_metric(writer *w)
{
    if (!w->name)
        return;
    jg_pb_end(w->out, w->data, 3);
    jg_pb_end(w->out, w->metric, 3);
    w->name = NULL;
}

static void open_metric(writer *w, const jg_metric_view *view)
{
    static const uint32_t kinds[] = {JG_METRIC_SUM, JG_METRIC_GAUGE, JG_METRIC_HISTOGRAM};
    close_metric(w);
    w->name = view->name;
    w->metric = jg_pb_begin(w->out, JG_OTLP_METRICS_ITEMS, 3);
    jg_pb_write_str(w->out, JG_OTLP_METRIC_NAME, jg_str(view->name));
    jg_pb_write_str(w->out, JG_OTLP_METRIC_DESCRIPTION, jg_str(view->help));
    w->data = jg_pb_begin(w->out, kinds[view->kind], 3);
    if (view->kind != JG_METRIC_LEVEL)
        jg_pb_write_varint(w->out, JG_OTLP_DATA_TEMPORALITY,
                           w->memory ? JG_TEMPORALITY_DELTA : JG_TEMPORALITY_CUMULATIVE);
    if (view->kind == JG_METRIC_COUNTER)
        jg_pb_write_varint(w->out, JG_OTLP_DATA_MONOTONIC, 1);
}

static void write_distribution(jg_buf *out, const jg_metric_view *view)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= view->bound_count; i++)
        count += view->buckets[i];
    jg_pb_write_fixed64(out, JG_OTLP_HISTOGRAM_COUNT, count);
    jg_pb_write_double(out, JG_OTLP_HISTOGRAM_SUM, view->value);
    jg_pb_write_bytes(out, JG_OTLP_HISTOGRAM_COUNTS, view->buckets, 8 * (view->bound_count + 1));
    jg_pb_write_bytes(out, JG_OTLP_HISTOGRAM_BOUNDS, view->bounds, 8 * view->bound_count);
    write_labels(out, JG_OTLP_HISTOGRAM_ATTRIBUTES, view->labels);
}

static void write_point(void *user, const jg_metric_view *seen)
{
    writer *w = user;
    jg_metric_view now = *seen, *view = &now;
    if (w->memory)
        subtract(w->memory, view);
    if (!w->name || strcmp(w->name, view->name) != 0)
        open_metric(w, view);
    size_t point = jg_pb_begin(w->out, JG_OTLP_DATA_POINTS, 2);
    jg_pb_write_fixed64(w->out, JG_OTLP_POINT_START, w->start_unix_ns);
    jg_pb_write_fixed64(w->out, JG_OTLP_POINT_TIME, w->now_unix_ns);
    if (view->kind == JG_METRIC_DISTRIBUTION) {
        write_distribution(w->out, view);
    } else {
        jg_pb_write_double(w->out, JG_OTLP_NUMBER_DOUBLE, view->value);
        write_labels(w->out, JG_OTLP_NUMBER_ATTRIBUTES, view->labels);
    }
    jg_pb_end(w->out, point, 2);
}

void jg_push_write(const jg_telemetry *telemetry, jg_metrics *metrics, jg_push_memory *memory,
                   uint64_t start_unix_ns, uint64_t now_unix_ns, jg_buf *out)
{
    writer w = {.out = out, .start_unix_ns = start_unix_ns, .now_unix_ns = now_unix_ns, .memory = memory};
    if (memory && memory->at_unix_ns)
        w.start_unix_ns = memory->at_unix_ns;
    if (memory)
        memory->at_unix_ns = now_unix_ns;
    size_t all = jg_pb_begin(out, JG_OTLP_RESOURCE_METRICS, 3);
    size_t resource = jg_pb_begin(out, JG_OTLP_METRICS_OWNER, 2);
    for (size_t i = 0; i < telemetry->resource_count; i++)
        write_text_attr(out, JG_OTLP_RESOURCE_ATTRIBUTES, telemetry->resource[i].key,
                        telemetry->resource[i].value);
    jg_pb_end(out, resource, 2);
    size_t items = jg_pb_begin(out, JG_OTLP_METRICS_ITEMS, 3);
    size_t scope = jg_pb_begin(out, JG_OTLP_METRICS_OWNER, 1);
    jg_pb_write_str(out, JG_OTLP_SCOPE_NAME, JAEGER_STR("libjaeger"));
    jg_pb_write_str(out, JG_OTLP_SCOPE_VERSION, JAEGER_STR(JAEGER_VERSION));
    jg_pb_end(out, scope, 1);
    jg_metrics_each(metrics, write_point, &w);
    close_metric(&w);
    jg_pb_end(out, items, 3);
    jg_pb_end(out, all, 3);
}

/* ---- sending ---- */

void jg_telemetry_console(const jaeger_logger *log, jaeger_str line)
{
    if (log && log->sink && log->sink->write)
        log->sink->write(log->sink->user, JAEGER_INFO, line);
}

static jaeger_status show(pusher *p, const jg_buf *message, jaeger_call *call)
{
    jaeger_batch *batch;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(MESSAGE_BYTES_MAX);
    jg_json_out json = JG_JSON_OUT_INIT(&text);
    JG_TRY(jaeger_batch_from_otlp_metrics(message->data, message->len, NULL, NULL, &batch, &call->error));
    jg_otlp_json_write_metrics(&json, batch);
    jaeger_batch_unref(batch);
    if (!jg_buf_ok(&text))
        return jg_fail_oom(&call->error);
    jg_telemetry_console(p->log, jg_buf_view(&text));
    return JAEGER_OK;
}

static void push_once(pusher *p, uint64_t timeout_ns, const int *cancelled)
{
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(MESSAGE_BYTES_MAX);
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + timeout_ns;
    call.cancelled = cancelled;
    jg_push_write(p->telemetry, p->metrics, p->reader->temporality == JG_PUSH_CUMULATIVE ? NULL : &p->memory,
                  p->start_unix_ns, jg_clock_unix_ns(), &message);
    jaeger_status status = !jg_buf_ok(&message) ? jg_fail_oom(&call.error)
                           : p->reader->console ? show(p, &message, &call)
                                                : jg_otlp_push_send(&p->to, jg_buf_view(&message), &call);
    if (status != JAEGER_OK && !p->failing)
        jaeger_log(p->log, JAEGER_WARN,
                   "service::telemetry::metrics: cannot send to %.*s, trying on error=\"%s\"",
                   JAEGER_STR_ARGS(p->reader->endpoint), call.error.message);
    p->failing = status != JAEGER_OK;
}

/** Wait for an interval. @return false: it is time to stop */
static bool wait_interval(pusher *p)
{
    struct timespec until = jg_cond_after(JG_MIN(p->reader->interval_ms, 86400000u) * JG_NS_PER_MS);
    int timed_out = 0;
    (void)pthread_mutex_lock(&p->stop_mutex);
    while (!p->stopping && !timed_out)
        timed_out = pthread_cond_timedwait(&p->stop_cond, &p->stop_mutex, &until);
    bool go_on = !p->stopping;
    (void)pthread_mutex_unlock(&p->stop_mutex);
    return go_on;
}

static void *run(void *user)
{
    pusher *p = user;
    while (wait_interval(p))
        push_once(p, JG_MAX(p->reader->timeout_ms, 1u) * JG_NS_PER_MS, &p->cancelled);
    push_once(p, LAST_NS, NULL);
    return NULL;
}

/* ---- life ---- */

static jaeger_status start_one(pusher *p, struct jg_net *net, jaeger_error *err)
{
    jg_cond_init(&p->stop_cond);
    (void)pthread_mutex_init(&p->stop_mutex, NULL);
    p->start_unix_ns = jg_clock_unix_ns();
    if (!p->reader->console && jg_otlp_push_open(&p->to, p->reader, JAEGER_METRICS, net, err) != JAEGER_OK)
        return jg_fail_prefix(err, "service::telemetry::metrics::readers");
    p->has_thread = pthread_create(&p->thread, NULL, run, p) == 0;
    return p->has_thread ? JAEGER_OK : jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start a thread");
}

jaeger_status jg_push_start(const jg_telemetry *telemetry, struct jg_net *net, jg_metrics *metrics,
                            const jaeger_logger *log, jg_push **ret, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    *ret = NULL;
    if (!telemetry->push_count)
        return JAEGER_OK;
    jg_push *push = jg_calloc(1, sizeof *push);
    if (!push)
        return jg_fail_oom(err);
    for (size_t i = 0; i < telemetry->push_count && status == JAEGER_OK; i++) {
        pusher *p = &push->pushers[push->count++];
        *p =
            (pusher){.telemetry = telemetry, .reader = &telemetry->pushes[i], .metrics = metrics, .log = log};
        status = start_one(p, net, err);
    }
    if (status != JAEGER_OK)
        jg_push_stop(push, 0);
    else
        *ret = push;
    return status;
}

void jg_push_stop(jg_push *push, uint64_t deadline_ns)
{
    (void)deadline_ns; /* what is sent last has a deadline of its own */
    for (size_t i = 0; push && i < push->count; i++) {
        pusher *p = &push->pushers[i];
        (void)pthread_mutex_lock(&p->stop_mutex);
        p->stopping = true;
        (void)pthread_cond_signal(&p->stop_cond);
        (void)pthread_mutex_unlock(&p->stop_mutex);
        __atomic_store_n(&p->cancelled, 1, __ATOMIC_RELAXED);
    }
    for (size_t i = 0; push && i < push->count; i++) {
        pusher *p = &push->pushers[i];
        if (p->has_thread)
            (void)pthread_join(p->thread, NULL);
        jg_otlp_push_close(&p->to);
        jg_push_memory_done(&p->memory);
        (void)pthread_cond_destroy(&p->stop_cond);
        (void)pthread_mutex_destroy(&p->stop_mutex);
    }
    jg_free(push);
}
