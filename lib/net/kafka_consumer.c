/* SPDX-License-Identifier: Apache-2.0
 * See kafka_consumer.h. The thread sleeps on two eventfds: librdkafka's queue and the workers. librdkafka
 * signals only when its queue was empty, so the queue is drained to zero each time; and its batch call is not
 * safe beside rebalances, pauses and commits, so all of them happen on this thread.
 */
#include "net/kafka_consumer.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "net/kafka_partition.h"
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DRAIN_MESSAGES  512
#define TICK_MS         100                /* commits, resumes and lag are looked at this often */
#define REVOKE_NS       (10 * JG_NS_PER_S) /* for runs under way when partitions go; a group waits minutes */
#define LAG_NS          JG_NS_PER_S        /* how often lag is looked up */
#define COMMITTED_MS    5000               /* for the broker to say where the group stands */
#define PARTITION_SHARE 4                  /* one partition may hold this part of the budget */

struct jg_kafka_consumer {
    const jaeger_logger *log; /* first: see jg_kafka_conf_new */
    jg_kafka_consumer_options options;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int queue_fd;
    jg_kafka_shared shared;
    pthread_t thread;
    bool running;
    int stopping;         /* atomic */
    uint64_t deadline_ns; /* set before stopping */
    /* the thread's */
    jg_kafka_partition **partitions;
    size_t count, cap;
    jg_kafka_partition *last; /* of the message before: the next one is mostly its neighbour */
    uint64_t commit_at_ns, committing_since_ns, lag_at_ns;
    struct {
        jg_metric *rebalances, *assigned, *commits, *commit_failures, *commit_seconds, *skipped;
    } metrics;
};

/* ---- partitions ---- */

static jg_kafka_partition *find(jg_kafka_consumer *c, const char *topic, int32_t id, size_t *ret_at)
{
    for (size_t i = 0; i < c->count; i++) {
        jg_kafka_partition *p = c->partitions[i];
        if (p->id == id && strcmp(p->topic, topic) == 0) {
            *ret_at = i;
            return p;
        }
    }
    return NULL;
}

static jg_kafka_partition *partition_of(jg_kafka_consumer *c, const rd_kafka_message_t *message)
{
    size_t at;
    const char *topic = rd_kafka_topic_name(message->rkt);
    if (!c->last || c->last->id != message->partition || strcmp(c->last->topic, topic) != 0)
        c->last = find(c, topic, message->partition, &at);
    return c->last;
}

static jg_metric *lag_metric(jg_kafka_consumer *c, const jg_kafka_partition *p)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", (int)p->id);
    const jaeger_pair labels[] = {{JAEGER_STR("partition"), jg_str(number)},
                                  {JAEGER_STR("receiver"), jg_str(c->options.id)},
                                  {JAEGER_STR("topic"), jg_str(p->topic)}};
    return jg_metrics_gauge(c->options.metrics, "otelcol_kafka_receiver_offset_lag",
                            "Messages of an assigned partition that are not yet dealt with.", labels, 3);
}

static bool add_partition(jg_kafka_consumer *c, const rd_kafka_topic_partition_t *from)
{
    size_t at;
    if (find(c, from->topic, from->partition, &at))
        return true;
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        void *grown = jg_realloc(c->partitions, cap * sizeof(void *));
        if (!grown)
            return false;
        c->partitions = grown;
        c->cap = cap;
    }
    jg_kafka_partition *p = jg_kafka_partition_new(&c->shared, from->topic, from->partition);
    if (!p)
        return false;
    p->fetched = p->committed = from->offset >= 0 ? from->offset : -1;
    c->partitions[c->count++] = p;
    return true;
}

static void remove_partition(jg_kafka_consumer *c, size_t at)
{
    if (c->partitions[at]->lag)
        jg_metric_set(c->partitions[at]->lag, 0);
    jg_kafka_partition_close(c->partitions[at]);
    c->partitions[at] = c->partitions[--c->count];
    c->last = NULL;
}

static void set_paused(jg_kafka_consumer *c, jg_kafka_partition *p, bool paused)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, p->topic, p->id);
    rd_kafka_resp_err_t code =
        paused ? rd_kafka_pause_partitions(c->rk, list) : rd_kafka_resume_partitions(c->rk, list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->paused = paused;
    rd_kafka_topic_partition_list_destroy(list);
}

