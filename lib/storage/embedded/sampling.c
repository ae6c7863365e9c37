/* SPDX-License-Identifier: Apache-2.0
 * What adaptive sampling keeps, in the catalog: throughput by time, the latest probabilities, leases. Values
 * are small protobuf messages of our own, followed by their xxh3. See store.h.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "storage/embedded/store.h"
#include <errno.h>

#define THROUGHPUT_KEPT_NS (72 * 3600 * JG_NS_PER_S) /* Jaeger's longest look-back */
#define VALUE_BYTES_MAX    (16u << 20)
#define RESOURCE_BYTES_MAX 500u /* an LMDB key */

enum { F_ITEM = 1 };
enum { F_SERVICE = 1, F_OPERATION, F_COUNT, F_TEXT, F_PROBABILITY, F_QPS };

static void seal(jg_buf *value)
{
    uint64_t hash = jg_hash(value->data, value->len, 0);
    jg_buf_append(value, &hash, sizeof hash);
}

/** The message without its hash. @return false: damaged */
static bool unseal(jaeger_str *value)
{
    uint64_t hash;
    if (value->len < 8)
        return false;
    value->len -= 8;
    memcpy(&hash, value->ptr + value->len, 8);
    return hash == jg_hash(value->ptr, value->len, 0);
}

typedef struct put {
    jg_table table;
    jaeger_str key, value;
    uint64_t drop_before; /* throughput: forget what is older */
} put;

typedef struct old_keys {
    uint8_t keys[64][12];
    size_t count;
    uint64_t before;
} old_keys;

static bool find_old(void *user, jaeger_str key, jaeger_str value)
{
    old_keys *old = user;
    (void)value;
    if (key.len != 12 || jg_get_u64be((const uint8_t *)key.ptr) >= old->before ||
        old->count == JG_COUNT(old->keys))
        return false;
    memcpy(old->keys[old->count++], key.ptr, 12);
    return true;
}

static int put_value(jg_txn *txn, void *user)
{
    put *p = user;
    jaeger_str taken;
    if (p->table == JG_TABLE_THROUGHPUT) {
        old_keys old = {.before = p->drop_before};
        int error = jg_txn_each(txn, p->table, (jaeger_str){0}, find_old, &old);
        for (size_t i = 0; !error && i < old.count; i++)
            error = jg_txn_delete(txn, p->table, (jaeger_str){(const char *)old.keys[i], 12});
        uint8_t *number = (uint8_t *)(uintptr_t)p->key.ptr + 8;
        for (uint32_t n = 0; !error; n++) { /* several sets of one time */
            uint32_t be = __builtin_bswap32(n);
            memcpy(number, &be, 4);
            error = jg_txn_get(txn, p->table, p->key, &taken);
            if (!taken.ptr)
                break;
        }
        if (error)
            return error;
    }
    return jg_txn_put(txn, p->table, p->key, p->value);
}

jaeger_status jg_store_insert_throughput(jg_store *store, uint64_t time_unix_ns,
                                         const jaeger_throughput *items, size_t n, jaeger_call *call)
{
    uint8_t key[12] = {0};
    JG_AUTO_BUF jg_buf value = JG_BUF_INIT(VALUE_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t mark = jg_pb_begin(&value, F_ITEM, 1);
        jg_pb_write_str(&value, F_SERVICE, items[i].service);
        jg_pb_write_str(&value, F_OPERATION, items[i].operation);
        jg_pb_write_varint(&value, F_COUNT, (uint64_t)items[i].count);
        for (size_t k = 0; k < items[i].probability_count; k++)
            jg_pb_write_str(&value, F_TEXT, items[i].probabilities[k]);
        jg_pb_end(&value, mark, 1);
    }
    seal(&value);
    if (!jg_buf_ok(&value))
        return jg_fail_oom(&call->error);
    jg_put_u64be(key, time_unix_ns);
    put p = {JG_TABLE_THROUGHPUT, {(const char *)key, sizeof key}, jg_buf_view(&value), 0};
    p.drop_before = time_unix_ns > THROUGHPUT_KEPT_NS ? time_unix_ns - THROUGHPUT_KEPT_NS : 0;
    return jg_catalog_write(store->catalog, put_value, &p, &call->error);
}

