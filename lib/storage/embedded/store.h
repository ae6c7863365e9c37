/* SPDX-License-Identifier: Apache-2.0
 * The store of one tenant: a log, memtables, segments and a catalog in one directory.
 *
 * commit.c    write: group commit to the log, then the memtable
 * snapshot.c  what readers see: refcounted lists of segments and memtables
 * recover.c   opening a directory: catalog, segments, replay of the log
 * follow.c    the same for a store that another process writes
 * flush.c     frozen memtables become segments
 * retention.c old segments go, by age and by disk budget
 * rank.c, splits.c  traces by duration, spans or errors
 * read.c      traces, searches, summaries;  names.c services and operations;  deps.c dependencies
 * sampling.c  the sampling store
 *
 * Locks, in the order they are taken: commit_lock, then lock. Neither is held over I/O, except that the
 * catalog is written by one thread at a time (the background thread, or a sampling call).
 */
#ifndef JG_EMBEDDED_STORE_H
#define JG_EMBEDDED_STORE_H

#include "core/map.h"
#include "core/metrics.h"
#include "storage/embedded/catalog.h"
#include "storage/embedded/memtable.h"
#include "storage/embedded/segment_reader.h"
#include <pthread.h>

typedef enum jg_durability { JG_DURABLE_SYNC, JG_DURABLE_INTERVAL, JG_DURABLE_NONE } jg_durability;

typedef struct jg_store_options {
    uint64_t ttl_ns;         /* 0: keep for ever */
    uint64_t max_disk_bytes; /* 0: no budget */
    uint64_t reserve_bytes;  /* stop writing when the file system has less left */
    uint32_t flush_rows;
    uint64_t flush_bytes;  /* of the log */
    uint64_t flush_memory; /* of the memtable */
    uint64_t flush_age_ns;
    uint32_t frozen_max; /* memtables that wait for the flusher */
    jg_durability durability;
} jg_store_options;

/** A segment that is part of the store. */
typedef struct jg_seg {
    int refs;
    int state;   /* atomic: 0 not mapped, 1 ready, 2 refused */
    bool doomed; /* atomic: unlink at the last unref */
    jg_seg_meta meta;
    uint8_t *filter;
    size_t filter_bytes;
    const uint8_t *map;
    jg_seg_view view;
    char path[]; /* of the file */
} jg_seg;

/** What a reader sees; immutable. */
typedef struct jg_snapshot {
    int refs;
    uint32_t seg_count, mem_count;
    jg_seg **segs; /* newest max_start first */
    jg_mt **mems;  /* newest first; the first may still grow */
} jg_snapshot;

typedef struct jg_write jg_write;
typedef struct jg_names jg_names;
typedef struct jg_deps jg_deps;
typedef struct jg_splits jg_splits;

typedef struct jg_store {
    jg_store_options options;
    char *dir, *wal_dir, *seg_dir;
    uint64_t disk_budget; /* this tenant's share of max_disk_bytes; atomic; 0: none */
    jaeger_logger log;
    void (*wake)(void *user); /* tell the background thread that there is work */
    void *wake_user;
    jg_catalog *catalog;
    uint64_t seed;
    uint64_t open_unix_ns, open_mono_ns; /* see jg_store_now */

    pthread_mutex_t commit_lock; /* the queue of writes */
    jg_write *queue_head, **queue_tail;
    bool committing; /* a leader is at work; it alone touches the active memtable's writing side */

    pthread_mutex_t lock;       /* everything from here to `frames` */
    pthread_cond_t frozen_cond; /* a frozen memtable went away */
    jg_snapshot *snapshot;
    jg_mt *active;  /* NULL: none yet */
    jg_mt **frozen; /* oldest first */
    uint32_t frozen_count, frozen_cap;
    jg_wal_file *spare; /* recycled log files */
    uint32_t spare_count;
    uint64_t next_gen, flushed_gen;
    uint32_t next_wal;
    uint64_t wal_bytes, seg_bytes; /* on disk */
    bool freeze_wanted;            /* the next write begins a new memtable */
    jg_seg_reader *readers;
    uint32_t reader_count;
    struct jg_frame_box *frames;
    uint32_t frame_count;
    uint32_t flush_failures;
    jg_splits *splits;            /* of the last ranking; NULL: none yet */
    struct jg_follower *follower; /* another process writes; NULL: this one does */

    pthread_mutex_t catalog_lock; /* one writer of the catalog at a time */
    pthread_mutex_t map_lock;     /* segments are mapped one at a time */
    jg_names *names;
    jg_deps *deps;
    uint64_t last_tidy_mono_ns;
} jg_store;

/* ---- recover.c ---- */
/** Open or make the directory. @param wake may be NULL */
jaeger_status jg_store_open(const char *dir, const jg_store_options *options, const jaeger_logger *log,
                            void (*wake)(void *), void *wake_user, jg_store **ret,
                            jaeger_error *err) JG_MUST_CHECK;
