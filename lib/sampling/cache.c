/* SPDX-License-Identifier: Apache-2.0
 * See cache.h. Entries are in a ring by the time of their fetch; above the bounds the oldest go. An entry
 * that is being fetched again is served as it is to others meanwhile.
 */
#include "sampling/cache.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "sampling/strategy_set.h"

#define REST_NS JG_NS_PER_S /* after a failure: polls do not pile up behind a dead server */

typedef struct entry {
    struct entry *older, *newer;
    jg_strategy_set *set; /* holds one strategy: its fallback */
    jaeger_str service;   /* in the set's arena */
    uint64_t fetched_ns;
    size_t bytes;
    bool fetching;
} entry;

struct jg_strategy_cache {
    jg_strategy_cache_options options;
    pthread_mutex_t entries_mutex;
    jg_map map;
    entry *newest, *oldest;
    size_t bytes;
    uint64_t rest_until_ns;
    jaeger_error failure; /* why it rests */
};

jg_strategy_cache *jg_strategy_cache_new(const jg_strategy_cache_options *options)
{
    jg_strategy_cache *c = jg_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->options = *options;
    if (!c->options.services_max)
        c->options.services_max = JG_SAMPLING_CACHE_MAX;
    pthread_mutex_init(&c->entries_mutex, NULL);
    return c;
}

static void unlink_entry(jg_strategy_cache *c, entry *e)
{
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
}

static void link_newest(jg_strategy_cache *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(jg_strategy_cache *c, entry *e)
{
    unlink_entry(c, e);
    (void)jg_map_remove(&c->map, e->service);
    c->bytes -= e->bytes;
    jg_strategy_set_unref(e->set);
    jg_free(e);
}

void jg_strategy_cache_free(jg_strategy_cache *c)
{
    if (!c)
        return;
    while (c->oldest)
        drop(c, c->oldest);
    jg_map_done(&c->map);
    pthread_mutex_destroy(&c->entries_mutex);
    jg_free(c);
}

size_t jg_strategy_cache_count(jg_strategy_cache *c)
{
    pthread_mutex_lock(&c->entries_mutex);
    size_t n = c->map.count;
    pthread_mutex_unlock(&c->entries_mutex);
    return n;
}

static jg_strategy_set *ref(jg_strategy_set *set)
{
    __atomic_add_fetch(&set->refs, 1, __ATOMIC_RELAXED);
    return set;
}

typedef enum decision { SERVE, FETCH, REFUSE } decision;

/** What to do for `service`. @param ret a reference of what is known, if it may be served; else NULL */
static decision decide(jg_strategy_cache *c, jaeger_str service, uint64_t now, jg_strategy_set **ret,
                       jaeger_error *err)
{
    decision result = FETCH;
    pthread_mutex_lock(&c->entries_mutex);
    entry *e = jg_map_get(&c->map, service);
    bool usable = e && now - e->fetched_ns < c->options.fresh_ns + c->options.stale_ns;
    bool rests = now < c->rest_until_ns;
    *ret = usable ? ref(e->set) : NULL;
    if (usable && (e->fetching || rests || now - e->fetched_ns < c->options.fresh_ns))
        result = SERVE;
    else if (rests)
        result = REFUSE;
    else if (e)
        e->fetching = true;
    if (result == REFUSE && err)
        *err = c->failure;
    pthread_mutex_unlock(&c->entries_mutex);
    return result;
}

/** Keep a fetched set; takes no reference. Out of memory: it is not kept. */
static void keep(jg_strategy_cache *c, jg_strategy_set *set, jaeger_str service, uint64_t now)
{
    pthread_mutex_lock(&c->entries_mutex);
    entry *e = jg_map_get(&c->map, service);
    if (e)
        drop(c, e);
    e = jg_calloc(1, sizeof *e);
    jg_map_entry *slot = e ? jg_map_put(&c->map, service, &(bool){false}) : NULL;
    if (slot) {
        *e = (entry){.set = ref(set), .service = service, .fetched_ns = now};
        e->bytes = sizeof *e + jg_arena_bytes(set->arena);
        slot->value = e;
        link_newest(c, e);
        c->bytes += e->bytes;
        while (c->oldest != e &&
               (c->map.count > c->options.services_max || c->bytes > JG_SAMPLING_CACHE_BYTES_MAX))
            drop(c, c->oldest);
    } else {
        jg_free(e);
    }
    c->rest_until_ns = 0;
    pthread_mutex_unlock(&c->entries_mutex);
}

static void note_failure(jg_strategy_cache *c, jaeger_str service, const jaeger_error *err)
{
    pthread_mutex_lock(&c->entries_mutex);
    entry *e = jg_map_get(&c->map, service);
    if (e)
        e->fetching = false;
    if (jg_status_is_retryable(err->status)) {
        c->failure = *err;
        c->rest_until_ns = jg_clock_mono_ns() + REST_NS;
    }
    pthread_mutex_unlock(&c->entries_mutex);
}

static jaeger_status fetch(jg_strategy_cache *c, jaeger_str service, jg_strategy_set **ret, jaeger_call *call)
{
    jg_strategy_set *set = jg_strategy_set_new(JG_SAMPLING_CACHE_BYTES_MAX);
    jaeger_str kept = set ? jaeger_arena_str(set->arena, service) : (jaeger_str){0};
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    if (kept.ptr)
        status = c->options.fetch(c->options.user, kept, set->arena, &set->fallback, call);
    else
        (void)jg_fail_oom(&call->error);
    if (status == JAEGER_OK) {
        keep(c, set, kept, jg_clock_mono_ns());
        *ret = set;
    } else {
        call->error.status = status;
        note_failure(c, service, &call->error);
        jg_strategy_set_unref(set);
    }
    return status;
}

static jaeger_status strategy_of(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    jg_strategy_cache *c = self;
    jg_strategy_set *known, *fetched = NULL;
    jaeger_status status = JAEGER_OK;
    decision what = decide(c, service, jg_clock_mono_ns(), &known, &call->error);
    if (what == REFUSE)
        status = call->error.status;
    else if (what == FETCH)
        status = fetch(c, service, &fetched, call);
    const jg_strategy_set *set = fetched ? fetched : known;
    if (set)
        status = out.strategy(out.self, &set->fallback, call);
    jg_strategy_set_unref(fetched);
    jg_strategy_set_unref(known);
    return status;
}

const jaeger_sampling_provider jg_strategy_cache_provider = {.size = sizeof(jaeger_sampling_provider),
                                                             .strategy = strategy_of};
