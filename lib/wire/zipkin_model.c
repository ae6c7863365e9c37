/* SPDX-License-Identifier: Apache-2.0
 * See zipkin_model.h.
 */
#include "wire/zipkin_model.h"

#include "core/json_in.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "wire/otlp_out.h"
#include "wire/scratch.h"
#include <math.h>

enum { FEW_TAGS = 24, LINKS_MAX = 128 };

#define NO_SERVICE JAEGER_STR("OTLPResourceNoServiceName")

/* Tags that describe the resource, sorted. They never become span attributes. */
static const char *const resource_keys[] = {
    "aws.ecs.cluster.arn",
    "aws.ecs.container.arn",
    "aws.ecs.launchtype",
    "aws.ecs.task.arn",
    "aws.ecs.task.family",
    "aws.ecs.task.revision",
    "aws.eks.cluster.arn",
    "aws.log.group.arns",
    "aws.log.group.names",
    "aws.log.stream.arns",
    "aws.log.stream.names",
    "cloud.account.id",
    "cloud.availability_zone",
    "cloud.platform",
    "cloud.provider",
    "cloud.region",
    "cloud.resource_id",
    "container.id",
    "container.image.name",
    "container.image.tag",
    "container.name",
    "container.runtime",
    "deployment.environment",
    "device.id",
    "device.manufacturer",
    "device.model.identifier",
    "device.model.name",
    "faas.id",
    "faas.instance",
    "faas.max_memory",
    "faas.name",
    "faas.version",
    "host.arch",
    "host.id",
    "host.image.id",
    "host.image.name",
    "host.image.version",
    "host.name",
    "host.type",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.container.restart_count",
    "k8s.cronjob.name",
    "k8s.cronjob.uid",
    "k8s.daemonset.name",
    "k8s.daemonset.uid",
    "k8s.deployment.name",
    "k8s.deployment.uid",
    "k8s.job.name",
    "k8s.job.uid",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.node.uid",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.replicaset.name",
    "k8s.replicaset.uid",
    "k8s.statefulset.name",
    "k8s.statefulset.uid",
    "opencensus.exporterversion",
    "opencensus.resourcetype",
    "opencensus.starttime",
    "os.description",
    "os.name",
    "os.type",
    "os.version",
    "process.command",
    "process.command_args",
    "process.command_line",
    "process.executable.name",
    "process.executable.path",
    "process.owner",
    "process.pid",
    "process.runtime.description",
    "process.runtime.name",
    "process.runtime.version",
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "telemetry.auto.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "webengine.description",
    "webengine.name",
    "webengine.version",
};

/* Nor do these. */
static const char *const scope_keys[] = {"otel.scope.name", "otel.scope.version", "otel.library.name",
                                         "otel.library.version", "otlp.service.name.source"};

void jg_zipkin_in_init(jg_zipkin_in *in, size_t input_bytes, bool parse_string_tags)
{
    *in = (jg_zipkin_in){.parse_string_tags = parse_string_tags,
                         .arena = jaeger_arena_new(JG_TRANSLATED_BYTES_MAX)};
    jg_span_groups_init(&in->groups, JG_MIN(JG_TRANSLATED_BYTES_MAX, 16 * input_bytes + 4096));
    in->groups.failed = !in->arena;
}

void jg_zipkin_in_done(jg_zipkin_in *in)
{
    jg_span_groups_done(&in->groups);
    jg_free(in->tags);
    jg_free(in->notes);
    jaeger_arena_free(in->arena);
    *in = (jg_zipkin_in){0};
}

jg_zipkin_tag *jg_zipkin_add_tag(jg_zipkin_in *in)
{
    if (!jg_scratch_grow(&in->tags, &in->tag_cap, in->tag_count)) {
        in->groups.failed = true;
        return NULL;
    }
    jg_zipkin_tag *tag = &in->tags[in->tag_count++];
    *tag = (jg_zipkin_tag){0};
    return tag;
}

jg_zipkin_note *jg_zipkin_add_note(jg_zipkin_in *in)
{
    if (!jg_scratch_grow(&in->notes, &in->note_cap, in->note_count)) {
        in->groups.failed = true;
        return NULL;
    }
    jg_zipkin_note *note = &in->notes[in->note_count++];
    *note = (jg_zipkin_note){0};
    return note;
}

/* ---- tags
 * ----------------------------------------------------------------------------------------------------------
 */

