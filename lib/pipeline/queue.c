/* SPDX-License-Identifier: Apache-2.0
 * See queue.h. Requests wait in lanes (pipeline/lanes.h) under one mutex; a consumer takes a load, one or
 * several requests, and sends it as one. While a load may yet grow, one idle consumer watches the clock.
 */
#include "pipeline/queue_impl.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "pipeline/trace.h"
#include <stdio.h>
#include <time.h>

typedef jg_queue_item item;

/* ---- items
 * ------------------------------------------------------------------------------------------------------ */

static uint64_t size_of(const jg_queue *q, const jaeger_batch *batch)
{
    if (!q->options.config)
        return jg_lanes_units(&q->lanes.rules, batch); /* bytes, if it merges */
    switch ((jg_queue_sizer)q->options.config->sizer) {
    case JG_SIZER_ITEMS:
        return jg_batch_items(batch);
    case JG_SIZER_BYTES:
        return jaeger_batch_otlp_size(batch);
    case JG_SIZER_REQUESTS:
        break;
    }
    return 1;
}

static jaeger_str keep(char **at, jaeger_str s)
{
    jaeger_str copy = {s.ptr ? *at : NULL, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

/** With `batch`, requests keep only the metadata that tells them apart. */
static bool keeps(const jg_queue *q, jaeger_str key)
{
    const jg_queue_batch *b = q->options.config ? &q->options.config->batch : NULL;
    bool found = !b || !b->enabled;
    for (size_t i = 0; i < b->metadata_keys.count && !found; i++)
        found = jg_str_eq_nocase(b->metadata_keys.items[i], key);
    return found;
}

jg_queue_item *jg_queue_item_new(const jg_queue *q, jaeger_batch *batch, const jaeger_call *call)
{
    size_t bytes = call->tenant.len + call->bearer_token.len + call->metadata_count * sizeof(jaeger_pair);
    for (size_t i = 0; i < call->metadata_count; i++)
        bytes += call->metadata[i].key.len + call->metadata[i].value.len;
    item *it = jg_alloc(sizeof *it + bytes);
    if (!it)
        return NULL;
    *it = (item){.batch = batch,
                 .size = size_of(q, batch),
                 .arrived_ns = jg_clock_mono_ns(),
                 .call = JAEGER_CALL_INIT,
                 .awaited = q->options.config && q->options.config->wait_for_result};
    jaeger_pair *pairs = (jaeger_pair *)(it + 1);
    char *at = (char *)(pairs + call->metadata_count);
    size_t count = 0;
    it->call.cancelled = &q->abandoned;
    it->call.tenant = keep(&at, call->tenant);
    it->call.bearer_token = keep(&at, call->bearer_token);
    for (size_t i = 0; i < call->metadata_count; i++)
        if (keeps(q, call->metadata[i].key))
            pairs[count++] =
                (jaeger_pair){keep(&at, call->metadata[i].key), keep(&at, call->metadata[i].value)};
    it->call.metadata = count ? pairs : NULL;
    it->call.metadata_count = count;
    jg_lanes_measure(&q->lanes, it);
    return it;
}

void jg_queue_item_free(item *it)
{
    jaeger_batch_unref(it->batch);
    jg_free(it);
}

static void wait_ns(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ns)
{
    struct timespec until = jg_cond_after(JG_MIN(ns, 3600 * JG_NS_PER_S));
    (void)pthread_cond_timedwait(cond, mutex, &until);
}

static void set_size(jg_queue *q, uint64_t size)
{
    q->size = size;
    if (q->size_gauge)
        jg_metric_set(q->size_gauge, (double)size);
}

/* ---- sending
 * ---------------------------------------------------------------------------------------------------- */

/** What an attempt says about the exporter. @return a jg_health; -1: nothing, it was about the batch */
static int health_of(jaeger_status status)
{
    switch (status) {
    case JAEGER_OK:
        return JG_HEALTH_OK;
    case JAEGER_UNAUTHENTICATED:
    case JAEGER_PERMISSION_DENIED:
    case JAEGER_UNIMPLEMENTED:
    case JAEGER_NOT_FOUND:
    case JAEGER_FAILED_PRECONDITION: /* somebody has to change something here or there */
        return JG_HEALTH_PERMANENT;
    case JAEGER_CANCELLED:
    case JAEGER_INVALID_ARGUMENT:
    case JAEGER_OUT_OF_RANGE:
        return -1;
    default:
        return JG_HEALTH_RECOVERABLE;
    }
}

void jg_queue_note(jg_queue *q, jaeger_status status, const jaeger_error *err)
{
    int health = health_of(status);
    if (health >= 0 && __atomic_exchange_n(&q->health, health, __ATOMIC_RELAXED) != health)
        jg_host_report(q->options.host, q->options.id, (jg_health)health, err);
}

/** One attempt. */
static jaeger_status attempt(void *user, jaeger_batch *take, jaeger_call *call)
{
    jg_queue *q = user;
    jg_export_span span;
    jg_export_span_begin(&span, q->options.host, q->options.id, jg_queue_in_flight(q, take), take, call);
    jaeger_status status = q->options.send(q->options.user, take, call);
    jg_export_span_end(&span, call, status);
    jg_queue_note(q, status, &call->error);
    return status;
}

/** Takes the reference. */
static jaeger_status send_now(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    JG_AUTO_BATCH jaeger_batch *batch = take;
    jg_load_part part = {.batch = batch, .call = call};
    jg_load_send(&q->sender, &part, 1);
    jg_load_count(&q->sender, batch, part.status);
    return part.status;
}

void jg_queue_log_lost(const jg_queue *q, size_t spans, const jaeger_call *call)
{
    jaeger_log(q->options.log, JAEGER_ERROR, "exporting failed, dropping spans spans=%zu error=\"%s\"", spans,
               call->error.message);
}

/** Results of a load, to those who wait for them; the others are freed. */
static void finish(jg_queue *q, item *load)
{
    item *own = NULL;
    (void)pthread_mutex_lock(&q->queue_mutex);
    q->sending--;
    for (item *it = load, *next; it; it = next) {
        next = it->next;
        it->done = true;
        if (it->awaited)
            continue; /* the waiter frees it */
        it->next = own;
        own = it;
    }
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    for (item *it = own, *next; it; it = next) {
        next = it->next;
        if (it->status != JAEGER_OK)
            jg_queue_log_lost(q, jg_batch_items(it->batch), &it->call);
        jg_queue_item_free(it);
    }
}

static void send_load(jg_queue *q, item *load)
{
    jg_load_part one, *parts = &one;
    size_t count = 0, done = 0;
    for (const item *it = load; it; it = it->next)
        count++;
    JG_AUTO_FREE jg_load_part *many = count > 1 ? jg_alloc(count * sizeof *many) : NULL;
    if (many)
        parts = many;
    else
        count = 1; /* or no memory: one by one */
    for (item *from = load; from;) {
        item *it = from;
        for (size_t i = 0; i < count; i++, it = it->next)
            parts[i] = (jg_load_part){.batch = it->batch, .call = &it->call};
        jg_load_send(&q->sender, parts, count);
        for (size_t i = 0; i < count; i++, from = from->next) {
            from->status = parts[i].status;
            jg_load_count(&q->sender, from->batch, from->status);
        }
        done += count;
    }
    finish(q, load);
}

/** With the mutex held: wait for a load, at most until the first is due. One consumer does the latter. */
static void wait_filled(jg_queue *q, uint64_t now_ns)
{
    uint64_t due_ns = q->watched ? UINT64_MAX : jg_lanes_due_ns(&q->lanes);
    if (due_ns == UINT64_MAX) {
        (void)pthread_cond_wait(&q->filled_cond, &q->queue_mutex);
        return;
    }
    q->watched = true;
    wait_ns(&q->filled_cond, &q->queue_mutex, due_ns > now_ns ? due_ns - now_ns : 1);
    q->watched = false;
}

item *jg_queue_take(jg_queue *q, uint64_t now_ns)
{
    uint64_t size = 0;
    item *load = jg_lanes_take(&q->lanes, now_ns, q->sending == 0, q->stopping);
    for (const item *it = load; it; it = it->next)
        size += it->size;
    if (load) {
        q->sending++;
        set_size(q, q->size - size);
        (void)pthread_cond_broadcast(&q->changed_cond);
    }
    return load;
}

/** The next load; waits for one. NULL: stopping and empty. */
static item *take_load(jg_queue *q)
{
    item *load = NULL;
    (void)pthread_mutex_lock(&q->queue_mutex);
    for (;;) {
        uint64_t now = jg_clock_mono_ns();
        load = jg_queue_take(q, now);
        if (load || q->stopping)
            break;
        wait_filled(q, now);
    }
    if (load && q->lanes.count && !q->watched)
        (void)pthread_cond_signal(&q->filled_cond);
    if (!load) {
        q->running--;
        (void)pthread_cond_broadcast(&q->changed_cond);
    }
    (void)pthread_mutex_unlock(&q->queue_mutex);
    return load;
}

static void *consume(void *arg)
{
    jg_queue *q = arg;
    item *load;
    if (q->spool) {
        jg_queue_disk_consume(q);
        return NULL;
    }
    if (jg_queue_defers(q)) {
        (void)pthread_setname_np(pthread_self(), "jg-queue");
        jg_queue_later_keep(q);
        return NULL;
    }
    while ((load = take_load(q)))
        send_load(q, load);
    return NULL;
}

bool jg_queue_wait_changed(jg_queue *q, uint64_t deadline_ns)
{
    if (!deadline_ns) {
        (void)pthread_cond_wait(&q->changed_cond, &q->queue_mutex);
        return true;
    }
    uint64_t now = jg_clock_mono_ns();
    if (now >= deadline_ns)
        return false;
    wait_ns(&q->changed_cond, &q->queue_mutex, deadline_ns - now);
    return true;
}

/** After `it` was put: does anything follow from it? Who waits for others to come needs no one awake. */
static void wake_consumer(jg_queue *q, const item *it)
{
    const jg_lane_rules *rules = &q->lanes.rules;
    bool idle = rules->when_idle && !q->sending;
    if (!rules->min || idle || !q->watched || jg_lanes_full(&q->lanes, it))
        (void)pthread_cond_signal(&q->filled_cond);
}

/** Put the item at the end, with the mutex held. @return UNAVAILABLE, DEADLINE_EXCEEDED: it was not */
static jaeger_status put(jg_queue *q, item *it, jaeger_call *call)
{
    uint64_t max = (uint64_t)q->options.config->queue_size;
    if (it->size > max)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "request is larger than the sending queue");
    while (!q->stopping && it->size > max - q->size) {
        if (!q->options.config->block_on_overflow) {
            (void)jg_fail(&call->error, JAEGER_UNAVAILABLE, "sending queue is full");
            call->error.retry_after_ms = JG_RETRY_AFTER_MS;
            return JAEGER_UNAVAILABLE;
        }
        if (!jg_queue_wait_changed(q, call->deadline_ns))
            return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "sending queue is full");
    }
    if (q->stopping)
        return jg_fail(&call->error, JAEGER_UNAVAILABLE, "exporter is stopping");
    if (!jg_lanes_put(&q->lanes, it))
        return jg_fail_oom(&call->error);
    set_size(q, q->size + it->size);
    if (!jg_queue_defers(q))
        wake_consumer(q, it);
    return JAEGER_OK;
}

