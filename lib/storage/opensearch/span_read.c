/* SPDX-License-Identifier: Apache-2.0
 * See span_read.h. Spans of one process share a resource: its JSON text is the key.
 */
#include "storage/opensearch/span_read.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "wire/otlp_out.h"

void jg_os_span_reader_init(jg_os_span_reader *r, jaeger_str dot)
{
    *r = (jg_os_span_reader){.dot = dot};
    jg_jaeger_in_init(&r->model, JG_TRANSLATED_BYTES_MAX, true);
    r->model.http_code = JAEGER_STR("http.response.status_code");
}

void jg_os_span_reader_done(jg_os_span_reader *r)
{
    jg_jaeger_in_done(&r->model);
}

size_t jg_os_span_reader_bytes(const jg_os_span_reader *r)
{
    return r->model.groups.spans.len;
}

jaeger_status jg_os_span_reader_take(jg_os_span_reader *r, jaeger_batch **ret, jaeger_error *err)
{
    jaeger_status status = jg_span_groups_finish(&r->model.groups, ret, err);
    jg_span_groups_done(&r->model.groups);
    jg_span_groups_init(&r->model.groups, JG_TRANSLATED_BYTES_MAX);
    r->count = 0;
    return status;
}

bool jg_os_read_id(jaeger_str hex, uint8_t *ret, size_t n)
{
    char padded[32];
    if (!hex.len || hex.len > 2 * n)
        return false;
    memset(padded, '0', 2 * n - hex.len);
    memcpy(padded + 2 * n - hex.len, hex.ptr, hex.len);
    return jg_hex_decode((jaeger_str){padded, 2 * n}, ret, n);
}

/* ---- values ---- */

static bool no_memory(jg_os_span_reader *r, jg_json_in *in)
{
    r->model.groups.failed = true;
    return jg_json_in_fail(in, "out of memory");
}

static bool keep_text(jg_os_span_reader *r, jg_json_in *in, jg_json_text text, jaeger_str *ret)
{
    *ret = text.raw;
    if (!text.escaped)
        return true;
    char *plain = jaeger_arena_alloc(r->model.arena, text.raw.len + 1);
    if (!plain)
        return no_memory(r, in);
    *ret = (jaeger_str){plain, jg_json_in_unescape(text.raw, plain)};
    return true;
}

/** The text of any value: of a string its content, of null nothing, of others their JSON. */
static bool read_any_text(jg_os_span_reader *r, jg_json_in *in, jaeger_str *ret)
{
    jg_json_text text;
    jg_json_type type = jg_json_in_peek(in);
    if (type == JG_JSON_STRING)
        return jg_json_in_str(in, &text) && keep_text(r, in, text, ret);
    const char *from = in->pos;
    if (!jg_json_in_skip(in))
        return false;
    *ret = type == JG_JSON_NULL ? JAEGER_STR("") : jg_str_trim((jaeger_str){from, (size_t)(in->pos - from)});
    return true;
}

/** Of any value; what is not a number is 0. */
static bool read_any_u64(jg_json_in *in, uint64_t *ret)
{
    jaeger_str number;
    jg_json_type type = jg_json_in_peek(in);
    double d;
    *ret = 0;
    if (type != JG_JSON_NUMBER && type != JG_JSON_STRING)
        return jg_json_in_skip(in);
    if (type == JG_JSON_STRING) {
        jg_json_text text;
        if (!jg_json_in_str(in, &text))
            return false;
        number = text.raw;
    } else if (!jg_json_in_number(in, false, &number)) {
        return false;
    }
    if (!jg_str_to_u64(number, ret) && jg_str_to_double(number, &d) && d > 0 && d < 18e18)
        *ret = (uint64_t)d;
    return true;
}

static uint64_t ns_of(uint64_t us)
{
    return us > UINT64_MAX / 1000 ? UINT64_MAX / 1000 * 1000 : us * 1000;
}