static jg_zipkin_tag *find_tag(const jg_zipkin_in *in, jaeger_str key)
{
    for (size_t i = 0; i < in->tag_count; i++)
        if (!in->tags[i].gone && jg_str_eq(in->tags[i].key, key))
            return &in->tags[i];
    return NULL;
}

/** Take a tag away. @return false: no such tag */
static bool take_tag(const jg_zipkin_in *in, jaeger_str key, jaeger_str *ret)
{
    jg_zipkin_tag *tag = find_tag(in, key);
    if (!tag)
        return false;
    tag->gone = true;
    *ret = tag->value;
    return true;
}

static bool unite_many(jg_zipkin_in *in)
{
    jg_map seen = {0};
    bool ok = true;
    for (size_t i = 0; i < in->tag_count && ok; i++) {
        bool is_new = false;
        jg_map_entry *entry = jg_map_put(&seen, in->tags[i].key, &is_new);
        ok = entry;
        if (entry && !is_new) {
            ((jg_zipkin_tag *)entry->value)->value = in->tags[i].value;
            in->tags[i].gone = true;
        } else if (entry) {
            entry->value = &in->tags[i];
        }
    }
    jg_map_done(&seen);
    return ok;
}

/** Keys are unique: the last value wins. */
static void unite(jg_zipkin_in *in)
{
    if (in->tag_count > FEW_TAGS) {
        if (!unite_many(in))
            in->groups.failed = true;
        return;
    }
    for (size_t i = 1; i < in->tag_count; i++)
        for (size_t k = 0; k < i; k++)
            if (!in->tags[k].gone && jg_str_eq(in->tags[k].key, in->tags[i].key)) {
                in->tags[k].value = in->tags[i].value;
                in->tags[i].gone = true;
                break;
            }
}

