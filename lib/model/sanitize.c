/* SPDX-License-Identifier: Apache-2.0
 * See sanitize.h. One pass looks for faults and writes nothing; only what has one is written anew, by rules
 * that say of each OTLP message where its texts and attributes are.
 *
 * Bad UTF-8 is kept, but as bytes: a value becomes a bytes value; a text field gets a placeholder (or is
 * cleared) and its bytes go to an attribute of that name; an attribute with a bad key becomes the bytes
 * attribute "invalid-tag-key-N" = key:value.
 */
#include "model/sanitize.h"

#include "core/buf.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MESSAGE_BYTES_MAX (256u << 20) /* a repaired message; what comes in is smaller by far */
#define WARNINGS_KEY      JAEGER_STR("@jaeger@warnings")
#define SERVICE_KEY       JAEGER_STR("service.name")

/** A text field: what stands there instead (NULL: nothing), and the attribute that keeps the bytes. */
typedef struct text_rule {
    uint32_t field, inner; /* inner: of the message in `field` (Status.message); 0: the field itself */
    const char *instead, *keep_as;
} text_rule;

typedef struct message_rule {
    uint32_t attrs;
    text_rule texts[3]; /* field 0: none */
    struct {
        uint32_t field;
        const struct message_rule *rule;
    } parts[2];
} message_rule;

static const message_rule map_rule = {.attrs = JG_OTLP_LIST_VALUES};
static const message_rule resource_rule = {.attrs = JG_OTLP_RESOURCE_ATTRIBUTES};
static const message_rule scope_rule = {
    .attrs = JG_OTLP_SCOPE_ATTRIBUTES,
    .texts = {{JG_OTLP_SCOPE_NAME, 0, "invalid-scope-name", "invalid-scope-name"},
              {JG_OTLP_SCOPE_VERSION, 0, "invalid-scope-version", "invalid-scope-version"}}};
static const message_rule event_rule = {
    .attrs = JG_OTLP_EVENT_ATTRIBUTES,
    .texts = {{JG_OTLP_EVENT_NAME, 0, "invalid-event-name", "invalid-event-name"}}};
static const message_rule link_rule = {.attrs = JG_OTLP_LINK_ATTRIBUTES,
                                       .texts = {{JG_OTLP_LINK_TRACE_STATE, 0, NULL, "invalid-trace-state"}}};
static const message_rule span_rule = {
    .attrs = JG_OTLP_SPAN_ATTRIBUTES,
    .texts = {{JG_OTLP_SPAN_NAME, 0, "invalid-span-name", "invalid-span-name"},
              {JG_OTLP_SPAN_TRACE_STATE, 0, NULL, "invalid-trace-state"},
              {JG_OTLP_SPAN_STATUS, JG_OTLP_STATUS_MESSAGE, "invalid-status-message",
               "invalid-status-message"}},
    .parts = {{JG_OTLP_SPAN_EVENTS, &event_rule}, {JG_OTLP_SPAN_LINKS, &link_rule}}};

/* ---- looking
 * ---------------------------------------------------------------------------------------------------- */

static bool attr_is_clean(const uint8_t *bytes, size_t len);

/** The batch was checked: nesting is bounded. */
static bool value_is_clean(const uint8_t *bytes, size_t len)
{
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f, item;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_ANY_STRING) {
            if (!jg_utf8_valid(jg_pb_str(&f)))
                return false;
        } else if (JG_UNLIKELY(f.number == JG_OTLP_ANY_ARRAY || f.number == JG_OTLP_ANY_MAP)) {
            jg_pb list = jg_pb_of(f.ptr, f.len);
            while (jg_pb_next(&list, &item))
                if (item.number == JG_OTLP_LIST_VALUES &&
                    !(f.number == JG_OTLP_ANY_MAP ? attr_is_clean(item.ptr, item.len)
                                                  : value_is_clean(item.ptr, item.len)))
                    return false;
        }
    }
    return true;
}

/** Tags and short lengths are ASCII too, so most attributes need no parsing. */
static bool attr_is_clean(const uint8_t *bytes, size_t len)
{
    if (jg_is_ascii(bytes, len))
        return true;
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_KEY_VALUE_KEY
                ? !jg_utf8_valid(jg_pb_str(&f))
                : f.number == JG_OTLP_KEY_VALUE_VALUE && !value_is_clean(f.ptr, f.len))
            return false;
    }
    return true;
}

