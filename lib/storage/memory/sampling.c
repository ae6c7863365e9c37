/* SPDX-License-Identifier: Apache-2.0
 * What adaptive sampling keeps: batches of throughput, newest first and bounded in number and bytes, the
 * latest set of probabilities, and leases.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"

#define LEASES_MAX     16   /* Jaeger uses one */
#define LEASE_NAME_MAX 128u /* resource and owner, each */
#define BUDGET_SHARE   8u   /* throughput gets at most an eighth of max_bytes */

typedef struct throughput_set {
    struct throughput_set *older;
    uint64_t time_unix_ns;
    size_t bytes, count;
    jaeger_throughput items[];
} throughput_set;

typedef struct probability_set {
    size_t bytes, count;
    jaeger_probability items[];
} probability_set;

typedef struct lease {
    char resource[LEASE_NAME_MAX], owner[LEASE_NAME_MAX];
    uint64_t until_ns; /* CLOCK_MONOTONIC */
} lease;

typedef struct jg_mem_sampling {
    pthread_mutex_t lock;
    throughput_set *newest;
    probability_set *probabilities;
    lease leases[LEASES_MAX];
} jg_mem_sampling;

/* ---- memory
 * ---------------------------------------------------------------------------------------------------- */

static void *alloc_with_room(jg_mem_tenant *tenant, size_t bytes, jaeger_error *err)
{
    jg_mem_credit credit = {0};
    void *ptr = jg_mem_alloc(tenant, &credit, bytes, true);
    if (!ptr && jg_mem_make_room(tenant, &credit, err) == JAEGER_OK) {
        ptr = jg_mem_alloc(tenant, &credit, bytes, true);
        if (!ptr)
            (void)jg_fail_oom(err);
    }
    jg_mem_give_back(tenant, &credit);
    return ptr;
}

