/* SPDX-License-Identifier: Apache-2.0
 * The filter processor on metrics.
 */
#ifndef JG_PROCESSORS_FILTER_METRICS_H
#define JG_PROCESSORS_FILTER_METRICS_H

#include "processors/filter/rules.h"

/** Leave out what the rules drop. Takes and gives one reference; *batch NULL: nothing is left.
 *  @return INVALID_ARGUMENT: a condition cannot be told (error_mode propagate); RESOURCE_EXHAUSTED */
jaeger_status jg_filter_metrics(jg_filter_rules *rules, jaeger_batch **batch, const jaeger_logger *log,
                                jaeger_error *err);

#endif
