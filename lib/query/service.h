/* SPDX-License-Identifier: Apache-2.0
 * The query service from inside. The public part is jaeger/query.h.
 */
#ifndef JG_QUERY_SERVICE_H
#define JG_QUERY_SERVICE_H

#include "query/measure.h"
#include <jaeger/query.h>

/** Measure storage calls under these backend names; before the first call. */
void jg_query_measure(jaeger_query *query, jg_metrics *metrics, jaeger_str traces_name,
                      jaeger_str archive_name);

#define JG_SERVICE_NAME_REQUIRED                                                                             \
    "this storage backend requires a service name to search; searching all services is not supported"

#define JG_STRUCTURED_DISABLED                                                                               \
    "the structured query filter is disabled: enable the \"jaeger.query.structuredFilters\" feature gate "   \
    "to use it"
/** May the v3 APIs take Jaeger's structured filter? */
bool jg_query_takes_structured(const jaeger_query *query);

/** As jaeger_query_find_page(), with the summaries of the traces. */
jaeger_status jg_query_find_summary_page(jaeger_query *query, const jaeger_trace_query *find,
                                         jaeger_page *page, jaeger_summary_sink out,
                                         jaeger_call *call) JG_MUST_CHECK;

/** Within a second: what an index of the store knows of attributes; nothing if it has none. See
 * jaeger_storage_driver.attributes. */
jaeger_status jg_query_attributes(jaeger_query *query, jaeger_str service, jaeger_str key,
                                  jaeger_attr_sink out, jaeger_call *call) JG_MUST_CHECK;

#endif