static uint64_t budget(const jg_kafka_consumer *c)
{
    uint64_t bytes = c->options.settings->in_flight_bytes;
    return bytes ? bytes : JG_KAFKA_CONSUMER_BYTES_MAX;
}

/** Above the budget, or its part of it, a partition pauses; below half of both it goes on. */
static void balance(jg_kafka_consumer *c, jg_kafka_partition *p)
{
    uint64_t own, all, max = budget(c), own_max = max / PARTITION_SHARE;
    jg_kafka_partition_bytes(p, &own, &all);
    if (!p->paused && own && (own > own_max || all > max))
        set_paused(c, p, true);
    else if (p->paused && own <= own_max / 2 && all <= max / 2)
        set_paused(c, p, false);
}

/* ---- offsets ---- */

/** What may be committed and is not yet. @return NULL: nothing */
static rd_kafka_topic_partition_list_t *uncommitted(jg_kafka_consumer *c)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (size_t i = 0; i < c->count; i++) {
        jg_kafka_partition *p = c->partitions[i];
        int64_t done = jg_kafka_partition_done(p);
        if (done < 0 || done == p->committed)
            continue;
        if (!list)
            list = rd_kafka_topic_partition_list_new((int)c->count);
        rd_kafka_topic_partition_list_add(list, p->topic, p->id)->offset = done;
    }
    return list;
}

