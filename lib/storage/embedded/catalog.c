/* SPDX-License-Identifier: Apache-2.0
 * See catalog.h. LMDB as 0.9.24 wants it: no DUPSORT, no WRITEMAP, short read transactions, a map that is
 * enlarged only while no transaction lives (a lock sees to it).
 */
#include "storage/embedded/catalog.h"

#include "core/alloc.h"
#include "core/err.h"
#include "storage/embedded/io.h"
#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <string.h>

#define MAP_BYTES_START (256ull << 20) /* address space, not disk; doubled when full */
#define MAP_BYTES_MAX   (1ull << 40)
#define READERS_MAX     512 /* workers that read at once */

struct jg_catalog {
    MDB_env *env;
    MDB_dbi tables[JG_TABLE_COUNT];
    pthread_rwlock_t map_lock; /* write: the map is enlarged */
    size_t map_bytes;
};

struct jg_txn {
    MDB_txn *mdb;
    const jg_catalog *catalog;
};

static const char *const names[JG_TABLE_COUNT] = {"meta",       "segments",      "operations", "calls",
                                                  "throughput", "probabilities", "leases"};

static jaeger_status fail(jaeger_error *err, int error, const char *what)
{
    if (error > 0)
        return jg_io_fail(err, error, "catalog: %s", what);
    jaeger_status status =
        error == MDB_READERS_FULL || error == MDB_MAP_FULL ? JAEGER_RESOURCE_EXHAUSTED : JAEGER_DATA_LOSS;
    return jg_fail(err, status, "embedded store: catalog: %s: %s", what, mdb_strerror(error));
}

