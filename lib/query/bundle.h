/* SPDX-License-Identifier: Apache-2.0
 * The web UI of subprojects/webui, embedded at build as cmd/webui.py wrote it: files compressed with gzip,
 * and index.html with "{{base}}" and "{{nonce}}" to fill in. Empty when it was built without.
 */
#ifndef JG_QUERY_BUNDLE_H
#define JG_QUERY_BUNDLE_H

#include "core/buf.h"

struct jg_query_reply;

typedef struct jg_bundle_file {
    const char *path; /* "/static/…" */
    const char *content_type, *etag;
    const unsigned char *gzip;
    size_t gzip_bytes, bytes; /* packed, and as they are */
    bool immutable;           /* its name has a hash of the content */
} jg_bundle_file;

extern const jg_bundle_file jg_bundle_files[];
extern const size_t jg_bundle_file_count;
extern const jaeger_str jg_bundle_page; /* empty: built without */

/** @param path of the request below the base path: its depth makes the relative <base>, so that the page
 * works behind any prefix. @param nonce of the page's own script. Errors are the buffer's. */
void jg_bundle_write_page(jg_buf *out, jaeger_str path, jaeger_str nonce);
/** Answers, and returns the HTTP status. @param headers those of the request that matter; may be absent */
int jg_bundle_send_file(jaeger_str path, jaeger_str if_none_match, jaeger_str accept_encoding,
                        const struct jg_query_reply *reply);

#endif