/** With the mutex held. */
static jaeger_status await(jg_queue *q, item *it, jaeger_call *call)
{
    while (!it->done) {
        if (!jg_queue_wait_changed(q, call->deadline_ns) && !it->done) {
            it->awaited = false; /* the consumer frees it */
            return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "sending takes longer than the deadline");
        }
    }
    jaeger_status status = it->status;
    if (status != JAEGER_OK)
        call->error = it->call.error;
    jg_queue_item_free(it);
    return status;
}

jaeger_status jg_queue_send(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    if (!q->options.config)
        return jaeger_call_later(call) && jg_queue_defers(q) ? jg_queue_later_send(q, take, call)
                                                             : send_now(q, take, call);
    if (q->options.config->persistent.enabled)
        return jg_queue_disk_put(q, take, call);
    item *it = jg_queue_item_new(q, take, call);
    if (!it) {
        jaeger_batch_unref(take);
        return jg_fail_oom(&call->error);
    }
    bool awaited = it->awaited, owed = awaited && jaeger_call_later(call) && jg_queue_defers(q);
    it->awaited = awaited && !owed;
    (void)pthread_mutex_lock(&q->queue_mutex);
    jaeger_status status = put(q, it, call);
    bool queued = status == JAEGER_OK;
    if (queued && owed) {
        jg_queue_later_owe(q, it, call);
        status = JAEGER_PENDING;
    }
    if (queued && jg_queue_defers(q)) {
        jg_queue_later_put(
            q); /* gives the mutex up; who is owed may have heard by now, and the queue be gone */
        if (!awaited || owed)
            return status;
        (void)pthread_mutex_lock(&q->queue_mutex);
    }
    if (queued && awaited)
        status = await(q, it, call);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    if (!queued) {
        jg_load_count_refused(&q->sender, it->batch);
        jg_queue_item_free(it);
    }
    return status;
}

