/* SPDX-License-Identifier: Apache-2.0
 * OTLP-JSON to OTLP protobuf in one pass: each message has a table of its keys (otlp_json_tables.c), and a
 * value goes straight to wire bytes. The writer is in otlp_json_write.c. Spec: see otlp_json.h.
 */
#include "wire/otlp_json.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/pb.h"
#include "core/str.h"
#include "wire/otlp_json_tables.h"

/** Keys mostly come in the order of the table: begin at `hint`. NULL: unknown. */
static const jg_json_field *find_field(const jg_json_message *m, const jg_json_text *key, size_t hint)
{
    char plain[256];
    jaeger_str name = key->raw;
    if (JG_UNLIKELY(key->escaped)) {
        if (name.len > sizeof plain)
            return NULL;
        name = (jaeger_str){plain, jg_json_in_unescape(name, plain)};
    }
    for (size_t n = 0, i = hint; n < m->count; n++, i++) {
        if (i >= m->count)
            i = 0;
        const jg_json_field *f = &m->fields[i];
        if (f->len == name.len && memcmp(f->name, name.ptr, name.len) == 0)
            return f;
    }
    for (size_t i = 0; i < m->count; i++)
        if (jg_str_is(name, m->fields[i].snake))
            return &m->fields[i];
    return NULL;
}

static bool read_string(jg_json_in *in, jg_buf *out, uint32_t number, bool keeps_empty)
{
    jg_json_text text;
    if (!jg_json_in_str(in, &text))
        return false;
    if (text.raw.len == 0 && !keeps_empty)
        return true;
    if (JG_LIKELY(!text.escaped)) {
        jg_pb_write_str(out, number, text.raw);
        return true;
    }
    size_t mark = jg_pb_begin(out, number, 1);
    jg_json_in_append(out, text);
    jg_pb_end(out, mark, 1);
    return true;
}

static bool read_id(jg_json_in *in, jg_buf *out, uint32_t number, size_t n)
{
    jg_json_text text;
    uint8_t id[16];
    if (!jg_json_in_str(in, &text))
        return false;
    if (text.raw.len == 0)
        return true;
    if (!jg_hex_decode(text.raw, id, n))
        return jg_json_in_fail(in, n == 16 ? "a trace id must be 32 hex digits"
                                           : "a span id must be 16 hex digits");
    if (!jg_id_is_zero(id, n))
        jg_pb_write_bytes(out, number, id, n);
    return true;
}

static bool read_bytes(jg_json_in *in, jg_buf *out, uint32_t number)
{
    jg_json_text text;
    if (!jg_json_in_str(in, &text))
        return false;
    size_t mark = jg_pb_begin(out, number, 1), start = out->len, len = 0;
    if (!jg_buf_reserve(out, text.raw.len + 3))
        return true;
    if (text.escaped) { /* "\/" is legal and means "/" */
        size_t plain = jg_json_in_unescape(text.raw, (char *)out->data + start);
        text.raw = (jaeger_str){(char *)out->data + start, plain};
    }
    if (!jg_base64_decode(text.raw, out->data + start,
                          &len)) /* in place is fine: output stays behind input */
        return jg_json_in_fail(in, "bytes must be in base64");
    out->len += len;
    jg_pb_end(out, mark, 1);
    return true;
}

static const char *const kind_names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                         "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
static const char *const status_names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
static const char *const temporality_names[] = {"AGGREGATION_TEMPORALITY_UNSPECIFIED",
                                                "AGGREGATION_TEMPORALITY_DELTA",
                                                "AGGREGATION_TEMPORALITY_CUMULATIVE"};

static bool read_enum(jg_json_in *in, const char *const *names, size_t count, int64_t *ret)
{
    jg_json_text text;
    if (jg_json_in_peek(in) != JG_JSON_STRING) {
        if (!jg_json_in_i64(in, false, ret))
            return false;
        return *ret >= INT32_MIN && *ret <= INT32_MAX ? true
                                                      : jg_json_in_fail(in, "enum number out of range");
    }
    if (!jg_json_in_str(in, &text))
        return false;
    for (size_t i = 0; i < count; i++)
        if (jg_json_in_is(text, jg_str(names[i]))) {
            *ret = (int64_t)i;
            return true;
        }
    return jg_json_in_fail(in, "unknown name of an enum");
}

