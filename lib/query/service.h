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

/** What an index of the store knows of attributes; nothing if it has none. See
 * jaeger_storage_driver.attributes. */
jaeger_status jg_query_attributes(jaeger_query *query, jaeger_str key, jaeger_attr_sink out,
                                  jaeger_call *call) JG_MUST_CHECK;

#endif
