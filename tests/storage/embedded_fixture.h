/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the embedded store share: an open store in a fresh directory, spans in all shapes, and
 * the check that they come back as they were.
 */
#ifndef JG_EMBEDDED_FIXTURE_H
#define JG_EMBEDDED_FIXTURE_H

#include "conform/fixture.h"
#include "storage/embedded/driver.h"

extern const jaeger_storage_driver jg_storage_embedded, jg_storage_badger;

/** An open store in a fresh directory. */
typedef struct opened {
    char dir[64];
    jaeger_config *config;
    jaeger_storage storage;
    jaeger_arena *arena;
    jaeger_call call;
    char log[8192]; /* what it said */
    jaeger_log_sink sink;
    jaeger_logger logger;
    pthread_mutex_t lock;
} opened;

/** Everything that was written, for comparing. */
typedef struct written {
    jaeger_batch *batches[64];
    size_t count;
} written;

/** @param more keys after `directory`, each with a comma before it */
jaeger_status eb_try_open(opened *o, const jaeger_storage_driver *driver, const char *more,
                          jaeger_error *err);
void eb_keep_log(opened *o);
void eb_init(opened *o);
void eb_start(opened *o, const char *more);
void eb_stop(opened *o);
/** Close without a flush: what a killed process leaves. */
void eb_crash(opened *o);
void eb_done(opened *o);
jg_store *eb_store_of(opened *o);
/** Everything is in segments now. */
void eb_flush(opened *o);
void eb_write_take(opened *o, jaeger_batch *take);
uint64_t eb_rnd(uint64_t below);
/** Spans with any mix of fields, one in ten in an order that no encoder uses. Trace ids: 7, 0, ..., 1 to
 * `traces`. */
jaeger_batch *eb_random_batch(size_t spans, uint64_t traces);
void eb_write_random(opened *o, written *w, size_t spans, uint64_t traces);
void eb_written_done(written *w);
/** All spans of all traces, as bytes, are what was written. */
void eb_assert_all_come_back(opened *o, const written *w, uint64_t traces);
/** Any search. `attrs`: room for 4; `texts`: room for 8 */
void eb_random_query(jaeger_trace_query *query, jaeger_attr *attrs, char (*texts)[64]);

#endif
