/* SPDX-License-Identifier: Apache-2.0
 * Ids: "type[/name]" of components, "signal[/name]" of pipelines.
 * Rules: opentelemetry-collector component/identifiable.go: a type is a letter and up to 62 letters, digits
 * or underscores; a name is 1 to 1024 characters without white space, control or symbol characters.
 */
#ifndef JG_PIPELINE_IDS_H
#define JG_PIPELINE_IDS_H

#include "core/attr.h"
#include <jaeger/component.h>

typedef struct jg_id {
    jaeger_str text; /* trimmed */
    jaeger_str type;
    jaeger_str name; /* ptr NULL: none */
} jg_id;

/** Slices of `text`. @return INVALID_ARGUMENT: what is wrong with it */
jaeger_status jg_id_parse(jaeger_str text, jg_id *ret, jaeger_error *err) JG_MUST_CHECK;
/** JAEGER_TRACES for "traces" and so on; 0: no signal. */
uint32_t jg_signal_parse(jaeger_str text);
/** "traces" for JAEGER_TRACES; the lowest bit decides. */
const char *jg_signal_name(uint32_t signal);
/** "receiver", ... */
const char *jg_kind_name(jaeger_kind kind);
/** "receivers", ...: the section of the configuration. */
const char *jg_kind_section(jaeger_kind kind);

#endif
