/* SPDX-License-Identifier: Apache-2.0
 * Against real engines: JAEGER_TEST_OPENSEARCH and JAEGER_TEST_ELASTICSEARCH are their addresses. Indices
 * with the prefix jg-conform are deleted. e2e/test_opensearch.py starts them.
 */
#include "conform/storage_conform.h"

#include <stdio.h>
#include <stdlib.h>

static int run(const char *driver, const char *url)
{
    char yaml[1024];
    (void)snprintf(
        yaml, sizeof yaml,
        "{server_urls: ['%s'], max_span_age: 200000h, max_doc_count: 1000, bulk_processing: {refresh: now}, "
        "indices: {index_prefix: jg-conform, spans: {shards: 1, replicas: 0}, "
        "services: {shards: 1, replicas: 0}, sampling: {shards: 1, replicas: 0}}}",
        url);
    (void)printf("%s at %s\n", driver, url);
    return jg_storage_conform(driver, yaml,
                              JG_SKIP_TENANTS | JG_SKIP_DEPENDENCIES | JG_SKIP_FAULTS |
                                  JG_SKIP_OPERATION_KIND | JG_SKIP_OTLP | JG_SHARED_STORE);
}

int main(void)
{
    const char *opensearch = getenv("JAEGER_TEST_OPENSEARCH"),
               *elasticsearch = getenv("JAEGER_TEST_ELASTICSEARCH");
    if (!opensearch && !elasticsearch) {
        (void)fprintf(stderr,
                      "SKIPPED: neither JAEGER_TEST_OPENSEARCH nor JAEGER_TEST_ELASTICSEARCH is set\n");
        return 77;
    }
    int failed = opensearch ? run("opensearch", opensearch) : 0;
    return elasticsearch ? failed | run("elasticsearch", elasticsearch) : failed;
}