static bool read_any_enum(jg_json_in *in, uint8_t kind, int64_t *ret)
{
    if (kind == JG_JSON_IS_KIND)
        return read_enum(in, kind_names, JG_COUNT(kind_names), ret);
    if (kind == JG_JSON_IS_STATUS)
        return read_enum(in, status_names, JG_COUNT(status_names), ret);
    return read_enum(in, temporality_names, JG_COUNT(temporality_names), ret);
}

static bool read_signed(jg_json_in *in, jg_buf *out, const jg_json_field *f, bool keeps_zero)
{
    int64_t i = 0;
    if (!jg_json_in_i64(in, true, &i))
        return false;
    if (f->kind == JG_JSON_IS_SINT32 && (i < INT32_MIN || i > INT32_MAX))
        return jg_json_in_fail(in, "not a 32-bit integer");
    if (!i && !keeps_zero)
        return true;
    if (f->kind == JG_JSON_IS_SINT32)
        jg_pb_write_varint(out, f->number, (uint64_t)i << 1 ^ (uint64_t)(i >> 63));
    else if (f->kind == JG_JSON_IS_SFIXED64)
        jg_pb_write_fixed64(out, f->number, (uint64_t)i);
    else
        jg_pb_write_varint(out, f->number, (uint64_t)i);
    return true;
}

/** A list of numbers, packed. */
static bool read_packed(jg_json_in *in, jg_buf *out, const jg_json_field *f)
{
    uint64_t u = 0;
    double d = 0;
    if (!jg_json_in_array(in))
        return false;
    size_t mark = jg_pb_begin(out, f->number, 1);
    while (jg_json_in_item(in)) {
        if (f->kind == JG_JSON_IS_DOUBLES ? !jg_json_in_double(in, true, &d) : !jg_json_in_u64(in, true, &u))
            return false;
        if (f->kind == JG_JSON_IS_UINT64S)
            jg_pb_write_varint_raw(out, u);
        else
            jg_buf_append(out, f->kind == JG_JSON_IS_DOUBLES ? (const void *)&d : (const void *)&u, 8);
    }
    jg_pb_end(out, mark, 1);
    return !in->fault;
}

static bool read_number(jg_json_in *in, jg_buf *out, const jg_json_field *f, bool keeps_zero)
{
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0;
    bool b = false;
    switch (f->kind) {
    case JG_JSON_IS_KIND:
    case JG_JSON_IS_STATUS:
    case JG_JSON_IS_TEMPORALITY:
        if (!read_any_enum(in, f->kind, &i))
            return false;
        if (i)
            jg_pb_write_varint(out, f->number, (uint64_t)i);
        return true;
    case JG_JSON_IS_UINT32:
    case JG_JSON_IS_FIXED32:
        if (!jg_json_in_u64(in, true, &u))
            return false;
        if (u > UINT32_MAX)
            return jg_json_in_fail(in, "not an unsigned 32-bit integer");
        if (u && f->kind == JG_JSON_IS_UINT32)
            jg_pb_write_varint(out, f->number, u);
        else if (u)
            jg_pb_write_fixed32(out, f->number, (uint32_t)u);
        return true;
    case JG_JSON_IS_FIXED64:
        if (!jg_json_in_u64(in, true, &u))
            return false;
        if (u)
            jg_pb_write_fixed64(out, f->number, u);
        return true;
    case JG_JSON_IS_BOOL:
        if (!jg_json_in_bool(in, &b))
            return false;
        if (b || keeps_zero)
            jg_pb_write_varint(out, f->number, b);
        return true;
    case JG_JSON_IS_INT64:
    case JG_JSON_IS_SINT32:
    case JG_JSON_IS_SFIXED64:
        return read_signed(in, out, f, keeps_zero);
    default:
        if (!jg_json_in_double(in, true, &d))
            return false;
        if (d != 0 || keeps_zero)
            jg_pb_write_double(out, f->number, d);
        return true;
    }
}

static bool read_fields(jg_json_in *in, jg_buf *out, const jg_json_message *m);

