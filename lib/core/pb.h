/* SPDX-License-Identifier: Apache-2.0
 * Protobuf wire format: a pointer scanner and a writer. Used for the span tree, which is too hot for a
 * library that copies each string (nanopb: 12-36 times slower, and its recursive form can be crashed by
 * nesting). Spec: https://protobuf.dev/programming-guides/encoding/
 */
#ifndef JG_CORE_PB_H
#define JG_CORE_PB_H

#include "core/buf.h"

enum {
    JG_PB_VARINT = 0,
    JG_PB_FIXED64 = 1,
    JG_PB_LEN = 2,
    JG_PB_GROUP = 3,
    JG_PB_END_GROUP = 4,
    JG_PB_FIXED32 = 5
};

/** What is left of a message. `bad` is sticky: set once something could not be read. */
typedef struct jg_pb {
    const uint8_t *pos, *end;
    bool bad;
} jg_pb;

/** One field: `number` and its value by wire type. */
typedef struct jg_pb_field {
    uint32_t number;
    uint32_t wire;
    uint64_t varint;    /* VARINT, FIXED64, FIXED32 */
    const uint8_t *ptr; /* LEN */
    size_t len;
    const uint8_t *start; /* of the tag, for copying the field as it is */
} jg_pb_field;

JG_INLINE jg_pb jg_pb_of(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    return (jg_pb){p, p ? p + len : p, false};
}

JG_INLINE jg_pb jg_pb_of_str(jaeger_str s)
{
    return jg_pb_of(s.ptr, s.len);
}

JG_INLINE jaeger_str jg_pb_str(const jg_pb_field *field)
{
    return (jaeger_str){(const char *)field->ptr, field->len};
}

/** The slow half of a varint. @return false: longer than ten bytes or cut off */
bool jg_pb_varint_slow(jg_pb *pb, uint64_t *ret);

JG_INLINE bool jg_pb_varint(jg_pb *pb, uint64_t *ret)
{
    if (JG_LIKELY(pb->pos < pb->end && pb->pos[0] < 0x80)) {
        *ret = *pb->pos++;
        return true;
    }
    if (JG_LIKELY(pb->end - pb->pos >= 2 && pb->pos[1] < 0x80)) {
        *ret = (pb->pos[0] & 0x7fu) | (uint32_t)pb->pos[1] << 7;
        pb->pos += 2;
        return true;
    }
    return jg_pb_varint_slow(pb, ret);
}

/** Skip a group (deprecated, but legal as an unknown field). */
bool jg_pb_skip_group(jg_pb *pb, uint32_t number, unsigned depth);

/** Next field. @return false at the end or when pb->bad was set */
JG_INLINE bool jg_pb_next(jg_pb *pb, jg_pb_field *ret)
{
    if (JG_UNLIKELY(pb->pos >= pb->end))
        return false;
    ret->start = pb->pos;
    uint64_t tag;
    if (JG_UNLIKELY(!jg_pb_varint(pb, &tag) || tag >> 3 == 0 || tag >> 32))
        goto bad;
    ret->number = (uint32_t)(tag >> 3);
    ret->wire = tag & 7;
    switch (ret->wire) {
    case JG_PB_VARINT:
        if (JG_UNLIKELY(!jg_pb_varint(pb, &ret->varint)))
            goto bad;
        return true;
    case JG_PB_FIXED64:
        if (JG_UNLIKELY(pb->end - pb->pos < 8))
            goto bad;
        memcpy(&ret->varint, pb->pos, 8);
        pb->pos += 8;
        return true;
    case JG_PB_LEN: {
        uint64_t len;
        if (JG_UNLIKELY(!jg_pb_varint(pb, &len) || len > (uint64_t)(pb->end - pb->pos)))
            goto bad;
        ret->ptr = pb->pos;
        ret->len = (size_t)len;
        pb->pos += len;
        return true;
    }
    case JG_PB_FIXED32: {
        uint32_t value;
        if (JG_UNLIKELY(pb->end - pb->pos < 4))
            goto bad;
        memcpy(&value, pb->pos, 4);
        ret->varint = value;
        pb->pos += 4;
        return true;
    }
    case JG_PB_GROUP:
        if (jg_pb_skip_group(pb, ret->number, 0))
            return true;
        goto bad;
    default:
        goto bad;
    }
bad:
    pb->bad = true;
    return false;
}

