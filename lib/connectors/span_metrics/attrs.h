/* SPDX-License-Identifier: Apache-2.0
 * The attributes of span metrics: what identifies a series, written as the body of a KeyValueList.
 */
#ifndef JG_CONNECTORS_SPAN_METRICS_ATTRS_H
#define JG_CONNECTORS_SPAN_METRICS_ATTRS_H

#include "core/buf.h"
#include <jaeger/batch.h>
#include <jaeger/config.h>

/** One of `dimensions`. */
typedef struct jg_sm_dimension {
    jaeger_str name, glob;
    const jaeger_config *fallback; /* NULL: none */
} jg_sm_dimension;

void jg_sm_attr_str(jg_buf *out, jaeger_str key, jaeger_str value);
/** For each dimension the attribute of the span, else of the event (may be NULL), else of the resource, else
 * the default. */
void jg_sm_attr_dimensions(jg_buf *out, const jaeger_block_list *dimensions, const jaeger_span *span,
                           const jaeger_event *event);
/** "SPAN_KIND_SERVER", "STATUS_CODE_OK" */
jaeger_str jg_sm_kind(uint32_t kind);
jaeger_str jg_sm_status(uint32_t code);
/** '*' stands for any text, '?' for one character. */
bool jg_sm_glob(jaeger_str pattern, jaeger_str text);
/** How many spans one span stands for, by `ot=th:…` of its trace state: 1 if it says nothing. */
double jg_sm_adjusted_count(const jaeger_span *span);

#endif
