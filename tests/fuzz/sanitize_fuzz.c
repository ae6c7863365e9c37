/* SPDX-License-Identifier: Apache-2.0
 * Any batch can be sanitized, and no span is lost. Twice is enough: a service name that is not UTF-8 becomes
 * bytes, as in Jaeger, and then has the wrong type.
 */
#include "model/sanitize.h"

#include "model/batch.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    if (jaeger_batch_from_otlp((void *)(uintptr_t)data, size, NULL, NULL, &batch, NULL) != JAEGER_OK)
        return 0;
    size_t spans = jaeger_batch_span_count(batch);
    jaeger_status status = jg_sanitize(&batch, NULL);
    if (status == JAEGER_OK)
        status = jg_sanitize(&batch, NULL);
    if (jaeger_batch_span_count(batch) != spans)
        abort();
    if (status != JAEGER_OK)
        return 0;
    JG_AUTO_BATCH jaeger_batch *twice = jaeger_batch_ref(batch); /* shared: a repair would replace it */
    if (jg_sanitize(&batch, NULL) != JAEGER_OK || batch != twice)
        abort();
    return 0;
}
