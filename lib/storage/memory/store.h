/* SPDX-License-Identifier: Apache-2.0
 * The memory store from inside. One store has tenants, a tenant has shards by trace id, a shard has rows
 * (what a search must know of a trace, two cache lines) in order of creation, and a hash table from trace id
 * to row. A row points to its trace: a chain of chunks that hold the spans' bytes as they came.
 *
 * Locks: a shard's mutex guards its rows and table and is held for microseconds; a trace is
 * reference-counted, so readers pin it under the mutex and read its chunks without. Chunks only grow at their
 * end, and what a reader saw counted is never written again. Lock order: names or shard, then nothing; the
 * tenant list first.
 *
 * Memory: traces and chunks are pieces of their shard's extents (extent.c), all else is allocated by itself.
 *
 * Budget: every byte is charged to the store before it is allocated (jg_mem_charge). Whoever lacks room makes
 * it first, with no lock held (jg_mem_make_room): the oldest traces of the biggest tenant go.
 */
#ifndef JG_STORAGE_MEMORY_STORE_H
#define JG_STORAGE_MEMORY_STORE_H

#include "core/map.h"
#include "core/metrics.h"
#include "model/match.h"
#include <jaeger/storage.h>
#include <pthread.h>

#define JG_MEM_SHARDS      16u
#define JG_MEM_BLOOM_WORDS 8u
#define JG_MEM_BLOCK_ROWS  256u
#define JG_MEM_RECENT      8u /* groups a trace remembers, so that it need not store them again */

/** What a search tests before it looks into a trace. Bits only ever get set, bounds only widen. */
typedef struct jg_mem_facts {
    uint64_t start_min, start_max, end_max, duration_max; /* [ns] */
    uint64_t services;                                    /* one bit for a service, by hash */
    uint64_t traits;                                      /* bit 0-5: span kinds; bit 8-10: status codes */
    uint64_t bloom[JG_MEM_BLOOM_WORDS];                   /* operations, and attributes at all five places */
} jg_mem_facts;

typedef struct jg_mem_row {
    uint64_t seq; /* order of creation in the tenant */
    struct jg_mem_trace *trace;
    jg_mem_facts facts;
} jg_mem_row;

/** Rows, and apart from them the word that rejects most of them: to search for a service, eight bytes of a
 * row are read instead of two cache lines. */
typedef struct jg_mem_block {
    uint64_t services[JG_MEM_BLOCK_ROWS]; /* copies of facts.services */
    jg_mem_row rows[JG_MEM_BLOCK_ROWS];
} jg_mem_block;

typedef struct jg_mem_extent jg_mem_extent;

typedef struct jg_mem_chunk {
    jg_mem_extent *extent;
    struct jg_mem_chunk *next; /* atomic */
    uint32_t cap, used;        /* of data [bytes]; used: atomic */
    uint8_t data[];            /* records, 8-aligned */
} jg_mem_chunk;

/** A span in a chunk, its bytes behind it. `group` points into the same trace's chunks. */
typedef struct jg_mem_record {
    uint32_t len, is_group; /* a group record holds a jaeger_span_group and its strings; readers skip it */
    const jaeger_span_group *group;
} jg_mem_record;

typedef struct jg_mem_trace {
    int refs;
    uint32_t span_count, error_count; /* guarded by the shard's mutex */
    uint8_t id[16];
    jg_mem_extent *extent;
    jg_mem_chunk *first, *last; /* `last` and what follows: writers only */
    uint64_t *services;         /* of its row in the block */
    size_t chunk_bytes;
    struct {
        uint64_t hash;
        const jaeger_span_group *group;
    } recent[JG_MEM_RECENT];
    uint32_t recent_at;
} jg_mem_trace;

typedef struct jg_mem_slot {
    uint64_t hash;
    jg_mem_row *row; /* NULL: free */
} jg_mem_slot;

typedef struct jg_mem_shard {
    pthread_mutex_t lock;
    jg_mem_slot *slots;
    size_t slot_cap, count;
    jg_mem_block **blocks; /* ring of blocks of JG_MEM_BLOCK_ROWS */
    size_t block_cap;      /* power of two, or 0 */
    uint64_t tail, head;   /* rows [tail, head) live; row i is in block i / JG_MEM_BLOCK_ROWS */
    uint64_t oldest_seq;   /* atomic; of the row at tail, UINT64_MAX: empty */
    jg_mem_extent *open;   /* the one that is filled */
    size_t extent_bytes;   /* atomic; of all that are not empty */
    char pad[24];          /* shards on cache lines of their own */
} jg_mem_shard;

typedef struct jg_mem_seen jg_mem_seen; /* names.c */

