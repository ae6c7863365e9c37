/* SPDX-License-Identifier: Apache-2.0
 * Batches of which only the number of spans matters.
 */
#ifndef JG_TEST_SPANS_H
#define JG_TEST_SPANS_H

#include "support/test.h"
#include <jaeger/batch.h>

/** `n` spans of one trace. */
static inline jaeger_batch *spans(size_t n)
{
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    for (size_t i = 0; i < n; i++)
        jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {1}, .span_id = {(uint8_t)(i + 1)}});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

#endif
