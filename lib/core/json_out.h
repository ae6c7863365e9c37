/* SPDX-License-Identifier: Apache-2.0
 * A streaming JSON writer into a buffer. It places commas and, if asked, indentation; the caller keeps the
 * order.
 *
 * Two escape styles are in use (reference: encoding/json and the Collector's pdata): `html` also escapes < >
 * & and U+2028/9 as \uXXXX. Invalid UTF-8 becomes U+FFFD in both.
 */
#ifndef JG_CORE_JSON_OUT_H
#define JG_CORE_JSON_OUT_H

#include "core/buf.h"

#define JG_JSON_OUT_DEPTH_MAX 256

typedef struct jg_json_out {
    jg_buf *buf;
    bool html;      /* escape < > & U+2028 U+2029 */
    uint8_t indent; /* spaces a level; 0: compact */
    uint16_t depth;
    bool after_key;
    bool has_items[JG_JSON_OUT_DEPTH_MAX];
    bool is_array[JG_JSON_OUT_DEPTH_MAX];
} jg_json_out;

/** Where pieces of a long text go when the buffer is full enough. */
typedef struct jg_json_flush {
    jaeger_status (*flush)(void *self, jg_buf *buf); /* empties the buffer; not OK: stop */
    void *self;
    size_t at_bytes; /* flush when the buffer holds this much */
} jg_json_flush;

#define JG_JSON_OUT_INIT(buffer) ((jg_json_out){.buf = (buffer)})

void jg_json_key(jg_json_out *json, jaeger_str key);
/** A key whose value is an object, which begins here. */
void jg_json_key_object(jg_json_out *json, const char *key);
void jg_json_str(jg_json_out *json, jaeger_str value);
void jg_json_bool(jg_json_out *json, bool value);
void jg_json_null(jg_json_out *json);
void jg_json_i64(jg_json_out *json, int64_t value);
void jg_json_u64(jg_json_out *json, uint64_t value);
/** In quotes, as 64-bit numbers are in OTLP-JSON. */
void jg_json_i64_str(jg_json_out *json, int64_t value);
void jg_json_u64_str(jg_json_out *json, uint64_t value);
/** @param exponent_digits_min 1 (encoding/json: 1e-9) or 2 (jsoniter: 1e-09). NaN and infinities are written
 * as the strings "NaN", "Infinity", "-Infinity" */
void jg_json_double(jg_json_out *json, double value, int exponent_digits_min);
void jg_json_hex(jg_json_out *json, const uint8_t *bytes, size_t n);
void jg_json_base64(jg_json_out *json, jaeger_str bytes);
/** A value that is JSON already. */
void jg_json_raw(jg_json_out *json, jaeger_str text);
/** Only the escaped characters, without quotes or commas. */
void jg_json_escape(jg_buf *buf, jaeger_str text, bool html);
/** Only the digits. */
void jg_json_number(jg_buf *buf, uint64_t value);

/** Room on the next line, with `indent`. */
void jg_json_newline(jg_json_out *json);

/** What stands before the next value, with room for `room` bytes behind it. @return false: no memory */
JG_INLINE bool jg_json_next(jg_json_out *json, size_t room)
{
    jg_buf *buf = json->buf;
    if (JG_UNLIKELY(room + 1 > buf->cap - buf->len) && !jg_buf_reserve(buf, room + 1))
        return false;
    if (json->after_key || json->depth == 0) {
        json->after_key = false;
        return true;
    }
    bool *has_items = &json->has_items[json->depth - 1];
    buf->data[buf->len] = ',';
    buf->len += *has_items;
    *has_items = true;
    if (JG_LIKELY(!json->indent))
        return true;
    jg_json_newline(json);
    return jg_buf_reserve(buf, room);
}

/** Text that needs no escaping and is known when the library is built, `text` with its quotes. */
JG_INLINE void jg_json_literal(jg_json_out *json, const char *text, size_t len)
{
    if (!jg_json_next(json, len))
        return;
    memcpy(json->buf->data + json->buf->len, text, len);
    json->buf->len += len;
}

JG_INLINE void jg_json_key_literal(jg_json_out *json, const char *text, size_t len)
{
    jg_json_literal(json, text, len);
    if (JG_UNLIKELY(json->indent))
        jg_buf_byte(json->buf, ' ');
    json->after_key = true;
}

#define jg_json_key_lit(json, literal)                                                                       \
    jg_json_key_literal((json), "\"" literal "\":", sizeof("\"" literal "\":") - 1)
#define jg_json_str_lit(json, literal)                                                                       \
    jg_json_literal((json), "\"" literal "\"", sizeof("\"" literal "\"") - 1)

JG_INLINE void jg_json_open(jg_json_out *json, bool is_array)
{
    if (!jg_json_next(json, 1))
        return;
    if (JG_UNLIKELY(json->depth == JG_JSON_OUT_DEPTH_MAX)) {
        json->buf->failed = true;
        return;
    }
    json->buf->data[json->buf->len++] = is_array ? '[' : '{';
    json->has_items[json->depth] = false;
    json->is_array[json->depth] = is_array;
    json->depth++;
}

JG_INLINE void jg_json_object(jg_json_out *json)
{
    jg_json_open(json, false);
}

JG_INLINE void jg_json_array(jg_json_out *json)
{
    jg_json_open(json, true);
}

/** Close the innermost object or array. */
JG_INLINE void jg_json_end(jg_json_out *json)
{
    if (json->depth == 0)
        return;
    json->depth--;
    if (JG_UNLIKELY(json->indent && json->has_items[json->depth]))
        jg_json_newline(json);
    jg_buf_byte(json->buf, json->is_array[json->depth] ? ']' : '}');
}

#endif
