/* SPDX-License-Identifier: Apache-2.0
 * Reading a memtable: search and traces, by looking at all rows (131 thousand take about a millisecond).
 */
#ifndef JG_EMBEDDED_MEMTABLE_SEARCH_H
#define JG_EMBEDDED_MEMTABLE_SEARCH_H

#include "model/match.h"
#include "storage/embedded/chunk.h"
#include "storage/embedded/hits.h"
#include "storage/embedded/memtable.h"

/** Add the traces that match. @return RESOURCE_EXHAUSTED; DEADLINE_EXCEEDED; DATA_LOSS */
jaeger_status jg_mt_search(const jg_mt *mem, const jg_match *match, jg_hits *hits,
                           jaeger_call *call) JG_MUST_CHECK;
/** Set ret[trace] for the traces of the first `count` rows that may match. */
jaeger_status jg_mt_candidates(const jg_mt *mem, const jg_match *match, uint32_t count, uint8_t *ret,
                               jaeger_call *call) JG_MUST_CHECK;
/** The rows of a trace, in order of arrival. @param ret jg_free; NULL if there are none */
jaeger_status jg_mt_trace_rows(const jg_mt *mem, const uint8_t trace_id[16], uint32_t **ret,
                               uint32_t *ret_count, jaeger_error *err) JG_MUST_CHECK;
/** Hand out the spans of a trace. */
jaeger_status jg_mt_write_trace(const jg_mt *mem, const uint8_t trace_id[16], jg_chunk *out) JG_MUST_CHECK;

#endif