/** The text that a rule is about, in field `f`; the last one counts. @return false: not in this field */
static bool text_of(const text_rule *rule, const jg_pb_field *f, jaeger_str *ret)
{
    if (f->number != rule->field || f->wire != JG_PB_LEN)
        return false;
    if (!rule->inner) {
        *ret = jg_pb_str(f);
        return true;
    }
    bool found = false;
    jg_pb pb = jg_pb_of(f->ptr, f->len);
    jg_pb_field in;
    while (jg_pb_next(&pb, &in)) {
        if (in.number == rule->inner && in.wire == JG_PB_LEN) {
            *ret = jg_pb_str(&in);
            found = true;
        }
    }
    return found;
}

static bool message_is_clean(const void *bytes, size_t len, const message_rule *rule)
{
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f;
    jaeger_str text;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == rule->attrs) {
            if (!attr_is_clean(f.ptr, f.len))
                return false;
            continue;
        }
        for (size_t i = 0; i < JG_COUNT(rule->texts) && rule->texts[i].field; i++)
            if (text_of(&rule->texts[i], &f, &text) && !jg_utf8_valid(text))
                return false;
        for (size_t i = 0; i < JG_COUNT(rule->parts) && rule->parts[i].rule; i++)
            if (f.number == rule->parts[i].field && !message_is_clean(f.ptr, f.len, rule->parts[i].rule))
                return false;
    }
    return true;
}

/* ---- repairing texts
 * -------------------------------------------------------------------------------------------- */

static void copy_field(jg_buf *out, const jg_pb *pb, const jg_pb_field *f)
{
    jg_buf_append(out, f->start, (size_t)(pb->pos - f->start));
}

/** KeyValue with one string or bytes value. */
static void put_attr(jg_buf *out, uint32_t attrs, jaeger_str key, uint32_t any_field, jaeger_str value)
{
    size_t attr = jg_pb_begin(out, attrs, 2);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, key);
    size_t any = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 2);
    jg_pb_write_str(out, any_field, value);
    jg_pb_end(out, any, 2);
    jg_pb_end(out, attr, 2);
}

static void repair_message(jg_buf *out, jaeger_str body, const message_rule *rule);

/** A value as it is, or with bad strings as bytes. */
static void repair_value(jg_buf *out, uint32_t field, const uint8_t *bytes, size_t len)
{
    size_t value = jg_pb_begin(out, field, 3);
    jg_pb pb = jg_pb_of(bytes, len);
    jg_pb_field f, item;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_ANY_STRING && !jg_utf8_valid(jg_pb_str(&f))) {
            jg_pb_write_str(out, JG_OTLP_ANY_BYTES, jg_pb_str(&f));
        } else if (f.number == JG_OTLP_ANY_MAP) {
            size_t map = jg_pb_begin(out, f.number, 3);
            repair_message(out, jg_pb_str(&f), &map_rule);
            jg_pb_end(out, map, 3);
        } else if (f.number == JG_OTLP_ANY_ARRAY) {
            size_t list = jg_pb_begin(out, f.number, 3);
            jg_pb items = jg_pb_of(f.ptr, f.len);
            while (jg_pb_next(&items, &item)) {
                if (item.number == JG_OTLP_LIST_VALUES)
                    repair_value(out, item.number, item.ptr, item.len);
                else
                    copy_field(out, &items, &item);
            }
            jg_pb_end(out, list, 3);
        } else {
            copy_field(out, &pb, &f);
        }
    }
    jg_pb_end(out, value, 3);
}

/** An attribute with a good key. */
static void repair_attr(jg_buf *out, const jg_pb_field *attr)
{
    size_t body = jg_pb_begin(out, attr->number, 3);
    jg_pb pb = jg_pb_of(attr->ptr, attr->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_KEY_VALUE_VALUE)
            repair_value(out, f.number, f.ptr, f.len);
        else
            copy_field(out, &pb, &f);
    }
    jg_pb_end(out, body, 3);
}

static void put_bad_key(jg_buf *out, uint32_t attrs, const jaeger_attr *attr, unsigned number)
{
    char key[32];
    int n = snprintf(key, sizeof key, "invalid-tag-key-%u", number);
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(MESSAGE_BYTES_MAX);
    jg_buf_str(&text, attr->key);
    jg_buf_byte(&text, ':');
    if (attr->value.type == JAEGER_VALUE_BYTES)
        jg_buf_str(&text, attr->value.u.s);
    else
        jg_value_text(&text, &attr->value);
    put_attr(out, attrs, (jaeger_str){key, (size_t)n}, JG_OTLP_ANY_BYTES, jg_buf_view(&text));
    out->failed |= text.failed;
}

