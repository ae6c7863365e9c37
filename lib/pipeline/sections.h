/* SPDX-License-Identifier: Apache-2.0
 * The configuration as the graph needs it: the five sections of components, each entry bound to its type, and
 * the service section. Unused components are decoded and checked like used ones. Rules:
 * opentelemetry-collector otelcol/config.go, service/pipelines/config.go.
 */
#ifndef JG_PIPELINE_SECTIONS_H
#define JG_PIPELINE_SECTIONS_H

#include "pipeline/report.h"
#include <jaeger/component.h>

#define JG_KINDS (JAEGER_EXTENSION + 1)

/** Where types of components are found: the embedder's first, then the built-in ones. */
typedef struct jg_types {
    const jaeger_component_type *const *builtin; /* NULL-terminated; may be NULL */
    const jaeger_component_type *const *more;
    size_t more_count;
} jg_types;

/** One entry of a section. */
typedef struct jg_def {
    const char *id;
    const jaeger_component_type *type;
    const jaeger_config *node; /* its body; a null node for an empty one */
    void *config;              /* bound */
    const char *use_instead;   /* the new name of an old type name; NULL: none */
} jg_def;

typedef struct jg_defs {
    jg_def *items;
    size_t count, cap;
} jg_defs;

/** One pipeline as configured; ids are trimmed and NUL-terminated. */
typedef struct jg_pipeline_def {
    const char *name;
    uint32_t signal;
    const jaeger_config *node;
    const char **receivers, **processors, **exporters;
    size_t receiver_count, processor_count, exporter_count;
} jg_pipeline_def;

typedef struct jg_sections {
    jg_defs defs[JG_KINDS];
    const char **extensions; /* service::extensions */
    size_t extension_count;
    jg_pipeline_def *pipelines;
    size_t pipeline_count, pipeline_cap;
    const jaeger_config *root, *telemetry; /* service::telemetry; NULL: absent */
} jg_sections;

/** Decode `root` (NULL: no configuration). Everything lives in the arena and in the tree of `root`.
 *  @return false: faults were added, or out of memory (also a fault) */
bool jg_sections_decode(const jaeger_config *root, const jg_types *types, jaeger_arena *arena,
                        jg_sections *ret, jg_report *report);
/** Log what works, but under an old name. */
void jg_sections_warn(const jg_sections *sections, const jaeger_logger *log);
/** References, lists that must not be empty, the components' own checks. */
void jg_sections_validate(const jg_sections *sections, bool allow_no_pipelines, jg_report *report);
/** NULL: not defined. */
const jg_def *jg_sections_find(const jg_sections *sections, jaeger_kind kind, const char *id);
/** The type that `name` means, old names included; NULL: none. `ret_advice` (may be NULL): the name to use
 * instead, or NULL. */
const jaeger_component_type *jg_types_find(const jg_types *types, jaeger_kind kind, jaeger_str name,
                                           const char **ret_advice);
/** Walk all types: the embedder's, then the built-in ones; NULL at the end. */
const jaeger_component_type *jg_types_at(const jg_types *types, size_t index);

#endif