bool jg_queue_is_prompt(const jg_queue *q)
{
    const jg_queue_config *c = q->options.config;
    return c && !c->persistent.enabled && !c->block_on_overflow && !c->wait_for_result;
}

bool jg_queue_defers(const jg_queue *q)
{
    const jg_queue_config *c = q->options.config;
    return q->options.defers && !(c && (c->persistent.enabled || c->block_on_overflow));
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

static jg_metric *make_in_flight(jg_queue *q, const char *data_type)
{
    const jaeger_pair labels[] = {{JAEGER_STR("data_type"), jg_str(data_type)},
                                  {JAEGER_STR("exporter"), jg_str(q->options.id)}};
    return jg_metrics_gauge(q->options.metrics, "otelcol_exporter_in_flight_requests",
                            "Number of requests being sent to the destination.", labels, 2);
}

static void make_point_counters(jg_queue *q, const jaeger_pair *label, bool queues)
{
    jg_metrics *metrics = q->options.metrics;
    q->points_in_flight = make_in_flight(q, "metrics");
    q->sender.points.sent =
        jg_metrics_counter(metrics, "otelcol_exporter_sent_metric_points",
                           "Number of metric points successfully sent to destination.", label, 1);
    q->sender.points.failed =
        jg_metrics_counter(metrics, "otelcol_exporter_send_failed_metric_points",
                           "Number of metric points in failed attempts to send to destination.", label, 1);
    if (queues)
        q->sender.points.refused =
            jg_metrics_counter(metrics, "otelcol_exporter_enqueue_failed_metric_points",
                               "Number of metric points failed to be added to the sending queue.", label, 1);
}

static void make_gauges(jg_queue *q, const jaeger_pair *labels)
{
    jg_metrics *metrics = q->options.metrics;
    q->size_gauge = jg_metrics_gauge(metrics, "otelcol_exporter_queue_size",
                                     "Current size of the retry queue (in batches).", labels, 2);
    const jg_queue_persistent *disk = &q->options.config->persistent;
    double capacity = disk->enabled ? (double)(disk->bytes_max ? disk->bytes_max : JG_SPOOL_BYTES)
                                    : (double)q->options.config->queue_size;
    jg_metric_set(jg_metrics_gauge(metrics, "otelcol_exporter_queue_capacity",
                                   "Fixed capacity of the retry queue (in batches).", labels, 2),
                  capacity);
}

static void make_metrics(jg_queue *q)
{
    jg_metrics *metrics = q->options.metrics;
    const jaeger_pair labels[] = {{JAEGER_STR("data_type"), JAEGER_STR("traces")},
                                  {JAEGER_STR("exporter"), jg_str(q->options.id)}},
                      *label = &labels[1];
    bool queues = q->options.config != NULL;
    q->in_flight = make_in_flight(q, "traces");
    q->sender.spans.sent = jg_metrics_counter(metrics, "otelcol_exporter_sent_spans",
                                              "Number of spans successfully sent to destination.", label, 1);
    q->sender.spans.failed =
        jg_metrics_counter(metrics, "otelcol_exporter_send_failed_spans",
                           "Number of spans in failed attempts to send to destination.", label, 1);
    if (queues)
        q->sender.spans.refused =
            jg_metrics_counter(metrics, "otelcol_exporter_enqueue_failed_spans",
                               "Number of spans failed to be added to the sending queue.", label, 1);
    if (q->options.takes_metrics)
        make_point_counters(q, label, queues);
    if (queues)
        make_gauges(q, labels);
}

jg_queue *jg_queue_new(const jg_queue_options *options)
{
    jg_queue *q = jg_calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->options = *options;
    if (q->options.config && !q->options.config->enabled)
        q->options.config = NULL;
    q->lanes.rules = jg_queue_rules(q->options.config, options->merges);
    q->sender =
        (jg_load_sender){.retry = *options->retry, .send = attempt, .user = q, .rules = q->lanes.rules};
    (void)pthread_mutex_init(&q->queue_mutex, NULL);
    jg_cond_init(&q->filled_cond);
    jg_cond_init(&q->changed_cond);
    jg_retry_stop_init(&q->sender.stop);
    make_metrics(q);
    return q;
}

jaeger_status jg_queue_start(jg_queue *q, jaeger_error *err)
{
    bool defers = jg_queue_defers(q);
    if (!q->options.config && !defers)
        return JAEGER_OK;
    if (q->options.config && q->options.config->persistent.enabled)
        JG_TRY(jg_queue_disk_open(q, err));
    size_t n = q->options.config ? (size_t)JG_MIN(q->options.config->num_consumers, JG_WORKERS_MAX)
                                 : JG_SENDINGS_MAX;
    q->sendings_max = (unsigned)n;
    n = defers ? 1 : n; /* the keeper */
    q->threads = jg_calloc(n, sizeof *q->threads);
    if (!q->threads)
        return jg_fail_oom(err);
    for (; q->thread_count < n; q->thread_count++) {
        (void)pthread_mutex_lock(&q->queue_mutex);
        q->running++;
        (void)pthread_mutex_unlock(&q->queue_mutex);
        if (pthread_create(&q->threads[q->thread_count], NULL, consume, q) != 0) {
            (void)pthread_mutex_lock(&q->queue_mutex);
            q->running--;
            (void)pthread_mutex_unlock(&q->queue_mutex);
            jg_queue_stop(q, 0);
            return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start the consumers of the sending queue");
        }
    }
    return JAEGER_OK;
}

/** What still waits when the time is over; with the mutex held, which is given up where callers hear of it.
 */
static void drop_rest(jg_queue *q)
{
    size_t spans = 0;
    jaeger_call *owed = NULL;
    for (item *load; (load = jg_lanes_take(&q->lanes, 0, true, true));)
        for (item *it = load, *next; it; it = next) {
            next = it->next;
            spans += jg_batch_items(it->batch);
            jg_load_count(&q->sender, it->batch, JAEGER_UNAVAILABLE);
            it->status = it->call.error.status = JAEGER_UNAVAILABLE;
            it->done = true;
            owed = jg_queue_later_settle(q, it);
            if (owed) {
                (void)pthread_mutex_unlock(&q->queue_mutex);
                owed->later->done(owed->later->user,
                                  jg_fail(&owed->error, JAEGER_UNAVAILABLE, "exporter is stopping"));
                (void)pthread_mutex_lock(&q->queue_mutex);
            }
            if (!it->awaited)
                jg_queue_item_free(it);
        }
    set_size(q, 0);
    (void)pthread_cond_broadcast(&q->changed_cond);
    if (spans)
        jaeger_log(q->options.log, JAEGER_ERROR,
                   "stopped before the queue was empty, dropping spans spans=%zu", spans);
}

void jg_queue_stop(jg_queue *q, uint64_t deadline_ns)
{
    if (!q)
        return;
    jg_retry_stop_now(&q->sender.stop);
    if (!q->options.config && !jg_queue_defers(q))
        return;
    (void)pthread_mutex_lock(&q->queue_mutex);
    q->stopping = true;
    if (q->spool)
        jg_spool_stop(q->spool);
    (void)pthread_cond_broadcast(&q->filled_cond);
    (void)pthread_cond_broadcast(&q->changed_cond);
    while (q->running && jg_queue_wait_changed(q, deadline_ns ? deadline_ns : 1))
        ;
    drop_rest(q);
    bool late = q->running;
    (void)pthread_cond_broadcast(&q->filled_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    __atomic_store_n(&q->abandoned, 1, __ATOMIC_RELAXED);
    if (late && jg_queue_defers(q) && q->options.abandon)
        q->options.abandon(q->options.user);
    for (size_t i = 0; i < q->thread_count; i++)
        (void)pthread_join(q->threads[i], NULL);
    q->thread_count = 0;
    jg_queue_disk_close(q);
}

void jg_queue_free(jg_queue *q)
{
    if (!q)
        return;
    jg_queue_stop(q, 0);
    jg_retry_stop_done(&q->sender.stop);
    (void)pthread_cond_destroy(&q->changed_cond);
    (void)pthread_cond_destroy(&q->filled_cond);
    (void)pthread_mutex_destroy(&q->queue_mutex);
    jg_lanes_done(&q->lanes);
    jg_free(q->threads);
    jg_free(q);
}
