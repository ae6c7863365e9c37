/* SPDX-License-Identifier: Apache-2.0
 * Several faults in one jaeger_error: one a line, as many as fit, then "and N more".
 */
#ifndef JG_CONFIG_FAULTS_H
#define JG_CONFIG_FAULTS_H

#include "core/attr.h"
#include <jaeger/config.h>

typedef struct jg_faults {
    char text[sizeof(((jaeger_error *)0)->message)];
    size_t len, count, hidden;
} jg_faults;

/** Add "<path>: <text> (<file:line>)", or without path and place if `node` is NULL. */
void jg_faults_add(jg_faults *faults, const jaeger_config *node, const char *format, ...) JG_PRINTF(3, 4);
/** Add the message of `err`, which may have several lines. */
void jg_faults_add_error(jg_faults *faults, const jaeger_error *err);
/** OK if there were none; else INVALID_ARGUMENT with all of them. */
jaeger_status jg_faults_end(const jg_faults *faults, jaeger_error *err) JG_MUST_CHECK;

#endif
