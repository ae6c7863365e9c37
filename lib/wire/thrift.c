/* SPDX-License-Identifier: Apache-2.0
 * See thrift.h.
 */
#include "wire/thrift.h"

#include "core/limits.h"
#include <endian.h>

/* Type numbers of the compact protocol. */
enum {
    C_TRUE = 1,
    C_FALSE = 2,
    C_BYTE = 3,
    C_I16 = 4,
    C_I32 = 5,
    C_I64 = 6,
    C_DOUBLE = 7,
    C_STRING = 8,
    C_LIST = 9,
    C_SET = 10,
    C_MAP = 11,
    C_STRUCT = 12
};

static const uint8_t from_compact[16] = {
    [C_TRUE] = JG_THRIFT_BOOL,     [C_FALSE] = JG_THRIFT_BOOL,    [C_BYTE] = JG_THRIFT_BYTE,
    [C_I16] = JG_THRIFT_I16,       [C_I32] = JG_THRIFT_I32,       [C_I64] = JG_THRIFT_I64,
    [C_DOUBLE] = JG_THRIFT_DOUBLE, [C_STRING] = JG_THRIFT_STRING, [C_LIST] = JG_THRIFT_LIST,
    [C_SET] = JG_THRIFT_SET,       [C_MAP] = JG_THRIFT_MAP,       [C_STRUCT] = JG_THRIFT_STRUCT};
static const uint8_t to_compact[16] = {
    [JG_THRIFT_BOOL] = C_TRUE,     [JG_THRIFT_BYTE] = C_BYTE,    [JG_THRIFT_I16] = C_I16,
    [JG_THRIFT_I32] = C_I32,       [JG_THRIFT_I64] = C_I64,      [JG_THRIFT_DOUBLE] = C_DOUBLE,
    [JG_THRIFT_STRING] = C_STRING, [JG_THRIFT_LIST] = C_LIST,    [JG_THRIFT_SET] = C_SET,
    [JG_THRIFT_MAP] = C_MAP,       [JG_THRIFT_STRUCT] = C_STRUCT};

jg_thrift jg_thrift_of(jg_thrift_protocol protocol, const void *bytes, size_t len)
{
    const uint8_t *begin = bytes ? bytes : (const uint8_t *)"";
    return (jg_thrift){.begin = begin, .pos = begin, .end = begin + len, .protocol = protocol};
}

bool jg_thrift_fail(jg_thrift *in, const char *fault)
{
    if (!in->fault)
        in->fault = fault;
    return false;
}

JG_INLINE size_t left(const jg_thrift *in)
{
    return in->fault ? 0 : (size_t)(in->end - in->pos);
}

JG_INLINE bool read_byte(jg_thrift *in, uint8_t *ret)
{
    if (JG_UNLIKELY(left(in) < 1))
        return jg_thrift_fail(in, "cut off");
    *ret = *in->pos++;
    return true;
}

JG_INLINE bool read_be32(jg_thrift *in, uint32_t *ret)
{
    if (JG_UNLIKELY(left(in) < 4))
        return jg_thrift_fail(in, "cut off");
    memcpy(ret, in->pos, 4);
    *ret = be32toh(*ret);
    in->pos += 4;
    return true;
}

static bool read_varint(jg_thrift *in, uint64_t *ret)
{
    uint64_t value = 0;
    uint8_t byte;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!read_byte(in, &byte))
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return jg_thrift_fail(in, "number too long");
}

static bool read_zigzag(jg_thrift *in, int64_t *ret)
{
    uint64_t value;
    if (!read_varint(in, &value))
        return false;
    *ret = (int64_t)(value >> 1 ^ (0 - (value & 1)));
    return true;
}

bool jg_thrift_i16(jg_thrift *in, int16_t *ret)
{
    if (in->protocol == JG_THRIFT_COMPACT) {
        int64_t value;
        if (!read_zigzag(in, &value))
            return false;
        *ret = (int16_t)value;
        return true;
    }
    if (left(in) < 2)
        return jg_thrift_fail(in, "cut off");
    *ret = (int16_t)(in->pos[0] << 8 | in->pos[1]);
    in->pos += 2;
    return true;
}

bool jg_thrift_i32(jg_thrift *in, int32_t *ret)
{
    int64_t value;
    uint32_t raw;
    if (in->protocol == JG_THRIFT_COMPACT) {
        if (!read_zigzag(in, &value))
            return false;
        *ret = (int32_t)value;
        return true;
    }
    if (!read_be32(in, &raw))
        return false;
    *ret = (int32_t)raw;
    return true;
}

