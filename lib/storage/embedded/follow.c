/* SPDX-License-Identifier: Apache-2.0
 * A store that another process writes. Its catalog tells the segments, which are mapped as they come, so that
 * they stay readable when the writer drops them. Log files are recycled by the writer: their frames are
 * copied as they appear, checked in the copy, and become memtables of our own, until the catalog says that
 * they are in a segment. Nothing is asked of the writer, and nothing is locked but a slot in LMDB's table of
 * readers.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "storage/embedded/store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMS_MAX  64u /* log files with unflushed spans; there are four or so */
#define TRIES_MAX 3u  /* a flush between reading catalog and log: look again */

typedef struct jg_follower {
    uint64_t version; /* of the catalog, as it was read; 0: not yet */
    jg_mt *mems[MEMS_MAX];
    uint32_t mem_count;
    jaeger_status last; /* failures are told once */
} jg_follower;

/** What the catalog says now. */
typedef struct listing {
    jg_store *store;
    jg_seg **segs;
    size_t count, cap;
    uint64_t flushed_gen, seed;
    jg_names *names;
    bool failed;
} listing;

/* ---- catalog ---- */

static jg_seg *known_segment(const jg_store *store, const jg_seg_meta *meta)
{
    const jg_snapshot *snapshot = store->snapshot; /* only this thread replaces it */
    for (uint32_t i = 0; i < snapshot->seg_count; i++) {
        jg_seg *seg = snapshot->segs[i];
        if (seg->meta.gen == meta->gen && seg->meta.header_hash == meta->header_hash) {
            __atomic_add_fetch(&seg->refs, 1, __ATOMIC_RELAXED);
            return seg;
        }
    }
    return NULL;
}

static bool list_segment(void *user, jaeger_str key, jaeger_str value)
{
    listing *l = user;
    jg_seg_meta meta;
    jaeger_str filter;
    if (key.len != 8 || !jg_seg_meta_read(value, &meta, &filter))
        return true; /* the writer names damage in its log */
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        jg_seg **segs = jg_realloc(l->segs, cap * sizeof *segs);
        if (!segs) {
            l->failed = true;
            return false;
        }
        l->segs = segs;
        l->cap = cap;
    }
    jg_seg *seg = known_segment(l->store, &meta);
    if (!seg)
        seg = jg_seg_new(l->store, &meta, filter.ptr, filter.len);
    l->failed = !seg;
    if (seg)
        l->segs[l->count++] = seg;
    return seg != NULL;
}

static int list_all(jg_txn *txn, void *user)
{
    listing *l = user;
    int error = jg_store_get_u64(txn, "flushed_gen", &l->flushed_gen);
    if (!error)
        error = jg_store_get_u64(txn, "seed", &l->seed);
    if (!error)
        error = jg_txn_each(txn, JG_TABLE_SEGMENTS, (jaeger_str){0}, list_segment, l);
    if (!error)
        error = jg_names_load(l->names, txn);
    return l->failed ? ENOMEM : error;
}

static void listing_done(listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        jg_seg_unref(l->segs[i]);
    jg_free(l->segs);
    jg_names_free(l->names);
}

static void note_names(jg_names *names, const jg_mt *mem)
{
    for (uint32_t i = 0; i < mem->ops.count; i++) {
        const jg_op *op = jg_mt_op(mem, i);
        jg_names_note(names, jg_mt_str(mem, jg_intern_at(&mem->services, op->service)), op->name, op->kind,
                      __atomic_load_n(&mem->arrival_max, __ATOMIC_RELAXED));
    }
}

/* ---- log files ---- */

/** A file of our own memory for the copies of a log's frames. */
static jg_wal_file *copy_new(void)
{
    jg_wal_file *copy = jg_calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->fd = -1;
    void *map = mmap(NULL, JG_WAL_FILE_BYTES_MAX, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        jg_free(copy);
        return NULL;
    }
    copy->map = map;
    copy->allocated = JG_WAL_FILE_BYTES_MAX;
    return copy;
}

