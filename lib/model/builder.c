/* SPDX-License-Identifier: Apache-2.0
 * The builder: nested OTLP messages written front to back into one buffer. Lengths are patched when a message
 * ends.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include <jaeger/batch.h>

/* Messages that can be open, outermost first. RESOURCE and SCOPE are the headers inside RESOURCE_SPANS,
 * SCOPE_SPANS. */
typedef enum { CLOSED, RESOURCE_SPANS, RESOURCE, SCOPE_SPANS, SCOPE, SPAN, EVENT, LINK } level;

/* Bytes kept for a length: the usual size, so that bodies seldom move. */
static const uint8_t len_bytes[] = {[RESOURCE_SPANS] = 3, [RESOURCE] = 2, [SCOPE_SPANS] = 3, [SCOPE] = 1,
                                    [SPAN] = 2,           [EVENT] = 1,    [LINK] = 1};
static const level parent_of[] = {[RESOURCE_SPANS] = CLOSED,
                                  [RESOURCE] = RESOURCE_SPANS,
                                  [SCOPE_SPANS] = RESOURCE_SPANS,
                                  [SCOPE] = SCOPE_SPANS,
                                  [SPAN] = SCOPE_SPANS,
                                  [EVENT] = SPAN,
                                  [LINK] = SPAN};

struct jaeger_builder {
    jg_buf buf;
    level level;
    size_t marks[LINK + 1];
};

jaeger_builder *jaeger_builder_new(size_t bytes_max)
{
    jaeger_builder *b = jg_calloc(1, sizeof *b);
    if (b)
        b->buf = JG_BUF_INIT(bytes_max);
    return b;
}

void jaeger_builder_free(jaeger_builder *b)
{
    if (!b)
        return;
    jg_buf_done(&b->buf);
    jg_free(b);
}

static void open_level(jaeger_builder *b, level to, uint32_t field)
{
    b->marks[to] = jg_pb_begin(&b->buf, field, len_bytes[to]);
    b->level = to;
}

static void close_level(jaeger_builder *b)
{
    jg_pb_end(&b->buf, b->marks[b->level], len_bytes[b->level]);
    b->level = parent_of[b->level];
}

/** Is `outer` the current level or one of its parents? */
static bool is_inside(level inner, level outer)
{
    while (inner != outer && inner != CLOSED)
        inner = parent_of[inner];
    return inner == outer;
}

static void close_to(jaeger_builder *b, level to)
{
    while (b->level != to)
        close_level(b);
}

void jaeger_builder_resource(jaeger_builder *b, jaeger_str schema_url)
{
    close_to(b, CLOSED);
    open_level(b, RESOURCE_SPANS, JG_OTLP_REQUEST_RESOURCE_SPANS);
    if (schema_url.len)
        jg_pb_write_str(&b->buf, JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, schema_url);
    open_level(b, RESOURCE, JG_OTLP_RESOURCE_SPANS_RESOURCE);
}

void jaeger_builder_scope(jaeger_builder *b, jaeger_str name, jaeger_str version, jaeger_str schema_url)
{
    if (!is_inside(b->level, RESOURCE_SPANS))
        jaeger_builder_resource(b, (jaeger_str){0});
    close_to(b, RESOURCE_SPANS);
    open_level(b, SCOPE_SPANS, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS);
    if (schema_url.len)
        jg_pb_write_str(&b->buf, JG_OTLP_SCOPE_SPANS_SCHEMA_URL, schema_url);
    open_level(b, SCOPE, JG_OTLP_SCOPE_SPANS_SCOPE);
    if (name.len)
        jg_pb_write_str(&b->buf, JG_OTLP_SCOPE_NAME, name);
    if (version.len)
        jg_pb_write_str(&b->buf, JG_OTLP_SCOPE_VERSION, version);
}

static void write_id(jg_buf *buf, uint32_t field, const uint8_t *id, size_t n)
{
    if (!jg_id_is_zero(id, n))
        jg_pb_write_bytes(buf, field, id, n);
}

void jaeger_builder_span(jaeger_builder *b, const jaeger_span_start *span)
{
    if (!is_inside(b->level, SCOPE_SPANS))
        jaeger_builder_scope(b, (jaeger_str){0}, (jaeger_str){0}, (jaeger_str){0});
    close_to(b, SCOPE_SPANS);
    open_level(b, SPAN, JG_OTLP_SCOPE_SPANS_SPANS);
    jg_buf *buf = &b->buf;
    write_id(buf, JG_OTLP_SPAN_TRACE_ID, span->trace_id, 16);
    write_id(buf, JG_OTLP_SPAN_SPAN_ID, span->span_id, 8);
    if (span->trace_state.len)
        jg_pb_write_str(buf, JG_OTLP_SPAN_TRACE_STATE, span->trace_state);
    write_id(buf, JG_OTLP_SPAN_PARENT_SPAN_ID, span->parent_span_id, 8);
    if (span->name.len)
        jg_pb_write_str(buf, JG_OTLP_SPAN_NAME, span->name);
    if (span->kind)
        jg_pb_write_varint(buf, JG_OTLP_SPAN_KIND, span->kind);
    if (span->start_unix_ns)
        jg_pb_write_fixed64(buf, JG_OTLP_SPAN_START, span->start_unix_ns);
    if (span->end_unix_ns)
        jg_pb_write_fixed64(buf, JG_OTLP_SPAN_END, span->end_unix_ns);
    if (span->flags)
        jg_pb_write_fixed32(buf, JG_OTLP_SPAN_FLAGS, span->flags);
}

/** Events, links and the status need an open span; without one they are the caller's mistake and fail the
 * batch. */
