/* SPDX-License-Identifier: Apache-2.0
 * Writing: a batch is split by trace and the traces by shard; each shard is locked once. What can be computed
 * beforehand (hashes, facts) is computed without a lock, so that under it only bytes are copied.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/hash.h"
#include "model/batch.h"
#include "model/trace.h"

#define CHUNK_BYTES_MIN 1024u
#define CHUNK_BYTES_MAX (32u << 10)
#define TRACE_BYTES_MAX (1u << 31) /* chunk sizes are 32 bits */
#define ATTEMPTS_MAX    64         /* to append while others take the room that was made */

/** A group of the batch, prepared once: what it adds to a trace that has a span in it. */
typedef struct group_info {
    bool ready;
    uint64_t hash;
    size_t record_bytes;
    jg_mem_facts facts;
} group_info;

typedef struct fragment { /* the spans of one trace in this batch */
    jg_mem_facts facts;
    size_t bytes; /* upper bound of its records */
} fragment;

typedef struct writing {
    jg_mem_tenant *tenant;
    jaeger_batch *batch;
    const jaeger_span *spans;
    jg_trace_groups traces;
    group_info *groups;
    fragment *fragments;
    jg_mem_credit credit;
} writing;

static size_t record_size(size_t body)
{
    return (sizeof(jg_mem_record) + body + 7) & ~(size_t)7;
}

static group_info *info_of(writing *w, const jaeger_span_group *group)
{
    group_info *info = &w->groups[group - jg_batch_groups(w->batch)];
    if (info->ready)
        return info;
    const jaeger_str parts[] = {group->resource, group->resource_schema_url, group->scope,
                                group->scope_schema_url};
    info->hash = 0;
    info->record_bytes = sizeof *group + group->service.len;
    for (size_t i = 0; i < JG_COUNT(parts); i++) {
        info->hash = jg_hash(parts[i].ptr, parts[i].len, info->hash + (parts[i].ptr != NULL));
        info->record_bytes += parts[i].len;
    }
    info->record_bytes = record_size(info->record_bytes);
    jg_mem_facts_of_group(group, &info->facts);
    info->ready = true;
    return info;
}

/** All that needs no lock. */
static jaeger_status prepare(writing *w, jaeger_arena *arena, jaeger_error *err)
{
    w->spans = jaeger_batch_spans(w->batch);
    JG_TRY(jg_trace_groups_make(w->batch, w->tenant->store->seed, &w->traces, err));
    w->groups = jaeger_arena_alloc(arena, jg_batch_group_count(w->batch) * sizeof *w->groups);
    w->fragments = jaeger_arena_alloc(arena, w->traces.count * sizeof *w->fragments);
    if (!w->groups || !w->fragments)
        return jg_fail_oom(err);
    for (size_t i = 0; i < jg_batch_group_count(w->batch); i++)
        w->groups[i].ready = false;
    for (uint32_t t = 0; t < w->traces.count; t++) {
        fragment *f = &w->fragments[t];
        *f = (fragment){.facts.start_min = UINT64_MAX};
        const jaeger_span_group *last = NULL;
        for (uint32_t i = w->traces.traces[t].first; i != JG_NO_SPAN; i = w->traces.next[i]) {
            const jaeger_span *span = &w->spans[i];
            f->bytes += record_size(span->len);
            jg_mem_facts_add_span(&f->facts, span);
            if (span->group == last)
                continue;
            last = span->group;
            const group_info *info = info_of(w, last);
            f->bytes += info->record_bytes;
            jg_mem_facts_merge(&f->facts, &info->facts);
        }
        if (f->bytes > TRACE_BYTES_MAX)
            return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "trace is too large for the memory store");
    }
    return JAEGER_OK;
}

/* ---- appending to a trace, under the shard's mutex
 * -------------------------------------------------------------- */

/** A place that is filled and then published. */
typedef struct cursor {
    jg_mem_chunk *chunk;
    uint32_t used;
} cursor;

