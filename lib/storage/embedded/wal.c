/* SPDX-License-Identifier: Apache-2.0
 * See wal.h.
 */
#include "storage/embedded/wal.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/pb.h"
#include "model/otlp_fields.h"
#include "storage/embedded/io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void jg_wal_path(const char *dir, uint32_t number, char *out, size_t room)
{
    (void)snprintf(out, room, "%s/wal-%u", dir, number);
}

int jg_wal_open(const char *dir, uint32_t number, jg_wal_file **ret)
{
    char path[4200];
    jg_wal_path(dir, number, path, sizeof path);
    jg_wal_file *file = jg_calloc(1, sizeof *file);
    if (!file)
        return ENOMEM;
    file->fd = -1;
    file->number = number;
    int error = jg_io_open(path, O_RDWR | O_CREAT, &file->fd);
    if (!error)
        error = jg_io_size(path, &file->allocated);
    if (!error)
        error = jg_io_map(file->fd, JG_WAL_FILE_BYTES_MAX, &file->map);
    if (error) {
        jg_wal_close(file);
        return error;
    }
    file->allocated = JG_MIN(file->allocated, JG_WAL_FILE_BYTES_MAX);
    *ret = file;
    return 0;
}

void jg_wal_close(jg_wal_file *file)
{
    if (!file)
        return;
    if (file->map)
        (void)munmap((void *)(uintptr_t)file->map, JG_WAL_FILE_BYTES_MAX);
    if (file->fd >= 0)
        (void)close(file->fd);
    jg_free(file);
}

/** The spans of the written message, in order: where their bodies begin. */
static size_t find_spans(const uint8_t *frame, size_t payload_len, uint32_t *offsets, size_t cap)
{
    size_t n = 0;
    jg_pb request = jg_pb_of(frame + sizeof(jg_wal_header), payload_len);
    jg_pb_field f, g, h;
    while (jg_pb_next(&request, &f)) {
        jg_pb resource_spans = jg_pb_of(f.ptr, f.len);
        while (jg_pb_next(&resource_spans, &g)) {
            if (g.number != JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS)
                continue;
            jg_pb scope_spans = jg_pb_of(g.ptr, g.len);
            while (jg_pb_next(&scope_spans, &h))
                if (h.number == JG_OTLP_SCOPE_SPANS_SPANS && n < cap)
                    offsets[n++] = (uint32_t)(h.ptr - frame);
        }
    }
    return n;
}

jaeger_status jg_wal_frame_make(jg_wal_frame *frame, const jaeger_batch *batch, uint64_t arrival_unix_ns,
                                jaeger_error *err)
{
    size_t spans = jaeger_batch_span_count(batch), len = jaeger_batch_otlp_size(batch);
    size_t total = (size_t)jg_wal_frame_size((uint32_t)JG_MIN(len, JG_WAL_FILE_BYTES_MAX));
    if (total > JG_WAL_FRAME_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "request of %zu bytes is larger than the store takes (%u)", len,
                       JG_WAL_FRAME_BYTES_MAX);
    jg_buf_clear(&frame->bytes);
    frame->bytes.max = JG_WAL_FRAME_BYTES_MAX;
    if (!jg_buf_reserve(&frame->bytes, total))
        return jg_fail_oom(err);
    if (spans > frame->offset_cap) {
        uint32_t *offsets = jg_realloc(frame->offsets, spans * sizeof *offsets);
        if (!offsets)
            return jg_fail_oom(err);
        frame->offsets = offsets;
        frame->offset_cap = spans;
    }
    uint8_t *bytes = frame->bytes.data;
    jg_wal_header header = {.magic = JG_WAL_MAGIC,
                            .len = (uint32_t)len,
                            .arrival_unix_ns = arrival_unix_ns,
                            .span_count = (uint32_t)spans};
    memset(bytes + total - 8, 0, 8);
    jaeger_batch_write_otlp(batch, bytes + sizeof header);
    header.payload_hash = jg_hash(bytes + sizeof header, len, 0);
    memcpy(bytes, &header, sizeof header);
    frame->bytes.len = total;
    if (find_spans(bytes, len, frame->offsets, spans) != spans)
        return jg_fail(err, JAEGER_INTERNAL,
                       "embedded store: batch was written with other spans than it has");
    return JAEGER_OK;
}

static uint64_t hash_header(const jg_wal_header *header, uint64_t offset)
{
    return jg_hash(header, offsetof(jg_wal_header, header_hash), offset);
}

void jg_wal_frame_seal(jg_wal_frame *frame, uint64_t gen, uint64_t offset, size_t span_count)
{
    jg_wal_header header;
    memcpy(&header, frame->bytes.data, sizeof header);
    header.gen = gen;
    header.header_hash = hash_header(&header, offset);
    memcpy(frame->bytes.data, &header, sizeof header);
    for (size_t i = 0; i < span_count; i++)
        frame->offsets[i] += (uint32_t)offset;
}

void jg_wal_frame_done(jg_wal_frame *frame)
{
    jg_buf_done(&frame->bytes);
    jg_free(frame->offsets);
    *frame = (jg_wal_frame){0};
}

bool jg_wal_frame_read(const uint8_t *file, size_t file_len, uint64_t offset, uint64_t gen,
                       jg_wal_header *ret, const uint8_t **ret_payload)
{
    jg_wal_header header;
    if (offset > file_len || file_len - offset < sizeof header)
        return false;
    memcpy(&header, file + offset, sizeof header);
    if (header.magic != JG_WAL_MAGIC || (gen && header.gen != gen) || header.len > JG_WAL_FRAME_BYTES_MAX ||
        header.header_hash != hash_header(&header, offset) ||
        jg_wal_frame_size(header.len) > file_len - offset)
        return false;
    const uint8_t *payload = file + offset + sizeof header;
    if (jg_hash(payload, header.len, 0) != header.payload_hash)
        return false;
    *ret = header;
    *ret_payload = payload;
    return true;
}
