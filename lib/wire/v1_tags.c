/* SPDX-License-Identifier: Apache-2.0
 * See v1_tags.h.
 */
#include "wire/v1_tags.h"

#include "core/str.h"
#include "model/value_text.h"

static void add_value(jg_v1_tags *tags, jaeger_str key, jaeger_value value)
{
    tags->extra[tags->after++] = (jaeger_attr){.key = key, .value = value};
}

static void add_text(jg_v1_tags *tags, jaeger_str key, jaeger_str text)
{
    if (text.len)
        add_value(tags, key, (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = text});
}

jg_v1_tags jg_v1_span_tags(const jaeger_span *span, jg_v1_style style)
{
    jg_v1_tags tags = {.attrs = jaeger_span_attrs(span)};
    jaeger_scope scope;
    jaeger_span_rest rest;
    jaeger_scope_read(span->group, &scope);
    jaeger_span_read_rest(span, &rest);
    add_text(&tags, JAEGER_STR("otel.scope.name"), scope.name);
    add_text(&tags, JAEGER_STR("otel.scope.version"), scope.version);
    tags.before = tags.after;
    add_text(&tags, JAEGER_STR("span.kind"), jg_kind_text(span->kind));
    bool is_error = span->status_code == JAEGER_STATUS_ERROR;
    if (is_error && style == JG_V1_TRANSLATOR)
        add_text(&tags, JAEGER_STR("otel.status_code"), JAEGER_STR("ERROR"));
    else if (span->status_code == JAEGER_STATUS_OK)
        add_text(&tags, JAEGER_STR("otel.status_code"), JAEGER_STR("OK"));
    if (is_error)
        add_value(&tags, JAEGER_STR("error"), (jaeger_value){.type = JAEGER_VALUE_BOOL, .u.b = true});
    add_text(&tags, JAEGER_STR("otel.status_description"), rest.status_message);
    add_text(&tags, JAEGER_STR("w3c.tracestate"), rest.trace_state);
    return tags;
}

jg_v1_tags jg_v1_process_tags(const jaeger_span_group *group)
{
    return (jg_v1_tags){.attrs = jaeger_resource_attrs(group), .skips_service = true};
}

jg_v1_tags jg_v1_log_fields(const jaeger_event *event)
{
    jg_v1_tags tags = {.attrs = jaeger_event_attrs(event)};
    jaeger_attr found;
    if (!jaeger_find_attr(tags.attrs, JAEGER_STR("event"), &found))
        add_text(&tags, JAEGER_STR("event"), event->name);
    tags.before = tags.after;
    return tags;
}

bool jg_v1_next(jg_v1_tags *tags, jaeger_attr *ret)
{
    if (tags->at < tags->before) {
        *ret = tags->extra[tags->at++];
        return true;
    }
    while (!tags->attrs_done) {
        if (!jaeger_next_attr(&tags->attrs, ret)) {
            tags->attrs_done = true;
        } else if (!tags->skips_service || !jg_str_is(ret->key, "service.name")) {
            if (ret->value.type == JAEGER_VALUE_EMPTY)
                ret->value = (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = JAEGER_STR("")};
            return true;
        }
    }
    if (tags->at == tags->after)
        return false;
    *ret = tags->extra[tags->at++];
    return true;
}

jaeger_str jg_v1_service(const jaeger_span_group *group)
{
    jaeger_iter iter = jaeger_resource_attrs(group);
    jaeger_attr any;
    if (!jaeger_next_attr(&iter, &any))
        return JAEGER_STR("OTLPResourceNoServiceName");
    return group->service.ptr ? group->service : JAEGER_STR("");
}

static bool points_at_parent(const jaeger_span *span, const jaeger_link *link)
{
    return memcmp(link->span_id, span->parent_span_id, 8) == 0 &&
           memcmp(link->trace_id, span->trace_id, 16) == 0;
}

static bool link_follows_from(const jaeger_link *link)
{
    jaeger_attr attr;
    return !jaeger_find_attr(jaeger_link_attrs(link), JAEGER_STR("opentracing.ref_type"), &attr) ||
           attr.value.type != JAEGER_VALUE_STRING || !jg_str_is(attr.value.u.s, "child_of");
}

jg_v1_refs jg_v1_span_refs(const jaeger_span *span)
{
    jg_v1_refs refs = {.span = span, .links = jaeger_span_links(span)};
    jaeger_iter links = refs.links;
    jaeger_link link;
    refs.parent_done = jg_id_is_zero(span->parent_span_id, 8);
    while (!refs.parent_done && jaeger_next_link(&links, &link))
        if (points_at_parent(span, &link))
            refs.parent_follows_from = link_follows_from(&link); /* the last one counts */
    return refs;
}

bool jg_v1_next_ref(jg_v1_refs *refs, jg_v1_ref *ret)
{
    bool has_parent = !jg_id_is_zero(refs->span->parent_span_id, 8);
    jaeger_link link;
    if (!refs->parent_done) {
        refs->parent_done = true;
        memcpy(ret->trace_id, refs->span->trace_id, 16);
        memcpy(ret->span_id, refs->span->parent_span_id, 8);
        ret->follows_from = refs->parent_follows_from;
        return true;
    }
    while (jaeger_next_link(&refs->links, &link)) {
        if (has_parent && points_at_parent(refs->span, &link))
            continue;
        memcpy(ret->trace_id, link.trace_id, 16);
        memcpy(ret->span_id, link.span_id, 8);
        ret->follows_from = link_follows_from(&link);
        return true;
    }
    return false;
}

int64_t jg_v1_duration_ns(const jaeger_span *span)
{
    int64_t start = (int64_t)span->start_unix_ns, end = (int64_t)span->end_unix_ns, duration;
    if (__builtin_sub_overflow(end, start, &duration))
        return end < 0 ? INT64_MIN : INT64_MAX;
    return duration;
}
