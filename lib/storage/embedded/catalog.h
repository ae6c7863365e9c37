/* SPDX-License-Identifier: Apache-2.0
 * The catalog of a tenant: what segments there are, operations, calls between segments, sampling state. LMDB
 * with full sync: a commit is on disk when it returns. Written at each flush, not at each request.
 */
#ifndef JG_EMBEDDED_CATALOG_H
#define JG_EMBEDDED_CATALOG_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_catalog jg_catalog;
typedef struct jg_txn jg_txn;

typedef enum jg_table {
    JG_TABLE_META,          /* name -> value */
    JG_TABLE_SEGMENTS,      /* gen u64be -> jg_seg_meta, filter, hash */
    JG_TABLE_OPERATIONS,    /* hash of (service, name, kind) -> last seen, kind, service, name */
    JG_TABLE_CALLS,         /* gen u64be -> calls whose parent lay in another segment */
    JG_TABLE_THROUGHPUT,    /* time u64be, number u32be -> encoded throughput */
    JG_TABLE_PROBABILITIES, /* "latest" -> encoded probabilities */
    JG_TABLE_LEASES,        /* resource -> expiry u64, owner */
    JG_TABLE_COUNT
} jg_table;

/** What the catalog knows of a segment, so that opening the store opens no segment. */
typedef struct jg_seg_meta {
    uint64_t gen, bytes;
    uint32_t span_count, trace_count;
    uint64_t min_start, max_start, max_end; /* Unix ns */
    uint64_t max_duration;
    uint64_t arrival_min, arrival_max; /* Unix ns, our clock */
    uint64_t header_hash;              /* of the file */
} jg_seg_meta;

jaeger_status jg_catalog_open(const char *dir, bool read_only, jg_catalog **ret,
                              jaeger_error *err) JG_MUST_CHECK;
/** Accepts NULL. */
void jg_catalog_close(jg_catalog *catalog);
/** Bytes on disk. */
uint64_t jg_catalog_bytes(jg_catalog *catalog);
/** Changes with each commit, also of another process. */
uint64_t jg_catalog_version(jg_catalog *catalog);
/** Free slots of readers that died. */
void jg_catalog_tidy(jg_catalog *catalog);

/** Run `fn` in a transaction and commit it if it returns 0, durably if it writes. `fn` may run twice (the map
 * was too small and was made larger). @return UNAVAILABLE, RESOURCE_EXHAUSTED, DATA_LOSS */
jaeger_status jg_catalog_write(jg_catalog *catalog, int (*fn)(jg_txn *txn, void *user), void *user,
                               jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_catalog_read(jg_catalog *catalog, int (*fn)(jg_txn *txn, void *user), void *user,
                              jaeger_error *err) JG_MUST_CHECK;

/** Inside `fn`: 0, or an LMDB or errno value to return from it. Keys: 511 bytes at most. */
int jg_txn_put(jg_txn *txn, jg_table table, jaeger_str key, jaeger_str value);
int jg_txn_delete(jg_txn *txn, jg_table table, jaeger_str key); /* not there: 0 */
int jg_txn_clear(jg_txn *txn, jg_table table);
/** `ret` is valid until the transaction ends; ptr NULL: not there. */
int jg_txn_get(jg_txn *txn, jg_table table, jaeger_str key, jaeger_str *ret);
/** Walk from the first key >= `from`. @param each answers false: enough. Must not change the table. */
int jg_txn_each(jg_txn *txn, jg_table table, jaeger_str from,
                bool (*each)(void *user, jaeger_str key, jaeger_str value), void *user);

void jg_put_u64be(uint8_t out[8], uint64_t x);
uint64_t jg_get_u64be(const uint8_t in[8]);

#endif
