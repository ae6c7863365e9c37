/* SPDX-License-Identifier: Apache-2.0
 * Merging neighbouring small segments (left by restarts and by tenants that write little) into one. The spans
 * go through a memtable whose log file has no name, so a crash leaves the old segments as they were. Calls
 * between services that are counted already are carried over, not counted again.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "storage/embedded/chunk.h"
#include "storage/embedded/segment_build.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/store.h"
#include "storage/embedded/tools.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MERGE_MAX 256u /* segments that become one */

typedef struct merge {
    jg_store *store;
    jg_mt *mem;
    jg_seg *from[MERGE_MAX];
    uint32_t count;
    uint64_t arrival;
    jg_wal_frame frame;
    jg_seg *made;
    jg_buf calls; /* those of the old segments, for the catalog */
    uint32_t call_count;
    jg_seg_strings names;
} merge;

static void release_file(void *user, jg_wal_file *wal)
{
    (void)user;
    jg_wal_close(wal);
}

/** A log file that is gone from its directory at once. */
static int nameless_wal(jg_store *store, jg_wal_file **ret)
{
    char path[4200];
    uint32_t number = store->next_wal++;
    int error = jg_wal_open(store->wal_dir, number, ret);
    if (!error) {
        jg_wal_path(store->wal_dir, number, path, sizeof path);
        (void)jg_io_unlink(path);
    }
    return error;
}

static jaeger_status append_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    merge *m = self;
    jg_wal_file *wal = m->mem->wal;
    jaeger_status status = jg_wal_frame_make(&m->frame, take, m->arrival, &call->error);
    if (status == JAEGER_OK) {
        jg_wal_frame_seal(&m->frame, m->mem->gen, wal->used, jaeger_batch_span_count(take));
        uint64_t end = wal->used + m->frame.bytes.len;
        int error = end > JG_WAL_FILE_BYTES_MAX ? EFBIG : jg_io_allocate(wal->fd, wal->used, end);
        struct iovec part = {m->frame.bytes.data, m->frame.bytes.len};
        error = error ? error : jg_io_write(wal->fd, &part, 1, wal->used);
        if (error)
            status = jg_io_fail(&call->error, error, "merge segments");
        else if (!jg_mt_append(m->mem, take, m->frame.offsets, m->arrival))
            status = jg_fail_oom(&call->error);
        else
            jg_mt_publish(m->mem);
        wal->used = wal->allocated = end;
    }
    jaeger_batch_unref(take);
    return status;
}

static jaeger_status read_segment(merge *m, jg_seg *seg, jg_seg_reader *reader, jaeger_call *call)
{
    jg_seg_view *view = jg_seg_use(m->store, seg, JG_SEC_ALL);
    if (!view)
        return jg_fail(&call->error, JAEGER_DATA_LOSS, "%s is damaged, not merging it", seg->path);
    m->arrival = seg->meta.arrival_max;
    jg_chunk chunk = JG_CHUNK_INIT(((jaeger_consumer){append_batch, m}), call);
    jaeger_status status = JAEGER_OK;
    for (uint32_t t = 0; t < view->header.trace_count && status == JAEGER_OK; t++)
        status = jg_store_write_rows(reader, view, t, &chunk);
    if (status == JAEGER_OK)
        status = jg_chunk_flush(&chunk);
    jg_chunk_done(&chunk);
    if (status == JAEGER_DATA_LOSS)
        (void)jg_fail(&call->error, status, "%s is damaged, not merging it", seg->path);
    return status;
}

/* ---- calls
 * ------------------------------------------------------------------------------------------------------ */

static void carry_call(merge *m, const jg_seg_view *names, jg_seg_call call)
{
    jaeger_str parent, child;
    if (!jg_seg_string(names, JG_SEC_SERVICES, call.parent, &parent) ||
        !jg_seg_string(names, JG_SEC_SERVICES, call.child, &child))
        return;
    jg_seg_strings_add(&m->names, parent);
    jg_seg_strings_add(&m->names, child);
    call.parent = m->names.count - 2;
    call.child = m->names.count - 1;
    jg_buf_append(&m->calls, &call, sizeof call);
    m->call_count++;
}

static void carry_segment_calls(merge *m, jg_seg *seg)
{
    const jg_bytes *section = &seg->view.sections[JG_SEC_CALLS];
    for (size_t i = 0; i < section->len / sizeof(jg_seg_call); i++) {
        jg_seg_call call;
        memcpy(&call, section->ptr + i * sizeof call, sizeof call);
        carry_call(m, &seg->view, call);
    }
}

static void carry_catalog_calls(merge *m, jaeger_str value)
{
    uint32_t count = 0;
    const char *calls, *table;
    if (!jg_calls_split(value, &count, &calls, &table))
        return;
    jg_seg_view names = {0};
    names.sections[JG_SEC_SERVICES] =
        (jg_bytes){(const uint8_t *)table, (size_t)(value.ptr + value.len - table)};
    for (uint32_t i = 0; i < count; i++) {
        jg_seg_call call;
        memcpy(&call, calls + (size_t)i * sizeof call, sizeof call);
        carry_call(m, &names, call);
    }
}