static bool is_resource_key(jaeger_str key)
{
    size_t low = 0, high = JG_COUNT(resource_keys);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = jg_str_cmp(key, jg_str(resource_keys[middle]));
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool is_scope_key(jaeger_str key)
{
    if (!jg_str_starts(key, JAEGER_STR("ot")))
        return false;
    for (size_t i = 0; i < JG_COUNT(scope_keys); i++)
        if (jg_str_is(key, scope_keys[i]))
            return true;
    return false;
}

static size_t digits(jaeger_str text, size_t from)
{
    size_t n = 0;
    while (from + n < text.len && text.ptr[from + n] >= '0' && text.ptr[from + n] <= '9')
        n++;
    return n;
}

jaeger_value jg_zipkin_parse_value(jaeger_str text)
{
    jaeger_value value = {.type = JAEGER_VALUE_STRING, .u.s = text};
    if (jg_str_is(text, "true") || jg_str_is(text, "false"))
        return (jaeger_value){.type = JAEGER_VALUE_BOOL, .u.b = text.len == 4};
    size_t minus = text.len && text.ptr[0] == '-', whole = digits(text, minus), at = minus + whole;
    if (whole == 0)
        return value;
    if (at == text.len) { /* numbers out of range become the nearest one, as strconv gives them */
        if (!jg_str_to_i64(text, &value.u.i))
            value.u.i = minus ? INT64_MIN : INT64_MAX;
        value.type = JAEGER_VALUE_INT;
        return value;
    }
    double d;
    if (text.ptr[at] == '.' && digits(text, at + 1) && at + 1 + digits(text, at + 1) == text.len &&
        jg_str_to_double(text, &d))
        return (jaeger_value){.type = JAEGER_VALUE_DOUBLE, .u.d = d};
    return value;
}

static void write_value(jg_buf *buf, uint32_t field, jaeger_str key, const jaeger_value *value)
{
    if (value->type == JAEGER_VALUE_BOOL)
        jg_otlp_attr_bool(buf, field, key, value->u.b);
    else if (value->type == JAEGER_VALUE_INT)
        jg_otlp_attr_int(buf, field, key, value->u.i);
    else if (value->type == JAEGER_VALUE_DOUBLE)
        jg_otlp_attr_double(buf, field, key, value->u.d);
    else
        jg_otlp_attr_str(buf, field, key, value->u.s);
}

/* ---- JSON in tags and annotations
 * ---------------------------------------------------------------------------------- */

/** A string's content; escapes are resolved into the arena. */
static jaeger_str text_of(jg_zipkin_in *in, const jg_json_text *text)
{
    if (!text->escaped)
        return text->raw;
    char *plain = jaeger_arena_alloc(in->arena, text->raw.len);
    if (!plain) {
        in->groups.failed = true;
        return (jaeger_str){0};
    }
    return (jaeger_str){plain, jg_json_in_unescape(text->raw, plain)};
}

/** One member: texts, numbers and booleans become attributes, the rest is dropped. */
static bool write_member(jg_zipkin_in *in, jg_json_in *json, uint32_t field, jaeger_str key)
{
    jg_buf *buf = &in->groups.spans;
    jg_json_text text;
    double d;
    bool b;
    switch (jg_json_in_peek(json)) {
    case JG_JSON_STRING:
        if (!jg_json_in_str(json, &text))
            return false;
        jg_otlp_attr_str(buf, field, key, text_of(in, &text));
        return true;
    case JG_JSON_NUMBER:
        if (!jg_json_in_double(json, false, &d))
            return false;
        if (d == floor(d) && fabs(d) < 0x1p63)
            jg_otlp_attr_int(buf, field, key, (int64_t)d);
        else
            jg_otlp_attr_double(buf, field, key, d);
        return true;
    case JG_JSON_TRUE:
    case JG_JSON_FALSE:
        if (!jg_json_in_bool(json, &b))
            return false;
        jg_otlp_attr_bool(buf, field, key, b);
        return true;
    default:
        return jg_json_in_skip(json);
    }
}

/** The members of a JSON object (or null) as attributes. @return false: not such JSON */
static bool write_json_attrs(jg_zipkin_in *in, jaeger_str text, uint32_t field)
{
    jg_json_in json = jg_json_in_of(text);
    jg_json_text key;
    if (jg_json_in_peek(&json) == JG_JSON_NULL)
        return jg_json_in_null(&json) && jg_json_in_end(&json);
    if (!jg_json_in_object(&json))
        return false;
    while (jg_json_in_key(&json, &key))
        if (!write_member(in, &json, field, text_of(in, &key)))
            return false;
    return jg_json_in_end(&json);
}

/** Cut off up to the next bar. @return false: there was none, all of it was taken */
static bool cut(jaeger_str *text, jaeger_str *ret)
{
    size_t at = jg_str_find(*text, '|');
    bool found = at < text->len;
    *ret = (jaeger_str){text->ptr, at};
    *text = jg_str_skip(*text, at + found);
    return found;
}

/** Cut off what is behind the last bar, a number. @return false: no bar, or not a 32-bit number */
static bool cut_count(jaeger_str *text, uint32_t *ret)
{
    uint64_t count;
    size_t at = text->len;
    while (at && text->ptr[at - 1] != '|')
        at--;
    if (at == 0 || !jg_str_to_u64(jg_str_skip(*text, at), &count) || count > UINT32_MAX)
        return false;
    text->len = at - 1;
    *ret = (uint32_t)count;
    return true;
}

/** "name", or "name|{json}|dropped". */
static const char *write_note(jg_zipkin_in *in, const jg_zipkin_note *note)
{
    jg_buf *buf = &in->groups.spans;
    jaeger_str rest = note->value, name;
    uint32_t dropped = 0;
    const char *fault = NULL;
    size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_EVENTS, 1);
    jg_otlp_time(buf, JG_OTLP_EVENT_TIME, note->time_us * 1000);
    bool more = cut(&rest, &name) && jg_str_find(rest, '|') < rest.len;
    jg_otlp_text(buf, JG_OTLP_EVENT_NAME, name);
    if (more && (!cut_count(&rest, &dropped) || !write_json_attrs(in, rest, JG_OTLP_EVENT_ATTRIBUTES)))
        fault = "annotation with bars that is not name|json|count";
    if (dropped)
        jg_pb_write_varint(buf, JG_OTLP_EVENT_DROPPED, dropped);
    jg_pb_end(buf, mark, 1);
    return fault;
}

/** Hex digits, perhaps in quotes; empty is zero. */
static bool link_id(jaeger_str text, uint8_t *id, size_t n)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = (jaeger_str){text.ptr + 1, text.len - 2};
    memset(id, 0, n);
    return text.len == 0 || jg_hex_decode(text, id, n);
}

