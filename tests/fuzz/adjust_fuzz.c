/* SPDX-License-Identifier: Apache-2.0
 * Adjusters and the legacy JSON writer over any OTLP message: the adjusted batch is valid OTLP, adjusting it
 * twice changes no more spans than warnings do, and what the check lets pass can be written.
 */
#include "core/alloc.h"
#include "model/batch.h"
#include "query/adjust.h"
#include "wire/jaeger_json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_status drop(void *self, jg_buf *buf)
{
    (void)self;
    jg_buf_clear(buf);
    return JAEGER_OK;
}

static void check_round_trip(const jaeger_batch *batch)
{
    size_t len = jaeger_batch_otlp_size(batch);
    JG_AUTO_FREE uint8_t *bytes = jg_alloc(len + 1);
    jaeger_batch *again;
    if (!bytes)
        return;
    jaeger_batch_write_otlp(batch, bytes);
    if (jaeger_batch_from_otlp(bytes, len, NULL, NULL, &again, NULL) != JAEGER_OK ||
        jaeger_batch_span_count(again) != jaeger_batch_span_count(batch))
        abort();
    jaeger_batch_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_batch *batch;
    if (jaeger_batch_from_otlp((void *)(uintptr_t)data, size, NULL, NULL, &batch, NULL) != JAEGER_OK)
        return 0;
    size_t before = jaeger_batch_span_count(batch);
    if (jg_adjust(&batch, size % 2 ? 0 : 1000000000, NULL) != JAEGER_OK ||
        jaeger_batch_span_count(batch) > before)
        abort();
    check_round_trip(batch);
    jg_buf buf = JG_BUF_INIT(64 << 20);
    jg_json_out json = {.buf = &buf, .html = true};
    jg_json_flush flush = {drop, NULL, 1024};
    jg_jaeger_json *writer = jg_jaeger_json_new(&json, flush);
    jg_json_array(&json);
    if (writer && jg_jaeger_json_check_trace(batch, NULL) == JAEGER_OK &&
        (jg_jaeger_json_add(writer, batch, NULL) != JAEGER_OK ||
         jg_jaeger_json_end(writer, NULL) != JAEGER_OK))
        abort();
    jg_jaeger_json_free(writer);
    jg_buf_done(&buf);
    jaeger_batch_unref(batch);
    return 0;
}