static bool read_message(jg_json_in *in, jg_buf *out, const jg_json_field *f)
{
    size_t mark = jg_pb_begin(out, f->number, f->len_bytes);
    bool ok = read_fields(in, out, f->sub);
    jg_pb_end(out, mark, f->len_bytes);
    return ok;
}

/** Lists; null items count as empty ones. */
static bool read_list(jg_json_in *in, jg_buf *out, const jg_json_field *f)
{
    if (!jg_json_in_array(in))
        return false;
    while (jg_json_in_item(in))
        if (f->kind == JG_JSON_IS_STRINGS ? !read_string(in, out, f->number, true)
                                          : !read_message(in, out, f))
            return false;
    return !in->fault;
}

static bool read_value(jg_json_in *in, jg_buf *out, const jg_json_field *f, bool keeps_zero)
{
    switch (f->kind) {
    case JG_JSON_IS_MESSAGE:
        return read_message(in, out, f);
    case JG_JSON_IS_MESSAGES:
    case JG_JSON_IS_STRINGS:
        return read_list(in, out, f);
    case JG_JSON_IS_STRING:
        return read_string(in, out, f->number, keeps_zero);
    case JG_JSON_IS_ID16:
        return read_id(in, out, f->number, 16);
    case JG_JSON_IS_ID8:
        return read_id(in, out, f->number, 8);
    case JG_JSON_IS_BYTES:
        return read_bytes(in, out, f->number);
    case JG_JSON_IS_FIXED64S:
    case JG_JSON_IS_UINT64S:
    case JG_JSON_IS_DOUBLES:
        return read_packed(in, out, f);
    default:
        return read_number(in, out, f, keeps_zero);
    }
}

/** The object's members; null stands for an empty message, and as a member for "absent". */
static bool read_fields(jg_json_in *in, jg_buf *out, const jg_json_message *m)
{
    jg_json_text key;
    size_t hint = 0;
    if (JG_UNLIKELY(jg_json_in_peek(in) == JG_JSON_NULL))
        return jg_json_in_null(in);
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_key(in, &key)) {
        const jg_json_field *f = find_field(m, &key, hint);
        if (f)
            hint = (size_t)(f - m->fields) + 1;
        if (!f || jg_json_in_peek(in) == JG_JSON_NULL ? !jg_json_in_skip(in)
                                                      : !read_value(in, out, f, m->keeps_zero))
            return false;
    }
    return !in->fault;
}

static jaeger_status read_request(jaeger_str json, const jg_json_message *m, jg_buf *out, jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(json);
    if (!read_fields(&in, out, m) || !jg_json_in_end(&in))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "OTLP JSON: %s at byte %zu", in.fault,
                       jg_json_in_offset(&in));
    if (!jg_buf_ok(out))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "OTLP JSON: too large or out of memory");
    return JAEGER_OK;
}

jaeger_status jg_otlp_json_read(jaeger_str json, jg_buf *out, jaeger_error *err)
{
    return read_request(json, &jg_otlp_json_traces, out, err);
}

static void release_read(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

jaeger_status jg_otlp_json_to_batch(jaeger_str json, jaeger_batch **ret, jaeger_error *err)
{
    /* the bytes are never more than the text: the shortest key is longer than a tag and a number */
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(json.len + 64);
    JG_TRY(jg_otlp_json_read(json, &buf, err));
    size_t len = 0;
    uint8_t *bytes = jg_buf_take(&buf, &len);
    if (!bytes)
        return jaeger_batch_from_otlp((void *)"", 0, NULL, NULL, ret, err);
    uint8_t *exact = jg_realloc(bytes, len);
    return jaeger_batch_from_otlp(exact ? exact : bytes, len, release_read, NULL, ret, err);
}

jaeger_status jg_otlp_json_to_metrics(jaeger_str json, jaeger_batch **ret, jaeger_error *err)
{
    /* as above, but for packed numbers: "0," becomes eight bytes */
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4 * json.len + 64);
    JG_TRY(read_request(json, &jg_otlp_json_metrics, &buf, err));
    size_t len = 0;
    uint8_t *bytes = jg_buf_take(&buf, &len);
    if (!bytes)
        return jaeger_batch_from_otlp_metrics((void *)"", 0, NULL, NULL, ret, err);
    return jaeger_batch_from_otlp_metrics(bytes, len, release_read, NULL, ret, err);
}