static bool read_at(int fd, void *out, size_t len, uint64_t offset)
{
    uint8_t *to = out;
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/** Copy the frame behind those that are there. @return false: there is no whole one */
static bool copy_frame(int fd, jg_wal_file *copy, uint64_t gen, jg_wal_header *ret,
                       const uint8_t **ret_payload)
{
    uint8_t *to = (uint8_t *)(uintptr_t)copy->map + copy->used;
    jg_wal_header header;
    uint64_t room = copy->allocated - copy->used;
    if (room < sizeof header || !read_at(fd, &header, sizeof header, copy->used) ||
        header.magic != JG_WAL_MAGIC || header.gen != gen || header.len > JG_WAL_FRAME_BYTES_MAX ||
        jg_wal_frame_size(header.len) > room)
        return false;
    size_t size = (size_t)jg_wal_frame_size(header.len);
    return read_at(fd, to, size, copy->used) &&
           jg_wal_frame_read(copy->map, copy->used + size, copy->used, gen, ret, ret_payload);
}

static jaeger_status read_frames(jg_store *store, int fd, jg_mt *mem, jaeger_error *err)
{
    jg_wal_header header;
    const uint8_t *payload;
    while (copy_frame(fd, mem->wal, mem->gen, &header, &payload)) {
        jaeger_status status = jg_store_replay_frame(store, mem, payload, &header, err);
        if (status != JAEGER_OK)
            jg_mt_rollback(mem);
        if (status != JAEGER_OK && status != JAEGER_INVALID_ARGUMENT)
            return status; /* again the next time */
        mem->wal->used += jg_wal_frame_size(header.len);
    }
    return JAEGER_OK;
}

static jg_mt *find_mem(const jg_follower *f, uint64_t gen)
{
    for (uint32_t i = 0; i < f->mem_count; i++)
        if (f->mems[i]->gen == gen)
            return f->mems[i];
    return NULL;
}

/** One log file; nothing happens if all it has is in segments. */
static jaeger_status follow_log(jg_store *store, uint32_t number, jaeger_error *err)
{
    jg_follower *f = store->follower;
    jg_wal_header header;
    char path[4200];
    int fd;
    jaeger_status status = JAEGER_OK;
    jg_wal_path(store->wal_dir, number, path, sizeof path);
    if (jg_io_open(path, O_RDONLY, &fd) != 0)
        return JAEGER_OK; /* gone since the directory was read */
    if (read_at(fd, &header, sizeof header, 0) && header.magic == JG_WAL_MAGIC &&
        header.gen > store->flushed_gen) {
        jg_mt *mem = find_mem(f, header.gen);
        if (!mem && f->mem_count < MEMS_MAX) {
            jg_wal_file *copy = copy_new();
            mem = copy ? jg_mt_new(header.gen, store->seed, copy, jg_store_keep_wal, store) : NULL;
            if (mem)
                f->mems[f->mem_count++] = mem;
            else
                status = jg_fail_oom(err);
        }
        if (mem)
            status = read_frames(store, fd, mem, err);
    }
    (void)close(fd);
    return status;
}

static jaeger_status follow_logs(jg_store *store, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    DIR *dir = opendir(store->wal_dir);
    struct dirent *entry;
    while (dir && status == JAEGER_OK && (entry = readdir(dir)) != NULL) {
        unsigned number;
        if (sscanf(entry->d_name, "wal-%u", &number) == 1)
            status = follow_log(store, number, err);
    }
    if (dir)
        (void)closedir(dir);
    return status;
}

/* ---- both together ---- */

/** Let go of memtables that are in segments now, or that came to nothing; the newest come first. */
static void sort_mems(jg_store *store)
{
    jg_follower *f = store->follower;
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->mem_count; i++) {
        if (f->mems[i]->gen <= store->flushed_gen || jg_mt_count(f->mems[i]) == 0)
            jg_mt_unref(f->mems[i]);
        else
            f->mems[n++] = f->mems[i];
    }
    f->mem_count = n;
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && f->mems[k - 1]->gen < f->mems[k]->gen; k--) {
            jg_mt *mem = f->mems[k];
            f->mems[k] = f->mems[k - 1];
            f->mems[k - 1] = mem;
        }
}