bool jg_thrift_i64(jg_thrift *in, int64_t *ret)
{
    uint64_t raw;
    if (in->protocol == JG_THRIFT_COMPACT)
        return read_zigzag(in, ret);
    if (JG_UNLIKELY(left(in) < 8))
        return jg_thrift_fail(in, "cut off");
    memcpy(&raw, in->pos, 8);
    *ret = (int64_t)be64toh(raw);
    in->pos += 8;
    return true;
}

bool jg_thrift_double(jg_thrift *in, double *ret)
{
    uint64_t raw;
    if (left(in) < 8)
        return jg_thrift_fail(in, "cut off");
    memcpy(&raw, in->pos, 8);
    raw = in->protocol == JG_THRIFT_COMPACT ? le64toh(raw) : be64toh(raw);
    memcpy(ret, &raw, 8);
    in->pos += 8;
    return true;
}

/** A 32-bit length that is not negative. */
static bool read_size(jg_thrift *in, uint32_t *ret)
{
    uint64_t value = 0;
    if (in->protocol == JG_THRIFT_COMPACT ? !read_varint(in, &value) : !read_be32(in, ret))
        return false;
    if (in->protocol == JG_THRIFT_COMPACT)
        *ret = value > INT32_MAX ? UINT32_MAX : (uint32_t)value;
    return *ret <= INT32_MAX ? true : jg_thrift_fail(in, "negative or too large size");
}

bool jg_thrift_str(jg_thrift *in, jaeger_str *ret)
{
    uint32_t len;
    if (!read_size(in, &len))
        return false;
    if (len > left(in))
        return jg_thrift_fail(in, "string cut off");
    *ret = (jaeger_str){(const char *)in->pos, len};
    in->pos += len;
    return true;
}

bool jg_thrift_bool(jg_thrift *in, const jg_thrift_field *field, bool *ret)
{
    uint8_t byte;
    if (in->protocol == JG_THRIFT_COMPACT) {
        *ret = field->flag;
        return !in->fault;
    }
    if (!read_byte(in, &byte))
        return false;
    *ret = byte != 0;
    return true;
}

static bool next_compact(jg_thrift *in, uint8_t head, int16_t *last, jg_thrift_field *ret)
{
    uint8_t type = head & 0x0f;
    if (type > C_STRUCT)
        return jg_thrift_fail(in, "unknown type");
    if (head >> 4)
        ret->id = (int16_t)(*last + (head >> 4));
    else if (!jg_thrift_i16(in, &ret->id))
        return false;
    ret->type = from_compact[type];
    ret->flag = type == C_TRUE;
    *last = ret->id;
    return true;
}

bool jg_thrift_next(jg_thrift *in, int16_t *last, jg_thrift_field *ret)
{
    uint8_t head;
    if (!read_byte(in, &head))
        return false;
    if (in->protocol == JG_THRIFT_COMPACT)
        return (head & 0x0f) != 0 && next_compact(in, head, last, ret);
    if (head == JG_THRIFT_STOP)
        return false;
    ret->type = head;
    *last = 0;
    return jg_thrift_i16(in, &ret->id);
}

bool jg_thrift_list(jg_thrift *in, uint8_t *ret_type, uint32_t *ret_count)
{
    uint8_t head;
    if (!read_byte(in, &head))
        return false;
    if (in->protocol == JG_THRIFT_COMPACT) {
        if ((head & 0x0f) > C_STRUCT || (head & 0x0f) == 0)
            return jg_thrift_fail(in, "unknown type");
        *ret_type = from_compact[head & 0x0f];
        *ret_count = head >> 4;
        if (*ret_count == 15 && !read_size(in, ret_count))
            return false;
    } else {
        *ret_type = head;
        if (!read_size(in, ret_count))
            return false;
    }
    /* each element has one byte at least */
    return *ret_count <= left(in) ? true : jg_thrift_fail(in, "list longer than the message");
}

static bool skip_value(jg_thrift *in, uint8_t type, const jg_thrift_field *field);

static bool skip_bytes(jg_thrift *in, uint64_t n)
{
    if (n > left(in))
        return jg_thrift_fail(in, "cut off");
    in->pos += n;
    return true;
}