/** "trace|span|state|{json}|dropped"; fewer parts: ignored. */
static const char *write_link(jg_zipkin_in *in, jaeger_str value)
{
    static const char fault[] = "tag otlp.link that is not trace|span|state|json|count";
    jg_buf *buf = &in->groups.spans;
    jaeger_str trace, span, state;
    uint8_t trace_id[16], span_id[8];
    uint32_t dropped;
    if (!cut(&value, &trace) || !cut(&value, &span) || !cut(&value, &state) ||
        jg_str_find(value, '|') == value.len)
        return NULL;
    if (!link_id(trace, trace_id, 16) || !link_id(span, span_id, 8) || !cut_count(&value, &dropped))
        return fault;
    size_t mark = jg_pb_begin(buf, JG_OTLP_SPAN_LINKS, 1);
    jg_otlp_id(buf, JG_OTLP_LINK_TRACE_ID, trace_id, 16);
    jg_otlp_id(buf, JG_OTLP_LINK_SPAN_ID, span_id, 8);
    jg_otlp_text(buf, JG_OTLP_LINK_TRACE_STATE, state);
    bool ok = write_json_attrs(in, value, JG_OTLP_LINK_ATTRIBUTES);
    if (dropped)
        jg_pb_write_varint(buf, JG_OTLP_LINK_DROPPED, dropped);
    jg_pb_end(buf, mark, 1);
    return ok ? NULL : fault;
}

static const char *write_links(jg_zipkin_in *in)
{
    char key[16] = "otlp.link.";
    jaeger_str value;
    const char *fault = NULL;
    for (unsigned i = 0; i < LINKS_MAX && !fault; i++) {
        size_t len = 10;
        if (i >= 100)
            key[len++] = (char)('0' + i / 100);
        if (i >= 10)
            key[len++] = (char)('0' + i / 10 % 10);
        key[len++] = (char)('0' + i % 10);
        if (!take_tag(in, (jaeger_str){key, len}, &value))
            break;
        fault = write_link(in, value);
    }
    return fault;
}

/* ---- the span
 * ------------------------------------------------------------------------------------------------------ */

/** Resource attributes of a new service; its tags are used up. */
static void write_resource(jg_zipkin_in *in, jaeger_str service)
{
    jg_buf *heads = &in->groups.heads;
    jaeger_str key = {0};
    if (jg_str_eq(service, NO_SERVICE))
        return;
    (void)take_tag(in, JAEGER_STR("otlp.service.name.source"), &key);
    if (key.len == 0)
        key = JAEGER_STR("service.name");
    jg_zipkin_tag *same = find_tag(in, key);
    if (!same || !is_resource_key(key))
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, key, service);
    for (size_t i = 0; i < in->tag_count; i++) {
        jg_zipkin_tag *tag = &in->tags[i];
        if (tag->gone || !is_resource_key(tag->key))
            continue;
        jg_otlp_attr_str(heads, JG_OTLP_RESOURCE_ATTRIBUTES, tag->key, tag->value);
        tag->gone = true;
    }
}

/** The scope's version is that of its first span. */
static uint32_t scope_of(jg_zipkin_in *in, uint32_t resource)
{
    jg_zipkin_tag *name = find_tag(in, JAEGER_STR("otel.scope.name"));
    jg_zipkin_tag *version = find_tag(in, JAEGER_STR("otel.scope.version"));
    if (!name)
        name = find_tag(in, JAEGER_STR("otel.library.name"));
    if (!version)
        version = find_tag(in, JAEGER_STR("otel.library.version"));
    bool named = name && name->value.len;
    return jg_span_groups_named_scope(&in->groups, resource, named ? name->value : (jaeger_str){0},
                                      named && version ? version->value : (jaeger_str){0});
}

static void write_status(jg_zipkin_in *in)
{
    static const struct {
        const char *name;
        uint32_t code;
    } codes[] = {{"STATUS_CODE_OK", JAEGER_STATUS_OK},
                 {"STATUS_CODE_ERROR", JAEGER_STATUS_ERROR},
                 {"Ok", JAEGER_STATUS_OK},
                 {"Error", JAEGER_STATUS_ERROR}};
    uint32_t code = JAEGER_STATUS_UNSET;
    jaeger_str value, message = {0};
    if (take_tag(in, JAEGER_STR("otel.status_code"), &value)) {
        for (size_t i = 0; i < JG_COUNT(codes); i++)
            if (jg_str_is(value, codes[i].name))
                code = codes[i].code;
        (void)take_tag(in, JAEGER_STR("otel.status_description"), &message);
    }
    jg_zipkin_tag *error = find_tag(in, JAEGER_STR("error"));
    if (error) {
        code = JAEGER_STATUS_ERROR;
        error->gone = jg_str_is(error->value, "true");
    }
    jg_otlp_status(&in->groups.spans, code, message);
}

