/* SPDX-License-Identifier: Apache-2.0
 * OTLP-JSON to OTLP protobuf in one pass: each message has a table of its keys, and a value goes straight to
 * wire bytes. The writer is in otlp_json_write.c. Spec: see otlp_json.h.
 */
#include "wire/otlp_json.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"

typedef enum {
    MESSAGE,
    MESSAGES,
    STRING,
    STRINGS,
    ID16,
    ID8,
    BYTES,
    KIND,
    STATUS,
    UINT32,
    FIXED32,
    FIXED64,
    BOOL,
    INT64,
    DOUBLE
} kind;

typedef struct message message;

/** One key. `len_bytes`: the usual size of a nested message's length. */
typedef struct field {
    const char *name, *snake;
    uint8_t len, number, kind, len_bytes;
    const message *sub;
} field;

struct message {
    const field *fields;
    uint8_t count;
    bool keeps_zero; /* members of a oneof are written even if zero */
};

#define FIELD(name, snake, number, kind, len_bytes, sub)                                                     \
    {                                                                                                        \
        name, snake, sizeof(name) - 1, number, kind, len_bytes, sub                                          \
    }
#define PLAIN(name, snake, number, kind) FIELD(name, snake, number, kind, 0, NULL)
#define TABLE(fields)                                                                                        \
    {                                                                                                        \
        fields, JG_COUNT(fields), false                                                                      \
    }

static const message any_value;

static const field key_value_fields[] = {
    PLAIN("key", "key", JG_OTLP_KEY_VALUE_KEY, STRING),
    FIELD("value", "value", JG_OTLP_KEY_VALUE_VALUE, MESSAGE, 1, &any_value),
};
static const message key_value = TABLE(key_value_fields);

static const field array_fields[] = {FIELD("values", "values", JG_OTLP_LIST_VALUES, MESSAGES, 1, &any_value)};
static const message array_value = TABLE(array_fields);
static const field map_fields[] = {FIELD("values", "values", JG_OTLP_LIST_VALUES, MESSAGES, 1, &key_value)};
static const message map_value = TABLE(map_fields);

static const field any_value_fields[] = {
    PLAIN("stringValue", "string_value", JG_OTLP_ANY_STRING, STRING),
    PLAIN("intValue", "int_value", JG_OTLP_ANY_INT, INT64),
    PLAIN("boolValue", "bool_value", JG_OTLP_ANY_BOOL, BOOL),
    PLAIN("doubleValue", "double_value", JG_OTLP_ANY_DOUBLE, DOUBLE),
    FIELD("arrayValue", "array_value", JG_OTLP_ANY_ARRAY, MESSAGE, 1, &array_value),
    FIELD("kvlistValue", "kvlist_value", JG_OTLP_ANY_MAP, MESSAGE, 1, &map_value),
    PLAIN("bytesValue", "bytes_value", JG_OTLP_ANY_BYTES, BYTES),
};
static const message any_value = {any_value_fields, JG_COUNT(any_value_fields), true};

#define ATTRIBUTES(number, dropped)                                                                          \
    FIELD("attributes", "attributes", number, MESSAGES, 1, &key_value),                                      \
        PLAIN("droppedAttributesCount", "dropped_attributes_count", dropped, UINT32)

static const field event_fields[] = {
    PLAIN("timeUnixNano", "time_unix_nano", JG_OTLP_EVENT_TIME, FIXED64),
    PLAIN("name", "name", JG_OTLP_EVENT_NAME, STRING),
    ATTRIBUTES(JG_OTLP_EVENT_ATTRIBUTES, JG_OTLP_EVENT_DROPPED),
};
static const message event = TABLE(event_fields);

static const field link_fields[] = {
    PLAIN("traceId", "trace_id", JG_OTLP_LINK_TRACE_ID, ID16),
    PLAIN("spanId", "span_id", JG_OTLP_LINK_SPAN_ID, ID8),
    PLAIN("traceState", "trace_state", JG_OTLP_LINK_TRACE_STATE, STRING),
    ATTRIBUTES(JG_OTLP_LINK_ATTRIBUTES, JG_OTLP_LINK_DROPPED),
    PLAIN("flags", "flags", JG_OTLP_LINK_FLAGS, FIXED32),
};
static const message link_message = TABLE(link_fields);