typedef struct reading {
    uint64_t start, end;
    jaeger_throughputs *throughputs;
    jaeger_probabilities *probabilities;
    jaeger_call *call;
    bool failed;
} reading;

static bool add_throughput(reading *r, jg_pb item)
{
    jaeger_arena *arena = r->call->arena;
    jaeger_throughput t = {0};
    jaeger_str *texts = NULL;
    size_t text_cap = 0;
    jg_pb_field f;
    while (jg_pb_next(&item, &f)) {
        if (f.number == F_SERVICE)
            t.service = jaeger_arena_str(arena, jg_pb_str(&f));
        else if (f.number == F_OPERATION)
            t.operation = jaeger_arena_str(arena, jg_pb_str(&f));
        else if (f.number == F_COUNT)
            t.count = (int64_t)f.varint;
        else if (f.number == F_TEXT) {
            texts = jg_arena_grow(arena, texts, t.probability_count, &text_cap, sizeof *texts);
            if (!texts)
                return false;
            texts[t.probability_count++] = jaeger_arena_str(arena, jg_pb_str(&f));
        }
    }
    t.probabilities = texts;
    jaeger_throughputs *list = r->throughputs;
    jaeger_throughput *grown = jg_arena_grow(arena, list->items, list->count, &list->cap, sizeof *grown);
    if (!grown || !t.service.ptr || !t.operation.ptr)
        return false;
    list->items = grown;
    list->items[list->count++] = t;
    return true;
}

static bool read_throughput(void *user, jaeger_str key, jaeger_str value)
{
    reading *r = user;
    uint64_t time = key.len == 12 ? jg_get_u64be((const uint8_t *)key.ptr) : 0;
    if (time > r->end)
        return false;
    if (time <= r->start || !unseal(&value))
        return true;
    jg_pb pb = jg_pb_of_str(value);
    jg_pb_field f;
    while (!r->failed && jg_pb_next(&pb, &f))
        if (f.number == F_ITEM && f.wire == JG_PB_LEN)
            r->failed = !add_throughput(r, jg_pb_of(f.ptr, f.len));
    return !r->failed;
}

static int read_throughputs(jg_txn *txn, void *user)
{
    const reading *r = user;
    uint8_t key[8];
    jg_put_u64be(key, r->start);
    return jg_txn_each(txn, JG_TABLE_THROUGHPUT, (jaeger_str){(const char *)key, 8}, read_throughput, user);
}

jaeger_status jg_store_get_throughput(jg_store *store, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                      jaeger_throughputs *ret, jaeger_call *call)
{
    reading r = {.start = start_unix_ns, .end = end_unix_ns, .throughputs = ret, .call = call};
    JG_TRY(jg_catalog_read(store->catalog, read_throughputs, &r, &call->error));
    return r.failed ? jg_fail_oom(&call->error) : JAEGER_OK;
}

jaeger_status jg_store_insert_probabilities(jg_store *store, jaeger_str host, const jaeger_probability *items,
                                            size_t n, jaeger_call *call)
{
    (void)host; /* the latest set counts, whoever made it */
    JG_AUTO_BUF jg_buf value = JG_BUF_INIT(VALUE_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t mark = jg_pb_begin(&value, F_ITEM, 1);
        jg_pb_write_str(&value, F_SERVICE, items[i].service);
        jg_pb_write_str(&value, F_OPERATION, items[i].operation);
        jg_pb_write_double(&value, F_PROBABILITY, items[i].probability);
        jg_pb_write_double(&value, F_QPS, items[i].qps);
        jg_pb_end(&value, mark, 1);
    }
    seal(&value);
    if (!jg_buf_ok(&value))
        return jg_fail_oom(&call->error);
    put p = {JG_TABLE_PROBABILITIES, JAEGER_STR("latest"), jg_buf_view(&value), 0};
    return jg_catalog_write(store->catalog, put_value, &p, &call->error);
}