static void publish(const cursor *c)
{
    __atomic_store_n(&c->chunk->used, c->used, __ATOMIC_RELEASE);
}

/** The next record; the chunk after this one was made before, so there is room. */
static jg_mem_record *put_record(cursor *c, size_t body)
{
    size_t bytes = record_size(body);
    if (bytes > c->chunk->cap - c->used) {
        publish(c);
        c->chunk = c->chunk->next;
        c->used = 0;
    }
    jg_mem_record *record = (jg_mem_record *)(c->chunk->data + c->used);
    c->used += (uint32_t)bytes;
    return record;
}

static jaeger_str keep_str(char **at, jaeger_str s)
{
    jaeger_str copy = {s.ptr ? *at : NULL, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static const jaeger_span_group *put_group(cursor *c, const jaeger_span_group *from, size_t record_bytes)
{
    jg_mem_record *record = put_record(c, record_bytes - sizeof *record);
    jaeger_span_group *group = (jaeger_span_group *)(record + 1);
    char *at = (char *)(group + 1);
    *record = (jg_mem_record){.len = (uint32_t)(record_bytes - sizeof *record), .is_group = 1};
    *group = (jaeger_span_group){.resource = keep_str(&at, from->resource),
                                 .resource_schema_url = keep_str(&at, from->resource_schema_url),
                                 .scope = keep_str(&at, from->scope),
                                 .scope_schema_url = keep_str(&at, from->scope_schema_url),
                                 .service = keep_str(&at, from->service)};
    return group;
}

static bool same(jaeger_str a, jaeger_str b)
{
    return a.len == b.len && !a.ptr == !b.ptr && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/** The trace's own copy of a group. */
static const jaeger_span_group *own_group(jg_mem_trace *trace, cursor *c, const jaeger_span_group *from,
                                          const group_info *info)
{
    for (size_t i = 0; i < JG_MEM_RECENT; i++) {
        const jaeger_span_group *g = trace->recent[i].group;
        if (g && trace->recent[i].hash == info->hash && same(g->resource, from->resource) &&
            same(g->resource_schema_url, from->resource_schema_url) && same(g->scope, from->scope) &&
            same(g->scope_schema_url, from->scope_schema_url))
            return g;
    }
    size_t at = trace->recent_at++ % JG_MEM_RECENT;
    trace->recent[at].hash = info->hash;
    trace->recent[at].group = put_group(c, from, info->record_bytes);
    return trace->recent[at].group;
}

/** Room for `bytes` in the last chunk or in the one behind it. `bytes` is an upper bound, so the one behind
 * may be left from before, unused. @return false: see credit->need */
static bool ensure_chunks(writing *w, jg_mem_shard *shard, jg_mem_trace *trace, size_t bytes)
{
    jg_mem_chunk *last = trace->last, *next = last ? last->next : NULL;
    if (last && (bytes <= last->cap - last->used || (next && bytes <= next->cap)))
        return true;
    size_t cap = JG_MIN(JG_MAX(trace->chunk_bytes / 2, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
    cap = (JG_MAX(cap, bytes) + 7) & ~(size_t)7;
    jg_mem_extent *extent;
    jg_mem_chunk *chunk = jg_mem_extent_alloc(w->tenant, shard, sizeof *chunk + cap, &w->credit, &extent);
    if (!chunk)
        return false;
    *chunk = (jg_mem_chunk){.extent = extent, .next = next, .cap = (uint32_t)cap};
    trace->chunk_bytes += cap;
    if (last)
        __atomic_store_n(&last->next, chunk, __ATOMIC_RELEASE);
    else
        trace->first = trace->last = chunk;
    return true;
}

static void copy_spans(writing *w, jg_mem_trace *trace, const jg_trace_group *from)
{
    cursor c = {trace->last, trace->last->used};
    const jaeger_span_group *last = NULL, *own = NULL;
    for (uint32_t i = from->first; i != JG_NO_SPAN; i = w->traces.next[i]) {
        const jaeger_span *span = &w->spans[i];
        trace->error_count += span->status_code == JAEGER_STATUS_ERROR;
        if (span->group != last) {
            last = span->group;
            own = own_group(trace, &c, last, info_of(w, last));
        }
        jg_mem_record *record = put_record(&c, span->len);
        *record = (jg_mem_record){.len = span->len, .group = own};
        if (span->len)
            memcpy(record + 1, span->bytes, span->len);
    }
    publish(&c);
    trace->last = c.chunk;
    trace->span_count += from->span_count;
}

/** @return false: nothing was changed for good, see credit->need */
static bool append(writing *w, jg_mem_shard *shard, uint32_t t)
{
    const jg_trace_group *from = &w->traces.traces[t];
    const uint8_t *id = w->spans[from->first].trace_id;
    jg_mem_row *row = jg_mem_row_find(shard, id, from->hash);
    if (!row)
        row = jg_mem_row_add(w->tenant, shard, id, from->hash, &w->credit);
    if (!row || !ensure_chunks(w, shard, row->trace, w->fragments[t].bytes))
        return false;
    copy_spans(w, row->trace, from);
    jg_mem_row_widen(row, &w->fragments[t].facts);
    return true;
}

/** Store the traces from `t` on that belong to `shard`. @return the first that found no room, or the count */
static uint32_t append_all(writing *w, jg_mem_shard *shard, uint32_t t)
{
    pthread_mutex_lock(&shard->lock);
    for (; t < w->traces.count; t++)
        if (jg_mem_shard_of(w->tenant, w->traces.traces[t].hash) == shard && !append(w, shard, t))
            break;
    pthread_mutex_unlock(&shard->lock);
    return t;
}

static jaeger_status write_shard(writing *w, jg_mem_shard *shard, uint32_t first, jaeger_error *err)
{
    int attempts = 0;
    for (uint32_t t = first, before = first; (t = append_all(w, shard, t)) < w->traces.count; before = t) {
        attempts = t == before ? attempts + 1 : 0;
        if (attempts > ATTEMPTS_MAX)
            return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "memory store is too busy making room");
        JG_TRY(jg_mem_make_room(w->tenant, &w->credit, err));
    }
    while (__atomic_load_n(&w->tenant->traces, __ATOMIC_RELAXED) > w->tenant->store->max_traces)
        (void)jg_mem_evict_oldest(w->tenant);
    return JAEGER_OK;
}

static jaeger_status write_shards(writing *w, jaeger_error *err)
{
    uint32_t first[JG_MEM_SHARDS]; /* of its traces; JG_NO_SPAN: none */
    memset(first, 0xff, sizeof first);
    for (uint32_t t = w->traces.count; t-- > 0;)
        first[jg_mem_shard_of(w->tenant, w->traces.traces[t].hash) - w->tenant->shards] = t;
    for (size_t i = 0; i < JG_MEM_SHARDS; i++)
        if (first[i] != JG_NO_SPAN)
            JG_TRY(write_shard(w, &w->tenant->shards[i], first[i], err));
    return JAEGER_OK;
}

static jaeger_status write_batch(writing *w, jaeger_error *err)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    if (!arena)
        return jg_fail_oom(err);
    jaeger_status status = prepare(w, arena, err);
    if (status == JAEGER_OK)
        status = jg_mem_names_add(w->tenant, w->batch, err);
    if (status == JAEGER_OK)
        status = write_shards(w, err);
    jg_mem_give_back(w->tenant, &w->credit);
    jg_trace_groups_done(&w->traces);
    return status;
}

jaeger_status jg_mem_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    JG_AUTO_BATCH jaeger_batch *batch = take;
    writing w = {.batch = batch};
    if (jaeger_batch_span_count(batch) == 0)
        return JAEGER_OK;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, true, &w.tenant, &call->error));
    return write_batch(&w, &call->error);
}
