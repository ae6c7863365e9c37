/* SPDX-License-Identifier: Apache-2.0
 * Reading a segment file: any bytes, with all hashes made valid if the first byte says so, so that damage
 * reaches the decoders. Every span is put together and some searches run.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/hash.h"
#include "core/str.h"
#include "storage/embedded/segment_reader.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Give header, table, sections and blocks the hashes of what is there. */
static void forge(uint8_t *file, size_t len)
{
    jg_seg_header h;
    if (len < sizeof h)
        return;
    memcpy(&h, file, sizeof h);
    h.magic = JG_SEG_MAGIC;
    h.version = JG_SEG_VERSION;
    h.file_bytes = len;
    h.incompatible = 0;
    if (h.section_count > (len - sizeof h) / sizeof(jg_seg_section))
        h.section_count = JG_SEC_END - 1;
    jg_seg_section s, blocks = {0}, packed = {0};
    uint8_t *table = file + sizeof h;
    for (uint32_t i = 0; i < h.section_count && (i + 1) * sizeof s <= len - sizeof h; i++) {
        memcpy(&s, table + i * sizeof s, sizeof s);
        if (s.off > len || s.len > len - s.off)
            continue;
        blocks = s.id == JG_SEC_BLOCKS ? s : blocks;
        packed = s.id == JG_SEC_DATA ? s : packed;
    }
    for (uint64_t i = 0; i < blocks.len / sizeof(jg_seg_block); i++) {
        jg_seg_block b;
        memcpy(&b, file + blocks.off + i * sizeof b, sizeof b);
        if (b.off <= packed.len && b.bytes <= packed.len - b.off)
            b.hash = jg_hash(file + packed.off + b.off, b.bytes, 0);
        memcpy(file + blocks.off + i * sizeof b, &b, sizeof b);
    }
    for (uint32_t i = 0; i < h.section_count && (i + 1) * sizeof s <= len - sizeof h; i++) {
        memcpy(&s, table + i * sizeof s, sizeof s);
        if (s.off <= len && s.len <= len - s.off)
            s.hash = jg_hash(file + s.off, s.len, 0);
        memcpy(table + i * sizeof s, &s, sizeof s);
    }
    if (h.section_count * sizeof s <= len - sizeof h)
        h.table_hash = jg_hash(table, h.section_count * sizeof s, 0);
    h.header_hash = jg_hash(&h, offsetof(jg_seg_header, header_hash), 0);
    memcpy(file, &h, sizeof h);
}

static void search(jg_seg_view *view)
{
    static const char *const pairs[][2] = {
        {"http.method", "GET"},  {"k1", "v1"},         {"k2", "3"}, {"error", "true"}, {"resource.k1", "v1"},
        {"span.kind", "server"}, {"scope.name", "lib"}};
    static const char *const filters[] = {"k1 >= 3 or k2 =~ \"v\"",
                                          "resource.k1 exists and duration > 1ms or k1 = v1",
                                          "(status = error or http.status_code >= 500) and name =~ \"G\""};
    jg_seg_reader *reader = jg_seg_reader_new();
    for (size_t i = 0; reader && i <= JG_COUNT(pairs) + JG_COUNT(filters); i++) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        jaeger_call call = JAEGER_CALL_INIT;
        jg_match match;
        jg_hits hits;
        bool plain = i >= JG_COUNT(pairs);
        jaeger_attr attr = {.key = jg_str(plain ? "" : pairs[i][0]),
                            .value = {.type = JAEGER_VALUE_STRING, .u.s = jg_str(plain ? "" : pairs[i][1])}};
        jaeger_trace_query query = {.size = sizeof query, .attrs = &attr, .attr_count = !plain};
        query.service = i == JG_COUNT(pairs) ? JAEGER_STR("web") : (jaeger_str){0};
        query.duration_min_ns = i == JG_COUNT(pairs) ? 1000 : 0;
        if (i > JG_COUNT(pairs) && (!arena || jaeger_filter_parse(jg_str(filters[i - JG_COUNT(pairs) - 1]),
                                                                  arena, &query.filter, NULL) != JAEGER_OK))
            continue;
        if (arena && jg_match_compile(&match, &query, arena, NULL) == JAEGER_OK &&
            jg_hits_init(&hits, arena, 5))
            (void)!jg_seg_search(reader, view, &match, &hits, &call);
    }
    jg_seg_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jg_seg_view view;
    uint64_t spans = 0;
    if (size < 1 || size > 1 << 20)
        return 0;
    JG_AUTO_FREE uint8_t *file = jg_alloc(size);
    if (!file)
        return 0;
    memcpy(file, data + 1, size - 1);
    if (data[0] & 1)
        forge(file, size - 1);
    (void)jg_segment_verify(file, size - 1, &spans);
    if (!jg_seg_view_open(&view, file, size - 1) && jg_seg_view_check(&view, JG_SEC_ALL, NULL))
        search(&view);
    return 0;
}