typedef struct jg_mem_names {
    pthread_mutex_t lock;
    jg_map services;   /* name -> NULL */
    jg_map operations; /* name, kind, service as one key -> NULL */
    size_t bytes;      /* charged for both */
    jg_mem_seen *seen; /* atomic; hashes of operations that are known already */
} jg_mem_names;

typedef struct jg_mem_tenant {
    struct jg_mem_store *store;
    struct jg_mem_tenant *next;
    jaeger_str name;
    uint64_t bytes, traces, next_seq; /* atomic */
    jg_mem_names names;
    struct jg_mem_sampling *sampling; /* atomic; made at first use */
    jg_mem_shard shards[JG_MEM_SHARDS];
} jg_mem_tenant;

typedef struct jg_mem_config {
    int64_t max_traces;
    uint64_t max_bytes;
} jg_mem_config;

typedef struct jg_mem_store {
    uint64_t max_traces, max_bytes;
    uint64_t bytes; /* atomic: all that is charged */
    uint64_t seed;  /* of trace id hashes */
    const jaeger_logger *log;
    jg_metrics *metrics;
    jg_metric *evicted, *bytes_gauge, *traces_gauge;
    int names_full_logged; /* atomic */
    pthread_mutex_t lock;  /* guards tenants; they live until close */
    jg_map tenants;
    jg_mem_tenant *all; /* newest first */
    struct {
        pthread_mutex_t lock;
        jg_mem_extent *first;
        size_t bytes;
    } spares; /* emptied extents, to be filled again; few, and beside the budget */
} jg_mem_store;

/* ---- store.c: budget and tenants */

/** Bytes reserved by jg_mem_make_room and not used yet; `need`: what the last failed jg_mem_alloc asked for,
 *  0: the system is out of memory. */
typedef struct jg_mem_credit {
    size_t have, need;
} jg_mem_credit;

/** Take `bytes` out of the budget, or out of the credit. @return false: credit->need is what lacks */
bool jg_mem_charge(jg_mem_tenant *tenant, jg_mem_credit *credit, size_t bytes);
void jg_mem_uncharge(jg_mem_tenant *tenant, size_t bytes);
/** Charged allocation, zeroed if `zero`. Evicts nothing. @return NULL: credit->need says why */
void *jg_mem_alloc(jg_mem_tenant *tenant, jg_mem_credit *credit, size_t bytes, bool zero);
void jg_mem_free(jg_mem_tenant *tenant, void *ptr, size_t bytes);
/** Reserve credit->need more bytes, evicting as needed. Hold no lock.
 *  @return RESOURCE_EXHAUSTED: not even with everything evicted that can be */
jaeger_status jg_mem_make_room(jg_mem_tenant *tenant, jg_mem_credit *credit, jaeger_error *err);
void jg_mem_give_back(jg_mem_tenant *tenant, jg_mem_credit *credit);
/** @param make false: NULL if there is no such tenant
 *  @return OK with *ret NULL or not; RESOURCE_EXHAUSTED: too many tenants, no memory */
jaeger_status jg_mem_tenant_get(jg_mem_store *store, jaeger_str name, bool make, jg_mem_tenant **ret,
                                jaeger_error *err);
void jg_mem_tenant_free(jg_mem_tenant *tenant);

/* ---- extent.c */

/** A piece of the shard's memory, 16-aligned, with the shard's mutex held. Give it back by
 *  jg_mem_extent_unref(*ret), at any time. @return NULL: see credit->need */
void *jg_mem_extent_alloc(jg_mem_tenant *tenant, jg_mem_shard *shard, size_t bytes, jg_mem_credit *credit,
                          jg_mem_extent **ret);
void jg_mem_extent_unref(jg_mem_extent *extent);
void jg_mem_spares_done(jg_mem_store *store);

/* ---- shard.c: rows and traces */

void jg_mem_shard_init(jg_mem_shard *shard);
void jg_mem_shard_done(jg_mem_tenant *tenant, jg_mem_shard *shard);
jg_mem_shard *jg_mem_shard_of(jg_mem_tenant *tenant, uint64_t hash);
/** The rest of this part is called with the shard's mutex held. */
jg_mem_row *jg_mem_row_at(const jg_mem_shard *shard, uint64_t pos);
/** First position from `pos` on, before `end`, whose row has all bits of `services`. @return `end`: there is
 * none */
uint64_t jg_mem_row_of_services(const jg_mem_shard *shard, uint64_t pos, uint64_t end, uint64_t services);
/** Add to what is known of the row's trace. */
void jg_mem_row_widen(jg_mem_row *row, const jg_mem_facts *more);
jg_mem_row *jg_mem_row_find(const jg_mem_shard *shard, const uint8_t id[16], uint64_t hash);
/** NULL: see credit->need. */
jg_mem_row *jg_mem_row_add(jg_mem_tenant *tenant, jg_mem_shard *shard, const uint8_t id[16], uint64_t hash,
                           jg_mem_credit *credit);