/** Write field `f` with the text replaced. */
static void put_instead(jg_buf *out, const text_rule *rule, const jg_pb_field *f)
{
    if (!rule->inner) {
        if (rule->instead)
            jg_pb_write_str(out, rule->field, jg_str(rule->instead));
        return;
    }
    size_t body = jg_pb_begin(out, rule->field, 1);
    jg_pb pb = jg_pb_of(f->ptr, f->len);
    jg_pb_field in;
    while (jg_pb_next(&pb, &in))
        if (in.number != rule->inner)
            copy_field(out, &pb, &in);
    jg_pb_write_str(out, rule->inner, jg_str(rule->instead));
    jg_pb_end(out, body, 1);
}

/** @return true: the field was a bad text and is written */
static bool repair_text(jg_buf *out, const message_rule *rule, const jg_pb_field *f)
{
    jaeger_str text;
    for (size_t i = 0; i < JG_COUNT(rule->texts) && rule->texts[i].field; i++) {
        if (!text_of(&rule->texts[i], f, &text) || jg_utf8_valid(text))
            continue;
        put_instead(out, &rule->texts[i], f);
        put_attr(out, rule->attrs, jg_str(rule->texts[i].keep_as), JG_OTLP_ANY_BYTES, text);
        return true;
    }
    return false;
}

static const message_rule *part_rule(const message_rule *rule, uint32_t field)
{
    for (size_t i = 0; i < JG_COUNT(rule->parts) && rule->parts[i].rule; i++)
        if (rule->parts[i].field == field)
            return rule->parts[i].rule;
    return NULL;
}

/** The body of a message, repaired; attributes with bad keys come last. */
static void repair_message(jg_buf *out, jaeger_str body, const message_rule *rule)
{
    jg_pb pb = jg_pb_of_str(body);
    jg_pb_field f;
    unsigned bad_keys = 0;
    while (jg_pb_next(&pb, &f)) {
        const message_rule *part = part_rule(rule, f.number);
        if (part) {
            size_t at = jg_pb_begin(out, f.number, 2);
            repair_message(out, jg_pb_str(&f), part);
            jg_pb_end(out, at, 2);
        } else if (f.number == rule->attrs) {
            jaeger_attr attr = jg_attr_read(jg_pb_str(&f));
            if (!jg_utf8_valid(attr.key))
                bad_keys++;
            else
                repair_attr(out, &f);
        } else if (!repair_text(out, rule, &f)) {
            copy_field(out, &pb, &f);
        }
    }
    pb = jg_pb_of_str(bad_keys ? body : (jaeger_str){0});
    for (unsigned number = 1; jg_pb_next(&pb, &f);) {
        jaeger_attr attr = f.number == rule->attrs ? jg_attr_read(jg_pb_str(&f)) : (jaeger_attr){0};
        if (!jg_utf8_valid(attr.key))
            put_bad_key(out, rule->attrs, &attr, number++);
    }
}

/* ---- resources and scopes
 * --------------------------------------------------------------------------------------- */

/** What service.name must become; ptr NULL: it is fine. */
static jaeger_str service_instead(const jaeger_span_group *group)
{
    jaeger_attr attr;
    if (group->service.ptr)
        return group->service.len ? (jaeger_str){0} : JAEGER_STR("empty-service-name");
    return jaeger_find_attr(jaeger_resource_attrs(group), SERVICE_KEY, &attr)
               ? JAEGER_STR("service-name-wrong-type")
               : JAEGER_STR("missing-service-name");
}

/** The resource with another service name, in the place of the first one. */
static void put_service(jg_buf *out, jaeger_str resource, jaeger_str service)
{
    jg_pb pb = jg_pb_of_str(resource);
    jg_pb_field f;
    bool done = false;
    while (jg_pb_next(&pb, &f)) {
        if (!done && f.number == JG_OTLP_RESOURCE_ATTRIBUTES &&
            jg_str_eq(jg_attr_read(jg_pb_str(&f)).key, SERVICE_KEY)) {
            put_attr(out, f.number, SERVICE_KEY, JG_OTLP_ANY_STRING, service);
            done = true;
        } else {
            copy_field(out, &pb, &f);
        }
    }
    if (!done)
        put_attr(out, JG_OTLP_RESOURCE_ATTRIBUTES, SERVICE_KEY, JG_OTLP_ANY_STRING, service);
}

