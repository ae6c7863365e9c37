/* SPDX-License-Identifier: Apache-2.0
 * Tools for a store's directory: look at it, check it, merge its small segments, take data out. The service
 * is not needed. stats and verify only read and may run beside a server; compact and export want the
 * directory for themselves.
 */
#ifndef JG_EMBEDDED_TOOLS_H
#define JG_EMBEDDED_TOOLS_H

#include "core/buf.h"
#include <jaeger/storage.h>

/** One line of JSON for each tenant, and one for the sum. */
jaeger_status jg_tool_stats(const char *directory, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
/** Check every hash, decode every span. One line for each file with a fault, and one at the end.
 *  @return DATA_LOSS: there are faults */
jaeger_status jg_tool_verify(const char *directory, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
/** Merge neighbouring small segments. One line for each tenant. */
jaeger_status jg_tool_compact(const char *directory, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;

typedef struct jg_tool_export_options {
    const char *directory;
    jaeger_str tenant;
    const jaeger_trace_ref *trace;       /* one trace; NULL: all of the range */
    uint64_t start_unix_ns, end_unix_ns; /* traces with a span that began then; 0: open */
} jg_tool_export_options;

/** Hand spans out as OTLP TracesData messages; written one after the other they are one message.
 *  @param write answers false: it cannot take more */
jaeger_status jg_tool_export(const jg_tool_export_options *options,
                             bool (*write)(void *user, const void *bytes, size_t len), void *user,
                             jaeger_error *err) JG_MUST_CHECK;

/** Merge the neighbouring small segments of an open store. @return number of segments merged away */
struct jg_store;
jaeger_status jg_store_compact(struct jg_store *store, uint32_t *ret_merged, jaeger_error *err) JG_MUST_CHECK;

#endif
