/* SPDX-License-Identifier: Apache-2.0
 * The strategies file: JSON of a default strategy and of services, each with operations. Reading it merges
 * the default's operations into every listed service, by Jaeger's rules. Format:
 * https://www.jaegertracing.io/docs/latest/sampling/#file-based-sampling-configuration
 */
#ifndef JG_SAMPLING_STRATEGIES_FILE_H
#define JG_SAMPLING_STRATEGIES_FILE_H

#include "sampling/strategy_set.h"

typedef struct jg_strategies_options {
    double default_rate;      /* default_sampling_probability */
    const char *name;         /* for messages: path or URL */
    const jaeger_logger *log; /* warnings; may be NULL */
} jg_strategies_options;

/** Read a file's text; "null" gives the defaults. Keys match in any case, unknown ones are skipped, and of
 * equal ones the last counts, as in Go's encoding/json.
 *  @return INVALID_ARGUMENT: "<name>:<line>:<column>: <why>"; RESOURCE_EXHAUSTED: JG_SAMPLING_* limits */
jaeger_status jg_strategies_read(jaeger_str text, const jg_strategies_options *options, jg_strategy_set **ret,
                                 jaeger_error *err) JG_MUST_CHECK;
/** What is served without a file. @return NULL: out of memory */
jg_strategy_set *jg_strategies_default(double default_rate);

#endif
