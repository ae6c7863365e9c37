/* SPDX-License-Identifier: Apache-2.0
 * Changes attributes of spans and data points: a list of actions on those that include and exclude let
 * through. What changes is written anew, its other fields copied as they are. Spec:
 * opentelemetry-collector-contrib processor/attributesprocessor/README.md.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/metrics_edit.h"
#include "model/otlp_fields.h"
#include "processors/attributes/actions.h"
#include "processors/attributes/choice.h"
#include <jaeger/component.h>

typedef struct attributes_config {
    jaeger_block_list actions;
    jg_choice_config include, exclude;
} attributes_config;

typedef struct attributes {
    jaeger_consumer next;
    bool (*next_defers)(void *self);
    jg_actions *actions;
    jg_choice *include, *exclude; /* NULL: absent */
} attributes;

#define ATTRS_MAX 64u /* of a span, in place; more go to the arena */

/* ---- reading and writing ---- */

/** The key alone, as SDKs write it: the key, then a value, nothing else. @return false: look closer */
static bool read_key(jaeger_str raw, jaeger_str *ret)
{
    const uint8_t *p = (const uint8_t *)raw.ptr;
    size_t len = raw.len > 1 ? p[1] : 0x80;
    if (raw.len < 2 || p[0] != (JG_OTLP_KEY_VALUE_KEY << 3 | JG_PB_LEN) || len > 0x7f || 2 + len > raw.len)
        return false;
    size_t at = 2 + len;
    bool ends = at == raw.len || (raw.len - at >= 2 && p[at] == (JG_OTLP_KEY_VALUE_VALUE << 3 | JG_PB_LEN) &&
                                  p[at + 1] <= 0x7f && at + 2 + p[at + 1] == raw.len);
    *ret = (jaeger_str){raw.ptr + 2, len};
    return ends;
}

static void add_attr(jg_attr_list *attrs, jaeger_str raw)
{
    void *items = jg_arena_grow(attrs->arena, attrs->items, attrs->count, &attrs->cap, sizeof *attrs->items);
    if (!items) {
        attrs->failed = true;
        return;
    }
    attrs->items = items;
    jaeger_attr *attr = &attrs->items[attrs->count++];
    attr->raw = raw;
    if (!read_key(raw, &attr->key))
        attr->key = jg_attr_read(raw).key;
}

/** The attributes, of field `number`, to the list, all else to `out`. */
static void take_apart(jaeger_str body, uint32_t number, jg_attr_list *attrs, jg_buf *out)
{
    jg_pb pb = jg_pb_of_str(body);
    const uint8_t *run = pb.pos;
    for (jg_pb_field field; jg_pb_next(&pb, &field);) {
        if (field.number != number)
            continue;
        if (field.start > run)
            jg_buf_append(out, run, (size_t)(field.start - run));
        run = pb.pos;
        add_attr(attrs, jg_pb_str(&field));
    }
    if (pb.pos > run)
        jg_buf_append(out, run, (size_t)(pb.pos - run));
}

static void write_attrs(jg_buf *out, uint32_t number, const jg_attr_list *attrs)
{
    for (size_t i = 0; i < attrs->count; i++) {
        const jaeger_attr *attr = &attrs->items[i];
        if (attr->raw.ptr) {
            jg_pb_write_str(out, number, attr->raw);
            continue;
        }
        size_t mark = jg_pb_begin(out, number, 1);
        jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, attr->key);
        jg_attr_value_write(out, &attr->value);
        jg_pb_end(out, mark, 1);
    }
}

/* ---- spans ---- */

static bool is_chosen(const attributes *a, const jaeger_span *span)
{
    return (!a->include || jg_choice_takes(a->include, span)) &&
           (!a->exclude || !jg_choice_takes(a->exclude, span));
}

static jaeger_status change_span(const attributes *a, jaeger_batch **batch, size_t index, jaeger_arena *arena,
                                 jg_buf *out, jaeger_call *call)
{
    const jaeger_span *span = &jaeger_batch_spans(*batch)[index];
    jaeger_attr items[ATTRS_MAX];
    jg_attr_list attrs = {.arena = arena, .items = items, .cap = ATTRS_MAX};
    take_apart((jaeger_str){(const char *)span->bytes, span->len}, JG_OTLP_SPAN_ATTRIBUTES, &attrs, out);
    jg_actions_run(a->actions, &attrs, call);
    if (attrs.failed)
        return jg_fail_oom(&call->error);
    if (!attrs.changed)
        return JAEGER_OK;
    write_attrs(out, JG_OTLP_SPAN_ATTRIBUTES, &attrs);
    if (!jg_buf_ok(out))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED,
                       "attributes: a span became larger than %zu bytes", out->max);
    JG_TRY(jaeger_batch_own(batch, &call->error));
    return jg_batch_put_span(*batch, index, out->data, out->len, attrs.bad_text, &call->error);
}

/* ---- metrics ---- */

typedef struct metric_walk {
    const attributes *a;
    jaeger_arena *arena;
    jaeger_call *call;
    jaeger_status status;
    bool chosen; /* the metric whose points come */
} metric_walk;

static jg_metric_verdict choose_metric(void *self, const jg_metric_point *at, jaeger_str body,
                                       jaeger_str data)
{
    metric_walk *w = self;
    (void)body, (void)data;
    w->chosen = (!w->a->include || jg_choice_takes_metric(w->a->include, at)) &&
                (!w->a->exclude || !jg_choice_takes_metric(w->a->exclude, at));
    return JG_METRIC_KEEP;
}

