/* SPDX-License-Identifier: Apache-2.0
 * The byte budget, and tenants.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"

/* ---- budget
 * ---------------------------------------------------------------------------------------------------- */

/** What malloc takes for `bytes`: its header, and rounding. */
static size_t cost_of(size_t bytes)
{
    return (bytes + 8 + 15) & ~(size_t)15;
}

static void charge(jg_mem_tenant *tenant, size_t bytes)
{
    __atomic_add_fetch(&tenant->bytes, bytes, __ATOMIC_RELAXED);
}

void jg_mem_uncharge(jg_mem_tenant *tenant, size_t bytes)
{
    __atomic_sub_fetch(&tenant->bytes, bytes, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&tenant->store->bytes, bytes, __ATOMIC_RELAXED);
}

/** Take `bytes` out of the budget if they are there. */
static bool reserve(jg_mem_store *store, size_t bytes)
{
    uint64_t now = __atomic_load_n(&store->bytes, __ATOMIC_RELAXED);
    do {
        if (bytes > store->max_bytes || now > store->max_bytes - bytes)
            return false;
    } while (!__atomic_compare_exchange_n(&store->bytes, &now, now + bytes, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

bool jg_mem_charge(jg_mem_tenant *tenant, jg_mem_credit *credit, size_t bytes)
{
    if (credit->have >= bytes) {
        credit->have -= bytes;
        return true;
    }
    credit->need = bytes;
    if (!reserve(tenant->store, bytes))
        return false;
    charge(tenant, bytes);
    return true;
}

void *jg_mem_alloc(jg_mem_tenant *tenant, jg_mem_credit *credit, size_t bytes, bool zero)
{
    size_t cost = cost_of(bytes);
    if (!jg_mem_charge(tenant, credit, cost))
        return NULL;
    void *ptr = zero ? jg_calloc(1, bytes) : jg_alloc(bytes);
    if (!ptr) {
        credit->need = 0;
        jg_mem_uncharge(tenant, cost);
    }
    return ptr;
}

void jg_mem_free(jg_mem_tenant *tenant, void *ptr, size_t bytes)
{
    if (!ptr)
        return;
    jg_free(ptr);
    jg_mem_uncharge(tenant, cost_of(bytes));
}

/** The tenant with most bytes among those that have traces; NULL: none has any. */
static jg_mem_tenant *biggest_tenant(jg_mem_store *store)
{
    jg_mem_tenant *biggest = NULL;
    uint64_t most = 0;
    pthread_mutex_lock(&store->lock);
    for (jg_mem_tenant *t = store->all; t; t = t->next) {
        uint64_t bytes = __atomic_load_n(&t->bytes, __ATOMIC_RELAXED);
        if (bytes >= most && __atomic_load_n(&t->traces, __ATOMIC_RELAXED)) {
            most = bytes;
            biggest = t;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return biggest;
}

jaeger_status jg_mem_make_room(jg_mem_tenant *tenant, jg_mem_credit *credit, jaeger_error *err)
{
    jg_mem_store *store = tenant->store;
    size_t need = credit->need;
    if (need == 0)
        return jg_fail_oom(err);
    while (!reserve(store, need)) {
        /* a few at a time: the search for the biggest tenant is not free */
        jg_mem_tenant *victim = need <= store->max_bytes ? biggest_tenant(store) : NULL;
        if (!victim)
            return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "memory store is full (max_bytes: %llu)",
                           (unsigned long long)store->max_bytes);
        for (int i = 0; i < 8 && jg_mem_evict_oldest(victim); i++)
            if (__atomic_load_n(&store->bytes, __ATOMIC_RELAXED) + need <= store->max_bytes)
                break;
    }
    charge(tenant, need);
    credit->have += need;
    credit->need = 0;
    return JAEGER_OK;
}

void jg_mem_give_back(jg_mem_tenant *tenant, jg_mem_credit *credit)
{
    if (credit->have)
        jg_mem_uncharge(tenant, credit->have);
    credit->have = 0;
}

/* ---- tenants
 * --------------------------------------------------------------------------------------------------- */

/** With its place in the map of tenants. */
static size_t tenant_cost(jaeger_str name)
{
    return cost_of(sizeof(jg_mem_tenant) + name.len) + 4 * sizeof(jg_map_entry);
}

/** Charged by hand: it is the object that charges go to. */
static jg_mem_tenant *tenant_new(jg_mem_store *store, jaeger_str name)
{
    size_t bytes = sizeof(jg_mem_tenant) + name.len;
    jg_mem_tenant *tenant = jg_calloc(1, bytes);
    if (!tenant)
        return NULL;
    tenant->store = store;
    tenant->name = (jaeger_str){(const char *)(tenant + 1), name.len};
    tenant->bytes = tenant_cost(name);
    if (name.len)
        memcpy(tenant + 1, name.ptr, name.len);
    pthread_mutex_init(&tenant->names.lock, NULL);
    for (size_t i = 0; i < JG_MEM_SHARDS; i++)
        jg_mem_shard_init(&tenant->shards[i]);
    return tenant;
}

void jg_mem_tenant_free(jg_mem_tenant *tenant)
{
    jg_mem_store *store = tenant->store;
    for (size_t i = 0; i < JG_MEM_SHARDS; i++)
        jg_mem_shard_done(tenant, &tenant->shards[i]);
    jg_mem_names_done(tenant);
    jg_mem_sampling_free(tenant);
    __atomic_sub_fetch(&store->bytes, tenant_cost(tenant->name), __ATOMIC_RELAXED);
    jg_free(tenant);
}

/** The cost of a tenant must be reserved before the lock is taken, since making room takes it too. */
static jaeger_status tenant_make(jg_mem_store *store, jaeger_str name, jg_mem_tenant **ret, jaeger_error *err)
{
    size_t cost = tenant_cost(name);
    while (!reserve(store, cost)) {
        jg_mem_tenant *victim = biggest_tenant(store);
        if (!victim || !jg_mem_evict_oldest(victim))
            return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "memory store is full (max_bytes: %llu)",
                           (unsigned long long)store->max_bytes);
    }
    jaeger_status status = JAEGER_OK;
    jg_mem_tenant *made = tenant_new(store, name);
    if (!made) {
        __atomic_sub_fetch(&store->bytes, cost, __ATOMIC_RELAXED);
        return jg_fail_oom(err);
    }
    pthread_mutex_lock(&store->lock);
    bool is_new = false;
    jg_map_entry *entry = NULL;
    if (store->tenants.count >= JG_MEMORY_TENANTS_MAX && !jg_map_get(&store->tenants, name))
        status = jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "memory store has too many tenants");
    else if (!(entry = jg_map_put(&store->tenants, made->name, &is_new)))
        status = jg_fail_oom(err);
    else if (is_new) {
        entry->value = made;
        made->next = store->all;
        store->all = made;
    }
    if (entry)
        *ret = entry->value;
    pthread_mutex_unlock(&store->lock);
    if (!is_new)
        jg_mem_tenant_free(made);
    return status;
}

jaeger_status jg_mem_tenant_get(jg_mem_store *store, jaeger_str name, bool make, jg_mem_tenant **ret,
                                jaeger_error *err)
{
    if (!name.ptr)
        name = JAEGER_STR("");
    pthread_mutex_lock(&store->lock);
    *ret = jg_map_get(&store->tenants, name);
    pthread_mutex_unlock(&store->lock);
    return *ret || !make ? JAEGER_OK : tenant_make(store, name, ret, err);
}
