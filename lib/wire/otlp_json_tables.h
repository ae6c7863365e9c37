/* SPDX-License-Identifier: Apache-2.0
 * The tables behind OTLP-JSON: for each message its keys, the fields they stand for, and how values are read.
 */
#ifndef JG_WIRE_OTLP_JSON_TABLES_H
#define JG_WIRE_OTLP_JSON_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    JG_JSON_IS_MESSAGE,
    JG_JSON_IS_MESSAGES,
    JG_JSON_IS_STRING,
    JG_JSON_IS_STRINGS,
    JG_JSON_IS_ID16,
    JG_JSON_IS_ID8,
    JG_JSON_IS_BYTES,
    JG_JSON_IS_KIND,
    JG_JSON_IS_STATUS,
    JG_JSON_IS_UINT32,
    JG_JSON_IS_FIXED32,
    JG_JSON_IS_FIXED64,
    JG_JSON_IS_BOOL,
    JG_JSON_IS_INT64,
    JG_JSON_IS_DOUBLE,
    JG_JSON_IS_SINT32,
    JG_JSON_IS_SFIXED64,
    JG_JSON_IS_TEMPORALITY,
    JG_JSON_IS_FIXED64S, /* packed */
    JG_JSON_IS_UINT64S,
    JG_JSON_IS_DOUBLES
} jg_json_kind;

typedef struct jg_json_message jg_json_message;

/** One key. `len_bytes`: the usual size of a nested message's length. */
typedef struct jg_json_field {
    const char *name, *snake;
    uint8_t len, number, kind, len_bytes;
    const jg_json_message *sub;
} jg_json_field;

struct jg_json_message {
    const jg_json_field *fields;
    uint8_t count;
    bool keeps_zero; /* members of a oneof are written even if zero */
};

/** ExportTraceServiceRequest, ExportMetricsServiceRequest. */
extern const jg_json_message jg_otlp_json_traces, jg_otlp_json_metrics;

#endif
