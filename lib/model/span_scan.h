/* SPDX-License-Identifier: Apache-2.0
 * All that a writer wants of a span, found in one walk over its fields.
 */
#ifndef JG_MODEL_SPAN_SCAN_H
#define JG_MODEL_SPAN_SCAN_H

#include <jaeger/batch.h>

typedef struct jg_span_scan {
    jaeger_iter attrs, events, links; /* from the first to the last */
    jaeger_span_rest rest;
} jg_span_scan;

void jg_span_scan_of(const jaeger_span *span, jg_span_scan *ret);

#endif