static int open_tables(jg_catalog *catalog, bool read_only)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(catalog->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (error)
        return error;
    for (size_t i = 0; !error && i < JG_TABLE_COUNT; i++)
        error = mdb_dbi_open(txn, names[i], read_only ? 0 : MDB_CREATE, &catalog->tables[i]);
    if (!error)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

static int open_env(jg_catalog *catalog, const char *dir, bool read_only)
{
    int error = mdb_env_create(&catalog->env);
    if (!error)
        error = mdb_env_set_mapsize(catalog->env, catalog->map_bytes);
    if (!error)
        error = mdb_env_set_maxdbs(catalog->env, JG_TABLE_COUNT);
    if (!error)
        error = mdb_env_set_maxreaders(catalog->env, READERS_MAX);
    if (!error)
        error =
            mdb_env_open(catalog->env, dir, MDB_NOTLS | MDB_NORDAHEAD | (read_only ? MDB_RDONLY : 0), 0640);
    if (!error)
        error = open_tables(catalog, read_only);
    MDB_envinfo info;
    if (!error && mdb_env_info(catalog->env, &info) == 0)
        catalog->map_bytes = info.me_mapsize;
    return error;
}

jaeger_status jg_catalog_open(const char *dir, bool read_only, jg_catalog **ret, jaeger_error *err)
{
    jg_catalog *catalog = jg_calloc(1, sizeof *catalog);
    if (!catalog)
        return jg_fail_oom(err);
    (void)pthread_rwlock_init(&catalog->map_lock, NULL);
    catalog->map_bytes = MAP_BYTES_START;
    int error = open_env(catalog, dir, read_only);
    if (error) {
        jg_catalog_close(catalog);
        return fail(err, error, "open");
    }
    jg_catalog_tidy(catalog);
    *ret = catalog;
    return JAEGER_OK;
}

void jg_catalog_close(jg_catalog *catalog)
{
    if (!catalog)
        return;
    if (catalog->env)
        mdb_env_close(catalog->env);
    (void)pthread_rwlock_destroy(&catalog->map_lock);
    jg_free(catalog);
}

void jg_catalog_tidy(jg_catalog *catalog)
{
    int dead;
    (void)mdb_reader_check(catalog->env, &dead);
}

uint64_t jg_catalog_bytes(jg_catalog *catalog)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(catalog->env, &info) != 0 || mdb_env_stat(catalog->env, &stat) != 0)
        return 0;
    return (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

uint64_t jg_catalog_version(jg_catalog *catalog)
{
    MDB_envinfo info;
    return mdb_env_info(catalog->env, &info) == 0 ? info.me_last_txnid : 0;
}

static int run(jg_catalog *catalog, unsigned flags, int (*fn)(jg_txn *, void *), void *user)
{
    jg_txn txn = {.catalog = catalog};
    (void)pthread_rwlock_rdlock(&catalog->map_lock);
    int error = mdb_txn_begin(catalog->env, NULL, flags, &txn.mdb);
    if (!error) {
        error = fn(&txn, user);
        if (error || flags)
            mdb_txn_abort(txn.mdb);
        else
            error = mdb_txn_commit(txn.mdb);
    }
    (void)pthread_rwlock_unlock(&catalog->map_lock);
    return error;
}

static int enlarge(jg_catalog *catalog)
{
    if (catalog->map_bytes * 2 > MAP_BYTES_MAX)
        return MDB_MAP_FULL;
    (void)pthread_rwlock_wrlock(&catalog->map_lock);
    int error = mdb_env_set_mapsize(catalog->env, catalog->map_bytes * 2);
    if (!error)
        catalog->map_bytes *= 2;
    (void)pthread_rwlock_unlock(&catalog->map_lock);
    return error;
}

/** Another process made the map larger. */
static int adopt_size(jg_catalog *catalog)
{
    MDB_envinfo info;
    (void)pthread_rwlock_wrlock(&catalog->map_lock);
    int error = mdb_env_set_mapsize(catalog->env, 0);
    if (!error && mdb_env_info(catalog->env, &info) == 0)
        catalog->map_bytes = info.me_mapsize;
    (void)pthread_rwlock_unlock(&catalog->map_lock);
    return error;
}

jaeger_status jg_catalog_write(jg_catalog *catalog, int (*fn)(jg_txn *, void *), void *user,
                               jaeger_error *err)
{
    int error;
    while ((error = run(catalog, 0, fn, user)) == MDB_MAP_FULL)
        if ((error = enlarge(catalog)) != 0)
            break;
    return error ? fail(err, error, "write") : JAEGER_OK;
}

jaeger_status jg_catalog_read(jg_catalog *catalog, int (*fn)(jg_txn *, void *), void *user, jaeger_error *err)
{
    int error;
    while ((error = run(catalog, MDB_RDONLY, fn, user)) == MDB_MAP_RESIZED)
        if ((error = adopt_size(catalog)) != 0)
            break;
    return error ? fail(err, error, "read") : JAEGER_OK;
}

static MDB_val val_of(jaeger_str s)
{
    return (MDB_val){s.len, (void *)(uintptr_t)s.ptr};
}

int jg_txn_put(jg_txn *txn, jg_table table, jaeger_str key, jaeger_str value)
{
    MDB_val k = val_of(key), v = val_of(value);
    return mdb_put(txn->mdb, txn->catalog->tables[table], &k, &v, 0);
}

int jg_txn_delete(jg_txn *txn, jg_table table, jaeger_str key)
{
    MDB_val k = val_of(key);
    int error = mdb_del(txn->mdb, txn->catalog->tables[table], &k, NULL);
    return error == MDB_NOTFOUND ? 0 : error;
}

int jg_txn_clear(jg_txn *txn, jg_table table)
{
    return mdb_drop(txn->mdb, txn->catalog->tables[table], 0);
}

int jg_txn_get(jg_txn *txn, jg_table table, jaeger_str key, jaeger_str *ret)
{
    MDB_val k = val_of(key), v;
    int error = mdb_get(txn->mdb, txn->catalog->tables[table], &k, &v);
    if (error == MDB_NOTFOUND) {
        *ret = (jaeger_str){0};
        return 0;
    }
    if (!error)
        *ret = (jaeger_str){v.mv_data, v.mv_size};
    return error;
}

int jg_txn_each(jg_txn *txn, jg_table table, jaeger_str from, bool (*each)(void *, jaeger_str, jaeger_str),
                void *user)
{
    MDB_cursor *cursor;
    MDB_val k = val_of(from), v;
    int error = mdb_cursor_open(txn->mdb, txn->catalog->tables[table], &cursor);
    if (error)
        return error;
    error = mdb_cursor_get(cursor, &k, &v, from.len ? MDB_SET_RANGE : MDB_FIRST);
    while (!error && each(user, (jaeger_str){k.mv_data, k.mv_size}, (jaeger_str){v.mv_data, v.mv_size}))
        error = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

void jg_put_u64be(uint8_t out[8], uint64_t x)
{
    x = __builtin_bswap64(x);
    memcpy(out, &x, 8);
}

uint64_t jg_get_u64be(const uint8_t in[8])
{
    uint64_t x;
    memcpy(&x, in, 8);
    return __builtin_bswap64(x);
}
