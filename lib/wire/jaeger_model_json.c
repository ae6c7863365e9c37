/* SPDX-License-Identifier: Apache-2.0
 * Reads Kafka's jaeger_json; the writer is in jaeger_model_json_write.c. See jaeger_model_json.h.
 */
#include "wire/jaeger_model_json.h"

#include "core/err.h"
#include "core/json_in.h"
#include "core/str.h"
#include "wire/jaeger_model.h"
#include "wire/rfc3339.h"

typedef struct reader {
    jg_json_in in;
    jg_jaeger_in model; /* its arena holds texts that do not stand in the input as they are */
} reader;

static bool no_memory(reader *r)
{
    r->model.groups.failed = true;
    return jg_json_in_fail(&r->in, "out of memory");
}

static bool read_text(reader *r, jaeger_str *ret)
{
    jg_json_text text;
    if (!jg_json_in_str(&r->in, &text))
        return false;
    *ret = text.raw;
    if (!text.escaped)
        return true;
    char *plain = jaeger_arena_alloc(r->model.arena, text.raw.len);
    if (!plain)
        return no_memory(r);
    *ret = (jaeger_str){plain, jg_json_in_unescape(text.raw, plain)};
    return true;
}

static bool read_base64(reader *r, jaeger_str *ret)
{
    jaeger_str text;
    if (!read_text(r, &text))
        return false;
    uint8_t *bytes = jaeger_arena_alloc(r->model.arena, text.len + 3);
    if (!bytes)
        return no_memory(r);
    *ret = (jaeger_str){(const char *)bytes, 0};
    return jg_base64_decode(text, bytes, &ret->len) ? true
                                                    : jg_json_in_fail(&r->in, "bytes must be in base64");
}

static bool read_trace_id(reader *r, uint8_t ret[16])
{
    jaeger_str id;
    if (!read_base64(r, &id))
        return false;
    if (id.len != 16 && id.len != 8)
        return jg_json_in_fail(&r->in, "invalid length for TraceID");
    memset(ret, 0, 16);
    memcpy(ret + 16 - id.len, id.ptr, id.len);
    return true;
}

static bool read_span_id(reader *r, uint8_t ret[8])
{
    jaeger_str id;
    if (!read_base64(r, &id))
        return false;
    if (id.len != 8)
        return jg_json_in_fail(&r->in, "invalid length for SpanID");
    memcpy(ret, id.ptr, 8);
    return true;
}

/** Index of a name in the list, or a number as it is. */
static bool read_enum(reader *r, const char *const *names, size_t count, int32_t *ret)
{
    jaeger_str name;
    int64_t number;
    if (jg_json_in_peek(&r->in) != JG_JSON_STRING) {
        if (!jg_json_in_i64(&r->in, false, &number) || number < INT32_MIN || number > INT32_MAX)
            return jg_json_in_fail(&r->in, "enum number out of range");
        *ret = (int32_t)number;
        return true;
    }
    if (!read_text(r, &name))
        return false;
    for (size_t i = 0; i < count; i++)
        if (jg_str_is(name, names[i])) {
            *ret = (int32_t)i;
            return true;
        }
    return jg_json_in_fail(&r->in, "unknown name of an enum");
}

static bool read_time(reader *r, uint64_t *ret)
{
    jaeger_str text;
    int64_t s;
    uint32_t ns;
    if (!read_text(r, &text))
        return false;
    if (!jg_rfc3339_parse(text, &s, &ns))
        return jg_json_in_fail(&r->in, "not a time of RFC 3339");
    *ret = (uint64_t)s * 1000000000u + ns;
    return true;
}

static bool read_duration(reader *r, int64_t *ret)
{
    jaeger_str text;
    if (!read_text(r, &text))
        return false;
    return text.len && jg_str_to_duration(text, ret) ? true : jg_json_in_fail(&r->in, "not a duration");
}

JG_INLINE bool is_key(const jg_json_text *key, const char *name, const char *snake)
{
    return jg_json_in_is(*key, jg_str(name)) || jg_json_in_is(*key, jg_str(snake));
}