static bool resource_is_clean(const jaeger_span_group *g)
{
    return g->service.len && jg_utf8_valid(g->resource_schema_url) &&
           message_is_clean(g->resource.ptr, g->resource.len, &resource_rule);
}

static bool scope_is_clean(const jaeger_span_group *g)
{
    return jg_utf8_valid(g->scope_schema_url) && message_is_clean(g->scope.ptr, g->scope.len, &scope_rule);
}

static jaeger_status repair_resource(jaeger_batch *batch, jaeger_span_group *group, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf named = JG_BUF_INIT(MESSAGE_BYTES_MAX), out = JG_BUF_INIT(MESSAGE_BYTES_MAX);
    jaeger_str instead = service_instead(group), body = group->resource;
    if (instead.ptr) {
        put_service(&named, body, instead);
        body = jg_buf_view(&named);
    }
    repair_message(&out, body, &resource_rule);
    bool bad_url = !jg_utf8_valid(group->resource_schema_url);
    if (bad_url)
        put_attr(&out, JG_OTLP_RESOURCE_ATTRIBUTES, JAEGER_STR("invalid-schema-url"), JG_OTLP_ANY_BYTES,
                 group->resource_schema_url);
    if (!jg_buf_ok(&named) || !jg_buf_ok(&out))
        return jg_fail_oom(err);
    JG_TRY(jg_batch_replace_resource(batch, group->resource_index, out.data, out.len, err));
    const jaeger_span_group *end = jg_batch_groups(batch) + jg_batch_group_count(batch);
    uint32_t index = group->resource_index; /* its groups are neighbours */
    for (jaeger_span_group *g = group; bad_url && g < end && g->resource_index == index; g++)
        g->resource_schema_url = (jaeger_str){0};
    return JAEGER_OK;
}

static jaeger_status repair_scope(jaeger_batch *batch, jaeger_span_group *group, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(MESSAGE_BYTES_MAX);
    repair_message(&out, group->scope, &scope_rule);
    if (!jg_utf8_valid(group->scope_schema_url))
        put_attr(&out, JG_OTLP_SCOPE_ATTRIBUTES, JAEGER_STR("invalid-schema-url"), JG_OTLP_ANY_BYTES,
                 group->scope_schema_url);
    if (!jg_buf_ok(&out))
        return jg_fail_oom(err);
    JG_TRY(jg_batch_replace_scope(batch, group, out.data, out.len, err));
    if (!jg_utf8_valid(group->scope_schema_url))
        group->scope_schema_url = (jaeger_str){0};
    return JAEGER_OK;
}

/* ---- spans
 * ------------------------------------------------------------------------------------------------------ */

/** As Go sees times: signed, so that the far future is before 1970. */
static bool ends_late_enough(const jaeger_span *span)
{
    return (int64_t)span->start_unix_ns < (int64_t)span->end_unix_ns;
}

/** Go's time.Time.String() in UTC: "2023-11-14 22:13:20.1 +0000 UTC". */
static void put_time(jg_buf *out, int64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / 1000000000);
    int64_t ns = unix_ns % 1000000000;
    if (ns < 0) {
        ns += 1000000000;
        seconds--;
    }
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    jg_buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (ns) {
        jg_buf_printf(out, ".%09" PRId64, ns);
        while (out->len && out->data[out->len - 1] == '0')
            out->len--;
    }
    jg_buf_lit(out, " +0000 UTC");
}

static void put_list_item(jg_buf *out, jaeger_str text)
{
    size_t item = jg_pb_begin(out, JG_OTLP_LIST_VALUES, 2);
    jg_pb_write_str(out, JG_OTLP_ANY_STRING, text);
    jg_pb_end(out, item, 2);
}

