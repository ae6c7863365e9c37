/* SPDX-License-Identifier: Apache-2.0
 * The connector that hands batches from one pipeline to another of the same signal, unchanged.
 */
#include <jaeger/component.h>

typedef struct forward {
    jaeger_consumer next;
    bool (*next_defers)(void *self);
} forward;

static jaeger_status forward_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(forward *)self = (forward){.next = in->next, .next_defers = in->next_defers};
    return JAEGER_OK;
}

static jaeger_status forward_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    const forward *f = self;
    return f->next.consume(f->next.self, take, call);
}

static bool forward_prompt(void *self)
{
    return jaeger_consumer_is_prompt(&((forward *)self)->next);
}

static bool forward_defers(void *self)
{
    const forward *f = self;
    return f->next_defers && f->next_defers(f->next.self);
}

const jaeger_component_type jg_connector_forward = {
    .size = sizeof(jaeger_component_type),
    .name = "forward",
    .doc = "hands batches to another pipeline",
    .kind = JAEGER_CONNECTOR,
    .takes = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .gives = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .state_size = sizeof(forward),
    .create = forward_create,
    .consume = forward_consume,
    .prompt = forward_prompt,
    .defers = forward_defers,
};
