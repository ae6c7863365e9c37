/* SPDX-License-Identifier: Apache-2.0
 * See zipkin_out.h. Tags are gathered in order, later ones winning, and sorted; what is derived from them is
 * appended and they are sorted again.
 */
#include "wire/zipkin_out.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "wire/scratch.h"
#include "wire/zipkin_model.h"
#include <stdlib.h>

#define REMOVED ((jaeger_str){0})

bool jg_zipkin_out_init(jg_zipkin_out *out)
{
    *out = (jg_zipkin_out){.arena = jaeger_arena_new(JG_TRANSLATED_BYTES_MAX)};
    return out->arena;
}

void jg_zipkin_out_done(jg_zipkin_out *out)
{
    jg_free(out->tags);
    jaeger_arena_free(out->arena);
    *out = (jg_zipkin_out){0};
}

/** @param value ptr NULL: the tag is removed */
static void set_tag(jg_zipkin_out *out, jaeger_str key, jaeger_str value)
{
    if (!jg_scratch_grow(&out->tags, &out->tag_cap, out->tag_count)) {
        out->failed = true;
        return;
    }
    out->tags[out->tag_count] = (jg_zipkin_out_tag){key, value, out->tag_count};
    out->tag_count++;
}

static int by_key(const void *a, const void *b)
{
    const jg_zipkin_out_tag *x = a, *y = b;
    int order = jg_str_cmp(x->key, y->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/** Sort; of tags with one key only the last stays, unless it is a removal. */
static void settle(jg_zipkin_out *out)
{
    size_t kept = 0;
    if (out->tag_count)
        qsort(out->tags, out->tag_count, sizeof *out->tags, by_key);
    for (size_t i = 0; i < out->tag_count; i++) {
        bool is_last = i + 1 == out->tag_count || !jg_str_eq(out->tags[i].key, out->tags[i + 1].key);
        if (is_last && out->tags[i].value.ptr)
            out->tags[kept++] = out->tags[i];
    }
    out->tag_count = kept;
    for (size_t i = 0; i < kept; i++)
        out->tags[i].order = i;
}

/** Among the `count` settled tags. NULL: none */
static const jg_zipkin_out_tag *find(const jg_zipkin_out *out, size_t count, const char *key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = jg_str_cmp(jg_str(key), out->tags[middle].key);
        if (order == 0)
            return &out->tags[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static jaeger_str keep(jg_zipkin_out *out, jg_buf *text)
{
    jaeger_str kept = jaeger_arena_str(out->arena, jg_buf_view(text));
    out->failed |= !jg_buf_ok(text) || !kept.ptr;
    return kept;
}

static jaeger_str text_of(jg_zipkin_out *out, const jaeger_value *value)
{
    if (value->type == JAEGER_VALUE_STRING)
        return value->u.s.ptr ? value->u.s : JAEGER_STR("");
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_TRANSLATED_BYTES_MAX);
    jg_value_text(&text, value);
    return keep(out, &text);
}

static void add_attrs(jg_zipkin_out *out, jaeger_iter iter)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&iter, &attr))
        set_tag(out, attr.key, text_of(out, &attr.value));
}

/** Tags of the resource; the one that names the service leaves them. @return the service */
static jaeger_str add_resource(jg_zipkin_out *out)
{
    static const char *const names[] = {"service.name", "faas.name", "k8s.deployment.name",
                                        "process.executable.name"};
    const jg_zipkin_out_tag *tag;
    add_attrs(out, jaeger_resource_attrs(out->span->group));
    settle(out);
    jaeger_str service = JAEGER_STR("OTLPResourceNoServiceName");
    size_t settled = out->tag_count;
    if ((tag = find(out, settled, "cloud.resource_id"))) {
        jaeger_str id = tag->value;
        if (!find(out, settled, "faas.id"))
            set_tag(out, JAEGER_STR("faas.id"), id);
        set_tag(out, JAEGER_STR("cloud.resource_id"), REMOVED);
    }
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        if (!(tag = find(out, settled, names[i])))
            continue;
        service = tag->value;
        set_tag(out, jg_str(names[i]), REMOVED);
        if (i > 0)
            set_tag(out, JAEGER_STR("otlp.service.name.source"), jg_str(names[i]));
        break;
    }
    settle(out);
    return service;
}

