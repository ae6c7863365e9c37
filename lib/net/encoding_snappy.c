/* SPDX-License-Identifier: Apache-2.0
 * Snappy in its two forms: one block, and the framing format (chunks of at most 64 KiB with CRC-32C).
 * Spec: https://github.com/google/snappy/blob/main/framing_format.txt
 */
#include "net/encoding_codec.h"

#include "core/str.h"
#include <snappy-c.h>

#define CHUNK_BYTES_MAX 65536u /* decoded; the format's limit */

enum { CHUNK_COMPRESSED = 0x00, CHUNK_PLAIN = 0x01, CHUNK_SKIPPABLE = 0x80, CHUNK_STREAM_START = 0xff };

static const char stream_start[] = "\xff\x06\x00\x00sNaPpY";
#define STREAM_START ((jaeger_str){stream_start, sizeof stream_start - 1})

static jaeger_status corrupt(jg_sink *sink)
{
    return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "snappy: corrupt input");
}

/** CRC-32C, reflected polynomial 0x82f63b78, four bits a step: 16 entries need no start-up code. */
static uint32_t crc32c(const uint8_t *p, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/** The format masks its checksums, so that a checksum of data with checksums is sound. */
static uint32_t masked_crc(const uint8_t *p, size_t len)
{
    uint32_t crc = crc32c(p, len);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static jaeger_status decode_block(jaeger_str in, jg_sink *sink)
{
    size_t size;
    if (snappy_uncompressed_length(in.ptr, in.len, &size) != SNAPPY_OK)
        return corrupt(sink);
    /* a copy element of 3 bytes makes at most 64: a larger claim is a lie, and must not take memory */
    if (size / 22 > in.len)
        return corrupt(sink);
    if (!size)
        return JAEGER_OK;
    JG_TRY(jg_sink_grow(sink, size));
    if (snappy_uncompress(in.ptr, in.len, (char *)sink->out->data + sink->out->len, &size) != SNAPPY_OK)
        return corrupt(sink);
    sink->out->len += size;
    return JAEGER_OK;
}

jaeger_status jg_snappy_decode(jaeger_str in, jg_sink *sink)
{
    return jg_str_starts(in, STREAM_START) ? jg_snappy_decode_framed(in, sink) : decode_block(in, sink);
}

/** Body of a data chunk: checksum, then a block or plain bytes. */
static jaeger_status decode_chunk(jaeger_str chunk, bool compressed, jg_sink *sink)
{
    if (chunk.len < 4)
        return corrupt(sink);
    const uint8_t *p = (const uint8_t *)chunk.ptr;
    uint32_t want = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    jaeger_str data = jg_str_skip(chunk, 4);
    size_t start = sink->out->len, size = data.len;
    if (compressed && snappy_uncompressed_length(data.ptr, data.len, &size) != SNAPPY_OK)
        return corrupt(sink);
    if (size > CHUNK_BYTES_MAX)
        return corrupt(sink);
    if (compressed) {
        JG_TRY(decode_block(data, sink));
    } else if (size) {
        JG_TRY(jg_sink_grow(sink, size));
        jg_buf_str(sink->out, data);
    }
    if (masked_crc(sink->out->data + start, sink->out->len - start) != want)
        return corrupt(sink);
    return JAEGER_OK;
}

jaeger_status jg_snappy_decode_framed(jaeger_str in, jg_sink *sink)
{
    if (in.len && !jg_str_starts(in, STREAM_START))
        return corrupt(sink);
    while (in.len) {
        if (in.len < 4)
            return corrupt(sink);
        const uint8_t *p = (const uint8_t *)in.ptr;
        size_t len = p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16;
        if (len > in.len - 4)
            return corrupt(sink);
        jaeger_str chunk = {in.ptr + 4, len};
        if (p[0] == CHUNK_COMPRESSED || p[0] == CHUNK_PLAIN)
            JG_TRY(decode_chunk(chunk, p[0] == CHUNK_COMPRESSED, sink));
        else if (p[0] == CHUNK_STREAM_START ? !jg_str_starts(in, STREAM_START) || len != 6
                                            : p[0] < CHUNK_SKIPPABLE)
            return corrupt(sink);
        in = jg_str_skip(in, 4 + len);
    }
    return JAEGER_OK;
}

jaeger_status jg_snappy_encode(jaeger_str in, jg_buf *out, jaeger_error *err)
{
    size_t size = snappy_max_compressed_length(in.len);
    if (!jg_buf_reserve(out, size))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "snappy: output too large");
    if (snappy_compress(in.ptr, in.len, (char *)out->data + out->len, &size) != SNAPPY_OK)
        return jg_fail(err, JAEGER_INTERNAL, "snappy: compression failed");
    out->len += size;
    return JAEGER_OK;
}

static void put_chunk_header(uint8_t *p, uint8_t type, size_t len, uint32_t crc)
{
    const uint8_t header[8] = {type,         (uint8_t)len,        (uint8_t)(len >> 8),  (uint8_t)(len >> 16),
                               (uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16), (uint8_t)(crc >> 24)};
    memcpy(p, header, sizeof header);
}

jaeger_status jg_snappy_encode_framed(jaeger_str in, jg_buf *out, jaeger_error *err)
{
    jg_buf_str(out, STREAM_START);
    while (in.len) {
        jaeger_str piece = {in.ptr, JG_MIN(in.len, CHUNK_BYTES_MAX)};
        size_t size = snappy_max_compressed_length(piece.len);
        if (!jg_buf_reserve(out, 8 + size))
            break;
        uint8_t *start = out->data + out->len;
        if (snappy_compress(piece.ptr, piece.len, (char *)start + 8, &size) != SNAPPY_OK)
            return jg_fail(err, JAEGER_INTERNAL, "snappy: compression failed");
        put_chunk_header(start, CHUNK_COMPRESSED, size + 4,
                         masked_crc((const uint8_t *)piece.ptr, piece.len));
        out->len += 8 + size;
        in = jg_str_skip(in, piece.len);
    }
    return out->failed ? jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "snappy: output too large") : JAEGER_OK;
}
