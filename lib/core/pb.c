/* SPDX-License-Identifier: Apache-2.0
 * See pb.h.
 */
#include "core/pb.h"

#include "core/limits.h"

bool jg_pb_varint_slow(jg_pb *pb, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *p = pb->pos;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (p == pb->end)
            return false;
        uint8_t byte = *p++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            if (shift == 63 && byte > 1)
                return false; /* more than 64 bits */
            *ret = value;
            pb->pos = p;
            return true;
        }
    }
    return false;
}

bool jg_pb_skip_group(jg_pb *pb, uint32_t number, unsigned depth)
{
    if (depth >= JG_PB_DEPTH_MAX)
        return false;
    while (pb->pos < pb->end) {
        uint64_t tag, skipped;
        if (!jg_pb_varint(pb, &tag) || tag >> 3 == 0 || tag >> 32)
            return false;
        switch (tag & 7) {
        case JG_PB_VARINT:
            if (!jg_pb_varint(pb, &skipped))
                return false;
            break;
        case JG_PB_FIXED64:
        case JG_PB_FIXED32:
            skipped = (tag & 7) == JG_PB_FIXED64 ? 8 : 4;
            goto skip;
        case JG_PB_LEN:
            if (!jg_pb_varint(pb, &skipped))
                return false;
        skip:
            if (skipped > (uint64_t)(pb->end - pb->pos))
                return false;
            pb->pos += skipped;
            break;
        case JG_PB_GROUP:
            if (!jg_pb_skip_group(pb, (uint32_t)(tag >> 3), depth + 1))
                return false;
            break;
        case JG_PB_END_GROUP:
            return tag >> 3 == number;
        default:
            return false;
        }
    }
    return false;
}

void jg_pb_end(jg_buf *buf, size_t mark, unsigned len_bytes)
{
    if (buf->failed)
        return;
    size_t body = mark + len_bytes, len = buf->len - body;
    size_t need = jg_pb_varint_size(len);
    if (JG_UNLIKELY(need != len_bytes)) {
        if (need > len_bytes && !jg_buf_reserve(buf, need - len_bytes))
            return;
        memmove(buf->data + mark + need, buf->data + body, len);
        buf->len = mark + need + len;
    }
    (void)jg_pb_put_varint(buf->data + mark, len);
}
