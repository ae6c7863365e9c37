/* SPDX-License-Identifier: Apache-2.0
 * Flags of the commands for OpenSearch and Elasticsearch: names and defaults of Jaeger's tools. A flag that
 * is not given is looked for in the environment, as there: es.token-file in ES_TOKEN_FILE.
 */
#ifndef JG_SERVICE_SEARCH_FLAGS_H
#define JG_SERVICE_SEARCH_FLAGS_H

#include "storage/opensearch/client.h"

/** The commands that a flag belongs to, as bits. */
enum {
    JG_TOOL_CLEANER = 1,
    JG_TOOL_INIT = 2,
    JG_TOOL_ROLLOVER = 4,
    JG_TOOL_LOOKBACK = 8,
    JG_TOOL_MAPPING = 16,
    JG_TOOL_GRAPH = 32
};

#define JG_TOOL_WORDS_MAX 2u

typedef struct jg_tool_options {
    const char *words[JG_TOOL_WORDS_MAX]; /* what is not a flag */
    size_t word_count;
    /* where */
    const char *username, *password, *token_file, *api_key_file;
    bool tls, tls_skip_host_verify;
    const char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
    uint64_t timeout_s;
    /* what */
    const char *index_prefix, *separator, *gates, *ilm_policy, *conditions, *unit, *mapping, *backend;
    bool archive, rollover, use_ilm, skip_dependencies, adaptive_sampling, dry_run, help;
    const char *from, *to, *interval, *delay, *lookback, *dot;
    bool use_aliases, peer_service;
    uint64_t unit_count, shards, replicas, es_version, priority[4];
} jg_tool_options;

/** @param tool one bit. @param getenv NULL: no environment
 *  @return INVALID_ARGUMENT: an unknown flag, no value or a wrong one, too many words */
jaeger_status jg_tool_parse(jg_tool_options *ret, unsigned tool, int argc, char **argv,
                            const char *(*getenv)(const char *name), jaeger_error *err) JG_MUST_CHECK;
/** Append a line for each flag. */
void jg_tool_put_flags(jg_buf *out, unsigned tool);
/** Where the cluster is and who we are. @param url lives as long as `ret`. @return INVALID_ARGUMENT */
jaeger_status jg_tool_client_config(const jg_tool_options *o, jaeger_str *url, jg_os_client_config *ret,
                                    jaeger_error *err) JG_MUST_CHECK;

#endif
