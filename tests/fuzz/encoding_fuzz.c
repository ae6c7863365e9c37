/* SPDX-License-Identifier: Apache-2.0
 * First byte: the coding. The rest is decoded with a small ceiling; what decodes is encoded and decoded
 * again.
 */
#include "core/str.h"
#include "net/encoding.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed",
                                          "lz4",  "",     "x"};
    if (!size)
        return 0;
    jaeger_str name = jg_str(codings[data[0] % 9]);
    jaeger_str in = {(const char *)data + 1, size - 1};
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(100000);
    jaeger_error err = {0};
    if (jg_decode(name, in, &out, &err) != JAEGER_OK)
        return 0;
    for (int level = 0; level < 2; level++) {
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1u << 20), back JG_AUTO_BUF = JG_BUF_INIT(100000);
        if (jg_encode(name, level, jg_buf_view(&out), &packed, &err) != JAEGER_OK ||
            jg_decode(name, jg_buf_view(&packed), &back, &err) != JAEGER_OK ||
            !jg_str_eq(jg_buf_view(&out), jg_buf_view(&back)))
            abort();
    }
    return 0;
}
