/* SPDX-License-Identifier: Apache-2.0
 * The memtable: the newest spans of a tenant. Their bytes lie in a write-ahead log file, mapped; here is a
 * row for each span and interned tokens for its attributes. One writer at a time appends; readers see the
 * rows up to the published count and take no lock. A full memtable is frozen, written as a segment and
 * dropped.
 */
#ifndef JG_EMBEDDED_MEMTABLE_H
#define JG_EMBEDDED_MEMTABLE_H

#include "storage/embedded/intern.h"
#include "storage/embedded/layout.h"
#include "storage/embedded/wal.h"

#define JG_MEM_CHUNK 1024u /* rows that share one maximum of the start time */

typedef struct jg_row {
    uint8_t trace_id[16];
    uint8_t span_id[8], parent_id[8];
    uint64_t start, end;  /* Unix ns */
    uint32_t off, len;    /* Span body, in the log file */
    uint32_t token0;      /* first of its tokens */
    uint32_t main_count;  /* tokens that rebuild the span; 0 if it is stored whole */
    uint32_t token_count; /* with those that are for searching only */
    uint32_t origin, op, tail;
    uint32_t trace, previous; /* number of the trace; its row before this one, or JG_NONE */
    uint32_t attr_count, event_count;
    uint32_t event0; /* first of its events, if it is not stored whole */
    uint8_t whole, parent, kind, status;
} jg_row;

/** A resource with a scope. */
typedef struct jg_origin {
    jaeger_span_group group;
    uint32_t resource, scope, service;
} jg_origin;

typedef struct jg_op {
    jaeger_str name, raw; /* raw: the fields name and kind, as they came */
    uint32_t service;
    uint32_t kind;
} jg_op;

typedef struct jg_mt {
    int refs;
    uint64_t gen; /* of the log file, and sequence number of the segment to come */
    uint64_t seed;
    jg_wal_file *wal;
    void (*release_wal)(void *user, jg_wal_file *wal); /* at the last unref */
    void *release_user;

    jg_vmem rows, tokens, trace_last, chunk_max, side, events, op_infos, origin_infos;
    jg_intern attrs, ops, tails, keys, services, resources, scopes, origins, traces;
    uint32_t published;                     /* rows that readers see; atomic */
    uint32_t pending;                       /* rows appended */
    uint64_t min_start, max_start, max_end; /* of pending rows, Unix ns */
    uint64_t max_duration;
    uint64_t arrival_min, arrival_max; /* our clock, Unix ns */
    bool calls_elsewhere; /* calls between its spans are counted already: the segment gets none */
    jg_layout layout;
    jg_hash128 *hashes;
    size_t hash_cap;
} jg_mt;

/** Sizes that a memtable may reach. */
#define JG_MEM_ROWS_MAX (1u << 21) /* rows of one table: the flush limit plus the largest request */

/** @param wal taken over, even on failure @return NULL: out of memory */
jg_mt *jg_mt_new(uint64_t gen, uint64_t seed, jg_wal_file *wal, void (*release_wal)(void *, jg_wal_file *),
                 void *release_user);
jg_mt *jg_mt_ref(jg_mt *mem);
/** Accepts NULL. */
void jg_mt_unref(jg_mt *mem);

/** Append rows for the spans of `batch`, whose bodies lie at `offsets` in the log file. Not yet visible.
 *  @return false: out of memory; call jg_mt_rollback */
bool jg_mt_append(jg_mt *mem, const jaeger_batch *batch, const uint32_t *offsets, uint64_t arrival_unix_ns);
/** Forget the rows that are not published. */
void jg_mt_rollback(jg_mt *mem);
void jg_mt_publish(jg_mt *mem);
/** Memory in use [bytes]. */
size_t jg_mt_bytes_used(const jg_mt *mem);

JG_INLINE uint32_t jg_mt_count(const jg_mt *mem)
{
    return __atomic_load_n(&mem->published, __ATOMIC_ACQUIRE);
}

JG_INLINE jg_row *jg_mt_row(const jg_mt *mem, uint32_t row)
{
    return (jg_row *)mem->rows.base + row;
}

JG_INLINE const uint32_t *jg_mt_tokens(const jg_mt *mem, const jg_row *row)
{
    return (const uint32_t *)mem->tokens.base + row->token0;
}

JG_INLINE const jg_event_head *jg_mt_events(const jg_mt *mem, const jg_row *row)
{
    return (const jg_event_head *)mem->events.base + row->event0;
}

JG_INLINE const jg_origin *jg_mt_origin(const jg_mt *mem, uint32_t origin)
{
    return (const jg_origin *)mem->origin_infos.base + origin;
}

JG_INLINE const jg_op *jg_mt_op(const jg_mt *mem, uint32_t op)
{
    return (const jg_op *)mem->op_infos.base + op;
}

#define JG_OFF_SIDE 0x80000000u /* entry bytes lie in the side memory, not in the log file */

/** The bytes of an interned string. */
JG_INLINE jaeger_str jg_mt_str(const jg_mt *mem, const jg_entry *entry)
{
    const uint8_t *base = entry->off & JG_OFF_SIDE ? mem->side.base : mem->wal->map;
    return (jaeger_str){(const char *)base + (entry->off & ~JG_OFF_SIDE), entry->len};
}

JG_INLINE uint32_t jg_trace_hash(const uint8_t trace_id[16])
{
    return (uint32_t)(jg_hash(trace_id, 16, 0) >> 32);
}

/** Take a kept resource or scope apart (see put_entity in memtable.c). @return false: damaged */
bool jg_entity_read(jaeger_str bytes, jaeger_str *ret_url, jaeger_str *ret_body);

/** The last row of a trace before `count`, or JG_NONE; jg_row.previous leads on. */
uint32_t jg_mt_last_of_trace(const jg_mt *mem, const uint8_t trace_id[16], uint32_t count);

/** The index entry of a row. @return false: its bytes are damaged */
bool jg_mt_span(const jg_mt *mem, const jg_row *row, jaeger_span *ret);

#endif
