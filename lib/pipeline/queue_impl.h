/* SPDX-License-Identifier: Apache-2.0
 * Between the files of the sending queue: its state. queue.c keeps requests in memory, queue_disk.c in a
 * spool.
 */
#ifndef JG_PIPELINE_QUEUE_IMPL_H
#define JG_PIPELINE_QUEUE_IMPL_H

#include "pipeline/loads.h"
#include "pipeline/queue.h"
#include "pipeline/spool.h"

struct jg_queue {
    jg_queue_options options;
    jg_load_sender sender;
    jg_spool *spool; /* NULL: in memory */
    jg_metric *size_gauge;
    int health;    /* atomic: jg_health, as told last */
    int abandoned; /* atomic: the time to stop is over, attempts under way end */

    pthread_mutex_t queue_mutex; /* guards what follows */
    pthread_cond_t filled_cond;  /* a load is ready, somebody must watch the clock, or stop */
    pthread_cond_t changed_cond; /* room came, an item is done, a consumer ended */
    jg_lanes lanes;
    uint64_t size;
    bool stopping;
    bool watched;     /* a consumer wakes when the first lane is due */
    unsigned sending; /* loads */
    unsigned running; /* consumers */
    unsigned putting; /* into the spool */
    pthread_t *threads;
    size_t thread_count;
};

/** The service's own error line about spans that are lost. */
void jg_queue_log_lost(const jg_queue *queue, size_t spans, const jaeger_call *call);

/** The persistent queue: open it; put a request (takes the reference); what a consumer does until the stop;
 * after the consumers. */
jaeger_status jg_queue_disk_open(jg_queue *queue, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_queue_disk_put(jg_queue *queue, jaeger_batch *take, jaeger_call *call) JG_MUST_CHECK;
void jg_queue_disk_consume(jg_queue *queue);
void jg_queue_disk_close(jg_queue *queue);

#endif
