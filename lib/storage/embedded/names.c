/* SPDX-License-Identifier: Apache-2.0
 * Services and operations of a tenant: all in memory, mirrored in the catalog at each flush. An operation
 * that was not seen for the TTL is forgotten. See store.h.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include "model/value_text.h"
#include "storage/embedded/store.h"
#include <errno.h>
#include <stdlib.h>

#define OPERATIONS_MAX                                                                                       \
    200000u /* names made from ids must not eat the memory; more are searchable, not listed */
#define NAME_BYTES_MAX 4096u /* longer names are searchable, not listed */
#define SAVE_AGAIN_NS  (3600 * JG_NS_PER_S)

typedef struct operation {
    struct operation *next;            /* of the same service */
    uint64_t last_seen, saved, saving; /* Unix ns; saved: last_seen in the catalog */
    uint32_t kind, key_len;
    jaeger_str name;
    char key[]; /* name, kind */
} operation;

typedef struct service {
    operation *operations;
    uint32_t count;
    uint32_t name_len;
    jg_map by_key;
    char name[];
} service;

struct jg_names {
    pthread_mutex_t lock;
    jg_map services;
    uint32_t count;
};

jg_names *jg_names_new(void)
{
    jg_names *names = jg_calloc(1, sizeof *names);
    if (names)
        (void)pthread_mutex_init(&names->lock, NULL);
    return names;
}

static void service_free(service *s)
{
    for (operation *op = s->operations, *next; op; op = next) {
        next = op->next;
        jg_free(op);
    }
    jg_map_done(&s->by_key);
    jg_free(s);
}

static void clear(jg_names *names)
{
    size_t at = 0;
    jg_map_entry entry;
    while (jg_map_next(&names->services, &at, &entry))
        service_free(entry.value);
    jg_map_done(&names->services);
    names->services = (jg_map){0};
    names->count = 0;
}

void jg_names_clear(jg_names *names)
{
    (void)pthread_mutex_lock(&names->lock);
    clear(names);
    (void)pthread_mutex_unlock(&names->lock);
}

void jg_names_replace(jg_names *names, jg_names *with)
{
    (void)pthread_mutex_lock(&names->lock);
    jg_map services = names->services;
    uint32_t count = names->count;
    names->services = with->services;
    names->count = with->count;
    with->services = services;
    with->count = count;
    (void)pthread_mutex_unlock(&names->lock);
    jg_names_free(with);
}

void jg_names_free(jg_names *names)
{
    if (!names)
        return;
    clear(names);
    (void)pthread_mutex_destroy(&names->lock);
    jg_free(names);
}

static service *find_service(jg_names *names, jaeger_str name, bool make)
{
    service *s = jg_map_get(&names->services, name);
    if (s || !make)
        return s;
    s = jg_calloc(1, sizeof *s + name.len + 1);
    if (!s)
        return NULL;
    memcpy(s->name, name.ptr, name.len);
    s->name_len = (uint32_t)name.len;
    bool is_new;
    jg_map_entry *entry = jg_map_put(&names->services, (jaeger_str){s->name, name.len}, &is_new);
    if (!entry) {
        jg_free(s);
        return NULL;
    }
    entry->value = s;
    return s;
}

static operation *find_operation(jg_names *names, service *s, jaeger_str name, uint32_t kind)
{
    uint8_t key[NAME_BYTES_MAX + 1];
    if (name.len)
        memcpy(key, name.ptr, name.len);
    key[name.len] = (uint8_t)kind;
    jaeger_str wanted = {(const char *)key, name.len + 1};
    operation *op = jg_map_get(&s->by_key, wanted);
    if (op || names->count >= OPERATIONS_MAX)
        return op;
    op = jg_calloc(1, sizeof *op + wanted.len);
    if (!op)
        return NULL;
    memcpy(op->key, key, wanted.len);
    op->key_len = (uint32_t)wanted.len;
    op->name = (jaeger_str){op->key, name.len};
    op->kind = kind;
    bool is_new;
    jg_map_entry *entry = jg_map_put(&s->by_key, (jaeger_str){op->key, wanted.len}, &is_new);
    if (!entry) {
        jg_free(op);
        return NULL;
    }
    entry->value = op;
    op->next = s->operations;
    s->operations = op;
    s->count++;
    names->count++;
    return op;
}

/** The lock is held. @return NULL: not listed */
static operation *note(jg_names *names, jaeger_str service_name, jaeger_str name, uint32_t kind,
                       uint64_t seen)
{
    if (!service_name.len || service_name.len > NAME_BYTES_MAX || name.len > NAME_BYTES_MAX)
        return NULL;
    if (names->count >= OPERATIONS_MAX && !find_service(names, service_name, false))
        return NULL;
    service *s = find_service(names, service_name, true);
    operation *op = s ? find_operation(names, s, name, kind <= JAEGER_KIND_CONSUMER ? kind : 0) : NULL;
    if (op)
        op->last_seen = JG_MAX(op->last_seen, seen);
    return op;
}

void jg_names_note(jg_names *names, jaeger_str service_name, jaeger_str name, uint32_t kind,
                   uint64_t now_unix_ns)
{
    (void)pthread_mutex_lock(&names->lock);
    (void)note(names, service_name, name, kind, now_unix_ns);
    (void)pthread_mutex_unlock(&names->lock);
}

/* ---- catalog
 * ------------------------------------------------------------------------------------------------ */

/** Value in the catalog: this, service, name, xxh3 of all before. */
typedef struct stored {
    uint64_t last_seen;
    uint32_t kind, service_len;
} stored;

