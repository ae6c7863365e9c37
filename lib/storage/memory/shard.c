/* SPDX-License-Identifier: Apache-2.0
 * A shard: rows in order of creation, in blocks that never move, and a hash table from trace id to row.
 * Eviction takes the row at the tail: the oldest of the shard.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/hash.h"

#define SLOTS_FIRST  64u
#define BLOCKS_FIRST 4u
#define BLOCK_BYTES  sizeof(jg_mem_block)

_Static_assert(sizeof(jg_mem_row) == 128, "two cache lines");

void jg_mem_shard_init(jg_mem_shard *shard)
{
    pthread_mutex_init(&shard->lock, NULL);
    shard->oldest_seq = UINT64_MAX;
}

jg_mem_shard *jg_mem_shard_of(jg_mem_tenant *tenant, uint64_t hash)
{
    return &tenant->shards[hash >> 60]; /* the table uses the low bits */
}

/* ---- traces
 * ---------------------------------------------------------------------------------------------------- */

void jg_mem_trace_ref(jg_mem_trace *trace)
{
    __atomic_add_fetch(&trace->refs, 1, __ATOMIC_RELAXED);
}

void jg_mem_trace_unref(jg_mem_trace *trace)
{
    if (__atomic_sub_fetch(&trace->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (jg_mem_chunk *chunk = trace->first, *next; chunk; chunk = next) {
        next = chunk->next;
        jg_mem_extent_unref(chunk->extent);
    }
    jg_mem_extent_unref(trace->extent);
}

/* ---- rows
 * ------------------------------------------------------------------------------------------------------ */

static jg_mem_block *block_of(const jg_mem_shard *shard, uint64_t pos)
{
    return shard->blocks[(pos / JG_MEM_BLOCK_ROWS) & (shard->block_cap - 1)];
}

jg_mem_row *jg_mem_row_at(const jg_mem_shard *shard, uint64_t pos)
{
    return &block_of(shard, pos)->rows[pos % JG_MEM_BLOCK_ROWS];
}

uint64_t jg_mem_row_of_services(const jg_mem_shard *shard, uint64_t pos, uint64_t end, uint64_t services)
{
    while (pos < end) {
        const uint64_t *words = block_of(shard, pos)->services;
        uint64_t stop = JG_MIN(end, (pos | (JG_MEM_BLOCK_ROWS - 1)) + 1);
        for (; pos < stop; pos++)
            if (!(services & ~words[pos % JG_MEM_BLOCK_ROWS]))
                return pos;
    }
    return end;
}

void jg_mem_row_widen(jg_mem_row *row, const jg_mem_facts *more)
{
    jg_mem_facts_merge(&row->facts, more);
    *row->trace->services = row->facts.services;
}

/** The slot that holds `id`, or the free one where it would go. The table is never full. */
static jg_mem_slot *slot_of(const jg_mem_shard *shard, const uint8_t id[16], uint64_t hash)
{
    for (size_t i = hash & (shard->slot_cap - 1);; i = (i + 1) & (shard->slot_cap - 1)) {
        jg_mem_slot *slot = &shard->slots[i];
        if (!slot->row || (slot->hash == hash && memcmp(slot->row->trace->id, id, 16) == 0))
            return slot;
    }
}

jg_mem_row *jg_mem_row_find(const jg_mem_shard *shard, const uint8_t id[16], uint64_t hash)
{
    return shard->slot_cap ? slot_of(shard, id, hash)->row : NULL;
}

static bool grow_slots(jg_mem_tenant *tenant, jg_mem_shard *shard, jg_mem_credit *credit)
{
    if (shard->count + 1 <= shard->slot_cap / 4 * 3)
        return true;
    size_t cap = shard->slot_cap ? shard->slot_cap * 2 : SLOTS_FIRST;
    jg_mem_slot *slots = jg_mem_alloc(tenant, credit, cap * sizeof *slots, true);
    if (!slots)
        return false;
    for (size_t i = 0; i < shard->slot_cap; i++) {
        if (!shard->slots[i].row)
            continue;
        size_t at = shard->slots[i].hash & (cap - 1);
        while (slots[at].row)
            at = (at + 1) & (cap - 1);
        slots[at] = shard->slots[i];
    }
    jg_mem_free(tenant, shard->slots, shard->slot_cap * sizeof *slots);
    shard->slots = slots;
    shard->slot_cap = cap;
    return true;
}

static bool grow_blocks(jg_mem_tenant *tenant, jg_mem_shard *shard, jg_mem_credit *credit)
{
    if (shard->head % JG_MEM_BLOCK_ROWS && shard->head != shard->tail)
        return true; /* the block at the head has room */
    uint64_t first = shard->tail / JG_MEM_BLOCK_ROWS, next = shard->head / JG_MEM_BLOCK_ROWS;
    if (next - first >= shard->block_cap) {
        size_t cap = shard->block_cap ? shard->block_cap * 2 : BLOCKS_FIRST;
        jg_mem_block **blocks = jg_mem_alloc(tenant, credit, cap * sizeof *blocks, true);
        if (!blocks)
            return false;
        for (uint64_t b = first; b < next; b++)
            blocks[b & (cap - 1)] = shard->blocks[b & (shard->block_cap - 1)];
        jg_mem_free(tenant, shard->blocks, shard->block_cap * sizeof *blocks);
        shard->blocks = blocks;
        shard->block_cap = cap;
    }
    jg_mem_block **block = &shard->blocks[next & (shard->block_cap - 1)];
    if (!*block)
        *block = jg_mem_alloc(tenant, credit, BLOCK_BYTES, false);
    return *block != NULL;
}

jg_mem_row *jg_mem_row_add(jg_mem_tenant *tenant, jg_mem_shard *shard, const uint8_t id[16], uint64_t hash,
                           jg_mem_credit *credit)
{
    if (!grow_slots(tenant, shard, credit) || !grow_blocks(tenant, shard, credit))
        return NULL;
    jg_mem_extent *extent;
    jg_mem_trace *trace = jg_mem_extent_alloc(tenant, shard, sizeof *trace, credit, &extent);
    if (!trace)
        return NULL;
    *trace = (jg_mem_trace){.refs = 1, .extent = extent};
    memcpy(trace->id, id, 16);
    jg_mem_row *row = jg_mem_row_at(shard, shard->head);
    *row = (jg_mem_row){.seq = __atomic_fetch_add(&tenant->next_seq, 1, __ATOMIC_RELAXED),
                        .trace = trace,
                        .facts.start_min = UINT64_MAX};
    trace->services = &block_of(shard, shard->head)->services[shard->head % JG_MEM_BLOCK_ROWS];
    *trace->services = 0;
    *slot_of(shard, id, hash) = (jg_mem_slot){hash, row};
    shard->count++;
    if (shard->head++ == shard->tail)
        __atomic_store_n(&shard->oldest_seq, row->seq, __ATOMIC_RELAXED);
    __atomic_add_fetch(&tenant->traces, 1, __ATOMIC_RELAXED);
    return row;
}

/* ---- eviction
 * -------------------------------------------------------------------------------------------------- */

static void unlink_slot(jg_mem_shard *shard, const jg_mem_row *row, uint64_t seed)
{
    uint64_t hash = jg_hash(row->trace->id, 16, seed);
    size_t mask = shard->slot_cap - 1, hole = (size_t)(slot_of(shard, row->trace->id, hash) - shard->slots);
    for (size_t i = (hole + 1) & mask; shard->slots[i].row; i = (i + 1) & mask) {
        size_t home = shard->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            shard->slots[hole] = shard->slots[i];
            hole = i;
        }
    }
    shard->slots[hole] = (jg_mem_slot){0};
    shard->count--;
}

/** Unlink the row at the tail. @return its trace; the caller drops the reference */
static jg_mem_trace *pop_tail(jg_mem_tenant *tenant, jg_mem_shard *shard)
{
    uint64_t pos = shard->tail++;
    jg_mem_row *row = jg_mem_row_at(shard, pos);
    jg_mem_trace *trace = row->trace;
    unlink_slot(shard, row, tenant->store->seed);
    bool empty = shard->tail == shard->head;
    if (empty || shard->tail % JG_MEM_BLOCK_ROWS == 0) {
        jg_mem_block **block = &shard->blocks[(pos / JG_MEM_BLOCK_ROWS) & (shard->block_cap - 1)];
        jg_mem_free(tenant, *block, BLOCK_BYTES);
        *block = NULL;
    }
    if (empty) { /* or it would keep an extent that nobody can evict */
        jg_mem_extent_unref(shard->open);
        shard->open = NULL;
    }
    uint64_t oldest = empty ? UINT64_MAX : jg_mem_row_at(shard, shard->tail)->seq;
    __atomic_store_n(&shard->oldest_seq, oldest, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&tenant->traces, 1, __ATOMIC_RELAXED);
    return trace;
}

bool jg_mem_evict_oldest(jg_mem_tenant *tenant)
{
    jg_mem_shard *oldest = NULL;
    uint64_t seq = UINT64_MAX;
    for (size_t i = 0; i < JG_MEM_SHARDS; i++) {
        uint64_t s = __atomic_load_n(&tenant->shards[i].oldest_seq, __ATOMIC_RELAXED);
        if (s < seq) {
            seq = s;
            oldest = &tenant->shards[i];
        }
    }
    if (!oldest)
        return false;
    pthread_mutex_lock(&oldest->lock);
    jg_mem_trace *trace = oldest->tail != oldest->head ? pop_tail(tenant, oldest) : NULL;
    pthread_mutex_unlock(&oldest->lock);
    if (trace) {
        jg_mem_trace_unref(trace);
        jg_metric_add(tenant->store->evicted, 1);
    }
    return true; /* also if another thread was faster */
}

void jg_mem_shard_done(jg_mem_tenant *tenant, jg_mem_shard *shard)
{
    while (shard->tail != shard->head)
        jg_mem_trace_unref(pop_tail(tenant, shard));
    jg_mem_extent_unref(shard->open);
    for (size_t i = 0; i < shard->block_cap; i++) /* one that was made for a row that then failed */
        jg_mem_free(tenant, shard->blocks[i], BLOCK_BYTES);
    jg_mem_free(tenant, shard->slots, shard->slot_cap * sizeof *shard->slots);
    jg_mem_free(tenant, shard->blocks, shard->block_cap * sizeof *shard->blocks);
    pthread_mutex_destroy(&shard->lock);
}
