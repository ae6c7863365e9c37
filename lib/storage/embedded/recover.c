/* SPDX-License-Identifier: Apache-2.0
 * Opening a tenant's directory: the catalog, its segments, and the replay of log files that were not flushed.
 * Nothing needs repair: a file that is half written is not in the catalog, a frame that is half written ends
 * its log file. See store.h.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "storage/embedded/splits.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RESERVE_PART 20u   /* 5 % of a small file system stay free */
#define LOGS_MAX     1024u /* log files of one tenant; there are four or so */

uint64_t jg_store_now(const jg_store *store)
{
    return store->open_unix_ns + (jg_clock_mono_ns() - store->open_mono_ns);
}

static char *join(const char *dir, const char *name)
{
    size_t room = strlen(dir) + strlen(name) + 2;
    char *path = jg_alloc(room);
    if (path)
        (void)snprintf(path, room, "%s/%s", dir, name);
    return path;
}

/* ---- catalog
 * ------------------------------------------------------------------------------------------------ */

typedef struct load {
    jg_store *store;
    bool failed;
    uint32_t damaged;
} load;

int jg_store_get_u64(jg_txn *txn, const char *name, uint64_t *ret)
{
    jaeger_str value;
    int error = jg_txn_get(txn, JG_TABLE_META, (jaeger_str){name, strlen(name)}, &value);
    if (!error && value.len == 8)
        memcpy(ret, value.ptr, 8);
    return error;
}

static bool load_segment(void *user, jaeger_str key, jaeger_str value)
{
    load *l = user;
    jg_store *store = l->store;
    jg_seg_meta meta;
    jaeger_str filter;
    if (key.len != 8 || !jg_seg_meta_read(value, &meta, &filter)) {
        l->damaged++;
        return true;
    }
    jg_seg *seg = jg_seg_new(store, &meta, filter.ptr, filter.len);
    if (!seg) {
        l->failed = true;
        return false;
    }
    uint64_t bytes = 0;
    int error = jg_io_size(seg->path, &bytes);
    if (error || bytes != meta.bytes)
        jg_seg_refuse(store, seg,
                      error ? strerror(error) : "the file has another size than the catalog says");
    jg_snapshot *before = store->snapshot;
    l->failed = !jg_snapshot_replace(store, NULL, NULL, seg, NULL, NULL);
    if (!l->failed)
        jg_snapshot_unref(before);
    jg_seg_unref(seg);
    store->seg_bytes += meta.bytes;
    store->next_gen = JG_MAX(store->next_gen, meta.gen + 1);
    return !l->failed;
}

static int load_catalog(jg_txn *txn, void *user)
{
    load *l = user;
    uint64_t format = 0;
    int error = jg_store_get_u64(txn, "format", &format);
    if (!error && format > 1)
        return EPROTONOSUPPORT;
    if (!error)
        error = jg_store_get_u64(txn, "seed", &l->store->seed);
    if (!error)
        error = jg_store_get_u64(txn, "flushed_gen", &l->store->flushed_gen);
    if (!error)
        error = jg_txn_each(txn, JG_TABLE_SEGMENTS, (jaeger_str){0}, load_segment, l);
    if (!error)
        error = jg_names_load(l->store->names, txn);
    return l->failed ? ENOMEM : error;
}

static int save_identity(jg_txn *txn, void *user)
{
    const jg_store *store = user;
    uint64_t format = 1;
    int error = jg_txn_put(txn, JG_TABLE_META, JAEGER_STR("format"), (jaeger_str){(const char *)&format, 8});
    if (!error)
        error =
            jg_txn_put(txn, JG_TABLE_META, JAEGER_STR("seed"), (jaeger_str){(const char *)&store->seed, 8});
    return error;
}

