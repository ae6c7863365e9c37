/* SPDX-License-Identifier: Apache-2.0
 * See strategy_set.h.
 */
#include "sampling/strategy_set.h"

#include "core/alloc.h"

jg_strategy_set *jg_strategy_set_new(size_t bytes_max)
{
    jg_strategy_set *set = jg_calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->refs = 1;
    set->arena = jaeger_arena_new(bytes_max);
    if (!set->arena) {
        jg_free(set);
        return NULL;
    }
    return set;
}

void jg_strategy_set_unref(jg_strategy_set *set)
{
    if (!set || __atomic_sub_fetch(&set->refs, 1, __ATOMIC_ACQ_REL))
        return;
    jg_map_done(&set->services);
    jaeger_arena_free(set->arena);
    jg_free(set);
}

const jaeger_strategy *jg_strategy_set_get(const jg_strategy_set *set, jaeger_str service)
{
    const jaeger_strategy *found = jg_map_get(&set->services, service);
    return found ? found : &set->fallback;
}

void jg_strategy_box_init(jg_strategy_box *box, jg_strategy_set *take)
{
    pthread_mutex_init(&box->set_mutex, NULL);
    box->set = take;
}

void jg_strategy_box_done(jg_strategy_box *box)
{
    jg_strategy_set_unref(box->set);
    box->set = NULL;
    pthread_mutex_destroy(&box->set_mutex);
}

void jg_strategy_box_put(jg_strategy_box *box, jg_strategy_set *take)
{
    pthread_mutex_lock(&box->set_mutex);
    jg_strategy_set *before = box->set;
    box->set = take;
    pthread_mutex_unlock(&box->set_mutex);
    jg_strategy_set_unref(before);
}

jg_strategy_set *jg_strategy_box_ref(jg_strategy_box *box)
{
    pthread_mutex_lock(&box->set_mutex);
    jg_strategy_set *set = box->set;
    __atomic_add_fetch(&set->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&box->set_mutex);
    return set;
}

jaeger_status jg_strategy_box_strategy(jg_strategy_box *box, jaeger_str service, jaeger_strategy_sink out,
                                       jaeger_call *call)
{
    jg_strategy_set *set = jg_strategy_box_ref(box);
    jaeger_status status = out.strategy(out.self, jg_strategy_set_get(set, service), call);
    jg_strategy_set_unref(set);
    return status;
}
