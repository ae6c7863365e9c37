/* SPDX-License-Identifier: Apache-2.0
 * Reading segment files. A segment is mapped when it is first needed. Each section is checked against its
 * hash at first use, each block at each use, and all numbers that come from the file are checked against the
 * bounds of what they point into: a damaged file is an error that names it, never a crash.
 */
#ifndef JG_EMBEDDED_SEGMENT_READER_H
#define JG_EMBEDDED_SEGMENT_READER_H

#include "core/buf.h"
#include "model/match.h"
#include "storage/embedded/hits.h"
#include "storage/embedded/segment.h"

typedef struct jg_bytes {
    const uint8_t *ptr;
    size_t len;
} jg_bytes;

/** A mapped segment. */
typedef struct jg_seg_view {
    jg_seg_header header;
    jg_bytes sections[JG_SEC_END];
    uint64_t hashes[JG_SEC_END];
    uint32_t checked; /* bits of sections; atomic */
} jg_seg_view;

/** Find the sections. `bytes` must stay. @return NULL, or what is wrong (static text) */
const char *jg_seg_view_open(jg_seg_view *view, const uint8_t *bytes, size_t len);
/** Are these sections (bits 1 << id) undamaged? @param ret_bad the first that is not; may be NULL */
bool jg_seg_view_check(jg_seg_view *view, uint32_t sections, uint32_t *ret_bad);

#define JG_SEC(name) (1u << JG_SEC_##name)
#define JG_SEC_ALL   (((1u << JG_SEC_END) - 1) & ~1u)
/** Segments of earlier versions have none: their `ptr` is NULL. */
#define JG_SEC_OPTIONAL (JG_SEC(KEY_VALUES) | JG_SEC(KEY_ROWS))
/** What reading whole spans needs. */
#define JG_SEC_FOR_SPANS                                                                                     \
    (JG_SEC(TRACES) | JG_SEC(TRACE_HASHES) | JG_SEC(TRACE_ORDINALS) | JG_SEC(BLOCKS) | JG_SEC(SPAN_IDS) |    \
     JG_SEC(ROW_ORIGINS) | JG_SEC(DICT) | JG_SEC(KEYS) | JG_SEC(OPS) | JG_SEC(TAILS) | JG_SEC(RESOURCES) |   \
     JG_SEC(SCOPES) | JG_SEC(ORIGINS) | JG_SEC(SERVICES))
#define JG_SEC_FOR_SEARCH                                                                                    \
    (JG_SEC(TRACES) | JG_SEC(LATEST) | JG_SEC(DURATIONS) | JG_SEC(TERM_BUCKETS) | JG_SEC(TERM_PRINTS) |      \
     JG_SEC(TERM_REFS) | JG_SEC(OP_REFS) | JG_SEC(ORIGIN_REFS) | JG_SEC(POSTINGS) | JG_SEC(OPS) |            \
     JG_SEC(SERVICES) | JG_SEC(ORIGINS) | JG_SEC(KEYS) | JG_SEC(DICT) | JG_SEC(KEY_VALUES) |                 \
     JG_SEC(KEY_ROWS) | JG_SEC(RESOURCES) | JG_SEC(SCOPES))

/** String `number` of a string-table section. @return false: no such */
bool jg_seg_string(const jg_seg_view *view, jg_section_id table, uint32_t number, jaeger_str *ret);
uint32_t jg_seg_string_count(const jg_seg_view *view, jg_section_id table);
/** Only its service. @return UINT32_MAX: no such, or damaged */
uint32_t jg_seg_op_service(const jg_seg_view *view, uint32_t number);
/** Operation `number`. @return false: no such, or damaged */
bool jg_seg_op(const jg_seg_view *view, uint32_t number, uint32_t *ret_service, jaeger_str *ret_name,
               uint32_t *ret_kind, jaeger_str *ret_raw);
uint32_t jg_seg_origin_count(const jg_seg_view *view);
/** Resource, scope and service numbers of an origin. */
bool jg_seg_origin_parts(const jg_seg_view *view, uint32_t origin, uint32_t ret[3]);
/** The group with all its strings, which lie in the file. */
bool jg_seg_origin(const jg_seg_view *view, uint32_t origin, jaeger_span_group *ret);
/** Origin of a row. */
bool jg_seg_row_origin(const jg_seg_view *view, uint32_t row, uint32_t *ret);
/** Number of the trace. @return false: not in this segment */
bool jg_seg_find_trace(const jg_seg_view *view, const uint8_t trace_id[16], uint32_t *ret);