typedef struct tag_values {
    jaeger_str text, binary;
    int64_t integer;
    double number;
    bool flag;
    int32_t type;
} tag_values;

static bool read_tag_member(reader *r, const jg_json_text *key, jg_jaeger_tag *tag, tag_values *v)
{
    static const char *const types[] = {"STRING", "BOOL", "INT64", "FLOAT64", "BINARY"};
    if (is_key(key, "key", "key"))
        return read_text(r, &tag->key);
    if (is_key(key, "vType", "v_type"))
        return read_enum(r, types, JG_COUNT(types), &v->type);
    if (is_key(key, "vStr", "v_str"))
        return read_text(r, &v->text);
    if (is_key(key, "vBool", "v_bool"))
        return jg_json_in_bool(&r->in, &v->flag);
    if (is_key(key, "vInt64", "v_int64"))
        return jg_json_in_i64(&r->in, true, &v->integer);
    if (is_key(key, "vFloat64", "v_float64"))
        return jg_json_in_double(&r->in, true, &v->number);
    if (is_key(key, "vBinary", "v_binary"))
        return read_base64(r, &v->binary);
    return jg_json_in_skip(&r->in);
}

static bool read_tag(reader *r, jg_jaeger_tags *tags)
{
    jg_jaeger_tag *tag = jg_jaeger_add(&r->model, tags);
    tag_values v = {.text = JAEGER_STR(""), .binary = JAEGER_STR("")};
    jg_json_text key;
    if (!tag)
        return no_memory(r);
    if (!jg_json_in_object(&r->in))
        return false;
    tag->key = JAEGER_STR("");
    while (jg_json_in_member(&r->in, &key))
        if (!read_tag_member(r, &key, tag, &v))
            return false;
    tag->type = (jg_jaeger_type)v.type;
    tag->text = v.text;
    if (v.type == JG_JAEGER_STRING)
        tag->u.s = v.text;
    else if (v.type == JG_JAEGER_BINARY)
        tag->u.s = v.binary;
    else if (v.type == JG_JAEGER_BOOL)
        tag->u.b = v.flag;
    else if (v.type == JG_JAEGER_INT64)
        tag->u.i = v.integer;
    else if (v.type == JG_JAEGER_FLOAT64)
        tag->u.d = v.number;
    else
        jg_jaeger_set_unknown(&r->model, tag, v.type);
    return !r->in.fault;
}

static bool read_tags(reader *r, jg_jaeger_tags *tags)
{
    if (!jg_json_in_array(&r->in))
        return false;
    while (jg_json_in_item(&r->in))
        if (!read_tag(r, tags))
            return false;
    return !r->in.fault;
}

static bool read_ref(reader *r)
{
    static const char *const types[] = {"CHILD_OF", "FOLLOWS_FROM"};
    jg_jaeger_ref *ref = jg_jaeger_add_ref(&r->model);
    jg_json_text key;
    if (!ref)
        return no_memory(r);
    if (!jg_json_in_object(&r->in))
        return false;
    while (jg_json_in_member(&r->in, &key)) {
        bool ok = is_key(&key, "traceId", "trace_id")   ? read_trace_id(r, ref->trace_id)
                  : is_key(&key, "spanId", "span_id")   ? read_span_id(r, ref->span_id)
                  : is_key(&key, "refType", "ref_type") ? read_enum(r, types, JG_COUNT(types), &ref->type)
                                                        : jg_json_in_skip(&r->in);
        if (!ok)
            return false;
    }
    return !r->in.fault;
}

static bool read_log(reader *r)
{
    uint64_t time = 0;
    jg_json_text key;
    r->model.fields.count = 0;
    if (!jg_json_in_object(&r->in))
        return false;
    while (jg_json_in_member(&r->in, &key)) {
        bool ok = is_key(&key, "timestamp", "timestamp") ? read_time(r, &time)
                  : is_key(&key, "fields", "fields")     ? read_tags(r, &r->model.fields)
                                                         : jg_json_in_skip(&r->in);
        if (!ok)
            return false;
    }
    jg_jaeger_write_log(&r->model, time);
    return !r->in.fault;
}

