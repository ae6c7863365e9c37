/* SPDX-License-Identifier: Apache-2.0
 * Reading a tenant: a search looks at memtables, then at segments from the newest on and stops when no older
 * one can change the result; a trace is gathered from every part that has some of it. See store.h.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "storage/embedded/memtable_search.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/store.h"

#define READERS_KEPT 8u /* idle readers; each holds some blocks (64 KiB and more) */

jg_seg_reader *jg_reader_take(jg_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_seg_reader *reader = store->readers;
    if (reader) {
        store->readers = reader->next;
        store->reader_count--;
    }
    (void)pthread_mutex_unlock(&store->lock);
    return reader ? reader : jg_seg_reader_new();
}

void jg_reader_give(jg_store *store, jg_seg_reader *reader)
{
    if (!reader)
        return;
    jg_seg_reader_reset(reader);
    (void)pthread_mutex_lock(&store->lock);
    bool keep = store->reader_count < READERS_KEPT;
    if (keep) {
        reader->next = store->readers;
        store->readers = reader;
        store->reader_count++;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (!keep)
        jg_seg_reader_free(reader);
}

jaeger_status jg_seg_tolerate(jg_store *store, jg_seg *seg, jaeger_status status, jaeger_call *call)
{
    if (status == JAEGER_RESOURCE_EXHAUSTED)
        return jg_fail_oom(&call->error);
    if (status != JAEGER_DATA_LOSS)
        return status;
    jg_seg_refuse(store, seg, "a block or an index is damaged");
    return JAEGER_OK;
}

/* ---- search
 * ------------------------------------------------------------------------------------------------- */

/** The view was NULL. @return OK: the segment is refused, go on without it; UNAVAILABLE: it is there, but
 * cannot be read now */
static jaeger_status without_view(const jg_seg *seg, jaeger_call *call)
{
    if (!jg_seg_is_busy(seg))
        return JAEGER_OK;
    (void)jg_fail(&call->error, JAEGER_UNAVAILABLE, "embedded store: cannot map %s now", seg->path);
    call->error.retry_after_ms = JG_RETRY_AFTER_MS;
    return JAEGER_UNAVAILABLE;
}

static bool seg_may_match(const jg_seg *seg, const jg_match *match)
{
    return seg->meta.max_start >= match->start_min_unix_ns &&
           seg->meta.min_start <= match->start_max_unix_ns &&
           seg->meta.max_duration >= match->duration_min_ns;
}

static jaeger_status search_segments(jg_store *store, const jg_snapshot *snapshot, jg_seg_reader *reader,
                                     const jg_match *match, jg_hits *hits, jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    for (uint32_t i = 0; i < snapshot->seg_count && status == JAEGER_OK; i++) {
        jg_seg *seg = snapshot->segs[i];
        if (!jg_hits_wants(hits, seg->meta.max_start))
            break; /* the others are older */
        if (!seg_may_match(seg, match))
            continue;
        jg_seg_view *view = jg_seg_use(store, seg, JG_SEC_FOR_SEARCH | JG_SEC_FOR_SPANS);
        status = view ? jg_seg_tolerate(store, seg, jg_seg_search(reader, view, match, hits, call), call)
                      : without_view(seg, call);
        if (status == JAEGER_OK)
            status = jaeger_call_check(call);
    }
    return status;
}

static jaeger_status search(jg_store *store, const jg_snapshot *snapshot, jg_seg_reader *reader,
                            const jaeger_trace_query *query, jg_hits *hits, jaeger_call *call)
{
    jg_match match;
    JG_TRY(jg_match_compile(&match, query, call->arena, &call->error));
    if (!jg_hits_init(hits, call->arena, match.limit))
        return jg_fail_oom(&call->error);
    jaeger_status status = JAEGER_OK;
    for (uint32_t i = 0; i < snapshot->mem_count && status == JAEGER_OK; i++)
        status = jg_mt_search(snapshot->mems[i], &match, hits, call);
    if (status == JAEGER_OK)
        status = search_segments(store, snapshot, reader, &match, hits, call);
    jg_hits_finish(hits);
    return status;
}

static void widen(jaeger_trace_ref *ref, uint64_t start, uint64_t end)
{
    ref->start_unix_ns = JG_MIN(ref->start_unix_ns, start);
    ref->end_unix_ns = JG_MAX(ref->end_unix_ns, end);
}

/** The time range in which a trace lies, from what is known without decoding. */
static void find_range(jg_store *store, const jg_snapshot *snapshot, jaeger_trace_ref *ref)
{
    ref->start_unix_ns = UINT64_MAX;
    for (uint32_t i = 0; i < snapshot->mem_count; i++) {
        const jg_mt *mem = snapshot->mems[i];
        uint32_t row = jg_mt_last_of_trace(mem, ref->trace_id, jg_mt_count(mem));
        for (; row != JG_NONE; row = jg_mt_row(mem, row)->previous)
            widen(ref, jg_mt_row(mem, row)->start, jg_mt_row(mem, row)->end);
    }
    for (uint32_t i = 0; i < snapshot->seg_count; i++) {
        uint32_t number;
        jg_seg *seg = snapshot->segs[i];
        if (!jg_filter_has(seg->filter, seg->filter_bytes, ref->trace_id))
            continue;
        jg_seg_view *view = jg_seg_use(store, seg, JG_SEC_FOR_SPANS);
        if (view && jg_seg_find_trace(view, ref->trace_id, &number))
            widen(ref, jg_seg_traces(view)[number].min_start, jg_seg_traces(view)[number].max_end);
    }
}

static jaeger_status add_refs(jg_store *store, const jg_snapshot *snapshot, const jg_hits *hits,
                              jaeger_trace_refs *ret, jaeger_call *call)
{
    for (size_t i = 0; i < hits->count; i++) {
        jaeger_trace_ref ref = {0};
        memcpy(ref.trace_id, hits->items[i].trace_id, 16);
        find_range(store, snapshot, &ref);
        JG_TRY(jaeger_trace_refs_add(ret, ref, call));
    }
    return JAEGER_OK;
}

jaeger_status jg_store_find_ids(jg_store *store, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                jaeger_call *call)
{
    jg_hits hits;
    jg_seg_reader *reader = jg_reader_take(store);
    if (!reader)
        return jg_fail_oom(&call->error);
    jg_snapshot *snapshot = jg_snapshot_take(store);
    jaeger_status status = search(store, snapshot, reader, query, &hits, call);
    if (status == JAEGER_OK)
        status = add_refs(store, snapshot, &hits, ret, call);
    jg_reader_give(store, reader);
    jg_snapshot_unref(snapshot);
    return status;
}

/* ---- traces
 * ------------------------------------------------------------------------------------------------- */

jaeger_status jg_store_write_rows(jg_seg_reader *reader, const jg_seg_view *view, uint32_t number,
                                  jg_chunk *out)
{
    jaeger_status status = jg_seg_decode_trace(reader, view, number);
    for (uint32_t i = 0; status == JAEGER_OK && i < reader->trace->row_count; i++) {
        jaeger_span_group group;
        size_t mark;
        if (!jg_seg_origin(view, reader->rows[i].origin, &group))
            return JAEGER_DATA_LOSS;
        jg_buf *buf = jg_chunk_begin_span(out, &group, &mark);
        if (!jg_seg_write_span(reader, i, buf)) {
            jg_chunk_drop_span(out, mark);
            return JAEGER_DATA_LOSS;
        }
        status = jg_chunk_end_span(out, mark);
    }
    return status;
}

static jaeger_status write_from_segment(jg_store *store, jg_seg_reader *reader, jg_seg *seg,
                                        const uint8_t trace_id[16], jg_chunk *out)
{
    uint32_t number;
    if (!jg_filter_has(seg->filter, seg->filter_bytes, trace_id))
        return JAEGER_OK;
    jg_seg_view *view = jg_seg_use(store, seg, JG_SEC_FOR_SPANS);
    if (!view)
        return without_view(seg, out->call);
    if (!jg_seg_find_trace(view, trace_id, &number))
        return JAEGER_OK;
    jaeger_status status = jg_store_write_rows(reader, view, number, out);
    return status == JAEGER_DATA_LOSS && out->call->error.status != JAEGER_DATA_LOSS
               ? jg_seg_tolerate(store, seg, status, out->call)
               : status;
}

static jaeger_status write_trace(jg_store *store, const jg_snapshot *snapshot, jg_seg_reader *reader,
                                 const uint8_t trace_id[16], jg_chunk *out)
{
    for (uint32_t i = snapshot->seg_count; i-- > 0;) /* oldest first: spans come out roughly in order */
        JG_TRY(write_from_segment(store, reader, snapshot->segs[i], trace_id, out));
    for (uint32_t i = snapshot->mem_count; i-- > 0;)
        JG_TRY(jg_mt_write_trace(snapshot->mems[i], trace_id, out));
    return jg_chunk_flush(out);
}

jaeger_status jg_store_find(jg_store *store, const jaeger_trace_query *query, jaeger_consumer out,
                            jaeger_call *call)
{
    jg_hits hits = {0};
    jg_seg_reader *reader = jg_reader_take(store);
    if (!reader)
        return jg_fail_oom(&call->error);
    jg_snapshot *snapshot = jg_snapshot_take(store);
    jg_chunk chunk = JG_CHUNK_INIT(out, call);
    jaeger_status status = search(store, snapshot, reader, query, &hits, call);
    for (size_t i = 0; i < hits.count && status == JAEGER_OK; i++) {
        status = write_trace(store, snapshot, reader, hits.items[i].trace_id, &chunk);
        if (status == JAEGER_OK)
            status = jaeger_call_check(call);
    }
    jg_chunk_done(&chunk);
    jg_reader_give(store, reader);
    jg_snapshot_unref(snapshot);
    return status;
}

jaeger_status jg_store_get(jg_store *store, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                           jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    jg_seg_reader *reader = jg_reader_take(store);
    if (!reader)
        return jg_fail_oom(&call->error);
    jg_snapshot *snapshot = jg_snapshot_take(store);
    jg_chunk chunk = JG_CHUNK_INIT(out, call);
    for (size_t i = 0; i < n && status == JAEGER_OK; i++) {
        status = write_trace(store, snapshot, reader, refs[i].trace_id, &chunk);
        if (status == JAEGER_OK)
            status = jaeger_call_check(call);
    }
    jg_chunk_done(&chunk);
    jg_reader_give(store, reader);
    jg_snapshot_unref(snapshot);
    return status;
}

/** The snapshot stands still but for its last memtable, which gets new rows at its end: later readings stop
 * where the first did. */
jaeger_status jg_store_reread(jg_store *store, const jaeger_trace_ref *ref, jaeger_rereader again,
                              jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    bool more = true;
    size_t limit = 0;
    jg_seg_reader *reader = jg_reader_take(store);
    if (!reader)
        return jg_fail_oom(&call->error);
    jg_snapshot *snapshot = jg_snapshot_take(store);
    while (more && status == JAEGER_OK) {
        jg_chunk chunk = JG_CHUNK_INIT(again.out, call);
        chunk.span_limit = limit;
        status = write_trace(store, snapshot, reader, ref->trace_id, &chunk);
        jg_chunk_done(&chunk);
        limit = chunk.span_count;
        if (status == JAEGER_OK)
            status = again.again(again.out.self, &more, call);
    }
    jg_reader_give(store, reader);
    jg_snapshot_unref(snapshot);
    return status;
}
