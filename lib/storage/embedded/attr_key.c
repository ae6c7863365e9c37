/* SPDX-License-Identifier: Apache-2.0
 * See attr_key.h.
 */
#include "storage/embedded/attr_key.h"

#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "storage/embedded/wal.h"

static bool is_short(const jg_pb_field *f)
{
    return f->wire == JG_PB_LEN && (size_t)(f->ptr - f->start) == 1 + jg_pb_varint_size(f->len);
}

/** One field, of a plain type, in the shortest encoding. */
static bool value_is_plain(const uint8_t *any, size_t len)
{
    jg_pb pb = jg_pb_of(any, len);
    jg_pb_field f;
    if (!jg_pb_next(&pb, &f) || pb.pos != pb.end)
        return false;
    switch (f.number) {
    case JG_OTLP_ANY_STRING:
        return is_short(&f);
    case JG_OTLP_ANY_BOOL:
        return len == 2 && f.varint <= 1;
    case JG_OTLP_ANY_INT:
        return len == 1 + jg_pb_varint_size(f.varint);
    case JG_OTLP_ANY_DOUBLE: {
        double d;
        memcpy(&d, &f.varint, 8);
        return len == 9 && d == d;
    }
    default:
        return false;
    }
}

jg_kv_form jg_kv_form_of(const uint8_t *kv, size_t len, jaeger_str *ret_key)
{
    jg_pb pb = jg_pb_of(kv, len);
    jg_pb_field key, value;
    if (!jg_pb_next(&pb, &key) || key.number != JG_OTLP_KEY_VALUE_KEY || !is_short(&key) ||
        !jg_pb_next(&pb, &value) || value.number != JG_OTLP_KEY_VALUE_VALUE || !is_short(&value) ||
        pb.pos != pb.end)
        return JG_KV_ODD;
    *ret_key = jg_pb_str(&key);
    return value_is_plain(value.ptr, value.len) ? JG_KV_PLAIN : JG_KV_KEYED;
}

/** Key, then a value message of `value_len` bytes that the caller appends. */
static void begin_kv(jg_buf *out, jaeger_str key, size_t value_len)
{
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, key);
    jg_pb_write_tag(out, JG_OTLP_KEY_VALUE_VALUE, JG_PB_LEN);
    jg_pb_write_varint_raw(out, value_len);
}

static void string_kv(jg_buf *out, jaeger_str key, jaeger_str text)
{
    begin_kv(out, key, jg_pb_len_size(JG_OTLP_ANY_STRING, text.len));
    jg_pb_write_str(out, JG_OTLP_ANY_STRING, text);
}

void jg_kv_as_text(jg_buf *out, const uint8_t *kv, size_t len)
{
    jaeger_attr attr = {.key = {"", 0}};
    JG_AUTO_BUF jg_buf one = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX), text = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX);
    jg_pb_write_bytes(&one, 1, kv, len); /* an iterator wants a field around it */
    jaeger_value map = {.type = JAEGER_VALUE_MAP, .u.s = jg_buf_view(&one)};
    jaeger_iter it = jaeger_map_attrs(map);
    (void)jaeger_next_attr(&it, &attr);
    jg_value_text(&text, &attr.value);
    string_kv(out, attr.key, jg_buf_view(&text));
    out->failed = out->failed || !jg_buf_ok(&one) || !jg_buf_ok(&text);
}

int jg_attr_terms(const jg_match_attr *attr, uint64_t seed, jg_hash128 ret[JG_TERMS_MAX])
{
    int n = 0;
    const jg_match_text *want = &attr->want;
    JG_AUTO_BUF jg_buf kv = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX);
    string_kv(&kv, attr->key, want->text);
    ret[n++] = jg_hash_piece(kv.data, kv.len, seed);
    bool ok = jg_buf_ok(&kv);
    if (want->is_int) {
        jg_buf_clear(&kv);
        begin_kv(&kv, attr->key, 1 + jg_pb_varint_size((uint64_t)want->i));
        jg_pb_write_varint(&kv, JG_OTLP_ANY_INT, (uint64_t)want->i);
        ret[n++] = jg_hash_piece(kv.data, kv.len, seed);
    }
    if (want->is_double) {
        jg_buf_clear(&kv);
        begin_kv(&kv, attr->key, 9);
        jg_pb_write_fixed64(&kv, JG_OTLP_ANY_DOUBLE, want->double_bits);
        ret[n++] = jg_hash_piece(kv.data, kv.len, seed);
    }
    bool is_true = jg_str_is(want->text, "true");
    if (is_true || jg_str_is(want->text, "false")) {
        jg_buf_clear(&kv);
        begin_kv(&kv, attr->key, 2);
        jg_pb_write_varint(&kv, JG_OTLP_ANY_BOOL, is_true);
        ret[n++] = jg_hash_piece(kv.data, kv.len, seed);
    }
    return ok && jg_buf_ok(&kv) ? n : -1;
}
