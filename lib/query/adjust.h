/* SPDX-License-Identifier: Apache-2.0
 * Adjusters: what Jaeger changes in a trace before it shows it. Rules: docs/compatibility.md; the order is
 * Jaeger's.
 *
 * A trace is read twice: the first reading leaves a row of 48 bytes a span, from which is computed what shall
 * change; the second rewrites the spans, chunk by chunk. So a trace of any size is adjusted without holding
 * it. One that is held already is its own only chunk.
 */
#ifndef JG_QUERY_ADJUST_H
#define JG_QUERY_ADJUST_H

#include "core/attr.h"
#include <jaeger/batch.h>

/** Adjust one whole trace. `*trace` is replaced by a copy of its index if it is shared.
 *  @param max_skew_ns clocks are moved by so much at most; 0: not at all, warnings only
 *  @return RESOURCE_EXHAUSTED; `*trace` stays valid */
jaeger_status jg_adjust(jaeger_batch **trace, uint64_t max_skew_ns, jaeger_error *err) JG_MUST_CHECK;
/** Only fill jaeger_span.id_marks of one whole trace. */
jaeger_status jg_mark_ids(jaeger_batch **trace, jaeger_error *err) JG_MUST_CHECK;
/** Add a warning to span `index`. The batch must be owned. */
jaeger_status jg_adjust_warn(jaeger_batch *trace, size_t index, jaeger_str warning,
                             jaeger_error *err) JG_MUST_CHECK;

/* ---- chunk by chunk: add all chunks, settle; if it asks for it compare all chunks; finish; apply to all */

typedef struct jg_plan jg_plan;

/** @param adjusts false: the spans only get their id_marks. @return NULL: out of memory */
jg_plan *jg_plan_new(bool adjusts, uint64_t max_skew_ns);
void jg_plan_free(jg_plan *plan);
/** @return RESOURCE_EXHAUSTED: no memory, or more than JG_PLAN_BYTES_MAX */
jaeger_status jg_plan_add(jg_plan *plan, const jaeger_batch *chunk, jaeger_error *err) JG_MUST_CHECK;
/** @param ret_compares  spans share an id, so whether they are copies must be seen from their content */
jaeger_status jg_plan_settle(jg_plan *plan, bool *ret_compares, jaeger_error *err) JG_MUST_CHECK;
/** @return DATA_LOSS: these are not the chunks that were added (the same for apply) */
jaeger_status jg_plan_compare(jg_plan *plan, const jaeger_batch *chunk, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_plan_finish(jg_plan *plan, jaeger_error *err) JG_MUST_CHECK;
/** Adjust the next chunk; it may have fewer spans then, even none. Replaced by a copy if it is shared. */
jaeger_status jg_plan_apply(jg_plan *plan, jaeger_batch **chunk, jaeger_error *err) JG_MUST_CHECK;
/** Were all spans of the first reading seen in this one? */
bool jg_plan_is_complete(const jg_plan *plan);
/** What to answer if not: DATA_LOSS. */
jaeger_status jg_plan_changed(jaeger_error *err);

#endif
