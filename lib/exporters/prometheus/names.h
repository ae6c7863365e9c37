/* SPDX-License-Identifier: Apache-2.0
 * OTLP names as Prometheus names. Rules: github.com/prometheus/otlptranslator, and
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
#ifndef JG_EXPORTERS_PROMETHEUS_NAMES_H
#define JG_EXPORTERS_PROMETHEUS_NAMES_H

#include "core/buf.h"

typedef enum jg_prom_strategy {
    JG_PROM_UNDERSCORES_SUFFIXES, /* UnderscoreEscapingWithSuffixes */
    JG_PROM_UNDERSCORES,          /* UnderscoreEscapingWithoutSuffixes */
    JG_PROM_UTF8_SUFFIXES,        /* NoUTF8EscapingWithSuffixes: escaped on the page, which is ASCII */
    JG_PROM_UTF8                  /* NoTranslation */
} jg_prom_strategy;

typedef struct jg_prom_name {
    jaeger_str space, name, unit;
    bool counter, gauge;
} jg_prom_name;

/** Append the name of a family. */
void jg_prom_write_name(jg_buf *out, const jg_prom_name *name, jg_prom_strategy strategy);
/** Append an attribute's key as a label. @param keep_underscore the gate PermissiveLabelSanitization */
void jg_prom_write_label(jg_buf *out, jaeger_str key, bool keep_underscore);
/** Append a number as Go's 'g' format prints it. @param whole_point OpenMetrics: "1.0", not "1" */
void jg_prom_write_number(jg_buf *out, double value, bool whole_point);
/** Append with \ " and newline escaped, and U+FFFD for what is not UTF-8. */
void jg_prom_write_escaped(jg_buf *out, jaeger_str text, bool quotes);

#endif
