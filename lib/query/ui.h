/* SPDX-License-Identifier: Apache-2.0
 * Static files of a user interface, and its index page with configuration and capabilities filled in.
 */
#ifndef JG_QUERY_UI_H
#define JG_QUERY_UI_H

#include "core/buf.h"

struct jg_query_reply;

typedef struct jg_ui jg_ui;

typedef struct jg_ui_options {
    jaeger_str assets_path; /* a build of jaeger-ui; empty: the embedded UI */
    jaeger_str config_file; /* .json, or .js that defines UIConfig(); may be empty */
    bool log_access;
    bool metrics_storage; /* the Monitor page has something to show */
    const jaeger_logger *log;
} jg_ui_options;

/** Reads the index page and the configuration. @return INVALID_ARGUMENT: unreadable, or not such a file */
jaeger_status jg_ui_new(const jg_ui_options *options, jg_ui **ret, jaeger_error *err) JG_MUST_CHECK;
/** Accepts NULL. */
void jg_ui_free(jg_ui *ui);

/** These answer the request and return the HTTP status. Threads: any. */
/** @param path of the request, below the base path */
int jg_ui_send_index(jg_ui *ui, jaeger_str path, bool archive, bool search_without_service,
                     const struct jg_query_reply *reply);
/** @param path "/static/…", decoded. @param if_none_match, accept_encoding headers of the request, or absent
 */
int jg_ui_send_file(jg_ui *ui, jaeger_str path, jaeger_str if_none_match, jaeger_str accept_encoding,
                    const struct jg_query_reply *reply);

#endif
