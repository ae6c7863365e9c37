/* SPDX-License-Identifier: Apache-2.0
 * See encoding.h. Decoders write straight into the caller's buffer, which grows by doubling up to its
 * ceiling; nothing else is proportional to the output, so a bomb costs no more than the ceiling. Formats: RFC
 * 1950 (zlib), RFC 1952 (gzip, members may follow each other), RFC 8878 (zstd), LZ4 frame format 1.6.
 * "deflate" means zlib, as in HTTP and in the Collector.
 */
#include "net/encoding.h"

#include "core/alloc.h"
#include "core/str.h"
#include "net/encoding_codec.h"
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#define FIRST_BYTES_MIN 4096 /* first size of the output */
#define RATIO_GUESS     4    /* spans as protobuf shrink about so much */
#define ZSTD_WINDOW_LOG_MAX                                                                                  \
    25 /* 32 MiB: what encoders use at their highest common levels; the memory is touched                    \
          only as far as output is made */
#define GZIP_BITS       (15 + 16)
#define GZIP_ZLIB_LEVEL 7
#define ZLIB_BITS       15

jaeger_status jg_sink_grow(jg_sink *sink, size_t more)
{
    jg_buf *out = sink->out;
    if (out->failed || more > out->max || out->len > out->max - more)
        return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "decompressed data larger than %zu bytes",
                       out->max);
    if (more <= out->cap - out->len)
        return JAEGER_OK;
    size_t cap = out->cap ? out->cap : 256; /* as jg_buf_reserve will grow it */
    while (cap < out->len + more)
        cap = cap > out->max / 2 ? out->max : cap * 2;
    size_t taken = cap - out->cap;
    if (sink->budget) {
        if (!sink->budget->admit(sink->budget->user, taken))
            return jg_fail(sink->err, JAEGER_UNAVAILABLE, "too many request bytes in flight");
        sink->budget->admitted += taken;
    }
    if (!jg_buf_reserve(out, more))
        return jg_fail_oom(sink->err);
    return JAEGER_OK;
}

jaeger_status jg_sink_grow_first(jg_sink *sink, size_t in_bytes)
{
    size_t room = sink->out->max - JG_MIN(sink->out->len, sink->out->max);
    size_t guess = in_bytes > room / RATIO_GUESS ? room : in_bytes * RATIO_GUESS;
    return jg_sink_grow(sink, JG_MIN(JG_MAX(guess, FIRST_BYTES_MIN), JG_MAX(room, 1)));
}

/* ---- zlib, gzip
 * ------------------------------------------------------------------------------------------------- */

static void *zlib_alloc(void *user, uInt count, uInt bytes)
{
    (void)user;
    return jg_calloc(count, bytes);
}

static void zlib_free(void *user, void *ptr)
{
    (void)user;
    jg_free(ptr);
}

/** Until the end of one stream. */
static jaeger_status inflate_stream(z_stream *z, jg_sink *sink)
{
    jg_buf *out = sink->out;
    for (;;) {
        /* at the ceiling inflate may still have to read a trailer, so it is asked once more with no room */
        if (out->len == out->cap && out->len < out->max)
            JG_TRY(jg_sink_grow(sink, 1));
        size_t room = JG_MIN(out->cap, out->max) - out->len;
        uint8_t spare;
        z->next_out = room ? out->data + out->len : &spare;
        z->avail_out = room ? (uInt)JG_MIN(room, 1u << 30) : 1;
        uInt before = z->avail_out;
        int ret = inflate(z, Z_NO_FLUSH);
        size_t made = before - z->avail_out;
        if (made && !room)
            return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "decompressed data larger than %zu bytes",
                           out->max);
        out->len += made;
        if (ret == Z_STREAM_END)
            return JAEGER_OK;
        if (ret == Z_MEM_ERROR)
            return jg_fail_oom(sink->err);
        if (ret != Z_OK && ret != Z_BUF_ERROR)
            return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "zlib: %s", z->msg ? z->msg : "invalid data");
        if (!made && !z->avail_in)
            return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "zlib: unexpected EOF");
    }
}

static jaeger_status decode_zlib(jaeger_str in, jg_sink *sink)
{
    if (in.len > UINT32_MAX)
        return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "zlib: more than 4 GiB");
    z_stream z = {.zalloc = zlib_alloc,
                  .zfree = zlib_free,
                  .next_in = (Bytef *)(uintptr_t)in.ptr,
                  .avail_in = (uInt)in.len};
    if (inflateInit2(&z, ZLIB_BITS) != Z_OK)
        return jg_fail_oom(sink->err);
    jaeger_status status = jg_sink_grow_first(sink, in.len);
    if (status == JAEGER_OK)
        status = inflate_stream(&z, sink);
    (void)inflateEnd(&z);
    return status;
}