static int commit_merge(jg_txn *txn, void *user)
{
    merge *m = user;
    uint8_t key[8];
    jaeger_str value, k = {(const char *)key, 8};
    int error = 0;
    m->calls = JG_BUF_INIT(UINT32_MAX);
    m->names = (jg_seg_strings){0};
    m->call_count = 0;
    jg_buf_append(&m->calls, &m->call_count, sizeof m->call_count);
    for (uint32_t i = 0; i < m->count && !error; i++) {
        carry_segment_calls(m, m->from[i]);
        jg_put_u64be(key, m->from[i]->meta.gen);
        error = jg_txn_get(txn, JG_TABLE_CALLS, k, &value);
        if (!error && value.ptr)
            carry_catalog_calls(m, value);
        error = error ? error : jg_txn_delete(txn, JG_TABLE_CALLS, k);
        error = error ? error : jg_txn_delete(txn, JG_TABLE_SEGMENTS, k);
    }
    jg_seg_strings_end(&m->names, &m->calls);
    if (!error && !jg_buf_ok(&m->calls))
        error = ENOMEM;
    if (!error) {
        memcpy(m->calls.data, &m->call_count, sizeof m->call_count);
        error = jg_seg_put(txn, m->made, &m->calls);
    }
    jg_buf_done(&m->calls);
    return error;
}

/* ---- one merge
 * -------------------------------------------------------------------------------------------------- */

static bool is_merged(jg_seg *seg, void *user)
{
    merge *m = user;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->from[i] != seg)
            continue;
        __atomic_store_n(&seg->doomed, true, __ATOMIC_RELAXED);
        return true;
    }
    return false;
}

static jaeger_status publish(merge *m, jaeger_error *err)
{
    JG_TRY(jg_catalog_write(m->store->catalog, commit_merge, m, err));
    (void)pthread_mutex_lock(&m->store->lock);
    jg_snapshot *before = m->store->snapshot;
    bool ok = jg_snapshot_replace(m->store, NULL, NULL, m->made, is_merged, m);
    (void)pthread_mutex_unlock(&m->store->lock);
    if (!ok)
        return jg_fail_oom(err);
    jg_snapshot_unref(before);
    return JAEGER_OK;
}

static jaeger_status merge_run(merge *m, jaeger_error *err)
{
    jg_store *store = m->store;
    jg_wal_file *wal;
    jaeger_call call = JAEGER_CALL_INIT;
    int error = nameless_wal(store, &wal);
    if (error)
        return jg_io_fail(err, error, "merge segments");
    m->mem = jg_mt_new(store->next_gen++, store->seed, wal, release_file, NULL);
    jg_seg_reader *reader = m->mem ? jg_seg_reader_new() : NULL;
    jaeger_status status = reader ? JAEGER_OK : jg_fail_oom(&call.error);
    uint64_t arrival_min = UINT64_MAX;
    for (uint32_t i = 0; i < m->count && status == JAEGER_OK; i++) {
        status = read_segment(m, m->from[i], reader, &call);
        arrival_min = JG_MIN(arrival_min, m->from[i]->meta.arrival_min);
    }
    if (status == JAEGER_OK) {
        m->mem->arrival_min = arrival_min;
        m->mem->calls_elsewhere = true;
        status = jg_store_write_segment(store, m->mem, &m->made, &call.error);
    }
    if (status == JAEGER_OK)
        status = publish(m, &call.error);
    jg_seg_reader_free(reader);
    jg_wal_frame_done(&m->frame);
    jg_mt_unref(m->mem);
    jg_seg_unref(m->made);
    if (status != JAEGER_OK && err)
        *err = call.error;
    return status;
}

static int by_gen(const void *a, const void *b)
{
    const jg_seg *x = *(jg_seg *const *)a, *y = *(jg_seg *const *)b;
    return x->meta.gen < y->meta.gen ? -1 : x->meta.gen > y->meta.gen;
}

jaeger_status jg_store_compact(jg_store *store, uint32_t *ret_merged, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    jg_snapshot *snapshot = jg_snapshot_take(store);
    JG_AUTO_FREE jg_seg **segs = jg_alloc(snapshot->seg_count * sizeof(jg_seg *));
    if (segs) {
        memcpy(segs, snapshot->segs, snapshot->seg_count * sizeof *segs);
        qsort(segs, snapshot->seg_count, sizeof *segs, by_gen);
    } else {
        status = jg_fail_oom(err);
    }
    for (uint32_t i = 0; i < snapshot->seg_count && status == JAEGER_OK;) {
        merge m = {.store = store};
        uint64_t spans = 0;
        for (; i < snapshot->seg_count && m.count < MERGE_MAX; i++) {
            bool refused = __atomic_load_n(&segs[i]->state, __ATOMIC_ACQUIRE) == 2;
            if (refused || (m.count && spans + segs[i]->meta.span_count > store->options.flush_rows))
                break;
            m.from[m.count++] = segs[i];
            spans += segs[i]->meta.span_count;
        }
        if (m.count == 0)
            i++; /* refused: leave it */
        if (m.count < 2)
            continue;
        status = merge_run(&m, err);
        *ret_merged += status == JAEGER_OK ? m.count - 1 : 0;
    }
    jg_snapshot_unref(snapshot);
    return status;
}
