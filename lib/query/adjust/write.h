/* SPDX-License-Identifier: Apache-2.0
 * Writing adjusted spans: a span is taken apart, what shall change is noted, and it is put together again.
 */
#ifndef JG_QUERY_ADJUST_WRITE_H
#define JG_QUERY_ADJUST_WRITE_H

#include "core/buf.h"
#include <jaeger/batch.h>

#define JG_WARNINGS_KEY      JAEGER_STR("@jaeger@warnings")
#define JG_LIBRARY_KEY_COUNT 5

typedef struct jg_warning {
    struct jg_warning *next;
    jaeger_str text;
} jg_warning;

/** What shall change in a span, beyond its canonical form. The zero value: nothing. */
typedef struct jg_span_edit {
    jg_warning *warnings, *warnings_last;
    int64_t event_shift_ns;
    uint8_t moved_keys; /* bits: library attributes that went to the resource */
    bool drops_links;   /* links without a trace id */
    bool warned_early;  /* there were warnings before library attributes moved */
} jg_span_edit;

/** One of a repeated field: its sort key, the first eight bytes of that as a number, and its body. */
typedef struct jg_span_item {
    uint64_t prefix;
    jaeger_str key, raw;
} jg_span_item;

typedef struct jg_span_items {
    jg_span_item *list;
    size_t count, cap;
} jg_span_items;

/** Made once, used for many spans. */
typedef struct jg_span_writer {
    jg_buf out;
    jaeger_arena *scratch; /* emptied for each span */
    jg_span_items attrs, events, links, unknown, nested;
    jaeger_str trace_state, name, status;
    uint64_t kind, dropped_attrs, dropped_events, dropped_links;
    bool has_status, failed;
} jg_span_writer;

/** @return false: out of memory */
bool jg_span_writer_init(jg_span_writer *writer);
void jg_span_writer_done(jg_span_writer *writer);
/** Nothing of what was written so far failed for lack of memory. */
bool jg_span_writer_ok(const jg_span_writer *writer);

/** Read a span: attributes sorted by key (the last of equal keys stays), events by name. */
void jg_span_take_apart(jg_span_writer *writer, const jaeger_span *span);
/** The span that was taken apart, with ids, times and flags of the index entry and numeric IP addresses as
 *  text. Fields leave in the order of their numbers, so that equal spans have equal bytes; fields we do not
 *  know follow as they came. @return valid until the next call */
jaeger_str jg_span_put_together(jg_span_writer *writer, const jaeger_span *span, const jg_span_edit *edit);
/** Both. @param edit NULL: only canonical form */
jaeger_str jg_span_write(jg_span_writer *writer, const jaeger_span *span, const jg_span_edit *edit);
/** Resource or scope with its attributes in canonical form; `attributes` is their field number. */
jaeger_str jg_header_write(jg_span_writer *writer, jaeger_str message, uint32_t attributes);

/** Note a warning; the text must live until the span was written. @return false: out of memory */
bool jg_span_warn(jg_span_writer *writer, jg_span_edit *edit, jaeger_str text);
/** Is it an attribute that says what made the span? Index of its key, or -1. */
int jg_library_key(const jg_span_item *attr);
/** A Link without a trace id. */
bool jg_link_is_empty(jaeger_str link);

#endif