static const field status_fields[] = {
    PLAIN("message", "message", JG_OTLP_STATUS_MESSAGE, STRING),
    PLAIN("code", "code", JG_OTLP_STATUS_CODE, STATUS),
};
static const message status = TABLE(status_fields);

static const field span_fields[] = {
    PLAIN("traceId", "trace_id", JG_OTLP_SPAN_TRACE_ID, ID16),
    PLAIN("spanId", "span_id", JG_OTLP_SPAN_SPAN_ID, ID8),
    PLAIN("traceState", "trace_state", JG_OTLP_SPAN_TRACE_STATE, STRING),
    PLAIN("parentSpanId", "parent_span_id", JG_OTLP_SPAN_PARENT_SPAN_ID, ID8),
    PLAIN("flags", "flags", JG_OTLP_SPAN_FLAGS, FIXED32),
    PLAIN("name", "name", JG_OTLP_SPAN_NAME, STRING),
    PLAIN("kind", "kind", JG_OTLP_SPAN_KIND, KIND),
    PLAIN("startTimeUnixNano", "start_time_unix_nano", JG_OTLP_SPAN_START, FIXED64),
    PLAIN("endTimeUnixNano", "end_time_unix_nano", JG_OTLP_SPAN_END, FIXED64),
    ATTRIBUTES(JG_OTLP_SPAN_ATTRIBUTES, JG_OTLP_SPAN_DROPPED_ATTRIBUTES),
    FIELD("events", "events", JG_OTLP_SPAN_EVENTS, MESSAGES, 1, &event),
    PLAIN("droppedEventsCount", "dropped_events_count", JG_OTLP_SPAN_DROPPED_EVENTS, UINT32),
    FIELD("links", "links", JG_OTLP_SPAN_LINKS, MESSAGES, 1, &link_message),
    PLAIN("droppedLinksCount", "dropped_links_count", JG_OTLP_SPAN_DROPPED_LINKS, UINT32),
    FIELD("status", "status", JG_OTLP_SPAN_STATUS, MESSAGE, 1, &status),
};
static const message span = TABLE(span_fields);

static const field scope_fields[] = {
    PLAIN("name", "name", JG_OTLP_SCOPE_NAME, STRING),
    PLAIN("version", "version", JG_OTLP_SCOPE_VERSION, STRING),
    ATTRIBUTES(JG_OTLP_SCOPE_ATTRIBUTES, JG_OTLP_SCOPE_DROPPED),
};
static const message scope = TABLE(scope_fields);

static const field scope_spans_fields[] = {
    FIELD("scope", "scope", JG_OTLP_SCOPE_SPANS_SCOPE, MESSAGE, 1, &scope),
    FIELD("spans", "spans", JG_OTLP_SCOPE_SPANS_SPANS, MESSAGES, 2, &span),
    PLAIN("schemaUrl", "schema_url", JG_OTLP_SCOPE_SPANS_SCHEMA_URL, STRING),
};
static const message scope_spans = TABLE(scope_spans_fields);

static const field entity_ref_fields[] = {
    PLAIN("schemaUrl", "schema_url", 1, STRING),
    PLAIN("type", "type", 2, STRING),
    PLAIN("idKeys", "id_keys", 3, STRINGS),
    PLAIN("descriptionKeys", "description_keys", 4, STRINGS),
};
static const message entity_ref = TABLE(entity_ref_fields);

static const field resource_fields[] = {
    ATTRIBUTES(JG_OTLP_RESOURCE_ATTRIBUTES, JG_OTLP_RESOURCE_DROPPED),
    FIELD("entityRefs", "entity_refs", 3, MESSAGES, 1, &entity_ref),
};
static const message resource = TABLE(resource_fields);

static const field resource_spans_fields[] = {
    FIELD("resource", "resource", JG_OTLP_RESOURCE_SPANS_RESOURCE, MESSAGE, 2, &resource),
    FIELD("scopeSpans", "scope_spans", JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, MESSAGES, 3, &scope_spans),
    PLAIN("schemaUrl", "schema_url", JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, STRING),
};
static const message resource_spans = TABLE(resource_spans_fields);

static const field request_fields[] = {
    FIELD("resourceSpans", "resource_spans", JG_OTLP_REQUEST_RESOURCE_SPANS, MESSAGES, 3, &resource_spans),
};
static const message request = TABLE(request_fields);