/** The attribute with the warnings that were there (a list, or its text) and one more. */
static void put_warning(jg_buf *out, const jaeger_value *before, int64_t end, int64_t new_end)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(512);
    jg_buf_lit(&text, "Negative duration detected, sanitizing end timestamp. Original end timestamp: ");
    put_time(&text, end);
    jg_buf_lit(&text, ", adjusted to: ");
    put_time(&text, new_end);
    size_t attr = jg_pb_begin(out, JG_OTLP_SPAN_ATTRIBUTES, 2);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, WARNINGS_KEY);
    size_t any = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 2);
    size_t list = jg_pb_begin(out, JG_OTLP_ANY_ARRAY, 2);
    if (before && before->type == JAEGER_VALUE_ARRAY) {
        jg_buf_str(out, before->u.s);
    } else if (before) {
        JG_AUTO_BUF jg_buf old = JG_BUF_INIT(out->max);
        jg_value_text(&old, before);
        put_list_item(out, jg_buf_view(&old));
        out->failed |= old.failed;
    }
    put_list_item(out, jg_buf_view(&text));
    jg_pb_end(out, list, 2);
    jg_pb_end(out, any, 2);
    jg_pb_end(out, attr, 2);
    out->failed |= text.failed;
}

/** Name and end; the rest as it is. */
static void repair_fields(jg_buf *out, const jaeger_span *span)
{
    bool late = ends_late_enough(span), warned = false;
    int64_t end = (int64_t)span->end_unix_ns, new_end = (int64_t)(span->start_unix_ns + 1);
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if ((f.number == JG_OTLP_SPAN_NAME && !span->name.len) || (f.number == JG_OTLP_SPAN_END && !late))
            continue;
        if (!late && !warned && f.number == JG_OTLP_SPAN_ATTRIBUTES) {
            jaeger_attr attr = jg_attr_read(jg_pb_str(&f));
            if (jg_str_eq(attr.key, WARNINGS_KEY)) {
                put_warning(out, &attr.value, end, new_end);
                warned = true;
                continue;
            }
        }
        copy_field(out, &pb, &f);
    }
    if (!span->name.len)
        jg_pb_write_str(out, JG_OTLP_SPAN_NAME, JAEGER_STR("empty-span-name"));
    if (!late) {
        jg_pb_write_fixed64(out, JG_OTLP_SPAN_END, (uint64_t)new_end);
        if (!warned)
            put_warning(out, NULL, end, new_end);
    }
}

static bool span_is_clean(const jaeger_span *span)
{
    return span->name.len && ends_late_enough(span) &&
           (!span->has_bad_text || message_is_clean(span->bytes, span->len, &span_rule));
}

static jaeger_status repair_span(jaeger_batch *batch, size_t index, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf fields = JG_BUF_INIT(MESSAGE_BYTES_MAX), out = JG_BUF_INIT(MESSAGE_BYTES_MAX);
    repair_fields(&fields, &jaeger_batch_spans(batch)[index]);
    repair_message(&out, jg_buf_view(&fields), &span_rule);
    if (!jg_buf_ok(&fields) || !jg_buf_ok(&out))
        return jg_fail_oom(err);
    return jaeger_batch_replace_span(batch, index, out.data, out.len, err);
}

/* ---- the batch
 * -------------------------------------------------------------------------------------------------- */

static bool batch_is_clean(const jaeger_batch *batch)
{
    const jaeger_span_group *groups = jg_batch_groups(batch);
    const jaeger_span *spans = jaeger_batch_spans(batch);
    for (size_t i = 0; i < jg_batch_group_count(batch); i++)
        if (((i == 0 || groups[i].resource_index != groups[i - 1].resource_index) &&
             !resource_is_clean(&groups[i])) ||
            !scope_is_clean(&groups[i]))
            return false;
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++)
        if (!span_is_clean(&spans[i]))
            return false;
    return true;
}

static jaeger_status repair_batch(jaeger_batch *batch, jaeger_error *err)
{
    jaeger_span_group *groups = jg_batch_groups_mutable(batch);
    for (size_t i = 0; i < jg_batch_group_count(batch); i++) {
        if (!resource_is_clean(&groups[i]))
            JG_TRY(repair_resource(batch, &groups[i], err));
        if (!scope_is_clean(&groups[i]))
            JG_TRY(repair_scope(batch, &groups[i], err));
    }
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++)
        if (!span_is_clean(&jaeger_batch_spans(batch)[i]))
            JG_TRY(repair_span(batch, i, err));
    return JAEGER_OK;
}

jaeger_status jg_sanitize(jaeger_batch **batch, jaeger_error *err)
{
    if (batch_is_clean(*batch))
        return JAEGER_OK;
    JG_TRY(jaeger_batch_own(batch, err));
    return repair_batch(*batch, err);
}
