/* SPDX-License-Identifier: Apache-2.0
 * Root spans counted by service and operation, with the sampler parameters they were sampled by. Bounded:
 * what is over JG_SAMPLING_RECORDED_MAX operations is refused.
 */
#ifndef JG_SAMPLING_THROUGHPUT_H
#define JG_SAMPLING_THROUGHPUT_H

#include "core/attr.h"
#include "core/map.h"
#include <jaeger/sampling.h>

#define JG_THROUGHPUT_PARAMS_MAX 10 /* distinct parameters kept of one operation; Jaeger's */

typedef struct jg_throughput_table {
    jaeger_arena *arena;
    jg_map entries;  /* "<service length><service><operation>" -> jaeger_throughput */
    size_t services; /* distinct ones */
    jg_map service_names;
} jg_throughput_table;

/** @return NULL: out of memory */
jg_throughput_table *jg_throughput_table_new(void);
void jg_throughput_table_free(jg_throughput_table *table);

/** "%.6f", as parameters are compared. @return length */
#define JG_PARAM_TEXT_MAX 64
size_t jg_param_text(double param, char out[JG_PARAM_TEXT_MAX]);

/** The entry of an operation, made if it is new; its `probabilities` has room for all. NULL: over the bounds
 */
jaeger_throughput *jg_throughput_entry(jg_throughput_table *table, jaeger_str service, jaeger_str operation);
/** NULL: none */
const jaeger_throughput *jg_throughput_find(const jg_throughput_table *table, jaeger_str service,
                                            jaeger_str operation);
/** Note one more parameter, unless it is there or there are too many. */
void jg_throughput_add_param(jg_throughput_table *table, jaeger_throughput *entry, jaeger_str text);
bool jg_throughput_has_param(const jaeger_throughput *entry, jaeger_str text);

#endif
