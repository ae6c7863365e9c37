/* SPDX-License-Identifier: Apache-2.0
 * Spans on their way out: gathered as an OTLP message, handed to the consumer in pieces of bounded size.
 */
#ifndef JG_EMBEDDED_CHUNK_H
#define JG_EMBEDDED_CHUNK_H

#include "core/buf.h"
#include <jaeger/storage.h>

#define JG_CHUNK_BYTES (1u << 20) /* a chunk is handed on once it is larger; one span may be larger alone */

typedef struct jg_chunk {
    jaeger_consumer out;
    jaeger_call *call;
    jg_buf buf;
    bool open;
    size_t resource_mark, scope_mark;
    jaeger_span_group group;
    size_t span_count; /* handed out so far, and in buf */
    size_t span_limit; /* rows of memtables above it are left out; 0: none are */
} jg_chunk;

#define JG_CHUNK_INIT(consumer, for_call)                                                                    \
    ((jg_chunk){.out = (consumer), .call = (for_call), .buf = {.max = 1u << 30}})

/** Begin a span of this group; write its body to the returned buffer, then call jg_chunk_end_span. The
 * group's strings must live until then or the next flush. */
jg_buf *jg_chunk_begin_span(jg_chunk *chunk, const jaeger_span_group *group, size_t *ret_mark);
/** @return RESOURCE_EXHAUSTED; what the consumer returned */
jaeger_status jg_chunk_end_span(jg_chunk *chunk, size_t mark) JG_MUST_CHECK;
/** Take back a span that was begun. */
void jg_chunk_drop_span(jg_chunk *chunk, size_t mark);
/** Hand on what is there. */
jaeger_status jg_chunk_flush(jg_chunk *chunk) JG_MUST_CHECK;
void jg_chunk_done(jg_chunk *chunk);

#endif
