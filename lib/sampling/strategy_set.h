/* SPDX-License-Identifier: Apache-2.0
 * The strategies of all services at one time: made once, then only read, shared by counted references. A box
 * holds the latest set, so that a reply is written from one set while the next one takes its place.
 */
#ifndef JG_SAMPLING_STRATEGY_SET_H
#define JG_SAMPLING_STRATEGY_SET_H

#include "core/attr.h"
#include "core/map.h"
#include <jaeger/sampling.h>
#include <pthread.h>

typedef struct jg_strategy_set {
    unsigned refs;
    jaeger_arena *arena; /* everything below lives here, but the map's slots */
    jg_map services;     /* name -> const jaeger_strategy */
    jaeger_strategy fallback;
} jg_strategy_set;

/** Empty, with one reference. @return NULL: out of memory */
jg_strategy_set *jg_strategy_set_new(size_t bytes_max);
/** Accepts NULL. */
void jg_strategy_set_unref(jg_strategy_set *set);
/** The strategy of `service`; the fallback for one that is not listed. */
const jaeger_strategy *jg_strategy_set_get(const jg_strategy_set *set, jaeger_str service);

typedef struct jg_strategy_box {
    pthread_mutex_t set_mutex;
    jg_strategy_set *set;
} jg_strategy_box;

/** Takes the reference. */
void jg_strategy_box_init(jg_strategy_box *box, jg_strategy_set *take);
void jg_strategy_box_done(jg_strategy_box *box);
/** Takes the reference of the new set; the old one goes when its readers are done. */
void jg_strategy_box_put(jg_strategy_box *box, jg_strategy_set *take);
/** A reference of the latest set. */
jg_strategy_set *jg_strategy_box_ref(jg_strategy_box *box);
/** Hand the latest strategy of `service` to `out`, without a lock. */
jaeger_status jg_strategy_box_strategy(jg_strategy_box *box, jaeger_str service, jaeger_strategy_sink out,
                                       jaeger_call *call);

#endif
