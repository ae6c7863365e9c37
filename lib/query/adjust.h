/* SPDX-License-Identifier: Apache-2.0
 * Adjusters: what Jaeger changes in a trace before it shows it. Rules: docs/compatibility.md; the order is
 * Jaeger's.
 */
#ifndef JG_QUERY_ADJUST_H
#define JG_QUERY_ADJUST_H

#include "core/attr.h"
#include <jaeger/batch.h>

/** Adjust one whole trace. `*trace` is replaced by a copy of its index if it is shared.
 *  @param max_skew_ns clocks are moved by so much at most; 0: not at all, warnings only
 *  @return RESOURCE_EXHAUSTED; `*trace` stays valid */
jaeger_status jg_adjust(jaeger_batch **trace, uint64_t max_skew_ns, jaeger_error *err) JG_MUST_CHECK;
/** Add a warning to span `index`. The batch must be owned. */
jaeger_status jg_adjust_warn(jaeger_batch *trace, size_t index, jaeger_str warning,
                             jaeger_error *err) JG_MUST_CHECK;

#endif