static jaeger_status encode_zlib(jaeger_str in, int level, int bits, jg_buf *out, jaeger_error *err)
{
    if (in.len > UINT32_MAX / 2)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "zlib: more than 2 GiB");
    z_stream z = {.zalloc = zlib_alloc,
                  .zfree = zlib_free,
                  .next_in = (Bytef *)(uintptr_t)in.ptr,
                  .avail_in = (uInt)in.len};
    if (level < 0 || level > 9)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "zlib: invalid compression level: %d", level);
    if (deflateInit2(&z, level ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return jg_fail_oom(err);
    uLong bound = deflateBound(&z, (uLong)in.len);
    jaeger_status status = JAEGER_OK;
    if (!jg_buf_reserve(out, bound)) {
        status = jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "zlib: output too large");
    } else {
        z.next_out = out->data + out->len;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            status = jg_fail(err, JAEGER_INTERNAL, "zlib: deflate failed");
        else
            out->len += bound - z.avail_out;
    }
    (void)deflateEnd(&z);
    return status;
}

/** The best levels are zlib's; all else is faster by ISA-L, for a few bytes more. */
static jaeger_status encode_gzip(jaeger_str in, int level, jg_buf *out, jaeger_error *err)
{
    bool fast = level >= 0 && level < GZIP_ZLIB_LEVEL;
    return fast ? jg_gzip_encode(in, out, err) : encode_zlib(in, level, GZIP_BITS, out, err);
}

/* ---- zstd
 * ------------------------------------------------------------------------------------------------------- */

static jaeger_status zstd_fail(jg_sink *sink, size_t code)
{
    return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "zstd: %s", ZSTD_getErrorName(code));
}

static jaeger_status decode_zstd_with(ZSTD_DCtx *ctx, jaeger_str in, jg_sink *sink)
{
    jg_buf *out = sink->out;
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    size_t left = 0;
    JG_TRY(jg_sink_grow_first(sink, in.len));
    for (;;) {
        if (out->len == out->cap && out->len < out->max)
            JG_TRY(jg_sink_grow(sink, 1));
        size_t room = JG_MIN(out->cap, out->max) - out->len;
        uint8_t spare;
        ZSTD_outBuffer to = {room ? (void *)(out->data + out->len) : &spare, room ? room : 1, 0};
        size_t before = from.pos;
        left = ZSTD_decompressStream(ctx, &to, &from);
        if (ZSTD_isError(left))
            return zstd_fail(sink, left);
        if (to.pos && !room)
            return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "decompressed data larger than %zu bytes",
                           out->max);
        out->len += to.pos;
        if (from.pos == from.size && (left == 0 || (!to.pos && before == from.pos)))
            break;
    }
    if (left)
        return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "zstd: unexpected EOF");
    return JAEGER_OK;
}

static jaeger_status decode_zstd(jaeger_str in, jg_sink *sink)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    if (!ctx)
        return jg_fail_oom(sink->err);
    (void)ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    jaeger_status status = decode_zstd_with(ctx, in, sink);
    (void)ZSTD_freeDCtx(ctx);
    return status;
}

static jaeger_status encode_zstd(jaeger_str in, int level, jg_buf *out, jaeger_error *err)
{
    size_t bound = ZSTD_compressBound(in.len);
    if (ZSTD_isError(bound) || !jg_buf_reserve(out, bound))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "zstd: output too large");
    size_t made = ZSTD_compress(out->data + out->len, bound, in.ptr, in.len, level);
    if (ZSTD_isError(made))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "zstd: %s", ZSTD_getErrorName(made));
    out->len += made;
    return JAEGER_OK;
}

/* ---- lz4
 * -------------------------------------------------------------------------------------------------------- */

static jaeger_status decode_lz4_with(LZ4F_dctx *ctx, jaeger_str in, jg_sink *sink)
{
    jg_buf *out = sink->out;
    size_t at = 0, hint = 1;
    JG_TRY(jg_sink_grow_first(sink, in.len));
    for (;;) {
        if (out->len == out->cap && out->len < out->max)
            JG_TRY(jg_sink_grow(sink, 1));
        size_t room = JG_MIN(out->cap, out->max) - out->len;
        uint8_t spare;
        size_t made = room ? room : 1, eaten = in.len - at;
        hint = LZ4F_decompress(ctx, room ? out->data + out->len : &spare, &made, in.ptr + at, &eaten, NULL);
        if (LZ4F_isError(hint))
            return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "lz4: %s", LZ4F_getErrorName(hint));
        if (made && !room)
            return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "decompressed data larger than %zu bytes",
                           out->max);
        out->len += made;
        at += eaten;
        if (at == in.len && (hint == 0 || (!made && !eaten)))
            break;
    }
    if (hint)
        return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "lz4: unexpected EOF");
    return JAEGER_OK;
}

