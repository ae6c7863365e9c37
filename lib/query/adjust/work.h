/* SPDX-License-Identifier: Apache-2.0
 * What the adjusters share while they work on one trace.
 *
 * First every span is written in canonical form (sorted, ids as they shall be), then the later adjusters only
 * note what is to change, and at the end the spans with notes are written once more.
 */
#ifndef JG_QUERY_ADJUST_WORK_H
#define JG_QUERY_ADJUST_WORK_H

#include "core/buf.h"
#include "model/batch.h"

#define JG_WARNINGS_KEY      JAEGER_STR("@jaeger@warnings")
#define JG_LIBRARY_KEY_COUNT 5
#define JG_SPAN_BYTES_MAX    ((size_t)UINT32_MAX)

typedef struct jg_warning {
    struct jg_warning *next;
    jaeger_str text;
} jg_warning;

/** What shall change in a span. */
typedef struct jg_span_edit {
    jg_warning *warnings, *warnings_last;
    int64_t event_shift_ns;
    uint8_t moved_keys; /* bits: library attributes that went to the resource */
    bool drops_links;   /* links without a trace id */
    bool warned_early;  /* there were warnings before library attributes moved: see write.c */
    bool is_new;        /* anything above, or the times in the index entry */
} jg_span_edit;

/** What the first pass saw in a span, so that later ones need not look again. */
enum { JG_NOTE_EMPTY_LINK = 1, JG_NOTE_LIBRARY_ATTR = 2, JG_NOTE_COPY = 4 };

typedef struct jg_adjust_work {
    jaeger_batch *trace;
    jaeger_span *spans;
    size_t count;
    jaeger_arena *arena;   /* lives as long as the work */
    jaeger_arena *scratch; /* emptied for each span */
    jg_buf out;
    uint8_t *notes;
    jg_span_edit *edits; /* from the end of the first pass */
    uint64_t max_skew_ns;
    jaeger_error *err;
} jg_adjust_work;

/* ids.c: server spans that share the id of a client span get ids of their own. */
jaeger_status jg_adjust_ids(jg_adjust_work *work) JG_MUST_CHECK;
/* sort.c: canonical form, and copies of spans dropped. */
jaeger_status jg_adjust_sort(jg_adjust_work *work) JG_MUST_CHECK;
/* skew.c: clocks of different hosts. */
jaeger_status jg_adjust_skew(jg_adjust_work *work) JG_MUST_CHECK;
/* library.c: telemetry.* attributes go to the resource. */
jaeger_status jg_adjust_library(jg_adjust_work *work) JG_MUST_CHECK;

/** Note a warning; the text is copied. */
jaeger_status jg_adjust_note_warning(jg_adjust_work *work, size_t index, jaeger_str text) JG_MUST_CHECK;

/* ---- write.c ---- */

/** The span as bytes, ids and times from the index entry. `edit` NULL: canonical form, attributes sorted by
 * key (the last of equal keys stays), events by name, numeric IP addresses as text; else in the order they
 * are in.
 *  @param ret_notes bits of JG_NOTE_*; may be NULL. Errors are in out->failed. */
void jg_span_write(jg_buf *out, jaeger_arena *scratch, const jaeger_span *span, const jg_span_edit *edit,
                   uint8_t *ret_notes);
/** Resource or scope with its attributes in canonical form; `attributes` is their field number. */
void jg_header_write(jg_buf *out, jaeger_arena *scratch, jaeger_str message, uint32_t attributes);
/** Index of a library attribute's key, or -1. */
int jg_library_key(jaeger_str key);

#endif