/** Without the mutex: drop the oldest trace of the tenant. @return false: it has none */
bool jg_mem_evict_oldest(jg_mem_tenant *tenant);
void jg_mem_trace_ref(jg_mem_trace *trace);
void jg_mem_trace_unref(jg_mem_trace *trace); /* any time */

/* ---- names.c */

/** Remember the service and operation of every span. @return RESOURCE_EXHAUSTED: out of memory */
jaeger_status jg_mem_names_add(jg_mem_tenant *tenant, const jaeger_batch *batch, jaeger_error *err);
void jg_mem_names_clear(jg_mem_tenant *tenant);
void jg_mem_names_done(jg_mem_tenant *tenant);
jaeger_status jg_mem_services(void *self, jaeger_strs *ret, jaeger_call *call);
jaeger_status jg_mem_operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                                jaeger_call *call);

/* ---- facts.c: what a row knows, and whether a search can be satisfied by it */

/** Attributes of the resource and the scope. */
void jg_mem_facts_of_group(const jaeger_span_group *group, jg_mem_facts *ret);
void jg_mem_facts_add_span(jg_mem_facts *facts, const jaeger_span *span);
void jg_mem_facts_merge(jg_mem_facts *into, const jg_mem_facts *from);

/** A search compiled to tests on facts: `any` lists the bits of which one must be set. */
typedef struct jg_mem_filter {
    const jg_match *match;
    uint64_t services, traits; /* 0: any; else all these bits must be set */
    struct jg_mem_any {
        uint16_t bits[6];
        uint16_t count;
    } * any;
    size_t any_count;
} jg_mem_filter;
jaeger_status jg_mem_filter_make(jg_mem_filter *ret, const jg_match *match, jaeger_arena *arena,
                                 jaeger_error *err);
bool jg_mem_filter_may_match(const jg_mem_filter *filter, const jg_mem_facts *facts);

/* ---- write.c */

jaeger_status jg_mem_write(void *self, jaeger_batch *take, jaeger_call *call);

/* ---- read.c: walking traces, handing them out */

/** A trace that cannot go away, and how many of its spans there were when it was pinned. */
typedef struct jg_mem_pin {
    jg_mem_trace *trace;
    uint32_t span_count;
} jg_mem_pin;

/** @return false: it is gone */
bool jg_mem_pin_row(jg_mem_shard *shard, uint64_t pos, jg_mem_pin *ret);
void jg_mem_unpin(jg_mem_pin *pin);

typedef struct jg_mem_walk {
    const jg_mem_chunk *chunk;
    uint32_t at, left; /* offset in the chunk; spans to come */
} jg_mem_walk;
jg_mem_walk jg_mem_walk_of(const jg_mem_pin *pin);
/** Next span: bytes, len and group are set. @return false at the end */
bool jg_mem_walk_next(jg_mem_walk *walk, jaeger_span *ret);
/** Hand the trace to `out`, in chunks. */
jaeger_status jg_mem_stream(const jg_mem_pin *pin, jaeger_consumer out, jaeger_call *call);
jaeger_status jg_mem_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                jaeger_call *call);
jaeger_status jg_mem_reread_trace(void *self, const jaeger_trace_ref *ref, jaeger_rereader reader,
                                  jaeger_call *call);

/* ---- find.c */

jaeger_status jg_mem_find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                 jaeger_call *call);
jaeger_status jg_mem_find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                    jaeger_call *call);
jaeger_status jg_mem_find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                    jaeger_call *call);

/** The latest start of a span of the trace that matches. @param needle see jg_mem_needle_of
 *  @return false: none does */
bool jg_mem_latest_match(const jg_match *match, jaeger_str needle, const jg_mem_pin *pinned,
                         uint64_t *ret_start);
/** The longest text that must stand in the bytes of a matching span, its resource or its scope; empty: none.
 */
jaeger_str jg_mem_needle_of(const jg_match *match);

/* ---- attributes.c */

jaeger_status jg_mem_attributes(void *self, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                jaeger_call *call);

/* ---- rank.c */

jaeger_status jg_mem_rank_traces(void *self, const jaeger_trace_query *query, jaeger_order order,
                                 const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call);

/* ---- deps.c, sampling.c */

jaeger_status jg_mem_dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                  jaeger_dependencies *ret, jaeger_call *call);
extern const jaeger_sampling_store jg_mem_sampling_store;
/** Forget all; other threads may be using it. */
void jg_mem_sampling_clear(jg_mem_tenant *tenant);
void jg_mem_sampling_free(jg_mem_tenant *tenant);

#endif