static void set_text(jg_jaeger_tag *tag, jaeger_str text)
{
    tag->type = JG_JAEGER_STRING;
    tag->text = tag->u.s = text;
}

/** A number as the JSON has it: whole ones are integers. */
static void set_number(jg_jaeger_tag *tag, jaeger_str number)
{
    if (jg_str_to_i64(number, &tag->u.i)) {
        tag->type = JG_JAEGER_INT64;
    } else if (jg_str_to_double(number, &tag->u.d)) {
        tag->type = JG_JAEGER_FLOAT64;
    } else {
        set_text(tag, number);
    }
}

/* ---- tags ---- */

typedef struct tag_parts {
    jaeger_str type, value;
    jg_json_type json;
} tag_parts;

static void say_invalid(jg_os_span_reader *r, jg_jaeger_tag *tag, const tag_parts *p)
{
    set_text(tag, jg_arena_printf(r->model.arena, "invalid %.*s type in %.*s", JAEGER_STR_ARGS(p->type),
                                  JAEGER_STR_ARGS(p->value)));
    r->model.groups.failed |= !tag->u.s.ptr;
}

static void set_bytes(jg_os_span_reader *r, jg_jaeger_tag *tag, const tag_parts *p)
{
    size_t n = p->value.len / 2;
    uint8_t *bytes = jaeger_arena_alloc(r->model.arena, n + 1);
    if (!bytes)
        r->model.groups.failed = true;
    else if (p->json != JG_JSON_STRING || !jg_hex_decode(p->value, bytes, n) || p->value.len % 2)
        say_invalid(r, tag, p);
    else {
        tag->type = JG_JAEGER_BINARY;
        tag->u.s = (jaeger_str){(const char *)bytes, n};
    }
}

static bool is_special_double(jaeger_str text, double *ret)
{
    bool minus = text.len && text.ptr[0] == '-';
    jaeger_str name = jg_str_skip(text, minus || (text.len && text.ptr[0] == '+'));
    if (jg_str_is(text, "NaN"))
        *ret = __builtin_nan("");
    else if (jg_str_is(name, "Inf") || jg_str_is(name, "Infinity"))
        *ret = minus ? -__builtin_inf() : __builtin_inf();
    else
        return false;
    return true;
}

static void set_tag(jg_os_span_reader *r, jg_jaeger_tag *tag, const tag_parts *p)
{
    double d;
    bool is_true = jg_str_is(p->value, "true");
    if (jg_str_is(p->type, "string") && p->json == JG_JSON_STRING) {
        set_text(tag, p->value);
    } else if (jg_str_is(p->type, "bool") && (is_true || jg_str_is(p->value, "false"))) {
        tag->type = JG_JAEGER_BOOL;
        tag->u.b = is_true;
    } else if (jg_str_is(p->type, "int64") && jg_str_to_i64(p->value, &tag->u.i)) {
        tag->type = JG_JAEGER_INT64;
    } else if (jg_str_is(p->type, "int64") && jg_str_to_double(p->value, &d) && d > -9.2e18 && d < 9.2e18) {
        tag->type = JG_JAEGER_INT64;
        tag->u.i = (int64_t)d;
    } else if (jg_str_is(p->type, "float64") &&
               (jg_str_to_double(p->value, &d) || is_special_double(p->value, &d))) {
        tag->type = JG_JAEGER_FLOAT64;
        tag->u.d = d;
    } else if (jg_str_is(p->type, "binary")) {
        set_bytes(r, tag, p);
    } else {
        say_invalid(r, tag, p);
    }
}

