/* SPDX-License-Identifier: Apache-2.0
 * All of Zipkin's formats on the same bytes. What a v2 reader takes is written in both formats and read
 * again.
 */
#include "core/str.h"
#include "model/batch.h"
#include "wire/zipkin.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rewrite(const jaeger_batch *batch)
{
    JG_AUTO_BUF jg_buf json = JG_BUF_INIT(1 << 24), pb = JG_BUF_INIT(1 << 24);
    JG_AUTO_BATCH jaeger_batch *from_json = NULL, *from_pb = NULL;
    if (jg_zipkin_json_write(&json, batch, NULL) == JAEGER_OK &&
        jg_zipkin_v2_json_to_batch(jg_buf_view(&json), false, &from_json, NULL) == JAEGER_OK &&
        jaeger_batch_span_count(from_json) != jaeger_batch_span_count(batch))
        abort();
    if (jg_zipkin_pb_write(&pb, batch, NULL) == JAEGER_OK &&
        jg_zipkin_pb_to_batch(jg_buf_view(&pb), false, &from_pb, NULL) == JAEGER_OK &&
        jaeger_batch_span_count(from_pb) != jaeger_batch_span_count(batch))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str bytes = {(const char *)data, size};
    JG_AUTO_BATCH jaeger_batch *json = NULL, *pb = NULL, *v1 = NULL, *thrift = NULL;
    if (jg_zipkin_v2_json_to_batch(bytes, true, &json, NULL) == JAEGER_OK)
        rewrite(json);
    if (jg_zipkin_pb_to_batch(bytes, false, &pb, NULL) == JAEGER_OK)
        rewrite(pb);
    if (jg_zipkin_v1_json_to_batch(bytes, true, &v1, NULL) == JAEGER_OK)
        rewrite(v1);
    if (jg_zipkin_v1_thrift_to_batch(bytes, &thrift, NULL) == JAEGER_OK)
        rewrite(thrift);
    return 0;
}
