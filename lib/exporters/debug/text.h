/* SPDX-License-Identifier: Apache-2.0
 * A batch as text for people, in the words of the Collector's debug exporter.
 */
#ifndef JG_EXPORTERS_DEBUG_TEXT_H
#define JG_EXPORTERS_DEBUG_TEXT_H

#include "core/buf.h"
#include <jaeger/batch.h>

/** One line per span: name, ids, attributes. */
void jg_debug_text_normal(jg_buf *out, const jaeger_batch *batch);
/** Everything. */
void jg_debug_text_detailed(jg_buf *out, const jaeger_batch *batch);
/** One line per data point. */
void jg_debug_text_metrics(jg_buf *out, const jaeger_batch *batch);
typedef struct jg_debug_counts {
    size_t resources, metrics, points;
} jg_debug_counts;
jg_debug_counts jg_debug_metric_counts(const jaeger_batch *batch);
/** Number of different resources. */
size_t jg_debug_resource_count(const jaeger_batch *batch);

#endif