static jaeger_status open_catalog(jg_store *store, jaeger_error *err)
{
    load l = {.store = store};
    JG_AUTO_FREE char *dir = join(store->dir, "catalog");
    if (!dir)
        return jg_fail_oom(err);
    JG_TRY(jg_catalog_open(dir, false, &store->catalog, err));
    JG_TRY(jg_catalog_read(store->catalog, load_catalog, &l, err));
    store->next_gen = JG_MAX(store->next_gen, store->flushed_gen + 1);
    if (l.damaged)
        jaeger_log(&store->log, JAEGER_ERROR,
                   "catalog has damaged entries, their segments are not served dir=%s entries=%u", store->dir,
                   l.damaged);
    if (store->seed)
        return JAEGER_OK;
    if (getrandom(&store->seed, sizeof store->seed, 0) != (ssize_t)sizeof store->seed || store->seed == 0)
        store->seed = jg_clock_unix_ns() | 1;
    return jg_catalog_write(store->catalog, save_identity, store, err);
}

/** Files in seg/ that the catalog does not know: leftovers of a crash are removed, others are named and left.
 */
static void check_strays(jg_store *store)
{
    DIR *dir = opendir(store->seg_dir);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        unsigned long long gen;
        char tail[8] = "", path[4200];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", store->seg_dir, entry->d_name);
        bool ours = sscanf(entry->d_name, "%16llx.%7s", &gen, tail) == 2;
        if (ours && strcmp(tail, "tmp") == 0) {
            (void)jg_io_unlink(path);
            continue;
        }
        bool known = false;
        for (uint32_t i = 0; ours && store->snapshot && i < store->snapshot->seg_count; i++)
            known = known || store->snapshot->segs[i]->meta.gen == gen;
        if (known)
            continue;
        if (ours && strcmp(tail, "jsg") == 0 && gen <= store->flushed_gen) {
            (void)jg_io_unlink(path); /* dropped by retention, the crash came before the unlink */
            continue;
        }
        if (ours)
            store->next_gen = JG_MAX(store->next_gen, gen + 1);
        else
            jaeger_log(&store->log, JAEGER_WARN, "file is not part of the store, leaving it alone path=%s",
                       path);
    }
    if (dir)
        (void)closedir(dir);
}

/* ---- replay
 * ------------------------------------------------------------------------------------------------- */

typedef struct log_file {
    jg_wal_file *wal;
    uint64_t gen;
} log_file;

static int by_gen(const void *a, const void *b)
{
    const log_file *x = a, *y = b;
    return x->gen < y->gen ? -1 : x->gen > y->gen;
}

/** Open all log files. Those without unflushed frames become spares. @return files to replay, or -1 */
static int find_logs(jg_store *store, log_file *logs, jaeger_error *err)
{
    int n = 0, error = 0;
    DIR *dir = opendir(store->wal_dir);
    struct dirent *entry;
    while (dir && !error && (entry = readdir(dir)) != NULL) {
        unsigned number;
        jg_wal_header header;
        const uint8_t *payload;
        jg_wal_file *wal;
        if (sscanf(entry->d_name, "wal-%u", &number) != 1 || n == (int)LOGS_MAX)
            continue;
        error = jg_wal_open(store->wal_dir, number, &wal);
        if (error)
            break;
        store->next_wal = JG_MAX(store->next_wal, number + 1);
        store->wal_bytes += wal->allocated;
        if (jg_wal_frame_read(wal->map, wal->allocated, 0, 0, &header, &payload) &&
            header.gen > store->flushed_gen)
            logs[n++] = (log_file){wal, header.gen};
        else
            jg_store_release_wal(store, wal);
    }
    if (dir)
        (void)closedir(dir);
    if (!error)
        return n;
    (void)jg_io_fail(err, error, "open the log in %s", store->wal_dir);
    while (n > 0)
        jg_wal_close(logs[--n].wal);
    return -1;
}

static void release_nothing(void *user, void *bytes, size_t len)
{
    (void)user, (void)bytes, (void)len;
}

