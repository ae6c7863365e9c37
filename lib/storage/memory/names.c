/* SPDX-License-Identifier: Apache-2.0
 * Services and operations of a tenant. They are never evicted, as in Jaeger, but both their number and their
 * share of the byte budget are bounded; what comes after that is not listed (its spans are stored all the
 * same).
 *
 * A span whose operation was seen before costs one hash and one cache line: `seen` holds hashes, in sets of
 * eight, for twice as many operations as there are. Without a lock it is only read; one that grew stays until
 * the tenant goes, since a reader may be in it.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/value_text.h"
#include <stdlib.h>

#define BUDGET_SHARE 8u  /* names get at most an eighth of max_bytes */
#define ENTRY_BYTES  224 /* of a map and of `seen`, while they double */
#define SEEN_WAYS    8u  /* a cache line */
#define SEEN_SETS    2u  /* at first */

/* An operation's key: kind, length of the name, name, service. */
#define KEY_HEAD 5u

typedef struct name_key {
    jaeger_str service, name;
    uint8_t kind;
} name_key;

static name_key key_read(jaeger_str key)
{
    uint32_t len;
    memcpy(&len, key.ptr + 1, 4);
    return (name_key){.kind = (uint8_t)key.ptr[0],
                      .name = {key.ptr + KEY_HEAD, len},
                      .service = jg_str_skip(key, KEY_HEAD + len)};
}

static uint64_t key_hash(const name_key *key)
{
    uint64_t hash = jg_hash(key->service.ptr, key->service.len, key->kind);
    return jg_hash(key->name.ptr, key->name.len, hash) | 1;
}

/* ---- the cache
 * ---------------------------------------------------------------------------------------------------- */

struct jg_mem_seen {
    size_t sets; /* power of two */
    jg_mem_seen *older;
    uint64_t hashes[]; /* atomic; 0: free */
};

static uint64_t *set_of(jg_mem_seen *seen, uint64_t hash)
{
    return seen->hashes + (hash >> 1 & (seen->sets - 1)) * SEEN_WAYS;
}

static bool is_seen(const jg_mem_names *names, uint64_t hash)
{
    jg_mem_seen *seen = __atomic_load_n(&names->seen, __ATOMIC_ACQUIRE);
    bool found = false;
    const uint64_t *set = seen ? set_of(seen, hash) : NULL;
    for (size_t i = 0; set && i < SEEN_WAYS; i++)
        found |= __atomic_load_n(&set[i], __ATOMIC_RELAXED) == hash;
    return found;
}

/** With the lock held. A full set forgets one of its hashes. */
static void put_seen(jg_mem_seen *seen, uint64_t hash)
{
    uint64_t *set = set_of(seen, hash);
    size_t way = 0;
    while (way < SEEN_WAYS && set[way] && set[way] != hash)
        way++;
    __atomic_store_n(&set[way < SEEN_WAYS ? way : hash >> 61], hash, __ATOMIC_RELAXED);
}

/** With the lock held. Out of memory: the smaller one goes on. */
static void grow_seen(jg_mem_names *names)
{
    jg_mem_seen *old = names->seen;
    size_t sets = old ? old->sets * 2 : SEEN_SETS;
    jg_mem_seen *bigger = jg_calloc(1, sizeof *bigger + sets * SEEN_WAYS * sizeof *bigger->hashes);
    if (!bigger)
        return;
    bigger->sets = sets;
    bigger->older = old;
    for (size_t i = 0; old && i < old->sets * SEEN_WAYS; i++)
        if (old->hashes[i])
            put_seen(bigger, old->hashes[i]);
    __atomic_store_n(&names->seen, bigger, __ATOMIC_RELEASE);
}

/** With the lock held. */
static void remember(jg_mem_names *names, uint64_t hash)
{
    if (!names->seen || names->operations.count * 2 > names->seen->sets * SEEN_WAYS)
        grow_seen(names);
    if (names->seen)
        put_seen(names->seen, hash);
}

void jg_mem_names_done(jg_mem_tenant *tenant)
{
    jg_mem_names *names = &tenant->names;
    jg_mem_names_clear(tenant);
    for (jg_mem_seen *seen = names->seen, *older; seen; seen = older) {
        older = seen->older;
        jg_free(seen);
    }
    pthread_mutex_destroy(&names->lock);
}

/* ---- adding
 * ------------------------------------------------------------------------------------------------------- */

/** The keys as one block, which the maps then own. */
static char *make_key(const name_key *key)
{
    uint32_t len = (uint32_t)key->name.len;
    char *text = jg_alloc(KEY_HEAD + key->name.len + key->service.len);
    if (!text)
        return NULL;
    text[0] = (char)key->kind;
    memcpy(text + 1, &len, 4);
    if (key->name.len)
        memcpy(text + KEY_HEAD, key->name.ptr, key->name.len);
    memcpy(text + KEY_HEAD + key->name.len, key->service.ptr, key->service.len);
    return text;
}

/** Put `text` into `map` if it is new; the map owns it then. @return false: out of memory */
static bool put_owned(jg_map *map, char *text, size_t len)
{
    bool is_new = false;
    jg_map_entry *entry = text ? jg_map_put(map, (jaeger_str){text, len}, &is_new) : NULL;
    if (!is_new)
        jg_free(text);
    return entry != NULL;
}

static size_t cost_of_key(const name_key *key)
{
    return 2 * (ENTRY_BYTES + key->service.len + 24) + KEY_HEAD + key->name.len;
}

