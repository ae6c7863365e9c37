/* SPDX-License-Identifier: Apache-2.0
 * A gzip writer for text that is sent once: it takes what comes in pieces, holds no more than its window, and
 * its memory is reused from one stream to the next. It finds matches as LZ4 does (one probe, no chains) and
 * writes each block with Huffman codes of its own, so that repetitive JSON costs about a third of the time of
 * zlib's fastest level, for some more bytes. Formats: RFC 1951 (deflate), RFC 1952 (gzip).
 */
#ifndef JG_NET_GZIP_H
#define JG_NET_GZIP_H

#include "core/buf.h"

typedef struct jg_gzip jg_gzip; /* about 300 KiB */

/** @return NULL: out of memory */
jg_gzip *jg_gzip_new(void);
/** Accepts NULL. */
void jg_gzip_free(jg_gzip *gzip);
/** Begin a stream at the end of `out`, which stays the caller's: ask jg_buf_ok(out) at the end. */
void jg_gzip_begin(jg_gzip *gzip, jg_buf *out);
void jg_gzip_add(jg_gzip *gzip, jaeger_str text);
/** Write what is left, and the trailer. */
void jg_gzip_end(jg_gzip *gzip);

#endif