/** An attribute that takes the place of a tag of that name. */
static void put(jg_zipkin_in *in, const char *key, jaeger_value value)
{
    jg_zipkin_tag *tag = find_tag(in, jg_str(key));
    if (tag)
        tag->gone = true;
    write_value(&in->groups.spans, JG_OTLP_SPAN_ATTRIBUTES, jg_str(key), &value);
}

static void put_endpoint(jg_zipkin_in *in, const jg_zipkin_endpoint *endpoint, const char *address,
                         const char *port)
{
    jaeger_str ip = endpoint->ipv6.ptr ? endpoint->ipv6 : endpoint->ipv4;
    if (ip.ptr)
        put(in, address, (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = ip});
    if (endpoint->port)
        put(in, port, (jaeger_value){.type = JAEGER_VALUE_INT, .u.i = endpoint->port});
}

static void write_attrs(jg_zipkin_in *in, const jg_zipkin_span *span)
{
    put_endpoint(in, &span->local, "network.local.address", "net.host.port");
    if (span->remote.service.len)
        put(in, "service.peer.name",
            (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = span->remote.service});
    put_endpoint(in, &span->remote, "network.peer.address", "net.peer.port");
    if (!span->has_time)
        put(in, "otel.zipkin.absentField.startTime", (jaeger_value){.type = JAEGER_VALUE_BOOL, .u.b = true});
    for (size_t i = 0; i < in->tag_count; i++) {
        const jg_zipkin_tag *tag = &in->tags[i];
        if (tag->gone || is_scope_key(tag->key) || is_resource_key(tag->key))
            continue;
        jaeger_value value = in->parse_string_tags
                                 ? jg_zipkin_parse_value(tag->value)
                                 : (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = tag->value};
        write_value(&in->groups.spans, JG_OTLP_SPAN_ATTRIBUTES, tag->key, &value);
    }
}

static uint32_t kind_of(jg_zipkin_in *in, const jg_zipkin_span *span)
{
    jaeger_str kind;
    if (span->kind != JAEGER_KIND_UNSPECIFIED || !take_tag(in, JAEGER_STR("span.kind"), &kind))
        return span->kind;
    return jg_str_is(kind, "internal") ? JAEGER_KIND_INTERNAL : JAEGER_KIND_UNSPECIFIED;
}

static const char *write_body(jg_zipkin_in *in, const jg_zipkin_span *span)
{
    jg_buf *buf = &in->groups.spans;
    jaeger_str state;
    uint32_t kind = kind_of(in, span);
    jg_otlp_id(buf, JG_OTLP_SPAN_TRACE_ID, span->trace_id, 16);
    jg_otlp_id(buf, JG_OTLP_SPAN_SPAN_ID, span->id, 8);
    if (take_tag(in, JAEGER_STR("w3c.tracestate"), &state))
        jg_otlp_text(buf, JG_OTLP_SPAN_TRACE_STATE, state);
    if (memcmp(span->parent_id, span->id, 8) != 0)
        jg_otlp_id(buf, JG_OTLP_SPAN_PARENT_SPAN_ID, span->parent_id, 8);
    jg_otlp_text(buf, JG_OTLP_SPAN_NAME, span->name);
    if (kind)
        jg_pb_write_varint(buf, JG_OTLP_SPAN_KIND, kind);
    jg_otlp_time(buf, JG_OTLP_SPAN_START, span->time_us * 1000);
    jg_otlp_time(buf, JG_OTLP_SPAN_END, (span->time_us + span->duration_us) * 1000);
    write_status(in);
    const char *fault = write_links(in);
    if (fault)
        return fault;
    write_attrs(in, span);
    for (size_t i = 0; i < in->note_count && !fault; i++)
        fault = write_note(in, &in->notes[i]);
    return fault;
}

const char *jg_zipkin_write_span(jg_zipkin_in *in, const jg_zipkin_span *span)
{
    jg_span_groups *groups = &in->groups;
    jaeger_str service = span->local.service.len ? span->local.service : NO_SERVICE;
    bool is_new;
    unite(in);
    uint32_t resource = jg_span_groups_resource(groups, service, &is_new);
    uint32_t scope = scope_of(in, resource);
    if (is_new) {
        size_t mark = jg_span_groups_begin_resource(groups);
        write_resource(in, service);
        jg_span_groups_end_resource(groups, resource, mark);
    }
    size_t mark = jg_span_groups_begin_span(groups);
    const char *fault = write_body(in, span);
    jg_span_groups_end_span(groups, scope, mark);
    in->tag_count = in->note_count = 0;
    return fault;
}