/** {"key": …, "type": …, "value": …} */
static bool read_tag(jg_os_span_reader *r, jg_json_in *in, jg_jaeger_tags *tags)
{
    jg_jaeger_tag *tag = jg_jaeger_add(&r->model, tags);
    tag_parts p = {.type = JAEGER_STR("string"), .value = JAEGER_STR(""), .json = JG_JSON_STRING};
    jg_json_text key;
    if (!tag)
        return no_memory(r, in);
    tag->key = JAEGER_STR("");
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_member(in, &key)) {
        bool ok;
        if (jg_json_in_is(key, JAEGER_STR("key"))) {
            ok = read_any_text(r, in, &tag->key);
        } else if (jg_json_in_is(key, JAEGER_STR("type"))) {
            ok = read_any_text(r, in, &p.type);
        } else if (jg_json_in_is(key, JAEGER_STR("value"))) {
            p.json = jg_json_in_peek(in);
            ok = read_any_text(r, in, &p.value);
        } else {
            ok = jg_json_in_skip(in);
        }
        if (!ok)
            return false;
    }
    if (!in->fault)
        set_tag(r, tag, &p);
    return !in->fault;
}

static bool read_tags(jg_os_span_reader *r, jg_json_in *in, jg_jaeger_tags *tags)
{
    if (jg_json_in_peek(in) != JG_JSON_ARRAY)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in))
        ok = jg_json_in_peek(in) == JG_JSON_OBJECT ? read_tag(r, in, tags) : jg_json_in_skip(in);
    return ok && !in->fault;
}

static bool put_dots(jg_os_span_reader *r, jaeger_str *key)
{
    const jaeger_str dot = r->dot;
    if (!dot.len || !memmem(key->ptr, key->len, dot.ptr, dot.len))
        return true;
    char *out = jaeger_arena_alloc(r->model.arena, key->len + 1);
    size_t n = 0;
    if (!out)
        return false;
    for (jaeger_str rest = *key; rest.len;) {
        bool is_dot = jg_str_starts(rest, dot);
        out[n++] = is_dot ? '.' : rest.ptr[0];
        rest = jg_str_skip(rest, is_dot ? dot.len : 1);
    }
    *key = (jaeger_str){out, n};
    return true;
}

/** {"span@kind": "server", "n": 1}: types are those of the JSON. */
static bool read_fields(jg_os_span_reader *r, jg_json_in *in, jg_jaeger_tags *tags)
{
    jg_json_text key;
    if (jg_json_in_peek(in) != JG_JSON_OBJECT)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key)) {
        jg_jaeger_tag *tag = jg_jaeger_add(&r->model, tags);
        jg_json_type type = jg_json_in_peek(in);
        jaeger_str text;
        if (!tag || !keep_text(r, in, key, &tag->key) || !put_dots(r, &tag->key))
            return no_memory(r, in);
        ok = read_any_text(r, in, &text);
        if (!ok)
            break;
        if (type == JG_JSON_TRUE || type == JG_JSON_FALSE) {
            tag->type = JG_JAEGER_BOOL;
            tag->u.b = type == JG_JSON_TRUE;
        } else if (type == JG_JSON_NUMBER) {
            set_number(tag, text);
        } else {
            set_text(tag, text);
        }
    }
    return ok && !in->fault;
}

/* ---- references, logs ---- */

static bool read_ref(jg_os_span_reader *r, jg_json_in *in)
{
    jg_jaeger_ref ref = {0};
    jaeger_str text;
    jg_json_text key;
    bool has_trace = false, has_span = false, ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key)) {
        ok = read_any_text(r, in, &text);
        if (ok && jg_json_in_is(key, JAEGER_STR("refType")))
            ref.type = jg_str_is(text, "CHILD_OF") ? 0 : 1;
        else if (ok && jg_json_in_is(key, JAEGER_STR("traceID")))
            has_trace = jg_os_read_id(text, ref.trace_id, 16);
        else if (ok && jg_json_in_is(key, JAEGER_STR("spanID")))
            has_span = jg_os_read_id(text, ref.span_id, 8);
    }
    if (!ok || in->fault || !has_trace || !has_span)
        return ok && !in->fault;
    jg_jaeger_ref *kept = jg_jaeger_add_ref(&r->model);
    if (!kept)
        return no_memory(r, in);
    *kept = ref;
    return true;
}