/** Flush what is in memory, if the disk allows, and close. No call may be running. Accepts NULL. */
void jg_store_close(jg_store *store);
/** Close as a crash would: without a flush. */
void jg_store_abandon(jg_store *store);
/** An empty one, with its locks; nothing on disk is touched. NULL: out of memory */
jg_store *jg_store_new(const char *dir, const jg_store_options *options, const jaeger_logger *log);
/** Add the spans of a log frame, which lies in the memtable's log file. */
jaeger_status jg_store_replay_frame(jg_store *store, jg_mt *mem, const uint8_t *payload,
                                    const jg_wal_header *header, jaeger_error *err) JG_MUST_CHECK;
int jg_store_get_u64(jg_txn *txn, const char *name, uint64_t *ret);
/** Forget everything. Readers go on with what they have. */
jaeger_status jg_store_purge(jg_store *store, jaeger_error *err) JG_MUST_CHECK;

/** Our clock: wall time at open, then monotonic, so that a step of the wall clock drops nothing. [Unix ns] */
uint64_t jg_store_now(const jg_store *store);

/* ---- follow.c ---- */
/** Open what another process of this version writes, to read it: its segments, and copies of its log. Makes
 * and changes no file but LMDB's table of readers. @return as jg_store_open */
jaeger_status jg_store_follow(const char *dir, const jg_store_options *options, const jaeger_logger *log,
                              jg_store **ret, jaeger_error *err) JG_MUST_CHECK;
/** Look for what is new. One thread at a time. */
void jg_store_refresh(jg_store *store);
void jg_follower_free(struct jg_follower *follower);

/* ---- commit.c ---- */
/** Returns when the batch is as durable as the options say. Takes no reference. */
jaeger_status jg_store_write(jg_store *store, const jaeger_batch *batch, jaeger_call *call) JG_MUST_CHECK;
/** Begin a new memtable with the next write, if this one has spans; waits for a commit that is under way.
 *  @return true: there is a frozen memtable now */
bool jg_store_freeze(jg_store *store);
/** The log file of a memtable that nobody reads any more. */
void jg_store_release_wal(void *store, jg_wal_file *wal);
/** The same when the file has the only copy of its spans: it is closed and stays. */
void jg_store_keep_wal(void *store, jg_wal_file *wal);
/** A log file for a new memtable: a spare one or a new one. @return 0 or errno */
int jg_store_take_wal(jg_store *store, jg_wal_file **ret);
/** fdatasync of the active log: for durability `interval`. */
void jg_store_sync(jg_store *store);
/** Free spare log files. */
void jg_store_drop_spares(jg_store *store, uint32_t keep);
void jg_store_free_frames(jg_store *store);

/* ---- snapshot.c ---- */
jg_snapshot *jg_snapshot_take(jg_store *store);
void jg_snapshot_unref(jg_snapshot *snapshot);
/** Make the list readers see: the current one without `drop` of either kind, with `add` of either kind.
 * store->lock must be held. @return false: out of memory, nothing changed */
bool jg_snapshot_set(jg_store *store, jg_seg *const *segs, size_t seg_count, jg_mt *const *mems,
                     size_t mem_count) JG_MUST_CHECK;
bool jg_snapshot_replace(jg_store *store, jg_mt *add_mem, jg_mt *drop_mem, jg_seg *add_seg,
                         bool (*drop_seg)(jg_seg *, void *), void *user) JG_MUST_CHECK;
jg_seg *jg_seg_new(const jg_store *store, const jg_seg_meta *meta, const void *filter, size_t filter_bytes);
void jg_seg_unref(jg_seg *seg);
/** Map it and check these sections. @return NULL: refused (and said so in the log) */
jg_seg_view *jg_seg_use(jg_store *store, jg_seg *seg, uint32_t sections);
/** After jg_seg_use returned NULL: the file could not be mapped for now (out of handles or memory). */
bool jg_seg_is_busy(const jg_seg *seg);
/** Damage was found: refuse it from now on, naming the file. */
void jg_seg_refuse(jg_store *store, jg_seg *seg, const char *why);
void jg_seg_path(const jg_store *store, uint64_t gen, char *out, size_t room);

/* ---- flush.c, retention.c ---- */
/** Write the oldest frozen memtable as a segment. @return OK also if there is none; *ret_more: there are more
 */
jaeger_status jg_store_flush_one(jg_store *store, bool *ret_more, jaeger_error *err) JG_MUST_CHECK;
/** Write the file of a memtable and give it its name. */
jaeger_status jg_store_write_segment(jg_store *store, const jg_mt *mem, jg_seg **ret,
                                     jaeger_error *err) JG_MUST_CHECK;
/** Enter a segment and its calls into the catalog. */
int jg_seg_put(jg_txn *txn, const jg_seg *seg, const jg_buf *calls);
/** Read the value of a segment in the catalog. */
bool jg_seg_meta_read(jaeger_str value, jg_seg_meta *ret, jaeger_str *ret_filter);
/** Drop what is too old or too much. @return segments dropped */
uint32_t jg_store_retain(jg_store *store, uint64_t now_unix_ns);
uint64_t jg_store_disk_bytes(jg_store *store);

