/* SPDX-License-Identifier: Apache-2.0
 * The summary of a trace, for drivers that have none: root, times, counts by service.
 */
#ifndef JG_QUERY_SUMMARY_H
#define JG_QUERY_SUMMARY_H

#include "core/attr.h"
#include <jaeger/storage.h>

/** @param arena holds the list of services; strings lie in the trace. @return RESOURCE_EXHAUSTED */
jaeger_status jg_summarize(const jaeger_batch *trace, jaeger_arena *arena, jaeger_trace_summary *ret,
                           jaeger_error *err) JG_MUST_CHECK;

#endif
