/* SPDX-License-Identifier: Apache-2.0
 * How the bytes of a span are taken apart, so that they can be put together again, byte for byte.
 *
 * Nearly every encoder writes a span's fields in one order:
 *   trace_id span_id [A] parent_id? name+kind start end [M] attributes* [B] events* [C]
 * where A, M, B, C are runs of other fields (trace state, dropped counts, links, status, flags, unknown
 * ones), kept as they came and interned together as the "tail". name+kind is kept as bytes too. A span in any
 * other order, or with lengths written longer than needed, is stored whole.
 */
#ifndef JG_EMBEDDED_LAYOUT_H
#define JG_EMBEDDED_LAYOUT_H

#include "core/attr.h"
#include <jaeger/batch.h>

typedef struct jg_slice {
    const uint8_t *ptr;
    uint32_t len;
} jg_slice;

/** An attribute (body of the KeyValue) or an event's name field (with its tag). */
typedef struct jg_piece {
    const uint8_t *ptr;
    uint32_t len;
    uint32_t is_name;
} jg_piece;

typedef struct jg_event_head {
    uint64_t time_unix_ns;
    uint32_t attr_count;
    bool has_name;
} jg_event_head;

enum { JG_PARENT_NONE, JG_PARENT_BYTES, JG_PARENT_EMPTY };

/** Vectors grow and are reused; zero-initialise once, jg_layout_done at the end. */
typedef struct jg_layout {
    bool whole; /* not in the usual order: stored as it is; pieces are for the index only */
    uint8_t parent;
    bool has_links;
    jg_slice op, a, m, b, c;
    uint32_t attr_count;
    jg_piece *pieces; /* span attributes, then for each event its name and attributes */
    size_t piece_count, piece_cap;
    jg_event_head *events;
    size_t event_count, event_cap;
} jg_layout;

/** Take a checked span apart. @return false: out of memory */
bool jg_layout_span(jg_layout *layout, const uint8_t *bytes, size_t len);
void jg_layout_done(jg_layout *layout);

#endif