/** Keys mostly come in the order of the table: begin at `hint`. NULL: unknown. */
static const field *find_field(const message *m, const jg_json_text *key, size_t hint)
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
        const field *f = &m->fields[i];
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

static bool read_number(jg_json_in *in, jg_buf *out, const field *f, bool keeps_zero)
{
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0;
    bool b = false;
    switch (f->kind) {
    case KIND:
    case STATUS:
        if (f->kind == KIND ? !read_enum(in, kind_names, JG_COUNT(kind_names), &i)
                            : !read_enum(in, status_names, JG_COUNT(status_names), &i))
            return false;
        if (i)
            jg_pb_write_varint(out, f->number, (uint64_t)i);
        return true;
    case UINT32:
    case FIXED32:
        if (!jg_json_in_u64(in, true, &u))
            return false;
        if (u > UINT32_MAX)
            return jg_json_in_fail(in, "not an unsigned 32-bit integer");
        if (u && f->kind == UINT32)
            jg_pb_write_varint(out, f->number, u);
        else if (u)
            jg_pb_write_fixed32(out, f->number, (uint32_t)u);
        return true;
    case FIXED64:
        if (!jg_json_in_u64(in, true, &u))
            return false;
        if (u)
            jg_pb_write_fixed64(out, f->number, u);
        return true;
    case BOOL:
        if (!jg_json_in_bool(in, &b))
            return false;
        if (b || keeps_zero)
            jg_pb_write_varint(out, f->number, b);
        return true;
    case INT64:
        if (!jg_json_in_i64(in, true, &i))
            return false;
        if (i || keeps_zero)
            jg_pb_write_varint(out, f->number, (uint64_t)i);
        return true;
    default:
        if (!jg_json_in_double(in, true, &d))
            return false;
        if (d != 0 || keeps_zero)
            jg_pb_write_double(out, f->number, d);
        return true;
    }
}

static bool read_fields(jg_json_in *in, jg_buf *out, const message *m);

static bool read_message(jg_json_in *in, jg_buf *out, const field *f)
{
    size_t mark = jg_pb_begin(out, f->number, f->len_bytes);
    bool ok = read_fields(in, out, f->sub);
    jg_pb_end(out, mark, f->len_bytes);
    return ok;
}

/** Lists; null items count as empty ones. */
static bool read_list(jg_json_in *in, jg_buf *out, const field *f)
{
    if (!jg_json_in_array(in))
        return false;
    while (jg_json_in_item(in))
        if (f->kind == STRINGS ? !read_string(in, out, f->number, true) : !read_message(in, out, f))
            return false;
    return !in->fault;
}

static bool read_value(jg_json_in *in, jg_buf *out, const field *f, bool keeps_zero)
{
    switch (f->kind) {
    case MESSAGE:
        return read_message(in, out, f);
    case MESSAGES:
    case STRINGS:
        return read_list(in, out, f);
    case STRING:
        return read_string(in, out, f->number, keeps_zero);
    case ID16:
        return read_id(in, out, f->number, 16);
    case ID8:
        return read_id(in, out, f->number, 8);
    case BYTES:
        return read_bytes(in, out, f->number);
    default:
        return read_number(in, out, f, keeps_zero);
    }
}

/** The object's members; null stands for an empty message, and as a member for "absent". */
static bool read_fields(jg_json_in *in, jg_buf *out, const message *m)
{
    jg_json_text key;
    size_t hint = 0;
    if (JG_UNLIKELY(jg_json_in_peek(in) == JG_JSON_NULL))
        return jg_json_in_null(in);
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_key(in, &key)) {
        const field *f = find_field(m, &key, hint);
        if (f)
            hint = (size_t)(f - m->fields) + 1;
        if (!f || jg_json_in_peek(in) == JG_JSON_NULL ? !jg_json_in_skip(in)
                                                      : !read_value(in, out, f, m->keeps_zero))
            return false;
    }
    return !in->fault;
}

jaeger_status jg_otlp_json_read(jaeger_str json, jg_buf *out, jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(json);
    if (!read_fields(&in, out, &request) || !jg_json_in_end(&in))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "OTLP JSON: %s at byte %zu", in.fault,
                       jg_json_in_offset(&in));
    if (!jg_buf_ok(out))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "OTLP JSON: too large or out of memory");
    return JAEGER_OK;
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
