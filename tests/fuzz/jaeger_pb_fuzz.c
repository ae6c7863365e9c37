/* SPDX-License-Identifier: Apache-2.0
 * api_v2 requests: what was read is written, read again and then written the same. (From the second time on:
 * the first writing adds the tags of statuses that were found in other tags.)
 */
#include "core/str.h"
#include "model/batch.h"
#include "wire/jaeger_model_json.h"
#include "wire/jaeger_pb.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rewrite(jaeger_str post, jg_buf *out)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    if (jg_jaeger_pb_post_to_batch(post, &batch, NULL) != JAEGER_OK)
        abort();
    (void)jg_jaeger_pb_write_post(out, batch, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL, *one = NULL;
    if (jg_jaeger_pb_span_to_batch((jaeger_str){(const char *)data, size}, &one, NULL) == JAEGER_OK &&
        jaeger_batch_span_count(one) > 1)
        abort();
    if (jg_jaeger_pb_post_to_batch((jaeger_str){(const char *)data, size}, &batch, NULL) != JAEGER_OK)
        return 0;
    for (size_t from = 0; from < jaeger_batch_span_count(batch);) {
        JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 24), second = JG_BUF_INIT(1 << 24),
                           third = JG_BUF_INIT(1 << 24);
        from = jg_jaeger_pb_write_post(&first, batch, from);
        rewrite(jg_buf_view(&first), &second);
        rewrite(jg_buf_view(&second), &third);
        if (!jg_str_eq(jg_buf_view(&second), jg_buf_view(&third)))
            abort();
    }
    return 0;
}
