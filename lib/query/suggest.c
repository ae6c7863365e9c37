/* SPDX-License-Identifier: Apache-2.0
 * See suggest.h.
 */
#include "query/suggest.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/map.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/value_text.h"
#include "query/service.h"
#include <stdlib.h>

#define TRACES_MAX      500u  /* looked at: attributes of services repeat soon */
#define VALUE_BYTES_MAX 1024u /* longer values are nothing to choose from a list */

typedef struct scan {
    jg_suggest *suggest;
    jg_map seen; /* level and text */
    size_t cap;
    jaeger_call *call;
    bool failed;
} scan;

static void add(scan *s, jg_expr_level level, jaeger_str text, jaeger_value_type type)
{
    char key[VALUE_BYTES_MAX + 1];
    bool is_new;
    jg_suggest *out = s->suggest;
    jaeger_str part = out->part;
    if (s->failed || out->count >= out->limit || text.len == 0 || text.len > VALUE_BYTES_MAX ||
        (part.len && !memmem(text.ptr, text.len, part.ptr, part.len)))
        return;
    key[0] = (char)('0' + level);
    memcpy(key + 1, text.ptr, text.len);
    jaeger_str full = {key, text.len + 1};
    if (jg_map_get(&s->seen, full))
        return;
    full = jaeger_arena_str(s->call->arena, full);
    jg_suggestion *grown = jg_arena_grow(s->call->arena, out->items, out->count, &s->cap, sizeof *grown);
    jg_map_entry *entry = full.ptr && grown ? jg_map_put(&s->seen, full, &is_new) : NULL;
    if (!entry) {
        s->failed = true;
        return;
    }
    entry->value = s; /* anything: it is there */
    out->items = grown;
    grown[out->count++] = (jg_suggestion){level, jg_str_skip(full, 1), type};
}

static void add_value(scan *s, const jaeger_value *value)
{
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(VALUE_BYTES_MAX);
    if (value->type == JAEGER_VALUE_STRING) {
        add(s, JG_LEVEL_ANY, value->u.s, value->type);
        return;
    }
    jg_value_text(&buf, value);
    if (jg_buf_ok(&buf))
        add(s, JG_LEVEL_ANY, jg_buf_view(&buf), value->type);
}

static void add_attrs(scan *s, jg_expr_level level, jaeger_iter iter)
{
    const jg_expr_ref *ref = &s->suggest->ref;
    jaeger_attr attr;
    if (s->suggest->values && ref->level != JG_LEVEL_ANY && ref->level != level)
        return;
    while (jaeger_next_attr(&iter, &attr)) {
        if (!s->suggest->values)
            add(s, level, attr.key, attr.value.type);
        else if (ref->field == JG_FIELD_ATTR && jg_str_eq(attr.key, ref->key))
            add_value(s, &attr.value);
    }
}

static void add_field(scan *s, const jaeger_span *span)
{
    if (s->suggest->ref.field == JG_FIELD_NAME)
        add(s, JG_LEVEL_ANY, span->name, JAEGER_VALUE_STRING);
    else if (s->suggest->ref.field == JG_FIELD_SERVICE)
        add(s, JG_LEVEL_ANY, span->group->service, JAEGER_VALUE_STRING);
}

static jaeger_status look(void *self, jaeger_batch *take, jaeger_call *call)
{
    scan *s = self;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    JG_TRY(jaeger_call_check(call));
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++) {
        const jaeger_span *span = &jaeger_batch_spans(batch)[i];
        jaeger_event event;
        jaeger_link link;
        if (s->suggest->service.len && !jg_str_eq(span->group->service, s->suggest->service))
            continue;
        add_attrs(s, JG_LEVEL_SPAN, jaeger_span_attrs(span));
        add_attrs(s, JG_LEVEL_RESOURCE, jaeger_resource_attrs(span->group));
        add_attrs(s, JG_LEVEL_SCOPE, jaeger_scope_attrs(span->group));
        for (jaeger_iter it = jaeger_span_events(span); jaeger_next_event(&it, &event);)
            add_attrs(s, JG_LEVEL_EVENT, jaeger_event_attrs(&event));
        for (jaeger_iter it = jaeger_span_links(span); jaeger_next_link(&it, &link);)
            add_attrs(s, JG_LEVEL_LINK, jaeger_link_attrs(&link));
        if (s->suggest->values && s->suggest->ref.field != JG_FIELD_ATTR)
            add_field(s, span);
    }
    if (s->failed)
        return jg_fail_oom(&call->error);
    return s->suggest->count >= s->suggest->limit ? JAEGER_CANCELLED : JAEGER_OK;
}

