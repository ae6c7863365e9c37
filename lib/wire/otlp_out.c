/* SPDX-License-Identifier: Apache-2.0
 * See otlp_out.h.
 */
#include "wire/otlp_out.h"

#include "core/str.h"
#include "model/otlp_fields.h"

/** Everything before the AnyValue's only field, which has `any_len` bytes. @return where it goes; NULL: no
 * memory */
static uint8_t *begin_attr(jg_buf *buf, uint32_t field, jaeger_str key, size_t any_len)
{
    size_t body =
        jg_pb_len_size(JG_OTLP_KEY_VALUE_KEY, key.len) + jg_pb_len_size(JG_OTLP_KEY_VALUE_VALUE, any_len);
    size_t all = jg_pb_len_size(field, body);
    if (JG_UNLIKELY(all > buf->cap - buf->len) && !jg_buf_reserve(buf, all))
        return NULL;
    uint8_t *out = jg_pb_put_len_header(buf->data + buf->len, field, body);
    out = jg_pb_put_len_header(out, JG_OTLP_KEY_VALUE_KEY, key.len);
    if (key.len)
        memcpy(out, key.ptr, key.len);
    buf->len += all;
    return jg_pb_put_len_header(out + key.len, JG_OTLP_KEY_VALUE_VALUE, any_len);
}

static void attr_len(jg_buf *buf, uint32_t field, jaeger_str key, uint32_t any_field, jaeger_str value)
{
    uint8_t *out = begin_attr(buf, field, key, jg_pb_len_size(any_field, value.len));
    if (!out)
        return;
    out = jg_pb_put_len_header(out, any_field, value.len);
    if (value.len)
        memcpy(out, value.ptr, value.len);
}

void jg_otlp_attr_str(jg_buf *buf, uint32_t field, jaeger_str key, jaeger_str value)
{
    attr_len(buf, field, key, JG_OTLP_ANY_STRING, value);
}

void jg_otlp_attr_bytes(jg_buf *buf, uint32_t field, jaeger_str key, jaeger_str value)
{
    attr_len(buf, field, key, JG_OTLP_ANY_BYTES, value);
}

static void attr_varint(jg_buf *buf, uint32_t field, jaeger_str key, uint32_t any_field, uint64_t value)
{
    uint8_t *out = begin_attr(buf, field, key, 1 + jg_pb_varint_size(value));
    if (!out)
        return;
    *out++ = (uint8_t)(any_field << 3 | JG_PB_VARINT);
    (void)jg_pb_put_varint(out, value);
}

void jg_otlp_attr_int(jg_buf *buf, uint32_t field, jaeger_str key, int64_t value)
{
    attr_varint(buf, field, key, JG_OTLP_ANY_INT, (uint64_t)value);
}

void jg_otlp_attr_bool(jg_buf *buf, uint32_t field, jaeger_str key, bool value)
{
    attr_varint(buf, field, key, JG_OTLP_ANY_BOOL, value);
}

void jg_otlp_attr_double(jg_buf *buf, uint32_t field, jaeger_str key, double value)
{
    uint8_t *out = begin_attr(buf, field, key, 9);
    if (!out)
        return;
    *out++ = JG_OTLP_ANY_DOUBLE << 3 | JG_PB_FIXED64;
    memcpy(out, &value, 8);
}

void jg_otlp_id(jg_buf *buf, uint32_t field, const uint8_t *id, size_t n)
{
    if (!jg_id_is_zero(id, n))
        jg_pb_write_bytes(buf, field, id, n);
}

void jg_otlp_text(jg_buf *buf, uint32_t field, jaeger_str text)
{
    if (text.len)
        jg_pb_write_str(buf, field, text);
}

void jg_otlp_time(jg_buf *buf, uint32_t field, uint64_t unix_ns)
{
    if (unix_ns)
        jg_pb_write_fixed64(buf, field, unix_ns);
}

void jg_otlp_status(jg_buf *buf, uint32_t code, jaeger_str message)
{
    if (!code && !message.len)
        return;
    size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_STATUS, 1);
    jg_otlp_text(buf, JG_OTLP_STATUS_MESSAGE, message);
    if (code)
        jg_pb_write_varint(buf, JG_OTLP_STATUS_CODE, code);
    jg_pb_end(buf, mark, 1);
}
