/* SPDX-License-Identifier: Apache-2.0
 * The file provider: strategies from a path or a URL, read again every so often.
 */
#ifndef JG_SAMPLING_FILE_H
#define JG_SAMPLING_FILE_H

#include "core/attr.h"
#include <jaeger/sampling.h>

typedef struct jg_file_provider jg_file_provider;

typedef struct jg_file_provider_options {
    const char
        *path; /* or URL; empty: the default probability for all. Must outlive the provider, as the others */
    uint64_t reload_interval_ns; /* 0: never */
    double default_rate;
    const jaeger_logger *log;
} jg_file_provider_options;

/** Reads the file. @return what is wrong with it; UNAVAILABLE: not reachable. A URL that answers 503 gives
 * defaults until it answers otherwise. */
jaeger_status jg_file_provider_new(const jg_file_provider_options *options, jg_file_provider **ret,
                                   jaeger_error *err) JG_MUST_CHECK;
void jg_file_provider_free(jg_file_provider *provider);
/** Read it now if it has changed; what a reload does. @return as new; the old strategies stay */
jaeger_status jg_file_provider_reload(jg_file_provider *provider, jaeger_error *err) JG_MUST_CHECK;
/** `self` is the jg_file_provider. */
extern const jaeger_sampling_provider jg_file_provider_table;

#endif
