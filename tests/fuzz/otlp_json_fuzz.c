/* SPDX-License-Identifier: Apache-2.0
 * OTLP-JSON: what is read must be written, read back and written the same. (Only from the second time on: the
 * first writing repairs bad UTF-8.)
 */
#include "core/str.h"
#include "model/batch.h"
#include "wire/otlp_json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Read `text` and append what the writer makes of it. @return false: not OTLP-JSON */
static bool rewrite(jaeger_str text, jg_buf *out)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jg_json_out json = JG_JSON_OUT_INIT(out);
    if (jg_otlp_json_to_batch(text, &batch, NULL) != JAEGER_OK)
        return false;
    jg_otlp_json_write(&json, batch);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 24), second = JG_BUF_INIT(1 << 24),
                       third = JG_BUF_INIT(1 << 24);
    jaeger_batch *metrics = NULL; /* what is read must be what the checks of metrics allow */
    if (jg_otlp_json_to_metrics((jaeger_str){(const char *)data, size}, &metrics, NULL) == JAEGER_OK)
        jaeger_batch_unref(metrics);
    if (!rewrite((jaeger_str){(const char *)data, size}, &first))
        return 0;
    if (!rewrite(jg_buf_view(&first), &second) || !rewrite(jg_buf_view(&second), &third))
        abort();
    if (!jg_str_eq(jg_buf_view(&second), jg_buf_view(&third)))
        abort();
    return 0;
}
