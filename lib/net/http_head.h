/* SPDX-License-Identifier: Apache-2.0
 * The head of an HTTP/1.x request: request line, headers, and what they say about the body.
 */
#ifndef JG_NET_HTTP_HEAD_H
#define JG_NET_HTTP_HEAD_H

#include "core/attr.h"
#include <jaeger/base.h>

#define JG_HTTP_HEADERS_MAX 100 /* fields of one request; browsers send about 20 */

typedef struct jg_http_head {
    jaeger_str method, path, query;           /* query.ptr NULL: no '?' */
    jaeger_pair headers[JG_HTTP_HEADERS_MAX]; /* names lower-case */
    size_t header_count;
    int minor;               /* HTTP/1.<minor> */
    uint64_t content_length; /* 0 without a body, or chunked */
    bool chunked, keep_alive, expects_continue;
} jg_http_head;

/** Length of the head at the start of `bytes`. `seen`: length at the call before, for speed; 0 at first.
 *  @return 0: not complete yet; -1: not HTTP/1.x; else its length */
long jg_http_head_length(const char *bytes, size_t len, size_t seen);
/** Read a complete head (its length from jg_http_head_length). `bytes` are changed (names become lower-case)
 * and pointed into. @return 0, or the HTTP status to refuse the request with; *ret_why is then its text */
int jg_http_head_parse(char *bytes, size_t len, jg_http_head *ret, const char **ret_why);
/** First header `name`; ptr NULL: none. */
jaeger_str jg_http_head_get(const jg_http_head *head, const char *name);

/** Decode chunked bytes in place. `state`: zeroed at first.
 *  @param len  in: bytes there; out: bytes of the body among them, at the front
 *  @return -2: more to come; -1: not chunked coding; else how many bytes after the end follow the body bytes
 */
typedef struct jg_http_chunks {
    uint64_t opaque[4];
} jg_http_chunks;
long jg_http_chunks_decode(jg_http_chunks *state, char *bytes, size_t *len);

#endif
