/* SPDX-License-Identifier: Apache-2.0
 * See agent.h. The loop copies a datagram and wakes a worker; a worker runs until the queue is empty.
 */
#include "receivers/jaeger/agent.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "wire/jaeger_thrift.h"
#include <pthread.h>

enum { CALL_ARENA_BYTES = 1 << 20, LOG_EVERY_S = 10 };

typedef struct packet {
    struct packet *next;
    size_t len;
    char bytes[];
} packet;

typedef struct worker {
    jg_job job;
    jg_jaeger_agent *agent;
    struct worker *next_idle;
} worker;

struct jg_jaeger_agent {
    jg_jaeger_agent_options options;
    jg_udp_server *server;
    pthread_mutex_t queue_lock; /* guards the next four */
    pthread_cond_t progress;
    packet *first, *last;
    size_t waiting, busy;
    worker *idle;
    worker *workers;
    uint64_t next_log_ns;
    jg_metric *accepted, *refused, *dropped_queue, *dropped_malformed, *dropped_too_long, *dropped_kernel;
    jg_udp_server_stats seen; /* by the last scrape */
};

/* ---- workers
 * ------------------------------------------------------------------------------------------------------- */

static packet *pop(jg_jaeger_agent *a)
{
    packet *p = a->first;
    if (p) {
        a->first = p->next;
        a->waiting--;
    }
    return p;
}

static void free_packet(jg_jaeger_agent *a, packet *p)
{
    jg_net_release(a->options.net, p->len);
    jg_free(p);
}

