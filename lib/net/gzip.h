/* SPDX-License-Identifier: Apache-2.0
 * gzip (RFC 1952) by ISA-L, whose streams are zlib's in a quarter to an eighth of the time
 * (docs/benchmarks.md). Here is the writer that takes what comes in pieces; for whole texts see jg_encode and
 * jg_decode.
 */
#ifndef JG_NET_GZIP_H
#define JG_NET_GZIP_H

#include "core/buf.h"

typedef struct jg_gzip jg_gzip; /* about 170 KiB, reused from one stream to the next */

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
