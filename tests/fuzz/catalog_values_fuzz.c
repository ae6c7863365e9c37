/* SPDX-License-Identifier: Apache-2.0
 * Values of the catalog: the entry of a segment and the calls between services. The first byte chooses.
 */
#include "core/alloc.h"
#include "core/hash.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_meta(uint8_t *value, size_t len)
{
    jg_seg_meta meta;
    jaeger_str filter;
    static const uint8_t id[16] = {1, 2, 3};
    if (len >= 8) { /* make the hash valid */
        uint64_t hash = jg_hash(value, len - 8, 0);
        memcpy(value + len - 8, &hash, 8);
    }
    if (jg_seg_meta_read((jaeger_str){(const char *)value, len}, &meta, &filter))
        (void)jg_filter_has((const uint8_t *)filter.ptr, filter.len, id);
}

static void read_calls(const uint8_t *value, size_t len)
{
    uint32_t count;
    const char *calls, *table;
    jaeger_str all = {(const char *)value, len}, name;
    if (!jg_calls_split(all, &count, &calls, &table))
        return;
    jg_seg_view names = {0};
    names.sections[JG_SEC_SERVICES] = (jg_bytes){(const uint8_t *)table, (size_t)(all.ptr + all.len - table)};
    for (uint32_t i = 0; i < count; i++) {
        jg_seg_call call;
        memcpy(&call, calls + (size_t)i * sizeof call, sizeof call);
        if (jg_seg_string(&names, JG_SEC_SERVICES, call.parent, &name) && name.len)
            (void)!jg_hash(name.ptr, name.len, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 20)
        return 0;
    JG_AUTO_FREE uint8_t *value = jg_alloc(size);
    if (!value)
        return 0;
    memcpy(value, data + 1, size - 1);
    if (data[0] & 1)
        read_meta(value, size - 1);
    else
        read_calls(value, size - 1);
    return 0;
}
