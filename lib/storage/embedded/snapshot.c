/* SPDX-License-Identifier: Apache-2.0
 * What readers see: an immutable list of segments and memtables, counted. A reader takes it under the lock,
 * for the time of one increment, and then needs no lock. See store.h.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "storage/embedded/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

jg_snapshot *jg_snapshot_take(jg_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_snapshot *snapshot = store->snapshot;
    __atomic_add_fetch(&snapshot->refs, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&store->lock);
    return snapshot;
}

void jg_snapshot_unref(jg_snapshot *snapshot)
{
    if (!snapshot || __atomic_sub_fetch(&snapshot->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (uint32_t i = 0; i < snapshot->seg_count; i++)
        jg_seg_unref(snapshot->segs[i]);
    for (uint32_t i = 0; i < snapshot->mem_count; i++)
        jg_mt_unref(snapshot->mems[i]);
    jg_free(snapshot);
}

static int latest_first(const void *a, const void *b)
{
    const jg_seg *x = *(jg_seg *const *)a, *y = *(jg_seg *const *)b;
    if (x->meta.max_start != y->meta.max_start)
        return x->meta.max_start > y->meta.max_start ? -1 : 1;
    return x->meta.gen > y->meta.gen ? -1 : x->meta.gen < y->meta.gen;
}

/** Room for both lists; they are empty. */
static jg_snapshot *snapshot_new(size_t segs, size_t mems)
{
    jg_snapshot *snapshot =
        jg_alloc(sizeof *snapshot + (segs + 1) * sizeof(jg_seg *) + (mems + 1) * sizeof(jg_mt *));
    if (!snapshot)
        return NULL;
    *snapshot = (jg_snapshot){.refs = 1};
    snapshot->segs = (jg_seg **)(snapshot + 1);
    snapshot->mems = (jg_mt **)(snapshot->segs + segs + 1);
    return snapshot;
}

static void publish(jg_store *store, jg_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->mem_count; i++)
        (void)jg_mt_ref(snapshot->mems[i]);
    for (uint32_t i = 0; i < snapshot->seg_count; i++)
        __atomic_add_fetch(&snapshot->segs[i]->refs, 1, __ATOMIC_RELAXED);
    qsort(snapshot->segs, snapshot->seg_count, sizeof *snapshot->segs, latest_first);
    store->snapshot = snapshot;
}

bool jg_snapshot_set(jg_store *store, jg_seg *const *segs, size_t seg_count, jg_mt *const *mems,
                     size_t mem_count)
{
    jg_snapshot *snapshot = snapshot_new(seg_count, mem_count);
    if (!snapshot)
        return false;
    for (; snapshot->seg_count < seg_count; snapshot->seg_count++)
        snapshot->segs[snapshot->seg_count] = segs[snapshot->seg_count];
    for (; snapshot->mem_count < mem_count; snapshot->mem_count++)
        snapshot->mems[snapshot->mem_count] = mems[snapshot->mem_count];
    publish(store, snapshot);
    return true;
}

bool jg_snapshot_replace(jg_store *store, jg_mt *add_mem, jg_mt *drop_mem, jg_seg *add_seg,
                         bool (*drop_seg)(jg_seg *, void *), void *user)
{
    const jg_snapshot *old = store->snapshot;
    size_t segs = old ? old->seg_count : 0, mems = old ? old->mem_count : 0;
    jg_snapshot *snapshot = snapshot_new(segs, mems);
    if (!snapshot)
        return false;
    if (add_mem)
        snapshot->mems[snapshot->mem_count++] = add_mem;
    for (size_t i = 0; i < mems; i++)
        if (old->mems[i] != drop_mem)
            snapshot->mems[snapshot->mem_count++] = old->mems[i];
    for (size_t i = 0; i < segs; i++)
        if (!drop_seg || !drop_seg(old->segs[i], user))
            snapshot->segs[snapshot->seg_count++] = old->segs[i];
    if (add_seg)
        snapshot->segs[snapshot->seg_count++] = add_seg;
    publish(store, snapshot);
    return true;
}

/* ---- segments
 * ----------------------------------------------------------------------------------------------- */

