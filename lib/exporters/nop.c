/* SPDX-License-Identifier: Apache-2.0
 * The exporter that drops everything: to measure what is before it, and for tests.
 */
#include <jaeger/component.h>

static jaeger_status nop_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self;
    (void)in;
    (void)err;
    return JAEGER_OK;
}

static jaeger_status nop_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    (void)call;
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static bool nop_prompt(void *self)
{
    (void)self;
    return true;
}

const jaeger_component_type jg_exporter_nop = {
    .size = sizeof(jaeger_component_type),
    .name = "nop",
    .doc = "drops everything",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .create = nop_create,
    .consume = nop_consume,
    .prompt = nop_prompt,
};
