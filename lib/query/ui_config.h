/* SPDX-License-Identifier: Apache-2.0
 * The user interface's configuration file, and the places of index.html where it goes.
 */
#ifndef JG_QUERY_UI_CONFIG_H
#define JG_QUERY_UI_CONFIG_H

#include "core/buf.h"

/** A configuration as it is put into the page; the text is freed with jg_free. */
typedef struct jg_ui_config {
    bool is_script; /* .js: replaces the line "// JAEGER_CONFIG_JS" and the one after it */
    char *text;     /* NULL: none */
    size_t len;
} jg_ui_config;

/** Read and check a file by its ending. @return INVALID_ARGUMENT */
jaeger_status jg_ui_config_read(const char *path, jg_ui_config *ret, jaeger_error *err) JG_MUST_CHECK;
/** A whole file. @return NOT_FOUND; RESOURCE_EXHAUSTED: larger than out->max */
jaeger_status jg_ui_read_file(const char *path, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;

/** Copy `page` to `out`, with the assignments of configuration, version and capabilities filled in. */
void jg_ui_fill_page(jg_buf *out, jaeger_str page, const jg_ui_config *config, jaeger_str capabilities);

#endif
