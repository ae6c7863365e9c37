/* SPDX-License-Identifier: Apache-2.0
 * Changes span attributes: a list of actions on the spans that include and exclude let through. A span that
 * changes is written anew, its other fields copied as they are. Spec: opentelemetry-collector-contrib
 * processor/attributesprocessor/README.md.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
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
    jg_actions *actions;
    jg_choice *include, *exclude; /* NULL: absent */
} attributes;

/* ---- writing ---- */

static void write_value(jg_buf *out, const jaeger_value *value)
{
    size_t mark = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 4);
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        break;
    case JAEGER_VALUE_STRING:
        jg_pb_write_str(out, JG_OTLP_ANY_STRING, value->u.s);
        break;
    case JAEGER_VALUE_BOOL:
        jg_pb_write_varint(out, JG_OTLP_ANY_BOOL, value->u.b);
        break;
    case JAEGER_VALUE_INT:
        jg_pb_write_varint(out, JG_OTLP_ANY_INT, (uint64_t)value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        jg_pb_write_double(out, JG_OTLP_ANY_DOUBLE, value->u.d);
        break;
    case JAEGER_VALUE_ARRAY:
        jg_pb_write_str(out, JG_OTLP_ANY_ARRAY, value->u.s);
        break;
    case JAEGER_VALUE_MAP:
        jg_pb_write_str(out, JG_OTLP_ANY_MAP, value->u.s);
        break;
    case JAEGER_VALUE_BYTES:
        jg_pb_write_str(out, JG_OTLP_ANY_BYTES, value->u.s);
        break;
    }
    jg_pb_end(out, mark, 4);
}

static void write_span(jg_buf *out, const jaeger_span *span, const jg_attr_list *attrs)
{
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    for (jg_pb_field field; jg_pb_next(&pb, &field);)
        if (field.number != JG_OTLP_SPAN_ATTRIBUTES)
            jg_buf_append(out, field.start, (size_t)(pb.pos - field.start));
    for (size_t i = 0; i < attrs->count; i++) {
        const jaeger_attr *attr = &attrs->items[i];
        if (attr->raw.ptr) {
            jg_pb_write_str(out, JG_OTLP_SPAN_ATTRIBUTES, attr->raw);
            continue;
        }
        size_t mark = jg_pb_begin(out, JG_OTLP_SPAN_ATTRIBUTES, 4);
        jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, attr->key);
        write_value(out, &attr->value);
        jg_pb_end(out, mark, 4);
    }
}

/* ---- spans ---- */

static void read_attrs(const jaeger_span *span, jg_attr_list *attrs)
{
    jaeger_iter it = jaeger_span_attrs(span);
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr);) {
        void *items =
            jg_arena_grow(attrs->arena, attrs->items, attrs->count, &attrs->cap, sizeof *attrs->items);
        if (!items) {
            attrs->failed = true;
            return;
        }
        attrs->items = items;
        attrs->items[attrs->count++] = attr;
    }
}

static bool is_chosen(const attributes *a, const jaeger_span *span)
{
    return (!a->include || jg_choice_takes(a->include, span)) &&
           (!a->exclude || !jg_choice_takes(a->exclude, span));
}

static jaeger_status change_span(const attributes *a, jaeger_batch **batch, size_t index, jaeger_arena *arena,
                                 jg_buf *out, jaeger_call *call)
{
    const jaeger_span *span = &jaeger_batch_spans(*batch)[index];
    jg_attr_list attrs = {.arena = arena};
    read_attrs(span, &attrs);
    jg_actions_run(a->actions, &attrs, call);
    if (attrs.failed)
        return jg_fail_oom(&call->error);
    if (!attrs.changed)
        return JAEGER_OK;
    write_span(out, span, &attrs);
    if (!jg_buf_ok(out))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED,
                       "attributes: a span became larger than %zu bytes", out->max);
    JG_TRY(jaeger_batch_own(batch, &call->error));
    return jaeger_batch_replace_span(*batch, index, out->data, out->len, &call->error);
}

static jaeger_status attributes_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    attributes *a = self;
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
                                                  .doc = "only these spans"},
                                                 {.name = "exclude",
                                                  .kind = JAEGER_FIELD_OPTIONAL_N,
                                                  AT(exclude),
                                                  .sub = jg_choice_fields,
                                                  .sub_size = sizeof(jg_choice_config),
                                                  .doc = "not these spans"},
                                                 {0}};

const jaeger_component_type jg_processor_attributes = {
    .size = sizeof(jaeger_component_type),
    .name = "attributes",
    .doc = "changes span attributes",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES,
    .gives = JAEGER_TRACES,
    .fields = attributes_fields,
    .config_size = sizeof(attributes_config),
    .state_size = sizeof(attributes),
    .validate = attributes_validate,
    .create = attributes_create,
    .consume = attributes_consume,
    .prompt = attributes_prompt,
    .destroy = attributes_destroy,
};
