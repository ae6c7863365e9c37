/* SPDX-License-Identifier: Apache-2.0
 * Index templates: the settings and mappings of Jaeger's indices, in both forms. Elasticsearch 8 and 9 take
 * composable ones (_index_template), Elasticsearch 7 and OpenSearch legacy ones (_template).
 * Spec: jaeger internal/storage/elasticsearch/esclient.
 */
#ifndef JG_STORAGE_OPENSEARCH_TEMPLATES_H
#define JG_STORAGE_OPENSEARCH_TEMPLATES_H

#include "storage/opensearch/client.h"
#include "storage/opensearch/index.h"

typedef struct jg_os_template {
    jg_os_kind kind;
    jaeger_str index_prefix; /* as configured */
    int64_t shards, replicas, priority;
    bool use_ilm;      /* name a policy and the rollover alias */
    jaeger_str policy; /* Elasticsearch's; OpenSearch's policies name their indices themselves */
    jg_os_version version;
} jg_os_template;

/** Does this version take composable templates? */
bool jg_os_is_composable(jg_os_version version);
/** Append the body. Ask jg_buf_ok(). */
void jg_os_put_template(jg_buf *out, const jg_os_template *t);
/** Create or replace it. @return as jg_os_ask */
jaeger_status jg_os_install_template(jg_os_client *client, const jg_os_template *t,
                                     jaeger_call *call) JG_MUST_CHECK;

#endif