/** The name is the field `event`, if that is a text. */
static void write_log(jg_os_span_reader *r, uint64_t time_unix_ns)
{
    jg_jaeger_in *m = &r->model;
    jg_buf *buf = &m->groups.spans;
    jg_jaeger_tag *event = jg_jaeger_find(&m->fields, JAEGER_STR("event"));
    size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_EVENTS, 1);
    jg_otlp_time(buf, JG_OTLP_EVENT_TIME, time_unix_ns);
    if (event && event->type == JG_JAEGER_STRING) {
        jg_otlp_text(buf, JG_OTLP_EVENT_NAME, event->u.s);
        event->gone = true;
    }
    jg_jaeger_write_tags(m, buf, JG_OTLP_EVENT_ATTRIBUTES, &m->fields);
    jg_pb_end(buf, mark, 1);
}

static bool read_log(jg_os_span_reader *r, jg_json_in *in)
{
    uint64_t time_us = 0;
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    r->model.fields.count = 0;
    while (ok && jg_json_in_member(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("timestamp")) ? read_any_u64(in, &time_us)
             : jg_json_in_is(key, JAEGER_STR("fields"))  ? read_tags(r, in, &r->model.fields)
                                                         : jg_json_in_skip(in);
    if (!ok || in->fault)
        return false;
    write_log(r, ns_of(time_us));
    return true;
}

static bool read_list(jg_os_span_reader *r, jg_json_in *in, bool (*read)(jg_os_span_reader *, jg_json_in *))
{
    if (jg_json_in_peek(in) != JG_JSON_ARRAY)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in))
        ok = jg_json_in_peek(in) == JG_JSON_OBJECT ? read(r, in) : jg_json_in_skip(in);
    return ok && !in->fault;
}

/* ---- process ---- */

