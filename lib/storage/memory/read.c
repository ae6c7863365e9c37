/* SPDX-License-Identifier: Apache-2.0
 * Reading: a trace is pinned under its shard's mutex, walked without it, and handed out as copies.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/hash.h"
#include "model/batch.h"

#define STREAM_SPANS_MAX 2048u      /* of one chunk handed out */
#define STREAM_BYTES_MAX (1u << 20) /* the same; one larger span goes alone */

static bool pin(jg_mem_row *row, jg_mem_pin *ret)
{
    if (!row || !row->trace->span_count)
        return false;
    jg_mem_trace_ref(row->trace);
    *ret = (jg_mem_pin){row->trace, row->trace->span_count};
    return true;
}

bool jg_mem_pin_row(jg_mem_shard *shard, uint64_t pos, jg_mem_pin *ret)
{
    pthread_mutex_lock(&shard->lock);
    bool there = pos >= shard->tail && pos < shard->head && pin(jg_mem_row_at(shard, pos), ret);
    pthread_mutex_unlock(&shard->lock);
    return there;
}

static bool pin_id(jg_mem_tenant *tenant, const uint8_t id[16], jg_mem_pin *ret)
{
    uint64_t hash = jg_hash(id, 16, tenant->store->seed);
    jg_mem_shard *shard = jg_mem_shard_of(tenant, hash);
    pthread_mutex_lock(&shard->lock);
    bool there = pin(jg_mem_row_find(shard, id, hash), ret);
    pthread_mutex_unlock(&shard->lock);
    return there;
}

void jg_mem_unpin(jg_mem_pin *pinned)
{
    if (pinned->trace)
        jg_mem_trace_unref(pinned->trace);
    pinned->trace = NULL;
}

jg_mem_walk jg_mem_walk_of(const jg_mem_pin *pinned)
{
    return (jg_mem_walk){pinned->trace->first, 0, pinned->span_count};
}

bool jg_mem_walk_next(jg_mem_walk *walk, jaeger_span *ret)
{
    while (walk->left) {
        if (walk->at >= __atomic_load_n(&walk->chunk->used, __ATOMIC_ACQUIRE)) {
            walk->chunk = __atomic_load_n(&walk->chunk->next, __ATOMIC_ACQUIRE);
            walk->at = 0;
            continue;
        }
        const jg_mem_record *record = (const jg_mem_record *)(walk->chunk->data + walk->at);
        walk->at += (uint32_t)((sizeof *record + record->len + 7) & ~(size_t)7);
        if (record->is_group)
            continue;
        walk->left--;
        ret->group = record->group;
        ret->bytes = (const uint8_t *)(record + 1);
        ret->len = record->len;
        return true;
    }
    return false;
}

static jaeger_status hand_out(const jaeger_span *spans, size_t n, jaeger_consumer out, jaeger_call *call)
{
    jaeger_batch *batch;
    JG_TRY(jaeger_call_check(call));
    JG_TRY(jg_batch_copy_spans(spans, n, &batch, &call->error));
    return out.consume(out.self, batch, call);
}

jaeger_status jg_mem_stream(const jg_mem_pin *pinned, jaeger_consumer out, jaeger_call *call)
{
    size_t cap = JG_MIN(pinned->span_count, STREAM_SPANS_MAX), n = 0, bytes = 0;
    JG_AUTO_FREE jaeger_span *spans = jg_alloc(cap * sizeof *spans);
    if (!spans)
        return jg_fail_oom(&call->error);
    jaeger_span span;
    jg_mem_walk walk = jg_mem_walk_of(pinned);
    while (jg_mem_walk_next(&walk, &span)) {
        if (n == cap || (n && bytes + span.len > STREAM_BYTES_MAX)) {
            JG_TRY(hand_out(spans, n, out, call));
            n = bytes = 0;
        }
        spans[n++] = span;
        bytes += span.len;
    }
    return n ? hand_out(spans, n, out, call) : JAEGER_OK;
}

jaeger_status jg_mem_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                jaeger_call *call)
{
    jg_mem_tenant *tenant;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &tenant, &call->error));
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; tenant && i < n && status == JAEGER_OK; i++) {
        jg_mem_pin pinned;
        if (!pin_id(tenant, refs[i].trace_id, &pinned))
            continue;
        status = jg_mem_stream(&pinned, out, call);
        jg_mem_unpin(&pinned);
    }
    return status;
}

jaeger_status jg_mem_reread_trace(void *self, const jaeger_trace_ref *ref, jaeger_rereader reader,
                                  jaeger_call *call)
{
    jg_mem_pin pinned;
    jg_mem_tenant *tenant;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &tenant, &call->error));
    bool again = tenant && pin_id(tenant, ref->trace_id, &pinned);
    if (!again)
        return JAEGER_OK;
    jaeger_status status = JAEGER_OK;
    while (again && status == JAEGER_OK) {
        status = jg_mem_stream(&pinned, reader.out, call);
        if (status == JAEGER_OK)
            status = reader.again(reader.out.self, &again, call);
    }
    jg_mem_unpin(&pinned);
    return status;
}