jaeger_status jg_store_replay_frame(jg_store *store, jg_mt *mem, const uint8_t *payload,
                                    const jg_wal_header *header, jaeger_error *err)
{
    jaeger_batch *batch = NULL;
    JG_TRY(
        jaeger_batch_from_otlp((void *)(uintptr_t)payload, header->len, release_nothing, NULL, &batch, err));
    size_t spans = jaeger_batch_span_count(batch);
    JG_AUTO_FREE uint32_t *offsets = jg_alloc(spans * sizeof *offsets);
    bool ok = offsets != NULL;
    for (size_t i = 0; ok && i < spans; i++)
        offsets[i] = (uint32_t)(jaeger_batch_spans(batch)[i].bytes - mem->wal->map);
    uint32_t ops = mem->ops.count;
    ok = ok && jg_mt_append(mem, batch, offsets, header->arrival_unix_ns);
    jaeger_batch_unref(batch);
    if (!ok)
        return jg_fail_oom(err);
    jg_mt_publish(mem);
    for (; ops < mem->ops.count; ops++) {
        const jg_op *op = jg_mt_op(mem, ops);
        jg_names_note(store->names, jg_mt_str(mem, jg_intern_at(&mem->services, op->service)), op->name,
                      op->kind, header->arrival_unix_ns);
    }
    return JAEGER_OK;
}

/** Read one log file into a frozen memtable. */
static jaeger_status replay(jg_store *store, log_file *log, jaeger_error *err)
{
    jg_wal_header header;
    const uint8_t *payload;
    uint64_t at = 0, allocated = log->wal->allocated;
    jg_mt *mem = jg_mt_new(log->gen, store->seed, log->wal, jg_store_keep_wal, store);
    log->wal = NULL; /* it has the only copy: whatever fails here, the file stays */
    if (!mem)
        return jg_fail_oom(err);
    jaeger_status status = JAEGER_OK;
    while (status == JAEGER_OK &&
           jg_wal_frame_read(mem->wal->map, allocated, at, log->gen, &header, &payload)) {
        status = jg_store_replay_frame(store, mem, payload, &header, err);
        if (status == JAEGER_INVALID_ARGUMENT) { /* whole, but not what this version takes */
            jaeger_log(&store->log, JAEGER_ERROR,
                       "log frame skipped file=%s/wal-%u offset=%llu spans=%u reason=\"%s\"", store->wal_dir,
                       mem->wal->number, (unsigned long long)at, header.span_count, err->message);
            status = JAEGER_OK;
        }
        at += jg_wal_frame_size(header.len);
        mem->wal->used = at;
    }
    jg_mt **frozen = jg_realloc(store->frozen, (store->frozen_count + 8) * sizeof *frozen);
    if (frozen) {
        store->frozen = frozen;
        store->frozen_cap = store->frozen_count + 8;
    }
    jg_snapshot *before = store->snapshot;
    if (status != JAEGER_OK || !frozen || !jg_snapshot_replace(store, mem, NULL, NULL, NULL, NULL)) {
        jg_mt_unref(mem);
        return status != JAEGER_OK ? status : jg_fail_oom(err);
    }
    mem->release_wal = jg_store_release_wal;
    jg_snapshot_unref(before);
    store->frozen[store->frozen_count++] = mem;
    jaeger_log(&store->log, JAEGER_INFO, "log replayed file=%s/wal-%u spans=%u", store->wal_dir,
               mem->wal->number, jg_mt_count(mem));
    return JAEGER_OK;
}

void jg_store_keep_wal(void *store, jg_wal_file *wal)
{
    (void)store;
    jg_wal_close(wal);
}