/* ---- writing
 * --------------------------------------------------------------------------------------------------- */

JG_INLINE size_t jg_pb_varint_size(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

JG_INLINE uint8_t *jg_pb_put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/** Tag and length of a LEN field whose body follows. */
JG_INLINE uint8_t *jg_pb_put_len_header(uint8_t *out, uint32_t number, size_t len)
{
    out = jg_pb_put_varint(out, (uint64_t)number << 3 | JG_PB_LEN);
    return jg_pb_put_varint(out, len);
}

/** Size of a LEN field with its tag and length. */
JG_INLINE size_t jg_pb_len_size(uint32_t number, size_t len)
{
    return jg_pb_varint_size((uint64_t)number << 3) + jg_pb_varint_size(len) + len;
}

JG_INLINE void jg_pb_write_varint_raw(jg_buf *buf, uint64_t value)
{
    if (JG_UNLIKELY(buf->cap - buf->len < 10) && !jg_buf_reserve(buf, 10))
        return;
    buf->len = (size_t)(jg_pb_put_varint(buf->data + buf->len, value) - buf->data);
}

JG_INLINE void jg_pb_write_tag(jg_buf *buf, uint32_t number, uint32_t wire)
{
    jg_pb_write_varint_raw(buf, (uint64_t)number << 3 | wire);
}

/** These write the field even if the value is zero or empty; proto3 presence is the caller's business. */
JG_INLINE void jg_pb_write_varint(jg_buf *buf, uint32_t number, uint64_t value)
{
    jg_pb_write_tag(buf, number, JG_PB_VARINT);
    jg_pb_write_varint_raw(buf, value);
}

JG_INLINE void jg_pb_write_fixed64(jg_buf *buf, uint32_t number, uint64_t value)
{
    if (JG_UNLIKELY(buf->cap - buf->len < 14) && !jg_buf_reserve(buf, 14))
        return;
    uint8_t *out = jg_pb_put_varint(buf->data + buf->len, (uint64_t)number << 3 | JG_PB_FIXED64);
    memcpy(out, &value, 8);
    buf->len = (size_t)(out + 8 - buf->data);
}

JG_INLINE void jg_pb_write_fixed32(jg_buf *buf, uint32_t number, uint32_t value)
{
    jg_pb_write_tag(buf, number, JG_PB_FIXED32);
    jg_buf_append(buf, &value, 4);
}

JG_INLINE void jg_pb_write_double(jg_buf *buf, uint32_t number, double value)
{
    jg_pb_write_tag(buf, number, JG_PB_FIXED64);
    jg_buf_append(buf, &value, 8);
}

JG_INLINE void jg_pb_write_bytes(jg_buf *buf, uint32_t number, const void *bytes, size_t len)
{
    if (JG_UNLIKELY(buf->cap - buf->len < 16 || len > buf->cap - buf->len - 16) &&
        !jg_buf_reserve(buf, jg_pb_len_size(number, len)))
        return;
    uint8_t *out = jg_pb_put_len_header(buf->data + buf->len, number, len);
    if (len)
        memcpy(out, bytes, len);
    buf->len = (size_t)(out + len - buf->data);
}

JG_INLINE void jg_pb_write_str(jg_buf *buf, uint32_t number, jaeger_str s)
{
    jg_pb_write_bytes(buf, number, s.ptr, s.len);
}

/** Begin a nested message: the length gets `len_bytes` bytes for now (1: up to 127, 2: 16383, 3: 2 MB, 4: 256
 * MB).
 *  @return a mark for jg_pb_end */
JG_INLINE size_t jg_pb_begin(jg_buf *buf, uint32_t number, unsigned len_bytes)
{
    if (JG_UNLIKELY(buf->cap - buf->len < 10) && !jg_buf_reserve(buf, 10))
        return buf->len;
    size_t mark =
        (size_t)(jg_pb_put_varint(buf->data + buf->len, (uint64_t)number << 3 | JG_PB_LEN) - buf->data);
    buf->len = mark + len_bytes;
    return mark;
}

/** End it: write the length, and move the body if the guess of its size was wrong. Same `len_bytes` as at
 * begin. */
void jg_pb_end(jg_buf *buf, size_t mark, unsigned len_bytes);

#endif