static bool load_one(void *user, jaeger_str key, jaeger_str value)
{
    stored head;
    uint64_t hash;
    (void)key;
    if (value.len < sizeof head + 8)
        return true;
    memcpy(&head, value.ptr, sizeof head);
    memcpy(&hash, value.ptr + value.len - 8, 8);
    if (hash != jg_hash(value.ptr, value.len - 8, 0) || head.service_len > value.len - 8 - sizeof head)
        return true; /* a damaged name is seen again with the next span */
    jaeger_str service_name = {value.ptr + sizeof head, head.service_len};
    jaeger_str name = {service_name.ptr + service_name.len, value.len - 8 - sizeof head - head.service_len};
    operation *op = note(user, service_name, name, head.kind, head.last_seen);
    if (op)
        op->saved = head.last_seen;
    return true;
}

int jg_names_load(jg_names *names, jg_txn *txn)
{
    (void)pthread_mutex_lock(&names->lock);
    int error = jg_txn_each(txn, JG_TABLE_OPERATIONS, (jaeger_str){0}, load_one, names);
    (void)pthread_mutex_unlock(&names->lock);
    return error;
}

static XXH128_hash_t key_of(const service *s, const operation *op)
{
    return XXH3_128bits_withSeed(op->key, op->key_len, jg_hash(s->name, s->name_len, 0));
}

static int save_one(jg_txn *txn, const service *s, operation *op)
{
    XXH128_hash_t key = key_of(s, op);
    stored head = {op->last_seen, op->kind, s->name_len};
    JG_AUTO_BUF jg_buf value = JG_BUF_INIT(4 * NAME_BYTES_MAX);
    jg_buf_append(&value, &head, sizeof head);
    jg_buf_append(&value, s->name, s->name_len);
    jg_buf_str(&value, op->name);
    uint64_t hash = jg_hash(value.data, value.len, 0);
    jg_buf_append(&value, &hash, sizeof hash);
    op->saving = op->last_seen;
    return jg_buf_ok(&value) ? jg_txn_put(txn, JG_TABLE_OPERATIONS,
                                          (jaeger_str){(const char *)&key, sizeof key}, jg_buf_view(&value))
                             : ENOMEM;
}

int jg_names_save(jg_names *names, jg_txn *txn)
{
    size_t at = 0;
    int error = 0;
    jg_map_entry entry;
    (void)pthread_mutex_lock(&names->lock);
    while (!error && jg_map_next(&names->services, &at, &entry)) {
        service *s = entry.value;
        for (operation *op = s->operations; op && !error; op = op->next)
            if (!op->saved || op->last_seen > op->saved + SAVE_AGAIN_NS)
                error = save_one(txn, s, op);
    }
    (void)pthread_mutex_unlock(&names->lock);
    return error;
}

void jg_names_saved(jg_names *names)
{
    size_t at = 0;
    jg_map_entry entry;
    (void)pthread_mutex_lock(&names->lock);
    while (jg_map_next(&names->services, &at, &entry)) {
        service *s = entry.value;
        for (operation *op = s->operations; op; op = op->next) {
            op->saved = op->saving ? op->saving : op->saved;
            op->saving = 0;
        }
    }
    (void)pthread_mutex_unlock(&names->lock);
}

static int expire_service(jg_names *names, service *s, jg_txn *txn, uint64_t before)
{
    int error = 0;
    for (operation **at = &s->operations, *op; !error && (op = *at) != NULL;) {
        if (op->last_seen >= before) {
            at = &op->next;
            continue;
        }
        XXH128_hash_t key = key_of(s, op);
        error = jg_txn_delete(txn, JG_TABLE_OPERATIONS, (jaeger_str){(const char *)&key, sizeof key});
        (void)jg_map_remove(&s->by_key, (jaeger_str){op->key, op->key_len});
        *at = op->next;
        jg_free(op);
        s->count--;
        names->count--;
    }
    return error;
}

int jg_names_expire(jg_names *names, jg_txn *txn, uint64_t before_unix_ns)
{
    size_t at = 0;
    int error = 0;
    jg_map_entry entry;
    (void)pthread_mutex_lock(&names->lock);
    while (!error && jg_map_next(&names->services, &at, &entry)) {
        service *s = entry.value;
        error = expire_service(names, s, txn, before_unix_ns);
        if (s->count == 0) {
            (void)jg_map_remove(&names->services, (jaeger_str){s->name, s->name_len});
            service_free(s);
            at = 0; /* removal may move entries */
        }
    }
    (void)pthread_mutex_unlock(&names->lock);
    return error;
}

/* ---- lists
 * -------------------------------------------------------------------------------------------------- */

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

jaeger_status jg_names_services(jg_names *names, jaeger_strs *ret, jaeger_call *call)
{
    size_t at = 0;
    jg_map_entry entry;
    jaeger_status status = JAEGER_OK;
    (void)pthread_mutex_lock(&names->lock);
    while (status == JAEGER_OK && jg_map_next(&names->services, &at, &entry))
        status = jaeger_strs_add(ret, entry.key, call);
    (void)pthread_mutex_unlock(&names->lock);
    if (status == JAEGER_OK && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, str_order);
    return status;
}

jaeger_status jg_names_operations(jg_names *names, jaeger_str service_name, jaeger_str kind,
                                  jaeger_operations *ret, jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    (void)pthread_mutex_lock(&names->lock);
    service *s = find_service(names, service_name, false);
    for (operation *op = s ? s->operations : NULL; op && status == JAEGER_OK; op = op->next) {
        jaeger_operation item = {op->name, jg_kind_text(op->kind)};
        if (!kind.len || jg_str_eq(kind, item.span_kind))
            status = jaeger_operations_add(ret, item, call);
    }
    (void)pthread_mutex_unlock(&names->lock);
    if (status == JAEGER_OK && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, operation_order);
    return status;
}
