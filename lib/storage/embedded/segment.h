/* SPDX-License-Identifier: Apache-2.0
 * Segment files: what lies in them. Little-endian; written once, then only read. docs/storage-format.md tells
 * it byte by byte; segment_writer.c makes them, segment.c opens and reads them.
 */
#ifndef JG_EMBEDDED_SEGMENT_H
#define JG_EMBEDDED_SEGMENT_H

#include "core/attr.h"
#include <jaeger/base.h>

#define JG_SEG_MAGIC        0x47455358534a474aull /* file type */
#define JG_SEG_VERSION      1u
#define JG_SEG_SECTIONS_MAX 64u

typedef enum jg_section_id {
    JG_SEC_TRACES = 1,
    JG_SEC_TRACE_HASHES,
    JG_SEC_TRACE_ORDINALS,
    JG_SEC_BLOCKS,
    JG_SEC_SPAN_IDS,
    JG_SEC_DURATIONS,
    JG_SEC_ROW_ORIGINS,
    JG_SEC_TERM_BUCKETS,
    JG_SEC_TERM_PRINTS,
    JG_SEC_TERM_REFS,
    JG_SEC_OP_REFS,
    JG_SEC_ORIGIN_REFS,
    JG_SEC_POSTINGS,
    JG_SEC_DICT,
    JG_SEC_KEYS,
    JG_SEC_OPS,
    JG_SEC_TAILS,
    JG_SEC_RESOURCES,
    JG_SEC_SCOPES,
    JG_SEC_ORIGINS,
    JG_SEC_SERVICES,
    JG_SEC_CALLS,
    JG_SEC_PENDING,
    JG_SEC_LATEST,
    JG_SEC_DATA,
    JG_SEC_KEY_VALUES,
    JG_SEC_KEY_ROWS,
    JG_SEC_END
} jg_section_id;

typedef struct jg_seg_header {
    uint64_t magic;
    uint32_t version, section_count;
    uint64_t file_bytes;
    uint64_t gen;  /* sequence number of the segment */
    uint64_t seed; /* of all term hashes */
    uint32_t span_count, trace_count;
    uint64_t min_start, max_start, max_end; /* Unix ns */
    uint64_t max_duration;                  /* ns */
    uint64_t arrival_min, arrival_max;      /* Unix ns, the writer's clock */
    uint64_t incompatible;                  /* bits of features a reader must know; none so far */
    uint64_t table_hash;                    /* xxh3 of the section table */
    uint64_t header_hash;                   /* xxh3 of the fields above */
} jg_seg_header;

typedef struct jg_seg_section {
    uint32_t id, flags;
    uint64_t off, len; /* off: from the start of the file, a multiple of 8 */
    uint64_t hash;     /* xxh3; 0 for JG_SEC_DATA, whose blocks have their own */
} jg_seg_section;

typedef struct jg_seg_trace {
    uint8_t trace_id[16];
    uint64_t min_start, max_start, max_end;
    uint32_t row0, row_count;
    uint32_t block, off_a, off_b, off_c; /* in the three streams of the block */
} jg_seg_trace;

typedef struct jg_seg_block {
    uint64_t off;                        /* in JG_SEC_DATA */
    uint32_t bytes, len_a, len_b, len_c; /* compressed; streams */
    uint64_t hash;                       /* xxh3 of the compressed bytes */
} jg_seg_block;

/** Calls between two services that were resolved in this segment. */
typedef struct jg_seg_call {
    uint32_t minute, parent, child, count; /* services by number */
} jg_seg_call;

/** A span whose parent is not in this segment. */
typedef struct jg_seg_pending {
    uint8_t trace_id[16], parent_id[8];
    uint32_t service, minute;
} jg_seg_pending;

#define JG_REF_ROW 0x80000000u /* the list has one row: this number; else an offset into JG_SEC_POSTINGS */

/* JG_SEC_KEY_ROWS: instead of a reference */
#define JG_REF_NONE UINT32_MAX       /* no row */
#define JG_REF_ANY  (UINT32_MAX - 1) /* too many to be listed */

/** Eleven significant bits of the microseconds: durations in order, exact to 0.05 %. [ns] */
JG_INLINE uint16_t jg_duration_code(uint64_t ns)
{
    uint64_t us = ns / 1000;
    if (us < 2048)
        return (uint16_t)us;
    unsigned exponent = 53u - (unsigned)__builtin_clzll(us); /* bits dropped, plus one: from 1 */
    uint64_t code = (uint64_t)exponent << 11 | ((us >> (exponent - 1)) & 2047);
    return code > UINT16_MAX ? UINT16_MAX : (uint16_t)code;
}

/** JG_SEC_LATEST: for each so many traces, the latest start of a span in them or in any trace before them. */
#define JG_TRACES_PER_MAX 64u

#define JG_BLOCK_BYTES     (16u << 10) /* raw bytes of a block, before its last trace ends */
#define JG_BLOCK_BYTES_MAX (1u << 30)  /* a trace is never cut, and a memtable bounds it */
#define JG_DICT_FREQ_MIN   8u          /* attributes seen less often are written where they stand */
#define JG_KEY_ROWS_PART   8u          /* rows with rare values of a key are listed up to rows / this ... */
#define JG_KEY_BYTES_PART  2u          /* ... and all such lists of a segment up to rows / this bytes */

#endif