/* ---- from an index ---- */

/** An index does not tell spans from their events and links: what is known of those is not a span's. */
static bool is_known_below_span(const scan *s, jaeger_str key)
{
    for (size_t i = 0; i < s->suggest->count; i++) {
        jg_expr_level level = s->suggest->items[i].level;
        if ((level == JG_LEVEL_EVENT || level == JG_LEVEL_LINK) && jg_str_eq(s->suggest->items[i].text, key))
            return true;
    }
    return false;
}

static jaeger_status take_indexed(void *self, jaeger_attr_place place, const jaeger_attr *attr,
                                  jaeger_call *call)
{
    scan *s = self;
    const jg_expr_ref *ref = &s->suggest->ref;
    jg_expr_level level = place == JAEGER_ATTR_OF_RESOURCE ? JG_LEVEL_RESOURCE
                          : place == JAEGER_ATTR_OF_SCOPE  ? JG_LEVEL_SCOPE
                                                           : JG_LEVEL_SPAN;
    bool below = ref->level == JG_LEVEL_EVENT || ref->level == JG_LEVEL_LINK;
    if (!s->suggest->values) {
        if (level != JG_LEVEL_SPAN || !is_known_below_span(s, attr->key))
            add(s, level, attr->key, attr->value.type);
    } else if (ref->level == JG_LEVEL_ANY || ref->level == level || (below && level == JG_LEVEL_SPAN)) {
        add_value(s, &attr->value);
    }
    if (s->failed)
        return jg_fail_oom(&call->error);
    return s->suggest->count >= s->suggest->limit ? JAEGER_CANCELLED : JAEGER_OK;
}

/** An index has the whole store. */
static jaeger_status ask_index(scan *s, jaeger_query *query, jaeger_call *call)
{
    const jg_suggest *suggest = s->suggest;
    if (suggest->values && suggest->ref.field != JG_FIELD_ATTR)
        return JAEGER_OK;
    return jg_query_attributes(query, suggest->service, suggest->values ? suggest->ref.key : (jaeger_str){0},
                               (jaeger_attr_sink){take_indexed, s}, call);
}

static int by_text(const void *a, const void *b)
{
    const jg_suggestion *x = a, *y = b;
    int order = jg_str_cmp(x->text, y->text);
    return order ? order : (int)x->level - (int)y->level;
}

jaeger_status jg_suggest_run(jg_suggest *suggest, jaeger_query *query, jaeger_call *call)
{
    scan s = {.suggest = suggest, .call = call};
    bool stopped = false; /* then suggestions are of what was seen */
    jaeger_trace_query find = {
        .size = sizeof find, .service = suggest->service, .limit = TRACES_MAX, .stopped_early = &stopped};
    suggest->limit = JG_MIN(suggest->limit ? suggest->limit : JG_SUGGEST_LIMIT, JG_SUGGEST_LIMIT_MAX);
    suggest->items = NULL;
    suggest->count = 0;
    jaeger_status status = jaeger_query_find_traces(query, &find, (jaeger_read_options){.raw = true},
                                                    (jaeger_consumer){look, &s}, call);
    if (status == JAEGER_OK)
        status = ask_index(&s, query, call);
    jg_map_done(&s.seen);
    if (status == JAEGER_CANCELLED && suggest->count >= suggest->limit) {
        call->error = (jaeger_error){0};
        status = JAEGER_OK;
    }
    if (suggest->count)
        qsort(suggest->items, suggest->count, sizeof *suggest->items, by_text);
    return status;
}
