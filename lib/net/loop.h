/* SPDX-License-Identifier: Apache-2.0
 * An event loop on one thread: watched descriptors, timers, and a mailbox for other threads. Nothing that
 * runs on it may block. All structs are embedded in their owners, so that nothing here can run out of memory
 * after the start.
 *
 * Only jg_loop_post, jg_loop_sync and jg_loop_load may be called from other threads.
 */
#ifndef JG_NET_LOOP_H
#define JG_NET_LOOP_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_loop jg_loop;

/** A descriptor on the loop. Zeroed: not watched. */
typedef struct jg_watch {
    void (*ready)(struct jg_watch *watch,
                  uint32_t events); /* EPOLL*; may unwatch and free itself and others */
    int fd;
    uint32_t events; /* 0: not watched */
} jg_watch;

/** Fires once. Zeroed: not set. */
typedef struct jg_timer {
    void (*fire)(struct jg_timer *timer);
    uint64_t due_ns; /* CLOCK_MONOTONIC; 0: not set */
    struct jg_timer *child, *next, *prev;
} jg_timer;

/** A message: runs on the loop's thread, once. It must stay until then. */
typedef struct jg_post {
    void (*run)(struct jg_post *post);
    struct jg_post *next;
} jg_post;

/** Make a loop and start its thread. @return NULL: out of memory, descriptors or threads */
jg_loop *jg_loop_new(const char *thread_name, unsigned index);
/** Run what was posted, join the thread, free. Watches and timers are forgotten. Accepts NULL. */
void jg_loop_free(jg_loop *loop);
/** Position among the loops of its jg_net. */
unsigned jg_loop_index(const jg_loop *loop);

/** Watch, or change the events of a watch. `fd` must not change while watched. @return false: the kernel
 * refused */
bool jg_loop_watch(jg_loop *loop, jg_watch *watch, uint32_t events) JG_MUST_CHECK;
/** Stop watching, before the descriptor is closed. Events of this round that were not delivered yet are
 * dropped. */
void jg_loop_unwatch(jg_loop *loop, jg_watch *watch);
void jg_loop_timer_set(jg_loop *loop, jg_timer *timer, uint64_t due_ns);
void jg_loop_timer_clear(jg_loop *loop, jg_timer *timer);
/** Time at the beginning of this round [CLOCK_MONOTONIC ns]. */
uint64_t jg_loop_now_ns(const jg_loop *loop);
/** Scratch memory for reading, valid until the callback returns. */
#define JG_LOOP_SLAB_BYTES (256u << 10)
uint8_t *jg_loop_slab(jg_loop *loop);
/** Run at the end of this round, on the loop: the place to free what callbacks still use, and to flush. */
void jg_loop_defer(jg_loop *loop, jg_post *post);

/** Threads: any. Never blocks; posts of one thread run in order. On the loop itself: as jg_loop_defer. */
void jg_loop_post(jg_loop *loop, jg_post *post);
/** Run `fn` on the loop and wait for its return. Threads: any, the loop's own included. */
void jg_loop_sync(jg_loop *loop, void (*fn)(void *arg), void *arg);
/** Connections and the like that live on the loop: add to the count. @return the new count */
unsigned jg_loop_load(jg_loop *loop, int add);

#endif
