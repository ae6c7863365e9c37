/* SPDX-License-Identifier: Apache-2.0
 * An assigned partition: the messages that wait, the run that is with a worker, and how far all is dealt
 * with. Partitions of one consumer share a budget of bytes and a mutex.
 */
#ifndef JG_NET_KAFKA_PARTITION_H
#define JG_NET_KAFKA_PARTITION_H

#include "core/pool.h"
#include "net/kafka_consumer.h"
#include <pthread.h>

/** What the partitions of a consumer share. */
typedef struct jg_kafka_shared {
    jg_kafka_handler handler;
    jg_pool *workers;
    jg_metric *bytes_gauge;
    int wake_fd;              /* eventfd: a run ended */
    pthread_mutex_t mutex;    /* guards the partitions' state too */
    pthread_cond_t idle_cond; /* a run ended */
    uint64_t bytes;           /* of all messages that are here */
} jg_kafka_shared;

typedef struct jg_kafka_node {
    struct jg_kafka_node *next;
    struct rd_kafka_message_s *raw;
    uint64_t bytes;
} jg_kafka_node;

typedef struct jg_kafka_partition {
    jg_job job; /* first */
    jg_kafka_shared *shared;
    char *topic;
    int32_t id;
    unsigned refs; /* with the mutex: the consumer's, the worker's */
    /* the consumer thread's */
    bool paused;
    int64_t fetched;   /* next offset that librdkafka shall bring; -1: unknown */
    int64_t committed; /* as the brokers know it; -1: unknown */
    jg_metric *lag;    /* NULL: not known yet */
    /* with the mutex */
    jg_kafka_node *first, **last;
    uint64_t bytes;
    bool working, resting; /* a worker has a run; no more runs until it is assigned anew */
    int64_t done;          /* next offset to be dealt with; -1: nothing was yet */
    int given_up;          /* atomic: see jg_kafka_handler.handle */
} jg_kafka_partition;

/** @return NULL when out of memory */
jg_kafka_partition *jg_kafka_partition_new(jg_kafka_shared *shared, const char *topic, int32_t id);
/** Drop what waits and the consumer's reference. */
void jg_kafka_partition_close(jg_kafka_partition *p);
/** Take a message over. @return false: out of memory; it is not taken */
bool jg_kafka_partition_add(jg_kafka_partition *p, struct rd_kafka_message_s *raw);
/** Give the next run to a worker, if there is none with one and messages wait. */
void jg_kafka_partition_work(jg_kafka_partition *p);
/** Ask the run under way to end: no new ones begin. */
void jg_kafka_partition_give_up(jg_kafka_partition *p);
/** The offset that may be committed; -1: none. Any thread. */
int64_t jg_kafka_partition_done(jg_kafka_partition *p);
/** Bytes that are here, and of all partitions. */
void jg_kafka_partition_bytes(jg_kafka_partition *p, uint64_t *ret, uint64_t *ret_all);

#endif
