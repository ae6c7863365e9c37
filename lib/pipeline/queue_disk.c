/* SPDX-License-Identifier: Apache-2.0
 * The persistent side of the sending queue: requests wait in a spool (tenant only: tokens are not for disks),
 * and consumers never give up what may yet be sent.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "pipeline/queue_impl.h"

#define SPOOLED_MAX 64u /* batches of the disk in one load */

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

jaeger_status jg_queue_disk_put(jg_queue *q, jaeger_batch *take, jaeger_call *call)
{
    jaeger_status status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "exporter is stopping");
    if (enter_spool(q)) {
        status = jg_spool_put(q->spool, take, q->options.config->block_on_overflow, call);
        leave_spool(q);
    }
    if (status != JAEGER_OK)
        jg_load_count_refused(&q->sender, take);
    jaeger_batch_unref(take);
    return status;
}

/** Takes the references. What failed and may yet be sent stays on disk: the queue is stopping. */
static void send_spooled(jg_queue *q, const jg_spool_item *load, size_t count)
{
    jaeger_call calls[SPOOLED_MAX];
    jg_load_part parts[SPOOLED_MAX];
    for (size_t i = 0; i < count; i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        call.cancelled = &q->abandoned;
        call.tenant = (jaeger_str){load[i].tenant, load[i].tenant_len};
        calls[i] = call;
        parts[i] = (jg_load_part){.batch = load[i].batch, .call = &calls[i]};
    }
    jg_load_send(&q->sender, parts, count);
    for (size_t i = 0; i < count; i++) {
        jaeger_status status = parts[i].status;
        if (status == JAEGER_OK || !jg_retry_may_help(&q->sender.retry, status, &calls[i])) {
            jg_load_count(&q->sender, load[i].batch, status);
            if (status != JAEGER_OK)
                jg_queue_log_lost(q, jg_batch_items(load[i].batch), &calls[i]);
            jg_spool_remove(q->spool, load[i].seq);
        }
        jaeger_batch_unref(load[i].batch);
    }
}

/** Fill the load from what is on disk: load[0] is there. @return how many; *ret_rest: load[count] is of
 * another load */
static size_t fill_spooled(jg_queue *q, jg_spool_item *load, bool *ret_rest)
{
    const jg_lane_rules *rules = &q->sender.rules;
    uint64_t units = jg_lanes_units(rules, load[0].batch);
    size_t count = 1;
    *ret_rest = false;
    while (count < SPOOLED_MAX && units < rules->min && jg_spool_take(q->spool, false, &load[count])) {
        uint64_t more = jg_lanes_units(rules, load[count].batch);
        jaeger_str first = {load[0].tenant, load[0].tenant_len};
        jaeger_str other = {load[count].tenant, load[count].tenant_len};
        *ret_rest = !jg_str_eq(first, other) ||
                    jaeger_batch_signal(load[0].batch) != jaeger_batch_signal(load[count].batch) ||
                    !jg_lanes_fits(rules, units, more);
        if (*ret_rest)
            break;
        units += more;
        count++;
    }
    return count;
}

void jg_queue_disk_consume(jg_queue *q)
{
    jg_spool_item load[SPOOLED_MAX];
    bool have = false;
    while (have || jg_spool_take(q->spool, true, &load[0])) {
        size_t count = fill_spooled(q, load, &have);
        send_spooled(q, load, count);
        if (have)
            load[0] = load[count];
    }
    (void)pthread_mutex_lock(&q->queue_mutex);
    q->running--;
    (void)pthread_cond_broadcast(&q->changed_cond);
    (void)pthread_mutex_unlock(&q->queue_mutex);
}

jaeger_status jg_queue_disk_open(jg_queue *q, jaeger_error *err)
{
    const jg_queue_persistent *p = &q->options.config->persistent;
    q->sender.retry.max_elapsed_time_ns = 0; /* the disk bounds it */
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
void jg_queue_disk_close(jg_queue *q)
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
