/* SPDX-License-Identifier: Apache-2.0
 * The write-ahead log: files of frames, one frame a request, one file a memtable. Files are preallocated and
 * recycled, never cut: a frame carries the file's generation and its own offset in its hash, so what is left
 * from an earlier life is not taken for a frame. Format: docs/storage-format.md.
 */
#ifndef JG_EMBEDDED_WAL_H
#define JG_EMBEDDED_WAL_H

#include "core/buf.h"
#include <jaeger/batch.h>

#define JG_WAL_FILE_BYTES_MAX                                                                                \
    (160u << 20)                           /* mapped at once: the flush limit (96 MiB at most) and a frame   \
                                            */
#define JG_WAL_FRAME_BYTES_MAX (64u << 20) /* one request; receivers stop at 4 to 20 MiB by default */
#define JG_WAL_MAGIC           0x3157474au /* "JGW1" */

typedef struct jg_wal_header {
    uint32_t magic;
    uint32_t len; /* of the payload, an ExportTraceServiceRequest [bytes] */
    uint64_t gen;
    uint64_t arrival_unix_ns;
    uint32_t span_count;
    uint32_t reserved;
    uint64_t payload_hash; /* xxh3 */
    uint64_t header_hash;  /* xxh3 of the fields above, seeded with the offset of the frame in the file */
} jg_wal_header;

typedef struct jg_wal_file {
    struct jg_wal_file *next; /* in the list of spares */
    int fd;
    uint32_t number;
    uint64_t allocated, used; /* [bytes]; allocated: on disk, used: written, frames only */
    bool suspect;             /* a write or sync failed: not to be used on */
    const uint8_t *map;       /* JG_WAL_FILE_BYTES_MAX long; only `allocated` may be read */
} jg_wal_file;

/** @return 0 or errno */
int jg_wal_open(const char *dir, uint32_t number, jg_wal_file **ret);
/** Accepts NULL. */
void jg_wal_close(jg_wal_file *file);
void jg_wal_path(const char *dir, uint32_t number, char *out, size_t room);

/** A request on its way to the log. */
typedef struct jg_wal_frame {
    jg_buf bytes;      /* header, payload, padding to 8 */
    uint32_t *offsets; /* of each Span body, from the frame's start */
    size_t offset_cap;
} jg_wal_frame;

/** Write `batch` as a frame; the header is finished by jg_wal_frame_seal.
 *  @return RESOURCE_EXHAUSTED: out of memory; INVALID_ARGUMENT: larger than a frame may be */
jaeger_status jg_wal_frame_make(jg_wal_frame *frame, const jaeger_batch *batch, uint64_t arrival_unix_ns,
                                jaeger_error *err) JG_MUST_CHECK;
/** The frame's place is known: set generation and hash, and make offsets relative to the file. */
void jg_wal_frame_seal(jg_wal_frame *frame, uint64_t gen, uint64_t offset, size_t span_count);
void jg_wal_frame_done(jg_wal_frame *frame);

/** Read the frame at `offset` of a file's bytes. @return false: no valid frame of generation `gen` there
 *  (0: of any) */
bool jg_wal_frame_read(const uint8_t *file, size_t file_len, uint64_t offset, uint64_t gen,
                       jg_wal_header *ret, const uint8_t **ret_payload);
JG_INLINE uint64_t jg_wal_frame_size(uint32_t payload_len)
{
    return sizeof(jg_wal_header) + (((uint64_t)payload_len + 7) & ~7ull);
}

#endif