static jaeger_status replay_all(jg_store *store, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    JG_AUTO_FREE log_file *logs = jg_alloc(LOGS_MAX * sizeof *logs);
    int n = logs ? find_logs(store, logs, err) : -1;
    if (n < 0)
        return logs ? err->status : jg_fail_oom(err);
    qsort(logs, (size_t)n, sizeof *logs, by_gen);
    for (int i = 0; i < n && status == JAEGER_OK; i++) {
        store->next_gen = JG_MAX(store->next_gen, logs[i].gen + 1);
        status = replay(store, &logs[i], err);
    }
    for (int i = 0; i < n; i++)
        jg_wal_close(logs[i].wal);
    return status;
}

/* ---- open, close, purge
 * ------------------------------------------------------------------------------------- */

static jaeger_status make_dirs(jg_store *store, jaeger_error *err)
{
    JG_AUTO_FREE char *catalog = join(store->dir, "catalog");
    if (!catalog)
        return jg_fail_oom(err);
    const char *dirs[] = {store->wal_dir, store->seg_dir, catalog};
    for (size_t i = 0; i < JG_COUNT(dirs); i++) {
        int error = jg_io_mkdirs(dirs[i]);
        if (error)
            return jg_io_fail(err, error, "make directory %s", dirs[i]);
    }
    int error = jg_io_sync_dir(store->dir);
    return error ? jg_io_fail(err, error, "sync directory %s", store->dir) : JAEGER_OK;
}

static void init_locks(jg_store *store)
{
    jg_cond_init(&store->frozen_cond);
    (void)pthread_mutex_init(&store->commit_lock, NULL);
    (void)pthread_mutex_init(&store->lock, NULL);
    (void)pthread_mutex_init(&store->catalog_lock, NULL);
    (void)pthread_mutex_init(&store->map_lock, NULL);
}

jg_store *jg_store_new(const char *dir, const jg_store_options *options, const jaeger_logger *log)
{
    jg_store *store = jg_calloc(1, sizeof *store);
    if (!store)
        return NULL;
    init_locks(store);
    store->options = *options;
    store->disk_budget = options->max_disk_bytes;
    store->log = log ? *log : (jaeger_logger){0};
    store->queue_tail = &store->queue_head;
    store->next_gen = 1;
    store->open_unix_ns = jg_clock_unix_ns();
    store->open_mono_ns = jg_clock_mono_ns();
    store->dir = jg_strndup(dir, strlen(dir));
    store->wal_dir = join(dir, "wal");
    store->seg_dir = join(dir, "seg");
    if (!store->dir || !store->wal_dir || !store->seg_dir ||
        !jg_snapshot_replace(store, NULL, NULL, NULL, NULL, NULL) || !(store->names = jg_names_new()) ||
        !(store->deps = jg_deps_new())) {
        jg_store_abandon(store);
        return NULL;
    }
    return store;
}

jaeger_status jg_store_open(const char *dir, const jg_store_options *options, const jaeger_logger *log,
                            void (*wake)(void *), void *wake_user, jg_store **ret, jaeger_error *err)
{
    jaeger_error ignored;
    err = err ? err : &ignored;
    jg_store *store = jg_store_new(dir, options, log);
    if (!store)
        return jg_fail_oom(err);
    store->wake = wake;
    store->wake_user = wake_user;
    jaeger_status status = make_dirs(store, err);
    store->options.reserve_bytes = JG_MIN(options->reserve_bytes, jg_io_space_total(dir) / RESERVE_PART);
    if (status == JAEGER_OK)
        status = open_catalog(store, err);
    if (status == JAEGER_OK) {
        check_strays(store);
        status = replay_all(store, err);
    }
    if (status != JAEGER_OK) {
        jg_store_abandon(store);
        return status;
    }
    *ret = store;
    return JAEGER_OK;
}

