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

/** The same for metrics. */
static bool rewrite_metrics(jaeger_str text, jg_buf *out)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jg_json_out json = JG_JSON_OUT_INIT(out);
    if (jg_otlp_json_to_metrics(text, &batch, NULL) != JAEGER_OK)
        return false;
    jg_otlp_json_write_metrics(&json, batch);
    return true;
}

static void check(jaeger_str text, bool (*rewrite_as)(jaeger_str text, jg_buf *out))
{
    JG_AUTO_BUF jg_buf first = JG_BUF_INIT(1 << 24), second = JG_BUF_INIT(1 << 24),
                       third = JG_BUF_INIT(1 << 24);
    if (!rewrite_as(text, &first))
        return;
    if (!rewrite_as(jg_buf_view(&first), &second) || !rewrite_as(jg_buf_view(&second), &third))
        abort();
    if (!jg_str_eq(jg_buf_view(&second), jg_buf_view(&third)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str text = {(const char *)data, size};
    check(text, rewrite);
    check(text, rewrite_metrics);
    return 0;
}