/** Anybody can send anything to a UDP port: say so now and then. */
static void log_malformed(jg_jaeger_agent *a, const jaeger_error *error)
{
    uint64_t now = jg_clock_mono_ns(), next = __atomic_load_n(&a->next_log_ns, __ATOMIC_RELAXED);
    if (now < next || !__atomic_compare_exchange_n(&a->next_log_ns, &next, now + LOG_EVERY_S * JG_NS_PER_S,
                                                   false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    jaeger_log(a->options.log, JAEGER_WARN, "cannot read a datagram, dropping it error=\"%s\"",
               error->message);
}

static void work_on(jg_jaeger_agent *a, const packet *p, jaeger_arena *arena)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_batch *batch;
    call.arena = arena;
    call.deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    if (jg_jaeger_thrift_packet(a->options.protocol, (jaeger_str){p->bytes, p->len}, &batch, &call.error) !=
        JAEGER_OK) {
        jg_metric_add(a->dropped_malformed, 1);
        log_malformed(a, &call.error);
        return;
    }
    size_t spans = jaeger_batch_span_count(batch);
    if (spans == 0) {
        jaeger_batch_unref(batch);
        return;
    }
    jaeger_status status = a->options.next.consume(a->options.next.self, batch, &call);
    jg_metric_add(status == JAEGER_OK ? a->accepted : a->refused, (double)spans);
}

/** Work until nothing waits. Called and left with the lock held. */
static void drain(jg_jaeger_agent *a)
{
    jaeger_arena *arena = jaeger_arena_new(CALL_ARENA_BYTES);
    for (packet *p; (p = pop(a));) {
        pthread_mutex_unlock(&a->queue_lock);
        if (arena)
            work_on(a, p, arena);
        else
            jg_metric_add(a->dropped_queue, 1);
        free_packet(a, p);
        if (arena)
            jaeger_arena_reset(arena);
        pthread_mutex_lock(&a->queue_lock);
    }
    jaeger_arena_free(arena);
}

static void run(jg_job *job)
{
    worker *w = JG_CONTAINER(job, worker, job);
    jg_jaeger_agent *a = w->agent;
    pthread_mutex_lock(&a->queue_lock);
    drain(a);
    w->next_idle = a->idle;
    a->idle = w;
    a->busy--;
    pthread_cond_signal(&a->progress);
    pthread_mutex_unlock(&a->queue_lock);
}

/* ---- the loop
 * ------------------------------------------------------------------------------------------------------ */

static packet *copy_of(jg_jaeger_agent *a, jaeger_str datagram)
{
    if (!jg_net_admit(a->options.net, datagram.len))
        return NULL;
    packet *p = jg_alloc(sizeof *p + datagram.len);
    if (!p) {
        jg_net_release(a->options.net, datagram.len);
        return NULL;
    }
    *p = (packet){.len = datagram.len};
    if (datagram.len)
        memcpy(p->bytes, datagram.ptr, datagram.len);
    return p;
}

/** Queue it. @return a worker to wake; NULL: all are busy. *ret_full: there was no room */
static worker *push(jg_jaeger_agent *a, packet *p, bool *ret_full)
{
    worker *w = NULL;
    pthread_mutex_lock(&a->queue_lock);
    *ret_full = a->waiting >= a->options.queue_size;
    if (!*ret_full) {
        if (a->first)
            a->last->next = p;
        else
            a->first = p;
        a->last = p;
        a->waiting++;
        if ((w = a->idle)) {
            a->idle = w->next_idle;
            a->busy++;
        }
    }
    pthread_mutex_unlock(&a->queue_lock);
    return w;
}

static void receive(void *self, jaeger_str datagram)
{
    jg_jaeger_agent *a = self;
    bool full = true;
    packet *p = copy_of(a, datagram);
    worker *w = p ? push(a, p, &full) : NULL;
    if (full) {
        jg_metric_add(a->dropped_queue, 1);
        if (p)
            free_packet(a, p);
    }
    if (!w || jg_pool_submit(jg_net_pool(a->options.net), &w->job) == JAEGER_OK)
        return;
    /* the pool is full: the next datagram, or stop, tries again */
    pthread_mutex_lock(&a->queue_lock);
    w->next_idle = a->idle;
    a->idle = w;
    a->busy--;
    pthread_mutex_unlock(&a->queue_lock);
}

/* ---- life
 * ----------------------------------------------------------------------------------------------------------
 */

static void on_scrape(void *self)
{
    jg_jaeger_agent *a = self;
    jg_udp_server_stats now = jg_udp_server_stats_of(a->server);
    jg_metric_add(a->dropped_too_long, (double)(now.too_long - a->seen.too_long));
    jg_metric_add(a->dropped_kernel, (double)(now.dropped_by_kernel - a->seen.dropped_by_kernel));
    a->seen = now;
}

static jg_metric *dropped(jg_jaeger_agent *a, jaeger_str transport, const char *reason)
{
    const jaeger_pair labels[] = {{JAEGER_STR("reason"), jg_str(reason)},
                                  {JAEGER_STR("receiver"), jg_str(a->options.id)},
                                  {JAEGER_STR("transport"), transport}};
    return jg_metrics_counter(jg_net_metrics(a->options.net), "jaeger_receiver_dropped_packets",
                              "Number of datagrams that were lost.", labels, 3);
}

static void init_metrics(jg_jaeger_agent *a)
{
    jg_metrics *metrics = jg_net_metrics(a->options.net);
    jaeger_str transport = a->options.protocol == JG_THRIFT_COMPACT ? JAEGER_STR("udp_thrift_compact")
                                                                    : JAEGER_STR("udp_thrift_binary");
    const jaeger_pair labels[] = {{JAEGER_STR("receiver"), jg_str(a->options.id)},
                                  {JAEGER_STR("transport"), transport}};
    a->accepted = jg_metrics_counter(metrics, "otelcol_receiver_accepted_spans",
                                     "Number of spans successfully pushed into the pipeline.", labels, 2);
    a->refused = jg_metrics_counter(metrics, "otelcol_receiver_refused_spans",
                                    "Number of spans that could not be pushed into the pipeline.", labels, 2);
    a->dropped_queue = dropped(a, transport, "queue_full");
    a->dropped_malformed = dropped(a, transport, "malformed");
    a->dropped_too_long = dropped(a, transport, "too_long");
    a->dropped_kernel = dropped(a, transport, "socket_buffer_full");
}

static void free_agent(jg_jaeger_agent *a)
{
    pthread_cond_destroy(&a->progress);
    pthread_mutex_destroy(&a->queue_lock);
    jg_free(a->workers);
    jg_free(a);
}

static jg_jaeger_agent *new_agent(const jg_jaeger_agent_options *options)
{
    size_t workers = (size_t)JG_MAX(1, JG_MIN(options->workers, JG_WORKERS_MAX));
    jg_jaeger_agent *a = jg_calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->options = *options;
    pthread_mutex_init(&a->queue_lock, NULL);
    jg_cond_init(&a->progress);
    a->workers = jg_calloc(workers, sizeof *a->workers);
    for (size_t i = 0; a->workers && i < workers; i++) {
        a->workers[i] = (worker){.job.run = run, .agent = a, .next_idle = a->idle};
        a->idle = &a->workers[i];
    }
    if (!a->workers) {
        free_agent(a);
        return NULL;
    }
    return a;
}

jaeger_status jg_jaeger_agent_start(const jg_jaeger_agent_options *options, jg_jaeger_agent **ret,
                                    jaeger_error *err)
{
    jg_jaeger_agent *a = new_agent(options);
    if (!a)
        return jg_fail_oom(err);
    init_metrics(a);
    jg_udp_server_options udp = {.endpoint = options->endpoint,
                                 .datagram_bytes_max = (size_t)options->max_packet_size,
                                 .receive_buffer_bytes = (size_t)options->socket_buffer_size,
                                 .receive = receive,
                                 .self = a};
    jaeger_status status = jg_udp_server_start(options->net, &udp, &a->server, err);
    if (status != JAEGER_OK) {
        free_agent(a);
        return status;
    }
    jg_metrics_on_scrape(jg_net_metrics(options->net), on_scrape, a);
    *ret = a;
    return JAEGER_OK;
}

/** With the lock held. @return false: time is up */
static bool wait_for_progress(jg_jaeger_agent *a, uint64_t deadline_ns)
{
    struct timespec until = {(time_t)(deadline_ns / JG_NS_PER_S), (long)(deadline_ns % JG_NS_PER_S)};
    return pthread_cond_timedwait(&a->progress, &a->queue_lock, &until) == 0;
}

void jg_jaeger_agent_stop(jg_jaeger_agent *a, uint64_t deadline_ns)
{
    if (!a)
        return;
    jg_metrics_off_scrape(jg_net_metrics(a->options.net), a);
    jg_udp_server_stop(a->server);
    pthread_mutex_lock(&a->queue_lock);
    bool in_time = true;
    while (in_time && a->waiting) {
        if (a->busy == 0)
            drain(a); /* no worker could be had */
        else
            in_time = wait_for_progress(a, deadline_ns);
    }
    for (packet *p; (p = pop(a));) {
        jg_metric_add(a->dropped_queue, 1);
        free_packet(a, p);
    }
    while (a->busy)
        pthread_cond_wait(&a->progress, &a->queue_lock); /* their calls have deadlines */
    pthread_mutex_unlock(&a->queue_lock);
    free_agent(a);
}
