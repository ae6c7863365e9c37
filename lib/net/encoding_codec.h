/* SPDX-License-Identifier: Apache-2.0
 * What the codings share: the growing output of encoding.c, the snappy formats of encoding_snappy.c, and
 * gzip.c's gzip.
 */
#ifndef JG_NET_ENCODING_CODEC_H
#define JG_NET_ENCODING_CODEC_H

#include "core/err.h"
#include "net/encoding.h"

/** The output of a decoder. */
typedef struct jg_sink {
    jg_buf *out;
    jg_decode_budget *budget; /* NULL: only out->max bounds it */
    jaeger_error *err;
} jg_sink;

/** Room for at least `more` bytes (at least one) after out->len; grows by doubling. @return
 * RESOURCE_EXHAUSTED, UNAVAILABLE */
jaeger_status jg_sink_grow(jg_sink *sink, size_t more) JG_MUST_CHECK;

/** The first room for what `in_bytes` packed bytes may be. */
jaeger_status jg_sink_grow_first(jg_sink *sink, size_t in_bytes) JG_MUST_CHECK;

/** Members may follow each other. */
jaeger_status jg_gzip_decode(jaeger_str in, jg_sink *sink) JG_MUST_CHECK;
jaeger_status jg_gzip_encode(jaeger_str in, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_snappy_decode(jaeger_str in,
                               jg_sink *sink) JG_MUST_CHECK; /* block format, or framed if it begins so */
jaeger_status jg_snappy_decode_framed(jaeger_str in, jg_sink *sink) JG_MUST_CHECK;
jaeger_status jg_snappy_encode(jaeger_str in, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_snappy_encode_framed(jaeger_str in, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;

#endif