static void add_scope(jg_zipkin_out *out)
{
    jaeger_scope scope;
    jaeger_scope_read(out->span->group, &scope);
    add_attrs(out, jaeger_scope_attrs(out->span->group));
    if (scope.name.len)
        set_tag(out, JAEGER_STR("otel.library.name"), scope.name);
    if (scope.version.len)
        set_tag(out, JAEGER_STR("otel.library.version"), scope.version);
}

/** A tag that becomes part of an endpoint, and is no tag any more. @return ptr NULL: none */
static jaeger_str move_tag(jg_zipkin_out *out, size_t settled, const char *key)
{
    const jg_zipkin_out_tag *tag = find(out, settled, key);
    if (!tag)
        return (jaeger_str){0};
    jaeger_str value = tag->value;
    set_tag(out, jg_str(key), REMOVED);
    return value;
}

/** As strconv.ParseUint(…, 16 bits): too large is the largest, anything else 0. */
static uint16_t port_of(jaeger_str text)
{
    uint64_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.ptr[i] - '0');
        if (digit > 9)
            return 0;
        port = JG_MIN(port * 10 + digit, 1u << 20);
    }
    return (uint16_t)JG_MIN(port, UINT16_MAX);
}

static jg_zipkin_out_endpoint endpoint_of(jg_zipkin_out *out, size_t settled, jaeger_str service,
                                          const char *address, const char *port)
{
    jg_zipkin_out_endpoint e = {.service = service};
    jaeger_str ip = move_tag(out, settled, address), number = move_tag(out, settled, port);
    if (!ip.ptr || !jg_zipkin_ip_parse(ip, e.ip, &e.ip_len))
        e.ip_len = 0;
    e.port = port_of(number);
    e.set = service.len || e.ip_len;
    return e;
}

static void add_status(jg_zipkin_out *out)
{
    jaeger_span_rest rest;
    jaeger_span_read_rest(out->span, &rest);
    uint8_t code = out->span->status_code;
    set_tag(out, JAEGER_STR("error"), code == JAEGER_STATUS_ERROR ? JAEGER_STR("true") : REMOVED);
    if (code == JAEGER_STATUS_UNSET)
        return;
    set_tag(out, JAEGER_STR("otel.status_code"),
            code == JAEGER_STATUS_OK      ? JAEGER_STR("STATUS_CODE_OK")
            : code == JAEGER_STATUS_ERROR ? JAEGER_STR("STATUS_CODE_ERROR")
                                          : JAEGER_STR(""));
    if (rest.status_message.len)
        set_tag(out, JAEGER_STR("otel.status_description"), rest.status_message);
}

/** A JSON object of attributes, escaped as encoding/json escapes. In JSON, < > & stand in strings only. */
static void append_attrs(jg_buf *text, jaeger_iter iter)
{
    JG_AUTO_BUF jg_buf list = JG_BUF_INIT(JG_TRANSLATED_BYTES_MAX),
                       plain = JG_BUF_INIT(JG_TRANSLATED_BYTES_MAX);
    jaeger_attr attr;
    while (jaeger_next_attr(&iter, &attr))
        jg_pb_write_str(&list, JG_OTLP_LIST_VALUES, attr.raw);
    jaeger_value map = {.type = JAEGER_VALUE_MAP, .u.s = jg_buf_view(&list)};
    jg_value_text(&plain, &map);
    text->failed |= list.failed || plain.failed;
    for (size_t i = 0; i < plain.len; i++) {
        const uint8_t *c = plain.data + i;
        if (*c == '<' || *c == '>' || *c == '&') {
            jg_buf_printf(text, "\\u%04x", *c);
        } else if (*c == 0xe2 && plain.len - i >= 3 && c[1] == 0x80 && (c[2] & 0xfe) == 0xa8) {
            jg_buf_printf(text, "\\u20%02x", c[2] - 0x80);
            i += 2;
        } else {
            jg_buf_byte(text, *c);
        }
    }
}

