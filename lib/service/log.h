/* SPDX-License-Identifier: Apache-2.0
 * The service's log: between its components and the embedder's sink. It drops repeats, adds fixed fields, and
 * writes into files if the configuration names some.
 */
#ifndef JG_SERVICE_LOG_H
#define JG_SERVICE_LOG_H

#include "core/attr.h"
#include <jaeger/config.h>

/** How many lines of one kind are kept: the first `initial` of each `tick`, then every `thereafter`-th. */
typedef struct jg_log_sampling {
    bool enabled;
    uint64_t tick_ns, initial, thereafter;
} jg_log_sampling;

typedef struct jg_log_options {
    const jaeger_log_sink *sink; /* the embedder's; takes "stderr" and "stdout" unless standard_streams; copied */
    jaeger_str_list paths;       /* "stderr", "stdout", files (appended to, made if need be) */
    bool standard_streams;       /* write to the process's own streams: jaeger_main only */
    jaeger_level level;
    bool json;
    jaeger_str fields; /* JSON members without braces, added to each line; may be empty; copied */
    jg_log_sampling sampling;
} jg_log_options;

typedef struct jg_log jg_log;

/** @return NOT_FOUND, PERMISSION_DENIED: a file could not be opened; RESOURCE_EXHAUSTED */
jaeger_status jg_log_open(const jg_log_options *options, jg_log **ret, jaeger_error *err) JG_MUST_CHECK;
/** Accepts NULL. */
void jg_log_close(jg_log *log);
const jaeger_log_sink *jg_log_sink(const jg_log *log);

#endif
