/* SPDX-License-Identifier: Apache-2.0
 * What we ask the cluster: bodies in its query DSL, the same as Jaeger's where Jaeger has them.
 * Spec: jaeger internal/storage/v2/elasticsearch/tracestore/core.
 */
#ifndef JG_STORAGE_OPENSEARCH_QUERY_BODY_H
#define JG_STORAGE_OPENSEARCH_QUERY_BODY_H

#include "core/json_out.h"
#include <jaeger/storage.h>

/** A range of start times, inclusive [Unix ns]; 0 and UINT64_MAX: open. */
typedef struct jg_os_window {
    uint64_t start_unix_ns, end_unix_ns;
} jg_os_window;

/** Where the next page begins: behind this span. */
typedef struct jg_os_cursor {
    bool set;
    uint64_t start_us;
    uint8_t span_id[8];
} jg_os_cursor;

/** Ids of the newest `limit` traces with a span that meets the query (and the narrowed filter), by that
 * span's start. @param dot what stands for '.' in names of fields */
void jg_os_put_find_ids(jg_buf *out, const jaeger_trace_query *query, jg_os_window window, uint64_t limit,
                        jaeger_str dot);
/** The spans of one trace in the order of pages. @param brief without what a summary does not need */
void jg_os_put_trace(jg_buf *out, const uint8_t trace_id[16], jg_os_window window, uint64_t size,
                     const jg_os_cursor *cursor, bool brief);
void jg_os_put_services(jg_buf *out, uint64_t size);
void jg_os_put_operations(jg_buf *out, jaeger_str service, uint64_t size);
void jg_os_put_dependencies(jg_buf *out, uint64_t start_unix_ns, uint64_t end_unix_ns, uint64_t size);

/* ---- parts ---- */

/** Where a tag may be, as bits. */
enum { JG_OS_IN_SPAN = 1, JG_OS_IN_PROCESS = 2, JG_OS_IN_LOGS = 4, JG_OS_ANYWHERE = 7 };
/** How its value is compared. */
typedef enum jg_os_compare {
    JG_OS_PATTERN, /* a Lucene expression, for the whole value */
    JG_OS_EQUALS,
    JG_OS_EXISTS
} jg_os_compare;

/** A query for a tag, as a value. */
void jg_os_put_tag(jg_json_out *j, jaeger_str key, jg_os_compare compare, jaeger_str value, unsigned where,
                   jaeger_str dot);
/** Does the filter narrow a search at all? */
bool jg_os_filter_narrows(const jaeger_filter *filter);
/** A query that every span meets which alone meets the filter; others may meet it, too. As a value. */
void jg_os_put_filter(jg_json_out *j, const jaeger_filter *filter, jaeger_str dot);
/** {"<kind>":{"<field>":…}} of the simple queries. */
void jg_os_put_term(jg_json_out *j, const char *field, jaeger_str value);
void jg_os_put_range(jg_json_out *j, const char *field, bool has_min, uint64_t min, bool has_max,
                     uint64_t max);

#endif
