/* SPDX-License-Identifier: Apache-2.0
 * Answers in gzip for clients that take it: a reply in front of another. Small answers, what is coded already
 * and what has an ETag (its bytes are promised) go through as they are. A stream is packed as it is written;
 * about 170 KiB of memory are held until it ends.
 */
#ifndef JG_QUERY_COMPRESS_H
#define JG_QUERY_COMPRESS_H

#include "core/buf.h"
#include "net/gzip.h"
#include "query/http.h"

typedef struct jg_compress {
    const jg_query_reply *to;
    bool accepted; /* by the client */
    bool fixed;    /* the handler said what the bytes are */
    jg_gzip *gzip; /* of a stream that is packed */
    jg_buf packed;
} jg_compress;

/** Does Accept-Encoding take gzip? */
bool jg_takes_gzip(jaeger_str accept_encoding);
/** A reply in front of `to`; its `self` is `c`. Both must live until jg_compress_done. */
jg_query_reply jg_compress_begin(jg_compress *c, const jg_query_reply *to, jaeger_str accept_encoding);
void jg_compress_done(jg_compress *c);

#endif