/* ---- read.c ---- */
jaeger_status jg_store_get(jg_store *store, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                           jaeger_call *call) JG_MUST_CHECK;
/** See jaeger_storage_driver.reread_trace. */
jaeger_status jg_store_reread(jg_store *store, const jaeger_trace_ref *ref, jaeger_rereader again,
                              jaeger_call *call) JG_MUST_CHECK;
/** Search and hand out the traces, newest first. */
jaeger_status jg_store_find(jg_store *store, const jaeger_trace_query *query, jaeger_consumer out,
                            jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_store_find_ids(jg_store *store, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                jaeger_call *call) JG_MUST_CHECK;
/** summaries.c */
jaeger_status jg_store_summaries(jg_store *store, const jaeger_trace_query *query, jaeger_summary_sink out,
                                 jaeger_call *call) JG_MUST_CHECK;
/** rank.c: see jaeger_storage_driver.rank_traces */
jaeger_status jg_store_rank(jg_store *store, const jaeger_trace_query *query, jaeger_order order,
                            const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call) JG_MUST_CHECK;
/** attributes.c: see jaeger_storage_driver.attributes. Those of segments, the newest first */
jaeger_status jg_store_attributes(jg_store *store, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                  jaeger_call *call) JG_MUST_CHECK;
/** DATA_LOSS of one segment: name it, refuse it, go on with the others. */
jaeger_status jg_seg_tolerate(jg_store *store, jg_seg *seg, jaeger_status status,
                              jaeger_call *call) JG_MUST_CHECK;
/** Hand out the rows of trace `number` of a segment. @return DATA_LOSS: damaged; what jg_chunk_end_span
 * returns */
struct jg_chunk;
jaeger_status jg_store_write_rows(jg_seg_reader *reader, const jg_seg_view *view, uint32_t number,
                                  struct jg_chunk *out) JG_MUST_CHECK;
jg_seg_reader *jg_reader_take(jg_store *store);
void jg_reader_give(jg_store *store, jg_seg_reader *reader);

/* ---- names.c ---- */
jg_names *jg_names_new(void);
void jg_names_free(jg_names *names);
/** A memtable has this operation. Cheap if it is known. */
void jg_names_note(jg_names *names, jaeger_str service, jaeger_str name, uint32_t kind, uint64_t now_unix_ns);
void jg_names_clear(jg_names *names);
/** Let `names` be what `with` is, which is freed. */
void jg_names_replace(jg_names *names, jg_names *with);
int jg_names_load(jg_names *names, jg_txn *txn);
/** Write what is new or was last written an hour ago. */
int jg_names_save(jg_names *names, jg_txn *txn);
/** The transaction of jg_names_save was committed. */
void jg_names_saved(jg_names *names);
/** Forget operations not seen since then. */
int jg_names_expire(jg_names *names, jg_txn *txn, uint64_t before_unix_ns);
jaeger_status jg_names_services(jg_names *names, jaeger_strs *ret, jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_names_operations(jg_names *names, jaeger_str service, jaeger_str kind,
                                  jaeger_operations *ret, jaeger_call *call) JG_MUST_CHECK;

/* ---- deps.c ---- */
jg_deps *jg_deps_new(void);
void jg_deps_free(jg_deps *deps);
void jg_deps_clear(jg_deps *deps);
/** A segment is about to become visible: find parents over segment borders. `ret`: the encoded calls to put
 * in the catalog; empty: none. */
bool jg_deps_flush(jg_store *store, const jg_snapshot *snapshot, jg_seg *seg, jg_buf *ret);
/** Take a value of JG_TABLE_CALLS apart: calls, then the string table of their services. @return false:
 * damaged */
bool jg_calls_split(jaeger_str value, uint32_t *ret_count, const char **ret_calls, const char **ret_table);
/** After a start: gather pending parents of the last segments. */
void jg_deps_rebuild(jg_store *store, const jg_snapshot *snapshot);
jaeger_status jg_store_dependencies(jg_store *store, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                    jaeger_dependencies *ret, jaeger_call *call) JG_MUST_CHECK;

/* ---- sampling.c ---- */
jaeger_status jg_store_insert_throughput(jg_store *store, uint64_t time_unix_ns,
                                         const jaeger_throughput *items, size_t n,
                                         jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_store_get_throughput(jg_store *store, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                      jaeger_throughputs *ret, jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_store_insert_probabilities(jg_store *store, jaeger_str host, const jaeger_probability *items,
                                            size_t n, jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_store_get_probabilities(jg_store *store, jaeger_probabilities *ret,
                                         jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_store_acquire(jg_store *store, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns,
                               bool *ret, jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_store_forfeit(jg_store *store, jaeger_str resource, jaeger_str owner,
                               jaeger_call *call) JG_MUST_CHECK;

#endif