static bool same_mems(const jg_store *store)
{
    const jg_follower *f = store->follower;
    const jg_snapshot *snapshot = store->snapshot;
    bool same = snapshot->mem_count == f->mem_count;
    for (uint32_t i = 0; same && i < f->mem_count; i++)
        same = snapshot->mems[i] == f->mems[i];
    return same;
}

/** @param listed NULL: the segments are the same as before */
static jaeger_status show(jg_store *store, listing *listed, jaeger_error *err)
{
    jg_follower *f = store->follower;
    sort_mems(store);
    if (listed) {
        for (uint32_t i = 0; i < f->mem_count; i++)
            note_names(listed->names, f->mems[i]);
        jg_names_replace(store->names, listed->names);
        listed->names = NULL;
    } else if (same_mems(store)) {
        return JAEGER_OK;
    }
    (void)pthread_mutex_lock(&store->lock);
    jg_snapshot *before = store->snapshot;
    bool ok = jg_snapshot_set(store, listed ? listed->segs : before->segs,
                              listed ? listed->count : before->seg_count, f->mems, f->mem_count);
    store->seg_bytes = 0;
    for (uint32_t i = 0; i < store->snapshot->seg_count; i++)
        store->seg_bytes += store->snapshot->segs[i]->meta.bytes;
    (void)pthread_mutex_unlock(&store->lock);
    if (!ok)
        return jg_fail_oom(err);
    jg_snapshot_unref(before);
    for (size_t i = 0; listed && i < listed->count; i++)
        (void)jg_seg_use(store, listed->segs[i], 0);
    return JAEGER_OK;
}

/** @param ret_again the catalog changed meanwhile: what was flushed then may be missing */
static jaeger_status refresh(jg_store *store, bool *ret_again, jaeger_error *err)
{
    jg_follower *f = store->follower;
    uint64_t version = jg_catalog_version(store->catalog);
    listing l = {.store = store};
    bool changed = version != f->version;
    jaeger_status status = JAEGER_OK;
    if (changed) {
        l.names = jg_names_new();
        status = l.names ? jg_catalog_read(store->catalog, list_all, &l, err) : jg_fail_oom(err);
        if (status == JAEGER_OK) {
            store->flushed_gen = l.flushed_gen;
            store->seed = l.seed;
        }
    }
    if (status == JAEGER_OK)
        status = follow_logs(store, err);
    *ret_again = jg_catalog_version(store->catalog) != version;
    if (status == JAEGER_OK)
        status = show(store, changed ? &l : NULL, err);
    if (status == JAEGER_OK)
        f->version = version;
    listing_done(&l);
    return status;
}

static jaeger_status refresh_all(jg_store *store, jaeger_error *err)
{
    bool again = true;
    jaeger_status status = JAEGER_OK;
    for (uint32_t i = 0; i < TRIES_MAX && again && status == JAEGER_OK; i++)
        status = refresh(store, &again, err);
    return status;
}

void jg_store_refresh(jg_store *store)
{
    jaeger_error err;
    jg_follower *f = store->follower;
    jaeger_status status = refresh_all(store, &err);
    if (status != JAEGER_OK && status != f->last)
        jaeger_log(&store->log, JAEGER_ERROR, "cannot see what is new, trying again dir=%s error=\"%s\"",
                   store->dir, err.message);
    f->last = status;
}

jaeger_status jg_store_follow(const char *dir, const jg_store_options *options, const jaeger_logger *log,
                              jg_store **ret, jaeger_error *err)
{
    char path[4200];
    jg_store *store = jg_store_new(dir, options, log);
    if (!store)
        return jg_fail_oom(err);
    (void)snprintf(path, sizeof path, "%s/catalog", dir);
    store->follower = jg_calloc(1, sizeof *store->follower);
    jaeger_status status =
        store->follower ? jg_catalog_open(path, true, &store->catalog, err) : jg_fail_oom(err);
    if (status == JAEGER_OK)
        status = refresh_all(store, err);
    if (status != JAEGER_OK) {
        jg_store_abandon(store);
        return status;
    }
    *ret = store;
    return JAEGER_OK;
}

void jg_follower_free(jg_follower *f)
{
    for (uint32_t i = 0; f && i < f->mem_count; i++)
        jg_mt_unref(f->mems[i]);
    jg_free(f);
}