static bool skip_list(jg_thrift *in)
{
    uint8_t type;
    uint32_t count;
    if (!jg_thrift_list(in, &type, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!skip_value(in, type, NULL))
            return false;
    return true;
}

static bool skip_map(jg_thrift *in)
{
    uint8_t key = 0, value = 0;
    uint32_t count;
    if (in->protocol == JG_THRIFT_COMPACT) {
        if (!read_size(in, &count))
            return false;
        if (count == 0)
            return true;
        if (!read_byte(in, &value))
            return false;
        key = from_compact[value >> 4];
        value = from_compact[value & 0x0f];
    } else if (!read_byte(in, &key) || !read_byte(in, &value) || !read_size(in, &count)) {
        return false;
    }
    if (count > left(in))
        return jg_thrift_fail(in, "map longer than the message");
    for (uint32_t i = 0; i < count; i++)
        if (!skip_value(in, key, NULL) || !skip_value(in, value, NULL))
            return false;
    return true;
}

static bool skip_struct(jg_thrift *in)
{
    int16_t last = 0;
    jg_thrift_field field;
    while (jg_thrift_next(in, &last, &field))
        if (!skip_value(in, field.type, &field))
            return false;
    return !in->fault;
}

static bool skip_nested(jg_thrift *in, uint8_t type)
{
    if (in->depth == JG_THRIFT_DEPTH_MAX)
        return jg_thrift_fail(in, "nested too deeply");
    in->depth++;
    bool ok = type == JG_THRIFT_STRUCT ? skip_struct(in)
              : type == JG_THRIFT_MAP  ? skip_map(in)
                                       : skip_list(in);
    in->depth--;
    return ok;
}

/** @param field the header it came with; NULL: an element of a list or map */
static bool skip_value(jg_thrift *in, uint8_t type, const jg_thrift_field *field)
{
    bool compact = in->protocol == JG_THRIFT_COMPACT;
    int64_t number;
    jaeger_str text;
    switch (type) {
    case JG_THRIFT_BOOL:
        return compact && field ? !in->fault : skip_bytes(in, 1);
    case JG_THRIFT_BYTE:
        return skip_bytes(in, 1);
    case JG_THRIFT_I16:
        return compact ? read_zigzag(in, &number) : skip_bytes(in, 2);
    case JG_THRIFT_I32:
        return compact ? read_zigzag(in, &number) : skip_bytes(in, 4);
    case JG_THRIFT_I64:
        return compact ? read_zigzag(in, &number) : skip_bytes(in, 8);
    case JG_THRIFT_DOUBLE:
        return skip_bytes(in, 8);
    case JG_THRIFT_STRING:
        return jg_thrift_str(in, &text);
    case JG_THRIFT_STRUCT:
    case JG_THRIFT_MAP:
    case JG_THRIFT_SET:
    case JG_THRIFT_LIST:
        return skip_nested(in, type);
    default:
        return jg_thrift_fail(in, "unknown type");
    }
}

bool jg_thrift_skip(jg_thrift *in, const jg_thrift_field *field)
{
    return skip_value(in, field->type, field);
}

bool jg_thrift_message(jg_thrift *in, jaeger_str *ret_name, uint8_t *ret_type)
{
    uint32_t head;
    int32_t sequence;
    if (in->protocol == JG_THRIFT_COMPACT) {
        uint8_t id, version;
        uint64_t number;
        if (!read_byte(in, &id) || !read_byte(in, &version))
            return false;
        if (id != 0x82 || (version & 0x1f) != 1)
            return jg_thrift_fail(in, "not a compact message");
        *ret_type = version >> 5;
        return read_varint(in, &number) && jg_thrift_str(in, ret_name);
    }
    if (!read_be32(in, &head))
        return false;
    if (head & 0x80000000u) {
        if ((head & 0xffff0000u) != 0x80010000u)
            return jg_thrift_fail(in, "unknown version of a binary message");
        *ret_type = (uint8_t)head;
        return jg_thrift_str(in, ret_name) && jg_thrift_i32(in, &sequence);
    }
    if (head > left(in)) /* the old header begins with the name's length */
        return jg_thrift_fail(in, "string cut off");
    *ret_name = (jaeger_str){(const char *)in->pos, head};
    in->pos += head;
    return read_byte(in, ret_type) && jg_thrift_i32(in, &sequence);
}

/* ---- writing
 * ------------------------------------------------------------------------------------------------------- */

static void put_varint(jg_buf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        jg_buf_byte(buf, (uint8_t)(value | 0x80));
    jg_buf_byte(buf, (uint8_t)value);
}

static void put_zigzag(jg_buf *buf, int64_t value)
{
    put_varint(buf, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void jg_thrift_put_i16(jg_thrift_out *out, int16_t value)
{
    uint16_t raw = htobe16((uint16_t)value);
    if (out->protocol == JG_THRIFT_COMPACT)
        put_zigzag(out->buf, value);
    else
        jg_buf_append(out->buf, &raw, 2);
}

void jg_thrift_put_i32(jg_thrift_out *out, int32_t value)
{
    uint32_t raw = htobe32((uint32_t)value);
    if (out->protocol == JG_THRIFT_COMPACT)
        put_zigzag(out->buf, value);
    else
        jg_buf_append(out->buf, &raw, 4);
}

void jg_thrift_put_i64(jg_thrift_out *out, int64_t value)
{
    uint64_t raw = htobe64((uint64_t)value);
    if (out->protocol == JG_THRIFT_COMPACT)
        put_zigzag(out->buf, value);
    else
        jg_buf_append(out->buf, &raw, 8);
}

void jg_thrift_put_double(jg_thrift_out *out, double value)
{
    uint64_t raw;
    memcpy(&raw, &value, 8);
    raw = out->protocol == JG_THRIFT_COMPACT ? htole64(raw) : htobe64(raw);
    jg_buf_append(out->buf, &raw, 8);
}

static void put_size(jg_thrift_out *out, uint32_t size)
{
    uint32_t raw = htobe32(size);
    if (out->protocol == JG_THRIFT_COMPACT)
        put_varint(out->buf, size);
    else
        jg_buf_append(out->buf, &raw, 4);
}

void jg_thrift_put_str(jg_thrift_out *out, jaeger_str value)
{
    put_size(out, (uint32_t)value.len);
    jg_buf_str(out->buf, value);
}

static void put_compact_head(jg_thrift_out *out, int16_t *last, int16_t id, uint8_t type)
{
    int delta = id - *last;
    if (delta >= 1 && delta <= 15) {
        jg_buf_byte(out->buf, (uint8_t)(delta << 4 | type));
    } else {
        jg_buf_byte(out->buf, type);
        put_zigzag(out->buf, id);
    }
    *last = id;
}

void jg_thrift_put_field(jg_thrift_out *out, int16_t *last, int16_t id, uint8_t type)
{
    if (out->protocol == JG_THRIFT_COMPACT) {
        put_compact_head(out, last, id, to_compact[type & 15]);
        return;
    }
    jg_buf_byte(out->buf, type);
    jg_thrift_put_i16(out, id);
}

void jg_thrift_put_bool(jg_thrift_out *out, int16_t *last, int16_t id, bool value)
{
    if (out->protocol == JG_THRIFT_COMPACT) {
        put_compact_head(out, last, id, value ? C_TRUE : C_FALSE);
        return;
    }
    jg_thrift_put_field(out, last, id, JG_THRIFT_BOOL);
    jg_buf_byte(out->buf, value);
}

void jg_thrift_put_stop(jg_thrift_out *out)
{
    jg_buf_byte(out->buf, JG_THRIFT_STOP);
}

void jg_thrift_put_list(jg_thrift_out *out, uint8_t type, uint32_t count)
{
    if (out->protocol == JG_THRIFT_COMPACT) {
        uint8_t compact = to_compact[type & 15];
        jg_buf_byte(out->buf, (uint8_t)((count < 15 ? count : 15) << 4 | compact));
        if (count >= 15)
            put_varint(out->buf, count);
        return;
    }
    jg_buf_byte(out->buf, type);
    put_size(out, count);
}

void jg_thrift_put_message(jg_thrift_out *out, jaeger_str name, uint8_t type, int32_t sequence)
{
    if (out->protocol == JG_THRIFT_COMPACT) {
        jg_buf_byte(out->buf, 0x82);
        jg_buf_byte(out->buf, (uint8_t)(type << 5 | 1));
        put_varint(out->buf, (uint32_t)sequence);
        jg_thrift_put_str(out, name);
        return;
    }
    uint32_t head = htobe32(0x80010000u | type);
    jg_buf_append(out->buf, &head, 4);
    jg_thrift_put_str(out, name);
    jg_thrift_put_i32(out, sequence);
}
