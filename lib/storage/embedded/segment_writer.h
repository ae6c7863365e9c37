/* SPDX-License-Identifier: Apache-2.0
 * Writing a segment file from a frozen memtable.
 */
#ifndef JG_EMBEDDED_SEGMENT_WRITER_H
#define JG_EMBEDDED_SEGMENT_WRITER_H

#include "storage/embedded/memtable.h"
#include "storage/embedded/segment.h"

/** Twelve bits a trace, in blocks of 64 bytes: is a trace id in the segment? 0.4 % false answers. */
size_t jg_filter_bytes(uint32_t trace_count);
bool jg_filter_has(const uint8_t *filter, size_t bytes, const uint8_t trace_id[16]);

typedef struct jg_seg_written {
    jg_seg_header header;
    uint8_t *filter; /* jg_free */
    size_t filter_bytes;
} jg_seg_written;

/** Write the rows of `mem` to the new file `path` and sync it. A half-written file is removed.
 *  @return RESOURCE_EXHAUSTED: memory; UNAVAILABLE: disk */
jaeger_status jg_segment_write(const jg_mt *mem, const char *path, jg_seg_written *ret,
                               jaeger_error *err) JG_MUST_CHECK;

#endif