JG_INLINE const jg_seg_trace *jg_seg_traces(const jg_seg_view *view)
{
    return (const jg_seg_trace *)view->sections[JG_SEC_TRACES].ptr;
}

JG_INLINE const uint8_t *jg_seg_span_id(const jg_seg_view *view, uint32_t row)
{
    return view->sections[JG_SEC_SPAN_IDS].ptr + (size_t)row * 8; /* length checked at open */
}

/** A row of the trace that was decoded last; cursors into the block's streams. */
typedef struct jg_seg_row {
    uint64_t start, end;
    uint32_t op, origin;
    uint32_t attr_count, event_count;
    uint64_t parent; /* 0 none, 1 bytes, 2 empty field, else 3 + row of the trace */
    bool whole;
    jaeger_str tail, body;       /* body: of whole spans */
    const uint8_t *parent_bytes; /* for parent 1 */
    const uint8_t *events, *tokens, *inlined;
} jg_seg_row;

#define JG_READER_BLOCKS                                                                                     \
    32u /* decompressed blocks that are kept: a search and the reading of its traces share them */

/** Buffers of one reading thread. */
typedef struct jg_seg_reader {
    struct jg_seg_reader *next; /* in the store's list of idle ones */
    void *zstd;
    struct {
        const jg_seg_view *view;
        uint32_t block;
        jg_buf bytes;
        uint64_t used; /* clock of the last use */
    } blocks[JG_READER_BLOCKS];
    uint64_t clock;
    const jg_seg_view *view; /* of the decoded trace */
    const jg_seg_trace *trace;
    const uint8_t *end_a, *end_b, *end_c; /* of the decoded trace's streams */
    jg_seg_row *rows;
    size_t row_cap;
    jg_buf span, refs;
    uint64_t *bits, *more_bits;
    size_t bits_cap; /* words */
} jg_seg_reader;

/** NULL: out of memory */
jg_seg_reader *jg_seg_reader_new(void);
void jg_seg_reader_free(jg_seg_reader *reader);
/** Forget blocks and the trace: their segments may go away. */
void jg_seg_reader_reset(jg_seg_reader *reader);

/** Decode the rows of trace `number` into reader->rows. @return DATA_LOSS: damaged; RESOURCE_EXHAUSTED */
jaeger_status jg_seg_decode_trace(jg_seg_reader *reader, const jg_seg_view *view,
                                  uint32_t number) JG_MUST_CHECK;
/** Append the Span body of row `i` of the decoded trace. @return false: damaged */
bool jg_seg_write_span(jg_seg_reader *reader, uint32_t i, jg_buf *out);

/** Add the traces of this segment that match. @return DATA_LOSS; RESOURCE_EXHAUSTED; DEADLINE_EXCEEDED */
jaeger_status jg_seg_search(jg_seg_reader *reader, const jg_seg_view *view, const jg_match *match,
                            jg_hits *hits, jaeger_call *call) JG_MUST_CHECK;

/** Rows that may match, in reader->bits. @param ret_rows how many, at least; 0: the bits are not set
 *  @return as jg_seg_search */
jaeger_status jg_seg_candidates(jg_seg_reader *reader, const jg_seg_view *view, const jg_match *match,
                                uint64_t *ret_rows, jaeger_call *call) JG_MUST_CHECK;
/** How many rows of a trace are set in reader->bits? */
uint32_t jg_seg_bits_of_trace(const jg_seg_reader *reader, const jg_seg_trace *trace);
/** Look into one trace: set *matched if one of its rows matches. @param errors NULL, or counts its rows with
 *  status Error. @return DATA_LOSS; RESOURCE_EXHAUSTED */
jaeger_status jg_seg_examine(jg_seg_reader *reader, const jg_seg_view *view, uint32_t number,
                             const jg_match *match, bool *matched, uint64_t *errors) JG_MUST_CHECK;

/** Check all of a segment file and decode every span. @return NULL, or what is wrong (static text) */
const char *jg_segment_verify(const uint8_t *bytes, size_t len, uint64_t *ret_spans);

/** Does this resource and scope alone satisfy the condition? */
bool jg_origin_matches(const jg_match_attr *attr, const jaeger_span_group *group);

#endif
