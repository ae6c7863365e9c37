/* SPDX-License-Identifier: Apache-2.0
 * From frozen memtable to segment. The order makes it safe at each point: file written and synced under a
 * temporary name, renamed, directory synced, catalog committed; only then the memtable goes and its log file
 * is recycled. See store.h.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "core/hash.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/store.h"
#include <errno.h>
#include <stdio.h>

#define META_BYTES sizeof(jg_seg_meta)

bool jg_seg_meta_read(jaeger_str value, jg_seg_meta *ret, jaeger_str *ret_filter)
{
    uint64_t hash;
    if (value.len < META_BYTES + 8)
        return false;
    memcpy(&hash, value.ptr + value.len - 8, 8);
    if (hash != jg_hash(value.ptr, value.len - 8, 0))
        return false;
    memcpy(ret, value.ptr, META_BYTES);
    *ret_filter = (jaeger_str){value.ptr + META_BYTES, value.len - META_BYTES - 8};
    return true;
}

typedef struct flush_txn {
    jg_store *store;
    const jg_seg *seg;
    const jg_buf *calls;
} flush_txn;

int jg_seg_put(jg_txn *txn, const jg_seg *seg, const jg_buf *calls)
{
    uint8_t key_bytes[8];
    JG_AUTO_BUF jg_buf value = JG_BUF_INIT(UINT32_MAX);
    jg_put_u64be(key_bytes, seg->meta.gen);
    jaeger_str key = {(const char *)key_bytes, 8};
    jg_buf_append(&value, &seg->meta, META_BYTES);
    jg_buf_append(&value, seg->filter, seg->filter_bytes);
    uint64_t hash = jg_hash(value.data, value.len, 0), gen = seg->meta.gen;
    jg_buf_append(&value, &hash, sizeof hash);
    if (!jg_buf_ok(&value))
        return ENOMEM;
    int error = jg_txn_put(txn, JG_TABLE_SEGMENTS, key, jg_buf_view(&value));
    if (!error && calls->len)
        error = jg_txn_put(txn, JG_TABLE_CALLS, key, jg_buf_view(calls));
    if (!error)
        error =
            jg_txn_put(txn, JG_TABLE_META, JAEGER_STR("flushed_gen"), (jaeger_str){(const char *)&gen, 8});
    return error;
}

static int commit_flush(jg_txn *txn, void *user)
{
    flush_txn *f = user;
    int error = jg_seg_put(txn, f->seg, f->calls);
    return error ? error : jg_names_save(f->store->names, txn);
}

static jg_seg *new_segment(const jg_store *store, const jg_seg_written *w)
{
    const jg_seg_header *h = &w->header;
    jg_seg_meta meta = {.gen = h->gen,
                        .bytes = h->file_bytes,
                        .span_count = h->span_count,
                        .trace_count = h->trace_count,
                        .min_start = h->min_start,
                        .max_start = h->max_start,
                        .max_end = h->max_end,
                        .max_duration = h->max_duration,
                        .arrival_min = h->arrival_min,
                        .arrival_max = h->arrival_max,
                        .header_hash = h->header_hash};
    return jg_seg_new(store, &meta, w->filter, w->filter_bytes);
}

jaeger_status jg_store_write_segment(jg_store *store, const jg_mt *mem, jg_seg **ret, jaeger_error *err)
{
    char tmp[4200], path[4200];
    jg_seg_written written;
    (void)snprintf(tmp, sizeof tmp, "%s/%016llx.tmp", store->seg_dir, (unsigned long long)mem->gen);
    jg_seg_path(store, mem->gen, path, sizeof path);
    JG_TRY(jg_segment_write(mem, tmp, &written, err));
    jg_seg *seg = new_segment(store, &written);
    jg_free(written.filter);
    int error = seg ? jg_io_rename(tmp, path) : ENOMEM;
    if (!error)
        error = jg_io_sync_dir(store->seg_dir);
    if (error) {
        (void)jg_io_unlink(tmp);
        jg_seg_unref(seg);
        return jg_io_fail(err, error, "name segment %s", path);
    }
    *ret = seg;
    return JAEGER_OK;
}

/** Readers see the segment instead of the memtable. `seg` NULL: the memtable was empty. */
static bool publish(jg_store *store, jg_mt *mem, jg_seg *seg)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_snapshot *before = store->snapshot;
    bool ok = jg_snapshot_replace(store, NULL, mem, seg, NULL, NULL);
    if (ok) {
        store->frozen_count--;
        memmove(store->frozen, store->frozen + 1, store->frozen_count * sizeof *store->frozen);
        store->seg_bytes += seg ? seg->meta.bytes : 0;
        store->flushed_gen = seg ? JG_MAX(store->flushed_gen, seg->meta.gen) : store->flushed_gen;
        store->flush_failures = 0;
        (void)pthread_cond_broadcast(&store->frozen_cond);
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (ok) {
        jg_snapshot_unref(before);
        jg_mt_unref(mem);
    }
    return ok;
}

static jaeger_status flush_mem(jg_store *store, jg_mt *mem, jaeger_error *err)
{
    jg_seg *seg = NULL;
    JG_AUTO_BUF jg_buf calls = JG_BUF_INIT(UINT32_MAX);
    if (jg_mt_count(mem) == 0)
        return publish(store, mem, NULL) ? JAEGER_OK : jg_fail_oom(err);
    JG_TRY(jg_store_write_segment(store, mem, &seg, err));
    jg_snapshot *snapshot = jg_snapshot_take(store);
    bool counted = jg_deps_flush(store, snapshot, seg, &calls);
    jg_snapshot_unref(snapshot);
    flush_txn f = {store, seg, &calls};
    jaeger_status status =
        counted ? jg_catalog_write(store->catalog, commit_flush, &f, err) : jg_fail_oom(err);
    if (status == JAEGER_OK) {
        jg_names_saved(store->names);
        if (!publish(store, mem, seg))
            status = jg_fail_oom(err);
    }
    jg_seg_unref(seg);
    return status;
}

jaeger_status jg_store_flush_one(jg_store *store, bool *ret_more, jaeger_error *err)
{
    (void)pthread_mutex_lock(&store->catalog_lock);
    (void)pthread_mutex_lock(&store->lock);
    jg_mt *mem = store->frozen_count ? store->frozen[0] : NULL;
    (void)pthread_mutex_unlock(&store->lock);
    jaeger_status status = mem ? flush_mem(store, mem, err) : JAEGER_OK;
    (void)pthread_mutex_lock(&store->lock);
    store->flush_failures += status != JAEGER_OK;
    *ret_more = store->frozen_count > 0;
    (void)pthread_mutex_unlock(&store->lock);
    (void)pthread_mutex_unlock(&store->catalog_lock);
    return status;
}
