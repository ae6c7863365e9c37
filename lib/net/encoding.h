/* SPDX-License-Identifier: Apache-2.0
 * Content codings: gzip, zlib (also "deflate"), zstd, snappy, x-snappy-framed, lz4. Output is bounded while
 * it grows.
 */
#ifndef JG_NET_ENCODING_H
#define JG_NET_ENCODING_H

#include "core/buf.h"

/** Is `name` a coding that jg_decode knows? "" and "identity" are. */
bool jg_encoding_known(jaeger_str name);
/** Decode `in` to the end of `out` (whose max bounds it).
 *  @return INVALID_ARGUMENT: not such data, or unknown name; RESOURCE_EXHAUSTED: larger than out->max allows
 */
jaeger_status jg_decode(jaeger_str name, jaeger_str in, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;

/** Asked before the output takes `bytes` more memory; false refuses. For budgets such as jg_net_admit. */
typedef struct jg_decode_budget {
    bool (*admit)(void *user, size_t bytes);
    void *user;
    size_t admitted; /* sum so far; the caller gives it back, also after a failure */
} jg_decode_budget;
/** As jg_decode, with a budget. @return also UNAVAILABLE: the budget refused */
jaeger_status jg_decode_within(jaeger_str name, jaeger_str in, jg_buf *out, jg_decode_budget *budget,
                               jaeger_error *err) JG_MUST_CHECK;

/** Encode; gzip, zlib, deflate, zstd, snappy, x-snappy-framed, lz4. `level` 0: the library's default. */
jaeger_status jg_encode(jaeger_str name, int level, jaeger_str in, jg_buf *out,
                        jaeger_error *err) JG_MUST_CHECK;

#endif
