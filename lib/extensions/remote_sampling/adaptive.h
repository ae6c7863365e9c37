/* SPDX-License-Identifier: Apache-2.0
 * The block `adaptive` of remote_sampling.
 */
#ifndef JG_EXTENSIONS_REMOTE_SAMPLING_ADAPTIVE_H
#define JG_EXTENSIONS_REMOTE_SAMPLING_ADAPTIVE_H

#include "pipeline/host.h"
#include "sampling/adaptive.h"

typedef struct jg_adaptive_config {
    bool enabled;
    jaeger_str sampling_store;
    jg_adaptive_options options;
} jg_adaptive_config;

extern const jaeger_field jg_adaptive_fields[];

/** Open the store by its name and start the engine. @return FAILED_PRECONDITION: no such store, or it keeps
 * nothing for sampling */
jaeger_status jg_adaptive_config_start(const jg_adaptive_config *config, jaeger_host *host,
                                       const jaeger_logger *log, jg_adaptive **ret,
                                       jaeger_error *err) JG_MUST_CHECK;

#endif
