/* SPDX-License-Identifier: Apache-2.0
 * What operators do with indices: list them, choose old ones, delete them, move aliases, roll over. The
 * choice is Jaeger's, so that its cron jobs can be replaced one by one. Spec: jaeger cmd/es-index-cleaner,
 * cmd/es-rollover, internal/storage/elasticsearch/esclient.
 */
#ifndef JG_STORAGE_OPENSEARCH_ADMIN_H
#define JG_STORAGE_OPENSEARCH_ADMIN_H

#include "storage/opensearch/client.h"
#include <jaeger/storage.h>

typedef struct jg_os_index_info {
    jaeger_str name;
    uint64_t created_unix_ms;
    jaeger_strs aliases;
} jg_os_index_info;

/** Sorted by name; in an arena. */
typedef struct jg_os_index_infos {
    jg_os_index_info *items;
    size_t count, cap;
} jg_os_index_infos;

bool jg_os_has_alias(const jg_os_index_info *index, jaeger_str alias);

/** All indices "<prefix>jaeger-*"; none: OK. @param prefix as it stands before names, with its "-" */
jaeger_status jg_os_list_indices(jg_os_client *client, jaeger_str prefix, jg_os_index_infos *ret,
                                 jaeger_call *call) JG_MUST_CHECK;
/** Read that answer. For tests. @return INTERNAL: not such an answer */
jaeger_status jg_os_read_index_list(jaeger_str json, jg_os_index_infos *ret, jaeger_call *call) JG_MUST_CHECK;

/** Which indices the cleaner deletes. */
typedef struct jg_os_clean_rule {
    jaeger_str prefix, separator; /* between year, month and day */
    bool archive, rollover;       /* names ending in -000001: of the archive, of all kinds */
    uint64_t before_unix_ms;      /* created before */
} jg_os_clean_rule;

/** Never one behind a write alias, and only names of Jaeger's. */
bool jg_os_is_to_clean(const jg_os_clean_rule *rule, const jg_os_index_info *index);
/** now - days, or with `whole_days` the next midnight (UTC) - days. */
uint64_t jg_os_clean_before_ms(uint64_t now_unix_ms, uint64_t days, bool whole_days);
/** The age at which lookback takes an index from the read alias. @param unit minutes, hours, days, weeks,
 * months, years; others are seconds, as in Jaeger */
uint64_t jg_os_lookback_ms(uint64_t now_unix_ms, jaeger_str unit, uint64_t count);

/** Append names to `path` until it is long enough for one request. @return how many of them */
size_t jg_os_put_some_names(jg_buf *path, const jaeger_str *names, size_t n);
/** Delete all of `names`; those that are gone already are no fault. @param timeout_s for the cluster's
 * manager
 *  @param done NULL, or called after each request with what it deleted */
jaeger_status jg_os_delete_indices(jg_os_client *client, const jaeger_str *names, size_t n,
                                   uint64_t timeout_s, void (*done)(void *self, size_t count), void *self,
                                   jaeger_call *call) JG_MUST_CHECK;

typedef struct jg_os_alias_change {
    jaeger_str index, alias;
    bool remove, is_write_index;
} jg_os_alias_change;
/** All of them at once. n 0: OK. */
jaeger_status jg_os_change_aliases(jg_os_client *client, const jg_os_alias_change *changes, size_t n,
                                   jaeger_call *call) JG_MUST_CHECK;

/** Is there an index or alias of that name? */
jaeger_status jg_os_name_exists(jg_os_client *client, jaeger_str name, bool *ret,
                                jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_os_create_index(jg_os_client *client, jaeger_str name, jaeger_call *call) JG_MUST_CHECK;
/** ILM on Elasticsearch, ISM on OpenSearch. */
jaeger_status jg_os_policy_exists(jg_os_client *client, jaeger_str policy, bool *ret,
                                  jaeger_call *call) JG_MUST_CHECK;

typedef struct jg_os_rollover_result {
    bool rolled_over;
    jaeger_str old_index, new_index;
} jg_os_rollover_result;
/** @param conditions JSON, an object; empty: none. @param dry_run only ask whether the conditions are met */
jaeger_status jg_os_roll_over(jg_os_client *client, jaeger_str alias, jaeger_str conditions, bool dry_run,
                              jg_os_rollover_result *ret, jaeger_call *call) JG_MUST_CHECK;

#endif
