/* SPDX-License-Identifier: Apache-2.0
 * From sources to one tree: read, merge, --set, expand ${scheme:...}. Rules: OpenTelemetry Collector confmap.
 */
#ifndef JG_CONFIG_LOAD_H
#define JG_CONFIG_LOAD_H

#include "core/attr.h"
#include "core/buf.h"
#include <jaeger/config.h>

typedef struct jg_config_sources {
    const char *yaml;        /* used if uri_count is 0; NULL: no configuration at all */
    const char *const *uris; /* "file:x", "x", "env:VAR", "yaml:a::b: 1", "http://…", "https://…" */
    size_t uri_count;
    const char *const *sets; /* "a.b=value" */
    size_t set_count;
    const char *(*getenv)(void *user, const char *name); /* NULL: all unset */
    void *user;
} jg_config_sources;

/** @return INVALID_ARGUMENT with file:line; NOT_FOUND: no such file */
jaeger_status jg_config_load(const jg_config_sources *sources, jaeger_config **ret,
                             jaeger_error *err) JG_MUST_CHECK;
/** Fail with "<path>: <text> (file:line)". */
jaeger_status jg_config_fail(jaeger_error *err, const jaeger_config *node, const char *format, ...)
    JG_PRINTF(3, 4);
/** The tree as it stands, as YAML. `indent`: spaces before each line. */
void jg_config_write_yaml(jg_buf *out, const jaeger_config *node, unsigned indent);
/** A bound struct with its defaults, for print-config. `redact`: values of keys that hold secrets become
 * [REDACTED]. Optional blocks that are off are null. */
void jg_config_write_bound_yaml(jg_buf *out, const jaeger_field *fields, const void *bound, unsigned indent,
                                bool redact);
void jg_config_write_bound_json(jg_buf *out, const jaeger_field *fields, const void *bound, bool redact);

#endif
