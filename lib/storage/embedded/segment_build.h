/* SPDX-License-Identifier: Apache-2.0
 * Building a segment from a frozen memtable. Private to the segment_*.c files that write.
 */
#ifndef JG_EMBEDDED_SEGMENT_BUILD_H
#define JG_EMBEDDED_SEGMENT_BUILD_H

#include "core/buf.h"
#include "storage/embedded/calls.h"
#include "storage/embedded/memtable.h"
#include "storage/embedded/segment.h"

typedef struct jg_seg_build {
    const jg_mt *mem;
    uint32_t row_count, trace_count;
    jg_seg_trace *traces; /* ordered by earliest start */
    uint32_t *order;      /* row of the segment -> row of the memtable */
    uint32_t *parents;    /* row of the segment -> row of its parent in the same trace, or JG_NONE */
    uint32_t *token_freq; /* by token of mem->attrs */
    uint32_t *token_dict; /* 1 + number in the dictionary; 0: not in it */
    uint32_t *tail_dict;
    jg_calls calls;
    jg_buf sections[JG_SEC_END];
} jg_seg_build;

/** @return false: out of memory */
bool jg_seg_group(jg_seg_build *b);  /* traces, order, parents, calls, pending */
bool jg_seg_count(jg_seg_build *b);  /* token_freq, dictionaries, string tables */
bool jg_seg_encode(jg_seg_build *b); /* blocks, span ids, durations, row origins */
bool jg_seg_index(jg_seg_build *b);  /* trace index, terms, postings */

/** Rows by token, each ascending: items[begin[token]] up to items[end[token]]. */
typedef struct jg_token_rows {
    const uint32_t *items, *begin, *end;
} jg_token_rows;

bool jg_seg_index_keys(jg_seg_build *b, const jg_token_rows *rows); /* values and rows by key */
/** Write an ascending list. @return its reference */
uint32_t jg_seg_write_list(jg_buf *postings, const uint32_t *items, uint32_t count);

/** A string table: count, count + 1 offsets, bytes. */
typedef struct jg_seg_strings {
    jg_buf offsets, bytes;
    uint32_t count;
} jg_seg_strings;

void jg_seg_strings_add(jg_seg_strings *strings, jaeger_str s);
/** Append the table to `out` and free it. */
void jg_seg_strings_end(jg_seg_strings *strings, jg_buf *out);

#endif
