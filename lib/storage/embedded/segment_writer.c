/* SPDX-License-Identifier: Apache-2.0
 * See segment_writer.h. The steps are in segment_group.c, segment_encode.c and segment_index.c; here the file
 * is put together.
 */
#include "storage/embedded/segment_writer.h"

#include "core/alloc.h"
#include "core/err.h"
#include "storage/embedded/segment_build.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

_Static_assert(sizeof(jg_seg_header) == 120 && sizeof(jg_seg_section) == 32 && sizeof(jg_seg_trace) == 64 &&
                   sizeof(jg_seg_block) == 32 && sizeof(jg_seg_call) == 16 && sizeof(jg_seg_pending) == 32,
               "these structs are the file format");

#define FILTER_BITS_PER_TRACE 12u
#define FILTER_PROBES         6u

size_t jg_filter_bytes(uint32_t trace_count)
{
    return ((size_t)trace_count * FILTER_BITS_PER_TRACE / 512 + 1) * 64;
}

static uint8_t *filter_block(uint8_t *filter, size_t bytes, const uint8_t trace_id[16], uint64_t *ret_hash)
{
    uint64_t hash = jg_hash(trace_id, 16, 0), blocks = bytes / 64;
    *ret_hash = hash * 0x9e3779b97f4a7c15ull;
    return filter + ((hash >> 32) * blocks >> 32) * 64;
}

static void filter_add(uint8_t *filter, size_t bytes, const uint8_t trace_id[16])
{
    uint64_t hash;
    uint8_t *block = filter_block(filter, bytes, trace_id, &hash);
    for (unsigned i = 0; i < FILTER_PROBES; i++, hash >>= 9)
        block[hash >> 3 & 63] |= (uint8_t)(1u << (hash & 7));
}

bool jg_filter_has(const uint8_t *filter, size_t bytes, const uint8_t trace_id[16])
{
    uint64_t hash;
    if (bytes < 64)
        return true; /* no filter: ask the file */
    const uint8_t *block = filter_block((uint8_t *)(uintptr_t)filter, bytes, trace_id, &hash);
    bool all = true;
    for (unsigned i = 0; i < FILTER_PROBES; i++, hash >>= 9)
        all = all && (block[hash >> 3 & 63] >> (hash & 7) & 1);
    return all;
}

static void build_done(jg_seg_build *b)
{
    jg_free(b->traces);
    jg_free(b->order);
    jg_free(b->parents);
    jg_free(b->token_freq);
    jg_free(b->token_dict);
    jg_free(b->tail_dict);
    jg_calls_done(&b->calls);
    for (size_t i = 0; i < JG_COUNT(b->sections); i++)
        jg_buf_done(&b->sections[i]);
}

static bool build(jg_seg_build *b, jg_seg_written *ret)
{
    for (size_t i = 0; i < JG_COUNT(b->sections); i++)
        b->sections[i].max = i == JG_SEC_DATA ? (1ull << 40) : UINT32_MAX / 2; /* references are 31 bits */
    if (!jg_seg_group(b) || !jg_seg_count(b) || !jg_seg_encode(b) || !jg_seg_index(b))
        return false;
    for (size_t i = 0; i < JG_COUNT(b->sections); i++)
        if (!jg_buf_ok(&b->sections[i]))
            return false;
    ret->filter_bytes = jg_filter_bytes(b->trace_count);
    ret->filter = jg_calloc(1, ret->filter_bytes);
    for (uint32_t t = 0; ret->filter && t < b->trace_count; t++)
        filter_add(ret->filter, ret->filter_bytes, b->traces[t].trace_id);
    return ret->filter != NULL;
}

static void fill_header(const jg_seg_build *b, jg_seg_header *header)
{
    const jg_mt *mem = b->mem;
    *header = (jg_seg_header){.magic = JG_SEG_MAGIC,
                              .version = JG_SEG_VERSION,
                              .section_count = JG_SEC_END - 1,
                              .gen = mem->gen,
                              .seed = mem->seed,
                              .span_count = b->row_count,
                              .trace_count = b->trace_count,
                              .min_start = mem->min_start,
                              .max_start = mem->max_start,
                              .max_end = mem->max_end,
                              .max_duration = mem->max_duration,
                              .arrival_min = mem->arrival_min,
                              .arrival_max = mem->arrival_max};
}

/** Lay out the sections; `parts` gets header, table, and each section with its padding. @return parts used */
static size_t assemble(jg_seg_build *b, jg_seg_header *header, jg_seg_section *table, struct iovec *parts)
{
    static uint8_t zeros[8];
    size_t n = 0;
    uint64_t off = sizeof *header + (JG_SEC_END - 1) * sizeof *table;
    parts[n++] = (struct iovec){header, sizeof *header};
    parts[n++] = (struct iovec){table, (JG_SEC_END - 1) * sizeof *table};
    for (uint32_t id = 1; id < JG_SEC_END; id++) {
        const jg_buf *section = &b->sections[id];
        size_t padding = (0 - section->len) & 7;
        table[id - 1] = (jg_seg_section){.id = id, .off = off, .len = section->len};
        if (id != JG_SEC_DATA)
            table[id - 1].hash = jg_hash(section->data ? section->data : zeros, section->len, 0);
        if (section->len)
            parts[n++] = (struct iovec){section->data, section->len};
        if (padding)
            parts[n++] = (struct iovec){zeros, padding};
        off += section->len + padding;
    }
    header->file_bytes = off;
    header->table_hash = jg_hash(table, (JG_SEC_END - 1) * sizeof *table, 0);
    header->header_hash = jg_hash(header, offsetof(jg_seg_header, header_hash), 0);
    return n;
}

static int write_file(const char *path, struct iovec *parts, size_t count)
{
    int fd, error = jg_io_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd);
    if (error)
        return error;
    error = jg_io_write(fd, parts, count, 0);
    if (!error)
        error = jg_io_sync(fd);
    if (close(fd) != 0 && !error)
        error = errno;
    if (error)
        (void)jg_io_unlink(path);
    return error;
}

jaeger_status jg_segment_write(const jg_mt *mem, const char *path, jg_seg_written *ret, jaeger_error *err)
{
    jg_seg_build b = {.mem = mem, .row_count = jg_mt_count(mem)};
    jg_seg_written written = {0};
    jg_seg_section table[JG_SEC_END - 1];
    struct iovec parts[2 + 2 * JG_SEC_END];
    jaeger_status status = JAEGER_OK;
    if (!build(&b, &written)) {
        status = jg_fail_oom(err);
    } else {
        fill_header(&b, &written.header);
        size_t count = assemble(&b, &written.header, table, parts);
        int error = write_file(path, parts, count);
        if (error)
            status = jg_io_fail(err, error, "write segment %s", path);
    }
    build_done(&b);
    if (status == JAEGER_OK)
        *ret = written;
    else
        jg_free(written.filter);
    return status;
}