void jg_seg_path(const jg_store *store, uint64_t gen, char *out, size_t room)
{
    (void)snprintf(out, room, "%s/%016llx.jsg", store->seg_dir, (unsigned long long)gen);
}

jg_seg *jg_seg_new(const jg_store *store, const jg_seg_meta *meta, const void *filter, size_t filter_bytes)
{
    char path[4200];
    jg_seg_path(store, meta->gen, path, sizeof path);
    size_t room = strlen(path) + 1;
    jg_seg *seg = jg_calloc(1, sizeof *seg + room);
    if (!seg)
        return NULL;
    seg->refs = 1;
    seg->meta = *meta;
    memcpy(seg->path, path, room);
    seg->filter = jg_alloc(filter_bytes);
    if (!seg->filter) {
        jg_free(seg);
        return NULL;
    }
    if (filter_bytes)
        memcpy(seg->filter, filter, filter_bytes);
    seg->filter_bytes = filter_bytes;
    return seg;
}

void jg_seg_unref(jg_seg *seg)
{
    if (!seg || __atomic_sub_fetch(&seg->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (seg->map)
        (void)munmap((void *)(uintptr_t)seg->map, seg->meta.bytes);
    if (__atomic_load_n(&seg->doomed, __ATOMIC_RELAXED))
        (void)jg_io_unlink(seg->path);
    jg_free(seg->filter);
    jg_free(seg);
}

void jg_seg_refuse(jg_store *store, jg_seg *seg, const char *why)
{
    if (__atomic_exchange_n(&seg->state, 2, __ATOMIC_ACQ_REL) != 2)
        jaeger_log(&store->log, JAEGER_ERROR,
                   "segment refused, its spans are not served path=%s reason=\"%s\" spans=%u", seg->path, why,
                   seg->meta.span_count);
}

/** Map the file. @return 0; an errno value that may pass; or *ret_why: it never will */
static int map_file(jg_seg *seg, const char **ret_why)
{
    int fd;
    uint64_t bytes = 0;
    int error = jg_io_open(seg->path, O_RDONLY, &fd);
    if (error == ENOENT || error == EACCES)
        *ret_why = strerror(error);
    if (error)
        return error;
    error = jg_io_size(seg->path, &bytes);
    if (!error && bytes != seg->meta.bytes)
        *ret_why = "the file has another size than the catalog says";
    else if (!error)
        error = jg_io_map(fd, bytes, &seg->map);
    (void)close(fd);
    return error;
}

/** Map the file and read its header. Under map_lock. */
static void map_segment(jg_store *store, jg_seg *seg)
{
    const char *why = NULL;
    int error = map_file(seg, &why);
    if (error && !why)
        return; /* out of handles or memory: try again at the next use */
    if (!why)
        why = jg_seg_view_open(&seg->view, seg->map, seg->meta.bytes);
    if (!why && seg->view.header.header_hash != seg->meta.header_hash)
        why = "another file than the catalog means";
    if (error == ENOENT && store->follower)
        __atomic_store_n(&seg->state, 2, __ATOMIC_RELEASE); /* its writer has just dropped it */
    else if (why)
        jg_seg_refuse(store, seg, why);
    else
        __atomic_store_n(&seg->state, 1, __ATOMIC_RELEASE);
}

bool jg_seg_is_busy(const jg_seg *seg)
{
    return __atomic_load_n(&seg->state, __ATOMIC_ACQUIRE) == 0;
}

jg_seg_view *jg_seg_use(jg_store *store, jg_seg *seg, uint32_t sections)
{
    uint32_t bad;
    int state = __atomic_load_n(&seg->state, __ATOMIC_ACQUIRE);
    if (state == 0) {
        (void)pthread_mutex_lock(&store->map_lock);
        if (__atomic_load_n(&seg->state, __ATOMIC_ACQUIRE) == 0)
            map_segment(store, seg);
        (void)pthread_mutex_unlock(&store->map_lock);
        state = __atomic_load_n(&seg->state, __ATOMIC_ACQUIRE);
    }
    if (state != 1)
        return NULL;
    if (!jg_seg_view_check(&seg->view, sections, &bad)) {
        jg_seg_refuse(store, seg, "a section is damaged");
        return NULL;
    }
    return &seg->view;
}
