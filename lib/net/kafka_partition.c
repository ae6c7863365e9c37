/* SPDX-License-Identifier: Apache-2.0
 * See kafka_partition.h.
 */
#include "net/kafka_partition.h"

#include "core/alloc.h"
#include "core/limits.h"
#include "core/str.h"
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#define MESSAGE_BYTES 256 /* of librdkafka's and our own structs, for each message */
#define FEW           32  /* messages that need no memory of their own */

static void run(jg_job *job);

jg_kafka_partition *jg_kafka_partition_new(jg_kafka_shared *shared, const char *topic, int32_t id)
{
    jg_kafka_partition *p = jg_calloc(1, sizeof *p);
    char *name = jg_strndup(topic, strlen(topic));
    if (!p || !name) {
        jg_free(p);
        jg_free(name);
        return NULL;
    }
    *p = (jg_kafka_partition){.job = {.run = run},
                              .shared = shared,
                              .topic = name,
                              .id = id,
                              .refs = 1,
                              .fetched = -1,
                              .committed = -1,
                              .done = -1};
    p->last = &p->first;
    return p;
}

/** With the mutex held. */
static void unref(jg_kafka_partition *p)
{
    if (--p->refs)
        return;
    jg_free(p->topic);
    jg_free(p);
}

/** With the mutex held. */
static void add_bytes(jg_kafka_partition *p, int64_t bytes)
{
    p->bytes += (uint64_t)bytes;
    p->shared->bytes += (uint64_t)bytes;
    jg_metric_set(p->shared->bytes_gauge, (double)p->shared->bytes);
}

static void free_nodes(jg_kafka_node *node)
{
    while (node) {
        jg_kafka_node *next = node->next;
        rd_kafka_message_destroy(node->raw);
        jg_free(node);
        node = next;
    }
}

void jg_kafka_partition_close(jg_kafka_partition *p)
{
    jg_kafka_shared *s = p->shared;
    (void)pthread_mutex_lock(&s->mutex);
    jg_kafka_node *waiting = p->first;
    int64_t bytes = 0;
    for (jg_kafka_node *node = waiting; node; node = node->next)
        bytes += (int64_t)node->bytes;
    p->first = NULL;
    p->last = &p->first;
    p->resting = true;
    add_bytes(p, -bytes);
    unref(p);
    (void)pthread_mutex_unlock(&s->mutex);
    free_nodes(waiting);
}

bool jg_kafka_partition_add(jg_kafka_partition *p, struct rd_kafka_message_s *raw)
{
    jg_kafka_node *node = jg_alloc(sizeof *node);
    if (!node)
        return false;
    *node = (jg_kafka_node){.raw = raw, .bytes = raw->len + raw->key_len + MESSAGE_BYTES};
    (void)pthread_mutex_lock(&p->shared->mutex);
    *p->last = node;
    p->last = &node->next;
    add_bytes(p, (int64_t)node->bytes);
    (void)pthread_mutex_unlock(&p->shared->mutex);
    return true;
}

void jg_kafka_partition_work(jg_kafka_partition *p)
{
    jg_kafka_shared *s = p->shared;
    (void)pthread_mutex_lock(&s->mutex);
    if (p->first && !p->working && !p->resting && jg_pool_submit(s->workers, &p->job) == JAEGER_OK) {
        p->working = true;
        p->refs++;
    }
    (void)pthread_mutex_unlock(&s->mutex);
}

void jg_kafka_partition_give_up(jg_kafka_partition *p)
{
    __atomic_store_n(&p->given_up, 1, __ATOMIC_RELEASE);
    (void)pthread_mutex_lock(&p->shared->mutex);
    p->resting = true;
    (void)pthread_mutex_unlock(&p->shared->mutex);
}

int64_t jg_kafka_partition_done(jg_kafka_partition *p)
{
    (void)pthread_mutex_lock(&p->shared->mutex);
    int64_t done = p->done;
    (void)pthread_mutex_unlock(&p->shared->mutex);
    return done;
}

void jg_kafka_partition_bytes(jg_kafka_partition *p, uint64_t *ret, uint64_t *ret_all)
{
    (void)pthread_mutex_lock(&p->shared->mutex);
    *ret = p->bytes;
    *ret_all = p->shared->bytes;
    (void)pthread_mutex_unlock(&p->shared->mutex);
}

