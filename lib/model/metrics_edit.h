/* SPDX-License-Identifier: Apache-2.0
 * Changing OTLP metrics: a message is copied, and on the way its parts are asked for: kept as they are, left
 * out, or written anew. What has lost all its items is left out, too.
 */
#ifndef JG_MODEL_METRICS_EDIT_H
#define JG_MODEL_METRICS_EDIT_H

#include "model/metrics.h"

typedef enum jg_metric_verdict { JG_METRIC_KEEP, JG_METRIC_LEAVE_OUT, JG_METRIC_WRITTEN } jg_metric_verdict;

/** Questions; each may be NULL: kept. */
typedef struct jg_metric_editor {
    /** `at` knows its resource; for scopes also that; for metrics all but the point. Not WRITTEN. */
    jg_metric_verdict (*resource)(void *self, const jg_metric_point *at);
    jg_metric_verdict (*scope)(void *self, const jg_metric_point *at);
    /** @param body of the Metric; @param data of its gauge, sum, ... */
    jg_metric_verdict (*metric)(void *self, const jg_metric_point *at, jaeger_str body, jaeger_str data);
    /** WRITTEN: the new body was appended to `out`. */
    jg_metric_verdict (*point)(void *self, const jg_metric_point *point, jaeger_str metric_body, jg_buf *out);
    void *self;
} jg_metric_editor;

/** Append what is left of a message that was checked. @param ret_changed set if anything differs
 *  @return false: nothing is left */
bool jg_metrics_edit(jaeger_str message, const jg_metric_editor *editor, jg_buf *out, bool *ret_changed);

/** A whole batch: unchanged, or replaced. Takes and gives one reference; *batch NULL: nothing is left.
 *  @return RESOURCE_EXHAUSTED; *batch is then as it was */
jaeger_status jg_metrics_edit_batch(jaeger_batch **batch, const jg_metric_editor *editor,
                                    jaeger_error *err) JG_MUST_CHECK;

#endif
