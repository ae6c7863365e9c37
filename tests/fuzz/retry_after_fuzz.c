/* SPDX-License-Identifier: Apache-2.0
 * Retry-After as any server may send it: whatever it says, a wait comes out that is not before its time.
 */
#include "net/http_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str value = {(const char *)data, size};
    uint32_t early = jg_retry_after_ms(value, 0), late = jg_retry_after_ms(value, UINT64_MAX);
    if (late > early) /* a date is nearer later on, seconds are the same */
        abort();
    return 0;
}
