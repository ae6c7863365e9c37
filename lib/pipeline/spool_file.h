/* SPDX-License-Identifier: Apache-2.0
 * The spool's file: environment, records, recovery. One writer thread uses it; readers copy out.
 */
#ifndef JG_PIPELINE_SPOOL_FILE_H
#define JG_PIPELINE_SPOOL_FILE_H

#include "pipeline/spool.h"
#include <lmdb.h>

/** In front of tenant and OTLP bytes. It says enough to be found in a file whose B-tree is lost. */
typedef struct jg_spool_record {
    uint64_t magic;
    uint64_t hash; /* xxh3 of all that follows */
    uint64_t seq;
    uint64_t oldest;             /* the lowest number that was not yet removed when this was written */
    uint32_t spans;              /* or data points */
    uint16_t tenant_len, signal; /* 0: traces */
    uint64_t otlp_len;
} jg_spool_record;
#define JG_SPOOL_MAGIC 0x31717367656a0a0dull

typedef struct jg_spool_file {
    MDB_env *env;
    MDB_dbi items; /* integer keys: sequence numbers */
    int lock_fd;
    char *path, *lock_path;
    uint64_t map_bytes;
    const jaeger_logger *log;
    uint64_t first_seq, next_seq; /* found at open */
    jg_spool_size size;
} jg_spool_file;

jaeger_status jg_spool_file_open(jg_spool_file *file, const char *directory, uint64_t bytes_max,
                                 const jaeger_logger *log, jaeger_error *err) JG_MUST_CHECK;
/** Accepts a zeroed one with lock_fd -1, and half-made ones. */
void jg_spool_file_close(jg_spool_file *file);

/** After a commit: pages that LMDB took and gave back in one transaction may never have been written; make
 * the file as long as its head says, so that a short file is a torn one. */
void jg_spool_file_fill(const jg_spool_file *file);

/** Memory of the map that a record takes, about. */
uint64_t jg_spool_record_cost(size_t value_bytes);
/** Is it a record, with the length that it says? Reads the rest only if `deep`: then its hash must be right.
 */
bool jg_spool_record_is_whole(const void *bytes, size_t len, bool deep);
/** Write the rest of a record whose tenant and OTLP bytes are in place. */
void jg_spool_record_seal(void *bytes, jg_spool_record record);

/** Find whole records in the bytes of a file that cannot be opened any more, and put those that were not yet
 * removed into `file`. */
void jg_spool_rescue(jg_spool_file *file, const char *bad_path);

#endif