static bool read_list(reader *r, bool (*read)(reader *))
{
    if (!jg_json_in_array(&r->in))
        return false;
    while (jg_json_in_item(&r->in))
        if (!read(r))
            return false;
    return !r->in.fault;
}

/** Tags go to model.fields, which logs use too: the resource is written at once. */
static bool read_process(reader *r, uint32_t resource)
{
    jaeger_str service = {0};
    jg_json_text key;
    r->model.fields.count = 0;
    if (!jg_json_in_object(&r->in))
        return false;
    while (jg_json_in_member(&r->in, &key)) {
        bool ok = is_key(&key, "serviceName", "service_name") ? read_text(r, &service)
                  : is_key(&key, "tags", "tags")              ? read_tags(r, &r->model.fields)
                                                              : jg_json_in_skip(&r->in);
        if (!ok)
            return false;
    }
    size_t mark = jg_span_groups_begin_resource(&r->model.groups);
    if (!jg_str_is(service, "OTLPResourceNoServiceName"))
        jg_jaeger_write_process(&r->model, service, &r->model.fields);
    jg_span_groups_end_resource(&r->model.groups, resource, mark);
    return !r->in.fault;
}

static bool read_span_member(reader *r, const jg_json_text *key, jg_jaeger_head *head, int64_t *duration,
                             uint32_t resource)
{
    if (is_key(key, "traceId", "trace_id"))
        return read_trace_id(r, head->trace_id);
    if (is_key(key, "spanId", "span_id"))
        return read_span_id(r, head->span_id);
    if (is_key(key, "operationName", "operation_name"))
        return read_text(r, &head->name);
    if (is_key(key, "references", "references"))
        return read_list(r, read_ref);
    if (is_key(key, "startTime", "start_time"))
        return read_time(r, &head->start_unix_ns);
    if (is_key(key, "duration", "duration"))
        return read_duration(r, duration);
    if (is_key(key, "tags", "tags"))
        return read_tags(r, &r->model.tags);
    if (is_key(key, "logs", "logs"))
        return read_list(r, read_log);
    if (is_key(key, "process", "process"))
        return read_process(r, resource);
    return jg_json_in_skip(&r->in);
}

static bool read_span(reader *r)
{
    jg_jaeger_head head = {.start_unix_ns = JG_GO_ZERO_TIME_NS};
    int64_t duration = 0;
    jg_json_text key;
    bool is_new;
    uint32_t resource = jg_span_groups_resource(&r->model.groups, JAEGER_STR(""), &is_new);
    size_t mark = jg_span_groups_begin_span(&r->model.groups);
    if (!jg_json_in_object(&r->in))
        return false;
    while (jg_json_in_member(&r->in, &key))
        if (!read_span_member(r, &key, &head, &duration, resource))
            return false;
    if (!jg_json_in_end(&r->in))
        return false;
    head.end_unix_ns = head.start_unix_ns + (uint64_t)duration;
    uint32_t scope = jg_jaeger_write_span(&r->model, &head, resource);
    jg_span_groups_end_span(&r->model.groups, scope, mark);
    return true;
}

jaeger_status jg_jaeger_model_json_to_batch(jaeger_str json, jaeger_batch **ret, jaeger_error *err)
{
    jaeger_status status;
    reader r = {.in = jg_json_in_of(json)};
    jg_jaeger_in_init(&r.model, json.len, true);
    if (!r.model.groups.failed && !read_span(&r) && !r.model.groups.failed)
        status = jg_fail(err, JAEGER_INVALID_ARGUMENT, "Jaeger JSON: %s at byte %zu", r.in.fault,
                         jg_json_in_offset(&r.in));
    else
        status = jg_span_groups_finish(&r.model.groups, ret, err);
    jg_jaeger_in_done(&r.model);
    return status;
}
