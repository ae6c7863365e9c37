/* SPDX-License-Identifier: Apache-2.0
 * The body of one _bulk request, as it is made: lines of documents, compressed while they come, so that only
 * a few documents are in memory as text. Its memory is reused by the next request.
 */
#ifndef JG_STORAGE_OPENSEARCH_BULK_BODY_H
#define JG_STORAGE_OPENSEARCH_BULK_BODY_H

#include "core/buf.h"
#include "net/gzip.h"

#define JG_OS_BODY_HASHED 8u /* documents that are hashed together */

/** A plain struct: init, begin, documents, end. */
typedef struct jg_os_body {
    jg_buf text; /* what is not packed yet; all of it where bodies go as they are */
    jg_buf packed;
    jg_gzip *gzip; /* NULL: as they are */
    size_t bytes;  /* of the lines, unpacked */
    bool failed;   /* out of memory, or a document above the ceiling */
    struct {
        size_t id, document, end; /* in `text` */
    } open[JG_OS_BODY_HASHED];    /* their ids want hashes */
    size_t open_count;
} jg_os_body;

/** @param gzip whether bodies are compressed. @param document_bytes_max of one document, beside `bytes_max`
 * of all. @return false: out of memory */
bool jg_os_body_init(jg_os_body *body, bool gzip, size_t bytes_max, size_t document_bytes_max);
void jg_os_body_done(jg_os_body *body);
void jg_os_body_begin(jg_os_body *body);
/** Add a document. @param id empty: the cluster makes one. @param document JSON on one line */
void jg_os_body_put(jg_os_body *body, jaeger_str index, jaeger_str id, jaeger_str document);
/** Begin a document whose id is `id` and the FNV-1a of the document, in hex. @return where its one line is
 * appended */
jg_buf *jg_os_body_open(jg_os_body *body, jaeger_str index, jaeger_str id);
/** The document that was opened is whole. */
void jg_os_body_close(jg_os_body *body);
/** @return what to send, until the next begin. Ask `failed` */
jaeger_str jg_os_body_end(jg_os_body *body);

#endif
