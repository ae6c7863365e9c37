/* SPDX-License-Identifier: Apache-2.0
 * Replay of a log file: frames with any bytes, valid hashes included (the first byte says whether to make
 * them valid, so that the decoder behind the hash is reached).
 */
#include "core/alloc.h"
#include "core/hash.h"
#include "storage/embedded/wal.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 20)
        return 0;
    JG_AUTO_FREE uint8_t *file = jg_alloc(size + sizeof(jg_wal_header));
    if (!file)
        return 0;
    size_t len = size - 1;
    memcpy(file, data + 1, len);
    if ((data[0] & 1) && len >= sizeof(jg_wal_header)) {
        jg_wal_header header;
        memcpy(&header, file, sizeof header);
        header.magic = JG_WAL_MAGIC;
        header.len = (uint32_t)(len - sizeof header) & ~7u;
        header.payload_hash = jg_hash(file + sizeof header, header.len, 0);
        header.header_hash = jg_hash(&header, offsetof(jg_wal_header, header_hash), 0);
        memcpy(file, &header, sizeof header);
    }
    jg_wal_header header;
    const uint8_t *payload;
    for (uint64_t at = 0; jg_wal_frame_read(file, len, at, 0, &header, &payload);
         at += jg_wal_frame_size(header.len)) {
        jaeger_batch *batch = NULL;
        if (jaeger_batch_from_otlp((void *)(uintptr_t)payload, header.len, NULL, NULL, &batch, NULL) ==
            JAEGER_OK)
            jaeger_batch_unref(batch);
    }
    return 0;
}
