/* SPDX-License-Identifier: Apache-2.0
 * Driver `elasticsearch`: traces in Elasticsearch, in Jaeger's own indices; see opensearch/store.h. Both
 * names take the same keys and serve either engine. Keys: jaeger internal/storage/elasticsearch/config.
 */
#include "storage/opensearch/slots.h"
#include "storage/opensearch/store.h"

const jaeger_storage_driver jg_storage_elasticsearch = {
    .size = sizeof(jaeger_storage_driver),
    .name = "elasticsearch",
    .doc = "Elasticsearch, in the indices that Jaeger reads and writes",
    .fields = jg_os_fields,
    .config_size = sizeof(jg_os_config),
    .state_size = sizeof(jg_os_store),
    JG_OS_DRIVER_SLOTS,
};
