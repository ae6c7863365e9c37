/* SPDX-License-Identifier: Apache-2.0
 * Conditions in OTTL, the expression language of the Collector, over resources, scopes, spans, span events,
 * metrics and data points. A condition is parsed and checked once, then tested on views of the wire bytes:
 * paths are read by iterators, only functions that make new values use the scratch arena. The supported
 * grammar: docs/ottl.md. Spec: opentelemetry-collector-contrib pkg/ottl/LANGUAGE.md,
 * pkg/ottl/ottlfuncs/README.md.
 */
#ifndef JG_OTTL_OTTL_H
#define JG_OTTL_OTTL_H

#include "core/attr.h"
#include <jaeger/batch.h>

/** What a condition speaks about; each sees the ones before it. */
typedef enum jg_ottl_context {
    JG_OTTL_RESOURCE,
    JG_OTTL_SCOPE,
    JG_OTTL_SPAN,
    JG_OTTL_SPANEVENT,
    JG_OTTL_METRIC, /* sees resource and scope */
    JG_OTTL_DATAPOINT,
    JG_OTTL_CONTEXTS,
    JG_OTTL_INFER = JG_OTTL_CONTEXTS, /* the lowest context of its paths, of traces */
    JG_OTTL_INFER_METRIC              /* of metrics */
} jg_ottl_context;

struct jg_metric_point; /* model/metrics.h */

typedef struct jg_ottl_view {
    const jaeger_span_group *group;
    const jaeger_span *span;   /* JG_OTTL_SPAN and below */
    const jaeger_event *event; /* JG_OTTL_SPANEVENT */
    uint32_t event_index;
    const struct jg_metric_point *point; /* JG_OTTL_METRIC: without the point; JG_OTTL_DATAPOINT */
    jaeger_str metric_body, metric_data; /* the same; data: JG_OTTL_METRIC only */
} jg_ottl_view;

typedef struct jg_ottl jg_ottl;

/** Parse one condition.
 *  @param bare  paths may omit the context ("name" for "span.name"); not when it is inferred
 *  @return INVALID_ARGUMENT: the message has the column. *ret is freed with jg_ottl_free() */
jaeger_status jg_ottl_parse(jaeger_str text, jg_ottl_context context, bool bare, jg_ottl **ret,
                            jaeger_error *err) JG_MUST_CHECK;
void jg_ottl_free(jg_ottl *condition);
jg_ottl_context jg_ottl_context_of(const jg_ottl *condition);
/** "resource", "scope", "span", "spanevent", "metric", "datapoint". @return false: another word */
bool jg_ottl_context_from_text(jaeger_str text, jg_ottl_context *ret);

/** Is the condition true for `view`? Threads: any. @param scratch reset by the caller
 *  @return INVALID_ARGUMENT: it cannot be told, such as a text function on a number */
jaeger_status jg_ottl_test(const jg_ottl *condition, const jg_ottl_view *view, jaeger_arena *scratch,
                           bool *ret, jaeger_error *err) JG_MUST_CHECK;

typedef enum jg_ottl_error_mode {
    JG_OTTL_IGNORE, /* a condition that fails is false, and logged */
    JG_OTTL_SILENT, /* ... and not logged */
    JG_OTTL_PROPAGATE
} jg_ottl_error_mode;
#define JG_OTTL_ERROR_MODES "ignore|silent|propagate"

/** Conditions of one context, joined by or. Zeroed: none, never true. */
typedef struct jg_ottl_set {
    jg_ottl **items;
    size_t count, cap;
    jg_ottl_error_mode error_mode;
    uint64_t logged_ns; /* when a failure was logged last */
} jg_ottl_set;

/** Takes the condition, also on failure. */
jaeger_status jg_ottl_set_add(jg_ottl_set *set, jg_ottl *take, jaeger_error *err) JG_MUST_CHECK;
void jg_ottl_set_done(jg_ottl_set *set);
/** Is any of them true? The arena is reset. Ignored failures are logged once a second at most.
 *  @return as jg_ottl_test, with JG_OTTL_PROPAGATE only */
jaeger_status jg_ottl_set_test(jg_ottl_set *set, const jg_ottl_view *view, jaeger_arena *scratch,
                               const jaeger_logger *log, bool *ret, jaeger_error *err) JG_MUST_CHECK;

#endif
