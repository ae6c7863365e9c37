/* SPDX-License-Identifier: Apache-2.0
 * See queue.h. A list of requests under one mutex; consumers take from its front. A request is one block of
 * memory with its batch's reference and what of the call it needs: tenant, token, metadata. A persistent
 * queue keeps requests in a spool instead (tenant only: tokens are not for disks); its consumers never give
 * up what may yet be sent.
 */
#include "pipeline/queue.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "pipeline/spool.h"
#include <stdio.h>
#include <time.h>

typedef struct item {
    struct item *next;
    jaeger_batch *batch;
    uint64_t size;
    jaeger_call call; /* tenant, token and metadata point behind the item */
    bool awaited, done;
    jaeger_status status; /* once done */
} item;

struct jg_queue {
    jg_queue_options options;
    jg_retry_config retry;
    jg_spool *spool; /* NULL: in memory */
    jg_retry_stop retry_stop;
    jg_metric *sent, *failed, *refused, *size_gauge;
    int abandoned; /* atomic: the time to stop is over, attempts under way end */

    pthread_mutex_t queue_mutex; /* guards what follows */
    pthread_cond_t filled_cond;  /* an item came, or stop */
    pthread_cond_t changed_cond; /* room came, an item is done, a consumer ended */
    item *first, **last;
    uint64_t size;
    bool stopping;
    unsigned running; /* consumers */
    unsigned putting; /* into the spool */
    pthread_t *threads;
    size_t thread_count;
};

/* ---- configuration
 * ---------------------------------------------------------------------------------------------- */

#define AT(member)   .offset = offsetof(jg_queue_config, member)
#define DISK(member) .offset = offsetof(jg_queue_persistent, member)
static const jaeger_field persistent_fields[] = {
    {.name = "directory", .kind = JAEGER_FIELD_STR, DISK(directory), .doc = "of this queue alone; required"},
    {.name = "max_bytes",
     .kind = JAEGER_FIELD_U64,
     DISK(bytes_max),
     .fallback = "1073741824",
     .doc = "ceiling of what may wait; instead of queue_size"},
    {0}};

const jaeger_field jg_queue_fields[] = {
    {.name = "num_consumers",
     .kind = JAEGER_FIELD_I64,
     AT(num_consumers),
     .fallback = "10",
     .doc = "threads that send"},
    {.name = "queue_size",
     .kind = JAEGER_FIELD_I64,
     AT(queue_size),
     .fallback = "1000",
     .doc = "what may wait, counted by `sizer`"},
    {.name = "sizer",
     .kind = JAEGER_FIELD_ENUM,
     AT(sizer),
     .fallback = "requests",
     .choices = "requests|items|bytes",
     .doc = "what queue_size counts"},
    {.name = "block_on_overflow",
     .kind = JAEGER_FIELD_BOOL,
     AT(block_on_overflow),
     .fallback = "false",
     .doc = "wait for room instead of refusing"},
    {.name = "wait_for_result",
     .kind = JAEGER_FIELD_BOOL,
     AT(wait_for_result),
     .fallback = "false",
     .doc = "answer when the request was sent, not when it waits"},
    {.name = "storage",
     .kind = JAEGER_FIELD_STR,
     AT(storage),
     .doc = "not supported: there is no storage extension; use persistent"},
    {.name = "batch",
     .kind = JAEGER_FIELD_NODE,
     AT(batch),
     .doc = "accepted for compatibility: requests are sent as they come"},
    {.name = "persistent",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     AT(persistent),
     .sub = persistent_fields,
     .sub_size = sizeof(jg_queue_persistent),
     .doc = "ours: keep requests on disk; they are acknowledged once they are there, and survive restarts"},
    {0}};