static jg_metric_verdict change_point(void *self, const jg_metric_point *point, jaeger_str metric,
                                      jg_buf *out)
{
    metric_walk *w = self;
    jaeger_attr items[ATTRS_MAX];
    jg_attr_list attrs = {.arena = w->arena, .items = items, .cap = ATTRS_MAX};
    (void)metric;
    if (!w->chosen)
        return JG_METRIC_KEEP;
    jaeger_arena_reset(w->arena);
    take_apart(point->body, point->attrs_field, &attrs, out);
    jg_actions_run(w->a->actions, &attrs, w->call);
    if (attrs.failed)
        w->status = jg_fail_oom(&w->call->error);
    if (attrs.failed || !attrs.changed)
        return JG_METRIC_KEEP;
    write_attrs(out, point->attrs_field, &attrs);
    return JG_METRIC_WRITTEN;
}

static jaeger_status consume_metrics(attributes *a, jaeger_batch *batch, jaeger_call *call)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    metric_walk w = {.a = a, .arena = arena, .call = call};
    jg_metric_editor editor = {.metric = choose_metric, .point = change_point, .self = &w};
    jaeger_status status =
        arena ? jg_metrics_edit_batch(&batch, &editor, &call->error) : jg_fail_oom(&call->error);
    if (status == JAEGER_OK)
        status = w.status;
    if (status == JAEGER_OK)
        return a->next.consume(a->next.self, batch, call);
    jaeger_batch_unref(batch);
    return status;
}

/* ---- batches ---- */

static jaeger_status attributes_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    attributes *a = self;
    if (jaeger_batch_signal(take) == JAEGER_METRICS)
        return consume_metrics(a, take, call);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(2 * JG_HTTP_BODY_BYTES_MAX);
    jaeger_status status = arena ? JAEGER_OK : jg_fail_oom(&call->error);
    for (size_t i = 0; i < jaeger_batch_span_count(take) && status == JAEGER_OK; i++) {
        if (!is_chosen(a, &jaeger_batch_spans(take)[i]))
            continue;
        status = change_span(a, &take, i, arena, &out, call);
        jaeger_arena_reset(arena);
        jg_buf_clear(&out);
    }
    if (status != JAEGER_OK) {
        jaeger_batch_unref(take);
        return status;
    }
    return a->next.consume(a->next.self, take, call);
}

static bool attributes_prompt(void *self)
{
    return jaeger_consumer_is_prompt(&((attributes *)self)->next);
}

static bool attributes_defers(void *self)
{
    const attributes *s = self;
    return s->next_defers && s->next_defers(s->next.self);
}

/* ---- component ---- */

static void attributes_destroy(void *self)
{
    attributes *a = self;
    jg_actions_free(a->actions);
    jg_choice_free(a->include);
    jg_choice_free(a->exclude);
    *a = (attributes){0};
}

static jaeger_status make(attributes *a, const attributes_config *c, jaeger_error *err)
{
    JG_TRY(jg_actions_new(&c->actions, &a->actions, err));
    JG_TRY(jg_choice_new(&c->include, "include", &a->include, err));
    return jg_choice_new(&c->exclude, "exclude", &a->exclude, err);
}

static jaeger_status attributes_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    attributes trial = {0};
    jaeger_error fault = {0};
    jaeger_status status = make(&trial, config, &fault);
    attributes_destroy(&trial);
    const char *path = jaeger_config_path(node);
    if (status == JAEGER_OK)
        return JAEGER_OK;
    return jg_fail(err, status, "%s%s%s", path, path[0] ? ": " : "", fault.message);
}

static jaeger_status attributes_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    attributes *a = self;
    a->next = in->next;
    a->next_defers = in->next_defers;
    return make(a, in->config, err);
}

#define AT(member) .offset = offsetof(attributes_config, member)
static const jaeger_field attributes_fields[] = {{.name = "actions",
                                                  .kind = JAEGER_FIELD_LIST,
                                                  AT(actions),
                                                  .sub = jg_action_fields,
                                                  .sub_size = sizeof(jg_action_config),
                                                  .doc = "what to do, in order"},
                                                 {.name = "include",
                                                  .kind = JAEGER_FIELD_OPTIONAL_N,
                                                  AT(include),
                                                  .sub = jg_choice_fields,
                                                  .sub_size = sizeof(jg_choice_config),
                                                  .doc = "only these spans or metrics"},
                                                 {.name = "exclude",
                                                  .kind = JAEGER_FIELD_OPTIONAL_N,
                                                  AT(exclude),
                                                  .sub = jg_choice_fields,
                                                  .sub_size = sizeof(jg_choice_config),
                                                  .doc = "not these spans or metrics"},
                                                 {0}};

const jaeger_component_type jg_processor_attributes = {
    .size = sizeof(jaeger_component_type),
    .name = "attributes",
    .doc = "changes attributes of spans and data points",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES | JAEGER_METRICS,
    .gives = JAEGER_TRACES | JAEGER_METRICS,
    .fields = attributes_fields,
    .config_size = sizeof(attributes_config),
    .state_size = sizeof(attributes),
    .validate = attributes_validate,
    .create = attributes_create,
    .consume = attributes_consume,
    .prompt = attributes_prompt,
    .defers = attributes_defers,
    .destroy = attributes_destroy,
};