/** Free everything; log files keep what is only in them. */
void jg_store_abandon(jg_store *store)
{
    jg_snapshot_unref(store->snapshot);
    for (uint32_t i = 0; i < store->frozen_count; i++) {
        store->frozen[i]->release_wal = jg_store_keep_wal;
        jg_mt_unref(store->frozen[i]);
    }
    if (store->active) {
        store->active->release_wal = jg_store_keep_wal;
        jg_mt_unref(store->active);
    }
    jg_store_drop_spares(store, 0);
    jg_store_free_frames(store);
    for (jg_seg_reader *reader = store->readers, *next; reader; reader = next) {
        next = reader->next;
        jg_seg_reader_free(reader);
    }
    jg_catalog_close(store->catalog);
    jg_names_free(store->names);
    jg_deps_free(store->deps);
    jg_splits_unref(store->splits);
    jg_follower_free(store->follower);
    jg_free(store->frozen);
    jg_free(store->dir);
    jg_free(store->wal_dir);
    jg_free(store->seg_dir);
    (void)pthread_cond_destroy(&store->frozen_cond);
    (void)pthread_mutex_destroy(&store->commit_lock);
    (void)pthread_mutex_destroy(&store->lock);
    (void)pthread_mutex_destroy(&store->catalog_lock);
    (void)pthread_mutex_destroy(&store->map_lock);
    jg_free(store);
}

void jg_store_close(jg_store *store)
{
    jaeger_error err;
    bool more = true;
    if (!store)
        return;
    if (store->follower) {
        jg_store_abandon(store);
        return;
    }
    (void)jg_store_freeze(store);
    while (more && jg_store_flush_one(store, &more, &err) == JAEGER_OK)
        continue;
    if (more)
        jaeger_log(&store->log, JAEGER_WARN,
                   "closed without a flush, the log keeps the spans dir=%s error=\"%s\"", store->dir,
                   err.message);
    if (store->active && store->active->pending == 0) {
        jg_mt *empty = store->active; /* its file holds nothing: remove it */
        store->active = NULL;
        jg_snapshot_unref(store->snapshot);
        store->snapshot = NULL;
        jg_mt_unref(empty);
    }
    jg_store_abandon(store);
}

static int purge_catalog(jg_txn *txn, void *user)
{
    const jg_store *store = user;
    static const jg_table tables[] = {JG_TABLE_SEGMENTS,   JG_TABLE_OPERATIONS,    JG_TABLE_CALLS,
                                      JG_TABLE_THROUGHPUT, JG_TABLE_PROBABILITIES, JG_TABLE_LEASES};
    int error = 0;
    uint64_t flushed = store->flushed_gen;
    for (size_t i = 0; !error && i < JG_COUNT(tables); i++)
        error = jg_txn_clear(txn, tables[i]);
    if (!error)
        error = jg_txn_put(txn, JG_TABLE_META, JAEGER_STR("flushed_gen"),
                           (jaeger_str){(const char *)&flushed, 8});
    return error;
}

static bool any_segment(jg_seg *seg, void *user)
{
    (void)user;
    __atomic_store_n(&seg->doomed, true, __ATOMIC_RELAXED);
    return true;
}

jaeger_status jg_store_purge(jg_store *store, jaeger_error *err)
{
    bool more = true;
    (void)jg_store_freeze(store);
    while (more)
        JG_TRY(jg_store_flush_one(store, &more, err));
    (void)pthread_mutex_lock(&store->catalog_lock);
    jaeger_status status = jg_catalog_write(store->catalog, purge_catalog, store, err);
    if (status == JAEGER_OK) {
        (void)pthread_mutex_lock(&store->lock);
        jg_snapshot *before = store->snapshot;
        bool ok = jg_snapshot_replace(store, NULL, NULL, NULL, any_segment, NULL);
        store->seg_bytes = ok ? 0 : store->seg_bytes;
        (void)pthread_mutex_unlock(&store->lock);
        if (ok)
            jg_snapshot_unref(before);
        else
            status = jg_fail_oom(err);
        jg_names_clear(store->names);
        jg_deps_clear(store->deps);
    }
    (void)pthread_mutex_unlock(&store->catalog_lock);
    return status;
}