jaeger_status jg_queue_check(const jg_queue_config *c, jaeger_error *err)
{
    if (!c->enabled)
        return JAEGER_OK;
    if (c->num_consumers <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`num_consumers` must be positive");
    if (c->queue_size <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`queue_size` must be positive");
    if (c->persistent.enabled && !c->persistent.directory.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`persistent` requires a `directory`");
    if (c->persistent.enabled && c->wait_for_result)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "`wait_for_result` is not supported with a persistent queue");
    if (c->storage.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "no storage client extension found");
    return JAEGER_OK;
}

/* ---- items
 * ------------------------------------------------------------------------------------------------------ */

static uint64_t size_of(const jg_queue *q, const jaeger_batch *batch)
{
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

/** With the batch's reference. NULL when out of memory; the reference is then the caller's. */
static item *item_new(const jg_queue *q, jaeger_batch *batch, const jaeger_call *call)
{
    size_t bytes = call->tenant.len + call->bearer_token.len + call->metadata_count * sizeof(jaeger_pair);
    for (size_t i = 0; i < call->metadata_count; i++)
        bytes += call->metadata[i].key.len + call->metadata[i].value.len;
    item *it = jg_alloc(sizeof *it + bytes);
    if (!it)
        return NULL;
    *it = (item){.batch = batch,
                 .size = size_of(q, batch),
                 .call = JAEGER_CALL_INIT,
                 .awaited = q->options.config->wait_for_result};
    jaeger_pair *pairs = (jaeger_pair *)(it + 1);
    char *at = (char *)(pairs + call->metadata_count);
    it->call.cancelled = &q->abandoned;
    it->call.tenant = keep(&at, call->tenant);
    it->call.bearer_token = keep(&at, call->bearer_token);
    for (size_t i = 0; i < call->metadata_count; i++)
        pairs[i] = (jaeger_pair){keep(&at, call->metadata[i].key), keep(&at, call->metadata[i].value)};
    it->call.metadata = call->metadata_count ? pairs : NULL;
    it->call.metadata_count = call->metadata_count;
    return it;
}

static void item_free(item *it)
{
    jaeger_batch_unref(it->batch);
    jg_free(it);
}

static void set_size(jg_queue *q, uint64_t size)
{
    q->size = size;
    jg_metric_set(q->size_gauge, (double)size);
}

/* ---- sending
 * ---------------------------------------------------------------------------------------------------- */

/** Takes the reference. */
static jaeger_status send_now(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    double spans = (double)jaeger_batch_span_count(take);
    jaeger_status status =
        jg_retry_send(&q->retry, &q->retry_stop, q->options.send, q->options.user, take, call);
    jg_metric_add(status == JAEGER_OK ? q->sent : q->failed, spans);
    return status;
}

static void finish(jg_queue *q, item *it, jaeger_status status)
{
    (void)pthread_mutex_lock(&q->queue_mutex);
    bool awaited = it->awaited;
    it->status = status;
    it->done = true;
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    if (awaited)
        return; /* the waiter frees it */
    if (status != JAEGER_OK)
        jaeger_log(q->options.log, JAEGER_ERROR, "exporting failed, dropping spans spans=%zu error=\"%s\"",
                   jaeger_batch_span_count(it->batch), it->call.error.message);
    item_free(it);
}

/** The item at the front; waits for one. NULL: stopping and empty. */
static item *take_item(jg_queue *q)
{
    (void)pthread_mutex_lock(&q->queue_mutex);
    while (!q->first && !q->stopping)
        (void)pthread_cond_wait(&q->filled_cond, &q->queue_mutex);
    item *it = q->first;
    if (it) {
        q->first = it->next;
        if (!q->first)
            q->last = &q->first;
        set_size(q, q->size - it->size);
    } else {
        q->running--;
    }
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    return it;
}

/* ---- the persistent queue
 * --------------------------------------------------------------------------------------- */

/** At each scrape: removals reach the disk a moment after the sending. */
static void show_spool_size(void *user)
{
    jg_queue *q = user;
    jg_metric_set(q->size_gauge, (double)jg_spool_measure(q->spool).bytes);
}

/** Keep the spool open for a put. @return false: stopped, or not started */
static bool enter_spool(jg_queue *q)
{
    (void)pthread_mutex_lock(&q->queue_mutex);
    bool open = q->spool && !q->stopping;
    q->putting += open;
    (void)pthread_mutex_unlock(&q->queue_mutex);
    return open;
}

static void leave_spool(jg_queue *q)
{
    (void)pthread_mutex_lock(&q->queue_mutex);
    q->putting--;
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
}

static jaeger_status put_spool(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    jaeger_status status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "exporter is stopping");
    if (enter_spool(q)) {
        status = jg_spool_put(q->spool, take, q->options.config->block_on_overflow, call);
        leave_spool(q);
    }
    if (status != JAEGER_OK)
        jg_metric_add(q->refused, (double)jaeger_batch_span_count(take));
    jaeger_batch_unref(take);
    return status;
}

/** Takes the item's reference. What failed and may yet be sent stays on disk: the queue is stopping. */
static void send_spooled(jg_queue *q, jg_spool_item *it)
{
    jaeger_call call = JAEGER_CALL_INIT;
    size_t spans = jaeger_batch_span_count(it->batch);
    call.cancelled = &q->abandoned;
    call.tenant = (jaeger_str){it->tenant, it->tenant_len};
    jaeger_status status =
        jg_retry_send(&q->retry, &q->retry_stop, q->options.send, q->options.user, it->batch, &call);
    if (status != JAEGER_OK && jg_retry_may_help(&q->retry, status, &call))
        return;
    jg_metric_add(status == JAEGER_OK ? q->sent : q->failed, (double)spans);
    if (status != JAEGER_OK)
        jaeger_log(q->options.log, JAEGER_ERROR, "exporting failed, dropping spans spans=%zu error=\"%s\"",
                   spans, call.error.message);
    jg_spool_remove(q->spool, it->seq);
}

static void consume_spool(jg_queue *q)
{
    jg_spool_item it;
    while (jg_spool_take(q->spool, &it))
        send_spooled(q, &it);
    (void)pthread_mutex_lock(&q->queue_mutex);
    q->running--;
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
}

static jaeger_status open_spool(jg_queue *q, jaeger_error *err)
{
    const jg_queue_persistent *p = &q->options.config->persistent;
    q->retry.max_elapsed_time_ns = 0; /* the disk bounds it */
    JG_TRY(jg_spool_open(p->directory.ptr, p->bytes_max ? p->bytes_max : JG_SPOOL_BYTES, q->options.log,
                         &q->spool, err));
    jg_spool_size size = jg_spool_measure(q->spool);
    jg_metrics_on_scrape(q->options.metrics, show_spool_size, q);
    if (size.batches)
        jaeger_log(q->options.log, JAEGER_INFO,
                   "going on with what is in the persistent queue batches=%llu spans=%llu",
                   (unsigned long long)size.batches, (unsigned long long)size.spans);
    return JAEGER_OK;
}

/** After the consumers. */
static void close_spool(jg_queue *q)
{
    if (!q->spool)
        return;
    const char *directory = q->options.config->persistent.directory.ptr;
    (void)pthread_mutex_lock(&q->queue_mutex);
    while (q->putting)
        (void)pthread_cond_wait(&q->changed_cond, &q->queue_mutex);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    jg_metrics_off_scrape(q->options.metrics, q);
    jg_spool_flush(q->spool);
    jg_spool_size left = jg_spool_measure(q->spool);
    jg_spool_close(q->spool);
    q->spool = NULL;
    if (left.batches)
        jaeger_log(q->options.log, JAEGER_WARN,
                   "stopped with batches in the persistent queue, the next start sends them batches=%llu "
                   "spans=%llu directory=%s",
                   (unsigned long long)left.batches, (unsigned long long)left.spans, directory);
}

static void *consume(void *arg)
{
    jg_queue *q = arg;
    item *it;
    if (q->spool) {
        consume_spool(q);
        return NULL;
    }
    while ((it = take_item(q)))
        finish(q, it, send_now(q, jaeger_batch_ref(it->batch), &it->call));
    return NULL;
}

/** Wait for a change until the call's deadline. @return false: it has passed */
static bool wait_changed(jg_queue *q, uint64_t deadline_ns)
{
    if (!deadline_ns) {
        (void)pthread_cond_wait(&q->changed_cond, &q->queue_mutex);
        return true;
    }
    uint64_t now = jg_clock_mono_ns();
    if (now >= deadline_ns)
        return false;
    struct timespec until; /* tests may shift jg_clock: wait for the difference */
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + JG_MIN(deadline_ns - now, 3600 * JG_NS_PER_S);
    until.tv_sec += (time_t)(ns / JG_NS_PER_S);
    until.tv_nsec = (long)(ns % JG_NS_PER_S);
    (void)pthread_cond_timedwait(&q->changed_cond, &q->queue_mutex, &until);
    return true;
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
        if (!wait_changed(q, call->deadline_ns))
            return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "sending queue is full");
    }
    if (q->stopping)
        return jg_fail(&call->error, JAEGER_UNAVAILABLE, "exporter is stopping");
    *q->last = it;
    q->last = &it->next;
    set_size(q, q->size + it->size);
    (void)pthread_cond_signal(&q->filled_cond);
    return JAEGER_OK;
}

