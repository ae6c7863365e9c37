/* SPDX-License-Identifier: Apache-2.0
 * Counts root spans for adaptive sampling and passes all on. A root has no parent, and its client says in
 * sampler.type and sampler.param why it was sampled. Spec: jaeger
 * cmd/jaeger/internal/processors/adaptivesampling.
 */
#include "core/err.h"
#include "core/str.h"
#include "sampling/adaptive.h"
#include <jaeger/component.h>

typedef struct adaptive {
    jaeger_consumer next;
    bool (*next_defers)(void *self);
    jaeger_host *host;
    jg_adaptive *engine;
} adaptive;

typedef struct sampler {
    bool known, counts; /* counts: sampled by probability */
    double param;
} sampler;

/** @return false: no such kind of sampler */
static bool read_type(const jaeger_value *value, bool *ret_counts)
{
    static const char *const others[] = {"lowerbound", "ratelimiting", "const"};
    if (value->type != JAEGER_VALUE_STRING)
        return false;
    *ret_counts = jg_str_is(value->u.s, "probabilistic");
    bool known = *ret_counts;
    for (size_t i = 0; i < JG_COUNT(others); i++)
        known |= jg_str_is(value->u.s, others[i]);
    return known;
}

static bool read_param(const jaeger_value *value, double *ret)
{
    switch (value->type) {
    case JAEGER_VALUE_DOUBLE:
        *ret = value->u.d;
        return true;
    case JAEGER_VALUE_INT:
        *ret = (double)value->u.i;
        return true;
    case JAEGER_VALUE_STRING:
        return jg_str_to_double(value->u.s, ret);
    default:
        return false;
    }
}

static sampler sampler_of(const jaeger_span *span)
{
    sampler s = {0};
    bool has_type = false, has_param = false, type_ok = false, param_ok = false;
    jaeger_iter attrs = jaeger_span_attrs(span);
    for (jaeger_attr attr; !(has_type && has_param) && jaeger_next_attr(&attrs, &attr);) {
        if (!has_type && jg_str_is(attr.key, "sampler.type")) {
            has_type = true;
            type_ok = read_type(&attr.value, &s.counts);
        } else if (!has_param && jg_str_is(attr.key, "sampler.param")) {
            has_param = true;
            param_ok = read_param(&attr.value, &s.param);
        }
    }
    s.known = type_ok && param_ok;
    return s;
}

static jaeger_status consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    adaptive *a = self;
    const jaeger_span *spans = jaeger_batch_spans(take);
    size_t n = jaeger_batch_span_count(take);
    for (size_t i = 0; i < n; i++) {
        const jaeger_span *span = &spans[i];
        if (!jg_id_is_zero(span->parent_span_id, 8) || !span->name.len || !span->group->service.len)
            continue;
        sampler s = sampler_of(span);
        if (s.known)
            jg_adaptive_record(a->engine, span->group->service, span->name, s.counts, s.param);
    }
    return a->next.consume(a->next.self, take, call);
}

static bool prompt(void *self)
{
    return jaeger_consumer_is_prompt(&((adaptive *)self)->next);
}

static bool defers(void *self)
{
    const adaptive *s = self;
    return s->next_defers && s->next_defers(s->next.self);
}

static jaeger_status create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(adaptive *)self = (adaptive){.next = in->next, .next_defers = in->next_defers, .host = in->host};
    return JAEGER_OK;
}

static jaeger_status start(void *self, jaeger_error *err)
{
    adaptive *a = self;
    void *extension = NULL;
    /* the table of this interface is the engine itself; the provider's is there in any case */
    const void *engine = jaeger_host_extension(a->host, "remote_sampling", JG_ADAPTIVE_INTERFACE, &extension);
    a->engine = (jg_adaptive *)(uintptr_t)engine;
    if (engine)
        return JAEGER_OK;
    bool there = jaeger_host_extension(a->host, "remote_sampling", JAEGER_SAMPLING_INTERFACE, &extension);
    return jg_fail(
        err, JAEGER_FAILED_PRECONDITION,
        "cannot load adaptive sampling components from `remote_sampling` extension: %s",
        there ? "extension 'remote_sampling' is not configured for adaptive sampling"
              : "cannot find extension 'remote_sampling' (make sure it's defined earlier in the config)");
}

static const jaeger_field fields[] = {{.kind = JAEGER_FIELD_END}};

static const char *const depends[] = {"remote_sampling", NULL};

const jaeger_component_type jg_processor_adaptive_sampling = {
    .size = sizeof(jaeger_component_type),
    .name = "adaptive_sampling",
    .doc = "counts root spans for adaptive sampling",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES,
    .gives = JAEGER_TRACES,
    .fields = fields,
    .config_size = 1,
    .state_size = sizeof(adaptive),
    .depends = depends,
    .create = create,
    .start = start,
    .consume = consume,
    .prompt = prompt,
    .defers = defers,
};