/** @return NULL: no such tenant yet and `make` false (err untouched), or no memory */
static jg_mem_sampling *sampling_of(void *self, bool make, jg_mem_tenant **ret_tenant, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    if (jg_mem_tenant_get(self, call->tenant, make, &tenant, &call->error) != JAEGER_OK || !tenant)
        return NULL;
    *ret_tenant = tenant;
    jg_mem_sampling *sampling = __atomic_load_n(&tenant->sampling, __ATOMIC_ACQUIRE), *none = NULL;
    if (sampling || !make)
        return sampling;
    sampling = alloc_with_room(tenant, sizeof *sampling, &call->error);
    if (!sampling)
        return NULL;
    pthread_mutex_init(&sampling->lock, NULL);
    if (__atomic_compare_exchange_n(&tenant->sampling, &none, sampling, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return sampling;
    pthread_mutex_destroy(&sampling->lock); /* another thread was faster */
    jg_mem_free(tenant, sampling, sizeof *sampling);
    return none;
}

static void drop_sets(jg_mem_tenant *tenant, throughput_set *set)
{
    while (set) {
        throughput_set *older = set->older;
        jg_mem_free(tenant, set, set->bytes);
        set = older;
    }
}

void jg_mem_sampling_clear(jg_mem_tenant *tenant)
{
    jg_mem_sampling *sampling = __atomic_load_n(&tenant->sampling, __ATOMIC_ACQUIRE);
    if (!sampling)
        return;
    pthread_mutex_lock(&sampling->lock);
    throughput_set *sets = sampling->newest;
    probability_set *probabilities = sampling->probabilities;
    sampling->newest = NULL;
    sampling->probabilities = NULL;
    memset(sampling->leases, 0, sizeof sampling->leases);
    pthread_mutex_unlock(&sampling->lock);
    drop_sets(tenant, sets);
    if (probabilities)
        jg_mem_free(tenant, probabilities, probabilities->bytes);
}

void jg_mem_sampling_free(jg_mem_tenant *tenant)
{
    jg_mem_sampling *sampling = tenant->sampling;
    if (!sampling)
        return;
    jg_mem_sampling_clear(tenant);
    pthread_mutex_destroy(&sampling->lock);
    jg_mem_free(tenant, sampling, sizeof *sampling);
    tenant->sampling = NULL;
}

static jaeger_str keep(char **at, jaeger_str s)
{
    jaeger_str copy = {*at, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

/* ---- throughput
 * ------------------------------------------------------------------------------------------------ */

static size_t throughput_bytes(const jaeger_throughput *items, size_t n, size_t *ret_probabilities)
{
    size_t bytes = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += items[i].service.len + items[i].operation.len;
        count += items[i].probability_count;
        for (size_t k = 0; k < items[i].probability_count; k++)
            bytes += items[i].probabilities[k].len;
    }
    *ret_probabilities = count;
    return bytes + n * sizeof *items + count * sizeof(jaeger_str);
}

static void copy_throughput(jaeger_throughput *to, const jaeger_throughput *from, size_t n,
                            size_t probabilities)
{
    jaeger_str *lists = (jaeger_str *)(to + n);
    char *at = (char *)(lists + probabilities);
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].service = keep(&at, from[i].service);
        to[i].operation = keep(&at, from[i].operation);
        to[i].probabilities = lists;
        for (size_t k = 0; k < from[i].probability_count; k++)
            *lists++ = keep(&at, from[i].probabilities[k]);
    }
}

/** Cut off what is above the bounds. @return the sets to free */
static throughput_set *cut_oldest(jg_mem_sampling *sampling, uint64_t bytes_max)
{
    size_t count = 0, bytes = 0;
    throughput_set **at = &sampling->newest;
    while (*at && count < JG_MEMORY_THROUGHPUT_MAX && bytes + (*at)->bytes <= bytes_max) {
        bytes += (*at)->bytes;
        count++;
        at = &(*at)->older;
    }
    throughput_set *cut = *at;
    *at = NULL;
    return cut;
}

static jaeger_status insert_throughput(void *self, uint64_t time_unix_ns, const jaeger_throughput *items,
                                       size_t n, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    size_t probabilities, bytes = sizeof(throughput_set) + throughput_bytes(items, n, &probabilities);
    jg_mem_sampling *sampling = sampling_of(self, true, &tenant, call);
    throughput_set *set = sampling ? alloc_with_room(tenant, bytes, &call->error) : NULL;
    if (!set)
        return call->error.status;
    set->time_unix_ns = time_unix_ns;
    set->bytes = bytes;
    set->count = n;
    copy_throughput(set->items, items, n, probabilities);
    pthread_mutex_lock(&sampling->lock);
    set->older = sampling->newest;
    sampling->newest = set;
    throughput_set *cut = cut_oldest(sampling, tenant->store->max_bytes / BUDGET_SHARE);
    pthread_mutex_unlock(&sampling->lock);
    drop_sets(tenant, cut);
    return JAEGER_OK;
}

static jaeger_status add_throughputs(const throughput_set *set, jaeger_throughputs *ret, jaeger_call *call)
{
    size_t probabilities, want = ret->count + set->count;
    size_t bytes = throughput_bytes(set->items, set->count, &probabilities);
    jaeger_throughput *copy = jaeger_arena_alloc(call->arena, bytes);
    jaeger_throughput *items = ret->items;
    if (copy && want > ret->cap) {
        size_t cap = JG_MAX(want, ret->cap * 2);
        items = jaeger_arena_alloc(call->arena, cap * sizeof *items);
        if (items && ret->count)
            memcpy(items, ret->items, ret->count * sizeof *items);
        ret->cap = items ? cap : ret->cap;
    }
    if (!copy || (!items && want))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "result too large or out of memory");
    copy_throughput(copy, set->items, set->count, probabilities);
    ret->items = items;
    if (set->count)
        memcpy(items + ret->count, copy, set->count * sizeof *items);
    ret->count = want;
    return JAEGER_OK;
}

static jaeger_status get_throughput(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                    jaeger_throughputs *ret, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    jg_mem_sampling *sampling = sampling_of(self, false, &tenant, call);
    jaeger_status status = JAEGER_OK;
    if (!sampling)
        return status;
    pthread_mutex_lock(&sampling->lock);
    for (const throughput_set *set = sampling->newest; set && status == JAEGER_OK; set = set->older)
        if (set->time_unix_ns > start_unix_ns && set->time_unix_ns <= end_unix_ns)
            status = add_throughputs(set, ret, call);
    pthread_mutex_unlock(&sampling->lock);
    return status;
}

/* ---- probabilities
 * ----------------------------------------------------------------------------------------------- */

