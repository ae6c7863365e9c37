/* SPDX-License-Identifier: Apache-2.0
 * Both protocols, bare and in a packet, on the same bytes; and skipping over them.
 */
#include "model/batch.h"
#include "wire/jaeger_thrift.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str bytes = {(const char *)data, size};
    jg_thrift_field all = {.type = JG_THRIFT_STRUCT};
    for (int p = JG_THRIFT_BINARY; p <= JG_THRIFT_COMPACT; p++) {
        JG_AUTO_BATCH jaeger_batch *batch = NULL, *packet = NULL;
        jg_thrift in = jg_thrift_of((jg_thrift_protocol)p, data, size);
        bool skipped = jg_thrift_skip(&in, &all);
        jaeger_status status = jg_jaeger_thrift_to_batch((jg_thrift_protocol)p, bytes, &batch, NULL);
        if (status == JAEGER_OK && !skipped)
            abort(); /* what was read can be skipped */
        if (status != JAEGER_OK && status != JAEGER_INVALID_ARGUMENT && status != JAEGER_RESOURCE_EXHAUSTED)
            abort();
        if ((jg_jaeger_thrift_packet((jg_thrift_protocol)p, bytes, &packet, NULL) == JAEGER_OK) !=
            (packet != NULL))
            abort();
    }
    return 0;
}