static jaeger_status decode_lz4(jaeger_str in, jg_sink *sink)
{
    LZ4F_dctx *ctx;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
        return jg_fail_oom(sink->err);
    jaeger_status status = decode_lz4_with(ctx, in, sink);
    (void)LZ4F_freeDecompressionContext(ctx);
    return status;
}

static jaeger_status encode_lz4(jaeger_str in, int level, jg_buf *out, jaeger_error *err)
{
    LZ4F_preferences_t preferences = {.compressionLevel = level};
    size_t bound = LZ4F_compressFrameBound(in.len, &preferences);
    if (!jg_buf_reserve(out, bound))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "lz4: output too large");
    size_t made = LZ4F_compressFrame(out->data + out->len, bound, in.ptr, in.len, &preferences);
    if (LZ4F_isError(made))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "lz4: %s", LZ4F_getErrorName(made));
    out->len += made;
    return JAEGER_OK;
}

/* ---- by name
 * ---------------------------------------------------------------------------------------------------- */

typedef enum coding { NONE, GZIP, ZLIB, ZSTD, SNAPPY, SNAPPY_FRAMED, LZ4, UNKNOWN } coding;

static coding coding_of(jaeger_str name)
{
    static const struct {
        const char *name;
        coding coding;
    } names[] = {
        {"", NONE},        {"identity", NONE}, {"gzip", GZIP},     {"zlib", ZLIB},
        {"deflate", ZLIB}, {"zstd", ZSTD},     {"snappy", SNAPPY}, {"x-snappy-framed", SNAPPY_FRAMED},
        {"lz4", LZ4},
    };
    for (size_t i = 0; i < JG_COUNT(names); i++)
        if (jg_str_eq_nocase(name, jg_str(names[i].name)))
            return names[i].coding;
    return UNKNOWN;
}

static jaeger_status unsupported(jaeger_str name, jaeger_error *err)
{
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unsupported Content-Encoding: %.*s", JAEGER_STR_ARGS(name));
}

bool jg_encoding_known(jaeger_str name)
{
    return coding_of(name) != UNKNOWN;
}

static jaeger_status decode_none(jaeger_str in, jg_sink *sink)
{
    if (!in.len)
        return JAEGER_OK;
    JG_TRY(jg_sink_grow(sink, in.len));
    jg_buf_str(sink->out, in);
    return JAEGER_OK;
}

jaeger_status jg_decode_within(jaeger_str name, jaeger_str in, jg_buf *out, jg_decode_budget *budget,
                               jaeger_error *err)
{
    jg_sink sink = {out, budget, err};
    switch (coding_of(name)) {
    case NONE:
        return decode_none(in, &sink);
    case GZIP:
        return jg_gzip_decode(in, &sink);
    case ZLIB:
        return decode_zlib(in, &sink);
    case ZSTD:
        return decode_zstd(in, &sink);
    case SNAPPY:
        return jg_snappy_decode(in, &sink);
    case SNAPPY_FRAMED:
        return jg_snappy_decode_framed(in, &sink);
    case LZ4:
        return decode_lz4(in, &sink);
    case UNKNOWN:
        break;
    }
    return unsupported(name, err);
}

jaeger_status jg_decode(jaeger_str name, jaeger_str in, jg_buf *out, jaeger_error *err)
{
    return jg_decode_within(name, in, out, NULL, err);
}

jaeger_status jg_encode(jaeger_str name, int level, jaeger_str in, jg_buf *out, jaeger_error *err)
{
    switch (coding_of(name)) {
    case NONE:
        jg_buf_str(out, in);
        return out->failed ? jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "output too large") : JAEGER_OK;
    case GZIP:
        return encode_gzip(in, level, out, err);
    case ZLIB:
        return encode_zlib(in, level, ZLIB_BITS, out, err);
    case ZSTD:
        return encode_zstd(in, level, out, err);
    case SNAPPY:
        return jg_snappy_encode(in, out, err);
    case SNAPPY_FRAMED:
        return jg_snappy_encode_framed(in, out, err);
    case LZ4:
        return encode_lz4(in, level, out, err);
    case UNKNOWN:
        break;
    }
    return unsupported(name, err);
}
