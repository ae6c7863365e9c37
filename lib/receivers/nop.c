/* SPDX-License-Identifier: Apache-2.0
 * The receiver that receives nothing: for pipelines that are fed through jaeger_service_consume(), and for
 * tests.
 */
#include <jaeger/component.h>

static jaeger_status nop_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)self;
    (void)in;
    (void)err;
    return JAEGER_OK;
}

const jaeger_component_type jg_receiver_nop = {
    .size = sizeof(jaeger_component_type),
    .name = "nop",
    .doc = "receives nothing",
    .kind = JAEGER_RECEIVER,
    .gives = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .create = nop_create,
};