/* ---- a run, on a worker ---- */

/** Cut a run from the front. @return its first message; NULL: there is none to be done */
static jg_kafka_node *take_run(jg_kafka_partition *p, size_t *ret_count, int64_t *ret_bytes)
{
    uint64_t bytes = 0;
    size_t count = 0;
    (void)pthread_mutex_lock(&p->shared->mutex);
    jg_kafka_node *taken = p->resting ? NULL : p->first;
    if (taken) {
        jg_kafka_node **end = &p->first;
        do {
            bytes += (*end)->bytes;
            count++;
            end = &(*end)->next;
        } while (*end && count < JG_KAFKA_RUN_RECORDS_MAX && bytes + (*end)->bytes <= JG_KAFKA_RUN_BYTES_MAX);
        p->first = *end;
        *end = NULL;
        if (!p->first)
            p->last = &p->first;
        if (p->shared->handler.before) {
            jg_kafka_node *node = taken;
            while (node->next)
                node = node->next;
            p->done = node->raw->offset + 1;
        }
    }
    (void)pthread_mutex_unlock(&p->shared->mutex);
    *ret_count = count;
    *ret_bytes = (int64_t)bytes;
    return taken;
}

/** Describe up to `max` messages. @return how many */
static size_t describe(const jg_kafka_partition *p, const jg_kafka_node **node, jg_kafka_message *out,
                       size_t max)
{
    size_t n = 0;
    for (; *node && n < max; *node = (*node)->next) {
        rd_kafka_message_t *raw = (*node)->raw;
        out[n++] = (jg_kafka_message){.topic = p->topic,
                                      .partition = p->id,
                                      .offset = raw->offset,
                                      .key = {raw->key, raw->key_len},
                                      .value = {raw->payload, raw->len},
                                      .raw = raw};
    }
    return n;
}

/** All at once, or in pieces when memory is short. @return how many are dealt with */
static size_t handle(jg_kafka_partition *p, const jg_kafka_node *first, size_t count)
{
    const jg_kafka_handler *h = &p->shared->handler;
    jg_kafka_message some[FEW];
    JG_AUTO_FREE jg_kafka_message *all = count > FEW ? jg_alloc(count * sizeof *all) : NULL;
    jg_kafka_message *messages = all ? all : some;
    size_t done = 0, n;
    while ((n = describe(p, &first, messages, all ? count : FEW))) {
        size_t good = h->handle(h->user, messages, n, &p->given_up);
        done += good;
        if (good < n)
            break;
    }
    return done;
}

/** Note how far the run got; with the mutex held. */
static void note_done(jg_kafka_partition *p, const jg_kafka_node *first, size_t count, size_t done)
{
    for (size_t i = 0; i < done && first; i++, first = first->next)
        p->done = JG_MAX(p->done, first->raw->offset + 1);
    if (done < count)
        p->resting = true;
}

static void run(jg_job *job)
{
    jg_kafka_partition *p = (jg_kafka_partition *)job;
    jg_kafka_shared *s = p->shared;
    const uint64_t one = 1;
    size_t count;
    int64_t bytes;
    jg_kafka_node *first = take_run(p, &count, &bytes);
    size_t done = first ? handle(p, first, count) : 0;
    (void)pthread_mutex_lock(&s->mutex);
    note_done(p, first, count, done);
    add_bytes(p, -bytes);
    p->working = p->first && !p->resting && jg_pool_submit(s->workers, &p->job) == JAEGER_OK;
    if (!p->working)
        unref(p);
    (void)pthread_cond_broadcast(&s->idle_cond);
    (void)!write(s->wake_fd, &one, sizeof one);
    (void)pthread_mutex_unlock(&s->mutex);
    free_nodes(first);
}

bool jg_kafka_message_header(const jg_kafka_message *message, size_t index, jaeger_pair *ret)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t len;
    if (rd_kafka_message_headers(message->raw, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_all(headers, index, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *ret = (jaeger_pair){jg_str(name), {value, len}};
    return true;
}
