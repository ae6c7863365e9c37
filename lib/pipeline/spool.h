/* SPDX-License-Identifier: Apache-2.0
 * A first-in, first-out list of batches on disk, in one LMDB file: the persistent sending queue.
 *
 * What jg_spool_put accepted is on disk and survives kill -9. Those who wait share one commit. A batch is
 * removed after it was sent, a moment later: a crash in between sends it once more.
 */
#ifndef JG_PIPELINE_SPOOL_H
#define JG_PIPELINE_SPOOL_H

#include "core/attr.h"
#include <jaeger/batch.h>

typedef struct jg_spool jg_spool;

/** Open `directory`/queue.mdb, make it if it is not there. A file that is torn or not ours is set aside under
 * another name, whole batches are taken over from it, and the log says so.
 *  @param bytes_max ceiling of the batches; the file may be a quarter larger, for free pages
 *  @return FAILED_PRECONDITION: another process has it; INVALID_ARGUMENT, UNAVAILABLE: the disk refused */
jaeger_status jg_spool_open(const char *directory, uint64_t bytes_max, const jaeger_logger *log,
                            jg_spool **ret, jaeger_error *err) JG_MUST_CHECK;
/** Puts and takers must have returned. Flushes. Accepts NULL. */
void jg_spool_close(jg_spool *spool);

/** Append; returns when the batch is on disk. Borrows it.
 *  @param waits for room, up to call->deadline_ns, instead of refusing
 *  @return RESOURCE_EXHAUSTED with retry_after_ms: no room, here or on the disk; UNAVAILABLE: stopped;
 *          DEADLINE_EXCEEDED. Threads: any. Blocks. */
jaeger_status jg_spool_put(jg_spool *spool, const jaeger_batch *batch, bool waits,
                           jaeger_call *call) JG_MUST_CHECK;

#define JG_SPOOL_TENANT_MAX 255u /* longer tenants are refused */
typedef struct jg_spool_item {
    uint64_t seq;
    jaeger_batch *batch; /* one reference; its taker's */
    size_t tenant_len;
    char tenant[JG_SPOOL_TENANT_MAX];
} jg_spool_item;

/** The oldest batch that nobody has. @param waits for one to come. @return false: stopped, or there is none
 */
bool jg_spool_take(jg_spool *spool, bool waits, jg_spool_item *ret) JG_MUST_CHECK;
/** It was sent, or cannot be: forget it. Without this it stays for the next process. */
void jg_spool_remove(jg_spool *spool, uint64_t seq);
/** The end, up to closing: takers must have returned. Writes down what was removed. */
void jg_spool_flush(jg_spool *spool);
/** No more puts and takes; who waits returns. */
void jg_spool_stop(jg_spool *spool);

typedef struct jg_spool_size {
    uint64_t batches, spans, bytes;
} jg_spool_size;
/** What is on disk, taken or not. */
jg_spool_size jg_spool_measure(jg_spool *spool);

#endif
