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
    jg_metric *in_flight, *points_in_flight; /* the latter NULL: no metrics come */
    int health;                              /* atomic: jg_health, as told last */
    int abandoned;                           /* atomic: the time to stop is over, attempts under way end */

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

    /* of exporters that defer */
    unsigned sendings_max;
    struct jg_sending *retries; /* that wait for their time */
    jg_queue_item *owed;        /* requests whose callers have offered `later` */
    uint64_t owed_look_ns;      /* when to look who of them waits no longer */
    uint64_t owed_bytes;        /* of them, without a queue */
    uint64_t keeper_due_ns;     /* the keeper sleeps until then; 0: it is awake */
};

/** A request with the batch's reference. NULL when out of memory; the reference is then the caller's. */
jg_queue_item *jg_queue_item_new(const jg_queue *queue, jaeger_batch *batch, const jaeger_call *call);
void jg_queue_item_free(jg_queue_item *item);
/** With the mutex held: a load that is taken is under way. */
jg_queue_item *jg_queue_take(jg_queue *queue, uint64_t now_ns);
/** With the mutex held: wait for a change until the deadline (0: without one). @return false: it has passed
 */
bool jg_queue_wait_changed(jg_queue *queue, uint64_t deadline_ns);
/** Health checks hear when attempts begin to fail, and when they succeed again. */
void jg_queue_note(jg_queue *queue, jaeger_status status, const jaeger_error *err);

/** The service's own error line about spans that are lost. */
void jg_queue_log_lost(const jg_queue *queue, size_t spans, const jaeger_call *call);

/** The persistent queue: open it; put a request (takes the reference); what a consumer does until the stop;
 * after the consumers. */
jaeger_status jg_queue_disk_open(jg_queue *queue, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_queue_disk_put(jg_queue *queue, jaeger_batch *take, jaeger_call *call) JG_MUST_CHECK;
void jg_queue_disk_consume(jg_queue *queue);
void jg_queue_disk_close(jg_queue *queue);

/** Without consumers: begin what may be sent now. With the mutex held, which is given up. */
void jg_queue_later_put(jg_queue *queue);
/** Without a queue, for a call that offers `later`. */
jaeger_status jg_queue_later_send(jg_queue *queue, jaeger_batch *take, jaeger_call *call) JG_MUST_CHECK;
/** With the mutex held: `call` hears of the end of the item, or of its own. */
void jg_queue_later_owe(jg_queue *queue, jg_queue_item *item, jaeger_call *call);
/** With the mutex held: nobody hears of it any more. @return who did; NULL: none */
jaeger_call *jg_queue_later_settle(jg_queue *queue, jg_queue_item *item);
/** The one thread: begins what is due, until the queue stops and nothing is under way. */
void jg_queue_later_keep(jg_queue *queue);

/** The gauge of requests that are being sent, of the signal of a batch. */
static inline jg_metric *jg_queue_in_flight(const jg_queue *q, const jaeger_batch *batch)
{
    bool metrics = jaeger_batch_signal(batch) == JAEGER_METRICS && q->points_in_flight;
    return metrics ? q->points_in_flight : q->in_flight;
}

#endif