/** With the mutex held. */
static jaeger_status await(jg_queue *q, item *it, jaeger_call *call)
{
    while (!it->done) {
        if (!wait_changed(q, call->deadline_ns) && !it->done) {
            it->awaited = false; /* the consumer frees it */
            return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "sending takes longer than the deadline");
        }
    }
    jaeger_status status = it->status;
    if (status != JAEGER_OK)
        call->error = it->call.error;
    item_free(it);
    return status;
}

jaeger_status jg_queue_send(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    bool on_disk = q->options.config && q->options.config->persistent.enabled;
    if (!q->options.config || (on_disk && jaeger_batch_signal(take) != JAEGER_TRACES))
        return send_now(q, take,
                        call); /* the disk holds traces only: metrics are sent while the caller waits */
    if (on_disk)
        return put_spool(q, take, call);
    double spans = (double)jaeger_batch_span_count(take);
    item *it = item_new(q, take, call);
    if (!it) {
        jaeger_batch_unref(take);
        return jg_fail_oom(&call->error);
    }
    bool awaited = it->awaited;
    (void)pthread_mutex_lock(&q->queue_mutex);
    jaeger_status status = put(q, it, call);
    bool queued = status == JAEGER_OK;
    if (queued && awaited)
        status = await(q, it, call);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    if (!queued) {
        item_free(it);
        jg_metric_add(q->refused, spans);
    }
    return status;
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

static void make_metrics(jg_queue *q)
{
    jg_metrics *metrics = q->options.metrics;
    const jaeger_pair labels[] = {{JAEGER_STR("data_type"), JAEGER_STR("traces")},
                                  {JAEGER_STR("exporter"), jg_str(q->options.id)}};
    q->sent = jg_metrics_counter(metrics, "otelcol_exporter_sent_spans",
                                 "Number of spans successfully sent to destination.", labels + 1, 1);
    q->failed =
        jg_metrics_counter(metrics, "otelcol_exporter_send_failed_spans",
                           "Number of spans in failed attempts to send to destination.", labels + 1, 1);
    if (!q->options.config)
        return;
    q->refused =
        jg_metrics_counter(metrics, "otelcol_exporter_enqueue_failed_spans",
                           "Number of spans failed to be added to the sending queue.", labels + 1, 1);
    q->size_gauge = jg_metrics_gauge(metrics, "otelcol_exporter_queue_size",
                                     "Current size of the retry queue (in batches).", labels, 2);
    const jg_queue_persistent *disk = &q->options.config->persistent;
    double capacity = disk->enabled ? (double)(disk->bytes_max ? disk->bytes_max : JG_SPOOL_BYTES)
                                    : (double)q->options.config->queue_size;
    jg_metric_set(jg_metrics_gauge(metrics, "otelcol_exporter_queue_capacity",
                                   "Fixed capacity of the retry queue (in batches).", labels, 2),
                  capacity);
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

jg_queue *jg_queue_new(const jg_queue_options *options)
{
    jg_queue *q = jg_calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->options = *options;
    q->retry = *options->retry;
    if (q->options.config && !q->options.config->enabled)
        q->options.config = NULL;
    q->last = &q->first;
    (void)pthread_mutex_init(&q->queue_mutex, NULL);
    cond_init(&q->filled_cond);
    cond_init(&q->changed_cond);
    jg_retry_stop_init(&q->retry_stop);
    make_metrics(q);
    return q;
}

jaeger_status jg_queue_start(jg_queue *q, jaeger_error *err)
{
    if (!q->options.config)
        return JAEGER_OK;
    if (q->options.config->persistent.enabled)
        JG_TRY(open_spool(q, err));
    size_t n = (size_t)JG_MIN(q->options.config->num_consumers, JG_WORKERS_MAX);
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

/** What still waits when the time is over; with the mutex held. */
static void drop_rest(jg_queue *q)
{
    size_t spans = 0;
    for (item *it = q->first, *next; it; it = next) {
        next = it->next;
        spans += jaeger_batch_span_count(it->batch);
        it->status = it->call.error.status = JAEGER_UNAVAILABLE;
        it->done = true;
        if (!it->awaited)
            item_free(it);
    }
    q->first = NULL;
    q->last = &q->first;
    set_size(q, 0);
    (void)pthread_cond_broadcast(&q->changed_cond);
    if (!spans)
        return;
    jg_metric_add(q->failed, (double)spans);
    jaeger_log(q->options.log, JAEGER_ERROR, "stopped before the queue was empty, dropping spans spans=%zu",
               spans);
}

void jg_queue_stop(jg_queue *q, uint64_t deadline_ns)
{
    if (!q)
        return;
    jg_retry_stop_now(&q->retry_stop);
    if (!q->options.config)
        return;
    (void)pthread_mutex_lock(&q->queue_mutex);
    q->stopping = true;
    if (q->spool)
        jg_spool_stop(q->spool);
    (void)pthread_cond_broadcast(&q->filled_cond);
    (void)pthread_cond_broadcast(&q->changed_cond);
    while (q->running && wait_changed(q, deadline_ns ? deadline_ns : 1))
        ;
    drop_rest(q);
    (void)pthread_mutex_unlock(&q->queue_mutex);
    __atomic_store_n(&q->abandoned, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < q->thread_count; i++)
        (void)pthread_join(q->threads[i], NULL);
    q->thread_count = 0;
    close_spool(q);
}

void jg_queue_free(jg_queue *q)
{
    if (!q)
        return;
    jg_queue_stop(q, 0);
    jg_retry_stop_done(&q->retry_stop);
    (void)pthread_cond_destroy(&q->changed_cond);
    (void)pthread_cond_destroy(&q->filled_cond);
    (void)pthread_mutex_destroy(&q->queue_mutex);
    jg_free(q->threads);
    jg_free(q);
}
