/* SPDX-License-Identifier: Apache-2.0
 * Trace summaries: the spans of each hit are looked at where they lie, no batch is made. See store.h.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "model/batch.h"
#include "model/trace.h"
#include "storage/embedded/memtable_search.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/store.h"

static jaeger_status add_from_memtable(const jg_mt *mem, const uint8_t trace_id[16], jg_summary *summary)
{
    uint32_t count;
    JG_AUTO_FREE uint32_t *rows = NULL;
    JG_TRY(jg_mt_trace_rows(mem, trace_id, &rows, &count, NULL));
    for (uint32_t i = 0; i < count; i++) {
        jaeger_span span;
        if (jg_mt_span(mem, jg_mt_row(mem, rows[i]), &span))
            JG_TRY(jg_summary_add(summary, &span));
    }
    return JAEGER_OK;
}

/** The decoded row as a span whose strings lie in the file, not in the reader's buffer. */
static bool row_span(jg_seg_reader *reader, uint32_t i, jaeger_span *ret, jaeger_span_group *group)
{
    const char *why;
    jaeger_str raw;
    uint32_t service, kind;
    jg_buf_clear(&reader->span);
    if (!jg_seg_origin(reader->view, reader->rows[i].origin, group) ||
        !jg_seg_write_span(reader, i, &reader->span) || !jg_buf_ok(&reader->span) ||
        !jg_span_index(reader->span.data, reader->span.len, ret, &why))
        return false;
    ret->group = group;
    return jg_seg_op(reader->view, reader->rows[i].op, &service, &ret->name, &kind, &raw);
}

static jaeger_status add_from_segment(jg_store *store, jg_seg_reader *reader, jg_seg *seg,
                                      const uint8_t trace_id[16], jg_summary *summary)
{
    uint32_t number;
    if (!jg_filter_has(seg->filter, seg->filter_bytes, trace_id))
        return JAEGER_OK;
    jg_seg_view *view = jg_seg_use(store, seg, JG_SEC_FOR_SPANS);
    if (!view || !jg_seg_find_trace(view, trace_id, &number))
        return JAEGER_OK;
    jaeger_status status = jg_seg_decode_trace(reader, view, number);
    for (uint32_t i = 0; status == JAEGER_OK && i < reader->trace->row_count; i++) {
        jaeger_span span;
        jaeger_span_group group;
        status = row_span(reader, i, &span, &group) ? jg_summary_add(summary, &span) : JAEGER_DATA_LOSS;
    }
    if (status != JAEGER_DATA_LOSS)
        return status;
    jg_seg_refuse(store, seg, "a block is damaged");
    return JAEGER_OK;
}

static jaeger_status summarize(jg_store *store, const jg_snapshot *snapshot, jg_seg_reader *reader,
                               const uint8_t trace_id[16], jaeger_arena *arena, jaeger_summary_sink out,
                               jaeger_call *call)
{
    jg_summary summary;
    jaeger_status status = JAEGER_OK;
    jg_summary_init(&summary, arena);
    for (uint32_t i = snapshot->seg_count; i-- > 0 && status == JAEGER_OK;)
        status = add_from_segment(store, reader, snapshot->segs[i], trace_id, &summary);
    for (uint32_t i = snapshot->mem_count; i-- > 0 && status == JAEGER_OK;)
        status = add_from_memtable(snapshot->mems[i], trace_id, &summary);
    if (status != JAEGER_OK) {
        status = jg_fail_oom(&call->error);
    } else {
        const jaeger_trace_summary *result = jg_summary_result(&summary);
        if (result->span_count)
            status = out.summary(out.self, result, call);
    }
    jg_summary_done(&summary);
    return status;
}

jaeger_status jg_store_summaries(jg_store *store, const jaeger_trace_query *query, jaeger_summary_sink out,
                                 jaeger_call *call)
{
    jaeger_trace_refs refs = {0};
    JG_TRY(jg_store_find_ids(store, query, &refs, call));
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jg_seg_reader *reader = arena ? jg_reader_take(store) : NULL;
    if (!reader)
        return jg_fail_oom(&call->error);
    jaeger_status status = JAEGER_OK;
    jg_snapshot *snapshot = jg_snapshot_take(store);
    for (size_t i = 0; i < refs.count && status == JAEGER_OK; i++) {
        status = summarize(store, snapshot, reader, refs.items[i].trace_id, arena, out, call);
        jaeger_arena_reset(arena);
        if (status == JAEGER_OK)
            status = jaeger_call_check(call);
    }
    jg_snapshot_unref(snapshot);
    jg_reader_give(store, reader);
    return status;
}
