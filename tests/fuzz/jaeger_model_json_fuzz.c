/* SPDX-License-Identifier: Apache-2.0
 * One span in gogoproto's JSON: what was read is written, and that can be read.
 */
#include "model/batch.h"
#include "wire/jaeger_model_json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL, *again = NULL;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1 << 24);
    jg_json_out json = JG_JSON_OUT_INIT(&text);
    if (jg_jaeger_model_json_to_batch((jaeger_str){(const char *)data, size}, &batch, NULL) != JAEGER_OK ||
        jaeger_batch_span_count(batch) == 0)
        return 0;
    json.html = true;
    jg_jaeger_model_json_write(&json, jaeger_batch_spans(batch));
    if (jg_jaeger_model_json_to_batch((jaeger_str){(const char *)text.data, text.len}, &again, NULL) !=
        JAEGER_OK)
        abort();
    return 0;
}