static void commit_answered(jg_kafka_consumer *c, rd_kafka_resp_err_t code,
                            const rd_kafka_topic_partition_list_t *offsets)
{
    size_t at;
    if (c->committing_since_ns)
        jg_metric_observe(c->metrics.commit_seconds,
                          (double)(jg_clock_mono_ns() - c->committing_since_ns) / 1e9);
    c->committing_since_ns = 0;
    for (int i = 0; offsets && i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *o = &offsets->elems[i];
        jg_kafka_partition *p = find(c, o->topic, o->partition, &at);
        if (p && code == RD_KAFKA_RESP_ERR_NO_ERROR && o->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            p->committed = o->offset;
    }
    jg_metric_add(code ? c->metrics.commit_failures : c->metrics.commits, 1);
    if (code && code != RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
        jaeger_log(c->log, JAEGER_WARN, "Kafka commit failed, will commit again error=\"%s\"",
                   rd_kafka_err2str(code));
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *offsets,
                      void *opaque)
{
    (void)rk;
    commit_answered(opaque, code, offsets);
}

/** One commit is under way at most. */
static void commit_soon(jg_kafka_consumer *c)
{
    uint64_t now = jg_clock_mono_ns();
    if (c->committing_since_ns || now < c->commit_at_ns)
        return;
    rd_kafka_topic_partition_list_t *list = uncommitted(c);
    c->commit_at_ns =
        now + (c->options.settings->autocommit.enable ? c->options.settings->autocommit.interval_ns : 0);
    if (!list)
        return;
    if (rd_kafka_commit(c->rk, list, 1) == RD_KAFKA_RESP_ERR_NO_ERROR)
        c->committing_since_ns = now;
    rd_kafka_topic_partition_list_destroy(list);
}

static void commit_now(jg_kafka_consumer *c)
{
    rd_kafka_topic_partition_list_t *list = uncommitted(c);
    if (!list)
        return;
    c->committing_since_ns = jg_clock_mono_ns();
    commit_answered(c, rd_kafka_commit(c->rk, list, 0), list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- rebalances ---- */

/** Where the group stands: to see what was skipped, and to spare librdkafka the question. */
static void read_committed(jg_kafka_consumer *c, rd_kafka_topic_partition_list_t *list)
{
    if (rd_kafka_committed(c->rk, list, COMMITTED_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
}

static void take_over(jg_kafka_consumer *c, rd_kafka_topic_partition_list_t *list, bool cooperative)
{
    read_committed(c, list);
    bool ok = true;
    for (int i = 0; i < list->cnt; i++)
        ok = add_partition(c, &list->elems[i]) && ok;
    rd_kafka_error_t *failed = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (cooperative)
        failed = rd_kafka_incremental_assign(c->rk, list);
    else
        code = rd_kafka_assign(c->rk, list);
    if (failed || code || !ok) {
        jaeger_error err = {0};
        (void)jg_fail(&err, JAEGER_INTERNAL, "cannot take Kafka partitions: %s",
                      failed ? rd_kafka_error_string(failed)
                      : ok   ? rd_kafka_err2str(code)
                             : "out of memory");
        c->options.handler.fatal(c->options.handler.user, &err);
    }
    if (failed)
        rd_kafka_error_destroy(failed);
}

static bool is_working(jg_kafka_consumer *c, const rd_kafka_topic_partition_list_t *list)
{
    size_t at;
    for (int i = 0; i < list->cnt; i++) {
        jg_kafka_partition *p = find(c, list->elems[i].topic, list->elems[i].partition, &at);
        if (p && p->working)
            return true;
    }
    return false;
}

/** Let the runs of these partitions end; what waits behind them goes to the next owner. */
static void drain(jg_kafka_consumer *c, const rd_kafka_topic_partition_list_t *list, uint64_t ns)
{
    size_t at;
    for (int i = 0; i < list->cnt; i++) {
        jg_kafka_partition *p = find(c, list->elems[i].topic, list->elems[i].partition, &at);
        if (p)
            jg_kafka_partition_give_up(p);
    }
    struct timespec until = jg_cond_after(ns);
    int timed_out = 0;
    (void)pthread_mutex_lock(&c->shared.mutex);
    while (is_working(c, list) && !timed_out)
        timed_out = pthread_cond_timedwait(&c->shared.idle_cond, &c->shared.mutex, &until);
    (void)pthread_mutex_unlock(&c->shared.mutex);
    if (timed_out)
        jaeger_log(c->log, JAEGER_WARN,
                   "gave Kafka partitions away before their last messages were stored; the next owner stores "
                   "them again");
}

static void release(jg_kafka_consumer *c, rd_kafka_topic_partition_list_t *list, bool cooperative)
{
    size_t at;
    uint64_t now = jg_clock_mono_ns(), ns = REVOKE_NS;
    if (__atomic_load_n(&c->stopping, __ATOMIC_ACQUIRE))
        ns = c->deadline_ns > now ? c->deadline_ns - now : 0;
    bool lost = rd_kafka_assignment_lost(c->rk);
    drain(c, list, lost ? 0 : ns);
    if (!lost)
        commit_now(c);
    for (int i = 0; i < list->cnt; i++)
        if (find(c, list->elems[i].topic, list->elems[i].partition, &at))
            remove_partition(c, at);
    rd_kafka_error_t *failed = NULL;
    if (cooperative)
        failed = rd_kafka_incremental_unassign(c->rk, list);
    else
        (void)rd_kafka_assign(c->rk, NULL);
    if (failed)
        rd_kafka_error_destroy(failed);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    jg_kafka_consumer *c = opaque;
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    bool cooperative = protocol && strcmp(protocol, "COOPERATIVE") == 0;
    jaeger_log(c->log, JAEGER_INFO, "Kafka partitions %s count=%d",
               code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "assigned" : "revoked", list->cnt);
    jg_metric_add(c->metrics.rebalances, 1);
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        take_over(c, list, cooperative);
    else
        release(c, list, cooperative);
    jg_metric_set(c->metrics.assigned, (double)c->count);
}

/* ---- the thread ---- */

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    jg_kafka_consumer *c = opaque;
    char why[256];
    if (code != RD_KAFKA_RESP_ERR__FATAL) {
        jaeger_log(c->log, JAEGER_WARN, "Kafka consumer error=\"%s\" code=%s", reason,
                   rd_kafka_err2name((rd_kafka_resp_err_t)code));
        return;
    }
    jaeger_error err = {0};
    (void)rd_kafka_fatal_error(rk, why, sizeof why);
    (void)jg_fail(&err, JAEGER_INTERNAL, "the Kafka consumer can go on no more: %s", why);
    c->options.handler.fatal(c->options.handler.user, &err);
}

/** Offsets that never came: the brokers deleted them before they were read (or compacted them away). */
static void note_skipped(jg_kafka_consumer *c, const jg_kafka_partition *p, int64_t offset)
{
    if (p->fetched < 0 || offset <= p->fetched)
        return;
    jg_metric_add(c->metrics.skipped, (double)(offset - p->fetched));
    jaeger_log(
        c->log, JAEGER_ERROR,
        "Kafka offsets were skipped: deleted before they were read topic=%s partition=%d from=%lld to=%lld",
        p->topic, (int)p->id, (long long)p->fetched, (long long)offset);
}

/** Takes the message. */
static void dispatch(jg_kafka_consumer *c, rd_kafka_message_t *message)
{
    if (message->err) {
        jaeger_log(c->log, JAEGER_WARN, "Kafka consumer error=\"%s\"", rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
        return;
    }
    jg_kafka_partition *p = partition_of(c, message);
    if (!p || (p->fetched >= 0 && message->offset < p->fetched)) { /* not ours any more, or here already */
        rd_kafka_message_destroy(message);
        return;
    }
    note_skipped(c, p, message->offset);
    int64_t offset = message->offset;
    if (!jg_kafka_partition_add(p, message)) {
        jaeger_error err = {0};
        rd_kafka_message_destroy(message);
        (void)jg_fail_oom(&err);
        c->options.handler.fatal(c->options.handler.user, &err);
        return;
    }
    p->fetched = offset + 1;
}

static void drain_queue(jg_kafka_consumer *c)
{
    rd_kafka_message_t *messages[DRAIN_MESSAGES];
    ssize_t n;
    do {
        n = rd_kafka_consume_batch_queue(c->queue, 0, messages, DRAIN_MESSAGES);
        for (ssize_t i = 0; i < n; i++)
            dispatch(c, messages[i]);
        for (size_t i = 0; i < c->count; i++) {
            jg_kafka_partition_work(c->partitions[i]);
            balance(c, c->partitions[i]);
        }
    } while (n > 0 && !__atomic_load_n(&c->stopping, __ATOMIC_ACQUIRE));
}

static void measure_lag(jg_kafka_consumer *c)
{
    uint64_t now = jg_clock_mono_ns();
    if (now < c->lag_at_ns)
        return;
    c->lag_at_ns = now + LAG_NS;
    for (size_t i = 0; i < c->count; i++) {
        jg_kafka_partition *p = c->partitions[i];
        int64_t low, high, done = jg_kafka_partition_done(p);
        done = done < 0 ? p->committed : done;
        if (rd_kafka_get_watermark_offsets(c->rk, p->topic, p->id, &low, &high) !=
                RD_KAFKA_RESP_ERR_NO_ERROR ||
            high < 0)
            continue; /* not known before the first fetch */
        p->lag = p->lag ? p->lag : lag_metric(c, p);
        jg_metric_set(p->lag, (double)JG_MAX(0, high - JG_MAX(done, low)));
    }
}

static void clear_fd(int fd)
{
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
}

static void *consume(void *arg)
{
    jg_kafka_consumer *c = arg;
    struct pollfd fds[] = {{.fd = c->queue_fd, .events = POLLIN},
                           {.fd = c->shared.wake_fd, .events = POLLIN}};
    while (!__atomic_load_n(&c->stopping, __ATOMIC_ACQUIRE)) {
        (void)poll(fds, JG_COUNT(fds), TICK_MS);
        clear_fd(c->queue_fd);
        clear_fd(c->shared.wake_fd);
        drain_queue(c);
        commit_soon(c);
        measure_lag(c);
    }
    (void)rd_kafka_consumer_close(c->rk); /* revokes all: drains and commits */
    return NULL;
}

/* ---- life ---- */

static void make_metrics(jg_kafka_consumer *c)
{
    static const double seconds[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
    jg_metrics *m = c->options.metrics;
    const jaeger_pair label = {JAEGER_STR("receiver"), jg_str(c->options.id)};
    c->shared.bytes_gauge = jg_metrics_gauge(m, "jaeger_kafka_in_flight_bytes",
                                             "Bytes fetched from Kafka and not yet dealt with.", &label, 1);
    c->metrics.rebalances =
        jg_metrics_counter(m, "jaeger_kafka_rebalances", "Partitions were assigned or revoked.", &label, 1);
    c->metrics.assigned =
        jg_metrics_gauge(m, "jaeger_kafka_assigned_partitions", "Partitions assigned to us.", &label, 1);
    c->metrics.commits = jg_metrics_counter(m, "jaeger_kafka_commits", "Commits that succeeded.", &label, 1);
    c->metrics.commit_failures =
        jg_metrics_counter(m, "jaeger_kafka_commit_failures", "Commits that failed.", &label, 1);
    c->metrics.commit_seconds =
        jg_metrics_histogram(m, "jaeger_kafka_commit_duration_seconds", "From commit to its answer.", &label,
                             1, seconds, JG_COUNT(seconds));
    c->metrics.skipped = jg_metrics_counter(m, "jaeger_kafka_skipped_offsets",
                                            "Offsets that were deleted before they were read.", &label, 1);
}

static rd_kafka_conf_t *make_conf(jg_kafka_consumer *c, jaeger_error *err)
{
    rd_kafka_conf_t *conf = jg_kafka_conf_new(c->options.client, err);
    if (!conf)
        return NULL;
    jg_kafka_consumer_conf(conf, c->options.settings, &c->options.exclude_topics, err);
    jg_kafka_conf_more(conf, c->options.client, err);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, c);
    if (err->status == JAEGER_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static jaeger_status subscribe(jg_kafka_consumer *c, jaeger_error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)c->options.topics.count);
    for (size_t i = 0; i < c->options.topics.count; i++)
        (void)rd_kafka_topic_partition_list_add(topics, c->options.topics.items[i].ptr,
                                                RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "cannot subscribe: %s", rd_kafka_err2str(code))
                : JAEGER_OK;
}

static jaeger_status open_client(jg_kafka_consumer *c, jaeger_error *err)
{
    static const uint64_t one = 1;
    char why[256];
    rd_kafka_conf_t *conf = make_conf(c, err);
    if (!conf)
        return err->status;
    c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!c->rk) {
        rd_kafka_conf_destroy(conf);
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "librdkafka: %s", why);
    }
    (void)rd_kafka_poll_set_consumer(c->rk);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    rd_kafka_queue_io_event_enable(c->queue, c->queue_fd, &one, sizeof one);
    (void)!write(c->queue_fd, &one, sizeof one); /* what came before is not signalled */
    return subscribe(c, err);
}

static jaeger_status open_all(jg_kafka_consumer *c, jaeger_error *err)
{
    c->queue_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->shared.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->shared.workers = jg_pool_new("kafka-work", JG_KAFKA_WORKERS_MAX, JG_JOBS_MAX, 0);
    if (c->queue_fd < 0 || c->shared.wake_fd < 0 || !c->shared.workers)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "no descriptors or memory for Kafka");
    JG_TRY(open_client(c, err));
    jg_kafka_client_warn(c->options.client, c->log);
    c->running = pthread_create(&c->thread, NULL, consume, c) == 0;
    return c->running ? JAEGER_OK : jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "no thread for Kafka");
}

jaeger_status jg_kafka_consumer_start(const jg_kafka_consumer_options *options, jg_kafka_consumer **ret,
                                      jaeger_error *err)
{
    jaeger_error own = {0};
    jg_kafka_consumer *c = jg_calloc(1, sizeof *c);
    if (!c)
        return jg_fail_oom(err);
    c->log = options->log;
    c->options = *options;
    c->shared.handler = options->handler;
    c->queue_fd = c->shared.wake_fd = -1;
    jg_cond_init(&c->shared.idle_cond);
    (void)pthread_mutex_init(&c->shared.mutex, NULL);
    make_metrics(c);
    jaeger_status status = open_all(c, &own);
    if (status != JAEGER_OK) {
        jg_kafka_consumer_stop(c, 0);
        if (err)
            *err = own;
        return status;
    }
    *ret = c;
    return JAEGER_OK;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void jg_kafka_consumer_stop(jg_kafka_consumer *c, uint64_t deadline_ns)
{
    if (!c)
        return;
    static const uint64_t one = 1;
    c->deadline_ns = deadline_ns;
    __atomic_store_n(&c->stopping, 1, __ATOMIC_RELEASE);
    if (c->running) {
        (void)!write(c->shared.wake_fd, &one, sizeof one);
        (void)pthread_join(c->thread, NULL);
    }
    while (c->count)
        remove_partition(c, c->count - 1);
    jg_pool_free(c->shared.workers); /* before librdkafka: workers hold messages */
    if (c->queue)
        rd_kafka_queue_destroy(c->queue);
    if (c->rk)
        rd_kafka_destroy(c->rk);
    close_fd(c->queue_fd);
    close_fd(c->shared.wake_fd);
    (void)pthread_mutex_destroy(&c->shared.mutex);
    (void)pthread_cond_destroy(&c->shared.idle_cond);
    jg_free(c->partitions);
    jg_free(c);
}
