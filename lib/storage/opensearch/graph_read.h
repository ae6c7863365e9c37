/* SPDX-License-Identifier: Apache-2.0
 * What the service graph needs of spans: the questions, and the documents as they come back.
 */
#ifndef JG_STORAGE_OPENSEARCH_GRAPH_READ_H
#define JG_STORAGE_OPENSEARCH_GRAPH_READ_H

#include "storage/opensearch/read.h"

/** A span as a call: who called whom. Texts live in the arena of the page. */
typedef struct jg_os_call_span {
    uint8_t trace_id[16], span_id[8], parent_id[8];
    bool has_parent, is_server;
    uint64_t start_us;
    jaeger_str service, peer;         /* peer: tag peer.service, if it was asked for */
    jaeger_str trace_text, span_text; /* the ids as they stand in the document */
} jg_os_call_span;

/** Read the document that the scanner stands on. The parent is `parentSpanID`, else the first CHILD_OF of the
 * same trace, else the first other reference into it. @param dot stands for '.' in names of fields
 *  @return false: a fault; a document without ids or service has an empty service */
bool jg_os_read_call_span(jg_json_in *in, jaeger_str dot, jg_os_call_span *ret, jaeger_arena *arena);

/** A page of the spans that start in [start, end), in the order of start, span and trace id.
 *  @param after the last span of the page before; NULL: the first page
 *  @param peers only spans with the tag peer.service, and with that tag */
void jg_os_put_call_page(jg_buf *out, uint64_t start_unix_ns, uint64_t end_unix_ns, uint64_t size,
                         const jg_os_call_span *after, bool peers, jaeger_str dot);
/** Spans with one of these ids. */
void jg_os_put_call_parents(jg_buf *out, const jaeger_str *span_ids, size_t n, uint64_t size, jaeger_str dot);
/** Spans that refer to one of these. */
void jg_os_put_call_children(jg_buf *out, const jaeger_str *span_ids, size_t n, uint64_t size,
                             jaeger_str dot);

#endif