static void append_id(jg_buf *text, const uint8_t *id, size_t n)
{
    char hex[32];
    jg_hex_encode(id, n, hex);
    jg_buf_append(text, hex, jg_id_is_zero(id, n) ? 0 : 2 * n);
    jg_buf_byte(text, '|');
}

static void add_links(jg_zipkin_out *out)
{
    jaeger_iter links = jaeger_span_links(out->span);
    jaeger_link link;
    for (unsigned i = 0; jaeger_next_link(&links, &link); i++) {
        JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_TRANSLATED_BYTES_MAX);
        append_id(&text, link.trace_id, 16);
        append_id(&text, link.span_id, 8);
        jg_buf_str(&text, link.trace_state);
        jg_buf_byte(&text, '|');
        append_attrs(&text, jaeger_link_attrs(&link));
        jg_buf_printf(&text, "|%u", link.dropped_attributes_count);
        jaeger_str key = jg_arena_printf(out->arena, "otlp.link.%u", i);
        out->failed |= !key.ptr;
        set_tag(out, key, keep(out, &text));
    }
}

jaeger_str jg_zipkin_out_note(jg_zipkin_out *out, const jaeger_event *event)
{
    jaeger_iter attrs = jaeger_event_attrs(event), probe = attrs;
    jaeger_attr any;
    if (!event->dropped_attributes_count && !jaeger_next_attr(&probe, &any))
        return event->name;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_TRANSLATED_BYTES_MAX);
    jg_buf_str(&text, event->name);
    jg_buf_byte(&text, '|');
    append_attrs(&text, attrs);
    jg_buf_printf(&text, "|%u", event->dropped_attributes_count);
    return keep(out, &text);
}

static void add_tags(jg_zipkin_out *out)
{
    const jg_zipkin_out_tag *tag;
    jaeger_span_rest rest;
    jaeger_str service = add_resource(out);
    add_scope(out);
    add_attrs(out, jaeger_span_attrs(out->span));
    settle(out);
    size_t settled = out->tag_count;
    if ((tag = find(out, settled, "http.response.status_code")) && !find(out, settled, "http.status_code"))
        set_tag(out, JAEGER_STR("http.status_code"), tag->value);
    jaeger_span_read_rest(out->span, &rest);
    if (rest.trace_state.len)
        set_tag(out, JAEGER_STR("w3c.tracestate"), rest.trace_state);
    if (out->span->kind == JAEGER_KIND_INTERNAL)
        set_tag(out, JAEGER_STR("span.kind"), JAEGER_STR("internal"));
    out->local = endpoint_of(out, settled, service, "network.local.address", "net.host.port");
    jaeger_str peer = move_tag(out, settled, "service.peer.name");
    if (!peer.ptr)
        peer = move_tag(out, settled, "peer.service");
    out->remote = endpoint_of(out, settled, peer, "network.peer.address", "net.peer.port");
    add_status(out);
    add_links(out);
    settle(out);
}

const char *jg_zipkin_out_span(jg_zipkin_out *out, const jaeger_span *span)
{
    jaeger_arena_reset(out->arena);
    out->span = span;
    out->tag_count = 0;
    if (jg_id_is_zero(span->trace_id, 16))
        return "TraceID is invalid";
    if (jg_id_is_zero(span->span_id, 8))
        return "SpanID is invalid";
    out->has_start = span->start_unix_ns / 1000000000u != 0;
    out->duration_ns = span->end_unix_ns ? (int64_t)(span->end_unix_ns - span->start_unix_ns) : 0;
    add_tags(out);
    return NULL;
}