static bool is_full(const jg_mem_tenant *tenant, const name_key *key)
{
    const jg_mem_names *names = &tenant->names;
    return names->operations.count >= JG_MEMORY_OPERATIONS_MAX ||
           names->services.count >= JG_MEMORY_SERVICES_MAX ||
           names->bytes + cost_of_key(key) > tenant->store->max_bytes / BUDGET_SHARE;
}

/** @param ret_full the tables have no room for it */
static bool add_locked(jg_mem_tenant *tenant, const name_key *key, jg_mem_credit *credit, bool *ret_full)
{
    jg_mem_names *names = &tenant->names;
    size_t before = names->operations.count + names->services.count;
    *ret_full = is_full(tenant, key);
    if (*ret_full)
        return true;
    bool ok = put_owned(&names->services, jg_strndup(key->service.ptr, key->service.len), key->service.len) &&
              put_owned(&names->operations, make_key(key), KEY_HEAD + key->name.len + key->service.len);
    if (names->operations.count + names->services.count !=
        before) { /* keep the whole charge: it covers both tables */
        names->bytes += credit->have;
        credit->have = 0;
    }
    return ok;
}

static jaeger_status add_new(jg_mem_tenant *tenant, const name_key *key, uint64_t hash, jaeger_error *err)
{
    bool full;
    jg_mem_credit credit = {.need = cost_of_key(key)};
    JG_TRY(jg_mem_make_room(tenant, &credit, err));
    pthread_mutex_lock(&tenant->names.lock);
    bool ok = add_locked(tenant, key, &credit, &full);
    if (ok)
        remember(&tenant->names, hash);
    pthread_mutex_unlock(&tenant->names.lock);
    jg_mem_give_back(tenant, &credit);
    if (full && !__atomic_exchange_n(&tenant->store->names_full_logged, 1, __ATOMIC_RELAXED))
        jaeger_log(tenant->store->log, JAEGER_WARN,
                   "too many services or operations, no longer listing new ones operations_max=%d",
                   JG_MEMORY_OPERATIONS_MAX);
    return ok ? JAEGER_OK : jg_fail_oom(err);
}

jaeger_status jg_mem_names_add(jg_mem_tenant *tenant, const jaeger_batch *batch, jaeger_error *err)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t n = jaeger_batch_span_count(batch);
    for (size_t i = 0; i < n; i++) {
        name_key key = {.service = spans[i].group->service,
                        .name = spans[i].name,
                        .kind = spans[i].kind <= JAEGER_KIND_CONSUMER ? spans[i].kind : 0};
        if (!key.service.len)
            continue;
        uint64_t hash = key_hash(&key);
        if (!is_seen(&tenant->names, hash))
            JG_TRY(add_new(tenant, &key, hash, err));
    }
    return JAEGER_OK;
}

static void clear_map(jg_map *map)
{
    jg_map_entry entry;
    for (size_t at = 0; jg_map_next(map, &at, &entry);)
        jg_free((void *)(uintptr_t)entry.key.ptr);
    jg_map_done(map);
}

void jg_mem_names_clear(jg_mem_tenant *tenant)
{
    jg_mem_names *names = &tenant->names;
    pthread_mutex_lock(&names->lock);
    clear_map(&names->services);
    clear_map(&names->operations);
    jg_mem_credit credit = {.have = names->bytes};
    names->bytes = 0;
    for (size_t i = 0; names->seen && i < names->seen->sets * SEEN_WAYS; i++)
        __atomic_store_n(&names->seen->hashes[i], 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&names->lock);
    jg_mem_give_back(tenant, &credit);
}

/* ---- reading
 * --------------------------------------------------------------------------------------------------- */

static int str_order(const void *a, const void *b)
{
    return jg_str_cmp(*(const jaeger_str *)a, *(const jaeger_str *)b);
}

static int operation_order(const void *a, const void *b)
{
    const jaeger_operation *x = a, *y = b;
    int order = jg_str_cmp(x->name, y->name);
    return order ? order : jg_str_cmp(x->span_kind, y->span_kind);
}

jaeger_status jg_mem_services(void *self, jaeger_strs *ret, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &tenant, &call->error));
    if (!tenant)
        return JAEGER_OK;
    jaeger_status status = JAEGER_OK;
    jg_map_entry entry;
    pthread_mutex_lock(&tenant->names.lock);
    for (size_t at = 0; status == JAEGER_OK && jg_map_next(&tenant->names.services, &at, &entry);)
        status = jaeger_strs_add(ret, entry.key, call);
    pthread_mutex_unlock(&tenant->names.lock);
    if (status == JAEGER_OK && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, str_order);
    return status;
}

jaeger_status jg_mem_operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                                jaeger_call *call)
{
    jg_mem_tenant *tenant;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &tenant, &call->error));
    if (!tenant)
        return JAEGER_OK;
    jaeger_status status = JAEGER_OK;
    jg_map_entry entry;
    pthread_mutex_lock(&tenant->names.lock);
    for (size_t at = 0; status == JAEGER_OK && jg_map_next(&tenant->names.operations, &at, &entry);) {
        name_key key = key_read(entry.key);
        jaeger_operation item = {key.name, jg_kind_text(key.kind)};
        if (jg_str_eq(key.service, service) && (!kind.len || jg_str_eq(kind, item.span_kind)))
            status = jaeger_operations_add(ret, item, call);
    }
    pthread_mutex_unlock(&tenant->names.lock);
    if (status == JAEGER_OK && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, operation_order);
    return status;
}