static bool to_span(jaeger_builder *b)
{
    if (!is_inside(b->level, SPAN)) {
        b->buf.failed = true;
        return false;
    }
    close_to(b, SPAN);
    return true;
}

void jaeger_builder_event(jaeger_builder *b, uint64_t time_unix_ns, jaeger_str name)
{
    if (!to_span(b))
        return;
    open_level(b, EVENT, JG_OTLP_SPAN_EVENTS);
    if (time_unix_ns)
        jg_pb_write_fixed64(&b->buf, JG_OTLP_EVENT_TIME, time_unix_ns);
    if (name.len)
        jg_pb_write_str(&b->buf, JG_OTLP_EVENT_NAME, name);
}

void jaeger_builder_link(jaeger_builder *b, const uint8_t trace_id[16], const uint8_t span_id[8],
                         jaeger_str trace_state, uint32_t flags)
{
    if (!to_span(b))
        return;
    open_level(b, LINK, JG_OTLP_SPAN_LINKS);
    write_id(&b->buf, JG_OTLP_LINK_TRACE_ID, trace_id, 16);
    write_id(&b->buf, JG_OTLP_LINK_SPAN_ID, span_id, 8);
    if (trace_state.len)
        jg_pb_write_str(&b->buf, JG_OTLP_LINK_TRACE_STATE, trace_state);
    if (flags)
        jg_pb_write_fixed32(&b->buf, JG_OTLP_LINK_FLAGS, flags);
}

void jaeger_builder_status(jaeger_builder *b, uint32_t code, jaeger_str message)
{
    if (!to_span(b))
        return;
    size_t mark = jg_pb_begin(&b->buf, JG_OTLP_SPAN_STATUS, 1);
    if (message.len)
        jg_pb_write_str(&b->buf, JG_OTLP_STATUS_MESSAGE, message);
    if (code)
        jg_pb_write_varint(&b->buf, JG_OTLP_STATUS_CODE, code);
    jg_pb_end(&b->buf, mark, 1);
}

static uint32_t attr_field(jaeger_builder *b)
{
    switch (b->level) {
    case CLOSED:
        jaeger_builder_resource(b, (jaeger_str){0});
        return JG_OTLP_RESOURCE_ATTRIBUTES;
    case RESOURCE:
        return JG_OTLP_RESOURCE_ATTRIBUTES;
    case SCOPE:
        return JG_OTLP_SCOPE_ATTRIBUTES;
    case EVENT:
        return JG_OTLP_EVENT_ATTRIBUTES;
    case LINK:
        return JG_OTLP_LINK_ATTRIBUTES;
    default:
        return JG_OTLP_SPAN_ATTRIBUTES;
    }
}

typedef struct attr_marks {
    size_t attr, value;
} attr_marks;

static attr_marks begin_attr(jaeger_builder *b, jaeger_str key, unsigned value_len_bytes)
{
    attr_marks marks;
    marks.attr = jg_pb_begin(&b->buf, attr_field(b), 1);
    jg_pb_write_str(&b->buf, JG_OTLP_KEY_VALUE_KEY, key);
    marks.value = jg_pb_begin(&b->buf, JG_OTLP_KEY_VALUE_VALUE, value_len_bytes);
    return marks;
}

static void end_attr(jaeger_builder *b, attr_marks marks)
{
    jg_pb_end(&b->buf, marks.value, 1);
    jg_pb_end(&b->buf, marks.attr, 1);
}

void jaeger_builder_attr_str(jaeger_builder *b, jaeger_str key, jaeger_str value)
{
    attr_marks marks = begin_attr(b, key, 1);
    jg_pb_write_str(&b->buf, JG_OTLP_ANY_STRING, value);
    end_attr(b, marks);
}

void jaeger_builder_attr_bytes(jaeger_builder *b, jaeger_str key, jaeger_str value)
{
    attr_marks marks = begin_attr(b, key, 1);
    jg_pb_write_str(&b->buf, JG_OTLP_ANY_BYTES, value);
    end_attr(b, marks);
}

void jaeger_builder_attr_int(jaeger_builder *b, jaeger_str key, int64_t value)
{
    attr_marks marks = begin_attr(b, key, 1);
    jg_pb_write_varint(&b->buf, JG_OTLP_ANY_INT, (uint64_t)value);
    end_attr(b, marks);
}

void jaeger_builder_attr_double(jaeger_builder *b, jaeger_str key, double value)
{
    attr_marks marks = begin_attr(b, key, 1);
    jg_pb_write_double(&b->buf, JG_OTLP_ANY_DOUBLE, value);
    end_attr(b, marks);
}

void jaeger_builder_attr_bool(jaeger_builder *b, jaeger_str key, bool value)
{
    attr_marks marks = begin_attr(b, key, 1);
    jg_pb_write_varint(&b->buf, JG_OTLP_ANY_BOOL, value);
    end_attr(b, marks);
}

void jaeger_builder_attr_copy(jaeger_builder *b, const jaeger_attr *attr)
{
    uint32_t field = attr_field(b);
    jg_pb_write_str(&b->buf, field, attr->raw);
}

static void release_built(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

jaeger_status jaeger_builder_finish(jaeger_builder *b, jaeger_batch **ret, jaeger_error *err)
{
    close_to(b, CLOSED);
    if (b->buf.failed) {
        size_t max = b->buf.max;
        jg_buf_done(&b->buf);
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "batch too large (limit %zu bytes) or out of memory",
                       max);
    }
    size_t len = 0;
    uint8_t *bytes = jg_buf_take(&b->buf, &len);
    return bytes ? jaeger_batch_from_otlp(bytes, len, release_built, NULL, ret, err)
                 : jaeger_batch_from_otlp((void *)"", 0, NULL, NULL, ret, err);
}
