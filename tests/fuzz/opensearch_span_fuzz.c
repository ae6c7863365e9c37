/* SPDX-License-Identifier: Apache-2.0
 * Documents of spans: any text is read or refused; what is read is written, and read again as the same span.
 */
#include "storage/opensearch/span_read.h"
#include "storage/opensearch/span_write.h"

#include "model/batch.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_batch *read_one(jaeger_str json)
{
    jg_os_span_reader r;
    jaeger_batch *batch = NULL;
    jg_json_in in = jg_json_in_of(json);
    jg_os_span_reader_init(&r, JAEGER_STR("@"));
    if (!jg_os_read_span(&r, &in) || jg_os_span_reader_take(&r, &batch, NULL) != JAEGER_OK)
        batch = NULL;
    jg_os_span_reader_done(&r);
    return batch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JG_AUTO_BATCH jaeger_batch *batch = read_one((jaeger_str){(const char *)data, size});
    if (!batch)
        return 0;
    jg_os_tag_choice choice;
    const jg_os_tags_config config = {.all = size % 2, .dot_replacement = JAEGER_STR("@")};
    if (jg_os_tag_choice_init(&choice, &config, NULL) != JAEGER_OK)
        return 0;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(64u << 20);
    jg_os_span_writer *w = jg_os_span_writer_new(&choice);
    if (w)
        jg_os_put_span(w, &out, jaeger_batch_spans(batch));
    if (w && jg_buf_ok(&out)) {
        JG_AUTO_BATCH jaeger_batch *again = read_one(jg_buf_view(&out));
        if (!again || jaeger_batch_spans(again)->start_unix_ns != jaeger_batch_spans(batch)->start_unix_ns)
            abort();
    }
    jg_os_span_writer_free(w);
    jg_os_tag_choice_done(&choice);
    return 0;
}
