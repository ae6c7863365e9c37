/* SPDX-License-Identifier: Apache-2.0
 * Names of indices: base names with a prefix, by period or behind aliases.
 * Spec: jaeger internal/storage/elasticsearch/indices.
 */
#ifndef JG_STORAGE_OPENSEARCH_INDEX_H
#define JG_STORAGE_OPENSEARCH_INDEX_H

#include "core/buf.h"
#include <jaeger/config.h>

typedef enum jg_os_kind {
    JG_OS_SPANS,
    JG_OS_SERVICES,
    JG_OS_DEPENDENCIES,
    JG_OS_SAMPLING,
    JG_OS_KINDS
} jg_os_kind;

typedef struct jg_os_periodic_config {
    bool enabled;
    jaeger_str date_layout;
    int rollover_frequency; /* 0: day, 1: hour */
} jg_os_periodic_config;

typedef struct jg_os_alias_config {
    bool enabled;
    jaeger_str read_alias, write_alias, policy_name;
} jg_os_alias_config;

/** The section of one kind of index. */
typedef struct jg_os_index_config {
    int64_t shards, replicas, priority;
    struct {
        jg_os_periodic_config periodic;
        jg_os_alias_config manual_rollover, auto_rollover;
        const jaeger_config *data_stream; /* refused */
    } rotation;
    jaeger_str date_layout, rollover_frequency; /* older names of the same */
} jg_os_index_config;

typedef struct jg_os_indices_config {
    jaeger_str index_prefix;
    jg_os_index_config kinds[JG_OS_KINDS];
} jg_os_indices_config;

extern const jaeger_field jg_os_indices_fields[];

#define JG_OS_NAME_BYTES_MAX 255u /* of an index; the clusters' limit */

/** One kind of index, ready for use. */
typedef struct jg_os_index {
    char base[JG_OS_NAME_BYTES_MAX + 1]; /* "p-jaeger-span" */
    bool by_alias;
    char read_alias[JG_OS_NAME_BYTES_MAX + 1], write_alias[JG_OS_NAME_BYTES_MAX + 1];
    jaeger_str layout; /* borrowed from the config */
    uint64_t period_ns;
} jg_os_index;

/** Name of a kind without prefix: "jaeger-span". */
const char *jg_os_kind_name(jg_os_kind kind);
/** Append the prefix as it stands before names: nothing, or it ends with "-". */
void jg_os_put_prefix(jg_buf *out, jaeger_str index_prefix);
/** Append a time in a layout of Go's reference time: 2006 06 01 02 15 04 are replaced. UTC. */
void jg_os_put_date(jg_buf *out, jaeger_str layout, uint64_t unix_ns);

/** @param config must outlive `ret`. @return INVALID_ARGUMENT with the key */
jaeger_status jg_os_index_init(jg_os_index *ret, const jg_os_indices_config *config, jg_os_kind kind,
                               jaeger_error *err) JG_MUST_CHECK;
/** Append where documents of that time are written. */
void jg_os_put_write_index(jg_buf *out, const jg_os_index *index, uint64_t unix_ns);

typedef enum jg_os_list_style {
    JG_OS_LIST_PATH, /* a,b for a URL */
    JG_OS_LIST_JSON  /* "a" or ["a","b"] for a body */
} jg_os_list_style;
/** Append all that may hold documents of [start, end], the newest first; with `c:` before each for the remote
 * clusters, too. A range of more than a few hundred periods, or a path above 3000 bytes, becomes a pattern.
 * @param end_unix_ns UINT64_MAX: open, up to tomorrow */
void jg_os_put_read_indices(jg_buf *out, const jg_os_index *index, uint64_t start_unix_ns,
                            uint64_t end_unix_ns, const jaeger_str_list *remotes, jg_os_list_style style);
/** Append a pattern of all indices of the kind that are written by period: "p-jaeger-span-2*". */
void jg_os_put_all(jg_buf *out, const jg_os_index *index);

#endif