static jaeger_status insert_probabilities(void *self, jaeger_str host, const jaeger_probability *items,
                                          size_t n, jaeger_call *call)
{
    (void)host; /* the latest set wins, whoever computed it */
    jg_mem_tenant *tenant;
    size_t bytes = sizeof(probability_set) + n * sizeof *items;
    for (size_t i = 0; i < n; i++)
        bytes += items[i].service.len + items[i].operation.len;
    jg_mem_sampling *sampling = sampling_of(self, true, &tenant, call);
    probability_set *set = sampling ? alloc_with_room(tenant, bytes, &call->error) : NULL;
    if (!set)
        return call->error.status;
    set->bytes = bytes;
    set->count = n;
    char *at = (char *)(set->items + n);
    for (size_t i = 0; i < n; i++) {
        set->items[i] = items[i];
        set->items[i].service = keep(&at, items[i].service);
        set->items[i].operation = keep(&at, items[i].operation);
    }
    pthread_mutex_lock(&sampling->lock);
    probability_set *before = sampling->probabilities;
    sampling->probabilities = set;
    pthread_mutex_unlock(&sampling->lock);
    if (before)
        jg_mem_free(tenant, before, before->bytes);
    return JAEGER_OK;
}

static jaeger_status copy_probabilities(const probability_set *set, jaeger_probabilities *ret,
                                        jaeger_call *call)
{
    size_t text = set->bytes - sizeof *set - set->count * sizeof *set->items;
    jaeger_probability *items = jaeger_arena_alloc(call->arena, set->count * sizeof *items);
    char *at = jaeger_arena_alloc(call->arena, text);
    if (!items || !at)
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "result too large or out of memory");
    for (size_t i = 0; i < set->count; i++) {
        items[i] = set->items[i];
        items[i].service = keep(&at, set->items[i].service);
        items[i].operation = keep(&at, set->items[i].operation);
    }
    *ret = (jaeger_probabilities){items, set->count, set->count};
    return JAEGER_OK;
}

static jaeger_status get_probabilities(void *self, jaeger_probabilities *ret, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    jg_mem_sampling *sampling = sampling_of(self, false, &tenant, call);
    jaeger_status status = JAEGER_OK;
    if (!sampling)
        return status;
    pthread_mutex_lock(&sampling->lock);
    if (sampling->probabilities)
        status = copy_probabilities(sampling->probabilities, ret, call);
    pthread_mutex_unlock(&sampling->lock);
    return status;
}

/* ---- leases
 * ----------------------------------------------------------------------------------------------------- */

static bool is(const char *kept, jaeger_str name)
{
    return jg_str_eq(jg_str(kept), name);
}

static void set_name(char *kept, jaeger_str name)
{
    memcpy(kept, name.ptr, name.len);
    kept[name.len] = 0;
}

/** The lease of `resource`, else one that has run out; NULL: none is free. */
static lease *lease_of(jg_mem_sampling *sampling, jaeger_str resource, uint64_t now)
{
    lease *free_one = NULL;
    for (size_t i = 0; i < LEASES_MAX; i++) {
        lease *l = &sampling->leases[i];
        if (l->until_ns && is(l->resource, resource))
            return l;
        if (l->until_ns <= now)
            free_one = l;
    }
    return free_one;
}

static jaeger_status acquire(void *self, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns, bool *ret,
                             jaeger_call *call)
{
    jg_mem_tenant *tenant;
    if (!resource.len || !owner.len || resource.len >= LEASE_NAME_MAX || owner.len >= LEASE_NAME_MAX)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "lease: resource and owner take 1 to %u bytes",
                       LEASE_NAME_MAX - 1);
    jg_mem_sampling *sampling = sampling_of(self, true, &tenant, call);
    if (!sampling)
        return call->error.status;
    uint64_t now = jg_clock_mono_ns();
    pthread_mutex_lock(&sampling->lock);
    lease *l = lease_of(sampling, resource, now);
    bool mine = l && (l->until_ns <= now || is(l->owner, owner));
    if (mine) {
        set_name(l->resource, resource);
        set_name(l->owner, owner);
        l->until_ns = now + ttl_ns;
    }
    pthread_mutex_unlock(&sampling->lock);
    *ret = mine;
    return l ? JAEGER_OK : jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "too many leases");
}

static jaeger_status forfeit(void *self, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    jg_mem_sampling *sampling = sampling_of(self, false, &tenant, call);
    if (!sampling)
        return JAEGER_OK;
    pthread_mutex_lock(&sampling->lock);
    for (size_t i = 0; i < LEASES_MAX; i++) {
        lease *l = &sampling->leases[i];
        if (l->until_ns && is(l->resource, resource) && is(l->owner, owner))
            *l = (lease){0};
    }
    pthread_mutex_unlock(&sampling->lock);
    return JAEGER_OK;
}

const jaeger_sampling_store jg_mem_sampling_store = {
    .size = sizeof(jaeger_sampling_store),
    .insert_throughput = insert_throughput,
    .get_throughput = get_throughput,
    .insert_probabilities = insert_probabilities,
    .get_probabilities = get_probabilities,
    .acquire = acquire,
    .forfeit = forfeit,
};
