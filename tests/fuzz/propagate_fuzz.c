/* SPDX-License-Identifier: Apache-2.0
 * Trace context headers: the input is the value of every header.
 */
#include <jaeger/tracer.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_str get(void *self, const char *name)
{
    (void)name;
    return *(jaeger_str *)self;
}

static void set(void *self, const char *name, jaeger_str value)
{
    (void)self, (void)name, (void)value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str value = {(const char *)data, size};
    for (unsigned format = 1; format < JAEGER_PROPAGATE_ALL; format *= 2) {
        jaeger_context context;
        if (jaeger_extract(format, (jaeger_carrier){get, set, &value}, &context))
            jaeger_inject(&context, JAEGER_PROPAGATE_ALL, (jaeger_carrier){get, set, NULL});
    }
    return 0;
}
