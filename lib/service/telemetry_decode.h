/* SPDX-License-Identifier: Apache-2.0
 * Between the files that read service::telemetry.
 */
#ifndef JG_SERVICE_TELEMETRY_DECODE_H
#define JG_SERVICE_TELEMETRY_DECODE_H

#include "service/telemetry.h"

typedef struct jg_telemetry_decoder {
    jaeger_arena *arena;
    jg_telemetry *t;
    jg_report *report;
} jg_telemetry_decoder;

/** Report `text` with the node's path and place. */
void jg_telemetry_fault(jg_telemetry_decoder *d, const jaeger_config *node, const char *text);
/** @param keys NULL-terminated @return false: there is another one, reported */
bool jg_telemetry_only_keys(jg_telemetry_decoder *d, const jaeger_config *node, const char *const *keys);
/** Bind by fields. @return false: reported */
bool jg_telemetry_bind(jg_telemetry_decoder *d, const jaeger_config *node, const jaeger_field *fields,
                       void *ret);
/** exporter::otlp */
extern const jaeger_field jg_telemetry_otlp_fields[];

/** service::telemetry::traces (telemetry_traces.c) */
void jg_telemetry_decode_traces(jg_telemetry_decoder *d, const jaeger_config *node);

#endif
