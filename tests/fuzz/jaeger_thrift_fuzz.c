/* SPDX-License-Identifier: Apache-2.0
 * Both protocols, bare and in a packet, on the same bytes; and skipping over them.
 */
#include "model/batch.h"
#include "wire/jaeger_thrift.h"
#include <stdlib.h>

enum { WRITTEN_BYTES_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What was read can be written, and read again with as many spans. */
static void write_and_read(jg_thrift_protocol protocol, const jaeger_batch *batch)
{
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(WRITTEN_BYTES_MAX);
    JG_AUTO_BATCH jaeger_batch *again = NULL;
    jg_thrift_out out = {&buf, protocol};
    size_t spans = jaeger_batch_span_count(batch);
    if (spans == 0 || jg_jaeger_thrift_write(&out, batch, 0) != spans || !jg_buf_ok(&buf))
        return;
    if (jg_jaeger_thrift_to_batch(protocol, jg_buf_view(&buf), &again, NULL) != JAEGER_OK ||
        jaeger_batch_span_count(again) != spans)
        abort();
}

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
        if (status == JAEGER_OK)
            write_and_read((jg_thrift_protocol)p, batch);
        if (status != JAEGER_OK && status != JAEGER_INVALID_ARGUMENT && status != JAEGER_RESOURCE_EXHAUSTED)
            abort();
        if ((jg_jaeger_thrift_packet((jg_thrift_protocol)p, bytes, &packet, NULL) == JAEGER_OK) !=
            (packet != NULL))
            abort();
    }
    return 0;
}
