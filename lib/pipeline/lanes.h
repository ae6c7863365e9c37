/* SPDX-License-Identifier: Apache-2.0
 * The requests that wait in a sending queue, in lanes: what shares a lane may be sent as one. A lane holds
 * requests of one signal, tenant, token and metadata, in order, and is there as long as it holds any. Not
 * safe for threads: the queue's mutex guards it.
 */
#ifndef JG_PIPELINE_LANES_H
#define JG_PIPELINE_LANES_H

#include "core/attr.h"
#include <jaeger/batch.h>

/** A request: one block of memory with its batch's reference and what of the call it needs. */
typedef struct jg_queue_item {
    struct jg_queue_item *next;
    jaeger_batch *batch;
    uint64_t size;  /* by the queue's sizer */
    uint64_t units; /* by that of the lanes */
    uint64_t arrived_ns, hash;
    jaeger_call call; /* tenant, token and metadata point behind the item */
    bool awaited, done;
    jaeger_status status; /* once done */
    jaeger_call *owed;    /* a caller that hears of the end by its `later`; NULL: none */
    struct jg_queue_item *owed_next, *owed_prev;
} jg_queue_item;

typedef struct jg_lane_rules {
    bool by_bytes;    /* units are OTLP bytes, else spans or data points */
    uint64_t min;     /* units that make a lane ready, and end a load; 0: each request is a load */
    uint64_t max;     /* no load of several requests is larger; 0: none */
    uint64_t wait_ns; /* a request waits so long for others */
    bool when_idle;   /* while nothing is being sent, none waits for others */
} jg_lane_rules;

typedef struct jg_lane {
    jg_queue_item *first, *last;
    uint64_t units;
} jg_lane;

typedef struct jg_lanes {
    jg_lane_rules rules;
    jg_lane *lanes;
    size_t count, capacity;
} jg_lanes;

void jg_lanes_done(jg_lanes *lanes); /* they must be empty */

/** Fill `units` and `hash` of a new item. */
void jg_lanes_measure(const jg_lanes *lanes, jg_queue_item *item);
/** At the end of its lane. @return false: out of memory, it is not there */
bool jg_lanes_put(jg_lanes *lanes, jg_queue_item *item) JG_MUST_CHECK;
/** Is the lane of an item that was put a whole load? */
bool jg_lanes_full(const jg_lanes *lanes, const jg_queue_item *item);
/** The next load: items linked by `next`.
 *  @param idle nothing is being sent
 *  @param all  do not wait for more
 *  @return NULL: none is ready */
jg_queue_item *jg_lanes_take(jg_lanes *lanes, uint64_t now_ns, bool idle, bool all);
/** When the first that waits is due; UINT64_MAX: there is none. */
uint64_t jg_lanes_due_ns(const jg_lanes *lanes);
/** May another item of so many units join a load of `units`? */
bool jg_lanes_fits(const jg_lane_rules *rules, uint64_t units, uint64_t more);
/** Units of a batch. */
uint64_t jg_lanes_units(const jg_lane_rules *rules, const jaeger_batch *batch);

#endif