static bool write_process(jg_os_span_reader *r, jg_json_in *in, uint32_t resource)
{
    jg_jaeger_in *m = &r->model;
    jaeger_str service = {0};
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    m->fields.count = 0;
    while (ok && jg_json_in_member(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("serviceName")) ? read_any_text(r, in, &service)
             : jg_json_in_is(key, JAEGER_STR("tags"))      ? read_tags(r, in, &m->fields)
             : jg_json_in_is(key, JAEGER_STR("tag"))       ? read_fields(r, in, &m->fields)
                                                           : jg_json_in_skip(in);
    size_t mark = jg_span_groups_begin_resource(&m->groups);
    if (service.len && !jg_str_is(service, "OTLPResourceNoServiceName"))
        jg_otlp_attr_str(&m->groups.heads, JG_OTLP_RESOURCE_ATTRIBUTES, JAEGER_STR("service.name"), service);
    jg_jaeger_write_tags(m, &m->groups.heads, JG_OTLP_RESOURCE_ATTRIBUTES, &m->fields);
    jg_span_groups_end_resource(&m->groups, resource, mark);
    return ok && !in->fault;
}

static bool read_process(jg_os_span_reader *r, jg_json_in *in, uint32_t *resource)
{
    bool is_new;
    if (jg_json_in_peek(in) != JG_JSON_OBJECT)
        return jg_json_in_skip(in);
    const char *from = in->pos;
    if (!jg_json_in_skip(in))
        return false;
    jaeger_str text = {from, (size_t)(in->pos - from)};
    *resource = jg_span_groups_resource(&r->model.groups, text, &is_new);
    if (!is_new)
        return true;
    jg_json_in own = jg_json_in_of(text);
    own.depth = in->depth;
    return write_process(r, &own, *resource) || jg_json_in_fail(in, own.fault ? own.fault : "bad process");
}

/* ---- the span ---- */

typedef struct parts {
    jg_jaeger_head head;
    uint64_t duration_us, flags;
    uint32_t resource;
    bool has_resource, has_trace_id, has_span_id;
} parts;

static bool read_id_member(jg_os_span_reader *r, jg_json_in *in, uint8_t *id, size_t n, bool *ret_read)
{
    jaeger_str text;
    if (!read_any_text(r, in, &text))
        return false;
    *ret_read = jg_os_read_id(text, id, n);
    return true;
}

static bool read_member(jg_os_span_reader *r, jg_json_in *in, jg_json_text key, parts *p)
{
    jg_jaeger_head *head = &p->head;
    bool has_parent;
    if (jg_json_in_is(key, JAEGER_STR("traceID")))
        return read_id_member(r, in, head->trace_id, 16, &p->has_trace_id);
    if (jg_json_in_is(key, JAEGER_STR("spanID")))
        return read_id_member(r, in, head->span_id, 8, &p->has_span_id);
    if (jg_json_in_is(key, JAEGER_STR("parentSpanID")))
        return read_id_member(r, in, head->parent_span_id, 8, &has_parent);
    if (jg_json_in_is(key, JAEGER_STR("flags")))
        return read_any_u64(in, &p->flags);
    if (jg_json_in_is(key, JAEGER_STR("operationName")))
        return read_any_text(r, in, &head->name);
    if (jg_json_in_is(key, JAEGER_STR("references")))
        return read_list(r, in, read_ref);
    if (jg_json_in_is(key, JAEGER_STR("startTime")))
        return read_any_u64(in, &r->start_us);
    if (jg_json_in_is(key, JAEGER_STR("duration")))
        return read_any_u64(in, &p->duration_us);
    if (jg_json_in_is(key, JAEGER_STR("tags")))
        return read_tags(r, in, &r->model.tags);
    if (jg_json_in_is(key, JAEGER_STR("tag")))
        return read_fields(r, in, &r->model.tags);
    if (jg_json_in_is(key, JAEGER_STR("logs")))
        return read_list(r, in, read_log);
    if (jg_json_in_is(key, JAEGER_STR("process"))) {
        p->has_resource = true;
        return read_process(r, in, &p->resource);
    }
    return jg_json_in_skip(in);
}

static void write_span(jg_os_span_reader *r, parts *p, size_t mark)
{
    jg_span_groups *groups = &r->model.groups;
    bool is_new;
    if (!p->has_resource) {
        p->resource = jg_span_groups_resource(groups, JAEGER_STR(""), &is_new);
        if (is_new)
            jg_span_groups_end_resource(groups, p->resource, jg_span_groups_begin_resource(groups));
    }
    p->head.start_unix_ns = ns_of(r->start_us);
    if (__builtin_add_overflow(p->head.start_unix_ns, ns_of(p->duration_us), &p->head.end_unix_ns))
        p->head.end_unix_ns = UINT64_MAX;
    uint32_t scope = jg_jaeger_write_span(&r->model, &p->head, p->resource);
    if (p->flags)
        jg_pb_write_fixed32(&groups->spans, JG_OTLP_SPAN_FLAGS, (uint32_t)p->flags);
    jg_span_groups_end_span(groups, scope, mark);
}

bool jg_os_read_span(jg_os_span_reader *r, jg_json_in *in)
{
    jg_jaeger_in *m = &r->model;
    parts p = {0};
    jg_json_text key;
    jaeger_arena_reset(m->arena);
    m->tags.count = m->fields.count = m->ref_count = 0;
    r->start_us = 0;
    size_t mark = jg_span_groups_begin_span(&m->groups);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key))
        ok = read_member(r, in, key, &p);
    if (ok && !in->fault && (!p.has_trace_id || !p.has_span_id))
        (void)jg_json_in_fail(in, "a document without a valid traceID and spanID");
    if (!ok || in->fault) {
        jg_span_groups_drop_span(&m->groups, mark);
        return false;
    }
    memcpy(r->span_id, p.head.span_id, 8);
    write_span(r, &p, mark);
    r->count++;
    return true;
}