static bool add_probability(reading *r, jg_pb item)
{
    jaeger_probability p = {0};
    jg_pb_field f;
    while (jg_pb_next(&item, &f)) {
        if (f.number == F_SERVICE)
            p.service = jaeger_arena_str(r->call->arena, jg_pb_str(&f));
        else if (f.number == F_OPERATION)
            p.operation = jaeger_arena_str(r->call->arena, jg_pb_str(&f));
        else if (f.number == F_PROBABILITY)
            memcpy(&p.probability, &f.varint, 8);
        else if (f.number == F_QPS)
            memcpy(&p.qps, &f.varint, 8);
    }
    jaeger_probabilities *list = r->probabilities;
    jaeger_probability *grown =
        jg_arena_grow(r->call->arena, list->items, list->count, &list->cap, sizeof *grown);
    if (!grown || !p.service.ptr || !p.operation.ptr)
        return false;
    list->items = grown;
    list->items[list->count++] = p;
    return true;
}

static int read_probabilities(jg_txn *txn, void *user)
{
    reading *r = user;
    jaeger_str value;
    int error = jg_txn_get(txn, JG_TABLE_PROBABILITIES, JAEGER_STR("latest"), &value);
    if (error || !value.ptr || !unseal(&value))
        return error;
    jg_pb pb = jg_pb_of_str(value);
    jg_pb_field f;
    while (!r->failed && jg_pb_next(&pb, &f))
        if (f.number == F_ITEM && f.wire == JG_PB_LEN)
            r->failed = !add_probability(r, jg_pb_of(f.ptr, f.len));
    return 0;
}

jaeger_status jg_store_get_probabilities(jg_store *store, jaeger_probabilities *ret, jaeger_call *call)
{
    reading r = {.probabilities = ret, .call = call};
    JG_TRY(jg_catalog_read(store->catalog, read_probabilities, &r, &call->error));
    return r.failed ? jg_fail_oom(&call->error) : JAEGER_OK;
}

/* ---- leases
 * -------------------------------------------------------------------------------------------------- */

typedef struct lease {
    jaeger_str resource, owner;
    uint64_t now, until; /* Unix ns; until 0: give back */
    bool held;
} lease;

static int lease_txn(jg_txn *txn, void *user)
{
    lease *l = user;
    jaeger_str value;
    uint64_t until = 0;
    int error = jg_txn_get(txn, JG_TABLE_LEASES, l->resource, &value);
    if (error)
        return error;
    if (value.len >= 8)
        memcpy(&until, value.ptr, 8);
    bool mine = value.len >= 8 && jg_str_eq(jg_str_skip(value, 8), l->owner);
    if (l->until == 0)
        return mine ? jg_txn_delete(txn, JG_TABLE_LEASES, l->resource) : 0;
    l->held = mine || until <= l->now;
    if (!l->held)
        return 0;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(VALUE_BYTES_MAX);
    jg_buf_append(&buf, &l->until, 8);
    jg_buf_str(&buf, l->owner);
    return jg_buf_ok(&buf) ? jg_txn_put(txn, JG_TABLE_LEASES, l->resource, jg_buf_view(&buf)) : ENOMEM;
}

jaeger_status jg_store_acquire(jg_store *store, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns,
                               bool *ret, jaeger_call *call)
{
    uint64_t now = jg_clock_unix_ns();
    lease l = {resource, owner, now, now + JG_MAX(ttl_ns, 1), false};
    if (!resource.len || resource.len > RESOURCE_BYTES_MAX)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "lease name of %zu bytes", resource.len);
    JG_TRY(jg_catalog_write(store->catalog, lease_txn, &l, &call->error));
    *ret = l.held;
    return JAEGER_OK;
}

jaeger_status jg_store_forfeit(jg_store *store, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    lease l = {resource, owner, 0, 0, false};
    if (!resource.len || resource.len > RESOURCE_BYTES_MAX)
        return JAEGER_OK;
    return jg_catalog_write(store->catalog, lease_txn, &l, &call->error);
}
