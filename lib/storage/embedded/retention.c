/* SPDX-License-Identifier: Apache-2.0
 * Old data goes, a whole segment at a time: by the time it arrived here (not by what spans say of
 * themselves), and when the disk budget is used up, the oldest first. A reader that is at work keeps its
 * files until it is done. See store.h.
 */
#include "core/clock.h"
#include "storage/embedded/store.h"

#define TIDY_NS (60 * JG_NS_PER_S)

uint64_t jg_store_disk_bytes(jg_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    uint64_t bytes = store->seg_bytes + store->wal_bytes;
    (void)pthread_mutex_unlock(&store->lock);
    return bytes + jg_catalog_bytes(store->catalog);
}

typedef struct drop {
    jg_store *store;
    uint64_t arrived_before; /* drop what arrived before it ... */
    uint64_t bytes;          /* how much that is */
    uint32_t count;
    const jg_snapshot *snapshot;
} drop;

static bool is_old(const jg_seg *seg, const drop *d)
{
    return seg->meta.arrival_max < d->arrived_before;
}

static int drop_rows(jg_txn *txn, void *user)
{
    const drop *d = user;
    uint8_t key[8];
    int error = 0;
    for (uint32_t i = 0; !error && i < d->snapshot->seg_count; i++) {
        if (!is_old(d->snapshot->segs[i], d))
            continue;
        jg_put_u64be(key, d->snapshot->segs[i]->meta.gen);
        error = jg_txn_delete(txn, JG_TABLE_SEGMENTS, (jaeger_str){(const char *)key, 8});
        if (!error)
            error = jg_txn_delete(txn, JG_TABLE_CALLS, (jaeger_str){(const char *)key, 8});
    }
    if (!error && d->store->options.ttl_ns)
        error = jg_names_expire(d->store->names, txn, d->arrived_before);
    return error;
}

static bool drop_segment(jg_seg *seg, void *user)
{
    drop *d = user;
    if (!is_old(seg, d))
        return false;
    __atomic_store_n(&seg->doomed, true, __ATOMIC_RELAXED);
    d->count++;
    d->bytes += seg->meta.bytes;
    return true;
}

/** The oldest segments that must go so that the disk budget holds: arrival of the first that may stay. */
static uint64_t budget_cut(jg_store *store, const jg_snapshot *snapshot, uint64_t budget, uint64_t cut)
{
    uint64_t used = jg_store_disk_bytes(store);
    for (uint32_t i = 0; i < snapshot->seg_count; i++)
        used -= snapshot->segs[i]->meta.arrival_max < cut ? snapshot->segs[i]->meta.bytes : 0;
    while (used > budget) {
        const jg_seg *oldest = NULL;
        for (uint32_t i = 0; i < snapshot->seg_count; i++) {
            const jg_seg *seg = snapshot->segs[i];
            if (seg->meta.arrival_max >= cut && (!oldest || seg->meta.arrival_max < oldest->meta.arrival_max))
                oldest = seg;
        }
        if (!oldest)
            break;
        cut = oldest->meta.arrival_max + 1;
        used -= JG_MIN(used, oldest->meta.bytes);
    }
    return cut;
}

uint32_t jg_store_retain(jg_store *store, uint64_t now_unix_ns)
{
    jaeger_error err;
    drop d = {.store = store};
    uint64_t begun = jg_clock_mono_ns();
    const jg_store_options *o = &store->options;
    jg_snapshot *snapshot = jg_snapshot_take(store);
    d.snapshot = snapshot;
    if (o->ttl_ns && now_unix_ns > o->ttl_ns)
        d.arrived_before = now_unix_ns - o->ttl_ns;
    uint64_t budget = __atomic_load_n(&store->disk_budget, __ATOMIC_RELAXED);
    if (budget)
        d.arrived_before = budget_cut(store, snapshot, budget, d.arrived_before);
    bool any = false;
    for (uint32_t i = 0; i < snapshot->seg_count; i++)
        any = any || is_old(snapshot->segs[i], &d);
    if (any) {
        (void)pthread_mutex_lock(&store->catalog_lock);
        jaeger_status status = jg_catalog_write(store->catalog, drop_rows, &d, &err);
        if (status == JAEGER_OK) {
            (void)pthread_mutex_lock(&store->lock);
            jg_snapshot *before = store->snapshot;
            bool ok = jg_snapshot_replace(store, NULL, NULL, NULL, drop_segment, &d);
            store->seg_bytes -= ok ? JG_MIN(store->seg_bytes, d.bytes) : 0;
            (void)pthread_mutex_unlock(&store->lock);
            if (ok)
                jg_snapshot_unref(before);
        }
        (void)pthread_mutex_unlock(&store->catalog_lock);
        if (status != JAEGER_OK)
            jaeger_log(&store->log, JAEGER_ERROR, "retention failed, trying again dir=%s error=\"%s\"",
                       store->dir, err.message);
    }
    jg_snapshot_unref(snapshot);
    uint64_t now = jg_clock_mono_ns();
    if (d.count)
        jaeger_log(&store->log, JAEGER_INFO, "retention dropped segments=%u bytes=%llu ms=%.1f", d.count,
                   (unsigned long long)d.bytes, (double)(now - begun) / JG_NS_PER_MS);
    if (now - store->last_tidy_mono_ns > TIDY_NS) {
        store->last_tidy_mono_ns = now;
        jg_catalog_tidy(store->catalog);
    }
    return d.count;
}
