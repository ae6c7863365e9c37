/* SPDX-License-Identifier: Apache-2.0
 * telemetry.sdk.* and telemetry.distro.* say what made the span, so they belong to the resource: they are
 * moved there, unless the resource says something else. Resources do not reach beyond their chunk.
 */
#ifndef JG_QUERY_ADJUST_LIBRARY_H
#define JG_QUERY_ADJUST_LIBRARY_H

#include "query/adjust/write.h"

/** The resources of one chunk; zero it. */
typedef struct jg_libraries {
    jaeger_arena *arena; /* NULL until there is such an attribute */
    struct jg_library **by_resource;
} jg_libraries;

void jg_libraries_done(jg_libraries *libraries);
/** Move such attributes of the span in `writer`. @return false: out of memory */
bool jg_library_move(jg_libraries *libraries, const jaeger_batch *chunk, const jaeger_span *span,
                     jg_span_writer *writer, jg_span_edit *edit);
/** Add what was moved to the resources. */
jaeger_status jg_library_write(const jg_libraries *libraries, jaeger_batch *chunk, jg_buf *buf,
                               jaeger_error *err) JG_MUST_CHECK;

#endif
